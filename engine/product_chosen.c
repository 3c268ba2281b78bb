/* Products with some rows of a weight. The kernels want rows that follow each other: a group is
 * copied into the thread's own memory first, which costs little beside its product. */
#include <string.h>

#include "engine/product.h"

enum {
    GROUP = 32,                      /* rows gathered at a time, where they fit */
    PIECE = PRODUCT_REDO_FLOATS / 4, /* rows a piece at most */
    ROOM = (PRODUCT_REDO_FLOATS - PIECE) * sizeof(float), /* bytes for a group */
    ROWS_A_PIECE = 256,                                   /* fewer are not worth another thread */
};

/* Copied by the pool. */
struct job {
    const struct kernels *kernels;
    struct product_chosen product;
    size_t piece_rows, row_bytes;
    void *const *scratch; /* the kernel's, then PIECE floats, then ROOM */
    size_t scratch_bytes;
};
_Static_assert(sizeof(struct job) <= POOL_JOB_BYTES, "the pool copies jobs");

static float *own_output(const struct job *job, unsigned thread) {
    return (float *)(void *)((char *)job->scratch[thread] + job->scratch_bytes);
}

static size_t piece_length(const struct job *job, size_t piece) {
    size_t left = job->product.n - piece * job->piece_rows;
    return left < job->piece_rows ? left : job->piece_rows;
}

/* Rows that follow each other in the file, or are larger than the room, are used where they are. */
static void multiply_group(const struct job *job, float *out, const uint32_t *rows, size_t n,
                           unsigned thread) {
    const struct weight *w = job->product.weight;
    const char *from = (const char *)w->data + rows[0] * job->row_bytes;
    char *room = (char *)(own_output(job, thread) + PIECE);
    if (rows[n - 1] - rows[0] != n - 1) {
        for (size_t i = 0; i < n; i++)
            memcpy(room + i * job->row_bytes, (const char *)w->data + rows[i] * job->row_bytes,
                   job->row_bytes);
        from = room;
    }
    job->kernels->matmul(w->type, out, n, from, n, job->product.activation, 1, w->k,
                         job->scratch[thread]);
}

static void compute(const void *arg, size_t piece, unsigned thread) {
    const struct job *job = arg;
    const uint32_t *rows = job->product.rows + piece * job->piece_rows;
    size_t n = piece_length(job, piece), group = ROOM / job->row_bytes;
    group = group > GROUP ? GROUP : group ? group : 1;
    for (size_t at = 0; at < n; at += group)
        multiply_group(job, own_output(job, thread) + at, rows + at,
                       n - at < group ? n - at : group, thread);
}

static void commit(const void *arg, size_t piece, unsigned thread) {
    const struct job *job = arg;
    const uint32_t *rows = job->product.rows + piece * job->piece_rows;
    const float *own = own_output(job, thread);
    for (size_t i = 0, n = piece_length(job, piece); i < n; i++) job->product.out[rows[i]] = own[i];
}

void product_run_chosen(const struct kernels *kernels, struct pool *pool,
                        const struct product_chosen *product, void *const *scratch,
                        size_t scratch_bytes) {
    const struct weight *w = product->weight;
    const struct weight_format *format = weight_format(w->type);
    struct job job = {.kernels = kernels,
                      .product = *product,
                      .scratch = scratch,
                      .row_bytes = (size_t)w->k / format->block * format->block_bytes,
                      .scratch_bytes = scratch_bytes};
    size_t most = product->n / (pool_threads(pool) * 4) / GROUP * GROUP + GROUP;
    job.piece_rows = most < ROWS_A_PIECE ? ROWS_A_PIECE : most > PIECE ? PIECE : most;
    size_t pieces = (product->n + job.piece_rows - 1) / job.piece_rows;
    struct pool_redo redo = {compute, commit, &job, sizeof job};
    pool_run_redo(pool, &redo, pieces);
}
