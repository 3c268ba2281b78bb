/* libFuzzer: any bytes as a model file; what is accepted must be safe to read, as a vocabulary too.
 * make fuzz builds it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok) {
    if (!ok) abort();
}

/* Reads every byte that the file says is its own. */
static unsigned touch(const struct gguf *gguf) {
    const uint8_t *start = gguf_mapping(gguf);
    unsigned sum = 0;
    for (uint64_t i = 0; i < gguf_tensor_count(gguf); i++) {
        const struct gguf_tensor *tensor = gguf_tensor_at(gguf, i);
        const uint8_t *data = tensor->data;
        check(data >= start && tensor->size <= gguf_file_size(gguf) - (size_t)(data - start));
        if (tensor->size > 0) sum += data[0] + data[tensor->size - 1];
    }
    return sum;
}

static void use_vocab(const struct vocab *vocab, const char *text, size_t n) {
    for (unsigned flags = 0; flags < 8; flags++) {
        struct tokens tokens = {0};
        struct error error = {0};
        check(tokenize(vocab, &tokens, text, n, flags, &error));
        for (size_t i = 0; i < tokens.len; i++) check(tokens.ids[i] < vocab_size(vocab));
        tokens_free(&tokens);
    }
    for (uint32_t id = 0; id < vocab_size(vocab); id++) {
        uint32_t len;
        const char *bytes = vocab_bytes(vocab, id, &len);
        vocab_find(vocab, bytes, len);
        vocab_is_end(vocab, id);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error error = {0};
    struct gguf *gguf = gguf_from_memory(data, size, &error);
    check((gguf == NULL) == (error.code != ERROR_NONE));
    if (!gguf) return 0;
    volatile unsigned sum = touch(gguf);
    (void)sum;
    struct vocab *vocab = vocab_new(gguf, &error);
    check((vocab == NULL) == (error.code != ERROR_NONE));
    size_t n = size < 512 ? size : 512; /* the file's end serves as text */
    if (vocab) use_vocab(vocab, (const char *)data + size - n, n);
    vocab_free(vocab);
    gguf_close(gguf);
    return 0;
}
