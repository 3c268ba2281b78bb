/* regex_tree: the syntax tree between regex_parse.c and regex.c. Internal. */
#ifndef ENGINE_REGEX_TREE_H
#define ENGINE_REGEX_TREE_H

#include "engine/regex.h"

#define REGEX_NONE      UINT32_MAX
#define REGEX_UNBOUNDED UINT32_MAX

enum regex_kind {
    REGEX_CHARACTER, /* code_point */
    REGEX_SET,       /* set */
    REGEX_SEQUENCE,  /* children first … last */
    REGEX_CHOICE,    /* children first … last */
    REGEX_REPEAT,    /* child first, min … max times */
    REGEX_START,
    REGEX_END,
    REGEX_WORD_BOUNDARY, /* negated: \B */
    REGEX_LOOK,          /* child first; negated, behind */
};

/* Nodes and children are indices: the node array moves while it grows. */
struct regex_node {
    uint8_t kind;
    bool negated, behind;
    uint32_t code_point, set;
    uint32_t first, last, next, previous;
    uint32_t min, max;
};

struct regex_range {
    uint32_t from, to;
};

/* Code points in sorted, disjoint ranges or of general categories; or all others. ASCII as bits. */
struct regex_set {
    uint64_t ascii[2];
    uint32_t first_range, n_ranges;
    uint32_t categories; /* bits */
    bool negated;
};

struct regex_tree {
    struct regex_node *nodes;
    struct regex_set *sets;
    struct regex_range *ranges;
    size_t n_nodes, cap_nodes, n_sets, cap_sets, n_ranges, cap_ranges;
    uint32_t categories; /* of the set under construction */
    uint32_t root;
};

/* Fills the zeroed tree. False: see regex_new; regex_tree_free is still due. */
bool regex_parse(struct regex_tree *tree, const char *pattern, size_t len, struct error *error);
void regex_tree_free(struct regex_tree *tree);

/* Sets under construction (regex_set.c): ranges from `first` on, in any order, become one set. */
bool regex_set_add(struct regex_tree *tree, uint32_t from, uint32_t to);
/* \d \w \s and, negated, \D \W \S. */
bool regex_set_add_class(struct regex_tree *tree, char name);
bool regex_set_finish(struct regex_tree *tree, size_t first, bool negated, uint32_t *set);
bool regex_set_has(const struct regex_set *set, const struct regex_range *ranges, uint32_t c);

#endif
