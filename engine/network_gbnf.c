/* A GBNF tree as a network. */
#include <stdlib.h>
#include <string.h>

#include "engine/network.h"

enum { EXPANDED = 192 /* states: smaller repetitions are written out */, UNKNOWN = 0 };

struct compiler {
    const struct gbnf *gbnf;
    struct network_build build;
    uint32_t *sizes; /* of nodes, in states */
};

static struct network_state *state_at(struct compiler *c, uint32_t index) {
    return &c->build.network->states[index];
}

static uint32_t add(struct compiler *c, enum network_op op, uint32_t out, uint32_t other) {
    return network_add(&c->build,
                       (struct network_state){.op = (uint8_t)op, .out = out, .other = other});
}

/* ---- sizes ---- */

static uint32_t copies(const struct gbnf_node *node) {
    return node->max == GBNF_NONE ? node->min + 1 : node->max;
}

static bool is_expanded(const struct gbnf_node *node, uint32_t child) {
    return (uint64_t)copies(node) * (child + 1) <= EXPANDED;
}

static uint32_t size_of(struct compiler *c, uint32_t index) {
    const struct gbnf_node *node = &c->gbnf->nodes[index];
    uint64_t size = 1;
    if (c->sizes[index] != UNKNOWN) return c->sizes[index];
    for (uint32_t child = node->first; child != GBNF_NONE; child = c->gbnf->nodes[child].next)
        size += size_of(c, child);
    if (node->kind == GBNF_REPEAT && is_expanded(node, (uint32_t)size))
        size = (uint64_t)copies(node) * (size + 1) + 1;
    return c->sizes[index] = size < NETWORK_STATES ? (uint32_t)size : NETWORK_STATES;
}

/* ---- nodes: each is compiled before what follows it ---- */

static uint32_t compile(struct compiler *c, uint32_t node, uint32_t out);

static bool is_fine(const struct compiler *c) {
    return c->build.result == ALPHABET_OK;
}

static uint32_t compile_loop(struct compiler *c, uint32_t child, uint32_t out, bool once) {
    uint32_t loop = add(c, NETWORK_FORK, out, out), body = compile(c, child, loop);
    if (!is_fine(c)) return 0;
    state_at(c, loop)->out = body;
    return once ? body : loop;
}

static uint32_t compile_expanded(struct compiler *c, const struct gbnf_node *node, uint32_t out) {
    uint32_t end = out, min = node->min;
    if (node->max == GBNF_NONE) {
        out = compile_loop(c, node->first, out, min > 0);
        if (min) min--;
    }
    for (uint32_t i = min; node->max != GBNF_NONE && i < node->max && is_fine(c); i++)
        out = add(c, NETWORK_FORK, compile(c, node->first, out), end);
    for (; min > 0 && is_fine(c); min--) out = compile(c, node->first, out);
    return out;
}

static uint32_t compile_repeat(struct compiler *c, const struct gbnf_node *node, uint32_t out) {
    if (node->max == 0) return out;
    if (is_expanded(node, size_of(c, node->first)) || (node->min <= 1 && node->max == GBNF_NONE))
        return compile_expanded(c, node, out);
    uint32_t body = compile(c, node->first, NETWORK_RETURN);
    uint32_t repeat = add(c, NETWORK_REPEAT, out, body);
    if (!is_fine(c)) return 0;
    state_at(c, repeat)->min = node->min;
    state_at(c, repeat)->max = node->max;
    return repeat;
}

static uint32_t compile_choice(struct compiler *c, const struct gbnf_node *node, uint32_t out) {
    uint32_t n = 0, child;
    for (child = node->first; child != GBNF_NONE; child = c->gbnf->nodes[child].next) n++;
    uint32_t *entries = malloc((n + 1) * sizeof *entries), made = 0;
    if (!entries) c->build.result = ALPHABET_MEMORY;
    for (child = node->first; child != GBNF_NONE && is_fine(c); child = c->gbnf->nodes[child].next)
        entries[made++] = compile(c, child, out);
    uint32_t entry = is_fine(c) ? network_join(&c->build, entries, made) : 0;
    free(entries);
    return entry;
}

/* Rule i begins at state 1 + i. */
static uint32_t compile(struct compiler *c, uint32_t index, uint32_t out) {
    const struct gbnf_node *node = &c->gbnf->nodes[index];
    uint32_t made;
    switch (node->kind) {
    case GBNF_SET:
        made = add(c, NETWORK_TAKE, out, 0);
        if (is_fine(c)) state_at(c, made)->set = node->of;
        return made;
    case GBNF_RULE:
        if (out == NETWORK_RETURN) return add(c, NETWORK_JUMP, 1 + node->of, 0);
        return add(c, NETWORK_CALL, out, 1 + node->of);
    case GBNF_SEQUENCE:
        for (uint32_t child = node->last; child != GBNF_NONE && is_fine(c);
             child = c->gbnf->nodes[child].previous)
            out = compile(c, child, out);
        return out;
    case GBNF_CHOICE: return compile_choice(c, node, out);
    default: return compile_repeat(c, node, out);
    }
}

