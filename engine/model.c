#include "engine/model.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/checksum.h"
#include "kernels/kernels.h"

/* Bounds that no model of the supported architectures exceeds; they keep products in range. */
enum {
    SAMPLE_BYTES = 64, /* of each end of a tensor, for the fingerprint */
    MAX_LAYERS = 1024,
    MAX_WIDTH = 1 << 17, /* of embeddings, feed-forward, all heads together */
    MAX_HEAD_DIM = 256,
    MAX_CONTEXT = 1 << 22,
    MAX_KV_VALUES = 1 << 22, /* K or V of one position in all layers */
};

struct loader {
    const struct gguf *gguf;
    struct model *model;
    struct error *error;
    uint64_t bound;      /* tensors bound so far */
    uint64_t type_sizes[64]; /* values stored in each format */
};

static bool refuse(struct loader *loader, const char *what) {
    return error_set(loader->error, ERROR_MODEL_NOT_READY, "%s", what);
}

static bool string_is(struct gguf_string s, const char *text) {
    return s.len == strlen(text) && memcmp(s.bytes, text, s.len) == 0;
}

/* Metadata number ARCH.key in 1..high; `fallback` when the key is absent and fallback is not 0. */
static bool read_count(struct loader *loader, const char *key, uint32_t *value, uint64_t high,
                       uint32_t fallback) {
    char name[128];
    uint64_t number;
    snprintf(name, sizeof name, "%s.%s", loader->model->architecture, key);
    if (!gguf_has(loader->gguf, name) && fallback) {
        *value = fallback;
        return true;
    }
    if (!gguf_get_u64(loader->gguf, name, &number) || number < 1 || number > high)
        return error_set(loader->error, ERROR_MODEL_NOT_READY,
                         "metadata %s is missing or out of range", name);
    *value = (uint32_t)number;
    return true;
}

/* Metadata number ARCH.key in low..high, low > 0; `fallback` as above. */
static bool read_float(struct loader *loader, const char *key, float *value, float low, float high,
                       float fallback) {
    char name[128];
    snprintf(name, sizeof name, "%s.%s", loader->model->architecture, key);
    *value = fallback;
    if (!gguf_has(loader->gguf, name) && fallback > 0) return true;
    if (!gguf_get_f32(loader->gguf, name, value) || !(*value >= low) || !(*value <= high))
        return error_set(loader->error, ERROR_MODEL_NOT_READY,
                         "metadata %s is missing or out of range", name);
    return true;
}

static bool check_causal(struct loader *loader) {
    char name[128];
    bool causal;
    snprintf(name, sizeof name, "%s.attention.causal", loader->model->architecture);
    if (!gguf_has(loader->gguf, name) || (gguf_get_bool(loader->gguf, name, &causal) && causal)) return true;
    return error_set(loader->error, ERROR_MODEL_NOT_READY, "metadata %s: only true is supported", name);
}

/* Options of the architecture that change the arithmetic and are not implemented: present and
 * active means refused. */
static bool check_options(struct loader *loader) {
    static const char *const counts[] = {"expert_count", "attention.sliding_window"};
    char name[128];
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        uint64_t number = 0;
        snprintf(name, sizeof name, "%s.%s", loader->model->architecture, counts[i]);
        if (gguf_has(loader->gguf, name) &&
            (!gguf_get_u64(loader->gguf, name, &number) || number != 0))
            return error_set(loader->error, ERROR_MODEL_NOT_READY,
                             "metadata %s: this option is not supported yet", name);
    }
    static const char *const floats[] = {"attention.scale", "logit_scale", "residual_scale",
                                         "embedding_scale", "attn_logit_softcapping",
                                         "final_logit_softcapping", "attention.clamp_kqv",
                                         "attention.max_alibi_bias"};
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++) {
        snprintf(name, sizeof name, "%s.%s", loader->model->architecture, floats[i]);
        if (gguf_has(loader->gguf, name))
            return error_set(loader->error, ERROR_MODEL_NOT_READY,
                             "metadata %s: this option is not supported yet", name);
    }
    return check_causal(loader);
}

/* Positions are divided by the scaling factor, old files' scale_linear, where the scaling type is
 * linear; that is also what a factor without a type means. The bounds keep every angle in range. */
