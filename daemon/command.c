#include "daemon/command.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/handlers.h"
#include "daemon/log.h"
#include "daemon/log_prompt.h"
#include "daemon/request.h"
#include "daemon/server.h"

static const double PULSE_SECONDS = 1.5; /* the contract says 2 */

/* ---- the end of a command ---- */

struct outcome {
    char decided;
};
static const struct outcome replied, pending;

static struct jobs *command_jobs(const struct command *command) {
    return &command->conn->server->jobs;
}

/* Lets go of everything but the connection. */
static void command_end(struct command *command) {
    struct ev_loop *loop = command->conn->server->loop;
    ev_timer_stop(loop, &command->deadline);
    ev_timer_stop(loop, &command->pulse);
    if (command->job) jobs_abandon(command->job);
    LIST_REMOVE(command, link);
    command->conn->n_commands--;
    request_release(command->request);
    free(command);
}

const struct outcome *command_reply_finished(struct command *command, struct buf *reply) {
    struct conn *conn = command->conn;
    struct request *request = command->request;
    if (command->call->id)
        request_answer(request, command->call->id, reply);
    else
        buf_free(reply);
    request_member_ended(request);
    command_end(command);
    conn_settle(conn);
    return &replied;
}

const struct outcome *command_reply(struct command *command, struct buf *result) {
    struct error no_memory = {0};
    struct buf reply = {0};
    if (result->failed) {
        buf_free(result);
        error_set(&no_memory, ERROR_OUT_OF_MEMORY, "no memory for the result");
        return command_fail(command, &no_memory);
    }
    if (command->call->id) reply_raw(&reply, command->call->id, result->bytes, result->len);
    buf_free(result);
    return command_reply_finished(command, &reply);
}

void command_count_error(struct command *command, enum error_code code) {
    struct counters *counters = &command->conn->server->counters;
    counters->errors += code != ERROR_NONE;
    counters->overloaded += code == ERROR_OVERLOADED;
    counters->cancelled += code == ERROR_CANCELLED;
    counters->deadline_exceeded += code == ERROR_DEADLINE;
}

const struct outcome *command_fail_partial(struct command *command, const struct error *error,
                                           const struct generation_result *partial) {
    struct buf reply = {0};
    command_count_error(command, error->code);
    if (command->call->id) reply_error(&reply, command->call->id, error, partial);
    return command_reply_finished(command, &reply);
}

const struct outcome *command_fail(struct command *command, const struct error *error) {
    return command_fail_partial(command, error, NULL);
}

const struct outcome *command_pending(struct command *command) {
    (void)command;
    return &pending;
}

/* ---- cancelling ---- */

struct command *command_find(struct conn *conn, const char *id, const struct command *other) {
    struct command *command;
    LIST_FOREACH(command, &conn->commands, link)
    if (command != other && command->call->id && strcmp(command->call->id, id) == 0) return command;
    return NULL;
}

static const char *reason_name(enum cancel_reason reason) {
    return reason == CANCEL_ADMIN ? "admin" : reason == CANCEL_CLIENT ? "client" : "disconnect";
}

const struct outcome *command_fail_cancelled(struct command *command,
                                             const struct generation_result *partial) {
    struct error error = {0};
    error_set(&error, ERROR_CANCELLED, "the request was cancelled");
    snprintf(error.reason, sizeof error.reason, "%s", reason_name(command->cancelled));
    return command_fail_partial(command, &error, partial);
}

void command_cancel(struct command *command, enum cancel_reason reason) {
    if (command->cancelled == CANCEL_NONE) command->cancelled = reason;
    if (command->running)
        generation_cancel(command->job->generation, reason);
    else
        command_fail_cancelled(command, NULL);
}

void command_drop(struct command *command) {
    if (command->running) generation_cancel(command->job->generation, CANCEL_DISCONNECT);
    command_end(command);
}

void command_retry_waiting(struct conn *conn) {
    struct command *command, *next;
    for (command = LIST_FIRST(&conn->commands); command; command = next) {
        next = LIST_NEXT(command, link);
        if (!command->waits_for_parse) continue;
        struct command *target = command_find(conn, command->call->cancel_id, command);
        if (target && target == next) next = LIST_NEXT(target, link);
        handlers_of(command->call->method)(command);
    }
}

/* ---- deadline and progress ---- */

