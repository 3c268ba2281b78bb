/* Every ISA's matmul against the scalar table, bit for bit, and the scalar table against a
 * dequantised product in double precision. All buffers end at a guard page, so that a read or a
 * write past any of them is a crash. PLM_SEED repeats a run. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "kernels/kernels.h"
#include "tests/support.h"

enum { MAX_M = 20, MAX_N = 71 };

static const uint32_t types[] = {WEIGHT_F32,  WEIGHT_F16,  WEIGHT_Q4_0, WEIGHT_Q4_1,
                                 WEIGHT_Q8_0, WEIGHT_Q4_K, WEIGHT_Q5_K, WEIGHT_Q6_K};
enum { N_TYPES = sizeof types / sizeof types[0] };
static const int isas[] = {ISA_AVX2, ISA_ALL};

/* HARD: extreme but finite; EXTREME: infinities and NaNs too (which drown much of the rest). */
enum mode { NORMAL, HARD, EXTREME, N_MODES };

static uint64_t seed, state;

static uint64_t next_random(void) { /* splitmix64 */
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static float random_float(void) { /* about normal, mean 0 */
    float sum = 0;
    for (int i = 0; i < 4; i++) sum += (float)(next_random() >> 40) * 0x1p-24f - 0.5f;
    return sum * 1.7f;
}

/* n bytes that end at an inaccessible page and begin at a multiple of `align`. */
struct guarded {
    char *map;
    size_t length;
    void *data;
};

static struct guarded guarded_new(size_t n, size_t align) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), body = (n + align + page - 1) / page * page;
    struct guarded g = {.length = body + 2 * page};
    g.map = mmap(NULL, g.length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(g.map != MAP_FAILED);
    mprotect(g.map, page, PROT_NONE);
    mprotect(g.map + page + body, page, PROT_NONE);
    g.data = g.map + page + (body - n) / align * align;
    return g;
}

static void guarded_free(struct guarded *g) {
    munmap(g->map, g->length);
}

static uint16_t random_f16(enum mode mode) {
    static const uint16_t special[] = {0,      0x8000, 1,      0x8001, 0x3ff, 0x7bff,
                                       0xfbff, 0x7c00, 0xfc00, 0x7e00, 0x7c01};
    uint64_t r = next_random();
    if (mode == EXTREME && r % 64 < 11) return special[r % 64];
    if (mode == EXTREME) return (uint16_t)(r >> 8 & 0xbfff);              /* any finite below 2 */
    return (uint16_t)((r >> 8 & 0x83ff) | (0x1800 + (r >> 32 & 0x0fff))); /* 2^-9 .. 2^-5 */
}

static void put_f16(uint8_t *at, enum mode mode) {
    uint16_t half = random_f16(mode);
    memcpy(at, &half, 2);
}

/* Random bytes, unless NORMAL now and then a run of one byte; then scales at their places. */
static void fill_blocks(uint32_t type, uint8_t *w, size_t n_blocks, enum mode mode) {
    static const uint8_t bytes[] = {0x80, 0xff, 0x00, 0x7f, 0x81};
    const size_t size = weight_format(type)->block_bytes;
    for (; n_blocks > 0; n_blocks--, w += size) {
        for (size_t i = 0; i < size; i++) w[i] = (uint8_t)next_random();
        if (mode != NORMAL && next_random() % 3 == 0) memset(w, bytes[next_random() % 5], size);
        put_f16(w + (type == WEIGHT_Q6_K ? size - 2 : 0), mode);
        if (type == WEIGHT_Q4_1 || type == WEIGHT_Q4_K || type == WEIGHT_Q5_K) put_f16(w + 2, mode);
    }
}

static void fill_weights(uint32_t type, void *w, size_t n, enum mode mode) {
    if (type == WEIGHT_F16) {
        for (size_t i = 0; i < n; i++) put_f16((uint8_t *)w + 2 * i, mode);
    } else if (type == WEIGHT_F32) {
        for (size_t i = 0; i < n; i++) ((float *)w)[i] = random_float();
    } else {
        fill_blocks(type, w, n / weight_format(type)->block, mode);
    }
}

