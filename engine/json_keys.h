/* json_keys: the order in which objects index their keys. Internal to json*.c.
 *
 * Objects of at least JSON_KEYS_INDEXED members carry a permutation in
 * json_key.sorted. It is built by sorting, not hashing, so no choice of keys
 * makes it slow.
 */
#ifndef ENGINE_JSON_KEYS_H
#define ENGINE_JSON_KEYS_H

#include "engine/json.h"

#define JSON_KEYS_INDEXED 16

/* The first bytes as a big-endian number: most comparisons end here. */
uint64_t json_key_prefix(const char *text, size_t len);
/* Bytewise order, the shorter of two first. */
int json_key_compare(const char *a, size_t a_len, const char *b, size_t b_len);

#endif
