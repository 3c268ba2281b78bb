/* The pool: every piece runs exactly once, whatever the threads do, region after region. */
#include <stdatomic.h>
#include <time.h>

#include "engine/pool.h"
#include "tests/support.h"

enum { PIECES = 97 };

struct region {
    atomic_int runs[PIECES];
    int generation;
};

static void work(void *arg, size_t piece, unsigned thread) {
    struct region *region = arg;
    (void)thread;
    atomic_fetch_add(&region->runs[piece], 1);
}

START_TEST(each_piece_once) {
    struct error error = {0};
    static struct region region;
    struct pool *pool = pool_new((unsigned)_i, &error);
    ck_assert_uint_eq(pool_threads(pool), (unsigned)_i);
    for (int round = 1; round <= 3000; round++) {
        size_t n = (size_t)(round % PIECES) + 1;
        pool_run(pool, work, &region, n);
        for (size_t p = 0; p < n; p++) {
            ck_assert_int_eq(atomic_load(&region.runs[p]), 1);
            atomic_store(&region.runs[p], 0);
        }
        if (round % 500 == 0) nanosleep(&(struct timespec){0, 3000000}, NULL); /* let the workers fall asleep */
    }
    pool_free(pool);
}
END_TEST

/* ---- work that may be redone ---- */

struct redo_job {
    int *own;      /* [threads] a thread's own memory */
    int *out;      /* [PIECES] */
    int salt;
    bool late;     /* workers lose their CPU now and then */
};

static void redo_compute(const void *job, size_t piece, unsigned thread) {
    const struct redo_job *j = job;
    if (j->late && thread && piece % 5 == 0) nanosleep(&(struct timespec){0, 20000000}, NULL);
    j->own[thread] = j->salt * 1000 + (int)piece;
}

static void redo_commit(const void *job, size_t piece, unsigned thread) {
    const struct redo_job *j = job;
    j->out[piece] = j->own[thread];
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

START_TEST(late_pieces_are_done_again) {
    struct error error = {0};
    int own[6], out[PIECES];
    struct pool *pool = pool_new((unsigned)_i, &error);
    for (int late = 0; late < 2; late++) {
        double start = seconds();
        int rounds = late ? 40 : 3000;
        for (int round = 1; round <= rounds; round++) {
            struct redo_job job = {own, out, late * 10000 + round, late};
            struct pool_redo redo = {redo_compute, redo_commit, &job, sizeof job};
            size_t n = (size_t)(round % PIECES) + 1;
            pool_run_redo(pool, &redo, n);
            for (size_t p = 0; p < n; p++) ck_assert_int_eq(out[p], job.salt * 1000 + (int)p);
        }
#if !defined(__SANITIZE_THREAD__)
        /* Waiting for each sleeper would take 20 ms a round. */
        if (late) ck_assert_double_lt((seconds() - start) / rounds, 0.015);
#else
        (void)start;
#endif
    }
    pool_quiesce(pool); /* `own` goes out of scope */
    pool_free(pool);
}
END_TEST

START_TEST(idle_pool_uses_no_time) {
    struct error error = {0};
    struct region region = {0};
    struct timespec before, after;
    struct pool *pool = pool_new(4, &error);
    pool_run(pool, work, &region, 50);
    nanosleep(&(struct timespec){0, 50000000}, NULL);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    nanosleep(&(struct timespec){0, 200000000}, NULL);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    ck_assert_int_lt((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec, 5000000);
    pool_free(pool);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("pool");
    TCase *tcase = tcase_create("pool");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, each_piece_once, 1, 6);
    tcase_add_loop_test(tcase, late_pieces_are_done_again, 1, 6);
    tcase_add_test(tcase, idle_pool_uses_no_time);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
