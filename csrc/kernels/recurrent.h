/* Recurrent layers: the pointwise part of LSTM and GRU cells, and steps of whole sequences. */
#include "../simd_math.h"
#include "registers.h"
#include "row.h"
#include "tile.h"

/* --- Cells, whose backwards make the gates again -------------------------------------------- */

/* c' = sigmoid(f) c + sigmoid(i) tanh(g),  h' = sigmoid(o) tanh(c') */
static void tt_lstm_cell_f32(const tt_lstm_cell_args *s)
{
    const int64_t n = s->hidden;
    for (int64_t r = 0; r < s->rows; r++) {
        const float *gates = s->gates + r * 4 * n;
        for (int64_t j = 0; j < n; j += VL) {
            vf i = vf_sigmoid(tt_row_at(gates, j, n, 0));
            vf f = vf_sigmoid(tt_row_at(gates + n, j, n, 0));
            vf g = vf_tanh(tt_row_at(gates + 2 * n, j, n, 0));
            vf o = vf_sigmoid(tt_row_at(gates + 3 * n, j, n, 0));
            vf c_next = f * tt_row_at(s->c + r * n, j, n, 0) + i * g;
            tt_row_put(s->c_next + r * n, j, n, c_next);
            tt_row_put(s->h_next + r * n, j, n, o * vf_tanh(c_next));
        }
    }
}

static void tt_lstm_cell_backward_f32(const tt_lstm_cell_args *s)
{
    const int64_t n = s->hidden;
    for (int64_t r = 0; r < s->rows; r++) {
        const float *gates = s->gates + r * 4 * n;
        float *dgates = s->dgates + r * 4 * n;
        for (int64_t j = 0; j < n; j += VL) {
            vf i = vf_sigmoid(tt_row_at(gates, j, n, 0));
            vf f = vf_sigmoid(tt_row_at(gates + n, j, n, 0));
            vf g = vf_tanh(tt_row_at(gates + 2 * n, j, n, 0));
            vf o = vf_sigmoid(tt_row_at(gates + 3 * n, j, n, 0));
            vf c = tt_row_at(s->c + r * n, j, n, 0), t = vf_tanh(f * c + i * g);
            vf gh = tt_row_at(s->gh + r * n, j, n, 0);
            vf dc = tt_row_at(s->gc + r * n, j, n, 0) + gh * o * (1.0f - t * t);
            tt_row_put(dgates, j, n, dc * g * i * (1.0f - i));
            tt_row_put(dgates + n, j, n, dc * c * f * (1.0f - f));
            tt_row_put(dgates + 2 * n, j, n, dc * i * (1.0f - g * g));
            tt_row_put(dgates + 3 * n, j, n, gh * t * o * (1.0f - o));
            tt_row_put(s->dc + r * n, j, n, dc * f);
        }
    }
}

/* n = tanh(x_n + sigmoid(x_r + h_r) h_n),  h' = n + sigmoid(x_z + h_z) (h - n) */
static void tt_gru_cell_f32(const tt_gru_cell_args *s)
{
    const int64_t n = s->hidden;
    for (int64_t row = 0; row < s->rows; row++) {
        const float *x = s->x_gates + row * 3 * n, *y = s->h_gates + row * 3 * n;
        for (int64_t j = 0; j < n; j += VL) {
            vf r = vf_sigmoid(tt_row_at(x, j, n, 0) + tt_row_at(y, j, n, 0));
            vf z = vf_sigmoid(tt_row_at(x + n, j, n, 0) + tt_row_at(y + n, j, n, 0));
            vf new = vf_tanh(tt_row_at(x + 2 * n, j, n, 0) + r * tt_row_at(y + 2 * n, j, n, 0));
            vf h = tt_row_at(s->h + row * n, j, n, 0);
            tt_row_put(s->h_next + row * n, j, n, new + z * (h - new));
        }
    }
}

