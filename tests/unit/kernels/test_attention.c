/* Every ISA's attention against the specification, bit for bit, and that against double. */
#include <check.h>

#include "kernels/kernels.h"
#include "kernels/scalar/f16.h"
#include "tests/support.h"
#include "tests/unit/kernels/guard.h"

enum { PLAIN, EXTREME };

/* One attention call on buffers of their own. */
struct setup {
    struct attention attention;
    struct guard out, query, k, v;
    float **outs;
    const float **queries;
    const uint16_t **k_tiles, **v_tiles;
    uint32_t *n_keys;
    size_t tiles;
};

static const int masks[] = {0, ISA_AVX2, ISA_ALL};

static uint16_t random_half(int kind) {
    if (kind == PLAIN) return f16_round(random_plain());
    return random_below(4) ? f16_round(random_extreme()) : (uint16_t)random_bits();
}

static void setup_tiles(struct setup *s, size_t d, int kind) {
    s->k = guard_new(s->tiles * d * KV_TILE * 2);
    s->v = guard_new(s->tiles * d * KV_TILE * 2);
    uint16_t *k = s->k.bytes, *v = s->v.bytes;
    /* The tiles lie backwards, so that one's overrun is not the next one's start. */
    for (size_t t = 0; t < s->tiles; t++) {
        s->k_tiles[t] = k + (s->tiles - 1 - t) * d * KV_TILE;
        s->v_tiles[t] = v + (s->tiles - 1 - t) * d * KV_TILE;
    }
    /* Extremes are rare enough here for finite results to remain. */
    for (size_t i = 0; i < s->tiles * d * KV_TILE; i++) {
        k[i] = random_half(kind == EXTREME && random_below(50) == 0 ? EXTREME : PLAIN);
        v[i] = random_half(kind == EXTREME && random_below(50) == 0 ? EXTREME : PLAIN);
    }
}

/* n queries that see up to `keys` keys; query i of n_keys[i] is for the caller to change. */
static struct setup setup_new(size_t d, size_t n, size_t keys, int kind) {
    struct setup s = {.tiles = (keys + KV_TILE - 1) / KV_TILE};
    s.outs = calloc(n, sizeof *s.outs), s.queries = calloc(n, sizeof *s.queries);
    s.k_tiles = calloc(s.tiles, sizeof *s.k_tiles), s.v_tiles = calloc(s.tiles, sizeof *s.v_tiles);
    s.n_keys = calloc(n, sizeof *s.n_keys);
    s.query = guard_new(n * d * sizeof(float)), s.out = guard_new(n * d * sizeof(float));
    float *query = s.query.bytes, *out = s.out.bytes;
    for (size_t i = 0; i < n; i++) {
        s.outs[i] = out + i * d, s.queries[i] = query + i * d;
        s.n_keys[i] = (uint32_t)keys;
        bool odd = kind == EXTREME && random_below(3) == 0;
        for (size_t j = 0; j < d; j++)
            query[i * d + j] = odd && !random_below(8) ? random_extreme() : 4 * random_plain();
    }
    setup_tiles(&s, d, kind);
    s.attention = (struct attention){.out = s.outs,
                                     .query = s.queries,
                                     .n_keys = s.n_keys,
                                     .n = n,
                                     .k_tiles = s.k_tiles,
                                     .v_tiles = s.v_tiles,
                                     .head_dim = d,
                                     .scale = 0.125f};
    return s;
}

static void setup_free(struct setup *s) {
    guard_free(&s->out), guard_free(&s->query), guard_free(&s->k), guard_free(&s->v);
    free(s->outs), free(s->queries), free(s->n_keys), free(s->k_tiles), free(s->v_tiles);
}

static void run(const struct kernels *kernels, struct attention *attention) {
    size_t bytes = kernels->attention_scratch(attention->head_dim, attention->n);
    struct guard scratch = guard_new((bytes + 63) / 64 * 64);
    memset(scratch.bytes, 0xff,
           bytes); /* NaN everywhere: nothing may be read before it's written */
    attention->scratch = scratch.bytes;
    kernels->attention(attention);
    guard_free(&scratch);
}

static float *copy_out(const struct setup *s) {
    size_t bytes = s->attention.n * s->attention.head_dim * sizeof(float);
    float *copy = malloc(bytes);
    memcpy(copy, s->out.bytes, bytes);
    return copy;
}

