/* Whatever company a generation has, it answers as it does alone: submitted together in any order,
 * others cancelled at random steps, with so little KV memory that the cache is evicted all the
 * time, with one thread or two, with drafts where alone there were none. And
 * groups take turns. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "engine/generation.h"
#include "tests/support.h"
#include "tests/unit/engine/model_builder.h"

enum { MAX_REQUESTS = 64, TINY_CONTEXT = 96 };
enum { BLOCK_BYTES = LAYERS * HEADS_KV * 2 * KV_TILE * HEAD_DIM * 2 };

/* ---- requests ------------------------------------------------------------------------------ */

struct request {
    struct generation_spec spec;
    char prompt[256];
    struct message message;
    struct message_part part;
};

static struct text text_of(const char *s) {
    return (struct text){s, strlen(s)};
}

static unsigned below(unsigned *state, unsigned n) {
    return next_random(state) % n;
}

static void sample(struct request *request, unsigned i) {
    static const struct logit_bias bias = {.token = 261, .bias = 1.5f};
    struct sampling *s = &request->spec.sampling;
    *s = (struct sampling){
        .temperature = i % 2 ? 1 : 0, .top_p = 1, .typical_p = 1, .repeat_penalty = 1};
    s->seed = i;
    if (i % 5 == 1) s->top_k = 20, s->repeat_penalty = 1.3f;
    if (i % 7 == 1) s->bias = &bias, s->n_bias = 1;
    if (i % 3 == 1) s->want_logprobs = true, s->logprobs = 2;
}

static const char object_schema[] = "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":"
                                    "\"integer\"},\"b\":{\"type\":\"string\",\"maxLength\":5}},"
                                    "\"required\":[\"a\",\"b\"]}";

/* For the tiny model: texts of 1 to 50 tokens that begin alike, free or under a grammar. */
static void tiny_request(struct request *request, unsigned i) {
    static const char beginning[] = "abcdeabcaabbccddeeabcdeabcdabcababacada";
    *request = (struct request){0};
    snprintf(request->prompt, sizeof request->prompt, "%.*s%u", (int)(i * 7 % 38), beginning,
             i % 11);
    struct generation_spec *spec = &request->spec;
    *spec = (struct generation_spec){.source = PROMPT_TEXT, .text = text_of(request->prompt)};
    spec->format = i % 4 == 3 ? FORMAT_JSON_SCHEMA : FORMAT_TEXT;
    spec->format_schema = text_of(object_schema);
    spec->choice = CHOICE_NONE;
    spec->max_tokens = i % 4 == 3 ? 40 : 1 + i * 5 % 40;
    spec->stream = i % 2;
    spec->cache_store = i % 6 != 0;
    spec->cache_pin = i % 8 == 5;
    spec->cache_owner = i % 13 == 0;
    sample(request, i);
}

/* For the real one: two tools, several questions. */
static void real_request(struct request *request, unsigned i) {
    static struct tool tools[2];
    static const char *const questions[] = {"What is the weather in Oslo?", "Delete 12 files.",
                                            "Hello!"};
    tools[0] = (struct tool){
        text_of("get_weather"), text_of("The weather of a city"),
        text_of("{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}},"
                "\"required\":[\"city\"]}")};
    tools[1] = (struct tool){
        text_of("remove"), text_of("Removes files"),
        text_of("{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"}}}")};
    *request = (struct request){.part = {text_of(questions[i % 3]), false}};
    request->message = (struct message){.role = ROLE_USER, .parts = &request->part, .n_parts = 1};
    struct generation_spec *spec = &request->spec;
    *spec = (struct generation_spec){
        .source = PROMPT_MESSAGES, .messages = &request->message, .n_messages = 1};
    spec->tools = tools;
    spec->n_tools = 1 + i % 2;
    spec->choice = i % 3 == 2 ? CHOICE_AUTO : CHOICE_REQUIRED;
    spec->max_calls = 1;
    spec->max_tokens = 48;
    spec->stream = i % 2;
    spec->cache_store = true;
    sample(request, i);
}

/* ---- running them --------------------------------------------------------------------------- */

static uint64_t drafted, accepted; /* by the generations so far */

struct run {
    const struct request *request;
    struct generation *generation;
    struct buf streamed;
    uint64_t next_seq;
    bool done;
};

static void on_chunk(void *user, const struct generation_chunk *chunk) {
    struct run *run = user;
    ck_assert(!run->done);
    ck_assert_uint_eq(chunk->seq, run->next_seq++);
    buf_add(&run->streamed, chunk->text.bytes, chunk->text.len);
}

