/* Lines to calls: the envelope, ids, batches. Params have a test of their own. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/proto.h"
#include "tests/support.h"

static struct rpc_message *parse(const char *line) {
    struct rpc_message *message = rpc_parse(line, strlen(line));
    ck_assert_ptr_nonnull(message);
    return message;
}

/* ---- the line and the envelope ---- */

/* What comes of a line: "CODE" for the line as a whole, else "ID:CODE" for each call, code 0: fine,
 * id "-": a notification. */
static void outcome(struct buf *out, const char *line, size_t len) {
    struct rpc_message *message = rpc_parse(line, len);
    ck_assert_ptr_nonnull(message);
    if (message->error.code) {
        ck_assert_uint_eq(message->n_calls, 0);
        buf_printf(out, "%d", (int)message->error.code);
    }
    for (size_t i = 0; i < message->n_calls; i++) {
        const struct rpc_call *call = &message->calls[i];
        buf_printf(out, "%s%s:%d", i ? " " : "", call->id ? call->id : "-", (int)call->error.code);
    }
    rpc_message_free(message);
}

static const struct {
    const char *line, *outcome;
} envelopes[] = {
    /* no JSON */
    {"garbage", "-32700"},
    {"{", "-32700"},
    {"{\"a\":1,}", "-32700"},
    {"{\"a\":1} {\"b\":2}", "-32700"},
    {"{\"a\":1,\"a\":2}", "-32700"},
    {"{\"x\":{\"a\":1,\"a\":2}}", "-32700"},
    {"{\"a\":1,\"\\u0061\":2}", "-32700"},
    {"{\"a\":\"\xff\"}", "-32700"},
    {"{\"a\":\"\xed\xa0\x80\"}", "-32700"},
    {"{\"a\":\"\xc0\xaf\"}", "-32700"},
    {"{\"a\":\"\t\"}", "-32700"},
    {"{\"a\":\"\\ud800\"}", "-32700"},
    {"{\"a\":01}", "-32700"},
    {"{\"a\":01e999}", "-32700"},
    {"{\"a\":1e999e9}", "-32700"},
    {"{\"a\":1.e999}", "-32700"},
    {"{\"a\":-}", "-32700"},
    {"{\"a\":NaN}", "-32700"},
    {"\xef\xbb\xbf{}", "-32700"},
    {"", "-32700"},
    {" ", "-32700"},
    /* JSON, but no request */
    {"5", "null:-32600"},
    {"null", "null:-32600"},
    {"\"a\"", "null:-32600"},
    {"{}", "null:-32600"},
    {"{\"foo\":\"boo\"}", "null:-32600"},
    {"{\"jsonrpc\":\"2.0\",\"method\":1,\"params\":\"bar\"}", "null:-32600"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"health\",\"params\":\"bar\"}", "null:-32600"},
    {"{\"method\":\"health\"}", "null:-32600"},
    {"{\"method\":\"health\",\"id\":4}", "4:-32600"},
    {"{\"jsonrpc\":\"1.0\",\"method\":\"health\",\"id\":\"x\"}", "\"x\":-32600"},
    {"{\"jsonrpc\":2.0,\"method\":\"health\",\"id\":4}", "4:-32600"},
    {"{\"jsonrpc\":\"2.0\",\"id\":4}", "4:-32600"},
    {"{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{}}", "4:-32600"},
    {"{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":null}", "4:-32600"},
    {"{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"health\",\"params\":5}", "4:-32600"},
    /* ids */
    {"{\"jsonrpc\":\"2.0\",\"method\":\"health\",\"id\":0}", "0:0"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"health\",\"id\":-1}", "-1:0"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"health\",\"id\":\"\"}", "\"\":0"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"health\",\"id\":\"\\u0061\\n\"}", "\"a\\n\":0"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"health\",\"id\":9007199254740992}", "9007199254740992:0"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"health\",\"id\":-9007199254740992}", "-9007199254740992:0"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"health\",\"id\":9007199254740993}", "null:-32600"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"health\",\"id\":99999999999999999999}", "null:-32600"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"health\",\"id\":1.5}", "null:-32600"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"health\",\"id\":null}", "null:-32600"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"health\",\"id\":true}", "null:-32600"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"health\",\"id\":[1]}", "null:-32600"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"health\",\"id\":{}}", "null:-32600"},
    /* params */
    {"{\"jsonrpc\":\"2.0\",\"method\":\"health\",\"id\":1,\"params\":{}}", "1:0"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"health\",\"id\":1,\"params\":null}", "1:0"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"health\",\"id\":1,\"params\":[]}", "1:-32602"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"health\",\"id\":1,\"params\":{\"_meta\":{\"a\":1}}}",
     "1:0"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"health\",\"id\":1,\"extra\":{}}", "1:0"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"Health\",\"id\":1}", "1:-32601"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"health\\u0000\",\"id\":1}", "1:-32601"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"\",\"id\":1,\"params\":[]}", "1:-32601"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"rpc.none\",\"id\":1}", "1:-32601"},
    {" \t{\"jsonrpc\":\"2.0\",\"method\":\"health\",\"id\":1} ", "1:0"},
    /* notifications: errors are there, but nobody answers */
    {"{\"jsonrpc\":\"2.0\",\"method\":\"health\"}", "-:0"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"nope\"}", "-:-32601"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"health\",\"params\":[1]}", "-:-32602"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}",
     "-:0"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\",\"params\":{\"id\":\"x\"}}", "-:0"},
    /* batches */
    {"[]", "-32600"},
    {"[1]", "null:-32600"},
    {"[1,2,3]", "null:-32600 null:-32600 null:-32600"},
    {"[[]]", "null:-32600"},
    {"[{\"jsonrpc\":\"2.0\",\"method\":\"health\",\"id\":1},{\"jsonrpc\":\"2.0\",\"method\":"
     "\"health\"},"
     "{\"foo\":1},{\"jsonrpc\":\"2.0\",\"method\":\"nope\",\"id\":\"b\"}]",
     "1:0 -:0 null:-32600 \"b\":-32601"},
    {"[{\"jsonrpc\":\"2.0\",\"method\":\"health\",\"id\":1},", "-32700"},
};