static bool read_rope_scaling(struct loader *loader, float *scale) {
    const char *architecture = loader->model->architecture;
    char name[128];
    struct gguf_string kind = {"linear", 6};
    *scale = 1;
    snprintf(name, sizeof name, "%s.rope.scaling.type", architecture);
    bool typed = gguf_has(loader->gguf, name);
    if (typed && !gguf_get_string(loader->gguf, name, &kind))
        return refuse(loader, "metadata rope.scaling.type is not a string");
    if (string_is(kind, "none")) return true;
    if (!string_is(kind, "linear"))
        return error_set(loader->error, ERROR_MODEL_NOT_READY, "rope scaling type %s is not supported",
                         gguf_quote(kind).text);
    snprintf(name, sizeof name, "%s.rope.scaling.factor", architecture);
    bool old = !gguf_has(loader->gguf, name) && !typed;
    return read_float(loader, old ? "rope.scale_linear" : "rope.scaling.factor", scale, 1e-3f, 1e6f,
                      old ? 1 : 0);
}

static bool read_rope(struct loader *loader) {
    struct model *model = loader->model;
    float base, scale;
    if (!read_float(loader, "rope.freq_base", &base, 1, 1e12f, 10000) || !read_rope_scaling(loader, &scale))
        return false;
    model->rope_base = base;
    model->rope_scale = scale;
    model->rope_interleaved = true; /* llama's GGUF files hold permuted heads: pairs are neighbours */
    return read_count(loader, "rope.dimension_count", &model->n_rot, model->head_dim,
                      model->head_dim) &&
           (model->n_rot % 2 == 0 || refuse(loader, "rope.dimension_count is odd"));
}

static bool read_heads(struct loader *loader) {
    struct model *model = loader->model;
    uint32_t value_length;
    if (!read_count(loader, "attention.head_count", &model->n_head, 4096, 0) ||
        !read_count(loader, "attention.head_count_kv", &model->n_head_kv, 4096, model->n_head))
        return false;
    if (model->n_head % model->n_head_kv)
        return refuse(loader, "attention.head_count is no multiple of attention.head_count_kv");
    uint32_t even = model->n_embd % model->n_head ? 0 : model->n_embd / model->n_head;
    if (!read_count(loader, "attention.key_length", &model->head_dim, MAX_HEAD_DIM, even) ||
        !read_count(loader, "attention.value_length", &value_length, MAX_HEAD_DIM, model->head_dim))
        return false;
    if (value_length != model->head_dim)
        return refuse(loader, "attention.value_length differs from attention.key_length");
    if (model->head_dim % 8) return refuse(loader, "the head size is no multiple of 8");
    if (model->head_dim > MAX_HEAD_DIM) return refuse(loader, "the head size is too large");
    if (model->n_head * model->head_dim > MAX_WIDTH ||
        (uint64_t)model->n_head_kv * model->head_dim * model->n_layer > MAX_KV_VALUES)
        return refuse(loader, "the heads are too many for their size");
    return true;
}

static bool read_parameters(struct loader *loader, uint32_t n_vocab) {
    struct model *model = loader->model;
    model->n_vocab = n_vocab;
    return read_count(loader, "block_count", &model->n_layer, MAX_LAYERS, 0) &&
           read_count(loader, "embedding_length", &model->n_embd, MAX_WIDTH, 0) &&
           read_count(loader, "feed_forward_length", &model->n_ff, MAX_WIDTH, 0) &&
           read_count(loader, "context_length", &model->n_ctx_train, MAX_CONTEXT, 0) &&
           read_float(loader, "attention.layer_norm_rms_epsilon", &model->norm_eps, 1e-30f, 1, 0) &&
           read_heads(loader) && read_rope(loader) && check_options(loader);
}

/* ---- tensors ------------------------------------------------------------------ */

/* Numbers are in hexadecimal: agents take a bare 512 for an HTTP status. */
static bool check_tensor(struct loader *loader, const struct gguf_tensor *tensor, const char *name,
                         uint64_t k, uint64_t n) {
    const uint64_t *dims = tensor->dims;
    if (dims[0] != k || dims[1] != n || dims[2] != 1 || dims[3] != 1)
        return error_set(loader->error, ERROR_MODEL_NOT_READY,
                         "tensor %s has shape [0x%" PRIx64 ", 0x%" PRIx64 ", ..], expected [0x%" PRIx64
                         ", 0x%" PRIx64 "]",
                         name, dims[0], dims[1], k, n);
    if ((uintptr_t)tensor->data % sizeof(float) != 0)
        return error_set(loader->error, ERROR_MODEL_NOT_READY, "tensor %s is not aligned for its type", name);
    return true;
}

