/* unevaluatedProperties and unevaluatedItems: which members and items a part evaluates, with all it
 * leads to in place. What the alternatives chosen in a bundle evaluate is certain; what others might
 * is allowed and left to a guard. */
#include "engine/schema_part.h"

enum { MANY = 64 }; /* subschemas that a member is looked for in: so many are work like a bundle */

static bool wanted(const struct schema *schema, const struct bundle *bundle, uint32_t at,
                   enum schema_keyword keyword) {
    const struct json *value = schema_get(schema, term_part(bundle->terms[at]), keyword);
    if (!value || bundle->terms[at] & (TERM_LOOSE | TERM_DECIDED)) return false;
    return value->type != JSON_TRUE && !(value->type == JSON_OBJECT && value->len == 0);
}

/* Is entry i what entry `at` leads to, in a way that evaluates? */
static bool leads_to(const struct bundle *bundle, uint32_t at, uint32_t i) {
    if (bundle->terms[at] & TERM_EXTRA || bundle->terms[i] & TERM_EXTRA) return false;
    while (i != at && i < BUNDLE_PARTS) i = bundle->via[i];
    return i == at;
}

static bool chosen(const struct bundle *bundle, uint32_t at, uint32_t part) {
    for (uint32_t i = 0; i < bundle->n; i++)
        if (term_part(bundle->terms[i]) == part && leads_to(bundle, at, i)) return true;
    return false;
}

/* Everything that may come to evaluate for entry `at`. */
static void look_around(struct schema *schema, const struct bundle *bundle, uint32_t at,
                        struct schema_openness *around) {
    *around = (struct schema_openness){.n = 0};
    schema_look_around(schema, term_part(bundle->terms[at]), around);
}

static bool declares(const struct schema *schema, uint32_t part, enum schema_keyword keyword,
                     bool own) {
    static const uint8_t members[] = {KW_PROPERTIES, KW_PATTERN_PROPERTIES,
                                      KW_ADDITIONAL_PROPERTIES, KW_UNEVALUATED_PROPERTIES};
    static const uint8_t items[] = {KW_ITEMS, KW_PREFIX_ITEMS, KW_CONTAINS, KW_UNEVALUATED_ITEMS};
    const uint8_t *list = keyword == KW_UNEVALUATED_ITEMS ? items : members;
    for (int i = 0; i < 4; i++)
        if (!(own && list[i] == keyword) && schema_get(schema, part, list[i])) return true;
    return false;
}

bool schema_unsure(struct schema *schema, const struct bundle *bundle, uint32_t at,
                   enum schema_keyword keyword) {
    struct schema_openness around;
    if (!wanted(schema, bundle, at, keyword)) return false;
    look_around(schema, bundle, at, &around);
    if (around.n == OPENNESS_PARTS || bundle->terms[at] & TERM_EXTRA) return true;
    for (uint32_t i = 0; i < around.n; i++) {
        uint32_t part = around.parts[i];
        bool own = part == term_part(bundle->terms[at]);
        if (declares(schema, part, keyword, own) && !chosen(bundle, at, part)) return true;
        if (keyword == KW_UNEVALUATED_ITEMS && schema_get(schema, part, KW_CONTAINS)) return true;
    }
    return false;
}

/* ---- members ---- */

static bool evaluates_member(const struct schema *schema, uint32_t part,
                             const struct schema_keys *keys, const struct json_key *name,
                             uint32_t label, bool own) {
    const struct json *patterns = schema_get(schema, part, KW_PATTERN_PROPERTIES);
    if (name && json_get_n(schema_get(schema, part, KW_PROPERTIES), name->text, name->len))
        return true;
    for (uint32_t i = 0; patterns && i < patterns->len; i++)
        if (schema_keys_hold(keys, label, patterns->keys[i].text, patterns->keys[i].len))
            return true;
    return schema_get(schema, part, KW_ADDITIONAL_PROPERTIES) ||
           (!own && schema_get(schema, part, KW_UNEVALUATED_PROPERTIES));
}

