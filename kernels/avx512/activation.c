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

/* The larger of even and odd 128-bit lanes: lanes 0..1 from a, 2..3 from b. */
INLINE __m512i max_lanes(__m512i a, __m512i b) {
    return _mm512_max_epu32(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xdd));
}

/* Dword i: the largest dword of v[i]. */
INLINE __m512i largest_of_16(__m512i v[16]) {
    for (int i = 0; i < 16; i += 2)
        v[i] = _mm512_max_epu32(_mm512_unpacklo_epi32(v[i], v[i + 1]),
                                _mm512_unpackhi_epi32(v[i], v[i + 1]));
    for (int i = 0; i < 16; i += 4)
        v[i] = _mm512_max_epu32(_mm512_unpacklo_epi64(v[i], v[i + 2]),
                                _mm512_unpackhi_epi64(v[i], v[i + 2]));
    return max_lanes(max_lanes(v[0], v[4]), max_lanes(v[8], v[12]));
}

/* What 16 blocks come to; blocks past the end are zeros. */
struct batch {
    _Alignas(64) float d[16];
    float inverse[16];
    int32_t side[16]; /* start, or for Q4_1 the bits of ds (tile.h) */
    __m128i sum[16];  /* four parts of the sum of q */
    __m128i q[16][2];
};

INLINE void batch_scales(struct batch *out, const float *x, size_t n) {
    __m512i max[16];
    for (size_t b = 0; b < 16; b++)
        max[b] = b < n ? _mm512_max_epu32(magnitudes(x + BLOCK * b), magnitudes(x + BLOCK * b + 16))
                       : _mm512_setzero_si512();
    __m512 amax = _mm512_castsi512_ps(largest_of_16(max));
    _mm512_store_ps(out->d, scale_of(amax));
    _mm512_store_ps(out->inverse, inverse_of(amax));
}

INLINE void batch_quantize(struct batch *out, const float *x, size_t n) {
    const __m128i ones = _mm_set1_epi8(1);
    for (size_t b = 0; b < n; b++, x += BLOCK) {
        __m512 inverse = _mm512_set1_ps(out->inverse[b]);
        __m128i lo = quantize16(x, inverse), hi = quantize16(x + 16, inverse);
        __m128i sum = _mm_dpbusd_epi32(_mm_setzero_si128(), ones, lo);
        out->sum[b] = _mm_dpbusd_epi32(sum, ones, hi);
        out->q[b][0] = lo;
        out->q[b][1] = hi;
    }
}

INLINE void batch_side(uint32_t type, struct batch *out) {
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i sum[4];
    for (int i = 0; i < 4; i++) sum[i] = _mm512_load_si512(out->sum + 4 * i);
    sum_lanes(sum);
    sum[0] = _mm512_permutexvar_epi32(order, sum[0]);
    __m512 ds = _mm512_mul_ps(_mm512_load_ps(out->d), _mm512_cvtepi32_ps(sum[0]));
    __m512i start = _mm512_slli_epi32(sum[0], type == WEIGHT_Q8_0 ? 7 : 3);
    start = _mm512_sub_epi32(_mm512_setzero_si512(), start);
    _mm512_store_si512(out->side, type == WEIGHT_Q4_1 ? _mm512_castps_si512(ds) : start);
}

/* n blocks from x on, at most 16. The types differ in one line, and a call pays for 512 values: the
 * long body is compiled once. */
static __attribute__((noinline)) void quantize_batch(uint32_t type, struct batch *out,
                                                     const float *x, size_t n) {
    for (size_t b = n; b < 16; b++) out->sum[b] = _mm_setzero_si128();
    batch_scales(out, x, n);
    batch_quantize(out, x, n);
    batch_side(type, out);
}

INLINE size_t at_most_16(size_t n) {
    return n < 16 ? n : 16;
}

static void quantize_blocks(uint32_t type, struct tile_block *out, size_t slot, const float *x,
                            size_t n_blocks) {
    struct batch batch;
    for (size_t first = 0; first < n_blocks; first += 16, x += 16 * BLOCK) {
        const size_t n = at_most_16(n_blocks - first);
        quantize_batch(type, &batch, x, n);
        for (size_t b = 0; b < n; b++, out++) {
            _mm_store_si128((__m128i *)out->q[slot], batch.q[b][0]);
            _mm_store_si128((__m128i *)out->q[slot] + 1, batch.q[b][1]);
            out->d[slot] = batch.d[b];
            out->start[slot] = batch.side[b];
        }
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
    float *d = linear_d(activation, n_blocks), *side = d + 4 * linear_quads(n_blocks);
    struct linear_quad *quads = activation;
    struct batch batch;
    for (size_t first = 0; first < n_blocks; first += 16, x += 16 * BLOCK) {
        const size_t n = at_most_16(n_blocks - first);
        quantize_batch(type, &batch, x, n);
        for (size_t b = n; b % 4 != 0; b++) batch.q[b][0] = batch.q[b][1] = _mm_setzero_si128();
        for (size_t b = 0; b < (n + 3) / 4 * 4; b++) {
            struct linear_quad *quad = &quads[(first + b) / 4];
            _mm_store_si128((__m128i *)quad->q[0][b % 4], batch.q[b][0]);
            _mm_store_si128((__m128i *)quad->q[1][b % 4], batch.q[b][1]);
        }
        memcpy(d + first, batch.d, n * sizeof *d);
        memcpy(side + first, batch.side, n * sizeof *side);
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
    if (weight_format(type)->block == BLOCK)
        quantize_blocks(type, blocks, slot, x, k / BLOCK);
    else
        quantize_supers(type, (struct tile_super *)activation + tile * (k / SUPER), slot, x,
                        k / SUPER);
}

static void quantize_linear(uint32_t type, void *activation, const float *x, size_t k) {
    if (weight_format(type)->block == BLOCK)
        quantize_linear_blocks(type, activation, x, k / BLOCK);
    else
        quantize_linear_supers(type, activation, x, k / SUPER);
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
        else
            quantize_linear(type, activation, row, k);
    }
}
