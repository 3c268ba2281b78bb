/* Every ISA's row kernels against the specification, bit for bit, and that against double. */
#include <check.h>

#include "kernels/kernels.h"
#include "kernels/scalar/exp.h"
#include "tests/support.h"
#include "tests/unit/kernels/guard.h"

enum { LONGEST = 2053, ROUNDS = 5 };

static const int masks[] = {ISA_AVX2, ISA_ALL};
enum { MASKS = sizeof masks / sizeof *masks };

/* Row lengths: all up to 70, then some long ones. Returns 0 at the end. */
static size_t length(size_t i) {
    static const size_t more[] = {127, 256, 576, 1000, 1536, LONGEST};
    if (i < 70) return i + 1;
    return i < 70 + sizeof more / sizeof *more ? more[i - 70] : 0;
}

/* A row that ends at a guard page; round 0 is all plain, 1 all zeros of either sign. */
static struct guard row_new(size_t n, int round) {
    struct guard guard = guard_new(n * sizeof(float));
    float *x = guard.bytes;
    for (size_t i = 0; i < n; i++)
        x[i] = round == 0   ? random_plain()
               : round == 1 ? float_of(random_bits() & 0x80000000)
                            : random_extreme();
    return guard;
}

static struct guard row_copy(const struct guard *row, size_t n) {
    struct guard copy = guard_new(n * sizeof(float));
    memcpy(copy.bytes, row->bytes, n * sizeof(float));
    return copy;
}

static void expect(const char *what, const char *isa, const float *got, const float *want,
                   size_t n) {
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(same_float(got[i], want[i]), "%s %s: [%zu] of %zu is %a, not %a", isa, what,
                      i, n, (double)got[i], (double)want[i]);
}

/* Calls each kernel that maps (x, w, v) to y; y starts as a copy of x. */
enum { RMS_NORM, ADD, SILU_MUL, ROPE_HALVES, ROPE_PAIRS, EXP_SHIFTED, N_CALLS };
static const char *const names[] = {"rms_norm",   "add",         "silu_mul", "rope halves",
                                    "rope pairs", "exp_shifted", NULL};

static void call(const struct kernels *k, int which, float *y, const float *w, const float *v,
                 size_t n) {
    switch (which) {
    case RMS_NORM: k->rms_norm(y, y, w, n, 1e-5f); break;
    case ADD: k->add(y, w, n); break;
    case SILU_MUL: k->silu_mul(y, y, w, n); break;
    case ROPE_HALVES: k->rope(y, w, v, n / 2, false); break;
    case ROPE_PAIRS: k->rope(y, w, v, n / 2, true); break;
    default: k->exp_shifted(y, y, w[0], n); break;
    }
}

static void check_calls(size_t n, int round) {
    struct guard x = row_new(n, round), w = row_new(n, round), v = row_new(n, round);
    /* cos and sin have n / 2 values: let them end at the page too. */
    float *half_w = (float *)w.bytes + (n - n / 2), *half_v = (float *)v.bytes + (n - n / 2);
    for (int which = 0; which < N_CALLS; which++) {
        bool rope = which == ROPE_HALVES || which == ROPE_PAIRS;
        struct guard want = row_copy(&x, n);
        call(kernels_get(0), which, want.bytes, rope ? half_w : w.bytes, half_v, n);
        for (size_t i = 0; i < MASKS; i++) {
            const struct kernels *kernels = kernels_get(masks[i]);
            struct guard got = row_copy(&x, n);
            call(kernels, which, got.bytes, rope ? half_w : w.bytes, half_v, n);
            expect(names[which], kernels->isa, got.bytes, want.bytes, n);
            guard_free(&got);
        }
        guard_free(&want);
    }
    guard_free(&x), guard_free(&w), guard_free(&v);
}

START_TEST(maps) {
    for (size_t i = 0; length(i) > 0; i++)
        for (int round = 0; round < ROUNDS; round++) check_calls(length(i), round);
}
END_TEST

