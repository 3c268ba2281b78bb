/* Guards: what is decided where a value closes. */
#include <check.h>

#include "engine/json_write.h"
#include "engine/schema_part.h"
#include "engine/validate.h"
#include "tests/support.h"
#include "tests/unit/engine/grammar_support.h"
#include "base/buf.h"

enum { TEXTS = 8 };

static const struct {
    const char *schema;
    const char *yes[TEXTS], *no[TEXTS];
} cases[] = {
    /* contains */
    {"{\"contains\":{\"const\":1}}", {"[1]", "[1.0]", "[\"a\",1,1]", "{}", "3"}, {"[]", "[2]", "[\"1\",[1]]"}},
    {"{\"contains\":{\"type\":\"integer\",\"minimum\":5},\"minContains\":2,\"maxContains\":3}",
     {"[5,6]", "[1,5,2,6]", "[5,6,7,1]"}, {"[]", "[5]", "[5,1]", "[5,6,7,8]"}},
    {"{\"contains\":{\"const\":1},\"minContains\":0}", {"[]", "[2]", "[1]"}, {"[1,]"}},
    {"{\"contains\":{\"const\":1},\"minContains\":0,\"maxContains\":1}", {"[]", "[2]", "[1,2]"}, {"[1,1]", "[1,2,1.0]"}},
    {"{\"type\":\"array\",\"items\":{\"enum\":[1,2]},\"contains\":{\"const\":1},\"maxItems\":2}",
     {"[1]", "[2,1]", "[1,2]"}, {"[]", "[2]", "[2,2]", "[1,1,1]"}},
    {"{\"allOf\":[{\"contains\":{\"const\":1}},{\"contains\":{\"const\":2}}]}", {"[1,2]", "[3,2,1]"}, {"[1]", "[2,2]", "[]"}},
    {"{\"prefixItems\":[{\"type\":\"string\"},{\"type\":\"integer\"}],\"items\":false,\"contains\":{\"type\":\"integer\"}}",
     {"[\"a\",1]"}, {"[]", "[\"a\"]", "[1]"}},
    {"{\"not\":{\"contains\":{\"const\":1},\"minContains\":2}}", {"[]", "[1]", "[1,2]"}, {"4", "[1,1]", "[1,2,1]"}},
    {"{\"not\":{\"prefixItems\":[{\"type\":\"integer\"}],\"items\":{\"const\":7}}}",
     {"[\"7\"]", "[7,1]", "[1,7,1]"}, {"[]", "[1]", "[8,7]", "4"}},
    {"{\"contains\":{\"contains\":{\"const\":1}}}", {"[[1]]", "[[],[2,1]]"}, {"[]", "[[]]", "[[2]]"}},
    /* uniqueItems */
    {"{\"uniqueItems\":true}",
     {"[]", "[1,2,true,null]", "[{\"a\":1},{\"a\":2}]", "[[1],[2]]", "[1,\"1\"]", "[0,false,[0],[false]]"},
     {"[1,1.0]", "[10,1e1]", "[{\"a\":1,\"b\":2},{\"b\":2.0,\"a\":1}]", "[\"a\",\"\\u0061\"]", "[[1],[1]]", "[0,-0.0]", "[1,2,1]", "[null,null]"}},
    {"{\"type\":\"array\",\"items\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":2},\"uniqueItems\":true,\"minItems\":3}",
     {"[0,1,2]", "[2,0,1]"}, {"[0,1]", "[0,1,1]", "[0,1,2,0]"}},
    {"{\"items\":{\"enum\":[[1],[1.0],{\"a\":2},2]},\"uniqueItems\":true}", {"[[1],2]", "[[1.0],{\"a\":2}]"}, {"[[1],[1.0]]", "[2,2]"}},
    {"{\"items\":{\"uniqueItems\":true},\"uniqueItems\":true}", {"[[1,2],[2,1]]"}, {"[[1,1]]", "[[1,2],[1,2]]"}},
    /* not, if, oneOf where what is left has no automaton */
    {"{\"not\":{\"multipleOf\":3}}", {"1", "2.5", "10"}, {"\"a\"", "3", "0", "-6", "6.0"}},
    {"{\"type\":\"integer\",\"if\":{\"multipleOf\":2},\"then\":{\"minimum\":10},\"else\":{\"maximum\":5}}",
     {"10", "3", "12", "-1"}, {"8", "7", "11"}},
    {"{\"oneOf\":[{\"multipleOf\":2},{\"multipleOf\":3}],\"type\":\"integer\"}", {"2", "3", "-9"}, {"6", "0", "1"}},
    {"{\"not\":{\"uniqueItems\":true}}", {"[1,1]", "[[],[],1]"}, {"[]", "[1,2]", "3", "{}"}},
    {"{\"type\":\"object\",\"properties\":{\"a\":{\"not\":{\"additionalProperties\":{\"type\":\"string\"}}}}}",
     {"{\"a\":{\"x\":1}}", "{}"}, {"{\"a\":{}}", "{\"a\":{\"x\":\"\"}}", "{\"a\":2}"}},
    {"{\"anyOf\":[{\"type\":\"string\",\"not\":{\"enum\":[\"a\",[1]]}},{\"type\":\"integer\",\"not\":{\"multipleOf\":2}}]}",
     {"\"b\"", "1"}, {"\"a\"", "2", "[1]"}},
    {"{\"enum\":[[1],[2,3],{\"a\":1}],\"not\":{\"items\":{\"maximum\":1}}}", {"[2,3]"}, {"[1]", "{\"a\":1}"}},
    {"{\"type\":[\"number\",\"string\"],\"not\":{\"type\":\"integer\"}}", {"1.5", "\"a\"", "-0.25"}, {"2", "2.0", "0", "1e1"}},
    {"{\"not\":{\"type\":[\"integer\",\"string\"]}}", {"1.5", "[]", "null"}, {"2", "2.0", "\"a\""}},
    {"{\"$schema\":\"http://json-schema.org/draft-04/schema#\",\"type\":\"number\",\"not\":{\"type\":\"integer\"}}",
     {"1.5", "2.0"}, {"2"}},
    {"{\"enum\":[1,1.5,\"a\"],\"not\":{\"type\":\"integer\"}}", {"1.5", "\"a\""}, {"1", "1.0"}},
    /* what is not of a format, which is more than what is not written in it */
    {"{\"oneOf\":[{\"type\":\"string\",\"format\":\"ipv4\"},{\"type\":\"string\",\"format\":\"ipv6\"}]}",
     {"\"1.2.3.4\"", "\"::1\""}, {"\"a\"", "1", "\"1.2.3\""}},
    {"{\"type\":\"string\",\"if\":{\"format\":\"date\"},\"then\":{\"pattern\":\"^2\"},\"else\":{\"pattern\":\"^x\"}}",
     {"\"2020-01-01\"", "\"xa\"", "\"x2023-02-29\""}, {"\"1020-01-01\"", "\"2023-02-29\"", "\"ya\""}},
    {"{\"not\":{\"format\":\"email\"},\"type\":\"string\"}", {"\"a\"", "\"\""}, {"\"a@b.c\"", "\"\\\"a b\\\"@b.c\""}},
    /* documents in strings */
    {"{\"contentMediaType\":\"application/json\"}",
     {"\"{\\\"a\\\": [1, {}]}\"", "\"0\"", "\" null\\n\"", "\"\\\"x\\\"\"", "100", "[]"},
     {"\"{:}\"", "\"\"", "\"01\"", "\"{} {}\"", "\"nul\"", "\"[1,]\""}},
    {"{\"contentMediaType\":\"Application/JSON; charset=utf-8\",\"contentEncoding\":\"base64\"}",
     {"\"e30=\"", "\"MA==\"", "\"W10=\"", "\"eyJmb28iOiAiYmFyIn0K\"", "100"},
     {"\"ezp9Cg==\"", "\"{}\"", "\"\"", "\"IA==\"", "\"e30\""}},
    {"{\"contentMediaType\":\"application/json\",\"contentEncoding\":\"base16\"}", {"\"7b7D\"", "\"31\""}, {"\"7B\"", "\"3\"", "\"{}\""}},
    {"{\"contentMediaType\":\"application/json\",\"contentEncoding\":\"base32\"}", {"\"PN6Q====\""}, {"\"PM======\"", "\"{}\""}},
    {"{\"contentMediaType\":\"application/json\",\"contentEncoding\":\"quoted-printable\"}", {"\"{\"", "\"{}\""}, {0}},
    {"{\"contentMediaType\":\"application/json\",\"contentEncoding\":\"8bit\"}", {"\"{}\""}, {"\"{\""}},
    {"{\"contentMediaType\":\"text/html\",\"contentEncoding\":\"x\"}", {"\"{\""}, {0}},
    {"{\"enum\":[\"{}\",\"{\",1],\"contentMediaType\":\"application/json\"}", {"\"{}\"", "1"}, {"\"{\""}},
    {"{\"enum\":[\"QQ==\",\"-\"],\"contentEncoding\":\"base64\"}", {"\"QQ==\""}, {"\"-\""}},
    {"{\"type\":\"string\",\"not\":{\"contentEncoding\":\"base64\"}}", {"\"-\"", "\"QQ\""}, {"\"QQ==\"", "\"\""}},
    {"{\"type\":\"string\",\"oneOf\":[{\"contentEncoding\":\"base64\"},{\"contentMediaType\":\"application/json\"}]}",
     {"\"QQ==\"", "\"{}\""}, {"\"1234\"", "\"-\""}},
    {"{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"contentMediaType\":\"application/json\"}", {"\"{}\""}, {"\"{\""}},
    {"{\"$schema\":\"http://json-schema.org/draft-06/schema#\",\"contentMediaType\":\"application/json\"}", {"\"{\""}, {0}},
    {"{\"$schema\":\"https://json-schema.org/draft/2019-09/schema\",\"contentEncoding\":\"base64\"}", {"\"-\""}, {0}},
    {"{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"items\":{\"$id\":\"http://a/b\",\"$schema\":"
     "\"http://json-schema.org/draft-07/schema#\",\"contentEncoding\":\"base64\"}}", {"[\"-\"]"}, {0}},
    /* unevaluated */
    {"{\"properties\":{\"a\":{}},\"unevaluatedProperties\":false,\"anyOf\":[{\"properties\":{\"b\":{\"const\":1}},\"required\":[\"b\"]},"
     "{\"properties\":{\"c\":{}}}]}",
     {"{\"a\":1}", "{\"a\":1,\"b\":1}", "{\"b\":1,\"c\":1}", "{}", "7"}, {"{\"d\":1}", "{\"b\":2}", "{\"a\":1,\"z\":1}"}},
    {"{\"allOf\":[{\"properties\":{\"a\":{}}}],\"unevaluatedProperties\":{\"type\":\"null\"}}",
     {"{\"a\":1,\"z\":null}"}, {"{\"a\":1,\"z\":0}"}},
    {"{\"if\":{\"properties\":{\"a\":{\"const\":1}},\"required\":[\"a\"]},\"then\":{\"properties\":{\"b\":{}}},\"unevaluatedProperties\":false}",
     {"{\"a\":1}", "{}"}, {"{\"a\":2}", "{\"b\":1}", "{\"a\":1,\"c\":1}"}},
    {"{\"prefixItems\":[{\"const\":1}],\"unevaluatedItems\":false}", {"[]", "[1]", "{}"}, {"[1,2]", "[2]"}},
    {"{\"prefixItems\":[true],\"contains\":{\"const\":5},\"unevaluatedItems\":{\"type\":\"string\"}}",
     {"[5]", "[0,5,\"a\"]", "[0,\"a\",5,5]"}, {"[0]", "[0,5,4]", "[]"}},
    {"{\"enum\":[{\"a\":1},{\"b\":1}],\"properties\":{\"a\":{}},\"unevaluatedProperties\":false}", {"{\"a\":1}"}, {"{\"b\":1}"}},
};

