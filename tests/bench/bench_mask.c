/* bench_mask: compile, mask and accept times over the shared schema sources.
 *
 *     bench_mask [VOCAB.gguf [FILE.jsonl ...]]
 *
 * Walks the canonical instances of each schema token by token (longest match over the trie's tokens),
 * computing the full mask before each, as the published comparisons do. Prints percentiles in
 * microseconds of thread time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "engine/grammar.h"
#include "engine/json.h"
#include "engine/json_write.h"
#include "engine/matcher.h"
#include "engine/vocab.h"

struct samples {
    float *list;
    size_t n, cap;
};

struct bench {
    struct vocab *vocab;
    struct trie *trie;
    uint64_t *bits;
    struct samples compile, mask, accept;
    unsigned schemas, compiled, valid, accepted, invalid, wrong;
    double worst;
    char worst_at[160];
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void add(struct samples *samples, double value) {
    if (samples->n == samples->cap) {
        samples->cap = samples->cap ? samples->cap * 2 : 4096;
        samples->list = realloc(samples->list, samples->cap * sizeof *samples->list);
        if (!samples->list) exit(1);
    }
    samples->list[samples->n++] = (float)value;
}

static int ascending(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

static void report(const char *name, struct samples *samples) {
    size_t n = samples->n;
    double sum = 0;
    if (n == 0) return;
    qsort(samples->list, n, sizeof *samples->list, ascending);
    for (size_t i = 0; i < n; i++) sum += (double)samples->list[i];
    printf("%-8s n %8zu  p50 %7.2f  p90 %7.2f  p99 %8.2f  p99.9 %8.2f  max %9.1f  avg %7.2f us\n", name, n,
           (double)samples->list[n / 2], (double)samples->list[n * 9 / 10], (double)samples->list[n * 99 / 100],
           (double)samples->list[n * 999 / 1000], (double)samples->list[n - 1], sum / (double)n);
}

/* The longest allowed token that the text at this point begins with. */
static size_t longest(struct bench *bench, const char *text, size_t len) {
    size_t best = 0;
    for (size_t n = len < 24 ? len : 24; n > best; n--) {
        uint32_t id = vocab_find(bench->vocab, text, n), size;
        if (id == TOKEN_NONE || !(bench->bits[id >> 6] >> (id & 63) & 1)) continue;
        const char *bytes = vocab_bytes(bench->vocab, id, &size);
        if (size == n && memcmp(bytes, text, n) == 0) best = n;
    }
    return best ? best : 1;
}

static bool follow(struct bench *bench, struct grammar *grammar, const char *text, size_t len, const char *name) {
    struct error error = {0};
    struct matcher *matcher = matcher_new(grammar, bench->trie, &error);
    size_t at = 0;
    bool allowed = matcher != NULL;
    while (allowed && at < len) {
        double start = now();
        matcher_mask(matcher, bench->bits);
        double took = now() - start;
        add(&bench->mask, took);
        if (took > bench->worst) {
            bench->worst = took;
            snprintf(bench->worst_at, sizeof bench->worst_at, "%s: %.60s", name, text + (at > 50 ? at - 50 : 0));
        }
        size_t n = longest(bench, text + at, len - at);
        start = now();
        allowed = matcher_accept(matcher, text + at, n);
        add(&bench->accept, now() - start);
        at += n;
    }
    allowed = allowed && matcher_may_end(matcher);
    matcher_free(matcher);
    return allowed;
}

static void run_tests(struct bench *bench, struct grammar *grammar, const struct json *line, const char *name) {
    const struct json *tests = json_get(line, "tests");
    for (uint32_t i = 0; tests && i < tests->len; i++) {
        bool valid = json_get(tests->items[i], "valid")->type == JSON_TRUE;
        struct buf text = {0};
        json_write(&text, json_get(tests->items[i], "data"), true);
        bool allowed = follow(bench, grammar, text.bytes, text.len, name);
        bench->valid += valid;
        bench->invalid += !valid;
        bench->accepted += valid && allowed;
        bench->wrong += !valid && allowed;
        buf_free(&text);
    }
}

