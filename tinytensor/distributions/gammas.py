"""Gamma and what is made of it: Beta, Dirichlet, Chi2, StudentT.

Draws have gradients by their concentration α too. Where F(x, α) is the probability of draws up to x
and f its derivative by x, a draw that keeps its F moves by dx/dα = −(∂F/∂α) / f (implicit
reparameterisation: Figurnov, Mohamed and Mnih, 2018).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import kernels, ops, random
from ..errors import ShapeError
from ..ops.annotations import ArrayLike
from ..ops.batching import elementwise
from ..tensors.creation import full_like
from ..tensors.sampling import draws_of_lanes, with_lanes_that_draw
from ..tensors.tensor import Tensor, op
from . import constraints
from .continuous import _Univariate
from .distribution import Distribution, Generator, tensors

# --- Draws -----------------------------------------------------------------------------------


@op
def _standard_gamma(concentration, generator):
    drawn = random.resolve(generator).standard_gamma(np.asarray(concentration, np.float64))
    least = np.finfo(concentration.dtype).smallest_normal  # 0 would have no logarithm
    return np.maximum(drawn, least).astype(concentration.dtype)


def _drawn(concentration: Tensor, generator: Generator) -> Tensor:
    return _standard_gamma(with_lanes_that_draw(concentration), generator)


@op
def _slope_of_draw(concentration, out):
    """−(∂P/∂α) / p at the draws x of a distribution with density p = xᵅ⁻¹ e⁻ˣ / Γ(α)."""
    x = np.maximum(np.asarray(out, np.float64), 1e-300)
    alpha = np.broadcast_to(np.asarray(concentration, np.float64), x.shape)
    found, far = np.empty_like(x), x > alpha + 5 * np.sqrt(alpha) + 5
    for part, slope in ((far, _slope_by_tail), (~far, _slope_by_series)):
        if part.any():
            found[part] = slope(alpha[part], x[part])
    return found.astype(np.asarray(out).dtype)


def _slope_by_series(alpha: np.ndarray, x: np.ndarray) -> np.ndarray:
    """P is Σ tₙ, tₙ = xᵅ⁺ⁿ e⁻ˣ / Γ(α + n + 1). So the slope is Σ tₙ/p (ψ(α + n + 1) − log x), with
    tₙ/p = xⁿ⁺¹ / (α (α + 1) … (α + n))."""
    psi, logarithm = np.asarray(kernels.polygamma(0, alpha)), np.log(x)
    term, total, weight, n = np.ones_like(x), np.zeros_like(x), np.zeros_like(x), 0
    while n == 0 or np.any(term > 1e-17 * weight):
        term = term * (x / (alpha + n))
        psi = psi + 1 / (alpha + n)
        total = total + term * (psi - logarithm)
        weight = weight + term
        n += 1
    return total


def _slope_by_tail(alpha: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Far out the series is a small difference of large numbers. There, by 1 − P, the slope is
    ∫ (1 + u/x)ᵅ⁻¹ e⁻ᵘ (log(x + u) − ψ(α)) du from 0, of which e⁻ᵛ, v = c u, is taken as the weight,
    c = 1 − (α − 1) / x."""
    places, weights = np.polynomial.laguerre.laggauss(64)
    c = 1 - (alpha - 1) / x
    u = places / c[:, np.newaxis]
    share = u / x[:, np.newaxis]
    bend = np.exp((alpha[:, np.newaxis] - 1) * (np.log1p(share) - share))
    psi = np.asarray(kernels.polygamma(0, alpha))
    gaps = np.log(x)[:, np.newaxis] + np.log1p(share) - psi[:, np.newaxis]
    return (weights * bend * gaps).sum(-1) / c


_slope_of_draw.batched(elementwise)
_standard_gamma.batched(draws_of_lanes)
_standard_gamma.grad(
    concentration=lambda g, concentration, out: g * _slope_of_draw(concentration, out)
)


@op
def _share(concentration, x):
    """The probability of draws up to x."""
    return kernels.gamma_share(False, concentration, x)


def _density(a: Tensor, x: Tensor) -> Tensor:
    return ops.exp(ops.xlogy(a - 1, x) - x - ops.lgamma(a))


