#include "engine/rules.h"

#include <stdlib.h>
#include <string.h>

#include "engine/hash.h"
#include "engine/held.h"
#include "engine/vector.h"

enum rules_status rules_add_node(struct rules *rules, uint32_t *out) {
    if (rules->n_nodes >= RULES_MAX_NODES) return RULES_TOO_LARGE;
    if (!vector_reserve((void **)&rules->nodes, &rules->cap_nodes, rules->n_nodes + 1,
                        sizeof *rules->nodes))
        return RULES_MEMORY;
    *out = rules->n_nodes++;
    rules->nodes[*out] = (struct node){.shortest = RULES_INFINITE};
    return RULES_OK;
}

enum rules_status rules_add_cell(struct rules *rules, const struct cell *cell, uint32_t *out) {
    if (rules->n_cells >= RULES_MAX_CELLS) return RULES_TOO_LARGE;
    if (!vector_reserve((void **)&rules->cells, &rules->cap_cells, rules->n_cells + 1,
                        sizeof *rules->cells))
        return RULES_MEMORY;
    *out = rules->n_cells++;
    rules->cells[*out] = *cell;
    rules->cells[*out].shortest = RULES_INFINITE;
    return RULES_OK;
}

enum rules_status rules_add_refs(struct rules *rules, const uint32_t *refs, uint32_t n,
                                 uint32_t *out) {
    if (n > RULES_MAX_REFS - rules->n_refs) return RULES_TOO_LARGE;
    if (!vector_reserve((void **)&rules->refs, &rules->cap_refs, rules->n_refs + n,
                        sizeof *rules->refs))
        return RULES_MEMORY;
    if (n) memcpy(rules->refs + rules->n_refs, refs, n * sizeof *refs);
    *out = rules->n_refs;
    rules->n_refs += n;
    return RULES_OK;
}

enum rules_status rules_add_props(struct rules *rules, const struct prop *props, uint32_t n,
                                  uint32_t *out) {
    if (n > RULES_MAX_PROPS - rules->n_props) return RULES_TOO_LARGE;
    if (!vector_reserve((void **)&rules->props, &rules->cap_props, rules->n_props + n,
                        sizeof *rules->props))
        return RULES_MEMORY;
    memcpy(rules->props + rules->n_props, props, n * sizeof *props);
    *out = rules->n_props;
    rules->n_props += n;
    return RULES_OK;
}

enum rules_status rules_add_language(struct rules *rules, struct language *language,
                                     const char *key, uint32_t key_len, uint32_t *out) {
    struct rules_language made = {.language = *language,
                                  .key = rules->words.n_bytes,
                                  .key_len = key_len,
                                  .hash = hash_bytes(9, key, key_len)};
    *language = (struct language){0};
    if (rules->n_languages >= RULES_MAX_LANGUAGES) {
        language_free(&made.language);
        return RULES_TOO_LARGE;
    }
    if (!vector_reserve((void **)&rules->languages, &rules->cap_languages, rules->n_languages + 1,
                        sizeof *rules->languages) ||
        !words_add(&rules->words, key, key_len, 0)) {
        language_free(&made.language);
        return RULES_MEMORY;
    }
    rules->words.n--; /* bytes in the pool, no word of a list */
    uint32_t *first = &rules->language_lists[made.hash % RULES_LANGUAGE_LISTS];
    made.next = *first;
    *out = rules->n_languages;
    rules->languages[rules->n_languages++] = made;
    *first = rules->n_languages;
    return RULES_OK;
}

uint32_t rules_find_language(const struct rules *rules, const char *key, uint32_t key_len) {
    uint64_t hash = hash_bytes(9, key, key_len);
    uint32_t next = key_len ? rules->language_lists[hash % RULES_LANGUAGE_LISTS] : 0;
    while (next) {
        const struct rules_language *at = &rules->languages[next - 1];
        if (at->hash == hash && at->key_len == key_len &&
            memcmp(rules->words.bytes + at->key, key, key_len) == 0)
            return next - 1;
        next = at->next;
    }
    return RULES_NONE;
}

