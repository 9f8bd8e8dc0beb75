/* Pooling of planes. Windows are given by where they begin and end along each axis, cut to the
 * plane: so padding, ceil mode and adaptive sizes are all the same to the kernels. */
#include "../simd.h"

/* The largest of each window and its index in the plane: the first such, the first NaN if any. */
static void tt_max_pool_f32(const tt_pool_args *s)
{
    const float *x = s->x;
    float *out = s->out;
    int64_t *indices = s->indices;
    for (int64_t plane = 0; plane < s->planes; plane++, x += s->height * s->width)
        for (int64_t i = 0; i < s->out_height; i++)
            for (int64_t j = 0; j < s->out_width; j++) {
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
                *out++ = best;
                *indices++ = best_at;
            }
}

/* The sum of each window times the weight of its place. */
static void tt_avg_pool_f32(const tt_pool_args *s)
{
    const float *x = s->x;
    float *out = s->out;
    for (int64_t plane = 0; plane < s->planes; plane++, x += s->height * s->width)
        for (int64_t i = 0; i < s->out_height; i++)
            for (int64_t j = 0; j < s->out_width; j++) {
                vf sums = vf_zero();
                float rest = 0;
                for (int64_t y = s->top[i]; y < s->bottom[i]; y++) {
                    int64_t c = s->left[j];
                    for (; c + VL <= s->right[j]; c += VL) sums += vf_load(x + y * s->width + c);
                    for (; c < s->right[j]; c++) rest += x[y * s->width + c];
                }
                if (s->right[j] - s->left[j] >= VL) rest += vf_hsum(sums);
                *out++ = rest * s->weights[i * s->out_width + j];
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
