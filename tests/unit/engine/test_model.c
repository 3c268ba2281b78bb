/* Model files that lie: every one is refused with a message, or loads and computes without harm. */
#include <ctype.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>

#include "engine/engine.h"
#include "engine/model.h"
#include "engine/vocab.h"
#include "tests/support.h"
#include "tests/unit/engine/model_builder.h"

/* ---- loading and using it ------------------------------------------------------------------------ */

/* Agents take bare numbers from 300 to 599 for HTTP statuses; a file's bytes must not reach a terminal. */
static void check_message(const struct error *error) {
    const char *message = error->message;
    ck_assert_int_eq(error->code, ERROR_MODEL_NOT_READY);
    ck_assert_uint_gt(strlen(message), 8);
    for (const char *at = message; *at; at++) {
        bool starts = isdigit((unsigned char)*at) && (at == message || !isalnum((unsigned char)at[-1]));
        bool three = starts && strspn(at, "0123456789") == 3 && !isalpha((unsigned char)at[3]);
        ck_assert_msg(!three || *at < '3' || *at > '5', "%s", message);
        ck_assert_msg(isprint((unsigned char)*at), "%s", message);
    }
}

static struct engine *open_bytes(const void *bytes, size_t n, struct error *error) {
    char path[32];
    int fd = memfd_create("model", 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes, n), (ssize_t)n);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct engine_settings settings = {.model_path = path, .threads = 1, .kv_bytes = 1 << 20, .n_ctx = 96};
    struct engine *engine = engine_new(&settings, error);
    close(fd);
    ck_assert((engine == NULL) == (error->code != ERROR_NONE));
    return engine;
}

/* 40 tokens, so that two KV tiles are used. True if every logit is a number. */
static bool evaluate(struct engine *engine) {
    enum { N = 40 };
    uint32_t vocab = engine_info(engine)->n_vocab, tokens[N];
    struct error error = {0};
    float *logits = malloc(2 * vocab * sizeof *logits);
    bool finite = true;
    for (uint32_t i = 0; i < N; i++) tokens[i] = i * 37 % vocab;
    struct sequence *sequence = engine_sequence_new(engine, &error);
    if (engine_sequence_extend(engine, sequence, tokens, N, logits, 2, &error))
        for (uint32_t i = 0; i < 2 * vocab; i++) finite = finite && isfinite(logits[i]);
    engine_sequence_free(engine, sequence);
    free(logits);
    return finite;
}

/* message: what the refusal must say; NULL: it must load; "": either, but without harm. */
static void expect_bytes(const void *bytes, size_t n, const char *message, const char *what) {
    struct error error = {0};
    struct engine *engine = open_bytes(bytes, n, &error);
    if (!engine) {
        ck_assert_msg(message != NULL, "%s: refused: %s", what, error.message);
        ck_assert_msg(strstr(error.message, message) != NULL, "%s: '%s' does not say '%s'", what,
                      error.message, message);
        check_message(&error);
        return;
    }
    ck_assert_msg(!message || !*message, "%s: loads, expected '%s'", what, message);
    bool finite = evaluate(engine);
    ck_assert_msg(message || finite, "%s: not all logits are numbers", what);
    engine_free(engine);
}

/* Frees the parts. */
static void expect(struct parts *parts, const char *message, const char *what) {
    struct buf bytes = write_parts(parts);
    expect_bytes(bytes.bytes, bytes.len, message, what);
    buf_free(&bytes);
    parts_free(parts);
}

/* ---- the tests ------------------------------------------------------------------------------------ */

START_TEST(test_good) {
    expect(parts_new(), NULL, "as made");
    struct parts *parts = parts_new();
    set_u32(parts, "llama.attention.key_length", HEAD_DIM);
    set_u32(parts, "llama.attention.value_length", HEAD_DIM);
    set_u32(parts, "llama.rope.dimension_count", 4);
    set_u32(parts, "llama.expert_count", 0);
    expect(parts, NULL, "spelled out");
}
END_TEST

