/* pattern: the one shape of regular expression that the method files use.
 *
 * "^[CLASS]{MIN,MAX}$", CLASS of characters and ranges of ASCII, a "-" last. It
 * needs no compiling and no memory.
 */
#ifndef PROTO_PATTERN_H
#define PROTO_PATTERN_H

#include <stdbool.h>

#include "base/generation.h"

/* Is it of that shape? For tests: pattern_match finds no match for any other. */
bool pattern_known(const char *pattern);
bool pattern_match(const char *pattern, struct text text);

#endif