static const struct gguf_tensor *bind(struct loader *loader, const char *name, uint64_t k, uint64_t n) {
    const struct gguf_tensor *tensor = gguf_tensor(loader->gguf, name);
    if (!tensor) {
        error_set(loader->error, ERROR_MODEL_NOT_READY, "tensor %s is missing", name);
        return NULL;
    }
    if (!check_tensor(loader, tensor, name, k, n)) return NULL;
    loader->bound++;
    loader->model->n_parameters += k * n;
    if (tensor->type < 64) loader->type_sizes[tensor->type] += k * n;
    return tensor;
}

static bool bind_vector(struct loader *loader, const char *name, const float **out, uint64_t n) {
    const struct gguf_tensor *tensor = bind(loader, name, n, 1);
    if (!tensor) return false;
    if (tensor->type != WEIGHT_F32)
        return error_set(loader->error, ERROR_MODEL_NOT_READY, "tensor %s is not F32", name);
    *out = tensor->data;
    return true;
}

static bool bind_matrix(struct loader *loader, const char *name, struct weight *out, uint64_t n,
                        uint64_t k) {
    const struct gguf_tensor *tensor = bind(loader, name, k, n);
    if (!tensor) return false;
    const struct weight_format *format = weight_format(tensor->type);
    if (!format || !format->supported)
        return error_set(loader->error, ERROR_MODEL_NOT_READY,
                         "tensor %s: format %s is not supported", name,
                         format ? format->name : "unknown");
    *out = (struct weight){tensor->data, tensor->type, (uint32_t)n, (uint32_t)k};
    return true;
}

static bool bind_layer(struct loader *loader, uint32_t i) {
    const struct model *model = loader->model;
    struct layer *layer = &model->layers[i];
    uint64_t e = model->n_embd, f = model->n_ff;
    uint64_t q = (uint64_t)model->n_head * model->head_dim, kv = (uint64_t)model->n_head_kv * model->head_dim;
    const struct {
        const char *name;
        struct weight *weight;
        uint64_t n, k;
    } matrices[] = {
        {"attn_q", &layer->q, q, e},       {"attn_k", &layer->k, kv, e},
        {"attn_v", &layer->v, kv, e},      {"attn_output", &layer->o, e, q},
        {"ffn_gate", &layer->gate, f, e},  {"ffn_up", &layer->up, f, e},
        {"ffn_down", &layer->down, e, f},
    };
    char name[64];
    for (size_t m = 0; m < sizeof matrices / sizeof *matrices; m++) {
        snprintf(name, sizeof name, "blk.%u.%s.weight", i, matrices[m].name);
        if (!bind_matrix(loader, name, matrices[m].weight, matrices[m].n, matrices[m].k)) return false;
    }
    snprintf(name, sizeof name, "blk.%u.attn_norm.weight", i);
    if (!bind_vector(loader, name, &layer->attn_norm, e)) return false;
    snprintf(name, sizeof name, "blk.%u.ffn_norm.weight", i);
    return bind_vector(loader, name, &layer->ffn_norm, e);
}

/* Divisors of the frequencies must be usable numbers. */
static bool bind_rope_factors(struct loader *loader) {
    struct model *model = loader->model;
    if (!gguf_tensor(loader->gguf, "rope_freqs.weight")) return true;
    if (!bind_vector(loader, "rope_freqs.weight", &model->rope_factors, model->n_rot / 2)) return false;
    for (uint32_t i = 0; i < model->n_rot / 2; i++)
        if (!(fabsf(model->rope_factors[i]) > 1e-9f) || !(fabsf(model->rope_factors[i]) < 1e9f))
            return refuse(loader, "tensor rope_freqs.weight holds an unusable factor");
    return true;
}

