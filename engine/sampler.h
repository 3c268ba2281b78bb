/* sampler: from logits to a token.
 *
 * Order (protocol.md): mask, logit_bias, penalties, top_k, typical_p, top_p,
 * min_p, temperature. Randomness comes from a counter-based generator keyed by
 * (seed, output position), so that batching and speculation cannot shift it;
 * ties go to the lower token id. Penalties count the tokens of this generation's
 * own output. One per generation, engine thread.
 */
#ifndef ENGINE_SAMPLER_H
#define ENGINE_SAMPLER_H

#include "base/generation.h"
#include "kernels/kernels.h"

struct sampler;

struct sampler *sampler_new(const struct sampling *sampling, uint32_t n_vocab);
void sampler_free(struct sampler *sampler);

/* Is the answer simply the largest allowed logit (greedy, no bias, penalty or logprobs)? */
bool sampler_is_argmax(const struct sampler *sampler);

/* Draws for output position `position`. logits [n_vocab] is overwritten. mask: bit i = token i allowed;
 * at least one bit is set. */
uint32_t sampler_draw(struct sampler *sampler, const struct kernels *kernels, float *logits,
                      const uint64_t *mask, uint64_t position);

/* Counts a token of the output, drawn or forced. False when memory ran out. */
bool sampler_note(struct sampler *sampler, uint32_t token);

/* Takes back what sampler_note counted. */
void sampler_forget(struct sampler *sampler, uint32_t token);

/* Log probabilities at the last draw: of `token`, and the `top` most likely ones (at most
 * sampling.logprobs; fewer when fewer are allowed). Valid until the next draw. */
float sampler_logprob(const struct sampler *sampler, uint32_t token);
const struct result_logprob *sampler_top(const struct sampler *sampler, size_t *n);

#endif
