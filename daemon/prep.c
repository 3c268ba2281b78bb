#include "daemon/prep.h"

#include <stdlib.h>

#include "daemon/thread.h"

struct prep {
    struct queue *queue;
    pthread_t thread;
};

static void *prep_run(void *user) {
    struct prep *prep = user;
    struct queue_item *item;
    while ((item = queue_wait(prep->queue))) job_prepare((struct job *)item);
    return NULL;
}

struct prep *prep_start(void) {
    struct prep *prep = calloc(1, sizeof *prep);
    if (!prep) return NULL;
    prep->queue = queue_new();
    if (prep->queue && thread_start(&prep->thread, "plmd-prep", prep_run, prep)) return prep;
    queue_free(prep->queue);
    free(prep);
    return NULL;
}

void prep_push(struct prep *prep, struct job *job, enum queue_lane lane,
               uint64_t owner) {
    queue_push_fair(prep->queue, &job->item, lane, owner);
}

void prep_stop(struct prep *prep) {
    queue_close(prep->queue);
    pthread_join(prep->thread, NULL);
    queue_free(prep->queue);
    free(prep);
}
