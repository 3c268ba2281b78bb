/* options: the configuration, from flags, environment, file and defaults, in this order.
 *
 * The rows are in option.h. The texts belong to the options.
 */
#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H

#include "base/buf.h"
#include "daemon/log.h"
#include "daemon/option.h"
#include "engine/engine.h"

enum { OPTIONS_MODELS = 16 };

enum options_source { SOURCE_DEFAULT, SOURCE_FILE, SOURCE_ENVIRONMENT, SOURCE_FLAG };

struct options_origin {
    enum options_source source;
    unsigned line; /* SOURCE_FILE */
};

struct options_model {
    const char *path;
    char alias[65]; /* unique; the file's stem when none was given */
    struct options_origin origin;
};

struct options_text;

struct options {
    struct engine_settings engine;               /* of every model; path and alias are in models */
    unsigned draft_max;                          /* of every model; 0: no drafts */
    struct options_model models[OPTIONS_MODELS]; /* the first is the default */
    unsigned n_models;        /* at least one, unless there is nothing to serve */
    const char *socket_path;  /* NULL: the default place */
    const char *socket_group; /* NULL: owner only */
    unsigned drain_seconds;
    enum log_level log_level;
    bool log_prompts;

    /* The limits of the wire contract. */
    unsigned max_connections, max_connections_per_uid;
    unsigned max_in_flight; /* per connection */
    unsigned max_queue_jobs, max_queue_tokens;
    uint64_t max_line;      /* bytes of a request */
    uint64_t max_output;    /* bytes waiting for one peer */
    uint64_t stall_output;  /* past them the peer must make progress */
    unsigned stall_seconds; /* within this time */
    unsigned line_seconds;  /* for an unfinished line */

    bool help, version, check_config, print_config;

    const char *config_path; /* as given; NULL: the default place, if there is a file */
    const char *file;        /* what was read; NULL: nothing */
    struct options_origin origins[OPTION_MOST]; /* by row of the table */
    struct options_text *texts;                 /* owned */
    int argc;                                   /* borrowed, to parse again */
    char **argv;
};

/* Fills *options. False: something is wrong; problems has a line for each, ended by '\n'. */
bool options_parse(struct options *options, int argc, char **argv, struct buf *problems);
void options_clear(struct options *options);

void options_help(struct buf *out);
/* The configuration as a plmd.conf, with the origin of each value. */
void options_print(const struct options *options, struct buf *out);

#endif
