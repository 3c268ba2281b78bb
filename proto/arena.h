/* arena: memory that is freed all at once.
 *
 * Owns what the calls of one message borrow. A failed allocation sets `failed` and
 * stays set: readers allocate freely and the message is checked once.
 */
#ifndef PROTO_ARENA_H
#define PROTO_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/generation.h"

struct arena {
    struct arena_chunk *chunks;
    bool failed;
};

/* count * size zeroed bytes, aligned for any object; NULL when out of memory. Never NULL otherwise,
 * also for count 0. */
void *arena_alloc(struct arena *arena, size_t count, size_t size);
/* A copy, with a NUL after it that is not counted. Absent (bytes NULL) when out of memory. */
struct text arena_copy(struct arena *arena, const char *bytes, size_t len);
void arena_free(struct arena *arena);

#endif
