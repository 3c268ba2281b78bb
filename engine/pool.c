#include "engine/pool.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef void redo_step(const void *job, size_t piece, unsigned thread);

enum piece_state { PIECE_OPEN, PIECE_COMMITTING, PIECE_DONE };

/* A region of work is open while `ticket` holds its epoch (high half) and pieces are left (low half:
 * the next piece). Claiming is a compare-and-swap on the whole word, so a thread that is late can
 * never claim a piece of a later region with the job of an earlier one. */
struct pool {
    _Alignas(64) atomic_uint_fast64_t ticket;
    _Alignas(64) atomic_uint_fast32_t completed;
    /* The job of the open region. Plain stores happen before the ticket's release store. */
    _Alignas(64) _Atomic(pool_work *) work;
    _Atomic(void *) arg;
    atomic_uint_fast32_t n_pieces;
    /* The same for work that may be redone; `work` is NULL then. */
    _Atomic(redo_step *) compute, commit;
    atomic_uint_fast64_t job[POOL_JOB_BYTES / 8]; /* words, so that a late reader races with nobody */
    atomic_uint_fast64_t state[POOL_REDO_PIECES]; /* epoch * 4 + enum piece_state */
    _Alignas(64) _Atomic uint32_t wake; /* futex word: counts regions that sleepers should see */
    atomic_uint sleepers;
    atomic_bool stop;
    unsigned threads; /* workers + the caller */
    unsigned spin;
    struct worker {
        struct pool *pool;
        pthread_t thread;
        unsigned index;
        atomic_bool inside; /* it may be reading a job */
    } workers[];
};

enum { STACK_BYTES = 256 * 1024, SPIN_ROUNDS = 4000, LATE_ROUNDS = 150 };

/* ThreadSanitizer cannot know that a late thread's stale reads are dropped: wait for it there. */
#if defined(__SANITIZE_THREAD__)
enum { REDO = 0 };
#else
enum { REDO = 1 };
#endif

static inline void cpu_relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ volatile("yield");
#endif
}

static void futex_wait(_Atomic uint32_t *word, uint32_t seen) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void futex_wake_all(_Atomic uint32_t *word) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* Copies the job of region `epoch`; false when that region is over. */
static bool job_snapshot(struct pool *pool, uint64_t epoch, uint64_t *words, redo_step **compute,
                         redo_step **commit) {
    for (size_t i = 0; i < POOL_JOB_BYTES / 8; i++)
        words[i] = atomic_load_explicit(&pool->job[i], memory_order_acquire);
    *compute = atomic_load_explicit(&pool->compute, memory_order_acquire);
    *commit = atomic_load_explicit(&pool->commit, memory_order_acquire);
    return atomic_load_explicit(&pool->ticket, memory_order_relaxed) >> 32 == epoch;
}

/* Computes a piece and commits it unless somebody else has. */
static void piece_redo(struct pool *pool, uint64_t epoch, uint32_t piece, unsigned thread) {
    uint64_t words[POOL_JOB_BYTES / 8];
    uint_fast64_t open = epoch << 2 | PIECE_OPEN;
    redo_step *compute, *commit;
    if (!job_snapshot(pool, epoch, words, &compute, &commit)) return;
    compute(words, piece, thread);
    if (!atomic_compare_exchange_strong(&pool->state[piece], &open, epoch << 2 | PIECE_COMMITTING)) return;
    commit(words, piece, thread);
    atomic_store_explicit(&pool->state[piece], epoch << 2 | PIECE_DONE, memory_order_relaxed);
    atomic_fetch_add_explicit(&pool->completed, 1, memory_order_release);
}

