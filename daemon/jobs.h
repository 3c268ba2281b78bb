/* jobs: the loop thread's side of the work in other threads.
 *
 * Admits work under the queue's limits, sends it from stage to stage (prep worker, engine thread),
 * and turns the events that come back into replies and notifications of the commands that still
 * wait. Work that needs the model waits here until it is loaded.
 */
#ifndef DAEMON_JOBS_H
#define DAEMON_JOBS_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/command.h"
#include "daemon/engine_thread.h"
#include "daemon/mailbox.h"
#include "daemon/prep.h"

enum model_state { MODEL_LOADING, MODEL_READY, MODEL_FAILED };

struct jobs {
    struct server *server;
    struct mailbox mailbox;
    struct prep *prep;
    struct engine_settings settings; /* the engine thread's */
    struct engine_thread *engine_thread;
    const struct engine *engine; /* once MODEL_READY */
    enum model_state model;
    struct queue *held;        /* until then */
    unsigned outside;          /* jobs that other threads have or that are held */
    unsigned preparing;        /* work before the engine */
    unsigned submitted;        /* generations that the engine has */
    uint64_t submitted_tokens; /* their prompts */
    double generation_ms;      /* how long one takes lately */
    uint64_t serial;
    uint32_t boot;
};

bool jobs_init(struct jobs *jobs, struct server *server, struct error *error);
/* Ends the threads. False: one of them is too busy to wait for; the process must exit then. */
bool jobs_close(struct jobs *jobs);

/* Sends a copy of the line to be parsed. False: out of memory. */
bool jobs_parse(struct jobs *jobs, struct request *request, const char *line, size_t n);
/* Starts work for the command: JOB_TEXT or JOB_GENERATION. */
const struct outcome *jobs_start(struct command *command, enum job_kind kind);
/* Nobody waits for it any more. It stays with whichever thread has it until it comes back. */
void jobs_abandon(struct job *job);

/* Is this model (absent: the first) there? -32602 or 1005. */
bool jobs_model_ready(const struct jobs *jobs, struct text alias, struct error *error);

unsigned jobs_depth(const struct jobs *jobs);  /* waiting */
unsigned jobs_active(const struct jobs *jobs); /* being generated */

#endif
