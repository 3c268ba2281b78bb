#include "engine/gbnf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "engine/engine.h"
#include "engine/hash.h"
#include "engine/held.h"
#include "engine/pattern_tree.h"
#include "engine/vector.h"

enum {
    MAX_NODES = 1 << 16,
    MAX_RULES = 1 << 13,
    MAX_SETS = 1 << 11,
    MAX_NESTING = 64,
    MAX_NAME = 128,
    MAX_COUNT = 1 << 20,
    SET_WORK = 1 << 22 /* comparisons of sets */
};

struct parser {
    struct gbnf *gbnf;
    const char *text, *at, *end, *path;
    struct error *error;
    unsigned nesting;
    uint64_t set_work;
    uint32_t *names, *singles; /* maps: rules by name, sets by their only character */
    uint32_t cap_names, cap_singles, n_singles;
};

/* ---- errors ---- */

bool gbnf_refuse(struct error *error, const char *path, const char *format, ...) {
    if (error->code != ERROR_NONE) return false;
    va_list args;
    va_start(args, format);
    vsnprintf(error->reason, sizeof error->reason, format, args);
    va_end(args);
    snprintf(error->keyword, sizeof error->keyword, "gbnf");
    return error_at(error, ERROR_SCHEMA_UNSUPPORTED, path, "the grammar: %s", error->reason);
}

static bool wrong(struct parser *p, const char *what) {
    unsigned line = 1, column = 1;
    for (const char *at = p->text; at < p->at; at++) {
        column = *at == '\n' ? 1 : column + 1;
        line += *at == '\n';
    }
    return error_at(p->error, ERROR_INVALID_PARAMS, p->path, "the grammar: %s (line: %u, byte: %u)",
                    what, line, column);
}

static bool no_memory(struct parser *p) {
    return error_set(p->error, ERROR_OUT_OF_MEMORY, "reading a grammar");
}

static bool failed(const struct parser *p) {
    return p->error->code != ERROR_NONE;
}

/* ---- nodes ---- */

static uint32_t add_node(struct parser *p, enum gbnf_kind kind, uint32_t of) {
    struct gbnf *gbnf = p->gbnf;
    if (gbnf->n_nodes >= MAX_NODES)
        gbnf_refuse(p->error, p->path, "more than %d parts", MAX_NODES);
    else if (!vector_reserve((void **)&gbnf->nodes, &gbnf->cap_nodes, gbnf->n_nodes + 1,
                             sizeof *gbnf->nodes))
        no_memory(p);
    if (failed(p)) return GBNF_NONE;
    gbnf->nodes[gbnf->n_nodes] = (struct gbnf_node){.kind = (uint8_t)kind,
                                                    .of = of,
                                                    .first = GBNF_NONE,
                                                    .last = GBNF_NONE,
                                                    .next = GBNF_NONE,
                                                    .previous = GBNF_NONE};
    return gbnf->n_nodes++;
}

static void append(struct parser *p, uint32_t parent, uint32_t child) {
    struct gbnf_node *nodes = p->gbnf->nodes;
    if (failed(p)) return;
    if (nodes[parent].last == GBNF_NONE)
        nodes[parent].first = child;
    else
        nodes[nodes[parent].last].next = child;
    nodes[child].previous = nodes[parent].last;
    nodes[parent].last = child;
}

/* ---- sets ---- */

static uint32_t finish_set(struct parser *p, uint32_t first, bool negated) {
    struct pattern_pool *pool = &p->gbnf->pool;
    p->set_work += pool->n_sets;
    if (pool->n_sets >= MAX_SETS || p->set_work > SET_WORK)
        return gbnf_refuse(p->error, p->path, "too many character classes"), GBNF_NONE;
    uint32_t set = pattern_set_finish(pool, first, negated);
    if (set == PATTERN_NONE) no_memory(p);
    return set;
}

static bool grow_map(uint32_t **map, uint32_t *cap) {
    uint32_t grown = *cap ? *cap * 2 : 256;
    free(*map);
    *map = calloc(grown, sizeof **map);
    *cap = *map ? grown : 0;
    return *map;
}

static uint32_t *single_slot(struct parser *p, uint32_t character) {
    const struct pattern_pool *pool = &p->gbnf->pool;
    uint32_t at = (uint32_t)hash_mix(1, character) & (p->cap_singles - 1);
    while (p->singles[at] && pool->ranges[pool->sets[p->singles[at] - 1].first].from != character)
        at = (at + 1) & (p->cap_singles - 1);
    return &p->singles[at];
}