static void tt_gru_cell_backward_f32(const tt_gru_cell_args *s)
{
    const int64_t n = s->hidden;
    for (int64_t row = 0; row < s->rows; row++) {
        const float *x = s->x_gates + row * 3 * n, *y = s->h_gates + row * 3 * n;
        float *dx = s->dx_gates + row * 3 * n, *dy = s->dh_gates + row * 3 * n;
        for (int64_t j = 0; j < n; j += VL) {
            vf y_n = tt_row_at(y + 2 * n, j, n, 0), h = tt_row_at(s->h + row * n, j, n, 0);
            vf r = vf_sigmoid(tt_row_at(x, j, n, 0) + tt_row_at(y, j, n, 0));
            vf z = vf_sigmoid(tt_row_at(x + n, j, n, 0) + tt_row_at(y + n, j, n, 0));
            vf new = vf_tanh(tt_row_at(x + 2 * n, j, n, 0) + r * y_n);
            vf g = tt_row_at(s->g + row * n, j, n, 0);
            vf dnew = g * (1.0f - z) * (1.0f - new * new);
            vf dr = dnew * y_n * r * (1.0f - r), dz = g * (h - new) * z * (1.0f - z);
            tt_row_put(dx, j, n, dr);
            tt_row_put(dy, j, n, dr);
            tt_row_put(dx + n, j, n, dz);
            tt_row_put(dy + n, j, n, dz);
            tt_row_put(dx + 2 * n, j, n, dnew);
            tt_row_put(dy + 2 * n, j, n, dnew * r);
            tt_row_put(s->dh + row * n, j, n, g * z);
        }
    }
}

/* --- Steps of a sequence --------------------------------------------------------------------
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
 *     operands   [block of the depth][step and row of the batch][TT_STEP_ROW]
 *
 * Of the steps' operands two are kept, in turns. Backward, more can be: the d of many steps are the
 * left factor dᵀ of the products that are the weights' gradients, which read it as it lies there.
 * And the input's weights V can be further groups, behind the units', whose sums are the
 * cotangents of x.
 */

/* Lines that what follows a product will read or write: two vectors of each row of some arrays.
 * They are fetched while the product's tiles are summed, one at each step of the depth: of many
 * fetches at once the processor would drop some. */
enum { TT_STEP_ARRAYS = 16 };
typedef struct {
    int64_t count;
    const float *of[TT_STEP_ARRAYS * TT_STEP_ROWS * 2];
} tt_step_lines;

