/* options: what the command line and the PLMD_* environment say.
 *
 * Texts are borrowed from argv and the environment.
 */
#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H

#include "base/error.h"
#include "daemon/log.h"
#include "engine/engine.h"

enum { OPTIONS_MODELS = 16 };

struct options_model {
    const char *path;
    char alias[65]; /* unique; the file's stem when none was given */
};

struct options {
    struct engine_settings engine; /* of every model; path and alias are in models */
    struct options_model models[OPTIONS_MODELS]; /* at least one; the first is the default */
    unsigned n_models;
    bool models_inherited;    /* from a weaker source: the next model given begins a new list */
    const char *socket_path;  /* NULL: the default place */
    const char *socket_group; /* NULL: owner only */
    size_t max_line;
    unsigned drain_seconds;
    enum log_level log_level;
    bool help, version;
};

/* Fills *options with defaults, then the environment, then the flags. False: ERROR_INVALID_PARAMS,
 * a usage error. */
bool options_parse(struct options *options, int argc, char **argv, struct error *error);
extern const char options_help[];

#endif
