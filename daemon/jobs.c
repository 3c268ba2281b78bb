#include "daemon/jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "daemon/log.h"
#include "daemon/notify.h"
#include "daemon/request.h"
#include "daemon/server.h"

/* ---- gauges ---- */

unsigned jobs_active(const struct jobs *jobs) {
    return models_active(&jobs->models);
}

unsigned jobs_depth(const struct jobs *jobs) {
    return jobs->preparing + models_submitted(&jobs->models) - jobs_active(jobs);
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
    if (job->model) job->model->users--;
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

static bool jobs_has_room(struct jobs *jobs, const struct command *command, struct error *error) {
    const struct conn *conn = command->conn;
    if (conn->server->drain.state != DRAIN_NO)
        return error_set(error, ERROR_SHUTTING_DOWN, "the daemon is ending");
    if (conn->n_commands + conn->n_unparsed > conn->server->options->max_in_flight)
        return jobs_overloaded(jobs, error, "too many requests in flight on this connection");
    if (jobs_depth(jobs) >= conn->server->options->max_queue_jobs)
        return jobs_overloaded(jobs, error, "the queue is full");
    return true;
}

/* The model that the command's work is for, loaded or on its way; NULL: the work is refused. */
static struct served *jobs_admit(struct jobs *jobs, const struct command *command,
                                 struct error *error) {
    struct served *model = models_find(&jobs->models, command->call->model, error);
    if (!model || !jobs_has_room(jobs, command, error)) return NULL;
    if (model->state == MODEL_UNLOADED && !models_load(&jobs->models, model, error)) return NULL;
    return model;
}

static bool jobs_admit_tokens(struct jobs *jobs, const struct job *job, struct error *error) {
    uint64_t queued = models_queued_tokens(&jobs->models);
    const uint64_t most = jobs->server->options->max_queue_tokens;
    if (queued == 0 || queued + job->prompt_tokens <= most) return true;
    return jobs_overloaded(jobs, error, "too many prompt tokens wait in the queue");
}

/* ---- to the prep worker ---- */

static void jobs_push(struct jobs *jobs, struct job *job) {
    bool batch = job->call->spec.batch_priority;
    job->engine = job->model->engine;
    prep_push(jobs->prep, job, batch ? QUEUE_BATCH : QUEUE_INTERACTIVE,
              job->call->spec.fair_group);
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
    struct served *model = jobs_admit(jobs, command, &error);
    if (!model) return command_fail(command, &error);
    struct job *job = jobs_new_job(jobs, kind, command->request);
    if (!job) return fail_no_memory(command);
    fill_spec(command);
    command_wait(command);
    job->call = command->call;
    job->command = command;
    command->job = job;
    jobs->preparing++;
    model->users++;
    job->model = model;
    if (model->engine)
        jobs_push(jobs, job);
    else
        queue_push(model->held, &job->item, QUEUE_URGENT);
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
    prep_push(jobs->prep, job, QUEUE_URGENT, request->conn->serial);
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
        job->model->submitted++;
        job->model->submitted_tokens += job->prompt_tokens;
        command_runs(job->command);
        engine_thread_push(job->model->thread, job);
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
    job->model->submitted--;
    job->model->submitted_tokens -= job->prompt_tokens;
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
static void jobs_release_held(struct jobs *jobs, struct served *model) {
    struct queue_item *item;
    while ((item = queue_take(model->held))) {
        struct job *job = (struct job *)item;
        if (job->command && models_ready(model, &job->error)) {
            jobs_push(jobs, job);
            continue;
        }
        struct command *command = jobs_detach(job);
        jobs->preparing--;
        if (command) command_fail(command, &job->error);
        jobs_free_job(jobs, job);
    }
}

/* All models that the daemon was started with must be usable; one that fails later is only not
 * there. */
static void jobs_model(struct jobs *jobs, struct served *model) {
    struct server *server = jobs->server;
    bool loaded = models_loaded(model);
    jobs_release_held(jobs, model);
    if (loaded)
        log_info("model '%s' ready after %.3f s", model->alias,
                 (double)(clock_ns() - server->started_ns) / 1e9);
    else
        log_error("cannot use the model '%s': %s", model->alias, model->error.message);
    if (loaded && engine_info(model->engine)->cache_problem)
        log_warn("nothing will be kept on disk for '%s': %s", model->alias,
                 engine_info(model->engine)->cache_problem);
    if (jobs->started || server->exit_status) return;
    if (!loaded) drain_fail(server);
    jobs->started = loaded && !models_loading(&jobs->models);
    if (jobs->started) notify_manager("READY=1");
}

/* ---- unloading ---- */

const struct outcome *jobs_unload(struct command *command) {
    struct jobs *jobs = &command->conn->server->jobs;
    struct error error = {0};
    struct buf result = {0};
    struct served *model = models_find(&jobs->models, command->call->model, &error);
    if (model && model->state == MODEL_UNLOADED) {
        buf_add_str(&result, "{\"unloaded\":false}");
        return command_reply(command, &result);
    }
    if (model && models_ready(model, &error) && model->users > 0)
        jobs_overloaded(jobs, &error, "the model has work");
    if (error.code != ERROR_NONE) return command_fail(command, &error);
    struct job *job = jobs_new_job(jobs, JOB_UNLOAD, command->request);
    if (!job) return fail_no_memory(command);
    job->command = command;
    command->job = job;
    models_unload(model, job);
    return command_pending(command);
}

static void jobs_unloaded(struct jobs *jobs, struct job *job) {
    struct served *model = job->finished.model;
    struct command *command = jobs_detach(job);
    struct buf result = {0};
    models_unloaded(model);
    log_info("model '%s' unloaded", model->alias);
    if (command) {
        buf_add_str(&result, "{\"unloaded\":true}");
        command_reply(command, &result);
    }
    jobs_free_job(jobs, job);
    if (model->users > 0 && !models_load(&jobs->models, model, &model->error))
        jobs_release_held(jobs, model);
}

static void jobs_receive(void *user, struct event *event) {
    struct jobs *jobs = user;
    switch (event->kind) {
    case EVENT_MODEL: jobs_model(jobs, event->model); break;
    case EVENT_UNLOADED: jobs_unloaded(jobs, event->job); break;
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
    *jobs = (struct jobs){.server = server, .generation_ms = 1000};
    if (getrandom(&jobs->boot, sizeof jobs->boot, 0) != sizeof jobs->boot)
        jobs->boot = (uint32_t)clock_ns();
    bool started = mailbox_init(&jobs->mailbox, server->loop, jobs_receive, jobs) &&
                   (jobs->prep = prep_start()) &&
                   models_init(&jobs->models, server->options, &jobs->mailbox);
    return started || error_set(error, ERROR_OUT_OF_MEMORY, "cannot start the worker threads");
}

bool jobs_close(struct jobs *jobs) {
    if (jobs->outside > 0 || !models_close(&jobs->models)) return false;
    prep_stop(jobs->prep);
    mailbox_close(&jobs->mailbox);
    return true;
}
