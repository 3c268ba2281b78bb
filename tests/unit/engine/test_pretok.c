/* Splitters against what the regular expressions they stand for give (Python's regex module,
 * Unicode properties and all), and their work on hostile texts. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "engine/pretok.h"
#include "tests/support.h"

/* Words joined by '|'. */
static const struct {
    const char *name, *words;
} expected[] = {
    {"gpt-2", "I|'|Ve| | told| You|'re| it|'ll| 12345|\n\n | x|\t| y| "},
    {"gpt-2", "HelloWorld| ABCdef| IOError| x|/|y| //| a|--|b| <=>| $|5|.|20| "},
    {"gpt-2", "Ünïcode| ñandú| 中文字| ह|ि|न|\xE0\xA5\x8D|द|ी| กำล|\xE0\xB8\xB1|ง| Жук|٣٤٥"},
    {"gpt-2", "\xE3\x80\x80|。「|x|」|\xC2\xA0| …|  \r\n\r|\n|/| é|\xCC\x81|x| ½²"},
    {"smollm", "I|'|Ve| | told| You|'re| it|'ll| |1|2|3|4|5|\n\n | x|\t| y| "},
    {"smollm", "HelloWorld| ABCdef| IOError| x|/|y| //| a|--|b| <=>| $|5|.|2|0| "},
    {"smollm", "Ünïcode| ñandú| 中文字| ह|ि|न|\xE0\xA5\x8D|द|ी| กำล|\xE0\xB8\xB1|ง| Жук|٣|٤|٥"},
    {"smollm", "\xE3\x80\x80|。「|x|」|\xC2\xA0| …|  \r\n\r|\n|/| é|\xCC\x81|x| |½|²"},
    {"llama-bpe", "I|'Ve| | told| You|'re| it|'ll| |123|45|\n\n| | x|\t| y| "},
    {"llama-bpe", "HelloWorld| ABCdef| IOError| x|/y| //| a|--|b| <=>| $|5|.|20| "},
    {"llama-bpe", "Ünïcode| ñandú| 中文字| ह|िन|\xE0\xA5\x8Dद|ी| กำล|\xE0\xB8\xB1ง| Жук|٣٤٥"},
    {"llama-bpe", "\xE3\x80\x80|。「|x|」|\xC2\xA0| …|  \r\n\r\n|/| é|\xCC\x81x| |½²"},
    {"qwen2", "I|'Ve| | told| You|'re| it|'ll| |1|2|3|4|5|\n\n| | x|\t| y| "},
    {"qwen2", "HelloWorld| ABCdef| IOError| x|/y| //| a|--|b| <=>| $|5|.|2|0| "},
    {"qwen2", "Ünïcode| ñandú| 中文字| ह|िन|\xE0\xA5\x8Dद|ी| กำล|\xE0\xB8\xB1ง| Жук|٣|٤|٥"},
    {"qwen2", "\xE3\x80\x80|。「|x|」|\xC2\xA0| …|  \r\n\r\n|/| é|\xCC\x81x| |½|²"},
    {"qwen35", "I|'Ve| | told| You|'re| it|'ll| |1|2|3|4|5|\n\n| | x|\t| y| "},
    {"qwen35", "HelloWorld| ABCdef| IOError| x|/y| //| a|--|b| <=>| $|5|.|2|0| "},
    {"qwen35", "Ünïcode| ñandú| 中文字| हिन\xE0\xA5\x8Dदी| กำล\xE0\xB8\xB1ง| Жук|٣|٤|٥"},
    {"qwen35", "\xE3\x80\x80|。「|x|」|\xC2\xA0| …|  \r\n\r\n|/| é\xCC\x81x| |½|²"},
    {"gpt-4o", "I'Ve| | told| You're| it'll| |123|45|\n\n| | x|\t| y| "},
    {"gpt-4o", "Hello|World| ABCdef| IOError| x|/y| //| a|--|b| <=>| $|5|.|20| "},
    {"gpt-4o", "Ünïcode| ñandú| 中文字| हिन\xE0\xA5\x8Dदी| กำล\xE0\xB8\xB1ง| Жук|٣٤٥"},
    {"gpt-4o", "\xE3\x80\x80|。「|x|」|\xC2\xA0| …|  \r\n\r\n|/| é\xCC\x81x| |½²"},
    {"tekken", "I|'Ve| | told| You|'re| it|'ll| |1|2|3|4|5|\n\n| | x|\t| y| "},
    {"tekken", "Hello|World| ABCdef| IOError| x|/y| //| a|--|b| <=>| $|5|.|2|0| "},
    {"tekken", "Ünïcode| ñandú| 中文字| हिन\xE0\xA5\x8Dदी| กำล\xE0\xB8\xB1ง| Жук|٣|٤|٥"},
    {"tekken", "\xE3\x80\x80|。「|x|」|\xC2\xA0| …|  \r\n\r\n|/| é\xCC\x81x| |½|²"},
    {"falcon", "I|'|Ve| | told| You|'|re| it|'|ll| |123|45|\n\n | x|\t| y| "},
    {"falcon", "HelloWorld| ABCdef| IOError| x|/|y| |//| a|--|b| |<=>| |$|5|.|20| "},
    {"falcon", "Ünïcode| ñandú| 中文字| ह|ि|न|\xE0\xA5\x8D|द|ी| กำล|\xE0\xB8\xB1|ง| Жук|٣٤٥"},
    {"falcon", "\xE3\x80\x80|。「|x|」|\xC2\xA0 |…|  \r\n\r\n|/| é|\xCC\x81|x| ½²"},
    {"default", "I|'|Ve| | told| You|'|re| it|'|ll| |123|45|\n\n | x|\t| y| "},
    {"default", "HelloWorld| ABCdef| IOError| x|/|y| |//| a|--|b| |<=>| |$|5|.|20| "},
    {"default", "Ünïcode| ñandú| 中文字| ह|ि|न|\xE0\xA5\x8D|द|ी| กำล|\xE0\xB8\xB1|ง| Жук|٣٤٥"},
    {"default", "\xE3\x80\x80|。「|x|」|\xC2\xA0 |…|  \r\n\r\n|/| é|\xCC\x81|x| |½²"},
    {"deepseek-coder", "I|'|Ve| | told| You|'|re| it|'|ll| |1|2|3|4|5|\n|\n| | x|\t| y| "},
    {"deepseek-coder", "HelloWorld| ABCdef| IOError| x|/|y| //| a|--|b| <=> $|5|.|2|0| "},
    {"deepseek-coder",
     "Ünïcode| ñandú| |中文字| |ह|ि|न|\xE0\xA5\x8D|द|ी| |กำล|\xE0\xB8\xB1|ง| Жук|٣|٤|٥"},
    {"deepseek-coder", "\xE3\x80\x80。「|x|」|\xC2\xA0| |…|  |\r|\n|\r|\n|/| é|\xCC\x81|x| |½|²"},
    {"deepseek-llm", "I|'|Ve| | told| You|'|re| it|'|ll| |12345|\n|\n| | x|\t| y| "},
    {"deepseek-llm", "HelloWorld| ABCdef| IOError| x|/|y| //| a|--|b| <=>| $|5|.|20| "},
    {"deepseek-llm",
     "Ü|n|ï|code| ñ|and|ú| |中文字| |हिन\xE0\xA5\x8Dदी| |กำล\xE0\xB8\xB1ง| Жук|٣٤٥"},
    {"deepseek-llm", "\xE3\x80\x80。|「|x|」|\xC2\xA0 |…|  |\r|\n|\r|\n|/| é|\xCC\x81|x| |½²"},
    {"deepseek-v3", "I|'Ve| | told| You|'re| it|'ll| |123|45|\n\n| | x|\t| y| "},
    {"deepseek-v3", "HelloWorld| ABCdef| IOError| x|/y| //| a|--|b| <=>| $|5|.|20| "},
    {"deepseek-v3", "Ünïcode| ñandú| |中文字| हिन\xE0\xA5\x8Dदी| กำล\xE0\xB8\xB1ง| Жук|٣٤٥"},
    {"deepseek-v3", "\xE3\x80\x80|。「|x|」|\xC2\xA0| …|  \r\n\r\n|/| é\xCC\x81x| |½²"},
};
enum { N_EXPECTED = sizeof expected / sizeof *expected };

