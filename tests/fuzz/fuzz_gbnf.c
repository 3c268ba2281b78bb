/* libFuzzer: the input is a grammar in GBNF (or, after a first byte 'r', a regular expression), a zero byte
 * and a text. Whatever they are, compiling and reading end; what the matcher takes, and what it closes
 * itself, the validator takes too. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/grammar.h"
#include "engine/matcher.h"
#include "engine/text_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(const struct text_check *check, const char *text, size_t len) {
    if (text_check_run(check, text, len) == TEXT_NO) abort();
}

static void read_text(struct grammar *grammar, const struct text_check *check, const char *text, size_t len) {
    char whole[8192];
    struct error error = {0};
    struct matcher *matcher = matcher_new(grammar, NULL, &error);
    size_t n = 0;
    if (!matcher) return;
    while (n < len && n < 256 && matcher_accept(matcher, text + n, 1)) n++;
    memcpy(whole, text, n);
    if (matcher_may_end(matcher)) judge(check, text, n);
    matcher_forced(matcher, whole + n, 1024);
    uint32_t shortest = matcher_shortest(matcher);
    size_t closing = matcher_closing(matcher, whole + n, 4096);
    if (closing && closing != shortest) abort();
    if (closing || matcher_may_end(matcher)) judge(check, whole, n + closing);
    matcher_free(matcher);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *source = (const char *)data;
    bool regex = size && *source == 'r' && !(size > 1 && source[1] == 'o');
    if (regex) source++, size--;
    const char *zero = memchr(source, 0, size);
    size_t len = zero ? (size_t)(zero - source) : size;
    struct error error = {0}, other = {0};
    struct grammar *grammar = regex ? grammar_from_regex(source, len, "", &error)
                                    : grammar_from_gbnf(source, len, "", &error);
    struct text_check *check =
        regex ? text_check_regex(source, len, "", &other) : text_check_gbnf(source, len, "", &other);
    if (grammar && check) read_text(grammar, check, zero ? zero + 1 : "", zero ? size - len - 1 : 0);
    text_check_free(check);
    grammar_unref(grammar);
    return 0;
}
