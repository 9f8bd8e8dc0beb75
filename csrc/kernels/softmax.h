/* Softmax, log-softmax and logsumexp, and their backwards. */
#include "../simd_math.h"
#include "row.h"

/* exp(x - top), stored to out. */
TT_INLINE vf tt_exp_put(const float *x, float *out, int64_t c, int64_t n, vf top)
{
    vf e = vf_exp_weight(tt_row_at(x, c, n, -INFINITY) - top);
    if (c + VL > n) e = vf_select(vi_first(n - c), e, vf_zero());
    if (out) tt_row_put(out, c, n, e);
    return e;
}

/* The least part of a sum whose share, once divided by it, is no denormal: a product of matrices
 * takes many times as long for such, on processors that make them in microcode. */
TT_INLINE vf tt_least_part(vf sum) { return sum * vf_set1(1.1755e-38f); }

/* e * factor, and 0 for what is less. */
TT_INLINE vf tt_share(vf e, vf factor, vf least) { return (vf)((vi)e & ~(e < least)) * factor; }

/* The sum of exp(x - top), where top is the largest of x. */
TT_INLINE float tt_row_exp_sum(const float *x, int64_t n, float top)
{
    double sum = 0;
    const vf shift = vf_set1(top);
    TT_ROW_SUM(sum, n, tt_exp_put(x, NULL, c, n, shift));
    return (float)sum;
}

static void tt_softmax_f32(const tt_softmax_args *s)
{
    const int64_t n = s->n;
    for (int64_t r = 0; r < s->rows; r++) {
        const float *x = s->x + r * n;
        float *out = s->out + r * n;
        const vf top = vf_set1(tt_row_max(x, n));
        double sum = 0;
        TT_ROW_SUM(sum, n, tt_exp_put(x, out, c, n, top));
        const vf factor = vf_set1((float)(1 / sum)), least = tt_least_part(vf_set1((float)sum));
        TT_ROW_EACH(n, tt_row_put(out, c, n, tt_share(tt_row_at(out, c, n, 0), factor, least)));
    }
}

static void tt_log_softmax_f32(const tt_softmax_args *s)
{
    const int64_t n = s->n;
    const int stream = s->stream && tt_can_stream(s->out, n);
    for (int64_t r = 0; r < s->rows; r++) {
        const float *x = s->x + r * n;
        float *out = s->out + r * n;
        const float top = tt_row_max(x, n);
        /* x - top - log(sum), as the twin: x - lse would lose digits where top is large. */
        const vf shift = vf_set1(top), log_sum = vf_set1(logf(tt_row_exp_sum(x, n, top)));
        TT_ROW_EACH(n, {
            vf y = tt_row_at(x, c, n, 0) - shift - log_sum;
            tt_row_put_last(out, c, n, y, stream);
        });
    }
    if (stream) tt_fence();
}

/* dx = y * (g - sum(g * y)) */
static void tt_softmax_backward_f32(const tt_softmax_args *s)
{
    const int64_t n = s->n;
    const int stream = s->stream && tt_can_stream(s->out, n);
    for (int64_t r = 0; r < s->rows; r++) {
        const float *y = s->x + r * n, *g = s->g + r * n;
        float *out = s->out + r * n;
        double sum = 0;
        TT_ROW_SUM(sum, n, tt_row_at(y, c, n, 0) * tt_row_at(g, c, n, 0));
        const vf dot = vf_set1((float)sum);
        TT_ROW_EACH(n, {
            vf shifted = tt_row_at(g, c, n, 0) - dot;
            tt_row_put_last(out, c, n, tt_row_at(y, c, n, 0) * shifted, stream);
        });
    }
    if (stream) tt_fence();
}

/* dx = g - exp(y) * sum(g) */
static void tt_log_softmax_backward_f32(const tt_softmax_args *s)
{
    const int64_t n = s->n;
    const int stream = s->stream && tt_can_stream(s->out, n);
    for (int64_t r = 0; r < s->rows; r++) {
        const float *y = s->x + r * n, *g = s->g + r * n;
        float *out = s->out + r * n;
        double sum = 0;
        TT_ROW_SUM(sum, n, tt_row_at(g, c, n, 0));
        const vf total = vf_set1((float)sum);
        TT_ROW_EACH(n, {
            vf p = vf_exp_weight(tt_row_at(y, c, n, 0));
            tt_row_put_last(out, c, n, tt_row_at(g, c, n, 0) - p * total, stream);
        });
    }
    if (stream) tt_fence();
}

/* What is taken off before exp: the largest x, or nothing where that is inf, -inf or NaN. */
TT_INLINE vf tt_finite_or_zero(vf x)
{
    return vf_select(vf_abs(x) < vf_set1(INFINITY), x, vf_zero());
}

static void tt_logsumexp_f32(const tt_softmax_args *s)
{
    for (int64_t r = 0; r < s->rows; r++) {
        const float *x = s->x + r * s->n, largest = tt_row_max(x, s->n);
        s->top[r] = isfinite(largest) ? largest : 0;
        /* There is no finite top beside +inf, and the sum is it. */
        s->sum[r] = largest == INFINITY ? INFINITY : tt_row_exp_sum(x, s->n, s->top[r]);
        s->out[r] = s->top[r] + logf(s->sum[r]);
    }
}

/* dx = g exp(x - top) / sum, 0 where that is 0 */
static void tt_logsumexp_backward_f32(const tt_softmax_args *s)
{
    const int64_t n = s->n;
    const int stream = s->stream && tt_can_stream(s->out, n);
    for (int64_t r = 0; r < s->rows; r++) {
        const float *x = s->x + r * n;
        float *out = s->out + r * n;
        const vf top = vf_set1(s->top[r]), g = vf_set1(s->sum[r] == 0 ? 0 : s->g[r] / s->sum[r]);
        TT_ROW_EACH(n, tt_row_put_last(out, c, n,
                                       g * vf_exp(tt_row_at(x, c, n, 0) - top), stream));
    }
    if (stream) tt_fence();
}

