#include "engine/hash.h"
#include "engine/machine.h"

/* Escapes that a language's strings may hold: those JSON needs, and \u for what is not ASCII (many
 * writers use it). Else one text could be spelled in too many ways to force anything. */
static bool plain(uint32_t character) {
    return character >= 0x20 && character < 0x7F;
}

static bool viable(const struct language *language, uint16_t state, uint32_t from, uint32_t to,
                   const struct language_length *after) {
    return from <= to && language_viable(language, state, from, to, after);
}

/* After a backslash. */
static bool escape_viable(const struct language *language, uint16_t state,
                          const struct language_length *after) {
    return viable(language, state, '"', '"', after) || viable(language, state, '\\', '\\', after) ||
           viable(language, state, 1, 0x1F, after) ||
           viable(language, state, 0x7F, 0x10FFFF, after);
}

/* After a backslash and u, with some of the digits. */
static bool hex_viable(const struct language *language, uint16_t state, struct quoted_range range,
                       const struct language_length *after) {
    uint32_t from = range.from > 0x7F ? range.from : 0x7F;
    uint32_t to = range.to < 0x1F ? range.to : 0x1F;
    return viable(language, state, range.from, to, after) ||
           viable(language, state, from, range.to, after);
}

static bool inside_viable(const struct language *language, const struct thread *thread,
                          const struct language_length *after) {
    struct quoted_range ranges[2];
    bool hex = thread->scan > QUOTED_ESCAPE;
    if (thread->scan == QUOTED_ESCAPE) return escape_viable(language, thread->state, after);
    int n = quoted_ranges(thread->scan, thread->acc, ranges);
    for (int i = 0; i < n; i++)
        if (hex ? hex_viable(language, thread->state, ranges[i], after)
                : viable(language, thread->state, ranges[i].from, ranges[i].to, after))
            return true;
    return false;
}

enum quoted_event machine_spell(const struct language *language, struct thread *thread,
                                unsigned char byte, const struct language_length *after) {
    uint8_t before = thread->scan;
    enum quoted_event event = quoted_step(&thread->scan, &thread->acc, byte);
    if (event == QUOTED_MORE) return inside_viable(language, thread, after) ? event : QUOTED_DEAD;
    if (event != QUOTED_CHAR) return event;
    if (before > QUOTED_ESCAPE && plain(thread->acc)) return QUOTED_DEAD;
    if (before == QUOTED_ESCAPE && byte == '/') return QUOTED_DEAD;
    uint16_t next = language_step(language, thread->state, thread->acc);
    if (next == LANGUAGE_DEAD || language->least[next] > after->max ||
        language->most[next] < after->min)
        return QUOTED_DEAD;
    thread->state = next;
    return event;
}

static uint32_t less(uint32_t limit, uint32_t count) {
    if (limit == RULES_INFINITE) return LANGUAGE_INFINITE;
    return limit > count ? limit - count : 0;
}

/* Characters are counted when they begin. Without a maximum only those up to the minimum count. */
static bool count_character(const struct cell_string *string, struct thread *thread) {
    if (string->max != RULES_INFINITE) return thread->count++ < string->max;
    if (thread->count < string->min) thread->count++;
    return true;
}

static bool close_string(struct machine *machine, struct thread *thread) {
    return machine_close(machine, thread, &machine->rules->cells[thread->cell], thread->start,
                         machine->at + 1, thread->hash);
}

static bool string_of_language(struct machine *machine, const struct cell_string *string,
                               struct thread *thread, unsigned char byte) {
    const struct language *language = &machine->rules->languages[string->language].language;
    if (thread->scan == QUOTED_NORMAL) {
        if (byte == '"')
            return thread->count >= string->min && language->wanted[thread->state] &&
                   close_string(machine, thread);
        if (!count_character(string, thread)) return false;
    }
    struct language_length after = {less(string->min, thread->count),
                                    less(string->max, thread->count)};
    enum quoted_event event = machine_spell(language, thread, byte, &after);
    if (event == QUOTED_CHAR) thread->acc = 0;
    return event != QUOTED_DEAD;
}

/* thread->lo and hi are the least and most characters, thread->cell is the language. */
bool machine_inside(const struct machine *machine, struct thread *thread, unsigned char byte) {
    const struct language *language = &machine->rules->languages[thread->cell].language;
    const struct cell_string string = {.min = thread->lo, .max = thread->hi};
    if (thread->scan == QUOTED_NORMAL && (byte == '"' || !count_character(&string, thread)))
        return false;
    struct language_length after = {less(string.min, thread->count),
                                    less(string.max, thread->count)};
    enum quoted_event event = machine_spell(language, thread, byte, &after);
    if (event == QUOTED_CHAR) thread->acc = 0;
    return event != QUOTED_DEAD;
}

