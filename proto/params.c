#include "proto/params.h"

#include <string.h>

#include "proto/json.h"
#include "proto/span.h"

const json_t *params_get(const struct params *params, const char *name) {
    return json_object_get(params->json, name);
}

int64_t params_integer(const struct params *params, const char *name, int64_t otherwise) {
    int64_t value;
    return json_whole(params_get(params, name), &value) ? value : otherwise;
}

double params_number(const struct params *params, const char *name, double otherwise) {
    const json_t *value = params_get(params, name);
    return value ? json_number_value(value) : otherwise;
}

bool params_flag(const json_t *object, const char *name, bool otherwise) {
    const json_t *value = json_object_get(object, name);
    return value ? json_is_true(value) : otherwise;
}

struct text params_text(struct params *params, const json_t *string) {
    struct text text = json_text(string);
    return text.bytes ? arena_copy(params->arena, text.bytes, text.len) : text;
}

const uint32_t *params_tokens(struct params *params, size_t *n, const json_t *array) {
    *n = json_array_size(array);
    uint32_t *tokens = arena_alloc(params->arena, *n, sizeof *tokens);
    for (size_t i = 0; tokens && i < *n; i++) {
        int64_t id = 0;
        json_whole(json_array_get(array, i), &id);
        tokens[i] = (uint32_t)id;
    }
    return tokens;
}

enum { ID_BYTES = 128 };

char *params_id(struct arena *arena, const json_t *id) {
    struct buf text = {0};
    int64_t whole;
    if (json_is_integer(id) && json_whole(id, &whole))
        buf_printf(&text, "%lld", (long long)whole);
    else if (json_is_string(id) && json_string_length(id) <= ID_BYTES)
        json_quote(&text, json_text(id));
    else
        return NULL;
    char *copy = text.failed ? NULL : (char *)arena_copy(arena, text.bytes, text.len).bytes;
    if (text.failed) arena->failed = true;
    buf_free(&text);
    return copy;
}

/* ---- a reader for each method ---- */

static bool read_cancel(struct params *params) {
    const json_t *id = params_get(params, "id");
    params->call->connection = params_integer(params, "connection", 0);
    if (!id) id = params_get(params, "requestId");
    params->call->cancel_id = params_id(params->arena, id);
    if (params->call->cancel_id || params->arena->failed) return true;
    return path_error(params->error, PATH_MEMBER(PATH_ROOT, "id"), "expected the id of a request");
}

static bool read_tokenize(struct params *params) {
    params->call->input = params_text(params, params_get(params, "text"));
    params->call->add_special = params_flag(params->json, "add_special", false);
    params->call->parse_special = params_flag(params->json, "parse_special", false);
    return true;
}

static bool read_detokenize(struct params *params) {
    params->call->tokens =
        params_tokens(params, &params->call->n_tokens, params_get(params, "tokens"));
    return true;
}

static bool read_schema_check(struct params *params) {
    struct schema_question *question = &params->call->question;
    struct text schema = span_member(params->raw, "schema");
    if (schema.bytes && params_get(params, "tools"))
        return path_error(params->error, PATH_MEMBER(PATH_ROOT, "tools"),
                          "give schema or tools, not both");
    if (schema.bytes) question->schema = arena_copy(params->arena, schema.bytes, schema.len);
    question->widen = json_is(params_get(params, "on_unsupported"), "widen");
    question->instance = params_text(params, params_get(params, "instance"));
    if (!params_tools(params)) return false;
    question->tools = params->call->spec.tools;
    question->n_tools = params->call->spec.n_tools;
    return true;
}

static bool read_complete(struct params *params) {
    struct generation_spec *spec = &params->call->spec;
    const json_t *prompt = params_get(params, "prompt");
    if (json_is_string(prompt)) {
        spec->source = PROMPT_TEXT;
        spec->text = params_text(params, prompt);
    } else {
        spec->source = PROMPT_TOKENS;
        spec->tokens = params_tokens(params, &spec->n_tokens, prompt);
    }
    spec->choice = CHOICE_NONE;
    spec->max_calls = 1;
    spec->add_special = params_flag(params->json, "add_special", true);
    spec->echo = params_flag(params->json, "echo", false);
    return params_sampling(params) && params_output(params);
}

static bool read_conversation(struct params *params) {
    struct rpc_call *call = params->call;
    call->spec.source = PROMPT_MESSAGES;
    call->now_given = params_get(params, "now") != NULL;
    call->spec.now = params_integer(params, "now", 0);
    return params_prompt(params) && params_tools(params) && params_sampling(params) &&
           params_output(params);
}

bool params_read(struct params *params) {
    struct rpc_call *call = params->call;
    call->model = params_text(params, params_get(params, "model"));
    switch (call->method) {
    case METHOD_HELLO: call->protocol = params_integer(params, "protocol", 0); return true;
    case METHOD_CANCEL: return read_cancel(params);
    case METHOD_TOKENIZE: return read_tokenize(params);
    case METHOD_SCHEMA_CHECK: return read_schema_check(params);
    case METHOD_LOG_LEVEL:
        call->level = params_text(params, params_get(params, "level"));
        return true;
    case METHOD_DETOKENIZE: return read_detokenize(params);
    case METHOD_COMPLETE: return read_complete(params);
    case METHOD_TOOL_CALL:
    case METHOD_CHAT:
    case METHOD_COUNT:
    case METHOD_RENDER: return read_conversation(params);
    default: return true;
    }
}
