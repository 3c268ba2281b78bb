#include "engine/validate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/validate_internal.h"

bool validation_spend(struct validation *run, uint64_t steps) {
    if (run->too_complex) return false;
    run->too_complex = run->steps_left < steps;
    if (!run->too_complex) run->steps_left -= steps;
    return !run->too_complex;
}

bool validation_violated(struct validation *run, const char *keyword, const struct json *at) {
    if (run->quiet || run->keyword) return false;
    run->keyword = keyword;
    run->at = at;
    return false;
}

bool validation_matches(struct validation *run, const struct regex *regex, const char *text,
                        size_t len) {
    if (run->too_complex) return false;
    enum regex_verdict verdict = regex_search(regex, text, len, &run->steps_left);
    if (verdict == REGEX_TOO_COMPLEX) run->too_complex = true;
    return verdict == REGEX_YES;
}

/* ---- Marks ---- */

bool validate_marks_init(struct validation *run, struct marks *marks, const struct json *instance) {
    bool container = instance->type == JSON_OBJECT || instance->type == JSON_ARRAY;
    *marks = (struct marks){.n = container ? instance->len : 0};
    if (marks->n <= 64) return true;
    size_t words = (marks->n + 63) / 64;
    if (!validation_spend(run, words)) return false;
    marks->bits = calloc(words, sizeof *marks->bits);
    if (!marks->bits) run->too_complex = true;
    return marks->bits != NULL;
}

void validate_marks_free(struct marks *marks) {
    free(marks->bits);
}

static uint64_t *word_of(struct marks *marks, uint32_t i) {
    return marks->bits ? &marks->bits[i / 64] : &marks->inline_bits;
}

void validate_marks_set(struct marks *marks, uint32_t i) {
    if (marks) *word_of(marks, i) |= UINT64_C(1) << i % 64;
}

void validate_marks_set_all(struct marks *marks) {
    for (uint32_t i = 0; i < marks->n; i += 64) *word_of(marks, i) = UINT64_MAX;
}

bool validate_marks_has(const struct marks *marks, uint32_t i) {
    uint64_t word = marks->bits ? marks->bits[i / 64] : marks->inline_bits;
    return word >> i % 64 & 1;
}

void validate_marks_merge(struct marks *into, const struct marks *from) {
    for (uint32_t i = 0; i < from->n; i += 64)
        *word_of(into, i) |= from->bits ? from->bits[i / 64] : from->inline_bits;
}

/* ---- Applying schemas ---- */

static bool check_constraints(struct validation *run, const struct schema *schema,
                              const struct json *instance, struct marks *marks) {
    for (uint32_t i = 0; i < schema->n_constraints; i++) {
        const struct constraint *constraint = &schema->constraints[i];
        if (!(constraint->keyword->applies & ON(instance->type))) continue;
        if (!constraint->keyword->check(run, schema, constraint, instance, marks)) return false;
    }
    return !run->too_complex;
}

/* unevaluated* sees what this schema evaluated, and not what its cousins did. */
static bool check_with_own_marks(struct validation *run, const struct schema *schema,
                                 const struct json *instance, struct marks *marks) {
    struct marks own;
    bool fine =
        validate_marks_init(run, &own, instance) && check_constraints(run, schema, instance, &own);
    if (fine && marks) validate_marks_merge(marks, &own);
    validate_marks_free(&own);
    return fine;
}

bool validation_apply_in_place(struct validation *run, const struct schema *schema,
                               const struct json *instance, struct marks *marks) {
    if (schema->never) return validation_violated(run, "false", instance);
    if (!validation_spend(run, 1 + schema->n_constraints)) return false;
    if (run->depth >= VALIDATE_DEPTH) {
        run->too_complex = true;
        return false;
    }
    run->depth++;
    bool fine = schema->unevaluated ? check_with_own_marks(run, schema, instance, marks)
                                    : check_constraints(run, schema, instance, marks);
    run->depth--;
    return fine;
}

bool validation_apply(struct validation *run, const struct schema *schema,
                      const struct json *instance) {
    bool closed = run->closed, spelled = false;
    if (closed && instance->type >= JSON_ARRAY && !validation_closed(run, schema, instance, &spelled))
        return false;
    run->closed = closed && !spelled;
    bool fine = validation_apply_in_place(run, schema, instance, NULL);
    run->closed = closed;
    return fine;
}

bool validation_try(struct validation *run, const struct schema *schema,
                    const struct json *instance, struct marks *marks) {
    struct marks tried;
    if (marks && !validate_marks_init(run, &tried, instance)) return false;
    run->quiet++;
    bool holds = validation_apply_in_place(run, schema, instance, marks ? &tried : NULL);
    run->quiet--;
    if (marks && holds) validate_marks_merge(marks, &tried);
    if (marks) validate_marks_free(&tried);
    return holds;
}

bool validation_try_open(struct validation *run, const struct schema *schema,
                         const struct json *instance, struct marks *marks) {
    bool closed = run->closed;
    run->closed = false;
    bool holds = validation_try(run, schema, instance, marks);
    run->closed = closed;
    return holds;
}

/* ---- One check ---- */

static bool report(const struct validation *run, const struct json *instance, struct error *error) {
    if (run->too_complex) {
        snprintf(error->reason, sizeof error->reason, "too_complex");
        return error_set(error, ERROR_OUTPUT_INVALID, "the value is too complex to be validated");
    }
    const char *keyword = run->keyword ? run->keyword : "";
    validate_pointer(instance, run->at ? run->at : instance,
                     run->missing.text ? &run->missing : NULL, error->path, sizeof error->path);
    snprintf(error->keyword, sizeof error->keyword, "%s", keyword);
    return error_set(error, ERROR_OUTPUT_INVALID, "the value violates the schema's %s", keyword);
}

static bool scratch_new(struct validation *run) {
    if (!run->closed) return true;
    run->seen = calloc(run->validator->n_schemas, sizeof *run->seen);
    run->cluster = malloc(run->validator->n_schemas * sizeof *run->cluster);
    return run->seen && run->cluster;
}

bool validator_check(const struct validator *validator, const struct json *instance,
                     struct error *error) {
    struct validation run = {.validator = validator, .steps_left = VALIDATE_STEPS};
    run.closed = validator->flags & VALIDATE_CLOSED;
    run.too_complex = !scratch_new(&run);
    bool valid = !run.too_complex && validation_apply(&run, validator->root, instance) &&
                 !run.too_complex;
    free(run.seen);
    free(run.cluster);
    return valid || (error->code == ERROR_NONE && report(&run, instance, error));
}

/* ---- One subschema ---- */

uint32_t validator_find(const struct validator *validator, const char *raw) {
    for (uint32_t i = 0; i < validator->n_schemas; i++)
        if (validator->schemas[i]->source->raw == raw) return i;
    return VALIDATE_NONE;
}

enum validate_answer validator_ask(const struct validator *validator, uint32_t subschema,
                                   const struct json *instance, bool open, uint64_t *steps) {
    struct validation run = {.validator = validator, .steps_left = *steps, .quiet = 1};
    run.closed = validator->flags & VALIDATE_CLOSED && !open;
    run.too_complex = !scratch_new(&run);
    bool holds =
        !run.too_complex &&
        validation_apply_in_place(&run, validator->schemas[subschema], instance, NULL);
    free(run.seen);
    free(run.cluster);
    *steps = run.steps_left;
    if (run.too_complex) return VALIDATE_UNTOLD;
    return holds ? VALIDATE_HOLDS : VALIDATE_FAILS;
}