struct rules_mark rules_mark(const struct rules *rules) {
    return (struct rules_mark){rules->n_nodes,     rules->n_cells,       rules->n_props,
                               rules->n_refs,      rules->words.n,       rules->words.n_bytes,
                               rules->n_languages, rules->guards.n,      rules->guards.n_judges};
}

void rules_rewind(struct rules *rules, const struct rules_mark *mark) {
    while (rules->n_languages > mark->n_languages) { /* each is the first of its list */
        struct rules_language *last = &rules->languages[--rules->n_languages];
        rules->language_lists[last->hash % RULES_LANGUAGE_LISTS] = last->next;
        language_free(&last->language);
    }
    rules->n_nodes = mark->n_nodes;
    rules->n_cells = mark->n_cells;
    rules->n_props = mark->n_props;
    rules->n_refs = mark->n_refs;
    rules->words.n = mark->n_words;
    rules->words.n_bytes = mark->n_bytes;
    rules->guards.n = mark->n_guards;
    rules->guards.n_judges = mark->n_judges;
}

void rules_free(struct rules *rules) {
    for (uint32_t i = 0; i < rules->n_languages; i++) language_free(&rules->languages[i].language);
    free(rules->languages);
    free(rules->nodes);
    free(rules->cells);
    free(rules->props);
    free(rules->refs);
    free(rules->fallback);
    words_free(&rules->words);
    digits_free(&rules->digits);
    guards_free(&rules->guards);
    free(rules->hashes);
    *rules = (struct rules){0};
}

size_t rules_bytes(const struct rules *rules) {
    size_t bytes = held(rules->languages) + held(rules->nodes) + held(rules->cells) +
                   held(rules->props) + held(rules->refs) + held(rules->fallback) +
                   held(rules->hashes) + guards_bytes(&rules->guards);
    bytes += held(rules->words.bytes) + held(rules->words.list) + held(rules->digits.states) +
             held(rules->digits.memos) + held(rules->digits.text);
    for (uint32_t i = 0; i < rules->n_languages; i++)
        bytes += language_bytes(&rules->languages[i].language);
    return bytes;
}

uint32_t rules_sum(uint32_t a, uint32_t b) {
    if (a == RULES_INFINITE || b == RULES_INFINITE) return RULES_INFINITE;
    return b > RULES_LONGEST - a ? RULES_LONGEST : a + b;
}

static uint32_t times(uint32_t n, uint32_t length) {
    if (n == 0) return 0;
    if (length == RULES_INFINITE) return RULES_INFINITE;
    uint64_t product = (uint64_t)n * length;
    return product > RULES_LONGEST ? RULES_LONGEST : (uint32_t)product;
}

/* ---- lengths and heights: the least solution, from infinity downwards ---- */

uint32_t rules_item(const struct rules *rules, const struct cell_array *array, uint32_t index) {
    return index < array->n_prefix ? rules->refs[array->prefix + index] : array->rest;
}

static uint32_t item_length(const struct rules *rules, uint32_t node) {
    return node == RULES_NONE ? RULES_INFINITE : rules->nodes[node].shortest;
}

/* A number spelled with a point or exponent may equal one that is spelled otherwise. */
static bool distinct_words(const struct rules *rules, const struct cell_words *list) {
    for (uint32_t i = list->first; i < list->first + list->n; i++) {
        const char *text = word_text(&rules->words, i);
        uint32_t len = rules->words.list[i].len;
        if (*text == '[' || *text == '{' || list->n > RULES_MAX_DISTINCT) return false;
        for (uint32_t k = 0;
             *text != '"' && *text != 't' && *text != 'f' && *text != 'n' && k < len; k++)
            if (text[k] == '.' || text[k] == 'e' || text[k] == 'E') return false;
    }
    return true;
}

