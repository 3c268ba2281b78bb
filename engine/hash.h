/* hash: mixing 64-bit values. Not cryptographic: a hash never decides alone here. */
#ifndef ENGINE_HASH_H
#define ENGINE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Mixes value into hash (the finaliser of splitmix64, Steele et al. 2014, over their combination). */
static inline uint64_t hash_mix(uint64_t hash, uint64_t value) {
    uint64_t z = (hash ^ value) + 0x9E3779B97F4A7C15ull + (hash << 6) + (hash >> 2);
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ z >> 27) * 0x94D049BB133111EBull;
    return z ^ z >> 31;
}

static inline uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t n) {
    const unsigned char *at = bytes;
    hash = hash_mix(hash, n);
    for (; n >= 8; at += 8, n -= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        hash = hash_mix(hash, word);
    }
    if (n) {
        uint64_t word = 0;
        for (size_t i = 0; i < n; i++) word |= (uint64_t)at[i] << 8 * i;
        hash = hash_mix(hash, word);
    }
    return hash;
}

#endif
