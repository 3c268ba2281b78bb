#include <stdlib.h>
#include <string.h>

#include "engine/hash.h"
#include "engine/stacks.h"
#include "engine/vector.h"

static bool out_of_memory(struct stacks *stacks) {
    stacks->failed = true;
    return false;
}

/* Room for one more at most half full. The caller fills the slots again. */
static bool grow_slots(uint32_t **slots, uint32_t *cap, uint32_t n, bool *grown) {
    *grown = 2 * (n + 1) > *cap;
    if (!*grown) return true;
    uint32_t wanted = *cap ? *cap * 2 : 256;
    uint32_t *made = calloc(wanted, sizeof *made);
    if (!made) return false;
    free(*slots);
    *slots = made;
    *cap = wanted;
    return true;
}

static void put(uint32_t *slots, uint32_t cap, uint64_t hash, uint32_t value) {
    uint32_t at = (uint32_t)(hash >> 20) & (cap - 1);
    while (slots[at]) at = (at + 1) & (cap - 1);
    slots[at] = value + 1;
}

/* ---- frames ---- */

static uint64_t hash_frame(const struct stacks *stacks, uint32_t parent, uint32_t state,
                           uint32_t count) {
    return hash_mix(hash_mix(stacks->frames[parent].hash, state), (uint64_t)count + 1);
}

static uint32_t clip(uint32_t limit, uint32_t count, uint32_t horizon) {
    uint32_t left = limit > count ? limit - count : 0;
    return left < horizon ? left : horizon;
}

/* Of a counter only how far it is from its limits, if they are near. */
static uint64_t view_frame(const struct stacks *stacks, uint64_t parent, uint32_t state,
                           uint32_t count, uint32_t horizon) {
    const struct network_state *of = &stacks->network->states[state];
    uint64_t view = hash_mix(parent, state);
    if (of->op != NETWORK_REPEAT) return view;
    return hash_mix(view,
                    (uint64_t)clip(of->min, count, horizon) << 32 | clip(of->max, count, horizon));
}

/* What is left once the place that was called returns to this frame. */
static uint32_t rest_of(const struct stacks *stacks, const struct frame_of_stack *frame) {
    const struct network_state *states = stacks->network->states;
    const struct network_state *state = &states[frame->state];
    uint32_t rest = network_sum(states[state->out].distance, stacks->frames[frame->parent].rest);
    if (state->op != NETWORK_REPEAT || frame->count >= state->min) return rest;
    uint32_t body = states[state->other].distance;
    return network_sum(rest, network_times(body, state->min - frame->count));
}

uint32_t stacks_frame(struct stacks *stacks, uint32_t parent, uint32_t state, uint32_t count) {
    uint64_t hash = hash_frame(stacks, parent, state, count);
    bool grown;
    stacks->work += 2;
    if (!grow_slots(&stacks->frame_slots, &stacks->cap_frame_slots, stacks->n_frames, &grown))
        return out_of_memory(stacks), 0;
    for (uint32_t i = STACKS_ROOT + 1; grown && i < stacks->n_frames; i++)
        put(stacks->frame_slots, stacks->cap_frame_slots, stacks->frames[i].hash, i);
    uint32_t mask = stacks->cap_frame_slots - 1, at = (uint32_t)(hash >> 20) & mask, slot;
    for (; (slot = stacks->frame_slots[at]); at = (at + 1) & mask) {
        const struct frame_of_stack *frame = &stacks->frames[slot - 1];
        if (frame->parent == parent && frame->state == state && frame->count == count)
            return slot - 1;
    }
    if (!vector_reserve((void **)&stacks->frames, &stacks->cap_frames, stacks->n_frames + 1,
                        sizeof *stacks->frames))
        return out_of_memory(stacks), 0;
    struct frame_of_stack frame = {.hash = hash,
                                   .parent = parent,
                                   .state = state,
                                   .count = count,
                                   .depth = stacks->frames[parent].depth + 1,
                                   .over_hole = stacks->frames[parent].over_hole};
    const struct frame_of_stack *below = &stacks->frames[parent];
    frame.view = view_frame(stacks, below->view, state, count, STACKS_FAR);
    frame.near = view_frame(stacks, below->near, state, count, STACKS_HORIZON);
    frame.rest = rest_of(stacks, &frame);
    stacks->frames[stacks->n_frames] = frame;
    stacks->frame_slots[at] = stacks->n_frames + 1;
    return stacks->n_frames++;
}

/* ---- shapes ---- */

static uint64_t hash_ways(const struct stacks *stacks, const struct way *ways, uint32_t n,
                          bool ends) {
    uint64_t hash = hash_mix(29, ends);
    for (uint32_t i = 0; i < n; i++)
        hash = hash_mix(hash_mix(hash, ways[i].state), stacks->frames[ways[i].frame].hash);
    return hash;
}

/* The counters of different stacks meet when they are equal: of those the differences matter, too.
 */
static void set_views(const struct stacks *stacks, struct shape *shape, const struct way *ways) {
    uint32_t top = shape->n ? ways[0].frame : STACKS_HOLE;
    uint64_t states = hash_mix(31, shape->ends);
    shape->view = shape->near = shape->hash;
    for (uint32_t i = 0; i < shape->n; i++) {
        if (ways[i].frame != top) return;
        states = hash_mix(states, ways[i].state);
    }
    shape->view = hash_mix(states, stacks->frames[top].view);
    shape->near = hash_mix(states, stacks->frames[top].near);
}

