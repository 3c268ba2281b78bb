/* How schemas are compiled: what is made anew and what is given up. */
#include <check.h>

#include "engine/grammar_rules.h"
#include "tests/support.h"
#include "tests/unit/engine/grammar_support.h"

static struct grammar *compile(const char *schema) {
    struct error error = {0};
    struct grammar *grammar =
        grammar_from_schema(schema, strlen(schema), false, false, NULL, &error);
    ck_assert_msg(grammar, "%.200s: %s (%s)", schema, error.message, error.path);
    return grammar;
}

static void check(struct grammar *grammar, const char *text, bool expected) {
    ck_assert_msg(accepts(grammar, text, strlen(text)) == expected, "%s is %s", text,
                  expected ? "rejected" : "accepted");
}

/* ---- several attempts ---- */

/* Multiplied out, each of twenty members has 32 automata for its keys, more than there may be; then
 * the dependencies are left to guards. */
START_TEST(too_many_automata) {
    char *text = malloc(1 << 16), *at = text + sprintf(text, "{\"properties\":{\"x\":{}");
    for (int i = 0; i < 20; i++) {
        at += sprintf(at, ",\"p%d\":{\"type\":\"object\",\"patternProperties\":{\"^k%d\":{\"type\":\"integer\"}}", i, i);
        at += sprintf(at, ",\"dependentRequired\":{\"a\":[\"z\"],\"b\":[\"z\"],\"c\":[\"z\"],\"d\":[\"z\"],\"e\":[\"z\"]}}");
    }
    sprintf(at, "}}");
    struct grammar *grammar = compile(text);
    check(grammar, "{\"p7\":{\"k7\":1,\"k8\":\"\",\"a\":2,\"z\":3}}", true);
    check(grammar, "{\"p7\":{\"k7\":\"\"}}", false);
    check(grammar, "{\"p19\":{\"e\":2,\"b\":3}}", false);
    grammar_unref(grammar);
    free(text);
}
END_TEST

/* Two lists of thousands of values, one against the other. */
START_TEST(long_lists) {
    enum { VALUES = 3000 };
    char *text = malloc(1 << 18), *at = text + sprintf(text, "{\"allOf\":[{\"enum\":[null");
    for (int i = 0; i < VALUES; i++) at += sprintf(at, ",\"v%d\"", i);
    at += sprintf(at, ",1,[2]]},{\"enum\":[[2.0],1.0");
    for (int i = 0; i < VALUES; i++) at += sprintf(at, ",\"v%d\"", VALUES * 2 - 1000 - i);
    sprintf(at, "]}]}");
    struct grammar *grammar = compile(text);
    check(grammar, "\"v2999\"", true);
    check(grammar, "\"v2001\"", true);
    check(grammar, "\"v2000\"", false);
    check(grammar, "\"v3000\"", false);
    check(grammar, "null", false);
    check(grammar, "1", true);
    check(grammar, "[2]", true);
    grammar_unref(grammar);
    free(text);
}
END_TEST

/* Branches that overlap are compiled anew, others stay; guards of all tools are judged by their own
 * schemas. */
START_TEST(overlaps_among_tools) {
    static const char even[] = "{\"properties\":{\"n\":{\"type\":\"integer\",\"not\":{\"multipleOf\":2}},"
                               "\"m\":{\"type\":\"integer\",\"oneOf\":[{\"minimum\":5},{\"maximum\":9}]}}}";
    static const char odd[] = "{\"properties\":{\"n\":{\"type\":\"integer\",\"oneOf\":[{\"multipleOf\":2},{\"multipleOf\":3}]},"
                              "\"o\":{\"oneOf\":[{\"properties\":{\"a\":{\"type\":\"integer\"}}},{\"required\":[\"b\"]}]}}}";
    static const char settled[] = "{\"properties\":{\"n\":{\"type\":\"integer\",\"not\":{\"multipleOf\":2}}}}";
    static const struct {
        const char *text;
        bool valid;
    } calls[] = {
        {"<c>{\"name\":\"e\",\"arguments\":{\"n\":3,\"m\":4}}</c>", true},
        {"<c>{\"name\":\"e\",\"arguments\":{\"n\":3,\"m\":10}}</c>", true},
        {"<c>{\"name\":\"e\",\"arguments\":{\"n\":3,\"m\":5}}</c>", false},
        {"<c>{\"name\":\"e\",\"arguments\":{\"n\":4}}</c>", false},
        {"<c>{\"name\":\"o\",\"arguments\":{\"n\":4}}</c>", true},
        {"<c>{\"name\":\"o\",\"arguments\":{\"n\":6}}</c>", false},
        {"<c>{\"name\":\"o\",\"arguments\":{\"o\":{\"a\":1}}}</c>", true},
        {"<c>{\"name\":\"s\",\"arguments\":{\"n\":3}}</c>", true},
        {"<c>{\"name\":\"s\",\"arguments\":{\"n\":2}}</c>", false},
        {"<c>{\"name\":\"p\",\"arguments\":{\"n\":3,\"m\":10}}</c>", true},
        {"<c>{\"name\":\"p\",\"arguments\":{\"n\":3,\"m\":9}}</c>", false},
    };
    const struct grammar_tool tools[] = {{"e", 1, even, sizeof even - 1},
                                         {"o", 1, odd, sizeof odd - 1},
                                         {"s", 1, settled, sizeof settled - 1},
                                         {"p", 1, even, sizeof even - 1}};
    const struct grammar_syntax syntax = {"<c>", "</c>", "", false};
    struct error error = {0};
    struct grammar *grammar = grammar_from_tools(tools, 4, GRAMMAR_CALLS, 1, &syntax, NULL, &error);
    ck_assert_msg(grammar, "%s (%s)", error.message, error.path);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        check(grammar, calls[i].text, calls[i].valid);
    grammar_unref(grammar);
}
END_TEST

