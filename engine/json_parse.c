#include "engine/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "engine/held.h"
#include "engine/json_keys.h"

enum { DEPTH_LIMIT = 512, CHUNK_MIN = 2048, CHUNK_MAX = 1 << 20 };
#define INPUT_LIMIT ((size_t)1 << 30) /* lengths are uint32_t */

struct chunk {
    struct chunk *next;
};

struct json_doc {
    const struct json *root;
    struct chunk *chunks; /* beyond the first, which follows this struct */
    char *at, *end;
    size_t next_size;
};

/* A child whose parent is still open. The children of the innermost open container are the last
 * ones of the parser's stack; at its end they move into the arena as its arrays. */
struct child {
    struct json_key key;
    struct json *value;
};

struct parser {
    const char *start, *at, *end;
    unsigned max_depth;
    struct json_doc *doc;
    struct child *children;
    size_t count, cap;
    struct error *error;
};

static struct json_doc *doc_new(size_t input) {
    size_t size = input < CHUNK_MAX / 8 ? input * 8 + CHUNK_MIN : CHUNK_MAX;
    struct json_doc *doc = malloc(sizeof *doc + size);
    if (!doc) return NULL;
    *doc = (struct json_doc){.at = (char *)(doc + 1), .next_size = size};
    doc->end = doc->at + size;
    return doc;
}

static bool doc_grow(struct json_doc *doc, size_t need) {
    size_t size = doc->next_size < CHUNK_MAX ? doc->next_size * 2 : CHUNK_MAX;
    if (size < need) size = need;
    struct chunk *chunk = malloc(sizeof(struct chunk) + size);
    if (!chunk) return false;
    chunk->next = doc->chunks;
    doc->chunks = chunk;
    doc->next_size = size < CHUNK_MAX ? size : CHUNK_MAX;
    doc->at = (char *)(chunk + 1);
    doc->end = doc->at + size;
    return true;
}

static void *take(struct parser *p, size_t n) {
    n = (n + 7) & ~(size_t)7;
    if (n > (size_t)(p->doc->end - p->doc->at) && !doc_grow(p->doc, n)) {
        error_set(p->error, ERROR_OUT_OF_MEMORY, "no memory for a JSON value");
        return NULL;
    }
    void *memory = p->doc->at;
    p->doc->at += n;
    return memory;
}

/* Padded: no message may hold a bare number that reads like an HTTP status. */
static bool fail(struct parser *p, const char *what) {
    return error_set(p->error, ERROR_PARSE, "%s at byte %06zu", what, (size_t)(p->at - p->start));
}

static void skip_space(struct parser *p) {
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\r' || *p->at == '\t'))
        p->at++;
}

/* Eight bytes at once: none of them a quote, a backslash, a control or a non-ASCII byte? */
static bool eight_plain(const char *at) {
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    uint64_t word;
    memcpy(&word, at, 8);
    uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\';
    uint64_t odd = (word - ones * 0x20) | (quote - ones) | (backslash - ones) | word;
    return (odd & high) == 0;
}

/* Moves over string bytes that stand for themselves. False on bytes that may not stand there. */
static bool skip_plain(struct parser *p) {
    for (;;) {
        while (p->end - p->at >= 8 && eight_plain(p->at)) p->at += 8;
        if (p->at >= p->end) return fail(p, "string not closed");
        unsigned char c = (unsigned char)*p->at;
        if (c == '"' || c == '\\') return true;
        if (c < 0x20) return fail(p, "control character in a string");
        uint32_t code_point;
        size_t n = c < 0x80 ? 1 : utf8_decode(p->at, (size_t)(p->end - p->at), &code_point);
        if (n == 0) return fail(p, "invalid UTF-8");
        p->at += n;
    }
}

static bool read_hex4(struct parser *p, uint32_t *value) {
    if (p->end - p->at < 4) return fail(p, "incomplete \\u escape");
    *value = 0;
    for (int i = 0; i < 4; i++, p->at++) {
        char c = *p->at, lower = (char)(c | 0x20);
        if (c >= '0' && c <= '9')
            *value = *value << 4 | (uint32_t)(c - '0');
        else if (lower >= 'a' && lower <= 'f')
            *value = *value << 4 | (uint32_t)(lower - 'a' + 10);
        else
            return fail(p, "bad \\u escape");
    }
    return true;
}

static bool read_unicode(struct parser *p, uint32_t *code_point) {
    if (!read_hex4(p, code_point)) return false;
    if (*code_point < 0xD800 || *code_point > 0xDFFF) return true;
    uint32_t low;
    if (*code_point > 0xDBFF || p->end - p->at < 2 || p->at[0] != '\\' || p->at[1] != 'u')
        return fail(p, "lone surrogate");
    p->at += 2;
    if (!read_hex4(p, &low)) return false;
    if (low < 0xDC00 || low > 0xDFFF) return fail(p, "lone surrogate");
    *code_point = 0x10000 + ((*code_point - 0xD800) << 10) + (low - 0xDC00);
    return true;
}