bool rules_distinct(const struct rules *rules, uint32_t node) {
    if (node == RULES_NONE) return true;
    for (uint32_t i = 0; i < rules->nodes[node].n_cells; i++) {
        const struct cell *cell = &rules->cells[rules->refs[rules->nodes[node].cells + i]];
        bool words = cell->kind == CELL_WORDS && distinct_words(rules, &cell->words);
        bool string = cell->kind == CELL_STRING && cell->string.language == RULES_NONE &&
                      cell->string.max == RULES_INFINITE;
        if (!words && !string && cell->shortest != RULES_INFINITE) return false;
    }
    return true;
}

enum { PLENTY = 4000 }; /* strings of two characters, with room to spare */

/* Are there certainly fewer different items than there must be? */
static bool too_few_words(const struct rules *rules, const struct cell_array *array) {
    const struct node *node = &rules->nodes[array->rest];
    uint64_t n = array->n_prefix;
    for (uint32_t i = 0; i < node->n_cells; i++) {
        const struct cell *cell = &rules->cells[rules->refs[node->cells + i]];
        if (cell->kind != CELL_WORDS && cell->shortest != RULES_INFINITE) return false;
        if (cell->kind == CELL_WORDS) n += cell->words.n;
    }
    return n < array->min;
}

static bool told_apart_as_written(const struct rules *rules, const struct cell_array *array) {
    bool distinct = rules_distinct(rules, array->rest);
    for (uint32_t i = 0; i < array->n_prefix && distinct; i++)
        distinct = rules_distinct(rules, rules->refs[array->prefix + i]);
    return distinct;
}

/* How many different items a node has, for certain, and bytes that suffice for each. */
static uint32_t count_distinct(const struct rules *rules, uint32_t node, uint32_t *length) {
    uint32_t n = 0;
    for (uint32_t i = 0; node != RULES_NONE && i < rules->nodes[node].n_cells; i++) {
        const struct cell *cell = &rules->cells[rules->refs[rules->nodes[node].cells + i]];
        if (cell->kind == CELL_STRING) {
            *length = rules_sum(4, cell->string.min); /* two characters make enough strings */
            return RULES_INFINITE;
        }
        if (cell->kind != CELL_WORDS) continue;
        n += cell->words.n;
        for (uint32_t k = cell->words.first; k < cell->words.first + cell->words.n; k++)
            if (rules->words.list[k].len > *length) *length = rules->words.list[k].len;
    }
    return n;
}

/* As rules_array_rest, where no item may repeat. */
static uint32_t unique_rest(const struct rules *rules, const struct cell_array *array,
                            uint32_t count) {
    uint32_t total = 1, comma = rules->spaced ? 2 : 1;
    for (uint32_t i = count; i < array->min; i++) {
        uint32_t length = 0, node = rules_item(rules, array, i);
        if (count_distinct(rules, node, &length) < array->min) return RULES_INFINITE;
        if (array->min > PLENTY) length = rules_sum(length, 2);
        total = rules_sum(total, rules_sum(i ? comma : 0, length));
        if (i >= array->n_prefix) /* the others are alike */
            return rules_sum(total, times(array->min - i - 1, rules_sum(comma, length)));
    }
    return total;
}

