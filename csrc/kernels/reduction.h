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
        vi place[4];                                                                           \
        for (int w = 0; w < width; w++) {                                                      \
            best[w] = lanes == VL ? vf_load(x + w * VL) : vf_load_n(x, lanes);                 \
            place[w] = (vi){0};                                                                \
        }                                                                                      \
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

/* Rows that are worth a tile, and elements of them; rows that go side by side without. */
enum { TT_RUNNING_LEAST = 4, TT_RUNNING_SHORT = 16, TT_RUNNING_ROWS = 8 };

/* `lanes` columns of VL rows, which start at row[]: the transpose is summed vector by vector. */
TT_INLINE vf tt_running_tile(const float *x, float *out, const int64_t row[VL], int64_t lanes,
                             vf sum, const int reverse)
{
    vf tile[VL];
    for (int r = 0; r < VL; r++)
        tile[r] = lanes == VL ? vf_load(x + row[r]) : vf_load_n(x + row[r], lanes);
    vf_transpose(tile);
    for (int k = 0; k < VL; k++) {
        const int c = reverse ? VL - 1 - k : k;
        tile[c] = sum += tile[c];
    }
    vf_transpose(tile);
    for (int r = 0; r < VL; r++) {
        if (lanes == VL)
            vf_store(out + row[r], tile[r]);
        else
            vf_store_n(out + row[r], tile[r], lanes);
    }
    return sum;
}

/* Up to VL rows of n. The last one stands for those that are missing: it is written again. */
TT_INLINE void tt_running_rows(const float *x, float *out, int64_t rows, int64_t n,
                               const int reverse)
{
    const int64_t rest = n % VL, whole = n - rest;
    int64_t row[VL];
    vf sum = vf_zero();
    for (int r = 0; r < VL; r++) row[r] = (r < rows ? r : rows - 1) * n;
    if (reverse && rest) sum = tt_running_tile(x + whole, out + whole, row, rest, sum, 1);
    for (int64_t k = 0; k < whole; k += VL) {
        const int64_t i = reverse ? whole - VL - k : k;
        sum = tt_running_tile(x + i, out + i, row, VL, sum, reverse);
    }
    if (!reverse && rest) tt_running_tile(x + whole, out + whole, row, rest, sum, 0);
}

/* What a tile would not pay for: element by element, the chains of several rows overlapping. */
TT_INLINE void tt_running_scalars(const float *x, float *out, int64_t n, const int rows,
                                  int reverse)
{
    float sum[TT_RUNNING_ROWS] = {0};
    for (int64_t k = 0; k < n; k++) {
        const int64_t i = reverse ? n - 1 - k : k;
        for (int r = 0; r < rows; r++) out[r * n + i] = sum[r] += x[r * n + i];
    }
}

static void tt_cumsum_f32(const tt_cumsum_args *s)
{
    const int64_t n = s->n;
    for (int64_t row = 0, rows; s->stride == 1 && row < s->outer; row += rows) {
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
            tt_running_scalars(x, out, n, rows = TT_RUNNING_ROWS, s->reverse);
        else
            tt_running_scalars(x, out, n, rows = 1, s->reverse);
    }
    if (s->stride == 1) return;
    const int64_t step = s->reverse ? -s->stride : s->stride;
    for (int64_t o = 0; o < s->outer; o++) {
        const int64_t start = o * s->n * s->stride + (s->reverse ? (s->n - 1) * s->stride : 0);
        const float *x = s->x + start;
        float *out = s->out + start;
        memcpy(out, x, (size_t)s->cols * sizeof(float));
        for (int64_t i = 1; i < s->n; i++) {
            x += step;
            out += step;
            int64_t c = 0;
            for (; c + VL <= s->cols; c += VL)
                vf_store(out + c, vf_load(out - step + c) + vf_load(x + c));
            for (; c < s->cols; c++) out[c] = out[c - step] + x[c];
        }
    }
}
