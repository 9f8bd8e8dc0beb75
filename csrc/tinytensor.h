/* The C ABI of the kernels: an args struct for each kind of call, and the table of kernels.
 *
 * A kernel is `void tt_<kernel>_f32(const tt_<...>_args *)`: the args hold pointers, sizes,
 * strides (in elements) and scalars, and nothing else. Kernels allocate nothing and keep no state.
 * Each family has its section: its args structs, then its list, one line a kernel.
 *
 * `stream`: the output is larger than what the caches would keep until it is read, so it is stored
 * past them where its alignment allows that. */
#ifndef TINYTENSOR_H
#define TINYTENSOR_H

#include <stdint.h>

/* ⌈n / by⌉, and n up to a multiple of `to`. */
static inline int64_t tt_ceil_div(int64_t n, int64_t by) { return (n + by - 1) / by; }
static inline int64_t tt_round_up(int64_t n, int64_t to) { return tt_ceil_div(n, to) * to; }

/* --- Element-wise maps (kernels/maps.h) ----------------------------------------------------- */

/* out[i] = f(x[i]; p, q) */
typedef struct {
    const float *x;
    float *out;
    int64_t n;
    float p, q;
    int stream;
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
    int stream;
} tt_binary_args;

/* out[i] = condition[i] ? a[i * a_step] : b[i * b_step], the steps 0 or 1 */
typedef struct {
    const uint8_t *condition;
    const float *a, *b;
    float *out;
    int64_t n;
    int64_t a_step, b_step;
    int stream;
} tt_where_args;

/* out[i] = a[i * a_step] < b[i * b_step], or another comparison; the steps 0 or 1 */
typedef struct {
    const float *a, *b;
    uint8_t *out;
    int64_t n;
    int64_t a_step, b_step;
} tt_compare_args;

#define TT_MAPS_KERNELS(X) \
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
    X(log2_f32, tt_unary_args) \
    X(log10_f32, tt_unary_args) \
    X(sinh_f32, tt_unary_args) \
    X(cosh_f32, tt_unary_args) \
    X(sin_f32, tt_unary_args) \
    X(cos_f32, tt_unary_args) \
    X(tan_f32, tt_unary_args) \
    X(tanh_f32, tt_unary_args) \
    X(erf_f32, tt_unary_args) \
    X(sigmoid_f32, tt_unary_args) \
    X(log_backward_f32, tt_binary_args) \
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
    X(matches_f32, tt_binary_args) \
    X(equal_f32, tt_compare_args) \
    X(not_equal_f32, tt_compare_args) \
    X(less_f32, tt_compare_args) \
    X(less_equal_f32, tt_compare_args) \
    X(where_f32, tt_where_args)

/* --- Reductions (kernels/reduction.h) ------------------------------------------------------- */

/* out[o, c] = the reduction over i of x[o * x_outer + i * stride + c], c < cols. With stride 1 (and
 * cols 1) the reduced axis is contiguous. Squared deviations are from shift[o * out_outer + c]. */
typedef struct {
    const float *x;
    const float *shift; /* or NULL: 0 */
    float *out;
    int64_t outer, n, cols;
    int64_t x_outer, stride, out_outer;
} tt_reduce_args;

/* The same for the places of extremes: out[o, c] is the smallest such i, n below 2^31. */
typedef struct {
    const float *x;
    int64_t *out;
    int64_t outer, n, cols;
    int64_t x_outer, stride, out_outer;
} tt_arg_args;

/* Running sums of (outer, n, stride) along n, of `cols` of its columns; with `reverse` from the
 * end. x and out are alike. With stride 1 the axis is contiguous, and cols 1. */
typedef struct {
    const float *x;
    float *out;
    int64_t outer, n, cols;
    int64_t stride;
    int reverse;
} tt_cumsum_args;

#define TT_REDUCTION_KERNELS(X) \
    X(sum_f32, tt_reduce_args) \
    X(prod_f32, tt_reduce_args) \
    X(max_f32, tt_reduce_args) \
    X(min_f32, tt_reduce_args) \
    X(squared_deviations_f32, tt_reduce_args) \
    X(argmax_f32, tt_arg_args) \
    X(argmin_f32, tt_arg_args) \
    X(cumsum_f32, tt_cumsum_args)

/* --- Copies (kernels/copies.h) -------------------------------------------------------------- */

/* out[r * out_step + c] = x[r * x_step + c]; transposed: x[c * x_step + r] */
typedef struct {
    const float *x;
    float *out;
    int64_t rows, cols;
    int64_t x_step, out_step;
    int stream;
} tt_copy_args;

#define TT_COPIES_KERNELS(X) \
    X(copy_rows_f32, tt_copy_args) \
    X(transpose_f32, tt_copy_args)

/* --- Matrix products (kernels/gemm.h) ------------------------------------------------------- */

/* Of floats or of doubles, as the kernel's name says; steps are in elements. */

/* A matrix into panels. Along the width a panel is cut, along the depth it runs. */
typedef struct {
    const void *x;
    void *out;
    int64_t width, depth;
    int64_t width_step, depth_step;
    int64_t panel; /* rows of a panel of A; a panel of B is always two vectors wide */
} tt_gemm_pack_args;

