/* linear, AVX-512: see linear.h. Pass one (scan_*) walks the weights, pass two (chain_*) is the
 * numeric contract's chain, 16 rows abreast. */
#include "kernels/avx512/linear.h"

#define INLINE static inline __attribute__((always_inline))

enum {
    QUADS = 24,   /* quads a pass: 96 blocks, 24 KB of raw sums */
    SUPERS = 24,  /* super-blocks a pass */
    AHEAD = 12288 /* bytes to prefetch ahead of a row that is read in one pass */
};

struct scratch_blocks {
    _Alignas(64) __m512i raw[QUADS][LINEAR_ROWS]; /* lane l: block 4q + l */
    __m128i scales[QUADS][LINEAR_ROWS]; /* dword l: d and m of block 4q + l; see place() */
};

struct scratch_supers {
    _Alignas(64) __m512i raw[SUPERS][LINEAR_ROWS]; /* the sum of all dwords counts */
    __m128i min[SUPERS][LINEAR_ROWS];              /* likewise: minimums (Q6_K: offsets) */
    uint32_t scales[SUPERS][LINEAR_ROWS];          /* d, and in the upper half dmin */
};

size_t linear_scratch_avx512(void) {
    return sizeof(struct scratch_blocks) > sizeof(struct scratch_supers)
               ? sizeof(struct scratch_blocks)
               : sizeof(struct scratch_supers);
}

/* 16 rows of weights, from a block on. */
struct span {
    const uint8_t *row[LINEAR_ROWS];
    const uint8_t
        *ahead[LINEAR_ROWS]; /* what to prefetch while a row is read, lines of it a step */
    const uint8_t *after;    /* what to prefetch during the chain, after_lines a step */
    size_t after_lines;
    const uint8_t *end; /* of all weights */
    size_t count;       /* blocks */
};

INLINE uint32_t load4(const uint8_t *bytes) {
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

INLINE int32_t load2(const uint8_t *bytes) {
    uint16_t half;
    memcpy(&half, bytes, sizeof half);
    return half;
}

INLINE const uint8_t *prefetch(const uint8_t *p, size_t lines) {
    for (; lines > 0; lines--, p += 64) _mm_prefetch((const char *)p, _MM_HINT_T0);
    return p;
}

INLINE size_t block_size(uint32_t type) {
    switch (type) {
    case WEIGHT_Q4_0: return sizeof(struct q4_0);
    case WEIGHT_Q4_1: return sizeof(struct q4_1);
    case WEIGHT_Q8_0: return sizeof(struct q8_0);
    case WEIGHT_Q4_K: return sizeof(struct q4_k);
    case WEIGHT_Q5_K: return sizeof(struct q5_k);
    default: return sizeof(struct q6_k);
    }
}

/* Four blocks of 32-block weights: first and second halves of the values, lane l is block l; and
 * the blocks' scales. */
struct quad {
    __m512i lo, hi;
    __m128i scales;
};

INLINE void split_nibbles(struct quad *out, __m512i bytes) {
    const __m512i nibble = _mm512_set1_epi8(15);
    out->lo = _mm512_and_si512(bytes, nibble);
    out->hi = _mm512_and_si512(_mm512_srli_epi16(bytes, 4), nibble);
}

/* 80 bytes: dword 5l is d and m of block l, the 4 after it its nibbles. */
INLINE struct quad load_q4_1(const uint8_t *p) {
    const __m512i pick = _mm512_setr_epi32(1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14, 16, 17, 18, 19);
    const __m512i heads = _mm512_setr_epi32(0, 5, 10, 15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    __m512i front = _mm512_loadu_si512(p);
    __m512i back = _mm512_castsi128_si512(_mm_loadu_si128((const void *)(p + 64)));
    struct quad out;
    split_nibbles(&out, _mm512_permutex2var_epi32(front, pick, back));
    out.scales = _mm512_castsi512_si128(_mm512_permutexvar_epi32(heads, front));
    return out;
}

/* Words w .. w + 3. */
#define WORDS(w) (0x3000200010000LL + (w)*0x1000100010001LL)

/* 72 bytes: word 9l is d of block l, the 8 after it its nibbles. */
INLINE struct quad load_q4_0(const uint8_t *p) {
    const __m512i pick = _mm512_setr_epi64(WORDS(1), WORDS(5), WORDS(10), WORDS(14), WORDS(19),
                                           WORDS(23), WORDS(32), WORDS(36));
    const __m512i heads = _mm512_setr_epi32(0, 9, 18, 27, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    __m512i front = _mm512_loadu_si512(p);
    __m512i back = _mm512_castsi128_si512(_mm_loadu_si128((const void *)(p + 56)));
    struct quad out;
    split_nibbles(&out, _mm512_permutex2var_epi16(front, pick, back));
    out.scales = _mm512_castsi512_si128(_mm512_maskz_permutexvar_epi16(0x55, heads, front));
    return out;
}

/* Lane l: 16 bytes of block l. */
INLINE __m512i load_lanes(const uint8_t *p) {
    const size_t size = sizeof(struct q8_0);
    __m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const void *)p));
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(p + size)), 1);
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(p + 2 * size)), 2);
    return _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(p + 3 * size)), 3);
}