/* --- Softmax along another axis than the last ----------------------------------------------- */

/* Columns are the lanes of vectors here, `vectors` of them side by side; sums go in runs of 64. */
enum { TT_STRIP = 4, TT_COLUMN_RUN = 64 };
enum { TT_FORWARD, TT_BACKWARD, TT_LOG_FORWARD, TT_LOG_BACKWARD, TT_LSE };

TT_INLINE void tt_softmax_strip(
    const tt_softmax_args *s, int64_t first, const int vectors, const int what)
{
    const int backward = what == TT_BACKWARD || what == TT_LOG_BACKWARD;
    vf top[TT_STRIP], sum[TT_STRIP], run[TT_STRIP], least[TT_STRIP];
    for (int v = 0; v < vectors; v++) {
        top[v] = vf_set1(-INFINITY);
        sum[v] = run[v] = vf_zero();
    }
#define TT_AT(array, i, v) tt_row_at((array) + (i)*s->step, first + (v)*VL, s->columns, 0)
#define TT_PUT(i, v, value) tt_row_put(s->out + (i)*s->step, first + (v)*VL, s->columns, value)
    if (!backward)
        for (int64_t i = 0; i < s->n; i++)
            for (int v = 0; v < vectors; v++) top[v] = vf_max(top[v], TT_AT(s->x, i, v));
    vi infinite[TT_STRIP];
    for (int v = 0; what == TT_LSE && v < vectors; v++) {
        infinite[v] = top[v] == INFINITY;
        top[v] = tt_finite_or_zero(top[v]);
    }
    for (int64_t i = 0; i < s->n; i++)
        for (int v = 0; v < vectors; v++) {
            if (what == TT_BACKWARD)
                run[v] = vf_fma(TT_AT(s->x, i, v), TT_AT(s->g, i, v), run[v]);
            else if (what == TT_LOG_BACKWARD)
                run[v] += TT_AT(s->g, i, v);
            else {
                vf e = vf_exp_weight(TT_AT(s->x, i, v) - top[v]);
                run[v] += e;
                if (what == TT_FORWARD) TT_PUT(i, v, e);
            }
            if ((i + 1) % TT_COLUMN_RUN == 0 || i + 1 == s->n) {
                sum[v] += run[v];
                run[v] = vf_zero();
            }
        }
    for (int v = 0; v < vectors; v++) {
        least[v] = tt_least_part(sum[v]);
        if (what == TT_FORWARD) sum[v] = 1.0f / sum[v];
        if (what == TT_LOG_FORWARD) sum[v] = vf_log(sum[v]);
        if (what != TT_LSE) continue;
        sum[v] = vf_select(infinite[v], vf_set1(INFINITY), sum[v]);
        TT_PUT(0, v, top[v] + vf_log(sum[v]));
        tt_row_put(s->top, first + v * VL, s->columns, top[v]);
        tt_row_put(s->sum, first + v * VL, s->columns, sum[v]);
    }
    if (what == TT_LSE) return;
    for (int64_t i = 0; i < s->n; i++)
        for (int v = 0; v < vectors; v++) {
            if (what == TT_FORWARD)
                TT_PUT(i, v, tt_share(TT_AT(s->out, i, v), sum[v], least[v]));
            else if (what == TT_LOG_FORWARD)
                TT_PUT(i, v, TT_AT(s->x, i, v) - top[v] - sum[v]);
            else if (what == TT_BACKWARD)
                TT_PUT(i, v, TT_AT(s->x, i, v) * (TT_AT(s->g, i, v) - sum[v]));
            else
                TT_PUT(i, v, TT_AT(s->g, i, v) - vf_exp_weight(TT_AT(s->x, i, v)) * sum[v]);
        }
#undef TT_AT
#undef TT_PUT
}

#define TT_SOFTMAX_COLUMNS(NAME, WHAT)                                          \
    static void tt_##NAME##_columns_f32(const tt_softmax_args *s)               \
    {                                                                           \
        int64_t c = 0;                                                          \
        for (; c + TT_STRIP * VL <= s->columns; c += TT_STRIP * VL)             \
            tt_softmax_strip(s, c, TT_STRIP, WHAT);                             \
        for (; c < s->columns; c += VL) tt_softmax_strip(s, c, 1, WHAT);        \
    }

TT_SOFTMAX_COLUMNS(softmax, TT_FORWARD)
TT_SOFTMAX_COLUMNS(softmax_backward, TT_BACKWARD)
TT_SOFTMAX_COLUMNS(log_softmax, TT_LOG_FORWARD)
TT_SOFTMAX_COLUMNS(log_softmax_backward, TT_LOG_BACKWARD)
TT_SOFTMAX_COLUMNS(logsumexp, TT_LSE)

static void tt_logsumexp_backward_columns_f32(const tt_softmax_args *s)
{
    for (int64_t i = 0; i < s->n; i++)
        TT_ROW_EACH(s->columns, {
            const vf top = tt_row_at(s->top, c, s->columns, 0);
            const vf sum = tt_row_at(s->sum, c, s->columns, 0);
            const vf g = tt_row_at(s->g, c, s->columns, 0) / sum;
            const vf e = vf_exp(tt_row_at(s->x + i * s->step, c, s->columns, 0) - top);
            tt_row_put(s->out + i * s->step, c, s->columns,
                       e * vf_select(sum == vf_zero(), vf_zero(), g));
        });
}
