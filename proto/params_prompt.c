#include "proto/params.h"

#include <string.h>

#include "proto/json.h"
#include "proto/span.h"

static const struct {
    const char *name;
    enum message_role role;
} roles[] = {{"system", ROLE_SYSTEM},
             {"user", ROLE_USER},
             {"assistant", ROLE_ASSISTANT},
             {"tool", ROLE_TOOL}};

static enum message_role role_of(const json_t *name) {
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (strcmp(roles[i].name, json_string_value(name)) == 0) return roles[i].role;
    return ROLE_USER;
}

/* ---- content ---- */

static const struct message_part *one_part(struct params *params, const json_t *string) {
    struct message_part *part = arena_alloc(params->arena, 1, sizeof *part);
    if (part) part->text = params_text(params, string);
    return part;
}

static const struct message_part *read_parts(struct params *params, const json_t *array) {
    size_t n = json_array_size(array);
    struct message_part *parts = arena_alloc(params->arena, n, sizeof *parts);
    for (size_t i = 0; parts && i < n; i++) {
        const json_t *part = json_array_get(array, i);
        parts[i].text = params_text(params, json_object_get(part, "text"));
        parts[i].stable = json_is_object(json_object_get(part, "cache_control"));
    }
    return parts;
}

static bool read_content(struct params *params, struct message *out, const json_t *message,
                         const struct path *path) {
    const json_t *content = json_object_get(message, "content");
    if (json_is_string(content)) {
        out->n_parts = 1;
        out->parts = one_part(params, content);
    } else if (json_is_array(content)) {
        out->n_parts = json_array_size(content);
        out->parts = read_parts(params, content);
    } else if (!content && !out->n_calls) {
        return path_error(params->error, PATH_MEMBER(path, "content"), "is required");
    }
    return true;
}

/* ---- calls echoed in the history ---- */

static struct text trimmed(struct text text) {
    while (text.len && strchr(" \t\r\n", text.bytes[text.len - 1])) text.len--;
    while (text.len && strchr(" \t\r\n", *text.bytes)) text.bytes++, text.len--;
    return text;
}

/* Arguments in a string: it must hold one JSON object. */
static bool arguments_in_string(struct params *params, struct text *out, const json_t *string,
                                const struct path *path) {
    struct text text = json_text(string);
    struct error found = {0};
    json_t *json = json_read(text.bytes, text.len, &found);
    bool object = json_is_object(json);
    json_decref(json);
    if (found.code == ERROR_OUT_OF_MEMORY) return !(params->arena->failed = true);
    if (found.code)
        return path_error(params->error, path, "the string holds no JSON object: %s",
                          found.message);
    if (!object) return path_error(params->error, path, "the string holds no JSON object");
    text = trimmed(text);
    *out = arena_copy(params->arena, text.bytes, text.len);
    return true;
}

static bool read_call(struct params *params, struct message_call *out, const json_t *call,
                      struct text raw, const struct path *path) {
    const json_t *function = json_object_get(call, "function");
    struct path inner = {path, "function", 0};
    out->id = params_text(params, json_object_get(call, "id"));
    if (function) {
        call = function;
        raw = span_member(raw, "function");
        path = &inner;
    }
    out->name = params_text(params, json_object_get(call, "name"));
    const json_t *arguments = json_object_get(call, "arguments");
    if (json_is_string(arguments))
        return arguments_in_string(params, &out->arguments, arguments,
                                   PATH_MEMBER(path, "arguments"));
    raw = span_member(raw, "arguments");
    out->arguments = arena_copy(params->arena, raw.bytes, raw.len);
    return true;
}

static bool read_calls(struct params *params, struct message *out, const json_t *message,
                       struct text raw, const struct path *up) {
    const json_t *array = json_object_get(message, "tool_calls");
    const struct path *path = PATH_MEMBER(up, "tool_calls");
    size_t n = json_array_size(array);
    if (n == 0) return true;
    if (out->role != ROLE_ASSISTANT)
        return path_error(params->error, path, "only a message of the assistant has calls");
    struct message_call *calls = arena_alloc(params->arena, n, sizeof *calls);
    struct span_walk walk = span_open(span_member(raw, "tool_calls"));
    struct text item;
    for (size_t i = 0; calls && i < n && span_next(&walk, &item); i++)
        if (!read_call(params, &calls[i], json_array_get(array, i), item, PATH_ITEM(path, i)))
            return false;
    out->calls = calls;
    out->n_calls = calls ? n : 0;
    return true;
}

/* ---- messages ---- */

static bool read_message(struct params *params, struct message *out, const json_t *message,
                         struct text raw, const struct path *path) {
    out->role = role_of(json_object_get(message, "role"));
    out->name = params_text(params, json_object_get(message, "name"));
    out->tool_call_id = params_text(params, json_object_get(message, "tool_call_id"));
    return read_calls(params, out, message, raw, path) && read_content(params, out, message, path);
}

static bool read_messages(struct params *params, const json_t *array) {
    size_t n = json_array_size(array);
    struct message *messages = arena_alloc(params->arena, n, sizeof *messages);
    struct span_walk walk = span_open(span_member(params->raw, "messages"));
    const struct path *path = PATH_MEMBER(PATH_ROOT, "messages");
    struct text item;
    for (size_t i = 0; messages && i < n && span_next(&walk, &item); i++)
        if (!read_message(params, &messages[i], json_array_get(array, i), item, PATH_ITEM(path, i)))
            return false;
    params->call->spec.messages = messages;
    params->call->spec.n_messages = n;
    return true;
}

bool params_prompt(struct params *params) {
    const json_t *messages = params_get(params, "messages"), *prompt = params_get(params, "prompt");
    if (messages && prompt)
        return path_error(params->error, PATH_MEMBER(PATH_ROOT, "prompt"),
                          "give messages or prompt, not both");
    if (messages) return read_messages(params, messages);
    struct message *message = arena_alloc(params->arena, 1, sizeof *message);
    if (!message) return true; /* the arena knows */
    message->role = ROLE_USER;
    message->n_parts = 1;
    message->parts = one_part(params, prompt);
    params->call->spec.messages = message;
    params->call->spec.n_messages = 1;
    return true;
}
