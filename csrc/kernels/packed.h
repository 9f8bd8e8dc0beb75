/* Products with matrices whose numbers stay as a file has them: 16-bit floats, bytes, or blocks of
 * 4 to 8 bits with their scales. They become floats in registers, on the way from memory.
 *
 * All kinds are read in groups of 32 columns, as raw numbers q with
 *
 *     w = scale[h] q + shift,   h = 0, 1 the half of the group,
 *
 * so that a group's part of a dot product is Σ_h scale[h] Σ q x + shift Σ x: the sums of x serve
 * all rows. Where the kind is a constant, so is what it lacks.
 *
 *            block                                                        in a block, in bytes
 *     Q8_0   32    q is a signed byte                                     d 2, q 32
 *     Q4_0   32    column c: q - 8; c + 16: the high half of its byte     d 2, q 16
 *     Q4_1   32    the same, and w = d q + m                              d 2, m 2, q 16
 *     Q4_K   256   a pair of groups in 32 bytes, low and high halves;     d 2, dmin 2, scales 12,
 *                  w = (d s) q - (dmin m), s and m of 6 bits each         q 128
 *     Q6_K   256   4 groups: low bits in 64 bytes, high ones in 32;       low 128, high 64, s 16,
 *                  w = (d s) (q - 32), s a signed byte for 16 columns     d 2
 *
 * d, m and dmin are binary16. Every product d s q is exact in float32. */
#ifndef TT_PACKED_H
#define TT_PACKED_H

#include "../simd.h"
#include "registers.h"
#include "row.h"

enum {
    TT_PACKED_GROUP = 32,
    TT_PACKED_AT_ONCE = 4,    /* rows that share what they read of x */
    TT_PACKED_STRETCH = 1024, /* columns that are unpacked for several vectors */
    TT_PACKED_AHEAD = 8192,   /* bytes that are fetched ahead, or these rows' if they are more */
    TT_PACKED_CHAINS = 4,     /* sums of a row, which do not wait for each other */
    TT_PACKED_FLOATS = TT_PACKED_GROUP / VL,
};

typedef struct {
    float scale[16], shift[8]; /* of a block of 256 */
} tt_packed_scales;

/* Columns and bytes of a block. */
TT_INLINE int tt_packed_block_columns(const int kind)
{
    return kind >= TT_PACKED_Q4_K ? 256 : TT_PACKED_GROUP;
}
TT_INLINE int tt_packed_block_bytes(const int kind)
{
    switch (kind) {
    case TT_PACKED_F32: return 4 * TT_PACKED_GROUP;
    case TT_PACKED_BF16:
    case TT_PACKED_F16: return 2 * TT_PACKED_GROUP;
    case TT_PACKED_INT8: return TT_PACKED_GROUP;
    case TT_PACKED_Q8_0: return 34;
    case TT_PACKED_Q4_0: return 18;
    case TT_PACKED_Q4_1: return 20;
    case TT_PACKED_Q4_K: return 144;
    default: return 210;
    }
}

/* Before the groups of a block of 256 are read. */
TT_INLINE void tt_packed_begin(const int kind, const uint8_t *block, tt_packed_scales *s)
{
    if (kind == TT_PACKED_Q4_K) {
        const float d = vf_set1_f16(block)[0], dmin = vf_set1_f16(block + 2)[0];
        uint32_t in[3], out[4];
        uint8_t bytes[16];
        memcpy(in, block + 4, 12);
        out[0] = in[0] & 0x3f3f3f3f;
        out[1] = (in[2] & 0x0f0f0f0f) | (in[0] >> 2 & 0x30303030);
        out[2] = in[1] & 0x3f3f3f3f;
        out[3] = (in[2] >> 4 & 0x0f0f0f0f) | (in[1] >> 2 & 0x30303030);
        memcpy(bytes, out, 16); /* each of the three words is four bytes: the order is no matter */
        for (int g = 0; g < 8; g++) {
            s->scale[g] = d * (float)bytes[g];
            s->shift[g] = -(dmin * (float)bytes[8 + g]);
        }
    }
    if (kind == TT_PACKED_Q6_K) {
        const vf d = vf_set1_f16(block + 208);
        for (int h = 0; h < 16; h += VL)
            vf_store(s->scale + h, d * vi_to_vf(vi_from_i8(block + 192 + h)));
    }
}

