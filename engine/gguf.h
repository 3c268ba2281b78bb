/* gguf: a mapped model file, fully checked.
 *
 * gguf_open maps the file read-only, walks header, metadata and tensor infos
 * through one bounds-checked cursor, and refuses anything out of range, so
 * nothing after it needs to doubt a length, count, offset or type. Strings and
 * arrays are borrowed from the mapping and live as long as the object. Immutable
 * after gguf_open: any thread may read. Format: GGUF v2 and v3
 * (github.com/ggml-org/ggml docs/gguf.md), little-endian only.
 */
#ifndef ENGINE_GGUF_H
#define ENGINE_GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct gguf;

enum gguf_type { /* the file's numbers */
    GGUF_U8, GGUF_I8, GGUF_U16, GGUF_I16, GGUF_U32, GGUF_I32, GGUF_F32, GGUF_BOOL,
    GGUF_STRING, GGUF_ARRAY, GGUF_U64, GGUF_I64, GGUF_F64
};

struct gguf_string {
    const char *bytes; /* not NUL-terminated, not necessarily UTF-8 */
    uint64_t len;
};

struct gguf_array {
    enum gguf_type type; /* never GGUF_ARRAY */
    uint64_t count;
    const uint8_t *bytes; /* first element, unaligned; strings: u64 length + bytes each, checked */
    uint64_t size;        /* bytes the elements take */
};

struct gguf_tensor {
    struct gguf_string name;
    uint32_t n_dims;      /* 1..4 */
    uint64_t dims[4];     /* dims[0] is the contiguous one; missing ones are 1 */
    uint32_t type;        /* ggml type number */
    uint64_t size;        /* bytes */
    const void *data;     /* inside the mapping, aligned to the file's alignment */
};

/* Maps and checks `path`. NULL and ERROR_MODEL_NOT_READY with a message that names the place
 * (byte offset, key or tensor) on failure. */
struct gguf *gguf_open(const char *path, struct error *error);
/* The same over n bytes at `bytes`, borrowed; tensor data is aligned as they are. For tests. */
struct gguf *gguf_from_memory(const void *bytes, size_t n, struct error *error);
void gguf_close(struct gguf *gguf);

const char *gguf_path(const struct gguf *gguf);
uint64_t gguf_file_size(const struct gguf *gguf);
const void *gguf_mapping(const struct gguf *gguf);

/* Metadata by key: false when absent or of another type (integers of any width and sign convert
 * when the value fits; floats of either width convert). */
bool gguf_has(const struct gguf *gguf, const char *key);
bool gguf_get_u64(const struct gguf *gguf, const char *key, uint64_t *value);
bool gguf_get_f32(const struct gguf *gguf, const char *key, float *value);
bool gguf_get_bool(const struct gguf *gguf, const char *key, bool *value);
bool gguf_get_string(const struct gguf *gguf, const char *key, struct gguf_string *value);
bool gguf_get_array(const struct gguf *gguf, const char *key, enum gguf_type type,
                    struct gguf_array *value);

/* The string for error messages: printable ASCII, other bytes as '?', long ones cut with "...". */
struct gguf_quoted { char text[64]; };
struct gguf_quoted gguf_quote(struct gguf_string string);

/* Walks an array of strings: start with *cursor = 0; false at the end. */
bool gguf_next_string(const struct gguf_array *array, uint64_t *cursor, struct gguf_string *value);

uint64_t gguf_tensor_count(const struct gguf *gguf);
const struct gguf_tensor *gguf_tensor_at(const struct gguf *gguf, uint64_t i);
const struct gguf_tensor *gguf_tensor(const struct gguf *gguf, const char *name);

#endif
