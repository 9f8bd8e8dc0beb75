/* Steps of sequences: what the layers of all kinds share.
 *
 * A step is a product with the recurrent weights W (gates n × n) and what comes of its sums. It is
 * cut into units, so that a tile's sums become gates and state while they are in the cache:
 *
 *     forward    sums[gate][row][unit] = Σ_k h[row][k] W[gate n + unit][k], k < n
 *                (and of the input, if it is not a product of its own: Σ_k x[row][k] V[…][k])
 *     backward   sums[row][unit] = Σ_k d[row][k] W[k][unit], d the cotangents of the gates' sums
 *
 * One factor is W, packed once for all steps into panels of 2 vectors of units, zeros behind the
 * last unit; `padded` is n rounded up to vectors.
 *
 *     forward    [group of 2 VL units][gate][k < padded, then of V][2 VL]
 *     backward   [group of 2 VL units][gate padded + k][2 VL]
 *
 * The other, the *operand*, is left by the step before where the product reads it: in blocks of
 * TT_STEP_DEPTH elements of the depth, whose rows are TT_STEP_ROW floats apart. That is a constant,
 * so that one register addresses all rows of a tile. The columns past n are 0.
 *
 *     operands   [block of the depth][slot and row of the batch][TT_STEP_ROW]
 *
 * A piece of a step reads whole rows of one operand (`product.operand`) and writes the columns of
 * its own units into the next (`product.next`). All pieces of a step are done before the next step
 * begins, so two slots suffice, A and B in turns. Of the steps t - 1, t and t + 1, as they follow
 * each other (backward, and in reverse, their time runs the other way):
 *
 *                      step t - 1             step t                 step t + 1
 *     forward    A     writes h(t-1), x(t)    reads h(t-1), x(t)     writes h(t+1), x(t+2)
 *                B     reads h(t-2), x(t-1)   writes h(t), x(t+1)    reads h(t), x(t+1)
 *
 *     backward   A     writes d(t-1)          reads d(t-1)           writes d(t+1)
 *                B     reads d(t-2)           writes d(t)            reads d(t)
 *
 * The first step reads what step_operand wrote: h0 and the first x. (Backward it reads nothing: its
 * sums are 0.) Rows that begin at a later step read h0 there too, which step_operand wrote into
 * both slots: until then nobody writes these rows. Backward, pieces of inputs read d(t-1) too, for
 * dx(t-1), and behind a sequence's last step step_state_backward reads its d, for dh0. There can be
 * more slots than two: the d of many steps are the left factor dᵀ of the products that are the
 * weights' gradients, which read it as it lies there. And the input's weights V can be further
 * groups, behind the units', whose sums are the cotangents of x. */
#ifndef TT_STEP_H
#define TT_STEP_H

#include "../../simd_math.h"
#include "../registers.h"
#include "../row.h"
#include "../tile.h"

/* --- The product ---------------------------------------------------------------------------- */

/* Lines that what follows a product will read or write: two vectors of each row of some arrays.
 * They are fetched while the product's tiles are summed, one at each step of the depth: of many
 * fetches at once the processor would drop some. */
enum { TT_STEP_ARRAYS = 16 };
typedef struct {
    int64_t count;
    const float *of[TT_STEP_ARRAYS * TT_STEP_ROWS * 2];
} tt_step_lines;

/* sums[row][2 VL] (+)= a b, a tile of some rows and of one block of the depth. Of one or two rows
 * each has several sums, in turns: otherwise an addition would wait for the one before it, and the
 * weights come no faster than that. (The depth is a multiple of VL, and so of 4.) */