static const struct {
    const char *key;
    uint64_t value;
    const char *message; /* NULL: loads */
} counts[] = {
    {"llama.block_count", 0, "block_count"},
    {"llama.block_count", 1, "blk.1."},
    {"llama.block_count", 3, "blk.2."},
    {"llama.block_count", 1 << 20, "block_count"},
    {"llama.block_count", UINT64_MAX, "block_count"},
    {"llama.embedding_length", 0, "embedding_length"},
    {"llama.embedding_length", 64, "shape"},
    {"llama.embedding_length", 33, ""},
    {"llama.embedding_length", 1 << 17, ""},
    {"llama.embedding_length", 1ull << 32, "embedding_length"},
    {"llama.embedding_length", UINT64_MAX, "embedding_length"},
    {"llama.feed_forward_length", 0, "feed_forward_length"},
    {"llama.feed_forward_length", 512, "shape"},
    {"llama.feed_forward_length", 1ull << 40, "feed_forward_length"},
    {"llama.context_length", 0, "context_length"},
    {"llama.context_length", 1, NULL},
    {"llama.context_length", 1 << 22, NULL},
    {"llama.context_length", UINT32_MAX, "context_length"},
    {"llama.context_length", 1ull << 63, "context_length"},
    {"llama.attention.head_count", 0, "head_count"},
    {"llama.attention.head_count", 1, "multiple"},
    {"llama.attention.head_count", 2, "shape"},
    {"llama.attention.head_count", 3, ""},
    {"llama.attention.head_count", 5, ""},
    {"llama.attention.head_count", 8, "multiple of 8"},
    {"llama.attention.head_count", 32, ""},
    {"llama.attention.head_count", 4096, ""},
    {"llama.attention.head_count", UINT64_MAX, "head_count"},
    {"llama.attention.head_count_kv", 0, "head_count_kv"},
    {"llama.attention.head_count_kv", 3, "multiple"},
    {"llama.attention.head_count_kv", 4, "shape"},
    {"llama.attention.head_count_kv", 8, "multiple"},
    {"llama.attention.head_count_kv", 1ull << 33, "head_count_kv"},
    {"llama.attention.key_length", 0, "key_length"},
    {"llama.attention.key_length", 7, ""},
    {"llama.attention.key_length", 16, "shape"},
    {"llama.attention.key_length", 256, "shape"},
    {"llama.attention.key_length", 264, "key_length"},
    {"llama.attention.key_length", UINT64_MAX, "key_length"},
    {"llama.attention.value_length", 0, "value_length"},
    {"llama.attention.value_length", 16, "value_length"},
    {"llama.rope.dimension_count", 0, "dimension_count"},
    {"llama.rope.dimension_count", 2, NULL},
    {"llama.rope.dimension_count", 3, "odd"},
    {"llama.rope.dimension_count", 16, "dimension_count"},
    {"llama.rope.dimension_count", UINT64_MAX, "dimension_count"},
    {"llama.expert_count", 4, "expert_count"},
    {"llama.attention.sliding_window", 24, "sliding_window"},
    {"llama.attention.sliding_window", 0, NULL},
    {"general.alignment", 0, "alignment"},
    {"general.alignment", 3, "alignment"},
    {"general.alignment", 32, NULL},
    {"tokenizer.ggml.bos_token_id", VOCAB, "bos_token_id"},
    {"tokenizer.ggml.eos_token_id", UINT64_MAX, "eos_token_id"},
    {"tokenizer.ggml.eos_token_id", 5, NULL},
};

START_TEST(test_counts) {
    struct parts *parts = parts_new();
    char what[128];
    put_value(entry(parts, counts[_i].key), counts[_i].key, GGUF_U64, &counts[_i].value, 8);
    snprintf(what, sizeof what, "%s=%llx", counts[_i].key, (unsigned long long)counts[_i].value);
    expect(parts, counts[_i].message, what);
}
END_TEST

