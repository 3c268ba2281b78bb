/* held: bytes of an allocation, as the allocator gave them. */
#ifndef ENGINE_HELD_H
#define ENGINE_HELD_H

#include <malloc.h>
#include <stddef.h>

static inline size_t held(const void *allocated) {
    return allocated ? malloc_usable_size((void *)allocated) : 0;
}

#endif
