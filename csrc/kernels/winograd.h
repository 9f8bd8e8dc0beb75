/* Winograd's minimal filtering F(4 × 4, 3 × 3): a 3 × 3 convolution of stride 1 by 36 products for
 * 16 outputs, where the plain sum takes 144 (Lavin & Gray 2015).
 *
 * With d a tile of the image, 6 × 6 (tiles are 4 apart), w a filter's 3 × 3 taps, y 4 × 4 outputs:
 *
 *     y  = Aᵀ [ Σ_c (G w Gᵀ) ∘ (Bᵀ d B) ] A           of the filter: w' = Gᵀ [ Σ_tiles … ] G
 *                                                      with A g Aᵀ in the place of G w Gᵀ
 *
 * The sums over channels (or tiles) are 36 matrix products, one for each point (i, j) of a tile;
 * here are the transforms around them. Polynomials are evaluated at 0, ±a, ±b, ∞. With a = √½ and
 * b = √2 rounding errors are half of those of the usual 1 and 2:
 *
 *         ⎡1   0 -5/2   0   1   0⎤       ⎡  1     0     0 ⎤
 *         ⎢0 -2a   -2   a   1   0⎥       ⎢-2/3 -2a/3  -1/3⎥       ⎡1  1   1   1   1   0⎤
 *    Bᵀ = ⎢0  2a   -2  -a   1   0⎥   G = ⎢-2/3  2a/3  -1/3⎥  Aᵀ = ⎢0  a  -a   b  -b   0⎥
 *         ⎢0 -b/2 -1/2  b   1   0⎥       ⎢ 1/6  b/6    1/3⎥       ⎢0 a²  a²  b²  b²   0⎥
 *         ⎢0  b/2 -1/2 -b   1   0⎥       ⎢ 1/6 -b/6    1/3⎥       ⎣0 a³ -a³  b³ -b³   1⎦
 *         ⎣0   1    0 -5/2  0   1⎦       ⎣  0     0     1 ⎦
 *
 * Lanes are channels: planes are transposed on the way into a strip [row][column][VL channels],
 * and transformed tiles lie as [point][tile][channel]. */
#include "../simd.h"
#include "registers.h"
#include "transpose.h"

#define TT_ROOT_HALF 0.70710678118654752f
#define TT_ROOT_2 1.41421356237309505f

typedef enum {
    TT_WINOGRAD_IMAGE,    /* Bᵀ x, 6 to 6 */
    TT_WINOGRAD_OUTPUT,   /* Aᵀ x, 6 to 4 */
    TT_WINOGRAD_GRADIENT, /* A x, 4 to 6 */
    TT_WINOGRAD_TAPS,     /* G x, 3 to 6 */
    TT_WINOGRAD_GRAD_TAPS /* Gᵀ x, 6 to 3 */
} tt_winograd_matrix;

TT_INLINE int tt_winograd_columns(tt_winograd_matrix m)
{
    return m == TT_WINOGRAD_TAPS ? 3 : m == TT_WINOGRAD_GRADIENT ? 4 : 6;
}
TT_INLINE int tt_winograd_rows(tt_winograd_matrix m)
{
    return m == TT_WINOGRAD_GRAD_TAPS ? 3 : m == TT_WINOGRAD_OUTPUT ? 4 : 6;
}