static void expect(const struct setup *s, const float *want, const char *isa) {
    const float *got = s->out.bytes;
    size_t d = s->attention.head_dim;
    for (size_t i = 0; i < s->attention.n * d; i++)
        ck_assert_msg(same_float(got[i], want[i]),
                      "%s: d=%zu n=%zu query %zu (%u keys) dim %zu: %a, want %a", isa, d,
                      s->attention.n, i / d, s->n_keys[i / d], i % d, (double)got[i],
                      (double)want[i]);
}

/* The specification, then every other table. */
static void check_isas(struct setup *s) {
    run(kernels_get(0), &s->attention);
    float *want = copy_out(s);
    for (size_t i = 1; i < sizeof masks / sizeof *masks; i++) {
        memset(s->out.bytes, 0xff, s->attention.n * s->attention.head_dim * sizeof(float));
        run(kernels_get(masks[i]), &s->attention);
        expect(s, want, kernels_get(masks[i])->isa);
    }
    free(want);
}

static void check_random(size_t d, size_t n, size_t keys, int kind) {
    struct setup s = setup_new(d, n, keys, kind);
    for (size_t i = 0; i < n; i++) s.n_keys[i] = 1 + random_below((uint32_t)keys);
    s.n_keys[random_below((uint32_t)n)] = (uint32_t)keys;
    check_isas(&s);
    setup_free(&s);
}

START_TEST(every_head_dim) {
    for (size_t d = 8; d <= 256; d += 8)
        for (int kind = PLAIN; kind <= EXTREME; kind++) {
            check_random(d, 3, 70, kind);
            check_random(d, 21, 45, kind);
        }
}
END_TEST

START_TEST(every_key_count) {
    static const size_t dims[] = {64, 80, 96, 128};
    for (size_t keys = 1; keys <= 200; keys++) {
        check_random(dims[keys % 4], 2, keys, PLAIN);
        check_random(dims[keys / 4 % 4], 1, keys, EXTREME);
    }
}
END_TEST

START_TEST(every_query_count) {
    for (size_t n = 1; n <= 70; n++) check_random(16, n, 1 + random_below(100), (int)(n % 2));
    check_random(64, 97, 40, PLAIN);
    check_random(8, 96, 300, EXTREME);
    check_random(8, 200, 300, EXTREME);
}
END_TEST

START_TEST(long_contexts) {
    check_random(64, 3, 4133, PLAIN);
    check_random(64, 12, 3200, PLAIN);
    check_random(32, 33, 2049, PLAIN);
}
END_TEST

/* Prefill as the engine calls it: rows in order, each seeing one key more than the last. */
START_TEST(causal) {
    for (size_t before = 0; before < 70; before += 23) {
        struct setup s = setup_new(64, 120, before + 40, PLAIN);
        for (size_t i = 0; i < 120; i++) s.n_keys[i] = (uint32_t)(before + i / 3 + 1);
        check_isas(&s);
        setup_free(&s);
    }
}
END_TEST

START_TEST(wild_inputs) {
    for (int i = 0; i < 400; i++)
        check_random(8 * (1 + random_below(12)), 1 + random_below(20), 1 + random_below(130),
                     EXTREME);
}
END_TEST

/* Scores that are all -infinity, all equal, all zero, far apart. */
START_TEST(edge_scores) {
    static const float values[] = {0.0f, -0.0f, 1e-40f, 3e38f, -3e38f, 1e4f};
    for (size_t i = 0; i < 36; i++) {
        struct setup s = setup_new(16, 9, 75, PLAIN);
        float *query = s.query.bytes;
        for (size_t j = 0; j < 9 * 16; j++) query[j] = values[j % 2 ? i / 6 : i % 6];
        for (size_t t = 0; i % 3 == 0 && t < s.tiles * 16 * KV_TILE; t++)
            ((uint16_t *)s.k.bytes)[t] = 0xfc00; /* -infinity */
        check_isas(&s);
        setup_free(&s);
    }
}
END_TEST

