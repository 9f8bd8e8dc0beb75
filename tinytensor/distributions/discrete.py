"""Distributions of truths, counts and classes: Bernoulli, Geometric, Poisson, Categorical …

Chances are given as ``probs`` or as ``logits``, whose gradients keep their digits; the other one is
computed when it is asked for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops, random
from ..dtypes import finfo
from ..errors import ShapeError
from ..ops.annotations import ArrayLike
from ..tensors.creation import arange, eye, full_like
from ..tensors.sampling import bernoulli, draws_of_lanes, multinomial, poisson, with_lanes_that_draw
from ..tensors.tensor import Shape, Tensor, op
from . import constraints
from .distribution import Distribution, Generator, lazy, together

# --- Of chances ------------------------------------------------------------------------------


def _one_of(name: str, probs: Any, logits: Any) -> dict[str, Any]:
    if (probs is None) == (logits is None):
        raise ValueError(f"{name}: takes probs or logits, one of them")
    return {"logits": logits} if probs is None else {"probs": probs}


class _OfChances(Distribution):
    """Numbers that one chance for each distribution tells."""

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}

    def __init__(self, probs: Any, logits: Any, validate_args: bool | None, **others: Any) -> None:
        name = type(self).__name__
        made = together(name, **_one_of(name, probs, logits), **others)
        vars(self).update(made)
        super().__init__(next(iter(made.values())).shape, (), validate_args)

    @lazy
    def probs(self) -> Tensor:
        """The chance of 1."""
        return ops.sigmoid(self.logits)

    @lazy
    def logits(self) -> Tensor:
        """log p − log(1 − p), where p is kept the dtype's epsilon away from 0 and 1."""
        eps = finfo(self.probs.dtype).eps
        p = ops.clip(self.probs, eps, 1 - eps)
        return ops.log(p) - ops.log1p(-p)

    @property
    def param_shape(self) -> Shape:
        return tuple(next(iter(self._parameters().values())).shape)

    def _surprise(self) -> Tensor:
        """−p log p − (1 − p) log(1 − p)."""
        return ops.logaddexp(self.logits, 0.0) - self.logits * self.probs


class Bernoulli(_OfChances):
    """1 with the chance ``probs``, and otherwise 0.

    >>> import tinytensor as tt
    >>> tt.distributions.Bernoulli(probs=tt.tensor([0.25, 1.0])).mean
    tensor([0.25, 1.  ])
    """

    support = constraints.boolean
    has_enumerate_support = True

    def __init__(
        self,
        probs: ArrayLike | None = None,
        logits: ArrayLike | None = None,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__(probs, logits, validate_args)

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def mode(self) -> Tensor:
        mode = ops.astype(ops.greater_equal(self.probs, 0.5), self._dtype)
        return ops.where(ops.equal(self.probs, 0.5), np.nan, mode)

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = (), *, generator: Generator = None) -> Tensor:
        chances = ops.broadcast_to(self.probs.detach(), self._extended_shape(sample_shape))
        return bernoulli(chances, generator=generator)

    def log_prob(self, value: ArrayLike) -> Tensor:
        return self._value(value) * self.logits - ops.logaddexp(self.logits, 0.0)

    def entropy(self) -> Tensor:
        return self._surprise()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        values = arange(2, dtype=self._dtype).reshape((2, *(1,) * len(self._batch_shape)))
        return ops.broadcast_to(values, (2, *self._batch_shape)) if expand else values


@op
def _binomial(count, probs, generator):
    drawn = random.resolve(generator).binomial(np.asarray(count, np.int64), probs)
    return np.asarray(drawn, probs.dtype)


_binomial.batched(draws_of_lanes)


