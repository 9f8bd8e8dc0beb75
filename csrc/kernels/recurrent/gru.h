/* Steps of a GRU. */
#include "step.h"

/* s->inner is the state's part of n, with its bias: what r multiplies. */
TT_INLINE void tt_gru_step_at(const tt_step_args *s, int64_t r, int64_t j, const float *sums)
{
    const int64_t n = s->hidden, at = r * n;
    float *gates = s->gates + 3 * at;
    vf r_gate = tt_gate(TT_STEP_SUM(0) + tt_row_at(gates, j, n, 0));
    vf z = tt_gate(TT_STEP_SUM(1) + tt_row_at(gates + n, j, n, 0));
    vf inner = TT_STEP_SUM(2);
    if (s->forward.inner_bias) inner += tt_row_at(s->forward.inner_bias, j, n, 0);
    vf new = vf_tanh(tt_row_at(gates + 2 * n, j, n, 0) + r_gate * inner);
    vf before = tt_step_before_at(tt_step_before(s, s->h_before, s->h_start, r), j, n);
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
    for (int64_t unit = s->first_unit; unit < s->first_unit + s->units; unit += 2 * VL) {
        tt_step_sums(s, 3, unit, sums);
        TT_STEP_EACH(s, unit, sums, tt_gru_step_at);
    }
}

TT_INLINE void tt_gru_step_backward_at(const tt_step_args *s, int64_t r, int64_t j,
                                       const float *sums)
{
    const int64_t n = s->hidden, at = r * n;
    const float *gates = s->gates + 3 * at;
    float *dgates = s->backward.dgates + 3 * at;
    vf r_gate = tt_row_at(gates, j, n, 0), z = tt_row_at(gates + n, j, n, 0);
    vf new = tt_row_at(gates + 2 * n, j, n, 0), inner = tt_row_at(s->inner + at, j, n, 0);
    vf before = tt_step_before_at(tt_step_before(s, s->h_before, s->h_start, r), j, n);
    vf dh = TT_STEP_SUM(0) + tt_row_at(s->backward.g + at, j, n, 0) +
            tt_row_at(s->backward.carry + at, j, n, 0);
    vf dnew = dh * (1.0f - z) * (1.0f - new * new);
    vf dr = dnew * inner * r_gate * (1.0f - r_gate);
    vf dz = dh * (before - new) * z * (1.0f - z);
    vf dinner = dnew * r_gate;
    tt_row_put(dgates, j, n, dr);
    tt_row_put(dgates + n, j, n, dz);
    tt_row_put(dgates + 2 * n, j, n, dnew);
    tt_row_put(s->backward.dinner + at, j, n, dinner);
    tt_operand_put(s, r, 0, j, dr);
    tt_operand_put(s, r, 1, j, dz);
    tt_operand_put(s, r, 2, j, dinner);
    tt_row_put(s->backward.carry + at, j, n, dh * z);
}

static void tt_gru_step_backward_f32(const tt_step_args *s)
{
    float sums[TT_STEP_ROWS * 2 * VL] TT_ALIGNED;
    for (int64_t unit = s->first_unit; unit < s->first_unit + s->units; unit += 2 * VL) {
        tt_step_backward_sums(s, 3, unit, sums);
        TT_STEP_EACH(s, unit, sums, tt_gru_step_backward_at);
    }
}