static void command_deadline(struct ev_loop *loop, ev_timer *watcher, int revents) {
    (void)loop, (void)revents;
    struct error error = {.reason = "queued"};
    error_set(&error, ERROR_DEADLINE, "the deadline passed before the request was begun");
    command_fail(watcher->data, &error);
}

/* From here on deadline_ns is the instant, no longer the time allowed. */
static void command_arm_deadline(struct command *command) {
    int64_t *deadline_ns = &command->call->spec.deadline_ns;
    if (*deadline_ns <= 0) return;
    *deadline_ns += command->request->received_ns;
    int64_t left_ns = *deadline_ns - clock_ns();
    ev_timer_set(&command->deadline, left_ns > 0 ? (double)left_ns / 1e9 : 0., 0.);
    ev_timer_start(command->conn->server->loop, &command->deadline);
}

void command_runs(struct command *command) {
    command->running = true;
    ev_timer_stop(command->conn->server->loop, &command->deadline);
}

/* When the phase will be complete at the speed it had so far; -1: no telling. */
static int64_t command_eta_ms(struct command *command, const struct generation_progress *progress) {
    const char *before = command->progress.phase;
    if (!before || strcmp(before, progress->phase) != 0) {
        command->phase_first = progress->done;
        command->phase_ns = clock_ns();
    }
    uint64_t done = progress->done - command->phase_first;
    if (progress->done <= command->phase_first || progress->total < progress->done) return -1;
    double left = (double)(progress->total - progress->done) / (double)done;
    double ms = (double)(clock_ns() - command->phase_ns) / 1e6 * left;
    return ms < 1e12 ? (int64_t)ms : -1;
}

void command_progress(struct command *command, const struct generation_progress *progress) {
    struct buf line = {0};
    int64_t eta_ms = command_eta_ms(command, progress);
    command->progress = *progress;
    notify_progress(&line, command->call->id, command->n_progress++, progress, eta_ms);
    conn_send(command->conn, &line, false);
    command->pulse.repeat = PULSE_SECONDS;
    ev_timer_again(command->conn->server->loop, &command->pulse);
}

static void command_pulse(struct ev_loop *loop, ev_timer *watcher, int revents) {
    (void)loop, (void)revents;
    struct command *command = watcher->data;
    const struct generation_progress last = command->progress;
    command_progress(command, &last);
}

void command_wait(struct command *command) {
    struct generation_spec *spec = &command->call->spec;
    command_arm_deadline(command);
    if (!command->call->id) spec->progress = spec->stream = false; /* nothing to name it by */
    if (!spec->progress) return;
    const struct generation_progress queued = {
        .phase = "queued", .total = 1, .queue_position = jobs_depth(command_jobs(command))};
    command_progress(command, &queued);
}

/* ---- the start of a command ---- */

static struct command *command_new(struct request *request, struct rpc_call *call) {
    struct command *command = calloc(1, sizeof *command);
    if (!command) return NULL;
    command->conn = request->conn;
    command->request = request;
    command->call = call;
    ev_timer_init(&command->deadline, command_deadline, 0., 0.);
    ev_timer_init(&command->pulse, command_pulse, 0., 0.);
    command->deadline.data = command->pulse.data = command;
    request_hold(request);
    LIST_INSERT_HEAD(&command->conn->commands, command, link);
    command->conn->n_commands++;
    return command;
}

static void command_log(const struct command *command) {
    const struct conn *conn = command->conn;
    const struct rpc_call *call = command->call;
    const char *method = method_name(call->method);
    log_debug("connection %" PRIu64 ": %s", conn->serial, method);
    if (conn->server->options->log_prompts) log_prompt(conn->serial, method, &call->spec);
}

static const struct outcome *command_run(struct command *command) {
    struct error error = {0};
    const struct rpc_call *call = command->call;
    if (call->error.code != ERROR_NONE) return command_fail(command, &call->error);
    if (call->id && command_find(command->conn, call->id, command)) {
        error_set(&error, ERROR_INVALID_REQUEST, "a request with this id is in flight");
        return command_fail(command, &error);
    }
    command_log(command);
    return handlers_of(call->method)(command);
}

void command_start(struct request *request, struct rpc_call *call) {
    struct command *command = command_new(request, call);
    request->conn->server->counters.calls[call->method]++;
    if (command)
        command_run(command);
    else {
        conn_doom(request->conn, "out of memory for its request");
        request_member_ended(request);
    }
}
