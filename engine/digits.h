/* digits: JSON numbers between bounds, as small automata over digits.
 *
 * A number cell is an automaton that writes -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? with a
 * sensible number of digits, and holds decimal bounds exactly: a state knows how
 * the digits so far compare with each bound's, and states from which no number
 * within the bounds can be completed are cut off. Numbers with an exponent are
 * written only where no bound but zero applies. Internal to constrained
 * decoding; immutable once built.
 */
#ifndef ENGINE_DIGITS_H
#define ENGINE_DIGITS_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/json.h"

#define DIGITS_SYMBOLS 14 /* 0..9 - . e + */
#define DIGITS_DEAD    UINT16_MAX

struct digits_state {
    uint16_t next[DIGITS_SYMBOLS]; /* relative to the automaton; DIGITS_DEAD */
    uint16_t distance;             /* bytes of the shortest completion; 0: may end here */
};

struct digits_facets {
    bool integer;
    bool fraction; /* an integer may also be written with .0 */
    bool low_strict, high_strict;
    const struct json *low, *high; /* numbers, or NULL */
    const struct json *step;       /* the number is a multiple of this one; or NULL */
};

struct digits_memo {
    bool integer, fraction, low_strict, high_strict;
    uint32_t low, low_len, high, high_len, step, step_len; /* spellings in `text` */
    uint32_t automaton;
};

struct digits {
    struct digits_state *states;
    uint32_t n, cap;
    uint32_t n_divided; /* states made for steps, against stalls; all steps share a limit */
    struct digits_memo *memos;
    uint32_t n_memos, cap_memos;
    char *text;
    uint32_t n_text, cap_text;
};

enum digits_result {
    DIGITS_OK,
    DIGITS_EMPTY,    /* no number satisfies */
    DIGITS_TOO_LONG, /* a bound */
    DIGITS_STEP,     /* the step has too many digits */
    DIGITS_MEMORY
};

/* Finds or builds the automaton; *automaton is its first state, where reading starts. */
enum digits_result digits_find(struct digits *digits, const struct digits_facets *facets,
                               uint32_t *automaton);
void digits_free(struct digits *digits);

/* The symbol of a byte, or -1. */
int digits_symbol(unsigned char byte);

#endif
