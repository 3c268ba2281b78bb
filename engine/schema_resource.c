/* Resources: the document and the subschemas with a URI of their own ($id), relative to which the
 * references inside them are read (RFC 3986, section 5). */
#include <stdlib.h>
#include <string.h>

#include "engine/schema_part.h"
#include "engine/vector.h"

enum { MAX_URI = 2048, MAX_RESOURCES = 1024 };

/* ---- URIs ---- */

static size_t scheme_length(const char *text, size_t len) {
    size_t n = 0;
    while (n < len && ((text[n] | 0x20) >= 'a' && (text[n] | 0x20) <= 'z')) n++;
    if (n == 0) return 0;
    while (n < len && (((text[n] | 0x20) >= 'a' && (text[n] | 0x20) <= 'z') ||
                       (text[n] >= '0' && text[n] <= '9') || (text[n] && strchr("+-.", text[n]))))
        n++;
    return n < len && text[n] == ':' ? n + 1 : 0;
}

/* Up to where the path begins: scheme and authority. */
static size_t path_begin(const char *text, size_t len) {
    size_t n = scheme_length(text, len);
    if (len - n < 2 || text[n] != '/' || text[n + 1] != '/') return n;
    for (n += 2; n < len && text[n] != '/' && text[n] != '?';) n++;
    return n;
}

/* Takes the steps . and .. out of a path, in place. */
static size_t remove_dots(char *path, size_t len) {
    size_t n = 0;
    if (len == 0 || path[0] != '/') return len;
    for (size_t at = 0; at < len;) {
        const char *end = memchr(path + at + 1, '/', len - at - 1);
        size_t step = end ? (size_t)(end - path) - at : len - at; /* with the slash before it */
        bool one = step == 2 && path[at + 1] == '.';
        bool two = step == 3 && path[at + 1] == '.' && path[at + 2] == '.';
        if (two)
            while (n > 0 && path[--n] != '/') {
            }
        if ((one || two) && !end)
            path[n++] = '/';
        else if (!one && !two) {
            memmove(path + n, path + at, step);
            n += step;
        }
        at += step;
    }
    return n;
}

/* The part of the base that a reference is put after. */
static size_t kept_of_base(const char *base, const char *ref, size_t len) {
    size_t all = strlen(base), begin = path_begin(base, all), n = strcspn(base, "?");
    if (len == 0) return all;
    if (len >= 2 && ref[0] == '/' && ref[1] == '/') return scheme_length(base, all);
    if (ref[0] == '/') return begin;
    if (ref[0] == '?') return n;
    while (n > begin && base[n - 1] != '/') n--;
    return n;
}

/* The absolute URI of a reference, without its fragment; NULL: no memory, or too long. */
static char *resolve_uri(const char *base, const char *ref, size_t len) {
    const char *fragment = memchr(ref, '#', len);
    if (fragment) len = (size_t)(fragment - ref);
    size_t kept = scheme_length(ref, len) ? 0 : kept_of_base(base, ref, len);
    if (len + kept > MAX_URI) return NULL;
    char *uri = malloc(kept + len + 2);
    if (!uri) return NULL;
    memcpy(uri, base, kept);
    size_t n = kept, begin = path_begin(base, kept);
    if (kept && kept == begin && len && ref[0] != '/' && ref[0] != '?' && strstr(base, "//"))
        uri[n++] = '/';
    memcpy(uri + n, ref, len);
    n += len;
    begin = path_begin(uri, n);
    n = begin + remove_dots(uri + begin, n - begin);
    uri[n] = '\0';
    return uri;
}

/* ---- resources ---- */

static uint32_t find(const struct schema *schema, const char *uri) {
    for (uint32_t i = 0; i < schema->n_resources; i++)
        if (strcmp(schema->resources[i].uri, uri) == 0) return i;
    return RULES_NONE;
}

static bool add(struct schema *schema, const struct json *root, const char *base,
                const struct json *id) {
    char *uri = resolve_uri(base, id ? id->text : "", id ? id->len : 0);
    bool large = schema->n_resources >= MAX_RESOURCES || strlen(base) + (id ? id->len : 0) > MAX_URI;
    if (!uri || large ||
        !vector_reserve((void **)&schema->resources, &schema->cap_resources,
                        schema->n_resources + 1, sizeof *schema->resources)) {
        free(uri);
        return schema_fail(schema, large ? RULES_TOO_LARGE : RULES_MEMORY);
    }
    schema->resource = schema->n_resources;
    schema->resources[schema->n_resources++] = (struct schema_resource){uri, root};
    return true;
}

/* The name that a part gives itself; NULL for a fragment, which is an anchor. */
static const struct json *own_id(const struct schema *schema, uint32_t part) {
    const struct json *id = schema_get(schema, part, KW_ID);
    if (!id) id = schema_get(schema, part, KW_ID_OLD);
    return id && id->type == JSON_STRING && id->len && id->text[0] != '#' ? id : NULL;
}

bool schema_enter(struct schema *schema, uint32_t part) {
    const struct json *json = schema->parts[part].json, *id = own_id(schema, part);
    bool done = true;
    if (schema->n_resources == 0)
        done = add(schema, schema->root, "", json == schema->root ? id : NULL);
    else if (id && json != schema->root && schema->parts[part].resource == RULES_NONE)
        done = add(schema, json, schema->resources[schema->resource].uri, id);
    if (schema->parts[part].resource == RULES_NONE) schema->parts[part].resource = schema->resource;
    schema->resource = schema->parts[part].resource;
    return done;
}

uint32_t schema_find_resource(struct schema *schema, uint32_t part, const char *ref, size_t len) {
    uint32_t own = schema->parts[part].resource;
    if (own == RULES_NONE) own = 0;
    if (len == 0 || ref[0] == '#') return own;
    char *uri = resolve_uri(schema->resources[own].uri, ref, len);
    uint32_t found = uri ? find(schema, uri) : RULES_NONE;
    free(uri);
    return found;
}

void schema_resources_free(struct schema *schema) {
    for (uint32_t i = 0; i < schema->n_resources; i++) free(schema->resources[i].uri);
    free(schema->resources);
}