START_TEST(envelope) {
    struct buf got = {0};
    outcome(&got, envelopes[_i].line, strlen(envelopes[_i].line));
    ck_assert_msg(strcmp(got.bytes, envelopes[_i].outcome) == 0, "%s\n gave %s\nwanted %s",
                  envelopes[_i].line, got.bytes, envelopes[_i].outcome);
    buf_free(&got);
}
END_TEST

START_TEST(nul_byte) {
    static const char line[] = "{\"jsonrpc\":\"2.0\",\"method\":\"health\",\"id\":\"a\0b\"}";
    struct buf got = {0};
    outcome(&got, line, sizeof line - 1);
    ck_assert_str_eq(got.bytes, "-32700");
    buf_free(&got);
}
END_TEST

static void nested(struct buf *line, size_t depth) {
    buf_add_str(line, "{\"jsonrpc\":\"2.0\",\"method\":\"health\",\"id\":1,\"params\":{\"_meta\":");
    for (size_t i = 2; i < depth; i++) buf_add_char(line, '[');
    for (size_t i = 2; i < depth; i++) buf_add_char(line, ']');
    buf_add_str(line, "}}");
}

START_TEST(nesting) {
    for (size_t depth = 62; depth < 68; depth++) {
        struct buf line = {0}, got = {0};
        nested(&line, depth);
        outcome(&got, line.bytes, line.len);
        ck_assert_str_eq(got.bytes, depth <= 64 ? "1:0" : "-32700");
        buf_free(&line);
        buf_free(&got);
    }
    struct buf deep = {0}, got = {0};
    for (size_t i = 0; i < 1000000; i++) buf_add_char(&deep, '[');
    outcome(&got, deep.bytes, deep.len);
    ck_assert_str_eq(got.bytes, "-32700");
    buf_free(&deep);
    buf_free(&got);
}
END_TEST