/* After a backslash; appends what the escape stands for (never longer than the escape). */
static char *read_escape(struct parser *p, char *out) {
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    if (p->at >= p->end) return fail(p, "string not closed"), NULL;
    char c = *p->at;
    if (c == 'u') {
        uint32_t code_point;
        p->at++;
        return read_unicode(p, &code_point) ? out + utf8_encode(code_point, out) : NULL;
    }
    const char *name = c ? strchr(names, c) : NULL;
    if (!name) return fail(p, "bad escape"), NULL;
    p->at++;
    *out++ = values[name - names];
    return out;
}

/* The end of a string that will be decoded: bounds the room it needs. */
static const char *closing_quote(const char *at, const char *end) {
    while (at < end && *at != '"') at += *at == '\\' && end - at > 1 ? 2 : 1;
    return at;
}

/* At the first backslash of a string whose text began at `begin`. */
static bool decode_string(struct parser *p, const char *begin, struct json_key *string) {
    size_t room = (size_t)(closing_quote(p->at, p->end) - begin);
    char *text = take(p, room + 4), *out = text;
    if (!text) return false;
    for (const char *run = begin;;) {
        memcpy(out, run, (size_t)(p->at - run));
        out += p->at - run;
        if (*p->at == '"') break;
        p->at++;
        out = read_escape(p, out);
        run = p->at;
        if (!out || !skip_plain(p)) return false;
    }
    p->at++;
    string->text = text;
    string->len = (uint32_t)(out - text);
    return true;
}

/* At the opening quote. */
static bool parse_string(struct parser *p, struct json_key *string) {
    const char *begin = ++p->at;
    if (!skip_plain(p)) return false;
    if (*p->at == '\\') return decode_string(p, begin, string);
    string->text = begin;
    string->len = (uint32_t)(p->at++ - begin);
    return true;
}

static bool skip_digits(struct parser *p) {
    const char *begin = p->at;
    while (p->at < p->end && *p->at >= '0' && *p->at <= '9') p->at++;
    return p->at > begin || fail(p, "digit expected");
}

static bool parse_number(struct parser *p) {
    if (*p->at == '-') p->at++;
    if (p->at < p->end && *p->at == '0')
        p->at++;
    else if (!skip_digits(p))
        return false;
    if (p->at < p->end && *p->at == '.') {
        p->at++;
        if (!skip_digits(p)) return false;
    }
    if (p->at < p->end && (*p->at == 'e' || *p->at == 'E')) {
        p->at++;
        if (p->at < p->end && (*p->at == '+' || *p->at == '-')) p->at++;
        if (!skip_digits(p)) return false;
    }
    return true;
}

static bool push(struct parser *p, struct child child) {
    if (p->count == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 64;
        struct child *grown = realloc(p->children, cap * sizeof *grown);
        if (!grown) return error_set(p->error, ERROR_OUT_OF_MEMORY, "no memory for a JSON value");
        p->children = grown;
        p->cap = cap;
    }
    p->children[p->count++] = child;
    return true;
}

struct sort_entry {
    uint64_t prefix;
    const struct json_key *key;
};

static int compare_entries(const void *left, const void *right) {
    const struct sort_entry *a = left, *b = right;
    if (a->prefix != b->prefix) return a->prefix < b->prefix ? -1 : 1;
    return json_key_compare(a->key->text, a->key->len, b->key->text, b->key->len);
}

/* Fills in keys[].sorted; finds duplicates on the way. */
static bool index_keys(struct parser *p, struct json_key *keys, uint32_t n) {
    struct sort_entry *entries = malloc(n * sizeof *entries);
    if (!entries) return error_set(p->error, ERROR_OUT_OF_MEMORY, "no memory for a JSON object");
    for (uint32_t i = 0; i < n; i++)
        entries[i] = (struct sort_entry){json_key_prefix(keys[i].text, keys[i].len), &keys[i]};
    qsort(entries, n, sizeof *entries, compare_entries);
    bool unique = true;
    for (uint32_t i = 0; i < n; i++) {
        if (i && compare_entries(&entries[i - 1], &entries[i]) == 0) unique = false;
        keys[i].sorted = (uint32_t)(entries[i].key - keys);
    }
    free(entries);
    return unique || fail(p, "duplicate key in the object that ends");
}

static bool check_few_keys(struct parser *p, const struct json_key *keys, uint32_t n) {
    for (uint32_t i = 1; i < n; i++)
        for (uint32_t k = 0; k < i; k++)
            if (keys[i].len == keys[k].len && memcmp(keys[i].text, keys[k].text, keys[i].len) == 0)
                return fail(p, "duplicate key in the object that ends");
    return true;
}

