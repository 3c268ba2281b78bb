#include "daemon/drain.h"

#include "daemon/conn.h"
#include "daemon/log.h"
#include "daemon/notify.h"
#include "daemon/server.h"

static const double CANCEL_SECONDS = 5, FLUSH_SECONDS = 5, FAIL_SECONDS = 0.5;

static void drain_set(struct server *server, enum drain_state state, double seconds) {
    ev_timer *timer = &server->drain.timer;
    server->drain.state = state;
    ev_timer_stop(server->loop, timer);
    ev_timer_set(timer, seconds, 0.);
    ev_timer_start(server->loop, timer);
}

/* Calls end for every command; end may free the command it gets, and no other. */
static void for_each_command(struct server *server, void (*end)(struct command *command)) {
    struct conn *conn;
    LIST_FOREACH(conn, &server->conns, link) {
        struct command *command, *next;
        for (command = LIST_FIRST(&conn->commands); command; command = next) {
            next = LIST_NEXT(command, link);
            end(command);
        }
    }
}

static void end_cancelled(struct command *command) {
    command_cancel(command, CANCEL_ADMIN);
}

static void end_refused(struct command *command) {
    struct error error = {0};
    error_set(&error, ERROR_SHUTTING_DOWN, "the daemon ends before the request could");
    command_fail(command, &error);
}

void drain_begin(struct server *server) {
    if (server->drain.state != DRAIN_NO) return;
    log_info("ending: %u connections, %u jobs", server->n_conns, server->jobs.outside);
    notify_manager("STOPPING=1");
    drain_set(server, DRAIN_FINISHING, server->options->drain_seconds);
    acceptor_stop(server);
}

static void drain_cancel(struct server *server) {
    log_info("ending: cancelling what is in flight");
    drain_set(server, DRAIN_CANCELLING, CANCEL_SECONDS);
    for_each_command(server, end_cancelled);
}

static void drain_flush(struct server *server, double seconds) {
    struct conn *conn;
    drain_set(server, DRAIN_FLUSHING, seconds);
    LIST_FOREACH(conn, &server->conns, link) conn_end_reading(conn);
}

static void drain_give_up(struct server *server) {
    struct conn *conn;
    LIST_FOREACH(conn, &server->conns, link) conn_doom(conn, "still open at the end");
}

static void drain_timeout(struct ev_loop *loop, ev_timer *watcher, int revents) {
    (void)loop, (void)revents;
    struct server *server = watcher->data;
    switch (server->drain.state) {
    case DRAIN_NO: break;
    case DRAIN_FINISHING: drain_cancel(server); break;
    case DRAIN_CANCELLING:
        for_each_command(server, end_refused);
        drain_flush(server, FLUSH_SECONDS);
        break;
    case DRAIN_FLUSHING: drain_give_up(server); break;
    }
}

static void drain_signal(struct ev_loop *loop, ev_signal *watcher, int revents) {
    (void)loop, (void)revents;
    struct server *server = watcher->data;
    log_info("signal %d", watcher->signum);
    if (server->drain.state == DRAIN_FINISHING) drain_cancel(server);
    drain_begin(server);
}

void drain_init(struct server *server) {
    struct drain *drain = &server->drain;
    ev_signal_init(&drain->terminate, drain_signal, SIGTERM);
    ev_signal_init(&drain->interrupt, drain_signal, SIGINT);
    ev_timer_init(&drain->timer, drain_timeout, 0., 0.);
    drain->terminate.data = drain->interrupt.data = drain->timer.data = server;
    ev_signal_start(server->loop, &drain->terminate);
    ev_signal_start(server->loop, &drain->interrupt);
}

void drain_fail(struct server *server) {
    server->exit_status = 1;
    acceptor_stop(server);
    for_each_command(server, end_refused);
    drain_flush(server, FAIL_SECONDS);
}

static bool anything_in_flight(const struct server *server) {
    const struct conn *conn;
    LIST_FOREACH(conn, &server->conns, link)
    if (conn->n_commands > 0 || conn->n_unparsed > 0) return true;
    return false;
}

void drain_check(struct server *server) {
    if (server->drain.state == DRAIN_NO) return;
    if (server->drain.state != DRAIN_FLUSHING && !anything_in_flight(server))
        drain_flush(server, FLUSH_SECONDS);
    if (server->drain.state == DRAIN_FLUSHING && server->n_conns == 0)
        ev_break(server->loop, EVBREAK_ALL);
}
