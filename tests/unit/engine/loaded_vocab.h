/* loaded_vocab: a vocabulary from a model file, for tests. Header-only. */
#ifndef TESTS_UNIT_ENGINE_LOADED_VOCAB_H
#define TESTS_UNIT_ENGINE_LOADED_VOCAB_H

#include "engine/vocab.h"
#include "tests/support.h"

static const char *const vocab_names[] = {"llama-spm", "phi-3",     "gpt-2",       "llama-bpe",
                                          "qwen2",     "starcoder", "deepseek-llm"};
enum { N_VOCAB_NAMES = sizeof vocab_names / sizeof *vocab_names };

struct loaded {
    struct gguf *gguf;
    struct vocab *vocab;
};

/* False, after saying so, where there is no such file. */
static inline bool load_vocab(struct loaded *loaded, const char *path) {
    struct error error = {0};
    if (!present(path)) return false;
    loaded->gguf = gguf_open(path, &error);
    ck_assert_msg(loaded->gguf != NULL, "%s", error.message);
    loaded->vocab = vocab_new(loaded->gguf, &error);
    ck_assert_msg(loaded->vocab != NULL, "%s: %s", path, error.message);
    return true;
}

static inline bool load_named(struct loaded *loaded, const char *name) {
    char rest[128];
    snprintf(rest, sizeof rest, "vocabs/ggml-vocab-%s.gguf", name);
    return load_vocab(loaded, shared_file(rest));
}

static inline void unload(struct loaded *loaded) {
    vocab_free(loaded->vocab);
    gguf_close(loaded->gguf);
}

#endif
