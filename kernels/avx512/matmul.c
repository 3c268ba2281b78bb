/* matmul, AVX-512-VNNI: picks the form. One activation row: linear.h. More: panels of 32 weight
 * rows are unpacked once per chunk of k and meet every tile of activations (tile.h). */
#include "kernels/avx512/linear.h"
#include "kernels/avx512/tile.h"
#include "kernels/table.h"

enum {
    CHUNK_BLOCKS = 24, /* 30 KB of panel: it stays in L1 while the tiles go by */
    CHUNK_SUPERS = 2,
    FEW = 24, /* up to so many activation rows memory decides: finer chunks spread the prefetches */
    SMALL_BLOCKS = 6,
    SMALL_SUPERS = 1,
};

struct form {
    unpack_fn *unpack;
    tile_fn *tile;
    size_t chunk, small_chunk; /* blocks of a panel unpacked at once */
    size_t tile_bytes;         /* of one block of a tile */
};

static struct form form_of(uint32_t type) {
    const size_t block = sizeof(struct tile_block), super = sizeof(struct tile_super);
    switch (type) {
    case WEIGHT_Q4_0:
        return (struct form){unpack_q4_0_avx512, tile_q4_0_avx512, CHUNK_BLOCKS, SMALL_BLOCKS,
                             block};
    case WEIGHT_Q4_1:
        return (struct form){unpack_q4_1_avx512, tile_q4_1_avx512, CHUNK_BLOCKS, SMALL_BLOCKS,
                             block};
    case WEIGHT_Q8_0:
        return (struct form){unpack_q8_0_avx512, tile_q4_0_avx512, CHUNK_BLOCKS, SMALL_BLOCKS,
                             block};
    case WEIGHT_Q4_K:
        return (struct form){unpack_q4_k_avx512, tile_q4_k_avx512, CHUNK_SUPERS, SMALL_SUPERS,
                             super};
    case WEIGHT_Q5_K:
        return (struct form){unpack_q5_k_avx512, tile_q4_k_avx512, CHUNK_SUPERS, SMALL_SUPERS,
                             super};
    default:
        return (struct form){unpack_q6_k_avx512, tile_q6_k_avx512, CHUNK_SUPERS, SMALL_SUPERS,
                             super};
    }
}

/* One panel against all m activation rows. */
static void panel_times_tiles(const struct form *form, float *y, size_t ldy,
                              const struct weight_rows *rows, uint32_t mask, const char *activation,
                              size_t m, size_t n_blocks, void *scratch) {
    const struct tiling tiling = tiling_of(m);
    const size_t chunk = m <= FEW ? form->small_chunk : form->chunk;
    const size_t chunks = (n_blocks + chunk - 1) / chunk;
    for (size_t c = 0, first = 0, next; c < chunks; c++, first = next) {
        next = n_blocks * (c + 1) / chunks; /* even chunks */
        form->unpack(scratch, rows, first, next - first);
        float *out = y;
        for (size_t t = 0; t < tiling.tiles; t++) {
            const size_t count = tiling_count(&tiling, t);
            struct tile_call call = {.y = out, .ldy = ldy, .panel = scratch, .rows = mask};
            call.tile = activation + (t * n_blocks + first) * form->tile_bytes;
            call.count = next - first;
            call.to_next = n_blocks * form->tile_bytes;
            call.more = first > 0;
            form->tile(&call, count);
            out += count * ldy;
        }
    }
}

/* Unpacking prefetches the panel after it; the first has nobody to do it. */
static void prefetch_start(const uint8_t *w, size_t n) {
    enum { MOST = 32 << 10 };
    for (size_t i = 0; i < n && i < MOST; i += 64) _mm_prefetch((const char *)w + i, _MM_HINT_T1);
}

static void matmul_panels(uint32_t type, float *y, size_t ldy, const uint8_t *w, size_t n,
                          const void *activation, size_t m, size_t k, void *scratch) {
    const struct form form = form_of(type);
    const size_t stride = row_bytes(type, k), n_blocks = k / weight_format(type)->block;
    prefetch_start(w, (n < PANEL ? n : PANEL) * stride);
    for (size_t first = 0; first < n; first += PANEL) {
        const size_t left = n - first;
        struct weight_rows rows = {.next = w + (first + PANEL) * stride};
        for (size_t r = 0; r < PANEL; r++)
            rows.row[r] = w + (first + (r < left ? r : left - 1)) * stride;
        uint32_t mask = left < PANEL ? (1u << left) - 1 : UINT32_MAX;
        panel_times_tiles(&form, y + first, ldy, &rows, mask, activation, m, n_blocks, scratch);
    }
}

static void clear(float *y, size_t ldy, size_t n, size_t m) {
    for (size_t i = 0; i < m; i++) memset(y + i * ldy, 0, n * sizeof *y);
}

static void matmul(uint32_t type, float *y, size_t ldy, const void *w, size_t n,
                   const void *activation, size_t m, size_t k, void *scratch) {
    if (n == 0 || m == 0) return;
    if (k == 0)
        clear(y, ldy, n, m);
    else if (weight_format(type)->block == 1)
        matmul_float_avx512(type, y, ldy, w, n, activation, m, k);
    else if (m == 1)
        matmul_linear_avx512(type, y, w, n, activation, k, scratch);
    else
        matmul_panels(type, y, ldy, w, n, activation, m, k, scratch);
}

static size_t matmul_scratch(uint32_t type, size_t k) {
    const size_t blocks = CHUNK_BLOCKS * sizeof(struct panel_block);
    const size_t supers = CHUNK_SUPERS * sizeof(struct panel_super);
    const size_t linear = linear_scratch_avx512();
    size_t panel = weight_format(type)->block == BLOCK ? blocks : supers;
    (void)k;
    if (weight_format(type)->block == 1) return 0;
    return panel > linear ? panel : linear;
}

void matmul_avx512_fill(struct kernels *kernels) {
    kernels->activation_bytes = activation_bytes_avx512;
    kernels->activation_quantize = activation_quantize_avx512;
    kernels->matmul = matmul;
    kernels->matmul_scratch = matmul_scratch;
    kernels->matmul_panel = PANEL;
}
