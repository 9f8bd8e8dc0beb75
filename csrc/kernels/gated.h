/* Gated activations f(gate) up, and their backwards, which give both cotangents in one pass. */
#ifndef TT_GATED_H
#define TT_GATED_H

#include "../simd_math.h"
#include "maps.h"
#include "row.h"

/* f(x), and g f'(x). */
TT_INLINE void vf_silu_both(vf x, vf g, vf *value, vf *dx)
{
    const vf s = vf_sigmoid(x);
    *value = x * s;
    *dx = g * (s * (1.0f + x * (1.0f - s)));
}
TT_INLINE void vf_gelu_both(vf x, vf g, vf *value, vf *dx)
{
    const vf share = vf_normal_cdf(x);
    *value = x * share;
    *dx = g * (share + x * vf_normal_pdf(x));
}
TT_INLINE void vf_gelu_tanh_both(vf x, vf g, vf *value, vf *dx)
{
    *value = x * vf_sigmoid(vf_gelu_2u(x));
    *dx = g * vf_gelu_tanh_slope(x);
}
TT_INLINE void vf_relu_both(vf x, vf g, vf *value, vf *dx)
{
    *value = vf_select(x <= 0.0f, vf_zero(), x);
    *dx = vf_select(x <= 0.0f, vf_zero(), g);
}
TT_INLINE void vf_sigmoid_both(vf x, vf g, vf *value, vf *dx)
{
    const vf s = vf_sigmoid(x);
    *value = s;
    *dx = g * s * (1.0f - s);
}

#define TT_GATED(NAME)                                                                      \
    TT_BINARY(gated_##NAME, NAME##_of(a, p, q) * b)                                         \
    TT_INLINE void gated_##NAME##_vectors(const float *gate, const float *up, const float *g,\
                                          float *dgate, float *dup, int64_t c, int64_t n)   \
    {                                                                                       \
        const vf of = tt_row_at(g, c, n, 0);                                                \
        vf value, dx;                                                                       \
        vf_##NAME##_both(tt_row_at(gate, c, n, 0), of * tt_row_at(up, c, n, 0), &value, &dx);\
        tt_row_put(dgate, c, n, dx);                                                        \
        tt_row_put(dup, c, n, of * value);                                                  \
    }                                                                                       \
    static void tt_gated_##NAME##_backward_f32(const tt_gated_args *args)                   \
    {                                                                                       \
        const tt_gated_args s = *args;                                                      \
        for (int64_t r = 0; r < s.rows; r++)                                                \
            TT_ROW_EACH(s.cols, gated_##NAME##_vectors(                                     \
                                    s.gate + r * s.gate_row, s.up + r * s.up_row,           \
                                    s.g + r * s.g_row, s.dgate + r * s.cols,                \
                                    s.dup + r * s.cols, c, s.cols));                        \
    }

TT_GATED(silu)
TT_GATED(gelu)
TT_GATED(gelu_tanh)
TT_GATED(relu)
TT_GATED(sigmoid)

#endif