/* out = matrix · x, the elements `step` and `out_step` vectors apart. */
TT_INLINE void tt_winograd_line(tt_winograd_matrix m, const vf *x, int step, vf *out, int out_step)
{
    const vf a = vf_set1(TT_ROOT_HALF), b = vf_set1(TT_ROOT_2);
    const vf a3 = vf_set1(TT_ROOT_HALF / 2), b3 = vf_set1(2 * TT_ROOT_2);
    const vf half = vf_set1(0.5f), two = vf_set1(2), third = vf_set1(1.0f / 3);
    const vf x0 = x[0], x1 = x[step], x2 = x[2 * step];
    vf y[6];
    if (m == TT_WINOGRAD_TAPS) {
        const vf even_a = -third * vf_fma(two, x0, x2), odd_a = -2 * third * a * x1;
        const vf even_b = third * vf_fma(half, x0, x2), odd_b = half * third * b * x1;
        y[0] = x0;
        y[1] = even_a + odd_a, y[2] = even_a - odd_a;
        y[3] = even_b + odd_b, y[4] = even_b - odd_b;
        y[5] = x2;
    } else if (m == TT_WINOGRAD_GRADIENT) {
        const vf x3 = x[3 * step];
        const vf even_a = vf_fma(half, x2, x0), odd_a = vf_fma(a3, x3, a * x1);
        const vf even_b = vf_fma(two, x2, x0), odd_b = vf_fma(b3, x3, b * x1);
        y[0] = x0;
        y[1] = even_a + odd_a, y[2] = even_a - odd_a;
        y[3] = even_b + odd_b, y[4] = even_b - odd_b;
        y[5] = x3;
    } else {
        const vf x3 = x[3 * step], x4 = x[4 * step], x5 = x[5 * step];
        if (m == TT_WINOGRAD_IMAGE) {
            const vf even_a = vf_fma(-two, x2, x4), odd_a = vf_fma(-two, x1, x3);
            const vf even_b = vf_fma(-half, x2, x4), odd_b = vf_fma(-half, x1, x3);
            const vf c = vf_set1(-2.5f);
            y[0] = vf_fma(c, x2, x0 + x4);
            y[1] = vf_fma(a, odd_a, even_a), y[2] = vf_fma(-a, odd_a, even_a);
            y[3] = vf_fma(b, odd_b, even_b), y[4] = vf_fma(-b, odd_b, even_b);
            y[5] = vf_fma(c, x3, x1 + x5);
        } else {
            const vf sum_a = x1 + x2, sum_b = x3 + x4;
            const vf difference_a = x1 - x2, difference_b = x3 - x4;
            if (m == TT_WINOGRAD_OUTPUT) {
                y[0] = x0 + sum_a + sum_b;
                y[1] = vf_fma(a, difference_a, b * difference_b);
                y[2] = vf_fma(half, sum_a, two * sum_b);
                y[3] = vf_fma(a3, difference_a, vf_fma(b3, difference_b, x5));
            } else {
                const vf c = vf_set1(-2 * TT_ROOT_HALF / 3), d = vf_set1(TT_ROOT_2 / 6);
                y[0] = vf_fma(third, vf_fma(half, sum_b, -two * sum_a), x0);
                y[1] = vf_fma(c, difference_a, d * difference_b);
                y[2] = vf_fma(third, sum_b - sum_a, x5);
            }
        }
    }
    TT_UNROLL for (int i = 0; i < tt_winograd_rows(m); i++) out[i * out_step] = y[i];
}

/* matrix · x · matrixᵀ: x[i][j] at x + i * x_row + j * x_step, out likewise. */
TT_INLINE void tt_winograd_square(tt_winograd_matrix m, const float *x, int64_t x_row,
                                  int64_t x_step, float *out, int64_t out_row, int64_t out_step)
{
    const int n = tt_winograd_columns(m), rows = tt_winograd_rows(m);
    vf column[6], half_done[36], row[6];
    TT_UNROLL for (int j = 0; j < n; j++) {
        TT_UNROLL for (int i = 0; i < n; i++) column[i] = vf_load(x + i * x_row + j * x_step);
        tt_winograd_line(m, column, 1, half_done + j, n);
    }
    TT_UNROLL for (int i = 0; i < rows; i++) {
        tt_winograd_line(m, half_done + i * n, 1, row, 1);
        TT_UNROLL for (int j = 0; j < rows; j++) vf_store(out + i * out_row + j * out_step, row[j]);
    }
}

/* --- Planes and strips ---------------------------------------------------------------------- */

enum {
    TT_WINOGRAD_COLUMNS = 4 * TT_WINOGRAD_TILES + 2,
    TT_WINOGRAD_STRIP = 6 * TT_WINOGRAD_COLUMNS,                /* vectors */
    TT_WINOGRAD_SIZES = 6 * ((TT_WINOGRAD_COLUMNS - 1) / VL + 1) /* vectors */
};

/* What of a strip's `rows` × `columns` lies within the planes: [top, bottom) and [left, right).
 * It is read and written by runs: whole rows lie behind one another, and are one. */
