"""Special functions: powers of 2, erfc and the inverse of erf, gamma functions, Bessel's I, sinc.

Each is right to some 1e-15 in float64. Where a derivative is a function of its own, of the next
order, that is what the rule calls: so derivatives of every order have all digits, near 0 too.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import kernels
from ..engine.operation import Op
from ..errors import DtypeError
from ..kernels.reference.promotion import mixing
from .annotations import ArrayLike, Tensor
from .arithmetic import sign
from .batching import elementwise as over_lanes
from .checks import number
from .composed import computed
from .declared import op
from .elementary import _weight, exp, log, log1p, log_backward
from .logic import equal, greater_equal, less_equal, logical_and, where

__all__ = [
    "digamma",
    "entr",
    "erfc",
    "erfcx",
    "erfinv",
    "exp2",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "igamma",
    "igammac",
    "lgamma",
    "log_ndtr",
    "logaddexp2",
    "logit",
    "mvlgamma",
    "ndtr",
    "polygamma",
    "sinc",
    "xlog1py",
    "xlogy",
]

# --- Exponentials and logarithms --------------------------------------------------------------


@op(kernel=kernels.exp2)
def exp2(x: ArrayLike) -> Tensor:
    """2ˣ. Gradient: g 2ˣ log 2."""


exp2.grad(x=lambda g, out: g * (out * math.log(2)))


@op(kernel=mixing(np.logaddexp2, floating=True))
def logaddexp2(a: ArrayLike, b: ArrayLike) -> Tensor:
    """log₂(2ᵃ + 2ᵇ), without overflow. Gradient: by a, g 2ᵃ / (2ᵃ + 2ᵇ)."""


def _weight_of_powers(a, b):
    return _weight(a * math.log(2), b * math.log(2))


logaddexp2.grad(
    a=lambda g, a, b: g * _weight_of_powers(a, b), b=lambda g, a, b: g * _weight_of_powers(b, a)
)


@op(kernel=kernels.xlogy)
def xlogy(a: ArrayLike, b: ArrayLike) -> Tensor:
    """a log b, and 0 where a is 0 and b no NaN. Where a = 0 ≥ b, both gradients are 0.

    >>> import tinytensor as tt
    >>> p = tt.tensor([0.0, 1.0])
    >>> tt.xlogy(p, p)
    tensor([0., 0.])
    """


def _by_factor(log, pole):
    """The rule by a of a log b, whose logarithm has its pole where b is ``pole``."""

    def rule(g, a, b):
        b = np.asarray(b, g.dtype) if isinstance(b, int | float) else b  # two numbers have no dtype
        flat = logical_and(equal(a, 0), less_equal(b, pole))
        return where(flat, 0.0, g * log(where(flat, 1.0, b)))

    return rule


def _by_number(pole):
    """And by b."""

    def rule(g, a, b):
        flat = logical_and(equal(a, 0), less_equal(b, pole))
        return where(flat, 0.0, log_backward(g * a, where(flat, 1.0, b) - pole))

    return rule


xlogy.grad(a=_by_factor(log, 0), b=_by_number(0))


@op(kernel=kernels.xlog1py)
def xlog1py(a: ArrayLike, b: ArrayLike) -> Tensor:
    """a log(1 + b), exact also near b = 0, and 0 where a is 0 and b no NaN. Where a = 0 and b ≤ −1,
    both gradients are 0."""


xlog1py.grad(a=_by_factor(log1p, -1), b=_by_number(-1))


@op
def entr(x: ArrayLike) -> Tensor:
    """−x log x, the share of x in an entropy: 0 at 0, −∞ below. Gradient: −g (log x + 1)."""
    return np.where(np.less(x, 0), -np.inf, -kernels.xlogy(x, x))


entr.grad(x=lambda g, x: -(g * (log(x) + 1)))


@op
def logit(x: ArrayLike, eps: float | None = None) -> Tensor:
    """log(x / (1 − x)), the inverse of sigmoid; NaN outside of [0, 1]. With ``eps`` x is brought
    into [eps, 1 − eps] first. Gradient: g / (x (1 − x)); 0 where x was moved."""
    if eps is not None:
        eps = number("logit", "eps", eps, 0.0, 0.5)
        x = kernels.clip(x, eps, 1 - eps)
    with np.errstate(divide="ignore", invalid="ignore"):
        return kernels.log(kernels.divide(x, kernels.subtract(1, x)))


def _logit_to_x(g, x, eps):
    if eps is not None:
        inside = logical_and(greater_equal(x, eps), less_equal(x, 1 - eps))
        g, x = where(inside, g, 0.0), where(inside, x, 0.5)
    return log_backward(g, x) + log_backward(g, 1 - x)


logit.grad(x=_logit_to_x)

# --- The error function -----------------------------------------------------------------------


@op(kernel=kernels.erfc)
def erfc(x: ArrayLike) -> Tensor:
    """1 − erf x, with all digits where that is small. Gradient: −2/√π g exp(−x²)."""


erfc.grad(x=lambda g, x: g * (-2 / math.sqrt(math.pi) * exp(-(x * x))))


@op(kernel=kernels.erfcx)
def erfcx(x: ArrayLike) -> Tensor:
    """exp(x²) erfc x, with all digits where erfc has none left. Gradient: g (2 x y − 2/√π), y the
    result."""


erfcx.grad(x=lambda g, x, out: g * (2 * x * out - 2 / math.sqrt(math.pi)))


@computed
def ndtr(x: ArrayLike) -> Tensor:
    """The share of the normal distribution that is below x, erfc(−x / √2) / 2."""
    return 0.5 * erfc(x * -math.sqrt(0.5))


@op
def log_ndtr(x: ArrayLike) -> Tensor:
    """The logarithm of :func:`ndtr`, with all digits far below 0, too. Gradient:
    g √(2/π) / erfcx(−x / √2)."""
    below = kernels.multiply(kernels.minimum(x, -1.0), -math.sqrt(0.5))
    tail = kernels.log(0.5 * kernels.erfcx(below)) - below * below
    rest = kernels.log1p(-0.5 * kernels.erfc(kernels.multiply(x, math.sqrt(0.5))))
    return np.where(np.less(x, -1), tail, rest)


log_ndtr.grad(x=lambda g, x: g * (math.sqrt(2 / math.pi) / erfcx(x * -math.sqrt(0.5))))


@op(kernel=kernels.erfinv)
def erfinv(x: ArrayLike) -> Tensor:
    """The inverse of erf: ±∞ at ±1, NaN beyond. Gradient: √π/2 g exp(y²), y the result."""


erfinv.grad(x=lambda g, out: g * (math.sqrt(math.pi) / 2 * exp(out * out)))

# --- The gamma function -----------------------------------------------------------------------


def _whole(op: str, name: str, value: Any, least: int) -> int:
    """``value``, an integer of at least ``least``, or an error in the name of ``op``."""
    if type(value) is not int or value < least:
        error: type[Exception] = ValueError if type(value) is int else DtypeError
        raise error(f"{op}: {name} must be an integer of at least {least}, not {value!r}")
    return value


@op(kernel=kernels.lgamma)
def lgamma(x: ArrayLike) -> Tensor:
    """log |Γ(x)|; ∞ at 0 and the negative whole numbers. Gradient: g times :func:`digamma`."""


lgamma.grad(x=lambda g, x: g * digamma(x))


@op
def digamma(x: ArrayLike) -> Tensor:
    """ψ(x) = Γ′(x) / Γ(x); NaN at the negative whole numbers. Gradient: g ψ′(x)."""
    return kernels.polygamma(0, x)


digamma.grad(x=lambda g, x: g * polygamma(1, x))


@op
def polygamma(n: int, x: ArrayLike) -> Tensor:
    """The derivative of ψ = :func:`digamma` of order n, a whole number. Gradient: that of order
    n + 1."""
    return kernels.polygamma(_whole("polygamma", "n", n, 0), x)


polygamma.grad(x=lambda g, n, x: g * polygamma(n + 1, x))


@computed
def mvlgamma(x: ArrayLike, p: int) -> Tensor:
    """The logarithm of the gamma function of p dimensions,
    p (p − 1) / 4 log π + Σ log Γ(x − j / 2) over j < p; its domain is x > (p − 1) / 2."""
    p = _whole("mvlgamma", "p", p, 1)
    total = lgamma(x) + p * (p - 1) / 4 * math.log(math.pi)
    for j in range(1, p):
        total = total + lgamma(x - j / 2)
    return total


@op
def igamma(a: ArrayLike, x: ArrayLike) -> Tensor:
    """The share of Γ(a) = ∫ tᵃ⁻¹ e⁻ᵗ dt that is below x: the cumulative distribution of Gamma(a).
    Gradient: by x, g xᵃ⁻¹ e⁻ˣ / Γ(a); by a there is none."""
    return kernels.gamma_share(False, a, x)


@op
def igammac(a: ArrayLike, x: ArrayLike) -> Tensor:
    """1 − :func:`igamma`, with all digits where that is small. Gradient: by x,
    −g xᵃ⁻¹ e⁻ˣ / Γ(a); by a there is none."""
    return kernels.gamma_share(True, a, x)


@op(kernel=kernels.gamma_density)
def _density(a, x):
    """xᵃ⁻¹ e⁻ˣ / Γ(a)."""


_density.grad(x=lambda g, a, x, out: g * (((a - 1) / x - 1) * out))
igamma.grad(x=lambda g, a, x: g * _density(a, x))
igammac.grad(x=lambda g, a, x: -(g * _density(a, x)))

# --- Bessel functions, and sin πx / πx --------------------------------------------------------


@op
def i0(x: ArrayLike) -> Tensor:
    """The modified Bessel function of the first kind, of order 0. Gradient: g I₁(x)."""
    return kernels.bessel_i(0, False, x)


@op
def i1(x: ArrayLike) -> Tensor:
    """The modified Bessel function of the first kind, of order 1. Gradient: g (I₀ + I₂)(x) / 2."""
    return kernels.bessel_i(1, False, x)


@op
def i0e(x: ArrayLike) -> Tensor:
    """e^−|x| I₀(x), which stays in range."""
    return kernels.bessel_i(0, True, x)


@op
def i1e(x: ArrayLike) -> Tensor:
    """e^−|x| I₁(x), which stays in range."""
    return kernels.bessel_i(1, True, x)


@op
def _bessel_i(n, scaled, x):
    """Iₙ(x), of which the derivative is (Iₙ₋₁ + Iₙ₊₁) / 2; ``scaled``, times e^−|x|."""
    return kernels.bessel_i(n, scaled, x)


def _bessel_slope(n, scaled, x):
    slope = 0.5 * (_bessel_i(abs(n - 1), scaled, x) + _bessel_i(n + 1, scaled, x))
    return slope - sign(x) * _bessel_i(n, True, x) if scaled else slope


i0.grad(x=lambda g, x: g * _bessel_slope(0, False, x))
i1.grad(x=lambda g, x: g * _bessel_slope(1, False, x))
i0e.grad(x=lambda g, x: g * _bessel_slope(0, True, x))
i1e.grad(x=lambda g, x: g * _bessel_slope(1, True, x))
_bessel_i.grad(x=lambda g, n, scaled, x: g * _bessel_slope(n, scaled, x))


@op
def sinc(x: ArrayLike) -> Tensor:
    """sin πx / πx, and 1 at 0."""
    return kernels.sinc(0, x)


@op
def _sinc_slope(order, x):
    """The derivative of sin t / t of some order, at t = πx."""
    return kernels.sinc(order, x)


sinc.grad(x=lambda g, x: g * (math.pi * _sinc_slope(1, x)))
_sinc_slope.grad(x=lambda g, order, x: g * (math.pi * _sinc_slope(order + 1, x)))

for _op in [one for one in vars().values() if isinstance(one, Op)]:
    _op.batched(over_lanes)
