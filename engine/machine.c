#include "engine/machine.h"

#include <stdlib.h>
#include <string.h>

#include "engine/hash.h"
#include "engine/quoted.h"
#include "engine/vector.h"

/* ---- frames ---- */

bool machine_init(struct machine *machine, const struct rules *rules) {
    *machine = (struct machine){.rules = rules, .work = MACHINE_WORK};
    if (!vector_reserve((void **)&machine->frames, &machine->cap, 1, sizeof *machine->frames))
        return false;
    machine->frames[0] = (struct frame){.kind = FRAME_ROOT, .hash = 1};
    machine->n = 1;
    return true;
}

void machine_free(struct machine *machine) {
    free(machine->frames);
    free(machine->text);
    *machine = (struct machine){0};
}

/* Of all keys up to this run, in whatever order they came. */
static uint64_t seen_hash(const struct frame *seen) {
    return (uint64_t)seen->cell << 32 | seen->index;
}

static uint64_t frame_hash(const struct machine *machine, const struct frame *frame) {
    uint64_t hash = hash_mix(machine->frames[frame->parent].hash, frame->cell);
    hash = hash_mix(hash, (uint64_t)frame->index << 32 | frame->count);
    hash = hash_mix(hash, frame->members);
    if (frame->index && frame->kind == FRAME_OBJECT)
        hash = hash_mix(hash, frame->written +
                                  (frame->others ? seen_hash(&machine->frames[frame->others]) : 0));
    return hash_mix(hash,
                    (frame->seen ? seen_hash(&machine->frames[frame->seen]) : 0) + frame->kind);
}

uint32_t machine_new_frame(struct machine *machine, struct frame frame) {
    if (machine->n >= (1u << 24) || !vector_reserve((void **)&machine->frames, &machine->cap,
                                                    machine->n + 1, sizeof *machine->frames)) {
        machine->failed = true;
        return 0;
    }
    frame.hash = frame_hash(machine, &frame);
    machine->frames[machine->n] = frame;
    return machine->n++;
}

/* Slots that a run of hashes takes: its own and those that hold the hashes but the first. */
static uint32_t slots(const struct frame *frame) {
    if (frame->kind != FRAME_SEEN) return 1;
    size_t bytes = (frame->count - 1) * sizeof frame->hash;
    return 1 + (uint32_t)((bytes + sizeof *frame - 1) / sizeof *frame);
}

uint32_t machine_new_run(struct machine *machine, struct frame run) {
    uint32_t n = slots(&run), first = machine->n;
    if (n > (1u << 24) - first || !vector_reserve((void **)&machine->frames, &machine->cap,
                                                  first + n, sizeof *machine->frames)) {
        machine->failed = true;
        return 0;
    }
    machine->frames[first] = run;
    machine->n += n;
    return first;
}

static uint32_t mark(const struct machine *machine, uint32_t *moved, uint32_t index) {
    for (; index && !moved[index]; index = machine->frames[index].parent) {
        moved[index] = 1;
        if (machine->frames[index].seen) mark(machine, moved, machine->frames[index].seen);
        if (machine->frames[index].others) mark(machine, moved, machine->frames[index].others);
    }
    return index;
}

void machine_collect(struct machine *machine, struct thread *threads, uint32_t n) {
    uint32_t *moved = calloc(machine->n, sizeof *moved), kept = 1;
    if (!moved) return; /* more memory stays in use, nothing else */
    for (uint32_t i = 0; i < n; i++) mark(machine, moved, threads[i].frame);
    for (uint32_t i = 1; i < machine->n; i++) {
        if (moved[i]) moved[i] = kept, kept += slots(&machine->frames[i]);
    }
    for (uint32_t i = 1; i < machine->n; i++) { /* nothing moves up */
        if (!moved[i]) continue;
        struct frame *to = &machine->frames[moved[i]];
        memmove(to, &machine->frames[i], slots(&machine->frames[i]) * sizeof *to);
        to->parent = moved[to->parent];
        to->seen = moved[to->seen];
        to->others = moved[to->others];
    }
    for (uint32_t i = 0; i < n; i++) threads[i].frame = moved[threads[i].frame];
    machine->n = kept;
    free(moved);
}

