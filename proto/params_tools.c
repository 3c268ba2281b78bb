#include "proto/params.h"

#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/span.h"

static struct text raw_copy(struct params *params, struct text raw) {
    return raw.bytes ? arena_copy(params->arena, raw.bytes, raw.len) : raw;
}

/* ---- one tool: OpenAI's form, MCP's or bare ---- */

static bool read_tool(struct params *params, struct tool *out, const json_t *tool, struct text raw,
                      const struct path *path) {
    const json_t *function = json_object_get(tool, "function");
    if (function) {
        tool = function;
        raw = span_member(raw, "function");
    } else if (json_object_get(tool, "inputSchema") && json_object_get(tool, "parameters")) {
        return path_error(params->error, PATH_MEMBER(path, "inputSchema"),
                          "give parameters or inputSchema, not both");
    }
    out->name = params_text(params, json_object_get(tool, "name"));
    out->description = params_text(params, json_object_get(tool, "description"));
    struct text schema = span_member(raw, "parameters");
    if (!schema.bytes && !function) schema = span_member(raw, "inputSchema");
    out->schema = raw_copy(params, schema);
    return true;
}

/* ---- names ---- */

static int text_compare(struct text a, struct text b) {
    int order = memcmp(a.bytes, b.bytes, a.len < b.len ? a.len : b.len);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_name(const void *a, const void *b) {
    const struct tool *x = *(const struct tool *const *)a, *y = *(const struct tool *const *)b;
    int order = text_compare(x->name, y->name);
    return order ? order : (x > y) - (x < y);
}

static bool names_unique(struct params *params, const struct tool *tools, size_t n) {
    const struct tool **sorted = arena_alloc(params->arena, n, sizeof *sorted);
    if (!sorted) return true; /* the arena knows */
    for (size_t i = 0; i < n; i++) sorted[i] = &tools[i];
    qsort(sorted, n, sizeof *sorted, by_name);
    for (size_t i = 1; i < n; i++) {
        if (text_compare(sorted[i - 1]->name, sorted[i]->name) != 0) continue;
        const struct path *item =
            PATH_ITEM(PATH_MEMBER(PATH_ROOT, "tools"), (size_t)(sorted[i] - tools));
        return path_error(params->error, PATH_MEMBER(item, "name"), "another tool is called %s too",
                          sorted[i]->name.bytes);
    }
    return true;
}

static bool read_tools(struct params *params, const json_t *array) {
    size_t n = json_array_size(array);
    struct tool *tools = arena_alloc(params->arena, n, sizeof *tools);
    struct span_walk walk = span_open(span_member(params->raw, "tools"));
    const struct path *path = PATH_MEMBER(PATH_ROOT, "tools");
    struct text item;
    for (size_t i = 0; tools && i < n && span_next(&walk, &item); i++)
        if (!read_tool(params, &tools[i], json_array_get(array, i), item, PATH_ITEM(path, i)))
            return false;
    params->call->spec.tools = tools;
    params->call->spec.n_tools = tools ? n : 0;
    return params->arena->failed || names_unique(params, tools, n);
}

/* ---- the choice ---- */

static enum tool_choice choice_of(const char *name) {
    if (strcmp(name, "required") == 0) return CHOICE_REQUIRED;
    return strcmp(name, "auto") == 0 ? CHOICE_AUTO : CHOICE_NONE;
}

static bool tool_exists(const struct generation_spec *spec, struct text name) {
    for (size_t i = 0; i < spec->n_tools; i++)
        if (text_compare(spec->tools[i].name, name) == 0) return true;
    return false;
}

static bool read_named(struct params *params, const json_t *name) {
    struct generation_spec *spec = &params->call->spec;
    const struct path *path = PATH_MEMBER(PATH_MEMBER(PATH_ROOT, "tool_choice"), "name");
    spec->choice = CHOICE_NAMED;
    spec->choice_name = params_text(params, name);
    if (params->arena->failed || tool_exists(spec, spec->choice_name)) return true;
    return path_error(params->error, path, "no tool is called that");
}

static bool read_choice(struct params *params) {
    struct rpc_call *call = params->call;
    const json_t *choice = params_get(params, "tool_choice");
    bool optional = call->method == METHOD_CHAT;
    if (json_is_object(choice)) return read_named(params, json_object_get(choice, "name"));
    call->spec.choice = choice     ? choice_of(json_string_value(choice))
                        : optional ? CHOICE_AUTO
                                   : CHOICE_REQUIRED;
    if (call->spec.n_tools) return true;
    if (choice && call->spec.choice == CHOICE_REQUIRED)
        return path_error(params->error, PATH_MEMBER(PATH_ROOT, "tool_choice"),
                          "there are no tools");
    call->spec.choice = CHOICE_NONE;
    return true;
}

bool params_tools(struct params *params) {
    const json_t *tools = params_get(params, "tools");
    if (json_array_size(tools) && !read_tools(params, tools)) return false;
    params->call->spec.max_calls = (unsigned)params_integer(params, "max_calls", 1);
    return params->arena->failed || read_choice(params);
}
