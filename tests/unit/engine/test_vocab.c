/* Vocabularies: the reference files and the model, end tokens, and files that must be refused. */
#include <check.h>
#include <stdio.h>

#include "engine/vocab.h"
#include "tests/support.h"
#include "tests/unit/engine/gguf_builder.h"
#include "tests/unit/engine/loaded_vocab.h"

static void expect_bytes(const struct vocab *vocab, const char *spelling, const char *bytes,
                         size_t n, enum token_kind kind) {
    uint32_t len, id = vocab_find(vocab, spelling, strlen(spelling));
    ck_assert_msg(id != TOKEN_NONE, "no token %s", spelling);
    const char *its = vocab_bytes(vocab, id, &len);
    ck_assert_msg(len == n && memcmp(its, bytes, n) == 0, "%s is '%.*s'", spelling, (int)len, its);
    ck_assert_int_eq(vocab_kind(vocab, id), kind);
}

/* ---- files that exist ---- */

/* Every token is found by the spelling that the file has for it. */
START_TEST(test_find) {
    struct loaded loaded;
    struct gguf_array tokens;
    struct gguf_string spelling;
    uint32_t id = 0;
    if (!load_named(&loaded, vocab_names[_i])) return;
    ck_assert(gguf_get_array(loaded.gguf, "tokenizer.ggml.tokens", GGUF_STRING, &tokens));
    ck_assert_uint_eq(vocab_size(loaded.vocab), tokens.count);
    for (uint64_t at = 0; gguf_next_string(&tokens, &at, &spelling); id++)
        ck_assert_uint_eq(vocab_find(loaded.vocab, spelling.bytes, spelling.len), id);
    ck_assert_uint_eq(vocab_find(loaded.vocab, "no such token", 13), TOKEN_NONE);
    ck_assert_uint_eq(vocab_find(loaded.vocab, "", 0), TOKEN_NONE);
    unload(&loaded);
}
END_TEST

START_TEST(test_smollm2) {
    struct loaded loaded;
    if (!load_vocab(&loaded, model_file())) return;
    const struct vocab *vocab = loaded.vocab;
    ck_assert_int_eq(vocab_model(vocab), VOCAB_BPE);
    ck_assert_uint_eq(vocab_size(vocab), 49152);
    ck_assert_uint_eq(vocab_bos(vocab), 1);
    ck_assert_uint_eq(vocab_eos(vocab), 2);
    ck_assert(!vocab_adds_bos(vocab) && !vocab_adds_eos(vocab));
    for (uint32_t id = 0; id < vocab_size(vocab); id++)
        ck_assert(vocab_is_end(vocab, id) == (id == 0 || id == 2));
    ck_assert(!vocab_is_end(vocab, TOKEN_NONE));
    expect_bytes(vocab, "<|im_end|>", "<|im_end|>", 10, TOKEN_CONTROL);
    expect_bytes(vocab, "\xC4\xA0the", " the", 4, TOKEN_NORMAL);
    expect_bytes(vocab, "\xC4\x8A", "\n", 1, TOKEN_NORMAL);
    unload(&loaded);
}
END_TEST

START_TEST(test_spm_bytes) {
    struct loaded loaded;
    if (!load_named(&loaded, "llama-spm")) return;
    const struct vocab *vocab = loaded.vocab;
    ck_assert_int_eq(vocab_model(vocab), VOCAB_SPM);
    ck_assert(vocab_adds_bos(vocab) && !vocab_adds_eos(vocab));
    ck_assert(vocab_is_end(vocab, 2));
    expect_bytes(vocab, "<0x0A>", "\n", 1, TOKEN_BYTE);
    expect_bytes(vocab, "<0x00>", "\0", 1, TOKEN_BYTE);
    expect_bytes(vocab, "<0xFF>", "\xFF", 1, TOKEN_BYTE);
    expect_bytes(vocab, "\xE2\x96\x81the", " the", 4, TOKEN_NORMAL);
    expect_bytes(vocab, "<unk>", "<unk>", 5, TOKEN_UNKNOWN);
    ck_assert_uint_eq(vocab_find(vocab, "<0xGG>", 6), TOKEN_NONE);
    unload(&loaded);
}
END_TEST

