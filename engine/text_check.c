#include "engine/text_check.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "engine/gbnf.h"
#include "engine/held.h"
#include "engine/recognise.h"
#include "engine/regex.h"

enum { REGEX_STATES = 1 << 16, REGEX_STEPS = 1 << 27 };

struct text_check {
    struct regex *regex; /* or: */
    struct gbnf gbnf;
    char *grammar;
};

void text_check_free(struct text_check *check) {
    if (!check) return;
    regex_free(check->regex);
    gbnf_free(&check->gbnf);
    free(check->grammar);
    free(check);
}

size_t text_check_bytes(const struct text_check *check) {
    if (!check) return 0;
    return held(check) + held(check->grammar) + regex_bytes(check->regex) + gbnf_bytes(&check->gbnf);
}

static struct text_check *no_memory(struct text_check *check, struct error *error) {
    error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a validator");
    text_check_free(check);
    return NULL;
}

/* The validator's engine searches: the anchors make it match. */
struct text_check *text_check_regex(const char *pattern, size_t len, const char *path,
                                    struct error *error) {
    struct text_check *check = calloc(1, sizeof *check);
    struct buf anchored = {0};
    buf_add_str(&anchored, "^(?:");
    buf_add(&anchored, pattern, len);
    buf_add_str(&anchored, ")$");
    if (check && !anchored.failed)
        check->regex = regex_new(anchored.bytes, anchored.len, REGEX_STATES, error);
    buf_free(&anchored);
    if (check && check->regex) return check;
    if (error->code == ERROR_NONE) return no_memory(check, error);
    error_relocate(error, "", path);
    text_check_free(check);
    return NULL;
}

struct text_check *text_check_gbnf(const char *grammar, size_t len, const char *path,
                                   struct error *error) {
    struct text_check *check = calloc(1, sizeof *check);
    if (check) check->grammar = malloc(len + 1);
    if (!check || !check->grammar) return no_memory(check, error);
    memcpy(check->grammar, grammar, len);
    if (gbnf_parse(&check->gbnf, check->grammar, len, path, error)) return check;
    text_check_free(check);
    return NULL;
}

enum text_verdict text_check_run(const struct text_check *check, const char *text, size_t len) {
    uint64_t steps = REGEX_STEPS;
    if (!check->regex) return recognise(&check->gbnf, text, len);
    switch (regex_search(check->regex, text, len, &steps)) {
    case REGEX_YES: return TEXT_YES;
    case REGEX_NO: return TEXT_NO;
    default: return TEXT_TOO_COMPLEX;
    }
}
