/* Element-wise maps of one and of two operands, and the fused backwards among them.
 *
 * TT_UNARY and TT_BINARY make a kernel of an expression in the vectors x, or a and b, and in the
 * call's scalars p and q. The expression is an inlined function of vectors, so that the loop, the
 * tail and each layout compile to straight code. */
#ifndef TT_MAPS_H
#define TT_MAPS_H

#include "../simd_math.h"

#define TT_UNARY(NAME, EXPRESSION)                                                             \
    TT_INLINE vf NAME##_of(vf x, vf p, vf q)                                                   \
    {                                                                                          \
        (void)p, (void)q;                                                                      \
        return (EXPRESSION);                                                                   \
    }                                                                                          \
    static void tt_##NAME##_f32(const tt_unary_args *s)                                        \
    {                                                                                          \
        const vf p = vf_set1(s->p), q = vf_set1(s->q);                                         \
        const float *x = s->x;                                                                 \
        float *out = s->out;                                                                   \
        int64_t i = 0, rest = s->n % VL, whole = s->n - rest;                                  \
        if (s->stream && tt_can_stream(out, 0)) {                                              \
            for (; i < whole; i += VL) vf_stream(out + i, NAME##_of(vf_load(x + i), p, q));    \
            tt_fence();                                                                        \
        } else                                                                                 \
            for (; i < whole; i += VL) vf_store(out + i, NAME##_of(vf_load(x + i), p, q));     \
        if (rest) vf_store_n(out + i, NAME##_of(vf_load_n(x + i, rest), p, q), rest);          \
    }

/* One row; A_COL and B_COL are constants, so that a repeated operand stays in a register. */
#define TT_BINARY_RUN(NAME, A_COL, B_COL, STORE)                                               \
    for (; i < whole; i += VL)                                                                 \
    STORE(out + i, NAME##_of((A_COL) ? vf_load(a + i) : a1, (B_COL) ? vf_load(b + i) : b1, p, q))

#define TT_BINARY_ROW(NAME, A_COL, B_COL)                                                      \
    do {                                                                                       \
        const vf a1 = vf_set1(*a), b1 = vf_set1(*b);                                           \
        int64_t i = 0;                                                                         \
        if (stream)                                                                            \
            TT_BINARY_RUN(NAME, A_COL, B_COL, vf_stream);                                      \
        else                                                                                   \
            TT_BINARY_RUN(NAME, A_COL, B_COL, vf_store);                                       \
        if (rest)                                                                              \
            vf_store_n(out + i, NAME##_of((A_COL) ? vf_load_n(a + i, rest) : a1,               \
                                          (B_COL) ? vf_load_n(b + i, rest) : b1, p, q), rest); \
    } while (0)

#define TT_BINARY(NAME, EXPRESSION)                                                            \
    TT_INLINE vf NAME##_of(vf a, vf b, vf p, vf q)                                             \
    {                                                                                          \
        (void)p, (void)q;                                                                      \
        return (EXPRESSION);                                                                   \
    }                                                                                          \
    static void tt_##NAME##_f32(const tt_binary_args *s)                                       \
    {                                                                                          \
        const vf p = vf_set1(s->p), q = vf_set1(s->q);                                         \
        const float *a = s->a, *b = s->b;                                                      \
        float *out = s->out;                                                                   \
        const int64_t cols = s->cols, rest = cols % VL, whole = cols - rest;                   \
        if (cols == 0) return;                                                                 \
        const int stream =                                                                     \
            s->stream && tt_can_stream(out, s->rows == 1 ? 0 : cols);                          \
        for (int64_t r = 0; r < s->rows; r++, a += s->a_row, b += s->b_row, out += cols) {     \
            if (s->a_col && s->b_col)                                                          \
                TT_BINARY_ROW(NAME, 1, 1);                                                     \
            else if (s->a_col)                                                                 \
                TT_BINARY_ROW(NAME, 1, 0);                                                     \
            else if (s->b_col)                                                                 \
                TT_BINARY_ROW(NAME, 0, 1);                                                     \
            else                                                                               \
                TT_BINARY_ROW(NAME, 0, 0);                                                     \
        }                                                                                      \
        if (stream) tt_fence();                                                                \
    }

/* --- Arithmetic ----------------------------------------------------------------------------- */

TT_BINARY(add, a + b)
TT_BINARY(subtract, a - b)
TT_BINARY(multiply, a * b)
TT_BINARY(divide, a / b)
TT_BINARY(maximum, vf_max(a, b))
TT_BINARY(minimum, vf_min(a, b))

TT_UNARY(negative, vf_neg(x))
TT_UNARY(abs, vf_abs(x))
TT_INLINE vf vf_sign(vf x)
{
    return vf_select(x > 0.0f, vf_set1(1.0f), vf_select(x < 0.0f, vf_set1(-1.0f), x + 0.0f));
}
TT_UNARY(sign, vf_sign(x))
TT_UNARY(square, x * x)
TT_UNARY(cube, x * x * x)
TT_UNARY(reciprocal, 1.0f / x)
TT_UNARY(sqrt, vf_sqrt(x))
TT_UNARY(rsqrt, 1.0f / vf_sqrt(x))
TT_UNARY(floor, vf_floor(x))
TT_UNARY(ceil, vf_ceil(x))
TT_UNARY(round, vf_rint(x))

/* The bounds first, so that a NaN of x goes through; q below p gives q, as np.clip. */
TT_INLINE vf vf_clip(vf x, vf low, vf high)
{
    x = vf_select(x < low, low, x);
    return vf_select(x > high, high, x);
}
TT_UNARY(clip, vf_clip(x, p, q))

/* --- Exponentials and logarithms ------------------------------------------------------------ */

TT_UNARY(exp, vf_exp(x))
TT_UNARY(expm1, vf_expm1(x))
TT_UNARY(log, vf_log(x))
TT_UNARY(log1p, vf_log1p(x))
TT_UNARY(log2, vf_log2(x))
TT_UNARY(log10, vf_log10(x))
TT_UNARY(sinh, vf_sinh(x))
TT_UNARY(cosh, vf_cosh(x))
TT_UNARY(sin, vf_sin(x))
TT_UNARY(cos, vf_cos(x))
TT_UNARY(tan, vf_tan(x))
TT_UNARY(tanh, vf_tanh(x))
TT_UNARY(erf, vf_erf(x))
TT_UNARY(sigmoid, vf_sigmoid(x))

/* b: the argument; below 0, where the logarithm has no value, its derivative has none */
TT_BINARY(log_backward, vf_select(b < 0.0f, vf_set1(NAN), a / b))
TT_BINARY(tanh_backward, a * (1.0f - b * b))
TT_BINARY(sigmoid_backward, a * b * (1.0f - b))

/* --- Activations; in a backward a is the cotangent ------------------------------------------ */

/* "<= 0 ? 0" and not "> 0 ? x": NaN goes through. */
TT_UNARY(relu, vf_select(x <= 0.0f, vf_zero(), x))
TT_BINARY(relu_backward, vf_select(b <= 0.0f, vf_zero(), a))

/* p: the slope below 0 */
TT_UNARY(leaky_relu, vf_select(x > 0.0f, x, p * x))
TT_BINARY(leaky_relu_backward, vf_select(b > 0.0f, a, p * a))

/* p: alpha */
TT_UNARY(elu, vf_select(x > 0.0f, x, p * vf_expm1(x)))
TT_BINARY(elu_backward, vf_select(b > 0.0f, a, a * p * vf_exp(b)))

TT_UNARY(silu, x * vf_sigmoid(x))
TT_INLINE vf vf_silu_slope(vf x)
{
    vf s = vf_sigmoid(x);
    return s * (1.0f + x * (1.0f - s));
}
TT_BINARY(silu_backward, a * vf_silu_slope(b))

/* x Phi(x), and its slope Phi(x) + x phi(x), of the normal distribution */
TT_INLINE vf vf_normal_pdf(vf x) { return 0.398942280f * vf_exp(-0.5f * x * x); }
TT_UNARY(gelu, x * vf_normal_cdf(x))
TT_BINARY(gelu_backward, a * (vf_normal_cdf(b) + b * vf_normal_pdf(b)))

/* x (1 + tanh u) / 2 = x sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3) */
TT_INLINE vf vf_gelu_2u(vf x) { return 1.59576912f * x * (1.0f + 0.044715f * x * x); }
TT_UNARY(gelu_tanh, x * vf_sigmoid(vf_gelu_2u(x)))
TT_INLINE vf vf_gelu_tanh_slope(vf x)
{
    vf s = vf_sigmoid(vf_gelu_2u(x));
    vf slope_2u = 1.59576912f * (1.0f + 3.0f * 0.044715f * x * x);
    return s + x * s * (1.0f - s) * slope_2u;
}
TT_BINARY(gelu_tanh_backward, a * vf_gelu_tanh_slope(b))

/* p: beta, q: threshold. log(1 + exp(z)) = max(z, 0) + log1p(exp(-|z|)), z = beta x */
TT_INLINE vf vf_softplus(vf x, vf beta, vf threshold)
{
    vf z = x * beta;
    vf soft = vf_select(z < 0.0f, vf_zero(), z) + vf_log1p(vf_exp(-vf_abs(z)));
    return vf_select(z > threshold, x, soft / beta);
}
TT_UNARY(softplus, vf_softplus(x, p, q))
TT_BINARY(softplus_backward, vf_select(b * p > q, a, a * vf_sigmoid(b * p)))

/* p, q: the bounds; hardtanh itself is clip */
TT_BINARY(hardtanh_backward, vf_select((b <= p) | (b >= q), vf_zero(), a))

/* 1 where a is b, both being NaN counted in, otherwise 0 */
TT_BINARY(matches, vf_select((a == b) | ((a != a) & (b != b)), vf_set1(1), vf_zero()))

/* --- Comparison and choice ------------------------------------------------------------------ */

/* The args are copied: the compiler must not think that storing a byte changes them. */
#define TT_COMPARE(NAME, OPERATOR)                                                             \
    static void tt_##NAME##_f32(const tt_compare_args *args)                                   \
    {                                                                                          \
        const tt_compare_args s = *args;                                                       \
        const vf a1 = vf_set1(*s.a), b1 = vf_set1(*s.b);                                       \
        int64_t i = 0;                                                                         \
        for (; i + VL <= s.n; i += VL)                                                         \
            vi_to_bools(s.out + i, (s.a_step ? vf_load(s.a + i) : a1)                          \
                                       OPERATOR(s.b_step ? vf_load(s.b + i) : b1));            \
        for (; i < s.n; i++) s.out[i] = s.a[i * s.a_step] OPERATOR s.b[i * s.b_step];          \
    }

TT_COMPARE(equal, ==)
TT_COMPARE(not_equal, !=)
TT_COMPARE(less, <)
TT_COMPARE(less_equal, <=)

static void tt_where_f32(const tt_where_args *args)
{
    const tt_where_args s = *args;
    const vf a1 = vf_set1(*s.a), b1 = vf_set1(*s.b);
    const int stream = s.stream && tt_can_stream(s.out, 0);
    int64_t i = 0;
    for (; i + VL <= s.n; i += VL) {
        vf chosen = vf_select(vi_from_bools(s.condition + i), s.a_step ? vf_load(s.a + i) : a1,
                              s.b_step ? vf_load(s.b + i) : b1);
        if (stream)
            vf_stream(s.out + i, chosen);
        else
            vf_store(s.out + i, chosen);
    }
    if (stream) tt_fence();
    for (; i < s.n; i++) s.out[i] = s.condition[i] ? s.a[i * s.a_step] : s.b[i * s.b_step];
}

#endif
