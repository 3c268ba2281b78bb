/* Preparing a generation: any thread, immutable state only. */
#include "engine/generation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_MAX_TOKENS = 4096, MAX_SCHEMA_DEPTH = 128 };

/* ---- the grammar ---------------------------------------------------------------------- */

static struct grammar_tool grammar_tool(const struct tool *tool) {
    return (struct grammar_tool){tool->name.bytes, tool->name.len, tool->schema.bytes, tool->schema.len};
}

static bool same_text(struct text a, struct text b) {
    return a.len == b.len && memcmp(a.bytes, b.bytes, a.len) == 0;
}

/* The tools that may be called: all, or the named one. */
static bool callable(const struct generation_spec *spec, size_t i) {
    return spec->choice != CHOICE_NAMED || same_text(spec->tools[i].name, spec->choice_name);
}

struct toolbox {
    struct grammar_tool *tools;
    struct text *made; /* widened schemas */
    size_t *index;     /* in the request */
    size_t n;
};

static void toolbox_close(struct toolbox *box) {
    for (size_t i = 0; box->made && i < box->n; i++) free((char *)box->made[i].bytes);
    free(box->tools);
    free(box->made);
    free(box->index);
}

static bool toolbox_open(struct toolbox *box, const struct generation_spec *spec) {
    *box = (struct toolbox){.tools = calloc(spec->n_tools, sizeof *box->tools),
                            .made = calloc(spec->n_tools, sizeof *box->made),
                            .index = calloc(spec->n_tools, sizeof *box->index)};
    if (!box->tools || !box->made || !box->index) return false;
    for (size_t i = 0; i < spec->n_tools; i++) {
        if (!callable(spec, i)) continue;
        box->tools[box->n] = grammar_tool(&spec->tools[i]);
        box->index[box->n++] = i;
    }
    return true;
}

static struct grammar *grammar_of(const struct generation *g, const struct grammar_tool *tools, size_t n,
                                  struct error *error) {
    const struct generation_spec *spec = g->spec;
    struct grammar_syntax syntax = chat_syntax(&g->engine->chat, spec->style);
    return grammar_from_tools(tools, n, spec->choice == CHOICE_AUTO ? GRAMMAR_AUTO : GRAMMAR_CALLS,
                              spec->max_calls ? spec->max_calls : 1, &syntax, NULL, error);
}

/* Names the tool in an error as the request counts them. */
static void renumber(struct error *error, size_t from, size_t to) {
    char old[32], new[32];
    snprintf(old, sizeof old, "tools[%zu]", from);
    snprintf(new, sizeof new, "tools[%zu]", to);
    if (strncmp(error->path, old, strlen(old)) == 0) error_relocate(error, old, new);
}

struct attempt { /* at one schema */
    const struct generation *g;
    struct grammar_tool tool;
    size_t index;
};

static bool try_tool(void *user, struct text schema, struct error *error) {
    struct attempt *attempt = user;
    attempt->tool.schema = schema.bytes;
    attempt->tool.schema_len = schema.len;
    struct grammar *grammar = grammar_of(attempt->g, &attempt->tool, 1, error);
    renumber(error, 0, attempt->index);
    grammar_unref(grammar);
    return grammar != NULL;
}

/* Each tool by itself: one that can't be honoured does not keep others from being. */
static bool widen_tools(struct generation *g, struct toolbox *box, struct error *error) {
    char place[48];
    for (size_t i = 0; i < box->n; i++) {
        struct attempt attempt = {g, box->tools[i], box->index[i]};
        snprintf(place, sizeof place, "tools[%zu].parameters", box->index[i]);
        if (!widen_schema(g->spec->tools[box->index[i]].schema, &box->made[i], place, try_tool, &attempt,
                          &g->warnings, true, error))
            return false;
        if (!box->made[i].bytes) continue;
        box->tools[i].schema = box->made[i].bytes;
        box->tools[i].schema_len = box->made[i].len;
    }
    return true;
}

