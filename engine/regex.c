#include "engine/regex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "engine/held.h"
#include "engine/regex_tree.h"

enum { MAX_LOOKS = 64 };

enum op {
    OP_CHARACTER, /* a: code point */
    OP_SET,       /* a: set */
    OP_SPLIT,     /* go on at a and at b */
    OP_JUMP,      /* go on at a */
    OP_START,
    OP_END,
    OP_BOUNDARY, /* a: 1 if negated */
    OP_LOOK,     /* a: look, b: 1 if negated */
    OP_MATCH,
};

struct state {
    uint8_t op;
    uint32_t a, b;
};

/* A lookaround is an automaton of its own. Those ahead are emitted back to front and run from the
 * end of the text to its start, those behind the other way round: one pass marks every position at
 * which it holds. Inner ones come before those around them. */
struct look {
    uint32_t start;
    bool backward;
};

struct regex {
    struct state *states;
    struct look *looks;
    size_t n_states, cap_states, max_states, n_looks;
    uint32_t start;
    struct regex_tree tree; /* of which the sets stay in use */
};

static bool unsupported(struct error *error, const char *reason) {
    if (error->code == ERROR_NONE) snprintf(error->reason, sizeof error->reason, "%s", reason);
    return error_set(error, ERROR_SCHEMA_UNSUPPORTED, "pattern: %s", reason);
}

static bool emit(struct regex *r, enum op op, uint32_t a, uint32_t b, struct error *error) {
    if (r->n_states >= r->max_states) return unsupported(error, "pattern too large");
    if (r->n_states == r->cap_states) {
        size_t cap = r->cap_states ? r->cap_states * 2 : 32;
        struct state *grown = realloc(r->states, cap * sizeof *grown);
        if (!grown) return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a pattern");
        r->states = grown;
        r->cap_states = cap;
    }
    r->states[r->n_states++] = (struct state){(uint8_t)op, a, b};
    return true;
}

static uint32_t here(const struct regex *r) {
    return (uint32_t)r->n_states;
}

static bool emit_node(struct regex *r, uint32_t index, bool backward, struct error *error);

static bool emit_sequence(struct regex *r, const struct regex_node *node, bool backward,
                          struct error *error) {
    uint32_t child = backward ? node->last : node->first;
    while (child != REGEX_NONE) {
        if (!emit_node(r, child, backward, error)) return false;
        child = backward ? r->tree.nodes[child].previous : r->tree.nodes[child].next;
    }
    return true;
}

/* Each branch but the last: split, branch, jump to the end. The jumps are chained through their
 * targets until the end is known. */
static bool emit_choice(struct regex *r, const struct regex_node *node, bool backward,
                        struct error *error) {
    uint32_t chain = REGEX_NONE;
    for (uint32_t child = node->first; child != node->last; child = r->tree.nodes[child].next) {
        uint32_t split = here(r);
        if (!emit(r, OP_SPLIT, split + 1, 0, error)) return false;
        if (!emit_node(r, child, backward, error)) return false;
        uint32_t jump = here(r);
        if (!emit(r, OP_JUMP, chain, 0, error)) return false;
        chain = jump;
        r->states[split].b = here(r);
    }
    if (!emit_node(r, node->last, backward, error)) return false;
    while (chain != REGEX_NONE) {
        uint32_t previous = r->states[chain].a;
        r->states[chain].a = here(r);
        chain = previous;
    }
    return true;
}

static bool emit_star(struct regex *r, uint32_t child, bool backward, struct error *error) {
    uint32_t split = here(r);
    if (!emit(r, OP_SPLIT, split + 1, 0, error)) return false;
    if (!emit_node(r, child, backward, error)) return false;
    if (!emit(r, OP_JUMP, split, 0, error)) return false;
    r->states[split].b = here(r);
    return true;
}

/* The optional copies all leave to the same end, so that few of them are alive at a time. */
static bool emit_options(struct regex *r, uint32_t child, uint32_t n, bool backward,
                         struct error *error) {
    uint32_t chain = REGEX_NONE;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t split = here(r);
        if (!emit(r, OP_SPLIT, split + 1, chain, error)) return false;
        if (!emit_node(r, child, backward, error)) return false;
        chain = split;
    }
    while (chain != REGEX_NONE) {
        uint32_t previous = r->states[chain].b;
        r->states[chain].b = here(r);
        chain = previous;
    }
    return true;
}

