/* regex: ECMA-262 patterns for the validator, matched in linear time.
 *
 * Unicode semantics (a character is a code point; \d \w \b are ASCII), no flags.
 * Lookahead and lookbehind are judged; back-references, properties other than general
 * categories, and what ECMA-262 does not know ((?i), \Z, …) are refused, never
 * approximated. A pattern becomes a nondeterministic automaton that is run over all
 * alternatives at once, so no pattern backtracks: the work is at most states times
 * characters, and counted.
 *
 * A regex is immutable; any thread may search with it. Only the validator uses
 * this: the grammar compiler has automata of its own.
 */
#ifndef ENGINE_REGEX_H
#define ENGINE_REGEX_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct regex;

enum regex_verdict { REGEX_NO, REGEX_YES, REGEX_TOO_COMPLEX };

/* pattern is UTF-8, not kept. Errors: -32602 for a syntax error, 1004 (with reason) for what cannot
 * be judged, also when it needs more than max_states states. */
struct regex *regex_new(const char *pattern, size_t len, size_t max_states, struct error *error);
void regex_free(struct regex *regex);
size_t regex_states(const struct regex *regex);
size_t regex_bytes(const struct regex *regex); /* what it holds */

/* Does the pattern match anywhere in text (valid UTF-8)? Takes the steps it needs from *steps_left;
 * too complex when they do not suffice (or memory does not). */
enum regex_verdict regex_search(const struct regex *regex, const char *text, size_t len,
                                uint64_t *steps_left);

#endif
