/* Keys of members that are not declared: any string that is neither a declared name nor used
 * before, and that the object's patterns sort into a kind of member. */
#include <string.h>

#include "base/utf8.h"
#include "engine/hash.h"
#include "engine/machine.h"

enum { SEARCH_STEPS = 4096 };

static const struct language *language_of(const struct machine *machine,
                                          const struct thread *thread) {
    uint32_t language = machine_object_of(machine, &machine->frames[thread->frame])->language;
    return language == RULES_NONE ? NULL : &machine->rules->languages[language].language;
}

void machine_start_open_key(const struct machine *machine, struct thread *thread) {
    const struct cell_object *object = machine_object_of(machine, &machine->frames[thread->frame]);
    *thread = (struct thread){.frame = thread->frame,
                              .lo = object->names,
                              .hi = object->names + object->n_props,
                              .mode = MODE_KEY_OPEN};
}

/* Follows the declared names with a character. */
static void narrow_names(const struct machine *machine, struct thread *thread, uint32_t character) {
    char bytes[4];
    size_t n = utf8_encode(character, bytes);
    for (size_t i = 0; i < n && thread->lo < thread->hi; i++) {
        if (words_narrow(&machine->rules->words, &thread->lo, &thread->hi, thread->pos,
                         (unsigned char)bytes[i]))
            thread->pos++;
        else
            thread->lo = thread->hi;
    }
    if (thread->lo >= thread->hi) thread->lo = thread->hi = thread->pos = 0;
}

uint64_t machine_key_hash(uint64_t hash, uint32_t character) {
    return hash_mix(hash + 1, character);
}

static void add_character(const struct machine *machine, struct thread *thread,
                          uint32_t character) {
    thread->hash = machine_key_hash(thread->hash, character);
    narrow_names(machine, thread, character);
}

/* The declared name that the key is, RULES_NONE if it is none. */
static uint32_t declared_name(const struct machine *machine, const struct thread *thread) {
    const struct word *word = &machine->rules->words.list[thread->lo];
    return thread->lo < thread->hi && word->len == thread->pos ? word->value : RULES_NONE;
}

static bool was_seen(const struct machine *machine, const struct thread *thread) {
    return machine_seen(machine, machine->frames[thread->frame].seen, thread->hash);
}

static bool usable(const struct machine *machine, const struct thread *thread) {
    return declared_name(machine, thread) == RULES_NONE && !was_seen(machine, thread);
}

/* ---- languages with an end ---- */

static bool ends_new(const struct machine *machine, const struct language *language,
                     const struct thread *thread, uint32_t *steps);

/* Does a character of [from, to], all of the class that leads to this state, begin an ending that
 * is not used up? */
static bool begins_new(const struct machine *machine, const struct language *language,
                       const struct thread *thread, const struct quoted_range *range,
                       uint16_t state, uint32_t *steps) {
    for (uint32_t c = range->from; c <= range->to; c++) {
        struct thread after = *thread;
        if (!language_is_spelled(c)) continue;
        if (++*steps > SEARCH_STEPS) return false;
        after.state = state;
        after.scan = QUOTED_NORMAL;
        after.acc = 0;
        add_character(machine, &after, c);
        if (ends_new(machine, language, &after, steps)) return true;
    }
    return false;
}

/* Does the key have an ending that begins with a character of the range, spelled without \u, and is
 * not used up? */
static bool range_left(const struct machine *machine, const struct language *language,
                       const struct thread *thread, const struct quoted_range *range,
                       uint32_t *steps) {
    const uint16_t *next = language->next + (size_t)thread->state * language->n_classes;
    for (uint32_t i = 0; i < language->n_bounds; i++) {
        uint32_t end = i + 1 < language->n_bounds ? language->bounds[i + 1] : 0x110000;
        struct quoted_range part = {language->bounds[i] > range->from ? language->bounds[i]
                                                                      : range->from,
                                    end - 1 < range->to ? end - 1 : range->to};
        if (language->classes[i] == LANGUAGE_NO_CLASS || part.from > part.to) continue;
        uint16_t state = next[language->classes[i]];
        if (state == LANGUAGE_DEAD || language->words[state] == 0) continue;
        if (begins_new(machine, language, thread, &part, state, steps)) return true;
        if (*steps > SEARCH_STEPS) return false;
    }
    return false;
}

