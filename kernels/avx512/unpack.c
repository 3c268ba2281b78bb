/* unpack, AVX-512: 32 rows of weight blocks to the operand order of vpdpbusd (tile.h).
 *
 * The one primitive is a 4 x 4 transposition of dwords inside 128-bit lanes: rows 4l..4l+3 meet in
 * lane l, so that vector s comes out as dword s of the rows 0..15 in order.
 */
#include "kernels/avx512/tile.h"

#define INLINE static inline __attribute__((always_inline))

/* Lane l: the 16 bytes at `at` of row i + 4l. */
INLINE __m512i load_lanes(const uint8_t *const *row, int i, size_t at) {
    __m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const void *)(row[i] + at)));
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(row[i + 4] + at)), 1);
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(row[i + 8] + at)), 2);
    return _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(row[i + 12] + at)), 3);
}

/* out[s], dword r: dword s of the 16 bytes at `at` of row r. */
INLINE void load_transposed(__m512i out[4], const uint8_t *const *row, size_t at) {
    __m512i a = load_lanes(row, 0, at), b = load_lanes(row, 1, at);
    __m512i c = load_lanes(row, 2, at), d = load_lanes(row, 3, at);
    __m512i ab01 = _mm512_unpacklo_epi32(a, b), ab23 = _mm512_unpackhi_epi32(a, b);
    __m512i cd01 = _mm512_unpacklo_epi32(c, d), cd23 = _mm512_unpackhi_epi32(c, d);
    out[0] = _mm512_unpacklo_epi64(ab01, cd01);
    out[1] = _mm512_unpackhi_epi64(ab01, cd01);
    out[2] = _mm512_unpacklo_epi64(ab23, cd23);
    out[3] = _mm512_unpackhi_epi64(ab23, cd23);
}

INLINE __m512i low_nibbles(__m512i v) {
    return _mm512_and_si512(v, _mm512_set1_epi8(15));
}

INLINE __m512i high_nibbles(__m512i v) {
    return low_nibbles(_mm512_srli_epi16(v, 4));
}

INLINE __m512 widen16(const uint16_t *halves) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const void *)halves));
}

INLINE uint16_t load2(const uint8_t *bytes) {
    uint16_t half;
    memcpy(&half, bytes, sizeof half);
    return half;
}

/* The f16 at `at` of 32 rows. */
INLINE void unpack_f16(float out[PANEL], const struct weight_rows *rows, size_t at) {
    uint16_t halves[PANEL];
    for (int r = 0; r < PANEL; r++) halves[r] = load2(rows->row[r] + at);
    __asm__ volatile("" : : "m"(halves)); /* keeps gcc from building the vectors lane by lane */
    _mm512_store_ps(out, widen16(halves));
    _mm512_store_ps(out + 16, widen16(halves + 16));
}

INLINE void unpack_nibbles(struct panel_block *out, const uint8_t *const *row, size_t at,
                           int half) {
    __m512i v[4];
    load_transposed(v, row + 16 * half, at);
    for (int s = 0; s < 4; s++) {
        _mm512_store_si512(out->q[s][16 * half], low_nibbles(v[s]));
        _mm512_store_si512(out->q[s + 4][16 * half], high_nibbles(v[s]));
    }
}

void unpack_q4_0_avx512(void *panel, const struct weight_rows *rows, size_t first, size_t count) {
    struct panel_block *out = panel;
    for (size_t at = first * sizeof(struct q4_0); count > 0; count--, out++) {
        unpack_f16(out->d, rows, at);
        for (int h = 0; h < 2; h++) unpack_nibbles(out, rows->row, at + 2, h);
        at += sizeof(struct q4_0);
    }
}

void unpack_q4_1_avx512(void *panel, const struct weight_rows *rows, size_t first, size_t count) {
    struct panel_block *out = panel;
    for (size_t at = first * sizeof(struct q4_1); count > 0; count--, out++) {
        unpack_f16(out->d, rows, at);
        unpack_f16(out->m, rows, at + 2);
        for (int h = 0; h < 2; h++) unpack_nibbles(out, rows->row, at + 4, h);
        at += sizeof(struct q4_1);
    }
}

/* Signed bytes become unsigned by adding 128; the tile starts at -128 times the sum of q. */
void unpack_q8_0_avx512(void *panel, const struct weight_rows *rows, size_t first, size_t count) {
    struct panel_block *out = panel;
    const __m512i sign = _mm512_set1_epi8((char)0x80);
    for (size_t at = first * sizeof(struct q8_0); count > 0; count--, out++) {
        unpack_f16(out->d, rows, at);
        for (int i = 0; i < 4; i++) { /* 16 bytes of 16 rows */
            __m512i v[4];
            int part = i / 2, half = i % 2;
            load_transposed(v, rows->row + 16 * half, at + 2 + 16 * (size_t)part);
            for (int s = 0; s < 4; s++)
                _mm512_store_si512(out->q[4 * part + s][16 * half], _mm512_xor_si512(v[s], sign));
        }
        at += sizeof(struct q8_0);
    }
}

/* d and dmin, then 12 bytes of scales, at `at` of each row. */
INLINE void unpack_k_scales(struct panel_super *out, const struct weight_rows *rows, size_t at) {
    unpack_f16(out->d, rows, at);
    unpack_f16(out->dmin, rows, at + 2);
    for (int r = 0; r < PANEL; r++) {
        uint8_t scales[16];
        k_scales(scales, rows->row[r] + at + 4);
        for (int j = 0; j < 8; j++) {
            out->scale32[j][r] = scales[j];
            out->min[j / 2][r][j % 2] = scales[8 + j];
        }
    }
}

