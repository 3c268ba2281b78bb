#include "engine/bpe.h"

#include "engine/vocab_tables.h"

struct bpe {
    const struct vocab *vocab;
    struct merger *merger;
    struct tokens *out;
};

static bool find_merge(const void *context, const struct merger *merger, uint32_t left,
                       uint32_t right, struct joined *out) {
    const struct merges *merges = context;
    out->rank = merges_find(merges, merger->symbols[left].id, merger->symbols[right].id);
    if (out->rank == UINT32_MAX) return false;
    out->id = merges->entries[out->rank].result;
    return true;
}

static bool add_unknown(const struct bpe *bpe) {
    for (uint32_t i = 0; i < bpe->vocab->n_unknown; i++)
        if (!tokens_add(bpe->out, bpe->vocab->unknown[i])) return false;
    return true;
}

static bool add_symbols(const struct bpe *bpe) {
    const struct merger *merger = bpe->merger;
    for (size_t at = 0; at < merger->len; at += merger->symbols[at].len) {
        uint32_t id = merger->symbols[at].id;
        if (id == TOKEN_NONE ? !add_unknown(bpe) : !tokens_add(bpe->out, id)) return false;
    }
    return true;
}

static bool add_word(void *context, const char *word, size_t n) {
    const struct bpe *bpe = context;
    const struct vocab *vocab = bpe->vocab;
    if (vocab->pretok->ignore_merges) {
        uint32_t id = lexicon_find(&vocab->lexicon, word, n, LEXICON_TEXT);
        if (id != TOKEN_NONE && vocab_kind(vocab, id) != TOKEN_CONTROL)
            return tokens_add(bpe->out, id);
    }
    if (!merger_start(bpe->merger, n)) return false;
    for (size_t i = 0; i < n; i++)
        merger_add(bpe->merger, vocab->byte_ids[(unsigned char)word[i]], 1);
    return merger_run(bpe->merger, find_merge, &vocab->merges) && add_symbols(bpe);
}

bool bpe_fragment(const struct vocab *vocab, struct merger *merger, struct tokens *out,
                  const char *text, size_t n) {
    struct bpe bpe = {vocab, merger, out};
    return pretok_split(vocab->pretok, text, n, add_word, &bpe);
}
