#include "engine/pretok_stages.h"

#include <string.h>

#include "engine/unicode.h"

/* Past the end a character has no length and no flags. */
static struct unicode_char char_at(const char *text, size_t n, size_t at) {
    return unicode_at(text + at, n - at);
}

static bool is_line_end(struct unicode_char c) {
    return c.code == '\n' || c.code == '\r';
}

/* [^\s\p{L}\p{N}], with \p{L} as `letters`. */
static bool is_other(struct unicode_char c, uint8_t letters) {
    return c.len && !(c.flags & (UNICODE_SPACE | UNICODE_NUMBER | letters));
}

/* The end of the run of characters from `at` on that have one of the flags. */
static size_t run_of(const char *text, size_t n, size_t at, uint8_t flags) {
    for (struct unicode_char c; (c = char_at(text, n, at)).flags & flags;) at += c.len;
    return at;
}

static size_t run_of_other(const char *text, size_t n, size_t at, uint8_t letters) {
    for (struct unicode_char c; is_other(c = char_at(text, n, at), letters);) at += c.len;
    return at;
}

/* Skips characters of an ASCII set. */
static size_t run_in(const char *text, size_t n, size_t at, const char *set) {
    while (at < n && text[at] && strchr(set, text[at])) at++;
    return at;
}

size_t pretok_stage_piece(const struct pretok_stage *stage, const char *text, size_t n) {
    if (stage->piece) return stage->piece(stage, text, n);
    size_t at = stage->match(stage, text, n);
    if (at > 0) return at;
    do at += char_at(text, n, at).len;
    while (at < n && stage->match(stage, text + at, n - at) == 0);
    return at;
}

/* ---- parts that the patterns share ---- */

/* 's 't 'm 'd 're 've 'll: its length or 0. */
static size_t contraction(const char *text, size_t n, bool any_case) {
    static const char *const two[] = {"re", "ve", "ll"};
    char mask = any_case ? 0x20 : 0; /* these are letters if they match at all */
    if (n < 2 || text[0] != '\'') return 0;
    char first = text[1] | mask;
    if (first && strchr("stmd", first)) return 2;
    if (n < 3) return 0;
    for (size_t i = 0; i < 3; i++)
        if (first == two[i][0] && (text[2] | mask) == two[i][1]) return 3;
    return 0;
}

/* \s+(?!\S)|\s+ : a run of spaces, but the last one goes with what follows. */
static size_t spaces(const char *text, size_t n) {
    size_t at = 0, last = 0;
    for (struct unicode_char c; (c = char_at(text, n, at)).flags & UNICODE_SPACE; at += c.len)
        last = at;
    return at < n && last > 0 ? last : at;
}

/* \s*[\r\n]+ : up to the last line end of a run of spaces, or 0. */
static size_t spaces_to_line_end(const char *text, size_t n) {
    size_t at = 0, end = 0;
    for (struct unicode_char c; (c = char_at(text, n, at)).flags & UNICODE_SPACE;) {
        at += c.len;
        if (is_line_end(c)) end = at;
    }
    return end;
}

size_t pretok_spaces(const char *text, size_t n) {
    size_t len = spaces_to_line_end(text, n);
    return len ? len : spaces(text, n);
}

/* \p{N}{1,max} */
static size_t digits(const char *text, size_t n, size_t max) {
    size_t at = 0;
    for (size_t count = 0; max == 0 || count < max; count++) {
        struct unicode_char c = char_at(text, n, at);
        if (!(c.flags & UNICODE_NUMBER)) break;
        at += c.len;
    }
    return at;
}

/* ?[^\s\p{L}\p{N}]+[\r\n/]* behind an optional space; 0 if there is none. */
static size_t others(const struct pretok_stage *stage, const char *text, size_t n) {
    size_t start = text[0] == ' ', end = run_of_other(text, n, start, stage->letters);
    return end > start ? run_in(text, n, end, stage->slash ? "\r\n/" : "\r\n") : 0;
}

/* ---- isolated matches ---- */

size_t pretok_match_digits(const struct pretok_stage *stage, const char *text, size_t n) {
    return digits(text, n, stage->max_digits);
}

size_t pretok_match_three_digits(const struct pretok_stage *stage, const char *text, size_t n) {
    (void)stage;
    if (n < 3) return 0;
    for (size_t i = 0; i < 3; i++)
        if (text[i] < '0' || text[i] > '9') return 0;
    return 3;
}

size_t pretok_match_punctuation(const struct pretok_stage *stage, const char *text, size_t n) {
    size_t at = 0;
    for (struct unicode_char c; (c = char_at(text, n, at)).len; at += c.len)
        if (!(c.flags & UNICODE_PUNCTUATION) &&
            (c.code == 0 || c.code > 0x7F || !strchr(stage->extra, (int)c.code)))
            break;
    return at;
}

