/* alphabet: characters by classes, read from UTF-8. Internal to constrained decoding.
 *
 * A class holds the characters that a grammar never tells apart. Reading is a walk: from
 * ALPHABET_START a byte leads to a class (a character is complete), to a place inside a character,
 * or nowhere. Every place knows which classes can still come. U+0000 and surrogates have no class:
 * no text may hold them. Immutable once built.
 */
#ifndef ENGINE_ALPHABET_H
#define ENGINE_ALPHABET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ALPHABET_START    0
#define ALPHABET_NONE     0xFFFFu
#define ALPHABET_PLACE    0x8000u /* set: a place; else a class */
#define ALPHABET_CLASSES  1024
#define ALPHABET_NO_CLASS ALPHABET_NONE

struct alphabet {
    uint32_t *bounds; /* bounds[i] .. bounds[i + 1] - 1 are of class classes[i] */
    uint16_t *classes;
    uint32_t n_bounds, n_classes, words; /* 64-bit words of a set of classes */
    uint32_t *first;                     /* of a class: one of its shortest characters */
    uint16_t ascii[128], lead[128];      /* by byte, by byte - 128 */
    uint16_t (*next)[64];                /* of a place, by continuation byte; [0] is unused */
    uint64_t *reach;                     /* [place * words]: classes that can come */
    uint8_t *left;                       /* of a place: bytes to the character's end */
    uint32_t n_places, cap_places;
};

enum alphabet_result { ALPHABET_OK, ALPHABET_MEMORY, ALPHABET_TOO_LARGE };

/* bounds (ascending, from 0) and classes, ALPHABET_NO_CLASS or below n_classes, are taken over,
 * also on failure. */
enum alphabet_result alphabet_build(struct alphabet *alphabet, uint32_t *bounds, uint16_t *classes,
                                    uint32_t n_bounds, uint32_t n_classes);
void alphabet_free(struct alphabet *alphabet);

/* Where a byte leads from a place: a class, ALPHABET_PLACE | place, or ALPHABET_NONE. */
static inline uint32_t alphabet_step(const struct alphabet *alphabet, uint32_t place,
                                     unsigned byte) {
    if (place == ALPHABET_START)
        return byte < 128 ? alphabet->ascii[byte] : alphabet->lead[byte - 128];
    return (byte & 0xC0) == 0x80 ? alphabet->next[place][byte & 63] : ALPHABET_NONE;
}

/* Bytes of the shortest character of a class. */
uint32_t alphabet_cost(const struct alphabet *alphabet, uint32_t class);

#endif
