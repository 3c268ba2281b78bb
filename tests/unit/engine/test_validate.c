/* validate: each keyword, what is refused and where, closed objects, bounds. The official suites
 * and the benchmark sets are in test_validate_suites.c. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "engine/regex.h"
#include "engine/validate.h"
#include "tests/support.h"

static struct json_doc *parse(const char *text) {
    struct error error = {0};
    struct json_doc *doc = json_parse(text, strlen(text), 512, &error);
    ck_assert_msg(doc != NULL, "%.100s: %s", text, error.message);
    return doc;
}

static bool judge(const char *schema, unsigned flags, const char *instance, struct error *error) {
    struct json_doc *s = parse(schema), *i = parse(instance);
    struct error refused = {0};
    struct validator *v = validator_new(json_root(s), flags, &refused);
    ck_assert_msg(v != NULL, "%.200s: %s %s", schema, refused.message, refused.path);
    bool valid = validator_check(v, json_root(i), error);
    ck_assert_int_eq(error->code, valid ? ERROR_NONE : ERROR_OUTPUT_INVALID);
    validator_free(v);
    json_free(s);
    json_free(i);
    return valid;
}

struct judged {
    const char *schema;
    const char *valid[6], *invalid[6]; /* instances */
};

static void judge_all(const struct judged *cases, size_t n, unsigned flags) {
    for (size_t i = 0; i < n; i++) {
        for (int k = 0; k < 6 && cases[i].valid[k]; k++) {
            struct error e = {0};
            ck_assert_msg(judge(cases[i].schema, flags, cases[i].valid[k], &e),
                          "%s rejects %s: %s %s", cases[i].schema, cases[i].valid[k], e.keyword,
                          e.path);
        }
        for (int k = 0; k < 6 && cases[i].invalid[k]; k++) {
            struct error e = {0};
            ck_assert_msg(!judge(cases[i].schema, flags, cases[i].invalid[k], &e), "%s accepts %s",
                          cases[i].schema, cases[i].invalid[k]);
        }
    }
}
#define JUDGE_ALL(cases, flags) judge_all(cases, sizeof cases / sizeof *cases, flags)

#define D4 "\"$schema\":\"http://json-schema.org/draft-04/schema#\""
#define D7 "\"$schema\":\"http://json-schema.org/draft-07/schema#\""

static const struct judged scalars[] = {
    {"true", {"1", "{}"}, {0}},
    {"false", {0}, {"1", "{}", "null"}},
    {"{\"type\":\"integer\"}",
     {"1", "2.0", "1e3", "123456789012345678"},
     {"1.5", "\"1\"", "null", "1e-1"}},
    {"{" D4 ",\"type\":\"integer\"}", {"1", "-5"}, {"1.0", "1e3"}},
    {"{\"type\":[\"string\",\"null\"]}", {"\"a\"", "null"}, {"1", "false", "[]"}},
    {"{\"type\":\"boolean\"}", {"true", "false"}, {"0", "null", "\"true\""}},
    {"{\"enum\":[1,\"a\",{\"b\":[1]}]}",
     {"1.0", "\"a\"", "{\"b\":[10e-1]}"},
     {"2", "\"b\"", "{\"b\":[2]}"}},
    {"{\"const\":18446744073709551617}",
     {"18446744073709551617", "18446744073709551617.0"},
     {"18446744073709551616", "18446744073709551618"}},
    {"{\"minimum\":0.1,\"maximum\":1e3}",
     {"0.1", "1000", "\"x\""},
     {"0.09999999999999999999999", "1000.0000001"}},
    {"{\"exclusiveMinimum\":0,\"exclusiveMaximum\":10}",
     {"0.0000000000000000000001", "9.9"},
     {"0", "-0.0", "10", "1e1"}},
    {"{\"minimum\":0,\"exclusiveMinimum\":true}", {"1"}, {"0"}},
    {"{\"minimum\":0,\"exclusiveMinimum\":false}", {"0"}, {"-1"}},
    {"{\"multipleOf\":0.01}", {"19.99", "0", "1e300"}, {"0.001", "19.999"}},
    {"{\"minLength\":2,\"maxLength\":2.0}",
     {"\"\\u00e9\\ud83d\\ude00\"", "12"},
     {"\"\\ud83d\\ude00\"", "\"abc\""}},
    {"{\"maxLength\":1e400}", {"\"abc\""}, {0}},
    {"{\"minLength\":1e400}", {"1"}, {"\"abc\""}},
    {"{\"pattern\":\"b+\"}", {"\"abbc\"", "1"}, {"\"ac\""}},
    {"{\"pattern\":\"^(?!foo).*$\"}", {"\"bar\"", "\"fo\""}, {"\"foo\"", "\"foobar\""}},
    {"{\"pattern\":\"^(?=.*[0-9])(?=.*[a-z]).{3,5}$\"}",
     {"\"ab1\"", "\"1zzzz\""},
     {"\"abc\"", "\"123\"", "\"a1\"", "\"abcde1\""}},
    {"{\"pattern\":\"(?<!a)b\"}", {"\"b\"", "\"cb\""}, {"\"ab\"", "\"c\""}},
    {"{\"format\":\"unknown\",\"nullable\":true,\"x-y\":[5]}", {"\"x\"", "1"}, {0}},
    {"{\"format\":\"date\"}", {"\"x\""}, {0}},
};