/* The set of one character. The map is as large as there can be sets. */
static uint32_t single(struct parser *p, uint32_t character) {
    struct pattern_pool *pool = &p->gbnf->pool;
    while (p->cap_singles < 2 * MAX_SETS)
        if (!grow_map(&p->singles, &p->cap_singles)) return no_memory(p), GBNF_NONE;
    uint32_t *slot = single_slot(p, character), first = pool->n_ranges;
    if (*slot) return *slot - 1;
    if (!pattern_set_range(pool, character, character)) return no_memory(p), GBNF_NONE;
    uint32_t set = finish_set(p, first, false);
    if (!failed(p)) *slot = set + 1;
    return set;
}

/* ---- characters ---- */

static bool more(const struct parser *p) {
    return p->at < p->end;
}

static bool next_is(const struct parser *p, char c) {
    return more(p) && *p->at == c;
}

static bool accept(struct parser *p, char c) {
    if (!next_is(p, c)) return false;
    p->at++;
    return true;
}

static uint32_t hex(struct parser *p, int digits) {
    uint32_t value = 0;
    for (int i = 0; i < digits; i++) {
        int c = more(p) ? *p->at | 0x20 : 0;
        bool digit = more(p) && *p->at >= '0' && *p->at <= '9';
        if (!digit && (c < 'a' || c > 'f')) return wrong(p, "an escape lacks hex digits"), 0;
        value = value << 4 | (uint32_t)(digit ? *p->at - '0' : c - 'a' + 10);
        p->at++;
    }
    if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000))
        wrong(p, "an escape is no character");
    return value;
}

static uint32_t escaped(struct parser *p) {
    char c = *p->at++;
    switch (c) {
    case 'x': return hex(p, 2);
    case 'u': return hex(p, 4);
    case 'U': return hex(p, 8);
    case 't': return '\t';
    case 'r': return '\r';
    case 'n': return '\n';
    case '\\':
    case '"':
    case '[':
    case ']': return (unsigned char)c;
    default: p->at--; return wrong(p, "an unknown escape"), 0;
    }
}

/* One character of a literal or class; there is one more byte at least. */
static uint32_t character(struct parser *p) {
    uint32_t c = 0;
    if (next_is(p, '\\') && p->at + 1 < p->end) {
        p->at++;
        return escaped(p);
    }
    size_t n = utf8_decode(p->at, (size_t)(p->end - p->at), &c);
    if (n == 0) return wrong(p, "not UTF-8"), 0;
    p->at += n;
    return c;
}

/* ---- blanks and names ---- */

static void skip_blanks(struct parser *p, bool lines) {
    for (; more(p); p->at++) {
        if (*p->at == '#')
            while (more(p) && *p->at != '\n' && *p->at != '\r') p->at++;
        if (!more(p)) return;
        bool line = *p->at == '\n' || *p->at == '\r';
        if (*p->at != ' ' && *p->at != '\t' && !(line && lines)) return;
    }
}

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

static uint32_t *name_slot(struct parser *p, const char *name, uint32_t len) {
    const struct gbnf_rule *rules = p->gbnf->rules;
    uint32_t at = (uint32_t)hash_bytes(2, name, len) & (p->cap_names - 1);
    while (p->names[at] && (rules[p->names[at] - 1].len != len ||
                            memcmp(rules[p->names[at] - 1].name, name, len) != 0))
        at = (at + 1) & (p->cap_names - 1);
    return &p->names[at];
}

static uint32_t rule_named(struct parser *p, const char *name, uint32_t len) {
    struct gbnf *gbnf = p->gbnf;
    if (p->cap_names < 2 * (gbnf->n_rules + 1)) {
        if (!grow_map(&p->names, &p->cap_names)) return no_memory(p), 0;
        for (uint32_t i = 0; i < gbnf->n_rules; i++)
            *name_slot(p, gbnf->rules[i].name, gbnf->rules[i].len) = i + 1;
    }
    uint32_t *slot = name_slot(p, name, len);
    if (*slot) return *slot - 1;
    if (gbnf->n_rules >= MAX_RULES)
        return gbnf_refuse(p->error, p->path, "more than %d rules", MAX_RULES), 0;
    if (!vector_reserve((void **)&gbnf->rules, &gbnf->cap_rules, gbnf->n_rules + 1,
                        sizeof *gbnf->rules))
        return no_memory(p), 0;
    gbnf->rules[gbnf->n_rules] = (struct gbnf_rule){name, len, GBNF_NONE};
    *slot = ++gbnf->n_rules;
    return gbnf->n_rules - 1;
}

