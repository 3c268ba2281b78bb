#include "daemon/options.h"

#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config.h"

enum { MOST_PROBLEMS = 50, SHOWN_BYTES = 100 /* of a wrong value */ };

struct options_text {
    struct options_text *next;
    char bytes[];
};

struct parsing {
    struct options *options;
    struct buf *problems;
    unsigned n_problems;
    enum options_source source; /* being read */
    unsigned line;              /* SOURCE_FILE */
};

/* ---- problems ---- */

/* Where the value stands: "/etc/plm/plmd.conf:3: threads: " */
static void add_place(const struct parsing *parsing, const struct option *option) {
    struct buf *out = parsing->problems;
    switch (parsing->source) {
    case SOURCE_FILE:
        buf_add_str(out, parsing->options->file);
        if (parsing->line) buf_printf(out, ":%u", parsing->line);
        buf_add_str(out, ": ");
        if (option && option->kind != OPTION_MODEL) buf_printf(out, "%s: ", option->name);
        break;
    case SOURCE_ENVIRONMENT: {
        char variable[OPTION_VARIABLE];
        option_variable(option, variable);
        buf_printf(out, "$%s: ", variable);
        break;
    }
    case SOURCE_FLAG: buf_printf(out, "--%s: ", option->name); break;
    case SOURCE_DEFAULT: break;
    }
}

/* A problem is one line that can be shown on a terminal, whatever was in the file. */
static void end_line(struct buf *out, size_t begin) {
    if (out->failed) return;
    for (size_t i = begin; i < out->len; i++)
        if (iscntrl((unsigned char)out->bytes[i])) out->bytes[i] = '?';
    buf_add_char(out, '\n');
}

__attribute__((format(printf, 3, 4))) static void
problem(struct parsing *parsing, const struct option *option, const char *format, ...) {
    char text[512];
    size_t begin = parsing->problems->len;
    if (++parsing->n_problems > MOST_PROBLEMS) return;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    add_place(parsing, option);
    buf_add_str(parsing->problems, text);
    end_line(parsing->problems, begin);
}

static void bad_value(struct parsing *parsing, const struct option *option, const char *value) {
    struct buf expected = {0};
    option_expected(option, &expected);
    problem(parsing, option, "'%.*s' is not %s", SHOWN_BYTES, value,
            expected.bytes ? expected.bytes : "valid");
    buf_free(&expected);
}

/* ---- setting ---- */

static const char *keep(struct options *options, const char *value) {
    size_t n = strlen(value) + 1;
    struct options_text *text = malloc(sizeof *text + n);
    if (!text) return NULL;
    memcpy(text->bytes, value, n);
    text->next = options->texts;
    options->texts = text;
    return text->bytes;
}

static struct options_origin origin_now(const struct parsing *parsing) {
    return (struct options_origin){parsing->source, parsing->line};
}

static struct options_origin *origin_of(struct options *options, const struct option *option) {
    return &options->origins[option - option_table];
}

/* A stronger source begins its own list. */
static void add_model(struct parsing *parsing, const struct option *option, const char *alias,
                      size_t alias_len, const char *path) {
    struct options *options = parsing->options;
    if (options->n_models && options->models[0].origin.source != parsing->source)
        options->n_models = 0;
    struct options_model model = {.path = path, .origin = origin_now(parsing)};
    memcpy(model.alias, alias, alias_len);
    for (unsigned i = 0; i < options->n_models; i++) {
        if (strcmp(options->models[i].alias, model.alias) != 0) continue;
        problem(parsing, option, "the alias '%s' is there already", model.alias);
        return;
    }
    if (options->n_models == OPTIONS_MODELS)
        problem(parsing, option, "more than %d models", OPTIONS_MODELS);
    else
        options->models[options->n_models++] = model;
}