/* sums[row][2 VL] (+)= a b, a tile of some rows and of one block of the depth. */
TT_INLINE void tt_step_tile_of(int rows, const float *a, const float *b, int64_t depth, float *sums,
                               int accumulate, const float *const *lines, int64_t line_count)
{
    vf sum[TT_GEMM_ROWS][2];
    TT_UNROLL for (int r = 0; r < rows; r++) sum[r][0] = sum[r][1] = vf_zero();
    for (int64_t k = 0; k < depth; k++, b += 2 * VL) {
        vf left = vf_load(b), right = vf_load(b + VL);
        /* The next block, or panel: the weights may come from far. */
        __builtin_prefetch(b + TT_STEP_DEPTH * 2 * VL, 0, 2);
        if (VL == 16) __builtin_prefetch(b + TT_STEP_DEPTH * 2 * VL + VL, 0, 2);
        /* One row in turn, a few lines ahead: another core may have written it just now. */
        __builtin_prefetch(a + (k & 15) * TT_STEP_ROW + k + 48);
        if (k < line_count) __builtin_prefetch(lines[k], 1);
        TT_UNROLL for (int r = 0; r < rows; r++) {
            vf x = vf_set1(a[r * TT_STEP_ROW + k]);
            sum[r][0] = vf_fma(x, left, sum[r][0]);
            sum[r][1] = vf_fma(x, right, sum[r][1]);
        }
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

TT_INLINE int64_t tt_step_padded(int64_t n) { return (n + VL - 1) / VL * VL; }

/* Element [row][column] of an operand. */
TT_INLINE float *tt_operand_at(const tt_step_args *s, float *operand, int64_t row, int64_t column)
{
    return operand + (column / TT_STEP_DEPTH * s->operand_rows + row) * TT_STEP_ROW +
           column % TT_STEP_DEPTH;
}

/* Of x, whose rows are `row` apart, from a column on; NULL for no such array. */
TT_INLINE void tt_step_fetch(tt_step_lines *lines, const tt_step_args *s, const float *x,
                             int64_t row, int64_t column)
{
    if (!x) return;
    x += s->row * row + column;
    for (int64_t r = 0; r < s->rows; r++, x += row) {
        lines->of[lines->count++] = x;
        if (VL == 16) lines->of[lines->count++] = x + VL;
    }
}

/* The sums of s->rows rows with one panel of the given depth. */
static void tt_step_product(const tt_step_args *s, const float *panel, int64_t depth, float *sums,
                            const tt_step_lines *lines)
{
    const int64_t blocks = (depth + TT_STEP_DEPTH - 1) / TT_STEP_DEPTH;
    const int64_t tiles = (s->rows + TT_GEMM_ROWS - 1) / TT_GEMM_ROWS;
    const int64_t height = (s->rows + tiles - 1) / tiles;
    const int64_t share = (lines->count + blocks * tiles - 1) / (blocks * tiles);
    int64_t line = 0;
    if (!s->operand) {
        memset(sums, 0, sizeof(float) * (size_t)(s->rows * 2 * VL));
        return;
    }
    for (int64_t k = 0; k < depth; k += TT_STEP_DEPTH) {
        const int64_t block = k / TT_STEP_DEPTH * s->operand_rows;
        const float *a = s->operand + (block + s->row) * TT_STEP_ROW;
        const int64_t some = depth - k < TT_STEP_DEPTH ? depth - k : TT_STEP_DEPTH;
        for (int64_t r = 0; r < s->rows; r += height) {
            const int64_t rows = s->rows - r < height ? s->rows - r : height;
            const int64_t rest = lines->count - line, count = rest < share ? rest : share;
            tt_step_tile(rows, a + r * TT_STEP_ROW, panel + k * 2 * VL, some, sums + r * 2 * VL,
                         k > 0, lines->of + line, count);
            line += count;
        }
    }
}

/* A vector of a row of n into the operand, zeros past n. */
TT_INLINE void tt_operand_put(const tt_step_args *s, int64_t row, int64_t gate, int64_t j, vf x)
{
    const int64_t n = s->hidden;
    if (j + VL > n) x = vf_select(vi_first(n - j), x, vf_zero());
    vf_store(tt_operand_at(s, s->next, row, gate * tt_step_padded(n) + j), x);
}

/* The cotangents of a gate's sums. */
TT_INLINE void tt_step_put_back(const tt_step_args *s, int64_t row, int64_t gate, int64_t j, vf x)
{
    const int64_t n = s->hidden;
    tt_operand_put(s, row, gate, j, x);
    if (s->dgates) tt_row_put(s->dgates + (row * s->gate_count + gate) * n, j, n, x);
}

/* The next inputs into the operand, of these rows, the share of the group of units from `unit`. */
TT_INLINE void tt_operand_inputs(const tt_step_args *s, int64_t unit)
{
    const int64_t n = s->hidden, of_groups = (n + 2 * VL - 1) / (2 * VL) * 2 * VL;
    if (!s->x) return;
    for (int64_t begin = unit; begin < s->inputs; begin += of_groups)
        for (int64_t row = s->row; row < s->row + s->rows; row++)
            for (int64_t j = begin; j < begin + 2 * VL && j < s->inputs; j += VL)
                vf_store(tt_operand_at(s, s->next, row, tt_step_padded(n) + j),
                         tt_row_at(s->x + row * s->inputs, j, s->inputs, 0));
}

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
    const int64_t of_units = (n + 2 * VL - 1) / (2 * VL);
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
                           s->h_before ? tt_row_at(s->h_before + row * n, j, n, 0) : vf_zero());
    for (int64_t unit = 0; unit < s->hidden; unit += 2 * VL) tt_operand_inputs(s, unit);
}

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
            AT(&copy, copy.row + r, j, (SUMS) + r * 2 * VL + j - (UNIT));                   \
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
    const int64_t n = s->hidden, depth = tt_step_padded(n) + tt_step_padded(s->inputs);
    const float *panel = s->weights + unit * gates * depth;
    for (int gate = 0; gate < gates; gate++) {
        tt_step_lines lines;
        lines.count = 0;
        tt_step_fetch(&lines, s, s->gates, gates * n, gate * n + unit);
        if (gate == gates - 1) {
            tt_step_fetch(&lines, s, s->inner, n, unit);
            tt_step_fetch(&lines, s, s->c, n, unit);
            tt_step_fetch(&lines, s, s->h, n, unit);
            tt_step_fetch(&lines, s, tt_operand_at(s, s->next, 0, unit), TT_STEP_ROW, 0);
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
        tt_step_fetch(&lines, s, s->dgates, gates * n, gate * n + unit);
    }
    tt_step_fetch(&lines, s, s->g, n, unit);
    tt_step_fetch(&lines, s, s->inner, n, unit);
    tt_step_fetch(&lines, s, s->h_before, n, unit);
    tt_step_fetch(&lines, s, s->c_before, n, unit);
    tt_step_product(s, s->weights + unit * depth, depth, sums, &lines);
}

