/* Masks: bit i is what matcher_allows says of token i, along random walks; walks end in valid JSON. */
#include <check.h>

#include "base/buf.h"
#include "engine/json.h"
#include "engine/trie.h"
#include "engine/validate.h"
#include "tests/support.h"
#include "tests/unit/engine/grammar_support.h"

struct model {
    struct gguf *gguf;
    struct vocab *vocab;
    struct trie *trie;
    uint32_t n;
    uint64_t *bits;
};

static bool model_open(struct model *model, const char *path) {
    struct error error = {0};
    *model = (struct model){.gguf = gguf_open(path, &error)};
    if (!model->gguf) return false;
    model->vocab = vocab_new(model->gguf, &error);
    ck_assert_msg(model->vocab, "%s", error.message);
    model->trie = trie_new(model->vocab, &error);
    ck_assert_ptr_nonnull(model->trie);
    model->n = vocab_size(model->vocab);
    model->bits = calloc(model->n / 64 + 1, sizeof *model->bits);
    return true;
}

static void model_close(struct model *model) {
    free(model->bits);
    trie_free(model->trie);
    vocab_free(model->vocab);
    gguf_close(model->gguf);
}

static bool open_named(struct model *model, const char *name) {
    char path[512];
    return shared_path(name, path, sizeof path) && model_open(model, path);
}

static bool in_trie(const struct model *model, uint32_t id) {
    uint32_t len;
    enum token_kind kind = vocab_kind(model->vocab, id);
    vocab_bytes(model->vocab, id, &len);
    return len && !vocab_is_end(model->vocab, id) &&
           (kind == TOKEN_NORMAL || kind == TOKEN_BYTE || kind == TOKEN_USER_DEFINED);
}

static void compare_mask(struct model *model, struct matcher *matcher, const char *text) {
    uint32_t count = matcher_mask(matcher, model->bits), set = 0;
    for (uint32_t id = 0; id < model->n; id++) {
        uint32_t len;
        const char *bytes = vocab_bytes(model->vocab, id, &len);
        bool bit = model->bits[id >> 6] >> (id & 63) & 1;
        bool allowed = in_trie(model, id) && matcher_allows(matcher, bytes, len);
        set += bit;
        if (bit != allowed) /* not an assertion: Check writes each one to a file */
            ck_abort_msg("after %s token %u '%.*s': mask %d", text, id, (int)len, bytes, bit);
    }
    ck_assert_uint_eq(set, count);
}

static uint32_t pick(struct model *model, uint32_t count, uint64_t *seed) {
    uint32_t skip = (uint32_t)(random_next(seed) % count);
    for (uint32_t word = 0;; word++)
        for (uint64_t rest = model->bits[word]; rest; rest &= rest - 1)
            if (skip-- == 0) return word * 64 + (uint32_t)__builtin_ctzll(rest);
}

/* Walks at random, then closes; the text ends up in `text`. Compares every mask if `compare`. False:
 * guards led into a dead end, or no closing was found past them. */
static bool walk(struct model *model, struct matcher *matcher, struct buf *text, unsigned steps, bool compare,
                 uint64_t *seed) {
    char closing[65536];
    for (unsigned step = 0; step < steps; step++) {
        if (compare) compare_mask(model, matcher, text->bytes ? text->bytes : "");
        uint32_t count = matcher_mask(matcher, model->bits), len;
        if (count == 0) {
            bool end = matcher_may_end(matcher);
            ck_assert_msg(end || matcher_may_fail(matcher), "dead end after %s", text->bytes);
            return end;
        }
        if (matcher_may_end(matcher) && random_next(seed) % 4 == 0) return true;
        const char *bytes = vocab_bytes(model->vocab, pick(model, count, seed), &len);
        ck_assert(matcher_accept(matcher, bytes, len));
        buf_add(text, bytes, len);
    }
    uint32_t shortest = matcher_shortest(matcher);
    size_t n = matcher_closing(matcher, closing, sizeof closing);
    if (matcher_may_fail(matcher) && n == 0 && !matcher_may_end(matcher)) return false;
    if (shortest < sizeof closing && !matcher_may_fail(matcher))
        ck_assert_msg(n <= shortest && (n || !shortest), "%zu for %u after %s", n, shortest, text->bytes);
    ck_assert(matcher_accept(matcher, closing, n));
    buf_add(text, closing, n);
    ck_assert(matcher_may_end(matcher));
    return true;
}

static void check_result(const struct json *schema, const struct buf *text, bool closed) {
    struct error error = {0};
    struct validator *validator = validator_new(schema, VALIDATE_ALL_FORMATS | (closed ? VALIDATE_CLOSED : 0), &error);
    struct json_doc *doc = json_parse(text->bytes, text->len, 128, &error);
    ck_assert_msg(doc, "%s: %s", text->bytes, error.message);
    if (validator)
        ck_assert_msg(validator_check(validator, json_root(doc), &error), "%s\n%.*s\n%s %s", text->bytes,
                      (int)schema->raw_len, schema->raw, error.path, error.message);
    json_free(doc);
    validator_free(validator);
}

