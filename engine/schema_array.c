#include <stdlib.h>

#include "engine/schema_part.h"

/* The list of schemas for the first items, or NULL. */
static const struct json *tuple_of(const struct schema *schema, uint32_t part) {
    const struct json *prefix = schema_get(schema, part, KW_PREFIX_ITEMS);
    const struct json *items = schema_get(schema, part, KW_ITEMS);
    if (prefix) return prefix;
    return items && items->type == JSON_ARRAY ? items : NULL;
}

/* What a part says about the item at index, or NULL. */
static const struct json *item_of(const struct schema *schema, uint32_t part, uint32_t index) {
    const struct json *tuple = tuple_of(schema, part);
    const struct json *items = schema_get(schema, part, KW_ITEMS);
    if (tuple && index < tuple->len) return tuple->items[index];
    if (items && items->type == JSON_ARRAY) return schema_get(schema, part, KW_ADDITIONAL_ITEMS);
    return items;
}

static uint32_t item_node(struct schema *schema, const struct bundle *bundle, uint32_t index) {
    uint32_t terms[BUNDLE_PARTS], n = 0;
    for (uint32_t i = 0; i < bundle->n; i++) {
        const struct json *item = item_of(schema, term_part(bundle->terms[i]), index);
        uint32_t part = item ? schema_part_of(schema, item) : RULES_NONE;
        if (item && part == RULES_NONE) return RULES_NONE;
        if (item) terms[n++] = term_of(part, bundle->terms[i] & (TERM_EXTRA | TERM_LOOSE));
    }
    return schema_node(schema, terms, n);
}

static bool refuse_unsupported(struct schema *schema, const struct bundle *bundle) {
    static const uint8_t refused[] = {KW_CONTAINS, KW_UNEVALUATED_ITEMS};
    for (uint32_t i = 0; i < bundle->n; i++)
        for (size_t k = 0; k < sizeof refused; k++) {
            uint32_t part = term_part(bundle->terms[i]);
            const struct json *value = schema_get(schema, part, refused[k]);
            if (!value || (refused[k] == KW_UNEVALUATED_ITEMS && value->type == JSON_TRUE))
                continue;
            return schema_refuse(schema, part, refused[k], "unsupported keyword");
        }
    return true;
}

/* Whose uniqueItems matters. What is only to be shown empty may repeat items. */
static uint32_t unique_part(const struct schema *schema, const struct bundle *bundle,
                            const struct cell_array *array) {
    for (uint32_t i = 0; i < bundle->n && array->max > 1; i++) {
        const struct json *unique =
            schema_get(schema, term_part(bundle->terms[i]), KW_UNIQUE_ITEMS);
        if (unique && unique->type == JSON_TRUE &&
            !(bundle->terms[i] & (TERM_LOOSE | TERM_DECIDED)))
            return term_part(bundle->terms[i]);
    }
    return RULES_NONE;
}

static bool add_prefix(struct schema *schema, const struct bundle *bundle,
                       struct cell_array *array) {
    uint32_t *nodes = malloc((array->n_prefix + 1) * sizeof *nodes);
    bool done = nodes || schema_fail(schema, RULES_MEMORY);
    for (uint32_t i = 0; done && i < array->n_prefix; i++) {
        nodes[i] = item_node(schema, bundle, i);
        done = nodes[i] != RULES_NONE;
    }
    if (done) {
        enum rules_status status =
            rules_add_refs(schema->rules, nodes, array->n_prefix, &array->prefix);
        done = status == RULES_OK || schema_fail(schema, status);
    }
    free(nodes);
    return done;
}

bool schema_array(struct schema *schema, const struct bundle *bundle, struct cell *cell) {
    *cell = (struct cell){.kind = CELL_ARRAY};
    struct cell_array *array = &cell->array;
    array->min = schema_max_of(schema, bundle, KW_MIN_ITEMS);
    array->max = schema_min_of(schema, bundle, KW_MAX_ITEMS);
    for (uint32_t i = 0; i < bundle->n; i++) {
        const struct json *tuple = tuple_of(schema, term_part(bundle->terms[i]));
        if (tuple && tuple->len > array->n_prefix) array->n_prefix = tuple->len;
    }
    if (array->n_prefix > array->max) array->n_prefix = array->max;
    if (!refuse_unsupported(schema, bundle)) return false;
    array->unique_part = unique_part(schema, bundle, array);
    if (array->unique_part != RULES_NONE && array->min > 200)
        return schema_refuse(schema, array->unique_part, KW_UNIQUE_ITEMS, "too many items");
    if (!add_prefix(schema, bundle, array)) return false;
    array->rest = array->max > array->n_prefix ? item_node(schema, bundle, UINT32_MAX - 1)
                                               : schema_nothing(schema);
    return array->rest != RULES_NONE;
}
