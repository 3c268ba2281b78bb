#include "proto/shape.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/pattern.h"

/* One value on its way through one schema. */
struct checking {
    const json_t *schema, *value, *components;
    const struct path *path;
    struct error *error;
};

static bool check(const json_t *schema, const json_t *value, const struct checking *up,
                  const struct path *path, struct error *error) {
    return shape_check(schema, value, up->components, path, error);
}

/* ---- references and types ---- */

static const json_t *resolve(const json_t *schema, const json_t *components) {
    static const char prefix[] = "#/components/schemas/";
    const char *ref;
    for (int hops = 0; hops < 8; hops++) {
        if (!(ref = json_string_value(json_object_get(schema, "$ref")))) return schema;
        if (strncmp(ref, prefix, sizeof prefix - 1) != 0) return NULL;
        schema = json_object_get(components, ref + sizeof prefix - 1);
    }
    return NULL;
}

static bool is_type(const json_t *value, const char *type) {
    int64_t whole;
    if (strcmp(type, "integer") == 0) return json_whole(value, &whole);
    if (strcmp(type, "string") == 0) return json_is_string(value);
    if (strcmp(type, "number") == 0) return json_is_number(value);
    if (strcmp(type, "boolean") == 0) return json_is_boolean(value);
    if (strcmp(type, "array") == 0) return json_is_array(value);
    if (strcmp(type, "object") == 0) return json_is_object(value);
    return strcmp(type, "null") == 0 && json_is_null(value);
}

static bool fits_type(const json_t *value, const json_t *type) {
    size_t i;
    const json_t *one;
    if (json_is_string(type)) return is_type(value, json_string_value(type));
    json_array_foreach(type, i, one) if (is_type(value, json_string_value(one))) return true;
    return false;
}

/* Appends "string or null" to what is expected. */
static void type_names(char *out, size_t size, const json_t *type) {
    size_t n = json_is_array(type) ? json_array_size(type) : 1;
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_is_array(type) ? json_array_get(type, i) : type;
        size_t used = strlen(out);
        const char *name = json_string_value(one), *last = strrchr(out, ' ');
        if (!name || (used && strcmp(last ? last + 1 : out, name) == 0)) continue;
        snprintf(out + used, size - used, "%s%s", used ? " or " : "", name);
    }
}

static bool check_type(const struct checking *c, const json_t *type) {
    if (fits_type(c->value, type)) return true;
    char names[96] = "";
    type_names(names, sizeof names, type);
    return path_error(c->error, c->path, "expected %s", names);
}

static bool check_ref(const struct checking *c, const json_t *ref) {
    (void)ref;
    const json_t *target = resolve(c->schema, c->components);
    if (!target) return error_set(c->error, ERROR_INTERNAL, "broken reference in a method file");
    return check(target, c->value, c, c->path, c->error);
}

/* ---- numbers, strings, fixed values ---- */

static bool check_minimum(const struct checking *c, const json_t *limit) {
    if (!json_is_number(c->value) || json_number_value(c->value) >= json_number_value(limit))
        return true;
    return path_error(c->error, c->path, "expected at least %.16g", json_number_value(limit));
}

static bool check_maximum(const struct checking *c, const json_t *limit) {
    if (!json_is_number(c->value) || json_number_value(c->value) <= json_number_value(limit))
        return true;
    return path_error(c->error, c->path, "expected at most %.16g", json_number_value(limit));
}

static bool check_above(const struct checking *c, const json_t *limit) {
    if (!json_is_number(c->value) || json_number_value(c->value) > json_number_value(limit))
        return true;
    return path_error(c->error, c->path, "expected more than %.16g", json_number_value(limit));
}

static bool check_below(const struct checking *c, const json_t *limit) {
    if (!json_is_number(c->value) || json_number_value(c->value) < json_number_value(limit))
        return true;
    return path_error(c->error, c->path, "expected less than %.16g", json_number_value(limit));
}

static size_t characters(struct text text) {
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) n += ((unsigned char)text.bytes[i] & 0xC0) != 0x80;
    return n;
}

static bool check_min_length(const struct checking *c, const json_t *limit) {
    if (!json_is_string(c->value)) return true;
    if ((json_int_t)characters(json_text(c->value)) >= json_integer_value(limit)) return true;
    if (json_integer_value(limit) == 1) return path_error(c->error, c->path, "is empty");
    return path_error(c->error, c->path, "expected at least %lld characters",
                      (long long)json_integer_value(limit));
}

