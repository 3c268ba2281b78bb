#include "base/utf8.h"

static bool is_continuation(char c) {
    return ((unsigned char)c & 0xC0) == 0x80;
}

/* Length that a lead byte announces, 0 for a byte that cannot lead. */
static size_t lead_length(unsigned char c) {
    if (c < 0x80) return 1;
    if (c >= 0xC2 && c <= 0xDF) return 2;
    if (c >= 0xE0 && c <= 0xEF) return 3;
    if (c >= 0xF0 && c <= 0xF4) return 4;
    return 0;
}

size_t utf8_decode(const char *bytes, size_t n, uint32_t *code_point) {
    static const uint32_t minimum[5] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char lead = (unsigned char)bytes[0];
    size_t len = lead_length(lead);
    if (len == 0 || len > n) return 0;
    uint32_t c = len == 1 ? lead : lead & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if (!is_continuation(bytes[i])) return 0;
        c = c << 6 | ((unsigned char)bytes[i] & 0x3F);
    }
    if (c < minimum[len] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) return 0;
    *code_point = c;
    return len;
}

size_t utf8_encode(uint32_t c, char out[4]) {
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (c & 0x3F));
        c >>= 6;
    }
    out[0] = (char)((0xF00 >> len) | c);
    return len;
}

size_t utf8_valid_prefix(const char *bytes, size_t n) {
    size_t at = 0;
    while (at < n) {
        uint32_t c;
        size_t len = utf8_decode(bytes + at, n - at, &c);
        if (len == 0) break;
        at += len;
    }
    return at;
}

size_t utf8_incomplete_tail(const char *bytes, size_t n) {
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        unsigned char c = (unsigned char)bytes[n - back];
        if (is_continuation((char)c)) continue;
        return lead_length(c) > back ? back : 0;
    }
    return 0;
}
