#include "engine/regex_tree.h"

#include <stdlib.h>

#include "engine/unicode.h"

#define LAST_CODE_POINT 0x10FFFFu

bool regex_set_add(struct regex_tree *tree, uint32_t from, uint32_t to) {
    if (tree->n_ranges == tree->cap_ranges) {
        size_t cap = tree->cap_ranges ? tree->cap_ranges * 2 : 32;
        struct regex_range *grown = realloc(tree->ranges, cap * sizeof *grown);
        if (!grown) return false;
        tree->ranges = grown;
        tree->cap_ranges = cap;
    }
    tree->ranges[tree->n_ranges++] = (struct regex_range){from, to};
    return true;
}

static const struct regex_range digits[] = {{'0', '9'}};
static const struct regex_range words[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
/* WhiteSpace and LineTerminator of ECMA-262. */
static const struct regex_range spaces[] = {
    {0x09, 0x0D},     {0x20, 0x20},     {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
    {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF},
};

static bool add_all(struct regex_tree *tree, const struct regex_range *ranges, size_t n,
                    bool negated) {
    uint32_t from = 0;
    for (size_t i = 0; i < n; i++) {
        if (!negated && !regex_set_add(tree, ranges[i].from, ranges[i].to)) return false;
        if (negated && ranges[i].from > from && !regex_set_add(tree, from, ranges[i].from - 1))
            return false;
        from = ranges[i].to + 1;
    }
    return !negated || regex_set_add(tree, from, LAST_CODE_POINT);
}

bool regex_set_add_class(struct regex_tree *tree, char name) {
    bool negated = name >= 'A' && name <= 'Z';
    switch (name | 0x20) {
    case 'd': return add_all(tree, digits, sizeof digits / sizeof *digits, negated);
    case 'w': return add_all(tree, words, sizeof words / sizeof *words, negated);
    default: return add_all(tree, spaces, sizeof spaces / sizeof *spaces, negated);
    }
}

static int compare_ranges(const void *left, const void *right) {
    const struct regex_range *a = left, *b = right;
    return a->from < b->from ? -1 : a->from > b->from;
}

/* Sorts and joins the ranges from `first` on. */
static void normalise(struct regex_tree *tree, size_t first) {
    size_t n = tree->n_ranges - first, kept = 0;
    if (n == 0) return;
    struct regex_range *r = tree->ranges + first;
    qsort(r, n, sizeof *r, compare_ranges);
    for (size_t i = 1; i < n; i++) {
        if (r[i].from > r[kept].to + 1)
            r[++kept] = r[i];
        else if (r[i].to > r[kept].to)
            r[kept].to = r[i].to;
    }
    tree->n_ranges = first + kept + 1;
}

static bool negate(struct regex_tree *tree, size_t first) {
    size_t n = tree->n_ranges - first;
    uint32_t from = 0;
    for (size_t i = 0; i < n; i++) {
        struct regex_range range = tree->ranges[first + i];
        if (range.from > from && !regex_set_add(tree, from, range.from - 1)) return false;
        from = range.to + 1;
    }
    if (from <= LAST_CODE_POINT && !regex_set_add(tree, from, LAST_CODE_POINT)) return false;
    size_t gaps = tree->n_ranges - first - n;
    for (size_t i = 0; i < gaps; i++) tree->ranges[first + i] = tree->ranges[first + n + i];
    tree->n_ranges = first + gaps;
    return true;
}

static bool in_ranges(const struct regex_set *set, const struct regex_range *ranges, uint32_t c) {
    const struct regex_range *r = ranges + set->first_range;
    uint32_t low = 0, high = set->n_ranges;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (c < r[middle].from)
            high = middle;
        else if (c > r[middle].to)
            low = middle + 1;
        else
            return true;
    }
    return false;
}

static bool is_in(const struct regex_set *set, const struct regex_range *ranges, uint32_t c) {
    bool in = set->n_ranges && in_ranges(set, ranges, c);
    if (!in && set->categories) in = set->categories >> unicode_category(c) & 1;
    return in != set->negated;
}

bool regex_set_finish(struct regex_tree *tree, size_t first, bool negated, uint32_t *set) {
    normalise(tree, first);
    uint32_t categories = tree->categories;
    tree->categories = 0;
    if (negated && !categories && !negate(tree, first)) return false;
    if (tree->n_sets == tree->cap_sets) {
        size_t cap = tree->cap_sets ? tree->cap_sets * 2 : 8;
        struct regex_set *grown = realloc(tree->sets, cap * sizeof *grown);
        if (!grown) return false;
        tree->sets = grown;
        tree->cap_sets = cap;
    }
    struct regex_set *made = &tree->sets[tree->n_sets];
    *made = (struct regex_set){.first_range = (uint32_t)first,
                               .n_ranges = (uint32_t)(tree->n_ranges - first),
                               .categories = categories,
                               .negated = negated && categories};
    for (uint32_t c = 0; c < 128; c++)
        if (is_in(made, tree->ranges, c)) made->ascii[c >> 6] |= UINT64_C(1) << (c & 63);
    *set = (uint32_t)tree->n_sets++;
    return true;
}

bool regex_set_has(const struct regex_set *set, const struct regex_range *ranges, uint32_t c) {
    return c < 128 ? set->ascii[c >> 6] >> (c & 63) & 1 : is_in(set, ranges, c);
}
