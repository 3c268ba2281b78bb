/* key_set: a set of 64-bit keys that are hashes already. Open addressing, at most half full. */
#ifndef ENGINE_KEY_SET_H
#define ENGINE_KEY_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct key_set { /* zero-initialise */
    uint64_t *slots; /* 0: free */
    size_t n_slots, n; /* n_slots: 0 or a power of two */
};

bool key_set_has(const struct key_set *set, uint64_t key);
/* False: no memory; the key is not in the set then. */
bool key_set_add(struct key_set *set, uint64_t key);
void key_set_remove(struct key_set *set, uint64_t key);
void key_set_free(struct key_set *set);

#endif