static bool compile_box(struct generation *g, struct toolbox *box, struct error *error) {
    struct error refusal = {0};
    if (!box->n)
        return error_at(error, ERROR_INVALID_PARAMS, "tool_choice", "names no tool of this request");
    g->grammar = grammar_of(g, box->tools, box->n, &refusal);
    if (!g->grammar && g->spec->widen && refusal.code == ERROR_SCHEMA_UNSUPPORTED) {
        if (!widen_tools(g, box, error)) return false;
        refusal = (struct error){0};
        g->grammar = grammar_of(g, box->tools, box->n, &refusal);
    }
    if (box->n == 1) renumber(&refusal, 0, box->index[0]);
    if (!g->grammar) *error = refusal;
    return g->grammar != NULL;
}

static bool compile_tools(struct generation *g, struct error *error) {
    struct toolbox box;
    bool ok = toolbox_open(&box, g->spec) ? compile_box(g, &box, error)
                                          : error_set(error, ERROR_OUT_OF_MEMORY, "no memory for the tools");
    toolbox_close(&box);
    return ok;
}

static bool try_format(void *user, struct text schema, struct error *error) {
    struct generation *g = user;
    g->grammar = grammar_from_schema(schema.bytes, schema.len, false, g->spec->style != STYLE_COMPACT, NULL, error);
    return g->grammar != NULL;
}

static bool compile_schema(struct generation *g, struct error *error) {
    struct text made;
    if (!g->spec->widen) return try_format(g, g->spec->format_schema, error);
    bool ok = widen_schema(g->spec->format_schema, &made, "", try_format, g, &g->warnings, true, error);
    free((char *)made.bytes);
    return ok;
}

static bool compile_grammar(struct generation *g, struct error *error) {
    const struct generation_spec *spec = g->spec;
    bool spaced = spec->style != STYLE_COMPACT;
    bool calls = spec->n_tools && spec->choice != CHOICE_NONE;
    if (calls && spec->format != FORMAT_TEXT)
        return error_at(error, ERROR_INVALID_PARAMS, "response_format",
                        "cannot be combined with tools unless tool_choice is \"none\"");
    if (calls) return compile_tools(g, error);
    if (spec->format == FORMAT_JSON_OBJECT) g->grammar = grammar_json_object(spaced, error);
    if (spec->format == FORMAT_JSON_SCHEMA) return compile_schema(g, error);
    if (spec->format == FORMAT_REGEX)
        g->grammar = grammar_from_regex(spec->format_schema.bytes, spec->format_schema.len,
                                        "response_format.pattern", error);
    if (spec->format == FORMAT_GBNF)
        g->grammar = grammar_from_gbnf(spec->format_schema.bytes, spec->format_schema.len,
                                       "response_format.grammar", error);
    return spec->format == FORMAT_TEXT || g->grammar;
}

/* ---- the validators --------------------------------------------------------------------- */

static bool check_make(struct answer_check *check, struct text schema, unsigned flags, struct error *error) {
    check->schema = json_parse(schema.bytes, schema.len, MAX_SCHEMA_DEPTH, error);
    if (check->schema) check->validator = validator_new(json_root(check->schema), flags, error);
    return check->validator != NULL;
}

static void check_clear(struct answer_check *check) {
    validator_free(check->validator);
    json_free(check->schema);
    *check = (struct answer_check){.text = check->text};
}

struct making {
    struct answer_check *check;
    unsigned flags;
    const char *place;
};

static bool try_check(void *user, struct text schema, struct error *error) {
    struct making *making = user;
    check_clear(making->check);
    if (check_make(making->check, schema, making->flags, error)) return true;
    error_relocate(error, "", making->place);
    return false;
}

/* The validator of a schema. What it cannot judge, and the decoder cannot hold either, is dropped only if
 * the request says so. */
static bool check_init(struct generation *g, struct answer_check *check, struct text schema, unsigned flags,
                       const char *place, struct error *error) {
    static const char none[] = "{\"type\":\"object\",\"properties\":{}}";
    struct making making = {check, flags, place};
    struct text made = {0};
    if (!schema.bytes) schema = (struct text){none, sizeof none - 1};
    if (!g->spec->widen) return try_check(&making, schema, error);
    bool ok = widen_schema(schema, &made, place, try_check, &making, &g->warnings, false, error);
    check->text = (char *)made.bytes;
    return ok;
}

