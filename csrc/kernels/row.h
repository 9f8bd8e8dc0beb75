/* Walking along a row of floats of any length, vector by vector. */
#ifndef TT_ROW_H
#define TT_ROW_H

#include "../simd.h"

/* Rows longer than this are summed in runs of it, and the runs in double. */
enum { TT_RUN = 4096 };

/* Vector number c / VL of a row of n; lanes past the end get `rest`. */
TT_INLINE vf tt_row_at(const float *x, int64_t c, int64_t n, float rest)
{
    if (c + VL <= n) return vf_load(x + c);
    return vf_select(vi_first(n - c), vf_load_n(x + c, n - c), vf_set1(rest));
}

TT_INLINE void tt_row_put(float *x, int64_t c, int64_t n, vf value)
{
    if (c + VL <= n)
        vf_store(x + c, value);
    else
        vf_store_n(x + c, value, n - c);
}

/* Sum over c of EXPRESSION, a vector that may use c: vectors in runs, runs in double. A part of a
 * vector at the end must be 0 in the lanes past n. */
#define TT_ROW_SUM(TOTAL, N, EXPRESSION)                                          \
    do {                                                                          \
        for (int64_t run = 0; run < (N); run += TT_RUN) {                         \
            const int64_t end = (N) - run < TT_RUN ? (N) : run + TT_RUN;          \
            vf even = vf_zero(), odd = vf_zero();                                 \
            int64_t c = run;                                                      \
            for (; c + 2 * VL <= end; c += VL) {                                  \
                even += (EXPRESSION);                                             \
                c += VL;                                                          \
                odd += (EXPRESSION);                                              \
            }                                                                     \
            for (; c < end; c += VL) even += (EXPRESSION);                        \
            (TOTAL) += vf_hsum(even + odd);                                       \
        }                                                                         \
    } while (0)

#endif
