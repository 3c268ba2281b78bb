/* Grammars of text: GBNF and regular expressions, generated and judged. */
#include <check.h>
#include <time.h>

#include "engine/grammar_rules.h"
#include "engine/text_check.h"
#include "tests/support.h"
#include "tests/unit/engine/grammar_support.h"

#define PATH "response_format.grammar"

static const char json[] =
    "root ::= object # a comment\n"
    "value ::= object | array | string | number | (\"true\" | \"false\" | \"null\") ws\n"
    "object ::= \"{\" ws (\n  string \":\" ws value (\",\" ws string \":\" ws value)*\n)? \"}\" ws\n"
    "array ::= \"[\" ws (value (\",\" ws value)*)? \"]\" ws\n"
    "string ::= \"\\\"\" ([^\"\\\\\\x7F\\x00-\\x1F] | \"\\\\\" ([\"\\\\bfnrt] | \"u\" [0-9a-fA-F]{4}))* "
    "\"\\\"\" ws\n"
    "number ::= (\"-\"? ([0-9] | [1-9] [0-9]{0,15})) (\".\" [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws\n"
    "ws ::= | \" \" | \"\\n\" [ \\t]{0,20}\n";
static const char arithmetic[] = "root ::= (expr \"=\" term \"\\n\")+\n"
                                 "expr ::= term ([-+*/] term)*\n"
                                 "term ::= ident | num | \"(\" expr \")\"\n"
                                 "ident ::= [a-z] [a-z0-9_]*\nnum ::= [0-9]+\n";
static const char chess[] = "root ::= \"1. \" move \" \" move \"\\n\" ([1-9] [0-9]? \". \" move \" \" move \"\\n\")+\n"
                            "move ::= (pawn | nonpawn | castle) [+#]?\n"
                            "nonpawn ::= [NBKQR] [a-h]? [1-8]? \"x\"? [a-h] [1-8]\n"
                            "pawn ::= ([a-h] \"x\")? [a-h] [1-8] (\"=\" [NBKQR])?\n"
                            "castle ::= \"O-O\" \"-O\"?\n";

static struct grammar *gbnf(const char *text) {
    struct error error = {0};
    struct grammar *grammar = grammar_from_gbnf(text, strlen(text), PATH, &error);
    ck_assert_msg(grammar != NULL, "%s: %s", text, error.message);
    return grammar;
}

static bool judged(const char *grammar, const char *text, size_t len) {
    struct error error = {0};
    struct text_check *check = text_check_gbnf(grammar, strlen(grammar), PATH, &error);
    enum text_verdict verdict = check ? text_check_run(check, text, len) : TEXT_TOO_COMPLEX;
    text_check_free(check);
    ck_assert_msg(verdict != TEXT_TOO_COMPLEX, "%s", grammar);
    return verdict == TEXT_YES;
}

/* ---- what belongs to a grammar ---- */

