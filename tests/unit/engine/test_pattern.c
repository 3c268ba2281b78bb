/* pattern, language: ECMA-262 patterns as automata, judged beside the validator's matcher; what is
 * refused by name; that hostile patterns end soon. The answers of `cases` are those of Node.js 20
 * (flag u where it takes the pattern). */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "engine/language.h"
#include "engine/regex.h"
#include "tests/support.h"

static bool holds(uint32_t label, const void *user) {
    (void)user;
    return label & 1;
}

static enum pattern_result build(struct language *language, const char *text, bool whole,
                                 const char **what) {
    uint64_t budget = 3 << 19;
    struct pattern_pool pool = {.budget = &budget};
    struct pattern pattern;
    enum pattern_result result =
        (whole ? pattern_compile_whole : pattern_compile)(&pool, text, strlen(text), &pattern, what);
    if (result == PATTERN_OK)
        result = language_build(language, &pool, &pattern, 1, NULL, NULL, &budget);
    pattern_pool_free(&pool);
    if (result == PATTERN_OK) ck_assert(language_finish(language, holds, NULL));
    return result;
}

static bool by_automaton(const char *pattern, bool whole, const char *text) {
    struct language language;
    const char *what = "";
    ck_assert_msg(build(&language, pattern, whole, &what) == PATTERN_OK, "%s: %s", pattern, what);
    uint32_t label = language_label(&language, text, (uint32_t)strlen(text));
    language_free(&language);
    return label != LANGUAGE_INFINITE && (label & 1);
}

static bool by_regex(const char *pattern, bool whole, const char *text) {
    struct error error = {0};
    struct buf all = {0};
    uint64_t steps = 1 << 20;
    buf_printf(&all, whole ? "^(?:%s)$" : "%s", pattern);
    struct regex *regex = regex_new(all.bytes, all.len, 100000, &error);
    ck_assert_msg(regex != NULL, "%s: %s", pattern, error.message);
    enum regex_verdict verdict = regex_search(regex, text, strlen(text), &steps);
    regex_free(regex);
    buf_free(&all);
    return verdict == REGEX_YES;
}