/* s->input may be s->gates, which then leave as the gates themselves. The state comes in a second
 * pass: one chain of two functions would be as long as a processor looks ahead. */
TT_INLINE void tt_lstm_step_gates_at(const tt_step_args *s, int64_t r, int64_t j,
                                     const float *sums)
{
    const int64_t n = s->hidden, at = r * n;
    const float *input = s->input + r * s->input_row;
    float *gates = s->gates + 4 * at;
    vf i = tt_gate(TT_STEP_SUM(0) + tt_row_at(input, j, n, 0));
    vf f = tt_gate(TT_STEP_SUM(1) + tt_row_at(input + n, j, n, 0));
    vf g = vf_tanh(TT_STEP_SUM(2) + tt_row_at(input + 2 * n, j, n, 0));
    vf o = tt_gate(TT_STEP_SUM(3) + tt_row_at(input + 3 * n, j, n, 0));
    vf c = i * g;
    if (s->c_before) c += f * tt_row_at(s->c_before + at, j, n, 0);
    tt_row_put(gates, j, n, i);
    tt_row_put(gates + n, j, n, f);
    tt_row_put(gates + 2 * n, j, n, g);
    tt_row_put(gates + 3 * n, j, n, o);
    tt_row_put(s->c + at, j, n, c);
}

TT_INLINE void tt_lstm_step_state_at(const tt_step_args *s, int64_t r, int64_t j,
                                     const float *sums)
{
    const int64_t n = s->hidden, at = r * n;
    vf o = tt_row_at(s->gates + 4 * at + 3 * n, j, n, 0);
    vf h = o * vf_tanh(tt_row_at(s->c + at, j, n, 0));
    tt_row_put(s->h + at, j, n, h);
    tt_operand_put(s, r, 0, j, h);
    (void)sums;
}

static void tt_lstm_step_f32(const tt_step_args *s)
{
    float sums[4 * TT_STEP_ROWS * 2 * VL] TT_ALIGNED;
    for (int64_t unit = s->unit; unit < s->unit + s->units; unit += 2 * VL) {
        tt_step_sums(s, 4, unit, sums);
        TT_STEP_EACH(s, unit, sums, tt_lstm_step_gates_at);
        TT_STEP_EACH(s, unit, sums, tt_lstm_step_state_at);
    }
}

TT_INLINE void tt_lstm_step_backward_at(const tt_step_args *s, int64_t r, int64_t j,
                                        const float *sums)
{
    const int64_t n = s->hidden, at = r * n;
    const float *gates = s->gates + 4 * at;
    vf i = tt_row_at(gates, j, n, 0), f = tt_row_at(gates + n, j, n, 0);
    vf g = tt_row_at(gates + 2 * n, j, n, 0), o = tt_row_at(gates + 3 * n, j, n, 0);
    vf c_before = s->c_before ? tt_row_at(s->c_before + at, j, n, 0) : vf_zero();
    vf t = vf_tanh(tt_row_at(s->c + at, j, n, 0));
    vf dh = TT_STEP_SUM(0) + tt_row_at(s->g + at, j, n, 0);
    if (s->g_last) dh += tt_row_at(s->g_last + at, j, n, 0);
    vf dc = tt_row_at(s->carry + at, j, n, 0) + dh * o * (1.0f - t * t);
    vf di = dc * g * i * (1.0f - i), df = dc * c_before * f * (1.0f - f);
    vf dg = dc * i * (1.0f - g * g), do_ = dh * t * o * (1.0f - o);
    tt_step_put_back(s, r, 0, j, di);
    tt_step_put_back(s, r, 1, j, df);
    tt_step_put_back(s, r, 2, j, dg);
    tt_step_put_back(s, r, 3, j, do_);
    tt_row_put(s->carry + at, j, n, dc * f);
}

