/* unpack, AVX2: 8 rows of weight blocks to the operand order of the tiles (tile.h).
 *
 * The one primitive is a 4 x 4 transposition of dwords inside 128-bit lanes: rows 0..3 meet in the
 * low lane, rows 4..7 in the high one, so that vector s is dword s of the rows in order.
 */
#include "kernels/avx2/tile.h"

#define INLINE static inline __attribute__((always_inline))

INLINE __m256i load_lanes(const struct weight_rows *rows, int i, size_t at) {
    __m128i low = _mm_loadu_si128((const void *)(rows->row[i] + at));
    __m128i high = _mm_loadu_si128((const void *)(rows->row[i + 4] + at));
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

/* out[s], dword r: dword s of the 16 bytes at `at` of row r. */
INLINE void load_transposed(__m256i out[4], const struct weight_rows *rows, size_t at) {
    __m256i a = load_lanes(rows, 0, at), b = load_lanes(rows, 1, at);
    __m256i c = load_lanes(rows, 2, at), d = load_lanes(rows, 3, at);
    __m256i ab01 = _mm256_unpacklo_epi32(a, b), ab23 = _mm256_unpackhi_epi32(a, b);
    __m256i cd01 = _mm256_unpacklo_epi32(c, d), cd23 = _mm256_unpackhi_epi32(c, d);
    out[0] = _mm256_unpacklo_epi64(ab01, cd01);
    out[1] = _mm256_unpackhi_epi64(ab01, cd01);
    out[2] = _mm256_unpacklo_epi64(ab23, cd23);
    out[3] = _mm256_unpackhi_epi64(ab23, cd23);
}

INLINE __m256i low_nibbles(__m256i v) {
    return _mm256_and_si256(v, _mm256_set1_epi8(15));
}

INLINE __m256i high_nibbles(__m256i v) {
    return low_nibbles(_mm256_srli_epi16(v, 4));
}

INLINE void store(void *p, __m256i v) {
    _mm256_store_si256((__m256i *)p, v);
}

/* Raw scales of all blocks: the dword (or 2 bytes) at `at` of each row into d[row]. A pass of its
 * own, so that widen_scales finds the stores long finished. */
INLINE void copy_scales(float *d, size_t step, const struct weight_rows *rows, size_t at,
                        size_t size, size_t count, size_t bytes) {
    for (; count > 0; count--, at += size, d += step)
        for (int r = 0; r < PANEL; r++) {
            uint32_t word = 0;
            memcpy(&word, rows->row[r] + at, bytes);
            memcpy(&d[r], &word, sizeof word);
        }
}

/* f32 from the f16 in the lower halves of the dwords. */
INLINE __m256 widen_low(__m256i v) {
    v = _mm256_and_si256(v, _mm256_set1_epi32(0xffff));
    return _mm256_cvtph_ps(
        _mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1)));
}

INLINE void widen_scales(float d[PANEL], float m[PANEL]) {
    __m256i raw = _mm256_load_si256((const __m256i *)d);
    _mm256_store_ps(d, widen_low(raw));
    if (m != NULL) _mm256_store_ps(m, widen_low(_mm256_srli_epi32(raw, 16)));
}

enum {
    BLOCK_STEP = sizeof(struct panel_block) / sizeof(float),
    SUPER_STEP = sizeof(struct panel_super) / sizeof(float)
};

/* The share of the next panel that corresponds to part `part` of `parts` of the block at `at`. */
INLINE void prefetch_next(const struct weight_rows *rows, size_t at, size_t size, int part,
                          int parts) {
    const size_t share = size * PANEL / (size_t)parts;
    const char *next = (const char *)rows->next + at * PANEL + share * (size_t)part;
    for (size_t line = 0; line < share; line += 64) _mm_prefetch(next + line, _MM_HINT_T0);
}

/* Values 0..15 of a block are low nibbles, 16..31 high ones. */
INLINE void unpack_nibbles(struct panel_block *out, const struct weight_rows *rows, size_t at) {
    __m256i v[4];
    load_transposed(v, rows, at);
    for (int s = 0; s < 4; s++) {
        store(out->q[0][s], low_nibbles(v[s]));
        store(out->q[0][s + 4], high_nibbles(v[s]));
    }
}

