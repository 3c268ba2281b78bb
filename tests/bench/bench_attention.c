/* bench_attention: one KV head's attention, per ISA: prefill (causal, rows x the heads of a GQA
 * group) and decode (one row). Thread CPU time; the median of RUNS with its quartiles.
 * FLOP are 4 * head_dim a seen key and query; GB/s are the f16 K and V bytes read once.
 *   bench_attention [isa] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/kernels.h"
#include "kernels/table.h"

enum { RUNS = 15 };

struct shape {
    const char *name;
    size_t group, head_dim, rows, before; /* before: keys that precede the first row */
};

static const struct shape shapes[] = {
    {"prefill 9/3", 3, 64, 512, 0},       {"prefill 9/3", 3, 64, 512, 3584},
    {"prefill 32/4", 8, 64, 512, 0},      {"prefill 32/4", 8, 64, 512, 3584},
    {"prefill d=128", 4, 128, 256, 1024}, {"batch of 7 rows", 3, 64, 7, 1024},
    {"decode 1/1", 1, 64, 1, 4095},       {"decode 9/3", 3, 64, 1, 255},
    {"decode 9/3", 3, 64, 1, 4095},       {"decode 32/4", 8, 64, 1, 4095},
    {"decode d=128", 4, 128, 1, 4095},    {"decode, memory", 3, 64, 1, 524287},
};

struct input {
    struct attention attention;
    float **out, **query;
    uint16_t **k, **v;
    uint32_t *n_keys;
    float *values;
};

static void *must(void *memory) {
    if (memory == NULL) exit(1);
    return memory;
}

static uint16_t random_half(void) { /* 2^-2 .. 2, either sign: plain numbers are all that counts */
    return (uint16_t)((rand() & 1) << 15 | (13 + rand() % 3) << 10 | (rand() & 0x3ff));
}

static uint16_t **tiles_new(size_t n, size_t values) {
    uint16_t **tiles = must(calloc(n, sizeof *tiles));
    uint16_t *all = must(aligned_alloc(64, n * values * sizeof *all));
    for (size_t i = 0; i < n * values; i++) all[i] = random_half();
    for (size_t i = 0; i < n; i++) tiles[i] = all + i * values;
    return tiles;
}

static struct input input_new(const struct shape *shape) {
    size_t n = shape->rows * shape->group, d = shape->head_dim;
    size_t tiles = (shape->before + shape->rows + KV_TILE - 1) / KV_TILE;
    struct input in = {.out = must(calloc(n, sizeof *in.out)),
                       .query = must(calloc(n, sizeof *in.query)),
                       .n_keys = must(calloc(n, sizeof *in.n_keys)),
                       .values = must(calloc(2 * n * d, sizeof *in.values)),
                       .k = tiles_new(tiles, KV_TILE * d),
                       .v = tiles_new(tiles, KV_TILE * d)};
    for (size_t i = 0; i < 2 * n * d; i++) in.values[i] = (float)(rand() % 2001 - 1000) / 1000;
    for (size_t i = 0; i < n; i++) {
        in.query[i] = in.values + i * d;
        in.out[i] = in.values + (n + i) * d;
        in.n_keys[i] = (uint32_t)(shape->before + i / shape->group + 1);
    }
    in.attention = (struct attention){.out = in.out,
                                      .query = (const float *const *)in.query,
                                      .n_keys = in.n_keys,
                                      .n = n,
                                      .k_tiles = (const uint16_t *const *)in.k,
                                      .v_tiles = (const uint16_t *const *)in.v,
                                      .head_dim = d,
                                      .scale = 1 / sqrtf((float)d)};
    return in;
}

static void input_free(struct input *in) {
    free(in->k[0]), free(in->v[0]), free(in->k), free(in->v);
    free(in->out), free(in->query), free(in->n_keys), free(in->values);
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void bench(const struct kernels *kernels, const struct shape *shape) {
    struct input in = input_new(shape);
    size_t bytes = kernels->attention_scratch(shape->head_dim, in.attention.n);
    in.attention.scratch = must(aligned_alloc(64, (bytes + 63) / 64 * 64));
    double keys = 0, times[RUNS], d = (double)shape->head_dim;
    for (size_t i = 0; i < in.attention.n; i++) keys += in.n_keys[i];
    int repeat = keys * d > 4e6 ? 1 : (int)(4e6 / (keys * d));
    for (int run = -1; run < RUNS; run++) {
        double start = seconds();
        for (int i = 0; i < repeat; i++) kernels->attention(&in.attention);
        if (run >= 0) times[run] = (seconds() - start) / repeat;
    }
    qsort(times, RUNS, sizeof *times, by_value);
    double t = times[RUNS / 2], last = (double)(shape->before + shape->rows);
    printf("%-7s %-16s %4zu rows %5.0f keys  %10.1f us (%.1f .. %.1f)  %6.1f GFLOP/s %6.1f GB/s\n",
           kernels->isa, shape->name, shape->rows, last, t * 1e6, times[RUNS / 4] * 1e6,
           times[RUNS * 3 / 4] * 1e6, 4e-9 * d * keys / t, 4e-9 * d * last / t);
    free(in.attention.scratch);
    input_free(&in);
}

int main(int argc, char **argv) {
    static const int allowed[] = {0, ISA_AVX2, ISA_ALL};
    const char *before = "";
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
        const struct kernels *kernels = kernels_get(allowed[i]);
        if (strcmp(kernels->isa, before) == 0) continue;
        before = kernels->isa;
        if (argc > 1 && strcmp(argv[1], kernels->isa) != 0) continue;
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
            /* The specification takes its time: only its decode is worth waiting for. */
            if (allowed[i] != 0 || shapes[s].rows == 1) bench(kernels, &shapes[s]);
    }
    return 0;
}
