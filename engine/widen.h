/* widen: a JSON Schema without the keywords that can't be honoured (on_unsupported "widen").
 *
 * The keyword that an error 1004 names is dropped at the smallest place where that only allows
 * more: not inside `not`, `if` or `contains`, which would then allow less, but with them; and a
 * oneOf around it becomes an anyOf, as its branches may overlap once they are wider. What a $ref
 * inside `not` leads to is not followed: the schema may then turn out unsatisfiable, which is
 * refused, or narrower than need be, which is no harm. Text in, text out; nothing else of the
 * schema changes.
 */
#ifndef ENGINE_WIDEN_H
#define ENGINE_WIDEN_H

#include "base/error.h"
#include "base/generation.h"

enum { WIDEN_WARNINGS = 128 }; /* of one request */

struct widen_list { /* free(of) */
    struct result_warning *of;
    size_t n;
    size_t work; /* bytes of all schemas tried */
};

/* Can the schema be honoured? Otherwise *error says why not; its path begins with `place`. */
typedef bool widen_try(void *user, struct text schema, struct error *error);

/* Tries the schema and drops what is refused until it is taken. *made is the widened text
 * (free(bytes)), or absent if the schema was taken as it is. Notes what was dropped; judged: the
 * validator still holds the output against it. False: *error is why it can't be honoured. */
bool widen_schema(struct text schema, struct text *made, const char *place, widen_try *try,
                  void *user, struct widen_list *list, bool judged, struct error *error);

#endif
