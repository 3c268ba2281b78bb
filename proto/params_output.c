#include "proto/params.h"

#include "proto/json.h"
#include "proto/span.h"

enum { MS = 1000000 };                              /* ns */
static const int64_t longest_ms = INT64_C(1) << 42; /* 139 years: now + deadline cannot overflow */

/* ---- response_format ---- */

static bool read_format(struct params *params) {
    struct generation_spec *spec = &params->call->spec;
    const json_t *format = params_get(params, "response_format");
    const json_t *type = json_object_get(format, "type");
    if (!format || json_is(type, "text")) return true;
    if (json_is(type, "json_object")) {
        spec->format = FORMAT_JSON_OBJECT;
    } else if (json_is(type, "json_schema")) {
        struct text raw = span_member(span_member(params->raw, "response_format"), "schema");
        spec->format = FORMAT_JSON_SCHEMA;
        spec->format_schema = arena_copy(params->arena, raw.bytes, raw.len);
    } else {
        bool regex = json_is(type, "regex");
        spec->format = regex ? FORMAT_REGEX : FORMAT_GBNF;
        spec->format_schema =
            params_text(params, json_object_get(format, regex ? "pattern" : "grammar"));
    }
    return true;
}

/* ---- what later versions will do: refused, not ignored ---- */

static bool refuse(struct params *params, const char *member, const char *what) {
    return path_error(params->error, PATH_MEMBER(PATH_ROOT, member), "%s is not supported yet",
                      what);
}

static bool check_supported(struct params *params) {
    if (json_is(params_get(params, "overflow"), "shift"))
        return refuse(params, "overflow", "\"shift\"");
    const json_t *reasoning = params_get(params, "reasoning");
    if (!reasoning || json_object_size(reasoning) == 0) return true;
    if (params_flag(reasoning, "enabled", true)) return refuse(params, "reasoning", "reasoning");
    return true;
}

/* ---- the rest ---- */

static void read_stop(struct params *params) {
    struct generation_spec *spec = &params->call->spec;
    const json_t *array = params_get(params, "stop");
    size_t n = json_array_size(array);
    if (n == 0) return;
    struct text *stop = arena_alloc(params->arena, n, sizeof *stop);
    for (size_t i = 0; stop && i < n; i++) stop[i] = params_text(params, json_array_get(array, i));
    spec->stop = stop;
    spec->n_stop = stop ? n : 0;
}

static enum json_style style_of(const json_t *name) {
    return json_is(name, "spaced")    ? STYLE_SPACED
           : json_is(name, "compact") ? STYLE_COMPACT
                                      : STYLE_DEFAULT;
}

bool params_output(struct params *params) {
    struct generation_spec *spec = &params->call->spec;
    const json_t *cache = params_get(params, "cache");
    int64_t deadline = params_integer(params, "deadline_ms", 0);
    spec->deadline_ns = (deadline < longest_ms ? deadline : longest_ms) * MS;
    spec->max_tokens = (uint64_t)params_integer(params, "max_tokens", 0);
    spec->widen = json_is(params_get(params, "on_unsupported"), "widen");
    spec->style = style_of(params_get(params, "json_style"));
    spec->stream = params_flag(params->json, "stream", false);
    spec->progress = params_flag(params->json, "progress", false);
    spec->batch_priority = json_is(params_get(params, "priority"), "batch");
    spec->cache_store = params_flag(cache, "store", true);
    spec->cache_pin = params_flag(cache, "pin", false);
    read_stop(params);
    return check_supported(params) && read_format(params);
}
