/* The sampler: order of the steps, ties, determinism, and frequencies that match the distribution. */
#include <math.h>
#include <string.h>

#include "engine/sampler.h"
#include "tests/support.h"

enum { N = 100 };

static const struct sampling plain = {.temperature = 1, .top_p = 1, .typical_p = 1, .repeat_penalty = 1};
static uint64_t all_allowed[2] = {UINT64_MAX, UINT64_MAX >> (128 - N)};

static uint32_t draw(struct sampler *sampler, const float *logits, const uint64_t *mask, uint64_t position) {
    float copy[N];
    memcpy(copy, logits, sizeof copy);
    return sampler_draw(sampler, kernels_get(ISA_ALL), copy, mask, position);
}

static void fill(float *logits) {
    for (int i = 0; i < N; i++) logits[i] = -20;
}

START_TEST(greedy_takes_the_largest_and_the_lower_id_on_ties) {
    struct sampling settings = plain;
    float logits[N];
    fill(logits);
    logits[7] = logits[3] = 5;
    settings.temperature = 0;
    struct sampler *sampler = sampler_new(&settings, N);
    ck_assert(sampler_is_argmax(sampler));
    ck_assert_uint_eq(draw(sampler, logits, all_allowed, 0), 3);
    uint64_t mask[2] = {1ull << 7 | 1ull << 50, 0};
    ck_assert_uint_eq(draw(sampler, logits, mask, 0), 7);
    sampler_free(sampler);
}
END_TEST

START_TEST(broken_logits_stay_inside_the_mask) {
    static const float bad[] = {NAN, -INFINITY, INFINITY};
    uint64_t mask[2] = {1ull << 9, 1ull << 2};
    for (size_t b = 0; b < 3; b++)
        for (int t = 0; t < 2; t++) {
            struct sampling settings = plain;
            settings.temperature = (float)t;
            settings.want_logprobs = t;
            float logits[N];
            for (int i = 0; i < N; i++) logits[i] = bad[b];
            struct sampler *sampler = sampler_new(&settings, N);
            uint32_t token = draw(sampler, logits, mask, 3);
            ck_assert(token == 9 || token == 66);
            sampler_free(sampler);
        }
}
END_TEST

/* Draws many times and compares the shares of three tokens with what they should be. */
static void check_shares(const struct sampling *settings, const float *logits, const double expected[3]) {
    enum { DRAWS = 8000 };
    struct sampler *sampler = sampler_new(settings, N);
    double counts[N] = {0};
    for (uint64_t i = 0; i < DRAWS; i++) counts[draw(sampler, logits, all_allowed, i)]++;
    for (int i = 0; i < 3; i++)
        ck_assert_msg(fabs(counts[i] / DRAWS - expected[i]) < 0.025, "token %d: %g, expected %g", i,
                      counts[i] / DRAWS, expected[i]);
    sampler_free(sampler);
}

START_TEST(shares_follow_the_settings) {
    float logits[N];
    fill(logits);
    logits[0] = logf(0.6f), logits[1] = logf(0.3f), logits[2] = logf(0.1f);
    struct sampling settings = plain;
    check_shares(&settings, logits, (double[]){0.6, 0.3, 0.1});
    settings.top_k = 2;
    check_shares(&settings, logits, (double[]){2 / 3.0, 1 / 3.0, 0});
    settings.top_k = 0, settings.top_p = 0.85f;
    check_shares(&settings, logits, (double[]){2 / 3.0, 1 / 3.0, 0});
    settings.top_p = 1, settings.min_p = 0.4f;
    check_shares(&settings, logits, (double[]){2 / 3.0, 1 / 3.0, 0});
    settings.min_p = 0, settings.temperature = 0.5f; /* squares */
    check_shares(&settings, logits, (double[]){0.36 / 0.46, 0.09 / 0.46, 0.01 / 0.46});
    settings.temperature = 1, settings.typical_p = 0.2f; /* entropy 0.898: 0.3 (1.204) and 0.6 (0.51) */
    check_shares(&settings, logits, (double[]){0, 1, 0});
}
END_TEST

/* ---- of many candidates, with ties ---- */

enum { MANY = 4096 };
static float many[MANY];

static int by_rank(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    if (many[x] != many[y]) return many[x] > many[y] ? -1 : 1;
    return x < y ? -1 : 1;
}

/* Draws hot: every one of the first `kept` by rank can come, and nothing else. */
static void check_kept(const struct sampling *settings, const uint32_t *ranked, size_t kept) {
    static uint64_t mask[MANY / 64];
    bool seen[MANY] = {false};
    size_t found = 0;
    memset(mask, 0xFF, sizeof mask);
    struct sampler *sampler = sampler_new(settings, MANY);
    for (uint64_t i = 0; i < 1500; i++) {
        float copy[MANY];
        memcpy(copy, many, sizeof copy);
        uint32_t token = sampler_draw(sampler, kernels_get(ISA_ALL), copy, mask, i);
        size_t rank = 0;
        while (ranked[rank] != token) rank++;
        ck_assert_msg(rank < kept, "rank %zu of %zu", rank, kept);
        found += !seen[rank];
        seen[rank] = true;
    }
    if (kept <= 150) ck_assert_uint_eq(found, kept);
    sampler_free(sampler);
}

