#include "proto/json.h"
#include "proto/proto.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

static const char *skip_digits(const char *at) {
    while (isdigit((unsigned char)*at)) at++;
    return at;
}

/* Past a number in JSON's grammar, NULL if it is none; *whole: without fraction and exponent. at is
 * NUL-terminated somewhere. */
static const char *number_end(const char *at, bool *whole) {
    *whole = true;
    if (*at == '-') at++;
    if (!isdigit((unsigned char)*at)) return NULL;
    at = *at == '0' ? at + 1 : skip_digits(at);
    if (*at == '.') {
        *whole = false;
        if (!isdigit((unsigned char)*++at)) return NULL;
        at = skip_digits(at);
    }
    if (*at == 'e' || *at == 'E') {
        *whole = false;
        at++;
        if (*at == '+' || *at == '-') at++;
        if (!isdigit((unsigned char)*at)) return NULL;
        at = skip_digits(at);
    }
    return at;
}

static void respell(char *at, size_t len, const char *spelling) {
    size_t n = strlen(spelling);
    if (n > len) return;
    memcpy(at, spelling, n);
    memset(at + n, ' ', len - n);
}

/* Writes something that jansson can hold over a number that it can't. The shortest real that
 * overflows has five characters (1e309), the shortest integer nineteen: there is room. */
static void number_fit(char *at, const char *end, bool whole) {
    size_t len = (size_t)(end - at);
    if (len < 5 || (whole && len < 19)) return;
    errno = 0;
    if (whole && (strtoll(at, NULL, 10), errno == 0)) return;
    double value = strtod(at, NULL);
    char spelling[32];
    snprintf(spelling, sizeof spelling, "%.6e", value);
    if (isinf(value))
        respell(at, len, value < 0 ? "-1e308" : "1e308");
    else if (whole)
        respell(at, len, spelling);
}

static char *scan_number(char *at) {
    bool whole;
    const char *end = number_end(at, &whole);
    if (!end) return at + 1;
    number_fit(at, end, whole);
    return at + (end - at);
}

/* at stands on the opening quote; text ends in NUL. */
static char *scan_string(char *at) {
    for (at++; *at && *at != '"'; at++)
        if (*at == '\\' && at[1]) at++;
    return *at ? at + 1 : at;
}

/* One pass before jansson: depth, count, numbers. What is wrong otherwise is left to jansson. */
static bool scan(char *at, struct error *error) {
    size_t depth = 0, containers = 0;
    while (*at) {
        if (*at == '"') {
            at = scan_string(at);
        } else if (*at == '-' || isdigit((unsigned char)*at)) {
            at = scan_number(at);
        } else {
            if (*at == '[' || *at == '{') {
                depth++;
                containers++;
            } else if ((*at == ']' || *at == '}') && depth) {
                depth--;
            }
            if (depth > JSON_DEPTH)
                return error_set(error, ERROR_PARSE, "nesting deeper than %d", JSON_DEPTH);
            at++;
        }
    }
    if (containers <= JSON_CONTAINERS) return true;
    error->numbers[0] = JSON_CONTAINERS;
    return error_set(error, ERROR_MESSAGE_TOO_LARGE, "more than %d arrays and objects in one line",
                     JSON_CONTAINERS);
}

static json_t *load(const char *text, size_t len, struct error *error) {
    json_error_t found;
    json_t *json =
        json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, &found);
    if (json) return json;
    enum json_error_code code = json_error_code(&found);
    /* jansson has no words for a failed allocation. */
    if (code == json_error_out_of_memory || code == json_error_unknown || !found.text[0])
        error_set(error, ERROR_OUT_OF_MEMORY, "while parsing a request");
    else
        error_set(error, ERROR_PARSE, "at byte %d: %s", found.position, found.text);
    return NULL;
}

json_t *json_read(const char *bytes, size_t len, struct error *error) {
    if (memchr(bytes, '\0', len)) {
        error_set(error, ERROR_PARSE, "NUL byte");
        return NULL;
    }
    size_t valid = utf8_valid_prefix(bytes, len);
    if (valid < len) {
        error_set(error, ERROR_PARSE, "not UTF-8 at byte %zu", valid);
        return NULL;
    }
    char *copy = malloc(len + 1);
    if (!copy) {
        error_set(error, ERROR_OUT_OF_MEMORY, "while parsing a request");
        return NULL;
    }
    memcpy(copy, bytes, len);
    copy[len] = '\0';
    json_t *json = scan(copy, error) ? load(copy, len, error) : NULL;
    free(copy);
    return json;
}

bool json_check(struct text text, struct error *error) {
    json_t *json = json_read(text.bytes, text.len, error);
    json_decref(json);
    return json != NULL;
}

bool json_whole(const json_t *value, int64_t *out) {
    const int64_t limit = (int64_t)1 << 53;
    if (json_is_integer(value)) {
        *out = json_integer_value(value);
        return *out >= -limit && *out <= limit;
    }
    if (!json_is_real(value)) return false;
    double real = json_real_value(value);
    if (!(fabs(real) <= (double)limit)) return false;
    *out = (int64_t)real;
    return (double)*out == real;
}

struct text json_text(const json_t *string) {
    if (!json_is_string(string)) return (struct text){0};
    return (struct text){json_string_value(string), json_string_length(string)};
}

bool json_is(const json_t *value, const char *string) {
    struct text text = json_text(value);
    return text.bytes && text.len == strlen(string) && memcmp(text.bytes, string, text.len) == 0;
}
