#include <stdlib.h>
#include <string.h>

#include "engine/hash.h"
#include "engine/json_write.h"
#include "engine/schema_part.h"
#include "engine/vector.h"

struct name {
    const char *text;
    uint32_t len;
    bool required, declared;
};

struct names {
    struct name *list;
    uint32_t n, cap;
    struct schema_map map;
};

static void names_free(struct names *names) {
    free(names->list);
    free(names->map.slots);
}

static uint32_t name_of(struct schema *schema, struct names *names, const char *text,
                        uint32_t len) {
    uint64_t hash = hash_bytes(2, text, len);
    uint32_t probe = 0;
    struct schema_slot *slot;
    const struct name *at;
    do {
        slot = schema_map_slot(&names->map, hash, &probe);
        if (!slot) return schema_fail(schema, RULES_MEMORY), RULES_NONE;
        at = slot->value == RULES_NONE ? NULL : &names->list[slot->value];
    } while (at && (at->len != len || memcmp(at->text, text, len) != 0));
    if (at) return slot->value;
    if (!vector_reserve((void **)&names->list, &names->cap, names->n + 1, sizeof *names->list))
        return schema_fail(schema, RULES_MEMORY), RULES_NONE;
    slot->value = names->n;
    names->list[names->n] = (struct name){.text = text, .len = len};
    return names->n++;
}

/* Declared names in schema order, then those that are only required. */
static bool collect_names(struct schema *schema, const struct bundle *bundle,
                          struct names *names) {
    for (uint32_t i = 0; i < bundle->n; i++) {
        const struct json *declared =
            schema_get(schema, term_part(bundle->terms[i]), KW_PROPERTIES);
        for (uint32_t k = 0; declared && k < declared->len; k++) {
            uint32_t name = name_of(schema, names, declared->keys[k].text, declared->keys[k].len);
            if (name == RULES_NONE) return false;
            if (!(bundle->terms[i] & TERM_EXTRA)) names->list[name].declared = true;
        }
    }
    for (uint32_t i = 0; i < bundle->n; i++) {
        const struct json *required = schema_get(schema, term_part(bundle->terms[i]), KW_REQUIRED);
        for (uint32_t k = 0; required && k < required->len; k++) {
            uint32_t name = name_of(schema, names, required->items[k]->text,
                                    required->items[k]->len);
            if (name == RULES_NONE) return false;
            names->list[name].required = true;
            if (!(bundle->terms[i] & TERM_EXTRA)) names->list[name].declared = true;
        }
    }
    return true;
}

/* Adds the term of a subschema to a conjunction. */
static bool add_term(struct schema *schema, uint32_t *terms, uint32_t *n,
                     const struct json *subschema, uint32_t owner) {
    uint32_t part = schema_part_of(schema, subschema);
    if (part == RULES_NONE) return false;
    terms[(*n)++] = term_of(part, owner & TERM_EXTRA);
    return true;
}

/* The node of a member: what each part says about this name; name NULL: about any other. */
static uint32_t member_node(struct schema *schema, const struct bundle *bundle,
                            const struct name *name) {
    uint32_t terms[BUNDLE_PARTS], n = 0;
    for (uint32_t i = 0; i < bundle->n; i++) {
        uint32_t part = term_part(bundle->terms[i]);
        const struct json *value =
            name ? json_get_n(schema_get(schema, part, KW_PROPERTIES), name->text, name->len)
                 : NULL;
        if (!value) value = schema_get(schema, part, KW_ADDITIONAL_PROPERTIES);
        if (value && !add_term(schema, terms, &n, value, bundle->terms[i])) return RULES_NONE;
    }
    return schema_node(schema, terms, n);
}

/* ---- which further members there may be ---- */

static bool speaks_of_objects(const struct schema_part *part) {
    const uint64_t keywords = 1ull << KW_PROPERTIES | 1ull << KW_REQUIRED |
                              1ull << KW_PATTERN_PROPERTIES | 1ull << KW_PROPERTY_NAMES |
                              1ull << KW_MIN_PROPERTIES | 1ull << KW_MAX_PROPERTIES;
    return part->present & keywords || (part->present >> KW_TYPE & 1 && part->types & TYPE_OBJECT);
}

static bool is_closed(const struct schema *schema, const struct bundle *bundle) {
    bool object = false;
    if (!schema->options.closed) return false;
    for (uint32_t i = 0; i < bundle->n; i++) {
        const struct schema_part *part = &schema->parts[term_part(bundle->terms[i])];
        if (bundle->terms[i] & TERM_EXTRA) continue;
        if (part->present >> KW_ADDITIONAL_PROPERTIES & 1) return false;
        object |= speaks_of_objects(part);
    }
    return object;
}

/* ---- keywords not honoured yet, where they would matter ---- */