static void on_done(void *user) {
    struct run *run = user;
    ck_assert(!run->done);
    run->done = true;
}

static const struct generation_events events = {on_chunk, NULL, on_done};

static void prepare(struct run *run, struct engine *engine, const struct request *request) {
    struct error error = {0};
    *run = (struct run){.request = request};
    run->generation = generation_new(engine, &request->spec, &events, run, &error);
    ck_assert_msg(run->generation != NULL, "%s", error.message);
}

/* What must be the same in any company, as text: all but what was cached or drafted, and the passes
 * that this saved. */
static void describe(struct buf *out, const struct generation_result *r) {
    buf_printf(
        out, "finish %d, %" PRIu64 " + %" PRIu64 " (%" PRIu64 " forced) tokens:", r->finish,
        r->prompt_tokens, r->completion_tokens, r->forced_tokens);
    drafted += r->drafted_tokens;
    accepted += r->accepted_tokens;
    ck_assert_uint_le(r->accepted_tokens, r->drafted_tokens);
    if (r->content.bytes) buf_add(out, r->content.bytes, r->content.len);
    for (size_t i = 0; i < r->n_calls; i++) {
        buf_printf(out, " call %.*s ", (int)r->calls[i].name.len, r->calls[i].name.bytes);
        buf_add(out, r->calls[i].arguments.bytes, r->calls[i].arguments.len);
    }
    for (size_t i = 0; i < r->n_logprobs; i++)
        buf_printf(out, " %u:%a", r->logprobs[i].token, (double)r->logprobs[i].logprob);
    buf_add_char(out, '\0');
}

/* Adds the description of a finished run; false if it was cancelled. Frees the run. */
static bool conclude(struct run *run, struct buf *out) {
    const struct generation_result *result;
    struct error error = {0};
    ck_assert(run->done);
    bool good = generation_result(run->generation, &result, &error);
    if (good) {
        describe(out, result);
        if (run->request->spec.stream && !run->request->spec.n_tools)
            ck_assert(run->streamed.len == result->content.len &&
                      (!result->content.len ||
                       !memcmp(run->streamed.bytes, result->content.bytes, result->content.len)));
    } else {
        ck_assert_msg(error.code == ERROR_CANCELLED, "%d %s", error.code, error.message);
    }
    generation_free(run->generation);
    buf_free(&run->streamed);
    return good;
}

static struct buf alone(struct engine *engine, const struct request *request) {
    struct buf out = {0};
    struct run run;
    prepare(&run, engine, request);
    engine_submit(engine, run.generation);
    while (engine_step(engine)) {
    }
    ck_assert(conclude(&run, &out));
    return out;
}

/* All of them in a random order, a few at once at first, others on the way; each is cancelled with
 * this chance. */
static void together(struct engine *engine, struct run *runs, size_t n, unsigned *random,
                     unsigned cancel_percent) {
    struct run *order[MAX_REQUESTS];
    for (size_t i = 0; i < n; i++) order[i] = &runs[i];
    for (size_t i = n; i > 1; i--) {
        size_t j = below(random, (unsigned)i);
        struct run *swapped = order[i - 1];
        order[i - 1] = order[j];
        order[j] = swapped;
    }
    for (size_t sent = 0, more = 1; sent < n || more;) {
        for (unsigned burst = below(random, 8); burst && sent < n; burst--)
            engine_submit(engine, order[sent++]->generation);
        if (sent && below(random, 100) < cancel_percent)
            generation_cancel(order[below(random, (unsigned)sent)]->generation, CANCEL_CLIENT);
        more = engine_step(engine);
    }
}

static struct engine *new_engine(const struct engine_settings *settings) {
    struct error error = {0};
    struct engine *engine = engine_new(settings, &error);
    ck_assert_msg(engine != NULL, "%s", error.message);
    return engine;
}

static struct engine *open_engine(const char *path, unsigned threads, uint64_t kv_bytes,
                                  unsigned max_active, unsigned batch_rows, uint32_t n_ctx) {
    return new_engine(&(struct engine_settings){.model_path = path,
                                                .threads = threads,
                                                .kv_bytes = kv_bytes,
                                                .n_ctx = n_ctx,
                                                .max_active = max_active,
                                                .batch_rows = batch_rows});
}

/* One generation at a time, and nothing drafted. */
static struct engine *open_reference(const char *path, uint32_t n_ctx) {
    return new_engine(&(struct engine_settings){.model_path = path,
                                                .threads = 1,
                                                .n_ctx = n_ctx,
                                                .max_active = 1,
                                                .draft_max = ENGINE_NO_DRAFTS});
}

