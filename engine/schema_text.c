#include "engine/schema_text.h"

#include <assert.h>
#include <string.h>

#include "engine/hash.h"

enum { MAX_DEPTH = 48, MERGE_STEPS = 1 << 18, LONG = 64 /* of a length that is a pattern */ };

/* A byte below OP_TRUE is a source. The last three have the number of their operands behind them. */
enum { OP_TRUE = LANGUAGE_PATTERNS, OP_FALSE, OP_NOT, OP_AND, OP_OR, OP_ONE };

static_assert(OP_ONE < 256, "code is bytes");

/* ---- the formula's value ---- */

static enum schema_verdict combine(uint8_t op, const uint8_t *values, uint32_t n) {
    uint32_t count[3] = {0};
    for (uint32_t i = 0; i < n; i++) count[values[i]]++;
    uint32_t yes = count[VERDICT_YES], no = count[VERDICT_NO], open = count[VERDICT_UNKNOWN];
    if (op == OP_AND) return no ? VERDICT_NO : open ? VERDICT_UNKNOWN : VERDICT_YES;
    if (op == OP_OR) return yes ? VERDICT_YES : open ? VERDICT_UNKNOWN : VERDICT_NO;
    if (yes > 1 || (yes == 0 && open == 0)) return VERDICT_NO;
    return open ? VERDICT_UNKNOWN : VERDICT_YES;
}

static enum schema_verdict judge(const uint8_t *code, uint32_t n, uint32_t holds, uint32_t fails) {
    uint8_t stack[TEXT_CODE];
    uint32_t top = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint8_t op = code[i];
        if (op < OP_TRUE) {
            stack[top++] = holds >> op & 1   ? VERDICT_YES
                           : fails >> op & 1 ? VERDICT_NO
                                             : VERDICT_UNKNOWN;
        } else if (op <= OP_FALSE) {
            stack[top++] = op == OP_TRUE ? VERDICT_YES : VERDICT_NO;
        } else if (op == OP_NOT) {
            if (stack[top - 1] != VERDICT_UNKNOWN)
                stack[top - 1] = stack[top - 1] == VERDICT_NO ? VERDICT_YES : VERDICT_NO;
        } else {
            top -= code[++i];
            stack[top] = (uint8_t)combine(op, stack + top, code[i]);
            top++;
        }
    }
    return top == 1 ? (enum schema_verdict)stack[0] : VERDICT_UNKNOWN;
}

enum schema_verdict schema_text_judge(const struct schema_text *text, uint32_t holds,
                                      uint32_t fails) {
    return judge(text->code, text->n, holds, fails);
}

/* ---- writing it ---- */

struct place {
    unsigned depth;
    bool mixed; /* below not, oneOf or if: what holds here may be what must not */
    bool loose, decided; /* as the term is */
};

static bool beyond(struct schema_text *text) {
    text->beyond = true;
    return true; /* no error */
}

static void emit(struct schema_text *text, uint8_t op) {
    if (text->n + 2 > TEXT_CODE)
        beyond(text);
    else
        text->code[text->n++] = op;
}

/* The operands lie one behind the other. */
static void emit_joined(struct schema_text *text, uint8_t op, uint32_t n) {
    if (n == 0) emit(text, op == OP_AND ? OP_TRUE : OP_FALSE);
    if (n <= 1) return;
    if (n > 255) beyond(text);
    emit(text, op);
    emit(text, (uint8_t)n);
}

void schema_text_join(struct schema_text *text, uint32_t n) {
    emit_joined(text, OP_AND, n);
}

static bool add_source(struct schema *schema, struct schema_text *text, uint32_t part,
                       enum schema_keyword keyword, const char *pattern, uint32_t len) {
    struct schema_sources *sources = &text->sources;
    uint32_t at = 0;
    while (at < sources->n &&
           (sources->len[at] != len || memcmp(sources->text[at], pattern, len) != 0))
        at++;
    if (at == LANGUAGE_PATTERNS - 4) return beyond(text);
    if (at == sources->n && !schema_add_source(schema, sources, part, keyword, pattern, len))
        return false;
    emit(text, (uint8_t)at);
    return true;
}

