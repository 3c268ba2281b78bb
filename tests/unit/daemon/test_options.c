#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/options.h"

static struct options options;
static struct error error;

static bool parse(const char *flags) {
    static char text[512];
    char *argv[32] = {(char *)"plmd"};
    int argc = 1;
    snprintf(text, sizeof text, "%s", flags);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) argv[argc++] = word;
    error = (struct error){0};
    return options_parse(&options, argc, argv, &error);
}

START_TEST(defaults) {
    ck_assert(parse("--model m.gguf"));
    ck_assert_str_eq(options.models[0].path, "m.gguf");
    ck_assert_str_eq(options.models[0].alias, "m");
    ck_assert_ptr_null(options.socket_path);
    ck_assert_uint_eq(options.max_line, 4 << 20);
    ck_assert_uint_eq(options.drain_seconds, 30);
    ck_assert_uint_eq(options.engine.threads, 0);
}
END_TEST

START_TEST(everything) {
    ck_assert(parse("--model=a=b=c --socket /s --socket-group g --threads 3 --ctx=2048 "
                    "--kv-bytes 64M --max-active 2 --max-line 1K --isa scalar --drain-timeout 0 "
                    "--log-level debug"));
    ck_assert_str_eq(options.models[0].alias, "a");
    ck_assert_str_eq(options.models[0].path, "b=c");
    ck_assert_str_eq(options.socket_path, "/s");
    ck_assert_str_eq(options.socket_group, "g");
    ck_assert_uint_eq(options.engine.threads, 3);
    ck_assert_uint_eq(options.engine.n_ctx, 2048);
    ck_assert_uint_eq(options.engine.kv_bytes, 64 << 20);
    ck_assert_uint_eq(options.engine.max_active, 2);
    ck_assert_uint_eq(options.max_line, 1024);
    ck_assert_str_eq(options.engine.isa_name, "scalar");
    ck_assert_uint_eq(options.drain_seconds, 0);
    ck_assert_int_eq(options.log_level, LOG_LEVEL_DEBUG);
}
END_TEST

START_TEST(models) {
    ck_assert(parse("--model /dir=x/m.v1.gguf"));
    ck_assert_str_eq(options.models[0].alias, "m.v1");
    ck_assert_str_eq(options.models[0].path, "/dir=x/m.v1.gguf");
    ck_assert(parse("--model a=/x --model y"));
    ck_assert_uint_eq(options.n_models, 2);
    ck_assert_str_eq(options.models[0].alias, "a");
    ck_assert_str_eq(options.models[1].alias, "y");
    ck_assert_str_eq(options.models[1].path, "y");
    ck_assert(!parse("--model a=/x --model a=/y"));
    ck_assert(!parse("--model /x/a.gguf --model /y/a.gguf"));
    ck_assert(!parse("--model =x"));
    ck_assert(!parse("--model a="));
}
END_TEST

START_TEST(wrong) {
    static const char *const flags[] = {
        "",
        "--model",
        "--model m extra",
        "--model m --threads 0",
        "--model m --threads -1",
        "--model m --threads 1x",
        "--model m --threads 99999999999999999999",
        "--model m --kv-bytes 1",
        "--model m --kv-bytes 99999999999999G",
        "--model m --kv-bytes G",
        "--model m --max-line 0",
        "--model m --log-level x",
        "--model m --socketx y",
    };
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        ck_assert_msg(!parse(flags[i]), "%s", flags[i]);
        ck_assert_int_eq(error.code, ERROR_INVALID_PARAMS);
        ck_assert_msg(strlen(error.message) > 0, "%s", flags[i]);
    }
}
END_TEST

START_TEST(environment) {
    setenv("PLMD_MODEL", "e=env.gguf", 1);
    setenv("PLMD_THREADS", "5", 1);
    ck_assert(parse(""));
    ck_assert_str_eq(options.models[0].path, "env.gguf");
    ck_assert_uint_eq(options.engine.threads, 5);
    ck_assert(parse("--threads 6 --model flag.gguf"));
    ck_assert_str_eq(options.models[0].path, "flag.gguf");
    ck_assert_ptr_null(options.engine.alias);
    ck_assert_uint_eq(options.engine.threads, 6);
    setenv("PLMD_THREADS", "many", 1);
    ck_assert(!parse("--threads 6"));
    ck_assert(parse("--help"));
    ck_assert(options.help);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("options");
    TCase *cases = tcase_create("options");
    tcase_add_test(cases, defaults);
    tcase_add_test(cases, everything);
    tcase_add_test(cases, models);
    tcase_add_test(cases, wrong);
    tcase_add_test(cases, environment);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