/* What lies in slots out of sight does not matter, be it NaN. */
START_TEST(unseen_slots) {
    for (int round = 0; round < 30; round++) {
        size_t keys = 1 + random_below(90), d = 8 * (1 + random_below(16));
        struct setup s = setup_new(d, 1 + random_below(40), keys, PLAIN);
        run(kernels_get(0), &s.attention);
        float *want = copy_out(&s);
        uint16_t *k = (uint16_t *)s.k_tiles[s.tiles - 1], *v = (uint16_t *)s.v_tiles[s.tiles - 1];
        for (size_t j = keys - (s.tiles - 1) * KV_TILE; j < KV_TILE; j++)
            for (size_t i = 0; i < d; i++)
                k[i * KV_TILE + j] = v[j * d + i] = (uint16_t)(round % 2 ? 0x7e00 : 0x7c00);
        for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
            run(kernels_get(masks[i]), &s.attention);
            expect(&s, want, kernels_get(masks[i])->isa);
        }
        free(want);
        setup_free(&s);
    }
}
END_TEST

/* A query's result does not depend on its company: alone, and in runs of a shuffled order. */
static void check_grouping(const struct kernels *kernels, struct setup *s, const float *want) {
    struct attention part = s->attention;
    size_t n = part.n, d = part.head_dim;
    for (size_t i = n; i > 1; i--) {
        size_t j = random_below((uint32_t)i);
        float *out = s->outs[j];
        const float *query = s->queries[j];
        uint32_t keys = s->n_keys[j];
        s->outs[j] = s->outs[i - 1], s->queries[j] = s->queries[i - 1];
        s->n_keys[j] = s->n_keys[i - 1];
        s->outs[i - 1] = out, s->queries[i - 1] = query, s->n_keys[i - 1] = keys;
    }
    memset(s->out.bytes, 0xff, n * d * sizeof(float));
    for (size_t at = 0; at < n; at += part.n) {
        part.n = 1 + random_below((uint32_t)(n - at));
        if (random_below(3) == 0) part.n = 1;
        part.out = s->attention.out + at, part.query = s->attention.query + at;
        part.n_keys = s->attention.n_keys + at;
        run(kernels, &part);
    }
    expect(s, want, kernels->isa);
}

START_TEST(grouping) {
    for (int round = 0; round < 12; round++)
        for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
            struct setup s = setup_new(round % 3 ? 24 : 64, 1 + random_below(130), 150, PLAIN);
            for (size_t j = 0; j < s.attention.n; j++) s.n_keys[j] = 1 + random_below(150);
            run(kernels_get(masks[i]), &s.attention);
            float *want = copy_out(&s);
            check_grouping(kernels_get(masks[i]), &s, want);
            free(want);
            setup_free(&s);
        }
}
END_TEST

static double exact(const struct setup *s, size_t query, size_t dim) {
    double sum = 0, value = 0, max = -INFINITY;
    size_t d = s->attention.head_dim, keys = s->n_keys[query];
    double *score = calloc(keys, sizeof *score);
    for (size_t j = 0; j < keys; j++) {
        for (size_t i = 0; i < d; i++)
            score[j] += (double)s->queries[query][i] *
                        (double)f16_widen(s->k_tiles[j / KV_TILE][i * KV_TILE + j % KV_TILE]);
        score[j] *= (double)s->attention.scale;
        max = score[j] > max ? score[j] : max;
    }
    for (size_t j = 0; j < keys; j++) {
        double p = exp(score[j] - max);
        sum += p;
        value += p * (double)f16_widen(s->v_tiles[j / KV_TILE][j % KV_TILE * d + dim]);
    }
    free(score);
    return value / sum;
}

START_TEST(accuracy) {
    struct setup s = setup_new(64, 4, 1000, PLAIN);
    for (size_t i = 0; i < 4; i++) s.n_keys[i] = 1000 - (uint32_t)i * 311;
    run(kernels_get(0), &s.attention);
    double worst = 0;
    for (size_t i = 0; i < 4; i++)
        for (size_t dim = 0; dim < 64; dim += 5)
            worst = fmax(worst, fabs((double)s.outs[i][dim] - exact(&s, i, dim)));
    printf("attention: largest error against double %.2g (values within 1)\n", worst);
    ck_assert_double_lt(worst, 1e-6);
    setup_free(&s);
}
END_TEST

int main(void) {
    random_start("test_attention");
    Suite *suite = suite_create("attention");
    TCase *tests = tcase_create("attention");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, every_head_dim);
    tcase_add_test(tests, every_key_count);
    tcase_add_test(tests, every_query_count);
    tcase_add_test(tests, long_contexts);
    tcase_add_test(tests, causal);
    tcase_add_test(tests, wild_inputs);
    tcase_add_test(tests, edge_scores);
    tcase_add_test(tests, unseen_slots);
    tcase_add_test(tests, grouping);
    tcase_add_test(tests, accuracy);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
