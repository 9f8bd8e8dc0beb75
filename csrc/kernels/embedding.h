/* Embedding rows gathered and scattered, and dropout by a counter-based generator. */
#include "../simd_math.h"
#include "philox.h"

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
    enum { WORDS = 4 * TT_COUNTERS };
    for (int64_t i = 0; i < s->n; i += WORDS) {
        uint32_t words[WORDS];
        tt_philox(words, (uint64_t)(s->first + i) / 4, s->key);
        const int64_t count = s->n - i < WORDS ? s->n - i : WORDS;
        for (int64_t w = 0; w < count; w++)
            s->out[i + w] = words[w] >= s->threshold ? s->x[i + w] * s->scale : 0;
    }
}