/* Moves the children pushed since `first` into the closing container. */
static bool adopt(struct parser *p, struct json *value, size_t first) {
    size_t n = p->count - first;
    const struct child *children = p->children + first;
    p->count = first;
    value->len = (uint32_t)n;
    if (n == 0) return true;
    struct json **items = take(p, n * sizeof *items);
    if (!items) return false;
    for (size_t i = 0; i < n; i++) items[i] = children[i].value;
    value->items = items;
    if (value->type == JSON_ARRAY) return true;
    struct json_key *keys = take(p, n * sizeof *keys);
    if (!keys) return false;
    for (size_t i = 0; i < n; i++) keys[i] = children[i].key;
    value->keys = keys;
    return n < JSON_KEYS_INDEXED ? check_few_keys(p, keys, value->len)
                                 : index_keys(p, keys, value->len);
}

static struct json *parse_value(struct parser *p, unsigned depth);

static bool parse_key(struct parser *p, struct json_key *key) {
    if (p->at >= p->end || *p->at != '"') return fail(p, "key expected");
    if (!parse_string(p, key)) return false;
    skip_space(p);
    if (p->at >= p->end || *p->at != ':') return fail(p, "':' expected");
    p->at++;
    skip_space(p);
    return true;
}

/* At the opening bracket; depth is that of the container. Recursion is bounded by max_depth. */
static bool parse_container(struct parser *p, struct json *value, char close, unsigned depth) {
    if (depth > p->max_depth) return fail(p, "nested too deeply");
    size_t first = p->count;
    p->at++;
    skip_space(p);
    if (p->at < p->end && *p->at == close) return p->at++, true;
    for (;;) {
        struct child child = {0};
        if (close == '}' && !parse_key(p, &child.key)) return false;
        child.value = parse_value(p, depth + 1);
        if (!child.value || !push(p, child)) return false;
        skip_space(p);
        if (p->at >= p->end) return fail(p, "value not closed");
        char c = *p->at;
        if (c != ',' && c != close) return fail(p, "',' or closing bracket expected");
        p->at++;
        if (c == close) return adopt(p, value, first);
        skip_space(p);
    }
}

static bool parse_word(struct parser *p, struct json *value, const char *word,
                       enum json_type type) {
    size_t n = strlen(word);
    if ((size_t)(p->end - p->at) < n || memcmp(p->at, word, n) != 0)
        return fail(p, "value expected");
    p->at += n;
    value->type = type;
    return true;
}

static bool parse_string_value(struct parser *p, struct json *value) {
    struct json_key string = {0};
    value->type = JSON_STRING;
    if (!parse_string(p, &string)) return false;
    value->text = string.text;
    value->len = string.len;
    return true;
}

static bool parse_number_value(struct parser *p, struct json *value) {
    value->type = JSON_NUMBER;
    if (!parse_number(p)) return false;
    value->text = value->raw;
    value->len = (uint32_t)(p->at - value->raw);
    return true;
}

static bool parse_any(struct parser *p, struct json *value, unsigned depth) {
    switch (*p->at) {
    case '{': value->type = JSON_OBJECT; return parse_container(p, value, '}', depth);
    case '[': value->type = JSON_ARRAY; return parse_container(p, value, ']', depth);
    case '"': return parse_string_value(p, value);
    case 't': return parse_word(p, value, "true", JSON_TRUE);
    case 'f': return parse_word(p, value, "false", JSON_FALSE);
    case 'n': return parse_word(p, value, "null", JSON_NULL);
    case '-': return parse_number_value(p, value);
    default:
        if (*p->at < '0' || *p->at > '9') return fail(p, "value expected");
        return parse_number_value(p, value);
    }
}

static struct json *parse_value(struct parser *p, unsigned depth) {
    if (p->at >= p->end) return fail(p, "value expected"), NULL;
    struct json *value = take(p, sizeof *value);
    if (!value) return NULL;
    *value = (struct json){.raw = p->at};
    if (!parse_any(p, value, depth)) return NULL;
    value->raw_len = (uint32_t)(p->at - value->raw);
    return value;
}

static bool parse_document(struct parser *p) {
    skip_space(p);
    p->doc->root = parse_value(p, 1);
    if (!p->doc->root) return false;
    skip_space(p);
    return p->at == p->end || fail(p, "more than one value");
}

struct json_doc *json_parse(const char *text, size_t n, unsigned max_depth, struct error *error) {
    if (n > INPUT_LIMIT) return error_set(error, ERROR_PARSE, "JSON text too long"), NULL;
    struct parser p = {.start = text, .at = text, .end = text + n, .error = error};
    p.max_depth = max_depth < DEPTH_LIMIT ? max_depth : DEPTH_LIMIT;
    p.doc = doc_new(n);
    if (!p.doc) return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a JSON text"), NULL;
    bool parsed = parse_document(&p);
    free(p.children);
    if (parsed) return p.doc;
    json_free(p.doc);
    return NULL;
}

const struct json *json_root(const struct json_doc *doc) {
    return doc->root;
}

void json_free(struct json_doc *doc) {
    if (!doc) return;
    for (struct chunk *chunk = doc->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    free(doc);
}

size_t json_bytes(const struct json_doc *doc) {
    size_t bytes = held(doc);
    for (const struct chunk *chunk = doc ? doc->chunks : NULL; chunk; chunk = chunk->next)
        bytes += held(chunk);
    return bytes;
}
