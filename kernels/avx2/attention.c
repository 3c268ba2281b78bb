/* attention, AVX2 + FMA + F16C: keys (scores) or dims (values) are lanes; a block is 6 rows x 16
 * columns, which with two vectors of b and a broadcast is all but one of the 16 registers. */
#include "kernels/kernels.h"

#include <immintrin.h>

#include "kernels/attention_walk.h"
#include "kernels/avx2/exp.h"
#include "kernels/table.h"

enum { LANES = 8, BLOCK_ROWS = 6, BLOCK_COLUMNS = 16 };

#define INLINE static inline __attribute__((always_inline))

/* Two vectors of a row of b. head_dim is a multiple of 8: f16 rows end between the two. */
INLINE void load_row(__m256 b[2], const void *row, bool half, bool wide) {
    if (half) {
        const __m128i *at = row;
        b[0] = _mm256_cvtph_ps(_mm_loadu_si128(at));
        b[1] = wide ? _mm256_cvtph_ps(_mm_loadu_si128(at + 1)) : _mm256_setzero_ps();
    } else {
        b[0] = _mm256_loadu_ps(row);
        b[1] = _mm256_loadu_ps((const float *)row + LANES);
    }
}

INLINE void block_start(__m256 acc[][2], const struct attention_block *block, int rows) {
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
        const float *c = block->c + (size_t)i * block->ldc;
        acc[i][0] = acc[i][1] = _mm256_setzero_ps();
        if (block->factor == NULL) continue;
        __m256 factor = _mm256_set1_ps(block->factor[i]);
        acc[i][0] = _mm256_mul_ps(_mm256_loadu_ps(c), factor);
        acc[i][1] = _mm256_mul_ps(_mm256_loadu_ps(c + LANES), factor);
    }
}

INLINE void block_store(__m256 acc[][2], const struct attention_block *block, int rows) {
    __m256 scale = _mm256_set1_ps(block->scale);
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
        float *c = block->c + (size_t)i * block->ldc;
        _mm256_storeu_ps(c, _mm256_mul_ps(acc[i][0], scale));
        _mm256_storeu_ps(c + LANES, _mm256_mul_ps(acc[i][1], scale));
    }
}

/* Compiled once per shape: a function of its own each, or gcc spills the accumulators. */
INLINE void block_run(const struct attention_block *block, int rows, bool half) {
    __m256 acc[BLOCK_ROWS][2], b[2];
    block_start(acc, block, rows);
    const float *a = block->a;
    size_t lda = block->lda, step = block->ldb * (half ? sizeof(uint16_t) : sizeof(float));
    const char *row = block->b, *ahead = (const char *)block->ahead;
    bool wide = block->columns > LANES;
    for (const float *end = a + block->k; a < end; a++, row += step) {
        load_row(b, row, half, wide);
        if (half) {
            _mm_prefetch(ahead, _MM_HINT_T0);
            ahead += step;
        }
#pragma GCC unroll 6
        for (int i = 0; i < rows; i++) {
            __m256 x = _mm256_set1_ps(a[(size_t)i * lda]);
            acc[i][0] = _mm256_fmadd_ps(x, b[0], acc[i][0]);
            acc[i][1] = _mm256_fmadd_ps(x, b[1], acc[i][1]);
        }
    }
    block_store(acc, block, rows);
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

static void (*const blocks[2][8])(const struct attention_block *block) = {
    {block_f32_1, block_f32_2, block_f32_3, block_f32_4, block_f32_5, block_f32_6},
    {block_f16_1, block_f16_2, block_f16_3, block_f16_4, block_f16_5, block_f16_6},
};

/* All bits set in the lanes of keys below `seen`, of the 8 keys that start at `key`. */
INLINE __m256 sight(uint32_t seen, int key) {
    const __m256i index = _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0);
    return _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32((int)seen - key), index));
}

/* Scores of one row as the maximum sees them: -infinity for keys out of sight. */
INLINE __m256 row_max(const float *scores, uint32_t seen) {
    __m256 max = _mm256_set1_ps(-__builtin_inff()), lowest = max;
#pragma GCC unroll 4
    for (int j = 0; j < KV_TILE; j += LANES)
        max = _mm256_max_ps(max,
                            _mm256_blendv_ps(lowest, _mm256_loadu_ps(scores + j), sight(seen, j)));
    return max;
}

