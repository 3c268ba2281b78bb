#include "engine/validate_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- URI references (RFC 3986) ---- */

struct part {
    const char *text;
    size_t len;
    bool present;
};

struct uri {
    struct part scheme, authority, path, query;
};

static size_t until(const char *text, size_t len, const char *stops) {
    size_t n = 0;
    while (n < len && !strchr(stops, text[n])) n++;
    return n;
}

static size_t scheme_length(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        bool other = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
        if (c == ':') return i;
        if (!letter && !(i && other)) return 0;
    }
    return 0;
}

static struct uri uri_split(const char *text, size_t len) {
    struct uri uri = {0};
    len = until(text, len, "#");
    size_t n = scheme_length(text, len);
    if (n) {
        uri.scheme = (struct part){text, n, true};
        text += n + 1, len -= n + 1;
    }
    if (len >= 2 && text[0] == '/' && text[1] == '/') {
        n = until(text + 2, len - 2, "/?");
        uri.authority = (struct part){text + 2, n, true};
        text += n + 2, len -= n + 2;
    }
    n = until(text, len, "?");
    uri.path = (struct part){text, n, true};
    if (n < len) uri.query = (struct part){text + n + 1, len - n - 1, true};
    return uri;
}

/* Removes . and .. segments in place (5.2.4). */
static size_t remove_dots(char *path, size_t len) {
    size_t out = 0, at = 0;
    while (at < len) {
        size_t n = path[at] == '/' ? 1 : 0;
        while (at + n < len && path[at + n] != '/') n++;
        size_t name = path[at] == '/' ? at + 1 : at, name_len = at + n - name;
        bool dot = name_len == 1 && path[name] == '.';
        bool dots = name_len == 2 && path[name] == '.' && path[name + 1] == '.';
        if (dots)
            while (out > 0 && path[--out] != '/') {
            }
        if (dot || dots) {
            if (at + n == len) path[out++] = '/';
        } else {
            memmove(path + out, path + at, n);
            out += n;
        }
        at += n;
    }
    return out;
}

static size_t put(char *out, size_t at, const char *before, struct part part, const char *after) {
    if (!part.present) return at;
    at += (size_t)sprintf(out + at, "%s", before);
    if (part.len) memcpy(out + at, part.text, part.len);
    at += part.len;
    return at + (size_t)sprintf(out + at, "%s", after);
}

/* The base's path up to its last slash, before the reference's (5.2.3). */
static struct part merge_base(const struct uri *base) {
    struct part path = base->path;
    if (base->authority.present && path.len == 0) return (struct part){"/", 1, true};
    while (path.len > 0 && path.text[path.len - 1] != '/') path.len--;
    return path;
}

char *validate_uri(struct arena **arena, const char *base_text, const char *reference, size_t len) {
    struct uri base = uri_split(base_text, strlen(base_text)), ref = uri_split(reference, len);
    struct part merged = {"", 0, true};
    if (!ref.scheme.present && !ref.authority.present) {
        if (ref.path.len == 0 && !ref.query.present) ref.query = base.query;
        if (ref.path.len == 0)
            ref.path = base.path;
        else if (ref.path.text[0] != '/')
            merged = merge_base(&base);
        ref.authority = base.authority;
    }
    if (!ref.scheme.present) ref.scheme = base.scheme;
    char *out = validate_take(arena, strlen(base_text) + len + 8);
    if (!out) return NULL;
    size_t at = put(out, 0, "", ref.scheme, ":");
    at = put(out, at, "//", ref.authority, "");
    size_t path = at;
    at = put(out, at, "", merged, "");
    at = put(out, at, "", ref.path, "");
    at = path + remove_dots(out + path, at - path);
    at = put(out, at, "?", ref.query, "");
    out[at] = 0;
    return out;
}

/* ---- Drafts ---- */

static const struct {
    const char *uri;
    enum draft draft;
} drafts[] = {
    {"json-schema.org/draft-04/schema", DRAFT_4},
    {"json-schema.org/draft-04/hyper-schema", DRAFT_4},
    {"json-schema.org/draft-06/schema", DRAFT_6},
    {"json-schema.org/draft-07/schema", DRAFT_7},
    {"json-schema.org/draft/2019-09/schema", DRAFT_2019},
    {"json-schema.org/draft/2020-12/schema", DRAFT_2020},
    {"json-schema.org/schema", DRAFT_2020},
};