START_TEST(judges_scalars) {
    JUDGE_ALL(scalars, 0);
}
END_TEST

static const struct judged objects[] = {
    {"{\"properties\":{\"a\":{\"type\":\"string\"}},\"required\":[\"a\",\"z\"]}",
     {"{\"a\":\"x\",\"z\":1}", "5"},
     {"{}", "{\"a\":\"x\"}", "{\"a\":1,\"z\":1}"}},
    {"{\"properties\":{\"a\":{}},\"additionalProperties\":false}",
     {"{}", "{\"a\":1}"},
     {"{\"b\":1}"}},
    {"{\"patternProperties\":{\"^x\":{\"type\":\"integer\"}},\"additionalProperties\":{\"type\":"
     "\"string\"}}",
     {"{\"x1\":1,\"y\":\"s\"}"},
     {"{\"x1\":\"s\"}", "{\"y\":1}"}},
    {"{\"properties\":{\"xa\":{\"minimum\":5}},\"patternProperties\":{\"^x\":{\"maximum\":9}}}",
     {"{\"xa\":7}", "{\"xb\":1}"},
     {"{\"xa\":1}", "{\"xa\":10}"}},
    {"{\"propertyNames\":{\"maxLength\":2}}", {"{\"ab\":1}", "{}"}, {"{\"abc\":1}"}},
    {"{\"minProperties\":1,\"maxProperties\":2}",
     {"{\"a\":1}"},
     {"{}", "{\"a\":1,\"b\":1,\"c\":1}"}},
    {"{\"dependentRequired\":{\"a\":[\"b\"]}}", {"{\"b\":1}", "{\"a\":1,\"b\":1}"}, {"{\"a\":1}"}},
    {"{\"dependentSchemas\":{\"a\":{\"required\":[\"b\"]}}}",
     {"{}", "{\"a\":1,\"b\":1}"},
     {"{\"a\":1}"}},
    {"{\"dependencies\":{\"a\":[\"b\"],\"c\":{\"minProperties\":2},\"d\":false}}",
     {"{\"b\":1}", "{\"c\":1,\"b\":1}"},
     {"{\"a\":1}", "{\"c\":1}", "{\"d\":1}"}},
    {"{\"properties\":{\"a\":true},\"unevaluatedProperties\":false,\"anyOf\":[{\"properties\":{"
     "\"b\":{\"type\":\"null\"}}},true]}",
     {"{\"a\":1,\"b\":null}"},
     {"{\"b\":1}", "{\"c\":1}"}},
};

START_TEST(judges_objects) {
    JUDGE_ALL(objects, 0);
}
END_TEST

