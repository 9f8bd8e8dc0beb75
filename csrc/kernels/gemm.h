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
        TT_UNROLL for (int v = 0; v < vectors; v++) sum[r][v] = vf_zero();
    for (int64_t k = 0; k < t->depth; k++, a += a_depth, b += t->b_depth) {
        vf row[2];
        TT_UNROLL for (int v = 0; v < vectors; v++) row[v] = vf_load(b + v * VL);
        TT_UNROLL for (int r = 0; r < rows; r++) {
            vf x = vf_set1(a[r * a_row]);
            TT_UNROLL for (int v = 0; v < vectors; v++) sum[r][v] = vf_fma(x, row[v], sum[r][v]);
        }
    }
    const int64_t c_row = t->c_row, rest = t->columns - (vectors - 1) * VL;
    float *c = t->c;
    if (t->accumulate)
        TT_UNROLL for (int r = 0; r < rows; r++)
            TT_UNROLL for (int v = 0; v < vectors; v++) {
                const float *from = c + r * c_row + v * VL;
                sum[r][v] += v < vectors - 1 || rest == VL ? vf_load(from) : vf_load_n(from, rest);
            }
    TT_UNROLL for (int r = 0; r < rows; r++) {
        TT_UNROLL for (int v = 0; v < vectors - 1; v++) vf_store(c + r * c_row + v * VL, sum[r][v]);
        float *last = c + r * c_row + (vectors - 1) * VL;
        if (rest == VL)
            vf_store(last, sum[r][vectors - 1]);
        else
            vf_store_n(last, sum[r][vectors - 1], rest);
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

/* A panel is out[k][i] = x[i * width_step + k * depth_step] for k < depth, i < width; its rows are
 * `padded` apart, filled up with zeros. A panel of A is not padded.
 *
 * Store `lanes` floats of a row of a panel, of which `rest` floats are behind the row. A whole
 * vector is quicker, and what it spoils of the rows behind is stored after it. */
TT_INLINE void tt_store_in_panel(float *out, vf x, int64_t lanes, int64_t rest)
{
    if (lanes >= VL || lanes + rest >= VL)
        vf_store(out, x);
    else
        vf_store_n(out, x, lanes);
}

/* The width is adjacent in memory: all panels together, so that a row of x is read at once. The
 * rows lie far apart, where no prefetcher of the processor's follows: those to come are asked for. */
static void tt_pack_adjacent(const tt_gemm_pack_args *s, int64_t panel, int64_t lanes)
{
    for (int64_t k = 0; k < s->depth; k++) {
        for (int64_t i = 0; i < s->width; i += VL)
            __builtin_prefetch(s->x + i + (k + 8) * s->depth_step);
        for (int64_t i = 0; i < s->width; i += panel) {
            const int64_t width = s->width - i < panel ? s->width - i : panel;
            const int64_t padded = (width + lanes - 1) / lanes * lanes;
            const float *x = s->x + i + k * s->depth_step;
            float *out = s->out + i * s->depth + k * padded;
            for (int64_t c = 0; c < width; c += VL) {
                const int64_t n = width - c;
                const vf row = n < VL ? vf_load_n(x + c, n) : vf_load(x + c);
                tt_store_in_panel(out + c, row, padded - c, (s->depth - 1 - k) * padded);
            }
        }
    }
}

/* The depth is adjacent in memory: blocks of VL x VL, transposed in registers. */
static void tt_pack_transposed(const float *x, int64_t width_step, int64_t width, int64_t padded,
                               int64_t depth, float *out)
{
    for (int64_t k = 0; k < depth; k += VL) {
        const int64_t rows = depth - k < VL ? depth - k : VL;
        for (int64_t i = 0; i < width; i += VL) {
            vf block[VL];
            for (int64_t c = 0; c < VL; c++) {
                const float *from = x + (i + c) * width_step + k;
                if (i + c >= width)
                    block[c] = vf_zero();
                else
                    block[c] = rows < VL ? vf_load_n(from, rows) : vf_load(from);
            }
            tt_transpose_vectors(block);
            for (int64_t r = 0; r < rows; r++) {
                /* Where a row has several blocks, those before this one are stored already. */
                const int64_t rest = padded <= VL ? (depth - 1 - k - r) * padded : 0;
                tt_store_in_panel(out + (k + r) * padded + i, block[r], padded - i, rest);
            }
        }
    }
}

/* Into panels of `panel`, each padded to a multiple of `lanes`. */
TT_INLINE void tt_pack(const tt_gemm_pack_args *s, int64_t panel, int64_t lanes)
{
    if (s->width_step == 1 && s->width >= 4) {
        tt_pack_adjacent(s, panel, lanes);
        return;
    }
    for (int64_t i = 0; i < s->width; i += panel) {
        const int64_t width = s->width - i < panel ? s->width - i : panel;
        const int64_t padded = (width + lanes - 1) / lanes * lanes;
        const float *x = s->x + i * s->width_step;
        float *out = s->out + i * s->depth;
        if (s->depth_step == 1 && s->depth >= 4) {
            tt_pack_transposed(x, s->width_step, width, padded, s->depth, out);
            continue;
        }
        for (int64_t k = 0; k < s->depth; k++)
            for (int64_t c = 0; c < padded; c++)
                out[k * padded + c] = c < width ? x[c * s->width_step + k * s->depth_step] : 0;
    }
}

/* Rows of A into panels of s->panel rows; the last panel has the rows that are left. */
static void tt_gemm_pack_a_f32(const tt_gemm_pack_args *s) { tt_pack(s, s->panel, 1); }

/* Columns of B into panels of 2 vectors; the last is filled up with zeros to whole vectors. */
static void tt_gemm_pack_b_f32(const tt_gemm_pack_args *s) { tt_pack(s, TT_GEMM_COLUMNS, VL); }

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

/* A tile, rows x columns, into a C whose columns are adjacent in memory: c[j * c_row + i]. */
static void tt_store_transposed(const float *tile, int64_t rows, int64_t columns, float *c,
                                int64_t c_row, int accumulate)
{
    for (int64_t i = 0; i < rows; i += VL)
        for (int64_t j = 0; j < columns; j += VL) {
            const int64_t n = rows - i < VL ? rows - i : VL;
            vf block[VL];
            for (int64_t r = 0; r < VL; r++)
                block[r] = r < n ? vf_load(tile + (i + r) * TT_GEMM_COLUMNS + j) : vf_zero();
            tt_transpose_vectors(block);
            for (int64_t v = 0; v < VL && j + v < columns; v++) {
                float *to = c + (j + v) * c_row + i;
                if (accumulate) block[v] += n < VL ? vf_load_n(to, n) : vf_load(to);
                if (n < VL)
                    vf_store_n(to, block[v], n);
                else
                    vf_store(to, block[v]);
            }
        }
}

static void tt_gemm_block_f32(const tt_gemm_block_args *s)
{
    float panel_of_b[TT_GEMM_DEPTH * TT_GEMM_COLUMNS] __attribute__((aligned(TT_VECTOR_BYTES)));
    float panel_of_a[TT_GEMM_DEPTH * TT_GEMM_ROWS] __attribute__((aligned(TT_VECTOR_BYTES)));
    float tile[TT_GEMM_ROWS * TT_GEMM_COLUMNS] __attribute__((aligned(TT_VECTOR_BYTES)));
    /* Long rows of A that few panels of B need: beside each other, they do not fight for a place
     * in the cache, as they may where they are a power of two apart. */
    const int copy_a = !s->a_packed && s->a_depth == 1 && s->columns <= 2 * TT_GEMM_COLUMNS
                       && s->depth >= 256;
    tt_gemm_tile t = {.depth = s->depth, .a_row = s->a_row, .a_depth = s->a_depth,
                      .c_row = s->c_row, .accumulate = s->accumulate};
    if (copy_a) t.a_row = s->depth;
    if (s->c_by_columns) t.c_row = TT_GEMM_COLUMNS, t.accumulate = 0;
    for (int64_t j = 0; j < s->columns; j += TT_GEMM_COLUMNS) {
        t.columns = s->columns - j < TT_GEMM_COLUMNS ? s->columns - j : TT_GEMM_COLUMNS;
        const int64_t columns = t.columns, vectors = (columns + VL - 1) / VL;
        if (s->b_packed) {
            t.b = s->b + j * s->depth;
            t.b_depth = vectors * VL;
        } else if (s->b_column == 1 && columns % VL == 0) {
            t.b = s->b + j;
            t.b_depth = s->b_depth;
            if (j + TT_GEMM_COLUMNS < s->columns)
                for (int64_t k = 0; k < s->depth; k++) {
                    __builtin_prefetch(t.b + k * s->b_depth + TT_GEMM_COLUMNS);
                    __builtin_prefetch(t.b + k * s->b_depth + TT_GEMM_COLUMNS + VL);
                }
        } else {
            tt_gemm_pack_b_f32(&(tt_gemm_pack_args){
                .x = s->b + j * s->b_column, .out = panel_of_b, .width = columns,
                .depth = s->depth, .width_step = s->b_column, .depth_step = s->b_depth});
            t.b = panel_of_b;
            t.b_depth = vectors * VL;
        }
        if (s->c_by_columns) t.columns = vectors * VL;
        for (int64_t i = 0; i < s->rows; i += s->panel) {
            const int64_t rows = s->rows - i < s->panel ? s->rows - i : s->panel;
            float *c = s->c + (s->c_by_columns ? i + j * s->c_row : i * s->c_row + j);
            t.a = s->a + i * (s->a_packed ? s->depth : s->a_row);
            if (copy_a) {
                for (int64_t r = 0; r < rows; r++)
                    memcpy(panel_of_a + r * s->depth, t.a + r * s->a_row,
                           sizeof(float) * (size_t)s->depth);
                t.a = panel_of_a;
            }
            t.c = s->c_by_columns ? tile : c;
            tt_tiles[rows - 1][vectors - 1][s->a_packed](&t);
            if (s->c_by_columns)
                tt_store_transposed(tile, rows, columns, c, s->c_row, s->accumulate);
            if (s->finish) {
                const float *of_rows = s->row_bias ? s->row_bias + i : NULL;
                const float *of_columns = s->column_bias ? s->column_bias + j : NULL;
                tt_gemm_finish_args finish = {
                    .c = c, .c_row = s->c_row, .rows = rows, .columns = columns,
                    .row_bias = of_rows, .column_bias = of_columns, .activation = s->activation};
                if (s->c_by_columns) {
                    finish.rows = columns, finish.columns = rows;
                    finish.row_bias = of_columns, finish.column_bias = of_rows;
                }
                tt_gemm_finish_f32(&finish);
            }
        }
    }
}

/* --- A matrix and a vector ------------------------------------------------------------------ */

/* Rows of adjacent elements: dot products with a vector, four rows at a time. */
TT_INLINE void tt_gemv_dots(int rows, const tt_gemv_args *s, int64_t row, const float *x,
                            float *y)
{
    const float *a = s->a + row * s->a_row;
    float total[4] = {0};
    for (int64_t begin = 0; begin < s->depth; begin += TT_GEMM_DEPTH) {
        int64_t end = s->depth - begin < TT_GEMM_DEPTH ? s->depth : begin + TT_GEMM_DEPTH;
        vf even[4], odd[4];
        TT_UNROLL for (int r = 0; r < rows; r++) even[r] = odd[r] = vf_zero();
        int64_t k = begin;
        for (; k + 2 * VL <= end; k += 2 * VL) {
            vf x0 = vf_load(x + k), x1 = vf_load(x + k + VL);
            TT_UNROLL for (int r = 0; r < rows; r++) {
                __builtin_prefetch(a + r * s->a_row + k + 512);
                __builtin_prefetch(a + r * s->a_row + k + 512 + VL);
                even[r] = vf_fma(vf_load(a + r * s->a_row + k), x0, even[r]);
                odd[r] = vf_fma(vf_load(a + r * s->a_row + k + VL), x1, odd[r]);
            }
        }
        for (; k < end; k += VL) {
            int64_t n = end - k;
            vf x0 = n < VL ? vf_load_n(x + k, n) : vf_load(x + k);
            TT_UNROLL for (int r = 0; r < rows; r++) {
                const float *p = a + r * s->a_row + k;
                even[r] = vf_fma(n < VL ? vf_load_n(p, n) : vf_load(p), x0, even[r]);
            }
        }
        TT_UNROLL for (int r = 0; r < rows; r++) total[r] += vf_hsum(even[r] + odd[r]);
    }
    TT_UNROLL for (int r = 0; r < rows; r++) y[row + r] = total[r];
}

/* Columns of adjacent elements: y += x[k] a[:, k], a stretch of y that stays in the cache. */
static void tt_gemv_sums(const tt_gemv_args *s, const float *x, float *all_of_y)
{
    enum { STRETCH = 16384 };
    float sums[STRETCH];
    for (int64_t i0 = 0; i0 < s->rows; i0 += STRETCH) {
        const int64_t rows = s->rows - i0 < STRETCH ? s->rows - i0 : STRETCH;
        float *y = all_of_y + i0;
        memset(y, 0, sizeof(float) * (size_t)rows);
        for (int64_t begin = 0; begin < s->depth; begin += TT_GEMM_DEPTH) {
            int64_t end = s->depth - begin < TT_GEMM_DEPTH ? s->depth : begin + TT_GEMM_DEPTH;
            memset(sums, 0, sizeof(float) * (size_t)rows);
            for (int64_t k = begin; k < end; k += 4) {
                const float *a = s->a + i0 + k * s->a_depth;
                const int64_t step = s->a_depth, columns = end - k < 4 ? end - k : 4;
                int64_t i = 0;
                if (columns == 4) {
                    vf x0 = vf_set1(x[k]), x1 = vf_set1(x[k + 1]);
                    vf x2 = vf_set1(x[k + 2]), x3 = vf_set1(x[k + 3]);
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
                                 vf_fma(column, vf_set1(x[k + c]), vf_load(sums + i)));
                    }
                }
            }
            for (int64_t i = 0; i < rows; i++) y[i] += sums[i];
        }
    }
}

/* y = A x for each vector; the rows or the columns of A are adjacent. */
static void tt_gemv_f32(const tt_gemv_args *s)
{
    if (s->a_depth != 1) {
        for (int64_t v = 0; v < s->vectors; v++)
            tt_gemv_sums(s, s->x + v * s->x_vector, s->y + v * s->y_vector);
        return;
    }
    for (int64_t row = 0; row < s->rows; row += 4)
        for (int64_t v = 0; v < s->vectors; v++) {
            const float *x = s->x + v * s->x_vector;
            float *y = s->y + v * s->y_vector;
            if (row + 4 <= s->rows)
                tt_gemv_dots(4, s, row, x, y);
            else
                for (int64_t r = row; r < s->rows; r++) tt_gemv_dots(1, s, r, x, y);
        }
}