struct sweep {
    struct model *model;
    uint64_t seed;
    unsigned every, at, steps, walks;
    bool compare, closed;
    unsigned done;
};

static const char *const inline_schemas[] = {
    "{\"type\":\"object\",\"propertyNames\":{\"maxLength\":6},\"additionalProperties\":{\"const\":1}}",
    "{\"type\":\"object\",\"propertyNames\":{\"pattern\":\"^[ab]{1,2}$\"},\"additionalProperties\":{\"const\":1},\"properties\":{\"ab\":{\"const\":2}}}",
    "{\"type\":\"object\",\"patternProperties\":{\"^x\":{\"const\":1},\"^.{0,3}$\":{\"type\":\"integer\"}},\"additionalProperties\":false,\"properties\":{\"other\":{}}}",
    "{\"type\":\"string\",\"pattern\":\"^[^a]*\\u00e9?$\",\"maxLength\":9,\"minLength\":3}",
    "{\"type\":\"string\",\"pattern\":\"^([\\u00e0-\\u00ff]|\\\\n|\\ud83d\\ude00)+\\\\W\"}",
    "{\"anyOf\":[{\"type\":\"string\",\"pattern\":\"^a\"},{\"type\":\"string\",\"maxLength\":4},{\"enum\":[\"abc\",5]},{\"type\":\"array\"}]}",
    "{\"type\":\"string\",\"pattern\":\"^[^/]+$\",\"minLength\":12,\"maxLength\":14}",
    "{\"type\":\"string\",\"pattern\":\"ab+c|\\\\d$\",\"maxLength\":17}",
    "{\"type\":\"string\",\"pattern\":\"^.{2,40}$\"}",
    "{\"type\":\"string\",\"pattern\":\"^[^z]*z$\",\"maxLength\":9}",
    "{\"type\":\"string\",\"pattern\":\"^(.{5}-)*.{0,9}x$\",\"maxLength\":60}",
    "{\"type\":\"string\",\"pattern\":\"^\\\\S+( [a-z]+)?$\",\"minLength\":6,\"maxLength\":21}",
    "{\"type\":\"string\",\"pattern\":\"^(?:\\\\S+\\\\s+){0,2}\\\\S+$\",\"maxLength\":30}",
    "{\"type\":\"string\",\"pattern\":\"^[A-Za-z\\u00aa\\u00b5\\u00c0-\\u00d6\\u0410-\\u042f\\u2020-\\u2023\\u3042-\\u3096\\u4e00-\\u4e8c_]{1,20}$\"}",
    "{\"type\":\"string\",\"pattern\":\"^[\\u00e9\\u0416\\u4e2d]+( [^\\u0416\\u00e8]{2})?$\",\"minLength\":4,\"maxLength\":12}",
    "{\"type\":\"object\",\"patternProperties\":{\"^[\\u0430-\\u044f]{1,3}$\":{\"const\":1}},\"additionalProperties\":false}",
    "{\"type\":\"object\",\"patternProperties\":{\"^.{1,40}$\":{\"const\":1}},\"additionalProperties\":false,\"maxProperties\":2}",
    "{\"type\":\"object\",\"propertyNames\":{\"enum\":[\"a\",\"b\",\"cc\"]},\"minProperties\":3,\"additionalProperties\":{\"const\":1}}",
    "{\"type\":\"object\",\"propertyNames\":{\"pattern\":\"^[ab]{1,2}$\"},\"properties\":{\"a\":{},\"b\":{}},\"minProperties\":5,\"additionalProperties\":{\"const\":1}}",
    "{\"type\":\"object\",\"propertyNames\":{\"maxLength\":2},\"additionalProperties\":{\"const\":1}}",
    "{\"type\":\"object\",\"propertyNames\":{\"pattern\":\"^[a-d]{0,2}.?$\"},\"additionalProperties\":{\"const\":1},\"properties\":{\"ab\":{},\"c\":{}}}",
    "{\"type\":\"object\",\"minProperties\":2,\"maxProperties\":3,\"properties\":{\"a\":{},\"b\":{}},\"patternProperties\":{\"^p\":true},\"additionalProperties\":false}",
    "{\"type\":\"array\",\"uniqueItems\":true,\"items\":{\"enum\":[\"a\",\"ab\",\"abc\",1,12,123]},\"minItems\":3}",
    "{\"type\":\"array\",\"uniqueItems\":true,\"items\":{\"anyOf\":[{\"type\":\"string\"},{\"enum\":[\"a\",5]}]}}",
    "{\"type\":\"array\",\"items\":{\"type\":\"number\",\"minimum\":-2.5,\"maximum\":1e3},\"maxItems\":3}",
    "{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"uniqueItems\":true,\"minItems\":3}",
    "{\"type\":\"array\",\"items\":{\"type\":[\"string\",\"number\"],\"maxLength\":3},\"contains\":{\"type\":\"string\"},\"minContains\":2,\"maxItems\":4}",
    "{\"type\":[\"integer\",\"string\"],\"not\":{\"multipleOf\":3}}",
};
enum { INLINE_SCHEMAS = sizeof inline_schemas / sizeof *inline_schemas };

