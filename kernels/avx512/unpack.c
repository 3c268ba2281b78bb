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

/* The scales of all blocks, raw: the dword (or half a dword) at `at` of each row into d[row]. A
 * pass of its own, so that widen_scales finds the stores long finished. */
INLINE void copy_scales(float *d, size_t step, const struct weight_rows *rows, size_t at,
                        size_t size, size_t count, size_t bytes) {
    for (; count > 0; count--, at += size, d += step) {
        for (int r = 0; r < PANEL; r++) {
            uint32_t word = 0;
            memcpy(&word, rows->row[r] + at, bytes);
            memcpy(&d[r], &word, sizeof word);
        }
    }
}

/* d from the lower halves of the dwords in d, m (if not NULL) from the upper ones. */
INLINE void widen_scales(float d[PANEL], float m[PANEL]) {
    for (int i = 0; i < PANEL; i += 16) {
        __m512i raw = _mm512_load_si512(d + i);
        _mm512_store_ps(d + i, _mm512_cvtph_ps(_mm512_cvtepi32_epi16(raw)));
        if (m == NULL) continue;
        raw = _mm512_srli_epi32(raw, 16);
        _mm512_store_ps(m + i, _mm512_cvtph_ps(_mm512_cvtepi32_epi16(raw)));
    }
}

enum {
    BLOCK_STEP = sizeof(struct panel_block) / sizeof(float),
    SUPER_STEP = sizeof(struct panel_super) / sizeof(float)
};

/* The next panel's bytes in address order, a share with every step of unpacking this one: 32 rows
 * read abreast are more streams than the hardware follows. This is part `part` of `parts` of what
 * corresponds to one block of `size` bytes at `at`. */
INLINE void prefetch_next(const struct weight_rows *rows, size_t at, size_t size, int part,
                          int parts) {
    const size_t share = size * PANEL / (size_t)parts;
    const char *next = (const char *)rows->next + at * PANEL + share * (size_t)part;
    for (size_t line = 0; line < share; line += 64) _mm_prefetch(next + line, _MM_HINT_T1);
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
    size_t at = first * sizeof(struct q4_0);
    copy_scales(out->d, BLOCK_STEP, rows, at, sizeof(struct q4_0), count, 2);
    for (; count > 0; count--, out++) {
        widen_scales(out->d, NULL);
        for (int h = 0; h < 2; h++) {
            prefetch_next(rows, at, sizeof(struct q4_0), h, 2);
            unpack_nibbles(out, rows->row, at + 2, h);
        }
        at += sizeof(struct q4_0);
    }
}

void unpack_q4_1_avx512(void *panel, const struct weight_rows *rows, size_t first, size_t count) {
    struct panel_block *out = panel;
    size_t at = first * sizeof(struct q4_1);
    copy_scales(out->d, BLOCK_STEP, rows, at, sizeof(struct q4_1), count, 4);
    for (; count > 0; count--, out++) {
        widen_scales(out->d, out->m);
        for (int h = 0; h < 2; h++) {
            prefetch_next(rows, at, sizeof(struct q4_1), h, 2);
            unpack_nibbles(out, rows->row, at + 4, h);
        }
        at += sizeof(struct q4_1);
    }
}

/* Signed bytes become unsigned by adding 128; the tile starts at -128 times the sum of q. */
void unpack_q8_0_avx512(void *panel, const struct weight_rows *rows, size_t first, size_t count) {
    struct panel_block *out = panel;
    const __m512i sign = _mm512_set1_epi8((char)0x80);
    size_t at = first * sizeof(struct q8_0);
    copy_scales(out->d, BLOCK_STEP, rows, at, sizeof(struct q8_0), count, 2);
    for (; count > 0; count--, out++) {
        widen_scales(out->d, NULL);
        for (int i = 0; i < 4; i++) { /* 16 bytes of 16 rows */
            __m512i v[4];
            int part = i / 2, half = i % 2;
            prefetch_next(rows, at, sizeof(struct q8_0), i, 4);
            load_transposed(v, rows->row + 16 * half, at + 2 + 16 * (size_t)part);
            for (int s = 0; s < 4; s++)
                _mm512_store_si512(out->q[4 * part + s][16 * half], _mm512_xor_si512(v[s], sign));
        }
        at += sizeof(struct q8_0);
    }
}

INLINE __m512 widen_low(__m512i v) {
    return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(v));
}

/* out[j * PANEL ..]: byte j of each dword. */
INLINE void store_bytes(int32_t *out, __m512i v) {
    for (int j = 0; j < 4; j++, out += PANEL) {
        __m512i byte =
            _mm512_and_si512(_mm512_srli_epi32(v, (unsigned)(8 * j)), _mm512_set1_epi32(255));
        _mm512_store_si512(out, byte);
    }
}

