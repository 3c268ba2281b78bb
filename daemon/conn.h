/* conn: one connected peer.
 *
 * Reads bytes into lines and hands each to request_line; writes what it is given. Lifetime: made by
 * the acceptor, freed by the reaper at the end of a loop turn after conn_doom. So a conn may be
 * used freely within a callback, whatever happens to its peer; what is sent to a doomed one is
 * dropped. Its commands and unparsed requests end with it; the jobs they started live on until they
 * come back. It closes by itself when the peer has half-closed, nothing is in flight and everything
 * is written.
 */
#ifndef DAEMON_CONN_H
#define DAEMON_CONN_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "daemon/outbox.h"

struct server;
struct frames;
struct command;
struct request;
LIST_HEAD(command_list, command);
LIST_HEAD(request_list, request);

struct conn {
    LIST_ENTRY(conn) link; /* of server->conns */
    SLIST_ENTRY(conn) doomed_link;
    struct server *server;
    int fd;
    uid_t uid;
    uint64_t serial; /* names it in the log */

    struct frames *frames;
    struct outbox outbox;
    struct command_list commands; /* in flight, in no order */
    struct request_list unparsed; /* lines at the prep worker */
    unsigned n_commands, n_unparsed;

    ev_io readable, writable;
    ev_timer resume;  /* lines that are left for the next turn */
    ev_timer partial; /* a line that is not finished */
    ev_timer stall;   /* a reader that makes no progress */
    bool more;        /* frames may hold whole lines */
    bool mid_line;    /* the last byte read was not a line's end */
    bool ended;       /* the peer sends no more */
    bool in_hangup;
    bool doomed;
};

/* Takes fd over; NULL: out of memory, fd still the caller's. */
struct conn *conn_new(struct server *server, int fd, uid_t uid);
void conn_close(struct conn *conn); /* the reaper only */

/* Sends the finished line and takes its bytes over. droppable: a token notification. */
void conn_send(struct conn *conn, struct buf *line, bool droppable);
/* Something in flight has ended: perhaps reading can go on, perhaps all is done. */
void conn_settle(struct conn *conn);
/* No more requests are taken from it, as if the peer had half-closed. What it sent before is read.
 */
void conn_end_reading(struct conn *conn);
/* To be closed at the end of this turn. why: for the log; NULL: nothing unusual. */
void conn_doom(struct conn *conn, const char *why);
void conn_gone(void *conn); /* the peer has closed */

#endif
