/* disk_thread: does a store's work beside the engine thread, one order at a time.
 *
 * An order lends blocks: nobody else touches them, or its other members, from disk_thread_give until
 * disk_thread_take returns it.
 */
#ifndef ENGINE_DISK_THREAD_H
#define ENGINE_DISK_THREAD_H

#include "engine/kv.h"
#include "engine/store.h"

enum disk_work { DISK_FETCH, DISK_KEEP };

struct disk_order { /* blocks first..first+n-1 of one chain */
    enum disk_work work;
    uint32_t owner, first, n;
    uint32_t *tokens;         /* [(first + n) * KV_TILE] */
    uint64_t *keys;           /* DISK_FETCH: of the whole chain; else [n] */
    struct kv_block **blocks; /* [n] */
    int64_t used_ns, pace_ns; /* DISK_FETCH: what computing a block takes: a slower disk is not waited for */
    /* Results. */
    uint32_t n_done;          /* leading blocks that were read or written */
    bool rejected, failed;    /* the next one did not verify; could not be written */
    bool left;                /* the next one may well be there */
    struct key_set removed;   /* evicted for others */
};

void disk_order_free(struct disk_order *order); /* but not what was lent */

struct disk_thread;

/* Takes the store over. wake: called on the thread after each order, or NULL; it must not wait, nor call
 * anything here. NULL: no memory. */
struct disk_thread *disk_thread_start(struct store *store, void (*wake)(void *user), void *user);
/* After the block at hand, if any. Closes the store. False: the disk hangs and the patience is over; the
 * thread is left to itself then, and frees the order that it has with all that it lends. */
bool disk_thread_stop(struct disk_thread *thread, int64_t patience_ns);

void disk_thread_give(struct disk_thread *thread, struct disk_order *order); /* when it has none */
/* The order when it is done, else NULL. wait: for up to so many ns first. */
struct disk_order *disk_thread_take(struct disk_thread *thread, int64_t wait_ns);
/* Something waits for the thread: writing ends after the block at hand. */
void disk_thread_hurry(struct disk_thread *thread);

/* It has an order, and has not done a block of it for seconds. */
bool disk_thread_stuck(const struct disk_thread *thread);

uint64_t disk_thread_bytes(const struct disk_thread *thread); /* in the directory */

#endif