static const struct {
    const char *pattern, *yes[5], *no[5];
} cases[] = {
    /* lookahead */
    {"^(?!.*--)[a-z-]+$", {"a-b", "-"}, {"a--b", "--", ""}},
    {"^(?=.*[A-Z])(?=.*\\d).{8,}$", {"Abcdefg1", "1234567A"}, {"abcdefg1", "Abcdefgh", "A1"}},
    {"(?=.*[A-Z])(?=.*\\d).{3,}", {"Ab1", "xAb1"}, {"ab1", "A1", "Abc"}},
    {"(?!foo)bar", {"bar", "foobar"}, {"foo", "ba"}},
    {"^((?!test).)*$", {"", "tes t", "es"}, {"test", "a test b"}},
    {"a(?!b)", {"ac", "aba", "a"}, {"ab", "abab"}},
    {"x(?=y)(?=.z)", {"xyz", "xyxyz"}, {"xy", "xz"}},
    {"^(?!(?=ab)a).", {"ac", "b"}, {"ab", ""}},
    {"^(?:a(?!.*a)|b(?=.*c))+", {"a", "bc", "bac"}, {"b", "aa", "ba"}},
    {"(?=a)*b", {"b", "ab"}, {"a"}},
    {"^(?=a){2}.$", {"a"}, {"b", "aa"}},
    {"^(?=(?:ab)*$)(?=(?:...b)*$)", {"", "abab", "abababab"}, {"ab", "ababab", "b"}},
    {"^[^.](?!.*\\.\\.)[a-z.]*$", {"a.b", "a."}, {"a..b", ".a"}},
    {"^(?!a$|b$)\\w+$", {"ab", "c"}, {"a", "b", ""}},
    {"^(?!$)a?|x", {"a", "b", "x"}, {""}},
    {"(?!a)", {"", "a", "aa"}, {0}},
    {"^(?=a)(?=a)(?=a)(?=a)(?=a)(?=ab)", {"ab"}, {"a"}},
    /* lookbehind */
    {"^[a-z-]+(?<!-)$", {"abc", "a-b"}, {"ab-", "-", ""}},
    {"(?<=\\$)\\d", {"$5", "a$5"}, {"5", "$"}},
    {"(?<!\\$)\\b\\d", {"5", "a 5"}, {"$5", "a5"}},
    {"(?<=(?<!x)a)b", {"ab", "aab"}, {"xab", "b"}},
    {"(?<=^a.*)b$", {"ab", "axb", "abb"}, {"b", "cab", "ba"}},
    {"^a(?<=a)(?<!b)$", {"a"}, {"b", ""}},
    {"(?!.*(?<=a)b)c", {"c", "abc"}, {"cab", "cxab"}},
    {"(?<=\\bfoo)-", {"foo-", "a foo-"}, {"afoo-", "foo"}},
    /* word boundaries */
    {"\\bfoo\\b", {"foo", "a foo b", "x-foo-"}, {"afoo", "foob", "foo_"}},
    {"\\Bo", {"foo", "oo"}, {"o", " o", "\xC3\xA9o"}},
    {"^\\b$", {0}, {"", "a", " "}},
    {"^\\B$", {""}, {"a", " "}},
    {"a\\b", {"a", "a b", "a\xC3\xA9"}, {"ab", "b"}},
    {"^(?:\\b[a-z]+\\b ?)+$", {"a", "ab c"}, {"", "a  b", "ab_"}},
    {"[^\\w]\\b", {" a", "\xC3\xA9" "a"}, {"a ", " "}},
    /* the text's ends anywhere */
    {"$^", {""}, {"a"}},
    {"(?:^|,)b(?:,|$)", {"b", "a,b", "b,c"}, {"ab", "bc"}},
    {"a$b|^c^|d", {"d"}, {"ab", "c"}},
    {"(?:x|$)^", {""}, {"x"}},
    /* properties */
    {"^\\p{Lu}\\p{L}*$", {"\xC3\x89lan", "A"}, {"\xC3\xA9lan", ""}},
    {"^\\P{Letter}$", {"1", "\xCC\x81", "\xF0\x9F\x98\x80"}, {"a", "\xE4\xB8\xAD"}},
    {"^[\\p{Nd}\\p{gc=Sc}_]+$", {"1_", "\xD9\xA3\xE2\x82\xAC"}, {"a", "\xC2\xBD"}},
    {"^[^\\p{L}\\d]$", {"-", "\xC2\xBD"}, {"a", "1", "\xC3\xA9", ""}},
    {"^[^\\P{Lu}]$", {"A", "\xC3\x89"}, {"a", "1"}},
    {"^\\p{ASCII}+$", {"a~"}, {"\xC2\x80", ""}},
    {"^[\\P{ASCII}x]$", {"\xC2\x80", "x"}, {"a"}},
    {"^\\p{Any}\\P{Any}?$", {"a", "\xF0\x9F\x98\x80"}, {"ab"}},
    {"^\\p{General_Category=Titlecase_Letter}|\\p{LC}$", {"\xC7\x85", "1a"}, {"1", "\xE4\xB8\xAD"}},
    /* classes and escapes */
    {"^[\\d-a-z]$", {"1", "-", "a", "z"}, {"b"}},
    {"^[a-\\d]$", {"1", "-", "a"}, {"b"}},
    {"^[^\\uD800-\\uDFFF]$", {"a", "\xF0\x9F\x98\x80"}, {""}},
    {"^[\\uD83D\\uDE00-\\uD83D\\uDE02]$", {"\xF0\x9F\x98\x81"}, {"\xF0\x9F\x98\x83"}},
    {"a|\\uD83D", {"a"}, {"\xF0\x9F\x98\x80"}},
    {"^\\u{0000061}\\u{62}$", {"ab"}, {"b"}},
    {"^{,2}]}$", {"{,2}]}"}, {"]}"}},
};
enum { CASES = sizeof cases / sizeof *cases };

