/* Small matrix products on packed blocks, for kernels that hold their operands in cache. */
#ifndef TT_TILE_H
#define TT_TILE_H

#include "../simd.h"
#include "transpose.h"

/* A 16-register machine holds 4 x 2 vectors of sums, a 32-register one 4 x 4. */
#if TT_VECTOR_BYTES == 64 || defined(__aarch64__)
#define TT_TILE_VECTORS 4
#else
#define TT_TILE_VECTORS 2
#endif
#define TT_TILE_ROWS 8 /* rows of every product are padded to a multiple of this */

/* c[mr x nv vectors] (+)= a b, where a(m, k) = a[m * a_row + k * a_step]. */
TT_INLINE void tt_tile_block(
    const int mr, const int nv, float *c, int64_t c_row, const float *a, int64_t a_row,
    int64_t a_step, const float *b, int64_t b_row, int64_t inner, int accumulate)
{
    vf sum[TT_TILE_ROWS][TT_TILE_VECTORS];
#pragma GCC unroll 8
    for (int m = 0; m < mr; m++)
#pragma GCC unroll 4
        for (int v = 0; v < nv; v++)
            sum[m][v] = accumulate ? vf_load(c + m * c_row + v * VL) : vf_zero();
    for (int64_t k = 0; k < inner; k++) {
        vf row[TT_TILE_VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < nv; v++) row[v] = vf_load(b + k * b_row + v * VL);
#pragma GCC unroll 8
        for (int m = 0; m < mr; m++) {
            vf scalar = vf_set1(a[m * a_row + k * a_step]);
#pragma GCC unroll 4
            for (int v = 0; v < nv; v++) sum[m][v] = vf_fma(scalar, row[v], sum[m][v]);
        }
    }
#pragma GCC unroll 8
    for (int m = 0; m < mr; m++)
#pragma GCC unroll 4
        for (int v = 0; v < nv; v++) vf_store(c + m * c_row + v * VL, sum[m][v]);
}

/* c[rows x cols] (+)= a b with inner terms; rows a multiple of TT_TILE_ROWS, cols of VL. */
TT_INLINE void tt_tile_product(
    float *c, int64_t c_row, const float *a, int64_t a_row, int64_t a_step, const float *b,
    int64_t b_row, int64_t rows, int64_t cols, int64_t inner, int accumulate)
{
    int64_t n = 0;
#if TT_TILE_VECTORS == 2
    /* Six rows hide the latency of their sums, four hardly. Of an even number of rows, what is left
     * after sixes is 0, 4 or 8. */
    for (; n + 2 * VL <= cols; n += 2 * VL)
        for (int64_t m = 0; m < rows;)
            if (rows - m >= 10 || rows - m == 6) {
                tt_tile_block(6, 2, c + m * c_row + n, c_row, a + m * a_row, a_row, a_step, b + n,
                              b_row, inner, accumulate);
                m += 6;
            } else {
                tt_tile_block(4, 2, c + m * c_row + n, c_row, a + m * a_row, a_row, a_step, b + n,
                              b_row, inner, accumulate);
                m += 4;
            }
#else
    for (; n + 4 * VL <= cols; n += 4 * VL)
        for (int64_t m = 0; m < rows; m += 4)
            tt_tile_block(4, 4, c + m * c_row + n, c_row, a + m * a_row, a_row, a_step, b + n,
                          b_row, inner, accumulate);
    for (; n + 2 * VL <= cols; n += 2 * VL)
        for (int64_t m = 0; m < rows; m += 8)
            tt_tile_block(8, 2, c + m * c_row + n, c_row, a + m * a_row, a_row, a_step, b + n,
                          b_row, inner, accumulate);
#endif
    for (; n < cols; n += VL)
        for (int64_t m = 0; m < rows; m += 8)
            tt_tile_block(8, 1, c + m * c_row + n, c_row, a + m * a_row, a_row, a_step, b + n,
                          b_row, inner, accumulate);
}

/* Copy rows of `cols` floats, scaled, to rows of `to_row`; pad with zeros to to_rows x to_row. */
TT_INLINE void tt_pack_rows(
    float *to, int64_t to_row, int64_t to_rows, const float *from, int64_t from_row, int64_t rows,
    int64_t cols, float scale)
{
    const vf factor = vf_set1(scale);
    for (int64_t r = 0; r < rows; r++) {
        const float *source = from + r * from_row;
        float *target = to + r * to_row;
        int64_t c = 0;
        for (; c + VL <= cols; c += VL) vf_store(target + c, vf_load(source + c) * factor);
        if (c < cols) vf_store(target + c, vf_load_n(source + c, cols - c) * factor), c += VL;
        for (; c < to_row; c += VL) vf_store(target + c, vf_zero());
    }
    if (rows < to_rows) memset(to + rows * to_row, 0, (size_t)((to_rows - rows) * to_row) * 4);
}

/* The same transposed: to[c * to_row + r] = from[r * from_row + c], padded with zeros to to_cols
 * rows of to_row, both multiples of 4. */
TT_INLINE void tt_pack_columns(
    float *to, int64_t to_row, int64_t to_cols, const float *from, int64_t from_row, int64_t rows,
    int64_t cols)
{
    int64_t r = 0, row[VL];
    for (int64_t i = 0; i < VL; i++) row[i] = i * from_row;
    for (; VL > 4 && r + VL <= rows; r += VL) {
        const float *source = from + r * from_row;
        int64_t c = 0;
        for (; c + 4 <= cols; c += 4) {
            vf x[4];
            vf_load_quads(source + c, row, x);
            for (int64_t i = 0; i < 4; i++) vf_store(to + (c + i) * to_row + r, x[i]);
        }
        for (; c < cols; c++)
            for (int64_t i = 0; i < VL; i++) to[c * to_row + r + i] = source[row[i] + c];
    }
    for (; r + 4 <= rows; r += 4) {
        const float *source = from + r * from_row;
        int64_t c = 0;
        for (; c + 4 <= cols; c += 4)
            tt_transpose4(source + c, from_row, to + c * to_row + r, to_row);
        for (; c < cols; c++)
            for (int64_t i = 0; i < 4; i++) to[c * to_row + r + i] = source[i * from_row + c];
    }
    for (; r < rows; r++)
        for (int64_t c = 0; c < cols; c++) to[c * to_row + r] = from[r * from_row + c];
    for (int64_t c = 0; c < cols; c++)
        for (int64_t i = rows; i < to_row; i++) to[c * to_row + i] = 0;
    if (cols < to_cols) memset(to + cols * to_row, 0, (size_t)((to_cols - cols) * to_row) * 4);
}

#endif
