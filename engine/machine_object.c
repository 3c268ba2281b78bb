#include <string.h>

#include "engine/machine.h"

bool machine_fits(const struct machine *machine, const struct frame *frame, uint32_t node) {
    return frame->depth + machine->rules->nodes[node].height <= RULES_DEPTH;
}

bool machine_open_object(struct machine *machine, struct thread *thread, uint32_t cell) {
    const struct frame *parent = &machine->frames[thread->frame];
    struct frame frame = {.parent = thread->frame,
                          .cell = cell,
                          .start = machine->at,
                          .depth = (uint16_t)(parent->depth + 1),
                          .kind = FRAME_OBJECT};
    machine_start_members(machine, &frame);
    uint32_t index = machine_new_frame(machine, frame);
    *thread = (struct thread){.frame = index, .mode = MODE_OBJECT_FIRST};
    return index != 0;
}

static bool close_object(struct machine *machine, struct thread *thread) {
    const struct frame *frame = &machine->frames[thread->frame];
    uint32_t cell = frame->cell, start = frame->start;
    thread->frame = frame->parent;
    return machine_close(machine, thread, &machine->rules->cells[cell], start, machine->at + 1, 0);
}

/* ---- keys ---- */

static void start_key(const struct machine *machine, struct thread *thread) {
    const struct frame *frame = &machine->frames[thread->frame];
    const struct cell_object *object = machine_object_of(machine, frame);
    bool narrowed = machine->closing && !object->ordered && frame->missing;
    if (!narrowed && machine_additional(machine, frame)) {
        machine_start_open_key(machine, thread);
        return;
    }
    *thread = (struct thread){.frame = thread->frame,
                              .lo = object->keys,
                              .hi = object->keys + object->n_props,
                              .mode = MODE_KEY_WORDS};
    if (!narrowed) return;
    uint32_t wanted = machine_first_missing(machine, frame);
    while (thread->lo + 1 < thread->hi && machine->rules->words.list[thread->lo].value != wanted)
        thread->lo++;
    thread->hi = thread->lo + 1;
}

bool machine_key_done(struct machine *machine, struct thread *thread, uint32_t index, uint32_t node,
                      uint32_t seen) {
    struct frame frame = machine->frames[thread->frame];
    const struct cell_object *object = machine_object_of(machine, &frame);
    if (!machine_add_member(machine, &frame, index)) return false;
    if (object->max != RULES_INFINITE || frame.members < object->min) frame.members++;
    if (seen) {
        frame.seen = seen;
        frame.count++;
    }
    uint32_t made = machine_new_frame(machine, frame);
    *thread = (struct thread){.frame = made, .cell = node, .mode = MODE_COLON};
    return made != 0;
}

bool machine_property_done(struct machine *machine, struct thread *thread, uint32_t index) {
    const struct frame *frame = &machine->frames[thread->frame];
    if (!machine_property(machine, frame, index)) return false;
    uint32_t node = machine_props(machine, frame)[index].node;
    return machine_key_done(machine, thread, index, node, 0);
}

static bool any_usable(const struct machine *machine, const struct thread *thread) {
    const struct frame *frame = &machine->frames[thread->frame];
    for (uint32_t i = thread->lo; i < thread->hi; i++)
        if (machine_property(machine, frame, machine->rules->words.list[i].value)) return true;
    return false;
}

static bool step_key_words(struct machine *machine, struct thread *thread, unsigned char byte) {
    const struct words *words = &machine->rules->words;
    if (!words_narrow(words, &thread->lo, &thread->hi, thread->pos, byte)) return false;
    thread->pos++;
    if (words->list[thread->lo].len == thread->pos) /* with its quote no key begins another */
        return machine_property_done(machine, thread, words->list[thread->lo].value);
    return any_usable(machine, thread);
}

/* ---- the step ---- */

