/* Values that stand in the schema itself (enum, const) against its other keywords. */
#include <stdlib.h>
#include <string.h>

#include "engine/decimal.h"
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

/* Compared in all, before the schema is too large: two long lists against each other. */
enum { MAX_COMPARED = 1 << 21, FEW = 8 /* values of an enum, that are looked through */ };

static bool in_short_list(const struct json *list, const struct json *value) {
    for (uint32_t i = 0; i < list->len; i++)
        if (list->items[i] == value || json_same(list->items[i], value)) return true;
    return false;
}

/* There are two to four slots for a value. */
static uint32_t last_slot(const struct json *list) {
    return (4u << (31 - __builtin_clz(list->len))) - 1;
}

/* Where a value's index + 1 is, or would be. NULL: too much was compared. */
static uint32_t *slot_of(struct schema *schema, uint32_t *slots, const struct json *list,
                         const struct json *value) {
    uint32_t last = last_slot(list), at = (uint32_t)guard_json_hash(value) & last;
    while (slots[at] && !json_same(list->items[slots[at] - 1], value)) {
        if (++schema->compared > MAX_COMPARED) return NULL;
        at = (at + 1) & last;
    }
    return &slots[at];
}

static bool hash_list(struct schema *schema, struct schema_part *part, const struct json *list) {
    part->listed = calloc((size_t)last_slot(list) + 1, sizeof *part->listed);
    if (!part->listed) return schema_fail(schema, RULES_MEMORY);
    for (uint32_t i = 0; i < list->len; i++) {
        uint32_t *slot = slot_of(schema, part->listed, list, list->items[i]);
        if (!slot) return schema_fail(schema, RULES_TOO_LARGE);
        *slot = i + 1;
    }
    return true;
}

void schema_instances_free(struct schema *schema) {
    for (uint32_t i = 0; i < schema->n_parts; i++) free(schema->parts[i].listed);
}

/* Is it among the values of the part's enum? */
static enum schema_verdict in_list(struct schema *schema, struct schema_part *part,
                                   const struct json *list, const struct json *value) {
    schema->compared += list->len <= FEW ? list->len : 1;
    if (schema->compared > MAX_COMPARED)
        return schema_fail(schema, RULES_TOO_LARGE), VERDICT_UNKNOWN;
    if (list->len <= FEW)
        return in_short_list(list, value) ? VERDICT_YES : VERDICT_NO;
    if (!part->listed && !hash_list(schema, part, list)) return VERDICT_UNKNOWN;
    const uint32_t *slot = slot_of(schema, part->listed, list, value);
    if (!slot) return schema_fail(schema, RULES_TOO_LARGE), VERDICT_UNKNOWN;
    return *slot ? VERDICT_YES : VERDICT_NO;
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
                    limits[i].direction <=
                0)
            return false;
    }
    const struct json *step = schema_get(schema, part, KW_MULTIPLE_OF);
    return !step || decimal_is_multiple(value->text, value->len, step->text, step->len);
}

static bool all_differ(const struct json *array) {
    for (uint32_t i = 0; i < array->len; i++)
        for (uint32_t k = 0; k < i; k++)
            if (json_same(array->items[i], array->items[k])) return false;
    return true;
}

/* contains, minContains, maxContains, uniqueItems */
static enum schema_verdict contents_allowed(struct schema *schema, uint32_t part,
                                            const struct json *array, unsigned depth) {
    const struct json *contains = schema_get(schema, part, KW_CONTAINS);
    const struct json *least = schema_get(schema, part, KW_MIN_CONTAINS);
    const struct json *unique = schema_get(schema, part, KW_UNIQUE_ITEMS);
    uint32_t n = 0;
    if (unique && unique->type == JSON_TRUE && !all_differ(array)) return VERDICT_NO;
    for (uint32_t i = 0; contains && i < array->len; i++) {
        enum schema_verdict verdict = allows_json(schema, contains, array->items[i], depth);
        if (verdict == VERDICT_UNKNOWN) return verdict;
        n += verdict == VERDICT_YES;
    }
    if (contains && !least && n == 0) return VERDICT_NO;
    return !contains || counted(n, least, schema_get(schema, part, KW_MAX_CONTAINS)) ? VERDICT_YES
                                                                                     : VERDICT_NO;
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
    return contents_allowed(schema, part, value, depth);
}

