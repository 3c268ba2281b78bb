/* tile, AVX2: a panel of 8 weight rows times a tile of up to 4 activation rows. One function body a
 * format, compiled once for every tile height. */
#include "kernels/avx2/tile.h"

#define INLINE static inline __attribute__((always_inline))

INLINE __m256i row_mask(size_t rows) {
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)rows), index);
}

INLINE __m256i broadcast4(const void *bytes) {
    int32_t word;
    memcpy(&word, bytes, sizeof word);
    return _mm256_set1_epi32(word);
}

INLINE __m256i load(const void *p) {
    return _mm256_load_si256((const __m256i *)p);
}

/* sum[i] += scale * the products of `steps` * 4 values, few enough for 16 bits: w is
 * [steps][PANEL][4], a the tile's bytes from the first of them on. */
INLINE void dot_steps(__m256i sum[], const uint8_t *w, const int8_t *a, __m256i scale, int steps,
                      int n) {
    __m256i acc[TILE];
#pragma GCC unroll 8
    for (int s = 0; s < steps; s++) {
        __m256i v = load(w + s * PANEL * 4);
#pragma GCC unroll 4
        for (int i = 0; i < n; i++) {
            __m256i pairs = _mm256_maddubs_epi16(v, broadcast4(a + i * BLOCK + 4 * s));
            acc[i] = s == 0 ? pairs : _mm256_add_epi16(acc[i], pairs);
        }
    }
#pragma GCC unroll 4
    for (int i = 0; i < n; i++) sum[i] = _mm256_add_epi32(sum[i], _mm256_madd_epi16(acc[i], scale));
}

INLINE __m256 fma_scaled(__m256 f, __m256 dw, const float *d, __m256i sum) {
    return _mm256_fmadd_ps(_mm256_mul_ps(dw, _mm256_set1_ps(*d)), _mm256_cvtepi32_ps(sum), f);
}

INLINE void tile_blocks(const struct tile_call *call, uint32_t type, int n) {
    const struct panel_block *w = call->panel;
    const struct tile_block *a = call->tile;
    const __m256i mask = row_mask(call->rows), one = _mm256_set1_epi16(1);
    __m256 f[TILE];
    for (int i = 0; i < n; i++)
        f[i] = call->more ? _mm256_maskload_ps(call->y + (size_t)i * call->ldy, mask)
                          : _mm256_setzero_ps();
    for (size_t b = 0; b < call->count; b++, w++, a++) {
        __m256i sum[TILE];
#pragma GCC unroll 4
        for (int i = 0; i < n; i++)
            sum[i] = type == WEIGHT_Q4_1 ? _mm256_setzero_si256() : _mm256_set1_epi32(a->start[i]);
        dot_steps(sum, w->q[0][0][0], a->q[0], one, STEPS, n);
        if (type == WEIGHT_Q8_0)
            dot_steps(sum, w->q[1][0][0], a->q[0], _mm256_set1_epi16(16), STEPS, n);
        const __m256 d = _mm256_load_ps(w->d), m = _mm256_load_ps(w->m);
#pragma GCC unroll 4
        for (int i = 0; i < n; i++) {
            f[i] = fma_scaled(f[i], d, &a->d[i], sum[i]);
            if (type == WEIGHT_Q4_1) f[i] = _mm256_fmadd_ps(m, _mm256_set1_ps(a->ds[i]), f[i]);
        }
    }
    for (int i = 0; i < n; i++) _mm256_maskstore_ps(call->y + (size_t)i * call->ldy, mask, f[i]);
}

/* sum[i] += pairs of 16-bit numbers, weights' times sums of q. */
INLINE void dot_pairs(__m256i sum[], const struct panel_super *w, const struct tile_super *a,
                      int pairs, int n) {
#pragma GCC unroll 8
    for (int j = 0; j < pairs; j++)
#pragma GCC unroll 4
        for (int i = 0; i < n; i++)
            sum[i] = _mm256_add_epi32(
                sum[i], _mm256_madd_epi16(load(w->pair[j]), broadcast4(a->sum[i] + 2 * j)));
}

INLINE void clear(__m256i sum[], int n) {
    for (int i = 0; i < n; i++) sum[i] = _mm256_setzero_si256();
}

/* The integer part of a super-block. `steps` of 4 values may be added up in 16 bits. */
INLINE void dot_super(__m256i sum[], const struct panel_super *w, const struct tile_super *a,
                      int steps, bool scale16, int n) {
    clear(sum, n);
    for (int j = 0; j < 8; j++)
        for (int s = 0; s < STEPS; s += steps) {
            const int scale = scale16 ? 2 * j + s / 4 : j;
            dot_steps(sum, w->q[j][s][0], a->q[j][0] + 4 * s, load(w->scale[scale]), steps, n);
        }
}

INLINE void tile_supers(const struct tile_call *call, uint32_t type, int n) {
    const struct panel_super *w = call->panel;
    const struct tile_super *a = call->tile;
    const __m256i mask = row_mask(call->rows);
    const int steps = type == WEIGHT_Q4_K ? 8 : type == WEIGHT_Q5_K ? 4 : 2;
    for (size_t b = 0; b < call->count; b++, w++, a++) {
        const __m256 d = _mm256_load_ps(w->d), dmin = _mm256_load_ps(w->dmin);
        __m256i sum[TILE], side[TILE];
        dot_super(sum, w, a, steps, type == WEIGHT_Q6_K, n);
        clear(side, n);
        dot_pairs(side, w, a, type == WEIGHT_Q6_K ? 8 : 4, n);
#pragma GCC unroll 4
        for (int i = 0; i < n; i++) {
            float *y = call->y + (size_t)i * call->ldy;
            __m256 f = call->more || b > 0 ? _mm256_maskload_ps(y, mask) : _mm256_setzero_ps();
            if (type == WEIGHT_Q6_K)
                sum[i] = _mm256_sub_epi32(sum[i], _mm256_slli_epi32(side[i], 5));
            f = fma_scaled(f, d, &a->d[i], sum[i]);
            if (type != WEIGHT_Q6_K)
                f = _mm256_fnmadd_ps(_mm256_mul_ps(dmin, _mm256_set1_ps(a->d[i])),
                                     _mm256_cvtepi32_ps(side[i]), f);
            _mm256_maskstore_ps(y, mask, f);
        }
    }
}

#define FOR_HEIGHT(body, type)                                                                     \
    switch (n_rows) {                                                                              \
    case 1: body(call, type, 1); break;                                                            \
    case 2: body(call, type, 2); break;                                                            \
    case 3: body(call, type, 3); break;                                                            \
    default: body(call, type, 4); break;                                                           \
    }

void tile_q4_0_avx2(const struct tile_call *call, size_t n_rows) {
    FOR_HEIGHT(tile_blocks, WEIGHT_Q4_0)
}

void tile_q4_1_avx2(const struct tile_call *call, size_t n_rows) {
    FOR_HEIGHT(tile_blocks, WEIGHT_Q4_1)
}

void tile_q8_0_avx2(const struct tile_call *call, size_t n_rows) {
    FOR_HEIGHT(tile_blocks, WEIGHT_Q8_0)
}

void tile_q4_k_avx2(const struct tile_call *call, size_t n_rows) {
    FOR_HEIGHT(tile_supers, WEIGHT_Q4_K)
}

void tile_q5_k_avx2(const struct tile_call *call, size_t n_rows) {
    FOR_HEIGHT(tile_supers, WEIGHT_Q5_K)
}

void tile_q6_k_avx2(const struct tile_call *call, size_t n_rows) {
    FOR_HEIGHT(tile_supers, WEIGHT_Q6_K)
}
