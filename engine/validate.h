/* validate: does a JSON text satisfy a JSON Schema?
 *
 * The last gate before anything is sent. It shares nothing with the grammar
 * compiler but the JSON reader, so a bug there cannot hide here. The rules are
 * those of the draft that $schema names (draft-04 to 2020-12), else 2020-12, in
 * which older spellings with one possible meaning still count: `items` as an
 * array with `additionalItems`, `dependencies`, a boolean `exclusiveMinimum`. The
 * keywords are listed in validate_keywords.c. A keyword it does not know how to
 * judge is an error at validator_new, never ignored (annotations and unknown
 * formats are no constraint) - unless it stands in a definition that nothing
 * refers to. contentEncoding (base16, base32, base64) and contentMediaType
 * (application/json) are constraints in draft-07, and where no $schema says
 * otherwise; in later drafts they are annotations.
 *
 * A validator is immutable after validator_new and may be used from any thread.
 */
#ifndef ENGINE_VALIDATE_H
#define ENGINE_VALIDATE_H

#include "engine/json.h"

struct validator;

enum validate_flags {
    VALIDATE_CLOSED =
        1,                /* Objects that do not say additionalProperties reject members other than
                             those they (with allOf, anyOf, oneOf, $ref, then, else, dependent schemas)
                             declare or require. Only narrows: what is valid so is valid without. Not
                             closed are schemas without any object keyword, such as {}, those with
                             enum or const, and where an alternative allows further members. */
    VALIDATE_FORMATS = 2, /* date-time, time, date, duration, email, hostname, ipv4, ipv6, uuid and
                             uri are constraints, not annotations */
    VALIDATE_MORE_FORMATS = 4, /* so are uri-reference, iri, iri-reference, idn-email, json-pointer,
                                  relative-json-pointer, uri-template and regex */
    VALIDATE_ALL_FORMATS = VALIDATE_FORMATS | VALIDATE_MORE_FORMATS, /* as the grammar writes them */
};

/* schema must outlive the validator. Errors: -32602 (malformed schema, with its path as JSON
 * pointer), 1004 (keyword cannot be judged, path + keyword + reason), 1007. */
struct validator *validator_new(const struct json *schema, unsigned flags, struct error *error);
void validator_free(struct validator *validator);
size_t validator_bytes(const struct validator *validator); /* what it holds, but for the schema */

/* True if valid. Otherwise false, error->path (JSON pointer into the instance; of a required
 * member, where it should be), ->keyword and ->message say what was violated first (code
 * ERROR_OUTPUT_INVALID). Work is bounded: a $ref loop or an instance that costs more than a fixed
 * number of steps is invalid with reason "too_complex". */
bool validator_check(const struct validator *validator, const struct json *instance,
                     struct error *error);

/* A subschema by itself: by where its text begins (in the text that the schema was parsed from), as a
 * number, VALIDATE_NONE if no subschema stands there. */
#define VALIDATE_NONE UINT32_MAX
uint32_t validator_find(const struct validator *validator, const char *raw);

enum validate_answer { VALIDATE_FAILS, VALIDATE_HOLDS, VALIDATE_UNTOLD /* too complex */ };

/* Does the subschema hold for the instance, applied in place? open: by its own word, whatever
 * VALIDATE_CLOSED says. *steps: the work allowed; lowered by what was used. */
enum validate_answer validator_ask(const struct validator *validator, uint32_t subschema,
                                   const struct json *instance, bool open, uint64_t *steps);

#endif
