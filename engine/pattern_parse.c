#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "engine/pattern_tree.h"
#include "engine/unicode.h"
#include "engine/vector.h"

enum {
    MAX_NESTING = 64,
    MAX_NODES = 1 << 16,
    PROPERTY_STEPS = 12000 /* what reading and sorting the table's runs is as long as */
};

struct parser {
    struct pattern_tree *tree;
    const char *at, *end;
    unsigned nesting;
    enum pattern_result result;
    const char *what;
};

static uint32_t fail(struct parser *p, enum pattern_result result, const char *what) {
    if (p->result == PATTERN_OK) {
        p->result = result;
        p->what = what;
    }
    return PATTERN_NONE;
}

static uint32_t syntax_error(struct parser *p, const char *what) {
    return fail(p, PATTERN_SYNTAX, what);
}

static uint32_t unsupported(struct parser *p, const char *what) {
    return fail(p, PATTERN_UNSUPPORTED, what);
}

static uint32_t add_node(struct parser *p, enum pattern_kind kind) {
    struct pattern_tree *tree = p->tree;
    if (p->result != PATTERN_OK) return PATTERN_NONE;
    if (tree->n >= MAX_NODES) return fail(p, PATTERN_TOO_LARGE, "the pattern is too long");
    if (!vector_reserve((void **)&tree->nodes, &tree->cap, tree->n + 1, sizeof *tree->nodes))
        return fail(p, PATTERN_MEMORY, "out of memory");
    tree->nodes[tree->n] = (struct pattern_node){.kind = kind,
                                                 .first = PATTERN_NONE,
                                                 .last = PATTERN_NONE,
                                                 .next = PATTERN_NONE,
                                                 .previous = PATTERN_NONE};
    return tree->n++;
}

static void append(struct pattern_tree *tree, uint32_t parent, uint32_t child) {
    struct pattern_node *node = &tree->nodes[parent];
    if (node->first == PATTERN_NONE)
        node->first = child;
    else
        tree->nodes[node->last].next = child;
    tree->nodes[child].previous = node->last;
    node->last = child;
}

static bool more(const struct parser *p) {
    return p->at < p->end;
}

static bool next_is(const struct parser *p, char c) {
    return more(p) && *p->at == c;
}

static bool accept(struct parser *p, const char *text) {
    size_t len = strlen(text);
    if ((size_t)(p->end - p->at) < len || memcmp(p->at, text, len) != 0) return false;
    p->at += len;
    return true;
}

/* ---- characters ---- */

static uint32_t code_point(struct parser *p) {
    uint32_t c = 0;
    if (!more(p)) return syntax_error(p, "it ends too early"), 0;
    size_t len = utf8_decode(p->at, (size_t)(p->end - p->at), &c);
    if (len == 0) return syntax_error(p, "invalid UTF-8"), 0;
    p->at += len;
    return c;
}

static bool hex(struct parser *p, unsigned digits, uint32_t *value) {
    const char *at = p->at;
    *value = 0;
    for (unsigned i = 0; i < digits; i++, at++) {
        static const char digit[] = "0123456789abcdef0123456789ABCDEF";
        const char *found = at < p->end && *at ? strchr(digit, *at) : NULL;
        if (!found) return false;
        *value = *value << 4 | ((uint32_t)(found - digit) & 15);
    }
    p->at = at;
    return true;
}

/* After \u: four digits, a surrogate pair of them, or {…}. */
static uint32_t unicode_escape(struct parser *p) {
    uint32_t c, low;
    if (accept(p, "{")) {
        while (p->end - p->at > 1 && p->at[0] == '0' && p->at[1] != '}') p->at++;
        const char *close = memchr(p->at, '}', (size_t)(p->end - p->at));
        unsigned digits = close && close - p->at <= 6 ? (unsigned)(close - p->at) : 0;
        if (digits < 1 || !hex(p, digits, &c) || !accept(p, "}") || c > 0x10FFFF)
            return syntax_error(p, "\\u{…}"), 0;
        return c;
    }
    if (!hex(p, 4, &c)) return syntax_error(p, "\\u without four digits"), 0;
    if (c < 0xD800 || c > 0xDBFF) return c;
    const char *back = p->at; /* a lone one is no character of any text */
    if (!accept(p, "\\u") || !hex(p, 4, &low) || low < 0xDC00 || low > 0xDFFF)
        return p->at = back, c;
    return 0x10000 + ((c & 0x3FF) << 10 | (low & 0x3FF));
}

