/* Replies and notifications, byte for byte where clients depend on it. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "proto/proto.h"
#include "proto/span.h"
#include "tests/support.h"

static struct text text_of(const char *string) {
    return (struct text){string, strlen(string)};
}

static void text_is(struct text text, const char *wanted) {
    ck_assert_msg(text.bytes && text.len == strlen(wanted) &&
                      memcmp(text.bytes, wanted, text.len) == 0,
                  "%.*s is not %s", (int)text.len, text.bytes ? text.bytes : "absent", wanted);
}

/* ---- errors ---- */

static const struct {
    struct error error;
    const char *reply; /* what follows "code": */
} errors[] = {
    {{.code = ERROR_PARSE, .message = "x"}, "-32700,\"message\":\"parse_error: x\"}}"},
    {{.code = ERROR_INVALID_REQUEST, .message = "x"},
     "-32600,\"message\":\"invalid_request: x\"}}"},
    {{.code = ERROR_METHOD_NOT_FOUND, .message = "x"},
     "-32601,\"message\":\"method_not_found: x\"}}"},
    {{.code = ERROR_INVALID_PARAMS, .message = "x", .path = "a[1].b"},
     "-32602,\"message\":\"invalid_params: x\",\"data\":{\"path\":\"a[1].b\"}}}"},
    {{.code = ERROR_INTERNAL, .message = "x"}, "-32603,\"message\":\"internal_error: x\"}}"},
    {{.code = ERROR_OVERLOADED, .message = "x", .numbers = {250, 17}},
     "1001,\"message\":\"overloaded: x\",\"data\":{\"retry_after_ms\":250,\"queue_depth\":17}}}"},
    {{.code = ERROR_DEADLINE, .message = "x"},
     "1002,\"message\":\"deadline_exceeded: x\",\"data\":{\"phase\":\"queued\"}}}"},
    {{.code = ERROR_CONTEXT_LENGTH, .message = "p", .numbers = {429, 10, 512}},
     "1003,\"message\":\"context_length_exceeded: the maximum context length is exceeded: p\","
     "\"data\":{\"prompt_tokens\":429,\"max_tokens\":10,\"n_ctx\":512}}}"},
    {{.code = ERROR_CONTEXT_LENGTH, .message = "the maximum context length is 512 tokens"},
     "1003,\"message\":\"context_length_exceeded: the maximum context length is 0512 tokens\","
     "\"data\":{\"prompt_tokens\":0,\"max_tokens\":0,\"n_ctx\":0}}}"},
    {{.code = ERROR_SCHEMA_UNSUPPORTED,
      .message = "x",
      .path = "/a",
      .keyword = "not",
      .reason = "r"},
     "1004,\"message\":\"schema_unsupported: x\",\"data\":{\"path\":\"/a\",\"keyword\":\"not\","
     "\"reason\":\"r\"}}}"},
    {{.code = ERROR_MODEL_NOT_READY, .message = "x", .reason = "loading"},
     "1005,\"message\":\"model_not_ready: x\",\"data\":{\"reason\":\"loading\"}}}"},
    {{.code = ERROR_SHUTTING_DOWN, .message = "x"}, "1006,\"message\":\"shutting_down: x\"}}"},
    {{.code = ERROR_OUT_OF_MEMORY, .message = "x"}, "1007,\"message\":\"out_of_memory: x\"}}"},
    {{.code = ERROR_PERMISSION, .message = "x"}, "1008,\"message\":\"permission_denied: x\"}}"},
    {{.code = ERROR_MESSAGE_TOO_LARGE, .message = "x", .numbers = {4194304}},
     "1009,\"message\":\"message_too_large: x\",\"data\":{\"limit\":4194304}}}"},
    {{.code = ERROR_CANCELLED, .message = "x", .reason = "disconnect"},
     "1010,\"message\":\"cancelled: x\",\"data\":{\"reason\":\"disconnect\"}}}"},
    {{.code = ERROR_CACHE, .message = "x"}, "1011,\"message\":\"cache_error: x\"}}"},
    {{.code = ERROR_UNSUPPORTED_PROTOCOL, .message = "x"},
     "1012,\"message\":\"unsupported_protocol: x\",\"data\":{\"supported\":[1]}}}"},
    {{.code = ERROR_TEMPLATE, .message = "x", .numbers = {3}},
     "1013,\"message\":\"template_error: x\",\"data\":{\"line\":3}}}"},
    {{.code = ERROR_TEMPLATE, .message = "x"}, "1013,\"message\":\"template_error: x\"}}"},
    {{.code = ERROR_OUTPUT_INVALID, .message = "x", .path = "/a"},
     "1014,\"message\":\"output_invalid: x\",\"data\":{\"path\":\"/a\"}}}"},
    /* text that comes from clients */
    {{.code = ERROR_INVALID_PARAMS, .message = "a\"\\\n\x01\xff", .path = "\xc3"},
     "-32602,\"message\":\"invalid_params: a\\\"\\\\\\n\\u0001\xef\xbf\xbd\","
     "\"data\":{\"path\":\"\xef\xbf\xbd\"}}}"},
};

