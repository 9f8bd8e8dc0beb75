/* The pointwise part of LSTM and GRU cells. Backwards make the gates again. */
#include "../../simd_math.h"
#include "../row.h"

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
