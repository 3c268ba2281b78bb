#include <stdlib.h>
#include <string.h>

#include "engine/pattern_look.h"
#include "engine/pattern_tree.h"
#include "engine/vector.h"

/* States that no text tells apart, as blocks: they are split while one of a block leads to another
 * block than the rest of it does. */
struct blocks {
    uint32_t *of, *fresh; /* by state */
    uint32_t *first;      /* a state of each block */
    uint32_t *table, cap, n;
};

static void blocks_free(struct blocks *blocks) {
    free(blocks->of);
    free(blocks->fresh);
    free(blocks->first);
    free(blocks->table);
}

static bool blocks_open(const struct look_build *b, struct blocks *blocks) {
    uint32_t n = b->n_states;
    for (blocks->cap = 64; blocks->cap < 2 * n;) blocks->cap *= 2;
    blocks->of = malloc(n * sizeof *blocks->of);
    blocks->fresh = malloc(n * sizeof *blocks->fresh);
    blocks->first = malloc(n * sizeof *blocks->first);
    blocks->table = malloc(blocks->cap * sizeof *blocks->table);
    if (!blocks->of || !blocks->fresh || !blocks->first || !blocks->table) return false;
    for (uint32_t i = 0; i < n; i++) blocks->of[i] = b->states[i].accepts;
    return true;
}

static const uint16_t *row(const struct look_build *b, uint32_t state) {
    return b->next + (size_t)state * b->classes.n;
}

static uint32_t hash(const struct look_build *b, const struct blocks *blocks, uint32_t state) {
    const uint16_t *next = row(b, state);
    uint64_t hash = blocks->of[state];
    for (uint32_t c = 0; c < b->classes.n; c++)
        hash = (hash ^ blocks->of[next[c]]) * 0x9E3779B97F4A7C15ull, hash ^= hash >> 29;
    return (uint32_t)(hash ^ hash >> 32);
}

static bool alike(const struct look_build *b, const struct blocks *blocks, uint32_t one,
                  uint32_t other) {
    const uint16_t *next = row(b, one), *others = row(b, other);
    if (blocks->of[one] != blocks->of[other]) return false;
    for (uint32_t c = 0; c < b->classes.n; c++)
        if (blocks->of[next[c]] != blocks->of[others[c]]) return false;
    return true;
}

static void split(const struct look_build *b, struct blocks *blocks) {
    blocks->n = 0;
    memset(blocks->table, 0xFF, blocks->cap * sizeof *blocks->table);
    for (uint32_t i = 0; i < b->n_states; i++) {
        uint32_t at = hash(b, blocks, i) & (blocks->cap - 1);
        for (; blocks->table[at] != UINT32_MAX; at = (at + 1) & (blocks->cap - 1))
            if (alike(b, blocks, blocks->first[blocks->table[at]], i)) break;
        if (blocks->table[at] == UINT32_MAX) {
            blocks->first[blocks->n] = i;
            blocks->table[at] = blocks->n++;
        }
        blocks->fresh[i] = blocks->table[at];
    }
    uint32_t *swap = blocks->of;
    blocks->of = blocks->fresh;
    blocks->fresh = swap;
}

/* Until nothing is split any more. */
static bool find_blocks(struct look_build *b, struct blocks *blocks) {
    if (!blocks_open(b, blocks)) {
        b->result = PATTERN_MEMORY;
        return false;
    }
    for (uint32_t before = 0;; before = blocks->n) {
        split(b, blocks);
        b->work += (uint64_t)b->n_states * (b->classes.n + 2);
        if (b->work > b->budget) b->result = PATTERN_TOO_LARGE;
        if (b->result != PATTERN_OK || blocks->n == before) return b->result == PATTERN_OK;
    }
}

/* ---- as plain states ---- */

static uint32_t add_state(struct look_build *b, uint32_t first, enum pattern_op op, uint32_t set,
                          uint32_t out, uint32_t other) {
    struct pattern_pool *pool = b->pool;
    if (b->result != PATTERN_OK) return 0;
    if (pool->n_states - first >= PATTERN_STATES)
        b->result = PATTERN_TOO_LARGE;
    else if (!vector_reserve((void **)&pool->states, &pool->cap_states, pool->n_states + 1,
                             sizeof *pool->states))
        b->result = PATTERN_MEMORY;
    if (b->result != PATTERN_OK) return 0;
    pool->states[pool->n_states] =
        (struct pattern_state){.op = (uint8_t)op, .set = set, .out = out, .other = other};
    return pool->n_states++;
}

