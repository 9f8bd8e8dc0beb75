# Made from the signatures in the sources by `python -m tools.stubs`: edit those.

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, overload

import numpy as np

from tinytensor.ops.annotations import (
    Axes,
    Axis,
    Dtype,
    Interpolation,
    Nonlinearity,
    Reduction,
    Shape,
    Sizes,
)
from tinytensor.ops.packed_matrix import PackedMatrix
from tinytensor.tensors.made import ArrayLike
from tinytensor.tensors.tensor import Tensor

from . import fft as fft
from . import linalg as linalg

class Extremes(NamedTuple):
    min: Tensor
    max: Tensor

class Picked(NamedTuple):
    values: Tensor
    indices: Tensor

class MantissaExponent(NamedTuple):
    mantissa: Tensor
    exponent: Tensor

class Histogram(NamedTuple):
    hist: Tensor
    bin_edges: Tensor

class TopK(NamedTuple):
    values: Tensor
    indices: Tensor

class UniqueAllResult(NamedTuple):
    values: Tensor
    indices: Tensor
    inverse_indices: Tensor
    counts: Tensor

class UniqueCountsResult(NamedTuple):
    values: Tensor
    counts: Tensor

class UniqueInverseResult(NamedTuple):
    values: Tensor
    inverse_indices: Tensor

__all__ = [
    "abs",
    "absolute",
    "acos",
    "acosh",
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "add",
    "addbmm",
    "addcdiv",
    "addcmul",
    "addmm",
    "addmv",
    "addr",
    "adjoint",
    "affine_grid",
    "all",
    "allclose",
    "amax",
    "amin",
    "aminmax",
    "angle",
    "any",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "argmax",
    "argmin",
    "argsort",
    "argwhere",
    "asin",
    "asinh",
    "astype",
    "atan",
    "atan2",
    "atanh",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "baddbmm",
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "bincount",
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_not",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "block_diag",
    "bmm",
    "broadcast_arrays",
    "broadcast_shapes",
    "broadcast_tensors",
    "broadcast_to",
    "bucketize",
    "cartesian_prod",
    "cat",
    "cdist",
    "ceil",
    "celu",
    "channel_shuffle",
    "chunk",
    "clamp",
    "clamp_max",
    "clamp_min",
    "clip",
    "clone",
    "column_stack",
    "combinations",
    "complex",
    "concat",
    "concatenate",
    "conj",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "copysign",
    "corrcoef",
    "cos",
    "cosh",
    "cosine_embedding_loss",
    "cosine_similarity",
    "count_nonzero",
    "cov",
    "cross",
    "cross_entropy",
    "ctc_loss",
    "cummax",
    "cummin",
    "cumprod",
    "cumsum",
    "cumulative_prod",
    "cumulative_sum",
    "cumulative_trapezoid",
    "deg2rad",
    "diag",
    "diag_embed",
    "diagflat",
    "diagonal",
    "diagonal_scatter",
    "diff",
    "digamma",
    "dist",
    "div",
    "divide",
    "dot",
    "dropout",
    "dsplit",
    "dstack",
    "einsum",
    "elu",
    "embedding",
    "entr",
    "eq",
    "equal",
    "erf",
    "erfc",
    "erfcx",
    "erfinv",
    "exp",
    "exp2",
    "expand_dims",
    "expm1",
    "fill",
    "fix",
    "flatten",
    "flip",
    "fliplr",
    "flipud",
    "float_power",
    "floor",
    "floor_divide",
    "fmax",
    "fmin",
    "fmod",
    "fold",
    "frac",
    "frexp",
    "gated",
    "gather",
    "gaussian_nll_loss",
    "gcd",
    "ge",
    "gelu",
    "ger",
    "glu",
    "gradient",
    "greater",
    "greater_equal",
    "grid_sample",
    "group_norm",
    "gru",
    "gru_cell",
    "gt",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "heaviside",
    "hinge_embedding_loss",
    "histc",
    "histogram",
    "hsplit",
    "hstack",
    "huber_loss",
    "hypot",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "igamma",
    "igammac",
    "imag",
    "index_add",
    "index_copy",
    "index_fill",
    "index_put",
    "index_reduce",
    "index_select",
    "inner",
    "interpolate",
    "inverse",
    "is_complex",
    "is_floating_point",
    "isclose",
    "isfinite",
    "isin",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "isreal",
    "istft",
    "kl_div",
    "kron",
    "kthvalue",
    "l1_loss",
    "layer_norm",
    "lcm",
    "ldexp",
    "le",
    "leaky_relu",
    "lerp",
    "less",
    "less_equal",
    "lgamma",
    "linear",
    "linear_relu",
    "local_response_norm",
    "log",
    "log1p",
    "log2",
    "log10",
    "log_ndtr",
    "log_softmax",
    "logaddexp",
    "logaddexp2",
    "logcumsumexp",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logit",
    "logsigmoid",
    "logsumexp",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "lstm",
    "lstm_cell",
    "lstm_projected",
    "lt",
    "margin_ranking_loss",
    "masked_fill",
    "masked_scatter",
    "masked_select",
    "matmul",
    "matrix_transpose",
    "max",
    "max_pool1d",
    "max_pool2d",
    "max_pool2d_with_indices",
    "max_pool3d",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
    "maximum",
    "mean",
    "median",
    "meshgrid",
    "min",
    "minimum",
    "mish",
    "mm",
    "mode",
    "moveaxis",
    "movedim",
    "mse_loss",
    "msort",
    "mul",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "multiply",
    "mv",
    "mvlgamma",
    "nan_to_num",
    "nanmean",
    "nanmedian",
    "nanquantile",
    "nansum",
    "narrow",
    "ndtr",
    "ne",
    "neg",
    "negative",
    "nextafter",
    "nll_loss",
    "nonzero",
    "not_equal",
    "numel",
    "outer",
    "packed_embedding",
    "packed_linear",
    "pad",
    "pairwise_distance",
    "pdist",
    "permute",
    "permute_dims",
    "pixel_shuffle",
    "pixel_unshuffle",
    "poisson_nll_loss",
    "polar",
    "polygamma",
    "positive",
    "pow",
    "prelu",
    "prod",
    "put",
    "quantile",
    "rad2deg",
    "ravel",
    "real",
    "reciprocal",
    "relu",
    "relu6",
    "remainder",
    "renorm",
    "repeat",
    "repeat_interleave",
    "reshape",
    "rms_norm",
    "rnn",
    "roll",
    "rot90",
    "rotary_embedding",
    "round",
    "row_stack",
    "rsqrt",
    "scaled_dot_product_attention",
    "scatter",
    "scatter_add",
    "scatter_reduce",
    "searchsorted",
    "select",
    "select_scatter",
    "selu",
    "sgn",
    "sigmoid",
    "sign",
    "signbit",
    "silu",
    "sin",
    "sinc",
    "sinh",
    "slice_scatter",
    "smooth_l1_loss",
    "soft_margin_loss",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "sort",
    "split",
    "split_with_sizes",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "std_mean",
    "stft",
    "sub",
    "subtract",
    "sum",
    "swapaxes",
    "swapdims",
    "t",
    "take",
    "take_along_axis",
    "take_along_dim",
    "tan",
    "tanh",
    "tanhshrink",
    "tensor_split",
    "tensordot",
    "threshold",
    "tile",
    "topk",
    "trace",
    "transpose",
    "trapezoid",
    "trapz",
    "tril",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
    "triu",
    "true_divide",
    "trunc",
    "unbind",
    "unflatten",
    "unfold",
    "unique",
    "unique_all",
    "unique_consecutive",
    "unique_counts",
    "unique_inverse",
    "unique_values",
    "unravel_index",
    "unsqueeze",
    "unstack",
    "var",
    "var_mean",
    "vdot",
    "vecdot",
    "vsplit",
    "vstack",
    "where",
    "xlog1py",
    "xlogy",
]

