#include <string.h>

#include "engine/schema_part.h"

enum { MAX_WORK = 20000, MAX_REF_DEPTH = 64 };

static bool add_part(struct schema *schema, struct bundle *bundle, uint32_t term, uint8_t via,
                     unsigned depth);

/* Was this part reached through itself, with no step into the instance between? Then a finite
 * instance can't be accounted for by it. */
static bool circular(const struct bundle *bundle, uint32_t part, uint8_t via) {
    for (; via < BUNDLE_PARTS; via = bundle->via[via])
        if (term_part(bundle->terms[via]) == part) return true;
    return false;
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

static bool add_choice(struct schema *schema, struct bundle *bundle, uint8_t at, bool one) {
    if (bundle->n_choices == BUNDLE_CHOICES) return schema_fail(schema, RULES_TOO_LARGE);
    bundle->choices[bundle->n_choices] = at;
    bundle->one[bundle->n_choices++] = one;
    return true;
}

static bool refuse_unsupported(struct schema *schema, uint32_t part) {
    static const uint8_t refused[] = {KW_NOT, KW_IF, KW_DYNAMIC_REF, KW_RECURSIVE_REF};
    for (size_t i = 0; i < sizeof refused; i++) {
        enum schema_keyword keyword = refused[i];
        const struct json *value = schema_get(schema, part, keyword);
        if (!value) continue;
        if (keyword == KW_IF && !schema_get(schema, part, KW_THEN) &&
            !schema_get(schema, part, KW_ELSE))
            continue;
        return schema_refuse(schema, part, keyword, "unsupported keyword");
    }
    return true;
}

static bool add_part(struct schema *schema, struct bundle *bundle, uint32_t term, uint8_t via,
                     unsigned depth) {
    uint32_t part = term_part(term);
    if (depth > MAX_REF_DEPTH || bundle->n == BUNDLE_PARTS)
        return schema_fail(schema, RULES_TOO_LARGE);
    if (circular(bundle, part, via)) return bundle->dead = true;
    if (contains(bundle, term)) return true;
    uint8_t at = (uint8_t)bundle->n++;
    bundle->terms[at] = term;
    bundle->via[at] = via;
    bundle->types &= schema->parts[part].types;
    if (bundle->types == 0) return bundle->dead = true;
    uint64_t present = schema->parts[part].present;
    if (!refuse_unsupported(schema, part)) return false;
    if (term & TERM_DECIDED) return true;
    unsigned extra = term & TERM_EXTRA;
    if (present >> KW_REF & 1 && !add_ref(schema, bundle, at, extra, depth)) return false;
    if (present >> KW_ALL_OF & 1 && !add_all(schema, bundle, at, extra, depth)) return false;
    if (present >> KW_ANY_OF & 1 && !add_choice(schema, bundle, at, false)) return false;
    return !(present >> KW_ONE_OF & 1) || add_choice(schema, bundle, at, true);
}

/* The branches of a oneOf that are not taken must not hold: either they can't, or it is shown
 * later that nothing satisfies both. */
static bool reject_others(struct schema *schema, struct bundle *bundle, uint32_t owner,
                          const struct json *list, uint32_t taken) {
    uint32_t chosen = schema_part_of(schema, list->items[taken]);
    for (uint32_t i = 0; i < list->len; i++) {
        uint32_t other = schema_part_of(schema, list->items[i]);
        if (other == RULES_NONE || chosen == RULES_NONE) return false;
        if (i == taken || schema_disjoint(schema, chosen, other)) continue;
        if (bundle->n_rejected == BUNDLE_CHOICES) return schema_fail(schema, RULES_TOO_LARGE);
        bundle->rejected[bundle->n_rejected] = other;
        bundle->rejected_by[bundle->n_rejected++] = owner;
    }
    return true;
}

static bool expand(struct schema *schema, const struct bundle *bundle, struct alternatives *out);

static bool expand_choice(struct schema *schema, struct bundle *bundle, struct alternatives *out) {
    uint8_t at = bundle->choices[--bundle->n_choices];
    bool one = bundle->one[bundle->n_choices];
    unsigned extra = bundle->terms[at] & TERM_EXTRA;
    uint32_t owner = term_part(bundle->terms[at]);
    const struct json *list = schema_get(schema, owner, one ? KW_ONE_OF : KW_ANY_OF);
    for (uint32_t i = 0; i < list->len; i++) {
        struct bundle branch = *bundle;
        uint32_t part = schema_part_of(schema, list->items[i]);
        if (part == RULES_NONE) return false;
        if (!add_part(schema, &branch, term_of(part, extra), at, 0)) return false;
        if (branch.dead) continue;
        if (one && !reject_others(schema, &branch, owner, list, i)) return false;
        if (!expand(schema, &branch, out)) return false;
    }
    return true;
}

/* Enum values were held against every part as a whole. */
static bool is_enumerated(const struct schema *schema, const struct bundle *bundle) {
    for (uint32_t i = 0; i < bundle->n; i++)
        if (schema->parts[term_part(bundle->terms[i])].present & (1ull << KW_ENUM | 1ull << KW_CONST))
            return true;
    return false;
}

/* For each rejected branch, the bundle with the branch as a mere restriction. */
static bool add_duties(struct schema *schema, const struct bundle *bundle) {
    uint32_t terms[BUNDLE_PARTS + 1];
    if (is_enumerated(schema, bundle)) return true;
    for (uint32_t i = 0; i < bundle->n_rejected; i++) {
        for (uint32_t t = 0; t < bundle->n; t++) terms[t] = bundle->terms[t] | TERM_DECIDED;
        terms[bundle->n] = term_of(bundle->rejected[i], TERM_EXTRA);
        if (!schema_add_duty(schema, terms, bundle->n + 1, bundle->rejected_by[i])) return false;
    }
    return true;
}

static bool expand(struct schema *schema, const struct bundle *bundle, struct alternatives *out) {
    if (++schema->work > MAX_WORK) return schema_fail(schema, RULES_TOO_LARGE);
    if (bundle->n_choices) {
        struct bundle copy = *bundle;
        return expand_choice(schema, &copy, out);
    }
    return schema_cells(schema, bundle, out) && add_duties(schema, bundle);
}

bool schema_expand(struct schema *schema, const uint32_t *terms, uint32_t n,
                   struct alternatives *out) {
    struct bundle bundle = {.types = TYPE_ALL};
    for (uint32_t i = 0; i < n; i++)
        if (!add_part(schema, &bundle, terms[i], BUNDLE_PARTS, 0)) return false;
    return bundle.dead || expand(schema, &bundle, out);
}

bool schema_bundle_of(struct schema *schema, uint32_t part, struct bundle *bundle, bool *many) {
    *bundle = (struct bundle){.types = TYPE_ALL};
    if (!add_part(schema, bundle, term_of(part, 0), BUNDLE_PARTS, 0)) return false;
    *many = !bundle->dead && bundle->n_choices > 0;
    return !*many;
}
