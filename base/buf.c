#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool buf_reserve(struct buf *buf, size_t more) {
    if (buf->failed) return false;
    if (more >= SIZE_MAX / 2 - buf->len) return !(buf->failed = true);
    size_t need = buf->len + more + 1;
    if (need <= buf->cap) return true;
    size_t cap = buf->cap ? buf->cap : 64;
    while (cap < need) cap *= 2;
    char *bytes = realloc(buf->bytes, cap);
    if (!bytes) return !(buf->failed = true);
    buf->bytes = bytes;
    buf->cap = cap;
    return true;
}

bool buf_add(struct buf *buf, const void *bytes, size_t n) {
    if (!buf_reserve(buf, n)) return false;
    if (n) memcpy(buf->bytes + buf->len, bytes, n);
    buf->len += n;
    buf->bytes[buf->len] = '\0';
    return true;
}

bool buf_add_str(struct buf *buf, const char *string) {
    return buf_add(buf, string, strlen(string));
}

bool buf_add_char(struct buf *buf, char c) {
    return buf_add(buf, &c, 1);
}

bool buf_printf(struct buf *buf, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0 || !buf_reserve(buf, (size_t)n)) return false;
    va_start(args, format);
    vsnprintf(buf->bytes + buf->len, (size_t)n + 1, format, args);
    va_end(args);
    buf->len += (size_t)n;
    return true;
}

char *buf_steal(struct buf *buf, size_t *len) {
    char *bytes = buf->failed ? NULL : buf->bytes;
    if (!bytes) free(buf->bytes);
    if (len) *len = bytes ? buf->len : 0;
    *buf = (struct buf){0};
    return bytes;
}

void buf_free(struct buf *buf) {
    free(buf->bytes);
    *buf = (struct buf){0};
}
