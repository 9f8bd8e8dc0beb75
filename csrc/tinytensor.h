/* The C ABI of the kernels: an args struct for each kind of call, and the table of kernels.
 *
 * A kernel is `void tt_<kernel>_f32(const tt_<...>_args *)`: the args hold pointers, sizes,
 * strides (in elements) and scalars, and nothing else. Kernels allocate nothing and keep no state.
 * Each family has its section: its args structs, then its list, one line a kernel. */
#ifndef TINYTENSOR_H
#define TINYTENSOR_H

#include <stdint.h>

/* --- Element-wise maps (kernels/map.h) ------------------------------------------------------ */

/* out[i] = f(x[i]; p, q) */
typedef struct {
    const float *x;
    float *out;
    int64_t n;
    float p, q;
} tt_unary_args;

/* out[r, c] = f(a[r * a_row + c * a_col], b[r * b_row + c * b_col]; p, q), out contiguous.
 * A column step is 1, or 0 for an operand that is repeated along the row. */
typedef struct {
    const float *a, *b;
    float *out;
    int64_t rows, cols;
    int64_t a_row, b_row;
    int64_t a_col, b_col;
    float p, q;
} tt_binary_args;

#define TT_MAP_KERNELS(X) \
    X(add_f32, tt_binary_args)

/* --- Reductions (kernels/reduce.h) ---------------------------------------------------------- */

#define TT_REDUCE_KERNELS(X)

/* --- Matrix products (kernels/gemm.h) ------------------------------------------------------- */

#define TT_GEMM_KERNELS(X)

/* --- Convolution and pooling (kernels/conv.h, kernels/pool.h) ------------------------------- */

#define TT_CONV_KERNELS(X)

/* --- Rows: softmax, losses (kernels/rows.h) ------------------------------------------------- */

#define TT_ROWS_KERNELS(X)

/* --- Normalisation (kernels/norm.h) --------------------------------------------------------- */

#define TT_NORM_KERNELS(X)

/* --- Attention, embedding, dropout (kernels/attention.h, ...) ------------------------------- */

#define TT_ATTENTION_KERNELS(X)

/* --- Optimizer updates (kernels/optim.h) ---------------------------------------------------- */

#define TT_OPTIM_KERNELS(X)

/* --- The table ------------------------------------------------------------------------------ */

#define TT_KERNELS(X)       \
    TT_MAP_KERNELS(X)       \
    TT_REDUCE_KERNELS(X)    \
    TT_GEMM_KERNELS(X)      \
    TT_CONV_KERNELS(X)      \
    TT_ROWS_KERNELS(X)      \
    TT_NORM_KERNELS(X)      \
    TT_ATTENTION_KERNELS(X) \
    TT_OPTIM_KERNELS(X)

#define TT_FIELD(kernel, args) void (*kernel)(const args *);

/* All kernels, compiled for one instruction set. */
typedef struct {
    const char *isa;
    int vector_bytes;
    TT_KERNELS(TT_FIELD)
} tt_kernels;

/* --- dispatch.c ----------------------------------------------------------------------------- */

/* The table of the instruction set `name`, NULL if this machine cannot run it (or no such name). */
const tt_kernels *tt_find_isa(const char *name);

/* The i-th table that this machine can run, from the plainest to the best; NULL past the last. */
const tt_kernels *tt_isa_at(int i);

#endif
