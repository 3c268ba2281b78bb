/* Sets of hashes: the keys of further members, and items of arrays without repetitions. A set is a
 * list of runs, each sorted; new hashes come as runs of one, and machine_tidy merges runs into ones
 * of twice the size, so that there are few and adding costs little on the whole. */
#include <stdlib.h>
#include <string.h>

#include "engine/hash.h"
#include "engine/machine.h"

enum { LOOSE_RUNS = 16 }; /* of one hash, before they are merged */

static uint64_t list_hash(const struct machine *machine, uint32_t seen) {
    const struct frame *frame = &machine->frames[seen];
    return seen ? (uint64_t)frame->cell << 32 | frame->index : 0;
}

static uint64_t hash_at(const struct frame *run, uint32_t i) {
    uint64_t hash;
    if (i == 0) return run->hash;
    memcpy(&hash, (const char *)(run + 1) + (i - 1) * sizeof hash, sizeof hash);
    return hash;
}

static void set_hash(struct frame *run, uint32_t i, uint64_t hash) {
    if (i == 0)
        run->hash = hash;
    else
        memcpy((char *)(run + 1) + (i - 1) * sizeof hash, &hash, sizeof hash);
}

static bool run_has(const struct frame *run, uint64_t hash) {
    uint32_t low = 0, high = run->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint64_t at = hash_at(run, middle);
        if (at == hash) return true;
        if (at < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

bool machine_seen(const struct machine *machine, uint32_t seen, uint64_t hash) {
    for (; seen; seen = machine->frames[seen].parent)
        if (run_has(&machine->frames[seen], hash)) return true;
    return false;
}

static uint32_t add_run(struct machine *machine, uint32_t before, uint32_t count, uint64_t all) {
    return machine_new_run(machine, (struct frame){.parent = before,
                                                   .cell = (uint32_t)(all >> 32),
                                                   .index = (uint32_t)all,
                                                   .count = count,
                                                   .kind = FRAME_SEEN});
}

uint32_t machine_add_seen(struct machine *machine, uint32_t before, uint64_t key) {
    uint32_t run = add_run(machine, before, 1, hash_mix(key, 13) + list_hash(machine, before));
    if (run) machine->frames[run].hash = key;
    return run;
}

/* ---- merging ---- */

static int compare_hashes(const void *left, const void *right) {
    uint64_t a, b;
    memcpy(&a, left, sizeof a);
    memcpy(&b, right, sizeof b);
    return a < b ? -1 : a > b;
}

/* The list with its first runs as one: all that are no longer than those before them together. */
static uint32_t merge(struct machine *machine, uint32_t seen) {
    uint32_t n = 0, rest = seen;
    for (; rest && (n == 0 || machine->frames[rest].count <= n); rest = machine->frames[rest].parent)
        n += machine->frames[rest].count;
    uint32_t run = add_run(machine, rest, n, list_hash(machine, seen)), at = 0;
    uint64_t *hashes = run ? malloc(n * sizeof *hashes) : NULL;
    if (!hashes) return seen;
    for (uint32_t i = seen; i != rest; i = machine->frames[i].parent)
        for (uint32_t k = 0; k < machine->frames[i].count; k++)
            hashes[at++] = hash_at(&machine->frames[i], k);
    qsort(hashes, n, sizeof *hashes, compare_hashes);
    for (uint32_t k = 0; k < n; k++) set_hash(&machine->frames[run], k, hashes[k]);
    free(hashes);
    return run;
}

static bool loose(const struct machine *machine, uint32_t seen) {
    uint32_t n = 0;
    for (; seen && machine->frames[seen].count == 1 && n < LOOSE_RUNS;
         seen = machine->frames[seen].parent)
        n++;
    return n == LOOSE_RUNS;
}

void machine_tidy(struct machine *machine, const struct thread *threads, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t at = threads[i].frame; at; at = machine->frames[at].parent)
            if (loose(machine, machine->frames[at].seen)) {
                uint32_t merged = merge(machine, machine->frames[at].seen);
                machine->frames[at].seen = merged;
            }
}

/* ---- items ---- */

static const struct cell_array *unique_array(const struct machine *machine, uint32_t index) {
    const struct frame *frame = &machine->frames[index];
    if (frame->kind != FRAME_ARRAY) return NULL;
    const struct cell_array *array = &machine->rules->cells[frame->cell].array;
    return array->unique_part == RULES_NONE ? NULL : array;
}

bool machine_unique(const struct machine *machine, uint32_t frame) {
    const struct cell_array *array = unique_array(machine, frame);
    return array && !array->by_value;
}

bool machine_remember(struct machine *machine, struct frame *frame, uint64_t hash) {
    if (machine_seen(machine, frame->seen, hash)) return false;
    frame->seen = machine_add_seen(machine, frame->seen, hash);
    frame->count++;
    return frame->seen != 0;
}

uint64_t machine_word_hash(const struct machine *machine, uint32_t frame, uint32_t word) {
    const struct words *words = &machine->rules->words;
    const struct cell_array *array = unique_array(machine, frame);
    const char *text = word_text(words, word);
    uint32_t len = words->list[word].len, acc = 0;
    uint8_t scan = QUOTED_NORMAL;
    uint64_t hash = 0;
    if (!array) return 0;
    if (array->by_value) return machine->rules->hashes[words->list[word].value - 1];
    if (*text != '"') return hash_bytes(17, text, len);
    for (uint32_t i = 1; i + 1 < len; i++) {
        if (quoted_step(&scan, &acc, (unsigned char)text[i]) != QUOTED_CHAR) continue;
        hash = hash_mix(hash + 1, acc);
        acc = 0;
    }
    return hash;
}

bool machine_word_left(const struct machine *machine, uint32_t frame, uint32_t lo, uint32_t hi) {
    if (!unique_array(machine, frame)) return true;
    for (uint32_t i = lo; i < hi; i++)
        if (!machine_seen(machine, machine->frames[frame].seen, machine_word_hash(machine, frame, i)))
            return true;
    return false;
}

bool machine_item_left(const struct machine *machine, uint32_t frame, uint32_t node) {
    const struct rules *rules = machine->rules;
    if (!unique_array(machine, frame)) return true;
    for (uint32_t i = 0; i < rules->nodes[node].n_cells; i++) {
        const struct cell *cell = &rules->cells[rules->refs[rules->nodes[node].cells + i]];
        if (cell->kind != CELL_WORDS) return true;
        if (machine_word_left(machine, frame, cell->words.first, cell->words.first + cell->words.n))
            return true;
    }
    return false;
}
