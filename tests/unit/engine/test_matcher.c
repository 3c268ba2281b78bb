/* A running match: forced bytes, lengths, closings, ends, copies; all against brute force. */
#include <check.h>

#include "base/buf.h"
#include "tests/support.h"
#include "tests/unit/engine/grammar_support.h"

static struct grammar *compile(const char *schema, bool closed, bool spaced) {
    struct error error = {0};
    struct grammar *grammar = grammar_from_schema(schema, strlen(schema), closed, spaced, NULL, &error);
    ck_assert_msg(grammar, "%s: %s %s", schema, error.message, error.path);
    return grammar;
}

/* The bytes that may come next; returns how many. */
static int next_bytes(struct matcher *matcher, unsigned char *bytes) {
    int n = 0;
    for (int byte = 0; byte < 256; byte++) {
        char c = (char)byte;
        if (matcher_allows(matcher, &c, 1)) bytes[n++] = (unsigned char)byte;
    }
    return n;
}

/* Length of the shortest completion, by trying everything up to `most` bytes; most + 1 if there is none. */
static unsigned brute_shortest(const struct matcher *matcher, unsigned most) {
    unsigned char bytes[256];
    struct error error = {0};
    if (matcher_may_end(matcher)) return 0;
    struct matcher *here = matcher_copy(matcher, &error);
    unsigned best = most + 1;
    int n = most ? next_bytes(here, bytes) : 0;
    for (int i = 0; i < n && best > 1; i++) {
        if (n > 40 && !strchr("\"ab", bytes[i])) continue; /* in a string one letter is as good as another */
        struct matcher *step = matcher_copy(matcher, &error);
        char c = (char)bytes[i];
        if (!matcher_accept(step, &c, 1)) ck_abort();
        unsigned rest = 1 + brute_shortest(step, best - 2 < most - 1 ? best - 2 : most - 1);
        if (rest < best) best = rest;
        matcher_free(step);
    }
    matcher_free(here);
    return best;
}

static const char *const schemas[] = {
    "{\"type\":\"string\",\"minLength\":2}",
    "{\"type\":\"integer\",\"minimum\":95,\"maximum\":1200}",
    "{\"type\":\"number\",\"exclusiveMinimum\":0,\"exclusiveMaximum\":0.02}",
    "{\"type\":\"integer\",\"maximum\":-7}",
    "{\"enum\":[\"abc\",\"abd\",10,1000,null]}",
    "{\"type\":\"array\",\"minItems\":2,\"maxItems\":3,\"items\":{\"enum\":[1,20]}}",
    "{\"type\":\"array\",\"prefixItems\":[{\"const\":\"x\"},{\"type\":\"boolean\"}],\"minItems\":1}",
    "{\"type\":\"object\",\"properties\":{\"a\":{\"const\":1},\"bb\":{\"const\":22}},\"required\":[\"bb\"]}",
    "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"null\"}},\"additionalProperties\":{\"const\":1},\"required\":[\"a\"]}",
    "{\"type\":\"object\",\"properties\":{\"\":{\"const\":1}},\"additionalProperties\":{\"const\":1}}",
    "{\"type\":\"object\",\"properties\":{\"b\":{\"const\":1},\"ab\":{\"const\":22},\"a\":{}},\"required\":[\"b\",\"ab\"],\"maxProperties\":2}",
    "{\"type\":\"object\",\"properties\":{\"b\":{\"const\":1},\"ab\":{\"const\":2}},\"required\":[\"b\"],\"minProperties\":2,\"additionalProperties\":false}",
    "{\"anyOf\":[{\"type\":\"array\",\"items\":{\"const\":11},\"minItems\":1},{\"type\":\"array\",\"items\":{\"const\":1},\"minItems\":2}]}",
    "{\"$defs\":{\"n\":{\"properties\":{\"k\":{\"anyOf\":[{\"$ref\":\"#/$defs/n\"},{\"const\":0}]}},\"required\":[\"k\"],\"type\":\"object\"}},\"$ref\":\"#/$defs/n\"}",
    "{\"type\":\"string\",\"pattern\":\"[\u4e00\u4e02]+\"}",
    "{\"type\":\"string\",\"pattern\":\"^[\u4e00\\ud83d\\ude00\u00e9]{2}\\n\\\"$\"}",
    "{\"type\":\"string\",\"pattern\":\"^(\\u0001|\u4e00\u4e00\u4e00)?[^ -~]$\"}",
    "{\"type\":\"string\",\"pattern\":\"^\u00e9+$\",\"minLength\":3,\"maxLength\":9}",
    "{\"type\":\"object\",\"propertyNames\":{\"enum\":[\"\u00e9\",\"\u00e8a\"]},\"properties\":{\"\u00e9\":{\"const\":1}},\"required\":[\"\u00e9\"],\"maxProperties\":1}",
};
enum { SCHEMAS = sizeof schemas / sizeof *schemas };

