"""Special functions of real numbers, in double precision whatever the dtype: errors are some 1e-15
of the value, or of 1 beside a zero."""

import math
from functools import cache, partial, wraps

import numpy as np

from .checks import of_real_numbers
from .promotion import mixing

__all__ = [
    "bessel_i",
    "erfc",
    "erfcx",
    "erfinv",
    "exp2",
    "gamma_density",
    "gamma_share",
    "lgamma",
    "polygamma",
    "sinc",
    "xlog1py",
    "xlogy",
]


def _in_double(function):
    """A function of settings and of an array x of real numbers, the last argument: computed in
    double precision, without warnings, and rounded to the dtype of x."""

    @of_real_numbers
    @wraps(function)
    def rounded(*args):
        *settings, x = args
        x = np.asarray(x)
        with np.errstate(all="ignore"):
            return function(*settings, x.astype(np.float64)).astype(x.dtype, copy=False)

    return mixing(rounded, floating=True, first=function.__code__.co_argcount - 1)


# --- Powers of 2, and logarithms times what may be 0 ------------------------------------------


@partial(mixing, floating=True)
def exp2(x):
    return np.exp(x * math.log(2)) if np.iscomplexobj(x) else np.exp2(x)


def _times_log(log):
    @partial(mixing, floating=True)
    @of_real_numbers
    def product(a, b):
        """a log b, and 0 where a is 0, but for a b that is NaN."""
        b = np.asarray(b, np.result_type(a, b))  # the logarithm of a number would be no number
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.multiply(a, log(b))
        return np.where(np.equal(a, 0) & ~np.isnan(b), 0, found)

    return product


xlogy, xlog1py = _times_log(np.log), _times_log(np.log1p)


# --- The error function ----------------------------------------------------------------------


@_in_double
def erfc(x):
    """1 − erf x, by the C library, element by element: as fast as the passes of a series."""
    return np.fromiter(map(math.erfc, x.ravel().tolist()), np.float64, x.size).reshape(x.shape)


@_in_double
def erfcx(x):
    """exp(x²) erfc x, which falls as 1 / √π x does: far out by its asymptotic series."""
    near = np.minimum(x, 25.0)
    head = near.astype(np.float32).astype(np.float64)  # whose square is exact
    found = np.exp(head * head) * np.exp((near - head) * (near + head)) * erfc(near)
    far = 0.5 / np.square(np.maximum(x, 25.0))
    series = 1 - far * (1 - 3 * far * (1 - 5 * far * (1 - 7 * far * (1 - 9 * far))))
    return np.where(x > 25, series / (x * math.sqrt(math.pi)), found)


@_in_double
def erfinv(x):
    """The y with erf y = x: a first guess, to 2e-3, and steps of Halley, each of which triples the
    digits. They compare what is left beside 1, which is exact near the ends."""
    size = np.abs(x)
    beside = np.log1p(-size * size)
    a = 2 / (math.pi * 0.147) + beside / 2
    y = np.sqrt(np.sqrt(a * a - beside / 0.147) - a)
    for _ in range(3):
        off = (1 - size) - erfc(y)  # erf y − |x|
        step = off / (2 / math.sqrt(math.pi) * np.exp(-y * y))
        y = y - step / (1 + y * step)
    # Near 0 the digits of erfc are lost, but x² is small: erf y = 2/√π (y − y³/3 + y⁵/10 − …).
    z = size * (math.sqrt(math.pi) / 2)
    near = z * np.polynomial.polynomial.polyval(z * z, _inverse_series())
    y = np.where(size < 0.25, near, y)
    y = np.where(size == 1, np.inf, y)
    return np.copysign(y, x)


@cache
def _inverse_series():
    """The coefficients of y / z by z², where z = √π/2 erf y: c₀ = 1, and
    cₖ = Σ cₘ cₖ₋₁₋ₘ / ((m + 1)(2m + 1)), over 2k + 1."""
    c = [1.0]
    for k in range(1, 24):
        c.append(sum(c[m] * c[k - 1 - m] / ((m + 1) * (2 * m + 1)) for m in range(k)))
    return [value / (2 * k + 1) for k, value in enumerate(c)]


# --- The gamma function ----------------------------------------------------------------------


def _lgamma(x):
    if x <= 0 and (x == -math.inf or x == math.floor(x)):  # where math.lgamma refuses
        return math.inf
    return math.lgamma(x)


@_in_double
def lgamma(x):
    """log |Γ(x)|, by the C library, element by element: as fast as the passes of a series."""
    return np.fromiter(map(_lgamma, x.ravel().tolist()), np.float64, x.size).reshape(x.shape)


