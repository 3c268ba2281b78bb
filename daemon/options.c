#include "daemon/options.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char options_help[] =
    "usage: plmd --model [ALIAS=]PATH [options]\n"
    "Serves a GGUF model to local clients over a unix socket (JSON-RPC 2.0, one object a line).\n"
    "\n"
    "  --model [ALIAS=]PATH   a model file; ALIAS defaults to the file's stem. May be given several\n"
    "                         times: requests choose by alias, the first is the default\n"
    "  --socket PATH          default: /run/plmd/plmd.sock for root, else\n"
    "                         $XDG_RUNTIME_DIR/plmd/plmd.sock\n"
    "  --socket-group NAME    let this group connect too (mode 0660)\n"
    "  --threads N            compute threads (default: CPUs, at most 16)\n"
    "  --ctx N                longest context in tokens (default: the model's)\n"
    "  --kv-bytes SIZE        memory for the KV cache, e.g. 512M\n"
    "  --max-active N         generations decoded together (default 16)\n"
    "  --max-line SIZE        longest request line (default 4M)\n"
    "  --isa NAME             highest instruction set: scalar, avx2, avx512\n"
    "  --drain-timeout N      seconds that SIGTERM waits for what is in flight (default 30)\n"
    "  --log-level LEVEL      error, warn, info (default), debug\n"
    "  --version, --help\n"
    "\n"
    "Each option's default can be set as PLMD_NAME in the environment, e.g. PLMD_MODEL.\n"
    "Exit status: 0 after SIGTERM or SIGINT, 1 cannot run, 2 wrong usage.\n";

/* ---- values ---- */

static bool parse_number(const char *text, uint64_t lowest, uint64_t highest, uint64_t *value) {
    char *end;
    errno = 0;
    if (*text < '0' || *text > '9') return false;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno || *end || number < lowest || number > highest) return false;
    *value = number;
    return true;
}

/* Bytes, with an optional K, M or G (powers of 1024). */
static bool parse_size(const char *text, uint64_t lowest, uint64_t highest, uint64_t *value) {
    static const char units[] = "KMG";
    char digits[24];
    size_t n = strlen(text);
    const char *unit = n ? strchr(units, text[n - 1]) : NULL;
    if (n == 0 || n >= sizeof digits) return false;
    snprintf(digits, sizeof digits, "%.*s", (int)(unit ? n - 1 : n), text);
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    uint64_t number;
    if (!parse_number(digits, 0, UINT64_MAX >> shift, &number)) return false;
    *value = number << shift;
    return *value >= lowest && *value <= highest;
}

static bool parse_unsigned(const char *text, unsigned lowest, unsigned highest, unsigned *value) {
    uint64_t number;
    if (!parse_number(text, lowest, highest, &number)) return false;
    *value = (unsigned)number;
    return true;
}

/* "/a/b/name.gguf" -> "name" */
static void stem_of(char *alias, size_t size, const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t n = strlen(name);
    if (n > 5 && strcmp(name + n - 5, ".gguf") == 0) n -= 5;
    snprintf(alias, size, "%.*s", (int)(n < size ? n : size - 1), name);
}

/* An alias stops at the first '='; a path that holds one itself is written as ALIAS=PATH or ./PATH.
 */
static bool parse_model(struct options_model *model, const char *text) {
    const char *equals = strchr(text, '='), *slash = strchr(text, '/');
    model->path = text;
    stem_of(model->alias, sizeof model->alias, text);
    if (!equals || (slash && slash < equals)) return *text != '\0';
    size_t n = (size_t)(equals - text);
    if (n == 0 || n >= sizeof model->alias || !equals[1]) return false;
    memcpy(model->alias, text, n);
    model->alias[n] = '\0';
    model->path = equals + 1;
    return true;
}

static bool add_model(struct options *options, const char *text) {
    if (options->models_inherited) options->n_models = 0;
    options->models_inherited = false;
    if (options->n_models == OPTIONS_MODELS) return false;
    struct options_model *model = &options->models[options->n_models];
    if (!parse_model(model, text)) return false;
    for (unsigned i = 0; i < options->n_models; i++)
        if (strcmp(options->models[i].alias, model->alias) == 0) return false;
    options->n_models++;
    return true;
}

/* ---- options ---- */