/* propertyNames, and patternProperties for a member. */
static enum schema_verdict name_allowed(struct schema *schema, uint32_t part,
                                        const struct json *object, uint32_t i, unsigned depth,
                                        bool *matched) {
    const struct json *names = schema_get(schema, part, KW_PROPERTY_NAMES);
    const struct json *patterns = schema_get(schema, part, KW_PATTERN_PROPERTIES);
    const struct json_key *key = &object->keys[i];
    const struct json name = {.type = JSON_STRING, .text = key->text, .len = key->len};
    enum schema_verdict verdict = names ? allows_json(schema, names, &name, depth) : VERDICT_YES;
    for (uint32_t k = 0; patterns && k < patterns->len && verdict == VERDICT_YES; k++) {
        const struct json pattern = {
            .type = JSON_STRING, .text = patterns->keys[k].text, .len = patterns->keys[k].len};
        enum schema_verdict match =
            schema_matches(schema, part, KW_PATTERN_PROPERTIES, &pattern, key->text, key->len);
        if (match == VERDICT_UNKNOWN) return match;
        if (match == VERDICT_NO) continue;
        *matched = true;
        verdict = allows_json(schema, patterns->items[k], object->items[i], depth);
    }
    return verdict;
}

static enum schema_verdict dependency_allowed(struct schema *schema, const struct json *needs,
                                              const struct json *object, unsigned depth) {
    if (needs->type != JSON_ARRAY) return allows_json(schema, needs, object, depth);
    for (uint32_t i = 0; i < needs->len; i++)
        if (!json_get_n(object, needs->items[i]->text, needs->items[i]->len)) return VERDICT_NO;
    return VERDICT_YES;
}

static enum schema_verdict dependencies_allowed(struct schema *schema, uint32_t part,
                                                const struct json *object, unsigned depth) {
    static const uint8_t keywords[] = {KW_DEPENDENCIES, KW_DEPENDENT_REQUIRED,
                                       KW_DEPENDENT_SCHEMAS};
    for (size_t k = 0; k < sizeof keywords; k++) {
        const struct json *map = schema_get(schema, part, keywords[k]);
        for (uint32_t i = 0; map && i < map->len; i++) {
            if (!json_get_n(object, map->keys[i].text, map->keys[i].len)) continue;
            enum schema_verdict verdict = dependency_allowed(schema, map->items[i], object, depth);
            if (verdict != VERDICT_YES) return verdict;
        }
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
        bool matched = member != NULL;
        enum schema_verdict verdict = name_allowed(schema, part, value, i, depth, &matched);
        if (!matched) member = others;
        if (verdict == VERDICT_YES && member)
            verdict = allows_json(schema, member, value->items[i], depth);
        if (verdict != VERDICT_YES) return verdict;
    }
    return dependencies_allowed(schema, part, value, depth);
}

/* Keywords that are not judged here; only where they apply to the value's type. */
static enum schema_verdict refuse_others(struct schema *schema, uint32_t part, uint8_t type) {
    static const struct {
        uint8_t keyword, types;
    } others[] = {{KW_CONTENT_ENCODING, TYPE_STRING},
                  {KW_CONTENT_MEDIA_TYPE, TYPE_STRING},
                  {KW_UNEVALUATED_ITEMS, TYPE_ARRAY},
                  {KW_UNEVALUATED_PROPERTIES, TYPE_OBJECT},
                  {KW_DYNAMIC_REF, TYPE_ALL},
                  {KW_RECURSIVE_REF, TYPE_ALL}};
    const struct json *step = schema_get(schema, part, KW_MULTIPLE_OF);
    if (step && type & (TYPE_NUMBER | TYPE_INTEGER) &&
        decimal_digits(step->text, step->len) > DECIMAL_DIVISOR_DIGITS) {
        schema_refuse(schema, part, KW_MULTIPLE_OF, "too many digits");
        return VERDICT_UNKNOWN;
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i].types & type && schema_get(schema, part, others[i].keyword)) {
            if (others[i].types != TYPE_ALL) { /* a guard will know */
                schema->uncertain = true;
                continue;
            }
            schema_refuse(schema, part, others[i].keyword, "unsupported keyword");
            return VERDICT_UNKNOWN;
        }
    return VERDICT_YES;
}