void unpack_q4_0_avx2(void *panel, const struct weight_rows *rows, size_t first, size_t count) {
    const size_t size = sizeof(struct q4_0);
    struct panel_block *out = panel;
    size_t at = first * size;
    copy_scales(out->d, BLOCK_STEP, rows, at, size, count, 2);
    for (; count > 0; count--, out++, at += size) {
        prefetch_next(rows, at, size, 0, 1);
        widen_scales(out->d, NULL);
        unpack_nibbles(out, rows, at + offsetof(struct q4_0, q));
    }
}

void unpack_q4_1_avx2(void *panel, const struct weight_rows *rows, size_t first, size_t count) {
    const size_t size = sizeof(struct q4_1);
    struct panel_block *out = panel;
    size_t at = first * size;
    copy_scales(out->d, BLOCK_STEP, rows, at, size, count, 4);
    for (; count > 0; count--, out++, at += size) {
        prefetch_next(rows, at, size, 0, 1);
        widen_scales(out->d, out->m);
        unpack_nibbles(out, rows, at + offsetof(struct q4_1, q));
    }
}

void unpack_q8_0_avx2(void *panel, const struct weight_rows *rows, size_t first, size_t count) {
    const size_t size = sizeof(struct q8_0);
    const __m256i sign = _mm256_set1_epi8((char)0x80);
    struct panel_block *out = panel;
    size_t at = first * size;
    copy_scales(out->d, BLOCK_STEP, rows, at, size, count, 2);
    for (; count > 0; count--, out++, at += size) {
        widen_scales(out->d, NULL);
        for (int part = 0; part < 2; part++) {
            __m256i v[4];
            prefetch_next(rows, at, size, part, 2);
            load_transposed(v, rows, at + offsetof(struct q8_0, q) + 16 * (size_t)part);
            for (int s = 0; s < 4; s++) {
                v[s] = _mm256_xor_si256(v[s], sign);
                store(out->q[0][4 * part + s], low_nibbles(v[s]));
                store(out->q[1][4 * part + s], high_nibbles(v[s]));
            }
        }
    }
}

/* Byte j % 4 of every dword of v[j / 4], as a signed dword. (Unsigned scales have 6 bits.) */
INLINE __m256i byte_of(const __m256i v[], int j) {
    return _mm256_srai_epi32(_mm256_slli_epi32(v[j / 4], 24 - 8 * (j % 4)), 24);
}

/* Lower halves of the dwords from `low` and `high`. */
INLINE __m256i pair(__m256i low, __m256i high) {
    return _mm256_blend_epi16(low, _mm256_slli_epi32(high, 16), 0xaa);
}

/* The 16 bytes of d, dmin and packed scales that open the super-block at `at`: k_scales() of 8 rows
 * at once. */
INLINE void unpack_k_scales(struct panel_super *out, const struct weight_rows *rows, size_t at) {
    const __m256i low6 = _mm256_set1_epi8(0x3f), top2 = _mm256_set1_epi8(0x30);
    __m256i v[4], scales[2], mins[2];
    load_transposed(v, rows, at);
    scales[0] = _mm256_and_si256(v[1], low6);
    scales[1] =
        _mm256_or_si256(low_nibbles(v[3]), _mm256_and_si256(_mm256_srli_epi16(v[1], 2), top2));
    mins[0] = _mm256_and_si256(v[2], low6);
    mins[1] =
        _mm256_or_si256(high_nibbles(v[3]), _mm256_and_si256(_mm256_srli_epi16(v[2], 2), top2));
    for (int j = 0; j < 8; j++) {
        __m256i scale = byte_of(scales, j);
        store(out->scale[j], pair(scale, scale));
    }
    for (int j = 0; j < 4; j++)
        store(out->pair[j], pair(byte_of(mins, 2 * j), byte_of(mins, 2 * j + 1)));
    _mm256_store_ps(out->d, widen_low(v[0]));
    _mm256_store_ps(out->dmin, widen_low(_mm256_srli_epi32(v[0], 16)));
}

void unpack_q4_k_avx2(void *panel, const struct weight_rows *rows, size_t first, size_t count) {
    const size_t size = sizeof(struct q4_k);
    struct panel_super *out = panel;
    for (size_t at = first * size; count > 0; count--, out++, at += size) {
        unpack_k_scales(out, rows, at);
        for (int i = 0; i < 8; i++) { /* 16 bytes, two of them a group of 64 values */
            const int low = i / 2 * 2, step = i % 2 * 4;
            __m256i v[4];
            prefetch_next(rows, at, size, i, 8);
            load_transposed(v, rows, at + offsetof(struct q4_k, q) + 16 * (size_t)i);
            for (int s = 0; s < 4; s++) {
                store(out->q[low][step + s], low_nibbles(v[s]));
                store(out->q[low + 1][step + s], high_nibbles(v[s]));
            }
        }
    }
}

