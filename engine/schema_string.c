#include <string.h>

#include "engine/schema_part.h"

/* Formats as patterns: what is written in them satisfies the RFCs, though not everything that does
 * is written (long hosts, quoted local parts, years beyond four digits). */
#define DATE                                                                                       \
    "(?:\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)" \
    "|02-(?:0[1-9]|1\\d|2[0-8]))|(?:\\d\\d(?:0[48]|[2468][048]|[13579][26])"                       \
    "|(?:[02468][048]|[13579][26])00)-02-29)"
#define TIME                                                                                       \
    "(?:(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,9})?"                                      \
    "(?:[Zz]|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)|23:59:60(?:\\.\\d{1,9})?[Zz])"
#define CLOCK "T(?:\\d{1,9}H(?:\\d{1,9}M(?:\\d{1,9}S)?)?|\\d{1,9}M(?:\\d{1,9}S)?|\\d{1,9}S)"
#define LABEL "[A-Za-z0-9](?:-?[A-Za-z0-9])*"
#define HOST  LABEL "(?:\\." LABEL ")*"
#define ATEXT "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
#define OCTET "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)"
#define IPV4  OCTET "(?:\\." OCTET "){3}"
#define H16   "[0-9A-Fa-f]{1,4}"
#define IPV6                                                                                       \
    "(?:(?:" H16 ":){7}(?:" H16 "|:)|(?:" H16 ":){6}(?::" H16 "|" IPV4 "|:)|(?:" H16 ":){5}"       \
    "(?:(?::" H16 "){1,2}|:" IPV4 "|:)|(?:" H16 ":){4}(?:(?::" H16 "){1,3}|(?::" H16 ")?:" IPV4    \
    "|:)|(?:" H16 ":){3}(?:(?::" H16 "){1,4}|(?::" H16 "){0,2}:" IPV4 "|:)|(?:" H16                \
    ":){2}(?:(?::" H16 "){1,5}|(?::" H16 "){0,3}:" IPV4 "|:)|(?:" H16 ":){1}(?:(?::" H16           \
    "){1,6}|(?::" H16 "){0,4}:" IPV4 "|:)|:(?:(?::" H16 "){1,7}|(?::" H16 "){0,5}:" IPV4 "|:))"
#define PCHAR "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"
/* The parts of a URI, and of an IRI with characters of the first plane beyond ASCII. */
#define USER   "(?:[A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})"
#define REG    "(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})"
#define BEYOND "\\u00A0-\\uD7FF\\uF900-\\uFDCF\\uFDF0-\\uFFEF"
#define IUSER  "(?:[A-Za-z0-9._~!$&'()*+,;=:" BEYOND "-]|%[0-9A-Fa-f]{2})"
#define IHOST  "(?:[A-Za-z0-9._~!$&'()*+,;=" BEYOND "-]|%[0-9A-Fa-f]{2})"
#define IPCHAR "(?:[A-Za-z0-9._~!$&'()*+,;=:@" BEYOND "-]|%[0-9A-Fa-f]{2})"
#define INAME  "(?:[A-Za-z0-9._~!$&'()*+,;=@" BEYOND "-]|%[0-9A-Fa-f]{2})"
#define IATEXT "[A-Za-z0-9!#$%&'*+/=?^_`{|}~" BEYOND "-]"
#define ILABEL "[A-Za-z0-9" BEYOND "](?:-?[A-Za-z0-9" BEYOND "])*"
#define NAME   "(?:[A-Za-z0-9._~!$&'()*+,;=@-]|%[0-9A-Fa-f]{2})"

/* What follows a scheme: an authority and a path, or a path whose first segment is of `first`. */
#define HIERARCHY(user, host, pchar, first)                                                        \
    "(?://(?:" user "*@)?" host "*(?::\\d{0,5})?(?:/" pchar "*)*|/(?:" pchar "+(?:/" pchar "*)*)?" \
    "|" first "+(?:/" pchar "*)*)?(?:\\?(?:" pchar "|[/?])*)?(?:#(?:" pchar "|[/?])*)?"
#define SCHEME "[A-Za-z][A-Za-z0-9+.-]*:"

/* Regular expressions that nest no deeper than two groups, with the usual ranges. */
#define HEX_ESCAPE "x[0-9A-Fa-f]{2}|u(?:[0-9A-CEFa-cef][0-9A-Fa-f]{3}|[Dd][0-7][0-9A-Fa-f]{2})"
#define RE_ESCAPE  "\\\\(?:[dDsSwWfnrtv^$\\\\.*+?()[\\]{}|/]|" HEX_ESCAPE ")"
#define RE_CLASS                                                                                   \
    "\\[\\^?(?:a-z|A-Z|0-9|a-f|A-F|[^\\\\\\]-]|\\\\(?:[dDsSwWfnrtv^$\\\\.*+?()[\\]{}|/"            \
    "-]|" HEX_ESCAPE "))*-?\\]"
