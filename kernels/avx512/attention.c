/* attention, AVX-512: keys (scores) or dims (values) are lanes; a block is 8 rows x 32 columns. */
#include "kernels/kernels.h"

#include <immintrin.h>

#include "kernels/attention_walk.h"
#include "kernels/avx512/exp.h"
#include "kernels/table.h"

enum { LANES = 16, BLOCK_ROWS = 8, BLOCK_COLUMNS = 32 };

#define INLINE static inline __attribute__((always_inline))

/* Bits 0 .. n-1, at most `most` of them. */
INLINE uint32_t low_bits(size_t n, unsigned most) {
    return (uint32_t)((1ull << (n < most ? n : most)) - 1);
}

/* Two vectors of a row of b. */
INLINE void load_row(__m512 b[2], const void *row, bool half, __mmask32 columns) {
    if (half) {
        b[0] = _mm512_cvtph_ps(_mm256_maskz_loadu_epi16((__mmask16)columns, row));
        b[1] = _mm512_cvtph_ps(
            _mm256_maskz_loadu_epi16((__mmask16)(columns >> 16), (const uint16_t *)row + LANES));
    } else {
        b[0] = _mm512_loadu_ps(row);
        b[1] = _mm512_loadu_ps((const float *)row + LANES);
    }
}

INLINE void block_start(__m512 acc[][2], const struct attention_block *block, int rows) {
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) {
        const float *c = block->c + (size_t)i * block->ldc;
        acc[i][0] = acc[i][1] = _mm512_setzero_ps();
        if (block->factor == NULL) continue;
        __m512 factor = _mm512_set1_ps(block->factor[i]);
        acc[i][0] = _mm512_mul_ps(_mm512_loadu_ps(c), factor);
        acc[i][1] = _mm512_mul_ps(_mm512_loadu_ps(c + LANES), factor);
    }
}

/* Compiled once per shape: a function of its own each, or gcc spills the accumulators. */
INLINE void block_run(const struct attention_block *block, int rows, bool half) {
    __m512 acc[BLOCK_ROWS][2], b[2];
    block_start(acc, block, rows);
    const float *a = block->a;
    size_t lda = block->lda, step = block->ldb * (half ? sizeof(uint16_t) : sizeof(float));
    const char *row = block->b, *ahead = (const char *)block->ahead;
    __mmask32 columns = low_bits(block->columns, BLOCK_COLUMNS);
    for (const float *end = a + block->k; a < end; a++, row += step) {
        load_row(b, row, half, columns);
        if (half) {
            _mm_prefetch(ahead, _MM_HINT_T0);
            ahead += step;
        }
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) {
            __m512 x = _mm512_set1_ps(a[(size_t)i * lda]);
            acc[i][0] = _mm512_fmadd_ps(x, b[0], acc[i][0]);
            acc[i][1] = _mm512_fmadd_ps(x, b[1], acc[i][1]);
        }
    }
    __m512 scale = _mm512_set1_ps(block->scale);
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) {
        float *c = block->c + (size_t)i * block->ldc;
        _mm512_storeu_ps(c, _mm512_mul_ps(acc[i][0], scale));
        _mm512_storeu_ps(c + LANES, _mm512_mul_ps(acc[i][1], scale));
    }
}

#define BLOCK(rows)                                                                                \
    static void block_f32_##rows(const struct attention_block *block) {                            \
        block_run(block, rows, false);                                                             \
    }                                                                                              \
    static void block_f16_##rows(const struct attention_block *block) {                            \
        block_run(block, rows, true);                                                              \
    }
BLOCK(1)
BLOCK(2)
BLOCK(3)
BLOCK(4)
BLOCK(5)
BLOCK(6)
BLOCK(7)
BLOCK(8)

static void (*const blocks[2][8])(const struct attention_block *block) = {
    {block_f32_1, block_f32_2, block_f32_3, block_f32_4, block_f32_5, block_f32_6, block_f32_7,
     block_f32_8},
    {block_f16_1, block_f16_2, block_f16_3, block_f16_4, block_f16_5, block_f16_6, block_f16_7,
     block_f16_8},
};

/* Scores of one row as the maximum sees them: -infinity for keys out of sight. */
INLINE __m512 row_max(const float *scores, uint32_t seen) {
    const __m512 lowest = _mm512_set1_ps(-__builtin_inff());
    uint32_t mask = low_bits(seen, KV_TILE);
    return _mm512_max_ps(_mm512_mask_loadu_ps(lowest, (__mmask16)mask, scores),
                         _mm512_mask_loadu_ps(lowest, (__mmask16)(mask >> 16), scores + LANES));
}

INLINE __m512 row_sum(const float *p) {
    return _mm512_add_ps(_mm512_loadu_ps(p), _mm512_loadu_ps(p + LANES));
}

INLINE __m512 join(__m512 a, __m512 b, bool sum) {
    return sum ? _mm512_add_ps(a, b) : _mm512_max_ps(a, b);
}

/* The 16 lanes of a, b, c, d: lane i with i + 8, then i + 4. Leaves 4 of a, 4 of b, ... */
INLINE __m512 fold_to_4(__m512 a, __m512 b, __m512 c, __m512 d, bool sum) {
    __m512 ab = join(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee), sum);
    __m512 cd = join(_mm512_shuffle_f32x4(c, d, 0x44), _mm512_shuffle_f32x4(c, d, 0xee), sum);
    return join(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xdd), sum);
}