_share.batched(elementwise).grad(
    concentration=lambda g, concentration, x: (
        -g * (_slope_of_draw(concentration, x) * _density(concentration, x))
    ),
    x=lambda g, concentration, x: g * _density(concentration, x),
)


class Gamma(_Univariate):
    """The time to ``concentration`` events that come at a ``rate``: density
    rateᵅ xᵅ⁻¹ e^(−rate x) / Γ(α), α = concentration. Gradients of draws, and by α of
    ``cdf``, are of first order."""

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.nonnegative
    concentration: Tensor
    rate: Tensor

    def __init__(
        self, concentration: ArrayLike, rate: ArrayLike, validate_args: bool | None = None
    ) -> None:
        super().__init__(validate_args, concentration=concentration, rate=rate)

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.rate

    @property
    def mode(self) -> Tensor:
        return ops.maximum(self.concentration - 1, 0.0) / self.rate

    @property
    def variance(self) -> Tensor:
        return self.concentration / ops.square(self.rate)

    def rsample(self, sample_shape: Any = (), *, generator: Generator = None) -> Tensor:
        shape = self._extended_shape(sample_shape)
        return _drawn(ops.broadcast_to(self.concentration, shape), generator) / self.rate

    def log_prob(self, value: ArrayLike) -> Tensor:
        x, a = self._value(value), self.concentration
        return ops.xlogy(a, self.rate) + ops.xlogy(a - 1, x) - self.rate * x - ops.lgamma(a)

    def cdf(self, value: ArrayLike) -> Tensor:
        x = self._value(value) * self.rate
        shape = np.broadcast_shapes(tuple(x.shape), self._batch_shape)
        return _share(ops.broadcast_to(self.concentration, shape), x)

    def entropy(self) -> Tensor:
        a = self.concentration
        return a - ops.log(self.rate) + ops.lgamma(a) + (1 - a) * ops.digamma(a)


class Chi2(Gamma):
    """The sum of the squares of ``df`` normal numbers: :class:`Gamma`\\ (df / 2, 1 / 2)."""

    def __init__(self, df: ArrayLike, validate_args: bool | None = None) -> None:
        given = tensors("Chi2", df=df)["df"]
        super().__init__(0.5 * given, 0.5, validate_args)

    @property
    def df(self) -> Tensor:
        return 2 * self.concentration


