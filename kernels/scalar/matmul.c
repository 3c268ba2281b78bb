/* matmul, scalar: the specification of every product of weights and activations (kernels.h has it
 * in words). One dot function a type: a row of weights against a row of quantised activations. */
#include <math.h>

#include "kernels/scalar/activation.h"
#include "kernels/table.h"

enum { LANES = 16 };

static int32_t dot(const int8_t *a, const int8_t *b, size_t n) {
    int32_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

static void split_nibbles(int8_t *out, const uint8_t *in, size_t n) {
    for (size_t i = 0; i < n; i++) {
        out[i] = (int8_t)(in[i] & 15);
        out[i + n] = (int8_t)(in[i] >> 4);
    }
}

static float dot_q4_0(const void *weights, const void *activation, size_t k) {
    const struct q4_0 *w = weights;
    const struct act_block *a = activation;
    float acc = 0.0f;
    int8_t q[BLOCK];
    for (; k > 0; k -= BLOCK, w++, a++) {
        split_nibbles(q, w->q, 16);
        acc = fmaf(load_f16(w->d) * a->d, (float)(dot(q, a->q, BLOCK) - 8 * a->sum), acc);
    }
    return acc;
}

static float dot_q4_1(const void *weights, const void *activation, size_t k) {
    const struct q4_1 *w = weights;
    const struct act_block *a = activation;
    float acc = 0.0f;
    int8_t q[BLOCK];
    for (; k > 0; k -= BLOCK, w++, a++) {
        split_nibbles(q, w->q, 16);
        acc = fmaf(load_f16(w->d) * a->d, (float)dot(q, a->q, BLOCK), acc);
        acc = fmaf(load_f16(w->m), a->d * (float)a->sum, acc);
    }
    return acc;
}

static float dot_q8_0(const void *weights, const void *activation, size_t k) {
    const struct q8_0 *w = weights;
    const struct act_block *a = activation;
    float acc = 0.0f;
    for (; k > 0; k -= BLOCK, w++, a++)
        acc = fmaf(load_f16(w->d) * a->d, (float)dot(w->q, a->q, BLOCK), acc);
    return acc;
}

/* Sub-blocks of 32 with scales and minimums: q holds a super-block's values in order. */
static float add_k(float acc, const uint8_t *d, const uint8_t *dmin, const uint8_t *packed,
                   const int8_t *q, const struct act_super *a) {
    uint8_t scales[16];
    int32_t sum = 0, minimum = 0;
    k_scales(scales, packed);
    for (size_t j = 0; j < 8; j++) {
        sum += scales[j] * dot(q + 32 * j, a->q + 32 * j, 32);
        minimum += scales[8 + j] * (a->sum16[2 * j] + a->sum16[2 * j + 1]);
    }
    acc = fmaf(load_f16(d) * a->d, (float)sum, acc);
    return fmaf(-(load_f16(dmin) * a->d), (float)minimum, acc);
}

static float dot_q4_k(const void *weights, const void *activation, size_t k) {
    const struct q4_k *w = weights;
    const struct act_super *a = activation;
    float acc = 0.0f;
    int8_t q[SUPER];
    for (; k > 0; k -= SUPER, w++, a++) {
        for (size_t g = 0; g < 4; g++) split_nibbles(q + 64 * g, w->q + 32 * g, 32);
        acc = add_k(acc, w->d, w->dmin, w->scales, q, a);
    }
    return acc;
}

static float dot_q5_k(const void *weights, const void *activation, size_t k) {
    const struct q5_k *w = weights;
    const struct act_super *a = activation;
    float acc = 0.0f;
    int8_t q[SUPER];
    for (; k > 0; k -= SUPER, w++, a++) {
        for (size_t g = 0; g < 4; g++) split_nibbles(q + 64 * g, w->q + 32 * g, 32);
        for (size_t i = 0; i < SUPER; i++) q[i] |= (int8_t)((w->high[i % 32] >> i / 32 & 1) << 4);
        acc = add_k(acc, w->d, w->dmin, w->scales, q, a);
    }
    return acc;
}

static float dot_q6_k(const void *weights, const void *activation, size_t k) {
    const struct q6_k *w = weights;
    const struct act_super *a = activation;
    float acc = 0.0f;
    int8_t q[SUPER];
    for (; k > 0; k -= SUPER, w++, a++) {
        int32_t sum = 0;
        for (size_t h = 0; h < 2; h++) split_nibbles(q + 128 * h, w->low + 64 * h, 64);
        for (size_t i = 0; i < SUPER; i++) {
            int high = w->high[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
            q[i] = (int8_t)((q[i] | high << 4) - 32);
        }
        for (size_t j = 0; j < 16; j++) sum += w->scales[j] * dot(q + 16 * j, a->q + 16 * j, 16);
        acc = fmaf(load_f16(w->d) * a->d, (float)sum, acc);
    }
    return acc;
}

static float lanes_sum(float lane[LANES]) {
    for (size_t half = LANES / 2; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++) lane[i] += lane[i + half];
    return lane[0];
}

static float dot_f32(const void *weights, const void *activation, size_t k) {
    const char *w = weights;
    const float *x = activation;
    float lane[LANES] = {0}, value;
    for (size_t i = 0; i < k; i++) {
        memcpy(&value, w + i * sizeof value, sizeof value); /* rows may be unaligned in a file */
        lane[i % LANES] = fmaf(value, x[i], lane[i % LANES]);
    }
    return lanes_sum(lane);
}

static float dot_f16(const void *weights, const void *activation, size_t k) {
    const uint8_t *w = weights;
    const float *x = activation;
    float lane[LANES] = {0};
    for (size_t i = 0; i < k; i++)
        lane[i % LANES] = fmaf(load_f16(w + 2 * i), x[i], lane[i % LANES]);
    return lanes_sum(lane);
}

typedef float dot_fn(const void *weights, const void *activation, size_t k);

static dot_fn *dot_of(uint32_t type) {
    switch (type) {
    case WEIGHT_F32: return dot_f32;
    case WEIGHT_F16: return dot_f16;
    case WEIGHT_Q4_0: return dot_q4_0;
    case WEIGHT_Q4_1: return dot_q4_1;
    case WEIGHT_Q8_0: return dot_q8_0;
    case WEIGHT_Q4_K: return dot_q4_k;
    case WEIGHT_Q5_K: return dot_q5_k;
    default: return dot_q6_k;
    }
}

static void matmul(uint32_t type, float *y, size_t ldy, const void *w, size_t n,
                   const void *activation, size_t m, size_t k, void *scratch) {
    size_t stride = row_bytes(type, k), activation_stride = activation_bytes_scalar(type, 1, k);
    dot_fn *dot_row = dot_of(type);
    (void)scratch;
    for (size_t i = 0; i < m; i++)
        for (size_t r = 0; r < n; r++)
            y[i * ldy + r] = dot_row((const char *)w + r * stride,
                                     (const char *)activation + i * activation_stride, k);
}

static size_t matmul_scratch(uint32_t type, size_t k) {
    (void)type;
    (void)k;
    return 0;
}

void matmul_scalar_fill(struct kernels *kernels) {
    kernels->activation_bytes = activation_bytes_scalar;
    kernels->activation_quantize = activation_quantize_scalar;
    kernels->matmul = matmul;
    kernels->matmul_scratch = matmul_scratch;
    kernels->matmul_panel = 32;
    kernels->get_row = get_row_scalar;
}
