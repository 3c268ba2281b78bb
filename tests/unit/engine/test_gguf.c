/* GGUF: getters, real files, and everything that must be refused: truncations, mutations, lies. */
#include <check.h>
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support.h"
#include "tests/unit/engine/gguf_builder.h"

enum { F32 = 0, Q4_0 = 2 };

/* Agents take bare numbers from 300 to 599 for HTTP statuses. */
static bool has_status(const char *message) {
    for (const char *at = message; *at; at++) {
        bool starts =
            isdigit((unsigned char)*at) && (at == message || !isalnum((unsigned char)at[-1]));
        if (starts && strspn(at, "0123456789") == 3 && !isalpha((unsigned char)at[3]) &&
            *at >= '3' && *at <= '5')
            return true;
    }
    return false;
}

/* Opens n bytes; they must be refused if message is given, with a message that contains it. */
static void expect(const struct buf *buf, size_t n, const char *message) {
    struct error error = {0};
    void *copy = exact_copy(buf->bytes, n);
    struct gguf *gguf = gguf_from_memory(copy, n, &error);
    if (message) {
        ck_assert_msg(gguf == NULL, "%zu bytes are accepted, expected '%s'", n, message);
        ck_assert_int_eq(error.code, ERROR_MODEL_NOT_READY);
        ck_assert_msg(strstr(error.message, message) != NULL, "'%s' does not say '%s'",
                      error.message, message);
        ck_assert_msg(!has_status(error.message), "%s", error.message);
    } else {
        ck_assert_msg(gguf != NULL, "%s", error.message);
    }
    gguf_close(gguf);
    free(copy);
}

/* One of everything. */
static struct buf sample(void) {
    struct buf buf = {0};
    static const char *const strings[] = {"one", "", "three"};
    put_header(&buf, 3, 2, 16);
    put_value(&buf, "u8", GGUF_U8, &(uint8_t){200}, 1);
    put_value(&buf, "i8", GGUF_I8, &(int8_t){-5}, 1);
    put_value(&buf, "u16", GGUF_U16, &(uint16_t){60000}, 2);
    put_value(&buf, "i16", GGUF_I16, &(int16_t){300}, 2);
    put_key_u32(&buf, "u32", 4000000000u);
    put_value(&buf, "i32", GGUF_I32, &(int32_t){-1}, 4);
    put_value(&buf, "f32", GGUF_F32, &(float){1.5f}, 4);
    put_value(&buf, "true", GGUF_BOOL, &(uint8_t){1}, 1);
    put_value(&buf, "false", GGUF_BOOL, &(uint8_t){0}, 1);
    put_key_string(&buf, "string", "text");
    put_value(&buf, "u64", GGUF_U64, &(uint64_t){UINT64_MAX}, 8);
    put_value(&buf, "i64", GGUF_I64, &(int64_t){1ll << 40}, 8);
    put_value(&buf, "f64", GGUF_F64, &(double){0.25}, 8);
    put_strings(&buf, "strings", strings, 3);
    put_array(&buf, "numbers", GGUF_I32, 2, (int32_t[]){7, -8}, 8);
    put_array(&buf, "empty", GGUF_F32, 0, NULL, 0);
    put_tensor(&buf, "weights", 2, (uint64_t[]){64, 3}, Q4_0, 0);
    put_tensor(&buf, "a.bias", 1, (uint64_t[]){5}, F32, 128);
    put_padding(&buf, 32);
    for (int i = 0; i < 148; i++) buf_add_char(&buf, (char)i);
    return buf;
}

