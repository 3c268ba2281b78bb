/* bits: how many bits are set. Not every CPU that this is built for has an instruction for it, and the
 * compiler's own function is a call for each word. Internal to constrained decoding. */
#ifndef ENGINE_BITS_H
#define ENGINE_BITS_H

#include <stdint.h>

/* By bytes: each holds how many of its bits were set, 8 at most. */
static inline uint64_t bits_by_bytes(uint64_t word) {
    word -= word >> 1 & 0x5555555555555555ull;
    word = (word & 0x3333333333333333ull) + (word >> 2 & 0x3333333333333333ull);
    return (word + (word >> 4)) & 0x0F0F0F0F0F0F0F0Full;
}

static inline uint32_t bits_count(uint64_t word) {
    return (uint32_t)(bits_by_bytes(word) * 0x0101010101010101ull >> 56);
}

static inline uint32_t bits_count_all(const uint64_t *words, uint32_t n) {
    const uint64_t even = 0x00FF00FF00FF00FFull;
    uint32_t count = 0;
    for (uint32_t i = 0; i < n;) {
        uint64_t sums = 0; /* of 31 words: no byte overflows */
        for (uint32_t end = n - i > 31 ? i + 31 : n; i < end; i++) sums += bits_by_bytes(words[i]);
        sums = (sums & even) + (sums >> 8 & even);
        count += (uint32_t)(sums * 0x0001000100010001ull >> 48);
    }
    return count;
}

#endif
