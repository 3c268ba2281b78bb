#include "proto/span.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *skip_blanks(const char *at, const char *end) {
    while (at < end && is_blank(*at)) at++;
    return at;
}

/* at stands on the opening quote; returns past the closing one. */
static const char *skip_string(const char *at, const char *end) {
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\' && at + 1 < end) at++;
    return at < end ? at + 1 : end;
}

/* Past a number or a word. Takes at least one byte, so that walks end on garbage too. */
static const char *skip_scalar(const char *at, const char *end) {
    for (at++; at < end && !is_blank(*at) && !strchr(",:]}[{\"", *at); at++) {
    }
    return at;
}

static const char *skip_value(const char *at, const char *end) {
    size_t depth = 0;
    do {
        at = skip_blanks(at, end);
        if (at >= end) break;
        if (*at == '"') {
            at = skip_string(at, end);
        } else if (*at == '[' || *at == '{') {
            depth++;
            at++;
        } else if (*at == ']' || *at == '}') {
            if (depth) depth--;
            at++;
        } else {
            at = depth && (*at == ',' || *at == ':') ? at + 1 : skip_scalar(at, end);
        }
    } while (depth);
    return at;
}

struct span_walk span_open(struct text container) {
    const char *end = container.bytes + container.len;
    const char *at = container.bytes ? skip_blanks(container.bytes, end) : end;
    if (at < end && (*at == '[' || *at == '{')) return (struct span_walk){at + 1, end};
    return (struct span_walk){end, end};
}

/* Past blanks and one separator; false at the container's end. */
static bool walk_to_value(struct span_walk *walk) {
    walk->at = skip_blanks(walk->at, walk->end);
    if (walk->at < walk->end && *walk->at == ',') walk->at = skip_blanks(walk->at + 1, walk->end);
    return walk->at < walk->end && *walk->at != ']' && *walk->at != '}';
}

bool span_next(struct span_walk *walk, struct text *item) {
    if (!walk_to_value(walk)) return false;
    const char *start = walk->at;
    walk->at = skip_value(start, walk->end);
    *item = (struct text){start, (size_t)(walk->at - start)};
    return true;
}

bool span_next_member(struct span_walk *walk, struct text *key, struct text *value) {
    if (!span_next(walk, key)) return false;
    walk->at = skip_blanks(walk->at, walk->end);
    if (walk->at >= walk->end || *walk->at != ':') return false;
    walk->at = skip_blanks(walk->at + 1, walk->end);
    if (walk->at >= walk->end) return false;
    return span_next(walk, value);
}

struct text span_member(struct text object, const char *name) {
    struct span_walk walk = span_open(object);
    struct text key, value;
    if (walk.at < walk.end && walk.at[-1] == '{')
        while (span_next_member(&walk, &key, &value))
            if (span_equals(key, name)) return value;
    return (struct text){0};
}

static unsigned hex4(const char *at) {
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)at[i];
        unsigned digit = c <= '9' ? c - 0u : (c | 0x20u) - 'a' + 10u;
        value = value << 4 | (digit & 15);
    }
    return value;
}

/* Decodes one \u escape, with its low surrogate if it has one; at stands on the 'u'. */
static const char *decode_unicode(const char *at, const char *end, char out[4], size_t *n) {
    uint32_t c = 0xFFFD;
    if (end - at >= 5) {
        c = hex4(at + 1);
        at += 5;
    } else {
        at = end;
    }
    if (c >= 0xD800 && c < 0xDC00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
        uint32_t low = hex4(at + 2);
        if (low >= 0xDC00 && low < 0xE000) {
            c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
            at += 6;
        }
    }
    *n = utf8_encode(c >= 0xD800 && c < 0xE000 ? 0xFFFD : c, out);
    return at;
}

/* The next character of a literal's inside; returns past it. */
static const char *decode_next(const char *at, const char *end, char out[4], size_t *n) {
    static const char escapes[] = "bfnrt", values[] = "\b\f\n\r\t";
    *n = 1;
    out[0] = *at;
    if (*at != '\\' || at + 1 >= end) return at + 1;
    at++;
    if (*at == 'u') return decode_unicode(at, end, out, n);
    const char *escape = *at ? strchr(escapes, *at) : NULL;
    out[0] = escape ? values[escape - escapes] : *at;
    return at + 1;
}

/* The inside of a string literal. */
static bool literal_inside(struct text literal, const char **at, const char **end) {
    if (!literal.bytes || literal.len < 2 || literal.bytes[0] != '"') return false;
    *at = literal.bytes + 1;
    *end = literal.bytes + literal.len - 1;
    return true;
}

bool span_equals(struct text literal, const char *string) {
    const char *at, *end;
    if (!literal_inside(literal, &at, &end)) return false;
    size_t left = strlen(string);
    while (at < end) {
        char c[4];
        size_t n;
        at = decode_next(at, end, c, &n);
        if (n > left || memcmp(c, string, n) != 0) return false;
        string += n;
        left -= n;
    }
    return left == 0;
}

bool span_decode(struct buf *out, struct text literal) {
    const char *at, *end;
    if (!literal_inside(literal, &at, &end)) return false;
    while (at < end) {
        const char *plain = memchr(at, '\\', (size_t)(end - at));
        if (!plain) plain = end;
        buf_add(out, at, (size_t)(plain - at));
        if ((at = plain) == end) break;
        char c[4];
        size_t n;
        at = decode_next(at, end, c, &n);
        buf_add(out, c, n);
    }
    return !out->failed;
}

bool span_integer(int64_t *out, struct text literal) {
    char digits[24];
    if (!literal.bytes || literal.len == 0 || literal.len >= sizeof digits) return false;
    memcpy(digits, literal.bytes, literal.len);
    digits[literal.len] = '\0';
    size_t sign = digits[0] == '-';
    if (strspn(digits + sign, "0123456789") != literal.len - sign || literal.len == sign)
        return false;
    errno = 0;
    long long value = strtoll(digits, NULL, 10);
    if (errno) return false;
    *out = value;
    return true;
}
