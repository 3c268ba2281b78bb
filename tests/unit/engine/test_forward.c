/* One result: the bits of a row's logits depend on nothing but its tokens: not on the instruction set, the number
 * of rows in the pass, the threads, the other sequences, or whether the prefix was computed or kept. */
#include <string.h>

#include "engine/engine_state.h"
#include "tests/support.h"

enum { N_TOKENS = 75 }; /* past two KV tiles, and no multiple of anything */

static const uint32_t *prompt(uint32_t n_vocab, uint32_t seed) {
    static uint32_t tokens[N_TOKENS];
    for (size_t i = 0; i < N_TOKENS; i++) tokens[i] = (seed = seed * 1664525u + 1013904223u) % n_vocab;
    return tokens;
}

/* The models that the properties are shown on: the real one, and one of each block format. */
static const char *const models[] = {NULL, "F16", "Q8_0", "Q4_0", "Q4_1", "Q4_K_S", "Q5_K_S", "Q6_K"};
enum { N_MODELS = sizeof models / sizeof *models };

static const char *model_path(int i) {
    char rest[64];
    if (!models[i]) return model_file();
    snprintf(rest, sizeof rest, "models/quant/%s.gguf", models[i]);
    return shared_file(rest);
}

static struct engine *open_engine(const char *path, const char *isa, unsigned threads) {
    struct error error = {0};
    struct engine_settings settings = {.model_path = path, .isa_name = isa, .threads = threads};
    struct engine *engine = engine_new(&settings, &error);
    if (!engine && strstr(error.message, "processor does not run")) return NULL;
    ck_assert_msg(engine != NULL, "%s: %s", path, error.message);
    return engine;
}

/* Logits of the last `wanted` positions after feeding the prompt in pieces of `chunk`. */
static float *logits_of(struct engine *engine, const uint32_t *tokens, size_t chunk, size_t wanted) {
    size_t vocab = engine_info(engine)->n_vocab;
    struct error error = {0};
    float *all = malloc(N_TOKENS * vocab * sizeof *all);
    struct sequence *sequence = engine_sequence_new(engine, &error);
    for (size_t at = 0; at < N_TOKENS; at += chunk) {
        size_t n = N_TOKENS - at < chunk ? N_TOKENS - at : chunk;
        ck_assert(engine_sequence_extend(engine, sequence, tokens + at, n, all + at * vocab, n, &error));
    }
    engine_sequence_free(engine, sequence);
    memmove(all, all + (N_TOKENS - wanted) * vocab, wanted * vocab * sizeof *all);
    return all;
}

static void same_bits(struct engine *engine, const float *a, const float *b, size_t rows, const char *what) {
    size_t bytes = rows * engine_info(engine)->n_vocab * sizeof *a;
    ck_assert_msg(memcmp(a, b, bytes) == 0, "%s: logits differ", what);
}

START_TEST(one_result) {
    static const struct {
        const char *what, *isa;
        unsigned threads;
        size_t chunk;
    } ways[] = {{"scalar", "scalar", 1, N_TOKENS}, {"avx2", "avx2", 1, N_TOKENS},
                {"avx512", "avx512", 1, N_TOKENS}, {"two threads", NULL, 2, N_TOKENS},
                {"three threads", NULL, 3, 33},    {"one row at a time", NULL, 2, 1},
                {"avx2, one row at a time", "avx2", 2, 1}, {"pieces of 7", NULL, 1, 7}};
    const char *path = model_path(_i);
    if (!present(path)) return;
    bool small = models[_i] != NULL;
    size_t wanted = small ? N_TOKENS : 4;
    struct engine *reference = open_engine(path, NULL, 1);
    const uint32_t *tokens = prompt(engine_info(reference)->n_vocab, 7);
    float *expected = logits_of(reference, tokens, N_TOKENS, wanted);
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        struct engine *engine = open_engine(path, ways[w].isa, ways[w].threads);
        if (!engine) {
            printf("SKIP: this processor does not run %s\n", ways[w].isa);
            continue;
        }
        float *logits = logits_of(engine, tokens, ways[w].chunk, wanted);
        same_bits(engine, expected, logits, wanted, ways[w].what);
        free(logits);
        engine_free(engine);
    }
    free(expected);
    engine_free(reference);
}
END_TEST

