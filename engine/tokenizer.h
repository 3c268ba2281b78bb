/* tokenizer: text -> token ids, exact against the reference implementations.
 *
 * Stateless over an immutable vocab; any thread. SPM (scores, byte fallback) and
 * byte-level BPE (merges, with the pre-tokenizer the vocab names). Work is
 * O(n log n) in the text's length whatever the text is.
 */
#ifndef ENGINE_TOKENIZER_H
#define ENGINE_TOKENIZER_H

#include "engine/vocab.h"

enum tokenize_flags {
    TOKENIZE_ADD_SPECIAL = 1,   /* bos/eos as the vocab asks */
    TOKENIZE_PARSE_SPECIAL = 2, /* spelled-out control and user-defined tokens become those tokens;
                                   without it control tokens in text are plain text */
    TOKENIZE_CONTINUE = 4,      /* the text continues other text: SPM adds no space prefix */
};

struct tokens {
    uint32_t *ids;
    size_t len, cap;
};

/* Appends the tokens of text (any bytes; invalid UTF-8 is tokenised bytewise) to *out
 * (zero-initialise; tokens_free). False and an error when memory runs out. */
bool tokenize(const struct vocab *vocab, struct tokens *out, const char *text, size_t len,
              unsigned flags, struct error *error);

bool tokens_add(struct tokens *tokens, uint32_t id);
void tokens_free(struct tokens *tokens);

#endif
