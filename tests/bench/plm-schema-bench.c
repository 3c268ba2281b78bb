/* plm-schema-bench: what constrained decoding accepts of known instances, and what it costs.
 *
 *   plm-schema-bench -m MODEL [--style spaced|compact] [--closed] [--verdicts] [--slow US]
 *                    [-o table|json] FILE.jsonl...
 *
 * A line of a file is {"id", "schema", "tests": [{"valid", "data"}]}; "parameters" may stand for
 * "schema", and a line with "tools" and "calls" is one schema a call: the parameters of its tool.
 *
 * Each instance is written in the style and cut into the tokens that the model's own tokenizer
 * gives for that text. Before each token the full mask is made and the token looked up in it; at
 * the end the text must be allowed to end; then the final validator judges it. "valid" is only
 * compared with the outcome. Every schema starts with a fresh grammar: nothing is shared but what
 * the vocabulary precomputes. Times are µs of thread CPU time.
 *
 * "schemas" counts those with tests; the others are compiled too and counted apart ("untested").
 * The instances of schemas that do not compile are neither accepted nor rejected.
 * --verdicts prints one line of JSON a schema ("guarded": true where some values are judged as they
 * close, engine/guard.h); --slow one for each mask that took longer: the schema,
 * how long, and the text that had been written. The last line of output with -o json:
 *     {"all": {"schemas", "compiled", "passing", ..}, "files": {PATH: {..}}}
 * Status 0; 1 if a file cannot be read or a mask contradicts the matcher; 3 for a wrong call.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "engine/engine.h"
#include "engine/grammar.h"
#include "engine/grammar_rules.h"
#include "engine/json.h"
#include "engine/json_write.h"
#include "engine/matcher.h"
#include "engine/tokenizer.h"
#include "engine/validate.h"

enum { NESTING = 512 };

struct options {
    const char *model;
    bool compact, closed, verdicts, json;
    double slow; /* µs; 0: none is told of */
};

struct samples {
    float *us;
    size_t n, cap;
};

/* What was found out, about one file or in all. */
struct tally {
    unsigned schemas, compiled, passing, untested, untested_compiled;
    unsigned valid, valid_accepted, invalid, invalid_rejected, contradictions;
    struct samples compile, mask;
    unsigned false_accepts;
    struct buf false_accept_ids; /* "id", "id", ... of the schemas */
};

struct bench {
    struct options options;
    struct gguf *gguf;
    struct vocab *vocab;
    struct trie *trie;
    uint64_t *bits;
    struct tokens tokens;
    struct tally *tally; /* of the current file */
    struct text id, text;  /* the current schema's, and the instance being followed */
};

/* One schema under test. */
struct subject {
    struct text id;
    const struct json *schema;
    struct grammar *grammar;
    struct validator *validator;
    struct error error; /* why there is no grammar */
    double compile_us;  /* of grammar and validator, or until the refusal */
    bool passes;
    unsigned n_tests, false_accepts;
    struct buf accepted; /* true, false, ... */
    struct buf followed; /* bytes: where an instance that is not accepted went wrong */
};

static _Noreturn void out_of_memory(void) {
    fprintf(stderr, "plm-schema-bench: out of memory\n");
    exit(1);
}

/* ---- times ------------------------------------------------------------------------------ */

static double cpu_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void add_sample(struct samples *samples, double us) {
    if (samples->n == samples->cap) {
        samples->cap = samples->cap ? samples->cap * 2 : 1024;
        samples->us = realloc(samples->us, samples->cap * sizeof *samples->us);
        if (!samples->us) out_of_memory();
    }
    samples->us[samples->n++] = (float)us;
}

