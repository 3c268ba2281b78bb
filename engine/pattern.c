#include "engine/pattern.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "engine/pattern_tree.h"
#include "engine/vector.h"

/* ---- tree to automaton: each node is compiled before its continuation `out` ---- */

struct compiler {
    struct pattern_pool *pool;
    const struct pattern_tree *tree;
    uint32_t first; /* of this automaton's states */
    uint32_t steps;
    enum pattern_result result;
};

enum { MAX_STEPS = 1 << 17 }; /* repeated nothings make no states */

static uint32_t add_state(struct compiler *c, enum pattern_op op, uint32_t set, uint32_t out,
                          uint32_t other) {
    struct pattern_pool *pool = c->pool;
    if (c->result != PATTERN_OK) return PATTERN_NONE;
    if (pool->n_states - c->first >= PATTERN_STATES) {
        c->result = PATTERN_TOO_LARGE;
        return PATTERN_NONE;
    }
    if (!vector_reserve((void **)&pool->states, &pool->cap_states, pool->n_states + 1,
                        sizeof *pool->states)) {
        c->result = PATTERN_MEMORY;
        return PATTERN_NONE;
    }
    pool->states[pool->n_states] = (struct pattern_state){op, set, out, other};
    return pool->n_states++;
}

static uint32_t compile_node(struct compiler *c, uint32_t node, uint32_t out);

static uint32_t compile_optional(struct compiler *c, uint32_t child, uint32_t n, uint32_t out) {
    uint32_t end = out;
    for (; n > 0 && c->result == PATTERN_OK; n--) {
        uint32_t body = compile_node(c, child, out);
        out = add_state(c, PATTERN_SPLIT, 0, body, end);
    }
    return out;
}

static uint32_t compile_repeat(struct compiler *c, const struct pattern_node *node, uint32_t out) {
    uint32_t min = node->min;
    if (node->max == PATTERN_NONE) {
        uint32_t loop = add_state(c, PATTERN_SPLIT, 0, PATTERN_NONE, out);
        uint32_t body = compile_node(c, node->first, loop);
        if (c->result != PATTERN_OK) return PATTERN_NONE;
        c->pool->states[loop].out = body;
        out = min ? body : loop;
        if (min) min--;
    } else {
        out = compile_optional(c, node->first, node->max - min, out);
    }
    for (; min > 0 && c->result == PATTERN_OK; min--) out = compile_node(c, node->first, out);
    return out;
}

static uint32_t compile_sequence(struct compiler *c, uint32_t last, uint32_t out) {
    for (uint32_t child = last; child != PATTERN_NONE; child = c->tree->nodes[child].previous)
        out = compile_node(c, child, out);
    return out;
}

static uint32_t compile_choice(struct compiler *c, uint32_t child, uint32_t out) {
    uint32_t entry = compile_node(c, child, out);
    for (child = c->tree->nodes[child].next; child != PATTERN_NONE;
         child = c->tree->nodes[child].next)
        entry = add_state(c, PATTERN_SPLIT, 0, entry, compile_node(c, child, out));
    return entry;
}

static uint32_t compile_node(struct compiler *c, uint32_t index, uint32_t out) {
    const struct pattern_node *node = &c->tree->nodes[index];
    if (++c->steps > MAX_STEPS && c->result == PATTERN_OK) c->result = PATTERN_TOO_LARGE;
    if (c->result != PATTERN_OK) return PATTERN_NONE;
    switch (node->kind) {
    case NODE_SET: return add_state(c, PATTERN_CHAR, node->set, out, 0);
    case NODE_SEQUENCE: return compile_sequence(c, node->last, out);
    case NODE_CHOICE: return compile_choice(c, node->first, out);
    case NODE_REPEAT: return compile_repeat(c, node, out);
    case NODE_START: return add_state(c, PATTERN_BEGIN, 0, out, 0);
    case NODE_END: return add_state(c, PATTERN_FINISH, 0, out, 0);
    default: c->result = PATTERN_UNSUPPORTED; return PATTERN_NONE;
    }
}

static enum pattern_result compile_automaton(struct pattern_pool *pool,
                                             const struct pattern_tree *tree, uint32_t node,
                                             bool whole, struct pattern_automaton *automaton) {
    struct compiler c = {.pool = pool, .tree = tree, .first = pool->n_states};
    uint32_t match = add_state(&c, PATTERN_MATCH, 0, 0, 0);
    if (whole) match = add_state(&c, PATTERN_FINISH, 0, match, 0);
    automaton->anchored = whole;
    automaton->first = c.first;
    automaton->start = compile_node(&c, node, match);
    automaton->end = pool->n_states;
    return c.result;
}

/* ---- leading lookaheads ---- */

/* Detaches `^(?=…)(?!…)` at the front of a sequence: each becomes an automaton of its own. */
static enum pattern_result split_looks(struct pattern_pool *pool, struct pattern_tree *tree,
                                       struct pattern *pattern) {
    struct pattern_node *root = &tree->nodes[tree->root];
    if (root->kind == NODE_CHOICE && tree->nodes[root->first].next == PATTERN_NONE)
        root = &tree->nodes[root->first];
    if (root->kind != NODE_SEQUENCE || root->first == PATTERN_NONE) return PATTERN_OK;
    struct pattern_node *begin = &tree->nodes[root->first];
    if (begin->kind != NODE_START) return PATTERN_OK;
    while (begin->next != PATTERN_NONE && tree->nodes[begin->next].kind == NODE_LOOK) {
        const struct pattern_node *look = &tree->nodes[begin->next];
        uint32_t at = pattern->n;
        if (look->behind || at > PATTERN_LOOKS) return PATTERN_UNSUPPORTED;
        enum pattern_result result =
            compile_automaton(pool, tree, look->first, false, &pattern->automata[at]);
        if (result != PATTERN_OK) return result;
        pattern->automata[at].negated = look->negated;
        pattern->automata[at].anchored = true;
        pattern->n++;
        begin->next = look->next;
        if (look->next == PATTERN_NONE)
            root->last = root->first;
        else
            tree->nodes[look->next].previous = root->first;
    }
    return PATTERN_OK;
}

static enum pattern_result compile(struct pattern_pool *pool, const char *text, size_t len,
                                   bool whole, struct pattern *pattern, const char **what) {
    struct pattern_tree tree = {.pool = pool};
    *pattern = (struct pattern){.n = 1};
    *what = "the pattern needs too much memory";
    enum pattern_result result = pattern_parse(&tree, text, len, what);
    if (result == PATTERN_OK) {
        *what = "lookaround elsewhere than after a leading ^";
        result = split_looks(pool, &tree, pattern);
    }
    if (result == PATTERN_OK)
        result = compile_automaton(pool, &tree, tree.root, whole, &pattern->automata[0]);
    if (result == PATTERN_TOO_LARGE) *what = "the pattern needs too many states";
    free(tree.nodes);
    return result;
}

enum pattern_result pattern_compile(struct pattern_pool *pool, const char *text, size_t len,
                                    struct pattern *pattern, const char **what) {
    return compile(pool, text, len, false, pattern, what);
}

enum pattern_result pattern_compile_whole(struct pattern_pool *pool, const char *text, size_t len,
                                          struct pattern *pattern, const char **what) {
    return compile(pool, text, len, true, pattern, what);
}

void pattern_pool_free(struct pattern_pool *pool) {
    free(pool->ranges);
    free(pool->sets);
    free(pool->states);
    *pool = (struct pattern_pool){0};
}
