#include <stdlib.h>
#include <string.h>

#include "engine/schema_part.h"

static bool grow(struct schema_map *map) {
    struct schema_map larger = {.cap = map->cap ? map->cap * 2 : 32};
    if (larger.cap > (1u << 24)) return false;
    larger.slots = malloc(larger.cap * sizeof *larger.slots);
    if (!larger.slots) return false;
    memset(larger.slots, 0xFF, larger.cap * sizeof *larger.slots); /* RULES_NONE */
    for (uint32_t i = 0; i < map->cap; i++) {
        uint32_t at = (uint32_t)map->slots[i].hash & (larger.cap - 1);
        if (map->slots[i].value == RULES_NONE) continue;
        while (larger.slots[at].value != RULES_NONE) at = (at + 1) & (larger.cap - 1);
        larger.slots[at] = map->slots[i];
    }
    larger.n = map->n;
    free(map->slots);
    *map = larger;
    return true;
}

void schema_map_clear(struct schema_map *map) {
    if (map->cap) memset(map->slots, 0xFF, map->cap * sizeof *map->slots);
    map->n = 0;
}

struct schema_slot *schema_map_slot(struct schema_map *map, uint64_t hash, uint32_t *probe) {
    if (*probe == 0 && (map->n + 1) * 2 > map->cap && !grow(map)) return NULL;
    uint32_t at = ((uint32_t)hash + (*probe)++) & (map->cap - 1);
    struct schema_slot *slot = &map->slots[at];
    if (slot->value == RULES_NONE) {
        slot->hash = hash;
        map->n++; /* the caller fills it */
    }
    return slot;
}
