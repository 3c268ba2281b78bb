#include "engine/validate_internal.h"

KEYWORD_COMPILE(compile_ref) {
    struct schema *target;
    if (!resolve_ref(c, schema, constraint->value, &target)) return false;
    if (!constraint_room(c, constraint, 1)) return false;
    constraint->schemas[constraint->n_schemas++] = target;
    return true;
}

KEYWORD_CHECK(check_ref) {
    (void)schema;
    return schema_apply_in_place(run, constraint->schemas[0], instance, marks);
}

KEYWORD_COMPILE(compile_refused) {
    (void)schema;
    return refuse(c, constraint->value, constraint->keyword->name, "dynamic references");
}

KEYWORD_COMPILE(compile_list) {
    (void)schema;
    const struct json *list = constraint->value;
    if (!constraint_room(c, constraint, list->len)) return false;
    for (uint32_t i = 0; i < list->len; i++)
        if (!constraint_add(c, constraint, list->items[i])) return false;
    return true;
}

KEYWORD_COMPILE(compile_one) {
    (void)schema;
    return constraint_room(c, constraint, 1) && constraint_add(c, constraint, constraint->value);
}

KEYWORD_COMPILE(compile_unevaluated) {
    schema->unevaluated = true;
    return compile_one(c, schema, constraint);
}

KEYWORD_CHECK(check_all_of) {
    (void)schema;
    for (uint32_t i = 0; i < constraint->n_schemas; i++)
        if (!schema_apply_in_place(run, constraint->schemas[i], instance, marks)) return false;
    return true;
}

/* With marks every branch that holds counts, so all are tried. */
KEYWORD_CHECK(check_any_of) {
    (void)schema;
    bool any = false;
    for (uint32_t i = 0; i < constraint->n_schemas && (!any || marks); i++)
        if (schema_try(run, constraint->schemas[i], instance, marks)) any = true;
    return any || violated(run, "anyOf", instance);
}

/* Which branch holds is judged as the schema says; closing objects must not make the others fail.
 */
KEYWORD_CHECK(check_one_of) {
    (void)schema;
    const struct schema *found = NULL;
    for (uint32_t i = 0; i < constraint->n_schemas; i++) {
        if (!schema_try_open(run, constraint->schemas[i], instance, run->closed ? NULL : marks))
            continue;
        if (found) return violated(run, "oneOf", instance);
        found = constraint->schemas[i];
    }
    if (!found) return violated(run, "oneOf", instance);
    return !run->closed || schema_apply_in_place(run, found, instance, marks);
}

KEYWORD_CHECK(check_not) {
    (void)schema, (void)marks;
    return !schema_try_open(run, constraint->schemas[0], instance, NULL) ||
           violated(run, "not", instance);
}

static bool add_branch(struct compiler *c, struct constraint *constraint, const struct json *branch,
                       struct schema **schema) {
    if (!branch) return true;
    if (!constraint_add(c, constraint, branch)) return false;
    *schema = constraint->schemas[constraint->n_schemas - 1];
    return true;
}

KEYWORD_COMPILE(compile_condition) {
    if (!constraint_room(c, constraint, 3) || !constraint_add(c, constraint, constraint->value))
        return false;
    return add_branch(c, constraint, sibling(schema, "then"), &constraint->condition.then_schema) &&
           add_branch(c, constraint, sibling(schema, "else"), &constraint->condition.else_schema);
}

KEYWORD_CHECK(check_condition) {
    (void)schema;
    bool holds = schema_try_open(run, constraint->schemas[0], instance, marks);
    const struct schema *branch =
        holds ? constraint->condition.then_schema : constraint->condition.else_schema;
    return !branch || schema_apply_in_place(run, branch, instance, marks);
}