typedef struct {
    int64_t rows, columns;
    int64_t top, bottom, left, right;
    int64_t run, run_rows;
} tt_winograd_window;

TT_INLINE tt_winograd_window tt_winograd_within(const tt_winograd_args *s, int64_t rows,
                                                int64_t columns)
{
    tt_winograd_window w = {.rows = rows, .columns = columns, .run_rows = 1};
    w.top = s->row < 0 ? -s->row : 0;
    w.left = s->column < 0 ? -s->column : 0;
    w.bottom = s->height - s->row < rows ? s->height - s->row : rows;
    w.right = s->width - s->column < columns ? s->width - s->column : columns;
    if (w.left >= w.right || w.top >= w.bottom)
        w.bottom = w.top; /* nothing */
    else if (s->column + w.left == 0 && s->column + w.right == s->width)
        w.run_rows = w.bottom - w.top;
    w.run = w.run_rows * (w.right - w.left);
    return w;
}

/* What of a strip is outside the planes is 0, for all of them. */
TT_INLINE void tt_winograd_clear_around(const tt_winograd_window *w, float *strip)
{
    for (int64_t y = 0; y < w->rows; y++, strip += w->columns * VL) {
        const int inside = y >= w->top && y < w->bottom;
        const int64_t left = inside ? w->left : w->columns, right = inside ? w->right : w->columns;
        for (int64_t x = 0; x < left; x++) vf_store(strip + x * VL, vf_zero());
        for (int64_t x = right; x < w->columns; x++) vf_store(strip + x * VL, vf_zero());
    }
}

/* Up to VL planes, from or to a strip: inlined with `store` constant. What is outside the planes is
 * neither read nor written. `sizes` is the largest |x| of each pixel, of the first planes and all
 * further ones: run by run, each filled up to whole vectors. Sizes are compared as integers: as
 * floats of one sign, in the same order, NaN above inf. */
TT_INLINE void tt_winograd_planes(int store, const tt_winograd_args *s, float *planes,
                                  int64_t channels, const float *bias, float *strip,
                                  const tt_winograd_window *w, int first, vi *sizes)
{
    const int64_t step = s->plane_step, columns = w->columns;
    const int64_t left = w->left, right = w->right, run = w->run;
    const vi no_sign = vi_set1(INT32_MAX);
    for (int64_t y = w->top; y < w->bottom; y += w->run_rows) {
        float *plane = planes + (s->row + y) * s->width + s->column + left;
        float *at = strip + (y * columns + left) * VL; /* of column x */
        int64_t x = left;
        for (int64_t i = 0; i < run; i += VL) {
            const int64_t n = run - i < VL ? run - i : VL;
            vf block[VL];
            if (store) {
                TT_UNROLL for (int j = 0; j < VL; j++) {
                    block[j] = vf_zero();
                    if (j >= n) continue;
                    block[j] = vf_load(at);
                    at += VL;
                    if (++x == right) x = left, at += (columns - (right - left)) * VL;
                }
                vf_transpose(block);
                TT_UNROLL for (int j = 0; j < VL; j++) {
                    if (j >= channels) break;
                    const vf y_out = bias ? block[j] + vf_set1(bias[j]) : block[j];
                    if (n == VL)
                        vf_store(plane + j * step + i, y_out);
                    else
                        vf_store_n(plane + j * step + i, y_out, n);
                }
            } else {
                vi size = first ? (vi){0} : *sizes;
                TT_UNROLL for (int j = 0; j < VL; j++) {
                    block[j] = vf_zero();
                    if (j < channels) {
                        const float *from = plane + j * step + i;
                        block[j] = n == VL ? vf_load(from) : vf_load_n(from, n);
                        size = vi_max(size, (vi)block[j] & no_sign);
                        TT_KEEP(size); /* at once, or all |x| would be kept beside the block */
                    }
                }
                *sizes++ = size;
                vf_transpose(block);
                TT_UNROLL for (int j = 0; j < VL; j++) {
                    if (j >= n) break;
                    vf_store(at, block[j]);
                    at += VL;
                    if (++x == right) x = left, at += (columns - (right - left)) * VL;
                }
            }
        }
    }
}