static uint32_t rule_name(struct parser *p) {
    const char *from = p->at;
    while (more(p) && is_word(*p->at)) p->at++;
    if (p->at == from) return wrong(p, "expected a rule's name"), 0;
    if (p->at - from > MAX_NAME)
        return gbnf_refuse(p->error, p->path, "a name of more than %d bytes", MAX_NAME), 0;
    return rule_named(p, from, (uint32_t)(p->at - from));
}

/* ---- items ---- */

static uint32_t parse_literal(struct parser *p) {
    uint32_t sequence = add_node(p, GBNF_SEQUENCE, 0);
    while (!failed(p) && more(p) && !next_is(p, '"')) {
        uint32_t c = character(p);
        if (!failed(p) && c == 0) wrong(p, "U+0000 can't be generated");
        if (failed(p)) break;
        uint32_t set = single(p, c);
        if (!failed(p)) append(p, sequence, add_node(p, GBNF_SET, set));
    }
    if (!failed(p) && !accept(p, '"')) wrong(p, "a literal without its closing quote");
    return sequence;
}

static uint32_t parse_class(struct parser *p) {
    bool negated = accept(p, '^');
    uint32_t first = p->gbnf->pool.n_ranges;
    while (!failed(p) && more(p) && !next_is(p, ']')) {
        uint32_t from = character(p), to = from;
        if (next_is(p, '-') && p->at + 1 < p->end && p->at[1] != ']') {
            p->at++;
            to = character(p);
        }
        if (!failed(p) && to < from) wrong(p, "a range out of order");
        if (!failed(p) && !pattern_set_range(&p->gbnf->pool, from, to))
            gbnf_refuse(p->error, p->path, "too many character ranges");
    }
    if (!failed(p) && !accept(p, ']')) wrong(p, "[ without ]");
    uint32_t set = failed(p) ? GBNF_NONE : finish_set(p, first, negated);
    return failed(p) ? GBNF_NONE : add_node(p, GBNF_SET, set);
}

static uint32_t parse_any(struct parser *p) {
    uint32_t set = finish_set(p, p->gbnf->pool.n_ranges, true);
    return failed(p) ? GBNF_NONE : add_node(p, GBNF_SET, set);
}

static uint32_t parse_choice(struct parser *p, bool nested);

static uint32_t parse_group(struct parser *p) {
    if (++p->nesting > MAX_NESTING)
        return gbnf_refuse(p->error, p->path, "groups nest deeper than %d", MAX_NESTING), GBNF_NONE;
    skip_blanks(p, true);
    uint32_t inner = parse_choice(p, true);
    p->nesting--;
    if (!failed(p) && !accept(p, ')')) wrong(p, "( without )");
    return inner;
}

static uint32_t parse_reference(struct parser *p) {
    uint32_t rule = rule_name(p);
    return failed(p) ? GBNF_NONE : add_node(p, GBNF_RULE, rule);
}

/* GBNF_NONE without an error: there is no item. */
static uint32_t parse_item(struct parser *p) {
    if (accept(p, '"')) return parse_literal(p);
    if (accept(p, '[')) return parse_class(p);
    if (accept(p, '(')) return parse_group(p);
    if (accept(p, '.')) return parse_any(p);
    if (more(p) && is_word(*p->at)) return parse_reference(p);
    if (next_is(p, '<') || next_is(p, '!'))
        gbnf_refuse(p->error, p->path, "references to tokens");
    else if (next_is(p, '*') || next_is(p, '+') || next_is(p, '?') || next_is(p, '{'))
        wrong(p, "nothing to repeat");
    return GBNF_NONE;
}

/* ---- repetitions ---- */

static bool number(struct parser *p, uint32_t *value) {
    const char *from = p->at;
    for (*value = 0; more(p) && *p->at >= '0' && *p->at <= '9'; p->at++)
        if (*value <= MAX_COUNT) *value = *value * 10 + (uint32_t)(*p->at - '0');
    if (p->at > from && *value > MAX_COUNT)
        gbnf_refuse(p->error, p->path, "a repetition of more than %d", MAX_COUNT);
    return p->at > from;
}

static bool braces(struct parser *p, uint32_t *min, uint32_t *max) {
    skip_blanks(p, false);
    if (!number(p, min)) return wrong(p, "expected a number after {");
    *max = *min;
    skip_blanks(p, false);
    if (accept(p, ',')) {
        skip_blanks(p, false);
        if (!number(p, max)) *max = GBNF_NONE;
        skip_blanks(p, false);
    }
    if (!failed(p) && !accept(p, '}')) return wrong(p, "{ without }");
    if (!failed(p) && *max < *min) return wrong(p, "a repetition out of order");
    return !failed(p);
}

