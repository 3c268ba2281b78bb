#include "engine/stacks.h"

#include <stdlib.h>
#include <string.h>

#include "engine/hash.h"
#include "engine/text_mask.h"
#include "engine/vector.h"

enum { BUDGET = 3 << 20 };

/* ---- life ---- */

static bool add_bottoms(struct stacks *stacks) {
    if (!vector_reserve((void **)&stacks->frames, &stacks->cap_frames, 2, sizeof *stacks->frames))
        return false;
    for (uint32_t i = STACKS_HOLE; i <= STACKS_ROOT; i++) {
        uint64_t hash = hash_mix(23, i); /* mixed: states are small numbers, too */
        stacks->frames[i] = (struct frame_of_stack){
            .hash = hash, .view = hash, .near = hash, .over_hole = i == STACKS_HOLE};
    }
    stacks->n_frames = 2;
    return true;
}

static struct moment settle(struct stacks *stacks, uint32_t bottom);

bool stacks_init(struct stacks *stacks, const struct network *network) {
    *stacks = (struct stacks){.network = network, .limit = BUDGET};
    stacks->closure = closure_new(network->n_states);
    if (!stacks->closure || !add_bottoms(stacks)) return false;
    closure_begin(stacks->closure, false);
    closure_add(stacks, network->start, STACKS_ROOT);
    stacks->start = settle(stacks, STACKS_ROOT);
    return !stacks->failed;
}

static void free_insides(struct stacks *stacks) {
    for (uint32_t i = 0; i < stacks->n_shapes; i++) inside_free(stacks->shapes[i].inside);
}

static void free_tables(struct stacks *stacks) {
    free_insides(stacks);
    free(stacks->frames);
    free(stacks->shapes);
    free(stacks->ways);
    free(stacks->next);
    free(stacks->allowed);
    free(stacks->moves);
    free(stacks->memos);
    free(stacks->frame_slots);
    free(stacks->shape_slots);
    free(stacks->memo_slots);
}

void stacks_free(struct stacks *stacks) {
    free_tables(stacks);
    closure_free(stacks->closure);
    *stacks = (struct stacks){0};
}

void stacks_use(struct stacks *stacks, struct stacks_user *user) {
    user->previous = NULL;
    user->next = stacks->users;
    if (user->next) user->next->previous = user;
    stacks->users = user;
}

void stacks_leave(struct stacks *stacks, struct stacks_user *user) {
    if (user->next) user->next->previous = user->previous;
    if (user->previous)
        user->previous->next = user->next;
    else
        stacks->users = user->next;
}

size_t stacks_bytes(const struct stacks *stacks) {
    size_t classes = stacks->network->alphabet.n_classes, words = stacks->network->alphabet.words;
    return stacks->n_frames * (sizeof *stacks->frames + 12) + stacks->n_ways * sizeof(struct way) +
           stacks->n_shapes * (sizeof *stacks->shapes + classes * 4 + words * 8 + 12) +
           stacks->n_moves * sizeof *stacks->moves + stacks->n_memos * (sizeof(struct memo) + 12) +
           stacks->inside_bytes;
}

uint32_t stacks_shortest(const struct stacks *stacks, struct moment at) {
    const struct shape *shape = &stacks->shapes[at.shape];
    return shape->ends ? 0 : network_sum(shape->shortest, stacks->frames[at.base].rest);
}

uint64_t stacks_view(const struct stacks *stacks, struct moment at) {
    return hash_mix(hash_mix(19, stacks->shapes[at.shape].view), stacks->frames[at.base].view);
}

uint64_t stacks_near(const struct stacks *stacks, struct moment at) {
    return hash_mix(hash_mix(19, stacks->shapes[at.shape].near), stacks->frames[at.base].near);
}

/* ---- shapes and bases ---- */

uint32_t stacks_on(struct stacks *stacks, uint32_t base, uint32_t above) {
    uint32_t chain[NETWORK_DEPTH + 1], n = 0;
    for (; above > STACKS_ROOT && n <= NETWORK_DEPTH; above = stacks->frames[above].parent)
        chain[n++] = above;
    while (n-- > 0 && !stacks->failed) {
        struct frame_of_stack frame = stacks->frames[chain[n]];
        base = stacks_frame(stacks, base, frame.state, frame.count);
    }
    return base;
}

/* The frames over `base` alone, over the hole. */
static uint32_t lift(struct stacks *stacks, uint32_t base, uint32_t frame) {
    uint32_t chain[NETWORK_DEPTH + 1], n = 0, made = STACKS_HOLE;
    for (; frame != base && n <= NETWORK_DEPTH; frame = stacks->frames[frame].parent)
        chain[n++] = frame;
    while (n-- > 0 && !stacks->failed) {
        struct frame_of_stack of = stacks->frames[chain[n]];
        made = stacks_frame(stacks, made, of.state, of.count);
    }
    return made;
}

