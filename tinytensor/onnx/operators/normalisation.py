"""Normalisation: by statistics of a batch, of groups of channels, of rows, of neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import ops
from ...dtypes import is_narrow
from ...engine.grad_mode import no_grad
from ...tensors.tensor import Tensor
from ..registry import operator
from ..values import array, value


def _along_channels(x: Any, parameter: Any) -> Any:
    return ops.reshape(parameter, (-1, *(1,) * (x.ndim - 2)))


@operator("BatchNormalization", since=9, settings=(3, 4))
def batch_norm(
    x: Any,
    scale: Any,
    bias: Any,
    mean: Any,
    variance: Any,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
    node: Any,
) -> Any:
    if not (training_mode or node.training):
        if x.ndim > 1 and x.dtype == scale.dtype == mean.dtype:
            return ops.batch_norm(x, mean, variance, scale, bias, False, 0.0, epsilon)
        factor = scale / ops.sqrt(variance + epsilon)
        shift = bias - mean * factor
        out = x * _along_channels(x, factor) + _along_channels(x, shift)
        return out if out.dtype == x.dtype else ops.astype(out, x.dtype)
    out = ops.batch_norm(x, None, None, scale, bias, True, 0.0, epsilon)
    out = out if out.dtype == x.dtype else ops.astype(out, x.dtype)
    data = array(x)
    data = data.astype(np.float32) if is_narrow(data) else data
    axes = (0, *range(2, x.ndim))
    running = []
    for before, now in ((mean, data.mean(axes)), (variance, data.var(axes))):
        mixed = array(before) * momentum + now * (1 - momentum)
        running.append(value(mixed.astype(before.dtype)))
    if node.training:
        with no_grad():
            mean.copy_(running[0])
            variance.copy_(running[1])
    return out, *running


@operator("BatchNormalization", since=6, settings=(3, 4))
def batch_norm_6(
    x: Any,
    scale: Any,
    bias: Any,
    mean: Any,
    variance: Any,
    *,
    epsilon: float = 1e-5,
    is_test: int = 1,
    momentum: float = 0.9,
    spatial: int = 1,
    node: Any,
) -> Any:
    if not spatial:
        raise NotImplementedError("BatchNormalization: spatial=0, statistics of each place alone")
    how: dict[str, Any] = {"epsilon": epsilon, "momentum": momentum, "node": node}
    return batch_norm(x, scale, bias, mean, variance, training_mode=1 - is_test, **how)


@operator("InstanceNormalization")
def instance_norm(x: Any, scale: Any, bias: Any, *, epsilon: float = 1e-5) -> Any:
    return ops.group_norm(x, x.shape[1], scale, bias, epsilon)


@operator("LayerNormalization", since=17)
def layer_norm(
    x: Any,
    scale: Any,
    bias: Any = None,
    *,
    axis: int = -1,
    epsilon: float = 1e-5,
    stash_type: int = 1,
    node: Any,
) -> Any:
    first = axis + x.ndim if axis < 0 else axis
    shape = x.shape[first:]
    if len(node.outputs) == 1 and scale.shape == shape and (bias is None or bias.shape == shape):
        return ops.layer_norm(x, shape, scale, bias, epsilon)
    axes = tuple(range(first, x.ndim))
    wide = ops.astype(x, np.float32) if is_narrow(x.dtype) and stash_type == 1 else x
    mean = ops.mean(wide, axes, True)
    away = wide - mean
    inverse = ops.rsqrt(ops.mean(ops.square(away), axes, True) + epsilon)
    out = ops.astype(away * inverse, x.dtype) * scale
    return (out if bias is None else out + bias), mean, inverse


@operator("RMSNormalization", since=23)
def rms_norm(
    x: Any, scale: Any, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> Any:
    first = axis + x.ndim if axis < 0 else axis
    if scale.shape == x.shape[first:]:
        return ops.rms_norm(x, x.shape[first:], scale, epsilon)
    return ops.rms_norm(x, x.shape[first:], None, epsilon) * scale


@operator("GroupNormalization", since=18)
def group_norm_18(
    x: Any, scale: Any, bias: Any, *, num_groups: int, epsilon: float = 1e-5, stash_type: int = 1
) -> Any:
    each = x.shape[1] // num_groups  # scale and bias are the groups'
    scale, bias = ops.repeat(scale, each), ops.repeat(bias, each)
    return ops.group_norm(x, num_groups, scale, bias, epsilon)


@operator("GroupNormalization", since=21)
def group_norm(
    x: Any, scale: Any, bias: Any, *, num_groups: int, epsilon: float = 1e-5, stash_type: int = 1
) -> Any:
    return ops.group_norm(x, num_groups, scale, bias, epsilon)


@operator("LRN")
def local_response_norm(
    x: Any, *, size: int, alpha: float = 0.0001, beta: float = 0.75, bias: float = 1.0
) -> Any:
    if size % 2:
        return ops.local_response_norm(x, size, alpha, beta, bias)
    # Of an even number of channels ONNX has one more behind, PyTorch before.
    return ops.flip(ops.local_response_norm(ops.flip(x, 1), size, alpha, beta, bias), 1)


@operator("MeanVarianceNormalization", since=9)
def mean_variance_norm(x: Any, *, axes: tuple[int, ...] = (0, 2, 3)) -> Any:
    away = x - ops.mean(x, axes, True)
    return away / (ops.sqrt(ops.mean(ops.square(away), axes, True)) + 1e-9)


@operator("LpNormalization")
def power_norm(x: Any, *, axis: int = -1, p: int = 2) -> Any:
    if p not in (1, 2):
        raise ValueError(f"LpNormalization: p is 1 or 2, not {p}")
    size: Tensor = ops.abs(x) if p == 1 else ops.square(x)
    size = ops.sum(size, axis, True)
    norm = size if p == 1 else ops.sqrt(size)
    return x / ops.where(norm == 0, 1.0, norm)  # a row of zeros stays one