static const struct judged arrays[] = {
    {"{\"items\":{\"type\":\"integer\"},\"minItems\":1,\"maxItems\":2}",
     {"[1]", "[1,2]"},
     {"[]", "[1,2,3]", "[\"a\"]"}},
    {"{\"prefixItems\":[{\"type\":\"string\"},true],\"items\":false}",
     {"[]", "[\"a\",1]"},
     {"[1]", "[\"a\",1,1]"}},
    {"{\"items\":[{\"type\":\"string\"}],\"additionalItems\":{\"type\":\"null\"}}",
     {"[\"a\",null]"},
     {"[1]", "[\"a\",1]"}},
    {"{" D7 ",\"items\":[{\"type\":\"string\"}],\"additionalItems\":false}",
     {"[\"a\"]"},
     {"[\"a\",1]"}},
    {"{\"contains\":{\"const\":1},\"minContains\":2,\"maxContains\":3}",
     {"[1,0,1]"},
     {"[1]", "[1,1,1,1]"}},
    {"{\"contains\":{\"const\":1},\"minContains\":0}", {"[]"}, {0}},
    {"{\"uniqueItems\":true}",
     {"[1,2,\"1\",true,[1],[2],{\"a\":1},{\"a\":2}]"},
     {"[1,1.0]", "[[1],[10e-1]]", "[{\"a\":1,\"b\":2},{\"b\":2,\"a\":1}]", "[0,-0.0]",
      "[100,1e2]"}},
    {"{\"prefixItems\":[true],\"contains\":{\"const\":1},\"unevaluatedItems\":false}",
     {"[0,1,1]"},
     {"[0,1,2]"}},
};

START_TEST(judges_arrays) {
    JUDGE_ALL(arrays, 0);
}
END_TEST

static const struct judged logic[] = {
    {"{\"allOf\":[{\"minimum\":1},{\"maximum\":2}],\"type\":\"number\"}",
     {"1"},
     {"0", "3", "\"a\""}},
    {"{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":5}],\"maxLength\":2}",
     {"\"ab\"", "7"},
     {"\"abc\"", "3"}},
    {"{\"oneOf\":[{\"type\":\"integer\"},{\"minimum\":2}]}", {"1", "2.5"}, {"3", "1.5"}},
    {"{\"not\":{\"type\":\"string\"}}", {"1"}, {"\"a\""}},
    {"{\"if\":{\"required\":[\"a\"]},\"then\":{\"required\":[\"b\"]},\"else\":{\"required\":[\"c\"]"
     "}}",
     {"{\"a\":1,\"b\":1}", "{\"c\":1}"},
     {"{\"a\":1}", "{}"}},
    {"{\"then\":false,\"else\":false}", {"1"}, {0}},
    {"{\"$defs\":{\"a/b~c%\":{\"type\":\"null\"}},\"$ref\":\"#/$defs/a~1b~0c%25\"}",
     {"null"},
     {"1"}},
    {"{\"type\":\"object\",\"properties\":{\"next\":{\"$ref\":\"#\"},\"v\":{\"type\":\"integer\"}},"
     "\"required\":[\"v\"]}",
     {"{\"v\":1,\"next\":{\"v\":2}}"},
     {"{\"v\":1,\"next\":{\"v\":\"x\"}}", "{\"v\":1,\"next\":{}}"}},
    {"{\"$ref\":\"#/$defs/s\",\"maxLength\":3,\"$defs\":{\"s\":{\"type\":\"string\"}}}",
     {"\"abc\""},
     {"\"abcd\"", "1"}},
    {"{" D7 ",\"properties\":{\"a\":{\"$ref\":\"#/definitions/"
     "s\",\"maxLength\":3}},\"definitions\":{\"s\":{\"type\":\"string\"}}}",
     {"{\"a\":\"abcd\"}"},
     {"{\"a\":1}"}},
    {"{\"$ref\":\"#n\",\"$defs\":{\"x\":{\"$anchor\":\"n\",\"type\":\"null\"}}}", {"null"}, {"1"}},
    {"{\"$id\":\"http://e.x/a/b\",\"$ref\":\"../c?d\",\"$defs\":{\"x\":{\"$id\":\"http://e.x/"
     "c?d\",\"type\":\"null\"}}}",
     {"null"},
     {"1"}},
    {"{\"x\":{\"y\":[{\"type\":\"null\"}]},\"$ref\":\"#/x/y/0\"}", {"null"}, {"1"}},
    {"{\"$defs\":{\"bad\":{\"$ref\":\"http://elsewhere/x\"}},\"type\":\"null\"}", {"null"}, {"1"}},
};