/* Where there are endings without end there is one. */
static bool ends_new(const struct machine *machine, const struct language *language,
                     const struct thread *thread, uint32_t *steps) {
    static const struct quoted_range all = {1, 0x10FFFF};
    enum { LONGEST = 256 }; /* bounds the recursion */
    uint32_t used = machine_keys_used(machine, &machine->frames[thread->frame]);
    if (machine_many_keys(language, thread->state, used)) return true;
    if (language->most[thread->state] > LONGEST) return false;
    if (language->wanted[thread->state] && usable(machine, thread)) return true;
    return language->most[thread->state] > 0 && range_left(machine, language, thread, &all, steps);
}

uint32_t machine_keys_used(const struct machine *machine, const struct frame *frame) {
    return frame->count + machine_object_of(machine, frame)->own;
}

static bool key_left(const struct machine *machine, const struct thread *thread) {
    const struct language *language = language_of(machine, thread);
    uint32_t steps = 0;
    return !language || ends_new(machine, language, thread, &steps);
}

/* With a character that has a short escape? */
static bool escaped_left(const struct machine *machine, const struct language *language,
                         const struct thread *thread, uint32_t *steps) {
    static const struct quoted_range escaped[] = {{0x08, 0x0D}, {'"', '"'}, {'\\', '\\'}};
    for (size_t i = 0; i < sizeof escaped / sizeof *escaped; i++)
        if (range_left(machine, language, thread, &escaped[i], steps)) return true;
    return false;
}

/* The same inside a character. \u only where keys can't run out. */
static bool character_left(const struct machine *machine, const struct language *language,
                           const struct thread *before, const struct thread *thread) {
    struct quoted_range range[2];
    uint32_t steps = 0;
    if (language->plenty) return true;
    if (thread->scan >= QUOTED_ESCAPE && language->words[before->state] == LANGUAGE_PLENTY) return true;
    if (thread->scan == QUOTED_ESCAPE) return escaped_left(machine, language, thread, &steps);
    if (thread->scan > QUOTED_ESCAPE) return false;
    quoted_ranges(thread->scan, thread->acc, range);
    return range_left(machine, language, thread, range, &steps);
}

bool machine_key_left(const struct machine *machine, const struct frame *frame) {
    struct thread thread = {.frame = (uint32_t)(frame - machine->frames)};
    machine_start_open_key(machine, &thread);
    return key_left(machine, &thread);
}

/* ---- the step ---- */

static bool key_done(struct machine *machine, struct thread *thread) {
    const struct frame *frame = &machine->frames[thread->frame];
    const struct cell_object *object = machine_object_of(machine, frame);
    const struct language *language = language_of(machine, thread);
    uint32_t index = object->n_props, node = object->additional;
    uint32_t name = declared_name(machine, thread);
    if (name != RULES_NONE) return machine_property_done(machine, thread, name);
    if (was_seen(machine, thread)) return false;
    if (language) {
        if (!language->wanted[thread->state]) return false;
        node = rules_kind(machine->rules, object, language->labels[thread->state]);
    }
    uint32_t made = machine_add_seen(machine, frame->seen, thread->hash);
    return made && machine_key_done(machine, thread, index, node, made);
}

/* Bytes of an ASCII character in JSON; beside a language only what has a short escape can be
 * spelled. */
static uint32_t spelled(unsigned char c, bool language) {
    if (c == '"' || c == '\\' || c == '\b' || c == '\f' || c == '\n' || c == '\r' || c == '\t')
        return 2;
    return c >= 0x20 ? 1 : language ? RULES_NONE : 6;
}

