/* trie: the vocabulary as a byte trie, for token masks.
 *
 * Built once per vocabulary (target: under 20 ms for 49k tokens, compact memory:
 * it counts as private memory of an idle daemon, keep it under 4 MB there),
 * immutable, any thread. Holds every token that adds text: normal, byte and
 * user-defined tokens with at least one byte; control, unknown and unused ones
 * are left out. Precomputes what masks need often (the set of string-safe tokens by
 * length class).
 */
#ifndef ENGINE_TRIE_H
#define ENGINE_TRIE_H

#include "engine/vocab.h"

struct trie;

struct trie *trie_new(const struct vocab *vocab, struct error *error);
void trie_free(struct trie *trie);
size_t trie_memory(const struct trie *trie);

#endif
