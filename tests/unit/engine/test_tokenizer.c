/* Tokenizers: exact ids for the reference vocabularies and the goldens, special tokens, hostile
 * texts, bounded work. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/bpe.h"
#include "engine/json.h"
#include "engine/spm.h"
#include "engine/tokenizer.h"
#include "tests/support.h"
#include "tests/unit/engine/loaded_vocab.h"

static const char separator[] = "\n__ggml_vocab_test__\n";
static struct tokens run(const struct vocab *vocab, const char *text, size_t len, unsigned flags) {
    struct tokens tokens = {0};
    struct error error = {0};
    ck_assert_msg(tokenize(vocab, &tokens, text, len, flags, &error), "%s", error.message);
    return tokens;
}

static char *detokenize(const struct vocab *vocab, const struct tokens *tokens, size_t *len) {
    size_t cap = 16;
    char *text = malloc(cap);
    *len = 0;
    for (size_t i = 0; i < tokens->len; i++) {
        uint32_t n;
        const char *bytes = vocab_bytes(vocab, tokens->ids[i], &n);
        if (*len + n > cap) text = realloc(text, cap = (*len + n) * 2);
        memcpy(text + *len, bytes, n);
        *len += n;
    }
    return text;
}

static void expect_ids(const struct vocab *vocab, const char *text, size_t len, unsigned flags,
                       const uint32_t *ids, size_t n) {
    struct tokens tokens = run(vocab, text, len, flags);
    bool same = tokens.len == n && (n == 0 || memcmp(tokens.ids, ids, n * sizeof *ids) == 0);
    for (size_t i = 0; !same && i < tokens.len; i++)
        fprintf(stderr, " %u%s", tokens.ids[i], i < n && tokens.ids[i] == ids[i] ? "" : "!");
    ck_assert_msg(same, "text '%.*s': %zu tokens, %zu expected", (int)len, text, tokens.len, n);
    tokens_free(&tokens);
}

/* ---- exact ids ---- */

static size_t parse_line(uint32_t *ids, size_t cap, char **at) {
    size_t n = 0;
    while (**at && **at != '\n') {
        ck_assert_uint_lt(n, cap);
        ids[n++] = (uint32_t)strtoul(*at, at, 10);
        while (**at == ' ') (*at)++;
    }
    if (**at == '\n') (*at)++;
    return n;
}

START_TEST(test_reference_ids) {
    struct loaded loaded;
    char rest[128];
    size_t in_len, out_len, count = 0;
    uint32_t ids[1024];
    if (!load_named(&loaded, vocab_names[_i])) return;
    snprintf(rest, sizeof rest, "vocabs/ggml-vocab-%s.gguf.inp", vocab_names[_i]);
    char *in = read_whole(shared_file(rest), &in_len);
    snprintf(rest, sizeof rest, "vocabs/ggml-vocab-%s.gguf.out", vocab_names[_i]);
    char *out = read_whole(shared_file(rest), &out_len), *line = out;
    for (char *text = in, *end; (end = strstr(text, separator)); text = end + strlen(separator)) {
        size_t n = parse_line(ids, 1024, &line);
        expect_ids(loaded.vocab, text, (size_t)(end - text), 0, ids, n);
        count++;
    }
    ck_assert_uint_gt(count, 40);
    free(in);
    free(out);
    unload(&loaded);
}
END_TEST

static size_t read_ids(const struct json *array, uint32_t *ids, size_t cap) {
    ck_assert_uint_le(array->len, cap);
    for (uint32_t i = 0; i < array->len; i++)
        ids[i] = (uint32_t)strtoul(array->items[i]->text, NULL, 10);
    return array->len;
}