START_TEST(test_values) {
    struct buf buf = sample();
    struct error error = {0};
    struct gguf *gguf = gguf_from_memory(buf.bytes, buf.len, &error);
    struct gguf_string string;
    uint64_t u;
    float f;
    bool b;
    ck_assert_msg(gguf != NULL, "%s", error.message);
    ck_assert(gguf_get_u64(gguf, "u8", &u) && u == 200);
    ck_assert(gguf_get_u64(gguf, "u16", &u) && u == 60000);
    ck_assert(gguf_get_u64(gguf, "i16", &u) && u == 300);
    ck_assert(gguf_get_u64(gguf, "u32", &u) && u == 4000000000u);
    ck_assert(gguf_get_u64(gguf, "u64", &u) && u == UINT64_MAX);
    ck_assert(gguf_get_u64(gguf, "i64", &u) && u == 1ull << 40);
    ck_assert(!gguf_get_u64(gguf, "i8", &u) && !gguf_get_u64(gguf, "i32", &u));
    ck_assert(!gguf_get_u64(gguf, "f32", &u) && !gguf_get_u64(gguf, "numbers", &u));
    ck_assert(gguf_get_f32(gguf, "f32", &f) && f == 1.5f);
    ck_assert(gguf_get_f32(gguf, "f64", &f) && f == 0.25f);
    ck_assert(!gguf_get_f32(gguf, "u8", &f));
    ck_assert(gguf_get_bool(gguf, "true", &b) && b);
    ck_assert(gguf_get_bool(gguf, "false", &b) && !b);
    ck_assert(!gguf_get_bool(gguf, "u8", &b));
    ck_assert(gguf_get_string(gguf, "string", &string) && string.len == 4 &&
              memcmp(string.bytes, "text", 4) == 0);
    ck_assert(!gguf_get_string(gguf, "strings", &string) && !gguf_get_string(gguf, "f32", &string));
    ck_assert(gguf_has(gguf, "empty") && !gguf_has(gguf, "absent") && !gguf_has(gguf, ""));
    gguf_close(gguf);
    buf_free(&buf);
}
END_TEST

START_TEST(test_arrays) {
    struct buf buf = sample();
    struct error error = {0};
    struct gguf *gguf = gguf_from_memory(buf.bytes, buf.len, &error);
    struct gguf_array array;
    struct gguf_string string;
    uint64_t at = 0, lens[] = {3, 0, 5};
    ck_assert(gguf_get_array(gguf, "strings", GGUF_STRING, &array) && array.count == 3);
    for (int i = 0; i < 3; i++)
        ck_assert(gguf_next_string(&array, &at, &string) && string.len == lens[i]);
    ck_assert(!gguf_next_string(&array, &at, &string));
    ck_assert(gguf_get_array(gguf, "numbers", GGUF_I32, &array) && array.size == 8);
    ck_assert(!gguf_get_array(gguf, "numbers", GGUF_U32, &array));
    ck_assert(!gguf_get_array(gguf, "u32", GGUF_U32, &array));
    ck_assert(gguf_get_array(gguf, "empty", GGUF_F32, &array) && array.count == 0);
    gguf_close(gguf);
    buf_free(&buf);
}
END_TEST

START_TEST(test_tensors) {
    struct buf buf = sample();
    struct error error = {0};
    struct gguf *gguf = gguf_from_memory(buf.bytes, buf.len, &error);
    ck_assert_uint_eq(gguf_tensor_count(gguf), 2);
    const struct gguf_tensor *weights = gguf_tensor(gguf, "weights"),
                             *bias = gguf_tensor(gguf, "a.bias");
    ck_assert_ptr_eq(weights, gguf_tensor_at(gguf, 0));
    ck_assert_ptr_eq(bias, gguf_tensor_at(gguf, 1));
    ck_assert_ptr_null(gguf_tensor(gguf, "weight"));
    ck_assert_uint_eq(weights->size, 6 * 18);
    ck_assert_uint_eq(weights->dims[1], 3);
    ck_assert_uint_eq(weights->dims[3], 1);
    ck_assert_uint_eq(bias->size, 20);
    ck_assert_ptr_eq(bias->data, (const char *)weights->data + 128);
    ck_assert_ptr_eq((const char *)bias->data + bias->size, buf.bytes + buf.len);
    gguf_close(gguf);
    buf_free(&buf);
}
END_TEST

START_TEST(test_truncations) {
    struct buf buf = sample();
    expect(&buf, buf.len, NULL);
    for (size_t n = 0; n < buf.len; n++) expect(&buf, n, "");
    buf_free(&buf);
}
END_TEST

/* Any answer will do, but no crash. */
START_TEST(test_mutations) {
    static const unsigned char values[] = {0, 1, 9, 0x7F, 0x80, 0xFF};
    struct buf buf = sample();
    for (size_t i = 0; i < buf.len * sizeof values; i++) {
        struct error error = {0};
        char *copy = exact_copy(buf.bytes, buf.len);
        copy[i / sizeof values] = (char)values[i % sizeof values];
        struct gguf *gguf = gguf_from_memory(copy, buf.len, &error);
        ck_assert((gguf == NULL) == (error.code != ERROR_NONE));
        gguf_close(gguf);
        free(copy);
    }
    buf_free(&buf);
}
END_TEST

static void expect_header(uint32_t version, uint64_t n_tensors, uint64_t n_metadata,
                          const char *message) {
    struct buf buf = {0};
    put_header(&buf, version, n_tensors, n_metadata);
    expect(&buf, buf.len, message);
    buf_free(&buf);
}

