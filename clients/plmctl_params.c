/* Params as JSON text. */
#include "clients/plmctl.h"

#include <string.h>
#include <unistd.h>

#include "proto/proto.h"

void params_name(struct buf *out, const char *name) {
    buf_printf(out, ",\"%s\":", name);
}

void params_string(struct buf *out, const char *name, struct text value) {
    params_name(out, name);
    json_quote(out, value);
}

static void add_option(struct buf *out, const char *name, const char *number) {
    if (!number) return;
    params_name(out, name);
    buf_add_str(out, number);
}

static struct text text_of(const char *string) {
    return (struct text){string, strlen(string)};
}

/* The file's array, or its member "tools", or the one tool that it is. */
static bool add_tools(struct buf *out, const char *path) {
    struct buf json = {0};
    bool fine = input_json_file(&json, path);
    if (fine) {
        struct text all = {json.bytes, json.len}, inside = span_member(all, "tools");
        bool list = inside.bytes || json.bytes[strspn(json.bytes, " \t")] == '[';
        if (!inside.bytes) inside = all;
        params_name(out, "tools");
        if (!list) buf_add_char(out, '[');
        buf_add(out, inside.bytes, inside.len);
        if (!list) buf_add_char(out, ']');
    }
    buf_free(&json);
    return fine;
}

static void add_choice(struct buf *out, const char *choice) {
    bool word = strcmp(choice, "auto") == 0 || strcmp(choice, "required") == 0 ||
                strcmp(choice, "none") == 0;
    params_name(out, "tool_choice");
    if (!word) buf_add_str(out, "{\"name\":");
    json_quote(out, text_of(choice));
    if (!word) buf_add_char(out, '}');
}

static bool add_schema(struct buf *out, const char *path) {
    params_name(out, "response_format");
    buf_add_str(out, "{\"type\":\"json_schema\",\"schema\":");
    return input_json_file(out, path) && buf_add_char(out, '}');
}

static bool add_format(struct buf *out, const struct options *options) {
    struct buf grammar = {0};
    bool fine = true;
    if (options->schema) return add_schema(out, options->schema);
    if (options->gbnf) fine = input_file(&grammar, options->gbnf);
    params_name(out, "response_format");
    buf_printf(out, "{\"type\":\"%s\"", options->regex ? "regex" : "gbnf");
    if (options->regex) params_string(out, "pattern", text_of(options->regex));
    else params_string(out, "grammar", (struct text){grammar.bytes, grammar.len});
    buf_free(&grammar);
    return fine && buf_add_char(out, '}');
}

bool params_open(struct buf *out, const struct session *session) {
    const struct options *options = session->options;
    bool progress = !options->quiet && isatty(STDERR_FILENO);
    buf_printf(out, "{\"stream\":%s,\"progress\":%s", session->streaming ? "true" : "false",
               progress ? "true" : "false");
    add_option(out, "max_tokens", options->max_tokens);
    add_option(out, "temperature", options->temperature);
    add_option(out, "seed", options->seed);
    if (options->model) params_string(out, "model", text_of(options->model));
    if (options->choice) add_choice(out, options->choice);
    if (options->tools && !add_tools(out, options->tools)) return false;
    bool format = options->schema || options->regex || options->gbnf;
    return !format || add_format(out, options);
}

void params_message(struct buf *out, const char *role, struct text content) {
    buf_printf(out, "{\"role\":\"%s\",\"content\":", role);
    json_quote(out, content);
    buf_add_char(out, '}');
}