enum {
    TT_GEMM_DEPTH = 512,     /* the longest depth of a block */
    TT_GEMV_STRETCH = 16384, /* rows of y = A x, of adjacent columns, that are summed at once */
};

typedef enum { TT_IDENTITY, TT_RELU } tt_activation;

/* C (+)= A B, one block of the depth; then, if it is the last, C = activation(C + biases).
 * Packed operands are as gemm_pack_a and gemm_pack_b leave them; others are strided. */
typedef struct {
    const void *a, *b;
    void *c;
    int64_t rows, columns, depth;
    int64_t a_row, a_depth;
    int64_t b_depth, b_column;
    int64_t c_row;
    int64_t panel;
    int a_packed, b_packed;
    int c_by_columns; /* the columns of C are adjacent, not its rows; c_row is between columns */
    int accumulate;
    int finish;
    int activation;
    const void *row_bias, *column_bias; /* NULL for none */
} tt_gemm_block_args;

/* C = activation(C + biases) */
typedef struct {
    void *c;
    int64_t rows, columns;
    int64_t c_row;
    int activation;
    const void *row_bias, *column_bias;
} tt_gemm_finish_args;

/* y = A x for each of some vectors x. The rows of A have adjacent elements (a_depth is 1), or the
 * columns have (a_row is 1). */
typedef struct {
    const void *a, *x;
    void *y;
    int64_t rows, depth, vectors;
    int64_t a_row, a_depth;
    int64_t x_vector, y_vector;
} tt_gemv_args;

#define TT_GEMM_KERNELS(X)                  \
    X(gemm_pack_a_f32, tt_gemm_pack_args)   \
    X(gemm_pack_b_f32, tt_gemm_pack_args)   \
    X(gemm_block_f32, tt_gemm_block_args)   \
    X(gemm_finish_f32, tt_gemm_finish_args) \
    X(gemv_f32, tt_gemv_args)               \
    X(gemm_pack_a_f64, tt_gemm_pack_args)   \
    X(gemm_pack_b_f64, tt_gemm_pack_args)   \
    X(gemm_block_f64, tt_gemm_block_args)   \
    X(gemm_finish_f64, tt_gemm_finish_args) \
    X(gemv_f64, tt_gemv_args)

/* --- Convolution and pooling (conv.h, direct.h, winograd.h, pooling.h in kernels) ----------- */

/* Rows [tap, tap + taps) and columns [pixel, pixel + pixels) of the matrix of patches of one image
 * and group: see conv.h. */
typedef struct {
    float *image;   /* channels × depth × height × width; written only by conv_add_patches */
    float *patches; /* read only by conv_add_patches */
    int64_t patch_row;
    int64_t tap, taps, pixel, pixels;
    int64_t depth, height, width;
    int64_t out_height, out_width;
    int64_t kernel_z, kernel_y, kernel_x;
    int64_t stride_z, stride_y, stride_x;
    int64_t dilation_z, dilation_y, dilation_x;
    int64_t front, top, left; /* padding */
} tt_conv_args;

/* Rows [row, row + rows) of an image, some of which may be outside, into a band (of direct.h): of
 * the planes of each channel, `planes` from `plane` on, `plane_step` apart. */
typedef struct {
    float *image; /* channels × depth × height × width; written by direct_unband alone */
    float *band; /* channels × planes × rows × stride_x × pitch (whole vectors), 2 vectors more */
    int64_t channels, depth, height, width;
    int64_t plane, planes, plane_step;
    int64_t row, rows;
    int64_t left, stride_x, pitch;
} tt_band_args;

/* Rows of outputs of all filters from a band. The weight is packed as by gemm_pack_a. */
typedef struct {
    const float *band, *weight, *bias; /* bias: NULL for none */
    const int64_t *offsets;            /* of each tap, in the band */
    float *out;
    int64_t taps, filters, panel;
    int64_t rows, width;
    int64_t row_step, out_plane; /* row_step: from one output's row to the next, in the band */
    int accumulate;
    int stride_3x3; /* of 3 × 3 taps of one channel for one filter: 1 or 2; otherwise 0 */
} tt_direct_args;

/* Adds to a band the gradient of what was read from it; the weight is filters × taps. */
typedef struct {
    float *band;
    const float *weight, *g;
    const int64_t *offsets;
    int64_t taps, filters;
    int64_t rows, width;
    int64_t row_step, g_plane;
} tt_direct_back_args;

/* The gradient of one image from the band of its g, for 3 × 3 taps at stride 2. The band begins a
 * row above g and a column before it, and goes on to where no pixel of the image would look. */
typedef struct {
    float *image;
    const float *band, *weight;
    int64_t height, width;
    int64_t top, left, pitch;
} tt_direct_gather_args;

/* Adds to sums: filters × taps × a vector. */
typedef struct {
    const float *band, *g;
    const int64_t *offsets;
    float *sums;
    int64_t taps, filters;
    int64_t rows, width;
    int64_t row_step, g_plane;
    int stride_3x3; /* as in tt_direct_args */
} tt_direct_grad_args;

