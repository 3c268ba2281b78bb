/* plm-bench: tokens per second of prefill and decode, with llama-bench's flags and meaning.
 *
 *   plm-bench -m MODEL [-t THREADS] [-p N] [-n N] [-r REPS] [-o md|json] [--isa NAME]
 *
 * -p N measures the prefill of N random tokens into an empty context; -n N the decoding of N tokens
 * one by one. Each is run once to warm up and then REPS times.
 */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/engine.h"

enum { MAX_REPS = 1000 };

struct options {
    struct engine_settings engine;
    size_t prompt, generate;
    unsigned reps;
    bool json;
};

struct series {
    double seconds[MAX_REPS];
    unsigned n;
    size_t tokens;
};

static int usage(void) {
    fprintf(stderr, "usage: plm-bench -m MODEL [-t THREADS] [-p N] [-n N] [-r REPS] [-o md|json] [--isa NAME]\n");
    return 3;
}

static int parse_options(struct options *o, int argc, char **argv) {
    static const struct option longs[] = {{"model", 1, 0, 'm'}, {"threads", 1, 0, 't'}, {"n-prompt", 1, 0, 'p'},
                                          {"n-gen", 1, 0, 'n'}, {"repetitions", 1, 0, 'r'},
                                          {"output", 1, 0, 'o'}, {"isa", 1, 0, 'i'}, {0}};
    for (int c; (c = getopt_long(argc, argv, "m:t:p:n:r:o:", longs, NULL)) != -1;) switch (c) {
        case 'm': o->engine.model_path = optarg; break;
        case 't': o->engine.threads = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'p': o->prompt = strtoul(optarg, NULL, 10); break;
        case 'n': o->generate = strtoul(optarg, NULL, 10); break;
        case 'r': o->reps = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'i': o->engine.isa_name = optarg; break;
        case 'o':
            if (strcmp(optarg, "json") != 0 && strcmp(optarg, "md") != 0) return usage();
            o->json = strcmp(optarg, "json") == 0;
            break;
        default: return usage();
        }
    if (!o->engine.model_path || optind != argc || o->reps < 1 || o->reps > MAX_REPS) return usage();
    return 0;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* One run; its seconds, or a negative number on failure. */
static double run_once(struct engine *engine, size_t n, bool decode, struct error *error) {
    uint32_t vocab = engine_info(engine)->n_vocab, state = 12345;
    uint32_t *tokens = malloc(n * sizeof *tokens);
    float *logits = malloc(vocab * sizeof *logits);
    struct sequence *sequence = engine_sequence_new(engine, error);
    bool ok = tokens && logits && sequence;
    for (size_t i = 0; ok && i < n; i++) tokens[i] = (state = state * 1664525u + 1013904223u) % vocab;
    double start = now();
    if (ok && !decode) ok = engine_sequence_extend(engine, sequence, tokens, n, logits, 1, error);
    for (size_t i = 0; ok && decode && i < n; i++)
        ok = engine_sequence_extend(engine, sequence, tokens + i, 1, logits, 1, error);
    double seconds = now() - start;
    engine_sequence_free(engine, sequence);
    free(tokens);
    free(logits);
    return ok ? seconds : -1;
}

static bool run_series(struct engine *engine, struct series *series, const struct options *o, size_t n,
                       bool decode, struct error *error) {
    *series = (struct series){.n = o->reps, .tokens = n};
    if (run_once(engine, n, decode, error) < 0) return false; /* warm-up */
    for (unsigned i = 0; i < o->reps; i++)
        if ((series->seconds[i] = run_once(engine, n, decode, error)) < 0) return false;
    return true;
}

static double rate(const struct series *s, unsigned i) {
    return (double)s->tokens / s->seconds[i];
}

static int compare(const void *a, const void *b) {
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static double median_rate(const struct series *s) {
    double rates[MAX_REPS];
    for (unsigned i = 0; i < s->n; i++) rates[i] = rate(s, i);
    qsort(rates, s->n, sizeof *rates, compare);
    return s->n % 2 ? rates[s->n / 2] : (rates[s->n / 2 - 1] + rates[s->n / 2]) / 2;
}

static void moments(const struct series *s, double *mean, double *deviation) {
    double sum = 0, squares = 0;
    for (unsigned i = 0; i < s->n; i++) sum += rate(s, i);
    *mean = sum / s->n;
    for (unsigned i = 0; i < s->n; i++) squares += (rate(s, i) - *mean) * (rate(s, i) - *mean);
    *deviation = s->n > 1 ? sqrt(squares / (s->n - 1)) : 0;
}

static void print_json(const struct engine *engine, const struct series *s, bool decode, bool first) {
    const struct engine_info *info = engine_info(engine);
    double mean, deviation;
    moments(s, &mean, &deviation);
    printf("%s\n  {\"model_type\": \"%s %s\", \"model_size\": %llu, \"model_n_params\": %llu, \"isa\": \"%s\", "
           "\"n_threads\": %u, \"n_prompt\": %zu, \"n_gen\": %zu, \"avg_ts\": %.3f, \"stddev_ts\": %.3f, "
           "\"median_ts\": %.3f, \"samples_ts\": [",
           first ? "" : ",", info->architecture, info->quantization, (unsigned long long)info->file_bytes,
           (unsigned long long)info->parameters, info->isa, info->threads, decode ? 0 : s->tokens,
           decode ? s->tokens : 0, mean, deviation, median_rate(s));
    for (unsigned i = 0; i < s->n; i++) printf("%s%.3f", i ? ", " : "", rate(s, i));
    printf("]}");
}

static void print_row(const struct engine *engine, const struct series *s, bool decode) {
    const struct engine_info *info = engine_info(engine);
    double mean, deviation;
    moments(s, &mean, &deviation);
    printf("| %-24s | %-8s | %7u | %2s%-6zu | %9.2f ± %.2f (median %.2f) |\n", info->alias, info->isa,
           info->threads, decode ? "tg" : "pp", s->tokens, mean, deviation, median_rate(s));
}

static bool measure(struct engine *engine, const struct options *o, struct error *error) {
    static struct series series;
    bool first = true;
    printf(o->json ? "[" : "| model                    | isa      | threads | test     | t/s |\n|---|---|---|---|---|\n");
    for (int decode = 0; decode < 2; decode++) {
        size_t n = decode ? o->generate : o->prompt;
        if (!n) continue;
        if (!run_series(engine, &series, o, n, decode, error)) return false;
        if (o->json) print_json(engine, &series, decode, first);
        else print_row(engine, &series, decode);
        first = false;
    }
    if (o->json) printf("\n]\n");
    return true;
}

int main(int argc, char **argv) {
    struct options options = {.prompt = 512, .generate = 128, .reps = 5};
    struct error error = {0};
    int bad = parse_options(&options, argc, argv);
    if (bad) return bad;
    struct engine *engine = engine_new(&options.engine, &error);
    bool ok = engine && measure(engine, &options, &error);
    if (!ok) fprintf(stderr, "plm-bench: %s: %s\n", error_name(error.code), error.message);
    engine_free(engine);
    return ok ? 0 : 1;
}