/* The 16 lanes (j and j + 16), then lanes i and i + 8. */
INLINE __m256 row_sum(const float *p) {
    __m256 low = _mm256_add_ps(_mm256_loadu_ps(p), _mm256_loadu_ps(p + 16));
    __m256 high = _mm256_add_ps(_mm256_loadu_ps(p + 8), _mm256_loadu_ps(p + 24));
    return _mm256_add_ps(low, high);
}

INLINE __m256 join(__m256 a, __m256 b, bool sum) {
    return sum ? _mm256_add_ps(a, b) : _mm256_max_ps(a, b);
}

INLINE __m256 fold_row(const float *scores, const uint32_t *seen, size_t row, bool sum) {
    scores += row * KV_TILE;
    return sum ? row_sum(scores) : row_max(scores, seen[row]);
}

/* Rows i and i + 4: lanes 4 apart joined, row i's in the lower half. */
INLINE __m256 fold_two(const float *scores, const uint32_t *seen, size_t i, bool sum) {
    __m256 a = fold_row(scores, seen, i, sum), b = fold_row(scores, seen, i + 4, sum);
    return join(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31), sum);
}

/* Row i of 8 reduced by the fixed tree into lane i. */
INLINE __m256 fold(const float *scores, const uint32_t *seen, bool sum) {
    __m256 q[4];
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++) q[i] = fold_two(scores, seen, i, sum);
    __m256 x = join(_mm256_shuffle_ps(q[0], q[1], 0x44), _mm256_shuffle_ps(q[0], q[1], 0xee), sum);
    __m256 y = join(_mm256_shuffle_ps(q[2], q[3], 0x44), _mm256_shuffle_ps(q[2], q[3], 0xee), sum);
    return join(_mm256_shuffle_ps(x, y, 0x88), _mm256_shuffle_ps(x, y, 0xdd), sum);
}

/* p = exp(s - m) of 8 rows; max[i] is row i's m. */
static __attribute__((noinline)) void rows_exp(float *scores, const uint32_t *seen,
                                               const float *max) {
    for (size_t i = 0; i < LANES; i++, scores += KV_TILE) {
        __m256 m = _mm256_set1_ps(max[i]);
#pragma GCC unroll 4
        for (int j = 0; j < KV_TILE; j += LANES) {
            __m256 p = exp_avx2_falling(_mm256_sub_ps(_mm256_loadu_ps(scores + j), m));
            _mm256_storeu_ps(scores + j, _mm256_and_ps(p, sight(seen[i], j)));
        }
    }
}

static __attribute__((noinline)) void rows_max(float *max, const float *scores,
                                               const uint32_t *seen) {
    _mm256_storeu_ps(max, fold(scores, seen, false));
}

static __attribute__((noinline)) void rows_sum(float *sum, const float *scores,
                                               const uint32_t *seen) {
    _mm256_storeu_ps(sum, fold(scores, seen, true));
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
        __m256 change = _mm256_sub_ps(_mm256_loadu_ps(max + r), _mm256_loadu_ps(after + r));
        _mm256_storeu_ps(s->factor + r, exp_avx2_falling(change));
        rows_exp(s->scores + r * KV_TILE, s->seen + r, after + r);
        rows_sum(s->sum + s->n + r, s->scores + r * KV_TILE, s->seen + r);
    }
    chain_sum(s->sum + s->first, s->factor + s->first, s->n, s->rows - s->first);
}

static void widen(float *x, size_t ldx, const uint16_t *half, size_t rows, size_t columns) {
    for (size_t r = 0; r < rows; r++, x += ldx, half += columns)
        for (size_t i = 0; i < ldx; i += LANES) {
            __m128i h = _mm_setzero_si128();
            if (i < columns) h = _mm_loadu_si128((const __m128i *)(half + i));
            _mm256_storeu_ps(x + i, _mm256_cvtph_ps(h));
        }
}

static void divide(float *y, const float *x, float divisor, size_t n) {
    __m256 by = _mm256_set1_ps(divisor);
    for (size_t i = 0; i < n; i += LANES)
        _mm256_storeu_ps(y + i, _mm256_div_ps(_mm256_loadu_ps(x + i), by));
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

void attention_avx2_fill(struct kernels *kernels) {
    kernels->attention = attention;
    kernels->attention_scratch = attention_walk_scratch;
}
