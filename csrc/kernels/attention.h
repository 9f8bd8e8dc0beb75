/* Scaled dot-product attention, forward and backward, in blocks that stay in cache.
 *
 * Forward (Rabe & Staats 2021; Dao et al. 2022): a block of queries visits the blocks of keys and
 * keeps, for each query, the running maximum m, the sum l of exp(s - m) and the output so far,
 * which is rescaled when m grows. Scores are held transposed, keys x queries, so that the
 * statistics of a vector of queries are vectors too. Backward makes the weights again from m and
 * l: of the same scores to the last bit, since both multiply q by the scale, and add up the
 * products in the same order. No array grows with queries x keys. */
#include "../simd_math.h"
#include "philox.h"
#include "tile.h"

/* What bias and mask add to the scores of query `query` for n keys from `key` on; of a mask 0 or
 * -inf. Returns whether the query sees any of them. */
TT_INLINE int tt_added_row(
    float *out, const tt_attention_args *a, const float *bias, const uint8_t *mask, int64_t query,
    int64_t key, int64_t n)
{
    int seen = 0;
    if (bias) {
        const int64_t step = a->bias_step;
        bias += query * a->bias_row + key * step;
        if (step == 1)
            memcpy(out, bias, (size_t)n * sizeof(float));
        else
            for (int64_t j = 0; j < n; j++) out[j] = bias[j * step];
    } else
        memset(out, 0, (size_t)n * sizeof(float));
    if (mask) {
        const int64_t step = a->mask_step;
        mask += query * a->mask_row + key * step;
        if (step == 1)
            for (int64_t j = 0; j < n; j++) out[j] = mask[j] ? out[j] : -INFINITY;
        else
            for (int64_t j = 0; j < n; j++) out[j] = mask[j * step] ? out[j] : -INFINITY;
    }
    for (int64_t j = 0; j < n; j++) seen |= out[j] != -INFINITY;
    return seen;
}

/* Are bias and mask the same for all queries? */
TT_INLINE int tt_added_by_key(const tt_attention_args *a)
{
    return (!a->bias || a->bias_row == 0) && (!a->mask || a->mask_row == 0);
}

/* The same for `lanes` queries, the first of which is `query`, as columns, n keys x QUERIES. */
TT_INLINE int tt_added_columns(
    float *columns, const tt_attention_args *a, int64_t query, int64_t lanes, int64_t key,
    int64_t n)
{
    enum { KEYS = TT_ATTENTION_KEYS, QUERIES = TT_ATTENTION_QUERIES };
    float rows[QUERIES * KEYS];
    int seen = 0;
    if (!a->mask && a->bias_step == 1) { /* read where it lies; lanes that are none see all */
        const float *bias = a->bias + query * a->bias_row + key;
        vi shown = vi_set1(0);
        tt_pack_columns(columns, QUERIES, tt_round_up(n, 4), bias, a->bias_row, lanes, n);
        for (int64_t i = 0; i < n * QUERIES; i += VL) shown |= vf_load(columns + i) != -INFINITY;
        return vi_some(shown);
    }
    for (int64_t lane = 0; lane < lanes; lane++)
        seen |= tt_added_row(rows + lane * KEYS, a, a->bias, a->mask, query + lane, key, n);
    if (seen) tt_pack_columns(columns, QUERIES, tt_round_up(n, 4), rows, KEYS, lanes, n);
    return seen;
}

/* -1 for the lanes from `first` on whose distance from lane 0 the bounds allow. */
TT_INLINE vi tt_lanes_within(int64_t first, int64_t least, int64_t most)
{
    const int64_t far = TT_ATTENTION_FAR;
    const vi lane = vi_iota() + vi_set1((int32_t)first);
    least = least < -far ? -far : least > far ? far : least;
    most = most < -far ? -far : most > far ? far : most;
    return (lane >= vi_set1((int32_t)least)) & (lane <= vi_set1((int32_t)most));
}