/* 4 blocks of 34 bytes; the values are made unsigned. (Permuting 64-byte loads is slower here.) */
INLINE struct quad load_q8_0(const uint8_t *p) {
    const __m512i sign = _mm512_set1_epi8((char)0x80);
    const size_t size = sizeof(struct q8_0);
    struct quad out;
    out.lo = _mm512_xor_si512(load_lanes(p + 2), sign);
    out.hi = _mm512_xor_si512(load_lanes(p + 18), sign);
    out.scales =
        _mm_setr_epi32(load2(p), load2(p + size), load2(p + 2 * size), load2(p + 3 * size));
    return out;
}

INLINE struct quad load_quad(uint32_t type, const uint8_t *p) {
    return type == WEIGHT_Q4_0 ? load_q4_0(p) : type == WEIGHT_Q4_1 ? load_q4_1(p) : load_q8_0(p);
}

/* Where rows lie in a quad's 16 scales, so that widen_quad's transposition puts them in order. */
INLINE int place(int row) {
    return row % 4 * 4 + row / 4;
}

INLINE void scan_quad(uint32_t type, struct scratch_blocks *scratch, size_t q, int r,
                      const uint8_t *p, const struct linear_quad *a) {
    struct quad w = load_quad(type, p);
    __m512i sum = _mm512_setzero_si512();
    sum = _mm512_dpbusd_epi32(sum, w.lo, _mm512_load_si512(a->q[0]));
    scratch->raw[q][r] = _mm512_dpbusd_epi32(sum, w.hi, _mm512_load_si512(a->q[1]));
    scratch->scales[q][place(r)] = w.scales;
}

/* The last, incomplete quad of a row: `rest` blocks count, what else is read meets zeros. At the
 * end of the weights it is read from a copy. */
INLINE void scan_rest(uint32_t type, struct scratch_blocks *scratch, size_t q, int r,
                      const uint8_t *p, const uint8_t *end, size_t rest,
                      const struct linear_quad *a) {
    uint8_t copy[4 * sizeof(struct q8_0)] = {0};
    const size_t size = block_size(type);
    if (p + 4 * size > end) p = memcpy(copy, p, rest * size);
    scan_quad(type, scratch, q, r, p, a);
}

INLINE void scan_blocks(uint32_t type, struct scratch_blocks *scratch, const struct span *w,
                        const struct linear_quad *a) {
    const size_t size = block_size(type), full = w->count / 4, rest = w->count % 4;
    for (int r = 0; r < LINEAR_ROWS; r++) {
        const uint8_t *p = w->row[r], *ahead = w->ahead[r];
        for (size_t q = 0; q < full; q++, p += 4 * size) {
            ahead = prefetch(ahead, 4 * size / 64);
            scan_quad(type, scratch, q, r, p, a + q);
        }
        if (rest > 0) {
            prefetch(ahead, 4 * size / 64);
            scan_rest(type, scratch, full, r, p, w->end, rest, a + full);
        }
    }
}

