/* Long lists of branches that constants tell apart, so that not each need be held against each: anyOf
 * or oneOf of nothing but enum and const (labelled enumerations) are one enum; of objects one member
 * may be the tag. */
#include <stdlib.h>
#include <string.h>

#include "engine/schema_part.h"
#include "engine/vector.h"

enum { FEW = 16 /* branches that cost less as they are */, TAGS = 8, REFS = 8 };

struct constant {
    const struct json *value;
    uint32_t branch;
};

struct constants {
    struct constant *list;
    uint32_t n, cap;
};

/* ---- the values ---- */

static bool add(struct schema *schema, struct constants *out, const struct json *value,
                uint32_t branch) {
    if (!vector_reserve((void **)&out->list, &out->cap, out->n + 1, sizeof *out->list))
        return schema_fail(schema, RULES_MEMORY);
    out->list[out->n++] = (struct constant){value, branch};
    return true;
}

/* The values of a branch; *plain is cleared if it is more than some scalars. */
static bool add_branch(struct schema *schema, struct constants *out, const struct json *json,
                       uint32_t branch, bool *plain) {
    const uint64_t told = 1ull << KW_CONST | 1ull << KW_ENUM | 1ull << KW_TYPE;
    uint32_t part = schema_part_of(schema, json);
    if (part == RULES_NONE) return false;
    const struct json *single = schema_get(schema, part, KW_CONST);
    const struct json *list = schema_get(schema, part, KW_ENUM);
    *plain = !single != !list && (schema->parts[part].present & ~told) == 0;
    schema->source = list;
    for (uint32_t i = 0; *plain && i < (single ? 1 : list->len); i++) {
        const struct json *value = single ? single : list->items[i];
        enum schema_verdict verdict = schema_allows(schema, part, value);
        if (verdict == VERDICT_UNKNOWN) return false;
        *plain = value->type < JSON_ARRAY;
        if (verdict == VERDICT_YES && !add(schema, out, value, branch)) return false;
    }
    return true;
}

static int compare_values(const struct json *a, const struct json *b) {
    if (a->type != b->type) return a->type < b->type ? -1 : 1;
    if (a->type == JSON_NUMBER) return json_number_compare(a->text, a->len, b->text, b->len);
    if (a->type != JSON_STRING) return 0;
    if (a->len != b->len) return a->len < b->len ? -1 : 1;
    return memcmp(a->text, b->text, a->len);
}

static int compare(const void *a, const void *b) {
    const struct constant *x = a, *y = b;
    int order = compare_values(x->value, y->value);
    return order ? order : (x->branch > y->branch) - (x->branch < y->branch);
}

/* Each value once; of a oneOf none that two branches have. */
static void sort_out(struct constants *constants, bool one) {
    uint32_t kept = 0, end;
    if (constants->n) qsort(constants->list, constants->n, sizeof *constants->list, compare);
    for (uint32_t i = 0; i < constants->n; i = end) {
        const struct constant *first = &constants->list[i];
        for (end = i + 1; end < constants->n; end++)
            if (compare_values(constants->list[end].value, first->value) != 0) break;
        if (!one || constants->list[end - 1].branch == first->branch)
            constants->list[kept++] = *first;
    }
    constants->n = kept;
}

/* ---- the schema ---- */

static uint32_t make_enum(struct schema *schema, const struct constants *constants) {
    const struct json **values = malloc((constants->n + 1) * sizeof *values);
    if (!values) return schema_fail(schema, RULES_MEMORY), RULES_NONE;
    for (uint32_t i = 0; i < constants->n; i++) values[i] = constants->list[i].value;
    const struct json *list = schema_make_array(schema, values, constants->n);
    const struct json *made = schema_make_object(schema, (const char *[]){"enum"}, &list, 1);
    free(values);
    return made ? schema_part_of(schema, made) : RULES_NONE;
}

static bool find(struct schema *schema, const struct json *list, bool one, uint32_t *part) {
    struct constants constants = {0};
    bool plain = list->len > FEW, done = true;
    *part = RULES_NONE;
    for (uint32_t i = 0; done && plain && i < list->len; i++)
        done = add_branch(schema, &constants, list->items[i], i, &plain);
    if (done && plain) {
        sort_out(&constants, one);
        *part = make_enum(schema, &constants);
        done = *part != RULES_NONE;
    }
    free(constants.list);
    return done;
}

