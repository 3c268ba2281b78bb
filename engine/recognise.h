/* recognise: is a text of a grammar? Internal to text_check.
 *
 * Memoised descent over the tree: a part of the grammar is read at a position once, whoever asks;
 * all its ends are found, and everyone who waits for it goes on from each. Cubic at worst, linear
 * for ordinary grammars; the work is bounded.
 */
#ifndef ENGINE_RECOGNISE_H
#define ENGINE_RECOGNISE_H

#include "engine/gbnf.h"
#include "engine/text_check.h"

enum text_verdict recognise(const struct gbnf *gbnf, const char *text, size_t len);

#endif
