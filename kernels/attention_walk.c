#include "kernels/attention_walk.h"

#include <string.h>

#include "kernels/kernels.h"

/* Up to this many queries a step covers several tiles, so that the softmax of few rows does not
 * stand between two tiles with all its latency. */
enum { FEW = 16 };

/* Tiles from the one being read to the one being prefetched: what memory takes to answer. */
enum { AHEAD = 2 };

/* Queries of one attention call that go through the tiles together, and their state. */
struct panel {
    const struct attention *attention;
    const struct attention_ops *ops;
    size_t n, first;      /* queries; those before `first` have seen all their keys */
    size_t tiles, span;   /* tiles in sight of the last query; tiles of a step */
    size_t width;         /* floats in a row of query, out and a widened V tile */
    bool widened;         /* tiles are widened to f32 before use: pays from three blocks on */
    uint32_t *order;      /* [n]: place in the caller's arrays, by rising n_keys */
    float *query, *out;   /* [n][width] */
    float *scores, *wide; /* [ATTENTION_ROWS][KV_TILE]; one widened tile */
    float *max, *sum, *factor;
    uint32_t *seen;
};

static size_t size_min(size_t a, size_t b) {
    return a < b ? a : b;
}

static size_t panel_width(size_t head_dim) {
    return (head_dim + ATTENTION_WIDTH - 1) / ATTENTION_WIDTH * ATTENTION_WIDTH;
}

/* Points *out at the next n 4-byte values of the scratch that starts at base (or only counts). */
static void carve(void *base, size_t *used, void *out, size_t n) {
    void *at = base ? (char *)base + *used : NULL;
    memcpy(out, &at, sizeof at);
    *used += (n * 4 + 63) / 64 * 64;
}

static size_t panel_carve(struct panel *panel, void *base, size_t head_dim, size_t n) {
    size_t used = 0, width = panel_width(head_dim), rows = ATTENTION_ROWS + ATTENTION_PAD;
    n = size_min(n, ATTENTION_ROWS);
    carve(base, &used, &panel->order, n);
    carve(base, &used, &panel->query, n * width);
    carve(base, &used, &panel->out, n * width);
    carve(base, &used, &panel->scores, ATTENTION_ROWS * KV_TILE);
    carve(base, &used, &panel->wide, KV_TILE * width);
    carve(base, &used, &panel->max, n + rows);
    carve(base, &used, &panel->sum, n + rows);
    carve(base, &used, &panel->factor, rows);
    carve(base, &used, &panel->seen, rows);
    return used;
}

size_t attention_walk_scratch(size_t head_dim, size_t n) {
    struct panel panel;
    return panel_carve(&panel, NULL, head_dim, n);
}

/* Callers come sorted already, so this is one pass nearly always. */
static void panel_sort(struct panel *panel, size_t at) {
    const uint32_t *n_keys = panel->attention->n_keys;
    for (size_t i = 0; i < panel->n; i++) {
        size_t j = i;
        for (; j > 0 && n_keys[panel->order[j - 1]] > n_keys[at + i]; j--)
            panel->order[j] = panel->order[j - 1];
        panel->order[j] = (uint32_t)(at + i);
    }
}

static void panel_load(struct panel *panel, size_t at) {
    const struct attention *a = panel->attention;
    panel_sort(panel, at);
    for (size_t i = 0; i < panel->n; i++) {
        memcpy(panel->query + i * panel->width, a->query[panel->order[i]],
               a->head_dim * sizeof(float));
        panel->max[i] = -__builtin_inff();
        panel->sum[i] = 0.0f;
    }
    memset(panel->out, 0, panel->n * panel->width * sizeof(float));
}

static uint32_t panel_keys(const struct panel *panel, size_t i) {
    return panel->attention->n_keys[panel->order[i]];
}

/* Rows of the next block when `left` are left: evenly shared out, as a block of one or two rows
 * takes nearly as long as a full one. */
static size_t block_height(const struct panel *panel, size_t left) {
    size_t most = panel->ops->block_rows, blocks = (left + most - 1) / most;
    return (left + blocks - 1) / blocks;
}

static void panel_store(const struct panel *panel) {
    const struct attention *a = panel->attention;
    for (size_t i = 0; i < panel->n; i++)
        panel->ops->divide(a->out[panel->order[i]], panel->out + i * panel->width, panel->sum[i],
                           a->head_dim);
}

static void look(const struct panel *panel, size_t tile, size_t tiles) {
    size_t row = 0;
    for (size_t t = tile; t < tile + tiles; t++)
        for (size_t i = 0; i < panel->n; i++, row++) {
            size_t keys = panel_keys(panel, i), before = t * KV_TILE;
            panel->seen[row] = keys > before ? (uint32_t)size_min(keys - before, KV_TILE) : 0;
        }
    memset(panel->seen + row, 0, ATTENTION_PAD * sizeof(uint32_t));
}

/* Scores of the queries against one tile into rows `row` on. */
static void scores(const struct panel *panel, size_t row, const uint16_t *tile,
                   const uint16_t *ahead) {
    const struct attention *a = panel->attention;
    const struct attention_ops *ops = panel->ops;
    if (panel->widened) ops->widen(panel->wide, KV_TILE, tile, a->head_dim, KV_TILE);
    struct attention_block block = {.lda = panel->width,
                                    .ldb = KV_TILE,
                                    .ldc = KV_TILE,
                                    .k = a->head_dim,
                                    .columns = ops->block_columns,
                                    .scale = a->scale};
    for (size_t column = 0; column < KV_TILE; column += ops->block_columns) {
        block.b = panel->widened ? (const void *)(panel->wide + column) : tile + column;
        block.ahead = ahead + column;
        for (size_t i = panel->first, n; i < panel->n; i += n) {
            n = block_height(panel, panel->n - i);
            block.a = panel->query + i * panel->width;
            block.c = panel->scores + (row + i) * KV_TILE + column;
            ops->block[!panel->widened][n - 1](&block);
        }
    }
}