static const struct {
    const char *key;
    float value;
    const char *message;
} floats[] = {
    {"llama.attention.layer_norm_rms_epsilon", 0, "epsilon"},
    {"llama.attention.layer_norm_rms_epsilon", -1e-5f, "epsilon"},
    {"llama.attention.layer_norm_rms_epsilon", NAN, "epsilon"},
    {"llama.attention.layer_norm_rms_epsilon", INFINITY, "epsilon"},
    {"llama.attention.layer_norm_rms_epsilon", 1, NULL},
    {"llama.rope.freq_base", 0, "freq_base"},
    {"llama.rope.freq_base", -10000, "freq_base"},
    {"llama.rope.freq_base", NAN, "freq_base"},
    {"llama.rope.freq_base", INFINITY, "freq_base"},
    {"llama.rope.freq_base", 1e-45f, "freq_base"},
    {"llama.rope.freq_base", 3e38f, "freq_base"},
    {"llama.rope.freq_base", 1, NULL},
    {"llama.rope.freq_base", 5e6f, NULL},
    {"llama.rope.scaling.factor", 0, "factor"},
    {"llama.rope.scaling.factor", -2, "factor"},
    {"llama.rope.scaling.factor", NAN, "factor"},
    {"llama.rope.scaling.factor", 1e-40f, "factor"},
    {"llama.rope.scaling.factor", 1e11f, "factor"},
    {"llama.rope.scaling.factor", 4, NULL},
    {"llama.rope.scale_linear", 4, NULL},
    {"llama.rope.scale_linear", -4, "scale_linear"},
    {"llama.attention.scale", 0.5f, "attention.scale"},
    {"llama.logit_scale", 2, "logit_scale"},
    {"llama.residual_scale", 2, "residual_scale"},
    {"llama.embedding_scale", 2, "embedding_scale"},
    {"llama.attn_logit_softcapping", 30, "softcapping"},
    {"llama.final_logit_softcapping", 30, "softcapping"},
    {"llama.attention.clamp_kqv", 8, "clamp_kqv"},
    {"llama.attention.max_alibi_bias", 8, "max_alibi_bias"},
};

START_TEST(test_floats) {
    struct parts *parts = parts_new();
    char what[128];
    set_f32(parts, floats[_i].key, floats[_i].value);
    snprintf(what, sizeof what, "%s=%g", floats[_i].key, (double)floats[_i].value);
    expect(parts, floats[_i].message, what);
}
END_TEST

/* Each key left out, and each with a value of every other type. */
static const struct {
    const char *key, *absent, *mistyped;
} keys[] = {
    {"general.architecture", "general.architecture", "general.architecture"},
    {"llama.block_count", "block_count", "block_count"},
    {"llama.embedding_length", "embedding_length", "embedding_length"},
    {"llama.feed_forward_length", "feed_forward_length", "feed_forward_length"},
    {"llama.context_length", "context_length", "context_length"},
    {"llama.attention.head_count", "head_count", "head_count"},
    {"llama.attention.head_count_kv", "shape", "head_count_kv"},
    {"llama.attention.layer_norm_rms_epsilon", "epsilon", "epsilon"},
    {"llama.rope.freq_base", NULL, "freq_base"},
    {"llama.rope.dimension_count", NULL, "dimension_count"},
    {"llama.rope.scaling.type", NULL, "rope.scaling.type"},
    {"llama.rope.scaling.factor", NULL, "factor"},
    {"llama.expert_count", NULL, "expert_count"},
    {"llama.attention.key_length", NULL, "key_length"},
    {"llama.attention.causal", NULL, "causal"},
    {"tokenizer.ggml.model", "tokenizer", "tokenizer"},
    {"tokenizer.ggml.tokens", "tokenizer.ggml.tokens", "tokenizer.ggml.tokens"},
    {"tokenizer.ggml.scores", "scores", "scores"},
    {"tokenizer.ggml.token_type", "", "token_type"},
    {"general.alignment", NULL, "alignment"},
};

START_TEST(test_absent_and_mistyped) {
    const char *key = keys[_i].key;
    struct parts *parts = parts_new();
    drop(parts, key);
    expect(parts, keys[_i].absent, key);
    for (int kind = 0; kind < 4; kind++) {
        parts = parts_new();
        struct buf *bytes = entry(parts, key);
        if (kind == 0) put_value(bytes, key, GGUF_I32, &(int32_t){-1}, 4);
        else if (kind == 1) put_array(bytes, key, GGUF_U32, 2, (uint32_t[]){4, 4}, 8);
        else if (kind == 2) put_strings(bytes, key, (const char *const[]){"x"}, 1);
        else put_value(bytes, key, GGUF_F64, &(double){NAN}, 8);
        expect(parts, strcmp(key, "tokenizer.ggml.tokens") == 0 && kind == 2 ? "" : keys[_i].mistyped, key);
    }
}
END_TEST

