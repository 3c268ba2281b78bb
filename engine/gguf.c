#include "engine/gguf.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/cursor.h"
#include "kernels/kernels.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "GGUF is read in place, little-endian");

enum {
    MAX_METADATA = 1 << 16,
    MAX_TENSORS = 1 << 20,
    MAX_NAME = 65535,
    MAX_ALIGNMENT = 65536,
    DEFAULT_ALIGNMENT = 32,
    MIN_METADATA_BYTES = 8 + 1 + 4 + 1,       /* key, type, smallest value */
    MIN_TENSOR_BYTES = 8 + 1 + 4 + 8 + 4 + 8, /* name, n_dims, one dim, type, offset */
};

/* A single value is kept as an array of one. */
struct metadata {
    struct gguf_string key;
    struct gguf_array value;
    bool is_array;
};

struct gguf {
    char *path;
    const uint8_t *bytes;
    uint64_t size;
    bool mapped;               /* bytes are ours to unmap */
    struct metadata *metadata; /* sorted by key */
    uint64_t n_metadata;
    struct gguf_tensor *tensors; /* in the file's order */
    const struct gguf_tensor **by_name;
    uint64_t n_tensors;
};

struct gguf_quoted gguf_quote(struct gguf_string string) {
    struct gguf_quoted quoted;
    size_t room = sizeof quoted.text - 1;
    bool cut = string.len > room;
    size_t n = cut ? room - 3 : string.len;
    for (size_t i = 0; i < n; i++) {
        char c = string.bytes[i];
        quoted.text[i] = c >= 0x20 && c < 0x7F ? c : '?';
    }
    memcpy(quoted.text + n, cut ? "..." : "", cut ? 4 : 1);
    return quoted;
}

