/* schema: JSON Schema, compiled to rules. Internal to constrained decoding.
 *
 * The unit is the part: one subschema of the document, its keywords found once.
 * What a place of the instance must satisfy is a conjunction of parts (a set), and
 * a conjunction is compiled to a node: its disjunctions (anyOf, oneOf) are
 * multiplied out into bundles of parts without alternatives, and a bundle gives
 * one cell for each JSON type. Members and items of a bundle are conjunctions
 * again, found by set equality, so that recursion ends. Whatever can't be
 * honoured exactly is refused by path and keyword.
 *
 * Files: schema.c (conjunctions, entry point), schema_duty.c (what must turn out empty), schema_text.c
 * (choices between strings as one automaton), schema_part.c (keywords), schema_ref.c and
 * schema_resource.c (where $ref leads), schema_check.c (well-formedness), schema_bundle.c (disjunctions), schema_overlap.c (are
 * branches disjoint), schema_logic.c and schema_made.c (`not`, `if` and dependencies as
 * alternatives), schema_instance.c (values against parts), schema_cell.c, schema_string.c,
 * schema_array.c, schema_object.c, schema_keys.c and schema_closed.c (cells).
 */
#ifndef ENGINE_SCHEMA_H
#define ENGINE_SCHEMA_H

#include "base/buf.h"
#include "engine/rules.h"

struct schema_options {
    bool closed;          /* objects without additionalProperties have no further members */
    bool canonical;       /* members come in schema order, integers without a fraction; else declared
                             members in any order, integers also as 1.0 */
    bool object;          /* the value must be an object */
    unsigned depth;       /* of nested subschemas */
    const char *place;    /* prefix of error paths, e.g. "tools[3].parameters"; may be "" */
};

/* Compiles text (NULL: a schema with nothing but an object without members; borrowed until the schema
 * is freed) and appends its nodes to rules. On failure rules may hold half of it. Not measured yet:
 * the caller runs rules_measure over everything, then schema_settle. */
struct schema;
struct schema *schema_compile(const char *text, size_t len, const struct schema_options *options,
                              struct rules *rules, struct error *error);
/* After rules_measure: is the root satisfiable, are the branches of every oneOf disjoint? AGAIN: where
 * they were not it was compiled anew, now with their negation; measure and settle once more. That
 * ends. FAILED: error is set. */
enum schema_outcome { SCHEMA_SETTLED, SCHEMA_AGAIN, SCHEMA_FAILED };
enum schema_outcome schema_settle(struct schema *schema, struct error *error);
/* The node of the whole; only once it is settled. */
uint32_t schema_root(const struct schema *schema);
void schema_free(struct schema *schema);

#endif