START_TEST(test_headers) {
    struct buf buf = {0};
    expect_header(2, 0, 0, NULL);
    expect_header(3, 0, 0, NULL);
    expect_header(1, 0, 0, "version 0x1 is not supported");
    expect_header(4, 0, 0, "version 0x4 is not supported");
    expect_header(3u << 24, 0, 0, "big-endian");
    expect_header(3, 1, 0, "announces 0x1 tensors");
    expect_header(3, 0, 1, "announces 0x1 metadata");
    expect_header(3, UINT64_MAX, 0, "tensors");
    expect_header(3, 0, UINT64_MAX, "metadata");
    buf_add_str(&buf, "GGML but longer than a header");
    expect(&buf, buf.len, "not a GGUF file");
    buf_free(&buf);
}
END_TEST

/* A file with one metadata entry, made by the caller after the header. */
static struct buf one_entry(uint64_t n_metadata) {
    struct buf buf = {0};
    put_header(&buf, 3, 0, n_metadata);
    return buf;
}

static void finish(struct buf *buf, const char *message) {
    for (int i = 0; i < 64; i++) buf_add_char(buf, '\0');
    expect(buf, buf->len, message);
    buf_free(buf);
}

START_TEST(test_metadata_refused) {
    struct buf buf = one_entry(2);
    put_key_u32(&buf, "twice", 1);
    put_key_string(&buf, "twice", "x");
    finish(&buf, "twice occurs twice");
    buf = one_entry(1);
    put_key_u32(&buf, "", 1);
    finish(&buf, "key has 0x0 bytes");
    buf = one_entry(1);
    put_u64(&buf, 65536);
    for (int i = 0; i < 65536 / 64; i++) buf_printf(&buf, "%064d", i);
    finish(&buf, "key has 0x10000 bytes");
    buf = one_entry(1);
    put_value(&buf, "odd\n", 13, "", 0);
    finish(&buf, "odd? has the unknown type 0xd");
    buf = one_entry(1);
    put_array(&buf, "nested", GGUF_ARRAY, 1, NULL, 0);
    finish(&buf, "nested: arrays of arrays");
    buf = one_entry(1);
    put_array(&buf, "many", GGUF_U64, 1ull << 61, NULL, 0);
    finish(&buf, "ends inside many");
    buf = one_entry(1);
    put_array(&buf, "lines", GGUF_STRING, UINT64_MAX / 8, NULL, 0);
    finish(&buf, "ends inside lines");
    buf = one_entry(1);
    put_value(&buf, "long", GGUF_STRING, &(uint64_t){UINT64_MAX}, 8);
    finish(&buf, "ends inside long");
}
END_TEST

static void expect_tensor(uint32_t n_dims, const uint64_t *dims, uint32_t type, uint64_t offset,
                          const char *message) {
    struct buf buf = {0};
    put_header(&buf, 3, 1, 0);
    put_tensor(&buf, "t", n_dims, dims, type, offset);
    put_padding(&buf, 32);
    finish(&buf, message);
}

START_TEST(test_tensors_refused) {
    uint64_t dims[8] = {32, 1, 1, 1, 1};
    expect_tensor(1, dims, Q4_0, 0, NULL);
    expect_tensor(4, dims, Q4_0, 32, NULL);
    expect_tensor(0, dims, F32, 0, "t has 0x0 dimensions");
    expect_tensor(5, dims, F32, 0, "t has 0x5 dimensions");
    expect_tensor(1, dims, F32, 0, "past the end");
    expect_tensor(1, dims, Q4_0, 16, "not aligned");
    expect_tensor(1, dims, Q4_0, 64, "past the end");
    expect_tensor(1, dims, Q4_0, UINT64_MAX - 31, "past the end");
    expect_tensor(1, dims, 4, 0, "unknown type 0x4");
    expect_tensor(1, dims, UINT32_MAX, 0, "unknown type 0xffffffff");
    expect_tensor(1, (uint64_t[]){0}, F32, 0, "impossible dimensions");
    expect_tensor(1, (uint64_t[]){33}, Q4_0, 0, "not whole Q4_0 blocks");
    expect_tensor(2, (uint64_t[]){1ull << 32, 1ull << 32}, F32, 0, "impossible dimensions");
    expect_tensor(1, (uint64_t[]){1ull << 63}, F32, 0, "impossible dimensions");
    expect_tensor(1, (uint64_t[]){INT64_MAX}, F32, 0, "too large");
    expect_tensor(4, (uint64_t[]){65536, 65536, 65536, 65536}, F32, 0, "impossible dimensions");
}
END_TEST

