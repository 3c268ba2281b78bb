/* The growing text: whole characters, stop strings, and that what was shown never changes, for every way of
 * cutting the bytes into tokens. */
#include <string.h>

#include "engine/output.h"
#include "tests/support.h"

/* Feeds bytes in pieces of `piece`, joins what is shown, and returns the final text. */
static void feed(const char *bytes, size_t n, size_t piece, const struct text *stop, size_t n_stop,
                 const char *expected) {
    struct output output;
    struct buf shown = {0};
    output_init(&output, stop, n_stop);
    for (size_t at = 0; at < n && !output.stopped; at += piece) {
        ck_assert(output_add(&output, bytes + at, n - at < piece ? n - at : piece));
        struct text text = output_take(&output, false, SIZE_MAX);
        buf_add(&shown, text.bytes, text.len);
    }
    ck_assert(output_finish(&output));
    struct text text = output_take(&output, true, SIZE_MAX);
    buf_add(&shown, text.bytes, text.len);
    ck_assert_msg(shown.len == strlen(expected) && memcmp(shown.bytes, expected, shown.len) == 0,
                  "pieces of %zu: shown \"%.*s\", expected \"%s\"", piece, (int)shown.len, shown.bytes, expected);
    ck_assert_uint_eq(output.text.len, strlen(expected));
    buf_free(&shown);
    output_free(&output);
}

static const struct {
    const char *bytes, *stops[3], *expected;
} cases[] = {
    {"plain", {NULL}, "plain"},
    {"gr\xC3\xBC\xC3\x9F \xF0\x9F\xA6\x9E", {NULL}, "gr\xC3\xBC\xC3\x9F \xF0\x9F\xA6\x9E"},
    {"bad\xFFyte", {NULL}, "bad\xEF\xBF\xBDyte"},
    {"cut \xF0\x9F", {NULL}, "cut \xEF\xBF\xBD\xEF\xBF\xBD"},
    {"over\xC0\xAFlong", {NULL}, "over\xEF\xBF\xBD\xEF\xBF\xBDlong"},
    {"one\ntwo", {"\n"}, "one"},
    {"aaab and more", {"aab"}, "a"},
    {"say END or STOP", {"STOP", "END"}, "say "},
    {"no such thing", {"thang"}, "no such thing"},
    {"ends with a beginning: sto", {"stop"}, "ends with a beginning: sto"},
    {"", {"x"}, ""},
};

START_TEST(every_cut) {
    struct text stop[3];
    size_t n_stop = 0, n = strlen(cases[_i].bytes);
    for (; n_stop < 3 && cases[_i].stops[n_stop]; n_stop++)
        stop[n_stop] = (struct text){cases[_i].stops[n_stop], strlen(cases[_i].stops[n_stop])};
    for (size_t piece = 1; piece <= n + 1; piece++)
        feed(cases[_i].bytes, n, piece, stop, n_stop, cases[_i].expected);
}
END_TEST

/* Text that may still be taken back is not shown, and is gone once it was. */
START_TEST(held_back) {
    struct output output;
    output_init(&output, NULL, 0);
    ck_assert(output_add(&output, "one \xC3", 5));
    struct output_mark mark = output_mark(&output);
    ck_assert(output_add(&output, "\xBC two", 5));
    struct text text = output_take(&output, false, mark.text);
    ck_assert_msg(text.len == 4 && memcmp(text.bytes, "one ", 4) == 0, "%.*s", (int)text.len, text.bytes);
    output_restore(&output, &mark);
    ck_assert(output_add(&output, "\xA4 three", 7));
    ck_assert_uint_eq(output_take(&output, false, 2).len, 0); /* shown is shown */
    text = output_take(&output, true, SIZE_MAX);
    ck_assert_msg(text.len == 8 && memcmp(text.bytes, "\xC3\xA4 three", 8) == 0, "%.*s", (int)text.len,
                  text.bytes);
    output_free(&output);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("output");
    TCase *tcase = tcase_create("output");
    tcase_add_loop_test(tcase, every_cut, 0, sizeof cases / sizeof *cases);
    tcase_add_test(tcase, held_back);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
