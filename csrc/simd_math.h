/* exp, log, tanh, erf … on vectors, written once for every width.
 *
 * inf, NaN, ±0 and denormals go through as in NumPy. The largest errors, in units in the last
 * place of the result, are held by tests/kernels/test_simd_math.py:
 *
 *     exp 1.1   expm1 1.6   log 1.0   log1p 1.5   tanh 2.5   sigmoid 2.5   erf 1.5
 *     sin 2.4   cos 2.4   tan 4.0   sinh 2.5   cosh 2.0   log2 2.0   log10 2.0
 *
 * The polynomials are minimax fits (weighted so that the error of the whole function is levelled)
 * over the interval stated beside each, and evaluated by Horner's rule. */
#ifndef TT_SIMD_MATH_H
#define TT_SIMD_MATH_H

#include "simd.h"

/* ln 2 in two parts: n * LN2_HIGH is exact for |n| < 2^14, so that x - n ln 2 loses nothing. */
#define TT_LN2_HIGH 0.693359375f
#define TT_LN2_LOW -2.12194440e-4f

/* x * y + constant, the step of Horner's rule. */
#define TT_STEP(sum, x, constant) vf_fma(sum, x, vf_set1(constant))

/* --- Rounding ------------------------------------------------------------------------------- */

/* To the nearest whole number, halves to even. At 2^23 and above every float is whole; below, the
 * addition of 2^23 rounds. */
TT_INLINE vf vf_rint(vf x)
{
    vf big = vf_set1(0x1p23f), magic = vf_copysign(big, x);
    vf rounded = vf_copysign((x + magic) - magic, x);
    return vf_select(vf_abs(x) < big, rounded, x);
}

TT_INLINE vf vf_floor(vf x)
{
    vf r = vf_rint(x);
    return vf_select(r > x, vf_copysign(r - 1.0f, x), r);
}

TT_INLINE vf vf_ceil(vf x)
{
    vf r = vf_rint(x);
    return vf_select(r < x, vf_copysign(r + 1.0f, x), r);
}

/* --- Exponentials --------------------------------------------------------------------------- */

/* p * 2^n for a whole n in [-160, 160], over and underflowing as it should, where x is not below
 * `least`; otherwise 0. A vector of which one lane underflows takes a hundred cycles on processors
 * that make such numbers in microcode; lanes that are to be 0 do not underflow here. */
TT_INLINE vf vf_scale_from(vf least, vf x, vf p, vf n)
{
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
    const __mmask16 from = _mm512_cmp_ps_mask((__m512)x, (__m512)least, _CMP_NLT_UQ);
    return (vf)_mm512_maskz_scalef_ps(from, (__m512)p, (__m512)n);
#else
    const vi gone = x < least;
    const vi whole = vf_to_vi(vf_select(gone, vf_zero(), n)), half = whole >> 1;
    const vf first = (vf)((half + 127) << 23), second = (vf)((whole - half + 127) << 23);
    return vf_select(gone, vf_zero(), p * first * second);
#endif
}

/* Cut x into n ln 2 + r with |r| <= ln 2 / 2 (|x| < 1000), and return exp(r) - 1. */
TT_INLINE vf vf_exp_reduced(vf x, vf *n)
{
    vf magic = vf_set1(0x1.8p23f); /* adding it rounds to a whole number */
    *n = vf_fma(x, vf_set1(1.44269504f), magic) - magic;
    vf r = vf_fma(*n, vf_set1(-TT_LN2_HIGH), x);
    r = vf_fma(*n, vf_set1(-TT_LN2_LOW), r);
    vf p = vf_set1(0.00139504904f); /* (exp(r) - 1 - r) / r^2 on ±ln 2 / 2, to 3e-9 */
    p = TT_STEP(p, r, 0.0083688898f);
    p = TT_STEP(p, r, 0.041666206f);
    p = TT_STEP(p, r, 0.166665182f);
    p = TT_STEP(p, r, 0.5f);
    return vf_fma(p, r * r, r);
}

