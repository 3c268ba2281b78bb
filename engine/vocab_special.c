/* The part of vocab_new that tells which tokens are special, and how. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "engine/vocab_tables.h"

/* ---- ids that the file names ---- */

static bool read_id(const struct vocab *vocab, uint32_t *id, const struct gguf *gguf,
                    const char *key, uint32_t fallback, struct error *error) {
    uint64_t value;
    *id = fallback < vocab_size(vocab) ? fallback : TOKEN_NONE;
    if (!gguf_has(gguf, key)) return true;
    if (!gguf_get_u64(gguf, key, &value) || (value >= vocab_size(vocab) && value != TOKEN_NONE))
        return error_set(error, ERROR_MODEL_NOT_READY, "%s is not a token of the vocabulary", key);
    *id = (uint32_t)value;
    return true;
}

/* A token that the file names for a role is a control token, whatever its type says; but single
 * characters stay text, or text could not be written any more. */
static void set_control(struct vocab *vocab, uint32_t id) {
    uint32_t len;
    if (id == TOKEN_NONE || vocab->kinds[id] == TOKEN_UNKNOWN) return;
    vocab_bytes(vocab, id, &len);
    if (len > 1) vocab->kinds[id] = TOKEN_CONTROL;
}

static void add_end(struct vocab *vocab, uint32_t id) {
    if (id == TOKEN_NONE || vocab_is_end(vocab, id) || vocab->n_ends == VOCAB_MAX_ENDS) return;
    vocab->ends[vocab->n_ends++] = id;
    set_control(vocab, id);
}

static bool read_ids(struct vocab *vocab, const struct gguf *gguf, struct error *error) {
    bool spm = vocab->model == VOCAB_SPM; /* whose files may leave the usual ids out */
    uint32_t eot, eom;
    if (!read_id(vocab, &vocab->bos, gguf, "tokenizer.ggml.bos_token_id", spm ? 1 : TOKEN_NONE,
                 error) ||
        !read_id(vocab, &vocab->eos, gguf, "tokenizer.ggml.eos_token_id", spm ? 2 : TOKEN_NONE,
                 error) ||
        !read_id(vocab, &vocab->unk, gguf, "tokenizer.ggml.unknown_token_id", spm ? 0 : TOKEN_NONE,
                 error) ||
        !read_id(vocab, &eot, gguf, "tokenizer.ggml.eot_token_id", TOKEN_NONE, error) ||
        !read_id(vocab, &eom, gguf, "tokenizer.ggml.eom_token_id", TOKEN_NONE, error))
        return false;
    set_control(vocab, vocab->bos);
    add_end(vocab, vocab->eos);
    add_end(vocab, eot);
    add_end(vocab, eom);
    return true;
}

/* ---- ends known by their spelling ---- */

static uint32_t find_special(const struct vocab *vocab, const char *spelling) {
    return lexicon_find(&vocab->lexicon, spelling, strlen(spelling), LEXICON_SPECIAL);
}

/* Chat models end a turn with other tokens than the eos that their file names. */
static void add_known_ends(struct vocab *vocab) {
    static const char *const spellings[] = {
        "<|eot_id|>",
        "<|im_end|>",
        "<|end|>",
        "<|return|>",
        "<|call|>",
        "<end_of_turn>",
        "<|endoftext|>",
        "</s>",
        "<|eom_id|>",
        "<EOT>",
        "_<EOT>",
        "[EOT]",
        "[EOS]",
        "<|end_of_text|>",
        "<end_of_utterance>",
        "<eos>",
        "<|eos|>",
        "<|endofturn|>",
        "<｜end▁of▁sentence｜>", /* DeepSeek */
    };
    bool harmony = find_special(vocab, "<|return|>") != TOKEN_NONE &&
                   find_special(vocab, "<|call|>") != TOKEN_NONE;
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++)
        if (!harmony || strcmp(spellings[i], "<|end|>") != 0) /* ends a message there, not a turn */
            add_end(vocab, find_special(vocab, spellings[i]));
}

/* User-defined tokens are recognised in plain text. Some files give that type to tokens that frame
 * messages; content must not be able to spell those. */
static void control_frames(struct vocab *vocab) {
    for (uint32_t id = 0; id < vocab_size(vocab); id++) {
        uint32_t n;
        if (vocab->kinds[id] != TOKEN_USER_DEFINED) continue;
        const char *bytes = vocab_bytes(vocab, id, &n);
        bool bars = n > 4 && memcmp(bytes, "<|", 2) == 0 && memcmp(bytes + n - 2, "|>", 2) == 0;
        if (bars || (n == 15 && memcmp(bytes, "<start_of_turn>", 15) == 0))
            vocab->kinds[id] = TOKEN_CONTROL;
    }
}

