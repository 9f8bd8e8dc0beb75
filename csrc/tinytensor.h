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

/* out[i] = condition[i] ? a[i * a_step] : b[i * b_step], the steps 0 or 1 */
typedef struct {
    const uint8_t *condition;
    const float *a, *b;
    float *out;
    int64_t n;
    int64_t a_step, b_step;
} tt_where_args;

#define TT_MAP_KERNELS(X) \
    X(add_f32, tt_binary_args) \
    X(subtract_f32, tt_binary_args) \
    X(multiply_f32, tt_binary_args) \
    X(divide_f32, tt_binary_args) \
    X(maximum_f32, tt_binary_args) \
    X(minimum_f32, tt_binary_args) \
    X(negative_f32, tt_unary_args) \
    X(abs_f32, tt_unary_args) \
    X(sign_f32, tt_unary_args) \
    X(square_f32, tt_unary_args) \
    X(cube_f32, tt_unary_args) \
    X(reciprocal_f32, tt_unary_args) \
    X(sqrt_f32, tt_unary_args) \
    X(rsqrt_f32, tt_unary_args) \
    X(floor_f32, tt_unary_args) \
    X(ceil_f32, tt_unary_args) \
    X(round_f32, tt_unary_args) \
    X(clip_f32, tt_unary_args) \
    X(exp_f32, tt_unary_args) \
    X(expm1_f32, tt_unary_args) \
    X(log_f32, tt_unary_args) \
    X(log1p_f32, tt_unary_args) \
    X(tanh_f32, tt_unary_args) \
    X(erf_f32, tt_unary_args) \
    X(sigmoid_f32, tt_unary_args) \
    X(tanh_backward_f32, tt_binary_args) \
    X(sigmoid_backward_f32, tt_binary_args) \
    X(relu_f32, tt_unary_args) \
    X(relu_backward_f32, tt_binary_args) \
    X(leaky_relu_f32, tt_unary_args) \
    X(leaky_relu_backward_f32, tt_binary_args) \
    X(elu_f32, tt_unary_args) \
    X(elu_backward_f32, tt_binary_args) \
    X(silu_f32, tt_unary_args) \
    X(silu_backward_f32, tt_binary_args) \
    X(gelu_f32, tt_unary_args) \
    X(gelu_backward_f32, tt_binary_args) \
    X(gelu_tanh_f32, tt_unary_args) \
    X(gelu_tanh_backward_f32, tt_binary_args) \
    X(softplus_f32, tt_unary_args) \
    X(softplus_backward_f32, tt_binary_args) \
    X(hardtanh_backward_f32, tt_binary_args) \
    X(where_f32, tt_where_args)

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