static const struct pretok *get(const char *name) {
    const struct pretok *pretok = pretok_find(name, strlen(name));
    ck_assert_msg(pretok != NULL, "no pre-tokenizer %s", name);
    return pretok;
}

static bool add_word(void *context, const char *word, size_t len) {
    struct buf *buf = context;
    ck_assert_uint_gt(len, 0);
    if (buf->len > 0) buf_add_char(buf, '|');
    return buf_add(buf, word, len);
}

static void remove_bars(struct buf *buf, const char *words) {
    for (; *words; words++)
        if (*words != '|') buf_add_char(buf, *words);
}

START_TEST(test_words) {
    struct buf text = {0}, words = {0};
    remove_bars(&text, expected[_i].words);
    ck_assert(pretok_split(get(expected[_i].name), text.bytes, text.len, add_word, &words));
    ck_assert_msg(strcmp(words.bytes, expected[_i].words) == 0, "%s:\n%s\n%s expected",
                  expected[_i].name, words.bytes, expected[_i].words);
    buf_free(&text);
    buf_free(&words);
}
END_TEST

START_TEST(test_names) {
    ck_assert_ptr_null(pretok_find("", 0));
    ck_assert_ptr_null(pretok_find("gpt-", 4));
    ck_assert_ptr_null(pretok_find("gpt-22", 6));
    ck_assert(get("llama-bpe")->ignore_merges && get("llama-bpe")->adds_bos);
    ck_assert(!get("qwen2")->ignore_merges && !get("qwen2")->adds_bos);
}
END_TEST