static bool refuse(struct schema *schema, const struct bundle *bundle, enum schema_keyword keyword) {
    for (uint32_t i = 0; i < bundle->n; i++) {
        const struct json *value = schema_get(schema, term_part(bundle->terms[i]), keyword);
        if (!value || value->type == JSON_TRUE || (value->type == JSON_OBJECT && !value->len))
            continue;
        return schema_refuse(schema, term_part(bundle->terms[i]), keyword, "unsupported keyword");
    }
    return true;
}

static bool refuse_unsupported(struct schema *schema, const struct bundle *bundle,
                               const struct cell_object *object, uint32_t n_required) {
    static const uint8_t refused[] = {KW_PATTERN_PROPERTIES, KW_PROPERTY_NAMES, KW_DEPENDENCIES,
                                      KW_DEPENDENT_REQUIRED, KW_DEPENDENT_SCHEMAS,
                                      KW_UNEVALUATED_PROPERTIES};
    for (size_t i = 0; i < sizeof refused; i++)
        if (!refuse(schema, bundle, refused[i])) return false;
    if (schema_max_of(schema, bundle, KW_MIN_PROPERTIES) > n_required &&
        !refuse(schema, bundle, KW_MIN_PROPERTIES))
        return false;
    uint32_t most = schema_min_of(schema, bundle, KW_MAX_PROPERTIES);
    bool bounded = object->additional == RULES_NONE && object->n_props <= most;
    return bounded || refuse(schema, bundle, KW_MAX_PROPERTIES);
}

/* ---- the cell ---- */

static bool add_key(struct schema *schema, const struct name *name, struct prop *prop) {
    schema->text.len = 0;
    json_write_string(&schema->text, (struct text){name->text, name->len});
    if (schema->text.failed || schema->text.len > UINT32_MAX / 4)
        return schema_fail(schema, RULES_MEMORY);
    prop->key_len = (uint32_t)schema->text.len;
    return true;
}

/* The two lists of the members' keys: as JSON text without the opening quote, and decoded. */
static bool add_key_lists(struct schema *schema, const struct names *names, const uint32_t *kept,
                          struct cell_object *object) {
    struct words *words = &schema->rules->words;
    object->keys = words->n;
    for (uint32_t i = 0; i < object->n_props; i++) {
        struct prop ignored;
        if (!add_key(schema, &names->list[kept[i]], &ignored)) return false;
        if (!words_add(words, schema->text.bytes + 1, (uint32_t)schema->text.len - 1, i))
            return schema_fail(schema, RULES_TOO_LARGE);
    }
    if (words_sort(words, object->keys) != object->n_props)
        return schema_fail(schema, RULES_MEMORY);
    object->names = words->n;
    for (uint32_t i = 0; i < object->n_props; i++)
        if (!words_add(words, names->list[kept[i]].text, names->list[kept[i]].len, i))
            return schema_fail(schema, RULES_TOO_LARGE);
    if (words_sort(words, object->names) != object->n_props)
        return schema_fail(schema, RULES_MEMORY);
    return true;
}

static bool fill_object(struct schema *schema, const struct bundle *bundle, struct names *names,
                        struct prop *props, uint32_t *kept, struct cell_object *object) {
    bool closed = is_closed(schema, bundle);
    uint32_t n = 0, n_required = 0;
    for (uint32_t i = 0; i < names->n; i++) {
        const struct name *name = &names->list[i];
        if (closed && !name->declared && !name->required) continue;
        struct prop prop = {.required = name->required};
        prop.node = closed && !name->declared ? schema_nothing(schema)
                                              : member_node(schema, bundle, name);
        if (prop.node == RULES_NONE || !add_key(schema, name, &prop)) return false;
        n_required += prop.required;
        kept[n] = i;
        props[n++] = prop;
    }
    props[n] = (struct prop){.node = RULES_NONE};
    object->n_props = n;
    object->additional = closed ? RULES_NONE : member_node(schema, bundle, NULL);
    if (!closed && object->additional == RULES_NONE) return false;
    if (!refuse_unsupported(schema, bundle, object, n_required)) return false;
    enum rules_status status = rules_add_props(schema->rules, props, n + 1, &object->props);
    if (status != RULES_OK) return schema_fail(schema, status);
    return add_key_lists(schema, names, kept, object);
}

bool schema_object(struct schema *schema, const struct bundle *bundle, struct cell *cell) {
    struct names names = {0};
    *cell = (struct cell){.kind = CELL_OBJECT};
    bool done = collect_names(schema, bundle, &names);
    if (done) {
        struct prop *props = malloc((names.n + 1) * sizeof *props);
        uint32_t *kept = malloc((names.n + 1) * sizeof *kept);
        done = props && kept ? fill_object(schema, bundle, &names, props, kept, &cell->object)
                             : schema_fail(schema, RULES_MEMORY);
        free(props);
        free(kept);
    }
    names_free(&names);
    return done;
}
