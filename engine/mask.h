/* mask: which tokens may come next. Internal to constrained decoding.
 *
 * A depth-first walk over the token trie, stepping the machine's threads byte by
 * byte and skipping the subtree of a byte that is not allowed. Threads inside an
 * ordinary string take the precomputed set of string-safe tokens, and only those
 * that close the string are walked.
 */
#ifndef ENGINE_MASK_H
#define ENGINE_MASK_H

#include "engine/machine.h"
#include "engine/mask_cache.h"
#include "engine/trie_nodes.h"

/* A growing stack of threads, the walk's own: one set for each depth. */
struct mask_stack {
    struct thread *threads;
    uint32_t n, cap;
    uint64_t *bits; /* scratch for one mask */
};

void mask_stack_free(struct mask_stack *stack);

/* bits (overwritten) |= the tokens that the threads allow. Returns how many. The machine's frames
 * grow and shrink back. */
uint32_t mask_fill(struct machine *machine, const struct thread *threads, uint32_t n,
                   const struct trie *trie, struct mask_cache *cache, struct mask_stack *stack,
                   uint64_t *bits);

#endif
