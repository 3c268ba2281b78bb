#include "engine/attend.h"

#include <math.h>
#include <stdlib.h>

#include "engine/scratch.h"

/* Rows of one sequence that one piece attends for: enough to reuse a widened tile, few enough to
 * balance the threads. */
enum { PIECE_ROWS = 32 };

struct run { /* consecutive rows of one sequence */
    uint32_t first, count;
};

struct attend {
    const struct model *model;
    const struct kernels *kernels;
    const struct kv *kv;
    struct pool *pool;
    float scale; /* 1 / sqrt(head_dim) */
    struct run *runs;
    uint32_t n_runs, cap_runs;
    /* Scratch of one thread: the kernel's, tile pointers, query pointers. */
    struct scratch memory;
    size_t cap_tiles, thread_bytes;
    /* The call under way. */
    uint32_t layer;
    const struct row *rows;
    float *q, *out;
};

struct attend *attend_new(const struct model *model, const struct kernels *kernels, const struct kv *kv,
                          struct pool *pool, struct error *error) {
    struct attend *a = calloc(1, sizeof *a);
    if (!a) {
        error_set(error, ERROR_OUT_OF_MEMORY, "no memory for attention");
        return NULL;
    }
    *a = (struct attend){.model = model, .kernels = kernels, .kv = kv, .pool = pool};
    a->scale = 1.0f / sqrtf((float)model->head_dim); /* sqrt and / are exactly rounded everywhere */
    return a;
}

void attend_trim(struct attend *a) {
    scratch_free(&a->memory);
    free(a->runs);
    a->runs = NULL;
    a->cap_tiles = a->cap_runs = 0;
}

void attend_free(struct attend *a) {
    if (!a) return;
    attend_trim(a);
    free(a);
}

static size_t group(const struct attend *a) {
    return a->model->n_head / a->model->n_head_kv;
}

/* Layout of one thread's scratch. */
struct thread_scratch {
    void *kernel;
    const uint16_t **k_tiles, **v_tiles;
    float **out;
    const float **query;
    uint32_t *n_keys;
};

static size_t kernel_bytes(const struct attend *a) {
    size_t bytes = a->kernels->attention_scratch(a->model->head_dim, PIECE_ROWS * group(a));
    return (bytes + 63) / 64 * 64;
}

static size_t thread_bytes(const struct attend *a, size_t tiles) {
    size_t queries = PIECE_ROWS * group(a);
    size_t bytes = kernel_bytes(a) + tiles * 2 * sizeof(void *) +
                   queries * (2 * sizeof(void *) + sizeof(uint32_t));
    return (bytes + 63) / 64 * 64;
}

static struct thread_scratch thread_scratch(const struct attend *a, unsigned thread) {
    size_t queries = PIECE_ROWS * group(a);
    char *at = (char *)a->memory.rest + thread * a->thread_bytes;
    struct thread_scratch s = {.kernel = at};
    s.k_tiles = (const uint16_t **)(at + kernel_bytes(a));
    s.v_tiles = s.k_tiles + a->cap_tiles;
    s.out = (float **)(s.v_tiles + a->cap_tiles);
    s.query = (const float **)(s.out + queries);
    s.n_keys = (uint32_t *)(s.query + queries);
    return s;
}

static bool plan_runs(struct attend *a, const struct row *rows, uint32_t n) {
    if (n > a->cap_runs) {
        struct run *runs = realloc(a->runs, n * sizeof *runs);
        if (!runs) return false;
        a->runs = runs;
        a->cap_runs = n;
    }
    a->n_runs = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct run *last = a->n_runs ? &a->runs[a->n_runs - 1] : NULL;
        if (last && last->count < PIECE_ROWS && rows[i].sequence == rows[i - 1].sequence) last->count++;
        else a->runs[a->n_runs++] = (struct run){i, 1};
    }
    return true;
}

bool attend_prepare(struct attend *a, const struct row *rows, uint32_t n, struct error *error) {
    size_t tiles = 0;
    for (uint32_t i = 0; i < n; i++)
        if (rows[i].position / KV_TILE + 1 > tiles) tiles = rows[i].position / KV_TILE + 1;
    if (tiles > a->cap_tiles) {
        size_t cap = (tiles + 31) / 32 * 32;
        scratch_free(&a->memory);
        a->cap_tiles = 0;
        a->thread_bytes = thread_bytes(a, cap);
        if (!scratch_layout(&a->memory, NULL, 0, pool_threads(a->pool) * a->thread_bytes))
            return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for attention");
        a->cap_tiles = cap;
    }
    return plan_runs(a, rows, n) || error_set(error, ERROR_OUT_OF_MEMORY, "no memory for attention");
}

/* One piece: the queries of one run's rows that read one KV head. */
static void attend_piece(void *arg, size_t piece, unsigned thread) {
    const struct attend *a = arg;
    const struct model *m = a->model;
    const struct run *run = &a->runs[piece / m->n_head_kv];
    uint32_t head = (uint32_t)(piece % m->n_head_kv);
    const struct sequence *sequence = a->rows[run->first].sequence;
    struct thread_scratch s = thread_scratch(a, thread);
    uint32_t last = a->rows[run->first + run->count - 1].position;
    for (uint32_t t = 0; t <= last / KV_TILE; t++) {
        s.k_tiles[t] = kv_keys(a->kv, sequence->blocks[t], a->layer, head);
        s.v_tiles[t] = kv_values(a->kv, sequence->blocks[t], a->layer, head);
    }
    size_t n = 0, width = (size_t)m->n_head * m->head_dim;
    for (uint32_t i = run->first; i < run->first + run->count; i++)
        for (size_t g = 0; g < group(a); g++, n++) {
            size_t at = i * width + (head * group(a) + g) * m->head_dim;
            s.query[n] = a->q + at;
            s.out[n] = a->out + at;
            s.n_keys[n] = a->rows[i].position + 1;
        }
    struct attention call = {.out = s.out, .query = s.query, .n_keys = s.n_keys, .n = n,
                             .k_tiles = s.k_tiles, .v_tiles = s.v_tiles, .head_dim = m->head_dim,
                             .scale = a->scale, .scratch = s.kernel};
    a->kernels->attention(&call);
}

void attend_run(struct attend *a, uint32_t layer, const struct row *rows, uint32_t n, float *q, float *out) {
    (void)n;
    a->layer = layer;
    a->rows = rows;
    a->q = q;
    a->out = out;
    pool_run(a->pool, attend_piece, a, (size_t)a->n_runs * a->model->n_head_kv);
}
