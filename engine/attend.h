/* attend: attention of a batch of rows over their sequences' KV.
 *
 * Splits the batch into pieces of (consecutive rows of one sequence, KV head)
 * for the pool. Owned by the engine thread.
 */
#ifndef ENGINE_ATTEND_H
#define ENGINE_ATTEND_H

#include "engine/forward.h"

struct attend;

struct attend *attend_new(const struct model *model, const struct kernels *kernels, const struct kv *kv,
                          struct pool *pool, struct error *error);
void attend_free(struct attend *attend);
void attend_trim(struct attend *attend);

/* Once a batch, before its layers: plans the pieces and reserves scratch memory. */
bool attend_prepare(struct attend *attend, const struct row *rows, uint32_t n, struct error *error);
/* out, q: [n][n_head * head_dim]. Keys and values of the rows are stored already. */
void attend_run(struct attend *attend, uint32_t layer, const struct row *rows, uint32_t n, float *q,
                float *out);

#endif
