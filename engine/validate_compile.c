#include "engine/validate_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "engine/held.h"

/* ---- Arena ---- */

struct arena {
    struct arena *next;
    size_t used, size;
};

void *validate_take(struct arena **arena, size_t n) {
    n = (n + 7) & ~(size_t)7;
    struct arena *top = *arena;
    if (!top || top->size - top->used < n) {
        size_t size = top && top->size < 1 << 18 ? top->size * 2 : top ? 1 << 18 : 1 << 12;
        if (size < n) size = n;
        struct arena *chunk = calloc(1, sizeof *chunk + size);
        if (!chunk) return NULL;
        *chunk = (struct arena){top, 0, size};
        *arena = top = chunk;
    }
    void *memory = (char *)(top + 1) + top->used;
    top->used += n;
    return memory;
}

void validate_arena_free(struct arena *arena) {
    while (arena) {
        struct arena *next = arena->next;
        free(arena);
        arena = next;
    }
}

/* ---- Errors ---- */

static void pointer_token(struct buf *path, const char *text, size_t len) {
    buf_add_char(path, '/');
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '~' || text[i] == '/')
            buf_add_str(path, text[i] == '~' ? "~0" : "~1");
        else
            buf_add_char(path, text[i]);
    }
}

/* Depth is that of the JSON text. The path grows while the recursion returns, so it is prepended.
 */
static bool find_value(const struct json *at, const struct json *value, struct buf *path) {
    if (at == value) return true;
    if (at->type != JSON_ARRAY && at->type != JSON_OBJECT) return false;
    for (uint32_t i = 0; i < at->len; i++) {
        size_t before = path->len;
        char index[16];
        int n = snprintf(index, sizeof index, "%u", i);
        bool member = at->type == JSON_OBJECT;
        pointer_token(path, member ? at->keys[i].text : index,
                      member ? at->keys[i].len : (size_t)n);
        if (find_value(at->items[i], value, path)) return true;
        if (!path->failed) path->len = before;
    }
    return false;
}

bool validate_pointer(const struct json *root, const struct json *value,
                      const struct json_key *member, char *path, size_t size) {
    struct buf pointer = {0};
    bool found = find_value(root, value, &pointer);
    if (found && member) pointer_token(&pointer, member->text, member->len);
    found = found && !pointer.failed;
    snprintf(path, size, "%.*s", found ? (int)pointer.len : 0,
             found && pointer.len ? pointer.bytes : "");
    buf_free(&pointer);
    return found;
}

bool validate_malformed(struct compiler *c, const struct json *at, const char *what) {
    char path[sizeof c->error->path];
    validate_pointer(c->v->source, at, NULL, path, sizeof path);
    return error_at(c->error, ERROR_INVALID_PARAMS, path, "malformed schema: %s", what);
}

bool validate_refuse(struct compiler *c, const struct json *at, const char *keyword,
                     const char *reason) {
    struct error *error = c->error;
    if (error->code != ERROR_NONE) return false;
    c->refused_at = at;
    snprintf(error->keyword, sizeof error->keyword, "%s", keyword);
    snprintf(error->reason, sizeof error->reason, "%s", reason);
    return error_set(error, ERROR_SCHEMA_UNSUPPORTED, "%s: %s", keyword, reason);
}

bool validate_no_memory(struct compiler *c) {
    return error_set(c->error, ERROR_OUT_OF_MEMORY, "no memory for a validator");
}

/* ---- Schemas by their place in the text ---- */

static size_t slot_of(const struct compiler *c, const struct json *source) {
    uint64_t hash = (uint64_t)(uintptr_t)source * UINT64_C(0x9E3779B97F4A7C15);
    size_t slot = (size_t)(hash >> 32) & (c->n_slots - 1);
    while (c->by_source[slot] && c->by_source[slot]->source != source)
        slot = (slot + 1) & (c->n_slots - 1);
    return slot;
}

struct schema *validate_schema_at(const struct compiler *c, const struct json *source) {
    return c->n_slots ? c->by_source[slot_of(c, source)] : NULL;
}