/* One whose text is made up. */
static bool add_made(struct schema *schema, struct schema_text *text, uint32_t part,
                     enum schema_keyword keyword, struct buf *pattern) {
    const struct json *made =
        pattern->failed ? NULL : schema_make_string(schema, pattern->bytes, (uint32_t)pattern->len);
    bool done = made && add_source(schema, text, part, keyword, made->text, made->len);
    buf_free(pattern);
    return done || schema_fail(schema, RULES_MEMORY);
}

static bool add_length(struct schema *schema, struct schema_text *text, uint32_t part,
                       uint32_t min, uint32_t max) {
    struct buf pattern = {0};
    if (max == RULES_INFINITE)
        buf_printf(&pattern, "^[^]{%u,}", min);
    else
        buf_printf(&pattern, "^[^]{0,%u}$", max);
    if (!add_made(schema, text, part, KW_MAX_LENGTH, &pattern)) return false;
    if (!text->beyond)
        text->lengths[text->code[text->n - 1]] = (struct language_length){min, max};
    return true;
}

static void add_literal(struct buf *out, const char *text, uint32_t len) {
    for (uint32_t i = 0; i < len; i++) {
        if (text[i] && strchr("^$\\.*+?()[]{}|/", text[i])) buf_add_char(out, '\\');
        buf_add_char(out, text[i]);
    }
}

/* One of the strings among the values. */
static bool add_values(struct schema *schema, struct schema_text *text, uint32_t part,
                       enum schema_keyword keyword, struct json *const *values, uint32_t n) {
    struct buf pattern = {0};
    uint32_t some = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (values[i]->type != JSON_STRING) continue;
        buf_add_str(&pattern, some++ ? "|" : "^(?:");
        add_literal(&pattern, values[i]->text, values[i]->len);
        text->n_literals += values[i]->len;
    }
    if (text->n_literals > text->most_literals) beyond(text);
    if (some == 0) emit(text, OP_FALSE);
    if (some == 0 || text->beyond) return buf_free(&pattern), true;
    buf_add_str(&pattern, ")$");
    if (!add_made(schema, text, part, keyword, &pattern)) return false;
    if (!text->beyond) text->literal |= 1u << text->code[text->n - 1];
    return true;
}

static bool add_part(struct schema *schema, struct schema_text *text, uint32_t part,
                     struct place place);

static bool add_json(struct schema *schema, struct schema_text *text, const struct json *json,
                     struct place place) {
    uint32_t part = schema_part_of(schema, json);
    place.decided = false;
    place.depth++;
    return part != RULES_NONE && add_part(schema, text, part, place);
}

/* What a subschema with code [from, n) is to the others of its list. */
static bool is_plain(const struct schema_text *text, uint32_t from) {
    uint8_t op = text->code[from];
    return text->n - from == 1 && op < OP_TRUE && text->literal >> op & 1;
}

/* anyOf, oneOf. Multiplied out, those that are not mere lists of values become automata each. */
static bool add_choice(struct schema *schema, struct schema_text *text, const struct json *list,
                       uint8_t op, struct place place) {
    uint32_t possible = 0, plain = 0;
    place.mixed |= op == OP_ONE;
    for (uint32_t i = 0; i < list->len && !text->beyond; i++) {
        uint32_t from = text->n;
        if (!add_json(schema, text, list->items[i], place)) return false;
        if (text->beyond) break;
        if (judge(text->code + from, text->n - from, 0, 0) == VERDICT_NO) continue;
        plain += is_plain(text, from);
        possible++;
    }
    text->worth |= possible > 1 && plain < possible;
    emit_joined(text, op, list->len);
    return true;
}

static bool add_not(struct schema *schema, struct schema_text *text, const struct json *value,
                    struct place place) {
    uint32_t from = text->n;
    place.mixed = true;
    if (!add_json(schema, text, value, place)) return false;
    text->worth |= !text->beyond && text->n - from > 1;
    emit(text, OP_NOT);
    return true;
}