class Binomial(_OfChances):
    """How many of ``total_count`` draws of :class:`Bernoulli` are 1."""

    arg_constraints = {
        "total_count": constraints.nonnegative_integer,
        "probs": constraints.unit_interval,
        "logits": constraints.real,
    }
    has_enumerate_support = True
    total_count: Tensor

    def __init__(
        self,
        total_count: ArrayLike = 1,
        probs: ArrayLike | None = None,
        logits: ArrayLike | None = None,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__(probs, logits, validate_args, total_count=total_count)

    @property
    def support(self) -> constraints.Constraint:
        if self.total_count.level:
            return constraints.nonnegative_integer
        return constraints.integer_interval(0, self.total_count.detach().numpy())

    @property
    def mean(self) -> Tensor:
        return self.total_count * self.probs

    @property
    def mode(self) -> Tensor:
        return ops.minimum(ops.floor((self.total_count + 1) * self.probs), self.total_count)

    @property
    def variance(self) -> Tensor:
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = (), *, generator: Generator = None) -> Tensor:
        shape = self._extended_shape(sample_shape)
        count, p = (ops.broadcast_to(x.detach(), shape) for x in (self.total_count, self.probs))
        return _binomial(count, with_lanes_that_draw(p), generator)

    def log_prob(self, value: ArrayLike) -> Tensor:
        x, n = self._value(value), self.total_count
        ways = ops.lgamma(n + 1) - ops.lgamma(x + 1) - ops.lgamma(n - x + 1)
        return ways + x * self.logits - n * ops.logaddexp(self.logits, 0.0)

    def entropy(self) -> Tensor:
        logs = self.log_prob(self.enumerate_support(False))
        return -ops.sum(ops.exp(logs) * logs, 0)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        counts = self.total_count.detach().numpy()
        if counts.size == 0 or counts.min() != counts.max():
            raise NotImplementedError(f"Binomial: one support for total_count {counts} is not made")
        count = int(counts.max()) + 1
        values = arange(count, dtype=self._dtype)
        values = values.reshape((count, *(1,) * len(self._batch_shape)))
        return ops.broadcast_to(values, (count, *self._batch_shape)) if expand else values


