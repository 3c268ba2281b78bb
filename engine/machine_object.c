#include <string.h>

#include "base/utf8.h"
#include "engine/hash.h"
#include "engine/machine.h"
#include "engine/quoted.h"

static const struct cell_object *object_of(const struct machine *machine,
                                           const struct frame *frame) {
    return &machine->rules->cells[frame->cell].object;
}

bool machine_fits(const struct machine *machine, const struct frame *frame, uint32_t node) {
    return frame->depth + machine->rules->nodes[node].height <= RULES_DEPTH;
}

/* Declared members come in order; required ones are not skipped. */
bool machine_property(const struct machine *machine, const struct frame *frame, uint32_t index) {
    const struct cell_object *object = object_of(machine, frame);
    const struct prop *props = &machine->rules->props[object->props];
    return index >= frame->index && index < object->n_props &&
           index <= props[frame->index].next_required && props[index].alive &&
           machine_fits(machine, frame, props[index].node);
}

bool machine_additional(const struct machine *machine, const struct frame *frame) {
    const struct cell_object *object = object_of(machine, frame);
    return object->additional != RULES_NONE && frame->count < MACHINE_SEEN &&
           machine->rules->props[object->props + frame->index].next_required == object->n_props &&
           machine_fits(machine, frame, object->additional);
}

static bool any_property(const struct machine *machine, const struct frame *frame) {
    const struct cell_object *object = object_of(machine, frame);
    const struct prop *props = &machine->rules->props[object->props];
    for (uint32_t i = frame->index; i < object->n_props && i <= props[frame->index].next_required;
         i++)
        if (machine_property(machine, frame, i)) return true;
    return false;
}

static bool may_close(const struct machine *machine, const struct frame *frame) {
    const struct cell_object *object = object_of(machine, frame);
    return machine->rules->props[object->props + frame->index].next_required == object->n_props;
}

static bool may_continue(const struct machine *machine, const struct frame *frame) {
    return machine_additional(machine, frame) || any_property(machine, frame);
}

bool machine_open_object(struct machine *machine, struct thread *thread, uint32_t cell) {
    const struct frame *parent = &machine->frames[thread->frame];
    struct frame frame = {.parent = thread->frame,
                          .cell = cell,
                          .depth = (uint16_t)(parent->depth + 1),
                          .kind = FRAME_OBJECT};
    uint32_t index = machine_new_frame(machine, frame);
    *thread = (struct thread){.frame = index, .mode = MODE_OBJECT_FIRST};
    return index != 0;
}

static bool close_object(const struct machine *machine, struct thread *thread) {
    thread->frame = machine->frames[thread->frame].parent;
    return machine_value_done(machine, thread);
}

/* ---- keys ---- */

static bool start_key(const struct machine *machine, struct thread *thread) {
    const struct frame *frame = &machine->frames[thread->frame];
    const struct cell_object *object = object_of(machine, frame);
    bool open = machine_additional(machine, frame);
    uint32_t lo = open ? object->names : object->keys;
    *thread = (struct thread){.frame = thread->frame,
                              .lo = lo,
                              .hi = lo + object->n_props,
                              .mode = open ? MODE_KEY_OPEN : MODE_KEY_WORDS};
    return true;
}

/* The key is complete: property `index`, or a further member whose key has this hash. */
static bool key_done(struct machine *machine, struct thread *thread, uint32_t index, uint32_t node,
                     uint32_t seen) {
    struct frame frame = machine->frames[thread->frame];
    frame.index = index;
    if (seen) {
        frame.seen = seen;
        frame.count++;
    }
    uint32_t made = machine_new_frame(machine, frame);
    *thread = (struct thread){.frame = made, .cell = node, .mode = MODE_COLON};
    return made != 0;
}

static bool property_done(struct machine *machine, struct thread *thread, uint32_t index) {
    const struct frame *frame = &machine->frames[thread->frame];
    if (!machine_property(machine, frame, index)) return false;
    uint32_t node = machine->rules->props[object_of(machine, frame)->props + index].node;
    return key_done(machine, thread, index + 1, node, 0);
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
        return property_done(machine, thread, words->list[thread->lo].value);
    return any_usable(machine, thread);
}

static bool was_seen(const struct machine *machine, uint32_t seen, uint64_t hash) {
    for (; seen; seen = machine->frames[seen].parent)
        if (machine->frames[seen].hash == hash) return true;
    return false;
}

static bool further_done(struct machine *machine, struct thread *thread) {
    const struct frame *frame = &machine->frames[thread->frame];
    const struct cell_object *object = object_of(machine, frame);
    if (was_seen(machine, frame->seen, thread->hash)) return false;
    uint32_t index = object->n_props, node = object->additional;
    struct frame seen = {.parent = frame->seen, .hash = thread->hash, .kind = FRAME_SEEN};
    uint32_t made = machine_new_frame(machine, seen);
    return made && key_done(machine, thread, index, node, made);
}

static bool open_key_done(struct machine *machine, struct thread *thread) {
    const struct words *words = &machine->rules->words;
    if (thread->lo < thread->hi && words->list[thread->lo].len == thread->pos)
        return property_done(machine, thread, words->list[thread->lo].value);
    return further_done(machine, thread);
}