/* HARD, EXTREME: runs of 32 of one kind, so that whole blocks are special. */
static void fill_activations(float *x, size_t n, enum mode mode) {
    static const float special[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 3e38f, -3e38f};
    float scale = 1.0f;
    for (size_t i = 0; i < n; i++) {
        uint64_t r = next_random();
        if (mode != NORMAL && i % 32 == 0) {
            static const float scales[] = {1.0f,   0.0f,  1e-45f, 1e-38f,
                                           4e-37f, 1e30f, 1e37f,  1e-20f};
            scale = scales[r >> 16 & 7];
        }
        x[i] = random_float() * scale;
        if (mode == EXTREME && r % 256 < 7) x[i] = special[r % 256];
        if (mode != NORMAL && (r >> 8) % 4 == 0) x[i] = r & 64 ? scale : -scale; /* q = +-127 */
    }
}

static bool same(float a, float b) {
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

/* One weight matrix and activation matrix with the scalar table's answer for all of it. */
struct problem {
    uint32_t type;
    size_t n, m, k, ldx;
    struct guarded w, x;
    float *expected; /* [m][n] */
};

static void run(const struct kernels *kernels, const struct problem *p, float *y, size_t ldy,
                size_t n, size_t m, size_t cut) {
    struct guarded a = guarded_new(kernels->activation_bytes(p->type, m, p->k), 64);
    struct guarded scratch = guarded_new(kernels->matmul_scratch(p->type, p->k), 64);
    const struct weight_format *format = weight_format(p->type);
    size_t stride = p->k / format->block * format->block_bytes, half = m / 2;
    /* Rows in two calls, the later ones first: they must not depend on each other. */
    kernels->activation_quantize(p->type, a.data, p->x.data, p->ldx, m, p->k, half, m - half);
    kernels->activation_quantize(p->type, a.data, p->x.data, p->ldx, m, p->k, 0, half);
    for (size_t first = 0; first < n; first += cut)
        kernels->matmul(p->type, y + first, ldy, (char *)p->w.data + first * stride,
                        n - first < cut ? n - first : cut, a.data, m, p->k, scratch.data);
    guarded_free(&a);
    guarded_free(&scratch);
}

static struct problem problem_new(uint32_t type, size_t n, size_t m, size_t k, enum mode mode) {
    const struct weight_format *format = weight_format(type);
    struct problem p = {.type = type, .n = n, .m = m, .k = k, .ldx = k + 3};
    p.w = guarded_new(n * k / format->block * format->block_bytes, type == WEIGHT_F32 ? 4 : 1);
    p.x = guarded_new(((m - 1) * p.ldx + k) * sizeof(float), 4);
    fill_weights(type, p.w.data, n * k, mode);
    fill_activations(p.x.data, (m - 1) * p.ldx + k, mode);
    p.expected = malloc(n * m * sizeof(float));
    ck_assert_ptr_nonnull(p.expected);
    run(kernels_get(0), &p, p.expected, n, n, m, n);
    return p;
}

static void problem_free(struct problem *p) {
    guarded_free(&p->w);
    guarded_free(&p->x);
    free(p->expected);
}

/* The n x m corner of the problem; columns n..ldy-1 of y must stay as they are. */
static void check_corner(const struct kernels *kernels, const struct problem *p, size_t n, size_t m,
                         size_t cut) {
    const size_t ldy = n + next_random() % 3;
    const float canary = -12345.5f;
    struct guarded g = guarded_new(((m - 1) * ldy + n) * sizeof(float), 4);
    float *y = g.data;
    for (size_t i = 0; i < (m - 1) * ldy + n; i++) y[i] = canary;
    run(kernels, p, y, ldy, n, m, cut);
    for (size_t i = 0; i < m; i++) {
        for (size_t r = 0; r < n; r++)
            if (!same(y[i * ldy + r], p->expected[i * p->n + r]))
                ck_abort_msg("%s %s n=%zu m=%zu k=%zu cut=%zu seed=%llu: y[%zu][%zu] = %a, not %a",
                             kernels->isa, weight_format(p->type)->name, n, m, p->k, cut,
                             (unsigned long long)seed, i, r, (double)y[i * ldy + r],
                             (double)p->expected[i * p->n + r]);
        for (size_t r = n; r < ldy && i + 1 < m; r++) ck_assert(y[i * ldy + r] == canary);
    }
    guarded_free(&g);
}

/* Calls check for every ISA of this machine. */
static void each_isa(const struct problem *p,
                     void (*check)(const struct kernels *, const struct problem *)) {
    for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++) {
        const struct kernels *kernels = kernels_get(isas[i]);
        if (kernels != kernels_get(0)) check(kernels, p);
    }
}

