#include "daemon/option.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/options.h"

#define KIB        UINT64_C(1024)
#define MIB        (KIB * 1024)
#define GIB        (MIB * 1024)
#define AT(member) offsetof(struct options, member)
#define TEXT(section, name, value, member, help)                                                   \
    { section, name, value, help, OPTION_TEXT, AT(member), 0, 0, 0, false }
#define NUMBER(section, name, value, member, lowest, highest, initial, live, help)                 \
    { section, name, value, help, OPTION_NUMBER, AT(member), lowest, highest, initial, live }
#define BYTES(section, name, member, lowest, highest, initial, live, help)                         \
    { section, name, "SIZE", help, OPTION_BYTES, AT(member), lowest, highest, initial, live }
#define COMMAND(name, member, help)                                                                \
    { NULL, name, NULL, help, OPTION_COMMAND, AT(member), 0, 0, 0, false }

enum { FIXED = false, LIVE = true, DAY = 86400, MANY = 1 << 20 };

const struct option option_table[] = {
    {"models", "model", "[ALIAS=]PATH",
     "a GGUF file; ALIAS defaults to its name without .gguf. May be\n"
     "given several times: requests choose by alias, the first is\n"
     "the default",
     OPTION_MODEL, 0, 0, 0, 0, FIXED},
    TEXT(NULL, "config", "PATH", config_path,
         "the file (default: /etc/plm/plmd.conf for root, else\n"
         "$XDG_CONFIG_HOME/plm/plmd.conf, if there is one)"),

    TEXT("server", "socket", "PATH", socket_path,
         "where clients connect (default: /run/plmd/plmd.sock for\n"
         "root, else $XDG_RUNTIME_DIR/plmd/plmd.sock)"),
    TEXT("server", "socket-group", "NAME", socket_group, "let this group connect too (mode 0660)"),
    NUMBER("server", "drain-timeout", "SECONDS", drain_seconds, 0, DAY, 30, LIVE,
           "for what is in flight at SIGTERM, in seconds"),
    {"server", "log-level", "error|warn|info|debug", "what goes to standard error", OPTION_LEVEL,
     AT(log_level), 0, 0, LOG_LEVEL_INFO, LIVE},
    {"server", "log-prompts", NULL, "log how each prompt begins (default: never)", OPTION_SWITCH,
     AT(log_prompts), 0, 0, false, LIVE},

    NUMBER("engine", "threads", "N", engine.threads, 1, 256, 0, FIXED,
           "compute threads (default: CPUs, at most 16)"),
    NUMBER("engine", "ctx", "N", engine.n_ctx, 16, 1 << 30, 0, FIXED,
           "longest context in tokens (default: the model's)"),
    BYTES("engine", "kv-bytes", engine.kv_bytes, MIB, 65536 * GIB, 0, FIXED,
          "memory for keys and values, with the prefix cache (default:\n"
          "512M or two contexts, at most a quarter of the memory)"),
    BYTES("engine", "grammar-bytes", engine.grammar_bytes, KIB, 64 * GIB, 16 * MIB, FIXED,
          "memory for compiled tools and formats, of each model; what\n"
          "does not fit is compiled anew for each request"),
    TEXT("engine", "cache-dir", "PATH|none", engine.cache_dir,
         "where computed prompts outlive the daemon, as its user's own\n"
         "directory (default: $CACHE_DIRECTORY, else /var/cache/plmd for\n"
         "root, else $XDG_CACHE_HOME/plmd or ~/.cache/plmd)"),
    BYTES("engine", "cache-bytes", engine.cache_bytes, MIB, 65536 * GIB, GIB, FIXED,
          "how much may be kept there"),
    NUMBER("engine", "max-active", "N", engine.max_active, 1, 256, 16, FIXED,
           "generations decoded together"),
    NUMBER("engine", "draft-max", "N", draft_max, 0, 64, 12, FIXED,
           "tokens computed a pass on the chance that they will be chosen;\n"
           "the same answers, sooner; 0: none"),
    {"engine", "isa", "scalar|avx2|avx512", "instruction set (default: the best there is)",
     OPTION_CHOICE, AT(engine.isa_name), 0, 0, 0, FIXED},

    NUMBER("limits", "max-connections", "N", max_connections, 1, MANY, 1024, LIVE,
           "connections at a time"),
    NUMBER("limits", "max-connections-per-uid", "N", max_connections_per_uid, 1, MANY, 256, LIVE,
           "connections of one user"),
    NUMBER("limits", "max-in-flight", "N", max_in_flight, 1, MANY, 64, LIVE,
           "requests of one connection at a time"),
    NUMBER("limits", "max-queue-jobs", "N", max_queue_jobs, 1, MANY, 256, LIVE, "requests waiting"),
    NUMBER("limits", "max-queue-tokens", "N", max_queue_tokens, 1, 1 << 30, 262144, LIVE,
           "prompt tokens waiting"),
    BYTES("limits", "max-line", max_line, KIB, GIB, 4 * MIB, LIVE, "longest request line"),
    NUMBER("limits", "line-timeout", "SECONDS", line_seconds, 1, DAY, 60, LIVE,
           "for a line to be finished, in seconds"),
    BYTES("limits", "max-output", max_output, MIB, GIB, 8 * MIB, LIVE,
          "answers waiting for a peer; past it, it is disconnected"),
    BYTES("limits", "stall-output", stall_output, 256 * KIB, GIB, MIB, LIVE,
          "past it the peer must read some of it ..."),
    NUMBER("limits", "stall-timeout", "SECONDS", stall_seconds, 1, DAY, 10, LIVE,
           "... within this time, in seconds"),

    COMMAND("check-config", check_config, "say what is wrong with all of this, or \"ok\""),
    COMMAND("print-config", print_config, "print the configuration and where each value is from"),
    COMMAND("version", version, "print the version"),
    COMMAND("help", help, "print this"),
    {NULL, NULL, NULL, NULL, OPTION_COMMAND, 0, 0, 0, 0, FIXED},
};
_Static_assert(sizeof option_table / sizeof *option_table <= OPTION_MOST, "OPTION_MOST");
_Static_assert(sizeof(enum log_level) == sizeof(unsigned), "levels are stored as numbers");