static bool check_max_length(const struct checking *c, const json_t *limit) {
    if (!json_is_string(c->value)) return true;
    if ((json_int_t)characters(json_text(c->value)) <= json_integer_value(limit)) return true;
    return path_error(c->error, c->path, "expected at most %lld characters",
                      (long long)json_integer_value(limit));
}

static bool check_pattern(const struct checking *c, const json_t *pattern) {
    if (!json_is_string(c->value)) return true;
    if (pattern_match(json_string_value(pattern), json_text(c->value))) return true;
    return path_error(c->error, c->path, "expected a match of %s", json_string_value(pattern));
}

static bool check_enum(const struct checking *c, const json_t *values) {
    size_t i;
    const json_t *value;
    char names[160] = "";
    json_array_foreach(values, i, value) {
        if (json_equal(value, c->value)) return true;
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s\"%s\"", used ? ", " : "",
                 json_is_string(value) ? json_string_value(value) : "?");
    }
    return path_error(c->error, c->path, "expected one of %s", names);
}

static bool check_const(const struct checking *c, const json_t *value) {
    if (json_equal(value, c->value)) return true;
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    path_error(c->error, c->path, "expected %s", text ? text : "another value");
    free(text);
    return false;
}

/* ---- arrays and objects ---- */

static bool check_items(const struct checking *c, const json_t *schema) {
    size_t i;
    const json_t *item;
    if (!json_is_array(c->value)) return true;
    json_array_foreach(c->value, i, item) if (!check(schema, item, c, PATH_ITEM(c->path, i),
                                                     c->error)) return false;
    return true;
}

static bool check_min_items(const struct checking *c, const json_t *limit) {
    if (!json_is_array(c->value)) return true;
    if ((json_int_t)json_array_size(c->value) >= json_integer_value(limit)) return true;
    if (json_integer_value(limit) == 1) return path_error(c->error, c->path, "is empty");
    return path_error(c->error, c->path, "expected at least %lld items",
                      (long long)json_integer_value(limit));
}

static bool check_max_items(const struct checking *c, const json_t *limit) {
    if (!json_is_array(c->value)) return true;
    if ((json_int_t)json_array_size(c->value) <= json_integer_value(limit)) return true;
    return path_error(c->error, c->path, "expected at most %lld items",
                      (long long)json_integer_value(limit));
}

static bool check_required(const struct checking *c, const json_t *names) {
    size_t i;
    const json_t *name;
    if (!json_is_object(c->value)) return true;
    json_array_foreach(names, i, name) {
        const char *member = json_string_value(name);
        if (!json_object_get(c->value, member))
            return path_error(c->error, PATH_MEMBER(c->path, member), "is required");
    }
    return true;
}

static bool check_properties(const struct checking *c, const json_t *properties) {
    const char *name;
    const json_t *schema;
    if (!json_is_object(c->value)) return true;
    json_object_foreach((json_t *)properties, name, schema) {
        const json_t *member = json_object_get(c->value, name);
        if (member && !check(schema, member, c, PATH_MEMBER(c->path, name), c->error)) return false;
    }
    return true;
}

static bool check_additional(const struct checking *c, const json_t *schema) {
    const char *name;
    const json_t *member, *properties = json_object_get(c->schema, "properties");
    if (!json_is_object(c->value)) return true;
    json_object_foreach((json_t *)c->value, name, member) {
        if (json_object_get(properties, name)) continue;
        const struct path *at = PATH_MEMBER(c->path, name);
        if (json_is_false(schema)) return path_error(c->error, at, "unknown member");
        if (!check(schema, member, c, at, c->error)) return false;
    }
    return true;
}

static bool check_max_properties(const struct checking *c, const json_t *limit) {
    if ((json_int_t)json_object_size(c->value) <= json_integer_value(limit)) return true;
    return path_error(c->error, c->path, "expected at most %lld members",
                      (long long)json_integer_value(limit));
}

/* ---- alternatives ---- */

