#include "engine/disk_thread.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

enum { STACK_BYTES = 256 * 1024 };

/* A disk that has not moved one block for so long can't be counted on. */
static const int64_t STUCK_NS = INT64_C(2) * 1000000000;
/* For a disk that only begins slowly. */
static const int64_t PATIENCE_NS = 100000000;

enum state { STATE_IDLE, STATE_GIVEN, STATE_DONE };

struct disk_thread {
    struct store *store; /* the thread's */
    void (*wake)(void *user);
    void *user;
    pthread_t thread;
    atomic_bool hurry, ending;
    atomic_int_fast64_t moved_ns; /* when the order was given, or one of its blocks was done */
    atomic_uint_fast64_t bytes;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t given, done;
    enum state state;
    bool stop, ended;
    bool orphan; /* nobody waits for the thread any more: it frees itself */
    struct disk_order *order;
};

/* ---- orders, on the thread ---- */

/* The i-th block of an order. The end of a chain counts as used before its beginning. */
static struct store_block block_of(const struct disk_order *order, uint32_t i) {
    uint32_t place = order->first + i;
    return (struct store_block){
        .key = order->keys[order->work == DISK_FETCH ? place : i],
        .tokens = order->tokens,
        .n_tokens = (place + 1) * KV_TILE,
        .owner = order->owner,
        .data = order->blocks[i]->data,
        .used_ns = order->used_ns - place * INT64_C(1000),
    };
}

static void note_moved(struct disk_thread *thread) {
    atomic_store_explicit(&thread->moved_ns, clock_ns(), memory_order_relaxed);
}

static bool too_slow(const struct disk_order *order, int64_t elapsed_ns) {
    return elapsed_ns > PATIENCE_NS && elapsed_ns > order->n_done * order->pace_ns;
}

static void fetch(struct disk_thread *thread, struct disk_order *order) {
    int64_t from = clock_ns();
    for (; order->n_done < order->n; order->n_done++) {
        struct store_block block = block_of(order, order->n_done);
        enum store_outcome outcome = store_read(thread->store, &block);
        order->rejected = outcome == STORE_REJECTED;
        if (outcome != STORE_DONE) return;
        note_moved(thread);
        order->left = atomic_load_explicit(&thread->ending, memory_order_relaxed) ||
                      too_slow(order, clock_ns() - from);
        if (!order->left) continue;
        order->n_done++;
        return;
    }
}

static void keep(struct disk_thread *thread, struct disk_order *order) {
    for (; order->n_done < order->n; order->n_done++) {
        struct store_block block = block_of(order, order->n_done);
        order->failed = store_write(thread->store, &block, &order->removed) != STORE_DONE;
        if (order->failed) break;
        note_moved(thread);
        if (atomic_load_explicit(&thread->hurry, memory_order_relaxed)) {
            order->n_done++;
            break;
        }
    }
    if (order->n_done) store_sync(thread->store);
}

static void carry_out(struct disk_thread *thread, struct disk_order *order) {
    if (order->work == DISK_FETCH) fetch(thread, order);
    else keep(thread, order);
    atomic_store_explicit(&thread->bytes, store_bytes(thread->store), memory_order_relaxed);
}

static void destroy(struct disk_thread *thread) {
    pthread_cond_destroy(&thread->given);
    pthread_cond_destroy(&thread->done);
    pthread_mutex_destroy(&thread->lock);
    free(thread);
}

void disk_order_free(struct disk_order *order) {
    free(order->blocks);
    free(order->keys);
    free(order->tokens);
    key_set_free(&order->removed);
    free(order);
}

/* Of an orphan: the pool that the blocks were from is gone. */
static void free_with_blocks(struct disk_order *order) {
    for (uint32_t i = 0; i < order->n; i++) {
        free(order->blocks[i]->memory);
        free(order->blocks[i]);
    }
    disk_order_free(order);
}

/* The last that the thread does. */
static void end(struct disk_thread *thread) {
    bool orphan = thread->orphan;
    thread->ended = true;
    pthread_cond_signal(&thread->done);
    pthread_mutex_unlock(&thread->lock);
    if (!orphan) return;
    if (thread->order) free_with_blocks(thread->order);
    store_close(thread->store);
    destroy(thread);
}