START_TEST(error_replies) {
    struct buf out = {0}, wanted = {0};
    reply_error(&out, "7", &errors[_i].error, NULL);
    buf_printf(&wanted, "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":%s", errors[_i].reply);
    ck_assert_str_eq(out.bytes, wanted.bytes);
    struct error found = {0};
    ck_assert_msg(json_check((struct text){out.bytes, out.len}, &found), "%s", found.message);
    buf_free(&out);
    buf_free(&wanted);
}
END_TEST

/* Numbers that agents would take for HTTP statuses get a zero that changes nothing. */
static const struct {
    const char *message, *wire;
} numbers[] = {
    {"429 tokens", "0429 tokens"},
    {"has 300", "has 0300"},
    {"599.", "0599."},
    {"299 and 600", "299 and 600"},
    {"tools[404].x", "tools[0404].x"},
    {"1429 4290 42", "1429 4290 42"},
    {"1.500 s", "1.5000 s"},
    {"code 3.429", "code 3.4290"},
    {"v. 429", "v. 0429"},
    {".429", ".0429"},
    {"-400", "-0400"},
    {"get_404", "get_0404"},
    {"512ms", "0512ms"},
    {"0429", "0429"},
    {"1,429", "1,0429"},
    {"", ""},
    {"1.2.404.5", "1.2.4040.5"},
};

START_TEST(no_http_statuses) {
    struct error error = {.code = ERROR_INTERNAL};
    struct buf out = {0}, message = {0};
    snprintf(error.message, sizeof error.message, "%s", numbers[_i].message);
    reply_error(&out, NULL, &error, NULL);
    struct text reply = {out.bytes, out.len};
    text_is(span_member(reply, "id"), "null");
    span_decode(&message, span_member(span_member(reply, "error"), "message"));
    ck_assert_str_eq(message.bytes + strlen("internal_error: "), numbers[_i].wire);
    buf_free(&out);
    buf_free(&message);
}
END_TEST

/* ---- results ---- */

static const struct result_logprob top[] = {{5, -0.25f}, {6, -INFINITY}};
static const struct token_logprobs logprobs[] = {{5, -0.25f, top, 2}, {7, -0.1f, NULL, 0}};

static struct generation_result result_new(struct result_call *calls, size_t n_calls) {
    return (struct generation_result){
        .calls = calls,
        .n_calls = n_calls,
        .finish = FINISH_TOOL_CALLS,
        .prompt_tokens = 99,
        .cached_tokens = 64,
        .completion_tokens = 21,
        .forced_tokens = 14,
        .steps = 7,
        .queue_ms = 0.0214,
        .prefill_ms = 41.5,
        .decode_ms = 38,
        .total_ms = 79.5214,
        .cache_key = "00112233445566778899aabbccddeeff",
        .cache_hit = true,
        .seed = UINT64_C(1) << 53,
    };
}

START_TEST(generation) {
    struct result_call calls[] = {{text_of("a\"b"), text_of("{\"x\": 0.10, \"y\":1e400}")},
                                  {text_of("c"), text_of("{}")}};
    struct generation_result result = result_new(calls, 2);
    struct buf out = {0};
    reply_generation(&out, "\"i\"", &result, "m\"1", "8f");
    ck_assert_str_eq(
        out.bytes,
        "{\"jsonrpc\":\"2.0\",\"id\":\"i\",\"result\":{\"calls\":[{\"id\":\"call_8f_0\","
        "\"name\":\"a\\\"b\",\"arguments\":{\"x\": 0.10, \"y\":1e400}},{\"id\":\"call_8f_1\","
        "\"name\":\"c\",\"arguments\":{}}],\"content\":null,\"finish_reason\":\"tool_calls\","
        "\"usage\":{\"prompt_tokens\":99,\"cached_tokens\":64,\"completion_tokens\":21,"
        "\"forced_tokens\":14,\"drafted_tokens\":0,\"accepted_tokens\":0,\"steps\":7,"
        "\"total_tokens\":120},\"timing\":{\"queue_ms\":0.021,\"prefill_ms\":41.5,\"decode_ms\":38,"
        "\"total_ms\":79.521},\"cache\":{\"key\":\"00112233445566778899aabbccddeeff\","
        "\"hit_tokens\":64,\"source\":\"ram\"},\"model\":\"m\\\"1\",\"seed\":9007199254740992}}");
    struct error error = {0};
    struct text body = span_member((struct text){out.bytes, out.len}, "result");
    ck_assert_msg(rpc_check_result(METHOD_TOOL_CALL, body.bytes, body.len, &error), "%s",
                  error.message);
    buf_free(&out);
}
END_TEST

START_TEST(generation_text_and_logprobs) {
    struct generation_result result = result_new(NULL, 0);
    struct buf out = {0};
    result.content = text_of("");
    result.finish = FINISH_LENGTH;
    result.cache_hit = false;
    result.logprobs = logprobs;
    result.n_logprobs = 2;
    reply_generation(&out, "1", &result, "m", "1");
    struct text body = span_member((struct text){out.bytes, out.len}, "result");
    text_is(span_member(body, "calls"), "[]");
    text_is(span_member(body, "content"), "\"\"");
    text_is(span_member(body, "finish_reason"), "\"length\"");
    text_is(span_member(span_member(body, "cache"), "source"), "\"none\"");
    text_is(span_member(body, "logprobs"),
            "[{\"token\":5,\"logprob\":-0.25,\"top\":[{\"token\":5,\"logprob\":-0.25},"
            "{\"token\":6,\"logprob\":null}]},{\"token\":7,\"logprob\":-0.1,\"top\":[]}]");
    struct error error = {0};
    ck_assert_msg(rpc_check_result(METHOD_CHAT, body.bytes, body.len, &error), "%s", error.message);
    buf_free(&out);
}
END_TEST

START_TEST(partial) {
    struct result_call calls[] = {{text_of("a"), text_of("{\"x\":1}")}};
    struct generation_result result = result_new(calls, 1);
    struct error error = {.code = ERROR_DEADLINE, .message = "x"};
    struct buf out = {0};
    result.phase = "decode";
    result.content = text_of("so far");
    reply_error(&out, "1", &error, &result);
    struct text data = span_member(span_member((struct text){out.bytes, out.len}, "error"), "data");
    text_is(span_member(data, "phase"), "\"decode\"");
    text_is(span_member(span_member(data, "partial"), "content"), "\"so far\"");
    text_is(span_member(span_member(data, "partial"), "calls"),
            "[{\"name\":\"a\",\"arguments\":{\"x\":1}}]");
    ck_assert(json_check((struct text){out.bytes, out.len}, &(struct error){0}));
    buf_free(&out);
}
END_TEST

START_TEST(odd_times) {
    static const struct {
        double ms;
        const char *text;
    } times[] = {{0, "0"},   {-0.0, "0"},     {-0.0001, "0"},
                 {1, "1"},   {100, "100"},    {1234567.8916, "1234567.892"},
                 {NAN, "0"}, {INFINITY, "0"}, {1e300, "0"}};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct generation_result result = {.total_ms = times[i].ms};
        struct buf out = {0};
        reply_generation(&out, "1", &result, "m", "1");
        struct text timing =
            span_member(span_member((struct text){out.bytes, out.len}, "result"), "timing");
        text_is(span_member(timing, "total_ms"), times[i].text);
        buf_free(&out);
    }
}
END_TEST

