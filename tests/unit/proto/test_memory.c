/* Every allocation failing in turn: no crash, no leak, and never a wrong answer. */
#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "proto/proto.h"
#include "tests/support.h"

/* malloc and friends of this program and of the libraries it links, with one that fails. Sanitizers
 * bring their own: there only jansson's allocations fail. */
static long fail_at; /* the how manieth allocation from now; 0: none */
static long allocations;

static bool fails(void) {
    allocations++;
    return fail_at && allocations == fail_at;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
static void *failing_malloc(size_t n) {
    return fails() ? NULL : malloc(n);
}

static void watch_allocations(void) {
    json_set_alloc_funcs(failing_malloc, free);
}
#else
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t n);

void *malloc(size_t n) {
    return fails() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size) {
    return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *old, size_t n) {
    return fails() ? NULL : __libc_realloc(old, n);
}

static void watch_allocations(void) {}
#endif

static const char *const lines[] = {
    "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"health\"}",
    "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"cancel\",\"params\":{\"id\":2}},5,"
    "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"detokenize\",\"params\":{\"tokens\":[1,2,3]}}]",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tool_call\",\"params\":{\"messages\":[{\"role\":"
    "\"assistant\",\"tool_calls\":[{\"function\":{\"name\":\"a\",\"arguments\":\"{\\\"x\\\":1}\"}},"
    "{\"name\":\"b\",\"arguments\":{\"y\":[]}}]},{\"role\":\"user\",\"content\":[{\"type\":"
    "\"text\","
    "\"text\":\"x\"}]}],\"tools\":[{\"name\":\"a\",\"description\":\"d\",\"parameters\":{\"type\":"
    "\"object\"}},{\"name\":\"b\"}],\"tool_choice\":{\"name\":\"b\"},\"stop\":[\"s\"],"
    "\"logit_bias\":{\"1\":2},\"model\":\"m\"}}",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"chat\",\"params\":{\"prompt\":\"x\",\"response_"
    "format\":"
    "{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\"}}}}",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"chat\",\"params\":{\"prompt\":\"x\",\"bad\":1}}",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"nope\"}",
};

/* What came of a line, as a number to compare. */
static long outcome(const struct rpc_message *message) {
    if (message->error.code) return message->error.code;
    long sum = 0;
    for (size_t i = 0; i < message->n_calls; i++)
        sum = sum * 31 + message->calls[i].error.code + (message->calls[i].id ? 1 : 2);
    return sum;
}

static long parse_failing(const char *line, long at, bool *none, long *used) {
    allocations = 0;
    fail_at = at;
    struct rpc_message *message = rpc_parse(line, strlen(line));
    fail_at = 0;
    *used = allocations;
    *none = message == NULL;
    long result = message ? outcome(message) : 0;
    rpc_message_free(message);
    return result;
}

/* The first line also meets the method files unparsed. */
START_TEST(parsing) {
    long wanted = 0, used = 0;
    bool none;
    watch_allocations();
    for (long at = 1; at == 1 || used >= at; at++) {
        long got = parse_failing(lines[_i], at, &none, &used);
        if (used < at) wanted = got; /* nothing failed */
    }
    ck_assert_int_ne(wanted, ERROR_OUT_OF_MEMORY);
    used = 1;
    for (long at = 1; used >= at; at++) {
        long got = parse_failing(lines[_i], at, &none, &used);
        ck_assert_msg(none || got == ERROR_OUT_OF_MEMORY || got == wanted,
                      "line %d, allocation %ld: %ld instead of %ld", _i, at, got, wanted);
    }
}
END_TEST

static void build(struct buf *out) {
    struct result_call calls[] = {{{"a", 1}, {"{}", 2}}};
    struct generation_result result = {.calls = calls, .n_calls = 1, .content = {"text", 4}};
    struct error error = {.code = ERROR_CANCELLED, .message = "m"};
    reply_generation(out, "1", &result, "m", "1");
    reply_error(out, "1", &error, &result);
    notify_token(out, "1", &(struct generation_chunk){0, {"text", 4}, NULL, 0, NULL});
}

START_TEST(replying) {
    struct buf wanted = {0};
    build(&wanted);
    allocations = 0;
    for (long at = 1; at == 1 || allocations >= at; at++) {
        struct buf out = {0};
        allocations = 0;
        fail_at = at;
        build(&out);
        fail_at = 0;
        if (allocations >= at)
            ck_assert(out.failed);
        else
            ck_assert_str_eq(out.bytes, wanted.bytes);
        buf_free(&out);
    }
    buf_free(&wanted);
}
END_TEST

START_TEST(discovering) {
    bool complete = false;
    watch_allocations();
    for (long at = 1; !complete; at++) {
        struct buf out = {0};
        allocations = 0;
        fail_at = at;
        complete = rpc_discover(&out, "1");
        fail_at = 0;
        ck_assert(complete != out.failed);
        if (allocations >= at) complete = false;
        buf_free(&out);
        if (at > 3000) at += 50;
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("memory");
    TCase *tests = tcase_create("memory");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, parsing, 0, sizeof lines / sizeof *lines);
    tcase_add_test(tests, replying);
    tcase_add_test(tests, discovering);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