static void *run(void *user) {
    struct disk_thread *thread = user;
    store_count(thread->store);
    atomic_store_explicit(&thread->bytes, store_bytes(thread->store), memory_order_relaxed);
    pthread_mutex_lock(&thread->lock);
    while (true) {
        while (thread->state != STATE_GIVEN && !thread->stop) pthread_cond_wait(&thread->given, &thread->lock);
        if (thread->state != STATE_GIVEN) break;
        pthread_mutex_unlock(&thread->lock);
        carry_out(thread, thread->order);
        pthread_mutex_lock(&thread->lock);
        thread->state = STATE_DONE;
        pthread_cond_signal(&thread->done);
        if (thread->wake && !thread->orphan) thread->wake(thread->user);
    }
    end(thread);
    return NULL;
}

/* ---- the engine thread's side ---- */

/* Signals are the loop thread's. */
static bool start(struct disk_thread *thread) {
    pthread_attr_t attributes;
    sigset_t all, before;
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&thread->thread, &attributes, run, thread) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (started) pthread_setname_np(thread->thread, "plmd-disk");
    return started;
}

struct disk_thread *disk_thread_start(struct store *store, void (*wake)(void *user), void *user) {
    struct disk_thread *thread = calloc(1, sizeof *thread);
    pthread_condattr_t monotonic;
    if (!thread) return NULL;
    thread->store = store;
    thread->wake = wake;
    thread->user = user;
    pthread_mutex_init(&thread->lock, NULL);
    pthread_cond_init(&thread->given, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&thread->done, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (start(thread)) return thread;
    destroy(thread);
    return NULL;
}

static struct timespec after(int64_t wait_ns) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + wait_ns;
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    return until;
}

bool disk_thread_stop(struct disk_thread *thread, int64_t patience_ns) {
    struct timespec until = after(patience_ns);
    pthread_t id = thread->thread;
    atomic_store_explicit(&thread->hurry, true, memory_order_relaxed);
    atomic_store_explicit(&thread->ending, true, memory_order_relaxed);
    pthread_mutex_lock(&thread->lock);
    thread->stop = true;
    pthread_cond_signal(&thread->given);
    while (!thread->ended)
        if (pthread_cond_timedwait(&thread->done, &thread->lock, &until) != 0) break;
    bool ended = thread->ended;
    thread->orphan = !ended;
    pthread_mutex_unlock(&thread->lock); /* an orphan may be gone from here on */
    if (!ended) {
        pthread_detach(id);
        return false;
    }
    pthread_join(id, NULL);
    store_close(thread->store);
    destroy(thread);
    return true;
}

void disk_thread_give(struct disk_thread *thread, struct disk_order *order) {
    pthread_mutex_lock(&thread->lock);
    atomic_store_explicit(&thread->hurry, false, memory_order_relaxed);
    note_moved(thread);
    thread->order = order;
    thread->state = STATE_GIVEN;
    pthread_cond_signal(&thread->given);
    pthread_mutex_unlock(&thread->lock);
}

struct disk_order *disk_thread_take(struct disk_thread *thread, int64_t wait_ns) {
    struct timespec until = after(wait_ns);
    struct disk_order *order = NULL;
    pthread_mutex_lock(&thread->lock);
    while (wait_ns && thread->state == STATE_GIVEN)
        if (pthread_cond_timedwait(&thread->done, &thread->lock, &until) != 0) break;
    if (thread->state == STATE_DONE) {
        order = thread->order;
        thread->order = NULL;
        thread->state = STATE_IDLE;
    }
    pthread_mutex_unlock(&thread->lock);
    return order;
}

void disk_thread_hurry(struct disk_thread *thread) {
    atomic_store_explicit(&thread->hurry, true, memory_order_relaxed);
}

bool disk_thread_stuck(const struct disk_thread *thread) {
    return clock_ns() - atomic_load_explicit(&thread->moved_ns, memory_order_relaxed) > STUCK_NS;
}

uint64_t disk_thread_bytes(const struct disk_thread *thread) {
    return atomic_load_explicit(&thread->bytes, memory_order_relaxed);
}
