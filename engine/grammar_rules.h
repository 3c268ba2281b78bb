/* grammar_rules: the inside of a grammar, for matchers. Internal to constrained decoding. */
#ifndef ENGINE_GRAMMAR_RULES_H
#define ENGINE_GRAMMAR_RULES_H

#include "engine/grammar.h"
#include "engine/mask_cache.h"
#include "engine/rules.h"
#include "engine/text_match.h"

const struct rules *grammar_rules(const struct grammar *grammar);
/* A grammar of text has no rules; NULL for the others. */
struct text_grammar *grammar_text(const struct grammar *grammar);
struct mask_cache *grammar_masks(struct grammar *grammar);

#endif