/* Order of names: by bytes, the shorter first. */
static int compare_strings(struct gguf_string a, struct gguf_string b) {
    int order = memcmp(a.bytes, b.bytes, a.len < b.len ? a.len : b.len);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* ---- metadata ---- */

/* Bytes of one element; 0 for strings, arrays and unknown types. */
static uint64_t element_size(uint32_t type) {
    static const uint8_t sizes[] = {
        [GGUF_U8] = 1,  [GGUF_I8] = 1,  [GGUF_U16] = 2, [GGUF_I16] = 2,
        [GGUF_U32] = 4, [GGUF_I32] = 4, [GGUF_F32] = 4, [GGUF_BOOL] = 1,
        [GGUF_U64] = 8, [GGUF_I64] = 8, [GGUF_F64] = 8,
    };
    return type < sizeof sizes ? sizes[type] : 0;
}

static struct gguf_string read_string(struct cursor *cursor, const char *what) {
    uint64_t len = cursor_u64(cursor, what);
    const uint8_t *bytes = cursor_take(cursor, len, what);
    return (struct gguf_string){(const char *)bytes, bytes ? len : 0};
}

/* A key or a tensor's name: not empty, of bounded length. */
static struct gguf_string read_name(struct cursor *cursor, const char *what) {
    struct gguf_string name = read_string(cursor, what);
    if (!cursor->failed && (name.len == 0 || name.len > MAX_NAME))
        cursor_fail(cursor, "%s has 0x%" PRIx64 " bytes (1 to 0xffff allowed)", what, name.len);
    return name;
}

static void read_elements(struct cursor *cursor, struct gguf_array *out, uint32_t type,
                          uint64_t count, const char *what) {
    uint64_t start = cursor->at, size;
    uint64_t least = type == GGUF_STRING ? sizeof(uint64_t) : element_size(type);
    if (__builtin_mul_overflow(count, least, &size) || size > cursor_left(cursor)) {
        cursor_fail(cursor, "the file ends inside %s", what);
        return;
    }
    if (type != GGUF_STRING) cursor_take(cursor, size, what);
    for (uint64_t i = 0; type == GGUF_STRING && i < count && !cursor->failed; i++)
        read_string(cursor, what);
    *out =
        (struct gguf_array){(enum gguf_type)type, count, cursor->bytes + start, cursor->at - start};
}

static bool read_metadata(struct cursor *cursor, struct metadata *out) {
    out->key = read_name(cursor, "a metadata key");
    uint32_t type = cursor_u32(cursor, "a metadata type");
    uint64_t count = 1;
    out->is_array = type == GGUF_ARRAY;
    if (out->is_array) {
        type = cursor_u32(cursor, "an array's type");
        count = cursor_u64(cursor, "an array's count");
    }
    if (cursor->failed) return false;
    struct gguf_quoted key = gguf_quote(out->key);
    if (type == GGUF_ARRAY)
        return cursor_fail(cursor, "%s: arrays of arrays are not supported", key.text);
    if (type != GGUF_STRING && element_size(type) == 0)
        return cursor_fail(cursor, "%s has the unknown type 0x%x", key.text, type);
    read_elements(cursor, &out->value, type, count, key.text);
    return !cursor->failed;
}

static int compare_metadata(const void *a, const void *b) {
    return compare_strings(((const struct metadata *)a)->key, ((const struct metadata *)b)->key);
}

static bool out_of_memory(struct error *error) {
    return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for the model file's index");
}

static bool read_all_metadata(struct gguf *gguf, struct cursor *cursor, uint64_t count) {
    gguf->metadata = calloc(count ? count : 1, sizeof *gguf->metadata);
    if (!gguf->metadata) return out_of_memory(cursor->error);
    for (; gguf->n_metadata < count; gguf->n_metadata++)
        if (!read_metadata(cursor, &gguf->metadata[gguf->n_metadata])) return false;
    qsort(gguf->metadata, count, sizeof *gguf->metadata, compare_metadata);
    for (uint64_t i = 1; i < count; i++)
        if (compare_metadata(&gguf->metadata[i - 1], &gguf->metadata[i]) == 0)
            return cursor_fail(cursor, "the metadata key %s occurs twice",
                               gguf_quote(gguf->metadata[i].key).text);
    return true;
}

/* ---- tensors ---- */

static bool read_dims(struct cursor *cursor, struct gguf_tensor *tensor, uint64_t *elements) {
    *elements = 1;
    for (uint32_t i = 0; i < 4; i++) {
        tensor->dims[i] = i < tensor->n_dims ? cursor_u64(cursor, "a tensor's dimensions") : 1;
        if (cursor->failed) return false;
        if (tensor->dims[i] == 0 || __builtin_mul_overflow(*elements, tensor->dims[i], elements) ||
            *elements > INT64_MAX)
            return cursor_fail(cursor, "tensor %s has impossible dimensions",
                               gguf_quote(tensor->name).text);
    }
    return true;
}

static bool size_tensor(struct cursor *cursor, struct gguf_tensor *tensor, uint64_t elements) {
    struct gguf_quoted name = gguf_quote(tensor->name);
    const struct weight_format *format = weight_format(tensor->type);
    if (!format)
        return cursor_fail(cursor, "tensor %s has the unknown type 0x%x", name.text, tensor->type);
    if (tensor->dims[0] % format->block != 0)
        return cursor_fail(cursor, "tensor %s: rows are not whole %s blocks", name.text,
                           format->name);
    if (__builtin_mul_overflow(elements / format->block, (uint64_t)format->block_bytes,
                               &tensor->size))
        return cursor_fail(cursor, "tensor %s is too large", name.text);
    return true;
}

/* `data` gets the offset for now: where the data section starts is known after the last info. */
static bool read_tensor(struct cursor *cursor, struct gguf_tensor *tensor) {
    uint64_t elements;
    tensor->name = read_name(cursor, "a tensor's name");
    tensor->n_dims = cursor_u32(cursor, "a tensor's dimensions");
    if (cursor->failed) return false;
    if (tensor->n_dims < 1 || tensor->n_dims > 4)
        return cursor_fail(cursor, "tensor %s has 0x%x dimensions (1 to 4 allowed)",
                           gguf_quote(tensor->name).text, tensor->n_dims);
    if (!read_dims(cursor, tensor, &elements)) return false;
    tensor->type = cursor_u32(cursor, "a tensor's type");
    uint64_t offset = cursor_u64(cursor, "a tensor's offset");
    if (offset > cursor->len)
        return cursor_fail(cursor, "tensor %s lies past the end of the file",
                           gguf_quote(tensor->name).text);
    tensor->data = (const void *)(uintptr_t)offset;
    return !cursor->failed && size_tensor(cursor, tensor, elements);
}

static int compare_tensors(const void *a, const void *b) {
    return compare_strings((*(const struct gguf_tensor *const *)a)->name,
                           (*(const struct gguf_tensor *const *)b)->name);
}

static bool index_tensors(struct gguf *gguf, struct cursor *cursor) {
    for (uint64_t i = 0; i < gguf->n_tensors; i++) gguf->by_name[i] = &gguf->tensors[i];
    qsort(gguf->by_name, gguf->n_tensors, sizeof *gguf->by_name, compare_tensors);
    for (uint64_t i = 1; i < gguf->n_tensors; i++)
        if (compare_tensors(&gguf->by_name[i - 1], &gguf->by_name[i]) == 0)
            return cursor_fail(cursor, "the tensor %s occurs twice",
                               gguf_quote(gguf->by_name[i]->name).text);
    return true;
}

static bool read_all_tensors(struct gguf *gguf, struct cursor *cursor, uint64_t count) {
    gguf->tensors = calloc(count ? count : 1, sizeof *gguf->tensors);
    gguf->by_name = calloc(count ? count : 1, sizeof *gguf->by_name);
    if (!gguf->tensors || !gguf->by_name) return out_of_memory(cursor->error);
    for (; gguf->n_tensors < count; gguf->n_tensors++)
        if (!read_tensor(cursor, &gguf->tensors[gguf->n_tensors])) return false;
    return index_tensors(gguf, cursor);
}

static bool read_alignment(const struct gguf *gguf, struct cursor *cursor, uint64_t *alignment) {
    *alignment = DEFAULT_ALIGNMENT;
    if (!gguf_has(gguf, "general.alignment")) return true;
    if (!gguf_get_u64(gguf, "general.alignment", alignment) || *alignment == 0 ||
        *alignment > MAX_ALIGNMENT || (*alignment & (*alignment - 1)) != 0)
        return cursor_fail(cursor, "general.alignment is not a power of two up to 0x10000");
    return true;
}

/* Turns offsets into pointers. A file without tensors may end before the padding. */
static bool place_tensors(struct gguf *gguf, struct cursor *cursor) {
    uint64_t alignment;
    if (!read_alignment(gguf, cursor, &alignment)) return false;
    uint64_t start = (cursor->at + alignment - 1) & ~(alignment - 1);
    for (uint64_t i = 0; i < gguf->n_tensors; i++) {
        struct gguf_tensor *tensor = &gguf->tensors[i];
        uint64_t offset = (uintptr_t)tensor->data;
        struct gguf_quoted name = gguf_quote(tensor->name);
        if (offset % alignment != 0)
            return cursor_fail(cursor, "tensor %s is not aligned", name.text);
        if (start > gguf->size || offset > gguf->size - start ||
            tensor->size > gguf->size - start - offset)
            return cursor_fail(cursor, "tensor %s lies past the end of the file", name.text);
        tensor->data = gguf->bytes + start + offset;
    }
    return true;
}

/* ---- the file ---- */

static bool read_version(struct cursor *cursor) {
    const uint8_t *magic = cursor_take(cursor, 4, "the header");
    if (magic && memcmp(magic, "GGUF", 4) != 0) {
        cursor->at = 0;
        return cursor_fail(cursor, "not a GGUF file");
    }
    uint32_t version = cursor_u32(cursor, "the header");
    if (!cursor->failed && (version & 0xFFFF) == 0)
        return cursor_fail(cursor, "big-endian GGUF files are not supported");
    if (!cursor->failed && version != 2 && version != 3)
        return cursor_fail(cursor, "GGUF version 0x%x is not supported (2 and 3 are)", version);
    return !cursor->failed;
}

static bool check_count(struct cursor *cursor, uint64_t count, uint64_t most, uint64_t least_bytes,
                        const char *what) {
    if (count > most || count > cursor_left(cursor) / least_bytes)
        return cursor_fail(cursor, "the file announces 0x%" PRIx64 " %s, more than it can hold",
                           count, what);
    return true;
}

static bool read_file(struct gguf *gguf, struct error *error) {
    struct cursor cursor = {.bytes = gguf->bytes, .len = gguf->size, .error = error};
    if (!read_version(&cursor)) return false;
    uint64_t n_tensors = cursor_u64(&cursor, "the header");
    uint64_t n_metadata = cursor_u64(&cursor, "the header");
    return !cursor.failed &&
           check_count(&cursor, n_metadata, MAX_METADATA, MIN_METADATA_BYTES, "metadata entries") &&
           read_all_metadata(gguf, &cursor, n_metadata) &&
           check_count(&cursor, n_tensors, MAX_TENSORS, MIN_TENSOR_BYTES, "tensors") &&
           read_all_tensors(gguf, &cursor, n_tensors) && place_tensors(gguf, &cursor);
}

static struct gguf *gguf_new(const char *path, const void *bytes, uint64_t size, bool mapped,
                             struct error *error) {
    struct gguf *gguf = calloc(1, sizeof *gguf);
    char *copy = strdup(path);
    if (!gguf || !copy) {
        free(gguf);
        free(copy);
        if (mapped) munmap((void *)(uintptr_t)bytes, size);
        out_of_memory(error);
        return NULL;
    }
    *gguf = (struct gguf){.path = copy, .bytes = bytes, .size = size, .mapped = mapped};
    if (read_file(gguf, error)) return gguf;
    gguf_close(gguf);
    return NULL;
}

struct gguf *gguf_from_memory(const void *bytes, size_t n, struct error *error) {
    return gguf_new("(memory)", bytes, n, false, error);
}

/* Non-blocking, so that a FIFO does not hang the open. */
static int open_regular(const char *path, uint64_t *size, struct error *error) {
    struct stat stat;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    const char *why = NULL;
    if (fd < 0 || fstat(fd, &stat) != 0)
        why = strerror(errno);
    else if (S_ISDIR(stat.st_mode))
        why = "is a directory";
    else if (!S_ISREG(stat.st_mode))
        why = "is not a regular file";
    else if (stat.st_size == 0)
        why = "is empty";
    if (why) {
        error_set(error, ERROR_MODEL_NOT_READY, "model file %s: %s", path, why);
        if (fd >= 0) close(fd);
        return -1;
    }
    *size = (uint64_t)stat.st_size;
    return fd;
}

struct gguf *gguf_open(const char *path, struct error *error) {
    uint64_t size;
    int fd = open_regular(path, &size, error);
    if (fd < 0) return NULL;
    void *bytes = size > SIZE_MAX ? MAP_FAILED : mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    int why = size > SIZE_MAX ? EFBIG : errno;
    close(fd);
    if (bytes == MAP_FAILED) {
        error_set(error, ERROR_MODEL_NOT_READY, "model file %s: %s", path, strerror(why));
        return NULL;
    }
    return gguf_new(path, bytes, size, true, error);
}

void gguf_close(struct gguf *gguf) {
    if (!gguf) return;
    if (gguf->mapped) munmap((void *)(uintptr_t)gguf->bytes, gguf->size);
    free(gguf->metadata);
    free(gguf->tensors);
    free(gguf->by_name);
    free(gguf->path);
    free(gguf);
}

const char *gguf_path(const struct gguf *gguf) {
    return gguf->path;
}

uint64_t gguf_file_size(const struct gguf *gguf) {
    return gguf->size;
}

const void *gguf_mapping(const struct gguf *gguf) {
    return gguf->bytes;
}

/* ---- look-up ---- */

static const struct metadata *find(const struct gguf *gguf, const char *key) {
    struct metadata wanted = {.key = {key, strlen(key)}};
    return bsearch(&wanted, gguf->metadata, gguf->n_metadata, sizeof wanted, compare_metadata);
}

/* The entry, if it is a single value. */
static const struct gguf_array *find_single(const struct gguf *gguf, const char *key) {
    const struct metadata *entry = find(gguf, key);
    return entry && !entry->is_array ? &entry->value : NULL;
}

static uint64_t load_unsigned(const struct gguf_array *value) {
    uint64_t bits = 0;
    memcpy(&bits, value->bytes, value->size);
    return bits;
}

static int64_t load_signed(const struct gguf_array *value) {
    unsigned unused = 64 - 8 * (unsigned)value->size;
    return (int64_t)(load_unsigned(value) << unused) >> unused;
}

bool gguf_has(const struct gguf *gguf, const char *key) {
    return find(gguf, key) != NULL;
}

bool gguf_get_u64(const struct gguf *gguf, const char *key, uint64_t *out) {
    const struct gguf_array *value = find_single(gguf, key);
    if (!value) return false;
    switch (value->type) {
    case GGUF_U8:
    case GGUF_U16:
    case GGUF_U32:
    case GGUF_U64: *out = load_unsigned(value); return true;
    case GGUF_I8:
    case GGUF_I16:
    case GGUF_I32:
    case GGUF_I64:
        if (load_signed(value) < 0) return false;
        *out = load_unsigned(value);
        return true;
    default: return false;
    }
}

bool gguf_get_f32(const struct gguf *gguf, const char *key, float *out) {
    const struct gguf_array *value = find_single(gguf, key);
    double wide;
    if (!value) return false;
    if (value->type == GGUF_F32) {
        memcpy(out, value->bytes, sizeof *out);
        return true;
    }
    if (value->type != GGUF_F64) return false;
    memcpy(&wide, value->bytes, sizeof wide);
    *out = (float)wide;
    return true;
}

bool gguf_get_bool(const struct gguf *gguf, const char *key, bool *out) {
    const struct gguf_array *value = find_single(gguf, key);
    if (!value || value->type != GGUF_BOOL) return false;
    *out = value->bytes[0] != 0;
    return true;
}

bool gguf_get_string(const struct gguf *gguf, const char *key, struct gguf_string *out) {
    const struct gguf_array *value = find_single(gguf, key);
    uint64_t at = 0;
    return value && value->type == GGUF_STRING && gguf_next_string(value, &at, out);
}

bool gguf_get_array(const struct gguf *gguf, const char *key, enum gguf_type type,
                    struct gguf_array *out) {
    const struct metadata *entry = find(gguf, key);
    if (!entry || !entry->is_array || entry->value.type != type) return false;
    *out = entry->value;
    return true;
}

bool gguf_next_string(const struct gguf_array *array, uint64_t *at, struct gguf_string *out) {
    if (*at >= array->size) return false;
    memcpy(&out->len, array->bytes + *at, sizeof out->len);
    out->bytes = (const char *)array->bytes + *at + sizeof out->len;
    *at += sizeof out->len + out->len;
    return true;
}

uint64_t gguf_tensor_count(const struct gguf *gguf) {
    return gguf->n_tensors;
}

const struct gguf_tensor *gguf_tensor_at(const struct gguf *gguf, uint64_t i) {
    return &gguf->tensors[i];
}

const struct gguf_tensor *gguf_tensor(const struct gguf *gguf, const char *name) {
    struct gguf_tensor wanted = {.name = {name, strlen(name)}};
    const struct gguf_tensor *key = &wanted;
    const struct gguf_tensor **found =
        bsearch(&key, gguf->by_name, gguf->n_tensors, sizeof key, compare_tensors);
    return found ? *found : NULL;
}
