/* Layer norm and RMS norm of rows, group norm, batch norm of channels, their joint backwards. */
#ifndef TT_NORM_H
#define TT_NORM_H

#include "../simd_math.h"
#include "row.h"

/* Is a mean of squares (+ eps) out of the range in which a sum of squares in floats is exact? */
#define TT_LEAST_SQUARES 0x1p-103f
#define TT_MOST_RSTD 0x1p51f /* what 1 / its root is above */
TT_INLINE vi tt_leaves_range(vf squares)
{
    return ~((squares > vf_set1(TT_LEAST_SQUARES)) & (squares < vf_set1(INFINITY)));
}

/* Numbers whose sum or squares left the range: `runs` of `n`, `step` apart, the runs `stride`. */
typedef struct {
    const float *x;
    int64_t runs, stride, n, step;
} tt_far_numbers;

#define TT_EACH_FAR(S, INDEX)                        \
    for (int64_t run = 0; run < (S).runs; run++)     \
        for (int64_t i = 0, INDEX = run * (S).stride; i < (S).n; i++, INDEX += (S).step)

/* Their mean if `centred`, otherwise 0, and their mean square around it. */
static __attribute__((noinline, cold)) void tt_far_moments(
    tt_far_numbers s, int centred, double *mean, double *var)
{
    const double count = (double)(s.runs * s.n);
    double sum = 0, squares = 0;
    if (centred) TT_EACH_FAR(s, at) sum += s.x[at];
    *mean = sum / count;
    TT_EACH_FAR(s, at) squares += (s.x[at] - *mean) * (s.x[at] - *mean);
    *var = squares / count;
}

/* --- Layer norm and RMS norm ---------------------------------------------------------------- */

/* A row whose sum or squares left the range. */
static __attribute__((noinline, cold)) void tt_norm_row_again(
    const tt_layer_norm_args *s, int64_t r, int centred)
{
    const float *x = s->x + r * s->n;
    double mean, var;
    tt_far_moments((tt_far_numbers){x, 1, 0, s->n, 1}, centred, &mean, &var);
    const double rstd = 1 / sqrt(var + s->eps);
    s->rstd[r] = (float)rstd;
    if (centred) s->mean[r] = (float)mean;
    for (int64_t c = 0; c < s->n; c++) {
        const float y = (float)((x[c] - mean) * rstd) * (s->weight ? s->weight[c] : 1);
        s->out[r * s->n + c] = s->bias ? y + s->bias[c] : y;
    }
}

/* y = (x - mean) / sqrt(var + eps); without `centred` the mean is taken as 0. */
TT_INLINE void tt_norm_rows(const tt_layer_norm_args *s, const int centred)
{
    const int64_t n = s->n;
    const int stream = s->stream && tt_can_stream(s->out, n);
    for (int64_t r = 0; r < s->rows; r++) {
        const float *x = s->x + r * n;
        float *out = s->out + r * n, mean = 0;
        double sum = 0, squares = 0;
        if (centred) {
            TT_ROW_SUM(sum, n, tt_row_at(x, c, n, 0));
            s->mean[r] = mean = (float)(sum / (double)n);
        }
        const vf centre = vf_set1(mean);
        TT_ROW_SUM(squares, n,
                   (tt_row_at(x, c, n, mean) - centre) * (tt_row_at(x, c, n, mean) - centre));
        s->rstd[r] = 1 / sqrtf((float)(squares / (double)n) + s->eps);
        const vf factor = vf_set1(s->rstd[r]);
        TT_ROW_EACH(n, {
            vf y = (tt_row_at(x, c, n, 0) - centre) * factor;
            if (s->weight) y *= tt_row_at(s->weight, c, n, 0);
            if (s->bias) y += tt_row_at(s->bias, c, n, 0);
            tt_row_put_last(out, c, n, y, stream);
        });
    }
    if (stream) tt_fence();
    for (int64_t r = 0; r < s->rows; r++)
        if (__builtin_expect(!(s->rstd[r] > 0 && s->rstd[r] < TT_MOST_RSTD), 0))
            tt_norm_row_again(s, r, centred);
}

/* With y = (x - mean) rstd and h = g weight:  dx = rstd (h - mean(h) - y mean(h y)),
 * dweight = sum over rows of g y,  dbias = sum over rows of g; mean(h) only if `centred`. */
