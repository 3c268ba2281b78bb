/* Where $ref leads: "#", a JSON pointer, or an $anchor, all inside the document. */
#include <stdlib.h>
#include <string.h>

#include "engine/schema_part.h"

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Undoes %XX of a URI fragment. */
static size_t unescape_uri(char *out, const char *text, size_t len) {
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        bool escaped =
            text[i] == '%' && i + 2 < len && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0;
        out[n++] = escaped ? (char)(hex(text[i + 1]) * 16 + hex(text[i + 2])) : text[i];
        if (escaped) i += 2;
    }
    return n;
}

/* Undoes ~0 and ~1 of a pointer's step, in place. */
static size_t unescape_step(char *text, size_t len) {
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        bool escaped = text[i] == '~' && i + 1 < len && (text[i + 1] == '0' || text[i + 1] == '1');
        text[n++] = !escaped ? text[i] : text[i + 1] == '0' ? '~' : '/';
        i += escaped;
    }
    return n;
}

static const struct json *array_step(const struct json *array, const char *text, size_t len) {
    uint32_t index = 0;
    if (len == 0 || len > 6 || (text[0] == '0' && len > 1)) return NULL;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') return NULL;
        index = index * 10 + (uint32_t)(text[i] - '0');
    }
    return index < array->len ? array->items[index] : NULL;
}

static const struct json *follow_pointer(const struct json *at, char *text, size_t len) {
    while (at && len) { /* text begins with '/' */
        char *step = text + 1, *end = memchr(step, '/', len - 1);
        size_t step_len = end ? (size_t)(end - step) : len - 1;
        size_t n = unescape_step(step, step_len);
        if (at->type == JSON_ARRAY)
            at = array_step(at, step, n);
        else
            at = json_get_n(at, step, n);
        text += step_len + 1;
        len -= step_len + 1;
    }
    return at;
}

/* Where a resource does not hold what a pointer names, the document may: an id is often put beside
 * schemas that go on pointing from its top. */
static const struct json *find_fragment(struct schema *schema, uint32_t resource, const char *text,
                                        size_t len) {
    char *copy = malloc(len + 1);
    if (!copy) return schema_fail(schema, RULES_MEMORY), NULL;
    size_t n = unescape_uri(copy, text, len);
    const struct json *found = schema->resources[resource].root;
    if (n && copy[0] == '/') {
        found = follow_pointer(found, copy, n);
        n = unescape_uri(copy, text, len);
        if (!found && resource) found = follow_pointer(schema->root, copy, n);
    } else if (n) {
        found = schema_find_anchor(schema, resource, copy, n);
    }
    free(copy);
    return found;
}

static const struct json *refuse(struct schema *schema, uint32_t part, const char *reason) {
    schema_refuse(schema, part, KW_REF, reason);
    return NULL;
}

static const struct json *find_target(struct schema *schema, uint32_t part, uint32_t *resource) {
    const struct json *ref = schema_get(schema, part, KW_REF);
    const char *fragment = memchr(ref->text, '#', ref->len);
    *resource = schema_find_resource(schema, part, ref->text, ref->len);
    if (*resource == RULES_NONE) return refuse(schema, part, "only references inside the schema");
    size_t before = fragment ? (size_t)(fragment - ref->text) + 1 : ref->len;
    const struct json *found =
        find_fragment(schema, *resource, ref->text + before, ref->len - before);
    if (!found) return refuse(schema, part, "unresolved reference");
    if (found->type != JSON_OBJECT && found->type != JSON_TRUE && found->type != JSON_FALSE)
        return refuse(schema, part, "does not lead to a schema");
    return found;
}

/* What stands where no subschema is expected is checked only now. */
uint32_t schema_resolve(struct schema *schema, uint32_t part) {
    uint32_t resource, known = schema->n_parts;
    if (schema->parts[part].target != RULES_NONE) return schema->parts[part].target;
    const struct json *found = find_target(schema, part, &resource);
    if (!found) return RULES_NONE;
    uint32_t target = schema_part_of(schema, found);
    schema->resource = resource;
    if (target == RULES_NONE || (target >= known && !schema_check(schema, found)))
        return RULES_NONE;
    return schema->parts[part].target = target;
}
