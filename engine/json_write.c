#include "engine/json_write.h"

#include <string.h>

void json_write_string(struct buf *out, struct text text) {
    static const char short_escapes[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    buf_add_char(out, '"');
    for (size_t i = 0, from = 0; i <= text.len; i++) {
        unsigned char c = i < text.len ? (unsigned char)text.bytes[i] : '"';
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        buf_add(out, text.bytes + from, i - from);
        from = i + 1;
        if (i == text.len) break;
        const char *known = c ? strchr(short_escapes, c) : NULL;
        if (known) buf_printf(out, "\\%c", letters[known - short_escapes]);
        else buf_printf(out, "\\u%04x", c);
    }
    buf_add_char(out, '"');
}

static void write_value(struct buf *out, const struct json *value, const struct json *schema, bool spaced);

static void write_member(struct buf *out, const struct json *object, uint32_t i, const struct json *schema,
                         bool spaced, bool *first) {
    if (!*first) buf_add_str(out, spaced ? ", " : ",");
    *first = false;
    json_write_string(out, (struct text){object->keys[i].text, object->keys[i].len});
    buf_add_str(out, spaced ? ": " : ":");
    write_value(out, object->items[i], schema, spaced);
}

static bool declares(const struct json *properties, struct json_key key) {
    return properties && json_get_n(properties, key.text, key.len);
}

static void write_object(struct buf *out, const struct json *object, const struct json *schema, bool spaced) {
    const struct json *properties = schema ? json_get(schema, "properties") : NULL;
    bool first = true;
    if (properties && properties->type != JSON_OBJECT) properties = NULL;
    buf_add_char(out, '{');
    for (uint32_t p = 0; properties && p < properties->len; p++)
        for (uint32_t i = 0; i < object->len; i++)
            if (object->keys[i].len == properties->keys[p].len &&
                memcmp(object->keys[i].text, properties->keys[p].text, object->keys[i].len) == 0)
                write_member(out, object, i, properties->items[p], spaced, &first);
    for (uint32_t i = 0; i < object->len; i++)
        if (!declares(properties, object->keys[i])) write_member(out, object, i, NULL, spaced, &first);
    buf_add_char(out, '}');
}

static void write_array(struct buf *out, const struct json *array, const struct json *schema, bool spaced) {
    const struct json *items = schema ? json_get(schema, "items") : NULL;
    buf_add_char(out, '[');
    for (uint32_t i = 0; i < array->len; i++) {
        if (i) buf_add_str(out, spaced ? ", " : ",");
        write_value(out, array->items[i], items, spaced);
    }
    buf_add_char(out, ']');
}

static void write_value(struct buf *out, const struct json *value, const struct json *schema, bool spaced) {
    switch (value->type) {
    case JSON_NULL: buf_add_str(out, "null"); break;
    case JSON_FALSE: buf_add_str(out, "false"); break;
    case JSON_TRUE: buf_add_str(out, "true"); break;
    case JSON_NUMBER: buf_add(out, value->text, value->len); break;
    case JSON_STRING: json_write_string(out, (struct text){value->text, value->len}); break;
    case JSON_ARRAY: write_array(out, value, schema, spaced); break;
    case JSON_OBJECT: write_object(out, value, schema, spaced); break;
    }
}

void json_write(struct buf *out, const struct json *value, bool spaced) {
    write_value(out, value, NULL, spaced);
}

void json_write_ordered(struct buf *out, const struct json *value, const struct json *schema,
                        bool spaced) {
    write_value(out, value, schema, spaced);
}