/* Into [low, high]; x stands second, so that its NaN goes through. */
TT_INLINE vf vf_clamp_keeping_nan(vf x, float low, float high)
{
    return vf_max_fast(vf_set1(low), vf_min_fast(vf_set1(high), x));
}

/* Of any x: beyond the bounds 0 and inf, as at them. A call, where loops have a way with less. */
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
TT_INLINE
#else
static __attribute__((noinline))
#endif
vf vf_exp_of_any(vf x)
{
    vf n, q = vf_exp_reduced(vf_clamp_keeping_nan(x, -105.0f, 90.0f), &n);
    const vf least = vf_set1(-104.0f); /* exp(-104) is less than half of a denormal */
    return vf_scale_from(least, x, q + 1.0f, n);
}

TT_INLINE vf vf_exp(vf x)
{
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
    return vf_exp_of_any(x);
#else /* for |x| < 87 the result is finite and no denormal: n is added to the exponent */
    if (__builtin_expect(vi_some(~(vf_abs(x) < vf_set1(87.0f))), 0)) return vf_exp_of_any(x);
    vf n, q = vf_exp_reduced(x, &n);
    return (vf)((vi)(q + 1.0f) + (vf_to_vi(n) << 23));
#endif
}

/* exp(x) for x <= 0 as a weight of a softmax, with 0 for what lies below exp(least), least being
 * -87 or more. It is 2^n 2^r for x log2(e) = n + r, where the error of that constant, 1e-8 |x| of
 * the result, may stay; unless the product would be rounded. n is read from the bits that rounding
 * to it left. */
TT_INLINE vf vf_exp_weight_from(vf x, vf least)
{
    const vf rounded = vf_fma(x, vf_set1(1.44269504f), vf_set1(0x1.8p23f));
    const vf n = rounded - vf_set1(0x1.8p23f);
#if defined(__FMA__) || defined(__aarch64__)
    const vf r = vf_fma_once(x, vf_set1(1.44269504f), -n);
#else
    vf r = vf_fma(n, vf_set1(-TT_LN2_HIGH), x);
    r = vf_fma(n, vf_set1(-TT_LN2_LOW), r) * 1.44269504f;
#endif
    vf p = vf_set1(0.0013264727f); /* 2^r on ±1/2, to 9e-8 of itself */
    p = TT_STEP(p, r, 0.009671513f);
    p = TT_STEP(p, r, 0.055507336f);
    p = TT_STEP(p, r, 0.24022242f);
    p = TT_STEP(p, r, 0.693147f);
    p = TT_STEP(p, r, 1.0f);
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
    return vf_scale_from(least, x, p, n);
#else
    const vf power = (vf)(((vi)rounded + 127) << 23);
    return (vf)((vi)(p * power) & ~(x < least));
#endif
}

TT_INLINE vf vf_exp_weight(vf x) { return vf_exp_weight_from(x, vf_set1(-87.0f)); }

/* From what x on exp(x) times a factor is no denormal: products of these are made in microcode. */
TT_INLINE vf vf_least_weight(float factor)
{
    return vf_set1(-87.0f - logf(fminf(fabsf(factor), 1)));
}

/* 2^n q + (2^n - 1), at half its size so that 2^n is finite. */
TT_INLINE vf vf_expm1(vf x)
{
    vf n, y = vf_clamp_keeping_nan(x, -17.5f, 88.8f);
    vf q = vf_exp_reduced(y, &n);
    vf half_power = (vf)((vf_to_vi(n) + 126) << 23);
    vf result = 2.0f * vf_fma(half_power, q, half_power - 0.5f);
    return vf_select(vf_abs(x) < vf_set1(1e-7f), x, result);
}

/* exp(|x|) / 4 and (exp(|x|) - 1) / 4, so that they are finite wherever sinh and cosh are. */
TT_INLINE vf vf_quarter_exp(vf x, vf *less_one)
{
    vf n, q = vf_exp_reduced(vf_clamp_keeping_nan(vf_abs(x), 0.0f, 89.7f), &n);
    vf power = (vf)((vf_to_vi(n) + 125) << 23);
    *less_one = vf_fma(power, q, power - 0.25f);
    return vf_fma(power, q, power);
}

