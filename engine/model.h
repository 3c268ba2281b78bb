/* model: hyper-parameters and weights of a mapped file, checked.
 *
 * model_load binds every tensor of the file to its place in the architecture;
 * a missing, superfluous, misshapen or unsupported one is refused by name, so the
 * forward pass needs no checks. Weights stay in the mapping. Immutable.
 */
#ifndef ENGINE_MODEL_H
#define ENGINE_MODEL_H

#include "engine/gguf.h"

struct weight { /* a matrix of n rows of k values, file layout */
    const void *data;
    uint32_t type; /* kernels.h weight_type */
    uint32_t n, k;
};

struct layer {
    const float *attn_norm, *ffn_norm; /* [n_embd] */
    struct weight q, k, v, o;          /* [n_head*head_dim][n_embd], [n_head_kv*head_dim][n_embd] x2,
                                          [n_embd][n_head*head_dim] */
    struct weight gate, up, down;      /* [n_ff][n_embd] x2, [n_embd][n_ff] */
};

struct model {
    const char *architecture;
    uint32_t n_layer, n_embd, n_ff, n_head, n_head_kv, head_dim, n_rot, n_vocab;
    uint32_t n_ctx_train;
    float norm_eps;
    double rope_base, rope_scale; /* positions are divided by rope_scale */
    const float *rope_factors;    /* n_rot/2 divisors of the frequencies, or NULL */
    bool rope_interleaved;
    struct weight token_embd, output; /* [n_vocab][n_embd] */
    const float *output_norm;
    struct layer *layers;
    uint64_t n_parameters;
    const char *quantization; /* the format that holds most weights, e.g. "Q4_1" */
    uint64_t fingerprint;     /* hash of size, metadata and a sample of every tensor */
};

/* gguf must outlive the model. n_vocab: of the vocabulary, which the weights must match. NULL and
 * ERROR_MODEL_NOT_READY, naming what is wrong. */
struct model *model_load(const struct gguf *gguf, uint32_t n_vocab, struct error *error);
void model_free(struct model *model);

#endif
