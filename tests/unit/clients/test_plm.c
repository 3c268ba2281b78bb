/* The C client library against a fake daemon. */
#include <check.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "clients/c/plm.h"
#include "tests/support.h"
#include "tests/unit/clients/fake_daemon.h"

static pid_t daemon_pid;
static struct plm *plm;
static struct plm_reply reply;

static void setup(void) {
    signal(SIGPIPE, SIG_DFL); /* the library must not need it ignored */
    int fd = fake_pair(&daemon_pid);
    ck_assert_int_ge(fd, 0);
    plm = plm_open_fd(fd);
    ck_assert_ptr_nonnull(plm);
}

static void teardown(void) {
    plm_close(plm);
    fake_end(daemon_pid);
}

static enum plm_status call(const char *method) {
    return plm_call(plm, &reply, &(struct plm_call){.method = method});
}

START_TEST(result) {
    ck_assert_int_eq(call("health"), PLM_OK);
    ck_assert_int_eq(reply.status, PLM_OK);
    ck_assert_str_eq(reply.result, "{\"status\":\"ok\",\"nested\":{\"a\":[1, 2]}}");
    ck_assert_uint_eq(reply.result_len, strlen(reply.result));
    ck_assert_str_eq(reply.message, "");
    ck_assert_int_eq(call("tokenize"), PLM_OK);
    ck_assert_str_eq(reply.result, "{\"tokens\":[1, 22,333]}");
}
END_TEST

START_TEST(refusal) {
    ck_assert_int_eq(call("refuse"), PLM_REFUSED);
    ck_assert_int_eq(reply.code, -32602);
    ck_assert_str_eq(reply.message, "invalid_params: no");
    ck_assert_str_eq(reply.data, "{\"path\":\"x\"}");
    ck_assert_str_eq(reply.result, "");
    ck_assert_int_eq(call("null_id"), PLM_REFUSED);
    ck_assert_int_eq(reply.code, -32700);
    ck_assert_str_eq(reply.data, "");
    ck_assert_int_eq(call("health"), PLM_OK);
}
END_TEST

START_TEST(garbage_is_skipped) {
    ck_assert_int_eq(call("garbage"), PLM_OK);
    ck_assert_str_eq(reply.result, "{}");
}
END_TEST

static void collect(void *user, const char *method, const char *params, size_t len) {
    struct buf *seen = user;
    buf_printf(seen, "%s ", method);
    span_decode(seen, span_member((struct text){params, len}, "text"));
    buf_add_char(seen, ';');
}

START_TEST(notifications) {
    struct buf seen = {0};
    struct plm_call stream = {
        .method = "chat", .params = "{\"stream\":true}", .notify = collect, .user = &seen};
    ck_assert_int_eq(plm_call(plm, &reply, &stream), PLM_OK);
    ck_assert_str_eq(seen.bytes, "token Hel;token lo\xc3\xa9;");
    buf_free(&seen);
    ck_assert_int_eq(plm_call(plm, &reply, &(struct plm_call){.method = "chat", .params = "{}"}),
                     PLM_OK);
}
END_TEST

START_TEST(timeout_cancels) {
    struct plm_call hang = {.method = "hang", .timeout_ms = 50};
    ck_assert_int_eq(plm_call(plm, &reply, &hang), PLM_DEADLINE);
    ck_assert_int_eq(reply.code, 1010); /* the daemon's last word came */
    ck_assert_int_eq(call("health"), PLM_OK);
}
END_TEST

START_TEST(timeout_of_a_deaf_daemon) {
    struct plm_call deaf = {.method = "deaf", .timeout_ms = 50};
    ck_assert_int_eq(plm_call(plm, &reply, &deaf), PLM_DEADLINE);
    ck_assert_int_eq(reply.code, 0);
    ck_assert_int_eq(call("health"), PLM_OK); /* the connection lives on */
}
END_TEST

START_TEST(interrupts) {
    int fds[2];
    ck_assert_int_eq(pipe2(fds, O_NONBLOCK), 0);
    ck_assert_int_eq(write(fds[1], "!", 1), 1);
    struct plm_call hang = {.method = "hang", .interrupt_fd = fds[0]};
    ck_assert_int_eq(plm_call(plm, &reply, &hang), PLM_INTERRUPTED);
    ck_assert_int_eq(reply.code, 1010);
    char byte;
    ck_assert_int_lt(read(fds[0], &byte, 1), 0); /* what was in it is read */
    close(fds[0]);
    close(fds[1]);
}
END_TEST

