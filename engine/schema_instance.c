/* Values that stand in the schema itself (enum, const) against its other keywords. */
#include <string.h>

#include "engine/schema_part.h"

static enum schema_verdict allows(struct schema *schema, uint32_t part, const struct json *value,
                                  unsigned depth);

static enum schema_verdict allows_json(struct schema *schema, const struct json *subschema,
                                       const struct json *value, unsigned depth) {
    uint32_t part = schema_part_of(schema, subschema);
    if (part == RULES_NONE) return VERDICT_UNKNOWN;
    return allows(schema, part, value, depth + 1);
}

static uint8_t type_of(const struct json *value) {
    switch (value->type) {
    case JSON_NULL: return TYPE_NULL;
    case JSON_TRUE:
    case JSON_FALSE: return TYPE_BOOLEAN;
    case JSON_STRING: return TYPE_STRING;
    case JSON_NUMBER:
        return json_number_is_integer(value->text, value->len) ? TYPE_INTEGER : TYPE_NUMBER;
    case JSON_ARRAY: return TYPE_ARRAY;
    default: return TYPE_OBJECT;
    }
}

static bool in_list(const struct json *list, const struct json *value) {
    for (uint32_t i = 0; i < list->len; i++)
        if (list->items[i] == value || json_same(list->items[i], value)) return true;
    return false;
}

static uint32_t code_points(const struct json *value) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < value->len; i++) n += ((unsigned char)value->text[i] & 0xC0) != 0x80;
    return n;
}

static bool at_least(uint64_t n, const struct json *limit) {
    char text[24];
    int len = 0;
    uint64_t unit = 1;
    while (n / unit >= 10) unit *= 10;
    for (; unit; unit /= 10) text[len++] = (char)('0' + n / unit % 10);
    return json_number_compare(text, (size_t)len, limit->text, limit->len) >= 0;
}

static bool at_most(uint64_t n, const struct json *limit) {
    return n == 0 || !at_least(n - 1, limit);
}

static bool counted(uint64_t n, const struct json *least, const struct json *most) {
    return (!least || at_least(n, least)) && (!most || at_most(n, most));
}

static bool number_allowed(const struct schema *schema, uint32_t part, const struct json *value) {
    static const struct {
        uint8_t keyword, exclusive;
        int direction;
    } limits[] = {{KW_MINIMUM, KW_EXCLUSIVE_MINIMUM, 1}, {KW_MAXIMUM, KW_EXCLUSIVE_MAXIMUM, -1}};
    for (int i = 0; i < 2; i++) {
        const struct json *limit = schema_get(schema, part, limits[i].keyword);
        const struct json *strict = schema_get(schema, part, limits[i].exclusive);
        int order = limit ? json_number_compare(value->text, value->len, limit->text, limit->len) *
                                limits[i].direction
                          : 1;
        if (order < 0 || (order == 0 && strict && strict->type == JSON_TRUE)) return false;
        if (strict && strict->type == JSON_NUMBER &&
            json_number_compare(value->text, value->len, strict->text, strict->len) *
                    limits[i].direction <= 0)
            return false;
    }
    return true;
}

static enum schema_verdict array_allowed(struct schema *schema, uint32_t part,
                                         const struct json *value, unsigned depth) {
    const struct json *items = schema_get(schema, part, KW_ITEMS);
    const struct json *tuple = schema_get(schema, part, KW_PREFIX_ITEMS);
    const struct json *rest = items;
    if (!counted(value->len, schema_get(schema, part, KW_MIN_ITEMS),
                 schema_get(schema, part, KW_MAX_ITEMS)))
        return VERDICT_NO;
    if (items && items->type == JSON_ARRAY) {
        tuple = tuple ? tuple : items;
        rest = schema_get(schema, part, KW_ADDITIONAL_ITEMS);
    }
    for (uint32_t i = 0; i < value->len; i++) {
        const struct json *item = tuple && i < tuple->len ? tuple->items[i] : rest;
        enum schema_verdict verdict =
            item ? allows_json(schema, item, value->items[i], depth) : VERDICT_YES;
        if (verdict != VERDICT_YES) return verdict;
    }
    return VERDICT_YES;
}

static enum schema_verdict object_allowed(struct schema *schema, uint32_t part,
                                          const struct json *value, unsigned depth) {
    const struct json *properties = schema_get(schema, part, KW_PROPERTIES);
    const struct json *others = schema_get(schema, part, KW_ADDITIONAL_PROPERTIES);
    const struct json *required = schema_get(schema, part, KW_REQUIRED);
    if (!counted(value->len, schema_get(schema, part, KW_MIN_PROPERTIES),
                 schema_get(schema, part, KW_MAX_PROPERTIES)))
        return VERDICT_NO;
    for (uint32_t i = 0; required && i < required->len; i++)
        if (!json_get_n(value, required->items[i]->text, required->items[i]->len))
            return VERDICT_NO;
    for (uint32_t i = 0; i < value->len; i++) {
        const struct json *member = json_get_n(properties, value->keys[i].text, value->keys[i].len);
        if (!member) member = others;
        enum schema_verdict verdict =
            member ? allows_json(schema, member, value->items[i], depth) : VERDICT_YES;
        if (verdict != VERDICT_YES) return verdict;
    }
    return VERDICT_YES;
}

