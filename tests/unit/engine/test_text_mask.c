/* Token masks of grammars of text: right, the same whatever was found before, and bounded. */
#include <check.h>

#include "engine/grammar_rules.h"
#include "engine/text_mask.h"
#include "engine/vocab.h"
#include "tests/support.h"
#include "tests/text_corpus.h"
#include "tests/unit/engine/grammar_support.h"

static struct gguf *gguf;
static struct vocab *vocab;
static struct trie *trie;
static uint64_t *bits, *other;
static size_t n_bytes;

static void open_vocab(void) {
    char path[512];
    struct error error = {0};
    if (!shared_path("vocabs/ggml-vocab-gpt-2.gguf", path, sizeof path)) return;
    gguf = gguf_open(path, &error);
    vocab = vocab_new(gguf, &error);
    trie = trie_new(vocab, &error);
    n_bytes = (vocab_size(vocab) / 64 + 1) * sizeof *bits;
    bits = calloc(1, n_bytes);
    other = calloc(1, n_bytes);
}

static void close_vocab(void) {
    free(bits);
    free(other);
    trie_free(trie);
    vocab_free(vocab);
    if (gguf) gguf_close(gguf);
}

static struct grammar *compiled(const struct text_sample *sample, struct error *error) {
    size_t len = strlen(sample->text);
    *error = (struct error){0};
    return sample->regex ? grammar_from_regex(sample->text, len, "", error)
                         : grammar_from_gbnf(sample->text, len, "", error);
}

static bool is_set(const uint64_t *mask, uint32_t id) {
    return mask[id >> 6] >> (id & 63) & 1;
}

static bool is_text(uint32_t id, const char **bytes, uint32_t *len) {
    *bytes = vocab_bytes(vocab, id, len);
    return *len && !vocab_is_end(vocab, id) && vocab_kind(vocab, id) != TOKEN_CONTROL;
}

/* One of `count` tokens. */
static uint32_t pick(const uint64_t *mask, uint32_t count, uint64_t *seed) {
    uint32_t id = 0;
    for (uint64_t wanted = random_next(seed) % count + 1; wanted; id++) wanted -= is_set(mask, id);
    return id - 1;
}

/* ---- as the tokens one by one say ---- */

static void compare_mask(struct matcher *matcher, const char *name) {
    uint32_t count = matcher_mask(matcher, bits), set = 0;
    ck_assert_msg(!matcher_mask_was_cut(matcher), "%s", name);
    for (uint32_t id = 0; id < vocab_size(vocab); id++) {
        uint32_t len;
        const char *bytes;
        bool text = is_text(id, &bytes, &len), bit = is_set(bits, id);
        set += bit;
        if (bit != (text && matcher_allows(matcher, bytes, len)))
            ck_abort_msg("%s: token %u '%.*s': mask %d", name, id, (int)len, bytes, bit);
    }
    ck_assert_uint_eq(set, count);
}

/* The mask of every state of random walks, also from the caches and after what was known was dropped. */
START_TEST(real_ones) {
    uint64_t seed = 5;
    struct error error;
    const char *name = text_real[_i].name;
    if (!trie) return;
    struct grammar *grammar = compiled(&text_real[_i], &error);
    ck_assert_msg(grammar != NULL, "%s: %s", name, error.message);
    for (int round = 0; round < 3; round++) {
        struct matcher *matcher = new_matcher(grammar, trie);
        for (int i = 0; i < 14 && !matcher_must_end(matcher); i++) {
            uint32_t count = matcher_mask(matcher, bits), len;
            if (i % 7 == round) compare_mask(matcher, name);
            const char *bytes = vocab_bytes(vocab, pick(bits, count, &seed), &len);
            ck_assert(matcher_accept(matcher, bytes, len));
            if (i % 5 == 4) ck_assert(stacks_collect(&grammar_text(grammar)->stacks));
        }
        matcher_free(matcher);
    }
    grammar_unref(grammar);
}
END_TEST