TT_INLINE vf vf_cosh(vf x)
{
    vf unused, quarter = vf_quarter_exp(x, &unused);
    return 2.0f * quarter + 0.125f / quarter;
}

/* (e + e / (e + 1)) / 2 for e = exp(|x|) - 1. The sign comes last: clang 22 makes wrong AVX-512
 * code of the choice between x and a value that has x's sign. */
TT_INLINE vf vf_sinh(vf x)
{
    vf e, quarter = vf_quarter_exp(x, &e);
    vf size = 2.0f * e + 0.5f * (e / quarter);
    return vf_copysign(vf_select(vf_abs(x) < vf_set1(1e-4f), vf_abs(x), size), x);
}

/* --- Logarithms ----------------------------------------------------------------------------- */

/* Cut y 2^-shift, for a normal y > 0, into 2^e (1 + f), 1 + f in [sqrt(1/2), sqrt(2)); returns s
 * for log(1 + f) = f + f^2 s. */
TT_INLINE vf vf_log_reduced(vf y, vi shift, vf *e, vf *f)
{
    vi from_root_half = (vi)y - 0x3f3504f3;
    *e = vi_to_vf((from_root_half >> 23) - shift);
    *f = (vf)((from_root_half & 0x007fffff) + 0x3f3504f3) - 1.0f;
    vf p = vf_set1(-0.0785961151f); /* (log(1 + f) - f + f^2 / 2) / f^3, to 6e-9 of the whole */
    p = TT_STEP(p, *f, 0.128816471f);
    p = TT_STEP(p, *f, -0.131287545f);
    p = TT_STEP(p, *f, 0.141811922f);
    p = TT_STEP(p, *f, -0.166245535f);
    p = TT_STEP(p, *f, 0.200022861f);
    p = TT_STEP(p, *f, -0.250008106f);
    p = TT_STEP(p, *f, 0.333333164f);
    return vf_fma(*f, p, vf_set1(-0.5f));
}

TT_INLINE vf vf_log_normal(vf y, vi shift)
{
    vf e, f, s = vf_log_reduced(y, shift, &e, &f);
    vf tail = vf_fma(f * f, s, e * TT_LN2_LOW);
    return vf_fma(e, vf_set1(TT_LN2_HIGH), f + tail);
}

/* e + (f + f^2 s) / ln 2, and of log10 e log10 2 + (f + f^2 s) / ln 10: factors in two parts. */
TT_INLINE vf vf_log2_normal(vf y, vi shift)
{
    vf e, f, s = vf_log_reduced(y, shift, &e, &f);
    vf tail = vf_fma(f * f * s, vf_set1(1.44269502f), f * 1.92596299e-8f);
    return e + vf_fma(f, vf_set1(1.44269502f), tail);
}

TT_INLINE vf vf_log10_normal(vf y, vi shift)
{
    vf e, f, s = vf_log_reduced(y, shift, &e, &f);
    vf tail = vf_fma(f * f * s, vf_set1(0.434294492f), f * -1.01030501e-8f);
    tail = vf_fma(e, vf_set1(4.60503898e-6f), tail);
    return vf_fma(e, vf_set1(0.301025391f), vf_fma(f, vf_set1(0.434294492f), tail));
}

/* Not a normal number above 0: seldom, and then all lanes take the longer way. */
#define TT_LOG(NAME)                                                                               \
    TT_INLINE vf vf_##NAME(vf x)                                                                   \
    {                                                                                              \
        vi odd = (vu)x - 0x00800000u >= (vu){0} + (0x7f800000u - 0x00800000u);                     \
        if (__builtin_expect(!vi_some(odd), 1)) return vf_##NAME##_normal(x, (vi){0});             \
        vi small = x < vf_set1(0x1p-126f); /* denormals are first scaled up by 2^23 */             \
        vf result = vf_##NAME##_normal(vf_select(small, x * 0x1p23f, x), small & 23);              \
        result = vf_select(x < vf_set1(INFINITY), result, x); /* inf and NaN go through */         \
        result = vf_select(x == 0.0f, vf_set1(-INFINITY), result);                                 \
        return vf_select(x < 0.0f, vf_set1(NAN), result);                                          \
    }