START_TEST(matches) {
    const char *pattern = cases[_i].pattern;
    for (int k = 0; k < 5; k++) {
        const char *yes = cases[_i].yes[k], *no = cases[_i].no[k];
        ck_assert_msg(!yes || by_automaton(pattern, false, yes), "%s: %s is refused", pattern, yes);
        ck_assert_msg(!no || !by_automaton(pattern, false, no), "%s: %s is taken", pattern, no);
        ck_assert_msg(!yes || by_regex(pattern, false, yes), "regex: %s: %s", pattern, yes);
        ck_assert_msg(!no || !by_regex(pattern, false, no), "regex: %s: %s", pattern, no);
    }
}
END_TEST

/* Patterns of pieces that look around, over all short texts: both ways of judging agree. */
static const char *const pieces[] = {
    "a", "b", "[^a]", "-", "^", "$", "\\b", "\\B", "(?=a)", "(?!b)", "(?<=a)", "(?<!b)", "(?:a|)*",
    "(?=.*b)", "(?!.*a$)", "(?<=^a*)", "(?<!\\bb.*)", "(?:(?!ab).)*", "(?=(?!a).)", "|", ".{2}",
};
enum { PIECES = sizeof pieces / sizeof *pieces, CHARACTERS = 3, LONGEST = 4 };

static bool next_text(char *text) {
    static const char order[] = "ab-";
    size_t at = 0, len = strlen(text);
    for (; at < len; at++) {
        const char *found = strchr(order, text[at]);
        text[at] = order[(found - order + 1) % CHARACTERS];
        if (text[at] != order[0]) return true;
    }
    text[len] = 'a';
    text[len + 1] = 0;
    return len < LONGEST;
}

static void compare(const char *pattern, bool whole) {
    struct error error = {0};
    struct language language;
    struct buf all = {0};
    const char *what = "";
    char text[LONGEST + 2] = "";
    buf_printf(&all, whole ? "^(?:%s)$" : "%s", pattern);
    struct regex *regex = regex_new(all.bytes, all.len, 100000, &error);
    ck_assert_msg(regex && build(&language, pattern, whole, &what) == PATTERN_OK, "%s: %s", pattern, what);
    do {
        uint64_t steps = 1 << 20;
        uint32_t label = language_label(&language, text, (uint32_t)strlen(text));
        bool found = regex_search(regex, text, strlen(text), &steps) == REGEX_YES;
        ck_assert_msg(found == (label != LANGUAGE_INFINITE && (label & 1)), "%s: %s", pattern, text);
    } while (next_text(text));
    language_free(&language);
    regex_free(regex);
    buf_free(&all);
}

START_TEST(agree) {
    uint32_t random = 7;
    for (int round = 0; round < 1500; round++) {
        char pattern[128] = "";
        for (int n = 0; n < 1 + round % 4; n++) {
            random = random * 1664525 + 1013904223;
            strcat(pattern, pieces[(random >> 16) % PIECES]);
        }
        compare(pattern, round & 8);
    }
}
END_TEST