static bool grow_slots(struct compiler *c) {
    struct schema **old = c->by_source;
    size_t n_old = c->n_slots, n_slots = n_old ? n_old * 2 : 64;
    struct schema **slots = calloc(n_slots, sizeof(struct schema *));
    if (!slots) return validate_no_memory(c);
    c->n_slots = n_slots;
    c->by_source = slots;
    for (size_t i = 0; i < n_old; i++)
        if (old[i]) c->by_source[slot_of(c, old[i]->source)] = old[i];
    free(old);
    return true;
}

static bool grow_schemas(struct validator *v) {
    if (v->n_schemas < v->cap_schemas) return true;
    uint32_t cap = v->cap_schemas ? v->cap_schemas * 2 : 32;
    struct schema **grown = realloc(v->schemas, cap * sizeof(struct schema *));
    if (!grown) return false;
    v->schemas = grown;
    v->cap_schemas = cap;
    return true;
}

static bool schema_add(struct compiler *c, const struct json *source, uint32_t resource) {
    struct validator *v = c->v;
    if (v->n_schemas >= VALIDATE_SCHEMAS)
        return validate_refuse(c, source, "", "too many subschemas");
    if (2 * (v->n_schemas + 1) > c->n_slots && !grow_slots(c)) return false;
    struct schema *schema = validate_take(&v->arena, sizeof *schema);
    if (!schema || !grow_schemas(v)) return validate_no_memory(c);
    schema->source = source;
    schema->resource = resource;
    schema->draft = c->resources[resource].draft;
    schema->own_draft = c->resources[resource].own_draft;
    schema->id = v->n_schemas;
    schema->never = source->type == JSON_FALSE;
    v->schemas[v->n_schemas++] = schema;
    c->by_source[slot_of(c, source)] = schema;
    return true;
}

/* ---- The walk: every place that holds a subschema ---- */

static bool walk_list(struct compiler *c, const struct json *list, uint32_t resource) {
    if (list->type != JSON_ARRAY) return validate_malformed(c, list, "must be a list of schemas");
    if (list->len == 0) return validate_malformed(c, list, "must not be empty");
    for (uint32_t i = 0; i < list->len; i++)
        if (!validate_walk(c, list->items[i], resource)) return false;
    return true;
}

static bool walk_map(struct compiler *c, const struct json *map, uint32_t resource,
                     bool lists_too) {
    if (map->type != JSON_OBJECT) return validate_malformed(c, map, "must be an object");
    for (uint32_t i = 0; i < map->len; i++) {
        if (lists_too && map->items[i]->type == JSON_ARRAY) continue;
        if (!validate_walk(c, map->items[i], resource)) return false;
    }
    return true;
}

static bool walk_keyword(struct compiler *c, enum shape shape, const struct json *value,
                         uint32_t resource) {
    switch (shape) {
    case SHAPE_NONE: return true;
    case SHAPE_SCHEMA: return validate_walk(c, value, resource);
    case SHAPE_LIST: return walk_list(c, value, resource);
    case SHAPE_MAP: return walk_map(c, value, resource, false);
    case SHAPE_DEPENDENCIES: return walk_map(c, value, resource, true);
    case SHAPE_ITEMS:
        if (value->type != JSON_ARRAY) return validate_walk(c, value, resource);
        return value->len == 0 || walk_list(c, value, resource);
    }
    return true;
}

bool validate_walk(struct compiler *c, const struct json *source, uint32_t resource) {
    if (validate_schema_at(c, source)) return true;
    if (source->type == JSON_TRUE || source->type == JSON_FALSE)
        return schema_add(c, source, resource);
    if (source->type != JSON_OBJECT)
        return validate_malformed(c, source, "must be an object or a boolean");
    if (!validate_enter(c, source, &resource) || !schema_add(c, source, resource)) return false;
    enum draft draft = c->resources[resource].draft;
    for (uint32_t i = 0; i < source->len; i++) {
        const struct json_key *key = &source->keys[i];
        const struct keyword *keyword = validate_keyword(key->text, key->len, draft);
        if (!keyword || keyword->shape == SHAPE_NONE) continue;
        if (!walk_keyword(c, keyword->shape, source->items[i], resource)) return false;
    }
    return true;
}

/* ---- Help for the keywords ---- */

