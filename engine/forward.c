#include "engine/forward.h"

#include <stdlib.h>
#include <string.h>

#include "engine/attend.h"
#include "engine/product.h"
#include "engine/scratch.h"

struct forward {
    const struct model *model;
    const struct kernels *kernels;
    struct kv *kv;
    struct pool *pool;
    struct rope rope;
    struct attend *attend;
    uint32_t max_rows;
    size_t kernel_scratch, thread_scratch; /* bytes a thread: for the kernels; with an output of its own */
    /* Buffers for `cap_rows` rows, grown on demand, given back by forward_trim. Rows first. */
    uint32_t cap_rows;
    struct scratch memory;
    float *x, *y;              /* [rows][n_embd] residual stream; normed or projected */
    float *q, *k, *v;          /* [rows][heads * head_dim] */
    float *attended;           /* [rows][n_head * head_dim] */
    float *gate, *up;          /* [rows][n_ff] */
    float *cosines, *sines;    /* [rows][n_pairs] */
    void *activation[3];       /* quantised inputs, one per distinct weight format */
    void **scratch;            /* [threads] */
    /* The pass under way, for the pool's pieces. */
    const struct row *rows;
    uint32_t n;
    const struct layer *layer;
};

/* Rows a piece when work is split by rows; below two pieces' worth it runs on the caller. */
enum { ROWS_A_PIECE = 8 };

static size_t max_size(size_t a, size_t b) {
    return a > b ? a : b;
}

/* Room for the quantised form of m rows against any weight of the model. */
static size_t activation_room(const struct forward *f, size_t m) {
    const struct model *model = f->model;
    size_t room = f->kernels->activation_bytes(model->output.type, m, model->output.k);
    for (uint32_t i = 0; i < model->n_layer; i++) {
        const struct layer *l = &model->layers[i];
        const struct weight *weights[] = {&l->q, &l->k, &l->v, &l->o, &l->gate, &l->up, &l->down};
        for (size_t w = 0; w < sizeof weights / sizeof *weights; w++)
            room = max_size(room, f->kernels->activation_bytes(weights[w]->type, m, weights[w]->k));
    }
    return room;
}

static size_t scratch_room(const struct forward *f) {
    const struct model *model = f->model;
    size_t room = f->kernels->matmul_scratch(model->output.type, model->output.k);
    for (uint32_t i = 0; i < model->n_layer; i++) {
        const struct layer *l = &model->layers[i];
        const struct weight *weights[] = {&l->q, &l->k, &l->v, &l->o, &l->gate, &l->up, &l->down};
        for (size_t w = 0; w < sizeof weights / sizeof *weights; w++)
            room = max_size(room, f->kernels->matmul_scratch(weights[w]->type, weights[w]->k));
    }
    return room;
}

/* Lays the buffers for `rows` rows out in one allocation. */
static bool buffers_reserve(struct forward *f, uint32_t rows, struct error *error) {
    if (rows <= f->cap_rows) return true;
    const struct model *m = f->model;
    size_t q = (size_t)m->n_head * m->head_dim, kv = (size_t)m->n_head_kv * m->head_dim;
    size_t act = activation_room(f, rows);
    unsigned threads = pool_threads(f->pool);
    struct scratch_part parts[] = {
        {(void **)&f->x, sizeof(float) * rows * m->n_embd},
        {(void **)&f->y, sizeof(float) * rows * m->n_embd},
        {(void **)&f->q, sizeof(float) * rows * q},
        {(void **)&f->k, sizeof(float) * rows * kv},
        {(void **)&f->v, sizeof(float) * rows * kv},
        {(void **)&f->attended, sizeof(float) * rows * q},
        {(void **)&f->gate, sizeof(float) * rows * m->n_ff},
        {(void **)&f->up, sizeof(float) * rows * m->n_ff},
        {(void **)&f->cosines, sizeof(float) * rows * f->rope.n_pairs},
        {(void **)&f->sines, sizeof(float) * rows * f->rope.n_pairs},
        {&f->activation[0], act},
        {&f->activation[1], act},
        {&f->activation[2], act},
        {(void **)&f->scratch, sizeof(void *) * threads},
    };
    pool_quiesce(f->pool); /* a late thread may still read the old buffers */
    scratch_free(&f->memory);
    f->cap_rows = 0;
    if (!scratch_layout(&f->memory, parts, sizeof parts / sizeof *parts, threads * f->thread_scratch))
        return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a pass over %u rows", rows);
    for (unsigned t = 0; t < threads; t++)
        f->scratch[t] = (char *)f->memory.rest + t * f->thread_scratch;
    f->cap_rows = rows;
    return true;
}

