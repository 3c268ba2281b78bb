#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/schema_part.h"

/* What a keyword's value must look like. */
enum shape {
    SHAPE_ANY,
    SHAPE_COUNT,
    SHAPE_NUMBER,
    SHAPE_POSITIVE,
    SHAPE_LIMIT /* number or boolean */,
    SHAPE_STRING,
    SHAPE_BOOLEAN,
    SHAPE_SCHEMA,
    SHAPE_MAP,
    SHAPE_LIST,
    SHAPE_ITEMS /* schema or list */,
    SHAPE_TYPES,
    SHAPE_ARRAY,
    SHAPE_NAMES,
    SHAPE_NAME_MAP,
    SHAPE_DEPENDENCIES /* map of schemas or names */
};

static const uint8_t shapes[KW_COUNT] = {
    [KW_ID] = SHAPE_STRING,
    [KW_REF] = SHAPE_STRING,
    [KW_ANCHOR] = SHAPE_STRING,
    [KW_DEFS] = SHAPE_MAP,
    [KW_DYNAMIC_REF] = SHAPE_STRING,
    [KW_SCHEMA] = SHAPE_STRING,
    [KW_ADDITIONAL_ITEMS] = SHAPE_SCHEMA,
    [KW_ADDITIONAL_PROPERTIES] = SHAPE_SCHEMA,
    [KW_ALL_OF] = SHAPE_LIST,
    [KW_ANY_OF] = SHAPE_LIST,
    [KW_CONTAINS] = SHAPE_SCHEMA,
    [KW_DEFINITIONS] = SHAPE_MAP,
    [KW_DEPENDENCIES] = SHAPE_DEPENDENCIES,
    [KW_DEPENDENT_REQUIRED] = SHAPE_NAME_MAP,
    [KW_DEPENDENT_SCHEMAS] = SHAPE_MAP,
    [KW_ELSE] = SHAPE_SCHEMA,
    [KW_ENUM] = SHAPE_ARRAY,
    [KW_EXCLUSIVE_MAXIMUM] = SHAPE_LIMIT,
    [KW_EXCLUSIVE_MINIMUM] = SHAPE_LIMIT,
    [KW_FORMAT] = SHAPE_STRING,
    [KW_IF] = SHAPE_SCHEMA,
    [KW_ITEMS] = SHAPE_ITEMS,
    [KW_MAX_CONTAINS] = SHAPE_COUNT,
    [KW_MAX_ITEMS] = SHAPE_COUNT,
    [KW_MAX_LENGTH] = SHAPE_COUNT,
    [KW_MAX_PROPERTIES] = SHAPE_COUNT,
    [KW_MAXIMUM] = SHAPE_NUMBER,
    [KW_MIN_CONTAINS] = SHAPE_COUNT,
    [KW_MIN_ITEMS] = SHAPE_COUNT,
    [KW_MIN_LENGTH] = SHAPE_COUNT,
    [KW_MIN_PROPERTIES] = SHAPE_COUNT,
    [KW_MINIMUM] = SHAPE_NUMBER,
    [KW_MULTIPLE_OF] = SHAPE_POSITIVE,
    [KW_NOT] = SHAPE_SCHEMA,
    [KW_ONE_OF] = SHAPE_LIST,
    [KW_PATTERN] = SHAPE_STRING,
    [KW_PATTERN_PROPERTIES] = SHAPE_MAP,
    [KW_PREFIX_ITEMS] = SHAPE_LIST,
    [KW_PROPERTIES] = SHAPE_MAP,
    [KW_PROPERTY_NAMES] = SHAPE_SCHEMA,
    [KW_REQUIRED] = SHAPE_NAMES,
    [KW_THEN] = SHAPE_SCHEMA,
    [KW_TYPE] = SHAPE_TYPES,
    [KW_UNEVALUATED_ITEMS] = SHAPE_SCHEMA,
    [KW_UNEVALUATED_PROPERTIES] = SHAPE_SCHEMA,
    [KW_UNIQUE_ITEMS] = SHAPE_BOOLEAN,
};

static bool malformed(struct schema *schema, const struct json *json, const char *keyword,
                      const char *expected) {
    char path[sizeof schema->error->path];
    if (schema->error->code != ERROR_NONE) return false;
    schema_locate(schema, json, keyword, path, sizeof path);
    return error_at(schema->error, ERROR_INVALID_PARAMS, path, "%s is not %s",
                    keyword ? keyword : "the schema", expected);
}

static bool is_boolean(const struct json *value) {
    return value->type == JSON_TRUE || value->type == JSON_FALSE;
}

static bool is_names(const struct json *value) {
    if (value->type != JSON_ARRAY) return false;
    for (uint32_t i = 0; i < value->len; i++)
        if (value->items[i]->type != JSON_STRING) return false;
    return true;
}

