/* get_row, scalar: weights widened to f32. The products of scale and integer are exact in f32 (11
 * bits of f16 times at most 12 of integers), so each value is rounded at most once. */
#include "kernels/scalar/activation.h"

static void widen_q4_0(float *x, const struct q4_0 *w) {
    float d = load_f16(w->d);
    for (size_t i = 0; i < 16; i++) {
        x[i] = d * (float)((w->q[i] & 15) - 8);
        x[i + 16] = d * (float)((w->q[i] >> 4) - 8);
    }
}

static void widen_q4_1(float *x, const struct q4_1 *w) {
    float d = load_f16(w->d), m = load_f16(w->m);
    for (size_t i = 0; i < 16; i++) {
        x[i] = d * (float)(w->q[i] & 15) + m;
        x[i + 16] = d * (float)(w->q[i] >> 4) + m;
    }
}

static void widen_q8_0(float *x, const struct q8_0 *w) {
    float d = load_f16(w->d);
    for (size_t i = 0; i < BLOCK; i++) x[i] = d * (float)w->q[i];
}

static void widen_q4_k(float *x, const struct q4_k *w) {
    float d = load_f16(w->d), dmin = load_f16(w->dmin);
    uint8_t scales[16];
    k_scales(scales, w->scales);
    for (size_t i = 0; i < SUPER; i++) {
        size_t j = i / 32, byte = j / 2 * 32 + i % 32;
        int q = w->q[byte] >> j % 2 * 4 & 15;
        x[i] = d * (float)(scales[j] * q) - dmin * (float)scales[8 + j];
    }
}

static void widen_q5_k(float *x, const struct q5_k *w) {
    float d = load_f16(w->d), dmin = load_f16(w->dmin);
    uint8_t scales[16];
    k_scales(scales, w->scales);
    for (size_t i = 0; i < SUPER; i++) {
        size_t j = i / 32, byte = j / 2 * 32 + i % 32;
        int q = (w->q[byte] >> j % 2 * 4 & 15) | (w->high[i % 32] >> j & 1) << 4;
        x[i] = d * (float)(scales[j] * q) - dmin * (float)scales[8 + j];
    }
}

static void widen_q6_k(float *x, const struct q6_k *w) {
    float d = load_f16(w->d);
    for (size_t i = 0; i < SUPER; i++) {
        size_t half = i / 128, at = i % 128;
        int low = w->low[half * 64 + at % 64] >> at / 64 * 4 & 15;
        int high = w->high[half * 32 + at % 32] >> at / 32 * 2 & 3;
        x[i] = d * (float)(w->scales[i / 16] * ((low | high << 4) - 32));
    }
}

static void widen_f16(float *x, const uint8_t *w, size_t k) {
    for (size_t i = 0; i < k; i++) x[i] = load_f16(w + 2 * i);
}

void get_row_scalar(uint32_t type, float *x, const void *w, size_t k) {
    const struct weight_format *format = weight_format(type);
    const char *block = w;
    if (type == WEIGHT_F32) memcpy(x, w, k * sizeof *x);
    if (type == WEIGHT_F16) widen_f16(x, w, k);
    if (format->block == 1) return;
    for (; k > 0; k -= format->block, x += format->block, block += format->block_bytes) {
        switch (type) {
        case WEIGHT_Q4_0: widen_q4_0(x, (const struct q4_0 *)block); break;
        case WEIGHT_Q4_1: widen_q4_1(x, (const struct q4_1 *)block); break;
        case WEIGHT_Q8_0: widen_q8_0(x, (const struct q8_0 *)block); break;
        case WEIGHT_Q4_K: widen_q4_k(x, (const struct q4_k *)block); break;
        case WEIGHT_Q5_K: widen_q5_k(x, (const struct q5_k *)block); break;
        case WEIGHT_Q6_K: widen_q6_k(x, (const struct q6_k *)block); break;
        }
    }
}