static void tt_lstm_step_backward_f32(const tt_step_args *s)
{
    float sums[TT_STEP_ROWS * 2 * VL] TT_ALIGNED;
    for (int64_t unit = s->unit; unit < s->unit + s->units; unit += 2 * VL) {
        tt_step_backward_sums(s, 4, unit, sums);
        TT_STEP_EACH(s, unit, sums, tt_lstm_step_backward_at);
    }
}

/* s->inner is the state's part of n, with its bias: what r multiplies. */
TT_INLINE void tt_gru_step_at(const tt_step_args *s, int64_t r, int64_t j, const float *sums)
{
    const int64_t n = s->hidden, at = r * n;
    float *gates = s->gates + 3 * at;
    vf r_gate = tt_gate(TT_STEP_SUM(0) + tt_row_at(gates, j, n, 0));
    vf z = tt_gate(TT_STEP_SUM(1) + tt_row_at(gates + n, j, n, 0));
    vf inner = TT_STEP_SUM(2);
    if (s->inner_bias) inner += tt_row_at(s->inner_bias, j, n, 0);
    vf new = vf_tanh(tt_row_at(gates + 2 * n, j, n, 0) + r_gate * inner);
    vf before = s->h_before ? tt_row_at(s->h_before + at, j, n, 0) : vf_zero();
    vf h = new + z * (before - new);
    tt_row_put(gates, j, n, r_gate);
    tt_row_put(gates + n, j, n, z);
    tt_row_put(gates + 2 * n, j, n, new);
    tt_row_put(s->inner + at, j, n, inner);
    tt_row_put(s->h + at, j, n, h);
    tt_operand_put(s, r, 0, j, h);
}

static void tt_gru_step_f32(const tt_step_args *s)
{
    float sums[3 * TT_STEP_ROWS * 2 * VL] TT_ALIGNED;
    for (int64_t unit = s->unit; unit < s->unit + s->units; unit += 2 * VL) {
        tt_step_sums(s, 3, unit, sums);
        TT_STEP_EACH(s, unit, sums, tt_gru_step_at);
    }
}

TT_INLINE void tt_gru_step_backward_at(const tt_step_args *s, int64_t r, int64_t j,
                                       const float *sums)
{
    const int64_t n = s->hidden, at = r * n;
    const float *gates = s->gates + 3 * at;
    float *dgates = s->dgates + 3 * at;
    vf r_gate = tt_row_at(gates, j, n, 0), z = tt_row_at(gates + n, j, n, 0);
    vf new = tt_row_at(gates + 2 * n, j, n, 0), inner = tt_row_at(s->inner + at, j, n, 0);
    vf before = s->h_before ? tt_row_at(s->h_before + at, j, n, 0) : vf_zero();
    vf dh = TT_STEP_SUM(0) + tt_row_at(s->g + at, j, n, 0) +
            tt_row_at(s->carry + at, j, n, 0);
    vf dnew = dh * (1.0f - z) * (1.0f - new * new);
    vf dr = dnew * inner * r_gate * (1.0f - r_gate);
    vf dz = dh * (before - new) * z * (1.0f - z);
    vf dinner = dnew * r_gate;
    tt_row_put(dgates, j, n, dr);
    tt_row_put(dgates + n, j, n, dz);
    tt_row_put(dgates + 2 * n, j, n, dnew);
    tt_row_put(s->dinner + at, j, n, dinner);
    tt_operand_put(s, r, 0, j, dr);
    tt_operand_put(s, r, 1, j, dz);
    tt_operand_put(s, r, 2, j, dinner);
    tt_row_put(s->carry + at, j, n, dh * z);
}

static void tt_gru_step_backward_f32(const tt_step_args *s)
{
    float sums[TT_STEP_ROWS * 2 * VL] TT_ALIGNED;
    for (int64_t unit = s->unit; unit < s->unit + s->units; unit += 2 * VL) {
        tt_step_backward_sums(s, 3, unit, sums);
        TT_STEP_EACH(s, unit, sums, tt_gru_step_backward_at);
    }
}

/* s->input may be s->h, which then leaves as the state. */
TT_INLINE void tt_rnn_step_at(const tt_step_args *s, int64_t r, int64_t j, const float *sums)
{
    const int64_t n = s->hidden, at = r * n;
    vf h = TT_STEP_SUM(0) + tt_row_at(s->input + r * s->input_row, j, n, 0);
    h = s->relu ? vf_max(h, vf_zero()) : vf_tanh(h);
    tt_row_put(s->h + at, j, n, h);
    tt_operand_put(s, r, 0, j, h);
}