static void cancel_at_once(void *user, const char *method, const char *params, size_t len) {
    (void)method, (void)params, (void)len;
    plm_cancel(*(struct plm **)user);
}

START_TEST(cancel_from_inside) {
    struct plm_call hang = {.method = "hang", .notify = cancel_at_once, .user = &plm};
    ck_assert_int_eq(plm_call(plm, &reply, &hang), PLM_INTERRUPTED);
    ck_assert_int_eq(reply.code, 1010);
}
END_TEST

START_TEST(lost) {
    ck_assert_int_eq(call("die"), PLM_LOST);
    ck_assert_str_ne(reply.message, "");
    ck_assert_int_eq(call("health"), PLM_LOST);
}
END_TEST

/* More than the socket's buffers hold, both ways of ending. */
START_TEST(long_requests) {
    struct buf params = {0};
    buf_add_str(&params, "{\"text\":\"");
    while (params.len < 3000000) buf_add_str(&params, "0123456789abcdef");
    buf_add_str(&params, "\"}");
    struct plm_call tokenize = {.method = "tokenize", .params = params.bytes};
    ck_assert_int_eq(plm_call(plm, &reply, &tokenize), PLM_OK);
    kill(daemon_pid, SIGSTOP);
    tokenize.timeout_ms = 50;
    ck_assert_int_eq(plm_call(plm, &reply, &tokenize), PLM_DEADLINE);
    ck_assert_int_eq(call("health"), PLM_LOST); /* half a request stands in the stream */
    buf_free(&params);
}
END_TEST

START_TEST(nobody_there) {
    char why[256] = "", dir[] = "/tmp/plm-test-XXXXXX", path[64];
    unsetenv("PLM_SOCKET");
    setenv("XDG_RUNTIME_DIR", mkdtemp(dir), 1);
    snprintf(path, sizeof path, "%s/none.sock", dir);
    ck_assert_ptr_null(plm_open(path, why, sizeof why));
    ck_assert_ptr_nonnull(strstr(why, path));
    memset(path, 'x', sizeof path);
    char endless[300];
    memset(endless, 'x', sizeof endless);
    endless[sizeof endless - 1] = '\0';
    ck_assert_ptr_null(plm_open(endless, why, sizeof why));
    ck_assert_ptr_null(plm_open(endless, why, 8)); /* too small to say it all */
    ck_assert_uint_lt(strlen(why), 8);
    rmdir(dir);
}
END_TEST

START_TEST(search_order) {
    char why[1024], dir[] = "/tmp/plm-test-XXXXXX", sub[64], path[96];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(sub, sizeof sub, "%s/plmd", dir);
    snprintf(path, sizeof path, "%s/plmd.sock", sub);
    ck_assert_int_eq(mkdir(sub, 0700), 0);
    pid_t child = fake_listen(path);
    unsetenv("PLM_SOCKET");
    setenv("XDG_RUNTIME_DIR", dir, 1);
    struct plm *found = plm_open(NULL, why, sizeof why);
    ck_assert_msg(found != NULL, "%s", why);
    plm_close(found);
    setenv("PLM_SOCKET", "/nonexistent", 1); /* what is named is final */
    ck_assert_ptr_null(plm_open(NULL, why, sizeof why));
    found = plm_open(path, why, sizeof why);
    ck_assert_ptr_nonnull(found);
    plm_close(found);
    fake_end(child);
    unlink(path);
    rmdir(sub);
    rmdir(dir);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("plm");
    TCase *tests = tcase_create("calls");
    tcase_set_timeout(tests, 20);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, result);
    tcase_add_test(tests, refusal);
    tcase_add_test(tests, garbage_is_skipped);
    tcase_add_test(tests, notifications);
    tcase_add_test(tests, timeout_cancels);
    tcase_add_test(tests, timeout_of_a_deaf_daemon);
    tcase_add_test(tests, interrupts);
    tcase_add_test(tests, cancel_from_inside);
    tcase_add_test(tests, lost);
    tcase_add_test(tests, long_requests);
    suite_add_tcase(suite, tests);
    TCase *opening = tcase_create("opening");
    tcase_add_test(opening, nobody_there);
    tcase_add_test(opening, search_order);
    suite_add_tcase(suite, opening);
    return run_suite(suite);
}
