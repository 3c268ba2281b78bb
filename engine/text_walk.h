/* text_walk: a walk over the token trie from one point of a text. Internal to constrained decoding.
 *
 * What the walk meets are its states: moments, the same one where the same may follow within a
 * token. Each has a row of where characters lead, filled as they occur, so that most of the trie is
 * walked by table. What lies below a node is not looked at where a state takes all kinds of bytes
 * found there (text_open.c).
 *
 * The cost is counted in units of about a nanosecond, as it would be were nothing known: it depends
 * on the text, the grammar and the vocabulary alone. A walk that comes to its limit stops.
 *
 * While a walk is open nothing is dropped from the stacks.
 */
#ifndef ENGINE_TEXT_WALK_H
#define ENGINE_TEXT_WALK_H

#include "engine/stacks.h"
#include "engine/trie_nodes.h"

enum {
    WALK_STATES = 1 << 15, /* at most */
    WALK_OPEN = 8          /* kinds of bytes that loop, found in one walk */
};

/* Where a character leads, besides states. */
#define WALK_UNKNOWN 0xFFFFu
#define WALK_DEAD    0xFFFEu
#define WALK_LEAVES  0xFFFDu /* below the hole */
#define WALK_SPECIAL 0xFFFDu

struct walk_state {
    struct moment at;
    uint64_t key;  /* stacks_near */
    uint16_t last; /* the class found last */
    bool looked;   /* at what loops */
};

struct walk_loop { /* of a state */
    uint32_t
        closed;   /* kinds and parts of TRIE_FINE but those of which `far` characters may follow */
    uint32_t far; /* WALK_FAR: any number */
};
#define WALK_FAR TRIE_MAX_DEPTH

struct text_walk {
    struct stacks *stacks;
    const struct trie *trie;
    uint64_t *bits; /* one word more than a mask */
    struct walk_state *states;
    struct walk_loop *loops; /* by state */
    uint16_t *next;          /* [state * n_classes + class] */
    uint16_t *slots;         /* states by key, plus one */
    uint32_t n_states, cap_states, cap_loops, cap_next, cap_slots, n_classes;
    uint32_t units, limit, looked; /* looked: units that text_open took */
    uint32_t dearest;              /* units that a step took */
    bool found;                    /* a token, by text_walk_short */
    bool aligned;                  /* the walk began between two characters */
    bool small;                    /* the trie */
    bool clearing;  /* bits began with all text that holds no byte of the kinds `unset`: */
    uint32_t unset; /* of it what is refused is cleared */
    void (*leave)(struct text_walk *walk, uint32_t node, uint32_t state, uint32_t place);
    void *user;
    uint16_t start[256]; /* where bytes lead from ALPHABET_START */
    struct walk_level {
        uint16_t state, place;
        uint32_t kinds;       /* of the bytes that led here */
    } at[TRIE_MAX_DEPTH + 1]; /* by depth */
};

static inline bool text_walk_is_over(const struct text_walk *walk) {
    return walk->units > walk->limit;
}

/* bits: borrowed. False without memory. */
bool text_walk_open(struct text_walk *walk, struct stacks *stacks, const struct trie *trie,
                    uint64_t *bits);
void text_walk_close(struct text_walk *walk);

/* The state of a moment; WALK_DEAD when there are too many. */
uint32_t text_walk_state(struct text_walk *walk, struct moment at);
/* How many nodes of the trie loop from a state, if they are many; else 0. */
uint32_t text_walk_looping(struct text_walk *walk, uint32_t state);
/* Where a character leads. */
uint32_t text_walk_step(struct text_walk *walk, uint32_t state, uint32_t class);
/* Sets the tokens of the whole trie that may follow. */
void text_walk_all(struct text_walk *walk, uint32_t state, uint32_t place);
/* Those of one subtree, from the level above it. */
void text_walk_below(struct text_walk *walk, uint32_t node, uint32_t state, uint32_t place);
/* Short tokens first, as many as the limit allows; all of one byte. */
void text_walk_short(struct text_walk *walk, uint32_t state, uint32_t place);

/* ---- text_open.c ---- */
/* Finds which kinds of bytes loop from a state. */
void text_open_find(struct text_walk *walk, uint32_t state);

#endif