/* "/a/b/name.gguf" -> "name", as far as an alias goes */
static const char *stem_of(const char *path, size_t *len) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t n = strlen(name), most = sizeof((struct options_model *)0)->alias - 1;
    if (n > 5 && strcmp(name + n - 5, ".gguf") == 0) n -= 5;
    *len = n < most ? n : most;
    return name;
}

/* [ALIAS=]PATH. An alias stops at the first '='; a path that holds one itself is written as
 * ALIAS=PATH or ./PATH. */
static void set_model(struct parsing *parsing, const struct option *option, const char *text) {
    const char *equals = strchr(text, '='), *slash = strchr(text, '/'), *path = text;
    size_t len;
    const char *alias = stem_of(text, &len);
    if (equals && !(slash && slash < equals)) {
        alias = text;
        len = (size_t)(equals - text);
        path = equals + 1;
    }
    if (len == 0 || len >= sizeof((struct options_model *)0)->alias || !*path)
        bad_value(parsing, option, text);
    else
        add_model(parsing, option, alias, len, path);
}

static void set(struct parsing *parsing, const struct option *option, const char *value) {
    struct options *options = parsing->options;
    const char *kept = keep(options, value);
    if (!kept)
        parsing->problems->failed = true;
    else if (option->kind == OPTION_MODEL)
        set_model(parsing, option, kept);
    else if (option_parse(option, options, kept))
        *origin_of(options, option) = origin_now(parsing);
    else
        bad_value(parsing, option, value);
}

/* ---- the file ---- */

static bool file_section(void *user, unsigned line, const char *name) {
    struct parsing *parsing = user;
    parsing->line = line;
    for (const struct option *option = option_table; option->name; option++)
        if (option->section && strcmp(option->section, name) == 0) return true;
    problem(parsing, NULL, "unknown section [%s]", name);
    return false;
}

static void file_model(struct parsing *parsing, const char *alias, const char *path) {
    const struct option *option = option_table;
    size_t len = strlen(alias);
    const char *kept = keep(parsing->options, path);
    if (!kept)
        parsing->problems->failed = true;
    else if (!*path)
        problem(parsing, option, "'%.*s' has no path", SHOWN_BYTES, alias);
    else if (len >= sizeof((struct options_model *)0)->alias)
        problem(parsing, option, "the alias is longer than 64 bytes");
    else
        add_model(parsing, option, alias, len, kept);
}

static void unknown_key(struct parsing *parsing, const char *section, const char *key) {
    const struct option *option = option_find(key, strlen(key));
    if (!*section)
        problem(parsing, NULL, "'%.*s' stands before any [section]", SHOWN_BYTES, key);
    else if (option && option->section && option->kind != OPTION_MODEL)
        problem(parsing, NULL, "'%s' belongs in [%s]", key, option->section);
    else
        problem(parsing, NULL, "unknown key '%.*s' in [%s]", SHOWN_BYTES, key, section);
}

static void file_entry(void *user, unsigned line, const char *section, const char *key,
                       const char *value) {
    struct parsing *parsing = user;
    const struct option *option = option_find(key, strlen(key));
    parsing->line = line;
    if (strcmp(section, option_table->section) == 0) {
        file_model(parsing, key, value);
    } else if (!option || !option->section || strcmp(option->section, section) != 0) {
        unknown_key(parsing, section, key);
    } else {
        struct options_origin *before = origin_of(parsing->options, option);
        if (before->source == SOURCE_FILE)
            problem(parsing, option, "set already in line %u", before->line);
        else
            set(parsing, option, value);
    }
}

static void file_problem(void *user, unsigned line, const char *what) {
    struct parsing *parsing = user;
    parsing->line = line;
    problem(parsing, NULL, "%s", what);
}

static const struct config_events file_events = {file_section, file_entry, file_problem};

