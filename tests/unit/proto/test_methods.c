/* The method files: known keywords only, examples that hold, names that the code knows. */
#include <check.h>
#include <glob.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/methods.h"
#include "proto/methods_packed.h"
#include "proto/pattern.h"
#include "proto/shape.h"
#include "tests/support.h"

START_TEST(schemas_are_known) {
    const struct methods *methods = methods_get();
    struct error error = {0};
    const char *name;
    const json_t *schema;
    ck_assert_ptr_nonnull(methods->components);
    json_object_foreach((json_t *)methods->components, name, schema) ck_assert_msg(
        shape_known(schema, methods->components, &error), "%s: %s", name, error.message);
    for (size_t i = 0; i < methods->n; i++) {
        const struct method_spec *spec = &methods->specs[i];
        ck_assert_msg(shape_known(spec->params, methods->components, &error) &&
                          shape_known(spec->result, methods->components, &error),
                      "%s: %s", spec->name, error.message);
        ck_assert_msg(json_is_false(json_object_get(spec->params, "additionalProperties")), "%s",
                      spec->name);
    }
}
END_TEST

START_TEST(unknown_keywords_are_found) {
    static const char *const bad[] = {
        "{\"typo\":1}",
        "{\"properties\":{\"a\":{\"typo\":1}}}",
        "{\"items\":{\"typo\":1}}",
        "{\"anyOf\":[{\"typo\":1}]}",
        "{\"$ref\":\"#/components/schemas/none\"}",
        "5",
        "{\"$ref\":\"elsewhere\"}",
        "{\"pattern\":\"a*\"}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_t *schema = json_loads(bad[i], JSON_DECODE_ANY, NULL);
        ck_assert_msg(!shape_known(schema, methods_get()->components, &(struct error){0}), "%s",
                      bad[i]);
        json_decref(schema);
    }
}
END_TEST

START_TEST(names) {
    const struct methods *methods = methods_get();
    bool seen[METHOD_COUNT_] = {0};
    for (size_t i = 0; i < methods->n; i++) {
        const struct method_spec *spec = &methods->specs[i];
        ck_assert_msg(spec->method != METHOD_NONE, "%s has no enum", spec->name);
        ck_assert_msg(json_is_string(json_object_get(spec->file, "summary")), "%s", spec->name);
        ck_assert_msg(json_array_size(json_object_get(spec->file, "errors")) > 0, "%s", spec->name);
        seen[spec->method] = true;
    }
    for (int method = METHOD_NONE + 1; method < METHOD_COUNT_; method++)
        ck_assert_msg(seen[method] && method_name(method)[0], "method %d has no file", method);
}
END_TEST

static struct rpc_message *ask(const char *name, const json_t *params) {
    json_t *request = json_pack("{s:s, s:i, s:s, s:O}", "jsonrpc", "2.0", "id", 1, "method", name,
                                "params", params);
    char *line = json_dumps(request, JSON_COMPACT);
    struct rpc_message *message = rpc_parse(line, strlen(line));
    ck_assert_uint_eq(message->n_calls, 1);
    free(line);
    json_decref(request);
    return message;
}

static void check_result(const struct method_spec *spec, const json_t *result) {
    struct error error = {0};
    char *text = json_dumps(result, JSON_COMPACT);
    ck_assert_msg(rpc_check_result(spec->method, text, strlen(text), &error), "%s: %s", spec->name,
                  error.message);
    free(text);
}

/* What the engine refuses is no error yet here: tests/scripts/test_examples.py asks a daemon. */
static void check_example(const struct method_spec *spec, const json_t *example) {
    struct rpc_message *message = ask(spec->name, json_object_get(example, "params"));
    const json_t *wanted = json_object_get(example, "error"),
                 *result = json_object_get(example, "result");
    const struct error *error = &message->calls->error;
    ck_assert_msg(wanted || result, "%s: an example without outcome", spec->name);
    json_int_t code = json_integer_value(json_object_get(wanted, "code"));
    bool later = code == ERROR_SCHEMA_UNSUPPORTED;
    ck_assert_msg(error->code == (later ? ERROR_NONE : code), "%s: %s", spec->name, error->message);
    if (wanted && !later)
        ck_assert_str_eq(error->path, json_string_value(json_object_get(wanted, "path")));
    else if (!wanted)
        check_result(spec, result);
    rpc_message_free(message);
}

