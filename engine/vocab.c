#include "engine/vocab.h"

#include <stdlib.h>
#include <string.h>

#include "engine/vocab_tables.h"

static bool is_text(struct gguf_string string, const char *text) {
    return string.len == strlen(text) && memcmp(string.bytes, text, string.len) == 0;
}

static bool read_model(struct vocab *vocab, const struct gguf *gguf, struct error *error) {
    struct gguf_string model;
    if (!gguf_get_string(gguf, "tokenizer.ggml.model", &model))
        return error_set(error, ERROR_MODEL_NOT_READY, "the model file names no tokenizer");
    if (!is_text(model, "llama") && !is_text(model, "gpt2"))
        return error_set(error, ERROR_MODEL_NOT_READY,
                         "tokenizer %s is not supported (llama and gpt2 are)",
                         gguf_quote(model).text);
    vocab->model = is_text(model, "llama") ? VOCAB_SPM : VOCAB_BPE;
    return true;
}

static bool read_pretok(struct vocab *vocab, const struct gguf *gguf, struct error *error) {
    struct gguf_string name = {"default", strlen("default")};
    if (gguf_has(gguf, "tokenizer.ggml.pre") && !gguf_get_string(gguf, "tokenizer.ggml.pre", &name))
        return error_set(error, ERROR_MODEL_NOT_READY, "tokenizer.ggml.pre is not a string");
    vocab->pretok = pretok_find(name.bytes, name.len);
    if (!vocab->pretok)
        return error_set(error, ERROR_MODEL_NOT_READY, "pre-tokenizer %s is not supported",
                         gguf_quote(name).text);
    return true;
}

static bool read_all(struct vocab *vocab, const struct gguf *gguf, struct error *error) {
    if (!read_model(vocab, gguf, error)) return false;
    bool bpe = vocab->model == VOCAB_BPE;
    return (!bpe || read_pretok(vocab, gguf, error)) && vocab_read_tokens(vocab, gguf, error) &&
           vocab_read_special(vocab, gguf, error) &&
           (bpe ? vocab_read_merges(vocab, gguf, error) : vocab_read_scores(vocab, gguf, error));
}

struct vocab *vocab_new(const struct gguf *gguf, struct error *error) {
    struct vocab *vocab = calloc(1, sizeof *vocab);
    if (!vocab) error_set(error, ERROR_OUT_OF_MEMORY, "no memory for the vocabulary");
    if (!vocab || read_all(vocab, gguf, error)) return vocab;
    vocab_free(vocab);
    return NULL;
}

void vocab_free(struct vocab *vocab) {
    if (!vocab) return;
    lexicon_free(&vocab->lexicon);
    merges_free(&vocab->merges);
    specials_free(&vocab->specials);
    specials_free(&vocab->user_defined);
    free(vocab->kinds);
    free(vocab);
}

enum vocab_model vocab_model(const struct vocab *vocab) {
    return vocab->model;
}

uint32_t vocab_size(const struct vocab *vocab) {
    return vocab->lexicon.count;
}

const char *vocab_bytes(const struct vocab *vocab, uint32_t id, uint32_t *len) {
    return lexicon_bytes(&vocab->lexicon, id, len);
}

enum token_kind vocab_kind(const struct vocab *vocab, uint32_t id) {
    return (enum token_kind)vocab->kinds[id];
}

/* SPM spells a byte token <0xXX>. */
static uint32_t find_byte_token(const struct vocab *vocab, const char *text, size_t len) {
    static const char digits[] = "0123456789ABCDEF";
    if (len != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>') return TOKEN_NONE;
    const char *high = memchr(digits, text[3], 16), *low = memchr(digits, text[4], 16);
    if (!high || !low) return TOKEN_NONE;
    uint32_t id = vocab->byte_ids[(high - digits) * 16 + (low - digits)];
    return id != TOKEN_NONE && vocab->kinds[id] == TOKEN_BYTE ? id : TOKEN_NONE;
}

/* As a text token (or an escaped user-defined one): by the bytes that the spelling stands for. */
static uint32_t find_escaped(const struct vocab *vocab, const char *text, size_t len) {
    uint32_t id = TOKEN_NONE;
    if (len > (size_t)vocab->lexicon.longest * 3) return id; /* an escape takes at most 3 bytes */
    char *bytes = malloc(len ? len : 1);
    if (bytes && vocab_unescape(vocab->model, bytes, &len, text, len)) {
        id = lexicon_find(&vocab->lexicon, bytes, len, LEXICON_TEXT);
        if (id == TOKEN_NONE) id = lexicon_find(&vocab->lexicon, bytes, len, LEXICON_SPECIAL);
    }
    free(bytes);
    return id;
}

uint32_t vocab_find(const struct vocab *vocab, const char *text, size_t len) {
    uint32_t id = lexicon_find(&vocab->lexicon, text, len, LEXICON_SPECIAL);
    if (id == TOKEN_NONE) id = find_byte_token(vocab, text, len);
    return id == TOKEN_NONE ? find_escaped(vocab, text, len) : id;
}

uint32_t vocab_bos(const struct vocab *vocab) {
    return vocab->bos;
}

uint32_t vocab_eos(const struct vocab *vocab) {
    return vocab->eos;
}

bool vocab_adds_bos(const struct vocab *vocab) {
    return vocab->adds_bos;
}

bool vocab_adds_eos(const struct vocab *vocab) {
    return vocab->adds_eos;
}

bool vocab_is_end(const struct vocab *vocab, uint32_t id) {
    for (uint32_t i = 0; i < vocab->n_ends; i++)
        if (vocab->ends[i] == id) return true;
    return false;
}
