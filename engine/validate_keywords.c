#include "engine/validate_internal.h"

#include <string.h>

/* In the order in which they are checked: cheap ones first; unevaluated* need all others before
 * them. Not listed: annotations, and keywords no draft has; they are no constraint. */
static const struct keyword keywords[] = {
    {"type", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_ANY, COMPILE(type), CHECK(type)},
    {"const", DRAFT_6, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_ANY, NULL, CHECK(const)},
    {"enum", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_ANY, COMPILE(enum), CHECK(enum)},
    {"minimum", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_NUMBER, COMPILE(minimum),
     CHECK(minimum)},
    {"maximum", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_NUMBER, COMPILE(maximum),
     CHECK(maximum)},
    {"exclusiveMinimum", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_NUMBER, COMPILE(exclusive),
     CHECK(exclusive_minimum)},
    {"exclusiveMaximum", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_NUMBER, COMPILE(exclusive),
     CHECK(exclusive_maximum)},
    {"multipleOf", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_NUMBER, COMPILE(multiple),
     CHECK(multiple)},
    {"minLength", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_STRING, COMPILE(count),
     CHECK(min_length)},
    {"maxLength", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_STRING, COMPILE(count),
     CHECK(max_length)},
    {"format", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_STRING, COMPILE(format),
     CHECK(format)},
    {"pattern", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_STRING, COMPILE(pattern),
     CHECK(pattern)},
    {"minItems", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_ARRAY, COMPILE(count),
     CHECK(min_items)},
    {"maxItems", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_ARRAY, COMPILE(count),
     CHECK(max_items)},
    {"minContains", DRAFT_2019, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_ARRAY, COMPILE(count), NULL},
    {"maxContains", DRAFT_2019, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_ARRAY, COMPILE(count), NULL},
    {"uniqueItems", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_ARRAY, COMPILE(boolean),
     CHECK(unique)},
    {"minProperties", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_OBJECT, COMPILE(count),
     CHECK(min_properties)},
    {"maxProperties", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_OBJECT, COMPILE(count),
     CHECK(max_properties)},
    {"required", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_OBJECT, COMPILE(required),
     CHECK(required)},
    {"dependentRequired", DRAFT_2019, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_OBJECT,
     COMPILE(dependent_required), CHECK(dependencies)},
    {"propertyNames", DRAFT_6, DRAFT_2020, SHAPE_SCHEMA, REACH_TEST, ON_OBJECT, COMPILE(one),
     CHECK(property_names)},
    /* These three share one constraint, made for the first of them that is there. */
    {"properties", DRAFT_4, DRAFT_2020, SHAPE_MAP, REACH_CHILDREN, ON_OBJECT, COMPILE(members),
     CHECK(members)},
    {"patternProperties", DRAFT_4, DRAFT_2020, SHAPE_MAP, REACH_CHILDREN, ON_OBJECT,
     COMPILE(members), CHECK(members)},
    {"additionalProperties", DRAFT_4, DRAFT_2020, SHAPE_SCHEMA, REACH_CHILDREN, ON_OBJECT,
     COMPILE(members), CHECK(members)},
    {"prefixItems", DRAFT_2020, DRAFT_2020, SHAPE_LIST, REACH_CHILDREN, ON_ARRAY, COMPILE(items),
     CHECK(items)},
    {"items", DRAFT_4, DRAFT_2020, SHAPE_ITEMS, REACH_CHILDREN, ON_ARRAY, COMPILE(items),
     CHECK(items)},
    {"additionalItems", DRAFT_4, DRAFT_2020, SHAPE_SCHEMA, REACH_NONE, ON_ARRAY, NULL, NULL},
    {"contains", DRAFT_6, DRAFT_2020, SHAPE_SCHEMA, REACH_TEST, ON_ARRAY, COMPILE(contains),
     CHECK(contains)},
    {"$ref", DRAFT_4, DRAFT_2020, SHAPE_NONE, REACH_IN_PLACE, ON_ANY, COMPILE(ref), CHECK(ref)},
    {"$dynamicRef", DRAFT_2020, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_ANY, COMPILE(refused), NULL},
    {"$recursiveRef", DRAFT_2019, DRAFT_2020, SHAPE_NONE, REACH_NONE, ON_ANY, COMPILE(refused),
     NULL},
    {"allOf", DRAFT_4, DRAFT_2020, SHAPE_LIST, REACH_IN_PLACE, ON_ANY, COMPILE(list),
     CHECK(all_of)},
    {"anyOf", DRAFT_4, DRAFT_2020, SHAPE_LIST, REACH_IN_PLACE, ON_ANY, COMPILE(list),
     CHECK(any_of)},
    {"oneOf", DRAFT_4, DRAFT_2020, SHAPE_LIST, REACH_IN_PLACE, ON_ANY, COMPILE(list),
     CHECK(one_of)},
    {"not", DRAFT_4, DRAFT_2020, SHAPE_SCHEMA, REACH_TEST, ON_ANY, COMPILE(one), CHECK(not )},
    {"if", DRAFT_7, DRAFT_2020, SHAPE_SCHEMA, REACH_IN_PLACE, ON_ANY, COMPILE(condition),
     CHECK(condition)},
    {"then", DRAFT_7, DRAFT_2020, SHAPE_SCHEMA, REACH_NONE, ON_ANY, NULL, NULL},
    {"else", DRAFT_7, DRAFT_2020, SHAPE_SCHEMA, REACH_NONE, ON_ANY, NULL, NULL},
    {"dependentSchemas", DRAFT_2019, DRAFT_2020, SHAPE_MAP, REACH_IN_PLACE, ON_OBJECT,
     COMPILE(dependencies), CHECK(dependencies)},
    {"dependencies", DRAFT_4, DRAFT_2020, SHAPE_DEPENDENCIES, REACH_IN_PLACE, ON_OBJECT,
     COMPILE(dependencies), CHECK(dependencies)},
    {"definitions", DRAFT_4, DRAFT_2020, SHAPE_MAP, REACH_NONE, ON_ANY, NULL, NULL},
    {"$defs", DRAFT_4, DRAFT_2020, SHAPE_MAP, REACH_NONE, ON_ANY, NULL, NULL},
    {"unevaluatedItems", DRAFT_2019, DRAFT_2020, SHAPE_SCHEMA, REACH_CHILDREN, ON_ARRAY,
     COMPILE(unevaluated), CHECK(unevaluated_items)},
    {"unevaluatedProperties", DRAFT_2019, DRAFT_2020, SHAPE_SCHEMA, REACH_CHILDREN, ON_OBJECT,
     COMPILE(unevaluated), CHECK(unevaluated_properties)},
};

const struct keyword *validate_keyword(const char *name, size_t len, enum draft draft) {
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
        const struct keyword *k = &keywords[i];
        if (k->name[0] != (len ? name[0] : 0) || strlen(k->name) != len) continue;
        if (memcmp(k->name, name, len) != 0) continue;
        return draft >= k->since && draft <= k->until ? k : NULL;
    }
    return NULL;
}