/* ---- alone and in company ---------------------------------------------------------------- */

static struct kv_block *take(void *user) {
    return prefix_take(user);
}

/* Feeds eight sequences in one pass after another, rows of different lengths, and compares each one's
 * last logits with those it gets alone. */
START_TEST(alone_or_in_a_batch) {
    enum { N = 8 };
    const char *path = model_path(_i);
    if (!present(path)) return;
    struct engine *engine = open_engine(path, NULL, 2);
    size_t vocab = engine_info(engine)->n_vocab;
    uint32_t tokens[N][N_TOKENS];
    struct sequence sequences[N] = {0};
    struct row rows[N * N_TOKENS];
    float *logits = malloc(N * vocab * sizeof *logits);
    struct error error = {0};
    for (uint32_t s = 0; s < N; s++) memcpy(tokens[s], prompt((uint32_t)vocab, s + 1), sizeof *tokens);
    for (uint32_t from = 0, to = 40; from < N_TOKENS; from = to, to = to + 1 < N_TOKENS ? to + 17 : to + 1) {
        uint32_t n = 0;
        if (to > N_TOKENS) to = N_TOKENS;
        for (uint32_t s = 0; s < N; s++) {
            ck_assert(sequence_reserve(&sequences[s], to, take, engine->prefix));
            for (uint32_t at = from; at < to; at++, n++)
                rows[n] = (struct row){.sequence = &sequences[s],
                                       .position = at,
                                       .token = tokens[s][at],
                                       .logits = at + 1 == N_TOKENS ? logits + s * vocab : NULL};
        }
        ck_assert(forward_run(engine->forward, rows, n, &error));
    }
    for (uint32_t s = 0; s < N; s++) {
        float *alone = logits_of(engine, tokens[s], 19, 1);
        same_bits(engine, alone, logits + s * vocab, 1, "in a batch of 8");
        free(alone);
        sequence_clear(&engine->kv, &sequences[s]);
    }
    free(logits);
    engine_free(engine);
}
END_TEST

/* ---- some logits only --------------------------------------------------------------------- */

/* About one token in `share`, among them runs. */
static uint32_t choose_some(uint32_t *ids, uint32_t vocab, uint32_t share, uint32_t seed) {
    uint32_t n = 0;
    for (uint32_t id = 0; id < vocab; id++) {
        seed = seed * 1664525u + 1013904223u;
        bool run = id % 500 < 40 && id / 500 % share == 0;
        if (run || (seed >> 8) % (share * 2) == 0 || (n == 0 && id + 1 == vocab)) ids[n++] = id;
    }
    return n;
}

static void only_chosen(const float *some, const float *all, const uint32_t *ids, uint32_t n, size_t vocab) {
    uint32_t at = 0;
    for (uint32_t id = 0; id < vocab; id++) {
        bool wanted = at < n && ids[at] == id;
        float expected = wanted ? all[id] : -7;
        if (memcmp(&some[id], &expected, sizeof expected) != 0)
            ck_abort_msg("token %u, %s of %u: %a, not %a", id, wanted ? "one" : "none", n, (double)some[id],
                         (double)expected);
        at += wanted;
    }
}

/* Rows of one pass that want all logits, many, few and one: each gets the bits that it gets when all want
 * all, and nothing else is written. */
