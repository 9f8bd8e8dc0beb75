"""Batch norm folded into the convolution or the linear layer before it, for evaluation."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import numpy as np

from ...dtypes import wide
from ...errors import ShapeError
from ...tensors.tensor import Tensor
from ..conv import _Conv, _ConvTranspose
from ..linear import Linear
from ..module import Module
from ..norm import _BatchNorm
from ..parameter import Parameter

Layer = TypeVar("Layer", bound=Module)


def fuse_conv_bn_eval(conv: Layer, bn: Module, transpose: bool = False) -> Layer:
    """A copy of a convolution that does what it and the batch norm behind it do in evaluation.
    ``transpose`` says that it is a transposed one.

    >>> import tinytensor as tt
    >>> conv, bn = tt.nn.Conv2d(3, 4, 3).eval(), tt.nn.BatchNorm2d(4).eval()
    >>> x = tt.randn(2, 3, 5, 5)
    >>> fused = tt.nn.utils.fuse_conv_bn_eval(conv, bn)
    >>> bool((abs(fused(x) - bn(conv(x))) < 1e-5).all())
    True
    """
    return _fused("fuse_conv_bn_eval", conv, _ConvTranspose if transpose else _Conv, bn, transpose)


def fuse_linear_bn_eval(linear: Layer, bn: Module) -> Layer:
    """A copy of a linear layer that does what it and the batch norm behind it do in evaluation."""
    return _fused("fuse_linear_bn_eval", linear, Linear, bn, False)


def _fused(name: str, layer: Layer, kind: type, bn: Module, transpose: bool) -> Layer:
    if not isinstance(layer, kind) or not isinstance(bn, _BatchNorm):
        wanted = kind.__name__.strip("_")
        found = f"{type(layer).__name__} and {type(bn).__name__}"
        raise TypeError(f"{name}: needs a {wanted} layer and a batch norm, not {found}")
    if layer.training or bn.training:
        raise ValueError(f"{name}: both layers must be in evaluation: call eval()")
    if bn.running_mean is None or bn.running_var is None:
        raise ValueError(f"{name}: the batch norm has no running statistics")
    fused: Any = copy.deepcopy(layer)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias,
        transpose,
    )  # fmt: skip
    return fused


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """Weight and bias of that layer: the filters times ``bn_w / sqrt(bn_rv + bn_eps)``, and
    ``(conv_b - bn_rm)`` times the same, plus ``bn_b``."""
    w, mean = wide(conv_w.value), wide(bn_rm.value)
    scale = 1 / np.sqrt(wide(bn_rv.value) + bn_eps)
    scale = scale if bn_w is None else scale * wide(bn_w.value)
    channels = mean.size
    if transpose:  # (in, out / groups, …), the inputs of a group side by side
        groups = channels // w.shape[1]
        of_filters = np.repeat(scale.reshape(groups, -1), w.shape[0] // groups, axis=0)
    else:
        groups = 1
        of_filters = scale[:, None]
    filters = w.shape[1] * groups if transpose else w.shape[0]
    if channels not in (filters, 1):
        raise ShapeError(f"batch norm of {channels} channels behind a layer of {filters}")
    bias = np.zeros(filters, w.dtype) if conv_b is None else wide(conv_b.value)
    bias = (bias - mean) * scale
    bias = bias if bn_b is None else bias + wide(bn_b.value)
    fused = w * of_filters.reshape(of_filters.shape + (1,) * (w.ndim - 2))
    grads = conv_w.requires_grad, conv_b is not None and conv_b.requires_grad
    to = conv_w.dtype if conv_b is None else conv_b.dtype
    return (
        Parameter(Tensor(fused.astype(conv_w.dtype)), grads[0]),
        Parameter(Tensor(bias.astype(to)), grads[1]),
    )


def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
) -> tuple[Parameter, Parameter]:
    """As :func:`fuse_conv_bn_weights`, of a linear layer."""
    return fuse_conv_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)