#define RE_COUNT "(?:[*+?]|\\{(?:\\d{1,2},?|[01],[1-9]\\d?|\\d,[1-9]\\d)\\})\\??"
#define RE_ATOM  "(?:[^\\\\^$.*+?()[\\]{}|]|" RE_ESCAPE "|" RE_CLASS "|\\.)"
#define RE_TERM  RE_ATOM "(?:" RE_COUNT ")?|[$^]|\\\\[bB]"
#define RE_GROUP(inside)                                                                           \
    "\\((?:\\?:)?(?:" inside "|\\|)*\\)(?:" RE_COUNT ")?|\\(\\?[=!](?:" inside "|\\|)*\\)"         \
                                                                               "|" RE_TERM

/* Names under IDNA: labels of plain ASCII, or short ones of scripts that need no context. */
#define ULETTER                                                                                    \
    "[a-z0-9\\u00DF-\\u00F6\\u00F8-\\u00FF\\u03AC-\\u03CE\\u0430-\\u045F\\u3041-\\u3096\\u30A1-"   \
    "\\u30FA"                                                                                      \
    "\\u4E00-\\u9FA5\\uAC00-\\uD7A3]"
#define ULABEL "(?:" LABEL "|" ULETTER "(?:-?" ULETTER "){0,5})"

#define TEMPLATE_NAME     "(?:[A-Za-z0-9_]|%[0-9A-Fa-f]{2})"
#define TEMPLATE_VARIABLE TEMPLATE_NAME "(?:\\.?" TEMPLATE_NAME ")*(?:\\*|:[1-9]\\d{0,3})?"

/* Hosts and local parts may have 63 or 64 characters: so the whole has no more. */
static const struct {
    const char *name, *pattern;
    uint32_t max;
} formats[] = {
    {"date-time", "^" DATE "[Tt]" TIME "$", 0},
    {"date", "^" DATE "$", 0},
    {"time", "^" TIME "$", 0},
    {"duration",
     "^P(?:\\d{1,9}W|(?:\\d{1,9}Y(?:\\d{1,9}M(?:\\d{1,9}D)?)?|\\d{1,9}M(?:\\d{1,9}D)?"
     "|\\d{1,9}D)(?:" CLOCK ")?|" CLOCK ")$",
     0},
    {"email", "^" ATEXT "+(?:\\." ATEXT "+)*@" HOST "$", 64},
    {"hostname", "^" HOST "$", 63},
    {"ipv4", "^" IPV4 "$", 0},
    {"ipv6", "^" IPV6 "$", 0},
    {"uuid", "^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$", 0},
    {"uri", "^" SCHEME HIERARCHY(USER, REG, PCHAR, PCHAR) "$", 0},
    {"uri-reference",
     "^(?:" SCHEME HIERARCHY(USER, REG, PCHAR, PCHAR) "|" HIERARCHY(USER, REG, PCHAR, NAME) ")$",
     0},
    {"iri", "^" SCHEME HIERARCHY(IUSER, IHOST, IPCHAR, IPCHAR) "$", 0},
    {"iri-reference",
     "^(?:" SCHEME HIERARCHY(IUSER, IHOST, IPCHAR, IPCHAR) "|" HIERARCHY(IUSER, IHOST, IPCHAR,
                                                                         INAME) ")$",
     0},
    {"uri-template",
     "^(?:[^\\u0000- \\u007F\"'%<>\\\\^`{|}]|%[0-9A-Fa-f]{2}"
     "|\\{[+#./;?&]?" TEMPLATE_VARIABLE "(?:," TEMPLATE_VARIABLE ")*\\})*$",
     0},
    {"idn-email", "^" IATEXT "+(?:\\." IATEXT "+)*@" ILABEL "(?:\\." ILABEL ")*$", 64},
    {"idn-hostname", "^" ULABEL "(?:[.\\u3002\\uFF0E\\uFF61]" ULABEL ")*$", 63},
    {"json-pointer", "^(?:/(?:[^~/]|~[01])*)*$", 0},
    {"relative-json-pointer", "^(?:0|[1-9]\\d{0,8})(?:#|(?:/(?:[^~/]|~[01])*)*)$", 0},
    {"regex", "^(?:" RE_GROUP(RE_GROUP(RE_TERM)) "|\\|)*$", 0},
};

