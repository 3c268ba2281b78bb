#include "engine/product.h"

enum { MAX_PRODUCTS = 4, PIECES_A_THREAD = 6 };

struct job {
    const struct kernels *kernels;
    const struct product *products;
    size_t n_products, m;
    size_t piece_rows[MAX_PRODUCTS];  /* weight rows a piece */
    size_t first_piece[MAX_PRODUCTS + 1];
    void *const *scratch;
};

static void product_piece(void *arg, size_t piece, unsigned thread) {
    const struct job *job = arg;
    size_t p = 0;
    while (piece >= job->first_piece[p + 1]) p++;
    const struct product *product = &job->products[p];
    const struct weight *w = product->weight;
    const struct weight_format *format = weight_format(w->type);
    size_t row_bytes = (size_t)w->k / format->block * format->block_bytes;
    size_t first = (piece - job->first_piece[p]) * job->piece_rows[p];
    size_t n = w->n - first < job->piece_rows[p] ? w->n - first : job->piece_rows[p];
    job->kernels->matmul(w->type, product->out + first, product->ld,
                         (const char *)w->data + first * row_bytes, n, product->activation, job->m, w->k,
                         job->scratch[thread]);
}

void product_run(const struct kernels *kernels, struct pool *pool, const struct product *products,
                 size_t n_products, size_t m, void *const *scratch) {
    struct job job = {.kernels = kernels, .products = products, .n_products = n_products, .m = m,
                      .scratch = scratch};
    size_t panel = kernels->matmul_panel, total = 0, pieces = 0;
    for (size_t p = 0; p < n_products; p++) total += products[p].weight->n;
    /* Pieces of about equal size: several per thread, so that a late thread costs little. */
    size_t wanted = pool_threads(pool) * PIECES_A_THREAD;
    size_t rows = (total / wanted + panel) / panel * panel;
    for (size_t p = 0; p < n_products; p++) {
        job.piece_rows[p] = rows;
        job.first_piece[p] = pieces;
        pieces += (products[p].weight->n + rows - 1) / rows;
    }
    job.first_piece[n_products] = pieces;
    pool_run(pool, product_piece, &job, pieces);
}

size_t product_slot(const struct weight *const *weights, size_t w) {
    size_t slot = 0;
    while (weights[slot]->type != weights[w]->type) slot++;
    return slot;
}