START_TEST(small_replies) {
    struct buf out = {0};
    reply_tokens(&out, "1", (const uint32_t[]){1, 4294967295u}, 2);
    ck_assert_str_eq(out.bytes,
                     "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tokens\":[1,4294967295]}}");
    out.len = 0;
    reply_tokens(&out, "1", NULL, 0);
    ck_assert_str_eq(out.bytes, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tokens\":[]}}");
    out.len = 0;
    reply_text(&out, "\"a\"", "text", (struct text){"a\0\x7f\xe2\x82", 5});
    ck_assert_str_eq(out.bytes, "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"result\":{\"text\":"
                                "\"a\\u0000\\u007f\xef\xbf\xbd\xef\xbf\xbd\"}}");
    out.len = 0;
    reply_raw(&out, "1", "{\"a\":1}", 7);
    ck_assert_str_eq(out.bytes, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":1}}");
    buf_free(&out);
}
END_TEST

/* ---- notifications ---- */

START_TEST(token_line) {
    struct buf out = {0};
    const uint32_t tokens[] = {5, 7};
    struct generation_chunk chunk = {3, text_of("h\xc3\xa9\n"), tokens, 2, logprobs};
    notify_token(&out, "9", &chunk);
    ck_assert_str_eq(out.bytes,
                     "{\"jsonrpc\":\"2.0\",\"method\":\"token\",\"params\":{\"id\":9,\"seq\":3,"
                     "\"text\":\"h\xc3\xa9\\n\",\"tokens\":[5,7],\"logprobs\":[{\"token\":5,"
                     "\"logprob\":-0.25,\"top\":[{\"token\":5,\"logprob\":-0.25},{\"token\":6,"
                     "\"logprob\":null}]},{\"token\":7,\"logprob\":-0.1,\"top\":[]}]}}\n");
    buf_free(&out);
}
END_TEST