START_TEST(judges_logic) {
    JUDGE_ALL(logic, 0);
}
END_TEST

static const struct judged formats[] = {
    {"{\"format\":\"date-time\"}",
     {"\"2024-02-29T23:59:59.5Z\"", "\"2024-02-29t00:00:00+23:59\"", "1"},
     {"\"2023-02-29T00:00:00Z\"", "\"2024-02-29T00:00:00\"", "\"2024-02-29 00:00:00Z\"",
      "\"2024-01-01T24:00:00Z\""}},
    {"{\"format\":\"date\"}", {"\"2000-02-29\""}, {"\"1900-02-29\"", "\"2000-2-1\"", "\"\""}},
    {"{\"format\":\"time\"}",
     {"\"10:00:00Z\"", "\"23:59:60Z\""},
     {"\"10:00:00\"", "\"10:00:60Z\"", "\"10:00Z\""}},
    {"{\"format\":\"duration\"}",
     {"\"P1Y2M3DT4H5M6S\"", "\"PT1M\"", "\"P4W\"", "\"P1D\"", "\"PT0S\"", "\"P1YT1H\""},
     {"\"P\"", "\"P1\"", "\"PT\"", "\"P1Y2D\"", "\"P1Y1W\"", "\"1D\""}},
    {"{\"format\":\"email\"}",
     {"\"a.b+c@x-y.org\"", "\"\\\"a b\\\"@x\""},
     {"\"a\"", "\"@x\"", "\"a@\"", "\"a..b@x\"", "\"a@-x\"", "\"a b@x\""}},
    {"{\"format\":\"hostname\"}",
     {"\"a.b-c.d1\""},
     {"\"\"", "\"a..b\"", "\"-a\"", "\"a_b\"", "\"a.\""}},
    {"{\"format\":\"ipv4\"}",
     {"\"1.2.3.255\""},
     {"\"1.2.3\"", "\"1.2.3.256\"", "\"01.2.3.4\"", "\"1.2.3.4.5\""}},
    {"{\"format\":\"ipv6\"}",
     {"\"::\"", "\"1::8\"", "\"::ffff:1.2.3.4\"", "\"1:2:3:4:5:6:7:8\"", "\"1:2:3:4:5:6:7::\""},
     {"\":\"", "\"1:2:3:4:5:6:7:8:9\"", "\"1::2::3\"", "\"12345::\"", "\"1:2:3:4:5:6:7\"",
      "\"1:2:3:4:5:6:7:8::\""}},
    {"{\"format\":\"uuid\"}",
     {"\"01234567-89ab-CDEF-0123-456789abcdef\""},
     {"\"0123456789abCDEF0123456789abcdef\"", "\"01234567-89ab-CDEF-0123-456789abcdeg\""}},
    {"{\"format\":\"uri\"}",
     {"\"http://u:p@h:80/p;a?q=1#f\"", "\"urn:a:b\"", "\"http://[::1]/\"", "\"a:\"",
      "\"file:///x\""},
     {"\"/p\"", "\"http://a b\"", "\"http://%zz\"", "\"http://[::1\"", "\"1a:b\"",
      "\"http://h:x/\""}},
    {"{\"format\":\"regex\"}", {"\"(\""}, {0}}, /* VALIDATE_MORE_FORMATS only */
};

static const struct judged more_formats[] = {
    {"{\"format\":\"regex\"}",
     {"\"^a+$\""},
     {"\"(\"", "\"*\"", "\"[b-a]\"", "\"a{2,1}\"", "\"\\\\a\""}},
    {"{\"format\":\"uri-reference\"}",
     {"\"/p\"", "\"a/b:c\"", "\"\"", "\"#f\""},
     {"\"a b\"", "\"\\\\\\\\x\"", "\":a\""}},
    {"{\"format\":\"json-pointer\"}", {"\"\"", "\"/a~0b\""}, {"\"a\"", "\"/~2\""}},
    {"{\"format\":\"uri-template\"}",
     {"\"http://x/{a,b*}{?c:3}\""},
     {"\"{\"", "\"{a\"", "\"}\"", "\"{a:0}\""}},
    {"{\"format\":\"date\"}", {"\"x\""}, {0}},
};