static void check_tails(const struct kernels *kernels, const struct problem *p) {
    static const size_t heights[] = {1, 2, 5, 6, 7, 13};
    for (size_t n = 1; n <= p->n; n++)
        for (size_t i = 0; i < sizeof heights / sizeof heights[0]; i++)
            check_corner(kernels, p, n, heights[i], n);
    for (size_t m = 1; m <= p->m; m++) {
        check_corner(kernels, p, p->n, m, p->n);
        check_corner(kernels, p, p->n, m, 1 + next_random() % p->n);
    }
}

START_TEST(corners) {
    const uint32_t type = types[_i % N_TYPES];
    const enum mode mode = (enum mode)(_i / N_TYPES);
    const size_t k = weight_format(type)->block == 1 ? 83 : weight_format(type)->block * 3;
    struct problem p = problem_new(type, MAX_N, MAX_M, k, mode);
    each_isa(&p, check_tails);
    problem_free(&p);
}
END_TEST

static void check_whole(const struct kernels *kernels, const struct problem *p) {
    check_corner(kernels, p, p->n, p->m, p->n);
    check_corner(kernels, p, p->n, 1, 32);
}

/* Every number of blocks through all chunk borders. */
START_TEST(depths) {
    const uint32_t type = types[_i % N_TYPES];
    const enum mode mode = (enum mode)(_i / N_TYPES);
    const size_t block = weight_format(type)->block, last = block == 1 ? 70 : block == 32 ? 52 : 9;
    for (size_t blocks = 1; blocks <= last; blocks++) {
        struct problem p = problem_new(type, 33, 7, blocks * block, mode);
        each_isa(&p, check_whole);
        problem_free(&p);
    }
    const size_t deep = block == 32 ? 150 : block == 1 ? 300 : 36;
    struct problem p = problem_new(type, 18, 2, deep * block, mode);
    each_isa(&p, check_whole);
    problem_free(&p);
}
END_TEST

static void check_large(const struct kernels *kernels, const struct problem *p) {
    check_corner(kernels, p, p->n, p->m, p->n);
    check_corner(kernels, p, p->n, p->m, 32);
    check_corner(kernels, p, p->n, 1, p->n);
}

START_TEST(large) {
    const uint32_t type = types[_i % N_TYPES];
    const enum mode mode = (enum mode)(_i / N_TYPES);
    const size_t k = weight_format(type)->block == 256 ? 768 : 576;
    struct problem p = problem_new(type, 96, 131, k, mode);
    each_isa(&p, check_large);
    problem_free(&p);
}
END_TEST

/* -- the scalar table against plain arithmetic -- */

/* The product of the widened weights and the activations, and the magnitude it is to be judged by.
 */
static double reference(const float *w, const float *x, size_t k, double *magnitude) {
    double sum = 0, squares = 0;
    for (size_t i = 0; i < k; i++) {
        sum += (double)w[i] * (double)x[i];
        squares += (double)w[i] * (double)w[i] * (double)x[i] * (double)x[i];
    }
    *magnitude = sqrt(squares);
    return sum;
}

START_TEST(scalar_is_right) {
    const uint32_t type = types[_i];
    const struct weight_format *format = weight_format(type);
    const size_t k = 768, stride = k / format->block * format->block_bytes;
    struct problem p = problem_new(type, 17, 5, k, NORMAL);
    /* Activations keep 8 bits: about 1 % of the root of the squares' sum. */
    const double tolerance = format->block == 1 ? 1e-5 : 0.03;
    float w[768];
    for (size_t r = 0; r < p.n; r++) {
        kernels_get(0)->get_row(type, w, (char *)p.w.data + r * stride, k);
        for (size_t i = 0; i < p.m; i++) {
            double magnitude;
            double y = reference(w, (float *)p.x.data + i * p.ldx, k, &magnitude);
            ck_assert_msg(fabs(y - (double)p.expected[i * p.n + r]) <= tolerance * magnitude,
                          "%s: %g, not %g", format->name, (double)p.expected[i * p.n + r], y);
        }
    }
    problem_free(&p);
}
END_TEST

