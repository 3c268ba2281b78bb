/* vector: room for one more in a growable array. Internal to constrained decoding. */
#ifndef ENGINE_VECTOR_H
#define ENGINE_VECTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* Makes *items hold at least `need` elements of `size` bytes. False (and nothing changed) when
 * memory runs out. */
static inline bool vector_reserve(void **items, uint32_t *cap, uint32_t need, size_t size) {
    if (need <= *cap) return true;
    if (need > UINT32_MAX / 2) return false;
    uint32_t grown = *cap ? *cap * 2 : 16;
    if (grown < need) grown = need;
    void *moved = realloc(*items, (size_t)grown * size);
    if (!moved) return false;
    *items = moved;
    *cap = grown;
    return true;
}

#endif