START_TEST(examples) {
    const struct methods *methods = methods_get();
    for (size_t i = 0; i < methods->n; i++) {
        const json_t *list = json_object_get(methods->specs[i].file, "examples"), *example;
        size_t k;
        ck_assert_msg(json_array_size(list) > 0, "%s has no example", methods->specs[i].name);
        json_array_foreach(list, k, example) check_example(&methods->specs[i], example);
    }
}
END_TEST

START_TEST(wrong_results_are_found) {
    struct error error = {0};
    ck_assert(!rpc_check_result(METHOD_TOKENIZE, "{\"tokens\":[-1]}", 15, &error));
    ck_assert_str_eq(error.path, "tokens[0]");
    ck_assert(
        !rpc_check_result(METHOD_TOKENIZE, "{\"tokens\":[],\"x\":1}", 19, &(struct error){0}));
    ck_assert(!rpc_check_result(METHOD_TOKENIZE, "{}", 2, &(struct error){0}));
    ck_assert(!rpc_check_result(METHOD_TOKENIZE, "{", 1, &(struct error){0}));
    ck_assert(!rpc_check_result(METHOD_NONE, "{}", 2, &(struct error){0}));
}
END_TEST

static void check_notification(const json_t *file) {
    const json_t *params = json_object_get(file, "params"), *example,
                 *components = methods_get()->components;
    const char *name = json_string_value(json_object_get(file, "notification"));
    struct error error = {0};
    size_t i;
    ck_assert_msg(shape_known(params, components, &error), "%s: %s", name, error.message);
    json_array_foreach(json_object_get(file, "examples"), i, example) ck_assert_msg(
        shape_check(params, json_object_get(example, "params"), components, PATH_ROOT, &error),
        "%s: %s", name, error.message);
}

START_TEST(notifications) {
    size_t i;
    const json_t *file;
    ck_assert_uint_eq(json_array_size(methods_get()->notifications), 2);
    json_array_foreach(methods_get()->notifications, i, file) check_notification(file);
}
END_TEST

/* Every code of the table has the name that error.h gives it, and the data that replies write. */
START_TEST(error_table) {
    const struct methods *methods = methods_get();
    size_t i;
    const json_t *row;
    ck_assert_uint_eq(json_array_size(methods->errors), 19);
    json_array_foreach(methods->errors, i, row) {
        struct error error = {0}, wrong = {0};
        struct buf out = {0};
        error_set(&error, (enum error_code)json_integer_value(json_object_get(row, "code")), "x");
        ck_assert_str_eq(error_name(error.code), json_string_value(json_object_get(row, "name")));
        reply_error(&out, "1", &error, NULL);
        json_t *reply = json_loads(out.bytes, 0, NULL);
        const json_t *data = json_object_get(json_object_get(reply, "error"), "data"),
                     *schema = json_object_get(row, "data");
        ck_assert_msg(!data || schema, "%s has data", error_name(error.code));
        ck_assert_msg(!data || shape_check(schema, data, methods->components, PATH_ROOT, &wrong),
                      "%s: %s", error_name(error.code), wrong.message);
        json_decref(reply);
        buf_free(&out);
    }
}
END_TEST

START_TEST(discovery) {
    struct buf out = {0};
    struct error error = {0};
    ck_assert(rpc_discover(&out, "1.2.3"));
    ck_assert_msg(rpc_check_result(METHOD_RPC_DISCOVER, out.bytes, out.len, &error), "%s",
                  error.message);
    json_t *document = json_loads(out.bytes, 0, NULL);
    const json_t *list = json_object_get(document, "methods"), *method;
    size_t i;
    ck_assert_uint_eq(json_array_size(list), methods_get()->n);
    ck_assert_str_eq(
        json_string_value(json_object_get(json_object_get(document, "info"), "version")), "1.2.3");
    json_array_foreach(list, i, method) {
        const struct method_spec *spec =
            methods_find(methods_get(), json_object_get(method, "name"));
        ck_assert_ptr_nonnull(spec);
        ck_assert_uint_eq(json_array_size(json_object_get(method, "params")),
                          json_object_size(json_object_get(spec->params, "properties")));
    }
    json_decref(document);
    buf_free(&out);
}
END_TEST

