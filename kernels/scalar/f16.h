/* f16: IEEE binary16 in software, bit for bit what the F16C instructions give:
 * nearest even, subnormals kept, overflow to infinity, NaNs quieted with the
 * upper bits of their payload. */
#ifndef KERNELS_SCALAR_F16_H
#define KERNELS_SCALAR_F16_H

#include <stdint.h>
#include <string.h>

static inline float f16_widen(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31;
    uint32_t mantissa = half & 0x3ff, bits;
    float x;
    if (exponent == 0) {
        x = (float)mantissa * 0x1p-24f;
        memcpy(&bits, &x, sizeof bits);
    } else if (exponent == 31) {
        bits = 0x7f800000 | mantissa << 13 | (mantissa != 0 ? 0x400000 : 0);
    } else {
        bits = (exponent + 112) << 23 | mantissa << 13;
    }
    bits |= sign;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline uint16_t f16_round(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000, u = bits & 0x7fffffff;
    if (u > 0x7f800000) return (uint16_t)(sign | 0x7e00 | (u >> 13 & 0x3ff));
    if (u >= 0x477ff000) return (uint16_t)(sign | 0x7c00); /* 65520 and above round to 65536 */
    if (u >= 0x38800000) {
        u += 0xfff + (u >> 13 & 1);
        return (uint16_t)(sign | (u - (112u << 23)) >> 13);
    }
    /* Below 2^-14: adding 1/2, whose last place is f16's smallest step 2^-24, rounds for us. */
    memcpy(&x, &u, sizeof x);
    x += 0.5f;
    memcpy(&u, &x, sizeof u);
    return (uint16_t)(sign | (u - 0x3f000000));
}

#endif