START_TEST(test_ends) {
    static const struct {
        const char *name;
        uint32_t ends[4]; /* 0 fills up */
    } expected[] = {{"phi-3", {2, 32000, 32007}},
                    {"gpt-2", {50256}},
                    {"llama-bpe", {128001, 128009}},
                    {"qwen2", {151643, 151645}},
                    {"deepseek-llm", {100001}}};
    struct loaded loaded;
    if (!load_named(&loaded, expected[_i].name)) return;
    size_t n = 0;
    for (uint32_t id = 0; id < vocab_size(loaded.vocab); id++)
        if (vocab_is_end(loaded.vocab, id)) {
            ck_assert_uint_eq(id, expected[_i].ends[n++]);
            ck_assert_int_eq(vocab_kind(loaded.vocab, id), TOKEN_CONTROL);
        }
    ck_assert_uint_eq(expected[_i].ends[n], 0);
    unload(&loaded);
}
END_TEST

/* ---- files made here ---- */

struct sample {
    const char *model, *pre;
    const char *tokens[512];
    int32_t kinds[512];
    float scores[512];
    const char *merges[4];
    size_t n_tokens, n_kinds, n_scores, n_merges;
    int64_t bos; /* -1: none */
};

static void add(struct sample *sample, const char *token, int32_t kind) {
    sample->kinds[sample->n_tokens] = kind;
    sample->tokens[sample->n_tokens++] = token;
    sample->n_kinds = sample->n_scores = sample->n_tokens;
}

/* Most bytes are missing, so there is an unknown token. */
static struct sample bpe_sample(void) {
    struct sample sample = {.model = "gpt2", .pre = "gpt-2", .bos = -1};
    add(&sample, "<?>", TOKEN_UNKNOWN);
    add(&sample, "a", TOKEN_NORMAL);
    add(&sample, "b", TOKEN_NORMAL);
    add(&sample, "ab", TOKEN_NORMAL);
    add(&sample, "<end_of_turn>", TOKEN_USER_DEFINED);
    sample.merges[0] = "a b";
    sample.n_merges = 1;
    return sample;
}

static struct sample spm_sample(void) {
    struct sample sample = bpe_sample();
    sample.model = "llama";
    return sample;
}

static struct buf build(const struct sample *sample) {
    struct buf buf = {0};
    put_header(&buf, 3, 0, 7 + (sample->bos >= 0));
    put_key_u32(&buf, "tokenizer.ggml.unknown_token_id", 0);
    put_key_string(&buf, "tokenizer.ggml.model", sample->model);
    put_key_string(&buf, "tokenizer.ggml.pre", sample->pre);
    put_strings(&buf, "tokenizer.ggml.tokens", sample->tokens, sample->n_tokens);
    put_array(&buf, "tokenizer.ggml.token_type", GGUF_I32, sample->n_kinds, sample->kinds,
              sample->n_kinds * 4);
    put_array(&buf, "tokenizer.ggml.scores", GGUF_F32, sample->n_scores, sample->scores,
              sample->n_scores * 4);
    put_strings(&buf, "tokenizer.ggml.merges", sample->merges, sample->n_merges);
    if (sample->bos >= 0) put_key_u32(&buf, "tokenizer.ggml.bos_token_id", (uint32_t)sample->bos);
    return buf;
}

/* A NULL message: must be accepted. */
static void expect(const struct sample *sample, const char *message) {
    struct error error = {0};
    struct buf buf = build(sample);
    struct gguf *gguf = gguf_from_memory(buf.bytes, buf.len, &error);
    ck_assert_msg(gguf != NULL, "%s", error.message);
    struct vocab *vocab = vocab_new(gguf, &error);
    ck_assert_msg((vocab == NULL) == (message != NULL), "%s", message ? message : error.message);
    if (message)
        ck_assert_msg(error.code == ERROR_MODEL_NOT_READY && strstr(error.message, message),
                      "'%s' does not say '%s'", error.message, message);
    vocab_free(vocab);
    gguf_close(gguf);
    buf_free(&buf);
}

