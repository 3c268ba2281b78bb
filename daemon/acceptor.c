#include "daemon/acceptor.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/conn.h"
#include "daemon/log.h"
#include "daemon/server.h"

enum { ACCEPTS_PER_TURN = 16, OTHER_DESCRIPTORS = 64 };
static const double PAUSE_SECONDS = 0.5;

static bool peer_uid(int fd, uid_t *uid) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
    *uid = peer.uid;
    return true;
}

static unsigned count_uid(const struct server *server, uid_t uid) {
    unsigned n = 0;
    const struct conn *conn;
    LIST_FOREACH(conn, &server->conns, link) n += conn->uid == uid;
    return n;
}

/* Says why in one line, as far as the socket takes it at once. */
static void refuse(struct server *server, int fd, uid_t uid) {
    struct error error = {.numbers = {1000, 0}};
    struct buf line = {0};
    error_set(&error, ERROR_OVERLOADED, "too many connections");
    reply_error(&line, NULL, &error, NULL);
    buf_add_char(&line, '\n');
    if (!line.failed) {
        ssize_t ignored = send(fd, line.bytes, line.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)ignored;
    }
    buf_free(&line);
    close(fd);
    server->counters.connections_refused++;
    log_warn("connection refused: too many, uid=%u", (unsigned)uid);
}

static void accepted(struct server *server, int fd) {
    uid_t uid;
    if (!peer_uid(fd, &uid)) {
        close(fd);
        return;
    }
    const struct options *options = server->options;
    if (server->n_conns >= options->max_connections ||
        count_uid(server, uid) >= options->max_connections_per_uid)
        refuse(server, fd, uid);
    else if (!conn_new(server, fd, uid))
        close(fd);
}

/* A peer that went away while it waited is no reason to pause. */
static bool is_shortage(int reason) {
    return reason == EMFILE || reason == ENFILE || reason == ENOBUFS || reason == ENOMEM;
}

static void acceptor_pause(struct server *server) {
    log_warn("accepting paused: %s", strerror(errno));
    ev_io_stop(server->loop, &server->acceptor.ready);
    ev_timer_set(&server->acceptor.again, PAUSE_SECONDS, 0.);
    ev_timer_start(server->loop, &server->acceptor.again);
}

/* Takes one connection. False when there is none, or they can't be taken now. */
static bool acceptor_take(struct server *server) {
    int fd = accept4(server->acceptor.ready.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        accepted(server, fd);
        return true;
    }
    if (is_shortage(errno)) acceptor_pause(server);
    return errno == EINTR || errno == ECONNABORTED;
}

static void acceptor_ready(struct ev_loop *loop, ev_io *watcher, int revents) {
    (void)loop, (void)revents;
    for (int i = 0; i < ACCEPTS_PER_TURN && acceptor_take(watcher->data); i++) continue;
}

static void acceptor_again(struct ev_loop *loop, ev_timer *watcher, int revents) {
    (void)revents;
    struct server *server = watcher->data;
    ev_io_start(loop, &server->acceptor.ready);
}

void acceptor_make_room(unsigned connections) {
    struct rlimit limit;
    const rlim_t wanted = connections + OTHER_DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    setrlimit(RLIMIT_NOFILE, &limit);
}

void acceptor_start(struct server *server) {
    struct acceptor *acceptor = &server->acceptor;
    ev_io_init(&acceptor->ready, acceptor_ready, server->listener->fd, EV_READ);
    ev_timer_init(&acceptor->again, acceptor_again, 0., 0.);
    acceptor->ready.data = acceptor->again.data = server;
    acceptor->open = true;
    ev_io_start(server->loop, &acceptor->ready);
}

void acceptor_stop(struct server *server) {
    struct acceptor *acceptor = &server->acceptor;
    if (!acceptor->open) return;
    while (acceptor_take(server)) continue;
    ev_io_stop(server->loop, &acceptor->ready);
    ev_timer_stop(server->loop, &acceptor->again);
    listener_close(server->listener);
    acceptor->open = false;
}
