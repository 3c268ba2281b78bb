/* activation, scalar: the specification of how activations are quantised. */
#include "kernels/scalar/activation.h"

#include <math.h>

/* The largest |x|; the comparison of bit patterns puts every NaN above infinity, so that one NaN
 * makes the result NaN in any order. */
static float largest_magnitude(const float *x, size_t n) {
    uint32_t largest = 0;
    float magnitude;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        bits &= 0x7fffffff;
        if (bits > largest) largest = bits;
    }
    memcpy(&magnitude, &largest, sizeof magnitude);
    return magnitude;
}

/* q = rint(x * 127 / amax); returns the scale. Where amax or its inverse is not finite, and where
 * amax is 0, q = 0. */
static float quantize(int8_t *q, const float *x, size_t n) {
    float amax = largest_magnitude(x, n), inverse = 127.0f / amax;
    if (!isfinite(amax)) {
        memset(q, 0, n);
        return amax;
    }
    if (!isfinite(inverse)) {
        memset(q, 0, n);
        return amax / 127.0f;
    }
    for (size_t i = 0; i < n; i++) q[i] = (int8_t)lrintf(x[i] * inverse);
    return amax / 127.0f;
}

static int32_t sum_of(const int8_t *q, size_t n) {
    int32_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += q[i];
    return sum;
}

static void quantize_blocks(struct act_block *out, const float *x, size_t k) {
    for (; k > 0; k -= BLOCK, x += BLOCK, out++) {
        out->d = quantize(out->q, x, BLOCK);
        out->sum = sum_of(out->q, BLOCK);
    }
}

static void quantize_supers(struct act_super *out, const float *x, size_t k) {
    for (; k > 0; k -= SUPER, x += SUPER, out++) {
        out->d = quantize(out->q, x, SUPER);
        for (size_t j = 0; j < SUPER / 16; j++) out->sum16[j] = sum_of(out->q + 16 * j, 16);
    }
}

static size_t row_size(uint32_t type, size_t k) {
    switch (weight_format(type)->block) {
    case BLOCK: return k / BLOCK * sizeof(struct act_block);
    case SUPER: return k / SUPER * sizeof(struct act_super);
    default: return k * sizeof(float);
    }
}

size_t activation_bytes_scalar(uint32_t type, size_t m, size_t k) {
    return m * row_size(type, k);
}

void activation_quantize_scalar(uint32_t type, void *activation, const float *x, size_t ldx,
                                size_t m, size_t k, size_t first, size_t count) {
    size_t size = row_size(type, k);
    (void)m;
    for (size_t i = first; i < first + count; i++) {
        char *out = (char *)activation + i * size;
        switch (weight_format(type)->block) {
        case BLOCK: quantize_blocks((struct act_block *)out, x + i * ldx, k); break;
        case SUPER: quantize_supers((struct act_super *)out, x + i * ldx, k); break;
        default: memcpy(out, x + i * ldx, size);
        }
    }
}
