/* plmctl against a fake daemon: what it prints where, and its exit statuses. The program is the one
 * beside this test in the build folder.
 */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include "tests/support.h"
#include "tests/unit/clients/fake_daemon.h"

static char program[4096], dir[] = "/tmp/plm-test-XXXXXX", socket_path[64], tools_path[64];
static pid_t daemon_pid;

static bool find_program(void) {
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 8);
    if (n <= 0) return false;
    program[n] = '\0';
    for (int up = 0; up < 4; up++) {
        char *slash = strrchr(program, '/');
        if (!slash) return false;
        *slash = '\0';
    }
    strcat(program, "/plmctl");
    return access(program, X_OK) == 0;
}

static void setup(void) {
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(socket_path, sizeof socket_path, "%s/s", dir);
    snprintf(tools_path, sizeof tools_path, "%s/tools.json", dir);
    FILE *tools = fopen(tools_path, "w");
    fputs("{\"tools\": [\n  {\"name\": \"get\"}\n]}\n", tools);
    fclose(tools);
    daemon_pid = fake_listen(socket_path);
    ck_assert_int_gt(daemon_pid, 0);
    setenv("PLM_SOCKET", socket_path, 1);
}

static void teardown(void) {
    fake_end(daemon_pid);
    unlink(socket_path);
    unlink(tools_path);
    rmdir(dir);
}

/* ---- running it ---- */

struct run {
    int status;
    struct buf out, err;
};

static void drain(int fd, struct buf *into) {
    char bytes[4096];
    ssize_t n = read(fd, bytes, sizeof bytes);
    if (n > 0) buf_add(into, bytes, (size_t)n);
}

static void child_main(char **args, const char *input, int out, int err) {
    int in[2];
    if (pipe(in) != 0 || write(in[1], input, strlen(input)) < 0) _exit(99);
    close(in[1]);
    dup2(in[0], 0);
    dup2(out, 1);
    dup2(err, 2);
    execv(program, args);
    _exit(98);
}

/* Runs plmctl with words separated by "|"; sends SIGINT when it has printed `interrupt_at`. */
static struct run run(const char *words, const char *input, const char *interrupt_at) {
    char copy[512], *args[32] = {program}, *rest = copy;
    int n = 1, out[2], err[2];
    struct run result = {0};
    snprintf(copy, sizeof copy, "%s", words);
    while (n < 31 && (args[n] = strsep(&rest, "|"))) n++;
    ck_assert(pipe(out) == 0 && pipe(err) == 0);
    pid_t child = fork();
    if (child == 0) child_main(args, input, out[1], err[1]);
    close(out[1]);
    close(err[1]);
    buf_add(&result.out, "", 0);
    buf_add(&result.err, "", 0);
    for (size_t before = 1; before != result.out.len + result.err.len;) {
        struct pollfd polled[2] = {{out[0], POLLIN, 0}, {err[0], POLLIN, 0}};
        before = result.out.len + result.err.len;
        poll(polled, 2, 10000);
        if (polled[0].revents) drain(out[0], &result.out);
        if (polled[1].revents && !(polled[0].revents & POLLIN)) drain(err[0], &result.err);
        if (interrupt_at &&
            (strstr(result.out.bytes, interrupt_at) || strstr(result.err.bytes, interrupt_at))) {
            kill(child, SIGINT);
            interrupt_at = NULL;
        }
    }
    close(out[0]);
    close(err[0]);
    waitpid(child, &result.status, 0);
    result.status = WIFEXITED(result.status) ? WEXITSTATUS(result.status) : -1;
    return result;
}