TT_INLINE void tt_step_tile_of(int rows, const float *a, const float *b, int64_t depth, float *sums,
                               int accumulate, const float *const *lines, int64_t line_count)
{
    const int turns = rows == 1 ? 4 : rows == 2 ? 2 : 1;
    vf sum[TT_GEMM_ROWS < 4 ? 4 : TT_GEMM_ROWS][2];
    TT_UNROLL for (int r = 0; r < turns * rows; r++) sum[r][0] = sum[r][1] = vf_zero();
    for (int64_t block = 0; block < depth; block += turns) {
        TT_UNROLL for (int turn = 0; turn < turns; turn++, b += 2 * VL) {
            const int64_t k = block + turn;
            vf left = vf_load(b), right = vf_load(b + VL);
            /* The next block, or panel: the weights may come from far. (For one or two rows nothing
             * else is done meanwhile, and the processor's own prefetching is faster.) And one row
             * in turn, a few lines ahead: another core may have written it just now. */
            if (rows > 2) {
                __builtin_prefetch(b + TT_STEP_DEPTH * 2 * VL, 0, 2);
                if (VL == 16) __builtin_prefetch(b + TT_STEP_DEPTH * 2 * VL + VL, 0, 2);
                __builtin_prefetch(a + (k & 15) * TT_STEP_ROW + k + 48);
            }
            if (k < line_count) __builtin_prefetch(lines[k], 1);
            TT_UNROLL for (int r = 0; r < rows; r++) {
                vf x = vf_set1(a[r * TT_STEP_ROW + k]);
                vf *to = sum[turn * rows + r];
                to[0] = vf_fma(x, left, to[0]);
                to[1] = vf_fma(x, right, to[1]);
            }
        }
    }
    TT_UNROLL for (int r = rows; r < turns * rows; r++) {
        sum[r % rows][0] += sum[r][0];
        sum[r % rows][1] += sum[r][1];
    }
    TT_UNROLL for (int r = 0; r < rows; r++, sums += 2 * VL) {
        if (accumulate) {
            sum[r][0] += vf_load(sums);
            sum[r][1] += vf_load(sums + VL);
        }
        vf_store(sums, sum[r][0]);
        vf_store(sums + VL, sum[r][1]);
    }
}

static void tt_step_tile(int64_t rows, const float *a, const float *b, int64_t depth, float *sums,
                         int accumulate, const float *const *lines, int64_t line_count)
{
#define TT_STEP_TILE(ROWS)                                                       \
    case ROWS:                                                                   \
        tt_step_tile_of(ROWS, a, b, depth, sums, accumulate, lines, line_count); \
        break;
    switch (rows) {
        TT_TO_ROWS(TT_STEP_TILE)
    }
#undef TT_STEP_TILE
}

TT_INLINE int64_t tt_step_padded(int64_t n) { return tt_round_up(n, VL); }

/* Element [row][column] of an operand. */
TT_INLINE float *tt_operand_at(const tt_step_args *s, float *operand, int64_t row, int64_t column)
{
    return operand + (column / TT_STEP_DEPTH * s->product.operand_rows + row) * TT_STEP_ROW +
           column % TT_STEP_DEPTH;
}

/* Of x, whose rows are `row` apart, from a column on; NULL for no such array. */
TT_INLINE void tt_step_fetch(tt_step_lines *lines, const tt_step_args *s, const float *x,
                             int64_t row, int64_t column)
{
    if (!x) return;
    x += s->first_row * row + column;
    for (int64_t r = 0; r < s->rows; r++, x += row) {
        lines->of[lines->count++] = x;
        if (VL == 16) lines->of[lines->count++] = x + VL;
    }
}

/* The sums of s->rows rows with one panel of the given depth. */
static void tt_step_product(const tt_step_args *s, const float *panel, int64_t depth, float *sums,
                            const tt_step_lines *lines)
{
    const int64_t below = s->product.rows - s->first_row;
    const int64_t some = below < 0 ? 0 : below < s->rows ? below : s->rows;
    if (some < s->rows)
        memset(sums + some * 2 * VL, 0, sizeof(float) * (size_t)((s->rows - some) * 2 * VL));
    if (some == 0) return;
    const int64_t blocks = tt_ceil_div(depth, TT_STEP_DEPTH);
    const int64_t tiles = tt_ceil_div(some, TT_GEMM_ROWS);
    const int64_t height = tt_ceil_div(some, tiles);
    const int64_t share = tt_ceil_div(lines->count, blocks * tiles);
    int64_t line = 0;
    for (int64_t k = 0; k < depth; k += TT_STEP_DEPTH) {
        const int64_t block = k / TT_STEP_DEPTH * s->product.operand_rows;
        const float *a = s->product.operand + (block + s->first_row) * TT_STEP_ROW;
        const int64_t in_block = depth - k < TT_STEP_DEPTH ? depth - k : TT_STEP_DEPTH;
        for (int64_t r = 0; r < some; r += height) {
            const int64_t rows = some - r < height ? some - r : height;
            const int64_t rest = lines->count - line, count = rest < share ? rest : share;
            tt_step_tile(rows, a + r * TT_STEP_ROW, panel + k * 2 * VL, in_block, sums + r * 2 * VL,
                         k > 0, lines->of + line, count);
            line += count;
        }
    }
}