static void sweep_schema(const struct json *line, void *user) {
    struct sweep *sweep = user;
    const struct json *schema = json_get(line, "schema");
    struct error error = {0};
    if (sweep->at++ % sweep->every) return;
    if (!schema) schema = json_get(line, "parameters");
    struct grammar *grammar =
        grammar_from_schema(schema->raw, schema->raw_len, sweep->closed, sweep->at & 1, NULL, &error);
    if (!grammar) return;
    for (unsigned i = 0; i < sweep->walks; i++) {
        struct matcher *matcher = new_matcher(grammar, sweep->model->trie);
        struct buf text = {0};
        bool complete = walk(sweep->model, matcher, &text, sweep->steps, sweep->compare, &sweep->seed);
        if (complete) check_result(schema, &text, sweep->closed);
        buf_free(&text);
        matcher_free(matcher);
    }
    grammar_unref(grammar);
    sweep->done++;
}

static const char *const sources[] = {
    "data/tools/mcpm.jsonl", "data/tools/openapi_openai.jsonl", "data/tools/github_mcp.jsonl",
    "data/jsonschemabench/Github_easy.jsonl", "data/jsonschemabench/Github_medium.jsonl",
    "data/jsonschemabench/Github_hard.jsonl", "data/jsonschemabench/Kubernetes.jsonl",
    "data/jsonschemabench/Snowplow.jsonl", "data/jsonschemabench/JsonSchemaStore.jsonl",
    "data/json-schema-test-suite/draft2020-12.jsonl", "data/json-schema-test-suite/draft7.jsonl",
};
enum { SOURCES = sizeof sources / sizeof *sources };

START_TEST(masks_equal_allows) {
    static const char *const vocabs[] = {"vocabs/ggml-vocab-llama-spm.gguf", "vocabs/ggml-vocab-gpt-2.gguf",
                                         "vocabs/ggml-vocab-qwen2.gguf"};
    struct model model;
    unsigned scale = getenv("PLM_SLOW") ? 1 : 6;
    if (!open_named(&model, vocabs[_i])) return;
    for (int i = 0; i < SOURCES; i++) {
        struct sweep sweep = {.model = &model, .seed = (uint64_t)(i * 10 + _i), .every = 100 * scale + 31 * (unsigned)_i,
                              .at = (unsigned)(_i * 17), .steps = 12, .walks = 1, .compare = true, .closed = i < 3};
        each_line(sources[i], sweep_schema, &sweep);
    }
    model_close(&model);
}
END_TEST

START_TEST(inline_masks) {
    struct model model;
    if (!open_named(&model, "vocabs/ggml-vocab-llama-spm.gguf")) return;
    struct error error = {0};
    struct json_doc *doc = json_parse(inline_schemas[_i], strlen(inline_schemas[_i]), 64, &error);
    struct grammar *grammar =
        grammar_from_schema(inline_schemas[_i], strlen(inline_schemas[_i]), false, false, NULL, &error);
    ck_assert_msg(grammar && doc, "%s", error.message);
    uint64_t seed = (uint64_t)_i;
    for (int i = 0; i < 5; i++) {
        struct matcher *matcher = new_matcher(grammar, model.trie);
        struct buf text = {0};
        buf_add(&text, "", 0);
        if (walk(&model, matcher, &text, 25, true, &seed)) check_result(json_root(doc), &text, false);
        buf_free(&text);
        matcher_free(matcher);
    }
    grammar_unref(grammar);
    json_free(doc);
    model_close(&model);
}
END_TEST

START_TEST(walks_are_valid) {
    struct model model;
    unsigned scale = getenv("PLM_SLOW") ? 1 : 12, done = 0;
    if (!open_named(&model, "vocabs/ggml-vocab-gpt-2.gguf")) return;
    for (int i = 0; i < SOURCES; i++) {
        struct sweep sweep = {.model = &model, .seed = (uint64_t)i, .every = scale, .at = (unsigned)i, .steps = 40,
                              .walks = 2, .closed = i < 3};
        each_line(sources[i], sweep_schema, &sweep);
        done += sweep.done;
    }
    printf("walks: %u schemas\n", done);
    model_close(&model);
}
END_TEST

