/* vocab: token id <-> bytes, as a model file declares it.
 *
 * Immutable after vocab_new; any thread may read. Token bytes are the real bytes
 * a token stands for in text (byte-level BPE and SPM escapes undone), in one
 * arena owned by the vocab.
 */
#ifndef ENGINE_VOCAB_H
#define ENGINE_VOCAB_H

#include "engine/gguf.h"

struct vocab;

enum vocab_model { VOCAB_SPM, VOCAB_BPE };

enum token_kind { /* tokenizer.ggml.token_type */
    TOKEN_NORMAL = 1, TOKEN_UNKNOWN, TOKEN_CONTROL, TOKEN_USER_DEFINED, TOKEN_UNUSED, TOKEN_BYTE
};

#define TOKEN_NONE UINT32_MAX

/* Reads tokenizer.ggml.*. Unknown model or pre-tokenizer, counts that disagree, ids out of range:
 * refused by name (ERROR_MODEL_NOT_READY). gguf must outlive the vocab. */
struct vocab *vocab_new(const struct gguf *gguf, struct error *error);
void vocab_free(struct vocab *vocab);

enum vocab_model vocab_model(const struct vocab *vocab);
uint32_t vocab_size(const struct vocab *vocab);
/* The bytes the token adds to text; control tokens give their literal spelling, and vocab_kind
 * tells them apart. Never NULL; *len may be 0. */
const char *vocab_bytes(const struct vocab *vocab, uint32_t id, uint32_t *len);
enum token_kind vocab_kind(const struct vocab *vocab, uint32_t id);
/* Id of a token by its literal spelling in the file (e.g. "<|im_end|>"), TOKEN_NONE if there is none. */
uint32_t vocab_find(const struct vocab *vocab, const char *text, size_t len);

uint32_t vocab_bos(const struct vocab *vocab); /* TOKEN_NONE if the file names none */
uint32_t vocab_eos(const struct vocab *vocab);
bool vocab_adds_bos(const struct vocab *vocab); /* add_bos_token, default by model as llama.cpp */
bool vocab_adds_eos(const struct vocab *vocab);
/* Does this token end a generation (eos, eot, <|im_end|>, <|eot_id|>, <|endoftext|>, ...)? */
bool vocab_is_end(const struct vocab *vocab, uint32_t id);

#endif