START_TEST(test_strings) {
    struct parts *parts = parts_new();
    set_string(parts, "general.architecture", "lla\033ma");
    expect(parts, "lla?ma", "escape in the architecture");
    parts = parts_new();
    set_string(parts, "general.architecture", "");
    expect(parts, "architecture", "empty architecture");
    parts = parts_new();
    set_string(parts, "llama.rope.scaling.type", "\033[31myarn\xFF");
    expect(parts, "yarn", "escape in the scaling type");
    parts = parts_new();
    set_string(parts, "llama.rope.scaling.type", "linear");
    expect(parts, "factor", "linear without a factor");
    parts = parts_new();
    set_string(parts, "tokenizer.ggml.model", "bert");
    expect(parts, "bert", "tokenizer");
}
END_TEST

/* Without a type, a scaling factor means linear scaling: it must have an effect, and "none" must not. */
START_TEST(test_linear_scaling_is_the_default) {
    static const char *const types[] = {NULL, "linear", "none"};
    float logits[3][VOCAB];
    for (int i = 0; i < 3; i++) {
        struct parts *parts = parts_new();
        struct error error = {0};
        uint32_t tokens[] = {5, 6, 7, 8};
        set_f32(parts, "llama.rope.scaling.factor", 4);
        if (types[i]) set_string(parts, "llama.rope.scaling.type", types[i]);
        struct buf bytes = write_parts(parts);
        struct engine *engine = open_bytes(bytes.bytes, bytes.len, &error);
        ck_assert_msg(engine != NULL, "%s", error.message);
        struct sequence *sequence = engine_sequence_new(engine, &error);
        ck_assert(engine_sequence_extend(engine, sequence, tokens, 4, logits[i], 1, &error));
        engine_sequence_free(engine, sequence);
        engine_free(engine);
        buf_free(&bytes);
        parts_free(parts);
    }
    ck_assert_mem_eq(logits[0], logits[1], sizeof logits[0]);
    ck_assert(memcmp(logits[0], logits[2], sizeof logits[0]) != 0);
}
END_TEST

/* ---- tensors ---------------------------------------------------------------------------------------- */

START_TEST(test_tensor_missing) {
    struct parts *parts = parts_new();
    char name[64];
    if ((size_t)_i >= parts->n_tensors) {
        parts_free(parts);
        return;
    }
    snprintf(name, sizeof name, "%s", parts->tensors[_i].name);
    parts->tensors[_i] = parts->tensors[--parts->n_tensors];
    expect(parts, strcmp(name, "output.weight") == 0 ? NULL : name, name); /* output may be tied */
}
END_TEST

/* The i-th tensor with one thing wrong, in every way. */
START_TEST(test_tensor_misshapen) {
    for (int way = 0; way < 12; way++) {
        struct parts *parts = parts_new();
        char what[96];
        if ((size_t)_i >= parts->n_tensors) {
            parts_free(parts);
            return;
        }
        struct part_tensor *t = &parts->tensors[_i];
        snprintf(what, sizeof what, "%s way %d", t->name, way);
        const char *message = t->name;
        switch (way) {
        case 0: t->dims[0] *= 2; break;
        case 1: t->dims[1] += 1; t->n_dims = 2; break;
        case 2: t->dims[2] = 2; t->n_dims = 3; break;
        case 3: t->dims[3] = 2; t->n_dims = 4; break;
        case 4: t->dims[0] = 0; break;
        case 5: t->dims[0] = UINT64_MAX; break;
        case 6: t->dims[0] = 1ull << 62; break;
        case 7: t->type = 10; message = "tensor"; break;                              /* Q2_K */
        case 8: t->type = 4; break;                                                   /* withdrawn */
        case 9: t->type = 24; message = t->n_dims == 1 ? "not F32" : "I8"; break;
        case 10: t->shift = 1; message = "not aligned"; break;
        default: t->shift = 1ull << 40; message = "past the end"; break;
        }
        expect(parts, message, what);
    }
}
END_TEST