/* The keys that only some rows of a block see: row by row. Keys not seen take no part in a chain.
 */
static void values_rest(const struct panel *panel, struct attention_block block,
                        const uint32_t *seen, size_t n) {
    static const float one = 1.0f;
    size_t common = block.k;
    size_t bytes = panel->widened ? sizeof(float) : sizeof(uint16_t);
    block.b = (const char *)block.b + common * block.ldb * bytes;
    block.factor = &one;
    block.a += common;
    for (size_t i = 0; i < n; i++, block.a += block.lda, block.c += block.ldc) {
        block.k = seen[i] - common;
        if (block.k > 0) panel->ops->block[!panel->widened][0](&block);
    }
}

/* out = out * c + p . v for n queries from i on, whose rows of the step start at `row`. */
static void values_block(const struct panel *panel, struct attention_block *block, size_t row,
                         size_t n) {
    const uint32_t *seen = panel->seen + row;
    uint32_t least = seen[0], most = seen[0];
    for (size_t i = 1; i < n; i++) {
        least = seen[i] < least ? seen[i] : least;
        most = seen[i] > most ? seen[i] : most;
    }
    block->a = panel->scores + row * KV_TILE;
    block->factor = panel->factor + row;
    block->k = least;
    panel->ops->block[!panel->widened][n - 1](block);
    if (most > least) values_rest(panel, *block, seen, n);
}

static void values(const struct panel *panel, size_t row, const uint16_t *tile,
                   const uint16_t *ahead) {
    const struct attention *a = panel->attention;
    const struct attention_ops *ops = panel->ops;
    if (panel->widened) ops->widen(panel->wide, panel->width, tile, KV_TILE, a->head_dim);
    struct attention_block block = {.lda = KV_TILE,
                                    .ldb = panel->widened ? panel->width : a->head_dim,
                                    .ldc = panel->width,
                                    .scale = 1.0f};
    for (size_t column = 0; column < a->head_dim; column += ops->block_columns) {
        block.b = panel->widened ? (const void *)(panel->wide + column) : tile + column;
        block.ahead = ahead + column;
        block.columns = size_min(ops->block_columns, a->head_dim - column);
        for (size_t i = panel->first, n; i < panel->n; i += n) {
            n = block_height(panel, panel->n - i);
            block.c = panel->out + i * panel->width + column;
            values_block(panel, &block, row + i, n);
        }
    }
}

static void panel_softmax(const struct panel *panel, size_t rows) {
    size_t n = panel->n, first = panel->first;
    panel->ops->softmax(&(struct attention_softmax){.scores = panel->scores,
                                                    .seen = panel->seen,
                                                    .max = panel->max,
                                                    .sum = panel->sum,
                                                    .factor = panel->factor,
                                                    .n = n,
                                                    .first = first,
                                                    .rows = rows});
    memmove(panel->max + first, panel->max + rows + first, (n - first) * sizeof(float));
    memmove(panel->sum + first, panel->sum + rows + first, (n - first) * sizeof(float));
}

/* The tile that is read `place` tiles after the step's first: its K tiles, its V tiles, then the
 * next step's. Past the last one any will do. */
static const uint16_t *upcoming(const struct panel *panel, size_t tile, size_t tiles,
                                size_t place) {
    const struct attention *a = panel->attention;
    if (place < tiles) return a->k_tiles[tile + place];
    if (place < 2 * tiles) return a->v_tiles[tile + place - tiles];
    place -= tiles;
    return a->k_tiles[tile + place < panel->tiles ? tile + place : 0];
}

static void panel_step(const struct panel *panel, size_t tile, size_t tiles) {
    const struct attention *a = panel->attention;
    look(panel, tile, tiles);
    for (size_t t = 0; t < tiles; t++)
        scores(panel, t * panel->n, a->k_tiles[tile + t], upcoming(panel, tile, tiles, t + AHEAD));
    panel_softmax(panel, tiles * panel->n);
    for (size_t t = 0; t < tiles; t++)
        values(panel, t * panel->n, a->v_tiles[tile + t],
               upcoming(panel, tile, tiles, tiles + t + AHEAD));
}

static void panel_run(struct panel *panel) {
    for (size_t t = 0; t < panel->tiles; t += panel->span) {
        if (panel->span == 1)
            while (panel_keys(panel, panel->first) <= t * KV_TILE) panel->first++;
        panel_step(panel, t, size_min(panel->span, panel->tiles - t));
    }
}

void attention_walk(const struct attention *attention, const struct attention_ops *ops) {
    struct panel panel = {.attention = attention, .ops = ops};
    panel.width = panel_width(attention->head_dim);
    panel_carve(&panel, attention->scratch, attention->head_dim, attention->n);
    for (size_t at = 0; at < attention->n; at += panel.n) {
        panel.n = size_min(ATTENTION_ROWS, attention->n - at);
        panel.first = 0;
        panel.span = panel.n <= FEW ? ATTENTION_ROWS / panel.n : 1;
        panel.widened = panel.n > 2 * ops->block_rows;
        panel_load(&panel, at);
        panel.tiles = ((size_t)panel_keys(&panel, panel.n - 1) + KV_TILE - 1) / KV_TILE;
        panel_run(&panel);
        panel_store(&panel);
    }
}
