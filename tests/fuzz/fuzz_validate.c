/* libFuzzer: the input is a JSON array [schema, instance, …]. Whatever they are, validator_new and
 * validator_check must end, and what holds for closed objects must hold for open ones too. Build as
 * fuzz_json.c. */
#include <stdlib.h>

#include "engine/validate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_instance(const struct validator *open, const struct validator *closed,
                           const struct json *instance) {
    struct error open_error = {0}, closed_error = {0};
    bool valid = validator_check(open, instance, &open_error);
    bool valid_closed = validator_check(closed, instance, &closed_error);
    if (valid != (open_error.code == ERROR_NONE)) abort();
    if (valid_closed && !valid && open_error.reason[0] == 0) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error error = {0};
    struct json_doc *doc = json_parse((const char *)data, size, 64, &error);
    const struct json *root = doc ? json_root(doc) : NULL;
    if (root && root->type == JSON_ARRAY && root->len > 0) {
        unsigned formats = VALIDATE_ALL_FORMATS;
        struct validator *open = validator_new(root->items[0], formats, &error);
        struct validator *closed = validator_new(root->items[0], formats | VALIDATE_CLOSED, &error);
        if ((open == NULL) != (closed == NULL)) abort();
        for (uint32_t i = 1; open && i < root->len; i++)
            check_instance(open, closed, root->items[i]);
        validator_free(open);
        validator_free(closed);
    }
    json_free(doc);
    return 0;
}
