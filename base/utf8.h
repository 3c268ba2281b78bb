/* utf8: checking and walking UTF-8 (RFC 3629: no surrogates, no overlong forms). */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes one code point at bytes (n > 0 left). Returns the bytes it takes (1..4), or 0 if they are
 * not valid UTF-8. */
size_t utf8_decode(const char *bytes, size_t n, uint32_t *code_point);
/* Writes 1..4 bytes; returns how many. code_point must be a scalar value. */
size_t utf8_encode(uint32_t code_point, char out[4]);
/* Bytes of the longest valid prefix; n if all is valid. */
size_t utf8_valid_prefix(const char *bytes, size_t n);
/* How many bytes at the end of n bytes are the beginning of a sequence that is not complete yet (0..3). */
size_t utf8_incomplete_tail(const char *bytes, size_t n);

#endif
