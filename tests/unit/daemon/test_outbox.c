#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/outbox.h"
#include "tests/support.h"

enum { HARD = 8 << 20 };

/* A line of n bytes, the last one '\n'; its content depends on seed. */
static struct buf line_of(size_t n, unsigned seed) {
    struct buf line = {0};
    for (size_t i = 0; i + 1 < n; i++) buf_add_char(&line, (char)('a' + (seed + i) % 26));
    buf_add_char(&line, '\n');
    return line;
}

static void make_pair(int pair[2]) {
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
}

/* Lines of all sizes around the limits of a block arrive whole and in order, however little the
 * peer reads at a time. */
START_TEST(order_is_kept) {
    static const size_t sizes[] = {1, 2, 100, 2047, 2048, 2049, 4095, 4096, 4097, 100000};
    enum { LINES = 200 };
    struct outbox outbox = {0};
    struct buf wanted = {0}, got = {0};
    char piece[5000];
    size_t written;
    int pair[2];
    make_pair(pair);
    for (unsigned i = 0; i < LINES; i++) {
        struct buf line = line_of(sizes[i * 7 % (sizeof sizes / sizeof *sizes)], i);
        buf_add(&wanted, line.bytes, line.len);
        ck_assert(outbox_add_steal(&outbox, &line, HARD));
        ck_assert_ptr_null(line.bytes);
        if (i % 3) continue;
        ck_assert_int_ne(outbox_write(&outbox, &written, pair[0]), OUTBOX_BROKEN);
        ssize_t n = read(pair[1], piece, 1 + i * 37 % sizeof piece);
        if (n > 0) buf_add(&got, piece, (size_t)n);
    }
    while (got.len < wanted.len) {
        ck_assert_int_ne(outbox_write(&outbox, &written, pair[0]), OUTBOX_BROKEN);
        ssize_t n = read(pair[1], piece, sizeof piece);
        ck_assert_int_gt(n, 0);
        buf_add(&got, piece, (size_t)n);
    }
    ck_assert_uint_eq(outbox.bytes, 0);
    ck_assert_ptr_null(outbox.first);
    ck_assert_uint_eq(got.len, wanted.len);
    ck_assert_int_eq(memcmp(got.bytes, wanted.bytes, got.len), 0);
    buf_free(&got);
    buf_free(&wanted);
    close(pair[0]), close(pair[1]);
}
END_TEST

START_TEST(limits) {
    struct outbox outbox = {0};
    struct buf line = line_of(OUTBOX_SOFT, 0);
    ck_assert(outbox_add_steal(&outbox, &line, OUTBOX_SOFT)); /* exactly at the soft limit */
    line = line_of(1, 0);
    ck_assert(!outbox_add_steal(&outbox, &line, OUTBOX_SOFT));
    ck_assert_ptr_null(line.bytes);
    line = line_of(HARD - OUTBOX_SOFT, 0);
    ck_assert(outbox_add_steal(&outbox, &line, HARD)); /* exactly at the hard limit */
    ck_assert_uint_eq(outbox.bytes, HARD);
    line = line_of(1, 0);
    ck_assert(!outbox_add_steal(&outbox, &line, HARD));
    ck_assert_uint_eq(outbox.bytes, HARD);
    outbox_free(&outbox);
    ck_assert_uint_eq(outbox.bytes, 0);
}
END_TEST

START_TEST(failed_line_is_refused) {
    struct outbox outbox = {0};
    struct buf line = line_of(10, 0);
    line.failed = true;
    ck_assert(!outbox_add_steal(&outbox, &line, HARD));
    ck_assert_ptr_null(line.bytes);
    ck_assert_uint_eq(outbox.bytes, 0);
}
END_TEST

START_TEST(peer_gone) {
    struct outbox outbox = {0};
    struct buf line = line_of(10, 0);
    size_t written;
    int pair[2];
    make_pair(pair);
    close(pair[1]);
    ck_assert(outbox_add_steal(&outbox, &line, HARD));
    ck_assert_int_eq(outbox_write(&outbox, &written, pair[0]), OUTBOX_BROKEN); /* and no SIGPIPE */
    outbox_free(&outbox);
    close(pair[0]);
}
END_TEST

START_TEST(blocked_peer) {
    struct outbox outbox = {0};
    size_t written, total = 0;
    int pair[2];
    make_pair(pair);
    ck_assert_int_eq(outbox_write(&outbox, &written, pair[0]), OUTBOX_EMPTY);
    for (int i = 0; i < 7; i++) {
        struct buf line = line_of(1024 * 1024, 0);
        ck_assert(outbox_add_steal(&outbox, &line, HARD));
    }
    ck_assert_int_eq(outbox_write(&outbox, &written, pair[0]), OUTBOX_BLOCKED);
    total += written;
    ck_assert_uint_gt(total, 0);
    ck_assert_int_eq(outbox_write(&outbox, &written, pair[0]), OUTBOX_BLOCKED);
    ck_assert_uint_eq(written, 0);
    ck_assert_uint_eq(outbox.bytes + total, 7 * 1024 * 1024);
    outbox_free(&outbox);
    close(pair[0]), close(pair[1]);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("outbox");
    TCase *cases = tcase_create("outbox");
    tcase_add_test(cases, order_is_kept);
    tcase_add_test(cases, limits);
    tcase_add_test(cases, failed_line_is_refused);
    tcase_add_test(cases, peer_gone);
    tcase_add_test(cases, blocked_peer);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
