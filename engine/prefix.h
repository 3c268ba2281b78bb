/* prefix: computed KV kept by prompt, so that the same beginning is never computed twice.
 *
 * A tree per owner (the peer's uid): each node is one block, keyed by a hash
 * chained over (model fingerprint, owner, all tokens up to its end). A hit compares the
 * tokens themselves: a hash never decides alone. Full blocks are shared
 * read-only; a partly matching one is copied. Eviction takes the least recently
 * used leaf; leaves that were never used again go before those that were, and
 * pinned ones last. Owned by the engine thread.
 */
#ifndef ENGINE_PREFIX_H
#define ENGINE_PREFIX_H

#include "engine/kv.h"

struct prefix;

struct prefix *prefix_new(struct kv *kv, uint64_t fingerprint);
void prefix_free(struct prefix *prefix);

/* Fills an empty sequence with the longest cached prefix of tokens, at most limit tokens long. */
void prefix_lookup(struct prefix *prefix, struct sequence *sequence, uint32_t owner,
                   const uint32_t *tokens, uint32_t limit);

/* Keeps the KV of the first n tokens (n <= sequence->n_tokens). The blocks are shared from then on: a
 * sequence that goes on may store only full blocks (n a multiple of KV_TILE). */
enum { PREFIX_PIN = 1, PREFIX_PROMPT = 2 /* likely to come again: also after a restart, if it is long */ };
void prefix_store(struct prefix *prefix, const struct sequence *sequence, uint32_t owner,
                  const uint32_t *tokens, uint32_t n, unsigned how);

/* --- for the second level, on disk: full blocks only --- */

enum {
    PREFIX_LONG = 256, /* tokens: a shorter prompt, and what is none, is kept on disk only when it is used again, or pinned */
    PREFIX_RUN = 32,
};

/* Fills keys[limit / KV_TILE] with the keys of all full blocks of tokens and returns how many of the
 * first of them are in memory (which count as used). */
uint32_t prefix_missing(struct prefix *prefix, uint32_t owner, const uint32_t *tokens, uint32_t limit,
                        uint64_t *keys);
/* Takes in blocks first..first+n-1 of a chain, read from disk; it holds references of its own. */
void prefix_insert(struct prefix *prefix, uint32_t owner, const uint32_t *tokens, const uint64_t *keys,
                   struct kv_block *const *blocks, uint32_t first, uint32_t n);

struct prefix_run { /* blocks first..first+n-1 of one chain */
    uint32_t owner, first, n;
    uint64_t keys[PREFIX_RUN];
    struct kv_block *blocks[PREFIX_RUN]; /* each with a reference for the run */
    uint32_t *tokens;                    /* of the whole chain up to the last block; owned; NULL: no memory */
};
/* Takes the next blocks that are to be kept on disk, at most `most` (1..PREFIX_RUN). False: there are none. */
bool prefix_next_fresh(struct prefix *prefix, struct prefix_run *run, uint32_t most);
/* Whether the block of this key is on disk. */
void prefix_mark_kept(struct prefix *prefix, uint64_t key, bool kept);
/* The block of this key is to be kept on disk. */
void prefix_mark_fresh(struct prefix *prefix, uint64_t key);
/* All full blocks that are not on disk are to be kept there. */
void prefix_refresh(struct prefix *prefix);

/* A block for a sequence: from the pool, or by evicting cached ones. NULL when all are in use. */
struct kv_block *prefix_take(struct prefix *prefix);

struct prefix_stats {
    uint64_t entries, hits, misses, evictions;
};
struct prefix_stats prefix_stats(const struct prefix *prefix);

/* The prompt hash: 32 hex digits over the model, the owner and all n tokens. */
void prefix_key(const struct prefix *prefix, char key[33], uint32_t owner, const uint32_t *tokens,
                uint32_t n);

#endif
