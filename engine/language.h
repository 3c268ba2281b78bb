/* language: sets of strings as deterministic automata over characters. Internal to constrained
 * decoding.
 *
 * Built at once from patterns, within fixed limits, by the subset construction.
 * Every state knows which patterns hold if the string ends there, so one automaton
 * serves a conjunction, a complement, or the sorting of keys by
 * patternProperties. language_finish decides which combinations are wanted and
 * measures the way to them; states that lead to none are dead. Immutable after.
 */
#ifndef ENGINE_LANGUAGE_H
#define ENGINE_LANGUAGE_H

#include "engine/pattern.h"

#define LANGUAGE_DEAD     UINT16_MAX
#define LANGUAGE_STATES   8192
#define LANGUAGE_PATTERNS 32
#define LANGUAGE_INFINITE UINT32_MAX

struct language_length { /* code points; max may be LANGUAGE_INFINITE */
    uint32_t min, max;
};

struct language {
    uint8_t ascii[128];   /* class of a character; LANGUAGE_NO_CLASS */
    uint32_t *bounds;     /* bounds[i] .. bounds[i + 1] - 1 are of class classes[i] */
    uint8_t *classes;
    uint8_t *cost;        /* bytes of a class's shortest character in JSON */
    uint8_t cheapest;     /* the least of those that occur */
    uint32_t n_bounds, n_classes, n_states;
    uint16_t *next;       /* [state * n_classes + class] */
    uint32_t *labels;     /* bit i: pattern i holds if the string ends here */
    uint32_t *distance;   /* bytes to a wanted end */
    uint32_t *least, *most; /* characters to one; most may be LANGUAGE_INFINITE */
    bool *wanted;
    uint16_t *words;      /* how many wanted strings may follow, spelled without \\u; at least, and
                             LANGUAGE_PLENTY where there are more or no end of them */
    bool plenty;          /* there are from every state */
    uint8_t lead[64];     /* the class of all characters that begin with byte 0xC0 + i in UTF-8;
                             LANGUAGE_NO_CLASS: they differ */
    uint8_t *open;        /* any text of so many plain characters may follow; LANGUAGE_OPEN: of any
                             length. Characters beyond ASCII are plain, too, but for U+2000 to
                             U+2FFF; the states reached are ones of LANGUAGE_PLENTY */
    uint32_t gap;         /* bytes by which a string may have to be longer than its least length: some
                             lengths can't be reached from some states. Only set where that is used */
    uint32_t most_least, least_most; /* the greatest of `least`, the smallest of `most` */
};

#define LANGUAGE_PLENTY UINT16_MAX
#define LANGUAGE_OPEN   UINT8_MAX

#define LANGUAGE_NO_CLASS 255 /* what no string may hold: NUL, surrogates */

/* What is known of the strings that will be wanted, as bits by pattern: states that lead to no such
 * string need not be made, and those from which all are wanted need not be told apart. */
struct language_outlook {
    uint32_t needed;  /* these hold */
    uint32_t refused; /* these don't */
    /* NULL, or: -1 if no string is wanted of which these patterns hold and those don't, whatever the
     * others do; 1 if all are. Takes `cost` steps. */
    int (*judge)(uint32_t holds, uint32_t fails, const void *user);
    const void *user;
    uint32_t cost;
};

/* The product of n patterns over one pool, and of a length if it is not NULL (the length is then
 * part of every state, and strings outside are never wanted). Takes its steps from *budget; too
 * large when they do not suffice. */
enum pattern_result language_build(struct language *language, const struct pattern_pool *pool,
                                   const struct pattern *patterns, uint32_t n,
                                   const struct language_length *length,
                                   const struct language_outlook *outlook, uint64_t *budget);
/* wanted(label): may a string end with these patterns holding? False without memory. */
bool language_finish(struct language *language, bool (*wanted)(uint32_t label, const void *user),
                     const void *user);
void language_free(struct language *language);
size_t language_bytes(const struct language *language); /* what it holds */

/* Can strings of every length between the shortest and the longest be completed from every state?
 * Then counting characters beside the automaton is exact. */
bool language_gapless(const struct language *language);
/* The next state, LANGUAGE_DEAD if the character is not allowed. */
uint16_t language_step(const struct language *language, uint16_t state, uint32_t character);
/* May a character of [from, to] come next, with min to max characters in all after it? */
bool language_viable(const struct language *language, uint16_t state, uint32_t from, uint32_t to,
                     const struct language_length *after);
/* Bytes in JSON of the rest of a string in this state that has min to max more characters (where
 * characters of several lengths have to be mixed, about); LANGUAGE_INFINITE if there is none. */
uint32_t language_rest(const struct language *language, uint16_t state,
                       const struct language_length *length);
/* The first character after which, itself counted, the least language_rest is left, `after`
 * counted from behind it; 0: none. */
uint32_t language_cheapest(const struct language *language, uint16_t state,
                           const struct language_length *after);
/* The label of a string, LANGUAGE_INFINITE if no pattern can come to say anything of it. */
uint32_t language_label(const struct language *language, const char *text, uint32_t len);
/* ---- language_open.c ---- */
/* Fills `open` and the two extremes, the last step of language_finish. False without memory. */
bool language_find_open(struct language *language);
/* Adds the classes of [from, to] to the n in the list, without repetitions. Returns how many there
 * are then, at most cap. */
uint32_t language_classes(const struct language *language, uint32_t from, uint32_t to,
                          uint8_t *classes, uint32_t n, uint32_t cap);
/* Does a plain ASCII character stand for itself in JSON? */
static inline bool language_is_plain(unsigned character) {
    return character >= 0x20 && character < 0x7F && character != '"' && character != '\\';
}
/* May a key that has to differ from others be spelled with it? As it is or by a short escape. */
static inline bool language_is_spelled(uint32_t character) {
    return language_is_plain(character) || character >= 0x80 || character == '"' ||
           character == '\\' || (character >= 0x08 && character <= 0x0D && character != 0x0B);
}

/* Before language_finish: how many strings are there that are wanted so? Counts those spelled without \u;
 * LANGUAGE_PLENTY: so many or more, or no end of them. 0 without memory. */
uint32_t language_count(const struct language *language,
                        bool (*wanted)(uint32_t label, const void *user), const void *user);

#endif