void unpack_q4_k_avx512(void *panel, const struct weight_rows *rows, size_t first, size_t count) {
    struct panel_super *out = panel;
    for (size_t at = first * sizeof(struct q4_k); count > 0; count--, out++) {
        unpack_k_scales(out, rows, at);
        for (int i = 0; i < 16; i++) { /* 16 bytes of 16 rows */
            __m512i v[4];
            int half = i % 2, part = i / 2; /* byte 16 * part; two parts a group of 64 values */
            int low = part / 2 * 2, step = part % 2 * 4;
            load_transposed(v, rows->row + 16 * half,
                            at + offsetof(struct q4_k, q) + 16 * (size_t)part);
            for (int s = 0; s < 4; s++) {
                _mm512_store_si512(out->q[low][step + s][16 * half], low_nibbles(v[s]));
                _mm512_store_si512(out->q[low + 1][step + s][16 * half], high_nibbles(v[s]));
            }
        }
        at += sizeof(struct q4_k);
    }
}

/* Adds bit `bit` of each byte of `high` to the nibbles as their fifth bit. */
INLINE __m512i with_bit(__m512i nibbles, __m512i high, int bit) {
    __mmask64 set = _mm512_test_epi8_mask(high, _mm512_set1_epi8((char)(1 << bit)));
    return _mm512_mask_add_epi8(nibbles, set, nibbles, _mm512_set1_epi8(16));
}

void unpack_q5_k_avx512(void *panel, const struct weight_rows *rows, size_t first, size_t count) {
    struct panel_super *out = panel;
    for (size_t at = first * sizeof(struct q5_k); count > 0; count--, out++) {
        unpack_k_scales(out, rows, at);
        for (int i = 0; i < 4; i++) { /* 16 of each 32 values, 16 rows */
            int half = i % 2, step = i / 2 * 4;
            size_t byte = 16 * (size_t)(i / 2);
            __m512i v[4], high[4];
            load_transposed(high, rows->row + 16 * half, at + offsetof(struct q5_k, high) + byte);
            for (int g = 0; g < 4; g++) {
                load_transposed(v, rows->row + 16 * half,
                                at + offsetof(struct q5_k, q) + byte + 32 * (size_t)g);
                for (int s = 0; s < 4; s++) {
                    __m512i lo = with_bit(low_nibbles(v[s]), high[s], 2 * g);
                    __m512i hi = with_bit(high_nibbles(v[s]), high[s], 2 * g + 1);
                    _mm512_store_si512(out->q[2 * g][step + s][16 * half], lo);
                    _mm512_store_si512(out->q[2 * g + 1][step + s][16 * half], hi);
                }
            }
        }
        at += sizeof(struct q5_k);
    }
}

/* Bits 2g..2g+1 of each byte of `high`, as bits 4..5. */
INLINE __m512i top_bits(__m512i high, int g) {
    __m512i v = g < 2 ? _mm512_slli_epi16(high, (unsigned)(4 - 2 * g))
                      : _mm512_srli_epi16(high, (unsigned)(2 * g - 4));
    return _mm512_and_si512(v, _mm512_set1_epi8(0x30));
}

/* 16 of each 32 values (part) in one half of 128 values, 16 rows. */
INLINE void unpack_q6_k_part(struct panel_super *out, const uint8_t *const *row, size_t at,
                             int half, int part, int rows_half) {
    __m512i high[4], v[4];
    load_transposed(high, row,
                    at + offsetof(struct q6_k, high) + 32 * (size_t)half + 16 * (size_t)part);
    for (int l = 0; l < 2; l++) { /* low nibbles: values 32l.., high nibbles: 64 + 32l.. */
        load_transposed(v, row, at + 64 * (size_t)half + 32 * (size_t)l + 16 * (size_t)part);
        for (int s = 0; s < 4; s++) {
            __m512i lo = _mm512_or_si512(low_nibbles(v[s]), top_bits(high[s], l));
            __m512i hi = _mm512_or_si512(high_nibbles(v[s]), top_bits(high[s], l + 2));
            _mm512_store_si512(out->q[4 * half + l][4 * part + s][16 * rows_half], lo);
            _mm512_store_si512(out->q[4 * half + l + 2][4 * part + s][16 * rows_half], hi);
        }
    }
}

void unpack_q6_k_avx512(void *panel, const struct weight_rows *rows, size_t first, size_t count) {
    struct panel_super *out = panel;
    for (size_t at = first * sizeof(struct q6_k); count > 0; count--, out++) {
        unpack_f16(out->d, rows, at + offsetof(struct q6_k, d));
        for (int r = 0; r < PANEL; r++) {
            const int8_t *scales =
                (const int8_t *)rows->row[r] + at + offsetof(struct q6_k, scales);
            for (int j = 0; j < 16; j++) out->scale16[j][r] = scales[j];
        }
        for (int h = 0; h < 2; h++)
            for (int part = 0; part < 2; part++)
                for (int half = 0; half < 2; half++)
                    unpack_q6_k_part(out, rows->row + 16 * half, at, h, part, half);
        at += sizeof(struct q6_k);
    }
}