START_TEST(test_goldens) {
    struct loaded loaded;
    struct error error = {0};
    size_t len;
    uint32_t ids[1024];
    char *file = read_whole(shared_file("golden/smollm2-q4_1.json"), &len);
    if (!file || !load_vocab(&loaded, model_file())) {
        printf("SKIP: no goldens or no model\n");
        free(file);
        return;
    }
    struct json_doc *doc = json_parse(file, len, 64, &error);
    ck_assert_msg(doc != NULL, "%s", error.message);
    const struct json *root = json_root(doc);
    ck_assert_uint_ge(root->len, 6);
    for (uint32_t i = 0; i < root->len; i++) {
        const struct json *text = json_get(root->items[i], "text");
        size_t n = read_ids(json_get(root->items[i], "ids"), ids, 1024);
        expect_ids(loaded.vocab, text->text, text->len, TOKENIZE_PARSE_SPECIAL, ids, n);
    }
    json_free(doc);
    free(file);
    unload(&loaded);
}
END_TEST

/* ---- special tokens ---- */

#define EXPECT(vocab, text, flags, ...)                                                            \
    expect_ids(vocab, text, sizeof(text) - 1, flags, (uint32_t[]){__VA_ARGS__},                    \
               sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

START_TEST(test_special_bpe) {
    struct loaded loaded;
    if (!load_vocab(&loaded, model_file())) return;
    const struct vocab *vocab = loaded.vocab;
    EXPECT(vocab, "<|im_start|>user\nHi<|im_end|>\n", TOKENIZE_PARSE_SPECIAL, 1, 4093, 198, 26843,
           2, 198);
    EXPECT(vocab, "<|im_end|><|im_end|>", TOKENIZE_PARSE_SPECIAL, 2, 2);
    struct tokens tokens = run(vocab, "<|im_start|><|im_end|>", 22, 0);
    for (size_t i = 0; i < tokens.len; i++) ck_assert_uint_gt(tokens.ids[i], 16);
    tokens_free(&tokens);
    expect_ids(vocab, "", 0, TOKENIZE_ADD_SPECIAL | TOKENIZE_PARSE_SPECIAL, NULL, 0);
    unload(&loaded);
}
END_TEST

START_TEST(test_special_llama3) {
    struct loaded loaded;
    if (!load_named(&loaded, "llama-bpe")) return;
    unsigned both = TOKENIZE_ADD_SPECIAL | TOKENIZE_PARSE_SPECIAL;
    EXPECT(loaded.vocab, "Hello<|eot_id|>", both, 128000, 9906, 128009);
    EXPECT(loaded.vocab, "", TOKENIZE_ADD_SPECIAL, 128000);
    /* the longest spelling wins: ..._1|> is no prefix of ..._10|>, but both share all before it */
    EXPECT(loaded.vocab, "<|reserved_special_token_10|><|reserved_special_token_1|>", both, 128000,
           128015, 128003);
    unload(&loaded);
}
END_TEST

START_TEST(test_special_spm) {
    struct loaded loaded;
    if (!load_named(&loaded, "llama-spm")) return;
    const struct vocab *vocab = loaded.vocab;
    EXPECT(vocab, "Hello world", TOKENIZE_ADD_SPECIAL, 1, 15043, 3186);
    EXPECT(vocab, "Hello", TOKENIZE_CONTINUE, 10994);
    EXPECT(vocab, "Hello</s>Hello", TOKENIZE_PARSE_SPECIAL, 15043, 2, 15043);
    EXPECT(vocab, "Hello</s>Hello", TOKENIZE_PARSE_SPECIAL | TOKENIZE_CONTINUE, 10994, 2, 15043);
    struct tokens tokens = run(vocab, "<s></s><unk><0x0A>", 18, 0);
    for (size_t i = 0; i < tokens.len; i++) ck_assert_uint_gt(tokens.ids[i], 258);
    tokens_free(&tokens);
    unload(&loaded);
}
END_TEST

/* Phi-3's special tokens swallow white space behind them, but for <s>, <unk> and <|endoftext|>. */
START_TEST(test_special_phi3) {
    struct loaded loaded;
    if (!load_named(&loaded, "phi-3")) return;
    const struct vocab *vocab = loaded.vocab;
    EXPECT(vocab, "<|user|>\n Hello<|end|>\n<|assistant|>\n", TOKENIZE_PARSE_SPECIAL, 32010, 15043,
           32007, 32001);
    EXPECT(vocab, "<|endoftext|> \nHello", TOKENIZE_PARSE_SPECIAL, 32000, 259, 13, 10994);
    unload(&loaded);
}
END_TEST

/* ---- texts nobody expects ---- */

/* Pieces of many scripts, spaces, quotes, digits, tokens' spellings; with_bytes: any bytes too. */
static size_t random_text(char *text, size_t cap, bool with_bytes, unsigned *seed) {
    static const char *const pieces[] = {" ",
                                         "  ",
                                         "\n",
                                         "\r\n",
                                         "\t",
                                         "'s",
                                         "'LL",
                                         "don't",
                                         "Hello",
                                         "X",
                                         "12",
                                         "345",
                                         "\xC3\xA9",
                                         "\xE4\xB8\xAD\xE6\x96\x87",
                                         "\xF0\x9F\x9A\x80",
                                         "\xD0\xB6",
                                         "<|im_end|>",
                                         "</s>",
                                         "{\"a\": [1]}",
                                         "...",
                                         "_",
                                         "\xC2\xA0",
                                         "the",
                                         " of",
                                         "\xE0\xB8\xB1",
                                         "\xEF\xBF\xBD",
                                         "\xE2\x80\xA8",
                                         "a",
                                         "b"};
    size_t n = 0, target = (size_t)rand_r(seed) % (cap - 16);
    while (n < target) {
        const char *piece = pieces[(size_t)rand_r(seed) % (sizeof pieces / sizeof *pieces)];
        if (with_bytes && rand_r(seed) % 3 == 0)
            text[n++] = (char)rand_r(seed);
        else
            for (; *piece; piece++) text[n++] = *piece;
    }
    return n;
}

static bool has_all_bytes(const struct vocab *vocab) {
    for (int byte = 0; byte < 256; byte++) {
        struct tokens tokens = run(vocab, &(char){(char)byte}, 1, TOKENIZE_CONTINUE);
        uint32_t n, id = tokens.len == 1 ? tokens.ids[0] : TOKEN_NONE;
        bool same = id != TOKEN_NONE && *vocab_bytes(vocab, id, &n) == (char)byte && n == 1;
        tokens_free(&tokens);
        if (!same) return false;
    }
    return true;
}

static void check_round_trips(const struct vocab *vocab) {
    unsigned seed = 7;
    bool with_bytes = has_all_bytes(vocab);
    char text[200];
    for (int round = 0; round < 3000; round++) {
        size_t n = random_text(text, sizeof text, with_bytes, &seed), len;
        unsigned flags = round % 2 ? TOKENIZE_CONTINUE : TOKENIZE_CONTINUE | TOKENIZE_PARSE_SPECIAL;
        if (vocab_model(vocab) == VOCAB_SPM) flags = TOKENIZE_CONTINUE;
        struct tokens tokens = run(vocab, text, n, flags);
        char *back = detokenize(vocab, &tokens, &len);
        if (len != n || memcmp(back, text, n) != 0)
            ck_abort_msg("seed round %d: '%.*s' gives '%.*s'", round, (int)n, text, (int)len, back);
        free(back);
        tokens_free(&tokens);
    }
}

START_TEST(test_round_trip) {
    struct loaded loaded;
    if (_i < N_VOCAB_NAMES ? !load_named(&loaded, vocab_names[_i]) : !load_vocab(&loaded, model_file())) return;
    check_round_trips(loaded.vocab);
    unload(&loaded);
}
END_TEST

START_TEST(test_odd_bytes) {
    struct loaded loaded;
    if (!load_named(&loaded, "llama-spm")) return;
    EXPECT(loaded.vocab, "\0", TOKENIZE_CONTINUE, 3);
    EXPECT(loaded.vocab, "\xFF\xFE", TOKENIZE_CONTINUE, 258, 257);
    EXPECT(loaded.vocab, "a\xE4\xB8", TOKENIZE_CONTINUE, 29874, 231, 187);
    EXPECT(loaded.vocab,
           "a\xE2\x96\x81"
           "b",
           TOKENIZE_CONTINUE, 29874, 289); /* U+2581 is a space */
    unload(&loaded);
}
END_TEST

/* SmolLM2 has no tokens for some control bytes: they must not vanish. */
START_TEST(test_missing_bytes) {
    struct loaded loaded;
    size_t len;
    if (!load_vocab(&loaded, model_file())) return;
    struct tokens tokens = run(loaded.vocab, "a\x04z", 3, 0);
    char *text = detokenize(loaded.vocab, &tokens, &len);
    ck_assert_uint_eq(len, 5);
    ck_assert_mem_eq(text, "a\xEF\xBF\xBDz", 5);
    free(text);
    tokens_free(&tokens);
    unload(&loaded);
}
END_TEST

/* ---- bounded work ---- */

typedef bool (*fragment)(const struct vocab *, struct merger *, struct tokens *, const char *,
                         size_t);

static bool spm_plain(const struct vocab *vocab, struct merger *merger, struct tokens *out,
                      const char *text, size_t n) {
    return spm_fragment(vocab, merger, out, text, n, false);
}

static uint64_t count_steps(const struct vocab *vocab, const char *text, size_t n) {
    struct merger merger = {0};
    struct tokens tokens = {0};
    fragment encode = vocab_model(vocab) == VOCAB_SPM ? spm_plain : bpe_fragment;
    ck_assert(encode(vocab, &merger, &tokens, text, n));
    uint64_t steps = merger.steps;
    merger_free(&merger);
    tokens_free(&tokens);
    return steps;
}

/* One huge word: four times the text may take little more than four times the steps. */
START_TEST(test_linear) {
    static const char *const units[] = {"a", "ab", "er", "\xC3\xA9", "-"};
    enum { LARGE = 1 << 18, SMALL = LARGE / 4 };
    struct loaded loaded;
    if (_i < N_VOCAB_NAMES ? !load_named(&loaded, vocab_names[_i]) : !load_vocab(&loaded, model_file())) return;
    char *text = malloc(LARGE);
    for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
        for (size_t i = 0, n = strlen(units[u]); i < LARGE; i++) text[i] = units[u][i % n];
        uint64_t small = count_steps(loaded.vocab, text, SMALL);
        uint64_t large = count_steps(loaded.vocab, text, LARGE);
        ck_assert_msg(large < 5 * small && large < 60ull * LARGE, "'%s': %lu and %lu steps",
                      units[u], (unsigned long)small, (unsigned long)large);
    }
    free(text);
    unload(&loaded);
}
END_TEST

static Suite *make_suite(void) {
    Suite *suite = suite_create("tokenizer");
    TCase *exact = tcase_create("exact"), *special = tcase_create("special"),
          *hostile = tcase_create("hostile");
    tcase_add_loop_test(exact, test_reference_ids, 0, N_VOCAB_NAMES);
    tcase_add_test(exact, test_goldens);
    tcase_add_test(special, test_special_bpe);
    tcase_add_test(special, test_special_llama3);
    tcase_add_test(special, test_special_spm);
    tcase_add_test(special, test_special_phi3);
    tcase_set_timeout(hostile, 60);
    tcase_add_loop_test(hostile, test_round_trip, 0, N_VOCAB_NAMES + 1);
    tcase_add_test(hostile, test_odd_bytes);
    tcase_add_test(hostile, test_missing_bytes);
    tcase_add_loop_test(hostile, test_linear, 0, N_VOCAB_NAMES + 1);
    suite_add_tcase(suite, exact);
    suite_add_tcase(suite, special);
    suite_add_tcase(suite, hostile);
    return suite;
}

int main(void) {
    return run_suite(make_suite());
}
