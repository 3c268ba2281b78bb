#include "engine/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/hash.h"
#include "engine/schema_part.h"
#include "engine/vector.h"

enum { JSON_DEPTH = 256, PATTERN_STEPS = 1 << 20 };

/* ---- conjunctions ---- */

static uint32_t sort_terms(uint32_t *terms, uint32_t n) {
    uint32_t kept = 0;
    for (uint32_t i = 1; i < n; i++) {
        uint32_t term = terms[i], at = i;
        for (; at > 0 && terms[at - 1] > term; at--) terms[at] = terms[at - 1];
        terms[at] = term;
    }
    for (uint32_t i = 0; i < n; i++)
        if (kept == 0 || terms[kept - 1] != terms[i]) terms[kept++] = terms[i];
    return kept;
}

static uint32_t add_set(struct schema *schema, const uint32_t *terms, uint32_t n) {
    struct schema_set set = {.first = schema->n_terms, .n = n};
    if (!vector_reserve((void **)&schema->terms, &schema->cap_terms, schema->n_terms + n,
                        sizeof *terms) ||
        !vector_reserve((void **)&schema->sets, &schema->cap_sets, schema->n_sets + 1,
                        sizeof *schema->sets))
        return schema_fail(schema, RULES_MEMORY), RULES_NONE;
    enum rules_status status = rules_add_node(schema->rules, &set.node);
    if (status != RULES_OK) return schema_fail(schema, status), RULES_NONE;
    if (n) memcpy(schema->terms + schema->n_terms, terms, n * sizeof *terms);
    schema->n_terms += n;
    schema->sets[schema->n_sets] = set;
    return schema->n_sets++;
}

uint32_t schema_node(struct schema *schema, uint32_t *terms, uint32_t n) {
    n = sort_terms(terms, n);
    uint64_t hash = hash_bytes(3, terms, n * sizeof *terms);
    uint32_t probe = 0;
    struct schema_slot *slot;
    const struct schema_set *set;
    do {
        slot = schema_map_slot(&schema->set_map, hash, &probe);
        if (!slot) return schema_fail(schema, RULES_MEMORY), RULES_NONE;
        set = slot->value == RULES_NONE ? NULL : &schema->sets[slot->value];
    } while (set && (slot->hash != hash || set->n != n ||
                     (n && memcmp(schema->terms + set->first, terms, n * sizeof *terms) != 0)));
    if (set) return set->node;
    uint32_t added = add_set(schema, terms, n);
    if (added == RULES_NONE) return RULES_NONE;
    slot->value = added;
    return schema->sets[added].node;
}

uint32_t schema_nothing(struct schema *schema) {
    static const struct json nothing = {.type = JSON_FALSE};
    uint32_t part = schema_part_of(schema, &nothing), term;
    if (part == RULES_NONE) return RULES_NONE;
    term = term_of(part, 0);
    return schema_node(schema, &term, 1);
}

/* ---- nodes ---- */

/* All whole texts of a node form one list. */
static bool add_words_cell(struct schema *schema, struct alternatives *out) {
    struct words *words = &schema->rules->words;
    struct cell cell = {.kind = CELL_WORDS, .words = {.first = words->n}};
    if (out->words.n == 0) return true;
    for (uint32_t i = 0; i < out->words.n; i++)
        if (!words_add(words, word_text(&out->words, i), out->words.list[i].len, 0))
            return schema_fail(schema, RULES_TOO_LARGE);
    cell.words.n = words_sort(words, cell.words.first);
    if (cell.words.n == 0) return schema_fail(schema, RULES_MEMORY);
    return schema_add_cell(schema, out, &cell);
}

static bool fill_node(struct schema *schema, struct schema_set set, struct alternatives *out) {
    uint32_t first, few[BUNDLE_PARTS + 1]; /* where the terms lie may change */
    uint32_t *terms = set.n <= BUNDLE_PARTS + 1 ? few : malloc(set.n * sizeof *terms);
    if (!terms) return schema_fail(schema, RULES_MEMORY);
    few[0] = 0;
    if (set.n) memcpy(terms, schema->terms + set.first, set.n * sizeof *terms);
    bool done = schema_expand(schema, terms, set.n, out) && add_words_cell(schema, out);
    if (terms != few) free(terms);
    if (!done) return false;
    enum rules_status status = rules_add_refs(schema->rules, out->cells, out->n, &first);
    if (status != RULES_OK) return schema_fail(schema, status);
    schema->rules->nodes[set.node].cells = first;
    schema->rules->nodes[set.node].n_cells = out->n;
    return true;
}

static bool fill(struct schema *schema, uint32_t set, struct alternatives *out) {
    out->n = out->words.n = out->words.n_bytes = 0;
    schema->filling = set;
    schema->sets[set].stale = false;
    return fill_node(schema, schema->sets[set], out);
}

bool schema_compile_sets(struct schema *schema) {
    struct alternatives out = {0};
    bool done = true;
    for (uint32_t i = 0; done && i < schema->compiled; i++)
        if (schema->sets[i].stale) done = fill(schema, i, &out);
    for (; done && schema->compiled < schema->n_sets; schema->compiled++)
        done = fill(schema, schema->compiled, &out);
    free(out.cells);
    words_free(&out.words);
    return done;
}

/* ---- the document ---- */