static void compile_rules(struct compiler *c) {
    const struct gbnf *gbnf = c->gbnf;
    add(c, NETWORK_BACK, 0, 0);
    for (uint32_t i = 0; i < gbnf->n_rules; i++) add(c, NETWORK_JUMP, NETWORK_RETURN, 0);
    for (uint32_t i = 0; i < gbnf->n_rules && is_fine(c); i++) {
        uint32_t body = compile(c, gbnf->rules[i].body, NETWORK_RETURN);
        if (is_fine(c)) state_at(c, 1 + i)->out = body;
    }
    c->build.network->start = 1 + gbnf->root;
}

/* ---- left recursion ---- */

/* What a rule can begin with, before any character: an edge to each rule. A depth-first search that
 * comes back to a rule it has not left yet has found a recursion. */
struct visit {
    const struct network *network;
    uint8_t *seen;   /* by state: 1 on the way, 2 done */
    uint32_t *stack; /* states; the top bit: to be left */
    uint32_t n;
};

#define LEAVE 0x80000000u

static void visit(struct visit *v, uint32_t state) {
    v->stack[v->n++] = state;
}

static void visit_next(struct visit *v, const struct network_state *state) {
    const struct network_state *states = v->network->states;
    bool passes = state->op == NETWORK_FORK || state->op == NETWORK_JUMP;
    if (state->op == NETWORK_CALL) passes = states[state->other].nullable;
    if (state->op == NETWORK_REPEAT) passes = !state->min || states[state->other].nullable;
    if (passes) visit(v, state->out);
    if (state->op == NETWORK_FORK || state->op == NETWORK_CALL || state->op == NETWORK_REPEAT)
        visit(v, state->other);
}

/* Loops of * over something empty come back too, but to no rule's beginning without passing one. */
static uint32_t find_recursion(struct visit *v, uint32_t n_rules) {
    for (uint32_t rule = 1; rule <= n_rules; rule++) {
        if (!v->seen[rule]) visit(v, rule);
        while (v->n) {
            uint32_t state = v->stack[--v->n];
            if (state & LEAVE) {
                v->seen[state & ~LEAVE] = 2;
                continue;
            }
            if (v->seen[state] == 1 && state <= n_rules && state) return state;
            if (v->seen[state]) continue;
            v->seen[state] = 1;
            visit(v, state | LEAVE);
            visit_next(v, &v->network->states[state]);
        }
    }
    return 0;
}

static bool check_recursion(const struct compiler *c, const char *path, struct error *error) {
    const struct network *network = c->build.network;
    struct visit v = {.network = network};
    v.seen = calloc(network->n_states, 1);
    v.stack = malloc((3 * (size_t)network->n_states + 4) * sizeof *v.stack);
    bool made = v.seen && v.stack;
    uint32_t rule = made ? find_recursion(&v, c->gbnf->n_rules) : 0;
    free(v.seen);
    free(v.stack);
    if (!made) return error_set(error, ERROR_OUT_OF_MEMORY, "compiling a grammar");
    if (!rule) return true;
    const struct gbnf_rule *of = &c->gbnf->rules[rule - 1];
    return gbnf_refuse(error, path, "left recursion of the rule %.*s", (int)of->len, of->name);
}

/* ---- all of it ---- */

static bool finish(struct compiler *c, const char *path, struct error *error) {
    struct network *network = c->build.network;
    if (c->build.result == ALPHABET_TOO_LARGE)
        return gbnf_refuse(error, path, "too many states or kinds of characters");
    if (!is_fine(c) || !network_measure(network))
        return error_set(error, ERROR_OUT_OF_MEMORY, "compiling a grammar");
    if (!check_recursion(c, path, error)) return false;
    const struct network_state *start = &network->states[network->start];
    if (start->distance != NETWORK_INFINITE && start->height > NETWORK_DEPTH)
        return gbnf_refuse(error, path, "every text nests deeper than %d", NETWORK_DEPTH);
    return start->distance != NETWORK_INFINITE || gbnf_refuse(error, path, "unsatisfiable");
}

struct network *network_from_gbnf(const struct gbnf *gbnf, const char *path, struct error *error) {
    struct compiler c = {.gbnf = gbnf};
    c.build.network = calloc(1, sizeof *c.build.network);
    c.sizes = calloc(gbnf->n_nodes + 1, sizeof *c.sizes);
    bool made = c.build.network && c.sizes;
    if (!made) error_set(error, ERROR_OUT_OF_MEMORY, "compiling a grammar");
    if (made && network_classes(&c.build, &gbnf->pool)) compile_rules(&c);
    made = made && finish(&c, path, error);
    free(c.sizes);
    network_build_free(&c.build);
    if (made) return c.build.network;
    network_free(c.build.network);
    return NULL;
}