/* ---- choices between strings ---- */

#define TWO(word) "{\"pattern\":\"" word "\"},{\"pattern\":\"^x\"}"

static const struct {
    const char *schema;
    uint32_t cells; /* of the root, guards among them */
    const char *accepted[6], *rejected[6];
} choices[] = {
    {"{\"type\":\"string\",\"anyOf\":[" TWO("a") "]}", 1, {"\"ya\"", "\"x\"", "\"xa\""}, {"\"y\"", "1"}},
    {"{\"type\":\"string\",\"oneOf\":[" TWO("a") "]}", 1, {"\"ya\"", "\"x\""}, {"\"xa\"", "\"y\"", "\"xya\""}},
    {"{\"type\":\"string\",\"oneOf\":[" TWO("a") ",{\"pattern\":\"b\"}],\"maxLength\":3}", 1,
     {"\"ya\"", "\"x\"", "\"b\""}, {"\"ab\"", "\"xb\"", "\"yyya\""}},
    {"{\"type\":\"string\",\"not\":{\"pattern\":\"a\",\"minLength\":3}}", 1, {"\"a\"", "\"bbb\""}, {"\"abb\"", "\"bba\""}},
    {"{\"type\":\"string\",\"if\":{\"pattern\":\"^a\"},\"then\":{\"maxLength\":2},\"else\":{\"pattern\":\"z$\"}}", 1,
     {"\"ab\"", "\"z\"", "\"bbbz\""}, {"\"abz\"", "\"b\""}},
    /* lengths that all have are counted, gaps or not */
    {"{\"oneOf\":[{\"type\":\"string\",\"pattern\":\"^(ab)+$\",\"maxLength\":6},{\"maxLength\":6,\"type\":\"string\",\"pattern\":\"^(abab)+$\"}]}", 1,
     {"\"ab\"", "\"ababab\""}, {"\"abab\"", "\"\"", "\"abababababab\"", "\"a\""}},
    {"{\"type\":\"string\",\"anyOf\":[{\"maxLength\":0},{\"pattern\":\"^b+$\",\"minLength\":2}]}", 1, {"\"\"", "\"bb\""}, {"\"b\"", "\"c\""}},
    {"{\"type\":\"string\",\"anyOf\":[{\"format\":\"ipv4\"},{\"format\":\"date\"}]}", 1, {"\"1.2.3.4\"", "\"2020-02-29\""}, {"\"2021-02-29\"", "\"\""}},
    /* through references and values that stand there; a choice that is none */
    {"{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"type\":\"string\",\"anyOf\":[{\"$ref\":\"#/$defs/b\"},{\"enum\":[\"q\",\"a.b\",7]}]},\"b\":{\"pattern\":\"^c\"}}}", 1,
     {"\"q\"", "\"a.b\"", "\"cd\""}, {"\"axb\"", "7", "\"\""}},
    {"{\"anyOf\":[{\"enum\":[\"a\",\"b\"]},{\"type\":\"string\"}]}", 1, {"\"a\"", "\"c\""}, {"1"}},
    /* only the strings of a mixed choice are merged */
    {"{\"anyOf\":[{\"type\":\"string\",\"pattern\":\"^a+$\"},{\"type\":\"null\"},{\"type\":\"string\",\"pattern\":\"^b+$\",\"maxLength\":3},{\"type\":\"integer\"}]}", 3,
     {"\"aaaa\"", "null", "\"bb\"", "7"}, {"\"bbbb\"", "\"ab\"", "{}"}},
    {"{\"oneOf\":[{\"type\":[\"string\",\"integer\"],\"pattern\":\"a\",\"maximum\":5},{\"type\":[\"string\",\"integer\"],\"pattern\":\"b\",\"minimum\":6}]}", 3,
     {"\"a\"", "\"b\"", "5", "6"}, {"\"ab\"", "\"\"", "null"}},
};

