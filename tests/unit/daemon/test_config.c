/* plmd.conf: what is refused and where, and who wins. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/config.h"
#include "daemon/options.h"
#include "tests/support.h"

static char folder[64], path[128];
static struct options options;
static struct buf problems;

static void begin(void) {
    snprintf(folder, sizeof folder, "/tmp/plmd-config-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/plmd.conf", folder);
}

static void end(void) {
    options_clear(&options);
    buf_free(&problems);
    unlink(path);
    rmdir(folder);
}

static void write_bytes(const char *bytes, size_t n) {
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, n, file), n);
    ck_assert_int_eq(fclose(file), 0);
}

static bool parse_with(const char *flag, const char *more) {
    static char *argv[5];
    argv[0] = (char *)"plmd", argv[1] = (char *)"--config", argv[2] = path;
    argv[3] = (char *)flag, argv[4] = (char *)more;
    options_clear(&options);
    buf_free(&problems);
    return options_parse(&options, more ? 5 : flag ? 4 : 3, argv, &problems);
}

static bool parse_file(const char *text) {
    write_bytes(text, strlen(text));
    return parse_with(NULL, NULL);
}

/* The problems, each with FILE for the file's path. */
static const char *told(void) {
    static char text[8192];
    size_t used = 0;
    for (const char *at = problems.bytes; at && *at;) {
        const char *found = strncmp(at, path, strlen(path)) == 0 ? "FILE" : "";
        at += *found ? strlen(path) : 0;
        size_t n = strcspn(at, "\n");
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.*s\n", found, (int)n, at);
        at += n + 1;
    }
    text[used] = '\0';
    return text;
}

/* ---- what is read ---- */

START_TEST(good) {
    ck_assert_msg(parse_file("# a comment\r\n"
                             "; another\n"
                             "[models]\r\n"
                             "first=/m/one.gguf\r\n"
                             "  second model = /m/two = 2.gguf ; and why\n"
                             "\n"
                             "[limits] # of all\n"
                             "max-line\t=\t64K\n"
                             "\tmax-in-flight = 3\n"
                             "[server]\n"
                             "log-prompts = yes\n"
                             "socket = /a;b#c\n"
                             "[limits]\n"
                             "max-queue-jobs = 9"),
                  "%s", told());
    ck_assert_uint_eq(options.n_models, 2);
    ck_assert_str_eq(options.models[0].alias, "first");
    ck_assert_str_eq(options.models[0].path, "/m/one.gguf");
    ck_assert_str_eq(options.models[1].alias, "second model");
    ck_assert_str_eq(options.models[1].path, "/m/two = 2.gguf");
    ck_assert_uint_eq(options.max_line, 65536);
    ck_assert_uint_eq(options.max_in_flight, 3);
    ck_assert_uint_eq(options.max_queue_jobs, 9);
    ck_assert(options.log_prompts);
    ck_assert_str_eq(options.socket_path, "/a;b#c");
}
END_TEST

START_TEST(byte_order_mark) {
    ck_assert_msg(parse_file("\xef\xbb\xbf[models]\r\na = /x\r\n"), "%s", told());
    ck_assert_str_eq(options.models[0].path, "/x");
}
END_TEST

/* ---- what is refused ---- */

#define LONG50  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define LONG200 LONG50 LONG50 LONG50 LONG50
#define MODEL   "[models]\na = /x\n"