/* However long the chunk: lines under 64 KiB, the texts joined are the text, the tokens the tokens.
 */
static void check_pieces(const char *text, size_t len, size_t n_tokens) {
    struct buf out = {0}, joined = {0};
    uint32_t *tokens = malloc((n_tokens + 1) * sizeof *tokens);
    size_t seen = 0;
    for (size_t i = 0; i < n_tokens; i++) tokens[i] = UINT32_MAX - (uint32_t)i;
    notify_token(&out, "9", &(struct generation_chunk){0, {text, len}, tokens, n_tokens, NULL});
    for (char *line = out.bytes, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        ck_assert_uint_lt((size_t)(end + 1 - line), 65536);
        struct text params = span_member((struct text){line, (size_t)(end - line)}, "params"), item;
        span_decode(&joined, span_member(params, "text"));
        struct span_walk walk = span_open(span_member(params, "tokens"));
        for (int64_t id; span_next(&walk, &item) && span_integer(&id, item); seen++)
            if ((uint32_t)id != UINT32_MAX - seen) ck_abort_msg("token %zu", seen);
    }
    ck_assert_uint_eq(seen, n_tokens);
    ck_assert(joined.len == len && memcmp(joined.bytes, text, len) == 0);
    free(tokens);
    buf_free(&out);
    buf_free(&joined);
}