START_TEST(chosen_logits) {
    enum { N = 5, BEFORE = 9 };
    static const uint32_t shares[N] = {0, 8, 100, 0, 1000000000};
    static const char *const isas[] = {NULL, "avx2", "scalar"};
    const char *path = model_path(_i / 3);
    if (!present(path) || (_i / 3 == 0 && _i)) return; /* the large one once */
    struct engine *engine = open_engine(path, isas[_i % 3], 1 + (unsigned)_i % 3);
    if (!engine) return;
    size_t vocab = engine_info(engine)->n_vocab;
    float *all = malloc(N * vocab * sizeof *all), *some = malloc(N * vocab * sizeof *some);
    uint32_t *ids = malloc(N * vocab * sizeof *ids);
    struct sequence sequences[N] = {0};
    struct row rows[N];
    struct error error = {0};
    for (size_t i = 0; i < N * vocab; i++) some[i] = -7;
    for (uint32_t s = 0; s < N; s++) {
        const uint32_t *tokens = prompt((uint32_t)vocab, s + 1);
        ck_assert(engine_sequence_extend(engine, &sequences[s], tokens, BEFORE, NULL, 0, &error));
        ck_assert(sequence_reserve(&sequences[s], BEFORE + 1, take, engine->prefix));
        rows[s] = (struct row){.sequence = &sequences[s], .position = BEFORE, .token = tokens[BEFORE],
                               .logits = all + s * vocab};
    }
    ck_assert(forward_run(engine->forward, rows, N, &error));
    for (uint32_t s = 0; s < N; s++) {
        sequences[s].n_tokens = BEFORE;
        rows[s].logits = some + s * vocab;
        rows[s].chosen = ids + s * vocab;
        if (shares[s]) rows[s].n_chosen = choose_some(ids + s * vocab, (uint32_t)vocab, shares[s], s);
    }
    ck_assert(forward_run(engine->forward, rows, N, &error));
    for (uint32_t s = 0; s < N; s++) {
        const float *a = all + s * vocab, *b = some + s * vocab;
        if (shares[s]) only_chosen(b, a, ids + s * vocab, rows[s].n_chosen, vocab);
        else same_bits(engine, a, b, 1, "beside rows that want few logits");
        sequence_clear(&engine->kv, &sequences[s]);
    }
    forward_trim(engine->forward);
    free(ids);
    free(all);
    free(some);
    engine_free(engine);
}
END_TEST

/* ---- cold and warm ----------------------------------------------------------------------- */

START_TEST(cold_or_warm) {
    const char *path = model_path(_i);
    if (!present(path)) return;
    struct engine *engine = open_engine(path, NULL, 2);
    size_t vocab = engine_info(engine)->n_vocab;
    const uint32_t *tokens = prompt((uint32_t)vocab, 99);
    struct error error = {0};
    float *cold = logits_of(engine, tokens, N_TOKENS, 1), *warm = malloc(vocab * sizeof *warm);
    /* Keep the KV of the whole prompt, then start again from every possible length of cached prefix. */
    struct sequence *sequence = engine_sequence_new(engine, &error);
    ck_assert(engine_sequence_extend(engine, sequence, tokens, N_TOKENS, NULL, 0, &error));
    prefix_store(engine->prefix, sequence, 1, tokens, N_TOKENS, 0);
    engine_sequence_free(engine, sequence);
    for (uint32_t limit = 1; limit < N_TOKENS; limit += models[_i] ? 3 : 11) {
        struct sequence *again = engine_sequence_new(engine, &error);
        prefix_lookup(engine->prefix, again, 1, tokens, limit);
        ck_assert_uint_eq(again->n_tokens, limit);
        ck_assert(engine_sequence_extend(engine, again, tokens + limit, N_TOKENS - limit, warm, 1, &error));
        same_bits(engine, cold, warm, 1, "with a cached prefix");
        engine_sequence_free(engine, again);
    }
    struct sequence *other = engine_sequence_new(engine, &error);
    prefix_lookup(engine->prefix, other, 2, tokens, N_TOKENS - 1);
    ck_assert_uint_eq(other->n_tokens, 0); /* another owner's prefix is not his */
    engine_sequence_free(engine, other);
    free(cold);
    free(warm);
    engine_free(engine);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("forward");
    TCase *tcase = tcase_create("one result");
    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, one_result, 0, N_MODELS);
    tcase_add_loop_test(tcase, alone_or_in_a_batch, 0, N_MODELS);
    tcase_add_loop_test(tcase, chosen_logits, 0, 3 * N_MODELS);
    tcase_add_loop_test(tcase, cold_or_warm, 0, N_MODELS);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