static bool set_model(struct options *o, const char *v) {
    return add_model(o, v);
}
static bool set_socket(struct options *o, const char *v) {
    o->socket_path = v;
    return *v != '\0';
}
static bool set_group(struct options *o, const char *v) {
    o->socket_group = v;
    return *v != '\0';
}
static bool set_threads(struct options *o, const char *v) {
    return parse_unsigned(v, 1, 256, &o->engine.threads);
}
static bool set_ctx(struct options *o, const char *v) {
    return parse_unsigned(v, 16, 1u << 30, &o->engine.n_ctx);
}
static bool set_kv(struct options *o, const char *v) {
    return parse_size(v, 1 << 20, UINT64_C(1) << 46, &o->engine.kv_bytes);
}
static bool set_active(struct options *o, const char *v) {
    return parse_unsigned(v, 1, 256, &o->engine.max_active);
}
static bool set_max_line(struct options *o, const char *v) {
    uint64_t size;
    if (!parse_size(v, 1024, 1 << 30, &size)) return false;
    o->max_line = (size_t)size;
    return true;
}
static bool set_isa(struct options *o, const char *v) {
    o->engine.isa_name = v;
    return *v != '\0';
}
static bool set_drain(struct options *o, const char *v) {
    return parse_unsigned(v, 0, 86400, &o->drain_seconds);
}
static bool set_log(struct options *o, const char *v) {
    return log_level_parse(v, &o->log_level);
}

static const struct option {
    const char *flag, *variable;
    bool (*set)(struct options *options, const char *value);
} table[] = {
    {"--model", "PLMD_MODEL", set_model},
    {"--socket", "PLMD_SOCKET", set_socket},
    {"--socket-group", "PLMD_SOCKET_GROUP", set_group},
    {"--threads", "PLMD_THREADS", set_threads},
    {"--ctx", "PLMD_CTX", set_ctx},
    {"--kv-bytes", "PLMD_KV_BYTES", set_kv},
    {"--max-active", "PLMD_MAX_ACTIVE", set_active},
    {"--max-line", "PLMD_MAX_LINE", set_max_line},
    {"--isa", "PLMD_ISA", set_isa},
    {"--drain-timeout", "PLMD_DRAIN_TIMEOUT", set_drain},
    {"--log-level", "PLMD_LOG_LEVEL", set_log},
};
enum { TABLE = sizeof table / sizeof *table };

static bool options_environment(struct options *options, struct error *error) {
    for (size_t i = 0; i < TABLE; i++) {
        const char *value = getenv(table[i].variable);
        if (value && *value && !table[i].set(options, value))
            return error_set(error, ERROR_INVALID_PARAMS, "bad value of $%s: '%s'",
                             table[i].variable, value);
    }
    return true;
}

/* Is argument this flag? Then *value is what follows '=', or NULL if the next argument holds it. */
static bool option_matches(const struct option *option, const char *argument, const char **value) {
    size_t n = strlen(option->flag);
    if (strncmp(argument, option->flag, n) != 0) return false;
    *value = argument[n] == '=' ? argument + n + 1 : NULL;
    return argument[n] == '=' || argument[n] == '\0';
}

/* Consumes argv[*at] and, if it needs one, its value. */
static bool options_flag(struct options *options, int argc, char **argv, int *at,
                         struct error *error) {
    const char *argument = argv[(*at)++], *value;
    for (size_t i = 0; i < TABLE; i++) {
        if (!option_matches(&table[i], argument, &value)) continue;
        if (!value && *at >= argc)
            return error_set(error, ERROR_INVALID_PARAMS, "%s needs a value", argument);
        if (!value) value = argv[(*at)++];
        if (table[i].set(options, value)) return true;
        return error_set(error, ERROR_INVALID_PARAMS, "bad value of %s: '%s'", table[i].flag,
                         value);
    }
    if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) return options->help = true;
    if (strcmp(argument, "--version") == 0 || strcmp(argument, "-V") == 0)
        return options->version = true;
    return error_set(error, ERROR_INVALID_PARAMS, "unknown argument '%s'", argument);
}

static bool options_flags(struct options *options, int argc, char **argv, struct error *error) {
    for (int at = 1; at < argc;)
        if (!options_flag(options, argc, argv, &at, error)) return false;
    return true;
}

bool options_parse(struct options *options, int argc, char **argv, struct error *error) {
    const struct options defaults = {
        .max_line = 4 << 20, .drain_seconds = 30, .log_level = LOG_LEVEL_INFO};
    *options = defaults; /* --help works whatever the environment holds */
    if (!options_flags(options, argc, argv, error)) return false;
    if (options->help || options->version) return true;
    *options = defaults; /* flags win over the environment */
    if (!options_environment(options, error)) return false;
    options->models_inherited = true;
    if (!options_flags(options, argc, argv, error)) return false;
    if (options->n_models == 0)
        return error_set(error, ERROR_INVALID_PARAMS, "--model is needed");
    return true;
}