static bool repetition(struct parser *p, uint32_t *min, uint32_t *max) {
    *min = 0;
    *max = GBNF_NONE;
    if (accept(p, '*')) return true;
    if (accept(p, '+')) return *min = 1, true;
    if (accept(p, '?')) return *max = 1, true;
    return accept(p, '{') && braces(p, min, max);
}

/* The item with what repeats it. Several repetitions repeat each other, not too deep. */
static uint32_t parse_repeated(struct parser *p, bool nested) {
    uint32_t item = parse_item(p), min, max;
    if (item == GBNF_NONE) return item;
    skip_blanks(p, nested);
    for (int n = 0; !failed(p) && repetition(p, &min, &max); n++) {
        uint32_t repeat = n < MAX_NESTING ? add_node(p, GBNF_REPEAT, 0) : GBNF_NONE;
        if (n == MAX_NESTING) gbnf_refuse(p->error, p->path, "too many repetitions of one part");
        if (failed(p)) break;
        p->gbnf->nodes[repeat].min = min;
        p->gbnf->nodes[repeat].max = max;
        append(p, repeat, item);
        item = repeat;
        skip_blanks(p, nested);
    }
    return item;
}

static uint32_t parse_sequence(struct parser *p, bool nested) {
    uint32_t sequence = add_node(p, GBNF_SEQUENCE, 0), item = 0;
    while (!failed(p) && more(p) && item != GBNF_NONE) {
        item = parse_repeated(p, nested);
        if (item != GBNF_NONE) append(p, sequence, item);
    }
    return sequence;
}

static uint32_t parse_choice(struct parser *p, bool nested) {
    uint32_t choice = add_node(p, GBNF_CHOICE, 0);
    while (!failed(p)) {
        append(p, choice, parse_sequence(p, nested));
        if (failed(p) || !accept(p, '|')) break;
        skip_blanks(p, true);
    }
    return choice;
}

/* ---- rules ---- */

static bool parse_rule(struct parser *p) {
    uint32_t rule = rule_name(p);
    skip_blanks(p, false);
    if (failed(p)) return false;
    if (p->end - p->at < 3 || memcmp(p->at, "::=", 3) != 0) return wrong(p, "expected ::=");
    if (p->gbnf->rules[rule].body != GBNF_NONE) return wrong(p, "a rule is defined twice");
    p->at += 3;
    skip_blanks(p, true);
    uint32_t body = parse_choice(p, false);
    if (failed(p)) return false;
    const struct gbnf_node *nodes = p->gbnf->nodes;
    if (nodes[body].first == nodes[body].last && nodes[nodes[body].first].first == GBNF_NONE)
        return wrong(p, "a rule without a body: \"\" is nothing");
    p->gbnf->rules[rule].body = body;
    if (more(p) && *p->at != '\n' && *p->at != '\r')
        return wrong(p, next_is(p, ')') ? ") without (" : "expected a line's end");
    skip_blanks(p, true);
    return true;
}

static bool check_rules(struct parser *p) {
    for (uint32_t i = 0; i < p->gbnf->n_rules; i++) {
        const struct gbnf_rule *rule = &p->gbnf->rules[i];
        if (rule->body == GBNF_NONE)
            return error_at(p->error, ERROR_INVALID_PARAMS, p->path,
                            "the grammar: there is no rule called %.*s", (int)rule->len,
                            rule->name);
    }
    return true;
}

bool gbnf_parse(struct gbnf *gbnf, const char *text, size_t len, const char *path,
                struct error *error) {
    struct parser p = {
        .gbnf = gbnf, .text = text, .at = text, .end = text + len, .path = path, .error = error};
    *gbnf = (struct gbnf){0};
    if (len > ENGINE_SCHEMA_BYTES)
        return gbnf_refuse(error, path, "more than %d bytes", ENGINE_SCHEMA_BYTES);
    gbnf->root = rule_named(&p, "root", 4);
    skip_blanks(&p, true);
    while (!failed(&p) && more(&p)) parse_rule(&p);
    bool ok = !failed(&p) && check_rules(&p);
    free(p.names);
    free(p.singles);
    return ok;
}

void gbnf_free(struct gbnf *gbnf) {
    free(gbnf->nodes);
    free(gbnf->rules);
    pattern_pool_free(&gbnf->pool);
    *gbnf = (struct gbnf){0};
}

size_t gbnf_bytes(const struct gbnf *gbnf) {
    return held(gbnf->nodes) + held(gbnf->rules) + held(gbnf->pool.ranges) + held(gbnf->pool.sets) +
           held(gbnf->pool.states);
}
