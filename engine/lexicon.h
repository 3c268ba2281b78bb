/* lexicon: the bytes of every token, and the way back from bytes to the id.
 *
 * Filled once with ids 0, 1, 2, ... in order, then immutable. The bytes of all
 * tokens lie in one arena; a hash table of 24-bit ids with 8-bit tags leads
 * back. Tokens come in two sorts that never mix in look-ups: those that text is
 * made of, and special ones (control and user-defined spellings, matched as
 * wholes); both may have the same bytes.
 */
#ifndef ENGINE_LEXICON_H
#define ENGINE_LEXICON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LEXICON_MAX = (1 << 24) - 1, /* tokens */
};

enum lexicon_sort { LEXICON_TEXT, LEXICON_SPECIAL, LEXICON_HIDDEN /* never found */ };

struct lexicon {
    char *arena;
    uint32_t *offsets; /* count + 1; the top bit of offsets[i] says that token i is special */
    uint32_t count, cap, longest; /* longest: bytes of the longest token */
    uint32_t arena_cap;
    uint32_t *slots; /* tag << 24 | id, or UINT32_MAX */
    uint32_t mask;
};

/* Room for cap tokens (at most LEXICON_MAX) of arena_cap bytes altogether (at most INT32_MAX). */
bool lexicon_init(struct lexicon *lexicon, uint32_t cap, uint32_t arena_cap);
void lexicon_free(struct lexicon *lexicon);
/* Where the next token's bytes may be written before lexicon_add (room: what is left of arena_cap).
 */
char *lexicon_room(const struct lexicon *lexicon);
/* Adds the token whose len bytes stand at lexicon_room. True if its bytes are new among its sort;
 * else the earlier one keeps being found. */
bool lexicon_add(struct lexicon *lexicon, uint32_t len, enum lexicon_sort sort);
/* Gives back the part of the arena that is not used. */
void lexicon_trim(struct lexicon *lexicon);
const char *lexicon_bytes(const struct lexicon *lexicon, uint32_t id, uint32_t *len);
/* The id, or UINT32_MAX. */
uint32_t lexicon_find(const struct lexicon *lexicon, const char *bytes, size_t len,
                      enum lexicon_sort sort);

#endif
