#include <string.h>

#include "engine/schema_text.h"

enum { MAX_REF_DEPTH = 64 };
/* Bundles of a schema and of one node. The first attempt gives up early, where many more are made than
 * there are subschemas: another is made that leaves more to guards. */
enum {
    MAX_WORK = 20000,
    MAX_NODE_WORK = 1500,
    FIRST_WORK = 4000,
    FIRST_WORK_FREE = 1100, /* and the number of subschemas */
    FIRST_NODE_WORK = 300,
    FEW_PARTS = 64, /* of a bundle without `if`, lists of which ask for many and are pruned */
    MOST_PRUNED = 64, /* alternatives of a node that was pruned */
    PRUNE_FROM = 24 /* of one node: before, pruning would cost more than it saves */
};

static bool add_part(struct schema *schema, struct bundle *bundle, uint32_t term, uint8_t via,
                     unsigned depth);

/* Was this part reached through itself, with no step into the instance between? What that means JSON
 * Schema leaves undefined. */
static bool circular(const struct bundle *bundle, uint32_t part, uint8_t via) {
    for (; via < BUNDLE_PARTS; via = bundle->via[via])
        if (term_part(bundle->terms[via]) == part) return true;
    return false;
}

/* Names the last $ref of the circle. */
static bool refuse_circle(struct schema *schema, const struct bundle *bundle, uint8_t via) {
    uint32_t part = term_part(bundle->terms[via]);
    while (via < BUNDLE_PARTS && !schema_get(schema, part, KW_REF)) {
        part = term_part(bundle->terms[via]);
        via = bundle->via[via];
    }
    return schema_refuse(schema, part, KW_REF, "leads to itself for one and the same value");
}

enum { REST = offsetof(struct bundle, n) }; /* of a bundle, behind its lists */

/* What there is of it: most are far from full. */
static void copy(struct bundle *to, const struct bundle *from) {
    memcpy((char *)to + REST, (const char *)from + REST, sizeof *to - REST);
    memcpy(to->terms, from->terms, from->n * sizeof *to->terms);
    memcpy(to->via, from->via, from->n * sizeof *to->via);
    memcpy(to->choices, from->choices, from->n_choices * sizeof *to->choices);
    memcpy(to->rejected, from->rejected, from->n_rejected * sizeof *to->rejected);
    memcpy(to->rejected_by, from->rejected_by, from->n_rejected * sizeof *to->rejected_by);
}

bool schema_only_judged(const struct bundle *bundle) {
    unsigned flags = 0;
    for (uint32_t i = 0; i < bundle->n; i++) flags |= bundle->terms[i];
    return flags & TERM_LOOSE;
}

static bool contains(const struct bundle *bundle, uint32_t term) {
    for (uint32_t i = 0; i < bundle->n; i++)
        if ((bundle->terms[i] | TERM_DECIDED) == (term | TERM_DECIDED)) return true;
    return false;
}

static bool add_ref(struct schema *schema, struct bundle *bundle, uint8_t at, unsigned extra,
                    unsigned depth) {
    uint32_t part = term_part(bundle->terms[at]);
    uint32_t found = schema_resolve(schema, part);
    if (found == RULES_NONE) return false;
    return add_part(schema, bundle, term_of(found, extra), at, depth + 1);
}

static bool add_all(struct schema *schema, struct bundle *bundle, uint8_t at, unsigned extra,
                    unsigned depth) {
    const struct json *list = schema_get(schema, term_part(bundle->terms[at]), KW_ALL_OF);
    for (uint32_t i = 0; i < list->len; i++) {
        uint32_t part = schema_part_of(schema, list->items[i]);
        if (part == RULES_NONE) return false;
        if (!add_part(schema, bundle, term_of(part, extra), at, depth + 1)) return false;
    }
    return true;
}

static bool add_choice(struct schema *schema, struct bundle *bundle, uint8_t at,
                       enum schema_keyword keyword, const struct json *list) {
    if (!list) return false;
    bundle->conditional |= keyword == KW_IF;
    if (bundle->n_choices == BUNDLE_CHOICES) return schema_fail(schema, RULES_TOO_LARGE);
    bundle->choices[bundle->n_choices++] = (struct bundle_choice){list, at, (uint8_t)keyword};
    return true;
}

static bool add_dependencies(struct schema *schema, struct bundle *bundle, uint8_t at,
                             enum schema_keyword keyword) {
    const struct json *map = schema_get(schema, term_part(bundle->terms[at]), keyword);
    for (uint32_t i = 0; i < map->len; i++)
        if (!add_choice(schema, bundle, at, keyword,
                        schema_dependency(schema, &map->keys[i], map->items[i])))
            return false;
    return true;
}