/* Group g of a block: its raw numbers, scales (two of Q6_K, otherwise one) and shift. */
TT_INLINE void tt_packed_group(const int kind, const uint8_t *p, const int g,
                               const tt_packed_scales *of_block, vf *q, vf *scale, vf *shift)
{
    const int n = TT_PACKED_FLOATS;
    switch (kind) {
    case TT_PACKED_F32:
        TT_UNROLL for (int i = 0; i < n; i++) memcpy(&q[i], p + 4 * VL * i, sizeof q[i]);
        break;
    case TT_PACKED_BF16:
        TT_UNROLL for (int i = 0; i < n; i++) q[i] = (vf)(vi_from_u16(p + 2 * VL * i) << 16);
        break;
    case TT_PACKED_F16:
        TT_UNROLL for (int i = 0; i < n; i++) q[i] = vf_from_f16(p + 2 * VL * i);
        break;
    case TT_PACKED_INT8:
        TT_UNROLL for (int i = 0; i < n; i++) q[i] = vi_to_vf(vi_from_i8(p + VL * i));
        break;
    case TT_PACKED_Q8_0:
        scale[0] = vf_set1_f16(p);
        TT_UNROLL for (int i = 0; i < n; i++) q[i] = vi_to_vf(vi_from_i8(p + 2 + VL * i));
        break;
    case TT_PACKED_Q4_0:
    case TT_PACKED_Q4_1: {
        const float base = kind == TT_PACKED_Q4_0 ? -8 : 0;
        scale[0] = vf_set1_f16(p);
        if (kind == TT_PACKED_Q4_1) *shift = vf_set1_f16(p + 2);
        p += kind == TT_PACKED_Q4_0 ? 2 : 4;
        TT_UNROLL for (int i = 0; i < n / 2; i++) {
            const vi bytes = vi_from_u8(p + VL * i);
            q[i] = vf_from_low_4_bits(bytes, base);
            q[n / 2 + i] = vf_from_low_4_bits(bytes >> 4, base);
        }
        break;
    }
    case TT_PACKED_Q4_K:
        scale[0] = vf_set1(of_block->scale[g]);
        *shift = vf_set1(of_block->shift[g]);
        p += 16 + g / 2 * 32;
        TT_UNROLL for (int i = 0; i < n; i++)
            q[i] = vf_from_low_4_bits(vi_from_u8(p + VL * i) >> (g % 2 * 4), 0);
        break;
    default: { /* Q6_K */
        const uint8_t *low = p + g / 4 * 64 + g % 2 * 32, *high = p + 128 + g / 4 * 32;
        scale[0] = vf_set1(of_block->scale[2 * g]);
        scale[1] = vf_set1(of_block->scale[2 * g + 1]);
        TT_UNROLL for (int i = 0; i < n; i++) {
            vi bits = (vi_from_u8(low + VL * i) >> (g % 4 / 2 * 4)) & 15;
            bits |= ((vi_from_u8(high + VL * i) >> (g % 4 * 2)) & 3) << 4;
            q[i] = vi_to_vf(bits - 32);
        }
    }
    }
}

TT_INLINE int tt_packed_has_scale(const int kind) { return kind >= TT_PACKED_Q8_0; }
TT_INLINE int tt_packed_has_shift(const int kind)
{
    return kind == TT_PACKED_Q4_1 || kind == TT_PACKED_Q4_K;
}

/* Adds what group g of a row and x give to the sums of the row. */
TT_INLINE void tt_packed_add(const int kind, const int g, const vf *q, const vf *scale, vf shift,
                             const vf *x, vf sum_of_x, vf *sums)
{
    const int n = TT_PACKED_FLOATS, halves = kind == TT_PACKED_Q6_K ? 2 : 1;
    if (!tt_packed_has_scale(kind)) {
        TT_UNROLL for (int i = 0; i < n; i++) {
            vf *sum = &sums[(g * n + i) % TT_PACKED_CHAINS];
            *sum = vf_fma(q[i], x[i], *sum);
        }
        return;
    }
    TT_UNROLL for (int h = 0; h < halves; h++) {
        const int first = h * n / 2, last = first + n / halves;
        vf part = q[first] * x[first];
        TT_UNROLL for (int i = first + 1; i < last; i++) part = vf_fma(q[i], x[i], part);
        sums[0] = vf_fma(scale[h], part, sums[0]);
    }
    if (tt_packed_has_shift(kind)) sums[1] = vf_fma(shift, sum_of_x, sums[1]);
}

