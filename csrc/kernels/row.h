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

/* The same into rows that may be streamed if `stream` (and then tt_fence comes after them). */
TT_INLINE void tt_row_put_last(float *x, int64_t c, int64_t n, vf value, int stream)
{
    if (stream)
        vf_stream(x + c, value);
    else
        tt_row_put(x, c, n, value);
}

/* STATEMENT, which may use c, for each vector of a row of N. Whole vectors have a loop of their
 * own, in which tt_row_at and tt_row_put are a plain load and store. */
#define TT_ROW_EACH(N, STATEMENT)                            \
    do {                                                     \
        int64_t c = 0;                                       \
        for (; c + VL <= (N); c += VL) STATEMENT;            \
        if (c < (N)) STATEMENT;                              \
    } while (0)

/* Sum over c of EXPRESSION, a vector that may use c: vectors in runs, runs in double. A part of a
 * vector at the end must be 0 in the lanes past n. */
#define TT_ROW_ADD(N, PART, EXPRESSION)                      \
    do {                                                     \
        if (c + VL > (N)) __builtin_unreachable();           \
        (PART) += (EXPRESSION);                              \
        c += VL;                                             \
    } while (0)

#define TT_ROW_SUM(TOTAL, N, EXPRESSION)                                          \
    do {                                                                          \
        int64_t c = 0;                                                            \
        while (c < (N)) {                                                         \
            const int64_t end = (N)-c < TT_RUN ? (N) : c + TT_RUN;                \
            vf part[4] = {vf_zero(), vf_zero(), vf_zero(), vf_zero()};            \
            while (c + 4 * VL <= end) {                                           \
                TT_ROW_ADD(N, part[0], EXPRESSION);                               \
                TT_ROW_ADD(N, part[1], EXPRESSION);                               \
                TT_ROW_ADD(N, part[2], EXPRESSION);                               \
                TT_ROW_ADD(N, part[3], EXPRESSION);                               \
            }                                                                     \
            for (; c < end; c += VL) part[0] += (EXPRESSION);                     \
            (TOTAL) += vf_hsum((part[0] + part[1]) + (part[2] + part[3]));        \
        }                                                                         \
    } while (0)

#endif
