/* answer: from the generated text to calls and content, held against the schemas. */
#ifndef ENGINE_ANSWER_H
#define ENGINE_ANSWER_H

#include "engine/generation.h"

/* Fills g->result's calls and content from the finished output, and validates them. False and *error
 * (1014, 1007) if what was generated is not what the grammar should have allowed. */
bool answer_build(struct generation *g, struct error *error);

/* Has the output just completed a second call in a row that says exactly what an earlier one of this
 * answer says? Then the model has no more to call. (Such repetitions are none of the result's.) */
bool answer_repeats(const struct generation *g);

#endif
