/* pattern_look: automata that look around, as ones that do not. Internal to constrained decoding.
 *
 * Lookahead, lookbehind and word boundaries are regular: what a text must still hold, what it held
 * and the last character are a finite state. A program with such conditions is followed over all
 * texts at once, as language.c follows plain patterns, and what comes of it is a deterministic
 * automaton, made as small as can be, which is written into the pool as plain states: whatever
 * reads patterns knows nothing of this. Within fixed limits; beyond them the pattern is too large.
 *
 * A state of it is a set of ways. A way is a set of the program's states that all have to hold for
 * the rest of the text: those of a lookahead that is negated (or of one that is not, inside such)
 * must not come to a match, the others must. The text matches if one way holds. Lookbehinds
 * run along from the beginning of the text; where one is asked for, the answer is known.
 */
#ifndef ENGINE_PATTERN_LOOK_H
#define ENGINE_PATTERN_LOOK_H

#include "engine/pattern.h"

#define LOOK_LOOKS 24 /* of one program */

/* The states of a look are of its number + 1, those outside of all of number 0. Those inside of
 * others have higher numbers. */
struct look {
    uint32_t start;
    bool behind, negated;
    bool inverse; /* its states must not come to a match */
};

struct look_program {
    struct pattern_state
        *states; /* with PATTERN_LOOK (set: which) and PATTERN_EDGE (set: 1 if \B) */
    uint32_t n_states, start;
    bool anchored;
    struct look looks[LOOK_LOOKS];
    uint32_t n_looks;
};

/* Adds what the program stands for to the pool, whose sets it uses. */
enum pattern_result look_lower(struct pattern_pool *pool, const struct look_program *program,
                               struct pattern_automaton *automaton);

/* ---- between pattern_look.c, pattern_look_step.c and pattern_look_write.c ---- */

#define LOOK_STATES 1024 /* of a program */
#define LOOK_WAYS   96   /* of a state */
#define LOOK_MADE   2048 /* states made */
#define LOOK_END    UINT32_MAX

struct look_ways { /* n sets of states, from arena[at] on; none holds another */
    uint32_t at, n;
};

/* Characters that the program does not tell apart. */
struct look_classes {
    uint32_t *bounds; /* bounds[i] .. bounds[i + 1] - 1 are of class of[i] */
    uint8_t *of;
    uint32_t n_bounds, n, words; /* words: of a row of bits by class */
    uint64_t *member;            /* [set * words]: does the set hold the class? */
    bool word[256];              /* \w, of a class */
};

enum look_flags { LOOK_BEGIN = 1, LOOK_AFTER_WORD = 2 };

/* Where a text may be. */
struct look_state {
    uint32_t at, n; /* made[at]: the lookbehinds' states, then the n ways */
    uint8_t flags;
    bool accepts;
};

struct look_visit {
    uint32_t state, looks; /* the lookaheads passed on the way */
    uint32_t older;        /* of the same state */
};

struct look_build {
    const struct look_program *program;
    struct pattern_pool *pool;
    struct look_classes classes;
    uint32_t words; /* of a set of states */
    bool edges;     /* are there word boundaries? */

    /* one step: from a state over a character of a class, or the text's end */
    uint64_t *arena;
    uint32_t top, round, class;
    bool begin, before, after;
    bool holds[LOOK_LOOKS]; /* lookbehinds */
    struct look_ways *memo; /* by state, if memo_round[state] == round */
    uint32_t *memo_round;
    struct look_visit *visits;
    uint32_t n_visits, walk, *newest, *newest_walk;
    struct look_ways *parts;
    uint64_t *single, *base;

    struct look_state *states;
    uint32_t n_states, cap_states;
    uint64_t *made;
    uint32_t n_made, cap_made;
    uint32_t *table, table_cap;
    uint16_t *next; /* [state * classes + class] */
    uint32_t cap_next;

    uint64_t work, budget;
    enum pattern_result result;
};

enum { LOOK_VISITS = 4096, LOOK_ARENA = 1 << 17 };

/* The ways after a character of the class (LOOK_END: after the text), on the arena; *behind: the
 * states of the lookbehinds then. Nothing is left: n is 0. */
struct look_ways look_step(struct look_build *b, const struct look_state *from, uint32_t class,
                           uint64_t *behind);
/* The automaton in the pool. */
void look_write(struct look_build *b, struct pattern_automaton *automaton);

#endif