uint32_t machine_name_left(const struct machine *machine, const struct thread *thread,
                           uint32_t name) {
    const struct words *words = &machine->rules->words;
    const char *text = word_text(words, name) + thread->pos;
    uint32_t len = words->list[name].len - thread->pos, left = 0, character;
    bool language = language_of(machine, thread) != NULL;
    struct quoted_range range[2];
    if (thread->scan > QUOTED_ESCAPE) return RULES_NONE;
    for (uint32_t i = 0; i < len; i++) {
        uint32_t bytes = spelled((unsigned char)text[i], language);
        if (bytes == RULES_NONE) return RULES_NONE;
        left += bytes;
    }
    if (thread->scan == QUOTED_NORMAL) return left;
    if (thread->scan == QUOTED_ESCAPE)
        return len && spelled((unsigned char)*text, language) == 2 ? left - 1 : RULES_NONE;
    size_t n = utf8_decode(text, len, &character);
    quoted_ranges(thread->scan, thread->acc, range);
    if (n == 0 || character < range->from || character > range->to) return RULES_NONE;
    return left - ((uint32_t)n - quoted_distance(thread->scan, thread->acc));
}

/* May the key so far still become one of the declared that may come now? */
static bool declared_left(const struct machine *machine, const struct thread *thread) {
    const struct frame *frame = &machine->frames[thread->frame];
    for (uint32_t i = thread->lo; i < thread->hi; i++)
        if (machine_name_left(machine, thread, i) != RULES_NONE &&
            machine_property(machine, frame, machine->rules->words.list[i].value))
            return true;
    return false;
}

/* A byte that is none of a further member's key: of a declared one? Of escapes it may have short
 * ones. */
static bool follow_declared(const struct machine *machine, struct thread *thread,
                            unsigned char byte) {
    enum quoted_event event = quoted_step(&thread->scan, &thread->acc, byte);
    if (event == QUOTED_CHAR) {
        add_character(machine, thread, thread->acc);
        thread->acc = 0;
        thread->state = LANGUAGE_DEAD;
    }
    return (event == QUOTED_CHAR || event == QUOTED_MORE) && declared_left(machine, thread);
}

/* Inside a language the state is LANGUAGE_DEAD once only declared names are left. */
static bool follow_language(const struct machine *machine, const struct language *language,
                            struct thread *thread, unsigned char byte) {
    static const struct language_length any = {0, LANGUAGE_INFINITE};
    struct thread before = *thread;
    bool further = thread->state != LANGUAGE_DEAD;
    enum quoted_event event = further ? machine_spell(language, thread, byte, &any) : QUOTED_DEAD;
    if (event == QUOTED_MORE && character_left(machine, language, &before, thread)) return true;
    if (event == QUOTED_CHAR) {
        add_character(machine, thread, thread->acc);
        thread->acc = 0;
        if (key_left(machine, thread)) return true;
    }
    *thread = before;
    return follow_declared(machine, thread, byte);
}

bool machine_open_key(struct machine *machine, struct thread *thread, unsigned char byte) {
    const struct language *language = language_of(machine, thread);
    if (thread->scan == QUOTED_NORMAL && byte == '"') {
        bool dead = language && thread->state == LANGUAGE_DEAD;
        if (dead && declared_name(machine, thread) == RULES_NONE) return false;
        return key_done(machine, thread);
    }
    if (language) return follow_language(machine, language, thread, byte);
    enum quoted_event event = quoted_step(&thread->scan, &thread->acc, byte);
    if (event == QUOTED_CHAR) {
        add_character(machine, thread, thread->acc);
        thread->acc = 0;
    }
    return event != QUOTED_DEAD;
}

/* ---- lengths ---- */

/* To after the closing quote. A key that can't be closed as it is takes at least a character more.
 */
uint32_t machine_open_key_shortest(const struct machine *machine, const struct thread *thread) {
    static const struct language_length any = {0, LANGUAGE_INFINITE};
    const struct language *language = language_of(machine, thread);
    const struct frame *frame = &machine->frames[thread->frame];
    bool stuck = thread->scan == QUOTED_NORMAL && !usable(machine, thread);
    bool few = frame->count + machine_object_of(machine, frame)->n_props < 90;
    uint32_t more = !stuck ? 0 : few ? 1 : 2; /* there are more than 90 plain characters */
    if (language) {
        if (thread->state == LANGUAGE_DEAD) return RULES_INFINITE;
        if (thread->scan != QUOTED_NORMAL)
            return rules_sum(machine_spelled_rest(language, thread, &any), 1);
        if (language->distance[thread->state] > more) more = language->distance[thread->state];
    }
    return rules_sum(more, quoted_distance(thread->scan, thread->acc) + 1);
}