START_TEST(long_chunks) {
    enum { BIG = 200000 };
    char *text = malloc(BIG);
    memset(text, 1, BIG); /* escaped to six bytes each */
    check_pieces(text, BIG, 1);
    check_pieces(text, 10, 30000);
    check_pieces(text, 10923, 1);
    for (size_t i = 0; i + 4 <= BIG; i += 4) memcpy(text + i, "\xf0\x9f\x98\x80", 4);
    check_pieces(text, BIG, 30000);
    memmove(text + 1, text, BIG - 4);
    text[0] = 'a';
    check_pieces(text, BIG - 3, 2);
    free(text);
}
END_TEST

START_TEST(long_logprobs_are_dropped) {
    enum { N = 3000 };
    struct token_logprobs *list = calloc(N, sizeof *list);
    uint32_t *tokens = calloc(N, sizeof *tokens);
    struct buf out = {0};
    notify_token(&out, "9", &(struct generation_chunk){0, text_of("x"), tokens, N, list});
    ck_assert_ptr_null(strstr(out.bytes, "logprobs"));
    ck_assert_ptr_eq(strchr(out.bytes, '\n') + 1, out.bytes + out.len);
    free(list);
    free(tokens);
    buf_free(&out);
}
END_TEST

START_TEST(progress_lines) {
    struct buf out = {0};
    notify_progress(&out, "\"i\"", 4, &(struct generation_progress){"prefill", 10, 50, 9}, 700);
    ck_assert_str_eq(
        out.bytes,
        "{\"jsonrpc\":\"2.0\",\"method\":\"progress\",\"params\":{\"id\":\"i\",\"seq\":4,"
        "\"phase\":\"prefill\",\"done\":10,\"total\":50,\"eta_ms\":700}}\n");
    out.len = 0;
    notify_progress(&out, "1", 0, &(struct generation_progress){"queued", 0, 0, 3}, -1);
    ck_assert_ptr_nonnull(strstr(out.bytes, "\"queue_position\":3}}\n"));
    buf_free(&out);
}
END_TEST

START_TEST(quoting) {
    for (uint32_t c = 0; c < 0x110000; c = c < 0x300 ? c + 1 : c * 2 + 1) {
        char bytes[4];
        if (c >= 0xD800 && c < 0xE000) continue;
        size_t n = utf8_encode(c, bytes);
        struct buf out = {0}, back = {0};
        json_quote(&out, (struct text){bytes, n});
        ck_assert_msg(json_check((struct text){out.bytes, out.len}, &(struct error){0}), "U+%04X",
                      c);
        ck_assert(span_decode(&back, (struct text){out.bytes, out.len}));
        ck_assert_msg(back.len == n && memcmp(back.bytes, bytes, n) == 0, "U+%04X", c);
        buf_free(&out);
        buf_free(&back);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("reply");
    add_test(suite, "errors", error_replies, sizeof errors / sizeof *errors);
    add_test(suite, "numbers", no_http_statuses, sizeof numbers / sizeof *numbers);
    add_test(suite, "generation", generation, 0);
    add_test(suite, "text", generation_text_and_logprobs, 0);
    add_test(suite, "partial", partial, 0);
    add_test(suite, "times", odd_times, 0);
    add_test(suite, "small", small_replies, 0);
    add_test(suite, "token", token_line, 0);
    add_test(suite, "long", long_chunks, 0);
    add_test(suite, "logprobs", long_logprobs_are_dropped, 0);
    add_test(suite, "progress", progress_lines, 0);
    add_test(suite, "quoting", quoting, 0);
    return run_suite(suite);
}
