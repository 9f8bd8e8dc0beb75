/* Matrix products: register-blocked tiles, the packing that feeds them, and products by a vector.
 *
 * C (rows × columns, columns adjacent) = A (rows × depth) · B (depth × columns), one block of the
 * depth at a time. A tile of C stays in registers while the depth goes by:
 *
 *              B: a panel, 2 vectors wide            A packed: panels of `panel` rows,
 *              [k][2 VL], k = 0 … depth - 1            [k][panel], k = 0 … depth - 1
 *            ┌────────┬────────┐
 *    A panel │ sum[r] │ sum[r] │  r = 0 … TT_GEMM_ROWS - 1
 *            └────────┴────────┘
 *
 * Each element of C is a chain of multiply-adds in the order of k, then added to what the blocks
 * of the depth before it left: the same bits however the rows and columns are cut. */
#include "../simd.h"
#include "transpose.h"

/* Sums, one row of B and one element of A must fit the registers: 32 of them, or 16. */
#if TT_VECTOR_BYTES == 64
#define TT_GEMM_ROWS 14
#elif defined(__aarch64__)
#define TT_GEMM_ROWS 12
#else
#define TT_GEMM_ROWS 6
#endif
#define TT_GEMM_COLUMNS (2 * VL)

#define TT_UNROLL _Pragma("GCC unroll 16")

/* --- Tiles ---------------------------------------------------------------------------------- */

typedef struct {
    int64_t depth;
    const float *a;
    int64_t a_row, a_depth;
    const float *b;
    int64_t b_depth;
    float *c;
    int64_t c_row;
    int64_t columns; /* of the tile's vectors, the last may be partly outside C */
    int accumulate;
} tt_gemm_tile;

/* Inlined with constant rows and vectors, so that the sums are registers. */
TT_INLINE void tt_gemm_tile_of(int rows, int vectors, int64_t a_row, int64_t a_depth,
                               const tt_gemm_tile *t)
{
    vf sum[TT_GEMM_ROWS][2];
    const float *a = t->a, *b = t->b;
    TT_UNROLL for (int r = 0; r < rows; r++)
        TT_UNROLL for (int v = 0; v < vectors; v++) {
            sum[r][v] = vf_zero();
            __builtin_prefetch(t->c + r * t->c_row + v * VL, 1);
        }
    for (int64_t k = 0; k < t->depth; k++, a += a_depth, b += t->b_depth) {
        vf row[2];
        TT_UNROLL for (int v = 0; v < vectors; v++) row[v] = vf_load(b + v * VL);
        TT_UNROLL for (int r = 0; r < rows; r++) {
            vf x = vf_set1(a[r * a_row]);
            TT_UNROLL for (int v = 0; v < vectors; v++) sum[r][v] = vf_fma(x, row[v], sum[r][v]);
        }
    }
    const int64_t rest = t->columns - (vectors - 1) * VL;
    TT_UNROLL for (int r = 0; r < rows; r++) {
        TT_UNROLL for (int v = 0; v < vectors; v++) {
            float *c = t->c + r * t->c_row + v * VL;
            if (v < vectors - 1 || rest == VL) {
                if (t->accumulate) sum[r][v] += vf_load(c);
                vf_store(c, sum[r][v]);
            } else {
                if (t->accumulate) sum[r][v] += vf_load_n(c, rest);
                vf_store_n(c, sum[r][v], rest);
            }
        }
    }
}

#define TT_TILE(ROWS, VECTORS)                                                              \
    static void tt_tile_strided_##ROWS##x##VECTORS(const tt_gemm_tile *t)                   \
    {                                                                                       \
        tt_gemm_tile_of(ROWS, VECTORS, t->a_row, t->a_depth, t);                            \
    }                                                                                       \
    static void tt_tile_packed_##ROWS##x##VECTORS(const tt_gemm_tile *t)                    \
    {                                                                                       \
        tt_gemm_tile_of(ROWS, VECTORS, 1, ROWS, t);                                         \
    }