/* Keywords that are not judged here; only where they apply to the value's type. */
static enum schema_verdict refuse_others(struct schema *schema, uint32_t part, uint8_t type) {
    static const struct {
        uint8_t keyword, types;
    } others[] = {
        {KW_PATTERN, TYPE_STRING}, {KW_MULTIPLE_OF, TYPE_NUMBER | TYPE_INTEGER},
        {KW_UNIQUE_ITEMS, TYPE_ARRAY}, {KW_CONTAINS, TYPE_ARRAY},
        {KW_UNEVALUATED_ITEMS, TYPE_ARRAY}, {KW_PATTERN_PROPERTIES, TYPE_OBJECT},
        {KW_PROPERTY_NAMES, TYPE_OBJECT}, {KW_DEPENDENCIES, TYPE_OBJECT},
        {KW_DEPENDENT_REQUIRED, TYPE_OBJECT}, {KW_DEPENDENT_SCHEMAS, TYPE_OBJECT},
        {KW_UNEVALUATED_PROPERTIES, TYPE_OBJECT}, {KW_NOT, TYPE_ALL}, {KW_IF, TYPE_ALL},
        {KW_DYNAMIC_REF, TYPE_ALL}, {KW_RECURSIVE_REF, TYPE_ALL},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i].types & type && schema_get(schema, part, others[i].keyword)) {
            schema_refuse(schema, part, others[i].keyword, "unsupported keyword");
            return VERDICT_UNKNOWN;
        }
    return VERDICT_YES;
}

/* How many of a list of subschemas allow the value: all of them, or as many as `enough`. */
static enum schema_verdict count_allowing(struct schema *schema, const struct json *list,
                                          const struct json *value, unsigned depth, uint32_t *n) {
    *n = 0;
    for (uint32_t i = 0; i < list->len; i++) {
        enum schema_verdict verdict = allows_json(schema, list->items[i], value, depth);
        if (verdict == VERDICT_UNKNOWN) return verdict;
        *n += verdict == VERDICT_YES;
    }
    return VERDICT_YES;
}

static enum schema_verdict combined(struct schema *schema, uint32_t part, const struct json *value,
                                    unsigned depth) {
    static const uint8_t keywords[] = {KW_ALL_OF, KW_ANY_OF, KW_ONE_OF};
    for (size_t i = 0; i < sizeof keywords; i++) {
        const struct json *list = schema_get(schema, part, keywords[i]);
        uint32_t n;
        if (!list) continue;
        enum schema_verdict verdict = count_allowing(schema, list, value, depth, &n);
        if (verdict != VERDICT_YES) return verdict;
        if (keywords[i] == KW_ALL_OF ? n < list->len : keywords[i] == KW_ANY_OF ? n == 0 : n != 1)
            return VERDICT_NO;
    }
    if (!schema_get(schema, part, KW_REF)) return VERDICT_YES;
    uint32_t target = schema_resolve(schema, part);
    return target == RULES_NONE ? VERDICT_UNKNOWN : allows(schema, target, value, depth + 1);
}

static bool listed(const struct schema *schema, uint32_t part, const struct json *value,
                   const struct json *source) {
    const struct json *list = schema_get(schema, part, KW_ENUM);
    const struct json *constant = schema_get(schema, part, KW_CONST);
    return (!list || list == source || in_list(list, value)) &&
           (!constant || json_same(constant, value));
}

static enum schema_verdict allows(struct schema *schema, uint32_t part, const struct json *value,
                                  unsigned depth) {
    uint8_t type = type_of(value);
    if (depth > 200) return schema_fail(schema, RULES_TOO_LARGE), VERDICT_UNKNOWN;
    if (!(schema->parts[part].types & type)) return VERDICT_NO;
    if (schema->parts[part].present == 0) return VERDICT_YES;
    if (!listed(schema, part, value, depth ? NULL : schema->source)) return VERDICT_NO;
    enum schema_verdict verdict = refuse_others(schema, part, type);
    if (verdict != VERDICT_YES) return verdict;
    if (type & (TYPE_NUMBER | TYPE_INTEGER) && !number_allowed(schema, part, value))
        return VERDICT_NO;
    if (type == TYPE_STRING && !counted(code_points(value),
                                        schema_get(schema, part, KW_MIN_LENGTH),
                                        schema_get(schema, part, KW_MAX_LENGTH)))
        return VERDICT_NO;
    if (type == TYPE_ARRAY) verdict = array_allowed(schema, part, value, depth);
    if (type == TYPE_OBJECT) verdict = object_allowed(schema, part, value, depth);
    return verdict == VERDICT_YES ? combined(schema, part, value, depth) : verdict;
}

enum schema_verdict schema_allows(struct schema *schema, uint32_t part, const struct json *value) {
    return allows(schema, part, value, 0);
}
