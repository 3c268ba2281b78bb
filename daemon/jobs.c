#include "daemon/jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "daemon/clock.h"
#include "daemon/log.h"
#include "daemon/notify.h"
#include "daemon/request.h"
#include "daemon/server.h"

/* ---- gauges ---- */

unsigned jobs_active(const struct jobs *jobs) {
    if (!jobs->engine) return 0;
    struct engine_stats stats;
    engine_stats(jobs->engine, &stats);
    return stats.active < jobs->submitted ? (unsigned)stats.active : jobs->submitted;
}

unsigned jobs_depth(const struct jobs *jobs) {
    return jobs->preparing + jobs->submitted - jobs_active(jobs);
}

/* Prompt tokens of the generations that the engine has but does not work on yet: their share. */
static uint64_t jobs_queued_tokens(const struct jobs *jobs) {
    unsigned queued = jobs->submitted - jobs_active(jobs);
    return queued ? jobs->submitted_tokens / jobs->submitted * queued : 0;
}

/* ---- a job's life on the loop ---- */

static struct job *jobs_new_job(struct jobs *jobs, enum job_kind kind, struct request *request) {
    struct job *job = job_new(kind, &jobs->mailbox);
    if (!job) return NULL;
    job->request = request;
    request_hold(request);
    job->serial = ++jobs->serial;
    job->boot = jobs->boot;
    jobs->outside++;
    return job;
}

static void jobs_free_job(struct jobs *jobs, struct job *job) {
    struct request *request = job->request;
    jobs->outside--;
    job_free(job);
    request_release(request);
}

void jobs_abandon(struct job *job) {
    job->command = NULL;
    atomic_store_explicit(&job->abandoned, true, memory_order_relaxed);
}

/* The command that still waits for the job, released from it; NULL: none. */
static struct command *jobs_detach(struct job *job) {
    struct command *command = job->command;
    if (command) command->job = NULL;
    if (command) command->running = false;
    job->command = NULL;
    return command;
}

/* ---- admission ---- */

/* A guess from how long a generation takes and how many run side by side. */
static uint64_t retry_after_ms(const struct jobs *jobs) {
    unsigned active = jobs_active(jobs);
    double ms = jobs->generation_ms * (active ? 1.0 / active : 1.0);
    return ms < 100 ? 100 : ms > 30000 ? 30000 : (uint64_t)ms;
}

static bool jobs_overloaded(const struct jobs *jobs, struct error *error, const char *what) {
    error->numbers[0] = retry_after_ms(jobs);
    error->numbers[1] = jobs_depth(jobs);
    return error_set(error, ERROR_OVERLOADED, "%s", what);
}

static bool model_is(const struct jobs *jobs, struct text alias) {
    const char *ours = engine_info(jobs->engine)->alias;
    return !alias.bytes || (alias.len == strlen(ours) && !memcmp(alias.bytes, ours, alias.len));
}

bool jobs_model_ready(const struct jobs *jobs, struct text alias, struct error *error) {
    if (jobs->engine && model_is(jobs, alias)) return true;
    if (jobs->engine)
        return error_at(error, ERROR_INVALID_PARAMS, "model", "no model of this name is served");
    bool failed = jobs->model == MODEL_FAILED;
    snprintf(error->reason, sizeof error->reason, "%s", failed ? "load_failed" : "loading");
    return error_set(error, ERROR_MODEL_NOT_READY,
                     failed ? "the model could not be loaded" : "the model is being loaded");
}

/* While the model is loading work is taken; it waits. */
static bool jobs_admit(struct jobs *jobs, const struct command *command, struct error *error) {
    const struct conn *conn = command->conn;
    if (conn->server->drain.state != DRAIN_NO)
        return error_set(error, ERROR_SHUTTING_DOWN, "the daemon is ending");
    if (conn->n_commands + conn->n_unparsed > conn->server->options->max_in_flight)
        return jobs_overloaded(jobs, error, "too many requests in flight on this connection");
    if (jobs_depth(jobs) >= conn->server->options->max_queue_jobs)
        return jobs_overloaded(jobs, error, "the queue is full");
    return jobs->model == MODEL_LOADING || jobs_model_ready(jobs, command->call->model, error);
}