static const struct {
    const char *grammar, *good[6], *bad[6];
} cases[] = {
    {json,
     {"{}", "{\"a\": [1, -2.5e+3, {\"b\": \"x\\u00e9\\n\"}], \"c\": null}", "{\n\t\"é\":true}", NULL},
     {"", "[]", "{\"a\"}", "{\"a\":01}", "{\"a\": \"\x01\"}", NULL}},
    {arithmetic, {"a=1\n", "x+(2*y-3)/4=z\n(1)=2\n", NULL}, {"a=1", "=1\n", "a+=1\n", NULL}},
    {chess, {"1. e4 e5\n2. Nf3 Nc6+\n", "1. O-O O-O-O\n10. exd8=Q# Rae1\n", NULL}, {"1. e4 e5\n", "1. e9 e5\n", NULL}},
    {"root ::= (\"- \" [^\\r\\n\\x0b\\x0c\\x85\\u2028\\u2029]+ \"\\n\")+",
     {"- a\n- \xc3\xa9\n", NULL},
     {"- \n", "-a\n", "- a\xe2\x80\xa8\n", NULL}},
    {"root ::= \"a\" root \"b\" | \"\"", {"", "ab", "aaabbb", NULL}, {"aab", "abb", "ba", NULL}},
    {"root ::= \"a\" root \"a\" | \"b\" root \"b\" | [ab]?",
     {"", "abba", "ababa", NULL},
     {"ab", "abb", NULL}},
    {"root ::= x{2,3} y\nx ::= \"a\"\ny ::= [^a] . \n", {"aaxy", "aaa\xc3\xa9\n", NULL}, {"aay", "aaaax", "ax y", NULL}},
    {"root ::= (\"a\"?){2,300} \"b\"", {"b", "ab", "aaab", NULL}, {"a", "ba", NULL}},
    {"root ::= (\"ab\" | \"a\"){ 2 , 400 } \"c\"", {"aac", "ababac", NULL}, {"ac", "abc", "c", NULL}},
    {"root ::= ((\"a\"*)* \"b\"?)* \"c\"", {"c", "aabac", NULL}, {"", "ca", NULL}},
    {"root ::= [a-]+ [\\]\\[\\\\^]", {"a-a]", "a\\", "-^", NULL}, {"b]", "a", NULL}},
    {"root ::= \"\\U0001F600\" \"\\u00e9\" \"\\x41\" \"\\t\"", {"\xf0\x9f\x98\x80\xc3\xa9" "A\t", NULL}, {"\xc3\xa9", NULL}},
    {"root ::= [^\\x00-\\x7F]+", {"\xc3\xa9\xf0\x9f\x98\x80", NULL}, {"a", "\xc3", "\xed\xa0\x80", "\xc0\x80", NULL}},
    {"root ::= a |\n  b # why\n\n\na ::=\n \"x\"\r\nb ::= \"y\"", {"x", "y", NULL}, {"xy", NULL}},
    {"root ::= (a | b)+ \"!\"\na ::= \"x\" | \"xx\"\nb ::= \"x\" a?", {"x!", "xxxxx!", NULL}, {"!", NULL}},
    {"root ::= \"a\"{3}{2}", {"aaaaaa", NULL}, {"aaa", "aaaaa", NULL}},
    {"root ::= (\"ab\" | \"a\" | \"abc\" x | \"a\" x* | \"b\" | \"\")+ \"!\"\nx ::= \"x\" | \"xy\" | \"xyz\"",
     {"!", "a!", "abcxyzab!", "axxyxyzb!", "abcxy!", NULL},
     {"abc!", "x!", "bx!", "axyzz!", "abcxx!", NULL}},
    {"root ::= [a-z]{0}\"b\"", {"b", NULL}, {"ab", NULL}},
};

START_TEST(belonging) {
    struct grammar *grammar = gbnf(cases[_i].grammar);
    for (int i = 0; cases[_i].good[i]; i++) {
        const char *text = cases[_i].good[i];
        ck_assert_msg(accepts(grammar, text, strlen(text)), "%s", text);
        ck_assert_msg(judged(cases[_i].grammar, text, strlen(text)), "%s", text);
    }
    for (int i = 0; cases[_i].bad[i]; i++) {
        const char *text = cases[_i].bad[i];
        ck_assert_msg(!accepts(grammar, text, strlen(text)), "%s", text);
        ck_assert_msg(!judged(cases[_i].grammar, text, strlen(text)), "%s", text);
    }
    grammar_unref(grammar);
}
END_TEST

/* ---- what is no grammar ---- */

