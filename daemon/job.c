#include "daemon/job.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct job *job_new(enum job_kind kind, struct mailbox *mailbox) {
    struct job *job = calloc(1, sizeof *job);
    if (!job) return NULL;
    job->kind = kind;
    job->mailbox = mailbox;
    job->finished.job = job;
    return job;
}

void job_free(struct job *job) {
    if (job->generation) generation_free(job->generation);
    rpc_message_free(job->message);
    buf_free(&job->reply);
    free(job->line);
    free(job);
}

void job_finish(struct job *job, enum event_kind kind) {
    job->finished.kind = kind;
    mailbox_post(job->mailbox, &job->finished);
}

/* ---- generation events, on the engine thread ---- */

static void job_chunk(void *user, const struct generation_chunk *chunk) {
    struct job *job = user;
    if (atomic_load_explicit(&job->abandoned, memory_order_relaxed)) return;
    struct event *event = event_new(EVENT_CHUNK, job);
    if (!event) return; /* a gap in seq, as for a slow reader */
    notify_token(&event->line, job->call->id, chunk);
    mailbox_post(job->mailbox, event);
}

static void job_progress(void *user, const struct generation_progress *progress) {
    struct job *job = user;
    if (atomic_load_explicit(&job->abandoned, memory_order_relaxed)) return;
    struct event *event = event_new(EVENT_PROGRESS, job);
    if (!event) return;
    event->progress = *progress;
    mailbox_post(job->mailbox, event);
}

static void job_reply(struct job *job) {
    const struct generation_result *result = NULL;
    char ids[32];
    snprintf(ids, sizeof ids, "%08" PRIx32 "%" PRIx64, job->boot, job->serial);
    if (generation_result(job->generation, &result, &job->error))
        reply_generation(&job->reply, job->call->id, result, engine_info(job->engine)->alias, ids);
    else reply_error(&job->reply, job->call->id, &job->error, result);
}

static void job_done(void *user) {
    struct job *job = user;
    if (!atomic_load_explicit(&job->abandoned, memory_order_relaxed)) job_reply(job);
    job_finish(job, EVENT_DONE);
}

static const struct generation_events events = {job_chunk, job_progress, job_done};

void job_submit(struct job *job, struct engine *engine) {
    engine_submit(engine, job->generation);
}

/* ---- stages on the prep worker ---- */

static void job_tokenize(struct job *job) {
    const struct rpc_call *call = job->call;
    uint32_t *tokens = NULL;
    size_t n = 0;
    if (!engine_tokenize(job->engine, call->input, call->add_special, call->parse_special, &tokens,
                         &n, &job->error))
        return;
    reply_tokens(&job->reply, call->id, tokens, n);
    free(tokens);
}

/* detokenize and render answer with a text. */
static void job_reply_text(struct job *job, const char *member, struct buf *text, bool made) {
    struct text view = {text->bytes ? text->bytes : "", text->len};
    if (made && text->failed)
        error_set(&job->error, ERROR_OUT_OF_MEMORY, "no memory for the text");
    else if (made)
        reply_text(&job->reply, job->call->id, member, view);
    buf_free(text);
}

static void job_detokenize(struct job *job) {
    struct buf text = {0};
    bool made =
        engine_detokenize(job->engine, &text, job->call->tokens, job->call->n_tokens, &job->error);
    job_reply_text(job, "text", &text, made);
}

static void job_render(struct job *job) {
    struct buf text = {0};
    bool made = engine_render(job->engine, &text, &job->call->spec, &job->error);
    job_reply_text(job, "prompt", &text, made);
}

static void job_count(struct job *job) {
    uint64_t tokens = 0;
    char result[48];
    if (!engine_count(job->engine, &tokens, &job->call->spec, &job->error)) return;
    int n = snprintf(result, sizeof result, "{\"tokens\":%" PRIu64 "}", tokens);
    reply_raw(&job->reply, job->call->id, result, (size_t)n);
}

static void job_check_schema(struct job *job) {
    struct schema_verdict verdict;
    if (engine_check_schema(job->engine, &verdict, &job->call->question, &job->error))
        reply_verdict(&job->reply, job->call->id, &verdict);
    free(verdict.unsupported);
}

static void job_text(struct job *job) {
    switch (job->call->method) {
    case METHOD_TOKENIZE: job_tokenize(job); break;
    case METHOD_DETOKENIZE: job_detokenize(job); break;
    case METHOD_RENDER: job_render(job); break;
    case METHOD_COUNT: job_count(job); break;
    case METHOD_SCHEMA_CHECK: job_check_schema(job); break;
    default: error_set(&job->error, ERROR_INTERNAL, "not a text method");
    }
}

void job_prepare(struct job *job) {
    bool wanted = !atomic_load_explicit(&job->abandoned, memory_order_relaxed);
    switch (job->kind) {
    case JOB_PARSE:
        if (wanted) job->message = rpc_parse(job->line, job->line_len);
        job_finish(job, EVENT_PARSED);
        break;
    case JOB_TEXT:
        if (wanted) job_text(job);
        job_finish(job, EVENT_TEXT);
        break;
    case JOB_GENERATION:
        if (wanted)
            job->generation =
                generation_new(job->engine, &job->call->spec, &events, job, &job->error);
        job_finish(job, EVENT_PREPARED);
        break;
    case JOB_UNLOAD: break; /* the engine thread's */
    }
}
