#include "engine/schema_part.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "engine/bits.h"
#include "engine/hash.h"
#include "engine/vector.h"

static const char *const names[KW_COUNT] = {
    [KW_ID] = "$id",
    [KW_REF] = "$ref",
    [KW_ANCHOR] = "$anchor",
    [KW_DEFS] = "$defs",
    [KW_DYNAMIC_REF] = "$dynamicRef",
    [KW_RECURSIVE_REF] = "$recursiveRef",
    [KW_SCHEMA] = "$schema",
    [KW_ADDITIONAL_ITEMS] = "additionalItems",
    [KW_ADDITIONAL_PROPERTIES] = "additionalProperties",
    [KW_ALL_OF] = "allOf",
    [KW_ANY_OF] = "anyOf",
    [KW_CONST] = "const",
    [KW_CONTAINS] = "contains",
    [KW_CONTENT_ENCODING] = "contentEncoding",
    [KW_CONTENT_MEDIA_TYPE] = "contentMediaType",
    [KW_DEFINITIONS] = "definitions",
    [KW_DEPENDENCIES] = "dependencies",
    [KW_DEPENDENT_REQUIRED] = "dependentRequired",
    [KW_DEPENDENT_SCHEMAS] = "dependentSchemas",
    [KW_ELSE] = "else",
    [KW_ENUM] = "enum",
    [KW_EXCLUSIVE_MAXIMUM] = "exclusiveMaximum",
    [KW_EXCLUSIVE_MINIMUM] = "exclusiveMinimum",
    [KW_FORMAT] = "format",
    [KW_ID_OLD] = "id",
    [KW_IF] = "if",
    [KW_ITEMS] = "items",
    [KW_MAX_CONTAINS] = "maxContains",
    [KW_MAX_ITEMS] = "maxItems",
    [KW_MAX_LENGTH] = "maxLength",
    [KW_MAX_PROPERTIES] = "maxProperties",
    [KW_MAXIMUM] = "maximum",
    [KW_MIN_CONTAINS] = "minContains",
    [KW_MIN_ITEMS] = "minItems",
    [KW_MIN_LENGTH] = "minLength",
    [KW_MIN_PROPERTIES] = "minProperties",
    [KW_MINIMUM] = "minimum",
    [KW_MULTIPLE_OF] = "multipleOf",
    [KW_NOT] = "not",
    [KW_ONE_OF] = "oneOf",
    [KW_PATTERN] = "pattern",
    [KW_PATTERN_PROPERTIES] = "patternProperties",
    [KW_PREFIX_ITEMS] = "prefixItems",
    [KW_PROPERTIES] = "properties",
    [KW_PROPERTY_NAMES] = "propertyNames",
    [KW_REQUIRED] = "required",
    [KW_THEN] = "then",
    [KW_TYPE] = "type",
    [KW_UNEVALUATED_ITEMS] = "unevaluatedItems",
    [KW_UNEVALUATED_PROPERTIES] = "unevaluatedProperties",
    [KW_UNIQUE_ITEMS] = "uniqueItems",
    [KW_NOT_PATTERN] = "\1pattern",
    [KW_GUARD] = "\1not",
};

const char *schema_keyword_name(enum schema_keyword keyword) {
    return names[keyword];
}

/* The keywords that begin with a letter stand together, but for the made up ones. */
static const struct {
    uint8_t from, to;
} initials[128] = {
    ['$'] = {KW_ID, KW_SCHEMA},
    ['a'] = {KW_ADDITIONAL_ITEMS, KW_ANY_OF},
    ['c'] = {KW_CONST, KW_CONTENT_MEDIA_TYPE},
    ['d'] = {KW_DEFINITIONS, KW_DEPENDENT_SCHEMAS},
    ['e'] = {KW_ELSE, KW_EXCLUSIVE_MINIMUM},
    ['f'] = {KW_FORMAT, KW_FORMAT},
    ['i'] = {KW_ID_OLD, KW_ITEMS},
    ['m'] = {KW_MAX_CONTAINS, KW_MULTIPLE_OF},
    ['n'] = {KW_NOT, KW_NOT},
    ['o'] = {KW_ONE_OF, KW_ONE_OF},
    ['p'] = {KW_PATTERN, KW_PROPERTY_NAMES},
    ['r'] = {KW_REQUIRED, KW_REQUIRED},
    ['t'] = {KW_THEN, KW_TYPE},
    ['u'] = {KW_UNEVALUATED_ITEMS, KW_UNIQUE_ITEMS},
    ['\1'] = {KW_NOT_PATTERN, KW_GUARD},
};

