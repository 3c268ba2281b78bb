/* Schemas against texts, what is refused and how, hostile schemas, the shared schema sources. */
#include <check.h>
#include <time.h>

#include "engine/json_write.h"
#include "tests/support.h"
#include "tests/unit/engine/grammar_support.h"

static struct grammar *compile(const char *schema, bool closed, struct error *error) {
    *error = (struct error){0};
    return grammar_from_schema(schema, strlen(schema), closed, false, NULL, error);
}

/* ---- texts ---- */

struct texts_case {
    const char *schema;
    bool closed;
    const char *accepted[8], *rejected[12];
};

#define OPEN   false
#define CLOSED true

/* Branches that a tag tells apart, long enough a list of them. */
#define TAGGED(n)                                                                                  \
    "{\"type\":\"object\",\"properties\":{\"t\":{\"const\":" #n "},\"v" #n "\":{}},\"required\":[\"t\"]}"
#define TAGGED_8(n)                                                                                \
    TAGGED(n##0) "," TAGGED(n##1) "," TAGGED(n##2) "," TAGGED(n##3) "," TAGGED(n##4) "," TAGGED(   \
        n##5) "," TAGGED(n##6) "," TAGGED(n##7)

/* Branches that are constants, long enough a list of them: 1 and "a" are in two, 5 is no string. */
#define CONSTANTS                                                                                  \
    "[{\"const\":\"a\"},{\"const\":\"b\",\"title\":\"B\"},{\"enum\":[\"c\",\"d\",\"c\"]},{\"const\":1},"           \
    "{\"const\":1.0},{\"enum\":[\"e\",5],\"type\":\"string\"},{\"const\":null},{\"const\":\"a\"}," ELEVEN "]"
#define ELEVEN                                                                                     \
    "{\"const\":10},{\"const\":11},{\"const\":12},{\"const\":13},{\"const\":14},{\"const\":15},"           \
    "{\"const\":16},{\"const\":17},{\"const\":18},{\"const\":19},{\"const\":\"x\"}"

static const struct texts_case texts[] = {
    {"{}", OPEN, {"1", "\"a\"", "{\"a\":[1,{}]}", "null", "[[],[]]"}, {"", "[", "1 ", " 1", "{,}", "nul"}},
    {"true", CLOSED, {"{\"a\":1}", "-0.5e-7"}, {"{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "01", "+1"}},
    {"{\"type\":\"null\"}", OPEN, {"null"}, {"\"null\"", "0"}},
    {"{\"type\":\"boolean\"}", OPEN, {"true", "false"}, {"True", "1"}},
    {"{\"type\":[\"string\",\"null\"]}", OPEN, {"\"\"", "null"}, {"1", "nul", "{}"}},
    {"{\"type\":\"string\"}", OPEN,
     {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"", "\"\xC3\xA9\xF0\x9F\x98\x80\"", "\"\\ud83d\\ude00\"", "\"\x7F\""},
     {"\"\n\"", "\"\\x\"", "\"\\ud83d\"", "\"\\ude00\"", "\"\xC3\"", "\"\xC0\x80\"", "\"\xED\xA0\x80\"",
      "\"\\ud83d\\u0041\"", "\"\xF5\x80\x80\x80\"", "'a'", "\"\\u00g0\""}},
    {"{\"type\":\"string\",\"minLength\":2,\"maxLength\":3}", OPEN,
     {"\"ab\"", "\"abc\"", "\"\xC3\xA9\xC3\xA9\"", "\"\\ud83d\\ude00\\n\"", "\"\xF0\x9F\x98\x80zz\""},
     {"\"\"", "\"a\"", "\"abcd\"", "\"\\ud83d\\ude00\"", "\"\xF0\x9F\x98\x80\xF0\x9F\x98\x80zz\""}},
    {"{\"type\":\"integer\"}", CLOSED, {"0", "-1", "10"}, {"1.0", "1.", "1e0"}},
    {"{\"type\":\"integer\",\"minimum\":5,\"maximum\":20}", OPEN, {"5.0", "20.0", "6"}, {"4.0", "20.1", "6.", "6.00", "5.01", "21.0"}},
    {"{\"$schema\":\"http://json-schema.org/draft-04/schema#\",\"type\":\"integer\"}", OPEN, {"1"}, {"1.0"}},
    {"{\"type\":\"object\",\"patternProperties\":{\"^n:\":{\"const\":1}},\"required\":[\"n:b\",\"a\"],\"properties\":{\"a\":{},\"c\":{}},\"additionalProperties\":false}", OPEN,
     {"{\"n:a\":1,\"a\":0,\"n:c\":1,\"n:b\":1}", "{\"n:b\":1,\"c\":0,\"a\":2}"}, {"{\"n:b\":1}", "{\"n:b\":2,\"a\":0}", "{\"a\":0,\"n:b\":1,\"n:b\":1}", "{\"x\":1,\"a\":0,\"n:b\":1}"}},
    {"{\"type\":\"object\",\"propertyNames\":{\"not\":{\"enum\":[\"a\",\"b\"]},\"maxLength\":2}}", OPEN, {"{}", "{\"c\":1,\"ab\":1}"}, {"{\"a\":1}", "{\"b\":1}", "{\"abc\":1}"}},
    {"{\"type\":\"object\",\"propertyNames\":{\"anyOf\":[{\"type\":\"integer\"},{\"pattern\":\"^x\"}]}}", OPEN, {"{\"x\":1}"}, {"{\"a\":1}"}},
    /* multiplied out these are too many alternatives */
    {"{\"type\":\"object\",\"dependentRequired\":{\"q\":[\"f\",\"b\"]}}", OPEN, {"{}", "{\"f\":1,\"b\":2,\"q\":3}", "{\"q\":3,\"b\":2,\"f\":1}"}, {"{\"q\":1,\"f\":1}"}},
    {"{\"type\":\"object\",\"dependentRequired\":{\"a\":[\"z\"],\"b\":[\"z\"],\"c\":[\"z\"],\"d\":[\"z\"],\"e\":[\"z\"],\"f\":[\"z\"],\"g\":[\"z\"],\"h\":[\"z\"],\"i\":[\"z\"],\"j\":[\"z\"],\"k\":[\"z\"],\"l\":[\"z\"]}}", OPEN, {"{}", "{\"y\":1}", "{\"a\":1,\"z\":1}", "{\"z\":1,\"b\":1,\"l\":1}"}, {"{\"a\":1}", "{\"y\":1,\"l\":1}"}},
    {"{\"type\":\"object\",\"allOf\":[{\"oneOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]},{\"required\":[\"c\"]},{\"required\":[\"d\"]},{\"required\":[\"e\"]},{\"required\":[\"f\"]},{\"required\":[\"g\"]},{\"required\":[\"h\"]},{\"required\":[\"i\"]},{\"required\":[\"j\"]}]},{\"not\":{\"anyOf\":[{\"required\":[\"a\",\"x\"]},{\"required\":[\"b\",\"x\"]}]}},"
     "{\"if\":{\"required\":[\"c\"]},\"then\":{\"required\":[\"y\"]}}]}", OPEN, {"{\"a\":1}", "{\"c\":1,\"y\":1}", "{\"d\":1,\"x\":1}"},
     {"{}", "{\"a\":1,\"b\":1}", "{\"a\":1,\"x\":1}", "{\"c\":1}"}},
    {"{\"$schema\":\"http://json-schema.org/draft-04/schema#\",\"enum\":[1,2.0]}", OPEN, {"1", "2", "2.0"}, {"1.0", "3"}},
    {"{\"enum\":[1,2.0,[3,{\"a4\":4.00}],\"5\",6.5,1e2]}", OPEN, {"1", "1.0", "2", "2.0", "[3,{\"a4\":4}]", "[3.0,{\"a4\":4.0}]", "6.5", "1e2"},
     {"1.1", "1.", "\"5.0\"", "6.5.0", "100.00", "[3,{\"a4.0\":4}]"}},
    {"{\"const\":1}", CLOSED, {"1"}, {"1.0"}},
    /* members of a value that stands in the schema: in any order, if those are few */
    {"{\"const\":{\"f\":1,\"b\":[{\"x\":2,\"y\":3}]}}", OPEN,
     {"{\"f\":1,\"b\":[{\"x\":2,\"y\":3}]}", "{\"b\":[{\"y\":3,\"x\":2}],\"f\":1}", "{\"f\":1,\"b\":[{\"y\":3,\"x\":2}]}"},
     {"{\"f\":1}", "{\"f\":1,\"b\":[{\"x\":2,\"x\":2}]}", "{\"f\":1,\"f\":1}", "{\"b\":[{\"x\":2,\"y\":3}],\"f\":2}"}},
    {"{\"const\":{\"f\":1,\"b\":2}}", CLOSED, {"{\"f\":1,\"b\":2}"}, {"{\"b\":2,\"f\":1}"}},
    {"{\"enum\":[{\"a\":1,\"b\":2,\"c\":3},[],{\"a\":1,\"b\":2,\"c\":4}]}", OPEN,
     {"{\"c\":4,\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1,\"c\":3}", "{\"c\":3,\"b\":2,\"a\":1}", "[]"}, {"{\"c\":5,\"a\":1,\"b\":2}", "{}"}},
    {"{\"const\":{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5}}", OPEN, {"{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5}"},
     {"{\"b\":2,\"a\":1,\"c\":3,\"d\":4,\"e\":5}"}},
    {"{\"type\":\"array\",\"uniqueItems\":true,\"items\":{\"enum\":[1,2]}}", OPEN, {"[1,2]"}, {"[1,1]", "[1,1.0]"}},
    {"{\"type\":\"integer\"}", OPEN, {"0", "-1", "123456789012345678", "10", "1.0"},
     {"1.5", "-", "00", "-0", "1e3", "--1", "123456789012345678901"}},
    {"{\"type\":\"number\"}", OPEN, {"0", "-0.0", "3.14", "1e-06", "1E+16", "0.10000000000000001"},
     {".5", "1.", "1e", "1e999", "0x1", "NaN"}},
    {"{\"type\":\"integer\",\"minimum\":-12,\"maximum\":345}", OPEN,
     {"-12", "-9", "0", "7", "99", "345", "344", "-10"}, {"-13", "346", "1000", "-20", "400", "-100"}},
    {"{\"type\":\"integer\",\"exclusiveMinimum\":0,\"exclusiveMaximum\":10}", OPEN, {"1", "9"},
     {"0", "10", "-1", "11"}},
    {"{\"type\":\"integer\",\"minimum\":0,\"exclusiveMinimum\":true}", OPEN, {"1"}, {"0", "-1"}},
    {"{\"type\":\"integer\",\"minimum\":1.5,\"maximum\":2.5}", OPEN, {"2"}, {"1", "3", "20"}},
    {"{\"type\":\"integer\",\"minimum\":9007199254740993}", OPEN,
     {"9007199254740993", "9007199254740994", "10000000000000000"}, {"9007199254740992", "9"}},
    {"{\"type\":\"number\",\"minimum\":0.1,\"maximum\":0.25}", OPEN, {"0.1", "0.10", "0.25", "0.250", "0.2", "0.1999"},
     {"0", "0.0", "0.09", "0.251", "0.3", "1", "0.2500001", "0.1e1"}},
    {"{\"type\":\"number\",\"exclusiveMinimum\":-1.5,\"exclusiveMaximum\":0}", OPEN,
     {"-1.4999", "-0.001", "-1", "-0.00001"}, {"-1.5", "-1.50", "-2", "0", "-0", "-0.0", "1"}},
    {"{\"type\":\"number\",\"minimum\":0}", OPEN, {"0", "0.0", "1e-06", "12e5"}, {"-1", "-0.1"}},
    {"{\"type\":\"number\",\"minimum\":1e2,\"maximum\":1.5E2}", OPEN, {"100", "150", "150.0", "120.5"}, {"99.9", "150.1", "1e2"}},
    {"{\"type\":\"integer\",\"multipleOf\":7,\"minimum\":-20,\"maximum\":50}", OPEN, {"0", "7", "-14", "49", "42"}, {"1", "-21", "56", "8", "70"}},
    {"{\"type\":\"number\",\"multipleOf\":0.01}", OPEN, {"0", "0.01", "12.5", "19.99", "-3.10"}, {"0.001", "1.005", "1e2"}},
    {"{\"type\":\"number\",\"multipleOf\":2.5,\"exclusiveMinimum\":0}", OPEN, {"2.5", "5", "5.0", "7.5", "10"}, {"0", "1", "2", "0.5", "2.55"}},
    {"{\"type\":\"integer\",\"multipleOf\":0.5,\"allOf\":[{\"multipleOf\":3}]}", OPEN, {"0", "3", "-6"}, {"1", "2", "1.5"}},
    {"{\"type\":\"integer\",\"multipleOf\":100}", OPEN, {"0", "100", "1200"}, {"10", "150", "1", "1001"}},
    {"{\"enum\":[1,12,\"a\",\"a\\\"b\",null,true,{\"k\":[1,2]}]}", OPEN,
     {"1", "12", "\"a\"", "\"a\\\"b\"", "null", "true", "{\"k\":[1,2]}"}, {"2", "121", "\"b\"", "false", "{\"k\":[1, 2]}"}},
    {"{\"enum\":[1,\"a\",2.5,null],\"type\":[\"string\",\"integer\"]}", OPEN, {"1", "\"a\""}, {"2.5", "null"}},
    {"{\"enum\":[1,2,3,40],\"minimum\":2,\"maximum\":3}", OPEN, {"2", "3"}, {"1", "40"}},
    {"{\"const\":{\"a\":1.50}}", OPEN, {"{\"a\":1.50}"}, {"{\"a\":1.5}", "{}"}},
    {"{\"enum\":[10,100,1]}", OPEN, {"1", "10", "100"}, {"1000", "101"}},
    {"{\"type\":\"array\",\"items\":{\"enum\":[1,12]}}", OPEN, {"[]", "[1]", "[1,12,1]"}, {"[2]", "[1,]", "[1,121]", "[,1]"}},
    {"{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"minItems\":2,\"maxItems\":3}", OPEN, {"[1,2]", "[1,2,3]"},
     {"[]", "[1]", "[1,2,3,4]"}},
    {"{\"type\":\"array\",\"prefixItems\":[{\"const\":1},{\"const\":2}],\"items\":{\"const\":3}}", OPEN,
     {"[]", "[1]", "[1,2]", "[1,2,3,3]"}, {"[2]", "[1,3]", "[1,2,2]"}},
    {"{\"type\":\"array\",\"items\":[{\"const\":1}],\"additionalItems\":false}", OPEN, {"[]", "[1]"}, {"[1,1]", "[2]"}},
    {"{\"type\":\"array\",\"prefixItems\":[{\"const\":1}],\"items\":false,\"minItems\":1}", OPEN, {"[1]"}, {"[]", "[1,1]"}},
    {"{\"type\":\"array\",\"uniqueItems\":true,\"items\":{\"enum\":[\"a\",\"ab\",1,12,null]},\"minItems\":2}", OPEN,
     {"[\"a\",\"ab\"]", "[1,12,null]", "[\"ab\",\"a\",12,1,null]"}, {"[1]", "[1,1]", "[\"a\",\"a\"]", "[1,12,null,\"a\",\"ab\",1]"}},
    {"{\"type\":\"array\",\"uniqueItems\":true,\"items\":{\"type\":[\"string\",\"null\"]}}", OPEN,
     {"[]", "[\"\",\"a\",null]", "[\"a\",\"b\"]"}, {"[\"a\",\"a\"]", "[\"a\",\"\\u0061\"]", "[null,null]", "[\"x\",\"a\",\"x\"]"}},
    {"{\"type\":\"array\",\"uniqueItems\":true,\"maxItems\":1}", OPEN, {"[{}]"}, {"[1,2]"}},
    {"{\"type\":\"array\",\"maxItems\":0}", OPEN, {"[]"}, {"[1]"}},
    {"{\"type\":\"object\",\"properties\":{\"a\":{\"const\":1},\"b\":{\"const\":2},\"c\":{\"const\":3}},\"required\":[\"b\"]}", CLOSED,
     {"{\"b\":2}", "{\"a\":1,\"b\":2}", "{\"a\":1,\"b\":2,\"c\":3}", "{\"b\":2,\"c\":3}"},
     {"{}", "{\"a\":1}", "{\"c\":3}", "{\"b\":2,\"a\":1}", "{\"b\":2,\"d\":4}", "{\"b\":2,}", "{\"b\":2,\"b\":2}"}},
    {"{\"type\":\"object\",\"properties\":{\"a\":{\"const\":1}}}", OPEN,
     {"{}", "{\"a\":1}", "{\"a\":1,\"z\":[]}", "{\"ab\":2}", "{\"\":2}", "{\"z\":1,\"a\":1}"},
     {"{\"a\":2}", "{\"z\":1,\"a\":2}", "{\"a\":1,\"z\":1,\"a\":1}", "{\"\\u0061\":2}", "{\"z\":1,\"z\":2}", "{\"z\":1,\"\\u007a\":2}"}},
    {"{\"type\":\"object\",\"properties\":{\"a\":{\"const\":1},\"b\":{\"const\":2},\"c\":{\"const\":3}},\"required\":[\"b\"],\"additionalProperties\":false}", OPEN,
     {"{\"b\":2}", "{\"b\":2,\"a\":1}", "{\"c\":3,\"a\":1,\"b\":2}", "{\"c\":3,\"b\":2}"},
     {"{}", "{\"c\":3,\"a\":1}", "{\"b\":2,\"b\":2}", "{\"c\":3,\"b\":2,\"c\":3}", "{\"b\":2,\"d\":4}"}},
    {"{\"type\":\"object\",\"properties\":{\"a\":{\"const\":1},\"c\":{}},\"required\":[\"b\",\"a\"],\"maxProperties\":3}", OPEN,
     {"{\"b\":0,\"a\":1}", "{\"a\":1,\"b\":0,\"z\":0}"},
     {"{\"z\":0,\"a\":1,\"b\":0}", "{\"b\":0}", "{\"a\":1,\"b\":0,\"b\":0}", "{\"a\":1,\"b\":0,\"x\":0,\"y\":0}"}},
    {"{\"type\":\"object\",\"properties\":{\"why\":{},\"it\":{}},\"required\":[\"it\",\"why\"]}", OPEN,
     {"{\"why\":0,\"it\":1}", "{\"why\":0,\"it\":1,\"z\":0}"}, {"{\"it\":0,\"why\":1}", "{\"z\":0,\"why\":0,\"it\":1}"}},
    {"{\"type\":\"object\",\"properties\":{\"a\":{},\"b\":{},\"c\":{}},\"minProperties\":2,\"maxProperties\":2,\"additionalProperties\":false}", OPEN,
     {"{\"c\":0,\"a\":1}", "{\"a\":1,\"b\":0}"}, {"{\"c\":0}", "{\"c\":0,\"c\":0}", "{\"c\":0,\"b\":0,\"a\":0}"}},
    {"{\"type\":\"object\",\"properties\":{\"a\":{\"const\":1}},\"additionalProperties\":{\"type\":\"null\"}}", CLOSED,
     {"{\"a\":1,\"b\":null}", "{\"b\":null}"}, {"{\"b\":1}", "{\"a\":null}"}},
    {"{\"propertyNames\":{\"maxLength\":4},\"minProperties\":2,\"type\":\"object\"}", OPEN, {"{\"a\":1,\"b\":[]}"}, {"{\"a\":1}", "{\"a\":1,\"abcde\":1}"}},
    {"{\"propertyNames\":{\"enum\":[\"a\",\"b\"]},\"minProperties\":2,\"type\":\"object\"}", OPEN, {"{\"b\":1,\"a\":1}"}, {"{\"a\":1}", "{\"a\":1,\"a\":1}"}},
    {"{\"type\":\"object\",\"minProperties\":1}", CLOSED, {"{\"a\":1}"}, {"{}"}},
    {"{\"allOf\":[{\"type\":\"object\",\"properties\":{\"a\":{}}},{\"required\":[\"b\"]}],\"type\":\"object\"}", CLOSED, {"{\"a\":1,\"b\":1}", "{\"b\":1}"}, {"{\"a\":1}", "{\"b\":1,\"c\":1}"}},
    {"{\"type\":\"object\",\"required\":[\"x\"]}", CLOSED, {"{\"x\":[1]}"}, {"{}", "{\"x\":1,\"y\":1}"}},
    {"{\"type\":\"object\",\"required\":[\"x\"]}", OPEN, {"{\"x\":1}", "{\"x\":1,\"y\":1}"}, {"{}", "{\"y\":1}"}},
    {"{\"type\":\"object\"}", CLOSED, {"{}"}, {"{\"a\":1}"}},
    {"{\"properties\":{\"a\\\"\\u00e9/\":{\"const\":1},\"n\\n\":{}}}", CLOSED, {"{\"a\\\"\xC3\xA9/\":1}", "{\"n\\n\":2}"}, {"{\"a\":1}"}},
    {"{\"properties\":{\"a\":false,\"b\":true}}", OPEN, {"{\"b\":1}", "{\"c\":1}"}, {"{\"a\":1}"}},
    {"{\"anyOf\":[{\"type\":\"string\",\"maxLength\":1},{\"type\":\"integer\"},{\"type\":\"null\"}]}", OPEN,
     {"\"a\"", "5", "null"}, {"\"ab\"", "1.5"}},
    {"{\"anyOf\":[{\"properties\":{\"a\":{\"const\":1}},\"required\":[\"a\"]},{\"properties\":{\"a\":{\"const\":12},\"b\":{}},\"required\":[\"a\",\"b\"]}],\"type\":\"object\"}",
     CLOSED, {"{\"a\":1}", "{\"a\":12,\"b\":0}"}, {"{\"a\":12}", "{\"a\":1,\"b\":0}", "{}"}},
    {"{\"type\":\"object\",\"properties\":{\"x\":{\"const\":0}},\"required\":[\"x\"],\"anyOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]}]}",
     CLOSED, {"{\"x\":0,\"a\":1}", "{\"x\":0,\"b\":1}"}, {"{\"x\":0}", "{\"a\":1}", "{\"x\":0,\"c\":1}"}},
    {"{\"oneOf\":[{\"type\":\"string\"},{\"type\":\"number\"}]}", OPEN, {"\"\"", "1.5"}, {"null"}},
    {"{\"oneOf\":[{\"properties\":{\"t\":{\"const\":\"a\"},\"v\":{\"type\":\"integer\"}},\"required\":[\"t\",\"v\"]},{\"properties\":{\"t\":{\"const\":\"b\"}},\"required\":[\"t\"]}],\"type\":\"object\"}",
     CLOSED, {"{\"t\":\"a\",\"v\":1}", "{\"t\":\"b\"}"}, {"{\"t\":\"a\"}", "{\"t\":\"b\",\"v\":1}"}},
    {"{\"oneOf\":[{\"required\":[\"a\"],\"properties\":{\"a\":{}}},{\"required\":[\"b\"],\"properties\":{\"b\":{}}}],\"type\":\"object\"}",
     CLOSED, {"{\"a\":1}", "{\"b\":1}"}, {"{\"a\":1,\"b\":1}", "{}"}},
    {"{\"anyOf\":" CONSTANTS "}", OPEN, {"\"a\"", "\"d\"", "1", "1.0", "\"e\"", "null", "19", "\"x\""}, {"5", "\"B\"", "20", "\"\""}},
    {"{\"oneOf\":" CONSTANTS "}", OPEN, {"\"b\"", "\"c\"", "\"d\"", "\"e\"", "null", "19"}, {"\"a\"", "1", "1.0", "5", "20"}},
    {"{\"type\":\"string\",\"minLength\":1,\"oneOf\":" CONSTANTS "}", OPEN, {"\"b\"", "\"x\""}, {"null", "10", "\"a\""}},
    {"{\"not\":{\"oneOf\":" CONSTANTS "},\"type\":[\"string\",\"null\"],\"maxLength\":1}", OPEN, {"\"a\"", "\"z\""}, {"null", "\"b\""}},
    {"{\"properties\":{\"p\":{\"anyOf\":[{\"type\":\"boolean\"},{\"oneOf\":" CONSTANTS "}]}}}", OPEN,
     {"{\"p\":true}", "{\"p\":\"b\"}"}, {"{\"p\":\"a\"}", "{\"p\":5}"}},
    {"{\"oneOf\":[" TAGGED_8(1) "," TAGGED_8(2) "," TAGGED(5) "]}", CLOSED,
     {"{\"t\":10}", "{\"t\":27,\"v27\":0}", "{\"t\":5}"}, {"{\"t\":11,\"v10\":0}", "{\"t\":6}", "{}"}},
    {"{\"oneOf\":[" TAGGED_8(1) "," TAGGED_8(2) "," TAGGED(10) "]}", OPEN, {"{\"t\":11,\"v10\":0}"}, {"{\"t\":10}"}},
    {"{\"oneOf\":[" TAGGED_8(1) "," TAGGED_8(2) ",{\"properties\":{\"t\":{\"const\":5}},\"required\":[\"t\"]}]}", OPEN,
     {"{\"t\":10}", "{\"t\":5}", "\"\""}, {"{\"t\":6}", "{}"}},
    {"{\"oneOf\":[" TAGGED_8(1) "," TAGGED_8(2) ",{\"$ref\":\"#/$defs/a\"},{\"type\":\"object\",\"properties\":{\"t\":{\"$ref\":"
     "\"#/$defs/t\"}},\"required\":[\"t\"]}],\"$defs\":{\"a\":" TAGGED(5) ",\"t\":{\"enum\":[6,7]}}}", CLOSED,
     {"{\"t\":5,\"v5\":1}", "{\"t\":7}", "{\"t\":16}"}, {"{\"t\":8}", "{\"t\":7,\"v5\":1}"}},
    {"{\"type\":\"number\",\"minimum\":100000000000000000,\"multipleOf\":0.5}", OPEN,
     {"100000000000000000", "100000000000000000.5", "200000000000000000"}, {"1", "99999999999999999", "100000000000000000.3"}},
    {"{\"type\":\"object\",\"propertyNames\":{\"enum\":[\"a\\\"b\",\"\\\\\",\"\\n\",\"c\"]},\"minProperties\":1}", OPEN,
     {"{\"a\\\"b\":1}", "{\"\\\\\":1}", "{\"\\n\":1,\"c\":2,\"\\\\\":3,\"a\\\"b\":4}"},
     {"{}", "{\"a\":1}", "{\"\\\\\":1,\"\\\\\":2}", "{\"\\t\":1}", "{\"c\":1,\"c\":2}"}},
    {"{\"type\":\"object\",\"patternProperties\":{\"^[\\\\\\\\\\\"]$\":{}},\"additionalProperties\":false,\"minProperties\":2}", OPEN,
     {"{\"\\\\\":1,\"\\\"\":2}"}, {"{\"\\\\\":1}", "{\"\\\\\":1,\"\\\\\":2}"}},
    {"{\"type\":\"object\",\"propertyNames\":{\"enum\":[\"p\",\"q\",\"r\"]},\"properties\":{\"z\":{},\"p\":{\"const\":1}},\"minProperties\":3}", OPEN,
     {"{\"p\":1,\"q\":2,\"r\":3}"}, {"{\"p\":1,\"q\":2}", "{\"p\":1,\"q\":2,\"z\":3}", "{\"p\":2,\"q\":2,\"r\":3}"}},
    {"{\"oneOf\":[{\"enum\":[1,2]},{\"enum\":[2,3]}]}", OPEN, {"1", "3"}, {"2"}},
    {"{\"anyOf\":[{\"oneOf\":[{},{\"enum\":[7]}]}]}", OPEN, {"8", "\"\""}, {"7"}},
    {"{\"if\":{},\"then\":{\"oneOf\":[{\"type\":\"object\"},{\"const\":{\"a\":1}}]}}", OPEN, {"{}"}, {"{\"a\":1}"}},
    {"{\"oneOf\":[{\"minimum\":0,\"maximum\":5},{\"minimum\":6}],\"type\":\"integer\"}", OPEN, {"0", "5", "6", "100"}, {"-1"}},
    {"{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"number\",\"minimum\":3}]}", OPEN, {"2", "-1"}, {"3", "4", "2.5"}},
    {"{\"oneOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]}],\"properties\":{\"a\":{},\"b\":{}},\"type\":\"object\"}", OPEN,
     {"{\"a\":1}", "{\"b\":1}", "{\"b\":1,\"c\":1}"}, {"{\"a\":1,\"b\":1}", "{}", "{\"c\":1}"}},
    {"{\"not\":{\"enum\":[\"a\",1,true,null]}}", OPEN, {"\"b\"", "2", "0.5", "false", "\"\"", "[]", "1.5"}, {"\"a\"", "1", "true", "null", "1.0"}},
    {"{\"type\":\"object\",\"properties\":{\"k\":{\"enum\":[\"a\",\"b\"]},\"v\":{}},\"required\":[\"k\"],\"if\":{\"properties\":{\"k\":{\"const\":\"a\"}}},\"then\":{\"required\":[\"v\"]},\"else\":{\"properties\":{\"v\":false}}}", CLOSED,
     {"{\"k\":\"a\",\"v\":1}", "{\"k\":\"b\"}"}, {"{\"k\":\"a\"}", "{\"k\":\"b\",\"v\":1}"}},
    {"{\"type\":\"object\",\"properties\":{\"a\":{},\"b\":{},\"c\":{}},\"dependentRequired\":{\"a\":[\"c\"]}}", CLOSED,
     {"{}", "{\"b\":1}", "{\"a\":1,\"c\":1}", "{\"c\":1}"}, {"{\"a\":1}", "{\"a\":1,\"b\":1}"}},
    {"{\"type\":\"object\",\"properties\":{\"a\":{},\"b\":{}},\"dependencies\":{\"a\":{\"properties\":{\"b\":{\"type\":\"null\"}}}}}", CLOSED,
     {"{\"b\":1}", "{\"a\":1,\"b\":null}", "{\"a\":1}"}, {"{\"a\":1,\"b\":1}"}},
    {"{\"type\":\"object\",\"propertyNames\":{\"enum\":[\"gr\u00f6\u00dfe\",\"gr\u00fc\u00dfe\"]}}", OPEN,
     {"{}", "{\"gr\u00f6\u00dfe\":1}", "{\"gr\u00fc\u00dfe\":1,\"gr\u00f6\u00dfe\":2}"}, {"{\"gr\u00f6\u00dfe\":1,\"gr\u00f6\u00dfe\":2}", "{\"gr\u00fc\":1}", "{\"gr\u00e4\u00dfe\":1}"}},
    {"{\"type\":\"object\",\"properties\":{\"\u00e9\":{},\"x\":{}},\"patternProperties\":{\"^[a-z]+$\":{}},\"required\":[\"\u00e9\"],\"additionalProperties\":false}", OPEN,
     {"{\"\u00e9\":1}", "{\"ab\":1,\"\u00e9\":1,\"x\":1}"}, {"{\"ab\":1}", "{\"\u00e9\":1,\"\u00e9\":1}", "{\"\u00e9\":1,\"\u00e8\":1}"}},
    {"{\"$schema\":\"http://json-schema.org/draft-04/schema#\",\"const\":3,\"contains\":{\"const\":1},\"propertyNames\":{\"maxLength\":1},\"if\":{\"type\":\"string\"},\"then\":false}", OPEN,
     {"3", "4", "[]", "{\"ab\":1}", "\"a\""}, {"a"}},
    {"{\"$schema\":\"http://json-schema.org/draft-04/schema#\",\"not\":{\"type\":\"string\",\"const\":\"a\"}}", OPEN, {"3", "[]"}, {"\"a\"", "\"b\""}},
    {"{\"$schema\":\"http://json-schema.org/draft-06/schema#\",\"const\":\"a\",\"if\":{\"type\":\"string\"},\"then\":false}", OPEN, {"\"a\""}, {"3", "\"b\""}},
    {"{\"type\":\"object\",\"properties\":{\"c\\nd\":{},\"e\":{}},\"patternProperties\":{\"^x\":{}},\"additionalProperties\":false}", OPEN,
     {"{\"c\\nd\":1}", "{\"x\":1,\"c\\nd\":1,\"e\":1}"}, {"{\"c\":1}", "{\"c\\td\":1}"}},
    {"{\"if\":{\"type\":\"object\"},\"then\":{\"maxLength\":1}}", CLOSED, {"{}", "\"ab\""}, {"{\"a\":1}"}},
    {"{\"type\":\"string\",\"not\":{\"pattern\":\"^x\"},\"maxLength\":2}", OPEN, {"\"\"", "\"ax\""}, {"\"x\"", "\"xa\"", "\"abc\""}},
    {"{\"type\":\"object\",\"not\":{\"required\":[\"a\",\"b\"]},\"properties\":{\"a\":{},\"b\":{}}}", OPEN,
     {"{}", "{\"a\":1}", "{\"b\":1,\"c\":1}"}, {"{\"a\":1,\"b\":1}"}},
    {"{\"type\":\"array\",\"not\":{\"contains\":{\"const\":1}},\"items\":{\"enum\":[1,2]}}", OPEN, {"[]", "[2,2]"}, {"[1]", "[2,1]"}},
    {"{\"enum\":[\"ab\",\"b\",[1,1],[1,2],{\"a\":1},6,7],\"pattern\":\"^a\",\"uniqueItems\":true,\"multipleOf\":3,\"required\":[\"a\"],\"not\":{\"const\":7}}", OPEN,
     {"\"ab\"", "[1,2]", "{\"a\":1}", "6"}, {"\"b\"", "[1,1]", "7"}},
    {"{\"allOf\":[{\"properties\":{\"a\":{\"minimum\":2}}},{\"properties\":{\"a\":{\"maximum\":3},\"b\":{}}}],\"properties\":{\"a\":{\"type\":\"integer\"}},\"required\":[\"a\"]}",
     CLOSED, {"{\"a\":2}", "{\"a\":3,\"b\":1}"}, {"{\"a\":1}", "{\"a\":4}", "{\"a\":2,\"c\":1}"}},
    {"{\"$ref\":\"#/$defs/a~1b%25\",\"maximum\":5,\"$defs\":{\"a/b%\":{\"type\":\"integer\",\"minimum\":3}}}", OPEN, {"3", "5"}, {"2", "6"}},
    {"{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"$ref\":\"#/definitions/a\",\"maximum\":5,\"definitions\":{\"a\":{\"type\":\"integer\"}}}",
     OPEN, {"6", "1"}, {"1.5"}},
    {"{\"$defs\":{\"n\":{\"type\":\"object\",\"properties\":{\"v\":{\"type\":\"integer\"},\"next\":{\"$ref\":\"#/$defs/n\"}},\"required\":[\"v\"]}},\"$ref\":\"#/$defs/n\"}",
     CLOSED, {"{\"v\":1}", "{\"v\":1,\"next\":{\"v\":2,\"next\":{\"v\":3}}}"}, {"{}", "{\"v\":1,\"next\":{}}", "{\"v\":1,\"next\":null}"}},
    {"{\"type\":\"array\",\"items\":{\"$ref\":\"#\"}}", OPEN, {"[]", "[[],[[]]]"}, {"[1]", "{}"}},
    {"{\"anyOf\":[{\"type\":\"array\",\"items\":{\"$ref\":\"#\"}},{\"type\":\"string\"}]}", OPEN, {"\"a\"", "[[],\"\"]"}, {"1"}},
    {"{\"$ref\":\"#there\",\"$defs\":{\"x\":{\"$anchor\":\"there\",\"const\":7}}}", OPEN, {"7"}, {"8"}},
    {"{\"$id\":\"http://h/a/b.json\",\"$ref\":\"../c/./d.json#there\",\"$defs\":{\"x\":{\"$anchor\":\"there\",\"const\":7},"
     "\"y\":{\"$id\":\"/c/d.json\",\"$defs\":{\"z\":{\"$anchor\":\"there\",\"$ref\":\"#/$defs/w\"},\"w\":{\"const\":8}}}}}", OPEN, {"8"}, {"7"}},
    {"{\"$id\":\"http://h/a/\",\"$ref\":\"n\",\"$defs\":{\"n\":{\"$id\":\"n\",\"items\":{\"$ref\":\"?q\"},\"type\":\"array\"},\"q\":{\"$id\":\"n?q\",\"type\":\"null\"}}}", OPEN, {"[null]"}, {"[1]", "null"}},
    {"{\"$ref\":\"urn:x:y#/$defs/i\",\"$defs\":{\"s\":{\"$id\":\"urn:x:y\",\"$defs\":{\"i\":{\"type\":\"integer\"}}}}}", OPEN, {"3"}, {"\"3\""}},
    {"{\"properties\":{\"a\":{\"$id\":\"http://h/x\",\"items\":{\"$ref\":\"#/$defs/i\"}}},\"$defs\":{\"i\":{\"type\":\"integer\"}}}", OPEN, {"{\"a\":[3]}"}, {"{\"a\":[null]}"}},
    {"{\"type\":\"string\",\"format\":\"unknown\",\"title\":3,\"x-y\":{},\"nullable\":true,\"examples\":[1],\"default\":5}", OPEN,
     {"\"\""}, {"null"}},
    {"{\"maxLength\":3,\"minimum\":5,\"maxItems\":1}", OPEN, {"\"abc\"", "5", "[1]", "{}", "null"}, {"\"abcd\"", "4", "[1,1]"}},
    {"{\"type\":\"string\",\"maxLength\":100000000}", OPEN, {"\"abc\""}, {"1"}},
    {"{\"type\":\"string\",\"pattern\":\"^[a-c]{2,3}$\"}", OPEN, {"\"ab\"", "\"ccc\""}, {"\"a\"", "\"abcd\"", "\"xab\"", "\"\\u0061b\""}},
    {"{\"type\":\"string\",\"pattern\":\"b+\",\"maxLength\":3}", OPEN, {"\"b\"", "\"abb\"", "\"\\\\b\\n\""}, {"\"\"", "\"aaa\"", "\"aab\\u0000\"", "\"abbb\""}},
    {"{\"type\":\"string\",\"pattern\":\"^(?!ab)\\\\w+$\"}", OPEN, {"\"aab\"", "\"ba\"", "\"a\""}, {"\"ab\"", "\"abc\"", "\"\"", "\"a-\""}},
    {"{\"type\":\"string\",\"pattern\":\"^\\\\p{Lu}(?:(?!--)[a-z-])+(?<!-)$\",\"maxLength\":5}", OPEN, {"\"\u00c9a\"", "\"Aa-b\""}, {"\"A-\"", "\"A--b\"", "\"ab\"", "\"Aabcde\""}},
    {"{\"type\":\"object\",\"patternProperties\":{\"\\\\bid\\\\b\":{\"const\":1},\"^(?!.*id)\":{\"const\":2}},\"additionalProperties\":false}", OPEN, {"{\"a-id\":1}", "{\"x\":2}"}, {"{\"aid\":1}", "{\"id\":2}", "{\"x\":1}"}},
    {"{\"type\":\"string\",\"pattern\":\"^(aa)*$\",\"minLength\":3,\"maxLength\":5}", OPEN, {"\"aaaa\""}, {"\"aa\"", "\"aaa\"", "\"aaaaa\"", "\"aaaaaa\""}},
    {"{\"type\":\"string\",\"pattern\":\"^\\u00e9.$\"}", OPEN, {"\"\xC3\xA9x\"", "\"\\u00e9\\u2603\"", "\"\xC3\xA9\\ud83d\\ude00\""}, {"\"ex\"", "\"\xC3\xA8x\"", "\"\xC3\xA9\\n\"", "\"\\u00e8x\""}},
    {"{\"type\":\"string\",\"pattern\":\"^$|^x$\"}", OPEN, {"\"\"", "\"x\""}, {"\"xx\"", "\"y\""}},
    {"{\"type\":\"string\",\"pattern\":\"^a|b$\",\"allOf\":[{\"pattern\":\"c\"}]}", OPEN, {"\"ac\"", "\"cb\"", "\"acb\""}, {"\"a\"", "\"c\"", "\"xc\""}},
    {"{\"type\":\"string\",\"format\":\"date\"}", OPEN, {"\"2024-02-29\"", "\"2000-02-29\"", "\"2023-12-31\""}, {"\"2023-02-29\"", "\"1900-02-29\"", "\"2023-13-01\"", "\"2023-1-1\""}},
    {"{\"type\":\"string\",\"format\":\"date-time\"}", OPEN, {"\"2024-02-29T23:59:60Z\"", "\"2023-12-31T00:00:00.123+05:30\""}, {"\"2023-12-31\"", "\"2023-12-31T24:00:00Z\"", "\"2023-12-31T00:00:00\""}},
    {"{\"type\":\"string\",\"format\":\"ipv6\"}", OPEN, {"\"::\"", "\"1::8\"", "\"1:2:3:4:5:6:7:8\"", "\"::ffff:1.2.3.4\"", "\"1::3:4:5:6:7:8\""}, {"\"1:2\"", "\"1::2::3\"", "\"12345::\"", "\"1:2:3:4:5:6:7:8:9\""}},
    {"{\"type\":\"string\",\"format\":\"email\",\"minLength\":8}", OPEN, {"\"a.b+c@ex-a.org\""}, {"\"a@b.c\"", "\"@ex.org\"", "\"a..b@ex.org\"", "\"abcdefghi\""}},
    {"{\"type\":\"object\",\"patternProperties\":{\"^n_\":{\"type\":\"integer\"},\"_s$\":{\"enum\":[1,\"x\"]}},\"additionalProperties\":{\"type\":\"null\"},\"properties\":{\"n_a\":{\"maximum\":3}}}", OPEN,
     {"{\"n_a\":3}", "{\"n_b\":7,\"x_s\":\"x\"}", "{\"n_s\":1}", "{\"q\":null}"},
     {"{\"n_a\":4}", "{\"n_a\":\"x\"}", "{\"n_s\":\"x\"}", "{\"q\":1}", "{\"n_b\":1,\"n_b\":1}", "{\"n_b\":null}"}},
    {"{\"type\":\"object\",\"patternProperties\":{\"^x\":{\"const\":1}}}", CLOSED, {"{}", "{\"x\":1,\"xy\":1}"}, {"{\"y\":1}", "{\"x\":2}"}},
    {"{\"type\":\"object\",\"patternProperties\":{\"^[ab]$\":{\"const\":1}},\"additionalProperties\":false}", OPEN, {"{\"b\":1,\"a\":1}", "{\"a\":1}"}, {"{\"c\":1}", "{\"a\":1,\"b\":1,\"a\":1}", "{\"\":1}"}},
    {"{\"type\":\"object\",\"propertyNames\":{\"pattern\":\"^[a-z]+$\",\"maxLength\":2},\"additionalProperties\":true}", OPEN, {"{}", "{\"ab\":1,\"z\":2}"}, {"{\"abc\":1}", "{\"A\":1}", "{\"\":1}"}},
    {"{\"type\":\"object\",\"propertyNames\":{\"enum\":[\"a\",\"b.c\",3]},\"additionalProperties\":{\"type\":\"integer\"}}", CLOSED, {"{\"b.c\":1}", "{\"a\":1,\"b.c\":2}"}, {"{\"bxc\":1}", "{\"c\":1}"}},
    {"{\"type\":\"object\",\"propertyNames\":{\"pattern\":\"^x\"},\"patternProperties\":{\"^x\":{\"const\":1}}}", OPEN, {"{\"x\":1}"}, {"{\"y\":1}", "{\"x\":2}"}},
    {"{\"type\":\"object\",\"minProperties\":2,\"maxProperties\":3,\"properties\":{\"a\":{},\"b\":{},\"c\":{},\"d\":{}}}", CLOSED,
     {"{\"a\":1,\"d\":1}", "{\"b\":1,\"c\":1,\"d\":1}"}, {"{}", "{\"d\":1}", "{\"a\":1,\"b\":1,\"c\":1,\"d\":1}"}},
    {"{\"type\":\"object\",\"minProperties\":2,\"maxProperties\":2}", OPEN, {"{\"a\":1,\"b\":1}"}, {"{}", "{\"a\":1}", "{\"a\":1,\"b\":1,\"c\":1}"}},
    {"{\"type\":\"object\",\"minProperties\":1,\"properties\":{\"a\":{}},\"required\":[\"a\"]}", CLOSED, {"{\"a\":1}"}, {"{}"}},
    /* keys sort otherwise with their closing quote than without it */
    {"{\"properties\":{\"ab\":{\"const\":1},\"a\":{\"const\":2},\"a b\":{\"const\":3},\"a!\":{\"const\":4},\"\":{\"const\":5},\"a\\\"\":{\"const\":6}},\"type\":\"object\"}", OPEN,
     {"{\"\":5,\"ab\":1,\"a\\\"\":6,\"a\":2,\"a!\":4,\"a b\":3}", "{\"\\u0061\":2,\"a\\u0020b\":3,\"a\\u0021\":4}"},
     {"{\"a\":3}", "{\"a b\":2}", "{\"a!\":2}", "{\"\":2}", "{\"a\\u0021\":2}", "{\"a\\\"\":2}"}},
    /* members that alternatives made up name come before those that are declared */
    {"{\"type\":\"object\",\"allOf\":[{\"not\":{\"properties\":{\"b\":{\"const\":1}},\"required\":[\"b\"]}},{\"properties\":{\"a\":{\"const\":1},\"b\":{\"enum\":[1,2]}}}]}", OPEN,
     {"{\"a\":1,\"b\":2}", "{\"b\":2,\"c\":0}", "{\"a\":1}", "{}"}, {"{\"b\":1}", "{\"a\":2}", "{\"a\":1,\"b\":1}"}},
};

START_TEST(texts_match) {
    const struct texts_case *at = &texts[_i];
    struct error error;
    struct grammar *grammar = compile(at->schema, at->closed, &error);
    ck_assert_msg(grammar, "%s: %s (%s)", at->schema, error.message, error.path);
    for (int i = 0; i < 8 && at->accepted[i]; i++)
        ck_assert_msg(accepts(grammar, at->accepted[i], strlen(at->accepted[i])), "%s rejects %s",
                      at->schema, at->accepted[i]);
    for (int i = 0; i < 12 && at->rejected[i]; i++)
        ck_assert_msg(!accepts(grammar, at->rejected[i], strlen(at->rejected[i])), "%s accepts %s",
                      at->schema, at->rejected[i]);
    grammar_unref(grammar);
}
END_TEST

START_TEST(spaced_texts) {
    static const char schema[] = "{\"properties\":{\"a\":{\"type\":\"array\"},\"b\":{\"enum\":[{\"x\":[1,2]}]}}}";
    struct error error = {0};
    struct grammar *grammar = grammar_from_schema(schema, sizeof schema - 1, true, true, NULL, &error);
    static const char *const good[] = {"{\"a\": [1, {}], \"b\": {\"x\": [1, 2]}}", "{}"};
    static const char *const bad[] = {"{\"a\":[]}", "{\"a\": [1,2]}", "{ }", "{\"a\":  []}", "{\"a\" : []}"};
    ck_assert_ptr_nonnull(grammar);
    for (int i = 0; i < 2; i++) ck_assert(accepts(grammar, good[i], strlen(good[i])));
    for (int i = 0; i < 5; i++) ck_assert_msg(!accepts(grammar, bad[i], strlen(bad[i])), "%s", bad[i]);
    grammar_unref(grammar);
}
END_TEST

/* ---- refusals ---- */

static const struct {
    const char *schema;
    enum error_code code;
    const char *path, *keyword, *reason;
} refusals[] = {
    {"{", ERROR_INVALID_PARAMS, "", "", ""},
    {"3", ERROR_INVALID_PARAMS, "", "", ""},
    {"{\"properties\":{\"x\":{\"type\":\"any\"}}}", ERROR_INVALID_PARAMS, "/properties/x/type", "", ""},
    {"{\"properties\":{\"x\":3}}", ERROR_INVALID_PARAMS, "/properties/x", "", ""},
    {"{\"properties\":[]}", ERROR_INVALID_PARAMS, "/properties", "", ""},
    {"{\"required\":true}", ERROR_INVALID_PARAMS, "/required", "", ""},
    {"{\"minLength\":-1}", ERROR_INVALID_PARAMS, "/minLength", "", ""},
    {"{\"anyOf\":[]}", ERROR_INVALID_PARAMS, "/anyOf", "", ""},
    {"{\"items\":{\"a~b/c\":1,\"enum\":3}}", ERROR_INVALID_PARAMS, "/items/enum", "", ""},
    {"{\"$ref\":\"http://example.com/x\"}", ERROR_SCHEMA_UNSUPPORTED, "/$ref", "$ref", NULL},
    {"{\"$ref\":\"#/nowhere\"}", ERROR_SCHEMA_UNSUPPORTED, "/$ref", "$ref", NULL},
    {"{\"$dynamicRef\":\"#a\"}", ERROR_SCHEMA_UNSUPPORTED, "/$dynamicRef", "$dynamicRef", NULL},
    {"{\"contains\":{\"$dynamicRef\":\"#a\"}}", ERROR_SCHEMA_UNSUPPORTED, "/contains/$dynamicRef", "$dynamicRef", NULL},
    {"{\"type\":\"array\",\"uniqueItems\":true,\"items\":{\"enum\":[[1],[1.0],{}]},\"minItems\":4}", ERROR_SCHEMA_UNSUPPORTED, "", "", "unsatisfiable"},
    {"{\"type\":\"array\",\"contains\":{\"type\":\"string\"},\"items\":{\"type\":\"integer\"}}", ERROR_SCHEMA_UNSUPPORTED, "", "", "unsatisfiable"},
    {"{\"type\":\"array\",\"contains\":true,\"minContains\":3,\"maxItems\":2}", ERROR_SCHEMA_UNSUPPORTED, "", "", "unsatisfiable"},
    {"{\"type\":\"array\",\"contains\":true,\"minContains\":3,\"maxContains\":2}", ERROR_SCHEMA_UNSUPPORTED, "", "", "unsatisfiable"},
    {"{\"type\":\"array\",\"uniqueItems\":true,\"items\":{\"enum\":[1,2]},\"minItems\":3}", ERROR_SCHEMA_UNSUPPORTED, "", "", "unsatisfiable"},
    {"{\"not\":{}}", ERROR_SCHEMA_UNSUPPORTED, "", "", "unsatisfiable"},
    {"false", ERROR_SCHEMA_UNSUPPORTED, "", "", "unsatisfiable"},
    {"{\"enum\":[]}", ERROR_SCHEMA_UNSUPPORTED, "", "", "unsatisfiable"},
    {"{\"type\":\"array\",\"minItems\":3,\"maxItems\":2}", ERROR_SCHEMA_UNSUPPORTED, "", "", "unsatisfiable"},
    {"{\"type\":\"object\",\"properties\":{\"a\":false},\"required\":[\"a\"]}", ERROR_SCHEMA_UNSUPPORTED, "", "", "unsatisfiable"},
    {"{\"type\":\"integer\",\"minimum\":3,\"maximum\":2}", ERROR_SCHEMA_UNSUPPORTED, "", "", "unsatisfiable"},
    {"{\"type\":\"integer\",\"exclusiveMinimum\":2,\"exclusiveMaximum\":3}", ERROR_SCHEMA_UNSUPPORTED, "", "", "unsatisfiable"},
    {"{\"type\":\"string\",\"enum\":[1,2]}", ERROR_SCHEMA_UNSUPPORTED, "", "", "unsatisfiable"},
    {"{\"type\":\"string\",\"allOf\":[{\"type\":\"number\"}]}", ERROR_SCHEMA_UNSUPPORTED, "", "", "unsatisfiable"},
    {"{\"$ref\":\"#\"}", ERROR_SCHEMA_UNSUPPORTED, "/$ref", "$ref", "leads to itself for one and the same value"},
    {"{\"anyOf\":[{\"$ref\":\"#\"},{\"type\":\"string\"}]}", ERROR_SCHEMA_UNSUPPORTED, "/anyOf/0/$ref", "$ref",
     "leads to itself for one and the same value"},
    {"{\"type\":\"object\",\"properties\":{\"a\":{\"anyOf\":[{\"$ref\":\"#/properties/a\"},{\"type\":\"integer\"}]}},\"required\":[\"a\"]}",
     ERROR_SCHEMA_UNSUPPORTED, "/properties/a/anyOf/0/$ref", "$ref", "leads to itself for one and the same value"},
    {"{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#\"}},\"required\":[\"a\"]}", ERROR_SCHEMA_UNSUPPORTED, "", "", "unsatisfiable"},
    {"{\"type\":\"array\",\"items\":{\"$ref\":\"#\"},\"minItems\":1}", ERROR_SCHEMA_UNSUPPORTED, "", "", "unsatisfiable"},
};

START_TEST(refused) {
    struct error error;
    struct grammar *grammar = compile(refusals[_i].schema, false, &error);
    ck_assert_msg(!grammar, "%s compiles", refusals[_i].schema);
    ck_assert_int_eq(error.code, refusals[_i].code);
    ck_assert_str_eq(error.path, refusals[_i].path);
    ck_assert_str_eq(error.keyword, refusals[_i].keyword);
    if (refusals[_i].reason) ck_assert_str_eq(error.reason, refusals[_i].reason);
}
END_TEST

START_TEST(tool_errors) {
    static const char bad[] = "{\"properties\":{\"x\":{\"$dynamicRef\":\"#m\"}}}";
    const struct grammar_tool tools[] = {{"a", 1, NULL, 0}, {"b", 1, bad, sizeof bad - 1}};
    const struct grammar_tool twice[] = {{"a", 1, NULL, 0}, {"a", 1, NULL, 0}};
    const struct grammar_tool named[] = {{"a b", 3, NULL, 0}};
    const struct grammar_syntax syntax = {"<c>", "</c>", "", false};
    struct error error = {0};
    ck_assert_ptr_null(grammar_from_tools(tools, 2, GRAMMAR_CALLS, 1, &syntax, NULL, &error));
    ck_assert_int_eq(error.code, ERROR_SCHEMA_UNSUPPORTED);
    ck_assert_str_eq(error.path, "tools[1].parameters/properties/x/$dynamicRef");
    ck_assert_str_eq(error.keyword, "$dynamicRef");
    error = (struct error){0};
    ck_assert_ptr_null(grammar_from_tools(twice, 2, GRAMMAR_CALLS, 1, &syntax, NULL, &error));
    ck_assert_int_eq(error.code, ERROR_INVALID_PARAMS);
    error = (struct error){0};
    ck_assert_ptr_null(grammar_from_tools(named, 1, GRAMMAR_CALLS, 1, &syntax, NULL, &error));
    ck_assert_str_eq(error.path, "tools[0].name");
}
END_TEST

/* ---- hostile schemas: bounded, fast ---- */

static double milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* before, then middle n times, core, after n times */
static char *nest(const char *before, const char *middle, const char *core, const char *after, unsigned n) {
    size_t size = strlen(before) + n * (strlen(middle) + strlen(after)) + strlen(core) + 64;
    char *text = malloc(size), *at = text + sprintf(text, "%s", before);
    for (unsigned i = 0; i < n; i++) at += sprintf(at, "%s", middle);
    at += sprintf(at, "%s", core);
    for (unsigned i = 0; i < n; i++) at += sprintf(at, "%s", after);
    return text;
}

static void hostile(char *schema, const char *expected_reason) {
    struct error error = {0};
    const struct grammar_limits limits = {.schema_bytes = 4 << 20};
    double start = milliseconds();
    struct grammar *grammar = grammar_from_schema(schema, strlen(schema), true, false, &limits, &error);
    double took = milliseconds() - start;
    if (expected_reason) {
        ck_assert_msg(!grammar, "%.80s compiles", schema);
        ck_assert_msg(strcmp(error.reason, expected_reason) == 0, "%.60s: %s: %s", schema, error.reason, error.message);
    } else {
        ck_assert_msg(grammar, "%.80s: %s %s", schema, error.message, error.path);
    }
    if (!getenv("PLM_SLOW")) ck_assert_msg(took < 60, "%.80s took %.1f ms", schema, took);
    grammar_unref(grammar);
    free(schema);
}

START_TEST(hostile_schemas) {
    hostile(nest("", "{\"items\":", "{}", "}", 33), "too_deep");
    hostile(nest("", "{\"items\":", "{\"type\":\"string\"}", "}", 32), NULL);
    hostile(nest("", "{\"properties\":{\"a\":", "{}", "}}", 32), NULL);
    hostile(nest("", "{\"anyOf\":[", "{}", "]}", 100), "too_deep");
}
END_TEST

START_TEST(hostile_bounds) {
    static const char *const schemas[] = {
        "{\"type\":\"string\",\"maxLength\":100000000,\"minLength\":99999999}",
        "{\"type\":\"array\",\"minItems\":100000000,\"maxItems\":100000000,\"items\":{\"type\":\"array\",\"minItems\":100000000}}",
        "{\"type\":\"integer\",\"minimum\":-1e300,\"maximum\":1e300}",
        "{\"type\":\"string\",\"maxLength\":1e300}",
        "{\"type\":\"object\",\"additionalProperties\":{\"$ref\":\"#\"}}",
        "{\"type\":\"number\",\"minimum\":1e-300}",
    };
    for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++) hostile(strdup(schemas[i]), NULL);
    hostile(strdup("{\"type\":\"number\",\"minimum\":1e400}"), "unsatisfiable");
}
END_TEST

START_TEST(hostile_sizes) {
    char *text = malloc(4 << 20), *at = text + sprintf(text, "{\"enum\":[0");
    for (int i = 0; i < 5000; i++) at += sprintf(at, ",\"value number %d\"", i * 7919 % 5000);
    sprintf(at, "]}");
    hostile(strdup(text), NULL);
    at = text + sprintf(text, "{\"properties\":{\"p\":{}");
    for (int i = 0; i < 10000; i++) at += sprintf(at, ",\"p%d\":{\"type\":\"string\"}", i);
    sprintf(at, "}}");
    hostile(strdup(text), NULL);
    at = text + sprintf(text, "{\"properties\":{\"p\":{}"); /* each an automaton of thousands of states */
    for (int i = 0; i < 60; i++) at += sprintf(at, ",\"p%d\":{\"multipleOf\":%d}", i, 900 + i);
    sprintf(at, "}}");
    hostile(strdup(text), "too many digits");
    at = text + sprintf(text, "{\"description\":\"");
    memset(at, 'x', 1 << 20);
    sprintf(at + (1 << 20), "\",\"type\":\"string\"}");
    hostile(strdup(text), NULL);
    at = text + sprintf(text, "{\"allOf\":[{}"); /* two to the 7th combinations */
    for (int i = 0; i < 7; i++) at += sprintf(at, ",{\"anyOf\":[{\"minLength\":%d},{\"maxLength\":%d}]}", i, 100 - i);
    sprintf(at, "]}");
    hostile(strdup(text), NULL);
    at = text + sprintf(text, "{\"allOf\":[{}");
    for (int i = 0; i < 24; i++) at += sprintf(at, ",{\"anyOf\":[{\"minLength\":%d},{\"maxLength\":%d}]}", i, 100 - i);
    sprintf(at, "]}");
    hostile(strdup(text), "too_complex");
    at = text + sprintf(text, "{\"$ref\":\"#/$defs/d0\",\"$defs\":{\"d3000\":{}"); /* a long chain */
    for (int i = 0; i < 3000; i++)
        at += sprintf(at, ",\"d%d\":{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#/$defs/d%d\"}},\"required\":[\"a\"]}", i, i + 1);
    sprintf(at, "}}");
    hostile(strdup(text), "unsatisfiable"); /* nests deeper than values may */
    at = text + sprintf(text, "{\"$defs\":{\"x\":{\"$anchor\":\"x\"}},\"properties\":{\"a\":{}");
    for (int i = 0; i < 6000; i++) at += sprintf(at, ",\"a%d\":{\"$ref\":\"#x\"}", i);
    sprintf(at, "}}");
    hostile(strdup(text), NULL);
    at = text + sprintf(text, "{\"$id\":\"http://h/\",\"$defs\":{\"x\":{}");
    for (int i = 0; i < 900; i++) at += sprintf(at, ",\"x%d\":{\"$id\":\"n%d\"}", i, i);
    at += sprintf(at, "},\"properties\":{\"a\":{}");
    for (int i = 0; i < 6000; i++) at += sprintf(at, ",\"a%d\":{\"$ref\":\"n%d\"}", i, i % 900);
    sprintf(at, "}}");
    hostile(strdup(text), NULL);
    free(text);
}
END_TEST

START_TEST(size_limit) {
    char *text = malloc(300 << 10);
    struct error error;
    memset(text, ' ', 300 << 10);
    memcpy(text, "{}", 2);
    text[(300 << 10) - 1] = '\0';
    ck_assert_ptr_null(compile(text, false, &error));
    ck_assert_int_eq(error.code, ERROR_SCHEMA_UNSUPPORTED);
    ck_assert_str_eq(error.reason, "too_large");
    free(text);
}
END_TEST

/* ---- the shared sources ---- */

struct tally {
    int schemas, compiled, valid, accepted, invalid, wrong;
    bool closed;
};

static void hold_against_tests(const struct json *line, struct grammar *grammar, struct tally *tally) {
    const struct json *tests = json_get(line, "tests"), *id = json_get(line, "id");
    for (uint32_t i = 0; tests && i < tests->len; i++) {
        const struct json *data = json_get(tests->items[i], "data");
        bool valid = json_get(tests->items[i], "valid")->type == JSON_TRUE;
        struct buf text = {0};
        json_write(&text, data, false);
        bool accepted = accepts(grammar, text.bytes, text.len);
        tally->valid += valid;
        tally->invalid += !valid;
        tally->accepted += valid && accepted;
        tally->wrong += !valid && accepted;
        if (!valid && accepted && getenv("PLM_VERBOSE"))
            printf("%.*s accepts %s\n", (int)id->len, id->text, text.bytes);
        buf_free(&text);
    }
}

static void try_schema(const struct json *line, void *user) {
    struct tally *tally = user;
    const struct json *schema = json_get(line, "schema");
    struct error error = {0};
    if (!schema) schema = json_get(line, "parameters");
    if (!schema) return;
    struct grammar *grammar = grammar_from_schema(schema->raw, schema->raw_len, tally->closed, false, NULL, &error);
    tally->schemas++;
    if (!grammar) return;
    tally->compiled++;
    hold_against_tests(line, grammar, tally);
    grammar_unref(grammar);
}

static void try_tools(const struct json *line, void *user) {
    const struct json *tools = json_get(line, "tools");
    struct tally *tally = user;
    for (uint32_t i = 0; i < tools->len; i++) {
        const struct json *schema = json_get(tools->items[i], "parameters");
        struct error error = {0};
        struct grammar *grammar = grammar_from_schema(schema->raw, schema->raw_len, true, false, NULL, &error);
        tally->schemas++;
        tally->compiled += grammar != NULL;
        grammar_unref(grammar);
    }
}

START_TEST(bfcl_tools) {
    static const char *const files[] = {"live_multiple", "live_simple", "multiple", "parallel", "simple_python", "simple_java", "simple_javascript"};
    struct tally tally = {0};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char name[64];
        snprintf(name, sizeof name, "data/bfcl/%s.jsonl", files[i]);
        if (each_line(name, try_tools, &tally) < 0) return;
    }
    printf("bfcl: %d of %d tools compile\n", tally.compiled, tally.schemas);
    ck_assert_int_ge(tally.compiled * 1000, tally.schemas * 999);
}
END_TEST

START_TEST(public_tools) {
    static const char *const files[] = {"github_mcp", "livemcp", "mcpm", "openapi_openai", "openapi_slack", "taubench"};
    struct tally tally = {.closed = true};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char name[64];
        snprintf(name, sizeof name, "data/tools/%s.jsonl", files[i]);
        if (each_line(name, try_schema, &tally) < 0) return;
    }
    printf("tools: %d of %d compile, %d of %d valid accepted, %d of %d invalid accepted\n", tally.compiled,
           tally.schemas, tally.accepted, tally.valid, tally.wrong, tally.invalid);
    ck_assert_int_ge(tally.compiled * 100, tally.schemas * 98);
    ck_assert_int_eq(tally.accepted, tally.valid);
}
END_TEST

static Suite *suite(void) {
    Suite *s = suite_create("grammar");
    TCase *t = tcase_create("schemas");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, texts_match, 0, sizeof texts / sizeof *texts);
    tcase_add_test(t, spaced_texts);
    tcase_add_loop_test(t, refused, 0, sizeof refusals / sizeof *refusals);
    tcase_add_test(t, tool_errors);
    tcase_add_test(t, hostile_bounds);
    tcase_add_test(t, hostile_schemas);
    tcase_add_test(t, hostile_sizes);
    tcase_add_test(t, size_limit);
    tcase_add_test(t, bfcl_tools);
    tcase_add_test(t, public_tools);
    suite_add_tcase(s, t);
    return s;
}

int main(void) {
    return run_suite(suite());
}