/* out[l], dword r: lane l of in[r / 4], dword r % 4. */
INLINE void transpose_lanes(__m512i v[4]) {
    __m512i a = _mm512_shuffle_i32x4(v[0], v[1], 0x44), b = _mm512_shuffle_i32x4(v[0], v[1], 0xee);
    __m512i c = _mm512_shuffle_i32x4(v[2], v[3], 0x44), d = _mm512_shuffle_i32x4(v[2], v[3], 0xee);
    v[0] = _mm512_shuffle_i32x4(a, c, 0x88);
    v[1] = _mm512_shuffle_i32x4(a, c, 0xdd);
    v[2] = _mm512_shuffle_i32x4(b, d, 0x88);
    v[3] = _mm512_shuffle_i32x4(b, d, 0xdd);
}

/* out[l], dword r: the sum of lane l of raw[r]. */
INLINE void lanes_to_rows(__m512i out[4], const __m512i raw[LINEAR_ROWS]) {
    for (int g = 0; g < 4; g++) {
        __m512i v[4] = {raw[4 * g], raw[4 * g + 1], raw[4 * g + 2], raw[4 * g + 3]};
        sum_lanes(v);
        out[g] = v[0];
    }
    transpose_lanes(out);
}

/* f32 from the f16 in the lower (upper) half of every dword. */
INLINE __m512 widen_low(__m512i v) {
    return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(v));
}

INLINE __m512 widen_high(__m512i v) {
    return widen_low(_mm512_srli_epi32(v, 16));
}

/* out[l], dword r: the scales of block l of row r. */
INLINE void scales_to_rows(__m512i out[4], const __m128i scales[LINEAR_ROWS]) {
    __m512i a = _mm512_load_si512(scales), b = _mm512_load_si512(scales + 4);
    __m512i c = _mm512_load_si512(scales + 8), d = _mm512_load_si512(scales + 12);
    __m512i ab01 = _mm512_unpacklo_epi32(a, b), ab23 = _mm512_unpackhi_epi32(a, b);
    __m512i cd01 = _mm512_unpacklo_epi32(c, d), cd23 = _mm512_unpackhi_epi32(c, d);
    out[0] = _mm512_unpacklo_epi64(ab01, cd01);
    out[1] = _mm512_unpackhi_epi64(ab01, cd01);
    out[2] = _mm512_unpacklo_epi64(ab23, cd23);
    out[3] = _mm512_unpackhi_epi64(ab23, cd23);
}

/* d and start are those of the first block of the pass. */
INLINE __m512 chain_blocks(uint32_t type, __m512 acc, const struct scratch_blocks *scratch,
                           const struct span *w, const float *d, const float *start) {
    const uint8_t *after = w->after;
    for (size_t q = 0; q < (w->count + 3) / 4; q++) {
        after = prefetch(after, w->after_lines);
        __m512i sum[4], scales[4];
        lanes_to_rows(sum, scratch->raw[q]);
        scales_to_rows(scales, scratch->scales[q]);
#pragma GCC unroll 4
        for (size_t l = 0; l < 4; l++) {
            size_t b = 4 * q + l;
            if (b >= w->count) break;
            __m512 scale = _mm512_mul_ps(widen_low(scales[l]), _mm512_set1_ps(d[b]));
            __m512 s = _mm512_set1_ps(start[b]);
            if (type == WEIGHT_Q4_1) {
                acc = _mm512_fmadd_ps(scale, _mm512_cvtepi32_ps(sum[l]), acc);
                acc = _mm512_fmadd_ps(widen_high(scales[l]), s, acc);
            } else {
                __m512i whole = _mm512_add_epi32(sum[l], _mm512_castps_si512(s));
                acc = _mm512_fmadd_ps(scale, _mm512_cvtepi32_ps(whole), acc);
            }
        }
    }
    return acc;
}

/* Unpacked values of a super-block, 64 bytes a vector, in the order of struct linear_super. */
INLINE void unpack_super(uint32_t type, __m512i out[4], const uint8_t *p) {
    const __m512i nibble = _mm512_set1_epi8(15);
    size_t at = type == WEIGHT_Q4_K   ? offsetof(struct q4_k, q)
                : type == WEIGHT_Q5_K ? offsetof(struct q5_k, q)
                                      : offsetof(struct q6_k, low);
    for (int i = 0; i < 2; i++) {
        __m512i v = _mm512_loadu_si512(p + at + 64 * (size_t)i);
        out[2 * i] = _mm512_and_si512(v, nibble);
        out[2 * i + 1] = _mm512_and_si512(_mm512_srli_epi16(v, 4), nibble);
    }
}

