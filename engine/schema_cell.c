#include <string.h>

#include "engine/decimal.h"
#include "engine/json_write.h"
#include "engine/schema_part.h"
#include "engine/vector.h"

enum {
    MAX_ALTERNATIVES = 512, /* of one place */
    ORDERS_MOST = 24,       /* of the members of a value that stands in the schema */
};

static const struct json *part_get(const struct schema *schema, const struct bundle *bundle,
                                   uint32_t i, enum schema_keyword keyword) {
    return schema_get(schema, term_part(bundle->terms[i]), keyword);
}

/* A count may be spelled 3, 3.0 or 3e0; past the 32 bits it saturates. */
static uint32_t read_count(const struct json *number) {
    uint32_t low = 0, high = RULES_LONGEST;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        char text[16];
        int len = 0;
        for (uint32_t rest = middle, unit = 1000000000; unit; unit /= 10)
            text[len++] = (char)('0' + rest / unit % 10);
        char *from = text;
        while (len > 1 && *from == '0') from++, len--;
        if (json_number_compare(from, (size_t)len, number->text, number->len) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t schema_count(const struct json *number) {
    uint32_t value = 0;
    if (number->len > 9) return read_count(number);
    for (uint32_t i = 0; i < number->len; i++) {
        if (number->text[i] < '0' || number->text[i] > '9') return read_count(number);
        value = value * 10 + (uint32_t)(number->text[i] - '0');
    }
    return value;
}

uint32_t schema_max_of(const struct schema *schema, const struct bundle *bundle,
                       enum schema_keyword keyword) {
    uint32_t most = 0;
    for (uint32_t i = 0; i < bundle->n; i++) {
        const struct json *value = part_get(schema, bundle, i, keyword);
        uint32_t count = value ? schema_count(value) : 0;
        if (count > most) most = count;
    }
    return most;
}

uint32_t schema_min_of(const struct schema *schema, const struct bundle *bundle,
                       enum schema_keyword keyword) {
    uint32_t least = RULES_INFINITE;
    for (uint32_t i = 0; i < bundle->n; i++) {
        const struct json *value = part_get(schema, bundle, i, keyword);
        uint32_t count = value ? schema_count(value) : RULES_INFINITE;
        if (count == RULES_LONGEST) count = RULES_INFINITE;
        if (count < least) least = count;
    }
    return least;
}

/* ---- alternatives ---- */

static bool same_cell(const struct rules *rules, const struct cell *a, const struct cell *b) {
    if (a->kind != b->kind || a->n_guards != b->n_guards) return false;
    for (uint32_t i = 0; i < a->n_guards; i++)
        if (rules->refs[a->guards + i] != rules->refs[b->guards + i]) return false;
    if (a->kind == CELL_STRING)
        return a->string.min == b->string.min && a->string.max == b->string.max &&
               a->string.language == b->string.language;
    return a->kind == CELL_NUMBER && a->number.automaton == b->number.automaton;
}

bool schema_add_cell(struct schema *schema, struct alternatives *out, const struct cell *cell) {
    uint32_t index;
    for (uint32_t i = 0; i < out->n; i++)
        if (same_cell(schema->rules, &schema->rules->cells[out->cells[i]], cell)) return true;
    if (out->n >= MAX_ALTERNATIVES) return schema_fail(schema, RULES_TOO_LARGE);
    enum rules_status status = rules_add_cell(schema->rules, cell, &index);
    if (status != RULES_OK) return schema_fail(schema, status);
    if (!vector_reserve((void **)&out->cells, &out->cap, out->n + 1, sizeof *out->cells))
        return schema_fail(schema, RULES_MEMORY);
    out->cells[out->n++] = index;
    return true;
}

bool schema_add_word(struct schema *schema, struct alternatives *out, const char *text,
                     size_t len) {
    if (len > UINT32_MAX || !words_add(&out->words, text, (uint32_t)len, 0))
        return schema_fail(schema, RULES_MEMORY);
    return true;
}

/* ---- enum and const ---- */

/* The shortest list of values the bundle is limited to; *single: a const. */
static const struct json *find_values(const struct schema *schema, const struct bundle *bundle,
                                      bool *single) {
    const struct json *best = NULL;
    *single = false;
    for (uint32_t i = 0; i < bundle->n; i++) {
        const struct json *value = part_get(schema, bundle, i, KW_CONST);
        const struct json *list = part_get(schema, bundle, i, KW_ENUM);
        if (value) return *single = true, value;
        if (list && (!best || list->len < best->len)) best = list;
    }
    return best;
}

/* The end of a number in JSON text; *whole: where its fraction begins if that is .0 or none and no
 * exponent follows, else NULL. */
static const char *skip_number(const char *at, const char *end, const char **whole) {
    const char *begin = at, *point;
    while (at < end && ((*at >= '0' && *at <= '9') || *at == '-')) at++;
    point = *whole = at;
    if (at < end && *at == '.')
        for (at++; at < end && *at >= '0' && *at <= '9'; at++)
            if (*at != '0') *whole = NULL;
    if (at < end && (*at == 'e' || *at == 'E')) {
        *whole = NULL;
        while (at < end && strchr("eE+-0123456789", *at)) at++;
    }
    return point > begin ? at : begin + 1;
}

/* The same JSON text with its integers written as `fraction` says: with .0 or without. */
static void rewrite_integers(struct buf *out, const char *text, size_t len, bool fraction) {
    bool quoted = false;
    for (const char *at = text, *end = text + len; at < end;) {
        const char *begin = at, *whole = NULL;
        bool number = !quoted && (*at == '-' || (*at >= '0' && *at <= '9'));
        if (*at == '"') quoted = !quoted;
        if (number)
            at = skip_number(at, end, &whole);
        else
            at += quoted && *at == '\\' && at + 1 < end ? 2 : 1;
        buf_add(out, begin, (size_t)((number && whole ? whole : at) - begin));
        if (number && whole && fraction) buf_add_str(out, ".0");
    }
}

/* The value as the schema spells it, and with its integers as 1 and as 1.0. Where items must not
 * repeat, words are counted: then one of each. */
static bool add_spelled(struct schema *schema, struct alternatives *out,
                          const struct json *value) {
    struct buf *text = &schema->text, other = {0};
    text->len = 0;
    json_write(text, value, schema->rules->spaced);
    if (text->failed) return schema_fail(schema, RULES_MEMORY);
    bool done = schema_add_word(schema, out, text->bytes, text->len);
    bool several = !schema->options.canonical && !schema->unique && value->type >= JSON_NUMBER &&
                   value->type != JSON_STRING;
    for (int fraction = 0; done && several && fraction <= (int)schema->fractions; fraction++) {
        other.len = 0;
        rewrite_integers(&other, text->bytes, text->len, fraction);
        done = other.failed ? schema_fail(schema, RULES_MEMORY)
                            : schema_add_word(schema, out, other.bytes, other.len);
    }
    buf_free(&other);
    return done;
}

/* Members may come in any order, if those are few. */
static bool add_spellings(struct schema *schema, struct alternatives *out, const struct json *value,
                          uint32_t most) {
    bool one = schema->options.canonical || schema->unique;
    uint32_t n = one ? 1 : schema_orders(value, most);
    if (n <= 1) return add_spelled(schema, out, value);
    for (uint32_t i = 0; i < n; i++) {
        const struct json *ordered = schema_in_order(schema, value, i);
        if (!ordered || !add_spelled(schema, out, ordered)) return false;
    }
    return true;
}

/* One of n. */
static bool add_value(struct schema *schema, const struct bundle *bundle, const struct json *value,
                      uint32_t n, struct alternatives *out) {
    for (uint32_t i = 0; i < bundle->n; i++) {
        enum schema_verdict verdict = schema_allows_here(schema, bundle->terms[i], value);
        if (verdict == VERDICT_UNKNOWN) return false;
        if (verdict == VERDICT_NO) return true;
    }
    return add_spellings(schema, out, value, ORDERS_MOST / n);
}

static bool add_values(struct schema *schema, const struct bundle *bundle,
                       const struct json *values, bool single, struct alternatives *out) {
    schema->source = values;
    if (single) return add_value(schema, bundle, values, 1, out);
    for (uint32_t i = 0; i < values->len; i++)
        if (!add_value(schema, bundle, values->items[i], values->len, out)) return false;
    return true;
}

/* ---- scalars ---- */

static bool add_guarded(struct schema *schema, const struct bundle *bundle, uint8_t types,
                        struct alternatives *out, struct cell *cell) {
    return schema_guards(schema, bundle, types, cell) && schema_add_cell(schema, out, cell);
}

static bool add_string(struct schema *schema, const struct bundle *bundle,
                       struct alternatives *out) {
    struct cell cell;
    return schema_string(schema, bundle, &cell) &&
           add_guarded(schema, bundle, TYPE_STRING, out, &cell);
}

/* A bound as minimum and exclusiveMinimum state it (or maximum); the narrower of two wins. */
static void narrow(const struct json **bound, bool *strict, const struct json *value,
                   bool value_strict, int direction) {
    int order = !*bound
                    ? direction
                    : json_number_compare(value->text, value->len, (*bound)->text, (*bound)->len);
    if (order == 0) *strict |= value_strict;
    if (order != direction) return;
    *bound = value;
    *strict = value_strict;
}

/* Draft 4 wrote exclusiveMinimum as a boolean beside minimum. */
static void read_limits(const struct schema *schema, const struct bundle *bundle,
                        struct digits_facets *facets) {
    for (uint32_t i = 0; i < bundle->n; i++) {
        const struct json *low = part_get(schema, bundle, i, KW_MINIMUM);
        const struct json *above = part_get(schema, bundle, i, KW_EXCLUSIVE_MINIMUM);
        const struct json *high = part_get(schema, bundle, i, KW_MAXIMUM);
        const struct json *below = part_get(schema, bundle, i, KW_EXCLUSIVE_MAXIMUM);
        if (low)
            narrow(&facets->low, &facets->low_strict, low, above && above->type == JSON_TRUE, 1);
        if (above && above->type == JSON_NUMBER)
            narrow(&facets->low, &facets->low_strict, above, true, 1);
        if (high)
            narrow(&facets->high, &facets->high_strict, high, below && below->type == JSON_TRUE,
                   -1);
        if (below && below->type == JSON_NUMBER)
            narrow(&facets->high, &facets->high_strict, below, true, -1);
    }
}

static bool refuse_bound(struct schema *schema, const struct bundle *bundle) {
    static const uint8_t bounds[] = {KW_MINIMUM, KW_MAXIMUM, KW_EXCLUSIVE_MINIMUM,
                                     KW_EXCLUSIVE_MAXIMUM};
    for (uint32_t i = 0; i < bundle->n; i++)
        for (size_t k = 0; k < sizeof bounds; k++)
            if (part_get(schema, bundle, i, bounds[k]))
                return schema_refuse(schema, term_part(bundle->terms[i]), bounds[k],
                                     "the bound has too many digits");
    return schema_fail(schema, RULES_TOO_LARGE);
}

static bool refuse_step(struct schema *schema, const struct bundle *bundle, const char *reason) {
    for (uint32_t i = 0; i < bundle->n; i++)
        if (part_get(schema, bundle, i, KW_MULTIPLE_OF))
            return schema_refuse(schema, term_part(bundle->terms[i]), KW_MULTIPLE_OF, reason);
    return schema_fail(schema, RULES_TOO_LARGE);
}

/* An automaton has about a state a digit for each remainder, and those of all steps share a limit.
 */
static bool few_states(const struct schema *schema, const char *text, size_t len) {
    enum { MOST = 255, HALF = 15000 };
    uint32_t value = 0;
    for (size_t i = 0; i < len && value <= MOST; i++)
        if (text[i] != '.') value = value * 10 + (uint32_t)(text[i] - '0');
    return value <= MOST && schema->rules->digits.n_divided < HALF;
}

/* Of several steps one that is a multiple of all of them, or of as many as can be found; what it
 * does not cover is left to guards. NULL: there is no step. */
static const struct json *common_step(struct schema *schema, const struct bundle *bundle) {
    const struct json *held = NULL;
    char text[DECIMAL_COMMON];
    for (uint32_t i = 0; i < bundle->n; i++) {
        const struct json *step = part_get(schema, bundle, i, KW_MULTIPLE_OF);
        if (!step || decimal_digits(step->text, step->len) > DECIMAL_DIVISOR_DIGITS) continue;
        if (!held || decimal_is_multiple(step->text, step->len, held->text, held->len)) {
            held = step;
        } else if (!decimal_is_multiple(held->text, held->len, step->text, step->len)) {
            size_t len =
                decimal_common_multiple(held->text, held->len, step->text, step->len, text);
            bool small = len && few_states(schema, text, len);
            const struct json *made =
                small ? schema_make_digits(schema, text, (uint32_t)len) : NULL;
            if (made) held = made;
        }
    }
    return held;
}

/* Only parts of the document can have guards. */
static bool read_step(struct schema *schema, const struct bundle *bundle,
                      struct digits_facets *facets) {
    facets->step = common_step(schema, bundle);
    for (uint32_t i = 0; i < bundle->n; i++) {
        const struct json *step = part_get(schema, bundle, i, KW_MULTIPLE_OF);
        if (step && decimal_digits(step->text, step->len) > DECIMAL_DIVISOR_DIGITS)
            return refuse_step(schema, bundle, "too many digits");
        if (schema_more_steps(schema, bundle, i) &&
            !schema_can_guard(schema, schema->parts[term_part(bundle->terms[i])].json))
            return refuse_step(schema, bundle, "two that are no multiples of each other");
    }
    return schema->error->code != ERROR_OUT_OF_MEMORY;
}

bool schema_more_steps(struct schema *schema, const struct bundle *bundle, uint32_t at) {
    const struct json *own = part_get(schema, bundle, at, KW_MULTIPLE_OF);
    const struct json *step = own ? common_step(schema, bundle) : NULL;
    return step && decimal_digits(own->text, own->len) <= DECIMAL_DIVISOR_DIGITS &&
           !decimal_is_multiple(step->text, step->len, own->text, own->len);
}

static bool add_number(struct schema *schema, const struct bundle *bundle,
                       struct alternatives *out) {
    struct cell cell = {.kind = CELL_NUMBER};
    struct digits_facets facets = {.integer = !(bundle->types & TYPE_NUMBER),
                                   .fraction = schema->fractions};
    read_limits(schema, bundle, &facets);
    if (!read_step(schema, bundle, &facets)) return false;
    switch (digits_find(&schema->rules->digits, &facets, &cell.number.automaton)) {
    case DIGITS_OK: return add_guarded(schema, bundle, TYPE_NUMBER, out, &cell);
    case DIGITS_EMPTY: return true;
    case DIGITS_TOO_LONG: return refuse_bound(schema, bundle);
    case DIGITS_STEP: return refuse_step(schema, bundle, "too many digits");
    default: return schema_fail(schema, RULES_MEMORY);
    }
}

/* Words that have guards are a cell of their own; others go with those of the whole node. */
static bool guard_words(struct schema *schema, const struct bundle *bundle, uint8_t types,
                        uint32_t first, struct alternatives *out) {
    struct words *words = &schema->rules->words;
    struct cell cell = {.kind = CELL_WORDS, .words = {.first = words->n}};
    bool done = schema_guards(schema, bundle, types, &cell);
    schema->uncertain = false;
    if (!done || cell.n_guards == 0 || out->words.n == first) return done;
    for (uint32_t i = first; i < out->words.n; i++)
        if (!words_add(words, word_text(&out->words, i), out->words.list[i].len, 0))
            return schema_fail(schema, RULES_TOO_LARGE);
    out->words.n = first;
    cell.words.n = words_sort(words, cell.words.first);
    return cell.words.n ? schema_add_cell(schema, out, &cell) : schema_fail(schema, RULES_MEMORY);
}

static bool add_words(struct schema *schema, const struct bundle *bundle,
                      struct alternatives *out) {
    uint32_t first = out->words.n;
    if (bundle->types & TYPE_NULL && !schema_add_word(schema, out, "null", 4)) return false;
    if (bundle->types & TYPE_BOOLEAN &&
        (!schema_add_word(schema, out, "true", 4) || !schema_add_word(schema, out, "false", 5)))
        return false;
    return out->words.n == first || guard_words(schema, bundle, TYPE_BOOLEAN, first, out);
}

bool schema_cells(struct schema *schema, const struct bundle *bundle, struct alternatives *out) {
    struct cell cell;
    bool single;
    uint32_t first = out->words.n;
    const struct json *values = find_values(schema, bundle, &single);
    if (values)
        return add_values(schema, bundle, values, single, out) &&
               guard_words(schema, bundle, TYPE_ALL, first, out);
    if (!add_words(schema, bundle, out)) return false;
    if (bundle->types & (TYPE_INTEGER | TYPE_NUMBER) && !add_number(schema, bundle, out))
        return false;
    if (bundle->types & TYPE_STRING && !add_string(schema, bundle, out)) return false;
    if (bundle->types & TYPE_ARRAY && !(schema_array(schema, bundle, &cell) &&
                                        add_guarded(schema, bundle, TYPE_ARRAY, out, &cell)))
        return false;
    if (bundle->types & TYPE_OBJECT && !(schema_object(schema, bundle, &cell) &&
                                         add_guarded(schema, bundle, TYPE_OBJECT, out, &cell)))
        return false;
    return true;
}