START_TEST(calls_and_free_text) {
    static const char schema[] = "{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"},\"n\":{\"type\":\"integer\"}},\"required\":[\"city\"]}";
    const struct grammar_tool tools[] = {{"get_weather", 11, schema, sizeof schema - 1}, {"get_time", 8, NULL, 0}};
    const struct grammar_syntax syntaxes[] = {{"<tool_call>\n", "\n</tool_call>", "\n", true}, {"[", "]", ",", false}, {"aab", "", "", true}};
    const struct grammar_syntax *syntax = &syntaxes[_i % 3];
    struct model model;
    struct error error = {0};
    uint64_t seed = (uint64_t)_i;
    if (!open_named(&model, "vocabs/ggml-vocab-gpt-2.gguf")) return;
    struct grammar *grammar = grammar_from_tools(tools, 2, _i < 3 ? GRAMMAR_AUTO : GRAMMAR_CALLS, 3, syntax, NULL, &error);
    ck_assert_msg(grammar, "%s", error.message);
    for (int i = 0; i < 4; i++) {
        struct matcher *matcher = new_matcher(grammar, model.trie);
        struct buf text = {0};
        buf_add(&text, "", 0);
        if (_i < 3) {
            static const char *const starts[] = {"", "Well, <tool_", "aa", "x <tool_call>\n{\"na"};
            if (matcher_accept(matcher, starts[i], strlen(starts[i]))) buf_add_str(&text, starts[i]);
        }
        walk(&model, matcher, &text, 25, true, &seed);
        buf_free(&text);
        matcher_free(matcher);
    }
    grammar_unref(grammar);
    model_close(&model);
}
END_TEST

/* Matchers of one grammar share masks, but only where the same keys were used; the last case has few
 * keys to use. */
START_TEST(seen_keys_count) {
    static const char *const schemas[] = {
        "{\"type\":\"object\"}", "{\"type\":\"object\",\"propertyNames\":{\"maxLength\":3}}",
        "{\"type\":\"object\",\"propertyNames\":{\"pattern\":\"^[ab]?(b|z|\\u00e4|..?.?)$\"},\"properties\":{\"ab\":{}}}"};
    static const char *const starts[] = {"{\"a\":1,\"z\":1,\"", "{\"b\":1,\"z\":1,\"", "{\"z\":1,\"a\":1,\"", "{\"z\":1,\"b\":1,\"",
                                         "{\"ab\":1,\"the\":1,\"bb\":1,\""};
    struct model model;
    struct error error = {0};
    if (!open_named(&model, "vocabs/ggml-vocab-gpt-2.gguf")) return;
    struct grammar *grammar = grammar_from_schema(schemas[_i], strlen(schemas[_i]), false, false, NULL, &error);
    ck_assert_msg(grammar, "%s", error.message);
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        struct matcher *matcher = new_matcher(grammar, model.trie);
        ck_assert(matcher_accept(matcher, starts[i], strlen(starts[i])));
        compare_mask(&model, matcher, starts[i]);
        ck_assert(matcher_accept(matcher, "b", 1));
        compare_mask(&model, matcher, starts[i]);
        matcher_free(matcher);
    }
    grammar_unref(grammar);
    model_close(&model);
}
END_TEST

START_TEST(tries_are_small) {
    static const char *const vocabs[] = {"vocabs/ggml-vocab-llama-spm.gguf", "vocabs/ggml-vocab-gpt-2.gguf",
                                         "vocabs/ggml-vocab-qwen2.gguf", "vocabs/ggml-vocab-llama-bpe.gguf"};
    for (int i = 0; i < 4; i++) {
        struct model model;
        if (!open_named(&model, vocabs[i])) return;
        printf("%s: %u tokens, trie %zu KB\n", vocabs[i], model.n, trie_memory(model.trie) >> 10);
        ck_assert_uint_lt(trie_memory(model.trie), 4 << 20);
        model_close(&model);
    }
}
END_TEST

static Suite *suite(void) {
    Suite *s = suite_create("mask");
    TCase *t = tcase_create("masks");
    tcase_set_timeout(t, 600);
    tcase_add_loop_test(t, masks_equal_allows, 0, 3);
    tcase_add_loop_test(t, inline_masks, 0, INLINE_SCHEMAS);
    tcase_add_test(t, walks_are_valid);
    tcase_add_loop_test(t, calls_and_free_text, 0, 6);
    tcase_add_loop_test(t, seen_keys_count, 0, 3);
    tcase_add_test(t, tries_are_small);
    suite_add_tcase(s, t);
    return s;
}

int main(void) {
    return run_suite(suite());
}