bool schema_constants(struct schema *schema, uint32_t owner, enum schema_keyword keyword,
                      uint32_t *part) {
    bool one = keyword == KW_ONE_OF;
    *part = schema->parts[owner].constants[one];
    if (*part != 0) return true; /* 0 is the root's */
    if (!find(schema, schema_get(schema, owner, keyword), one, part)) return false;
    schema->parts[owner].constants[one] = *part;
    return true;
}

bool schema_are_constants(const struct schema *schema, uint32_t owner) {
    uint32_t part = schema->parts[owner].constants[true];
    return part != 0 && part != RULES_NONE;
}

/* ---- tags ---- */

static bool requires(const struct json *names, const struct json_key *name) {
    if (!names || names->type != JSON_ARRAY) return false;
    for (uint32_t i = 0; i < names->len; i++)
        if (names->items[i]->len == name->len &&
            memcmp(names->items[i]->text, name->text, name->len) == 0)
            return true;
    return false;
}

static uint32_t follow(struct schema *schema, uint32_t part) {
    return schema_get(schema, part, KW_REF) ? schema_resolve(schema, part) : RULES_NONE;
}

/* What objects of a branch have to have by this name, looking through $ref; NULL: nothing certain, or
 * it allows more than objects. */
static const struct json *tag_of(struct schema *schema, uint32_t part,
                                 const struct json_key *name) {
    const struct json *found = NULL;
    uint8_t types = TYPE_ALL;
    for (int i = 0; i < REFS && part != RULES_NONE; i++, part = follow(schema, part)) {
        const struct json *map = schema_get(schema, part, KW_PROPERTIES);
        types &= schema->parts[part].types;
        if (!found && map && requires(schema_get(schema, part, KW_REQUIRED), name))
            found = json_get_n(map, name->text, name->len);
    }
    return types == TYPE_OBJECT ? found : NULL;
}

/* The scalars that a tag is limited to; *plain is cleared if there are others. */
static bool add_tag(struct schema *schema, struct constants *out, const struct json *tag,
                    uint32_t branch, bool *plain) {
    const struct json *single = NULL, *list = NULL;
    uint32_t part = tag ? schema_part_of(schema, tag) : RULES_NONE;
    if (tag && part == RULES_NONE) return false;
    for (int i = 0; i < REFS && part != RULES_NONE && !single && !list; i++) {
        single = schema_get(schema, part, KW_CONST);
        list = schema_get(schema, part, KW_ENUM);
        part = follow(schema, part);
    }
    *plain = single || list;
    for (uint32_t i = 0; *plain && i < (single ? 1 : list->len); i++) {
        const struct json *value = single ? single : list->items[i];
        *plain = value->type < JSON_ARRAY;
        if (!add(schema, out, value, branch)) return false;
    }
    return true;
}

static bool tells_apart(struct schema *schema, const struct json *list,
                        const struct json_key *name) {
    struct constants constants = {0};
    bool plain = true;
    for (uint32_t i = 0; plain && i < list->len; i++) {
        uint32_t part = schema_part_of(schema, list->items[i]);
        plain = part != RULES_NONE &&
                add_tag(schema, &constants, tag_of(schema, part, name), i, &plain) && plain;
    }
    if (plain && constants.n)
        qsort(constants.list, constants.n, sizeof *constants.list, compare);
    for (uint32_t i = 1; plain && i < constants.n; i++) {
        const struct constant *a = &constants.list[i - 1], *b = a + 1;
        plain = a->branch == b->branch || compare_values(a->value, b->value) != 0;
    }
    free(constants.list);
    return plain;
}

static bool find_tag(struct schema *schema, const struct json *list) {
    uint32_t part = list->len > FEW ? schema_part_of(schema, list->items[0]) : RULES_NONE;
    for (int i = 0; i < REFS && part != RULES_NONE; i++, part = follow(schema, part)) {
        const struct json *map = schema_get(schema, part, KW_PROPERTIES);
        for (uint32_t k = 0; map && k < map->len && k < TAGS; k++)
            if (tells_apart(schema, list, &map->keys[k])) return true;
    }
    return false;
}

bool schema_tagged(struct schema *schema, uint32_t owner) {
    enum { UNKNOWN, NO, YES };
    if (schema->parts[owner].tagged == UNKNOWN) {
        bool found = find_tag(schema, schema_get(schema, owner, KW_ONE_OF));
        schema->parts[owner].tagged = found ? YES : NO;
    }
    return schema->parts[owner].tagged == YES;
}