const struct option *option_find(const char *name, size_t n) {
    for (const struct option *option = option_table; option->name; option++)
        if (strlen(option->name) == n && memcmp(option->name, name, n) == 0) return option;
    return NULL;
}

void option_variable(const struct option *option, char variable[static OPTION_VARIABLE]) {
    snprintf(variable, OPTION_VARIABLE, "PLMD_%s", option->name);
    for (char *c = variable; *c; c++) *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
}

/* ---- where the values are ---- */

static void *place(const struct option *option, struct options *options) {
    return (char *)options + option->offset;
}

static const void *value_of(const struct option *option, const struct options *options) {
    return (const char *)options + option->offset;
}

static size_t value_size(enum option_kind kind) {
    switch (kind) {
    case OPTION_MODEL: return 0;
    case OPTION_TEXT:
    case OPTION_CHOICE: return sizeof(const char *);
    case OPTION_LEVEL:
    case OPTION_NUMBER: return sizeof(unsigned);
    case OPTION_BYTES: return sizeof(uint64_t);
    case OPTION_SWITCH:
    case OPTION_COMMAND: return sizeof(bool);
    }
    return 0;
}

static const char *text_of(const struct option *option, const struct options *options) {
    const char *text;
    memcpy(&text, value_of(option, options), sizeof text);
    return text;
}

static bool is_switch(const struct option *option) {
    return option->kind == OPTION_SWITCH || option->kind == OPTION_COMMAND;
}

static uint64_t number_of(const struct option *option, const struct options *options) {
    const void *value = value_of(option, options);
    if (option->kind == OPTION_BYTES) return *(const uint64_t *)value;
    if (is_switch(option)) return *(const bool *)value;
    return *(const unsigned *)value;
}

static void set_number(const struct option *option, struct options *options, uint64_t number) {
    void *value = place(option, options);
    if (option->kind == OPTION_BYTES)
        *(uint64_t *)value = number;
    else if (is_switch(option))
        *(bool *)value = number != 0;
    else
        *(unsigned *)value = (unsigned)number;
}

static bool is_text(const struct option *option) {
    return option->kind == OPTION_TEXT || option->kind == OPTION_CHOICE;
}

bool option_is_set(const struct option *option, const struct options *options) {
    if (is_text(option)) return text_of(option, options) != NULL;
    return option->initial || option->lowest == 0 || number_of(option, options) != 0;
}

bool option_equal(const struct option *option, const struct options *a, const struct options *b) {
    if (!is_text(option))
        return memcmp(value_of(option, a), value_of(option, b), value_size(option->kind)) == 0;
    const char *one = text_of(option, a), *other = text_of(option, b);
    return one == other || (one && other && strcmp(one, other) == 0);
}

void option_copy(const struct option *option, struct options *to, const struct options *from) {
    memcpy(place(option, to), value_of(option, from), value_size(option->kind));
}

void option_reset(const struct option *option, struct options *options) {
    const char *nothing = NULL;
    if (is_text(option))
        memcpy(place(option, options), &nothing, sizeof nothing);
    else if (option->kind != OPTION_MODEL)
        set_number(option, options, option->initial);
}

