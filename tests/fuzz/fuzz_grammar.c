/* libFuzzer: a schema (up to the first NUL) and the choices of a walk through what it allows.
 *
 * Whatever compiles must never lead to a dead end, must be completed by matcher_closing, and what
 * comes out must be JSON that the validator, where it can judge the schema, finds valid.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "engine/grammar.h"
#include "engine/matcher.h"
#include "engine/validate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok) {
    if (!ok) abort();
}

/* The byte that the walk's next choice picks among those allowed; -1 if none is. */
static int choose(struct matcher *matcher, unsigned choice) {
    unsigned char allowed[256];
    unsigned n = 0;
    for (int byte = 0; byte < 256; byte++) {
        char c = (char)byte;
        if (matcher_allows(matcher, &c, 1)) allowed[n++] = (unsigned char)byte;
    }
    return n ? allowed[choice % n] : -1;
}

static void follow(struct matcher *matcher, const uint8_t *choices, size_t n, struct buf *text) {
    static char closing[1 << 16];
    for (size_t i = 0; i < n && i < 300; i++) {
        int byte = choose(matcher, choices[i]);
        check(byte >= 0 || matcher_may_end(matcher));
        if (byte < 0) break;
        char c = (char)byte;
        check(matcher_accept(matcher, &c, 1));
        buf_add_char(text, c);
    }
    size_t shortest = matcher_shortest(matcher);
    size_t len = matcher_closing(matcher, closing, sizeof closing);
    if (shortest > sizeof closing / 2) return;
    check(len <= shortest && (len > 0 || matcher_may_end(matcher)));
    check(matcher_accept(matcher, closing, len) && matcher_may_end(matcher));
    buf_add(text, closing, len);
}

static void judge(const char *schema, size_t len, bool closed, const struct buf *text) {
    struct error error = {0};
    struct json_doc *doc = json_parse(schema, len, 256, &error);
    struct json_doc *value = json_parse(text->bytes, text->len, 128, &error);
    check(doc && value);
    struct validator *validator =
        validator_new(json_root(doc), VALIDATE_ALL_FORMATS | (closed ? VALIDATE_CLOSED : 0), &error);
    error = (struct error){0};
    if (validator && !validator_check(validator, json_root(value), &error))
        check(strcmp(error.reason, "too_complex") == 0);
    validator_free(validator);
    json_free(value);
    json_free(doc);
}

static void run(const char *schema, size_t len, bool closed, const uint8_t *choices, size_t n) {
    struct error error = {0};
    struct grammar *grammar = grammar_from_schema(schema, len, closed, false, NULL, &error);
    check((grammar == NULL) == (error.code != ERROR_NONE));
    if (!grammar) return;
    struct matcher *matcher = matcher_new(grammar, NULL, &error);
    struct buf text = {0};
    check(matcher != NULL);
    if (matcher_shortest(matcher) < 30000) {
        follow(matcher, choices, n, &text);
        if (matcher_may_end(matcher)) judge(schema, len, closed, &text);
    }
    buf_free(&text);
    matcher_free(matcher);
    grammar_unref(grammar);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    size_t len = end ? (size_t)(end - data) : size;
    size_t n = end ? size - len - 1 : 0;
    run((const char *)data, len, false, data + size - n, n);
    run((const char *)data, len, true, data + size - n, n);
    return 0;
}
