"""The functions behind the modules, under PyTorch's names and with its argument names.

Each is an op of :mod:`tinytensor.ops` or a few lines of them; the arrays' own names (``axis``,
``keepdims``) are those of the ops, PyTorch's (``dim``, ``input``) live here.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from .. import ops
from ..tensor import Tensor

__all__ = [
    "adaptive_avg_pool2d",
    "avg_pool2d",
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "conv2d",
    "cross_entropy",
    "dropout",
    "elu",
    "embedding",
    "fold",
    "gelu",
    "hardtanh",
    "interpolate",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "max_pool2d",
    "mse_loss",
    "nll_loss",
    "normalize",
    "one_hot",
    "pad",
    "relu",
    "rms_norm",
    "scaled_dot_product_attention",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softplus",
    "tanh",
    "unfold",
]

Pair = int | tuple[int, int]
Reduction = Literal["none", "mean", "sum"]

# --- Layers ----------------------------------------------------------------------------------


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``input @ weight.mT + bias``, with input (…, in), weight (out, in), bias (out,).

    >>> import tinytensor as tt
    >>> tt.nn.functional.linear(tt.tensor([1.0, 2.0]), tt.tensor([[3.0, 4.0]]), tt.tensor([5.0]))
    tensor([16.])
    """
    return ops.linear(input, weight, bias)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Pair = 1,
    padding: Pair | str = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation of input (N, C, H, W) with weight (K, C / groups, R, S), plus bias (K,).

    The output is (N, K, H', W') with ``H' = (H + 2 padding - dilation (R - 1) - 1) // stride + 1``.
    ``padding`` may be "valid" (none) or "same" (H' = H, for stride 1). Without N where input has
    3 axes.
    """
    return ops.conv2d(input, weight, bias, stride, padding, dilation, groups)


def max_pool2d(
    input: Tensor,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """The largest element in each window of (…, H, W); ``stride`` is ``kernel_size`` if None.

    >>> import tinytensor as tt
    >>> tt.nn.functional.max_pool2d(tt.tensor([[[1.0, 2.0], [3.0, 4.0]]]), 2)
    tensor([[[4.]]])
    """
    return ops.max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode)


def avg_pool2d(
    input: Tensor,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window of (…, H, W); ``stride`` is ``kernel_size`` if None.

    >>> import tinytensor as tt
    >>> tt.nn.functional.avg_pool2d(tt.tensor([[[1.0, 2.0], [3.0, 4.0]]]), 2)
    tensor([[[2.5]]])
    """
    return ops.avg_pool2d(
        input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


def adaptive_avg_pool2d(input: Tensor, output_size: int | tuple[int | None, int | None]) -> Tensor:
    """Means of windows such that (…, H, W) becomes (…, *output_size); None keeps a size."""
    return ops.adaptive_avg_pool2d(input, output_size)


def pad(
    input: Tensor, pad: tuple[int, ...], mode: str = "constant", value: float | None = None
) -> Tensor:
    """Elements put before and behind the last axes: ``pad`` is (last axis before, behind, the axis
    before it before, behind, …). ``mode``: "constant", "reflect", "replicate" or "circular".

    >>> import tinytensor as tt
    >>> tt.nn.functional.pad(tt.tensor([1.0, 2.0]), (1, 2), value=9.0)
    tensor([9., 1., 2., 9., 9.])
    """
    modes = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    if mode not in modes:
        raise ValueError(f"pad: there is no mode {mode!r}")
    if len(pad) % 2 or len(pad) > 2 * input.ndim:
        raise ValueError(f"pad: pad has {len(pad)} lengths, input has {input.ndim} axes")
    pairs = [(0, 0)] * (input.ndim - len(pad) // 2)
    pairs += [(pad[i], pad[i + 1]) for i in range(len(pad) - 2, -1, -2)]
    return ops.pad(input, tuple(pairs), modes[mode], 0 if value is None else value)


def embedding(input: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """The rows of weight (rows, dim) at the integers of input (…): (…, dim). The row
    ``padding_idx`` gets no gradient."""
    return ops.embedding(input, weight, padding_idx)


def layer_norm(
    input: Tensor,
    normalized_shape: tuple[int, ...],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """``(input - mean) / sqrt(var + eps) * weight + bias`` over the last axes, those of
    ``normalized_shape``; var is the biased one."""
    return ops.layer_norm(input, tuple(normalized_shape), weight, bias, eps)


def rms_norm(
    input: Tensor,
    normalized_shape: tuple[int, ...],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """``input / sqrt(mean(input²) + eps) * weight`` over the last axes, those of
    ``normalized_shape``; eps is that of the dtype if None."""
    return ops.rms_norm(input, tuple(normalized_shape), weight, eps)


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """``(input - mean) / sqrt(var + eps) * weight + bias`` for each channel of (N, C, …).

    In training mean and (biased) var are the batch's, and the running ones are moved towards them
    (var unbiased) by ``momentum``, in place; else they are the running ones.
    """
    out = ops.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)
    for running in (running_mean, running_var):
        if training and running is not None:
            running.changed("batch_norm")
    return out


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """In training, zeros with probability ``p`` and the other elements times 1 / (1 - p)."""
    return ops.dropout(input, p, training)


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """``softmax(scale * query @ key.mT + attn_mask) @ value``, without ever holding the matrix.

    Query (…, L, E), key (…, S, E), value (…, S, V) give (…, L, V); ``scale`` is 1/√E if None. A
    bool mask is True where a query may look, another one is added. A query that may look nowhere
    gets 0. With ``enable_gqa`` several heads of the query may share one of key and value, which is
    never repeated. (Dao et al. 2022; Ainslie et al. 2023.)
    """
    return ops.scaled_dot_product_attention(
        query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa
    )


# --- Activations -----------------------------------------------------------------------------


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """``max(x, 0)``."""
    return ops.relu(input)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where x > 0, else ``negative_slope * x``."""
    return ops.leaky_relu(input, negative_slope)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else ``alpha * (exp(x) - 1)``."""
    return ops.elu(input, alpha)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """``x Φ(x)``, Φ the normal distribution function; ``approximate="tanh"`` is faster."""
    return ops.gelu(input, approximate)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """``x sigmoid(x)``."""
    return ops.silu(input)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """``log(1 + exp(beta x)) / beta``; x itself where beta x > ``threshold``."""
    return ops.softplus(input, beta, threshold)


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """x into [``min_val``, ``max_val``]."""
    return ops.hardtanh(input, min_val, max_val)


def sigmoid(input: Tensor) -> Tensor:
    """``1 / (1 + exp(-x))``."""
    return ops.sigmoid(input)


def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent."""
    return ops.tanh(input)


def softmax(input: Tensor, dim: int = -1) -> Tensor:
    """``exp(x) / sum(exp(x))`` along ``dim``.

    >>> import tinytensor as tt
    >>> tt.nn.functional.softmax(tt.tensor([0.0, 0.0]), dim=0)
    tensor([0.5, 0.5])
    """
    return ops.softmax(input, dim)


def log_softmax(input: Tensor, dim: int = -1) -> Tensor:
    """``x - log(sum(exp(x)))`` along ``dim``."""
    return ops.log_softmax(input, dim)


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """x divided by its p-norm along ``dim``, or by ``eps`` where that is larger.

    >>> import tinytensor as tt
    >>> tt.nn.functional.normalize(tt.tensor([[3.0, 4.0]]))
    tensor([[0.6, 0.8]])
    """
    return input / ops.maximum(ops.matrices.vector_norm(input, dim, True, p), eps)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """int64 of shape (…, num_classes): 1 at the class, else 0; -1 means 1 + the largest class.

    >>> import tinytensor as tt
    >>> tt.nn.functional.one_hot(tt.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    if tensor.dtype.kind not in "iu":
        raise TypeError(f"one_hot: the classes are {tensor.dtype}, not integers")
    if tensor.level and num_classes >= 0:  # of one lane of a vmap: nobody can look at the classes
        rows = np.eye(num_classes, dtype=np.float32)
        return ops.astype(ops.embedding(tensor, rows), np.int64)
    classes = tensor.numpy()
    count = num_classes if num_classes >= 0 else int(classes.max(initial=-1)) + 1
    if classes.size and not (classes.min() >= 0 and classes.max() < count):
        raise ValueError(f"one_hot: classes from {classes.min()} to {classes.max()} of {count}")
    return Tensor((classes[..., None] == np.arange(count)).astype(np.int64))


# --- Losses ----------------------------------------------------------------------------------


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """``-log softmax(input)[target]``: logits (N, C, …) or (C,), and class indices (N, …), or
    probabilities of the shape of input. The mean is weighted by the classes' ``weight`` (C,)."""
    return ops.cross_entropy(input, target, weight, ignore_index, reduction, label_smoothing)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
) -> Tensor:
    """``-weight[target] * input[target]`` of log-probabilities (N, C, …) and classes (N, …)."""
    return ops.nll_loss(input, target, weight, ignore_index, reduction)


def mse_loss(input: Tensor, target: Tensor, reduction: Reduction = "mean") -> Tensor:
    """``(input - target)²``."""
    return ops.mse_loss(input, target, reduction)


def l1_loss(input: Tensor, target: Tensor, reduction: Reduction = "mean") -> Tensor:
    """``|input - target|``."""
    return ops.l1_loss(input, target, reduction)


def smooth_l1_loss(
    input: Tensor, target: Tensor, reduction: Reduction = "mean", beta: float = 1.0
) -> Tensor:
    """``d² / (2 beta)`` where d = |input - target| < beta, else ``d - beta / 2``."""
    return ops.smooth_l1_loss(input, target, reduction, beta)


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """``-weight (y log p + (1 - y) log(1 - p))`` of probabilities p; the logs are at least -100."""
    return ops.binary_cross_entropy(input, target, weight, reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: Reduction = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """``-weight (pos_weight y log p + (1 - y) log(1 - p))`` with p = sigmoid(input), stably."""
    return ops.binary_cross_entropy_with_logits(input, target, weight, reduction, pos_weight)


# --- Windows and sizes -----------------------------------------------------------------------


def unfold(
    input: Tensor, kernel_size: Pair, dilation: Pair = 1, padding: Pair = 0, stride: Pair = 1
) -> Tensor:
    """Each window of the input (N, C, H, W) as a column: (N, C · kh · kw, number of windows)."""
    return ops.unfold(input, kernel_size, dilation, padding, stride)


def fold(
    input: Tensor,
    output_size: Pair,
    kernel_size: Pair,
    dilation: Pair = 1,
    padding: Pair = 0,
    stride: Pair = 1,
) -> Tensor:
    """Columns, as :func:`unfold` makes them, added up as an image (N, C, ``output_size``)."""
    return ops.fold(input, output_size, kernel_size, dilation, padding, stride)


def interpolate(
    input: Tensor,
    size: int | tuple[int, ...] | None = None,
    scale_factor: float | tuple[float, ...] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """The input (N, C, …) in another size; ``mode`` is "nearest", "linear" or "bilinear"."""
    return ops.interpolate(input, size, scale_factor, mode, bool(align_corners))
