#include "engine/validate_internal.h"

#include <stdlib.h>

KEYWORD_CHECK(min_items) {
    (void)schema, (void)marks;
    return instance->len >= constraint->count || validation_violated(run, "minItems", instance);
}

KEYWORD_CHECK(max_items) {
    (void)schema, (void)marks;
    return instance->len <= constraint->count || validation_violated(run, "maxItems", instance);
}

/* ---- prefixItems, items, additionalItems ---- */

static bool add_list(struct compiler *c, struct constraint *constraint, const struct json *list) {
    for (uint32_t i = 0; i < list->len; i++)
        if (!validate_add(c, constraint, list->items[i])) return false;
    constraint->items.n_prefix = list->len;
    return true;
}

/* prefixItems with items for the rest; before 2020-12 items as a list with additionalItems. */
KEYWORD_COMPILE(items) {
    const struct json *prefix = validate_sibling(schema, "prefixItems"),
                      *rest = validate_sibling(schema, "items");
    if (prefix && constraint->keyword->name[0] == 'i') {
        constraint->keyword = NULL; /* the sibling's constraint covers this one */
        return rest->type != JSON_ARRAY ||
               validate_malformed(c, rest, "must be a schema beside prefixItems");
    }
    if (!prefix && rest->type == JSON_ARRAY) {
        prefix = rest;
        rest = validate_sibling(schema, "additionalItems");
    }
    if (!validate_room(c, constraint, (prefix ? prefix->len : 0) + 1)) return false;
    if (prefix && !add_list(c, constraint, prefix)) return false;
    return !rest || validate_add(c, constraint, rest);
}

KEYWORD_CHECK(items) {
    (void)schema;
    uint32_t n_prefix = constraint->items.n_prefix;
    const struct schema *rest =
        constraint->n_schemas > n_prefix ? constraint->schemas[n_prefix] : NULL;
    for (uint32_t i = 0; i < instance->len; i++) {
        const struct schema *item = i < n_prefix ? constraint->schemas[i] : rest;
        if (!item) break;
        if (item->never) return validation_violated(run, "items", instance->items[i]);
        if (!validation_apply(run, item, instance->items[i])) return false;
        validate_marks_set(marks, i);
    }
    return true;
}

/* ---- contains ---- */

KEYWORD_COMPILE(contains) {
    const struct json *min = validate_sibling(schema, "minContains"),
                      *max = validate_sibling(schema, "maxContains");
    constraint->contains.min = 1;
    constraint->contains.max = UINT64_MAX;
    if (min && !validate_count(c, min, &constraint->contains.min)) return false;
    if (max && !validate_count(c, max, &constraint->contains.max)) return false;
    return validate_room(c, constraint, 1) && validate_add(c, constraint, constraint->value);
}

KEYWORD_CHECK(contains) {
    uint64_t found = 0;
    for (uint32_t i = 0; i < instance->len; i++) {
        if (!validation_try_open(run, constraint->schemas[0], instance->items[i], NULL)) continue;
        found++;
        if (schema->draft >= DRAFT_2020) validate_marks_set(marks, i);
    }
    if (found < constraint->contains.min)
        return validation_violated(
            run, validate_sibling(schema, "minContains") ? "minContains" : "contains", instance);
    return found <= constraint->contains.max || validation_violated(run, "maxContains", instance);
}

/* ---- uniqueItems ---- */

KEYWORD_COMPILE(boolean) {
    (void)schema;
    const struct json *value = constraint->value;
    return value->type == JSON_TRUE || value->type == JSON_FALSE ||
           validate_malformed(c, value, "must be true or false");
}

static uint64_t mix(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 29;
}

static uint64_t hash_bytes(const char *text, size_t len) {
    uint64_t hash = len;
    for (size_t i = 0; i < len; i++) hash = mix(hash, (unsigned char)text[i]);
    return hash;
}

/* Equal numbers have equal significant digits, however they are spelled. */
static uint64_t hash_number(const struct json *number) {
    uint64_t hash = 7, zeros = 0;
    bool begun = false;
    for (uint32_t i = 0; i < number->len; i++) {
        char c = number->text[i];
        if (c == 'e' || c == 'E') break;
        if (c == '-' || c == '.') continue;
        if (c == '0') {
            zeros += begun;
            continue;
        }
        for (; zeros; zeros--) hash = mix(hash, '0');
        hash = mix(hash, (unsigned char)c);
        begun = true;
    }
    return hash;
}

/* Equal values have equal hashes. Depth is that of the JSON text. */
static uint64_t hash_value(const struct json *value) {
    uint64_t hash = mix(value->type, value->type == JSON_NUMBER ? 0 : value->len);
    switch (value->type) {
    case JSON_NUMBER: return mix(hash, hash_number(value));
    case JSON_STRING: return mix(hash, hash_bytes(value->text, value->len));
    case JSON_ARRAY:
        for (uint32_t i = 0; i < value->len; i++) hash = mix(hash, hash_value(value->items[i]));
        return hash;
    case JSON_OBJECT: /* a sum: members have no order */
        for (uint32_t i = 0; i < value->len; i++)
            hash += mix(hash_bytes(value->keys[i].text, value->keys[i].len),
                        hash_value(value->items[i]));
        return hash;
    default: return hash;
    }
}

struct hashed {
    uint64_t hash;
    const struct json *value;
};

static int compare_hashed(const void *left, const void *right) {
    const struct hashed *a = left, *b = right;
    return a->hash < b->hash ? -1 : a->hash > b->hash;
}

/* Only values of equal hash are compared; should hashes be made to collide, the steps run out. */
static bool all_differ(struct validation *run, const struct hashed *items, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = i + 1; k < n && items[k].hash == items[i].hash; k++) {
            if (!validation_spend(run, 1 + items[k].value->raw_len / 32)) return false;
            if (json_same(items[i].value, items[k].value)) return false;
        }
    return true;
}

KEYWORD_CHECK(unique) {
    (void)schema, (void)marks;
    if (constraint->value->type == JSON_FALSE || instance->len < 2) return true;
    if (!validation_spend(run, instance->len + instance->raw_len / 8)) return false;
    struct hashed *items = malloc(instance->len * sizeof *items);
    if (!items) {
        run->too_complex = true;
        return false;
    }
    for (uint32_t i = 0; i < instance->len; i++)
        items[i] = (struct hashed){hash_value(instance->items[i]), instance->items[i]};
    qsort(items, instance->len, sizeof *items, compare_hashed);
    bool unique = all_differ(run, items, instance->len);
    free(items);
    return unique || validation_violated(run, "uniqueItems", instance);
}

/* ---- unevaluatedItems ---- */

KEYWORD_CHECK(unevaluated_items) {
    (void)schema;
    const struct schema *rest = constraint->schemas[0];
    for (uint32_t i = 0; i < instance->len; i++) {
        if (!validation_spend(run, 1)) return false;
        if (validate_marks_has(marks, i)) continue;
        if (rest->never) return validation_violated(run, "unevaluatedItems", instance->items[i]);
        if (!validation_apply(run, rest, instance->items[i])) return false;
    }
    validate_marks_set_all(marks);
    return true;
}