static int ascending(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The smallest sample that at least this share (in thousandths) does not exceed. Sorted samples. */
static double percentile(const struct samples *samples, unsigned share) {
    size_t rank = (samples->n * share + 999) / 1000;
    return samples->n ? (double)samples->us[rank ? rank - 1 : 0] : 0;
}

/* ---- one instance ----------------------------------------------------------------------- */

/* After a mask, with so many bytes written before it. */
static void note_time(struct bench *bench, double us, size_t written) {
    struct buf line = {0};
    add_sample(&bench->tally->mask, us);
    if (bench->options.slow == 0 || us <= bench->options.slow) return;
    buf_printf(&line, "{\"mask_us\": %.1f, \"id\": ", us);
    json_write_string(&line, bench->id);
    buf_add_str(&line, ", \"after\": ");
    json_write_string(&line, (struct text){bench->text.bytes, written});
    buf_add_str(&line, "}\n");
    if (line.failed) out_of_memory();
    fputs(line.bytes, stdout);
    buf_free(&line);
}

/* The mask before a token: is the token in it? */
static bool mask_allows(struct bench *bench, struct matcher *matcher, uint32_t id,
                        struct text bytes, size_t written) {
    double start = cpu_us();
    matcher_mask(matcher, bench->bits);
    note_time(bench, cpu_us() - start, written);
    bool allowed = bench->bits[id >> 6] >> (id & 63) & 1;
    bench->tally->contradictions += allowed != matcher_allows(matcher, bytes.bytes, bytes.len);
    return allowed;
}

/* Also counts the bytes that were followed. */
static bool follow(struct bench *bench, struct matcher *matcher, size_t *followed) {
    for (size_t i = 0; i < bench->tokens.len; i++) {
        uint32_t id = bench->tokens.ids[i], len;
        const char *bytes = vocab_bytes(bench->vocab, id, &len);
        if (!mask_allows(bench, matcher, id, (struct text){bytes, len}, *followed)) return false;
        if (!matcher_accept(matcher, bytes, len)) return false;
        *followed += len;
    }
    return matcher_may_end(matcher);
}

static bool judge(const struct subject *subject, struct text text) {
    struct error error = {0};
    struct json_doc *doc = json_parse(text.bytes, text.len, NESTING, &error);
    bool valid = doc && validator_check(subject->validator, json_root(doc), &error);
    json_free(doc);
    return valid;
}

static bool produces(struct bench *bench, const struct subject *subject, struct text text,
                     size_t *followed) {
    struct error error = {0};
    struct matcher *matcher = matcher_new(subject->grammar, bench->trie, &error);
    bench->tokens.len = 0;
    if (!matcher ||
        !tokenize(bench->vocab, &bench->tokens, text.bytes, text.len, TOKENIZE_CONTINUE, &error))
        out_of_memory();
    bench->id = subject->id;
    bench->text = text;
    bool ended = follow(bench, matcher, followed);
    matcher_free(matcher);
    return ended && judge(subject, text);
}

static void run_test(struct bench *bench, struct subject *subject, bool valid,
                     const struct json *data) {
    struct tally *tally = bench->tally;
    struct buf text = {0};
    json_write(&text, data, !bench->options.compact);
    if (text.failed) out_of_memory();
    size_t followed = 0;
    bool accepted = subject->grammar &&
                    produces(bench, subject, (struct text){text.bytes, text.len}, &followed);
    buf_free(&text);
    buf_printf(&subject->followed, "%s%zu", subject->n_tests ? ", " : "", followed);
    buf_printf(&subject->accepted, "%s%s", subject->n_tests++ ? ", " : "",
               accepted ? "true" : "false");
    subject->passes &= accepted == valid;
    if (!subject->grammar) return;
    tally->valid += valid;
    tally->valid_accepted += valid && accepted;
    tally->invalid += !valid;
    tally->invalid_rejected += !valid && !accepted;
    subject->false_accepts += !valid && accepted;
}

/* ---- one schema ------------------------------------------------------------------------- */

/* A schema of which the validator cannot be made is refused as well: nothing could be sent. */
static void compile(struct bench *bench, struct subject *subject) {
    const struct grammar_limits limits = {ENGINE_SCHEMA_BYTES, ENGINE_SCHEMA_DEPTH};
    const struct options *o = &bench->options;
    const struct json *schema = subject->schema;
    double start = cpu_us();
    subject->grammar = grammar_from_schema(schema->raw, schema->raw_len, o->closed, !o->compact,
                                           &limits, &subject->error);
    double took = subject->compile_us = cpu_us() - start;
    if (!subject->grammar) return;
    subject->validator = validator_new(schema, VALIDATE_ALL_FORMATS | (o->closed ? VALIDATE_CLOSED : 0), &subject->error);
    subject->compile_us = cpu_us() - start;
    if (subject->validator) {
        add_sample(&bench->tally->compile, took);
        return;
    }
    grammar_unref(subject->grammar);
    subject->grammar = NULL;
}

static void print_verdict(const struct subject *subject) {
    const struct error *error = &subject->error;
    const struct text path = {error->path, strlen(error->path)},
                      keyword = {error->keyword, strlen(error->keyword)},
                      message = {error->message, strlen(error->message)};
    struct buf line = {0};
    buf_add_str(&line, "{\"id\": ");
    json_write_string(&line, subject->id);
    buf_printf(&line, ", \"compile_us\": %.1f, \"compiled\": %s, \"passes\": %s, \"accepted\": [%s], \"followed\": [%s]",
               subject->compile_us, subject->grammar ? "true" : "false", subject->passes ? "true" : "false",
               subject->n_tests ? subject->accepted.bytes : "",
               subject->n_tests ? subject->followed.bytes : "");
    if (subject->grammar && grammar_rules(subject->grammar)->guarded)
        buf_add_str(&line, ", \"guarded\": true");
    if (!subject->grammar) {
        buf_printf(&line, ", \"code\": %d, \"path\": ", error->code);
        json_write_string(&line, path);
        buf_add_str(&line, ", \"keyword\": ");
        json_write_string(&line, keyword);
        buf_add_str(&line, ", \"message\": ");
        json_write_string(&line, message);
    }
    buf_add_str(&line, "}\n");
    if (line.failed) out_of_memory();
    fputs(line.bytes, stdout);
    buf_free(&line);
}

static void list(struct buf *ids, const char *more, size_t len) {
    if (ids->len) buf_add_str(ids, ", ");
    buf_add(ids, more, len);
}

static void note_false_accepts(struct tally *tally, const struct subject *subject) {
    struct buf id = {0};
    tally->false_accepts += subject->false_accepts;
    if (!subject->false_accepts) return;
    json_write_string(&id, subject->id);
    list(&tally->false_accept_ids, id.bytes, id.len);
    buf_free(&id);
}

static void close_subject(struct bench *bench, struct subject *subject) {
    struct tally *tally = bench->tally;
    bool compiled = subject->grammar != NULL, tested = subject->n_tests > 0;
    subject->passes = compiled && tested && subject->passes;
    tally->schemas += tested;
    tally->compiled += tested && compiled;
    tally->passing += subject->passes;
    tally->untested += !tested;
    tally->untested_compiled += !tested && compiled;
    note_false_accepts(tally, subject);
    if (bench->options.verdicts) print_verdict(subject);
    validator_free(subject->validator);
    grammar_unref(subject->grammar);
    buf_free(&subject->accepted);
    buf_free(&subject->followed);
}

static struct text string_of(const struct json *value) {
    return value && value->type == JSON_STRING ? (struct text){value->text, value->len}
                                               : (struct text){"", 0};
}

static void run_schema(struct bench *bench, const struct json *line, const struct json *schema) {
    const struct json *tests = json_get(line, "tests");
    struct subject subject = {
        .id = string_of(json_get(line, "id")), .schema = schema, .passes = true};
    compile(bench, &subject);
    for (uint32_t i = 0; tests && tests->type == JSON_ARRAY && i < tests->len; i++) {
        const struct json *valid = json_get(tests->items[i], "valid"),
                          *data = json_get(tests->items[i], "data");
        if (valid && data) run_test(bench, &subject, valid->type == JSON_TRUE, data);
    }
    close_subject(bench, &subject);
}

/* ---- calls ------------------------------------------------------------------------------ */

static const struct json *parameters_of(const struct json *tools, struct text name) {
    for (uint32_t i = 0; tools && tools->type == JSON_ARRAY && i < tools->len; i++) {
        struct text own = string_of(json_get(tools->items[i], "name"));
        if (own.len == name.len && memcmp(own.bytes, name.bytes, own.len) == 0)
            return json_get(tools->items[i], "parameters");
    }
    return NULL;
}

/* Calls that are not all valid do not say which one is wrong: then only a single call is a test. */
static void run_calls(struct bench *bench, const struct json *line) {
    const struct json *calls = json_get(line, "calls"), *valid = json_get(line, "calls_valid");
    bool all_valid = !valid || valid->type == JSON_TRUE;
    struct text id = string_of(json_get(line, "id"));
    for (uint32_t i = 0; calls && calls->type == JSON_ARRAY && i < calls->len; i++) {
        struct text name = string_of(json_get(calls->items[i], "name"));
        const struct json *data = json_get(calls->items[i], "arguments");
        struct subject subject = {.schema = parameters_of(json_get(line, "tools"), name),
                                  .passes = true};
        struct buf own = {0};
        if (!subject.schema || !data) continue;
        buf_printf(&own, "%.*s#%u", (int)id.len, id.bytes, i);
        subject.id = (struct text){own.bytes, own.len};
        compile(bench, &subject);
        if (all_valid || calls->len == 1) run_test(bench, &subject, all_valid, data);
        close_subject(bench, &subject);
        buf_free(&own);
    }
}

/* ---- files ------------------------------------------------------------------------------ */

static void run_line(struct bench *bench, const struct json *line) {
    const struct json *schema = json_get(line, "schema");
    if (!schema) schema = json_get(line, "parameters");
    if (schema)
        run_schema(bench, line, schema);
    else
        run_calls(bench, line);
}

static bool run_file(struct bench *bench, const char *path) {
    FILE *file = fopen(path, "r");
    struct error error = {0};
    char *text = NULL;
    size_t cap = 0;
    unsigned at = 1;
    if (!file) return fprintf(stderr, "plm-schema-bench: cannot open %s\n", path), false;
    for (ssize_t n; (n = getline(&text, &cap, file)) > 0 && error.code == ERROR_NONE; at++) {
        struct json_doc *doc = json_parse(text, (size_t)n, NESTING, &error);
        if (doc) run_line(bench, json_root(doc));
        json_free(doc);
    }
    free(text);
    fclose(file);
    if (error.code != ERROR_NONE)
        fprintf(stderr, "plm-schema-bench: %s:%u: %s\n", path, at - 1, error.message);
    return error.code == ERROR_NONE;
}

/* ---- the report ------------------------------------------------------------------------- */

static void merge(struct tally *all, const struct tally *one) {
    all->schemas += one->schemas;
    all->compiled += one->compiled;
    all->passing += one->passing;
    all->untested += one->untested;
    all->untested_compiled += one->untested_compiled;
    all->valid += one->valid;
    all->valid_accepted += one->valid_accepted;
    all->invalid += one->invalid;
    all->invalid_rejected += one->invalid_rejected;
    all->contradictions += one->contradictions;
    for (size_t i = 0; i < one->compile.n; i++)
        add_sample(&all->compile, (double)one->compile.us[i]);
    for (size_t i = 0; i < one->mask.n; i++) add_sample(&all->mask, (double)one->mask.us[i]);
    all->false_accepts += one->false_accepts;
    if (one->false_accepts)
        list(&all->false_accept_ids, one->false_accept_ids.bytes, one->false_accept_ids.len);
}

static void sort(struct tally *tally) {
    if (tally->compile.n) qsort(tally->compile.us, tally->compile.n, sizeof(float), ascending);
    if (tally->mask.n) qsort(tally->mask.us, tally->mask.n, sizeof(float), ascending);
}

static void print_times(const char *name, const struct samples *s) {
    printf("\"%s\": {\"n\": %zu, \"p50\": %.2f, \"p90\": %.2f, \"p99\": %.2f, \"p99.9\": %.2f, "
           "\"max\": %.2f}",
           name, s->n, percentile(s, 500), percentile(s, 900), percentile(s, 990),
           percentile(s, 999), percentile(s, 1000));
}

static void print_json(const struct tally *t) {
    printf("{\"schemas\": %u, \"compiled\": %u, \"passing\": %u, \"valid\": %u, "
           "\"valid_accepted\": %u, "
           "\"invalid\": %u, \"invalid_rejected\": %u, \"false_accepts\": %u, "
           "\"false_accept_ids\": [%s], "
           "\"untested\": %u, \"untested_compiled\": %u, \"contradictions\": %u, ",
           t->schemas, t->compiled, t->passing, t->valid, t->valid_accepted, t->invalid,
           t->invalid_rejected, t->false_accepts, t->false_accepts ? t->false_accept_ids.bytes : "",
           t->untested, t->untested_compiled, t->contradictions);
    print_times("compile_us", &t->compile);
    printf(", ");
    print_times("mask_us", &t->mask);
    printf("}");
}

static void print_path(const char *path) {
    struct buf quoted = {0};
    json_write_string(&quoted, (struct text){path, strlen(path)});
    if (quoted.failed) out_of_memory();
    printf("%s: ", quoted.bytes);
    buf_free(&quoted);
}

static void report_json(const struct tally *all, const struct tally *files, char **paths, int n) {
    printf("{\"all\": ");
    print_json(all);
    printf(", \"files\": {");
    for (int i = 0; i < n; i++) {
        if (i) printf(", ");
        print_path(paths[i]);
        print_json(&files[i]);
    }
    printf("}}\n");
}

static void print_row(const char *name, const struct tally *t) {
    printf("%-28.28s %5u %5u %5u %5.1f%% %6u/%-6u %6u/%-6u %3u  %6.0f %6.0f %6.0f  %6.2f %6.2f "
           "%6.1f %6.0f %6.0f\n",
           name, t->schemas, t->compiled, t->passing,
           t->schemas ? 100.0 * t->passing / t->schemas : 0.0, t->valid_accepted, t->valid,
           t->invalid_rejected, t->invalid, t->false_accepts, percentile(&t->compile, 500),
           percentile(&t->compile, 990), percentile(&t->compile, 1000), percentile(&t->mask, 500),
           percentile(&t->mask, 900), percentile(&t->mask, 990), percentile(&t->mask, 999),
           percentile(&t->mask, 1000));
}

/* The end of a path, which tells files apart. */
static const char *tail(const char *path) {
    size_t len = strlen(path);
    return len > 28 ? path + len - 28 : path;
}

static void report_table(const struct tally *all, const struct tally *files, char **paths, int n) {
    printf("%-28s %5s %5s %5s %6s %13s %13s %3s  %6s %6s %6s  %6s %6s %6s %6s %6s\n", "", "",
           "com-", "pass-", "", "valid", "invalid", "", "com-", "pile", "µs ", "mask", "µs ", "",
           "", "");
    printf("%-28s %5s %5s %5s %6s %13s %13s %3s  %6s %6s %6s  %6s %6s %6s %6s %6s\n", "file", "n",
           "piled", "ing", "", "accepted", "rejected", "FA", "p50", "p99", "max", "p50", "p90",
           "p99", "p99.9", "max");
    for (int i = 0; i < n; i++) print_row(tail(paths[i]), &files[i]);
    print_row("all", all);
    if (all->untested)
        printf("without tests: %u, of which %u compile\n", all->untested, all->untested_compiled);
    if (all->false_accepts) printf("false accepts in: %s\n", all->false_accept_ids.bytes);
}

/* ---- the program ------------------------------------------------------------------------ */

static int usage(void) {
    fprintf(stderr,
            "usage: plm-schema-bench -m MODEL [--style spaced|compact] [--closed] [--verdicts]\n"
            "                        [--slow US] [-o table|json] FILE.jsonl...\n");
    return 3;
}

/* One of two words; false if it is neither. */
static bool choose(bool *second, const char *word, const char *a, const char *b) {
    *second = strcmp(word, b) == 0;
    return *second || strcmp(word, a) == 0;
}

static int parse_options(struct options *o, int argc, char **argv) {
    static const struct option longs[] = {{"model", 1, 0, 'm'},  {"style", 1, 0, 's'},
                                          {"closed", 0, 0, 'c'}, {"verdicts", 0, 0, 'v'},
                                          {"output", 1, 0, 'o'}, {"slow", 1, 0, 'l'},
                                          {0}};
    for (int c; (c = getopt_long(argc, argv, "m:o:", longs, NULL)) != -1;) switch (c) {
        case 'm': o->model = optarg; break;
        case 'c': o->closed = true; break;
        case 'v': o->verdicts = true; break;
        case 'l': o->slow = strtod(optarg, NULL); break;
        case 's':
            if (!choose(&o->compact, optarg, "spaced", "compact")) return usage();
            break;
        case 'o':
            if (!choose(&o->json, optarg, "table", "json")) return usage();
            break;
        default: return usage();
        }
    return o->model && optind < argc ? 0 : usage();
}

static bool load(struct bench *bench) {
    struct error error = {0};
    bench->gguf = gguf_open(bench->options.model, &error);
    bench->vocab = bench->gguf ? vocab_new(bench->gguf, &error) : NULL;
    bench->trie = bench->vocab ? trie_new(bench->vocab, &error) : NULL;
    if (!bench->trie) return fprintf(stderr, "plm-schema-bench: %s\n", error.message), false;
    bench->bits = calloc(vocab_size(bench->vocab) / 64 + 1, sizeof *bench->bits);
    if (!bench->bits) out_of_memory();
    return true;
}

static void unload(struct bench *bench) {
    free(bench->bits);
    tokens_free(&bench->tokens);
    trie_free(bench->trie);
    vocab_free(bench->vocab);
    gguf_close(bench->gguf);
}

static void tally_free(struct tally *tally) {
    free(tally->compile.us);
    free(tally->mask.us);
    buf_free(&tally->false_accept_ids);
}

static bool run(struct bench *bench, char **paths, int n) {
    struct tally all = {0}, *files = calloc((size_t)n, sizeof *files);
    bool read = true;
    if (!files) out_of_memory();
    for (int i = 0; i < n; i++) {
        bench->tally = &files[i];
        read &= run_file(bench, paths[i]);
        merge(&all, &files[i]);
        sort(&files[i]);
    }
    sort(&all);
    if (bench->options.json)
        report_json(&all, files, paths, n);
    else
        report_table(&all, files, paths, n);
    if (all.contradictions)
        fprintf(stderr, "plm-schema-bench: %u masks contradict the matcher\n", all.contradictions);
    bool sound = !all.contradictions;
    for (int i = 0; i < n; i++) tally_free(&files[i]);
    tally_free(&all);
    free(files);
    return read && sound;
}

int main(int argc, char **argv) {
    struct bench bench = {0};
    int bad = parse_options(&bench.options, argc, argv);
    if (bad) return bad;
    bool done = load(&bench) && run(&bench, argv + optind, argc - optind);
    unload(&bench);
    return done ? 0 : 1;
}
