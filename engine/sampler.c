#include "engine/sampler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/dmath.h"
#include "engine/hash.h"

enum { MAX_LOGPROBS = 20 };

struct candidate {
    uint32_t token;
    float logit;
};

struct count { /* how often a token was put out */
    uint32_t token, n;
};

struct sampler {
    struct sampling settings;
    uint32_t n_vocab;
    struct candidate *candidates; /* [n_vocab], made when first needed */
    float *weights;               /* [n_vocab] */
    struct count *counts;
    size_t n_counts, cap_counts;
    /* Of the last draw, when logprobs are wanted. */
    float *logprobs; /* [n_vocab], -inf where not allowed */
    struct result_logprob top[MAX_LOGPROBS];
    size_t n_top;
};

struct sampler *sampler_new(const struct sampling *sampling, uint32_t n_vocab) {
    struct sampler *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->settings = *sampling;
    s->n_vocab = n_vocab;
    bool simple = sampler_is_argmax(s);
    if (!simple) {
        s->candidates = malloc(n_vocab * sizeof *s->candidates);
        s->weights = malloc(n_vocab * sizeof *s->weights);
    }
    if (sampling->want_logprobs) s->logprobs = malloc(n_vocab * sizeof *s->logprobs);
    if (simple || (s->candidates && s->weights && (s->logprobs || !sampling->want_logprobs))) return s;
    sampler_free(s);
    return NULL;
}

void sampler_free(struct sampler *s) {
    if (!s) return;
    free(s->candidates);
    free(s->weights);
    free(s->counts);
    free(s->logprobs);
    free(s);
}

static bool has_penalties(const struct sampling *p) {
    return p->repeat_penalty != 1 || p->presence_penalty != 0 || p->frequency_penalty != 0;
}

bool sampler_is_argmax(const struct sampler *s) {
    const struct sampling *p = &s->settings;
    return p->temperature == 0 && !p->n_bias && !has_penalties(p) && !p->want_logprobs;
}

bool sampler_note(struct sampler *s, uint32_t token) {
    if (!has_penalties(&s->settings)) return true;
    for (size_t i = 0; i < s->n_counts; i++)
        if (s->counts[i].token == token) {
            s->counts[i].n++;
            return true;
        }
    if (s->n_counts == s->cap_counts) {
        size_t cap = s->cap_counts ? s->cap_counts * 2 : 64;
        struct count *counts = realloc(s->counts, cap * sizeof *counts);
        if (!counts) return false;
        s->counts = counts;
        s->cap_counts = cap;
    }
    s->counts[s->n_counts++] = (struct count){token, 1};
    return true;
}

void sampler_forget(struct sampler *s, uint32_t token) {
    for (size_t i = 0; i < s->n_counts; i++)
        if (s->counts[i].token == token && s->counts[i].n) s->counts[i].n--;
}

/* ---- logits before truncation ------------------------------------------------------ */

static bool allowed(const uint64_t *mask, uint32_t token) {
    return mask[token / 64] >> token % 64 & 1;
}

static void apply_mask(const struct sampler *s, float *logits, const uint64_t *mask) {
    for (uint32_t i = 0; i < s->n_vocab; i++)
        if (!allowed(mask, i) || isnan(logits[i])) logits[i] = -INFINITY;
}

static void apply_bias(const struct sampler *s, float *logits) {
    for (size_t i = 0; i < s->settings.n_bias; i++)
        if (s->settings.bias[i].token < s->n_vocab)
            logits[s->settings.bias[i].token] += s->settings.bias[i].bias;
}

/* repeat_penalty scales towards less likely (Keskar et al. 2019, CTRL); presence and frequency
 * subtract, as OpenAI's API defines them. */
static void apply_penalties(const struct sampler *s, float *logits) {
    const struct sampling *p = &s->settings;
    for (size_t i = 0; i < s->n_counts; i++) {
        float *logit = &logits[s->counts[i].token];
        if (!s->counts[i].n) continue; /* taken back */
        *logit = *logit > 0 ? *logit / p->repeat_penalty : *logit * p->repeat_penalty;
        *logit -= p->presence_penalty + p->frequency_penalty * (float)s->counts[i].n;
    }
}

static uint32_t first_allowed(const struct sampler *s, const uint64_t *mask) {
    for (uint32_t i = 0; i < s->n_vocab; i++)
        if (allowed(mask, i)) return i;
    return 0;
}

/* ---- candidates: a heap, the most likely on top --------------------------------------- */

static bool before(struct candidate a, struct candidate b) {
    return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
}