TT_INLINE void tt_packed_load_x(const int kind, const float *from, vf *x, vf *sum_of_x)
{
    TT_UNROLL for (int i = 0; i < TT_PACKED_FLOATS; i++) x[i] = vf_load(from + i * VL);
    if (tt_packed_has_shift(kind)) {
        *sum_of_x = x[0];
        TT_UNROLL for (int i = 1; i < TT_PACKED_FLOATS; i++) *sum_of_x += x[i];
    }
}

/* The first `columns` (of 32) of a group that a row's end cuts off, and zeros behind them. */
TT_INLINE void tt_packed_rest(const int kind, const uint8_t *p, int64_t columns, uint8_t *out)
{
    memset(out, 0, (size_t)tt_packed_block_bytes(kind));
    memcpy(out, p, (size_t)columns * (size_t)(tt_packed_block_bytes(kind) / TT_PACKED_GROUP));
}

/* --- One vector ----------------------------------------------------------------------------- */

/* Memory is fastest where a row is read to its end before the next. What is bound by instructions,
 * since its numbers lie in blocks, reads rows together instead, which share the loads of x. */
TT_INLINE int tt_packed_rows_at_once(const int kind)
{
    return kind <= TT_PACKED_INT8 ? 1 : TT_PACKED_AT_ONCE;
}

TT_INLINE void tt_packed_dots(const int kind, const int rows, const tt_packed_args *s, int64_t row)
{
    /* Two groups at a time fill the chains where a kind has no blocks of its own. */
    const int groups = kind <= TT_PACKED_INT8 ? 2 : tt_packed_block_columns(kind) / TT_PACKED_GROUP;
    const int64_t width = groups * TT_PACKED_GROUP;
    const int64_t step = width / tt_packed_block_columns(kind) * tt_packed_block_bytes(kind);
    const uint8_t *p = (const uint8_t *)s->blocks + row * s->row_bytes;
    /* Rows lie behind each other, so what these rows' end is followed by is read next. */
    const int64_t here = rows > 1 ? rows * s->row_bytes : 0;
    const uint8_t *next = p + (here < TT_PACKED_AHEAD ? TT_PACKED_AHEAD : here);
    vf sums[TT_PACKED_AT_ONCE][TT_PACKED_CHAINS];
    TT_UNROLL for (int r = 0; r < rows; r++)
        TT_UNROLL for (int i = 0; i < TT_PACKED_CHAINS; i++) sums[r][i] = vf_zero();
    int64_t c = 0;
    for (; c + width <= s->columns; c += width, p += step) {
        tt_packed_scales of_block[TT_PACKED_AT_ONCE];
        for (int64_t at = 0; at < rows * step; at += 64) __builtin_prefetch(next + at);
        next += rows * step;
        TT_UNROLL for (int r = 0; r < rows; r++) {
            tt_packed_begin(kind, p + r * s->row_bytes, &of_block[r]);
        }
        TT_UNROLL for (int g = 0; g < groups; g++) {
            const int64_t at = kind <= TT_PACKED_INT8 ? g * tt_packed_block_bytes(kind) : 0;
            vf x[TT_PACKED_FLOATS], sum_of_x = vf_zero();
            tt_packed_load_x(kind, s->x + c + g * TT_PACKED_GROUP, x, &sum_of_x);
            TT_UNROLL for (int r = 0; r < rows; r++) {
                vf q[TT_PACKED_FLOATS], scale[2], shift = vf_zero();
                tt_packed_group(kind, p + r * s->row_bytes + at, g, &of_block[r], q, scale,
                                &shift);
                tt_packed_add(kind, g, q, scale, shift, x, sum_of_x, sums[r]);
            }
        }
    }
    for (; kind <= TT_PACKED_INT8 && c < s->columns; c += TT_PACKED_GROUP) {
        const int64_t left = s->columns - c < TT_PACKED_GROUP ? s->columns - c : TT_PACKED_GROUP;
        uint8_t rest[4 * TT_PACKED_GROUP];
        float rest_of_x[TT_PACKED_GROUP] = {0};
        vf x[TT_PACKED_FLOATS], sum_of_x = vf_zero();
        memcpy(rest_of_x, s->x + c, (size_t)left * sizeof(float));
        tt_packed_load_x(kind, rest_of_x, x, &sum_of_x);
        for (int r = 0; r < rows; r++) {
            vf q[TT_PACKED_FLOATS], scale[2], shift = vf_zero();
            tt_packed_rest(kind, p + r * s->row_bytes, left, rest);
            tt_packed_group(kind, rest, 0, NULL, q, scale, &shift);
            tt_packed_add(kind, 0, q, scale, shift, x, sum_of_x, sums[r]);
        }
        p += tt_packed_block_bytes(kind);
    }
    TT_UNROLL for (int r = 0; r < rows; r++) {
        float total = vf_hsum((sums[r][0] + sums[r][1]) + (sums[r][2] + sums[r][3]));
        if (kind == TT_PACKED_INT8) total *= s->scales[row + r];
        s->out[row + r] = s->bias ? total + s->bias[row + r] : total;
    }
}