/* Takes and runs pieces of the open region until none is left. */
static void pool_help(struct pool *pool, unsigned thread) {
    uint_fast64_t ticket = atomic_load_explicit(&pool->ticket, memory_order_acquire);
    for (;;) {
        uint32_t piece = (uint32_t)ticket;
        uint32_t n_pieces = (uint32_t)atomic_load_explicit(&pool->n_pieces, memory_order_relaxed);
        pool_work *work = atomic_load_explicit(&pool->work, memory_order_relaxed);
        void *arg = atomic_load_explicit(&pool->arg, memory_order_relaxed);
        if (piece >= n_pieces) return;
        /* The swap succeeds only if the region is still the one whose job was read above. */
        if (!atomic_compare_exchange_weak_explicit(&pool->ticket, &ticket, ticket + 1,
                                                   memory_order_acq_rel, memory_order_acquire))
            continue;
        if (work) {
            work(arg, piece, thread);
            atomic_fetch_add_explicit(&pool->completed, 1, memory_order_release);
        } else {
            piece_redo(pool, ticket >> 32, piece, thread);
        }
        ticket = atomic_load_explicit(&pool->ticket, memory_order_acquire);
    }
}

static bool region_open(struct pool *pool) {
    uint32_t piece = (uint32_t)atomic_load_explicit(&pool->ticket, memory_order_acquire);
    return piece < atomic_load_explicit(&pool->n_pieces, memory_order_relaxed);
}

static void worker_sleep(struct pool *pool) {
    for (unsigned i = 0; i < pool->spin; i++) {
        if (region_open(pool) || atomic_load_explicit(&pool->stop, memory_order_relaxed)) return;
        cpu_relax();
    }
    atomic_fetch_add(&pool->sleepers, 1);
    uint32_t seen = atomic_load(&pool->wake);
    if (!region_open(pool) && !atomic_load(&pool->stop)) futex_wait(&pool->wake, seen);
    atomic_fetch_sub(&pool->sleepers, 1);
}

static void *worker_main(void *arg) {
    struct worker *worker = arg;
    while (!atomic_load_explicit(&worker->pool->stop, memory_order_relaxed)) {
        atomic_store(&worker->inside, true);
        pool_help(worker->pool, worker->index);
        atomic_store(&worker->inside, false);
        worker_sleep(worker->pool);
    }
    return NULL;
}

/* Closes the ticket under a new epoch, so that nobody pairs the old ticket with the new job, which is then
 * stored; region_start opens it. Returns the epoch that the region will have. */
static uint64_t region_prepare(struct pool *pool, pool_work *work, void *arg, size_t n_pieces) {
    uint64_t epoch = (atomic_load_explicit(&pool->ticket, memory_order_relaxed) >> 32) + 1;
    atomic_store(&pool->ticket, epoch << 32 | UINT32_MAX);
    /* Release: whoever sees one of these also sees the ticket closed, and drops what it read. */
    atomic_store_explicit(&pool->completed, 0, memory_order_release);
    atomic_store_explicit(&pool->work, work, memory_order_release);
    atomic_store_explicit(&pool->arg, arg, memory_order_release);
    atomic_store_explicit(&pool->n_pieces, (uint32_t)n_pieces, memory_order_release);
    return epoch + 1;
}

static void region_start(struct pool *pool, uint64_t epoch) {
    atomic_store(&pool->ticket, epoch << 32);
    if (atomic_load(&pool->sleepers)) {
        atomic_fetch_add(&pool->wake, 1);
        futex_wake_all(&pool->wake);
    }
    pool_help(pool, 0);
}

static bool region_complete(struct pool *pool, size_t n_pieces) {
    return atomic_load_explicit(&pool->completed, memory_order_acquire) >= n_pieces;
}

void pool_run(struct pool *pool, pool_work *work, void *arg, size_t n_pieces) {
    if (pool->threads == 1 || n_pieces < 2) {
        for (size_t i = 0; i < n_pieces; i++) work(arg, i, 0);
        return;
    }
    region_start(pool, region_prepare(pool, work, arg, n_pieces));
    for (unsigned i = 1; !region_complete(pool, n_pieces); i++) {
        cpu_relax();
        if (i % SPIN_ROUNDS == 0) sched_yield(); /* whoever has the last piece may need this CPU */
    }
}

