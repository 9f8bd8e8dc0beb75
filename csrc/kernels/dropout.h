/* Dropout by a counter-based generator: an element's number and the key decide, on any thread. */
#include "../simd_math.h"
#include "philox.h"
#include "row.h"

static void tt_dropout_f32(const tt_dropout_args *s)
{
    const vu threshold = (vu){0} + s->threshold;
    const vf scale = vf_set1(s->scale);
    const int stream = s->stream && tt_can_stream(s->out, s->n);
    for (int64_t i = 0; i < s->n; i += 2 * VL) {
        vu words[2];
        tt_philox(&words[0], &words[1], (uint64_t)(s->first + i) / 4, s->key);
        for (int half = 0; half < 2; half++) {
            const int64_t c = i + half * VL;
            if (c >= s->n) break;
            vf kept = vf_select(words[half] >= threshold, tt_row_at(s->x, c, s->n, 0) * scale,
                                vf_zero());
            tt_row_put_last(s->out, c, s->n, kept, stream);
        }
    }
    if (stream) tt_fence();
}