/* Does every text from here do, or none? */
static bool is_last(const struct look_build *b, const struct blocks *blocks, uint32_t block) {
    const uint16_t *next = row(b, blocks->first[block]);
    for (uint32_t c = 0; c < b->classes.n; c++)
        if (blocks->of[next[c]] != block) return false;
    return true;
}

static uint32_t finish_set(struct look_build *b, uint32_t first) {
    if (b->result != PATTERN_OK) return 0;
    uint32_t set = pattern_set_finish(b->pool, first, false);
    if (set == PATTERN_NONE) b->result = PATTERN_MEMORY;
    return set;
}

/* The characters that lead from the block to another. */
static uint32_t set_between(struct look_build *b, const struct blocks *blocks, uint32_t from,
                            uint32_t to) {
    const uint16_t *next = row(b, blocks->first[from]);
    const struct look_classes *classes = &b->classes;
    uint32_t first = b->pool->n_ranges;
    b->work += classes->n_bounds;
    if (b->work > b->budget) b->result = PATTERN_TOO_LARGE;
    for (uint32_t i = 0; i < classes->n_bounds && b->result == PATTERN_OK; i++) {
        uint32_t end = i + 1 < classes->n_bounds ? classes->bounds[i + 1] : 0x110000;
        if (blocks->of[next[classes->of[i]]] != to) continue;
        if (!pattern_set_range(b->pool, classes->bounds[i], end - 1)) b->result = PATTERN_MEMORY;
    }
    return finish_set(b, first);
}

static bool seen_before(const struct look_build *b, const struct blocks *blocks, uint32_t from,
                        uint32_t class) {
    const uint16_t *next = row(b, blocks->first[from]);
    for (uint32_t c = 0; c < class; c++)
        if (blocks->of[next[c]] == blocks->of[next[class]]) return true;
    return false;
}

/* Blocks begin at the states after the match, in their order. */
static void write_block(struct look_build *b, const struct blocks *blocks, uint32_t block,
                        uint32_t match) {
    const uint16_t *next = row(b, blocks->first[block]);
    bool accepts = b->states[blocks->first[block]].accepts, last = is_last(b, blocks, block);
    uint32_t way = PATTERN_NONE;
    if (last && accepts) way = match;
    if (!last && accepts) way = add_state(b, match, PATTERN_FINISH, 0, match, 0);
    for (uint32_t c = 0; !last && c < b->classes.n && b->result == PATTERN_OK; c++) {
        uint32_t to = blocks->of[next[c]];
        bool dead = is_last(b, blocks, to) && !b->states[blocks->first[to]].accepts;
        if (dead || seen_before(b, blocks, block, c)) continue;
        uint32_t take =
            add_state(b, match, PATTERN_CHAR, set_between(b, blocks, block, to), match + 1 + to, 0);
        way = way == PATTERN_NONE ? take : add_state(b, match, PATTERN_SPLIT, 0, take, way);
    }
    if (way == PATTERN_NONE) /* nothing matches */
        way = add_state(b, match, PATTERN_CHAR, finish_set(b, b->pool->n_ranges), match, 0);
    if (b->result == PATTERN_OK)
        b->pool->states[match + 1 + block].out = b->pool->states[match + 1 + block].other = way;
}

void look_write(struct look_build *b, struct pattern_automaton *automaton) {
    struct blocks blocks = {0};
    if (find_blocks(b, &blocks)) {
        uint32_t match = add_state(b, b->pool->n_states, PATTERN_MATCH, 0, 0, 0);
        for (uint32_t i = 0; i < blocks.n; i++) add_state(b, match, PATTERN_SPLIT, 0, match, match);
        for (uint32_t i = 0; i < blocks.n && b->result == PATTERN_OK; i++)
            write_block(b, &blocks, i, match);
        *automaton = (struct pattern_automaton){.start = match + 1 + blocks.of[0],
                                                .first = match,
                                                .end = b->pool->n_states,
                                                .anchored = true};
    }
    blocks_free(&blocks);
}
