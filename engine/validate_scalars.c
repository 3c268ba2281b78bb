#include "engine/validate_internal.h"

#include <string.h>

#include "engine/decimal.h"

/* ---- type ---- */

static const struct {
    const char *name;
    unsigned types;
} type_names[] = {
    {"string", ON(JSON_STRING)}, {"object", ON(JSON_OBJECT)},
    {"array", ON(JSON_ARRAY)},   {"number", ON(JSON_NUMBER)},
    {"integer", TYPE_INTEGER},   {"boolean", ON(JSON_TRUE) | ON(JSON_FALSE)},
    {"null", ON(JSON_NULL)},
};

static bool add_type(struct compiler *c, const struct json *name, unsigned *types) {
    for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++) {
        if (!json_is_string(name, type_names[i].name)) continue;
        *types |= type_names[i].types;
        return true;
    }
    return validate_malformed(c, name, "no JSON type of that name");
}

KEYWORD_COMPILE(type) {
    (void)schema;
    const struct json *value = constraint->value;
    if (value->type == JSON_STRING) return add_type(c, value, &constraint->types);
    if (value->type != JSON_ARRAY || value->len == 0)
        return validate_malformed(c, value, "must be a string or a list of strings");
    for (uint32_t i = 0; i < value->len; i++)
        if (!add_type(c, value->items[i], &constraint->types)) return false;
    return true;
}

/* In draft-04 an integer is a number written without fraction and exponent; later the value counts.
 */
static bool is_integer(const struct schema *schema, const struct json *number) {
    if (schema->draft > DRAFT_4) return json_number_is_integer(number->text, number->len);
    for (uint32_t i = 0; i < number->len; i++)
        if (strchr(".eE", number->text[i])) return false;
    return true;
}

KEYWORD_CHECK(type) {
    (void)marks;
    if (constraint->types & ON(instance->type)) return true;
    if (constraint->types & TYPE_INTEGER && instance->type == JSON_NUMBER)
        if (validation_spend(run, instance->len / 16) && is_integer(schema, instance)) return true;
    return validation_violated(run, "type", instance);
}

/* ---- enum, const ---- */

KEYWORD_COMPILE(enum) {
    (void)schema;
    return constraint->value->type == JSON_ARRAY ||
           validate_malformed(c, constraint->value, "must be a list");
}

KEYWORD_CHECK(enum) {
    (void)schema, (void)marks;
    const struct json *list = constraint->value;
    uint64_t cost = 1 + instance->raw_len / 32;
    for (uint32_t i = 0; i < list->len; i++) {
        if (list->items[i]->type != instance->type) continue;
        if (!validation_spend(run, cost)) return false;
        if (json_same(list->items[i], instance)) return true;
    }
    return validation_violated(run, "enum", instance);
}

KEYWORD_CHECK(const) {
    (void)schema, (void)marks;
    if (!validation_spend(run, instance->raw_len / 32)) return false;
    return json_same(constraint->value, instance) || validation_violated(run, "const", instance);
}

/* ---- Counts ---- */

/* Larger than any count there can be; also what larger numbers become. */
#define COUNT_HUGE ((uint64_t)1 << 40)

static bool plain_count(const struct json *value, uint64_t *count) {
    *count = 0;
    for (uint32_t i = 0; i < value->len; i++) {
        if (value->text[i] < '0' || value->text[i] > '9') return false;
        *count = *count * 10 + (uint64_t)(value->text[i] - '0');
    }
    return true;
}

