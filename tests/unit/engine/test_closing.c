/* A completion that is the end of one that was cut into tokens is not cut again, and what is said to fit
 * does. */
#include <check.h>

#include "engine/closing.h"
#include "tests/support.h"
#include "tests/unit/engine/grammar_support.h"

enum { LEAST = 1500, CAP = 1 << 14 };

static const char schema[] = "{\"type\":\"string\",\"minLength\":1500}";

static struct vocab *open_vocab(struct gguf **gguf) {
    char path[512];
    struct error error = {0};
    if (!shared_path("vocabs/ggml-vocab-gpt-2.gguf", path, sizeof path)) return NULL;
    *gguf = gguf_open(path, &error);
    ck_assert_msg(*gguf, "%s", error.message);
    struct vocab *vocab = vocab_new(*gguf, &error);
    ck_assert_msg(vocab, "%s", error.message);
    return vocab;
}

/* The tokens spell the shortest completion. */
static void check_spelling(const struct vocab *vocab, struct matcher *matcher,
                           const struct tokens *tokens) {
    static char bytes[CAP];
    size_t len = matcher_closing(matcher, bytes, CAP), at = 0;
    for (size_t i = 0; i < tokens->len; i++) {
        uint32_t n;
        const char *text = vocab_bytes(vocab, tokens->ids[i], &n);
        ck_assert(at + n <= len && memcmp(bytes + at, text, n) == 0);
        at += n;
    }
    ck_assert_uint_eq(at, len);
}

/* With as many tokens as there are, one less, and many. */
static void check_state(struct closing *closing, const struct vocab *vocab, struct matcher *matcher) {
    struct tokens tokens = {0};
    size_t n = closing_tokens(vocab, matcher, &tokens);
    ck_assert_uint_ne(n, SIZE_MAX);
    ck_assert(closing_fits(closing, vocab, matcher, 3 * n));
    ck_assert(closing_fits(closing, vocab, matcher, n));
    for (size_t left = n > 2 ? n - 2 : 0; left <= n + 2; left++) {
        if (!closing_fits(closing, vocab, matcher, left)) continue;
        tokens.len = 0;
        size_t within = closing_within(closing, vocab, matcher, left, &tokens);
        ck_assert_uint_ge(within, 1);
        ck_assert_uint_le(within, left);
        check_spelling(vocab, matcher, &tokens);
    }
    tokens_free(&tokens);
}

START_TEST(ends_are_known) {
    struct gguf *gguf = NULL;
    struct error error = {0};
    struct closing closing = {0};
    struct vocab *vocab = open_vocab(&gguf);
    if (!vocab) return;
    struct grammar *grammar =
        grammar_from_schema(schema, sizeof schema - 1, true, false, NULL, &error);
    ck_assert_msg(grammar, "%s", error.message);
    struct matcher *matcher = new_matcher(grammar, NULL);
    ck_assert(closing_fits(&closing, vocab, matcher, 2 * LEAST));
    size_t first = closing.len;
    ck_assert_uint_ge(first, LEAST);
    ck_assert(matcher_accept(matcher, "\"", 1));
    for (int i = 0; i < 60; i++) {
        ck_assert(matcher_accept(matcher, "word ", 5));
        ck_assert(closing_fits(&closing, vocab, matcher, 2 * LEAST));
        ck_assert_uint_eq(closing.len, first); /* still the first that was cut */
    }
    for (int i = 0; i < 40; i++) {
        ck_assert(matcher_accept(matcher, i % 7 == 3 ? "\\u00" : "caf\xC3", 4));
        check_state(&closing, vocab, matcher);
        ck_assert(matcher_accept(matcher, i % 7 == 3 ? "e9" : "\xA9", i % 7 == 3 ? 2 : 1));
        check_state(&closing, vocab, matcher);
    }
    closing_free(&closing);
    matcher_free(matcher);
    grammar_unref(grammar);
    vocab_free(vocab);
    gguf_close(gguf);
}
END_TEST

START_TEST(nothing_can_be_told) {
    struct error error = {0};
    struct closing closing = {0};
    static const char long_one[] = "{\"type\":\"string\",\"minLength\":100000}";
    struct grammar *grammar =
        grammar_from_schema(long_one, sizeof long_one - 1, true, false, NULL, &error);
    ck_assert_msg(grammar, "%s", error.message);
    struct matcher *matcher = new_matcher(grammar, NULL);
    ck_assert_int_eq(closing_first(matcher), '\0');
    ck_assert(!closing_fits(&closing, NULL, matcher, 200000));
    closing_free(&closing);
    matcher_free(matcher);
    grammar_unref(grammar);
}
END_TEST

static Suite *suite(void) {
    Suite *s = suite_create("closing");
    TCase *t = tcase_create("closing");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, ends_are_known);
    tcase_add_test(t, nothing_can_be_told);
    suite_add_tcase(s, t);
    return s;
}

int main(void) {
    return run_suite(suite());
}