/* (if and then) or (not if and else) */
static bool add_condition(struct schema *schema, struct schema_text *text, uint32_t part,
                          struct place place) {
    const struct json *test = schema_get(schema, part, KW_IF);
    const struct json *then = schema_get(schema, part, KW_THEN);
    const struct json *otherwise = schema_get(schema, part, KW_ELSE);
    static const struct json yes = {.type = JSON_TRUE};
    struct place mixed = place;
    mixed.mixed = true;
    text->worth = true;
    if (!add_json(schema, text, test, mixed) ||
        !add_json(schema, text, then ? then : &yes, place))
        return false;
    emit_joined(text, OP_AND, 2);
    if (text->beyond) return true;
    if (!add_json(schema, text, test, mixed)) return false;
    emit(text, OP_NOT);
    if (!add_json(schema, text, otherwise ? otherwise : &yes, place)) return false;
    emit_joined(text, OP_AND, 2);
    emit_joined(text, OP_OR, 2);
    return true;
}

/* Formats are written in part only, which says nothing of strings that must not have them. */
static bool add_format(struct schema *schema, struct schema_text *text, uint32_t part,
                       const struct json *name, struct place place) {
    uint32_t max = RULES_INFINITE, n = 1;
    const char *pattern = schema_format(name, &max);
    if (pattern && place.mixed) return beyond(text);
    if (!pattern || place.loose) return emit(text, OP_TRUE), true;
    if (!add_source(schema, text, part, KW_FORMAT, pattern, (uint32_t)strlen(pattern))) return false;
    if (max != RULES_INFINITE && n++ && !add_length(schema, text, part, 0, max)) return false;
    emit_joined(text, OP_AND, n);
    return true;
}

static bool add_keyword(struct schema *schema, struct schema_text *text, uint32_t part,
                        const struct schema_member *member, struct place place, uint32_t *n) {
    const struct json *value = member->value;
    enum schema_keyword keyword = (enum schema_keyword)member->keyword;
    if (place.decided && (keyword == KW_REF || keyword == KW_ALL_OF || keyword == KW_ANY_OF ||
                          keyword == KW_ONE_OF || keyword == KW_NOT || keyword == KW_IF))
        return true;
    uint32_t before = text->n, target;
    bool done = true;
    switch (keyword) {
    case KW_PATTERN:
        done = add_source(schema, text, part, keyword, value->text, value->len);
        break;
    case KW_NOT_PATTERN:
        done = add_source(schema, text, part, KW_PATTERN, value->text, value->len);
        emit(text, OP_NOT);
        break;
    case KW_FORMAT: done = add_format(schema, text, part, value, place); break;
    case KW_MIN_LENGTH:
        done = add_length(schema, text, part, schema_count(value), RULES_INFINITE);
        break;
    case KW_MAX_LENGTH:
        done = schema_count(value) == RULES_LONGEST ||
               add_length(schema, text, part, 0, schema_count(value));
        break;
    case KW_ENUM: done = add_values(schema, text, part, keyword, value->items, value->len); break;
    case KW_CONST:
        done = add_values(schema, text, part, keyword, (struct json *const *)&value, 1);
        break;
    case KW_REF:
        target = schema_resolve(schema, part);
        place.depth++;
        done = target != RULES_NONE && add_part(schema, text, target, place);
        break;
    case KW_ALL_OF:
        for (uint32_t i = 0; i < value->len && done && !text->beyond; i++)
            done = add_json(schema, text, value->items[i], place);
        emit_joined(text, OP_AND, value->len);
        break;
    case KW_ANY_OF: done = add_choice(schema, text, value, OP_OR, place); break;
    case KW_ONE_OF: done = add_choice(schema, text, value, OP_ONE, place); break;
    case KW_NOT:
    case KW_GUARD: done = add_not(schema, text, value, place); break;
    case KW_IF: done = add_condition(schema, text, part, place); break;
    case KW_CONTENT_ENCODING:
    case KW_CONTENT_MEDIA_TYPE:
    case KW_DYNAMIC_REF:
    case KW_RECURSIVE_REF: beyond(text); break;
    default: break; /* says nothing of strings */
    }
    *n += text->n > before;
    return done;
}

