/* matmul, AVX2: panels of 8 weight rows are unpacked once per chunk of k and meet every tile of
 * activations (tile.h). */
#include "kernels/avx2/tile.h"
#include "kernels/table.h"

enum {
    CHUNK_BLOCKS = 48, /* up to 28 KB of panel: it stays in L1 while the tiles go by */
    CHUNK_SUPERS = 8,
};

struct form {
    unpack_fn *unpack;
    tile_fn *tile;
    size_t chunk;      /* blocks of a panel unpacked at once */
    size_t tile_bytes; /* of one block of a tile */
};

static struct form form_of(uint32_t type) {
    const size_t block = sizeof(struct tile_block), super = sizeof(struct tile_super);
    switch (type) {
    case WEIGHT_Q4_0: return (struct form){unpack_q4_0_avx2, tile_q4_0_avx2, CHUNK_BLOCKS, block};
    case WEIGHT_Q4_1: return (struct form){unpack_q4_1_avx2, tile_q4_1_avx2, CHUNK_BLOCKS, block};
    case WEIGHT_Q8_0: return (struct form){unpack_q8_0_avx2, tile_q8_0_avx2, CHUNK_BLOCKS, block};
    case WEIGHT_Q4_K: return (struct form){unpack_q4_k_avx2, tile_q4_k_avx2, CHUNK_SUPERS, super};
    case WEIGHT_Q5_K: return (struct form){unpack_q5_k_avx2, tile_q5_k_avx2, CHUNK_SUPERS, super};
    default: return (struct form){unpack_q6_k_avx2, tile_q6_k_avx2, CHUNK_SUPERS, super};
    }
}

/* One panel against all m activation rows. */
static void panel_times_tiles(const struct form *form, float *y, size_t ldy,
                              const struct weight_rows *rows, size_t n_rows, const char *activation,
                              size_t m, size_t n_blocks, void *scratch) {
    const size_t chunks = (n_blocks + form->chunk - 1) / form->chunk;
    for (size_t c = 0, first = 0, next; c < chunks; c++, first = next) {
        next = n_blocks * (c + 1) / chunks; /* even chunks */
        form->unpack(scratch, rows, first, next - first);
        for (size_t i = 0; i < m; i += TILE) {
            struct tile_call call = {
                .y = y + i * ldy, .ldy = ldy, .panel = scratch, .rows = n_rows};
            call.tile = activation + (i / TILE * n_blocks + first) * form->tile_bytes;
            call.count = next - first;
            call.more = first > 0;
            form->tile(&call, m - i < TILE ? m - i : TILE);
        }
    }
}

static void matmul_panels(uint32_t type, float *y, size_t ldy, const uint8_t *w, size_t n,
                          const void *activation, size_t m, size_t k, void *scratch) {
    const struct form form = form_of(type);
    const size_t stride = row_bytes(type, k), n_blocks = k / weight_format(type)->block;
    for (size_t first = 0; first < n; first += PANEL) {
        const size_t left = n - first;
        struct weight_rows rows = {.next = w + (first + PANEL) * stride};
        for (size_t r = 0; r < PANEL; r++)
            rows.row[r] = w + (first + (r < left ? r : left - 1)) * stride;
        panel_times_tiles(&form, y + first, ldy, &rows, left < PANEL ? left : PANEL, activation, m,
                          n_blocks, scratch);
    }
}

static void clear(float *y, size_t ldy, size_t n, size_t m) {
    for (size_t i = 0; i < m; i++) memset(y + i * ldy, 0, n * sizeof *y);
}

static void matmul(uint32_t type, float *y, size_t ldy, const void *w, size_t n,
                   const void *activation, size_t m, size_t k, void *scratch) {
    if (k == 0)
        clear(y, ldy, n, m);
    else if (weight_format(type)->block == 1)
        matmul_float_avx2(type, y, ldy, w, n, activation, m, k);
    else
        matmul_panels(type, y, ldy, w, n, activation, m, k, scratch);
}

static size_t matmul_scratch(uint32_t type, size_t k) {
    (void)k;
    switch (weight_format(type)->block) {
    case BLOCK: return CHUNK_BLOCKS * sizeof(struct panel_block);
    case SUPER: return CHUNK_SUPERS * sizeof(struct panel_super);
    default: return 0;
    }
}

void matmul_avx2_fill(struct kernels *kernels) {
    kernels->activation_bytes = activation_bytes_avx2;
    kernels->activation_quantize = activation_quantize_avx2;
    kernels->matmul = matmul;
    kernels->matmul_scratch = matmul_scratch;
    kernels->matmul_panel = 32;
}
