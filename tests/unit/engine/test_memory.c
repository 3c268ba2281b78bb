/* Constrained decoding with every allocation failing in turn: no crash, no leak, never a wrong answer. */
#include <check.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "engine/validate.h"
#include "tests/support.h"
#include "tests/unit/engine/grammar_support.h"

/* malloc and friends with one that fails, and a count of the blocks in use. Sanitizers bring their
 * own: there nothing fails. */
static long fail_at, allocations, blocks;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
static const bool watched = false;
#else
static const bool watched = true;
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t n);
void __libc_free(void *block);

static bool fails(void) {
    allocations++;
    return fail_at && allocations == fail_at;
}

static void *counted(void *block) {
    blocks += block != NULL;
    return block;
}

void *malloc(size_t n) {
    return fails() ? NULL : counted(__libc_malloc(n));
}

void *calloc(size_t n, size_t size) {
    return fails() ? NULL : counted(__libc_calloc(n, size));
}

void *realloc(void *old, size_t n) {
    if (fails()) return NULL;
    void *block = __libc_realloc(old, n);
    blocks += block && !old;
    return block;
}

void free(void *block) {
    blocks -= block != NULL;
    __libc_free(block);
}
#endif

static const struct {
    const char *schema, *instance, *wrong;
} cases[] = {
    {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"maxLength\":9},\"b\":{\"type\":\"array\",\"items\":"
     "{\"type\":\"integer\",\"minimum\":-5}}},\"required\":[\"a\"],\"additionalProperties\":{\"type\":\"boolean\"}}",
     "{\"a\":\"x\\u00e9\",\"b\":[1,-5],\"c\":true}",
     "{\"a\":\"x\",\"b\":[1.5]}"},
    {"{\"type\":\"string\",\"pattern\":\"^(ab|c.)+[0-9]{2,4}$\"}", "\"abcz123\"",
     "\"abcz1\""},
    {"{\"type\":\"string\",\"pattern\":\"\\\\b\\\\p{Lu}(?!.*--)[a-z-]+(?<!-)$\"}", "\"A-b\"",
     "\"A--b\""},
    {"{\"anyOf\":[{\"enum\":[\"x\",\"xy\",[1,{\"k\":null}]]},{\"type\":\"string\",\"format\":\"date\"}]}", "[1,{\"k\":null}]",
     "\"2024-13-01\""},
    {"{\"type\":\"object\",\"patternProperties\":{\"^a\":{\"type\":\"integer\"},\"z$\":{\"maximum\":9}},"
     "\"propertyNames\":{\"maxLength\":4},\"minProperties\":2}", "{\"az\":3,\"b\":[]}",
     "{\"az\":10,\"b\":1}"},
    {"{\"$defs\":{\"n\":{\"type\":\"object\",\"properties\":{\"v\":{\"type\":\"number\",\"multipleOf\":0.5},\"next\":"
     "{\"$ref\":\"#/$defs/n\"}},\"required\":[\"v\"]}},\"$ref\":\"#/$defs/n\"}", "{\"v\":1.5,\"next\":{\"v\":2}}",
     "{\"v\":1.25}"},
    {"{\"allOf\":[{\"if\":{\"properties\":{\"k\":{\"const\":1}}},\"then\":{\"required\":[\"r\"]},\"else\":{\"maxProperties\":1}},"
     "{\"type\":\"object\",\"properties\":{\"k\":{\"enum\":[1,2]},\"r\":{\"type\":\"null\"}}}]}", "{\"k\":1,\"r\":null}",
     "{\"k\":1}"},
    {"{\"type\":\"array\",\"items\":{\"type\":\"number\"},\"uniqueItems\":true,\"contains\":{\"minimum\":5},\"minItems\":2}",
     "[1,7.5,3]",
     "[1,1,7]"},
    {"{\"oneOf\":[{\"type\":\"array\",\"minItems\":2},{\"type\":\"array\",\"items\":{\"not\":{\"type\":\"string\"}}}]}", "[1]",
     "[\"x\"]"},
    {"{\"type\":\"object\",\"properties\":{\"k\":{\"enum\":[1,2,3,4,5]}},\"allOf\":["
     "{\"if\":{\"properties\":{\"k\":{\"const\":1}}},\"then\":{\"required\":[\"k\",\"m\"]}},"
     "{\"if\":{\"properties\":{\"k\":{\"const\":2}}},\"then\":{\"required\":[\"k\",\"m\"]}},"
     "{\"if\":{\"properties\":{\"k\":{\"const\":3}}},\"then\":{\"required\":[\"k\",\"m\"]}},"
     "{\"if\":{\"properties\":{\"k\":{\"const\":4}}},\"then\":{\"required\":[\"k\",\"m\"]}},"
     "{\"if\":{\"properties\":{\"k\":{\"const\":5}}},\"then\":{\"required\":[\"k\",\"m\"]}}]}",
     "{\"k\":3,\"m\":1}", "{\"k\":3}"},
    {"{\"type\":\"object\",\"allOf\":[{\"not\":{\"patternProperties\":{\"^a[0-9]\":{\"type\":\"string\"}}}},{\"properties\":"
     "{\"n\":{\"type\":\"integer\",\"multipleOf\":4,\"allOf\":[{\"multipleOf\":6}]}}}],\"propertyNames\":{\"pattern\":\"^[an]\"}}",
     "{\"a1\":1,\"n\":12}", "{\"a1\":\"\",\"n\":12}"},
};

