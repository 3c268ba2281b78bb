/* schema_text: what subschemas say of a string, as a formula over patterns. Internal to schema*.c.
 *
 * Keywords that look at a string are patterns, or can be written as such: formats, enumerated
 * strings, lengths. What combines subschemas (allOf, anyOf, oneOf, not, if, $ref) combines them. One
 * automaton with a label per pattern then serves all of it, exactly, where the formula decides which
 * labels are wanted.
 */
#ifndef ENGINE_SCHEMA_TEXT_H
#define ENGINE_SCHEMA_TEXT_H

#include "engine/schema_part.h"

enum { TEXT_CODE = 256, TEXT_LITERALS = 1024 /* bytes of enumerated strings */ };

struct schema_text {
    struct schema_sources sources; /* bit i of a label: the i-th holds */
    struct language_length lengths[LANGUAGE_PATTERNS]; /* of a source that is one; else both are 0 */
    uint32_t literal;        /* bits of sources that are lists of values */
    uint32_t n_literals, most_literals; /* bytes of those */
    uint8_t code[TEXT_CODE]; /* the formula in postfix */
    uint32_t n;
    bool beyond; /* it can't be written so */
    bool worth;  /* multiplied out there would be several automata, or guards */
};

/* What can be said with some sources known to hold, or not to, and the others unknown. */
enum schema_verdict schema_text_judge(const struct schema_text *text, uint32_t holds, uint32_t fails);
/* Adds that all terms of a conjunction hold, for a string. False after an error; that it can't be
 * written so is none. */
bool schema_text_add(struct schema *schema, struct schema_text *text, const uint32_t *terms,
                     uint32_t n);
/* Makes one of the last n that were added: all hold. */
void schema_text_join(struct schema_text *text, uint32_t n);
/* Takes the lengths that all strings have out of the formula. */
void schema_text_hoist(struct schema_text *text, struct language_length *length);
/* The cell of all strings of a conjunction, whose bundle was not multiplied out yet, if there is a
 * choice between them and one automaton of bearable size for it: then *made. */
bool schema_text_cell(struct schema *schema, const struct bundle *bundle, const uint32_t *terms,
                      uint32_t n, struct alternatives *out, bool *made);

#endif
