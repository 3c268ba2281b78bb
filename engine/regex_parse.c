#include "engine/regex_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "engine/unicode.h"

enum { MAX_GROUPS = 200, COUNT_LIMIT = 1 << 24 };

struct parser {
    struct regex_tree *tree;
    const char *at, *end;
    unsigned depth;
    struct error *error;
};

static bool syntax_error(struct parser *p, const char *what) {
    return error_set(p->error, ERROR_INVALID_PARAMS, "pattern: %s", what);
}

static bool unsupported(struct parser *p, const char *reason) {
    if (p->error->code == ERROR_NONE)
        snprintf(p->error->reason, sizeof p->error->reason, "%s", reason);
    return error_set(p->error, ERROR_SCHEMA_UNSUPPORTED, "pattern: %s", reason);
}

static bool no_memory(struct parser *p) {
    return error_set(p->error, ERROR_OUT_OF_MEMORY, "no memory for a pattern");
}

static uint32_t node_new(struct parser *p, enum regex_kind kind) {
    struct regex_tree *tree = p->tree;
    if (tree->n_nodes == tree->cap_nodes) {
        size_t cap = tree->cap_nodes ? tree->cap_nodes * 2 : 32;
        struct regex_node *grown = realloc(tree->nodes, cap * sizeof *grown);
        if (!grown) return no_memory(p), REGEX_NONE;
        tree->nodes = grown;
        tree->cap_nodes = cap;
    }
    tree->nodes[tree->n_nodes] = (struct regex_node){.kind = (uint8_t)kind,
                                                     .first = REGEX_NONE,
                                                     .last = REGEX_NONE,
                                                     .next = REGEX_NONE,
                                                     .previous = REGEX_NONE};
    return (uint32_t)tree->n_nodes++;
}

static void append(struct regex_tree *tree, uint32_t parent, uint32_t child) {
    struct regex_node *node = &tree->nodes[parent];
    tree->nodes[child].previous = node->last;
    if (node->last != REGEX_NONE)
        tree->nodes[node->last].next = child;
    else
        node->first = child;
    node->last = child;
}

static bool peek(const struct parser *p, char c) {
    return p->at < p->end && *p->at == c;
}

static bool accept(struct parser *p, const char *text) {
    size_t n = strlen(text);
    if ((size_t)(p->end - p->at) < n || memcmp(p->at, text, n) != 0) return false;
    p->at += n;
    return true;
}

