/* Direct convolution, where patches would cost more than the products with them: few filters to a
 * channel, or few channels.
 *
 * The rows of an image that a piece of the work reads are copied into a band, with zeros around
 * them, and the columns dealt out by their remainder by the stride:
 *
 *     band[c][row][remainder][column] = image[c][first + row][column stride + remainder - left]
 *
 * Of an image with a depth, the planes that a plane of the output reads are further channels.
 *
 * There, what a tap k = (c, r, s) multiplies for adjacent outputs of a row is adjacent too:
 *
 *     out[f][y][x] = Σ_k weight[f][k] band[y row_step + offset[k] + x]
 *
 * Vectors are pixels of a row; two vectors of some filters stay in registers. */
#include "../simd.h"
#include "registers.h"
#include "transpose.h"

/* `rows` rows of a plane of the image into the band, by whole vectors: inlined with stride 1 or 2.
 * A column of vectors at a time, for which the same lanes are inside the image. */
TT_INLINE void tt_direct_deal_rows(int stride, const tt_band_args *s, const float *image,
                                   int64_t rows, float *band)
{
    for (int64_t x = 0; x < s->pitch; x += VL) {
        const int64_t column = x * stride - s->left, next = column + VL;
        const vi low_lanes = vi_between(-column, s->width - column);
        const vi high_lanes = vi_between(-next, s->width - next);
        const float *from = image + column;
        float *to = band + x;
        for (int64_t row = 0; row < rows; row++, from += s->width, to += stride * s->pitch) {
            const vf low = vf_load_lanes(from, low_lanes);
            if (stride == 1) {
                vf_store(to, low);
                continue;
            }
            const vf high = vf_load_lanes(from + VL, high_lanes);
            vf_store(to, TT_EVEN(low, high));
            vf_store(to + s->pitch, TT_ODD(low, high));
        }
    }
}

/* Of other strides, a row: from the image to its band, or back. Inlined with `back` constant. */
TT_INLINE void tt_direct_deal_row(int back, const tt_band_args *s, float *image, float *band)
{
    const int64_t pitch = s->pitch, stride = s->stride_x;
    for (int64_t remainder = 0; remainder < stride; remainder++, band += pitch) {
        /* Columns [begin, end) of the band are inside the image. */
        const int64_t first = s->left - remainder, last = first + s->width;
        int64_t begin = first > 0 ? tt_ceil_div(first, stride) : 0;
        int64_t end = last > 0 ? tt_ceil_div(last, stride) : 0;
        end = end < pitch ? end : pitch;
        begin = begin < end ? begin : end;
        for (int64_t x = begin; x < end; x++) {
            float *pixel = image + x * stride - first;
            *(back ? pixel : band + x) = *(back ? band + x : pixel);
        }
        if (back) continue;
        for (int64_t x = 0; x < begin; x++) band[x] = 0;
        for (int64_t x = end; x < pitch; x++) band[x] = 0;
    }
}

TT_INLINE void tt_direct_clear(float *band, int64_t n) /* whole vectors */
{
    for (int64_t i = 0; i < n; i += VL) vf_store(band + i, vf_zero());
}

/* The band must have 2 VL elements behind it that can be read: they are computed with, not used. */
static void tt_direct_band_f32(const tt_band_args *s)
{
    const int64_t step = s->stride_x * s->pitch;
    /* Rows [begin, end) of the band are inside the image. */
    const int64_t begin = s->row < 0 ? (s->row + s->rows > 0 ? -s->row : s->rows) : 0;
    int64_t end = s->height - s->row < s->rows ? s->height - s->row : s->rows;
    if (end < begin) end = begin;
    for (int64_t c = 0; c < s->channels * s->planes; c++) {
        float *band = s->band + c * s->rows * step;
        const int64_t plane = s->plane + c % s->planes * s->plane_step;
        if (plane < 0 || plane >= s->depth) {
            tt_direct_clear(band, s->rows * step);
            continue;
        }
        const int64_t above = (c / s->planes * s->depth + plane) * s->height + s->row + begin;
        float *image = s->image + above * s->width;
        tt_direct_clear(band, begin * step);
        tt_direct_clear(band + end * step, (s->rows - end) * step);
        band += begin * step;
        if (s->stride_x == 1)
            tt_direct_deal_rows(1, s, image, end - begin, band);
        else if (s->stride_x == 2)
            tt_direct_deal_rows(2, s, image, end - begin, band);
        else
            for (int64_t row = begin; row < end; row++, image += s->width, band += step)
                tt_direct_deal_row(0, s, image, band);
    }
}

