/* The walk inside a string of a language: most of the vocabulary may have to be looked at, so a
 * level is no more than a state, a count and where a UTF-8 sequence stands. Whatever else can come
 * (escapes, characters beyond ASCII that lead to different states) is handed to the general walk.
 */
#include "engine/mask_walk.h"
#include "engine/quoted.h"

struct spelling {
    const struct language *language;
    uint32_t min, max;
    const struct thread *key;        /* a key that may run out: it is followed itself; else NULL */
    struct level root;               /* the thread as it stands, for the general walk */
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

static bool is_plain(unsigned byte) {
    return byte >= 0x20 && byte < 0x7F && byte != '"' && byte != '\\';
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

static inline void walk_letters(struct walk *walk, const struct trie_tree *tree,
                                const struct spelling *spelling, struct letters *letters,
                                bool counted) {
    const struct language *language = spelling->language;
    uint32_t end = tree->n;
    for (uint32_t i = 1; i < end;) {
        const struct trie_node *node = &tree->nodes[i];
        uint32_t depth = node->depth, from = depth - 1u, byte = node->byte;
        uint16_t state = letters->state[from];
        uint8_t scan = letters->scan[from];
        bool begins = scan == QUOTED_NORMAL;
        if (begins && is_plain(byte))
            state = language->next[(size_t)state * language->n_classes + language->ascii[byte]];
        else
            state = beyond(spelling, byte, state, &scan);
        if (counted) letters->count[depth] = letters->count[from];
        letters->byte[depth] = (uint8_t)byte;
        if (spelling->key && state < LANGUAGE_MIXED && language->words[state] != LANGUAGE_PLENTY)
            state = LANGUAGE_MIXED;
        bool stepped = state < LANGUAGE_MIXED;
        if (counted && stepped && begins) stepped = counts(spelling, state, &letters->count[depth]);
        if (!stepped) {
            if (state == LANGUAGE_MIXED && byte != '"')
                leave(walk, tree, i, spelling, letters, from);
            i += node->size;
            continue;
        }
        letters->state[depth] = state;
        letters->scan[depth] = scan;
        walk->bits[node->token >> 6] |= 1ull << (node->token & 63);
        i++;
    }
}

void mask_walk_inside(struct walk *walk, const struct thread *inside, const struct thread *key) {
    struct spelling spelling = {.language = &walk->machine->rules->languages[inside->cell].language,
                                .min = inside->lo,
                                .max = inside->hi,
                                .key = key,
                                .root = {.n = 1, .frames = walk->machine->n}};
    struct letters letters;
    walk->stack->n = 0;
    if (!mask_reserve(walk, 1)) return;
    prepare(&spelling);
    walk->stack->threads[0] = *inside;
    letters.state[0] = inside->state;
    letters.scan[0] = QUOTED_NORMAL;
    letters.count[0] = inside->count;
    if (spelling.min == 0 && spelling.max == RULES_INFINITE)
        walk_letters(walk, &walk->trie->all, &spelling, &letters, false);
    else
        walk_letters(walk, &walk->trie->all, &spelling, &letters, true);
    trie_spread_twins(walk->trie, walk->bits);
}
