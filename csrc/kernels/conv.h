/* Convolution's patches: rows of the matrix that im2col would write, made where they are used.
 *
 * The matrix of one image and group has a row for each tap k = ((c Q + q) R + r) S + s, and a
 * column for each output pixel p = (z Y + y) X + x:
 *
 *     patch[k][p] = image[c][z sz + q dz - front][y sy + r dy - top][x sx + s dx - left],
 *                   0 outside the image
 *
 * A product by the weights (filters × taps) is the convolution. In a flat image z and q are 0. */
#include "../simd.h"
#include "registers.h"
#include "transpose.h"

/* Which lanes are n pixels, n <= VL, and a patch of them: of stride 2 the even ones of two vectors,
 * up to the last pixel. */
typedef struct {
    int64_t step, reach, n;
    vi low, high, patch;
} tt_conv_lanes;

TT_INLINE tt_conv_lanes tt_conv_lanes_of(int64_t step, int64_t n)
{
    const int64_t reach = step * (n - 1) + 1;
    return (tt_conv_lanes){
        step, reach, n, vi_between(0, reach), vi_between(0, reach - VL), vi_between(0, n)};
}

/* Store the first n lanes, which may be none or all. */
TT_INLINE void tt_conv_put(float *p, vf x, int64_t n)
{
    if (n >= VL)
        vf_store(p, x);
    else if (n > 0)
        vf_store_n(p, x, n);
}

TT_INLINE void tt_conv_few(int add, float *image, float *patch, tt_conv_lanes lanes)
{
    const vf low = vf_load_lanes(image, lanes.low);
    if (lanes.step == 1) {
        if (add)
            tt_conv_put(image, low + vf_load_lanes(patch, lanes.patch), lanes.n);
        else
            tt_conv_put(patch, low, lanes.n);
        return;
    }
    const vf high = vf_load_lanes(image + VL, lanes.high);
    if (add) {
        const vf x = vf_load_lanes(patch, lanes.patch);
        tt_conv_put(image, low + TT_LOWER(x, vf_zero()), lanes.reach);
        tt_conv_put(image + VL, high + TT_UPPER(x, vf_zero()), lanes.reach - VL);
    } else {
        tt_conv_put(patch, TT_EVEN(low, high), lanes.n);
    }
}

/* Copy a row's pixels into a patch, or add a patch to them; `rest` are the lanes of its last
 * vector. Inlined with `add` constant. */
TT_INLINE void tt_conv_run(int add, float *image, int64_t step, float *patch, int64_t n,
                           tt_conv_lanes rest)
{
    int64_t i = 0;
    if (step == 1) {
        for (; i + VL <= n; i += VL) {
            if (add)
                vf_store(image + i, vf_load(image + i) + vf_load(patch + i));
            else
                vf_store(patch + i, vf_load(image + i));
        }
        if (i < n && add)
            vf_store_n(image + i, vf_load_n(image + i, n - i) + vf_load_n(patch + i, n - i), n - i);
        else if (i < n)
            vf_store_n(patch + i, vf_load_n(image + i, n - i), n - i);
        return;
    }
    if (step == 2) { /* the pixels are the even ones of two vectors */
        for (; i + VL < n; i += VL) {
            float *at = image + 2 * i;
            const vf low = vf_load(at), high = vf_load(at + VL);
            if (add) {
                const vf x = vf_load(patch + i);
                vf_store(at, low + TT_LOWER(x, vf_zero()));
                vf_store(at + VL, high + TT_UPPER(x, vf_zero()));
            } else {
                vf_store(patch + i, TT_EVEN(low, high));
            }
        }
        tt_conv_few(add, image + 2 * i, patch + i, rest);
        return;
    }
    for (; i < n; i++) {
        if (add)
            image[i * step] += patch[i];
        else
            patch[i] = image[i * step];
    }
}