/* What takes part off with the distance of a key: of lanes that stand `from`, from + 1, … away. */
TT_INLINE vf tt_distance(int64_t from)
{
    return vf_abs(vi_to_vf(vi_iota() + vi_set1((int32_t)from)));
}

/* What dropout multiplies the weights of a query for n keys by. */
TT_INLINE void tt_dropout_row(
    float *out, const tt_attention_args *a, int64_t query, int64_t key, int64_t n)
{
    const uint64_t word = a->first_word + (uint64_t)query * a->word_row + (uint64_t)key;
    tt_dropout_factors(out, n, word, a->dropout_key,
                       a->dropout_threshold, a->dropout_scale);
}

/* Drop some of the weights, n keys x QUERIES, of `lanes` queries. */
TT_INLINE void tt_drop_weights(
    float *weights, const tt_attention_args *a, int64_t query, int64_t lanes, int64_t key,
    int64_t n)
{
    enum { KEYS = TT_ATTENTION_KEYS, QUERIES = TT_ATTENTION_QUERIES };
    float rows[QUERIES * KEYS], columns[KEYS * QUERIES];
    for (int64_t lane = 0; lane < lanes; lane++)
        tt_dropout_row(rows + lane * KEYS, a, query + lane, key, n);
    tt_pack_columns(columns, QUERIES, tt_round_up(n, 4), rows, KEYS, lanes, n);
    for (int64_t i = 0; i < n * QUERIES; i++) weights[i] *= columns[i];
}

/* Scores of the keys [from, to) of a block that begins at `key`, keys x QUERIES, become what the
 * softmax is of: lane 0 stands at `place`. */
TT_INLINE void tt_finish_scores(
    float *scores, const tt_attention_args *a, const float *added, int by_key, int64_t place,
    int64_t lanes, int64_t key, int64_t from, int64_t to)
{
    enum { QUERIES = TT_ATTENTION_QUERIES, VECTORS = QUERIES / VL };
    float *end = scores + to * QUERIES;
    if (a->softcap != 0) {
        const vf cap = vf_set1(a->softcap);
        for (float *s = scores + from * QUERIES; s < end; s += VL)
            vf_store(s, vf_tanh(vf_load(s) / cap) * cap);
    }
    if (a->slope) {
        const vf slope = vf_set1(*a->slope);
        for (int64_t j = from; j < to; j++)
            for (int v = 0; v < VECTORS; v++) {
                float *s = scores + j * QUERIES + v * VL;
                vf_store(s, vf_load(s) - slope * tt_distance(place + v * VL - key - j));
            }
    }
    if (added && by_key)
        for (int64_t j = from; j < to; j++)
            for (int v = 0; v < VECTORS; v++) {
                float *s = scores + j * QUERIES + v * VL;
                vf_store(s, vf_load(s) + vf_set1(added[j]));
            }
    else if (added)
        for (int64_t i = from * QUERIES; i < to * QUERIES; i += VL)
            vf_store(scores + i, vf_load(scores + i) + vf_load(added + i));
    for (int64_t j = from; j < to; j++) {
        const int64_t least = key + j - a->right - place, most = key + j + a->left - place;
        if (least <= 0 && most >= lanes - 1) continue;
        for (int v = 0; v < VECTORS; v++) {
            float *s = scores + j * QUERIES + v * VL;
            vf_store(s, vf_select(tt_lanes_within(v * VL, least, most), vf_load(s),
                                  vf_set1(-INFINITY)));
        }
    }
}

