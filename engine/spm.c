#include "engine/spm.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "engine/vocab_tables.h"

struct spm {
    const struct vocab *vocab;
    const char *text;
};

/* Scores in an order that integers have: the best score gives the lowest rank, -0 and +0 the same.
 */
static uint32_t rank_of(const struct vocab *vocab, uint32_t id) {
    const uint32_t sign = 1u << 31;
    float score;
    uint32_t bits;
    memcpy(&score, vocab->scores + (size_t)id * sizeof score, sizeof score);
    score += 0.0f;
    memcpy(&bits, &score, sizeof bits);
    return bits & sign ? bits : ~bits & ~sign;
}

static uint32_t find_text(const struct vocab *vocab, const char *text, size_t n) {
    uint32_t id = lexicon_find(&vocab->lexicon, text, n, LEXICON_TEXT);
    return id == TOKEN_NONE || vocab_kind(vocab, id) == TOKEN_CONTROL ? TOKEN_NONE : id;
}

static bool find_joined(const void *context, const struct merger *merger, uint32_t left,
                        uint32_t right, struct joined *out) {
    const struct spm *spm = context;
    size_t n = (size_t)merger->symbols[left].len + merger->symbols[right].len;
    out->id = find_text(spm->vocab, spm->text + left, n);
    if (out->id == TOKEN_NONE) return false;
    out->rank = rank_of(spm->vocab, out->id);
    return true;
}

/* The bytes of a character without a token: as byte tokens; one unknown token if it has none. */
static bool add_bytes(const struct vocab *vocab, struct tokens *out, const char *bytes, size_t n) {
    bool unknown = false;
    if (n == 1 && bytes[0] == ' ') { /* SentencePiece sees U+2581 */
        bytes = "\xE2\x96\x81";
        n = 3;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t id = vocab->byte_ids[(unsigned char)bytes[i]];
        if (id == TOKEN_NONE && unknown) continue;
        unknown = unknown || id == TOKEN_NONE;
        if (!tokens_add(out, id == TOKEN_NONE ? vocab->unknown[0] : id)) return false;
    }
    return true;
}

static bool add_symbols(const struct spm *spm, const struct merger *merger, struct tokens *out) {
    for (size_t at = 0, n; at < merger->len; at += n) {
        uint32_t id = merger->symbols[at].id;
        n = merger->symbols[at].len;
        if (id != TOKEN_NONE ? !tokens_add(out, id)
                             : !add_bytes(spm->vocab, out, spm->text + at, n))
            return false;
    }
    return true;
}

/* SentencePiece cannot tell U+2581 in text from a space. Returns the bytes written. */
static size_t normalise(char *out, const char *text, size_t n, bool prefix) {
    size_t len = 0;
    if (prefix) out[len++] = ' ';
    for (size_t at = 0; at < n;) {
        bool space = n - at >= 3 && memcmp(text + at, "\xE2\x96\x81", 3) == 0;
        out[len++] = space ? ' ' : text[at];
        at += space ? 3 : 1;
    }
    return len;
}

static bool tokenize_normalised(const struct spm *spm, struct merger *merger, struct tokens *out,
                                size_t n) {
    if (!merger_start(merger, n)) return false;
    while (merger->len < n) {
        uint32_t code;
        const char *at = spm->text + merger->len;
        size_t len = utf8_decode(at, n - merger->len, &code);
        if (len == 0) len = 1;
        merger_add(merger, find_text(spm->vocab, at, len), (uint32_t)len);
    }
    return merger_run(merger, find_joined, spm) && add_symbols(spm, merger, out);
}

bool spm_fragment(const struct vocab *vocab, struct merger *merger, struct tokens *out,
                  const char *text, size_t n, bool prefix) {
    char *copy = malloc(n + 1);
    if (!copy) return false;
    struct spm spm = {vocab, copy};
    bool ok = tokenize_normalised(&spm, merger, out, normalise(copy, text, n, prefix));
    free(copy);
    return ok;
}