uint32_t rules_array_rest(const struct rules *rules, const struct cell_array *array, uint32_t count,
                          uint32_t found) {
    uint32_t total = 1, comma = rules->spaced ? 2 : 1, i = count;
    uint32_t missing = array->least > found ? array->least - found : 0;
    if (array->unique_part != RULES_NONE && !rules_tracks(array))
        return unique_rest(rules, array, count);
    for (; missing && i < array->n_prefix; i++) {
        uint32_t length = item_length(rules, rules->refs[array->with + i]);
        missing -= length != RULES_INFINITE;
        if (length == RULES_INFINITE) length = item_length(rules, rules->refs[array->prefix + i]);
        total = rules_sum(total, rules_sum(i ? comma : 0, length));
    }
    if (missing) {
        uint32_t each = item_length(rules, rules->refs[array->with + array->n_prefix]);
        total = rules_sum(total, times(missing, rules_sum(comma, each)));
        if (i == 0 && total < RULES_LONGEST) total -= comma;
        i = missing > RULES_LONGEST - i ? RULES_LONGEST : i + missing;
    }
    if (i > array->max) return RULES_INFINITE;
    for (; i < array->min && i < array->n_prefix; i++)
        total = rules_sum(
            total, rules_sum(i ? comma : 0, item_length(rules, rules->refs[array->prefix + i])));
    if (i >= array->min) return total;
    uint32_t each = rules_sum(comma, item_length(rules, array->rest));
    total = rules_sum(total, times(array->min - i, each));
    return i == 0 && total != RULES_INFINITE && total != RULES_LONGEST ? total - comma : total;
}

static uint16_t tallest(uint16_t height, const struct rules *rules, uint32_t node) {
    if (node == RULES_NONE) return height;
    return rules->nodes[node].height > height ? rules->nodes[node].height : height;
}

static void measure_array(const struct rules *rules, struct cell *cell) {
    struct cell_array *array = &cell->array;
    uint16_t height = 0;
    if (array->unique_part != RULES_NONE) array->by_value = !told_apart_as_written(rules, array);
    cell->shortest =
        array->min > array->max ? RULES_INFINITE : rules_sum(1, rules_array_rest(rules, array, 0, 0));
    if (array->by_value && too_few_words(rules, array)) cell->shortest = RULES_INFINITE;
    for (uint32_t i = 0; i < array->min && i < array->n_prefix; i++)
        height = tallest(height, rules, rules->refs[array->prefix + i]);
    if (array->min > array->n_prefix) height = tallest(height, rules, array->rest);
    for (uint32_t i = 0; i < array->least && i <= array->n_prefix; i++)
        height = tallest(height, rules, rules->refs[array->with + i]);
    cell->height = (uint16_t)(height + 1);
}

static uint32_t member_length(const struct rules *rules, const struct prop *prop) {
    return rules_sum(prop->key_len + (rules->spaced ? 2 : 1), rules->nodes[prop->node].shortest);
}

static uint32_t kind_field(const struct rules *rules, const struct cell_object *object, uint32_t i,
                           uint32_t field) {
    return rules->refs[object->kinds + KIND_FIELDS * i + field];
}

/* Bytes that suffice for any member that may be added, and how tall the tallest one is. */
static uint32_t spare_member(const struct rules *rules, const struct cell_object *object,
                             uint16_t *height) {
    uint32_t most = 0, key = rules->spaced ? 6 : 5; /* a further key of two characters */
    if (object->language != RULES_NONE) /* or no longer than the way through all states */
        key += rules->languages[object->language].language.n_states;
    for (uint32_t i = 0; i < object->n_props; i++) {
        const struct prop *prop = &rules->props[object->props + i];
        uint32_t length = prop->required ? RULES_INFINITE : member_length(rules, prop);
        if (length == RULES_INFINITE) continue;
        *height = tallest(*height, rules, prop->node);
        if (length > most) most = length;
    }
    for (uint32_t i = 0; i <= object->n_kinds; i++) {
        uint32_t node = i ? kind_field(rules, object, i - 1, KIND_NODE) : object->additional;
        uint32_t length =
            node == RULES_NONE ? RULES_INFINITE : rules_sum(key, rules->nodes[node].shortest);
        if (length == RULES_INFINITE) continue;
        *height = tallest(*height, rules, node);
        if (length > most) most = length;
    }
    return most;
}

static uint32_t satisfiable_members(const struct rules *rules, const struct cell_object *object);

