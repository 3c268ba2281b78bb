/* network: a grammar of text as a recursive transition network. Internal to constrained decoding.
 *
 * States take characters (by class of the alphabet), fork, call other places and return, or repeat
 * a place with a counter. What follows a call or repetition goes on a stack, which stacks.c keeps.
 * Made from a GBNF tree or from a regular expression; immutable. Every state knows the shortest way
 * to its RETURN and how deep that nests.
 */
#ifndef ENGINE_NETWORK_H
#define ENGINE_NETWORK_H

#include "base/error.h"
#include "engine/alphabet.h"
#include "engine/gbnf.h"

#define NETWORK_INFINITE UINT32_MAX
#define NETWORK_RETURN   0   /* this state returns */
#define NETWORK_DEPTH    512 /* the stack is no deeper */
#define NETWORK_STATES   (1 << 17)

enum network_op {
    NETWORK_BACK,   /* return to what is on the stack */
    NETWORK_TAKE,   /* a character of `set`, then out */
    NETWORK_FORK,   /* out or other */
    NETWORK_CALL,   /* other, then out */
    NETWORK_JUMP,   /* out; a call that nothing follows */
    NETWORK_REPEAT, /* other, min to max times, then out */
};

struct network_state {
    uint8_t op;
    bool nullable; /* its RETURN is reached without a character */
    uint16_t height;
    uint32_t set, out, other;
    uint32_t min, max;
    uint32_t distance; /* bytes */
};

/* The classes of the characters of one kind or part of bytes (trie_nodes.h); none: they are many, or some
 * characters have none. */
#define NETWORK_KINDS        26
#define NETWORK_KIND_CLASSES 40
#define NETWORK_KIND_NONE    255
struct network_kind {
    uint16_t classes[NETWORK_KIND_CLASSES];
    uint8_t n;
};

struct network {
    struct alphabet alphabet;
    struct network_kind kinds[NETWORK_KINDS];
    struct network_state *states;
    uint64_t *sets; /* [set * alphabet.words] */
    uint32_t n_states, cap_states, n_sets;
    uint32_t start;
};

/* NULL: *error with the path `path` (1004 for what can't be honoured, -32602 for what is wrong). */
struct network *network_from_gbnf(const struct gbnf *gbnf, const char *path, struct error *error);
/* The whole text matches the ECMA-262 pattern. */
struct network *network_from_regex(const char *pattern, size_t len, const char *path,
                                   struct error *error);
void network_free(struct network *network);
size_t network_bytes(const struct network *network); /* what it holds */

static inline const uint64_t *network_set(const struct network *network, uint32_t set) {
    return network->sets + (size_t)set * network->alphabet.words;
}

uint32_t network_sum(uint32_t a, uint32_t b); /* saturating; NETWORK_INFINITE absorbs */
uint32_t network_times(uint32_t a, uint32_t n);

/* ---- network.c ---- */
struct network_build {
    struct network *network;
    uint32_t *slots; /* sets by hash, plus one */
    uint32_t cap_slots, cap_sets;
    enum alphabet_result result;
};
uint32_t network_add(struct network_build *build, struct network_state state); /* 0: failed */
/* A set of classes, the same for equal ones. */
uint32_t network_add_set(struct network_build *build, const uint64_t *classes);
void network_build_free(struct network_build *build);

/* ---- network_classes.c ---- */
/* The alphabet of a pool's sets, and the sets, in the same order. */
bool network_classes(struct network_build *build, const struct pattern_pool *pool);

/* ---- network_join.c ---- */
/* A state that is any of these (n > 0). */
uint32_t network_join(struct network_build *build, const uint32_t *states, uint32_t n);

/* ---- network_kinds.c ---- */
void network_find_kinds(struct network *network);

/* ---- network_measure.c ---- */
/* Fills distance, height and nullable. False without memory. */
bool network_measure(struct network *network);

#endif
