/* What can be said of a thread without a step: its end, distance, next bytes, identity. */
#include <string.h>

#include "engine/hash.h"
#include "engine/machine.h"
#include "engine/quoted.h"

static const struct digits_state *number_state(const struct machine *machine,
                                               const struct thread *thread) {
    const struct cell *cell = &machine->rules->cells[thread->cell];
    return &machine->rules->digits.states[cell->number.automaton + thread->state];
}

static bool guards_allow_end(const struct machine *machine, const struct thread *thread,
                             uint32_t start) {
    return machine_guards(machine, &machine->rules->cells[thread->cell], start, thread->at);
}

bool machine_may_end(const struct machine *machine, const struct thread *thread) {
    bool last = machine->frames[thread->frame].kind == FRAME_ROOT;
    switch (thread->mode) {
    case MODE_END:
    case MODE_FREE:
    case MODE_MORE_CALLS: return true;
    case MODE_WORDS:
        return last && thread->pos && machine->rules->words.list[thread->lo].len == thread->pos &&
               guards_allow_end(machine, thread, thread->at - thread->pos);
    case MODE_NUMBER:
        return last && number_state(machine, thread)->distance == 0 &&
               guards_allow_end(machine, thread, thread->start);
    default: return false;
    }
}

/* ---- lengths ---- */

static uint32_t literal_rest(const struct machine *machine, const struct thread *thread) {
    return machine->rules->literals[thread->cell].len - thread->pos;
}

static uint32_t close_length(const struct machine *machine) {
    return machine->rules->literals[LITERAL_CLOSE].len;
}

/* From before a tool's name to the end of the call. */
static uint32_t name_shortest(const struct machine *machine, uint32_t lo, uint32_t hi,
                              uint32_t pos) {
    uint32_t shortest = RULES_INFINITE;
    for (uint32_t i = lo; i < hi; i++) {
        const struct word *word = &machine->rules->words.list[i];
        uint32_t length = rules_sum(word->len - pos, machine->rules->nodes[word->value].shortest);
        if (length < shortest) shortest = length;
    }
    return rules_sum(shortest, close_length(machine));
}

/* What the frame still needs once the value read inside it is complete, with its parents. */
static uint32_t frames_shortest(const struct machine *machine, uint32_t index) {
    uint32_t total = 0;
    for (;; index = machine->frames[index].parent) {
        const struct frame *frame = &machine->frames[index];
        const struct cell *cell = &machine->rules->cells[frame->cell];
        if (frame->kind == FRAME_ROOT) return total;
        if (frame->kind == FRAME_CALLS) return rules_sum(total, close_length(machine));
        if (frame->kind == FRAME_ARRAY)
            total = rules_sum(total, rules_array_rest(machine->rules, &cell->array, frame->index,
                                                      frame->members + frame->sure));
        else
            total = rules_sum(total, machine_members_rest(machine, frame));
    }
}

static uint32_t words_shortest(const struct machine *machine, const struct thread *thread) {
    uint32_t shortest = RULES_INFINITE;
    for (uint32_t i = thread->lo; i < thread->hi; i++) {
        uint32_t length = machine->rules->words.list[i].len - thread->pos;
        if (length < shortest) shortest = length;
    }
    return shortest;
}

static uint32_t array_rest(const struct machine *machine, const struct frame *frame) {
    return rules_array_rest(machine->rules, &machine->rules->cells[frame->cell].array, frame->index,
                            frame->members);
}

/* Of a thread inside a container but not inside a value of it. */
static uint32_t container_shortest(const struct machine *machine, const struct thread *thread) {
    const struct frame *frame = &machine->frames[thread->frame];
    const struct cell *cell = &machine->rules->cells[frame->cell];
    if (frame->kind == FRAME_OBJECT) return machine_object_shortest(machine, thread);
    if (thread->mode != MODE_ARRAY_BLANK)
        return array_rest(machine, frame);
    if (frame->index < cell->array.min || frame->members < cell->array.least)
        return array_rest(machine, frame) - 1; /* the comma was read */
    uint32_t node = machine_item_node(machine, frame);
    return node == RULES_NONE ? RULES_INFINITE
                              : rules_sum(2, machine->rules->nodes[node].shortest);
}

static uint32_t call_shortest(const struct machine *machine, const struct thread *thread) {
    const struct rules *rules = machine->rules;
    if (thread->mode == MODE_NAME)
        return name_shortest(machine, thread->lo, thread->hi, thread->pos);
    if (thread->cell == LITERAL_CLOSE) return literal_rest(machine, thread);
    return rules_sum(literal_rest(machine, thread),
                     name_shortest(machine, rules->tools, rules->tools + rules->n_tools, 0));
}

