/* bench_text: compile and mask times of grammars of text (regex, gbnf), cold and walked at random.
 *
 *     bench_text [VOCAB.gguf [NAME]]
 *
 * For each grammar of tests/text_corpus.h (or the one named) and seed: compile, then draw allowed tokens
 * at random, with the whole mask before each, until the text must end or 60 tokens. A grammar is used by
 * all its walks, as by the requests that share one. Percentiles in microseconds of thread time; `step` is
 * the longest that a token took to be accepted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/grammar.h"
#include "engine/matcher.h"
#include "engine/vocab.h"
#include "tests/text_corpus.h"

enum { WALKS = 20, TOKENS = 60 };

struct samples {
    float list[(TEXT_REAL + TEXT_HOSTILE) * WALKS * TOKENS];
    size_t n;
    double step;
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int ascending(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

static void report(const char *name, double compile, struct samples *s) {
    size_t n = s->n;
    if (n == 0) return;
    qsort(s->list, n, sizeof *s->list, ascending);
    printf("%-16s compile %7.1f us; %5zu masks: p50 %.1f p90 %.1f p99 %.1f max %.1f us; step %.1f us\n", name,
           compile, n, s->list[n / 2], s->list[n * 9 / 10], s->list[n * 99 / 100], s->list[n - 1], s->step);
}

/* A random token of the mask. */
static uint32_t draw(const uint64_t *bits, uint32_t n_words, uint32_t count, uint64_t *seed) {
    *seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
    uint32_t wanted = (uint32_t)((*seed >> 33) % count);
    for (uint32_t word = 0; word < n_words; word++)
        for (uint64_t rest = bits[word]; rest; rest &= rest - 1)
            if (wanted-- == 0) return word * 64 + (uint32_t)__builtin_ctzll(rest);
    return 0;
}

static void walk(struct grammar *grammar, const struct vocab *vocab, const struct trie *trie, uint64_t *bits,
                 uint64_t seed, struct samples *samples) {
    struct error error = {0};
    struct matcher *matcher = matcher_new(grammar, trie, &error);
    for (int i = 0; i < TOKENS && matcher && !matcher_must_end(matcher); i++) {
        uint32_t len;
        double begin = now();
        uint32_t count = matcher_mask(matcher, bits);
        samples->list[samples->n++] = (float)(now() - begin);
        if (count == 0) break;
        const char *bytes = vocab_bytes(vocab, draw(bits, (vocab_size(vocab) + 63) / 64, count, &seed), &len);
        begin = now();
        if (!matcher_accept(matcher, bytes, len)) exit(fprintf(stderr, "token refused\n"));
        if (now() - begin > samples->step) samples->step = now() - begin;
    }
    matcher_free(matcher);
}

/* One grammar; adds its samples to `all`. */
static void measure(const struct text_sample *sample, const struct vocab *vocab, const struct trie *trie, uint64_t *bits,
                    struct samples *all) {
    static struct samples one;
    struct error error = {0};
    size_t len = strlen(sample->text);
    double begin = now();
    struct grammar *grammar = sample->regex ? grammar_from_regex(sample->text, len, "", &error)
                                            : grammar_from_gbnf(sample->text, len, "", &error);
    double compile = now() - begin;
    if (!grammar) {
        printf("%-16s refused after %.1f us: %s\n", sample->name, compile, error.message);
        return;
    }
    one.n = 0;
    one.step = 0;
    for (uint64_t seed = 1; seed <= WALKS; seed++) walk(grammar, vocab, trie, bits, seed, &one);
    memcpy(all->list + all->n, one.list, one.n * sizeof *one.list);
    all->n += one.n;
    if (one.step > all->step) all->step = one.step;
    report(sample->name, compile, &one);
    grammar_unref(grammar);
}

static void measure_all(const char *only, const struct vocab *vocab, const struct trie *trie, uint64_t *bits) {
    static struct samples real, hostile;
    for (int i = 0; i < TEXT_REAL; i++)
        if (!only || !strcmp(only, text_real[i].name)) measure(&text_real[i], vocab, trie, bits, &real);
    for (int i = 0; i < TEXT_HOSTILE; i++) {
        struct text_sample sample = {0};
        char *text = text_hostile(i, &sample.name);
        sample.text = text;
        if (!only || !strcmp(only, sample.name)) measure(&sample, vocab, trie, bits, &hostile);
        free(text);
    }
    report("all real ones", 0, &real);
    report("all hostile ones", 0, &hostile);
}

int main(int argc, char **argv) {
    const char *model = getenv("PLM_TEST_MODEL");
    const char *path = argc > 1 ? argv[1] : model ? model : "models/SmolLM2-135M-Instruct.Q4_1.gguf";
    struct error error = {0};
    struct gguf *gguf = gguf_open(path, &error);
    struct vocab *vocab = gguf ? vocab_new(gguf, &error) : NULL;
    struct trie *trie = vocab ? trie_new(vocab, &error) : NULL;
    if (!trie) return fprintf(stderr, "%s: %s\n", path, error.message), 1;
    uint64_t *bits = calloc(vocab_size(vocab) / 64 + 1, sizeof *bits);
    printf("%s: %u tokens\n", path, vocab_size(vocab));
    if (bits) measure_all(argc > 2 ? argv[2] : NULL, vocab, trie, bits);
    free(bits);
    trie_free(trie);
    vocab_free(vocab);
    gguf_close(gguf);
    return 0;
}
