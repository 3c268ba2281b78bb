#include "engine/unicode.h"

#include "base/utf8.h"
#include "engine/unicode_table.h"

enum { N_RANGES = sizeof unicode_ranges / sizeof *unicode_ranges, ASCII = 0x80 };

/* The last range that starts at or before the code point. */
uint8_t unicode_flags(uint32_t code) {
    size_t low = 0, high = N_RANGES;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (unicode_ranges[middle] >> 8 <= code)
            low = middle;
        else
            high = middle;
    }
    return (uint8_t)unicode_ranges[low];
}

static uint8_t ascii_flags(uint32_t c) {
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
        return UNICODE_LETTER | (c & 0x20 ? UNICODE_LOWER : UNICODE_UPPER);
    if (c == ' ' || (c >= '\t' && c <= '\r')) return UNICODE_SPACE;
    if (c >= '0' && c <= '9') return UNICODE_NUMBER;
    return unicode_flags(c);
}

struct unicode_char unicode_at(const char *bytes, size_t n) {
    struct unicode_char c = {0};
    if (n == 0) return c;
    c.len = (uint8_t)utf8_decode(bytes, n, &c.code);
    if (c.len == 0) return (struct unicode_char){0xFFFD, 1, UNICODE_SYMBOL};
    c.flags = c.code < ASCII ? ascii_flags(c.code) : unicode_flags(c.code);
    return c;
}
