#include "engine/validate_internal.h"

#include <string.h>

/* In the order in which they are checked: cheap ones first; in the group of the applicators those
 * that reach into children come after those that stay; unevaluated* need all others before them.
 * Not listed: annotations, and keywords no draft has; they are no constraint. */
static const struct keyword keywords[] = {
    {"type", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_ANY, compile_type, check_type},
    {"const", DRAFT_6, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_ANY, NULL, check_const},
    {"enum", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_ANY, compile_enum, check_enum},
    {"minimum", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_NUMBER, compile_minimum,
     check_minimum},
    {"maximum", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_NUMBER, compile_maximum,
     check_maximum},
    {"exclusiveMinimum", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_NUMBER, compile_exclusive,
     check_exclusive_minimum},
    {"exclusiveMaximum", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_NUMBER, compile_exclusive,
     check_exclusive_maximum},
    {"multipleOf", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_NUMBER, compile_multiple,
     check_multiple},
    {"minLength", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_STRING, compile_count,
     check_min_length},
    {"maxLength", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_STRING, compile_count,
     check_max_length},
    {"format", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_STRING, compile_format,
     check_format},
    {"pattern", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_STRING, compile_pattern,
     check_pattern},
    {"minItems", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_ARRAY, compile_count,
     check_min_items},
    {"maxItems", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_ARRAY, compile_count,
     check_max_items},
    {"minContains", DRAFT_2019, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_ARRAY, compile_count, NULL},
    {"maxContains", DRAFT_2019, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_ARRAY, compile_count, NULL},
    {"uniqueItems", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_ARRAY, compile_boolean,
     check_unique},
    {"minProperties", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_OBJECT, compile_count,
     check_min_properties},
    {"maxProperties", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_OBJECT, compile_count,
     check_max_properties},
    {"required", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_OBJECT, compile_required,
     check_required},
    {"dependentRequired", DRAFT_2019, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_OBJECT,
     compile_dependent_required, check_dependencies},
    {"propertyNames", DRAFT_6, DRAFT_2020, SHAPE_SCHEMA, REACH_TEST, ON_OBJECT, compile_one,
     check_property_names},
    /* These three share one constraint, made for the first of them that is there. */
    {"properties", DRAFT_4, DRAFT_2020, SHAPE_MAP, REACH_CHILDREN, ON_OBJECT, compile_members,
     check_members},
    {"patternProperties", DRAFT_4, DRAFT_2020, SHAPE_MAP, REACH_CHILDREN, ON_OBJECT,
     compile_members, check_members},
    {"additionalProperties", DRAFT_4, DRAFT_2020, SHAPE_SCHEMA, REACH_CHILDREN, ON_OBJECT,
     compile_members, check_members},
    {"prefixItems", DRAFT_2020, DRAFT_2020, SHAPE_LIST, REACH_CHILDREN, ON_ARRAY, compile_items,
     check_items},
    {"items", DRAFT_4, DRAFT_2020, SHAPE_ITEMS, REACH_CHILDREN, ON_ARRAY, compile_items,
     check_items},
    {"additionalItems", DRAFT_4, DRAFT_2020, SHAPE_SCHEMA, REACH_NONE, ON_ARRAY, NULL, NULL},
    {"contains", DRAFT_6, DRAFT_2020, SHAPE_SCHEMA, REACH_TEST, ON_ARRAY, compile_contains,
     check_contains},
    {"$ref", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_IN_PLACE, ON_ANY, compile_ref, check_ref},
    {"$dynamicRef", DRAFT_2020, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_ANY, compile_refused, NULL},
    {"$recursiveRef", DRAFT_2019, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_ANY, compile_refused,
     NULL},
    {"allOf", DRAFT_4, DRAFT_2020, SHAPE_LIST, REACH_IN_PLACE, ON_ANY, compile_list, check_all_of},
    {"anyOf", DRAFT_4, DRAFT_2020, SHAPE_LIST, REACH_IN_PLACE, ON_ANY, compile_list, check_any_of},
    {"oneOf", DRAFT_4, DRAFT_2020, SHAPE_LIST, REACH_IN_PLACE, ON_ANY, compile_list, check_one_of},
    {"not", DRAFT_4, DRAFT_2020, SHAPE_SCHEMA, REACH_TEST, ON_ANY, compile_one, check_not},
    {"if", DRAFT_7, DRAFT_2020, SHAPE_SCHEMA, REACH_IN_PLACE, ON_ANY, compile_condition,
     check_condition},
    {"then", DRAFT_7, DRAFT_2020, SHAPE_SCHEMA, REACH_NONE, ON_ANY, NULL, NULL},
    {"else", DRAFT_7, DRAFT_2020, SHAPE_SCHEMA, REACH_NONE, ON_ANY, NULL, NULL},
    {"dependentSchemas", DRAFT_2019, DRAFT_2020, SHAPE_MAP, REACH_IN_PLACE, ON_OBJECT,
     compile_dependencies, check_dependencies},
    {"dependencies", DRAFT_4, DRAFT_2020, SHAPE_DEPENDENCIES, REACH_IN_PLACE, ON_OBJECT,
     compile_dependencies, check_dependencies},
    {"definitions", DRAFT_4, DRAFT_2020, SHAPE_MAP, REACH_NONE, ON_ANY, NULL, NULL},
    {"$defs", DRAFT_4, DRAFT_2020, SHAPE_MAP, REACH_NONE, ON_ANY, NULL, NULL},
    {"unevaluatedItems", DRAFT_2019, DRAFT_2020, SHAPE_SCHEMA, REACH_CHILDREN, ON_ARRAY,
     compile_unevaluated, check_unevaluated_items},
    {"unevaluatedProperties", DRAFT_2019, DRAFT_2020, SHAPE_SCHEMA, REACH_CHILDREN, ON_OBJECT,
     compile_unevaluated, check_unevaluated_properties},
};

const struct keyword *keyword_find(const char *name, size_t len, enum draft draft) {
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
        const struct keyword *k = &keywords[i];
        if (k->name[0] != (len ? name[0] : 0) || strlen(k->name) != len) continue;
        if (memcmp(k->name, name, len) != 0) continue;
        return draft >= k->since && draft <= k->until ? k : NULL;
    }
    return NULL;
}