/* ---- calls ---- */

bool machine_start(struct machine *machine, struct thread *thread) {
    const struct rules *rules = machine->rules;
    *thread = (struct thread){0};
    if (rules->root != RULES_NONE) {
        thread->mode = MODE_VALUE;
        thread->cell = rules->root;
        return true;
    }
    thread->frame = machine_new_frame(machine, (struct frame){.kind = FRAME_CALLS});
    thread->mode = rules->automatic ? MODE_FREE : MODE_LITERAL;
    thread->cell = rules->automatic ? 0 : LITERAL_HEAD;
    return thread->frame != 0;
}

static bool step_free(const struct machine *machine, struct thread *thread, unsigned char byte) {
    const struct literal *marker = &machine->rules->marker;
    const char *text = machine->rules->words.bytes + marker->text;
    uint32_t matched = thread->state;
    while (matched && (unsigned char)text[matched] != byte)
        matched = machine->rules->fallback[matched - 1];
    if ((unsigned char)text[matched] == byte) matched++;
    thread->state = (uint16_t)matched;
    if (matched < marker->len) return true;
    *thread = (struct thread){.frame = thread->frame, .cell = LITERAL_TAIL, .mode = MODE_LITERAL};
    return machine->rules->n_tools > 0;
}

static void start_name(const struct machine *machine, struct thread *thread) {
    *thread = (struct thread){.frame = thread->frame,
                              .lo = machine->rules->tools,
                              .hi = machine->rules->tools + machine->rules->n_tools,
                              .mode = MODE_NAME};
}

static bool step_literal(const struct machine *machine, struct thread *thread, unsigned char byte) {
    const struct literal *literal = &machine->rules->literals[thread->cell];
    if ((unsigned char)machine->rules->words.bytes[literal->text + thread->pos] != byte)
        return false;
    if (++thread->pos < literal->len) return true;
    if (thread->cell == LITERAL_CLOSE)
        *thread = (struct thread){.frame = thread->frame, .mode = MODE_MORE_CALLS};
    else
        start_name(machine, thread);
    return true;
}

static bool step_name(struct machine *machine, struct thread *thread, unsigned char byte) {
    const struct words *words = &machine->rules->words;
    if (!words_narrow(words, &thread->lo, &thread->hi, thread->pos, byte)) return false;
    const struct word *word = &words->list[thread->lo];
    if (++thread->pos < word->len) return true;
    struct frame frame = machine->frames[thread->frame];
    uint32_t node = word->value;
    frame.index++;
    *thread = (struct thread){
        .frame = machine_new_frame(machine, frame), .cell = node, .mode = MODE_VALUE};
    return thread->frame != 0;
}

static bool step_more_calls(const struct machine *machine, struct thread *thread,
                            unsigned char byte) {
    if (machine->frames[thread->frame].index >= machine->rules->max_calls) return false;
    *thread =
        (struct thread){.frame = thread->frame, .cell = LITERAL_BETWEEN, .mode = MODE_LITERAL};
    return step_literal(machine, thread, byte);
}

/* ---- values ---- */

bool machine_value_done(const struct machine *machine, struct thread *thread) {
    static const uint8_t modes[] = {[FRAME_ROOT] = MODE_END,
                                    [FRAME_CALLS] = MODE_LITERAL,
                                    [FRAME_ARRAY] = MODE_ARRAY_NEXT,
                                    [FRAME_OBJECT] = MODE_OBJECT_NEXT};
    const struct frame *frame = &machine->frames[thread->frame];
    *thread = (struct thread){.frame = thread->frame, .mode = modes[frame->kind]};
    if (frame->kind == FRAME_CALLS) thread->cell = LITERAL_CLOSE;
    return true;
}

static bool close_word(struct machine *machine, struct thread *thread, uint32_t end) {
    return machine_close(machine, thread, &machine->rules->cells[thread->cell], end - thread->pos,
                         end, machine_word_hash(machine, thread->frame, thread->lo));
}

