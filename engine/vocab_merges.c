/* The part of vocab_new that reads what the merging of tokens needs. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/vocab_tables.h"

/* Text tokens by their bytes; else the literal spelling of a special token. */
static uint32_t find(const struct vocab *vocab, const char *spelling, size_t n, const char *bytes,
                     size_t len) {
    uint32_t id = lexicon_find(&vocab->lexicon, bytes, len, LEXICON_TEXT);
    return id != TOKEN_NONE ? id : lexicon_find(&vocab->lexicon, spelling, n, LEXICON_SPECIAL);
}

/* "left right": byte-level spellings have no space of their own, but for odd ones that begin with
 * it. */
static const char *find_separator(struct gguf_string line) {
    return line.len < 3 ? NULL : memchr(line.bytes + 1, ' ', line.len - 2);
}

/* scratch: room for 2 x line.len bytes. */
static bool parse_merge(const struct vocab *vocab, struct merge *out, struct gguf_string line,
                        char *scratch) {
    const char *separator = find_separator(line);
    if (!separator) return false;
    size_t left = (size_t)(separator - line.bytes), right = line.len - left - 1, a, b;
    char *spelling = scratch, *bytes = scratch + line.len;
    memcpy(spelling, line.bytes, left);
    memcpy(spelling + left, separator + 1, right);
    if (!vocab_unescape(VOCAB_BPE, bytes, &a, spelling, left) ||
        !vocab_unescape(VOCAB_BPE, bytes + a, &b, spelling + left, right))
        a = b = 0; /* no text token has no bytes: only a special one can match */
    out->left = find(vocab, spelling, left, bytes, a);
    out->right = find(vocab, spelling + left, right, bytes + a, b);
    out->result = find(vocab, spelling, left + right, bytes, a + b);
    return out->left != TOKEN_NONE && out->right != TOKEN_NONE && out->result != TOKEN_NONE;
}

/* Plain text must not become a control token, whatever the merges say. */
static bool makes_control(const struct vocab *vocab, const struct merge *merge) {
    enum token_kind kind = vocab_kind(vocab, merge->result);
    return kind == TOKEN_CONTROL || kind == TOKEN_UNKNOWN;
}

static uint64_t longest_line(const struct gguf_array *lines) {
    struct gguf_string line;
    uint64_t longest = 0;
    for (uint64_t at = 0; gguf_next_string(lines, &at, &line);)
        if (line.len > longest) longest = line.len;
    return longest;
}

static bool add_merges(struct vocab *vocab, const struct gguf_array *lines, char *scratch,
                       struct error *error) {
    struct gguf_string line;
    for (uint64_t at = 0; gguf_next_string(lines, &at, &line);) {
        struct merge merge;
        if (!parse_merge(vocab, &merge, line, scratch))
            return error_set(error, ERROR_MODEL_NOT_READY,
                             "the merge \"%s\" is not of two tokens that make a third",
                             gguf_quote(line).text);
        if (!makes_control(vocab, &merge)) merges_add(&vocab->merges, merge);
    }
    return true;
}

bool vocab_read_merges(struct vocab *vocab, const struct gguf *gguf, struct error *error) {
    struct gguf_array lines;
    if (!gguf_get_array(gguf, "tokenizer.ggml.merges", GGUF_STRING, &lines))
        return error_set(error, ERROR_MODEL_NOT_READY,
                         "the model file has no tokenizer.ggml.merges");
    if (lines.count > LEXICON_MAX)
        return error_set(error, ERROR_MODEL_NOT_READY, "0x%" PRIx64 " merges are too many",
                         lines.count);
    char *scratch = malloc(2 * longest_line(&lines) + 1);
    bool ok = scratch && merges_init(&vocab->merges, (uint32_t)lines.count);
    if (!ok) error_set(error, ERROR_OUT_OF_MEMORY, "no memory for the merges");
    ok = ok && add_merges(vocab, &lines, scratch, error);
    free(scratch);
    return ok;
}

bool vocab_read_scores(struct vocab *vocab, const struct gguf *gguf, struct error *error) {
    struct gguf_array scores;
    if (!gguf_get_array(gguf, "tokenizer.ggml.scores", GGUF_F32, &scores) ||
        scores.count != vocab_size(vocab))
        return error_set(error, ERROR_MODEL_NOT_READY,
                         "tokenizer.ggml.scores is not one f32 for every token");
    for (uint64_t i = 0; i < scores.count; i++) {
        float score;
        memcpy(&score, scores.bytes + i * sizeof score, sizeof score);
        if (isnan(score))
            return error_set(error, ERROR_MODEL_NOT_READY,
                             "the score of token 0x%" PRIx64 " is NaN", i);
    }
    vocab->scores = scores.bytes;
    return true;
}