START_TEST(test_duplicate_tensors) {
    struct buf buf = {0};
    put_header(&buf, 3, 3, 0);
    put_tensor(&buf, "same", 1, (uint64_t[]){1}, F32, 0);
    put_tensor(&buf, "other", 1, (uint64_t[]){1}, F32, 0);
    put_tensor(&buf, "same", 1, (uint64_t[]){1}, F32, 32);
    put_padding(&buf, 32);
    finish(&buf, "same occurs twice");
}
END_TEST

static void expect_alignment(uint32_t alignment, const char *message) {
    struct buf buf = {0};
    put_header(&buf, 3, 1, 1);
    put_key_u32(&buf, "general.alignment", alignment);
    put_tensor(&buf, "t", 1, (uint64_t[]){1}, F32, 0);
    if (!message) put_padding(&buf, alignment);
    finish(&buf, message);
}

START_TEST(test_alignment) {
    struct buf buf = one_entry(1);
    for (uint32_t alignment = 1; alignment <= 65536; alignment *= 2)
        expect_alignment(alignment, NULL);
    expect_alignment(0, "general.alignment");
    expect_alignment(48, "general.alignment");
    expect_alignment(131072, "general.alignment");
    put_key_string(&buf, "general.alignment", "32");
    finish(&buf, "general.alignment");
}
END_TEST

static void expect_path(const char *path, const char *message) {
    struct error error = {0};
    ck_assert_ptr_null(gguf_open(path, &error));
    ck_assert_int_eq(error.code, ERROR_MODEL_NOT_READY);
    ck_assert_msg(strstr(error.message, message) && strstr(error.message, path), "%s",
                  error.message);
}

START_TEST(test_paths) {
    char dir[] = "/tmp/test_gguf_XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    expect_path(dir, "is a directory");
    snprintf(path, sizeof path, "%s/x", dir);
    expect_path(path, "No such file");
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    expect_path(path, "not a regular file");
    unlink(path);
    fclose(fopen(path, "w"));
    expect_path(path, "is empty");
    chmod(path, 0);
    if (geteuid() != 0) expect_path(path, "Permission denied");
    unlink(path);
    rmdir(dir);
}
END_TEST

static void check_model(const char *path) {
    struct error error = {0};
    struct gguf *gguf = gguf_open(path, &error);
    ck_assert_msg(gguf != NULL, "%s: %s", path, error.message);
    const char *start = gguf_mapping(gguf), *end = start + gguf_file_size(gguf);
    for (uint64_t i = 0; i < gguf_tensor_count(gguf); i++) {
        const struct gguf_tensor *tensor = gguf_tensor_at(gguf, i);
        char name[128];
        snprintf(name, sizeof name, "%.*s", (int)tensor->name.len, tensor->name.bytes);
        ck_assert_ptr_eq(gguf_tensor(gguf, name), tensor);
        ck_assert((const char *)tensor->data > start &&
                  (const char *)tensor->data + tensor->size <= end);
        ck_assert_uint_eq((uintptr_t)tensor->data % 32, 0);
    }
    gguf_close(gguf);
}

START_TEST(test_models) {
    static const char *const dirs[] = {"vocabs", "models/arch", "models/quant"};
    const char *base = getenv("PLM_SHARED");
    char path[512];
    snprintf(path, sizeof path, "%s/%s", base ? base : "../shared", dirs[_i]);
    DIR *dir = opendir(path);
    if (!dir) {
        printf("SKIP: no %s\n", path);
        return;
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        size_t n = strlen(entry->d_name);
        if (n < 5 || strcmp(entry->d_name + n - 5, ".gguf") != 0) continue;
        snprintf(path, sizeof path, "%s/%s/%s", base ? base : "../shared", dirs[_i], entry->d_name);
        check_model(path);
    }
    closedir(dir);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("gguf");
    TCase *good = tcase_create("good"), *bad = tcase_create("bad");
    tcase_add_test(good, test_values);
    tcase_add_test(good, test_arrays);
    tcase_add_test(good, test_tensors);
    tcase_add_loop_test(good, test_models, 0, 3);
    tcase_add_test(bad, test_truncations);
    tcase_add_test(bad, test_mutations);
    tcase_add_test(bad, test_headers);
    tcase_add_test(bad, test_metadata_refused);
    tcase_add_test(bad, test_tensors_refused);
    tcase_add_test(bad, test_duplicate_tensors);
    tcase_add_test(bad, test_alignment);
    tcase_add_test(bad, test_paths);
    suite_add_tcase(suite, good);
    suite_add_tcase(suite, bad);
    return run_suite(suite);
}
