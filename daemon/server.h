/* server: everything the loop thread owns, and its loop.
 *
 * One struct reached from every connection; only the loop thread touches it. Files by part: conn (a
 * peer), request (a line), command (a call), jobs (work in other threads), acceptor, drain (the
 * end).
 */
#ifndef DAEMON_SERVER_H
#define DAEMON_SERVER_H

#include <ev.h>
#include <sys/queue.h>

#include "daemon/acceptor.h"
#include "daemon/counters.h"
#include "daemon/drain.h"
#include "daemon/hangup.h"
#include "daemon/jobs.h"
#include "daemon/listener.h"
#include "daemon/options.h"
#include "daemon/reload.h"

struct conn;
LIST_HEAD(conn_list, conn);
SLIST_HEAD(doomed_list, conn);

struct server {
    struct ev_loop *loop;
    struct options *options; /* reload changes some */
    int64_t started_ns;
    struct listener *listener; /* borrowed */
    struct acceptor acceptor;
    struct hangup hangup;
    struct jobs jobs;
    struct drain drain;
    struct reload reload;
    struct counters counters;
    struct conn_list conns;
    struct doomed_list doomed; /* closed at the end of the turn */
    unsigned n_conns;
    uint64_t n_serials; /* given to connections */
    ev_prepare reaper;
    int exit_status;
};

/* Serves until it is told to end. Returns the process's exit status. The socket is listening. */
int server_run(struct options *options, struct listener *listener);

#endif