static bool make_text_check(struct generation *g, struct error *error) {
    struct text format = g->spec->format_schema;
    bool regex = g->spec->format == FORMAT_REGEX;
    g->text_check = regex ? text_check_regex(format.bytes, format.len, "response_format.pattern", error)
                          : text_check_gbnf(format.bytes, format.len, "response_format.grammar", error);
    return g->text_check != NULL;
}

static bool make_checks(struct generation *g, struct error *error) {
    const struct generation_spec *spec = g->spec;
    bool calls = spec->n_tools && spec->choice != CHOICE_NONE;
    bool format = !calls && spec->format == FORMAT_JSON_SCHEMA;
    char place[48];
    if (!calls && (spec->format == FORMAT_REGEX || spec->format == FORMAT_GBNF))
        return make_text_check(g, error);
    if (!calls && !format) return true;
    g->n_checks = calls ? spec->n_tools : 1;
    g->checks = calloc(g->n_checks, sizeof *g->checks);
    if (!g->checks) return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for the validators");
    if (format) return check_init(g, &g->checks[0], spec->format_schema, 0, "", error);
    for (size_t i = 0; i < g->n_checks; i++) {
        snprintf(place, sizeof place, "tools[%zu].parameters", i);
        if (callable(spec, i) &&
            !check_init(g, &g->checks[i], spec->tools[i].schema, VALIDATE_CLOSED, place, error))
            return false;
    }
    return true;
}

/* ---- the prompt ------------------------------------------------------------------------- */

static bool copy_tokens(struct generation *g, struct error *error) {
    char path[48];
    for (size_t i = 0; i < g->spec->n_tokens; i++) {
        snprintf(path, sizeof path, "prompt[%zu]", i);
        if (g->spec->tokens[i] >= g->engine->info.n_vocab)
            return error_at(error, ERROR_INVALID_PARAMS, path, "token id is outside the vocabulary");
        if (!tokens_add(&g->tokens, g->spec->tokens[i]))
            return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for the prompt");
    }
    return true;
}

static bool make_prompt(struct generation *g, struct error *error) {
    const struct generation_spec *spec = g->spec;
    bool ok;
    switch (spec->source) {
    case PROMPT_MESSAGES: ok = chat_render(&g->engine->chat, spec, NULL, &g->tokens, error); break;
    case PROMPT_TEXT:
        ok = tokenize(g->engine->vocab, &g->tokens, spec->text.bytes, spec->text.len,
                      spec->add_special ? TOKENIZE_ADD_SPECIAL : 0, error);
        break;
    default: ok = copy_tokens(g, error);
    }
    if (ok && !g->tokens.len) {
        uint32_t bos = vocab_bos(g->engine->vocab);
        ok = bos != TOKEN_NONE && tokens_add(&g->tokens, bos); /* an empty prompt starts a text */
        if (!ok) error_at(error, ERROR_INVALID_PARAMS, "prompt", "is empty");
    }
    return ok;
}

/* ---- the budget ------------------------------------------------------------------------- */

static bool context_error(const struct generation *g, uint64_t wanted, struct error *error, const char *why) {
    error_set(error, ERROR_CONTEXT_LENGTH, "%s", why);
    error->numbers[0] = g->n_prompt;
    error->numbers[1] = wanted;
    error->numbers[2] = g->engine->info.n_ctx;
    return false;
}

/* Tokens of the shortest text the grammar allows. */
static bool shortest_tokens(const struct generation *g, size_t *n, struct error *error) {
    enum { CAP = 1 << 14 };
    *n = grammar_shortest(g->grammar);
    if (*n <= g->max_tokens) return true; /* a token is at least a byte */
    if (*n > CAP) { /* writing it out would take long, and no budget is meant for it */
        *n = SIZE_MAX;
        return true;
    }
    struct matcher *matcher = matcher_new(g->grammar, g->engine->trie, error);
    char *closing = matcher ? malloc(CAP) : NULL;
    struct tokens tokens = {0};
    bool ok = closing != NULL;
    if (ok) {
        size_t len = matcher_closing(matcher, closing, CAP);
        ok = tokenize(g->engine->vocab, &tokens, closing, len, TOKENIZE_CONTINUE, error);
        *n = len ? tokens.len : matcher_may_fail(matcher) ? 0 : SIZE_MAX; /* guards: it may be found */
    }
    tokens_free(&tokens);
    free(closing);
    matcher_free(matcher);
    return ok || error_set(error, ERROR_OUT_OF_MEMORY, "no memory to measure the grammar");
}

