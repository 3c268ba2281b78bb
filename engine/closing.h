/* closing: can a match still be completed within a budget of tokens?
 *
 * The shortest completion is written out and cut into tokens. Where a long one is left (a string that
 * must have thousands of characters), doing so after every token would cost more than the tokens: but
 * then it mostly is the end of one that was cut before, and the tokens of that one, from there on, are
 * a way to write it. Belongs to one generation; zero-initialise.
 */
#ifndef ENGINE_CLOSING_H
#define ENGINE_CLOSING_H

#include "engine/matcher.h"
#include "engine/tokenizer.h"

struct closing { /* the last one that was cut, and fitted then */
    char *bytes;
    size_t len;
    struct tokens tokens;
};

/* Tokens of the shortest completion from the matcher's state, appended; SIZE_MAX if it can't be told. */
size_t closing_tokens(const struct vocab *vocab, struct matcher *matcher, struct tokens *tokens);
/* The first byte of the completion; NUL if there is none or it can't be told. */
char closing_first(struct matcher *matcher);
/* Are `left` tokens enough for it? */
bool closing_fits(struct closing *closing, const struct vocab *vocab, struct matcher *matcher,
                  size_t left);
/* Its tokens, at most `left`, where closing_fits said so of this state (tokens is empty). How many there
 * are; 0 where they are more. */
size_t closing_within(const struct closing *closing, const struct vocab *vocab,
                      struct matcher *matcher, size_t left, struct tokens *tokens);
void closing_free(struct closing *closing);

#endif