#define TT_TILES(ROWS) TT_TILE(ROWS, 1) TT_TILE(ROWS, 2)
#define TT_TILE_ENTRY(ROWS)                                                                 \
    {{tt_tile_strided_##ROWS##x1, tt_tile_packed_##ROWS##x1},                               \
     {tt_tile_strided_##ROWS##x2, tt_tile_packed_##ROWS##x2}},

#define TT_TO_6(X) X(1) X(2) X(3) X(4) X(5) X(6)
#if TT_GEMM_ROWS > 6
#define TT_TO_12(X) TT_TO_6(X) X(7) X(8) X(9) X(10) X(11) X(12)
#else
#define TT_TO_12(X) TT_TO_6(X)
#endif
#if TT_GEMM_ROWS > 12
#define TT_TO_ROWS(X) TT_TO_12(X) X(13) X(14)
#else
#define TT_TO_ROWS(X) TT_TO_12(X)
#endif

TT_TO_ROWS(TT_TILES)

/* [rows - 1][vectors - 1][is A packed] */
static void (*const tt_tiles[TT_GEMM_ROWS][2][2])(const tt_gemm_tile *) = {
    TT_TO_ROWS(TT_TILE_ENTRY)};

/* --- Packing -------------------------------------------------------------------------------- */

/* out[k][i] = x[i * width_step + k * depth_step] for i < width, 0 for width <= i < padded. */
static void tt_pack_panel(const float *x, int64_t width_step, int64_t depth_step, int64_t width,
                          int64_t padded, int64_t depth, float *out)
{
    int64_t k = 0;
    if (width_step == 1 && width == TT_GEMM_COLUMNS && padded == width) {
        for (; k < depth; k++, x += depth_step, out += width) {
            vf_store(out, vf_load(x));
            vf_store(out + VL, vf_load(x + VL));
        }
        return;
    }
    if (width < padded) memset(out, 0, sizeof(float) * (size_t)(depth * padded));
    /* Four at a time; the last four overlap those before them where the width is odd. */
    if (width_step == 1 && width >= 4)
        for (; k < depth; k++) {
            const float *from = x + k * depth_step;
            float *to = out + k * padded;
            for (int64_t i = 0; i < width - 4; i += 4)
                *(tt_v4_any *)(to + i) = *(const tt_v4_any *)(from + i);
            *(tt_v4_any *)(to + width - 4) = *(const tt_v4_any *)(from + width - 4);
        }
    else if (depth_step == 1 && width >= 4)
        for (; k + 4 <= depth; k += 4) {
            float *to = out + k * padded;
            for (int64_t i = 0; i < width - 4; i += 4)
                tt_transpose4(x + i * width_step + k, width_step, to + i, padded);
            tt_transpose4(x + (width - 4) * width_step + k, width_step, to + width - 4, padded);
        }
    for (; k < depth; k++)
        for (int64_t i = 0; i < width; i++)
            out[k * padded + i] = x[i * width_step + k * depth_step];
}

/* Rows of A into panels of s->panel rows; the last panel has the rows that are left. */
static void tt_gemm_pack_a_f32(const tt_gemm_pack_args *s)
{
    for (int64_t i = 0; i < s->width; i += s->panel) {
        int64_t rows = s->width - i < s->panel ? s->width - i : s->panel;
        tt_pack_panel(s->x + i * s->width_step, s->width_step, s->depth_step, rows, rows, s->depth,
                      s->out + i * s->depth);
    }
}

/* Columns of B into panels of 2 vectors; the last panel is filled up with zeros to full vectors. */
static void tt_gemm_pack_b_f32(const tt_gemm_pack_args *s)
{
    for (int64_t j = 0; j < s->width; j += TT_GEMM_COLUMNS) {
        int64_t columns = s->width - j < TT_GEMM_COLUMNS ? s->width - j : TT_GEMM_COLUMNS;
        tt_pack_panel(s->x + j * s->width_step, s->width_step, s->depth_step, columns,
                      (columns + VL - 1) / VL * VL, s->depth, s->out + j * s->depth);
    }
}

/* --- Blocks --------------------------------------------------------------------------------- */

TT_INLINE vf tt_activate(int activation, vf x)
{
    return activation == TT_RELU ? vf_max(x, vf_zero()) : x;
}

/* c = activation(c + bias) */
static void tt_gemm_finish_f32(const tt_gemm_finish_args *s)
{
    for (int64_t r = 0; r < s->rows; r++) {
        float *c = s->c + r * s->c_row;
        vf row_bias = vf_set1(s->row_bias ? s->row_bias[r] : 0);
        for (int64_t j = 0; j < s->columns; j += VL) {
            int64_t n = s->columns - j;
            vf x = n < VL ? vf_load_n(c + j, n) : vf_load(c + j);
            if (s->row_bias) x += row_bias;
            if (s->column_bias)
                x += n < VL ? vf_load_n(s->column_bias + j, n) : vf_load(s->column_bias + j);
            x = tt_activate(s->activation, x);
            if (n < VL)
                vf_store_n(c + j, x, n);
            else
                vf_store(c + j, x);
        }
    }
}

static void tt_gemm_block_f32(const tt_gemm_block_args *s)
{
    float panel_of_b[TT_GEMM_DEPTH * TT_GEMM_COLUMNS] __attribute__((aligned(TT_VECTOR_BYTES)));
    tt_gemm_tile t = {.depth = s->depth, .a_row = s->a_row, .a_depth = s->a_depth,
                      .c_row = s->c_row, .accumulate = s->accumulate};
    for (int64_t j = 0; j < s->columns; j += TT_GEMM_COLUMNS) {
        t.columns = s->columns - j < TT_GEMM_COLUMNS ? s->columns - j : TT_GEMM_COLUMNS;
        const int64_t vectors = (t.columns + VL - 1) / VL;
        if (s->b_packed) {
            t.b = s->b + j * s->depth;
            t.b_depth = vectors * VL;
        } else if (s->b_column == 1 && t.columns % VL == 0) {
            t.b = s->b + j;
            t.b_depth = s->b_depth;
            if (j + TT_GEMM_COLUMNS < s->columns)
                for (int64_t k = 0; k < s->depth; k++) {
                    __builtin_prefetch(t.b + k * s->b_depth + TT_GEMM_COLUMNS);
                    __builtin_prefetch(t.b + k * s->b_depth + TT_GEMM_COLUMNS + VL);
                }
        } else {
            tt_pack_panel(s->b + j * s->b_column, s->b_column, s->b_depth, t.columns, vectors * VL,
                          s->depth, panel_of_b);
            t.b = panel_of_b;
            t.b_depth = vectors * VL;
        }
        for (int64_t i = 0; i < s->rows; i += s->panel) {
            const int64_t rows = s->rows - i < s->panel ? s->rows - i : s->panel;
            t.a = s->a + i * (s->a_packed ? s->depth : s->a_row);
            t.c = s->c + i * s->c_row + j;
            tt_tiles[rows - 1][vectors - 1][s->a_packed](&t);
            if (s->finish) {
                tt_gemm_finish_f32(&(tt_gemm_finish_args){
                    .c = t.c, .c_row = s->c_row, .rows = rows, .columns = t.columns,
                    .row_bias = s->row_bias ? s->row_bias + i : NULL,
                    .column_bias = s->column_bias ? s->column_bias + j : NULL,
                    .activation = s->activation});
            }
        }
    }
}

/* --- A matrix and a vector ------------------------------------------------------------------ */

/* Rows of adjacent elements: dot products, four rows at a time. */
TT_INLINE void tt_gemv_dots(int rows, const tt_gemv_args *s, int64_t row)
{
    const float *a = s->a + row * s->a_row;
    float total[4] = {0};
    for (int64_t begin = 0; begin < s->depth; begin += TT_GEMM_DEPTH) {
        int64_t end = s->depth - begin < TT_GEMM_DEPTH ? s->depth : begin + TT_GEMM_DEPTH;
        vf even[4], odd[4];
        TT_UNROLL for (int r = 0; r < rows; r++) even[r] = odd[r] = vf_zero();
        int64_t k = begin;
        for (; k + 2 * VL <= end; k += 2 * VL) {
            vf x0 = vf_load(s->x + k), x1 = vf_load(s->x + k + VL);
            TT_UNROLL for (int r = 0; r < rows; r++) {
                __builtin_prefetch(a + r * s->a_row + k + 512);
                __builtin_prefetch(a + r * s->a_row + k + 512 + VL);
                even[r] = vf_fma(vf_load(a + r * s->a_row + k), x0, even[r]);
                odd[r] = vf_fma(vf_load(a + r * s->a_row + k + VL), x1, odd[r]);
            }
        }
        for (; k < end; k += VL) {
            int64_t n = end - k;
            vf x = n < VL ? vf_load_n(s->x + k, n) : vf_load(s->x + k);
            TT_UNROLL for (int r = 0; r < rows; r++) {
                const float *p = a + r * s->a_row + k;
                even[r] = vf_fma(n < VL ? vf_load_n(p, n) : vf_load(p), x, even[r]);
            }
        }
        TT_UNROLL for (int r = 0; r < rows; r++) total[r] += vf_hsum(even[r] + odd[r]);
    }
    TT_UNROLL for (int r = 0; r < rows; r++) s->y[row + r] = total[r];
}

/* Columns of adjacent elements: y += x[k] a[:, k], a stretch of y that stays in the cache. */
static void tt_gemv_sums(const tt_gemv_args *s)
{
    enum { STRETCH = 4096 };
    float sums[STRETCH];
    for (int64_t i0 = 0; i0 < s->rows; i0 += STRETCH) {
        const int64_t rows = s->rows - i0 < STRETCH ? s->rows - i0 : STRETCH;
        float *y = s->y + i0;
        memset(y, 0, sizeof(float) * (size_t)rows);
        for (int64_t begin = 0; begin < s->depth; begin += TT_GEMM_DEPTH) {
            int64_t end = s->depth - begin < TT_GEMM_DEPTH ? s->depth : begin + TT_GEMM_DEPTH;
            memset(sums, 0, sizeof(float) * (size_t)rows);
            for (int64_t k = begin; k < end; k += 4) {
                const float *a = s->a + i0 + k * s->a_depth;
                const int64_t step = s->a_depth, columns = end - k < 4 ? end - k : 4;
                int64_t i = 0;
                if (columns == 4) {
                    vf x0 = vf_set1(s->x[k]), x1 = vf_set1(s->x[k + 1]);
                    vf x2 = vf_set1(s->x[k + 2]), x3 = vf_set1(s->x[k + 3]);
                    for (; i + VL <= rows; i += VL) {
                        vf sum = vf_fma(vf_load(a + i), x0, vf_load(sums + i));
                        sum = vf_fma(vf_load(a + step + i), x1, sum);
                        sum = vf_fma(vf_load(a + 2 * step + i), x2, sum);
                        vf_store(sums + i, vf_fma(vf_load(a + 3 * step + i), x3, sum));
                    }
                }
                for (; i < rows; i += VL) {
                    const int64_t n = rows - i < VL ? rows - i : VL;
                    for (int64_t c = 0; c < columns; c++) {
                        const float *p = a + c * step + i;
                        vf column = n < VL ? vf_load_n(p, n) : vf_load(p);
                        /* sums has room for whole vectors: STRETCH is a multiple of VL. */
                        vf_store(sums + i,
                                 vf_fma(column, vf_set1(s->x[k + c]), vf_load(sums + i)));
                    }
                }
            }
            for (int64_t i = 0; i < rows; i++) y[i] += sums[i];
        }
    }
}

/* y = A x; the rows or the columns of A are adjacent. */
static void tt_gemv_f32(const tt_gemv_args *s)
{
    if (s->a_depth != 1) {
        tt_gemv_sums(s);
        return;
    }
    int64_t row = 0;
    for (; row + 4 <= s->rows; row += 4) tt_gemv_dots(4, s, row);
    for (; row < s->rows; row++) tt_gemv_dots(1, s, row);
}
