#include "engine/grammar.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/grammar_rules.h"
#include "engine/held.h"
#include "engine/schema.h"

enum {
    MASK_BYTES = 4 << 20,
    MAX_TOOLS = 1024,
    PLACE = 48
};

struct grammar {
    atomic_uint references;
    struct rules rules;
    struct mask_cache *masks;
    struct text_grammar *text; /* regex, gbnf */
    uint32_t shortest;
};

const struct rules *grammar_rules(const struct grammar *grammar) {
    return &grammar->rules;
}

struct mask_cache *grammar_masks(struct grammar *grammar) {
    return grammar->masks;
}

struct text_grammar *grammar_text(const struct grammar *grammar) {
    return grammar->text;
}

struct grammar *grammar_ref(struct grammar *grammar) {
    atomic_fetch_add_explicit(&grammar->references, 1, memory_order_relaxed);
    return grammar;
}

void grammar_unref(struct grammar *grammar) {
    if (!grammar) return;
    if (atomic_fetch_sub_explicit(&grammar->references, 1, memory_order_acq_rel) != 1) return;
    rules_free(&grammar->rules);
    text_grammar_free(grammar->text);
    mask_cache_free(grammar->masks);
    free(grammar);
}

size_t grammar_bytes(const struct grammar *grammar) {
    return held(grammar) + rules_bytes(&grammar->rules) + mask_cache_bytes(grammar->masks) +
           (grammar->text ? text_grammar_bytes(grammar->text) : 0);
}

bool grammar_sound(const struct grammar *grammar) {
    return !grammar->text || text_grammar_sound(grammar->text);
}

uint32_t grammar_shortest(const struct grammar *grammar) {
    return grammar->shortest;
}

static struct grammar *fail(struct grammar *grammar, struct error *error) {
    error_set(error, ERROR_OUT_OF_MEMORY, "making a grammar");
    grammar_unref(grammar);
    return NULL;
}

static struct grammar *grammar_new(bool spaced) {
    struct grammar *grammar = calloc(1, sizeof *grammar);
    if (!grammar) return NULL;
    atomic_init(&grammar->references, 1);
    grammar->rules.spaced = spaced;
    grammar->rules.root = RULES_NONE;
    grammar->masks = mask_cache_new(MASK_BYTES);
    if (grammar->masks) return grammar;
    grammar_unref(grammar);
    return NULL;
}

static bool measure(struct grammar *grammar, struct error *error) {
    if (rules_measure(&grammar->rules)) return true;
    if (error->code == ERROR_NONE) snprintf(error->reason, sizeof error->reason, "too_complex");
    return error_set(error, ERROR_SCHEMA_UNSUPPORTED, "the schema's references are too entangled");
}

static struct schema_options options_of(const struct grammar_limits *limits, bool closed) {
    return (struct schema_options){.closed = closed,
                                   .canonical = closed,
                                   .depth = limits && limits->depth ? limits->depth : ENGINE_SCHEMA_DEPTH,
                                   .place = ""};
}

static bool check_size(size_t len, const struct grammar_limits *limits, const char *place,
                       struct error *error) {
    size_t most = limits && limits->schema_bytes ? limits->schema_bytes : ENGINE_SCHEMA_BYTES;
    if (len <= most) return true;
    if (error->code == ERROR_NONE) snprintf(error->reason, sizeof error->reason, "too_large");
    return error_at(error, ERROR_SCHEMA_UNSUPPORTED, place, "the schema is longer than %zu bytes",
                    most);
}

/* Until all schemas are settled. */
static bool settle(struct grammar *grammar, struct schema *const *schemas, size_t n,
                   struct error *error) {
    enum schema_outcome all = SCHEMA_AGAIN;
    while (all == SCHEMA_AGAIN) {
        all = SCHEMA_SETTLED;
        if (!measure(grammar, error)) return false;
        for (size_t i = 0; i < n; i++) {
            enum schema_outcome outcome = schema_settle(schemas[i], error);
            if (outcome > all) all = outcome;
        }
    }
    return all == SCHEMA_SETTLED;
}

/* ---- one value ---- */

static bool compile_value(struct grammar *grammar, const char *schema, size_t len,
                          const struct schema_options *options, struct error *error) {
    struct rules *rules = &grammar->rules;
    struct schema *compiled = schema_compile(schema, len, options, rules, error);
    bool done = compiled && settle(grammar, &compiled, 1, error);
    if (done) {
        rules->root = schema_root(compiled);
        grammar->shortest = rules->nodes[rules->root].shortest;
    }
    schema_free(compiled);
    return done && rules_prune(rules);
}

static struct grammar *from_schema(const char *schema, size_t len, bool spaced,
                                   const struct schema_options *options,
                                   const struct grammar_limits *limits, struct error *error) {
    if (!check_size(len, limits, "", error)) return NULL;
    struct grammar *grammar = grammar_new(spaced);
    if (grammar && compile_value(grammar, schema, len, options, error)) return grammar;
    return fail(grammar, error);
}

