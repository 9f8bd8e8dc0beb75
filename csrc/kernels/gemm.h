/* Matrix products: register-blocked tiles, the packing that feeds them, and products by a vector.
 *
 * C (rows × columns, columns adjacent) = A (rows × depth) · B (depth × columns), one block of the
 * depth at a time. A tile of C stays in registers while the depth goes by:
 *
 *              B: a panel, 2 vectors wide            A packed: panels of `panel` rows,
 *              [k][2 VL], k = 0 … depth - 1            [k][panel], k = 0 … depth - 1
 *            ┌────────┬────────┐
 *    A panel │ sum[r] │ sum[r] │  r = 0 … TT_GEMM_ROWS - 1
 *            └────────┴────────┘
 *
 * Each element of C is a chain of multiply-adds in the order of k, then added to what the blocks
 * of the depth before it left: the same bits however the rows and columns are cut.
 *
 * gemm_real.h is the code, for floats and for doubles. */
#include <stdlib.h>

#include "../simd.h"
#include "../simd_double.h"
#include "transpose.h"

/* Sums, one row of B and one element of A must fit the registers: 32 of them, or 16. */
#if TT_VECTOR_BYTES == 64
#define TT_GEMM_ROWS 14
#elif defined(__aarch64__)
#define TT_GEMM_ROWS 12
#else
#define TT_GEMM_ROWS 6
#endif
#define TT_GEMM_COLUMNS (2 * VL) /* of floats */

#define TT_GEMM_AHEAD 32        /* rows of B, some hundred cycles, as long as memory may take */
#define TT_GEMM_CACHE (1 << 15) /* bytes of a first-level cache, or less */

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
#define TT_COLUMNS (2 * TT_LANES)

#define tt_real float
#define tt_vector vf
#define TT_LANES VL
#define TT_OF(name) name##_f32
#define TT_V(op) vf_##op
#include "gemm_real.h"

#define tt_real double
#define tt_vector vd
#define TT_LANES VDL
#define TT_OF(name) name##_f64
#define TT_V(op) vd_##op
#include "gemm_real.h"
