/* Reductions, places of extremes and running sums along one axis of (outer, n, cols).
 *
 * A sum takes STEP vectors at a time, and carries these partial sums upward as a binary counter
 * carries its ones: levels[k] holds the sum of 2^k steps, or nothing. So the error grows with the
 * logarithm of n, and the order of additions depends on n alone. */
#include "../simd.h"
#include "row.h"
#include "transpose.h"

enum {
    TT_REDUCE_STEP = 16,
    TT_REDUCE_BESIDE = 4, /* vectors of a row before those of the next, which are elsewhere */
    TT_REDUCE_RUN = 64,
    TT_REDUCE_LEVELS = 24, /* 2^24 steps: of what has more, the callers make pieces */
    TT_REDUCE_STRIP = 1024, /* columns side by side, so that each row is read in long runs */
};

/* A reduction along columns: its neutral START, COMBINE of vf a and b, VALUE of vf x and the shift
 * m. */
#define TT_REDUCE_COLUMNS(NAME, START, COMBINE, VALUE)                                         \
    TT_INLINE vf NAME##_combine(vf a, vf b) { return (COMBINE); }                              \
    TT_INLINE vf NAME##_value(vf x, vf m)                                                      \
    {                                                                                          \
        (void)m;                                                                               \
        return (VALUE);                                                                        \
    }                                                                                          \
                                                                                               \
    TT_INLINE vf NAME##_at(const float *x, vf m, int64_t lanes)                                \
    {                                                                                          \
        return NAME##_value(lanes == VL ? vf_load(x) : vf_load_n(x, lanes), m);                \
    }                                                                                          \
                                                                                               \
    /* Four rows of `width` vectors onto the sums. */                                          \
    TT_INLINE void NAME##_four_rows(const float *x, int64_t stride, const vf *m,               \
                                    const int width, int64_t lanes, vf *part)                  \
    {                                                                                          \
        vf first[TT_REDUCE_BESIDE], second[TT_REDUCE_BESIDE];                                  \
        for (int w = 0; w < width; w++) first[w] = NAME##_at(x + w * VL, m[w], lanes);         \
        x += stride;                                                                           \
        for (int w = 0; w < width; w++)                                                        \
            first[w] = NAME##_combine(first[w], NAME##_at(x + w * VL, m[w], lanes));           \
        x += stride;                                                                           \
        for (int w = 0; w < width; w++) second[w] = NAME##_at(x + w * VL, m[w], lanes);        \
        x += stride;                                                                           \
        for (int w = 0; w < width; w++) {                                                      \
            second[w] = NAME##_combine(second[w], NAME##_at(x + w * VL, m[w], lanes));         \
            part[w] = NAME##_combine(part[w], NAME##_combine(first[w], second[w]));            \
        }                                                                                      \
    }                                                                                          \
                                                                                               \
    /* n vectors, `stride` floats apart, beside width - 1 neighbours; `lanes` are in use. */   \
    TT_INLINE void NAME##_columns(const float *x, int64_t n, int64_t stride, const vf *m,      \
                                  int width, int64_t lanes, vf *total)                         \
    {                                                                                          \
        vf levels[TT_REDUCE_LEVELS][TT_REDUCE_STRIP / VL], part[TT_REDUCE_STRIP / VL];         \
        const int apart = stride > width * VL; /* the rows: another page each, maybe */        \
        uint64_t steps = 0;                                                                    \
        int64_t i = 0;                                                                         \
        for (; i + TT_REDUCE_STEP <= n; i += TT_REDUCE_STEP, steps++) {                        \
            for (int w = 0; w < width; w++) part[w] = vf_set1(START);                          \
            for (int64_t k = i; k < i + TT_REDUCE_STEP; k += 4) {                              \
                const float *row = x + k * stride;                                             \
                for (int r = 4; r < 8 && apart; r++) /* the next ones */                       \
                    for (int c = 0; c < width * VL; c += 16)                                   \
                        __builtin_prefetch(row + r * stride + c);                              \
                int w = 0;                                                                     \
                for (; w + TT_REDUCE_BESIDE <= width; w += TT_REDUCE_BESIDE)                   \
                    NAME##_four_rows(row + w * VL, stride, m + w, TT_REDUCE_BESIDE, lanes,     \
                                     part + w);                                                \
                for (; w < width; w++)                                                         \
                    NAME##_four_rows(row + w * VL, stride, m + w, 1, lanes, part + w);         \
            }                                                                                  \
            int level = __builtin_ctzll(~(unsigned long long)steps);                           \
            for (int w = 0; w < width; w++) {                                                  \
                vf carry = part[w];                                                            \
                for (int k = 0; k < level; k++) carry = NAME##_combine(levels[k][w], carry);   \
                levels[level][w] = carry;                                                      \
            }                                                                                  \
        }                                                                                      \
        for (int w = 0; w < width; w++) {                                                      \
            vf sum = vf_set1(START);                                                           \
            for (int64_t k = i; k < n; k++)                                                    \
                sum = NAME##_combine(sum, NAME##_at(x + k * stride + w * VL, m[w], lanes));    \
            for (int level = 0; steps >> level; level++)                                       \
                if (steps >> level & 1) sum = NAME##_combine(levels[level][w], sum);           \
            total[w] = sum;                                                                    \
        }                                                                                      \
    }