static void measure_object(const struct rules *rules, struct cell *cell) {
    uint32_t length = 2, comma = rules->spaced ? 2 : 1, members = 0;
    uint16_t height = 0;
    struct cell_object *object = &cell->object;
    for (uint32_t i = 0; i < object->n_props; i++) {
        const struct prop *prop = &rules->props[object->props + i];
        if (!prop->required) continue;
        length = rules_sum(length, rules_sum(members++ ? comma : 0, member_length(rules, prop)));
        height = tallest(height, rules, prop->node);
    }
    if (members > object->max || object->min > object->max) length = RULES_INFINITE;
    if (object->min > members && length != RULES_INFINITE) {
        uint32_t each = rules_sum(comma, spare_member(rules, object, &height));
        length = satisfiable_members(rules, object) < object->min
                     ? RULES_INFINITE
                     : rules_sum(length, times(object->min - members, each));
        if (members == 0 && length != RULES_INFINITE) length -= comma;
    }
    cell->shortest = length;
    cell->height = (uint16_t)(height + 1);
}

static uint32_t shortest_word(const struct rules *rules, const struct cell_words *list) {
    uint32_t shortest = RULES_INFINITE;
    for (uint32_t i = list->first; i < list->first + list->n; i++)
        if (rules->words.list[i].len < shortest) shortest = rules->words.list[i].len;
    return shortest;
}

static uint32_t string_length(const struct rules *rules, const struct cell_string *string) {
    const struct language_length length = {string->min, string->max};
    if (string->min > string->max) return RULES_INFINITE;
    if (string->language == RULES_NONE) return rules_sum(2, string->min);
    const struct language *language = &rules->languages[string->language].language;
    if (language->distance[0] == LANGUAGE_INFINITE) return RULES_INFINITE;
    return rules_sum(2, language_rest(language, 0, &length));
}

static void measure_cell(const struct rules *rules, struct cell *cell) {
    switch (cell->kind) {
    case CELL_WORDS: cell->shortest = shortest_word(rules, &cell->words); break;
    case CELL_STRING: cell->shortest = string_length(rules, &cell->string); break;
    case CELL_NUMBER: cell->shortest = rules->digits.states[cell->number.automaton].distance; break;
    case CELL_ARRAY: measure_array(rules, cell); break;
    default: measure_object(rules, cell); break;
    }
}

static bool measure_node(struct rules *rules, struct node *node) {
    uint32_t shortest = node->shortest;
    uint16_t height = shortest == RULES_INFINITE ? UINT16_MAX : node->height;
    for (uint32_t i = 0; i < node->n_cells; i++) {
        struct cell *cell = &rules->cells[rules->refs[node->cells + i]];
        measure_cell(rules, cell);
        if (cell->shortest == RULES_INFINITE) continue;
        if (cell->shortest < shortest) shortest = cell->shortest;
        if (cell->height < height) height = cell->height;
    }
    bool changed = shortest != node->shortest || height != node->height;
    if (shortest == RULES_INFINITE) return false;
    node->shortest = shortest;
    node->height = height;
    return changed;
}

bool rules_measure(struct rules *rules) {
    for (uint32_t i = 0; i < rules->n_nodes; i++) rules->nodes[i].shortest = RULES_INFINITE;
    for (int pass = 0; pass < 200; pass++) { /* nodes come after those that use them */
        bool changed = false;
        for (uint32_t i = rules->n_nodes; i-- > 0;)
            changed |= measure_node(rules, &rules->nodes[i]);
        if (!changed) return true;
    }
    return false;
}