enum schema_keyword schema_keyword_find(const char *text, uint32_t len) {
    if (len < 2 || (unsigned char)text[0] >= 128) return KW_COUNT;
    for (unsigned i = initials[(int)text[0]].from; i <= initials[(int)text[0]].to; i++)
        if (strlen(names[i]) == len && memcmp(names[i], text, len) == 0)
            return (enum schema_keyword)i;
    return KW_COUNT;
}

/* ---- errors ---- */

/* The pointer of `wanted` inside `value`, appended to path. Only on the way to an error. */
static bool locate(const struct json *value, const struct json *wanted, char *path, size_t size) {
    size_t len = strlen(path);
    if (value == wanted) return true;
    for (uint32_t i = 0; i < value->len && value->type >= JSON_ARRAY; i++) {
        if (value->type == JSON_ARRAY)
            snprintf(path + len, size - len, "/%u", i);
        else {
            const struct json_key *key = &value->keys[i];
            size_t at = len;
            if (at + 1 < size) path[at++] = '/';
            for (uint32_t k = 0; k < key->len && at + 3 < size; k++) {
                bool escape = key->text[k] == '~' || key->text[k] == '/';
                if (escape) path[at++] = '~';
                path[at++] = !escape ? key->text[k] : key->text[k] == '~' ? '0' : '1';
            }
            path[at] = '\0';
        }
        if (locate(value->items[i], wanted, path, size)) return true;
    }
    path[len] = '\0';
    return false;
}

void schema_locate(const struct schema *schema, const struct json *json, const char *keyword,
                   char *path, size_t size) {
    snprintf(path, size, "%.200s", schema->options.place);
    if (schema->root) locate(schema->root, json, path, size);
    size_t len = strlen(path);
    if (keyword && len < size) snprintf(path + len, size - len, "/%s", keyword);
    path[utf8_valid_prefix(path, strlen(path))] = '\0';
}

bool schema_refuse(struct schema *schema, uint32_t part, enum schema_keyword keyword,
                   const char *reason) {
    struct error *error = schema->error;
    char path[sizeof error->path];
    if (error->code != ERROR_NONE) return false;
    schema_locate(schema, schema->parts[part].json, names[keyword], path, sizeof path);
    error_at(error, ERROR_SCHEMA_UNSUPPORTED, path, "%s: %s", names[keyword], reason);
    snprintf(error->keyword, sizeof error->keyword, "%s", names[keyword]);
    snprintf(error->reason, sizeof error->reason, "%s", reason);
    return false;
}

bool schema_fail(struct schema *schema, enum rules_status status) {
    struct error *error = schema->error;
    if (status == RULES_MEMORY) return error_set(error, ERROR_OUT_OF_MEMORY, "compiling a schema");
    schema->too_large |= error->code == ERROR_NONE;
    if (error->code == ERROR_NONE) snprintf(error->reason, sizeof error->reason, "too_complex");
    return error_at(error, ERROR_SCHEMA_UNSUPPORTED, schema->options.place,
                    "the schema has too many alternatives or parts");
}

/* ---- parts ---- */

