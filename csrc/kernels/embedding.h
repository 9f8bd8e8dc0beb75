/* Rows of an embedding gathered and scattered. */
#include "../simd_math.h"
#include "row.h"

static void tt_embedding_f32(const tt_embedding_args *s)
{
    const size_t bytes = (size_t)s->n * sizeof(float);
    for (int64_t r = 0; r < s->rows; r++)
        memcpy(s->out + r * s->n, s->weight + s->indices[r] * s->n, bytes);
}

/* The next of the rows from r on that is meant for [first, last), or the number of rows. */
TT_INLINE int64_t tt_next_row(const tt_embedding_args *s, int64_t r)
{
    while (r < s->rows && (s->indices[r] < s->first || s->indices[r] >= s->last)) r++;
    return r;
}

/* While a row is added, the next one is fetched: it may lie anywhere. */
static void tt_embedding_backward_f32(const tt_embedding_args *s)
{
    const int64_t n = s->n;
    int64_t next;
    for (int64_t r = tt_next_row(s, 0); r < s->rows; r = next) {
        next = tt_next_row(s, r + 1);
        float *out = s->out + s->indices[r] * n;
        const float *g = s->g + r * n, *ahead = s->g + (next < s->rows ? next : r) * n;
        TT_ROW_EACH(n, {
            __builtin_prefetch(ahead + c);
            tt_row_put(out, c, n, tt_row_at(out, c, n, 0) + tt_row_at(g, c, n, 0));
        });
    }
}