START_TEST(patterns) {
    static const struct {
        const char *pattern, *text;
        bool match;
    } cases[] = {
        {"^[a-c]{1,2}$", "a", true},    {"^[a-c]{1,2}$", "cb", true}, {"^[a-c]{1,2}$", "", false},
        {"^[a-c]{1,2}$", "abc", false}, {"^[a-c]{1,2}$", "d", false}, {"^[a-]{1,9}$", "-a-", true},
        {"^[a-]{1,9}$", "b", false},    {"[a]{1,2}$", "a", false},    {"^[a]{1,2}", "a", false},
        {"^[a]+$", "a", false},         {"^[]{1,2}$", "a", false},    {"^[a]{1,2}$x", "a", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(
            pattern_match(cases[i].pattern, (struct text){cases[i].text, strlen(cases[i].text)}) ==
                cases[i].match,
            "%s %s", cases[i].pattern, cases[i].text);
}
END_TEST

/* Without its layout every packed text is its file. */
START_TEST(texts_are_the_files) {
    glob_t files;
    char *texts = methods_unpack(&methods_packed);
    const char *text = texts;
    ck_assert_ptr_nonnull(texts);
    ck_assert_int_eq(glob("proto/methods/*.json", 0, NULL, &files), 0);
    ck_assert_uint_eq(files.gl_pathc, methods_packed.files);
    for (size_t i = 0; i < files.gl_pathc; i++, text += strlen(text) + 1) {
        json_t *packed = json_loads(text, 0, NULL),
               *file = json_load_file(files.gl_pathv[i], 0, NULL);
        ck_assert_msg(packed && json_equal(packed, file), "%s", files.gl_pathv[i]);
        json_decref(packed);
        json_decref(file);
    }
    ck_assert_ptr_eq(text, texts + methods_packed.text_bytes);
    globfree(&files);
    free(texts);
}
END_TEST

START_TEST(unpacking) {
    static const struct {
        const char *bytes;
        size_t n, text_bytes;
        const char *text; /* NULL: refused */
    } cases[] = {
        {"\1a", 3, 2, "a"},                 /* with its NUL */
        {"\0a\x80\1\0\0\0", 7, 6, "aaaaa"}, /* a copy of what it writes itself */
        {"\1a", 3, 3, NULL},                /* less than was said */
        {"\1a", 3, 1, NULL},
        {"\2a", 3, 3, NULL}, /* the bytes end */
        {"\0a\x80\1", 4, 5, NULL},
        {"\0a\x80\2\0\0\0", 7, 6, NULL}, /* from before the text */
        {"\0a\x80\0\0\0\0", 7, 6, NULL},
        {"\0a\x81\1\0\0\0", 7, 5, NULL}, /* past its end */
        {"\0a", 2, 1, NULL},             /* no NUL */
        {"", 0, 0, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t *exact = malloc(cases[i].n ? cases[i].n : 1); /* so that sanitizers see the end */
        memcpy(exact, cases[i].bytes, cases[i].n);
        struct methods_packed packed = {1, cases[i].text_bytes, cases[i].n, exact};
        char *text = methods_unpack(&packed);
        ck_assert_msg(!text == !cases[i].text, "case %zu", i);
        if (text) ck_assert_str_eq(text, cases[i].text);
        free(text);
        free(exact);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("methods");
    TCase *tests = tcase_create("methods");
    tcase_add_test(tests, schemas_are_known);
    tcase_add_test(tests, unknown_keywords_are_found);
    tcase_add_test(tests, names);
    tcase_add_test(tests, examples);
    tcase_add_test(tests, wrong_results_are_found);
    tcase_add_test(tests, notifications);
    tcase_add_test(tests, error_table);
    tcase_add_test(tests, discovery);
    tcase_add_test(tests, patterns);
    tcase_add_test(tests, texts_are_the_files);
    tcase_add_test(tests, unpacking);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
