/* Which object schemas are closed. What one declares is judged with all alternatives, whichever was
 * chosen: the validator, which sees no choices, must agree. */
#include <stdlib.h>

#include "engine/schema_part.h"

static bool speaks_of_objects(const struct schema_part *part) {
    const uint64_t keywords = 1ull << KW_PROPERTIES | 1ull << KW_REQUIRED |
                              1ull << KW_PATTERN_PROPERTIES | 1ull << KW_PROPERTY_NAMES |
                              1ull << KW_MIN_PROPERTIES | 1ull << KW_MAX_PROPERTIES |
                              1ull << KW_DEPENDENCIES | 1ull << KW_DEPENDENT_REQUIRED |
                              1ull << KW_DEPENDENT_SCHEMAS | 1ull << KW_UNEVALUATED_PROPERTIES;
    return part->present & keywords || (part->present >> KW_TYPE & 1 && part->types & TYPE_OBJECT);
}

static void add(uint32_t part, struct schema_openness *is) {
    for (uint32_t i = 0; i < is->n; i++)
        if (is->parts[i] == part) return;
    if (part != RULES_NONE && is->n < OPENNESS_PARTS) is->parts[is->n++] = part;
}

static void add_each(struct schema *schema, const struct json *list, struct schema_openness *is) {
    for (uint32_t i = 0; list && i < list->len; i++)
        if (list->items[i]->type != JSON_ARRAY) add(schema_part_of(schema, list->items[i]), is);
}

static void add_applied(struct schema *schema, uint32_t part, struct schema_openness *is) {
    static const uint8_t lists[] = {KW_ALL_OF, KW_ANY_OF, KW_ONE_OF, KW_DEPENDENCIES,
                                    KW_DEPENDENT_SCHEMAS};
    static const uint8_t single[] = {KW_IF, KW_THEN, KW_ELSE};
    for (size_t i = 0; i < sizeof lists; i++)
        add_each(schema, schema_get(schema, part, lists[i]), is);
    for (size_t i = 0; i < sizeof single; i++) {
        const struct json *value = schema_get(schema, part, single[i]);
        if (value) add(schema_part_of(schema, value), is);
    }
    if (schema_get(schema, part, KW_REF)) add(schema_resolve(schema, part), is);
}

static void count(const struct schema *schema, uint32_t part, struct schema_openness *is) {
    static const uint8_t declaring[] = {KW_PROPERTIES, KW_PATTERN_PROPERTIES, KW_REQUIRED};
    const struct json *least = schema_get(schema, part, KW_MIN_PROPERTIES);
    is->object |= speaks_of_objects(&schema->parts[part]);
    is->names |= schema_get(schema, part, KW_PROPERTY_NAMES) != NULL;
    for (size_t i = 0; i < sizeof declaring; i++) {
        const struct json *value = schema_get(schema, part, declaring[i]);
        is->declared += value ? value->len : 0;
    }
    if (least && schema_count(least) > is->least) is->least = schema_count(least);
}

enum { FEW = 16 }; /* parts that are found as fast as remembered */

void schema_look_around(struct schema *schema, uint32_t part, struct schema_openness *is) {
    uint32_t from = is->n, begin = from;
    if (from == 0 && schema->parts[part].around) {
        *is = *schema->parts[part].around;
        return;
    }
    add(part, is);
    for (; from < is->n; from++) {
        count(schema, is->parts[from], is);
        add_applied(schema, is->parts[from], is);
    }
    if (begin || is->n <= FEW) return;
    struct schema_openness *kept = malloc(sizeof *kept); /* only to be faster */
    if (kept) *kept = *is;
    schema->parts[part].around = kept;
}

void schema_around_free(struct schema *schema) {
    for (uint32_t i = 0; i < schema->n_parts; i++) free(schema->parts[i].around);
}

/* Not if, closed, it could not have the members it must have, or if it only says how they are
 * named. */
bool schema_closes(const struct schema_openness *is) {
    return is->object && is->least <= is->declared && !(is->names && is->declared == 0);
}