/* Along one contiguous row: the same with steps of up to TT_REDUCE_RUN vectors, in four sums. */
#define TT_REDUCE_ROW(NAME, START)                                                             \
    TT_INLINE vf NAME##_pair(const float *x, vf m)                                             \
    {                                                                                          \
        return NAME##_combine(NAME##_at(x, m, VL), NAME##_at(x + VL, m, VL));                  \
    }                                                                                          \
                                                                                               \
    static float NAME##_row(const float *x, int64_t n, vf m)                                   \
    {                                                                                          \
        vf levels[TT_REDUCE_LEVELS], total = vf_set1(START);                                   \
        uint64_t steps = 0;                                                                    \
        int64_t i = 0;                                                                         \
        for (; i + 8 * VL <= n; steps++) {                                                     \
            const int64_t end = n - i < TT_REDUCE_RUN * VL ? n : i + TT_REDUCE_RUN * VL;       \
            vf a = vf_set1(START), b = a, c = a, d = a;                                        \
            for (; i + 8 * VL <= end; i += 8 * VL) {                                           \
                tt_row_ahead(x + i, 8 * VL);                                                   \
                a = NAME##_combine(a, NAME##_pair(x + i, m));                                  \
                b = NAME##_combine(b, NAME##_pair(x + i + 2 * VL, m));                         \
                c = NAME##_combine(c, NAME##_pair(x + i + 4 * VL, m));                         \
                d = NAME##_combine(d, NAME##_pair(x + i + 6 * VL, m));                         \
            }                                                                                  \
            vf carry = NAME##_combine(NAME##_combine(a, b), NAME##_combine(c, d));             \
            int level = __builtin_ctzll(~(unsigned long long)steps);                           \
            for (int k = 0; k < level; k++) carry = NAME##_combine(levels[k], carry);          \
            levels[level] = carry;                                                             \
        }                                                                                      \
        for (; i + VL <= n; i += VL) total = NAME##_combine(total, NAME##_at(x + i, m, VL));   \
        if (i < n) {                                                                           \
            vf value = NAME##_value(vf_load_n(x + i, n - i), m);                               \
            value = vf_select(vi_first(n - i), value, vf_set1(START));                         \
            total = NAME##_combine(total, value);                                              \
        }                                                                                      \
        for (int level = 0; steps >> level; level++)                                           \
            if (steps >> level & 1) total = NAME##_combine(levels[level], total);              \
        TT_FOLD(total, NAME##_combine);                                                        \
        return total[0];                                                                       \
    }

/* A sum's kernel, of NAME_columns and NAME_row. */
#define TT_REDUCE_KERNEL(NAME)                                                                 \
    static void tt_##NAME##_f32(const tt_reduce_args *s)                                       \
    {                                                                                          \
        enum { WIDTH = TT_REDUCE_STRIP / VL };                                                 \
        vf m[WIDTH] = {{0}}, total[WIDTH];                                                     \
        for (int64_t o = 0; o < s->outer; o++) {                                               \
            const float *x = s->x + o * s->x_outer;                                            \
            const float *shift = s->shift ? s->shift + o * s->out_outer : NULL;                \
            float *out = s->out + o * s->out_outer;                                            \
            if (s->stride == 1) {                                                              \
                *out = NAME##_row(x, s->n, shift ? vf_set1(*shift) : vf_zero());               \
                continue;                                                                      \
            }                                                                                  \
            int64_t c = 0, rest = s->cols % VL;                                                \
            while (c < s->cols - rest) {                                                       \
                int64_t left = (s->cols - rest - c) / VL;                                      \
                int width = left < WIDTH ? (int)left : WIDTH;                                  \
                for (int w = 0; shift && w < width; w++) m[w] = vf_load(shift + c + w * VL);   \
                NAME##_columns(x + c, s->n, s->stride, m, width, VL, total);                   \
                for (int w = 0; w < width; w++, c += VL) vf_store(out + c, total[w]);          \
            }                                                                                  \
            if (rest) {                                                                        \
                if (shift) m[0] = vf_load_n(shift + c, rest);                                  \
                NAME##_columns(x + c, s->n, s->stride, m, 1, rest, total);                     \
                vf_store_n(out + c, total[0], rest);                                           \
            }                                                                                  \
        }                                                                                      \
    }

#define TT_REDUCE(NAME, START, COMBINE, VALUE)                                                 \
    TT_REDUCE_COLUMNS(NAME, START, COMBINE, VALUE)                                             \
    TT_REDUCE_ROW(NAME, START)                                                                 \
    TT_REDUCE_KERNEL(NAME)

TT_REDUCE(sum, 0.0f, a + b, x)
TT_REDUCE(prod, 1.0f, a * b, x)
TT_REDUCE(squared_deviations, 0.0f, a + b, (x - m) * (x - m))

#define TT_REDUCE_EXTREME(NAME, START, COMBINE)                                                \
    TT_REDUCE_COLUMNS(NAME, START, COMBINE, x)                                                 \
    TT_INLINE float NAME##_row(const float *x, int64_t n, vf m)                                \
    {                                                                                          \
        (void)m;                                                                               \
        return tt_row_##NAME(x, n);                                                            \
    }                                                                                          \
    TT_REDUCE_KERNEL(NAME)

TT_REDUCE_EXTREME(max, -INFINITY, vf_max(a, b))
TT_REDUCE_EXTREME(min, INFINITY, vf_min(a, b))

/* --- Where the extremes are ----------------------------------------------------------------- */

TT_INLINE vi vi_lesser(vi a, vi b) { return vi_select(a < b, a, b); }

enum { TT_ARG_STEP = 4 };

/* The first index with BETTER than all before: NaN (which no comparison holds for) once, and first
 * of all. Along a row four vectors are a step: each lane keeps the best of its steps, and in which
 * that first was. The last step goes over a part of the one before if it must. A sum tells whether
 * there may be a NaN, as in row.h. */
#define TT_ARG(NAME, EXTREME, START, BETTER, WORSE)                                            \
    /* In two looks: for the extreme, then for the first place of that. */                     \
    static int64_t NAME##_looked_for(const float *x, int64_t n)                                \
    {                                                                                          \
        const float best = tt_row_##EXTREME(x, n);                                             \
        const vf wanted = vf_set1(best);                                                       \
        int64_t i = 0;                                                                         \
        if (best != best)                                                                      \
            while (x[i] == x[i]) i++;                                                          \
        else {                                                                                 \
            while (i + VL <= n && !vi_some(vf_load(x + i) == wanted)) i += VL;                 \
            while (x[i] != best) i++;                                                          \
        }                                                                                      \
        return i;                                                                              \
    }                                                                                          \
                                                                                               \
    static int64_t NAME##_row(const float *x, int64_t n)                                       \
    {                                                                                          \
        const int64_t last = n - TT_ARG_STEP * VL;                                             \
        if (last < TT_ARG_STEP * VL) return NAME##_looked_for(x, n);                           \
        vf best = vf_set1(START), a = vf_zero(), b = a, c = a, d = a;                          \
        vi step = {0}, now = {0};                                                              \
        for (int64_t i = 0; i < n; i += TT_ARG_STEP * VL, now += 1) {                          \
            const float *from = x + (i < last ? i : last);                                     \
            tt_row_ahead(from, TT_ARG_STEP * VL);                                              \
            const vf p = vf_load(from), q = vf_load(from + VL);                                \
            const vf r = vf_load(from + 2 * VL), s = vf_load(from + 3 * VL);                   \
            const vf top = vf_##EXTREME##_fast(vf_##EXTREME##_fast(p, q),                      \
                                               vf_##EXTREME##_fast(r, s));                     \
            a += p, b += q, c += r, d += s;                                                    \
            step = vi_select(top BETTER best, now, step);                                      \
            best = vf_##EXTREME##_fast(best, top);                                             \
        }                                                                                      \
        a = (a + b) + (c + d);                                                                 \
        if (__builtin_expect(vi_some(a != a), 0)) return NAME##_looked_for(x, n);              \
        vf top = best;                                                                         \
        TT_FOLD(top, vf_##EXTREME##_fast);                                                     \
        step = vi_select(best == top, step, now);                                              \
        for (int half = VL / 2; half > 0; half /= 2) {                                         \
            const vi other = (vi)vf_swap((vf)step, half);                                      \
            step = vi_select(step < other, step, other);                                       \
        }                                                                                      \
        int64_t i = (int64_t)step[0] * TT_ARG_STEP * VL;                                       \
        if (i > last) i = last;                                                                \
        uint64_t places = 0;                                                                   \
        for (int k = 0; k < TT_ARG_STEP; k++)                                                  \
            places |= (uint64_t)vi_bits(vf_load(x + i + k * VL) == top) << k * VL;             \
        return i + __builtin_ctzll(places);                                                    \
    }                                                                                          \
                                                                                               \
    TT_INLINE void NAME##_columns(const float *x, int64_t n, int64_t stride, const int width,  \
                                  int64_t lanes, int64_t *out)                                 \
    {                                                                                          \
        vf best[4];                                                                            \
        vi place[4] = {{0}};                                                                   \
        for (int w = 0; w < width; w++)                                                        \
            best[w] = lanes == VL ? vf_load(x + w * VL) : vf_load_n(x, lanes);                 \
        for (int64_t i = 1; i < n; i++)                                                        \
            for (int w = 0; w < width; w++) {                                                  \
                const float *row = x + i * stride + w * VL;                                    \
                vf next = lanes == VL ? vf_load(row) : vf_load_n(row, lanes);                  \
                vi better = ~(next WORSE best[w]) & (best[w] == best[w]);                      \
                best[w] = vf_select(better, next, best[w]);                                    \
                place[w] = vi_select(better, vi_set1((int32_t)i), place[w]);                   \
            }                                                                                  \
        for (int w = 0; w < width; w++)                                                        \
            for (int64_t k = 0; k < lanes; k++) out[w * VL + k] = place[w][k];                 \
    }                                                                                          \
                                                                                               \
    static void tt_##NAME##_f32(const tt_arg_args *s)                                          \
    {                                                                                          \
        for (int64_t o = 0; o < s->outer; o++) {                                               \
            const float *x = s->x + o * s->x_outer;                                            \
            int64_t *out = s->out + o * s->out_outer, c = 0;                                   \
            if (s->stride == 1) {                                                              \
                *out = NAME##_row(x, s->n);                                                    \
                continue;                                                                      \
            }                                                                                  \
            for (; c + 4 * VL <= s->cols; c += 4 * VL)                                         \
                NAME##_columns(x + c, s->n, s->stride, 4, VL, out + c);                        \
            for (; c + VL <= s->cols; c += VL)                                                 \
                NAME##_columns(x + c, s->n, s->stride, 1, VL, out + c);                        \
            if (c < s->cols) NAME##_columns(x + c, s->n, s->stride, 1, s->cols - c, out + c);  \
        }                                                                                      \
    }

TT_ARG(argmax, max, -INFINITY, >, <=)
TT_ARG(argmin, min, INFINITY, <, >=)

/* --- Running sums --------------------------------------------------------------------------- */

/* A running sum keeps the error of a blocked one: floats are added from 0 within a short run, and
 * what came before the run is a sum of two floats, carry + rest, to which the run's total is added
 * without an error but that of `rest` (Knuth's two-sum):
 *
 *     out[i] = (carry + rest) + (x[first of run] + ... + x[i])
 *
 * All sums start from -0, to which x is added unchanged, be it -0.
 *
 * If anything leaves the range of floats, carry ends as inf or NaN: then the row (or column) is
 * summed again one by one in double, as is what has no neighbours to go with. */

/* Rows that are worth a tile, elements of them, and columns of a tile; rows that go side by side
 * without. */
enum {
    TT_RUNNING_LEAST = 4,
    TT_RUNNING_SHORT = 16,
    TT_RUNNING_TILE = VL > 8 ? VL : 8,
    TT_RUNNING_ROWS = 8,
};
/* Of columns: how many go side by side, rows of a run, and vectors whose sums stay in registers.
 * Rows lie a power of two apart in the worst case, so that a column's lines fall on one set of the
 * cache. Where a vector is a whole line, no line is needed twice: then it is all of a strip. */
enum {
    TT_RUNNING_STRIP = 256,
    TT_RUNNING_RUN = VL < 16 ? 8 : 16,
    TT_RUNNING_BESIDE = VL < 16 ? VL / 2 : TT_RUNNING_STRIP / VL,
    TT_RUNNING_FEW = VL / 4,
    TT_RUNNING_PAGE = 1024,
};

/* (carry, rest) += x */
TT_INLINE void tt_running_carry(vf *carry, vf *rest, vf x)
{
    const vf sum = *carry + x, of_x = sum - *carry;
    *rest -= ((sum - of_x) - *carry) + (of_x - x); /* -0 stays -0 */
    *carry = sum;
}

TT_INLINE int tt_running_is_lost(vf carry) { return vi_some(~(vf_abs(carry) < INFINITY)); }

/* n elements `step` apart (backwards if negative), one by one after `sum`. */
TT_INLINE void tt_running_exact(const float *x, float *out, int64_t n, int64_t step, double sum)
{
    for (int64_t i = 0; i < n; i++) out[i * step] = (float)(sum += x[i * step]);
}

/* Of rows that are a power of two apart, the cache keeps too few lines to come back to them. */
TT_INLINE int tt_running_collide(int64_t n) { return n % 1024 == 0; }

/* Where the rows of a tile are whole cache lines, they are written as such. */
TT_INLINE void tt_running_store(float *x, const int64_t row[VL], vf tile[TT_RUNNING_TILE])
{
    if (VL == 16) {
        vf_transpose(tile);
        for (int r = 0; r < VL; r++) vf_store(x + row[r], tile[r]);
    } else
        for (int q = 0; q < TT_RUNNING_TILE; q += 4) vf_store_quads(x + q, row, tile + q);
}

/* A tile of VL rows and TT_RUNNING_TILE columns, of which so many are in use, lies transposed, and
 * is summed vector by vector. */
TT_INLINE void tt_running_sums(vf tile[TT_RUNNING_TILE], int64_t columns, vf *carry, vf *rest,
                               const int reverse)
{
    const vf before = *carry + *rest;
    vf sum = vf_set1(-0.0f);
    for (int k = 0; k < TT_RUNNING_TILE; k++) {
        const int c = reverse ? TT_RUNNING_TILE - 1 - k : k;
        if (c >= columns) continue;
        sum += tile[c];
        tile[c] = before + sum;
    }
    tt_running_carry(carry, rest, sum);
}

/* x and out are at the first of the rows, the others at row[]. */
TT_INLINE void tt_running_tile(const float *x, float *out, const int64_t row[VL], vf *carry,
                               vf *rest, const int reverse)
{
    vf tile[TT_RUNNING_TILE];
    if (VL == 16 && tt_running_collide(row[1])) { /* whole cache lines */
        for (int r = 0; r < VL; r++) tile[r] = vf_load(x + row[r]);
        vf_transpose(tile);
    } else
        for (int q = 0; q < TT_RUNNING_TILE; q += 4) vf_load_quads(x + q, row, tile + q);
    tt_running_sums(tile, TT_RUNNING_TILE, carry, rest, reverse);
    tt_running_store(out, row, tile);
}

/* The same of fewer columns: by quads of them, otherwise by vectors of which no more is read. */
TT_INLINE void tt_running_part(const float *x, float *out, const int64_t row[VL], int64_t columns,
                               vf *carry, vf *rest, const int reverse)
{
    vf tile[TT_RUNNING_TILE];
    if (columns % 4 == 0) {
        for (int q = 0; q < TT_RUNNING_TILE; q += 4)
            if (q < columns)
                vf_load_quads(x + q, row, tile + q);
            else
                tile[q] = tile[q + 1] = tile[q + 2] = tile[q + 3] = vf_zero();
        tt_running_sums(tile, columns, carry, rest, reverse);
        for (int q = 0; q < TT_RUNNING_TILE; q += 4)
            if (q < columns) vf_store_quads(out + q, row, tile + q);
        return;
    }
    for (int q = 0; q < TT_RUNNING_TILE; q += VL) {
        const int64_t n = columns - q < 0 ? 0 : columns - q < VL ? columns - q : VL;
        for (int r = 0; r < VL; r++) tile[q + r] = vf_load_n(x + row[r] + q, n);
        vf_transpose(tile + q);
    }
    tt_running_sums(tile, columns, carry, rest, reverse);
    for (int q = 0; q < TT_RUNNING_TILE; q += VL) {
        const int64_t n = columns - q < 0 ? 0 : columns - q < VL ? columns - q : VL;
        vf_transpose(tile + q);
        for (int r = 0; r < VL; r++) vf_store_n(out + row[r] + q, tile[q + r], n);
    }
}

/* Up to VL rows of n. The last one stands for those that are missing: it is written again. */
TT_INLINE void tt_running_rows(const float *x, float *out, int64_t rows, int64_t n,
                               const int reverse)
{
    const int64_t part = n % TT_RUNNING_TILE, whole = n - part;
    int64_t row[VL];
    vf carry = vf_set1(-0.0f), rest = carry;
    for (int r = 0; r < VL; r++) row[r] = (r < rows ? r : rows - 1) * n;
    if (reverse && part) tt_running_part(x + whole, out + whole, row, part, &carry, &rest, 1);
    for (int64_t k = 0; k < whole; k += TT_RUNNING_TILE) {
        const int64_t i = reverse ? whole - TT_RUNNING_TILE - k : k;
        tt_running_tile(x + i, out + i, row, &carry, &rest, reverse);
    }
    if (!reverse && part) tt_running_part(x + whole, out + whole, row, part, &carry, &rest, 0);
    if (__builtin_expect(tt_running_is_lost(carry), 0)) {
        const int64_t first = reverse ? n - 1 : 0;
        for (int64_t r = 0; r < rows; r++)
            tt_running_exact(x + r * n + first, out + r * n + first, n, reverse ? -1 : 1, -0.0);
    }
}

/* One row of n: runs of TT_RUNNING_TILE elements are the rows of a tile, each of which adds what
 * came before it, a sum in double of the runs' totals. */
TT_INLINE void tt_running_row(const float *x, float *out, int64_t n, const int reverse)
{
    enum { TILE = TT_RUNNING_TILE, BLOCK = VL * TILE };
    const int64_t part = n % BLOCK;
    const int64_t step = reverse ? -1 : 1, first = reverse ? n - 1 : 0;
    double carry = -0.0;
    int64_t row[VL];
    for (int r = 0; r < VL; r++) row[r] = r * TILE;
    for (int64_t k = 0; k < n - part; k += BLOCK) {
        const int64_t i = reverse ? n - BLOCK - k : k;
        vf tile[TILE], before = vf_zero(), sum = vf_set1(-0.0f);
        for (int q = 0; q < TILE; q += 4) vf_load_quads(x + i + q, row, tile + q);
        for (int c = 0; c < TILE; c++) {
            const int at = reverse ? TILE - 1 - c : c;
            tile[at] = sum += tile[at];
        }
        float totals[VL];
        vf_store(totals, sum);
        for (int r = 0; r < VL; r++) {
            const int at = reverse ? VL - 1 - r : r;
            const double total = totals[at];
            totals[at] = (float)carry;
            carry += total;
        }
        before = vf_load(totals);
        for (int c = 0; c < TILE; c++) tile[c] += before;
        tt_running_store(out + i, row, tile);
    }
    if (__builtin_expect(!isfinite((float)carry), 0))
        tt_running_exact(x + first, out + first, n, step, -0.0);
    else if (part) {
        const int64_t from = first + step * (n - part);
        tt_running_exact(x + from, out + from, part, step, carry);
    }
}

/* Rows that are short: element by element, the chains of several overlapping. */
TT_INLINE void tt_running_short(const float *x, float *out, int64_t n, int reverse)
{
    float sum[TT_RUNNING_ROWS];
    for (int r = 0; r < TT_RUNNING_ROWS; r++) sum[r] = -0.0f;
    for (int64_t k = 0; k < n; k++) {
        const int64_t i = reverse ? n - 1 - k : k;
        for (int r = 0; r < TT_RUNNING_ROWS; r++) out[r * n + i] = sum[r] += x[r * n + i];
    }
}

/* A run of n rows, `step` apart: `width` vectors from x on, of which `lanes` are in use. A machine
 * looks ahead within a page alone: rows that are `far`, more than one apart, are asked for here. */
TT_INLINE void tt_running_block(const float *x, float *out, int64_t n, int64_t step,
                                const int width, const int far, int64_t lanes, vf *carry, vf *rest)
{
    vf sum[TT_RUNNING_BESIDE], before[TT_RUNNING_BESIDE];
    for (int w = 0; w < width; w++) sum[w] = vf_set1(-0.0f), before[w] = carry[w] + rest[w];
    for (int64_t i = 0; i < n; i++)
        for (int w = 0; w < width; w++) {
            const int64_t at = i * step + w * VL;
            if (far) {
                __builtin_prefetch(x + at + 2 * step);
                __builtin_prefetch(out + at + 2 * step, 1);
            }
            sum[w] += lanes == VL ? vf_load(x + at) : vf_load_n(x + at, lanes);
            if (lanes == VL)
                vf_store(out + at, before[w] + sum[w]);
            else
                vf_store_n(out + at, before[w] + sum[w], lanes);
        }
    for (int w = 0; w < width; w++) tt_running_carry(carry + w, rest + w, sum[w]);
}

/* Up to TT_RUNNING_STRIP columns of n rows that are `step` apart. */
TT_INLINE void tt_running_columns(const float *x, float *out, int64_t n, int64_t step, int64_t cols)
{
    enum {
        STRIP = TT_RUNNING_STRIP / VL,
        BESIDE = TT_RUNNING_BESIDE,
        FEW = TT_RUNNING_FEW,
        RUN = TT_RUNNING_RUN,
    };
    vf carry[STRIP], rest[STRIP];
    const int64_t vectors = tt_ceil_div(cols, VL);
    const int far = BESIDE == STRIP && (step > TT_RUNNING_PAGE || step < -TT_RUNNING_PAGE);
    for (int64_t v = 0; v < vectors; v++) carry[v] = rest[v] = vf_set1(-0.0f);
    for (int64_t i = 0; i < n; i += RUN) {
        const float *from = x + i * step;
        float *to = out + i * step;
        const int64_t rows = n - i < RUN ? n - i : RUN;
        int64_t v = 0;
        for (; (v + BESIDE) * VL <= cols && rows == RUN; v += BESIDE)
            if (far)
                tt_running_block(from + v * VL, to + v * VL, RUN, step, BESIDE, 1, VL, carry + v,
                                 rest + v);
            else
                tt_running_block(from + v * VL, to + v * VL, RUN, step, BESIDE, 0, VL, carry + v,
                                 rest + v);
        for (; (v + FEW) * VL <= cols && rows == RUN; v += FEW)
            tt_running_block(from + v * VL, to + v * VL, RUN, step, FEW, 0, VL, carry + v,
                             rest + v);
        for (; v < vectors; v++)
            tt_running_block(from + v * VL, to + v * VL, rows, step, 1, 0,
                             cols - v * VL < VL ? cols - v * VL : VL, carry + v, rest + v);
    }
    for (int64_t v = 0; v < vectors; v++)
        if (__builtin_expect(tt_running_is_lost(carry[v]), 0))
            for (int64_t c = v * VL; c < cols && c < (v + 1) * VL; c++)
                tt_running_exact(x + c, out + c, n, step, -0.0);
}

static void tt_cumsum_f32(const tt_cumsum_args *s)
{
    const int64_t n = s->n, last = s->reverse ? n - 1 : 0;
    const int64_t step = s->reverse ? -s->stride : s->stride;
    if (s->stride > 1) {
        for (int64_t o = 0; o < s->outer; o++) {
            const int64_t start = (o * n + last) * s->stride;
            for (int64_t c = 0; c < s->cols; c += TT_RUNNING_STRIP)
                tt_running_columns(
                    s->x + start + c, s->out + start + c, n, step,
                    s->cols - c < TT_RUNNING_STRIP ? s->cols - c : TT_RUNNING_STRIP);
        }
        return;
    }
    for (int64_t row = 0, rows; row < s->outer; row += rows) {
        const float *x = s->x + row * n;
        float *out = s->out + row * n;
        const int64_t left = s->outer - row;
        if (left >= TT_RUNNING_LEAST && n >= TT_RUNNING_SHORT) {
            rows = left < VL ? left : VL;
            if (s->reverse)
                tt_running_rows(x, out, rows, n, 1);
            else
                tt_running_rows(x, out, rows, n, 0);
        } else if (left >= TT_RUNNING_ROWS)
            tt_running_short(x, out, n, s->reverse), rows = TT_RUNNING_ROWS;
        else if (s->reverse)
            tt_running_row(x, out, n, 1), rows = 1;
        else
            tt_running_row(x, out, n, 0), rows = 1;
    }
}
