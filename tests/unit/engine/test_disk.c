/* Engines that keep computed KV on disk answer as one that does not: one after another on a directory
 * whose files are damaged in between, on a disk that hangs, and on a slow one. */
#include <dirent.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "tests/unit/engine/runs.h"

static char disk_dir[64];

static void disk_begin(void) {
    strcpy(disk_dir, "/tmp/plm-schedule-kv-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(disk_dir));
}

static void disk_end(void) {
    char command[128] = "rm -r ";
    ck_assert_int_eq(system(strcat(command, disk_dir)), 0);
}

/* Some file of the cache directory: a bit flipped, its end cut off, or gone. */
static void damage(unsigned *random) {
    char path[600], folder[300] = "";
    DIR *list = opendir(disk_dir);
    for (struct dirent *entry; (entry = readdir(list));)
        if (entry->d_name[0] != '.') snprintf(folder, sizeof folder, "%s/%.64s", disk_dir, entry->d_name);
    closedir(list);
    list = opendir(folder);
    for (struct dirent *entry; (entry = readdir(list));) {
        if (entry->d_name[0] == '.' || below(random, 2)) continue;
        snprintf(path, sizeof path, "%s/%.64s", folder, entry->d_name);
        int fd = open(path, O_RDWR);
        off_t size = lseek(fd, 0, SEEK_END), at = (off_t)below(random, (unsigned)size);
        unsigned char byte = 0;
        unsigned how = below(random, 3);
        if (how == 0) ck_assert_int_eq(unlink(path), 0);
        if (how == 1) ck_assert_int_eq(ftruncate(fd, at), 0);
        if (how == 2) ck_assert(pread(fd, &byte, 1, at) == 1 && (byte ^= 1) < 256 && pwrite(fd, &byte, 1, at) == 1);
        close(fd);
    }
    closedir(list);
}

static struct engine *open_with_disk(const char *path, uint64_t kv_bytes, uint64_t cache_bytes) {
    struct error error = {0};
    struct engine_settings settings = {.model_path = path, .threads = 1, .kv_bytes = kv_bytes, .n_ctx = TINY_CONTEXT,
                                       .cache_dir = disk_dir, .cache_bytes = cache_bytes};
    struct engine *engine = engine_new(&settings, &error);
    ck_assert_msg(engine != NULL, "%s", error.message);
    ck_assert_ptr_null(engine_info(engine)->cache_problem);
    return engine;
}

/* Engine after engine on one directory, whose files are damaged in between; little memory, so that
 * blocks come and go while others are computed, or a small budget on the disk. */
START_TEST(across_restarts) {
    static const struct { unsigned blocks, files; } settings[] = {{400, 1000}, {16, 1000}, {24, 12}, {12, 1000}};
    struct engine *reference = open_reference(tiny_path, TINY_CONTEXT);
    struct engine_stats stats;
    uint64_t read = 0, rejected = 0;
    unsigned random = (unsigned)_i + 1;
    for (unsigned life = 0; life < 6; life++) {
        struct engine *engine = open_with_disk(tiny_path, settings[_i].blocks * BLOCK_BYTES,
                                               settings[_i].files * (BLOCK_BYTES + 512));
        check_rounds(engine, reference, tiny_request, 60, 3, (unsigned)_i * 10 + life);
        engine_stats(engine, &stats);
        read += stats.disk_read_blocks;
        rejected += stats.disk_rejected_blocks;
        ck_assert_uint_eq(stats.disk_failed_writes, 0);
        engine_free(engine);
        damage(&random);
    }
    if (settings[_i].blocks == 400) { /* with less memory it depends on who was faster */
        ck_assert_uint_gt(read, 2);
        ck_assert_uint_gt(rejected, 0);
    }
    engine_free(reference);
}
END_TEST

/* ---- with a disk that hangs ---- */

static atomic_bool hangs;
static atomic_uint slow_us; /* for each block */

/* readv and writev in place of libc's: only the store calls them. */
static ssize_t move_unless(long number, int fd, const struct iovec *parts, int n) {
    while (atomic_load(&hangs)) usleep(1000);
    usleep(atomic_load(&slow_us));
    return syscall(number, fd, parts, n);
}

ssize_t readv(int fd, const struct iovec *parts, int n) {
    return move_unless(SYS_readv, fd, parts, n);
}

ssize_t writev(int fd, const struct iovec *parts, int n) {
    return move_unless(SYS_writev, fd, parts, n);
}

static double seconds_of(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Text of at most max_tokens tokens after 38 that begin with `first`. */
static void pinned_request(struct request *request, char first, uint32_t max_tokens) {
    tiny_request(request, 27);
    request->prompt[0] = first;
    request->spec.format = FORMAT_TEXT;
    request->spec.max_tokens = max_tokens;
    request->spec.cache_store = request->spec.cache_pin = true;
}

/* As the reference answers, within so many seconds, and without spinning. */
static void check_answer(struct engine *engine, struct engine *reference, const struct request *request,
                         double within) {
    struct buf expected = alone(reference, request), got = {0};
    double from = seconds_of(CLOCK_MONOTONIC), cpu = seconds_of(CLOCK_THREAD_CPUTIME_ID);
    struct run run;
    engine->has_wake = true; /* a step without a request does not wait */
    prepare(&run, engine, request);
    engine_submit(engine, run.generation);
    while (!run.done) engine_step(engine);
    ck_assert_double_lt(seconds_of(CLOCK_MONOTONIC) - from, within);
    ck_assert_double_lt(seconds_of(CLOCK_THREAD_CPUTIME_ID) - cpu, 0.5);
    ck_assert(conclude(&run, &got));
    ck_assert_str_eq(got.bytes, expected.bytes);
    buf_free(&got);
    buf_free(&expected);
}

static void free_hanging(struct engine *engine) {
    double from = seconds_of(CLOCK_MONOTONIC);
    engine_free(engine);
    ck_assert_double_lt(seconds_of(CLOCK_MONOTONIC) - from, 6);
    atomic_store(&hangs, false);
    usleep(300000); /* its thread frees itself */
}

START_TEST(reads_hang) {
    struct engine *reference = open_reference(tiny_path, TINY_CONTEXT);
    struct request request;
    pinned_request(&request, 'a', 20);
    struct engine *engine = open_with_disk(tiny_path, 100 * BLOCK_BYTES, 1 << 20);
    check_answer(engine, reference, &request, 6);
    engine_free(engine);
    atomic_store(&hangs, true);
    engine = open_with_disk(tiny_path, 100 * BLOCK_BYTES, 1 << 20);
    check_answer(engine, reference, &request, 6);
    check_answer(engine, reference, &request, 1);
    free_hanging(engine);
    engine_free(reference);
}
END_TEST

/* What the disk was lent is needed. */
START_TEST(writes_hang) {
    enum { BLOCKS = 5 };
    struct engine *reference = open_reference(tiny_path, TINY_CONTEXT);
    struct engine *engine = open_with_disk(tiny_path, BLOCKS * BLOCK_BYTES, 1 << 20);
    struct request small, large;
    pinned_request(&small, 'a', 50);
    pinned_request(&large, 'b', 57);
    atomic_store(&hangs, true);
    check_answer(engine, reference, &small, 6);
    for (int i = 0; i < 3; i++) engine_step(engine);
    ck_assert_uint_eq(disk_blocks_lent(engine->disk), 2);
    check_answer(engine, reference, &large, 6);
    if (_i) {
        atomic_store(&hangs, false);
        while (disk_working(engine->disk)) engine_step(engine);
        check_answer(engine, reference, &small, 1);
        ck_assert(engine->kv.max_blocks == BLOCKS && engine->kv.n_blocks <= BLOCKS);
    }
    free_hanging(engine);
    engine_free(reference);
}
END_TEST

/* It takes longer to read than to compute: what came in a moment is used. */
START_TEST(reads_are_slow) {
    struct engine *reference = open_reference(tiny_path, TINY_CONTEXT);
    struct request request;
    pinned_request(&request, 'a', 4);
    for (int i = 0; i < 80; i++) request.prompt[i] = "abcde"[i * i % 5];
    request.prompt[80] = '\0';
    request.spec.text = text_of(request.prompt);
    for (int life = 0; life < 3; life++) {
        struct engine *engine = open_with_disk(tiny_path, 100 * BLOCK_BYTES, 1 << 20);
        struct engine_stats stats;
        atomic_store(&slow_us, life == 1 ? 150000 : 0);
        check_answer(engine, reference, &request, 2);
        engine_stats(engine, &stats);
        ck_assert_uint_eq(stats.disk_read_blocks, life == 0 ? 0 : life == 1 ? 1 : 2);
        ck_assert_uint_eq(stats.disk_rejected_blocks, 0);
        engine_free(engine);
    }
    engine_free(reference);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("disk");
    TCase *disk = tcase_create("disk");
    tcase_set_timeout(disk, 300);
    tcase_add_checked_fixture(disk, write_tiny, remove_tiny);
    tcase_add_checked_fixture(disk, disk_begin, disk_end);
    tcase_add_loop_test(disk, across_restarts, 0, 4);
    tcase_add_test(disk, reads_hang);
    tcase_add_test(disk, reads_are_slow);
    tcase_add_loop_test(disk, writes_hang, 0, 2);
    suite_add_tcase(suite, disk);
    return run_suite(suite);
}