static uint32_t common(const struct stacks *stacks, uint32_t a, uint32_t b) {
    const struct frame_of_stack *frames = stacks->frames;
    while (a != b) {
        if (frames[a].depth >= frames[b].depth)
            a = frames[a].parent;
        else
            b = frames[b].parent;
    }
    return a;
}

/* What the closure found, as a shape over the deepest base that all ways have in common. */
static struct moment settle(struct stacks *stacks, uint32_t bottom) {
    struct closure *closure = stacks->closure;
    struct way ways[STACKS_WAYS];
    uint32_t lifted[STACKS_TOPS], base = closure->n_tops ? closure->tops[0] : bottom, last = 0;
    for (uint32_t i = 1; i < closure->n_tops; i++) base = common(stacks, base, closure->tops[i]);
    for (uint32_t i = 0; i < closure->n_tops; i++) lifted[i] = lift(stacks, base, closure->tops[i]);
    for (uint32_t i = 0; i < closure->n; i++) {
        while (closure->tops[last] != closure->ways[i].frame) last = (last + 1) % closure->n_tops;
        ways[i] = (struct way){closure->ways[i].state, lifted[last]};
    }
    stacks->work += closure->n;
    return (struct moment){stacks_shape(stacks, ways, closure->n, closure->ends), base};
}

/* ---- the step ---- */

/* The ways that take the class go on, each with its frames on top of a base. */
static void advance(struct stacks *stacks, uint32_t shape, uint32_t base, uint32_t class) {
    uint32_t n = stacks->shapes[shape].n, last = STACKS_HOLE, frame = base;
    closure_begin(stacks->closure, stacks->frames[base].over_hole);
    stacks->work += n;
    for (uint32_t i = 0; i < n && !stacks->failed; i++) {
        struct way way = stacks->ways[stacks->shapes[shape].first + i];
        const struct network_state *state = &stacks->network->states[way.state];
        if (!(network_set(stacks->network, state->set)[class / 64] >> class % 64 & 1)) continue;
        if (way.frame != last) frame = stacks_on(stacks, base, way.frame);
        last = way.frame;
        closure_add(stacks, state->out, frame);
    }
}

/* What the class does whatever the base. */
static void find_move(struct stacks *stacks, uint32_t shape, uint32_t class) {
    struct move move = {.above = STACKS_OUTSIDE};
    uint64_t before = stacks->work;
    advance(stacks, shape, STACKS_HOLE, class);
    if (!stacks->closure->ends) {
        struct moment to = settle(stacks, STACKS_HOLE);
        move = (struct move){to.shape, to.base, stacks->closure->peak, 0};
    }
    move.work = (uint32_t)(stacks->work - before);
    if (stacks->failed || !vector_reserve((void **)&stacks->moves, &stacks->cap_moves,
                                          stacks->n_moves + 1, sizeof *stacks->moves)) {
        stacks->failed = true;
        return;
    }
    stacks->moves[stacks->n_moves] = move;
    stacks->next[(size_t)shape * stacks->network->alphabet.n_classes + class] =
        STEP_MOVES + stacks->n_moves++;
}

static enum step_verdict step_outside(struct stacks *stacks, struct moment from, uint32_t class,
                                      struct moment *to) {
    const struct memo *known = stacks_memo(stacks, from, class);
    if (known) {
        stacks->spent += known->work;
        return *to = known->to, (enum step_verdict)known->verdict;
    }
    struct memo memo = {.from = from, .class = class, .verdict = STEP_DONE};
    bool hole = stacks->frames[from.base].over_hole;
    uint64_t before = stacks->work;
    advance(stacks, from.shape, from.base, class);
    if (hole && (stacks->closure->ends || stacks->closure->peak > STACKS_HALF))
        memo.verdict = STEP_OUT;
    else if (!stacks->closure->n && !stacks->closure->ends)
        memo.verdict = STEP_NONE;
    else
        memo.to = settle(stacks, hole ? STACKS_HOLE : STACKS_ROOT);
    if (stacks->failed) return STEP_NONE;
    memo.work = (uint32_t)(stacks->work - before);
    stacks->spent += memo.work;
    stacks_remember(stacks, memo);
    *to = memo.to;
    return (enum step_verdict)memo.verdict;
}