/* ---- from text ---- */

static bool parse_number(const char *text, uint64_t highest, uint64_t *number) {
    char *end;
    errno = 0;
    if (*text < '0' || *text > '9') return false;
    *number = strtoull(text, &end, 10);
    return !errno && !*end && *number <= highest;
}

static bool parse_bytes(const char *text, uint64_t *bytes) {
    static const char units[] = "KMG";
    char digits[24];
    size_t n = strlen(text);
    const char *unit = n ? strchr(units, text[n - 1]) : NULL;
    if (n == 0 || n >= sizeof digits) return false;
    snprintf(digits, sizeof digits, "%.*s", (int)(unit ? n - 1 : n), text);
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    if (!parse_number(digits, UINT64_MAX >> shift, bytes)) return false;
    *bytes <<= shift;
    return true;
}

static bool parse_switch(const char *text, uint64_t *on) {
    *on = strcmp(text, "yes") == 0;
    return *on || strcmp(text, "no") == 0;
}

static bool parse_level(const char *text, uint64_t *number) {
    enum log_level level;
    if (!log_level_parse(text, &level)) return false;
    *number = level;
    return true;
}

static bool is_choice(const char *choices, const char *text) {
    size_t n = strlen(text);
    if (n == 0 || strchr(text, '|')) return false;
    for (const char *at = choices; (at = strstr(at, text)); at++)
        if ((at == choices || at[-1] == '|') && (at[n] == '|' || !at[n])) return true;
    return false;
}

static bool parse_value(const struct option *option, const char *text, uint64_t *number) {
    switch (option->kind) {
    case OPTION_LEVEL: return parse_level(text, number);
    case OPTION_SWITCH: return parse_switch(text, number);
    case OPTION_NUMBER:
        return parse_number(text, option->highest, number) && *number >= option->lowest;
    case OPTION_BYTES:
        return parse_bytes(text, number) && *number >= option->lowest && *number <= option->highest;
    case OPTION_COMMAND: *number = true; return true;
    default: return false;
    }
}

bool option_parse(const struct option *option, struct options *options, const char *text) {
    uint64_t number;
    if (is_text(option)) {
        bool good = option->kind == OPTION_CHOICE ? is_choice(option->value, text) : *text;
        if (good) memcpy(place(option, options), &text, sizeof text);
        return good;
    }
    if (!parse_value(option, text, &number)) return false;
    set_number(option, options, number);
    return true;
}

/* ---- to text ---- */

static void format_bytes(struct buf *out, uint64_t bytes) {
    static const char units[] = "GMK";
    for (unsigned i = 0, shift = 30; bytes && units[i]; i++, shift -= 10) {
        if (bytes & ((UINT64_C(1) << shift) - 1)) continue;
        buf_printf(out, "%" PRIu64 "%c", bytes >> shift, units[i]);
        return;
    }
    buf_printf(out, "%" PRIu64, bytes);
}

void option_expected(const struct option *option, struct buf *out) {
    switch (option->kind) {
    case OPTION_NUMBER:
        buf_printf(out, "a number from %" PRIu64 " to %" PRIu64, option->lowest, option->highest);
        break;
    case OPTION_BYTES:
        buf_add_str(out, "a size from ");
        format_bytes(out, option->lowest);
        buf_add_str(out, " to ");
        format_bytes(out, option->highest);
        break;
    case OPTION_LEVEL:
    case OPTION_CHOICE: buf_printf(out, "one of %s", option->value); break;
    case OPTION_SWITCH: buf_add_str(out, "yes or no"); break;
    case OPTION_MODEL: buf_add_str(out, "[ALIAS=]PATH with an alias of at most 64 bytes"); break;
    case OPTION_TEXT:
    case OPTION_COMMAND: buf_add_str(out, "some text"); break;
    }
}

void option_format(const struct option *option, const struct options *options, struct buf *out) {
    if (option->kind == OPTION_MODEL || !option_is_set(option, options)) return;
    uint64_t number = is_text(option) ? 0 : number_of(option, options);
    switch (option->kind) {
    case OPTION_TEXT:
    case OPTION_CHOICE: buf_add_str(out, text_of(option, options)); break;
    case OPTION_BYTES: format_bytes(out, number); break;
    case OPTION_LEVEL: buf_add_str(out, log_level_name((enum log_level)number)); break;
    case OPTION_SWITCH: buf_add_str(out, number ? "yes" : "no"); break;
    default: buf_printf(out, "%" PRIu64, number); break;
    }
}
