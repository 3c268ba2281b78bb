/* methods_packed: the method files as they lie in the program, a quarter of their size. Made by
 * tools/embed-methods, which says what the bytes mean; read once, by proto/methods.c. */
#ifndef PROTO_METHODS_PACKED_H
#define PROTO_METHODS_PACKED_H

#include <stddef.h>
#include <stdint.h>

struct methods_packed {
    size_t files, text_bytes, n; /* text_bytes: of all texts with the NUL after each */
    const uint8_t *bytes;
};

extern const struct methods_packed methods_packed;

/* The texts one after the other, to be freed; NULL when out of memory or if the bytes are not
 * those of text_bytes bytes that end with a NUL. */
char *methods_unpack(const struct methods_packed *packed);

#endif