static bool reserve_shape(struct stacks *stacks, uint32_t n) {
    const struct alphabet *alphabet = &stacks->network->alphabet;
    uint32_t shapes = stacks->n_shapes + 1;
    return vector_reserve((void **)&stacks->shapes, &stacks->cap_shapes, shapes,
                          sizeof *stacks->shapes) &&
           vector_reserve((void **)&stacks->ways, &stacks->cap_ways, stacks->n_ways + n + 1,
                          sizeof *stacks->ways) &&
           vector_reserve((void **)&stacks->next, &stacks->cap_next,
                          shapes * (alphabet->n_classes + 1), sizeof *stacks->next) &&
           vector_reserve((void **)&stacks->allowed, &stacks->cap_allowed, shapes * alphabet->words,
                          sizeof *stacks->allowed);
}

static uint32_t add_shape(struct stacks *stacks, const struct way *ways, uint32_t n, bool ends,
                          uint64_t hash) {
    const struct network *network = stacks->network;
    uint32_t index = stacks->n_shapes, words = network->alphabet.words;
    if (!reserve_shape(stacks, n)) return out_of_memory(stacks), UINT32_MAX;
    struct shape shape = {.hash = hash, .first = stacks->n_ways, .n = n, .ends = ends};
    set_views(stacks, &shape, ways);
    uint64_t *allowed = stacks->allowed + (size_t)index * words;
    memset(allowed, 0, words * sizeof *allowed);
    memset(stacks->next + (size_t)index * network->alphabet.n_classes, 0,
           network->alphabet.n_classes * sizeof *stacks->next);
    shape.shortest = ends ? 0 : NETWORK_INFINITE;
    for (uint32_t i = 0; i < n; i++) {
        const struct network_state *state = &network->states[ways[i].state];
        uint32_t length = network_sum(state->distance, stacks->frames[ways[i].frame].rest);
        if (length < shape.shortest) shape.shortest = length;
        for (uint32_t w = 0; w < words; w++) allowed[w] |= network_set(network, state->set)[w];
        stacks->ways[stacks->n_ways++] = ways[i];
    }
    stacks->shapes[stacks->n_shapes++] = shape;
    return index;
}

uint32_t stacks_shape(struct stacks *stacks, const struct way *ways, uint32_t n, bool ends) {
    uint64_t hash = hash_ways(stacks, ways, n, ends);
    bool grown;
    if (!grow_slots(&stacks->shape_slots, &stacks->cap_shape_slots, stacks->n_shapes, &grown))
        return out_of_memory(stacks), UINT32_MAX;
    for (uint32_t i = 0; grown && i < stacks->n_shapes; i++)
        put(stacks->shape_slots, stacks->cap_shape_slots, stacks->shapes[i].hash, i);
    uint32_t mask = stacks->cap_shape_slots - 1, at = (uint32_t)(hash >> 20) & mask, slot;
    for (; (slot = stacks->shape_slots[at]); at = (at + 1) & mask) {
        const struct shape *shape = &stacks->shapes[slot - 1];
        if (shape->hash == hash && shape->n == n && shape->ends == ends &&
            (n == 0 || memcmp(stacks->ways + shape->first, ways, n * sizeof *ways) == 0))
            return slot - 1;
    }
    uint32_t index = add_shape(stacks, ways, n, ends, hash);
    if (index != UINT32_MAX) stacks->shape_slots[at] = index + 1;
    return index;
}

/* ---- memos ---- */

static uint64_t hash_memo(struct moment from, uint32_t class) {
    return hash_mix((uint64_t)from.shape << 32 | from.base, class);
}

const struct memo *stacks_memo(const struct stacks *stacks, struct moment from, uint32_t class) {
    uint32_t mask = stacks->cap_memo_slots - 1, slot;
    if (!stacks->cap_memo_slots) return NULL;
    for (uint32_t at = (uint32_t)(hash_memo(from, class) >> 20) & mask;
         (slot = stacks->memo_slots[at]); at = (at + 1) & mask) {
        const struct memo *memo = &stacks->memos[slot - 1];
        if (memo->from.shape == from.shape && memo->from.base == from.base && memo->class == class)
            return memo;
    }
    return NULL;
}

/* Without memory it is found out again the next time. */
void stacks_remember(struct stacks *stacks, struct memo memo) {
    bool grown;
    if (!grow_slots(&stacks->memo_slots, &stacks->cap_memo_slots, stacks->n_memos, &grown)) return;
    for (uint32_t i = 0; grown && i < stacks->n_memos; i++)
        put(stacks->memo_slots, stacks->cap_memo_slots,
            hash_memo(stacks->memos[i].from, stacks->memos[i].class), i);
    if (!vector_reserve((void **)&stacks->memos, &stacks->cap_memos, stacks->n_memos + 1,
                        sizeof *stacks->memos))
        return;
    stacks->memos[stacks->n_memos] = memo;
    put(stacks->memo_slots, stacks->cap_memo_slots, hash_memo(memo.from, memo.class),
        stacks->n_memos++);
}

static void clear_slots(uint32_t *slots, uint32_t cap) {
    if (cap) memset(slots, 0, cap * sizeof *slots);
}

/* Of memos there are none yet. */
void stacks_fill_slots(struct stacks *stacks) {
    clear_slots(stacks->frame_slots, stacks->cap_frame_slots);
    clear_slots(stacks->shape_slots, stacks->cap_shape_slots);
    clear_slots(stacks->memo_slots, stacks->cap_memo_slots);
    for (uint32_t i = STACKS_ROOT + 1; i < stacks->n_frames; i++)
        put(stacks->frame_slots, stacks->cap_frame_slots, stacks->frames[i].hash, i);
    for (uint32_t i = 0; i < stacks->n_shapes; i++)
        put(stacks->shape_slots, stacks->cap_shape_slots, stacks->shapes[i].hash, i);
}
