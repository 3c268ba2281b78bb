/* regex: what matches, what is a syntax error, what is refused, and that steps are counted. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "engine/regex.h"
#include "tests/support.h"

static enum regex_verdict search(const char *pattern, const char *text, uint64_t steps) {
    struct error error = {0};
    struct regex *regex = regex_new(pattern, strlen(pattern), 100000, &error);
    ck_assert_msg(regex != NULL, "%s: %s", pattern, error.message);
    enum regex_verdict verdict = regex_search(regex, text, strlen(text), &steps);
    regex_free(regex);
    return verdict;
}

static const struct {
    const char *pattern, *yes[5], *no[5];
} cases[] = {
    {"", {"", "x"}, {0}},
    {"abc", {"abc", "xabcx"}, {"ab", ""}},
    {"^abc$", {"abc"}, {"xabc", "abcx", "abc\n"}},
    {"a|^b", {"xa", "b"}, {"xb", ""}},
    {"^(a|bc)*$", {"", "abca"}, {"ab", "c"}},
    {"^a{2}$", {"aa"}, {"a", "aaa"}},
    {"^a{2,}$", {"aa", "aaaaa"}, {"a"}},
    {"^a{1,3}$", {"a", "aaa"}, {"", "aaaa"}},
    {"^(ab?){2}$", {"aab", "abab", "aa"}, {"a", "abb"}},
    {"^a{,2}$", {"a{,2}"}, {"aa"}},
    {"^{}]$", {"{}]"}, {0}},
    {"^[a-c\\d_-]+$", {"a1_-"}, {"d", "+"}},
    {"^[^a-c]$", {"d", "\xc3\xa9", "\n"}, {"a", ""}},
    {"[]", {0}, {"", "a"}},
    {"^[^]$", {"\n", "a"}, {""}},
    {"^[\\w-x]$", {"-", "x", "q"}, {"+"}},
    {"^[\\b]$", {"\b"}, {"b"}},
    {"^.$", {"a", "\xf0\x9f\x98\x80"}, {"\n", "\r", "\xe2\x80\xa8", "ab"}},
    {"^\\d\\D\\w\\W\\s\\S$", {"1aa- b"}, {"aaa- b", "1aa-bb"}},
    {"^\\s$", {"\xc2\xa0", "\xef\xbb\xbf", "\v"}, {"\xe2\x80\x8b"}},
    {"^\\t\\n\\v\\f\\r\\cJ\\x41\\u0042\\u{43}\\/\\.\\-$", {"\t\n\v\f\r\nABC/.-"}, {"x"}},
    {"^\\ud83d\\ude00$", {"\xf0\x9f\x98\x80"}, {"x"}},
    {"^[\xf0\x9f\x98\x80-\xf0\x9f\x98\x82]+$",
     {"\xf0\x9f\x98\x81\xf0\x9f\x98\x82"},
     {"\xf0\x9f\x98\x83"}},
    {"\\bcat\\b", {"a cat.", "cat"}, {"cats", "concat"}},
    {"^a\\Bb$", {"ab"}, {"a"}},
    {"^(?<name>a)(?:b)$", {"ab"}, {"a"}},
    {"a+?b*?c??$", {"ab", "a"}, {"b"}},
    {"^(?=.*b)a", {"axb"}, {"ax", "b"}},
    {"^(?!a|b)", {"c", ""}, {"a", "b"}},
    {"^(?!(?=ab)a).", {"ac", "b"}, {"ab"}},
    {"(?<=\\$)\\d", {"$5"}, {"5", "$"}},
    {"(?<!\\$)\\b\\d", {"5"}, {"$5"}},
    {"^((?!ab).)*$", {"ba", "aa"}, {"cabc"}},
    {"x(?=y)(?=.z)", {"xyz"}, {"xy", "xz"}},
    {"^(a*)*$", {"", "aaa"}, {"b"}},
    {"^(|a)+$", {"", "aa"}, {"b"}},
};

START_TEST(matches) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int k = 0; k < 5 && cases[i].yes[k]; k++)
            ck_assert_msg(search(cases[i].pattern, cases[i].yes[k], 1 << 20) == REGEX_YES,
                          "%s does not match %s", cases[i].pattern, cases[i].yes[k]);
        for (int k = 0; k < 5 && cases[i].no[k]; k++)
            ck_assert_msg(search(cases[i].pattern, cases[i].no[k], 1 << 20) == REGEX_NO,
                          "%s matches %s", cases[i].pattern, cases[i].no[k]);
    }
}
END_TEST

static void refused(const char *pattern, enum error_code code) {
    struct error error = {0};
    char *exact = malloc(strlen(pattern) + 1);
    memcpy(exact, pattern, strlen(pattern));
    ck_assert_msg(regex_new(exact, strlen(pattern), 100000, &error) == NULL, "accepted %s",
                  pattern);
    ck_assert_msg(error.code == code, "%s: %d %s", pattern, error.code, error.message);
    free(exact);
}

START_TEST(refuses) {
    static const char *const syntax[] = {"(",     ")",      "a)", "[",   "[a",      "*",
                                         "a**",   "+a",     "?",  "{2}", "a{2}{3}", "a{3,2}",
                                         "[b-a]", "(?<>a)", "(a", "\\",  "[\\",     "a|*"};
    static const char *const unsupported[] = {"(a)\\1",
                                              "\\k<n>",
                                              "\\p{Greek}",
                                              "[\\p{sc=Grek}]",
                                              "(?i)a",
                                              "(?P<n>a)",
                                              "(?>a)",
                                              "\\Z",
                                              "\\A",
                                              "\\a",
                                              "\\07",
                                              "\\x4",
                                              "\\u00",
                                              "\\c1",
                                              "(a{1000}){1000}",
                                              "((((((((a{9}){9}){9}){9}){9}){9}){9}){9}){9}"};
    for (size_t i = 0; i < sizeof syntax / sizeof *syntax; i++)
        refused(syntax[i], ERROR_INVALID_PARAMS);
    for (size_t i = 0; i < sizeof unsupported / sizeof *unsupported; i++)
        refused(unsupported[i], ERROR_SCHEMA_UNSUPPORTED);
    char deep[2000];
    memset(deep, '(', sizeof deep - 1);
    deep[sizeof deep - 1] = 0;
    refused(deep, ERROR_SCHEMA_UNSUPPORTED);
}
END_TEST

START_TEST(counts_steps) {
    ck_assert_int_eq(search("(a?){50}b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 500),
                     REGEX_TOO_COMPLEX);
    ck_assert_int_eq(search("a", "a", 0), REGEX_TOO_COMPLEX);
    ck_assert_int_eq(search("(?!a)b", "b", 3), REGEX_TOO_COMPLEX);
}
END_TEST

static Suite *suite(void) {
    Suite *s = suite_create("regex");
    TCase *t = tcase_create("regex");
    tcase_add_test(t, matches);
    tcase_add_test(t, refuses);
    tcase_add_test(t, counts_steps);
    suite_add_tcase(s, t);
    return s;
}

int main(void) {
    return run_suite(suite());
}
