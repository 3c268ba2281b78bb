/* tile: how the AVX2 matmul lays out its operands.
 *
 * Activations: tiles of TILE rows (the last may have fewer), each a sequence of one struct
 * tile_block or tile_super per block of k. Weights: PANEL rows are unpacked to unsigned bytes,
 * dword r of vector s holding values 4s..4s+3 of row r. vpmaddubsw's 16-bit sums then add up
 * without saturating over 8 steps of 4-bit weights, 4 of 5-bit, 2 of 6-bit; vpmaddwd widens them
 * and applies the sub-block's scale in one go. 8-bit weights are split in two nibbles of weight 1
 * and 16.
 */
#ifndef KERNELS_AVX2_TILE_H
#define KERNELS_AVX2_TILE_H

#include <immintrin.h>

#include "kernels/formats.h"

enum { TILE = 4, PANEL = 8, STEPS = BLOCK / 4 };

struct tile_block {
    _Alignas(32) int8_t q[TILE][BLOCK];
    float d[TILE];
    union {
        float ds[TILE];      /* Q4_1: d * (float)sum */
        int32_t start[TILE]; /* Q4_0: -8 * sum, Q8_0: -128 * sum */
    };
};

struct tile_super {
    _Alignas(32) int8_t q[8][TILE][BLOCK];
    float d[TILE];
    int16_t sum[TILE][16]; /* Q4_K, Q5_K: 8 sums of q per 32, Q6_K: 16 per 16 */
};

struct panel_block {
    _Alignas(32) uint8_t q[2][STEPS][PANEL][4]; /* Q8_0: low and high nibbles of value + 128 */
    float d[PANEL], m[PANEL];
};

struct panel_super {
    _Alignas(32) uint8_t q[8][STEPS][PANEL][4];
    int16_t scale[16][PANEL][2]; /* both of a pair the same; Q4_K, Q5_K: 8 in use */
    int16_t pair[8][PANEL][2];   /* neighbours: minimums (4 in use), or Q6_K's scales */
    float d[PANEL], dmin[PANEL];
};

/* Weights of a panel; past the end of the matrix it repeats the last row. */
struct weight_rows {
    const uint8_t *row[PANEL];
    const uint8_t *next; /* the panel after it, which may not exist: to be prefetched */
};

typedef void unpack_fn(void *panel, const struct weight_rows *rows, size_t first, size_t count);
unpack_fn unpack_q4_0_avx2, unpack_q4_1_avx2, unpack_q8_0_avx2;
unpack_fn unpack_q4_k_avx2, unpack_q5_k_avx2, unpack_q6_k_avx2;

/* One panel times one tile over `count` blocks: adds to y if `more`, else starts from +0. */
struct tile_call {
    float *y; /* row i of the tile at y + i * ldy */
    size_t ldy;
    const void *panel, *tile;
    size_t count;
    size_t rows; /* of the panel that exist */
    bool more;
};
typedef void tile_fn(const struct tile_call *call, size_t n_rows);
tile_fn tile_q4_0_avx2, tile_q4_1_avx2, tile_q8_0_avx2;
tile_fn tile_q4_k_avx2, tile_q5_k_avx2, tile_q6_k_avx2;

size_t activation_bytes_avx2(uint32_t type, size_t m, size_t k);
void activation_quantize_avx2(uint32_t type, void *activation, const float *x, size_t ldx, size_t m,
                              size_t k, size_t first, size_t count);
void matmul_float_avx2(uint32_t type, float *y, size_t ldy, const void *w, size_t n, const float *x,
                       size_t m, size_t k);

#endif