START_TEST(refused) {
    static const struct {
        const char *text, *told;
    } cases[] = {
        {"[models]\n", "no model: give --model PATH or a line in [models]\n"},
        {MODEL "[limit]\nmax-line = 1M\nnonsense\n", "FILE:3: unknown section [limit]\n"},
        {MODEL "[]\n", "FILE:3: expected a [section]\n"},
        {MODEL "[engine\nthreads = 1\n", "FILE:3: expected a [section]\n"},
        {MODEL "[engine] threads = 1\n", "FILE:3: expected a [section]\n"},
        {MODEL "[eng ine]\n", "FILE:3: expected a [section]\n"},
        {MODEL "[" LONG50 "]\n", "FILE:3: expected a [section]\n"},
        {MODEL "[" LONG200 "]\n", "FILE:3: expected a [section]\n"},
        {"threads = 1\n" MODEL, "FILE:1: 'threads' stands before any [section]\n"},
        {MODEL "[engine]\nthread = 1\n", "FILE:4: unknown key 'thread' in [engine]\n"},
        {MODEL "[engine]\nThreads = 1\n", "FILE:4: unknown key 'Threads' in [engine]\n"},
        {MODEL "[engine]\nhelp = yes\n", "FILE:4: unknown key 'help' in [engine]\n"},
        {MODEL "[engine]\nmodel = /x\n", "FILE:4: unknown key 'model' in [engine]\n"},
        {MODEL "[server]\nconfig = /x\n", "FILE:4: unknown key 'config' in [server]\n"},
        {MODEL "[engine]\nmax-line = 1M\n", "FILE:4: 'max-line' belongs in [limits]\n"},
        {MODEL "[engine]\nthreads = 1\nctx = 99\nthreads = 2\n",
         "FILE:6: threads: set already in line 4\n"},
        {MODEL "[engine]\nthreads = 1\n[engine]\nthreads = 1\n",
         "FILE:6: threads: set already in line 4\n"},
        {MODEL "[engine]\nthreads = none\n",
         "FILE:4: threads: 'none' is not a number from 1 to 256\n"},
        {MODEL "[engine]\nthreads =\n", "FILE:4: threads: '' is not a number from 1 to 256\n"},
        {MODEL "[engine]\nthreads = 2 # two\n",
         "FILE:4: threads: '2 # two' is not a number from 1 to 256\n"},
        {MODEL "[engine]\nthreads = \"2\"\n",
         "FILE:4: threads: '\"2\"' is not a number from 1 to 256\n"},
        {MODEL "[engine]\nthreads\n", "FILE:4: expected KEY = VALUE\n"},
        {MODEL "[engine]\n= 1\n", "FILE:4: expected KEY = VALUE\n"},
        {MODEL "[engine]\nthreads: 1\n", "FILE:4: expected KEY = VALUE\n"},
        {MODEL "[engine]\nthreads ; = 1\n", "FILE:4: expected KEY = VALUE\n"},
        {MODEL "[engine]\nthreads = 1\n  2\n", "FILE:5: expected KEY = VALUE\n"},
        {MODEL "b = " LONG200 "\n[engine]\nctx = 1\n",
         "FILE:3: the line is too long\n"
         "FILE:5: ctx: '1' is not a number from 16 to 1073741824\n"},
        {MODEL "# " LONG200 "\n" LONG200 "\n", "FILE:4: the line is too long\n"},
        {MODEL "a = /y\n", "FILE:3: the alias 'a' is there already\n"},
        {MODEL "b =\n", "FILE:3: 'b' has no path\n"},
        {MODEL LONG50 LONG50 " = /x\n", "FILE:3: the alias is longer than 64 bytes\n"},
        {MODEL "[engine]\nisa = \x1b[31mred\n",
         "FILE:4: isa: '?[31mred' is not one of scalar|avx2|avx512\n"},
        {MODEL "[server]\nlog-level = Info\nlog-prompts = 1\ndrain-timeout = 90000\n",
         "FILE:4: log-level: 'Info' is not one of error|warn|info|debug\n"
         "FILE:5: log-prompts: '1' is not yes or no\n"
         "FILE:6: drain-timeout: '90000' is not a number from 0 to 86400\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_msg(!parse_file(cases[i].text), "%s", cases[i].text);
        ck_assert_str_eq(told(), cases[i].told);
    }
}
END_TEST

START_TEST(nul_byte) {
    static const char text[] = MODEL "[engine]\nthreads = 1\0 2\n";
    write_bytes(text, sizeof text - 1);
    ck_assert(!parse_with(NULL, NULL));
    ck_assert_str_eq(told(), "FILE:4: holds a NUL byte\n");
}
END_TEST

/* Lines up to the limit are whole, longer ones refused: nothing in between is cut. */
START_TEST(line_lengths) {
    unsigned n_good = 0;
    for (size_t n = 180; n < 420; n++) {
        char text[1100] = "[models]\na = /";
        memset(text + strlen(text), 'x', n - 5);
        if (parse_file(text)) {
            n_good++;
            ck_assert_uint_eq(strlen(options.models[0].path), n - 4);
        } else {
            ck_assert_str_eq(told(), "FILE:2: the line is too long\n");
        }
    }
    ck_assert_uint_eq(n_good, 196 - 180 + 1);
}
END_TEST

START_TEST(many_problems) {
    struct buf text = {0};
    buf_add_str(&text, "[engine]\n");
    for (int i = 0; i < 1000; i++) buf_add_str(&text, "x = 1\n");
    write_bytes(text.bytes, text.len);
    ck_assert(!parse_with(NULL, NULL));
    unsigned lines = 0;
    for (const char *c = problems.bytes; *c; c++) lines += *c == '\n';
    ck_assert_uint_eq(lines, 51);
    ck_assert_ptr_nonnull(strstr(problems.bytes, "... and 950 more\n"));
    buf_free(&text);
}
END_TEST

START_TEST(not_a_file) {
    ck_assert(!parse_with(NULL, NULL));
    ck_assert_str_eq(told(), "FILE: No such file or directory\n");
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert(!parse_with("--model", "m"));
    ck_assert_str_eq(told(), "FILE: Is a directory\n");
    rmdir(path);
    struct buf text = {0};
    for (int i = 0; i < 1 << 17; i++) buf_add_str(&text, "# comment\n");
    write_bytes(text.bytes, text.len);
    ck_assert(!parse_with("--model", "m"));
    ck_assert_str_eq(told(), "FILE: File too large\n");
    buf_free(&text);
}
END_TEST

/* Bytes of any kind give problems or options, nothing else. */
START_TEST(noise) {
    static const char alphabet[] = "[]=:;# \n\nengithrdsmolax12\t\r\xff";
    unsigned seed = 1;
    for (int i = 0; i < 400; i++) {
        char text[400];
        size_t n = (seed = seed * 1103515245 + 12345) >> 16 & 255;
        int begun = snprintf(text, sizeof text, "[models]\na = x\n%s", i % 2 ? "[engine]\n" : "");
        for (size_t k = 0; k < n; k++) {
            seed = seed * 1103515245 + 12345;
            text[(size_t)begun + k] = alphabet[(seed >> 16) % sizeof alphabet];
        }
        write_bytes(text, (size_t)begun + n);
        ck_assert_int_eq(parse_with(NULL, NULL), problems.len == 0);
    }
}
END_TEST

/* ---- who wins ---- */

START_TEST(precedence) {
    const char *text = "[models]\na = /a\nb = /b\n[engine]\nthreads = 2\nctx = 100\n";
    ck_assert(parse_file(text));
    ck_assert_uint_eq(options.n_models, 2);
    ck_assert_uint_eq(options.engine.threads, 2);
    setenv("PLMD_THREADS", "3", 1);
    setenv("PLMD_MODEL", "c=/c", 1);
    ck_assert(parse_file(text));
    ck_assert_uint_eq(options.engine.threads, 3);
    ck_assert_uint_eq(options.engine.n_ctx, 100);
    ck_assert_uint_eq(options.n_models, 1);
    ck_assert_str_eq(options.models[0].alias, "c");
    ck_assert(parse_with("--threads", "4"));
    ck_assert_uint_eq(options.engine.threads, 4);
    ck_assert(parse_with("--model", "/d"));
    ck_assert_uint_eq(options.n_models, 1);
    ck_assert_str_eq(options.models[0].path, "/d");
    unsetenv("PLMD_THREADS"), unsetenv("PLMD_MODEL");
}
END_TEST

START_TEST(file_from_environment) {
    char *argv[] = {(char *)"plmd", NULL};
    write_bytes("[models]\na = /a\n", 16);
    setenv("PLMD_CONFIG", path, 1);
    ck_assert(options_parse(&options, 1, argv, &problems));
    ck_assert_str_eq(options.file, path);
    unsetenv("PLMD_CONFIG");
}
END_TEST

START_TEST(default_path) {
    char found[128], small[8];
    if (geteuid() == 0) {
        ck_assert(config_default_path(found, sizeof found));
        ck_assert_str_eq(found, "/etc/plm/plmd.conf");
        return;
    }
    setenv("XDG_CONFIG_HOME", "/x", 1);
    setenv("HOME", "/h", 1);
    ck_assert(config_default_path(found, sizeof found));
    ck_assert_str_eq(found, "/x/plm/plmd.conf");
    ck_assert(!config_default_path(small, sizeof small));
    setenv("XDG_CONFIG_HOME", "relative", 1);
    ck_assert(config_default_path(found, sizeof found));
    ck_assert_str_eq(found, "/h/.config/plm/plmd.conf");
    unsetenv("HOME");
    ck_assert(!config_default_path(found, sizeof found));
}
END_TEST

/* ---- writing ---- */

START_TEST(round_trip) {
    ck_assert(parse_file("[models]\nfirst = /a b\nsecond = ./c;d\n[engine]\nthreads = 2\n"
                         "[server]\nlog-level = debug\n[limits]\nmax-line = 12345\n"));
    struct buf once = {0};
    options_print(&options, &once);
    ck_assert_ptr_nonnull(strstr(once.bytes, "/plmd.conf:5\nthreads = 2\n"));
    ck_assert_ptr_nonnull(strstr(once.bytes, "# origin: default\nmax-in-flight = 64\n"));
    ck_assert_ptr_nonnull(strstr(once.bytes, "\nmax-line = 12345\n"));
    write_bytes(once.bytes, once.len);
    ck_assert_msg(parse_with(NULL, NULL), "%s", told());
    ck_assert_uint_eq(options.n_models, 2);
    ck_assert_str_eq(options.models[1].path, "./c;d");
    ck_assert_uint_eq(options.max_line, 12345);
    ck_assert_int_eq(options.log_level, LOG_LEVEL_DEBUG);
    ck_assert_uint_eq(options.engine.n_ctx, 0);
    buf_free(&once);
}
END_TEST

/* config_can_hold is right about what comes back. */
START_TEST(holds) {
    static const char *const texts[] = {"a",   "a b", "a;b",   "a ;b",    ";a", "#a",
                                        "a#",  "[a",  "a:",    "a=b",     " a", "a ",
                                        "a\n", "",    LONG200, "\xc3\xa9"};
    enum { N = sizeof texts / sizeof *texts };
    unsigned n_held = 0;
    for (size_t k = 0; k < N; k++)
        for (size_t v = 0; v < N; v++) {
            if (strlen(texts[k]) > 64) continue;
            char text[600];
            snprintf(text, sizeof text, "[models]\n%s = %s\n", texts[k], texts[v]);
            bool same = parse_file(text) && options.n_models == 1 &&
                        strcmp(options.models[0].alias, texts[k]) == 0 &&
                        strcmp(options.models[0].path, texts[v]) == 0;
            ck_assert_msg(same || !config_can_hold(texts[k], texts[v]), "%s", text);
            n_held += config_can_hold(texts[k], texts[v]);
        }
    ck_assert_uint_gt(n_held, 20);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("config");
    TCase *cases = tcase_create("config");
    tcase_add_checked_fixture(cases, begin, end);
    tcase_add_test(cases, good);
    tcase_add_test(cases, byte_order_mark);
    tcase_add_test(cases, refused);
    tcase_add_test(cases, nul_byte);
    tcase_add_test(cases, line_lengths);
    tcase_add_test(cases, many_problems);
    tcase_add_test(cases, not_a_file);
    tcase_add_test(cases, noise);
    tcase_add_test(cases, precedence);
    tcase_add_test(cases, file_from_environment);
    tcase_add_test(cases, default_path);
    tcase_add_test(cases, round_trip);
    tcase_add_test(cases, holds);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