static void check_state(struct matcher *matcher, const struct buf *text) {
    char forced[64], closing[256];
    unsigned char bytes[256];
    int n = next_bytes(matcher, bytes);
    bool may_end = matcher_may_end(matcher);
    ck_assert(matcher_must_end(matcher) == (may_end && n == 0));
    ck_assert_msg(n || may_end, "dead end: %s", text->bytes);
    size_t n_forced = matcher_forced(matcher, forced, sizeof forced);
    ck_assert((n_forced > 0) == (n == 1 && !may_end));
    if (n_forced) ck_assert(forced[0] == (char)bytes[0]);
    uint32_t shortest = matcher_shortest(matcher);
    size_t n_closing = matcher_closing(matcher, closing, sizeof closing);
    ck_assert_msg(n_closing == shortest, "%s: closing %zu, shortest %u", text->bytes, n_closing, shortest);
    struct error error = {0};
    struct matcher *copy = matcher_copy(matcher, &error);
    ck_assert(matcher_accept(copy, closing, n_closing) && matcher_may_end(copy));
    matcher_free(copy);
    if (shortest <= 9) {
        unsigned brute = brute_shortest(matcher, shortest ? shortest - 1 : 0);
        ck_assert_msg(brute >= shortest, "%s: %u can be %u", text->bytes, shortest, brute);
    }
}

/* Closed, in schema order, and open, in any. */
START_TEST(states) {
    uint64_t seed = (uint64_t)_i;
    struct grammar *grammar = compile(schemas[_i / 2], _i % 2, _i & 2);
    for (int walk = 0; walk < 12; walk++) {
        struct matcher *matcher = new_matcher(grammar, NULL);
        struct buf text = {0};
        buf_add(&text, "", 0);
        if (walk == 0) ck_assert_uint_eq(matcher_shortest(matcher), grammar_shortest(grammar));
        for (int step = 0; step < 14; step++) {
            unsigned char bytes[256];
            check_state(matcher, &text);
            int n = next_bytes(matcher, bytes);
            if (n == 0) break;
            char c = (char)bytes[random_next(&seed) % (uint64_t)n];
            ck_assert(matcher_accept(matcher, &c, 1));
            buf_add(&text, &c, 1);
        }
        buf_free(&text);
        matcher_free(matcher);
    }
    grammar_unref(grammar);
}
END_TEST

static const struct grammar_syntax syntax = {"<tool_call>\n", "\n</tool_call>", "\n", true};
static const char arguments[] = "{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}},\"required\":[\"city\"]}";
static const struct grammar_tool tools[] = {{"get_weather", 11, arguments, sizeof arguments - 1}, {"get_time", 8, NULL, 0}};

static void expect_forced(struct matcher *matcher, const char *expected) {
    char bytes[128];
    size_t n = matcher_forced(matcher, bytes, sizeof bytes);
    ck_assert_msg(n == strlen(expected) && memcmp(bytes, expected, n) == 0, "%.*s", (int)n, bytes);
    ck_assert(matcher_accept(matcher, bytes, n));
}

static bool feed(struct matcher *matcher, const char *text) {
    return matcher_accept(matcher, text, strlen(text));
}

