#include "daemon/conn.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/command.h"
#include "daemon/log.h"
#include "daemon/request.h"
#include "daemon/server.h"
#include "proto/proto.h"

enum {
    READ_BYTES = 64 * 1024, /* per turn */
    TURN_LINES = 32,        /* per turn: one peer's flood must not delay another's health */
    UNPARSED_LIMIT = 4,     /* long lines at the prep worker, then reading waits */
};

/* ---- reading ---- */

/* Is a pause in reading due? The peer then feels it as back-pressure. */
static bool conn_must_wait(const struct conn *conn) {
    return conn->outbox.bytes >= conn->server->options->stall_output ||
           conn->n_unparsed >= UNPARSED_LIMIT;
}

/* Adjusts what the loop watches to the connection's state. */
static void conn_watch(struct conn *conn) {
    struct server *server = conn->server;
    bool reading = !conn->doomed && !conn->ended && !conn->more && !conn_must_wait(conn);
    bool resuming = !conn->doomed && conn->more && !conn_must_wait(conn);
    if (reading)
        ev_io_start(server->loop, &conn->readable);
    else
        ev_io_stop(server->loop, &conn->readable);
    if (resuming && !ev_is_active(&conn->resume)) {
        ev_timer_set(&conn->resume, 0., 0.);
        ev_timer_start(server->loop, &conn->resume);
    }
    if (!reading && !conn->doomed && !conn->in_hangup)
        conn->in_hangup = hangup_add(&server->hangup, conn->fd, conn);
}

static void conn_reply_too_long(struct conn *conn) {
    size_t limit = conn->server->options->max_line;
    struct error error = {.numbers = {limit}};
    struct buf line = {0};
    error_set(&error, ERROR_MESSAGE_TOO_LARGE, "a request line is longer than the limit");
    reply_error(&line, NULL, &error, NULL);
    buf_add_char(&line, '\n');
    conn->server->counters.too_long_lines++;
    conn_send(conn, &line, false);
}

/* Handles one line; false when there is none. */
static bool conn_take_line(struct conn *conn) {
    const char *line;
    size_t n;
    switch (frames_next(conn->frames, &line, &n)) {
    case FRAME_NONE: return false;
    case FRAME_TOO_LONG: conn_reply_too_long(conn); return true;
    case FRAME_LINE:
        conn->server->counters.lines++;
        request_line(conn, line, n);
        return true;
    }
    return false;
}

static void conn_turn(struct conn *conn) {
    conn->more = true;
    for (unsigned n = 0; n < TURN_LINES && conn->more && !conn->doomed && !conn_must_wait(conn);
         n++)
        conn->more = conn_take_line(conn);
    conn_settle(conn);
}

static void conn_resume(struct ev_loop *loop, ev_timer *watcher, int revents) {
    (void)loop, (void)revents;
    conn_turn(watcher->data);
}

static void conn_start_partial(struct conn *conn) {
    ev_timer_set(&conn->partial, conn->server->options->line_seconds, 0.);
    ev_timer_start(conn->server->loop, &conn->partial);
}

/* The time for a line runs from its first byte. */
static void conn_time_line(struct conn *conn, const char *bytes, size_t n) {
    bool was_mid_line = conn->mid_line && !memchr(bytes, '\n', n);
    conn->mid_line = bytes[n - 1] != '\n';
    if (was_mid_line) return;
    ev_timer_stop(conn->server->loop, &conn->partial);
    if (conn->mid_line) conn_start_partial(conn);
}

static void conn_feed(struct conn *conn, const char *bytes, size_t n) {
    conn->server->counters.bytes_in += n;
    conn_time_line(conn, bytes, n);
    frames_limit(conn->frames, conn->server->options->max_line); /* it can change */
    if (frames_feed(conn->frames, bytes, n))
        conn_turn(conn);
    else
        conn_doom(conn, "out of memory for its input");
}

/* A last line without its end is taken as complete: `printf '{...}' | nc -N` works. */
static void conn_ended(struct conn *conn) {
    conn->ended = true;
    if (conn->mid_line)
        conn_feed(conn, "\n", 1);
    else
        conn_turn(conn);
}

static void conn_readable(struct ev_loop *loop, ev_io *watcher, int revents) {
    (void)loop, (void)revents;
    static char bytes[READ_BYTES]; /* the loop thread's */
    struct conn *conn = watcher->data;
    ssize_t n = recv(conn->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n > 0)
        conn_feed(conn, bytes, (size_t)n);
    else if (n == 0)
        conn_ended(conn);
    else if (errno != EAGAIN && errno != EINTR)
        conn_gone(conn);
}

/* The line is given up, what is in flight is still answered. */
static void conn_partial(struct ev_loop *loop, ev_timer *watcher, int revents) {
    (void)loop, (void)revents;
    struct conn *conn = watcher->data;
    struct error error = {0};
    struct buf line = {0};
    if (!ev_is_active(&conn->readable)) { /* it is us who do not read */
        conn_start_partial(conn);
        return;
    }
    error_set(&error, ERROR_PARSE, "a line was not finished in time");
    reply_error(&line, NULL, &error, NULL);
    buf_add_char(&line, '\n');
    conn_send(conn, &line, false);
    log_warn("connection %" PRIu64 ": unfinished line given up", conn->serial);
    conn->server->counters.connections_closed_by_limit++;
    conn->ended = true;
    conn->mid_line = false;
    conn_settle(conn);
}

