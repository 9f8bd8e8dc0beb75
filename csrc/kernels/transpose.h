/* Interleaving vectors, dealing them out, and transposing blocks of floats in registers: 4 x 4, and
 * as many vectors as a vector has lanes. */
#ifndef TT_TRANSPOSE_H
#define TT_TRANSPOSE_H

#include "../simd.h"

typedef float tt_v4 __attribute__((vector_size(16)));
typedef float tt_v4_any __attribute__((vector_size(16), aligned(4), may_alias));

#if defined(__clang__) || __GNUC__ >= 12
#define TT_SHUFFLE4(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#define TT_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define TT_SHUFFLE4(a, b, i, j, k, l) \
    __builtin_shuffle(a, b, (int32_t __attribute__((vector_size(16)))){i, j, k, l})
#define TT_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (vi){__VA_ARGS__})
#endif

/* LOWER and UPPER: the halves of a[0] b[0] a[1] b[1] … EVEN, ODD: every other lane of a and b. */
#if TT_VECTOR_BYTES == 64
#define TT_EVEN(a, b) \
    TT_SHUFFLE(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
#define TT_ODD(a, b) \
    TT_SHUFFLE(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)
#define TT_LOWER(a, b) \
    TT_SHUFFLE(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define TT_UPPER(a, b) \
    TT_SHUFFLE(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#elif TT_VECTOR_BYTES == 32
#define TT_EVEN(a, b) TT_SHUFFLE(a, b, 0, 2, 4, 6, 8, 10, 12, 14)
#define TT_ODD(a, b) TT_SHUFFLE(a, b, 1, 3, 5, 7, 9, 11, 13, 15)
#define TT_LOWER(a, b) TT_SHUFFLE(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define TT_UPPER(a, b) TT_SHUFFLE(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#else
#define TT_EVEN(a, b) TT_SHUFFLE(a, b, 0, 2, 4, 6)
#define TT_ODD(a, b) TT_SHUFFLE(a, b, 1, 3, 5, 7)
#define TT_LOWER(a, b) TT_SHUFFLE(a, b, 0, 4, 1, 5)
#define TT_UPPER(a, b) TT_SHUFFLE(a, b, 2, 6, 3, 7)
#endif

/* Transpose VL vectors. Interleaving the rows i and i + VL / 2 moves the top bit of the row to the
 * lowest bit of the lane: it rotates the bits of (row, lane). As often as the lane has bits, and
 * row and lane have changed places. */
TT_INLINE void vf_transpose(vf x[VL])
{
    _Pragma("GCC unroll 4") for (int round = 1; round < VL; round *= 2) {
        vf y[VL];
        _Pragma("GCC unroll 8") for (int i = 0; i < VL / 2; i++) {
            y[2 * i] = TT_LOWER(x[i], x[i + VL / 2]);
            y[2 * i + 1] = TT_UPPER(x[i], x[i + VL / 2]);
        }
        _Pragma("GCC unroll 16") for (int i = 0; i < VL; i++) x[i] = y[i];
    }
}

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
