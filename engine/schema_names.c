/* Names that a pattern matches. Where a negation asks for some member, whose name matches a
 * pattern, no automaton holds that it is there: but it is if one of a certain name is required. */
#include <string.h>

#include "base/utf8.h"
#include "engine/schema_part.h"

enum { STEPS = 1 << 15 /* for one automaton */, LONGEST = 256, DEPTH = 64 };

/* ---- patterns that the document has for names ---- */

static void add_pattern(struct schema *schema, const char *text, uint32_t len) {
    struct schema_name_patterns *all = &schema->name_patterns;
    for (uint32_t i = 0; i < all->n; i++)
        if (all->len[i] == len && memcmp(all->text[i], text, len) == 0) return;
    if (all->n == SCHEMA_NAME_PATTERNS) return;
    all->text[all->n] = text;
    all->len[all->n++] = len;
}

/* names: inside of propertyNames. */
static void look_for_patterns(struct schema *schema, const struct json *json, bool names,
                              unsigned depth) {
    if (depth == DEPTH || json->type < JSON_ARRAY) return;
    for (uint32_t i = 0; i < json->len; i++) {
        const struct json *value = json->items[i];
        enum schema_keyword keyword =
            json->type == JSON_OBJECT ? schema_keyword_find(json->keys[i].text, json->keys[i].len)
                                      : KW_COUNT;
        if (keyword == KW_PATTERN && names && value->type == JSON_STRING)
            add_pattern(schema, value->text, value->len);
        for (uint32_t k = 0;
             keyword == KW_PATTERN_PROPERTIES && value->type == JSON_OBJECT && k < value->len; k++)
            add_pattern(schema, value->keys[k].text, value->keys[k].len);
        look_for_patterns(schema, value, names || keyword == KW_PROPERTY_NAMES, depth + 1);
    }
}

static const struct schema_name_patterns *patterns_of(struct schema *schema) {
    if (!schema->name_patterns.known) look_for_patterns(schema, schema->root, false, 0);
    schema->name_patterns.known = true;
    return &schema->name_patterns;
}

/* ---- the shortest text of an automaton ---- */

static bool all_hold(uint32_t label, const void *user) {
    return label == *(const uint32_t *)user;
}

static uint32_t spell(const struct language *language, char *text) {
    const struct language_length any = {0, LANGUAGE_INFINITE};
    uint32_t len = 0;
    for (uint16_t state = 0; !language->wanted[state];) {
        uint32_t character = language_cheapest(language, state, &any);
        if (!character || len + 4 > LONGEST) return RULES_NONE;
        len += (uint32_t)utf8_encode(character, text + len);
        state = language_step(language, state, character);
    }
    return len;
}

/* RULES_NONE: none is found. */
static uint32_t shortest(struct schema *schema, const struct schema_sources *sources, char *text) {
    uint32_t all = schema_sources_label(sources), len = RULES_NONE;
    const struct language_outlook outlook = {.needed = all,
                                             .refused = ((1u << sources->n) - 1) & ~all};
    uint64_t steps = schema->pattern_steps, own = steps < STEPS ? steps : STEPS;
    struct language language = {0};
    schema->pattern_steps = own;
    if (schema_build_language(schema, sources, NULL, &outlook, &language)) {
        if (language_finish(&language, all_hold, &all) && language.distance[0] != LANGUAGE_INFINITE)
            len = spell(&language, text);
        language_free(&language);
    }
    schema->pattern_steps = steps - (own - schema->pattern_steps);
    return len;
}

static uint32_t add_name(struct schema *schema, const char *text, uint32_t len,
                         const struct json **names, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        if (names[i]->len == len && memcmp(names[i]->text, text, len) == 0) return n;
    names[n] = schema_make_string(schema, text, len);
    return n + (names[n] != NULL);
}

/* The shortest name; or, joint, one of which the document's other patterns hold as well, one after
 * the other and as far as there is one, so that it serves several negations at once. */
static uint32_t find_name(struct schema *schema, struct schema_sources sources, bool joint,
                          char *name) {
    const struct schema_name_patterns *others = patterns_of(schema);
    char text[LONGEST];
    uint32_t found = shortest(schema, &sources, name), len;
    for (uint32_t i = 0; found != RULES_NONE && joint && i < others->n; i++) {
        uint32_t before = sources.n;
        if (!schema_add_source(schema, &sources, sources.part[0], KW_PATTERN_PROPERTIES,
                               others->text[i], others->len[i]))
            break;
        len = sources.n == before ? RULES_NONE : shortest(schema, &sources, text);
        if (len == RULES_NONE)
            sources.n = before;
        else
            memcpy(name, text, found = len);
    }
    return found;
}

static uint32_t find_names(struct schema *schema, const struct schema_sources *sources,
                           const struct json **names) {
    char name[LONGEST];
    uint32_t n = 0;
    for (int joint = 0; joint < SCHEMA_NAMES; joint++) {
        uint32_t len = find_name(schema, *sources, joint, name);
        if (len != RULES_NONE) n = add_name(schema, name, len, names, n);
    }
    return n;
}

uint32_t schema_names(struct schema *schema, uint32_t part, bool negated, const char *pattern,
                      uint32_t len, const struct json **names) {
    struct schema_sources sources = {.n = 0};
    struct error own = {0}, *error = schema->error;
    bool too_large = schema->too_large;
    schema->error = &own; /* there is another way for what is not found here */
    uint32_t n = 0;
    if (schema_add_source(schema, &sources, part, negated ? KW_NOT_PATTERN : KW_PATTERN_PROPERTIES,
                          pattern, len))
        n = find_names(schema, &sources, names);
    schema->error = error;
    schema->too_large = too_large;
    if (own.code == ERROR_OUT_OF_MEMORY) schema_fail(schema, RULES_MEMORY);
    return n;
}