INLINE __m512 fold_row(const float *scores, const uint32_t *seen, size_t row, bool sum) {
    scores += row * KV_TILE;
    return sum ? row_sum(scores) : row_max(scores, seen[row]);
}

/* Row i of 16 reduced by the fixed tree into lane i. */
INLINE __m512 fold(const float *scores, const uint32_t *seen, bool sum) {
    __m512 q[4];
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++)
        q[i] =
            fold_to_4(fold_row(scores, seen, i, sum), fold_row(scores, seen, i + 4, sum),
                      fold_row(scores, seen, i + 8, sum), fold_row(scores, seen, i + 12, sum), sum);
    __m512 x = join(_mm512_shuffle_ps(q[0], q[1], 0x44), _mm512_shuffle_ps(q[0], q[1], 0xee), sum);
    __m512 y = join(_mm512_shuffle_ps(q[2], q[3], 0x44), _mm512_shuffle_ps(q[2], q[3], 0xee), sum);
    return join(_mm512_shuffle_ps(x, y, 0x88), _mm512_shuffle_ps(x, y, 0xdd), sum);
}

/* p = exp(s - m) of 16 rows; max[i] is row i's m. */
static __attribute__((noinline)) void rows_exp(float *scores, const uint32_t *seen,
                                               const float *max) {
    for (size_t i = 0; i < LANES; i++, scores += KV_TILE) {
        __m512 m = _mm512_set1_ps(max[i]);
        uint32_t mask = low_bits(seen[i], KV_TILE);
        __m512 low = exp_avx512_falling(_mm512_sub_ps(_mm512_loadu_ps(scores), m));
        __m512 high = exp_avx512_falling(_mm512_sub_ps(_mm512_loadu_ps(scores + LANES), m));
        _mm512_storeu_ps(scores, _mm512_maskz_mov_ps((__mmask16)mask, low));
        _mm512_storeu_ps(scores + LANES, _mm512_maskz_mov_ps((__mmask16)(mask >> 16), high));
    }
}

static __attribute__((noinline)) void rows_max(float *max, const float *scores,
                                               const uint32_t *seen) {
    _mm512_storeu_ps(max, fold(scores, seen, false));
}

static __attribute__((noinline)) void rows_sum(float *sum, const float *scores,
                                               const uint32_t *seen) {
    _mm512_storeu_ps(sum, fold(scores, seen, true));
}

/* Turns the rows' own maxima or sums (at n + row) into running ones, tile after tile. */
static void chain_max(float *max, size_t n, size_t rows) {
    for (size_t i = 0; i < rows; i++) max[n + i] = max[i] > max[n + i] ? max[i] : max[n + i];
}

static void chain_sum(float *sum, const float *factor, size_t n, size_t rows) {
    for (size_t i = 0; i < rows; i++) sum[n + i] = __builtin_fmaf(sum[i], factor[i], sum[n + i]);
}

static void softmax(const struct attention_softmax *s) {
    float *max = s->max, *after = s->max + s->n;
    for (size_t r = s->first; r < s->rows; r += LANES)
        rows_max(after + r, s->scores + r * KV_TILE, s->seen + r);
    chain_max(max + s->first, s->n, s->rows - s->first);
    for (size_t r = s->first; r < s->rows; r += LANES) {
        __m512 change = _mm512_sub_ps(_mm512_loadu_ps(max + r), _mm512_loadu_ps(after + r));
        _mm512_storeu_ps(s->factor + r, exp_avx512_falling(change));
        rows_exp(s->scores + r * KV_TILE, s->seen + r, after + r);
        rows_sum(s->sum + s->n + r, s->scores + r * KV_TILE, s->seen + r);
    }
    chain_sum(s->sum + s->first, s->factor + s->first, s->n, s->rows - s->first);
}

static void widen(float *x, size_t ldx, const uint16_t *half, size_t rows, size_t columns) {
    for (size_t r = 0; r < rows; r++, x += ldx, half += columns)
        for (size_t i = 0; i < ldx; i += LANES) {
            uint32_t mask = i < columns ? low_bits(columns - i, LANES) : 0;
            __m256i h = _mm256_maskz_loadu_epi16((__mmask16)mask, half + i);
            _mm512_storeu_ps(x + i, _mm512_cvtph_ps(h));
        }
}

static void divide(float *y, const float *x, float divisor, size_t n) {
    __m512 by = _mm512_set1_ps(divisor);
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 mask = (__mmask16)low_bits(n - i, LANES);
        __m512 v = _mm512_maskz_loadu_ps(mask, x + i);
        _mm512_mask_storeu_ps(y + i, mask, _mm512_div_ps(v, by));
    }
}

static void attention(const struct attention *a) {
    static const struct attention_ops ops = {.block_rows = BLOCK_ROWS,
                                             .block_columns = BLOCK_COLUMNS,
                                             .block = blocks,
                                             .softmax = softmax,
                                             .widen = widen,
                                             .divide = divide};
    attention_walk(a, &ops);
}

void attention_avx512_fill(struct kernels *kernels) {
    kernels->attention = attention;
    kernels->attention_scratch = attention_walk_scratch;
}
