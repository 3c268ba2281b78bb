/* text_check: does a text match a regular expression, or belong to a grammar in GBNF?
 *
 * The last gate for response_format regex and gbnf. It shares nothing with what generates (network,
 * stacks) but the reader of the grammar's notation: expressions are judged by engine/regex.h,
 * grammars by a recogniser that works on the tree. Immutable; any thread may judge.
 */
#ifndef ENGINE_TEXT_CHECK_H
#define ENGINE_TEXT_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct text_check;

enum text_verdict { TEXT_NO, TEXT_YES, TEXT_TOO_COMPLEX /* or no memory */ };

/* The text as a whole must match. Nothing of the arguments is kept. Errors with the path `path`. */
struct text_check *text_check_regex(const char *pattern, size_t len, const char *path,
                                    struct error *error);
struct text_check *text_check_gbnf(const char *grammar, size_t len, const char *path,
                                   struct error *error);
void text_check_free(struct text_check *check);
size_t text_check_bytes(const struct text_check *check); /* what it holds */

enum text_verdict text_check_run(const struct text_check *check, const char *text, size_t len);

#endif