static bool next_code_point(struct parser *p, uint32_t *c) {
    size_t n = utf8_decode(p->at, (size_t)(p->end - p->at), c);
    if (n == 0) return syntax_error(p, "invalid UTF-8");
    p->at += n;
    return true;
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool hex_digits(struct parser *p, int n, uint32_t *value) {
    *value = 0;
    for (int i = 0; i < n; i++, p->at++) {
        int digit = p->at < p->end ? hex_value(*p->at) : -1;
        if (digit < 0) return unsupported(p, "incomplete \\x or \\u escape");
        *value = *value << 4 | (uint32_t)digit;
    }
    return true;
}

static bool braced_code_point(struct parser *p, uint32_t *c) {
    *c = 0;
    const char *first = p->at;
    while (p->at < p->end && hex_value(*p->at) >= 0 && *c <= 0x10FFFF)
        *c = *c << 4 | (uint32_t)hex_value(*p->at++);
    if (p->at == first || *c > 0x10FFFF || !accept(p, "}")) return syntax_error(p, "bad \\u{ } escape");
    return true;
}

/* After "\u". A surrogate pair written as two escapes is one code point. */
static bool unicode_escape(struct parser *p, uint32_t *c) {
    if (accept(p, "{")) return braced_code_point(p, c);
    if (!hex_digits(p, 4, c)) return false;
    uint32_t low;
    const char *back = p->at;
    if (*c >= 0xD800 && *c <= 0xDBFF && accept(p, "\\u")) {
        if (!hex_digits(p, 4, &low)) return false;
        if (low >= 0xDC00 && low <= 0xDFFF)
            *c = 0x10000 + ((*c - 0xD800) << 10) + (low - 0xDC00);
        else
            p->at = back;
    }
    return true;
}

static bool letter_or_digit(char c) {
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool control_escape(struct parser *p, uint32_t *c) {
    char letter = p->at < p->end ? *p->at : 0;
    if ((letter | 0x20) < 'a' || (letter | 0x20) > 'z')
        return unsupported(p, "incomplete \\c escape");
    p->at++;
    *c = (uint32_t)letter & 31;
    return true;
}

static bool refuse_escape(struct parser *p, char c) {
    if ((c >= '1' && c <= '9') || c == 'k') return unsupported(p, "back-references");
    if (c == '0') return unsupported(p, "octal escapes");
    return unsupported(p, "an escape ECMA-262 does not define");
}

/* After a backslash: one character. */
static bool character_escape(struct parser *p, uint32_t *c) {
    static const char names[] = "tnvfr", values[] = "\t\n\v\f\r";
    if (p->at >= p->end) return syntax_error(p, "trailing backslash");
    if (!letter_or_digit(*p->at)) return next_code_point(p, c);
    char name = *p->at++;
    const char *known = strchr(names, name);
    if (known) {
        *c = (uint32_t)values[known - names];
        return true;
    }
    if (name == 'c') return control_escape(p, c);
    if (name == 'x') return hex_digits(p, 2, c);
    if (name == 'u') return unicode_escape(p, c);
    bool digit_follows = p->at < p->end && *p->at >= '0' && *p->at <= '9';
    if (name != '0' || digit_follows) return refuse_escape(p, name);
    *c = 0;
    return true;
}

static bool class_escape(const struct parser *p) {
    return p->end - p->at >= 2 && *p->at == '\\' && p->at[1] && strchr("dDwWsSpP", p->at[1]);
}

/* After "\p" or "\P". */
static bool property(struct parser *p, bool negated) {
    const char *name = p->at + 1;
    if (!accept(p, "{")) return syntax_error(p, "\\p without { }");
    while (p->at < p->end && *p->at != '}') p->at++;
    size_t len = (size_t)(p->at - name);
    if (!accept(p, "}")) return syntax_error(p, "\\p without { }");
    if (len == 5 && memcmp(name, "ASCII", 5) == 0)
        return regex_set_add(p->tree, negated ? 0x80 : 0, negated ? 0x10FFFF : 0x7F) || no_memory(p);
    uint32_t categories = unicode_categories(name, len);
    if (!categories) return unsupported(p, "a Unicode property that is no general category");
    p->tree->categories |= negated ? categories ^ UNICODE_ANY : categories;
    return true;
}

/* One of those. */
static bool add_class_escape(struct parser *p) {
    char name = p->at[1];
    p->at += 2;
    if (name == 'p' || name == 'P') return property(p, name == 'P');
    return regex_set_add_class(p->tree, name) || no_memory(p);
}

/* One member of [ ]: a character, or a class escape, which is added at once (*single false). */
static bool class_atom(struct parser *p, uint32_t *c, bool *single) {
    *single = !class_escape(p);
    if (!*single) return add_class_escape(p);
    if (!accept(p, "\\")) return next_code_point(p, c);
    if (accept(p, "b")) {
        *c = '\b';
        return true;
    }
    return character_escape(p, c);
}

static bool class_member(struct parser *p) {
    uint32_t from = 0, to = 0;
    bool from_single, to_single;
    if (!class_atom(p, &from, &from_single)) return false;
    bool range = p->end - p->at >= 2 && *p->at == '-' && p->at[1] != ']';
    if (!range) return !from_single || regex_set_add(p->tree, from, from) || no_memory(p);
    p->at++;
    if (!class_atom(p, &to, &to_single)) return false;
    if (from_single && to_single) {
        if (from > to) return syntax_error(p, "class range out of order");
        return regex_set_add(p->tree, from, to) || no_memory(p);
    }
    /* [\w-x]: the hyphen stands for itself (Annex B). */
    bool added = regex_set_add(p->tree, '-', '-');
    if (from_single) added = added && regex_set_add(p->tree, from, from);
    if (to_single) added = added && regex_set_add(p->tree, to, to);
    return added || no_memory(p);
}

static uint32_t set_node(struct parser *p, size_t first, bool negated) {
    uint32_t set, node = node_new(p, REGEX_SET);
    if (node == REGEX_NONE) return node;
    if (!regex_set_finish(p->tree, first, negated, &set)) return no_memory(p), REGEX_NONE;
    p->tree->nodes[node].set = set;
    return node;
}

/* After "[". */
static uint32_t parse_class(struct parser *p) {
    size_t first = p->tree->n_ranges;
    bool negated = accept(p, "^");
    while (!peek(p, ']')) {
        if (p->at >= p->end) return syntax_error(p, "class not closed"), REGEX_NONE;
        if (!class_member(p)) return REGEX_NONE;
    }
    p->at++;
    return set_node(p, first, negated);
}

static uint32_t parse_dot(struct parser *p) {
    size_t first = p->tree->n_ranges;
    bool added = regex_set_add(p->tree, '\n', '\n') && regex_set_add(p->tree, '\r', '\r') &&
                 regex_set_add(p->tree, 0x2028, 0x2029);
    return added ? set_node(p, first, true) : (no_memory(p), REGEX_NONE);
}

static uint32_t character_node(struct parser *p, uint32_t c) {
    uint32_t node = node_new(p, REGEX_CHARACTER);
    if (node != REGEX_NONE) p->tree->nodes[node].code_point = c;
    return node;
}

static uint32_t parse_escape(struct parser *p) {
    if (class_escape(p)) {
        size_t first = p->tree->n_ranges;
        return add_class_escape(p) ? set_node(p, first, false) : REGEX_NONE;
    }
    p->at++;
    if (peek(p, 'b') || peek(p, 'B')) {
        uint32_t node = node_new(p, REGEX_WORD_BOUNDARY);
        if (node != REGEX_NONE) p->tree->nodes[node].negated = *p->at == 'B';
        p->at++;
        return node;
    }
    uint32_t c;
    return character_escape(p, &c) ? character_node(p, c) : REGEX_NONE;
}

static uint32_t parse_choice(struct parser *p);

static bool skip_group_name(struct parser *p) {
    const char *begin = p->at;
    while (p->at < p->end && (letter_or_digit(*p->at) || *p->at == '_' || *p->at == '$')) p->at++;
    return (p->at > begin && accept(p, ">")) || syntax_error(p, "bad group name");
}

/* After "(": a plain group's node, or a look node that holds it. */
static uint32_t parse_group(struct parser *p) {
    bool ahead = false, negated = false, behind = false;
    if (accept(p, "?")) {
        if (accept(p, "="))
            ahead = true;
        else if (accept(p, "!"))
            ahead = negated = true;
        else if (accept(p, "<="))
            behind = true;
        else if (accept(p, "<!"))
            behind = negated = true;
        else if (accept(p, "<")) {
            if (!skip_group_name(p)) return REGEX_NONE;
        } else if (!accept(p, ":"))
            return unsupported(p, "a group ECMA-262 does not define"), REGEX_NONE;
    }
    uint32_t inner = parse_choice(p);
    if (inner == REGEX_NONE) return inner;
    if (!accept(p, ")")) return syntax_error(p, "group not closed"), REGEX_NONE;
    if (!ahead && !behind) return inner;
    uint32_t look = node_new(p, REGEX_LOOK);
    if (look == REGEX_NONE) return look;
    p->tree->nodes[look].negated = negated;
    p->tree->nodes[look].behind = behind;
    append(p->tree, look, inner);
    return look;
}

static uint32_t parse_nested(struct parser *p) {
    if (p->depth >= MAX_GROUPS) return unsupported(p, "groups nested too deeply"), REGEX_NONE;
    p->depth++;
    uint32_t node = parse_group(p);
    p->depth--;
    return node;
}

static bool read_count(const char **at, const char *end, uint32_t *count) {
    const char *begin = *at;
    *count = 0;
    for (; *at < end && **at >= '0' && **at <= '9'; ++*at)
        if (*count < COUNT_LIMIT) *count = *count * 10 + (uint32_t)(**at - '0');
    return *at > begin;
}

/* {n}, {n,} or {n,m}; anything else is no quantifier, and its brace stands for itself (Annex B). */
static bool braces(struct parser *p, uint32_t *min, uint32_t *max) {
    const char *at = p->at + 1;
    if (!peek(p, '{') || !read_count(&at, p->end, min)) return false;
    *max = *min;
    if (at < p->end && *at == ',') {
        at++;
        if (!read_count(&at, p->end, max)) *max = REGEX_UNBOUNDED;
    }
    if (at >= p->end || *at != '}') return false;
    p->at = at + 1;
    return true;
}

static bool quantifier(struct parser *p, uint32_t *min, uint32_t *max) {
    if (braces(p, min, max)) return true;
    *min = peek(p, '+') ? 1 : 0;
    *max = peek(p, '?') ? 1 : REGEX_UNBOUNDED;
    return accept(p, "*") || accept(p, "+") || accept(p, "?");
}

/* Of assertions, only lookaheads may (Annex B). */
static bool may_repeat(const struct regex_node *node) {
    switch (node->kind) {
    case REGEX_START:
    case REGEX_END:
    case REGEX_WORD_BOUNDARY: return false;
    case REGEX_LOOK: return !node->behind;
    default: return true;
    }
}

static uint32_t parse_quantified(struct parser *p, uint32_t atom) {
    uint32_t min, max;
    if (atom == REGEX_NONE || !quantifier(p, &min, &max)) return atom;
    accept(p, "?"); /* laziness does not change what matches */
    if (!may_repeat(&p->tree->nodes[atom]))
        return syntax_error(p, "a repeated assertion"), REGEX_NONE;
    if (min > max) return syntax_error(p, "repeat counts out of order"), REGEX_NONE;
    uint32_t node = node_new(p, REGEX_REPEAT);
    if (node == REGEX_NONE) return node;
    p->tree->nodes[node].min = min;
    p->tree->nodes[node].max = max;
    append(p->tree, node, atom);
    return node;
}

static uint32_t parse_atom(struct parser *p) {
    uint32_t min, max, c;
    struct parser look = *p;
    if (quantifier(&look, &min, &max)) return syntax_error(p, "nothing to repeat"), REGEX_NONE;
    if (peek(p, '\\')) return parse_escape(p);
    if (accept(p, "^")) return node_new(p, REGEX_START);
    if (accept(p, "$")) return node_new(p, REGEX_END);
    if (accept(p, "[")) return parse_class(p);
    if (accept(p, ".")) return parse_dot(p);
    if (accept(p, "(")) return parse_nested(p);
    return next_code_point(p, &c) ? character_node(p, c) : REGEX_NONE;
}

static uint32_t parse_sequence(struct parser *p) {
    uint32_t sequence = node_new(p, REGEX_SEQUENCE);
    if (sequence == REGEX_NONE) return sequence;
    while (p->at < p->end && *p->at != '|' && *p->at != ')') {
        uint32_t term = parse_quantified(p, parse_atom(p));
        if (term == REGEX_NONE) return term;
        append(p->tree, sequence, term);
    }
    return sequence;
}

static uint32_t parse_choice(struct parser *p) {
    uint32_t first = parse_sequence(p);
    if (first == REGEX_NONE || !peek(p, '|')) return first;
    uint32_t choice = node_new(p, REGEX_CHOICE);
    if (choice == REGEX_NONE) return choice;
    append(p->tree, choice, first);
    while (accept(p, "|")) {
        uint32_t branch = parse_sequence(p);
        if (branch == REGEX_NONE) return branch;
        append(p->tree, choice, branch);
    }
    return choice;
}

bool regex_parse(struct regex_tree *tree, const char *pattern, size_t len, struct error *error) {
    struct parser p = {.tree = tree, .at = pattern, .end = pattern + len, .error = error};
    tree->root = parse_choice(&p);
    if (tree->root == REGEX_NONE) return false;
    return p.at == p.end || syntax_error(&p, "unmatched )");
}

void regex_tree_free(struct regex_tree *tree) {
    free(tree->nodes);
    free(tree->sets);
    free(tree->ranges);
    *tree = (struct regex_tree){0};
}