/* Q5_K: vector 2i + j holds sub-blocks 4i + j and 4i + j + 2. */
INLINE void add_fifth_bits(__m512i v[4], const uint8_t *p) {
    __m256i bits = _mm256_loadu_si256((const void *)(p + offsetof(struct q5_k, high)));
    __m512i high = _mm512_broadcast_i64x4(bits);
    for (int i = 0; i < 4; i++) {
        int sub = i / 2 * 4 + i % 2;
        __m512i bit = _mm512_inserti64x4(_mm512_set1_epi8((char)(1 << sub)),
                                         _mm256_set1_epi8((char)(1 << (sub + 2))), 1);
        v[i] = _mm512_mask_add_epi8(v[i], _mm512_test_epi8_mask(high, bit), v[i],
                                    _mm512_set1_epi8(16));
    }
}

/* Q6_K: per half, bits 0-1 and 2-3 of the 32 bytes go to the first vector, 4-5 and 6-7 to the
 * second, each as bits 4-5. */
INLINE void add_top_bits(__m512i v[4], const uint8_t *p) {
    const __m512i top = _mm512_set1_epi8(0x30);
    const __m512i left = _mm512_inserti64x4(_mm512_set1_epi16(4), _mm256_set1_epi16(2), 1);
    const __m512i right = _mm512_inserti64x4(_mm512_set1_epi16(0), _mm256_set1_epi16(2), 1);
    for (int i = 0; i < 2; i++) {
        const uint8_t *at = p + offsetof(struct q6_k, high) + 32 * (size_t)i;
        __m512i high = _mm512_broadcast_i64x4(_mm256_loadu_si256((const void *)at));
        __m512i lo = _mm512_and_si512(_mm512_sllv_epi16(high, left), top);
        __m512i hi = _mm512_and_si512(_mm512_srlv_epi16(high, right), top);
        v[2 * i] = _mm512_or_si512(v[2 * i], lo);
        v[2 * i + 1] = _mm512_or_si512(v[2 * i + 1], hi);
    }
}

/* Sums of products of 16-bit pairs, at most 2 * 63 * 127 each, times the sub-block's scale. */
INLINE __m512i dot_scaled(__m512i acc, __m512i w, const int8_t *a, __m512i scale) {
    __m512i pairs = _mm512_maddubs_epi16(w, _mm512_load_si512(a));
    return _mm512_dpwssd_epi32(acc, pairs, scale);
}

INLINE void scan_super_32(uint32_t type, struct scratch_supers *scratch, size_t b, int r,
                          const uint8_t *p, const struct linear_super *a) {
    uint8_t bytes[16];
    __m512i v[4], acc = _mm512_setzero_si512();
    k_scales(bytes, p + 4);
    __m128i packed = _mm_loadu_si128((const void *)bytes);
    __m512i scales = _mm512_broadcast_i32x4(packed);
    unpack_super(type, v, p);
    if (type == WEIGHT_Q5_K) add_fifth_bits(v, p);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        int sub = i / 2 * 4 + i % 2;
        __m512i pick = _mm512_inserti64x4(_mm512_set1_epi16((short)(0x8000 | sub)),
                                          _mm256_set1_epi16((short)(0x8000 | (sub + 2))), 1);
        acc = dot_scaled(acc, v[i], a->q[2 * i], _mm512_shuffle_epi8(scales, pick));
    }
    scratch->raw[b][r] = acc;
    __m128i mins = _mm_unpackhi_epi8(packed, _mm_setzero_si128());
    scratch->min[b][r] = _mm_madd_epi16(mins, _mm_load_si128((const __m128i *)a->sum));
    scratch->scales[b][r] = load4(p);
}

