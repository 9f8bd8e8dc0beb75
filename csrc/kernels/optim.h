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

static void tt_adaptive_f32(const tt_adaptive_args *s)
{
    const vf sign = vf_set1(s->maximize ? -1.0f : 1.0f), decay = vf_set1(s->weight_decay);
    const vf one_minus_beta1 = vf_set1(s->one_minus_beta1), keep = vf_set1(s->keep);
    const vf take = vf_set1(s->take), eps = vf_set1(s->eps), lr = vf_set1(s->lr);
    const vf of_g = vf_set1(s->of_g), of_m = vf_set1(s->of_m), momentum = vf_set1(s->momentum);
    const vf shrink = vf_set1(s->shrink), root_correction = vf_set1(s->root_correction);
    for (int64_t c = 0; c < s->n; c += VL) {
        vf p = tt_row_at(s->p, c, s->n, 0) * shrink;
        vf g = tt_row_at(s->g, c, s->n, 0) * sign;
        if (s->weight_decay != 0) g += decay * p;
        vf v = keep * tt_row_at(s->v, c, s->n, 0) + take * g * g;
        tt_row_put(s->v, c, s->n, v);
        vf u = of_g * g;
        if (s->m) {
            vf m = tt_row_at(s->m, c, s->n, 0);
            m += one_minus_beta1 * (g - m);
            tt_row_put(s->m, c, s->n, m);
            u += of_m * m;
        }
        if (s->a) {
            vf a = tt_row_at(s->a, c, s->n, 0);
            a += take * (g - a);
            tt_row_put(s->a, c, s->n, a);
            v = vf_max(v - a * a, vf_set1(0)); /* which rounding may bring below 0 */
        }
        if (!s->plain) u = u / (vf_sqrt(v) / root_correction + eps);
        if (s->b) {
            u += momentum * tt_row_at(s->b, c, s->n, 0);
            tt_row_put(s->b, c, s->n, u);
        }
        tt_row_put(s->p, c, s->n, p - lr * u);
    }
}

static void tt_lion_f32(const tt_lion_args *s)
{
    const vf sign = vf_set1(s->maximize ? -1.0f : 1.0f), lr = vf_set1(s->lr);
    const vf one_minus_beta1 = vf_set1(s->one_minus_beta1), shrink = vf_set1(s->shrink);
    const vf one_minus_beta2 = vf_set1(s->one_minus_beta2), zero = vf_set1(0), one = vf_set1(1);
    for (int64_t c = 0; c < s->n; c += VL) {
        vf p = tt_row_at(s->p, c, s->n, 0) * shrink;
        vf g = tt_row_at(s->g, c, s->n, 0) * sign;
        vf m = tt_row_at(s->m, c, s->n, 0);
        vf u = m + one_minus_beta1 * (g - m);
        /* The sign: of NaN it is NaN. */
        u = vf_select(u > zero, one, vf_select(u < zero, -one, u));
        tt_row_put(s->m, c, s->n, m + one_minus_beta2 * (g - m));
        tt_row_put(s->p, c, s->n, p - lr * u);
    }
}
