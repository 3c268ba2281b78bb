/* support: where tests find their data, and how a suite is run. Header-only, tests only. */
#ifndef TESTS_SUPPORT_H
#define TESTS_SUPPORT_H

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A path below ../shared (or $PLM_SHARED). Static buffers, four of them in turn. */
static inline const char *shared_file(const char *rest) {
    static char paths[4][512];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    const char *base = getenv("PLM_SHARED");
    snprintf(path, sizeof *paths, "%s/%s", base ? base : "../shared", rest);
    return path;
}

static inline const char *model_file(void) {
    const char *path = getenv("PLM_TEST_MODEL");
    return path ? path : "models/SmolLM2-135M-Instruct.Q4_1.gguf";
}

/* True if path can be read; otherwise says visibly that something is skipped. */
static inline bool present(const char *path) {
    if (access(path, R_OK) == 0) return true;
    printf("SKIP: no %s\n", path);
    return false;
}

/* The whole file, NUL-terminated; free() it. NULL if it can't be read. */
static inline char *read_whole(const char *path, size_t *len) {
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    char *bytes = malloc((size_t)size + 1);
    *len = bytes ? fread(bytes, 1, (size_t)size, file) : 0;
    if (bytes) bytes[*len] = '\0';
    fclose(file);
    return bytes;
}

/* A test case of one test, run `loops` times with _i, or once if that is 0. */
static inline void add_test(Suite *suite, const char *name, const TTest *test, int loops) {
    TCase *tests = tcase_create(name);
    tcase_set_timeout(tests, 30);
    if (loops)
        tcase_add_loop_test(tests, test, 0, loops);
    else
        tcase_add_test(tests, test);
    suite_add_tcase(suite, tests);
}

/* Runs a suite and frees it; the exit status for main. */
static inline int run_suite(Suite *suite) {
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}

#endif
