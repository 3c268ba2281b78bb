/* validate against the official JSON-Schema-Test-Suite, JSONSchemaBench and real tools' schemas, as
 * far as they lie in ../shared/data: no verdict may be wrong. Schemas refused by name (1004) and
 * malformed ones are counted, and how many there may be is stated. */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/validate.h"
#include "tests/support.h"

#define ALL_FORMATS VALIDATE_ALL_FORMATS

/* Groups of which some tests ask for more than is promised. */
static const struct {
    const char *id, *why;
} excluded[] = {
    {"draft2020-12/optional/format/hostname.json#1", "A-labels: would need the tables of IDNA"},
    {"draft7/optional/format/hostname.json#1", "A-labels: would need the tables of IDNA"},
    {"draft2020-12/optional/format/idn-hostname.json", "idn-hostname is an annotation"},
    {"draft7/optional/format/idn-hostname.json", "idn-hostname is an annotation"},
};

struct tally {
    int groups, excluded, refused, malformed, right, wrong;
};

static const char *shared_folder(void) {
    const char *folder = getenv("PLM_SHARED");
    return folder ? folder : "../shared";
}

static bool is_excluded(const struct json *id) {
    for (size_t i = 0; i < sizeof excluded / sizeof *excluded; i++) {
        size_t n = strlen(excluded[i].id);
        if (id->len >= n && memcmp(id->text, excluded[i].id, n) == 0) return true;
    }
    return false;
}

static void judge_tests(const struct validator *v, const struct json *id, const struct json *tests,
                        struct tally *tally) {
    for (uint32_t i = 0; tests && i < tests->len; i++) {
        bool wanted = json_get(tests->items[i], "valid")->type == JSON_TRUE;
        struct error error = {0};
        bool valid = validator_check(v, json_get(tests->items[i], "data"), &error);
        if (valid == wanted) {
            tally->right++;
            continue;
        }
        tally->wrong++;
        printf("WRONG %.*s test %u: %s %s %s %s\n", (int)id->len, id->text, i,
               valid ? "accepted" : "rejected", error.path, error.keyword, error.reason);
    }
}

/* The schema text, with a $schema put first if one is wanted and none is there. */
static char *schema_text(const struct json *schema, const char *draft, size_t *len) {
    char *text = malloc(schema->raw_len + 128);
    bool add = draft && schema->type == JSON_OBJECT && !json_get(schema, "$schema");
    *len = 0;
    if (add) *len = (size_t)sprintf(text, "{\"$schema\":\"%s\"%s", draft, schema->len ? "," : "");
    memcpy(text + *len, schema->raw + add, schema->raw_len - add);
    *len += schema->raw_len - add;
    return text;
}

static void judge_group(const struct json *group, unsigned flags, const char *draft,
                        struct tally *tally) {
    const struct json *id = json_get(group, "id"), *schema = json_get(group, "schema");
    if (!schema) schema = json_get(group, "parameters");
    if (!schema || !id) return;
    tally->groups++;
    if (is_excluded(id)) {
        tally->excluded++;
        return;
    }
    size_t len;
    char *text = schema_text(schema, draft, &len);
    struct error error = {0};
    struct json_doc *doc = json_parse(text, len, 512, &error);
    ck_assert_ptr_nonnull(doc);
    if (memmem(id->text, id->len, "optional/format/", 16)) flags |= ALL_FORMATS;
    struct validator *v = validator_new(json_root(doc), flags, &error);
    if (v) {
        judge_tests(v, id, json_get(group, "tests"), tally);
    } else {
        ck_assert(error.code == ERROR_SCHEMA_UNSUPPORTED || error.code == ERROR_INVALID_PARAMS);
        tally->refused += error.code == ERROR_SCHEMA_UNSUPPORTED;
        tally->malformed += error.code == ERROR_INVALID_PARAMS;
    }
    validator_free(v);
    json_free(doc);
    free(text);
}

static void judge_file(const char *path, unsigned flags, const char *draft, struct tally *tally) {
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    while (file && (n = getline(&line, &cap, file)) > 0) {
        struct error error = {0};
        struct json_doc *doc = json_parse(line, (size_t)n, 512, &error);
        ck_assert_msg(doc != NULL, "%s: %s", path, error.message);
        judge_group(json_root(doc), flags, draft, tally);
        json_free(doc);
    }
    free(line);
    if (file) fclose(file);
}

static void report(const char *name, const struct tally *t) {
    if (t->groups == 0) {
        printf("SKIP: %s: no data in %s\n", name, shared_folder());
        return;
    }
    printf("%s: %d groups, %d excluded by name, %d refused, %d malformed; %d right, %d wrong\n",
           name, t->groups, t->excluded, t->refused, t->malformed, t->right, t->wrong);
    fflush(stdout);
    ck_assert_int_eq(t->wrong, 0);
}

static struct tally judge_suite(const char *name, const char *draft) {
    char path[4096];
    struct tally tally = {0};
    snprintf(path, sizeof path, "%s/data/json-schema-test-suite/%s.jsonl", shared_folder(), name);
    judge_file(path, 0, draft, &tally);
    report(name, &tally);
    return tally;
}

START_TEST(official_suites) {
    struct tally latest = judge_suite("draft2020-12", NULL);
    struct tally seven = judge_suite("draft7", "http://json-schema.org/draft-07/schema#");
    ck_assert_int_eq(latest.malformed + seven.malformed, 0);
    ck_assert_int_le(latest.refused * 10, latest.groups); /* $dynamicRef, other documents, \p{ } */
    ck_assert_int_le(seven.refused * 20, seven.groups);
}
END_TEST

static struct tally judge_folder(const char *name, unsigned flags) {
    char path[4096];
    struct tally tally = {0};
    snprintf(path, sizeof path, "%s/data/%s", shared_folder(), name);
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        size_t n = strlen(entry->d_name);
        if (n < 6 || strcmp(entry->d_name + n - 6, ".jsonl") != 0) continue;
        snprintf(path, sizeof path, "%s/data/%s/%s", shared_folder(), name, entry->d_name);
        judge_file(path, flags, NULL, &tally);
    }
    if (folder) closedir(folder);
    report(name, &tally);
    return tally;
}

/* Their invalid instances take all formats for constraints. */
START_TEST(benchmark_schemas) {
    struct tally tally = judge_folder("jsonschemabench", ALL_FORMATS);
    ck_assert_int_le(tally.refused + tally.malformed, tally.groups / 1000);
}
END_TEST

START_TEST(tool_schemas) {
    struct tally tally = judge_folder("tools", VALIDATE_FORMATS);
    ck_assert_int_eq(tally.refused, 0);
    ck_assert_int_le(tally.malformed, 3); /* refer to nothing; a type that is no name */
}
END_TEST

static Suite *suite(void) {
    Suite *s = suite_create("validate_suites");
    TCase *t = tcase_create("suites");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, official_suites);
    tcase_add_test(t, benchmark_schemas);
    tcase_add_test(t, tool_schemas);
    suite_add_tcase(s, t);
    return s;
}

int main(void) {
    return run_suite(suite());
}