/* A file that was named must be there, the default one need not. */
static void read_config(struct parsing *parsing, const char *named) {
    char path[PATH_MAX];
    if (!named && (!config_default_path(path, sizeof path) || access(path, F_OK) != 0)) return;
    parsing->source = SOURCE_FILE;
    parsing->options->file = keep(parsing->options, named ? named : path);
    if (parsing->options->file)
        config_read(parsing->options->file, &file_events, parsing);
    else
        parsing->problems->failed = true;
    parsing->line = 0;
}

/* ---- the environment ---- */

static void read_environment(struct parsing *parsing) {
    parsing->source = SOURCE_ENVIRONMENT;
    for (const struct option *option = option_table; option->name; option++) {
        char variable[OPTION_VARIABLE];
        option_variable(option, variable);
        const char *value = option->kind == OPTION_COMMAND ? NULL : getenv(variable);
        if (value && *value) set(parsing, option, value);
    }
}

/* ---- flags ---- */

/* "--name=value" -> its row, value; "--name" -> its row, NULL */
static const struct option *flag_of(const char *argument, const char **value) {
    const char *equals = strchr(argument, '=');
    *value = equals ? equals + 1 : NULL;
    if (strcmp(argument, "-h") == 0) argument = "--help";
    if (strcmp(argument, "-V") == 0) argument = "--version";
    if (strncmp(argument, "--", 2) != 0) return NULL;
    return option_find(argument + 2,
                       equals ? (size_t)(equals - argument) - 2 : strlen(argument + 2));
}

static void read_flags(struct parsing *parsing) {
    const struct options *options = parsing->options;
    parsing->source = SOURCE_FLAG;
    for (int at = 1; at < options->argc; at++) {
        const char *value;
        const struct option *option = flag_of(options->argv[at], &value);
        if (option && !value && !option->value) value = "yes";
        if (option && !value && at + 1 < options->argc) value = options->argv[++at];
        if (option && value) {
            set(parsing, option, value);
        } else {
            parsing->source = SOURCE_DEFAULT; /* names itself */
            problem(parsing, NULL,
                    option ? "%s needs a value" : "unknown argument '%.100s' (see plmd --help)",
                    options->argv[at]);
            parsing->source = SOURCE_FLAG;
        }
    }
}

/* ---- all of it ---- */

static void reset(struct options *options, int argc, char **argv) {
    *options = (struct options){.argc = argc, .argv = argv};
    for (const struct option *option = option_table; option->name; option++)
        option_reset(option, options);
}

void options_clear(struct options *options) {
    for (struct options_text *text = options->texts, *next; text; text = next) {
        next = text->next;
        free(text);
    }
    *options = (struct options){0};
}

/* What the flags and the environment say before the file is known: which file, and whether it is
 * wanted at all. */
static void parse_first(struct parsing *parsing) {
    read_environment(parsing);
    read_flags(parsing);
}

static void parse_whole(struct parsing *parsing, const char *config_path) {
    read_config(parsing, config_path);
    read_environment(parsing);
    read_flags(parsing);
    parsing->source = SOURCE_DEFAULT;
    const struct options *options = parsing->options;
    if (options->n_models == 0 && !options->print_config && parsing->n_problems == 0)
        problem(parsing, NULL, "no model: give --model PATH or a line in [models]");
    if (parsing->n_problems > MOST_PROBLEMS)
        buf_printf(parsing->problems, "... and %u more\n", parsing->n_problems - MOST_PROBLEMS);
}

bool options_parse(struct options *options, int argc, char **argv, struct buf *problems) {
    struct options first;
    struct buf unsaid = {0};
    struct parsing glance = {.options = &first, .problems = &unsaid};
    struct parsing parsing = {.options = options, .problems = problems};
    reset(&first, argc, argv);
    parse_first(&glance);
    reset(options, argc, argv);
    options->help = first.help;
    options->version = first.version;
    if (!options->help && !options->version) parse_whole(&parsing, first.config_path);
    buf_free(&unsaid);
    options_clear(&first);
    if (parsing.n_problems == 0 && !problems->failed) return true;
    options_clear(options);
    return false;
}