size_t pretok_match_line_end(const struct pretok_stage *stage, const char *text, size_t n) {
    (void)stage;
    (void)n;
    return text[0] == '\r' || text[0] == '\n';
}

size_t pretok_match_spaced_run(const struct pretok_stage *stage, const char *text, size_t n) {
    struct unicode_char c = char_at(text, n, 0);
    size_t start = c.flags & UNICODE_SPACE ? c.len : 0,
           end = run_of(text, n, start, stage->letters);
    return end > start ? end : 0;
}

/* ---- whole patterns ---- */

size_t pretok_piece_gpt2(const struct pretok_stage *stage, const char *text, size_t n) {
    (void)stage;
    size_t len = contraction(text, n, false), start = text[0] == ' ';
    if (len > 0) return len;
    struct unicode_char c = char_at(text, n, start);
    if (c.flags & UNICODE_LETTER) return run_of(text, n, start, UNICODE_LETTER);
    if (c.flags & UNICODE_NUMBER) return run_of(text, n, start, UNICODE_NUMBER);
    if (is_other(c, UNICODE_LETTER)) return run_of_other(text, n, start, UNICODE_LETTER);
    return spaces(text, n);
}

size_t pretok_piece_words(const struct pretok_stage *stage, const char *text, size_t n) {
    size_t len = stage->contractions ? contraction(text, n, true) : 0;
    if (len > 0) return len;
    struct unicode_char c = char_at(text, n, 0);
    if (!is_line_end(c) && !(c.flags & UNICODE_NUMBER)) {
        size_t end = run_of(text, n, c.len, stage->letters);
        if (end > c.len || (c.flags & stage->letters)) return end;
    }
    if ((len = digits(text, n, stage->max_digits)) > 0) return len;
    if ((len = others(stage, text, n)) > 0) return len;
    return pretok_spaces(text, n);
}

/* ---- words cut at their case ---- */

/* Letters without case (Lm, Lo) and marks count as both upper and lower. */
static bool has_case(struct unicode_char c) {
    return c.flags & (UNICODE_UPPER | UNICODE_LOWER);
}

static bool is_word(struct unicode_char c) {
    return c.flags & (UNICODE_LETTER | UNICODE_MARK);
}

/* [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]* from `at`; *neutral: where the last of Lm, Lo, M ends, or 0. */
static size_t upper_run(const char *text, size_t n, size_t at, size_t *neutral) {
    *neutral = 0;
    for (struct unicode_char c; is_word(c = char_at(text, n, at)) && !(c.flags & UNICODE_LOWER);) {
        at += c.len;
        if (!has_case(c)) *neutral = at;
    }
    return at;
}

/* [\p{Ll}\p{Lm}\p{Lo}\p{M}]* */
static size_t lower_run(const char *text, size_t n, size_t at) {
    for (struct unicode_char c; is_word(c = char_at(text, n, at)) && !(c.flags & UNICODE_UPPER);)
        at += c.len;
    return at;
}

/* UPPER*LOWER+ from `start`: 0 if it does not match. Where no lower-case letter follows, the greedy
 * UPPER* gives back as much as LOWER+ needs: up to the last letter that counts as both. */
static size_t lower_word(const char *text, size_t n, size_t start) {
    size_t neutral, upper = upper_run(text, n, start, &neutral);
    size_t end = lower_run(text, n, upper);
    return end > upper ? end : neutral;
}

/* UPPER+LOWER* from `start`, which lower_word does not match: so it is upper case to its end. */
static size_t upper_word(const char *text, size_t n, size_t start) {
    size_t neutral, end = upper_run(text, n, start, &neutral);
    return end > start ? end : 0;
}

/* A word behind one optional character that is neither letter, digit nor line end. */
static size_t cased_word(const char *text, size_t n) {
    struct unicode_char c = char_at(text, n, 0);
    bool prefix = !is_line_end(c) && !(c.flags & (UNICODE_LETTER | UNICODE_NUMBER));
    size_t len = prefix ? lower_word(text, n, c.len) : 0;
    if (len == 0) len = lower_word(text, n, 0);
    if (len == 0 && prefix) len = upper_word(text, n, c.len);
    return len ? len : upper_word(text, n, 0);
}

size_t pretok_piece_cased(const struct pretok_stage *stage, const char *text, size_t n) {
    size_t len = cased_word(text, n);
    if (len > 0) return stage->contractions ? len + contraction(text + len, n - len, true) : len;
    if ((len = digits(text, n, stage->max_digits)) > 0) return len;
    if ((len = others(stage, text, n)) > 0) return len;
    return pretok_spaces(text, n);
}
