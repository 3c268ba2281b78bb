/* activation, AVX-512: quantises rows straight into the layouts that the products read. */
#include "kernels/avx512/linear.h"
#include "kernels/avx512/tile.h"

#include <math.h>

#define INLINE static inline __attribute__((always_inline))

/* Bit patterns of |x|: as integers they order like the magnitudes, NaN above infinity. */
INLINE __m512i magnitudes(const float *x) {
    return _mm512_and_si512(_mm512_loadu_si512(x), _mm512_set1_epi32(0x7fffffff));
}

INLINE __m128i quantize16(const float *x, __m512 inverse) {
    return _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x), inverse)));
}

/* Where the inverse or amax is not finite, 0: then x * 0 is 0 or NaN, and either becomes q = 0
 * (a NaN converts to 0x80000000, whose low byte is kept). */
INLINE __m512 inverse_of(__m512 amax) {
    __m512 inverse = _mm512_div_ps(_mm512_set1_ps(127.0f), amax);
    const __m512 infinity = _mm512_set1_ps(INFINITY);
    __mmask16 finite = _mm512_cmp_ps_mask(amax, infinity, _CMP_LT_OQ);
    finite = _mm512_mask_cmp_ps_mask(finite, inverse, infinity, _CMP_LT_OQ);
    return _mm512_maskz_mov_ps(finite, inverse);
}

/* amax / 127; a non-finite amax stays itself either way. */
INLINE __m512 scale_of(__m512 amax) {
    return _mm512_div_ps(amax, _mm512_set1_ps(127.0f));
}

/* Scales of up to 16 blocks from x. */
INLINE void scan_blocks(float d[16], float inverse[16], const float *x, size_t n) {
    float amax[16] = {0};
    for (size_t b = 0; b < n; b++, x += BLOCK) {
        uint32_t bits =
            _mm512_reduce_max_epu32(_mm512_max_epu32(magnitudes(x), magnitudes(x + 16)));
        memcpy(&amax[b], &bits, sizeof bits);
    }
    _mm512_storeu_ps(d, scale_of(_mm512_loadu_ps(amax)));
    _mm512_storeu_ps(inverse, inverse_of(_mm512_loadu_ps(amax)));
}

INLINE int32_t sum32(__m128i lo, __m128i hi) {
    __m128i ones = _mm_set1_epi8(1);
    __m128i sum = _mm_dpbusd_epi32(_mm_dpbusd_epi32(_mm_setzero_si128(), ones, lo), ones, hi);
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1)));
}

/* The per-block number the products want beside d. */
INLINE void store_sum(uint32_t type, void *out, float d, int32_t sum) {
    int32_t start = sum * (type == WEIGHT_Q8_0 ? -128 : -8);
    float ds = d * (float)sum;
    if (type == WEIGHT_Q4_1)
        memcpy(out, &ds, sizeof ds);
    else
        memcpy(out, &start, sizeof start);
}

INLINE void quantize_blocks(uint32_t type, struct tile_block *out, size_t slot, const float *x,
                            size_t n_blocks) {
    float d[16], inverse[16];
    for (size_t b = 0; b < n_blocks; b++, out++, x += BLOCK) {
        if (b % 16 == 0) scan_blocks(d, inverse, x, n_blocks - b < 16 ? n_blocks - b : 16);
        __m512 scale = _mm512_set1_ps(inverse[b % 16]);
        __m128i lo = quantize16(x, scale), hi = quantize16(x + 16, scale);
        _mm_store_si128((__m128i *)out->q[slot], lo);
        _mm_store_si128((__m128i *)out->q[slot] + 1, hi);
        out->d[slot] = d[b % 16];
        store_sum(type, &out->start[slot], d[b % 16], sum32(lo, hi));
    }
}

/* q of 256 values at q and, per 16 of them, their sums; returns d. */
INLINE float quantize_super(__m128i q[16], int32_t sum16[16], const float *x) {
    const __m512i ones = _mm512_set1_epi8(1);
    __m512i max = _mm512_setzero_si512(), sum[4];
    for (int i = 0; i < 16; i++) max = _mm512_max_epu32(max, magnitudes(x + 16 * i));
    __m512 amax = _mm512_castsi512_ps(_mm512_set1_epi32((int)_mm512_reduce_max_epu32(max)));
    __m512 inverse = inverse_of(amax);
    for (int i = 0; i < 16; i++) q[i] = quantize16(x + 16 * i, inverse);
    for (int i = 0; i < 4; i++)
        sum[i] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), ones, _mm512_loadu_si512(q + 4 * i));
    sum_lanes(sum);
    __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    _mm512_storeu_si512(sum16, _mm512_permutexvar_epi32(order, sum[0]));
    return _mm512_cvtss_f32(scale_of(amax));
}