START_TEST(judges_formats) {
    JUDGE_ALL(formats, VALIDATE_FORMATS);
    JUDGE_ALL(more_formats, VALIDATE_MORE_FORMATS);
}
END_TEST

static const struct judged closed[] = {
    {"{\"type\":\"object\",\"properties\":{\"a\":{}},\"required\":[\"r\"]}",
     {"{\"a\":1,\"r\":1}", "{\"r\":1}"},
     {"{\"r\":1,\"x\":1}"}},
    {"{\"type\":\"object\"}", {"{}"}, {"{\"a\":1}"}},
    {"{}", {"{\"a\":1}", "1"}, {0}},
    {"{\"properties\":{\"o\":{\"type\":\"object\",\"properties\":{\"a\":{}}}}}",
     {"{\"o\":{\"a\":1}}"},
     {"{\"o\":{\"b\":1}}"}},
    {"{\"items\":{\"properties\":{\"a\":{}}}}", {"[{\"a\":1}]"}, {"[{\"b\":1}]"}},
    {"{\"type\":\"object\",\"properties\":{\"a\":{}},\"additionalProperties\":true}",
     {"{\"x\":1}"},
     {0}},
    {"{\"type\":\"object\",\"properties\":{\"a\":{}},\"additionalProperties\":{\"type\":\"null\"}}",
     {"{\"x\":null}"},
     {"{\"x\":1}"}},
    {"{\"properties\":{\"a\":{}},\"allOf\":[{\"$ref\":\"#/$defs/"
     "b\"}],\"$defs\":{\"b\":{\"properties\":{\"b\":{}}}}}",
     {"{\"a\":1,\"b\":1}"},
     {"{\"c\":1}"}},
    {"{\"anyOf\":[{\"properties\":{\"a\":{}},\"required\":[\"a\"]},{\"properties\":{\"b\":{}}}]}",
     {"{\"a\":1}", "{\"b\":1}"},
     {"{\"c\":1}"}},
    {"{\"oneOf\":[{\"properties\":{\"k\":{\"const\":1},\"a\":{}}},{\"properties\":{\"k\":{"
     "\"const\":2},\"b\":{}}}]}",
     {"{\"k\":1,\"a\":1}", "{\"k\":2,\"b\":1}"},
     {"{\"k\":1,\"c\":1}"}},
    /* closing x in one branch must not make an ambiguous oneOf valid */
    {"{\"oneOf\":[{\"properties\":{\"x\":{\"type\":\"object\"}}},{\"properties\":{\"x\":{\"type\":"
     "\"object\",\"properties\":{\"k\":{}}}}}]}",
     {0},
     {"{\"x\":{\"k\":1}}", "{\"x\":{}}"}},
    {"{\"not\":{\"properties\":{\"o\":{\"type\":\"object\"}},\"required\":[\"o\"]},\"properties\":{"
     "\"o\":{}}}",
     {"{}"},
     {"{\"o\":{\"z\":1}}"}},
    {"{\"if\":{\"properties\":{\"k\":{\"const\":1}}},\"then\":{\"properties\":{\"a\":{}}},\"else\":"
     "{\"properties\":{\"b\":{}}}}",
     {"{\"k\":1,\"a\":1}", "{\"k\":2,\"b\":1}"},
     {"{\"k\":1,\"z\":1}"}},
    {"{\"type\":\"object\",\"patternProperties\":{\"^x\":{}}}", {"{\"x1\":1}"}, {"{\"y\":1}"}},
    {"{\"enum\":[{\"a\":1}],\"type\":\"object\"}", {"{\"a\":1}"}, {"{\"a\":2}"}},
    {"{\"type\":\"object\",\"minProperties\":1}", {"{\"a\":1}"}, {"{}"}},
    {"{\"type\":\"object\",\"properties\":{\"a\":{},\"b\":{}},\"minProperties\":1}",
     {"{\"a\":1}"},
     {"{}", "{\"c\":1}"}},
    {"{\"type\":\"object\",\"properties\":{\"o\":{\"anyOf\":[{\"type\":\"object\",\"properties\":{"
     "\"a\":{}}},{\"type\":\"null\"}]}}}",
     {"{\"o\":{\"a\":1}}", "{\"o\":null}"},
     {"{\"o\":{\"b\":1}}"}},
    {"{\"type\":\"object\",\"properties\":{\"a\":{}},\"unevaluatedProperties\":{\"type\":\"null\"}"
     "}",
     {"{\"z\":null}"},
     {"{\"z\":1}"}},
    {"{\"type\":\"object\",\"dependentSchemas\":{\"a\":{\"properties\":{\"b\":{}}}},\"properties\":"
     "{\"a\":{}}}",
     {"{\"a\":1,\"b\":1}"},
     {"{\"a\":1,\"c\":1}"}},
    /* what an enum spells is not closed inside either */
    {"{\"type\":\"object\",\"const\":{\"a\":{\"b\":1}},\"allOf\":[{\"patternProperties\":{\"a\":{\"type\":"
     "\"object\"}}}]}",
     {"{\"a\":{\"b\":1}}"},
     {"{\"a\":{\"c\":1}}"}},
    {"{\"enum\":[[{\"b\":1}],1],\"items\":{\"type\":\"object\"}}", {"[{\"b\":1}]"}, {"[{\"c\":1}]"}},
    {"{\"anyOf\":[{\"enum\":[{\"a\":{\"b\":1}}]},{\"properties\":{\"a\":{\"type\":\"object\",\"properties\":{"
     "\"c\":{}}}}}]}",
     {"{\"a\":{\"b\":1}}", "{\"a\":{\"c\":1}}"},
     {"{\"a\":{\"d\":1}}"}},
};