/* An object, which a tool's arguments must be, besides what the schema says. */
static uint32_t root_node(struct schema *schema) {
    static const struct json type = {.type = JSON_STRING, .len = 6, .text = "object"};
    static struct json *const items[] = {(struct json *)&type};
    static const struct json_key keys[] = {{.text = "type", .len = 4}};
    static const struct json object = {.type = JSON_OBJECT, .len = 1, .items = items, .keys = keys};
    uint32_t terms[2], n = 0;
    if (schema->root) terms[n++] = term_of(schema_part_of(schema, schema->root), 0);
    if (schema->options.object || !schema->root) {
        uint32_t part = schema_part_of(schema, &object);
        if (part == RULES_NONE) return RULES_NONE;
        bool silent = n == 0 || schema->parts[term_part(terms[0])].present == 0;
        terms[n++] =
            term_of(part, silent ? 0 : TERM_EXTRA); /* else the schema says what is closed */
    }
    return schema_node(schema, terms, n);
}

enum { DRAFT_6 = 2, DRAFT_7, DRAFT_2019, DRAFTS = 6 }; /* in the table below */

/* Does $schema name one of these drafts? */
static bool names_draft(const struct json *root, size_t from, size_t end) {
    static const char *const drafts[DRAFTS] = {"draft-03", "draft-04", "draft-06", "draft-07",
                                               "json-schema.org/draft/2019-09/schema",
                                               "json-schema.org/draft/2020-12/schema"};
    const struct json *dialect = json_get(root, "$schema");
    if (!dialect || dialect->type != JSON_STRING) return false;
    for (size_t i = from; i < end; i++)
        if (memmem(dialect->text, dialect->len, drafts[i], strlen(drafts[i]))) return true;
    return false;
}

static bool parse(struct schema *schema, const char *text, size_t len) {
    struct error error = {0};
    if (!text) return true;
    schema->doc = json_parse(text, len, JSON_DEPTH, &error);
    if (!schema->doc && error.code == ERROR_OUT_OF_MEMORY) return schema_fail(schema, RULES_MEMORY);
    if (!schema->doc)
        return error_at(schema->error, ERROR_INVALID_PARAMS, schema->options.place,
                        "the schema is not JSON: %s", error.message);
    const struct json *root = schema->root = json_root(schema->doc);
    schema->old = names_draft(root, 0, DRAFT_2019);
    schema->draft = names_draft(root, 0, DRAFT_6) ? 4 : names_draft(root, 0, DRAFT_7) ? 6 : 7;
    schema->contents =
        !json_get(root, "$schema") || (schema->old && !names_draft(root, 0, DRAFT_7));
    schema->annotates = names_draft(root, DRAFT_2019, DRAFTS);
    schema->fractions = !schema->options.canonical && !names_draft(root, 0, DRAFT_6);
    return schema_check(schema, schema->root);
}

/* What is of use while sets are compiled only: the next schema takes its memory. */
static void forget(struct schema *schema) {
    schema_names_free(schema);
    free(schema->key_map.slots);
    free(schema->key_lists);
    free(schema->key_names);
    schema->key_map = (struct schema_map){0};
    schema->key_lists = NULL;
    schema->key_names = NULL;
    schema->n_key_lists = schema->cap_key_lists = schema->n_key_names = schema->cap_key_names = 0;
}

static bool compile(struct schema *schema) {
    schema->root_node = root_node(schema);
    bool done = schema->root_node != RULES_NONE && schema_compile_sets(schema);
    forget(schema);
    return done;
}

static struct schema *new_schema(const struct schema_options *options, struct rules *rules,
                                 struct error *error) {
    struct schema *schema = calloc(1, sizeof *schema);
    if (!schema) return error_set(error, ERROR_OUT_OF_MEMORY, "compiling a schema"), NULL;
    schema->options = *options;
    snprintf(schema->place, sizeof schema->place, "%s", options->place);
    schema->options.place = schema->place;
    schema->rules = rules;
    schema->error = error;
    schema->pattern_steps = PATTERN_STEPS;
    schema->judge = RULES_NONE;
    return schema;
}

void schema_free(struct schema *schema) {
    if (!schema) return;
    json_free(schema->doc);
    schema_instances_free(schema);
    schema_around_free(schema);
    free(schema->parts);
    free(schema->members);
    free(schema->sets);
    free(schema->terms);
    free(schema->duties);
    free(schema->overlaps);
    free(schema->part_map.slots);
    free(schema->set_map.slots);
    forget(schema);
    buf_free(&schema->text);
    schema_resources_free(schema);
    schema_made_free(schema);
    free(schema);
}

/* The parts stay: they are what the document says. */
bool schema_compile_frugally(struct schema *schema) {
    if (!schema->too_large || schema->frugal || !schema->document_parts) return false;
    schema_map_clear(&schema->set_map);
    schema->n_sets = schema->n_terms = schema->n_duties = schema->n_overlaps = 0;
    schema->compiled = schema->rounds = schema->work = schema->pruned = 0;
    schema->compared = 0;
    schema->pattern_steps = PATTERN_STEPS;
    schema->judge = RULES_NONE;
    schema->too_large = schema->uncertain = false;
    schema->frugal = true;
    *schema->error = (struct error){0};
    return compile(schema);
}

struct schema *schema_compile(const char *text, size_t len, const struct schema_options *options,
                              struct rules *rules, struct error *error) {
    struct rules_mark mark = rules_mark(rules);
    struct schema *schema = new_schema(options, rules, error);
    if (!schema) return NULL;
    schema->source_text = text;
    schema->source_len = len;
    bool parsed = parse(schema, text, len);
    schema->document_parts = schema->n_parts;
    if (parsed && compile(schema)) return schema;
    if (parsed && schema->too_large) rules_rewind(rules, &mark);
    if (parsed && schema_compile_frugally(schema)) return schema;
    schema_free(schema);
    return NULL;
}

uint32_t schema_root(const struct schema *schema) {
    return schema->root_node;
}