void forward_trim(struct forward *f) {
    pool_quiesce(f->pool); /* a late thread may still read the old buffers */
    scratch_free(&f->memory);
    f->cap_rows = 0;
    attend_trim(f->attend);
}

struct forward *forward_new(const struct model *model, const struct kernels *kernels, struct kv *kv,
                            struct pool *pool, uint32_t max_rows, struct error *error) {
    struct forward *f = calloc(1, sizeof *f);
    if (!f) {
        error_set(error, ERROR_OUT_OF_MEMORY, "no memory for the forward pass");
        return NULL;
    }
    *f = (struct forward){.model = model, .kernels = kernels, .kv = kv, .pool = pool, .max_rows = max_rows};
    f->kernel_scratch = (scratch_room(f) + 63) / 64 * 64;
    f->thread_scratch = f->kernel_scratch + PRODUCT_REDO_FLOATS * sizeof(float);
    f->attend = attend_new(model, kernels, kv, pool, error);
    if (!f->attend || !rope_init(&f->rope, model, error)) {
        forward_free(f);
        return NULL;
    }
    return f;
}

void forward_free(struct forward *f) {
    if (!f) return;
    pool_quiesce(f->pool); /* a late thread may still read the old buffers */
    scratch_free(&f->memory);
    attend_free(f->attend);
    rope_deinit(&f->rope);
    free(f);
}

uint32_t forward_max_rows(const struct forward *f) {
    return f->max_rows;
}

/* ---- steps ------------------------------------------------------------------------- */

typedef void row_step(struct forward *f, uint32_t first, uint32_t count);

struct row_job {
    struct forward *forward;
    row_step *step;
};

static void row_piece(void *arg, size_t piece, unsigned thread) {
    const struct row_job *job = arg;
    uint32_t first = (uint32_t)piece * ROWS_A_PIECE, left = job->forward->n - first;
    (void)thread;
    job->step(job->forward, first, left < ROWS_A_PIECE ? left : ROWS_A_PIECE);
}

/* Runs a step that treats rows independently: on the caller when there are few. */
static void each_row(struct forward *f, row_step *step) {
    if (f->n < 2 * ROWS_A_PIECE) {
        step(f, 0, f->n);
        return;
    }
    struct row_job job = {f, step};
    pool_run(f->pool, row_piece, &job, (f->n + ROWS_A_PIECE - 1) / ROWS_A_PIECE);
}

static void embed(struct forward *f, uint32_t first, uint32_t count) {
    const struct weight *w = &f->model->token_embd;
    const struct weight_format *format = weight_format(w->type);
    size_t row_bytes = (size_t)w->k / format->block * format->block_bytes;
    for (uint32_t i = first; i < first + count; i++) {
        const char *row = (const char *)w->data + f->rows[i].token * row_bytes;
        f->kernels->get_row(w->type, f->x + (size_t)i * w->k, row, w->k);
        rope_angles(&f->rope, f->cosines + (size_t)i * f->rope.n_pairs,
                    f->sines + (size_t)i * f->rope.n_pairs, f->rows[i].position);
    }
}

/* Quantises rows of x into the activation slot of each distinct format among the weights. */
static void quantize(struct forward *f, const float *x, size_t width, const struct weight *const *weights,
                     size_t n_weights, uint32_t first, uint32_t count) {
    for (size_t w = 0; w < n_weights; w++)
        if (w == product_slot(weights, w))
            f->kernels->activation_quantize(weights[w]->type, f->activation[w], x, width, f->n, width,
                                            first, count);
}

