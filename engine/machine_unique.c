/* Arrays without repetitions: the frame remembers its items by hash, as objects do their keys. Only
 * items that are told apart as they are written get here: strings (by their characters, however
 * they are escaped) and scalar words. */
#include "engine/hash.h"
#include "engine/machine.h"

static const struct cell_array *unique_array(const struct machine *machine, uint32_t index) {
    const struct frame *frame = &machine->frames[index];
    if (frame->kind != FRAME_ARRAY) return NULL;
    const struct cell_array *array = &machine->rules->cells[frame->cell].array;
    return array->unique_part == RULES_NONE ? NULL : array;
}

bool machine_unique(const struct machine *machine, uint32_t frame) {
    return unique_array(machine, frame) != NULL;
}

static bool was_seen(const struct machine *machine, uint32_t frame, uint64_t hash) {
    uint32_t seen = machine->frames[frame].seen;
    for (; seen; seen = machine->frames[seen].parent)
        if (machine->frames[seen].hash == hash) return true;
    return false;
}

bool machine_item_done(struct machine *machine, struct thread *thread, uint64_t hash) {
    if (!machine_unique(machine, thread->frame)) return machine_value_done(machine, thread);
    struct frame frame = machine->frames[thread->frame];
    if (was_seen(machine, thread->frame, hash)) return false;
    frame.seen = machine_add_seen(machine, frame.seen, hash);
    frame.count++;
    thread->frame = frame.seen ? machine_new_frame(machine, frame) : 0;
    return thread->frame && machine_value_done(machine, thread);
}

uint64_t machine_word_hash(const struct machine *machine, uint32_t word) {
    const struct words *words = &machine->rules->words;
    const char *text = word_text(words, word);
    uint32_t len = words->list[word].len, acc = 0;
    uint8_t scan = QUOTED_NORMAL;
    uint64_t hash = 0;
    if (*text != '"') return hash_bytes(17, text, len);
    for (uint32_t i = 1; i + 1 < len; i++) {
        if (quoted_step(&scan, &acc, (unsigned char)text[i]) != QUOTED_CHAR) continue;
        hash = hash_mix(hash + 1, acc);
        acc = 0;
    }
    return hash;
}

bool machine_word_left(const struct machine *machine, uint32_t frame, uint32_t lo, uint32_t hi) {
    if (!machine_unique(machine, frame)) return true;
    for (uint32_t i = lo; i < hi; i++)
        if (!was_seen(machine, frame, machine_word_hash(machine, i))) return true;
    return false;
}

bool machine_item_left(const struct machine *machine, uint32_t frame, uint32_t node) {
    const struct rules *rules = machine->rules;
    if (!machine_unique(machine, frame)) return true;
    if (machine->frames[frame].count >= MACHINE_SEEN) return false;
    for (uint32_t i = 0; i < rules->nodes[node].n_cells; i++) {
        const struct cell *cell = &rules->cells[rules->refs[rules->nodes[node].cells + i]];
        if (cell->kind != CELL_WORDS) return true;
        if (machine_word_left(machine, frame, cell->words.first, cell->words.first + cell->words.n))
            return true;
    }
    return false;
}
