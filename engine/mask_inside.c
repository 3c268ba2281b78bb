/* The walk inside a string of a language: most of the vocabulary may have to be looked at, so a
 * level is no more than a state, a count and where a UTF-8 sequence stands. Whatever else can come
 * (escapes, characters beyond ASCII that lead to different states) is handed to the general walk.
 *
 * Where a state takes all that lies below a node the subtree is not entered. If that is to be
 * expected of most, the walk begins with all plain tokens set and clears those refused; else it
 * begins with none.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/mask_walk.h"
#include "engine/quoted.h"

struct spelling {
    const struct language *language;
    uint32_t min, max;
    const struct thread *key;     /* a key that may run out: it is followed itself; else NULL */
    uint32_t used;                /* then: machine_keys_used */
    struct level root;            /* the thread as it stands, for the general walk */
    const struct mask_open *open; /* of the state the walk begins with */
    const uint64_t *plain;        /* the plain tokens that are short enough there */
    bool clearing;
    bool exact;                      /* they all are wherever `open` leads */
    uint8_t utf8[QUOTED_ESCAPE][64]; /* next place in a sequence, by continuation byte; 255: none */
    uint8_t lead[128];               /* by byte - 128 */
};

struct letters { /* by depth */
    uint16_t state[TRIE_MAX_DEPTH + 1];
    uint8_t scan[TRIE_MAX_DEPTH + 1];
    uint32_t count[TRIE_MAX_DEPTH + 1];
    uint8_t byte[TRIE_MAX_DEPTH + 1];
    uint64_t hash[TRIE_MAX_DEPTH + 1]; /* of a key that may run out */
    bool hashed[TRIE_MAX_DEPTH + 1];   /* it is known */
};

enum { NOWHERE = 255, MIXED = LANGUAGE_DEAD - 1 };

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

/* Where a byte that is not plain ASCII leads. MIXED: not to be judged here. */
static uint16_t beyond(const struct spelling *spelling, unsigned byte, uint16_t state,
                       uint8_t *scan) {
    const struct language *language = spelling->language;
    if (*scan != QUOTED_NORMAL) {
        uint8_t next = byte >= 0x80 && byte < 0xC0 ? spelling->utf8[*scan][byte - 128] : NOWHERE;
        if (next != NOWHERE) *scan = next;
        return next != NOWHERE ? state : LANGUAGE_DEAD;
    }
    if (byte < 0x80) return MIXED;
    if (spelling->lead[byte - 128] == NOWHERE) return LANGUAGE_DEAD;
    uint8_t class = language->lead[byte - 0xC0];
    if (class == LANGUAGE_NO_CLASS) return MIXED;
    *scan = spelling->lead[byte - 128];
    return language->next[(size_t)state * language->n_classes + class];
}

/* ---- whole subtrees ---- */

/* Does the state take everything plain below the node, as far as the length goes? */
static inline bool takes_all(const struct spelling *spelling, const struct trie_kinds *kinds,
                             uint32_t node, const struct letters *letters, uint32_t depth,
                             bool counted) {
    const struct language *language = spelling->language;
    enum { NEVER = 1 << TRIE_OTHER, UNKNOWN = 1 << TRIE_MARK };
    uint32_t below = kinds->below[node], more = kinds->deepest[node] - depth;
    uint16_t state = letters->state[depth];
    uint32_t least = language->most_least, most = language->least_most;
    if (below & NEVER) return false;
    if (spelling->open->member[state] && !(below & ~(uint32_t)spelling->open->kinds)) {
        if (spelling->exact) return true;
        least = spelling->open->high;
        most = spelling->open->most;
    } else if (language->open[state] < more || (below & UNKNOWN)) {
        return false;
    }
    if (!counted) return true;
    uint32_t count = letters->count[depth];
    return (spelling->max == RULES_INFINITE || (uint64_t)count + more + least <= spelling->max) &&
           (count >= spelling->min || most >= spelling->min - count);
}