uint32_t machine_shortest(const struct machine *machine, const struct thread *thread) {
    uint32_t own;
    switch (thread->mode) {
    case MODE_END:
    case MODE_FREE:
    case MODE_MORE_CALLS: return 0;
    case MODE_LITERAL:
    case MODE_NAME: return call_shortest(machine, thread);
    case MODE_COLON:
        own =
            rules_sum(machine->rules->spaced ? 2 : 1, machine->rules->nodes[thread->cell].shortest);
        break;
    case MODE_VALUE_BLANK: own = rules_sum(1, machine->rules->nodes[thread->cell].shortest); break;
    case MODE_VALUE: own = machine->rules->nodes[thread->cell].shortest; break;
    case MODE_WORDS: own = words_shortest(machine, thread); break;
    case MODE_STRING: own = machine_string_shortest(machine, thread); break;
    case MODE_NUMBER: own = number_state(machine, thread)->distance; break;
    default:
        own = container_shortest(machine, thread);
        return rules_sum(own, frames_shortest(machine, machine->frames[thread->frame].parent));
    }
    return rules_sum(own, frames_shortest(machine, thread->frame));
}

/* ---- next bytes ---- */

static void set_byte(uint64_t set[4], unsigned char byte) {
    set[byte >> 6] |= 1ull << (byte & 63);
}

static void set_all(uint64_t set[4], const char *bytes) {
    for (; *bytes; bytes++) set_byte(set, (unsigned char)*bytes);
}

static void words_first(const struct machine *machine, const struct thread *thread,
                        uint64_t set[4]) {
    const struct words *words = &machine->rules->words;
    for (uint32_t i = thread->lo; i < thread->hi; i++)
        if (words->list[i].len > thread->pos)
            set_byte(set, (unsigned char)word_text(words, i)[thread->pos]);
}

static void literal_first(const struct machine *machine, uint32_t kind, uint32_t pos,
                          uint64_t set[4]) {
    const struct literal *literal = &machine->rules->literals[kind];
    set_byte(set, (unsigned char)machine->rules->words.bytes[literal->text + pos]);
}

static void value_first(const struct machine *machine, uint32_t node, uint64_t set[4]) {
    for (int i = 0; i < 4; i++) set[i] |= machine->rules->nodes[node].first[i];
}

/* What may follow a complete number or word. */
static void after_scalar(const struct machine *machine, const struct thread *thread,
                         uint64_t set[4]) {
    if (machine->frames[thread->frame].kind == FRAME_CALLS)
        literal_first(machine, LITERAL_CLOSE, 0, set);
    else
        set_all(set, ",]}");
}

static void string_first(const struct thread *thread, uint64_t set[4]) {
    if (thread->scan == QUOTED_NORMAL || thread->scan >= QUOTED_ESCAPE)
        for (unsigned byte = 0x20; byte < 0x80; byte++) set_byte(set, (unsigned char)byte);
    if (thread->scan == QUOTED_NORMAL)
        set[3] |= ~0ull;
    else if (thread->scan < QUOTED_ESCAPE)
        set[2] |= ~0ull;
}

void machine_first(const struct machine *machine, const struct thread *thread, uint64_t set[4]) {
    switch (thread->mode) {
    case MODE_END: break;
    case MODE_FREE: memset(set, 0xFF, 4 * sizeof *set); break;
    case MODE_LITERAL: literal_first(machine, thread->cell, thread->pos, set); break;
    case MODE_MORE_CALLS: literal_first(machine, LITERAL_BETWEEN, 0, set); break;
    case MODE_WORDS: after_scalar(machine, thread, set); /* fall through */
    case MODE_KEY_WORDS:
    case MODE_NAME: words_first(machine, thread, set); break;
    case MODE_VALUE: value_first(machine, thread->cell, set); break;
    case MODE_NUMBER:
        set_all(set, "0123456789-+.eE");
        after_scalar(machine, thread, set);
        break;
    case MODE_STRING:
    case MODE_KEY_OPEN: string_first(thread, set); break;
    case MODE_ARRAY_FIRST: memset(set, 0xFF, 2 * sizeof *set); break;
    case MODE_COLON: set_byte(set, ':'); break;
    default: set_all(set, " ,\"]}"); break;
    }
}

/* ---- identity ---- */

static uint64_t clip(uint32_t limit, uint32_t count) {
    uint32_t left = limit > count ? limit - count : 0;
    return left < MACHINE_HORIZON ? left : MACHINE_HORIZON;
}

/* How many characters a string may and must still take: beyond the length of a token it is all one.
 */
static uint64_t string_count(const struct machine *machine, const struct thread *thread) {
    const struct cell_string *string = &machine->rules->cells[thread->cell].string;
    return clip(string->min, thread->count) << 16 | clip(string->max, thread->count);
}

uint64_t machine_hash(const struct machine *machine, const struct thread *thread) {
    uint64_t hash = hash_mix(machine->frames[thread->frame].hash, thread->hash);
    uint64_t count =
        thread->mode == MODE_STRING ? string_count(machine, thread) : (uint64_t)thread->count;
    hash = hash_mix(hash, (uint64_t)thread->cell << 32 | count);
    hash = hash_mix(hash, (uint64_t)thread->lo << 32 | thread->hi);
    hash = hash_mix(hash, (uint64_t)thread->pos << 32 | thread->acc);
    return hash_mix(hash,
                    (uint64_t)thread->state << 16 | (uint64_t)thread->mode << 8 | thread->scan);
}
