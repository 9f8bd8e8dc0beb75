/* One token through all layers of a decoder: what a language model does again and again.
 *
 * A layer is five steps (tt_decode_step), each cut into pieces by rows of its matrices, or by runs
 * of keys. Threads meet between the steps: all of x is needed for the next norm. What a piece needs
 * whole, and is cheap (the norm of x, the joined attention), each piece makes for itself.
 *
 *     x ──norm── q, k, v ── runs of keys ── o ──+── norm ── gate, up ── down ──+── x
 *      └────────────────────────────────────────┘└─────────────────────────────┘
 *
 * A run of keys gives, for each query head, its attention to them, the largest score m and the sum
 * l of exp(s - m), by which runs are joined. */
#include "cached_attention.h"
#include "gated.h"
#include "norm.h"
#include "packed.h"
#include "rotary.h"
#include "row.h"

/* Rows of an n-row matrix that this piece multiplies. */
typedef struct {
    int64_t first, last;
} tt_decode_rows;

TT_INLINE tt_decode_rows tt_rows_of_piece(const tt_decode_args *a, int64_t rows)
{
    const int64_t tiles = tt_ceil_div(rows, TT_PACKED_AT_ONCE); /* a kernel's rows at a time */
    tt_decode_rows r = {tiles * a->piece / a->pieces * TT_PACKED_AT_ONCE,
                        tiles * (a->piece + 1) / a->pieces * TT_PACKED_AT_ONCE};
    if (r.first > rows) r.first = rows;
    if (r.last > rows) r.last = rows;
    return r;
}

/* out[r] = row r of the matrix times x, and its bias. */
static void tt_decode_product(
    const tt_packed_args *matrix, const float *x, tt_decode_rows rows, float *out)
{
    tt_packed_args args = *matrix;
    args.x = x, args.out = out, args.first = rows.first, args.last = rows.last;
    tt_packed_rows_f32(&args);
}

static void tt_decode_norm(
    const tt_decode_args *a, const float *weight, const float *bias, float *out)
{
    float mean, rstd;
    tt_layer_norm_args args = {.x = a->x, .weight = weight, .bias = bias, .out = out,
                               .mean = &mean, .rstd = &rstd, .rows = 1, .n = a->width,
                               .eps = a->eps};
    if (a->centred)
        tt_layer_norm_f32(&args);
    else
        tt_rms_norm_f32(&args);
}

/* `heads` heads turned by the angles of the position. */
static void tt_decode_turn(const tt_decode_args *a, const float *x, float *out, int64_t heads)
{
    if (a->rotary.pairs == 0) {
        memcpy(out, x, (size_t)(heads * a->depth) * sizeof(float));
        return;
    }
    tt_rotary_args args = a->rotary;
    args.x = x, args.out = out, args.heads = heads;
    tt_rotary_f32(&args);
}

/* Runs of keys of shared heads: TT_DECODE_RUN keys at a time, cut by their number alone, so that
 * the number of threads changes no bit. */
TT_INLINE int64_t tt_decode_first_key(const tt_decode_args *a)
{
    const int64_t window = a->layer->window, end = a->place + 1;
    return window > 0 && window < end ? end - window : 0;
}
TT_INLINE int64_t tt_decode_runs(const tt_decode_args *a)
{
    return tt_ceil_div(a->place + 1 - tt_decode_first_key(a), TT_DECODE_RUN);
}

static void tt_decode_attention(const tt_decode_args *a)
{
    const tt_decode_layer *layer = a->layer;
    const int64_t group = a->heads / a->shared_heads, depth = a->depth, end = a->place + 1;
    const int64_t runs = tt_decode_runs(a), units = a->shared_heads * runs;
    for (int64_t u = units * a->piece / a->pieces; u < units * (a->piece + 1) / a->pieces; u++) {
        const int64_t shared = u / runs;
        const int64_t first = tt_decode_first_key(a) + u % runs * TT_DECODE_RUN;
        const int64_t last = first + TT_DECODE_RUN < end ? first + TT_DECODE_RUN : end;
        float *keys = layer->keys + shared * layer->keys_head;
        float *values = layer->values + shared * layer->values_head;
        float *out = a->partial + u * group * (depth + 2);
        if (last == end) { /* the only run that reads the new key */
            tt_decode_turn(a, a->k + shared * depth, keys + a->place * depth, 1);
            memcpy(values + a->place * depth, a->v + shared * depth,
                   (size_t)depth * sizeof(float));
        }
        tt_decode_turn(a, a->q + shared * group * depth, a->scratch, group);
        tt_cached_attention_args args = {
            .q = a->scratch, .k = keys, .v = values, .out = out, .top = out + group * depth,
            .sum = out + group * (depth + 1), .heads = group, .queries = 1, .depth = depth,
            .start = a->place, .first_key = first, .last_key = last, .q_head = depth,
            .k_row = depth, .v_row = depth, .out_head = depth, .scale = a->scale,
            .softcap = a->softcap};
        tt_cached_attention_f32(&args);
    }
}