static const struct {
    const char *pattern;
    enum pattern_result result;
    const char *what;
} refusals[] = {
    {"(a)\\1", PATTERN_UNSUPPORTED, "a back-reference"},
    {"(?<n>a)\\k<n>", PATTERN_UNSUPPORTED, "a back-reference"},
    {"(?<=a(?=b))b", PATTERN_UNSUPPORTED, "a lookahead inside of a lookbehind"},
    {"\\p{Script=Greek}", PATTERN_UNSUPPORTED, "a Unicode property that is no general category"},
    {"[\\p{Alphabetic}]", PATTERN_UNSUPPORTED, "a Unicode property that is no general category"},
    {"(?i)a", PATTERN_UNSUPPORTED, "a group that ECMA-262 does not know"},
    {"\\Z", PATTERN_UNSUPPORTED, "an escape that is not a character"},
    {"\\p", PATTERN_SYNTAX, "\\p without {…}"},
    {"\\p{L", PATTERN_SYNTAX, "\\p without {…}"},
    {"\\u{}", PATTERN_SYNTAX, "\\u{…}"},
    {"\\u{110000}", PATTERN_SYNTAX, "\\u{…}"},
    {"a{2}{3}", PATTERN_SYNTAX, "nothing to repeat"},
    {"a|{2}", PATTERN_SYNTAX, "nothing to repeat"},
    {"^*", PATTERN_SYNTAX, "a repeated assertion"},
    {"\\b+", PATTERN_SYNTAX, "a repeated assertion"},
    {"(?<=a)?", PATTERN_SYNTAX, "a repeated assertion"},
    {"[a-\\d-", PATTERN_SYNTAX, "it ends too early"},
};

START_TEST(refuses) {
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct language language;
        struct error error = {0};
        const char *what = "", *pattern = refusals[i].pattern;
        ck_assert_msg(build(&language, pattern, false, &what) == refusals[i].result, "%s", pattern);
        if (i + 1 < sizeof refusals / sizeof *refusals) ck_assert_str_eq(what, refusals[i].what);
        struct regex *regex = regex_new(pattern, strlen(pattern), 1000, &error);
        if (refusals[i].result == PATTERN_SYNTAX) ck_assert_int_eq(error.code, ERROR_INVALID_PARAMS);
        ck_assert_msg(!regex || strstr(what, "inside"), "regex: %s", pattern);
        regex_free(regex);
    }
}
END_TEST

/* Whether they are taken or not, it is known soon. */
static const char *const hostile[] = {
    "(?=(a|b)*c)", "(?=.*a.{9})", "(?!.*a.{9})", "(?<=a.{9})", "(?<!a.{9})b", "\\b(a|ab|abc)*\\b",
    "(?=.*a)(?=.*b)(?=.*c)(?=.*d)(?=.*e)(?=.*f)(?=.*g)", "(?=(?=(?=(?=(?=(?=a)b)c)d)e)f)",
    "((?!a)|(?!b)|(?!c)|(?!d)|(?=e)|(?=f)|(?=g))*x", "\\p{L}(?=\\p{Lu})", "[\\p{L}\\P{Lu}\\p{M}]",
};

START_TEST(ends) {
    const char *piece = hostile[_i];
    for (unsigned times = 1; times <= 1024; times *= 4) {
        struct buf pattern = {0};
        struct language language;
        const char *what = "";
        for (unsigned i = 0; i < times; i++) buf_add_str(&pattern, piece);
        buf_add(&pattern, "", 1);
        clock_t start = clock();
        enum pattern_result result = build(&language, pattern.bytes, false, &what);
        double ms = (double)(clock() - start) * 1000 / CLOCKS_PER_SEC;
        if (result == PATTERN_OK)
            language_free(&language);
        else
            ck_assert_int_eq(result, PATTERN_TOO_LARGE);
        ck_assert_msg(ms < 400, "%u times %s: %.1f ms", times, piece, ms); /* some 5; sanitised, more */
        if (getenv("PLM_TEST_TIMES")) printf("%u times %s: %d, %.1f ms\n", times, piece, result, ms);
        buf_free(&pattern);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("pattern");
    TCase *tcase = tcase_create("pattern");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, matches, 0, CASES);
    tcase_add_test(tcase, agree);
    tcase_add_test(tcase, refuses);
    tcase_add_loop_test(tcase, ends, 0, sizeof hostile / sizeof *hostile);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
