#include "engine/text_walk.h"

#include <stdlib.h>
#include <string.h>

#include "engine/vector.h"

/* In units. Those of nodes are for a trie that the caches nearest to the processor do not hold; of
 * a smaller one they are half as many. */
enum {
    LARGE = 150000,   /* nodes */
    UNIT_NODE = 4,    /* a node in the trie's order, */
    UNIT_ASK = 6,     /* when it is asked what lies below, */
    UNIT_DEAD = 8,    /* when it is refused, which can't be foreseen */
    UNIT_BLOCK = 10,  /* a subtree that is taken or left as a whole, */
    UNIT_BIT = 2,     /* and each of its nodes */
    UNIT_BITMAPS = 4, /* for each word of them */
    UNIT_QUEUE = 12,  /* a node in the order of lengths */
    UNIT_STEP = 40,   /* an entry of a row is found; this and the next are twice what they take: */
    UNIT_WORK = 20,   /* many steps, and little is left to walk. An entry of a closure, a frame */
    UNIT_STATE = 60,  /* a new one, */
    UNIT_CLASSES = 2  /* and so many entries of its row */
};

enum {
    TINY = 2,
    SMALL = 8,  /* nodes: fewer are walked rather than asked for what they have in common */
    WORTH = 512 /* below fewer it is not looked what loops */
};

bool text_walk_open(struct text_walk *walk, struct stacks *stacks, const struct trie *trie,
                    uint64_t *bits) {
    const struct alphabet *alphabet = &stacks->network->alphabet;
    memset(walk, 0, offsetof(struct text_walk, start));
    walk->stacks = stacks;
    walk->trie = trie;
    walk->bits = bits;
    walk->n_classes = stacks->network->alphabet.n_classes;
    walk->aligned = true;
    walk->small = trie->all.n < LARGE;
    memcpy(walk->start, alphabet->ascii, sizeof alphabet->ascii);
    memcpy(walk->start + 128, alphabet->lead, sizeof alphabet->lead);
    walk->cap_slots = 64;
    walk->slots = calloc(walk->cap_slots, sizeof *walk->slots);
    stacks->held++;
    if (walk->slots) return true;
    stacks->failed = true;
    text_walk_close(walk);
    return false;
}

void text_walk_close(struct text_walk *walk) {
    walk->stacks->held--;
    free(walk->states);
    free(walk->loops);
    free(walk->next);
    free(walk->slots);
}

/* ---- states ---- */

static bool grow_slots(struct text_walk *walk) {
    uint32_t cap = walk->cap_slots * 4;
    uint16_t *slots = calloc(cap, sizeof *slots);
    if (!slots) return false;
    for (uint32_t i = 0; i < walk->n_states; i++) {
        uint32_t at = (uint32_t)walk->states[i].key & (cap - 1);
        while (slots[at]) at = (at + 1) & (cap - 1);
        slots[at] = (uint16_t)(i + 1);
    }
    free(walk->slots);
    walk->slots = slots;
    walk->cap_slots = cap;
    return true;
}

uint32_t text_walk_state(struct text_walk *walk, struct moment moment) {
    uint64_t key = stacks_near(walk->stacks, moment);
    uint32_t n = walk->n_states, classes = walk->n_classes, at, slot;
    if (2 * (n + 1) > walk->cap_slots && !grow_slots(walk))
        return walk->stacks->failed = true, WALK_DEAD;
    for (at = (uint32_t)key & (walk->cap_slots - 1); (slot = walk->slots[at]);
         at = (at + 1) & (walk->cap_slots - 1))
        if (walk->states[slot - 1].key == key) return slot - 1;
    if (n == WALK_STATES) return walk->limit = 0, WALK_DEAD;
    if (!vector_reserve((void **)&walk->states, &walk->cap_states, n + 1, sizeof *walk->states) ||
        !vector_reserve((void **)&walk->loops, &walk->cap_loops, n + 1, sizeof *walk->loops) ||
        !vector_reserve((void **)&walk->next, &walk->cap_next, (n + 1) * classes + 1,
                        sizeof *walk->next))
        return walk->stacks->failed = true, WALK_DEAD;
    walk->states[n] = (struct walk_state){.at = moment, .key = key, .last = WALK_UNKNOWN};
    walk->loops[n] = (struct walk_loop){.closed = TRIE_FINE};
    memset(walk->next + (size_t)n * classes, 0xFF, classes * sizeof *walk->next);
    walk->units += UNIT_STATE + classes / UNIT_CLASSES;
    walk->slots[at] = (uint16_t)(n + 1);
    return walk->n_states++;
}

