#include "engine/tokenizer.h"

#include <stdlib.h>

#include "engine/bpe.h"
#include "engine/spm.h"
#include "engine/vocab_tables.h"

struct run {
    const struct vocab *vocab;
    struct tokens *out;
    struct merger merger;
    bool prefix; /* does SPM put a space before the next fragment? */
};

bool tokens_add(struct tokens *tokens, uint32_t id) {
    if (tokens->len == tokens->cap) {
        size_t cap = tokens->cap ? tokens->cap * 2 : 64;
        uint32_t *ids = realloc(tokens->ids, cap * sizeof *ids);
        if (!ids) return false;
        tokens->ids = ids;
        tokens->cap = cap;
    }
    tokens->ids[tokens->len++] = id;
    return true;
}

void tokens_free(struct tokens *tokens) {
    free(tokens->ids);
    *tokens = (struct tokens){0};
}

static bool add_fragment(struct run *run, const char *text, size_t n) {
    bool prefix = run->prefix;
    if (n == 0) return true;
    run->prefix = false;
    return run->vocab->model == VOCAB_SPM
               ? spm_fragment(run->vocab, &run->merger, run->out, text, n, prefix)
               : bpe_fragment(run->vocab, &run->merger, run->out, text, n);
}

/* How many bytes of white space (C's) the special token takes along. */
static size_t stripped(const struct vocab *vocab, uint32_t id, const char *text, size_t n) {
    size_t len = 0;
    if (!vocab->strips_right) return 0;
    for (size_t i = 0; i < 3; i++)
        if (vocab->keeps_right[i] == id) return 0;
    while (len < n && (text[len] == ' ' || (text[len] >= '\t' && text[len] <= '\r'))) len++;
    return len;
}

static bool add_text(struct run *run, const struct specials *specials, const char *text, size_t n) {
    const struct vocab *vocab = run->vocab;
    size_t start = 0; /* of the fragment not yet added */
    for (size_t at = 0; at < n;) {
        uint32_t len, id = specials_match(specials, &vocab->lexicon, text + at, n - at);
        if (id == TOKEN_NONE) {
            at++;
            continue;
        }
        if (!add_fragment(run, text + start, at - start) || !tokens_add(run->out, id)) return false;
        vocab_bytes(vocab, id, &len);
        at += len;
        start = at += stripped(vocab, id, text + at, n - at);
        run->prefix = vocab->space_prefix;
    }
    return add_fragment(run, text + start, n - start);
}

bool tokenize(const struct vocab *vocab, struct tokens *out, const char *text, size_t len,
              unsigned flags, struct error *error) {
    bool special = (flags & TOKENIZE_ADD_SPECIAL) != 0;
    struct run run = {vocab, out, {0}, vocab->space_prefix && !(flags & TOKENIZE_CONTINUE)};
    if (len >= MERGER_MAX)
        return error_set(error, ERROR_MESSAGE_TOO_LARGE, "the text is too long to tokenise");
    bool ok =
        (!special || !vocab->adds_bos || tokens_add(out, vocab->bos)) &&
        add_text(&run, flags & TOKENIZE_PARSE_SPECIAL ? &vocab->specials : &vocab->user_defined,
                 text, len) &&
        (!special || !vocab->adds_eos || tokens_add(out, vocab->eos));
    merger_free(&run.merger);
    return ok || error_set(error, ERROR_OUT_OF_MEMORY, "no memory to tokenise the text");
}
