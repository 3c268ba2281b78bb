#include <stdlib.h>

#include "engine/pattern_tree.h"
#include "engine/vector.h"

bool pattern_set_range(struct pattern_pool *pool, uint32_t from, uint32_t to) {
    if (pool->n_ranges >= (1u << 18) || !vector_reserve((void **)&pool->ranges, &pool->cap_ranges,
                                                        pool->n_ranges + 1, sizeof *pool->ranges))
        return false;
    pool->ranges[pool->n_ranges++] = (struct pattern_range){from, to};
    return true;
}

static int compare(const void *left, const void *right) {
    const struct pattern_range *a = left, *b = right;
    if (a->from != b->from) return a->from < b->from ? -1 : 1;
    return a->to < b->to ? -1 : a->to > b->to;
}

static uint32_t join(struct pattern_range *ranges, uint32_t n) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (kept && ranges[i].from <= ranges[kept - 1].to + 1) {
            if (ranges[i].to > ranges[kept - 1].to) ranges[kept - 1].to = ranges[i].to;
        } else {
            ranges[kept++] = ranges[i];
        }
    }
    return kept;
}

/* The gaps between the ranges from first on take their place. */
static bool complement(struct pattern_pool *pool, uint32_t first) {
    uint32_t end = pool->n_ranges, from = 0;
    for (uint32_t i = first; i < end; i++) {
        struct pattern_range range = pool->ranges[i];
        if (range.from > from && !pattern_set_range(pool, from, range.from - 1)) return false;
        from = range.to + 1;
    }
    if (from <= 0x10FFFF && !pattern_set_range(pool, from, 0x10FFFF)) return false;
    for (uint32_t i = end; i < pool->n_ranges; i++) pool->ranges[first + i - end] = pool->ranges[i];
    pool->n_ranges = first + pool->n_ranges - end;
    return true;
}

static bool same(const struct pattern_pool *pool, const struct pattern_set *a,
                 const struct pattern_set *b) {
    if (a->n != b->n) return false;
    for (uint32_t i = 0; i < a->n; i++)
        if (compare(&pool->ranges[a->first + i], &pool->ranges[b->first + i]) != 0) return false;
    return true;
}

uint32_t pattern_set_finish(struct pattern_pool *pool, uint32_t first, bool negated) {
    if (pool->n_ranges > first)
        qsort(pool->ranges + first, pool->n_ranges - first, sizeof *pool->ranges, compare);
    if (pool->n_ranges > first)
        pool->n_ranges = first + join(pool->ranges + first, pool->n_ranges - first);
    if (negated && !complement(pool, first)) return PATTERN_NONE;
    struct pattern_set set = {first, pool->n_ranges - first};
    for (uint32_t i = 0; i < pool->n_sets; i++)
        if (same(pool, &pool->sets[i], &set)) {
            pool->n_ranges = first;
            return i;
        }
    if (!vector_reserve((void **)&pool->sets, &pool->cap_sets, pool->n_sets + 1,
                        sizeof *pool->sets))
        return PATTERN_NONE;
    pool->sets[pool->n_sets] = set;
    return pool->n_sets++;
}
