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
    struct elsewhere *elsewhere;  /* of other states */
    const uint64_t *plain;        /* the plain tokens that are short enough there */
    bool clearing;
    bool exact;                      /* they all are wherever `open` leads */
    uint8_t utf8[QUOTED_ESCAPE][64]; /* next place in a sequence, by continuation byte; 255: none */
    uint8_t lead[128];               /* by byte - 128 */
};

/* What states take that the first one's kinds don't lead to, looked for where much of the vocabulary
 * depends on it. */
enum { FOUND = 6, WORTH = 1024 /* nodes */ };
struct elsewhere {
    struct mask_kinds kinds;
    uint32_t n;
    struct {
        uint16_t kinds;
        uint8_t limit;
        uint32_t high, most;
    } found[FOUND];
    uint8_t of[LANGUAGE_STATES], far[LANGUAGE_STATES]; /* which is a state's, + 1; its `member` there */
    struct mask_open open;       /* scratch */
};

struct letters { /* by depth */
    uint16_t state[TRIE_MAX_DEPTH + 1];
    uint8_t scan[TRIE_MAX_DEPTH + 1]; /* with OPEN where the character's state is not known yet */
    uint32_t acc[TRIE_MAX_DEPTH + 1]; /* what of it was read then */
    uint32_t count[TRIE_MAX_DEPTH + 1];
    uint8_t byte[TRIE_MAX_DEPTH + 1];
    uint64_t hash[TRIE_MAX_DEPTH + 1]; /* of a key that may run out */
    bool hashed[TRIE_MAX_DEPTH + 1];   /* it is known */
};

enum { NOWHERE = 255, MIXED = LANGUAGE_DEAD - 1, OPEN = 128 };

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

/* How many characters must and may follow. */
static struct language_length rest_of(const struct spelling *spelling, uint32_t count) {
    uint32_t max = spelling->max;
    return (struct language_length){spelling->min > count ? spelling->min - count : 0,
                                    max == RULES_INFINITE ? LANGUAGE_INFINITE : max - count};
}

/* A byte of a character that only all its bytes together tell from others. */
static uint16_t undecided(const struct spelling *spelling, unsigned byte, uint8_t *scan,
                          struct letters *letters, uint32_t depth) {
    const struct language *language = spelling->language;
    uint16_t state = letters->state[depth - 1], next;
    bool bounded = spelling->max != RULES_INFINITE, begins = *scan == QUOTED_NORMAL;
    struct quoted_range range[2];
    uint8_t at = *scan & ~OPEN;
    uint32_t count = letters->count[depth - 1], *acc = &letters->acc[depth];
    *acc = begins ? 0 : letters->acc[depth - 1];
    if (begins && bounded && count >= spelling->max) return LANGUAGE_DEAD;
    if (begins && (bounded || count < spelling->min)) count++;
    letters->count[depth] = count;
    struct language_length rest = rest_of(spelling, count);
    switch (quoted_step(&at, acc, (unsigned char)byte)) {
    case QUOTED_CHAR:
        *scan = at;
        next = language_step(language, state, *acc);
        if (next == LANGUAGE_DEAD || language->least[next] > rest.max ||
            language->most[next] < rest.min)
            return LANGUAGE_DEAD;
        return next;
    case QUOTED_MORE:
        *scan = at | OPEN;
        quoted_ranges(at, *acc, range); /* of a character begun in UTF-8: one */
        return language_viable(language, state, range[0].from, range[0].to, &rest) ? state
                                                                                   : LANGUAGE_DEAD;
    default: return LANGUAGE_DEAD;
    }
}

/* Where a byte that is not plain ASCII leads. MIXED: not to be judged here. */
static uint16_t beyond(const struct spelling *spelling, unsigned byte, uint8_t *scan,
                       struct letters *letters, uint32_t depth) {
    const struct language *language = spelling->language;
    uint16_t state = letters->state[depth - 1];
    if (*scan & OPEN) return undecided(spelling, byte, scan, letters, depth);
    if (*scan != QUOTED_NORMAL) {
        uint8_t next = byte >= 0x80 && byte < 0xC0 ? spelling->utf8[*scan][byte - 128] : NOWHERE;
        if (next != NOWHERE) *scan = next;
        return next != NOWHERE ? state : LANGUAGE_DEAD;
    }
    if (byte < 0x80) return MIXED;
    if (spelling->lead[byte - 128] == NOWHERE) return LANGUAGE_DEAD;
    uint8_t class = language->lead[byte - 0xC0];
    if (class == LANGUAGE_NO_CLASS)
        return spelling->key ? MIXED : undecided(spelling, byte, scan, letters, depth);
    *scan = spelling->lead[byte - 128];
    return language->next[(size_t)state * language->n_classes + class];
}

/* ---- whole subtrees ---- */

/* Is the state a member, and may so many characters more follow? */
static inline bool reaches(uint32_t member, uint32_t limit, uint32_t more) {
    return member && (limit == MASK_OPEN_FAR || member - 1 + more <= limit);
}

static bool fits(const struct spelling *spelling, uint32_t count, uint32_t more, uint32_t least,
                 uint32_t most) {
    return (spelling->max == RULES_INFINITE || (uint64_t)count + more + least <= spelling->max) &&
           (count >= spelling->min || most >= spelling->min - count);
}