typedef void make_request(struct request *request, unsigned i);

/* The property on one engine: `rounds` times everything together against what each gave alone
 * elsewhere. */
static void check_rounds(struct engine *engine, struct engine *reference, make_request *make,
                         size_t n, unsigned rounds, unsigned seed) {
    static struct request requests[MAX_REQUESTS];
    struct run runs[MAX_REQUESTS];
    struct buf expected[MAX_REQUESTS];
    unsigned random = seed;
    drafted = accepted = 0;
    for (size_t i = 0; i < n; i++) {
        make(&requests[i], (unsigned)i);
        requests[i].spec.fair_group = i % 3;
        requests[i].spec.batch_priority = i % 10 == 4;
        expected[i] = alone(reference, &requests[i]);
    }
    ck_assert_uint_eq(drafted, 0);
    for (unsigned round = 0; round < rounds; round++) {
        for (size_t i = 0; i < n; i++) prepare(&runs[i], engine, &requests[i]);
        together(engine, runs, n, &random, round % 3 == 2 ? 50 : 0);
        for (size_t i = 0; i < n; i++) {
            struct buf got = {0};
            if (conclude(&runs[i], &got)) ck_assert_str_eq(got.bytes, expected[i].bytes);
            buf_free(&got);
        }
        ck_assert_uint_eq(engine->reserved_blocks, 0);
        ck_assert_uint_eq(engine->active.n + engine->queue.n, 0);
    }
    ck_assert_uint_gt(accepted, 0);
    ck_assert_uint_lt(accepted, drafted); /* some had to be forgotten */
    for (size_t i = 0; i < n; i++) buf_free(&expected[i]);
}

/* ---- on the tiny model ------------------------------------------------------------------------
 */

static char tiny_path[] = "/tmp/plm-schedule-XXXXXX";

static void write_tiny(void) {
    struct parts *parts = parts_new();
    struct buf bytes = write_parts(parts);
    strcpy(tiny_path + sizeof tiny_path - 7, "XXXXXX");
    int fd = mkstemp(tiny_path);
    ck_assert(fd >= 0 && write(fd, bytes.bytes, bytes.len) == (ssize_t)bytes.len);
    close(fd);
    buf_free(&bytes);
    parts_free(parts);
}

static void remove_tiny(void) {
    unlink(tiny_path);
}

START_TEST(in_any_company) {
    static const struct {
        unsigned threads, blocks, max_active, batch_rows;
    } settings[] = {
        {1, 5, 4, 8}, {2, 7, 16, 64}, {1, 12, 16, 512}, {2, 40, 3, 24}, {1, 400, 16, 33}};
    struct engine *reference = open_reference(tiny_path, TINY_CONTEXT);
    struct engine *engine =
        open_engine(tiny_path, settings[_i].threads, settings[_i].blocks * BLOCK_BYTES,
                    settings[_i].max_active, settings[_i].batch_rows, TINY_CONTEXT);
    ck_assert_uint_eq(engine->kv.max_blocks, settings[_i].blocks);
    ck_assert_uint_eq(engine_info(engine)->n_ctx, TINY_CONTEXT);
    check_rounds(engine, reference, tiny_request, 60, 12, (unsigned)_i + 1);
    struct engine_stats stats;
    engine_stats(engine, &stats);
    if (settings[_i].blocks < 40) ck_assert_uint_gt(stats.cache_evictions, 20);
    engine_free(engine);
    engine_free(reference);
}
END_TEST

/* ---- with a disk ---- */

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