# Bernoulli's numbers B₂, B₄, …
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510,
              43867 / 798, -174611 / 330)  # fmt: skip
_SHIFT = 12  # from where on Stirling's series with these has all digits


@_in_double
def polygamma(n, x):
    """The derivative of order n of ψ = Γ′/Γ: −(−1)ⁿ n! Σ (x + k)⁻ⁿ⁻¹ over k ≥ 0, the first terms
    of which are added up, and the rest is Euler's and Maclaurin's. Below ½ by reflection,
    ψ⁽ⁿ⁾(x) = (−1)ⁿ ψ⁽ⁿ⁾(1 − x) − dⁿ/dxⁿ π cot πx."""
    low = x < 0.5
    found = _polygamma_above(n, np.where(low, 1 - x, x))
    if low.any():
        found = np.where(low, (-1) ** n * found - _cotangent(n, x), found)
        # At a pole both sides go to ∞, or each to another infinity.
        pole = low & (x == np.rint(x))
        found = np.where(pole, np.nan if n % 2 == 0 else np.inf, found)
        found = np.where(np.isneginf(x), np.nan, found)
        if n == 0:
            found = np.where(x == 0, -np.copysign(np.inf, x), found)
    return found


def _polygamma_above(n, x):
    sign = -((-1) ** n)
    # |x| is large where no term is wanted, and there the terms are 0.
    total = sum((x + k) ** (-n - 1) for k in range(_SHIFT)) * math.factorial(n)
    far = x + _SHIFT
    if n == 0:
        rest = -np.log(far) + 1 / (2 * far)
    else:
        rest = math.factorial(n - 1) * far**-n + math.factorial(n) / 2 * far ** (-n - 1)
    for k, number in enumerate(_BERNOULLI, 1):
        scale = number * (math.factorial(2 * k + n - 1) / math.factorial(2 * k))
        rest = rest + scale * far ** (-2 * k - n)
    return sign * (total + rest)


def _cotangent(n, x):
    """dⁿ/dxⁿ π cot πx, a polynomial in c = cot πx, as dc/dx = −π (1 + c²). Near a pole the angle is
    that to the next whole number, which is exact."""
    polynomial = np.polynomial.Polynomial([0.0, 1.0])
    for _ in range(n):
        polynomial = polynomial.deriv() * np.polynomial.Polynomial([-1.0, 0.0, -1.0])
    rest = x - np.rint(x)
    c = np.where(np.abs(rest) == 0.5, 0.0, 1 / np.tan(math.pi * rest))
    return math.pi ** (n + 1) * polynomial(c)


@partial(mixing, floating=True, first=1)
@of_real_numbers
def gamma_share(upper, a, x):
    """∫ tᵃ⁻¹ e⁻ᵗ dt over Γ(a), from 0 to x, or from x on if ``upper``.

    Below a + 1 the lower one is a series of xⁿ / ((a + 1) … (a + n)), above the upper one is a
    continued fraction; the other is what is missing to 1.
    """
    to = np.result_type(a, x)
    with np.errstate(all="ignore"):
        a, x = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(x, np.float64))
        inner = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
        below = x < a + 1
        b, y = np.where(inner, a, 1.0), np.where(inner, x, 1.0)
        scale = _density(b, y)
        near = scale * _lower_series(b, y, inner & below)
        far = scale * b * _upper_fraction(b, y, inner & ~below)
        found = np.where(below == upper, 1 - np.where(below, near, far), np.where(below, near, far))
        found = np.where(inner, found, np.nan)
        # Nothing is below 0, all is below ∞; of a = 0 all is at 0, and of a = ∞ nothing is finite.
        none = ((x == 0) & (a > 0)) | (np.isposinf(a) & (x >= 0) & np.isfinite(x))
        whole = ((a == 0) & (x > 0)) | (np.isposinf(x) & (a > 0) & np.isfinite(a))
        found = np.where(none, float(upper), np.where(whole, float(not upper), found))
    return found.astype(to, copy=False)


@partial(mixing, floating=True)
@of_real_numbers
def gamma_density(a, x):
    """xᵃ⁻¹ e⁻ˣ / Γ(a), where x is not below 0."""
    to = np.result_type(a, x)
    a, x = np.asarray(a, np.float64), np.asarray(x, np.float64)
    with np.errstate(all="ignore"):
        return np.exp(xlogy(a - 1, x) - x - lgamma(a)).astype(to, copy=False)


