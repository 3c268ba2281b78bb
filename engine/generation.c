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
static bool compile_tools(struct generation *g, struct error *error) {
    const struct generation_spec *spec = g->spec;
    struct grammar_syntax syntax = chat_syntax(&g->engine->chat, spec->style);
    enum grammar_choice choice = spec->choice == CHOICE_AUTO ? GRAMMAR_AUTO : GRAMMAR_CALLS;
    struct grammar_tool *tools = calloc(spec->n_tools, sizeof *tools);
    size_t n = 0;
    if (!tools) return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for the tools");
    for (size_t i = 0; i < spec->n_tools; i++)
        if (spec->choice != CHOICE_NAMED || same_text(spec->tools[i].name, spec->choice_name))
            tools[n++] = grammar_tool(&spec->tools[i]);
    if (n)
        g->grammar = grammar_from_tools(tools, n, choice, spec->max_calls ? spec->max_calls : 1, &syntax,
                                        NULL, error);
    else error_at(error, ERROR_INVALID_PARAMS, "tool_choice", "names no tool of this request");
    free(tools);
    return g->grammar != NULL;
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
    if (spec->format == FORMAT_JSON_SCHEMA)
        g->grammar = grammar_from_schema(spec->format_schema.bytes, spec->format_schema.len, false, spaced,
                                         NULL, error);
    return spec->format == FORMAT_TEXT || g->grammar;
}

/* ---- the validators --------------------------------------------------------------------- */

static bool check_init(struct answer_check *check, struct text schema, unsigned flags, struct error *error) {
    static const char none[] = "{\"type\":\"object\",\"properties\":{}}";
    if (!schema.bytes) schema = (struct text){none, sizeof none - 1};
    check->schema = json_parse(schema.bytes, schema.len, MAX_SCHEMA_DEPTH, error);
    if (check->schema) check->validator = validator_new(json_root(check->schema), flags, error);
    return check->validator != NULL;
}

static bool make_checks(struct generation *g, struct error *error) {
    const struct generation_spec *spec = g->spec;
    bool calls = spec->n_tools && spec->choice != CHOICE_NONE;
    bool format = !calls && spec->format == FORMAT_JSON_SCHEMA;
    if (!calls && !format) return true;
    g->n_checks = calls ? spec->n_tools : 1;
    g->checks = calloc(g->n_checks, sizeof *g->checks);
    if (!g->checks) return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for the validators");
    if (format) return check_init(&g->checks[0], spec->format_schema, 0, error);
    for (size_t i = 0; i < g->n_checks; i++)
        if (spec->choice != CHOICE_NAMED || same_text(spec->tools[i].name, spec->choice_name))
            if (!check_init(&g->checks[i], spec->tools[i].schema, VALIDATE_CLOSED, error)) return false;
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
        *n = len ? tokens.len : SIZE_MAX;
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
        validator_free(g->checks[i].validator);
        json_free(g->checks[i].schema);
    }
    free(g->checks);
    matcher_free(g->matcher);
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