/* --- Unpacked ------------------------------------------------------------------------------- */

/* `columns` of a row from a block's beginning on. */
TT_INLINE void tt_packed_unpack(const int kind, const uint8_t *p, float scale_of_row,
                                int64_t columns, float *out)
{
    const int64_t step = tt_packed_block_bytes(kind), width = tt_packed_block_columns(kind);
    const int halves = kind == TT_PACKED_Q6_K ? 2 : 1, n = TT_PACKED_FLOATS;
    uint8_t rest[4 * TT_PACKED_GROUP];
    for (int64_t c = 0; c < columns; c += width, p += step) {
        tt_packed_scales of_block;
        const int cut = kind <= TT_PACKED_INT8 && c + width > columns;
        if (cut) tt_packed_rest(kind, p, columns - c, rest);
        tt_packed_begin(kind, p, &of_block);
        TT_UNROLL for (int g = 0; g < width / TT_PACKED_GROUP; g++) {
            vf q[TT_PACKED_FLOATS], scale[2], shift = vf_zero();
            tt_packed_group(kind, cut ? rest : p, g, &of_block, q, scale, &shift);
            if (kind == TT_PACKED_INT8) scale[0] = vf_set1(scale_of_row);
            TT_UNROLL for (int i = 0; i < n; i++) {
                const int64_t at = c + g * TT_PACKED_GROUP + i * VL;
                if (kind >= TT_PACKED_INT8) q[i] = q[i] * scale[i * halves / n];
                if (tt_packed_has_shift(kind)) q[i] += shift;
                if (!cut)
                    vf_store(out + at, q[i]);
                else if (at < columns)
                    tt_row_put(out, at, columns, q[i]);
            }
        }
    }
}

TT_INLINE void tt_packed_unpack_rows(const int kind, const tt_packed_args *s)
{
    const uint8_t *p = (const uint8_t *)s->blocks;
    for (int64_t r = s->first; r < s->last; r++)
        tt_packed_unpack(kind, p + r * s->row_bytes,
                         kind == TT_PACKED_INT8 ? s->scales[r] : 1, s->columns,
                         s->out + (r - s->first) * s->out_row);
}

/* --- A few vectors -------------------------------------------------------------------------- */

/* sums[r][v] = Σ_c w[r][c] x[v][c]: every number that is loaded serves 4 products. */
TT_INLINE void tt_packed_tile(const int rows, const int vectors, const float *w, const float *x,
                              int64_t x_row, int64_t columns, float *out, int64_t out_row,
                              int accumulate)
{
    vf sums[TT_PACKED_AT_ONCE][TT_PACKED_AT_ONCE];
    TT_UNROLL for (int r = 0; r < rows; r++)
        TT_UNROLL for (int v = 0; v < vectors; v++) sums[r][v] = vf_zero();
    TT_ROW_EACH(columns, {
        vf xs[TT_PACKED_AT_ONCE];
        TT_UNROLL for (int v = 0; v < vectors; v++) xs[v] = tt_row_at(x + v * x_row, c, columns, 0);
        TT_UNROLL for (int r = 0; r < rows; r++) {
            const vf ws = tt_row_at(w + r * TT_PACKED_STRETCH, c, columns, 0);
            TT_UNROLL for (int v = 0; v < vectors; v++) sums[r][v] = vf_fma(ws, xs[v], sums[r][v]);
        }
    });
    TT_UNROLL for (int r = 0; r < rows; r++)
        TT_UNROLL for (int v = 0; v < vectors; v++) {
            float *to = out + v * out_row + r, sum = vf_hsum(sums[r][v]);
            *to = accumulate ? *to + sum : sum;
        }
}

