/* answer: from the generated text to calls and content, held against the schemas. */
#ifndef ENGINE_ANSWER_H
#define ENGINE_ANSWER_H

#include "engine/generation.h"

/* Fills g->result's calls and content from the finished output, and validates them. False and *error
 * (1014, 1007) if what was generated is not what the grammar should have allowed. */
bool answer_build(struct generation *g, struct error *error);

#endif