START_TEST(calls) {
    struct error error = {0};
    struct grammar *grammar = grammar_from_tools(tools, 2, GRAMMAR_CALLS, 2, &syntax, NULL, &error);
    struct matcher *matcher = new_matcher(grammar, NULL);
    ck_assert_uint_eq(grammar_shortest(grammar), matcher_shortest(matcher));
    expect_forced(matcher, "<tool_call>\n{\"name\": \"get_");
    ck_assert(!matcher_may_end(matcher) && !feed(matcher, "x"));
    ck_assert(feed(matcher, "weather"));
    expect_forced(matcher, "\", \"arguments\": {\"city\": \"");
    ck_assert(feed(matcher, "Paris\""));
    expect_forced(matcher, "}}\n</tool_call>");
    ck_assert(matcher_may_end(matcher) && !matcher_must_end(matcher));
    ck_assert_uint_eq(matcher_forced(matcher, (char[8]){0}, 8), 0); /* the text may end here */
    ck_assert(feed(matcher, "\n<tool_call>\n{\"name\": \"get_time\", \"arguments\": {}}\n</tool_call>"));
    ck_assert(matcher_must_end(matcher) && !feed(matcher, "\n"));
    matcher_free(matcher);
    grammar_unref(grammar);
}
END_TEST

START_TEST(free_text) {
    static const struct grammar_syntax overlapping = {"aab", "!", "", false};
    struct error error = {0};
    struct grammar *grammar = grammar_from_tools(tools, 2, GRAMMAR_AUTO, 1, &overlapping, NULL, &error);
    struct matcher *matcher = new_matcher(grammar, NULL);
    ck_assert_uint_eq(grammar_shortest(grammar), 0);
    ck_assert(matcher_is_free(matcher) && matcher_may_end(matcher) && !matcher_must_end(matcher));
    ck_assert(feed(matcher, "text \xFF aba aa"));
    ck_assert(matcher_is_free(matcher));
    ck_assert(!matcher_allows(matcher, "ab free", 7));
    ck_assert(feed(matcher, "ab{\"na")); /* "aaab" holds the marker */
    ck_assert(!matcher_is_free(matcher) && !matcher_may_end(matcher));
    expect_forced(matcher, "me\":\"get_");
    ck_assert(feed(matcher, "time\",\"arguments\":{}}!"));
    ck_assert(matcher_must_end(matcher));
    matcher_free(matcher);
    grammar_unref(grammar);
}
END_TEST

START_TEST(rejection_changes_nothing) {
    struct grammar *grammar = compile("{\"type\":\"array\",\"items\":{\"type\":\"array\"}}", false, false);
    struct matcher *matcher = new_matcher(grammar, NULL);
    ck_assert(feed(matcher, "[[1,\"a"));
    ck_assert(!feed(matcher, "\"]]x") && !feed(matcher, "\n"));
    ck_assert(feed(matcher, "\"]]") && matcher_must_end(matcher));
    matcher_free(matcher);
    grammar_unref(grammar);
}
END_TEST

START_TEST(depth_is_bounded) {
    struct grammar *grammar = compile("{}", false, false);
    struct matcher *matcher = new_matcher(grammar, NULL);
    int depth = 0;
    char closing[128];
    while (depth < 1000 && feed(matcher, "[")) depth++;
    ck_assert_int_lt(depth, 64);
    ck_assert(feed(matcher, "1") && !matcher_allows(matcher, ",{", 2));
    ck_assert_uint_eq(matcher_closing(matcher, closing, sizeof closing), (size_t)depth);
    matcher_free(matcher);
    grammar_unref(grammar);
}
END_TEST

/* An object of 100 members, of which every third is required. */
static struct grammar *wide_object(bool closed) {
    struct buf schema = {0};
    buf_add_str(&schema, "{\"type\":\"object\",\"properties\":{");
    for (int i = 99; i >= 0; i--)
        buf_printf(&schema, "\"k%02d\":{\"const\":%d}%s", i, i % 10, i ? "," : "},\"required\":[");
    for (int i = 0; i < 100; i += 3) buf_printf(&schema, "%s\"k%02d\"", i ? "," : "", i);
    buf_add_str(&schema, "]}");
    struct grammar *grammar = compile(schema.bytes, closed, false);
    buf_free(&schema);
    return grammar;
}