/* Do the same ways take both classes? */
static bool are_alike(const struct stacks *stacks, uint32_t shape, uint32_t a, uint32_t b) {
    const struct shape *of = &stacks->shapes[shape];
    if (of->n > 16) return false;
    for (uint32_t i = 0; i < of->n; i++) {
        const struct network_state *state =
            &stacks->network->states[stacks->ways[of->first + i].state];
        const uint64_t *set = network_set(stacks->network, state->set);
        if ((set[a / 64] >> a % 64 ^ set[b / 64] >> b % 64) & 1) return false;
    }
    return true;
}

static uint32_t find_step(struct text_walk *walk, uint32_t state, uint32_t class) {
    struct stacks *stacks = walk->stacks;
    struct moment from = walk->states[state].at, to;
    uint32_t target = WALK_DEAD, last = walk->states[state].last;
    if (text_walk_is_over(walk) || stacks->failed) return WALK_DEAD;
    stacks->spent = 0;
    walk->units += UNIT_STEP;
    if (last != WALK_UNKNOWN && are_alike(stacks, from.shape, class, last)) {
        target = walk->next[(size_t)state * walk->n_classes + last];
        return walk->next[(size_t)state * walk->n_classes + class] = (uint16_t)target;
    }
    switch (stacks_step_slowly(stacks, &from, class, &to)) {
    case STEP_DONE: target = text_walk_state(walk, to); break;
    case STEP_OUT: target = WALK_LEAVES; break;
    default: break;
    }
    uint32_t work = UNIT_WORK * (uint32_t)stacks->spent;
    if (work > walk->dearest) walk->dearest = work;
    walk->units += work;
    walk->states[state].last = (uint16_t) class;
    walk->next[(size_t)state * walk->n_classes + class] = (uint16_t)target;
    return target;
}

uint32_t text_walk_step(struct text_walk *walk, uint32_t state, uint32_t class) {
    uint32_t target = walk->next[(size_t)state * walk->n_classes + class];
    return target == WALK_UNKNOWN ? find_step(walk, state, class) : target;
}

/* Can a character that began go on to one that is allowed? */
static bool reaches(const struct text_walk *walk, uint32_t state, uint32_t place) {
    const struct alphabet *alphabet = &walk->stacks->network->alphabet;
    const uint64_t *reach = alphabet->reach + (size_t)place * alphabet->words;
    const uint64_t *allowed = stacks_allowed(walk->stacks, walk->states[state].at.shape);
    for (uint32_t i = 0; i < alphabet->words; i++)
        if (reach[i] & allowed[i]) return true;
    return false;
}

/* ---- in the trie's order ---- */

static void set_text(struct text_walk *walk, uint32_t from, uint32_t end) {
    const struct trie_node *nodes = walk->trie->all.nodes;
    const uint64_t *text = walk->trie->text;
    for (uint32_t i = from; i < end; i++) {
        uint32_t token = nodes[i].token;
        walk->bits[token >> 6] |= text[token >> 6] & 1ull << (token & 63);
    }
}

static void clear_all(struct text_walk *walk, uint32_t from, uint32_t end) {
    const struct trie_node *nodes = walk->trie->all.nodes;
    for (uint32_t i = from; i < end; i++)
        walk->bits[nodes[i].token >> 6] &= ~(1ull << (nodes[i].token & 63));
}

