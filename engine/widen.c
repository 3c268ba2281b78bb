#include "engine/widen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "engine/json.h"
#include "engine/json_write.h"

enum { NESTING = 128, STEPS = 140, WORK = 2 << 20 /* bytes compiled before giving up */ };

/* ---- where a pointer leads ---- */

struct step { /* from a container to a member or element of it */
    const struct json *from;
    uint32_t index;
    bool keyword; /* `from` is a schema and the member a keyword of it */
};

struct route {
    struct step steps[STEPS];
    uint32_t n;
};

enum holds { HOLDS_NOTHING, HOLDS_SCHEMA, HOLDS_LIST, HOLDS_MAP };

static enum holds holds(const struct json_key *keyword, const struct json *value) {
    static const char *const maps[] = {"properties",  "patternProperties", "$defs",
                                       "definitions", "dependentSchemas",  "dependencies"};
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
        if (keyword->len == strlen(maps[i]) && memcmp(keyword->text, maps[i], keyword->len) == 0)
            return HOLDS_MAP;
    if (value->type == JSON_ARRAY) return HOLDS_LIST;
    return value->type == JSON_OBJECT ? HOLDS_SCHEMA : HOLDS_NOTHING;
}

/* One reference token, with ~0 and ~1 undone. Moves *at behind it. */
static size_t next_token(const char **at, char *token, size_t size) {
    size_t n = 0;
    for (++*at; **at && **at != '/'; ++*at) {
        char c = **at;
        if (c == '~' && ((*at)[1] == '0' || (*at)[1] == '1')) c = *++*at == '0' ? '~' : '/';
        if (n + 1 < size) token[n++] = c;
    }
    token[n] = '\0';
    return n;
}

static uint32_t index_of(const struct json *from, const char *token, size_t len) {
    if (from->type == JSON_OBJECT) return json_index(from, token, len);
    char *end;
    unsigned long index = strtoul(token, &end, 10);
    bool found = from->type == JSON_ARRAY && len && !*end && index < from->len;
    return found ? (uint32_t)index : JSON_ABSENT;
}

/* Follows the pointer as far as it leads; false if that is not to its end. */
static bool find_route(const struct json *root, const char *pointer, struct route *route) {
    enum holds inside = HOLDS_SCHEMA; /* what `at` is */
    const struct json *at = root;
    char token[512];
    route->n = 0;
    while (*pointer == '/' && route->n < STEPS - 1) {
        size_t len = next_token(&pointer, token, sizeof token);
        uint32_t index = index_of(at, token, len);
        if (index == JSON_ABSENT) return false;
        bool keyword = inside == HOLDS_SCHEMA && at->type == JSON_OBJECT;
        route->steps[route->n++] = (struct step){at, index, keyword};
        inside = keyword ? holds(&at->keys[index], at->items[index]) : HOLDS_SCHEMA;
        at = at->items[index];
    }
    return *pointer == '\0';
}

static bool is_named(const struct step *step, const char *name) {
    if (step->from->type != JSON_OBJECT) return false;
    const struct json_key *key = &step->from->keys[step->index];
    return key->len == strlen(name) && memcmp(key->text, name, key->len) == 0;
}

/* Makes the route end at the keyword: the pointer may name it, its schema, or a part of it. */
static bool aim(const struct json *root, struct route *route, const char *keyword) {
    for (uint32_t i = route->n; i-- > 0;)
        if (route->steps[i].keyword && is_named(&route->steps[i], keyword))
            return route->n = i + 1, true;
    const struct json *last =
        route->n ? route->steps[route->n - 1].from->items[route->steps[route->n - 1].index] : root;
    uint32_t index = json_index(last, keyword, strlen(keyword));
    if (last->type != JSON_OBJECT || index == JSON_ABSENT) return false;
    route->steps[route->n++] = (struct step){last, index, true};
    return true;
}

/* The compiler makes schemas of its own of what stands inside these; an error about one of them
 * cannot name its place. */