static void tt_attention_f32(const tt_attention_args *a)
{
    enum { KEYS = TT_ATTENTION_KEYS, QUERIES = TT_ATTENTION_QUERIES, VECTORS = QUERIES / VL };
    const int64_t depth = tt_attention_depth(a->depth);
    const int64_t padded = tt_round_up(a->queries, QUERIES);
    float *keys = a->scratch;                   /* KEYS x depth */
    float *values = keys + KEYS * depth;        /* KEYS x depth */
    float *scores = values + KEYS * depth;      /* KEYS x QUERIES */
    float *queries = scores + KEYS * QUERIES;   /* for each group, depth x QUERIES, scaled */
    float *out = queries + padded * depth;      /* padded x depth */
    float *top = out + padded * depth;          /* padded: m */
    float *total = top + padded;                /* padded: l */

    for (int64_t i = 0; i < a->queries; i += QUERIES) {
        int64_t n = a->queries - i < QUERIES ? a->queries - i : QUERIES;
        tt_pack_columns(queries + i * depth, QUERIES, depth, a->q + i * a->q_row, a->q_row, n,
                        a->depth);
        for (int64_t j = i * depth; j < (i + QUERIES) * depth; j += VL)
            vf_store(queries + j, vf_load(queries + j) * vf_set1(a->scale));
    }
    memset(out, 0, (size_t)(padded * depth) * sizeof(float));
    for (int64_t i = 0; i < padded; i++) top[i] = -INFINITY, total[i] = 0;

    /* The keys that some query sees. */
    int64_t begin = a->first_query - a->left, end = a->first_query + a->queries + a->right;
    begin = begin > 0 ? begin / KEYS * KEYS : 0;
    end = end < a->keys ? end : a->keys;
    const int adds = a->mask || a->bias, by_key = tt_added_by_key(a);
    float added[KEYS * QUERIES];

    for (int64_t k = begin; k < end; k += KEYS) {
        int64_t block = end - k < KEYS ? end - k : KEYS;
        if (adds && by_key && !tt_added_row(added, a, a->bias, a->mask, 0, k, block)) continue;
        tt_pack_rows(keys, depth, tt_round_up(block, TT_TILE_ROWS), a->k + k * a->k_row, a->k_row,
                     block, a->depth, 1);
        tt_pack_rows(values, depth, block, a->v + k * a->v_row, a->v_row, block, a->depth, 1);

        for (int64_t i = 0; i < a->queries; i += QUERIES) {
            int64_t lanes = a->queries - i < QUERIES ? a->queries - i : QUERIES;
            int64_t query = a->first_query + i; /* the place of lane 0 */
            /* The keys [from, n) that some lane may see; from is a multiple of TT_TILE_ROWS. */
            int64_t n = query + lanes + a->right - k, from = query - a->left - k;
            n = n < block ? n : block;
            from = from > 0 ? from / TT_TILE_ROWS * TT_TILE_ROWS : 0;
            if (n <= from) continue;
            if (adds && !by_key && !tt_added_columns(added, a, i, lanes, k, n)) continue;

            tt_tile_product(scores + from * QUERIES, QUERIES, keys + from * depth, depth, 1,
                            queries + i * depth, QUERIES, tt_round_up(n - from, TT_TILE_ROWS),
                            QUERIES, depth, 0);
            tt_finish_scores(scores, a, adds ? added : NULL, by_key, query, lanes, k, from, n);

            float rescale[QUERIES];
            vi grown = vi_set1(0);
            vf base[VECTORS], sum[VECTORS];
#pragma GCC unroll 8
            for (int v = 0; v < VECTORS; v++)
                base[v] = vf_load(top + i + v * VL), sum[v] = vf_zero();
            /* A NaN may go by here: its weight is NaN, and so is the sum. */
            for (int64_t j = from; j < n; j++)
#pragma GCC unroll 8
                for (int v = 0; v < VECTORS; v++)
                    base[v] = vf_max_fast(base[v], vf_load(scores + j * QUERIES + v * VL));
#pragma GCC unroll 8
            for (int v = 0; v < VECTORS; v++) {
                const vf before = vf_load(top + i + v * VL), after = base[v];
                vf_store(top + i + v * VL, after);
                grown |= (after != before) & (before != -INFINITY);
                /* Nothing seen yet: any finite reference makes the weights exp(-inf) = 0. */
                base[v] = vf_select(after == -INFINITY, vf_zero(), after);
                vf_store(rescale + v * VL, vf_exp_weight(before - base[v]));
            }
            for (int64_t j = from; j < n; j++)
#pragma GCC unroll 8
                for (int v = 0; v < VECTORS; v++) {
                    float *s = scores + j * QUERIES + v * VL;
                    const vf p = vf_exp_weight(vf_load(s) - base[v]);
                    vf_store(s, p);
                    sum[v] += p;
                }
#pragma GCC unroll 8
            for (int v = 0; v < VECTORS; v++) {
                float *l = total + i + v * VL;
                vf_store(l, vf_fma(vf_load(l), vf_load(rescale + v * VL), sum[v]));
            }
            if (vi_some(grown)) /* otherwise there is no output so far, or its weights stay */
                for (int64_t lane = 0; lane < QUERIES; lane++)
                    for (int64_t d = 0; d < depth; d += VL) {
                        float *o = out + (i + lane) * depth + d;
                        vf_store(o, vf_load(o) * vf_set1(rescale[lane]));
                    }
            if (a->dropout_scale != 0)
                tt_drop_weights(scores + from * QUERIES, a, i, lanes, k + from, n - from);
            tt_tile_product(out + i * depth, depth, scores + from * QUERIES, 1, QUERIES,
                            values + from * depth, depth, QUERIES, depth, n - from, 1);
        }
    }

    for (int64_t i = 0; i < a->queries; i++) {
        const int seen = total[i] != 0;
        a->top[i] = seen ? top[i] : 0;
        a->sum[i] = total[i];
        const float factor = seen ? 1 / total[i] : 0;
        for (int64_t d = 0; d < a->depth; d++)
            a->out[i * a->out_row + d] = out[i * depth + d] * factor;
    }
}

