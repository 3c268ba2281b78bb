#include "engine/cursor.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

uint64_t cursor_left(const struct cursor *cursor) {
    return cursor->failed ? 0 : cursor->len - cursor->at;
}

/* Offsets are written in hex: a bare decimal could look like an HTTP status (base/error.h). */
bool cursor_fail(struct cursor *cursor, const char *format, ...) {
    char message[240];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    cursor->failed = true;
    return error_set(cursor->error, ERROR_MODEL_NOT_READY, "%s (at byte 0x%" PRIx64 ")", message,
                     cursor->at);
}

const uint8_t *cursor_take(struct cursor *cursor, uint64_t n, const char *what) {
    if (cursor->failed) return NULL;
    if (n > cursor_left(cursor)) {
        cursor_fail(cursor, "the file ends inside %s", what);
        return NULL;
    }
    const uint8_t *bytes = cursor->bytes + cursor->at;
    cursor->at += n;
    return bytes;
}

uint32_t cursor_u32(struct cursor *cursor, const char *what) {
    uint32_t value = 0;
    const uint8_t *bytes = cursor_take(cursor, sizeof value, what);
    if (bytes) memcpy(&value, bytes, sizeof value);
    return value;
}

uint64_t cursor_u64(struct cursor *cursor, const char *what) {
    uint64_t value = 0;
    const uint8_t *bytes = cursor_take(cursor, sizeof value, what);
    if (bytes) memcpy(&value, bytes, sizeof value);
    return value;
}