TT_LOG(log)
TT_LOG(log2)
TT_LOG(log10)

/* log(u) for the rounded u = 1 + x, and what the rounding lost, over u. */
TT_INLINE vf vf_log1p(vf x)
{
    vf u = 1.0f + x, lost = x - (u - 1.0f);
    vf result = vf_log(u);
    result = vf_select(vf_abs(result) < vf_set1(INFINITY), result + lost / u, result);
    return vf_select(vf_abs(x) < vf_set1(1e-7f), x, result);
}

/* --- Trigonometry --------------------------------------------------------------------------- */

/* Beyond, too few digits of the angle are left to reduce it here: libm does. */
#define TT_TURNS_TO 8192.0f

/* The sine and cosine of r, |r| <= π/4, with x = n π/2 + r for |x| < TT_TURNS_TO; returns n in its
 * lowest bits. π/2 is taken off in four parts: n times each of the first three is exact, and so is
 * their subtraction where digits cancel. */
TT_INLINE vi vf_quadrant(vf x, vf *sine, vf *cosine)
{
    const vf magic = vf_set1(0x1.8p23f); /* adding it rounds to a whole number */
    const vf shifted = vf_fma(x, vf_set1(0.636619772f), magic), n = shifted - magic;
    vf r = vf_fma(n, vf_set1(-0x1.92p0f), x);
    r = vf_fma(n, vf_set1(-0x1.fb4p-12f), r);
    r = vf_fma(n, vf_set1(-0x1.444p-24f), r);
    r = vf_fma(n, vf_set1(-0x1.68c234p-39f), r);
    const vf z = r * r;
    vf p = vf_set1(-0.000195172339f); /* (sin(r) / r - 1) / r^2, to 4e-9 of the whole */
    p = TT_STEP(p, z, 0.00833217768f);
    p = TT_STEP(p, z, -0.166666549f);
    *sine = vf_copysign(vf_fma(p, z * r, r), r); /* of -0 too */
    vf q = vf_set1(2.44383785e-05f); /* (cos(r) - 1 + r^2 / 2) / r^4, to 1e-10 of the whole */
    q = TT_STEP(q, z, -0.00138873669f);
    q = TT_STEP(q, z, 0.0416666469f);
    *cosine = vf_fma(q, z * z, vf_fma(z, vf_set1(-0.5f), vf_set1(1)));
    return (vi)shifted;
}

/* y, and FUNCTION of the lanes of x that are too large for it, inf or NaN: seldom. */
#define TT_BEYOND_TURNS(x, y, FUNCTION)                                       \
    do {                                                                      \
        const vi beyond = ~(vf_abs(x) < vf_set1(TT_TURNS_TO));                \
        if (__builtin_expect(vi_some(beyond), 0))                             \
            for (int i = 0; i < VL; i++)                                      \
                if (beyond[i]) (y)[i] = FUNCTION((x)[i]);                     \
    } while (0)

/* The sine of r + n π/2 by n's lowest bits: the first says which one, the second the sign. */
TT_INLINE vf vf_sine_of(vi n, vf sine, vf cosine)
{
    const vf size = vf_select((n << 31) < 0, cosine, sine);
    return (vf)((vi)size ^ ((n << 30) & vi_set1(INT32_MIN)));
}

TT_INLINE vf vf_sin(vf x)
{
    vf sine, cosine;
    const vi n = vf_quadrant(x, &sine, &cosine);
    vf y = vf_sine_of(n, sine, cosine);
    TT_BEYOND_TURNS(x, y, sinf);
    return y;
}

TT_INLINE vf vf_cos(vf x)
{
    vf sine, cosine;
    const vi n = vf_quadrant(x, &sine, &cosine);
    vf y = vf_sine_of(n + 1, sine, cosine);
    TT_BEYOND_TURNS(x, y, cosf);
    return y;
}