INLINE void scan_super_16(struct scratch_supers *scratch, size_t b, int r, const uint8_t *p,
                          const struct linear_super *a) {
    const __m128i packed = _mm_loadu_si128((const void *)(p + offsetof(struct q6_k, scales)));
    __m256i scales = _mm256_cvtepi8_epi16(packed);
    __m512i v[4], acc = _mm512_setzero_si512(), wide = _mm512_castsi256_si512(scales);
    unpack_super(WEIGHT_Q6_K, v, p);
    add_top_bits(v, p);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) { /* lane l: scale 4i + l */
        __m512i pick = _mm512_add_epi16(_mm512_setr_epi64(0, 0, 0x1000100010001, 0x1000100010001,
                                                          0x2000200020002, 0x2000200020002,
                                                          0x3000300030003, 0x3000300030003),
                                        _mm512_set1_epi16((short)(4 * i)));
        acc = dot_scaled(acc, v[i], a->q[2 * i], _mm512_permutexvar_epi16(pick, wide));
    }
    scratch->raw[b][r] = acc;
    __m256i offset = _mm256_madd_epi16(scales, _mm256_load_si256((const __m256i *)a->sum));
    scratch->min[b][r] =
        _mm_add_epi32(_mm256_castsi256_si128(offset), _mm256_extracti128_si256(offset, 1));
    scratch->scales[b][r] = (uint32_t)load2(p + offsetof(struct q6_k, d));
}

INLINE void scan_supers(uint32_t type, struct scratch_supers *scratch, const struct span *w,
                        const struct linear_super *a) {
    const size_t size = block_size(type);
    for (int r = 0; r < LINEAR_ROWS; r++) {
        const uint8_t *p = w->row[r], *ahead = w->ahead[r];
        for (size_t b = 0; b < w->count; b++, p += size) {
            ahead = prefetch(ahead, size / 64);
            if (type == WEIGHT_Q6_K)
                scan_super_16(scratch, b, r, p, a + b);
            else
                scan_super_32(type, scratch, b, r, p, a + b);
        }
    }
}

/* Dword r: the sum of the dwords of min[r]. */
INLINE __m512i mins_to_rows(const __m128i min[LINEAR_ROWS]) {
    __m512i v[4]; /* vector i, lane l: row 4l + i */
    for (int i = 0; i < 4; i++) {
        v[i] = _mm512_castsi128_si512(min[i]);
        v[i] = _mm512_inserti32x4(v[i], min[i + 4], 1);
        v[i] = _mm512_inserti32x4(v[i], min[i + 8], 2);
        v[i] = _mm512_inserti32x4(v[i], min[i + 12], 3);
    }
    sum_lanes(v);
    return v[0];
}

INLINE __m512 chain_supers(uint32_t type, __m512 acc, const struct scratch_supers *scratch,
                           const struct span *w, const struct linear_super *a) {
    const uint8_t *after = w->after;
    for (size_t b = 0; b < w->count; b++) {
        after = prefetch(after, w->after_lines);
        __m512i part[4], min = mins_to_rows(scratch->min[b]);
        lanes_to_rows(part, scratch->raw[b]);
        __m512i sum = _mm512_add_epi32(_mm512_add_epi32(part[0], part[1]),
                                       _mm512_add_epi32(part[2], part[3]));
        __m512 d = _mm512_set1_ps(a[b].d);
        if (type == WEIGHT_Q6_K) sum = _mm512_sub_epi32(sum, _mm512_slli_epi32(min, 5));
        const __m512i scales = _mm512_load_si512(scratch->scales[b]);
        __m512 scale = _mm512_mul_ps(widen_low(scales), d);
        acc = _mm512_fmadd_ps(scale, _mm512_cvtepi32_ps(sum), acc);
        if (type == WEIGHT_Q6_K) continue;
        scale = _mm512_mul_ps(widen_high(scales), d);
        acc = _mm512_fnmadd_ps(scale, _mm512_cvtepi32_ps(min), acc);
    }
    return acc;
}

/* Chooses what to prefetch. Rows read in one pass follow each other in memory: the whole lines of
 * each step now, what that leaves over during the chain. Otherwise a pass reads a piece of each
 * row, and prefetches for the row LATER rows on: in this pass, in the next, or of the next 16. */