static struct grammar *compile(const char *schema, bool closed) {
    struct error error = {0};
    struct grammar *grammar = grammar_from_schema(schema, strlen(schema), closed, false, NULL, &error);
    ck_assert_msg(grammar, "%s: %s at %s", schema, error.message, error.path);
    return grammar;
}

static bool valid(const char *schema, const char *text) {
    struct error error = {0};
    struct json_doc *doc = json_parse(schema, strlen(schema), 64, &error);
    struct json_doc *value = json_parse(text, strlen(text), 64, &error);
    struct validator *validator = validator_new(json_root(doc), VALIDATE_ALL_FORMATS, &error);
    ck_assert_msg(doc && validator, "%s", error.message);
    bool fine = value && validator_check(validator, json_root(value), &error);
    validator_free(validator);
    json_free(value);
    json_free(doc);
    return fine;
}

START_TEST(decides) {
    struct grammar *grammar = compile(cases[_i].schema, false);
    for (int i = 0; i < TEXTS && cases[_i].yes[i]; i++) {
        const char *text = cases[_i].yes[i];
        ck_assert_msg(valid(cases[_i].schema, text), "%s: %s is not valid", cases[_i].schema, text);
        ck_assert_msg(accepts(grammar, text, strlen(text)), "%s does not accept %s", cases[_i].schema, text);
    }
    for (int i = 0; i < TEXTS && cases[_i].no[i]; i++) {
        const char *text = cases[_i].no[i];
        ck_assert_msg(!valid(cases[_i].schema, text), "%s: %s is valid", cases[_i].schema, text);
        ck_assert_msg(!accepts(grammar, text, strlen(text)), "%s accepts %s", cases[_i].schema, text);
    }
    grammar_unref(grammar);
}
END_TEST

