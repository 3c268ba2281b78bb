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

/* also: what it must satisfy besides, or NULL. */
static uint32_t item_node(struct schema *schema, const struct bundle *bundle, uint32_t index,
                          const struct json *also) {
    uint32_t terms[2 * BUNDLE_PARTS + 1], n = 0;
    for (uint32_t i = 0; i < bundle->n; i++) {
        const struct json *item = item_of(schema, term_part(bundle->terms[i]), index);
        uint32_t part = item ? schema_part_of(schema, item) : RULES_NONE;
        if (item && part == RULES_NONE) return RULES_NONE;
        if (item) terms[n++] = term_of(part, bundle->terms[i] & (TERM_EXTRA | TERM_LOOSE));
        item = schema_unevaluated_item(schema, bundle, i, index);
        part = item ? schema_part_of(schema, item) : RULES_NONE;
        if (item && part == RULES_NONE) return RULES_NONE;
        if (item) terms[n++] = term_of(part, bundle->terms[i] & (TERM_EXTRA | TERM_LOOSE));
    }
    if (also) {
        uint32_t part = schema_part_of(schema, also);
        if (part == RULES_NONE) return RULES_NONE;
        terms[n++] = term_of(part, TERM_EXTRA);
    }
    return schema_node(schema, terms, n);
}

/* ---- contains ---- */

/* Does the entry demand anything of what the array contains? */
static bool demands_contents(const struct schema *schema, const struct bundle *bundle, uint32_t at) {
    uint32_t part = term_part(bundle->terms[at]);
    const struct json *least = schema_get(schema, part, KW_MIN_CONTAINS);
    if (bundle->terms[at] & (TERM_LOOSE | TERM_DECIDED)) return false;
    return schema_get(schema, part, KW_CONTAINS) &&
           (!least || schema_count(least) > 0 || schema_get(schema, part, KW_MAX_CONTAINS));
}

bool schema_more_contains(const struct schema *schema, const struct bundle *bundle, uint32_t at) {
    if (!demands_contents(schema, bundle, at)) return false;
    for (uint32_t i = 0; i < at; i++)
        if (demands_contents(schema, bundle, i)) return true;
    return false;
}

/* Nodes of items that satisfy something besides: those of the prefix and of the others. */
static bool add_nodes(struct schema *schema, const struct bundle *bundle, uint32_t n,
                      const struct json *also, uint32_t *list) {
    uint32_t *nodes = malloc((n + 1) * sizeof *nodes);
    bool done = nodes || schema_fail(schema, RULES_MEMORY);
    for (uint32_t i = 0; done && i < n; i++) {
        nodes[i] = item_node(schema, bundle, i, also);
        done = nodes[i] != RULES_NONE;
    }
    if (done) {
        nodes[n] = item_node(schema, bundle, UINT32_MAX - 1, also);
        done = nodes[n] != RULES_NONE;
    }
    if (done) {
        enum rules_status status = rules_add_refs(schema->rules, nodes, n + 1, list);
        done = status == RULES_OK || schema_fail(schema, status);
    }
    free(nodes);
    return done;
}

static bool add_contents(struct schema *schema, const struct bundle *bundle,
                         struct cell_array *array) {
    uint32_t at = 0;
    array->contains = RULES_NONE;
    array->most = RULES_INFINITE;
    while (at < bundle->n && !demands_contents(schema, bundle, at)) at++;
    if (at == bundle->n) return true;
    uint32_t part = term_part(bundle->terms[at]);
    const struct json *value = schema_get(schema, part, KW_CONTAINS);
    const struct json *least = schema_get(schema, part, KW_MIN_CONTAINS);
    const struct json *most = schema_get(schema, part, KW_MAX_CONTAINS);
    const struct json *negated = schema_make_object(schema, (const char *[]){"not"}, &value, 1);
    array->least = least ? schema_count(least) : 1;
    if (most && schema_count(most) < RULES_LONGEST) array->most = schema_count(most);
    if (array->least > array->most || array->least > array->max) { /* nothing satisfies it */
        array->min = 1;
        array->max = array->least = 0;
        return true;
    }
    if (!schema_can_guard(schema, value))
        return schema_refuse(schema, part, KW_CONTAINS, "made up");
    if (!negated || !schema_guard(schema, value, false, true, &array->contains)) return false;
    return add_nodes(schema, bundle, array->n_prefix, value, &array->with) &&
           (array->most == RULES_INFINITE ||
            add_nodes(schema, bundle, array->n_prefix, negated, &array->without));
}

/* ---- uniqueItems ---- */

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

static uint32_t prefix_of(struct schema *schema, const struct bundle *bundle) {
    uint32_t longest = 0;
    for (uint32_t i = 0; i < bundle->n; i++) {
        const struct json *tuple = tuple_of(schema, term_part(bundle->terms[i]));
        uint32_t n = schema_unevaluated_prefix(schema, bundle, i);
        if (tuple && tuple->len > n) n = tuple->len;
        if (n > longest) longest = n;
    }
    return longest;
}

bool schema_array(struct schema *schema, const struct bundle *bundle, struct cell *cell) {
    *cell = (struct cell){.kind = CELL_ARRAY};
    struct cell_array *array = &cell->array;
    array->min = schema_max_of(schema, bundle, KW_MIN_ITEMS);
    array->max = schema_min_of(schema, bundle, KW_MAX_ITEMS);
    array->n_prefix = prefix_of(schema, bundle);
    if (array->n_prefix > array->max) array->n_prefix = array->max;
    array->unique_part = unique_part(schema, bundle, array);
    if (!add_contents(schema, bundle, array)) return false;
    bool empty = array->min == 0 && array->contains == RULES_NONE && schema_only_judged(bundle);
    if (empty) /* will do */
        array->max = array->n_prefix = 0;
    else if (!add_nodes(schema, bundle, array->n_prefix, NULL, &array->prefix))
        return false;
    else
        array->rest = schema->rules->refs[array->prefix + array->n_prefix];
    if (array->max > array->n_prefix) return true;
    array->rest = schema_nothing(schema);
    return array->rest != RULES_NONE;
}
