/* What a way becomes between two characters: calls go onto the stack, returns come off it. */
#include <stdlib.h>
#include <string.h>

#include "engine/hash.h"
#include "engine/held.h"
#include "engine/stacks.h"

enum { FEWEST = 1 << 10, MOST = 1 << 13, SPARE = 4 /* slots an entry */ };

struct closure *closure_new(uint32_t n_states) {
    struct closure *closure = calloc(1, sizeof *closure);
    if (!closure) return NULL;
    for (closure->most = FEWEST; closure->most < MOST && closure->most < 4 * n_states;)
        closure->most *= 2;
    closure->stack = malloc(2 * closure->most * sizeof *closure->stack);
    closure->seen = calloc(SPARE * closure->most, sizeof *closure->seen);
    if (closure->stack && closure->seen) return closure;
    closure_free(closure);
    return NULL;
}

void closure_free(struct closure *closure) {
    if (!closure) return;
    free(closure->stack);
    free(closure->seen);
    free(closure);
}

size_t closure_bytes(const struct closure *closure) {
    return held(closure) + held(closure->stack) + held(closure->seen);
}

void closure_begin(struct closure *closure, bool hasty) {
    closure->hasty = hasty;
    closure->n = closure->n_tops = closure->peak = closure->n_stack = closure->n_seen = 0;
    closure->ends = false;
    if (++closure->stamp == 0) {
        memset(closure->seen, 0, SPARE * closure->most * sizeof *closure->seen);
        closure->stamp = 1;
    }
}

/* Frames up to depth `floor` were there before the last character; the others are so new that
 * nothing was read in them. Was the place reached before (*known), and with as few of them? */
static bool is_seen(struct closure *closure, const struct closure_entry *entry, bool *known,
                    bool *gave_up) {
    uint64_t hash = hash_mix(entry->state, entry->frame);
    uint32_t mask = SPARE * closure->most - 1, at = (uint32_t)(hash >> 20) & mask;
    while (closure->seen[at].stamp == closure->stamp &&
           (closure->seen[at].state != entry->state || closure->seen[at].frame != entry->frame))
        at = (at + 1) & mask;
    *known = closure->seen[at].stamp == closure->stamp;
    if (*known && closure->seen[at].floor >= entry->floor) return true;
    if (!*known && closure->n_seen++ >= closure->most) return *gave_up = true;
    closure->seen[at].stamp = closure->stamp;
    closure->seen[at].state = entry->state;
    closure->seen[at].frame = entry->frame;
    closure->seen[at].floor = entry->floor;
    return false;
}

static uint32_t smaller(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* Only what can be completed, and not too deep. */
static void push(struct stacks *stacks, uint32_t state, uint32_t frame, uint32_t floor) {
    struct closure *closure = stacks->closure;
    const struct network_state *to = &stacks->network->states[state];
    uint32_t depth = stacks->frames[frame].depth, deepest = depth + to->height;
    if (to->distance == NETWORK_INFINITE) return;
    if (deepest > closure->peak) closure->peak = deepest;
    if (deepest > NETWORK_DEPTH || closure->n_stack >= 2 * closure->most) {
        stacks->gave_up = true;
        return;
    }
    closure->stack[closure->n_stack++] =
        (struct closure_entry){state, frame, smaller(floor, depth)};
}

static void call(struct stacks *stacks, const struct closure_entry *entry, uint32_t place,
                 uint32_t count) {
    uint32_t frame = stacks_frame(stacks, entry->frame, entry->state, count);
    if (frame) push(stacks, place, frame, entry->floor);
}

/* An iteration is complete. One that read nothing leads nowhere new: that it may be left out was
 * taken care of when the repetition began. */
static void iterate(struct stacks *stacks, const struct closure_entry *entry) {
    struct frame_of_stack frame = stacks->frames[entry->frame];
    const struct network_state *repeat = &stacks->network->states[frame.state];
    const struct network_state *body = &stacks->network->states[repeat->other];
    uint32_t floor = smaller(entry->floor, frame.depth - 1);
    struct closure_entry outside = {frame.state, frame.parent, floor};
    if (frame.depth > entry->floor) return;
    bool enough = frame.count >= repeat->min || body->nullable;
    if (enough) push(stacks, repeat->out, frame.parent, floor);
    if (frame.count >= repeat->max) return;
    bool endless = repeat->max == GBNF_NONE && frame.count >= repeat->min;
    call(stacks, &outside, repeat->other, endless ? frame.count : frame.count + 1);
}

static void give_back(struct stacks *stacks, const struct closure_entry *entry) {
    if (entry->frame <= STACKS_ROOT) {
        stacks->closure->ends = true;
        return;
    }
    const struct frame_of_stack *frame = &stacks->frames[entry->frame];
    const struct network_state *state = &stacks->network->states[frame->state];
    if (state->op == NETWORK_REPEAT)
        iterate(stacks, entry);
    else
        push(stacks, state->out, frame->parent, entry->floor);
}

static void repeat(struct stacks *stacks, const struct closure_entry *entry) {
    const struct network_state *state = &stacks->network->states[entry->state];
    if (state->min == 0 || stacks->network->states[state->other].nullable)
        push(stacks, state->out, entry->frame, entry->floor);
    call(stacks, entry, state->other, 1);
}

/* The last frames are the likeliest. */
static bool is_top(struct closure *closure, uint32_t frame) {
    for (uint32_t i = closure->n_tops; i-- > 0;)
        if (closure->tops[i] == frame) return true;
    if (closure->n_tops == STACKS_TOPS) return false;
    closure->tops[closure->n_tops++] = frame;
    return true;
}

static void take(struct stacks *stacks, const struct closure_entry *entry) {
    struct closure *closure = stacks->closure;
    if (closure->n < STACKS_WAYS && is_top(closure, entry->frame))
        closure->ways[closure->n++] = (struct way){entry->state, entry->frame};
    else
        stacks->gave_up = true;
}

void closure_add(struct stacks *stacks, uint32_t state, uint32_t frame) {
    struct closure *closure = stacks->closure;
    push(stacks, state, frame, stacks->frames[frame].depth);
    while (closure->n_stack) {
        struct closure_entry entry = closure->stack[--closure->n_stack];
        if (closure->hasty && closure->ends) return;
        stacks->work++;
        const struct network_state *at = &stacks->network->states[entry.state];
        bool known;
        if (is_seen(closure, &entry, &known, &stacks->gave_up)) continue;
        switch (at->op) {
        case NETWORK_BACK: give_back(stacks, &entry); break;
        case NETWORK_TAKE:
            if (!known) take(stacks, &entry);
            break;
        case NETWORK_FORK:
            push(stacks, at->other, entry.frame, entry.floor);
            push(stacks, at->out, entry.frame, entry.floor);
            break;
        case NETWORK_CALL: call(stacks, &entry, at->other, 0); break;
        case NETWORK_JUMP: push(stacks, at->out, entry.frame, entry.floor); break;
        default: repeat(stacks, &entry); break;
        }
    }
}
