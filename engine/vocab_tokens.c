/* The part of vocab_new that reads the list of tokens. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/byte_level.h"
#include "engine/vocab_tables.h"

static const char space[] = "\xE2\x96\x81"; /* U+2581: how SPM spells a space */

/* out may be the spelling itself: it never overtakes. */
static void unescape_spaces(char *out, size_t *out_len, const char *spelling, size_t n) {
    size_t len = 0;
    for (size_t at = 0; at < n;) {
        bool escaped = n - at >= 3 && memcmp(spelling + at, space, 3) == 0;
        out[len++] = escaped ? ' ' : spelling[at];
        at += escaped ? 3 : 1;
    }
    *out_len = len;
}

bool vocab_unescape(enum vocab_model model, char *out, size_t *out_len, const char *spelling,
                    size_t n) {
    if (model == VOCAB_BPE) return byte_level_decode(out, out_len, spelling, n);
    unescape_spaces(out, out_len, spelling, n);
    return true;
}

/* Types the format does not know, and "undefined", are taken for normal tokens. */
static enum token_kind read_kind(const struct gguf_array *types, uint32_t id) {
    int32_t type = TOKEN_NORMAL;
    if (types->count > 0) memcpy(&type, types->bytes + (size_t)id * sizeof type, sizeof type);
    return type >= TOKEN_NORMAL && type <= TOKEN_BYTE ? (enum token_kind)type : TOKEN_NORMAL;
}

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that <0xXX> names, or -1. */
static int byte_token(struct gguf_string spelling) {
    const char *at = spelling.bytes;
    if (spelling.len != 6 || memcmp(at, "<0x", 3) != 0 || at[5] != '>') return -1;
    int high = hex(at[3]), low = hex(at[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* Writes the token's bytes to out. Returns the sort it is found as. */
static enum lexicon_sort token_bytes(enum vocab_model model, enum token_kind kind, char *out,
                                     size_t *len, struct gguf_string spelling) {
    int byte = kind == TOKEN_BYTE ? byte_token(spelling) : -1;
    bool text = kind == TOKEN_NORMAL || kind == TOKEN_UNUSED;
    if (byte >= 0) {
        out[0] = (char)byte;
        *len = 1;
        return LEXICON_HIDDEN;
    }
    if (text && vocab_unescape(model, out, len, spelling.bytes, spelling.len)) return LEXICON_TEXT;
    *len = spelling.len;
    memcpy(out, spelling.bytes, *len);
    if (model == VOCAB_SPM && kind == TOKEN_USER_DEFINED) unescape_spaces(out, len, out, *len);
    return LEXICON_SPECIAL;
}

/* SPM files may hold both spellings of a space; then the first token is the one that text gets. */
static bool add_token(struct vocab *vocab, uint32_t id, struct gguf_string spelling,
                      struct error *error) {
    struct lexicon *lexicon = &vocab->lexicon;
    size_t len;
    char *room = lexicon_room(lexicon);
    enum lexicon_sort sort = token_bytes(vocab->model, vocab->kinds[id], room, &len, spelling);
    if (sort == LEXICON_HIDDEN) vocab->byte_ids[(unsigned char)room[0]] = id;
    if (len == 0) sort = LEXICON_HIDDEN;
    if (lexicon_add(lexicon, (uint32_t)len, sort) || vocab->model == VOCAB_SPM) return true;
    return error_set(error, ERROR_MODEL_NOT_READY, "the vocabulary has the token %s twice",
                     gguf_quote(spelling).text);
}

/* A byte without a token of its own type may be a token like any other. */
static void find_bytes(struct vocab *vocab) {
    for (int byte = 0; byte < 256; byte++) {
        char c = (char)byte;
        if (vocab->byte_ids[byte] == TOKEN_NONE)
            vocab->byte_ids[byte] = lexicon_find(&vocab->lexicon, &c, 1, LEXICON_TEXT);
    }
}

static bool check_arrays(const struct gguf *gguf, struct gguf_array *tokens,
                         struct gguf_array *types, struct error *error) {
    const char *types_key = "tokenizer.ggml.token_type";
    *types = (struct gguf_array){0};
    if (!gguf_get_array(gguf, "tokenizer.ggml.tokens", GGUF_STRING, tokens))
        return error_set(error, ERROR_MODEL_NOT_READY,
                         "the model file has no tokenizer.ggml.tokens");
    if (tokens->count == 0 || tokens->count > LEXICON_MAX || tokens->size > INT32_MAX)
        return error_set(error, ERROR_MODEL_NOT_READY,
                         "a vocabulary of 0x%" PRIx64 " tokens is not supported", tokens->count);
    if (gguf_has(gguf, types_key) &&
        (!gguf_get_array(gguf, types_key, GGUF_I32, types) || types->count != tokens->count))
        return error_set(error, ERROR_MODEL_NOT_READY,
                         "%s is not one 32-bit number for every token", types_key);
    return true;
}

bool vocab_read_tokens(struct vocab *vocab, const struct gguf *gguf, struct error *error) {
    struct gguf_array tokens, types;
    struct gguf_string spelling;
    uint64_t at = 0;
    if (!check_arrays(gguf, &tokens, &types, error)) return false;
    uint32_t count = (uint32_t)tokens.count;
    size_t bytes = tokens.size - tokens.count * sizeof(uint64_t); /* without the lengths */
    vocab->kinds = malloc(count);
    if (!lexicon_init(&vocab->lexicon, count, (uint32_t)bytes) || !vocab->kinds)
        return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for the vocabulary");
    memset(vocab->byte_ids, 0xFF, sizeof vocab->byte_ids); /* TOKEN_NONE */
    for (uint32_t id = 0; gguf_next_string(&tokens, &at, &spelling); id++) {
        vocab->kinds[id] = (uint8_t)read_kind(&types, id);
        if (!add_token(vocab, id, spelling, error)) return false;
    }
    lexicon_trim(&vocab->lexicon);
    find_bytes(vocab);
    return true;
}
