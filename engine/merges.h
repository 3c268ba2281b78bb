/* merges: which pairs of tokens a BPE vocabulary joins, and in which order of preference.
 *
 * Filled once in rank order, then immutable. A rank is a merge's index.
 */
#ifndef ENGINE_MERGES_H
#define ENGINE_MERGES_H

#include <stdbool.h>
#include <stdint.h>

struct merge {
    uint32_t left, right, result; /* token ids */
};

struct merges {
    struct merge *entries; /* by rank */
    uint32_t count;
    uint32_t *slots; /* rank, or UINT32_MAX */
    uint32_t mask;
};

bool merges_init(struct merges *merges, uint32_t cap);
void merges_free(struct merges *merges);
/* Appends a merge at the next rank. A pair that is there already keeps its lower rank. */
void merges_add(struct merges *merges, struct merge merge);
/* The rank of a pair, or UINT32_MAX. */
uint32_t merges_find(const struct merges *merges, uint32_t left, uint32_t right);

#endif
