/* vocab_tables: what a vocab holds, for the files that build it and the tokenizers that read it.
 *
 * Private to vocab*.c, tokenizer.c, spm.c and bpe.c; everybody else goes through engine/vocab.h.
 */
#ifndef ENGINE_VOCAB_TABLES_H
#define ENGINE_VOCAB_TABLES_H

#include "engine/lexicon.h"
#include "engine/merges.h"
#include "engine/pretok.h"
#include "engine/specials.h"
#include "engine/vocab.h"

enum { VOCAB_MAX_ENDS = 64, VOCAB_MAX_UNKNOWN = 3 };

struct vocab {
    enum vocab_model model;
    struct lexicon lexicon; /* every token */
    uint8_t *kinds;         /* by id: enum token_kind */
    uint32_t byte_ids[256]; /* the token of a single byte, or TOKEN_NONE */
    /* What stands in the output for bytes that have no token. */
    uint32_t unknown[VOCAB_MAX_UNKNOWN], n_unknown;

    const struct pretok *pretok; /* BPE */
    struct merges merges;        /* BPE */
    const uint8_t *scores;       /* SPM: f32 by id, unaligned, borrowed from the file */
    bool space_prefix;

    struct specials specials;     /* control, unknown and user-defined tokens */
    struct specials user_defined; /* those that are recognised in plain text too */
    bool strips_right; /* special tokens swallow the white space behind them (Phi-3), but for ... */
    uint32_t keeps_right[3]; /* ... these */

    uint32_t bos, eos, unk;
    bool adds_bos, adds_eos;
    uint32_t ends[VOCAB_MAX_ENDS], n_ends;
};

/* Undoes the escapes of a text token's spelling into out (room for n bytes): the bytes it stands
 * for. False if the spelling stands for none. */
bool vocab_unescape(enum vocab_model model, char *out, size_t *out_len, const char *spelling,
                    size_t n);
/* vocab_tokens.c: lexicon, kinds and byte_ids from tokenizer.ggml.tokens and .token_type. */
bool vocab_read_tokens(struct vocab *vocab, const struct gguf *gguf, struct error *error);
/* vocab_special.c: bos, eos, ends, adds_*, unknown and the matchers of special tokens. */
bool vocab_read_special(struct vocab *vocab, const struct gguf *gguf, struct error *error);
/* vocab_merges.c: merges from tokenizer.ggml.merges (BPE), scores from .scores (SPM). */
bool vocab_read_merges(struct vocab *vocab, const struct gguf *gguf, struct error *error);
bool vocab_read_scores(struct vocab *vocab, const struct gguf *gguf, struct error *error);

#endif
