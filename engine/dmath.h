/* dmath: exp, log, sine and cosine in double, the same bits on every machine.
 *
 * libm's results differ between C libraries; what feeds the forward pass or the
 * sampler must not. Accurate to a few ulp over the ranges used here (angles up to
 * 2^31, finite positive logarithms), built of IEEE basic operations only.
 */
#ifndef ENGINE_DMATH_H
#define ENGINE_DMATH_H

double dmath_exp(double x);
double dmath_log(double x); /* x > 0 and finite */
double dmath_pow(double base, double exponent); /* base > 0 */
void dmath_sincos(double angle, double *sine, double *cosine);

#endif
