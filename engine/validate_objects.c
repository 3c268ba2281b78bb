#include "engine/validate_internal.h"

/* ---- required, counts, names ---- */

KEYWORD_COMPILE(required) {
    (void)schema;
    return validate_string_list(c, constraint->value);
}

static bool all_present(struct validation *run, const char *keyword, const struct json *names,
                        const struct json *instance) {
    for (uint32_t i = 0; i < names->len; i++) {
        const struct json *name = names->items[i];
        if (!validation_spend(run, 1)) return false;
        if (json_get_n(instance, name->text, name->len)) continue;
        if (!run->quiet && !run->keyword)
            run->missing = (struct json_key){name->text, name->len, 0};
        return validation_violated(run, keyword, instance);
    }
    return true;
}

KEYWORD_CHECK(required) {
    (void)schema, (void)marks;
    return all_present(run, "required", constraint->value, instance);
}

KEYWORD_CHECK(min_properties) {
    (void)schema, (void)marks;
    return instance->len >= constraint->count ||
           validation_violated(run, "minProperties", instance);
}

KEYWORD_CHECK(max_properties) {
    (void)schema, (void)marks;
    return instance->len <= constraint->count ||
           validation_violated(run, "maxProperties", instance);
}

/* The name becomes a string value; what is violated is reported at the member. */
KEYWORD_CHECK(property_names) {
    (void)schema, (void)marks;
    for (uint32_t i = 0; i < instance->len; i++) {
        const struct json_key *key = &instance->keys[i];
        struct json name = {
            .type = JSON_STRING, .len = key->len, .text = key->text, .raw_len = key->len};
        if (!validation_try_open(run, constraint->schemas[0], &name, NULL))
            return validation_violated(run, "propertyNames", instance->items[i]);
    }
    return true;
}

/* ---- properties, patternProperties, additionalProperties ---- */

static bool first_of_members(const struct schema *schema, const char *name) {
    if (name[1] == 'r') return true; /* properties */
    if (validate_sibling(schema, "properties")) return false;
    return name[0] == 'p' || !validate_sibling(schema, "patternProperties");
}

static bool compile_patterns(struct compiler *c, struct constraint *constraint,
                             const struct json *patterns) {
    if (patterns->len == 0) return true;
    struct regex **made = validate_take(&c->v->arena, patterns->len * sizeof(struct regex *));
    if (!made) return validate_no_memory(c);
    constraint->members.patterns = made;
    for (uint32_t i = 0; i < patterns->len; i++) {
        const struct json_key *key = &patterns->keys[i];
        if (!validate_regex(c, patterns->items[i], "patternProperties", key->text, key->len,
                            &made[i]))
            return false;
        if (!validate_add(c, constraint, patterns->items[i])) return false;
        constraint->members.n_patterns++;
    }
    return true;
}

KEYWORD_COMPILE(members) {
    if (!first_of_members(schema, constraint->keyword->name)) {
        constraint->keyword = NULL; /* the sibling's constraint covers this one */
        return true;
    }
    const struct json *properties = validate_sibling(schema, "properties");
    const struct json *patterns = validate_sibling(schema, "patternProperties");
    const struct json *additional = validate_sibling(schema, "additionalProperties");
    size_t n = (properties ? properties->len : 0) + (patterns ? patterns->len : 0) + 1;
    if (!validate_room(c, constraint, n)) return false;
    for (uint32_t i = 0; properties && i < properties->len; i++)
        if (!validate_add(c, constraint, properties->items[i])) return false;
    constraint->members.properties = properties;
    constraint->members.n_properties = properties ? properties->len : 0;
    if (patterns && !compile_patterns(c, constraint, patterns)) return false;
    constraint->members.additional = additional != NULL;
    return !additional || validate_add(c, constraint, additional);
}

