#include "engine/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 128 };

static bool invalid(struct error *error, const char *what) {
    return error_set(error, ERROR_OUTPUT_INVALID, "%s", what);
}

/* Where keywords were dropped, what does not satisfy them is no bug: it is not returned. */
static bool withhold(struct generation *g) {
    g->result.finish = FINISH_INVALID;
    return true;
}

/* ---- calls -------------------------------------------------------------------------------- */

static size_t find_tool(const struct generation_spec *spec, const struct json *name) {
    for (size_t i = 0; i < spec->n_tools; i++)
        if (spec->tools[i].name.len == name->len &&
            memcmp(spec->tools[i].name.bytes, name->text, name->len) == 0)
            return i;
    return SIZE_MAX;
}

static bool is_known(const struct generation_result *r, struct text name, struct text arguments) {
    for (size_t i = 0; i < r->n_calls; i++) {
        struct result_call call = r->calls[i];
        if (call.name.bytes == name.bytes && call.arguments.len == arguments.len &&
            memcmp(call.arguments.bytes, arguments.bytes, arguments.len) == 0)
            return true;
    }
    return false;
}

/* Checks one call {"name": .., "arguments": ..} and appends it to the result, unless it is there already.
 * name and arguments are borrowed from the output's text. */
static bool add_call(struct generation *g, const struct json *call, struct error *error) {
    const struct json *name = json_get(call, "name"), *arguments = json_get(call, "arguments");
    struct generation_result *r = &g->result;
    struct error inner = {0};
    if (call->type != JSON_OBJECT || call->len != 2 || !name || name->type != JSON_STRING || !arguments)
        return invalid(error, "a call is not an object of name and arguments");
    size_t tool = find_tool(g->spec, name);
    if (tool == SIZE_MAX || !g->form->checks[tool].validator) return invalid(error, "a call names no tool that may be called");
    if (!validator_check(g->form->checks[tool].validator, arguments, &inner)) {
        if (g->form->warnings.n) return withhold(g);
        char path[560];
        snprintf(path, sizeof path, "calls[%zu].arguments%s", r->n_calls, inner.path);
        return error_at(error, ERROR_OUTPUT_INVALID, path, "%s", inner.message);
    }
    struct result_call made = {g->spec->tools[tool].name, {arguments->raw, arguments->raw_len}};
    if (is_known(r, made.name, made.arguments)) return true;
    struct result_call *calls = realloc(r->calls, (r->n_calls + 1) * sizeof *calls);
    if (!calls) return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for the calls");
    r->calls = calls;
    calls[r->n_calls++] = made;
    return true;
}

/* Reads the calls in text: (open JSON close)(between open JSON close)*; a last one that the budget cut
 * short is left out. */
static bool read_calls(struct generation *g, struct text text, struct error *error) {
    struct grammar_syntax syntax = chat_syntax(&g->engine->chat, g->spec->style);
    size_t open = strlen(syntax.open), close = strlen(syntax.close);
    const char *at = text.bytes, *end = text.bytes + text.len;
    while (at < end) {
        const char *stop = NULL;
        if ((size_t)(end - at) >= open && memcmp(at, syntax.open, open) == 0)
            stop = memmem(at + open, (size_t)(end - at) - open, syntax.close, close);
        if (!stop) return true; /* cut short */
        struct error inner = {0};
        struct json_doc *doc = json_parse(at + open, (size_t)(stop - at) - open, MAX_DEPTH, &inner);
        /* The close marker may stand inside a string: then the next one ends the call. */
        while (!doc && (stop = memmem(stop + 1, (size_t)(end - stop) - 1, syntax.close, close)))
            doc = json_parse(at + open, (size_t)(stop - at) - open, MAX_DEPTH, &(struct error){0});
        if (!doc) return invalid(error, "a call is not JSON");
        bool ok = add_call(g, json_root(doc), error);
        json_free(doc);
        if (!ok) return false;
        at = stop + close;
        size_t between = strlen(syntax.between);
        if ((size_t)(end - at) >= between && memcmp(at, syntax.between, between) == 0) at += between;
    }
    return true;
}

/* ---- content ------------------------------------------------------------------------------ */

static bool check_text(const struct generation *g, struct text text, struct error *error) {
    switch (text_check_run(g->form->text_check, text.bytes, text.len)) {
    case TEXT_YES: return true;
    case TEXT_NO: return invalid(error, "the answer is no text of the format");
    default: return invalid(error, "the answer is too ambiguous to be checked");
    }
}

