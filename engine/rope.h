/* rope: rotary position angles.
 *
 * Frequencies theta_i = base^(-2i/n_rot) / (scale * factor_i) (Su et al. 2021, RoFormer; the factors
 * are Llama 3's), computed once; cosines and sines per position from dmath, so
 * that every machine rotates by the same bits.
 */
#ifndef ENGINE_ROPE_H
#define ENGINE_ROPE_H

#include "engine/model.h"

struct rope {
    double *frequencies; /* [n_pairs] */
    uint32_t n_pairs;
};

bool rope_init(struct rope *rope, const struct model *model, struct error *error);
void rope_deinit(struct rope *rope);
/* cos, sin: [n_pairs], of one position. */
void rope_angles(const struct rope *rope, float *cosines, float *sines, uint32_t position);

#endif