/* Follows the declared names with a decoded character. */
static void narrow_names(const struct machine *machine, struct thread *thread) {
    char bytes[4];
    size_t n = utf8_encode(thread->acc, bytes);
    for (size_t i = 0; i < n && thread->lo < thread->hi; i++) {
        if (words_narrow(&machine->rules->words, &thread->lo, &thread->hi, thread->pos,
                         (unsigned char)bytes[i]))
            thread->pos++;
        else
            thread->lo = thread->hi;
    }
    if (thread->lo >= thread->hi) thread->lo = thread->hi = thread->pos = 0;
}

static bool step_key_open(struct machine *machine, struct thread *thread, unsigned char byte) {
    switch (quoted_step(&thread->scan, &thread->acc, byte)) {
    case QUOTED_DEAD: return false;
    case QUOTED_MORE: return true;
    case QUOTED_END: return open_key_done(machine, thread);
    default:
        thread->hash = hash_mix(thread->hash + 1, thread->acc);
        narrow_names(machine, thread);
        thread->acc = 0;
        return true;
    }
}

/* ---- the step ---- */

bool machine_object(struct machine *machine, struct thread *thread, unsigned char byte) {
    const struct frame *frame = &machine->frames[thread->frame];
    bool first = thread->mode == MODE_OBJECT_FIRST;
    switch (thread->mode) {
    case MODE_KEY_WORDS: return step_key_words(machine, thread, byte);
    case MODE_KEY_OPEN: return step_key_open(machine, thread, byte);
    case MODE_KEY_BLANK: thread->mode = MODE_KEY_QUOTE; return byte == ' ';
    case MODE_KEY_QUOTE: return byte == '"' && start_key(machine, thread);
    default: break;
    }
    if (byte == '}') return may_close(machine, frame) && close_object(machine, thread);
    if (byte != (first ? '"' : ',') || !may_continue(machine, frame)) return false;
    if (first) return start_key(machine, thread);
    thread->mode = machine->rules->spaced ? MODE_KEY_BLANK : MODE_KEY_QUOTE;
    return true;
}

/* ---- lengths ---- */

static uint32_t after_key(const struct machine *machine, const struct cell_object *object,
                          uint32_t index) {
    const struct rules *rules = machine->rules;
    const struct prop *props = &rules->props[object->props];
    uint32_t colon = rules->spaced ? 2 : 1;
    bool declared = index < object->n_props;
    uint32_t node = declared ? props[index].node : object->additional;
    return rules_sum(rules_sum(colon, rules->nodes[node].shortest),
                     props[declared ? index + 1 : index].rest);
}

/* From inside a declared key, or from before it (pos 0). */
static uint32_t words_shortest(const struct machine *machine, const struct thread *thread) {
    const struct frame *frame = &machine->frames[thread->frame];
    const struct cell_object *object = object_of(machine, frame);
    uint32_t shortest = RULES_INFINITE;
    for (uint32_t i = thread->lo; i < thread->hi; i++) {
        const struct word *word = &machine->rules->words.list[i];
        if (!machine_property(machine, frame, word->value)) continue;
        uint32_t length = rules_sum(word->len - thread->pos, after_key(machine, object, word->value));
        if (length < shortest) shortest = length;
    }
    return shortest;
}

/* A further member, closing its key as soon as it is one that was not used yet. */
static uint32_t further_shortest(const struct machine *machine, const struct thread *thread) {
    const struct frame *frame = &machine->frames[thread->frame];
    const struct cell_object *object = object_of(machine, frame);
    bool exact = thread->lo < thread->hi &&
                 machine->rules->words.list[thread->lo].len == thread->pos;
    bool used = thread->scan == QUOTED_NORMAL &&
                (exact || was_seen(machine, frame->seen, thread->hash));
    uint32_t rest = after_key(machine, object, object->n_props);
    return rules_sum(rest, quoted_distance(thread->scan, thread->acc) + 1 + (used ? 1 : 0));
}

static uint32_t open_shortest(const struct machine *machine, const struct thread *thread) {
    uint32_t further = further_shortest(machine, thread);
    uint32_t declared = RULES_INFINITE;
    if (thread->scan == QUOTED_NORMAL && thread->lo < thread->hi)
        declared = rules_sum(words_shortest(machine, thread), 1); /* names lack their quote */
    return declared < further ? declared : further;
}

static uint32_t key_shortest(const struct machine *machine, const struct thread *thread) {
    struct thread key = *thread;
    start_key(machine, &key);
    uint32_t length = key.mode == MODE_KEY_OPEN ? open_shortest(machine, &key)
                                                : words_shortest(machine, &key);
    return length;
}

uint32_t machine_object_shortest(const struct machine *machine, const struct thread *thread) {
    const struct frame *frame = &machine->frames[thread->frame];
    const struct prop *next =
        &machine->rules->props[object_of(machine, frame)->props + frame->index];
    uint32_t comma = machine->rules->spaced ? 2 : 1;
    switch (thread->mode) {
    case MODE_OBJECT_FIRST: return next->rest == 1 ? 1 : next->rest - comma;
    case MODE_OBJECT_NEXT: return next->rest;
    case MODE_KEY_BLANK: return rules_sum(2, key_shortest(machine, thread));
    case MODE_KEY_QUOTE: return rules_sum(1, key_shortest(machine, thread));
    case MODE_KEY_WORDS: return words_shortest(machine, thread);
    default: return open_shortest(machine, thread);
    }
}
