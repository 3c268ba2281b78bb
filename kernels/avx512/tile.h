/* tile: how the AVX-512 matmul lays out its two operands.
 *
 * Activations for m > 1 rows: tiles of at most TILE rows (tiling_of spreads the rows evenly), each
 * tile a sequence of one struct tile_block or tile_super per block of k, so that a tile reads
 * straight ahead. Weights: PANEL rows are unpacked into a sequence of panel_block or panel_super,
 * whose dword r of vector s holds values 4s..4s+3 of row r: the operand order of vpdpbusd.
 * For m == 1 there is another layout, see linear.h.
 */
#ifndef KERNELS_AVX512_TILE_H
#define KERNELS_AVX512_TILE_H

#include <immintrin.h>

#include "kernels/formats.h"

enum { TILE = 6, PANEL = 32, STEPS = BLOCK / 4 };

struct tile_block {
    _Alignas(64) int8_t q[TILE][BLOCK];
    float d[TILE];
    union {
        float ds[TILE];      /* Q4_1: d * (float)sum */
        int32_t start[TILE]; /* Q4_0: -8 * sum, Q8_0: -128 * sum */
    };
};
static_assert(sizeof(struct tile_block) == 256, "four cache lines");

struct tile_super {
    _Alignas(64) int8_t q[8][TILE][BLOCK];
    float d[TILE];
    union {
        int16_t sum32[TILE][8];    /* Q4_K, Q5_K: sums of q per 32 */
        int32_t start16[16][TILE]; /* Q6_K: -32 * sum of q per 16 */
    };
};

struct panel_block {
    _Alignas(64) uint8_t q[STEPS][PANEL][4];
    float d[PANEL], m[PANEL];
};

struct panel_super {
    _Alignas(64) uint8_t q[8][STEPS][PANEL][4];
    union {
        struct {
            int32_t scale32[8][PANEL];
            int16_t min[4][PANEL][2]; /* pairs of sub-block minimums, for vpdpwssd */
        };
        int32_t scale16[16][PANEL];
    };
    float d[PANEL], dmin[PANEL];
};

/* m rows in `tiles` tiles: the first `larger` of them have rows + 1 rows, the others `rows`. */
struct tiling {
    size_t tiles, rows, larger;
};

static inline struct tiling tiling_of(size_t m) {
    size_t tiles = (m + TILE - 1) / TILE;
    return (struct tiling){tiles, m / tiles, m % tiles};
}

static inline size_t tiling_count(const struct tiling *tiling, size_t tile) {
    return tiling->rows + (tile < tiling->larger);
}

/* The tile of a row; its place inside goes to *slot. */
static inline size_t tiling_find(const struct tiling *tiling, size_t *slot, size_t row) {
    size_t in_larger = tiling->larger * (tiling->rows + 1);
    if (row < in_larger) {
        *slot = row % (tiling->rows + 1);
        return row / (tiling->rows + 1);
    }
    *slot = (row - in_larger) % tiling->rows;
    return tiling->larger + (row - in_larger) / tiling->rows;
}

/* A panel of weights; past the end of the matrix it repeats the last row. */
struct weight_rows {
    const uint8_t *row[PANEL];
    const uint8_t *next; /* the panel after it, which may not exist: to be prefetched */
};

typedef void unpack_fn(void *panel, const struct weight_rows *rows, size_t first, size_t count);
unpack_fn unpack_q4_0_avx512, unpack_q4_1_avx512, unpack_q8_0_avx512;
unpack_fn unpack_q4_k_avx512, unpack_q5_k_avx512, unpack_q6_k_avx512;

/* One panel times one tile over `count` blocks: adds to y if `more`, else starts from +0. */
struct tile_call {
    float *y; /* row i of the tile at y + i * ldy */
    size_t ldy;
    const void *panel, *tile;
    size_t count, to_next; /* blocks; bytes from the tile to the one after it, to be prefetched */
    uint32_t rows; /* mask: which of the panel's rows exist */
    bool more;
};
typedef void tile_fn(const struct tile_call *call, size_t n_rows);
tile_fn tile_q4_0_avx512, tile_q4_1_avx512; /* Q8_0 is as Q4_0 once unpacked */
tile_fn tile_q4_k_avx512, tile_q6_k_avx512; /* Q5_K is as Q4_K */

size_t activation_bytes_avx512(uint32_t type, size_t m, size_t k);
void activation_quantize_avx512(uint32_t type, void *activation, const float *x, size_t ldx,
                                size_t m, size_t k, size_t first, size_t count);
void matmul_float_avx512(uint32_t type, float *y, size_t ldy, const void *w, size_t n,
                         const float *x, size_t m, size_t k);

#endif