static void sift_down(struct candidate *heap, size_t n, size_t at) {
    struct candidate moving = heap[at];
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && before(heap[child + 1], heap[child])) child++;
        if (!before(heap[child], moving)) break;
        heap[at] = heap[child];
    }
    heap[at] = moving;
}

static void heapify(struct candidate *heap, size_t n) {
    for (size_t i = n / 2; i-- > 0;) sift_down(heap, n, i);
}

/* Pops the best `wanted` of a heap of n to its back, one after another, then mirrors them to the front. */
static void pop_to_back(struct candidate *heap, size_t n) {
    struct candidate best = heap[0];
    heap[0] = heap[n - 1];
    heap[n - 1] = best;
    sift_down(heap, n - 1, 0);
}

static void mirror(struct candidate *c, size_t n, size_t wanted) {
    for (size_t i = 0; i < wanted && i < n - 1 - i; i++) {
        struct candidate best = c[n - 1 - i];
        c[n - 1 - i] = c[i];
        c[i] = best;
    }
}

static void sift_down_worst(struct candidate *heap, size_t n, size_t at) {
    struct candidate moving = heap[at];
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && before(heap[child], heap[child + 1])) child++;
        if (!before(moving, heap[child])) break;
        heap[at] = heap[child];
    }
    heap[at] = moving;
}

/* The best `wanted` of many, in no order, at the front; the others are lost. One comparison for most:
 * the front is a heap with the worst on top. */
static void keep_best(struct candidate *c, size_t n, size_t wanted) {
    for (size_t i = wanted / 2; i-- > 0;) sift_down_worst(c, wanted, i);
    for (size_t i = wanted; i < n; i++) {
        if (!before(c[i], c[0])) continue;
        c[0] = c[i];
        sift_down_worst(c, wanted, 0);
    }
}

/* Orders the best `wanted` of n candidates to the front, best first; what follows them is undefined. */
static size_t take_best(struct candidate *c, size_t n, size_t wanted) {
    if (wanted > n) wanted = n;
    if (wanted == 0) return 0;
    if (wanted < n / 16) {
        keep_best(c, n, wanted);
        n = wanted;
    }
    heapify(c, n);
    for (size_t i = 0; i < wanted; i++) pop_to_back(c, n - i);
    mirror(c, n, wanted);
    return wanted;
}

/* weights[i] = exp(logit - max); returns their sum. */
static double weigh(struct sampler *s, const struct kernels *kernels, size_t n) {
    float max = -INFINITY;
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        s->weights[i] = s->candidates[i].logit;
        if (s->weights[i] > max) max = s->weights[i];
    }
    kernels->exp_shifted(s->weights, s->weights, max, n);
    for (size_t i = 0; i < n; i++) sum += s->weights[i];
    return sum;
}

struct typical {
    double distance;
    struct candidate candidate;
};

static int compare_typical(const void *a, const void *b) {
    const struct typical *x = a, *y = b;
    if (x->distance != y->distance) return x->distance < y->distance ? -1 : 1;
    return before(x->candidate, y->candidate) ? -1 : 1;
}

/* Locally typical sampling (Meister et al. 2022): keeps those whose surprise is nearest the entropy. */
static size_t cut_typical(struct sampler *s, const struct kernels *kernels, size_t n) {
    double sum = weigh(s, kernels, n), entropy = 0, kept = 0;
    struct typical *order = malloc(n * sizeof *order);
    if (!order) return n;
    for (size_t i = 0; i < n; i++) {
        double p = s->weights[i] / sum;
        double surprise = p > 0 ? -dmath_log(p) : 745;
        entropy += p * surprise;
        order[i] = (struct typical){surprise, s->candidates[i]};
    }
    for (size_t i = 0; i < n; i++) order[i].distance = fabs(order[i].distance - entropy);
    float max = -INFINITY;
    for (size_t i = 0; i < n; i++) max = fmaxf(max, s->candidates[i].logit);
    qsort(order, n, sizeof *order, compare_typical);
    size_t count = 0;
    while (count < n && kept < s->settings.typical_p) {
        s->candidates[count] = order[count].candidate;
        kept += dmath_exp((double)order[count].candidate.logit - max) / sum;
        count++;
    }
    free(order);
    return count ? count : 1;
}

