/* gbnf: a grammar in llama.cpp's notation, as a tree. Internal to constrained decoding.
 *
 * Rules `name ::= alternatives`, literals in double quotes, character classes, `.`, groups, rule
 * names, and the repetitions * + ? {n} {n,} {n,m}; comments from # to the line's end. Line ends
 * count as blanks inside parentheses and after ::= and |. A grammar begins with the rule `root`.
 * Escapes: \t \r \n \\ \" \[ \] \xHH \uHHHH \UHHHHHHHH. A rule that is not defined, or twice, is a
 * mistake; token references (<[42]>, <think>) are refused. U+0000 is never generated, and ranges
 * that hold it stand for the others.
 */
#ifndef ENGINE_GBNF_H
#define ENGINE_GBNF_H

#include "base/error.h"
#include "engine/pattern.h"

#define GBNF_NONE UINT32_MAX

enum gbnf_kind { GBNF_SET, GBNF_RULE, GBNF_SEQUENCE, GBNF_CHOICE, GBNF_REPEAT };

struct gbnf_node {
    uint8_t kind;
    uint32_t of;                          /* set: in the pool; rule: its number */
    uint32_t first, last, next, previous; /* children; siblings */
    uint32_t min, max;                    /* repeat; GBNF_NONE: without end */
};

struct gbnf_rule {
    const char *name;   /* in the text */
    uint32_t len, body; /* GBNF_NONE until defined */
};

struct gbnf {
    struct gbnf_node *nodes;
    struct gbnf_rule *rules;
    uint32_t n_nodes, n_rules, cap_nodes, cap_rules;
    struct pattern_pool pool; /* of sets */
    uint32_t root;            /* rule */
};

/* The text must outlive the tree. Errors have the path `path`: -32602 for what is no grammar, 1004
 * for what exceeds a limit or is refused. */
bool gbnf_parse(struct gbnf *gbnf, const char *text, size_t len, const char *path,
                struct error *error);
void gbnf_free(struct gbnf *gbnf);
size_t gbnf_bytes(const struct gbnf *gbnf); /* what it holds */
/* Error 1004 about a grammar. Returns false. */
bool gbnf_refuse(struct error *error, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
