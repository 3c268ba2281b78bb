/* place: where in a JSON text its end is.
 *
 * Follows the bytes of an answer as far as guesses about what comes next need it: inside a string,
 * in a number, where a value begins. Not a parser: what is no JSON leads to some place or other,
 * and a guess that comes from there is wrong, no more. Copyable, any thread.
 */
#ifndef ENGINE_PLACE_H
#define ENGINE_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum place_kind {
    PLACE_OTHER,  /* before a member's name, or outside */
    PLACE_KEY,    /* inside of a member's name */
    PLACE_VALUE,  /* before a value */
    PLACE_STRING, /* inside of a string that is a value */
    PLACE_WORD,   /* in a number, true, false or null */
    PLACE_AFTER,  /* behind a value */
};

struct place_span { /* bytes of the text */
    size_t first, end;
};

struct place {
    enum place_kind kind;
    bool escaped;                   /* the next byte is */
    unsigned depth;                 /* of arrays and objects, 64 of which are told apart */
    uint64_t arrays;                /* bit i: level i is an array */
    size_t at;                      /* the end of what was read */
    size_t start;                   /* of the string or word here: its first byte */
    struct place_span string, word; /* the last ones that were complete values; empty: none */
};

/* Reads on: n bytes. */
void place_read(struct place *place, const char *bytes, size_t n);
bool place_in_array(const struct place *place);

#endif
