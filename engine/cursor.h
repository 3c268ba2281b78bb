/* cursor: a bounds-checked walk over bytes that nobody vouches for.
 *
 * Every read is checked against the bytes left. The first failure writes a
 * message with the byte offset into the error and is sticky: from then on every
 * read gives 0 or NULL and nothing moves, so a caller may read several fields
 * and check once. Little-endian. The bytes are borrowed.
 */
#ifndef ENGINE_CURSOR_H
#define ENGINE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct cursor {
    const uint8_t *bytes;
    uint64_t len, at; /* at <= len */
    bool failed;
    struct error *error;
};

uint64_t cursor_left(const struct cursor *cursor);
/* The next n bytes, or NULL; `what` names them in the message. */
const uint8_t *cursor_take(struct cursor *cursor, uint64_t n, const char *what);
uint32_t cursor_u32(struct cursor *cursor, const char *what);
uint64_t cursor_u64(struct cursor *cursor, const char *what);
/* Fails the cursor (and the error) with the message and the offset. Returns false. */
bool cursor_fail(struct cursor *cursor, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
