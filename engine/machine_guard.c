/* Where values close: what their guards and the array they are an item of say to their text. */
#include <stdlib.h>

#include "engine/machine.h"
#include "engine/vector.h"

bool machine_write(struct machine *machine, uint32_t at, unsigned char byte) {
    if (!vector_reserve((void **)&machine->text, &machine->cap_text, at + 1, 1)) {
        machine->failed = true;
        return false;
    }
    machine->text[at] = (char)byte;
    machine->at = at;
    return true;
}

bool machine_guards(const struct machine *machine, const struct cell *cell, uint32_t start,
                    uint32_t end) {
    struct machine *self = (struct machine *)machine; /* what it knows of the text stays the same */
    if (cell->n_guards == 0) return true;
    self->touched = true;
    return guards_allow(&machine->rules->guards, machine->rules->refs + cell->guards, cell->n_guards,
                        machine->text + start, end - start, &self->work);
}

/* Counts the item if it satisfies what the array must contain; false if it then is one too many. */
static bool count_contained(struct machine *machine, const struct cell_array *array,
                            struct frame *frame, uint32_t end) {
    bool told;
    if (array->most == RULES_INFINITE && frame->members >= array->least) return true;
    machine->touched = true;
    bool holds = guards_hold(&machine->rules->guards, array->contains, &told,
                             machine->text + frame->item, end - frame->item, &machine->work);
    if (!told || (holds && frame->members >= array->most)) return false;
    frame->members += holds;
    return true;
}

static bool item_done(struct machine *machine, struct thread *thread, const struct cell_array *array,
                      uint32_t end, uint64_t hash) {
    struct frame frame = machine->frames[thread->frame];
    if (array->by_value) {
        machine->touched = true;
        if (!guard_value_hash(machine->text + frame.item, end - frame.item, &hash, &machine->work))
            return false;
    }
    if (array->contains != RULES_NONE && !count_contained(machine, array, &frame, end)) return false;
    if (array->unique_part != RULES_NONE && !machine_remember(machine, &frame, hash)) return false;
    thread->frame = machine_new_frame(machine, frame);
    return thread->frame && machine_value_done(machine, thread);
}

bool machine_close(struct machine *machine, struct thread *thread, const struct cell *cell,
                   uint32_t start, uint32_t end, uint64_t hash) {
    const struct frame *frame = &machine->frames[thread->frame];
    if (!machine_guards(machine, cell, start, end)) return false;
    if (frame->kind == FRAME_ARRAY) {
        const struct cell_array *array = &machine->rules->cells[frame->cell].array;
        if (array->unique_part != RULES_NONE || array->contains != RULES_NONE)
            return item_done(machine, thread, array, end, hash);
    }
    return machine_value_done(machine, thread);
}

bool machine_guarded(const struct machine *machine, const struct thread *thread) {
    const struct rules *rules = machine->rules;
    bool scalar = thread->mode == MODE_STRING || thread->mode == MODE_NUMBER ||
                  thread->mode == MODE_WORDS;
    if (scalar && rules->cells[thread->cell].n_guards) return true;
    for (uint32_t i = thread->frame; i; i = machine->frames[i].parent) {
        const struct frame *frame = &machine->frames[i];
        if (frame->kind != FRAME_ARRAY && frame->kind != FRAME_OBJECT) continue;
        const struct cell *cell = &rules->cells[frame->cell];
        if (cell->n_guards || (frame->kind == FRAME_ARRAY && rules_tracks(&cell->array))) return true;
    }
    return false;
}