/* What the whole comes to; equal whenever memory sufficed. */
struct outcome {
    int code;     /* of the error, 0: none */
    bool accepts;       /* the text was taken */
    size_t closing;
};

static void follow(struct grammar *grammar, const char *text, struct outcome *outcome) {
    struct error error = {0};
    char closing[512], forced[64];
    struct matcher *matcher = matcher_new(grammar, NULL, &error);
    outcome->code = error.code;
    if (!matcher) return;
    outcome->closing = matcher_closing(matcher, closing, sizeof closing);
    outcome->accepts = true;
    for (size_t i = 0; text[i] && outcome->accepts; i++) {
        matcher_forced(matcher, forced, sizeof forced);
        outcome->accepts = matcher_accept(matcher, text + i, 1);
    }
    struct matcher *copy = matcher_copy(matcher, &error);
    outcome->code = error.code;
    outcome->accepts = outcome->accepts && copy && matcher_may_end(copy);
    matcher_free(copy);
    matcher_free(matcher);
}

static struct outcome run(const char *schema, const char *instance) {
    struct outcome outcome = {0};
    struct error error = {0};
    struct grammar *grammar = grammar_from_schema(schema, strlen(schema), false, false, NULL, &error);
    outcome.code = error.code;
    if (grammar) follow(grammar, instance, &outcome);
    grammar_unref(grammar);
    return outcome;
}

static struct outcome validated(const char *schema, const char *instance) {
    struct outcome outcome = {0};
    struct error error = {0};
    struct json_doc *doc = json_parse(schema, strlen(schema), 64, &error);
    struct json_doc *value = doc ? json_parse(instance, strlen(instance), 64, &error) : NULL;
    struct validator *validator = value ? validator_new(json_root(doc), VALIDATE_FORMATS, &error) : NULL;
    outcome.accepts = validator && validator_check(validator, json_root(value), &error);
    outcome.code = outcome.accepts ? 0 : error.code;
    if (strcmp(error.reason, "too_complex") == 0) outcome.code = ERROR_OUT_OF_MEMORY; /* not judged */
    validator_free(validator);
    json_free(value);
    json_free(doc);
    return outcome;
}

/* Lets each allocation fail once. True answers may be withheld then, never given wrongly. */
static void each_failing(struct outcome (*what)(const char *, const char *), const char *schema, const char *instance) {
    struct outcome wanted = what(schema, instance);
    ck_assert_msg(wanted.accepts && wanted.code == 0, "%s does not take %s (%d)", schema, instance, wanted.code);
    if (!watched) {
        printf("SKIP: the sanitizer has a malloc of its own\n");
        return;
    }
    for (long at = 1;; at++) {
        long before = blocks;
        allocations = 0;
        fail_at = at;
        struct outcome got = what(schema, instance);
        fail_at = 0;
        ck_assert_msg(blocks == before, "%s, allocation %ld: %ld blocks are lost", schema, at, blocks - before);
        if (allocations < at) break;
        ck_assert_msg(got.code == 0 || got.code == ERROR_OUT_OF_MEMORY, "%s, allocation %ld: error %d", schema, at, got.code);
    }
    struct outcome again = what(schema, instance);
    ck_assert(again.accepts && again.closing == wanted.closing);
}

START_TEST(compiling) {
    each_failing(run, cases[_i].schema, cases[_i].instance);
}
END_TEST

START_TEST(validating) {
    each_failing(validated, cases[_i].schema, cases[_i].instance);
}
END_TEST

/* Nothing invalid is taken for valid, whatever fails. */
START_TEST(refusing) {
    const char *wrong = cases[_i].wrong;
    for (long at = 1; at < 2000; at++) {
        allocations = 0;
        fail_at = at;
        struct outcome taken = run(cases[_i].schema, wrong), valid = validated(cases[_i].schema, wrong);
        fail_at = 0;
        ck_assert_msg(!taken.accepts && !valid.accepts, "%s takes %s with allocation %ld", cases[_i].schema, wrong, at);
        if (allocations < at) break;
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("memory");
    TCase *t = tcase_create("constrained");
    int n = sizeof cases / sizeof *cases;
    tcase_add_loop_test(t, compiling, 0, n);
    tcase_add_loop_test(t, validating, 0, n);
    tcase_add_loop_test(t, refusing, 0, n);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