/* Where a byte leads: a state with *place, or WALK_DEAD or WALK_LEAVES. */
static inline uint32_t step_byte(struct text_walk *walk, uint32_t state, uint32_t byte,
                                 uint32_t *place) {
    const struct alphabet *alphabet = &walk->stacks->network->alphabet;
    uint32_t target =
        *place == ALPHABET_START ? walk->start[byte] : alphabet_step(alphabet, *place, byte);
    if (!(target & ALPHABET_PLACE)) {
        *place = ALPHABET_START;
        return text_walk_step(walk, state, target);
    }
    if (target == ALPHABET_NONE) return WALK_DEAD;
    *place = target & ~ALPHABET_PLACE;
    return reaches(walk, state, *place) ? state : WALK_DEAD;
}

/* Do the bits hold the text below a node before it is looked at, as far as it has these kinds only?
 */
static bool is_set(const struct text_walk *walk, uint32_t kinds) {
    return walk->clearing && !(kinds & walk->unset);
}

/* All that lies below a node may follow. */
static void take_all(struct text_walk *walk, uint32_t node, uint32_t size, uint32_t above) {
    const struct trie_kinds *kinds = &walk->trie->kinds;
    if (is_set(walk, above | kinds->sets[kinds->of[node]])) return;
    set_text(walk, node, node + size);
    walk->units += (UNIT_BLOCK + UNIT_BIT * size) >> walk->small;
}

/* Nothing of it may. */
static void take_none(struct text_walk *walk, uint32_t node, uint32_t size, uint32_t above) {
    if (!is_set(walk, above | walk->trie->kinds.bytes[walk->trie->all.nodes[node].byte])) return;
    clear_all(walk, node, node + size);
    walk->units += (UNIT_BLOCK + UNIT_BIT * size) >> walk->small;
}

/* May all follow that lies below a node? Also where it is looked for now, what loops. */
static bool takes_all(struct text_walk *walk, uint32_t node, uint32_t state, uint32_t depth) {
    const struct trie_kinds *kinds = &walk->trie->kinds;
    walk->units += UNIT_ASK >> walk->small;
    if (walk->trie->all.nodes[node].size >= WORTH && !walk->states[state].looked && walk->aligned)
        text_open_find(walk, state);
    const struct walk_loop *loop = &walk->loops[state];
    return !(kinds->sets[kinds->of[node]] & loop->closed) &&
           kinds->deepest[node] - depth < loop->far;
}

/* The nodes first to end, whose parents are at depth `base`. */
static void walk_nodes(struct text_walk *walk, uint32_t first, uint32_t end, uint32_t base) {
    const struct trie_node *nodes = walk->trie->all.nodes;
    uint32_t ask = walk->clearing ? TINY : SMALL;
    for (uint32_t i = first; i < end && !text_walk_is_over(walk);) {
        uint32_t size = nodes[i].size, depth = nodes[i].depth - base, token = nodes[i].token;
        struct walk_level *above = &walk->at[depth - 1];
        uint32_t state = above->state, place = above->place;
        walk->units += UNIT_NODE >> walk->small;
        if (size >= ask && place == ALPHABET_START && takes_all(walk, i, state, depth + base)) {
            take_all(walk, i, size, above->kinds);
            i += size;
            continue;
        }
        uint32_t target = step_byte(walk, state, nodes[i].byte, &place);
        if (target >= WALK_SPECIAL) {
            walk->units += UNIT_DEAD >> walk->small;
            if (target == WALK_LEAVES) walk->leave(walk, i, state, above->place);
            if (walk->clearing) take_none(walk, i, size, above->kinds);
            i += size;
            continue;
        }
        above[1] = (struct walk_level){(uint16_t)target, (uint16_t)place,
                                       above->kinds | walk->trie->kinds.bytes[nodes[i].byte]};
        walk->bits[token >> 6] |= 1ull << (token & 63);
        i++;
    }
}

void text_walk_below(struct text_walk *walk, uint32_t node, uint32_t state, uint32_t place) {
    const struct trie_node *first = &walk->trie->all.nodes[node];
    walk->at[0] = (struct walk_level){(uint16_t)state, (uint16_t)place, 0};
    walk_nodes(walk, node, node + first->size, first->depth - 1u);
}

