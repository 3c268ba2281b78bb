#include <stdlib.h>
#include <string.h>

#include "engine/language.h"
#include "engine/vector.h"

enum { MAX_CLASSES = 250, CLOSURE_WORDS = 17 };

/* The subset construction. A state is a set of pattern states (as bits) and the number of
 * characters read, as far as the length needs it. */
struct builder {
    struct language *language;
    const struct pattern_pool *pool;
    struct pattern_automaton automata[LANGUAGE_PATTERNS];
    uint32_t owner[LANGUAGE_PATTERNS]; /* the pattern of an automaton */
    bool alone[LANGUAGE_PATTERNS];     /* it has no other */
    uint32_t n, n_patterns;
    const struct language_length *length;
    struct language_outlook outlook;
    uint32_t words;    /* of a set, the count included as the last */
    uint64_t *sets;    /* one for each state */
    uint64_t *restart; /* what a search begins anew with */
    uint64_t *keep;    /* states that tell sets apart: no forks */
    uint64_t *finish;  /* states that only the text's end passes */
    uint64_t *match;   /* states that stay */
    uint64_t *member;  /* [set * class words]: does the set hold the class? */
    uint64_t *closures; /* of a character's state: what follows it; zeros: not known yet. NULL: too large */
    uint32_t class_words;
    uint32_t *stack, *table, table_cap;
    uint32_t cap_sets, cap_next, cap_labels;
    uint64_t work, budget;
    enum pattern_result result;
};

/* ---- classes: characters that no set tells apart ---- */