static bool step_words(struct machine *machine, struct thread *thread, unsigned char byte) {
    const struct words *words = &machine->rules->words;
    if (!words_narrow(words, &thread->lo, &thread->hi, thread->pos, byte)) return false;
    thread->pos++;
    if (thread->hi - thread->lo == 1 && words->list[thread->lo].len == thread->pos)
        return close_word(machine, thread, machine->at + 1);
    return machine_word_left(machine, thread->frame, thread->lo, thread->hi);
}

static bool words_complete(const struct machine *machine, const struct thread *thread) {
    return thread->pos && machine->rules->words.list[thread->lo].len == thread->pos;
}

static const struct digits_state *number_state(const struct machine *machine,
                                               const struct thread *thread) {
    const struct cell *cell = &machine->rules->cells[thread->cell];
    return &machine->rules->digits.states[cell->number.automaton + thread->state];
}

static bool step_number(const struct machine *machine, struct thread *thread, unsigned char byte) {
    int symbol = digits_symbol(byte);
    uint16_t next = symbol < 0 ? DIGITS_DEAD : number_state(machine, thread)->next[symbol];
    thread->state = next;
    return next != DIGITS_DEAD;
}

/* ---- before a value: one thread for each alternative that begins with the byte ---- */

static bool start_cell(struct machine *machine, struct thread *thread, uint32_t index,
                       unsigned char byte) {
    const struct cell *cell = &machine->rules->cells[index];
    *thread = (struct thread){.frame = thread->frame, .cell = index};
    switch (cell->kind) {
    case CELL_WORDS:
        thread->mode = MODE_WORDS;
        thread->lo = cell->words.first;
        thread->hi = cell->words.first + cell->words.n;
        return step_words(machine, thread, byte);
    case CELL_STRING:
        thread->mode = MODE_STRING;
        thread->start = machine->at;
        return byte == '"';
    case CELL_NUMBER:
        thread->mode = MODE_NUMBER;
        thread->start = machine->at;
        return step_number(machine, thread, byte);
    case CELL_ARRAY: return byte == '[' && machine_open_array(machine, thread, index);
    default: return byte == '{' && machine_open_object(machine, thread, index);
    }
}

static uint32_t step_value(struct machine *machine, const struct thread *thread, unsigned char byte,
                           struct thread *out, uint32_t room) {
    const struct rules *rules = machine->rules;
    const struct node *node = &rules->nodes[thread->cell];
    uint16_t depth = machine->frames[thread->frame].depth;
    uint32_t n = 0;
    if (!(node->first[byte >> 6] >> (byte & 63) & 1)) return 0;
    for (uint32_t i = 0; i < node->n_cells && n < room; i++) {
        uint32_t cell = rules->refs[node->cells + i];
        if (depth + rules->cells[cell].height > RULES_DEPTH) continue;
        if (node->sure && machine->closing == CLOSING_SURELY && rules->cells[cell].n_guards) continue;
        out[n] = *thread;
        n += start_cell(machine, &out[n], cell, byte);
    }
    return n;
}

/* ---- the step ---- */

static uint32_t step(struct machine *machine, const struct thread *thread, unsigned char byte,
                     struct thread *out, uint32_t room);

static bool close_number(struct machine *machine, struct thread *thread) {
    return machine_close(machine, thread, &machine->rules->cells[thread->cell], thread->start,
                         machine->at, 0);
}

/* Numbers, and words that begin others, end where something follows that is not theirs. */
static bool step_scalar(struct machine *machine, struct thread *thread, unsigned char byte) {
    struct thread before = *thread;
    bool complete;
    if (thread->mode == MODE_WORDS) {
        if (step_words(machine, thread, byte)) return true;
        complete = words_complete(machine, &before);
    } else {
        if (step_number(machine, thread, byte)) return true;
        complete = number_state(machine, &before)->distance == 0;
    }
    *thread = before;
    if (!complete) return false;
    if (before.mode == MODE_WORDS ? !close_word(machine, thread, machine->at)
                                  : !close_number(machine, thread))
        return false;
    struct thread after;
    uint32_t n = step(machine, thread, byte, &after, 1);
    *thread = after;
    return n == 1;
}

