/* quoted: the inside of a JSON string, one byte at a time.
 *
 * Accepts exactly what may stand between two quotes: raw characters in valid
 * UTF-8, the short escapes, \uXXXX with surrogates in pairs. Raw control bytes,
 * lone surrogates and \u0000 (which C consumers cut strings at) are refused. A
 * token may end anywhere, also inside a character. Internal to constrained
 * decoding.
 */
#ifndef ENGINE_QUOTED_H
#define ENGINE_QUOTED_H

#include <stdbool.h>
#include <stdint.h>

enum quoted_state {
    QUOTED_NORMAL,                       /* between characters */
    QUOTED_ONE, QUOTED_TWO, QUOTED_THREE, /* continuation bytes left */
    QUOTED_E0, QUOTED_ED, QUOTED_F0, QUOTED_F4, /* after these lead bytes */
    QUOTED_ESCAPE,
    QUOTED_HEX0, QUOTED_HEX1, QUOTED_HEX2, QUOTED_HEX3, /* hex digits read after \u */
    QUOTED_PAIR,                         /* a high surrogate: \ must follow */
    QUOTED_PAIR_U,
    QUOTED_LOW0, QUOTED_LOW1, QUOTED_LOW2, QUOTED_LOW3,
    QUOTED_STATES
};

enum quoted_event {
    QUOTED_DEAD, /* not JSON */
    QUOTED_MORE, /* inside a character */
    QUOTED_CHAR, /* a character is complete: *acc is its code point */
    QUOTED_END   /* the closing quote */
};

/* One byte. *state and *acc (the character read so far) change unless the result is QUOTED_DEAD. */
enum quoted_event quoted_step(uint8_t *state, uint32_t *acc, unsigned char byte);

struct quoted_range { /* of code points, both ends included */
    uint32_t from, to;
};

/* Which characters can still come of a state inside a character that is not QUOTED_ESCAPE: one or
 * two ranges. Returns how many. */
int quoted_ranges(uint8_t state, uint32_t acc, struct quoted_range ranges[2]);

/* Bytes of the shortest way to QUOTED_NORMAL. */
uint32_t quoted_distance(uint8_t state, uint32_t acc);

#endif