/* A list of `if` that ask for the same member, each for another value of it: most of their 2^12 combinations
 * want two values at once, and those are not made. */
START_TEST(one_condition_of_many) {
    enum { N = 12 };
    struct buf schema = {0}, text = {0};
    buf_add_str(&schema, "{\"type\":\"object\",\"properties\":{\"kind\":{\"enum\":[\"k0\"");
    for (int i = 1; i < N; i++) buf_printf(&schema, ",\"k%d\"", i);
    buf_add_str(&schema, "]}},\"allOf\":[{}");
    for (int i = 0; i < N; i++)
        buf_printf(&schema, ",{\"if\":{\"properties\":{\"kind\":{\"const\":\"k%d\"}}},\"then\":{\"properties\":{\"m%d\":{"
                            "\"const\":%d}},\"required\":[\"kind\",\"m%d\"]}}", i, i, i, i);
    buf_add_str(&schema, "]}");
    struct grammar *grammar = compile(schema.bytes, false);
    struct matcher *matcher = new_matcher(grammar, NULL);
    ck_assert(!matcher_may_fail(matcher));
    for (int i = 0; i < N; i++) {
        text.len = 0;
        buf_printf(&text, "{\"kind\":\"k%d\",\"m%d\":%d}", i, i, i);
        ck_assert(accepts(grammar, text.bytes, text.len));
        text.len = 0;
        buf_printf(&text, "{\"kind\":\"k%d\",\"m%d\":%d}", i, (i + 1) % N, (i + 1) % N);
        ck_assert(!accepts(grammar, text.bytes, text.len));
    }
    ck_assert(!accepts(grammar, "{\"kind\":\"k3\"}", 13) && !accepts(grammar, "{}", 2));
    matcher_free(matcher);
    grammar_unref(grammar);
    buf_free(&schema);
    buf_free(&text);
}
END_TEST

