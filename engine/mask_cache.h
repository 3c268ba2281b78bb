/* mask_cache: token masks by matcher state, under a budget. Internal to constrained decoding.
 *
 * Belongs to a grammar, is shared by its matchers, locks itself. Holds masks of
 * one trie only; a matcher with another trie goes without. Small masks are kept
 * as lists of tokens. When the budget is used up everything is dropped: states
 * come in runs, what is still needed is soon back.
 */
#ifndef ENGINE_MASK_CACHE_H
#define ENGINE_MASK_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mask_cache;

struct mask_cache *mask_cache_new(size_t budget);
void mask_cache_free(struct mask_cache *cache);
size_t mask_cache_bytes(struct mask_cache *cache); /* what it holds */

/* Copies the mask of a state, overwriting bits; *count: how many are set. False if it is not there. */
bool mask_cache_get(struct mask_cache *cache, const void *trie, uint64_t state, uint64_t *bits,
                    uint32_t n_words, uint32_t *count);
void mask_cache_put(struct mask_cache *cache, const void *trie, uint64_t state,
                    const uint64_t *bits, uint32_t n_words, uint32_t count);

#endif
