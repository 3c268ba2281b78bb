/* attention, scalar: the specification, one query after the other. The query's out row holds o. */
#include "kernels/kernels.h"

#include <math.h>

#include "kernels/scalar/exp.h"
#include "kernels/scalar/f16.h"
#include "kernels/table.h"

/* The softmax so far. */
struct running {
    float max, sum; /* m and l */
    bool started;
};

static void tile_scores(float scores[KV_TILE], const float *query, const uint16_t *k_tile,
                        size_t seen, size_t head_dim, float scale) {
    for (size_t j = 0; j < seen; j++) {
        float dot = 0.0f;
        for (size_t d = 0; d < head_dim; d++)
            dot = fmaf(query[d], f16_widen(k_tile[d * KV_TILE + j]), dot);
        scores[j] = scale * dot;
    }
}

static float tile_sum(const float p[KV_TILE]) {
    float lane[KV_TILE / 2];
    for (size_t j = 0; j < KV_TILE / 2; j++) lane[j] = p[j] + p[j + KV_TILE / 2];
    for (size_t half = KV_TILE / 4; half > 0; half /= 2)
        for (size_t j = 0; j < half; j++) lane[j] += lane[j + half];
    return lane[0];
}

/* Scores become probabilities in place (unseen: +0); returns c, the factor for what came before. */
static float tile_softmax(struct running *run, float p[KV_TILE], size_t seen) {
    float max = run->started ? run->max : p[0];
    for (size_t j = 0; j < seen; j++) max = p[j] > max ? p[j] : max;
    float c = run->started ? exp_scalar(run->max - max) : 0.0f;
    for (size_t j = 0; j < KV_TILE; j++) p[j] = j < seen ? exp_scalar(p[j] - max) : 0.0f;
    *run = (struct running){.max = max, .sum = fmaf(run->sum, c, tile_sum(p)), .started = true};
    return c;
}

static void tile_values(float *out, float c, const float p[KV_TILE], const uint16_t *v_tile,
                        size_t seen, size_t head_dim) {
    for (size_t d = 0; d < head_dim; d++) {
        float o = out[d] * c;
        for (size_t j = 0; j < seen; j++) o = fmaf(p[j], f16_widen(v_tile[j * head_dim + d]), o);
        out[d] = o;
    }
}

static void attend(const struct attention *a, size_t i) {
    struct running run = {0};
    float *out = a->out[i];
    for (size_t d = 0; d < a->head_dim; d++) out[d] = 0.0f;
    for (size_t first = 0; first < a->n_keys[i]; first += KV_TILE) {
        float p[KV_TILE];
        size_t tile = first / KV_TILE, left = a->n_keys[i] - first;
        size_t seen = left < KV_TILE ? left : KV_TILE;
        tile_scores(p, a->query[i], a->k_tiles[tile], seen, a->head_dim, a->scale);
        float c = tile_softmax(&run, p, seen);
        tile_values(out, c, p, a->v_tiles[tile], seen, a->head_dim);
    }
    for (size_t d = 0; d < a->head_dim; d++) out[d] /= run.sum;
}

static void attention(const struct attention *a) {
    for (size_t i = 0; i < a->n; i++) attend(a, i);
}

static size_t attention_scratch(size_t head_dim, size_t n) {
    (void)head_dim, (void)n;
    return 64; /* none needed; a caller need not think about allocating nothing */
}

void attention_scalar_fill(struct kernels *kernels) {
    kernels->attention = attention;
    kernels->attention_scratch = attention_scratch;
}
