/* rows, AVX2 + FMA + F16C: 8 floats a step, the last one masked. */
#include "kernels/kernels.h"

#include <immintrin.h>

#include "kernels/avx2/exp.h"
#include "kernels/table.h"

enum { LANES = 8 };

/* All bits set in the lanes of a step that starts `left` values before the end. */
static inline __m256i lanes(size_t left) {
    const __m256i index = _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(left < LANES ? (int)left : LANES), index);
}

/* Up to 8 floats, the others zero. Masked moves only where needed: as stores they are slow. */
static inline __m256 load(const float *x, size_t left) {
    return left >= LANES ? _mm256_loadu_ps(x) : _mm256_maskload_ps(x, lanes(left));
}

static inline void store(float *y, size_t left, __m256 v) {
    if (left >= LANES)
        _mm256_storeu_ps(y, v);
    else
        _mm256_maskstore_ps(y, lanes(left), v);
}

static float lanes_sum(__m256 low, __m256 high) {
    __m256 half = _mm256_add_ps(low, high);
    __m128 sum = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
    sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
    return _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
}

/* The padding's squares, +0, change no sum: none is ever -0. */
static float sum_of_squares(const float *x, size_t n) {
    __m256 low = _mm256_setzero_ps(), high = low;
    for (size_t i = 0; i < n; i += 2 * LANES) {
        size_t left = n - i;
        __m256 v = load(x + i, left);
        low = _mm256_fmadd_ps(v, v, low);
        if (left <= LANES) break;
        v = load(x + i + LANES, left - LANES);
        high = _mm256_fmadd_ps(v, v, high);
    }
    return lanes_sum(low, high);
}

static void rms_norm(float *y, const float *x, const float *weight, size_t n, float eps) {
    __m256 r = _mm256_set1_ps(1.0f / __builtin_sqrtf(sum_of_squares(x, n) / (float)n + eps));
    for (size_t i = 0; i < n; i += LANES) {
        size_t left = n - i;
        __m256 v = _mm256_mul_ps(load(x + i, left), r);
        store(y + i, left, _mm256_mul_ps(v, load(weight + i, left)));
    }
}

static void add(float *y, const float *x, size_t n) {
    for (size_t i = 0; i < n; i += LANES) {
        size_t left = n - i;
        __m256 sum = _mm256_add_ps(load(y + i, left), load(x + i, left));
        store(y + i, left, sum);
    }
}

static void silu_mul(float *y, const float *gate, const float *up, size_t n) {
    const __m256 one = _mm256_set1_ps(1.0f), sign = _mm256_set1_ps(-0.0f);
    for (size_t i = 0; i < n; i += LANES) {
        size_t left = n - i;
        __m256 g = load(gate + i, left);
        __m256 silu = _mm256_div_ps(g, _mm256_add_ps(one, exp_avx2(_mm256_xor_ps(g, sign))));
        store(y + i, left, _mm256_mul_ps(silu, load(up + i, left)));
    }
}

/* Eight pairs: x0, x1 to x0', x1'. */
static inline void rotate(__m256 *x0, __m256 *x1, __m256 cos, __m256 sin) {
    __m256 old = *x0;
    *x0 = _mm256_fmsub_ps(old, cos, _mm256_mul_ps(*x1, sin));
    *x1 = _mm256_fmadd_ps(old, sin, _mm256_mul_ps(*x1, cos));
}

static void rope_halves(float *x, const float *cos, const float *sin, size_t n_pairs) {
    float *y = x + n_pairs;
    for (size_t i = 0; i < n_pairs; i += LANES) {
        size_t left = n_pairs - i;
        __m256 x0 = load(x + i, left), x1 = load(y + i, left);
        rotate(&x0, &x1, load(cos + i, left), load(sin + i, left));
        store(x + i, left, x0);
        store(y + i, left, x1);
    }
}

