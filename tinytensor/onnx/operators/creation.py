"""Tensors from nothing: ranges, constants, and random draws."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import ops
from ...dtypes import is_floating
from ...tensors.creation import rand, randn
from ...tensors.tensor import Tensor
from ..registry import operator
from ..values import array, dtype_of, dtype_of_code, integers, value
from .casting import cast


@operator("ConstantOfShape", since=9)
def constant_of_shape(shape: Any, *, value: Any = None) -> Any:
    from ..values import value as as_value

    filling = np.zeros((), np.float32) if value is None else array(value).reshape(-1)[0]
    return as_value(np.full(integers(shape), filling, np.asarray(filling).dtype))


@operator("Range", since=11)
def arange(start: Any, limit: Any, delta: Any, *, stash_type: int = 1) -> Any:
    dtype = dtype_of(start)
    first, end, step = (array(x).reshape(()).astype(dtype) for x in (start, limit, delta))
    if not step:
        raise ValueError("Range: delta is 0")
    if dtype.kind not in "iuf":  # 16 bits: counted in float32
        first, end, step = (x.astype(np.float32) for x in (first, end, step))
    count = max(int(np.ceil((float(end) - float(first)) / float(step))), 0)
    if dtype.kind in "iu":
        count = max(-((int(first) - int(end)) // int(step)), 0)
    return cast(value(first + np.arange(count).astype(first.dtype) * step), dtype)


@operator("EyeLike", since=9)
def eye_like(x: Any, *, dtype: int | None = None, k: int = 0) -> Any:
    of = dtype_of(x) if dtype is None else dtype_of_code(dtype)
    return value(np.eye(x.shape[0], x.shape[1], k, of))


# --- Random draws ------------------------------------------------------------------------------


def _uniform(node: Any, shape: tuple[int, ...], seed: float | None) -> Any:
    """Numbers from [0, 1): of the default generator, or of the node's own, which has the seed."""
    if seed is None:
        return rand(*shape) if shape else rand()
    return value(_generator(node, seed).uniform(0, 1, shape))


def _normal(node: Any, shape: tuple[int, ...], seed: float | None) -> Any:
    if seed is None:
        return randn(*shape) if shape else randn()
    return value(_generator(node, seed).normal(0, 1, shape))


def _generator(node: Any, seed: float) -> np.random.RandomState:
    """A node's generator, which goes on from call to call."""
    found = vars(node).get("_generator")
    if found is None:
        found = node._generator = np.random.RandomState(int(seed))
    return found


@operator("RandomUniform", constant=False)
def random_uniform(
    *,
    shape: tuple[int, ...],
    dtype: int = 1,
    high: float = 1.0,
    low: float = 0.0,
    seed: float | None = None,
    node: Any,
) -> Any:
    return cast(low + (high - low) * _uniform(node, shape, seed), dtype_of_code(dtype))


@operator("RandomNormal", constant=False)
def random_normal(
    *,
    shape: tuple[int, ...],
    dtype: int = 1,
    mean: float = 0.0,
    scale: float = 1.0,
    seed: float | None = None,
    node: Any,
) -> Any:
    return cast(mean + scale * _normal(node, shape, seed), dtype_of_code(dtype))


@operator("RandomUniformLike", constant=False)
def random_uniform_like(
    x: Any,
    *,
    dtype: int | None = None,
    high: float = 1.0,
    low: float = 0.0,
    seed: float | None = None,
    node: Any,
) -> Any:
    of = dtype_of(x) if dtype is None else dtype_of_code(dtype)
    return cast(low + (high - low) * _uniform(node, x.shape, seed), of)


@operator("RandomNormalLike", constant=False)
def random_normal_like(
    x: Any,
    *,
    dtype: int | None = None,
    mean: float = 0.0,
    scale: float = 1.0,
    seed: float | None = None,
    node: Any,
) -> Any:
    of = dtype_of(x) if dtype is None else dtype_of_code(dtype)
    return cast(mean + scale * _normal(node, x.shape, seed), of)


@operator("Bernoulli", since=15, constant=False)
def bernoulli(x: Any, *, dtype: int | None = None, seed: float | None = None, node: Any) -> Any:
    of = dtype_of(x) if dtype is None else dtype_of_code(dtype)
    return cast(ops.less(_uniform(node, x.shape, seed), x), of)


@operator("Multinomial", since=7, constant=False)
def multinomial(
    x: Any, *, dtype: int = 6, sample_size: int = 1, seed: float | None = None, node: Any
) -> Any:
    """Classes drawn by logits x (N, C): the first whose cumulative probability is reached."""
    weights = array(ops.softmax(x, -1)).astype(np.float64)
    edges = np.cumsum(weights, -1)
    drawn = array(_uniform(node, (x.shape[0], sample_size), seed)) * edges[:, -1:]
    places = (drawn[:, :, None] >= edges[:, None, :-1]).sum(-1)
    return value(places.astype(dtype_of_code(dtype)))


# --- Dropout -----------------------------------------------------------------------------------


@operator("Dropout", since=7, constant=False)
def dropout_7(x: Any, *, ratio: float = 0.5, node: Any) -> Any:
    return _dropped(x, ratio, node.training, None, node)


@operator("Dropout", since=12, settings=(1,), constant=False)
def dropout(
    x: Any, ratio: Any = None, training_mode: Any = None, *, seed: int | None = None, node: Any
) -> Any:
    part = 0.5 if ratio is None else float(array(ratio).reshape(()))
    training = node.training or (training_mode is not None and bool(array(training_mode)))
    return _dropped(x, part, training, seed, node)


def _dropped(x: Any, ratio: float, training: bool, seed: int | None, node: Any) -> Any:
    asked = len(node.outputs) > 1
    if not training or ratio == 0:
        return (x, value(np.ones(x.shape, bool))) if asked else x
    if not is_floating(x.dtype) or not isinstance(x, Tensor):
        raise TypeError(f"Dropout: x is {x.dtype}, not of floating point")
    kept = ops.greater_equal(_uniform(node, x.shape, seed), ratio)
    out = ops.where(kept, x, 0.0) / (1 - ratio) if ratio < 1 else x * 0.0
    return (out, kept) if asked else out