static bool is_rewritten(const struct step *step) {
    static const char *const names[] = {"not",   "if",          "then", "else", "dependentSchemas",
                                        "oneOf", "dependencies"};
    for (size_t i = 0; step->keyword && i < sizeof names / sizeof *names; i++)
        if (is_named(step, names[i])) return true;
    return false;
}

/* The first place of the keyword inside one of them. */
static bool search(const struct json *at, enum holds inside, const char *keyword, bool rewritten,
                   struct route *route) {
    if (at->type < JSON_ARRAY || route->n == STEPS - 1) return false;
    for (uint32_t i = 0; i < at->len; i++) {
        struct step *step = &route->steps[route->n++];
        *step = (struct step){at, i, inside == HOLDS_SCHEMA && at->type == JSON_OBJECT};
        if (rewritten && step->keyword && is_named(step, keyword)) return true;
        enum holds below = step->keyword ? holds(&at->keys[i], at->items[i]) : HOLDS_SCHEMA;
        if (below != HOLDS_NOTHING &&
            search(at->items[i], below, keyword, rewritten || is_rewritten(step), route))
            return true;
        route->n--;
    }
    return false;
}

/* The first keyword on the way inside which allowing more is allowing less. */
static void lift(struct route *route, bool *alternatives) {
    *alternatives = false;
    for (uint32_t i = 0; i + 1 < route->n; i++) {
        const struct step *step = &route->steps[i];
        if (!step->keyword) continue;
        *alternatives = is_named(step, "oneOf");
        if (*alternatives || is_named(step, "not") || is_named(step, "if") ||
            is_named(step, "contains")) {
            route->n = i + 1;
            return;
        }
    }
}

/* ---- the new text ---- */

static void add_object(struct buf *out, const struct json *object, uint32_t dropped,
                       const char *renamed) {
    uint32_t written = 0;
    buf_add_char(out, '{');
    for (uint32_t i = 0; i < object->len; i++) {
        struct text key = {object->keys[i].text, object->keys[i].len};
        if (i == dropped && !renamed) continue;
        if (i == dropped) key = (struct text){renamed, strlen(renamed)};
        if (written++) buf_add_char(out, ',');
        json_write_string(out, key);
        buf_add_char(out, ':');
        buf_add(out, object->items[i]->raw, object->items[i]->raw_len);
    }
    buf_add_char(out, '}');
}

static bool rewrite(struct text schema, const struct step *step, const char *renamed,
                    struct text *made) {
    struct buf out = {0};
    const struct json *object = step->from;
    const char *rest = object->raw + object->raw_len;
    buf_add(&out, schema.bytes, (size_t)(object->raw - schema.bytes));
    add_object(&out, object, step->index, renamed);
    buf_add(&out, rest, (size_t)(schema.bytes + schema.len - rest));
    bool whole = !out.failed;
    if (whole) made->bytes = buf_steal(&out, &made->len);
    buf_free(&out);
    return whole && made->bytes;
}

/* ---- warnings ---- */

static void write_path(char *path, size_t size, const char *place, const struct route *route) {
    size_t len = (size_t)snprintf(path, size, "%s", place);
    for (uint32_t i = 0; i < route->n && len + 4 < size; i++) {
        const struct step *step = &route->steps[i];
        path[len++] = '/';
        if (step->from->type == JSON_ARRAY) {
            len += (size_t)snprintf(path + len, size - len, "%u", step->index);
            continue;
        }
        const struct json_key *key = &step->from->keys[step->index];
        for (uint32_t k = 0; k < key->len && len + 4 < size; k++) {
            char c = key->text[k];
            if (c == '~' || c == '/') path[len++] = '~', c = c == '~' ? '0' : '1';
            path[len++] = c;
        }
    }
    path[len < size ? len : size - 1] = '\0';
}