TT_INLINE vf vf_tan(vf x)
{
    vf sine, cosine;
    const vi odd = (vf_quadrant(x, &sine, &cosine) << 31) < 0;
    vf y = vf_select(odd, vf_neg(cosine), sine) / vf_select(odd, sine, cosine);
    TT_BEYOND_TURNS(x, y, tanf);
    return y;
}

/* --- tanh, sigmoid, erf --------------------------------------------------------------------- */

/* e / (e + 2) for e = exp(2|x|) - 1; from |x| = 9.1 on the float nearest to tanh is 1. */
TT_INLINE vf vf_tanh(vf x)
{
    vf n, size = vf_abs(x);
    vf q = vf_exp_reduced(vf_clamp_keeping_nan(2.0f * size, 0.0f, 19.0f), &n);
    vf power = (vf)((vf_to_vi(n) + 127) << 23);
    vf e = vf_fma(power, q, power - 1.0f);
    return vf_copysign(e / (e + 2.0f), x);
}

/* 1 / (1 + e) for x >= 0 and e / (1 + e) for x < 0, e = exp(-|x|): never overflows. */
TT_INLINE vf vf_sigmoid(vf x)
{
    vf e = vf_exp(-vf_abs(x));
    vf top = vf_select(x < 0.0f, e, vf_set1(1.0f));
    return top / (1.0f + e);
}

/* x + x P(x^2) for |x| <= 1; beyond it 1 - exp(-Q(|x|)), which from |x| = 4 on rounds to 1. */
TT_INLINE vf vf_erf(vf x)
{
    vf size = vf_abs(x), square = x * x;
    vf p = vf_set1(7.88912294e-05f); /* erf(x) / x - 1 in x^2, on [0, 1], to 1e-9 */
    p = TT_STEP(p, square, -0.000802084222f);
    p = TT_STEP(p, square, 0.00518953567f);
    p = TT_STEP(p, square, -0.0268544443f);
    p = TT_STEP(p, square, 0.112836003f);
    p = TT_STEP(p, square, -0.37612626f);
    p = TT_STEP(p, square, 0.128379166f);

    vf y = vf_clamp_keeping_nan(size, 1.0f, 4.0f);
    vf q = vf_set1(0.00018557407f); /* log(1 - erf(y)) on [1, 4], to 1e-9 of erf */
    q = TT_STEP(q, y, -0.00293960795f);
    q = TT_STEP(q, y, 0.0218053199f);
    q = TT_STEP(q, y, -0.103037372f);
    q = TT_STEP(q, y, -0.638225675f);
    q = TT_STEP(q, y, -1.12704003f);
    q = TT_STEP(q, y, -0.000353718788f);
    vf n, e = vf_exp_reduced(q, &n);
    vf power = (vf)((vf_to_vi(n) + 127) << 23);
    vf beyond = vf_copysign(1.0f - vf_fma(power, e, power), x);
    return vf_select(size > 1.0f, beyond, vf_fma(p, x, x));
}

/* The normal distribution, to 2e-7: Phi(x) = 1/2 + x P(x^2) / Q(x^2) up to |x| = 5.6, from where on
 * it rounds to 0 and 1. */
TT_INLINE vf vf_normal_cdf(vf x)
{
    vf y = vf_clamp_keeping_nan(x, -5.6f, 5.6f), square = y * y;
    vf p = vf_set1(2.22975799e-08f); /* of (Phi(x) - 1/2) / x, to 2e-8 of it */
    p = TT_STEP(p, square, 6.28977195e-06f);
    p = TT_STEP(p, square, 0.00016892751f);
    p = TT_STEP(p, square, 0.00467733938f);
    p = TT_STEP(p, square, 0.0339288502f);
    p = TT_STEP(p, square, 0.398942272f);
    vf q = vf_set1(1.17966155e-06f);
    q = TT_STEP(q, square, 7.33436804e-05f);
    q = TT_STEP(q, square, 0.00188548176f);
    q = TT_STEP(q, square, 0.0286774541f);
    q = TT_STEP(q, square, 0.251713342f);
    q = TT_STEP(q, square, 1.0f);
    return 0.5f + vf_clamp_keeping_nan(y * p / q, -0.5f, 0.5f);
}

#endif
