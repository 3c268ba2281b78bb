/* guess: what an answer is likely to say next, from what its request says.
 *
 * Arguments mostly copy from the user's words: a name, a number, a phrase in quotes. These are
 * guesses about bytes, made cheaply and meant to be verified: nothing depends on them but time.
 * Pure functions over one text: the request (tools, then messages), then the answer so far. Any
 * thread.
 */
#ifndef ENGINE_GUESS_H
#define ENGINE_GUESS_H

#include "engine/place.h"

enum { GUESS_BYTES = 64, GUESS_PHRASE = 3 * GUESS_BYTES / 4 /* of it for what is copied */ };

struct guess_text {
    const char *bytes;
    size_t n;
    struct place_span asked; /* the last that the user said */
    size_t answer;           /* where the answer begins */
};

/* What a guessed byte rests on: how often such guesses come true differs a lot. */
enum guess_kind {
    GUESS_SURE,     /* follows from the byte before */
    GUESS_LETTER,   /* goes on within a word that is copied */
    GUESS_SPACE,    /* another word is copied */
    GUESS_CLOSE,    /* the string ends where the user's phrase does */
    GUESS_INVENTED, /* the string ends, and is no copy */
    GUESS_NAME,     /* a string begins with the next name */
    GUESS_NUMBER,   /* the next number */
    GUESS_DIGIT,    /* goes on in it */
    GUESS_WHOLE,    /* the number ends where the user's does */
    GUESS_COMMA,    /* another element or member */
    GUESS_END,      /* no other */
    GUESS_BEGIN,    /* this kind of value */
    GUESS_COPY,     /* free text goes on as before */
    GUESS_KINDS
};

struct guess {
    char bytes[GUESS_BYTES];
    unsigned char kind[GUESS_BYTES];
    size_t n;
};

static inline void guess_add(struct guess *guess, char byte, enum guess_kind kind) {
    if (guess->n == GUESS_BYTES) return;
    guess->kind[guess->n] = (unsigned char)kind;
    guess->bytes[guess->n++] = byte;
}

/* What may follow is appended; nothing if there is no idea. `place` is where the text ends, its
 * offsets counted from text->answer. */
void guess_string(struct guess *guess, const struct guess_text *text, const struct place *place);
void guess_number(struct guess *guess, const struct guess_text *text, const struct place *place);
/* Is something left in the user's words that a further value could copy? */
bool guess_more(const struct guess_text *text, const struct place *place);
/* Outside of JSON: what followed the last time that the text read as it does at its end, for some
 * words. */
void guess_copy(struct guess *guess, const struct guess_text *text);

#endif