/* anyOf, oneOf */
static bool add_branches(struct schema *schema, struct bundle *bundle, uint8_t at,
                         enum schema_keyword keyword) {
    uint32_t part = term_part(bundle->terms[at]), constants;
    unsigned flags = bundle->terms[at] & (TERM_EXTRA | TERM_LOOSE);
    if (!schema_constants(schema, part, keyword, &constants)) return false;
    if (constants != RULES_NONE)
        return add_part(schema, bundle, term_of(constants, flags), at, 0);
    return add_choice(schema, bundle, at, keyword, schema_get(schema, part, keyword));
}

/* Keywords that amount to a choice between subschemas. */
static bool add_choices(struct schema *schema, struct bundle *bundle, uint8_t at) {
    uint32_t part = term_part(bundle->terms[at]);
    uint64_t present = schema->parts[part].present;
    bool loose = bundle->terms[at] & TERM_LOOSE;
    static const uint8_t lists[] = {KW_ANY_OF, KW_ONE_OF};
    static const uint8_t maps[] = {KW_DEPENDENCIES, KW_DEPENDENT_REQUIRED, KW_DEPENDENT_SCHEMAS};
    for (size_t i = 0; i < sizeof lists; i++)
        if (present >> lists[i] & 1 && !add_branches(schema, bundle, at, lists[i])) return false;
    if (loose || schema_left_to_guard(schema, bundle->terms[at])) return true;
    if (present >> KW_NOT & 1 &&
        !add_choice(schema, bundle, at, KW_NOT, schema_negation(schema, part)))
        return false;
    if (present >> KW_IF & 1 && present & (1ull << KW_THEN | 1ull << KW_ELSE) &&
        !add_choice(schema, bundle, at, KW_IF, schema_condition(schema, part)))
        return false;
    for (size_t i = 0; i < sizeof maps && bundle->types & TYPE_OBJECT; i++)
        if (present >> maps[i] & 1 && !add_dependencies(schema, bundle, at, maps[i])) return false;
    return true;
}

static bool refuse_unsupported(struct schema *schema, uint32_t part) {
    static const uint8_t refused[] = {KW_DYNAMIC_REF, KW_RECURSIVE_REF};
    for (size_t i = 0; i < sizeof refused; i++)
        if (schema_get(schema, part, refused[i]))
            return schema_refuse(schema, part, refused[i], "unsupported keyword");
    return true;
}

static bool add_part(struct schema *schema, struct bundle *bundle, uint32_t term, uint8_t via,
                     unsigned depth) {
    uint32_t part = term_part(term);
    if (depth > MAX_REF_DEPTH || bundle->n == (bundle->conditional ? BUNDLE_PARTS : FEW_PARTS))
        return schema_fail(schema, RULES_TOO_LARGE);
    if (circular(bundle, part, via)) return refuse_circle(schema, bundle, via);
    if (contains(bundle, term)) return true;
    uint8_t at = (uint8_t)bundle->n++;
    bundle->terms[at] = term;
    bundle->via[at] = via;
    bundle->types &= schema->parts[part].types;
    if (bundle->types == 0) return bundle->dead = true;
    uint64_t present = schema->parts[part].present;
    if (!refuse_unsupported(schema, part)) return false;
    if (term & TERM_DECIDED) return true;
    unsigned extra = term & (TERM_EXTRA | TERM_LOOSE);
    if (present >> KW_REF & 1 && !add_ref(schema, bundle, at, extra, depth)) return false;
    if (present >> KW_ALL_OF & 1 && !add_all(schema, bundle, at, extra, depth)) return false;
    return add_choices(schema, bundle, at);
}

static bool add_not(struct schema *schema, struct bundle *bundle, uint8_t via,
                    const struct json *branch) {
    const struct json *made = schema_make_object(schema, (const char *[]){"not"}, &branch, 1);
    uint32_t part = made ? schema_part_of(schema, made) : RULES_NONE;
    return part != RULES_NONE && add_part(schema, bundle, term_of(part, TERM_EXTRA), via, 1);
}

/* The branches of a oneOf that are not taken must not hold: either they can't, or it is shown
 * later that nothing satisfies both; where that failed before, their negation is added. */
static bool reject_others(struct schema *schema, struct bundle *bundle,
                          const struct bundle_choice *choice, uint32_t taken) {
    const struct json *list = choice->list;
    uint32_t owner = term_part(bundle->terms[choice->at]);
    uint32_t chosen = schema_part_of(schema, list->items[taken]);
    for (uint32_t i = 0; i < list->len && !bundle->dead; i++) {
        uint32_t other = schema_part_of(schema, list->items[i]);
        if (other == RULES_NONE || chosen == RULES_NONE) return false;
        if (i == taken || schema_disjoint(schema, chosen, other)) continue;
        if (schema_overlaps(schema, owner, other)) {
            if (!add_not(schema, bundle, choice->at, list->items[i])) return false;
            continue;
        }
        if (bundle->n_rejected == BUNDLE_CHOICES) return schema_fail(schema, RULES_TOO_LARGE);
        bundle->rejected[bundle->n_rejected] = other;
        bundle->rejected_by[bundle->n_rejected++] = owner;
    }
    return true;
}

