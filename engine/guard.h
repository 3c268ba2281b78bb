/* guard: what no automaton holds, decided where a value closes. Internal to constrained decoding.
 *
 * A guard is a subschema that the text of a value must satisfy, or must not: the byte that would
 * close the value is only allowed if it does. The validator judges, on its own copy of the schema's
 * text. Until then the automaton generates a superset, so that a value may come to a dead end: whoever
 * generates has to be able to go back. Added while schemas are compiled, then immutable.
 */
#ifndef ENGINE_GUARD_H
#define ENGINE_GUARD_H

#include "engine/validate.h"

struct guard {
    uint32_t judge;  /* whose schema */
    uint32_t at;     /* where it stands in the text */
    uint32_t schema; /* the validator's number, once the judge is made */
    bool negated;    /* must not hold */
    bool open;       /* by the schema's own word, also where objects are closed */
};

struct guard_judge {
    char *text;
    struct json_doc *doc;
    struct validator *validator;
};

struct guards {
    struct guard_judge *judges;
    struct guard *list;
    uint32_t n_judges, cap_judges, n, cap;
};

void guards_free(struct guards *guards);
size_t guards_bytes(const struct guards *guards); /* what they hold */
/* The guard of a subschema that stands `at` bytes into a schema text whose judge is made later; *judge
 * is set if it is VALIDATE_NONE. An equal one is found again. False without memory. */
bool guards_add(struct guards *guards, uint32_t *judge, uint32_t at, bool negated, bool open,
                uint32_t *guard);
/* Makes the judge, once; no guards are added to it after. closed: as for tools. Errors are those of
 * validator_new. */
bool guards_make_judge(struct guards *guards, uint32_t judge, const char *text, size_t len,
                       bool closed, struct error *error);
/* Do all of these guards allow the value, given as its text? Takes its work from *budget; without
 * any left nothing is allowed. */
bool guards_allow(const struct guards *guards, const uint32_t *list, uint32_t n, const char *text,
                  size_t len, uint64_t *budget);
/* Does the guard's subschema hold for the value? False also when that can't be told. */
bool guards_hold(const struct guards *guards, uint32_t guard, bool *told, const char *text, size_t len,
                 uint64_t *budget);

/* A hash in which values agree if JSON Schema says they are the same: numbers by value, members in
 * any order. False if the text is no JSON, or *budget is spent. */
bool guard_value_hash(const char *text, size_t len, uint64_t *hash, uint64_t *budget);
uint64_t guard_json_hash(const struct json *value);

#endif
