"""Methods that overwrite the elements of a tensor: by what is drawn, or on its diagonal.

They count as changes in place. Where gradients are recorded, none goes on to what was overwritten.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from .. import random
from ..dtypes import is_complex, is_real_floating
from ..errors import DtypeError, RangeError, ShapeError
from ..ops.annotations import Tensor
from ..ops.checks import number
from . import tensor

IN_PLACE: dict[str, Callable[..., Tensor]] = {}


def _filler(draw: Callable[..., Any]) -> Callable[..., Tensor]:
    """The method that overwrites a tensor by what ``draw`` makes for it."""
    name = draw.__name__

    @wraps(draw)
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        drawn = np.asarray(draw(self, *args, **kwargs))
        return self._assign(name, ..., drawn.astype(self.dtype, copy=False))

    method.__qualname__ = f"Tensor.{name}"
    IN_PLACE[name] = method
    return method


def _floats(name: str, x: Tensor, complex_too: bool = False) -> np.dtype:
    """The dtype to draw in for a tensor of floats: of 16 bits, float32."""
    if complex_too and is_complex(x):
        return x.dtype
    if not is_real_floating(x):
        raise DtypeError(f"{name}: draws floats, but the tensor is {x.dtype} of {x.shape}")
    return np.dtype(np.float64 if x.dtype == np.float64 else np.float32)


@_filler
def normal_(
    x: Tensor, mean: float = 0.0, std: float = 1.0, generator: np.random.Generator | None = None
) -> Tensor:
    """Overwrite the elements by normal numbers of this mean and standard deviation; of complex ones
    each part has half the variance."""
    kind = _floats("normal_", x, complex_too=True)
    mean, std = number("normal_", "mean", mean), number("normal_", "std", std, 0)
    return random.randn(x.shape, kind, generator) * kind.type(std) + kind.type(mean)


@_filler
def uniform_(
    x: Tensor, low: float = 0.0, high: float = 1.0, generator: np.random.Generator | None = None
) -> Tensor:
    """Overwrite the elements, of complex ones both parts, by uniform numbers from [low, high)."""
    kind = _floats("uniform_", x, complex_too=True)
    low = number("uniform_", "low", low)
    high = number("uniform_", "high", high, low)
    drawn = random.rand(x.shape, kind, generator)
    parts = drawn.reshape(-1).view(drawn.real.dtype)
    real = parts.dtype.type
    parts *= real(high - low)
    parts += real(low)
    np.minimum(parts, np.nextafter(real(high), real(low)), out=parts)  # if it was rounded up
    return drawn


@_filler
def log_normal_(
    x: Tensor, mean: float = 1.0, std: float = 2.0, generator: np.random.Generator | None = None
) -> Tensor:
    """Overwrite the elements by numbers whose logarithms are normal ones."""
    kind = _floats("log_normal_", x)
    mean, std = number("log_normal_", "mean", mean), number("log_normal_", "std", std, 0)
    return np.exp(random.randn(x.shape, kind, generator) * kind.type(std) + kind.type(mean))


@_filler
def exponential_(
    x: Tensor, lambd: float = 1.0, generator: np.random.Generator | None = None
) -> Tensor:
    """Overwrite the elements by exponential numbers of rate ``lambd``: of mean 1 / lambd."""
    kind = _floats("exponential_", x)
    lambd = number("exponential_", "lambd", lambd, np.finfo(kind).tiny)
    return random.resolve(generator).standard_exponential(x.shape, kind) / kind.type(lambd)


@_filler
def cauchy_(
    x: Tensor, median: float = 0.0, sigma: float = 1.0, generator: np.random.Generator | None = None
) -> Tensor:
    """Overwrite the elements by numbers of a Cauchy distribution."""
    _floats("cauchy_", x)
    median = number("cauchy_", "median", median)
    sigma = number("cauchy_", "sigma", sigma, np.finfo(np.float64).tiny)
    return random.resolve(generator).standard_cauchy(x.shape) * sigma + median


@_filler
def geometric_(x: Tensor, p: float, generator: np.random.Generator | None = None) -> Tensor:
    """Overwrite the elements by how many trials it takes to succeed once, each with the chance
    ``p``: 1 or more."""
    p = number("geometric_", "p", p, np.finfo(np.float64).tiny, 1)
    if x.dtype.kind == "b" or x.dtype.kind == "c":
        raise DtypeError(f"geometric_: counts are no {x.dtype}")
    drawn = np.asarray(random.resolve(generator).geometric(p, x.shape))
    if x.dtype.kind in "iu" and drawn.max(initial=0) > np.iinfo(x.dtype).max:
        raise RangeError(f"geometric_: {drawn.max()} does not fit into {x.dtype}")
    return drawn


@_filler
def bernoulli_(x: Tensor, p: Any = 0.5, generator: np.random.Generator | None = None) -> Tensor:
    """Overwrite the elements by 1 with the chance ``p``, a number or an array that broadcasts to
    the tensor, and otherwise by 0."""
    chances = np.asarray(p.detach().numpy() if isinstance(p, tensor.Tensor) else p)
    if not ((chances >= 0) & (chances <= 1)).all():
        raise ValueError("bernoulli_: p must be within [0, 1]")
    try:
        chances = np.broadcast_to(chances, x.shape)
    except ValueError:
        raise ShapeError(f"bernoulli_: p is {chances.shape}, but the tensor {x.shape}") from None
    return random.rand(x.shape, np.float64, generator) < chances


@_filler
def random_(
    x: Tensor, low: int = 0, high: int | None = None, generator: np.random.Generator | None = None
) -> Tensor:
    """Overwrite the elements by integers from [low, high); by those below ``low`` if it is given
    alone, and without both by all from 0 on that the dtype has, of floats those without gaps."""
    if x.dtype.kind == "c":
        raise DtypeError(f"random_: draws integers, but the tensor is {x.dtype}")
    most = _largest(x.dtype)
    if high is None:
        low, high = (0, low) if low else (0, most + 1)
    if not -most - 1 <= low < high <= most + 1:
        raise ValueError(f"random_: no integers from [{low}, {high}) in {x.dtype}")
    kind = np.uint64 if high > np.iinfo(np.int64).max and low >= 0 else np.int64
    return random.resolve(generator).integers(low, high - 1, x.shape, kind, endpoint=True)


def _largest(dtype: np.dtype) -> int:
    """The largest integer up to which a dtype has all."""
    if dtype.kind == "b":
        return 1
    if dtype.kind in "iu":
        return int(np.iinfo(dtype).max)
    mantissa = {"float64": 53, "float32": 24, "float16": 11}.get(dtype.name, 8)
    return int(2**mantissa)


def fill_diagonal_(self: Tensor, value: Any, wrap: bool = False) -> Tensor:
    """Overwrite the elements [i, i, …] by ``value``. Those of more than two axes have equal sizes;
    with ``wrap`` the diagonal of a tall matrix begins anew after each gap of one row."""
    shape = self.shape
    if len(shape) < 2 or (len(shape) > 2 and len(set(shape)) > 1):
        raise ShapeError(f"fill_diagonal_: needs a matrix or equal sizes, not {shape}")
    count = min(shape)
    if wrap and len(shape) == 2 and shape[1]:
        places = np.unravel_index(np.arange(0, shape[0] * shape[1], shape[1] + 1), shape)
    else:
        places = (np.arange(count),) * len(shape)
    return self._assign("fill_diagonal_", places, value)


IN_PLACE["fill_diagonal_"] = fill_diagonal_
