/* The walk inside a string of a language: most of the vocabulary may have to be looked at, so a
 * level is no more than a state, a count and where a UTF-8 sequence stands. Whatever else can come
 * (escapes, characters beyond ASCII that lead to different states) is handed to the general walk.
 *
 * Where a state takes all that lies below a node the subtree is not entered. If that is to be
 * expected of most, the walk begins with all plain tokens set and clears those refused; else it
 * begins with none.
 */
#include <string.h>

#include "engine/mask_walk.h"
#include "engine/quoted.h"

struct spelling {
    const struct language *language;
    uint32_t min, max;
    const struct thread *key;        /* a key that may run out: it is followed itself; else NULL */
    struct level root;               /* the thread as it stands, for the general walk */
    const struct mask_open *open;    /* of the state the walk begins with */
    bool clearing;
    uint8_t utf8[QUOTED_ESCAPE][64]; /* next place in a sequence, by continuation byte; 255: none */
    uint8_t lead[128];               /* by byte - 128 */
};

struct letters { /* by depth */
    uint16_t state[TRIE_MAX_DEPTH + 1];
    uint8_t scan[TRIE_MAX_DEPTH + 1];
    uint32_t count[TRIE_MAX_DEPTH + 1];
    uint8_t byte[TRIE_MAX_DEPTH + 1];
};

enum { NOWHERE = 255 };

static uint8_t utf8_step(uint8_t scan, unsigned byte) {
    uint32_t acc = 0;
    enum quoted_event event = quoted_step(&scan, &acc, (unsigned char)byte);
    return event == QUOTED_MORE || event == QUOTED_CHAR ? scan : NOWHERE;
}

static void prepare(struct spelling *spelling) {
    for (unsigned byte = 0; byte < 128; byte++)
        spelling->lead[byte] = utf8_step(QUOTED_NORMAL, 128 + byte);
    for (uint8_t scan = QUOTED_ONE; scan < QUOTED_ESCAPE; scan++)
        for (unsigned byte = 0; byte < 64; byte++)
            spelling->utf8[scan][byte] = utf8_step(scan, 128 + byte);
}

/* A character begins that leads to this state: may it, as far as the length goes? */
static bool counts(const struct spelling *spelling, uint16_t state, uint32_t *count) {
    const struct language *language = spelling->language;
    bool bounded = spelling->max != RULES_INFINITE;
    if (bounded || *count < spelling->min) ++*count;
    if (bounded && *count + (uint64_t)language->least[state] > spelling->max) return false;
    return *count >= spelling->min || language->most[state] >= spelling->min - *count;
}

/* Where a byte that is not plain ASCII leads. LANGUAGE_MIXED: not to be judged here. */
static uint16_t beyond(const struct spelling *spelling, unsigned byte, uint16_t state,
                       uint8_t *scan) {
    bool begins = *scan == QUOTED_NORMAL;
    if (byte < 0x80) return begins ? LANGUAGE_MIXED : LANGUAGE_DEAD;
    if (begins && spelling->language->beyond[state] == LANGUAGE_MIXED) return LANGUAGE_MIXED;
    uint8_t next = begins        ? spelling->lead[byte - 128]
                   : byte < 0xC0 ? spelling->utf8[*scan][byte - 128]
                                 : NOWHERE;
    if (next == NOWHERE) return LANGUAGE_DEAD;
    *scan = next;
    return begins ? spelling->language->beyond[state] : state;
}

/* The thread after the bytes of the first `depth` levels. */
static bool follow(struct walk *walk, const struct letters *letters, uint32_t depth,
                   struct thread *thread) {
    for (uint32_t i = 1; i <= depth; i++) {
        struct thread before = *thread;
        if (machine_step(walk->machine, &before, letters->byte[i], thread, 1) != 1) return false;
    }
    return true;
}

/* ---- whole subtrees ---- */

/* With so many characters more at the most: do all states keep the length within its bounds? */
static bool any_length(const struct spelling *spelling, uint32_t count, uint32_t more) {
    const struct language *language = spelling->language;
    if (spelling->max != RULES_INFINITE &&
        (uint64_t)count + more + language->most_least > spelling->max)
        return false;
    return count >= spelling->min || language->least_most >= spelling->min - count;
}

/* Does the state take everything plain below the node? */
static inline bool takes_all(const struct spelling *spelling, const struct trie_kinds *kinds,
                             uint32_t node, uint16_t state, uint32_t depth) {
    uint32_t below = kinds->below[node];
    if (below >> TRIE_OTHER & 1) return false;
    return spelling->language->open[state] >= kinds->deepest[node] - depth ||
           (spelling->open->member[state] && !(below & ~(uint32_t)spelling->open->kinds));
}

static void set_plain(struct walk *walk, uint32_t from, uint32_t end) {
    const struct trie_node *nodes = walk->trie->all.nodes;
    const uint64_t *plain = walk->trie->plain;
    for (uint32_t i = from; i < end; i++) {
        uint32_t token = nodes[i].token;
        walk->bits[token >> 6] |= plain[token >> 6] & 1ull << (token & 63);
    }
}