static const struct {
    const char *grammar;
    int code;
    const char *says;
} refusals[] = {
    {"", -32602, "root"},
    {"x ::= \"a\"", -32602, "root"},
    {"root ::= nix", -32602, "nix"},
    {"root ::= ", -32602, "body"},
    {"root = \"a\"", -32602, "::="},
    {"root ::= \"a", -32602, "quote"},
    {"root ::= [a", -32602, "]"},
    {"root ::= [z-a]", -32602, "range"},
    {"root ::= (\"a\"", -32602, ")"},
    {"root ::= \"a\")", -32602, "("},
    {"root ::= *", -32602, "repeat"},
    {"root ::= \"a\"{3,2}", -32602, "order"},
    {"root ::= \"a\"{", -32602, "number"},
    {"root ::= \"\\q\"", -32602, "escape"},
    {"root ::= \"\\x1\"", -32602, "hex"},
    {"root ::= \"\\uD800\"", -32602, "character"},
    {"root ::= \"\\x00\"", -32602, "U+0000"},
    {"root ::= \"a\"\nroot ::= \"b\"", -32602, "twice"},
    {"root ::= \"\xff\"", -32602, "UTF-8"},
    {"root ::= \"a\" root \"b\"", 1004, "unsatisfiable"},
    {"root ::= [\\x00]", 1004, "unsatisfiable"},
    {"root ::= <[42]>", 1004, "tokens"},
    {"root ::= root \"a\" | \"b\"", 1004, "left recursion of the rule root"},
    {"root ::= x\nx ::= y \"a\" | \"c\"\ny ::= x | \"b\"", 1004, "left recursion"},
    {"root ::= x\nx ::= e x \"a\" | \"c\"\ne ::= \"e\"?", 1004, "left recursion of the rule x"},
    {"root ::= (\"a\"* root)? \"b\"", 1004, "left recursion of the rule root"},
    {"root ::= (\"a\"?){0,500} root \"b\" | \"c\"", 1004, "left recursion of the rule root"},
    {"root ::= \"a\"{2000000}", 1004, "repetition"},
};

START_TEST(refused) {
    struct error error = {0};
    const char *text = refusals[_i].grammar;
    struct grammar *grammar = grammar_from_gbnf(text, strlen(text), PATH, &error);
    ck_assert_msg(!grammar, "%s", text);
    ck_assert_int_eq(error.code, refusals[_i].code);
    ck_assert_str_eq(error.path, PATH);
    ck_assert_msg(strstr(error.message, refusals[_i].says), "%s: %s", text, error.message);
    if (error.code == ERROR_SCHEMA_UNSUPPORTED) ck_assert_str_eq(error.keyword, "gbnf");
}
END_TEST

/* ---- against the recogniser ---- */

/* A random grammar of a few rules over a and b. */
static void random_body(char *out, uint64_t *seed, int depth, int rules) {
    static const char *const ends[] = {"", "*", "+", "?", "{2}", "{1,3}", "{0,70}", "{2,}"};
    unsigned pick = (unsigned)(random_next(seed) % (depth > 2 ? 4 : 8));
    size_t n = strlen(out);
    if (pick < 2) sprintf(out + n, "\"%c\" ", (int)('a' + random_next(seed) % 2));
    else if (pick == 2) sprintf(out + n, "[ab] ");
    else if (pick == 3) sprintf(out + n, "r%d ", (int)(random_next(seed) % (unsigned)rules));
    else if (pick < 6) {
        strcat(out, "(");
        random_body(out, seed, depth + 1, rules);
        if (pick == 5) strcat(out, "| ");
        random_body(out, seed, depth + 1, rules);
        sprintf(out + strlen(out), ")%s ", ends[random_next(seed) % 8]);
    } else {
        random_body(out, seed, depth + 1, rules);
        if (pick == 7) strcat(out, "| ");
        random_body(out, seed, depth + 1, rules);
    }
}

static void random_grammar(char *out, uint64_t *seed) {
    int rules = 1 + (int)(random_next(seed) % 3);
    strcpy(out, "root ::= r0\n");
    for (int i = 0; i < rules; i++) {
        sprintf(out + strlen(out), "r%d ::= ", i);
        random_body(out, seed, 0, rules);
        strcat(out, "\n");
    }
}

/* The language of a grammar up to five letters, by the matcher and by the recogniser. Only where ways
 * were given up may the matcher know fewer texts. */
START_TEST(differential) {
    uint64_t seed = (uint64_t)_i + 1;
    int compiled = 0, texts = 0;
    for (int round = 0; round < 700; round++) {
        char text[4096], word[8];
        struct error error = {0}, other = {0};
        random_grammar(text, &seed);
        struct grammar *grammar = grammar_from_gbnf(text, strlen(text), PATH, &error);
        if (!grammar) continue;
        struct text_check *check = text_check_gbnf(text, strlen(text), PATH, &other);
        ck_assert(check);
        compiled++;
        for (unsigned len = 0; len <= 5; len++)
            for (unsigned bits = 0; bits < 1u << len; bits++) {
                for (unsigned i = 0; i < len; i++) word[i] = bits >> i & 1 ? 'b' : 'a';
                bool right = text_check_run(check, word, len) == TEXT_YES;
                bool read = accepts(grammar, word, len);
                bool missed = right && !read && grammar_text(grammar)->stacks.gave_up;
                ck_assert_msg(read == right || missed, "%.*s, %d by\n%s", (int)len, word, right, text);
                texts += right && read;
            }
        text_check_free(check);
        grammar_unref(grammar);
    }
    ck_assert_int_gt(compiled, 100);
    ck_assert_int_gt(texts, 500);
}
END_TEST