def _density(a, x):
    """xᵃ e⁻ˣ / Γ(a + 1); of a large a by the distance of x from it, not by what cancels."""
    small = np.exp(a * np.log(x) - x - lgamma(a + 1))
    b = np.maximum(a, 10.0)
    off = (x - b) / b
    near = np.abs(off) < 0.5
    exponent = off - np.where(near, np.log1p(np.where(near, off, 0.0)), np.log(x / b))
    rest = sum(
        number / (2 * k * (2 * k - 1)) * b ** (1 - 2 * k) for k, number in enumerate(_BERNOULLI, 1)
    )
    return np.where(a < 10, small, np.exp(-b * exponent - rest) / np.sqrt(2 * math.pi * b))


_MOST = 100_000  # terms: more than an a of 10⁸ wants


def _lower_series(a, x, wanted):
    term = total = np.where(wanted, 1.0, 0.0)
    for n in range(1, _MOST):
        term = term * (x / (a + n))
        total = total + term
        if not (term > 1e-17 * total).any():
            break
    return total


def _upper_fraction(a, x, wanted):
    """1 / (x + 1 − a − 1 (1 − a) / (x + 3 − a − 2 (2 − a) / …)), from the front (Lentz)."""
    b, a = np.where(wanted, x + 1 - a, 1.0), np.where(wanted, a, 1.0)
    c, d = np.full_like(b, 1e300), 1 / b
    found = d
    for n in range(1, _MOST):
        factor = -n * (n - a)
        b = b + 2
        d = 1 / (factor * d + b)
        c = b + factor / c
        found = found * (c * d)
        if not (np.abs(c * d - 1) > 1e-15).any():
            break
    return found


# --- Bessel functions ------------------------------------------------------------------------

_FAR = 25.0  # from where on the asymptotic series has all digits, for small orders


@_in_double
def bessel_i(n, scaled, x):
    """The modified Bessel function of the first kind, Iₙ(x) = Σ (x/2)²ᵏ⁺ⁿ / (k! (k + n)!), of which
    all terms have one sign. Above by eˣ / √(2πx) Σ aₖ x⁻ᵏ, a₀ = 1 and
    aₖ₊₁ / aₖ = ((2k + 1)² − 4n²) / (8k + 8). ``scaled``: times e^−|x|."""
    size = np.abs(x)
    near = np.minimum(size, _FAR)
    term = total = (near / 2) ** n / math.factorial(n)
    square, most = near * near / 4, float(near.max(initial=0.0, where=near == near))
    for k in range(1, int(1.5 * most) + 24):
        term = term * square / (k * (k + n))
        total = total + term
    far = np.maximum(size, _FAR)
    term = rest = np.ones_like(far)
    for k in range(30):
        term = term * (((2 * k + 1) ** 2 - 4 * n * n) / (8 * (k + 1))) / far
        rest = rest + term
    half = 1.0 if scaled else np.exp(far / 2)  # eˣ leaves the range before the value does
    beyond = half / np.sqrt(2 * math.pi * far) * rest * half
    beyond = np.where(np.isinf(size), 0.0 if scaled else np.inf, beyond)
    total = total * np.exp(-near) if scaled else total
    found = np.where(size > _FAR, beyond, total)
    return np.copysign(found, x) if n % 2 else found


# --- sin πx / πx ------------------------------------------------------------------------------


@partial(mixing, floating=True, first=1)
def sinc(order, x):
    """The derivative of some order of s(t) = sin t / t, at t = πx; of complex numbers, too.

    From t s = sin t follows t s⁽ⁿ⁾ + n s⁽ⁿ⁻¹⁾ = sin⁽ⁿ⁾ t, which loses digits where t is small:
    there it is a power series, Σ (−1)ᵏ t²ᵏ⁻ⁿ / ((2k + 1) (2k − n)!) over 2k ≥ n.
    """
    x = np.asarray(x)
    wide = x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)
    with np.errstate(all="ignore"):
        turns = wide - 2 * np.rint(wide.real / 2)  # exact: the digits of large angles are kept
        t, turned = math.pi * wide, math.pi * turns
        small = np.abs(t) < order + 1
        sin, cos = np.sin(turned), np.cos(turned)
        sin = np.where(turns == np.rint(turns.real), 0.0, sin)
        far, near = np.where(small, 1.0, t), np.where(small, t, 0.0)
        found = sin / far
        for n in range(1, order + 1):
            found = ((sin, cos, -sin, -cos)[n % 4] - n * found) / far
        first = (order + 1) // 2
        term = (-1) ** first * near ** (2 * first - order) / math.factorial(2 * first - order)
        series = term / (2 * first + 1)
        for k in range(first + 1, first + 18):
            term = -term * near * near / ((2 * k - order) * (2 * k - order - 1))
            series = series + term / (2 * k + 1)
        found = np.where(np.isinf(t), 0.0, np.where(small, series, found))
    return found.astype(x.dtype, copy=False)