/* ---- what the tokenizer does with them ---- */

static void read_flags(struct vocab *vocab, const struct gguf *gguf) {
    bool spm = vocab->model == VOCAB_SPM;
    vocab->adds_bos = spm || vocab->pretok->adds_bos;
    vocab->space_prefix = spm;
    gguf_get_bool(gguf, "tokenizer.ggml.add_bos_token", &vocab->adds_bos);
    gguf_get_bool(gguf, "tokenizer.ggml.add_eos_token", &vocab->adds_eos);
    gguf_get_bool(gguf, "tokenizer.ggml.add_space_prefix", &vocab->space_prefix);
    vocab->adds_bos = vocab->adds_bos && vocab->bos != TOKEN_NONE;
    vocab->adds_eos = vocab->adds_eos && vocab->eos != TOKEN_NONE;
}

/* Phi-3's special tokens take the white space behind them along; no metadata says so. */
static void read_strips(struct vocab *vocab, const struct gguf *gguf) {
    static const char *const keep[] = {"<unk>", "<s>", "<|endoftext|>"};
    struct gguf_string name;
    if (!gguf_get_string(gguf, "general.name", &name)) return;
    for (uint64_t i = 0; i + 4 <= name.len; i++) {
        const char *at = name.bytes + i;
        if (strncasecmp(at, "phi3", 4) == 0 ||
            (i + 5 <= name.len && strncasecmp(at, "phi-3", 5) == 0))
            vocab->strips_right = true;
    }
    for (size_t i = 0; i < 3; i++) vocab->keeps_right[i] = find_special(vocab, keep[i]);
}

/* For bytes without a token: the unknown token; but plain text must not put a control token into
 * the output of a BPE vocabulary, so U+FFFD is preferred there. */
static bool choose_unknown(struct vocab *vocab, struct error *error) {
    static const char replacement[] = "\xEF\xBF\xBD";
    bool control = vocab->unk != TOKEN_NONE && vocab->kinds[vocab->unk] == TOKEN_CONTROL;
    uint32_t whole = lexicon_find(&vocab->lexicon, replacement, 3, LEXICON_TEXT);
    if (vocab->unk != TOKEN_NONE && (vocab->model == VOCAB_SPM || !control))
        vocab->unknown[vocab->n_unknown++] = vocab->unk;
    else if (whole != TOKEN_NONE)
        vocab->unknown[vocab->n_unknown++] = whole;
    for (size_t i = 0; vocab->n_unknown == i && i < 3; i++) {
        uint32_t id = vocab->byte_ids[(unsigned char)replacement[i]];
        if (id != TOKEN_NONE) vocab->unknown[vocab->n_unknown++] = id;
    }
    for (int byte = 0; byte < 256 && vocab->n_unknown == 0; byte++)
        if (vocab->byte_ids[byte] == TOKEN_NONE)
            return error_set(
                error, ERROR_MODEL_NOT_READY,
                "the vocabulary has neither a token for the byte 0x%02x nor an unknown token",
                (unsigned)byte);
    return true;
}

/* A matcher of all tokens of these kinds. */
static bool collect(struct specials *specials, const struct vocab *vocab, const bool *kinds) {
    uint32_t count = 0, size = vocab_size(vocab);
    for (uint32_t id = 0; id < size; id++) count += kinds[vocab->kinds[id]];
    uint32_t *ids = malloc((count ? count : 1) * sizeof *ids);
    if (!ids) return false;
    count = 0;
    for (uint32_t id = 0; id < size; id++)
        if (kinds[vocab->kinds[id]]) ids[count++] = id;
    specials_init(specials, &vocab->lexicon, ids, count);
    return true;
}

bool vocab_read_special(struct vocab *vocab, const struct gguf *gguf, struct error *error) {
    static const bool all[] = {[TOKEN_BYTE] = false,
                               [TOKEN_UNKNOWN] = true,
                               [TOKEN_CONTROL] = true,
                               [TOKEN_USER_DEFINED] = true};
    static const bool user_defined[] = {[TOKEN_BYTE] = false, [TOKEN_USER_DEFINED] = true};
    if (!read_ids(vocab, gguf, error)) return false;
    add_known_ends(vocab);
    control_frames(vocab);
    read_flags(vocab, gguf);
    read_strips(vocab, gguf);
    if (!choose_unknown(vocab, error)) return false;
    if (collect(&vocab->specials, vocab, all) && collect(&vocab->user_defined, vocab, user_defined))
        return true;
    return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for the vocabulary");
}