/* Random walks over allowed bytes: shortest, closing and forced text keep what they promise. */
static void walk(const char *source, uint64_t *seed, unsigned steps) {
    struct grammar *grammar = gbnf(source);
    struct matcher *matcher = new_matcher(grammar, NULL);
    char text[8192], forced[256];
    size_t len = 0;
    for (unsigned i = 0; i < steps && !matcher_must_end(matcher); i++) {
        unsigned char allowed[256];
        unsigned n = 0;
        for (unsigned byte = 0; byte < 256; byte++)
            if (matcher_allows(matcher, (char[]){(char)byte}, 1)) allowed[n++] = (unsigned char)byte;
        ck_assert_uint_gt(n, 0);
        size_t n_forced = matcher_forced(matcher, forced, sizeof forced);
        ck_assert_int_eq(n_forced > 0, n == 1 && !matcher_may_end(matcher));
        if (n_forced) ck_assert_int_eq((unsigned char)forced[0], allowed[0]);
        text[len] = (char)allowed[random_next(seed) % n];
        uint32_t before = matcher_shortest(matcher);
        ck_assert(matcher_accept(matcher, text + len++, 1));
        ck_assert_uint_le(before, matcher_shortest(matcher) + 1);
    }
    uint32_t shortest = matcher_shortest(matcher);
    size_t n = matcher_closing(matcher, text + len, sizeof text - len);
    ck_assert_uint_eq(n, shortest);
    ck_assert(matcher_accept(matcher, text + len, n) && matcher_may_end(matcher));
    ck_assert_msg(judged(source, text, len + n), "%.*s", (int)(len + n), text);
    matcher_free(matcher);
    grammar_unref(grammar);
}

START_TEST(walks) {
    uint64_t seed = 7;
    for (unsigned round = 0; round < 12; round++) walk(cases[_i].grammar, &seed, 10 + 13 * round);
}
END_TEST

/* ---- regular expressions ---- */

static const struct {
    const char *pattern, *good[5], *bad[5];
} patterns[] = {
    {"a+", {"a", "aa", NULL}, {"", "ab", "ba", NULL}},
    {"a|bc$|^d", {"a", "bc", "d", NULL}, {"abc", "xbc", "", NULL}},
    {"", {"", NULL}, {"a", NULL}},
    {"\\d{4}-\\d\\d", {"2024-01", NULL}, {"2024-1", "x2024-01", NULL}},
    {"(?=.*\\d)[a-z\\d]{2,}", {"a1", "11", NULL}, {"ab", "1", NULL}},
    {"^(?!no)[a-z]+$", {"yes", "n", NULL}, {"no", "nobody", NULL}},
    {"[a-z ]+(?<! )|\\b\\d+\\b", {"a b", "17", NULL}, {"a ", " ", "1a", NULL}},
    {"\\p{Lu}(?:(?!--)[\\p{Ll}-])*", {"\xc3\x89t-\xc3\xa9", "A", NULL}, {"a", "A--b", "\xc3\x89T", NULL}},
    {"[^\\x00-\\x7f]{2}", {"\xc3\xa9\xf0\x9f\x98\x80", NULL}, {"ab", "\xc3\xa9", NULL}},
    {".*\\.(png|jpe?g)", {"a.png", ".jpg", "\xc3\xa9.jpeg", NULL}, {"a.png ", "png", "a\n.png", NULL}},
};

