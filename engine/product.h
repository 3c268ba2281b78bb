/* product: weight matrices times quantised rows, spread over the pool.
 *
 * Work is split by output rows of the weights, never inside a sum, so the
 * split cannot change a bit.
 */
#ifndef ENGINE_PRODUCT_H
#define ENGINE_PRODUCT_H

#include "engine/model.h"
#include "engine/pool.h"
#include "kernels/kernels.h"

struct product {
    const struct weight *weight; /* [n][k] */
    const void *activation;      /* m rows, quantised for weight->type */
    float *out;                  /* [m][ld], ld >= n */
    size_t ld;
};

enum { PRODUCT_REDO_FLOATS = 16384 };

/* Computes up to 4 products over the same m rows in one go. scratch: one buffer a thread, of
 * scratch_bytes (a multiple of 64, what the kernels want) + PRODUCT_REDO_FLOATS floats; it and the
 * activations live until pool_quiesce. */
void product_run(const struct kernels *kernels, struct pool *pool, const struct product *products,
                 size_t n_products, size_t m, void *const *scratch, size_t scratch_bytes);

/* Some rows of a weight only: out[rows[i]] for i < n. Gathered in the threads' scratch, then multiplied as any. */
struct product_chosen {
    const struct weight *weight;
    const void *activation; /* one row */
    float *out;
    const uint32_t *rows; /* [n], below weight->n */
    size_t n;
};

/* The same bits as product_run writes to these places. `rows` lives until pool_quiesce, too, and
 * never holds anything else than rows of the weight. */
void product_run_chosen(const struct kernels *kernels, struct pool *pool,
                        const struct product_chosen *product, void *const *scratch,
                        size_t scratch_bytes);

/* Which activation serves weight w: the first weight of the same format (their rows are quantised alike). */
size_t product_slot(const struct weight *const *weights, size_t w);

#endif
