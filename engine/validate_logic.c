#include "engine/validate_internal.h"

KEYWORD_COMPILE(ref) {
    struct schema *target;
    if (!validate_resolve(c, schema, constraint->value, &target)) return false;
    if (!validate_room(c, constraint, 1)) return false;
    constraint->schemas[constraint->n_schemas++] = target;
    return true;
}

KEYWORD_CHECK(ref) {
    (void)schema;
    return validation_apply_in_place(run, constraint->schemas[0], instance, marks);
}

KEYWORD_COMPILE(refused) {
    (void)schema;
    return validate_refuse(c, constraint->value, constraint->keyword->name, "dynamic references");
}

KEYWORD_COMPILE(list) {
    (void)schema;
    const struct json *list = constraint->value;
    if (!validate_room(c, constraint, list->len)) return false;
    for (uint32_t i = 0; i < list->len; i++)
        if (!validate_add(c, constraint, list->items[i])) return false;
    return true;
}

KEYWORD_COMPILE(one) {
    (void)schema;
    return validate_room(c, constraint, 1) && validate_add(c, constraint, constraint->value);
}

KEYWORD_COMPILE(unevaluated) {
    schema->unevaluated = true;
    return COMPILE(one)(c, schema, constraint);
}

KEYWORD_CHECK(all_of) {
    (void)schema;
    for (uint32_t i = 0; i < constraint->n_schemas; i++)
        if (!validation_apply_in_place(run, constraint->schemas[i], instance, marks)) return false;
    return true;
}

/* With marks every branch that holds counts, so all are tried. */
KEYWORD_CHECK(any_of) {
    (void)schema;
    bool any = false;
    for (uint32_t i = 0; i < constraint->n_schemas && (!any || marks); i++)
        if (validation_try(run, constraint->schemas[i], instance, marks)) any = true;
    return any || validation_violated(run, "anyOf", instance);
}

/* Which branch holds is judged as the schema says; closing objects must not make the others fail.
 */
KEYWORD_CHECK(one_of) {
    (void)schema;
    const struct schema *found = NULL;
    for (uint32_t i = 0; i < constraint->n_schemas; i++) {
        if (!validation_try_open(run, constraint->schemas[i], instance, run->closed ? NULL : marks))
            continue;
        if (found) return validation_violated(run, "oneOf", instance);
        found = constraint->schemas[i];
    }
    if (!found) return validation_violated(run, "oneOf", instance);
    return !run->closed || validation_apply_in_place(run, found, instance, marks);
}

KEYWORD_CHECK(not ) {
    (void)schema, (void)marks;
    return !validation_try_open(run, constraint->schemas[0], instance, NULL) ||
           validation_violated(run, "not", instance);
}

static bool add_branch(struct compiler *c, struct constraint *constraint, const struct json *branch,
                       struct schema **schema) {
    if (!branch) return true;
    if (!validate_add(c, constraint, branch)) return false;
    *schema = constraint->schemas[constraint->n_schemas - 1];
    return true;
}

KEYWORD_COMPILE(condition) {
    if (!validate_room(c, constraint, 3) || !validate_add(c, constraint, constraint->value))
        return false;
    return add_branch(c, constraint, validate_sibling(schema, "then"),
                      &constraint->condition.then_schema) &&
           add_branch(c, constraint, validate_sibling(schema, "else"),
                      &constraint->condition.else_schema);
}

KEYWORD_CHECK(condition) {
    (void)schema;
    bool holds = validation_try_open(run, constraint->schemas[0], instance, marks);
    const struct schema *branch =
        holds ? constraint->condition.then_schema : constraint->condition.else_schema;
    return !branch || validation_apply_in_place(run, branch, instance, marks);
}
