/* linear: one activation row (m == 1) against weights read once, in address order.
 *
 * Memory bandwidth decides here, so nothing is unpacked: 16 rows at a time, each row is read from
 * front to back and leaves raw integer sums in scratch, four dwords to add a block (all 16 a
 * super-block); then lane = row, and the f32 chains run over the blocks in order.
 */
#ifndef KERNELS_AVX512_LINEAR_H
#define KERNELS_AVX512_LINEAR_H

#include <immintrin.h>

#include "kernels/formats.h"

enum { LINEAR_ROWS = 16 };

/* The activation row against 32-blocks, in quads of four blocks; missing blocks are zeros. After
 * the quads: d of every block, then start or ds (see tile.h) of every block. */
struct linear_quad {
    _Alignas(64) int8_t q[2][4][16]; /* first halves of the four blocks, then second halves */
};

/* Against super-blocks. Q4_K, Q5_K: sub-blocks in the order 0 2 1 3 4 6 5 7, as their nibbles lie
 * in two 64-byte loads; Q6_K: as they are. */
struct linear_super {
    _Alignas(64) int8_t q[8][BLOCK];
    int16_t sum[16]; /* Q4_K, Q5_K: 8 sums per 32, Q6_K: 16 per 16 */
    float d;
};

static inline size_t linear_quads(size_t n_blocks) {
    return (n_blocks + 3) / 4;
}

static inline size_t linear_bytes_blocks(size_t n_blocks) {
    return linear_quads(n_blocks) * (sizeof(struct linear_quad) + 8 * sizeof(float));
}

static inline float *linear_d(const void *activation, size_t n_blocks) {
    return (float *)((struct linear_quad *)activation + linear_quads(n_blocks));
}

/* Adds the four dwords of each lane: v[0], dword 4l + i becomes the sum of lane l of v[i]. */
static inline void sum_lanes(__m512i v[4]) {
    __m512i ab =
        _mm512_add_epi32(_mm512_unpacklo_epi32(v[0], v[1]), _mm512_unpackhi_epi32(v[0], v[1]));
    __m512i cd =
        _mm512_add_epi32(_mm512_unpacklo_epi32(v[2], v[3]), _mm512_unpackhi_epi32(v[2], v[3]));
    v[0] = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
}

size_t linear_scratch_avx512(void);
/* y[r] for r < n. */
void matmul_linear_avx512(uint32_t type, float *y, const void *w, size_t n, const void *activation,
                          size_t k, void *scratch);

#endif