static void set_plain(struct walk *walk, const uint64_t *plain, uint32_t from, uint32_t end) {
    const struct trie_node *nodes = walk->trie->all.nodes;
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

/* The thread after the bytes of the first `depth` levels. */
static bool follow(struct walk *walk, const struct letters *letters, uint32_t depth,
                   struct thread *thread) {
    for (uint32_t i = 1; i <= depth; i++) {
        struct thread before = *thread;
        if (machine_step(walk->machine, &before, letters->byte[i], thread, 1) != 1) return false;
    }
    return true;
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

/* A key that may run out has come to a state: is it a new one as it stands, or are there many more?
 * Else it is not to be judged here. */
static bool is_new_key(struct walk *walk, const struct spelling *spelling, struct letters *letters,
                       uint16_t state, uint32_t depth) {
    const struct language *language = spelling->language;
    const struct thread *key = spelling->key;
    letters->hashed[depth] = letters->hashed[depth - 1] && language_is_plain(letters->byte[depth]);
    letters->hash[depth] = machine_key_hash(letters->hash[depth - 1], letters->byte[depth]);
    if (machine_many_keys(language, state, spelling->used)) return true;
    return letters->hashed[depth] && key->lo >= key->hi && language->wanted[state] &&
           !machine_seen(walk->machine, walk->machine->frames[key->frame].seen,
                         letters->hash[depth]);
}

/* The state after a byte, LANGUAGE_DEAD, or MIXED: not to be judged here. */
static inline uint16_t letter(const struct spelling *spelling, unsigned byte, uint16_t state,
                              uint8_t *scan) {
    const struct language *language = spelling->language;
    if (spelling->key && *scan == QUOTED_NORMAL && byte >= 0x80 &&
        language->words[state] != LANGUAGE_PLENTY)
        return LANGUAGE_DEAD; /* as machine_open_key */
    if (*scan == QUOTED_NORMAL && language_is_plain(byte))
        return language->next[(size_t)state * language->n_classes + language->ascii[byte]];
    return beyond(spelling, byte, state, scan);
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
        if (takes_all(spelling, kinds, i, letters, from, counted)) {
            if (!spelling->clearing) set_plain(walk, spelling->plain, i, i + size);
            i += size;
            continue;
        }
        uint16_t state = letter(spelling, byte, letters->state[from], &scan);
        if (counted) letters->count[depth] = letters->count[from];
        letters->byte[depth] = (uint8_t)byte;
        if (spelling->key && state < MIXED && !is_new_key(walk, spelling, letters, state, depth))
            state = MIXED;
        bool stepped = state < MIXED;
        if (counted && stepped && begins) stepped = counts(spelling, state, &letters->count[depth]);
        if (!stepped) {
            if (spelling->clearing) clear_all(walk, i, i + size);
            if (state == MIXED && byte != '"') leave(walk, tree, i, spelling, letters, from);
            i += size;
            continue;
        }
        letters->state[depth] = state;
        letters->scan[depth] = scan;
        walk->bits[node->token >> 6] |= 1ull << (node->token & 63);
        i++;
    }
}

/* Where the least that has to follow is the same wherever the plain tokens lead, they are allowed
 * by the number of their characters, and nothing else has to be counted. Without memory all is. */
static void choose_plain(struct walk *walk, struct spelling *spelling, uint32_t count) {
    const struct mask_open *open = spelling->open;
    uint32_t n_words = walk->trie->n_words, left = spelling->max - count;
    uint64_t *plain;
    spelling->plain = walk->trie->plain;
    spelling->exact = open->kinds && open->low == open->high &&
                      (count >= spelling->min || open->most >= spelling->min - count);
    if (!spelling->exact || spelling->max == RULES_INFINITE) return;
    plain = calloc(n_words + 1, sizeof *plain);
    spelling->exact = plain;
    if (!plain) return;
    trie_add_safe(walk->trie, left > open->low ? left - open->low : 0, plain);
    for (uint32_t i = 0; i < n_words; i++) plain[i] &= walk->trie->plain[i];
    spelling->plain = plain;
}

static void walk_spelling(struct walk *walk, struct spelling *spelling,
                          const struct thread *inside) {
    enum { MOST = 1 << TRIE_SPACE | 1 << TRIE_HEX_SMALL | 1 << TRIE_SMALL };
    struct letters letters;
    spelling->clearing =
        (spelling->open->kinds & MOST) == MOST || spelling->language->open[inside->state] >= 4;
    if (spelling->clearing)
        memcpy(walk->bits, spelling->plain, walk->trie->n_words * sizeof *walk->bits);
    letters.state[0] = inside->state;
    letters.scan[0] = QUOTED_NORMAL;
    letters.count[0] = inside->count;
    letters.hash[0] = spelling->key ? spelling->key->hash : 0;
    letters.hashed[0] = true;
    walk_letters(walk, spelling, &letters, spelling->min != 0 || spelling->max != RULES_INFINITE);
    trie_spread_twins(walk->trie, walk->bits);
}

void mask_walk_inside(struct walk *walk, const struct thread *inside, const struct thread *key) {
    struct mask_open open;
    struct spelling spelling = {.language = &walk->machine->rules->languages[inside->cell].language,
                                .min = inside->lo,
                                .max = inside->hi,
                                .key = key,
                                .root = {.n = 1, .frames = walk->machine->n},
                                .open = &open};
    walk->stack->n = 0;
    if (!mask_reserve(walk, 1)) return;
    if (key) spelling.used = machine_keys_used(walk->machine, &walk->machine->frames[key->frame]);
    walk->stack->threads[0] = *inside;
    prepare(&spelling);
    mask_find_open(&open, spelling.language, inside->state);
    choose_plain(walk, &spelling, inside->count);
    walk_spelling(walk, &spelling, inside);
    if (spelling.plain != walk->trie->plain) free((void *)spelling.plain);
}
