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

/* The same for work that may be done twice: when all pieces are taken and one is late (its thread lost
 * its CPU), the caller computes it again instead of waiting. `compute` writes to memory of its
 * thread alone; whoever is first then commits it to the output, the other's work is dropped. A
 * late thread may still be reading when the region is long over: compute must touch only *job, which is
 * copied, and memory that lives until pool_quiesce; what it then computes is dropped. Legal because
 * the same piece gives the same bits on any thread. */
struct pool_redo {
    void (*compute)(const void *job, size_t piece, unsigned thread);
    void (*commit)(const void *job, size_t piece, unsigned thread);
    const void *job; /* at most POOL_JOB_BYTES */
    size_t job_bytes;
};
enum { POOL_JOB_BYTES = 512, POOL_REDO_PIECES = 512 };
void pool_run_redo(struct pool *pool, const struct pool_redo *redo, size_t n_pieces);

/* Waits until no thread is inside a piece: before memory that `compute` reads is freed. */
void pool_quiesce(struct pool *pool);

#endif