START_TEST(regular) {
    struct error error = {0};
    const char *pattern = patterns[_i].pattern;
    struct grammar *grammar = grammar_from_regex(pattern, strlen(pattern), "p", &error);
    struct text_check *check = text_check_regex(pattern, strlen(pattern), "p", &error);
    ck_assert_msg(grammar && check, "%s", error.message);
    for (int i = 0; patterns[_i].good[i]; i++) {
        const char *text = patterns[_i].good[i];
        ck_assert_msg(accepts(grammar, text, strlen(text)), "%s", text);
        ck_assert_int_eq(text_check_run(check, text, strlen(text)), TEXT_YES);
    }
    for (int i = 0; patterns[_i].bad[i]; i++) {
        const char *text = patterns[_i].bad[i];
        ck_assert_msg(!accepts(grammar, text, strlen(text)), "%s", text);
        ck_assert_int_eq(text_check_run(check, text, strlen(text)), TEXT_NO);
    }
    text_check_free(check);
    grammar_unref(grammar);
}
END_TEST

START_TEST(regular_refused) {
    static const struct {
        const char *pattern;
        int code;
    } wrong[] = {{"(", -32602},      {"a{2,1}", -32602}, {"(a)\\1", 1004}, {"(?<=a(?=b))b", 1004},
                 {"a{90000}", 1004}, {"[^\\s\\S]", 1004}, {"[]", 1004}, {"\xff", -32602},
                 {"\\c", -32602},    {"[\\c", -32602},  {"\\c1", -32602}, {"\\", -32602}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct error error = {0};
        ck_assert(!grammar_from_regex(wrong[i].pattern, strlen(wrong[i].pattern), "p", &error));
        ck_assert_msg(error.code == (enum error_code)wrong[i].code, "%s: %d %s", wrong[i].pattern,
                      error.code, error.message);
        ck_assert_str_eq(error.path, "p");
    }
}
END_TEST

/* ---- hostile ones ---- */

static char *repeated(const char *head, const char *part, size_t n, const char *tail) {
    size_t len = strlen(part), at = strlen(head);
    char *text = malloc(at + n * len + strlen(tail) + 1);
    strcpy(text, head);
    for (size_t i = 0; i < n; i++, at += len) memcpy(text + at, part, len);
    strcpy(text + at, tail);
    return text;
}

static double milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Compiles or refuses, and if it compiles reads a thousand bytes. Times are not asserted tightly: a
 * sanitizer is slow. */
static void survive(const char *name, char *source) {
    struct error error = {0};
    double begin = milliseconds();
    struct grammar *grammar = grammar_from_gbnf(source, strlen(source), PATH, &error);
    double compiled = milliseconds() - begin;
    if (!grammar) ck_assert_msg(error.code == ERROR_SCHEMA_UNSUPPORTED, "%s: %s", name, error.message);
    struct matcher *matcher = grammar ? new_matcher(grammar, NULL) : NULL;
    begin = milliseconds();
    for (int i = 0; i < 1000 && matcher; i++)
        if (!matcher_accept(matcher, "a", 1)) break;
    printf("%-14s %7zu bytes: %s, %.2f ms; 1000 steps %.2f ms\n", name, strlen(source),
           grammar ? "compiled" : error.reason, compiled, milliseconds() - begin);
    ck_assert_msg(compiled < 2000, "%s", name);
    matcher_free(matcher);
    grammar_unref(grammar);
    free(source);
}

START_TEST(hostile) {
    survive("count", strdup("root ::= \"a\"{1000000}"));
    survive("counts", strdup("root ::= (((\"a\"{1000}){1000}){1000}){1000}"));
    survive("nullable", strdup("root ::= ((\"a\"?){0,1000000}){0,1000000} \"b\""));
    survive("nested", repeated("root ::= ", "(", 10000, "\"a\""));
    survive("stars", strdup("root ::= ((((\"a\"*)*)*)*)* \"b\""));
    survive("ambiguous", strdup("root ::= (\"a\" | \"a\")* \"b\""));
    survive("catalan", strdup("root ::= \"a\" root root | \"a\""));
    survive("counters", strdup("root ::= (\"a\"{1,500} | \"aa\"{1,500}){1,500} \"b\""));
    survive("deep", strdup("root ::= \"a\" root \"b\" | \"c\""));
    survive("literal", repeated("root ::= \"", "a", 200000, "\""));
    survive("classes", repeated("root ::= ", "[a-y] [b-z] ", 20000, ""));
    survive("choices", repeated("root ::= \"a\"", " | \"a\"", 20000, ""));
    survive("nothing", repeated("root ::= ", "\"\" ", 40000, "\"a\""));
    char *chain = malloc(200000), *at = chain;
    at += sprintf(at, "root ::= r0\n");
    for (int i = 0; i < 6000; i++) at += sprintf(at, "r%d ::= r%d \"x\"\n", i, i + 1);
    sprintf(at, "r6000 ::= \"a\"\n");
    survive("chain", chain);
    chain = at = malloc(200000);
    at += sprintf(at, "root ::= r0\n");
    for (int i = 0; i < 6000; i++) at += sprintf(at, "r%d ::= \"a\" r%d r%d | \"a\"\n", i, (i * 7 + 1) % 6000, (i * 5 + 2) % 6000);
    survive("graph", chain);
}
END_TEST