static bool jobs_admit_tokens(struct jobs *jobs, const struct job *job, struct error *error) {
    uint64_t queued = jobs_queued_tokens(jobs);
    const uint64_t most = jobs->server->options->max_queue_tokens;
    if (queued == 0 || queued + job->prompt_tokens <= most) return true;
    return jobs_overloaded(jobs, error, "too many prompt tokens wait in the queue");
}

/* ---- to the prep worker ---- */

static void jobs_push(struct jobs *jobs, struct job *job) {
    bool batch = job->call->spec.batch_priority;
    job->engine = jobs->engine;
    prep_push(jobs->prep, job, batch ? QUEUE_BATCH : QUEUE_INTERACTIVE);
}

static void fill_seed(struct generation_spec *spec) {
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed) seed = (uint64_t)clock_ns();
    spec->sampling.seed = seed & ((UINT64_C(1) << 53) - 1);
}

/* What the client left to the daemon. */
static void fill_spec(struct command *command) {
    struct rpc_call *call = command->call;
    if (!call->seed_given) fill_seed(&call->spec);
    if (!call->now_given) call->spec.now = time(NULL);
    call->spec.cache_owner = command->conn->uid;
    call->spec.fair_group = command->conn->serial;
}

static const struct outcome *fail_no_memory(struct command *command) {
    struct error error = {0};
    error_set(&error, ERROR_OUT_OF_MEMORY, "no memory for the request");
    return command_fail(command, &error);
}

const struct outcome *jobs_start(struct command *command, enum job_kind kind) {
    struct jobs *jobs = &command->conn->server->jobs;
    struct error error = {0};
    if (!jobs_admit(jobs, command, &error)) return command_fail(command, &error);
    struct job *job = jobs_new_job(jobs, kind, command->request);
    if (!job) return fail_no_memory(command);
    fill_spec(command);
    command_wait(command);
    job->call = command->call;
    job->command = command;
    command->job = job;
    jobs->preparing++;
    if (jobs->engine)
        jobs_push(jobs, job);
    else
        queue_push(jobs->held, &job->item, QUEUE_URGENT);
    return command_pending(command);
}

bool jobs_parse(struct jobs *jobs, struct request *request, const char *line, size_t n) {
    struct job *job = jobs_new_job(jobs, JOB_PARSE, request);
    if (!job) return false;
    job->line = malloc(n);
    if (!job->line) {
        jobs_free_job(jobs, job);
        return false;
    }
    memcpy(job->line, line, n);
    job->line_len = n;
    request->parsing = job;
    prep_push(jobs->prep, job, QUEUE_URGENT);
    return true;
}

/* ---- what comes back ---- */

static void jobs_parsed(struct jobs *jobs, struct job *job) {
    struct request *request = job->request;
    struct rpc_message *message = job->message;
    if (request->conn) {
        job->message = NULL;
        request_parsed(request, message);
    }
    jobs_free_job(jobs, job);
}

static void jobs_text(struct jobs *jobs, struct job *job) {
    struct command *command = jobs_detach(job);
    jobs->preparing--;
    if (command && job->error.code != ERROR_NONE)
        command_fail(command, &job->error);
    else if (command)
        command_reply_finished(command, &job->reply);
    jobs_free_job(jobs, job);
}

static void jobs_prepared(struct jobs *jobs, struct job *job) {
    jobs->preparing--;
    if (job->generation) job->prompt_tokens = generation_prompt_tokens(job->generation);
    if (job->command && job->generation && jobs_admit_tokens(jobs, job, &job->error)) {
        jobs->submitted++;
        jobs->submitted_tokens += job->prompt_tokens;
        command_runs(job->command);
        engine_thread_push(jobs->engine_thread, job);
        return;
    }
    struct command *command = jobs_detach(job);
    if (command) command_fail(command, &job->error);
    jobs_free_job(jobs, job);
}

static void jobs_progress(const struct event *event) {
    if (event->job->command) command_progress(event->job->command, &event->progress);
}