class Geometric(_OfChances):
    """How many draws of :class:`Bernoulli` are 0 before the first 1."""

    support = constraints.nonnegative_integer

    def __init__(
        self,
        probs: ArrayLike | None = None,
        logits: ArrayLike | None = None,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__(probs, logits, validate_args)
        if self._validate_args and probs is not None:
            self._check("probs", constraints.positive, self.probs)

    @property
    def mean(self) -> Tensor:
        return ops.reciprocal(self.probs) - 1

    @property
    def mode(self) -> Tensor:
        return full_like(self.probs, 0.0)

    @property
    def variance(self) -> Tensor:
        return (ops.reciprocal(self.probs) - 1) / self.probs

    def sample(self, sample_shape: Any = (), *, generator: Generator = None) -> Tensor:
        u = self._uniform(self._extended_shape(sample_shape), generator)
        u = ops.maximum(1 - u, finfo(u.dtype).smallest_normal)
        return ops.floor(ops.log(u) / ops.log1p(-self.probs.detach()))

    def log_prob(self, value: ArrayLike) -> Tensor:
        x, p = self._value(value), self.probs
        none = ops.equal(x, 0)
        return ops.where(none, 0.0, x * ops.log1p(-ops.where(none, 0.0, p))) + ops.log(p)

    def entropy(self) -> Tensor:
        return self._surprise() / self.probs


class Poisson(Distribution):
    """How many events come that come at a ``rate``: e^(−rate) rateˣ / x!."""

    arg_constraints = {"rate": constraints.nonnegative}
    support = constraints.nonnegative_integer
    rate: Tensor

    def __init__(self, rate: ArrayLike, validate_args: bool | None = None) -> None:
        vars(self).update(together("Poisson", rate=rate))
        super().__init__(self.rate.shape, (), validate_args)

    @property
    def mean(self) -> Tensor:
        return self.rate

    @property
    def mode(self) -> Tensor:
        return ops.floor(self.rate)

    @property
    def variance(self) -> Tensor:
        return self.rate

    def sample(self, sample_shape: Any = (), *, generator: Generator = None) -> Tensor:
        rates = ops.broadcast_to(self.rate.detach(), self._extended_shape(sample_shape))
        return poisson(rates, generator=generator)

    def log_prob(self, value: ArrayLike) -> Tensor:
        x = self._value(value)
        return ops.xlogy(x, self.rate) - self.rate - ops.lgamma(x + 1)


# --- Of classes ------------------------------------------------------------------------------


class _OfClasses(Distribution):
    """Classes, whose chances lie along the last axis of the parameters."""

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}

    def _set(self, probs: Any, logits: Any) -> Shape:
        """Normalise the chances; the shape in front of them."""
        name = type(self).__name__
        ((kind, x),) = together(name, **_one_of(name, probs, logits)).items()
        if x.ndim < 1 or not x.shape[-1]:
            raise ShapeError(f"{name}: {kind} are of classes along a last axis, not {x.shape}")
        if kind == "probs":
            vars(self)["probs"] = x / ops.sum(x, -1, keepdims=True)
        else:
            vars(self)["logits"] = x - ops.logsumexp(x, -1, keepdims=True)
        return tuple(x.shape[:-1])

    @lazy
    def probs(self) -> Tensor:
        """The chances of the classes, of sum 1."""
        return ops.softmax(self.logits, -1)

    @lazy
    def logits(self) -> Tensor:
        """log p, where p is kept the dtype's epsilon away from 0 and 1."""
        eps = finfo(self.probs.dtype).eps
        return ops.log(ops.clip(self.probs, eps, 1 - eps))

    @property
    def param_shape(self) -> Shape:
        return tuple(next(iter(self._parameters().values())).shape)

    def _surprise(self) -> Tensor:
        """−Σ p log p; a class that cannot be adds nothing."""
        least = finfo(self.logits.dtype).min
        return -ops.sum(self.probs * ops.maximum(self.logits, least), -1)

    def _drawn(self, count: Shape, generator: Generator) -> Tensor:
        """Classes, count + batch_shape."""
        chances, n = self.probs.detach(), int(np.prod(count))
        rows = chances.reshape((-1, chances.shape[-1]))
        found = multinomial(rows, n, replacement=True, generator=generator)
        return found.mT.reshape((*count, *chances.shape[:-1]))