static const struct {
    const char *words, *input;
    int status;
    const char *out; /* all of it */
    const char *err; /* somewhere in it */
} cases[] = {
    {"--help", "", 0, NULL, ""},
    {"--version", "", 0, NULL, ""},
    {"", "", 3, "", "there is no command"},
    {"nope", "", 3, "", "there is no command nope"},
    {"--nope", "", 3, "", "--help"},
    {"health|extra", "", 3, "", "too many"},
    {"chat|--temperature|warm|x", "", 3, "", "wants a number"},
    {"chat|--timeout|0|x", "", 3, "", "wants seconds"},
    {"tool-call|x", "", 3, "", "--tools"},
    {"tool-call|--tools|/nonexistent|x", "", 3, "", "/nonexistent"},
    {"tool-call|--tools|-|x", "{\"a\":", 3, "", "is no JSON"},
    {"complete|--system|s|x", "", 3, "", "complete takes no"},
    {"call|health|{", "", 3, "", "is no JSON"},
    {"tokenize", "", 3, "", "wants a text"},
    {"--socket|/nonexistent|health", "", 2, "", "plmd --model"},
    {"call|die", "", 2, "", "closed the connection"},
    {"health", "", 0, "status: ok\nnested.a: [1, 2]\n", ""},
    {"health|--json", "", 0, "{\"status\":\"ok\",\"nested\":{\"a\":[1, 2]}}\n", ""},
    {"tokenize|some|words", "", 0, "1 22 333\n", ""},
    {"tokenize|--json|-", "text", 0, "{\"tokens\":[1, 22,333]}\n", ""},
    {"tool-call|--tools|TOOLS|weather?", "", 0, "get {\"x\": 1.0}\n", ""},
    {"tool-call|--tools|-|--choice|get|weather?", "[{\"name\":\"get\"}]", 0, "get {\"x\": 1.0}\n",
     ""},
    {"tool-call|--tools|-|weather?", "{\"name\":\"get\"}", 0, "get {\"x\": 1.0}\n", ""},
    {"chat|hi", "", 0, "Hello\xc3\xa9 there\n", "cut off"},
    {"chat|--stream|hi", "", 0, "Hello\xc3\xa9 there\n", "cut off"},
    {"chat|-", "from stdin", 0, "Hello\xc3\xa9 there\n", ""},
    {"chat", "one\n\n/clear\ntwo\n/quit\nthree\n", 0, "Hello\xc3\xa9 there\nHello\xc3\xa9 there\n",
     "Forgotten"},
    {"complete|x|--max-tokens|5|--seed|1|--temperature|0.5", "", 0, "Hello\xc3\xa9 there\n", ""},
    {"call|tokenize|{\"text\":\"x\"}", "", 0, "{\"tokens\":[1, 22,333]}\n", ""},
    {"call|tokenize|-", "{\"text\":\n\"x\"}", 0, "{\"tokens\":[1, 22,333]}\n", ""},
    {"call|chat|{\"stream\":true}", "", 0, NULL, "token {\"id\":1,\"seq\":0"},
    {"call|refuse", "", 1, "", "plmctl: invalid_params: no"},
    {"call|refuse|--json", "", 1, "",
     "{\"code\":-32602,\"message\":\"invalid_params: no\",\"data\":{\"path\":\"x\"}}"},
    {"call|null_id", "", 1, "", "parse_error"},
    {"call|late", "", 124, "", "deadline_exceeded"},
    {"call|hang|--timeout|0.05", "", 124, "", "cancelled"},
};

START_TEST(cases_hold) {
    char words[512];
    const char *tools = strstr(cases[_i].words, "TOOLS");
    if (tools)
        snprintf(words, sizeof words, "%.*s%s%s", (int)(tools - cases[_i].words), cases[_i].words,
                 tools_path, tools + 5);
    else
        snprintf(words, sizeof words, "%s", cases[_i].words);
    struct run result = run(words, cases[_i].input, NULL);
    ck_assert_msg(result.status == cases[_i].status, "%s gave %d: %s", words, result.status,
                  result.err.bytes);
    if (cases[_i].out)
        ck_assert_msg(strcmp(result.out.bytes, cases[_i].out) == 0, "%s printed %s", words,
                      result.out.bytes);
    else
        ck_assert_msg(result.out.len > 0, "%s printed nothing", words);
    ck_assert_msg(strstr(result.err.bytes, cases[_i].err) != NULL, "%s said %s", words,
                  result.err.bytes);
    buf_free(&result.out);
    buf_free(&result.err);
}
END_TEST

START_TEST(interrupt_cancels) {
    struct run result = run("call|hang", "", "begun");
    ck_assert_msg(result.status == 130, "%d: %s", result.status, result.err.bytes);
    ck_assert_ptr_nonnull(strstr(result.err.bytes, "interrupted"));
    buf_free(&result.out);
    buf_free(&result.err);
}
END_TEST

int main(void) {
    if (!find_program()) {
        puts("SKIP: test_plmctl: there is no plmctl beside it; `make` builds it");
        return 0;
    }
    Suite *suite = suite_create("plmctl");
    TCase *tests = tcase_create("plmctl");
    tcase_set_timeout(tests, 20);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, cases_hold, 0, sizeof cases / sizeof *cases);
    tcase_add_test(tests, interrupt_cancels);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
