#include "engine/pretok.h"

#include <string.h>

#include "engine/pretok_stages.h"
#include "engine/unicode.h"

static const struct pretok_stage gpt2[] = {{.piece = pretok_piece_gpt2}, {0}};
static const struct pretok_stage starcoder[] = {
    {.match = pretok_match_digits, .max_digits = 1}, {.piece = pretok_piece_gpt2}, {0}};
static const struct pretok_stage llama3[] = {
    {.piece = pretok_piece_words, .letters = UNICODE_LETTER, .max_digits = 3, .contractions = true},
    {0}};
static const struct pretok_stage qwen2[] = {
    {.piece = pretok_piece_words, .letters = UNICODE_LETTER, .max_digits = 1, .contractions = true},
    {0}};
static const struct pretok_stage qwen35[] = {{.piece = pretok_piece_words,
                                              .letters = UNICODE_LETTER | UNICODE_MARK,
                                              .max_digits = 1,
                                              .contractions = true},
                                             {0}};
static const struct pretok_stage gpt4o[] = {{.piece = pretok_piece_cased,
                                             .letters = UNICODE_LETTER,
                                             .max_digits = 3,
                                             .contractions = true,
                                             .slash = true},
                                            {0}};
static const struct pretok_stage tekken[] = {
    {.piece = pretok_piece_cased, .letters = UNICODE_LETTER, .max_digits = 1, .slash = true}, {0}};
static const struct pretok_stage falcon[] = {
    {.match = pretok_match_punctuation, .extra = "$+<=>^~|`"},
    {.piece = pretok_piece_gpt2},
    {.match = pretok_match_three_digits},
    {0}};
static const struct pretok_stage fallback[] = {
    {.match = pretok_match_punctuation, .extra = "$+<=>^~|"},
    {.piece = pretok_piece_gpt2},
    {.match = pretok_match_digits},
    {.match = pretok_match_three_digits},
    {0}};
static const struct pretok_stage deepseek_llm[] = {{.match = pretok_match_line_end},
                                                   {.match = pretok_match_deepseek_letters},
                                                   {.match = pretok_match_deepseek_punctuation},
                                                   {.piece = pretok_piece_trailing_space},
                                                   {.match = pretok_match_deepseek_cjk},
                                                   {.match = pretok_match_digits},
                                                   {0}};
static const struct pretok_stage deepseek_coder[] = {
    {.match = pretok_match_line_end},
    {.match = pretok_match_spaced_run, .letters = UNICODE_LETTER},
    {.match = pretok_match_spaced_run, .letters = UNICODE_PUNCTUATION},
    {.match = pretok_match_deepseek_cjk},
    {.match = pretok_match_digits, .max_digits = 1},
    {0}};
static const struct pretok_stage deepseek3[] = {{.match = pretok_match_digits, .max_digits = 3},
                                                {.match = pretok_match_deepseek3_cjk},
                                                {.match = pretok_match_deepseek3},
                                                {0}};

/* Names as llama.cpp's converter writes them, with what each implies. */
static const struct pretok pretoks[] = {
    {"default", fallback, false, false},
    {"gpt-2", gpt2, false, false},
    {"phi-2", gpt2, false, false},
    {"mpt", gpt2, false, false},
    {"olmo", gpt2, false, false},
    {"jais", gpt2, false, false},
    {"gigachat", gpt2, false, false},
    {"exaone4", gpt2, false, false},
    {"mellum", gpt2, false, false},
    {"a.x-4.0", gpt2, false, false},
    {"trillion", gpt2, false, false},
    {"granite-docling", gpt2, false, false},
    {"smollm", starcoder, false, false},
    {"starcoder", starcoder, false, false},
    {"refact", starcoder, false, false},
    {"command-r", starcoder, false, false},
    {"codeshell", starcoder, false, false},
    {"exaone", starcoder, false, false},
    {"minerva-7b", starcoder, false, false},
    {"mellum2", starcoder, false, false},
    {"llama-bpe", llama3, true, true},
    {"llama3", llama3, true, true},
    {"llama-v3", llama3, true, true},
    {"falcon3", llama3, true, true},
    {"falcon-h1", llama3, true, true},
    {"pixtral", llama3, true, true},
    {"midm-2.0", llama3, true, true},
    {"lfm2", llama3, true, true},
    {"dbrx", llama3, false, false},
    {"smaug-bpe", llama3, false, false},
    {"glm4", llama3, false, false},
    {"chatglm-bpe", llama3, false, false},
    {"qwen2", qwen2, false, false},
    {"deepseek-r1-qwen", qwen2, false, false},
    {"kormo", qwen2, false, false},
    {"megrez", qwen2, false, false},
    {"stablelm2", qwen2, false, false},
    {"hunyuan", qwen2, false, false},
    {"solar-open", qwen2, false, false},
    {"grok-2", qwen2, false, false},
    {"qwen35", qwen35, false, false},
    {"gpt-4o", gpt4o, false, false},
    {"llama4", gpt4o, false, false},
    {"kanana2", gpt4o, false, false},
    {"tekken", tekken, true, true},
    {"falcon", falcon, false, false},
    {"deepseek-llm", deepseek_llm, false, false},
    {"deepseek-coder", deepseek_coder, false, false},
    {"deepseek-v3", deepseek3, false, false},
    {"hunyuan-dense", deepseek3, false, false},
};

const struct pretok *pretok_find(const char *name, size_t len) {
    for (size_t i = 0; i < sizeof pretoks / sizeof *pretoks; i++)
        if (strlen(pretoks[i].name) == len && memcmp(pretoks[i].name, name, len) == 0)
            return &pretoks[i];
    return NULL;
}

static bool split(const struct pretok_stage *stage, const char *text, size_t len, pretok_emit emit,
                  void *context) {
    if (!stage->piece && !stage->match) return emit(context, text, len);
    for (size_t at = 0, n; at < len; at += n) {
        n = pretok_stage_piece(stage, text + at, len - at);
        if (!split(stage + 1, text + at, n, emit, context)) return false;
    }
    return true;
}

bool pretok_split(const struct pretok *pretok, const char *text, size_t len, pretok_emit emit,
                  void *context) {
    return split(pretok->stages, text, len, emit, context);
}
