/* libFuzzer: any bytes. What json_parse accepts must be found again, equal itself, and lie within
 * the input. Build: clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -I. (see docs). */
#include <stdlib.h>
#include <string.h>

#include "engine/decimal.h"
#include "engine/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
    if (!condition) abort();
}

static void check_number(const struct json *value) {
    require(decimal_compare(value->text, value->len, value->text, value->len) == 0);
    require(decimal_compare(value->text, value->len, "0", 1) ==
            decimal_sign(value->text, value->len));
    if (decimal_sign(value->text, value->len) == 0) return;
    require(decimal_is_integer(value->text, value->len) ==
            decimal_is_multiple(value->text, value->len, "1", 1));
}

static void check_value(const struct json *value, const char *begin, const char *end) {
    require(value->raw >= begin && value->raw + value->raw_len <= end && value->raw_len > 0);
    if (value->type == JSON_NUMBER) check_number(value);
    if (value->type != JSON_ARRAY && value->type != JSON_OBJECT) return;
    for (uint32_t i = 0; i < value->len; i++) {
        check_value(value->items[i], begin, end);
        if (value->type == JSON_OBJECT)
            require(json_index(value, value->keys[i].text, value->keys[i].len) == i);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error error = {0};
    const char *text = (const char *)data;
    struct json_doc *doc = json_parse(text, size, 100, &error);
    require((doc == NULL) == (error.code != ERROR_NONE));
    if (!doc) return 0;
    const struct json *root = json_root(doc);
    check_value(root, text, text + size);
    /* The raw text of the root is itself a JSON text with the same value. */
    struct json_doc *again = json_parse(root->raw, root->raw_len, 100, &error);
    require(again && json_same(root, json_root(again)) && json_same(json_root(again), root));
    json_free(again);
    json_free(doc);
    return 0;
}