/* patternProperties that the member's name matches; *any says if there was one. */
static bool check_patterns(struct validation *run, const struct constraint *constraint,
                           const struct json_key *key, const struct json *value, bool *any) {
    struct schema *const *schemas = constraint->schemas + constraint->members.n_properties;
    for (uint32_t p = 0; p < constraint->members.n_patterns; p++) {
        if (!validation_matches(run, constraint->members.patterns[p], key->text, key->len))
            continue;
        *any = true;
        if (!validation_apply(run, schemas[p], value)) return false;
    }
    return !run->too_complex;
}

static bool check_member(struct validation *run, const struct constraint *constraint,
                         const struct json_key *key, const struct json *value, bool *evaluated) {
    uint32_t property = json_index(constraint->members.properties, key->text, key->len);
    *evaluated = property != JSON_ABSENT;
    if (*evaluated && !validation_apply(run, constraint->schemas[property], value)) return false;
    if (!check_patterns(run, constraint, key, value, evaluated)) return false;
    if (*evaluated || !constraint->members.additional) return true;
    *evaluated = true;
    const struct schema *additional = constraint->schemas[constraint->n_schemas - 1];
    if (additional->never) return validation_violated(run, "additionalProperties", value);
    return validation_apply(run, additional, value);
}

KEYWORD_CHECK(members) {
    (void)schema;
    for (uint32_t i = 0; i < instance->len; i++) {
        bool evaluated = false;
        if (!validation_spend(run, 1)) return false;
        if (!check_member(run, constraint, &instance->keys[i], instance->items[i], &evaluated))
            return false;
        if (evaluated) validate_marks_set(marks, i);
    }
    return true;
}

/* ---- dependencies ---- */

KEYWORD_COMPILE(dependent_required) {
    (void)schema;
    const struct json *value = constraint->value;
    if (value->type != JSON_OBJECT) return validate_malformed(c, value, "must be an object");
    for (uint32_t i = 0; i < value->len; i++)
        if (!validate_string_list(c, value->items[i])) return false;
    return true;
}

/* Their walk has checked that each is a schema or a list. */
KEYWORD_COMPILE(dependencies) {
    (void)schema;
    const struct json *value = constraint->value;
    if (!validate_room(c, constraint, value->len)) return false;
    for (uint32_t i = 0; i < value->len; i++) {
        const struct json *item = value->items[i];
        bool list = item->type == JSON_ARRAY || item->type == JSON_STRING;
        if (list ? !validate_string_list(c, item) : !validate_add(c, constraint, item))
            return false;
    }
    return true;
}

/* All three keywords: a list of names that must be there too, or a schema that must hold. */
KEYWORD_CHECK(dependencies) {
    (void)schema;
    const struct json *value = constraint->value;
    uint32_t next_schema = 0;
    for (uint32_t i = 0; i < value->len; i++) {
        const struct json_key *key = &value->keys[i];
        const struct schema *needed =
            value->items[i]->type == JSON_ARRAY ? NULL : constraint->schemas[next_schema++];
        if (!validation_spend(run, 1)) return false;
        if (!json_get_n(instance, key->text, key->len)) continue;
        if (!needed) {
            if (!all_present(run, constraint->keyword->name, value->items[i], instance))
                return false;
        } else if (!validation_apply_in_place(run, needed, instance, marks)) {
            return validation_violated(run, constraint->keyword->name, instance);
        }
    }
    return true;
}

/* ---- unevaluatedProperties ---- */

KEYWORD_CHECK(unevaluated_properties) {
    (void)schema;
    const struct schema *rest = constraint->schemas[0];
    for (uint32_t i = 0; i < instance->len; i++) {
        if (!validation_spend(run, 1)) return false;
        if (validate_marks_has(marks, i)) continue;
        if (rest->never)
            return validation_violated(run, "unevaluatedProperties", instance->items[i]);
        if (!validation_apply(run, rest, instance->items[i])) return false;
    }
    validate_marks_set_all(marks);
    return true;
}