/* readv and writev in place of libc's: only the store calls them. */
static ssize_t move_unless(long number, int fd, const struct iovec *parts, int n) {
    while (atomic_load(&hangs)) usleep(1000);
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

/* One group's many don't keep another's one waiting: a place is kept, and the next one is for it.
 */
START_TEST(groups_take_turns) {
    struct engine *engine = open_engine(tiny_path, 1, 0, 4, 0, TINY_CONTEXT);
    static struct request requests[42];
    struct run runs[42];
    for (unsigned i = 0; i < 42; i++) {
        tiny_request(&requests[i], 4 * i + 2);
        requests[i].spec.max_tokens = 40;
        requests[i].spec.fair_group = i < 40 ? 1 : i;
        prepare(&runs[i], engine, &requests[i]);
    }
    for (unsigned i = 0; i < 40; i++) engine_submit(engine, runs[i].generation);
    engine_step(engine);
    ck_assert_uint_eq(engine->active.n, 3);
    engine_submit(engine, runs[40].generation);
    engine_step(engine);
    ck_assert(runs[40].generation->started);
    engine_submit(engine, runs[41].generation); /* waits for a place, but not behind the others */
    while (!runs[41].generation->started) ck_assert(engine_step(engine));
    unsigned finished = 0;
    for (unsigned i = 0; i < 40; i++) finished += runs[i].done;
    ck_assert_uint_le(finished, 4);
    while (engine_step(engine)) {
    }
    for (unsigned i = 0; i < 42; i++) {
        struct buf ignored = {0};
        ck_assert(conclude(&runs[i], &ignored));
        buf_free(&ignored);
    }
    engine_free(engine);
}
END_TEST

/* The room for prefills is shared by groups first. */
START_TEST(groups_share_prefills) {
    enum { N = 4, LETTERS = 60, ROWS = 32 };
    struct engine *engine = open_engine(tiny_path, 1, 0, 8, ROWS, TINY_CONTEXT);
    static struct request requests[N];
    struct run runs[N];
    for (unsigned i = 0; i < N; i++) {
        tiny_request(&requests[i], 2);
        memset(requests[i].prompt, 'a' + (int)i, LETTERS);
        requests[i].prompt[LETTERS] = '\0';
        requests[i].spec.text = text_of(requests[i].prompt);
        requests[i].spec.fair_group = i == N - 1;
        prepare(&runs[i], engine, &requests[i]);
        engine_submit(engine, runs[i].generation);
    }
    engine_step(engine);
    for (unsigned i = 0; i < N; i++) {
        uint32_t n = runs[i].generation->sequence.n_tokens;
        ck_assert_uint_ge(n, i == N - 1 ? ROWS / 2 - 1 : ROWS / 6 - 1);
        ck_assert_uint_le(n, i == N - 1 ? ROWS / 2 + 1 : ROWS / 6 + 2);
    }
    while (engine_step(engine)) {
    }
    for (unsigned i = 0; i < N; i++) {
        struct buf ignored = {0};
        ck_assert(conclude(&runs[i], &ignored));
        buf_free(&ignored);
    }
    engine_free(engine);
}
END_TEST

START_TEST(interactive_before_batch) {
    struct engine *engine = open_engine(tiny_path, 1, 0, 1, 0, TINY_CONTEXT);
    static struct request requests[3];
    struct run runs[3];
    for (unsigned i = 0; i < 3; i++) {
        tiny_request(&requests[i], 1);
        requests[i].spec.fair_group = i == 1 ? 2 : 1;
        requests[i].spec.batch_priority = i < 2;
        prepare(&runs[i], engine, &requests[i]);
        engine_submit(engine, runs[i].generation);
    }
    while (!runs[2].done) ck_assert(engine_step(engine));
    ck_assert(!runs[0].done && !runs[1].done);
    while (engine_step(engine)) {
    }
    for (unsigned i = 0; i < 3; i++) {
        struct buf ignored = {0};
        conclude(&runs[i], &ignored);
        buf_free(&ignored);
    }
    engine_free(engine);
}
END_TEST

/* ---- on the real one ---- */

START_TEST(real_model) {
    if (!present(model_file())) return;
    struct engine *reference = open_reference(model_file(), 512);
    struct engine *engine = open_engine(model_file(), 2, 20 << 20, 6, 96, 512);
    check_rounds(engine, reference, real_request, 12, 3, 7);
    engine_free(engine);
    engine_free(reference);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("schedule");
    TCase *tiny = tcase_create("tiny model"), *disk = tcase_create("disk"), *real = tcase_create("real model");
    tcase_set_timeout(tiny, 300);
    tcase_add_checked_fixture(tiny, write_tiny, remove_tiny);
    tcase_add_loop_test(tiny, in_any_company, 0, 5);
    tcase_add_test(tiny, groups_take_turns);
    tcase_add_test(tiny, groups_share_prefills);
    tcase_add_test(tiny, interactive_before_batch);
    tcase_set_timeout(disk, 300);
    tcase_add_checked_fixture(disk, write_tiny, remove_tiny);
    tcase_add_checked_fixture(disk, disk_begin, disk_end);
    tcase_add_loop_test(disk, across_restarts, 0, 4);
    tcase_add_test(disk, reads_hang);
    tcase_add_loop_test(disk, writes_hang, 0, 2);
    tcase_set_timeout(real, 300);
    tcase_add_test(real, real_model);
    suite_add_tcase(suite, tiny);
    suite_add_tcase(suite, disk);
    suite_add_tcase(suite, real);
    return run_suite(suite);
}
