/* trie_nodes: the inside of a trie, for the mask walk. Internal to constrained decoding.
 *
 * Nodes lie in preorder: the children of node i begin at i + 1, its subtree ends
 * at i + size. Two tries: all tokens, and those that hold the closing quote of a
 * string when read inside one. The others that may be read inside a string, whole,
 * are bitmaps by how many characters they begin.
 */
#ifndef ENGINE_TRIE_NODES_H
#define ENGINE_TRIE_NODES_H

#include "engine/trie.h"

#define TRIE_MAX_TOKEN 0x7FFFFFu /* a node without a token holds the bit after the last word's */
#define TRIE_CLASSES  16 /* bitmaps of tokens with at most 0..15 characters, then of all */

#define TRIE_MAX_DEPTH 255 /* longer tokens are left out */

struct trie_node {
    uint32_t size : 24, depth : 8; /* of the subtree; bytes up to here */
    uint32_t byte : 8, token : 23, twins : 1; /* twins: other tokens have the same bytes */
};

struct trie_tree {
    struct trie_node *nodes; /* nodes[0] is the root */
    uint32_t n;
    uint32_t child[256];     /* of the root; 0: none */
    uint32_t max_len;        /* longest token */
};

/* Kinds of bytes inside a string. */
enum trie_kind {
    TRIE_DIGIT, TRIE_HEX_SMALL, TRIE_SMALL, TRIE_HEX_CAPITAL, TRIE_CAPITAL, /* a to f, g to z, ... */
    TRIE_SPACE, TRIE_HYPHEN, TRIE_UNDERSCORE, TRIE_DOT, TRIE_SLASH, TRIE_COMMA /* or colon */,
    TRIE_PUNCTUATION, /* what else is plain */
    TRIE_MARK,        /* begins one of U+2000 to U+2FFF: patterns tell these apart most often */
    TRIE_RARE,        /* has the first byte of a space beyond ASCII: U+0080 to U+00BF, U+1000 to U+1FFF,
                         U+3000 to U+3FFF, U+F000 to U+FFFF */
    TRIE_BEYOND,      /* begins another character beyond ASCII */
    TRIE_OTHER,       /* quotes, backslashes, control bytes */
    TRIE_KINDS,
    TRIE_NO_KIND = TRIE_KINDS /* goes on with a character */
};

/* What TRIE_RARE and TRIE_BEYOND are made of, by first bytes. */
enum trie_part {
    TRIE_C2 = TRIE_KINDS, /* U+0080 to U+00BF */
    TRIE_LATIN,           /* C3 to C9: U+00C0 to U+027F */
    TRIE_LETTERS,         /* CA to DF: to U+07FF */
    TRIE_SCRIPTS,         /* E0, EA to EE: U+0800 to U+0FFF, U+A000 to U+EFFF */
    TRIE_E1, TRIE_E3, TRIE_E4,
    TRIE_HAN,             /* E5 to E9: U+5000 to U+9FFF */
    TRIE_EF,
    TRIE_FOUR,            /* U+10000 and above */
    TRIE_PARTS
};

struct trie_set {
    uint32_t kinds, count; /* bits of kinds and parts; of nodes */
};

/* The sets of kinds and parts that occur below nodes are few: each node has a number. */
struct trie_kinds {
    uint8_t *of;           /* by node, itself included */
    uint32_t sets[256];
    struct trie_set *paths; /* by what leads to nodes */
    uint32_t n_paths;
    uint32_t bytes[256]; /* trie_kind_bits of TRIE_FINE */
    uint8_t *deepest; /* depth */
    struct trie_holders { /* by kind or part: the tokens of the tree that hold it, */
        uint64_t *bits;   /* or, if they are few, */
        uint32_t *list, n;
    } holders[TRIE_PARTS];
};

/* The kinds below a node. */
static inline uint32_t trie_below(const struct trie_kinds *kinds, uint32_t node) {
    return (uint16_t)kinds->sets[kinds->of[node]];
}

#define TRIE_FINE (~(1u << TRIE_RARE | 1u << TRIE_BEYOND)) /* kinds, with parts instead of these two */

static inline uint32_t trie_below_fine(const struct trie_kinds *kinds, uint32_t node) {
    return kinds->sets[kinds->of[node]] & TRIE_FINE;
}

struct trie_long { /* a string-safe token of more than TRIE_CLASSES - 1 characters */
    uint32_t token, characters;
};

struct trie_twin {
    uint32_t token, twin; /* sorted by token; the first of equals is the one in the tree */
};

struct trie {
    const struct vocab *vocab;
    uint32_t n_vocab, n_words; /* 64-bit words of a bitmap */
    struct trie_tree all, closing;
    uint64_t *safe[TRIE_CLASSES]; /* [k]: at most k characters */
    uint64_t *every;              /* all tokens of the trie */
    uint64_t *plain;              /* string-safe, without a TRIE_OTHER */
    uint64_t *text;               /* UTF-8 from their beginning, perhaps not to the end; no NUL */
    struct trie_kinds kinds;      /* of `all` */
    struct trie_long *longs;      /* by characters */
    struct trie_twin *twins;
    uint32_t n_longs, n_twins, n_tokens;
    size_t memory;
};

/* Sets the bits of all tokens with the same bytes. */
void trie_set_twins(const struct trie *trie, uint32_t token, uint64_t *bits);
/* Tokens with the same bytes get the bit of the one in the tree. */
void trie_spread_twins(const struct trie *trie, uint64_t *bits);
/* bits |= tokens that may be read inside a string in whole and begin at most `characters`. */
void trie_add_safe(const struct trie *trie, uint32_t characters, uint64_t *bits);

/* bits = the tokens that are text and hold no byte of these kinds and parts (of TRIE_FINE). */
void trie_text_without(const struct trie *trie, uint32_t kinds, uint64_t *bits);

/* ---- trie_kinds.c ---- */
enum trie_kind trie_kind(unsigned char byte);
/* Bits of the kind and the part of a byte; 0: goes on with a character. */
uint32_t trie_kind_bits(unsigned char byte);
/* n_words: of a bitmap of tokens; *memory grows by what is allocated. */
bool trie_kinds_new(struct trie_kinds *kinds, const struct trie_tree *tree, uint32_t n_words,
                    size_t *memory);
void trie_kinds_free(struct trie_kinds *kinds);

#endif
