/* checksum: 64 bits over bytes, fast enough for what is read at memory speed.
 *
 * Finds damage (bit flips, torn or swapped parts), not forgery. Four lanes of 64-bit words, each step
 * of which is a bijection of the lane, so that a change within one word always shows; the lanes are
 * mixed at the end as in hash.h. Words are read in the machine's own byte order.
 */
#ifndef ENGINE_CHECKSUM_H
#define ENGINE_CHECKSUM_H

#include <string.h>

#include "engine/hash.h"

enum { CHECKSUM_LANES = 4 };

static inline uint64_t checksum_step(uint64_t lane, uint64_t word) {
    lane = (lane ^ word) * 0x9E3779B97F4A7C15ull; /* odd: a bijection */
    return lane << 29 | lane >> 35;
}

static inline uint64_t checksum(uint64_t seed, const void *bytes, size_t n) {
    const unsigned char *at = bytes;
    uint64_t lanes[CHECKSUM_LANES] = {seed, ~seed, seed ^ n, seed + 1}, words[CHECKSUM_LANES];
    size_t left = n;
    for (; left >= sizeof words; left -= sizeof words, at += sizeof words) {
        memcpy(words, at, sizeof words);
        for (int i = 0; i < CHECKSUM_LANES; i++) lanes[i] = checksum_step(lanes[i], words[i]);
    }
    memset(words, 0, sizeof words);
    memcpy(words, at, left);
    uint64_t sum = hash_mix(seed, n);
    for (int i = 0; i < CHECKSUM_LANES; i++) sum = hash_mix(sum, checksum_step(lanes[i], words[i]));
    return sum;
}

#endif
