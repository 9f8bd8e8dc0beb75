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

/* Four columns of VL rows that begin at x + row[]: each is a vector. Quarters of the rows lie side
 * by side in a vector, so that no shuffle leaves its 16 bytes. */
TT_INLINE void tt_transpose_quads(vf x[4])
{
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
#define TT_QUADS(name, ...) (vf) _mm512_##name##_ps(__VA_ARGS__)
    typedef __m512 quads;
#elif TT_VECTOR_BYTES == 32 && defined(__AVX2__)
#define TT_QUADS(name, ...) (vf) _mm256_##name##_ps(__VA_ARGS__)
    typedef __m256 quads;
#elif defined(__SSE2__)
#define TT_QUADS(name, ...) (vf) _mm_##name##_ps(__VA_ARGS__)
    typedef __m128 quads;
#endif
#ifdef TT_QUADS
    const quads a = (quads)TT_QUADS(unpacklo, (quads)x[0], (quads)x[1]);
    const quads b = (quads)TT_QUADS(unpackhi, (quads)x[0], (quads)x[1]);
    const quads c = (quads)TT_QUADS(unpacklo, (quads)x[2], (quads)x[3]);
    const quads d = (quads)TT_QUADS(unpackhi, (quads)x[2], (quads)x[3]);
    x[0] = TT_QUADS(shuffle, a, c, 0x44), x[1] = TT_QUADS(shuffle, a, c, 0xee);
    x[2] = TT_QUADS(shuffle, b, d, 0x44), x[3] = TT_QUADS(shuffle, b, d, 0xee);
#undef TT_QUADS
#else
    vf_transpose(x);
#endif
}

TT_INLINE void vf_load_quads(const float *x, const int64_t row[VL], vf out[4])
{
    for (int i = 0; i < 4; i++) {
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
        __m512 quads = _mm512_castps128_ps512(_mm_loadu_ps(x + row[i]));
        quads = _mm512_insertf32x4(quads, _mm_loadu_ps(x + row[i + 4]), 1);
        quads = _mm512_insertf32x4(quads, _mm_loadu_ps(x + row[i + 8]), 2);
        out[i] = (vf)_mm512_insertf32x4(quads, _mm_loadu_ps(x + row[i + 12]), 3);
#elif TT_VECTOR_BYTES == 32 && defined(__AVX2__)
        const __m256 quads = _mm256_castps128_ps256(_mm_loadu_ps(x + row[i]));
        out[i] = (vf)_mm256_insertf128_ps(quads, _mm_loadu_ps(x + row[i + 4]), 1);
#else
        out[i] = vf_load(x + row[i]);
#endif
    }
    tt_transpose_quads(out);
}

/* The reverse. */
TT_INLINE void vf_store_quads(float *x, const int64_t row[VL], vf in[4])
{
    tt_transpose_quads(in);
    for (int i = 0; i < 4; i++) {
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
        _mm_storeu_ps(x + row[i], _mm512_castps512_ps128((__m512)in[i]));
        _mm_storeu_ps(x + row[i + 4], _mm512_extractf32x4_ps((__m512)in[i], 1));
        _mm_storeu_ps(x + row[i + 8], _mm512_extractf32x4_ps((__m512)in[i], 2));
        _mm_storeu_ps(x + row[i + 12], _mm512_extractf32x4_ps((__m512)in[i], 3));
#elif TT_VECTOR_BYTES == 32 && defined(__AVX2__)
        _mm_storeu_ps(x + row[i], _mm256_castps256_ps128((__m256)in[i]));
        _mm_storeu_ps(x + row[i + 4], _mm256_extractf128_ps((__m256)in[i], 1));
#else
        vf_store(x + row[i], in[i]);
#endif
    }
}

#endif
