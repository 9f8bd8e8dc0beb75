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
 * gemm_real.h is the code, for floats and for doubles. For readers of BLIS (Van Zee & van de Geijn
 * 2015):
 *
 *     MR, NR        TT_GEMM_ROWS (registers.h) and TT_COLUMNS: a tile's rows and columns
 *     KC            TT_GEMM_DEPTH: the longest depth of a block
 *     MC, NC        rows_of_block and columns_of_piece (gemm.pyx): a piece of the work
 *     micro-kernel  a tile: gemm_tile_of, made for each number of rows by TT_TO_ROWS
 *     macro-kernel  gemm_block: the tiles of a piece, for one block of the depth
 *     micro-panel   a panel: what gemm_pack_a and gemm_pack_b write
 *     A, B packed   strips; operands that lie well are not packed, but read where they are
 */
#include <stdlib.h>

#include "../simd.h"
#include "../simd_double.h"
#include "registers.h"
#include "transpose.h"

#define TT_GEMM_AHEAD 32        /* rows of B, some hundred cycles, as long as memory may take */
#define TT_GEMM_CACHE (1 << 15) /* bytes of a first-level cache, or less */

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