struct grammar *grammar_from_schema(const char *schema, size_t len, bool closed, bool spaced,
                                    const struct grammar_limits *limits, struct error *error) {
    struct schema_options options = options_of(limits, closed);
    return from_schema(schema, len, spaced, &options, limits, error);
}

struct grammar *grammar_from_format(const char *schema, size_t len, bool spaced,
                                    struct error *error) {
    struct schema_options options = options_of(NULL, false);
    options.canonical = true;
    return from_schema(schema, len, spaced, &options, NULL, error);
}

struct grammar *grammar_json_object(bool spaced, struct error *error) {
    static const char schema[] = "{\"type\":\"object\"}";
    return grammar_from_schema(schema, sizeof schema - 1, false, spaced, NULL, error);
}

/* ---- text ---- */

/* Takes the network. */
static struct grammar *of_network(struct network *network, const char *path,
                                  struct error *error) {
    struct grammar *grammar = network ? grammar_new(false) : NULL;
    if (!grammar) {
        network_free(network);
        return fail(NULL, error);
    }
    grammar->text = text_grammar_new(network);
    if (!grammar->text) return fail(grammar, error);
    if (grammar->text->stacks.gave_up) { /* alternatives would be left out from the beginning */
        gbnf_refuse(error, path, "more than %d ways to begin", STACKS_WAYS);
        grammar_unref(grammar);
        return NULL;
    }
    grammar->shortest = text_grammar_shortest(grammar->text);
    return grammar;
}

struct grammar *grammar_from_regex(const char *pattern, size_t len, const char *path,
                                   struct error *error) {
    return of_network(network_from_regex(pattern, len, path, error), path, error);
}

struct grammar *grammar_from_gbnf(const char *text, size_t len, const char *path,
                                  struct error *error) {
    struct gbnf gbnf;
    struct network *network = NULL;
    if (gbnf_parse(&gbnf, text, len, path, error)) network = network_from_gbnf(&gbnf, path, error);
    gbnf_free(&gbnf);
    return of_network(network, path, error);
}

/* ---- calls ---- */

/* Fixed texts live in the pool of words, outside any list. */
static bool add_literal(struct rules *rules, struct literal *literal, const char *const parts[],
                        size_t n) {
    literal->text = rules->words.n_bytes;
    for (size_t i = 0; i < n; i++) {
        if (!words_add(&rules->words, parts[i], (uint32_t)strlen(parts[i]), 0)) return false;
        rules->words.n--;
    }
    literal->len = rules->words.n_bytes - literal->text;
    return true;
}

static bool add_literals(struct rules *rules, const struct grammar_syntax *syntax) {
    const char *name = rules->spaced ? "{\"name\": \"" : "{\"name\":\"";
    const char *head[] = {syntax->open, name}, *tail[] = {name};
    const char *close[] = {"}", syntax->close};
    const char *between[] = {syntax->between, syntax->open, name};
    return add_literal(rules, &rules->literals[LITERAL_HEAD], head, 2) &&
           add_literal(rules, &rules->literals[LITERAL_TAIL], tail, 1) &&
           add_literal(rules, &rules->literals[LITERAL_CLOSE], close, 2) &&
           add_literal(rules, &rules->literals[LITERAL_BETWEEN], between, 3) &&
           add_literal(rules, &rules->marker, head, 1);
}

/* The failure function of Knuth, Morris and Pratt over the marker. */
static bool add_fallback(struct rules *rules) {
    const char *text = rules->words.bytes + rules->marker.text;
    uint32_t len = rules->marker.len, border = 0;
    rules->fallback = malloc((len + 1) * sizeof *rules->fallback);
    if (!rules->fallback) return false;
    rules->fallback[0] = 0;
    for (uint32_t i = 1; i < len; i++) {
        while (border && text[i] != text[border]) border = rules->fallback[border - 1];
        border += text[i] == text[border];
        rules->fallback[i] = (uint16_t)border;
    }
    return true;
}

static bool check_tool(const struct grammar_tool *tool, size_t index, char place[PLACE],
                       const struct grammar_limits *limits, struct error *error) {
    snprintf(place, PLACE, "tools[%zu].name", index);
    bool valid = tool->name_len >= 1 && tool->name_len <= 128;
    for (size_t i = 0; valid && i < tool->name_len; i++)
        valid = tool->name[i] &&
                strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:/-",
                       tool->name[i]);
    if (!valid)
        return error_at(error, ERROR_INVALID_PARAMS, place,
                        "a tool's name is [A-Za-z0-9_.:/-]{1,128}");
    snprintf(place, PLACE, "tools[%zu].parameters", index);
    return check_size(tool->schema ? tool->schema_len : 0, limits, place, error);
}

