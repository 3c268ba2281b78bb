#include <string.h>

#include "engine/schema_text.h"

enum { MAX_KEY_LENGTH = 256 }; /* of a length that propertyNames states: it becomes a pattern */

void schema_keys_free(struct schema_keys *keys) {
    language_free(&keys->language);
}

bool schema_keys_hold(const struct schema_keys *keys, uint32_t label, const char *text,
                      uint32_t len) {
    for (uint32_t i = 0; i < keys->n_patterns; i++)
        if (keys->patterns[i].len == len && memcmp(keys->patterns[i].text, text, len) == 0)
            return label >> i & 1;
    return false;
}

/* ---- propertyNames ---- */

/* They are a formula over patterns; those of patternProperties come first. */
static bool add_names(struct schema *schema, struct schema_text *text, uint32_t owner,
                      unsigned loose) {
    const struct json *value = schema_get(schema, owner, KW_PROPERTY_NAMES);
    uint32_t part = schema_part_of(schema, value), term = term_of(part, loose);
    if (part == RULES_NONE || !schema_text_add(schema, text, &term, 1)) return false;
    for (uint32_t i = 0; i < text->sources.n; i++) {
        const struct language_length *length = &text->lengths[i];
        if (length->min > MAX_KEY_LENGTH ||
            (length->max > MAX_KEY_LENGTH && length->max != RULES_INFINITE))
            return schema_refuse(schema, owner, KW_PROPERTY_NAMES, "a long length of names");
    }
    return !text->beyond || schema_refuse(schema, owner, KW_PROPERTY_NAMES,
                                          "more than one automaton tells of names");
}

/* All that the bundle says; *n: how many parts do. */
static bool add_all_names(struct schema *schema, const struct bundle *bundle,
                          struct schema_text *text, uint32_t *n) {
    for (uint32_t i = 0; i < bundle->n; i++) {
        uint32_t part = term_part(bundle->terms[i]);
        if (!schema_get(schema, part, KW_PROPERTY_NAMES)) continue;
        if (!add_names(schema, text, part, bundle->terms[i] & TERM_LOOSE)) return false;
        ++*n;
    }
    return true;
}

/* ---- patternProperties ---- */

static bool add_patterns(struct schema *schema, const struct bundle *bundle,
                         struct schema_sources *sources) {
    for (uint32_t i = 0; i < bundle->n; i++) {
        uint32_t part = term_part(bundle->terms[i]);
        const struct json *patterns = schema_get(schema, part, KW_PATTERN_PROPERTIES);
        for (uint32_t k = 0; patterns && k < patterns->len; k++)
            if (!schema_add_source(schema, sources, part, KW_PATTERN_PROPERTIES,
                                   patterns->keys[k].text, patterns->keys[k].len))
                return false;
    }
    return true;
}

/* One bit of a label stands for the formula, whichever its patterns. */
static bool build(struct schema *schema, const struct schema_text *text, bool named,
                  struct schema_keys *keys) {
    if (!schema_build_language(schema, &text->sources, NULL, NULL, &keys->language)) return false;
    uint32_t patterns = (1u << keys->n_patterns) - 1;
    for (uint32_t i = 0; i < keys->language.n_states && named; i++) {
        uint32_t *label = &keys->language.labels[i];
        bool holds = schema_text_judge(text, *label, ~*label) == VERDICT_YES;
        *label = (*label & patterns) | (holds ? keys->names : 0);
    }
    return true;
}

/* Bits of a label: first the patterns, then what propertyNames demands. */
static bool build_keys(struct schema *schema, const struct bundle *bundle,
                       struct schema_keys *keys) {
    struct schema_text text = {.most_literals = UINT32_MAX};
    uint32_t n = 0;
    if (!add_patterns(schema, bundle, &text.sources)) return false;
    keys->n_patterns = text.sources.n;
    for (uint32_t i = 0; i < keys->n_patterns; i++) {
        keys->patterns[i].text = text.sources.text[i];
        keys->patterns[i].len = text.sources.len[i];
    }
    if (!add_all_names(schema, bundle, &text, &n)) return false;
    schema_text_join(&text, n);
    bool named = n > 0 && schema_text_judge(&text, 0, 0) != VERDICT_YES;
    if (named) keys->names = keys->names_wanted = 1u << keys->n_patterns;
    keys->used = named || keys->n_patterns;
    return !keys->used || build(schema, &text, named, keys);
}

bool schema_keys_build(struct schema *schema, const struct bundle *bundle,
                       struct schema_keys *keys) {
    uint64_t speaks = 0;
    for (uint32_t i = 0; i < bundle->n; i++)
        speaks |= schema->parts[term_part(bundle->terms[i])].present;
    if (!(speaks & (1ull << KW_PATTERN_PROPERTIES | 1ull << KW_PROPERTY_NAMES))) return true;
    return build_keys(schema, bundle, keys);
}