static void tt_rnn_step_f32(const tt_step_args *s)
{
    float sums[TT_STEP_ROWS * 2 * VL] TT_ALIGNED;
    for (int64_t unit = s->unit; unit < s->unit + s->units; unit += 2 * VL) {
        tt_step_sums(s, 1, unit, sums);
        TT_STEP_EACH(s, unit, sums, tt_rnn_step_at);
    }
}

TT_INLINE void tt_rnn_step_backward_at(const tt_step_args *s, int64_t r, int64_t j,
                                       const float *sums)
{
    const int64_t n = s->hidden, at = r * n;
    vf h = tt_row_at(s->h + at, j, n, 0);
    vf dh = TT_STEP_SUM(0) + tt_row_at(s->g + at, j, n, 0);
    if (s->g_last) dh += tt_row_at(s->g_last + at, j, n, 0);
    vf d = s->relu ? vf_select(h > 0.0f, dh, vf_zero()) : dh * (1.0f - h * h);
    tt_row_put(s->dgates + at, j, n, d);
    tt_operand_put(s, r, 0, j, d);
}

static void tt_rnn_step_backward_f32(const tt_step_args *s)
{
    float sums[TT_STEP_ROWS * 2 * VL] TT_ALIGNED;
    for (int64_t unit = s->unit; unit < s->unit + s->units; unit += 2 * VL) {
        tt_step_backward_sums(s, 1, unit, sums);
        TT_STEP_EACH(s, unit, sums, tt_rnn_step_backward_at);
    }
}

/* The cotangent of the state before the first step. */
TT_INLINE void tt_step_state_backward_at(const tt_step_args *s, int64_t r, int64_t j,
                                         const float *sums)
{
    const int64_t n = s->hidden, at = r * n;
    vf dh = TT_STEP_SUM(0);
    if (s->adds_carry) dh += tt_row_at(s->carry + at, j, n, 0);
    tt_row_put(s->dh0 + at, j, n, dh);
}

static void tt_step_state_backward_f32(const tt_step_args *s)
{
    float sums[TT_STEP_ROWS * 2 * VL] TT_ALIGNED;
    for (int64_t unit = s->unit; unit < s->unit + s->units; unit += 2 * VL) {
        tt_step_backward_sums(s, s->gate_count, unit, sums);
        TT_STEP_EACH(s, unit, sums, tt_step_state_backward_at);
    }
}

/* The cotangents of the inputs of the step before; `unit` counts through the inputs. */
static void tt_step_inputs_backward_f32(const tt_step_args *s)
{
    float sums[TT_STEP_ROWS * 2 * VL] TT_ALIGNED;
    const int64_t depth = s->gate_count * tt_step_padded(s->hidden);
    const float *weights = s->weights + tt_round_up(s->hidden, 2 * VL) * depth;
    tt_step_lines none;
    none.count = 0;
    for (int64_t unit = s->unit; unit < s->unit + s->units; unit += 2 * VL) {
        tt_step_product(s, weights + unit * depth, depth, sums, &none);
        for (int64_t r = 0; r < s->rows; r++)
            for (int64_t j = unit; j < unit + 2 * VL && j < s->inputs; j += VL)
                tt_row_put(s->dx + (s->row + r) * s->inputs, j, s->inputs,
                           vf_load(sums + r * 2 * VL + j - unit));
    }
}

/* --- Gradients of biases --------------------------------------------------------------------- */

static void tt_step_bias_f32(const tt_step_bias_args *s)
{
    for (int64_t i = 0; i < s->rows; i += VL) {
        const float *x = s->operand + i;
        vf sum[4] = {vf_zero(), vf_zero(), vf_zero(), vf_zero()};
        int64_t k = 0;
        for (; k + 4 <= s->depth; k += 4)
            for (int64_t v = 0; v < 4; v++) sum[v] += vf_load(x + (k + v) * TT_STEP_ROW);
        for (; k < s->depth; k++) sum[0] += vf_load(x + k * TT_STEP_ROW);
        sum[0] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
        if (s->accumulate) sum[0] += tt_row_at(s->sums, i, s->rows, 0);
        tt_row_put(s->sums, i, s->rows, sum[0]);
    }
}
