/* command: one call being handled, from its start to its one response.
 *
 * A command belongs to its connection's list of what is in flight and ends in exactly one way:
 * replied, failed, or dropped because its peer is gone. What works for it elsewhere (a job) is
 * apart from it and may outlive it. That there is exactly one response is a matter of types: a
 * handler must return a `struct outcome *`, and only the three functions here make one. After
 * replying or failing the command is gone: nothing may touch it.
 */
#ifndef DAEMON_COMMAND_H
#define DAEMON_COMMAND_H

#include <ev.h>

#include "daemon/conn.h"
#include "daemon/job.h"

struct command {
    LIST_ENTRY(command) link; /* of conn->commands */
    struct conn *conn;
    struct request *request; /* holds a reference */
    struct rpc_call *call;   /* the request's */
    struct job *job;         /* NULL: none */
    bool running;            /* the engine has the job */
    bool waits_for_parse;    /* a cancel whose target may be in a line that is not parsed yet */
    enum cancel_reason cancelled;        /* asked for; the engine's answer is still to come */
    ev_timer deadline;                   /* until the engine has the job */
    ev_timer pulse;                      /* progress that must be sent even if nothing happens */
    struct generation_progress progress; /* the last */
    uint64_t n_progress;
    uint64_t phase_first; /* progress.done when the phase began ... */
    int64_t phase_ns;     /* ... and when that was */
};

struct outcome; /* never defined: a token that something was decided */
const struct outcome *command_reply(struct command *command,
                                    struct buf *result); /* JSON, taken over */
const struct outcome *command_fail(struct command *command, const struct error *error);
const struct outcome *command_pending(struct command *command);

typedef const struct outcome *command_handler(struct command *command);

/* Handles a call of request: checks it and runs its method's handler. */
void command_start(struct request *request, struct rpc_call *call);
/* For a job's end: the finished response, built elsewhere, is taken over. */
const struct outcome *command_reply_finished(struct command *command, struct buf *reply);
/* The same with what was produced so far. */
const struct outcome *command_fail_partial(struct command *command, const struct error *error,
                                           const struct generation_result *partial);
/* The command was cancelled: 1010 with the reason. */
const struct outcome *command_fail_cancelled(struct command *command,
                                             const struct generation_result *partial);
/* Counts a response built elsewhere. */
void command_count_error(struct command *command, enum error_code code);

/* The command in flight with this id (JSON text) on conn, other than `other`. */
struct command *command_find(struct conn *conn, const char *id, const struct command *other);
/* Ends it early. It is answered with 1010, at once or (running) within a step of the engine. */
void command_cancel(struct command *command, enum cancel_reason reason);
/* Its peer is gone: ends without a response. */
void command_drop(struct command *command);
/* Lines have been parsed: cancels that waited for them look again. */
void command_retry_waiting(struct conn *conn);

/* It has to wait for other threads: its deadline runs, the first progress is sent. Once. */
void command_wait(struct command *command);
/* Progress: the first at the start, then as the engine tells, at least every 1.5 s. */
void command_progress(struct command *command, const struct generation_progress *progress);
/* The engine has the job from now on, and with it the deadline. */
void command_runs(struct command *command);

#endif
