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

/* Fetch what is read some time after a run of n floats from x on: a hardware's own fetching does
 * not fill the way from an outer cache. */
TT_INLINE void tt_row_ahead(const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i += 16) __builtin_prefetch(x + 1024 + i);
}

/* The largest or smallest of a row; NaN if any is NaN. An instruction that does not care for NaN is
 * enough where there is none, as a sum of the row tells: only where that is NaN (inf - inf can be
 * the cause too) the row is gone through with care. */
#define TT_ROW_EXTREME(NAME, START)                                                    \
    static float tt_row_##NAME(const float *x, int64_t n)                              \
    {                                                                                  \
        vf best[4], sum[4];                                                            \
        int64_t c = 0;                                                                 \
        for (int k = 0; k < 4; k++) best[k] = vf_set1(START), sum[k] = vf_zero();      \
        for (; c + 4 * VL <= n; c += 4 * VL) {                                         \
            tt_row_ahead(x + c, 4 * VL);                                               \
            for (int k = 0; k < 4; k++) {                                              \
                const vf value = vf_load(x + c + k * VL);                              \
                best[k] = vf_##NAME##_fast(best[k], value);                            \
                sum[k] += value;                                                       \
            }                                                                          \
        }                                                                              \
        for (; c < n; c += VL) {                                                       \
            best[0] = vf_##NAME(tt_row_at(x, c, n, START), best[0]);                   \
            sum[0] += tt_row_at(x, c, n, 0);                                           \
        }                                                                              \
        for (int k = 1; k < 4; k++) {                                                  \
            best[0] = vf_##NAME##_fast(best[0], best[k]);                              \
            sum[0] += sum[k];                                                          \
        }                                                                              \
        if (__builtin_expect(vi_some(sum[0] != sum[0]), 0))                            \
            for (c = 0; c < n; c += VL)                                                \
                best[0] = vf_##NAME(tt_row_at(x, c, n, START), best[0]);               \
        return vf_h##NAME(best[0]);                                                    \
    }

TT_ROW_EXTREME(max, -INFINITY)
TT_ROW_EXTREME(min, INFINITY)

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