START_TEST(brackets_in_strings_are_no_depth) {
    struct buf line = {0}, got = {0};
    buf_add_str(
        &line, "{\"jsonrpc\":\"2.0\",\"method\":\"tokenize\",\"id\":1,\"params\":{\"text\":\"\\\"");
    for (size_t i = 0; i < 1000; i++) buf_add_str(&line, "[{");
    buf_add_str(&line, "\\\\\"}}");
    outcome(&got, line.bytes, line.len);
    ck_assert_str_eq(got.bytes, "1:0");
    buf_free(&line);
    buf_free(&got);
}
END_TEST

START_TEST(too_many_containers) {
    struct buf line = {0};
    buf_add_char(&line, '[');
    for (size_t i = 0; i < 300000; i++) buf_add_str(&line, "[],");
    buf_add_str(&line, "0]");
    struct rpc_message *message = rpc_parse(line.bytes, line.len);
    ck_assert_int_eq(message->error.code, ERROR_MESSAGE_TOO_LARGE);
    ck_assert_uint_eq(message->error.numbers[0], 1 << 18);
    rpc_message_free(message);
    buf_free(&line);
}
END_TEST

START_TEST(batch_sizes) {
    for (size_t n = 63; n < 67; n++) {
        struct buf line = {0};
        for (size_t i = 0; i < n; i++)
            buf_printf(&line, "%c{\"jsonrpc\":\"2.0\",\"method\":\"health\",\"id\":%zu}",
                       i ? ',' : '[', i);
        buf_add_char(&line, ']');
        struct rpc_message *message = rpc_parse(line.bytes, line.len);
        ck_assert(message->batch);
        ck_assert_int_eq(message->error.code, n <= 64 ? ERROR_NONE : ERROR_INVALID_REQUEST);
        ck_assert_uint_eq(message->n_calls, n <= 64 ? n : 0);
        rpc_message_free(message);
        buf_free(&line);
    }
}
END_TEST

START_TEST(long_ids) {
    for (int n = 127; n < 131; n++) {
        char line[300];
        snprintf(line, sizeof line, "{\"jsonrpc\":\"2.0\",\"method\":\"health\",\"id\":\"%0*d\"}",
                 n, 0);
        struct rpc_message *message = parse(line);
        ck_assert_int_eq(message->calls->error.code, n <= 128 ? ERROR_NONE : ERROR_INVALID_REQUEST);
        rpc_message_free(message);
    }
}
END_TEST

START_TEST(weight) {
    struct buf line = {0};
    buf_add_str(&line, "{\"params\":{\"method\":\"hello\",\"client\":\"");
    while (line.len < 60000) buf_add_str(&line, "xxxxxxxxxx");
    size_t padded = line.len;
    buf_add_str(&line, "\"},\"method\":\"health\"}");
    ck_assert(rpc_is_light(line.bytes, line.len));
    line.len = padded;
    buf_add_str(&line, "\"},\"method\":\"chat\"}");
    ck_assert(!rpc_is_light(line.bytes, line.len));
    ck_assert(rpc_is_light("{}", 2));
    buf_free(&line);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("rpc");
    add_test(suite, "envelope", envelope, sizeof envelopes / sizeof *envelopes);
    add_test(suite, "nul", nul_byte, 0);
    add_test(suite, "depth", nesting, 0);
    add_test(suite, "strings", brackets_in_strings_are_no_depth, 0);
    add_test(suite, "containers", too_many_containers, 0);
    add_test(suite, "batches", batch_sizes, 0);
    add_test(suite, "ids", long_ids, 0);
    add_test(suite, "weight", weight, 0);
    return run_suite(suite);
}