/* A oneOf that was renamed on the way is written as the client wrote it. */
static void restore_names(char *path, const struct widen_list *list) {
    for (size_t i = 0; i < list->n; i++) {
        size_t len = strlen(list->of[i].path);
        if (strcmp(list->of[i].keyword, "oneOf") == 0 && len > 5 &&
            strncmp(path, list->of[i].path, len - 5) == 0 &&
            strncmp(path + len - 5, "anyOf", 5) == 0)
            memcpy(path + len - 5, "oneOf", 5);
    }
}

static bool note(struct widen_list *list, const char *path, const char *keyword, const char *reason,
                 bool judged) {
    for (size_t i = 0; i < list->n; i++) { /* the validator cannot hold it against that either */
        if (strcmp(list->of[i].path, path) != 0 || strcmp(list->of[i].keyword, keyword) != 0)
            continue;
        list->of[i].judged &= judged;
        return true;
    }
    struct result_warning *of = NULL;
    if (list->n < WIDEN_WARNINGS) of = realloc(list->of, (list->n + 1) * sizeof *of);
    if (!of) return false; /* too many: the refusal stands */
    list->of = of;
    struct result_warning *warning = &of[list->n++];
    snprintf(warning->path, sizeof warning->path, "%s", path);
    snprintf(warning->keyword, sizeof warning->keyword, "%s", keyword);
    snprintf(warning->reason, sizeof warning->reason, "%s", reason);
    warning->judged = judged;
    return true;
}

/* ---- one keyword less ---- */

struct widening {
    const char *place;
    struct widen_list *list;
    bool judged;
    struct error *error;
};

static bool drop(const struct widening *w, struct text schema, struct text *made,
                 const struct json *root, const struct error *refusal) {
    struct route route;
    bool alternatives = false;
    char path[sizeof refusal->path];
    const char *pointer = refusal->path;
    size_t skip = strlen(w->place);
    if (strncmp(pointer, w->place, skip) == 0) pointer += skip;
    find_route(root, pointer, &route);
    if (!refusal->keyword[0]) return false;
    if (!aim(root, &route, refusal->keyword)) {
        route.n = 0;
        if (!search(root, HOLDS_SCHEMA, refusal->keyword, false, &route)) return false;
    }
    write_path(path, sizeof path, w->place, &route);
    restore_names(path, w->list);
    if (!note(w->list, path, refusal->keyword, refusal->reason, w->judged)) return false;
    lift(&route, &alternatives);
    const struct step *step = &route.steps[route.n - 1];
    if (is_named(step, "oneOf")) alternatives = true;
    if (strcmp(refusal->keyword, "oneOf") != 0 && alternatives) {
        write_path(path, sizeof path, w->place, &route);
        restore_names(path, w->list);
        if (!note(w->list, path, "oneOf", "its branches may overlap once one is widened",
                  w->judged))
            return false;
    }
    bool renamed = alternatives && json_index(step->from, "anyOf", 5) == JSON_ABSENT;
    return rewrite(schema, step, renamed ? "anyOf" : NULL, made) ||
           error_set(w->error, ERROR_OUT_OF_MEMORY, "no memory to widen a schema");
}

bool widen_schema(struct text schema, struct text *made, const char *place, widen_try *try,
                  void *user, struct widen_list *list, bool judged, struct error *error) {
    struct widening w = {place, list, judged, error};
    *made = (struct text){0};
    for (;;) {
        struct error refusal = {0};
        struct text next = {0}, now = made->bytes ? *made : schema;
        list->work += now.len;
        if (try(user, now, &refusal)) return true;
        struct json_doc *doc = NULL;
        if (refusal.code == ERROR_SCHEMA_UNSUPPORTED && now.bytes && list->work <= WORK)
            doc = json_parse(now.bytes, now.len, NESTING, &(struct error){0});
        bool dropped = doc && drop(&w, now, &next, json_root(doc), &refusal);
        json_free(doc);
        free((char *)made->bytes);
        *made = next;
        if (dropped) continue;
        if (error->code == ERROR_NONE) *error = refusal;
        return false;
    }
}