/* The error of an alternative whose type fits says more than "none fits". */
static bool check_any_of(const struct checking *c, const json_t *branches) {
    size_t i;
    const json_t *branch, *fitting = NULL, *needs = NULL;
    char names[128] = "";
    json_array_foreach(branches, i, branch) {
        struct error scratch = {0};
        if (check(branch, c->value, c, c->path, &scratch)) return true;
        const json_t *type = json_object_get(resolve(branch, c->components), "type");
        if (!fitting && type && fits_type(c->value, type)) fitting = branch;
        if (!type) needs = needs ? needs : json_object_get(branch, "required");
        type_names(names, sizeof names, type ? type : json_object_get(branch, "required"));
    }
    if (fitting) return check(fitting, c->value, c, c->path, c->error);
    if (needs) {
        const char *first = json_string_value(json_array_get(needs, 0));
        return path_error(c->error, PATH_MEMBER(c->path, first), "%s is required", names);
    }
    return path_error(c->error, c->path, "expected %s", names);
}

static bool check_if(const struct checking *c, const json_t *condition) {
    struct error scratch = {0};
    bool holds = check(condition, c->value, c, c->path, &scratch);
    const json_t *then = json_object_get(c->schema, holds ? "then" : "else");
    return !then || check(then, c->value, c, c->path, c->error);
}

/* ---- the table ---- */

enum inside { PLAIN, SCHEMA, SCHEMAS, LIST }; /* what a keyword's argument holds */

static const struct keyword {
    const char *name;
    bool (*check)(const struct checking *c, const json_t *argument); /* NULL: an annotation */
    enum inside inside;
} keywords[] = {
    {"type", check_type, PLAIN},
    {"$ref", check_ref, PLAIN},
    {"minimum", check_minimum, PLAIN},
    {"maximum", check_maximum, PLAIN},
    {"exclusiveMinimum", check_above, PLAIN},
    {"exclusiveMaximum", check_below, PLAIN},
    {"minLength", check_min_length, PLAIN},
    {"maxLength", check_max_length, PLAIN},
    {"pattern", check_pattern, PLAIN},
    {"enum", check_enum, PLAIN},
    {"const", check_const, PLAIN},
    {"minItems", check_min_items, PLAIN},
    {"maxItems", check_max_items, PLAIN},
    {"items", check_items, SCHEMA},
    {"additionalProperties", check_additional, SCHEMA},
    {"required", check_required, PLAIN},
    {"properties", check_properties, SCHEMAS},
    {"maxProperties", check_max_properties, PLAIN},
    {"anyOf", check_any_of, LIST},
    {"if", check_if, SCHEMA},
    {"then", NULL, SCHEMA},
    {"else", NULL, SCHEMA},
    {"description", NULL, PLAIN},
    {"default", NULL, PLAIN},
};

static const struct keyword *keyword_find(const char *name) {
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (strcmp(keywords[i].name, name) == 0) return &keywords[i];
    return NULL;
}

bool shape_check(const json_t *schema, const json_t *value, const json_t *components,
                  const struct path *path, struct error *error) {
    const struct checking c = {schema, value, components, path, error};
    const char *name;
    const json_t *argument;
    if (json_is_boolean(schema))
        return json_is_true(schema) || path_error(error, path, "unknown member");
    json_object_foreach((json_t *)schema, name, argument) {
        const struct keyword *keyword = keyword_find(name);
        if (keyword && keyword->check && !keyword->check(&c, argument)) return false;
    }
    return true;
}

static bool known_inside(enum inside inside, const json_t *argument, const json_t *components,
                         struct error *error) {
    const char *name;
    const json_t *schema;
    size_t i;
    if (inside == SCHEMA) return shape_known(argument, components, error);
    if (inside == SCHEMAS)
        json_object_foreach((json_t *)argument, name,
                            schema) if (!shape_known(schema, components, error)) return false;
    if (inside == LIST)
        json_array_foreach(argument, i,
                           schema) if (!shape_known(schema, components, error)) return false;
    return true;
}

bool shape_known(const json_t *schema, const json_t *components, struct error *error) {
    const char *name;
    const json_t *argument;
    if (json_is_boolean(schema)) return true;
    if (!json_is_object(schema)) return error_set(error, ERROR_INTERNAL, "a schema is no object");
    if (!resolve(schema, components)) return error_set(error, ERROR_INTERNAL, "a broken $ref");
    json_object_foreach((json_t *)schema, name, argument) {
        const struct keyword *keyword = keyword_find(name);
        if (!keyword) return error_set(error, ERROR_INTERNAL, "unknown keyword %s", name);
        if (keyword->check == check_pattern && !pattern_known(json_string_value(argument)))
            return error_set(error, ERROR_INTERNAL, "a pattern beyond pattern.h");
        if (!known_inside(keyword->inside, argument, components, error)) return false;
    }
    return true;
}