/* --- The operand ---------------------------------------------------------------------------- */

/* A vector of a row of n into the operand, zeros past n. */
TT_INLINE void tt_operand_put(const tt_step_args *s, int64_t row, int64_t gate, int64_t j, vf x)
{
    const int64_t n = s->hidden;
    if (j + VL > n) x = vf_select(vi_first(n - j), x, vf_zero());
    vf_store(tt_operand_at(s, s->product.next, row, gate * tt_step_padded(n) + j), x);
}

/* The cotangents of a gate's sums. */
TT_INLINE void tt_step_put_back(const tt_step_args *s, int64_t row, int64_t gate, int64_t j, vf x)
{
    const int64_t n = s->hidden;
    tt_operand_put(s, row, gate, j, x);
    float *dgates = s->backward.dgates;
    if (dgates) tt_row_put(dgates + (row * s->gate_count + gate) * n, j, n, x);
}

/* The next inputs into the operand, the share of the group of units from `unit`. */
TT_INLINE void tt_operand_inputs(const tt_step_args *s, int64_t unit)
{
    const tt_step_product_args *p = &s->product;
    const int64_t n = s->hidden, of_groups = tt_round_up(n, 2 * VL);
    if (!p->x) return;
    for (int64_t begin = unit; begin < p->inputs; begin += of_groups)
        for (int64_t row = p->x_first; row < p->x_first + p->x_rows; row++)
            for (int64_t j = begin; j < begin + 2 * VL && j < p->inputs; j += VL)
                vf_store(tt_operand_at(s, p->next, row, tt_step_padded(n) + j),
                         tt_row_at(p->x + row * p->inputs, j, p->inputs, 0));
}

/* --- Packing -------------------------------------------------------------------------------- */

/* A gate's weights (n × columns) into one panel of a backward product, columns [first, …). */
static void tt_step_pack_back(float *panel, const float *weight, int64_t n, int64_t columns,
                              int64_t first)
{
    const int64_t rest = columns - first;
    tt_pack_rows(panel, 2 * VL, tt_step_padded(n), weight + first, columns, n,
                 rest < 2 * VL ? rest : 2 * VL, 1.0f);
}

/* W (gates n × n) into panels, for groups [first, first + groups). */
static void tt_step_pack_f32(const tt_step_pack_args *s)
{
    const int64_t n = s->hidden, padded = tt_step_padded(n), inputs = tt_step_padded(s->inputs);
    const int64_t of_units = tt_ceil_div(n, 2 * VL);
    for (int64_t group = s->first; group < s->first + s->groups; group++) {
        if (s->backward) {
            float *panel = s->out + group * s->gates * padded * 2 * VL;
            for (int64_t gate = 0; gate < s->gates; gate++, panel += padded * 2 * VL)
                if (group < of_units)
                    tt_step_pack_back(panel, s->weight + gate * n * n, n, n, group * 2 * VL);
                else
                    tt_step_pack_back(panel, s->input_weight + gate * n * s->inputs, n, s->inputs,
                                      (group - of_units) * 2 * VL);
            continue;
        }
        const int64_t unit = group * 2 * VL, units = n - unit < 2 * VL ? n - unit : 2 * VL;
        for (int64_t gate = 0; gate < s->gates; gate++) {
            float *panel = s->out + (group * s->gates + gate) * (padded + inputs) * 2 * VL;
            const float *weight = s->weight + gate * n * n;
            tt_pack_columns(panel, 2 * VL, padded, weight + unit * n, n, units, n);
            if (inputs)
                tt_pack_columns(panel + padded * 2 * VL, 2 * VL, inputs,
                                s->input_weight + (gate * n + unit) * s->inputs, s->inputs, units,
                                s->inputs);
        }
    }
}

/* The operand of the first step, from the state before it, and its inputs; of all rows. */
static void tt_step_operand_f32(const tt_step_args *s)
{
    for (int64_t row = 0; row < s->batch; row++)
        for (int64_t j = 0, n = s->hidden; j < n; j += VL)
            tt_operand_put(s, row, 0, j,
                           s->h_start ? tt_row_at(s->h_start + row * n, j, n, 0) : vf_zero());
    for (int64_t unit = 0; unit < s->hidden; unit += 2 * VL) tt_operand_inputs(s, unit);
}

