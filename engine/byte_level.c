#include "engine/byte_level.h"

#include <stdint.h>

#include "base/utf8.h"

/* The bytes that don't stand for themselves: 0x00-0x20, 0x7F-0xA0 and 0xAD, spelled U+0100... */
enum { LOW = 0x21, HIGH = 0x22, SPELLED = LOW + HIGH + 1, FIRST = 0x100 };

/* The byte a code point stands for, or -1. */
static int decode_one(uint32_t code) {
    if ((code >= 0x21 && code <= 0x7E) || (code >= 0xA1 && code <= 0xFF && code != 0xAD))
        return (int)code;
    if (code < FIRST || code >= FIRST + SPELLED) return -1;
    code -= FIRST;
    if (code < LOW) return (int)code;
    return code < LOW + HIGH ? (int)(0x7F + code - LOW) : 0xAD;
}

static uint32_t encode_one(unsigned char byte) {
    if (byte < LOW) return FIRST + byte;
    if (byte >= 0x7F && byte <= 0xA0) return FIRST + LOW + (byte - 0x7Fu);
    return byte == 0xAD ? FIRST + LOW + HIGH : byte;
}

bool byte_level_decode(char *out, size_t *out_len, const char *spelling, size_t n) {
    size_t len = 0;
    for (size_t at = 0; at < n;) {
        uint32_t code;
        size_t taken = utf8_decode(spelling + at, n - at, &code);
        int byte = taken ? decode_one(code) : -1;
        if (byte < 0) return false;
        out[len++] = (char)byte;
        at += taken;
    }
    *out_len = len;
    return true;
}

size_t byte_level_encode(char *out, const char *bytes, size_t n) {
    size_t len = 0;
    for (size_t i = 0; i < n; i++)
        len += utf8_encode(encode_one((unsigned char)bytes[i]), out + len);
    return len;
}