START_TEST(merged) {
    struct grammar *grammar = compile(choices[_i].schema);
    const struct rules *rules = grammar_rules(grammar);
    ck_assert_msg(rules->nodes[rules->root].n_cells == choices[_i].cells, "%s has %u cells",
                  choices[_i].schema, rules->nodes[rules->root].n_cells);
    ck_assert_msg(!rules->guarded, "%s has guards", choices[_i].schema);
    for (int i = 0; i < 6 && choices[_i].accepted[i]; i++)
        check(grammar, choices[_i].accepted[i], true);
    for (int i = 0; i < 6 && choices[_i].rejected[i]; i++)
        check(grammar, choices[_i].rejected[i], false);
    grammar_unref(grammar);
}
END_TEST

/* Names that several rules allow, also beside patterns for members. */
START_TEST(choices_of_names) {
    static const struct {
        const char *schema, *accepted[3], *rejected[4];
    } names[] = {
        {"{\"type\":\"object\",\"propertyNames\":{\"anyOf\":[{\"const\":\"a\"},{\"pattern\":\"b\"}]}}",
         {"{}", "{\"a\":1,\"xb\":2}"}, {"{\"c\":1}", "{\"a\":1,\"aa\":2}"}},
        {"{\"type\":\"object\",\"propertyNames\":{\"oneOf\":[{\"maxLength\":1},{\"pattern\":\"b\"}]},\"patternProperties\":{\"b\":{\"type\":\"integer\"}}}",
         {"{\"a\":\"\",\"xb\":2}"}, {"{\"b\":1}", "{\"xb\":\"2\"}", "{\"xx\":2}"}},
        {"{\"type\":\"object\",\"propertyNames\":false,\"properties\":{\"a\":{}}}", {"{}"}, {"{\"a\":1}", "{\"b\":1}", "{\"\":1}"}},
        {"{\"type\":\"object\",\"propertyNames\":{\"not\":{\"pattern\":\"^x\",\"minLength\":3}},\"minProperties\":1}",
         {"{\"xx\":1}", "{\"yyy\":1}"}, {"{\"xxx\":1}", "{}"}},
    };
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        struct grammar *grammar = compile(names[n].schema);
        for (int i = 0; i < 3 && names[n].accepted[i]; i++) check(grammar, names[n].accepted[i], true);
        for (int i = 0; i < 4 && names[n].rejected[i]; i++) check(grammar, names[n].rejected[i], false);
        grammar_unref(grammar);
    }
}
END_TEST

/* A value of the oneOf that stands behind a $ref: both branches hold for it. */
START_TEST(enumerated_behind_ref) {
    struct grammar *grammar = compile("{\"$defs\":{\"x\":{\"oneOf\":[{\"const\":null},{\"pattern\":\"ab\"}]}},"
                                      "\"$ref\":\"#/$defs/x\",\"pattern\":\"a\"}");
    check(grammar, "null", false);
    check(grammar, "1", true);
    check(grammar, "\"ab\"", true);
    grammar_unref(grammar);
}
END_TEST

/* There are only even lengths; without a greatest one they need not be part of the states. */
START_TEST(least_length_with_gaps) {
    struct grammar *grammar = compile("{\"type\":\"string\",\"pattern\":\"^([a-z][0-9])+$\",\"minLength\":9001}");
    char *text = malloc(1 << 15);
    ck_assert_uint_ge(grammar_shortest(grammar), 9004);
    for (int pairs = 4500; pairs <= 4502; pairs++) {
        text[0] = '"';
        for (int i = 0; i < pairs; i++) memcpy(text + 1 + 2 * i, "a1", 2);
        strcpy(text + 1 + 2 * pairs, "\"");
        check(grammar, text, pairs > 4500);
    }
    grammar_unref(grammar);
    free(text);
}
END_TEST

static Suite *suite(void) {
    Suite *s = suite_create("schema");
    TCase *t = tcase_create("attempts");
    tcase_add_test(t, too_many_automata);
    tcase_add_test(t, overlaps_among_tools);
    tcase_add_test(t, long_lists);
    suite_add_tcase(s, t);
    t = tcase_create("strings");
    tcase_add_loop_test(t, merged, 0, sizeof choices / sizeof *choices);
    tcase_add_test(t, choices_of_names);
    tcase_add_test(t, enumerated_behind_ref);
    tcase_add_test(t, least_length_with_gaps);
    suite_add_tcase(s, t);
    return s;
}

int main(void) {
    return run_suite(suite());
}