static bool is_alnum(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The character that an escape stands for; p->at is after the backslash. */
static uint32_t escaped_character(struct parser *p) {
    static const char letters[] = "fnrtv", values[] = "\f\n\r\t\v";
    const char *found = *p->at ? strchr(letters, *p->at) : NULL;
    uint32_t c;
    if (found) return p->at++, (uint32_t)values[found - letters];
    if (accept(p, "u")) return unicode_escape(p);
    if (accept(p, "x")) return hex(p, 2, &c) ? c : (syntax_error(p, "\\x without two digits"), 0);
    if (accept(p, "c")) {
        bool letter = more(p) && is_alnum(*p->at) && *p->at > '9';
        return letter ? *p->at++ & 31u : (syntax_error(p, "\\c without a letter"), 0);
    }
    if (next_is(p, '0') && !(p->end - p->at > 1 && p->at[1] >= '0' && p->at[1] <= '9'))
        return p->at++, 0;
    if (more(p) && is_alnum(*p->at)) return unsupported(p, "an escape that is not a character"), 0;
    return code_point(p);
}

static bool add_range(struct parser *p, uint32_t from, uint32_t to) {
    if (pattern_set_range(p->tree->pool, from, to)) return true;
    fail(p, PATTERN_MEMORY, "out of memory");
    return false;
}

static bool add_ranges(struct parser *p, const struct pattern_range *ranges, size_t n,
                       bool negated) {
    uint32_t from = 0;
    for (size_t i = 0; i < n; i++) {
        if (!negated && !add_range(p, ranges[i].from, ranges[i].to)) return false;
        if (negated && ranges[i].from > from && !add_range(p, from, ranges[i].from - 1))
            return false;
        from = ranges[i].to + 1;
    }
    return !negated || add_range(p, from, 0x10FFFF);
}

/* \d \w \s and their complements. */
static bool add_class(struct parser *p, char name) {
    static const struct pattern_range digits[] = {{'0', '9'}};
    static const struct pattern_range words[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
    static const struct pattern_range blanks[] = {
        {0x09, 0x0D},     {0x20, 0x20},     {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
        {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
    switch (name | 32) {
    case 'd': return add_ranges(p, digits, 1, name == 'D');
    case 'w': return add_ranges(p, words, 4, name == 'W');
    default: return add_ranges(p, blanks, sizeof blanks / sizeof *blanks, name == 'S');
    }
}

/* {Name} after \p or \P. */
static bool add_property(struct parser *p, bool negated) {
    const char *close = next_is(p, '{') ? memchr(p->at, '}', (size_t)(p->end - p->at)) : NULL;
    if (!close) return syntax_error(p, "\\p without {…}"), false;
    const char *name = p->at + 1;
    size_t len = (size_t)(close - name);
    p->at = close + 1;
    if (len == 5 && memcmp(name, "ASCII", 5) == 0)
        return add_range(p, negated ? 0x80 : 0, negated ? 0x10FFFF : 0x7F);
    uint32_t categories = unicode_categories(name, len);
    uint64_t *budget = p->tree->pool->budget;
    if (categories == 0)
        return unsupported(p, "a Unicode property that is no general category"), false;
    if (*budget < PROPERTY_STEPS)
        return fail(p, PATTERN_TOO_LARGE, "too many Unicode properties"), false;
    *budget -= PROPERTY_STEPS;
    if (negated) categories ^= UNICODE_ANY;
    for (struct unicode_walk walk = {0}; unicode_walk_next(&walk);)
        if (categories >> walk.category & 1 && !add_range(p, walk.from, walk.to)) return false;
    return true;
}

static bool is_class(const struct parser *p) {
    return more(p) && *p->at && strchr("dDwWsSpP", *p->at);
}

/* The class whose letter comes next. */
static bool add_named(struct parser *p) {
    char name = *p->at++;
    return name == 'p' || name == 'P' ? add_property(p, name == 'P') : add_class(p, name);
}

static uint32_t set_node(struct parser *p, uint32_t first, bool negated) {
    uint32_t node = add_node(p, NODE_SET);
    if (node == PATTERN_NONE) return node;
    uint32_t set = pattern_set_finish(p->tree->pool, first, negated);
    if (set == PATTERN_NONE) return fail(p, PATTERN_MEMORY, "out of memory");
    p->tree->nodes[node].set = set;
    return node;
}

static uint32_t character_node(struct parser *p, uint32_t c) {
    uint32_t first = p->tree->pool->n_ranges;
    return add_range(p, c, c) ? set_node(p, first, false) : PATTERN_NONE;
}

/* ---- [...] ---- */

/* One member; a class escape is added at once and *single is false. */
static uint32_t class_atom(struct parser *p, bool *single) {
    *single = true;
    if (!accept(p, "\\")) return code_point(p);
    if (!more(p)) return syntax_error(p, "\\ at the end"), 0;
    if (is_class(p)) {
        *single = false;
        add_named(p);
        return 0;
    }
    if (accept(p, "b")) return '\b';
    return escaped_character(p);
}

static void class_member(struct parser *p) {
    bool from_single, to_single;
    uint32_t from = class_atom(p, &from_single), to = from;
    if (p->result != PATTERN_OK) return;
    bool range = next_is(p, '-') && p->end - p->at > 1 && p->at[1] != ']';
    if (range) {
        p->at++;
        to = class_atom(p, &to_single);
        if (p->result != PATTERN_OK) return;
        if (!from_single || !to_single) { /* in [\w-.] and [.-\w] the hyphen is itself */
            if (to_single) add_range(p, to, to);
            add_range(p, '-', '-');
            to = from;
        }
        if (to < from) syntax_error(p, "a range out of order");
    }
    if (from_single) add_range(p, from, to);
}

static uint32_t parse_class(struct parser *p) {
    uint32_t first = p->tree->pool->n_ranges;
    bool negated = accept(p, "^");
    while (p->result == PATTERN_OK && !next_is(p, ']')) {
        if (!more(p)) return syntax_error(p, "[ without ]");
        class_member(p);
    }
    p->at++;
    return p->result == PATTERN_OK ? set_node(p, first, negated) : PATTERN_NONE;
}

static uint32_t parse_dot(struct parser *p) {
    uint32_t first = p->tree->pool->n_ranges;
    if (!add_range(p, '\n', '\n') || !add_range(p, '\r', '\r') || !add_range(p, 0x2028, 0x2029))
        return PATTERN_NONE;
    return set_node(p, first, true);
}

/* ---- quantifiers ---- */

static bool count(const char **at, const char *end, uint32_t *value) {
    const char *from = *at;
    *value = 0;
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++)
        if (*value < 1000000) *value = *value * 10 + (uint32_t)(**at - '0');
    return *at > from;
}

/* {n}, {n,} or {n,m}; other braces are characters. */
static bool braces(struct parser *p, uint32_t *min, uint32_t *max) {
    const char *at = p->at + 1;
    if (!next_is(p, '{') || !count(&at, p->end, min)) return false;
    *max = *min;
    if (at < p->end && *at == ',') {
        at++;
        if (!count(&at, p->end, max)) *max = PATTERN_NONE;
    }
    if (at >= p->end || *at != '}') return false;
    p->at = at + 1;
    return true;
}

static bool quantifier(struct parser *p, uint32_t *min, uint32_t *max) {
    *min = 0;
    *max = PATTERN_NONE;
    if (accept(p, "*")) return true;
    if (accept(p, "+")) return *min = 1, true;
    if (accept(p, "?")) return *max = 1, true;
    return braces(p, min, max);
}

/* ---- atoms ---- */

static uint32_t parse_choice(struct parser *p);

static uint32_t parse_escape(struct parser *p) {
    if (!more(p)) return syntax_error(p, "\\ at the end");
    if (is_class(p)) {
        uint32_t first = p->tree->pool->n_ranges;
        return add_named(p) ? set_node(p, first, false) : PATTERN_NONE;
    }
    if (*p->at >= '1' && *p->at <= '9') return unsupported(p, "a back-reference");
    if (*p->at == 'b' || *p->at == 'B') {
        uint32_t edge = add_node(p, NODE_EDGE);
        if (edge != PATTERN_NONE) p->tree->nodes[edge].negated = *p->at == 'B';
        p->at++;
        return edge;
    }
    if (*p->at == 'k') return unsupported(p, "a back-reference");
    uint32_t c = escaped_character(p);
    return p->result == PATTERN_OK ? character_node(p, c) : PATTERN_NONE;
}

static bool group_name(struct parser *p) {
    const char *close = memchr(p->at, '>', (size_t)(p->end - p->at));
    if (!close || close == p->at) return false;
    p->at = close + 1;
    return true;
}

/* After "(". */
static uint32_t parse_group(struct parser *p) {
    uint32_t look = PATTERN_NONE;
    bool ahead = false, negated = false, behind = false;
    if (accept(p, "?:")) {
    } else if (accept(p, "?=") || (negated = accept(p, "?!"))) {
        ahead = true;
    } else if ((behind = accept(p, "?<=")) || (behind = negated = accept(p, "?<!"))) {
    } else if (accept(p, "?<")) {
        if (!group_name(p)) return syntax_error(p, "a group's name");
    } else if (next_is(p, '?')) {
        return unsupported(p, "a group that ECMA-262 does not know");
    }
    if (ahead || behind) look = add_node(p, NODE_LOOK);
    if (++p->nesting > MAX_NESTING) return unsupported(p, "groups nest too deep");
    uint32_t inner = parse_choice(p);
    p->nesting--;
    if (p->result != PATTERN_OK) return PATTERN_NONE;
    if (!accept(p, ")")) return syntax_error(p, "( without )");
    if (look == PATTERN_NONE) return inner;
    p->tree->nodes[look].first = inner;
    p->tree->nodes[look].set = PATTERN_NONE;
    p->tree->nodes[look].negated = negated;
    p->tree->nodes[look].behind = behind;
    return look;
}

static uint32_t parse_atom(struct parser *p) {
    uint32_t min, max;
    if (accept(p, "(")) return parse_group(p);
    if (accept(p, "[")) return parse_class(p);
    if (accept(p, ".")) return parse_dot(p);
    if (accept(p, "^")) return add_node(p, NODE_START);
    if (accept(p, "$")) return add_node(p, NODE_END);
    if (accept(p, "\\")) return parse_escape(p);
    struct parser look = *p;
    if (quantifier(&look, &min, &max)) return syntax_error(p, "nothing to repeat");
    uint32_t c = code_point(p);
    return p->result == PATTERN_OK ? character_node(p, c) : PATTERN_NONE;
}

/* Of assertions, only lookaheads may (Annex B). */
static bool may_repeat(const struct pattern_node *node) {
    bool behind = node->kind == NODE_LOOK && node->behind;
    return !behind && node->kind != NODE_START && node->kind != NODE_END && node->kind != NODE_EDGE;
}

static uint32_t parse_quantified(struct parser *p) {
    uint32_t atom = parse_atom(p), min, max;
    if (p->result != PATTERN_OK || !quantifier(p, &min, &max)) return atom;
    accept(p, "?"); /* lazy or not, the same texts match */
    if (!may_repeat(&p->tree->nodes[atom])) return syntax_error(p, "a repeated assertion");
    if (max < min) return syntax_error(p, "a count out of order");
    uint32_t node = add_node(p, NODE_REPEAT);
    if (node == PATTERN_NONE) return node;
    p->tree->nodes[node].first = atom;
    p->tree->nodes[node].min = min;
    p->tree->nodes[node].max = max;
    return node;
}

static uint32_t parse_sequence(struct parser *p) {
    uint32_t sequence = add_node(p, NODE_SEQUENCE);
    while (p->result == PATTERN_OK && more(p) && !next_is(p, '|') && !next_is(p, ')')) {
        uint32_t item = parse_quantified(p);
        if (p->result == PATTERN_OK) append(p->tree, sequence, item);
    }
    return sequence;
}

static uint32_t parse_choice(struct parser *p) {
    uint32_t choice = add_node(p, NODE_CHOICE);
    do {
        uint32_t sequence = parse_sequence(p);
        if (p->result == PATTERN_OK) append(p->tree, choice, sequence);
    } while (p->result == PATTERN_OK && accept(p, "|"));
    return choice;
}

enum pattern_result pattern_parse(struct pattern_tree *tree, const char *text, size_t len,
                                  const char **what) {
    struct parser p = {.tree = tree, .at = text, .end = text + len};
    tree->root = parse_choice(&p);
    if (p.result == PATTERN_OK && more(&p)) syntax_error(&p, ") without (");
    if (p.result != PATTERN_OK) *what = p.what;
    return p.result;
}