TT_INLINE void tt_norm_rows_backward(const tt_layer_norm_args *s, const int centred)
{
    const int64_t n = s->n;
    const int stream = s->stream && tt_can_stream(s->out, n);
    for (int64_t r = 0; r < s->rows; r++) {
        const float *x = s->x + r * n, *g = s->g + r * n;
        const float centre = centred ? s->mean[r] : 0;
        float *dx = s->out + r * n;
        const vf mean = vf_set1(centre), rstd = vf_set1(s->rstd[r]);
        vf sum_h = vf_zero(), sum_hy = vf_zero();
        TT_ROW_EACH(n, {
            vf gc = tt_row_at(g, c, n, 0);
            vf y = (tt_row_at(x, c, n, centre) - mean) * rstd;
            vf h = s->weight ? gc * tt_row_at(s->weight, c, n, 0) : gc;
            if (centred) sum_h += h;
            sum_hy = vf_fma(h, y, sum_hy);
            tt_row_put(s->dweight, c, n, vf_fma(gc, y, tt_row_at(s->dweight, c, n, 0)));
            if (centred) tt_row_put(s->dbias, c, n, tt_row_at(s->dbias, c, n, 0) + gc);
        });
        const vf mean_h = vf_set1(vf_hsum(sum_h) / (float)n);
        const vf mean_hy = vf_set1(vf_hsum(sum_hy) / (float)n);
        TT_ROW_EACH(n, {
            vf h = tt_row_at(g, c, n, 0);
            vf y = (tt_row_at(x, c, n, 0) - mean) * rstd;
            if (s->weight) h *= tt_row_at(s->weight, c, n, 0);
            tt_row_put_last(dx, c, n, (h - mean_h - y * mean_hy) * rstd, stream);
        });
    }
    if (stream) tt_fence();
}

static void tt_layer_norm_f32(const tt_layer_norm_args *s) { tt_norm_rows(s, 1); }
static void tt_layer_norm_backward_f32(const tt_layer_norm_args *s) { tt_norm_rows_backward(s, 1); }
static void tt_rms_norm_f32(const tt_layer_norm_args *s) { tt_norm_rows(s, 0); }
static void tt_rms_norm_backward_f32(const tt_layer_norm_args *s) { tt_norm_rows_backward(s, 0); }

/* --- Group norm ----------------------------------------------------------------------------- */

/* A row is a group of channels of an image. Its channels are runs of `space` floats, which share a
 * weight and a bias; where these runs are single floats, each lane of a vector has its own. */

static __attribute__((noinline, cold)) void tt_group_norm_again(
    const tt_group_norm_args *s, int64_t r, const float *weight, const float *bias)
{
    const int64_t n = s->channels * s->space;
    const float *x = s->x + r * n;
    double mean, var;
    tt_far_moments((tt_far_numbers){x, 1, 0, n, 1}, 1, &mean, &var);
    const double rstd = 1 / sqrt(var + s->eps);
    s->rstd[r] = (float)rstd;
    s->mean[r] = (float)mean;
    for (int64_t i = 0; i < n; i++) {
        const int64_t c = i / s->space;
        const float y = (float)((x[i] - mean) * rstd) * (weight ? weight[c] : 1);
        s->out[r * n + i] = bias ? y + bias[c] : y;
    }
}

static void tt_group_norm_f32(const tt_group_norm_args *s)
{
    const int64_t n = s->channels * s->space, space = s->space;
    const int stream = s->stream && space > 1 && tt_can_stream(s->out, space);
    for (int64_t r = 0; r < s->rows; r++) {
        const int64_t first = (s->first + r) % s->groups * s->channels;
        const float *weight = s->weight ? s->weight + first : NULL;
        const float *bias = s->bias ? s->bias + first : NULL;
        const float *x = s->x + r * n;
        float *out = s->out + r * n;
        double sum = 0, squares = 0;
        TT_ROW_SUM(sum, n, tt_row_at(x, c, n, 0));
        const float mean = s->mean[r] = (float)(sum / (double)n);
        const vf centre = vf_set1(mean);
        TT_ROW_SUM(squares, n,
                   (tt_row_at(x, c, n, mean) - centre) * (tt_row_at(x, c, n, mean) - centre));
        const float rstd = s->rstd[r] = 1 / sqrtf((float)(squares / (double)n) + s->eps);
        if (!(rstd > 0 && rstd < TT_MOST_RSTD)) {
            tt_group_norm_again(s, r, weight, bias);
            continue;
        }
        if (space == 1) {
            TT_ROW_EACH(n, {
                const vf w = weight ? tt_row_at(weight, c, n, 0) : vf_set1(1);
                const vf b = bias ? tt_row_at(bias, c, n, 0) : vf_zero();
                tt_row_put(out, c, n, vf_fma(tt_row_at(x, c, n, 0) - centre, w * rstd, b));
            });
            continue;
        }
        for (int64_t k = 0; k < s->channels; k++, x += space, out += space) {
            const vf factor = vf_set1(weight ? rstd * weight[k] : rstd);
            const vf shift = vf_set1(bias ? bias[k] : 0);
            TT_ROW_EACH(space, {
                const vf d = tt_row_at(x, c, space, 0) - centre;
                tt_row_put_last(out, c, space, vf_fma(d, factor, shift), stream);
            });
        }
    }
    if (stream) tt_fence();
}

