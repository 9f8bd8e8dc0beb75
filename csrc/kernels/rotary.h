/* Rotary positions: pairs of a row turned by an angle of its position, for all heads at once. */
#ifndef TT_ROTARY_H
#define TT_ROTARY_H

#include "../simd_math.h"
#include "row.h"

/* Vectors c of two runs of n elements, of which those of one are partners of the other's. */
TT_INLINE void tt_rotary_halves(const float *x, const float *y, float *out_x, float *out_y,
                                const float *cosine, const float *sine, int64_t c, int64_t n)
{
    const vf a = tt_row_at(x, c, n, 0), b = tt_row_at(y, c, n, 0);
    const vf cs = vf_load(cosine + c), sn = vf_load(sine + c);
    tt_row_put(out_x, c, n, a * cs - b * sn);
    tt_row_put(out_y, c, n, b * cs + a * sn);
}

/* Vector c of a run of n elements, of which neighbours are partners: the sines alternate. */
TT_INLINE void tt_rotary_neighbours(const float *x, float *out, const float *cosine,
                                    const float *sine, int64_t c, int64_t n)
{
    const vf a = tt_row_at(x, c, n, 0);
    tt_row_put(out, c, n, a * vf_load(cosine + c) + vf_swap(a, 1) * vf_load(sine + c));
}

/* Vector c of the cosines and sines of n angles. */
TT_INLINE void tt_rotary_angles(const tt_rotary_args *s, const float *frequencies, float position,
                                float *cosine, float *sine, int64_t c, int64_t n)
{
    const vf angle = tt_row_at(frequencies, c, n, 0) * position;
    vf_store(cosine + c, vf_cos(angle) * s->scale);
    vf_store(sine + c, vf_sin(angle) * s->sine_scale);
}

static void tt_rotary_f32(const tt_rotary_args *s)
{
    enum { PAIRS = 64 };                                 /* whose angles are held at once */
    float cosine[2 * PAIRS + VL], sine[2 * PAIRS + VL];  /* whole vectors are read past the last */
    float cs[PAIRS + VL], sn[PAIRS + VL];
    const int64_t rotated = 2 * s->pairs;
    for (int64_t t = 0; t < s->steps; t++) {
        const float position = (float)s->positions[t];
        for (int64_t p = 0; p < s->pairs; p += PAIRS) {
            const int64_t n = s->pairs - p < PAIRS ? s->pairs - p : PAIRS;
            float *to_c = s->interleaved ? cs : cosine, *to_s = s->interleaved ? sn : sine;
            TT_ROW_EACH(n, tt_rotary_angles(s, s->frequencies + p, position, to_c, to_s, c, n));
            if (s->interleaved)
                for (int64_t i = 0; i < n; i++) {
                    cosine[2 * i] = cosine[2 * i + 1] = cs[i];
                    sine[2 * i] = -sn[i], sine[2 * i + 1] = sn[i];
                }
            for (int64_t h = 0; h < s->heads; h++) {
                const float *x = s->x + h * s->x_head + t * s->x_step;
                float *out = s->out + h * s->out_head + t * s->depth;
                if (s->interleaved)
                    TT_ROW_EACH(2 * n, tt_rotary_neighbours(x + 2 * p, out + 2 * p, cosine, sine, c,
                                                            2 * n));
                else
                    TT_ROW_EACH(n, tt_rotary_halves(x + p, x + s->pairs + p, out + p,
                                                    out + s->pairs + p, cosine, sine, c, n));
            }
        }
        if (rotated < s->depth)
            for (int64_t h = 0; h < s->heads; h++)
                memcpy(s->out + h * s->out_head + t * s->depth + rotated,
                       s->x + h * s->x_head + t * s->x_step + rotated,
                       (size_t)(s->depth - rotated) * sizeof(float));
    }
}

#endif