/* Members come in any order, none twice; what has to be added at the end comes in schema order. */
START_TEST(any_order) {
    struct grammar *grammar = wide_object(false);
    struct matcher *matcher = new_matcher(grammar, NULL);
    char member[32], closing[1024], expected[1024] = "";
    ck_assert(feed(matcher, "{\"k01\":1"));
    for (int n = 0, i = 37; n < 60; n++, i = (i + 37) % 100) {
        snprintf(member, sizeof member, ",\"k%02d\":%d", i, i % 10);
        ck_assert_msg(matcher_allows(matcher, member, strlen(member)) == (i != 1), "%s", member);
        if (i == 1) continue;
        ck_assert(feed(matcher, member) && !matcher_allows(matcher, member, strlen(member)));
    }
    for (int i = 99; i >= 0; i -= 3) {
        snprintf(member, sizeof member, ",\"k%02d\":%d", i, i % 10);
        if (matcher_allows(matcher, member, strlen(member))) strcat(expected, member);
    }
    ck_assert(!matcher_allows(matcher, ",\"new\":1", 8) && !matcher_allows(matcher, "}", 1));
    size_t n = matcher_closing(matcher, closing, sizeof closing);
    ck_assert_msg(n > 20 && n == strlen(expected) + 1 && !memcmp(closing, expected, n - 1), "%.*s", (int)n, closing);
    ck_assert_uint_eq(n, matcher_shortest(matcher));
    ck_assert(matcher_accept(matcher, closing, n - 1) && feed(matcher, ",\"new\":1") && feed(matcher, ",\"k94\":4}"));
    matcher_free(matcher);
    grammar_unref(grammar);
}
END_TEST

static const struct {
    const char *schema, *begun, *closing;
} key_closings[] = {
    {"{\"type\":\"object\",\"propertyNames\":{\"pattern\":\"\u00e9\"}}", "{\"a", "\u00e9\":0}"},
    {"{\"type\":\"object\",\"propertyNames\":{\"pattern\":\"\u00e9\"}}", "{\"\\u", "00E9\":0}"},
    {"{\"type\":\"object\",\"propertyNames\":{\"pattern\":\"\u00e9\"}}", "{\"\xc4", "\x80\u00e9\":0}"},
    {"{\"type\":\"object\",\"patternProperties\":{\"^(b|\u4e00\u00e9)+\u00e9$\":{}},\"additionalProperties\":false}",
     "{\"\xe4", "\xb8\x80\u00e9\u00e9\":0}"},
};

/* Keys that need characters beyond ASCII, also from inside one. */
START_TEST(key_closing) {
    struct grammar *grammar = compile(key_closings[_i].schema, false, false);
    struct matcher *matcher = new_matcher(grammar, NULL);
    char closing[256];
    ck_assert(feed(matcher, key_closings[_i].begun));
    size_t n = matcher_closing(matcher, closing, sizeof closing - 1);
    closing[n] = '\0';
    ck_assert_str_eq(closing, key_closings[_i].closing);
    ck_assert_uint_eq(n, matcher_shortest(matcher));
    ck_assert(feed(matcher, closing) && matcher_may_end(matcher));
    matcher_free(matcher);
    grammar_unref(grammar);
}
END_TEST

/* Also where members that a pattern declares might come first. */
START_TEST(closing_order) {
    struct grammar *grammar = compile(
        "{\"type\":\"object\",\"properties\":{\"b\":{\"const\":1},\"ab\":{\"const\":22},\"c\":{}},"
        "\"required\":[\"b\",\"ab\"],\"patternProperties\":{\"^a\":{\"type\":\"integer\"}},\"additionalProperties\":false}",
        false, false);
    struct matcher *matcher = new_matcher(grammar, NULL);
    char closing[64];
    size_t n = matcher_closing(matcher, closing, sizeof closing);
    ck_assert_msg(n == 15 && !memcmp(closing, "{\"b\":1,\"ab\":22}", n), "%.*s", (int)n, closing);
    ck_assert(feed(matcher, "{\"aa\":5,\"ab\":22"));
    n = matcher_closing(matcher, closing, sizeof closing);
    ck_assert_msg(n == 7 && !memcmp(closing, ",\"b\":1}", n), "%.*s", (int)n, closing);
    matcher_free(matcher);
    grammar_unref(grammar);
}
END_TEST