/* With y = (x - mean) rstd and h = g weight:  dx = rstd (h - mean(h) - y mean(h y)); for each
 * channel of each row, dbias is its sum of g, and dweight that of g y. */
static void tt_group_norm_backward_f32(const tt_group_norm_args *s)
{
    const int64_t n = s->channels * s->space, space = s->space;
    const int stream = s->stream && space > 1 && tt_can_stream(s->out, space);
    for (int64_t r = 0; r < s->rows; r++) {
        const int64_t first = (s->first + r) % s->groups * s->channels;
        const float *weight = s->weight ? s->weight + first : NULL;
        const float *x = s->x + r * n, *g = s->g + r * n;
        float *out = s->out + r * n;
        float *dweight = s->dweight + r * s->channels, *dbias = s->dbias + r * s->channels;
        const float centre = s->mean[r];
        const vf mean = vf_set1(centre), rstd = vf_set1(s->rstd[r]);
        double sum_h = 0, sum_hy = 0;
        if (space == 1) {
            TT_ROW_EACH(n, {
                const vf gc = tt_row_at(g, c, n, 0);
                tt_row_put(dweight, c, n, gc * ((tt_row_at(x, c, n, centre) - mean) * rstd));
                tt_row_put(dbias, c, n, gc);
            });
        } else {
            for (int64_t k = 0; k < s->channels; k++) {
                const float *xk = x + k * space, *gk = g + k * space;
                double sum = 0, dot = 0;
                TT_ROW_SUM(sum, space, tt_row_at(gk, c, space, 0));
                TT_ROW_SUM(dot, space,
                           tt_row_at(gk, c, space, 0)
                               * ((tt_row_at(xk, c, space, centre) - mean) * rstd));
                dbias[k] = (float)sum;
                dweight[k] = (float)dot;
            }
        }
        for (int64_t k = 0; k < s->channels; k++) {
            const double w = weight ? weight[k] : 1;
            sum_h += w * dbias[k];
            sum_hy += w * dweight[k];
        }
        const vf mean_h = vf_set1((float)(sum_h / (double)n));
        const vf mean_hy = vf_set1((float)(sum_hy / (double)n));
        if (space == 1) {
            TT_ROW_EACH(n, {
                const vf w = weight ? tt_row_at(weight, c, n, 0) : vf_set1(1);
                const vf h = tt_row_at(g, c, n, 0) * w;
                const vf y = (tt_row_at(x, c, n, 0) - mean) * rstd;
                tt_row_put(out, c, n, (h - mean_h - y * mean_hy) * rstd);
            });
            continue;
        }
        for (int64_t k = 0; k < s->channels; k++, x += space, g += space, out += space) {
            const vf w = vf_set1(weight ? weight[k] : 1);
            TT_ROW_EACH(space, {
                const vf h = tt_row_at(g, c, space, 0) * w;
                const vf y = (tt_row_at(x, c, space, 0) - mean) * rstd;
                tt_row_put_last(out, c, space, (h - mean_h - y * mean_hy) * rstd, stream);
            });
        }
    }
    if (stream) tt_fence();
}

/* --- Batch norm ----------------------------------------------------------------------------- */

/* Where a channel's values lie: `batch` runs of `space` adjacent floats, `stride` apart. */
typedef struct {
    int64_t batch, space, stride;
} tt_channel;

/* The sum, over all values of a channel, of x - shift and of its square. */
TT_INLINE void tt_channel_sums(
    const float *x, tt_channel a, float shift, double *sum, double *squares)
{
    const vf centre = vf_set1(shift);
    *sum = *squares = 0;
    for (int64_t b = 0; b < a.batch; b++) {
        const float *row = x + b * a.stride;
        vf s = vf_zero(), q = vf_zero();
        for (int64_t c = 0; c < a.space; c += VL) {
            vf d = tt_row_at(row, c, a.space, shift) - centre;
            s += d;
            q = vf_fma(d, d, q);
        }
        *sum += vf_hsum(s);
        *squares += vf_hsum(q);
    }
}

