/* Pooling of planes. Windows are given by where they begin and end along each axis, cut to the
 * plane: so padding, ceil mode and adaptive sizes are all the same to the kernels. */
#include "../simd.h"
#include "transpose.h"

/* --- A vector of windows -------------------------------------------------------------------- */

/* p[0], p[step], …: n of them, 0 < n <= VL; nothing behind the last is read. */
TT_INLINE vf tt_every(const float *p, int64_t step, int64_t n)
{
    if (step == 1) return n == VL ? vf_load(p) : vf_load_n(p, n);
    vf x = vf_zero();
    if (step == 2) {
        const int64_t span = 2 * n - 1;
        vf low = span < VL ? vf_load_n(p, span) : vf_load(p);
        vf high = span > VL ? vf_load_n(p + VL, span - VL) : x;
        return TT_EVEN(low, high);
    }
    for (int i = 0; i < n; i++) x[i] = p[i * step];
    return x;
}

/* How many windows from j on are whole and evenly apart; at most VL. */
TT_INLINE int64_t tt_whole_windows(const tt_pool_args *s, int64_t j)
{
    int64_t n = s->out_width - j < VL ? s->out_width - j : VL;
    if (s->stride_x == 0 || s->right[j] - s->left[j] != s->span_x) return 0;
    while (s->right[j + n - 1] - s->left[j + n - 1] != s->span_x) n--;
    return n;
}

/* --- Kernels -------------------------------------------------------------------------------- */

/* The windows j … j + n - 1 of row i: their largest, and where it is. */
TT_INLINE void tt_max_of_windows(const tt_pool_args *s, const float *x, int64_t i, int64_t j,
                                 int64_t n, float *out, int64_t *indices)
{
    const vi lanes = vi_iota() * (int32_t)s->stride_x;
    const int64_t first = s->top[i] * s->width + s->left[j];
    vf best = vf_set1(-INFINITY); /* of a window of nothing else the first is the largest */
    vi best_at = lanes + (int32_t)first;
    for (int64_t y = s->top[i]; y < s->bottom[i]; y += s->step_y)
        for (int64_t c = 0; c < s->span_x; c += s->step_x) {
            const int64_t at = y * s->width + s->left[j] + c;
            const vf value = tt_every(x + at, s->stride_x, n);
            const vi better = (value > best) | ((value != value) & (best == best));
            best = vf_select(better, value, best);
            best_at = vi_select(better, lanes + (int32_t)at, best_at);
        }
    if (n == VL) {
        vf_store(out, best);
        vi_store_i64(indices, best_at);
    } else {
        vf_store_n(out, best, n);
        for (int l = 0; l < n; l++) indices[l] = best_at[l];
    }
}

/* The largest of each window and its index in the plane: the first such, the first NaN if any. */
static void tt_max_pool_f32(const tt_pool_args *s)
{
    const float *x = s->x;
    const int small = s->height * s->width <= INT32_MAX;
    for (int64_t row = 0; row < s->planes * s->out_height; row++) {
        const int64_t i = row % s->out_height;
        float *out = s->out + row * s->out_width;
        int64_t *indices = s->indices + row * s->out_width;
        if (row > 0 && i == 0) x += s->height * s->width;
        for (int64_t j = 0; j < s->out_width; j++) {
            const int64_t n = small ? tt_whole_windows(s, j) : 0;
            if (n > 0) {
                tt_max_of_windows(s, x, i, j, n, out + j, indices + j);
                j += n - 1;
                continue;
            }
            int64_t best_at = s->top[i] * s->width + s->left[j];
            float best = x[best_at];
            for (int64_t y = s->top[i]; y < s->bottom[i]; y += s->step_y)
                for (int64_t c = s->left[j]; c < s->right[j]; c += s->step_x) {
                    const int64_t at = y * s->width + c;
                    const float value = x[at];
                    const int better = (value > best) | ((value != value) & (best == best));
                    best = better ? value : best;
                    best_at = better ? at : best_at;
                }
            out[j] = best;
            indices[j] = best_at;
        }
    }
}

/* One window of an average. */
TT_INLINE float tt_sum_of_window(const tt_pool_args *s, const float *x, int64_t i, int64_t j)
{
    vf sums = vf_zero();
    float rest = 0;
    for (int64_t y = s->top[i]; y < s->bottom[i]; y++) {
        int64_t c = s->left[j];
        for (; c + VL <= s->right[j]; c += VL) sums += vf_load(x + y * s->width + c);
        for (; c < s->right[j]; c++) rest += x[y * s->width + c];
    }
    return s->right[j] - s->left[j] >= VL ? vf_hsum(sums) + rest : rest;
}

/* The sum of each window times the weight of its place. */
static void tt_avg_pool_f32(const tt_pool_args *s)
{
    const float *x = s->x;
    for (int64_t row = 0; row < s->planes * s->out_height; row++) {
        const int64_t i = row % s->out_height;
        const float *weights = s->weights + i * s->out_width;
        float *out = s->out + row * s->out_width;
        if (row > 0 && i == 0) x += s->height * s->width;
        for (int64_t j = 0; j < s->out_width; j++) {
            const int64_t n = tt_whole_windows(s, j);
            if (n < VL && n < s->right[j] - s->left[j]) { /* few windows, or a wide one */
                out[j] = tt_sum_of_window(s, x, i, j) * weights[j];
                continue;
            }
            vf sums = vf_zero();
            for (int64_t y = s->top[i]; y < s->bottom[i]; y++)
                for (int64_t c = s->left[j]; c < s->right[j]; c++)
                    sums += tt_every(x + y * s->width + c, s->stride_x, n);
            if (n == VL)
                vf_store(out + j, sums * vf_load(weights + j));
            else
                vf_store_n(out + j, sums * vf_load_n(weights + j, n), n);
            j += n - 1;
        }
    }
}

/* x here is the gradient of the output; out, the gradient of the input, is zeros to begin with. */
static void tt_avg_pool_grad_f32(const tt_pool_args *s)
{
    const float *g = s->x;
    float *out = s->out;
    for (int64_t plane = 0; plane < s->planes; plane++, out += s->height * s->width)
        for (int64_t i = 0; i < s->out_height; i++)
            for (int64_t j = 0; j < s->out_width; j++) {
                const float share = *g++ * s->weights[i * s->out_width + j];
                for (int64_t y = s->top[i]; y < s->bottom[i]; y++)
                    for (int64_t c = s->left[j]; c < s->right[j]; c++)
                        out[y * s->width + c] += share;
            }
}

/* out[index] += x for the elements of each plane; indices outside of a plane are passed over. */
static void tt_scatter_planes_f32(const tt_planes_args *s)
{
    for (int64_t plane = 0; plane < s->planes; plane++) {
        const float *x = s->x + plane * s->picks;
        const int64_t *indices = s->indices + plane * s->picks;
        float *out = s->out + plane * s->size;
        for (int64_t i = 0; i < s->picks; i++)
            if (indices[i] >= 0 && indices[i] < s->size) out[indices[i]] += x[i];
    }
}
