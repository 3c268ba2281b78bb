#include "engine/validate_internal.h"

#include <string.h>

/* What the schemas that apply to one object say together: a schema with all that its allOf, anyOf,
 * oneOf, $ref, if, then, else and dependent schemas apply in place. */
struct cluster {
    uint32_t n;        /* schemas in run->cluster */
    bool of_objects;   /* one of them speaks of objects */
    bool open;         /* one of them says what further members may be, or lists whole values */
    bool names;        /* one of them restricts names */
    const struct json *listed; /* the instance if it holds others, which a list of values may spell */
    bool spelled;              /* one does */
    uint64_t declared; /* members and patterns, those declared twice counted twice */
    uint64_t least;    /* members that must be there */
};

static void add_schema(struct validation *run, struct cluster *cluster,
                       const struct schema *schema) {
    if (run->seen[schema->id] == run->generation) return;
    run->seen[schema->id] = run->generation;
    run->cluster[cluster->n++] = schema->id;
}

static void add_members(struct cluster *cluster, const struct constraint *constraint) {
    cluster->declared += constraint->members.n_properties + constraint->members.n_patterns;
    if (constraint->members.additional && !constraint->schemas[constraint->n_schemas - 1]->never)
        cluster->open = true;
}

static bool holds_others(const struct json *instance) {
    for (uint32_t i = 0; i < instance->len; i++)
        if (instance->items[i]->type >= JSON_ARRAY) return true;
    return false;
}

static bool spells(struct validation *run, const struct constraint *constraint,
                   const struct json *instance) {
    run->quiet++;
    bool holds = instance && constraint->keyword->check(run, NULL, constraint, instance, NULL);
    run->quiet--;
    return holds;
}

static void add_constraint(struct validation *run, struct cluster *cluster,
                           const struct constraint *constraint) {
    const struct keyword *keyword = constraint->keyword;
    if (keyword->applies == ON_OBJECT) cluster->of_objects = true;
    if (keyword->reach == REACH_IN_PLACE)
        for (uint32_t i = 0; i < constraint->n_schemas; i++)
            add_schema(run, cluster, constraint->schemas[i]);
    if (keyword->check == CHECK(type) && constraint->types & ON_OBJECT) cluster->of_objects = true;
    if (keyword->check == CHECK(enum) || keyword->check == CHECK(const)) {
        cluster->open = true;
        cluster->spelled |= spells(run, constraint, cluster->listed);
    }
    if (keyword->check == CHECK(members)) add_members(cluster, constraint);
    if (keyword->check == CHECK(required)) cluster->declared += constraint->value->len;
    if (keyword->check == CHECK(property_names)) cluster->names = true;
    if (keyword->check == CHECK(min_properties) && constraint->count > cluster->least)
        cluster->least = constraint->count;
    if (keyword->check == CHECK(unevaluated_properties) && !constraint->schemas[0]->never)
        cluster->open = true;
}

static bool gather(struct validation *run, struct cluster *cluster, const struct schema *schema) {
    run->generation++;
    add_schema(run, cluster, schema);
    for (uint32_t i = 0; i < cluster->n; i++) {
        const struct schema *at = run->validator->schemas[run->cluster[i]];
        if (!validation_spend(run, 1 + at->n_constraints)) return false;
        for (uint32_t k = 0; k < at->n_constraints; k++)
            add_constraint(run, cluster, &at->constraints[k]);
    }
    return true;
}

static bool lists(struct validation *run, const struct json *names, const struct json_key *key) {
    if (!validation_spend(run, names->len)) return false;
    for (uint32_t i = 0; i < names->len; i++) {
        const struct json *name = names->items[i];
        if (name->len == key->len && memcmp(name->text, key->text, key->len) == 0) return true;
    }
    return false;
}

static bool has_pattern(struct validation *run, const struct constraint *constraint,
                        const struct json_key *key) {
    for (uint32_t i = 0; i < constraint->members.n_patterns; i++)
        if (validation_matches(run, constraint->members.patterns[i], key->text, key->len))
            return true;
    return false;
}

static bool constraint_declares(struct validation *run, const struct constraint *constraint,
                                const struct json_key *key) {
    const struct json *value = constraint->value;
    if (constraint->keyword->check == CHECK(members))
        return json_index(constraint->members.properties, key->text, key->len) != JSON_ABSENT ||
               has_pattern(run, constraint, key);
    if (constraint->keyword->check == CHECK(required)) return lists(run, value, key);
    if (constraint->keyword->check == CHECK(dependencies))
        for (uint32_t i = 0; i < value->len; i++)
            if (value->items[i]->type == JSON_ARRAY && lists(run, value->items[i], key))
                return true;
    return false;
}

static bool declared(struct validation *run, const struct cluster *cluster,
                     const struct json_key *key) {
    for (uint32_t i = 0; i < cluster->n; i++) {
        const struct schema *at = run->validator->schemas[run->cluster[i]];
        if (!validation_spend(run, 1 + at->n_constraints)) return false;
        for (uint32_t k = 0; k < at->n_constraints; k++)
            if (constraint_declares(run, &at->constraints[k], key)) return true;
    }
    return false;
}

/* Nothing could satisfy a schema that wants more members than it declares, were it closed; and one
 * that only says how members are named means them to be there. */
static bool means_open(const struct cluster *cluster) {
    return cluster->open || !cluster->of_objects || cluster->least > cluster->declared ||
           (cluster->names && cluster->declared == 0);
}

bool validation_closed(struct validation *run, const struct schema *schema,
                       const struct json *instance, bool *spelled) {
    struct cluster cluster = {.listed = holds_others(instance) ? instance : NULL};
    if (instance->type == JSON_ARRAY && !cluster.listed) return true;
    if (!gather(run, &cluster, schema)) return false;
    *spelled = cluster.spelled;
    if (instance->type == JSON_ARRAY || means_open(&cluster)) return true;
    for (uint32_t i = 0; i < instance->len; i++)
        if (!declared(run, &cluster, &instance->keys[i]))
            return validation_violated(run, "additionalProperties", instance->items[i]);
    return true;
}