/* Four pairs a step: x0' = fma(x0, cos, -(x1 * sin)) in the even lanes, x1' = fma(x0, sin, x1 *
 * cos) in the odd ones. */
static void rope_pairs(float *x, const float *cos, const float *sin, size_t n_pairs) {
    const __m256i twice = _mm256_set_epi32(3, 3, 2, 2, 1, 1, 0, 0);
    for (size_t i = 0; i < n_pairs; i += LANES / 2) {
        size_t left = 2 * (n_pairs - i);
        __m128i half = _mm256_castsi256_si128(lanes(n_pairs - i < 4 ? n_pairs - i : 4));
        __m256 v = load(x + 2 * i, left);
        __m256 c = _mm256_castps128_ps256(_mm_maskload_ps(cos + i, half));
        __m256 s = _mm256_castps128_ps256(_mm_maskload_ps(sin + i, half));
        c = _mm256_permutevar8x32_ps(c, twice), s = _mm256_permutevar8x32_ps(s, twice);
        __m256 first = _mm256_blend_ps(c, s, 0xaa), second = _mm256_blend_ps(s, c, 0xaa);
        __m256 product = _mm256_mul_ps(_mm256_movehdup_ps(v), second);
        v = _mm256_fmaddsub_ps(_mm256_moveldup_ps(v), first, product);
        store(x + 2 * i, left, v);
    }
}

static void rope(float *x, const float *cos, const float *sin, size_t n_pairs, bool interleaved) {
    if (interleaved)
        rope_pairs(x, cos, sin, n_pairs);
    else
        rope_halves(x, cos, sin, n_pairs);
}

static void store_f16(uint16_t *out, size_t stride, const float *x, size_t n) {
    for (size_t i = 0; i < n; i += LANES) {
        __m256 v = load(x + i, n - i);
        __m128i half = _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        uint16_t values[LANES];
        if (stride == 1 && n - i >= LANES) {
            _mm_storeu_si128((__m128i *)(out + i), half);
            continue;
        }
        _mm_storeu_si128((__m128i *)values, half);
        for (size_t j = 0; j < LANES && j < n - i; j++) out[(i + j) * stride] = values[j];
    }
}

static void exp_shifted(float *y, const float *x, float max, size_t n) {
    __m256 shift = _mm256_set1_ps(max);
    for (size_t i = 0; i < n; i += LANES) {
        size_t left = n - i;
        __m256 v = _mm256_sub_ps(load(x + i, left), shift);
        store(y + i, left, exp_avx2(v));
    }
}

/* The largest value, NaN left out: max(a, b) is b when a is NaN, and the maximum so far never is.
 */
static float row_max(const float *x, size_t n) {
    const __m256 lowest = _mm256_set1_ps(-__builtin_inff());
    __m256 max = lowest;
    for (size_t i = 0; i < n; i += LANES) {
        size_t left = n - i;
        __m256 v = load(x + i, left);
        max = _mm256_max_ps(_mm256_blendv_ps(lowest, v, _mm256_castsi256_ps(lanes(left))), max);
    }
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(max), _mm256_extractf128_ps(max, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

static size_t argmax(const float *x, size_t n) {
    __m256 max = _mm256_set1_ps(row_max(x, n));
    for (size_t i = 0; i < n; i += LANES) {
        size_t left = n - i;
        __m256 equal = _mm256_cmp_ps(load(x + i, left), max, _CMP_EQ_OQ);
        int found = _mm256_movemask_ps(_mm256_and_ps(equal, _mm256_castsi256_ps(lanes(left))));
        if (found) return i + (size_t)__builtin_ctz((unsigned)found);
    }
    return 0; /* nothing but NaN */
}

void rows_avx2_fill(struct kernels *kernels) {
    kernels->rms_norm = rms_norm;
    kernels->add = add;
    kernels->silu_mul = silu_mul;
    kernels->rope = rope;
    kernels->store_f16 = store_f16;
    kernels->exp_shifted = exp_shifted;
    kernels->argmax = argmax;
}
