/* kernels: pure functions on rows of numbers, one table per instruction set.
 *
 * The scalar table is the specification; every other table gives the same bits
 * for every input, whatever its tiling (tests/unit/test_kernels compares them).
 * No kernel allocates, locks, or knows a thread: callers split work by output
 * rows or by (query, head), never inside a reduction.
 *
 * THE NUMERIC CONTRACT (round to nearest even everywhere; no flush to zero;
 * -ffp-contract=off; fma = C's fmaf, written where meant)
 *
 * Activations against a 32-block type (Q4_0 Q4_1 Q8_0), per row and block of 32:
 *   amax = max |x|;  d = amax / 127 (f32);  id = amax > 0 ? 127 / amax : 0
 *   q[i] = rint(x[i] * id) as int8;  s = sum of q (int32)
 *   (A non-finite amax gives d = amax, q = 0; one NaN makes amax NaN. An amax so small that
 *   127 / amax overflows gives q = 0 as well.)
 * Activations against a 256-super-block type (Q4_K Q5_K Q6_K): the same over 256
 *   values, with int16/int32 sums of q per 16 (and so per 32).
 * Products, one f32 chain per output element, blocks in increasing k, acc from +0:
 *   Q4_0: acc = fma(dw * d, (float)sum((q4 - 8) * q), acc)
 *   Q8_0: acc = fma(dw * d, (float)sum(q8 * q), acc)
 *   Q4_1: acc = fma(dw * d, (float)sum(q4 * q), acc); acc = fma(mw, d * (float)s, acc)
 *   Q4_K, Q5_K: acc = fma(dw * d, (float)sum_j(sc_j * sum(q * a)), acc);
 *               acc = fma(-(dmin * d), (float)sum_j(m_j * s_j), acc)
 *   Q6_K: acc = fma(dw * d, (float)sum_j(sc_j * sum((q6 - 32) * a)), acc)
 *   dw, mw, dmin: the file's f16 widened to f32. Integer sums are exact int32;
 *   the conversion to float rounds to nearest even.
 * F32, F16 weights against f32 activations: 16 lanes, lane l takes k = l, l+16, ...
 *   in increasing k by fma from +0 (positions past k take no part); then the fixed
 *   tree: lane[i] += lane[i+8] for i < 8, then +4, +2, +1 (plain additions).
 * Sums of squares (norm), sums of softmax terms: the same lanes and tree.
 * Attention: see `attention` below. exp, silu: see `exp_scalar` in scalar/.
 */
#ifndef KERNELS_KERNELS_H
#define KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Block formats, numbered as in GGUF. */
enum weight_type {
    WEIGHT_F32 = 0,
    WEIGHT_F16 = 1,
    WEIGHT_Q4_0 = 2,
    WEIGHT_Q4_1 = 3,
    WEIGHT_Q8_0 = 8,
    WEIGHT_Q4_K = 12,
    WEIGHT_Q5_K = 13,
    WEIGHT_Q6_K = 14,
};

/* What is known of a GGUF tensor type, computable here or not (so that it can be refused by name). */
struct weight_format {
    const char *name;      /* "Q4_K" */
    uint32_t block;        /* values a block, e.g. 32 */
    uint32_t block_bytes;  /* bytes a block, e.g. 18 */
    bool supported;        /* may be used in matmul and get_row */
};
/* NULL for a number that GGUF does not define. */
const struct weight_format *weight_format(uint32_t type);

enum { KV_TILE = 32 }; /* positions in a KV tile */

/* One attention call: one sequence, one KV head, n queries (rows x the heads of the group). */
struct attention {
    float *const *out;         /* n pointers to head_dim values, written */
    const float *const *query; /* n pointers to head_dim values (after RoPE) */
    const uint32_t *n_keys;    /* n: query i sees keys 0 .. n_keys[i]-1; at least 1 */
    size_t n;
    const uint16_t *const *k_tiles; /* f16, tile t holds keys t*32..: [head_dim][KV_TILE] (dim-major) */
    const uint16_t *const *v_tiles; /* f16, tile t: [KV_TILE][head_dim] */
    size_t head_dim;           /* multiple of 8, at most 256 */
    float scale;
    void *scratch;             /* attention_scratch bytes, 64-byte aligned */
};