/* What is no integer is no guard's business where integers are all there may be. */
START_TEST(no_fractions) {
    struct error error = {0};
    const char *never = "{\"type\":\"integer\",\"oneOf\":[{\"type\":\"integer\"},{\"minimum\":0},{\"type\":\"number\"}]}";
    ck_assert(!grammar_from_schema(never, strlen(never), false, false, NULL, &error));
    ck_assert_str_eq(error.reason, "unsatisfiable");
    struct grammar *grammar = compile("{\"properties\":{\"m\":{\"type\":\"integer\"}},\"not\":{\"properties\":{\"m\":{"
                                      "\"type\":\"integer\"}},\"required\":[\"m\"]},\"type\":\"object\"}", false);
    struct matcher *matcher = new_matcher(grammar, NULL);
    ck_assert(!matcher_may_fail(matcher) && accepts(grammar, "{}", 2) && !accepts(grammar, "{\"m\":1}", 7));
    matcher_free(matcher);
    grammar_unref(grammar);
}
END_TEST

/* Several steps are one, if that is small. */
static const struct {
    const char *schema, *yes[4], *no[4];
    bool guarded;
} steps[] = {
    {"{\"type\":\"integer\",\"allOf\":[{\"multipleOf\":4},{\"multipleOf\":6}]}", {"12", "-24", "0"}, {"4", "6", "18"}, false},
    {"{\"type\":\"number\",\"multipleOf\":0.5,\"allOf\":[{\"multipleOf\":0.75}]}",
     {"1.5", "-4.5", "3", "30"}, {"0.5", "0.75", "1"}, false},
    {"{\"type\":\"number\",\"multipleOf\":0.02,\"allOf\":[{\"multipleOf\":5e-2},{\"multipleOf\":0.1}]}",
     {"0.1", "7", "-0.3"}, {"0.02", "0.15"}, false},
    {"{\"type\":\"integer\",\"multipleOf\":20,\"allOf\":[{\"multipleOf\":30},{\"multipleOf\":40}]}",
     {"120", "-240", "0"}, {"60", "20", "80"}, false},
    {"{\"type\":\"integer\",\"multipleOf\":97,\"allOf\":[{\"multipleOf\":89}]}", {"8633", "0"}, {"97", "89"}, true},
};