/* Long lists of alternatives are all there; what begins alike is read at once. */
START_TEST(alternatives) {
    enum { WORDS = 5000 };
    char *text = malloc(100000), *at = text;
    at += sprintf(at, "root ::= x x\nx ::= \"w0\"");
    for (int i = 1; i < WORDS; i++) at += sprintf(at, " | \"%s%d\"", i % 2 ? "w" : "v", i);
    struct grammar *grammar = gbnf(text);
    for (int i = 1; i < WORDS; i += 7) {
        char word[32];
        sprintf(word, "%s%dw2999", i % 2 ? "w" : "v", i);
        ck_assert_msg(accepts(grammar, word, strlen(word)), "%s", word);
        ck_assert(!accepts(grammar, word, strlen(word) - 5));
    }
    const struct stacks *stacks = &grammar_text(grammar)->stacks;
    ck_assert(!stacks->gave_up);
    ck_assert_uint_eq(stacks->shapes[stacks->start.shape].n, 2);
    grammar_unref(grammar);
    free(text);
}
END_TEST

/* More than can be followed are refused, not left out. */
START_TEST(too_many) {
    enum { RULES = 5000 };
    char *text = malloc(200000), *at = text;
    struct error error = {0};
    at += sprintf(at, "root ::= r0");
    for (int i = 1; i < RULES; i++) at += sprintf(at, " | r%d", i);
    for (int i = 0; i < RULES; i++) at += sprintf(at, "\nr%d ::= \"w%d\"", i, i);
    ck_assert(!grammar_from_gbnf(text, strlen(text), PATH, &error));
    ck_assert_int_eq(error.code, ERROR_SCHEMA_UNSUPPORTED);
    free(text);
}
END_TEST

/* What was dropped to save memory changes nothing: long texts with ever new stacks. */
START_TEST(collection) {
    struct grammar *grammar = gbnf("root ::= (\"(\" [a-z]{1,100000} root? \")\")+");
    struct matcher *matcher = new_matcher(grammar, NULL);
    for (int round = 0; round < 150; round++) {
        struct error error = {0};
        ck_assert(matcher_accept(matcher, "(", 1));
        for (int i = 0; i < 600; i++) ck_assert(matcher_accept(matcher, "x", 1));
        struct matcher *copy = matcher_copy(matcher, &error);
        matcher_free(matcher);
        matcher = copy;
        ck_assert_uint_eq(matcher_shortest(matcher), (uint32_t)round + 1);
    }
    char closing[256];
    ck_assert_uint_eq(matcher_closing(matcher, closing, sizeof closing), 150);
    ck_assert(matcher_accept(matcher, closing, 150) && matcher_may_end(matcher));
    matcher_free(matcher);
    grammar_unref(grammar);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("text");
    TCase *tests = tcase_create("all");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, belonging, 0, sizeof cases / sizeof *cases);
    tcase_add_loop_test(tests, refused, 0, sizeof refusals / sizeof *refusals);
    tcase_add_loop_test(tests, differential, 0, 3);
    tcase_add_loop_test(tests, walks, 0, sizeof cases / sizeof *cases);
    tcase_add_loop_test(tests, regular, 0, sizeof patterns / sizeof *patterns);
    tcase_add_test(tests, regular_refused);
    tcase_add_test(tests, hostile);
    tcase_add_test(tests, alternatives);
    tcase_add_test(tests, too_many);
    tcase_add_test(tests, collection);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
