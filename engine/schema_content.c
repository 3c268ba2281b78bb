/* What strings hold: contentEncoding and contentMediaType. They are constraints where no draft is
 * named, or draft-07: later ones made annotations of them. An encoding is a pattern, that a JSON
 * document is encoded (or stands there plainly) is for a guard to see; then the pattern keeps to
 * what such a text may begin and end with. Other encodings and media types say nothing. */
#include <string.h>
#include <strings.h>

#include "engine/schema_part.h"

#define BLANK  "[ \\t\\n\\r]*"
#define NUMBER "-?(?:0|[1-9]\\d*)(?:\\.\\d+)?(?:[eE][+-]?\\d+)?"
#define B32    "[A-Z2-7]"
#define B64    "[A-Za-z0-9+/]"

/* One group of base64 that is a document: one to three digits, or a list, a word, an object. What
 * else is so short (3.5, -1, "a") is not written: then what closes a string the soonest is a
 * document. */
#define SHORT64                                                                                    \
    "[MN][AQgw]==|O[AQ]==|(?:[MN][DTjz]|O[DT])[AEIMQUYcgk](?:=|[w-z0-5])|[WZbde]" B64 "(?:" B64    \
    "{2}|" END64 "=)"
#define END64 "[AEIMQUYcgkosw048]"

/* RFC 4648, with the bits that pad the last character zero. */
static const struct encoding {
    const char *name, *pattern;
    const char *document; /* of what begins as a JSON document does, without blanks; NULL: as any */
    uint32_t unit;        /* lengths are its multiples */
} encodings[] = {
    {"base64", "^(?:" B64 "{4})*(?:" B64 "[AQgw]==|" B64 "{2}" END64 "=)?$",
     "^(?:" SHORT64 "|[ILMNOWZbde]" B64 "{3}(?:" B64 "{4})*" B64 "(?:[AQgw]==|" B64 "(?:" B64
     "{2}|" END64 "=)))$",
     4},
    {"base32",
     "^(?:" B32 "{8})*(?:" B32 "[AEIMQUY4]={6}|" B32 "{3}[AQ]={4}|" B32
     "{4}[ACEGIKMOQSUWY246]={3}|" B32 "{6}[AIQY]=)?$",
     NULL, 8},
    {"base16", "^(?:[0-9A-Fa-f]{2})*$",
     "^(?:3[0-9]|(?:2[02Dd]|3[0-9]|5[Bb]|6[6Ee]|7[4Bb])(?:[0-9A-Fa-f]{2})+)$", 2},
};
static const struct encoding plain = {"binary", NULL,
                                      "^" BLANK "(?:\\{" BLANK
                                      "(?:\"[^]*)?\\}|\\[[^]*\\]|\"[^]*\"|" NUMBER
                                      "|true|false|null)" BLANK "$",
                                      1};

/* NULL: unknown. */
static const struct encoding *encoding_of(const struct schema *schema, uint32_t part) {
    static const char *const as_it_is[] = {"7bit", "8bit", "binary"};
    const struct json *name = schema_get(schema, part, KW_CONTENT_ENCODING);
    if (!name) return &plain;
    if (name->type != JSON_STRING) return NULL;
    for (size_t i = 0; i < sizeof encodings / sizeof *encodings; i++)
        if (name->len == strlen(encodings[i].name) &&
            strncasecmp(name->text, encodings[i].name, name->len) == 0)
            return &encodings[i];
    for (size_t i = 0; i < sizeof as_it_is / sizeof *as_it_is; i++)
        if (name->len == strlen(as_it_is[i]) &&
            strncasecmp(name->text, as_it_is[i], name->len) == 0)
            return &plain;
    return NULL;
}

/* Parameters don't matter. */
static bool is_json(const struct json *type) {
    static const char json[] = "application/json";
    const uint32_t n = sizeof json - 1;
    if (!type || type->type != JSON_STRING || type->len < n ||
        strncasecmp(type->text, json, n) != 0)
        return false;
    return type->len == n || strchr("; \t", type->text[n]);
}

bool schema_holds_document(const struct schema *schema, uint32_t part) {
    return is_json(schema_get(schema, part, KW_CONTENT_MEDIA_TYPE)) && encoding_of(schema, part);
}

const char *schema_content(const struct schema *schema, uint32_t part) {
    const struct encoding *encoding = encoding_of(schema, part);
    if (!encoding) return NULL;
    bool document = schema_holds_document(schema, part) && encoding->document;
    return document ? encoding->document : encoding->pattern;
}

uint32_t schema_content_unit(const struct schema *schema, uint32_t part) {
    const struct encoding *encoding = encoding_of(schema, part);
    return encoding ? encoding->unit : 1;
}
