/* Steps of an LSTM. */
#include "step.h"

/* s->forward.input may be s->gates, which then leave as the gates themselves. The state comes in a
 * second pass: one chain of two functions would be as long as a processor looks ahead. */
TT_INLINE void tt_lstm_step_gates_at(const tt_step_args *s, int64_t r, int64_t j,
                                     const float *sums)
{
    const int64_t n = s->hidden, at = r * n;
    const float *input = s->forward.input + r * s->forward.input_row;
    float *gates = s->gates + 4 * at;
    vf i = tt_gate(TT_STEP_SUM(0) + tt_row_at(input, j, n, 0));
    vf f = tt_gate(TT_STEP_SUM(1) + tt_row_at(input + n, j, n, 0));
    vf g = vf_tanh(TT_STEP_SUM(2) + tt_row_at(input + 2 * n, j, n, 0));
    vf o = tt_gate(TT_STEP_SUM(3) + tt_row_at(input + 3 * n, j, n, 0));
    vf c = i * g;
    const float *before = tt_step_before(s, s->c_before, s->c_start, r);
    if (before) c += f * tt_row_at(before, j, n, 0);
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
    for (int64_t unit = s->first_unit; unit < s->first_unit + s->units; unit += 2 * VL) {
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
    vf c_before = tt_step_before_at(tt_step_before(s, s->c_before, s->c_start, r), j, n);
    vf t = vf_tanh(tt_row_at(s->c + at, j, n, 0));
    vf dh = TT_STEP_SUM(0) + tt_row_at(s->backward.g + at, j, n, 0);
    if (tt_step_is_last(s, r)) dh += tt_row_at(s->backward.g_last + at, j, n, 0);
    vf dc = tt_row_at(s->backward.carry + at, j, n, 0) + dh * o * (1.0f - t * t);
    vf di = dc * g * i * (1.0f - i), df = dc * c_before * f * (1.0f - f);
    vf dg = dc * i * (1.0f - g * g), do_ = dh * t * o * (1.0f - o);
    tt_step_put_back(s, r, 0, j, di);
    tt_step_put_back(s, r, 1, j, df);
    tt_step_put_back(s, r, 2, j, dg);
    tt_step_put_back(s, r, 3, j, do_);
    tt_row_put(s->backward.carry + at, j, n, dc * f);
}

static void tt_lstm_step_backward_f32(const tt_step_args *s)
{
    float sums[TT_STEP_ROWS * 2 * VL] TT_ALIGNED;
    for (int64_t unit = s->first_unit; unit < s->first_unit + s->units; unit += 2 * VL) {
        tt_step_backward_sums(s, 4, unit, sums);
        TT_STEP_EACH(s, unit, sums, tt_lstm_step_backward_at);
    }
}
