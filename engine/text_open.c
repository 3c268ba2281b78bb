/* Which kinds of bytes loop: whatever of them follow, and however many, all is allowed. [a-z0-9]*
 * takes any number of digits and small letters. Found by trying all kinds, nearest states first,
 * and leaving out those that a state reached refuses. Where there are many states (a counter that
 * runs out soon) it holds for as many characters as were tried. */
#include <string.h>

#include "engine/text_walk.h"

enum {
    MEMBERS = 24, /* states that are tried; tokens have few characters more */
    ENOUGH = 3,   /* characters for which it is worth to know it */
    HEAVY = 20,   /* weight of kinds that are not left out to know it for more */
    SHARE = 6     /* of the limit, at most, is spent here */
};

struct search {
    struct text_walk *walk;
    uint16_t states[MEMBERS];
    uint8_t far[MEMBERS], by[MEMBERS]; /* how far off; the kind that led there first */
    uint32_t n, limit;                 /* limit: of characters */
    uint32_t begun;                    /* units before */
};

static unsigned weight(uint32_t kinds) {
    static const uint8_t weights[TRIE_PARTS] = {
        [TRIE_DIGIT] = 3,   [TRIE_HEX_SMALL] = 20, [TRIE_SMALL] = 30,      [TRIE_HEX_CAPITAL] = 4,
        [TRIE_CAPITAL] = 6, [TRIE_SPACE] = 25,     [TRIE_PUNCTUATION] = 4, [TRIE_LATIN] = 3,
        [TRIE_LETTERS] = 3, [TRIE_SCRIPTS] = 3,    [TRIE_HAN] = 4};
    unsigned sum = 0;
    for (; kinds; kinds &= kinds - 1) sum += weights[__builtin_ctz(kinds)] + 1u;
    return sum;
}

/* False: there is no room for it. */
static bool add_member(struct search *search, uint32_t state, uint32_t far, uint32_t kind) {
    for (uint32_t i = 0; i < search->n; i++)
        if (search->states[i] == state) return true;
    if (search->n == MEMBERS) return false;
    search->states[search->n] = (uint16_t)state;
    search->far[search->n] = (uint8_t)far;
    search->by[search->n++] = (uint8_t)kind;
    return true;
}

static bool is_dear(const struct search *search) {
    const struct text_walk *walk = search->walk;
    return walk->looked + walk->units - search->begun > walk->limit / SHARE;
}

/* Adds what a member leads to; returns the kinds that it refuses. */
static uint32_t expand(struct search *search, uint32_t member, uint32_t kinds) {
    const struct network *network = search->walk->stacks->network;
    uint32_t refused = 0, far = search->far[member] + 1u;
    for (uint32_t rest = kinds; rest; rest &= rest - 1) {
        uint32_t kind = (uint32_t)__builtin_ctz(rest);
        const struct network_kind *of = &network->kinds[kind];
        for (uint32_t i = 0; i < of->n && !(refused >> kind & 1); i++) {
            uint32_t target = text_walk_step(search->walk, search->states[member], of->classes[i]);
            search->walk->units += 2;
            if (is_dear(search)) return search->limit = far - 1, 0;
            if (target >= WALK_SPECIAL)
                refused |= 1u << kind;
            else if (!add_member(search, target, far, kind))
                search->limit = far - 1;
        }
    }
    return refused;
}

/* The kinds that may follow up to search->limit characters. */
static uint32_t run(struct search *search, uint32_t state, uint32_t kinds) {
    uint32_t refused;
    do {
        refused = 0;
        search->n = 0;
        search->limit = WALK_FAR;
        add_member(search, state, 0, 0);
        for (uint32_t i = 0; i < search->n && search->far[i] < search->limit && !refused; i++) {
            refused = expand(search, i, kinds);
            uint32_t by = 1u << search->by[i];
            if (weight(refused) >= HEAVY && search->far[i] >= ENOUGH) {
                search->limit = search->far[i];
                refused = 0;
            }
            if (i > 0 && weight(refused) > weight(by)) refused = by;
        }
        kinds &= ~refused;
    } while (refused && kinds && !text_walk_is_over(search->walk));
    return kinds;
}

/* Notes what holds for the members. What was found for one itself is kept. */
static void note(const struct search *search, uint32_t kinds) {
    for (uint32_t i = 0; i < search->n; i++) {
        const struct walk_state *state = &search->walk->states[search->states[i]];
        if (search->far[i] > search->limit) break; /* not tried */
        struct walk_loop *loop = &search->walk->loops[search->states[i]];
        if (i > 0 && (state->looked || weight(TRIE_FINE & ~loop->closed) > weight(kinds))) continue;
        loop->closed = TRIE_FINE & ~kinds;
        loop->far = search->limit == WALK_FAR ? WALK_FAR : search->limit - search->far[i];
    }
}

void text_open_find(struct text_walk *walk, uint32_t state) {
    struct search search = {.walk = walk, .begun = walk->units};
    uint32_t kinds = 0;
    for (uint32_t kind = 0; kind < TRIE_PARTS; kind++)
        if (walk->stacks->network->kinds[kind].n) kinds |= 1u << kind;
    walk->states[state].looked = true;
    if (is_dear(&search)) return;
    kinds = run(&search, state, kinds);
    walk->looked += walk->units - search.begun;
    if (!text_walk_is_over(walk) && kinds && search.limit) note(&search, kinds);
}
