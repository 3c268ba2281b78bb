/* exp on 16 lanes, the bits of exp_scalar. */
#ifndef KERNELS_AVX512_EXP_H
#define KERNELS_AVX512_EXP_H

#include <immintrin.h>

#include "kernels/scalar/exp.h"

/* For x <= 0 or NaN. scalef multiplies by 2^n exactly here (the result is normal or masked away)
 * and keeps NaN, which an integer addition to the exponent might not. */
static inline __m512 exp_avx512_falling(__m512 x) {
    const __m512 magic = _mm512_set1_ps(EXP_MAGIC), one = _mm512_set1_ps(1.0f);
    __m512 n = _mm512_sub_ps(_mm512_fmadd_ps(x, _mm512_set1_ps(EXP_LOG2E), magic), magic);
    __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(EXP_LN2_HIGH), x);
    r = _mm512_fnmadd_ps(n, _mm512_set1_ps(EXP_LN2_LOW), r);
    __m512 p = _mm512_fmadd_ps(_mm512_set1_ps(EXP_C6), r, _mm512_set1_ps(EXP_C5));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(EXP_C4));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(EXP_C3));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(EXP_C2));
    p = _mm512_fmadd_ps(p, r, one);
    p = _mm512_fmadd_ps(p, r, one);
    __mmask16 not_low = _mm512_cmp_ps_mask(x, _mm512_set1_ps(EXP_LOW), _CMP_NLT_UQ);
    return _mm512_maskz_scalef_ps(not_low, p, n);
}

/* For any x: past EXP_HIGH everything becomes 89, whose exp overflows to infinity in scalef. */
static inline __m512 exp_avx512(__m512 x) {
    return exp_avx512_falling(_mm512_min_ps(_mm512_set1_ps(89.0f), x)); /* min(a, NaN) is NaN */
}

#endif
