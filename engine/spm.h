/* spm: SentencePiece's BPE by scores, with byte fallback, of one fragment of text without special
 * tokens. */
#ifndef ENGINE_SPM_H
#define ENGINE_SPM_H

#include "engine/merger.h"
#include "engine/tokenizer.h"

/* Appends the tokens of n bytes, behind a space if prefix is set, to *out. merger is workspace
 * (zero-initialise, merger_free). False when memory runs out. */
bool spm_fragment(const struct vocab *vocab, struct merger *merger, struct tokens *out,
                  const char *text, size_t n, bool prefix);

#endif
