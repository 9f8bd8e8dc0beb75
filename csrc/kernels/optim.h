/* Optimizer updates of a run of parameters, in place. */
#include "../simd_math.h"
#include "row.h"

static void tt_sgd_f32(const tt_sgd_args *s)
{
    const vf sign = vf_set1(s->maximize ? -1.0f : 1.0f), decay = vf_set1(s->weight_decay);
    const vf lr = vf_set1(s->lr), momentum = vf_set1(s->momentum), undamped = vf_set1(s->undamped);
    for (int64_t c = 0; c < s->n; c += VL) {
        vf p = tt_row_at(s->p, c, s->n, 0), g = tt_row_at(s->g, c, s->n, 0) * sign;
        if (s->weight_decay != 0) g += decay * p;
        if (s->b) {
            vf b = g;
            if (!s->first) b = momentum * tt_row_at(s->b, c, s->n, 0) + undamped * g;
            tt_row_put(s->b, c, s->n, b);
            g = s->nesterov ? g + momentum * b : b;
        }
        tt_row_put(s->p, c, s->n, p - lr * g);
    }
}

static void tt_adam_f32(const tt_adam_args *s)
{
    const vf sign = vf_set1(s->maximize ? -1.0f : 1.0f), decay = vf_set1(s->weight_decay);
    const vf one_minus_beta1 = vf_set1(s->one_minus_beta1), beta2 = vf_set1(s->beta2);
    const vf one_minus_beta2 = vf_set1(s->one_minus_beta2), eps = vf_set1(s->eps);
    const vf step_size = vf_set1(s->step_size), shrink = vf_set1(s->shrink);
    const vf root_correction = vf_set1(s->root_correction);
    for (int64_t c = 0; c < s->n; c += VL) {
        vf p = tt_row_at(s->p, c, s->n, 0) * shrink;
        vf g = tt_row_at(s->g, c, s->n, 0) * sign;
        if (s->weight_decay != 0) g += decay * p;
        vf m = tt_row_at(s->m, c, s->n, 0), v = tt_row_at(s->v, c, s->n, 0);
        m += one_minus_beta1 * (g - m);
        v = beta2 * v + one_minus_beta2 * g * g;
        tt_row_put(s->m, c, s->n, m);
        tt_row_put(s->v, c, s->n, v);
        if (s->v_max) {
            v = vf_max(tt_row_at(s->v_max, c, s->n, 0), v);
            tt_row_put(s->v_max, c, s->n, v);
        }
        vf denominator = vf_sqrt(v) / root_correction + eps;
        tt_row_put(s->p, c, s->n, p - step_size * m / denominator);
    }
}
