/* rows, AVX-512: 16 floats a step; masks make the last step like any other. */
#include "kernels/kernels.h"

#include <immintrin.h>

#include "kernels/avx512/exp.h"
#include "kernels/table.h"

enum { LANES = 16 };

/* The lanes of a step that starts `left` values before the end. */
static inline __mmask16 lanes(size_t left) {
    return left >= LANES ? 0xffff : (__mmask16)((1u << left) - 1);
}

static float lanes_sum(__m512 x) {
    __m256 half = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    __m128 sum = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
    sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
    return _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
}

static void rms_norm(float *y, const float *x, const float *weight, size_t n, float eps) {
    __m512 squares = _mm512_setzero_ps();
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 mask = lanes(n - i);
        __m512 v = _mm512_maskz_loadu_ps(mask, x + i);
        squares = _mm512_mask3_fmadd_ps(v, v, squares, mask);
    }
    __m512 r = _mm512_set1_ps(1.0f / __builtin_sqrtf(lanes_sum(squares) / (float)n + eps));
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 mask = lanes(n - i);
        __m512 v = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, x + i), r);
        v = _mm512_mul_ps(v, _mm512_maskz_loadu_ps(mask, weight + i));
        _mm512_mask_storeu_ps(y + i, mask, v);
    }
}

static void add(float *y, const float *x, size_t n) {
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 mask = lanes(n - i);
        __m512 sum =
            _mm512_add_ps(_mm512_maskz_loadu_ps(mask, y + i), _mm512_maskz_loadu_ps(mask, x + i));
        _mm512_mask_storeu_ps(y + i, mask, sum);
    }
}

static void silu_mul(float *y, const float *gate, const float *up, size_t n) {
    const __m512 one = _mm512_set1_ps(1.0f), sign = _mm512_set1_ps(-0.0f);
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 mask = lanes(n - i);
        __m512 g = _mm512_maskz_loadu_ps(mask, gate + i);
        __m512 silu = _mm512_div_ps(g, _mm512_add_ps(one, exp_avx512(_mm512_xor_ps(g, sign))));
        __m512 v = _mm512_mul_ps(silu, _mm512_maskz_loadu_ps(mask, up + i));
        _mm512_mask_storeu_ps(y + i, mask, v);
    }
}

/* Sixteen pairs: x0, x1 to x0', x1'. */
static inline void rotate(__m512 *x0, __m512 *x1, __m512 cos, __m512 sin) {
    __m512 old = *x0;
    *x0 = _mm512_fmsub_ps(old, cos, _mm512_mul_ps(*x1, sin));
    *x1 = _mm512_fmadd_ps(old, sin, _mm512_mul_ps(*x1, cos));
}

static void rope_halves(float *x, const float *cos, const float *sin, size_t n_pairs) {
    float *y = x + n_pairs;
    for (size_t i = 0; i < n_pairs; i += LANES) {
        __mmask16 mask = lanes(n_pairs - i);
        __m512 x0 = _mm512_maskz_loadu_ps(mask, x + i), x1 = _mm512_maskz_loadu_ps(mask, y + i);
        rotate(&x0, &x1, _mm512_maskz_loadu_ps(mask, cos + i),
               _mm512_maskz_loadu_ps(mask, sin + i));
        _mm512_mask_storeu_ps(x + i, mask, x0);
        _mm512_mask_storeu_ps(y + i, mask, x1);
    }
}

static void rope_pairs(float *x, const float *cos, const float *sin, size_t n_pairs) {
    const __m512i even =
        _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    const __m512i low = _mm512_set_epi32(23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
    for (size_t i = 0; i < n_pairs; i += LANES) {
        size_t left = n_pairs - i;
        float *at = x + 2 * i, *more = at + (left > LANES / 2 ? LANES : 0);
        __mmask16 mask = lanes(left), first = lanes(2 * left);
        __mmask16 second = left > LANES / 2 ? lanes(2 * left - LANES) : 0;
        __m512 a = _mm512_maskz_loadu_ps(first, at), b = _mm512_maskz_loadu_ps(second, more);
        __m512 x0 = _mm512_permutex2var_ps(a, even, b), x1 = _mm512_permutex2var_ps(a, odd, b);
        rotate(&x0, &x1, _mm512_maskz_loadu_ps(mask, cos + i),
               _mm512_maskz_loadu_ps(mask, sin + i));
        _mm512_mask_storeu_ps(at, first, _mm512_permutex2var_ps(x0, low, x1));
        _mm512_mask_storeu_ps(more, second, _mm512_permutex2var_ps(x0, high, x1));
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
        __mmask16 mask = lanes(n - i);
        __m256i half = _mm512_cvtps_ph(_mm512_maskz_loadu_ps(mask, x + i),
                                       _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        uint16_t values[LANES];
        if (stride == 1) {
            _mm256_mask_storeu_epi16(out + i, mask, half);
            continue;
        }
        _mm256_storeu_si256((__m256i *)values, half);
        for (size_t j = 0; j < LANES && j < n - i; j++) out[(i + j) * stride] = values[j];
    }
}

static void exp_shifted(float *y, const float *x, float max, size_t n) {
    __m512 shift = _mm512_set1_ps(max);
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 mask = lanes(n - i);
        __m512 v = _mm512_sub_ps(_mm512_maskz_loadu_ps(mask, x + i), shift);
        _mm512_mask_storeu_ps(y + i, mask, exp_avx512(v));
    }
}

/* The largest value, NaN left out: max(a, b) is b when a is NaN, and the maximum so far never is.
 */
static float row_max(const float *x, size_t n) {
    __m512 max = _mm512_set1_ps(-__builtin_inff());
    for (size_t i = 0; i < n; i += LANES)
        max =
            _mm512_mask_max_ps(max, lanes(n - i), _mm512_maskz_loadu_ps(lanes(n - i), x + i), max);
    return _mm512_reduce_max_ps(max);
}

static size_t argmax(const float *x, size_t n) {
    __m512 max = _mm512_set1_ps(row_max(x, n));
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 mask = lanes(n - i);
        mask = _mm512_mask_cmp_ps_mask(mask, _mm512_maskz_loadu_ps(mask, x + i), max, _CMP_EQ_OQ);
        if (mask) return i + (size_t)__builtin_ctz(mask);
    }
    return 0; /* nothing but NaN */
}

void rows_avx512_fill(struct kernels *kernels) {
    kernels->rms_norm = rms_norm;
    kernels->add = add;
    kernels->silu_mul = silu_mul;
    kernels->rope = rope;
    kernels->store_f16 = store_f16;
    kernels->exp_shifted = exp_shifted;
    kernels->argmax = argmax;
}