/* How many members an object can have, for certain: RULES_INFINITE where keys are without end. */
static uint32_t satisfiable_members(const struct rules *rules, const struct cell_object *object) {
    uint32_t members = 0, further = 0;
    if (object->additional != RULES_NONE &&
        rules->nodes[object->additional].shortest != RULES_INFINITE)
        return RULES_INFINITE;
    for (uint32_t i = 0; i < object->n_props; i++)
        members += rules->nodes[rules->props[object->props + i].node].shortest != RULES_INFINITE;
    for (uint32_t i = 0; i < object->n_kinds; i++) {
        uint32_t count = kind_field(rules, object, i, KIND_COUNT);
        if (rules->nodes[kind_field(rules, object, i, KIND_NODE)].shortest == RULES_INFINITE)
            continue;
        if (count == LANGUAGE_PLENTY) return RULES_INFINITE;
        further += count;
    }
    /* Some of the further keys may be those of properties. */
    return members + (further > object->own ? further - object->own : 0);
}

/* ---- pruning ---- */

static bool satisfiable(const struct rules *rules, uint32_t node) {
    return node != RULES_NONE && rules->nodes[node].shortest != RULES_INFINITE;
}

/* The words of an array that remembers items by value, each with the index of its hash. */
static bool hash_words(struct rules *rules, uint32_t node) {
    for (uint32_t i = 0; i < rules->nodes[node].n_cells; i++) {
        const struct cell *cell = &rules->cells[rules->refs[rules->nodes[node].cells + i]];
        if (cell->kind != CELL_WORDS || cell->shortest == RULES_INFINITE) continue;
        for (uint32_t k = cell->words.first; k < cell->words.first + cell->words.n; k++) {
            struct word *word = &rules->words.list[k];
            if (word->value) continue;
            if (!vector_reserve((void **)&rules->hashes, &rules->cap_hashes, rules->n_hashes + 1,
                                sizeof *rules->hashes))
                return false;
            if (!guard_value_hash(word_text(&rules->words, k), word->len,
                                  &rules->hashes[rules->n_hashes], &(uint64_t){UINT64_MAX}))
                return false;
            word->value = ++rules->n_hashes;
        }
    }
    return true;
}

/* The nodes at refs[at..] that there are. */
static bool hash_nodes(struct rules *rules, uint32_t at, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        if (rules->refs[at + i] != RULES_NONE && !hash_words(rules, rules->refs[at + i]))
            return false;
    return true;
}

/* Also those that stand in for items where the array must, or must not, contain one more. */
static bool hash_items(struct rules *rules, const struct cell_array *array) {
    if (array->rest != RULES_NONE && !hash_words(rules, array->rest)) return false;
    if (!hash_nodes(rules, array->prefix, array->n_prefix)) return false;
    if (array->contains == RULES_NONE) return true;
    if (!hash_nodes(rules, array->with, array->n_prefix + 1)) return false;
    return array->without == RULES_NONE || hash_nodes(rules, array->without, array->n_prefix + 1);
}

/* With what an array must contain, it need not be possible for other items to follow. */
static void prune_array(struct rules *rules, struct cell_array *array) {
    if (!satisfiable(rules, array->rest)) array->rest = RULES_NONE;
    if (array->rest == RULES_NONE && array->n_prefix < array->max) array->max = array->n_prefix;
    for (uint32_t i = 0; i < array->n_prefix && i < array->max; i++)
        if (!satisfiable(rules, rules->refs[array->prefix + i])) array->max = i;
}

struct kinds {
    const struct rules *rules;
    const struct cell_object *object;
};

uint32_t rules_kind(const struct rules *rules, const struct cell_object *object, uint32_t label) {
    for (uint32_t i = 0; i < object->n_kinds; i++)
        if (kind_field(rules, object, i, KIND_LABEL) == label)
            return kind_field(rules, object, i, KIND_NODE);
    return RULES_NONE;
}

static bool kind_satisfiable(uint32_t label, const void *user) {
    const struct kinds *kinds = user;
    return satisfiable(kinds->rules, rules_kind(kinds->rules, kinds->object, label));
}

