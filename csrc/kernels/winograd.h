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

/* --- What the method may be used for -------------------------------------------------------- */

/* An error of the method is relative to the largest |x| of a tile, not of the pixels that an output
 * sees. Sizes are compared as integers: as floats of one sign, in the same order, NaN above inf. */
enum { TT_WINOGRAD_BLOCK = 1024 / VL }; /* vectors of pixels: they stay in the first-level cache */

/* sizes = max(sizes, |x|) over `planes` planes: inlined with constant `planes`. */
TT_INLINE void tt_winograd_sizes(
    const float *x, int64_t step, const int planes, int64_t n, vi *sizes)
{
    const vi no_sign = vi_set1(INT32_MAX);
    for (int64_t i = 0; i < n; i += VL) {
        const int64_t lanes = n - i < VL ? n - i : VL;
        vi size = sizes[i / VL];
        TT_UNROLL for (int c = 0; c < planes; c++) {
            const float *at = x + c * step + i;
            size = vi_max(size, (vi)(lanes == VL ? vf_load(at) : vf_load_n(at, lanes)) & no_sign);
        }
        sizes[i / VL] = size;
    }
}

static void tt_winograd_range_f32(const tt_winograd_range_args *s)
{
    const vi no_sign = vi_set1(INT32_MAX);
    vi top = {0}, low = no_sign, sizes[TT_WINOGRAD_BLOCK];
    for (int64_t p = 0; p < s->size; p += TT_WINOGRAD_BLOCK * VL) {
        const int64_t left = s->size - p;
        const int64_t n = left < TT_WINOGRAD_BLOCK * VL ? left : TT_WINOGRAD_BLOCK * VL;
        const float *x = s->planes + p;
        int64_t c = 0;
        for (int64_t v = 0; v * VL < n; v++) sizes[v] = (vi){0};
        for (; c + 8 <= s->channels; c += 8)
            tt_winograd_sizes(x + c * s->step, s->step, 8, n, sizes);
        for (; c < s->channels; c++) tt_winograd_sizes(x + c * s->step, s->step, 1, n, sizes);
        for (int64_t v = 0; v * VL < n; v++) {
            const vi unused = n - v * VL < VL ? ~vi_first(n - v * VL) : (vi){0};
            top = vi_max(top, sizes[v]);
            low = no_sign - vi_max(no_sign - low, no_sign - (sizes[v] | (unused & no_sign)));
        }
        if (s->map) memcpy(s->map + p, sizes, (size_t)n * sizeof(float));
    }
    for (int i = 1; i < VL; i++) {
        top[0] = top[i] > top[0] ? top[i] : top[0];
        low[0] = low[i] < low[0] ? low[i] : low[0];
    }
    *s->largest = ((vf)top)[0];
    *s->smallest = ((vf)low)[0];
}

/* --- Planes and strips ---------------------------------------------------------------------- */

enum { TT_WINOGRAD_STRIP = 6 * (4 * TT_WINOGRAD_TILES + 2) }; /* vectors */

/* Columns [column, column + columns) of `rows` rows of up to VL planes, from or to a strip: inlined
 * with `store` constant. What is outside the planes is read as 0, and not written. */
TT_INLINE void tt_winograd_planes(int store, const tt_winograd_args *s, float *planes,
                                  int64_t channels, const float *bias, float *strip, int64_t rows,
                                  int64_t columns)
{
    const int64_t top = s->row < 0 ? -s->row : 0, left = s->column < 0 ? -s->column : 0;
    const int64_t bottom = s->height - s->row < rows ? s->height - s->row : rows;
    const int64_t right = s->width - s->column < columns ? s->width - s->column : columns;
    const int64_t step = s->height * s->width;
    if (!store && (top > 0 || left > 0 || bottom < rows || right < columns))
        memset(strip, 0, sizeof(float) * (size_t)(rows * columns * VL));
    if (left >= right || top >= bottom) return;
    /* Whole rows lie behind one another, and are one run. */
    const int whole = s->column + left == 0 && s->column + right == s->width;
    const int64_t run = whole ? (bottom - top) * s->width : right - left;
    for (int64_t y = top; y < bottom; y += whole ? bottom - top : 1) {
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
                TT_UNROLL for (int j = 0; j < VL; j++) {
                    block[j] = vf_zero();
                    if (j < channels)
                        block[j] = n == VL ? vf_load(plane + j * step + i)
                                           : vf_load_n(plane + j * step + i, n);
                }
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

/* Planes to transformed tiles: of the image or of the gradient of the output. */
TT_INLINE void tt_winograd_tiles_of(tt_winograd_matrix m, const tt_winograd_args *s)
{
    float strip[TT_WINOGRAD_STRIP * VL] __attribute__((aligned(TT_VECTOR_BYTES)));
    const int64_t size = tt_winograd_columns(m), columns = 4 * s->tiles + size - 4;
    for (int64_t c = 0; c < s->channels; c += VL) {
        const int64_t channels = s->channels - c < VL ? s->channels - c : VL;
        tt_winograd_planes(0, s, s->planes + c * s->height * s->width, channels, NULL, strip, size,
                           columns);
        for (int64_t t = 0; t < s->tiles; t++)
            tt_winograd_square(m, strip + 4 * t * VL, columns * VL, VL,
                               s->transformed + t * s->tile_step + c, 6 * s->point_step,
                               s->point_step);
    }
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
    for (int64_t c = 0; c < s->channels; c += VL) {
        const int64_t channels = s->channels - c < VL ? s->channels - c : VL;
        for (int64_t t = 0; t < s->tiles; t++)
            tt_winograd_square(TT_WINOGRAD_OUTPUT, s->transformed + t * s->tile_step + c,
                               6 * s->point_step, s->point_step, strip + 4 * t * VL, columns * VL,
                               VL);
        tt_winograd_planes(1, s, s->planes + c * s->height * s->width, channels,
                           s->bias ? s->bias + c : NULL, strip, 4, columns);
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
    for (int64_t d = 0; d < s->depth; d++) {
        tt_winograd_taps(0, s->taps + d * s->depth_step, s->filter_step, s->filters, s->reversed,
                         strip);
        tt_winograd_square(TT_WINOGRAD_TAPS, strip, 3 * VL, VL, s->transformed + d * s->row_step,
                           6 * s->point_step, s->point_step);
    }
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
