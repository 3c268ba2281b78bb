#include "engine/scratch.h"

#include <stdlib.h>

static size_t aligned(size_t bytes) {
    return (bytes + 63) / 64 * 64;
}

bool scratch_layout(struct scratch *scratch, const struct scratch_part *parts, size_t n, size_t rest) {
    size_t total = aligned(rest) + 64, at = 0;
    for (size_t i = 0; i < n; i++) total += aligned(parts[i].bytes);
    if (posix_memalign(&scratch->memory, 64, total)) {
        scratch->memory = NULL;
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        *parts[i].pointer = (char *)scratch->memory + at;
        at += aligned(parts[i].bytes);
    }
    scratch->rest = (char *)scratch->memory + at;
    return true;
}

void scratch_free(struct scratch *scratch) {
    free(scratch->memory);
    *scratch = (struct scratch){0};
}