enum step_verdict stacks_step_slowly(struct stacks *stacks, const struct moment *from,
                                     uint32_t class, struct moment *to) {
    uint32_t classes = stacks->network->alphabet.n_classes;
    if (!(stacks_allowed(stacks, from->shape)[class / 64] >> class % 64 & 1)) return STEP_NONE;
    if (!stacks->held && !stacks_tidy(stacks)) return STEP_NONE;
    size_t at = (size_t)from->shape * classes + class;
    if (stacks->next[at] == STEP_UNKNOWN) find_move(stacks, from->shape, class);
    if (stacks->failed) return STEP_NONE;
    struct move move = stacks->moves[stacks->next[at] - STEP_MOVES];
    stacks->spent += move.work;
    if (move.above == STACKS_OUTSIDE) {
        if (from->base == STACKS_HOLE) return STEP_OUT;
        return step_outside(stacks, *from, class, to);
    }
    if (!stacks_move_fits(stacks, from->base, &move)) return step_outside(stacks, *from, class, to);
    stacks->spent += stacks->frames[move.above].depth;
    *to = (struct moment){move.shape, stacks_on(stacks, from->base, move.above)};
    return stacks->failed ? STEP_NONE : STEP_DONE;
}

/* ---- collection ---- */

/* Copies a stack into other tables. */
static uint32_t copy_frame(const struct stacks *from, struct stacks *to, uint32_t frame) {
    uint32_t chain[NETWORK_DEPTH + 1], n = 0;
    for (; frame > STACKS_ROOT && n <= NETWORK_DEPTH; frame = from->frames[frame].parent)
        chain[n++] = frame;
    while (n-- > 0 && !to->failed)
        frame = stacks_frame(to, frame, from->frames[chain[n]].state, from->frames[chain[n]].count);
    return frame;
}

static void copy_moment(const struct stacks *from, struct stacks *to, struct moment *moment) {
    const struct shape *shape = &from->shapes[moment->shape];
    struct way ways[STACKS_WAYS];
    for (uint32_t i = 0; i < shape->n; i++) {
        struct way way = from->ways[shape->first + i];
        ways[i] = (struct way){way.state, copy_frame(from, to, way.frame)};
    }
    moment->shape = stacks_shape(to, ways, shape->n, shape->ends);
    moment->base = copy_frame(from, to, moment->base);
}

static struct moment *moment_at(const struct stacks_user *user, uint32_t i) {
    return (struct moment *)((char *)user->moments + i * user->stride);
}

/* Moves what one table holds to the memory of another, which is larger: that is there already, and
 * new memory is dear. */
static void keep_memory(void **fresh, uint32_t *cap, void *old, uint32_t old_cap, size_t bytes) {
    if (old_cap < *cap) {
        free(old);
        return;
    }
    if (bytes) memcpy(old, *fresh, bytes);
    free(*fresh);
    *fresh = old;
    *cap = old_cap;
}

static void keep_tables(struct stacks *fresh, struct stacks *old) {
    size_t classes = fresh->network->alphabet.n_classes, words = fresh->network->alphabet.words;
#define KEEP(table, n)                                                                             \
    keep_memory((void **)&fresh->table, &fresh->cap_##table, old->table, old->cap_##table,         \
                (n) * sizeof *fresh->table)
    KEEP(frames, fresh->n_frames);
    KEEP(shapes, fresh->n_shapes);
    KEEP(ways, fresh->n_ways);
    KEEP(next, fresh->n_shapes * classes);
    KEEP(allowed, fresh->n_shapes * words);
    KEEP(moves, fresh->n_moves);
    KEEP(memos, fresh->n_memos);
    KEEP(frame_slots, 0);
    KEEP(shape_slots, 0);
    KEEP(memo_slots, 0);
#undef KEEP
    stacks_fill_slots(fresh);
}

bool stacks_collect(struct stacks *stacks) {
    struct stacks fresh = {.network = stacks->network};
    struct stacks old = *stacks;
    if (!add_bottoms(&fresh)) fresh.failed = true;
    if (!fresh.failed) copy_moment(&old, &fresh, &stacks->start);
    for (struct stacks_user *user = old.users; user && !fresh.failed; user = user->next)
        for (uint32_t i = 0; i < user->n && !fresh.failed; i++)
            copy_moment(&old, &fresh, moment_at(user, i));
    if (fresh.failed) { /* moments are mixed up: this match is lost, and says so */
        free_tables(&fresh);
        stacks->failed = true;
        return false;
    }
    fresh.start = stacks->start;
    fresh.users = old.users;
    fresh.closure = old.closure;
    fresh.work = old.work;
    fresh.spent = old.spent;
    fresh.held = old.held;
    fresh.gave_up = old.gave_up;
    fresh.collections = old.collections + 1;
    free_insides(&old);
    keep_tables(&fresh, &old);
    *stacks = fresh;
    size_t live = stacks_bytes(stacks);
    stacks->limit = 2 * live > BUDGET ? 2 * live : BUDGET;
    return true;
}

bool stacks_tidy(struct stacks *stacks) {
    return stacks_bytes(stacks) <= stacks->limit || stacks_collect(stacks);
}