START_TEST(test_tensor_superfluous) {
    static const char *const names[] = {
        "blk.0.attn_q.bias", "blk.2.attn_q.weight", "blk.00.attn_q.weight", "rope_freqs.weight.x", "x",
        "blk.0.attn_norm_2.weight", "blk.-1.attn_q.weight", "output.bias", "esc\033ape", "blk.0.attn_q.weightx"};
    struct parts *parts = parts_new();
    add_tensor(parts, names[_i], WEIGHT_F32, EMBD, 1);
    expect(parts, _i == 8 ? "esc?ape" : names[_i], names[_i]);
}
END_TEST

START_TEST(test_tensor_twice) {
    struct parts *parts = parts_new();
    add_tensor(parts, "blk.1.ffn_up.weight", WEIGHT_Q8_0, EMBD, FF);
    expect(parts, "occurs twice", "twice");
}
END_TEST

START_TEST(test_rope_factors) {
    static const unsigned char bad[] = {0x00, 0xFF};
    struct parts *parts = parts_new();
    add_tensor(parts, "rope_freqs.weight", WEIGHT_F32, HEAD_DIM / 2, 1);
    expect(parts, NULL, "good factors");
    for (int i = 0; i < 2; i++) {
        parts = parts_new();
        add_tensor(parts, "rope_freqs.weight", WEIGHT_F32, HEAD_DIM / 2, 1)->fill = bad[i];
        expect(parts, "rope_freqs", "bad factors");
    }
    parts = parts_new();
    add_tensor(parts, "rope_freqs.weight", WEIGHT_F32, HEAD_DIM, 1);
    expect(parts, "rope_freqs", "too many factors");
    parts = parts_new();
    add_tensor(parts, "rope_freqs.weight", WEIGHT_F16, HEAD_DIM / 2, 1);
    expect(parts, "rope_freqs", "F16 factors");
}
END_TEST

/* Offsets that the file's own alignment allows, but that no float may be read from. */
START_TEST(test_misaligned) {
    struct parts *parts = parts_new();
    parts->alignment = 1;
    set_u32(parts, "general.alignment", 1);
    tensor(parts, "token_embd.weight")->dims[1] = VOCAB; /* 34-byte blocks: an even offset follows */
    expect(parts, "", "alignment 1");
    for (int shift = 1; shift < 4; shift++) {
        parts = parts_new();
        parts->alignment = 1;
        set_u32(parts, "general.alignment", 1);
        for (size_t i = 0; i < parts->n_tensors; i++) parts->tensors[i].shift = (uint64_t)shift;
        add_tensor(parts, "output_norm.weigh", WEIGHT_F32, EMBD, 1); /* room for the last one to shift */
        expect(parts, "", "shifted");
    }
}
END_TEST

/* Weights that are no numbers: any answer, but no harm. */
START_TEST(test_not_numbers) {
    static const int fills[] = {0x00, 0xFF, 0x7F, 0x80, 0x7C};
    for (size_t f = 0; f < sizeof fills / sizeof *fills; f++) {
        struct parts *parts = parts_new();
        for (size_t i = 0; i < parts->n_tensors; i++) parts->tensors[i].fill = fills[f];
        expect(parts, "", "all bytes alike");
        for (size_t i = 0; i < 3 + 9 * LAYERS; i += 5) {
            parts = parts_new();
            parts->tensors[i].fill = fills[f];
            expect(parts, "", "one tensor's bytes alike");
        }
    }
}
END_TEST

/* The widest shapes that metadata may ask for must not become memory that the file does not back. */
START_TEST(test_wide_heads) {
    struct parts *parts = parts_new();
    set_u32(parts, "llama.attention.head_count", 4096);
    set_u32(parts, "llama.attention.head_count_kv", 4096);
    set_u32(parts, "llama.attention.key_length", 256);
    expect(parts, "", "4096 heads of 256");
}
END_TEST

/* ---- a real file, cut and bent ------------------------------------------------------------------------ */