/* Inside characters, where counters run out, where much returns to the stack, and the like. */
static const struct {
    const char *grammar, *text;
} cases[] = {
    {"root ::= [a-z ]{2,12}", ""},
    {"root ::= [a-z ]{2,12}", "abcdef"},
    {"root ::= [a-z ]{2,12}", "abcdefghijk"},
    {"root ::= [a-z ]{300,600} [A-Z]{2,7}", "abc"},
    {"root ::= ([a-zA-Z' -]{1,9} [.,]){2,5} [^a]{3}", "It's, the"},
    {"root ::= [^\\n]{1,20} \"\\n\"", "caf\xc3"},
    {"root ::= [\\u0400-\\u04ff ]+ [a-z]*", "\xd0"},
    {"root ::= [\\u3041-\\u309F]+ | [^a-z]*", "\xe3\x81"},
    {"root ::= .{1,6}", "\xf0\x9f"},
    {"root ::= (\"a\" | \"b\" [^b]*)+ [\\t\\\"\\\\]", "b"},
    {"root ::= ((((.*)*)*)*)* \"b\"", "it"},
    {"root ::= x\nx ::= \"(\" [^()]* x? [^()]* \")\"", "(((( a"},
    {"root ::= ([a-d]+ | [c-z]+ | [ ]) root?", "abc"},
    {"root ::= ([a-z]{4} \" \"){2,40} [a-z]{4}", "abcd abcd ab"},
    {"root ::= [^\"\\\\\\x7F\\x00-\\x1F]* \"\\\"\"", "x"},
};

START_TEST(corners) {
    struct error error;
    struct text_sample sample = {.text = cases[_i].grammar};
    if (!trie) return;
    struct grammar *grammar = compiled(&sample, &error);
    ck_assert_msg(grammar != NULL, "%s: %s", sample.text, error.message);
    struct matcher *matcher = new_matcher(grammar, trie);
    ck_assert_msg(matcher_accept(matcher, cases[_i].text, strlen(cases[_i].text)), "%s", sample.text);
    compare_mask(matcher, sample.text);
    matcher_free(matcher);
    grammar_unref(grammar);
}
END_TEST

/* States that are numbered alike have masks of their own: a long text, byte by byte. */
START_TEST(kept) {
    struct error error;
    struct text_sample sample = {"", "(\\w{4} ){2,40}\\w{4}", true};
    if (!trie) return;
    struct grammar *grammar = compiled(&sample, &error);
    struct matcher *matcher = new_matcher(grammar, trie);
    for (int i = 0; i < 190; i++) {
        matcher_mask(matcher, bits);
        for (uint32_t id = 0; id < vocab_size(vocab); id++) {
            uint32_t len;
            const char *bytes;
            if (!is_text(id, &bytes, &len) || len != 1) continue;
            ck_assert_msg(is_set(bits, id) == matcher_allows(matcher, bytes, len), "%d: %c", i, *bytes);
        }
        ck_assert(matcher_accept(matcher, i % 5 == 4 ? " " : "a", 1));
    }
    matcher_free(matcher);
    grammar_unref(grammar);
}
END_TEST

/* ---- hostile ones ---- */

/* The mask after a text of a grammar of which nothing is known yet. */
static bool mask_anew(const struct text_sample *sample, const char *text, size_t len, uint64_t *mask) {
    struct error error;
    struct grammar *grammar = compiled(sample, &error);
    struct matcher *matcher = new_matcher(grammar, trie);
    ck_assert(matcher_accept(matcher, text, len));
    matcher_mask(matcher, mask);
    bool cut = matcher_mask_was_cut(matcher);
    matcher_free(matcher);
    grammar_unref(grammar);
    return cut;
}

/* What it costs, with all that is known and with nothing. */
static void check_cost(struct grammar *grammar, const char *text, size_t len, const char *name) {
    struct stacks *stacks = &grammar_text(grammar)->stacks;
    struct text_match match;
    struct text_mask_cost warm, cold;
    text_match_start(&match, grammar_text(grammar));
    ck_assert(text_match_accept(&match, text, len));
    text_mask_fill(stacks, &match.cursor, trie, other, &warm);
    ck_assert(stacks_collect(stacks));
    text_mask_fill(stacks, &match.cursor, trie, other, &cold);
    ck_assert_msg(warm.units == cold.units && warm.whole == cold.whole, "%s: %u, %u", name, warm.units, cold.units);
    ck_assert_msg(cold.units <= TEXT_MASK_UNITS, "%s: %u", name, cold.units);
    ck_assert_msg(memcmp(other, bits, trie->n_words * sizeof *bits) == 0, "%s", name);
    text_match_end(&match);
}