/* Every pointer to floats may be unaligned unless said. No two arguments overlap unless said. */
struct kernels {
    const char *isa; /* "scalar", "avx2", "avx512" */
    /* What one row more in a matmul costs, as a share of a matmul of one: the second, and each after that
     * (plm-bench -p 1, 2, 4, 8). For decisions about time only. */
    float second_row, further_row;

    /* Bytes of an activation buffer for m rows of k values against weights of type `type`.
     * Layout is the table's own business; the buffer is 64-byte aligned. */
    size_t (*activation_bytes)(uint32_t type, size_t m, size_t k);
    /* Converts rows first..first+count-1 of x (row i at x + i*ldx, k values) into the buffer made for
     * m rows. Rows are independent: threads may convert different rows at once. k is a multiple of
     * the type's block. */
    void (*activation_quantize)(uint32_t type, void *activation, const float *x, size_t ldx, size_t m,
                                size_t k, size_t first, size_t count);
    /* y[i*ldy + r] = sum_k w[r][k] * x[i][k] for r < n, i < m. w: n consecutive rows in file layout.
     * ldy >= n, in floats: a caller computes columns c..c+n-1 of a larger output by offsetting both.
     * scratch: matmul_scratch(type, k) bytes, 64-byte aligned, one per thread. */
    void (*matmul)(uint32_t type, float *y, size_t ldy, const void *w, size_t n, const void *activation,
                   size_t m, size_t k, void *scratch);
    size_t (*matmul_scratch)(uint32_t type, size_t k);
    /* Rows per call that suit matmul best (a caller splits work in multiples of it). */
    size_t matmul_panel;

    /* Weights of one row widened to f32: x[0..k). For embedding look-up. */
    void (*get_row)(uint32_t type, float *x, const void *w, size_t k);

    /* y = x * (1 / sqrt(sum(x^2)/n + eps)) * weight, as (x * r) * weight. y may be x. */
    void (*rms_norm)(float *y, const float *x, const float *weight, size_t n, float eps);
    /* y[i] += x[i] */
    void (*add)(float *y, const float *x, size_t n);
    /* y[i] = silu(gate[i]) * up[i], silu(g) = g / (1 + exp(-g)). y may be gate or up. */
    void (*silu_mul)(float *y, const float *gate, const float *up, size_t n);
    /* Rotates pairs of x in place. interleaved: pair i is (x[2i], x[2i+1]); else (x[i], x[i + n_pairs]).
     * x0' = fma(x0, cos, -(x1 * sin)); x1' = fma(x0, sin, x1 * cos). */
    void (*rope)(float *x, const float *cos, const float *sin, size_t n_pairs, bool interleaved);
    /* Rounds n floats to f16 (nearest even; overflow gives infinity), stores at stride `stride` values. */
    void (*store_f16)(uint16_t *out, size_t stride, const float *x, size_t n);
    /* Writes exp(x[i] - max) and returns nothing; used by the sampler's softmax. */
    void (*exp_shifted)(float *y, const float *x, float max, size_t n);
    /* Index of the largest of n values, lowest index on ties; NaN never wins. */
    size_t (*argmax)(const float *x, size_t n);

    /* Online softmax attention, one result whatever the grouping. Per query, tiles t = 0, 1, ... in order:
     *   s[j] = scale * dot, dot = fma chain over dims in increasing order from +0, for the keys in sight
     *   m' = max(m, max_j s[j]);  c = exp(m - m') (first tile: 0);  p[j] = exp(s[j] - m')
     *   l = l * c + (sum of p over the tile: 16 lanes j and j+16 added, then the fixed tree; unseen: +0)
     *   o[d] = o[d] * c, then fma(p[j], v[j][d], o[d]) for the seen keys j in increasing order
     * and at the end out[d] = o[d] / l. (l * c + sum is fma(l, c, sum).) Keys past n_keys are never read as values. */
    void (*attention)(const struct attention *attention);
    size_t (*attention_scratch)(size_t head_dim, size_t n);
};

enum isa_bits { ISA_AVX2 = 1, ISA_AVX512 = 2, ISA_ALL = -1 };

/* The best table this CPU runs among the allowed ISAs (scalar is always allowed). Static. */
const struct kernels *kernels_get(int allowed);

#endif
