/* JSON read in place. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "proto/proto.h"
#include "proto/span.h"
#include "tests/support.h"

static struct text text_of(const char *string) {
    return (struct text){string, strlen(string)};
}

static void text_is(struct text text, const char *wanted) {
    if (!wanted) {
        ck_assert_ptr_null(text.bytes);
        return;
    }
    ck_assert_msg(text.bytes && text.len == strlen(wanted) &&
                      memcmp(text.bytes, wanted, text.len) == 0,
                  "%.*s is not %s", (int)text.len, text.bytes ? text.bytes : "absent", wanted);
}

static const struct {
    const char *object, *name, *value;
} members[] = {
    {"{\"a\":1}", "a", "1"},
    {"{\"a\":1}", "b", NULL},
    {" { \"a\" : 1 , \"b\" : [ 1 , 2 ] } ", "b", "[ 1 , 2 ]"},
    {"{\"a\":{\"b\":1},\"b\":2}", "b", "2"},
    {"{\"x\":\"\\\"b\\\":9\",\"b\":\"}\"}", "b", "\"}\""},
    {"{\"x\":\"\\\\\",\"b\":-1.50e+3}", "b", "-1.50e+3"},
    {"{\"\\u0062\":true}", "b", "true"},
    {"{\"\\ud83d\\ude00\":null}", "\xf0\x9f\x98\x80", "null"},
    {"{\"a\\n\":[]}", "a\n", "[]"},
    {"{\"a\":[{\"b\":[]},{}],\"b\":{}}", "b", "{}"},
    {"{}", "a", NULL},
    {"[\"a\",1]", "a", NULL},
    {"5", "a", NULL},
    {"", "a", NULL},
    {"{\"ab\":1,\"a\":2}", "a", "2"},
    {"{\"a\":1,\"ab\":2}", "ab", "2"},
};

START_TEST(member) {
    text_is(span_member(text_of(members[_i].object), members[_i].name), members[_i].value);
}
END_TEST

START_TEST(items) {
    static const char *const wanted[] = {"1", "[2,3]", "\"]\"", "{\"a\":[4]}", "null"};
    struct span_walk walk = span_open(text_of("[1 ,[2,3], \"]\",{\"a\":[4]},null ] trailing"));
    struct text item;
    for (size_t i = 0; i < 5; i++) {
        ck_assert(span_next(&walk, &item));
        text_is(item, wanted[i]);
    }
    ck_assert(!span_next(&walk, &item));
    ck_assert(!span_next(&walk, &item));
}
END_TEST

START_TEST(absent_is_empty) {
    struct text item;
    struct span_walk walk = span_open((struct text){0});
    ck_assert(!span_next(&walk, &item));
    text_is(span_member((struct text){0}, "a"), NULL);
    ck_assert(!span_equals((struct text){0}, ""));
    ck_assert(!span_decode(&(struct buf){0}, (struct text){0}));
    ck_assert(!span_integer(&(int64_t){0}, (struct text){0}));
}
END_TEST

START_TEST(decoding) {
    static const struct {
        const char *literal, *text;
    } cases[] = {
        {"\"\"", ""},
        {"\"abc\"", "abc"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"\\u0041\\u00e9\\u20AC\"", "A\xc3\xa9\xe2\x82\xac"},
        {"\"\\uD83D\\uDE00x\"", "\xf0\x9f\x98\x80x"},
        {"\"\\ud800\"", "\xef\xbf\xbd"},
        {"\"\\ud800\\u0041\"", "\xef\xbf\xbd"
                               "A"},
        {"\"\\udc00\"", "\xef\xbf\xbd"},
        {"\"\\u00\"", "\xef\xbf\xbd"},
        {"5", NULL},
        {"\"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out = {0};
        buf_add(&out, "", 0);
        bool literal = span_decode(&out, text_of(cases[i].literal));
        ck_assert_int_eq(literal, cases[i].text != NULL);
        if (literal) ck_assert_str_eq(out.bytes, cases[i].text);
        if (literal) ck_assert(span_equals(text_of(cases[i].literal), cases[i].text));
        if (literal) ck_assert(!span_equals(text_of(cases[i].literal), "other"));
        buf_free(&out);
    }
}
END_TEST

START_TEST(integers) {
    static const struct {
        const char *literal;
        bool fine;
        int64_t value;
    } cases[] = {
        {"0", true, 0},
        {"-1", true, -1},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"1.0", false, 0},
        {"1e3", false, 0},
        {"\"1\"", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {"null", false, 0},
        {"99999999999999999999999999", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t value = 0;
        ck_assert_int_eq(span_integer(&value, text_of(cases[i].literal)), cases[i].fine);
        if (cases[i].fine) ck_assert_int_eq(value, cases[i].value);
    }
}
END_TEST

/* On bytes that are no JSON: stays inside (a sanitizer watches) and ends. */
START_TEST(garbage) {
    static const char alphabet[] = "{}[]\",:\\u0a1 -\n";
    unsigned random = 1;
    for (int round = 0; round < 20000; round++) {
        char bytes[24];
        size_t n = (random >> 16) % sizeof bytes;
        for (size_t i = 0; i < n; i++) {
            random = random * 1103515245 + 12345;
            bytes[i] = alphabet[(random >> 16) % (sizeof alphabet - 1)];
        }
        random = random * 1103515245 + 12345;
        char *exact = malloc(n + !n);
        memcpy(exact, bytes, n);
        struct text all = {exact, n}, key, value;
        struct buf out = {0};
        struct span_walk walk = span_open(all);
        while (span_next_member(&walk, &key, &value)) span_decode(&out, key);
        walk = span_open(all);
        while (span_next(&walk, &value)) span_decode(&out, value);
        span_member(all, "a");
        span_decode(&out, all);
        buf_free(&out);
        free(exact);
    }
}
END_TEST

START_TEST(checked) {
    struct error error = {0};
    ck_assert(json_check(text_of("{\"a\":[1e999]}"), &error));
    ck_assert(!json_check(text_of("{\"a\":}"), &error));
    ck_assert_int_eq(error.code, ERROR_PARSE);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("span");
    TCase *tests = tcase_create("span");
    tcase_add_loop_test(tests, member, 0, sizeof members / sizeof *members);
    tcase_add_test(tests, items);
    tcase_add_test(tests, absent_is_empty);
    tcase_add_test(tests, decoding);
    tcase_add_test(tests, integers);
    tcase_add_test(tests, garbage);
    tcase_add_test(tests, checked);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
