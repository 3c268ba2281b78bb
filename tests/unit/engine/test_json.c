/* json: what is read, what is refused, exact numbers, and bounds of hostile texts. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "engine/decimal.h"
#include "engine/json.h"
#include "tests/support.h"

static struct json_doc *parse(const char *text) {
    struct error error = {0};
    struct json_doc *doc = json_parse(text, strlen(text), 64, &error);
    ck_assert_msg(doc != NULL, "%s: %s", text, error.message);
    return doc;
}

static void refuse_n(const char *text, size_t n) {
    /* A copy without slack, so that a sanitizer sees a read past the end. */
    char *exact = malloc(n ? n : 1);
    memcpy(exact, text, n);
    struct error error = {0};
    struct json_doc *doc = json_parse(exact, n, 64, &error);
    ck_assert_msg(doc == NULL, "accepted: %.*s", (int)n, text);
    ck_assert_int_eq(error.code, ERROR_PARSE);
    free(exact);
}

static void refuse(const char *text) {
    refuse_n(text, strlen(text));
}

START_TEST(reads_values) {
    static const struct {
        const char *text;
        enum json_type type;
        uint32_t len;
    } cases[] = {
        {"null", JSON_NULL, 0},
        {" true\n", JSON_TRUE, 0},
        {"false", JSON_FALSE, 0},
        {"0", JSON_NUMBER, 1},
        {"-0.5e+10", JSON_NUMBER, 8},
        {"\"\"", JSON_STRING, 0},
        {"[]", JSON_ARRAY, 0},
        {"[ ]", JSON_ARRAY, 0},
        {"{\t}", JSON_OBJECT, 0},
        {"[1,2 , 3]", JSON_ARRAY, 3},
        {"{\"a\":1}", JSON_OBJECT, 1},
        {"\"\\u00e9\"", JSON_STRING, 2},
        {"\"\\ud83d\\ude00\"", JSON_STRING, 4},
        {"\"\\u0000\"", JSON_STRING, 1},
        {"\"a long plain text, then \\n\"", JSON_STRING, 25},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_doc *doc = parse(cases[i].text);
        ck_assert_msg(json_root(doc)->type == cases[i].type, "%s", cases[i].text);
        ck_assert_msg(json_root(doc)->len == cases[i].len, "%s: len", cases[i].text);
        json_free(doc);
    }
}
END_TEST

START_TEST(decodes_escapes) {
    struct json_doc *doc = parse("\"\\\"\\\\\\/\\b\\f\\n\\r\\tx\\u00E9\\uD83D\\uDE00é\"");
    ck_assert(json_is_string(json_root(doc), "\"\\/\b\f\n\r\tx\xc3\xa9\xf0\x9f\x98\x80\xc3\xa9"));
    json_free(doc);
}
END_TEST

START_TEST(keeps_order_spelling_and_source) {
    struct json_doc *doc =
        parse(" {\"b\" : 123456789012345678901234567890, \"\\u0061\": [1.50] } ");
    const struct json *root = json_root(doc);
    ck_assert_uint_eq(root->len, 2);
    ck_assert_mem_eq(root->keys[0].text, "b", 1);
    ck_assert_mem_eq(root->keys[1].text, "a", 1);
    ck_assert_uint_eq(root->items[0]->len, 30);
    ck_assert_int_eq(root->raw[root->raw_len - 1], '}');
    const struct json *a = json_get(root, "a");
    ck_assert_uint_eq(a->raw_len, 6);
    ck_assert_mem_eq(a->raw, "[1.50]", 6);
    ck_assert_mem_eq(a->items[0]->text, "1.50", 4);
    ck_assert_ptr_null(json_get(root, "c"));
    ck_assert_ptr_null(json_get(a, "c"));
    json_free(doc);
}
END_TEST