/* A channel, whose sum or squares left the range, in training. */
static __attribute__((noinline, cold)) void tt_batch_norm_again(
    const tt_batch_norm_args *s, tt_far_numbers numbers, int64_t c)
{
    double mean, var;
    tt_far_moments(numbers, 1, &mean, &var);
    const double rstd = 1 / sqrt(var + s->eps);
    s->mean[c] = (float)mean;
    s->var[c] = (float)var;
    s->rstd[c] = (float)rstd;
    float *out = s->out + (numbers.x - s->x);
    TT_EACH_FAR(numbers, at)
    {
        const float y = (float)((numbers.x[at] - mean) * rstd) * (s->weight ? s->weight[c] : 1);
        out[at] = s->bias ? y + s->bias[c] : y;
    }
}

TT_INLINE void tt_batch_norm_channel(const tt_batch_norm_args *s, tt_channel a, int64_t c)
{
    const float *x = s->x + c * s->space;
    float *out = s->out + c * s->space;
    if (s->training) {
        const double count = (double)(a.batch * a.space);
        double sum, squares;
        tt_channel_sums(x, a, 0, &sum, &squares);
        s->mean[c] = (float)(sum / count);
        tt_channel_sums(x, a, s->mean[c], &sum, &squares);
        s->var[c] = (float)(squares / count);
    }
    const float total = s->var[c] + s->eps;
    s->rstd[c] = 1 / sqrtf(total);
    if (__builtin_expect(s->training && !(total > TT_LEAST_SQUARES && total < INFINITY), 0)) {
        tt_batch_norm_again(s, (tt_far_numbers){x, a.batch, a.stride, a.space, 1}, c);
        return;
    }
    const vf centre = vf_set1(s->mean[c]);
    const vf factor = vf_set1(s->weight ? s->rstd[c] * s->weight[c] : s->rstd[c]);
    const vf shift = vf_set1(s->bias ? s->bias[c] : 0);
    for (int64_t b = 0; b < a.batch; b++)
        for (int64_t i = 0; i < a.space; i += VL) {
            vf d = tt_row_at(x + b * a.stride, i, a.space, 0) - centre;
            tt_row_put(out + b * a.stride, i, a.space, vf_fma(d, factor, shift));
        }
}

/* With y = (x - mean) rstd and n values in a channel:  dbias = sum g,  dweight = sum g y,
 * dx = weight rstd (g - dbias / n - y dweight / n), or weight rstd g outside training. */
TT_INLINE void tt_batch_norm_backward_channel(const tt_batch_norm_args *s, tt_channel a, int64_t c)
{
    const float *x = s->x + c * s->space, *g = s->g + c * s->space;
    const vf mean = vf_set1(s->mean[c]), rstd = vf_set1(s->rstd[c]);
    double sum = 0, dot = 0;
    for (int64_t b = 0; b < a.batch; b++) {
        vf partial = vf_zero(), partial_dot = vf_zero();
        for (int64_t i = 0; i < a.space; i += VL) {
            vf gi = tt_row_at(g + b * a.stride, i, a.space, 0);
            vf y = (tt_row_at(x + b * a.stride, i, a.space, s->mean[c]) - mean) * rstd;
            partial += gi;
            partial_dot = vf_fma(gi, y, partial_dot);
        }
        sum += vf_hsum(partial);
        dot += vf_hsum(partial_dot);
    }
    s->dbias[c] = (float)sum;
    s->dweight[c] = (float)dot;
    if (!s->out) return;
    const double count = (double)(a.batch * a.space);
    const vf mean_g = vf_set1((float)(sum / count)), mean_gy = vf_set1((float)(dot / count));
    const vf factor = vf_set1(s->weight ? s->rstd[c] * s->weight[c] : s->rstd[c]);
    for (int64_t b = 0; b < a.batch; b++)
        for (int64_t i = 0; i < a.space; i += VL) {
            vf gi = tt_row_at(g + b * a.stride, i, a.space, 0);
            vf y = (tt_row_at(x + b * a.stride, i, a.space, 0) - mean) * rstd;
            tt_row_put(s->out + c * s->space + b * a.stride, i, a.space,
                       (s->training ? gi - mean_g - y * mean_gy : gi) * factor);
        }
}

/* Channels side by side (space == 1) are the lanes of a vector; their sums go in runs. */
enum { TT_BATCH_RUN = 64 };

