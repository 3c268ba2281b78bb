/* How schemas are compiled: what is made anew and what is given up. */
#include <check.h>

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

/* Branches that overlap are compiled anew, others stay; guards of all tools are judged by their own
 * schemas. */
START_TEST(overlaps_among_tools) {
    static const char even[] = "{\"properties\":{\"n\":{\"type\":\"integer\",\"not\":{\"multipleOf\":2}},"
                               "\"m\":{\"type\":\"integer\",\"oneOf\":[{\"minimum\":5},{\"maximum\":9}]}}}";
    static const char odd[] = "{\"properties\":{\"n\":{\"type\":\"integer\",\"oneOf\":[{\"multipleOf\":2},{\"multipleOf\":3}]},"
                              "\"o\":{\"oneOf\":[{\"properties\":{\"a\":{\"type\":\"integer\"}}},{\"required\":[\"b\"]}]}}}";
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
        {"<c>{\"name\":\"p\",\"arguments\":{\"n\":3,\"m\":10}}</c>", true},
        {"<c>{\"name\":\"p\",\"arguments\":{\"n\":3,\"m\":9}}</c>", false},
    };
    const struct grammar_tool tools[] = {{"e", 1, even, sizeof even - 1},
                                         {"o", 1, odd, sizeof odd - 1},
                                         {"p", 1, even, sizeof even - 1}};
    const struct grammar_syntax syntax = {"<c>", "</c>", "", false};
    struct error error = {0};
    struct grammar *grammar = grammar_from_tools(tools, 3, GRAMMAR_CALLS, 1, &syntax, NULL, &error);
    ck_assert_msg(grammar, "%s (%s)", error.message, error.path);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        check(grammar, calls[i].text, calls[i].valid);
    grammar_unref(grammar);
}
END_TEST

static Suite *suite(void) {
    Suite *s = suite_create("schema");
    TCase *t = tcase_create("attempts");
    tcase_add_test(t, too_many_automata);
    tcase_add_test(t, overlaps_among_tools);
    suite_add_tcase(s, t);
    return s;
}

int main(void) {
    return run_suite(suite());
}