const char *schema_format(const struct json *name, uint32_t *max) {
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (!json_is_string(name, formats[i].name)) continue;
        if (formats[i].max && formats[i].max < *max) *max = formats[i].max;
        return formats[i].pattern;
    }
    return NULL;
}

/* ---- the patterns of a bundle ---- */

bool schema_add_source(struct schema *schema, struct schema_sources *sources, uint32_t part,
                       enum schema_keyword keyword, const char *text, uint32_t len) {
    bool negated = keyword == KW_NOT_PATTERN;
    for (uint32_t i = 0; i < sources->n; i++)
        if (sources->len[i] == len && sources->negated[i] == negated &&
            memcmp(sources->text[i], text, len) == 0)
            return true;
    if (sources->n >= LANGUAGE_PATTERNS - 4) return schema_fail(schema, RULES_TOO_LARGE);
    sources->text[sources->n] = text;
    sources->len[sources->n] = len;
    sources->part[sources->n] = part;
    sources->negated[sources->n] = negated;
    sources->keyword[sources->n++] = (uint8_t)(negated ? KW_PATTERN : keyword);
    return true;
}

bool schema_collect_sources(struct schema *schema, const struct bundle *bundle,
                            struct schema_sources *sources, uint32_t *max) {
    for (uint32_t i = 0; i < bundle->n; i++) {
        uint32_t part = term_part(bundle->terms[i]);
        const struct json *pattern = schema_get(schema, part, KW_PATTERN);
        const struct json *rejected = schema_get(schema, part, KW_NOT_PATTERN);
        const struct json *name = schema_get(schema, part, KW_FORMAT);
        bool asserted = name && !(bundle->terms[i] & TERM_LOOSE);
        const char *format = asserted ? schema_format(name, max) : NULL;
        if (rejected && !schema_add_source(schema, sources, part, KW_NOT_PATTERN, rejected->text,
                                           rejected->len))
            return false;
        if (pattern &&
            !schema_add_source(schema, sources, part, KW_PATTERN, pattern->text, pattern->len))
            return false;
        if (format &&
            !schema_add_source(schema, sources, part, KW_FORMAT, format, (uint32_t)strlen(format)))
            return false;
        const char *content =
            bundle->terms[i] & TERM_LOOSE ? NULL : schema_content(schema, part);
        if (content && !schema_add_source(schema, sources, part, KW_CONTENT_ENCODING, content,
                                          (uint32_t)strlen(content)))
            return false;
    }
    return true;
}

static bool pattern_failed(struct schema *schema, uint32_t part, enum schema_keyword keyword,
                           enum pattern_result result, const char *what) {
    if (result == PATTERN_MEMORY) return schema_fail(schema, RULES_MEMORY);
    if (result != PATTERN_SYNTAX) return schema_refuse(schema, part, keyword, what);
    char path[sizeof schema->error->path];
    schema_locate(schema, schema->parts[part].json, schema_keyword_name(keyword), path,
                  sizeof path);
    return error_at(schema->error, ERROR_INVALID_PARAMS, path, "not a regular expression: %s",
                    what);
}

enum pattern_result schema_try_language(const struct schema_sources *sources,
                                        const struct language_length *length,
                                        const struct language_outlook *outlook,
                                        struct language *language, uint64_t *budget,
                                        struct schema_trouble *trouble) {
    struct pattern_pool pool = {.budget = budget};
    struct pattern patterns[LANGUAGE_PATTERNS];
    const char *what = "";
    enum pattern_result result = PATTERN_OK;
    uint32_t i = 0;
    for (; i < sources->n && result == PATTERN_OK; i++)
        result = pattern_compile(&pool, sources->text[i], sources->len[i], &patterns[i], &what);
    if (result == PATTERN_OK) {
        what = length ? "a length beside a pattern with gaps" : "the pattern needs too many states";
        result = language_build(language, &pool, patterns, sources->n, length, outlook, budget);
    }
    pattern_pool_free(&pool);
    if (trouble) *trouble = (struct schema_trouble){i ? i - 1 : 0, what};
    return result;
}

bool schema_build_language(struct schema *schema, const struct schema_sources *sources,
                           const struct language_length *length,
                           const struct language_outlook *outlook, struct language *language) {
    struct schema_trouble trouble;
    enum pattern_result result = schema_try_language(sources, length, outlook, language,
                                                     &schema->pattern_steps, &trouble);
    if (result == PATTERN_OK) return true;
    return pattern_failed(schema, sources->part[trouble.source], sources->keyword[trouble.source],
                          result, trouble.what);
}

uint32_t schema_sources_label(const struct schema_sources *sources) {
    uint32_t label = 0;
    for (uint32_t i = 0; i < sources->n; i++) label |= sources->negated[i] ? 0 : 1u << i;
    return label;
}