static void norm_rows(struct forward *f, const float *weight, uint32_t first, uint32_t count) {
    size_t e = f->model->n_embd;
    for (uint32_t i = first; i < first + count; i++)
        f->kernels->rms_norm(f->y + i * e, f->x + i * e, weight, e, f->model->norm_eps);
}

static void attention_input(struct forward *f, uint32_t first, uint32_t count) {
    const struct layer *l = f->layer;
    norm_rows(f, l->attn_norm, first, count);
    quantize(f, f->y, f->model->n_embd, (const struct weight *[]){&l->q, &l->k, &l->v}, 3, first, count);
}

static void ffn_input(struct forward *f, uint32_t first, uint32_t count) {
    const struct layer *l = f->layer;
    norm_rows(f, l->ffn_norm, first, count);
    quantize(f, f->y, f->model->n_embd, (const struct weight *[]){&l->gate, &l->up}, 2, first, count);
}

static void attention_output(struct forward *f, uint32_t first, uint32_t count) {
    size_t width = (size_t)f->model->n_head * f->model->head_dim;
    quantize(f, f->attended, width, (const struct weight *[]){&f->layer->o}, 1, first, count);
}

static void ffn_middle(struct forward *f, uint32_t first, uint32_t count) {
    size_t width = f->model->n_ff;
    for (uint32_t i = first; i < first + count; i++)
        f->kernels->silu_mul(f->gate + i * width, f->gate + i * width, f->up + i * width, width);
    quantize(f, f->gate, width, (const struct weight *[]){&f->layer->down}, 1, first, count);
}

static void add_residual(struct forward *f, uint32_t first, uint32_t count) {
    size_t e = f->model->n_embd;
    f->kernels->add(f->x + first * e, f->y + first * e, count * e);
}

/* Rotates queries and keys, and writes keys and values into the sequences' blocks. */
static void rotate_and_store(struct forward *f, uint32_t first, uint32_t count) {
    const struct model *m = f->model;
    uint32_t layer = (uint32_t)(f->layer - m->layers);
    size_t hd = m->head_dim;
    for (uint32_t i = first; i < first + count; i++) {
        const float *c = f->cosines + (size_t)i * f->rope.n_pairs, *s = f->sines + (size_t)i * f->rope.n_pairs;
        float *q = f->q + i * hd * m->n_head, *k = f->k + i * hd * m->n_head_kv;
        const float *v = f->v + i * hd * m->n_head_kv;
        const struct row *row = &f->rows[i];
        const struct kv_block *block = row->sequence->blocks[row->position / KV_TILE];
        uint32_t slot = row->position % KV_TILE;
        for (uint32_t h = 0; h < m->n_head; h++)
            f->kernels->rope(q + h * hd, c, s, f->rope.n_pairs, m->rope_interleaved);
        for (uint32_t h = 0; h < m->n_head_kv; h++) {
            f->kernels->rope(k + h * hd, c, s, f->rope.n_pairs, m->rope_interleaved);
            f->kernels->store_f16(kv_keys(f->kv, block, layer, h) + slot, KV_TILE, k + h * hd, hd);
            f->kernels->store_f16(kv_values(f->kv, block, layer, h) + slot * hd, 1, v + h * hd, hd);
        }
    }
}

static void attention_step(struct forward *f) {
    const struct model *m = f->model;
    const struct layer *l = f->layer;
    uint32_t q = m->n_head * m->head_dim, kv = m->n_head_kv * m->head_dim;
    const struct weight *weights[] = {&l->q, &l->k, &l->v};
    struct product products[] = {{.weight = &l->q, .out = f->q, .ld = q},
                                 {.weight = &l->k, .out = f->k, .ld = kv},
                                 {.weight = &l->v, .out = f->v, .ld = kv}};
    each_row(f, attention_input);
    for (size_t i = 0; i < 3; i++) products[i].activation = f->activation[product_slot(weights, i)];
    product_run(f->kernels, f->pool, products, 3, f->n, f->scratch, f->kernel_scratch);
    each_row(f, rotate_and_store);
    attend_run(f->attend, (uint32_t)(l - m->layers), f->rows, f->n, f->q, f->attended);
    each_row(f, attention_output);
    struct product out = {&l->o, f->activation[0], f->y, m->n_embd};
    product_run(f->kernels, f->pool, &out, 1, f->n, f->scratch, f->kernel_scratch);
    each_row(f, add_residual);
}

