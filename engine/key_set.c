#include "engine/key_set.h"

#include <stdlib.h>

enum { FIRST_SLOTS = 64 };

static uint64_t slot_value(uint64_t key) {
    return key ? key : 1; /* 0 is a free slot; two keys that can't be told apart are no harm */
}

static size_t find(const struct key_set *set, uint64_t value) {
    size_t at = value & (set->n_slots - 1);
    while (set->slots[at] && set->slots[at] != value) at = (at + 1) & (set->n_slots - 1);
    return at;
}

bool key_set_has(const struct key_set *set, uint64_t key) {
    return set->n_slots && set->slots[find(set, slot_value(key))];
}

static bool grow(struct key_set *set) {
    struct key_set wider = {.n_slots = set->n_slots ? set->n_slots * 2 : FIRST_SLOTS, .n = set->n};
    wider.slots = calloc(wider.n_slots, sizeof *wider.slots);
    if (!wider.slots) return false;
    for (size_t i = 0; i < set->n_slots; i++)
        if (set->slots[i]) wider.slots[find(&wider, set->slots[i])] = set->slots[i];
    free(set->slots);
    *set = wider;
    return true;
}

bool key_set_add(struct key_set *set, uint64_t key) {
    if (set->n * 2 >= set->n_slots && !grow(set)) return false;
    size_t at = find(set, slot_value(key));
    set->n += !set->slots[at];
    set->slots[at] = slot_value(key);
    return true;
}

void key_set_remove(struct key_set *set, uint64_t key) {
    if (!key_set_has(set, key)) return;
    size_t mask = set->n_slots - 1, hole = find(set, slot_value(key));
    /* Close the gap (Knuth 6.4, algorithm R). */
    for (size_t at = (hole + 1) & mask; set->slots[at]; at = (at + 1) & mask) {
        size_t home = set->slots[at] & mask;
        if (((at - home) & mask) < ((at - hole) & mask)) continue;
        set->slots[hole] = set->slots[at];
        hole = at;
    }
    set->slots[hole] = 0;
    set->n--;
}

void key_set_free(struct key_set *set) {
    free(set->slots);
    *set = (struct key_set){0};
}
