/* model_builder: a small llama model file in parts, for tests to bend before it is written. */
#ifndef TESTS_MODEL_BUILDER_H
#define TESTS_MODEL_BUILDER_H

#include <check.h>
#include <stdio.h>

#include "kernels/kernels.h"
#include "tests/unit/engine/gguf_builder.h"

enum { EMBD = 32, HEADS = 4, HEADS_KV = 2, HEAD_DIM = 8, FF = 64, LAYERS = 2, VOCAB = 264 };
enum { MAX_PARTS = 48 };

struct part_metadata {
    char key[64];
    struct buf bytes; /* the whole entry */
};

struct part_tensor {
    char name[64];
    uint32_t n_dims, type;
    uint64_t dims[4];
    uint64_t shift; /* added to its offset: 0 is right */
    int fill;       /* -1: sensible numbers; otherwise this byte throughout */
};

struct parts {
    struct part_metadata metadata[MAX_PARTS];
    struct part_tensor tensors[MAX_PARTS];
    size_t n_metadata, n_tensors;
    uint64_t alignment;
};

/* The entry of this key, emptied; a new one if there is none. */
static inline struct buf *entry(struct parts *parts, const char *key) {
    for (size_t i = 0; i < parts->n_metadata; i++)
        if (strcmp(parts->metadata[i].key, key) == 0) {
            buf_free(&parts->metadata[i].bytes);
            parts->metadata[i].bytes = (struct buf){0};
            return &parts->metadata[i].bytes;
        }
    ck_assert(parts->n_metadata < MAX_PARTS);
    struct part_metadata *added = &parts->metadata[parts->n_metadata++];
    *added = (struct part_metadata){0};
    snprintf(added->key, sizeof added->key, "%s", key);
    return &added->bytes;
}

static inline void set_u32(struct parts *parts, const char *key, uint32_t value) {
    put_key_u32(entry(parts, key), key, value);
}

static inline void set_f32(struct parts *parts, const char *key, float value) {
    put_value(entry(parts, key), key, GGUF_F32, &value, sizeof value);
}

static inline void set_string(struct parts *parts, const char *key, const char *value) {
    put_key_string(entry(parts, key), key, value);
}

static inline void drop(struct parts *parts, const char *key) {
    entry(parts, key);
    for (size_t i = 0; i < parts->n_metadata; i++)
        if (strcmp(parts->metadata[i].key, key) == 0)
            parts->metadata[i] = parts->metadata[--parts->n_metadata];
}

static inline struct part_tensor *tensor(struct parts *parts, const char *name) {
    for (size_t i = 0; i < parts->n_tensors; i++)
        if (strcmp(parts->tensors[i].name, name) == 0) return &parts->tensors[i];
    ck_abort_msg("no tensor %s", name);
}

static inline struct part_tensor *add_tensor(struct parts *parts, const char *name, uint32_t type, uint64_t k,
                                      uint64_t n) {
    ck_assert(parts->n_tensors < MAX_PARTS);
    struct part_tensor *added = &parts->tensors[parts->n_tensors++];
    *added = (struct part_tensor){.n_dims = n > 1 ? 2 : 1, .type = type, .dims = {k, n, 1, 1}, .fill = -1};
    snprintf(added->name, sizeof added->name, "%s", name);
    return added;
}

static inline void add_layer(struct parts *parts, unsigned i) {
    static const struct {
        const char *name;
        uint32_t type, k, n;
    } shapes[] = {
        {"attn_norm", WEIGHT_F32, EMBD, 1},
        {"attn_q", WEIGHT_F16, EMBD, HEADS * HEAD_DIM},
        {"attn_k", WEIGHT_Q8_0, EMBD, HEADS_KV * HEAD_DIM},
        {"attn_v", WEIGHT_Q4_1, EMBD, HEADS_KV * HEAD_DIM},
        {"attn_output", WEIGHT_F32, HEADS * HEAD_DIM, EMBD},
        {"ffn_norm", WEIGHT_F32, EMBD, 1},
        {"ffn_gate", WEIGHT_Q4_0, EMBD, FF},
        {"ffn_up", WEIGHT_Q8_0, EMBD, FF},
        {"ffn_down", WEIGHT_Q8_0, FF, EMBD},
    };
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        char name[64];
        snprintf(name, sizeof name, "blk.%u.%s.weight", i, shapes[s].name);
        add_tensor(parts, name, shapes[s].type, shapes[s].k, shapes[s].n);
    }
}