bool machine_string(struct machine *machine, struct thread *thread, unsigned char byte) {
    const struct cell_string *string = &machine->rules->cells[thread->cell].string;
    if (string->language != RULES_NONE) return string_of_language(machine, string, thread, byte);
    bool begins = thread->scan == QUOTED_NORMAL;
    enum quoted_event event = quoted_step(&thread->scan, &thread->acc, byte);
    if (event == QUOTED_DEAD) return false;
    if (event == QUOTED_END)
        return thread->count >= string->min && close_string(machine, thread);
    if (event == QUOTED_CHAR) {
        if (machine_unique(machine, thread->frame))
            thread->hash = hash_mix(thread->hash + 1, thread->acc);
        thread->acc = 0;
    }
    return !begins || count_character(string, thread);
}

/* Bytes that end a character begun which becomes one of [from, to], bounds of the language or of
 * quoted_ranges; LANGUAGE_INFINITE if it can't. */
static uint32_t finish_character(const struct thread *thread, uint32_t from, uint32_t to) {
    if (from >= 0xD800 && from <= 0xDFFF && thread->scan >= QUOTED_ESCAPE) return LANGUAGE_INFINITE;
    if (thread->scan < QUOTED_ESCAPE) return quoted_distance(thread->scan, thread->acc);
    bool quoted = from == '"' || from == '\\';
    if (thread->scan == QUOTED_ESCAPE) {
        if (quoted || (from <= '\r' && to >= '\b' && from != '\v')) return 1;
        return plain(from) ? LANGUAGE_INFINITE : from < 0x10000 ? 5 : 11;
    }
    if (plain(from)) return LANGUAGE_INFINITE;
    if (thread->scan > QUOTED_HEX3) return quoted_distance(thread->scan, thread->acc);
    return (from < 0x10000 ? 1u : 7u) + (QUOTED_HEX3 - thread->scan);
}

/* The least number of bytes that can still come of the character begun and what follows it. */
static uint32_t after_character(const struct language *language, const struct thread *thread,
                                const struct language_length *after) {
    struct quoted_range ranges[3] = {{1, 0x10FFFF}};
    int n = 1;
    uint32_t best = LANGUAGE_INFINITE;
    if (thread->scan != QUOTED_ESCAPE) n = quoted_ranges(thread->scan, thread->acc, ranges);
    for (int r = 0; r < n; r++)
        for (uint32_t i = 0; i < language->n_bounds; i++) {
            uint32_t from =
                language->bounds[i] > ranges[r].from ? language->bounds[i] : ranges[r].from;
            uint32_t end = i + 1 < language->n_bounds ? language->bounds[i + 1] : 0x110000;
            if (from > ranges[r].to || from >= end) continue;
            uint32_t finish = finish_character(thread, from, end - 1);
            uint32_t bytes = language_rest(language, language_step(language, thread->state, from), after);
            bytes = rules_sum(bytes, finish);
            if (bytes < best) best = bytes;
        }
    return best;
}

uint32_t machine_spelled_rest(const struct language *language, const struct thread *thread,
                              const struct language_length *after) {
    return thread->scan == QUOTED_NORMAL ? language_rest(language, thread->state, after)
                                         : after_character(language, thread, after);
}

uint32_t machine_string_shortest(const struct machine *machine, const struct thread *thread) {
    const struct cell_string *string = &machine->rules->cells[thread->cell].string;
    struct language_length after = {less(string->min, thread->count),
                                    less(string->max, thread->count)};
    if (string->language == RULES_NONE)
        return rules_sum(after.min, quoted_distance(thread->scan, thread->acc) + 1);
    const struct language *language = &machine->rules->languages[string->language].language;
    return rules_sum(machine_spelled_rest(language, thread, &after), 1);
}

uint32_t machine_string_character(const struct machine *machine, const struct thread *thread) {
    const struct cell_string *string = &machine->rules->cells[thread->cell].string;
    if (thread->mode != MODE_STRING || thread->scan != QUOTED_NORMAL ||
        string->language == RULES_NONE || machine_unique(machine, thread->frame))
        return 0;
    const struct language *language = &machine->rules->languages[string->language].language;
    if (thread->count >= string->min && language->wanted[thread->state]) return 0;
    struct language_length after = {less(string->min, thread->count + 1),
                                    less(string->max, thread->count + 1)};
    return language_cheapest(language, thread->state, &after);
}
