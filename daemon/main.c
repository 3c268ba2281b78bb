/* plmd: serves a local model to local programs over a unix socket. */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/server.h"

enum { EXIT_CANNOT = 1, EXIT_USAGE = 2 };

/* Threads share the arenas, and large blocks (lines, replies) go back to the system when freed: an
 * idle daemon is small. */
static void tune_memory(void) {
    mallopt(M_ARENA_MAX, 4);
    mallopt(M_MMAP_THRESHOLD, 128 * 1024);
    mallopt(M_TRIM_THRESHOLD, 256 * 1024);
}

/* All the connections that the limits allow need a descriptor each. */
static void raise_descriptor_limit(void) {
    struct rlimit limit;
    const rlim_t wanted = LIMIT_CONNECTIONS + 64;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* The common mistakes are told at once, before anybody sees a socket. */
static bool check_model_file(const char *path) {
    if (access(path, R_OK) == 0) return true;
    fprintf(stderr, "plmd: cannot read the model %s: %s\n", path, strerror(errno));
    return false;
}

static int serve(const struct options *options) {
    struct listener listener;
    struct error error = {0};
    for (unsigned i = 0; i < options->n_models; i++)
        if (!check_model_file(options->models[i].path)) return EXIT_CANNOT;
    if (!listener_open(&listener, options->socket_path, options->socket_group, &error)) {
        fprintf(stderr, "plmd: %s\n", error.message);
        return EXIT_CANNOT;
    }
    int status = server_run(options, &listener);
    listener_close(&listener);
    return status;
}

int main(int argc, char **argv) {
    static struct options options; /* borrowed by threads until the process ends */
    struct error error = {0};
    if (!options_parse(&options, argc, argv, &error)) {
        fprintf(stderr, "plmd: %s (see plmd --help)\n", error.message);
        return EXIT_USAGE;
    }
    if (options.help || options.version) {
        fputs(options.help ? options_help : "plmd " PLM_VERSION "\n", stdout);
        return 0;
    }
    log_set_level(options.log_level);
    signal(SIGPIPE, SIG_IGN);
    tune_memory();
    raise_descriptor_limit();
    return serve(&options);
}
