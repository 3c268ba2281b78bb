#include "engine/rope.h"

#include <stdlib.h>

#include "engine/dmath.h"

bool rope_init(struct rope *rope, const struct model *model, struct error *error) {
    rope->n_pairs = model->n_rot / 2;
    rope->frequencies = malloc(rope->n_pairs * sizeof *rope->frequencies);
    if (!rope->frequencies) return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for rope");
    for (uint32_t i = 0; i < rope->n_pairs; i++) {
        double frequency = dmath_pow(model->rope_base, -2.0 * i / model->n_rot) / model->rope_scale;
        rope->frequencies[i] = model->rope_factors ? frequency / model->rope_factors[i] : frequency;
    }
    return true;
}

void rope_deinit(struct rope *rope) {
    free(rope->frequencies);
}

void rope_angles(const struct rope *rope, float *cosines, float *sines, uint32_t position) {
    for (uint32_t i = 0; i < rope->n_pairs; i++) {
        double sine, cosine;
        dmath_sincos(position * rope->frequencies[i], &sine, &cosine);
        cosines[i] = (float)cosine;
        sines[i] = (float)sine;
    }
}