START_TEST(test_refused) {
    struct sample sample = bpe_sample();
    expect(&sample, NULL);
    sample.model = "bert";
    expect(&sample, "tokenizer bert is not supported");
    sample = bpe_sample();
    sample.pre = "unheard-of";
    expect(&sample, "pre-tokenizer unheard-of is not supported");
    sample = bpe_sample();
    sample.n_kinds--;
    expect(&sample, "token_type is not");
    sample = bpe_sample();
    sample.n_tokens = sample.n_kinds = sample.n_scores = 0;
    expect(&sample, "vocabulary of 0x0 tokens");
    sample = bpe_sample();
    sample.bos = 5;
    expect(&sample, "bos_token_id is not a token");
    sample = bpe_sample();
    add(&sample, "a", TOKEN_NORMAL);
    expect(&sample, "has the token a twice");
    sample = bpe_sample();
    sample.kinds[0] = TOKEN_CONTROL;
    expect(&sample, "neither a token for the byte 0x00 nor an unknown token");
}
END_TEST

START_TEST(test_merges_refused) {
    static const char *const merges[] = {"a c", "c a", "b a", "ab", "a ", " b", "", "a\xFF b"};
    for (size_t i = 0; i < sizeof merges / sizeof *merges; i++) {
        struct sample sample = bpe_sample();
        sample.merges[0] = merges[i];
        expect(&sample, "is not of two tokens that make a third");
    }
}
END_TEST

START_TEST(test_scores_refused) {
    struct sample sample = spm_sample();
    expect(&sample, NULL);
    sample.n_scores--;
    expect(&sample, "scores is not one f32 for every token");
    sample = spm_sample();
    sample.scores[3] = 0.0f / 0.0f;
    expect(&sample, "score of token 0x3 is NaN");
}
END_TEST

/* Tokens that frame messages are control tokens even if the file says "user-defined". */
START_TEST(test_frames) {
    struct error error = {0};
    struct sample sample = bpe_sample();
    add(&sample, "<|im_start|>", TOKEN_USER_DEFINED);
    add(&sample, "<tool_call>", TOKEN_USER_DEFINED);
    struct buf buf = build(&sample);
    struct gguf *gguf = gguf_from_memory(buf.bytes, buf.len, &error);
    struct vocab *vocab = vocab_new(gguf, &error);
    ck_assert_msg(vocab != NULL, "%s", error.message);
    expect_bytes(vocab, "<end_of_turn>", "<end_of_turn>", 13, TOKEN_CONTROL);
    expect_bytes(vocab, "<|im_start|>", "<|im_start|>", 12, TOKEN_CONTROL);
    expect_bytes(vocab, "<tool_call>", "<tool_call>", 11, TOKEN_USER_DEFINED);
    ck_assert(vocab_is_end(vocab, 4) && !vocab_is_end(vocab, 5) && !vocab_is_end(vocab, 6));
    vocab_free(vocab);
    gguf_close(gguf);
    buf_free(&buf);
}
END_TEST

START_TEST(test_absent) {
    struct error error = {0};
    struct buf buf = {0};
    put_header(&buf, 3, 0, 0);
    struct gguf *gguf = gguf_from_memory(buf.bytes, buf.len, &error);
    ck_assert_ptr_null(vocab_new(gguf, &error));
    ck_assert_int_eq(error.code, ERROR_MODEL_NOT_READY);
    gguf_close(gguf);
    buf_free(&buf);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("vocab");
    TCase *files = tcase_create("files"), *refused = tcase_create("refused");
    tcase_add_loop_test(files, test_find, 0, N_VOCAB_NAMES);
    tcase_add_test(files, test_smollm2);
    tcase_add_test(files, test_spm_bytes);
    tcase_add_loop_test(files, test_ends, 0, 5);
    tcase_add_test(files, test_frames);
    tcase_add_test(refused, test_refused);
    tcase_add_test(refused, test_merges_refused);
    tcase_add_test(refused, test_scores_refused);
    tcase_add_test(refused, test_absent);
    suite_add_tcase(suite, files);
    suite_add_tcase(suite, refused);
    return run_suite(suite);
}
