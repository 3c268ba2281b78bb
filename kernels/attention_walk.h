/* attention_walk: how the vector attentions go through queries and tiles. Private to kernels/.
 *
 * Queries are taken in panels of up to ATTENTION_ROWS, sorted by what they see, copied into the
 * scratch side by side. A step covers one tile (many queries) or several (few queries: decode);
 * its rows are (tile, query) pairs, tile by tile, and it runs in three phases over all rows:
 *   scores[row][key] = scale * query . k     blocks
 *   softmax over each row, chained from tile to tile
 *   out[query][dim] = out * c + p . v        blocks, tile by tile
 * An ISA supplies the arithmetic in struct attention_ops; blocks are registers full of results.
 * Which rows share a panel, a step or a block never shows in any query's bits: every result is one
 * chain over dims or keys, and a row without a seen key changes nothing (c = 1, l + 0).
 */
#ifndef KERNELS_ATTENTION_WALK_H
#define KERNELS_ATTENTION_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct attention;

enum {
    ATTENTION_ROWS = 96,  /* rows of a step; a multiple of every ISA's block height */
    ATTENTION_PAD = 16,   /* entries past the rows that per-row arrays have room for */
    ATTENTION_WIDTH = 32, /* rows of out and of widened tiles are padded to a multiple of this */
};

/* c[i][j] = scale * fma chain over k of a[i][k] * b[k][j], from c[i][j] * factor[i], or +0 without
 * factor. Columns j past `columns` (of the ISA's block_columns) are junk, but in bounds of c. */
struct attention_block {
    const float *a;
    size_t lda;
    const void *b; /* f32 (then padded to block_columns) or f16; its rows are 2-byte aligned */
    size_t ldb;
    float *c;
    size_t ldc;
    const float *factor;
    size_t k, columns;
    float scale;
    const uint16_t
        *ahead; /* f16 only: what to prefetch while b is read, laid out as b; never NULL */
};

/* Row r of the step continues row r - n; rows are `first` .. rows-1. */
struct attention_softmax {
    float *scores;        /* [rows][KV_TILE]: scores in, probabilities out, +0 for unseen keys */
    const uint32_t *seen; /* [rows + pad]: keys in sight; 0 past rows */
    float *max, *sum;     /* [n + rows + pad]: row r's m and l before at r, after at r + n */
    float *factor;        /* [rows + pad]: c of row r, written */
    size_t n, first, rows;
};

struct attention_ops {
    size_t block_rows, block_columns;
    /* [f16][rows - 1] */
    void (*const (*block)[8])(const struct attention_block *block);
    void (*softmax)(const struct attention_softmax *softmax);
    /* Widens rows x columns f16 values to rows of ldx floats. The padding is written too: zeros. */
    void (*widen)(float *x, size_t ldx, const uint16_t *half, size_t rows, size_t columns);
    /* y[i] = x[i] / divisor */
    void (*divide)(float *y, const float *x, float divisor, size_t n);
};

void attention_walk(const struct attention *attention, const struct attention_ops *ops);
size_t attention_walk_scratch(size_t head_dim, size_t n);

#endif
