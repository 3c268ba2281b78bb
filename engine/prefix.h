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
void prefix_store(struct prefix *prefix, const struct sequence *sequence, uint32_t owner,
                  const uint32_t *tokens, uint32_t n, bool pin);

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
