/* request: one line from a peer, with the calls it holds.
 *
 * Owns the parsed message that commands and jobs borrow from, so it lives as long as any of them
 * does (counted). Gathers the replies of a batch into one array. While its line is at the prep
 * worker it is on its connection's list of unparsed requests.
 */
#ifndef DAEMON_REQUEST_H
#define DAEMON_REQUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buf.h"

struct conn;
struct job;
struct rpc_message;

struct request {
    LIST_ENTRY(request) link; /* of conn->unparsed */
    struct conn *conn;        /* NULL: gone while the line was being parsed */
    struct job *parsing;      /* NULL: parsed */
    struct rpc_message *message;
    int64_t received_ns;
    unsigned references; /* commands, jobs, and the function that starts the calls */
    unsigned unanswered; /* of a batch */
    struct buf replies;  /* of a batch: "[reply,reply", empty before the first */
};

/* Handles a line (borrowed): answers it, or starts what will. */
void request_line(struct conn *conn, const char *line, size_t n);
/* The prep worker has parsed it; message NULL: out of memory. */
void request_parsed(struct request *request, struct rpc_message *message);
/* Its peer is gone before it was parsed. */
void request_drop(struct request *request);

void request_hold(struct request *request);
void request_release(struct request *request);
/* Sends one call's finished response (taken over) by itself, or with the others of its batch. */
void request_answer(struct request *request, const char *id, struct buf *reply);
/* One of its commands has ended, answered or (a notification) not. */
void request_member_ended(struct request *request);

#endif
