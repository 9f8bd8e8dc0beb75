/* Vectors of doubles: of simd.h and transpose.h what matrix products need. */
#ifndef TT_SIMD_DOUBLE_H
#define TT_SIMD_DOUBLE_H

#include "kernels/transpose.h"
#include "simd.h"

#define VDL (TT_VECTOR_BYTES / 8) /* lanes of a vector */

typedef double vd __attribute__((vector_size(TT_VECTOR_BYTES)));
typedef int64_t vl __attribute__((vector_size(TT_VECTOR_BYTES)));
typedef double vd_any __attribute__((vector_size(TT_VECTOR_BYTES), aligned(8), may_alias));

TT_INLINE vd vd_load(const double *p) { return *(const vd_any *)p; }
TT_INLINE void vd_store(double *p, vd x) { *(vd_any *)p = x; }
TT_INLINE vd vd_set1(double x) { return x - (vd){0}; }
TT_INLINE vd vd_zero(void) { return (vd){0}; }
TT_INLINE vd vd_fma(vd a, vd b, vd c) { return a * b + c; }

/* -1 in the first n lanes, 0 in the rest. */
TT_INLINE vl vl_first(int64_t n)
{
#if TT_VECTOR_BYTES == 64
    vl iota = {0, 1, 2, 3, 4, 5, 6, 7};
#elif TT_VECTOR_BYTES == 32
    vl iota = {0, 1, 2, 3};
#else
    vl iota = {0, 1};
#endif
    return iota < n - (vl){0};
}

/* The first n lanes (0 <= n < VDL) from memory, the rest 0; no byte past them is touched. */
TT_INLINE vd vd_load_n(const double *p, int64_t n)
{
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
    return (vd)_mm512_maskz_loadu_pd((__mmask8)((1u << n) - 1), p);
#elif TT_VECTOR_BYTES == 32 && defined(__AVX2__)
    return (vd)_mm256_maskload_pd(p, (__m256i)vl_first(n));
#else
    vd x = vd_zero();
    for (int64_t i = 0; i < n; i++) x[i] = p[i];
    return x;
#endif
}

/* Store the first n lanes (0 <= n < VDL). */
TT_INLINE void vd_store_n(double *p, vd x, int64_t n)
{
#if TT_VECTOR_BYTES == 64 && defined(__AVX512F__)
    _mm512_mask_storeu_pd(p, (__mmask8)((1u << n) - 1), (__m512d)x);
#elif TT_VECTOR_BYTES == 32 && defined(__AVX2__)
    _mm256_maskstore_pd(p, (__m256i)vl_first(n), (__m256d)x);
#else
    for (int64_t i = 0; i < n; i++) p[i] = x[i];
#endif
}

/* The larger; NaN if either is NaN. */
TT_INLINE vd vd_max(vd a, vd b)
{
    vl first = (a > b) | (a != a);
    return (vd)(((vl)a & first) | ((vl)b & ~first));
}

/* The sum of the lanes, halves onto halves. */
TT_INLINE double vd_hsum(vd x)
{
    double lanes[VDL];
    vd_store(lanes, x);
    for (int half = VDL / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++) lanes[i] += lanes[i + half];
    return lanes[0];
}

#if defined(__clang__) || __GNUC__ >= 12
#define TT_SHUFFLE_DOUBLES(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define TT_SHUFFLE_DOUBLES(a, b, ...) __builtin_shuffle(a, b, (vl){__VA_ARGS__})
#endif
#if TT_VECTOR_BYTES == 64
#define TT_LOWER_DOUBLES(a, b) TT_SHUFFLE_DOUBLES(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define TT_UPPER_DOUBLES(a, b) TT_SHUFFLE_DOUBLES(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#elif TT_VECTOR_BYTES == 32
#define TT_LOWER_DOUBLES(a, b) TT_SHUFFLE_DOUBLES(a, b, 0, 4, 1, 5)
#define TT_UPPER_DOUBLES(a, b) TT_SHUFFLE_DOUBLES(a, b, 2, 6, 3, 7)
#else
#define TT_LOWER_DOUBLES(a, b) TT_SHUFFLE_DOUBLES(a, b, 0, 2)
#define TT_UPPER_DOUBLES(a, b) TT_SHUFFLE_DOUBLES(a, b, 1, 3)
#endif

/* Transpose VDL vectors, as transpose.h does those of floats. */
TT_INLINE void vd_transpose(vd x[VDL])
{
    _Pragma("GCC unroll 4") for (int round = 1; round < VDL; round *= 2) {
        vd y[VDL];
        _Pragma("GCC unroll 8") for (int i = 0; i < VDL / 2; i++) {
            y[2 * i] = TT_LOWER_DOUBLES(x[i], x[i + VDL / 2]);
            y[2 * i + 1] = TT_UPPER_DOUBLES(x[i], x[i + VDL / 2]);
        }
        _Pragma("GCC unroll 8") for (int i = 0; i < VDL; i++) x[i] = y[i];
    }
}

#endif