static void check_get_row(const struct kernels *kernels, const struct problem *p) {
    const struct weight_format *format = weight_format(p->type);
    struct guarded x = guarded_new(p->k * sizeof(float), 4);
    float *expected = malloc(p->k * sizeof(float)), *y = x.data;
    ck_assert_ptr_nonnull(expected);
    for (size_t r = 0; r < p->n; r++) {
        const char *w = (char *)p->w.data + r * (p->k / format->block * format->block_bytes);
        kernels_get(0)->get_row(p->type, expected, w, p->k);
        kernels->get_row(p->type, y, w, p->k);
        for (size_t i = 0; i < p->k; i++) ck_assert(same(y[i], expected[i]));
    }
    free(expected);
    guarded_free(&x);
}

START_TEST(get_row) {
    const uint32_t type = types[_i % N_TYPES];
    const size_t k = weight_format(type)->block == 1 ? 83 : weight_format(type)->block * 3;
    struct problem p = problem_new(type, 20, 1, k, (enum mode)(_i / N_TYPES));
    each_isa(&p, check_get_row);
    problem_free(&p);
}
END_TEST

/* Known values, by hand: x = 127, 0, ... so that q = 127, 0, ... and d = 1. */
START_TEST(by_hand) {
    float x[32] = {127.0f, -127.0f}, y;
    uint8_t q4_1[20] = {0x00, 0x3c, 0x00, 0x40, 0x05, 0x02}; /* d = 1, m = 2 */
    uint8_t q8_0[34] = {0x00, 0x40, 0x80, 0x7f};             /* d = 2, -128, 127 */
    _Alignas(64) char activation[4096], scratch[65536];
    for (size_t i = 0; i < 2; i++) {
        const struct kernels *kernels = kernels_get(isas[i]);
        ck_assert_uint_le(kernels->matmul_scratch(WEIGHT_Q4_1, 32), sizeof scratch);
        kernels->activation_quantize(WEIGHT_Q4_1, activation, x, 32, 1, 32, 0, 1);
        kernels->matmul(WEIGHT_Q4_1, &y, 1, q4_1, 1, activation, 1, 32, scratch);
        ck_assert(y == 127.0f * 3);
        kernels->activation_quantize(WEIGHT_Q8_0, activation, x, 32, 1, 32, 0, 1);
        kernels->matmul(WEIGHT_Q8_0, &y, 1, q8_0, 1, activation, 1, 32, scratch);
        ck_assert(y == 2.0f * 127 * (-128 - 127));
    }
}
END_TEST

START_TEST(formats) {
    ck_assert_str_eq(weight_format(12)->name, "Q4_K");
    ck_assert_uint_eq(weight_format(12)->block_bytes, 144);
    ck_assert(weight_format(30) != NULL && !weight_format(30)->supported);
    ck_assert_ptr_null(weight_format(4));
    ck_assert_ptr_null(weight_format(UINT32_MAX));
}
END_TEST

/* A table needs all ISAs below it, so a mask can only step down. */
START_TEST(tables) {
    const struct kernels *best = kernels_get(ISA_ALL);
    ck_assert_str_eq(kernels_get(0)->isa, "scalar");
    ck_assert_ptr_eq(kernels_get(ISA_AVX512), kernels_get(0));
    ck_assert_ptr_eq(kernels_get(ISA_AVX2 | ISA_AVX512), best);
    if (strcmp(best->isa, "scalar") != 0) ck_assert_str_eq(kernels_get(ISA_AVX2)->isa, "avx2");
    ck_assert_uint_eq(best->matmul_panel % 32, 0);
}
END_TEST

static void start(void) {
    state = seed;
}

int main(void) {
    Suite *suite = suite_create("matmul");
    TCase *tcase = tcase_create("matmul");
    seed = (uint64_t)time(NULL);
    if (getenv("PLM_SEED") != NULL) seed = strtoull(getenv("PLM_SEED"), NULL, 0);
    printf("PLM_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    tcase_add_checked_fixture(tcase, start, NULL);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, formats);
    tcase_add_test(tcase, tables);
    tcase_add_test(tcase, by_hand);
    tcase_add_loop_test(tcase, scalar_is_right, 0, N_TYPES);
    tcase_add_loop_test(tcase, get_row, 0, N_TYPES * N_MODES);
    tcase_add_loop_test(tcase, corners, 0, N_TYPES * N_MODES);
    tcase_add_loop_test(tcase, depths, 0, N_TYPES * N_MODES);
    tcase_add_loop_test(tcase, large, 0, N_TYPES * N_MODES);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