/* y apart from x; and what lies past n values stays as it was. */
START_TEST(out_of_place) {
    float x[80], w[80], want[80], got[80];
    for (size_t i = 0; i < 80; i++) x[i] = random_plain(), w[i] = random_plain();
    for (size_t n = 1; n <= 70; n++)
        for (size_t i = 0; i < MASKS; i++) {
            const struct kernels *spec = kernels_get(0), *k = kernels_get(masks[i]);
            memset(want, 0x55, sizeof want), memset(got, 0x55, sizeof got);
            spec->rms_norm(want, x, w, n, 0.5f), k->rms_norm(got, x, w, n, 0.5f);
            expect("rms_norm apart", k->isa, got, want, 80);
            spec->silu_mul(want + 3, x, w, n), k->silu_mul(got + 3, x, w, n);
            expect("silu_mul apart", k->isa, got, want, 80);
            spec->exp_shifted(want + 1, x, 0.3f, n), k->exp_shifted(got + 1, x, 0.3f, n);
            expect("exp_shifted apart", k->isa, got, want, 80);
            spec->add(want, x, n), k->add(got, x, n);
            expect("add apart", k->isa, got, want, 80);
        }
}
END_TEST

static void check_store(size_t n, size_t stride, int round) {
    struct guard x = row_new(n, round);
    size_t bytes = ((n - 1) * stride + 1) * sizeof(uint16_t);
    struct guard want = guard_new(bytes), got = guard_new(bytes);
    kernels_get(0)->store_f16(want.bytes, stride, x.bytes, n);
    for (size_t i = 0; i < MASKS; i++) {
        memset(got.bytes, 0, bytes);
        kernels_get(masks[i])->store_f16(got.bytes, stride, x.bytes, n);
        ck_assert_msg(memcmp(got.bytes, want.bytes, bytes) == 0, "store_f16 n=%zu stride=%zu", n,
                      stride);
    }
    guard_free(&x), guard_free(&want), guard_free(&got);
}

START_TEST(stores) {
    for (size_t i = 0; length(i) > 0; i++)
        for (int round = 0; round < ROUNDS; round++) {
            check_store(length(i), 1, round);
            check_store(length(i), KV_TILE, round);
        }
}
END_TEST

/* Every exponent and sign with random and with halfway mantissas. */
START_TEST(rounding_to_f16) {
    enum { N = 512 * 64 };
    static float x[N];
    static uint16_t want[N], got[N];
    for (uint32_t i = 0; i < N; i++) {
        uint32_t low = i % 3 == 0 ? 0x1000 : i % 3 == 1 ? random_bits() & 0x1fff : 0;
        x[i] = float_of(i % 512 << 23 | (random_bits() & 0x7fe000) | low);
        if (i % 7 == 0) x[i] = ldexpf((float)(random_bits() & 0xffff), -41); /* subnormal halves */
    }
    kernels_get(0)->store_f16(want, 1, x, N);
    for (size_t i = 0; i < MASKS; i++) {
        kernels_get(masks[i])->store_f16(got, 1, x, N);
        ck_assert_mem_eq(got, want, sizeof got);
    }
}
END_TEST

static void check_argmax(const float *x, size_t n) {
    size_t want = kernels_get(0)->argmax(x, n);
    for (size_t i = 0; i < n; i++)
        ck_assert(!(x[i] > x[want]) && !(x[i] == x[want] && i < want) &&
                  !(x[want] != x[want] && x[i] == x[i]));
    for (size_t i = 0; i < MASKS; i++)
        ck_assert_msg(kernels_get(masks[i])->argmax(x, n) == want, "argmax of %zu", n);
}

START_TEST(argmaxes) {
    static const float few[] = {1.0f, 0.0f, -0.0f, (float)NAN, -(float)INFINITY};
    for (size_t i = 0; length(i) > 0; i++)
        for (int round = 0; round < ROUNDS + 12; round++) {
            size_t n = length(i);
            struct guard x = row_new(n, round < ROUNDS ? round : 0);
            float *values = x.bytes;
            for (size_t j = 0; round >= ROUNDS && j < n; j++) /* ties, and mostly NaN or -inf */
                values[j] =
                    few[round % 4 == 0 ? random_below(5) : 3 + random_below(2) * (round & 1)];
            check_argmax(values, n);
            guard_free(&x);
        }
}
END_TEST