uint32_t text_walk_looping(struct text_walk *walk, uint32_t state) {
    enum { FAR = 6, SHARE = 8 };
    const struct trie_kinds *kinds = &walk->trie->kinds;
    uint32_t taken = 0;
    if (!walk->states[state].looked) text_open_find(walk, state);
    if (walk->loops[state].far < FAR) return 0;
    for (uint32_t i = 0; i < kinds->n_paths; i++)
        if (!(kinds->paths[i].kinds & walk->loops[state].closed)) taken += kinds->paths[i].count;
    return taken > walk->trie->all.n / SHARE ? taken : 0;
}

void text_walk_all(struct text_walk *walk, uint32_t state, uint32_t place) {
    walk->aligned = place == ALPHABET_START;
    walk->clearing = walk->aligned && text_walk_looping(walk, state);
    walk->unset = walk->loops[state].closed;
    if (walk->clearing) {
        trie_text_without(walk->trie, walk->unset, walk->bits);
        walk->bits[walk->trie->n_words] = 0;
        walk->units += UNIT_BITMAPS * walk->trie->n_words;
    }
    walk->at[0] = (struct walk_level){(uint16_t)state, (uint16_t)place, 0};
    walk_nodes(walk, 1, walk->trie->all.n, 0);
    walk->clearing = false;
}

/* ---- in the order of lengths ---- */

struct in_trie {
    uint32_t node;
    uint16_t state, place;
};

struct queue {
    struct in_trie *of;
    uint32_t n, cap;
};

static void set_token(struct text_walk *walk, uint32_t token) {
    walk->bits[token >> 6] |= 1ull << (token & 63);
    if (token < walk->trie->n_words * 64) walk->found = true;
}

/* One byte needs no step: what is allowed is known. */
static void set_bytes(struct text_walk *walk, uint32_t state, uint32_t place) {
    const struct trie_tree *tree = &walk->trie->all;
    const struct alphabet *alphabet = &walk->stacks->network->alphabet;
    const uint64_t *allowed = stacks_allowed(walk->stacks, walk->states[state].at.shape);
    for (uint32_t i = 1; i < tree->n; i += tree->nodes[i].size) {
        uint32_t target = alphabet_step(alphabet, place, tree->nodes[i].byte);
        bool fine = target != ALPHABET_NONE &&
                    (target & ALPHABET_PLACE ? reaches(walk, state, target & ~ALPHABET_PLACE)
                                             : allowed[target / 64] >> target % 64 & 1);
        if (fine) set_token(walk, tree->nodes[i].token);
    }
}

/* At the limit; it does not hold before something was found. */
static bool stops(struct text_walk *walk) {
    if (!text_walk_is_over(walk) || walk->found) return text_walk_is_over(walk);
    walk->limit = UINT32_MAX;
    return walk->n_states == WALK_STATES;
}

/* The children of a node; adds those to the queue that have some, too. */
static void visit_children(struct text_walk *walk, struct queue *queue, struct in_trie here) {
    const struct trie_node *nodes = walk->trie->all.nodes;
    uint32_t end = here.node + nodes[here.node].size;
    for (uint32_t i = here.node + 1; i < end && !stops(walk); i += nodes[i].size) {
        uint32_t place = here.place, target = step_byte(walk, here.state, nodes[i].byte, &place);
        walk->units += UNIT_QUEUE;
        if (target >= WALK_SPECIAL) continue;
        set_token(walk, nodes[i].token);
        if (nodes[i].size == 1) continue;
        if (!vector_reserve((void **)&queue->of, &queue->cap, queue->n + 1, sizeof *queue->of)) {
            walk->stacks->failed = true;
            return;
        }
        queue->of[queue->n++] = (struct in_trie){i, (uint16_t)target, (uint16_t)place};
    }
}

void text_walk_short(struct text_walk *walk, uint32_t state, uint32_t place) {
    struct queue queue = {0};
    struct in_trie here = {0, (uint16_t)state, (uint16_t)place};
    memset(walk->bits, 0, (walk->trie->n_words + 1) * sizeof *walk->bits);
    set_bytes(walk, state, place);
    if (walk->dearest > walk->limit - walk->units && walk->found) return;
    visit_children(walk, &queue, here);
    for (uint32_t at = 0; at < queue.n && !stops(walk) && !walk->stacks->failed; at++)
        visit_children(walk, &queue, queue.of[at]);
    free(queue.of);
}
