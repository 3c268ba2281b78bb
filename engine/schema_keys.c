#include <string.h>

#include "engine/schema_part.h"

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

/* Texts made up here live until the language is built: one after the other in `made`, found by
 * offset because it moves. */
struct names_rules {
    struct schema_sources sources;
    struct buf made;
    size_t from[LANGUAGE_PATTERNS]; /* offset + 1 of a made text; 0: borrowed */
};

static bool add_made(struct schema *schema, struct names_rules *names, uint32_t part, size_t from) {
    uint32_t n = names->sources.n;
    if (names->made.failed) return schema_fail(schema, RULES_MEMORY);
    if (n >= LANGUAGE_PATTERNS - 4) return schema_fail(schema, RULES_TOO_LARGE);
    names->from[n] = from + 1;
    names->sources.len[n] = (uint32_t)(names->made.len - from);
    names->sources.part[n] = part;
    names->sources.keyword[n] = KW_PROPERTY_NAMES;
    names->sources.n++;
    return true;
}

static void add_literal(struct buf *out, const char *text, uint32_t len) {
    for (uint32_t i = 0; i < len; i++) {
        if (text[i] && strchr("^$\\.*+?()[]{}|/", text[i])) buf_add_char(out, '\\');
        buf_add_char(out, text[i]);
    }
}

/* The strings among the values that the whole subschema allows, as one pattern. */
static bool add_values(struct schema *schema, struct names_rules *names, uint32_t owner,
                       uint32_t part, const struct json *values, bool single) {
    size_t from = names->made.len;
    bool some = false;
    buf_add_str(&names->made, "^(?:");
    for (uint32_t i = 0; i < (single ? 1 : values->len); i++) {
        const struct json *value = single ? values : values->items[i];
        enum schema_verdict verdict =
            value->type == JSON_STRING ? schema_allows(schema, part, value) : VERDICT_NO;
        if (verdict == VERDICT_UNKNOWN) return false;
        if (verdict == VERDICT_NO) continue;
        if (some) buf_add_char(&names->made, '|');
        some = true;
        add_literal(&names->made, value->text, value->len);
    }
    buf_add_str(&names->made, some ? ")$" : "[])");
    return add_made(schema, names, owner, from);
}

static bool add_length(struct schema *schema, struct names_rules *names, uint32_t owner,
                       uint32_t min, uint32_t max) {
    size_t from = names->made.len;
    if (min == 0 && max == RULES_INFINITE) return true;
    if (min > MAX_KEY_LENGTH || (max > MAX_KEY_LENGTH && max != RULES_INFINITE))
        return schema_refuse(schema, owner, KW_PROPERTY_NAMES, "a long length of names");
    if (min > max)
        buf_add_str(&names->made, "[]");
    else if (max == RULES_INFINITE)
        buf_printf(&names->made, "^[^]{%u,}", min);
    else
        buf_printf(&names->made, "^[^]{%u,%u}$", min, max);
    return add_made(schema, names, owner, from);
}

static bool add_names(struct schema *schema, struct names_rules *names, uint32_t owner) {
    const struct json *value = schema_get(schema, owner, KW_PROPERTY_NAMES);
    uint32_t part = schema_part_of(schema, value);
    struct bundle bundle;
    bool many;
    if (part == RULES_NONE || !schema_string_bundle(schema, part, &bundle, &many)) return false;
    if (many) return schema_refuse(schema, owner, KW_PROPERTY_NAMES, "alternatives of names");
    if (bundle.dead || !(bundle.types & TYPE_STRING)) { /* no name at all */
        size_t from = names->made.len;
        buf_add_str(&names->made, "[]");
        return add_made(schema, names, owner, from);
    }
    for (uint32_t i = 0; i < bundle.n; i++) {
        const struct json *list = schema_get(schema, term_part(bundle.terms[i]), KW_ENUM);
        const struct json *single = schema_get(schema, term_part(bundle.terms[i]), KW_CONST);
        if (single || list)
            return add_values(schema, names, owner, part, single ? single : list, single != NULL);
    }
    uint32_t max = schema_min_of(schema, &bundle, KW_MAX_LENGTH);
    uint32_t min = schema_max_of(schema, &bundle, KW_MIN_LENGTH);
    return schema_collect_sources(schema, &bundle, &names->sources, &max) &&
           add_length(schema, names, owner, min, max);
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

static bool build(struct schema *schema, struct names_rules *names, struct schema_keys *keys) {
    struct schema_sources *sources = &names->sources;
    for (uint32_t i = 0; i < sources->n; i++)
        if (names->from[i]) sources->text[i] = names->made.bytes + names->from[i] - 1;
    keys->names = ((1u << sources->n) - 1) & ~((1u << keys->n_patterns) - 1);
    keys->names_wanted = schema_sources_label(sources) & keys->names;
    return schema_build_language(schema, sources, NULL, NULL, &keys->language);
}

/* Bits of a label: first the patterns, then what propertyNames demands. */
bool schema_keys_build(struct schema *schema, const struct bundle *bundle,
                       struct schema_keys *keys) {
    struct names_rules names = {.made = {0}};
    uint64_t speaks = 0;
    for (uint32_t i = 0; i < bundle->n; i++)
        speaks |= schema->parts[term_part(bundle->terms[i])].present;
    if (!(speaks & (1ull << KW_PATTERN_PROPERTIES | 1ull << KW_PROPERTY_NAMES))) return true;
    bool done = add_patterns(schema, bundle, &names.sources);
    keys->n_patterns = names.sources.n;
    for (uint32_t i = 0; i < keys->n_patterns; i++) {
        keys->patterns[i].text = names.sources.text[i];
        keys->patterns[i].len = names.sources.len[i];
    }
    for (uint32_t i = 0; done && i < bundle->n; i++) {
        uint32_t part = term_part(bundle->terms[i]);
        names.sources.from =
            names.sources.n; /* a name's own rule, even if a pattern says the same */
        if (schema_get(schema, part, KW_PROPERTY_NAMES)) done = add_names(schema, &names, part);
    }
    keys->used = names.sources.n > 0;
    done = done && (!keys->used || build(schema, &names, keys));
    buf_free(&names.made);
    return done;
}