static inline void add_vocabulary(struct parts *parts) {
    char names[VOCAB][16];
    const char *strings[VOCAB];
    float scores[VOCAB];
    int32_t types[VOCAB];
    for (int i = 0; i < VOCAB; i++) {
        static const char *const first[] = {"<unk>", "<s>", "</s>"};
        if (i < 3) snprintf(names[i], sizeof names[i], "%s", first[i]);
        else if (i < 259) snprintf(names[i], sizeof names[i], "<0x%02X>", (unsigned)(i - 3));
        else snprintf(names[i], sizeof names[i], "%c", 'a' + i - 259);
        strings[i] = names[i];
        scores[i] = (float)-i;
        types[i] = i == 0 ? 2 : i < 3 ? 3 : i < 259 ? 6 : 1;
    }
    set_string(parts, "tokenizer.ggml.model", "llama");
    put_strings(entry(parts, "tokenizer.ggml.tokens"), "tokenizer.ggml.tokens", strings, VOCAB);
    put_array(entry(parts, "tokenizer.ggml.scores"), "tokenizer.ggml.scores", GGUF_F32, VOCAB, scores,
              sizeof scores);
    put_array(entry(parts, "tokenizer.ggml.token_type"), "tokenizer.ggml.token_type", GGUF_I32, VOCAB, types,
              sizeof types);
}

static inline struct parts *parts_new(void) {
    struct parts *parts = calloc(1, sizeof *parts);
    parts->alignment = 32;
    set_string(parts, "general.architecture", "llama");
    set_u32(parts, "llama.block_count", LAYERS);
    set_u32(parts, "llama.embedding_length", EMBD);
    set_u32(parts, "llama.feed_forward_length", FF);
    set_u32(parts, "llama.context_length", 128);
    set_u32(parts, "llama.attention.head_count", HEADS);
    set_u32(parts, "llama.attention.head_count_kv", HEADS_KV);
    set_f32(parts, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    add_vocabulary(parts);
    add_tensor(parts, "token_embd.weight", WEIGHT_Q8_0, EMBD, VOCAB);
    add_tensor(parts, "output_norm.weight", WEIGHT_F32, EMBD, 1);
    add_tensor(parts, "output.weight", WEIGHT_F32, EMBD, VOCAB);
    for (unsigned i = 0; i < LAYERS; i++) add_layer(parts, i);
    return parts;
}

static inline void parts_free(struct parts *parts) {
    for (size_t i = 0; i < parts->n_metadata; i++) buf_free(&parts->metadata[i].bytes);
    free(parts);
}

/* ---- its bytes ---------------------------------------------------------------------------------- */

static inline uint64_t tensor_bytes(const struct part_tensor *t) {
    const struct weight_format *format = weight_format(t->type);
    uint64_t n = 1;
    if (!format) return 0;
    for (uint32_t d = 0; d < t->n_dims && d < 4; d++) n *= t->dims[d];
    n = (n + format->block - 1) / format->block * format->block_bytes;
    return n < 1 << 20 ? n : 1 << 20; /* lies need not be backed by bytes */
}

static inline unsigned next_random(unsigned *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 16;
}

/* Numbers of ordinary size in any format: small floats; blocks whose scale is 2^-6. */
static inline void put_data(struct buf *out, const struct part_tensor *t, unsigned *state) {
    const struct weight_format *format = weight_format(t->type);
    uint64_t n = tensor_bytes(t);
    for (uint64_t at = 0; at < n; at++) {
        uint64_t in_block = format->block > 1 ? at % format->block_bytes : 9;
        unsigned char byte = (unsigned char)next_random(state);
        if (t->fill >= 0) byte = (unsigned char)t->fill;
        else if (t->type == WEIGHT_F32) byte = at % 4 == 3 ? 0x3E : at % 4 == 2 ? byte & 0x7F : byte;
        else if (t->type == WEIGHT_F16) byte = at % 2 ? (unsigned char)(0x28 | (byte & 0x80)) : byte;
        else if (in_block < 4 && (in_block < 2 || t->type == WEIGHT_Q4_1)) byte = in_block % 2 ? 0x24 : 0;
        buf_add_char(out, (char)byte);
    }
}

static inline struct buf write_parts(const struct parts *parts) {
    struct buf out = {0};
    uint64_t offset = 0;
    unsigned state = 1;
    put_header(&out, 3, parts->n_tensors, parts->n_metadata);
    for (size_t i = 0; i < parts->n_metadata; i++)
        buf_add(&out, parts->metadata[i].bytes.bytes, parts->metadata[i].bytes.len);
    for (size_t i = 0; i < parts->n_tensors; i++) {
        const struct part_tensor *t = &parts->tensors[i];
        put_tensor(&out, t->name, t->n_dims, t->dims, t->type, offset + t->shift);
        offset += (tensor_bytes(t) + parts->alignment - 1) / parts->alignment * parts->alignment;
    }
    put_padding(&out, parts->alignment);
    for (size_t i = 0; i < parts->n_tensors; i++) {
        put_data(&out, &parts->tensors[i], &state);
        for (uint64_t n = tensor_bytes(&parts->tensors[i]); n % parts->alignment; n++) buf_add_char(&out, 0);
    }
    ck_assert(!out.failed);
    return out;
}

/* Writes the model, unbent, to a new file; path ends with six bytes of its choosing. */
static inline void write_model(char *path) {
    struct parts *parts = parts_new();
    struct buf bytes = write_parts(parts);
    strcpy(path + strlen(path) - 6, "XXXXXX");
    int fd = mkstemp(path);
    ck_assert(fd >= 0 && write(fd, bytes.bytes, bytes.len) == (ssize_t)bytes.len);
    close(fd);
    buf_free(&bytes);
    parts_free(parts);
}

#endif