struct count {
    const char *at; /* where the next word must start */
    size_t words;
};

static bool count_word(void *context, const char *word, size_t len) {
    struct count *count = context; /* no ck_assert: it writes to a pipe, and there are many words */
    if (word != count->at || len == 0) return false;
    count->at += len;
    count->words++;
    return true;
}

/* Nothing is lost, added or reordered, also of bytes that are no UTF-8. */
START_TEST(test_complete) {
    unsigned seed = 20240229;
    char text[64];
    for (int round = 0; round < 20000; round++) {
        size_t n = (size_t)rand_r(&seed) % sizeof text;
        static const char pool[] = " \n\r\t'sSlLaZ19.,\xC3\xA9\xE2\x80\xA8\xF0\x9F\xFF\x80_/";
        for (size_t i = 0; i < n; i++) text[i] = pool[(size_t)rand_r(&seed) % (sizeof pool)];
        struct count count = {text, 0};
        const char *name = expected[(size_t)round % N_EXPECTED].name;
        if (!pretok_split(get(name), text, n, count_word, &count) || count.at != text + n)
            ck_abort_msg("%s: '%.*s'", name, (int)n, text);
    }
}
END_TEST

static bool stop(void *context, const char *word, size_t len) {
    (void)word;
    (void)len;
    return ++*(int *)context < 3;
}

START_TEST(test_stop) {
    int words = 0;
    ck_assert(!pretok_split(get("gpt-2"), "a b c d e", 9, stop, &words));
    ck_assert_int_eq(words, 3);
}
END_TEST

/* A quadratic splitter would take minutes. */
START_TEST(test_runs) {
    static const char *const units[] = {" ",
                                        "\n",
                                        "a",
                                        "A",
                                        "aB",
                                        "1",
                                        "'",
                                        ".",
                                        " \xC3",
                                        "\xE4\xB8\xAD",
                                        "\xE0\xB8\xB1",
                                        "\xE0\xB8\xB1"
                                        "A",
                                        "\t x",
                                        " \n "};
    const char *name = expected[_i * 4].name;
    struct buf text = {0};
    for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
        text.len = 0;
        while (text.len < 300000) buf_add_str(&text, units[u]);
        struct count count = {text.bytes, 0};
        ck_assert(pretok_split(get(name), text.bytes, text.len, count_word, &count));
        ck_assert_ptr_eq(count.at, text.bytes + text.len);
    }
    buf_free(&text);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("pretok");
    TCase *words = tcase_create("words"), *hostile = tcase_create("hostile");
    tcase_add_loop_test(words, test_words, 0, N_EXPECTED);
    tcase_add_test(words, test_names);
    tcase_add_test(words, test_stop);
    tcase_add_test(hostile, test_complete);
    tcase_add_loop_test(hostile, test_runs, 0, N_EXPECTED / 4);
    suite_add_tcase(suite, words);
    suite_add_tcase(suite, hostile);
    return run_suite(suite);
}