static bool expand(struct schema *schema, const struct bundle *bundle, struct alternatives *out);

static bool expand_choice(struct schema *schema, const struct bundle *bundle,
                          struct alternatives *out) {
    const struct bundle_choice choice = bundle->choices[bundle->n_choices - 1];
    unsigned flags = bundle->terms[choice.at] & (TERM_EXTRA | TERM_LOOSE);
    bool one = choice.keyword == KW_ONE_OF && !(flags & TERM_LOOSE) &&
               !schema_left_to_guard(schema, bundle->terms[choice.at]) &&
               !schema_tagged(schema, term_part(bundle->terms[choice.at]));
    if (choice.keyword == KW_NOT) flags |= TERM_EXTRA; /* `not` declares no members */
    for (uint32_t i = 0; i < choice.list->len; i++) {
        struct bundle branch;
        uint32_t part = schema_part_of(schema, choice.list->items[i]);
        copy(&branch, bundle);
        branch.n_choices--;
        if (part == RULES_NONE) return false;
        if (!add_part(schema, &branch, term_of(part, flags), choice.at, 0)) return false;
        if (one && !branch.dead && !reject_others(schema, &branch, &choice, i)) return false;
        if (!branch.dead && schema->work >= schema->prune_from) schema_prune(schema, &branch);
        if (branch.dead) continue;
        if (!expand(schema, &branch, out)) return false;
    }
    return true;
}

/* Enum values were held against every part as a whole. */
static bool is_enumerated(const struct schema *schema, const struct bundle *bundle) {
    for (uint32_t i = 0; i < bundle->n; i++)
        if (schema->parts[term_part(bundle->terms[i])].present &
            (1ull << KW_ENUM | 1ull << KW_CONST))
            return true;
    return false;
}

/* For each rejected branch, the bundle with the branch as a mere restriction. */
static bool add_duties(struct schema *schema, const struct bundle *bundle) {
    uint32_t terms[BUNDLE_PARTS + 1];
    if (is_enumerated(schema, bundle)) return true;
    for (uint32_t i = 0; i < bundle->n_rejected; i++) {
        for (uint32_t t = 0; t < bundle->n; t++) terms[t] = bundle->terms[t] | TERM_DECIDED;
        terms[bundle->n] = term_of(bundle->rejected[i], TERM_EXTRA | TERM_LOOSE);
        if (!schema_add_duty(schema, terms, bundle->n + 1, bundle->rejected_by[i],
                             bundle->rejected[i]))
            return false;
    }
    return true;
}

static bool expand(struct schema *schema, const struct bundle *bundle, struct alternatives *out) {
    if (++schema->work > schema->work_limit) return schema_fail(schema, RULES_TOO_LARGE);
    if (bundle->n_choices) return expand_choice(schema, bundle, out);
    return schema_cells(schema, bundle, out) && add_duties(schema, bundle);
}

/* Strings have their cell already. A term says so, which what is demanded of the bundle holds, too. */
static bool exclude_strings(struct schema *schema, struct bundle *bundle) {
    static const struct json others = {.type = JSON_OBJECT};
    uint32_t part = schema_part_of(schema, &others);
    if (part == RULES_NONE) return false;
    schema->parts[part].types = TYPE_ALL & ~TYPE_STRING;
    return add_part(schema, bundle, term_of(part, TERM_EXTRA), BUNDLE_PARTS, 0);
}

bool schema_expand(struct schema *schema, const uint32_t *terms, uint32_t n,
                   struct alternatives *out) {
    struct bundle bundle;
    memset((char *)&bundle + REST, 0, sizeof bundle - REST);
    bundle.types = TYPE_ALL;
    bool first = !schema->frugal;
    uint32_t most = first ? FIRST_WORK_FREE + schema->document_parts : MAX_WORK;
    if (first && most > FIRST_WORK) most = FIRST_WORK;
    schema->prune_from = schema->work + PRUNE_FROM;
    schema->pruned = false;
    schema->work_limit = schema->work + (first ? FIRST_NODE_WORK : MAX_NODE_WORK);
    if (schema->work_limit > most) schema->work_limit = most;
    for (uint32_t i = 0; i < n; i++)
        if (!add_part(schema, &bundle, terms[i], BUNDLE_PARTS, 0)) return false;
    if (bundle.dead) return true;
    bool made;
    if (!schema_text_cell(schema, &bundle, terms, n, out, &made)) return false;
    if (made && !exclude_strings(schema, &bundle)) return false;
    if (!bundle.dead && !expand(schema, &bundle, out)) return false;
    /* What was pruned to this size is still many ways to read one text: the guard of few is better. */
    return !first || !schema->pruned || out->n <= MOST_PRUNED || schema_fail(schema, RULES_TOO_LARGE);
}