START_TEST(the_best_of_many) {
    static const uint32_t top_k[] = {1, 2, 40, 100, 255, 256, 300, MANY - 1};
    static const float top_p[] = {0.01f, 0.3f, 0.6f};
    uint32_t ranked[MANY], seed = 7;
    double sum = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        seed = seed * 1664525 + 1013904223;
        many[i] = (float)(seed >> 24) / 16; /* 256 values */
        ranked[i] = i;
    }
    qsort(ranked, MANY, sizeof *ranked, by_rank);
    for (size_t i = 0; i < sizeof top_k / sizeof *top_k; i++) {
        struct sampling settings = plain;
        settings.temperature = 1000, settings.top_k = top_k[i];
        check_kept(&settings, ranked, top_k[i]);
    }
    for (uint32_t i = 0; i < MANY; i++) sum += exp((double)many[i] - 16);
    for (size_t i = 0; i < sizeof top_p / sizeof *top_p; i++) {
        struct sampling settings = plain;
        double head = 0;
        size_t kept = 0;
        settings.temperature = 1000, settings.top_p = top_p[i];
        while (head < (double)top_p[i] * sum) head += exp((double)many[ranked[kept++]] - 16);
        check_kept(&settings, ranked, kept);
    }
}
END_TEST

START_TEST(penalties_and_bias) {
    struct logit_bias bias = {2, 30};
    struct sampling settings = plain;
    float logits[N];
    fill(logits);
    logits[0] = 2, logits[1] = 1.5f;
    settings.temperature = 0;
    settings.presence_penalty = 1;
    struct sampler *sampler = sampler_new(&settings, N);
    ck_assert_uint_eq(draw(sampler, logits, all_allowed, 0), 0);
    ck_assert(sampler_note(sampler, 0));
    ck_assert_uint_eq(draw(sampler, logits, all_allowed, 1), 1);
    sampler_free(sampler);
    settings.bias = &bias, settings.n_bias = 1;
    sampler = sampler_new(&settings, N);
    ck_assert_uint_eq(draw(sampler, logits, all_allowed, 0), 2);
    uint64_t mask[2] = {3, 0}; /* bias never opens the mask */
    ck_assert_uint_eq(draw(sampler, logits, mask, 0), 0);
    sampler_free(sampler);
}
END_TEST

START_TEST(draws_depend_on_seed_and_position_only) {
    struct sampling settings = plain;
    float logits[N];
    uint32_t first[50];
    for (int i = 0; i < N; i++) logits[i] = (float)(i * 7 % 13) * 0.3f;
    settings.seed = 42;
    struct sampler *a = sampler_new(&settings, N), *b = sampler_new(&settings, N);
    for (int i = 0; i < 50; i++) first[i] = draw(a, logits, all_allowed, (uint64_t)i);
    for (int i = 49; i >= 0; i--) ck_assert_uint_eq(draw(b, logits, all_allowed, (uint64_t)i), first[i]);
    settings.seed = 43;
    struct sampler *c = sampler_new(&settings, N);
    int same = 0;
    for (int i = 0; i < 50; i++) same += draw(c, logits, all_allowed, (uint64_t)i) == first[i];
    ck_assert_int_lt(same, 15);
    sampler_free(a), sampler_free(b), sampler_free(c);
}
END_TEST

START_TEST(logprobs_are_before_truncation_and_temperature) {
    struct sampling settings = plain;
    float logits[N];
    size_t n;
    fill(logits);
    logits[0] = logf(0.6f), logits[1] = logf(0.3f), logits[2] = logf(0.1f);
    settings.want_logprobs = true, settings.logprobs = 2, settings.top_k = 1, settings.temperature = 0.1f;
    struct sampler *sampler = sampler_new(&settings, N);
    ck_assert_uint_eq(draw(sampler, logits, all_allowed, 0), 0);
    const struct result_logprob *top = sampler_top(sampler, &n);
    ck_assert_uint_eq(n, 2);
    ck_assert_uint_eq(top[0].token, 0);
    ck_assert_uint_eq(top[1].token, 1);
    ck_assert_double_eq_tol(exp(top[0].logprob), 0.6, 1e-4);
    ck_assert_double_eq_tol(exp(sampler_logprob(sampler, 2)), 0.1, 1e-4);
    sampler_free(sampler);
}
END_TEST

/* What was counted and taken back is as if it had never been put out. */
START_TEST(forgotten_tokens_do_not_count) {
    struct sampling settings = plain;
    float logits[N];
    fill(logits);
    logits[4] = 3, logits[5] = 2.5f;
    settings.temperature = 0, settings.presence_penalty = 1, settings.repeat_penalty = 1.5f;
    struct sampler *sampler = sampler_new(&settings, N);
    ck_assert_uint_eq(draw(sampler, logits, all_allowed, 0), 4);
    ck_assert(sampler_note(sampler, 4) && sampler_note(sampler, 4));
    sampler_forget(sampler, 4);
    ck_assert_uint_eq(draw(sampler, logits, all_allowed, 1), 5);
    sampler_forget(sampler, 4);
    ck_assert_uint_eq(draw(sampler, logits, all_allowed, 1), 4);
    sampler_free(sampler);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("sampler");
    TCase *tcase = tcase_create("sampler");
    tcase_add_test(tcase, greedy_takes_the_largest_and_the_lower_id_on_ties);
    tcase_add_test(tcase, broken_logits_stay_inside_the_mask);
    tcase_add_test(tcase, shares_follow_the_settings);
    tcase_add_test(tcase, the_best_of_many);
    tcase_add_test(tcase, penalties_and_bias);
    tcase_add_test(tcase, forgotten_tokens_do_not_count);
    tcase_add_test(tcase, draws_depend_on_seed_and_position_only);
    tcase_add_test(tcase, logprobs_are_before_truncation_and_temperature);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
