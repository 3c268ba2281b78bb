/* options: what the command line and the PLMD_* environment say.
 *
 * Texts are borrowed from argv and the environment.
 */
#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H

#include "base/error.h"
#include "daemon/log.h"
#include "engine/engine.h"

struct options {
    struct engine_settings engine;
    char alias[65];           /* engine.alias points here when one was given */
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