class Categorical(_OfClasses):
    """A class 0, 1 … C − 1, as int64, of chances or logits (…, C), which need not be normalised.

    >>> import tinytensor as tt
    >>> policy = tt.distributions.Categorical(logits=tt.zeros((2, 4)))
    >>> policy.log_prob(tt.tensor([0, 3]))
    tensor([-1.3862944, -1.3862944])
    """

    has_enumerate_support = True

    def __init__(
        self,
        probs: ArrayLike | None = None,
        logits: ArrayLike | None = None,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__(self._set(probs, logits), (), validate_args)

    @property
    def support(self) -> constraints.Constraint:
        return constraints.integer_interval(0, self.param_shape[-1] - 1)

    @property
    def mean(self) -> Tensor:
        return full_like(self.probs[..., 0], np.nan)

    @property
    def variance(self) -> Tensor:
        return full_like(self.probs[..., 0], np.nan)

    @property
    def mode(self) -> Tensor:
        return ops.argmax(self.probs, -1)

    def sample(self, sample_shape: Any = (), *, generator: Generator = None) -> Tensor:
        shape = self._extended_shape(sample_shape)
        return self._drawn(shape[: len(shape) - len(self._batch_shape)], generator)

    def log_prob(self, value: ArrayLike) -> Tensor:
        index = ops.astype(self._value(value), np.int64)
        shape = np.broadcast_shapes(tuple(index.shape), self._batch_shape)
        logits = ops.broadcast_to(self.logits, (*shape, self.param_shape[-1]))
        index = ops.expand_dims(ops.broadcast_to(index, shape), -1)
        return ops.take_along_axis(logits, index, -1)[..., 0]

    def entropy(self) -> Tensor:
        return self._surprise()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        count = self.param_shape[-1]
        values = arange(count).reshape((count, *(1,) * len(self._batch_shape)))
        return ops.broadcast_to(values, (count, *self._batch_shape)) if expand else values


class OneHotCategorical(_OfClasses):
    """:class:`Categorical` whose draws are vectors of C, 1 at the class and otherwise 0."""

    support = constraints.one_hot
    has_enumerate_support = True

    def __init__(
        self,
        probs: ArrayLike | None = None,
        logits: ArrayLike | None = None,
        validate_args: bool | None = None,
    ) -> None:
        shape = self._set(probs, logits)
        super().__init__(shape, self.param_shape[-1:], validate_args)

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def mode(self) -> Tensor:
        return self._rows(ops.argmax(self.probs, -1))

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    def _rows(self, index: Tensor) -> Tensor:
        classes = arange(self.param_shape[-1])
        return ops.astype(ops.equal(ops.expand_dims(index, -1), classes), self._dtype)

    def sample(self, sample_shape: Any = (), *, generator: Generator = None) -> Tensor:
        shape = self._extended_shape(sample_shape)
        return self._rows(self._drawn(shape[: len(shape) - len(self.param_shape)], generator))

    def log_prob(self, value: ArrayLike) -> Tensor:
        x = self._value(value)
        return ops.sum(ops.where(ops.equal(x, 0), 0.0, self.logits), -1)

    def entropy(self) -> Tensor:
        return self._surprise()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        count = self.param_shape[-1]
        values = eye(count, dtype=self._dtype)
        values = values.reshape((count, *(1,) * len(self._batch_shape), count))
        return ops.broadcast_to(values, (count, *self._batch_shape, count)) if expand else values


class Multinomial(_OfClasses):
    """How often each class comes in ``total_count`` draws of :class:`Categorical`."""

    total_count: int

    def __init__(
        self,
        total_count: int = 1,
        probs: ArrayLike | None = None,
        logits: ArrayLike | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(total_count, int | np.integer) or total_count < 0:
            raise ValueError(
                f"Multinomial: total_count must be an integer of at least 0, not {total_count!r}"
            )
        self.total_count = int(total_count)
        shape = self._set(probs, logits)
        super().__init__(shape, self.param_shape[-1:], validate_args)

    @property
    def support(self) -> constraints.Constraint:
        whole, total = constraints.nonnegative_integer, self.total_count
        return constraints.Constraint(
            f"whole, at least 0 and of sum {total}",
            lambda x: whole.check(x).all(-1) & (x.sum(-1) == total),
            1,
            is_discrete=True,
        )

    @property
    def mean(self) -> Tensor:
        return self.total_count * self.probs

    @property
    def variance(self) -> Tensor:
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = (), *, generator: Generator = None) -> Tensor:
        shape = self._extended_shape(sample_shape)
        count = shape[: len(shape) - len(self.param_shape)]
        classes = ops.expand_dims(self._drawn((self.total_count, *count), generator), -1)
        drawn = ops.equal(classes, arange(self.param_shape[-1]))
        return ops.astype(ops.sum(drawn, 0), self._dtype)

    def log_prob(self, value: ArrayLike) -> Tensor:
        x = self._value(value)
        chances = ops.sum(ops.where(ops.equal(x, 0), 0.0, x * self.logits), -1)
        ways = ops.lgamma(ops.sum(x, -1) + 1) - ops.sum(ops.lgamma(x + 1), -1)
        return ways + chances

    def entropy(self) -> Tensor:
        """By the entropies of the draws and the mean of log of the factorials."""
        n = self.total_count
        binomial = Binomial(n, probs=self.probs, validate_args=False)
        counts = binomial.enumerate_support(False)[1:]
        share = ops.exp(binomial.log_prob(counts)) * ops.lgamma(counts + 1)
        logs = ops.lgamma(full_like(self.probs[..., 0], n + 1.0))
        return n * self._surprise() - logs + ops.sum(share, (0, -1))
