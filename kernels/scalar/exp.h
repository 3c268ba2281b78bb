/* exp: the one exponential of the forward path (softmax, SiLU, the sampler).
 *
 * Defined for every float: NaN gives NaN; above EXP_HIGH (the last float whose exp is finite)
 * +infinity; below EXP_LOW (the first whose exp would be subnormal) +0. In between:
 *   t = fma(x, log2(e), 1.5 * 2^23)   the nearest integer n to x / ln 2, in t's low bits too
 *   n = t - 1.5 * 2^23
 *   r = fma(-n, EXP_LN2_HIGH, x), then fma(-n, EXP_LN2_LOW, r)       |r| <= ln(2)/2
 *   p = 1 + r + r^2 (C2 + C3 r + C4 r^2 + C5 r^3 + C6 r^4)           Horner, every step one fma
 *   2^n * p by adding n to p's exponent field; never subnormal, never above FLT_MAX.
 * C2..C6 come from a weighted Remez fit of (e^r - 1 - r) / r^2 (weight r^2 e^-r) on
 * |r| <= 1.0005 ln(2)/2; each coefficient was rounded to float, lowest first, and the others
 * fitted anew. The polynomial's own relative error is 3.3e-9; the whole stays within 1 ulp
 * (tests/unit/kernels/test_rows.c measures it).
 */
#ifndef KERNELS_SCALAR_EXP_H
#define KERNELS_SCALAR_EXP_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define EXP_LOW      -0x1.5d589ep+6f /* -87.33654 */
#define EXP_HIGH     0x1.62e42ep+6f  /* 88.72283 */
#define EXP_LOG2E    0x1.715476p+0f
#define EXP_MAGIC    0x1.8p+23f
#define EXP_LN2_HIGH 0x1.62e430p-1f
#define EXP_LN2_LOW  -0x1.05c610p-29f
#define EXP_C2       0x1.fffffcp-2f
#define EXP_C3       0x1.55548cp-3f
#define EXP_C4       0x1.555858p-5f
#define EXP_C5       0x1.123da6p-7f
#define EXP_C6       0x1.6ac36cp-10f

static inline float exp_scalar(float x) {
    if (x != x) return x;
    if (x < EXP_LOW) return 0.0f;
    if (x > EXP_HIGH) return INFINITY;
    float t = fmaf(x, EXP_LOG2E, EXP_MAGIC);
    float n = t - EXP_MAGIC;
    float r = fmaf(-n, EXP_LN2_LOW, fmaf(-n, EXP_LN2_HIGH, x));
    float p = fmaf(EXP_C6, r, EXP_C5);
    p = fmaf(p, r, EXP_C4);
    p = fmaf(p, r, EXP_C3);
    p = fmaf(p, r, EXP_C2);
    p = fmaf(p, r, 1.0f);
    p = fmaf(p, r, 1.0f);
    uint32_t shift, bits;
    memcpy(&shift, &t, sizeof shift);
    memcpy(&bits, &p, sizeof bits);
    bits += shift << 23;
    memcpy(&p, &bits, sizeof p);
    return p;
}

static inline float silu_scalar(float gate) {
    return gate / (1.0f + exp_scalar(-gate));
}

#endif
