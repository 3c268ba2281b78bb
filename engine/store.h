/* store: KV blocks as files, one a block.
 *
 * DIR/MODEL/KEY.kv: MODEL is a hash of all that the numbers depend on (the model's fingerprint, KV
 * type and shape, STORE_NUMERICS), KEY the hash chained over owner and tokens. A file holds a header
 * with the same facts, all tokens from the first on, and the block's numbers, under one checksum. A
 * name decides nothing: a block is used only if every fact, every token and the checksum agree;
 * else the file is removed and the block computed again.
 *
 * A file is written under another name, synced, and renamed: after a crash at any instant it is whole
 * or not there. Several daemons may share a directory. It must be the user's own, closed to others
 * (what prompts said could be guessed from the numbers, and tokens are readable): created 0700,
 * refused if others may enter it. The budget holds for DIR as a whole (of several that write at once,
 * each may pass it by a sixteenth); the least recently used files go first, where of one use the end of
 * a chain counts as older than its beginning.
 *
 * Not safe from several threads at once. Nothing here is fatal to a request.
 */
#ifndef ENGINE_STORE_H
#define ENGINE_STORE_H

#include "base/error.h"
#include "engine/key_set.h"
#include "engine/model.h"

/* Counts changes to any bit that the forward pass yields: files of another value are not read.
 * tests/unit/engine/test_store.c fails when the bits change and this does not. */
enum { STORE_NUMERICS = 1 };

struct store;

struct store_block {
    uint64_t key;
    const uint32_t *tokens; /* [n_tokens], from the first of the prompt to this block's last */
    uint32_t n_tokens, owner;
    void *data;             /* of the block: read into or written from */
    int64_t used_ns;        /* of the real-time clock: when its chain was used */
};

/* Opens DIR, making it and its parents if they are missing. NULL and ERROR_CACHE. */
struct store *store_open(const char *dir, uint64_t budget_bytes, const struct model *model,
                         struct error *error);
void store_close(struct store *store);

/* The keys that are there by their names. False: no memory, or the directory can't be read. */
bool store_keys(const struct store *store, struct key_set *keys);

enum store_outcome {
    STORE_DONE,
    STORE_ABSENT,   /* no such file, or it can't be read now */
    STORE_REJECTED, /* it did not verify and was removed */
    STORE_FAILED,   /* not written: no room, no permission, a broken disk */
};
enum store_outcome store_read(struct store *store, const struct store_block *block);
/* A file of this name that is there already only counts as used. Else makes room under the budget
 * first; `removed` receives the keys of this model's files that went. */
enum store_outcome store_write(struct store *store, const struct store_block *block,
                               struct key_set *removed);
/* After a run of writes: their names are on the disk too. */
void store_sync(struct store *store);

/* Of a file on disk with n_tokens tokens. */
uint64_t store_file_bytes(const struct store *store, uint32_t n_tokens);
void store_count(struct store *store); /* what is in DIR */
uint64_t store_bytes(const struct store *store); /* in DIR, as far as known: others may write too */

#endif
