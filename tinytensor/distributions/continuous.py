"""Distributions of single real numbers with a place or a scale: Normal, Laplace, Uniform …"""

from __future__ import annotations

import math
from typing import Any

from .. import ops
from ..dtypes import finfo
from ..ops.annotations import ArrayLike
from ..tensors.creation import full_like
from ..tensors.tensor import Tensor
from . import constraints
from .distribution import Distribution, Generator, together

EULER = 0.57721566490153286061
LOG_ROOT_2PI = 0.5 * math.log(2 * math.pi)


class _Univariate(Distribution):
    """Single numbers, whose parameters are numbers that broadcast."""

    has_rsample = True

    def __init__(self, validate_args: bool | None, **parameters: Any) -> None:
        made = together(type(self).__name__, **parameters)
        vars(self).update(made)
        super().__init__(next(iter(made.values())).shape, (), validate_args)

    def _like(self, number: float) -> Tensor:
        """One number for each distribution."""
        return full_like(next(iter(self._parameters().values())), number)


class _Placed(_Univariate):
    """The distribution of loc + scale z, where a z of its own has loc 0 and scale 1."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    loc: Tensor
    scale: Tensor

    def __init__(self, loc: ArrayLike, scale: ArrayLike, validate_args: bool | None = None) -> None:
        super().__init__(validate_args, loc=loc, scale=scale)

    def _standard(self, value: ArrayLike) -> Tensor:
        return (self._value(value) - self.loc) / self.scale

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc


class Normal(_Placed):
    """The normal distribution: density exp(−z² / 2) / (scale √(2π)), z = (x − loc) / scale.

    >>> import tinytensor as tt
    >>> normal = tt.distributions.Normal(tt.tensor([0.0, 1.0]), 2.0)
    >>> normal.log_prob(1.0), normal.sample((3,)).shape
    (tensor([-1.7370857, -1.6120857]), (3, 2))
    """

    @property
    def variance(self) -> Tensor:
        return ops.square(self.scale)

    @property
    def stddev(self) -> Tensor:
        return self.scale

    def rsample(self, sample_shape: Any = (), *, generator: Generator = None) -> Tensor:
        noise = self._normal(self._extended_shape(sample_shape), generator)
        return self.loc + self.scale * noise

    def log_prob(self, value: ArrayLike) -> Tensor:
        return -0.5 * ops.square(self._standard(value)) - ops.log(self.scale) - LOG_ROOT_2PI

    def cdf(self, value: ArrayLike) -> Tensor:
        return 0.5 * ops.erfc(self._standard(value) * -math.sqrt(0.5))

    def icdf(self, value: ArrayLike) -> Tensor:
        return self.loc + self.scale * (math.sqrt(2) * ops.erfinv(2 * self._chance(value) - 1))

    def entropy(self) -> Tensor:
        return 0.5 + LOG_ROOT_2PI + ops.log(self.scale)


class Laplace(_Placed):
    """The Laplace distribution: density exp(−|x − loc| / scale) / (2 scale)."""

    @property
    def variance(self) -> Tensor:
        return 2 * ops.square(self.scale)

    def rsample(self, sample_shape: Any = (), *, generator: Generator = None) -> Tensor:
        u = self._uniform(self._extended_shape(sample_shape), generator) - 0.5
        least = finfo(u.dtype).smallest_normal  # −0.5 is drawn, and would be −∞
        tail = ops.log(ops.clip(1 - 2 * ops.abs(u), least))
        return self.loc - self.scale * (ops.sign(u) * tail)

    def log_prob(self, value: ArrayLike) -> Tensor:
        return -ops.abs(self._standard(value)) - ops.log(2 * self.scale)

    def cdf(self, value: ArrayLike) -> Tensor:
        z = self._standard(value)
        return 0.5 - 0.5 * ops.sign(z) * ops.expm1(-ops.abs(z))

    def icdf(self, value: ArrayLike) -> Tensor:
        u = self._chance(value) - 0.5
        return self.loc - self.scale * (ops.sign(u) * ops.log1p(-2 * ops.abs(u)))

    def entropy(self) -> Tensor:
        return 1 + ops.log(2 * self.scale)


class Cauchy(_Placed):
    """The Cauchy distribution: density 1 / (π scale (1 + z²)), z = (x − loc) / scale. It has no
    mean (NaN) and no variance (∞)."""

    @property
    def mean(self) -> Tensor:
        return self._like(math.nan)

    @property
    def variance(self) -> Tensor:
        return self._like(math.inf)

    def rsample(self, sample_shape: Any = (), *, generator: Generator = None) -> Tensor:
        u = self._uniform(self._extended_shape(sample_shape), generator)
        return self.loc + self.scale * ops.tan(math.pi * (u - 0.5))

    def log_prob(self, value: ArrayLike) -> Tensor:
        z = self._standard(value)
        return -math.log(math.pi) - ops.log(self.scale) - ops.log1p(ops.square(z))

    def cdf(self, value: ArrayLike) -> Tensor:
        return ops.atan(self._standard(value)) / math.pi + 0.5

    def icdf(self, value: ArrayLike) -> Tensor:
        return self.loc + self.scale * ops.tan(math.pi * (self._chance(value) - 0.5))

    def entropy(self) -> Tensor:
        return math.log(4 * math.pi) + ops.log(self.scale)


class Gumbel(_Placed):
    """The Gumbel distribution: P(X ≤ x) = exp(−exp(−z)), z = (x − loc) / scale."""

    @property
    def mean(self) -> Tensor:
        return self.loc + EULER * self.scale

    @property
    def variance(self) -> Tensor:
        return (math.pi**2 / 6) * ops.square(self.scale)

    def rsample(self, sample_shape: Any = (), *, generator: Generator = None) -> Tensor:
        u = self._uniform(self._extended_shape(sample_shape), generator)
        limits = finfo(u.dtype)
        u = ops.clip(u, limits.smallest_normal, 1 - limits.eps / 2)
        return self.loc - self.scale * ops.log(-ops.log(u))

    def log_prob(self, value: ArrayLike) -> Tensor:
        z = self._standard(value)
        return -z - ops.exp(-z) - ops.log(self.scale)

    def cdf(self, value: ArrayLike) -> Tensor:
        return ops.exp(-ops.exp(-self._standard(value)))

    def icdf(self, value: ArrayLike) -> Tensor:
        return self.loc - self.scale * ops.log(-ops.log(self._chance(value)))

    def entropy(self) -> Tensor:
        return ops.log(self.scale) + (1 + EULER)


class LogNormal(_Placed):
    """The distribution of eᶻ for a z of :class:`Normal`\\ (loc, scale)."""

    support = constraints.positive

    def _logarithms(self) -> Normal:
        return Normal(self.loc, self.scale, validate_args=False)

    @property
    def mean(self) -> Tensor:
        return ops.exp(self.loc + 0.5 * ops.square(self.scale))

    @property
    def mode(self) -> Tensor:
        return ops.exp(self.loc - ops.square(self.scale))

    @property
    def variance(self) -> Tensor:
        square = ops.square(self.scale)
        return ops.expm1(square) * ops.exp(2 * self.loc + square)

    def rsample(self, sample_shape: Any = (), *, generator: Generator = None) -> Tensor:
        return ops.exp(self._logarithms().rsample(sample_shape, generator=generator))

    def log_prob(self, value: ArrayLike) -> Tensor:
        logarithm = ops.log(self._value(value))
        return self._logarithms().log_prob(logarithm) - logarithm

    def cdf(self, value: ArrayLike) -> Tensor:
        return self._logarithms().cdf(ops.log(self._value(value)))

    def icdf(self, value: ArrayLike) -> Tensor:
        return ops.exp(self._logarithms().icdf(self._chance(value)))

    def entropy(self) -> Tensor:
        return self._logarithms().entropy() + self.loc


class HalfNormal(_Univariate):
    """The distribution of |x| for an x of :class:`Normal`\\ (0, scale)."""

    arg_constraints = {"scale": constraints.positive}
    support = constraints.nonnegative
    scale: Tensor

    def __init__(self, scale: ArrayLike, validate_args: bool | None = None) -> None:
        super().__init__(validate_args, scale=scale)

    def _whole(self) -> Normal:
        return Normal(0.0, self.scale, validate_args=False)

    @property
    def mean(self) -> Tensor:
        return math.sqrt(2 / math.pi) * self.scale

    @property
    def mode(self) -> Tensor:
        return self._like(0.0)

    @property
    def variance(self) -> Tensor:
        return (1 - 2 / math.pi) * ops.square(self.scale)

    def rsample(self, sample_shape: Any = (), *, generator: Generator = None) -> Tensor:
        return ops.abs(self._whole().rsample(sample_shape, generator=generator))

    def log_prob(self, value: ArrayLike) -> Tensor:
        x = self._value(value)
        return ops.where(ops.less(x, 0), -math.inf, self._whole().log_prob(x) + math.log(2))

    def cdf(self, value: ArrayLike) -> Tensor:
        return ops.erf(self._value(value) / (math.sqrt(2) * self.scale))

    def icdf(self, value: ArrayLike) -> Tensor:
        return (math.sqrt(2) * self.scale) * ops.erfinv(self._chance(value))

    def entropy(self) -> Tensor:
        return self._whole().entropy() - math.log(2)


class Uniform(_Univariate):
    """Numbers from [low, high), all alike; ``low`` must be below ``high``."""

    arg_constraints = {"low": constraints.real, "high": constraints.real}
    low: Tensor
    high: Tensor

    def __init__(self, low: ArrayLike, high: ArrayLike, validate_args: bool | None = None) -> None:
        super().__init__(validate_args, low=low, high=high)
        if self._validate_args and not (self.low.level or self.high.level):
            low_values, high_values = (x.detach().numpy() for x in (self.low, self.high))
            if not (low_values < high_values).all():
                raise ValueError(f"Uniform: low {low_values} must be below high {high_values}")

    @property
    def support(self) -> constraints.Constraint:
        if self.low.level or self.high.level:
            return constraints.real
        return constraints.interval(self.low.detach().numpy(), self.high.detach().numpy())

    @property
    def _width(self) -> Tensor:
        return self.high - self.low

    @property
    def mean(self) -> Tensor:
        return 0.5 * (self.high + self.low)

    @property
    def mode(self) -> Tensor:
        return self._like(math.nan)

    @property
    def variance(self) -> Tensor:
        return ops.square(self._width) / 12

    @property
    def stddev(self) -> Tensor:
        return self._width / math.sqrt(12)

    def rsample(self, sample_shape: Any = (), *, generator: Generator = None) -> Tensor:
        noise = self._uniform(self._extended_shape(sample_shape), generator)
        return self.low + noise * self._width

    def log_prob(self, value: ArrayLike) -> Tensor:
        x = self._value(value)
        inside = ops.logical_and(ops.less_equal(self.low, x), ops.less(x, self.high))
        return ops.where(inside, -ops.log(self._width), -math.inf)

    def cdf(self, value: ArrayLike) -> Tensor:
        return ops.clip((self._value(value) - self.low) / self._width, 0, 1)

    def icdf(self, value: ArrayLike) -> Tensor:
        return self.low + self._chance(value) * self._width

    def entropy(self) -> Tensor:
        return ops.log(self._width)


class Exponential(_Univariate):
    """The time to an event that comes at a ``rate``: density rate e^(−rate x)."""

    arg_constraints = {"rate": constraints.positive}
    support = constraints.nonnegative
    rate: Tensor

    def __init__(self, rate: ArrayLike, validate_args: bool | None = None) -> None:
        super().__init__(validate_args, rate=rate)

    @property
    def mean(self) -> Tensor:
        return ops.reciprocal(self.rate)

    @property
    def mode(self) -> Tensor:
        return self._like(0.0)

    @property
    def variance(self) -> Tensor:
        return ops.square(ops.reciprocal(self.rate))

    @property
    def stddev(self) -> Tensor:
        return ops.reciprocal(self.rate)

    def rsample(self, sample_shape: Any = (), *, generator: Generator = None) -> Tensor:
        noise = self._uniform(self._extended_shape(sample_shape), generator)
        return -ops.log1p(-noise) / self.rate

    def log_prob(self, value: ArrayLike) -> Tensor:
        return ops.log(self.rate) - self.rate * self._value(value)

    def cdf(self, value: ArrayLike) -> Tensor:
        return -ops.expm1(-self.rate * self._value(value))

    def icdf(self, value: ArrayLike) -> Tensor:
        return -ops.log1p(-self._chance(value)) / self.rate

    def entropy(self) -> Tensor:
        return 1 - ops.log(self.rate)
