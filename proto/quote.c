/* JSON string literals. */
#include "proto/proto.h"

#include "base/utf8.h"

/* How the byte must be written inside a literal; NULL: as it is. */
static const char *escape_of(unsigned char c) {
    switch (c) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '\b': return "\\b";
    case '\f': return "\\f";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    default: return NULL;
    }
}

static bool is_plain(unsigned char c) {
    return c >= 0x20 && c != '"' && c != '\\' && c != 0x7F;
}

static void quote_valid(struct buf *out, const char *at, size_t n) {
    for (size_t i = 0; i < n;) {
        size_t start = i;
        while (i < n && is_plain((unsigned char)at[i])) i++;
        buf_add(out, at + start, i - start);
        if (i == n) break;
        const char *escape = escape_of((unsigned char)at[i]);
        if (escape)
            buf_add_str(out, escape);
        else
            buf_printf(out, "\\u%04x", (unsigned)(unsigned char)at[i]);
        i++;
    }
}

void json_quote(struct buf *out, struct text text) {
    const char *at = text.bytes ? text.bytes : "";
    size_t left = text.bytes ? text.len : 0;
    buf_add_char(out, '"');
    while (left) {
        size_t valid = utf8_valid_prefix(at, left);
        quote_valid(out, at, valid);
        at += valid;
        left -= valid;
        if (!left) break;
        buf_add_str(out, "\xEF\xBF\xBD");
        at++;
        left--;
    }
    buf_add_char(out, '"');
}
