/* disk: the second level of the prefix cache, seen from the engine thread.
 *
 * Blocks that prefix.h marks as fresh are written behind (a few at a time, while the engine computes),
 * and what a prompt lacks in memory is read ahead of its prefill. All waiting is done on a thread of
 * its own (disk_thread.h): the engine goes on with other requests meanwhile. Nothing here makes a
 * request fail: what can't be read is computed, what can't be written is forgotten.
 */
#ifndef ENGINE_DISK_H
#define ENGINE_DISK_H

#include "engine/prefix.h"

struct disk;

struct disk_settings {
    const char *dir;
    uint64_t budget_bytes;
    void (*wake)(void *user); /* see engine.h */
    void *user;
};

/* NULL and ERROR_CACHE. */
struct disk *disk_open(const struct disk_settings *settings, const struct model *model, struct kv *kv,
                       struct prefix *prefix, struct error *error);
/* Before the end: writes what is fresh, or used once and still in memory, for so long at most. NULL does
 * nothing. */
void disk_finish(struct disk *disk, int64_t patience_ns);
/* When nobody but the disk holds blocks of the pool any more. A disk that hangs is left to itself after a
 * second. NULL does nothing. */
void disk_close(struct disk *disk);

enum disk_answer {
    DISK_NOTHING, /* more than memory has isn't there */
    DISK_COMING,  /* it is being read: look again when disk_poll says so */
    DISK_BUSY,    /* with something else: ask again when disk_poll says so */
};
/* Has the blocks of tokens[0..limit-1] that memory lacks read, at most `room` of them, as long as that is
 * faster than to compute them, which takes pace_ns a block. */
enum disk_answer disk_fetch(struct disk *disk, uint32_t owner, const uint32_t *tokens, uint32_t limit,
                            uint64_t room, int64_t pace_ns);

struct disk_news {
    bool ended;          /* an order ended: ask again */
    bool fetch;          /* it was a fetch ... */
    uint32_t n_fetched;  /* ... that brought so many blocks */
};
/* Takes in what has been done, after waiting for up to wait_ns. */
struct disk_news disk_poll(struct disk *disk, int64_t wait_ns);
/* Has the next fresh blocks written, if the thread is free and the pool can lend some: it has `room`
 * blocks that nobody needs. NULL does nothing. */
void disk_write(struct disk *disk, uint64_t room);

bool disk_working(const struct disk *disk);      /* wake will come */
/* The disk hangs: nobody is to wait for it. As long as it does the pool may have other blocks in place of
 * those lent. */
bool disk_stuck(struct disk *disk);
uint64_t disk_blocks_lent(const struct disk *disk); /* of the pool */

struct disk_stats {
    uint64_t bytes, read_blocks, written_blocks, rejected_blocks, failed_writes;
};
struct disk_stats disk_stats(const struct disk *disk);

#endif
