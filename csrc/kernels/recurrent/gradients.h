/* Backward, what is alike for all kinds of layers: the cotangents of the first state, of the
 * inputs and of biases. */
#include "step.h"

/* The cotangent of the state before the first step. */
TT_INLINE void tt_step_state_backward_at(const tt_step_args *s, int64_t r, int64_t j,
                                         const float *sums)
{
    const int64_t n = s->hidden, at = r * n;
    vf dh = TT_STEP_SUM(0);
    if (s->backward.adds_carry) dh += tt_row_at(s->backward.carry + at, j, n, 0);
    tt_row_put(s->backward.dh0 + at, j, n, dh);
}

static void tt_step_state_backward_f32(const tt_step_args *s)
{
    float sums[TT_STEP_ROWS * 2 * VL] TT_ALIGNED;
    for (int64_t unit = s->first_unit; unit < s->first_unit + s->units; unit += 2 * VL) {
        tt_step_backward_sums(s, s->gate_count, unit, sums);
        TT_STEP_EACH(s, unit, sums, tt_step_state_backward_at);
    }
}

/* The cotangents of the inputs of the step before; `unit` counts through the inputs. */
static void tt_step_inputs_backward_f32(const tt_step_args *s)
{
    float sums[TT_STEP_ROWS * 2 * VL] TT_ALIGNED;
    const int64_t depth = s->gate_count * tt_step_padded(s->hidden), inputs = s->product.inputs;
    const float *weights = s->product.weights + tt_round_up(s->hidden, 2 * VL) * depth;
    tt_step_lines none;
    none.count = 0;
    for (int64_t unit = s->first_unit; unit < s->first_unit + s->units; unit += 2 * VL) {
        tt_step_product(s, weights + unit * depth, depth, sums, &none);
        for (int64_t r = 0; r < s->rows; r++)
            for (int64_t j = unit; j < unit + 2 * VL && j < inputs; j += VL)
                tt_row_put(s->backward.dx + (s->first_row + r) * inputs, j, inputs,
                           vf_load(sums + r * 2 * VL + j - unit));
    }
}

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