const struct json *validate_sibling(const struct schema *schema, const char *name) {
    const struct json *value = json_get(schema->source, name);
    return value && validate_keyword(name, strlen(name), schema->draft) ? value : NULL;
}

bool validate_room(struct compiler *c, struct constraint *constraint, size_t n) {
    if (n == 0) return true;
    constraint->schemas = validate_take(&c->v->arena, n * sizeof(struct schema *));
    return constraint->schemas || validate_no_memory(c);
}

bool validate_add(struct compiler *c, struct constraint *constraint, const struct json *source) {
    struct schema *schema = validate_schema_at(c, source);
    if (!schema) return validate_malformed(c, source, "must be a schema");
    constraint->schemas[constraint->n_schemas++] = schema;
    return true;
}

bool validate_string_list(struct compiler *c, const struct json *value) {
    if (value->type != JSON_ARRAY) return validate_malformed(c, value, "must be a list of strings");
    for (uint32_t i = 0; i < value->len; i++)
        if (value->items[i]->type != JSON_STRING)
            return validate_malformed(c, value->items[i], "must be a string");
    return true;
}

static bool keep_regex(struct validator *v, struct regex *regex) {
    if (v->n_regexes == v->cap_regexes) {
        size_t cap = v->cap_regexes ? v->cap_regexes * 2 : 8;
        struct regex **grown = realloc(v->regexes, cap * sizeof(struct regex *));
        if (!grown) return false;
        v->regexes = grown;
        v->cap_regexes = cap;
    }
    v->regexes[v->n_regexes++] = regex;
    v->pattern_states += regex_states(regex);
    return true;
}

bool validate_regex(struct compiler *c, const struct json *at, const char *keyword,
                    const char *pattern, size_t len, struct regex **regex) {
    struct error error = {0};
    size_t room = VALIDATE_PATTERN_STATES - c->v->pattern_states;
    *regex =
        regex_new(pattern, len,
                  room < VALIDATE_PATTERN_STATES / 4 ? room : VALIDATE_PATTERN_STATES / 4, &error);
    if (*regex && keep_regex(c->v, *regex)) return true;
    regex_free(*regex);
    if (error.code == ERROR_SCHEMA_UNSUPPORTED)
        return validate_refuse(c, at, keyword, error.reason);
    if (error.code == ERROR_INVALID_PARAMS) return validate_malformed(c, at, error.message);
    return validate_no_memory(c);
}

/* ---- One schema ---- */

enum { KEYWORDS_MAX = 64 };

struct draft_constraints {
    struct constraint list[KEYWORDS_MAX];
    uint32_t n;
};

/* In the order of the keyword table. */
static void insert(struct draft_constraints *made, const struct constraint *constraint) {
    uint32_t at = made->n++;
    for (; at > 0 && made->list[at - 1].keyword > constraint->keyword; at--)
        made->list[at] = made->list[at - 1];
    made->list[at] = *constraint;
}

static bool compile_keyword(struct compiler *c, struct schema *schema, uint32_t member,
                            struct draft_constraints *made) {
    const struct json_key *key = &schema->source->keys[member];
    const struct keyword *keyword = validate_keyword(key->text, key->len, schema->draft);
    if (!keyword || (!keyword->compile && !keyword->check)) return true;
    struct constraint constraint = {.keyword = keyword, .value = schema->source->items[member]};
    if (keyword->compile && !keyword->compile(c, schema, &constraint)) return false;
    if (constraint.keyword && keyword->check && made->n < KEYWORDS_MAX) insert(made, &constraint);
    return true;
}

static bool compile_schema(struct compiler *c, struct schema *schema) {
    const struct json *source = schema->source;
    struct draft_constraints made;
    made.n = 0;
    if (source->type != JSON_OBJECT) return true;
    uint32_t ref = schema->draft <= DRAFT_7 ? json_index(source, "$ref", 4) : JSON_ABSENT;
    if (ref != JSON_ABSENT) {
        if (!compile_keyword(c, schema, ref, &made)) return false;
    } else {
        for (uint32_t i = 0; i < source->len; i++)
            if (!compile_keyword(c, schema, i, &made)) return false;
    }
    if (made.n == 0) return true;
    schema->constraints = validate_take(&c->v->arena, made.n * sizeof *made.list);
    if (!schema->constraints) return validate_no_memory(c);
    memcpy(schema->constraints, made.list, made.n * sizeof *made.list);
    schema->n_constraints = made.n;
    return true;
}