/* A tensor that nothing binds would be silently ignored arithmetic: refused. */
static bool check_all_bound(struct loader *loader) {
    static const char *const known[] = {"attn_q",      "attn_k", "attn_v",   "attn_output", "ffn_gate",
                                        "ffn_up",      "ffn_down", "attn_norm", "ffn_norm"};
    if (loader->bound == gguf_tensor_count(loader->gguf)) return true;
    for (uint64_t i = 0; i < gguf_tensor_count(loader->gguf); i++) {
        struct gguf_string name = gguf_tensor_at(loader->gguf, i)->name;
        char text[64], expected[64];
        unsigned layer;
        bool found = string_is(name, "token_embd.weight") || string_is(name, "output.weight") ||
                     string_is(name, "output_norm.weight") || string_is(name, "rope_freqs.weight");
        snprintf(text, sizeof text, "%.*s", (int)(name.len < 63 ? name.len : 63), name.bytes);
        if (!found && sscanf(text, "blk.%u.", &layer) == 1 && layer < loader->model->n_layer)
            for (size_t k = 0; !found && k < sizeof known / sizeof *known; k++) {
                snprintf(expected, sizeof expected, "blk.%u.%s.weight", layer, known[k]);
                found = string_is(name, expected);
            }
        if (!found)
            return error_set(loader->error, ERROR_MODEL_NOT_READY,
                             "tensor %s is not part of architecture %s as supported here",
                             gguf_quote(name).text, loader->model->architecture);
    }
    return refuse(loader, "the file holds tensors that the architecture does not use");
}

static bool bind_tensors(struct loader *loader) {
    struct model *model = loader->model;
    uint64_t e = model->n_embd;
    model->layers = calloc(model->n_layer, sizeof *model->layers);
    if (!model->layers) return error_set(loader->error, ERROR_OUT_OF_MEMORY, "no memory for the layers");
    if (!bind_matrix(loader, "token_embd.weight", &model->token_embd, model->n_vocab, e) ||
        !bind_vector(loader, "output_norm.weight", &model->output_norm, e) ||
        !bind_rope_factors(loader))
        return false;
    model->output = model->token_embd; /* tied, unless the file has its own */
    if (gguf_tensor(loader->gguf, "output.weight") &&
        !bind_matrix(loader, "output.weight", &model->output, model->n_vocab, e))
        return false;
    for (uint32_t i = 0; i < model->n_layer; i++)
        if (!bind_layer(loader, i)) return false;
    return check_all_bound(loader);
}

static void name_quantization(struct loader *loader) {
    uint32_t most = 0;
    for (uint32_t type = 0; type < 64; type++)
        if (type != WEIGHT_F32 && loader->type_sizes[type] > loader->type_sizes[most]) most = type;
    loader->model->quantization = weight_format(most)->name;
}

/* The bytes before any tensor's data: metadata, names, shapes. */
static uint64_t hash_metadata(const struct gguf *gguf) {
    const char *begin = gguf_mapping(gguf), *end = begin + gguf_file_size(gguf);
    for (uint64_t i = 0; i < gguf_tensor_count(gguf); i++) {
        const char *data = gguf_tensor_at(gguf, i)->data;
        if (data < end) end = data;
    }
    return checksum(gguf_file_size(gguf), begin, (size_t)(end - begin));
}

/* Enough to tell two files apart without reading them whole: size, all metadata, both ends of every
 * tensor. */
static uint64_t fingerprint(const struct gguf *gguf) {
    uint64_t hash = hash_metadata(gguf);
    for (uint64_t i = 0; i < gguf_tensor_count(gguf); i++) {
        const struct gguf_tensor *tensor = gguf_tensor_at(gguf, i);
        uint64_t sample = tensor->size < SAMPLE_BYTES ? tensor->size : SAMPLE_BYTES;
        hash = checksum(hash, tensor->data, sample);
        hash = checksum(hash, (const char *)tensor->data + tensor->size - sample, sample);
    }
    return hash;
}

struct model *model_load(const struct gguf *gguf, uint32_t n_vocab, struct error *error) {
    struct gguf_string architecture;
    if (!gguf_get_string(gguf, "general.architecture", &architecture)) {
        error_set(error, ERROR_MODEL_NOT_READY, "metadata general.architecture is missing");
        return NULL;
    }
    if (!string_is(architecture, "llama")) {
        error_set(error, ERROR_MODEL_NOT_READY, "architecture \"%s\" is not supported (llama is)",
                  gguf_quote(architecture).text);
        return NULL;
    }
    struct model *model = calloc(1, sizeof *model);
    if (!model) {
        error_set(error, ERROR_OUT_OF_MEMORY, "no memory for the model");
        return NULL;
    }
    model->architecture = "llama";
    struct loader loader = {.gguf = gguf, .model = model, .error = error};
    if (!read_parameters(&loader, n_vocab) || !bind_tensors(&loader)) {
        model_free(model);
        return NULL;
    }
    name_quantization(&loader);
    model->fingerprint = fingerprint(gguf);
    return model;
}

void model_free(struct model *model) {
    if (!model) return;
    free(model->layers);
    free(model);
}