class StudentT(_Univariate):
    """loc + scale z / √(c / df), for a normal z and a c of :class:`Chi2`\\ (df)."""

    arg_constraints = {
        "df": constraints.positive,
        "loc": constraints.real,
        "scale": constraints.positive,
    }
    df: Tensor
    loc: Tensor
    scale: Tensor

    def __init__(
        self,
        df: ArrayLike,
        loc: ArrayLike = 0.0,
        scale: ArrayLike = 1.0,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__(validate_args, df=df, loc=loc, scale=scale)

    @property
    def mean(self) -> Tensor:
        return ops.where(ops.greater(self.df, 1), self.loc, math.nan)

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        """Finite for a df above 2, ∞ from 1 on, and NaN up to 1."""
        finite = ops.greater(self.df, 2)
        df = ops.where(finite, self.df, 3.0)
        found = ops.square(self.scale) * df / (df - 2)
        beyond = ops.where(ops.greater(self.df, 1), math.inf, full_like(self.df, math.nan))
        return ops.where(finite, found, beyond)

    def rsample(self, sample_shape: Any = (), *, generator: Generator = None) -> Tensor:
        shape = self._extended_shape(sample_shape)
        normal = self._normal(shape, generator)
        squares = 2 * _drawn(ops.broadcast_to(0.5 * self.df, shape), generator)
        return self.loc + self.scale * (normal * ops.rsqrt(squares / self.df))

    def log_prob(self, value: ArrayLike) -> Tensor:
        z = (self._value(value) - self.loc) / self.scale
        half = 0.5 * self.df
        norm = ops.log(self.scale) + 0.5 * ops.log(self.df) + 0.5 * math.log(math.pi)
        norm = norm + ops.lgamma(half) - ops.lgamma(half + 0.5)
        return -(half + 0.5) * ops.log1p(ops.square(z) / self.df) - norm

    def entropy(self) -> Tensor:
        half = 0.5 * self.df
        beta = ops.lgamma(half) + math.log(math.sqrt(math.pi)) - ops.lgamma(half + 0.5)
        slopes = ops.digamma(half + 0.5) - ops.digamma(half)
        return ops.log(self.scale) + (half + 0.5) * slopes + 0.5 * ops.log(self.df) + beta


class Dirichlet(Distribution):
    """Chances of C classes: density Π xᵢ^(αᵢ − 1) Γ(Σ αᵢ) / Π Γ(αᵢ), α = concentration (…, C)."""

    arg_constraints = {"concentration": constraints.independent(constraints.positive, 1)}
    support = constraints.simplex
    has_rsample = True
    concentration: Tensor

    def __init__(self, concentration: ArrayLike, validate_args: bool | None = None) -> None:
        self.concentration = tensors("Dirichlet", concentration=concentration)["concentration"]
        shape = tuple(self.concentration.shape)
        if not shape:
            raise ShapeError("Dirichlet: concentration is of classes along a last axis, not ()")
        super().__init__(shape[:-1], shape[-1:], validate_args)

    @property
    def mean(self) -> Tensor:
        return self.concentration / ops.sum(self.concentration, -1, keepdims=True)

    @property
    def mode(self) -> Tensor:
        """Where all concentrations are below 1, the class of the largest one."""
        least = ops.maximum(self.concentration - 1, 0.0)
        total = ops.sum(least, -1, keepdims=True)
        none = ops.equal(total, 0)
        best = ops.argmax(self.concentration, -1, keepdims=True)
        corner = ops.equal(best, np.arange(self.concentration.shape[-1]))
        corner = ops.astype(corner, self._dtype)
        return ops.where(none, corner, least / ops.where(none, 1.0, total))

    @property
    def variance(self) -> Tensor:
        total = ops.sum(self.concentration, -1, keepdims=True)
        share = self.concentration / total
        return share * (1 - share) / (total + 1)

    def rsample(self, sample_shape: Any = (), *, generator: Generator = None) -> Tensor:
        shape = self._extended_shape(sample_shape)
        parts = _drawn(ops.broadcast_to(self.concentration, shape), generator)
        return parts / ops.sum(parts, -1, keepdims=True)

    def log_prob(self, value: ArrayLike) -> Tensor:
        a = self.concentration
        powers = ops.sum(ops.xlogy(a - 1, self._value(value)), -1)
        return powers + ops.lgamma(ops.sum(a, -1)) - ops.sum(ops.lgamma(a), -1)

    def entropy(self) -> Tensor:
        a, count = self.concentration, self._event_shape[0]
        total = ops.sum(a, -1)
        norm = ops.sum(ops.lgamma(a), -1) - ops.lgamma(total)
        slopes = (count - total) * ops.digamma(total)
        return norm - slopes - ops.sum((a - 1) * ops.digamma(a), -1)


class Beta(_Univariate):
    """A chance: density x^(a − 1) (1 − x)^(b − 1) Γ(a + b) / (Γ(a) Γ(b)), for a =
    ``concentration1`` and b = ``concentration0``."""

    arg_constraints = {
        "concentration1": constraints.positive,
        "concentration0": constraints.positive,
    }
    support = constraints.unit_interval
    concentration1: Tensor
    concentration0: Tensor

    def __init__(
        self,
        concentration1: ArrayLike,
        concentration0: ArrayLike,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__(
            validate_args, concentration1=concentration1, concentration0=concentration0
        )

    @property
    def _pair(self) -> Dirichlet:
        both = ops.stack([self.concentration1, self.concentration0], -1)
        return Dirichlet(both, validate_args=False)

    @property
    def mean(self) -> Tensor:
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def mode(self) -> Tensor:
        return self._pair.mode[..., 0]

    @property
    def variance(self) -> Tensor:
        return self._pair.variance[..., 0]

    def rsample(self, sample_shape: Any = (), *, generator: Generator = None) -> Tensor:
        return self._pair.rsample(sample_shape, generator=generator)[..., 0]

    def log_prob(self, value: ArrayLike) -> Tensor:
        x = self._value(value)
        return self._pair.log_prob(ops.stack([x, 1 - x], -1))

    def entropy(self) -> Tensor:
        return self._pair.entropy()
