/* Characters that no set of a pool tells apart become one class. */
#include <stdlib.h>
#include <string.h>

#include "engine/hash.h"
#include "engine/network.h"

enum { LAST = 0x110000 };

struct partition {
    const struct pattern_pool *pool;
    uint32_t *bounds;
    uint16_t *classes;
    uint64_t *marks; /* of an interval: which sets hold it, as the sum of their hashes */
    uint32_t n, n_classes;
    struct {
        uint64_t mark;
        uint16_t class;
    } slots[4 * ALPHABET_CLASSES];
};

static int compare(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

static void collect_bounds(struct partition *p) {
    static const uint32_t fixed[] = {0, 1, 0x80, 0x800, 0xD800, 0xE000, 0x10000};
    uint32_t n = 0, kept = 0;
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) p->bounds[n++] = fixed[i];
    for (uint32_t i = 0; i < p->pool->n_ranges; i++) {
        p->bounds[n++] = p->pool->ranges[i].from;
        if (p->pool->ranges[i].to + 1 < LAST) p->bounds[n++] = p->pool->ranges[i].to + 1;
    }
    qsort(p->bounds, n, sizeof *p->bounds, compare);
    for (uint32_t i = 0; i < n; i++)
        if (kept == 0 || p->bounds[kept - 1] != p->bounds[i]) p->bounds[kept++] = p->bounds[i];
    p->n = kept;
}

static uint32_t interval_at(const struct partition *p, uint32_t character) {
    uint32_t low = 0, high = p->n;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (p->bounds[middle] <= character)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static void mark_intervals(struct partition *p) {
    for (uint32_t set = 0; set < p->pool->n_sets; set++) {
        uint64_t mark = hash_mix(17, set);
        const struct pattern_set *of = &p->pool->sets[set];
        for (uint32_t r = of->first; r < of->first + of->n; r++) {
            p->marks[interval_at(p, p->pool->ranges[r].from)] += mark;
            if (p->pool->ranges[r].to + 1 < LAST)
                p->marks[interval_at(p, p->pool->ranges[r].to + 1)] -= mark;
        }
    }
    for (uint32_t i = 1; i < p->n; i++) p->marks[i] += p->marks[i - 1];
}

/* Intervals in the same sets, and in none: these are of no use to anyone. */
static bool number_classes(struct partition *p) {
    uint32_t mask = sizeof p->slots / sizeof *p->slots - 1;
    for (uint32_t i = 0; i < p->n; i++) {
        uint32_t from = p->bounds[i];
        p->classes[i] = ALPHABET_NO_CLASS;
        if (from == 0 || (from >= 0xD800 && from < 0xE000) || p->marks[i] == 0) continue;
        uint32_t at = (uint32_t)(p->marks[i] >> 32) & mask;
        while (p->slots[at].mark && p->slots[at].mark != p->marks[i]) at = (at + 1) & mask;
        if (!p->slots[at].mark) {
            if (p->n_classes == ALPHABET_CLASSES) return false;
            p->slots[at].mark = p->marks[i];
            p->slots[at].class = (uint16_t)p->n_classes++;
        }
        p->classes[i] = p->slots[at].class;
    }
    return true;
}

/* Adds the set; false if two intervals of a class are not both in it (their marks are the same by
 * accident). */
static bool add_set(struct network_build *build, const struct pattern_pool *pool, uint32_t set,
                    struct partition *p, const uint32_t *members, uint64_t *bits) {
    const struct alphabet *alphabet = &build->network->alphabet;
    const struct pattern_set *of = &pool->sets[set];
    uint32_t held = 0, wanted = 0;
    memset(bits, 0, alphabet->words * sizeof *bits);
    for (uint32_t r = of->first; r < of->first + of->n; r++)
        for (uint32_t i = interval_at(p, pool->ranges[r].from);
             i < p->n && p->bounds[i] <= pool->ranges[r].to; i++) {
            uint16_t class = p->classes[i];
            if (class == ALPHABET_NO_CLASS) continue;
            held++;
            if (bits[class / 64] >> class % 64 & 1) continue;
            bits[class / 64] |= 1ull << class % 64;
            wanted += members[class];
        }
    build->network->n_sets++;
    return held == wanted;
}

static bool add_sets(struct network_build *build, struct partition *p) {
    struct network *network = build->network;
    uint32_t *members = calloc(p->n_classes + 1, sizeof *members);
    size_t words = network->alphabet.words;
    network->sets = calloc((p->pool->n_sets + 1) * words, sizeof *network->sets);
    bool fine = members && network->sets;
    if (!fine) build->result = ALPHABET_MEMORY;
    for (uint32_t i = 0; fine && i < p->n; i++)
        if (p->classes[i] != ALPHABET_NO_CLASS) members[p->classes[i]]++;
    for (uint32_t set = 0; fine && set < p->pool->n_sets; set++)
        fine = add_set(build, p->pool, set, p, members, network->sets + set * words);
    if (!fine && build->result == ALPHABET_OK) build->result = ALPHABET_TOO_LARGE;
    free(members);
    return fine;
}

bool network_classes(struct network_build *build, const struct pattern_pool *pool) {
    struct partition *p = calloc(1, sizeof *p);
    size_t room = 2 * (size_t)pool->n_ranges + 8;
    bool fine = p != NULL;
    if (p) {
        p->pool = pool;
        p->bounds = malloc(room * sizeof *p->bounds);
        p->classes = malloc(room * sizeof *p->classes);
        p->marks = calloc(room, sizeof *p->marks);
        fine = p->bounds && p->classes && p->marks;
    }
    if (!fine) build->result = ALPHABET_MEMORY;
    if (fine) {
        collect_bounds(p);
        mark_intervals(p);
        fine = number_classes(p);
        if (!fine) build->result = ALPHABET_TOO_LARGE;
    }
    if (fine) {
        uint32_t *bounds = malloc(p->n * sizeof *bounds);
        uint16_t *classes = malloc(p->n * sizeof *classes);
        if (bounds) memcpy(bounds, p->bounds, p->n * sizeof *bounds);
        if (classes) memcpy(classes, p->classes, p->n * sizeof *classes);
        if (bounds && classes)
            build->result =
                alphabet_build(&build->network->alphabet, bounds, classes, p->n, p->n_classes);
        else
            free(bounds), free(classes), build->result = ALPHABET_MEMORY;
        fine = build->result == ALPHABET_OK && add_sets(build, p);
    }
    if (p) free(p->bounds), free(p->classes), free(p->marks);
    free(p);
    return fine;
}