typedef struct {
    const float *sums;
    float *out;
    int64_t n, slices, slice_step;
} tt_direct_sums_args;

/* A stretch of one row of tiles (of winograd.h) of an image's planes. Of tile t and point p,
 * channel c is at transformed[p * point_step + t * tile_step + c]; there, channels are filled up to
 * whole vectors. */
enum { TT_WINOGRAD_TILES = 16 }; /* the most in a call */
typedef struct {
    float *planes; /* of the image or the output: height × width for each channel */
    float *transformed;
    const float *bias; /* of the output; NULL for none */
    int64_t channels, height, width, plane_step;
    int64_t row, column; /* of the first tile's corner, which may be outside */
    int64_t tiles;
    int64_t point_step, tile_step;
    /* Of image and gradient: is something NaN or above the limit, or would errors be large beside
     * what some output sees of the planes? */
    float limit;
    uint8_t *odd;
} tt_winograd_args;

/* The taps of at most one vector of filters, for each of `depth` channels; of each filter the
 * largest |tap| (a NaN is above all) and their sum. */
typedef struct {
    float *taps;          /* [filter * filter_step + channel * depth_step + tap] */
    float *transformed;   /* [point * point_step + channel * row_step + filter] */
    float *largest, *sum; /* a vector each; not of grad_taps */
    int64_t filters, depth;
    int64_t filter_step, depth_step, point_step, row_step;
    int reversed; /* the last tap first */
} tt_winograd_taps_args;

/* Pooling of planes of height × width to out_height × out_width. Window (i, j) has the rows
 * top[i], top[i] + step_y, … < bottom[i], and columns likewise; all lie within the plane. */
typedef struct {
    const float *x;
    float *out;
    int64_t *indices;     /* written by max_pool */
    const float *weights; /* out_height × out_width; of avg_pool */
    int64_t planes;
    int64_t height, width;
    int64_t out_height, out_width;
    const int64_t *top, *bottom, *left, *right;
    int64_t step_y, step_x;   /* of max_pool; 1 in avg_pool */
    int64_t stride_x, span_x; /* of whole windows; stride 0 if they are not evenly apart */
} tt_pool_args;

/* Elements x of planes, at indices within planes of `size` elements; `picks` for each plane. */
typedef struct {
    const float *x;
    const int64_t *indices;
    float *out;
    int64_t planes, picks, size;
} tt_planes_args;

#define TT_CONV_KERNELS(X)                           \
    X(conv_patches_f32, tt_conv_args)                \
    X(conv_panels_f32, tt_conv_args)                 \
    X(conv_add_patches_f32, tt_conv_args)            \
    X(direct_band_f32, tt_band_args)                 \
    X(direct_unband_f32, tt_band_args)               \
    X(direct_f32, tt_direct_args)                    \
    X(direct_back_f32, tt_direct_back_args)          \
    X(direct_gather_f32, tt_direct_gather_args)      \
    X(direct_grad_f32, tt_direct_grad_args)          \
    X(direct_sums_f32, tt_direct_sums_args)          \
    X(winograd_image_f32, tt_winograd_args)          \
    X(winograd_gradient_f32, tt_winograd_args)       \
    X(winograd_output_f32, tt_winograd_args)         \
    X(winograd_taps_f32, tt_winograd_taps_args)      \
    X(winograd_grad_taps_f32, tt_winograd_taps_args) \
    X(max_pool_f32, tt_pool_args)                    \
    X(avg_pool_f32, tt_pool_args)                    \
    X(avg_pool_grad_f32, tt_pool_args)               \
    X(scatter_planes_f32, tt_planes_args)

/* --- Softmax, losses (kernels/softmax.h, kernels/losses.h) ---------------------------------- */

/* Softmax and log-softmax of rows of n, and their backwards from g and the forward's out (in x).
 * Of logsumexp out, and in its backward g, have one element for a row; so have top, the largest x
 * (0 if that is not finite), and sum, that of exp(x - top), which backward takes from forward: in
 * top + log(sum) the digits of the second would be lost where top is large. The _columns kernels:
 * of `columns` adjacent columns of n elements that are `step` apart. */
typedef struct {
    const float *x, *g;
    float *out, *top, *sum;
    int64_t rows, n, columns, step;
    int stream;
} tt_softmax_args;

/* Cross-entropy of rows of logits x with the classes `target`. With w = weight (NULL: ones),
 * y = target[r] and every class in range or equal to ignore_index, whose rows are 0:
 *     losses[r] = own (lse - x[y]) + spread sum_c w[c] (lse - x[c])
 *     own = (1 - smoothing) w[y],  spread = smoothing / classes
 *     lse = top[r] + log(sum[r]), with top and sum as above
 * Backward: dx = g[r * g_step] * d losses[r] / dx. */
typedef struct {
    const float *x, *weight, *g;
    const int64_t *target;
    float *losses, *top, *sum, *dx;
    int64_t rows, classes, ignore_index, g_step;
    float smoothing, scale; /* scale: of g, in backward */
} tt_cross_entropy_args;

