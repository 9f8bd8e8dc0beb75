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

/* A matrix into panels. Along the width a panel is cut, along the depth it runs. */
typedef struct {
    const float *x;
    float *out;
    int64_t width, depth;
    int64_t width_step, depth_step;
    int64_t panel; /* rows of a panel of A; a panel of B is always two vectors wide */
} tt_gemm_pack_args;

enum { TT_GEMM_DEPTH = 384 }; /* the longest depth of a block */

typedef enum { TT_IDENTITY, TT_RELU } tt_activation;

/* C (+)= A B, one block of the depth; then, if it is the last, C = activation(C + biases).
 * Packed operands are as gemm_pack_a and gemm_pack_b leave them; others are strided. */
typedef struct {
    const float *a, *b;
    float *c;
    int64_t rows, columns, depth;
    int64_t a_row, a_depth;
    int64_t b_depth, b_column;
    int64_t c_row;
    int64_t panel;
    int a_packed, b_packed;
    int accumulate;
    int finish;
    int activation;
    const float *row_bias, *column_bias; /* NULL for none */
} tt_gemm_block_args;

/* C = activation(C + biases) */
typedef struct {
    float *c;
    int64_t rows, columns;
    int64_t c_row;
    int activation;
    const float *row_bias, *column_bias;
} tt_gemm_finish_args;

/* y = A x. Either a_depth is 1 (rows of adjacent elements) or a_row is. */
typedef struct {
    const float *a, *x;
    float *y;
    int64_t rows, depth;
    int64_t a_row, a_depth;
} tt_gemv_args;

#define TT_GEMM_KERNELS(X)                  \
    X(gemm_pack_a_f32, tt_gemm_pack_args)   \
    X(gemm_pack_b_f32, tt_gemm_pack_args)   \
    X(gemm_block_f32, tt_gemm_block_args)   \
    X(gemm_finish_f32, tt_gemm_finish_args) \
    X(gemv_f32, tt_gemv_args)

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
    int gemm_rows; /* the tallest panel of A that gemm_block takes */
    TT_KERNELS(TT_FIELD)
} tt_kernels;

/* --- dispatch.c ----------------------------------------------------------------------------- */

/* The table of the instruction set `name`, NULL if this machine cannot run it (or no such name). */
const tt_kernels *tt_find_isa(const char *name);

/* The i-th table that this machine can run, from the plainest to the best; NULL past the last. */
const tt_kernels *tt_isa_at(int i);

#endif
