/* decimal: arithmetic on JSON number spellings, exact and of bounded cost.
 *
 * A number stays the bytes that spell it (RFC 8259 grammar; not checked again
 * here). Nothing is converted to binary floating point and nothing is
 * allocated: 1e999999999999999999999 costs as much as its spelling is long.
 */
#ifndef ENGINE_DECIMAL_H
#define ENGINE_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>

/* A divisor may have this many significant digits (trailing zeros do not count). */
#define DECIMAL_DIVISOR_DIGITS 37

/* -1, 0 or 1: which of the two values is larger. */
int decimal_compare(const char *a, size_t a_len, const char *b, size_t b_len);
/* -1, 0 or 1: the value's sign; -0 is 0. */
int decimal_sign(const char *text, size_t len);
bool decimal_is_integer(const char *text, size_t len);
/* Significant digits, without leading and trailing zeros; 0 for zero. */
size_t decimal_digits(const char *text, size_t len);
/* Is the value a whole multiple of the divisor, which is > 0 and has at most
 * DECIMAL_DIVISOR_DIGITS significant digits? */
bool decimal_is_multiple(const char *text, size_t len, const char *divisor, size_t divisor_len);
/* The least common multiple of two values > 0, spelled into out without an exponent. Returns its length;
 * 0: it is too large, or they have too many digits. */
enum { DECIMAL_COMMON = 48 };
size_t decimal_common_multiple(const char *a, size_t a_len, const char *b, size_t b_len,
                               char out[DECIMAL_COMMON]);

#endif
