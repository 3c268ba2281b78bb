#include <stdlib.h>
#include <string.h>

#include "engine/schema_part.h"

struct schema_block {
    struct schema_block *next;
    _Alignas(16) char bytes[];
};

static void *take(struct schema *schema, size_t n) {
    struct schema_block *block = malloc(sizeof *block + n + 1);
    if (!block) return schema_fail(schema, RULES_MEMORY), NULL;
    block->next = schema->made;
    schema->made = block;
    memset(block->bytes, 0, n + 1);
    return block->bytes;
}

void schema_made_free(struct schema *schema) {
    while (schema->made) {
        struct schema_block *next = schema->made->next;
        free(schema->made);
        schema->made = next;
    }
}

static struct json *make(struct schema *schema, enum json_type type, uint32_t n) {
    struct json *json = take(schema, sizeof *json);
    if (json) json->type = type;
    if (json) json->len = n;
    return json;
}

const struct json *schema_make_array(struct schema *schema, const struct json *const *items,
                                     uint32_t n) {
    struct json *json = make(schema, JSON_ARRAY, n);
    struct json **copy = json ? take(schema, n * sizeof *copy) : NULL;
    if (!copy) return NULL;
    for (uint32_t i = 0; i < n; i++) copy[i] = (struct json *)items[i]; /* never written to */
    json->items = copy;
    return json;
}

static const struct json *make_object(struct schema *schema, const struct json_key *keys,
                                      const struct json *const *values, uint32_t n) {
    const struct json *array = schema_make_array(schema, values, n);
    struct json_key *copy = array ? take(schema, n * sizeof *copy) : NULL;
    struct json *json = copy ? make(schema, JSON_OBJECT, n) : NULL;
    if (!json) return NULL;
    memcpy(copy, keys, n * sizeof *keys);
    json->items = array->items;
    json->keys = copy;
    return json;
}

const struct json *schema_make_object(struct schema *schema, const char *const *keys,
                                      const struct json *const *values, uint32_t n) {
    struct json_key made[8];
    for (uint32_t i = 0; i < n; i++) {
        if (!values[i]) return NULL;
        made[i] = (struct json_key){.text = keys[i], .len = (uint32_t)strlen(keys[i])};
    }
    return make_object(schema, made, values, n);
}

const struct json *schema_make_member(struct schema *schema, const struct json_key *key,
                                      const struct json *value) {
    struct json_key copy = {.text = key->text, .len = key->len};
    return value ? make_object(schema, &copy, &value, 1) : NULL;
}

const struct json *schema_make_string(struct schema *schema, const char *text, uint32_t len) {
    struct json *json = make(schema, JSON_STRING, len);
    char *copy = json ? take(schema, len) : NULL;
    if (!copy) return NULL;
    memcpy(copy, text, len);
    json->text = copy;
    return json;
}

const struct json *schema_make_number(struct schema *schema, uint32_t value) {
    char text[16];
    int len = 0;
    uint32_t unit = 1;
    while (value / unit >= 10) unit *= 10;
    for (; unit; unit /= 10) text[len++] = (char)('0' + value / unit % 10);
    return schema_make_digits(schema, text, (uint32_t)len);
}

const struct json *schema_make_digits(struct schema *schema, const char *text, uint32_t len) {
    const struct json *made = schema_make_string(schema, text, len);
    if (made) ((struct json *)made)->type = JSON_NUMBER;
    return made;
}

const struct json *schema_make_boolean(bool value) {
    static const struct json no = {.type = JSON_FALSE}, yes = {.type = JSON_TRUE};
    return value ? &yes : &no;
}

/* ---- orders of members ---- */

uint32_t schema_orders(const struct json *value, uint32_t most) {
    uint64_t n = 1;
    if (value->type < JSON_ARRAY) return n <= most;
    for (uint32_t i = 0; i < value->len && n && n <= most; i++) {
        n *= schema_orders(value->items[i], most);
        if (value->type == JSON_OBJECT) n *= i + 1;
    }
    return n <= most ? (uint32_t)n : 0;
}

/* The *order-th permutation of n indices; what is left of *order is for others. */
static void permute(uint32_t *indices, uint32_t n, uint32_t *order) {
    for (uint32_t i = 0; i < n; i++) indices[i] = i;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t from = i + *order % (n - i), taken = indices[from];
        *order /= n - i;
        memmove(indices + i + 1, indices + i, (from - i) * sizeof *indices);
        indices[i] = taken;
    }
}

static const struct json *reorder(struct schema *schema, const struct json *value, uint32_t *order) {
    enum { MOST = 8 }; /* no more members have few enough orders */
    const struct json *values[MOST];
    struct json_key keys[MOST];
    uint32_t indices[MOST];
    if (value->type < JSON_ARRAY || !*order) return value;
    if (value->type == JSON_ARRAY) {
        struct json *copy = (struct json *)schema_make_array(schema, (const struct json *const *)value->items, value->len);
        for (uint32_t i = 0; copy && i < value->len; i++)
            if (!(((const struct json **)copy->items)[i] = reorder(schema, value->items[i], order))) return NULL;
        return copy;
    }
    if (value->len > MOST) return value;
    permute(indices, value->len, order);
    for (uint32_t i = 0; i < value->len; i++) {
        keys[i] = value->keys[indices[i]];
        if (!(values[i] = reorder(schema, value->items[indices[i]], order))) return NULL;
    }
    return make_object(schema, keys, values, value->len);
}

const struct json *schema_in_order(struct schema *schema, const struct json *value, uint32_t order) {
    return reorder(schema, value, &order);
}