static int compare(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

/* Where the sets, UTF-8 and JSON begin to treat characters differently. */
static bool collect_bounds(struct language *language, const struct pattern_pool *pool) {
    static const uint32_t fixed[] = {0,    1,     8,      9,      11,     12,   13,
                                     14,   0x20,  0x22,   0x23,   0x5C,   0x5D, 0x7F,
                                     0x80, 0x800, 0xD800, 0xE000, 0x10000};
    uint32_t n = 0, kept = 0, n_fixed = sizeof fixed / sizeof *fixed;
    language->bounds = malloc((2 * (size_t)pool->n_ranges + n_fixed) * sizeof *language->bounds);
    if (!language->bounds) return false;
    for (uint32_t i = 0; i < n_fixed; i++) language->bounds[n++] = fixed[i];
    for (uint32_t i = 0; i < pool->n_sets; i++)
        for (uint32_t r = 0; r < pool->sets[i].n; r++) {
            const struct pattern_range *range = &pool->ranges[pool->sets[i].first + r];
            language->bounds[n++] = range->from;
            if (range->to < 0x10FFFF) language->bounds[n++] = range->to + 1;
        }
    qsort(language->bounds, n, sizeof *language->bounds, compare);
    for (uint32_t i = 0; i < n; i++)
        if (kept == 0 || language->bounds[kept - 1] != language->bounds[i])
            language->bounds[kept++] = language->bounds[i];
    language->n_bounds = kept;
    return true;
}

/* Where a character that is one of the bounds stands among them. */
static uint32_t bound_at(const struct language *language, uint32_t character) {
    uint32_t low = 0, high = language->n_bounds;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (language->bounds[middle] < character)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Which sets hold an interval, as a row of bits for each. */
static void mark_sets(const struct language *language, const struct pattern_pool *pool,
                      uint64_t *rows, uint32_t row) {
    for (uint32_t set = 0; set < pool->n_sets; set++)
        for (uint32_t r = 0; r < pool->sets[set].n; r++) {
            const struct pattern_range *range = &pool->ranges[pool->sets[set].first + r];
            for (uint32_t i = bound_at(language, range->from);
                 i < language->n_bounds && language->bounds[i] <= range->to; i++)
                rows[(size_t)i * row + set / 64] |= 1ull << set % 64;
        }
}

static uint8_t cost_of(uint32_t character) {
    if (character >= 0x80) return character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    if (character == '"' || character == '\\') return 2;
    if (character >= 0x20) return 1;
    return (character >= 8 && character <= 10) || character == 12 || character == 13 ? 2 : 6;
}

/* Intervals with the same membership in all sets become one class. Costs differ within a class only
 * downwards: the cheapest counts. */
static bool merge_intervals(struct builder *b) {
    struct language *language = b->language;
    uint32_t n = language->n_bounds, row = b->pool->n_sets / 64 + 1, classes = 0;
    uint64_t *rows = calloc((size_t)n * row + 1, sizeof *rows), *mine = rows;
    uint32_t found[MAX_CLASSES + 1]; /* a class's first interval */
    if (!rows) return false;
    mark_sets(language, b->pool, rows, row);
    for (uint32_t i = 0; i < n; i++, mine += row) {
        uint32_t at = language->bounds[i], class = 0;
        language->classes[i] = LANGUAGE_NO_CLASS;
        if (at == 0 || (at >= 0xD800 && at < 0xE000)) continue;
        while (class < classes &&
               memcmp(rows + (size_t)found[class] * row, mine, row * sizeof *mine) != 0)
            class ++;
        if (class == classes) found[classes++] = i;
        if (classes > MAX_CLASSES) b->result = PATTERN_TOO_LARGE;
        if (b->result != PATTERN_OK) break;
        language->classes[i] = (uint8_t) class;
        uint8_t cost = cost_of(at);
        if (language->cost[class] == 0 || cost < language->cost[class])
            language->cost[class] = cost;
    }
    b->work += (uint64_t)n * b->pool->n_sets;
    language->n_classes = classes;
    b->class_words = classes / 64 + 1;
    b->member = calloc((size_t)b->pool->n_sets * b->class_words + 1, sizeof *b->member);
    for (uint32_t class = 0; b->member && class < classes; class ++)
        for (uint32_t set = 0; set < b->pool->n_sets; set++)
            if (rows[(size_t)found[class] * row + set / 64] >> set % 64 & 1)
                b->member[set * b->class_words + class / 64] |= 1ull << class % 64;
    free(rows);
    return b->member;
}

static bool build_classes(struct builder *b) {
    struct language *language = b->language;
    if (!collect_bounds(language, b->pool)) return false;
    if ((uint64_t)language->n_bounds * b->pool->n_sets > b->budget) {
        b->result = PATTERN_TOO_LARGE;
        return true;
    }
    language->classes = malloc(language->n_bounds);
    language->cost = calloc(MAX_CLASSES + 2, 1);
    if (!language->classes || !language->cost || !merge_intervals(b)) return false;
    for (uint32_t i = 0, c = 0; c < 128; c++) {
        while (i + 1 < language->n_bounds && language->bounds[i + 1] <= c) i++;
        language->ascii[c] = language->classes[i];
    }
    return true;
}

/* ---- sets of pattern states ---- */

static bool has(const uint64_t *set, uint32_t state) {
    return set[state >> 6] >> (state & 63) & 1;
}

/* Adds a state and what follows it without a character. BEGIN is passed only at the beginning,
 * FINISH only when the text ends. */
static void close_over(struct builder *b, uint64_t *set, uint32_t state, bool begin, bool finish) {
    uint32_t top = 0;
    b->stack[top++] = state;
    while (top) {
        state = b->stack[--top];
        const struct pattern_state *at = &b->pool->states[state];
        if (has(set, state)) continue;
        set[state >> 6] |= 1ull << (state & 63);
        b->work++;
        if (at->op == PATTERN_SPLIT) {
            b->stack[top++] = at->other;
            b->stack[top++] = at->out;
        } else if ((at->op == PATTERN_BEGIN && begin) || (at->op == PATTERN_FINISH && finish)) {
            b->stack[top++] = at->out;
        }
    }
}

/* Adds what follows a character's state. The work is that of finding it once more. */
static void follow_state(struct builder *b, uint64_t *set, uint32_t state) {
    uint32_t out = b->pool->states[state].out, n = b->words - 1;
    if (!b->closures) {
        close_over(b, set, out, false, false);
        return;
    }
    uint64_t *closure = b->closures + (size_t)state * n;
    if (!has(closure, out)) close_over(b, closure, out, false, false);
    for (uint32_t word = 0; word < n; word++) set[word] |= closure[word];
    b->work += n;
}

/* The bits of a word of states that lie in [from, end), some of which do. */
static uint64_t within(uint32_t word, uint32_t from, uint32_t end) {
    uint64_t bits = UINT64_MAX;
    if (from > word * 64) bits &= UINT64_MAX << (from - word * 64);
    if (end < word * 64 + 64) bits &= ~(UINT64_MAX << (end - word * 64));
    return bits;
}

static bool any_of(const uint64_t *set, uint32_t from, uint32_t end) {
    for (uint32_t word = from / 64; word * 64 < end; word++)
        if (set[word] & within(word, from, end)) return true;
    return false;
}

/* Forks are only passed through and do not tell sets apart. The first state of an automaton is its
 * MATCH: once there, nothing else of it matters. */
static void tidy(const struct builder *b, uint64_t *set) {
    for (uint32_t i = 0; i < b->n; i++) {
        uint32_t match = b->automata[i].first;
        if (!has(set, match)) continue;
        for (uint32_t word = match / 64; word * 64 < b->automata[i].end; word++)
            set[word] &= ~within(word, match, b->automata[i].end);
        set[match / 64] |= 1ull << match % 64;
    }
    for (uint32_t word = 0; word + 1 < b->words; word++) set[word] &= b->keep[word];
}

static void mark_kept(struct builder *b) {
    for (uint32_t state = 0; state < b->pool->n_states; state++) {
        uint8_t op = b->pool->states[state].op;
        if (op == PATTERN_CHAR || op == PATTERN_FINISH || op == PATTERN_MATCH)
            b->keep[state / 64] |= 1ull << state % 64;
        if (op == PATTERN_FINISH) b->finish[state / 64] |= 1ull << state % 64;
        if (op == PATTERN_MATCH) b->match[state / 64] |= 1ull << state % 64;
    }
}

static void initial_set(struct builder *b, uint64_t *set) {
    memset(set, 0, b->words * sizeof *set);
    for (uint32_t i = 0; i < b->n; i++) {
        close_over(b, set, b->automata[i].start, true, false);
        if (!b->automata[i].anchored) close_over(b, b->restart, b->automata[i].start, false, false);
    }
    tidy(b, set);
}

/* Can no wanted string come of the set? A needed pattern has lost all its states, or one that is
 * refused has matched, for good. A pattern of several automata is judged at the end. */
static bool hopeless(const struct builder *b, const uint64_t *set) {
    for (uint32_t i = 0; i < b->n; i++) {
        const struct pattern_automaton *automaton = &b->automata[i];
        uint32_t owner = 1u << b->owner[i];
        if (automaton->negated) continue;
        if ((b->outlook.refused & owner) && b->alone[i] && has(set, automaton->first)) return true;
        if ((b->outlook.needed & owner) && !any_of(set, automaton->first, automaton->end))
            return true;
    }
    return false;
}

/* Patterns that have matched for good, or can't match any more. */
static void settled(const struct builder *b, const uint64_t *set, uint32_t *holds,
                    uint32_t *fails) {
    for (uint32_t i = 0; i < b->n; i++) {
        const struct pattern_automaton *automaton = &b->automata[i];
        if (automaton->negated) continue;
        if (b->alone[i] && has(set, automaton->first)) *holds |= 1u << b->owner[i];
        if (!any_of(set, automaton->first, automaton->end)) *fails |= 1u << b->owner[i];
    }
}

/* Keeps only what has matched. */
static void forget_rest(const struct builder *b, uint64_t *set) {
    for (uint32_t word = 0; word + 1 < b->words; word++) set[word] &= b->match[word];
}

/* As the outlook's judge sees the set. False: nothing that is wanted can follow. */
static bool judged(struct builder *b, uint64_t *set) {
    uint32_t holds = 0, fails = 0;
    if (!b->outlook.judge) return true;
    settled(b, set, &holds, &fails);
    b->work += b->outlook.cost;
    int verdict = b->outlook.judge(holds, fails, b->outlook.user);
    if (verdict > 0) forget_rest(b, set);
    return verdict >= 0;
}

/* What a state's successors depend on: which of its characters' sets hold the class. */
struct fan {
    uint64_t of[MAX_CLASSES]; /* by class */
    uint32_t states[64], n;   /* that take a character */
    uint64_t held[8]; /* found before, with the state they lead to */
    uint16_t next[8];
    uint32_t n_known;
};

static void fan_mark(const struct builder *b, struct fan *fan, uint32_t set) {
    const uint64_t *member = b->member + set * b->class_words;
    for (uint32_t word = 0; word < b->class_words; word++)
        for (uint64_t rest = member[word]; rest; rest &= rest - 1)
            fan->of[word * 64 + (uint32_t)__builtin_ctzll(rest)] |= 1ull << fan->n;
}

/* False: there are too many characters to tell. */
static bool fan_open(const struct builder *b, const uint64_t *set, struct fan *fan) {
    fan->n = fan->n_known = 0;
    memset(fan->of, 0, b->language->n_classes * sizeof *fan->of);
    for (uint32_t word = 0; word + 1 < b->words; word++)
        for (uint64_t rest = set[word]; rest; rest &= rest - 1) {
            uint32_t state = word * 64 + (uint32_t)__builtin_ctzll(rest);
            if (b->pool->states[state].op != PATTERN_CHAR) continue;
            if (fan->n == 64) return false;
            fan_mark(b, fan, b->pool->states[state].set);
            fan->states[fan->n++] = state;
        }
    return true;
}

/* Follows the states that take a class, of which there are too many for a fan. */
static void follow_many(struct builder *b, const uint64_t *from, uint32_t class, uint64_t *to) {
    for (uint32_t word = 0; word + 1 < b->words; word++)
        for (uint64_t rest = from[word]; rest; rest &= rest - 1) {
            uint32_t state = word * 64 + (uint32_t)__builtin_ctzll(rest);
            const struct pattern_state *at = &b->pool->states[state];
            if (at->op == PATTERN_CHAR && has(b->member + at->set * b->class_words, class))
                follow_state(b, to, state);
        }
}

/* fan: NULL if there is none. False: the length is exceeded, or nothing that is wanted can follow. */
static bool successor(struct builder *b, const uint64_t *from, const struct fan *fan,
                      uint32_t class, uint64_t *to) {
    uint64_t count = from[b->words - 1];
    to[b->words - 1] = 0;
    if (b->length) {
        uint64_t most = b->length->max;
        if (most != LANGUAGE_INFINITE && count >= most) return false;
        to[b->words - 1] = most != LANGUAGE_INFINITE || count < b->length->min ? count + 1 : count;
    }
    for (uint32_t word = 0; word + 1 < b->words; word++)
        to[word] = (from[word] & b->match[word]) | b->restart[word];
    for (uint64_t rest = fan ? fan->of[class] : 0; rest; rest &= rest - 1)
        follow_state(b, to, fan->states[__builtin_ctzll(rest)]);
    if (!fan) follow_many(b, from, class, to);
    b->work += b->words;
    tidy(b, to);
    return !hopeless(b, to) && judged(b, to);
}

/* Does an automaton match if the text ends in the set? Ends are passed from there; what else is in
 * the set stays. */
static bool matches(struct builder *b, const struct pattern_automaton *automaton,
                    const uint64_t *set, uint64_t *scratch) {
    uint32_t first = automaton->first / 64, end = (automaton->end + 63) / 64;
    uint64_t ends = 0;
    for (uint32_t word = first; word < end; word++) {
        uint64_t own = set[word] & within(word, automaton->first, automaton->end);
        scratch[word] = own & ~b->finish[word];
        ends |= own & b->finish[word];
    }
    b->work += end - first;
    for (uint32_t word = first; word < end && ends; word++) {
        uint64_t rest = set[word] & b->finish[word] & within(word, automaton->first, automaton->end);
        for (; rest; rest &= rest - 1) {
            uint32_t state = word * 64 + (uint32_t)__builtin_ctzll(rest);
            close_over(b, scratch, b->pool->states[state].out, false, true);
        }
    }
    return has(scratch, automaton->first); /* its own states lie in the words from `first` on */
}

static uint32_t label_of(struct builder *b, const uint64_t *set, uint64_t *scratch) {
    uint32_t label = (1u << b->n_patterns) - 1;
    uint64_t count = set[b->words - 1];
    if (b->length && count < b->length->min) return LANGUAGE_INFINITE;
    for (uint32_t i = 0; i < b->n; i++)
        if (matches(b, &b->automata[i], set, scratch) == b->automata[i].negated)
            label &= ~(1u << b->owner[i]);
    return label;
}

/* ---- states ---- */

static uint32_t hash_set(const struct builder *b, const uint64_t *set) {
    uint64_t hash = 5;
    for (uint32_t word = 0; word < b->words; word++)
        hash = (hash ^ set[word]) * 0x9E3779B97F4A7C15ull, hash ^= hash >> 29;
    return (uint32_t)(hash ^ hash >> 32);
}

static bool grow_table(struct builder *b) {
    uint32_t cap = b->table_cap ? b->table_cap * 2 : 64;
    uint32_t *table = malloc(cap * sizeof *table);
    if (!table) return false;
    memset(table, 0xFF, cap * sizeof *table);
    for (uint32_t i = 0; i < b->language->n_states; i++) {
        uint32_t at = hash_set(b, b->sets + (size_t)i * b->words) & (cap - 1);
        while (table[at] != UINT32_MAX) at = (at + 1) & (cap - 1);
        table[at] = i;
    }
    free(b->table);
    b->table = table;
    b->table_cap = cap;
    return true;
}

static bool reserve_state(struct builder *b) {
    struct language *language = b->language;
    uint32_t n = language->n_states + 2;
    if (n > LANGUAGE_STATES || (uint64_t)n * b->words > (1u << 20) ||
        (uint64_t)n * language->n_classes > (1u << 21) || b->work > b->budget) {
        b->result = PATTERN_TOO_LARGE;
        return false;
    }
    if (vector_reserve((void **)&b->sets, &b->cap_sets, n * b->words, sizeof *b->sets) &&
        vector_reserve((void **)&language->next, &b->cap_next, n * language->n_classes,
                       sizeof *language->next) &&
        vector_reserve((void **)&language->labels, &b->cap_labels, n, sizeof *language->labels) &&
        (n * 2 <= b->table_cap || grow_table(b)))
        return true;
    b->result = PATTERN_MEMORY;
    return false;
}

/* The state of the set that lies after the last one. */
static uint16_t state_of(struct builder *b) {
    uint32_t n = b->language->n_states;
    const uint64_t *set = b->sets + (size_t)n * b->words;
    uint32_t at = hash_set(b, set) & (b->table_cap - 1);
    for (; b->table[at] != UINT32_MAX; at = (at + 1) & (b->table_cap - 1))
        if (memcmp(b->sets + (size_t)b->table[at] * b->words, set, b->words * sizeof *set) == 0)
            return (uint16_t)b->table[at];
    b->table[at] = n;
    b->language->labels[n] = label_of(b, set, b->sets + (size_t)(n + 1) * b->words);
    b->language->n_states++;
    return (uint16_t)n;
}

/* The state that the class leads to; room for one more is there. */
static uint16_t follow_class(struct builder *b, uint32_t state, const struct fan *fan,
                             uint32_t class) {
    uint64_t *to = b->sets + (size_t)b->language->n_states * b->words;
    return successor(b, b->sets + (size_t)state * b->words, fan, class, to) ? state_of(b)
                                                                            : LANGUAGE_DEAD;
}

static bool build_row(struct builder *b, uint32_t state) {
    struct language *language = b->language;
    struct fan fan;
    bool told = fan_open(b, b->sets + (size_t)state * b->words, &fan);
    for (uint32_t class = 0; class < language->n_classes; class ++) {
        uint64_t held = told ? fan.of[class] : 0;
        uint32_t i = 0;
        while (told && i < fan.n_known && fan.held[i] != held) i++;
        uint16_t next = i < fan.n_known ? fan.next[i] : LANGUAGE_DEAD;
        b->work += told ? fan.n / 8 + 1 : 1;
        if (i == fan.n_known) {
            if (!reserve_state(b)) return false;
            next = follow_class(b, state, told ? &fan : NULL, class);
            if (told && i < 8) {
                fan.held[i] = held;
                fan.next[i] = next;
                fan.n_known++;
            }
        }
        language->next[(size_t)state * language->n_classes + class] = next;
    }
    return true;
}

static void build_states(struct builder *b) {
    if (!reserve_state(b)) return;
    initial_set(b, b->sets);
    state_of(b);
    for (uint32_t i = 0; i < b->language->n_states; i++)
        if (!build_row(b, i)) return;
}

static bool collect_automata(struct builder *b, const struct pattern *patterns, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < patterns[i].n; k++) {
            if (b->n == LANGUAGE_PATTERNS) return false;
            b->owner[b->n] = i;
            b->alone[b->n] = patterns[i].n == 1;
            b->automata[b->n++] = patterns[i].automata[k];
        }
    return true;
}

enum pattern_result language_build(struct language *language, const struct pattern_pool *pool,
                                   const struct pattern *patterns, uint32_t n,
                                   const struct language_length *length,
                                   const struct language_outlook *outlook, uint64_t *budget) {
    struct builder b = {
        .language = language, .pool = pool, .n_patterns = n, .length = length, .budget = *budget};
    if (outlook) b.outlook = *outlook;
    *language = (struct language){0};
    if (n >= LANGUAGE_PATTERNS || !collect_automata(&b, patterns, n)) return PATTERN_TOO_LARGE;
    b.words = pool->n_states / 64 + 2;
    b.restart = calloc(b.words, sizeof *b.restart);
    b.keep = calloc(b.words, sizeof *b.keep);
    b.finish = calloc(b.words, sizeof *b.finish);
    b.match = calloc(b.words, sizeof *b.match);
    if (b.words <= CLOSURE_WORDS)
        b.closures = calloc((size_t)pool->n_states * b.words + 1, sizeof *b.closures);
    b.stack = malloc((2 * (size_t)pool->n_states + 2) * sizeof *b.stack);
    if (!b.restart || !b.keep || !b.finish || !b.match || !b.stack || !build_classes(&b))
        b.result = PATTERN_MEMORY;
    if (b.result == PATTERN_OK) {
        mark_kept(&b);
        build_states(&b);
    }
    free(b.restart);
    free(b.keep);
    free(b.finish);
    free(b.match);
    free(b.closures);
    free(b.stack);
    free(b.member);
    free(b.sets);
    free(b.table);
    *budget -= b.work < *budget ? b.work : *budget;
    if (b.result != PATTERN_OK) language_free(language);
    return b.result;
}