static void tt_direct_unband_f32(const tt_band_args *s)
{
    for (int64_t c = 0; c < s->channels; c++)
        for (int64_t row = 0; row < s->rows; row++) {
            const int64_t y = s->row + row;
            if (y >= 0 && y < s->height)
                tt_direct_deal_row(1, s, s->image + (c * s->height + y) * s->width,
                                   s->band + (c * s->rows + row) * s->stride_x * s->pitch);
        }
}

/* --- Output --------------------------------------------------------------------------------- */

/* A tile: some filters of some vectors of pixels, each anywhere. A lone filter takes more vectors,
 * so that there are sums enough to keep the arithmetic busy. */
enum { TT_DIRECT_VECTORS = 2, TT_DIRECT_VECTORS_OF_ONE = 8 };

typedef struct {
    const float *band[TT_DIRECT_VECTORS_OF_ONE];
    float *out[TT_DIRECT_VECTORS_OF_ONE];
    int64_t n[TT_DIRECT_VECTORS_OF_ONE]; /* lanes that are outputs */
    const float *weight, *bias;
    const int64_t *offsets;
    int64_t taps, out_plane;
    int accumulate;
} tt_direct_tile;

TT_INLINE void tt_direct_tile_of(int filters, int vectors, const tt_direct_tile *t)
{
    vf sum[TT_GEMM_ROWS][TT_DIRECT_VECTORS_OF_ONE];
    const float *band[TT_DIRECT_VECTORS_OF_ONE], *weight = t->weight;
    TT_UNROLL for (int v = 0; v < vectors; v++) {
        band[v] = t->band[v];
        TT_UNROLL for (int f = 0; f < filters; f++) sum[f][v] = vf_zero();
    }
    for (int64_t k = 0; k < t->taps; k++, weight += filters) {
        const int64_t offset = t->offsets[k];
        vf x[TT_DIRECT_VECTORS_OF_ONE];
        TT_UNROLL for (int v = 0; v < vectors; v++) x[v] = vf_load(band[v] + offset);
        TT_UNROLL for (int f = 0; f < filters; f++) {
            const vf w = vf_set1(weight[f]);
            TT_UNROLL for (int v = 0; v < vectors; v++) sum[f][v] = vf_fma(w, x[v], sum[f][v]);
        }
    }
    TT_UNROLL for (int v = 0; v < vectors; v++) TT_UNROLL for (int f = 0; f < filters; f++) {
        float *out = t->out[v] + f * t->out_plane;
        const int64_t n = t->n[v];
        const vf y = t->bias ? sum[f][v] + vf_set1(t->bias[f]) : sum[f][v];
        if (n == VL)
            vf_store(out, t->accumulate ? y + vf_load(out) : y);
        else if (n > 0)
            vf_store_n(out, t->accumulate ? y + vf_load_n(out, n) : y, n);
    }
}

#define TT_DIRECT_TILE(FILTERS)                                   \
    static void tt_direct_tile_##FILTERS(const tt_direct_tile *t) \
    {                                                             \
        tt_direct_tile_of(FILTERS, TT_DIRECT_VECTORS, t);         \
    }
#define TT_DIRECT_ENTRY(FILTERS) tt_direct_tile_##FILTERS,
TT_TO_ROWS(TT_DIRECT_TILE)
static void (*const tt_direct_tiles[TT_GEMM_ROWS])(const tt_direct_tile *) = {
    TT_TO_ROWS(TT_DIRECT_ENTRY)};

/* All filters of a tile's vectors. */
static void tt_direct_run(const tt_direct_args *s, tt_direct_tile *t, int vectors)
{
    float *out[TT_DIRECT_VECTORS_OF_ONE];
    if (s->filters == 1) {
        t->weight = s->weight, t->bias = s->bias;
        tt_direct_tile_of(1, TT_DIRECT_VECTORS_OF_ONE, t);
        return;
    }
    memcpy(out, t->out, sizeof out);
    for (int64_t f = 0; f < s->filters; f += s->panel) {
        const int64_t filters = s->filters - f < s->panel ? s->filters - f : s->panel;
        t->weight = s->weight + f * s->taps;
        t->bias = s->bias ? s->bias + f : NULL;
        for (int v = 0; v < vectors; v++) t->out[v] = out[v] + f * s->out_plane;
        tt_direct_tiles[filters - 1](t);
    }
}

/* --- 3 × 3 taps of one channel for one filter ----------------------------------------------- */

