/* Formats and encodings in the grammar: whatever it writes in one satisfies the validator, which has parsers of its own. */
#include <check.h>

#include "base/buf.h"
#include "engine/validate.h"
#include "tests/support.h"
#include "tests/unit/engine/grammar_support.h"

struct format_case {
    const char *name; /* or members of a schema */
    const char *accepted[6]; /* as JSON */
    const char *rejected[8];
};

static const struct format_case formats[] = {
    {"date-time", {"\"1998-12-31T23:59:60Z\"", "\"2020-01-01t00:00:00.5+14:00\""}, {"\"1998-12-31T23:59:61Z\"", "\"1998-13-31T23:59:60Z\""}},
    {"date", {"\"2024-02-29\""}, {"\"2023-02-29\"", "\"2023-2-9\""}},
    {"time", {"\"08:30:06Z\""}, {"\"08:30:06\"", "\"24:30:06Z\""}},
    {"duration", {"\"P4DT12H30M5S\"", "\"PT1M\"", "\"P2W\""}, {"\"P\"", "\"P1YT\"", "\"P1D2H\"", "\"PT1D\""}},
    {"email", {"\"joe.bloggs@example.com\"", "\"a~b@c\""}, {"\".a@b\"", "\"a b@c\"", "\"a@-b\""}},
    {"hostname", {"\"www.example.com\"", "\"1host\""}, {"\"-a\"", "\"a_b\"", "\"a..b\"", "\"a.\""}},
    {"ipv4", {"\"127.0.0.1\""}, {"\"127.0.0.01\"", "\"256.0.0.1\"", "\"1.2.3\""}},
    {"ipv6", {"\"::1\"", "\"1::d6:192.168.0.1\""}, {"\"1:2:3\"", "\"::1::\""}},
    {"uuid", {"\"2EB8AA08-AA98-11EA-B4AA-73B441D16380\""}, {"\"2eb8aa08aa9811eab4aa73b441d16380\""}},
    {"uri", {"\"http://foo.bar/?baz=qux#quux\"", "\"urn:a:b\""}, {"\"/abc\"", "\"http://a b\"", "\"http:// x\""}},
    {"uri-reference", {"\"/abc\"", "\"\"", "\"#f\"", "\"a/b:c\"", "\"http://a:80/x?y\"", "\"//h/p\""}, {"\"\\\\\\\\x\"", "\"a b\"", "\":a\"", "\"#a b\"", "\"%2\""}},
    {"iri", {"\"http://\xC6\x92\xC3\xB8\xC3\xB8.\xC3\x9F\xC3\xA5r/?\xE2\x88\x82=\xCF\x80\"", "\"urn:\xC3\xA9\""}, {"\"/abc\"", "\"http://2001:0db8:85a3:0000:0000:8a2e:0370:7334\"", "\"http:// x\"", "\"http://\xEE\x80\x80/\""}},
    {"iri-reference", {"\"/\xC3\xA9\"", "\"#\xC3\xA9\"", "\"\""}, {"\"\\\\\\\\x\"", "\"#fr\\\\gment\""}},
    {"uri-template", {"\"http://e.com/{term:1}/{term}{?q,r*}\"", "\"\"", "\"{+a.b}\""}, {"\"{a\"", "\"a}\"", "\"{}\"", "\"{a:0}\"", "\"{a,}\"", "\"a b\"", "\"%2\""}},
    {"idn-email", {"\"\xEC\x8B\xA4\xEB\xA1\x80@\xEC\x8B\xA4\xEB\xA1\x80.\xED\x85\x8C\"", "\"a.b@c.org\""}, {"\"2962\"", "\"@a\"", "\"a@\""}},
    {"idn-hostname", {"\"\xEC\x8B\xA4\xEB\xA1\x80.\xED\x85\x8C\xEC\x8A\xA4\xED\x8A\xB8\"", "\"a-b.org\"", "\"a\xE3\x80\x82""b\""},
     {"\"-a\"", "\"a\xC2\xB7l\"", "\"xn--X\"", "\"a..b\"", "\"\xE3\x80\x82\"", "\"\xCC\x80hello\"", "\"\""}},
    {"json-pointer", {"\"/a~0b\"", "\"\""}, {"\"a\"", "\"/~2\""}},
    {"relative-json-pointer", {"\"0\"", "\"1/a~1\"", "\"2#\""}, {"\"\"", "\"/a\"", "\"01\"", "\"-1/a\"", "\"0##\"", "\"+1/a\""}},
    {"regex", {"\"^\\\\d{2,}-[a-z0-9_-]+$\"", "\"([abc])+\\\\s+$\"", "\"(a|(b|c)*?)|^(?!x)y\"", "\"\""},
     {"\"(\"", "\"*\"", "\"[z-a]\"", "\"a**\"", "\"\\\\\"", "\"a{2,1}\"", "\"\\\\Z\"", "\")\""}},
    {"\"contentEncoding\":\"base64\"", {"\"\"", "\"QQ==\"", "\"eyJmb28iOiAiYmFyIn0K\"", "\"/+8=\""},
     {"\"eyJmb28iOi%iYmFyIn0K\"", "\"QQ=\"", "\"Q===\"", "\"QQ==QQ==\"", "\"QQ\"", "\"QQ==\\n\"", "\"====\""}},
    {"\"contentEncoding\":\"BASE32\"", {"\"\"", "\"ME======\"", "\"MFRA====\"", "\"MFRGG===\"", "\"MFRGGZA=\"", "\"MFRGGZDF\""},
     {"\"A=======\"", "\"ABC=====\"", "\"ABCDEF==\"", "\"mfrggzdf\"", "\"MFRGGZD1\"", "\"ME=====\""}},
    {"\"contentEncoding\":\"base16\"", {"\"\"", "\"00\"", "\"fFAa\""}, {"\"0\"", "\"0g\"", "\"000\"", "\"0=\""}},
    {"\"contentEncoding\":\"base64\",\"minLength\":5,\"maxLength\":11", {"\"QUJDREU=\"", "\"QUJDREVG\""},
     {"\"\"", "\"QQ==\"", "\"QUJDREVGQUJD\"", "\"QUJDREVGQUI\""}},
    {"\"contentEncoding\":\"base64\",\"maxLength\":1000000", {"\"\"", "\"QQ==\""}, {"\"QQ\""}},
};
enum { FORMATS = sizeof formats / sizeof *formats, WALKS = 250 };

