/* pool: threads that share the pieces of one piece of work, and sleep in between.
 *
 * The caller and n-1 workers take pieces from one counter; pool_run returns when
 * every piece is complete. Nobody waits for a thread to arrive, only for work to
 * be done: a worker that is late finds nothing left. Workers spin for a short
 * while after work, then sleep on a futex: an idle pool uses no CPU. Pieces must
 * be independent and write disjoint memory. One thread at a time calls pool_run.
 */
#ifndef ENGINE_POOL_H
#define ENGINE_POOL_H

#include <stddef.h>

#include "base/error.h"

struct pool;

/* piece in 0..n_pieces-1; thread in 0..pool_threads-1, for scratch memory. */
typedef void pool_work(void *arg, size_t piece, unsigned thread);

struct pool *pool_new(unsigned threads, struct error *error); /* threads >= 1, the caller included */
void pool_free(struct pool *pool);
unsigned pool_threads(const struct pool *pool);
void pool_run(struct pool *pool, pool_work *work, void *arg, size_t n_pieces);

#endif