static bool emit_repeat(struct regex *r, const struct regex_node *node, bool backward,
                        struct error *error) {
    uint32_t child = node->first, min = node->min, max = node->max;
    size_t before = r->n_states;
    for (uint32_t i = 0; i < min; i++) {
        if (!emit_node(r, child, backward, error)) return false;
        if (r->n_states == before) break; /* the child is empty */
    }
    if (max == REGEX_UNBOUNDED) return emit_star(r, child, backward, error);
    return emit_options(r, child, max - min, backward, error);
}

/* The automaton of a lookaround lies inside the one around it and is jumped over. */
static bool emit_look(struct regex *r, const struct regex_node *node, struct error *error) {
    if (r->n_looks >= MAX_LOOKS) return unsupported(error, "too many lookarounds");
    uint32_t jump = here(r);
    if (!emit(r, OP_JUMP, 0, 0, error)) return false;
    bool runs_backward = !node->behind, negated = node->negated;
    if (!emit_node(r, node->first, runs_backward, error)) return false;
    if (!emit(r, OP_MATCH, 0, 0, error)) return false;
    struct look *grown = realloc(r->looks, (r->n_looks + 1) * sizeof *grown);
    if (!grown) return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a pattern");
    r->looks = grown;
    r->looks[r->n_looks] = (struct look){jump + 1, runs_backward};
    r->states[jump].a = here(r);
    return emit(r, OP_LOOK, (uint32_t)r->n_looks++, negated, error);
}

static bool emit_node(struct regex *r, uint32_t index, bool backward, struct error *error) {
    const struct regex_node *node = &r->tree.nodes[index];
    switch ((enum regex_kind)node->kind) {
    case REGEX_CHARACTER: return emit(r, OP_CHARACTER, node->code_point, 0, error);
    case REGEX_SET: return emit(r, OP_SET, node->set, 0, error);
    case REGEX_SEQUENCE: return emit_sequence(r, node, backward, error);
    case REGEX_CHOICE: return emit_choice(r, node, backward, error);
    case REGEX_REPEAT: return emit_repeat(r, node, backward, error);
    case REGEX_START: return emit(r, OP_START, 0, 0, error);
    case REGEX_END: return emit(r, OP_END, 0, 0, error);
    case REGEX_WORD_BOUNDARY: return emit(r, OP_BOUNDARY, node->negated, 0, error);
    case REGEX_LOOK: return emit_look(r, node, error);
    }
    return error_set(error, ERROR_INTERNAL, "unknown pattern node");
}

struct regex *regex_new(const char *pattern, size_t len, size_t max_states, struct error *error) {
    struct regex *r = calloc(1, sizeof *r);
    if (!r) return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a pattern"), NULL;
    r->max_states = max_states;
    bool made = regex_parse(&r->tree, pattern, len, error) &&
                emit_node(r, r->tree.root, false, error) && emit(r, OP_MATCH, 0, 0, error);
    if (!made) return regex_free(r), NULL;
    free(r->tree.nodes);
    r->tree.nodes = NULL;
    return r;
}

void regex_free(struct regex *regex) {
    if (!regex) return;
    regex_tree_free(&regex->tree);
    free(regex->states);
    free(regex->looks);
    free(regex);
}

size_t regex_bytes(const struct regex *regex) {
    if (!regex) return 0;
    return held(regex) + held(regex->states) + held(regex->looks) + held(regex->tree.nodes) +
           held(regex->tree.sets) + held(regex->tree.ranges);
}

size_t regex_states(const struct regex *regex) {
    return regex->n_states;
}

/* States alive at a position: `at` holds those in the set, mark[s] == generation says s is. */
struct live {
    uint32_t *at;
    uint32_t n;
};

struct search {
    const struct regex *regex;
    uint32_t *text; /* code points */
    size_t n;
    struct live now, next;
    uint64_t *mark; /* per state */
    uint32_t *stack;
    uint64_t generation;
    uint8_t *holds; /* per look: a bit a position */
    size_t look_bytes;
    uint64_t *steps_left;
    bool matched, exhausted;
};

static bool is_word(uint32_t c) {
    return c < 128 && ((c >= '0' && c <= '9') || (c | 0x20) - 'a' < 26 || c == '_');
}

static bool at_boundary(const struct search *s, size_t position) {
    bool before = position > 0 && is_word(s->text[position - 1]);
    bool after = position < s->n && is_word(s->text[position]);
    return before != after;
}

static bool look_holds(const struct search *s, uint32_t look, size_t position) {
    return s->holds[look * s->look_bytes + position / 8] >> (position % 8) & 1;
}

