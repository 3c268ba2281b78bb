#include "engine/pattern_look.h"

#include <stdlib.h>
#include <string.h>

#include "engine/pattern_tree.h"
#include "engine/vector.h"

enum { MAX_CLASSES = 200 };

/* ---- classes ---- */

static int compare(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

/* The sets that the program uses, that of \w among them if it has word boundaries, as a row of
 * bytes. False without memory. */
static bool used_sets(struct look_build *b, uint32_t *word, uint8_t **used) {
    struct pattern_pool *pool = b->pool;
    uint32_t first = pool->n_ranges;
    if (b->edges) {
        bool added = pattern_set_range(pool, '0', '9') && pattern_set_range(pool, 'A', 'Z') &&
                     pattern_set_range(pool, '_', '_') && pattern_set_range(pool, 'a', 'z');
        *word = added ? pattern_set_finish(pool, first, false) : PATTERN_NONE;
        if (*word == PATTERN_NONE) return false;
    }
    *used = calloc(pool->n_sets + 1, 1);
    if (!*used) return false;
    if (b->edges) (*used)[*word] = 1;
    for (uint32_t i = 0; i < b->program->n_states; i++)
        if (b->program->states[i].op == PATTERN_CHAR) (*used)[b->program->states[i].set] = 1;
    return true;
}

static bool find_bounds(struct look_build *b, const uint8_t *used) {
    const struct pattern_pool *pool = b->pool;
    uint32_t *bounds = malloc((2 * (size_t)pool->n_ranges + 1) * sizeof *bounds), n = 0, kept = 1;
    if (!bounds) return false;
    bounds[n++] = 0;
    for (uint32_t i = 0; i < pool->n_sets; i++)
        for (uint32_t r = 0; used[i] && r < pool->sets[i].n; r++) {
            const struct pattern_range *range = &pool->ranges[pool->sets[i].first + r];
            bounds[n++] = range->from;
            if (range->to < 0x10FFFF) bounds[n++] = range->to + 1;
        }
    qsort(bounds, n, sizeof *bounds, compare);
    for (uint32_t i = 1; i < n; i++)
        if (bounds[i] != bounds[kept - 1]) bounds[kept++] = bounds[i];
    b->classes.bounds = bounds;
    b->classes.n_bounds = kept;
    b->work += kept;
    return true;
}

/* Which intervals does the set hold? */
static void find_inside(struct look_build *b, const struct pattern_set *set, uint8_t *inside) {
    const struct pattern_range *range = b->pool->ranges + set->first, *end = range + set->n;
    for (uint32_t i = 0; i < b->classes.n_bounds; i++) {
        uint32_t at = b->classes.bounds[i];
        while (range < end && range->to < at) range++;
        inside[i] = range < end && range->from <= at;
    }
    b->work += b->classes.n_bounds / 4;
}

/* Splits the classes that hold characters inside and outside. */
static void split_classes(struct look_build *b, const uint8_t *inside) {
    struct look_classes *classes = &b->classes;
    uint16_t fresh[256][2];
    uint32_t n = 0;
    memset(fresh, 0xFF, sizeof fresh);
    for (uint32_t i = 0; i < classes->n_bounds; i++) {
        uint16_t *to = &fresh[classes->of[i]][inside[i]];
        if (*to == 0xFFFF) *to = (uint16_t)n++;
        if (n > MAX_CLASSES) {
            b->result = PATTERN_TOO_LARGE;
            return;
        }
        classes->of[i] = (uint8_t)*to;
    }
    classes->n = n;
}

static bool mark_members(struct look_build *b, const uint8_t *used, uint32_t word,
                         uint8_t *inside) {
    struct look_classes *classes = &b->classes;
    classes->words = classes->n / 64 + 1;
    classes->member = calloc((size_t)b->pool->n_sets * classes->words + 1, sizeof *classes->member);
    for (uint32_t i = 0; classes->member && i < b->pool->n_sets; i++) {
        if (!used[i]) continue;
        uint64_t *row = classes->member + (size_t)i * classes->words;
        find_inside(b, &b->pool->sets[i], inside);
        for (uint32_t k = 0; k < classes->n_bounds; k++)
            if (inside[k]) row[classes->of[k] / 64] |= 1ull << classes->of[k] % 64;
        for (uint32_t c = 0; b->edges && i == word && c < classes->n; c++)
            classes->word[c] = row[c / 64] >> c % 64 & 1;
    }
    return classes->member;
}

static bool find_classes(struct look_build *b) {
    struct look_classes *classes = &b->classes;
    uint8_t *used = NULL, *inside = NULL;
    uint32_t word = PATTERN_NONE;
    bool made = used_sets(b, &word, &used) && find_bounds(b, used);
    if (made) {
        classes->of = calloc(classes->n_bounds, 1);
        inside = malloc(classes->n_bounds);
        made = classes->of && inside;
        classes->n = 1;
    }
    for (uint32_t i = 0; made && i < b->pool->n_sets && b->result == PATTERN_OK; i++) {
        if (!used[i]) continue;
        if (b->work > b->budget) b->result = PATTERN_TOO_LARGE;
        find_inside(b, &b->pool->sets[i], inside);
        split_classes(b, inside);
    }
    made = made && (b->result != PATTERN_OK || mark_members(b, used, word, inside));
    free(used);
    free(inside);
    return made;
}

/* ---- states ---- */

static const uint64_t *set_of(const struct look_build *b, const struct look_state *state) {
    return b->made + state->at;
}

static uint32_t hash_state(const struct look_build *b, const struct look_state *state) {
    const uint64_t *words = set_of(b, state);
    uint64_t hash = state->flags;
    for (uint32_t i = 0; i < (state->n + 1) * b->words; i++)
        hash = (hash ^ words[i]) * 0x9E3779B97F4A7C15ull, hash ^= hash >> 29;
    return (uint32_t)(hash ^ hash >> 32);
}

static bool same(const struct look_build *b, const struct look_state *one,
                 const struct look_state *other) {
    return one->n == other->n && one->flags == other->flags &&
           memcmp(set_of(b, one), set_of(b, other), (one->n + 1) * b->words * sizeof *b->made) == 0;
}

/* In one order, whichever they came in. */
static void sort_ways(struct look_build *b, uint64_t *ways, uint32_t n) {
    uint32_t words = b->words;
    size_t size = words * sizeof *ways;
    for (uint32_t i = 1; i < n; i++)
        for (uint32_t k = i; k > 0; k--) {
            uint64_t *one = ways + (size_t)(k - 1) * words, *other = one + words;
            if (memcmp(one, other, size) <= 0) break;
            memcpy(b->base, one, size);
            memcpy(one, other, size);
            memcpy(other, b->base, size);
            b->work += words;
        }
}

static bool reserve(struct look_build *b, uint32_t ways) {
    uint32_t n = b->n_states + 1;
    if (n > LOOK_MADE || b->work > b->budget) b->result = PATTERN_TOO_LARGE;
    if (b->result == PATTERN_OK &&
        !(vector_reserve((void **)&b->states, &b->cap_states, n, sizeof *b->states) &&
          vector_reserve((void **)&b->made, &b->cap_made, b->n_made + (ways + 1) * b->words,
                         sizeof *b->made) &&
          vector_reserve((void **)&b->next, &b->cap_next, n * b->classes.n, sizeof *b->next)))
        b->result = PATTERN_MEMORY;
    return b->result == PATTERN_OK;
}

/* The state of these ways, found or made. */
static uint16_t intern(struct look_build *b, struct look_ways ways, const uint64_t *behind,
                       uint8_t flags) {
    size_t size = b->words * sizeof *b->made;
    if (!reserve(b, ways.n)) return 0;
    struct look_state state = {.at = b->n_made, .n = ways.n, .flags = flags};
    uint64_t *to = b->made + b->n_made;
    memcpy(to, behind, size);
    if (ways.n) memcpy(to + b->words, b->arena + ways.at, ways.n * size);
    sort_ways(b, to + b->words, ways.n);
    uint32_t at = hash_state(b, &state) & (b->table_cap - 1);
    for (; b->table[at] != UINT32_MAX; at = (at + 1) & (b->table_cap - 1))
        if (same(b, &b->states[b->table[at]], &state)) return (uint16_t)b->table[at];
    b->table[at] = b->n_states;
    b->n_made += (ways.n + 1) * b->words;
    b->states[b->n_states] = state;
    return (uint16_t)b->n_states++;
}

/* After a match that nothing can undo, what was before does not matter. */
static bool is_settled(const struct look_build *b, struct look_ways ways) {
    for (uint32_t i = 0; ways.n == 1 && i < b->words; i++)
        if (b->arena[ways.at + i]) return false;
    return ways.n == 1;
}

static uint16_t follow(struct look_build *b, uint32_t state, uint32_t class, uint64_t *behind) {
    struct look_state from = b->states[state];
    struct look_ways ways = look_step(b, &from, class, behind);
    bool settled = is_settled(b, ways) && b->result == PATTERN_OK;
    bool lost = ways.n == 0 && b->program->anchored;
    if (settled || lost) memset(behind, 0, b->words * sizeof *behind);
    uint8_t word = b->edges && b->classes.word[class] && !settled && !lost ? LOOK_AFTER_WORD : 0;
    return intern(b, ways, behind, word);
}

static void make_states(struct look_build *b, uint64_t *behind) {
    memset(behind, 0, b->words * sizeof *behind);
    b->base[b->program->start / 64] |= 1ull << b->program->start % 64;
    memcpy(b->arena, b->base, b->words * sizeof *b->base);
    intern(b, (struct look_ways){0, 1}, behind, LOOK_BEGIN);
    for (uint32_t i = 0; i < b->n_states && b->result == PATTERN_OK; i++) {
        for (uint32_t class = 0; class < b->classes.n && b->result == PATTERN_OK; class ++) {
            uint16_t next = follow(b, i, class, behind);
            b->next[(size_t)i * b->classes.n + class] = next;
        }
        if (b->result != PATTERN_OK) return;
        struct look_state from = b->states[i];
        b->states[i].accepts = look_step(b, &from, LOOK_END, behind).n > 0;
    }
}

/* ---- everything ---- */

static bool prepare(struct look_build *b) {
    uint32_t n = b->program->n_states;
    b->words = n / 64 + 1;
    b->table_cap = 2 * LOOK_MADE;
    b->arena = malloc(LOOK_ARENA * sizeof *b->arena);
    b->memo = calloc(n, sizeof *b->memo);
    b->memo_round = calloc(n, sizeof *b->memo_round);
    b->visits = malloc(LOOK_VISITS * sizeof *b->visits);
    b->newest = calloc(n, sizeof *b->newest);
    b->newest_walk = calloc(n, sizeof *b->newest_walk);
    b->parts = malloc(LOOK_VISITS * sizeof *b->parts);
    b->single = calloc(b->words, sizeof *b->single);
    b->base = calloc(b->words, sizeof *b->base);
    b->table = malloc(b->table_cap * sizeof *b->table);
    if (b->table) memset(b->table, 0xFF, b->table_cap * sizeof *b->table);
    for (uint32_t i = 0; i < n; i++) b->edges |= b->program->states[i].op == PATTERN_EDGE;
    return b->arena && b->memo && b->memo_round && b->visits && b->newest && b->newest_walk &&
           b->parts && b->single && b->base && b->table;
}

static void dispose(struct look_build *b) {
    void *const owned[] = {b->classes.bounds, b->classes.of, b->classes.member, b->arena,
                           b->memo,           b->memo_round, b->visits,         b->newest,
                           b->newest_walk,    b->parts,      b->single,         b->base,
                           b->states,         b->made,       b->table,          b->next};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) free(owned[i]);
}

enum pattern_result look_lower(struct pattern_pool *pool, const struct look_program *program,
                               struct pattern_automaton *automaton) {
    struct look_build b = {.program = program, .pool = pool, .budget = *pool->budget};
    if (program->n_states > LOOK_STATES) return PATTERN_TOO_LARGE;
    uint64_t *behind = calloc(program->n_states / 64 + 1, sizeof *behind);
    if (!behind || !prepare(&b) || !find_classes(&b)) b.result = PATTERN_MEMORY;
    if (b.result == PATTERN_OK) make_states(&b, behind);
    if (b.result == PATTERN_OK) look_write(&b, automaton);
    *pool->budget -= b.work < *pool->budget ? b.work : *pool->budget;
    free(behind);
    dispose(&b);
    return b.result;
}
