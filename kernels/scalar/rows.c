/* rows, scalar: the specification of everything that works on one row of floats. */
#include "kernels/kernels.h"

#include <math.h>

#include "kernels/scalar/exp.h"
#include "kernels/scalar/f16.h"
#include "kernels/table.h"

enum { LANES = 16 };

static float lanes_sum(float lane[LANES]) {
    for (size_t half = LANES / 2; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++) lane[i] += lane[i + half];
    return lane[0];
}

static void rms_norm(float *y, const float *x, const float *weight, size_t n, float eps) {
    float lane[LANES] = {0};
    for (size_t i = 0; i < n; i++) lane[i % LANES] = fmaf(x[i], x[i], lane[i % LANES]);
    float r = 1.0f / sqrtf(lanes_sum(lane) / (float)n + eps);
    for (size_t i = 0; i < n; i++) y[i] = x[i] * r * weight[i];
}

static void add(float *y, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] += x[i];
}

static void silu_mul(float *y, const float *gate, const float *up, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = silu_scalar(gate[i]) * up[i];
}

static void rope(float *x, const float *cos, const float *sin, size_t n_pairs, bool interleaved) {
    size_t step = interleaved ? 2 : 1, apart = interleaved ? 1 : n_pairs;
    for (size_t i = 0; i < n_pairs; i++) {
        float *a = x + i * step, *b = a + apart;
        float x0 = *a, x1 = *b;
        *a = fmaf(x0, cos[i], -(x1 * sin[i]));
        *b = fmaf(x0, sin[i], x1 * cos[i]);
    }
}

static void store_f16(uint16_t *out, size_t stride, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) out[i * stride] = f16_round(x[i]);
}

static void exp_shifted(float *y, const float *x, float max, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = exp_scalar(x[i] - max);
}

static size_t argmax(const float *x, size_t n) {
    size_t best = n;
    for (size_t i = 0; i < n; i++)
        if (best < n ? x[i] > x[best] : x[i] == x[i]) best = i;
    return best < n ? best : 0; /* nothing but NaN: 0 */
}

void rows_scalar_fill(struct kernels *kernels) {
    kernels->rms_norm = rms_norm;
    kernels->add = add;
    kernels->silu_mul = silu_mul;
    kernels->rope = rope;
    kernels->store_f16 = store_f16;
    kernels->exp_shifted = exp_shifted;
    kernels->argmax = argmax;
}
