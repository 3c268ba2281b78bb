#include "engine/specials.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b, void *lexicon) {
    uint32_t a_len, b_len;
    const char *a_bytes = lexicon_bytes(lexicon, *(const uint32_t *)a, &a_len);
    const char *b_bytes = lexicon_bytes(lexicon, *(const uint32_t *)b, &b_len);
    int order = memcmp(a_bytes, b_bytes, a_len < b_len ? a_len : b_len);
    return order ? order : (a_len > b_len) - (a_len < b_len);
}

void specials_init(struct specials *specials, const struct lexicon *lexicon, uint32_t *ids,
                   uint32_t count) {
    *specials = (struct specials){.ids = ids};
    for (uint32_t i = 0; i < count; i++) {
        uint32_t len;
        const char *bytes = lexicon_bytes(lexicon, ids[i], &len);
        if (len == 0) continue;
        specials->first[(unsigned char)bytes[0]] = true;
        ids[specials->count++] = ids[i];
    }
    qsort_r(ids, specials->count, sizeof *ids, compare, (void *)(uintptr_t)lexicon);
}

void specials_free(struct specials *specials) {
    free(specials->ids);
    *specials = (struct specials){0};
}

/* The byte of special i at `depth`, -1 if it ends there. */
static int byte_at(const struct specials *specials, const struct lexicon *lexicon, uint32_t i,
                   size_t depth) {
    uint32_t len;
    const char *bytes = lexicon_bytes(lexicon, specials->ids[i], &len);
    return depth < len ? (unsigned char)bytes[depth] : -1;
}

/* The first in [low, high) whose byte at `depth` is at least `byte`. */
static uint32_t lower_bound(const struct specials *specials, const struct lexicon *lexicon,
                            uint32_t low, uint32_t high, size_t depth, int byte) {
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (byte_at(specials, lexicon, middle, depth) < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t specials_match(const struct specials *specials, const struct lexicon *lexicon,
                        const char *bytes, size_t n) {
    uint32_t low = 0, high = specials->count, found = UINT32_MAX;
    if (n == 0 || !specials->first[(unsigned char)bytes[0]]) return found;
    for (size_t depth = 0; depth < n && low < high; depth++) {
        int byte = (unsigned char)bytes[depth];
        low = lower_bound(specials, lexicon, low, high, depth, byte);
        high = lower_bound(specials, lexicon, low, high, depth, byte + 1);
        if (low < high && byte_at(specials, lexicon, low, depth + 1) < 0)
            found = specials->ids[low];
    }
    return found;
}
