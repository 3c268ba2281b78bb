/* IEEE 754 half precision to single, in plain C: exact for every finite value and
 * infinity; a NaN stays a NaN. Little-endian bytes, no alignment asked for. */
#ifndef KERNELS_F16_H
#define KERNELS_F16_H

#include <stdint.h>
#include <string.h>

static inline float f16_to_f32(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, magnitude = half & 0x7fff, bits;
    float value;
    if (magnitude >= 0x7c00) { /* infinity or NaN; a signalling NaN turns quiet as in hardware */
        bits = sign | 0x7f800000 | (magnitude > 0x7c00 ? 0x400000 : 0) | (magnitude & 0x3ff) << 13;
    } else if (magnitude >= 0x400) {
        bits = sign | ((magnitude << 13) + ((127 - 15) << 23));
    } else { /* subnormal or zero: magnitude * 2^-24, exact in f32 */
        value = (float)magnitude * 0x1p-24f;
        memcpy(&bits, &value, sizeof bits);
        bits |= sign;
    }
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline float f16_load(const uint8_t *bytes)
{
    return f16_to_f32((uint16_t)(bytes[0] | bytes[1] << 8));
}

#endif