static bool read_draft(struct compiler *c, const struct json *uri, struct resource *resource) {
    if (uri->type != JSON_STRING) return validate_malformed(c, uri, "must be a string");
    const char *text = uri->text;
    size_t len = uri->len;
    if (len && text[len - 1] == '#') len--;
    size_t prefix = len > 8 && memcmp(text, "https://", 8) == 0  ? 8
                    : len > 7 && memcmp(text, "http://", 7) == 0 ? 7
                                                                 : 0;
    for (size_t i = 0; i < sizeof drafts / sizeof *drafts; i++) {
        if (strlen(drafts[i].uri) != len - prefix) continue;
        if (memcmp(drafts[i].uri, text + prefix, len - prefix) != 0) continue;
        resource->draft = (uint8_t)drafts[i].draft;
        resource->own_draft = true;
        return true;
    }
    return validate_refuse(c, uri, "$schema", "not a draft known here");
}

/* ---- Resources and anchors ---- */

bool validate_resource_add(struct compiler *c, struct resource resource, uint32_t *index) {
    if (c->n_resources == c->cap_resources) {
        uint32_t cap = c->cap_resources ? c->cap_resources * 2 : 4;
        struct resource *grown = realloc(c->resources, cap * sizeof *grown);
        if (!grown) return validate_no_memory(c);
        c->resources = grown;
        c->cap_resources = cap;
    }
    *index = c->n_resources;
    c->resources[c->n_resources++] = resource;
    return true;
}

static bool anchor_add(struct compiler *c, uint32_t resource, const char *name, size_t len,
                       const struct json *target) {
    if (c->names || len == 0) return true; /* only names of the schema proper count */
    if (c->n_anchors == c->cap_anchors) {
        uint32_t cap = c->cap_anchors ? c->cap_anchors * 2 : 8;
        struct anchor *grown = realloc(c->anchors, cap * sizeof *grown);
        if (!grown) return validate_no_memory(c);
        c->anchors = grown;
        c->cap_anchors = cap;
    }
    c->anchors[c->n_anchors++] = (struct anchor){resource, name, (uint32_t)len, target};
    return true;
}

/* An id may open a resource, and before 2019-09 its fragment name an anchor. */
static bool enter_id(struct compiler *c, const struct json *source, const struct json *id,
                     struct resource made, uint32_t *resource) {
    made.uri = validate_uri(&c->v->arena, c->resources[*resource].uri, id->text, id->len);
    if (!made.uri) return validate_no_memory(c);
    bool other = strcmp(made.uri, c->resources[*resource].uri) != 0;
    if (source == c->v->source)
        c->resources[*resource] = made;
    else if (other && !validate_resource_add(c, made, resource))
        return false;
    size_t fragment = until(id->text, id->len, "#") + 1;
    if (fragment >= id->len || id->text[fragment] == '/') return true;
    return anchor_add(c, *resource, id->text + fragment, id->len - fragment, source);
}

static bool enter_anchors(struct compiler *c, const struct json *source, uint32_t resource) {
    static const char *const keywords[] = {"$anchor", "$dynamicAnchor"};
    for (int i = 0; i < 2; i++) {
        const struct json *anchor = json_get(source, keywords[i]);
        if (!anchor) continue;
        if (anchor->type != JSON_STRING) return validate_malformed(c, anchor, "must be a string");
        if (!anchor_add(c, resource, anchor->text, anchor->len, source)) return false;
    }
    return true;
}

static const struct json *string_member(const struct json *object, const char *name) {
    const struct json *value = json_get(object, name);
    return value && value->type == JSON_STRING ? value : NULL;
}

bool validate_enter(struct compiler *c, const struct json *source, uint32_t *resource) {
    struct resource made = c->resources[*resource];
    const struct json *dialect = json_get(source, "$schema");
    bool root = source == c->v->source;
    made.root = source;
    if (dialect && (root || string_member(source, "$id") || string_member(source, "id"))) {
        if (!read_draft(c, dialect, &made)) return false;
        if (root) c->resources[*resource] = made;
    }
    /* In older drafts nothing beside $ref counts. */
    bool alone = made.draft <= DRAFT_7 && string_member(source, "$ref");
    const struct json *id = string_member(source, made.draft == DRAFT_4 ? "id" : "$id");
    if (id && !alone && !enter_id(c, source, id, made, resource)) return false;
    return made.draft <= DRAFT_7 || enter_anchors(c, source, *resource);
}

static int compare_names(const void *left, const void *right) {
    const struct resource_name *a = left, *b = right;
    return strcmp(a->uri, b->uri);
}

static int compare_anchors(const void *left, const void *right) {
    const struct anchor *a = left, *b = right;
    if (a->resource != b->resource) return a->resource < b->resource ? -1 : 1;
    if (a->name_len != b->name_len) return a->name_len < b->name_len ? -1 : 1;
    return memcmp(a->name, b->name, a->name_len);
}