/* As it would be written: a value that is listed must be in the format as well. */
static enum schema_verdict in_format(struct schema *schema, uint32_t part, const struct json *value) {
    const struct json *name = schema_get(schema, part, KW_FORMAT);
    uint32_t most = RULES_INFINITE;
    const char *pattern = name ? schema_format(name, &most) : NULL;
    if (!pattern) return VERDICT_YES;
    if (code_points(value) > most) return VERDICT_NO;
    const struct json spelled = {
        .type = JSON_STRING, .text = pattern, .len = (uint32_t)strlen(pattern)};
    return schema_matches(schema, part, KW_FORMAT, &spelled, value->text, value->len);
}

static enum schema_verdict string_allowed(struct schema *schema, uint32_t part,
                                          const struct json *value) {
    const struct json *pattern = schema_get(schema, part, KW_PATTERN);
    const struct json *rejected = schema_get(schema, part, KW_NOT_PATTERN);
    enum schema_verdict verdict = in_format(schema, part, value);
    if (verdict == VERDICT_YES && pattern)
        verdict = schema_matches(schema, part, KW_PATTERN, pattern, value->text, value->len);
    if (verdict != VERDICT_YES || !rejected) return verdict;
    return schema_matches(schema, part, KW_NOT_PATTERN, rejected, value->text, value->len);
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

/* not, if, then, else */
static enum schema_verdict conditioned(struct schema *schema, uint32_t part,
                                       const struct json *value, unsigned depth) {
    const struct json *negated = schema_get(schema, part, KW_NOT);
    const struct json *guarded = schema_get(schema, part, KW_GUARD);
    const struct json *test = schema_get(schema, part, KW_IF);
    if (!negated) negated = guarded;
    enum schema_verdict verdict = negated ? allows_json(schema, negated, value, depth) : VERDICT_NO;
    if (verdict != VERDICT_NO) return verdict == VERDICT_YES ? VERDICT_NO : verdict;
    if (!test) return VERDICT_YES;
    verdict = allows_json(schema, test, value, depth);
    if (verdict == VERDICT_UNKNOWN) return verdict;
    const struct json *next = schema_get(schema, part, verdict == VERDICT_YES ? KW_THEN : KW_ELSE);
    return next ? allows_json(schema, next, value, depth) : VERDICT_YES;
}

/* allOf, anyOf or oneOf. */
static enum schema_verdict counted_branches(struct schema *schema, uint32_t part,
                                            enum schema_keyword keyword, const struct json *value,
                                            unsigned depth) {
    const struct json *list = schema_get(schema, part, keyword);
    uint32_t n;
    if (!list) return VERDICT_YES;
    enum schema_verdict verdict = count_allowing(schema, list, value, depth, &n);
    if (verdict != VERDICT_YES) return verdict;
    bool holds = keyword == KW_ALL_OF ? n == list->len : keyword == KW_ANY_OF ? n > 0 : n == 1;
    return holds ? VERDICT_YES : VERDICT_NO;
}

static enum schema_verdict combined(struct schema *schema, uint32_t part, const struct json *value,
                                    unsigned depth) {
    static const uint8_t keywords[] = {KW_ALL_OF, KW_ANY_OF, KW_ONE_OF};
    enum schema_verdict verdict = VERDICT_YES;
    for (size_t i = 0; i < sizeof keywords && verdict == VERDICT_YES; i++)
        verdict = counted_branches(schema, part, keywords[i], value, depth);
    if (verdict == VERDICT_YES) verdict = conditioned(schema, part, value, depth);
    if (verdict != VERDICT_YES || !schema_get(schema, part, KW_REF)) return verdict;
    uint32_t target = schema_resolve(schema, part);
    return target == RULES_NONE ? VERDICT_UNKNOWN : allows(schema, target, value, depth + 1);
}

static enum schema_verdict listed(struct schema *schema, uint32_t part, const struct json *value,
                                  const struct json *source) {
    const struct json *list = schema_get(schema, part, KW_ENUM);
    const struct json *constant = schema_get(schema, part, KW_CONST);
    if (constant && !json_same(constant, value)) return VERDICT_NO;
    return !list || list == source ? VERDICT_YES
                                   : in_list(schema, &schema->parts[part], list, value);
}

/* All but what its applicators in place say. */
static enum schema_verdict allows_itself(struct schema *schema, uint32_t part, const struct json *value,
                                         unsigned depth) {
    uint8_t type = type_of(value);
    if (depth > 200) return schema_fail(schema, RULES_TOO_LARGE), VERDICT_UNKNOWN;
    if (!(schema->parts[part].types & type)) return VERDICT_NO;
    if (schema->parts[part].present == 0) return VERDICT_YES;
    enum schema_verdict verdict = listed(schema, part, value, depth ? NULL : schema->source);
    if (verdict != VERDICT_YES) return verdict;
    verdict = refuse_others(schema, part, type);
    if (verdict != VERDICT_YES) return verdict;
    if (type & (TYPE_NUMBER | TYPE_INTEGER) && !number_allowed(schema, part, value))
        return VERDICT_NO;
    if (type == TYPE_STRING && !counted(code_points(value), schema_get(schema, part, KW_MIN_LENGTH),
                                        schema_get(schema, part, KW_MAX_LENGTH)))
        return VERDICT_NO;
    if (type == TYPE_STRING) verdict = string_allowed(schema, part, value);
    if (type == TYPE_ARRAY) verdict = array_allowed(schema, part, value, depth);
    if (type == TYPE_OBJECT) verdict = object_allowed(schema, part, value, depth);
    return verdict;
}

static enum schema_verdict allows(struct schema *schema, uint32_t part, const struct json *value,
                                  unsigned depth) {
    enum schema_verdict verdict = allows_itself(schema, part, value, depth);
    if (verdict != VERDICT_YES || schema->parts[part].present == 0) return verdict;
    return combined(schema, part, value, depth);
}

/* What of the value was judged as far as it can be allows it, in doubt. */
static enum schema_verdict in_doubt(struct schema *schema, enum schema_verdict verdict,
                                    bool before) {
    if (schema->uncertain && verdict == VERDICT_NO) verdict = VERDICT_YES;
    schema->uncertain |= before;
    return verdict;
}

enum schema_verdict schema_allows(struct schema *schema, uint32_t part, const struct json *value) {
    bool before = schema->uncertain;
    schema->uncertain = false;
    return in_doubt(schema, allows(schema, part, value, 0), before);
}

enum schema_verdict schema_allows_here(struct schema *schema, uint32_t term,
                                       const struct json *value) {
    uint32_t part = term_part(term);
    bool before = schema->uncertain;
    schema->uncertain = false;
    enum schema_verdict verdict = allows_itself(schema, part, value, 0);
    bool combines = !(term & TERM_DECIDED) && schema->parts[part].present;
    if (verdict == VERDICT_YES && combines && !schema_are_constants(schema, part))
        verdict = counted_branches(schema, part, KW_ONE_OF, value, 0);
    if (verdict == VERDICT_YES && combines) verdict = conditioned(schema, part, value, 0);
    return in_doubt(schema, verdict, before);
}