#define TT_PACKED_VECTORS (VL == 16 ? 4 : 2) /* with 4 rows their sums fit the registers */

TT_INLINE void tt_packed_few(const int kind, const tt_packed_args *s)
{
    float w[TT_PACKED_AT_ONCE * TT_PACKED_STRETCH] TT_ALIGNED;
    for (int64_t row = s->first; row < s->last; row += TT_PACKED_AT_ONCE) {
        const int rows = s->last - row < TT_PACKED_AT_ONCE ? (int)(s->last - row)
                                                            : TT_PACKED_AT_ONCE;
        for (int64_t c = 0; c < s->columns; c += TT_PACKED_STRETCH) {
            const int64_t n = s->columns - c < TT_PACKED_STRETCH ? s->columns - c
                                                                  : TT_PACKED_STRETCH;
            const int64_t at = c / tt_packed_block_columns(kind) * tt_packed_block_bytes(kind);
            for (int r = 0; r < rows; r++)
                tt_packed_unpack(kind,
                                 (const uint8_t *)s->blocks + (row + r) * s->row_bytes + at,
                                 kind == TT_PACKED_INT8 ? s->scales[row + r] : 1, n,
                                 w + r * TT_PACKED_STRETCH);
            for (int64_t v = 0; v < s->vectors; v += TT_PACKED_VECTORS) {
                const float *x = s->x + v * s->x_row + c;
                float *out = s->out + v * s->out_row + row;
                if (rows == TT_PACKED_AT_ONCE && v + TT_PACKED_VECTORS <= s->vectors)
                    tt_packed_tile(TT_PACKED_AT_ONCE, TT_PACKED_VECTORS, w, x, s->x_row, n, out,
                                   s->out_row, c > 0);
                else
                    for (int64_t u = v; u < s->vectors && u < v + TT_PACKED_VECTORS; u++)
                        for (int r = 0; r < rows; r++)
                            tt_packed_tile(1, 1, w + r * TT_PACKED_STRETCH,
                                           s->x + u * s->x_row + c, 0, n,
                                           s->out + u * s->out_row + row + r, 0, c > 0);
            }
        }
        for (int64_t v = 0; v < s->vectors; v++)
            for (int r = 0; r < rows; r++) {
                float *to = s->out + v * s->out_row + row + r;
                if (s->columns == 0) *to = 0;
                if (s->bias) *to += s->bias[row + r];
            }
    }
}

/* --- Each kind as code of its own ----------------------------------------------------------- */

#define TT_PACKED_OF(KIND)                                                                       \
    static void tt_packed_rows_##KIND(const tt_packed_args *s)                                   \
    {                                                                                            \
        const int at_once = tt_packed_rows_at_once(TT_PACKED_##KIND);                            \
        int64_t r = s->first;                                                                    \
        if (s->vectors > 1) {                                                                    \
            tt_packed_few(TT_PACKED_##KIND, s);                                                  \
            return;                                                                              \
        }                                                                                        \
        for (; r + at_once <= s->last; r += at_once)                                             \
            tt_packed_dots(TT_PACKED_##KIND, at_once, s, r);                                     \
        for (; r < s->last; r++) tt_packed_dots(TT_PACKED_##KIND, 1, s, r);                      \
    }                                                                                            \
    static void tt_packed_unpack_##KIND(const tt_packed_args *s)                                 \
    {                                                                                            \
        tt_packed_unpack_rows(TT_PACKED_##KIND, s);                                              \
    }
#define TT_PACKED_EACH(X) X(F32) X(BF16) X(F16) X(INT8) X(Q8_0) X(Q4_0) X(Q4_1) X(Q4_K) X(Q6_K)

TT_PACKED_EACH(TT_PACKED_OF)

#define TT_PACKED_ROWS_ENTRY(KIND) tt_packed_rows_##KIND,
#define TT_PACKED_UNPACK_ENTRY(KIND) tt_packed_unpack_##KIND,

static void tt_packed_rows_f32(const tt_packed_args *s)
{
    static void (*const of_kind[])(const tt_packed_args *) = {TT_PACKED_EACH(TT_PACKED_ROWS_ENTRY)};
    of_kind[s->kind](s);
}

static void tt_packed_unpack_f32(const tt_packed_args *s)
{
    static void (*const of_kind[])(const tt_packed_args *) = {
        TT_PACKED_EACH(TT_PACKED_UNPACK_ENTRY)};
    of_kind[s->kind](s);
}

#endif
