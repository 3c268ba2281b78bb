#include <string.h>

#include "engine/pattern_look.h"

static void too_large(struct look_build *b) {
    if (b->result == PATTERN_OK) b->result = PATTERN_TOO_LARGE;
}

/* ---- ways ---- */

/* Is all of a in b? */
static bool within(const struct look_build *b, const uint64_t *inner, const uint64_t *outer) {
    for (uint32_t i = 0; i < b->words; i++)
        if (inner[i] & ~outer[i]) return false;
    return true;
}

static uint64_t *way(const struct look_build *b, const struct look_ways *ways, uint32_t i) {
    return b->arena + ways->at + (size_t)i * b->words;
}

/* The list at the arena's top, to which can be added until the next one is opened. */
static struct look_ways open_list(const struct look_build *b) {
    return (struct look_ways){b->top, 0};
}

/* Adds what holds if all of one and other does. More to hold is less: such ways are left out. */
static void add_way(struct look_build *b, struct look_ways *list, const uint64_t *one,
                    const uint64_t *other) {
    uint32_t kept = 0, words = b->words;
    if (b->top + words > LOOK_ARENA || list->n >= LOOK_WAYS) too_large(b);
    b->work += (uint64_t)words * (2 + list->n);
    if (b->work > b->budget) too_large(b);
    if (b->result != PATTERN_OK) return;
    uint64_t *fresh = b->arena + b->top;
    for (uint32_t i = 0; i < words; i++) fresh[i] = one[i] | (other ? other[i] : 0);
    for (uint32_t i = 0; i < list->n; i++)
        if (within(b, way(b, list, i), fresh)) return;
    for (uint32_t i = 0; i < list->n; i++) {
        if (within(b, fresh, way(b, list, i))) continue;
        if (kept < i) memcpy(way(b, list, kept), way(b, list, i), words * sizeof *fresh);
        kept++;
    }
    if (kept < list->n) memcpy(way(b, list, kept), fresh, words * sizeof *fresh);
    list->n = kept + 1;
    b->top = list->at + list->n * words;
}

static void add_ways(struct look_build *b, struct look_ways *list, struct look_ways more) {
    for (uint32_t i = 0; i < more.n; i++) add_way(b, list, way(b, &more, i), NULL);
}

static void add_single(struct look_build *b, struct look_ways *list, uint32_t state) {
    b->single[state >> 6] |= 1ull << (state & 63);
    add_way(b, list, b->single, NULL);
    b->single[state >> 6] = 0;
}

/* One way that asks for nothing. */
static struct look_ways always(struct look_build *b) {
    struct look_ways list = open_list(b);
    add_way(b, &list, b->single, NULL);
    return list;
}

/* Both hold. */
static struct look_ways both(struct look_build *b, struct look_ways one, struct look_ways other) {
    struct look_ways list = open_list(b);
    for (uint32_t i = 0; i < one.n; i++)
        for (uint32_t k = 0; k < other.n; k++)
            add_way(b, &list, way(b, &one, i), way(b, &other, k));
    return list;
}

/* ---- what is reached without a character ---- */

/* A way there past fewer lookaheads serves as well. */
static void visit(struct look_build *b, uint32_t state, uint32_t looks) {
    uint32_t older = b->newest_walk[state] == b->walk ? b->newest[state] : UINT32_MAX;
    for (uint32_t i = older; i != UINT32_MAX; i = b->visits[i].older)
        if ((b->visits[i].looks & ~looks) == 0) return;
    if (b->n_visits == LOOK_VISITS) return too_large(b);
    b->newest_walk[state] = b->walk;
    b->newest[state] = b->n_visits;
    b->visits[b->n_visits++] = (struct look_visit){state, looks, older};
}

static bool takes(const struct look_build *b, const struct pattern_state *state) {
    if (b->class == LOOK_END) return false;
    const uint64_t *row = b->classes.member + (size_t)state->set * b->classes.words;
    return row[b->class / 64] >> b->class % 64 & 1;
}

static void pass_look(struct look_build *b, const struct pattern_state *state, uint32_t looks) {
    const struct look *look = &b->program->looks[state->set];
    if (!look->behind)
        visit(b, state->out, looks | 1u << state->set);
    else if (b->holds[state->set] != look->negated)
        visit(b, state->out, looks);
}

static void begin_walk(struct look_build *b) {
    b->walk++;
    b->n_visits = 0;
}

/* Visits all that follows. What counts of it are characters that are taken, and matches. */
static void end_walk(struct look_build *b) {
    for (uint32_t i = 0; i < b->n_visits && b->result == PATTERN_OK; i++) {
        const struct pattern_state *at = &b->program->states[b->visits[i].state];
        uint32_t looks = b->visits[i].looks;
        switch (at->op) {
        case PATTERN_SPLIT:
            visit(b, at->out, looks);
            visit(b, at->other, looks);
            break;
        case PATTERN_BEGIN:
            if (b->begin) visit(b, at->out, looks);
            break;
        case PATTERN_FINISH:
            if (b->class == LOOK_END) visit(b, at->out, looks);
            break;
        case PATTERN_EDGE:
            if ((b->before != b->after) != (at->set == 1)) visit(b, at->out, looks);
            break;
        case PATTERN_LOOK: pass_look(b, at, looks); break;
        default: break;
        }
    }
    b->work += 4 * (uint64_t)b->n_visits;
}

/* The state of a visit if it counts: */
static const struct pattern_state *leaf(const struct look_build *b, uint32_t i) {
    const struct pattern_state *at = &b->program->states[b->visits[i].state];
    return at->op == PATTERN_MATCH || (at->op == PATTERN_CHAR && takes(b, at)) ? at : NULL;
}