/* Outputs above each other are a tile: what they load is theirs together. Row i of the band meets
 * output y by the taps of row r = i - y stride: of the tile of the function around it,
 * TT_DIRECT_3X3 executes STATEMENT for each y, r and column k of taps, x[k] being the pixels. */
enum { TT_DIRECT_TALL = 4 };
#define TT_DIRECT_3X3(STATEMENT)                                                        \
    TT_UNROLL for (int i = 0; i < (tall - 1) * stride + 3; i++, row += stride * pitch)  \
    {                                                                                   \
        vf x[3] = {vf_load(row), vf_load(row + (stride == 1 ? 1 : pitch)),              \
                   vf_load(row + (stride == 1 ? 2 : 1))};                               \
        TT_UNROLL for (int k = 0; k < 3; k++) TT_KEEP(x[k]);                            \
        TT_UNROLL for (int y = 0; y < tall; y++)                                        \
        {                                                                               \
            const int r = i - y * stride;                                               \
            if (r < 0 || r > 2) continue;                                               \
            TT_UNROLL for (int k = 0; k < 3; k++) STATEMENT;                            \
        }                                                                               \
    }

TT_INLINE void tt_direct_3x3_tile(int stride, int tall, const float *row, int64_t pitch,
                                  const vf *weight, vf bias, float *out, int64_t width, int64_t n)
{
    vf sum[TT_DIRECT_TALL];
    TT_UNROLL for (int y = 0; y < tall; y++) sum[y] = bias;
    TT_DIRECT_3X3(sum[y] = vf_fma(weight[3 * r + k], x[k], sum[y]))
    TT_UNROLL for (int y = 0; y < tall; y++, out += width)
    {
        if (n >= VL)
            vf_store(out, sum[y]);
        else
            vf_store_n(out, sum[y], n);
    }
}

TT_INLINE void tt_direct_3x3(int stride, const tt_direct_args *s)
{
    const int64_t width = s->width, pitch = s->row_step / (stride * stride);
    const vf bias = s->bias ? vf_set1(*s->bias) : vf_zero();
    vf weight[9];
    TT_UNROLL for (int k = 0; k < 9; k++) weight[k] = vf_set1(s->weight[k]);
    for (int64_t x = 0; x < width; x += VL) {
        const float *band = s->band + x;
        float *out = s->out + x;
        int64_t y = 0;
        for (; y + TT_DIRECT_TALL <= s->rows; y += TT_DIRECT_TALL)
            tt_direct_3x3_tile(stride, TT_DIRECT_TALL, band + y * s->row_step, pitch, weight,
                               bias, out + y * width, width, width - x);
        for (; y < s->rows; y++)
            tt_direct_3x3_tile(stride, 1, band + y * s->row_step, pitch, weight, bias,
                               out + y * width, width, width - x);
    }
}

/* Rows of outputs of all filters. */
static void tt_direct_f32(const tt_direct_args *s)
{
    if (s->stride_3x3) {
        if (s->stride_3x3 == 1)
            tt_direct_3x3(1, s);
        else
            tt_direct_3x3(2, s);
        return;
    }
    const int vectors = s->filters == 1 ? TT_DIRECT_VECTORS_OF_ONE : TT_DIRECT_VECTORS;
    tt_direct_tile t = {.offsets = s->offsets, .taps = s->taps, .out_plane = s->out_plane,
                        .accumulate = s->accumulate};
    int used = 0;
    for (int64_t y = 0; y < s->rows; y++)
        for (int64_t x = 0; x < s->width; x += VL) {
            t.band[used] = s->band + y * s->row_step + x;
            t.out[used] = s->out + y * s->width + x;
            t.n[used] = s->width - x < VL ? s->width - x : VL;
            if (++used < vectors) continue;
            tt_direct_run(s, &t, vectors);
            used = 0;
        }
    if (used == 0) return;
    for (int v = used; v < vectors; v++) t.band[v] = t.band[0], t.out[v] = t.out[0], t.n[v] = 0;
    tt_direct_run(s, &t, vectors);
}

/* --- Gradient of the image ------------------------------------------------------------------ */

/* band[y row_step + offset[k] + x] += Σ_f weight[f][k] g[f][y][x] */
static void tt_direct_back_f32(const tt_direct_back_args *s)
{
    for (int64_t k = 0; k < s->taps; k++)
        for (int64_t y = 0; y < s->rows; y++) {
            float *band = s->band + y * s->row_step + s->offsets[k];
            const float *g = s->g + y * s->width;
            for (int64_t x = 0; x < s->width; x += VL) {
                const int64_t n = s->width - x;
                vf sum = n < VL ? vf_load_n(band + x, n) : vf_load(band + x);
                for (int64_t f = 0; f < s->filters; f++) {
                    const float *at = g + f * s->g_plane + x;
                    sum = vf_fma(vf_set1(s->weight[f * s->taps + k]),
                                 n < VL ? vf_load_n(at, n) : vf_load(at), sum);
                }
                if (n < VL)
                    vf_store_n(band + x, sum, n);
                else
                    vf_store(band + x, sum);
            }
        }
}