/* The name, the text up to the arguments, and the node of the arguments. */
static bool add_name(struct rules *rules, struct words *names, const struct grammar_tool *tool,
                     uint32_t node) {
    char text[128 + 32];
    int len = snprintf(text, sizeof text, "%.*s\",%s\"arguments\":%s", (int)tool->name_len,
                       tool->name, rules->spaced ? " " : "", rules->spaced ? " " : "");
    return words_add(names, text, (uint32_t)len, node);
}

static bool add_names(struct rules *rules, const struct words *names) {
    rules->tools = rules->words.n;
    for (uint32_t i = 0; i < names->n; i++)
        if (!words_add(&rules->words, word_text(names, i), names->list[i].len,
                       names->list[i].value))
            return false;
    rules->n_tools = words_sort(&rules->words, rules->tools);
    return true;
}

static bool compile_tool(struct grammar *grammar, struct schema **schema, size_t i,
                         const struct grammar_tool *tool, const struct grammar_limits *limits,
                         struct error *error) {
    struct schema_options options = options_of(limits, true);
    char place[PLACE];
    options.object = true;
    options.place = place;
    if (!check_tool(tool, i, place, limits, error)) return false;
    *schema = schema_compile(tool->schema, tool->schema_len, &options, &grammar->rules, error);
    return *schema != NULL;
}

static bool compile_tools(struct grammar *grammar, struct schema **schemas, struct words *names,
                          const struct grammar_tool *tools, size_t n,
                          const struct grammar_limits *limits, struct error *error) {
    for (size_t i = 0; i < n; i++)
        if (!compile_tool(grammar, &schemas[i], i, &tools[i], limits, error)) return false;
    if (!settle(grammar, schemas, n, error)) return false;
    for (size_t i = 0; i < n; i++)
        if (!add_name(&grammar->rules, names, &tools[i], schema_root(schemas[i]))) return false;
    return true;
}

static bool finish_calls(struct grammar *grammar, const struct words *names,
                         const struct grammar_syntax *syntax, size_t n_tools, struct error *error) {
    struct rules *rules = &grammar->rules;
    if (!add_names(rules, names) || !add_literals(rules, syntax) || !add_fallback(rules))
        return false;
    if (rules->n_tools != n_tools)
        return error_at(error, ERROR_INVALID_PARAMS, "tools", "two tools have the same name");
    if (!rules_prune(rules)) return false;
    grammar->shortest = RULES_INFINITE;
    for (uint32_t i = rules->tools; i < rules->tools + rules->n_tools; i++) {
        uint32_t length =
            rules_sum(rules->words.list[i].len, rules->nodes[rules->words.list[i].value].shortest);
        if (length < grammar->shortest) grammar->shortest = length;
    }
    uint32_t around = rules->literals[LITERAL_HEAD].len + rules->literals[LITERAL_CLOSE].len;
    grammar->shortest = rules->automatic ? 0 : rules_sum(grammar->shortest, around);
    return true;
}

static bool check_syntax(const struct grammar_syntax *syntax, enum grammar_choice choice,
                         size_t n_tools, struct error *error) {
    size_t open = strlen(syntax->open);
    if (n_tools > MAX_TOOLS || (n_tools == 0 && choice == GRAMMAR_CALLS))
        return error_at(error, ERROR_INVALID_PARAMS, "tools", "there must be 1 to %d tools",
                        MAX_TOOLS);
    if (open > 4096 || strlen(syntax->close) > 4096 || strlen(syntax->between) > 4096 ||
        (choice == GRAMMAR_AUTO && open == 0))
        return error_set(error, ERROR_INTERNAL, "no usable call syntax");
    return true;
}

static bool compile_calls(struct grammar *grammar, const struct grammar_tool *tools, size_t n,
                          const struct grammar_syntax *syntax, const struct grammar_limits *limits,
                          struct error *error) {
    struct words names = {0};
    struct schema **schemas = calloc(n + 1, sizeof *schemas);
    bool done = schemas && compile_tools(grammar, schemas, &names, tools, n, limits, error) &&
                finish_calls(grammar, &names, syntax, n, error);
    for (size_t i = 0; schemas && i < n; i++) schema_free(schemas[i]);
    free(schemas);
    words_free(&names);
    return done;
}

struct grammar *grammar_from_tools(const struct grammar_tool *tools, size_t n_tools,
                                   enum grammar_choice choice, unsigned max_calls,
                                   const struct grammar_syntax *syntax,
                                   const struct grammar_limits *limits, struct error *error) {
    if (!check_syntax(syntax, choice, n_tools, error)) return NULL;
    struct grammar *grammar = grammar_new(syntax->spaced);
    if (!grammar) return fail(NULL, error);
    grammar->rules.automatic = choice == GRAMMAR_AUTO;
    grammar->rules.max_calls = max_calls ? max_calls : 1;
    if (compile_calls(grammar, tools, n_tools, syntax, limits, error)) return grammar;
    return fail(grammar, error);
}
