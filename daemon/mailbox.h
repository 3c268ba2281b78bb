/* mailbox: what the other threads tell the loop thread.
 *
 * Any thread posts events; the loop is woken by ev_async and takes them in the order they were
 * posted. An event belongs to its job (events that end a stage of a job: one at a time) or was
 * allocated for the purpose (chunks and progress); see event_free.
 */
#ifndef DAEMON_MAILBOX_H
#define DAEMON_MAILBOX_H

#include <ev.h>

#include "base/buf.h"
#include "base/generation.h"
#include "daemon/queue.h"

enum event_kind {
    EVENT_MODEL,    /* model is loaded, or can't be; no job */
    EVENT_UNLOADED, /* model is not there any more; job */
    EVENT_PARSED,   /* job->message */
    EVENT_TEXT,     /* job->reply or job->error: finished */
    EVENT_PREPARED, /* job->generation or job->error */
    EVENT_CHUNK,    /* line */
    EVENT_PROGRESS, /* progress */
    EVENT_DONE,     /* job->reply: finished */
};

struct job;
struct served;
struct event {
    struct queue_item item; /* first: an item is its event */
    enum event_kind kind;
    struct job *job;
    struct served *model; /* of the two events that are about one */
    struct buf line;
    struct generation_progress progress; /* its texts are static */
};

struct mailbox {
    struct queue *queue;
    struct ev_loop *loop;
    ev_async arrived;
};

/* receive is called on the loop thread for every event, which is then the receiver's. */
bool mailbox_init(struct mailbox *mailbox, struct ev_loop *loop,
                  void (*receive)(void *user, struct event *event), void *user);
void mailbox_close(struct mailbox *mailbox); /* no thread may post any more; drops what is left */

void mailbox_post(struct mailbox *mailbox, struct event *event); /* any thread */
/* An event of its own. NULL: out of memory. */
struct event *event_new(enum event_kind kind, struct job *job);
void event_free(struct event *event); /* one made by event_new */

#endif
