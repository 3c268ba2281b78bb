/* gguf_builder: writes GGUF bytes for tests. Append header, metadata and tensor infos in this
 * order. */
#ifndef TESTS_GGUF_BUILDER_H
#define TESTS_GGUF_BUILDER_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "engine/gguf.h"

static inline void put_u32(struct buf *buf, uint32_t value) {
    buf_add(buf, &value, sizeof value);
}

static inline void put_u64(struct buf *buf, uint64_t value) {
    buf_add(buf, &value, sizeof value);
}

static inline void put_string(struct buf *buf, const char *string) {
    put_u64(buf, strlen(string));
    buf_add_str(buf, string);
}

static inline void put_header(struct buf *buf, uint32_t version, uint64_t n_tensors,
                              uint64_t n_metadata) {
    buf_add_str(buf, "GGUF");
    put_u32(buf, version);
    put_u64(buf, n_tensors);
    put_u64(buf, n_metadata);
}

/* One value of `size` bytes. */
static inline void put_value(struct buf *buf, const char *key, uint32_t type, const void *value,
                             size_t size) {
    put_string(buf, key);
    put_u32(buf, type);
    buf_add(buf, value, size);
}

static inline void put_key_u32(struct buf *buf, const char *key, uint32_t value) {
    put_value(buf, key, GGUF_U32, &value, sizeof value);
}

static inline void put_key_string(struct buf *buf, const char *key, const char *value) {
    put_string(buf, key);
    put_u32(buf, GGUF_STRING);
    put_string(buf, value);
}

static inline void put_array(struct buf *buf, const char *key, uint32_t type, uint64_t count,
                             const void *elements, size_t size) {
    put_string(buf, key);
    put_u32(buf, GGUF_ARRAY);
    put_u32(buf, type);
    put_u64(buf, count);
    buf_add(buf, elements, size);
}

static inline void put_strings(struct buf *buf, const char *key, const char *const *strings,
                               size_t count) {
    put_array(buf, key, GGUF_STRING, count, NULL, 0);
    for (size_t i = 0; i < count; i++) put_string(buf, strings[i]);
}

static inline void put_tensor(struct buf *buf, const char *name, uint32_t n_dims,
                              const uint64_t *dims, uint32_t type, uint64_t offset) {
    put_string(buf, name);
    put_u32(buf, n_dims);
    for (uint32_t i = 0; i < n_dims; i++) put_u64(buf, dims[i]);
    put_u32(buf, type);
    put_u64(buf, offset);
}

static inline void put_padding(struct buf *buf, size_t alignment) {
    while (buf->len % alignment != 0) buf_add_char(buf, '\0');
}

/* A copy of exactly n bytes, so that a sanitizer sees every read past them. */
static inline void *exact_copy(const void *bytes, size_t n) {
    void *copy = NULL;
    if (posix_memalign(&copy, 32, n ? n : 1) != 0) abort();
    if (n > 0) memcpy(copy, bytes, n);
    return copy;
}

#endif
