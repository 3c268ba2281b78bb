#include "proto/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 4096, ALIGN = 16 };

struct arena_chunk {
    struct arena_chunk *next;
    size_t used, cap;
    _Alignas(ALIGN) char bytes[];
};

static struct arena_chunk *chunk_add(struct arena *arena, size_t need) {
    size_t cap = need > CHUNK ? need : CHUNK;
    struct arena_chunk *chunk = malloc(sizeof *chunk + cap);
    if (!chunk) return NULL;
    chunk->used = 0;
    chunk->cap = cap;
    /* A chunk of its own for something big goes behind the one in use, whose rest stays usable. */
    struct arena_chunk **place =
        need > CHUNK && arena->chunks ? &arena->chunks->next : &arena->chunks;
    chunk->next = *place;
    *place = chunk;
    return chunk;
}

void *arena_alloc(struct arena *arena, size_t count, size_t size) {
    if (arena->failed || (size && count > (SIZE_MAX / 4) / size)) {
        arena->failed = true;
        return NULL;
    }
    size_t need = (count * size + ALIGN) & ~(size_t)(ALIGN - 1);
    struct arena_chunk *chunk = arena->chunks;
    if (!chunk || chunk->cap - chunk->used < need) chunk = chunk_add(arena, need);
    if (!chunk) {
        arena->failed = true;
        return NULL;
    }
    void *bytes = chunk->bytes + chunk->used;
    chunk->used += need;
    return memset(bytes, 0, need);
}

struct text arena_copy(struct arena *arena, const char *bytes, size_t len) {
    char *copy = arena_alloc(arena, len + 1, 1);
    if (!copy) return (struct text){0};
    memcpy(copy, bytes, len);
    return (struct text){copy, len};
}

void arena_free(struct arena *arena) {
    for (struct arena_chunk *chunk = arena->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    *arena = (struct arena){0};
}
