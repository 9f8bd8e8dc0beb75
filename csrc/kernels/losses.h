/* Losses of an input a and a target b, element by element: each, their sum, and the slope by a.
 * Included after maps.h, whose TT_BINARY makes the loops. */
#include "../simd_math.h"
#include "row.h"

/* VALUE and SLOPE are of the vectors a, b and d = a - b, and of the loss's parameter p; q is what
 * the slope is multiplied by. */
#define TT_LOSS(NAME, VALUE, SLOPE)                                                          \
    TT_INLINE vf NAME##_value(vf a, vf b, vf p)                                              \
    {                                                                                        \
        vf d = a - b;                                                                        \
        (void)d, (void)p;                                                                    \
        return (VALUE);                                                                      \
    }                                                                                        \
    TT_INLINE vf NAME##_slope(vf a, vf b, vf p)                                              \
    {                                                                                        \
        vf d = a - b;                                                                        \
        (void)d, (void)p;                                                                    \
        return (SLOPE);                                                                      \
    }                                                                                        \
    TT_BINARY(NAME##_loss, NAME##_value(a, b, p))                                            \
    TT_BINARY(NAME##_loss_backward, NAME##_slope(a, b, p) * q)                               \
    /* Of plain operands, in one row: *out is the sum. Past the end a and b are 0. */        \
    static void tt_##NAME##_loss_sum_f32(const tt_binary_args *s)                            \
    {                                                                                        \
        const vf p = vf_set1(s->p);                                                          \
        const int64_t n = s->cols;                                                           \
        double sum = 0;                                                                      \
        TT_ROW_SUM(sum, n, tt_until(c, n, NAME##_value(tt_row_at(s->a, c, n, 0),             \
                                                       tt_row_at(s->b, c, n, 0), p)));       \
        *s->out = (float)sum;                                                                \
    }

/* x in the lanes of vector c that are before n, 0 in the others. */
TT_INLINE vf tt_until(int64_t c, int64_t n, vf x)
{
    return c + VL <= n ? x : vf_select(vi_first(n - c), x, vf_zero());
}

TT_LOSS(mse, d * d, 2.0f * d)
TT_LOSS(l1, vf_abs(d), vf_sign(d))

/* p: beta, positive */
TT_LOSS(smooth_l1, vf_select(vf_abs(d) < p, d * d * (0.5f / p), vf_abs(d) - 0.5f * p),
        vf_clip(d / p, vf_set1(-1.0f), vf_set1(1.0f)))

/* p: delta */
TT_LOSS(huber, vf_select(vf_abs(d) < p, 0.5f * d * d, p * (vf_abs(d) - 0.5f * p)),
        vf_clip(d, -p, p))

/* Binary cross-entropy of a logit a: -log sigmoid(a) + (1 - b) a = max(-a, 0) + log1p(exp(-|a|)) +
 * (1 - b) a. */
TT_LOSS(logistic,
        (1.0f - b) * a + vf_select(a > 0.0f, vf_zero(), -a) + vf_log1p(vf_exp(-vf_abs(a))),
        vf_sigmoid(a) - b)
