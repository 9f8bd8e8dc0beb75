/* Tiles in registers: how tall they may be, and what makes code for each height. For all kernels
 * whose sums stay in registers while the depth goes by: gemm.h, direct.h, winograd.h, recurrent. */
#ifndef TT_REGISTERS_H
#define TT_REGISTERS_H

#include "../simd.h"

/* Sums, one row of B and one element of A must fit the registers: 32 of them, or 16. */
#if TT_VECTOR_BYTES == 64
#define TT_GEMM_ROWS 14
#elif defined(__aarch64__)
#define TT_GEMM_ROWS 12
#else
#define TT_GEMM_ROWS 6
#endif
#define TT_GEMM_COLUMNS (2 * VL) /* of floats */

/* Tiles for each number of rows: X(1) X(2) … */
#define TT_TO_6(X) X(1) X(2) X(3) X(4) X(5) X(6)
#if TT_GEMM_ROWS > 6
#define TT_TO_12(X) TT_TO_6(X) X(7) X(8) X(9) X(10) X(11) X(12)
#else
#define TT_TO_12(X) TT_TO_6(X)
#endif
#if TT_GEMM_ROWS > 12
#define TT_TO_ROWS(X) TT_TO_12(X) X(13) X(14)
#else
#define TT_TO_ROWS(X) TT_TO_12(X)
#endif

#define TT_UNROLL _Pragma("GCC unroll 16")

/* For an array on the stack of whole vectors. */
#define TT_ALIGNED __attribute__((aligned(TT_VECTOR_BYTES)))

#endif
