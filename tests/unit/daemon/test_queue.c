#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/queue.h"
#include "tests/support.h"

struct number {
    struct queue_item item;
    unsigned value;
};

static unsigned value_of(struct queue_item *item) {
    return ((struct number *)item)->value;
}

START_TEST(lanes_in_order) {
    struct number numbers[6] = {{.value = 0}, {.value = 1}, {.value = 2},
                                {.value = 3}, {.value = 4}, {.value = 5}};
    static const enum queue_lane lanes[6] = {QUEUE_BATCH,       QUEUE_INTERACTIVE, QUEUE_URGENT,
                                             QUEUE_INTERACTIVE, QUEUE_BATCH,       QUEUE_URGENT};
    static const unsigned wanted[6] = {2, 5, 1, 3, 0, 4};
    struct queue *queue = queue_new();
    ck_assert_ptr_null(queue_take(queue));
    for (int round = 0; round < 2; round++) { /* emptied lanes work again */
        for (size_t i = 0; i < 6; i++) queue_push(queue, &numbers[i].item, lanes[i]);
        for (size_t i = 0; i < 6; i++) {
            struct queue_item *item = i % 2 ? queue_take(queue) : queue_wait(queue);
            ck_assert_uint_eq(value_of(item), wanted[i]);
        }
        ck_assert_ptr_null(queue_take(queue));
    }
    queue_free(queue);
}
END_TEST

/* One owner's many do not keep others waiting; who comes back queues behind the round that runs. */
START_TEST(owners_take_turns) {
    struct number numbers[9];
    static const uint64_t owners[7] = {1, 1, 1, 2, 2, 3, 1};
    static const unsigned wanted[] = {0, 3, 5, 7, 1, 4, 8, 2, 6};
    struct queue *queue = queue_new();
    for (unsigned i = 0; i < 9; i++) numbers[i].value = i;
    for (size_t i = 0; i < 7; i++)
        queue_push_fair(queue, &numbers[i].item, QUEUE_INTERACTIVE, owners[i]);
    for (size_t i = 0; i < 9; i++) {
        ck_assert_uint_eq(value_of(queue_take(queue)), wanted[i]);
        if (i == 0) queue_push_fair(queue, &numbers[7].item, QUEUE_INTERACTIVE, 4);
        if (i == 2) queue_push_fair(queue, &numbers[8].item, QUEUE_INTERACTIVE, 3);
    }
    ck_assert_ptr_null(queue_take(queue));
    queue_free(queue);
}
END_TEST

static void *nudge_later(void *queue) {
    usleep(20000);
    queue_nudge(queue);
    return NULL;
}

START_TEST(nudged) {
    struct number one = {.value = 1};
    struct queue *queue = queue_new();
    pthread_t thread;
    queue_nudge(queue); /* before: it is not forgotten */
    ck_assert_ptr_null(queue_wait(queue));
    pthread_create(&thread, NULL, nudge_later, queue);
    ck_assert_ptr_null(queue_wait(queue));
    pthread_join(thread, NULL);
    queue_nudge(queue);
    queue_push(queue, &one.item, QUEUE_BATCH);
    ck_assert_ptr_eq(queue_wait(queue), &one.item); /* what is there comes first */
    ck_assert(!queue_closed(queue));
    queue_free(queue);
}
END_TEST

START_TEST(closed) {
    struct number one = {.value = 1};
    struct queue *queue = queue_new();
    ck_assert(!queue_closed(queue));
    queue_push(queue, &one.item, QUEUE_URGENT);
    queue_close(queue);
    ck_assert(queue_closed(queue));
    ck_assert_ptr_null(queue_wait(queue));
    ck_assert_ptr_eq(queue_take(queue), &one.item); /* what is left can be fetched */
    queue_free(queue);
}
END_TEST

enum { PUSHERS = 3, EACH = 20000 };

static void *push_many(void *user) {
    struct queue *queue = user;
    for (unsigned i = 0; i < EACH; i++) {
        struct number *number = malloc(sizeof *number);
        number->value = i;
        queue_push(queue, &number->item, QUEUE_INTERACTIVE);
    }
    return NULL;
}

START_TEST(many_threads) {
    struct queue *queue = queue_new();
    pthread_t threads[PUSHERS];
    uint64_t sum = 0;
    for (size_t i = 0; i < PUSHERS; i++) pthread_create(&threads[i], NULL, push_many, queue);
    for (size_t i = 0; i < (size_t)PUSHERS * EACH; i++) {
        struct queue_item *item = queue_wait(queue);
        sum += value_of(item);
        free(item);
    }
    for (size_t i = 0; i < PUSHERS; i++) pthread_join(threads[i], NULL);
    ck_assert_uint_eq(sum, (uint64_t)PUSHERS * EACH * (EACH - 1) / 2);
    ck_assert_ptr_null(queue_take(queue));
    queue_free(queue);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("queue");
    TCase *cases = tcase_create("queue");
    tcase_add_test(cases, lanes_in_order);
    tcase_add_test(cases, owners_take_turns);
    tcase_add_test(cases, nudged);
    tcase_add_test(cases, closed);
    tcase_add_test(cases, many_threads);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