/* Add what a row of scores of query `query` for n keys was given back to the bias's cotangent. */
TT_INLINE void tt_add_to_bias(
    const tt_attention_backward_args *b, const float *ds, int64_t head, int64_t query, int64_t key,
    int64_t n)
{
    float *row = b->dbias + head * b->dbias_head + query * b->dbias_row + key * b->dbias_step;
    if (b->dbias_step == 0) {
        float sum = 0;
        for (int64_t j = 0; j < n; j++) sum += ds[j];
        *row += sum;
        return;
    }
    int64_t j = 0;
    for (; j + VL <= n; j += VL) vf_store(row + j, vf_load(row + j) + vf_load(ds + j));
    if (j < n) vf_store_n(row + j, vf_load_n(row + j, n - j) + vf_load_n(ds + j, n - j), n - j);
}

/* A row of scores and of G V^T become P and dS of n keys, of which the row sees [from, to). */
TT_INLINE void tt_weights_back(
    float *scores, float *gv, const float *kept, float top, float sum, float row_sum, int64_t from,
    int64_t to, int64_t n)
{
    const vf share = vf_set1(sum == 0 ? 0 : 1 / sum);
    for (int64_t j = 0; j < n; j += VL) {
        vf weight = vf_exp_weight(vf_load(scores + j) - top) * share, dp = vf_load(gv + j), ds;
        if (kept) {
            const vf factor = vf_load(kept + j);
            ds = weight * (dp * factor - row_sum);
            weight *= factor;
        } else
            ds = weight * (dp - row_sum);
        if (from > j || to - j < VL) {
            const vi inside = vi_between(from - j, to - j);
            weight = vf_select(inside, weight, vf_zero());
            ds = vf_select(inside, ds, vf_zero());
        }
        vf_store(scores + j, weight);
        vf_store(gv + j, ds);
    }
}

/* With P the weights, G the cotangent of out, D the row sums of G * out, and scale folded into Q
 * and K where they are packed:
 *     dV = P^T G,   dS = P * (G V^T - D),   dQ = dS K,   dK = dS^T Q
 * (under dropout by factors M:  dV = (M * P)^T G,  dS = P * (M * G V^T - D)).
 * Keys are the outer loop; dQ is summed in a->dq, a buffer of the caller's. */