/* May the way go on behind an assertion? */
static bool holds(const struct search *s, const struct state *state, size_t position) {
    switch (state->op) {
    case OP_START: return position == 0;
    case OP_END: return position == s->n;
    case OP_BOUNDARY: return at_boundary(s, position) != (state->a == 1);
    default: return look_holds(s, state->a, position) != (state->b == 1);
    }
}

/* Adds a state and all that it leads to without reading a character. Each state is pushed at most
 * twice a generation before it is marked. */
static void follow(struct search *s, struct live *set, uint32_t start, size_t position) {
    const struct state *states = s->regex->states;
    size_t depth = 0;
    s->stack[depth++] = start;
    while (depth > 0) {
        uint32_t at = s->stack[--depth];
        if (s->mark[at] == s->generation) continue;
        s->mark[at] = s->generation;
        if (*s->steps_left == 0) {
            s->exhausted = true;
            return;
        }
        --*s->steps_left;
        const struct state *state = &states[at];
        switch (state->op) {
        case OP_CHARACTER:
        case OP_SET: set->at[set->n++] = at; break;
        case OP_SPLIT:
            s->stack[depth++] = state->b;
            s->stack[depth++] = state->a;
            break;
        case OP_JUMP: s->stack[depth++] = state->a; break;
        case OP_MATCH: s->matched = true; break;
        default:
            if (holds(s, state, position)) s->stack[depth++] = at + 1;
        }
    }
}

static void step(struct search *s, uint32_t c, size_t position) {
    const struct regex *r = s->regex;
    s->generation++;
    s->next.n = 0;
    s->matched = false;
    for (uint32_t i = 0; i < s->now.n && !s->exhausted; i++) {
        const struct state *state = &r->states[s->now.at[i]];
        bool reads = state->op == OP_CHARACTER
                         ? state->a == c
                         : regex_set_has(&r->tree.sets[state->a], r->tree.ranges, c);
        if (reads) follow(s, &s->next, s->now.at[i] + 1, position);
    }
    struct live swap = s->now;
    s->now = s->next;
    s->next = swap;
}

/* Runs an automaton that may begin at every position. With `bits`, marks the positions at which it
 * ends; without, stops at the first. */
static bool run(struct search *s, uint32_t start, bool backward, uint8_t *bits) {
    s->now.n = 0;
    s->generation++;
    s->matched = false;
    for (size_t done = 0;; done++) {
        size_t position = backward ? s->n - done : done;
        follow(s, &s->now, start, position);
        if (s->exhausted) return false;
        if (s->matched && !bits) return true;
        if (s->matched) bits[position / 8] |= (uint8_t)(1 << position % 8);
        if (done == s->n) return false;
        if (backward)
            step(s, s->text[position - 1], position - 1);
        else
            step(s, s->text[position], position + 1);
    }
}

static bool search_init(struct search *s, const char *text, size_t len) {
    size_t n_states = s->regex->n_states;
    s->look_bytes = len / 8 + 1;
    s->text = malloc((len + 1) * sizeof *s->text);
    s->now.at = malloc(n_states * sizeof *s->now.at);
    s->next.at = malloc(n_states * sizeof *s->next.at);
    s->mark = calloc(n_states, sizeof *s->mark);
    s->stack = malloc((2 * n_states + 2) * sizeof *s->stack);
    s->holds = calloc(s->regex->n_looks + 1, s->look_bytes);
    if (!s->text || !s->now.at || !s->next.at || !s->mark || !s->stack || !s->holds) return false;
    for (size_t at = 0; at < len;) {
        size_t n = utf8_decode(text + at, len - at, &s->text[s->n]);
        if (n == 0) return false;
        at += n;
        s->n++;
    }
    return true;
}

static void search_free(struct search *s) {
    free(s->text);
    free(s->now.at);
    free(s->next.at);
    free(s->mark);
    free(s->stack);
    free(s->holds);
}

enum regex_verdict regex_search(const struct regex *regex, const char *text, size_t len,
                                uint64_t *steps_left) {
    uint64_t setup = len / 8 + regex->n_states / 8 + 1;
    if (*steps_left < setup) return REGEX_TOO_COMPLEX;
    *steps_left -= setup;
    struct search s = {.regex = regex, .steps_left = steps_left};
    bool found = false;
    s.exhausted = !search_init(&s, text, len);
    for (size_t i = 0; i < regex->n_looks && !s.exhausted; i++)
        run(&s, regex->looks[i].start, regex->looks[i].backward, s.holds + i * s.look_bytes);
    if (!s.exhausted) found = run(&s, regex->start, false, NULL);
    search_free(&s);
    return s.exhausted ? REGEX_TOO_COMPLEX : found ? REGEX_YES : REGEX_NO;
}
