/* Attention of few queries over the keys and values that a cache holds.
 *
 * It is bound by memory: keys and values are read where they lie, once for up to TT_CACHED_ROWS
 * rows, which are the queries of all heads that share them. Of each row there is a running maximum
 * m and a sum of exp(s - m), as in attention.h. */
#ifndef TT_CACHED_ATTENTION_H
#define TT_CACHED_ATTENTION_H

#include "../simd_math.h"
#include "tile.h"

/* What a row of a chunk is: query `query` of head `head`, and the keys [first, last) it sees. */
typedef struct {
    int64_t head, query, first, last;
    float top, sum;
} tt_cached_row;

/* The sums of the lanes of VL vectors, as the lanes of one: neighbours are folded together, so that
 * each of log2(VL) rounds halves the number of vectors. */
TT_INLINE vf vf_sums(vf x[VL])
{
    _Pragma("GCC unroll 4") for (int n = VL / 2; n >= 1; n /= 2)
        _Pragma("GCC unroll 8") for (int i = 0; i < n; i++)
            x[i] = TT_EVEN(x[2 * i], x[2 * i + 1]) + TT_ODD(x[2 * i], x[2 * i + 1]);
    return x[0];
}

/* The scores of a query of `depth` floats, filled up with zeros to whole vectors, for the VL keys
 * from k on; those from `keys` on are copies of the last. */
TT_INLINE vf tt_cached_scores(
    const float *q, const float *k, int64_t k_row, int64_t keys, int64_t depth)
{
    vf sum[VL];
    const float *row[VL];
    _Pragma("GCC unroll 16") for (int j = 0; j < VL; j++)
    {
        row[j] = k + (j < keys ? j : keys - 1) * k_row;
        sum[j] = vf_zero();
    }
    int64_t d = 0;
    for (; d + VL <= depth; d += VL) {
        const vf x = vf_load(q + d);
        _Pragma("GCC unroll 16") for (int j = 0; j < VL; j++)
            sum[j] = vf_fma(x, vf_load(row[j] + d), sum[j]);
    }
    if (d < depth)
        _Pragma("GCC unroll 16") for (int j = 0; j < VL; j++)
            sum[j] = vf_fma(vf_load(q + d), vf_load_n(row[j] + d, depth - d), sum[j]);
    return vf_sums(sum);
}

/* out[rows x depth] += weights[rows x keys] v, rows of out TT_CACHED_DEPTH apart. */
TT_INLINE void tt_cached_values(
    float *out, const float *weights, const float *v, int64_t v_row, int64_t rows, int64_t keys,
    int64_t depth)
{
    enum { KEYS = TT_CACHED_KEYS, DEPTH = TT_CACHED_DEPTH, WIDE = TT_TILE_VECTORS * VL };
    for (int64_t r = 0; r < rows;) {
        float *o = out + r * DEPTH;
        const float *w = weights + r * KEYS;
        const int64_t tall = rows - r >= 4 ? 4 : rows - r >= 2 ? 2 : 1;
        int64_t d = 0;
        for (; d + WIDE <= depth; d += WIDE)
            if (tall == 4)
                tt_tile_block(4, TT_TILE_VECTORS, o + d, DEPTH, w, KEYS, 1, v + d, v_row, keys, 1);
            else if (tall == 2)
                tt_tile_block(2, TT_TILE_VECTORS, o + d, DEPTH, w, KEYS, 1, v + d, v_row, keys, 1);
            else
                tt_tile_block(1, TT_TILE_VECTORS, o + d, DEPTH, w, KEYS, 1, v + d, v_row, keys, 1);
        for (; d < depth; d += VL)
            for (int64_t i = 0; i < tall; i++) {
                vf sum = vf_load(o + i * DEPTH + d);
                for (int64_t j = 0; j < keys; j++) {
                    const float *x = v + j * v_row + d;
                    const vf value = depth - d < VL ? vf_load_n(x, depth - d) : vf_load(x);
                    sum = vf_fma(vf_set1(w[i * KEYS + j]), value, sum);
                }
                vf_store(o + i * DEPTH + d, sum);
            }
        r += tall;
    }
}

/* The scores of a row for keys [key, key + n), of which it sees some, become weights; what its
 * output was multiplied by so far is to be multiplied by the result. */
