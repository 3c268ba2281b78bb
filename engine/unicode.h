/* unicode: what pre-tokenizers and patterns ask of a code point.
 *
 * General categories come from a generated table (tools/gen-unicode). Pure functions.
 */
#ifndef ENGINE_UNICODE_H
#define ENGINE_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum unicode_flags {
    UNICODE_LETTER = 1,      /* \p{L} */
    UNICODE_NUMBER = 2,      /* \p{N} */
    UNICODE_PUNCTUATION = 4, /* \p{P} */
    UNICODE_SYMBOL = 8,      /* \p{S} */
    UNICODE_MARK = 16,       /* \p{M} */
    UNICODE_SPACE = 32,      /* White_Space, \s */
    UNICODE_UPPER = 64,      /* \p{Lu} or \p{Lt} */
    UNICODE_LOWER = 128,     /* \p{Ll} */
};

/* General categories, by the names in unicode.c; sets of them are bits 1 << category. */
enum { UNICODE_CATEGORIES = 30 };
#define UNICODE_ANY ((1u << UNICODE_CATEGORIES) - 1)

struct unicode_char {
    uint32_t code;
    uint8_t len;   /* bytes it takes; 0 past the end */
    uint8_t flags; /* enum unicode_flags; 0 past the end */
};

/* A walk over all code points, by runs of one category: begin with zeros. */
struct unicode_walk {
    uint32_t from, to; /* the run */
    uint8_t category;
    uint32_t end, at; /* of the table's own run; where the next one lies */
};

/* The code point at the start of n bytes. A byte that is not valid UTF-8 counts as one U+FFFD. */
struct unicode_char unicode_at(const char *bytes, size_t n);
uint8_t unicode_flags(uint32_t code);
uint8_t unicode_category(uint32_t code);

/* The next run; two that follow each other may be of one category. False after the last. */
bool unicode_walk_next(struct unicode_walk *walk);

/* The categories that ECMA-262 means by the name in \p{…}: those of General_Category, short or long,
 * alone or behind General_Category= or gc=; Any and Assigned. 0: none of these. */
uint32_t unicode_categories(const char *name, size_t len);

#endif