/* Does the state take everything plain below the node, as far as the length goes? */
static inline bool takes_all(const struct spelling *spelling, const struct trie_kinds *kinds,
                             uint32_t node, const struct letters *letters, uint32_t depth,
                             bool counted) {
    const struct language *language = spelling->language;
    enum { NEVER = 1 << TRIE_OTHER, UNKNOWN = 1 << TRIE_MARK };
    uint32_t below = trie_below(kinds, node), more = kinds->deepest[node] - depth;
    uint16_t state = letters->state[depth];
    uint32_t least = language->most_least, most = language->least_most;
    if (below & NEVER || letters->scan[depth] & OPEN) return false;
    if (!(below & ~(uint32_t)spelling->open->kinds) &&
        reaches(spelling->open->member[state], spelling->open->limit, more)) {
        if (spelling->exact) return true;
        least = spelling->open->high;
        most = spelling->open->most;
    } else if (language->open[state] < more || (below & UNKNOWN)) {
        return false;
    }
    return !counted || fits(spelling, letters->count[depth], more, least, most);
}

/* What a state takes that was not looked for yet. */
static void look_for(const struct spelling *spelling, uint16_t state) {
    struct elsewhere *other = spelling->elsewhere;
    const struct language *language = spelling->language;
    if (other->of[state] || other->n == FOUND) return;
    mask_find_open(&other->open, language, &other->kinds, state);
    other->found[other->n].kinds = other->open.kinds;
    other->found[other->n].limit = other->open.limit;
    other->found[other->n].high = other->open.high;
    other->found[other->n++].most = other->open.most;
    for (uint32_t i = 0; i < language->n_states; i++)
        if (other->open.member[i] && !other->of[i]) {
            other->of[i] = (uint8_t)other->n;
            other->far[i] = other->open.member[i];
        }
}

/* The same as takes_all of a state that the first one's kinds do not lead to. */
static bool takes_elsewhere(const struct spelling *spelling, const struct trie_kinds *kinds,
                            uint32_t node, uint32_t size, const struct letters *letters,
                            uint32_t depth) {
    struct elsewhere *other = spelling->elsewhere;
    uint16_t state = letters->state[depth];
    uint32_t below = trie_below(kinds, node), more = kinds->deepest[node] - depth;
    if (below & 1 << TRIE_OTHER || letters->scan[depth] & OPEN) return false;
    if (size >= WORTH && !spelling->open->member[state]) look_for(spelling, state);
    if (!other->of[state]) return false;
    uint32_t i = other->of[state] - 1u;
    return !(below & ~(uint32_t)other->found[i].kinds) &&
           reaches(other->far[state], other->found[i].limit, more) &&
           fits(spelling, letters->count[depth], more, other->found[i].high, other->found[i].most);
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
static inline uint16_t letter(const struct spelling *spelling, unsigned byte, uint8_t *scan,
                              struct letters *letters, uint32_t depth) {
    const struct language *language = spelling->language;
    uint16_t state = letters->state[depth - 1];
    if (spelling->key && *scan == QUOTED_NORMAL && byte >= 0x80) return MIXED;
    if (*scan == QUOTED_NORMAL && language_is_plain(byte))
        return language->next[(size_t)state * language->n_classes + language->ascii[byte]];
    return beyond(spelling, byte, scan, letters, depth);
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
        if ((size >= WORTH || spelling->elsewhere->n) &&
            takes_elsewhere(spelling, kinds, i, size, letters, from)) {
            if (!spelling->clearing || spelling->plain != walk->trie->plain)
                set_plain(walk, walk->trie->plain, i, i + size);
            i += size;
            continue;
        }
        letters->count[depth] = letters->count[from];
        uint16_t state = letter(spelling, byte, &scan, letters, depth);
        letters->byte[depth] = (uint8_t)byte;
        if (spelling->key && state < MIXED && !is_new_key(walk, spelling, letters, state, depth))
            state = MIXED;
        bool stepped = state < MIXED;
        if (counted && stepped && begins && !(scan & OPEN))
            stepped = counts(spelling, state, &letters->count[depth]);
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
    enum { MOST = 1 << TRIE_HEX_SMALL | 1 << TRIE_SMALL };
    struct letters letters;
    bool most = (spelling->open->kinds & MOST) == MOST &&
                language_step(spelling->language, inside->state, ' ') != LANGUAGE_DEAD;
    spelling->clearing = most || spelling->language->open[inside->state] >= 4;
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
    struct elsewhere elsewhere;
    struct spelling spelling = {.language = &walk->machine->rules->languages[inside->cell].language,
                                .min = inside->lo,
                                .max = inside->hi,
                                .key = key,
                                .root = {.n = 1, .frames = walk->machine->n},
                                .open = &open,
                                .elsewhere = &elsewhere};
    walk->stack->n = 0;
    if (!mask_reserve(walk, 1)) return;
    if (key) spelling.used = machine_keys_used(walk->machine, &walk->machine->frames[key->frame]);
    walk->stack->threads[0] = *inside;
    prepare(&spelling);
    elsewhere.n = 0;
    memset(elsewhere.of, 0, spelling.language->n_states);
    mask_sort_kinds(&elsewhere.kinds, spelling.language);
    mask_find_open(&open, spelling.language, &elsewhere.kinds, inside->state);
    choose_plain(walk, &spelling, inside->count);
    walk_spelling(walk, &spelling, inside);
    if (spelling.plain != walk->trie->plain) free((void *)spelling.plain);
}