/* An error of the method is relative to the largest |x| of a tile, not of the 3 × 3 pixels that an
 * output sees. It is exact enough where the largest of these is 1 / REACH of the tile's or more. */
enum { TT_WINOGRAD_REACH = 16 };

/* Are some outputs of `tiles` tiles of `size` × `size` blind to what is large in their tile? */
static int tt_winograd_blind(const tt_winograd_window *w, const vi *sizes, int64_t tiles)
{
    float map[TT_WINOGRAD_STRIP] = {0}, seen[4 * TT_WINOGRAD_COLUMNS];
    const int64_t columns = w->columns, windows = w->rows - 2; /* windows of 3 × 3 down, across */
    for (int64_t y = w->top; y < w->bottom; y += w->run_rows) {
        const float *size = (const float *)sizes;
        for (int64_t r = 0; r < w->run_rows; r++, size += w->right - w->left)
            memcpy(map + (y + r) * columns + w->left, size,
                   sizeof(float) * (size_t)(w->right - w->left));
        sizes += (w->run + VL - 1) / VL;
    }
    for (int64_t i = 0; i < windows; i++) {
        for (int64_t x = 0; x < columns - 2; x++) {
            float largest = 0;
            for (int64_t y = i; y < i + 3; y++)
                for (int64_t j = x; j < x + 3; j++)
                    largest = map[y * columns + j] > largest ? map[y * columns + j] : largest;
            seen[i * columns + x] = largest;
        }
    }
    for (int64_t t = 0; t < tiles; t++) {
        float largest = 0, least = INFINITY;
        for (int64_t y = 0; y < windows; y++) {
            for (int64_t x = 4 * t; x < 4 * t + windows; x++) {
                const float size = seen[y * columns + x];
                largest = size > largest ? size : largest;
                /* A window outside the planes is no output's. */
                if (y + 2 < w->top || y >= w->bottom || x + 2 < w->left || x >= w->right) continue;
                least = size < least ? size : least;
            }
        }
        if (TT_WINOGRAD_REACH * least < largest) return 1;
    }
    return 0;
}

/* May the method be used for these sizes? Most often the largest and the smallest of all do. */
TT_INLINE int tt_winograd_is_odd(const tt_winograd_args *s, const tt_winograd_window *w,
                                 const vi *sizes)
{
    const vi no_sign = vi_set1(INT32_MAX);
    const vi *at = sizes;
    vi top = {0}, below = {0}; /* no_sign - the smallest */
    for (int64_t y = w->top; y < w->bottom; y += w->run_rows) {
        for (int64_t i = 0; i < w->run; i += VL, at++) {
            const vi unused = w->run - i < VL ? ~vi_first(w->run - i) & no_sign : (vi){0};
            top = vi_max(top, *at);
            below = vi_max(below, no_sign - (*at | unused));
        }
    }
    const float largest = vf_hmax((vf)top), smallest = vf_hmin((vf)(no_sign - below));
    if (!(largest <= s->limit)) return 1; /* or NaN */
    return TT_WINOGRAD_REACH * smallest < largest && tt_winograd_blind(w, sizes, s->tiles);
}

/* Planes to transformed tiles: of the image or of the gradient of the output. */
TT_INLINE void tt_winograd_tiles_of(tt_winograd_matrix m, const tt_winograd_args *s)
{
    float strip[TT_WINOGRAD_STRIP * VL] __attribute__((aligned(TT_VECTOR_BYTES)));
    vi sizes[TT_WINOGRAD_SIZES];
    const int64_t size = tt_winograd_columns(m), columns = 4 * s->tiles + size - 4;
    const tt_winograd_window w = tt_winograd_within(s, size, columns);
    tt_winograd_clear_around(&w, strip);
    for (int64_t c = 0; c < s->channels; c += VL) {
        const int64_t channels = s->channels - c < VL ? s->channels - c : VL;
        tt_winograd_planes(0, s, s->planes + c * s->plane_step, channels, NULL, strip, &w,
                           c == 0, sizes);
        for (int64_t t = 0; t < s->tiles; t++)
            tt_winograd_square(m, strip + 4 * t * VL, columns * VL, VL,
                               s->transformed + t * s->tile_step + c, 6 * s->point_step,
                               s->point_step);
    }
    *s->odd = (uint8_t)tt_winograd_is_odd(s, &w, sizes);
}

