/* The machine's limits, which no other kernel can pass: fused multiply-adds with nothing to load,
 * and streams of memory with nothing to compute. For the benchmarks. */
#include "../simd.h"

/* TT_PEAK_CHAINS hides an FMA's latency (4 cycles, 2 a cycle), and fits in 16 registers. */
static void tt_fma_peak_f32(const tt_fma_peak_args *s)
{
    const vf a = vf_set1(s->a), b = vf_set1(s->b);
    vf x[TT_PEAK_CHAINS], sum = vf_zero();
    for (int c = 0; c < TT_PEAK_CHAINS; c++) x[c] = vf_set1((float)c);
    for (int64_t i = 0; i < s->rounds; i++)
        for (int c = 0; c < TT_PEAK_CHAINS; c++) x[c] = vf_fma(x[c], a, b);
    for (int c = 0; c < TT_PEAK_CHAINS; c++) sum += x[c];
    *s->out = vf_hsum(sum);
}

static void tt_stream_read_f32(const tt_stream_args *s)
{
    vf x[4] = {vf_zero(), vf_zero(), vf_zero(), vf_zero()};
    int64_t i = 0;
    for (; i + 4 * VL <= s->n; i += 4 * VL)
        for (int j = 0; j < 4; j++) x[j] += vf_load(s->x + i + j * VL);
    float sum = vf_hsum(x[0] + x[1] + x[2] + x[3]);
    for (; i < s->n; i++) sum += s->x[i];
    *s->out = sum;
}

/* The triad of STREAM (McCalpin 1995). */
static void tt_stream_triad_f32(const tt_stream_args *s)
{
    const vf scale = vf_set1(s->scale);
    int64_t i = 0, rest = s->n % VL;
    for (; i < s->n - rest; i += VL)
        vf_store(s->out + i, vf_fma(scale, vf_load(s->y + i), vf_load(s->x + i)));
    for (; i < s->n; i++) s->out[i] = s->x[i] + s->scale * s->y[i];
}
