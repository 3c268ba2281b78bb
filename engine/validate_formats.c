#include "engine/validate_internal.h"

#include <string.h>

#include "base/utf8.h"

/* A cursor over the text; every format must use it up. */
struct text {
    const char *at, *end;
};

static struct text text_of(const char *bytes, size_t len) {
    return (struct text){bytes, bytes + len};
}

static bool at_end(const struct text *t) {
    return t->at == t->end;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool is_hex(char c) {
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool is_high(char c) {
    return (unsigned char)c >= 0x80;
}

static bool one_of(char c, const char *set) {
    return c && strchr(set, c);
}

static bool take(struct text *t, char c) {
    if (at_end(t) || *t->at != c) return false;
    t->at++;
    return true;
}

static bool take_of(struct text *t, const char *set) {
    if (at_end(t) || !one_of(*t->at, set)) return false;
    t->at++;
    return true;
}

/* Exactly n digits. */
static bool take_number(struct text *t, int n, int *value) {
    *value = 0;
    for (int i = 0; i < n; i++, t->at++) {
        if (at_end(t) || !is_digit(*t->at)) return false;
        *value = *value * 10 + (*t->at - '0');
    }
    return true;
}

static size_t take_digits(struct text *t) {
    const char *begin = t->at;
    while (!at_end(t) && is_digit(*t->at)) t->at++;
    return (size_t)(t->at - begin);
}

/* ---- RFC 3339 ---- */

static int days_in(int year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool take_date(struct text *t) {
    int year, month, day;
    return take_number(t, 4, &year) && take(t, '-') && take_number(t, 2, &month) && take(t, '-') &&
           take_number(t, 2, &day) && month >= 1 && month <= 12 && day >= 1 &&
           day <= days_in(year, month);
}

/* Z or +hh:mm; *minutes east of Greenwich. */
static bool take_offset(struct text *t, int *minutes) {
    *minutes = 0;
    if (take_of(t, "zZ")) return true;
    bool west = !at_end(t) && *t->at == '-';
    int hour, minute;
    if (!take_of(t, "+-") || !take_number(t, 2, &hour) || !take(t, ':') ||
        !take_number(t, 2, &minute))
        return false;
    *minutes = (hour * 60 + minute) * (west ? -1 : 1);
    return hour <= 23 && minute <= 59;
}

/* A leap second is the last of a day in UTC. */
static bool take_time(struct text *t) {
    int hour, minute, second, offset;
    if (!take_number(t, 2, &hour) || !take(t, ':') || !take_number(t, 2, &minute) ||
        !take(t, ':') || !take_number(t, 2, &second))
        return false;
    if (take(t, '.') && take_digits(t) == 0) return false;
    if (!take_offset(t, &offset) || hour > 23 || minute > 59 || second > 60) return false;
    int utc = (hour * 60 + minute - offset + 2 * 1440) % 1440;
    return second < 60 || utc == 1439;
}

static bool format_date(const char *bytes, size_t len) {
    struct text t = text_of(bytes, len);
    return take_date(&t) && at_end(&t);
}

static bool format_time(const char *bytes, size_t len) {
    struct text t = text_of(bytes, len);
    return take_time(&t) && at_end(&t);
}

static bool format_date_time(const char *bytes, size_t len) {
    struct text t = text_of(bytes, len);
    return take_date(&t) && take_of(&t, "tT") && take_time(&t) && at_end(&t);
}

/* Units in their order with no gap between those that are there (RFC 3339, appendix A). */
static bool take_units(struct text *t, const char *units) {
    const char *expected = NULL;
    while (!at_end(t) && is_digit(*t->at)) {
        take_digits(t);
        const char *unit = at_end(t) ? NULL : strchr(units, *t->at);
        if (!unit || !*unit || (expected && unit != expected)) return false;
        expected = unit + 1;
        t->at++;
    }
    return expected != NULL;
}

static bool format_duration(const char *bytes, size_t len) {
    struct text t = text_of(bytes, len);
    if (!take(&t, 'P')) return false;
    if (len > 2 && bytes[len - 1] == 'W') return take_digits(&t) == len - 2;
    bool date = take_units(&t, "YMD");
    if (!date && t.at != bytes + 1) return false;
    if (!take(&t, 'T')) return date && at_end(&t);
    return take_units(&t, "HMS") && at_end(&t);
}

/* ---- Hosts and mail ---- */

static bool take_ipv4(struct text *t) {
    for (int i = 0; i < 4; i++) {
        if (i && !take(t, '.')) return false;
        const char *begin = t->at;
        int value = 0;
        while (!at_end(t) && is_digit(*t->at) && t->at - begin < 4)
            value = value * 10 + (*t->at++ - '0');
        long n = t->at - begin;
        if (n == 0 || n > 3 || value > 255 || (n > 1 && *begin == '0')) return false;
    }
    return true;
}

static bool format_ipv4(const char *bytes, size_t len) {
    struct text t = text_of(bytes, len);
    return take_ipv4(&t) && at_end(&t);
}

static int take_hex(struct text *t) {
    int n = 0;
    for (; !at_end(t) && is_hex(*t->at) && n < 5; n++) t->at++;
    return n;
}

/* Up to eight groups, one :: for at least one of them, the last two as IPv4 if so written. */
static bool format_ipv6(const char *bytes, size_t len) {
    struct text t = text_of(bytes, len);
    int groups = 0;
    bool gap = false;
    if (len >= 2 && bytes[0] == ':' && bytes[1] == ':') gap = true, t.at += 2;
    while (!at_end(&t)) {
        struct text four = t;
        if (groups <= 6 && take_ipv4(&four) && at_end(&four)) {
            groups += 2;
            break;
        }
        int n = take_hex(&t);
        if (n < 1 || n > 4 || ++groups > 8) return false;
        if (at_end(&t)) break;
        if (!take(&t, ':') || at_end(&t)) return false;
        if (*t.at != ':') continue;
        if (gap) return false;
        gap = true;
        t.at++;
    }
    return gap ? groups <= 7 : groups == 8;
}

static bool host_label(const char *label, size_t n) {
    if (n == 0 || n > 63 || label[0] == '-' || label[n - 1] == '-') return false;
    for (size_t i = 0; i < n; i++)
        if (!is_letter(label[i]) && !is_digit(label[i]) && label[i] != '-') return false;
    return true;
}

static bool format_hostname(const char *bytes, size_t len) {
    if (len == 0 || len > 253) return false;
    for (size_t begin = 0; begin <= len;) {
        size_t n = 0;
        while (begin + n < len && bytes[begin + n] != '.') n++;
        if (!host_label(bytes + begin, n)) return false;
        begin += n + 1;
    }
    return true;
}

static bool is_atom(char c, bool international) {
    return is_letter(c) || is_digit(c) || one_of(c, "!#$%&'*+/=?^_`{|}~-") ||
           (international && is_high(c));
}

/* dot-atom or quoted string (RFC 5321). */
static bool take_local_part(struct text *t, bool international) {
    if (take(t, '"')) {
        while (!at_end(t) && *t->at != '"') {
            if (take(t, '\\') && at_end(t)) return false;
            char c = *t->at++;
            if (c < 0x20 ? !(international && is_high(c)) : c == 0x7F) return false;
        }
        return take(t, '"');
    }
    do {
        const char *begin = t->at;
        while (!at_end(t) && is_atom(*t->at, international)) t->at++;
        if (t->at == begin) return false;
    } while (take(t, '.'));
    return true;
}

static bool address_literal(const char *bytes, size_t n) {
    if (n > 5 && memcmp(bytes, "IPv6:", 5) == 0) return format_ipv6(bytes + 5, n - 5);
    return format_ipv4(bytes, n);
}

static bool international_host(const char *bytes, size_t len) {
    for (size_t begin = 0; begin <= len;) {
        size_t n = 0;
        for (; begin + n < len && bytes[begin + n] != '.'; n++) {
            char c = bytes[begin + n];
            if (!is_letter(c) && !is_digit(c) && c != '-' && !is_high(c)) return false;
        }
        if (n == 0) return false;
        begin += n + 1;
    }
    return true;
}

static bool mail(const char *bytes, size_t len, bool international) {
    struct text t = text_of(bytes, len);
    if (!take_local_part(&t, international) || !take(&t, '@') || at_end(&t)) return false;
    size_t n = (size_t)(t.end - t.at);
    if (*t.at == '[') return n > 2 && t.at[n - 1] == ']' && address_literal(t.at + 1, n - 2);
    return international ? international_host(t.at, n) : format_hostname(t.at, n);
}

static bool format_email(const char *bytes, size_t len) {
    return mail(bytes, len, false);
}

static bool format_idn_email(const char *bytes, size_t len) {
    return mail(bytes, len, true);
}

static bool format_uuid(const char *bytes, size_t len) {
    if (len != 36) return false;
    for (size_t i = 0; i < len; i++) {
        bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
        if (hyphen ? bytes[i] != '-' : !is_hex(bytes[i])) return false;
    }
    return true;
}

/* ---- RFC 3986, 3987 ---- */

/* What a part of a reference may hold beyond ASCII: private use only in an IRI's query. */
enum beyond { NOTHING, INTERNATIONAL, PRIVATE };

static bool iri_code_point(uint32_t c, enum beyond beyond) {
    bool private = (c >= 0xE000 && c <= 0xF8FF) || c >= 0xF0000;
    return c >= 0xA0 && (!private || beyond == PRIVATE) && (c & 0xFFFE) != 0xFFFE &&
           !(c >= 0xFDD0 && c <= 0xFDEF) && !(c >= 0xFFF0 && c <= 0xFFFF);
}

/* A run of unreserved, percent-encoded, sub-delims and the characters of `more`. */
static bool take_run(struct text *t, const char *more, enum beyond beyond) {
    while (!at_end(t)) {
        char c = *t->at;
        if (is_letter(c) || is_digit(c) || one_of(c, "-._~!$&'()*+,;=") || one_of(c, more)) {
            t->at++;
        } else if (c == '%') {
            if (t->end - t->at < 3 || !is_hex(t->at[1]) || !is_hex(t->at[2])) return false;
            t->at += 3;
        } else if (beyond && is_high(c)) {
            uint32_t code_point;
            size_t n = utf8_decode(t->at, (size_t)(t->end - t->at), &code_point);
            if (n == 0 || !iri_code_point(code_point, beyond)) return false;
            t->at += n;
        } else {
            return true;
        }
    }
    return true;
}

static bool future_address(const char *bytes, size_t n) {
    struct text t = text_of(bytes, n);
    if (!take_of(&t, "vV") || at_end(&t) || !is_hex(*t.at)) return false;
    while (!at_end(&t) && is_hex(*t.at)) t.at++;
    const char *begin = t.at + 1;
    return take(&t, '.') && !memchr(begin, '%', (size_t)(t.end - begin)) &&
           take_run(&t, ":", NOTHING) && t.at > begin && at_end(&t);
}

static bool take_host(struct text *t, enum beyond beyond) {
    if (!take(t, '[')) return take_run(t, "", beyond);
    const char *close = memchr(t->at, ']', (size_t)(t->end - t->at));
    if (!close) return false;
    size_t n = (size_t)(close - t->at);
    bool address = format_ipv6(t->at, n) || future_address(t->at, n);
    t->at = close + 1;
    return address;
}

static bool take_authority(struct text *t, enum beyond beyond) {
    struct text user = *t;
    if (take_run(&user, ":", beyond) && take(&user, '@')) *t = user;
    if (!take_host(t, beyond)) return false;
    if (take(t, ':')) take_digits(t);
    return at_end(t) || one_of(*t->at, "/?#");
}

static bool take_scheme(struct text *t) {
    struct text s = *t;
    if (at_end(&s) || !is_letter(*s.at)) return false;
    while (!at_end(&s) && (is_letter(*s.at) || is_digit(*s.at) || one_of(*s.at, "+-."))) s.at++;
    if (!take(&s, ':')) return false;
    *t = s;
    return true;
}

static bool reference(const char *bytes, size_t len, bool absolute, enum beyond beyond) {
    struct text t = text_of(bytes, len);
    bool scheme = take_scheme(&t);
    if (absolute && !scheme) return false;
    if (t.end - t.at >= 2 && t.at[0] == '/' && t.at[1] == '/') {
        t.at += 2;
        if (!take_authority(&t, beyond)) return false;
    } else if (!scheme) { /* the first segment must not look like a scheme */
        if (!take_run(&t, "@", beyond) || (!at_end(&t) && *t.at == ':')) return false;
    }
    if (!take_run(&t, ":@/", beyond)) return false;
    if (take(&t, '?') && !take_run(&t, ":@/?", beyond ? PRIVATE : NOTHING)) return false;
    if (take(&t, '#') && !take_run(&t, ":@/?", beyond)) return false;
    return at_end(&t);
}

static bool format_uri(const char *bytes, size_t len) {
    return reference(bytes, len, true, NOTHING);
}

static bool format_uri_reference(const char *bytes, size_t len) {
    return reference(bytes, len, false, NOTHING);
}

static bool format_iri(const char *bytes, size_t len) {
    return reference(bytes, len, true, INTERNATIONAL);
}

static bool format_iri_reference(const char *bytes, size_t len) {
    return reference(bytes, len, false, INTERNATIONAL);
}

/* name, or name:3, or name*, with commas between (RFC 6570). */
static bool take_variable(struct text *t) {
    bool any = false;
    while (!at_end(t)) {
        char c = *t->at;
        if (c == '%') {
            if (t->end - t->at < 3 || !is_hex(t->at[1]) || !is_hex(t->at[2])) return false;
            t->at += 2;
        } else if (c == '.' ? !any : !is_letter(c) && !is_digit(c) && c != '_') {
            break;
        }
        any = true;
        t->at++;
    }
    if (!any || t->at[-1] == '.') return false;
    if (take(t, '*')) return true;
    if (!take(t, ':')) return true;
    const char *begin = t->at;
    return take_digits(t) > 0 && *begin != '0' && t->at - begin <= 4;
}

static bool take_expression(struct text *t) {
    take_of(t, "+#./;?&");
    do
        if (!take_variable(t)) return false;
    while (take(t, ','));
    return take(t, '}');
}

static bool format_uri_template(const char *bytes, size_t len) {
    struct text t = text_of(bytes, len);
    while (!at_end(&t)) {
        char c = *t.at++;
        if (c == '{') {
            if (!take_expression(&t)) return false;
        } else if (c == '%') {
            if (t.end - t.at < 2 || !is_hex(t.at[0]) || !is_hex(t.at[1])) return false;
        } else if (!is_high(c) && (c <= ' ' || c == 0x7F || one_of(c, "\"'<>\\^`|}"))) {
            return false;
        }
    }
    return true;
}

/* ---- Pointers, patterns ---- */

static bool take_pointer(struct text *t) {
    if (at_end(t)) return true;
    if (!take(t, '/')) return false;
    while (!at_end(t))
        if (*t->at++ == '~' && !take_of(t, "01")) return false;
    return true;
}

static bool format_json_pointer(const char *bytes, size_t len) {
    struct text t = text_of(bytes, len);
    return take_pointer(&t);
}

static bool format_relative_json_pointer(const char *bytes, size_t len) {
    struct text t = text_of(bytes, len);
    size_t n = take_digits(&t);
    if (n == 0 || (n > 1 && bytes[0] == '0')) return false;
    if (take(&t, '#')) return at_end(&t);
    return take_pointer(&t);
}

/* One that is too large to be run here is one still. */
static bool format_regex(const char *bytes, size_t len) {
    struct error error = {0};
    struct regex *regex = regex_new(bytes, len, VALIDATE_PATTERN_STATES, &error);
    regex_free(regex);
    return regex || strcmp(error.reason, "pattern too large") == 0;
}

static const struct {
    const char *name;
    unsigned flag;
    format_check *check;
} formats[] = {
    {"date-time", VALIDATE_FORMATS, format_date_time},
    {"time", VALIDATE_FORMATS, format_time},
    {"date", VALIDATE_FORMATS, format_date},
    {"duration", VALIDATE_FORMATS, format_duration},
    {"email", VALIDATE_FORMATS, format_email},
    {"hostname", VALIDATE_FORMATS, format_hostname},
    {"ipv4", VALIDATE_FORMATS, format_ipv4},
    {"ipv6", VALIDATE_FORMATS, format_ipv6},
    {"uuid", VALIDATE_FORMATS, format_uuid},
    {"uri", VALIDATE_FORMATS, format_uri},
    {"uri-reference", VALIDATE_MORE_FORMATS, format_uri_reference},
    {"iri", VALIDATE_MORE_FORMATS, format_iri},
    {"iri-reference", VALIDATE_MORE_FORMATS, format_iri_reference},
    {"idn-email", VALIDATE_MORE_FORMATS, format_idn_email},
    {"json-pointer", VALIDATE_MORE_FORMATS, format_json_pointer},
    {"relative-json-pointer", VALIDATE_MORE_FORMATS, format_relative_json_pointer},
    {"uri-template", VALIDATE_MORE_FORMATS, format_uri_template},
    {"regex", VALIDATE_MORE_FORMATS, format_regex},
};

format_check *validate_format(const char *name, size_t len, unsigned flags) {
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (flags & formats[i].flag && strlen(formats[i].name) == len &&
            memcmp(formats[i].name, name, len) == 0)
            return formats[i].check;
    return NULL;
}
