#include "engine/pattern.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "engine/pattern_look.h"
#include "engine/pattern_tree.h"
#include "engine/vector.h"

/* ---- tree to automaton: each node is compiled before its continuation `out` ---- */

struct compiler {
    struct pattern_pool *pool;
    struct pattern_tree *tree;
    struct look_program *program; /* NULL: nothing looks around */
    uint8_t look;                 /* the states' */
    bool behind;
    uint32_t first, most; /* of this automaton's states; how many there may be */
    uint32_t steps;
    enum pattern_result result;
};

enum { MAX_STEPS = 1 << 17 }; /* repeated nothings make no states */

static uint32_t add_state(struct compiler *c, enum pattern_op op, uint32_t set, uint32_t out,
                          uint32_t other) {
    struct pattern_pool *pool = c->pool;
    if (c->result != PATTERN_OK) return PATTERN_NONE;
    if (pool->n_states - c->first >= c->most) {
        c->result = PATTERN_TOO_LARGE;
        return PATTERN_NONE;
    }
    if (!vector_reserve((void **)&pool->states, &pool->cap_states, pool->n_states + 1,
                        sizeof *pool->states)) {
        c->result = PATTERN_MEMORY;
        return PATTERN_NONE;
    }
    pool->states[pool->n_states] = (struct pattern_state){op, c->look, set, out, other};
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

/* The number of the look at a node, made when it is met first. Inner ones get higher numbers. */
static uint32_t compile_look(struct compiler *c, struct pattern_node *node) {
    struct look_program *program = c->program;
    uint8_t outer = c->look;
    bool behind = c->behind;
    if (node->set != PATTERN_NONE) return node->set;
    if (behind && !node->behind) c->result = PATTERN_UNSUPPORTED;
    if (program->n_looks == LOOK_LOOKS) c->result = PATTERN_TOO_LARGE;
    if (c->result != PATTERN_OK) return 0;
    bool inverse = outer && program->looks[outer - 1].inverse;
    node->set = program->n_looks++;
    struct look *look = &program->looks[node->set];
    *look = (struct look){.behind = node->behind, .negated = node->negated};
    look->inverse = inverse != node->negated;
    c->look = (uint8_t)(node->set + 1);
    c->behind |= node->behind;
    look->start = compile_node(c, node->first, add_state(c, PATTERN_MATCH, 0, 0, 0));
    c->look = outer;
    c->behind = behind;
    return node->set;
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
    case NODE_EDGE: return add_state(c, PATTERN_EDGE, node->negated, out, 0);
    default: return add_state(c, PATTERN_LOOK, compile_look(c, &c->tree->nodes[index]), out, 0);
    }
}

/* ---- automata ---- */

enum scope { SEARCH, FROM_START, WHOLE };

/* What the plain states of an automaton can't say. */
struct needs {
    bool looks, ends, late_start; /* a ^ that something may stand before */
};

static void find_needs(const struct pattern_tree *tree, uint32_t index, bool leading,
                       struct needs *needs) {
    const struct pattern_node *node = &tree->nodes[index];
    if (node->kind == NODE_LOOK || node->kind == NODE_EDGE) needs->looks = true;
    if (node->kind == NODE_END) needs->ends = true;
    if (node->kind == NODE_START && !leading) needs->late_start = true;
    if (node->kind == NODE_REPEAT) leading = false;
    for (uint32_t child = node->first; child != PATTERN_NONE; child = tree->nodes[child].next) {
        find_needs(tree, child, leading, needs);
        if (node->kind == NODE_SEQUENCE) leading = false;
    }
}

static void compile_states(struct compiler *c, uint32_t node, enum scope scope, uint32_t *start) {
    uint32_t match = add_state(c, PATTERN_MATCH, 0, 0, 0);
    if (scope == WHOLE) match = add_state(c, PATTERN_FINISH, 0, match, 0);
    *start = compile_node(c, node, match);
}

static enum pattern_result compile_plain(struct pattern_pool *pool, struct pattern_tree *tree,
                                         uint32_t node, enum scope scope,
                                         struct pattern_automaton *automaton) {
    struct compiler c = {
        .pool = pool, .tree = tree, .first = pool->n_states, .most = PATTERN_STATES};
    automaton->anchored = scope != SEARCH;
    automaton->first = c.first;
    compile_states(&c, node, scope, &automaton->start);
    automaton->end = pool->n_states;
    return c.result;
}

static enum pattern_result compile_looking(struct pattern_pool *pool, struct pattern_tree *tree,
                                           uint32_t node, enum scope scope,
                                           struct pattern_automaton *automaton) {
    struct pattern_pool states = {0};
    struct look_program program = {.anchored = scope != SEARCH};
    struct compiler c = {.pool = &states, .tree = tree, .program = &program, .most = LOOK_STATES};
    compile_states(&c, node, scope, &program.start);
    program.states = states.states;
    program.n_states = states.n_states;
    if (c.result == PATTERN_OK) c.result = look_lower(pool, &program, automaton);
    pattern_pool_free(&states);
    return c.result;
}

/* A ^ behind a $ holds in the empty text only, which the plain states don't see. */
static enum pattern_result compile_automaton(struct pattern_pool *pool, struct pattern_tree *tree,
                                             uint32_t node, enum scope scope,
                                             struct pattern_automaton *automaton) {
    struct needs needs = {0};
    find_needs(tree, node, true, &needs);
    bool plain = !needs.looks && !(needs.late_start && needs.ends);
    return (plain ? compile_plain : compile_looking)(pool, tree, node, scope, automaton);
}

/* Detaches (?=…)(?!…) at the text's beginning: each becomes an automaton of its own. */
static enum pattern_result split_looks(struct pattern_pool *pool, struct pattern_tree *tree,
                                       bool whole, struct pattern *pattern) {
    struct pattern_node *root = &tree->nodes[tree->root];
    if (root->kind == NODE_CHOICE && tree->nodes[root->first].next == PATTERN_NONE)
        root = &tree->nodes[root->first];
    if (root->kind != NODE_SEQUENCE || root->first == PATTERN_NONE) return PATTERN_OK;
    uint32_t begin = tree->nodes[root->first].kind == NODE_START ? root->first : PATTERN_NONE;
    if (begin == PATTERN_NONE && !whole) return PATTERN_OK;
    uint32_t *next = begin == PATTERN_NONE ? &root->first : &tree->nodes[begin].next;
    for (; *next != PATTERN_NONE && pattern->n <= PATTERN_LOOKS; pattern->n++) {
        const struct pattern_node *look = &tree->nodes[*next];
        struct pattern_automaton *automaton = &pattern->automata[pattern->n];
        if (look->kind != NODE_LOOK || look->behind) return PATTERN_OK;
        enum pattern_result result =
            compile_automaton(pool, tree, look->first, FROM_START, automaton);
        if (result != PATTERN_OK) return result;
        automaton->negated = look->negated;
        *next = look->next;
        if (*next == PATTERN_NONE)
            root->last = begin;
        else
            tree->nodes[*next].previous = begin;
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
        *what = "a lookahead inside of a lookbehind";
        result = split_looks(pool, &tree, whole, pattern);
    }
    if (result == PATTERN_OK)
        result = compile_automaton(pool, &tree, tree.root, whole ? WHOLE : SEARCH,
                                   &pattern->automata[0]);
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