static void tt_winograd_image_f32(const tt_winograd_args *s)
{
    tt_winograd_tiles_of(TT_WINOGRAD_IMAGE, s);
}

static void tt_winograd_gradient_f32(const tt_winograd_args *s)
{
    tt_winograd_tiles_of(TT_WINOGRAD_GRADIENT, s);
}

static void tt_winograd_output_f32(const tt_winograd_args *s)
{
    float strip[TT_WINOGRAD_STRIP * VL] __attribute__((aligned(TT_VECTOR_BYTES)));
    const int64_t columns = 4 * s->tiles;
    const tt_winograd_window w = tt_winograd_within(s, 4, columns);
    for (int64_t c = 0; c < s->channels; c += VL) {
        const int64_t channels = s->channels - c < VL ? s->channels - c : VL;
        for (int64_t t = 0; t < s->tiles; t++)
            tt_winograd_square(TT_WINOGRAD_OUTPUT, s->transformed + t * s->tile_step + c,
                               6 * s->point_step, s->point_step, strip + 4 * t * VL, columns * VL,
                               VL);
        tt_winograd_planes(1, s, s->planes + c * s->plane_step, channels,
                           s->bias ? s->bias + c : NULL, strip, &w, 0, NULL);
    }
}

/* --- Taps ----------------------------------------------------------------------------------- */

/* The 9 taps of up to VL filters, from or to a strip [tap][VL]; filters are `step` apart. */
TT_INLINE void tt_winograd_taps(int store, float *taps, int64_t step, int64_t filters, int reversed,
                                float *strip)
{
    for (int64_t i = 0; i < 9; i += VL) {
        const int64_t n = 9 - i < VL ? 9 - i : VL;
        vf block[VL];
        TT_UNROLL for (int j = 0; j < VL; j++) {
            block[j] = vf_zero();
            if (!store && j < filters)
                block[j] = n == VL ? vf_load(taps + j * step + i)
                                   : vf_load_n(taps + j * step + i, n);
            if (store && j < n) block[j] = vf_load(strip + (i + j) * VL);
        }
        vf_transpose(block);
        TT_UNROLL for (int j = 0; j < VL; j++) {
            if (!store && j < n) vf_store(strip + (reversed ? 8 - i - j : i + j) * VL, block[j]);
            if (!store || j >= filters) continue;
            if (n == VL)
                vf_store(taps + j * step + i, block[j]);
            else
                vf_store_n(taps + j * step + i, block[j], n);
        }
    }
}

static void tt_winograd_taps_f32(const tt_winograd_taps_args *s)
{
    float strip[9 * VL] __attribute__((aligned(TT_VECTOR_BYTES)));
    const vi no_sign = vi_set1(INT32_MAX);
    vi largest = {0};
    vf sum = vf_zero();
    for (int64_t d = 0; d < s->depth; d++) {
        tt_winograd_taps(0, s->taps + d * s->depth_step, s->filter_step, s->filters, s->reversed,
                         strip);
        TT_UNROLL for (int i = 0; i < 9; i++) {
            const vi size = (vi)vf_load(strip + i * VL) & no_sign;
            largest = vi_max(largest, size);
            sum += (vf)size;
        }
        tt_winograd_square(TT_WINOGRAD_TAPS, strip, 3 * VL, VL, s->transformed + d * s->row_step,
                           6 * s->point_step, s->point_step);
    }
    vf_store(s->largest, (vf)largest);
    vf_store(s->sum, sum);
}

static void tt_winograd_grad_taps_f32(const tt_winograd_taps_args *s)
{
    float strip[9 * VL] __attribute__((aligned(TT_VECTOR_BYTES)));
    for (int64_t d = 0; d < s->depth; d++) {
        tt_winograd_square(TT_WINOGRAD_GRAD_TAPS, s->transformed + d * s->row_step,
                           6 * s->point_step, s->point_step, strip, 3 * VL, VL);
        tt_winograd_taps(1, s->taps + d * s->depth_step, s->filter_step, s->filters, 0, strip);
    }
}