/* The arguments of tools keep the order that the schema declares. */
START_TEST(schema_order) {
    struct grammar *grammar = wide_object(true);
    struct matcher *matcher = new_matcher(grammar, NULL);
    ck_assert(feed(matcher, "{\"k99\":9,\"k97\":7") && !matcher_allows(matcher, ",\"k98", 5));
    ck_assert(!matcher_allows(matcher, ",\"k95", 5) && matcher_allows(matcher, ",\"k96", 5));
    matcher_free(matcher);
    grammar_unref(grammar);
}
END_TEST

/* Long texts do not pile up memory or forget keys. */
START_TEST(long_texts) {
    struct grammar *grammar = compile("{}", false, false);
    struct matcher *matcher = new_matcher(grammar, NULL);
    char member[64];
    ck_assert(feed(matcher, "[{\"k\":0"));
    for (int i = 0; i < 200; i++) {
        snprintf(member, sizeof member, ",\"k%d\":[{\"k\":%d}]", i, i);
        ck_assert(feed(matcher, member));
    }
    ck_assert(!matcher_allows(matcher, ",\"k7\":", 6) && matcher_allows(matcher, ",\"k7x\":", 7));
    ck_assert(feed(matcher, "}"));
    for (int i = 0; i < 20000; i++) ck_assert(feed(matcher, ",{\"a\":[1,2]}"));
    ck_assert(feed(matcher, "]") && matcher_must_end(matcher));
    matcher_free(matcher);
    grammar_unref(grammar);
}
END_TEST

/* What a long string lacks is filled in, wherever it is cut, and counts against the room. */
START_TEST(long_minimum) {
    static const char *const starts[] = {"[", "[\"", "[\"ab", "[\"\\u00"};
    struct grammar *grammar = compile("{\"type\":\"array\",\"items\":{\"type\":\"string\",\"minLength\":3000},\"minItems\":2}", false, false);
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        struct matcher *matcher = new_matcher(grammar, NULL);
        static char closing[8192];
        ck_assert(feed(matcher, starts[i]));
        uint32_t shortest = matcher_shortest(matcher);
        ck_assert_uint_ge(shortest, 6000 - 8);
        ck_assert_uint_eq(matcher_closing(matcher, closing, sizeof closing), shortest);
        ck_assert_uint_eq(matcher_closing(matcher, closing, shortest), shortest);
        ck_assert_uint_eq(matcher_closing(matcher, closing, shortest - 1), 0);
        ck_assert_uint_eq(matcher_closing(matcher, closing, 1000), 0);
        ck_assert_uint_eq(matcher_closing(matcher, closing, sizeof closing), shortest);
        ck_assert(matcher_accept(matcher, closing, shortest) && matcher_must_end(matcher));
        matcher_free(matcher);
    }
    grammar_unref(grammar);
}
END_TEST

static Suite *suite(void) {
    Suite *s = suite_create("matcher");
    TCase *t = tcase_create("matches");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, states, 0, 2 * SCHEMAS);
    tcase_add_test(t, calls);
    tcase_add_test(t, free_text);
    tcase_add_test(t, rejection_changes_nothing);
    tcase_add_test(t, depth_is_bounded);
    tcase_add_test(t, any_order);
    tcase_add_loop_test(t, key_closing, 0, sizeof key_closings / sizeof *key_closings);
    tcase_add_test(t, closing_order);
    tcase_add_test(t, schema_order);
    tcase_add_test(t, long_texts);
    tcase_add_test(t, long_minimum);
    suite_add_tcase(s, t);
    return s;
}

int main(void) {
    return run_suite(suite());
}
