/* pretok: the splitting of text into words before byte-level BPE.
 *
 * A vocabulary names its splitter (tokenizer.ggml.pre). Each is the hand-written
 * equivalent of the regular expressions it was trained with: a list of stages,
 * every stage cutting the pieces of the one before. Pure functions over static
 * tables; work is linear in the text, whatever it is. Bytes that are not UTF-8
 * are cut like symbols, and kept.
 */
#ifndef ENGINE_PRETOK_H
#define ENGINE_PRETOK_H

#include <stdbool.h>
#include <stddef.h>

struct pretok_stage;

struct pretok {
    const char *name;
    const struct pretok_stage *stages;
    bool ignore_merges; /* a word that is a token is that token, whatever the merges say */
    bool adds_bos;      /* unless the file says otherwise */
};

/* By the name in the file; NULL if it is not known. Static. */
const struct pretok *pretok_find(const char *name, size_t len);

typedef bool (*pretok_emit)(void *context, const char *word, size_t len);
/* Calls emit for every word, in order; stops with false when emit returns false. */
bool pretok_split(const struct pretok *pretok, const char *text, size_t len, pretok_emit emit,
                  void *context);

#endif