/* Of a loss (kernels/losses.h): each element's, the sum, and the slope times q. */
#define TT_LOSS_KERNELS(X, NAME)              \
    X(NAME##_loss_f32, tt_binary_args)        \
    X(NAME##_loss_sum_f32, tt_binary_args)    \
    X(NAME##_loss_backward_f32, tt_binary_args)

#define TT_SOFTMAX_KERNELS(X)                            \
    X(softmax_f32, tt_softmax_args)                      \
    X(softmax_backward_f32, tt_softmax_args)             \
    X(log_softmax_f32, tt_softmax_args)                  \
    X(log_softmax_backward_f32, tt_softmax_args)         \
    X(logsumexp_f32, tt_softmax_args)                    \
    X(logsumexp_backward_f32, tt_softmax_args)           \
    X(softmax_columns_f32, tt_softmax_args)              \
    X(softmax_backward_columns_f32, tt_softmax_args)     \
    X(log_softmax_columns_f32, tt_softmax_args)          \
    X(log_softmax_backward_columns_f32, tt_softmax_args) \
    X(logsumexp_columns_f32, tt_softmax_args)            \
    X(logsumexp_backward_columns_f32, tt_softmax_args)

#define TT_LOSSES_KERNELS(X)                    \
    TT_LOSS_KERNELS(X, mse)                     \
    TT_LOSS_KERNELS(X, l1)                      \
    TT_LOSS_KERNELS(X, smooth_l1)               \
    TT_LOSS_KERNELS(X, huber)                   \
    TT_LOSS_KERNELS(X, logistic)                \
    X(cross_entropy_f32, tt_cross_entropy_args) \
    X(cross_entropy_backward_f32, tt_cross_entropy_args)

/* --- Connectionist temporal classification (kernels/ctc.h) ---------------------------------- */

enum { TT_CTC_ROWS = 4, TT_CTC_MARGIN = 16 };

/* Floats of a row of the scratch memory for so many states. */
static inline int64_t tt_ctc_row_size(int64_t length)
{
    return tt_round_up(length, 16) + 2 * TT_CTC_MARGIN;
}

/* One sample: log_probs and dx are (all_steps, classes), `row` floats from step to step, and count
 * up to `steps`; alpha is (all_steps, alpha_row), of which `length` states count. */
typedef struct {
    const float *log_probs;
    const int64_t *labels; /* (length), blanks among them */
    float *alpha, *loss, *dx;
    double *shifts;  /* (all_steps) */
    float *scratch;  /* TT_CTC_ROWS rows */
    int64_t row, classes, all_steps, steps, alpha_row, length;
    float g;
} tt_ctc_args;

#define TT_CTC_KERNELS(X)           \
    X(ctc_loss_f32, tt_ctc_args)    \
    X(ctc_loss_backward_f32, tt_ctc_args)

/* --- Normalisation (kernels/norm.h) --------------------------------------------------------- */

/* Layer norm of rows of n; weight and bias may be NULL. Backward adds the rows' part to dweight
 * and dbias. RMS norm reads no bias, and has neither mean nor dbias. */
typedef struct {
    const float *x, *weight, *bias, *g;
    float *out, *mean, *rstd; /* forward: outputs; backward: out is dx */
    float *dweight, *dbias;
    int64_t rows, n;
    float eps;
    int stream;
} tt_layer_norm_args;

/* Group norm of rows of channels × space, of which the first is number `first` of all: row r is of
 * group r % groups. weight and bias (groups × channels) may be NULL; dweight and dbias are of each
 * row's channels. */
typedef struct {
    const float *x, *weight, *bias, *g;
    float *out, *mean, *rstd; /* forward: outputs; backward: out is dx */
    float *dweight, *dbias;
    int64_t rows, first, groups, channels, space;
    float eps;
    int stream;
} tt_group_norm_args;

/* Batch norm of channels [first, last) of x (batch, channels, space). Forward writes mean and var
 * if `training`, and always reads them; backward reads mean and rstd. */
typedef struct {
    const float *x, *weight, *bias, *g;
    float *out, *mean, *var, *rstd; /* out is dx in backward, and may be NULL there */
    float *dweight, *dbias;
    int64_t batch, channels, space, first, last;
    float eps;
    int training;
} tt_batch_norm_args;

#define TT_NORM_KERNELS(X)                        \
    X(layer_norm_f32, tt_layer_norm_args)          \
    X(layer_norm_backward_f32, tt_layer_norm_args) \
    X(group_norm_f32, tt_group_norm_args)          \
    X(group_norm_backward_f32, tt_group_norm_args) \
    X(rms_norm_f32, tt_layer_norm_args)            \
    X(rms_norm_backward_f32, tt_layer_norm_args)   \
    X(batch_norm_f32, tt_batch_norm_args)          \
    X(batch_norm_backward_f32, tt_batch_norm_args)

/* --- Attention, embedding, dropout (kernels/attention.h, ...) ------------------------------- */

enum {
    TT_ATTENTION_KEYS = 64,    /* keys in a block */
    TT_ATTENTION_QUERIES = 32, /* queries in a group: columns of a block of scores, or rows */
    TT_ATTENTION_LANES = 16,   /* the depth is filled up to a multiple of it */
    TT_ATTENTION_FAR = 1 << 30, /* farther than any key from any query */
};

/* One head's attention for a run of queries. Query i stands among the keys at first_query + i; it
 * sees those from `left` before it to `right` behind it (of no bound: TT_ATTENTION_FAR). Rows are
 * *_row apart, their elements adjacent. The score of query and key is capped, if softcap is not 0,
 * to softcap * tanh(score / softcap); then *slope times their distance is taken off, and the bias
 * added; a mask of bools hides keys. slope, bias and mask may be NULL. */
typedef struct {
    const float *q, *k, *v, *bias, *slope;
    const uint8_t *mask;
    float *out;
    float *top, *sum; /* in backward inputs; see tt_softmax_args */
    float *scratch;   /* tt_attention_scratch(), or for backward tt_attention_backward_scratch() */
    int64_t queries, keys, depth, first_query, left, right;
    int64_t q_row, k_row, v_row, out_row, mask_row, mask_step, bias_row, bias_step;
    float scale, softcap;
    /* Dropout of the weights, as tt_dropout_args; none if dropout_scale is 0. first_word is that of
     * the weight of query 0 for key 0, in the array of all heads' weights, word_row from query to
     * query of it. */
    uint64_t dropout_key, first_word, word_row;
    uint32_t dropout_threshold;
    float dropout_scale;
} tt_attention_args;

/* Backward for keys [first_key, last_key), first_key a multiple of TT_ATTENTION_KEYS, of one head
 * of k and v, and all queries of the `heads` heads of q that share it. dq is summed into rows of
 * tt_attention_depth() floats, queries padded to TT_ATTENTION_QUERIES for each head. dbias, which
 * may be NULL, is added to: a step of 0 along an axis sums over it. */
typedef struct {
    tt_attention_args forward;
    const float *out, *g;
    float *dq, *dk, *dv, *dbias;
    int64_t heads, first_key, last_key;
    int64_t q_head, out_head, g_head, mask_head, bias_head;
    int64_t out_row, g_row, dk_row, dv_row, dbias_head, dbias_row, dbias_step;
} tt_attention_backward_args;

/* The depth and the queries as they are padded inside, and how many floats of scratch memory a call
 * needs: see the pointers into it at the head of the kernels. */
static inline int64_t tt_attention_depth(int64_t depth)
{
    return tt_round_up(depth, TT_ATTENTION_LANES);
}
static inline int64_t tt_attention_queries(int64_t queries)
{
    return tt_round_up(queries, TT_ATTENTION_QUERIES);
}
static inline int64_t tt_attention_scratch(int64_t queries, int64_t depth)
{
    int64_t d = tt_attention_depth(depth), n = tt_attention_queries(queries);
    int64_t of_keys = 2 * TT_ATTENTION_KEYS * d + TT_ATTENTION_KEYS * TT_ATTENTION_QUERIES;
    return of_keys + 2 * n * d + 2 * n;
}
static inline int64_t tt_attention_backward_scratch(int64_t heads, int64_t queries, int64_t depth)
{
    int64_t d = tt_attention_depth(depth);
    int64_t of_scores = 2 * TT_ATTENTION_QUERIES * TT_ATTENTION_KEYS;
    return 5 * TT_ATTENTION_KEYS * d + 2 * TT_ATTENTION_QUERIES * d + of_scores + heads * queries;
}

enum {
    TT_CACHED_ROWS = 8,    /* rows of queries that read a block of a cache together */
    TT_CACHED_KEYS = 64,   /* keys in such a block */
    TT_CACHED_DEPTH = 512, /* the largest depth */
};

/* Attention of `queries` queries of each of `heads` heads over the keys and values of the one head
 * that they share, in a cache. Query t stands at start + t: it sees the keys up to itself, with a
 * window (0: none) only the last `window` of them, and of all these those in [first_key, last_key).
 * Rows are *_row apart, their elements adjacent. No key from start + queries on is read. bias and
 * top may be NULL; bias is added to the scores after softcap * tanh(s / softcap) (0: none); top and
 * sum (heads, queries) say what tt_softmax_args does, by which parts of the keys can be merged. */
typedef struct {
    const float *q, *k, *v, *bias;
    float *out, *top, *sum;
    int64_t heads, queries, depth, start, window, first_key, last_key;
    int64_t q_head, q_row, k_row, v_row, out_head, out_row, bias_head, bias_row, bias_step;
    float scale, softcap;
} tt_cached_attention_args;

/* Gather: out[r] = weight[indices[r]]. Scatter: of the rows g[r] with first <= indices[r] < last,
 * out[indices[r]] += g[r], in order of r. Rows hold n floats; indices are in range. */
typedef struct {
    const float *weight, *g;
    const int64_t *indices;
    float *out;
    int64_t rows, n, first, last;
} tt_embedding_args;

/* out[i] = x[i] * scale if word first + i of the Philox stream of `key` >= threshold, otherwise 0;
 * first is a multiple of 4. */
typedef struct {
    const float *x;
    float *out;
    int64_t n, first;
    uint64_t key;
    uint32_t threshold;
    float scale;
    int stream;
} tt_dropout_args;

#define TT_ATTENTION_KERNELS(X)                              \
    X(attention_f32, tt_attention_args)                      \
    X(attention_backward_f32, tt_attention_backward_args)    \
    X(cached_attention_f32, tt_cached_attention_args)        \
    X(embedding_f32, tt_embedding_args)                      \
    X(embedding_backward_f32, tt_embedding_args)             \
    X(dropout_f32, tt_dropout_args)

/* --- Parts of transformers (kernels/rotary.h, kernels/gated.h) ------------------------------ */

/* Rows of `depth` of `heads` heads at `steps` positions, of which the first 2 * pairs elements are
 * turned in pairs, by position * frequency: elements i and pairs + i, or neighbours. The cosines
 * are scaled by scale, the sines by sine_scale. x_head and x_step are from row to row. */
typedef struct {
    const float *x, *frequencies;
    const int64_t *positions;
    float *out;
    int64_t heads, steps, depth, pairs;
    int64_t x_head, x_step, out_head;
    float scale, sine_scale; /* negative: back */
    int interleaved;
} tt_rotary_args;

/* The cotangents of f(gate) up from that of it, g, rows of `cols`. */
typedef struct {
    const float *gate, *up, *g;
    float *dgate, *dup;
    int64_t rows, cols;
    int64_t gate_row, up_row, g_row;
} tt_gated_args;

#define TT_GATED_KERNELS(X, NAME)         \
    X(gated_##NAME##_f32, tt_binary_args) \
    X(gated_##NAME##_backward_f32, tt_gated_args)

#define TT_TRANSFORMER_KERNELS(X)  \
    X(rotary_f32, tt_rotary_args)  \
    TT_GATED_KERNELS(X, silu)      \
    TT_GATED_KERNELS(X, gelu)      \
    TT_GATED_KERNELS(X, gelu_tanh) \
    TT_GATED_KERNELS(X, relu)      \
    TT_GATED_KERNELS(X, sigmoid)

/* --- Packed matrices (kernels/packed.h) ------------------------------------------------------ */

/* How the numbers of a row lie; numbers a block, and bytes of it. */
enum {
    TT_PACKED_F32,  /* 1, 4 */
    TT_PACKED_BF16, /* 1, 2 */
    TT_PACKED_F16,  /* 1, 2 */
    TT_PACKED_INT8, /* 1, 1; times the row's scale */
    TT_PACKED_Q8_0, /* 32, 34 */
    TT_PACKED_Q4_0, /* 32, 18 */
    TT_PACKED_Q4_1, /* 32, 20 */
    TT_PACKED_Q4_K, /* 256, 144 */
    TT_PACKED_Q6_K, /* 256, 210 */
    TT_PACKED_KINDS,
};

/* Rows [first, last) of W, whose row r begins at blocks + r * row_bytes; `columns` is a multiple of
 * the kind's block. scales: one a row, of INT8 alone.
 *
 * packed_rows: out[v * out_row + r] = Σ_c W[r, c] x[v * x_row + c] (+ bias[r]) for v < vectors (0
 * means 1). bias may be NULL.
 * packed_unpack: out[(r - first) * out_row + c] = W[r, c]; x and bias are not read. */
typedef struct {
    const void *blocks;
    const float *scales, *x, *bias;
    float *out;
    int64_t columns, row_bytes, first, last;
    int64_t vectors, x_row, out_row;
    int kind;
} tt_packed_args;

#define TT_PACKED_KERNELS(X)             \
    X(packed_rows_f32, tt_packed_args)   \
    X(packed_unpack_f32, tt_packed_args)

/* --- Recurrent layers (kernels/recurrent) ---------------------------------------------------- */

/* Rows of `hidden`: gates hold the sums of i, f, g, o (4 * hidden). Backward: from gh and gc. */
typedef struct {
    const float *gates, *c, *gh, *gc;
    float *h_next, *c_next, *dgates, *dc;
    int64_t rows, hidden;
} tt_lstm_cell_args;

/* Rows of `hidden`: the gates hold the sums of r, z, n (3 * hidden). Backward: from g. */
typedef struct {
    const float *x_gates, *h_gates, *h, *g;
    float *h_next, *dx_gates, *dh_gates, *dh;
    int64_t rows, hidden;
} tt_gru_cell_args;

/* Of a step: its product with the packed weights, and the operand that it leaves for the next. Both
 * are laid out as recurrent/step.h says, with a time line of who reads and writes which operand. */
typedef struct {
    const float *weights;
    const float *operand; /* that the step before left */
    int64_t rows;         /* below which it has rows; the sums of others are 0 */
    float *next;          /* that this step leaves */
    int64_t operand_rows; /* of a block of the operands, those of other steps among them */
    const float *x;       /* of the next step, for its operand; NULL: none */
    int64_t x_first, x_rows; /* its rows that this piece writes */
    int64_t inputs;       /* columns of x that the operands hold */
} tt_step_product_args;

/* What a step forward reads besides. */
typedef struct {
    const float *input; /* what is added to the sums: the input's part of them, or biases */
    int64_t input_row;  /* from row to row of it; 0 for biases */
    const float *inner_bias; /* of gru_step; NULL for none */
} tt_step_forward_args;

/* What a step backward reads and writes besides. */
typedef struct {
    const float *g, *g_last; /* cotangents of h, and of h as a sequence's last state */
    float *dgates, *dinner;  /* of the gates' sums; NULL for none */
    float *carry; /* cotangents of c, or the part of those of h that goes around the product */
    float *dx;    /* of step_inputs_backward, (batch, inputs) */
    float *dh0;   /* of step_state_backward */
    int adds_carry; /* to dh0 */
} tt_step_backward_args;

/* One step of a sequence: `rows` rows of the batch from first_row on, at most TT_STEP_ROWS, and
 * `units` units from first_unit on, a multiple of two vectors. Arrays are (batch, hidden) of this
 * step, gates and dgates (batch, gates * hidden).
 *
 * Sequences of several lengths are sorted, so that those that have a step are its first rows. Where
 * they begin (forward in reverse, or backward in time's order) each step may have further rows: of
 * these the state before is h_start and c_start, and backward the product has no part in them, but
 * g_last. */
typedef struct {
    tt_step_product_args product;
    int64_t batch, hidden;
    int64_t first_row, rows, first_unit, units;
    const float *h_before, *c_before; /* of rows below `known` */
    const float *h_start, *c_start;   /* of the others; NULL: zeros */
    int64_t known;
    float *gates, *inner, *h, *c;     /* written forward, read backward */
    tt_step_forward_args forward;
    tt_step_backward_args backward;
    int gate_count;
    int relu; /* of rnn_step */
} tt_step_args;

/* W (gates hidden × hidden) into panels, for groups [first, first + groups) of units; that of the
 * inputs (gates hidden × inputs) too: forward behind each gate's, backward as groups behind all. */
typedef struct {
    const float *weight, *input_weight;
    float *out;
    int64_t gates, hidden, inputs;
    int64_t first, groups;
    int backward;
} tt_step_pack_args;

/* sums[i] (+)= Σ_k operand[k][i], of columns of one block. */
typedef struct {
    const float *operand;
    float *sums;
    int64_t rows, depth; /* i < rows, k < depth */
    int accumulate;
} tt_step_bias_args;

enum {
    TT_STEP_ROWS = 64,                  /* the most rows of a piece */
    TT_STEP_DEPTH = 128,                /* elements of the depth in a block of an operand */
    TT_STEP_ROW = TT_STEP_DEPTH + 16,   /* from row to row of it: not a power of two */
};

/* How many floats operands of so many rows take, of `gates` and inputs, for vectors of up to 16. */
static inline int64_t tt_step_operand_size(int64_t rows, int64_t gates, int64_t hidden,
                                           int64_t inputs)
{
    int64_t depth = gates * tt_round_up(hidden, 16) + tt_round_up(inputs, 16);
    return tt_ceil_div(depth, TT_STEP_DEPTH) * rows * TT_STEP_ROW;
}

#define TT_RECURRENT_KERNELS(X)                  \
    X(lstm_cell_f32, tt_lstm_cell_args)          \
    X(lstm_cell_backward_f32, tt_lstm_cell_args) \
    X(gru_cell_f32, tt_gru_cell_args)            \
    X(gru_cell_backward_f32, tt_gru_cell_args)   \
    X(step_pack_f32, tt_step_pack_args)          \
    X(step_operand_f32, tt_step_args)            \
    X(lstm_step_f32, tt_step_args)               \
    X(lstm_step_backward_f32, tt_step_args)      \
    X(gru_step_f32, tt_step_args)                \
    X(gru_step_backward_f32, tt_step_args)       \
    X(rnn_step_f32, tt_step_args)                \
    X(rnn_step_backward_f32, tt_step_args)       \
    X(step_state_backward_f32, tt_step_args)     \
    X(step_inputs_backward_f32, tt_step_args)    \
    X(step_bias_f32, tt_step_bias_args)

/* --- Optimizer updates (kernels/optim.h) ---------------------------------------------------- */

/* p -= lr * b, b = momentum * b + (1 - dampening) * g; b is NULL without momentum. */
typedef struct {
    float *p, *b;
    const float *g;
    int64_t n;
    float lr, momentum, undamped, weight_decay; /* undamped: 1 - dampening */
    int nesterov, maximize, first;              /* first: b holds nothing yet, and starts as g */
} tt_sgd_args;

/* Adam: m += (1 - beta1) (g - m), v = beta2 v + (1 - beta2) g g, p -= step_size m / (sqrt(v) /
 * root_correction + eps). v_max is NULL but for AMSGrad. p is first scaled by `shrink` (AdamW). */
typedef struct {
    float *p, *m, *v, *v_max;
    const float *g;
    int64_t n;
    float one_minus_beta1, beta2, one_minus_beta2, eps;
    float step_size, root_correction, shrink, weight_decay;
    int maximize;
} tt_adam_args;

/* NAdam, RAdam, Adagrad, RMSprop: m += (1 - beta1) (g - m), v = keep v + take g g,
 * d = sqrt(v) / root_correction + eps, or 1 if `plain`; u = (of_g g + of_m m) / d,
 * b = momentum b + u, p -= lr b. What is NULL is left out: m is 0, and u takes the place of b. With
 * a, which is a mean of g by `take`, the variance v - a a takes the place of v in d. */
typedef struct {
    float *p, *m, *v, *a, *b;
    const float *g;
    int64_t n;
    float one_minus_beta1, keep, take, root_correction, eps;
    float of_g, of_m, momentum, lr, shrink, weight_decay;
    int maximize, plain;
} tt_adaptive_args;

/* Lion: p -= lr sign(m + (1 - beta1) (g - m)), m += (1 - beta2) (g - m). p is first scaled by
 * `shrink`. */
typedef struct {
    float *p, *m;
    const float *g;
    int64_t n;
    float one_minus_beta1, one_minus_beta2, lr, shrink;
    int maximize;
} tt_lion_args;

#define TT_OPTIM_KERNELS(X) \
    X(sgd_f32, tt_sgd_args)  \
    X(adam_f32, tt_adam_args) \
    X(adaptive_f32, tt_adaptive_args) \
    X(lion_f32, tt_lion_args)

/* --- One token through all layers of a decoder (kernels/decoding.h) --------------------------- */

/* What follows x through a layer; a step begins once all pieces of the one before are done. */
typedef enum {
    TT_DECODE_QKV,       /* queries, keys and values of the normed x */
    TT_DECODE_ATTENTION, /* what runs of keys, the new one among them, give to each query */
    TT_DECODE_OUT,       /* x += o(attention) */
    TT_DECODE_UP,        /* inner = activation(gate) * up of the normed x */
    TT_DECODE_DOWN,      /* x += down(inner) */
    TT_DECODE_STEPS,
    TT_DECODE_HEAD = TT_DECODE_STEPS, /* the logits; once, behind the last layer */
} tt_decode_step;

enum { TT_DECODE_RUN = 128 }; /* keys that a unit of attention looks at */

typedef enum { TT_DECODE_SILU, TT_DECODE_GELU, TT_DECODE_GELU_TANH, TT_DECODE_RELU } tt_decode_map;

typedef struct {
    const float *attention_norm, *attention_norm_bias, *mlp_norm, *mlp_norm_bias;
    tt_packed_args q, k, v, o, gate, up, down; /* whole matrices; of no gate `last` is 0 */
    float *keys, *values; /* shared_heads x capacity x depth */
    int64_t keys_head, values_head; /* floats from a head to the next */
    int64_t window; /* of how many tokens, itself among them, a token sees the last; 0: all */
} tt_decode_layer;

typedef struct {
    const tt_decode_layer *layer;
    int step;
    int64_t piece, pieces;
    const float *last_norm, *last_norm_bias;
    tt_packed_args head;
    int64_t width, heads, shared_heads, depth, inner;
    float eps;
    int centred; /* layer norm; otherwise RMS norm */
    int map;
    tt_rotary_args rotary; /* of this position; x and out are set as needed. No pairs: none */
    float scale, softcap;  /* softcap 0: none */
    int64_t place;         /* of the new token in keys and values */
    float *x, *q, *k, *v, *partial, *hidden, *sums, *logits;
    float *scratch; /* of the piece */
} tt_decode_args;

#define TT_DECODING_KERNELS(X) X(decode_f32, tt_decode_args)

/* --- The machine's limits (kernels/peak.h) -------------------------------------------------- */

enum { TT_PEAK_CHAINS = 12 };

/* x = a x + b, `rounds` times, in TT_PEAK_CHAINS vectors; their sum goes to *out. */
typedef struct {
    float a, b;
    int64_t rounds;
    float *out;
} tt_fma_peak_args;

/* Read: *out = sum of x. Triad: out = x + scale * y. */
typedef struct {
    const float *x, *y;
    float *out;
    int64_t n;
    float scale;
} tt_stream_args;

#define TT_PEAK_KERNELS(X)             \
    X(fma_peak_f32, tt_fma_peak_args)  \
    X(stream_read_f32, tt_stream_args) \
    X(stream_triad_f32, tt_stream_args)

/* --- The table ------------------------------------------------------------------------------ */

#define TT_KERNELS(X)       \
    TT_MAPS_KERNELS(X)      \
    TT_REDUCTION_KERNELS(X) \
    TT_COPIES_KERNELS(X)    \
    TT_GEMM_KERNELS(X)      \
    TT_CONV_KERNELS(X)      \
    TT_SOFTMAX_KERNELS(X)   \
    TT_LOSSES_KERNELS(X)    \
    TT_CTC_KERNELS(X)       \
    TT_NORM_KERNELS(X)      \
    TT_ATTENTION_KERNELS(X) \
    TT_TRANSFORMER_KERNELS(X) \
    TT_PACKED_KERNELS(X)    \
    TT_RECURRENT_KERNELS(X) \
    TT_OPTIM_KERNELS(X)     \
    TT_DECODING_KERNELS(X)    \
    TT_PEAK_KERNELS(X)

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