/* The same for 3 × 3 taps at stride 2, one channel and filter; here the band is that of g. Each
 * pixel gathers what reached an output from it: those with an even row u and column v (counted from
 * the padding's corner) by the taps 0 and 2, those with odd ones by tap 1:
 *
 *     dx[2u][2v]     = w00 g[u][v] + w02 g[u][v-1] + w20 g[u-1][v] + w22 g[u-1][v-1]
 *     dx[2u][2v+1]   = w01 g[u][v] + w21 g[u-1][v]
 *     dx[2u+1][2v]   = w10 g[u][v] + w12 g[u][v-1]
 *     dx[2u+1][2v+1] = w11 g[u][v] */
static void tt_direct_gather_f32(const tt_direct_gather_args *s)
{
    vf w[9];
    TT_UNROLL for (int k = 0; k < 9; k++) w[k] = vf_set1(s->weight[k]);
    for (int64_t v = 0; 2 * v < s->left + s->width; v += VL) {
        const int64_t column = 2 * v - s->left, next = column + VL;
        const vi low_lanes = vi_between(-column, s->width - column);
        const vi high_lanes = vi_between(-next, s->width - next);
        vf above_left = vf_load(s->band + v), above = vf_load(s->band + v + 1);
        for (int64_t u = 0; 2 * u < s->top + s->height; u++) {
            const float *here = s->band + (u + 1) * s->pitch + v;
            const vf left = vf_load(here), g = vf_load(here + 1);
            const vf even[2] = {
                vf_fma(w[0], g, w[2] * left) + vf_fma(w[6], above, w[8] * above_left),
                vf_fma(w[3], g, w[5] * left),
            };
            const vf odd[2] = {vf_fma(w[1], g, w[7] * above), w[4] * g};
            above = g, above_left = left;
            for (int64_t r = 0, y = 2 * u - s->top; r < 2; r++, y++) {
                if (y < 0 || y >= s->height) continue;
                float *pixels = s->image + y * s->width + column;
                vf_store_lanes(pixels, TT_LOWER(even[r], odd[r]), low_lanes);
                vf_store_lanes(pixels + VL, TT_UPPER(even[r], odd[r]), high_lanes);
            }
        }
    }
}

/* --- Gradient of the weight ----------------------------------------------------------------- */

#if TT_VECTOR_BYTES == 64 || defined(__aarch64__)
enum { TT_DIRECT_FILTERS = 4, TT_DIRECT_TAPS = 6 };
#else
enum { TT_DIRECT_FILTERS = 2, TT_DIRECT_TAPS = 5 };
#endif

/* sums[f][k][lane] += g · band, over the pixels: inlined with constant filters and taps. */
TT_INLINE void tt_direct_grad_tile(int filters, int taps, const tt_direct_grad_args *s, int64_t f,
                                   int64_t k)
{
    vf sum[TT_DIRECT_FILTERS][TT_DIRECT_TAPS];
    float *sums = s->sums + (f * s->taps + k) * VL;
    TT_UNROLL for (int i = 0; i < filters; i++) TT_UNROLL for (int j = 0; j < taps; j++)
        sum[i][j] = vf_load(sums + (i * s->taps + j) * VL);
    for (int64_t y = 0; y < s->rows; y++) {
        const float *g_row = s->g + f * s->g_plane + y * s->width;
        const float *band = s->band + y * s->row_step;
        for (int64_t x = 0; x < s->width; x += VL) {
            const int64_t n = s->width - x;
            vf g[TT_DIRECT_FILTERS];
            TT_UNROLL for (int i = 0; i < filters; i++) {
                const float *at = g_row + i * s->g_plane + x;
                g[i] = n < VL ? vf_load_n(at, n) : vf_load(at);
            }
            TT_UNROLL for (int j = 0; j < taps; j++) {
                const float *at = band + s->offsets[k + j] + x;
                const vf pixels = n < VL ? vf_load_n(at, n) : vf_load(at);
                TT_UNROLL for (int i = 0; i < filters; i++)
                    sum[i][j] = vf_fma(g[i], pixels, sum[i][j]);
            }
        }
    }
    TT_UNROLL for (int i = 0; i < filters; i++) TT_UNROLL for (int j = 0; j < taps; j++)
        vf_store(sums + (i * s->taps + j) * VL, sum[i][j]);
}

