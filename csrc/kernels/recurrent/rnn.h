/* Steps of a plain recurrent layer. */
#include "step.h"

/* s->forward.input may be s->h, which then leaves as the state. */
TT_INLINE void tt_rnn_step_at(const tt_step_args *s, int64_t r, int64_t j, const float *sums)
{
    const int64_t n = s->hidden, at = r * n;
    vf h = TT_STEP_SUM(0) + tt_row_at(s->forward.input + r * s->forward.input_row, j, n, 0);
    h = s->relu ? vf_max(h, vf_zero()) : vf_tanh(h);
    tt_row_put(s->h + at, j, n, h);
    tt_operand_put(s, r, 0, j, h);
}

static void tt_rnn_step_f32(const tt_step_args *s)
{
    float sums[TT_STEP_ROWS * 2 * VL] TT_ALIGNED;
    for (int64_t unit = s->first_unit; unit < s->first_unit + s->units; unit += 2 * VL) {
        tt_step_sums(s, 1, unit, sums);
        TT_STEP_EACH(s, unit, sums, tt_rnn_step_at);
    }
}

TT_INLINE void tt_rnn_step_backward_at(const tt_step_args *s, int64_t r, int64_t j,
                                       const float *sums)
{
    const int64_t n = s->hidden, at = r * n;
    vf h = tt_row_at(s->h + at, j, n, 0);
    vf dh = TT_STEP_SUM(0) + tt_row_at(s->backward.g + at, j, n, 0);
    if (tt_step_is_last(s, r)) dh += tt_row_at(s->backward.g_last + at, j, n, 0);
    vf d = s->relu ? vf_select(h > 0.0f, dh, vf_zero()) : dh * (1.0f - h * h);
    tt_row_put(s->backward.dgates + at, j, n, d);
    tt_operand_put(s, r, 0, j, d);
}

static void tt_rnn_step_backward_f32(const tt_step_args *s)
{
    float sums[TT_STEP_ROWS * 2 * VL] TT_ALIGNED;
    for (int64_t unit = s->first_unit; unit < s->first_unit + s->units; unit += 2 * VL) {
        tt_step_backward_sums(s, 1, unit, sums);
        TT_STEP_EACH(s, unit, sums, tt_rnn_step_backward_at);
    }
}
