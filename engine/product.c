#include "engine/product.h"

#include <string.h>

enum { MAX_PRODUCTS = 4, PIECES_A_THREAD = 6 };

/* Copied by the pool: holds no pointer to a caller's stack. */
struct job {
    const struct kernels *kernels;
    struct product products[MAX_PRODUCTS];
    size_t n_products, m;
    size_t piece_rows; /* weight rows a piece */
    size_t first_piece[MAX_PRODUCTS + 1];
    void *const *scratch; /* the kernel's, then room for an output of PRODUCT_REDO_FLOATS */
    size_t scratch_bytes; /* the kernel's part */
};
_Static_assert(sizeof(struct job) <= POOL_JOB_BYTES, "the pool copies jobs");

struct part { /* one piece: rows first..first+n-1 of a product's weights */
    const struct product *product;
    size_t first, n;
};

static struct part part_of(const struct job *job, size_t piece) {
    size_t p = 0;
    while (piece >= job->first_piece[p + 1]) p++;
    size_t first = (piece - job->first_piece[p]) * job->piece_rows;
    size_t left = job->products[p].weight->n - first;
    return (struct part){&job->products[p], first, left < job->piece_rows ? left : job->piece_rows};
}

static void multiply(const struct job *job, struct part part, float *out, size_t ld, unsigned thread) {
    const struct weight *w = part.product->weight;
    const struct weight_format *format = weight_format(w->type);
    size_t row_bytes = (size_t)w->k / format->block * format->block_bytes;
    job->kernels->matmul(w->type, out, ld, (const char *)w->data + part.first * row_bytes, part.n,
                         part.product->activation, job->m, w->k, job->scratch[thread]);
}

static void product_piece(void *arg, size_t piece, unsigned thread) {
    struct part part = part_of(arg, piece);
    multiply(arg, part, part.product->out + part.first, part.product->ld, thread);
}

/* The same in two steps, by way of the thread's own memory: for small m, where a late thread would hold up
 * a pass that takes little longer than its absence. */
static float *own_output(const struct job *job, unsigned thread) {
    return (float *)(void *)((char *)job->scratch[thread] + job->scratch_bytes);
}

static void product_compute(const void *arg, size_t piece, unsigned thread) {
    struct part part = part_of(arg, piece);
    multiply(arg, part, own_output(arg, thread), part.n, thread);
}

static void product_commit(const void *arg, size_t piece, unsigned thread) {
    const struct job *job = arg;
    struct part part = part_of(job, piece);
    const float *own = own_output(job, thread);
    for (size_t i = 0; i < job->m; i++)
        memcpy(part.product->out + i * part.product->ld + part.first, own + i * part.n, part.n * sizeof *own);
}

void product_run(const struct kernels *kernels, struct pool *pool, const struct product *products,
                 size_t n_products, size_t m, void *const *scratch, size_t scratch_bytes) {
    struct job job = {.kernels = kernels, .n_products = n_products, .m = m, .scratch = scratch,
                      .scratch_bytes = scratch_bytes};
    size_t panel = kernels->matmul_panel, total = 0, pieces = 0;
    for (size_t p = 0; p < n_products; p++) total += products[p].weight->n;
    /* Pieces of about equal size: several per thread, so that a late thread costs little. */
    size_t wanted = pool_threads(pool) * PIECES_A_THREAD;
    job.piece_rows = (total / wanted + panel) / panel * panel;
    for (size_t p = 0; p < n_products; p++) {
        job.products[p] = products[p];
        job.first_piece[p] = pieces;
        pieces += (products[p].weight->n + job.piece_rows - 1) / job.piece_rows;
    }
    job.first_piece[n_products] = pieces;
    if (m * job.piece_rows > PRODUCT_REDO_FLOATS) {
        pool_run(pool, product_piece, &job, pieces);
        return;
    }
    struct pool_redo redo = {product_compute, product_commit, &job, sizeof job};
    pool_run_redo(pool, &redo, pieces);
}

size_t product_slot(const struct weight *const *weights, size_t w) {
    size_t slot = 0;
    while (weights[slot]->type != weights[w]->type) slot++;
    return slot;
}