TT_INLINE void tt_direct_grad_filters(int filters, const tt_direct_grad_args *s, int64_t f)
{
    const int64_t tiles = tt_ceil_div(s->taps, TT_DIRECT_TAPS);
    for (int64_t tile = 0; tile < tiles; tile++) {
        const int64_t k = tile * s->taps / tiles, taps = (tile + 1) * s->taps / tiles - k;
        if (taps == 1) tt_direct_grad_tile(filters, 1, s, f, k);
        if (taps == 2) tt_direct_grad_tile(filters, 2, s, f, k);
        if (taps == 3) tt_direct_grad_tile(filters, 3, s, f, k);
        if (taps == 4) tt_direct_grad_tile(filters, 4, s, f, k);
        if (taps == 5) tt_direct_grad_tile(filters, 5, s, f, k);
        if (taps == 6 && TT_DIRECT_TAPS == 6)
            tt_direct_grad_tile(filters, TT_DIRECT_TAPS, s, f, k);
    }
}

/* 3 × 3 taps of one channel for one filter. Lanes behind the last output are kept out. */
TT_INLINE void tt_direct_grad_3x3_tile(int stride, int tall, const float *row, int64_t pitch,
                                       const float *g_row, int64_t width, int whole, vi inside,
                                       vf *sum)
{
    vf g[TT_DIRECT_TALL];
    TT_UNROLL for (int y = 0; y < tall; y++) {
        const float *at = g_row + y * width;
        g[y] = whole ? vf_load(at) : vf_load_lanes(at, inside);
    }
    TT_DIRECT_3X3(sum[3 * r + k] = vf_fma(
        g[y], whole ? x[k] : (vf)((vi)x[k] & inside), sum[3 * r + k]))
}

TT_INLINE void tt_direct_grad_3x3_column(int stride, const tt_direct_grad_args *s, int64_t x,
                                         int whole, vf *sum)
{
    const int64_t width = s->width, pitch = s->row_step / (stride * stride);
    const vi inside = vi_between(0, width - x);
    const float *band = s->band + x, *g = s->g + x;
    int64_t y = 0;
    for (; y + TT_DIRECT_TALL <= s->rows; y += TT_DIRECT_TALL)
        tt_direct_grad_3x3_tile(stride, TT_DIRECT_TALL, band + y * s->row_step, pitch,
                                g + y * width, width, whole, inside, sum);
    for (; y < s->rows; y++)
        tt_direct_grad_3x3_tile(stride, 1, band + y * s->row_step, pitch, g + y * width, width,
                                whole, inside, sum);
}

TT_INLINE void tt_direct_grad_3x3(int stride, const tt_direct_grad_args *s)
{
    vf sum[9];
    int64_t x = 0;
    TT_UNROLL for (int k = 0; k < 9; k++) sum[k] = vf_load(s->sums + k * VL);
    for (; x + VL <= s->width; x += VL) tt_direct_grad_3x3_column(stride, s, x, 1, sum);
    if (x < s->width) tt_direct_grad_3x3_column(stride, s, x, 0, sum);
    TT_UNROLL for (int k = 0; k < 9; k++) vf_store(s->sums + k * VL, sum[k]);
}

/* It begins a page: its loops are many cache lines long, and where they lay in pages, which every
 * other function moves, changed their time by a tenth. */
static __attribute__((aligned(4096))) void tt_direct_grad_f32(const tt_direct_grad_args *s)
{
    int64_t f = 0;
    if (s->stride_3x3) {
        if (s->stride_3x3 == 1)
            tt_direct_grad_3x3(1, s);
        else
            tt_direct_grad_3x3(2, s);
        return;
    }
    for (; f + TT_DIRECT_FILTERS <= s->filters; f += TT_DIRECT_FILTERS)
        tt_direct_grad_filters(TT_DIRECT_FILTERS, s, f);
    for (; f < s->filters; f++) tt_direct_grad_filters(1, s, f);
}

/* out[i] = the sum over slices and lanes of sums[slice][i][lane] */
static void tt_direct_sums_f32(const tt_direct_sums_args *s)
{
    for (int64_t i = 0; i < s->n; i++) {
        vf sum = vf_zero();
        for (int64_t slice = 0; slice < s->slices; slice++)
            sum += vf_load(s->sums + slice * s->slice_step + i * VL);
        s->out[i] = vf_hsum(sum);
    }
}
