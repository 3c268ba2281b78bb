/* bench_grammars: what a request costs before anything is computed, with its grammar new and kept.
 *
 *     bench_grammars MODEL TOOLS FILE.jsonl ...
 *
 * Prepares a request with so many tools (of different names, lines of the files) and a short
 * prompt, first with nothing kept, then again; then lets the model answer it, first and again.
 * Medians of ROUNDS, each with an engine of its own; preparing in milliseconds of thread time,
 * answers in milliseconds of the clock, one thread.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/engine.h"
#include "engine/json.h"

enum { ROUNDS = 7, MOST = 1000 };

struct bench {
    struct tool tools[MOST];
    size_t n, most;
};

static double now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *list) {
    qsort(list, ROUNDS, sizeof *list, ascending);
    return list[ROUNDS / 2];
}

/* Lines stay in memory to the end. */
static void add_tool(struct bench *bench, const char *line, size_t len) {
    struct error error = {0};
    struct json_doc *doc = json_parse(line, len, 256, &error);
    const struct json *name = doc ? json_get(json_root(doc), "name") : NULL;
    const struct json *schema = doc ? json_get(json_root(doc), "parameters") : NULL;
    if (!name || !schema || memmem(schema->raw, schema->raw_len, "$ref", 4)) return;
    for (size_t i = 0; i < bench->n; i++)
        if (bench->tools[i].name.len == name->len &&
            memcmp(bench->tools[i].name.bytes, name->text, name->len) == 0)
            return;
    bench->tools[bench->n++] =
        (struct tool){.name = {name->text, name->len}, .schema = {schema->raw, schema->raw_len}};
}

static void read_tools(struct bench *bench, const char *path) {
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    while (file && bench->n < bench->most && (len = getline(&line, &cap, file)) > 0) {
        add_tool(bench, line, (size_t)len);
        line = NULL;
        cap = 0;
    }
    if (file) fclose(file);
}

static void no_done(void *user) {
    (void)user;
}

/* Milliseconds to prepare; *answer: to answer. */
static double run(struct engine *engine, const struct generation_spec *spec, double *answer) {
    static const struct generation_events events = {NULL, NULL, no_done};
    struct error error = {0};
    double begin = now(CLOCK_THREAD_CPUTIME_ID);
    struct generation *g = generation_new(engine, spec, &events, NULL, &error);
    double took = now(CLOCK_THREAD_CPUTIME_ID) - begin;
    if (!g) {
        fprintf(stderr, "%s: %s\n", error.path, error.message);
        exit(1);
    }
    begin = now(CLOCK_MONOTONIC);
    engine_submit(engine, g);
    while (engine_step(engine)) {
    }
    *answer = now(CLOCK_MONOTONIC) - begin;
    generation_free(g);
    return took;
}

int main(int argc, char **argv) {
    static struct bench bench;
    double first[ROUNDS], again[ROUNDS], answer[ROUNDS], repeated[ROUNDS];
    struct error error = {0};
    struct engine_stats stats = {0};
    bench.most = argc > 3 ? strtoul(argv[2], NULL, 10) : 0;
    if (bench.most < 1 || bench.most > MOST) {
        fprintf(stderr, "bench_grammars MODEL TOOLS FILE.jsonl ...\n");
        return 2;
    }
    for (int i = 3; i < argc; i++) read_tools(&bench, argv[i]);
    const struct engine_settings settings = {.model_path = argv[1], .threads = 1};
    const struct generation_spec spec = {
        .source = PROMPT_TEXT,
        .text = {"Which files are there?", 22},
        .tools = bench.tools,
        .n_tools = bench.n,
        .max_calls = 1,
        .max_tokens = 64,
        .sampling = {.top_p = 1, .typical_p = 1, .repeat_penalty = 1}};
    for (int i = 0; i < ROUNDS; i++) {
        struct engine *engine = engine_new(&settings, &error);
        if (!engine) return fprintf(stderr, "%s\n", error.message), 1;
        first[i] = run(engine, &spec, &answer[i]);
        again[i] = run(engine, &spec, &repeated[i]);
        engine_stats(engine, &stats);
        engine_free(engine);
    }
    printf("%zu tools: prepared in %.3f ms, again in %.3f; answered in %.1f ms, again in %.1f; "
           "%" PRIu64 " bytes kept\n",
           bench.n, median(first), median(again), median(answer), median(repeated),
           stats.grammar_bytes);
    return 0;
}