static void tt_attention_backward_f32(const tt_attention_backward_args *b)
{
    enum { KEYS = TT_ATTENTION_KEYS, QUERIES = TT_ATTENTION_QUERIES };
    const tt_attention_args *a = &b->forward;
    const int64_t depth = tt_attention_depth(a->depth);
    const int64_t padded = tt_round_up(a->queries, QUERIES);
    float *key_columns = a->scratch;                   /* depth x KEYS */
    float *value_columns = key_columns + KEYS * depth; /* depth x KEYS */
    float *keys = value_columns + KEYS * depth;        /* KEYS x depth, scaled */
    float *dk = keys + KEYS * depth;                   /* KEYS x depth */
    float *dv = dk + KEYS * depth;                     /* KEYS x depth */
    float *queries = dv + KEYS * depth;                /* QUERIES x depth, scaled */
    float *grads = queries + QUERIES * depth;          /* QUERIES x depth: G */
    float *weights = grads + QUERIES * depth;          /* QUERIES x KEYS: S, then P */
    float *dscores = weights + QUERIES * KEYS;         /* QUERIES x KEYS: G V^T, then dS */
    float *row_sums = dscores + QUERIES * KEYS;        /* heads x queries: D */
    float kept[KEYS];                                  /* what dropout multiplies a row of P by */

    for (int64_t h = 0; h < b->heads; h++)
        for (int64_t i = 0; i < a->queries; i++) {
            const float *g = b->g + h * b->g_head + i * b->g_row;
            const float *o = b->out + h * b->out_head + i * b->out_row;
            vf sum = vf_zero();
            int64_t d = 0;
            for (; d + VL <= a->depth; d += VL) sum = vf_fma(vf_load(g + d), vf_load(o + d), sum);
            if (d < a->depth)
                sum += vf_load_n(g + d, a->depth - d) * vf_load_n(o + d, a->depth - d);
            row_sums[h * a->queries + i] = vf_hsum(sum);
        }

    const int adds = a->mask || a->bias, by_key = tt_added_by_key(a);
    float added[QUERIES * KEYS] = {0}, slopes[KEYS]; /* of the cap: dS / d(s before it) */
    for (int64_t k = b->first_key; k < b->last_key; k += KEYS) {
        const int64_t last = b->last_key < a->keys ? b->last_key : a->keys;
        const int64_t held = b->last_key - k < KEYS ? b->last_key - k : KEYS;
        const int64_t block = last - k < KEYS ? last - k : KEYS; /* not behind the last key */
        const float *k_block = a->k + k * a->k_row, *v_block = a->v + k * a->v_row;
        /* The queries that see some of them. */
        int64_t begin = k - a->right - a->first_query;
        int64_t end = block > 0 ? k + block + a->left - a->first_query : 0;
        begin = begin > 0 ? begin / QUERIES * QUERIES : 0;
        end = end < a->queries ? end : a->queries;
        int packed = 0;
        memset(dk, 0, (size_t)(2 * KEYS * depth) * sizeof(float)); /* and dv */

        for (int64_t h = 0; h < b->heads; h++) {
            const float *bias = a->bias ? a->bias + h * b->bias_head : NULL;
            const uint8_t *mask = a->mask ? a->mask + h * b->mask_head : NULL;
            if (adds && by_key && end > begin && !tt_added_row(added, a, bias, mask, 0, k, block))
                continue;
            for (int64_t i = begin; i < end; i += QUERIES) {
                const int64_t rows = a->queries - i < QUERIES ? a->queries - i : QUERIES;
                const int64_t place = a->first_query + i; /* of row 0 */
                int64_t n = place + rows + a->right - k;  /* keys that some row may see */
                n = n < block ? n : block;
                if (n <= 0) continue;
                if (adds && !by_key) {
                    int seen = 0;
                    for (int64_t r = 0; r < rows; r++) {
                        if (b->dbias) /* far apart from row to row, and wanted at the end */
                            for (int64_t j = 0; j < KEYS; j += 16)
                                __builtin_prefetch(b->dbias + h * b->dbias_head
                                                   + (i + r) * b->dbias_row
                                                   + (k + j) * b->dbias_step, 1);
                        seen |= tt_added_row(added + r * KEYS, a, bias, mask, i + r, k, n);
                    }
                    if (!seen) continue;
                }
                if (!packed) {
                    tt_pack_columns(key_columns, KEYS, depth, k_block, a->k_row, block, a->depth);
                    tt_pack_columns(value_columns, KEYS, depth, v_block, a->v_row, block,
                                    a->depth);
                    tt_pack_rows(keys, depth, KEYS, k_block, a->k_row, block, a->depth, a->scale);
                    packed = 1;
                }
                const int64_t padded_n = tt_round_up(n, VL > TT_TILE_ROWS ? VL : TT_TILE_ROWS);
                tt_pack_rows(queries, depth, QUERIES, a->q + h * b->q_head + i * a->q_row,
                             a->q_row, rows, a->depth, a->scale);
                tt_pack_rows(grads, depth, QUERIES, b->g + h * b->g_head + i * b->g_row, b->g_row,
                             rows, a->depth, 1);
                tt_tile_product(weights, KEYS, queries, depth, 1, key_columns, KEYS, QUERIES,
                                padded_n, depth, 0);
                tt_tile_product(dscores, KEYS, grads, depth, 1, value_columns, KEYS, QUERIES,
                                padded_n, depth, 0);

                for (int64_t r = 0; r < rows; r++) {
                    float *p = weights + r * KEYS, *ds = dscores + r * KEYS;
                    /* The row sees keys [from, to) of the block. */
                    int64_t from = place + r - a->left - k, to = place + r + a->right + 1 - k;
                    to = to < n ? to : n;
                    if (a->softcap != 0) {
                        const vf cap = vf_set1(a->softcap);
                        for (int64_t j = 0; j < padded_n; j += VL) {
                            const vf t = vf_tanh(vf_load(p + j) / cap);
                            vf_store(slopes + j, 1 - t * t);
                            vf_store(p + j, t * cap);
                        }
                    }
                    if (a->slope) {
                        const vf slope = vf_set1(a->slope[h]);
                        for (int64_t j = 0; j < padded_n; j += VL)
                            vf_store(p + j, vf_load(p + j)
                                     - slope * tt_distance(k + j - place - r));
                    }
                    if (adds) {
                        const float *row = added + (by_key ? 0 : r * KEYS);
                        for (int64_t j = 0; j < padded_n; j += VL) /* what stands behind n is */
                            vf_store(p + j, vf_load(p + j) + vf_load(row + j)); /* not looked at */
                    }
                    if (a->dropout_scale != 0)
                        tt_dropout_row(kept, a, h * a->queries + i + r, k, n);
                    const int64_t row = h * a->queries + i + r;
                    if (a->dropout_scale != 0)
                        tt_weights_back(p, ds, kept, a->top[row], a->sum[row], row_sums[row], from,
                                        to, padded_n);
                    else
                        tt_weights_back(p, ds, NULL, a->top[row], a->sum[row], row_sums[row], from,
                                        to, padded_n);
                    if (b->dbias) tt_add_to_bias(b, ds, h, i + r, k, n);
                    if (a->softcap != 0)
                        for (int64_t j = 0; j < padded_n; j += VL)
                            vf_store(ds + j, vf_load(ds + j) * vf_load(slopes + j));
                }
                tt_tile_product(dv, depth, weights, 1, KEYS, grads, depth, padded_n, depth, rows,
                                1);
                tt_tile_product(dk, depth, dscores, 1, KEYS, queries, depth, padded_n, depth, rows,
                                1);
                for (int64_t r = rows; r < QUERIES; r++)
                    memset(dscores + r * KEYS, 0, KEYS * sizeof(float));
                tt_tile_product(b->dq + (h * padded + i) * depth, depth, dscores, KEYS, 1, keys,
                                depth, QUERIES, depth, n, 1);
            }
        }
        for (int64_t j = 0; j < held; j++)
            for (int64_t d = 0; d < a->depth; d++) {
                b->dk[(k + j) * b->dk_row + d] = dk[j * depth + d];
                b->dv[(k + j) * b->dv_row + d] = dv[j * depth + d];
            }
    }
}