void conn_end_reading(struct conn *conn) {
    if (conn->doomed) return;
    shutdown(conn->fd, SHUT_RD); /* the peer's next write fails; what is in the socket is read */
    conn_watch(conn);
}

/* ---- writing ---- */

static void conn_time_stall(struct conn *conn, bool progress) {
    struct ev_loop *loop = conn->server->loop;
    const struct options *options = conn->server->options;
    bool needed = conn->outbox.bytes >= options->stall_output && !conn->doomed;
    if (progress || !needed) ev_timer_stop(loop, &conn->stall);
    if (!needed || ev_is_active(&conn->stall)) return;
    ev_timer_set(&conn->stall, options->stall_seconds, 0.);
    ev_timer_start(loop, &conn->stall);
}

static void conn_flush(struct conn *conn) {
    size_t written;
    enum outbox_state state = outbox_write(&conn->outbox, &written, conn->fd);
    conn->server->counters.bytes_out += written;
    if (state == OUTBOX_BLOCKED)
        ev_io_start(conn->server->loop, &conn->writable);
    else
        ev_io_stop(conn->server->loop, &conn->writable);
    conn_time_stall(conn, written > 0);
    if (state == OUTBOX_BROKEN) conn_gone(conn);
}

static void conn_writable(struct ev_loop *loop, ev_io *watcher, int revents) {
    (void)loop, (void)revents;
    struct conn *conn = watcher->data;
    conn_flush(conn);
    conn_settle(conn);
}

static void conn_stalled(struct ev_loop *loop, ev_timer *watcher, int revents) {
    (void)loop, (void)revents;
    struct conn *conn = watcher->data;
    conn->server->counters.connections_closed_by_limit++;
    conn_doom(conn, "reads too slowly");
}

void conn_send(struct conn *conn, struct buf *line, bool droppable) {
    if (conn->doomed) {
        buf_free(line);
        return;
    }
    size_t limit = droppable ? OUTBOX_SOFT : conn->server->options->max_output;
    if (!outbox_add_steal(&conn->outbox, line, limit)) {
        conn->server->counters.tokens_dropped += droppable;
        conn->server->counters.connections_closed_by_limit += !droppable;
        if (!droppable) conn_doom(conn, "too much output waits for it, or out of memory");
    } else if (!ev_is_active(&conn->writable))
        conn_flush(conn);
    else
        conn_time_stall(conn, false);
}

/* ---- lifetime ---- */

struct conn *conn_new(struct server *server, int fd, uid_t uid) {
    struct conn *conn = calloc(1, sizeof *conn);
    struct frames *frames = frames_new(server->options->max_line);
    if (!conn || !frames) {
        if (frames) frames_free(frames);
        free(conn);
        return NULL;
    }
    *conn = (struct conn){.server = server, .fd = fd, .uid = uid, .frames = frames};
    conn->serial = ++server->n_serials;
    LIST_INIT(&conn->commands);
    LIST_INIT(&conn->unparsed);
    ev_io_init(&conn->readable, conn_readable, fd, EV_READ);
    ev_io_init(&conn->writable, conn_writable, fd, EV_WRITE);
    ev_timer_init(&conn->resume, conn_resume, 0., 0.);
    ev_timer_init(&conn->partial, conn_partial, 0., 0.);
    ev_timer_init(&conn->stall, conn_stalled, 0., 0.);
    conn->readable.data = conn->writable.data = conn;
    conn->resume.data = conn->partial.data = conn->stall.data = conn;
    LIST_INSERT_HEAD(&server->conns, conn, link);
    server->n_conns++;
    server->counters.connections++;
    ev_io_start(server->loop, &conn->readable);
    log_debug("connection %" PRIu64 ": opened, uid=%u", conn->serial, (unsigned)uid);
    return conn;
}

static void conn_stop_watching(struct conn *conn) {
    struct server *server = conn->server;
    ev_io_stop(server->loop, &conn->readable);
    ev_io_stop(server->loop, &conn->writable);
    ev_timer_stop(server->loop, &conn->resume);
    ev_timer_stop(server->loop, &conn->partial);
    ev_timer_stop(server->loop, &conn->stall);
    if (conn->in_hangup) hangup_remove(&server->hangup, conn->fd);
    conn->in_hangup = false;
}

void conn_doom(struct conn *conn, const char *why) {
    if (conn->doomed) return;
    if (why) log_warn("connection %" PRIu64 ": closed: %s", conn->serial, why);
    conn->doomed = true;
    conn_stop_watching(conn);
    SLIST_INSERT_HEAD(&conn->server->doomed, conn, doomed_link);
}

void conn_gone(void *conn) {
    conn_doom(conn, NULL);
}

void conn_settle(struct conn *conn) {
    if (conn->doomed) return;
    bool idle = LIST_EMPTY(&conn->commands) && LIST_EMPTY(&conn->unparsed);
    if (conn->ended && !conn->more && idle && conn->outbox.bytes == 0)
        conn_doom(conn, NULL);
    else
        conn_watch(conn);
}

void conn_close(struct conn *conn) {
    struct server *server = conn->server;
    struct command *command;
    struct request *request;
    while ((command = LIST_FIRST(&conn->commands))) command_drop(command);
    while ((request = LIST_FIRST(&conn->unparsed))) request_drop(request);
    LIST_REMOVE(conn, link);
    server->n_conns--;
    close(conn->fd);
    log_debug("connection %" PRIu64 ": closed", conn->serial);
    frames_free(conn->frames);
    outbox_free(&conn->outbox);
    free(conn);
}
