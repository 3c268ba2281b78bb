#include "engine/schema_part.h"

enum { TAGS = 8 };

/* What a part certainly demands, looking through $ref. */
struct demand {
    uint8_t types;
    const struct json *values[TAGS]; /* an enum's array or a const's value */
    bool single[TAGS];
    uint32_t n;
    const struct json *objects[TAGS]; /* schemas with properties and required */
    uint32_t n_objects;
};

static bool demand_of(struct schema *schema, uint32_t part, struct demand *out) {
    *out = (struct demand){.types = TYPE_ALL};
    for (int steps = 0; steps < 8; steps++) {
        const struct json *json = schema->parts[part].json;
        const struct json *list = schema_get(schema, part, KW_ENUM);
        const struct json *value = schema_get(schema, part, KW_CONST);
        out->types &= schema->parts[part].types;
        if (list && out->n < TAGS) out->values[out->n++] = list;
        if (value && out->n < TAGS) {
            out->single[out->n] = true;
            out->values[out->n++] = value;
        }
        if (schema_get(schema, part, KW_REQUIRED) && schema_get(schema, part, KW_PROPERTIES))
            if (out->n_objects < TAGS) out->objects[out->n_objects++] = json;
        if (!schema_get(schema, part, KW_REF)) return true;
        if ((part = schema_resolve(schema, part)) == RULES_NONE) return false;
    }
    return true;
}

static bool among(const struct json *value, const struct json *list, bool single) {
    if (single) return json_same(value, list);
    for (uint32_t i = 0; i < list->len; i++)
        if (json_same(value, list->items[i])) return true;
    return false;
}

static bool share_value(const struct json *a, bool a_single, const struct json *b, bool b_single) {
    if (a_single) return among(a, b, b_single);
    if (!b_single && (uint64_t)a->len * b->len > 4096) return true; /* in doubt */
    for (uint32_t i = 0; i < a->len; i++)
        if (among(a->items[i], b, b_single)) return true;
    return false;
}

static uint8_t type_of(const struct json *value) {
    switch (value->type) {
    case JSON_NULL: return TYPE_NULL;
    case JSON_TRUE:
    case JSON_FALSE: return TYPE_BOOLEAN;
    case JSON_STRING: return TYPE_STRING;
    case JSON_NUMBER: return TYPE_INTEGER | TYPE_NUMBER;
    case JSON_ARRAY: return TYPE_ARRAY;
    default: return TYPE_OBJECT;
    }
}

static uint8_t value_types(const struct demand *demand, uint32_t i) {
    uint8_t types = 0;
    if (demand->single[i]) return type_of(demand->values[i]);
    for (uint32_t v = 0; v < demand->values[i]->len; v++)
        types |= type_of(demand->values[i]->items[v]);
    return types;
}

static uint8_t demanded_types(const struct demand *demand) {
    uint8_t types = demand->types;
    for (uint32_t i = 0; i < demand->n; i++) types &= value_types(demand, i);
    return types;
}

static bool requires(const struct json *object, const struct json_key *key) {
    const struct json *required = json_get(object, "required");
    for (uint32_t i = 0; i < required->len; i++) {
        const struct json *name = required->items[i];
        if (name->len == key->len && !__builtin_memcmp(name->text, key->text, key->len))
            return true;
    }
    return false;
}

static bool values_disjoint(const struct demand *a, const struct demand *b) {
    if ((demanded_types(a) & demanded_types(b)) == 0) return true;
    for (uint32_t i = 0; i < a->n; i++)
        for (uint32_t j = 0; j < b->n; j++)
            if (!share_value(a->values[i], a->single[i], b->values[j], b->single[j])) return true;
    return false;
}

/* A property that both demand, with values that exclude each other. */
static bool tags_disjoint(struct schema *schema, const struct json *a, const struct json *b) {
    const struct json *properties = json_get(a, "properties");
    for (uint32_t i = 0; i < properties->len; i++) {
        const struct json_key *key = &properties->keys[i];
        const struct json *other = json_get_n(json_get(b, "properties"), key->text, key->len);
        if (!other || (!requires(a, key) && !requires(b, key))) continue;
        struct demand x, y;
        uint32_t p = schema_part_of(schema, properties->items[i]);
        uint32_t q = schema_part_of(schema, other);
        if (p == RULES_NONE || q == RULES_NONE) return false;
        if (demand_of(schema, p, &x) && demand_of(schema, q, &y) && values_disjoint(&x, &y))
            return true;
    }
    return false;
}

bool schema_disjoint(struct schema *schema, uint32_t a, uint32_t b) {
    struct demand x, y;
    if (!demand_of(schema, a, &x) || !demand_of(schema, b, &y)) return false;
    if (values_disjoint(&x, &y)) return true;
    if ((demanded_types(&x) & demanded_types(&y)) != TYPE_OBJECT) return false;
    for (uint32_t i = 0; i < x.n_objects; i++)
        for (uint32_t j = 0; j < y.n_objects; j++)
            if (tags_disjoint(schema, x.objects[i], y.objects[j])) return true;
    return false;
}
