/* pattern_tree: the syntax of a pattern, between pattern_parse.c and pattern.c. Internal. */
#ifndef ENGINE_PATTERN_TREE_H
#define ENGINE_PATTERN_TREE_H

#include "engine/pattern.h"

enum pattern_kind {
    NODE_SET, NODE_SEQUENCE, NODE_CHOICE, NODE_REPEAT, NODE_START, NODE_END, NODE_LOOK, NODE_EDGE
};

struct pattern_node {
    uint8_t kind;
    bool negated, behind; /* look; edge: \B */
    uint32_t set;         /* look: its number, once it has one */
    uint32_t first, last, next, previous; /* children; siblings */
    uint32_t min, max;          /* repeat; PATTERN_NONE: unbounded */
};

struct pattern_tree {
    struct pattern_pool *pool; /* where sets go */
    struct pattern_node *nodes;
    uint32_t n, cap;
    uint32_t root;
};

enum pattern_result pattern_parse(struct pattern_tree *tree, const char *text, size_t len,
                                  const char **what);

/* Sorts and joins ranges[first..] into a new set, or its complement. PATTERN_NONE without memory. */
uint32_t pattern_set_finish(struct pattern_pool *pool, uint32_t first, bool negated);
bool pattern_set_range(struct pattern_pool *pool, uint32_t from, uint32_t to);

#endif