static void ffn_step(struct forward *f) {
    const struct model *m = f->model;
    const struct layer *l = f->layer;
    const struct weight *weights[] = {&l->gate, &l->up};
    each_row(f, ffn_input);
    struct product products[] = {{&l->gate, f->activation[0], f->gate, m->n_ff},
                                 {&l->up, f->activation[product_slot(weights, 1)], f->up, m->n_ff}};
    product_run(f->kernels, f->pool, products, 2, f->n, f->scratch, f->kernel_scratch);
    each_row(f, ffn_middle);
    struct product down = {&l->down, f->activation[0], f->y, m->n_embd};
    product_run(f->kernels, f->pool, &down, 1, f->n, f->scratch, f->kernel_scratch);
    each_row(f, add_residual);
}

static void prepare_output(struct forward *f, const struct row *row, uint32_t i) {
    size_t e = f->model->n_embd;
    const float *x = f->x + (size_t)(row - f->rows) * e;
    f->kernels->rms_norm(f->y + i * e, x, f->model->output_norm, e, f->model->norm_eps);
}

/* Logits of one row, of some tokens. */
static void output_chosen(struct forward *f, const struct row *row) {
    const struct weight *w = &f->model->output;
    struct product_chosen chosen = {w, f->activation[0], row->logits, row->chosen, row->n_chosen};
    prepare_output(f, row, 0);
    f->kernels->activation_quantize(w->type, f->activation[0], f->y, w->k, 1, w->k, 0, 1);
    product_run_chosen(f->kernels, f->pool, &chosen, f->scratch, f->kernel_scratch);
}

/* Logits of all tokens, of as many rows from `from` on as have consecutive buffers; rows that want none or
 * few may lie between. Returns the row to go on with. */
static uint32_t output_all(struct forward *f, uint32_t from) {
    const struct weight *w = &f->model->output;
    struct product logits = {w, f->activation[0], f->rows[from].logits, f->model->n_vocab};
    uint32_t count = 0, i = from;
    for (; i < f->n; i++) {
        const struct row *row = &f->rows[i];
        if (!row->logits || row->n_chosen) continue;
        if (row->logits != logits.out + (size_t)count * f->model->n_vocab) break;
        prepare_output(f, row, count++);
    }
    f->kernels->activation_quantize(w->type, f->activation[0], f->y, w->k, count, w->k, 0, count);
    product_run(f->kernels, f->pool, &logits, 1, count, f->scratch, f->kernel_scratch);
    return i;
}

static void output_step(struct forward *f) {
    for (uint32_t i = 0; i < f->n; i++)
        if (f->rows[i].logits && f->rows[i].n_chosen) output_chosen(f, &f->rows[i]);
    for (uint32_t i = 0; i < f->n;)
        if (f->rows[i].logits && !f->rows[i].n_chosen) i = output_all(f, i);
        else i++;
}

bool forward_run(struct forward *f, const struct row *rows, uint32_t n, struct error *error) {
    if (!buffers_reserve(f, n, error) || !attend_prepare(f->attend, rows, n, error)) return false;
    f->rows = rows;
    f->n = n;
    each_row(f, embed);
    for (uint32_t i = 0; i < f->model->n_layer; i++) {
        f->layer = &f->model->layers[i];
        attention_step(f);
        ffn_step(f);
    }
    output_step(f);
    for (uint32_t i = 0; i < n; i++) rows[i].sequence->n_tokens = rows[i].position + 1;
    return true;
}