INLINE void aim(struct span *w, size_t row_size, size_t pass_size, size_t step, bool last) {
    enum { LATER = 3 };
    const size_t steps = (pass_size + step - 1) / step, now = steps * (step / 64) * 64;
    w->after = w->row[0] + AHEAD + LINEAR_ROWS * now;
    w->after_lines = 0;
    if (row_size == pass_size && now < row_size)
        w->after_lines = (LINEAR_ROWS * (row_size - now) / 64 + steps - 1) / steps;
    for (int r = 0; r < LINEAR_ROWS; r++) {
        if (row_size == pass_size)
            w->ahead[r] = w->row[0] + AHEAD + (size_t)r * now;
        else if (r + LATER < LINEAR_ROWS)
            w->ahead[r] = w->row[r + LATER];
        else if (!last)
            w->ahead[r] = w->row[r + LATER - LINEAR_ROWS] + pass_size;
        else
            w->ahead[r] = w->row[r] - (row_size - pass_size) + LATER * row_size;
    }
}

/* 16 rows from `row` on, all of k. */
INLINE __m512 linear_rows(uint32_t type, const uint8_t *const row[LINEAR_ROWS], const uint8_t *end,
                          const void *activation, size_t n_blocks, void *scratch) {
    const bool super = type >= WEIGHT_Q4_K;
    const size_t most = super ? SUPERS : 4 * QUADS, size = block_size(type);
    const size_t passes = (n_blocks + most - 1) / most;
    const size_t pass = ((n_blocks + passes - 1) / passes + 3) / 4 * 4; /* whole quads, even */
    const float *d = linear_d(activation, n_blocks), *start = d + 4 * linear_quads(n_blocks);
    __m512 acc = _mm512_setzero_ps();
    for (size_t first = 0; first < n_blocks; first += pass) {
        struct span w = {.end = end, .count = n_blocks - first < pass ? n_blocks - first : pass};
        for (int r = 0; r < LINEAR_ROWS; r++) w.row[r] = row[r] + first * size;
        aim(&w, n_blocks * size, w.count * size, super ? size : 4 * size, first + pass >= n_blocks);
        if (super) {
            const struct linear_super *a = (const struct linear_super *)activation + first;
            scan_supers(type, scratch, &w, a);
            acc = chain_supers(type, acc, scratch, &w, a);
        } else {
            scan_blocks(type, scratch, &w, (const struct linear_quad *)activation + first / 4);
            acc = chain_blocks(type, acc, scratch, &w, d + first, start + first);
        }
    }
    return acc;
}

INLINE void linear(uint32_t type, float *y, const uint8_t *w, size_t n, const void *activation,
                   size_t n_blocks, void *scratch) {
    const size_t stride = n_blocks * block_size(type);
    prefetch(w, (n * stride < AHEAD ? n * stride : AHEAD) / 64);
    for (size_t first = 0; first < n; first += LINEAR_ROWS) {
        const size_t left = n - first;
        const uint8_t *row[LINEAR_ROWS];
        for (size_t r = 0; r < LINEAR_ROWS; r++)
            row[r] = w + (first + (r < left ? r : left - 1)) * stride;
        __m512 acc = linear_rows(type, row, w + n * stride, activation, n_blocks, scratch);
        __mmask16 rows = left < LINEAR_ROWS ? (__mmask16)((1u << left) - 1) : 0xffff;
        _mm512_mask_storeu_ps(y + first, rows, acc);
    }
}

void matmul_linear_avx512(uint32_t type, float *y, const void *w, size_t n, const void *activation,
                          size_t k, void *scratch) {
    switch (type) { /* one compiled body a type */
    case WEIGHT_Q4_0: linear(WEIGHT_Q4_0, y, w, n, activation, k / BLOCK, scratch); break;
    case WEIGHT_Q4_1: linear(WEIGHT_Q4_1, y, w, n, activation, k / BLOCK, scratch); break;
    case WEIGHT_Q8_0: linear(WEIGHT_Q8_0, y, w, n, activation, k / BLOCK, scratch); break;
    case WEIGHT_Q4_K: linear(WEIGHT_Q4_K, y, w, n, activation, k / SUPER, scratch); break;
    case WEIGHT_Q5_K: linear(WEIGHT_Q5_K, y, w, n, activation, k / SUPER, scratch); break;
    case WEIGHT_Q6_K: linear(WEIGHT_Q6_K, y, w, n, activation, k / SUPER, scratch); break;
    }
}