static bool set_budget(struct generation *g, struct error *error) {
    uint64_t wanted = g->spec->max_tokens, left, n_ctx = g->engine->info.n_ctx;
    if (g->tokens.len >= n_ctx) {
        g->n_prompt = g->tokens.len > UINT32_MAX ? UINT32_MAX : (uint32_t)g->tokens.len;
        return context_error(g, wanted, error, "the prompt is longer than the maximum context length");
    }
    g->n_prompt = (uint32_t)g->tokens.len;
    left = n_ctx - g->n_prompt;
    if (!wanted) wanted = DEFAULT_MAX_TOKENS;
    g->max_tokens = (uint32_t)(wanted < left ? wanted : left);
    if (!g->grammar) return true;
    size_t shortest;
    if (!shortest_tokens(g, &shortest, error)) return false;
    return shortest <= g->max_tokens ||
           context_error(g, g->max_tokens, error,
                         "the shortest answer the schema allows needs more tokens than max_tokens or the "
                         "maximum context length leaves");
}

/* ---- sampling against the vocabulary ------------------------------------------------------- */

static bool check_sampling(const struct generation *g, struct error *error) {
    const struct sampling *s = &g->spec->sampling;
    char path[48];
    if (s->top_k > g->engine->info.n_vocab)
        return error_at(error, ERROR_INVALID_PARAMS, "top_k", "is larger than the vocabulary");
    for (size_t i = 0; i < s->n_bias; i++) {
        snprintf(path, sizeof path, "logit_bias.%u", s->bias[i].token);
        if (s->bias[i].token >= g->engine->info.n_vocab)
            return error_at(error, ERROR_INVALID_PARAMS, path, "token id is outside the vocabulary");
    }
    return true;
}

/* ---- life ------------------------------------------------------------------------------- */

struct generation *generation_new(const struct engine *engine, const struct generation_spec *spec,
                                  const struct generation_events *events, void *user, struct error *error) {
    struct generation *g = calloc(1, sizeof *g);
    if (!g) {
        error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a generation");
        return NULL;
    }
    g->engine = engine;
    g->spec = spec;
    g->events = *events;
    g->user = user;
    if (check_sampling(g, error) && compile_grammar(g, error) && make_checks(g, error) && make_prompt(g, error) && set_budget(g, error))
        return g;
    generation_free(g);
    return NULL;
}

static void logprobs_free(struct logprob_list *list) {
    for (size_t i = 0; i < list->n; i++) free((void *)list->of[i].top);
    free(list->of);
}

void generation_free(struct generation *g) {
    if (!g) return;
    for (size_t i = 0; i < g->n_checks; i++) {
        check_clear(&g->checks[i]);
        free(g->checks[i].text);
    }
    free(g->checks);
    free(g->warnings.of);
    text_check_free(g->text_check);
    matcher_free(g->matcher);
    trail_free(&g->trail);
    grammar_unref(g->grammar);
    sampler_free(g->sampler);
    output_free(&g->output);
    tokens_free(&g->tokens);
    logprobs_free(&g->logprobs);
    buf_free(&g->memory);
    free(g->result.calls);
    free(g);
}

void generation_cancel(struct generation *g, enum cancel_reason reason) {
    int none = CANCEL_NONE;
    atomic_compare_exchange_strong(&g->cancel, &none, (int)reason);
}

uint64_t generation_prompt_tokens(const struct generation *g) {
    return g->n_prompt;
}

bool generation_result(const struct generation *g, const struct generation_result **result,
                       struct error *error) {
    *result = &g->result;
    if (g->error.code == ERROR_NONE) return true;
    *error = g->error;
    return false;
}

bool engine_render(const struct engine *engine, struct buf *out, const struct generation_spec *spec,
                   struct error *error) {
    return chat_render(&engine->chat, spec, out, NULL, error);
}

bool engine_count(const struct engine *engine, uint64_t *n, const struct generation_spec *spec,
                  struct error *error) {
    struct tokens tokens = {0};
    bool ok = chat_render(&engine->chat, spec, NULL, &tokens, error);
    *n = tokens.len;
    tokens_free(&tokens);
    return ok;
}
