#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/options.h"
#include "tests/support.h"

static struct options options;
static struct buf problems;

/* The words of flags; --config keeps this machine's own file out. */
static bool parse(const char *flags) {
    static char text[512];
    static char *argv[64];
    int argc = 0;
    argv[argc++] = (char *)"plmd";
    argv[argc++] = (char *)"--config=/dev/null";
    snprintf(text, sizeof text, "%s", flags);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) argv[argc++] = word;
    options_clear(&options);
    buf_free(&problems);
    return options_parse(&options, argc, argv, &problems);
}

static void forget(void) {
    options_clear(&options);
    buf_free(&problems);
}

START_TEST(defaults) {
    ck_assert(parse("--model m.gguf"));
    ck_assert_uint_eq(options.n_models, 1);
    ck_assert_str_eq(options.models[0].path, "m.gguf");
    ck_assert_str_eq(options.models[0].alias, "m");
    ck_assert_ptr_null(options.socket_path);
    ck_assert_ptr_null(options.socket_group);
    ck_assert_uint_eq(options.drain_seconds, 30);
    ck_assert_int_eq(options.log_level, LOG_LEVEL_INFO);
    ck_assert(!options.log_prompts);
    ck_assert_uint_eq(options.engine.threads, 0);
    ck_assert_uint_eq(options.draft_max, 12);
    ck_assert_ptr_null(options.engine.isa_name);
}
END_TEST

/* As protocol.md has them. */
START_TEST(limits) {
    ck_assert(parse("--model m.gguf"));
    ck_assert_uint_eq(options.max_connections, 1024);
    ck_assert_uint_eq(options.max_connections_per_uid, 256);
    ck_assert_uint_eq(options.max_in_flight, 64);
    ck_assert_uint_eq(options.max_queue_jobs, 256);
    ck_assert_uint_eq(options.max_queue_tokens, 262144);
    ck_assert_uint_eq(options.max_line, 4 << 20);
    ck_assert_uint_eq(options.line_seconds, 60);
    ck_assert_uint_eq(options.max_output, 8 << 20);
    ck_assert_uint_eq(options.stall_output, 1 << 20);
    ck_assert_uint_eq(options.stall_seconds, 10);
}
END_TEST

START_TEST(everything) {
    ck_assert(parse("--model=a=b=c --socket /s --socket-group g --threads 3 --ctx=2048 "
                    "--kv-bytes 64M --grammar-bytes 2M --max-active 2 --max-line 1K --isa scalar --drain-timeout 0 "
                    "--log-level debug --log-prompts --max-queue-jobs=7 --draft-max 0"));
    ck_assert_str_eq(options.models[0].alias, "a");
    ck_assert_str_eq(options.models[0].path, "b=c");
    ck_assert_str_eq(options.socket_path, "/s");
    ck_assert_str_eq(options.socket_group, "g");
    ck_assert_uint_eq(options.engine.threads, 3);
    ck_assert_uint_eq(options.engine.n_ctx, 2048);
    ck_assert_uint_eq(options.engine.kv_bytes, 64 << 20);
    ck_assert_uint_eq(options.engine.grammar_bytes, 2 << 20);
    ck_assert_uint_eq(options.engine.max_active, 2);
    ck_assert_uint_eq(options.max_line, 1024);
    ck_assert_str_eq(options.engine.isa_name, "scalar");
    ck_assert_uint_eq(options.drain_seconds, 0);
    ck_assert_int_eq(options.log_level, LOG_LEVEL_DEBUG);
    ck_assert(options.log_prompts);
    ck_assert_uint_eq(options.max_queue_jobs, 7);
    ck_assert_uint_eq(options.draft_max, 0);
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
}
END_TEST

