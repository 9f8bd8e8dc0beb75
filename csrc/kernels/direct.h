/* Direct convolution, where patches would cost more than the products with them: few filters to a
 * channel, or few channels.
 *
 * The rows of an image that a piece of the work reads are copied into a band, with zeros around
 * them, and the columns dealt out by their remainder by the stride:
 *
 *     band[c][row][remainder][column] = image[c][first + row][column stride + remainder - left]
 *
 * There, what a tap k = (c, r, s) multiplies for adjacent outputs of a row is adjacent too:
 *
 *     out[f][y][x] = Σ_k weight[f][k] band[y row_step + offset[k] + x]
 *
 * Vectors are pixels of a row; two vectors of some filters stay in registers. */
#include "../simd.h"

/* From the image to its band; or back: inlined with `back` constant. */
TT_INLINE void tt_direct_deal(int back, const tt_band_args *s)
{
    const int64_t pitch = s->pitch, stride = s->stride_x;
    for (int64_t c = 0; c < s->channels; c++)
        for (int64_t row = 0; row < s->rows; row++) {
            float *band = s->band + (c * s->rows + row) * stride * pitch;
            const int64_t y = s->row + row;
            if (y < 0 || y >= s->height) {
                if (!back) memset(band, 0, sizeof(float) * (size_t)(stride * pitch));
                continue;
            }
            float *image = s->image + (c * s->height + y) * s->width - s->left;
            for (int64_t remainder = 0; remainder < stride; remainder++, band += pitch) {
                /* Columns [begin, end) of the band are inside the image. */
                const int64_t first = s->left - remainder, last = first + s->width;
                int64_t begin = first > 0 ? (first + stride - 1) / stride : 0;
                int64_t end = last > 0 ? (last + stride - 1) / stride : 0;
                end = end < pitch ? end : pitch;
                begin = begin < end ? begin : end;
                if (stride == 1)
                    tt_conv_run(0, back ? band + begin : image + begin, 1,
                                back ? image + begin : band + begin, end - begin);
                else
                    for (int64_t x = begin; x < end; x++) {
                        float *pixel = image + x * stride + remainder;
                        *(back ? pixel : band + x) = *(back ? band + x : pixel);
                    }
                if (back) continue;
                for (int64_t x = 0; x < begin; x++) band[x] = 0;
                for (int64_t x = end; x < pitch; x++) band[x] = 0;
            }
        }
}

/* The band must have 2 VL elements behind it that can be read: they are computed with, not used. */
static void tt_direct_band_f32(const tt_band_args *s)
{
    if (s->stride_x == 2) { /* a constant, for the compiler */
        tt_band_args two = *s;
        two.stride_x = 2;
        tt_direct_deal(0, &two);
    } else {
        tt_direct_deal(0, s);
    }
}

static void tt_direct_unband_f32(const tt_band_args *s) { tt_direct_deal(1, s); }

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

/* Rows of outputs of all filters. */
static void tt_direct_f32(const tt_direct_args *s)
{
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
    const int64_t tiles = (s->taps + TT_DIRECT_TAPS - 1) / TT_DIRECT_TAPS;
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

static void tt_direct_grad_f32(const tt_direct_grad_args *s)
{
    int64_t f = 0;
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