/* Whoever was told "cancelled" gets no other answer, even if the engine was quicker. */
static void jobs_answer_cancelled(struct job *job, struct command *command) {
    const struct generation_result *partial = NULL;
    struct error error = {0};
    generation_result(job->generation, &partial, &error);
    command_fail_cancelled(command, partial);
}

static void jobs_note_duration(struct jobs *jobs, const struct job *job) {
    const struct generation_result *result = NULL;
    struct error error = {0};
    if (!generation_result(job->generation, &result, &error)) return;
    jobs->generation_ms += (result->total_ms - jobs->generation_ms) / 8;
}

static void jobs_done(struct jobs *jobs, struct job *job) {
    bool cancelled = job->command && job->command->cancelled != CANCEL_NONE;
    struct command *command = jobs_detach(job);
    jobs->submitted--;
    jobs->submitted_tokens -= job->prompt_tokens;
    jobs_note_duration(jobs, job);
    if (command && cancelled && job->error.code == ERROR_NONE)
        jobs_answer_cancelled(job, command);
    else if (command) {
        command_count_error(command, job->error.code);
        command_reply_finished(command, &job->reply);
    }
    jobs_free_job(jobs, job);
}

/* What waited for the model goes on, or is answered why not. */
static void jobs_release_held(struct jobs *jobs) {
    struct queue_item *item;
    while ((item = queue_take(jobs->held))) {
        struct job *job = (struct job *)item;
        if (job->command && jobs_model_ready(jobs, job->call->model, &job->error)) {
            jobs_push(jobs, job);
            continue;
        }
        struct command *command = jobs_detach(job);
        jobs->preparing--;
        if (command) command_fail(command, &job->error);
        jobs_free_job(jobs, job);
    }
}

static void jobs_model(struct jobs *jobs) {
    const struct error *error;
    jobs->engine = engine_thread_engine(jobs->engine_thread, &error);
    jobs->model = jobs->engine ? MODEL_READY : MODEL_FAILED;
    jobs_release_held(jobs);
    double seconds = (double)(clock_ns() - jobs->server->started_ns) / 1e9;
    if (jobs->engine) {
        notify_manager("READY=1");
        log_info("model '%s' ready after %.3f s", engine_info(jobs->engine)->alias, seconds);
    } else {
        log_error("cannot use the model: %s", error->message);
        drain_fail(jobs->server);
    }
}

static void jobs_receive(void *user, struct event *event) {
    struct jobs *jobs = user;
    switch (event->kind) {
    case EVENT_MODEL: jobs_model(jobs); break;
    case EVENT_PARSED: jobs_parsed(jobs, event->job); break;
    case EVENT_TEXT: jobs_text(jobs, event->job); break;
    case EVENT_PREPARED: jobs_prepared(jobs, event->job); break;
    case EVENT_DONE: jobs_done(jobs, event->job); break;
    case EVENT_CHUNK:
        if (event->job->command) conn_send(event->job->command->conn, &event->line, true);
        event_free(event);
        break;
    case EVENT_PROGRESS:
        jobs_progress(event);
        event_free(event);
        break;
    }
}

/* ---- life ---- */

bool jobs_init(struct jobs *jobs, struct server *server, struct error *error) {
    *jobs = (struct jobs){.server = server, .generation_ms = 1000, .held = queue_new()};
    if (getrandom(&jobs->boot, sizeof jobs->boot, 0) != sizeof jobs->boot)
        jobs->boot = (uint32_t)clock_ns();
    jobs->settings = server->options->engine;
    jobs->settings.model_path = server->options->models[0].path;
    jobs->settings.alias = server->options->models[0].alias;
    bool started =
        jobs->held && mailbox_init(&jobs->mailbox, server->loop, jobs_receive, jobs) &&
        (jobs->prep = prep_start()) &&
        (jobs->engine_thread = engine_thread_start(&jobs->settings, &jobs->mailbox));
    return started || error_set(error, ERROR_OUT_OF_MEMORY, "cannot start the worker threads");
}

bool jobs_close(struct jobs *jobs) {
    if (jobs->outside > 0 || jobs->model == MODEL_LOADING) return false;
    prep_stop(jobs->prep);
    engine_thread_stop(jobs->engine_thread);
    mailbox_close(&jobs->mailbox);
    queue_free(jobs->held);
    return true;
}