/* No token that is not allowed, and of those of one byte all that are. */
static void check_tokens(struct matcher *matcher, uint32_t turn, const char *name) {
    for (uint32_t id = 0; id < vocab_size(vocab); id++) {
        uint32_t len;
        const char *bytes;
        bool text = is_text(id, &bytes, &len), bit = is_set(bits, id);
        ck_assert(text || !bit);
        if (len != 1 && (!bit || (id + turn) % 101)) continue;
        bool allowed = text && matcher_allows(matcher, bytes, len);
        ck_assert_msg(len == 1 ? bit == allowed : allowed, "%s: '%.*s': %d", name, (int)len, bytes, bit);
    }
}

/* Masks cost no more than they may, as the text says and not as what was found before does; what is left
 * out of them is long; and there is a way on from everywhere. */
START_TEST(hostile_ones) {
    char text[4096];
    const char *name;
    char *source = text_hostile(_i, &name);
    struct text_sample sample = {name, source, false};
    struct error error;
    uint64_t seed = (uint64_t)_i + 1;
    struct grammar *grammar = trie ? compiled(&sample, &error) : NULL;
    if (trie && !grammar) ck_assert_int_eq(error.code, ERROR_SCHEMA_UNSUPPORTED);
    for (uint32_t round = 0; round < 2 && grammar; round++) {
        struct matcher *matcher = new_matcher(grammar, trie);
        size_t at = 0;
        for (uint32_t i = 0; i < 8 && !matcher_must_end(matcher); i++) {
            uint32_t len, count = matcher_mask(matcher, bits);
            ck_assert_msg(count > 0, "%s", name);
            bool cut = matcher_mask_was_cut(matcher);
            ck_assert_uint_eq(matcher_mask(matcher, other), count); /* from the cache */
            ck_assert(cut == matcher_mask_was_cut(matcher) && memcmp(bits, other, n_bytes) == 0);
            if (i % 4 == round) {
                ck_assert_msg(mask_anew(&sample, text, at, other) == cut && memcmp(bits, other, n_bytes) == 0, "%s", name);
                check_cost(grammar, text, at, name);
                check_tokens(matcher, i, name);
            }
            const char *bytes = vocab_bytes(vocab, pick(bits, count, &seed), &len);
            ck_assert_msg(matcher_accept(matcher, bytes, len), "%s", name);
            memcpy(text + at, bytes, len);
            at += len;
        }
        matcher_free(matcher);
    }
    grammar_unref(grammar);
    free(source);
}
END_TEST

/* Some of them do come to the limit: else the tests above would prove little. */
START_TEST(some_are_cut) {
    int cut = 0;
    for (int i = 0; i < TEXT_HOSTILE && trie; i++) {
        struct text_sample sample = {0};
        struct error error;
        char *source = text_hostile(i, &sample.name);
        sample.text = source;
        struct grammar *grammar = compiled(&sample, &error);
        struct matcher *matcher = grammar ? new_matcher(grammar, trie) : NULL;
        if (matcher) matcher_mask(matcher, bits);
        cut += matcher && matcher_mask_was_cut(matcher);
        matcher_free(matcher);
        grammar_unref(grammar);
        free(source);
    }
    if (trie) ck_assert_int_ge(cut, 10);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("text_mask");
    TCase *tests = tcase_create("all");
    tcase_set_timeout(tests, 120);
    tcase_add_unchecked_fixture(tests, open_vocab, close_vocab);
    tcase_add_loop_test(tests, real_ones, 0, TEXT_REAL);
    tcase_add_loop_test(tests, corners, 0, sizeof cases / sizeof *cases);
    tcase_add_test(tests, kept);
    tcase_add_loop_test(tests, hostile_ones, 0, TEXT_HOSTILE);
    tcase_add_test(tests, some_are_cut);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
