/* Preparing a generation: any thread, immutable state only. */
#include "engine/generation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_MAX_TOKENS = 4096 };

/* ---- the form ---------------------------------------------------------------------------- */

/* Forms are found again in the cache; what can't be compiled is tried anew each time. */
static bool make_form(struct generation *g, struct error *error) {
    struct grammar_cache *cache = g->engine->grammars;
    struct form_key key;
    if (g->spec->n_tools && g->spec->choice != CHOICE_NONE && g->spec->format != FORMAT_TEXT)
        return error_at(error, ERROR_INVALID_PARAMS, "response_format",
                        "cannot be combined with tools unless tool_choice is \"none\"");
    if (!form_wanted(g->spec)) return true;
    if (!form_key_make(&key, g->spec))
        return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for the grammar");
    g->form = grammar_cache_get(cache, &key);
    if (g->form) {
        free(key.bytes);
        return true;
    }
    g->form = form_new(&key, g->spec, &g->engine->chat, error);
    if (g->form) grammar_cache_put(cache, g->form);
    return g->form != NULL;
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
    *n = grammar_shortest(g->form->grammar);
    if (*n <= g->max_tokens) return true; /* a token is at least a byte */
    if (*n > CAP) { /* writing it out would take long, and no budget is meant for it */
        *n = SIZE_MAX;
        return true;
    }
    struct matcher *matcher = matcher_new(g->form->grammar, g->engine->trie, error);
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
    if (!g->form) return true;
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
    if (check_sampling(g, error) && make_form(g, error) && make_prompt(g, error) && set_budget(g, error))
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
    matcher_free(g->matcher);
    trail_free(&g->trail);
    closing_free(&g->closing);
    draft_free(&g->draft);
    grammar_cache_release(g->engine->grammars, g->form);
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