START_TEST(refuses_malformed) {
    static const char *const cases[] = {
        "",
        " ",
        "nul",
        "nulll",
        "True",
        "01",
        "-",
        "+1",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x10",
        "1 2",
        "[1,]",
        "[,1]",
        "[1",
        "[1 2]",
        "]",
        "{",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "{\"a\":1 \"b\":2}",
        "\"",
        "\"a",
        "\"\\",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12G4\"",
        "\"\\ud800\"",
        "\"\\ud800x\"",
        "\"\\ud800\\n\"",
        "\"\\udc00\"",
        "\"\\ud800\\ud800\"",
        "\"\t\"",
        "\"a\nb\"",
        "\"\x80\"",
        "\"\xc0\xaf\"",
        "\"\xed\xa0\x80\"",
        "\"\xf4\x90\x80\x80\"",
        "\"\xc3",
        "\"abcdefgh\x1fijkl\"",
        "\"\\u00",
        "\xef\xbb\xbf"
        "1",
        "NaN",
        "[1]x",
        "/**/1",
        "'a'",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "[{\"\":1,\"\":1}]",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) refuse(cases[i]);
    refuse_n("1\0", 2);
    refuse_n("\"a\0b\"", 5);
    refuse_n("\"\\\0\"", 4);
}
END_TEST

START_TEST(bounds_depth) {
    struct buf text = {0};
    for (unsigned depth = 1; depth <= 513; depth += 511) { /* 1, 512 */
        buf_free(&text);
        text = (struct buf){0};
        for (unsigned i = 0; i < depth; i++) buf_add_str(&text, i % 2 ? "{\"a\":" : "[");
        buf_add_str(&text, "0");
        for (unsigned i = depth; i-- > 0;) buf_add_str(&text, i % 2 ? "}" : "]");
        struct error error = {0};
        ck_assert_ptr_null(json_parse(text.bytes, text.len, depth - 1, &error));
        struct json_doc *doc = json_parse(text.bytes, text.len, depth, &(struct error){0});
        ck_assert_ptr_nonnull(doc);
        json_free(doc);
    }
    buf_free(&text);
    char deep[100000];
    memset(deep, '[', sizeof deep);
    ck_assert_ptr_null(json_parse(deep, sizeof deep, 1000000, &(struct error){0}));
}
END_TEST

START_TEST(error_names_the_offset) {
    struct error error = {0};
    ck_assert_ptr_null(json_parse("[1, x]", 6, 64, &error));
    ck_assert_ptr_nonnull(strstr(error.message, "byte 000004"));
}
END_TEST

/* Objects of every size around the one from which they are indexed. */
START_TEST(finds_members) {
    for (unsigned n = 1; n <= 60; n++) {
        struct buf text = {0};
        buf_add_str(&text, "{");
        for (unsigned i = 0; i < n; i++)
            buf_printf(&text, "%s\"%.*skey%u\":%u", i ? "," : "", (int)(i % 7), "prefix",
                       i * 7 % 61, i);
        buf_add_str(&text, "}");
        struct json_doc *doc = parse(text.bytes);
        for (unsigned i = 0; i < n; i++) {
            char key[32], number[16];
            snprintf(key, sizeof key, "%.*skey%u", (int)(i % 7), "prefix", i * 7 % 61);
            snprintf(number, sizeof number, "%u", i);
            const struct json *value = json_get(json_root(doc), key);
            ck_assert_ptr_nonnull(value);
            ck_assert_mem_eq(value->raw, number, value->raw_len);
            strcat(key, "x");
            ck_assert_ptr_null(json_get(json_root(doc), key));
        }
        ck_assert_ptr_null(json_get(json_root(doc), ""));
        json_free(doc);
        text.bytes[text.len - 1] = ',';
        buf_printf(&text, "\"%.*skey%u\":1}", (int)((n - 1) % 7), "prefix", (n - 1) * 7 % 61);
        refuse(text.bytes);
        buf_free(&text);
    }
}
END_TEST

