/* text_mask: which tokens may come next in a grammar of text. Internal to constrained decoding.
 *
 * A walk over the token trie. What a shape does with the tokens that never return to its base is
 * found once and kept with the shape; the places in the trie where a token does return are kept
 * beside it, and walked from there with the real stack.
 */
#ifndef ENGINE_TEXT_MASK_H
#define ENGINE_TEXT_MASK_H

#include "engine/text_match.h"

struct inside;
void inside_free(struct inside *inside);

/* bits (overwritten): the tokens allowed; returns how many. */
uint32_t text_mask_fill(struct stacks *stacks, const struct cursor *cursor, const struct trie *trie,
                        uint64_t *bits);

#endif