def abs(x: ArrayLike) -> Tensor: ...
def absolute(x: ArrayLike) -> Tensor: ...
def acos(x: ArrayLike) -> Tensor: ...
def acosh(x: ArrayLike) -> Tensor: ...
def adaptive_avg_pool1d(x: ArrayLike, output_size: Sizes) -> Tensor: ...
def adaptive_avg_pool2d(x: ArrayLike, output_size: Sizes) -> Tensor: ...
def adaptive_avg_pool3d(x: ArrayLike, output_size: Sizes) -> Tensor: ...
def adaptive_max_pool1d(
    x: ArrayLike, output_size: Sizes, return_indices: bool = False
) -> Tensor: ...
def adaptive_max_pool2d(
    x: ArrayLike, output_size: Sizes, return_indices: bool = False
) -> Tensor: ...
def adaptive_max_pool3d(
    x: ArrayLike, output_size: Sizes, return_indices: bool = False
) -> Tensor: ...
def add(a: ArrayLike, b: ArrayLike, alpha: ArrayLike = 1) -> Tensor: ...
def addbmm(
    input: ArrayLike, batch1: ArrayLike, batch2: ArrayLike, beta: float = 1, alpha: float = 1
) -> Tensor: ...
def addcdiv(
    x: ArrayLike, tensor1: ArrayLike, tensor2: ArrayLike, value: ArrayLike = 1
) -> Tensor: ...
def addcmul(
    x: ArrayLike, tensor1: ArrayLike, tensor2: ArrayLike, value: ArrayLike = 1
) -> Tensor: ...
def addmm(
    input: ArrayLike, mat1: ArrayLike, mat2: ArrayLike, beta: float = 1, alpha: float = 1
) -> Tensor: ...
def addmv(
    input: ArrayLike, mat: ArrayLike, vec: ArrayLike, beta: float = 1, alpha: float = 1
) -> Tensor: ...
def addr(
    input: ArrayLike, vec1: ArrayLike, vec2: ArrayLike, beta: float = 1, alpha: float = 1
) -> Tensor: ...
def adjoint(x: ArrayLike) -> Tensor: ...
def affine_grid(theta: ArrayLike, size: Sequence[int], align_corners: bool = False) -> Tensor: ...
def all(
    x: ArrayLike,
    axis: Axes = None,
    keepdims: bool = False,
    *,
    dim: Axes = None,
    keepdim: bool = False,
) -> Tensor: ...
def allclose(
    a: ArrayLike, b: ArrayLike, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> bool: ...
def amax(
    x: ArrayLike, axis: Axes = None, keepdims: bool = False, *, keepdim: bool = False
) -> Tensor: ...
def amin(
    x: ArrayLike, axis: Axes = None, keepdims: bool = False, *, keepdim: bool = False
) -> Tensor: ...
def aminmax(
    x: ArrayLike,
    axis: Axes = None,
    keepdims: bool = False,
    *,
    dim: Axes = None,
    keepdim: bool = False,
) -> Extremes: ...
def angle(x: ArrayLike) -> Tensor: ...
def any(
    x: ArrayLike,
    axis: Axes = None,
    keepdims: bool = False,
    *,
    dim: Axes = None,
    keepdim: bool = False,
) -> Tensor: ...
def arccos(x: ArrayLike) -> Tensor: ...
def arccosh(x: ArrayLike) -> Tensor: ...
def arcsin(x: ArrayLike) -> Tensor: ...
def arcsinh(x: ArrayLike) -> Tensor: ...
def arctan(x: ArrayLike) -> Tensor: ...
def arctan2(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def arctanh(x: ArrayLike) -> Tensor: ...
def argmax(
    x: ArrayLike,
    axis: int | None = None,
    keepdims: bool = False,
    *,
    dim: int | None = None,
    keepdim: bool = False,
) -> Tensor: ...
def argmin(
    x: ArrayLike,
    axis: int | None = None,
    keepdims: bool = False,
    *,
    dim: int | None = None,
    keepdim: bool = False,
) -> Tensor: ...
def argsort(
    x: ArrayLike, axis: int = -1, descending: bool = False, stable: bool = True, *, dim: int = -1
) -> Tensor: ...
def argwhere(x: ArrayLike) -> Tensor: ...
def asin(x: ArrayLike) -> Tensor: ...
def asinh(x: ArrayLike) -> Tensor: ...
def astype(x: ArrayLike, dtype: Dtype, copy: bool = True, device: str | None = None) -> Tensor: ...
def atan(x: ArrayLike) -> Tensor: ...
def atan2(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def atanh(x: ArrayLike) -> Tensor: ...
def atleast_1d(*arrays: ArrayLike) -> Tensor: ...
def atleast_2d(*arrays: ArrayLike) -> Tensor: ...
def atleast_3d(*arrays: ArrayLike) -> Tensor: ...
def avg_pool1d(
    x: ArrayLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor: ...
def avg_pool2d(
    x: ArrayLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor: ...
def avg_pool3d(
    x: ArrayLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: float | None = None,
) -> Tensor: ...
def baddbmm(
    input: ArrayLike, batch1: ArrayLike, batch2: ArrayLike, beta: float = 1, alpha: float = 1
) -> Tensor: ...
def batch_norm(
    x: ArrayLike,
    running_mean: ArrayLike | None = None,
    running_var: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-05,
) -> Tensor: ...
def binary_cross_entropy(
    input: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
) -> Tensor: ...
def binary_cross_entropy_with_logits(
    input: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    pos_weight: ArrayLike | None = None,
) -> Tensor: ...
def bincount(x: ArrayLike, weights: ArrayLike | None = None, minlength: int = 0) -> Tensor: ...
def bitwise_and(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def bitwise_invert(x: ArrayLike) -> Tensor: ...
def bitwise_left_shift(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def bitwise_not(x: ArrayLike) -> Tensor: ...
def bitwise_or(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def bitwise_right_shift(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def bitwise_xor(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def block_diag(*arrays: ArrayLike) -> Tensor: ...
def bmm(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def broadcast_arrays(*arrays: ArrayLike) -> tuple[Tensor, ...]: ...
def broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]: ...
def broadcast_tensors(*arrays: ArrayLike) -> tuple[Tensor, ...]: ...
def broadcast_to(x: ArrayLike, shape: Sequence[int]) -> Tensor: ...
def bucketize(
    x: ArrayLike, boundaries: ArrayLike, right: bool = False, out_int32: bool = False
) -> Tensor: ...
def cartesian_prod(*arrays: ArrayLike) -> Tensor: ...
def cat(arrays: Sequence[ArrayLike], axis: int = 0, *, dim: int = 0) -> Tensor: ...
def cdist(
    x1: ArrayLike, x2: ArrayLike, p: float = 2.0, compute_mode: str | None = None
) -> Tensor: ...
def ceil(x: ArrayLike) -> Tensor: ...
def celu(x: ArrayLike, alpha: float = 1.0, inplace: bool = False) -> Tensor: ...
def channel_shuffle(x: ArrayLike, groups: int) -> Tensor: ...
def chunk(x: ArrayLike, chunks: int, axis: int = 0, *, dim: int = 0) -> tuple[Tensor, ...]: ...
def clamp(x: ArrayLike, min: ArrayLike | None = None, max: ArrayLike | None = None) -> Tensor: ...
def clamp_max(x: ArrayLike, max: ArrayLike) -> Tensor: ...
def clamp_min(x: ArrayLike, min: ArrayLike) -> Tensor: ...
def clip(x: ArrayLike, min: ArrayLike | None = None, max: ArrayLike | None = None) -> Tensor: ...
def clone(x: ArrayLike) -> Tensor: ...
def column_stack(arrays: Sequence[ArrayLike]) -> Tensor: ...
def combinations(x: ArrayLike, r: int = 2, with_replacement: bool = False) -> Tensor: ...
def complex(real: ArrayLike, imag: ArrayLike) -> Tensor: ...
def concat(arrays: Sequence[ArrayLike], axis: int = 0, *, dim: int = 0) -> Tensor: ...
def concatenate(arrays: Sequence[ArrayLike], axis: int = 0, *, dim: int = 0) -> Tensor: ...
def conj(x: ArrayLike) -> Tensor: ...
def conv1d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Sizes = 1,
    padding: Sizes | Literal["same", "valid"] = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor: ...
def conv2d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Sizes = 1,
    padding: Sizes | Literal["same", "valid"] = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor: ...
def conv3d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Sizes = 1,
    padding: Sizes | Literal["same", "valid"] = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor: ...
def conv_transpose1d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor: ...
def conv_transpose2d(
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor: ...
def conv_transpose3d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor: ...
def copysign(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def corrcoef(x: ArrayLike) -> Tensor: ...
def cos(x: ArrayLike) -> Tensor: ...
def cosh(x: ArrayLike) -> Tensor: ...
def cosine_embedding_loss(
    input1: ArrayLike,
    input2: ArrayLike,
    target: ArrayLike,
    margin: float = 0.0,
    reduction: Reduction = "mean",
) -> Tensor: ...
def cosine_similarity(
    x1: ArrayLike, x2: ArrayLike, axis: int = 1, eps: float = 1e-08, *, dim: int = 1
) -> Tensor: ...
def count_nonzero(
    x: ArrayLike,
    axis: Axes = None,
    keepdims: bool = False,
    *,
    dim: Axes = None,
    keepdim: bool = False,
) -> Tensor: ...
def cov(
    x: ArrayLike,
    correction: float = 1,
    fweights: ArrayLike | None = None,
    aweights: ArrayLike | None = None,
) -> Tensor: ...
def cross(a: ArrayLike, b: ArrayLike, axis: int = -1, *, dim: int = -1) -> Tensor: ...
def cross_entropy(
    input: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
) -> Tensor: ...
def ctc_loss(
    log_probs: ArrayLike,
    targets: ArrayLike,
    input_lengths: ArrayLike,
    target_lengths: ArrayLike,
    blank: int = 0,
    reduction: Reduction = "mean",
    zero_infinity: bool = False,
) -> Tensor: ...
@overload
def cummax(x: ArrayLike, axis: int) -> Picked: ...
@overload
def cummax(x: ArrayLike, *, dim: int) -> Picked: ...
@overload
def cummin(x: ArrayLike, axis: int) -> Picked: ...
@overload
def cummin(x: ArrayLike, *, dim: int) -> Picked: ...
@overload
def cumprod(x: ArrayLike, axis: int, dtype: Dtype = None) -> Tensor: ...
@overload
def cumprod(x: ArrayLike, *, dim: int, dtype: Dtype = None) -> Tensor: ...
def cumsum(
    x: ArrayLike,
    axis: int | None = None,
    reverse: bool = False,
    dtype: Dtype = None,
    *,
    dim: int | None = None,
) -> Tensor: ...
def cumulative_prod(
    x: ArrayLike,
    axis: int | None = None,
    dtype: Dtype = None,
    include_initial: bool = False,
    *,
    dim: int | None = None,
) -> Tensor: ...
def cumulative_sum(
    x: ArrayLike,
    axis: int | None = None,
    dtype: Dtype = None,
    include_initial: bool = False,
    *,
    dim: int | None = None,
) -> Tensor: ...
def cumulative_trapezoid(
    y: ArrayLike, x: ArrayLike | None = None, dx: float = 1.0, axis: int = -1, *, dim: int = -1
) -> Tensor: ...
def deg2rad(x: ArrayLike) -> Tensor: ...
def diag(x: ArrayLike, k: int = 0, *, diagonal: int = 0, offset: int = 0) -> Tensor: ...
def diag_embed(
    x: ArrayLike,
    offset: int = 0,
    axis1: int = -2,
    axis2: int = -1,
    *,
    dim0: int = -2,
    dim1: int = -2,
    diagonal: int = 0,
    dim2: int = -1,
) -> Tensor: ...
def diagflat(x: ArrayLike, k: int = 0, *, diagonal: int = 0, offset: int = 0) -> Tensor: ...
def diagonal(
    x: ArrayLike,
    offset: int = 0,
    axis1: int = -2,
    axis2: int = -1,
    *,
    dim0: int = -2,
    dim1: int = -2,
    diagonal: int = 0,
    dim2: int = -1,
) -> Tensor: ...
@overload
def diagonal_scatter(
    x: ArrayLike,
    source: ArrayLike,
    offset: int = 0,
    axis1: int = 0,
    axis2: int = 1,
    *,
    dim0: int = 0,
    dim1: int = 0,
    diagonal: int = 0,
    dim2: int = 1,
) -> Tensor: ...
@overload
def diagonal_scatter(
    x: ArrayLike,
    *,
    src: ArrayLike,
    offset: int = 0,
    axis1: int = 0,
    axis2: int = 1,
    dim0: int = 0,
    dim1: int = 0,
    diagonal: int = 0,
    dim2: int = 1,
) -> Tensor: ...
def diff(
    x: ArrayLike,
    n: int = 1,
    axis: int = -1,
    prepend: ArrayLike | None = None,
    append: ArrayLike | None = None,
    *,
    dim: int = -1,
) -> Tensor: ...
def digamma(x: ArrayLike) -> Tensor: ...
def dist(a: ArrayLike, b: ArrayLike, p: float = 2.0) -> Tensor: ...
def div(a: ArrayLike, b: ArrayLike, rounding_mode: str | None = None) -> Tensor: ...
def divide(a: ArrayLike, b: ArrayLike, rounding_mode: str | None = None) -> Tensor: ...
def dot(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def dropout(
    x: ArrayLike,
    p: float = 0.5,
    training: bool = True,
    generator: np.random.Generator | None = None,
) -> Tensor: ...
def dsplit(x: ArrayLike, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]: ...
def dstack(arrays: Sequence[ArrayLike]) -> Tensor: ...
def einsum(subscripts: Any, *operands: Any) -> Tensor: ...
def elu(x: ArrayLike, alpha: float = 1.0) -> Tensor: ...
def embedding(indices: ArrayLike, weight: ArrayLike, padding_idx: int | None = None) -> Tensor: ...
def entr(x: ArrayLike) -> Tensor: ...
def eq(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def equal(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def erf(x: ArrayLike) -> Tensor: ...
def erfc(x: ArrayLike) -> Tensor: ...
def erfcx(x: ArrayLike) -> Tensor: ...
def erfinv(x: ArrayLike) -> Tensor: ...
def exp(x: ArrayLike) -> Tensor: ...
def exp2(x: ArrayLike) -> Tensor: ...
def expand_dims(x: ArrayLike, axis: Axis = 0, *, dim: Axis = 0) -> Tensor: ...
def expm1(x: ArrayLike) -> Tensor: ...
def fill(x: ArrayLike, value: ArrayLike) -> Tensor: ...
def fix(x: ArrayLike) -> Tensor: ...
def flatten(
    x: ArrayLike, start_axis: int = 0, end_axis: int = -1, *, start_dim: int = 0, end_dim: int = -1
) -> Tensor: ...
def flip(x: ArrayLike, axis: Axes = None, *, dims: Axes = None) -> Tensor: ...
def fliplr(x: ArrayLike) -> Tensor: ...
def flipud(x: ArrayLike) -> Tensor: ...
def float_power(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def floor(x: ArrayLike) -> Tensor: ...
def floor_divide(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def fmax(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def fmin(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def fmod(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def fold(
    x: ArrayLike,
    output_size: Sizes,
    kernel_size: Sizes,
    dilation: Sizes = 1,
    padding: Sizes = 0,
    stride: Sizes = 1,
) -> Tensor: ...
def frac(x: ArrayLike) -> Tensor: ...
def frexp(x: ArrayLike) -> MantissaExponent: ...
def gated(gate: ArrayLike, up: ArrayLike, activation: str = "silu") -> Tensor: ...
@overload
def gather(x: ArrayLike, axis: int, index: ArrayLike) -> Tensor: ...
@overload
def gather(x: ArrayLike, *, dim: int, index: ArrayLike) -> Tensor: ...
def gaussian_nll_loss(
    input: ArrayLike,
    target: ArrayLike,
    var: ArrayLike,
    full: bool = False,
    eps: float = 1e-06,
    reduction: Reduction = "mean",
) -> Tensor: ...
def gcd(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def ge(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def gelu(x: ArrayLike, approximate: Literal["none", "tanh"] = "none") -> Tensor: ...
def ger(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def glu(x: ArrayLike, axis: int = -1, *, dim: int = -1) -> Tensor: ...
def gradient(
    x: ArrayLike,
    spacing: float | Sequence[ArrayLike] | None = None,
    axis: Axes = None,
    edge_order: int = 1,
    *,
    dim: Axes = None,
) -> tuple[Tensor, ...]: ...
def greater(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def greater_equal(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def grid_sample(
    x: ArrayLike,
    grid: ArrayLike,
    mode: Literal["bilinear", "nearest", "bicubic"] = "bilinear",
    padding_mode: Literal["zeros", "border", "reflection"] = "zeros",
    align_corners: bool | None = None,
) -> Tensor: ...
def group_norm(
    x: ArrayLike,
    num_groups: int,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    eps: float = 1e-05,
) -> Tensor: ...
def gru(
    x: ArrayLike,
    h0: ArrayLike,
    w_ih: ArrayLike,
    w_hh: ArrayLike,
    b_ih: ArrayLike | None = None,
    b_hh: ArrayLike | None = None,
    reverse: bool = False,
    lengths: ArrayLike | None = None,
    batch_sizes: ArrayLike | None = None,
) -> tuple[Tensor, Tensor]: ...
def gru_cell(x_gates: ArrayLike, h_gates: ArrayLike, h: ArrayLike) -> Tensor: ...
def gt(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def hardshrink(x: ArrayLike, lambd: float = 0.5) -> Tensor: ...
def hardsigmoid(x: ArrayLike, inplace: bool = False) -> Tensor: ...
def hardswish(x: ArrayLike, inplace: bool = False) -> Tensor: ...
def hardtanh(x: ArrayLike, min_val: float = -1.0, max_val: float = 1.0) -> Tensor: ...
def heaviside(x: ArrayLike, values: ArrayLike) -> Tensor: ...
def hinge_embedding_loss(
    input: ArrayLike, target: ArrayLike, margin: float = 1.0, reduction: Reduction = "mean"
) -> Tensor: ...
def histc(x: ArrayLike, bins: int = 100, min: float = 0, max: float = 0) -> Tensor: ...
def histogram(
    x: ArrayLike,
    bins: ArrayLike = 10,
    range: tuple[float, float] | None = None,
    weight: ArrayLike | None = None,
    density: bool = False,
) -> Histogram: ...
def hsplit(x: ArrayLike, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]: ...
def hstack(arrays: Sequence[ArrayLike]) -> Tensor: ...
def huber_loss(
    input: ArrayLike,
    target: ArrayLike,
    reduction: Reduction = "mean",
    delta: float = 1.0,
    weight: ArrayLike | None = None,
) -> Tensor: ...
def hypot(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def i0(x: ArrayLike) -> Tensor: ...
def i0e(x: ArrayLike) -> Tensor: ...
def i1(x: ArrayLike) -> Tensor: ...
def i1e(x: ArrayLike) -> Tensor: ...
def igamma(a: ArrayLike, x: ArrayLike) -> Tensor: ...
def igammac(a: ArrayLike, x: ArrayLike) -> Tensor: ...
def imag(x: ArrayLike) -> Tensor: ...
@overload
def index_add(
    x: ArrayLike, axis: int, index: ArrayLike, source: ArrayLike, alpha: float = 1
) -> Tensor: ...
@overload
def index_add(
    x: ArrayLike, *, dim: int, index: ArrayLike, src: ArrayLike, alpha: float = 1
) -> Tensor: ...
@overload
def index_add(
    x: ArrayLike, axis: int, index: ArrayLike, *, src: ArrayLike, alpha: float = 1
) -> Tensor: ...
@overload
def index_copy(x: ArrayLike, axis: int, index: ArrayLike, source: ArrayLike) -> Tensor: ...
@overload
def index_copy(x: ArrayLike, *, dim: int, index: ArrayLike, src: ArrayLike) -> Tensor: ...
@overload
def index_copy(x: ArrayLike, axis: int, index: ArrayLike, *, src: ArrayLike) -> Tensor: ...
@overload
def index_fill(x: ArrayLike, axis: int, index: ArrayLike, value: ArrayLike) -> Tensor: ...
@overload
def index_fill(x: ArrayLike, *, dim: int, index: ArrayLike, value: ArrayLike) -> Tensor: ...
def index_put(
    x: ArrayLike, indices: tuple[ArrayLike, ...], values: ArrayLike, accumulate: bool = False
) -> Tensor: ...
@overload
def index_reduce(
    x: ArrayLike,
    axis: int,
    index: ArrayLike,
    source: ArrayLike,
    reduce: str,
    include_self: bool = True,
) -> Tensor: ...
@overload
def index_reduce(
    x: ArrayLike,
    *,
    dim: int,
    index: ArrayLike,
    src: ArrayLike,
    reduce: str,
    include_self: bool = True,
) -> Tensor: ...
@overload
def index_reduce(
    x: ArrayLike,
    axis: int,
    index: ArrayLike,
    *,
    src: ArrayLike,
    reduce: str,
    include_self: bool = True,
) -> Tensor: ...
@overload
def index_select(x: ArrayLike, axis: int, index: ArrayLike) -> Tensor: ...
@overload
def index_select(x: ArrayLike, *, dim: int, index: ArrayLike) -> Tensor: ...
def inner(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def interpolate(
    x: ArrayLike,
    size: Sizes | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool = False,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor: ...
def inverse(x: ArrayLike) -> Tensor: ...
def is_complex(x: ArrayLike) -> bool: ...
def is_floating_point(x: ArrayLike) -> bool: ...
def isclose(
    a: ArrayLike, b: ArrayLike, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Tensor: ...
def isfinite(x: ArrayLike) -> Tensor: ...
def isin(x: ArrayLike, elements: ArrayLike, invert: bool = False) -> Tensor: ...
def isinf(x: ArrayLike) -> Tensor: ...
def isnan(x: ArrayLike) -> Tensor: ...
def isneginf(x: ArrayLike) -> Tensor: ...
def isposinf(x: ArrayLike) -> Tensor: ...
def isreal(x: ArrayLike) -> Tensor: ...
def istft(
    x: ArrayLike,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: ArrayLike | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Tensor: ...
def kl_div(
    input: ArrayLike, target: ArrayLike, reduction: str = "mean", log_target: bool = False
) -> Tensor: ...
def kron(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def kthvalue(
    x: ArrayLike,
    k: int,
    axis: int = -1,
    keepdims: bool = False,
    *,
    dim: int = -1,
    keepdim: bool = False,
) -> Picked: ...
def l1_loss(
    input: ArrayLike,
    target: ArrayLike,
    reduction: Reduction = "mean",
    weight: ArrayLike | None = None,
) -> Tensor: ...
def layer_norm(
    x: ArrayLike,
    normalized_shape: int | Sequence[int],
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    eps: float = 1e-05,
) -> Tensor: ...
def lcm(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def ldexp(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def le(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def leaky_relu(x: ArrayLike, negative_slope: float = 0.01) -> Tensor: ...
def lerp(a: ArrayLike, b: ArrayLike, weight: ArrayLike) -> Tensor: ...
def less(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def less_equal(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def lgamma(x: ArrayLike) -> Tensor: ...
def linear(x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None) -> Tensor: ...
def linear_relu(x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None) -> Tensor: ...
def local_response_norm(
    x: ArrayLike,
    size: int,
    alpha: float = 0.0001,
    beta: float = 0.75,
    k: float = 1.0,
    *,
    diagonal: float = 1.0,
    offset: float = 1.0,
) -> Tensor: ...
def log(x: ArrayLike) -> Tensor: ...
def log1p(x: ArrayLike) -> Tensor: ...
def log2(x: ArrayLike) -> Tensor: ...
def log10(x: ArrayLike) -> Tensor: ...
def log_ndtr(x: ArrayLike) -> Tensor: ...
def log_softmax(x: ArrayLike, axis: int = -1, dtype: Dtype = None, *, dim: int = -1) -> Tensor: ...
def logaddexp(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def logaddexp2(a: ArrayLike, b: ArrayLike) -> Tensor: ...
@overload
def logcumsumexp(x: ArrayLike, axis: int) -> Tensor: ...
@overload
def logcumsumexp(x: ArrayLike, *, dim: int) -> Tensor: ...
def logical_and(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def logical_not(x: ArrayLike) -> Tensor: ...
def logical_or(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def logical_xor(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def logit(x: ArrayLike, eps: float | None = None) -> Tensor: ...
def logsigmoid(x: ArrayLike) -> Tensor: ...
def logsumexp(
    x: ArrayLike,
    axis: Axes = None,
    keepdims: bool = False,
    *,
    dim: Axes = None,
    keepdim: bool = False,
) -> Tensor: ...
def lp_pool1d(
    x: ArrayLike,
    norm_type: float,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Tensor: ...
def lp_pool2d(
    x: ArrayLike,
    norm_type: float,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Tensor: ...
def lp_pool3d(
    x: ArrayLike,
    norm_type: float,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Tensor: ...
def lstm(
    x: ArrayLike,
    h0: ArrayLike,
    c0: ArrayLike,
    w_ih: ArrayLike,
    w_hh: ArrayLike,
    b_ih: ArrayLike | None = None,
    b_hh: ArrayLike | None = None,
    reverse: bool = False,
    lengths: ArrayLike | None = None,
    batch_sizes: ArrayLike | None = None,
) -> tuple[Tensor, Tensor, Tensor]: ...
def lstm_cell(gates: ArrayLike, c: ArrayLike) -> tuple[Tensor, Tensor]: ...
def lstm_projected(
    x: ArrayLike,
    h0: ArrayLike,
    c0: ArrayLike,
    w_ih: ArrayLike,
    w_hh: ArrayLike,
    w_hr: ArrayLike,
    b_ih: ArrayLike | None = None,
    b_hh: ArrayLike | None = None,
    reverse: bool = False,
    lengths: ArrayLike | None = None,
    batch_sizes: ArrayLike | None = None,
) -> tuple[Tensor, Tensor, Tensor]: ...
def lt(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def margin_ranking_loss(
    input1: ArrayLike,
    input2: ArrayLike,
    target: ArrayLike,
    margin: float = 0.0,
    reduction: Reduction = "mean",
) -> Tensor: ...
def masked_fill(x: ArrayLike, mask: ArrayLike, value: ArrayLike) -> Tensor: ...
@overload
def masked_scatter(x: ArrayLike, mask: ArrayLike, source: ArrayLike) -> Tensor: ...
@overload
def masked_scatter(x: ArrayLike, mask: ArrayLike, *, src: ArrayLike) -> Tensor: ...
def masked_select(x: ArrayLike, mask: ArrayLike) -> Tensor: ...
def matmul(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def matrix_transpose(x: ArrayLike) -> Tensor: ...
def max(
    x: ArrayLike, axis: Axes = None, keepdims: bool = False, *, keepdim: bool = False
) -> Tensor: ...
def max_pool1d(
    x: ArrayLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor: ...
@overload
def max_pool2d(
    x: ArrayLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: Literal[False] = False,
) -> Tensor: ...
@overload
def max_pool2d(
    x: ArrayLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    *,
    return_indices: Literal[True],
) -> tuple[Tensor, Tensor]: ...
def max_pool2d_with_indices(
    x: ArrayLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> tuple[Tensor, Tensor]: ...
def max_pool3d(
    x: ArrayLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor: ...
def max_unpool1d(
    x: ArrayLike,
    indices: ArrayLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sizes | None = None,
) -> Tensor: ...
def max_unpool2d(
    x: ArrayLike,
    indices: ArrayLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sizes | None = None,
) -> Tensor: ...
def max_unpool3d(
    x: ArrayLike,
    indices: ArrayLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sizes | None = None,
) -> Tensor: ...
def maximum(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def mean(
    x: ArrayLike,
    axis: Axes = None,
    keepdims: bool = False,
    dtype: Dtype = None,
    *,
    dim: Axes = None,
    keepdim: bool = False,
) -> Tensor: ...
def median(
    x: ArrayLike, axis: int | None = None, keepdims: bool = False, *, keepdim: bool = False
) -> Tensor: ...
def meshgrid(*arrays: ArrayLike, indexing: str = "xy") -> tuple[Tensor, ...]: ...
def min(
    x: ArrayLike, axis: Axes = None, keepdims: bool = False, *, keepdim: bool = False
) -> Tensor: ...
def minimum(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def mish(x: ArrayLike, inplace: bool = False) -> Tensor: ...
def mm(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def mode(
    x: ArrayLike, axis: int = -1, keepdims: bool = False, *, dim: int = -1, keepdim: bool = False
) -> Picked: ...
@overload
def moveaxis(x: ArrayLike, source: Axis, destination: Axis) -> Tensor: ...
@overload
def moveaxis(x: ArrayLike, *, src: Axis, destination: Axis) -> Tensor: ...
@overload
def movedim(x: ArrayLike, source: Axis, destination: Axis) -> Tensor: ...
@overload
def movedim(x: ArrayLike, *, src: Axis, destination: Axis) -> Tensor: ...
def mse_loss(
    input: ArrayLike,
    target: ArrayLike,
    reduction: Reduction = "mean",
    weight: ArrayLike | None = None,
) -> Tensor: ...
def msort(x: ArrayLike) -> Tensor: ...
def mul(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def multi_margin_loss(
    input: ArrayLike,
    target: ArrayLike,
    p: int = 1,
    margin: float = 1.0,
    weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
) -> Tensor: ...
def multilabel_margin_loss(
    input: ArrayLike, target: ArrayLike, reduction: Reduction = "mean"
) -> Tensor: ...
def multilabel_soft_margin_loss(
    input: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
) -> Tensor: ...
def multiply(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def mv(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def mvlgamma(x: ArrayLike, p: int) -> Tensor: ...
def nan_to_num(
    x: ArrayLike, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Tensor: ...
def nanmean(
    x: ArrayLike,
    axis: Axes = None,
    keepdims: bool = False,
    *,
    dim: Axes = None,
    keepdim: bool = False,
) -> Tensor: ...
def nanmedian(
    x: ArrayLike, axis: int | None = None, keepdims: bool = False, *, keepdim: bool = False
) -> Tensor: ...
def nanquantile(
    x: ArrayLike,
    q: ArrayLike,
    axis: int | None = None,
    keepdims: bool = False,
    interpolation: Interpolation = "linear",
    *,
    dim: int | None = None,
    keepdim: bool = False,
) -> Tensor: ...
def nansum(
    x: ArrayLike,
    axis: Axes = None,
    keepdims: bool = False,
    dtype: Dtype = None,
    *,
    dim: Axes = None,
    keepdim: bool = False,
) -> Tensor: ...
@overload
def narrow(x: ArrayLike, axis: int, start: int, length: int) -> Tensor: ...
@overload
def narrow(x: ArrayLike, *, dim: int, start: int, length: int) -> Tensor: ...
def ndtr(x: ArrayLike) -> Tensor: ...
def ne(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def neg(x: ArrayLike) -> Tensor: ...
def negative(x: ArrayLike) -> Tensor: ...
def nextafter(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def nll_loss(
    input: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
) -> Tensor: ...
def nonzero(x: ArrayLike) -> tuple[Tensor, ...]: ...
def not_equal(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def numel(x: ArrayLike) -> int: ...
def outer(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def packed_embedding(indices: ArrayLike, matrix: PackedMatrix) -> Tensor: ...
def packed_linear(x: ArrayLike, matrix: PackedMatrix, bias: ArrayLike | None = None) -> Tensor: ...
def pad(
    x: ArrayLike, pad_width: int | Sequence[Any], mode: str = "constant", constant_values: float = 0
) -> Tensor: ...
def pairwise_distance(
    x1: ArrayLike,
    x2: ArrayLike,
    p: float = 2.0,
    eps: float = 1e-06,
    keepdims: bool = False,
    *,
    keepdim: bool = False,
) -> Tensor: ...
def pdist(x: ArrayLike, p: float = 2.0) -> Tensor: ...
def permute(
    x: ArrayLike, axes: Sequence[int] | None = None, *, dims: Sequence[int] | None = None
) -> Tensor: ...
def permute_dims(
    x: ArrayLike, axes: Sequence[int] | None = None, *, dims: Sequence[int] | None = None
) -> Tensor: ...
def pixel_shuffle(x: ArrayLike, upscale_factor: int) -> Tensor: ...
def pixel_unshuffle(x: ArrayLike, downscale_factor: int) -> Tensor: ...
def poisson_nll_loss(
    input: ArrayLike,
    target: ArrayLike,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-08,
    reduction: Reduction = "mean",
) -> Tensor: ...
def polar(r: ArrayLike, angle: ArrayLike) -> Tensor: ...
def polygamma(n: int, x: ArrayLike) -> Tensor: ...
def positive(x: ArrayLike) -> Tensor: ...
def pow(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def prelu(x: ArrayLike, weight: ArrayLike) -> Tensor: ...
def prod(
    x: ArrayLike,
    axis: Axes = None,
    keepdims: bool = False,
    dtype: Dtype = None,
    *,
    dim: Axes = None,
    keepdim: bool = False,
) -> Tensor: ...
@overload
def put(x: ArrayLike, index: ArrayLike, source: ArrayLike, accumulate: bool = False) -> Tensor: ...
@overload
def put(x: ArrayLike, index: ArrayLike, *, src: ArrayLike, accumulate: bool = False) -> Tensor: ...
def quantile(
    x: ArrayLike,
    q: ArrayLike,
    axis: int | None = None,
    keepdims: bool = False,
    interpolation: Interpolation = "linear",
    *,
    dim: int | None = None,
    keepdim: bool = False,
) -> Tensor: ...
def rad2deg(x: ArrayLike) -> Tensor: ...
def ravel(x: ArrayLike) -> Tensor: ...
def real(x: ArrayLike) -> Tensor: ...
def reciprocal(x: ArrayLike) -> Tensor: ...
def relu(x: ArrayLike) -> Tensor: ...
def relu6(x: ArrayLike, inplace: bool = False) -> Tensor: ...
def remainder(a: ArrayLike, b: ArrayLike) -> Tensor: ...
@overload
def renorm(x: ArrayLike, p: float, axis: int, maxnorm: float) -> Tensor: ...
@overload
def renorm(x: ArrayLike, p: float, *, dim: int, maxnorm: float) -> Tensor: ...
def repeat(
    x: ArrayLike, repeats: ArrayLike, axis: int | None = None, *, dim: int | None = None
) -> Tensor: ...
def repeat_interleave(
    x: ArrayLike, repeats: ArrayLike, axis: int | None = None, *, dim: int | None = None
) -> Tensor: ...
def reshape(x: ArrayLike, shape: Shape, copy: bool | None = None) -> Tensor: ...
def rms_norm(
    x: ArrayLike,
    normalized_shape: int | Sequence[int],
    weight: ArrayLike | None = None,
    eps: float | None = None,
) -> Tensor: ...
def rnn(
    x: ArrayLike,
    h0: ArrayLike,
    w_ih: ArrayLike,
    w_hh: ArrayLike,
    b_ih: ArrayLike | None = None,
    b_hh: ArrayLike | None = None,
    nonlinearity: Nonlinearity = "tanh",
    reverse: bool = False,
    lengths: ArrayLike | None = None,
    batch_sizes: ArrayLike | None = None,
) -> tuple[Tensor, Tensor]: ...
@overload
def roll(x: ArrayLike, shift: Axis, axis: Axes = None, *, dims: Axes = None) -> Tensor: ...
@overload
def roll(x: ArrayLike, *, shifts: Axis, axis: Axes = None, dims: Axes = None) -> Tensor: ...
def rot90(
    x: ArrayLike,
    k: int = 1,
    axes: Sequence[int] = (0, 1),
    *,
    dim: Sequence[int] = (0, 1),
    diagonal: int = 1,
    offset: int = 1,
) -> Tensor: ...
def rotary_embedding(
    x: ArrayLike,
    positions: ArrayLike,
    frequencies: ArrayLike,
    interleaved: bool = False,
    scale: float = 1.0,
) -> Tensor: ...
def round(x: ArrayLike, decimals: int = 0) -> Tensor: ...
def row_stack(arrays: Sequence[ArrayLike]) -> Tensor: ...
def rsqrt(x: ArrayLike) -> Tensor: ...
def scaled_dot_product_attention(
    query: ArrayLike,
    key: ArrayLike,
    value: ArrayLike,
    attn_mask: ArrayLike | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    generator: np.random.Generator | None = None,
    bias: ArrayLike | None = None,
    alibi_slopes: ArrayLike | None = None,
    key_lengths: ArrayLike | None = None,
    *,
    window: int | tuple[int | None, int | None] | None = None,
    softcap: float | None = None,
    offset: int = 0,
    diagonal: int = 0,
) -> Tensor: ...
@overload
def scatter(
    x: ArrayLike,
    axis: int,
    index: ArrayLike,
    source: ArrayLike,
    reduce: str | None = None,
    include_self: bool = True,
) -> Tensor: ...
@overload
def scatter(
    x: ArrayLike,
    *,
    dim: int,
    index: ArrayLike,
    src: ArrayLike,
    reduce: str | None = None,
    include_self: bool = True,
) -> Tensor: ...
@overload
def scatter(
    x: ArrayLike,
    axis: int,
    index: ArrayLike,
    *,
    src: ArrayLike,
    reduce: str | None = None,
    include_self: bool = True,
) -> Tensor: ...
@overload
def scatter_add(x: ArrayLike, axis: int, index: ArrayLike, source: ArrayLike) -> Tensor: ...
@overload
def scatter_add(x: ArrayLike, *, dim: int, index: ArrayLike, src: ArrayLike) -> Tensor: ...
@overload
def scatter_add(x: ArrayLike, axis: int, index: ArrayLike, *, src: ArrayLike) -> Tensor: ...
@overload
def scatter_reduce(
    x: ArrayLike,
    axis: int,
    index: ArrayLike,
    source: ArrayLike,
    reduce: str,
    include_self: bool = True,
) -> Tensor: ...
@overload
def scatter_reduce(
    x: ArrayLike,
    *,
    dim: int,
    index: ArrayLike,
    src: ArrayLike,
    reduce: str,
    include_self: bool = True,
) -> Tensor: ...
@overload
def scatter_reduce(
    x: ArrayLike,
    axis: int,
    index: ArrayLike,
    *,
    src: ArrayLike,
    reduce: str,
    include_self: bool = True,
) -> Tensor: ...
@overload
def searchsorted(
    x: ArrayLike,
    values: ArrayLike,
    side: Literal["left", "right"] = "left",
    sorter: ArrayLike | None = None,
    right: bool = False,
    out_int32: bool = False,
) -> Tensor: ...
@overload
def searchsorted(
    x: ArrayLike,
    *,
    input: ArrayLike,
    side: Literal["left", "right"] = "left",
    sorter: ArrayLike | None = None,
    right: bool = False,
    out_int32: bool = False,
) -> Tensor: ...
@overload
def select(x: ArrayLike, axis: int, index: int) -> Tensor: ...
@overload
def select(x: ArrayLike, *, dim: int, index: int) -> Tensor: ...
@overload
def select_scatter(x: ArrayLike, source: ArrayLike, axis: int, index: int) -> Tensor: ...
@overload
def select_scatter(x: ArrayLike, *, src: ArrayLike, dim: int, index: int) -> Tensor: ...
@overload
def select_scatter(x: ArrayLike, source: ArrayLike, *, dim: int, index: int) -> Tensor: ...
def selu(x: ArrayLike, inplace: bool = False) -> Tensor: ...
def sgn(x: ArrayLike) -> Tensor: ...
def sigmoid(x: ArrayLike) -> Tensor: ...
def sign(x: ArrayLike) -> Tensor: ...
def signbit(x: ArrayLike) -> Tensor: ...
def silu(x: ArrayLike) -> Tensor: ...
def sin(x: ArrayLike) -> Tensor: ...
def sinc(x: ArrayLike) -> Tensor: ...
def sinh(x: ArrayLike) -> Tensor: ...
@overload
def slice_scatter(
    x: ArrayLike,
    source: ArrayLike,
    axis: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
    *,
    dim: int = 0,
) -> Tensor: ...
@overload
def slice_scatter(
    x: ArrayLike,
    *,
    src: ArrayLike,
    axis: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
    dim: int = 0,
) -> Tensor: ...
def smooth_l1_loss(
    input: ArrayLike, target: ArrayLike, reduction: Reduction = "mean", beta: float = 1.0
) -> Tensor: ...
def soft_margin_loss(
    input: ArrayLike, target: ArrayLike, reduction: Reduction = "mean"
) -> Tensor: ...
def softmax(x: ArrayLike, axis: int = -1, dtype: Dtype = None, *, dim: int = -1) -> Tensor: ...
def softmin(x: ArrayLike, axis: int = -1, dtype: Dtype = None, *, dim: int = -1) -> Tensor: ...
def softplus(x: ArrayLike, beta: float = 1.0, threshold: float = 20.0) -> Tensor: ...
def softshrink(x: ArrayLike, lambd: float = 0.5) -> Tensor: ...
def softsign(x: ArrayLike) -> Tensor: ...
def sort(x: ArrayLike, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor: ...
def split(
    x: ArrayLike, indices_or_sections: int | Sequence[int], axis: int = 0
) -> tuple[Tensor, ...]: ...
def split_with_sizes(
    x: ArrayLike, sizes: Sequence[int], axis: int = 0, *, dim: int = 0
) -> tuple[Tensor, ...]: ...
def sqrt(x: ArrayLike) -> Tensor: ...
def square(x: ArrayLike) -> Tensor: ...
def squeeze(x: ArrayLike, axis: Axes = None) -> Tensor: ...
def stack(arrays: Sequence[ArrayLike], axis: int = 0, *, dim: int = 0) -> Tensor: ...
def std(
    x: ArrayLike,
    axis: Axes = None,
    correction: float = 0.0,
    keepdims: bool = False,
    *,
    dim: Axes = None,
    keepdim: bool = False,
) -> Tensor: ...
def std_mean(
    x: ArrayLike,
    axis: Axes = None,
    correction: float = 1,
    keepdims: bool = False,
    *,
    dim: Axes = None,
    keepdim: bool = False,
) -> tuple[Tensor, Tensor]: ...
def stft(
    x: ArrayLike,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: ArrayLike | None = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool = True,
) -> Tensor: ...
def sub(a: ArrayLike, b: ArrayLike, alpha: ArrayLike = 1) -> Tensor: ...
def subtract(a: ArrayLike, b: ArrayLike, alpha: ArrayLike = 1) -> Tensor: ...
def sum(
    x: ArrayLike,
    axis: Axes = None,
    keepdims: bool = False,
    dtype: Dtype = None,
    *,
    dim: Axes = None,
    keepdim: bool = False,
) -> Tensor: ...
@overload
def swapaxes(x: ArrayLike, axis1: int, axis2: int) -> Tensor: ...
@overload
def swapaxes(x: ArrayLike, *, dim0: int, dim1: int) -> Tensor: ...
@overload
def swapaxes(x: ArrayLike, axis1: int, *, dim1: int) -> Tensor: ...
@overload
def swapdims(x: ArrayLike, axis1: int, axis2: int) -> Tensor: ...
@overload
def swapdims(x: ArrayLike, *, dim0: int, dim1: int) -> Tensor: ...
@overload
def swapdims(x: ArrayLike, axis1: int, *, dim1: int) -> Tensor: ...
def t(x: ArrayLike) -> Tensor: ...
def take(
    x: ArrayLike, indices: ArrayLike, axis: int | None = None, *, dim: int | None = None
) -> Tensor: ...
def take_along_axis(
    x: ArrayLike, indices: ArrayLike, axis: int = -1, *, dim: int = -1
) -> Tensor: ...
def take_along_dim(
    x: ArrayLike, indices: ArrayLike, axis: int | None = None, *, dim: int | None = None
) -> Tensor: ...
def tan(x: ArrayLike) -> Tensor: ...
def tanh(x: ArrayLike) -> Tensor: ...
def tanhshrink(x: ArrayLike) -> Tensor: ...
def tensor_split(
    x: ArrayLike, indices_or_sections: int | Sequence[int], axis: int = 0, *, dim: int = 0
) -> tuple[Tensor, ...]: ...
def tensordot(
    a: ArrayLike, b: ArrayLike, axes: int | tuple[Any, Any] = 2, *, dims: int | tuple[Any, Any] = 2
) -> Tensor: ...
def threshold(x: ArrayLike, threshold: float, value: float, inplace: bool = False) -> Tensor: ...
def tile(x: ArrayLike, repetitions: int | Sequence[int]) -> Tensor: ...
def topk(
    x: ArrayLike,
    k: int,
    axis: int = -1,
    largest: bool = True,
    sorted: bool = True,
    *,
    dim: int = -1,
) -> TopK: ...
def trace(x: ArrayLike, offset: int = 0, dtype: Dtype = None, *, diagonal: int = 0) -> Tensor: ...
@overload
def transpose(x: ArrayLike, axis1: int, axis2: int) -> Tensor: ...
@overload
def transpose(x: ArrayLike, *, dim0: int, dim1: int) -> Tensor: ...
@overload
def transpose(x: ArrayLike, axis1: int, *, dim1: int) -> Tensor: ...
def trapezoid(
    y: ArrayLike, x: ArrayLike | None = None, dx: float = 1.0, axis: int = -1, *, dim: int = -1
) -> Tensor: ...
def trapz(
    y: ArrayLike, x: ArrayLike | None = None, dx: float = 1.0, axis: int = -1, *, dim: int = -1
) -> Tensor: ...
def tril(x: ArrayLike, k: int = 0, *, diagonal: int = 0, offset: int = 0) -> Tensor: ...
def triplet_margin_loss(
    anchor: ArrayLike,
    positive: ArrayLike,
    negative: ArrayLike,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-06,
    swap: bool = False,
    reduction: Reduction = "mean",
) -> Tensor: ...
def triplet_margin_with_distance_loss(
    anchor: ArrayLike,
    positive: ArrayLike,
    negative: ArrayLike,
    *,
    distance_function: Callable[[Any, Any], Any] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: Reduction = "mean",
) -> Tensor: ...
def triu(x: ArrayLike, k: int = 0, *, diagonal: int = 0, offset: int = 0) -> Tensor: ...
def true_divide(a: ArrayLike, b: ArrayLike, rounding_mode: str | None = None) -> Tensor: ...
def trunc(x: ArrayLike) -> Tensor: ...
def unbind(x: ArrayLike, axis: int = 0, *, dim: int = 0) -> tuple[Tensor, ...]: ...
@overload
def unflatten(x: ArrayLike, axis: int, sizes: Shape) -> Tensor: ...
@overload
def unflatten(x: ArrayLike, *, dim: int, sizes: Shape) -> Tensor: ...
def unfold(
    x: ArrayLike, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1
) -> Tensor: ...
def unique(
    x: ArrayLike,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    dim: int | None = None,
) -> Tensor | tuple[Tensor, ...]: ...
def unique_all(x: ArrayLike) -> UniqueAllResult: ...
def unique_consecutive(
    x: ArrayLike,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    dim: int | None = None,
) -> Tensor | tuple[Tensor, ...]: ...
def unique_counts(x: ArrayLike) -> UniqueCountsResult: ...
def unique_inverse(x: ArrayLike) -> UniqueInverseResult: ...
def unique_values(x: ArrayLike, axis: int | None = None, *, dim: int | None = None) -> Tensor: ...
def unravel_index(indices: ArrayLike, shape: tuple[int, ...]) -> tuple[Tensor, ...]: ...
def unsqueeze(x: ArrayLike, axis: Axis = 0, *, dim: Axis = 0) -> Tensor: ...
def unstack(x: ArrayLike, axis: int = 0, *, dim: int = 0) -> tuple[Tensor, ...]: ...
def var(
    x: ArrayLike,
    axis: Axes = None,
    correction: float = 0.0,
    keepdims: bool = False,
    *,
    dim: Axes = None,
    keepdim: bool = False,
) -> Tensor: ...
def var_mean(
    x: ArrayLike,
    axis: Axes = None,
    correction: float = 1,
    keepdims: bool = False,
    *,
    dim: Axes = None,
    keepdim: bool = False,
) -> tuple[Tensor, Tensor]: ...
def vdot(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def vecdot(a: ArrayLike, b: ArrayLike, axis: int = -1, *, dim: int = -1) -> Tensor: ...
def vsplit(x: ArrayLike, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]: ...
def vstack(arrays: Sequence[ArrayLike]) -> Tensor: ...
@overload
def where(condition: ArrayLike, a: ArrayLike, b: ArrayLike) -> Tensor: ...
@overload
def where(condition: ArrayLike, *, input: ArrayLike, other: ArrayLike) -> Tensor: ...
@overload
def where(condition: ArrayLike, a: ArrayLike, *, other: ArrayLike) -> Tensor: ...
def xlog1py(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def xlogy(a: ArrayLike, b: ArrayLike) -> Tensor: ...
