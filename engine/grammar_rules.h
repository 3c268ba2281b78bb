/* grammar_rules: the inside of a grammar, for matchers. Internal to constrained decoding. */
#ifndef ENGINE_GRAMMAR_RULES_H
#define ENGINE_GRAMMAR_RULES_H

#include "engine/grammar.h"
#include "engine/mask_cache.h"
#include "engine/rules.h"

const struct rules *grammar_rules(const struct grammar *grammar);
struct mask_cache *grammar_masks(struct grammar *grammar);

#endif
