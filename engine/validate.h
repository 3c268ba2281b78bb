/* validate: does a JSON text satisfy a JSON Schema?
 *
 * The last gate before anything is sent. It shares nothing with the grammar
 * compiler but the JSON reader, so a bug there cannot hide here. Draft 2020-12
 * and draft-07 semantics; see validate.c for the keywords. A keyword it does not
 * know how to judge is an error at validator_new, never ignored (annotations and
 * unknown formats are no constraint).
 *
 * A validator is immutable after validator_new and may be used from any thread.
 */
#ifndef ENGINE_VALIDATE_H
#define ENGINE_VALIDATE_H

#include "engine/json.h"

struct validator;

enum validate_flags {
    VALIDATE_CLOSED = 1, /* objects that do not say additionalProperties reject members other than
                            those they (with allOf, anyOf, $ref) declare or require */
};

/* schema must outlive the validator. Errors: -32602 (malformed schema, with its path as JSON
 * pointer), 1004 (keyword cannot be judged, path + keyword + reason). */
struct validator *validator_new(const struct json *schema, unsigned flags, struct error *error);
void validator_free(struct validator *validator);

/* True if valid. Otherwise false, error->path (JSON pointer into the instance), ->keyword and
 * ->message say what was violated first (code ERROR_OUTPUT_INVALID). Work is bounded: a $ref loop
 * or an instance that costs more than a fixed number of steps is invalid with reason "too_complex". */
bool validator_check(const struct validator *validator, const struct json *instance,
                     struct error *error);

#endif