START_TEST(several_steps) {
    struct grammar *grammar = compile(steps[_i].schema, false);
    struct matcher *matcher = new_matcher(grammar, NULL);
    ck_assert(matcher_may_fail(matcher) == steps[_i].guarded);
    for (int i = 0; i < 4; i++) {
        const char *yes = steps[_i].yes[i], *no = steps[_i].no[i];
        ck_assert_msg(!yes || accepts(grammar, yes, strlen(yes)), "%s", yes);
        ck_assert_msg(!no || !accepts(grammar, no, strlen(no)), "%s", no);
    }
    matcher_free(matcher);
    grammar_unref(grammar);
}
END_TEST

/* Some name of a list must be there: that is no guard's business. */
START_TEST(names_of_a_list) {
    struct grammar *grammar = compile("{\"type\":\"object\",\"not\":{\"anyOf\":[{\"propertyNames\":{\"not\":{\"enum\":[\"a\","
                                      "\"b\",5]}}},{\"propertyNames\":{\"not\":{\"const\":\"c\"}}}]},\"maxProperties\":2}",
                                      false);
    struct matcher *matcher = new_matcher(grammar, NULL);
    ck_assert(!matcher_may_fail(matcher));
    ck_assert(accepts(grammar, "{\"b\":1,\"c\":2}", 13) && accepts(grammar, "{\"c\":1,\"a\":2}", 13));
    ck_assert(!accepts(grammar, "{\"a\":1,\"b\":2}", 13) && !accepts(grammar, "{\"c\":2}", 7));
    matcher_free(matcher);
    grammar_unref(grammar);
}
END_TEST

/* ---- closing ---- */

