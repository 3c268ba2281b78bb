/* forward: one pass of the model over a batch of rows from any number of sequences.
 *
 * A row is one token at one position of one sequence. Prefill chunks and decode
 * steps share the pass: weights are read once for all rows. Rows of one sequence
 * must be consecutive in the batch, in increasing position, and begin where
 * the sequence's filled positions end. The bits of a row's logits do not depend on
 * what else is in the batch, nor on the threads. Owned by the engine thread.
 */
#ifndef ENGINE_FORWARD_H
#define ENGINE_FORWARD_H

#include "engine/kv.h"
#include "engine/pool.h"
#include "engine/rope.h"

struct row {
    struct sequence *sequence; /* its blocks cover position */
    uint32_t position, token;
    float *logits; /* n_vocab floats to fill, or NULL */
    const uint32_t *chosen; /* if n_chosen: tokens whose logits are wanted, the others stay as they */
    uint32_t n_chosen;      /* are. The list lives, holding tokens, until the forward_trim after */
};

struct forward;

struct forward *forward_new(const struct model *model, const struct kernels *kernels, struct kv *kv,
                            struct pool *pool, uint32_t max_rows, struct error *error);
void forward_free(struct forward *forward);
uint32_t forward_max_rows(const struct forward *forward);

/* Computes n rows (1..max_rows) and advances the sequences' n_tokens. False when memory for the pass cannot be had: nothing
 * was changed. */
bool forward_run(struct forward *forward, const struct row *rows, uint32_t n, struct error *error);
/* Gives back the memory that large passes needed (called when the engine falls idle). */
void forward_trim(struct forward *forward);

#endif
