#include "daemon/queue.h"

#include <pthread.h>
#include <stdlib.h>

struct lane {
    struct queue_item *first, **end; /* end: where the next item is linked */
    uint64_t owner, round;           /* of the item taken last */
};

struct queue {
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t filled;
    struct lane lanes[QUEUE_LANES];
    bool closed, nudged;
};

struct queue *queue_new(void) {
    struct queue *queue = calloc(1, sizeof *queue);
    if (!queue) return NULL;
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->filled, NULL);
    for (size_t i = 0; i < QUEUE_LANES; i++) queue->lanes[i].end = &queue->lanes[i].first;
    return queue;
}

void queue_free(struct queue *queue) {
    if (!queue) return;
    pthread_cond_destroy(&queue->filled);
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

static void lane_insert(struct lane *lane, struct queue_item **at, struct queue_item *item) {
    item->next = *at;
    *at = item;
    if (lane->end == at) lane->end = &item->next;
}

/* The first round in which the owner has no item yet. */
static uint64_t lane_round(const struct lane *lane, uint64_t owner) {
    uint64_t round = lane->round + (lane->owner == owner);
    for (const struct queue_item *item = lane->first; item; item = item->next)
        if (item->owner == owner && item->round >= round) round = item->round + 1;
    return round;
}

void queue_push(struct queue *queue, struct queue_item *item, enum queue_lane lane) {
    pthread_mutex_lock(&queue->lock);
    item->owner = item->round = 0;
    lane_insert(&queue->lanes[lane], queue->lanes[lane].end, item);
    pthread_cond_signal(&queue->filled);
    pthread_mutex_unlock(&queue->lock);
}

void queue_push_fair(struct queue *queue, struct queue_item *item, enum queue_lane lane,
                     uint64_t owner) {
    pthread_mutex_lock(&queue->lock);
    struct queue_item **at = &queue->lanes[lane].first;
    item->owner = owner;
    item->round = lane_round(&queue->lanes[lane], owner);
    while (*at && (*at)->round <= item->round) at = &(*at)->next;
    lane_insert(&queue->lanes[lane], at, item);
    pthread_cond_signal(&queue->filled);
    pthread_mutex_unlock(&queue->lock);
}

static struct queue_item *queue_unlink(struct queue *queue) {
    for (size_t i = 0; i < QUEUE_LANES; i++) {
        struct lane *lane = &queue->lanes[i];
        struct queue_item *item = lane->first;
        if (!item) continue;
        lane->first = item->next;
        lane->owner = item->owner;
        lane->round = item->round;
        if (!lane->first) lane->end = &lane->first;
        return item;
    }
    return NULL;
}

struct queue_item *queue_take(struct queue *queue) {
    pthread_mutex_lock(&queue->lock);
    struct queue_item *item = queue_unlink(queue);
    pthread_mutex_unlock(&queue->lock);
    return item;
}

struct queue_item *queue_wait(struct queue *queue) {
    struct queue_item *item = NULL;
    pthread_mutex_lock(&queue->lock);
    while (!queue->closed && !(item = queue_unlink(queue)) && !queue->nudged)
        pthread_cond_wait(&queue->filled, &queue->lock);
    queue->nudged = false;
    pthread_mutex_unlock(&queue->lock);
    return item;
}

void queue_nudge(struct queue *queue) {
    pthread_mutex_lock(&queue->lock);
    queue->nudged = true;
    pthread_cond_signal(&queue->filled);
    pthread_mutex_unlock(&queue->lock);
}

void queue_close(struct queue *queue) {
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_cond_broadcast(&queue->filled);
    pthread_mutex_unlock(&queue->lock);
}

bool queue_closed(struct queue *queue) {
    pthread_mutex_lock(&queue->lock);
    bool closed = queue->closed;
    pthread_mutex_unlock(&queue->lock);
    return closed;
}