static int compare(const char *a, const char *b) {
    return json_number_compare(a, strlen(a), b, strlen(b));
}

START_TEST(compares_numbers) {
    static const struct {
        const char *a, *b;
        int order;
    } cases[] = {
        {"0", "-0", 0},
        {"0", "0e99999999999999999999", 0},
        {"1", "1.0", 0},
        {"1", "10e-1", 0},
        {"1", "0.1E+1", 0},
        {"100", "1e2", 0},
        {"0.001", "1e-3", 0},
        {"120", "12.0e1", 0},
        {"18446744073709551616", "18446744073709551617", -1},
        {"9007199254740993", "9007199254740992", 1},
        {"0.1", "0.10000000000000000000000000000001", -1},
        {"-1", "1", -1},
        {"-1", "-2", 1},
        {"-0.5", "0", -1},
        {"2", "10", -1},
        {"1.05", "1.5", -1},
        {"1e400", "1e399", 1},
        {"1e-400", "0", 1},
        {"1e-400", "1e-401", 1},
        {"-1e400", "1e-400", -1},
        {"10e399", "1e400", 0},
        {"1e99999999999999999999999", "1e99999999999999999999998", 1},
        {"1e99999999999999999999999", "10e99999999999999999999998", 0},
        {"1e100000000000000000000000", "10e99999999999999999999999", 0},
        {"1e-99999999999999999999999", "0.1e-99999999999999999999998", 0},
        {"1e-99999999999999999999999", "1e99999999999999999999998", -1},
        {"1e0000000000000000000000002", "100", 0},
        {"1001", "1.001e3", 0},
        {"1001", "1.0010001e3", -1},
        {"100100", "1001e2", 0},
        {"0.0100", "0.01", 0},
        {"10.01", "1001e-2", 0},
        {"5e-1", "0.5", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_msg(compare(cases[i].a, cases[i].b) == cases[i].order, "%s %s", cases[i].a,
                      cases[i].b);
        ck_assert_msg(compare(cases[i].b, cases[i].a) == -cases[i].order, "%s %s", cases[i].b,
                      cases[i].a);
    }
}
END_TEST

/* Against long double on numbers small enough to be exact there. */
START_TEST(compares_like_arithmetic) {
    srand(7);
    for (int i = 0; i < 200000; i++) {
        int m[2] = {rand() % 2001 - 1000, rand() % 2001 - 1000}, e[2] = {rand() % 5, rand() % 5};
        char text[2][48];
        long double value[2];
        for (int k = 0; k < 2; k++) {
            value[k] = m[k];
            for (int z = 0; z < e[k]; z++) value[k] *= 10;
            if (rand() % 2)
                snprintf(text[k], sizeof text[k], "%de%d", m[k], e[k]);
            else
                snprintf(text[k], sizeof text[k], "%.*Lfe%d", 6, value[k] / 1000, 3);
        }
        int order = value[0] < value[1] ? -1 : value[0] > value[1];
        ck_assert_msg(compare(text[0], text[1]) == order, "%s %s", text[0], text[1]);
    }
}
END_TEST

START_TEST(knows_integers) {
    static const char *const yes[] = {
        "0",        "-0",     "0.0",    "0e-5", "2.0",
        "1e3",      "1.50e1", "100e-2", "-12",  "1e99999999999999999999",
        "12300e-2", "0.00e1"};
    static const char *const no[] = {"0.5",     "1.5",  "1e-1", "100e-3", "1e-99999999999999999999",
                                     "1.505e2", "-0.1", "10.01"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        ck_assert_msg(json_number_is_integer(yes[i], strlen(yes[i])), "%s", yes[i]);
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        ck_assert_msg(!json_number_is_integer(no[i], strlen(no[i])), "%s", no[i]);
}
END_TEST

START_TEST(knows_multiples) {
    static const struct {
        const char *value, *divisor;
        bool multiple;
    } cases[] = {
        {"0", "3", true},
        {"9", "3", true},
        {"10", "3", false},
        {"-9", "3", true},
        {"4.5", "1.5", true},
        {"0.0075", "0.0001", true},
        {"0.00751", "0.0001", false},
        {"1e308", "0.123456789", false},
        {"1e308", "0.5", true},
        {"12391239123", "1e-8", true},
        {"1e-9", "1e-8", false},
        {"0.3", "0.1", true},
        {"1.1", "0.1", true},
        {"19.99", "0.01", true},
        {"5", "2.5e0", true},
        {"1e1000000000000", "1024", true},
        {"1e9", "1024", false},
        {"1e10", "1024", true},
        {"123456789012345678901234567890", "10", true},
        {"1e99999999999999999999", "7", false},
        {"700", "7e2", true},
        {"70", "7e2", false},
        {"0.7", "7", false},
        {"1", "3e-1", false},
        {"9999999999999999999999999999999999999", "9999999999999999999999999999999999999", true},
        {"3e40", "1234567890123456789012345678901234567", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(decimal_is_multiple(cases[i].value, strlen(cases[i].value), cases[i].divisor,
                                          strlen(cases[i].divisor)) == cases[i].multiple,
                      "%s %s", cases[i].value, cases[i].divisor);
}
END_TEST

START_TEST(compares_values) {
    static const struct {
        const char *a, *b;
        bool equal;
    } cases[] = {
        {"{\"a\":1,\"b\":[2.0]}", "{\"b\":[2],\"a\":10e-1}", true},
        {"[1,2]", "[2,1]", false},
        {"{\"a\":1}", "{\"a\":1,\"b\":1}", false},
        {"{\"a\":1}", "{\"b\":1}", false},
        {"0", "false", false},
        {"\"a\"", "\"\\u0061\"", true},
        {"\"1\"", "1", false},
        {"null", "null", true},
        {"[]", "{}", false},
        {"true", "false", false},
        {"\"\"", "null", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_doc *a = parse(cases[i].a), *b = parse(cases[i].b);
        ck_assert_msg(json_same(json_root(a), json_root(b)) == cases[i].equal, "%s", cases[i].a);
        ck_assert_msg(json_same(json_root(b), json_root(a)) == cases[i].equal, "%s", cases[i].a);
        json_free(a);
        json_free(b);
    }
}
END_TEST

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

/* Far from quadratic: 200,000 members, keys with a long common prefix. */
START_TEST(large_objects_are_not_quadratic) {
    struct buf text = {0};
    buf_add_str(&text, "{");
    for (int i = 0; i < 200000; i++)
        buf_printf(&text, "%s\"common prefix %d\":%d", i ? "," : "", i, i);
    buf_add_str(&text, "}");
    double begin = now_ms();
    struct json_doc *a = parse(text.bytes), *b = parse(text.bytes);
    ck_assert(json_same(json_root(a), json_root(b)));
    double ms = now_ms() - begin;
    ck_assert_msg(ms < 4000, "%.0f ms", ms);
    json_free(a);
    json_free(b);
    buf_free(&text);
}
END_TEST

static Suite *suite(void) {
    Suite *s = suite_create("json");
    TCase *t = tcase_create("json");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, reads_values);
    tcase_add_test(t, decodes_escapes);
    tcase_add_test(t, keeps_order_spelling_and_source);
    tcase_add_test(t, refuses_malformed);
    tcase_add_test(t, bounds_depth);
    tcase_add_test(t, error_names_the_offset);
    tcase_add_test(t, finds_members);
    tcase_add_test(t, compares_numbers);
    tcase_add_test(t, compares_like_arithmetic);
    tcase_add_test(t, knows_integers);
    tcase_add_test(t, knows_multiples);
    tcase_add_test(t, compares_values);
    tcase_add_test(t, large_objects_are_not_quadratic);
    suite_add_tcase(s, t);
    return s;
}

int main(void) {
    return run_suite(suite());
}