/* Columns [pixel, pixel + pixels) of the rows of `s`, to or from patches + row * patch_row. */
TT_INLINE void tt_conv_walk(int add, const tt_conv_args *s, int64_t pixel, int64_t pixels,
                            float *patches, int64_t patch_row)
{
    const int64_t first_x = pixel % s->out_width, line = pixel / s->out_width;
    const int64_t first_y = line % s->out_height, first_z = line / s->out_height;
    for (int64_t kx = 0; kx < s->kernel_x; kx++) {
        /* The output columns [first, last) for which this tap is inside the image. */
        const int64_t shift = kx * s->dilation_x - s->left; /* image column of output column 0 */
        const int64_t first = shift < 0 ? tt_ceil_div(-shift, s->stride_x) : 0;
        const int64_t last = shift < s->width ? (s->width - 1 - shift) / s->stride_x + 1 : 0;
        /* The rows k = ((c Q + q) R + r) S + kx of this tap among those asked for. */
        const int64_t begin = tt_ceil_div(s->tap - kx, s->kernel_x);
        const int64_t end = tt_ceil_div(s->tap + s->taps - kx, s->kernel_x);
        const int64_t begin_r = begin % s->kernel_y, begin_cq = begin / s->kernel_y;
        const int64_t begin_q = begin_cq % s->kernel_z, begin_c = begin_cq / s->kernel_z;
        int64_t x = first_x, y = first_y, z = first_z;
        for (int64_t done = 0; done < pixels;) { /* one output row, or a part of it, at a time */
            const int64_t n = pixels - done < s->out_width - x ? pixels - done : s->out_width - x;
            const int64_t from = first > x ? (first - x < n ? first - x : n) : 0;
            const int64_t to = last - x < from ? from : (last - x < n ? last - x : n);
            const int64_t column = (x + from) * s->stride_x + shift;
            const int few = s->stride_x <= 2 && to - from <= VL && VL > 4;
            const int64_t rest = from < to ? (to - from - 1) % VL + 1 : 1; /* in the last vector */
            const tt_conv_lanes lanes = tt_conv_lanes_of(s->stride_x, rest);
            const int whole = from == 0 && to == n; /* no pixel of the row is outside the image */
            const int plain = !add && s->stride_x == 1 && whole && n == 2 * VL;
            int64_t r = begin_r, q = begin_q, c = begin_c;
            int64_t plane = z * s->stride_z + q * s->dilation_z - s->front;
            int64_t top = (c * s->depth + plane) * s->height * s->width + column;
            float *patch = patches + done + (begin * s->kernel_x + kx - s->tap) * patch_row;
            for (int64_t k = begin; k < end; k++, patch += s->kernel_x * patch_row) {
                const int64_t row = y * s->stride_y + r * s->dilation_y - s->top;
                const int inside = row >= 0 && row < s->height && plane >= 0 && plane < s->depth
                                   && from < to;
                float *image = inside ? s->image + top + row * s->width : s->image;
                if (inside && plain) {
                    const vf low = vf_load(image), high = vf_load(image + VL);
                    vf_store(patch, low);
                    vf_store(patch + VL, high);
                } else if (inside && few) {
                    tt_conv_few(add, image, patch + from, lanes);
                } else if (inside) {
                    tt_conv_run(add, image, s->stride_x, patch + from, to - from, lanes);
                }
                if (!add && !(inside && whole)) {
                    for (int64_t i = 0; i < (inside ? from : n); i++) patch[i] = 0;
                    for (int64_t i = inside ? to : n; i < n; i++) patch[i] = 0;
                }
                if (++r == s->kernel_y) {
                    r = 0;
                    if (++q == s->kernel_z) q = 0, c++;
                    plane = z * s->stride_z + q * s->dilation_z - s->front;
                    top = (c * s->depth + plane) * s->height * s->width + column;
                }
            }
            done += n;
            x = 0;
            if (++y == s->out_height) y = 0, z++;
        }
    }
}

/* patches[k][p], rows of s->patch_row elements. */
static void tt_conv_patches_f32(const tt_conv_args *s)
{
    tt_conv_walk(0, s, s->pixel, s->pixels, s->patches, s->patch_row);
}

/* The same in the panels that gemm_block takes as its packed B. */
static void tt_conv_panels_f32(const tt_conv_args *s)
{
    for (int64_t j = 0; j < s->pixels; j += TT_GEMM_COLUMNS) {
        int64_t columns = s->pixels - j < TT_GEMM_COLUMNS ? s->pixels - j : TT_GEMM_COLUMNS;
        int64_t padded = tt_round_up(columns, VL);
        float *panel = s->patches + j * s->taps;
        if (columns < padded)
            for (int64_t k = 0; k < s->taps; k++)
                vf_store(panel + (k + 1) * padded - VL, vf_zero());
        tt_conv_walk(0, s, s->pixel + j, columns, panel, padded);
    }
}

/* image += patches: col2im. */
static void tt_conv_add_patches_f32(const tt_conv_args *s)
{
    tt_conv_walk(1, s, s->pixel, s->pixels, s->patches, s->patch_row);
}
