/* guard: what the kernel tests share: buffers that end at an unreadable page, random numbers of a
 * printed seed (PLM_TEST_SEED repeats a run), and comparison of float bits. */
#ifndef TESTS_UNIT_KERNELS_GUARD_H
#define TESTS_UNIT_KERNELS_GUARD_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

struct guard {
    void *bytes; /* ends at the guard page, and so is only as aligned as its size */
    void *mapping;
    size_t mapped;
};

static inline struct guard guard_new(size_t bytes) {
    size_t page = 4096, room = (bytes + page - 1) / page * page;
    struct guard guard = {.mapped = room + page};
    guard.mapping =
        mmap(NULL, guard.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (guard.mapping == MAP_FAILED) abort();
    char *end = (char *)guard.mapping + room;
    if (mprotect(end, page, PROT_NONE) != 0) abort();
    guard.bytes = end - bytes;
    return guard;
}

static inline void guard_free(struct guard *guard) {
    munmap(guard->mapping, guard->mapped);
}

static uint64_t random_state;

static inline void random_start(const char *test) {
    const char *seed = getenv("PLM_TEST_SEED");
    random_state = seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
    printf("%s: PLM_TEST_SEED=%llu\n", test, (unsigned long long)random_state);
    fflush(stdout);
}

static inline uint32_t random_bits(void) { /* splitmix64 */
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ z >> 31) >> 32);
}

static inline uint32_t random_below(uint32_t n) {
    return (uint32_t)((uint64_t)random_bits() * n >> 32);
}

static inline float random_plain(void) { /* -1 .. 1 */
    return (float)((double)random_bits() * 0x1p-31 - 1);
}

static inline float float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* Any bits, or one of the values where things happen. */
static inline float random_extreme(void) {
    static const float odd[] = {0.0f,   -0.0f,   0x1p-149f, -0x1p-140f, 0x1p-126f,       0x1p-30f,
                                3e38f,  -3e38f,  1e19f,     -1e19f,     (float)INFINITY, 65504.0f,
                                88.72f, -87.33f, 1.0f,      -1.0f,      -(float)INFINITY};
    uint32_t kind = random_below(64);
    if (kind < sizeof odd / sizeof *odd) return odd[kind];
    if (kind == 20) return (float)NAN;
    if (kind == 21) return float_of(0x7f800001 | random_bits()); /* NaN with a payload */
    if (kind < 30) return float_of(random_bits());
    return random_plain() * (kind < 40 ? 100.0f : 1.0f);
}

static inline bool same_float(float a, float b) {
    return bits_of(a) == bits_of(b) || (a != a && b != b);
}

#endif