bool validate_count(struct compiler *c, const struct json *value, uint64_t *count) {
    if (value->type != JSON_NUMBER || !json_number_is_integer(value->text, value->len) ||
        decimal_sign(value->text, value->len) < 0)
        return validate_malformed(c, value, "must be a whole number, not negative");
    if (value->len <= 9 && plain_count(value, count)) return true;
    /* Spellings such as 2.0 and 1e3 count too: found by halving, with exact comparisons. */
    uint64_t low = 0, high = COUNT_HUGE;
    while (low < high) {
        char text[24];
        uint64_t middle = low + (high - low) / 2, rest = middle;
        size_t at = sizeof text;
        do text[--at] = (char)('0' + rest % 10);
        while (rest /= 10);
        if (decimal_compare(text + at, sizeof text - at, value->text, value->len) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *count = low;
    return true;
}

KEYWORD_COMPILE(count) {
    (void)schema;
    return validate_count(c, constraint->value, &constraint->count);
}

static uint64_t code_points(const struct json *string) {
    uint64_t n = 0;
    for (uint32_t i = 0; i < string->len; i++) n += ((unsigned char)string->text[i] & 0xC0) != 0x80;
    return n;
}

KEYWORD_CHECK(min_length) {
    (void)schema, (void)marks;
    if (!validation_spend(run, instance->len / 32)) return false;
    return code_points(instance) >= constraint->count ||
           validation_violated(run, "minLength", instance);
}

KEYWORD_CHECK(max_length) {
    (void)schema, (void)marks;
    if (!validation_spend(run, instance->len / 32)) return false;
    return code_points(instance) <= constraint->count ||
           validation_violated(run, "maxLength", instance);
}

/* ---- pattern, format ---- */

KEYWORD_COMPILE(pattern) {
    (void)schema;
    const struct json *value = constraint->value;
    if (value->type != JSON_STRING) return validate_malformed(c, value, "must be a string");
    return validate_regex(c, value, "pattern", value->text, value->len, &constraint->regex);
}

KEYWORD_CHECK(pattern) {
    (void)schema, (void)marks;
    return validation_matches(run, constraint->regex, instance->text, instance->len) ||
           validation_violated(run, "pattern", instance);
}

KEYWORD_COMPILE(format) {
    (void)schema;
    const struct json *value = constraint->value;
    if (value->type != JSON_STRING) return validate_malformed(c, value, "must be a string");
    constraint->format = validate_format(value->text, value->len, c->v->flags);
    return true;
}

KEYWORD_CHECK(format) {
    (void)schema, (void)marks;
    if (!constraint->format) return true;
    if (!validation_spend(run, instance->len / 8)) return false;
    return constraint->format(instance->text, instance->len) ||
           validation_violated(run, "format", instance);
}

/* ---- Bounds ---- */

static bool number_expected(struct compiler *c, const struct json *value) {
    return value->type == JSON_NUMBER || validate_malformed(c, value, "must be a number");
}

/* draft-04: a flag beside the bound makes the bound exclusive. */
static bool flagged(const struct schema *schema, const char *name) {
    const struct json *flag = validate_sibling(schema, name);
    return flag && flag->type == JSON_TRUE;
}

KEYWORD_COMPILE(minimum) {
    constraint->exclusive = flagged(schema, "exclusiveMinimum");
    return number_expected(c, constraint->value);
}

KEYWORD_COMPILE(maximum) {
    constraint->exclusive = flagged(schema, "exclusiveMaximum");
    return number_expected(c, constraint->value);
}

KEYWORD_COMPILE(exclusive) {
    const struct json *value = constraint->value;
    bool flag = value->type == JSON_TRUE || value->type == JSON_FALSE;
    bool may_be_flag = schema->draft == DRAFT_4 || !schema->own_draft;
    if (flag && may_be_flag) return true;
    return number_expected(c, value);
}

static int compare(struct validation *run, const struct json *instance, const struct json *bound) {
    validation_spend(run, instance->len / 16);
    return decimal_compare(instance->text, instance->len, bound->text, bound->len);
}

KEYWORD_CHECK(minimum) {
    (void)schema, (void)marks;
    int order = compare(run, instance, constraint->value);
    return order > 0 || (order == 0 && !constraint->exclusive) ||
           validation_violated(run, "minimum", instance);
}

KEYWORD_CHECK(maximum) {
    (void)schema, (void)marks;
    int order = compare(run, instance, constraint->value);
    return order < 0 || (order == 0 && !constraint->exclusive) ||
           validation_violated(run, "maximum", instance);
}

KEYWORD_CHECK(exclusive_minimum) {
    (void)schema, (void)marks;
    if (constraint->value->type != JSON_NUMBER) return true;
    return compare(run, instance, constraint->value) > 0 ||
           validation_violated(run, "exclusiveMinimum", instance);
}

KEYWORD_CHECK(exclusive_maximum) {
    (void)schema, (void)marks;
    if (constraint->value->type != JSON_NUMBER) return true;
    return compare(run, instance, constraint->value) < 0 ||
           validation_violated(run, "exclusiveMaximum", instance);
}

KEYWORD_COMPILE(multiple) {
    (void)schema;
    const struct json *value = constraint->value;
    if (value->type != JSON_NUMBER || decimal_sign(value->text, value->len) <= 0)
        return validate_malformed(c, value, "must be a number above zero");
    if (decimal_digits(value->text, value->len) > DECIMAL_DIVISOR_DIGITS)
        return validate_refuse(c, value, "multipleOf", "too many significant digits");
    return true;
}

KEYWORD_CHECK(multiple) {
    (void)schema, (void)marks;
    const struct json *divisor = constraint->value;
    if (!validation_spend(run, instance->len / 2)) return false;
    return decimal_is_multiple(instance->text, instance->len, divisor->text, divisor->len) ||
           validation_violated(run, "multipleOf", instance);
}
