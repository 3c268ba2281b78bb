/* scratch: one allocation carved into 64-byte aligned parts. */
#ifndef ENGINE_SCRATCH_H
#define ENGINE_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>

struct scratch {
    void *memory;
    void *rest; /* the bytes asked for behind the parts */
};

struct scratch_part {
    void **pointer; /* set to the part */
    size_t bytes;
};

/* False when memory cannot be had; the pointers are untouched then. */
bool scratch_layout(struct scratch *scratch, const struct scratch_part *parts, size_t n, size_t rest);
void scratch_free(struct scratch *scratch);

#endif
