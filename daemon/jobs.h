/* jobs: the loop thread's side of the work in other threads.
 *
 * Admits work under the queue's limits, sends it from stage to stage (prep worker, engine thread),
 * and turns the events that come back into replies and notifications of the commands that still
 * wait. Work that needs a model which is not loaded waits until it is.
 */
#ifndef DAEMON_JOBS_H
#define DAEMON_JOBS_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/command.h"
#include "daemon/mailbox.h"
#include "daemon/models.h"
#include "daemon/prep.h"

struct jobs {
    struct server *server;
    struct mailbox mailbox;
    struct prep *prep;
    struct models models;
    bool started;         /* all models have been loaded once */
    unsigned outside;     /* jobs that other threads have or that are held */
    unsigned preparing;   /* work before the engine */
    double generation_ms; /* how long one takes lately */
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

/* Unloads the model that the command names, unless it has work. */
const struct outcome *jobs_unload(struct command *command);

unsigned jobs_depth(const struct jobs *jobs);  /* waiting */
unsigned jobs_active(const struct jobs *jobs); /* being generated */

#endif
