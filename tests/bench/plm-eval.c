/* plm-eval: what a model computes, for comparison with golden results.
 *
 *   plm-eval -m MODEL --tokens FILE [--logits OUT.f32] [--greedy N] [-t THREADS] [--isa NAME] [--chunk N]
 *
 * FILE holds token ids separated by white space or commas. OUT.f32 receives the logits of every
 * position as little-endian float32 [n][n_vocab]; the N greedy continuation ids go to stdout. --chunk feeds the
 * prompt in pieces of N tokens (the result must not depend on it).
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"

struct options {
    struct engine_settings engine;
    const char *tokens, *logits;
    size_t greedy, chunk;
};

static int usage(void) {
    fprintf(stderr, "usage: plm-eval -m MODEL --tokens FILE [--logits OUT.f32] [--greedy N] [-t THREADS]\n"
                    "                [--isa scalar|avx2|avx512] [--chunk N]\n");
    return 3;
}

static int parse_options(struct options *o, int argc, char **argv) {
    static const struct option longs[] = {{"model", 1, 0, 'm'}, {"tokens", 1, 0, 'T'}, {"logits", 1, 0, 'l'},
                                          {"greedy", 1, 0, 'g'}, {"threads", 1, 0, 't'}, {"isa", 1, 0, 'i'},
                                          {"chunk", 1, 0, 'c'}, {0}};
    for (int c; (c = getopt_long(argc, argv, "m:t:", longs, NULL)) != -1;) switch (c) {
        case 'm': o->engine.model_path = optarg; break;
        case 't': o->engine.threads = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'T': o->tokens = optarg; break;
        case 'l': o->logits = optarg; break;
        case 'g': o->greedy = strtoul(optarg, NULL, 10); break;
        case 'i': o->engine.isa_name = optarg; break;
        case 'c': o->chunk = strtoul(optarg, NULL, 10); break;
        default: return usage();
        }
    return o->engine.model_path && o->tokens && optind == argc ? 0 : usage();
}

static uint32_t *read_tokens(const char *path, size_t *n) {
    FILE *file = fopen(path, "r");
    uint32_t *tokens = NULL;
    unsigned long id;
    *n = 0;
    if (!file) return NULL;
    /* Anything between the numbers will do: blanks, commas, the brackets of a JSON array. */
    while (fscanf(file, "%*[^0-9]") != EOF && fscanf(file, "%lu", &id) == 1) {
        uint32_t *more = realloc(tokens, (*n + 1) * sizeof *more);
        if (!more) break;
        tokens = more;
        tokens[(*n)++] = (uint32_t)id;
    }
    fclose(file);
    return tokens;
}

static bool write_floats(const char *path, const float *values, size_t n) {
    FILE *file = fopen(path, "wb");
    if (!file) return false;
    bool ok = fwrite(values, sizeof *values, n, file) == n;
    return fclose(file) == 0 && ok;
}

static uint32_t best(const float *logits, size_t n) {
    size_t at = 0;
    for (size_t i = 1; i < n; i++)
        if (logits[i] > logits[at]) at = i;
    return (uint32_t)at;
}

static bool evaluate(struct engine *engine, const struct options *o, const uint32_t *tokens, size_t n,
                     struct error *error) {
    size_t vocab = engine_info(engine)->n_vocab, chunk = o->chunk ? o->chunk : n;
    float *logits = malloc(n * vocab * sizeof *logits);
    struct sequence *sequence = engine_sequence_new(engine, error);
    bool ok = logits && sequence;
    for (size_t at = 0; ok && at < n; at += chunk) {
        size_t count = n - at < chunk ? n - at : chunk;
        ok = engine_sequence_extend(engine, sequence, tokens + at, count, logits + at * vocab, count, error);
    }
    if (ok && o->logits && !write_floats(o->logits, logits, n * vocab))
        ok = error_set(error, ERROR_INTERNAL, "cannot write %s: %s", o->logits, strerror(errno));
    float *last = ok ? logits + (n - 1) * vocab : NULL;
    for (size_t i = 0; ok && i < o->greedy; i++) {
        uint32_t token = best(last, vocab);
        printf("%s%u", i ? " " : "", token);
        if (i + 1 < o->greedy) ok = engine_sequence_extend(engine, sequence, &token, 1, last, 1, error);
    }
    if (ok && o->greedy) printf("\n");
    engine_sequence_free(engine, sequence);
    free(logits);
    return ok;
}

int main(int argc, char **argv) {
    struct options options = {0};
    struct error error = {0};
    size_t n;
    int bad = parse_options(&options, argc, argv);
    if (bad) return bad;
    uint32_t *tokens = read_tokens(options.tokens, &n);
    if (!n) {
        fprintf(stderr, "plm-eval: no token ids in %s\n", options.tokens);
        free(tokens);
        return 1;
    }
    struct engine *engine = engine_new(&options.engine, &error);
    bool ok = engine && evaluate(engine, &options, tokens, n, &error);
    if (!ok) fprintf(stderr, "plm-eval: %s: %s\n", error_name(error.code), error.message);
    engine_free(engine);
    free(tokens);
    return ok ? 0 : 1;
}
