/* job: work that leaves the loop thread, and what comes back.
 *
 * Made and freed on the loop thread. In between it belongs to one thread at a time: pushed to the
 * prep worker or the engine thread, it comes back as an event in the mailbox. It keeps its request
 * (and so the parsed line that everything borrows from) alive, and nothing else: the command it
 * works for may end before it does (cancelled, past its deadline, peer gone); then `command` is
 * NULL, `abandoned` is set and whatever comes back is dropped.
 */
#ifndef DAEMON_JOB_H
#define DAEMON_JOB_H

#include <stdatomic.h>

#include "daemon/mailbox.h"
#include "engine/engine.h"
#include "proto/proto.h"

enum job_kind {
    JOB_PARSE,      /* prep: line -> message */
    JOB_TEXT,       /* prep: tokenize, detokenize, count, render, schema.check -> reply */
    JOB_GENERATION, /* prep: call -> generation; engine: generation -> reply */
    JOB_UNLOAD,     /* engine: frees itself */
};

struct command;
struct request;
struct job {
    struct queue_item item; /* first: an item is its job */
    enum job_kind kind;
    struct mailbox *mailbox;
    struct event finished; /* of the stage it is in */

    /* Loop thread. */
    struct request *request; /* holds a reference */
    struct command *command; /* NULL: nobody waits any more */
    struct served *model;    /* that it needs, as one of its users; NULL: none */
    uint64_t prompt_tokens;  /* known once prepared */

    /* Set before the job leaves the loop, constant then. */
    char *line; /* JOB_PARSE: our copy */
    size_t line_len;
    const struct rpc_call *call;
    const struct engine *engine;
    uint64_t serial; /* of the daemon's life */
    uint32_t boot;   /* random: makes call ids unique across lives */

    /* Results, written by the thread that has the job. */
    struct rpc_message *message;
    struct generation *generation;
    struct error error;
    struct buf reply; /* a finished response, without line end */

    atomic_bool abandoned;
};

struct job *job_new(enum job_kind kind, struct mailbox *mailbox);
void job_free(struct job *job); /* the loop gives up the request first */

void job_prepare(struct job *job); /* prep worker: does the kind's work and posts the event */
void job_finish(struct job *job, enum event_kind kind); /* posts the event: the job goes back */
/* Engine thread: runs until EVENT_DONE is posted. */
void job_submit(struct job *job, struct engine *engine);

#endif
