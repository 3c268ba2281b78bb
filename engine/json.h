/* json: an RFC 8259 reader that keeps what jansson drops.
 *
 * Schemas, tool arguments and generated instances are held to the letter: a
 * number keeps its spelling (18-digit ids, 0.1, 1e400), object members keep
 * their order, and duplicate keys are reported. jansson (used in proto/) turns
 * numbers into int64 or double, which would make `const` and bounds inexact.
 *
 * The tree is immutable, lives in one arena and is freed at once. Every input
 * is hostile: depth and size are bounded, UTF-8 is checked, lone surrogates in
 * \u escapes are refused.
 */
#ifndef ENGINE_JSON_H
#define ENGINE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

/* One value. `text` is not NUL-terminated. */
struct json {
    enum json_type type;
    uint32_t len;     /* string: decoded bytes; number: bytes of the spelling;
                         array, object: elements, members */
    const char *text; /* string: decoded UTF-8; number: the spelling */
    const char *raw;  /* the value as it stands in the source (borrowed from the input) */
    uint32_t raw_len;
    uint32_t mark;    /* 0; for who owns the document and has no other reader */
    struct json *const *items;   /* array: len elements; object: len values */
    const struct json_key *keys; /* object: len keys, in source order */
};

struct json_key {
    const char *text; /* decoded UTF-8, not NUL-terminated */
    uint32_t len;
    uint32_t sorted; /* private to json: index of large objects, makes json_get logarithmic */
};

struct json_doc; /* owns the arena */

/* Parses exactly one value (surrounding white space allowed) of n bytes, which must outlive the
 * document. Depth of nesting is limited to max_depth (<= 512). NULL and ERROR_PARSE with byte
 * offset in the message on failure; ERROR_OUT_OF_MEMORY when memory runs out. Duplicate keys are an
 * ERROR_PARSE. */
struct json_doc *json_parse(const char *text, size_t n, unsigned max_depth, struct error *error);
const struct json *json_root(const struct json_doc *doc);
void json_free(struct json_doc *doc);
size_t json_bytes(const struct json_doc *doc); /* what it holds */

/* The member of an object, or NULL (also when value is not an object). */
const struct json *json_get(const struct json *value, const char *key);
const struct json *json_get_n(const struct json *value, const char *key, size_t key_len);
/* Its place among keys and items, or JSON_ABSENT. */
#define JSON_ABSENT UINT32_MAX
uint32_t json_index(const struct json *value, const char *key, size_t key_len);
bool json_is_string(const struct json *value, const char *string);

/* Equality as JSON Schema defines it: numbers by mathematical value (exact decimal comparison of
 * the spellings: 1 = 1.0 = 10e-1, 2^64 != 2^64+1), objects regardless of order. */
bool json_same(const struct json *a, const struct json *b);

/* -1, 0, 1: exact comparison of two number spellings (RFC 8259 grammar), any size; huge exponents
 * must cost no memory. */
int json_number_compare(const char *a, size_t a_len, const char *b, size_t b_len);

/* Is the number mathematically an integer (2.0 and 1e3 are)? */
bool json_number_is_integer(const char *text, size_t len);

#endif
