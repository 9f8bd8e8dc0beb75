/* Copies of matrices, row by row or transposed. */
#include "../simd.h"
#include "transpose.h"

TT_INLINE void tt_transpose_square(const tt_copy_args *s, int64_t r, int64_t c, int stream)
{
    vf rows[VL];
    for (int i = 0; i < VL; i++) rows[i] = vf_load(s->x + (c + i) * s->x_step + r);
    vf_transpose(rows);
    for (int i = 0; i < VL; i++) {
        float *out = s->out + (r + i) * s->out_step + c;
        if (stream)
            vf_stream(out, rows[i]);
        else
            vf_store(out, rows[i]);
    }
}

/* Tiles of so many columns are gone through row by row, for the sake of pages and cache lines. */
enum { TT_TRANSPOSE_TILE = 64 };

static void tt_transpose_f32(const tt_copy_args *s)
{
    const int stream = s->stream && tt_can_stream(s->out, s->out_step);
    for (int64_t tile = 0; tile < s->cols; tile += TT_TRANSPOSE_TILE) {
        const int64_t end = tile + TT_TRANSPOSE_TILE < s->cols ? tile + TT_TRANSPOSE_TILE : s->cols;
        int64_t r = 0;
        for (; r + VL <= s->rows; r += VL) {
            int64_t c = tile;
            for (; c + VL <= end; c += VL)
                tt_transpose_square(s, r, c, stream);
            for (; c < end; c++)
                for (int k = 0; k < VL; k++)
                    s->out[(r + k) * s->out_step + c] = s->x[c * s->x_step + r + k];
        }
        for (; r < s->rows; r++)
            for (int64_t c = tile; c < end; c++)
                s->out[r * s->out_step + c] = s->x[c * s->x_step + r];
    }
    if (stream) tt_fence();
}

enum { TT_COPIED_AHEAD = 1024 }; /* floats that are asked for before they are copied */

static void tt_copy_rows_f32(const tt_copy_args *s)
{
    const int stream = s->stream && tt_can_stream(s->out, s->rows == 1 ? 0 : s->out_step);
    /* Where rows are short and far apart, the processor's own prefetchers find none of the next. */
    const int64_t ahead = tt_ceil_div(TT_COPIED_AHEAD, s->cols) * s->x_step;
    for (int64_t r = 0; r < s->rows; r++) {
        const float *x = s->x + r * s->x_step;
        float *out = s->out + r * s->out_step;
        int64_t c = 0;
        for (; c + VL <= s->cols; c += VL) {
            __builtin_prefetch(x + ahead + c);
            if (stream)
                vf_stream(out + c, vf_load(x + c));
            else
                vf_store(out + c, vf_load(x + c));
        }
        if (c < s->cols) vf_store_n(out + c, vf_load_n(x + c, s->cols - c), s->cols - c);
    }
    if (stream) tt_fence();
}