static bool is_type(const struct json *value) {
    static const char *const types[] = {"string",  "object", "integer", "number",
                                        "boolean", "array",  "null"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (json_is_string(value, types[i])) return true;
    return false;
}

static bool is_types(const struct json *value) {
    if (value->type == JSON_STRING) return is_type(value);
    if (value->type != JSON_ARRAY || value->len == 0) return false;
    for (uint32_t i = 0; i < value->len; i++)
        if (!is_type(value->items[i])) return false;
    return true;
}

static bool is_count(const struct json *value) {
    return value->type == JSON_NUMBER && json_number_is_integer(value->text, value->len) &&
           json_number_compare(value->text, value->len, "0", 1) >= 0;
}

static bool is_positive(const struct json *value) {
    return value->type == JSON_NUMBER && json_number_compare(value->text, value->len, "0", 1) > 0;
}

/* What is wrong with the shape, or NULL. Subschemas are judged when they are visited. */
static const char *expected(enum shape shape, const struct json *value) {
    bool array = value->type == JSON_ARRAY, object = value->type == JSON_OBJECT;
    switch (shape) {
    case SHAPE_COUNT: return is_count(value) ? NULL : "a non-negative integer";
    case SHAPE_NUMBER: return value->type == JSON_NUMBER ? NULL : "a number";
    case SHAPE_POSITIVE: return is_positive(value) ? NULL : "a positive number";
    case SHAPE_LIMIT: return value->type == JSON_NUMBER || is_boolean(value) ? NULL : "a number";
    case SHAPE_STRING: return value->type == JSON_STRING ? NULL : "a string";
    case SHAPE_BOOLEAN: return is_boolean(value) ? NULL : "a boolean";
    case SHAPE_SCHEMA: return object || is_boolean(value) ? NULL : "a schema";
    case SHAPE_ITEMS: return object || array || is_boolean(value) ? NULL : "a schema";
    case SHAPE_MAP:
    case SHAPE_DEPENDENCIES:
    case SHAPE_NAME_MAP: return object ? NULL : "an object";
    case SHAPE_LIST: return array && value->len ? NULL : "a non-empty array of schemas";
    case SHAPE_TYPES: return is_types(value) ? NULL : "a type or an array of types";
    case SHAPE_ARRAY: return array ? NULL : "an array";
    case SHAPE_NAMES: return is_names(value) ? NULL : "an array of strings";
    default: return NULL;
    }
}

static bool check_at(struct schema *schema, const struct json *json, unsigned depth);

static bool check_each(struct schema *schema, const struct json *value, enum shape shape,
                       unsigned depth) {
    for (uint32_t i = 0; i < value->len; i++) {
        const struct json *item = value->items[i];
        bool names = item->type == JSON_ARRAY && shape == SHAPE_DEPENDENCIES;
        if (names || shape == SHAPE_NAME_MAP) {
            if (!is_names(item)) return malformed(schema, item, NULL, "an array of strings");
        } else if (!check_at(schema, item, depth)) {
            return false;
        }
    }
    return true;
}

static bool check_member(struct schema *schema, const struct json *json,
                         const struct schema_member *member, unsigned depth) {
    enum shape shape = shapes[member->keyword];
    const char *wrong = expected(shape, member->value);
    if (wrong) return malformed(schema, json, schema_keyword_name(member->keyword), wrong);
    switch (shape) {
    case SHAPE_SCHEMA: return check_at(schema, member->value, depth + 1);
    case SHAPE_ITEMS:
        if (member->value->type != JSON_ARRAY) return check_at(schema, member->value, depth + 1);
        return check_each(schema, member->value, shape, depth + 1);
    case SHAPE_MAP:
    case SHAPE_LIST:
    case SHAPE_DEPENDENCIES:
    case SHAPE_NAME_MAP: return check_each(schema, member->value, shape, depth + 1);
    default: return true;
    }
}

static bool too_deep(struct schema *schema, const struct json *json) {
    struct error *error = schema->error;
    char path[sizeof error->path];
    if (error->code != ERROR_NONE) return false;
    schema_locate(schema, json, NULL, path, sizeof path);
    error_at(error, ERROR_SCHEMA_UNSUPPORTED, path, "the schema nests deeper than %u",
             schema->options.depth);
    snprintf(error->reason, sizeof error->reason, "too_deep");
    return false;
}

/* A format of which neither the draft that $schema names nor the schema itself says that it is meant
 * as a constraint: since 2019-09 it is an annotation, which admits strings that would never be
 * written here. A type or another demand on strings beside it tells what is meant. */
static bool check_format(struct schema *schema, uint32_t part) {
    static const uint8_t telling[] = {KW_TYPE,       KW_ENUM,       KW_CONST,
                                      KW_MIN_LENGTH, KW_MAX_LENGTH, KW_PATTERN};
    const struct json *name = schema->annotates ? schema_get(schema, part, KW_FORMAT) : NULL;
    if (!name || !schema_format(name, &(uint32_t){0})) return true;
    for (size_t i = 0; i < sizeof telling; i++)
        if (schema_get(schema, part, telling[i])) return true;
    return schema_refuse(schema, part, KW_FORMAT,
                         "an annotation in the draft that $schema names, unless \"type\" is "
                         "\"string\"");
}

static bool check_at(struct schema *schema, const struct json *json, unsigned depth) {
    if (depth > schema->options.depth) return too_deep(schema, json);
    if (json->type != JSON_OBJECT && !is_boolean(json))
        return malformed(schema, json, NULL, "an object or a boolean");
    uint32_t part = schema_part_of(schema, json), outer = schema->resource;
    if (part == RULES_NONE || !schema_enter(schema, part)) return false;
    struct schema_part at = schema->parts[part];
    for (uint32_t i = 0; i < at.n; i++) {
        struct schema_member member = schema->members[at.first + i];
        if (!check_member(schema, json, &member, depth)) return false;
    }
    schema->resource = outer;
    return check_format(schema, part);
}

bool schema_check(struct schema *schema, const struct json *json) {
    return check_at(schema, json, 0);
}
