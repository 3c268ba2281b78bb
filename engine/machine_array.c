#include "engine/machine.h"

static const struct cell_array *array_of(const struct machine *machine, const struct frame *frame) {
    return &machine->rules->cells[frame->cell].array;
}

static bool satisfiable(const struct machine *machine, uint32_t node) {
    return node != RULES_NONE && machine->rules->nodes[node].shortest != RULES_INFINITE;
}

static uint32_t at_place(const struct machine *machine, const struct cell_array *array, uint32_t list,
                         uint32_t index) {
    return machine->rules->refs[list + (index < array->n_prefix ? index : array->n_prefix)];
}

/* ---- what the array must contain ---- */

/* Are there no more items to come than must satisfy it? */
static bool must_satisfy(const struct machine *machine, const struct cell_array *array,
                         const struct frame *frame) {
    uint32_t missing = array->least - frame->members, i = frame->index, places = 0;
    if (machine->closing) return true;
    if (array->max == RULES_INFINITE) return false;
    for (; i < array->n_prefix && i < array->max && places <= missing; i++)
        places += satisfiable(machine, machine->rules->refs[array->with + i]);
    return places + (uint64_t)(array->max > i ? array->max - i : 0) <= missing;
}

uint32_t machine_item_node(const struct machine *machine, const struct frame *frame) {
    const struct cell_array *array = array_of(machine, frame);
    uint32_t node = rules_item(machine->rules, array, frame->index);
    if (array->contains == RULES_NONE) return node;
    if (frame->members < array->least && must_satisfy(machine, array, frame)) {
        uint32_t with = at_place(machine, array, array->with, frame->index);
        if (satisfiable(machine, with)) return with;
    }
    if (frame->members >= array->most) {
        uint32_t without = at_place(machine, array, array->without, frame->index);
        return satisfiable(machine, without) ? without : RULES_NONE;
    }
    return node;
}

/* ---- items ---- */

static bool may_add_item(const struct machine *machine, const struct frame *frame) {
    uint32_t node = frame->index < array_of(machine, frame)->max ? machine_item_node(machine, frame)
                                                                 : RULES_NONE;
    return node != RULES_NONE && machine_fits(machine, frame, node) &&
           machine_item_left(machine, (uint32_t)(frame - machine->frames), node);
}

/* Items beyond the last that is special or counted are alike. */
bool machine_start_item(struct machine *machine, struct thread *thread, uint32_t from) {
    struct frame frame = machine->frames[thread->frame];
    const struct cell_array *array = array_of(machine, &frame);
    if (!may_add_item(machine, &machine->frames[thread->frame])) return false;
    uint32_t node = machine_item_node(machine, &frame);
    if (array->max != RULES_INFINITE || frame.index < array->min || frame.index < array->n_prefix ||
        frame.index == 0)
        frame.index++;
    bool tracks = rules_tracks(array);
    if (tracks) frame.item = from;
    frame.sure = array->contains != RULES_NONE &&
                 node != rules_item(machine->rules, array, machine->frames[thread->frame].index);
    uint32_t made = !tracks && frame.index == machine->frames[thread->frame].index
                        ? thread->frame
                        : machine_new_frame(machine, frame);
    *thread = (struct thread){.frame = made, .cell = node, .mode = MODE_VALUE};
    return made != 0;
}

bool machine_open_array(struct machine *machine, struct thread *thread, uint32_t cell) {
    struct frame frame = {.parent = thread->frame,
                          .cell = cell,
                          .start = machine->at,
                          .depth = (uint16_t)(machine->frames[thread->frame].depth + 1),
                          .kind = FRAME_ARRAY};
    uint32_t made = machine_new_frame(machine, frame);
    *thread = (struct thread){.frame = made, .mode = MODE_ARRAY_FIRST};
    return made != 0;
}

bool machine_close_array(struct machine *machine, struct thread *thread) {
    const struct frame *frame = &machine->frames[thread->frame];
    const struct cell_array *array = array_of(machine, frame);
    if (frame->index < array->min) return false;
    if (array->contains != RULES_NONE && frame->members < array->least) return false;
    uint32_t cell = frame->cell, start = frame->start;
    thread->frame = frame->parent;
    return machine_close(machine, thread, &machine->rules->cells[cell], start, machine->at + 1, 0);
}

bool machine_array(struct machine *machine, struct thread *thread, unsigned char byte) {
    uint32_t from = machine->at + 1;
    if (thread->mode == MODE_ARRAY_BLANK)
        return byte == ' ' && machine_start_item(machine, thread, from);
    if (byte == ']') return machine_close_array(machine, thread);
    if (byte != ',') return false;
    if (!machine->rules->spaced) return machine_start_item(machine, thread, from);
    thread->mode = MODE_ARRAY_BLANK;
    return may_add_item(machine, &machine->frames[thread->frame]);
}
