/* specials: finding spelled-out special tokens in text.
 *
 * Ids sorted by their bytes; a match walks down the sorted range byte by byte, so it costs no more
 * than the longest spelling that the text begins with. Immutable after specials_init.
 */
#ifndef ENGINE_SPECIALS_H
#define ENGINE_SPECIALS_H

#include "engine/lexicon.h"

struct specials {
    uint32_t *ids;
    uint32_t count;
    bool first[256]; /* bytes that a spelling begins with */
};

/* Takes over ids (malloc); tokens without bytes are left out. */
void specials_init(struct specials *specials, const struct lexicon *lexicon, uint32_t *ids,
                   uint32_t count);
void specials_free(struct specials *specials);
/* The special token with the longest spelling that the n bytes begin with, or UINT32_MAX. */
uint32_t specials_match(const struct specials *specials, const struct lexicon *lexicon,
                        const char *bytes, size_t n);

#endif
