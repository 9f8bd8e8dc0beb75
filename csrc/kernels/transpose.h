/* Transposing blocks of 4 x 4 floats in registers. */
#ifndef TT_TRANSPOSE_H
#define TT_TRANSPOSE_H

#include "../simd.h"

typedef float tt_v4 __attribute__((vector_size(16)));
typedef float tt_v4_any __attribute__((vector_size(16), aligned(4), may_alias));

#if defined(__clang__) || __GNUC__ >= 12
#define TT_SHUFFLE4(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
#define TT_SHUFFLE4(a, b, i, j, k, l) \
    __builtin_shuffle(a, b, (int32_t __attribute__((vector_size(16)))){i, j, k, l})
#endif

/* out[j * out_step + i] = x[i * step + j] for i, j < 4 */
TT_INLINE void tt_transpose4(const float *x, int64_t step, float *out, int64_t out_step)
{
    tt_v4 a = *(const tt_v4_any *)x, b = *(const tt_v4_any *)(x + step);
    tt_v4 c = *(const tt_v4_any *)(x + 2 * step), d = *(const tt_v4_any *)(x + 3 * step);
    tt_v4 ab_low = TT_SHUFFLE4(a, b, 0, 4, 1, 5), ab_high = TT_SHUFFLE4(a, b, 2, 6, 3, 7);
    tt_v4 cd_low = TT_SHUFFLE4(c, d, 0, 4, 1, 5), cd_high = TT_SHUFFLE4(c, d, 2, 6, 3, 7);
    *(tt_v4_any *)out = TT_SHUFFLE4(ab_low, cd_low, 0, 1, 4, 5);
    *(tt_v4_any *)(out + out_step) = TT_SHUFFLE4(ab_low, cd_low, 2, 3, 6, 7);
    *(tt_v4_any *)(out + 2 * out_step) = TT_SHUFFLE4(ab_high, cd_high, 0, 1, 4, 5);
    *(tt_v4_any *)(out + 3 * out_step) = TT_SHUFFLE4(ab_high, cd_high, 2, 3, 6, 7);
}

#endif
