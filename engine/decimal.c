#include "engine/decimal.h"

#include <stdint.h>

/* value = 0.d1 d2 … dn * 10^(point + exponent), d1 and dn not 0. The digits still hold the '.', the
 * exponent is a digit string, because it may be as long as the input. */
struct decimal {
    bool negative, exponent_negative;
    const char *digits, *digits_end;
    size_t count; /* significant digits; 0: the value is zero */
    int64_t point;
    const char *exponent, *exponent_end;
};

static void decimal_exponent(struct decimal *d, const char *at, const char *end) {
    if (at < end) at++; /* the e */
    if (at < end && (*at == '-' || *at == '+')) d->exponent_negative = *at++ == '-';
    while (at < end && *at == '0') at++;
    d->exponent = at;
    d->exponent_end = end;
}

static struct decimal decimal_read(const char *text, size_t len) {
    struct decimal d = {0};
    const char *at = text, *end = text + len;
    if (at < end && *at == '-') d.negative = true, at++;
    bool fraction = false;
    size_t pending_zeros = 0;
    d.digits = d.digits_end = at;
    for (; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            fraction = true;
        } else if (*at == '0') {
            if (d.count) pending_zeros++;
            if (!fraction && d.count) d.point++;
            if (fraction && !d.count) d.point--;
        } else {
            if (!d.count) d.digits = at;
            d.count += pending_zeros + 1;
            pending_zeros = 0;
            d.digits_end = at + 1;
            if (!fraction) d.point++;
        }
    }
    decimal_exponent(&d, at, end);
    return d;
}

static int next_digit(const char **at, const char *end) {
    if (*at < end && **at == '.') ++*at;
    return *at < end ? *(*at)++ - '0' : 0;
}

/* The difference of two exponents, clamped to about +-10^17 from which no run of further digits
 * returns: what is added to it later are lengths of strings in memory. */
static int64_t exponent_difference(const struct decimal *a, const struct decimal *b) {
    size_t a_len = (size_t)(a->exponent_end - a->exponent);
    size_t b_len = (size_t)(b->exponent_end - b->exponent);
    int64_t difference = 0;
    for (size_t left = a_len > b_len ? a_len : b_len; left > 0; left--) {
        int x = left <= a_len ? a->exponent[a_len - left] - '0' : 0;
        int y = left <= b_len ? b->exponent[b_len - left] - '0' : 0;
        if (difference > INT64_C(10000000000000000) || difference < -INT64_C(10000000000000000))
            return difference > 0 ? INT64_C(100000000000000000) : -INT64_C(100000000000000000);
        difference =
            difference * 10 + (a->exponent_negative ? -x : x) - (b->exponent_negative ? -y : y);
    }
    return difference;
}

static int compare_digits(const struct decimal *a, const struct decimal *b) {
    const char *p = a->digits, *q = b->digits;
    while (p < a->digits_end || q < b->digits_end) {
        int x = next_digit(&p, a->digits_end), y = next_digit(&q, b->digits_end);
        if (x != y) return x < y ? -1 : 1;
    }
    return 0;
}

static int sign(const struct decimal *d) {
    return d->count == 0 ? 0 : d->negative ? -1 : 1;
}

int decimal_compare(const char *a, size_t a_len, const char *b, size_t b_len) {
    struct decimal x = decimal_read(a, a_len), y = decimal_read(b, b_len);
    int x_sign = sign(&x), y_sign = sign(&y);
    if (x_sign != y_sign) return x_sign < y_sign ? -1 : 1;
    if (x_sign == 0) return 0;
    int64_t scale = exponent_difference(&x, &y) + x.point - y.point;
    int larger = scale ? (scale < 0 ? -1 : 1) : compare_digits(&x, &y);
    return x_sign * larger;
}

int decimal_sign(const char *text, size_t len) {
    struct decimal d = decimal_read(text, len);
    return sign(&d);
}

size_t decimal_digits(const char *text, size_t len) {
    return decimal_read(text, len).count;
}

bool decimal_is_integer(const char *text, size_t len) {
    struct decimal d = decimal_read(text, len), none = {0};
    return d.count == 0 || exponent_difference(&d, &none) + d.point >= (int64_t)d.count;
}

/* With X and M the digit strings as integers: X * 10^shift must be a multiple of M. Neither ends in
 * a zero digit, so a negative shift can never divide. M < 2^124, so no more than 124 factors of ten
 * can help. */
bool decimal_is_multiple(const char *text, size_t len, const char *divisor, size_t divisor_len) {
    struct decimal x = decimal_read(text, len), m = decimal_read(divisor, divisor_len);
    if (x.count == 0) return true;
    if (m.count == 0 || m.count > DECIMAL_DIVISOR_DIGITS) return false;
    int64_t shift =
        exponent_difference(&x, &m) + (x.point - (int64_t)x.count) - (m.point - (int64_t)m.count);
    if (shift < 0) return false;
    unsigned __int128 modulus = 0, rest = 0;
    for (const char *at = m.digits; at < m.digits_end;)
        modulus = modulus * 10 + (unsigned)next_digit(&at, m.digits_end);
    for (const char *at = x.digits; at < x.digits_end;)
        rest = (rest * 10 + (unsigned)next_digit(&at, x.digits_end)) % modulus;
    for (int64_t i = 0; i < shift && i < 128 && rest; i++) rest = rest * 10 % modulus;
    return rest == 0;
}

/* ---- common multiples ---- */

enum { FEW_DIGITS = 9 /* of a value, and its powers of ten */ };

/* value = mantissa * 10^power; false if it is not as small as that. */
static bool read_small(const char *text, size_t len, uint64_t *mantissa, int64_t *power) {
    struct decimal d = decimal_read(text, len), none = {0};
    const char *at = d.digits;
    if (d.count == 0 || d.count > FEW_DIGITS || d.negative) return false;
    *mantissa = 0;
    while (at < d.digits_end) *mantissa = *mantissa * 10 + (uint64_t)next_digit(&at, d.digits_end);
    *power = exponent_difference(&d, &none) + d.point - (int64_t)d.count;
    return *power >= -FEW_DIGITS && *power <= FEW_DIGITS;
}

static bool scale(uint64_t *mantissa, int64_t by) {
    for (; by > 0; by--)
        if (__builtin_mul_overflow(*mantissa, (uint64_t)10, mantissa)) return false;
    return true;
}

static uint64_t greatest_divisor(uint64_t a, uint64_t b) {
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* mantissa * 10^power */
static size_t spell(uint64_t mantissa, int64_t power, char *out) {
    char digits[24];
    size_t n = 0, len = 0;
    for (; mantissa; mantissa /= 10) digits[n++] = (char)('0' + mantissa % 10);
    while ((int64_t)n <= -power) digits[n++] = '0'; /* 0.00… */
    while (n > 0) {
        if (power < 0 && n == (size_t)-power) out[len++] = '.';
        out[len++] = digits[--n];
    }
    for (; power > 0; power--) out[len++] = '0';
    return len;
}

size_t decimal_common_multiple(const char *a, size_t a_len, const char *b, size_t b_len,
                               char out[DECIMAL_COMMON]) {
    uint64_t x, y, multiple;
    int64_t x_power, y_power;
    if (!read_small(a, a_len, &x, &x_power) || !read_small(b, b_len, &y, &y_power)) return 0;
    int64_t power = x_power < y_power ? x_power : y_power;
    if (!scale(&x, x_power - power) || !scale(&y, y_power - power)) return 0;
    if (__builtin_mul_overflow(x / greatest_divisor(x, y), y, &multiple)) return 0;
    return spell(multiple, power, out);
}
