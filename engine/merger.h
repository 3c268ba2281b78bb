/* merger: joins neighbouring symbols of a word, best pair first, until none is left.
 *
 * What SPM and BPE have in common: symbols are runs of bytes with a token id; the pair with the
 * lowest rank is joined first, the leftmost among equals. A heap keeps the work at O(n log n)
 * whatever the word. One merger serves many words, one after the other; it belongs to one thread.
 */
#ifndef ENGINE_MERGER_H
#define ENGINE_MERGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MERGER_MAX = INT32_MAX }; /* bytes of a word */

struct symbol {
    uint32_t id;   /* token, or UINT32_MAX for bytes that are none */
    uint32_t len;  /* bytes; 0 once joined to the symbol before it */
    uint32_t prev; /* where the symbol before it starts, UINT32_MAX at the beginning */
};

struct merger {
    struct symbol *symbols; /* a symbol stands at the index of its first byte */
    size_t len, cap;        /* bytes of the word */
    uint32_t last;          /* the symbol added last */
    uint64_t *heap;         /* rank << 32 | left symbol, the smallest first */
    size_t heap_len, heap_cap;
    uint64_t steps; /* look-ups and heap moves so far: what the tests bound */
};

struct joined {
    uint32_t rank, id;
};
/* May the symbols at left and right be joined, and to what? */
typedef bool (*merger_find)(const void *context, const struct merger *merger, uint32_t left,
                            uint32_t right, struct joined *out);

/* Starts a word of n bytes (at most MERGER_MAX); false when memory runs out. Then add its symbols.
 */
bool merger_start(struct merger *merger, size_t n);
/* Appends a symbol (the lengths must add up to n). */
void merger_add(struct merger *merger, uint32_t id, uint32_t len);
/* Joins all that can be joined. False when memory runs out. */
bool merger_run(struct merger *merger, merger_find find, const void *context);
void merger_free(struct merger *merger);

#endif
