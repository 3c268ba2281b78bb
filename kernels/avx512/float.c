/* float, AVX-512: F32 and F16 weights. Lane l of a register is lane l of the contract. */
#include "kernels/avx512/tile.h"

#define INLINE static inline __attribute__((always_inline))

enum { ROWS = 4, COLUMNS = 4 };

INLINE __m512 load_weights(uint32_t type, const uint8_t *w, size_t k, __mmask16 mask) {
    if (type == WEIGHT_F32) return _mm512_maskz_loadu_ps(mask, w + 4 * k);
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, w + 2 * k));
}

INLINE float lanes_sum(__m512 v) {
    __m256 a = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(b, _mm_movehdup_ps(b)));
}

/* Positions past k keep their lane as it was, rather than adding 0 (which would lose a -0). */
INLINE void add_products(uint32_t type, __m512 acc[ROWS][COLUMNS], const uint8_t *w, size_t stride,
                         const float *x, size_t ldx, size_t k, __mmask16 mask, int rows, int n) {
    __m512 weights[ROWS];
    for (int r = 0; r < rows; r++) weights[r] = load_weights(type, w + (size_t)r * stride, k, mask);
    for (int i = 0; i < n; i++) {
        __m512 v = _mm512_maskz_loadu_ps(mask, x + (size_t)i * ldx + k);
        for (int r = 0; r < rows; r++)
            acc[r][i] = _mm512_mask3_fmadd_ps(weights[r], v, acc[r][i], mask);
    }
}

INLINE void float_tile(uint32_t type, float *y, size_t ldy, const uint8_t *w, size_t stride,
                       const float *x, size_t k, int rows, int n) {
    __m512 acc[ROWS][COLUMNS];
    size_t i = 0;
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < n; c++) acc[r][c] = _mm512_setzero_ps();
    for (; i + 16 <= k; i += 16) add_products(type, acc, w, stride, x, k, i, 0xffff, rows, n);
    if (i < k)
        add_products(type, acc, w, stride, x, k, i, (__mmask16)((1u << (k - i)) - 1), rows, n);
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < n; c++) y[(size_t)c * ldy + (size_t)r] = lanes_sum(acc[r][c]);
}

/* All rows against n activation rows. */
INLINE void float_columns(uint32_t type, float *y, size_t ldy, const uint8_t *w, size_t n_rows,
                          const float *x, size_t k, int n) {
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

void matmul_float_avx512(uint32_t type, float *y, size_t ldy, const void *w, size_t n,
                         const float *x, size_t m, size_t k) {
    if (type == WEIGHT_F32)
        float_matmul(WEIGHT_F32, y, ldy, w, n, x, m, k);
    else
        float_matmul(WEIGHT_F16, y, ldy, w, n, x, m, k);
}
