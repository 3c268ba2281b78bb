#include "daemon/reload.h"

#include <signal.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/server.h"

static const char *shown(const struct buf *value) {
    return value->len ? value->bytes : "unset";
}

/* Returns whether the option differs and can't change now. */
static bool take_option(struct options *ours, const struct options *fresh,
                        const struct option *option) {
    struct buf before = {0}, after = {0};
    if (option_equal(option, ours, fresh)) return false;
    option_format(option, ours, &before);
    option_format(option, fresh, &after);
    if (option->live) {
        option_copy(option, ours, fresh);
        log_info("SIGHUP: %s: %s, was %s", option->name, shown(&after), shown(&before));
    } else {
        log_warn("SIGHUP: %s: %s needs a restart, %s is kept", option->name, shown(&after),
                 shown(&before));
    }
    buf_free(&before);
    buf_free(&after);
    return !option->live;
}

static bool models_equal(const struct options *a, const struct options *b) {
    bool equal = a->n_models == b->n_models;
    for (unsigned i = 0; equal && i < a->n_models; i++)
        equal = strcmp(a->models[i].alias, b->models[i].alias) == 0 &&
                strcmp(a->models[i].path, b->models[i].path) == 0;
    return equal;
}

static void take(struct options *ours, const struct options *fresh) {
    unsigned n_kept = 0;
    log_set_level(fresh->log_level);
    for (const struct option *option = option_table; option->name; option++)
        if (option->section && option->kind != OPTION_MODEL)
            n_kept += take_option(ours, fresh, option);
    if (!models_equal(ours, fresh)) {
        n_kept++;
        log_warn("SIGHUP: models: needs a restart, the models are kept");
    }
    log_info("SIGHUP: configuration read again%s", n_kept ? ", a part needs a restart" : "");
}

static void complain(const struct buf *problems) {
    for (const char *line = problems->bytes; line && *line; line += strcspn(line, "\n") + 1)
        log_error("SIGHUP: %.*s", (int)strcspn(line, "\n"), line);
    log_error("SIGHUP: the configuration is not changed");
}

static void reload_signal(struct ev_loop *loop, ev_signal *watcher, int revents) {
    (void)loop, (void)revents;
    struct server *server = watcher->data;
    struct buf problems = {0};
    struct options fresh;
    if (options_parse(&fresh, server->options->argc, server->options->argv, &problems)) {
        take(server->options, &fresh);
        acceptor_make_room(server->options->max_connections);
        options_clear(&fresh);
    } else {
        complain(&problems);
    }
    buf_free(&problems);
}

/* main holds it back until here. */
static void let_through(int number) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void reload_init(struct server *server) {
    ev_signal *hangup = &server->reload.hangup;
    ev_signal_init(hangup, reload_signal, SIGHUP);
    hangup->data = server;
    ev_signal_start(server->loop, hangup);
    let_through(SIGHUP);
}