static bool check_format(struct generation *g, struct text text, struct error *error) {
    struct error inner = {0};
    if (g->result.finish == FINISH_INVALID) { /* guards left no way to complete it */
        g->result.content = (struct text){0};
        return true;
    }
    if (g->result.finish == FINISH_LENGTH && !(g->matcher && matcher_may_end(g->matcher))) return true; /* cut short */
    if (g->form->text_check) return check_text(g, text, error);
    struct json_doc *doc = json_parse(text.bytes, text.len, MAX_DEPTH, &inner);
    if (!doc) return error_set(error, ERROR_OUTPUT_INVALID, "the answer is not JSON: %s", inner.message);
    bool ok = g->spec->format != FORMAT_JSON_OBJECT || json_root(doc)->type == JSON_OBJECT;
    if (ok && g->form->n_checks) ok = validator_check(g->form->checks[0].validator, json_root(doc), &inner);
    json_free(doc);
    if (!ok && g->form->warnings.n) {
        g->result.content = (struct text){0};
        return withhold(g);
    }
    return ok || error_at(error, ERROR_OUTPUT_INVALID, inner.path, "the answer: %s", inner.message);
}

/* What stands before the calls; absent when that is nothing but white space. */
static struct text content_before(struct text text, size_t calls_at) {
    while (calls_at && strchr(" \n\r\t", text.bytes[calls_at - 1])) calls_at--;
    return calls_at ? (struct text){text.bytes, calls_at} : (struct text){0};
}

/* Where the budget cut a call short in the middle of its opening; text.len if nowhere. A few bytes like the
 * opening's first are as well the beginning of a word: it takes half of it. */
static size_t cut_opening(struct text text, const char *open) {
    size_t whole = strlen(open);
    for (size_t n = text.len < whole ? text.len : whole; n && n >= whole / 2; n--)
        if (memcmp(text.bytes + text.len - n, open, n) == 0) return text.len - n;
    return text.len;
}

static bool echo_prompt(struct generation *g, struct error *error) {
    struct buf *memory = &g->memory;
    if (!engine_detokenize(g->engine, memory, g->tokens.ids, g->n_prompt, error)) return false;
    if (!buf_add(memory, g->result.content.bytes, g->result.content.len))
        return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for the echo");
    g->result.content = (struct text){memory->bytes, memory->len};
    return true;
}

bool answer_build(struct generation *g, struct error *error) {
    struct text text = {g->output.text.bytes ? g->output.text.bytes : "", g->output.text.len};
    const struct generation_spec *spec = g->spec;
    bool may_call = g->form && spec->n_tools && spec->choice != CHOICE_NONE;
    g->result.content = text;
    if (!may_call) {
        if (spec->format != FORMAT_TEXT && !check_format(g, text, error)) return false;
        return !spec->echo || !g->result.content.bytes || echo_prompt(g, error);
    }
    const char *open = chat_syntax(&g->engine->chat, spec->style).open;
    const char *at = memmem(text.bytes, text.len, open, strlen(open));
    if (!at) {
        size_t end = g->result.finish == FINISH_LENGTH ? cut_opening(text, open) : text.len;
        if (spec->choice != CHOICE_AUTO) g->result.content = (struct text){0};
        else if (end < text.len) g->result.content = content_before(text, end);
        return true;
    }
    struct text calls = {at, text.len - (size_t)(at - text.bytes)};
    if (!read_calls(g, calls, error)) return false;
    g->result.content = content_before(text, (size_t)(at - text.bytes));
    if (g->result.n_calls && g->result.finish == FINISH_STOP) g->result.finish = FINISH_TOOL_CALLS;
    return true;
}

/* Where the last call of text begins, after a whole one: at an `open` that `between` precedes. */
static const char *last_call(struct text text, const struct grammar_syntax *syntax) {
    size_t open = strlen(syntax->open), between = strlen(syntax->between), seam = open + between;
    if (text.len < open + seam) return NULL;
    for (const char *at = text.bytes + text.len - open; at >= text.bytes + seam; at--)
        if (memcmp(at, syntax->open, open) == 0 && memcmp(at - between, syntax->between, between) == 0)
            return at;
    return NULL;
}

/* Does a call that ends the text say the same as one before? *text loses it then. */
static bool drop_repeated(struct text *text, const struct grammar_syntax *syntax) {
    const char *last = last_call(*text, syntax), *same = text->bytes;
    if (!last) return false;
    size_t len = (size_t)(text->bytes + text->len - last), between = strlen(syntax->between);
    const char *end = last - between; /* of the call before */
    for (; (same = memmem(same, (size_t)(end - same), last, len)); same++) {
        bool whole = same + len == end || memcmp(same + len, syntax->between, between) == 0;
        if (!whole) continue;
        text->len = (size_t)(end - text->bytes);
        return true;
    }
    return false;
}

bool answer_repeats(const struct generation *g) {
    struct grammar_syntax syntax = chat_syntax(&g->engine->chat, g->spec->style);
    struct text text = {g->output.text.bytes, g->output.text.len};
    size_t close = strlen(syntax.close);
    if (text.len < strlen(syntax.open) + close ||
        memcmp(text.bytes + text.len - close, syntax.close, close) != 0)
        return false;
    return drop_repeated(&text, &syntax) && drop_repeated(&text, &syntax);
}