bool machine_object(struct machine *machine, struct thread *thread, unsigned char byte) {
    const struct frame *frame = &machine->frames[thread->frame];
    bool first = thread->mode == MODE_OBJECT_FIRST;
    switch (thread->mode) {
    case MODE_KEY_WORDS: return step_key_words(machine, thread, byte);
    case MODE_KEY_OPEN: return machine_open_key(machine, thread, byte);
    case MODE_KEY_BLANK: thread->mode = MODE_KEY_QUOTE; return byte == ' ';
    case MODE_KEY_QUOTE: start_key(machine, thread); return byte == '"';
    default: break;
    }
    if (byte == '}') return machine_may_close(machine, frame) && close_object(machine, thread);
    if (byte != (first ? '"' : ',') || !machine_may_continue(machine, frame)) return false;
    if (first)
        start_key(machine, thread);
    else
        thread->mode = machine->rules->spaced ? MODE_KEY_BLANK : MODE_KEY_QUOTE;
    return true;
}

/* ---- lengths ---- */

/* From after the key's closing quote. */
static uint32_t after_property(const struct machine *machine, const struct frame *frame,
                               uint32_t index) {
    const struct rules *rules = machine->rules;
    uint32_t node = machine_props(machine, frame)[index].node;
    return rules_sum(rules_sum(rules->spaced ? 2 : 1, rules->nodes[node].shortest),
                     machine_rest_after(machine, frame, index));
}

/* From inside a declared key, or from before it (pos 0), to the object's end. */
static uint32_t words_shortest(const struct machine *machine, const struct thread *thread) {
    const struct frame *frame = &machine->frames[thread->frame];
    uint32_t shortest = RULES_INFINITE;
    for (uint32_t i = thread->lo; i < thread->hi; i++) {
        const struct word *word = &machine->rules->words.list[i];
        uint32_t left = thread->mode == MODE_KEY_OPEN ? machine_name_left(machine, thread, i)
                                                      : word->len - thread->pos;
        if (left == RULES_NONE || !machine_property(machine, frame, word->value)) continue;
        uint32_t length = rules_sum(left, after_property(machine, frame, word->value));
        if (length < shortest) shortest = length;
    }
    return shortest;
}

/* From after the closing quote of a further member's key. Which kind it will be is not known: the
 * dearest stands for it. */
static uint32_t after_further(const struct machine *machine, const struct frame *frame) {
    const struct cell_object *object = machine_object_of(machine, frame);
    const struct rules *rules = machine->rules;
    uint32_t value = 0;
    if (object->additional != RULES_NONE) value = rules->nodes[object->additional].shortest;
    for (uint32_t i = 0; i < object->n_kinds; i++) {
        uint32_t node = rules->refs[object->kinds + KIND_FIELDS * i + KIND_NODE];
        uint32_t length = rules->nodes[node].shortest;
        if (length != RULES_INFINITE && length > value) value = length;
    }
    return rules_sum(rules_sum(rules->spaced ? 2 : 1, value),
                     machine_rest_after(machine, frame, object->n_props));
}

static uint32_t open_shortest(const struct machine *machine, const struct thread *thread) {
    const struct frame *frame = &machine->frames[thread->frame];
    uint32_t further =
        rules_sum(machine_open_key_shortest(machine, thread), after_further(machine, frame));
    uint32_t declared = RULES_INFINITE;
    if (thread->lo < thread->hi)
        declared = rules_sum(words_shortest(machine, thread), 1); /* names lack their quote */
    return declared < further ? declared : further;
}

static uint32_t key_shortest(const struct machine *machine, const struct thread *thread) {
    struct thread key = *thread;
    start_key(machine, &key);
    return key.mode == MODE_KEY_OPEN ? open_shortest(machine, &key) : words_shortest(machine, &key);
}

uint32_t machine_object_shortest(const struct machine *machine, const struct thread *thread) {
    const struct frame *frame = &machine->frames[thread->frame];
    uint32_t comma = machine->rules->spaced ? 2 : 1, rest;
    switch (thread->mode) {
    case MODE_OBJECT_FIRST:
        rest = machine_members_rest(machine, frame);
        return rest == 1 ? 1 : rest - comma;
    case MODE_OBJECT_NEXT: return machine_members_rest(machine, frame);
    case MODE_KEY_BLANK: return rules_sum(2, key_shortest(machine, thread));
    case MODE_KEY_QUOTE: return rules_sum(1, key_shortest(machine, thread));
    case MODE_KEY_WORDS: return words_shortest(machine, thread);
    default: return open_shortest(machine, thread);
    }
}
