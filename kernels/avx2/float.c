/* float, AVX2: F32 and F16 weights. Two registers hold the contract's 16 lanes. */
#include "kernels/avx2/tile.h"

#define INLINE static inline __attribute__((always_inline))

enum { ROWS = 2, COLUMNS = 2 };

INLINE __m256 load_weights(uint32_t type, const uint8_t *w, size_t k) {
    if (type == WEIGHT_F32) return _mm256_loadu_ps((const void *)(w + 4 * k));
    return _mm256_cvtph_ps(_mm_loadu_si128((const void *)(w + 2 * k)));
}

INLINE float lanes_sum(__m256 low, __m256 high) {
    __m256 a = _mm256_add_ps(low, high);
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(b, _mm_movehdup_ps(b)));
}

/* The last k % 16 positions, padded by zeros; lanes past them stay as they were. */
INLINE void add_rest(uint32_t type, __m256 acc[2], const uint8_t *w, const float *x, size_t rest) {
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    uint8_t weights[64] = {0};
    float values[16] = {0};
    memcpy(weights, w, rest * (type == WEIGHT_F32 ? 4 : 2));
    memcpy(values, x, rest * sizeof *x);
    for (int h = 0; h < 2; h++) {
        __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32((int)rest - 8 * h), index);
        __m256 sum = _mm256_fmadd_ps(load_weights(type, weights, 8 * (size_t)h),
                                     _mm256_loadu_ps(values + 8 * h), acc[h]);
        acc[h] = _mm256_blendv_ps(acc[h], sum, _mm256_castsi256_ps(mask));
    }
}

INLINE void float_tile(uint32_t type, float *y, size_t ldy, const uint8_t *w, size_t stride,
                       const float *x, size_t k, size_t rows, size_t n) {
    const size_t whole = k / 16 * 16, size = type == WEIGHT_F32 ? 4 : 2;
    __m256 acc[ROWS][COLUMNS][2];
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < n; c++) acc[r][c][0] = acc[r][c][1] = _mm256_setzero_ps();
    for (size_t i = 0; i < whole; i += 16)
        for (size_t h = 0; h < 2; h++)
            for (size_t r = 0; r < rows; r++)
                for (size_t c = 0; c < n; c++)
                    acc[r][c][h] =
                        _mm256_fmadd_ps(load_weights(type, w + r * stride, i + 8 * h),
                                        _mm256_loadu_ps(x + c * k + i + 8 * h), acc[r][c][h]);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < n; c++) {
            if (whole < k)
                add_rest(type, acc[r][c], w + r * stride + whole * size, x + c * k + whole,
                         k - whole);
            y[c * ldy + r] = lanes_sum(acc[r][c][0], acc[r][c][1]);
        }
}

INLINE void float_columns(uint32_t type, float *y, size_t ldy, const uint8_t *w, size_t n_rows,
                          const float *x, size_t k, size_t n) {
    const size_t stride = k * (type == WEIGHT_F32 ? 4 : 2);
    size_t r = 0;
    for (; r + ROWS <= n_rows; r += ROWS)
        float_tile(type, y + r, ldy, w + r * stride, stride, x, k, ROWS, n);
    for (; r < n_rows; r++) float_tile(type, y + r, ldy, w + r * stride, stride, x, k, 1, n);
}

INLINE void float_matmul(uint32_t type, float *y, size_t ldy, const uint8_t *w, size_t n,
                         const float *x, size_t m, size_t k) {
    size_t i = 0;
    for (; i + COLUMNS <= m; i += COLUMNS)
        float_columns(type, y + i * ldy, ldy, w, n, x + i * k, k, COLUMNS);
    for (; i < m; i++) float_columns(type, y + i * ldy, ldy, w, n, x + i * k, k, 1);
}

void matmul_float_avx2(uint32_t type, float *y, size_t ldy, const void *w, size_t n, const float *x,
                       size_t m, size_t k) {
    if (type == WEIGHT_F32)
        float_matmul(WEIGHT_F32, y, ldy, w, n, x, m, k);
    else
        float_matmul(WEIGHT_F16, y, ldy, w, n, x, m, k);
}
