/* activation, scalar: rows of quantised blocks, each block with its scale and sums. */
#ifndef KERNELS_SCALAR_ACTIVATION_H
#define KERNELS_SCALAR_ACTIVATION_H

#include "kernels/formats.h"
#include "kernels/scalar/f16.h"

struct act_block { /* against Q4_0 Q4_1 Q8_0 */
    float d;
    int32_t sum;
    int8_t q[BLOCK];
};

struct act_super { /* against Q4_K Q5_K Q6_K */
    float d;
    int32_t sum16[SUPER / 16]; /* per 16 values */
    int8_t q[SUPER];
};

static inline float load_f16(const uint8_t *bytes) {
    return f16_widen((uint16_t)(bytes[0] | bytes[1] << 8));
}

size_t activation_bytes_scalar(uint32_t type, size_t m, size_t k);
void activation_quantize_scalar(uint32_t type, void *activation, const float *x, size_t ldx,
                                size_t m, size_t k, size_t first, size_t count);
void get_row_scalar(uint32_t type, float *x, const void *w, size_t k);

#endif