/* exp on all ISAs over a grid of all floats; the specification against double. */
START_TEST(exp_everywhere) {
    enum { N = 1 << 12 };
    static float x[N], want[N], got[N];
    uint32_t bits = random_bits();
    for (int round = 0; round < 200; round++) {
        for (size_t i = 0; i < N; i++, bits += 2621) x[i] = float_of(bits);
        kernels_get(0)->exp_shifted(want, x, 0.0f, N);
        for (size_t i = 0; i < MASKS; i++) {
            kernels_get(masks[i])->exp_shifted(got, x, 0.0f, N);
            expect("exp", kernels_get(masks[i])->isa, got, want, N);
        }
    }
}
END_TEST

START_TEST(exp_ends) {
    float nan = float_of(0x7f800123);
    ck_assert(exp_scalar(nan) != exp_scalar(nan));
    ck_assert(exp_scalar(0.0f) == 1.0f && exp_scalar(-0.0f) == 1.0f);
    ck_assert(exp_scalar(-(float)INFINITY) == 0.0f && exp_scalar((float)INFINITY) == INFINITY);
    ck_assert(exp_scalar(EXP_LOW) >= 0x1p-126f);
    ck_assert(exp_scalar(nextafterf(EXP_LOW, -100.0f)) == 0.0f);
    ck_assert(exp_scalar(EXP_HIGH) < INFINITY);
    ck_assert(exp_scalar(nextafterf(EXP_HIGH, 100.0f)) == INFINITY);
}
END_TEST

START_TEST(exp_accuracy) {
    double worst = 0;
    float at = 0;
    for (int i = 0; i < 1000000; i++) {
        float x = EXP_LOW + (EXP_HIGH - EXP_LOW) * (float)(random_bits() * 0x1p-32);
        if (i % 2) x *= 0x1p-8f;
        if (x < EXP_LOW || x > EXP_HIGH) continue;
        double want = exp((double)x), ulp = ldexp(1, ilogb(want) - 23);
        double error = fabs((double)exp_scalar(x) - want) / ulp;
        if (error > worst) worst = error, at = x;
    }
    printf("exp: largest error %.3f ulp, at %a\n", worst, (double)at);
    ck_assert_double_lt(worst, 0.95);
}
END_TEST

START_TEST(accuracy) {
    float x[1000], w[1000], y[1000];
    double sum = 0;
    for (size_t i = 0; i < 1000; i++) {
        x[i] = 3 * random_plain(), w[i] = random_plain();
        sum += (double)x[i] * (double)x[i];
    }
    kernels_get(0)->rms_norm(y, x, w, 1000, 1e-5f);
    for (size_t i = 0; i < 1000; i++)
        ck_assert_double_eq_tol(y[i], (double)x[i] * (double)w[i] / sqrt(sum / 1000 + 1e-5), 1e-6);
    kernels_get(0)->silu_mul(y, x, w, 1000);
    for (size_t i = 0; i < 1000; i++)
        ck_assert_double_eq_tol(y[i], (double)x[i] * (double)w[i] / (1 + exp(-(double)x[i])), 1e-6);
}
END_TEST

int main(void) {
    random_start("test_rows");
    Suite *suite = suite_create("rows");
    TCase *tests = tcase_create("rows");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, maps);
    tcase_add_test(tests, out_of_place);
    tcase_add_test(tests, stores);
    tcase_add_test(tests, rounding_to_f16);
    tcase_add_test(tests, argmaxes);
    tcase_add_test(tests, exp_everywhere);
    tcase_add_test(tests, exp_ends);
    tcase_add_test(tests, exp_accuracy);
    tcase_add_test(tests, accuracy);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