static uint8_t type_bits(const struct json *name) {
    static const struct {
        const char *name;
        uint8_t bits;
    } types[] = {{"string", TYPE_STRING},   {"object", TYPE_OBJECT},
                 {"integer", TYPE_INTEGER}, {"number", TYPE_INTEGER | TYPE_NUMBER},
                 {"boolean", TYPE_BOOLEAN}, {"array", TYPE_ARRAY},
                 {"null", TYPE_NULL}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (json_is_string(name, types[i].name)) return types[i].bits;
    if (!name->raw && json_is_string(name, SCHEMA_FRACTION)) return TYPE_NUMBER;
    return 0;
}

static uint8_t types_of(const struct json *type) {
    uint8_t bits = 0;
    if (!type) return TYPE_ALL;
    if (type->type == JSON_STRING) return type_bits(type);
    if (type->type != JSON_ARRAY) return 0;
    for (uint32_t i = 0; i < type->len; i++) bits |= type_bits(type->items[i]);
    return bits;
}

/* Was the keyword there in this draft, of 4 to 7? */
static bool known_by(unsigned draft, enum schema_keyword keyword) {
    switch (keyword) {
    case KW_CONST:
    case KW_CONTAINS:
    case KW_PROPERTY_NAMES: return draft >= 6;
    case KW_IF:
    case KW_THEN:
    case KW_ELSE: return draft >= 7;
    default: return true;
    }
}

/* Does this keyword mean anything in the schema's dialect, beside its siblings? `referring`: one of
 * them is $ref. */
static bool effective(const struct schema *schema, const struct json *json, bool referring,
                      enum schema_keyword keyword) {
    if (keyword == KW_ADDITIONAL_ITEMS) { /* beside an array of items only, in any draft */
        const struct json *items = json_get(json, "items");
        if (!items || items->type != JSON_ARRAY) return false;
    }
    if (keyword == KW_CONTENT_ENCODING || keyword == KW_CONTENT_MEDIA_TYPE)
        return schema->contents && !(schema->old && json_get(json, "$ref"));
    if (!schema->old) return keyword != KW_ID_OLD;
    if (json->raw && !known_by(schema->draft, keyword)) return false; /* what is made up is newer */
    switch (keyword) {
    case KW_PREFIX_ITEMS:
    case KW_DEPENDENT_REQUIRED:
    case KW_DEPENDENT_SCHEMAS:
    case KW_UNEVALUATED_ITEMS:
    case KW_UNEVALUATED_PROPERTIES:
    case KW_MIN_CONTAINS:
    case KW_MAX_CONTAINS: return false;
    case KW_REF:
    case KW_DEFINITIONS:
    case KW_DEFS: return true;
    default: return !referring;
    }
}

static uint32_t rank_of(const struct schema_part *part, uint32_t keyword) {
    return bits_count(part->present & ((1ull << keyword) - 1));
}

static bool read_members(struct schema *schema, struct schema_part *part) {
    const struct json *json = part->json;
    if (!vector_reserve((void **)&schema->members, &schema->cap_members,
                        schema->n_members + json->len, sizeof *schema->members))
        return schema_fail(schema, RULES_MEMORY);
    part->first = schema->n_members;
    bool referring = schema->old && json_get(json, "$ref");
    for (uint32_t i = 0; i < json->len; i++) {
        enum schema_keyword keyword = schema_keyword_find(json->keys[i].text, json->keys[i].len);
        if (keyword == KW_COUNT || !effective(schema, json, referring, keyword)) continue;
        if (keyword >= KW_NOT_PATTERN && json->raw) continue; /* no keyword of a document */
        schema->members[schema->n_members++] =
            (struct schema_member){.keyword = (uint16_t)keyword, .value = json->items[i]};
        part->present |= 1ull << keyword;
        schema->unique |= keyword == KW_UNIQUE_ITEMS;
    }
    part->n = schema->n_members - part->first;
    for (uint32_t i = part->n; i-- > 0;) { /* of equal ones the first */
        struct schema_member *members = schema->members + part->first;
        members[rank_of(part, members[i].keyword)].ranked = members[i].value;
    }
    return true;
}

static uint32_t add_part(struct schema *schema, const struct json *json) {
    struct schema_part part = {
        .json = json, .types = TYPE_ALL, .target = RULES_NONE, .resource = RULES_NONE};
    if (!vector_reserve((void **)&schema->parts, &schema->cap_parts, schema->n_parts + 1,
                        sizeof *schema->parts))
        return schema_fail(schema, RULES_MEMORY), RULES_NONE;
    if (json->type == JSON_OBJECT && !read_members(schema, &part)) return RULES_NONE;
    if (json->type != JSON_OBJECT && json->type != JSON_TRUE) part.types = 0;
    uint32_t added = schema->n_parts++;
    schema->parts[added] = part;
    const struct json *type = schema_get(schema, added, KW_TYPE);
    if (type) schema->parts[added].types = types_of(type);
    return added;
}

/* Those of the document carry their number. */
static uint32_t part_marked(struct schema *schema, const struct json *json) {
    uint32_t part = add_part(schema, json);
    if (part != RULES_NONE) ((struct json *)json)->mark = part + 1; /* the document is its own */
    return part;
}

uint32_t schema_part_of(struct schema *schema, const struct json *json) {
    if (json->mark) return json->mark - 1;
    if (json->raw) return part_marked(schema, json);
    uint64_t hash = hash_mix(1, (uint64_t)(uintptr_t)json); /* different for every address */
    uint32_t probe = 0;
    struct schema_slot *slot;
    do {
        slot = schema_map_slot(&schema->part_map, hash, &probe);
        if (!slot) return schema_fail(schema, RULES_MEMORY), RULES_NONE;
    } while (slot->value != RULES_NONE && slot->hash != hash);
    if (slot->value != RULES_NONE) return slot->value;
    slot->value = add_part(schema, json);
    return slot->value;
}

const struct json *schema_value(const struct schema *schema, const struct schema_part *part,
                                enum schema_keyword keyword) {
    return schema->members[part->first + rank_of(part, keyword)].ranked;
}