START_TEST(wrong) {
    static const struct {
        const char *flags, *problems;
    } cases[] = {
        {"", "no model: give --model PATH or a line in [models]\n"},
        {"--model", "--model needs a value\n"},
        {"--model m extra", "unknown argument 'extra' (see plmd --help)\n"},
        {"--model m -x", "unknown argument '-x' (see plmd --help)\n"},
        {"--model m --socketx y", "unknown argument '--socketx' (see plmd --help)\nunknown "
                                  "argument 'y' (see plmd --help)\n"},
        {"--model m --threads 0", "--threads: '0' is not a number from 1 to 256\n"},
        {"--model m --threads -1", "--threads: '-1' is not a number from 1 to 256\n"},
        {"--model m --threads 1x", "--threads: '1x' is not a number from 1 to 256\n"},
        {"--model m --threads=", "--threads: '' is not a number from 1 to 256\n"},
        {"--model m --threads 99999999999999999999",
         "--threads: '99999999999999999999' is not a number from 1 to 256\n"},
        {"--model m --kv-bytes 1", "--kv-bytes: '1' is not a size from 1M to 65536G\n"},
        {"--model m --kv-bytes 99999999999999G",
         "--kv-bytes: '99999999999999G' is not a size from 1M to 65536G\n"},
        {"--model m --kv-bytes G", "--kv-bytes: 'G' is not a size from 1M to 65536G\n"},
        {"--model m --max-line 0", "--max-line: '0' is not a size from 1K to 1G\n"},
        {"--model m --log-level x", "--log-level: 'x' is not one of error|warn|info|debug\n"},
        {"--model m --isa avx", "--isa: 'avx' is not one of scalar|avx2|avx512\n"},
        {"--model m --isa scalar|avx2", "--isa: 'scalar|avx2' is not one of scalar|avx2|avx512\n"},
        {"--model m --log-prompts=perhaps", "--log-prompts: 'perhaps' is not yes or no\n"},
        {"--model m --socket=", "--socket: '' is not some text\n"},
        {"--model a=/x --model a=/y", "--model: the alias 'a' is there already\n"},
        {"--model /x/a.gguf --model /y/a.gguf", "--model: the alias 'a' is there already\n"},
        {"--model =x", "--model: '=x' is not [ALIAS=]PATH with an alias of at most 64 bytes\n"},
        {"--model a=", "--model: 'a=' is not [ALIAS=]PATH with an alias of at most 64 bytes\n"},
        {"--threads 0 --ctx 1", "--threads: '0' is not a number from 1 to 256\n"
                                "--ctx: '1' is not a number from 16 to 1073741824\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_msg(!parse(cases[i].flags), "%s", cases[i].flags);
        ck_assert_str_eq(problems.bytes, cases[i].problems);
    }
}
END_TEST

START_TEST(too_many_models) {
    char flags[512] = "";
    for (int i = 0; i < OPTIONS_MODELS; i++)
        snprintf(flags + strlen(flags), sizeof flags - strlen(flags), "--model a%d=x ", i);
    ck_assert(parse(flags));
    ck_assert_uint_eq(options.n_models, OPTIONS_MODELS);
    snprintf(flags + strlen(flags), sizeof flags - strlen(flags), "--model more");
    ck_assert(!parse(flags));
    ck_assert_str_eq(problems.bytes, "--model: more than 16 models\n");
}
END_TEST

START_TEST(environment) {
    setenv("PLMD_MODEL", "e=env.gguf", 1);
    setenv("PLMD_THREADS", "5", 1);
    setenv("PLMD_CTX", "", 1);
    ck_assert(parse(""));
    ck_assert_str_eq(options.models[0].path, "env.gguf");
    ck_assert_uint_eq(options.engine.threads, 5);
    ck_assert(parse("--threads 6 --model flag.gguf"));
    ck_assert_uint_eq(options.n_models, 1);
    ck_assert_str_eq(options.models[0].path, "flag.gguf");
    ck_assert_uint_eq(options.engine.threads, 6);
    setenv("PLMD_THREADS", "many", 1);
    ck_assert(!parse("--threads 6"));
    ck_assert_str_eq(problems.bytes, "$PLMD_THREADS: 'many' is not a number from 1 to 256\n");
    ck_assert(parse("--help"));
    ck_assert(options.help);
    unsetenv("PLMD_MODEL"), unsetenv("PLMD_THREADS"), unsetenv("PLMD_CTX");
}
END_TEST

/* Every row has a line in --help, and its default is what its own parser takes. */
START_TEST(table) {
    struct buf help = {0};
    options_help(&help);
    ck_assert(parse("--model m"));
    for (const struct option *option = option_table; option->name; option++) {
        char flag[64];
        struct buf value = {0};
        snprintf(flag, sizeof flag, "\n  --%s ", option->name);
        ck_assert_msg(strstr(help.bytes, flag), "%s", flag);
        ck_assert_ptr_eq(option_find(option->name, strlen(option->name)), option);
        ck_assert_uint_lt(strlen(option->name) + 6, OPTION_VARIABLE);
        option_format(option, &options, &value);
        if (value.len && option->section)
            ck_assert_msg(option_parse(option, &options, value.bytes), "%s", option->name);
        forget();
        ck_assert(parse("--model m"));
        buf_free(&value);
    }
    buf_free(&help);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("options");
    TCase *cases = tcase_create("options");
    tcase_add_checked_fixture(cases, NULL, forget);
    tcase_add_test(cases, defaults);
    tcase_add_test(cases, limits);
    tcase_add_test(cases, everything);
    tcase_add_test(cases, models);
    tcase_add_test(cases, wrong);
    tcase_add_test(cases, too_many_models);
    tcase_add_test(cases, environment);
    tcase_add_test(cases, table);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
