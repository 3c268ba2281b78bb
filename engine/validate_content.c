/* What strings hold: contentEncoding (base16, base32, base64 of RFC 4648) and contentMediaType
 * (application/json). Asserted as in draft-07, annotations where the schema's resource or the root
 * names a later draft; unknown ones are no constraint. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engine/validate_internal.h"

enum { DOCUMENT_DEPTH = 512 };

struct validate_code {
    const char *name, *alphabet;
    unsigned bits, group; /* of a character; characters of a whole group */
    bool folded;          /* case does not matter */
};

static const struct validate_code codes[] = {
    {"base16", "0123456789ABCDEF", 4, 2, true},
    {"base32", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 5, 8, false},
    {"base64", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 6, 4, false},
};

/* ---- Decoding ---- */

/* Characters before the padding; SIZE_MAX if it is not what completes the last group. */
static size_t unpadded(const struct validate_code *code, const char *text, size_t len) {
    size_t n = len;
    if (len % code->group) return SIZE_MAX;
    while (n > 0 && text[n - 1] == '=') n--;
    if (len - n >= code->group) return SIZE_MAX;
    return n * code->bits % 8 < code->bits ? n : SIZE_MAX;
}

static int value_of(const struct validate_code *code, char c) {
    if (code->folded && c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
    const char *at = c ? strchr(code->alphabet, c) : NULL;
    return at ? (int)(at - code->alphabet) : -1;
}

/* out has room for len bytes, or is NULL. False if the text is not encoded so. */
static bool decode(const struct validate_code *code, const char *text, size_t len, char *out,
                   size_t *n_out) {
    size_t n = unpadded(code, text, len);
    unsigned held = 0, n_held = 0;
    *n_out = 0;
    if (n == SIZE_MAX) return false;
    for (size_t i = 0; i < n; i++) {
        int value = value_of(code, text[i]);
        if (value < 0) return false;
        held = (held << code->bits | (unsigned)value) & 0xFFFF;
        n_held += code->bits;
        if (n_held < 8) continue;
        n_held -= 8;
        if (out) out[*n_out] = (char)(held >> n_held & 0xFF);
        ++*n_out;
    }
    return true;
}

/* ---- Keywords ---- */

static bool same_word(const struct json *name, const char *word) {
    return name->len == strlen(word) && strncasecmp(name->text, word, name->len) == 0;
}

/* *code: NULL where the string holds the content as it is. False if the encoding is unknown. */
static bool find_code(const struct json *name, const struct validate_code **code) {
    *code = NULL;
    if (!name || same_word(name, "7bit") || same_word(name, "8bit") || same_word(name, "binary"))
        return true;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (same_word(name, codes[i].name)) *code = &codes[i];
    return *code != NULL;
}

static bool names_json(const struct json *type) {
    size_t n = 0;
    while (n < type->len && !strchr("; \t", type->text[n])) n++;
    struct json essence = *type;
    essence.len = (uint32_t)n;
    return same_word(&essence, "application/json");
}

static bool asserts(bool own_draft, uint8_t draft) {
    return !own_draft || draft == DRAFT_7;
}

/* Is it a constraint? */
static bool counts(const struct compiler *c, const struct schema *schema,
                   const struct json *value) {
    return value && value->type == JSON_STRING && asserts(schema->own_draft, schema->draft) &&
           asserts(c->resources[0].own_draft, c->resources[0].draft);
}

KEYWORD_COMPILE(content_encoding) {
    if (!counts(c, schema, constraint->value) || !find_code(constraint->value, &constraint->code) ||
        !constraint->code)
        constraint->keyword = NULL;
    return true;
}

KEYWORD_CHECK(content_encoding) {
    (void)schema, (void)marks;
    size_t n;
    if (!validation_spend(run, instance->len / 8)) return false;
    return decode(constraint->code, instance->text, instance->len, NULL, &n) ||
           validation_violated(run, "contentEncoding", instance);
}

KEYWORD_COMPILE(content_media_type) {
    const struct json *encoding = validate_sibling(schema, "contentEncoding");
    if (encoding && encoding->type != JSON_STRING) constraint->keyword = NULL;
    if (!constraint->keyword || !counts(c, schema, constraint->value) ||
        !names_json(constraint->value) || !find_code(encoding, &constraint->code))
        constraint->keyword = NULL;
    return true;
}

static bool is_document(const char *text, size_t len) {
    struct json_doc *doc = json_parse(text, len, DOCUMENT_DEPTH, &(struct error){0});
    json_free(doc);
    return doc != NULL;
}

KEYWORD_CHECK(content_media_type) {
    (void)schema, (void)marks;
    size_t n = instance->len;
    char *decoded = NULL;
    if (!validation_spend(run, 1 + n / 4)) return false;
    bool good = true;
    if (constraint->code) {
        decoded = malloc(n + 1);
        if (!decoded) run->too_complex = true;
        good = decoded && decode(constraint->code, instance->text, instance->len, decoded, &n);
    }
    good = good && is_document(decoded ? decoded : instance->text, n);
    free(decoded);
    return good || validation_violated(run, "contentMediaType", instance);
}
