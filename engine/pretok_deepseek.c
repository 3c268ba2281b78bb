/* The stages of DeepSeek's pre-tokenizers, whose expressions list blocks instead of categories. */
#include "engine/pretok_stages.h"
#include "engine/unicode.h"

struct range {
    uint32_t first, last;
};

static bool in_ranges(uint32_t code, const struct range *ranges, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (code >= ranges[i].first && code <= ranges[i].last) return true;
    return false;
}
#define IN(code, ranges) in_ranges(code, ranges, sizeof(ranges) / sizeof *(ranges))

/* The expression lists the cased letters of Unicode but for these blocks. */
static bool is_listed_letter(struct unicode_char c) {
    static const struct range missing[] = {{0x2D00, 0x2D2F},   {0xA790, 0xA7FF},
                                           {0xAB30, 0xAB6F},   {0x10570, 0x105BF},
                                           {0x16E40, 0x16E7F}, {0x1D400, 0x1DFFF}};
    return (c.flags & (UNICODE_UPPER | UNICODE_LOWER)) && !IN(c.code, missing);
}

static bool is_listed_punctuation(struct unicode_char c) {
    static const struct range listed[] = {{'!', '/'},       {':', '~'},       {0xFF01, 0xFF0F},
                                          {0xFF1A, 0xFF5E}, {0x2018, 0x201F}, {0x3000, 0x3002}};
    return IN(c.code, listed);
}

static bool is_listed_cjk(struct unicode_char c) {
    static const struct range listed[] = {{0x0800, 0x9FA5}, {0xAC00, 0xD7FF}};
    return IN(c.code, listed);
}

static bool is_listed_cjk3(struct unicode_char c) {
    static const struct range listed[] = {{0x3040, 0x30FF}, {0x4E00, 0x9FA5}};
    return IN(c.code, listed);
}

static bool is_letter_or_mark(struct unicode_char c) {
    return c.flags & (UNICODE_LETTER | UNICODE_MARK);
}

static bool is_punctuation_or_symbol(struct unicode_char c) {
    return c.flags & (UNICODE_PUNCTUATION | UNICODE_SYMBOL);
}

static bool is_ascii_letter(struct unicode_char c) {
    return c.code < 0x80 && (c.flags & UNICODE_LETTER);
}

static size_t run_while(const char *text, size_t n, size_t at, bool (*test)(struct unicode_char)) {
    for (struct unicode_char c; (c = unicode_at(text + at, n - at)).len && test(c);) at += c.len;
    return at;
}

/* \s?[class]+ */
static size_t spaced(const char *text, size_t n, bool (*test)(struct unicode_char)) {
    struct unicode_char c = unicode_at(text, n);
    size_t start = c.flags & UNICODE_SPACE ? c.len : 0, end = run_while(text, n, start, test);
    return end > start ? end : run_while(text, n, 0, test);
}

size_t pretok_match_deepseek_letters(const struct pretok_stage *stage, const char *text, size_t n) {
    (void)stage;
    return spaced(text, n, is_listed_letter);
}

size_t pretok_match_deepseek_punctuation(const struct pretok_stage *stage, const char *text,
                                         size_t n) {
    (void)stage;
    return spaced(text, n, is_listed_punctuation);
}

size_t pretok_match_deepseek_cjk(const struct pretok_stage *stage, const char *text, size_t n) {
    (void)stage;
    return run_while(text, n, 0, is_listed_cjk);
}

size_t pretok_match_deepseek3_cjk(const struct pretok_stage *stage, const char *text, size_t n) {
    (void)stage;
    return run_while(text, n, 0, is_listed_cjk3);
}

size_t pretok_piece_trailing_space(const struct pretok_stage *stage, const char *text, size_t n) {
    (void)stage;
    size_t end = 0; /* of what is no space */
    struct unicode_char c;
    for (size_t at = 0; at < n; at += c.len) {
        c = unicode_at(text + at, n - at);
        if (!(c.flags & UNICODE_SPACE)) end = at + c.len;
    }
    return end ? end : n;
}

/* Punctuation, with the line ends behind it. */
static size_t punctuation(const char *text, size_t n) {
    size_t start = text[0] == ' ', end = run_while(text, n, start, is_punctuation_or_symbol);
    if (end == start) return 0;
    while (end < n && (text[end] == '\r' || text[end] == '\n')) end++;
    return end;
}

/* Letters and marks behind one optional character that is no letter, punctuation or line end. */
static size_t word(const char *text, size_t n) {
    struct unicode_char c = unicode_at(text, n);
    bool prefix = c.code != '\r' && c.code != '\n' && !is_punctuation_or_symbol(c);
    if (!prefix && !is_letter_or_mark(c)) return 0;
    size_t end = run_while(text, n, c.len, is_letter_or_mark);
    return end > c.len || is_letter_or_mark(c) ? end : 0;
}

size_t pretok_match_deepseek3(const struct pretok_stage *stage, const char *text, size_t n) {
    (void)stage;
    struct unicode_char c = unicode_at(text, n);
    size_t len = 0;
    if (c.code < 0x80 && is_punctuation_or_symbol(c)) {
        len = run_while(text, n, 1, is_ascii_letter);
        if (len > 1) return len;
    }
    if ((len = word(text, n)) > 0) return len;
    if ((len = punctuation(text, n)) > 0) return len;
    return pretok_spaces(text, n);
}
