#include "daemon/server.h"

#include "base/clock.h"
#include "daemon/conn.h"
#include "daemon/log.h"
#include "daemon/thread.h"

/* The end of a turn: whoever was doomed in it is freed, now that no callback can hold it. */
static void server_reap(struct ev_loop *loop, ev_prepare *watcher, int revents) {
    (void)loop, (void)revents;
    struct server *server = watcher->data;
    struct conn *conn;
    do {
        while ((conn = SLIST_FIRST(&server->doomed))) {
            SLIST_REMOVE_HEAD(&server->doomed, doomed_link);
            conn_close(conn);
        }
        drain_check(server);
    } while (!SLIST_EMPTY(&server->doomed));
}

static bool server_start(struct server *server, struct error *error) {
    LIST_INIT(&server->conns);
    SLIST_INIT(&server->doomed);
    if (!hangup_init(&server->hangup, server->loop, conn_gone))
        return error_set(error, ERROR_INTERNAL, "cannot make an epoll set");
    if (!jobs_init(&server->jobs, server, error)) return false;
    thread_be_prompt(); /* after the other threads were started */
    ev_prepare_init(&server->reaper, server_reap);
    server->reaper.data = server;
    ev_prepare_start(server->loop, &server->reaper);
    drain_init(server);
    reload_init(server);
    acceptor_start(server);
    return true;
}

static void server_stop(struct server *server) {
    if (!jobs_close(&server->jobs)) return; /* a thread still works: the exit ends it */
    hangup_close(&server->hangup, server->loop);
    ev_loop_destroy(server->loop);
}

int server_run(struct options *options, struct listener *listener) {
    static struct server server; /* threads may still see it while the process exits */
    struct error error = {0};
    server = (struct server){.options = options,
                             .listener = listener,
                             .started_ns = clock_ns(),
                             .loop = ev_default_loop(EVFLAG_NOENV)};
    if (!server.loop || !server_start(&server, &error)) {
        log_error("%s", server.loop ? error.message : "cannot make an event loop");
        return 1;
    }
    log_info("listening on %s", listener->path[0] ? listener->path : "the inherited socket");
    ev_run(server.loop, 0);
    log_info("ended");
    server_stop(&server);
    return server.exit_status;
}
