#include "daemon/request.h"

#include <stdlib.h>

#include "base/clock.h"
#include "daemon/command.h"
#include "daemon/server.h"
#include "proto/proto.h"

enum { BATCH_MEMBERS = 64, SHORT_REPLY = 512 /* an error's, with its id */ };

static struct request *request_new(struct conn *conn) {
    struct request *request = calloc(1, sizeof *request);
    if (!request) return NULL;
    request->conn = conn;
    request->received_ns = clock_ns();
    request->references = 1;
    return request;
}

void request_hold(struct request *request) {
    request->references++;
}

void request_release(struct request *request) {
    if (--request->references > 0) return;
    rpc_message_free(request->message);
    buf_free(&request->replies);
    free(request);
}

/* ---- answers ---- */

static void send_line(struct conn *conn, struct buf *reply) {
    buf_add_char(reply, '\n');
    conn_send(conn, reply, false);
}

/* For a line that is answered as a whole. */
static void answer_error(struct conn *conn, const struct error *error) {
    struct buf reply = {0};
    reply_error(&reply, NULL, error, NULL);
    conn->server->counters.errors++;
    send_line(conn, &reply);
}

static void answer_no_memory(struct conn *conn) {
    struct error error = {0};
    error_set(&error, ERROR_OUT_OF_MEMORY, "no memory for the request");
    answer_error(conn, &error);
}

/* A response that can't be sent is answered for by a short error: there is always one response. */
static void request_check_size(const struct request *request, struct buf *reply, const char *id) {
    const size_t limit = request->conn->server->options->max_output;
    const size_t taken = request->replies.len + SHORT_REPLY * BATCH_MEMBERS;
    const size_t room = taken < limit ? limit - taken : 0;
    struct error error = {.numbers = {limit}};
    if (!reply->failed && reply->len <= room) return;
    if (reply->failed)
        error_set(&error, ERROR_OUT_OF_MEMORY, "no memory for the response");
    else
        error_set(&error, ERROR_MESSAGE_TOO_LARGE, "the response is longer than the output limit");
    buf_free(reply);
    reply_error(reply, id, &error, NULL);
}

void request_answer(struct request *request, const char *id, struct buf *reply) {
    request_check_size(request, reply, id);
    if (!request->message->batch) {
        send_line(request->conn, reply);
        return;
    }
    buf_add_char(&request->replies, request->replies.len ? ',' : '[');
    buf_add(&request->replies, reply->bytes, reply->len);
    request->replies.failed |= reply->failed;
    buf_free(reply);
}

void request_member_ended(struct request *request) {
    if (--request->unanswered > 0 || !request->message->batch || !request->replies.len) return;
    buf_add_char(&request->replies, ']');
    send_line(request->conn, &request->replies);
}

/* ---- from line to calls ---- */

/* Every call becomes a command; the one more member keeps the batch open until all are started. */
static void request_start(struct request *request) {
    const struct rpc_message *message = request->message;
    request->unanswered = 1;
    for (size_t i = 0; i < message->n_calls; i++) {
        request->unanswered++;
        command_start(request, &message->calls[i]);
    }
    request_member_ended(request);
}

/* Takes message over; drops the reference of the function that got the line. */
static void request_take(struct request *request, struct rpc_message *message) {
    struct conn *conn = request->conn;
    request->message = message;
    if (!message)
        answer_no_memory(conn);
    else if (message->error.code != ERROR_NONE)
        answer_error(conn, &message->error);
    else
        request_start(request);
    request_release(request);
}

void request_line(struct conn *conn, const char *line, size_t n) {
    struct request *request = request_new(conn);
    if (!request)
        answer_no_memory(conn);
    else if (rpc_is_light(line, n))
        request_take(request, rpc_parse(line, n));
    else if (jobs_parse(&conn->server->jobs, request, line, n)) {
        LIST_INSERT_HEAD(&conn->unparsed, request, link);
        conn->n_unparsed++;
    } else {
        answer_no_memory(conn);
        request_release(request);
    }
}

static void request_unlink(struct request *request) {
    LIST_REMOVE(request, link);
    request->conn->n_unparsed--;
    request->parsing = NULL;
}

void request_parsed(struct request *request, struct rpc_message *message) {
    struct conn *conn = request->conn;
    request_unlink(request);
    request_take(request, message);
    command_retry_waiting(conn);
    conn_settle(conn);
}

void request_drop(struct request *request) {
    jobs_abandon(request->parsing);
    request_unlink(request);
    request->conn = NULL;
    request_release(request);
}
