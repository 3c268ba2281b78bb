/* pattern: ECMA-262 regular expressions as automata for the grammar. Internal to constrained
 * decoding.
 *
 * Unicode semantics: a character is a code point; \d \w are ASCII. Patterns are searched for, not
 * anchored. Lookaround and word boundaries become plain states (pattern_look.h), but for a
 * lookahead inside of a lookbehind: that, back-references, properties other than general categories,
 * and what ECMA-262 does not know are refused, never approximated. The validator has a matcher of its
 * own.
 */
#ifndef ENGINE_PATTERN_H
#define ENGINE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATTERN_NONE   UINT32_MAX
#define PATTERN_STATES 4096 /* of one automaton */
#define PATTERN_LOOKS  4    /* leading lookaheads of one pattern that are automata of their own */

struct pattern_range {
    uint32_t from, to;
};

struct pattern_set { /* ranges[first..first + n], sorted, disjoint */
    uint32_t first, n;
};

enum pattern_op {
    PATTERN_CHAR, PATTERN_SPLIT, PATTERN_BEGIN, PATTERN_FINISH, PATTERN_MATCH,
    PATTERN_LOOK, PATTERN_EDGE /* only between pattern.c and pattern_look.c */
};

/* CHAR: a character of `set`, then `out`; SPLIT: out and other; BEGIN, FINISH: out, at the text's
 * beginning or end only; MATCH stays matched whatever follows. */
struct pattern_state {
    uint8_t op, look; /* look: see pattern_look.h */
    uint32_t set, out, other;
};

/* Several automata share the arrays. The budget is for what takes more steps than the pattern is
 * long: properties, lookaround. */
struct pattern_pool {
    uint64_t *budget; /* borrowed; what is left */
    struct pattern_range *ranges;
    struct pattern_set *sets;
    struct pattern_state *states;
    uint32_t n_ranges, n_sets, n_states;
    uint32_t cap_ranges, cap_sets, cap_states;
};

/* Searches start anew at every character unless anchored. */
struct pattern_automaton {
    uint32_t start, first, end; /* states[first..end) */
    bool negated;
    bool anchored; /* only matches that begin where the text does count */
};

/* Holds when all its automata do, and the negated ones do not. */
struct pattern {
    struct pattern_automaton automata[1 + PATTERN_LOOKS];
    uint32_t n;
};

enum pattern_result { PATTERN_OK, PATTERN_SYNTAX, PATTERN_UNSUPPORTED, PATTERN_TOO_LARGE, PATTERN_MEMORY };

/* Adds the automata of a pattern (valid UTF-8) to the pool. *what: what is wrong or unsupported. */
enum pattern_result pattern_compile(struct pattern_pool *pool, const char *text, size_t len,
                                    struct pattern *pattern, const char **what);
/* The same for patterns that the whole text must match, as if between ^(?: and )$. */
enum pattern_result pattern_compile_whole(struct pattern_pool *pool, const char *text, size_t len,
                                          struct pattern *pattern, const char **what);
void pattern_pool_free(struct pattern_pool *pool);

#endif