static bool add_part(struct schema *schema, struct schema_text *text, uint32_t part,
                     struct place place) {
    struct schema_part at = schema->parts[part];
    uint32_t n = 0;
    if (place.depth > MAX_DEPTH) beyond(text);
    if (text->beyond) return true;
    if (!(at.types & TYPE_STRING)) return emit(text, OP_FALSE), true;
    for (uint32_t i = 0; i < at.n && !text->beyond; i++) {
        struct schema_member member = schema->members[at.first + i];
        if (!add_keyword(schema, text, part, &member, place, &n)) return false;
    }
    emit_joined(text, OP_AND, n);
    return true;
}

bool schema_text_add(struct schema *schema, struct schema_text *text, const uint32_t *terms,
                     uint32_t n) {
    for (uint32_t i = 0; i < n && !text->beyond; i++) {
        struct place place = {.loose = terms[i] & TERM_LOOSE, .decided = terms[i] & TERM_DECIDED};
        if (!add_part(schema, text, term_part(terms[i]), place)) return false;
    }
    emit_joined(text, OP_AND, n);
    return true;
}

/* ---- lengths ---- */

/* The source is known to hold. */
static void drop(struct schema_text *text, uint32_t source) {
    struct schema_sources *sources = &text->sources;
    uint32_t last = --sources->n;
    for (uint32_t i = 0; i < text->n; i++) {
        if (text->code[i] == source) text->code[i] = OP_TRUE;
        else if (text->code[i] == last) text->code[i] = (uint8_t)source;
        if (text->code[i] >= OP_AND) i++;
    }
    sources->text[source] = sources->text[last];
    sources->len[source] = sources->len[last];
    sources->part[source] = sources->part[last];
    sources->keyword[source] = sources->keyword[last];
    text->lengths[source] = text->lengths[last];
    text->lengths[last] = (struct language_length){0};
}

/* Is it a source that says how long strings are, with no string where it does not hold? */
static bool always(const struct schema_text *text, uint32_t source) {
    const struct language_length *length = &text->lengths[source];
    return (length->min || length->max) &&
           schema_text_judge(text, 0, 1u << source) == VERDICT_NO;
}

void schema_text_hoist(struct schema_text *text, struct language_length *length) {
    for (uint32_t i = text->sources.n; i-- > 0;) {
        if (!always(text, i)) continue;
        if (text->lengths[i].min > length->min) length->min = text->lengths[i].min;
        if (text->lengths[i].max < length->max) length->max = text->lengths[i].max;
        drop(text, i);
    }
}

/* ---- the cell ---- */

static bool is_wanted(uint32_t label, const void *user) {
    return label != LANGUAGE_INFINITE && schema_text_judge(user, label, ~label) == VERDICT_YES;
}

static int outlook(uint32_t holds, uint32_t fails, const void *user) {
    enum schema_verdict verdict = schema_text_judge(user, holds, fails);
    return verdict == VERDICT_UNKNOWN ? 0 : verdict == VERDICT_YES ? 1 : -1;
}

/* Long lengths that hold for some of the strings only would need too many states. */
static bool has_long(const struct schema_text *text) {
    for (uint32_t i = 0; i < text->sources.n; i++) {
        const struct language_length *length = &text->lengths[i];
        if (length->min > LONG || (length->max > LONG && length->max != RULES_INFINITE)) return true;
    }
    return false;
}

static bool make_key(struct schema *schema, const struct schema_text *text,
                     const struct language_length *length) {
    schema->text.len = 0;
    for (uint32_t i = 0; i < text->sources.n; i++) {
        buf_add(&schema->text, text->sources.text[i], text->sources.len[i]);
        buf_add_char(&schema->text, '\xFD');
    }
    buf_add(&schema->text, (const char *)text->code, text->n);
    if (length) buf_printf(&schema->text, "%u,%u", length->min, length->max);
    return !schema->text.failed || schema_fail(schema, RULES_MEMORY);
}

