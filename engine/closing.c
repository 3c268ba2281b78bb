#include "engine/closing.h"

#include <stdlib.h>
#include <string.h>

enum { CLOSING_BYTES = 1 << 14 };

/* The shortest completion, to be freed; NULL if it can't be told or is too long. */
static char *write_out(struct matcher *matcher, size_t *len) {
    if (matcher_shortest(matcher) > CLOSING_BYTES) return NULL;
    char *bytes = malloc(CLOSING_BYTES);
    *len = bytes ? matcher_closing(matcher, bytes, CLOSING_BYTES) : 0;
    if (bytes && (*len || matcher_may_end(matcher))) return bytes;
    free(bytes);
    return NULL;
}

static bool cut(const struct vocab *vocab, struct tokens *tokens, const char *bytes, size_t len) {
    struct error error = {0};
    return tokenize(vocab, tokens, bytes, len, TOKENIZE_CONTINUE, &error);
}

size_t closing_tokens(const struct vocab *vocab, struct matcher *matcher, struct tokens *tokens) {
    size_t len;
    char *bytes = write_out(matcher, &len);
    bool ok = bytes && cut(vocab, tokens, bytes, len);
    free(bytes);
    return ok ? tokens->len : SIZE_MAX;
}

char closing_first(struct matcher *matcher) {
    size_t len;
    char *bytes = write_out(matcher, &len), first = bytes && len ? *bytes : '\0';
    free(bytes);
    return first;
}

/* Writes the text in the tokens of the one known that it is the end of; the piece of a token that it
 * begins with is cut anew. False if it is no end of it, or there are more than `left`. */
static bool reuse(const struct closing *closing, const struct vocab *vocab, const char *bytes,
                  size_t len, size_t left, struct tokens *tokens) {
    size_t from = closing->len - len, at = 0, first = 0;
    uint32_t n;
    if (len > closing->len || memcmp(closing->bytes + from, bytes, len) != 0) return false;
    for (; at < from && first < closing->tokens.len; first++, at += n)
        vocab_bytes(vocab, closing->tokens.ids[first], &n);
    if (at < from || closing->tokens.len - first > left) return false;
    if (at > from && !cut(vocab, tokens, bytes, at - from)) return false;
    for (size_t i = first; i < closing->tokens.len; i++)
        if (!tokens_add(tokens, closing->tokens.ids[i])) return false;
    return tokens->len <= left;
}

bool closing_fits(struct closing *closing, const struct vocab *vocab, struct matcher *matcher,
                  size_t left) {
    struct closing now = {0};
    now.bytes = write_out(matcher, &now.len);
    bool known = now.bytes && closing->bytes &&
                 reuse(closing, vocab, now.bytes, now.len, left, &now.tokens);
    now.tokens.len = known ? now.tokens.len : 0;
    bool fits = known || (now.bytes && cut(vocab, &now.tokens, now.bytes, now.len) &&
                          now.tokens.len <= left);
    if (!fits || known) {
        closing_free(&now);
        return fits;
    }
    closing_free(closing);
    *closing = now;
    return true;
}

size_t closing_within(const struct closing *closing, const struct vocab *vocab,
                      struct matcher *matcher, size_t left, struct tokens *tokens) {
    size_t len;
    char *bytes = write_out(matcher, &len);
    bool ok = bytes && cut(vocab, tokens, bytes, len) && tokens->len <= left;
    if (bytes && !ok) {
        tokens->len = 0;
        ok = closing->bytes && reuse(closing, vocab, bytes, len, left, tokens);
    }
    free(bytes);
    return ok ? tokens->len : 0;
}

void closing_free(struct closing *closing) {
    free(closing->bytes);
    tokens_free(&closing->tokens);
    *closing = (struct closing){0};
}
