/* exp on 8 lanes, the bits of exp_scalar. */
#ifndef KERNELS_AVX2_EXP_H
#define KERNELS_AVX2_EXP_H

#include <immintrin.h>

#include "kernels/scalar/exp.h"

/* 2^n * p with p = exp(x - n ln 2): p is returned, n goes to the top of *shift. */
static inline __m256 exp_avx2_reduce(__m256 x, __m256i *shift) {
    const __m256 magic = _mm256_set1_ps(EXP_MAGIC), one = _mm256_set1_ps(1.0f);
    __m256 t = _mm256_fmadd_ps(x, _mm256_set1_ps(EXP_LOG2E), magic);
    __m256 n = _mm256_sub_ps(t, magic);
    __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(EXP_LN2_HIGH), x);
    r = _mm256_fnmadd_ps(n, _mm256_set1_ps(EXP_LN2_LOW), r);
    __m256 p = _mm256_fmadd_ps(_mm256_set1_ps(EXP_C6), r, _mm256_set1_ps(EXP_C5));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(EXP_C4));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(EXP_C3));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(EXP_C2));
    p = _mm256_fmadd_ps(p, r, one);
    *shift = _mm256_slli_epi32(_mm256_castps_si256(t), 23);
    return _mm256_fmadd_ps(p, r, one);
}

/* For x <= 0 or NaN: multiplies by 2^n, n >= -126, which keeps NaN whatever its payload. */
static inline __m256 exp_avx2_falling(__m256 x) {
    __m256i shift;
    __m256 p = exp_avx2_reduce(x, &shift);
    __m256i power = _mm256_add_epi32(shift, _mm256_castps_si256(_mm256_set1_ps(1.0f)));
    __m256 not_low = _mm256_cmp_ps(x, _mm256_set1_ps(EXP_LOW), _CMP_NLT_UQ);
    return _mm256_and_ps(_mm256_mul_ps(p, _mm256_castsi256_ps(power)), not_low);
}

/* For any x. 2^128 is no float, so n goes into p's exponent; the ends and NaN are put in after. */
static inline __m256 exp_avx2(__m256 x) {
    __m256i shift;
    __m256 p = exp_avx2_reduce(x, &shift);
    p = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), shift));
    __m256 high = _mm256_cmp_ps(x, _mm256_set1_ps(EXP_HIGH), _CMP_GT_OQ);
    p = _mm256_blendv_ps(p, _mm256_set1_ps(__builtin_inff()), high);
    p = _mm256_blendv_ps(p, x, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    return _mm256_and_ps(p, _mm256_cmp_ps(x, _mm256_set1_ps(EXP_LOW), _CMP_NLT_UQ));
}

#endif
