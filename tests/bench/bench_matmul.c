/* Times matmul: every type, ISA and batch height m on the shapes of small models, one thread.
 *
 *     bench_matmul [type name] [isa] [m] [hot]      e.g. bench_matmul Q4_1 avx512 512
 *
 * Weights are walked as in a model: enough copies of the matrix that none is in a cache when it is
 * read again (`dram`), except for m >= 32, where arithmetic decides, and if `hot` is given. CPU
 * time of the thread, so that a busy neighbour costs less; median of the repetitions, and the
 * spread from the 10th to the 90th percentile. Gop/s counts 2 n m k; GB/s the bytes of weights.
 * `quant` is ns per activation value.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/kernels.h"

enum { REPETITIONS = 25, COLD_BYTES = 96 << 20 };

static const struct shape {
    size_t n, k;
} shapes[] = {{576, 576}, {1536, 576}, {576, 1536}, {2048, 2048}, {2048, 5632}};
static const uint32_t types[] = {WEIGHT_Q4_1, WEIGHT_Q4_0, WEIGHT_Q8_0, WEIGHT_Q4_K,
                                 WEIGHT_Q6_K, WEIGHT_Q5_K, WEIGHT_F16,  WEIGHT_F32};
static const size_t heights[] = {1, 2, 4, 8, 16, 32, 128, 512};

struct setup {
    const struct kernels *kernels;
    uint32_t type;
    struct shape shape;
    size_t m, bytes, copies, rounds; /* copies of the matrix, rounds over them */
    uint8_t *w;
    float *x, *y;
    void *activation, *scratch;
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void *aligned(size_t n) {
    void *p = aligned_alloc(64, (n + 64) / 64 * 64);
    if (p == NULL) exit(1);
    memset(p, 0, n);
    return p;
}

/* Random bytes with every f16 field at 2^-6, so that no product is unusual. */
static void fill_weights(uint8_t *w, size_t n, uint32_t type) {
    const size_t size = weight_format(type)->block_bytes;
    uint64_t state = 1;
    for (size_t i = 0; i < n; i++)
        w[i] = (uint8_t)((state = state * 6364136223846793005u + 1) >> 56);
    for (size_t i = 0; i + size <= n; i += size) {
        uint8_t *scale = w + i + (type == WEIGHT_Q6_K ? size - 2 : 0);
        if (type == WEIGHT_F32)
            memcpy(w + i, &(float){0.01f}, 4);
        else
            memcpy(scale, &(uint16_t){0x2400}, 2);
        if (type == WEIGHT_Q4_1 || type == WEIGHT_Q4_K || type == WEIGHT_Q5_K)
            memcpy(scale + 2, &(uint16_t){0x2400}, 2);
    }
}

/* Seconds a matrix. */
static double pass(struct setup *s) {
    double start = now();
    for (size_t c = 0; c < s->copies * s->rounds; c++)
        s->kernels->matmul(s->type, s->y, s->shape.n, s->w + c % s->copies * s->bytes, s->shape.n,
                           s->activation, s->m, s->shape.k, s->scratch);
    return (now() - start) / (double)(s->copies * s->rounds);
}

static double quantize(struct setup *s) {
    double start = now();
    for (int i = 0; i < 8; i++)
        s->kernels->activation_quantize(s->type, s->activation, s->x, s->shape.k, s->m, s->shape.k,
                                        0, s->m);
    return (now() - start) / 8;
}

static void measure(struct setup *s) {
    double times[REPETITIONS], quants[REPETITIONS];
    const double products = (double)(s->shape.n * s->m * s->shape.k);
    pass(s);
    for (int i = 0; i < REPETITIONS; i++) {
        quants[i] = quantize(s);
        times[i] = pass(s);
    }
    qsort(times, REPETITIONS, sizeof *times, compare);
    qsort(quants, REPETITIONS, sizeof *quants, compare);
    const double t = times[REPETITIONS / 2];
    printf("%-6s %-4s %4zux%-4zu m=%-3zu %-4s %9.1f us (%.1f..%.1f) %7.1f Gop/s %6.2f GB/s"
           "  quant %.3f ns\n",
           s->kernels->isa, weight_format(s->type)->name, s->shape.n, s->shape.k, s->m,
           s->copies > 1 ? "dram" : "hot", t * 1e6, times[REPETITIONS / 10] * 1e6,
           times[REPETITIONS * 9 / 10] * 1e6, 2 * products / t * 1e-9, (double)s->bytes / t * 1e-9,
           quants[REPETITIONS / 2] * 1e9 / (double)(s->m * s->shape.k));
    fflush(stdout);
}

static void bench(const struct kernels *kernels, uint32_t type, struct shape shape, size_t m,
                  bool hot) {
    const struct weight_format *format = weight_format(type);
    struct setup s = {
        .kernels = kernels, .type = type, .shape = shape, .m = m, .copies = 1, .rounds = 1};
    if (shape.k % format->block != 0) return;
    s.bytes = shape.n * shape.k / format->block * format->block_bytes;
    if (m < 32 && !hot) s.copies = COLD_BYTES / s.bytes;
    if (m < 32 && hot) s.rounds = 32 / m;
    s.w = aligned(s.bytes * s.copies);
    s.x = aligned(m * shape.k * sizeof(float));
    s.y = aligned(m * shape.n * sizeof(float));
    s.activation = aligned(kernels->activation_bytes(type, m, shape.k));
    s.scratch = aligned(kernels->matmul_scratch(type, shape.k));
    fill_weights(s.w, s.bytes * s.copies, type);
    for (size_t i = 0; i < m * shape.k; i++) s.x[i] = (float)(i * 7919 % 1000) * 0.001f - 0.5f;
    measure(&s);
    free(s.w);
    free(s.x);
    free(s.y);
    free(s.activation);
    free(s.scratch);
}

int main(int argc, char **argv) {
    static const int isas[] = {ISA_ALL, ISA_AVX2, 0};
    const char *type = argc > 1 ? argv[1] : NULL, *isa = argc > 2 ? argv[2] : NULL;
    const size_t only = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
    for (size_t i = 0; i < 3; i++) {
        const struct kernels *kernels = kernels_get(isas[i]);
        if (isa != NULL ? strcmp(isa, kernels->isa) != 0 : isas[i] == 0) continue;
        for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
            if (type != NULL && strcmp(type, weight_format(types[t])->name) != 0) continue;
            for (size_t j = 0; j < sizeof shapes / sizeof shapes[0]; j++)
                for (size_t h = 0; h < sizeof heights / sizeof heights[0]; h++)
                    if (only == 0 || only == heights[h])
                        bench(kernels, types[t], shapes[j], heights[h], argc > 4);
        }
    }
    return 0;
}
