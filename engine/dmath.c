#include "engine/dmath.h"

#include <stdint.h>
#include <string.h>

static const double ln2_high = 0x1.62e42fefa3800p-1; /* ln 2 to 42 bits, so that n * ln2_high is exact */
static const double ln2_low = 0x1.ef35793c76730p-45;

/* 2^n for n in the normal range. */
static double power_of_two(int n) {
    uint64_t bits = (uint64_t)(n + 1023) << 52;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Nearest integer, |x| < 2^51. */
static double round_nearest(double x) {
    const double shift = 0x1.8p52;
    volatile double sum = x + shift; /* volatile: the addition must not be folded away */
    return sum - shift;
}

double dmath_exp(double x) {
    if (x > 709.0) return x > 1e300 ? x : 0x1.fffffffffffffp1023;
    if (x < -708.0) return 0;
    double n = round_nearest(x * 0x1.71547652b82fep0);
    double r = (x - n * ln2_high) - n * ln2_low;
    double term = 1, sum = 1;
    for (int i = 1; i <= 14; i++) { /* |r| <= 0.347: r^15/15! is below 2^-60 */
        term = term * r / i;
        sum += term;
    }
    return sum * power_of_two((int)n);
}

double dmath_log(double x) {
    uint64_t bits;
    int exponent = 0;
    if (x < 0x1p-1022) { /* subnormal */
        x *= 0x1p54;
        exponent = -54;
    }
    memcpy(&bits, &x, sizeof bits);
    exponent += (int)(bits >> 52) - 1023;
    bits = (bits & 0xFFFFFFFFFFFFFull) | 0x3FF0000000000000ull;
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m > 0x1.6a09e667f3bcdp0) { /* sqrt 2 */
        m *= 0.5;
        exponent++;
    }
    double s = (m - 1) / (m + 1), s2 = s * s, sum = 0;
    for (int i = 25; i >= 1; i -= 2) sum = sum * s2 + 1.0 / i; /* atanh series, |s| <= 0.172 */
    return exponent * ln2_high + (2 * s * sum + exponent * ln2_low);
}

double dmath_pow(double base, double exponent) {
    return dmath_exp(exponent * dmath_log(base));
}

/* Taylor polynomials on |x| <= pi/4. */
static double sine_kernel(double x) {
    double x2 = x * x, sum = 0;
    for (int i = 17; i >= 3; i -= 2) sum = (1 - sum) * x2 / (i * (i - 1));
    return x * (1 - sum);
}

static double cosine_kernel(double x) {
    double x2 = x * x, sum = 0;
    for (int i = 18; i >= 2; i -= 2) sum = (1 - sum) * x2 / (i * (i - 1));
    return 1 - sum;
}

void dmath_sincos(double angle, double *sine, double *cosine) {
    /* pi/2 in three parts of 33 bits each: n * part is exact for n < 2^20. */
    const double part1 = 0x1.921fb54400000p0, part2 = 0x1.0b4611a600000p-34,
                 part3 = 0x1.3198a2e037073p-69;
    double n = round_nearest(angle * 0x1.45f306dc9c883p-1);
    double r = ((angle - n * part1) - n * part2) - n * part3;
    double s = sine_kernel(r), c = cosine_kernel(r);
    switch ((int64_t)n & 3) {
    case 0: *sine = s; *cosine = c; break;
    case 1: *sine = c; *cosine = -s; break;
    case 2: *sine = -s; *cosine = -c; break;
    default: *sine = -c; *cosine = s; break;
    }
}
