/* json: text to jansson values, with the bounds that a hostile peer needs.
 *
 * Refuses bytes that are not UTF-8, NUL, duplicate keys and deep nesting. Numbers
 * that jansson cannot hold are no error: integers past 2^63 become reals, reals
 * past the largest double become 1e308; who needs the spelling reads the bytes
 * (span.h).
 */
#ifndef PROTO_JSON_H
#define PROTO_JSON_H

#include <jansson.h>

#include "base/error.h"
#include "base/generation.h"
#include "proto/proto.h"

enum {
    JSON_DEPTH = RPC_NESTING_MAX, /* of arrays and objects */
    JSON_CONTAINERS = 1 << 18, /* arrays and objects of one text: each costs jansson ~250 bytes */
};

/* A new reference, or NULL with -32700, 1009 or 1007 in error. */
json_t *json_read(const char *bytes, size_t len, struct error *error);

/* Is it an integer within 2^53, also if spelled as 5.0 or 5e3? */
bool json_whole(const json_t *value, int64_t *out);
struct text json_text(const json_t *string);           /* borrowed; absent if it is no string */
bool json_is(const json_t *value, const char *string); /* that string, to its end */

#endif