static struct grammar *compile(const char *name, struct buf *schema) {
    struct error error = {0};
    bool member = *name != '"';
    buf_printf(schema, "{\"type\":\"string\",%s%s%s}", member ? "\"format\":\"" : "", name, member ? "\"" : "");
    struct grammar *grammar = grammar_from_schema(schema->bytes, schema->len, false, false, NULL, &error);
    ck_assert_msg(grammar, "%s: %s", name, error.message);
    return grammar;
}

START_TEST(texts_match) {
    const struct format_case *at = &formats[_i];
    struct buf schema = {0};
    struct grammar *grammar = compile(at->name, &schema);
    for (int i = 0; i < 6 && at->accepted[i]; i++)
        ck_assert_msg(accepts(grammar, at->accepted[i], strlen(at->accepted[i])), "%s rejects %s", at->name, at->accepted[i]);
    for (int i = 0; i < 8 && at->rejected[i]; i++)
        ck_assert_msg(!accepts(grammar, at->rejected[i], strlen(at->rejected[i])), "%s accepts %s", at->name, at->rejected[i]);
    grammar_unref(grammar);
    buf_free(&schema);
}
END_TEST

/* A random text of the grammar: some allowed bytes, then the shortest end. */
static void write_text(struct grammar *grammar, uint64_t *seed, struct buf *text) {
    struct matcher *matcher = new_matcher(grammar, NULL);
    char closing[256];
    uint64_t steps = 1 + random_next(seed) % 40;
    for (uint64_t step = 0; step < steps; step++) {
        char c = (char)random_next(seed), plain = (char)(0x20 + random_next(seed) % 95);
        if (step == 0) c = '"';
        if (random_next(seed) % 4) c = step ? plain : c;
        for (int tries = 0; tries < 256 && !matcher_allows(matcher, &c, 1); tries++) c++;
        if (!matcher_accept(matcher, &c, 1)) break;
        buf_add(text, &c, 1);
    }
    size_t n = matcher_closing(matcher, closing, sizeof closing);
    ck_assert(n || matcher_may_end(matcher));
    buf_add(text, closing, n);
    matcher_free(matcher);
}

START_TEST(validator_agrees) {
    struct error error = {0};
    struct buf schema = {0};
    struct grammar *grammar = compile(formats[_i].name, &schema);
    struct json_doc *doc = json_parse(schema.bytes, schema.len, 8, &error);
    struct validator *validator = validator_new(json_root(doc), VALIDATE_ALL_FORMATS, &error);
    uint64_t seed = (uint64_t)_i + 1;
    for (int walk = 0; walk < WALKS; walk++) {
        struct buf text = {0};
        write_text(grammar, &seed, &text);
        struct json_doc *value = json_parse(text.bytes, text.len, 8, &error);
        ck_assert_msg(value, "%s: %s", text.bytes, error.message);
        ck_assert_msg(validator_check(validator, json_root(value), &error), "%s: %s", formats[_i].name, text.bytes);
        if (getenv("SHOW") && walk % 50 == 0) printf("%s: %s\n", formats[_i].name, text.bytes);
        json_free(value);
        buf_free(&text);
    }
    validator_free(validator);
    json_free(doc);
    grammar_unref(grammar);
    buf_free(&schema);
}
END_TEST

/* Where the draft makes an annotation of a format, something must say that it is meant to hold. */
#define NEW "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
START_TEST(annotations_are_refused) {
    static const struct {
        const char *schema, *path; /* NULL: compiles */
    } cases[] = {
        {NEW "\"format\":\"email\"}", "/format"},
        {NEW "\"properties\":{\"a\":{\"format\":\"date\",\"title\":\"A\"}}}", "/properties/a/format"},
        {"{\"$schema\":\"https://json-schema.org/draft/2019-09/schema#\",\"not\":{\"format\":\"time\"}}", "/not/format"},
        {NEW "\"type\":\"string\",\"format\":\"email\"}", NULL},
        {NEW "\"format\":\"email\",\"maxLength\":9}", NULL},
        {NEW "\"format\":\"no such\"}", NULL},
        {"{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"format\":\"email\"}", NULL},
        {"{\"format\":\"email\"}", NULL},
    };
    struct error error = {0};
    const char *schema = cases[_i].schema, *path = cases[_i].path;
    struct grammar *grammar = grammar_from_schema(schema, strlen(schema), false, false, NULL, &error);
    ck_assert_msg(!grammar == (path != NULL), "%s: %s", schema, error.message);
    if (path) {
        ck_assert_int_eq(error.code, ERROR_SCHEMA_UNSUPPORTED);
        ck_assert_str_eq(error.path, path);
        ck_assert_str_eq(error.keyword, "format");
    }
    grammar_unref(grammar);
}
END_TEST

int main(void) {
    Suite *s = suite_create("formats");
    TCase *t = tcase_create("formats");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, texts_match, 0, FORMATS);
    tcase_add_loop_test(t, validator_agrees, 0, FORMATS);
    tcase_add_loop_test(t, annotations_are_refused, 0, 8);
    suite_add_tcase(s, t);
    return run_suite(s);
}
