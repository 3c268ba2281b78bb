#include "daemon/mailbox.h"

#include <stdlib.h>

/* What ev_async's data points to. */
struct receiver {
    struct mailbox *mailbox;
    void (*receive)(void *user, struct event *event);
    void *user;
};

static void mailbox_arrived(struct ev_loop *loop, ev_async *watcher, int revents) {
    (void)loop, (void)revents;
    struct receiver *receiver = watcher->data;
    struct queue_item *item;
    while ((item = queue_take(receiver->mailbox->queue)))
        receiver->receive(receiver->user, (struct event *)item);
}

bool mailbox_init(struct mailbox *mailbox, struct ev_loop *loop,
                  void (*receive)(void *user, struct event *event), void *user) {
    struct receiver *receiver = calloc(1, sizeof *receiver);
    mailbox->queue = queue_new();
    mailbox->loop = loop;
    if (!receiver || !mailbox->queue) {
        free(receiver);
        queue_free(mailbox->queue);
        return false;
    }
    *receiver = (struct receiver){mailbox, receive, user};
    ev_async_init(&mailbox->arrived, mailbox_arrived);
    mailbox->arrived.data = receiver;
    ev_async_start(loop, &mailbox->arrived);
    return true;
}

void mailbox_close(struct mailbox *mailbox) {
    ev_async_stop(mailbox->loop, &mailbox->arrived);
    struct queue_item *item;
    while ((item = queue_take(mailbox->queue))) {
        struct event *event = (struct event *)item;
        if (event->kind == EVENT_CHUNK || event->kind == EVENT_PROGRESS) event_free(event);
    }
    free(mailbox->arrived.data);
    queue_free(mailbox->queue);
}

void mailbox_post(struct mailbox *mailbox, struct event *event) {
    queue_push(mailbox->queue, &event->item, QUEUE_URGENT);
    ev_async_send(mailbox->loop, &mailbox->arrived);
}

struct event *event_new(enum event_kind kind, struct job *job) {
    struct event *event = calloc(1, sizeof *event);
    if (event) *event = (struct event){.kind = kind, .job = job};
    return event;
}

void event_free(struct event *event) {
    buf_free(&event->line);
    free(event);
}
