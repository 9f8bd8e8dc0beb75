/* Losses: of an input a and a target b, element by element; and cross-entropy of rows of classes.
 * Included after maps.h, whose TT_BINARY makes loops, and softmax.h, which sums exponentials. */
#include "../simd_math.h"
#include "row.h"

/* --- Element by element: each loss, their sum, and the slope by a ----------------------------- */

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

/* Binary cross-entropy of a logit a: (1 - b) max(a, 0) + b max(-a, 0) + log1p(exp(-|a|)). Its slope
 * sigmoid(a) - b would lose the digits of a small one near b = 1: it is
 * (1 - b) sigmoid(a) - b sigmoid(-a), both over 1 + exp(-|a|). */
TT_INLINE vf tt_logistic_slope(vf a, vf b)
{
    const vf e = vf_exp(-vf_abs(a)), one = vf_set1(1.0f);
    const vi below = a < 0.0f;
    return ((one - b) * vf_select(below, e, one) - b * vf_select(below, one, e)) / (one + e);
}

TT_LOSS(logistic, vf_fma(a, vf_select(a > 0.0f, 1.0f - b, -b), vf_log1p(vf_exp(-vf_abs(a)))),
        tt_logistic_slope(a, b))

/* --- Cross-entropy -------------------------------------------------------------------------- */

static void tt_cross_entropy_f32(const tt_cross_entropy_args *s)
{
    const int64_t n = s->classes;
    for (int64_t r = 0; r < s->rows; r++) {
        const float *x = s->x + r * n;
        const int64_t y = s->target[r];
        const float top = tt_row_max(x, n), exp_sum = tt_row_exp_sum(x, n, top);
        const float log_sum = logf(exp_sum);
        s->top[r] = top;
        s->sum[r] = exp_sum;
        s->losses[r] = 0;
        if (y == s->ignore_index) continue;
        const float own = (1 - s->smoothing) * (s->weight ? s->weight[y] : 1);
        s->losses[r] = own * (top - x[y] + log_sum);
        if (s->smoothing != 0) {
            double sum = 0;
            const vf shift = vf_set1(top), rest = vf_set1(log_sum);
            if (s->weight)
                TT_ROW_SUM(sum, n,
                           tt_row_at(s->weight, c, n, 0)
                               * (shift - tt_row_at(x, c, n, top) + rest));
            else {
                TT_ROW_SUM(sum, n, shift - tt_row_at(x, c, n, top));
                sum += (double)n * log_sum;
            }
            s->losses[r] += s->smoothing / (float)n * (float)sum;
        }
    }
}

static void tt_cross_entropy_backward_f32(const tt_cross_entropy_args *s)
{
    const int64_t n = s->classes;
    const float spread = s->smoothing / (float)n;
    double weight_sum = (double)n;
    if (s->weight && spread != 0) {
        weight_sum = 0;
        for (int64_t c = 0; c < n; c++) weight_sum += s->weight[c];
    }
    for (int64_t r = 0; r < s->rows; r++) {
        const float *x = s->x + r * n;
        float *dx = s->dx + r * n;
        const int64_t y = s->target[r];
        if (y == s->ignore_index) {
            memset(dx, 0, (size_t)n * sizeof(float));
            continue;
        }
        const float g = s->g[r * s->g_step] * s->scale;
        const float own = (1 - s->smoothing) * (s->weight ? s->weight[y] : 1);
        const float share = g * (own + spread * (float)weight_sum) / s->sum[r];
        const vf factor = vf_set1(share), top = vf_set1(s->top[r]), least = vf_least_weight(share);
        if (spread == 0)
            TT_ROW_EACH(n, {
                const vf p = vf_exp_weight_from(tt_row_at(x, c, n, 0) - top, least);
                tt_row_put(dx, c, n, factor * p);
            });
        else {
            const vf flat = vf_set1(g * spread);
            TT_ROW_EACH(n, {
                vf w = s->weight ? tt_row_at(s->weight, c, n, 0) : vf_set1(1);
                const vf p = vf_exp_weight_from(tt_row_at(x, c, n, 0) - top, least);
                tt_row_put(dx, c, n, factor * p - flat * w);
            });
        }
        dx[y] -= g * own;
    }
}