/* --- What comes of the sums ----------------------------------------------------------------- */

/* Where row r of the state before the step lies; NULL: zeros. */
TT_INLINE const float *tt_step_before(const tt_step_args *s, const float *before,
                                      const float *start, int64_t r)
{
    const float *state = r < s->known ? before : start;
    return state ? state + r * s->hidden : NULL;
}

/* That row as it is read. */
TT_INLINE vf tt_step_before_at(const float *row, int64_t j, int64_t n)
{
    return row ? tt_row_at(row, j, n, 0) : vf_zero();
}

/* Whether this row's sequence ended with the step: backward its last cotangent comes here. */
TT_INLINE int tt_step_is_last(const tt_step_args *s, int64_t r) { return r >= s->product.rows; }

/* sigmoid, without the care for a denormal result that vf_sigmoid takes */
TT_INLINE vf tt_gate(vf x) { return 1.0f / (1.0f + vf_exp(vf_neg(x))); }

/* AT(s, r, j, sums) for each row r and each vector j of the group of units from UNIT; `sums` are
 * those that belong to it. AT has a copy of the arguments, which no store can change, and for a
 * group of whole vectors code of its own, in which tt_row_at and tt_row_put are a plain load and
 * store. */
#define TT_STEP_EACH_OF(UNIT, SUMS, AT, KNOWN)                                              \
    for (int64_t r = 0; r < copy.rows; r++)                                                 \
        for (int64_t j = (UNIT); j < (UNIT) + 2 * VL && j < copy.hidden; j += VL) {         \
            KNOWN;                                                                          \
            AT(&copy, copy.first_row + r, j, (SUMS) + r * 2 * VL + j - (UNIT));             \
        }
#define TT_STEP_EACH(S, UNIT, SUMS, AT)                                                     \
    do {                                                                                    \
        const tt_step_args copy = *(S);                                                     \
        if ((UNIT) + 2 * VL <= copy.hidden)                                                 \
            TT_STEP_EACH_OF(UNIT, SUMS, AT, if (j + VL > copy.hidden) __builtin_unreachable()) \
        else                                                                                \
            TT_STEP_EACH_OF(UNIT, SUMS, AT, (void)0)                                        \
    } while (0)

/* The sums of a gate, behind those of the first. */
#define TT_STEP_SUM(GATE) vf_load(sums + (GATE) * s->rows * 2 * VL)

TT_INLINE void tt_step_sums(const tt_step_args *s, int gates, int64_t unit, float *sums)
{
    const int64_t n = s->hidden, depth = tt_step_padded(n) + tt_step_padded(s->product.inputs);
    const float *panel = s->product.weights + unit * gates * depth;
    for (int gate = 0; gate < gates; gate++) {
        tt_step_lines lines;
        lines.count = 0;
        tt_step_fetch(&lines, s, s->gates, gates * n, gate * n + unit);
        if (gate == gates - 1) {
            tt_step_fetch(&lines, s, s->inner, n, unit);
            tt_step_fetch(&lines, s, s->c, n, unit);
            tt_step_fetch(&lines, s, s->h, n, unit);
            tt_step_fetch(&lines, s, tt_operand_at(s, s->product.next, 0, unit), TT_STEP_ROW, 0);
        }
        tt_step_product(s, panel + gate * depth * 2 * VL, depth, sums + gate * s->rows * 2 * VL,
                        &lines);
    }
    tt_operand_inputs(s, unit);
}

TT_INLINE void tt_step_backward_sums(const tt_step_args *s, int gates, int64_t unit, float *sums)
{
    const int64_t n = s->hidden, depth = gates * tt_step_padded(n);
    tt_step_lines lines;
    lines.count = 0;
    for (int gate = 0; gate < gates; gate++) {
        tt_step_fetch(&lines, s, s->gates, gates * n, gate * n + unit);
        tt_step_fetch(&lines, s, s->backward.dgates, gates * n, gate * n + unit);
    }
    tt_step_fetch(&lines, s, s->backward.g, n, unit);
    tt_step_fetch(&lines, s, s->inner, n, unit);
    tt_step_fetch(&lines, s, s->h_before, n, unit);
    tt_step_fetch(&lines, s, s->c_before, n, unit);
    tt_step_product(s, s->product.weights + unit * depth, depth, sums, &lines);
}

#endif
