"""The functions behind the modules, under PyTorch's names and with its argument names.

Most are the ops of :mod:`tinytensor.ops` themselves, which take ``input`` and ``dim`` as well as
the arrays' own names ``x`` and ``axis``. The others are a few lines of ops.
"""

from __future__ import annotations

import math
import typing as _typing
from functools import update_wrapper
from typing import Any, Literal

import numpy as np

from .. import ops
from ..dtypes import is_floating
from ..engine.grad_mode import is_grad_enabled, no_grad
from ..errors import DtypeError, ShapeError
from ..ops import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
    affine_grid,
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    celu,
    channel_shuffle,
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
    cosine_embedding_loss,
    cosine_similarity,
    cross_entropy,
    ctc_loss,
    fold,
    gaussian_nll_loss,
    gelu,
    glu,
    grid_sample,
    group_norm,
    hardshrink,
    hardsigmoid,
    hardswish,
    hinge_embedding_loss,
    huber_loss,
    kl_div,
    l1_loss,
    layer_norm,
    linear,
    local_response_norm,
    log_softmax,
    logsigmoid,
    lp_pool1d,
    lp_pool2d,
    lp_pool3d,
    margin_ranking_loss,
    max_pool1d,
    max_pool2d,
    max_pool3d,
    max_unpool1d,
    max_unpool2d,
    max_unpool3d,
    mish,
    mse_loss,
    multi_margin_loss,
    multilabel_margin_loss,
    multilabel_soft_margin_loss,
    nll_loss,
    pairwise_distance,
    pdist,
    pixel_shuffle,
    pixel_unshuffle,
    poisson_nll_loss,
    prelu,
    relu6,
    rms_norm,
    selu,
    sigmoid,
    smooth_l1_loss,
    soft_margin_loss,
    softmax,
    softmin,
    softplus,
    softshrink,
    softsign,
    tanh,
    tanhshrink,
    threshold,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
    unfold,
)
from ..ops.checks import fits_memory, number
from ..ops.composed import in_own_name
from ..ops.fractional_pooling import fractional_max_pool
from ..ops.losses.linear import Kept, linear_cross_entropy_chunked
from ..ops.precision import once_rounded
from ..ops.ways import tells as _tells
from ..tensors.methods import in_place_of
from ..tensors.sampling import rand, rand_like
from ..tensors.tensor import Tensor
from .embedding_bags import embedding, embedding_bag
from .multi_head import multi_head_attention_forward, scaled_dot_product_attention

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "affine_grid",
    "alpha_dropout",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "batch_norm",
    "bilinear",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "celu",
    "celu_",
    "channel_shuffle",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cosine_embedding_loss",
    "cosine_similarity",
    "cross_entropy",
    "ctc_loss",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "elu",
    "elu_",
    "embedding",
    "embedding_bag",
    "feature_alpha_dropout",
    "fold",
    "fractional_max_pool2d",
    "fractional_max_pool3d",
    "gaussian_nll_loss",
    "gelu",
    "glu",
    "grid_sample",
    "group_norm",
    "gumbel_softmax",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hardtanh_",
    "hinge_embedding_loss",
    "huber_loss",
    "instance_norm",
    "interpolate",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "leaky_relu_",
    "linear",
    "linear_cross_entropy",
    "local_response_norm",
    "log_softmax",
    "logsigmoid",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "margin_ranking_loss",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
    "mish",
    "mse_loss",
    "multi_head_attention_forward",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "nll_loss",
    "normalize",
    "one_hot",
    "pad",
    "pairwise_distance",
    "pdist",
    "pixel_shuffle",
    "pixel_unshuffle",
    "poisson_nll_loss",
    "prelu",
    "relu",
    "relu6",
    "relu_",
    "rms_norm",
    "rrelu",
    "rrelu_",
    "scaled_dot_product_attention",
    "selu",
    "selu_",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "soft_margin_loss",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
    "threshold",
    "threshold_",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
    "unfold",
    "upsample",
    "upsample_bilinear",
    "upsample_nearest",
]

Sizes = int | tuple[int, ...]
Reduction = Literal["none", "mean", "sum"]

# --- Layers ----------------------------------------------------------------------------------


