/* Framing, over every chunk size. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/proto.h"
#include "tests/support.h"

enum { MAX = 16 };

/* What a stream becomes: lines in brackets, "!" for an over-long one. */
static const struct {
    const char *stream, *events;
} cases[] = {
    {"", ""},
    {"a", ""},
    {"a\n", "[a]"},
    {"a\nb", "[a]"},
    {"a\r\nb\r\n", "[a][b]"},
    {"\n\r\n\na\n", "[a]"},
    {"\r\n", ""},
    {"\r\r\n", "[\r]"},
    {"a\rb\n", "[a\rb]"},
    {" \n", "[ ]"},
    {"0123456789abcdef\n", "[0123456789abcdef]"},
    {"0123456789abcdef\r\n", "[0123456789abcdef]"},
    {"0123456789abcdefg\n", "!"},
    {"0123456789abcdefg\r\n", "!"},
    {"0123456789abcdefg", "!"},
    {"0123456789abcdef\r", ""},
    {"0123456789abcdef\r\r\n", "!"},
    {"x\n0123456789abcdefghijklmnopqrstuvwxyz\ny\n", "[x]![y]"},
    {"0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz\n\ny\n", "![y]"},
    {"0123456789abcdefghij\n0123456789abcdefghij\nz\n", "!![z]"},
    {"0123456789abcdefghij\n0123456789abcdefghij", "!!"},
};

static void take(struct frames *frames, struct buf *events) {
    const char *line;
    size_t len;
    for (;;) {
        switch (frames_next(frames, &line, &len)) {
        case FRAME_NONE: return;
        case FRAME_TOO_LONG: buf_add_char(events, '!'); break;
        case FRAME_LINE:
            buf_add_char(events, '[');
            buf_add(events, line, len);
            buf_add_char(events, ']');
        }
    }
}

static void feed_in_chunks(const char *stream, size_t chunk, struct buf *events) {
    struct frames *frames = frames_new(MAX);
    size_t left = strlen(stream);
    buf_add(events, "", 0);
    while (left) {
        size_t n = left < chunk ? left : chunk;
        char *exact = malloc(n); /* so that a sanitizer sees reads past it */
        memcpy(exact, stream, n);
        ck_assert(frames_feed(frames, exact, n));
        free(exact);
        take(frames, events);
        ck_assert_uint_le(frames_pending(frames), MAX + 1);
        stream += n;
        left -= n;
    }
    frames_free(frames);
}

START_TEST(every_chunk_size) {
    for (size_t chunk = 1; chunk <= strlen(cases[_i].stream) + 1; chunk++) {
        struct buf events = {0};
        feed_in_chunks(cases[_i].stream, chunk, &events);
        ck_assert_msg(strcmp(events.bytes, cases[_i].events) == 0, "case %d, chunks of %zu: %s", _i,
                      chunk, events.bytes);
        buf_free(&events);
    }
}
END_TEST

START_TEST(nul_bytes_are_not_the_end) {
    struct frames *frames = frames_new(MAX);
    const char *line;
    size_t len;
    ck_assert(frames_feed(frames, "a\0b\n", 4));
    ck_assert_int_eq(frames_next(frames, &line, &len), FRAME_LINE);
    ck_assert_uint_eq(len, 3);
    ck_assert_int_eq(memcmp(line, "a\0b", 3), 0);
    frames_free(frames);
}
END_TEST

START_TEST(pending_counts_the_unfinished) {
    struct frames *frames = frames_new(MAX);
    const char *line;
    size_t len;
    ck_assert(frames_feed(frames, "abc\ndef", 7));
    ck_assert_int_eq(frames_next(frames, &line, &len), FRAME_LINE);
    ck_assert_int_eq(frames_next(frames, &line, &len), FRAME_NONE);
    ck_assert_uint_eq(frames_pending(frames), 3);
    frames_free(frames);
}
END_TEST

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* A byte at a time, 4 MiB of one line, then 4 MiB of short lines in one feed. */
START_TEST(linear_time) {
    enum { BIG = 4 << 20 };
    struct frames *frames = frames_new(BIG);
    const char *line;
    size_t len, lines = 0;
    double start = seconds();
    bool fine = true; /* asserting millions of times would be what is timed */
    for (size_t i = 0; i < BIG; i++)
        fine &= frames_feed(frames, "x", 1) && frames_next(frames, &line, &len) == FRAME_NONE;
    ck_assert(fine);
    ck_assert(frames_feed(frames, "\n", 1));
    ck_assert_int_eq(frames_next(frames, &line, &len), FRAME_LINE);
    ck_assert_uint_eq(len, BIG);
    char *many = malloc(BIG);
    for (size_t i = 0; i < BIG; i++) many[i] = i % 2 ? '\n' : 'x';
    ck_assert(frames_feed(frames, many, BIG));
    while (frames_next(frames, &line, &len) == FRAME_LINE) lines++;
    ck_assert_uint_eq(lines, BIG / 2);
    ck_assert_msg(seconds() - start < 5, "took %.1f s", seconds() - start);
    free(many);
    frames_free(frames);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("frames");
    TCase *tests = tcase_create("frames");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, every_chunk_size, 0, sizeof cases / sizeof *cases);
    tcase_add_test(tests, nul_bytes_are_not_the_end);
    tcase_add_test(tests, pending_counts_the_unfinished);
    tcase_add_test(tests, linear_time);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