START_TEST(judges_closed_objects) {
    JUDGE_ALL(closed, VALIDATE_CLOSED);
}
END_TEST

START_TEST(says_where_and_what) {
    static const struct {
        const char *schema, *instance, *path, *keyword;
    } cases[] = {
        {"{\"properties\":{\"a/b\":{\"items\":{\"minLength\":2}}}}", "{\"a/b\":[\"xx\",\"y\"]}",
         "/a~1b/1", "minLength"},
        {"{\"required\":[\"n~m\"]}", "{}", "/n~0m", "required"},
        {"{\"properties\":{\"o\":{\"required\":[\"x\"]}}}", "{\"o\":{}}", "/o/x", "required"},
        {"{\"additionalProperties\":false}", "{\"z\":1}", "/z", "additionalProperties"},
        {"{\"type\":\"string\"}", "1", "", "type"},
        {"{\"anyOf\":[{\"type\":\"string\"},{\"required\":[\"a\"],\"type\":\"object\"}]}", "{}", "",
         "anyOf"},
        {"{\"items\":{\"not\":{\"const\":2}}}", "[1,2]", "/1", "not"},
        {"{\"propertyNames\":{\"maxLength\":1}}", "{\"ab\":1}", "/ab", "propertyNames"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error e = {0};
        ck_assert(!judge(cases[i].schema, 0, cases[i].instance, &e));
        ck_assert_str_eq(e.path, cases[i].path);
        ck_assert_str_eq(e.keyword, cases[i].keyword);
    }
}
END_TEST

START_TEST(refuses_schemas) {
    static const struct {
        const char *schema;
        int code;
        const char *path;
    } cases[] = {
        {"5", -32602, ""},
        {"[]", -32602, ""},
        {"\"x\"", -32602, ""},
        {"{\"type\":5}", -32602, "/type"},
        {"{\"type\":\"strin\"}", -32602, "/type"},
        {"{\"type\":[]}", -32602, "/type"},
        {"{\"type\":[\"string\",\"x\"]}", -32602, "/type/1"},
        {"{\"required\":\"x\"}", -32602, "/required"},
        {"{\"required\":[1]}", -32602, "/required/0"},
        {"{\"properties\":[]}", -32602, "/properties"},
        {"{\"properties\":{\"x\":{\"minLength\":-1}}}", -32602, "/properties/x/minLength"},
        {"{\"properties\":{\"x\":5}}", -32602, "/properties/x"},
        {"{\"minLength\":1.5}", -32602, "/minLength"},
        {"{\"maxItems\":\"3\"}", -32602, "/maxItems"},
        {"{\"minimum\":\"3\"}", -32602, "/minimum"},
        {"{\"multipleOf\":0}", -32602, "/multipleOf"},
        {"{\"multipleOf\":-1}", -32602, "/multipleOf"},
        {"{\"enum\":{}}", -32602, "/enum"},
        {"{\"pattern\":5}", -32602, "/pattern"},
        {"{\"pattern\":\"(\"}", -32602, "/pattern"},
        {"{\"pattern\":\"a**\"}", -32602, "/pattern"},
        {"{\"patternProperties\":{\"[\":{}}}", -32602, "/patternProperties/["},
        {"{\"items\":5}", -32602, "/items"},
        {"{\"anyOf\":{}}", -32602, "/anyOf"},
        {"{\"allOf\":[]}", -32602, "/allOf"},
        {"{\"anyOf\":[5]}", -32602, "/anyOf/0"},
        {"{\"not\":[]}", -32602, "/not"},
        {"{\"if\":1}", -32602, "/if"},
        {"{\"$ref\":5}", -32602, "/$ref"},
        {"{\"$ref\":\"#/nowhere\"}", -32602, "/$ref"},
        {"{\"$ref\":\"#nowhere\"}", -32602, "/$ref"},
        {"{\"format\":5}", -32602, "/format"},
        {"{\"uniqueItems\":1}", -32602, "/uniqueItems"},
        {"{\"dependencies\":{\"a\":5}}", -32602, "/dependencies/a"},
        {"{\"dependentRequired\":{\"a\":\"b\"}}", -32602, "/dependentRequired/a"},
        {"{\"additionalProperties\":\"no\"}", -32602, "/additionalProperties"},
        {"{\"$defs\":{\"x\":{\"type\":5}}}", -32602, "/$defs/x/type"},
        {"{\"$schema\":5}", -32602, "/$schema"},
        {"{\"exclusiveMinimum\":\"1\"}", -32602, "/exclusiveMinimum"},
        {"{" D7 ",\"exclusiveMinimum\":true}", -32602, "/exclusiveMinimum"},
        {"{\"$ref\":\"http://x/y\"}", 1004, "/$ref"},
        {"{\"$dynamicRef\":\"#a\"}", 1004, "/$dynamicRef"},
        {"{\"$recursiveRef\":\"#\"}", 1004, "/$recursiveRef"},
        {"{\"$schema\":\"http://x/y\"}", 1004, "/$schema"},
        {"{\"properties\":{\"a\":{\"pattern\":\"(a)\\\\1\"}}}", 1004, "/properties/a/pattern"},
        {"{\"pattern\":\"\\\\p{Script=Greek}\"}", 1004, "/pattern"},
        {"{\"pattern\":\"(?i)a\"}", 1004, "/pattern"},
        {"{\"pattern\":\"((((a{1000}){1000}){1000}){1000}){1000}\"}", 1004, "/pattern"},
        {"{\"multipleOf\":0.00000000012345678901234567890123456789012345678901}", 1004,
         "/multipleOf"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_doc *s = parse(cases[i].schema);
        struct error e = {0};
        ck_assert_msg(validator_new(json_root(s), 0, &e) == NULL, "accepted %s", cases[i].schema);
        ck_assert_msg(e.code == (enum error_code)cases[i].code, "%s: %d %s", cases[i].schema,
                      e.code, e.message);
        ck_assert_str_eq(e.path, cases[i].path);
        if (e.code == ERROR_SCHEMA_UNSUPPORTED) ck_assert(e.keyword[0] && e.reason[0]);
        json_free(s);
    }
}
END_TEST

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void too_complex(const char *schema, const char *instance) {
    struct error e = {0};
    double begin = now_ms();
    ck_assert_msg(!judge(schema, 0, instance, &e), "%.80s", schema);
    ck_assert_str_eq(e.reason, "too_complex");
    ck_assert_msg(now_ms() - begin < 5000, "%.80s: %.0f ms", schema, now_ms() - begin);
}

START_TEST(work_is_bounded) {
    too_complex("{\"$ref\":\"#\"}", "1");
    too_complex("{\"not\":{\"$ref\":\"#\"}}", "1");
    too_complex("{\"anyOf\":[{\"$ref\":\"#\"},true]}", "1");
    too_complex("{\"$defs\":{\"a\":{\"allOf\":[{\"$ref\":\"#/$defs/"
                "b\"}]},\"b\":{\"if\":true,\"then\":{\"$ref\":\"#/$defs/a\"}}},"
                "\"$ref\":\"#/$defs/a\"}",
                "{}");
    struct buf schema = {0}, instance = {0};
    buf_add_str(&schema, "{\"$ref\":\"#/$defs/0\",\"$defs\":{\"40\":{\"type\":\"string\"}");
    for (int i = 0; i < 40; i++)
        buf_printf(&schema,
                   ",\"%d\":{\"anyOf\":[{\"$ref\":\"#/$defs/%d\"},{\"$ref\":\"#/$defs/%d\"}]}", i,
                   i + 1, i + 1);
    buf_add_str(&schema, "}}");
    too_complex(schema.bytes, "1");
    buf_free(&schema);
    buf_add_char(&instance, '"');
    for (int i = 0; i < 100000; i++) buf_add_char(&instance, 'a');
    buf_add_char(&instance, '"');
    too_complex("{\"pattern\":\"(a?){300}b\"}", instance.bytes);
    buf_free(&instance);
}
END_TEST

/* What backtracking matchers take for ever is answered. */
START_TEST(patterns_do_not_explode) {
    struct error e = {0};
    ck_assert(!judge("{\"pattern\":\"^(a+)+$\"}", 0,
                     "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\"", &e));
    ck_assert_str_eq(e.keyword, "pattern");
    ck_assert(judge("{\"pattern\":\"^(a|a)*(a*)*$\"}", 0,
                    "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", &(struct error){0}));
}
END_TEST

START_TEST(deep_and_long_is_fine) {
    struct buf instance = {0}, schema = {0};
    for (int i = 0; i < 250; i++) buf_add_str(&instance, "{\"n\":[");
    for (int i = 0; i < 250; i++) buf_add_str(&instance, "]}");
    ck_assert(judge(
        "{\"properties\":{\"n\":{\"items\":{\"$ref\":\"#\"}}},\"additionalProperties\":false}",
        VALIDATE_CLOSED, instance.bytes, &(struct error){0}));
    buf_free(&instance);
    instance = (struct buf){0};
    for (int i = 0; i < 200; i++) buf_add_str(&schema, "{\"properties\":{\"p\":");
    buf_add_str(&schema, "{\"type\":\"null\"}");
    for (int i = 0; i < 200; i++) buf_add_str(&schema, "}}");
    for (int i = 0; i < 200; i++) buf_add_str(&instance, "{\"p\":");
    buf_add_str(&instance, "1");
    for (int i = 0; i < 200; i++) buf_add_str(&instance, "}");
    struct error e = {0};
    ck_assert(!judge(schema.bytes, 0, instance.bytes, &e));
    ck_assert_str_eq(e.keyword, "type");
    buf_free(&schema);
    buf_free(&instance);
}
END_TEST

/* Sets of 5,000 references in a chain: no recursion of the compiler, a bounded one of the check. */
START_TEST(long_reference_chains) {
    struct buf schema = {0};
    buf_add_str(&schema, "{\"$ref\":\"#/x/d0\",\"x\":{\"d5000\":{\"type\":\"null\"}");
    for (int i = 0; i < 5000; i++) buf_printf(&schema, ",\"d%d\":{\"$ref\":\"#/x/d%d\"}", i, i + 1);
    buf_add_str(&schema, "}}");
    too_complex(schema.bytes, "null");
    buf_free(&schema);
}
END_TEST

static Suite *suite(void) {
    Suite *s = suite_create("validate");
    TCase *t = tcase_create("validate");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, judges_scalars);
    tcase_add_test(t, judges_objects);
    tcase_add_test(t, judges_arrays);
    tcase_add_test(t, judges_logic);
    tcase_add_test(t, judges_formats);
    tcase_add_test(t, judges_closed_objects);
    tcase_add_test(t, says_where_and_what);
    tcase_add_test(t, refuses_schemas);
    tcase_add_test(t, work_is_bounded);
    tcase_add_test(t, patterns_do_not_explode);
    tcase_add_test(t, deep_and_long_is_fine);
    tcase_add_test(t, long_reference_chains);
    suite_add_tcase(s, t);
    return s;
}

int main(void) {
    return run_suite(suite());
}
