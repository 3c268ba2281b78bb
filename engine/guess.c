#include "engine/guess.h"

#include <string.h>

enum {
    SEARCHED = 1 << 15, /* bytes of the text that are looked through */
    COMPARED = 32,      /* bytes of a match that count */
    LEAST_COPIED = 20,  /* bytes that must agree where nothing else tells what is likely */
};

static bool is_upper(char c) {
    return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* A letter of a word, those beyond ASCII included. */
static bool is_letter(char c) {
    return is_upper(c) || is_digit(c) || (c >= 'a' && c <= 'z') || c == '_' ||
           (unsigned char)c >= 0x80;
}

/* Does byte i belong to the word before it? Also what only joins letters does: 3.5, O'Neil,
 * a://b?c=d. */
static bool in_word(const char *bytes, size_t n, size_t i) {
    if (i >= n) return false;
    if (is_letter(bytes[i])) return true;
    return bytes[i] && strchr(".-'/@:?=&%#+", bytes[i]) && i + 1 < n &&
           (is_letter(bytes[i + 1]) || bytes[i + 1] == '/');
}

/* ---- the same text, before ------------------------------------------------------------------ */

struct match {
    size_t end; /* what follows it is what is likely to follow now */
    size_t len, score;
};

static size_t common(const char *bytes, size_t end, const char *suffix_end, size_t most) {
    size_t len = 0;
    while (len < most && len < end && bytes[end - 1 - len] == suffix_end[-1 - (ptrdiff_t)len])
        len++;
    return len;
}

/* Where the text's last bytes, `most` at most, stood before: the longest, what the user said last
 * before what else was said. */
static struct match find_before(const struct guess_text *text, size_t most) {
    struct match best = {0, 0, 0};
    const char *bytes = text->bytes, *end = bytes + text->n;
    size_t from = text->n > SEARCHED ? text->n - SEARCHED : 0, at = text->n - 1;
    if (!most || text->n < 2) return best;
    if (most > COMPARED) most = COMPARED;
    for (const char *hit; at > from && (hit = memrchr(bytes + from, end[-1], at - from));) {
        at = (size_t)(hit - bytes);
        size_t len = common(bytes, at + 1, end, most);
        bool whole = len == most && (at + 1 == len || !is_letter(bytes[at - len]));
        bool asked = at >= text->asked.first && at < text->asked.end;
        size_t score = 4 * len + 8 * whole + 6 * asked;
        if (score > best.score) best = (struct match){at + 1, len, score};
    }
    return best;
}

/* ---- strings -------------------------------------------------------------------------------- */

/* Copies the rest of a word, and the words after it that seem to belong to it: names go on in
 * capitals, and who has copied several words copies more. */
static void copy_phrase(struct guess *guess, const char *from, size_t n, bool name, bool phrase) {
    for (size_t i = 0;; i++) {
        for (; in_word(from, n, i) && guess->n < GUESS_PHRASE; i++)
            guess_add(guess, from[i], GUESS_LETTER);
        if (guess->n >= GUESS_PHRASE || i + 1 >= n || from[i] != ' ' || !is_letter(from[i + 1]))
            return;
        if (!phrase && !(name && (is_upper(from[i + 1]) || is_digit(from[i + 1])))) return;
        guess_add(guess, ' ', GUESS_SPACE);
    }
}

static size_t span_length(const struct place_span *span) {
    return span->end - span->first;
}

/* Where in the user's words the last value was copied from ends, else where they begin. */
static size_t used_up_to(const struct guess_text *text, const struct place_span *value) {
    size_t len = span_length(value);
    const char *asked = text->bytes + text->asked.first;
    if (!len) return text->asked.first;
    const char *hit =
        memmem(asked, span_length(&text->asked), text->bytes + text->answer + value->first, len);
    return hit ? (size_t)(hit - text->bytes) + len : text->asked.first;
}

/* Does a sentence begin at i? */
static bool is_first(const char *bytes, size_t first, size_t i) {
    while (i > first && (bytes[i - 1] == ' ' || bytes[i - 1] == '\n')) i--;
    return i == first || strchr(".?!:\"'`", bytes[i - 1]);
}

static void copy_quoted(struct guess *guess, const char *bytes, size_t i, size_t end) {
    const char *close = memchr(bytes + i + 1, bytes[i], end - i - 1);
    size_t len = close ? (size_t)(close - (bytes + i + 1)) : 0;
    if (len > GUESS_PHRASE || memchr(bytes + i + 1, '\n', len) || memchr(bytes + i + 1, '\\', len))
        return;
    for (size_t k = 0; k < len; k++)
        guess_add(guess, bytes[i + 1 + k], k ? GUESS_LETTER : GUESS_NAME);
}

/* The next name or quoted phrase from i on. */
static void next_name(struct guess *guess, const struct guess_text *text, size_t i) {
    const char *bytes = text->bytes;
    size_t first = text->asked.first, end = text->asked.end;
    for (; i < end && !guess->n; i++) {
        if (i > first && is_letter(bytes[i - 1])) continue;
        if (bytes[i] && strchr("'\"`", bytes[i]))
            copy_quoted(guess, bytes, i, end);
        else if (is_upper(bytes[i]) && !is_first(bytes, first, i) && in_word(bytes, end, i + 1))
            copy_phrase(guess, bytes + i, end - i, true, false);
    }
    guess->kind[0] = GUESS_NAME;
}

void guess_string(struct guess *guess, const struct guess_text *text, const struct place *place) {
    const char *value = text->bytes + text->answer + place->start;
    size_t len = text->n - text->answer - place->start;
    if (!len) {
        next_name(guess, text, used_up_to(text, &place->string));
        if (guess->n) guess_add(guess, '"', GUESS_CLOSE);
        return;
    }
    struct match match = find_before(text, len);
    if (match.len < len && match.len < 3) {
        guess_add(guess, '"', GUESS_INVENTED);
        return;
    }
    bool name = is_upper(value[0]) || is_digit(value[0]), phrase = memchr(value, ' ', len) && !name;
    size_t left = (match.end < text->answer ? text->answer : text->n) - match.end;
    copy_phrase(guess, text->bytes + match.end, left, name, phrase);
    guess_add(guess, '"', GUESS_CLOSE);
}

/* ---- numbers -------------------------------------------------------------------------------- */

/* The length of a number that begins at i. */
static size_t number_length(const char *bytes, size_t end, size_t i) {
    size_t at = i;
    while (at < end && at - i < GUESS_PHRASE &&
           (is_digit(bytes[at]) || (bytes[at] == '.' && at + 1 < end && is_digit(bytes[at + 1]))))
        at++;
    return at - i;
}

/* The next number from i on that begins with these digits, of which there may be none. */
static size_t next_number(const struct guess_text *text, size_t i, const char *digits, size_t n,
                          size_t *len) {
    const char *bytes = text->bytes;
    size_t end = text->asked.end;
    for (; i < end; i++) {
        if (!is_digit(bytes[i])) continue;
        *len = number_length(bytes, end, i);
        bool alone = i == text->asked.first || !is_letter(bytes[i - 1]);
        if (alone && *len >= n && memcmp(bytes + i, digits, n) == 0) return i;
        i += *len - 1;
    }
    return SIZE_MAX;
}

void guess_number(struct guess *guess, const struct guess_text *text, const struct place *place) {
    bool begun = place->kind == PLACE_WORD;
    const char *digits = text->bytes + text->answer + place->start;
    size_t n = begun ? text->n - text->answer - place->start : 0, len = 0;
    size_t at = next_number(text, used_up_to(text, &place->word), digits, n, &len);
    if (at == SIZE_MAX) at = next_number(text, text->asked.first, digits, n, &len);
    if (at == SIZE_MAX) return;
    if (!begun && at > text->asked.first + 1 && text->bytes[at - 1] == '-' &&
        text->bytes[at - 2] == ' ')
        at--, len++;
    for (size_t i = n; i < len; i++)
        guess_add(guess, text->bytes[at + i], i ? GUESS_DIGIT : GUESS_NUMBER);
}

bool guess_more(const struct guess_text *text, const struct place *place) {
    struct guess name = {.n = 0};
    size_t len;
    if (place->word.end > place->string.end)
        return next_number(text, used_up_to(text, &place->word), "", 0, &len) != SIZE_MAX;
    next_name(&name, text, used_up_to(text, &place->string));
    return name.n > 0;
}

/* ---- anything ------------------------------------------------------------------------------- */

void guess_copy(struct guess *guess, const struct guess_text *text) {
    struct match match = find_before(text, COMPARED);
    size_t len = (match.end < text->answer ? text->answer : text->n) - match.end;
    if (match.len < LEAST_COPIED) return;
    for (size_t i = 0; i < len && guess->n < GUESS_BYTES; i++)
        guess_add(guess, text->bytes[match.end + i], GUESS_COPY);
}
