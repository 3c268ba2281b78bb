#include "engine/merges.h"

#include <stdlib.h>
#include <string.h>

#include "engine/hash.h"

static const uint32_t EMPTY = UINT32_MAX;

bool merges_init(struct merges *merges, uint32_t cap) {
    size_t size = 16; /* at most two thirds full */
    while (size < (size_t)cap + cap / 2) size *= 2;
    *merges = (struct merges){.mask = (uint32_t)(size - 1)};
    merges->entries = malloc((cap ? cap : 1) * sizeof *merges->entries);
    merges->slots = malloc(size * sizeof *merges->slots);
    if (!merges->entries || !merges->slots) return false;
    memset(merges->slots, 0xFF, size * sizeof *merges->slots);
    return true;
}

void merges_free(struct merges *merges) {
    free(merges->entries);
    free(merges->slots);
    *merges = (struct merges){0};
}

static uint32_t *find_slot(const struct merges *merges, uint32_t left, uint32_t right) {
    uint64_t seed = (uintptr_t)merges->slots; /* differs in every process: hard to flood */
    uint32_t i = (uint32_t)hash_mix(seed, (uint64_t)left << 32 | right) & merges->mask;
    for (;; i = (i + 1) & merges->mask) {
        uint32_t rank = merges->slots[i];
        if (rank == EMPTY ||
            (merges->entries[rank].left == left && merges->entries[rank].right == right))
            return &merges->slots[i];
    }
}

void merges_add(struct merges *merges, struct merge merge) {
    uint32_t rank = merges->count++;
    merges->entries[rank] = merge;
    uint32_t *slot = find_slot(merges, merge.left, merge.right);
    if (*slot == EMPTY) *slot = rank;
}

uint32_t merges_find(const struct merges *merges, uint32_t left, uint32_t right) {
    return *find_slot(merges, left, right);
}