/* Which keys further members may have is known only now. */
static bool prune_further(struct rules *rules, struct cell_object *object) {
    struct kinds kinds = {rules, object};
    if (!satisfiable(rules, object->additional)) object->additional = RULES_NONE;
    object->further = object->additional != RULES_NONE;
    object->further_height = tallest(0, rules, object->additional);
    if (object->language == RULES_NONE) return true;
    struct language *language = &rules->languages[object->language].language;
    if (!language_finish(language, kind_satisfiable, &kinds)) return false;
    object->further = language->distance[0] != LANGUAGE_INFINITE;
    for (uint32_t i = 0; i < object->n_kinds; i++) {
        uint32_t node = kind_field(rules, object, i, KIND_NODE);
        if (satisfiable(rules, node))
            object->further_height = tallest(object->further_height, rules, node);
    }
    return true;
}

static bool prune_object(struct rules *rules, struct cell_object *object) {
    uint32_t comma = rules->spaced ? 2 : 1;
    struct prop next = {.next_required = object->n_props, .rest = 1};
    uint16_t height = 0;
    if (!prune_further(rules, object)) return false;
    object->spare = spare_member(rules, object, &height);
    for (uint32_t i = object->n_props + 1; i-- > 0;) {
        struct prop *prop = &rules->props[object->props + i];
        if (i < object->n_props) {
            prop->alive = satisfiable(rules, prop->node);
            next.n_alive += prop->alive;
            prop->length = rules_sum(comma, member_length(rules, prop));
            if (prop->required) {
                next.n_required++;
                next.next_required = i;
                next.rest = rules_sum(next.rest, prop->length);
            }
        }
        prop->next_required = next.next_required;
        prop->n_required = next.n_required;
        prop->n_alive = next.n_alive;
        prop->rest = next.rest;
    }
    return true;
}

static void set_first(struct node *node, unsigned char byte) {
    node->first[byte >> 6] |= 1ull << (byte & 63);
}

static void first_bytes(const struct rules *rules, struct node *node, const struct cell *cell) {
    static const char digits[] = "0123456789-";
    switch (cell->kind) {
    case CELL_WORDS:
        for (uint32_t i = 0; i < cell->words.n; i++)
            set_first(node, (unsigned char)*word_text(&rules->words, cell->words.first + i));
        break;
    case CELL_STRING: set_first(node, '"'); break;
    case CELL_NUMBER:
        for (const char *at = digits; *at; at++)
            if (rules->digits.states[cell->number.automaton]
                    .next[digits_symbol((unsigned char)*at)] != DIGITS_DEAD)
                set_first(node, (unsigned char)*at);
        break;
    case CELL_ARRAY: set_first(node, '['); break;
    default: set_first(node, '{'); break;
    }
}

bool rules_prune(struct rules *rules) {
    for (uint32_t i = 0; i < rules->n_cells; i++) {
        struct cell *cell = &rules->cells[i];
        if (cell->kind == CELL_ARRAY) prune_array(rules, &cell->array);
        if (cell->kind == CELL_ARRAY && cell->array.by_value && !hash_items(rules, &cell->array))
            return false;
        rules->guarded |= cell->n_guards || (cell->kind == CELL_ARRAY && rules_tracks(&cell->array));
        if (cell->kind == CELL_OBJECT && !prune_object(rules, &cell->object)) return false;
    }
    for (uint32_t i = 0; i < rules->n_nodes; i++) {
        struct node *node = &rules->nodes[i];
        if (node->n_cells == 0) continue;
        uint32_t kept = 0, *refs = rules->refs + node->cells;
        for (uint32_t c = 0; c < node->n_cells; c++) {
            if (rules->cells[refs[c]].shortest == RULES_INFINITE) continue;
            first_bytes(rules, node, &rules->cells[refs[c]]);
            node->sure |= rules->cells[refs[c]].n_guards == 0;
            refs[kept++] = refs[c];
        }
        node->n_cells = kept;
    }
    return true;
}