bool validate_resources_sort(struct compiler *c) {
    c->names = malloc(c->n_resources * sizeof *c->names);
    if (!c->names) return validate_no_memory(c);
    for (uint32_t i = 0; i < c->n_resources; i++)
        c->names[i] = (struct resource_name){c->resources[i].uri, i};
    c->n_resources_named = c->n_resources;
    qsort(c->names, c->n_resources, sizeof *c->names, compare_names);
    if (c->n_anchors) qsort(c->anchors, c->n_anchors, sizeof *c->anchors, compare_anchors);
    return true;
}

/* ---- $ref ---- */

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static size_t percent_decode(char *out, const char *text, size_t len) {
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        bool escape = text[i] == '%' && len - i > 2 && hex_digit(text[i + 1]) >= 0 &&
                      hex_digit(text[i + 2]) >= 0;
        if (escape) {
            out[n++] = (char)(hex_digit(text[i + 1]) << 4 | hex_digit(text[i + 2]));
            i += 2;
        } else {
            out[n++] = text[i];
        }
    }
    return n;
}

/* ~1 and ~0, in place. */
static size_t unescape_token(char *token, size_t len) {
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (token[i] == '~' && i + 1 < len && (token[i + 1] == '0' || token[i + 1] == '1'))
            token[n++] = token[++i] == '1' ? '/' : '~';
        else
            token[n++] = token[i];
    }
    return n;
}

static const struct json *step_into(const struct json *at, const char *token, size_t len) {
    if (at->type == JSON_OBJECT) return json_get_n(at, token, len);
    if (at->type != JSON_ARRAY || len == 0 || len > 9 || (token[0] == '0' && len > 1)) return NULL;
    uint32_t index = 0;
    for (size_t i = 0; i < len; i++) {
        if (token[i] < '0' || token[i] > '9') return NULL;
        index = index * 10 + (uint32_t)(token[i] - '0');
    }
    return index < at->len ? at->items[index] : NULL;
}

/* Follows a decoded JSON pointer; *resource becomes that in which the target lies. */
static const struct json *follow_pointer(const struct compiler *c, uint32_t *resource,
                                         char *pointer, size_t len) {
    const struct json *at = c->resources[*resource].root;
    size_t begin = 1;
    while (at && begin <= len) {
        size_t n = until(pointer + begin, len - begin, "/");
        at = step_into(at, pointer + begin, unescape_token(pointer + begin, n));
        const struct schema *known = at ? validate_schema_at(c, at) : NULL;
        if (known) *resource = known->resource;
        begin += n + 1;
    }
    return at;
}

static const struct json *find_anchor(const struct compiler *c, uint32_t resource, const char *name,
                                      size_t len) {
    struct anchor key = {resource, name, (uint32_t)len, NULL};
    if (c->n_anchors == 0) return NULL;
    const struct anchor *found =
        bsearch(&key, c->anchors, c->n_anchors, sizeof *c->anchors, compare_anchors);
    return found ? found->target : NULL;
}

static const struct json *find_target(struct compiler *c, uint32_t *resource, const char *fragment,
                                      size_t len) {
    if (len == 0) return c->resources[*resource].root;
    char *decoded = validate_take(&c->v->arena, len + 1);
    if (!decoded) return validate_no_memory(c), NULL;
    size_t n = percent_decode(decoded, fragment, len);
    if (decoded[0] != '/') return find_anchor(c, *resource, decoded, n);
    uint32_t start = *resource;
    const struct json *target = follow_pointer(c, resource, decoded, n);
    if (target || start == 0) return target;
    /* Ids that generators wrote without meaning a new base: such pointers start at the document. */
    *resource = 0;
    n = percent_decode(decoded, fragment, len);
    return follow_pointer(c, resource, decoded, n);
}

static bool find_resource(struct compiler *c, const struct json *ref, size_t len,
                          uint32_t *resource) {
    if (len == 0) return true;
    struct resource_name key = {0};
    key.uri = validate_uri(&c->v->arena, c->resources[*resource].uri, ref->text, len);
    if (!key.uri) return validate_no_memory(c);
    const struct resource_name *found =
        bsearch(&key, c->names, c->n_resources_named, sizeof *c->names, compare_names);
    if (!found) return validate_refuse(c, ref, "$ref", "refers to another document");
    *resource = found->resource;
    return true;
}

bool validate_resolve(struct compiler *c, const struct schema *schema, const struct json *ref,
                      struct schema **target) {
    if (ref->type != JSON_STRING) return validate_malformed(c, ref, "must be a string");
    uint32_t resource = schema->resource;
    size_t base = until(ref->text, ref->len, "#");
    size_t fragment = base < ref->len ? base + 1 : base;
    if (!find_resource(c, ref, base, &resource)) return false;
    const struct json *found = find_target(c, &resource, ref->text + fragment, ref->len - fragment);
    if (!found) return validate_malformed(c, ref, "refers to nothing");
    if (!validate_schema_at(c, found) && !validate_walk(c, found, resource)) return false;
    *target = validate_schema_at(c, found);
    return true;
}
