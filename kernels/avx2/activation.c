/* activation, AVX2: quantises rows straight into tiles. */
#include <math.h>

#include "kernels/avx2/tile.h"

#define INLINE static inline __attribute__((always_inline))

/* Bit patterns of |x|: as integers they order like the magnitudes, NaN above infinity. */
INLINE __m256i magnitudes(const float *x) {
    __m256i bits = _mm256_loadu_si256((const void *)x);
    return _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffffff));
}

INLINE float largest_magnitude(const float *x, size_t n) {
    __m256i max = _mm256_setzero_si256();
    for (size_t i = 0; i < n; i += 8) max = _mm256_max_epu32(max, magnitudes(x + i));
    __m128i m = _mm_max_epu32(_mm256_castsi256_si128(max), _mm256_extracti128_si256(max, 1));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0x4e));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0xb1));
    return _mm_cvtss_f32(_mm_castsi128_ps(m));
}

/* 32 values to bytes. Where `keep` is 0 the conversions may have met NaN, and q is 0. */
INLINE __m256i quantize32(const float *x, __m256 inverse, __m256i keep) {
    __m256i v[4];
    for (int i = 0; i < 4; i++)
        v[i] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8 * i), inverse));
    __m256i ab = _mm256_packs_epi32(v[0], v[1]), cd = _mm256_packs_epi32(v[2], v[3]);
    /* Packing works within lanes: dwords come out as 0 2 4 6, 1 3 5 7. */
    __m256i q = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(ab, cd),
                                            _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    return _mm256_and_si256(q, keep);
}

/* Sums of the first and of the last 16 bytes. */
INLINE void sum16(int32_t out[2], __m256i q) {
    __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), q);
    __m256i sum = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
    sum = _mm256_add_epi32(sum, _mm256_shuffle_epi32(sum, 0x4e));
    sum = _mm256_add_epi32(sum, _mm256_shuffle_epi32(sum, 0xb1));
    out[0] = _mm256_extract_epi32(sum, 0);
    out[1] = _mm256_extract_epi32(sum, 4);
}

struct scale {
    __m256 inverse;
    __m256i keep;
    float d;
};

INLINE struct scale scale_of(float amax) {
    const float inverse = 127.0f / amax;
    const bool finite = isfinite(amax) && isfinite(inverse);
    return (struct scale){_mm256_set1_ps(inverse), _mm256_set1_epi32(finite ? -1 : 0),
                          amax / 127.0f};
}

static void quantize_blocks(uint32_t type, struct tile_block *out, size_t slot, const float *x,
                            size_t n_blocks) {
    for (size_t b = 0; b < n_blocks; b++, out++, x += BLOCK) {
        const struct scale scale = scale_of(largest_magnitude(x, BLOCK));
        int32_t halves[2];
        __m256i q = quantize32(x, scale.inverse, scale.keep);
        sum16(halves, q);
        const int32_t sum = halves[0] + halves[1];
        _mm256_store_si256((__m256i *)out->q[slot], q);
        out->d[slot] = scale.d;
        if (type == WEIGHT_Q4_1)
            out->ds[slot] = scale.d * (float)sum;
        else
            out->start[slot] = sum * (type == WEIGHT_Q8_0 ? -128 : -8);
    }
}

static void quantize_supers(uint32_t type, struct tile_super *out, size_t slot, const float *x,
                            size_t n_blocks) {
    for (size_t b = 0; b < n_blocks; b++, out++, x += SUPER) {
        const struct scale scale = scale_of(largest_magnitude(x, SUPER));
        out->d[slot] = scale.d;
        for (int j = 0; j < 8; j++) {
            int32_t halves[2];
            __m256i q = quantize32(x + BLOCK * j, scale.inverse, scale.keep);
            sum16(halves, q);
            _mm256_store_si256((__m256i *)out->q[j][slot], q);
            if (type == WEIGHT_Q6_K) {
                out->sum[slot][2 * j] = (int16_t)halves[0];
                out->sum[slot][2 * j + 1] = (int16_t)halves[1];
            } else {
                out->sum[slot][j] = (int16_t)(halves[0] + halves[1]);
            }
        }
    }
}

size_t activation_bytes_avx2(uint32_t type, size_t m, size_t k) {
    const size_t tiles = (m + TILE - 1) / TILE;
    switch (weight_format(type)->block) {
    case BLOCK: return tiles * (k / BLOCK) * sizeof(struct tile_block);
    case SUPER: return tiles * (k / SUPER) * sizeof(struct tile_super);
    default: return m * k * sizeof(float);
    }
}

void activation_quantize_avx2(uint32_t type, void *activation, const float *x, size_t ldx, size_t m,
                              size_t k, size_t first, size_t count) {
    (void)m;
    for (size_t i = first; i < first + count; i++) {
        const float *row = x + i * ldx;
        const size_t tile = i / TILE, slot = i % TILE;
        switch (weight_format(type)->block) {
        case BLOCK:
            quantize_blocks(type, (struct tile_block *)activation + tile * (k / BLOCK), slot, row,
                            k / BLOCK);
            break;
        case SUPER:
            quantize_supers(type, (struct tile_super *)activation + tile * (k / SUPER), slot, row,
                            k / SUPER);
            break;
        default: memcpy((float *)activation + i * k, row, k * sizeof *row);
        }
    }
}
