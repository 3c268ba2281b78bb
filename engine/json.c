#include "engine/json.h"

#include <string.h>

#include "engine/decimal.h"
#include "engine/json_keys.h"

uint64_t json_key_prefix(const char *text, size_t len) {
    uint64_t prefix = 0;
    for (size_t i = 0; i < 8; i++) prefix = prefix << 8 | (i < len ? (unsigned char)text[i] : 0);
    return prefix;
}

int json_key_compare(const char *a, size_t a_len, const char *b, size_t b_len) {
    size_t common = a_len < b_len ? a_len : b_len;
    int order = common ? memcmp(a, b, common) : 0;
    if (order) return order;
    return a_len < b_len ? -1 : a_len > b_len;
}

static uint32_t find_linear(const struct json *object, const char *key, size_t len) {
    for (uint32_t i = 0; i < object->len; i++) {
        const struct json_key *at = &object->keys[i];
        if (at->len == len && memcmp(at->text, key, len) == 0) return i;
    }
    return JSON_ABSENT;
}

static uint32_t find_indexed(const struct json *object, const char *key, size_t len) {
    uint32_t low = 0, high = object->len;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2, at = object->keys[middle].sorted;
        int order = json_key_compare(object->keys[at].text, object->keys[at].len, key, len);
        if (order == 0) return at;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return JSON_ABSENT;
}

uint32_t json_index(const struct json *value, const char *key, size_t key_len) {
    if (!value || value->type != JSON_OBJECT) return JSON_ABSENT;
    return value->len < JSON_KEYS_INDEXED ? find_linear(value, key, key_len)
                                          : find_indexed(value, key, key_len);
}

const struct json *json_get_n(const struct json *value, const char *key, size_t key_len) {
    uint32_t at = json_index(value, key, key_len);
    return at == JSON_ABSENT ? NULL : value->items[at];
}

const struct json *json_get(const struct json *value, const char *key) {
    return json_get_n(value, key, strlen(key));
}

bool json_is_string(const struct json *value, const char *string) {
    return value && value->type == JSON_STRING && value->len == strlen(string) &&
           memcmp(value->text, string, value->len) == 0;
}

static bool equal_arrays(const struct json *a, const struct json *b) {
    for (uint32_t i = 0; i < a->len; i++)
        if (!json_same(a->items[i], b->items[i])) return false;
    return true;
}

/* Same size and every key of a in b is enough: keys are unique. */
static bool equal_objects(const struct json *a, const struct json *b) {
    for (uint32_t i = 0; i < a->len; i++) {
        const struct json *other = json_get_n(b, a->keys[i].text, a->keys[i].len);
        if (!other || !json_same(a->items[i], other)) return false;
    }
    return true;
}

bool json_same(const struct json *a, const struct json *b) {
    if (a->type != b->type) return false;
    if (a->type == JSON_NUMBER) return decimal_compare(a->text, a->len, b->text, b->len) == 0;
    if (a->len != b->len) return false;
    switch (a->type) {
    case JSON_STRING: return memcmp(a->text, b->text, a->len) == 0;
    case JSON_ARRAY: return equal_arrays(a, b);
    case JSON_OBJECT: return equal_objects(a, b);
    default: return true;
    }
}

int json_number_compare(const char *a, size_t a_len, const char *b, size_t b_len) {
    return decimal_compare(a, a_len, b, b_len);
}

bool json_number_is_integer(const char *text, size_t len) {
    return decimal_is_integer(text, len);
}