static bool all_hold(uint32_t label, const void *user) {
    return label == *(const uint32_t *)user;
}

static bool build(struct schema *schema, const struct schema_sources *sources,
                  const struct language_length *length, struct language *language) {
    uint32_t all = schema_sources_label(sources);
    const struct language_outlook outlook = {.needed = all,
                                             .refused = ((1u << sources->n) - 1) & ~all};
    if (!schema_build_language(schema, sources, length, &outlook, language)) return false;
    if (language_finish(language, all_hold, &all)) return true;
    language_free(language);
    return schema_fail(schema, RULES_MEMORY);
}

/* What the language is made from: the patterns, and the length if it is part of the states. */
static bool make_key(struct schema *schema, const struct schema_sources *sources,
                     const struct cell_string *string, bool counted) {
    schema->text.len = 0;
    for (uint32_t i = 0; i < sources->n; i++)
        buf_add(&schema->text, sources->text[i], sources->len[i]),
            buf_add(&schema->text, sources->negated[i] ? "\xFE" : "\xFF", 1);
    if (counted) buf_printf(&schema->text, "%u,%u", string->min, string->max);
    return !schema->text.failed || schema_fail(schema, RULES_MEMORY);
}

static bool find_or_build(struct schema *schema, const struct schema_sources *sources,
                          struct cell_string *string, bool counted) {
    struct language language = {0};
    struct language_length length = {string->min, string->max};
    if (!make_key(schema, sources, string, counted)) return false;
    string->language =
        rules_find_language(schema->rules, schema->text.bytes, (uint32_t)schema->text.len);
    if (string->language != RULES_NONE) return true;
    if (!build(schema, sources, counted ? &length : NULL, &language)) return false;
    enum rules_status status = rules_add_language(schema->rules, &language, schema->text.bytes,
                                                  (uint32_t)schema->text.len, &string->language);
    return status == RULES_OK || schema_fail(schema, status);
}

/* Are all strings of whole units, whatever else? Then only such lengths matter, and counting them
 * beside the automaton is exact: every state leads to all of them from the next on, or to one. */
static bool count_units(const struct schema *schema, const struct schema_sources *sources,
                        struct cell_string *string) {
    if (sources->n != 1 || sources->keyword[0] != KW_CONTENT_ENCODING) return false;
    uint32_t unit = schema_content_unit(schema, sources->part[0]), over = string->min % unit;
    if (unit == 1 || string->min > RULES_LONGEST - unit) return false;
    if (over) string->min += unit - over;
    if (string->max != RULES_INFINITE) string->max -= string->max % unit;
    return true;
}

/* Where there is no greatest length, gaps only make strings longer than they would have to be. */
bool schema_countable(struct schema *schema, const struct cell_string *string) {
    struct language *language = &schema->rules->languages[string->language].language;
    bool unlimited = string->min == 0 && string->max == RULES_INFINITE;
    if (unlimited || string->min > string->max || language_gapless(language)) return true;
    if (string->max == RULES_INFINITE) language->gap = language->n_states * language->cheapest;
    return string->max == RULES_INFINITE;
}

/* A length is counted beside the automaton if that is exact, else within it. */
bool schema_string(struct schema *schema, const struct bundle *bundle, struct cell *cell) {
    struct schema_sources sources = {.n = 0};
    *cell = (struct cell){.kind = CELL_STRING, .string = {.language = RULES_NONE}};
    struct cell_string *string = &cell->string;
    string->min = schema_max_of(schema, bundle, KW_MIN_LENGTH);
    string->max = schema_min_of(schema, bundle, KW_MAX_LENGTH);
    if (!schema_collect_sources(schema, bundle, &sources, &string->max)) return false;
    if (sources.n == 0) return true;
    if (!find_or_build(schema, &sources, string, false)) return false;
    if (count_units(schema, &sources, string) || schema_countable(schema, string)) return true;
    if (!find_or_build(schema, &sources, string, true)) return false;
    string->min = 0;
    string->max = RULES_INFINITE;
    return true;
}

enum schema_verdict schema_matches(struct schema *schema, uint32_t part,
                                   enum schema_keyword keyword, const struct json *pattern,
                                   const char *text, uint32_t len) {
    struct schema_sources sources = {.n = 0};
    struct cell_string string = {.max = RULES_INFINITE};
    if (!schema_add_source(schema, &sources, part, keyword, pattern->text, pattern->len) ||
        !find_or_build(schema, &sources, &string, false))
        return VERDICT_UNKNOWN;
    uint32_t label = language_label(&schema->rules->languages[string.language].language, text, len);
    return label == schema_sources_label(&sources) ? VERDICT_YES : VERDICT_NO;
}
