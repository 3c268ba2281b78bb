/* plmd: serves local models to local programs over a unix socket. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
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

/* The common mistakes are told at once, before anybody sees a socket. */
static bool check_model_file(const char *path) {
    if (access(path, R_OK) == 0) return true;
    fprintf(stderr, "plmd: cannot read the model %s: %s\n", path, strerror(errno));
    return false;
}

/* A SIGHUP that comes before the loop watches for it waits (reload_init). */
static void hold_hangup(void) {
    sigset_t hangup;
    sigemptyset(&hangup);
    sigaddset(&hangup, SIGHUP);
    sigprocmask(SIG_BLOCK, &hangup, NULL);
}

static int serve(struct options *options) {
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

static int complain(struct buf *problems) {
    for (const char *line = problems->bytes; line && *line; line += strcspn(line, "\n") + 1)
        fprintf(stderr, "plmd: %.*s\n", (int)strcspn(line, "\n"), line);
    if (problems->failed) fputs("plmd: out of memory\n", stderr);
    buf_free(problems);
    return EXIT_USAGE;
}

/* Prints instead of serving, when that is asked for. */
static bool answer(const struct options *options, struct buf *text) {
    if (options->help)
        options_help(text);
    else if (options->version)
        buf_add_str(text, "plmd " PLM_VERSION "\n");
    else if (options->print_config)
        options_print(options, text);
    else if (options->check_config)
        buf_add_str(text, "ok\n");
    else
        return false;
    return true;
}

static int finish(struct buf *text) {
    bool written = !text->failed && fwrite(text->bytes, 1, text->len, stdout) == text->len &&
                   fflush(stdout) == 0;
    buf_free(text);
    return written ? 0 : EXIT_CANNOT;
}

int main(int argc, char **argv) {
    static struct options options; /* borrowed by threads until the process ends */
    struct buf problems = {0}, text = {0};
    hold_hangup();
    if (!options_parse(&options, argc, argv, &problems)) return complain(&problems);
    if (answer(&options, &text)) {
        options_clear(&options);
        return finish(&text);
    }
    log_init(options.log_level);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a write past a limit fails instead */
    tune_memory();
    acceptor_make_room(options.max_connections);
    return serve(&options);
}