static void clear_all(struct walk *walk, uint32_t from, uint32_t end) {
    const struct trie_node *nodes = walk->trie->all.nodes;
    for (uint32_t i = from; i < end; i++)
        walk->bits[nodes[i].token >> 6] &= ~(1ull << (nodes[i].token & 63));
}

/* Hands a subtree to the general walk, from the thread as it is at this level. */
static void leave(struct walk *walk, const struct trie_tree *tree, uint32_t node,
                  const struct spelling *spelling, const struct letters *letters, uint32_t depth) {
    struct level root = spelling->root;
    struct thread *thread = walk->stack->threads + root.threads;
    thread->state = letters->state[depth];
    thread->count = letters->count[depth];
    if (spelling->key) {
        *thread = *spelling->key;
        if (!follow(walk, letters, depth, thread)) return;
        root.frames = walk->machine->n;
    }
    mask_walk_subtree(walk, tree, node, &root);
    walk->machine->n = spelling->root.frames;
}

/* The state after a byte, LANGUAGE_DEAD, or LANGUAGE_MIXED: not to be judged here. */
static inline uint16_t letter(const struct spelling *spelling, unsigned byte, uint16_t state,
                              uint8_t *scan) {
    const struct language *language = spelling->language;
    if (*scan == QUOTED_NORMAL && language_is_plain(byte))
        state = language->next[(size_t)state * language->n_classes + language->ascii[byte]];
    else
        state = beyond(spelling, byte, state, scan);
    if (spelling->key && state < LANGUAGE_MIXED && language->words[state] != LANGUAGE_PLENTY)
        return LANGUAGE_MIXED;
    return state;
}

static inline void walk_letters(struct walk *walk, const struct spelling *spelling,
                                struct letters *letters, bool counted) {
    const struct trie_tree *tree = &walk->trie->all;
    const struct trie_kinds *kinds = &walk->trie->kinds;
    for (uint32_t i = 1; i < tree->n;) {
        const struct trie_node *node = &tree->nodes[i];
        uint32_t depth = node->depth, from = depth - 1u, byte = node->byte, size = node->size;
        uint8_t scan = letters->scan[from];
        bool begins = scan == QUOTED_NORMAL;
        if (takes_all(spelling, kinds, i, letters->state[from], from) &&
            (!counted || any_length(spelling, letters->count[from], kinds->deepest[i] - from))) {
            if (!spelling->clearing) set_plain(walk, i, i + size);
            i += size;
            continue;
        }
        uint16_t state = letter(spelling, byte, letters->state[from], &scan);
        if (counted) letters->count[depth] = letters->count[from];
        letters->byte[depth] = (uint8_t)byte;
        bool stepped = state < LANGUAGE_MIXED;
        if (counted && stepped && begins) stepped = counts(spelling, state, &letters->count[depth]);
        if (!stepped) {
            if (spelling->clearing) clear_all(walk, i, i + size);
            if (state == LANGUAGE_MIXED && byte != '"')
                leave(walk, tree, i, spelling, letters, from);
            i += size;
            continue;
        }
        letters->state[depth] = state;
        letters->scan[depth] = scan;
        walk->bits[node->token >> 6] |= 1ull << (node->token & 63);
        i++;
    }
}

/* All plain tokens that are not too long. */
static void set_most(struct walk *walk, const struct spelling *spelling, uint32_t count) {
    uint32_t n_words = walk->trie->n_words;
    if (spelling->max == RULES_INFINITE) {
        memcpy(walk->bits, walk->trie->plain, n_words * sizeof *walk->bits);
        return;
    }
    trie_add_safe(walk->trie, spelling->max - count, walk->bits);
    for (uint32_t i = 0; i < n_words; i++) walk->bits[i] &= walk->trie->plain[i];
}

void mask_walk_inside(struct walk *walk, const struct thread *inside, const struct thread *key) {
    enum { MOST = 1 << TRIE_SPACE | 1 << TRIE_HEX_SMALL | 1 << TRIE_SMALL };
    struct mask_open open;
    struct spelling spelling = {.language = &walk->machine->rules->languages[inside->cell].language,
                                .min = inside->lo,
                                .max = inside->hi,
                                .key = key,
                                .root = {.n = 1, .frames = walk->machine->n},
                                .open = &open};
    struct letters letters;
    walk->stack->n = 0;
    if (!mask_reserve(walk, 1)) return;
    prepare(&spelling);
    mask_find_open(&open, spelling.language, inside->state);
    spelling.clearing =
        (open.kinds & MOST) == MOST || spelling.language->open[inside->state] >= 4;
    if (spelling.clearing) set_most(walk, &spelling, inside->count);
    walk->stack->threads[0] = *inside;
    letters.state[0] = inside->state;
    letters.scan[0] = QUOTED_NORMAL;
    letters.count[0] = inside->count;
    walk_letters(walk, &spelling, &letters, spelling.min != 0 || spelling.max != RULES_INFINITE);
    trie_spread_twins(walk->trie, walk->bits);
}