/* Where tensor data begins. */
static size_t header_size(const void *bytes, size_t n) {
    struct error error = {0};
    struct gguf *gguf = gguf_from_memory(bytes, n, &error);
    ck_assert_msg(gguf != NULL, "%s", error.message);
    const char *first = gguf_tensor_at(gguf, 0)->data;
    for (uint64_t i = 1; i < gguf_tensor_count(gguf); i++) {
        const char *data = gguf_tensor_at(gguf, i)->data;
        first = data < first ? data : first;
    }
    gguf_close(gguf);
    return (size_t)(first - (const char *)bytes);
}

START_TEST(test_truncations) {
    size_t len = 0;
    if (!present(shared_file("models/arch/llama.gguf"))) return;
    char *bytes = read_whole(shared_file("models/arch/llama.gguf"), &len);
    size_t header = header_size(bytes, len), tests = 0;
    for (size_t n = 0; n < len; n += n < header ? 1 : 4099, tests++) {
        struct error error = {0};
        void *copy = exact_copy(bytes, n);
        ck_assert_msg(gguf_from_memory(copy, n, &error) == NULL, "%zu bytes load", n);
        check_message(&error);
        free(copy);
    }
    printf("refused at %zu lengths; the header has 0x%zx bytes\n", tests, header);
    free(bytes);
}
END_TEST

/* Loads as far as a model; what loads is computed now and then. */
static bool load(const char *bytes, size_t n, bool compute) {
    struct error error = {0};
    struct gguf *gguf = gguf_from_memory(bytes, n, &error);
    struct vocab *vocab = gguf ? vocab_new(gguf, &error) : NULL;
    struct model *model = vocab ? model_load(gguf, vocab_size(vocab), &error) : NULL;
    bool loads = model != NULL;
    if (!loads) check_message(&error);
    model_free(model);
    vocab_free(vocab);
    gguf_close(gguf);
    if (loads && compute) expect_bytes(bytes, n, "", "mutation");
    return loads;
}

START_TEST(test_mutations) {
    static const unsigned char flips[] = {0x01, 0x80, 0xFF};
    size_t len = 0, loaded = 0, tests = 0;
    if (!present(shared_file("models/arch/llama.gguf"))) return;
    char *bytes = read_whole(shared_file("models/arch/llama.gguf"), &len);
    size_t header = header_size(bytes, len);
    for (size_t at = 0; at < header; at += at < 1024 || at + 3072 > header ? 1 : 61)
        for (size_t f = 0; f < sizeof flips; f++, tests++) {
            bytes[at] ^= (char)flips[f];
            loaded += load(bytes, len, tests % 97 == 0);
            bytes[at] ^= (char)flips[f];
        }
    printf("%zu of %zu mutations load\n", loaded, tests);
    free(bytes);
}
END_TEST

#define N_OF(table) (int)(sizeof(table) / sizeof *(table))

int main(void) {
    Suite *suite = suite_create("model");
    TCase *metadata = tcase_create("metadata"), *tensors = tcase_create("tensors"), *file = tcase_create("file");
    tcase_add_test(metadata, test_good);
    tcase_add_loop_test(metadata, test_counts, 0, N_OF(counts));
    tcase_add_loop_test(metadata, test_floats, 0, N_OF(floats));
    tcase_add_loop_test(metadata, test_absent_and_mistyped, 0, N_OF(keys));
    tcase_add_test(metadata, test_strings);
    tcase_add_test(metadata, test_linear_scaling_is_the_default);
    tcase_add_loop_test(tensors, test_tensor_missing, 0, MAX_PARTS);
    tcase_add_loop_test(tensors, test_tensor_misshapen, 0, MAX_PARTS);
    tcase_add_loop_test(tensors, test_tensor_superfluous, 0, 10);
    tcase_add_test(tensors, test_tensor_twice);
    tcase_add_test(tensors, test_rope_factors);
    tcase_add_test(tensors, test_misaligned);
    tcase_add_test(tensors, test_not_numbers);
    tcase_add_test(tensors, test_wide_heads);
    tcase_add_test(file, test_truncations);
    tcase_add_test(file, test_mutations);
    TCase *cases[] = {metadata, tensors, file};
    for (int i = 0; i < 3; i++) {
        tcase_set_timeout(cases[i], 60);
        suite_add_tcase(suite, cases[i]);
    }
    return run_suite(suite);
}
