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

/* What the mask adds to n scores, from its element `at` on: itself; of a bool one, 0 or -inf. */
TT_INLINE void tt_mask_row(float *out, const tt_attention_args *a, int64_t at, int64_t n)
{
    const uint8_t *allowed = (const uint8_t *)a->mask + at;
    const float *added = (const float *)a->mask + at;
    const int64_t step = a->mask_step;
    if (a->mask_is_bool && step == 1)
        for (int64_t j = 0; j < n; j++) out[j] = allowed[j] ? 0 : -INFINITY;
    else if (a->mask_is_bool)
        for (int64_t j = 0; j < n; j++) out[j] = allowed[j * step] ? 0 : -INFINITY;
    else
        for (int64_t j = 0; j < n; j++) out[j] = added[j * step];
}

/* Add the mask of `lanes` queries, the first in row `query`, to scores of n keys x QUERIES. */
TT_INLINE void tt_mask_scores(
    float *scores, const tt_attention_args *a, int64_t query, int64_t lanes, int64_t key, int64_t n)
{
    enum { KEYS = TT_ATTENTION_KEYS, QUERIES = TT_ATTENTION_QUERIES };
    float rows[QUERIES * KEYS], columns[KEYS * QUERIES];
    const int64_t at = query * a->mask_row + key * a->mask_step;
    if (a->mask_row == 0) { /* the same for all queries */
        tt_mask_row(rows, a, at, n);
        for (int64_t j = 0; j < n; j++)
            for (int64_t lane = 0; lane < QUERIES; lane++) scores[j * QUERIES + lane] += rows[j];
        return;
    }
    for (int64_t lane = 0; lane < lanes; lane++)
        tt_mask_row(rows + lane * KEYS, a, at + lane * a->mask_row, n);
    tt_pack_columns(columns, QUERIES, tt_round_up(n, 4), rows, KEYS, lanes, n);
    for (int64_t i = 0; i < n * QUERIES; i++) scores[i] += columns[i];
}

