/* Connectionist temporal classification: log-likelihoods of labels over all of their alignments.
 *
 * A sequence of labels is extended by blanks around and between them to `length` = 2 n + 1 states,
 * of which the odd ones are labels. With p[t][i] = log_probs[t][labels[i]], in logarithms,
 *
 *     alpha[t][i] = p[t][i] + lse(alpha[t-1][i], alpha[t-1][i-1], alpha[t-1][i-2] + jump[i])
 *     beta[t][i]  =           lse(p beta[t+1][i], p beta[t+1][i+1], p beta[t+1][i+2] + jump[i+2])
 *
 * where jump is 0 at a label that differs from the one before it, otherwise -inf, and p beta is
 * beta + p of its step. A step takes VL states at once. Each row is stored without what the step
 * before it had as its largest value; the sum of what was taken off so far is its shift, in double:
 * so a long sequence loses no digits.
 *
 * Rows of the scratch memory have TT_CTC_MARGIN floats before and behind them that stay -inf. */
#include "../simd_math.h"
#include "row.h"

/* log(exp(a) + exp(b) + exp(c)); of -inf alone it is -inf. */
TT_INLINE vf tt_ctc_sum(vf a, vf b, vf c)
{
    const vf most = vf_max(a, b), top = vf_max(most, c);
    const vf low = vf_min_fast(a, b), rest = vf_min_fast(most, c);
    const vf base = vf_select(top == -INFINITY, vf_zero(), top);
    return top + vf_log_normal(1.0f + vf_exp(low - base) + vf_exp(rest - base), (vi){0});
}

TT_INLINE double tt_ctc_sum2(double a, double b)
{
    const double top = a < b ? b : a, low = a < b ? a : b;
    return low == -INFINITY ? top : top + log1p(exp(low - top));
}

/* Row number i of the scratch memory. */
TT_INLINE float *tt_ctc_row(const tt_ctc_args *s, int i)
{
    return s->scratch + i * tt_ctc_row_size(s->length) + TT_CTC_MARGIN;
}

TT_INLINE void tt_ctc_clear(const tt_ctc_args *s)
{
    const int64_t n = TT_CTC_ROWS * tt_ctc_row_size(s->length);
    for (int64_t i = 0; i < n; i++) s->scratch[i] = -INFINITY;
    float *jump = tt_ctc_row(s, 3);
    for (int64_t i = 3; i < s->length; i += 2)
        if (s->labels[i] != s->labels[i - 2]) jump[i] = 0;
}

TT_INLINE void tt_ctc_gather(const tt_ctc_args *s, int64_t t, float *p)
{
    const float *x = s->log_probs + t * s->row;
    for (int64_t i = 0; i < s->length; i++) p[i] = x[s->labels[i]];
}

/* How much is taken off the row behind one with this largest value. */
TT_INLINE float tt_ctc_off(vf top)
{
    const float most = vf_hmax(top);
    return most == -INFINITY ? 0 : most;
}

TT_INLINE double tt_ctc_likelihood(const tt_ctc_args *s)
{
    if (!s->steps) return s->length == 1 ? 0 : -INFINITY;
    const float *last = s->alpha + (s->steps - 1) * s->alpha_row;
    const double stay = last[s->length - 1], end = s->length > 1 ? last[s->length - 2] : -INFINITY;
    return s->shifts[s->steps - 1] + tt_ctc_sum2(stay, end);
}

/* alpha, the shifts and the loss of one sample. */
static void tt_ctc_loss_f32(const tt_ctc_args *s)
{
    const int64_t n = s->length;
    float *before = tt_ctc_row(s, 0), *now = tt_ctc_row(s, 1), *p = tt_ctc_row(s, 2);
    const float *jump = tt_ctc_row(s, 3);
    double shift = 0;
    float off = 0;
    tt_ctc_clear(s);
    for (int64_t t = 0; t < s->all_steps; t++) {
        float *alpha = s->alpha + t * s->alpha_row;
        for (int64_t i = t < s->steps ? n : 0; i < s->alpha_row; i++) alpha[i] = -INFINITY;
        s->shifts[t] = 0;
        if (t >= s->steps) continue;
        vf top = vf_set1(-INFINITY);
        tt_ctc_gather(s, t, p);
        shift += off;
        s->shifts[t] = shift;
        for (int64_t c = 0; c < n; c += VL) {
            const vf jumped = vf_load(before + c - 2) + vf_load(jump + c);
            vf value = tt_ctc_sum(vf_load(before + c), vf_load(before + c - 1), jumped);
            value = value - off + vf_load(p + c);
            if (t == 0) value = vf_select(vi_first(2 - c), vf_load(p + c), vf_set1(-INFINITY));
            top = vf_max(top, value);
            vf_store(now + c, value);
            tt_row_put(alpha, c, n, value);
        }
        off = tt_ctc_off(top);
        float *swap = before;
        before = now, now = swap;
    }
    *s->loss = (float)(0 - tt_ctc_likelihood(s));
}

/* dx[t][c] = -g Σ exp(alpha[t][i] + beta[t][i] - log likelihood), the sum over the states i of c:
 * how likely they are at t. */
static void tt_ctc_loss_backward_f32(const tt_ctc_args *s)
{
    const int64_t n = s->length;
    float *behind = tt_ctc_row(s, 0), *now = tt_ctc_row(s, 1), *p = tt_ctc_row(s, 2);
    const float *jump = tt_ctc_row(s, 3);
    const double likelihood = tt_ctc_likelihood(s);
    double shift = 0;
    float off = 0;
    for (int64_t t = 0; t < s->all_steps; t++)
        memset(s->dx + t * s->row, 0, (size_t)s->classes * sizeof(float));
    if (s->g == 0) return;
    tt_ctc_clear(s);
    for (int64_t t = s->steps - 1; t >= 0; t--) {
        const float *alpha = s->alpha + t * s->alpha_row;
        float *dx = s->dx + t * s->row, blanks = 0;
        vf top = vf_set1(-INFINITY);
        shift += off;
        const vf all = vf_set1((float)(s->shifts[t] + shift - likelihood));
        tt_ctc_gather(s, t, p);
        for (int64_t c = 0; c < n; c += VL) {
            const vf jumped = vf_load(behind + c + 2) + vf_load(jump + c + 2);
            vf beta = tt_ctc_sum(vf_load(behind + c), vf_load(behind + c + 1), jumped) - off;
            if (t == s->steps - 1)
                beta = vf_select(vi_between(n - 2 - c, n - c), vf_zero(), vf_set1(-INFINITY));
            const vf value = beta + vf_load(p + c);
            top = vf_max(top, value);
            vf_store(now + c, value);
            vf_store(p + c, vf_exp(tt_row_at(alpha, c, n, -INFINITY) + beta + all));
        }
        for (int64_t i = 1; i < n; i += 2) dx[s->labels[i]] -= s->g * p[i];
        for (int64_t i = 0; i < n; i += 2) blanks += p[i];
        dx[s->labels[0]] -= s->g * blanks;
        for (int64_t c = n; c < tt_round_up(n, VL); c++) p[c] = -INFINITY;
        off = tt_ctc_off(top);
        float *swap = behind;
        behind = now, now = swap;
    }
}