static const struct {
    const char *schema, *begun, *closing; /* NULL: none is found */
} closings[] = {
    {"{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"uniqueItems\":true,\"minItems\":3}", "", "[0,1,10]"},
    {"{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"uniqueItems\":true,\"minItems\":3}", "[1,1", "0,0]"},
    {"{\"type\":\"array\",\"items\":{\"type\":[\"integer\",\"string\"]},\"contains\":{\"type\":\"string\",\"minLength\":2},\"minContains\":2}",
     "", "[\"  \",\"  \"]"},
    {"{\"type\":\"array\",\"items\":{\"type\":[\"integer\",\"string\"]},\"contains\":{\"type\":\"string\",\"minLength\":2}}", "[7", ",\"  \"]"},
    {"{\"type\":\"array\",\"items\":{\"enum\":[1,2]},\"contains\":{\"const\":2},\"maxContains\":1,\"minItems\":3}", "[2,", "1,1]"},
    {"{\"type\":\"integer\",\"minimum\":3,\"not\":{\"multipleOf\":3}}", "", "4"},
    {"{\"type\":\"integer\",\"minimum\":3,\"not\":{\"multipleOf\":1}}", "", NULL},
    {"{\"type\":\"string\",\"contentMediaType\":\"application/json\"}", "", "\"0\""},
    {"{\"type\":\"string\",\"contentMediaType\":\"application/json\"}", "\"[1", "]\""},
    {"{\"type\":\"string\",\"contentMediaType\":\"application/json\",\"contentEncoding\":\"base64\"}", "", "\"MA==\""},
    {"{\"type\":\"array\",\"items\":{\"enum\":[{},[]]},\"uniqueItems\":true,\"minItems\":2}", "[{},", "[]]"},
    {"{\"type\":\"array\",\"items\":{\"type\":[\"boolean\",\"array\"]},\"uniqueItems\":true,\"contains\":{\"type\":\"boolean\"},\"minContains\":2}",
     "[[]", ",true,false]"},
    /* the next value, not a longer one that begins like the rejected one */
    {"{\"type\":\"array\",\"items\":{\"type\":\"number\",\"not\":{\"multipleOf\":2}},\"uniqueItems\":true,\"minItems\":3}", "",
     "[1,3,5]"},
    {"{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":{\"type\":\"number\",\"not\":{\"multipleOf\":5}},"
     "\"uniqueItems\":true,\"minItems\":2},\"uniqueItems\":true,\"minItems\":3}", "", "[[1,2],[1,3],[1,4]]"},
    /* some member must be there, whose name a pattern tells: one name for all that are asked for */
    {"{\"type\":\"object\",\"not\":{\"patternProperties\":{\"^x[0-9]+$\":{\"type\":\"string\"}}}}", "", "{\"x0\":0}"},
    {"{\"type\":\"object\",\"maxProperties\":1,\"allOf\":[{\"not\":{\"propertyNames\":{\"not\":{\"pattern\":\"a1\"}}}},"
     "{\"not\":{\"propertyNames\":{\"not\":{\"pattern\":\"1b\"}}}}]}", "", "{\"a1b\":0}"},
    {"{\"type\":\"object\",\"not\":{\"propertyNames\":{\"pattern\":\"^a\"}}}", "", "{\"\":0}"},
};

START_TEST(closes) {
    struct grammar *grammar = compile(closings[_i].schema, false);
    struct matcher *matcher = new_matcher(grammar, NULL);
    char closing[256];
    const char *begun = closings[_i].begun, *wanted = closings[_i].closing;
    ck_assert(matcher_may_fail(matcher));
    ck_assert(matcher_accept(matcher, begun, strlen(begun)));
    size_t n = matcher_closing(matcher, closing, sizeof closing - 1);
    closing[n] = '\0';
    ck_assert_str_eq(closing, wanted ? wanted : "");
    if (wanted) ck_assert(matcher_accept(matcher, closing, n) && matcher_may_end(matcher));
    matcher_free(matcher);
    grammar_unref(grammar);
}
END_TEST

/* ---- many items ---- */

static const char *const long_arrays[] = {
    "{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"uniqueItems\":true}",
    "{\"type\":\"array\",\"items\":{\"type\":[\"integer\",\"string\"]},\"uniqueItems\":true,\"contains\":{\"minimum\":9},\"minContains\":9000}",
    "{\"uniqueItems\":true}",
};

static void add_items(struct buf *text, unsigned n, bool strings) {
    buf_add_char(text, '[');
    for (unsigned i = 0; i < n; i++) buf_printf(text, strings ? "%s\"%u\"" : "%s%u", i ? "," : "", i);
}

/* Taken at once and byte by byte; a repetition far back is found. */
START_TEST(many_items) {
    enum { N = 20000 };
    struct grammar *grammar = compile(long_arrays[_i], false);
    struct matcher *at_once = new_matcher(grammar, NULL), *each = new_matcher(grammar, NULL);
    struct buf text = {0};
    add_items(&text, N, false);
    ck_assert(matcher_accept(at_once, text.bytes, text.len));
    for (size_t i = 0; i < text.len; i++) ck_assert(matcher_accept(each, text.bytes + i, 1));
    struct matcher *both[] = {at_once, each};
    for (int i = 0; i < 2; i++) {
        ck_assert(!matcher_allows(both[i], ",17]", 4));
        ck_assert(!matcher_accept(both[i], ",19999,3", 8));
        ck_assert(matcher_allows(both[i], ",20000]", 7));
        ck_assert(matcher_accept(both[i], "]", 1) && matcher_may_end(both[i]));
        matcher_free(both[i]);
    }
    buf_free(&text);
    grammar_unref(grammar);
}
END_TEST

/* Strings that are told apart as they are written are no guard's business, however many. */
START_TEST(many_strings) {
    struct grammar *grammar = compile("{\"items\":{\"type\":\"string\"},\"uniqueItems\":true,\"type\":\"array\"}", false);
    struct matcher *matcher = new_matcher(grammar, NULL);
    struct buf text = {0};
    add_items(&text, 10000, true);
    ck_assert(!matcher_may_fail(matcher));
    ck_assert(matcher_accept(matcher, text.bytes, text.len));
    ck_assert(!matcher_allows(matcher, ",\"77\"", 5));
    ck_assert(matcher_accept(matcher, ",\"x\"]", 5));
    matcher_free(matcher);
    buf_free(&text);
    grammar_unref(grammar);
}
END_TEST

/* ---- copies, failures, hostile schemas ---- */

START_TEST(copies_go_their_own_way) {
    struct grammar *grammar = compile("{\"uniqueItems\":true,\"items\":{\"type\":\"number\"}}", false);
    struct matcher *a = new_matcher(grammar, NULL);
    struct error error = {0};
    ck_assert(matcher_accept(a, "[1,2", 4));
    struct matcher *b = matcher_copy(a, &error);
    ck_assert(matcher_accept(a, ",3", 2) && matcher_accept(b, "5,3", 3));
    ck_assert(!matcher_accept(a, ",2]", 3) && matcher_accept(a, ",25]", 4));
    ck_assert(!matcher_allows(b, ",25]", 4) && matcher_accept(b, ",2]", 3));
    ck_assert(matcher_may_end(a) && matcher_may_end(b));
    ck_assert(!matcher_guarded(a));
    matcher_free(a);
    matcher_free(b);
    grammar_unref(grammar);
}
END_TEST

/* Far too much work for a guard is a value that is not allowed, at once. */
START_TEST(work_is_bounded) {
    struct buf schema = {0}, text = {0};
    buf_add_str(&schema, "{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"not\":");
    for (int i = 0; i < 20; i++) buf_add_str(&schema, "{\"allOf\":[{\"uniqueItems\":true},{\"anyOf\":[");
    buf_add_str(&schema, "{\"uniqueItems\":true}");
    for (int i = 0; i < 20; i++) buf_add_str(&schema, "]}]}");
    buf_add_char(&schema, '}');
    struct error error = {0};
    struct grammar *grammar = grammar_from_schema(schema.bytes, schema.len, false, false,
                                                  &(struct grammar_limits){.depth = 100}, &error);
    ck_assert_msg(grammar, "%s", error.message);
    struct matcher *matcher = new_matcher(grammar, NULL);
    add_items(&text, 60000, false);
    ck_assert(matcher_accept(matcher, text.bytes, text.len));
    ck_assert(!matcher_allows(matcher, "]", 1));
    matcher_free(matcher);
    grammar_unref(grammar);
    buf_free(&schema);
    buf_free(&text);
}
END_TEST

/* What was only looked at takes nothing from what guards may cost the text: a long string is closed after
 * as many looks as there are tokens in it, each with several ways to close it. */
START_TEST(looks_cost_the_text_nothing) {
    enum { LONG = 40000, LOOKS = 60000 };
    struct buf text = {0};
    struct grammar *grammar = compile("{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}},\"not\":{"
                                      "\"additionalProperties\":{\"type\":\"integer\"}}}", false);
    struct matcher *matcher = new_matcher(grammar, NULL);
    buf_add_str(&text, "{\"a\":\"");
    for (unsigned i = 0; i < LONG; i++) buf_add_char(&text, 'x');
    ck_assert(matcher_accept(matcher, text.bytes, text.len));
    for (unsigned i = 0; i < LOOKS; i++) ck_assert(matcher_allows(matcher, "\"}", 2));
    ck_assert(matcher_accept(matcher, "\"}", 2) && matcher_may_end(matcher));
    matcher_free(matcher);
    grammar_unref(grammar);
    buf_free(&text);
}
END_TEST

/* Names that the compiler uses among itself mean nothing in a document. */
START_TEST(inner_keywords_are_not_read) {
    struct grammar *grammar = compile("{\"\\u0001pattern\":5,\"\\u0001not\":7,\"type\":\"string\"}", false);
    ck_assert(accepts(grammar, "\"a\"", 3));
    grammar_unref(grammar);
}
END_TEST

START_TEST(every_keyword_is_found) {
    for (int keyword = 0; keyword < KW_COUNT; keyword++) {
        const char *name = schema_keyword_name((enum schema_keyword)keyword);
        ck_assert_msg((int)schema_keyword_find(name, (uint32_t)strlen(name)) == keyword, "%s", name);
    }
}
END_TEST

/* ---- the official suite ---- */

struct suite_run {
    unsigned groups, refused;
};

static void check_group(const struct json *line, void *user) {
    static const char *const keywords[] = {"contains", "minContains", "maxContains", "uniqueItems",
                                           "unevaluatedItems", "unevaluatedProperties"};
    const struct json *keyword = json_get(line, "keyword"), *schema = json_get(line, "schema");
    const struct json *tests = json_get(line, "tests"), *id = json_get(line, "id");
    struct suite_run *run = user;
    struct error error = {0};
    size_t k = 0, n = sizeof keywords / sizeof *keywords;
    while (k < n && !json_is_string(keyword, keywords[k])) k++;
    if (k == n) return;
    run->groups++;
    struct grammar *grammar = grammar_from_schema(schema->raw, schema->raw_len, false, false, NULL, &error);
    run->refused += !grammar;
    for (uint32_t i = 0; grammar && i < tests->len; i++) {
        const struct json *data = json_get(tests->items[i], "data");
        bool wanted = json_get(tests->items[i], "valid")->type == JSON_TRUE;
        struct buf text = {0};
        json_write(&text, data, false);
        ck_assert_msg(accepts(grammar, text.bytes, text.len) == wanted, "%.*s: %.*s", (int)id->len, id->text,
                      (int)text.len, text.bytes);
        buf_free(&text);
    }
    grammar_unref(grammar);
}

/* All groups of these keywords, but for what asks for $dynamicRef. */
START_TEST(official_groups) {
    struct suite_run run = {0};
    if (each_line("data/json-schema-test-suite/draft2020-12.jsonl", check_group, &run) < 0) return;
    printf("official groups: %u, %u refused\n", run.groups, run.refused);
    ck_assert_uint_ge(run.groups, 40);
    ck_assert_uint_le(run.refused, 2);
}
END_TEST

static Suite *suite(void) {
    Suite *s = suite_create("guard");
    TCase *t = tcase_create("guards");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, decides, 0, sizeof cases / sizeof *cases);
    tcase_add_test(t, one_condition_of_many);
    tcase_add_test(t, no_fractions);
    tcase_add_loop_test(t, several_steps, 0, sizeof steps / sizeof *steps);
    tcase_add_test(t, names_of_a_list);
    tcase_add_loop_test(t, closes, 0, sizeof closings / sizeof *closings);
    tcase_add_loop_test(t, many_items, 0, sizeof long_arrays / sizeof *long_arrays);
    tcase_add_test(t, many_strings);
    tcase_add_test(t, copies_go_their_own_way);
    tcase_add_test(t, work_is_bounded);
    tcase_add_test(t, looks_cost_the_text_nothing);
    tcase_add_test(t, inner_keywords_are_not_read);
    tcase_add_test(t, every_keyword_is_found);
    tcase_add_test(t, official_groups);
    suite_add_tcase(s, t);
    return s;
}

int main(void) {
    return run_suite(suite());
}