static void store_redo(struct pool *pool, const struct pool_redo *redo, uint64_t epoch, size_t n_pieces) {
    uint64_t words[POOL_JOB_BYTES / 8] = {0};
    memcpy(words, redo->job, redo->job_bytes);
    for (size_t i = 0; i < POOL_JOB_BYTES / 8; i++)
        atomic_store_explicit(&pool->job[i], words[i], memory_order_release);
    atomic_store_explicit(&pool->compute, redo->compute, memory_order_release);
    atomic_store_explicit(&pool->commit, redo->commit, memory_order_release);
    for (size_t i = 0; i < n_pieces; i++)
        atomic_store_explicit(&pool->state[i], epoch << 2 | PIECE_OPEN, memory_order_relaxed);
}

/* Does again what others have taken and not finished. */
static void redo_late(struct pool *pool, uint64_t epoch, size_t n_pieces) {
    for (size_t i = 0; i < n_pieces && !region_complete(pool, n_pieces); i++)
        if (atomic_load_explicit(&pool->state[i], memory_order_relaxed) == (epoch << 2 | PIECE_OPEN))
            piece_redo(pool, epoch, (uint32_t)i, 0);
}

void pool_run_redo(struct pool *pool, const struct pool_redo *redo, size_t n_pieces) {
    if (pool->threads == 1 || n_pieces < 2 || n_pieces > POOL_REDO_PIECES) {
        for (size_t i = 0; i < n_pieces; i++) {
            redo->compute(redo->job, i, 0);
            redo->commit(redo->job, i, 0);
        }
        return;
    }
    uint64_t epoch = region_prepare(pool, NULL, NULL, n_pieces);
    store_redo(pool, redo, epoch, n_pieces);
    region_start(pool, epoch);
    for (unsigned i = 1; !region_complete(pool, n_pieces); i++) {
        cpu_relax();
        if (REDO && i % LATE_ROUNDS == 0) redo_late(pool, epoch, n_pieces);
        if (i % SPIN_ROUNDS == 0) sched_yield(); /* one was caught between claim and commit */
    }
}

void pool_quiesce(struct pool *pool) {
    for (unsigned i = 1; i < pool->threads; i++)
        while (atomic_load(&pool->workers[i - 1].inside)) sched_yield();
}

/* Workers must not take the signals that the program's main thread handles. */
static bool worker_start(struct worker *worker) {
    pthread_attr_t attr;
    sigset_t all, old;
    if (pthread_attr_init(&attr)) return false;
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(&worker->thread, &attr, worker_main, worker);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    return !failed;
}

struct pool *pool_new(unsigned threads, struct error *error) {
    struct pool *pool;
    size_t size = sizeof *pool + (threads - 1) * sizeof *pool->workers;
    if (posix_memalign((void **)&pool, 64, size)) {
        error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a pool of threads");
        return NULL;
    }
    *pool = (struct pool){.threads = 1, .spin = SPIN_ROUNDS};
    for (unsigned i = 1; i < threads; i++) {
        struct worker *worker = &pool->workers[i - 1];
        *worker = (struct worker){.pool = pool, .index = i};
        if (!worker_start(worker)) {
            error_set(error, ERROR_OUT_OF_MEMORY, "cannot start compute thread number %u", i);
            pool_free(pool);
            return NULL;
        }
        pool->threads++;
    }
    return pool;
}

void pool_free(struct pool *pool) {
    if (!pool) return;
    atomic_store(&pool->stop, true);
    atomic_fetch_add(&pool->wake, 1);
    futex_wake_all(&pool->wake);
    for (unsigned i = 1; i < pool->threads; i++) pthread_join(pool->workers[i - 1].thread, NULL);
    free(pool);
}

unsigned pool_threads(const struct pool *pool) {
    return pool->threads;
}