TT_INLINE float tt_cached_weights(
    float *scores, tt_cached_row *row, const tt_cached_attention_args *a, int64_t key, int64_t n)
{
    if (a->softcap != 0)
        for (int64_t j = 0; j < n; j += VL)
            vf_store(scores + j, vf_tanh(vf_load(scores + j) / a->softcap) * a->softcap);
    if (a->bias) {
        const float *bias = a->bias + row->head * a->bias_head + row->query * a->bias_row;
        const int64_t last = row->last - key < n ? row->last - key : n;
        for (int64_t j = row->first > key ? row->first - key : 0; j < last; j++)
            scores[j] += bias[(key + j) * a->bias_step];
    }
    vf top = vf_set1(row->top);
    for (int64_t j = 0; j < n; j += VL) {
        const vi seen = vi_between(row->first - key - j, row->last - key - j);
        const vf s = vf_select(seen, vf_load(scores + j), vf_set1(-INFINITY));
        vf_store(scores + j, s);
        top = vf_max(top, s);
    }
    const float before = row->top;
    row->top = vf_hmax(top);
    /* Nothing seen yet: any finite reference makes the weights exp(-inf) = 0. */
    const vf base = vf_set1(row->top == -INFINITY ? 0 : row->top);
    vf sum = vf_zero();
    for (int64_t j = 0; j < n; j += VL) {
        const vf p = vf_exp_weight(vf_load(scores + j) - base);
        vf_store(scores + j, p);
        sum += p;
    }
    const float factor = vf_exp_weight(vf_set1(before) - base)[0];
    row->sum = row->sum * factor + vf_hsum(sum);
    return factor;
}

/* Some rows of a call, at most TT_CACHED_ROWS. */
TT_INLINE void tt_cached_chunk(const tt_cached_attention_args *a, int64_t first_row, int64_t rows)
{
    enum { ROWS = TT_CACHED_ROWS, KEYS = TT_CACHED_KEYS, DEPTH = TT_CACHED_DEPTH };
    float queries[ROWS * DEPTH], out[ROWS * DEPTH], scores[ROWS * KEYS];
    tt_cached_row row[ROWS];
    const int64_t depth = a->depth;
    int64_t first = INT64_MAX, last = 0;

    for (int64_t r = 0; r < rows; r++) {
        const int64_t head = (first_row + r) / a->queries, query = (first_row + r) % a->queries;
        const int64_t at = a->start + query;
        int64_t from = a->window > 0 && at - a->window + 1 > 0 ? at - a->window + 1 : 0;
        int64_t to = at + 1 < a->last_key ? at + 1 : a->last_key;
        if (from < a->first_key) from = a->first_key;
        if (to < from) to = from;
        row[r] = (tt_cached_row){head, query, from, to, -INFINITY, 0};
        if (from < to) first = from < first ? from : first, last = to > last ? to : last;
        tt_pack_rows(queries + r * DEPTH, tt_round_up(depth, VL), 1,
                     a->q + head * a->q_head + query * a->q_row, 0, 1, depth, a->scale);
        memset(out + r * DEPTH, 0, (size_t)tt_round_up(depth, VL) * sizeof(float));
    }

    for (int64_t key = first; key < last; key += KEYS) {
        const int64_t n = last - key < KEYS ? last - key : KEYS;
        const float *k = a->k + key * a->k_row;
        for (int64_t j = 0; j < n; j += VL)
            for (int64_t r = 0; r < rows; r++)
                vf_store(scores + r * KEYS + j,
                         tt_cached_scores(queries + r * DEPTH, k + j * a->k_row, a->k_row, n - j,
                                          depth));
        for (int64_t r = 0; r < rows; r++) {
            const float factor = tt_cached_weights(scores + r * KEYS, row + r, a, key, n);
            if (factor != 1)
                for (int64_t d = 0; d < depth; d += VL)
                    vf_store(out + r * DEPTH + d, vf_load(out + r * DEPTH + d) * factor);
        }
        tt_cached_values(out, scores, a->v + key * a->v_row, a->v_row, rows, n, depth);
    }

    for (int64_t r = 0; r < rows; r++) {
        float *target = a->out + row[r].head * a->out_head + row[r].query * a->out_row;
        const float factor = row[r].sum == 0 ? 0 : 1 / row[r].sum;
        for (int64_t d = 0; d < depth; d++) target[d] = out[r * DEPTH + d] * factor;
        if (a->top) {
            a->top[first_row + r] = row[r].sum == 0 ? 0 : row[r].top;
            a->sum[first_row + r] = row[r].sum;
        }
    }
}

static void tt_cached_attention_f32(const tt_cached_attention_args *a)
{
    const int64_t rows = a->heads * a->queries;
    for (int64_t r = 0; r < rows; r += TT_CACHED_ROWS)
        tt_cached_chunk(a, r, rows - r < TT_CACHED_ROWS ? rows - r : TT_CACHED_ROWS);
}

#endif