/* What cannot be judged matters only if the schema at the root leads to it; noted until then. */
static bool note_refusal(struct compiler *c, struct schema *schema) {
    if (c->error->code != ERROR_SCHEMA_UNSUPPORTED) return false;
    size_t n = strlen(c->error->reason) + 1, keyword = strlen(c->error->keyword) + 1;
    struct refusal *refusal = validate_take(&c->v->arena, sizeof *refusal + n + keyword);
    if (!refusal) return false;
    refusal->at = c->refused_at;
    refusal->reason = memcpy(refusal + 1, c->error->reason, n);
    refusal->keyword = memcpy((char *)(refusal + 1) + n, c->error->keyword, keyword);
    schema->refusal = refusal;
    *c->error = (struct error){0};
    return true;
}

static bool compile_all(struct compiler *c) {
    for (uint32_t i = 0; i < c->v->n_schemas; i++)
        if (!compile_schema(c, c->v->schemas[i]) && !note_refusal(c, c->v->schemas[i]))
            return false;
    return true;
}

/* ---- What the root leads to ---- */

static bool check_reachable(struct compiler *c) {
    struct validator *v = c->v;
    struct schema **queue = malloc(v->n_schemas * sizeof(struct schema *));
    bool *seen = calloc(v->n_schemas, sizeof *seen);
    uint32_t n = 0;
    bool fine = queue && seen;
    if (!fine) validate_no_memory(c);
    if (fine) queue[n++] = v->root, seen[v->root->id] = true;
    for (uint32_t i = 0; fine && i < n; i++) {
        const struct schema *at = queue[i];
        const struct refusal *refusal = at->refusal;
        fine = !refusal || validate_refuse(c, refusal->at, refusal->keyword, refusal->reason);
        for (uint32_t k = 0; k < at->n_constraints; k++)
            for (uint32_t s = 0; s < at->constraints[k].n_schemas; s++) {
                struct schema *next = at->constraints[k].schemas[s];
                if (!seen[next->id]) queue[n++] = next, seen[next->id] = true;
            }
    }
    free(queue);
    free(seen);
    return fine;
}

static bool compile(struct compiler *c) {
    uint32_t resource;
    struct resource root = {.uri = "", .root = c->v->source, .draft = DRAFT_2020};
    if (!validate_resource_add(c, root, &resource) || !validate_walk(c, c->v->source, resource))
        return false;
    if (!validate_resources_sort(c) || !compile_all(c)) return false;
    c->v->root = validate_schema_at(c, c->v->source);
    return check_reachable(c);
}

struct validator *validator_new(const struct json *source, unsigned flags, struct error *error) {
    struct validator *v = calloc(1, sizeof *v);
    if (!v) return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a validator"), NULL;
    v->source = source;
    v->flags = flags;
    struct compiler c = {.v = v, .error = error};
    bool compiled = compile(&c);
    if (error->code == ERROR_SCHEMA_UNSUPPORTED) /* found late: it costs a pass over the schema */
        validate_pointer(source, c.refused_at, NULL, error->path, sizeof error->path);
    free(c.by_source);
    free(c.resources);
    free(c.names);
    free(c.anchors);
    if (compiled) return v;
    validator_free(v);
    return NULL;
}

void validator_free(struct validator *v) {
    if (!v) return;
    for (size_t i = 0; i < v->n_regexes; i++) regex_free(v->regexes[i]);
    free(v->regexes);
    free(v->schemas);
    validate_arena_free(v->arena);
    free(v);
}

size_t validator_bytes(const struct validator *v) {
    if (!v) return 0;
    size_t bytes = held(v) + held(v->regexes) + held(v->schemas);
    for (size_t i = 0; i < v->n_regexes; i++) bytes += regex_bytes(v->regexes[i]);
    for (const struct arena *arena = v->arena; arena; arena = arena->next) bytes += held(arena);
    return bytes;
}