static void run_schema(struct bench *bench, const struct json *line) {
    const struct json *schema = json_get(line, "schema"), *id = json_get(line, "id");
    struct error error = {0};
    char name[80];
    if (!schema) schema = json_get(line, "parameters");
    if (!schema) return;
    snprintf(name, sizeof name, "%.*s", id ? (int)id->len : 0, id ? id->text : "");
    const struct grammar_limits limits = {.schema_bytes = 1 << 20};
    double start = now();
    struct grammar *grammar = grammar_from_schema(schema->raw, schema->raw_len, false, true, &limits, &error);
    double took = now() - start;
    bench->schemas++;
    if (!grammar) return;
    add(&bench->compile, took);
    bench->compiled++;
    run_tests(bench, grammar, line, name);
    grammar_unref(grammar);
}

static void run_file(struct bench *bench, const char *path) {
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t cap = 0;
    if (!file) {
        printf("SKIP: no %s\n", path);
        return;
    }
    for (ssize_t n; (n = getline(&text, &cap, file)) > 0;) {
        struct error error = {0};
        struct json_doc *doc = json_parse(text, (size_t)n, 512, &error);
        if (doc) run_schema(bench, json_root(doc));
        json_free(doc);
    }
    free(text);
    fclose(file);
}

static bool load(struct bench *bench, const char *path) {
    struct error error = {0};
    struct gguf *gguf = gguf_open(path, &error);
    bench->vocab = gguf ? vocab_new(gguf, &error) : NULL;
    double start = now();
    bench->trie = bench->vocab ? trie_new(bench->vocab, &error) : NULL;
    double took = now() - start;
    if (!bench->trie) return printf("SKIP: %s: %s\n", path, error.message), false;
    bench->bits = calloc(vocab_size(bench->vocab) / 64 + 1, sizeof *bench->bits);
    printf("%s: %u tokens, trie %.1f ms, %zu KB\n", path, vocab_size(bench->vocab), took / 1e3,
           trie_memory(bench->trie) >> 10);
    return bench->bits;
}

int main(int argc, char **argv) {
    static const char *const files[] = {
        "tools/mcpm", "tools/livemcp", "tools/github_mcp", "tools/openapi_openai", "tools/openapi_slack",
        "jsonschemabench/BFCL", "jsonschemabench/Glaiveai2K", "jsonschemabench/Github_trivial",
        "jsonschemabench/Github_easy", "jsonschemabench/Github_medium", "jsonschemabench/Github_hard",
        "jsonschemabench/Github_ultra", "jsonschemabench/Kubernetes", "jsonschemabench/Snowplow",
        "jsonschemabench/JsonSchemaStore", "jsonschemabench/WashingtonPost"};
    const char *shared = getenv("PLM_SHARED"), *model = getenv("PLM_TEST_MODEL");
    struct bench bench = {0};
    if (!load(&bench, argc > 1 ? argv[1] : model ? model : "models/SmolLM2-135M-Instruct.Q4_1.gguf")) return 0;
    for (int i = 2; i < argc; i++) run_file(&bench, argv[i]);
    for (size_t i = 0; argc <= 2 && i < sizeof files / sizeof *files; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/data/%s.jsonl", shared ? shared : "../shared", files[i]);
        run_file(&bench, path);
    }
    printf("schemas %u, compiled %u (%.1f %%); valid accepted %u of %u; invalid accepted %u of %u\n", bench.schemas,
           bench.compiled, 100.0 * bench.compiled / (bench.schemas ? bench.schemas : 1), bench.accepted, bench.valid,
           bench.wrong, bench.invalid);
    report("compile", &bench.compile);
    report("mask", &bench.mask);
    report("accept", &bench.accept);
    printf("worst mask %.0f us at %s\n", bench.worst, bench.worst_at);
    return 0;
}
