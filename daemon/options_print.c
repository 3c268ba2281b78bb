#include <stdio.h>
#include <string.h>

#include "daemon/config.h"
#include "daemon/options.h"

/* ---- help ---- */

enum { HELP_COLUMN = 28 };

/* The text's further lines stand below its first. */
static void add_help(struct buf *out, const struct option *option) {
    for (const char *c = option->help; *c; c++)
        if (*c == '\n')
            buf_printf(out, "\n%*s", HELP_COLUMN, "");
        else
            buf_add_char(out, *c);
}

static void add_default(struct buf *out, const struct option *option) {
    struct options defaults = {.argc = 0};
    bool told = option->kind == OPTION_NUMBER || option->kind == OPTION_BYTES ||
                option->kind == OPTION_LEVEL;
    option_reset(option, &defaults);
    if (!told || !option->initial) return;
    buf_add_str(out, " (default ");
    option_format(option, &defaults, out);
    buf_add_char(out, ')');
}

static void add_flag(struct buf *out, const struct option *option) {
    char flag[80];
    int n = snprintf(flag, sizeof flag, "  --%s%s%s", option->name, option->value ? " " : "",
                     option->value ? option->value : "");
    buf_printf(out, "%-*s", HELP_COLUMN, flag);
    if (n >= HELP_COLUMN) buf_printf(out, "\n%*s", HELP_COLUMN, "");
    add_help(out, option);
    add_default(out, option);
    buf_add_char(out, '\n');
}

void options_help(struct buf *out) {
    buf_add_str(out, "usage: plmd --model [ALIAS=]PATH [options]\n"
                     "Serves GGUF models to local clients over a unix socket (JSON-RPC 2.0, one "
                     "object a line).\n\n");
    const char *section = NULL;
    for (const struct option *option = option_table; option->name; option++) {
        if (option->section && section && strcmp(section, option->section) != 0)
            buf_printf(out, "\n%s:\n", option->section);
        if (!option->section && section && option->kind == OPTION_COMMAND) buf_add_char(out, '\n');
        if (option->section || option->kind == OPTION_COMMAND) section = option->section;
        add_flag(out, option);
    }
    buf_add_str(
        out,
        "\nA SIZE may end in K, M or G. Flags win over the environment (PLMD_NAME, e.g.\n"
        "PLMD_MAX_LINE), which wins over the file (lines NAME = VALUE below [server], [engine] or\n"
        "[limits]; --print-config shows one). SIGHUP reads the file again.\n"
        "Exit status: 0 after SIGTERM or SIGINT, 1 cannot run, 2 wrong usage or configuration.\n");
}

/* ---- the configuration as a file ---- */

static void add_origin(struct buf *out, const struct options *options, const struct option *option,
                       struct options_origin origin) {
    char variable[OPTION_VARIABLE];
    option_variable(option, variable);
    switch (origin.source) {
    case SOURCE_DEFAULT: buf_add_str(out, "# origin: default\n"); break;
    case SOURCE_FILE: buf_printf(out, "# origin: %s:%u\n", options->file, origin.line); break;
    case SOURCE_ENVIRONMENT: buf_printf(out, "# origin: $%s\n", variable); break;
    case SOURCE_FLAG: buf_printf(out, "# origin: --%s\n", option->name); break;
    }
}

static void add_comment(struct buf *out, const struct option *option) {
    buf_add_str(out, "\n# ");
    for (const char *c = option->help; *c; c++)
        if (*c == '\n')
            buf_add_str(out, "\n# ");
        else
            buf_add_char(out, *c);
    add_default(out, option);
    buf_add_str(out, option->live ? "\n" : " (restart)\n");
}

static void add_line(struct buf *out, const char *key, const char *value) {
    if (config_can_hold(key, value))
        buf_printf(out, "%s = %s\n", key, value);
    else
        buf_add_str(out, "# a file cannot hold this value\n");
}

static void add_models(struct buf *out, const struct options *options,
                       const struct option *option) {
    buf_add_str(
        out, "# ALIAS = PATH of a GGUF file. Requests choose by alias; the first is the default.\n"
             "# (restart)\n");
    if (options->n_models == 0) buf_add_str(out, "# origin: default\n#ALIAS = PATH\n");
    for (unsigned i = 0; i < options->n_models; i++) {
        add_origin(out, options, option, options->models[i].origin);
        add_line(out, options->models[i].alias, options->models[i].path);
    }
}

static void add_setting(struct buf *out, const struct options *options,
                        const struct option *option) {
    struct buf value = {0};
    add_comment(out, option);
    add_origin(out, options, option, options->origins[option - option_table]);
    option_format(option, options, &value);
    if (value.len)
        add_line(out, option->name, value.bytes);
    else
        buf_printf(out, "#%s = %s\n", option->name, option->value);
    out->failed |= value.failed;
    buf_free(&value);
}

void options_print(const struct options *options, struct buf *out) {
    buf_add_str(out, "# The configuration of plmd " PLM_VERSION);
    buf_printf(out, "\n# file: %s\n", options->file ? options->file : "none");
    buf_add_str(out, "# SIGHUP changes what is not marked (restart).\n");
    const char *section = "";
    for (const struct option *option = option_table; option->name; option++) {
        if (!option->section) continue;
        if (strcmp(section, option->section) != 0) buf_printf(out, "\n[%s]\n", option->section);
        section = option->section;
        if (option->kind == OPTION_MODEL)
            add_models(out, options, option);
        else
            add_setting(out, options, option);
    }
}
