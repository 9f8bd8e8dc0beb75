"""The divergence ∫ p log(p / q) of Kullback and Leibler, by a table of formulas for pairs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

from .. import ops
from ..ops import linalg
from ..tensors.tensor import Tensor
from .continuous import (
    EULER,
    Cauchy,
    Exponential,
    Gumbel,
    HalfNormal,
    Laplace,
    LogNormal,
    Normal,
    Uniform,
)
from .discrete import Bernoulli, Binomial, Categorical, Geometric, OneHotCategorical, Poisson
from .distribution import Distribution
from .gammas import Beta, Dirichlet, Gamma
from .joint import Independent, MultivariateNormal, substituted

Formula = Callable[[Any, Any], Tensor]
F = TypeVar("F", bound=Formula)
_FORMULAS: dict[tuple[type, type], Formula] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[F], F]:
    """Declare ``formula(p, q)`` as the divergence of these classes and of their subclasses that
    have none of their own.

    >>> import tinytensor as tt
    >>> class Standard(tt.distributions.Normal):
    ...     def __init__(self): super().__init__(0.0, 1.0)
    >>> @tt.distributions.register_kl(Standard, Standard)
    ... def _none(p, q): return tt.tensor(0.0)
    >>> tt.distributions.kl_divergence(Standard(), Standard())
    tensor(0.)
    """
    for one in (type_p, type_q):
        if not (isinstance(one, type) and issubclass(one, Distribution)):
            raise TypeError(f"register_kl: needs two classes of distributions, not {one!r}")

    def declare(formula: F) -> F:
        _FORMULAS[type_p, type_q] = formula
        return formula

    return declare


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """∫ p log(p / q), for each distribution of the batch.

    A NotImplementedError if no formula is known for the two classes: :func:`register_kl` adds one.
    Of several that fit, the one of p's nearest base is taken, and of these q's nearest.
    """
    for type_p in type(p).__mro__:
        for type_q in type(q).__mro__:
            if (type_p, type_q) in _FORMULAS:
                return _FORMULAS[type_p, type_q](p, q)
    names = f"{type(p).__name__} from {type(q).__name__}"
    raise NotImplementedError(f"kl_divergence: there is no formula for {names}; see register_kl")


# --- Of one kind -----------------------------------------------------------------------------


@register_kl(Normal, Normal)
@register_kl(LogNormal, LogNormal)
def _normal(p: Normal, q: Normal) -> Tensor:
    ratio = ops.square(p.scale / q.scale)
    distance = ops.square((p.loc - q.loc) / q.scale)
    return 0.5 * (ratio + distance - 1 - ops.log(ratio))


@register_kl(HalfNormal, HalfNormal)
def _half_normal(p: HalfNormal, q: HalfNormal) -> Tensor:
    ratio = ops.square(p.scale / q.scale)
    return 0.5 * (ratio - 1 - ops.log(ratio))


@register_kl(Laplace, Laplace)
def _laplace(p: Laplace, q: Laplace) -> Tensor:
    distance = ops.abs(p.loc - q.loc)
    ratio = p.scale / q.scale
    return -ops.log(ratio) + distance / q.scale + ratio * ops.exp(-distance / p.scale) - 1


@register_kl(Cauchy, Cauchy)
def _cauchy(p: Cauchy, q: Cauchy) -> Tensor:
    apart = ops.square(p.scale + q.scale) + ops.square(p.loc - q.loc)
    return ops.log(apart) - ops.log(4 * p.scale * q.scale)


@register_kl(Gumbel, Gumbel)
def _gumbel(p: Gumbel, q: Gumbel) -> Tensor:
    ratio, apart = p.scale / q.scale, (q.loc - p.loc) / q.scale
    near = ops.exp(apart + ops.lgamma(1 + ratio))
    return -ops.log(ratio) - apart + ratio * EULER + near - (1 + EULER)


@register_kl(Uniform, Uniform)
def _uniform(p: Uniform, q: Uniform) -> Tensor:
    inside = ops.logical_and(ops.less_equal(q.low, p.low), ops.less_equal(p.high, q.high))
    return ops.where(inside, ops.log((q.high - q.low) / (p.high - p.low)), math.inf)


@register_kl(Exponential, Exponential)
def _exponential(p: Exponential, q: Exponential) -> Tensor:
    ratio = q.rate / p.rate
    return ratio - 1 - ops.log(ratio)


@register_kl(Gamma, Gamma)
def _gamma(p: Gamma, q: Gamma) -> Tensor:
    a, b = p.concentration, q.concentration
    rates = b * ops.log(p.rate / q.rate) + a * (q.rate / p.rate - 1)
    return rates + ops.lgamma(b) - ops.lgamma(a) + (a - b) * ops.digamma(a)


@register_kl(Beta, Beta)
def _beta(p: Beta, q: Beta) -> Tensor:
    return _dirichlet(p._pair, q._pair)


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p: Dirichlet, q: Dirichlet) -> Tensor:
    a, b = p.concentration, q.concentration
    total = ops.sum(a, -1, keepdims=True)
    norms = ops.lgamma(total[..., 0]) - ops.lgamma(ops.sum(b, -1))
    each = ops.lgamma(b) - ops.lgamma(a) + (a - b) * (ops.digamma(a) - ops.digamma(total))
    return norms + ops.sum(each, -1)


@register_kl(MultivariateNormal, MultivariateNormal)
def _multivariate_normal(p: MultivariateNormal, q: MultivariateNormal) -> Tensor:
    if p.event_shape != q.event_shape:
        sizes = f"{p.event_shape} and {q.event_shape}"
        raise ValueError(f"kl_divergence: MultivariateNormal: event_shape differ: {sizes}")
    size = p.event_shape[0]
    columns = linalg.solve_triangular(q.scale_tril, p.scale_tril, upper=False)
    trace = ops.sum(ops.square(columns), (-2, -1))
    distance = ops.sum(ops.square(substituted(q.scale_tril, q.loc - p.loc)), -1)
    return q._half_log_det() - p._half_log_det() + 0.5 * (trace + distance - size)


@register_kl(Independent, Independent)
def _independent(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError("kl_divergence: Independent of other numbers of axes")
    return p._summed(kl_divergence(p.base_dist, q.base_dist))


# --- Of counts and classes -------------------------------------------------------------------


def _of_chance(p: Bernoulli | Binomial | Geometric, q: Bernoulli | Binomial | Geometric) -> Tensor:
    """p log(p / q) + (1 − p) log((1 − p) / (1 − q)), 0 where a chance of p is, and ∞ where one of q
    alone is."""
    one, other = p.probs, q.probs
    yes = _share(one, other, _softplus(-q.logits) - _softplus(-p.logits))
    return yes + _share(1 - one, 1 - other, _softplus(q.logits) - _softplus(p.logits))


def _softplus(x: Tensor) -> Tensor:
    return ops.logaddexp(x, 0.0)


def _share(p: Tensor, q: Tensor, logarithm: Tensor) -> Tensor:
    """p log(p / q)."""
    none = ops.equal(p, 0)
    found = ops.where(ops.equal(q, 0), math.inf, p * logarithm)
    return ops.where(none, 0.0, found)


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Bernoulli, q: Bernoulli) -> Tensor:
    return _of_chance(p, q)


@register_kl(Binomial, Binomial)
def _binomial(p: Binomial, q: Binomial) -> Tensor:
    """∞ where p counts further than q; there is no formula where it counts less far."""
    counts = [d.total_count.detach() for d in (p, q)]
    if not any(n.level for n in counts) and ops.any(ops.less(*counts)):
        raise NotImplementedError(f"kl_divergence: Binomial of {counts[0]} draws from {counts[1]}")
    further = ops.greater(p.total_count, q.total_count)
    return ops.where(further, math.inf, p.total_count * _of_chance(p, q))


@register_kl(Geometric, Geometric)
def _geometric(p: Geometric, q: Geometric) -> Tensor:
    return -p.entropy() - ops.log1p(-q.probs) / p.probs - q.logits


@register_kl(Poisson, Poisson)
def _poisson(p: Poisson, q: Poisson) -> Tensor:
    return ops.xlogy(p.rate, p.rate / q.rate) - (p.rate - q.rate)


@register_kl(Categorical, Categorical)
@register_kl(OneHotCategorical, OneHotCategorical)
def _categorical(p: Categorical, q: Categorical) -> Tensor:
    return ops.sum(_share(p.probs, q.probs, p.logits - q.logits), -1)


# --- Of two kinds ----------------------------------------------------------------------------


def _beyond(p: Distribution, q: Distribution) -> Tensor:
    """What p draws and q cannot: ∞."""
    one, other = (next(iter(d._parameters().values())) for d in (p, q))
    return ops.where(True, math.inf, 0 * one.detach() + 0 * other.detach())


for _p, _q in (
    (Normal, Uniform), (Normal, Exponential), (Normal, Gamma), (Normal, Beta), (Laplace, Uniform),
    (Laplace, Exponential), (Laplace, Gamma), (Laplace, Beta), (Gumbel, Uniform),
    (Gumbel, Exponential), (Gumbel, Gamma), (Gumbel, Beta), (Exponential, Uniform),
    (Exponential, Beta), (Gamma, Uniform), (Gamma, Beta), (Poisson, Bernoulli),
    (Poisson, Binomial),
):  # fmt: skip
    register_kl(_p, _q)(_beyond)


@register_kl(Bernoulli, Poisson)
def _bernoulli_poisson(p: Bernoulli, q: Poisson) -> Tensor:
    return -p.entropy() - (p.probs * ops.log(q.rate) - q.rate)


@register_kl(Exponential, Gamma)
def _exponential_gamma(p: Exponential, q: Gamma) -> Tensor:
    return _gamma(Gamma(1.0, p.rate, validate_args=False), q)


@register_kl(Gamma, Exponential)
def _gamma_exponential(p: Gamma, q: Exponential) -> Tensor:
    return _gamma(p, Gamma(1.0, q.rate, validate_args=False))


def _from_normal(p: Any, q: Normal) -> Tensor:
    """By the mean and variance of p alone."""
    moments = p.variance + ops.square(p.mean - q.loc)
    norm = ops.log(q.scale) + 0.5 * math.log(2 * math.pi)
    return norm + 0.5 * moments / ops.square(q.scale) - p.entropy()


_one: Any
for _one in (Exponential, Gamma, Gumbel, Laplace, Uniform, Beta):
    register_kl(_one, Normal)(_from_normal)


@register_kl(Normal, Laplace)
def _normal_laplace(p: Normal, q: Laplace) -> Tensor:
    apart = p.loc - q.loc
    z = apart / p.scale
    spread = math.sqrt(2 / math.pi) * p.scale * ops.exp(-0.5 * ops.square(z))
    mean = spread + apart * ops.erf(math.sqrt(0.5) * z)  # of |x − loc|
    return ops.log(2 * q.scale) + mean / q.scale - p.entropy()


@register_kl(Normal, Gumbel)
def _normal_gumbel(p: Normal, q: Gumbel) -> Tensor:
    z, ratio = (p.loc - q.loc) / q.scale, p.scale / q.scale
    return z + ops.exp(-z + 0.5 * ops.square(ratio)) + ops.log(q.scale) - p.entropy()
