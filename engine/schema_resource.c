/* Resources: the document and the subschemas with a URI of their own ($id), relative to which the
 * references inside them are read (RFC 3986, section 5). */
#include <stdlib.h>
#include <string.h>

#include "engine/hash.h"
#include "engine/schema_part.h"
#include "engine/vector.h"

enum { MAX_URI = 1024, MAX_RESOURCES = 1024 };

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

/* The slot of a URI, empty if no resource has it. NULL when memory runs out. */
static struct schema_slot *slot_of(struct schema *schema, const char *uri) {
    uint64_t hash = hash_bytes(5, uri, strlen(uri));
    uint32_t probe = 0;
    struct schema_slot *slot;
    do slot = schema_map_slot(&schema->resource_map, hash, &probe);
    while (slot && slot->value != RULES_NONE &&
           strcmp(schema->resources[slot->value].uri, uri) != 0);
    return slot;
}

static bool add(struct schema *schema, const struct json *root, const char *base,
                const struct json *id) {
    char *uri = resolve_uri(base, id ? id->text : "", id ? id->len : 0);
    bool large =
        schema->n_resources >= MAX_RESOURCES || strlen(base) + (id ? id->len : 0) > MAX_URI;
    struct schema_slot *slot = uri && !large ? slot_of(schema, uri) : NULL;
    if (!slot || !vector_reserve((void **)&schema->resources, &schema->cap_resources,
                                 schema->n_resources + 1, sizeof *schema->resources)) {
        free(uri);
        return schema_fail(schema, large ? RULES_TOO_LARGE : RULES_MEMORY);
    }
    if (slot->value == RULES_NONE) slot->value = schema->n_resources; /* else the first has it */
    schema->resource = schema->n_resources;
    schema->resources[schema->n_resources++] = (struct schema_resource){uri, root};
    return true;
}

/* ---- anchors ---- */

static struct schema_slot *anchor_slot(struct schema *schema, uint32_t resource, const char *name,
                                       size_t len) {
    uint64_t hash = hash_bytes(7 + resource, name, len);
    uint32_t probe = 0;
    for (;;) {
        struct schema_slot *slot = schema_map_slot(&schema->anchor_map, hash, &probe);
        if (!slot || slot->value == RULES_NONE) return slot;
        const struct schema_anchor *at = &schema->anchors[slot->value];
        if (at->resource == resource && at->name->len == len &&
            memcmp(at->name->text, name, len) == 0)
            return slot;
    }
}

/* The first of a name counts. */
static bool add_anchor(struct schema *schema, const struct json *json, const struct json *name,
                       size_t skipped) {
    if (!name || name->type != JSON_STRING || name->len <= skipped) return true;
    if (skipped && name->text[0] != '#') return true;
    struct schema_slot *slot =
        anchor_slot(schema, schema->resource, name->text + skipped, name->len - skipped);
    if (!slot || !vector_reserve((void **)&schema->anchors, &schema->cap_anchors,
                                 schema->n_anchors + 1, sizeof *schema->anchors))
        return schema_fail(schema, RULES_MEMORY);
    if (slot->value != RULES_NONE) return true;
    const struct json *plain =
        skipped ? schema_make_string(schema, name->text + 1, name->len - 1) : name;
    if (!plain) return false;
    slot->value = schema->n_anchors;
    schema->anchors[schema->n_anchors++] = (struct schema_anchor){plain, json, schema->resource};
    return true;
}

/* $anchor, or, before 2019, an id that is a fragment. */
static bool add_anchors(struct schema *schema, const struct json *json) {
    return add_anchor(schema, json, json_get(json, "$anchor"), 0) &&
           add_anchor(schema, json, json_get(json, "$dynamicAnchor"), 0) &&
           (!schema->old || (add_anchor(schema, json, json_get(json, "$id"), 1) &&
                             add_anchor(schema, json, json_get(json, "id"), 1)));
}

const struct json *schema_find_anchor(struct schema *schema, uint32_t resource, const char *name,
                                      size_t len) {
    if (schema->n_anchors == 0) return NULL;
    struct schema_slot *slot = anchor_slot(schema, resource, name, len);
    if (!slot) schema_fail(schema, RULES_MEMORY);
    return slot && slot->value != RULES_NONE ? schema->anchors[slot->value].json : NULL;
}

/* ---- entering ---- */

/* The name that a part gives itself; NULL for a fragment, which is an anchor. */
static const struct json *own_id(const struct schema *schema, uint32_t part) {
    const struct json *id = schema_get(schema, part, KW_ID);
    if (!id) id = schema_get(schema, part, KW_ID_OLD);
    return id && id->type == JSON_STRING && id->len && id->text[0] != '#' ? id : NULL;
}

bool schema_enter(struct schema *schema, uint32_t part) {
    const struct json *json = schema->parts[part].json, *id = own_id(schema, part);
    bool entered = schema->parts[part].resource != RULES_NONE, done = true;
    if (schema->n_resources == 0)
        done = add(schema, schema->root, "", json == schema->root ? id : NULL);
    else if (id && json != schema->root && !entered)
        done = add(schema, json, schema->resources[schema->resource].uri, id);
    if (!entered) schema->parts[part].resource = schema->resource;
    schema->resource = schema->parts[part].resource;
    return done && (entered || add_anchors(schema, json));
}

uint32_t schema_find_resource(struct schema *schema, uint32_t part, const char *ref, size_t len) {
    uint32_t own = schema->parts[part].resource;
    if (own == RULES_NONE) own = 0;
    if (len == 0 || ref[0] == '#') return own;
    const char *base = schema->resources[own].uri;
    if (strlen(base) + len > MAX_URI) return RULES_NONE; /* none is called so */
    char *uri = resolve_uri(base, ref, len);
    struct schema_slot *slot = uri ? slot_of(schema, uri) : NULL;
    free(uri);
    if (!slot) schema_fail(schema, RULES_MEMORY);
    return slot ? slot->value : RULES_NONE;
}

void schema_resources_free(struct schema *schema) {
    for (uint32_t i = 0; i < schema->n_resources; i++) free(schema->resources[i].uri);
    free(schema->resources);
    free(schema->anchors);
    free(schema->resource_map.slots);
    free(schema->anchor_map.slots);
}
