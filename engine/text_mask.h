/* text_mask: which tokens may come next in a grammar of text. Internal to constrained decoding.
 *
 * A walk over the token trie. What a shape does with the tokens that never return to its base is
 * found once and kept with the shape; the places in the trie where a token does return are kept
 * beside it, and walked from there with the real stack.
 *
 * A grammar can be such that every token leads elsewhere. The cost is therefore limited, in units
 * that depend on the grammar, the text and the vocabulary only (text_walk.h), so that every mask
 * takes less than a millisecond. Beyond the limit the mask holds the shorter tokens: all of one
 * byte, then as many longer ones as are found. Every text can be spelled in those of one byte, so
 * no point becomes a dead end, and what is chosen is right as ever. A token that was left out can
 * still be chosen by its logit (decode.c asks first whether the best one is allowed, which needs no
 * mask) and drafted, since drafts are judged by the same choice; nor does closing or forced text
 * ask for masks of what it appends. All of this is decided by the text alone, so equal requests
 * have equal answers.
 */
#ifndef ENGINE_TEXT_MASK_H
#define ENGINE_TEXT_MASK_H

#include "engine/text_match.h"

struct inside;
void inside_free(struct inside *inside);

#define TEXT_MASK_UNITS 1200000 /* no mask takes more: both limits, and a step beyond each */

struct text_mask_cost {
    uint32_t units; /* those of text_walk.h */
    bool whole;     /* no token was left out */
};

/* bits (overwritten): the tokens allowed; returns how many. */
uint32_t text_mask_fill(struct stacks *stacks, const struct cursor *cursor, const struct trie *trie,
                        uint64_t *bits, struct text_mask_cost *cost);

#endif
