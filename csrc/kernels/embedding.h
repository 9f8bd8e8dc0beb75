/* Embedding rows gathered and scattered, and dropout by a counter-based generator. */
#include "../simd_math.h"
#include "philox.h"
#include "row.h"

static void tt_embedding_f32(const tt_embedding_args *s)
{
    const size_t bytes = (size_t)s->n * sizeof(float);
    for (int64_t r = 0; r < s->rows; r++)
        memcpy(s->out + r * s->n, s->weight + s->indices[r] * s->n, bytes);
}

static void tt_embedding_backward_f32(const tt_embedding_args *s)
{
    const int64_t n = s->n;
    for (int64_t r = 0; r < s->rows; r++) {
        const int64_t index = s->indices[r];
        if (index < s->first || index >= s->last) continue;
        float *out = s->out + index * n;
        const float *g = s->g + r * n;
        int64_t c = 0;
        for (; c + VL <= n; c += VL) vf_store(out + c, vf_load(out + c) + vf_load(g + c));
        for (; c < n; c++) out[c] += g[c];
    }
}

/* --- Dropout -------------------------------------------------------------------------------- */

static void tt_dropout_f32(const tt_dropout_args *s)
{
    const vu threshold = (vu){0} + s->threshold;
    const vf scale = vf_set1(s->scale);
    for (int64_t i = 0; i < s->n; i += 2 * VL) {
        vu words[2];
        tt_philox(&words[0], &words[1], (uint64_t)(s->first + i) / 4, s->key);
        for (int half = 0; half < 2; half++) {
            const int64_t c = i + half * VL;
            if (c >= s->n) break;
            vf kept = vf_select(words[half] >= threshold, tt_row_at(s->x, c, s->n, 0) * scale,
                                vf_zero());
            tt_row_put(s->out, c, s->n, kept);
        }
    }
}
