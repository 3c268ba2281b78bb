/* bpe: byte-level byte pair encoding of one fragment of text without special tokens. */
#ifndef ENGINE_BPE_H
#define ENGINE_BPE_H

#include "engine/merger.h"
#include "engine/tokenizer.h"

/* Appends the tokens of n bytes to *out. merger is workspace (zero-initialise, merger_free). False
 * when memory runs out. */
bool bpe_fragment(const struct vocab *vocab, struct merger *merger, struct tokens *out,
                  const char *text, size_t n);

#endif