/* Bit `bit` of each byte of `high`, as bit 4. */
INLINE __m256i fifth_bit(__m256i high, int bit) {
    __m256i v = bit < 4 ? _mm256_slli_epi16(high, 4 - bit) : _mm256_srli_epi16(high, bit - 4);
    return _mm256_and_si256(v, _mm256_set1_epi8(16));
}

void unpack_q5_k_avx2(void *panel, const struct weight_rows *rows, size_t first, size_t count) {
    const size_t size = sizeof(struct q5_k);
    struct panel_super *out = panel;
    for (size_t at = first * size; count > 0; count--, out++, at += size) {
        unpack_k_scales(out, rows, at);
        for (int i = 0; i < 8; i++) { /* group of 64 values, 16 of each 32 */
            const int group = i % 4, step = i / 4 * 4;
            const size_t byte = 16 * (size_t)(i / 4);
            __m256i v[4], high[4];
            prefetch_next(rows, at, size, i, 8);
            load_transposed(high, rows, at + offsetof(struct q5_k, high) + byte);
            load_transposed(v, rows, at + offsetof(struct q5_k, q) + byte + 32 * (size_t)group);
            for (int s = 0; s < 4; s++) {
                __m256i lo = fifth_bit(high[s], 2 * group);
                __m256i hi = fifth_bit(high[s], 2 * group + 1);
                store(out->q[2 * group][step + s], _mm256_or_si256(low_nibbles(v[s]), lo));
                store(out->q[2 * group + 1][step + s], _mm256_or_si256(high_nibbles(v[s]), hi));
            }
        }
    }
}

/* Bits 2g..2g+1 of each byte of `high`, as bits 4..5. */
INLINE __m256i top_bits(__m256i high, int g) {
    __m256i v = g < 2 ? _mm256_slli_epi16(high, 4 - 2 * g) : _mm256_srli_epi16(high, 2 * g - 4);
    return _mm256_and_si256(v, _mm256_set1_epi8(0x30));
}

/* 16 of each 32 values (part) in one half of 128 values. */
INLINE void unpack_q6_k_part(struct panel_super *out, const struct weight_rows *rows, size_t at,
                             int half, int part) {
    const size_t byte = 16 * (size_t)part;
    __m256i high[4], v[4];
    load_transposed(high, rows, at + offsetof(struct q6_k, high) + 32 * (size_t)half + byte);
    for (int l = 0; l < 2; l++) { /* low nibbles: values 32l.., high nibbles: 64 + 32l.. */
        load_transposed(v, rows, at + 64 * (size_t)half + 32 * (size_t)l + byte);
        for (int s = 0; s < 4; s++) {
            __m256i lo = _mm256_or_si256(low_nibbles(v[s]), top_bits(high[s], l));
            __m256i hi = _mm256_or_si256(high_nibbles(v[s]), top_bits(high[s], l + 2));
            store(out->q[4 * half + l][4 * part + s], lo);
            store(out->q[4 * half + l + 2][4 * part + s], hi);
        }
    }
}

void unpack_q6_k_avx2(void *panel, const struct weight_rows *rows, size_t first, size_t count) {
    const size_t size = sizeof(struct q6_k);
    struct panel_super *out = panel;
    size_t at = first * size;
    copy_scales(out->d, SUPER_STEP, rows, at + offsetof(struct q6_k, d), size, count, 2);
    for (; count > 0; count--, out++, at += size) {
        __m256i v[4];
        widen_scales(out->d, NULL);
        load_transposed(v, rows, at + offsetof(struct q6_k, scales));
        for (int j = 0; j < 16; j++) store(out->scale[j], pair(byte_of(v, j), byte_of(v, j)));
        for (int j = 0; j < 8; j++)
            store(out->pair[j], pair(byte_of(v, 2 * j), byte_of(v, 2 * j + 1)));
        for (int i = 0; i < 4; i++) {
            prefetch_next(rows, at, size, i, 4);
            unpack_q6_k_part(out, rows, at, i / 2, i % 2);
        }
    }
}
