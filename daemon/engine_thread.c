#include "daemon/engine_thread.h"

#include <stdlib.h>

#include "daemon/thread.h"

struct engine_thread {
    struct queue *queue;
    pthread_t thread;
    struct mailbox *mailbox;
    const struct engine_settings *settings;
    struct event loaded;
    struct engine *engine; /* written before EVENT_MODEL is posted, constant then */
    struct error error;
};

static void engine_thread_unload(struct engine_thread *thread, struct job *job) {
    engine_free(thread->engine);
    thread->engine = NULL;
    job_finish(job, EVENT_UNLOADED);
}

/* New work is taken between two steps, so that it joins the next batch. Without any, the thread sleeps
 * until there is some, or the engine has heard from its disk. */
static void engine_thread_serve(struct engine_thread *thread) {
    bool busy = false;
    while (!queue_closed(thread->queue)) {
        struct queue_item *item = busy ? queue_take(thread->queue) : queue_wait(thread->queue);
        struct job *job = (struct job *)item;
        if (job && job->kind == JOB_UNLOAD) {
            engine_thread_unload(thread, job);
            return;
        }
        if (job) job_submit(job, thread->engine);
        busy = item || (!queue_closed(thread->queue) && engine_step(thread->engine));
    }
}

static void engine_thread_wake(void *user) {
    struct engine_thread *thread = user;
    queue_nudge(thread->queue);
}

static void *engine_thread_run(void *user) {
    struct engine_thread *thread = user;
    struct engine_settings settings = *thread->settings;
    settings.wake = engine_thread_wake;
    settings.wake_user = thread;
    thread->engine = engine_new(&settings, &thread->error);
    mailbox_post(thread->mailbox, &thread->loaded);
    if (thread->engine) engine_thread_serve(thread);
    return NULL;
}

struct engine_thread *engine_thread_start(const struct engine_settings *settings,
                                          struct mailbox *mailbox, struct served *model) {
    struct engine_thread *thread = calloc(1, sizeof *thread);
    if (!thread) return NULL;
    thread->queue = queue_new();
    thread->mailbox = mailbox;
    thread->settings = settings;
    thread->loaded.kind = EVENT_MODEL;
    thread->loaded.model = model;
    if (thread->queue && thread_start(&thread->thread, "plmd-engine", engine_thread_run, thread))
        return thread;
    queue_free(thread->queue);
    free(thread);
    return NULL;
}

const struct engine *engine_thread_engine(const struct engine_thread *thread,
                                          const struct error **error) {
    *error = &thread->error;
    return thread->engine;
}

void engine_thread_push(struct engine_thread *thread, struct job *job) {
    queue_push(thread->queue, &job->item, QUEUE_URGENT);
}

void engine_thread_stop(struct engine_thread *thread) {
    queue_close(thread->queue);
    pthread_join(thread->thread, NULL);
    if (thread->engine) engine_free(thread->engine);
    queue_free(thread->queue);
    free(thread);
}