@in_own_name
def pad(
    input: Tensor, pad: tuple[int, ...], mode: str = "constant", value: float | None = None
) -> Tensor:
    """Elements put before and behind the last axes: ``pad`` is (last axis before, behind, the axis
    before it before, behind, …). ``mode``: "constant", "reflect", "replicate" or "circular". A
    negative length takes elements away.

    >>> import tinytensor as tt
    >>> tt.nn.functional.pad(tt.tensor([1.0, 2.0]), (1, 2), value=9.0)
    tensor([9., 1., 2., 9., 9.])
    """
    modes = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    if mode not in modes:
        raise ValueError(f"pad: there is no mode {mode!r}")
    if mode != "constant" and value is not None:
        raise ValueError(f"pad: mode {mode!r} takes its elements from input, and no value")
    if len(pad) % 2 or len(pad) > 2 * input.ndim:
        raise ValueError(f"pad: pad has {len(pad)} lengths, input has {input.ndim} axes")
    pairs = [(0, 0)] * (input.ndim - len(pad) // 2)
    pairs += [(pad[i], pad[i + 1]) for i in range(len(pad) - 2, -1, -2)]
    return ops.pad(input, tuple(pairs), modes[mode], 0 if value is None else value)


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
    (var unbiased) by ``momentum``, in place; outside training they are the running ones.
    """
    out = ops.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)
    for running in (running_mean, running_var):
        if training and running is not None:
            running.changed("batch_norm")
    return out


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """In training, zeros with probability ``p`` and the other elements times 1 / (1 - p)."""
    return ops.dropout(input, p, training)


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """:func:`dropout` of whole channels of (N, C, L) or (C, L). (Tompson et al. 2015.)"""
    return _dropout_of_channels("dropout1d", input, p, training, 1)


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """:func:`dropout` of whole channels of (N, C, H, W); of (C, H, W) as PyTorch's, whose first
    axis it takes for N. Any x (N, C, …) may be given."""
    return _dropout_of_channels("dropout2d", input, p, training)


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """:func:`dropout` of whole channels of (N, C, D, H, W) or any (N, C, …)."""
    return _dropout_of_channels("dropout3d", input, p, training)


def _dropout_of_channels(
    name: str, input: Tensor, p: float, training: bool, axes: int | None = None
) -> Tensor:
    p = number(name, "p", p, 0, 1)
    if input.ndim < 2:
        raise ShapeError(f"{name}: input must be (N, C, …), but is {input.shape}")
    if not training or p == 0:
        return input
    return input * ops.dropout(_ones_of_channels(input, axes), p)


def _ones_of_channels(input: Tensor, axes: int | None = None) -> Tensor:
    """1 for each channel, as one lane of a vmap sees them; the last ``axes`` are no channels."""
    first = 2 if axes is None else input.ndim - axes
    index = (slice(None),) * first + (slice(0, 1),) * (input.ndim - first)
    return ops.where(False, input.detach()[index], 1.0)


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Dropout that keeps mean 0 and variance 1 behind a :func:`selu`: elements are set to its least
    value, and the result is scaled and moved. (Klambauer et al. 2017.)"""
    return _alpha_dropout("alpha_dropout", input, p, training, lambda x: ops.where(False, x, 1.0))


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """:func:`alpha_dropout` of whole channels of (N, C, …)."""
    if training and input.ndim < 2:
        raise ShapeError(f"feature_alpha_dropout: input is {input.shape}, not (N, C, …)")
    return _alpha_dropout("feature_alpha_dropout", input, p, training, _ones_of_channels)


def _alpha_dropout(name: str, input: Tensor, p: float, training: bool, ones: Any) -> Tensor:
    p = number(name, "p", p, 0, 1)
    if not training or p == 0:
        return input
    if p == 1:
        return input * 0
    least = -1.0507009873554805 * 1.6732632423543772
    scale = 1 / math.sqrt((1 - p) * (1 + p * least * least))
    kept = ops.greater(ops.dropout(ones(input.detach()), p), 0)
    return ops.where(kept, input, least) * scale - scale * p * least


def rrelu(
    input: Tensor,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """x where x > 0, elsewhere x times a number drawn from [``lower``, ``upper``), in training one
    for each element, and their middle otherwise. (Xu et al. 2015.)"""
    if not training:
        return ops.leaky_relu(input, (lower + upper) / 2)
    slopes = lower + (upper - lower) * rand_like(input.detach())
    return ops.where(ops.greater(input, 0), input, input * slopes)


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """out[…, k] = Σ input1[…, i] weight[k, i, j] input2[…, j] + bias[k].

    >>> import tinytensor as tt
    >>> tt.nn.functional.bilinear(tt.ones(5, 2), tt.ones(5, 3), tt.ones(4, 2, 3)).shape
    (5, 4)
    """
    shapes = input1.shape, input2.shape, np.shape(weight)
    if (
        len(shapes[2]) != 3
        or shapes[0][:-1] != shapes[1][:-1]
        or (shapes[0][-1:], shapes[1][-1:]) != (shapes[2][1:2], shapes[2][2:])
    ):
        raise ShapeError(
            f"bilinear: needs (…, I), (…, J) and weight (K, I, J): input1 is {shapes[0]}, input2"
            f" {shapes[1]}, weight {shapes[2]}"
        )
    out = ops.einsum("...i,kij,...j->...k", input1, weight, input2)
    return out if bias is None else out + bias


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: Reduction = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: object = None,
    softcap: float | None = None,
    z_loss: float = 0.0,
) -> Tensor:
    """``cross_entropy(linear(input, linear_weight, linear_bias), target, …)`` of (N, I) or (I,).

    Of the scores (N, C) there is never more than a chunk of rows, if the targets are classes (N,):
    for a mean or a sum, the pass forward computes the gradients of each chunk along with its loss.
    With ``softcap`` c the scores are c tanh(scores / c). ``z_loss`` z adds z (log Z)² to each loss,
    Z = Σ exp(scores), which holds log Z near 0. (PaLM: Chowdhery et al. 2022, section 5.)

    ``linear_weight`` is (C, I), or (C, d1, …, I) for a target (N, d1, …) and a bias (C, d1, …).
    ``options``, how PyTorch is to cut the work, is taken and does nothing.

    >>> import tinytensor as tt
    >>> x, w = tt.ones(2, 3), tt.zeros(4, 3)
    >>> tt.nn.functional.linear_cross_entropy(x, w, tt.tensor([0, 3]))
    tensor(1.3862944)
    """
    places = linear_weight.shape[1:-1]
    if linear_weight.ndim < 2 or input.ndim not in ((2,) if places else (1, 2)):
        raise ShapeError(
            "linear_cross_entropy: needs (N, I), or (I,), and linear_weight (C, I), or (N, I) and"
            f" (C, d1, …, I): input is {input.shape}, linear_weight {linear_weight.shape}"
        )
    if linear_bias is not None and linear_bias.shape != linear_weight.shape[:-1]:
        raise ShapeError(
            f"linear_cross_entropy: linear_bias is {linear_bias.shape}, and linear_weight"
            f" {linear_weight.shape}"
        )
    ignored = -100 if ignore_index is None else ignore_index
    if input.ndim == 2 and not places and not is_floating(getattr(target, "dtype", np.int64)):
        wants = [getattr(x, "requires_grad", False) for x in (input, linear_weight, linear_bias)]
        kept = Kept(tuple(wants)) if any(wants) and is_grad_enabled() else None  # type: ignore[arg-type]
        return linear_cross_entropy_chunked(
            input, linear_weight, linear_bias, target, weight, ignored, reduction, label_smoothing,
            softcap, z_loss, kept,
        )  # fmt: skip
    flat = ops.reshape(linear_weight, (-1, linear_weight.shape[-1])) if places else linear_weight
    if places and linear_bias is not None:
        linear_bias = ops.reshape(linear_bias, (-1,))
    logits = ops.linear(input, flat, linear_bias)
    if places:
        logits = ops.reshape(logits, (len(input), *linear_weight.shape[:-1]))
    if softcap is not None:
        logits = softcap * ops.tanh(logits / softcap)
    return ops.cross_entropy(logits, target, weight, ignored, reduction, label_smoothing, z_loss)


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """``(input - mean) / sqrt(var + eps) * weight + bias`` of each channel of each of (N, C, …).

    The running statistics are moved towards the means of these over N by ``momentum``, in place;
    without ``use_input_stats`` they are taken instead. (Ulyanov, Vedaldi and Lempitsky 2016.)
    """
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    if input.ndim < 3 or math.prod(input.shape[2:]) < 2:
        raise ShapeError(
            f"instance_norm: needs (N, C, …) with two elements of a channel: input is {input.shape}"
        )
    if running_mean is not None or running_var is not None:
        with no_grad():
            axes = tuple(range(2, input.ndim))
            found = (
                (running_mean, ops.mean(input, axes)),
                (running_var, ops.var(input, axes, correction=1)),
            )
            for running, each in found:
                if running is not None:
                    moved = ops.mean(each, 0) - running
                    running += momentum * moved
    return ops.group_norm(input, input.shape[1], weight, bias, eps)


# --- Pooling ---------------------------------------------------------------------------------


def fractional_max_pool2d(
    input: Tensor,
    kernel_size: Sizes,
    output_size: Sizes | None = None,
    output_ratio: float | tuple[float, ...] | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """The largest element of each of ``output_size`` windows of (N, C, H, W) or (C, H, W), which
    begin at places that are drawn: some by ⌊H / H'⌋ apart, some by one more. (Graham 2014.)

    ``output_ratio``, between 0 and 1, gives the sizes by the input's. ``_random_samples``
    (N, C, 2) from [0, 1) may take the place of the draws.

    >>> import tinytensor as tt
    >>> tt.nn.functional.fractional_max_pool2d(tt.zeros(1, 3, 10, 8), 2, output_ratio=0.7).shape
    (1, 3, 7, 5)
    """
    given = (kernel_size, output_size, output_ratio, return_indices, _random_samples)
    return _fractional_max_pool("fractional_max_pool2d", 2, input, *given)


def fractional_max_pool3d(
    input: Tensor,
    kernel_size: Sizes,
    output_size: Sizes | None = None,
    output_ratio: float | tuple[float, ...] | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """:func:`fractional_max_pool2d` of (N, C, D, H, W) or (C, D, H, W); ``_random_samples`` are
    (N, C, 3)."""
    given = (kernel_size, output_size, output_ratio, return_indices, _random_samples)
    return _fractional_max_pool("fractional_max_pool3d", 3, input, *given)


@once_rounded
def _fractional_max_pool(
    name: str,
    axes: int,
    input: Tensor,
    kernel_size: Sizes,
    output_size: Sizes | None,
    output_ratio: float | tuple[float, ...] | None,
    return_indices: bool,
    draws: Tensor | None,
) -> Any:
    if draws is None and input.ndim > axes:
        planes = input.shape[:-axes] if input.ndim == axes + 2 else (1, input.shape[0])
        double = input.dtype == np.float64
        draws = rand((*planes, axes), dtype=np.float64 if double else np.float32)
    out = fractional_max_pool(name, axes, input, kernel_size, output_size, output_ratio, draws)
    return out if return_indices else out[0]


# --- Activations -----------------------------------------------------------------------------


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """``max(x, 0)``."""
    return ops.relu(input)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where x > 0, ``negative_slope * x`` elsewhere."""
    return ops.leaky_relu(input, negative_slope)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, ``alpha * (exp(x) - 1)`` elsewhere."""
    return ops.elu(input, alpha)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """``x sigmoid(x)``."""
    return ops.silu(input)


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """x into [``min_val``, ``max_val``]."""
    return ops.hardtanh(input, min_val, max_val)


@once_rounded
@in_own_name
def gumbel_softmax(
    logits: Tensor, tau: float = 1.0, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """softmax((logits + G) / tau) along ``dim``, G drawn from Gumbel's distribution: draws of one
    class, relaxed so that they have gradients. ``hard`` rounds them to one-hot vectors, with the
    gradient of the relaxed ones. ``eps`` is taken as PyTorch's, and does nothing. (Jang, Gu and
    Poole 2017; Maddison, Mnih and Teh 2017.)

    >>> import tinytensor as tt
    >>> float(tt.nn.functional.gumbel_softmax(tt.zeros((2, 5)), hard=True).sum())
    2.0
    """
    tau = number("gumbel_softmax", "tau", tau)
    least = np.finfo(logits.dtype).tiny  # what is drawn may be 0
    exponential = ops.maximum(-ops.log1p(-rand_like(logits.detach())), least)
    soft = ops.softmax((logits - ops.log(exponential)) / tau, dim)
    if not hard:
        return soft
    classes = ops.expand_dims(ops.argmax(soft, dim), dim)
    places = np.arange(soft.shape[dim]).reshape(-1, *(1,) * (soft.ndim - 1 - dim % soft.ndim))
    return ops.where(ops.equal(classes, places), 1.0, 0.0) - soft.detach() + soft


@once_rounded
@in_own_name
def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """x divided by its p-norm along ``dim``, or by ``eps`` where that is larger.

    >>> import tinytensor as tt
    >>> tt.nn.functional.normalize(tt.tensor([[3.0, 4.0]]))
    tensor([[0.6, 0.8]])
    """
    eps = number("normalize", "eps", eps, 0)
    return input / ops.maximum(ops.linalg.vector_norm(input, dim, True, p), eps)


@in_own_name
def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """int64 of shape (…, num_classes): 1 at the class, 0 elsewhere; -1 means 1 + the largest class.

    >>> import tinytensor as tt
    >>> tt.nn.functional.one_hot(tt.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    if tensor.dtype.kind not in "iu":
        raise DtypeError(
            f"one_hot: the classes are {tensor.dtype}, not integers; astype(np.int64) casts"
        )
    if not isinstance(num_classes, int | np.integer) or num_classes < -1:
        raise ValueError(f"one_hot: num_classes must be an integer, or -1, not {num_classes!r}")
    if tensor.level and num_classes >= 0:  # of one lane of a vmap: nobody can look at the classes
        rows = np.eye(num_classes, dtype=np.float32)
        return ops.astype(ops.embedding(tensor, rows), np.int64)
    classes = tensor.numpy().astype(np.int64, copy=False)
    count = num_classes if num_classes >= 0 else int(classes.max(initial=-1)) + 1
    if classes.size and not (classes.min() >= 0 and classes.max() < count):
        raise ValueError(f"one_hot: classes from {classes.min()} to {classes.max()} of {count}")
    fits_memory("one_hot", (*classes.shape, count), np.int64)
    return Tensor((classes[..., None] == np.arange(count)).astype(np.int64))


def _in_place(function: Any) -> Any:
    """``function`` with the values put into the memory of its first argument."""
    name = f"{function.__name__}_"
    changing = update_wrapper(in_place_of(name, function), function, updated=())
    changing.__name__ = changing.__qualname__ = name
    changing.__doc__ = f"In place: {function.__doc__}"
    return changing


celu_ = _in_place(ops.celu)
elu_ = _in_place(ops.elu)
hardtanh_ = _in_place(ops.hardtanh)
leaky_relu_ = _in_place(ops.leaky_relu)
relu_ = _in_place(ops.relu)
rrelu_ = _in_place(rrelu)
selu_ = _in_place(ops.selu)
threshold_ = _in_place(ops.threshold)


# --- Sizes -----------------------------------------------------------------------------------


def interpolate(
    input: Tensor,
    size: int | tuple[int, ...] | None = None,
    scale_factor: float | tuple[float, ...] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """The input (N, C, …) in another size; ``mode`` is "nearest", "nearest-exact", "linear",
    "bilinear", "trilinear", "bicubic" or "area"."""
    return ops.interpolate(
        input, size, scale_factor, mode, bool(align_corners), recompute_scale_factor, antialias
    )


def upsample(
    input: Tensor,
    size: int | tuple[int, ...] | None = None,
    scale_factor: float | tuple[float, ...] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """:func:`interpolate` under its older name."""
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(
    input: Tensor,
    size: int | tuple[int, ...] | None = None,
    scale_factor: float | tuple[float, ...] | None = None,
) -> Tensor:
    """:func:`interpolate` by the nearest element."""
    return interpolate(input, size, scale_factor)


def upsample_bilinear(
    input: Tensor,
    size: int | tuple[int, ...] | None = None,
    scale_factor: float | tuple[float, ...] | None = None,
) -> Tensor:
    """:func:`interpolate` of images between their corners."""
    return interpolate(input, size, scale_factor, "bilinear", align_corners=True)


if not _typing.TYPE_CHECKING:
    __getattr__ = _tells(__name__)
