/* unicode: what pre-tokenizers ask of a code point.
 *
 * Properties come from a generated table (tools/gen-unicode). Pure functions.
 */
#ifndef ENGINE_UNICODE_H
#define ENGINE_UNICODE_H

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

struct unicode_char {
    uint32_t code;
    uint8_t len;   /* bytes it takes; 0 past the end */
    uint8_t flags; /* enum unicode_flags; 0 past the end */
};

/* The code point at the start of n bytes. A byte that is not valid UTF-8 counts as one U+FFFD. */
struct unicode_char unicode_at(const char *bytes, size_t n);
uint8_t unicode_flags(uint32_t code);

#endif