/* *found stays RULES_NONE if it would be too large, or if a pattern is none. */
static bool find_or_build(struct schema *schema, const struct schema_text *text,
                          const struct language_length *length, uint32_t *found) {
    const struct language_outlook look = {.judge = outlook, .user = text, .cost = text->n};
    struct language language = {0};
    if (!make_key(schema, text, length)) return false;
    const char *key = schema->text.bytes;
    uint32_t key_len = (uint32_t)schema->text.len;
    *found = rules_find_language(schema->rules, key, key_len);
    if (*found != RULES_NONE || schema->merge_failed == hash_bytes(11, key, key_len)) return true;
    uint64_t most = schema->pattern_steps < MERGE_STEPS ? schema->pattern_steps : MERGE_STEPS;
    uint64_t left = most;
    enum pattern_result result =
        schema_try_language(&text->sources, length, &look, &language, &left, NULL);
    schema->pattern_steps -= most - left;
    if (result == PATTERN_MEMORY) return schema_fail(schema, RULES_MEMORY);
    if (result != PATTERN_OK) schema->merge_failed = hash_bytes(11, key, key_len);
    if (result != PATTERN_OK) return true;
    if (!language_finish(&language, is_wanted, text)) {
        language_free(&language);
        return schema_fail(schema, RULES_MEMORY);
    }
    enum rules_status status =
        rules_add_language(schema->rules, &language, key, key_len, found);
    return status == RULES_OK || schema_fail(schema, status);
}

/* As in schema_string: a length is counted beside the automaton if that is exact, else within it. */
static bool make_string(struct schema *schema, struct schema_text *text, struct cell_string *string,
                        bool *made) {
    struct language_length length = {0, RULES_INFINITE};
    schema_text_hoist(text, &length);
    enum schema_verdict verdict = schema_text_judge(text, 0, 0);
    *string = (struct cell_string){length.min, length.max, RULES_NONE};
    *made = verdict != VERDICT_UNKNOWN;
    if (verdict == VERDICT_NO) string->min = RULES_INFINITE, string->max = 0;
    if (*made || has_long(text)) return true;
    if (!find_or_build(schema, text, NULL, &string->language)) return false;
    *made = string->language != RULES_NONE;
    if (!*made || schema_countable(schema, string)) return true;
    if (!find_or_build(schema, text, &length, &string->language)) return false;
    *made = string->language != RULES_NONE;
    string->min = 0;
    string->max = RULES_INFINITE;
    return true;
}

/* Is there a choice to make between strings, that is not one between values? */
static bool calls_for(const struct schema *schema, const struct bundle *bundle) {
    const uint64_t choices = 1ull << KW_ANY_OF | 1ull << KW_ONE_OF | 1ull << KW_NOT |
                             1ull << KW_IF | 1ull << KW_GUARD;
    uint64_t speaks = 0;
    for (uint32_t i = 0; i < bundle->n; i++) {
        uint64_t present = schema->parts[term_part(bundle->terms[i])].present;
        if (present & (1ull << KW_ENUM | 1ull << KW_CONST)) return false;
        if (!(bundle->terms[i] & TERM_DECIDED)) speaks |= present;
    }
    return speaks & choices && bundle->types & TYPE_STRING;
}

static bool make_cell(struct schema *schema, const uint32_t *terms, uint32_t n,
                      struct alternatives *out, bool *made) {
    struct schema_text text = {.most_literals = TEXT_LITERALS};
    struct cell cell = {.kind = CELL_STRING};
    if (!schema_text_add(schema, &text, terms, n)) return false;
    if (text.beyond || !text.worth) return true;
    if (!make_string(schema, &text, &cell.string, made)) return false;
    return !*made || cell.string.min > cell.string.max || schema_add_cell(schema, out, &cell);
}

bool schema_text_cell(struct schema *schema, const struct bundle *bundle, const uint32_t *terms,
                      uint32_t n, struct alternatives *out, bool *made) {
    *made = false;
    return !calls_for(schema, bundle) || make_cell(schema, terms, n, out, made);
}
