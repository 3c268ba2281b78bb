/* mask_walk: the walk of a mask, between mask.c and mask_inside.c. Internal. */
#ifndef ENGINE_MASK_WALK_H
#define ENGINE_MASK_WALK_H

#include "engine/mask.h"

struct level {        /* where the walk stands at one depth */
    uint32_t threads; /* stack.threads[threads..threads + n] */
    uint32_t n;
    uint32_t frames; /* machine frames to go back to */
};

struct walk {
    struct machine *machine;
    const struct trie *trie;
    struct mask_stack *stack;
    struct mask_cache *cache;
    uint64_t *bits;
};

/* Room for n threads more on the stack. */
bool mask_reserve(struct walk *walk, uint32_t n);
/* Walks the subtree of a node, reached with the root's threads, and sets the tokens allowed. */
void mask_walk_subtree(struct walk *walk, const struct trie_tree *tree, uint32_t first,
                       const struct level *root);
/* ---- mask_inside.c ---- */
/* Sets the tokens that stay inside the string or key that a MODE_INSIDE thread reads. key: the
 * thread itself if it is that of a key of which there may be none left, else NULL. walk->bits has
 * one word more than a mask. */
void mask_walk_inside(struct walk *walk, const struct thread *inside, const struct thread *key);

/* ---- mask_open.c ---- */
/* Kinds of characters of which any number may follow a state, or so many, and the states they lead to,
 * all of LANGUAGE_PLENTY. */
#define MASK_OPEN_FAR 255
struct mask_open {
    uint16_t kinds; /* bits by enum trie_kind; 0: none found */
    uint8_t limit;  /* how many characters may follow; MASK_OPEN_FAR: any number */
    uint32_t low, high; /* the smallest and greatest `least` of the states led to */
    uint32_t most;      /* the smallest `most` */
    uint8_t member[LANGUAGE_STATES]; /* how far off a state is, + 1; 0: it is none of them */
};

/* Which characters of a language are of which kind: found once for a walk. */
#define MASK_KIND_CLASSES 32 /* no kind with more is found */
struct mask_kinds {
    uint8_t classes[TRIE_KINDS][MASK_KIND_CLASSES + 1], n[TRIE_KINDS];
};

void mask_sort_kinds(struct mask_kinds *kinds, const struct language *language);
void mask_find_open(struct mask_open *open, const struct language *language,
                    const struct mask_kinds *kinds, uint16_t state);

#endif