/* ---- a state as ways ---- */

static struct look_ways of_look(const struct look_build *b, uint32_t look) {
    return b->memo[b->program->looks[look].start];
}

/* The state comes to a match: some leaf does, and the lookaheads before it hold. */
static struct look_ways reach(struct look_build *b) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->n_visits && b->result == PATTERN_OK; i++) {
        const struct pattern_state *at = leaf(b, i);
        if (!at) continue;
        struct look_ways part = open_list(b);
        if (at->op == PATTERN_CHAR)
            add_single(b, &part, at->out);
        else
            add_way(b, &part, b->single, NULL);
        for (uint32_t looks = b->visits[i].looks; looks; looks &= looks - 1)
            part = both(b, part, of_look(b, (uint32_t)__builtin_ctz(looks)));
        b->parts[n++] = part;
    }
    struct look_ways list = open_list(b);
    for (uint32_t i = 0; i < n; i++) add_ways(b, &list, b->parts[i]);
    return list;
}

/* The state comes to none: no leaf does, or a lookahead before it fails. */
static struct look_ways avoid(struct look_build *b) {
    memset(b->base, 0, b->words * sizeof *b->base);
    for (uint32_t i = 0; i < b->n_visits; i++) {
        const struct pattern_state *at = leaf(b, i);
        if (!at || b->visits[i].looks) continue;
        if (at->op == PATTERN_MATCH) return (struct look_ways){0, 0};
        b->base[at->out >> 6] |= 1ull << (at->out & 63);
    }
    struct look_ways list = open_list(b);
    add_way(b, &list, b->base, NULL);
    for (uint32_t i = 0; i < b->n_visits && b->result == PATTERN_OK; i++) {
        const struct pattern_state *at = leaf(b, i);
        if (!at || !b->visits[i].looks) continue;
        struct look_ways clause = open_list(b);
        if (at->op == PATTERN_CHAR) add_single(b, &clause, at->out);
        for (uint32_t looks = b->visits[i].looks; looks; looks &= looks - 1)
            add_ways(b, &clause, of_look(b, (uint32_t)__builtin_ctz(looks)));
        list = both(b, list, clause);
    }
    return list;
}

static struct look_ways expand(struct look_build *b, uint32_t state) {
    uint32_t look = b->program->states[state].look;
    if (b->memo_round[state] == b->round) return b->memo[state];
    begin_walk(b);
    visit(b, state, 0);
    end_walk(b);
    b->memo[state] = look && b->program->looks[look - 1].inverse ? avoid(b) : reach(b);
    b->memo_round[state] = b->round;
    return b->memo[state];
}

/* All states of a way hold. */
static struct look_ways expand_way(struct look_build *b, const uint64_t *states) {
    for (uint32_t word = 0; word < b->words; word++)
        for (uint64_t rest = states[word]; rest; rest &= rest - 1)
            if (expand(b, word * 64 + (uint32_t)__builtin_ctzll(rest)).n == 0)
                return (struct look_ways){0, 0};
    struct look_ways list = always(b);
    for (uint32_t word = 0; word < b->words && b->result == PATTERN_OK; word++)
        for (uint64_t rest = states[word]; rest; rest &= rest - 1)
            list = both(b, list, expand(b, word * 64 + (uint32_t)__builtin_ctzll(rest)));
    return list;
}

/* ---- steps ---- */

/* A lookbehind may begin anywhere and holds where it comes to a match. */
static void step_behind(struct look_build *b, uint32_t look, const uint64_t *from,
                        uint64_t *behind) {
    begin_walk(b);
    visit(b, b->program->looks[look].start, 0);
    for (uint32_t word = 0; word < b->words; word++)
        for (uint64_t rest = from[word]; rest; rest &= rest - 1) {
            uint32_t state = word * 64 + (uint32_t)__builtin_ctzll(rest);
            if (b->program->states[state].look == look + 1) visit(b, state, 0);
        }
    end_walk(b);
    b->holds[look] = false;
    for (uint32_t i = 0; i < b->n_visits; i++) {
        const struct pattern_state *at = leaf(b, i);
        if (at && at->op == PATTERN_MATCH) b->holds[look] = true;
        if (at && at->op == PATTERN_CHAR) behind[at->out >> 6] |= 1ull << (at->out & 63);
    }
    b->work += 4 * b->words;
}

static void open_step(struct look_build *b, uint8_t flags, uint32_t class) {
    b->round++;
    b->top = 0;
    b->class = class;
    b->begin = flags & LOOK_BEGIN;
    b->before = flags & LOOK_AFTER_WORD;
    b->after = class != LOOK_END && b->classes.word[class];
}

struct look_ways look_step(struct look_build *b, const struct look_state *from, uint32_t class,
                           uint64_t *behind) {
    const struct look_program *program = b->program;
    struct look_ways parts[LOOK_WAYS + 1];
    const uint64_t *held = b->made + from->at;
    uint32_t n = 0;
    open_step(b, from->flags, class);
    memset(behind, 0, b->words * sizeof *behind);
    for (uint32_t i = program->n_looks; i-- > 0;)
        if (program->looks[i].behind) step_behind(b, i, held, behind);
    for (uint32_t i = program->n_looks; i-- > 0;)
        if (!program->looks[i].behind) expand(b, program->looks[i].start);
    for (uint32_t i = 1; i <= from->n; i++) parts[n++] = expand_way(b, held + (size_t)i * b->words);
    if (!program->anchored) parts[n++] = expand(b, program->start);
    struct look_ways list = open_list(b);
    for (uint32_t i = 0; i < n; i++) add_ways(b, &list, parts[i]);
    return list;
}