static void quantize_supers(uint32_t type, struct tile_super *out, size_t slot, const float *x,
                            size_t n_blocks) {
    for (size_t b = 0; b < n_blocks; b++, out++, x += SUPER) {
        __m128i q[16];
        int32_t sum16[16];
        out->d[slot] = quantize_super(q, sum16, x);
        for (int j = 0; j < 8; j++) memcpy(out->q[j][slot], q + 2 * j, BLOCK);
        for (int j = 0; j < 8 && type != WEIGHT_Q6_K; j++)
            out->sum32[slot][j] = (int16_t)(sum16[2 * j] + sum16[2 * j + 1]);
        for (int j = 0; j < 16 && type == WEIGHT_Q6_K; j++) out->start16[j][slot] = -32 * sum16[j];
    }
}

static void quantize_linear_blocks(uint32_t type, void *activation, const float *x,
                                   size_t n_blocks) {
    float *all_d = linear_d(activation, n_blocks), *start = all_d + 4 * linear_quads(n_blocks);
    float d[16], inverse[16];
    for (size_t b = 0; b < n_blocks; b++, x += BLOCK) {
        struct linear_quad *quad = (struct linear_quad *)activation + b / 4;
        if (b % 16 == 0) scan_blocks(d, inverse, x, n_blocks - b < 16 ? n_blocks - b : 16);
        __m512 scale = _mm512_set1_ps(inverse[b % 16]);
        __m128i lo = quantize16(x, scale), hi = quantize16(x + 16, scale);
        if (b % 4 == 0) memset(quad, 0, sizeof *quad);
        _mm_store_si128((__m128i *)quad->q[0][b % 4], lo);
        _mm_store_si128((__m128i *)quad->q[1][b % 4], hi);
        all_d[b] = d[b % 16];
        store_sum(type, &start[b], d[b % 16], sum32(lo, hi));
    }
}

static void quantize_linear_supers(uint32_t type, struct linear_super *out, const float *x,
                                   size_t n_blocks) {
    static const uint8_t order[8] = {0, 2, 1, 3, 4, 6, 5, 7}; /* its own inverse */
    for (size_t b = 0; b < n_blocks; b++, out++, x += SUPER) {
        __m128i q[16];
        int32_t sum16[16];
        out->d = quantize_super(q, sum16, x);
        for (int j = 0; j < 8; j++)
            memcpy(out->q[type == WEIGHT_Q6_K ? j : order[j]], q + 2 * j, BLOCK);
        memset(out->sum, 0, sizeof out->sum);
        for (int j = 0; j < 16; j++) {
            if (type == WEIGHT_Q6_K)
                out->sum[j] = (int16_t)sum16[j];
            else
                out->sum[j / 2] = (int16_t)(out->sum[j / 2] + sum16[j]);
        }
    }
}

size_t activation_bytes_avx512(uint32_t type, size_t m, size_t k) {
    switch (weight_format(type)->block) {
    case BLOCK:
        if (m == 1) return linear_bytes_blocks(k / BLOCK);
        return tiling_of(m).tiles * (k / BLOCK) * sizeof(struct tile_block);
    case SUPER:
        if (m == 1) return k / SUPER * sizeof(struct linear_super);
        return tiling_of(m).tiles * (k / SUPER) * sizeof(struct tile_super);
    default: return m * k * sizeof(float);
    }
}

static void quantize_tiled(uint32_t type, void *activation, const float *x,
                           const struct tiling *tiling, size_t k, size_t row) {
    size_t slot, tile = tiling_find(tiling, &slot, row);
    struct tile_block *blocks = (struct tile_block *)activation + tile * (k / BLOCK);
    switch (type) {
    case WEIGHT_Q4_0: quantize_blocks(WEIGHT_Q4_0, blocks, slot, x, k / BLOCK); break;
    case WEIGHT_Q4_1: quantize_blocks(WEIGHT_Q4_1, blocks, slot, x, k / BLOCK); break;
    case WEIGHT_Q8_0: quantize_blocks(WEIGHT_Q8_0, blocks, slot, x, k / BLOCK); break;
    default:
        quantize_supers(type, (struct tile_super *)activation + tile * (k / SUPER), slot, x,
                        k / SUPER);
    }
}

void activation_quantize_avx512(uint32_t type, void *activation, const float *x, size_t ldx,
                                size_t m, size_t k, size_t first, size_t count) {
    const size_t block = weight_format(type)->block;
    const struct tiling tiling = tiling_of(m);
    for (size_t i = first; i < first + count; i++) {
        const float *row = x + i * ldx;
        if (block == 1)
            memcpy((float *)activation + i * k, row, k * sizeof *row);
        else if (m > 1)
            quantize_tiled(type, activation, row, &tiling, k, i);
        else if (block == BLOCK)
            quantize_linear_blocks(type, activation, row, k / BLOCK);
        else
            quantize_linear_supers(type, activation, row, k / SUPER);
    }
}
