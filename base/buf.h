/* buf: a growable run of bytes.
 *
 * Zero-initialise (`struct buf b = {0}`), append, free with buf_free. Appending
 * after an allocation failure is a no-op and `failed` stays set: callers append
 * freely and check once. `bytes` is always NUL-terminated once anything was
 * appended; the NUL is not counted.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *bytes;
    size_t len, cap;
    bool failed;
};

bool buf_reserve(struct buf *buf, size_t more);
bool buf_add(struct buf *buf, const void *bytes, size_t n);
bool buf_add_str(struct buf *buf, const char *string);
bool buf_add_char(struct buf *buf, char c);
bool buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Hands the bytes to the caller (free()); the buffer is empty afterwards. NULL if failed or never
 * appended to. */
char *buf_steal(struct buf *buf, size_t *len);
void buf_free(struct buf *buf);

#endif