TT_INLINE void tt_batch_norm_lanes(const tt_batch_norm_args *s, int64_t c)
{
    const int64_t n = s->last, row = s->channels;
    const vf count = vf_set1((float)s->batch);
    if (s->training) {
        vf sum = vf_zero(), squares = vf_zero();
        for (int64_t run = 0; run < s->batch; run += TT_BATCH_RUN) {
            vf part = vf_zero();
            for (int64_t b = run; b < s->batch && b < run + TT_BATCH_RUN; b++)
                part += tt_row_at(s->x + b * row, c, n, 0);
            sum += part;
        }
        const vf mean = sum / count;
        for (int64_t run = 0; run < s->batch; run += TT_BATCH_RUN) {
            vf part = vf_zero();
            for (int64_t b = run; b < s->batch && b < run + TT_BATCH_RUN; b++) {
                vf d = tt_row_at(s->x + b * row, c, n, 0) - mean;
                part = vf_fma(d, d, part);
            }
            squares += part;
        }
        tt_row_put(s->mean, c, n, mean);
        tt_row_put(s->var, c, n, squares / count);
    }
    const vf mean = tt_row_at(s->mean, c, n, 0);
    const vf total = tt_row_at(s->var, c, n, 1) + s->eps;
    const vf rstd = 1.0f / vf_sqrt(total);
    tt_row_put(s->rstd, c, n, rstd);
    const vf factor = s->weight ? rstd * tt_row_at(s->weight, c, n, 0) : rstd;
    const vf shift = s->bias ? tt_row_at(s->bias, c, n, 0) : vf_zero();
    for (int64_t b = 0; b < s->batch; b++) {
        vf d = tt_row_at(s->x + b * row, c, n, 0) - mean;
        tt_row_put(s->out + b * row, c, n, vf_fma(d, factor, shift));
    }
    if (__builtin_expect(s->training && vi_some(tt_leaves_range(total)), 0))
        for (int64_t i = c; i < n && i < c + VL; i++)
            if (!(s->var[i] + s->eps > TT_LEAST_SQUARES && s->var[i] + s->eps < INFINITY))
                tt_batch_norm_again(s, (tt_far_numbers){s->x + i, s->batch, row, 1, 1}, i);
}

TT_INLINE void tt_batch_norm_backward_lanes(const tt_batch_norm_args *s, int64_t c)
{
    const int64_t n = s->last, row = s->channels;
    const vf mean = tt_row_at(s->mean, c, n, 0), rstd = tt_row_at(s->rstd, c, n, 0);
    vf sum = vf_zero(), dot = vf_zero();
    for (int64_t run = 0; run < s->batch; run += TT_BATCH_RUN) {
        vf part = vf_zero(), part_dot = vf_zero();
        for (int64_t b = run; b < s->batch && b < run + TT_BATCH_RUN; b++) {
            vf g = tt_row_at(s->g + b * row, c, n, 0);
            part += g;
            part_dot = vf_fma(g, (tt_row_at(s->x + b * row, c, n, 0) - mean) * rstd, part_dot);
        }
        sum += part;
        dot += part_dot;
    }
    tt_row_put(s->dbias, c, n, sum);
    tt_row_put(s->dweight, c, n, dot);
    if (!s->out) return;
    const vf count = vf_set1((float)s->batch), mean_g = sum / count, mean_gy = dot / count;
    const vf factor = s->weight ? rstd * tt_row_at(s->weight, c, n, 0) : rstd;
    for (int64_t b = 0; b < s->batch; b++) {
        vf y = (tt_row_at(s->x + b * row, c, n, 0) - mean) * rstd;
        vf g = tt_row_at(s->g + b * row, c, n, 0);
        tt_row_put(s->out + b * row, c, n,
                   (s->training ? g - mean_g - y * mean_gy : g) * factor);
    }
}

#define TT_BATCH_NORM(NAME)                                                            \
    static void tt_##NAME##_f32(const tt_batch_norm_args *s)                           \
    {                                                                                  \
        const tt_channel a = {s->batch, s->space, s->channels * s->space};             \
        if (s->space == 1)                                                             \
            for (int64_t c = s->first; c < s->last; c += VL) tt_##NAME##_lanes(s, c);  \
        else                                                                           \
            for (int64_t c = s->first; c < s->last; c++) tt_##NAME##_channel(s, a, c); \
    }

TT_BATCH_NORM(batch_norm)
TT_BATCH_NORM(batch_norm_backward)

#endif