/* The most likely ones, best first, as many as it takes for their probability to reach top_p. */
static size_t cut_top_p(struct sampler *s, const struct kernels *kernels, size_t n) {
    double sum = weigh(s, kernels, n), head = 0;
    size_t count = 0;
    heapify(s->candidates, n);
    float max = s->candidates[0].logit;
    while (count < n && head < s->settings.top_p * sum) {
        float weight = s->candidates[0].logit;
        kernels->exp_shifted(&weight, &weight, max, 1);
        head += weight;
        pop_to_back(s->candidates, n - count++);
    }
    mirror(s->candidates, n, count);
    return count ? count : 1;
}

static size_t cut_min_p(struct sampler *s, const struct kernels *kernels, size_t n) {
    size_t count = 0;
    weigh(s, kernels, n);
    for (size_t i = 0; i < n; i++)
        if (s->weights[i] >= s->settings.min_p) s->candidates[count++] = s->candidates[i];
    return count ? count : 1;
}

static size_t truncate_candidates(struct sampler *s, const struct kernels *kernels, size_t n) {
    const struct sampling *p = &s->settings;
    if (p->top_k && p->top_k < n) n = take_best(s->candidates, n, p->top_k);
    if (p->typical_p < 1) n = cut_typical(s, kernels, n);
    if (p->top_p < 1) n = cut_top_p(s, kernels, n);
    if (p->min_p > 0) n = cut_min_p(s, kernels, n);
    return n;
}

/* ---- logprobs ------------------------------------------------------------------------- */

static void note_logprobs(struct sampler *s, const struct kernels *kernels, size_t n) {
    double sum = weigh(s, kernels, n), log_sum = dmath_log(sum);
    float max = -INFINITY;
    for (uint32_t i = 0; i < s->n_vocab; i++) s->logprobs[i] = -INFINITY;
    for (size_t i = 0; i < n; i++) max = fmaxf(max, s->candidates[i].logit);
    for (size_t i = 0; i < n; i++)
        s->logprobs[s->candidates[i].token] = (float)((double)s->candidates[i].logit - max - log_sum);
    s->n_top = take_best(s->candidates, n, s->settings.logprobs);
    for (size_t i = 0; i < s->n_top; i++)
        s->top[i] = (struct result_logprob){s->candidates[i].token, s->logprobs[s->candidates[i].token]};
}

float sampler_logprob(const struct sampler *s, uint32_t token) {
    return s->logprobs[token];
}

const struct result_logprob *sampler_top(const struct sampler *s, size_t *n) {
    *n = s->n_top;
    return s->top;
}

/* ---- drawing --------------------------------------------------------------------------- */

/* Uniform in [0, 1): a pure function of (seed, position). */
static double uniform(uint64_t seed, uint64_t position) {
    return (double)(hash_mix(hash_mix(0x706C6D, seed), position) >> 11) * 0x1p-53;
}

static uint32_t draw_among(struct sampler *s, const struct kernels *kernels, size_t n, uint64_t position) {
    for (size_t i = 0; i < n; i++) s->candidates[i].logit /= s->settings.temperature;
    double sum = weigh(s, kernels, n), target = uniform(s->settings.seed, position) * sum, at = 0;
    size_t last = 0;
    for (size_t i = 0; i < n; i++) {
        if (!(s->weights[i] > 0)) continue;
        last = i;
        at += s->weights[i];
        if (at > target) return s->candidates[i].token;
    }
    return s->candidates[last].token;
}

static size_t collect(struct sampler *s, const float *logits) {
    size_t n = 0;
    for (uint32_t i = 0; i < s->n_vocab; i++)
        if (logits[i] > -INFINITY) s->candidates[n++] = (struct candidate){i, logits[i]};
    return n;
}

uint32_t sampler_draw(struct sampler *s, const struct kernels *kernels, float *logits, const uint64_t *mask,
                      uint64_t position) {
    apply_mask(s, logits, mask);
    apply_bias(s, logits);
    apply_penalties(s, logits);
    uint32_t best = (uint32_t)kernels->argmax(logits, s->n_vocab);
    /* Nothing finite is left (a broken model, or biases of -inf): stay inside the mask. */
    if (!(logits[best] > -INFINITY) || !allowed(mask, best)) best = first_allowed(s, mask);
    if (sampler_is_argmax(s)) return best;
    size_t n = collect(s, logits);
    if (!n || logits[best] == INFINITY) {
        n = 1;
        s->candidates[0] = (struct candidate){best, 0};
    }
    if (s->settings.want_logprobs) {
        note_logprobs(s, kernels, n);
        if (n > 1) n = collect(s, logits); /* back in the order of ids */
    }
    if (s->settings.temperature == 0) return best;
    return draw_among(s, kernels, truncate_candidates(s, kernels, n), position);
}
