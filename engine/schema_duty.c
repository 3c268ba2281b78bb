/* What must turn out empty: bundles in which a branch of a oneOf that was not taken holds as well.
 * Whether they do is known once everything is measured. Where they don't, the sets that relied on it
 * are compiled anew, with the negation of that branch. */
#include <stdio.h>

#include "engine/schema_part.h"
#include "engine/vector.h"

enum { MAX_OVERLAPS = 256, MAX_ROUNDS = 4 };

bool schema_add_duty(struct schema *schema, uint32_t *terms, uint32_t n, uint32_t part,
                     uint32_t branch) {
    if (!vector_reserve((void **)&schema->duties, &schema->cap_duties, schema->n_duties + 1,
                        sizeof *schema->duties))
        return schema_fail(schema, RULES_MEMORY);
    struct schema_duty duty = {.node = schema_node(schema, terms, n),
                               .part = part,
                               .branch = branch,
                               .set = schema->filling};
    schema->duties[schema->n_duties++] = duty;
    return duty.node != RULES_NONE;
}

bool schema_overlaps(const struct schema *schema, uint32_t owner, uint32_t branch) {
    for (uint32_t i = 0; i < schema->n_overlaps; i++)
        if (schema->overlaps[i].owner == owner && schema->overlaps[i].branch == branch)
            return true;
    return false;
}

static bool add_overlap(struct schema *schema, const struct schema_duty *duty) {
    if (schema_overlaps(schema, duty->part, duty->branch)) return true;
    if (schema->n_overlaps >= MAX_OVERLAPS)
        return schema_refuse(schema, duty->part, KW_ONE_OF, "its branches are not provably disjoint");
    if (!vector_reserve((void **)&schema->overlaps, &schema->cap_overlaps, schema->n_overlaps + 1,
                        sizeof *schema->overlaps))
        return schema_fail(schema, RULES_MEMORY);
    schema->overlaps[schema->n_overlaps++] = (struct schema_overlap){duty->part, duty->branch};
    return true;
}

/* Marks the sets of which a duty failed. */
static enum schema_outcome check_duties(struct schema *schema) {
    enum schema_outcome outcome = SCHEMA_SETTLED;
    for (uint32_t i = 0; i < schema->n_duties; i++) {
        const struct schema_duty *duty = &schema->duties[i];
        if (schema->rules->nodes[duty->node].shortest == RULES_INFINITE) continue;
        outcome = SCHEMA_AGAIN;
        if (!add_overlap(schema, duty)) return SCHEMA_FAILED;
        schema->sets[duty->set].stale = true;
    }
    return outcome;
}

static enum schema_outcome compile_again(struct schema *schema) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < schema->n_duties; i++)
        if (!schema->sets[schema->duties[i].set].stale) schema->duties[kept++] = schema->duties[i];
    schema->n_duties = kept;
    schema->work = 0;
    bool done = ++schema->rounds < MAX_ROUNDS ? schema_compile_sets(schema)
                                              : schema_fail(schema, RULES_TOO_LARGE);
    return done || schema_compile_frugally(schema) ? SCHEMA_AGAIN : SCHEMA_FAILED;
}

static bool make_judge(struct schema *schema) {
    struct error error = {0}, *to = schema->error;
    if (schema->judge == RULES_NONE ||
        guards_make_judge(&schema->rules->guards, schema->judge, schema->source_text,
                          schema->source_len, schema->options.closed, &error))
        return true;
    if (to->code != ERROR_NONE) return false;
    *to = error;
    snprintf(to->path, sizeof to->path, "%s%.*s", schema->place,
             (int)(sizeof error.path - sizeof schema->place), error.path);
    return false;
}

enum schema_outcome schema_settle(struct schema *schema, struct error *error) {
    schema->error = error;
    enum schema_outcome outcome = check_duties(schema);
    if (outcome == SCHEMA_AGAIN) return compile_again(schema);
    if (outcome == SCHEMA_FAILED) return outcome;
    const struct node *root = &schema->rules->nodes[schema->root_node];
    if (root->shortest != RULES_INFINITE && root->height <= RULES_DEPTH)
        return make_judge(schema) ? SCHEMA_SETTLED : SCHEMA_FAILED;
    error_at(error, ERROR_SCHEMA_UNSUPPORTED, schema->options.place,
             "nothing satisfies the schema");
    snprintf(error->reason, sizeof error->reason, "unsatisfiable");
    return SCHEMA_FAILED;
}
