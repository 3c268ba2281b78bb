/* Bundles that no object satisfies, told early: where many choices are to be made, as by a list of
 * `if` that ask for one and the same member, most combinations want two values of it. */
#include "engine/schema_part.h"

enum { HOLDING = 16 /* subschemas of one member that are looked at */, NAMES = 64, VALUES = 64 };
enum { PRUNINGS = 500 /* of a schema: then it is one that is better left to guards */ };

struct member { /* what the bundle says of one that it requires */
    uint32_t parts[HOLDING], n;
    const struct json *values; /* the shortest enum among them, or a const's value */
    bool single;
    uint8_t types;
};

static void note(const struct schema *schema, struct member *member, uint32_t part) {
    const struct json *value = schema_get(schema, part, KW_CONST);
    const struct json *list = schema_get(schema, part, KW_ENUM);
    if (member->n == HOLDING) return;
    member->parts[member->n++] = part;
    member->types &= schema->parts[part].types;
    if (value) member->values = value;
    if (value) member->single = true;
    if (list && !member->single && (!member->values || list->len < member->values->len))
        member->values = list;
}

/* False after an error. */
static bool find(struct schema *schema, const struct bundle *bundle, const struct json *name,
                 struct member *member) {
    *member = (struct member){.types = TYPE_ALL};
    for (uint32_t i = 0; i < bundle->n; i++) {
        const struct json *map = schema_get(schema, term_part(bundle->terms[i]), KW_PROPERTIES);
        const struct json *own = map ? json_get_n(map, name->text, name->len) : NULL;
        uint32_t part = own ? schema_part_of(schema, own) : 0;
        if (part == RULES_NONE) return false;
        if (own) note(schema, member, part);
    }
    return true;
}

static bool allowed(struct schema *schema, const struct member *member, const struct json *value) {
    for (uint32_t i = 0; i < member->n; i++)
        if (schema_allows(schema, member->parts[i], value) == VERDICT_NO) return false;
    return true;
}

/* Not even with what can't be told. */
static bool impossible(struct schema *schema, const struct member *member) {
    if (member->types == 0) return true;
    if (member->n < 2 || !member->values) return false;
    if (member->single) return !allowed(schema, member, member->values);
    for (uint32_t i = 0; i < member->values->len; i++)
        if (i == VALUES || allowed(schema, member, member->values->items[i])) return false;
    return true;
}

static bool lacks(struct schema *schema, const struct bundle *bundle) {
    struct member member;
    uint32_t n = 0;
    for (uint32_t i = 0; i < bundle->n; i++) {
        const struct json *names = schema_get(schema, term_part(bundle->terms[i]), KW_REQUIRED);
        for (uint32_t k = 0; names && names->type == JSON_ARRAY && k < names->len; k++)
            if (n++ == NAMES || !find(schema, bundle, names->items[k], &member))
                return false;
            else if (impossible(schema, &member))
                return true;
    }
    return false;
}

void schema_prune(struct schema *schema, struct bundle *bundle) {
    struct error own = {0}, *error = schema->error;
    const struct json *source = schema->source;
    bool too_large = schema->too_large, uncertain = schema->uncertain;
    if (!(bundle->types & TYPE_OBJECT) || schema->prunings == PRUNINGS) return;
    schema->prunings++;
    schema->error = &own; /* what fails here fails again where it matters */
    schema->source = NULL;
    if (lacks(schema, bundle)) {
        bundle->types &= (uint8_t)~TYPE_OBJECT;
        bundle->dead |= bundle->types == 0;
        schema->pruned = true;
    }
    schema->error = error;
    schema->source = source;
    schema->too_large = too_large;
    schema->uncertain = uncertain;
}