/* What dropout multiplies the weights of a query for n keys by. */
TT_INLINE void tt_dropout_row(
    float *out, const tt_attention_args *a, int64_t query, int64_t key, int64_t n)
{
    tt_dropout_factors(out, n, a->first_word + (uint64_t)(query * a->keys + key), a->dropout_key,
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

    for (int64_t k = 0; k < a->keys; k += KEYS) {
        if (a->is_causal && k >= a->first_query + a->queries) break;
        int64_t block = a->keys - k < KEYS ? a->keys - k : KEYS;
        tt_pack_rows(keys, depth, tt_round_up(block, TT_TILE_ROWS), a->k + k * a->k_row, a->k_row,
                     block, a->depth, 1);
        tt_pack_rows(values, depth, block, a->v + k * a->v_row, a->v_row, block, a->depth, 1);

        for (int64_t i = 0; i < a->queries; i += QUERIES) {
            int64_t lanes = a->queries - i < QUERIES ? a->queries - i : QUERIES;
            int64_t query = a->first_query + i; /* of lane 0 */
            int64_t n = block;                  /* keys that some lane may see */
            if (a->is_causal && query + lanes - k < n) n = query + lanes - k;
            if (n <= 0) continue;

            tt_tile_product(scores, QUERIES, keys, depth, 1, queries + i * depth, QUERIES,
                            tt_round_up(n, TT_TILE_ROWS), QUERIES, depth, 0);
            if (a->mask) tt_mask_scores(scores, a, i, lanes, k, n);
            if (a->is_causal)
                for (int64_t j = query - k < 0 ? 0 : query - k; j < n; j++)
                    for (int64_t lane = 0; lane < k + j - query; lane++)
                        scores[j * QUERIES + lane] = -INFINITY;

            float rescale[QUERIES];
            int grown = 0;
            for (int v = 0; v < VECTORS; v++) {
                float *s = scores + v * VL;
                vf before = vf_load(top + i + v * VL), after = before, sum = vf_zero();
                for (int64_t j = 0; j < n; j++) after = vf_max(after, vf_load(s + j * QUERIES));
                vf_store(top + i + v * VL, after);
                /* Nothing seen yet: any finite reference makes the weights exp(-inf) = 0. */
                vf base = vf_select(after == -INFINITY, vf_zero(), after);
                for (int64_t j = 0; j < n; j++) {
                    vf p = vf_exp(vf_load(s + j * QUERIES) - base);
                    vf_store(s + j * QUERIES, p);
                    sum += p;
                }
                vf factor = vf_exp(before - base);
                vf_store(rescale + v * VL, factor);
                vf_store(total + i + v * VL, vf_fma(vf_load(total + i + v * VL), factor, sum));
            }
            for (int lane = 0; lane < QUERIES; lane++) grown |= rescale[lane] != 1;
            if (grown && k)
                for (int64_t lane = 0; lane < QUERIES; lane++)
                    for (int64_t d = 0; d < depth; d += VL) {
                        float *o = out + (i + lane) * depth + d;
                        vf_store(o, vf_load(o) * vf_set1(rescale[lane]));
                    }
            if (a->dropout_scale != 0) tt_drop_weights(scores, a, query, lanes, k, n);
            tt_tile_product(out + i * depth, depth, scores, 1, QUERIES, values, depth, QUERIES,
                            depth, n, 1);
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

    for (int64_t j = 0; j < KEYS; j++) kept[j] = 1;
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

    for (int64_t k = b->first_key; k < b->last_key; k += KEYS) {
        const int64_t block = b->last_key - k < KEYS ? b->last_key - k : KEYS;
        const float *k_block = a->k + k * a->k_row, *v_block = a->v + k * a->v_row;
        tt_pack_columns(key_columns, KEYS, depth, k_block, a->k_row, block, a->depth);
        tt_pack_columns(value_columns, KEYS, depth, v_block, a->v_row, block, a->depth);
        tt_pack_rows(keys, depth, KEYS, k_block, a->k_row, block, a->depth, a->scale);
        memset(dk, 0, (size_t)(2 * KEYS * depth) * sizeof(float)); /* and dv */

        for (int64_t h = 0; h < b->heads; h++)
            for (int64_t i = a->is_causal ? k / QUERIES * QUERIES : 0; i < a->queries;
                 i += QUERIES) {
                const int64_t rows = a->queries - i < QUERIES ? a->queries - i : QUERIES;
                int64_t n = block; /* keys that some row may see */
                if (a->is_causal && i + rows - k < n) n = i + rows - k;
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
                    int64_t seen = n;
                    if (a->is_causal && i + r + 1 - k < n) seen = i + r + 1 - k;
                    if (seen < 0) seen = 0;
                    if (a->mask) {
                        float added[KEYS];
                        const int64_t at = h * b->mask_head + (i + r) * a->mask_row;
                        tt_mask_row(added, a, at + k * a->mask_step, seen);
                        for (int64_t j = 0; j < seen; j++) p[j] += added[j];
                    }
                    if (a->dropout_scale != 0)
                        tt_dropout_row(kept, a, h * a->queries + i + r, k, n);
                    const vf top = vf_set1(a->top[h * a->queries + i + r]);
                    const float sum = a->sum[h * a->queries + i + r];
                    const vf share = vf_set1(sum == 0 ? 0 : 1 / sum);
                    const vf row_sum = vf_set1(row_sums[h * a->queries + i + r]);
                    for (int64_t j = 0; j < padded_n; j += VL) {
                        vf weight = vf_exp(vf_load(p + j) - top) * share;
                        const vf factor = vf_load(kept + j);
                        vf ds_j = weight * (vf_load(ds + j) * factor - row_sum);
                        weight *= factor;
                        if (seen - j < VL) {
                            vi inside = vi_first(seen - j < 0 ? 0 : seen - j);
                            weight = vf_select(inside, weight, vf_zero());
                            ds_j = vf_select(inside, ds_j, vf_zero());
                        }
                        vf_store(p + j, weight);
                        vf_store(ds + j, ds_j);
                    }
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
        for (int64_t j = 0; j < block; j++)
            for (int64_t d = 0; d < a->depth; d++) {
                b->dk[(k + j) * b->dk_row + d] = dk[j * depth + d];
                b->dv[(k + j) * b->dv_row + d] = dv[j * depth + d];
            }
    }
}