static bool step_one(struct machine *machine, struct thread *thread, unsigned char byte) {
    switch (thread->mode) {
    case MODE_END: return false;
    case MODE_FREE: return step_free(machine, thread, byte);
    case MODE_LITERAL: return step_literal(machine, thread, byte);
    case MODE_NAME: return step_name(machine, thread, byte);
    case MODE_MORE_CALLS: return step_more_calls(machine, thread, byte);
    case MODE_WORDS:
    case MODE_NUMBER: return step_scalar(machine, thread, byte);
    case MODE_STRING: return machine_string(machine, thread, byte);
    case MODE_INSIDE: return machine_inside(machine, thread, byte);
    case MODE_ARRAY_NEXT:
    case MODE_ARRAY_BLANK: return machine_array(machine, thread, byte);
    case MODE_COLON:
        thread->mode = machine->rules->spaced ? MODE_VALUE_BLANK : MODE_VALUE;
        return byte == ':';
    case MODE_VALUE_BLANK: thread->mode = MODE_VALUE; return byte == ' ';
    default: return machine_object(machine, thread, byte);
    }
}

static uint32_t step(struct machine *machine, const struct thread *thread, unsigned char byte,
                     struct thread *out, uint32_t room) {
    if (room == 0) return 0;
    if (thread->mode == MODE_VALUE) return step_value(machine, thread, byte, out, room);
    *out = *thread;
    if (thread->mode != MODE_ARRAY_FIRST) return step_one(machine, out, byte);
    if (byte == ']') return machine_close_array(machine, out);
    if (!machine_start_item(machine, out, machine->at)) return 0;
    struct thread value = *out;
    return step_value(machine, &value, byte, out, room);
}

uint32_t machine_step(struct machine *machine, const struct thread *thread, unsigned char byte,
                      struct thread *out, uint32_t room) {
    uint32_t at = thread->at;
    if (!machine->rules->guarded) return step(machine, thread, byte, out, room);
    if (thread->mode != MODE_INSIDE && !machine_write(machine, at, byte)) return 0;
    uint32_t n = step(machine, thread, byte, out, room);
    for (uint32_t i = 0; i < n; i++) out[i].at = at + 1;
    return n;
}

/* Frames that say the same, made on two ways. */
static bool same_frames(const struct machine *machine, uint32_t a, uint32_t b) {
    while (a != b) {
        const struct frame *x = &machine->frames[a], *y = &machine->frames[b];
        if (x->hash != y->hash || x->cell != y->cell || x->index != y->index ||
            x->count != y->count || x->members != y->members || x->kind != y->kind)
            return false;
        a = x->parent;
        b = y->parent;
    }
    return true;
}

/* Among many threads most pairs differ in what is compared first. */
static bool same_thread(const struct machine *machine, const struct thread *a,
                        const struct thread *b) {
    if (a->cell != b->cell || a->lo != b->lo || a->mode != b->mode) return false;
    if (a->frame != b->frame && (!machine->rules->guarded ||
                                 machine->frames[a->frame].hash != machine->frames[b->frame].hash))
        return false;
    struct thread other = *b;
    other.frame = a->frame;
    return memcmp(a, &other, sizeof *a) == 0 && same_frames(machine, a->frame, b->frame);
}

static uint32_t drop_repeated(const struct machine *machine, struct thread *out, uint32_t kept,
                              uint32_t n) {
    for (uint32_t i = kept; i < n; i++) {
        uint32_t other = 0;
        while (other < kept && !same_thread(machine, &out[other], &out[i])) other++;
        if (other == kept) out[kept++] = out[i];
    }
    return kept;
}

uint32_t machine_step_all(struct machine *machine, const struct thread *threads, uint32_t n,
                          unsigned char byte, struct thread *out) {
    uint32_t kept = 0;
    if (n == 1) return machine_step(machine, threads, byte, out, MACHINE_THREADS);
    for (uint32_t i = 0; i < n && kept < MACHINE_THREADS; i++) {
        uint32_t more =
            machine_step(machine, &threads[i], byte, out + kept, MACHINE_THREADS - kept);
        kept = drop_repeated(machine, out, kept, kept + more);
    }
    return kept;
}