/* Bytes 0 and 1 of each dword as 16-bit numbers to `first`, bytes 2 and 3 to `second`. */
INLINE void store_pairs(void *first, void *second, __m512i v) {
    const __m128i low = _mm_setr_epi8(0, -1, 1, -1, 4, -1, 5, -1, 8, -1, 9, -1, 12, -1, 13, -1);
    const __m512i pick = _mm512_broadcast_i32x4(low);
    _mm512_store_si512(first, _mm512_shuffle_epi8(v, pick));
    _mm512_store_si512(second, _mm512_shuffle_epi8(_mm512_srli_epi32(v, 16), pick));
}

/* The 16 bytes of d, dmin and packed scales that open the super-block at `at`: k_scales() of 16
 * rows at once. */
INLINE void unpack_k_scales(struct panel_super *out, const struct weight_rows *rows, size_t at) {
    const __m512i low6 = _mm512_set1_epi8(0x3f), top2 = _mm512_set1_epi8(0x30);
    for (int h = 0; h < PANEL; h += 16) {
        __m512i v[4];
        load_transposed(v, rows->row + h, at);
        __m512i a = v[1], b = v[2], c = v[3];
        __m512i a_top = _mm512_and_si512(_mm512_srli_epi16(a, 2), top2);
        __m512i b_top = _mm512_and_si512(_mm512_srli_epi16(b, 2), top2);
        __m512i min_lo = _mm512_and_si512(b, low6);
        __m512i min_hi = _mm512_or_si512(high_nibbles(c), b_top);
        store_bytes(&out->scale32[0][h], _mm512_and_si512(a, low6));
        store_bytes(&out->scale32[4][h], _mm512_or_si512(low_nibbles(c), a_top));
        store_pairs(out->min[0][h], out->min[1][h], min_lo);
        store_pairs(out->min[2][h], out->min[3][h], min_hi);
        _mm512_store_ps(out->d + h, widen_low(v[0]));
        _mm512_store_ps(out->dmin + h, widen_low(_mm512_srli_epi32(v[0], 16)));
    }
}

void unpack_q4_k_avx512(void *panel, const struct weight_rows *rows, size_t first, size_t count) {
    struct panel_super *out = panel;
    size_t at = first * sizeof(struct q4_k);
    for (; count > 0; count--, out++) {
        unpack_k_scales(out, rows, at);
        for (int i = 0; i < 16; i++) { /* 16 bytes of 16 rows */
            __m512i v[4];
            int half = i % 2, part = i / 2; /* byte 16 * part; two parts a group of 64 values */
            int low = part / 2 * 2, step = part % 2 * 4;
            prefetch_next(rows, at, sizeof(struct q4_k), i, 16);
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
    size_t at = first * sizeof(struct q5_k);
    for (; count > 0; count--, out++) {
        unpack_k_scales(out, rows, at);
        for (int i = 0; i < 4; i++) { /* 16 of each 32 values, 16 rows */
            int half = i % 2, step = i / 2 * 4;
            size_t byte = 16 * (size_t)(i / 2);
            __m512i v[4], high[4];
            load_transposed(high, rows->row + 16 * half, at + offsetof(struct q5_k, high) + byte);
            for (int g = 0; g < 4; g++) {
                prefetch_next(rows, at, sizeof(struct q5_k), 4 * i + g, 16);
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

INLINE void unpack_q6_k_scales(struct panel_super *out, const struct weight_rows *rows, size_t at) {
    for (int h = 0; h < PANEL; h += 16) {
        __m512i v[4];
        load_transposed(v, rows->row + h, at);
        for (int j = 0; j < 16; j++) { /* byte j % 4 of each dword, sign and all */
            __m512i high = _mm512_slli_epi32(v[j / 4], (unsigned)(24 - 8 * (j % 4)));
            _mm512_store_si512(&out->scale16[j][h], _mm512_srai_epi32(high, 24));
        }
    }
}

void unpack_q6_k_avx512(void *panel, const struct weight_rows *rows, size_t first, size_t count) {
    struct panel_super *out = panel;
    size_t at = first * sizeof(struct q6_k);
    copy_scales(out->d, SUPER_STEP, rows, at + offsetof(struct q6_k, d), sizeof(struct q6_k), count,
                2);
    for (; count > 0; count--, out++) {
        widen_scales(out->d, NULL);
        unpack_q6_k_scales(out, rows, at + offsetof(struct q6_k, scales));
        for (int i = 0; i < 8; i++) {
            prefetch_next(rows, at, sizeof(struct q6_k), i, 8);
            unpack_q6_k_part(out, rows->row + 16 * (i % 2), at, i / 4, i / 2 % 2, i % 2);
        }
        at += sizeof(struct q6_k);
    }
}