static bool may_evaluate_member(const struct schema *schema, uint32_t part,
                                const struct json_key *name, bool own) {
    if (name && json_get_n(schema_get(schema, part, KW_PROPERTIES), name->text, name->len))
        return true;
    return schema_get(schema, part, KW_PATTERN_PROPERTIES) ||
           schema_get(schema, part, KW_ADDITIONAL_PROPERTIES) ||
           (!own && schema_get(schema, part, KW_UNEVALUATED_PROPERTIES));
}

const struct json *schema_unevaluated_member(struct schema *schema, const struct bundle *bundle,
                                             uint32_t at, const struct schema_keys *keys,
                                             const struct json_key *name, uint32_t label) {
    struct schema_openness around;
    uint32_t self = term_part(bundle->terms[at]);
    if (!wanted(schema, bundle, at, KW_UNEVALUATED_PROPERTIES)) return NULL;
    for (uint32_t i = 0; i < bundle->n; i++) {
        uint32_t part = term_part(bundle->terms[i]);
        if (leads_to(bundle, at, i) &&
            evaluates_member(schema, part, keys, name, label, part == self))
            return NULL;
    }
    look_around(schema, bundle, at, &around);
    schema->work += around.n / MANY;
    if (around.n == OPENNESS_PARTS || bundle->terms[at] & TERM_EXTRA) return NULL;
    for (uint32_t i = 0; i < around.n; i++)
        if (may_evaluate_member(schema, around.parts[i], name, around.parts[i] == self) &&
            !chosen(bundle, at, around.parts[i]))
            return NULL;
    return schema_get(schema, self, KW_UNEVALUATED_PROPERTIES);
}

/* ---- items ---- */

static bool evaluates_item(const struct schema *schema, uint32_t part, uint32_t index, bool own) {
    const struct json *prefix = schema_get(schema, part, KW_PREFIX_ITEMS);
    const struct json *items = schema_get(schema, part, KW_ITEMS);
    if (prefix && index < prefix->len) return true;
    if (items && (items->type != JSON_ARRAY || index < items->len ||
                  schema_get(schema, part, KW_ADDITIONAL_ITEMS)))
        return true;
    return !own && schema_get(schema, part, KW_UNEVALUATED_ITEMS);
}

const struct json *schema_unevaluated_item(struct schema *schema, const struct bundle *bundle,
                                           uint32_t at, uint32_t index) {
    struct schema_openness around;
    uint32_t self = term_part(bundle->terms[at]);
    if (!wanted(schema, bundle, at, KW_UNEVALUATED_ITEMS)) return NULL;
    look_around(schema, bundle, at, &around);
    if (around.n == OPENNESS_PARTS || bundle->terms[at] & TERM_EXTRA) return NULL;
    for (uint32_t i = 0; i < around.n; i++) /* what only may is treated as if it did */
        if (evaluates_item(schema, around.parts[i], index, around.parts[i] == self) ||
            schema_get(schema, around.parts[i], KW_CONTAINS))
            return NULL;
    return schema_get(schema, self, KW_UNEVALUATED_ITEMS);
}

uint32_t schema_unevaluated_prefix(struct schema *schema, const struct bundle *bundle, uint32_t at) {
    struct schema_openness around;
    uint32_t longest = 0;
    if (!wanted(schema, bundle, at, KW_UNEVALUATED_ITEMS)) return 0;
    look_around(schema, bundle, at, &around);
    for (uint32_t i = 0; i < around.n; i++) {
        const struct json *prefix = schema_get(schema, around.parts[i], KW_PREFIX_ITEMS);
        const struct json *items = schema_get(schema, around.parts[i], KW_ITEMS);
        if (items && items->type != JSON_ARRAY) items = NULL;
        if (prefix && prefix->len > longest) longest = prefix->len;
        if (items && items->len > longest) longest = items->len;
    }
    return longest;
}
