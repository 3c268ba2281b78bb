/* grammar_cache: forms (compiled grammars with their validators) that requests share. Internal to
 * engine/.
 *
 * Found by content: keys are compared byte for byte, a hash only says where that is worth while.
 * Kept under a budget in bytes, the least recently used given up first. Forms grow while they are
 * used, so they are measured again whenever a user lets go of one; what is given up lives on until
 * its last user has done so. Locks itself; of any thread.
 */
#ifndef ENGINE_GRAMMAR_CACHE_H
#define ENGINE_GRAMMAR_CACHE_H

#include "engine/form.h"

enum { GRAMMAR_CACHE_ENTRIES = 64 };

struct grammar_cache;

struct grammar_cache_stats {
    uint64_t entries, bytes, hits, misses;
};

struct grammar_cache *grammar_cache_new(size_t budget); /* NULL: no memory */
void grammar_cache_free(struct grammar_cache *cache);

/* The form of the key and a reference to it, or NULL: a hit, or a miss. */
struct form *grammar_cache_get(struct grammar_cache *cache, const struct form_key *key);
/* Offers a form after a miss. It may be too large to be kept. */
void grammar_cache_put(struct grammar_cache *cache, struct form *form);
/* Drops a reference, with what the form was found to have grown to. */
void grammar_cache_release(struct grammar_cache *cache, struct form *form);

void grammar_cache_count(struct grammar_cache *cache, struct grammar_cache_stats *stats);

#endif
