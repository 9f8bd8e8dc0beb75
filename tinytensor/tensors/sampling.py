"""Tensors drawn by chance from what others say: probabilities, rates, means."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops, random
from ..dtypes import is_floating, is_real_floating
from ..errors import DtypeError, ShapeError
from ..ops.annotations import ArrayLike
from ..ops.batching import lanes_of, over_leading_axes, padded, rank
from ..ops.checks import counts, number
from .batched import drawn
from .creation import asarray, rand, randint, randn
from .namespace_info import check_device
from .tensor import Dtype, Shape, Tensor, op

__all__ = [
    "bernoulli",
    "multinomial",
    "normal",
    "poisson",
    "rand_like",
    "randint_like",
    "randn_like",
]


def _floats(name: str, what: str, x: Any) -> Tensor:
    """x as a constant of real floats."""
    x = asarray(x).detach()
    if not is_real_floating(x):
        raise DtypeError(f"{name}: {what} must be floating point, but is {x.dtype} of {x.shape}")
    return x


def _check(name: str, what: str, x: Tensor, wanted: str, bad: Any) -> None:
    """Raise if ``bad(x)`` holds anywhere; the elements of one lane of a vmap are not known."""
    if not x.level and bad(x.numpy()).any():
        raise ValueError(f"{name}: {what} must be {wanted}")


def bernoulli(
    x: ArrayLike, p: float | None = None, *, generator: np.random.Generator | None = None
) -> Tensor:
    """1 with the probability that x says, element by element, and otherwise 0, in its dtype; with
    one probability ``p``, for all elements alike. It has no gradient.

    >>> import tinytensor as tt
    >>> tt.bernoulli(tt.tensor([0.0, 1.0, 0.0]))
    tensor([0., 1., 0.])
    """
    if p is None:
        x = _floats("bernoulli", "x", x)
        _check("bernoulli", "x", x, "within [0, 1]", lambda a: ~((a >= 0) & (a <= 1)))
        chance: Any = x
    else:
        x, chance = asarray(x).detach(), number("bernoulli", "p", p, 0, 1)
    # doubles, as a float32 that is drawn may be a chance that is near 0
    uniform = drawn(lambda shape: random.rand(shape, np.float64, generator), x.shape)
    return ops.astype(ops.less(uniform, chance), x.dtype)


def normal(
    mean: ArrayLike = 0.0,
    std: ArrayLike = 1.0,
    size: int | Shape | None = None,
    *,
    generator: np.random.Generator | None = None,
    dtype: Dtype = None,
) -> Tensor:
    """Normal numbers of means and deviations that broadcast; or of one of each, in ``size``. They
    have no gradient: ``mean + std * tt.randn(…)`` has."""
    given = [asarray(x).detach() for x in (mean, std)]
    if size is None:
        size = np.broadcast_shapes(*(x.shape for x in given))
    elif any(x.ndim for x in given):
        raise ShapeError("normal: with a size, mean and std are single numbers")
    _check("normal", "std", given[1], "at least 0", lambda a: ~(a >= 0))
    if dtype is None:
        pairs = zip(given, (mean, std), strict=True)
        kinds = [x.dtype for x, raw in pairs if not isinstance(raw, int | float) and is_floating(x)]
        dtype = np.result_type(*kinds) if kinds else None
    shape = (size,) if isinstance(size, int | np.integer) else tuple(size)
    x = drawn(lambda sizes: random.randn(sizes, dtype, generator), shape)
    return ops.astype(given[0] + given[1] * x, x.dtype)


def draws_of_lanes(op: Any, args: Any, mapped: Any, static: Any) -> Any:
    """The batching rule of ops that draw by parameters, behind which the generator stands. Where
    the lanes draw the same, each has a generator of one seed."""
    *others, how = random.in_lanes.get()
    *parameters, generator = args
    key = random.draw_key(generator) if how == "same" else 0
    if how == "error":
        random.resolve(generator)  # which says so
    token = random.in_lanes.set(tuple(others))
    try:
        if how == "different":
            ndim = max(map(rank, parameters, mapped))
            return op(*map(padded, parameters, mapped, [ndim] * len(parameters)), generator)
        lanes = [
            op(*(x[i] if o else x for x, o in zip(args[:-1], mapped, strict=False)), seeded)
            for i in range(lanes_of(args, mapped))
            for seeded in [random.seeded(key)]
        ]
        return ops.stack(lanes)
    finally:
        random.in_lanes.reset(token)


def with_lanes_that_draw(x: Tensor) -> Tensor:
    """x, in each lane of a vmap that draws others: what has no lanes could draw but once."""
    if "different" not in random.in_lanes.get():
        return x
    return x + drawn(lambda shape: np.zeros(shape, x.dtype), ())


@op
def _poisson(rates, generator):
    return random.resolve(generator).poisson(rates).astype(np.asarray(rates).dtype)


_poisson.batched(draws_of_lanes)


def poisson(rates: ArrayLike, *, generator: np.random.Generator | None = None) -> Tensor:
    """Numbers of events of which ``rates`` says how many there are on average, in its dtype."""
    x = _floats("poisson", "rates", rates)
    _check("poisson", "rates", x, "at least 0", lambda a: ~(a >= 0))
    return _poisson(with_lanes_that_draw(x), generator)


@op
def _places(cumulated, uniform):
    """For each of ``uniform`` (…, n) the first of ``cumulated`` (…, C) that is larger; or the first
    that is as large as the last, which rounding may give."""
    out = np.empty(np.shape(uniform), np.int64)
    for i in np.ndindex(*out.shape[:-1]):
        row = cumulated[i]
        found = np.searchsorted(row, uniform[i], side="right")
        out[i] = np.minimum(found, np.searchsorted(row, row[-1]))
    return out


_places.batched(over_leading_axes(2))


def multinomial(
    x: ArrayLike,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: np.random.Generator | None = None,
) -> Tensor:
    """``num_samples`` indices of each row of weights x (C) or (N, C), drawn with the chances that
    the weights have among those of the row; each index once, or any time with ``replacement``.

    >>> import tinytensor as tt
    >>> tt.multinomial(tt.tensor([0.0, 3.0, 0.0]), 2, replacement=True)
    tensor([1, 1])
    """
    wanted = int(counts("multinomial", "num_samples", num_samples))
    x = _floats("multinomial", "x", x)
    if x.ndim not in (1, 2) or not x.shape[-1]:
        raise ShapeError(f"multinomial: x is weights (C) or (N, C), not {x.shape}")
    _check("multinomial", "x", x, "at least 0 and finite", lambda a: ~((a >= 0) & np.isfinite(a)))
    if not x.level and x.size:
        least, needed = int((x.numpy() > 0).sum(-1).min()), 1 if replacement else wanted
        if least < needed:
            how = "" if replacement else " without replacement"
            raise ValueError(
                f"multinomial: {wanted} indices{how} of a row with {least} weights above 0"
            )
    weights = ops.astype(x, np.float64)
    if not replacement:  # the first of clocks that ring at these rates
        waits = drawn(lambda shape: -np.log1p(-random.rand(shape, np.float64, generator)), x.shape)
        return ops.topk(ops.divide(weights, ops.maximum(waits, 1e-300)), wanted).indices
    cumulated = ops.cumulative_sum(weights, axis=-1)
    shape = (*x.shape[:-1], wanted)
    uniform = drawn(lambda sizes: random.rand(sizes, np.float64, generator), shape)
    return _places(cumulated, uniform * cumulated[..., -1:])


# --- Like another ----------------------------------------------------------------------------


def rand_like(
    x: Tensor,
    dtype: Dtype = None,
    requires_grad: bool = False,
    *,
    generator: np.random.Generator | None = None,
    device: str | None = None,
) -> Tensor:
    """Uniform numbers from [0, 1) in the shape of x, with its dtype unless another is given."""
    return _like("rand_like", rand, x, dtype, requires_grad, generator, device)


def randn_like(
    x: Tensor,
    dtype: Dtype = None,
    requires_grad: bool = False,
    *,
    generator: np.random.Generator | None = None,
    device: str | None = None,
) -> Tensor:
    """Normal numbers of mean 0 and variance 1 in the shape of x, with its dtype unless another is
    given."""
    return _like("randn_like", randn, x, dtype, requires_grad, generator, device)


def _like(
    name: str, draw: Any, x: Any, dtype: Any, requires_grad: bool, generator: Any, device: Any
) -> Tensor:
    check_device(device)
    kind = np.dtype(x.dtype if dtype is None else dtype)
    if not is_floating(kind):
        raise DtypeError(f"{name}: draws floats, not {kind}; dtype= says which")
    return draw(x.shape, dtype=kind, requires_grad=requires_grad, generator=generator)


def randint_like(
    x: Tensor,
    low: int,
    high: int | None = None,
    dtype: Dtype = None,
    *,
    generator: np.random.Generator | None = None,
    device: str | None = None,
) -> Tensor:
    """Integers from [low, high), or from [0, low), in the shape of x and, unless another is given,
    its dtype."""
    check_device(device)
    low, high = (0, low) if high is None else (low, high)
    kind = np.dtype(x.dtype if dtype is None else dtype)
    made = randint(low, high, x.shape, kind if kind.kind in "iu" else np.int64, generator)
    return made.astype(kind)