/* All heads' attention, of their runs: the sum of exp(m - max m) l out, over that without out. */
static void tt_decode_join(const tt_decode_args *a, float *out)
{
    const int64_t group = a->heads / a->shared_heads, depth = a->depth;
    const int64_t runs = tt_decode_runs(a), step = group * (depth + 2);
    for (int64_t h = 0; h < a->heads; h++, out += depth) {
        const float *first = a->partial + h / group * runs * step;
        const float *found = first + h % group * depth;
        const float *tops = first + group * depth + h % group, *sums = tops + group;
        float top = -INFINITY, sum = 0;
        for (int64_t r = 0; r < runs; r++) top = tops[r * step] > top ? tops[r * step] : top;
        TT_ROW_EACH(depth, tt_row_put(out, c, depth, vf_zero()));
        for (int64_t r = 0; r < runs; r++) {
            const float share = sums[r * step] * vf_exp(vf_set1(tops[r * step] - top))[0];
            sum += share;
            TT_ROW_EACH(depth, tt_row_put(out, c, depth,
                                          vf_fma(tt_row_at(found + r * step, c, depth, 0),
                                                 vf_set1(share), tt_row_at(out, c, depth, 0))));
        }
        const float whole = sum == 0 ? 0 : 1 / sum;
        TT_ROW_EACH(depth, tt_row_put(out, c, depth, tt_row_at(out, c, depth, 0) * whole));
    }
}

static void tt_decode_add(const tt_decode_args *a, const tt_packed_args *m, const float *x)
{
    const tt_decode_rows rows = tt_rows_of_piece(a, m->last);
    tt_decode_product(m, x, rows, a->sums);
    for (int64_t r = rows.first; r < rows.last; r++) a->x[r] += a->sums[r];
}

/* hidden = f(gate) up, or f(up) where there is no gate. */
#define TT_DECODE_MAP(F)                                                                       \
    if (gated)                                                                                 \
        TT_ROW_EACH(n, tt_row_put(hidden, c, n, gated_##F##_of(tt_row_at(gate, c, n, 0),       \
                                                                tt_row_at(hidden, c, n, 0),    \
                                                                vf_zero(), vf_zero())));       \
    else                                                                                       \
        TT_ROW_EACH(n, tt_row_put(hidden, c, n, F##_of(tt_row_at(hidden, c, n, 0), vf_zero(),  \
                                                       vf_zero())));                           \
    break

static void tt_decode_up(const tt_decode_args *a)
{
    const tt_decode_layer *layer = a->layer;
    const tt_decode_rows rows = tt_rows_of_piece(a, a->inner);
    const int64_t n = rows.last - rows.first;
    const int gated = layer->gate.last > 0;
    float *hidden = a->hidden + rows.first;
    const float *gate = a->sums + rows.first;
    tt_decode_norm(a, layer->mlp_norm, layer->mlp_norm_bias, a->scratch);
    tt_decode_product(&layer->up, a->scratch, rows, a->hidden);
    if (gated) tt_decode_product(&layer->gate, a->scratch, rows, a->sums);
    switch (a->map) {
    case TT_DECODE_SILU: TT_DECODE_MAP(silu);
    case TT_DECODE_GELU: TT_DECODE_MAP(gelu);
    case TT_DECODE_GELU_TANH: TT_DECODE_MAP(gelu_tanh);
    case TT_DECODE_RELU: TT_DECODE_MAP(relu);
    }
}

static void tt_decode_f32(const tt_decode_args *a)
{
    const tt_decode_layer *layer = a->layer;
    switch (a->step) {
    case TT_DECODE_QKV:
        tt_decode_norm(a, layer->attention_norm, layer->attention_norm_bias, a->scratch);
        tt_decode_product(&layer->q, a->scratch, tt_rows_of_piece(a, layer->q.last), a->q);
        tt_decode_product(&layer->k, a->scratch, tt_rows_of_piece(a, layer->k.last), a->k);
        tt_decode_product(&layer->v, a->scratch, tt_rows_of_piece(a, layer->v.last), a->v);
        break;
    case TT_DECODE_ATTENTION: tt_decode_attention(a); break;
    case TT_DECODE_OUT:
        tt_decode_join(a, a->scratch);
        tt_decode_add(a, &layer->o, a->scratch);
        break;
    case TT_DECODE_UP: tt_decode_up(a); break;
    case TT_DECODE_DOWN: tt_decode_add(a, &layer->down, a->hidden); break;
    case TT_DECODE_HEAD:
        tt_decode_norm(a, a->last_norm, a->last_norm_bias, a->scratch);
        tt_decode_product(&a->head, a->scratch, tt_rows_of_piece(a, a->head.last), a->logits);
    }
}
