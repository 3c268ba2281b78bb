/* guess: what an answer is likely to say next, from what its request says.
 *
 * Arguments mostly copy from the user's words: a name, a number, a phrase in quotes. These are
 * guesses about bytes, made cheaply and meant to be verified: nothing depends on them but time. Pure functions
 * over one text: the request (tools, then messages), then the answer so far. Any thread.
 */
#ifndef ENGINE_GUESS_H
#define ENGINE_GUESS_H

#include "engine/place.h"

enum { GUESS_BYTES = 64, GUESS_PHRASE = 3 * GUESS_BYTES / 4 };

struct guess_text {
    const char *bytes;
    size_t n;
    struct place_span asked; /* the last that the user said */
    size_t answer;           /* where the answer begins */
};

/* What may follow, as far as one guess goes; out has room for GUESS_BYTES. Returns how many bytes, 0: no
 * idea. `place` is where the text ends, its offsets counted from text->answer. */
size_t guess_string(char *out, const struct guess_text *text, const struct place *place);
size_t guess_number(char *out, const struct guess_text *text, const struct place *place);
/* Is something left in the user's words that a further value could copy? */
bool guess_more(const struct guess_text *text, const struct place *place);
/* Outside of JSON: what followed the last time that the text read as it does at its end, for some words. */
size_t guess_copy(char *out, const struct guess_text *text);

#endif
