/* byte_level: the spelling of bytes as printable characters in byte-level BPE vocabularies.
 *
 * GPT-2's map: printable Latin-1 characters stand for themselves, the other 68 bytes for U+0100 and
 * up in order (a space is U+0120).
 */
#ifndef ENGINE_BYTE_LEVEL_H
#define ENGINE_BYTE_LEVEL_H

#include <stdbool.h>
#include <stddef.h>

/* Undoes the spelling into out (room for n bytes). False if a character stands for no byte. */
bool byte_level_decode(char *out, size_t *out_len, const char *spelling, size_t n);
/* Spells n bytes into out (room for 2 n bytes). Returns the length. */
size_t byte_level_encode(char *out, const char *bytes, size_t n);

#endif
