/* What the automaton leaves to guards: a part's own subschema is judged where the value closes. */
#include "engine/schema_part.h"

enum { MAX_GUARDS = 1024 /* of a grammar */ };

bool schema_guard(struct schema *schema, const struct json *subschema, bool negated, bool open,
                  uint32_t *guard) {
    struct guards *guards = &schema->rules->guards;
    if (!schema_can_guard(schema, subschema) || guards->n >= MAX_GUARDS)
        return schema_fail(schema, RULES_TOO_LARGE);
    uint32_t at = (uint32_t)(subschema->raw - schema->source_text);
    return guards_add(guards, &schema->judge, at, negated, open, guard) ||
           schema_fail(schema, RULES_MEMORY);
}

bool schema_can_guard(const struct schema *schema, const struct json *subschema) {
    return subschema->raw && schema->source_text; /* made up ones have no text */
}

/* ---- what the guards of a bundle are ---- */

struct found {
    uint32_t list[3 * BUNDLE_PARTS], n;
};

static bool add(struct schema *schema, struct found *found, const struct json *subschema,
                bool negated, bool open) {
    uint32_t guard;
    if (!schema_guard(schema, subschema, negated, open, &guard)) return false;
    for (uint32_t i = 0; i < found->n; i++)
        if (found->list[i] == guard) return true;
    found->list[found->n++] = guard;
    return true;
}

bool schema_left_to_guard(const struct schema *schema, uint32_t term) {
    const uint64_t keywords = 1ull << KW_ONE_OF | 1ull << KW_NOT | 1ull << KW_IF |
                              1ull << KW_DEPENDENCIES | 1ull << KW_DEPENDENT_REQUIRED |
                              1ull << KW_DEPENDENT_SCHEMAS;
    const struct schema_part *part = &schema->parts[term_part(term)];
    return schema->frugal &&
           part->present & keywords && schema_can_guard(schema, part->json) &&
           !(term & (TERM_LOOSE | TERM_DECIDED));
}

/* Must the part be judged as a whole where a value of these types closes? */
static bool judged(struct schema *schema, const struct bundle *bundle, uint32_t i, uint8_t types) {
    if (bundle->terms[i] & (TERM_LOOSE | TERM_DECIDED)) return false;
    return (types & TYPE_ARRAY && (schema_unsure(schema, bundle, i, KW_UNEVALUATED_ITEMS) ||
                                   schema_more_contains(schema, bundle, i))) ||
           (types & TYPE_NUMBER && schema_more_steps(schema, bundle, i)) ||
           (types & TYPE_STRING && schema_holds_document(schema, term_part(bundle->terms[i]))) ||
           (types & TYPE_OBJECT && schema_unsure(schema, bundle, i, KW_UNEVALUATED_PROPERTIES));
}

bool schema_guards(struct schema *schema, const struct bundle *bundle, uint8_t types,
                   struct cell *cell) {
    struct found found = {.n = 0};
    for (uint32_t i = 0; i < bundle->n; i++) {
        uint32_t part = term_part(bundle->terms[i]);
        const struct json *json = schema->parts[part].json;
        const struct json *fails = schema_get(schema, part, KW_GUARD);
        if (fails && !(bundle->terms[i] & TERM_LOOSE) && !add(schema, &found, fails, true, true))
            return false;
        bool whole = judged(schema, bundle, i, types);
        whole |= schema->uncertain && schema_can_guard(schema, json);
        if (whole && !add(schema, &found, json, false, false)) return false;
        if (schema_left_to_guard(schema, bundle->terms[i]) &&
            !add(schema, &found, json, false, true))
            return false;
    }
    cell->n_guards = found.n;
    enum rules_status status = rules_add_refs(schema->rules, found.list, found.n, &cell->guards);
    return status == RULES_OK || schema_fail(schema, status);
}
