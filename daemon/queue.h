/* queue: items handed from one thread to another.
 *
 * Intrusive and unbounded: whoever pushes owns the item and bounds how many there are. Lanes are
 * served in order: an item of a later lane waits while an earlier lane holds anything. Within a
 * lane items come in the order they were pushed, or, with queue_push_fair, owners take turns: each
 * round has one item of each owner. All functions are safe from any thread. The lock is held for a
 * few pointer moves, with queue_push_fair for a look at each item of the lane.
 */
#ifndef DAEMON_QUEUE_H
#define DAEMON_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue_item {
    struct queue_item *next;
    uint64_t owner, round; /* the queue's own */
};

enum queue_lane { QUEUE_URGENT, QUEUE_INTERACTIVE, QUEUE_BATCH, QUEUE_LANES };

struct queue;
struct queue *queue_new(void);        /* NULL: out of memory */
void queue_free(struct queue *queue); /* items still in it are not touched */

void queue_push(struct queue *queue, struct queue_item *item, enum queue_lane lane);
/* Before what others' later rounds hold; a lane has only items pushed so, or none. */
void queue_push_fair(struct queue *queue, struct queue_item *item, enum queue_lane lane,
                     uint64_t owner);
/* The next item; NULL when there is none at the moment. */
struct queue_item *queue_take(struct queue *queue);
/* Sleeps until there is an item. NULL when the queue is closed, at once even if it holds items, or
 * nudged. */
struct queue_item *queue_wait(struct queue *queue);
/* Lets the thread that sleeps in queue_wait go once, or whoever comes there next (unless for an item). */
void queue_nudge(struct queue *queue);
/* No more waiting: the thread that sleeps in queue_wait is let go. */
void queue_close(struct queue *queue);
bool queue_closed(struct queue *queue);

#endif
