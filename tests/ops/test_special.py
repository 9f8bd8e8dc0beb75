"""Special functions in float64: against PyTorch's and at known points."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinytensor as tt

BOUND = 1e-12  # of the value, or of 1 beside a zero

RNG = np.random.default_rng(0)
NEAR_ZERO = RNG.choice([-1.0, 1.0], 50) * 10 ** RNG.uniform(-12, 0, 50)
EVERYWHERE = np.concatenate([RNG.uniform(-30, 30, 200), NEAR_ZERO])
BETWEEN_POLES = RNG.integers(-20, 30, 300) + RNG.uniform(0.05, 0.95, 300)
POSITIVE = np.concatenate([10 ** RNG.uniform(-8, 8, 200), RNG.uniform(0, 30, 200)])
ENDS = 1 - 10 ** RNG.uniform(-15, 0, 100)

RANGES: dict[str, tuple[Callable[..., Any], np.ndarray]] = {
    "erfc": (lambda m, x: m.erfc(x), EVERYWHERE),
    "erfinv": (lambda m, x: m.erfinv(x), np.concatenate([ENDS, -ENDS, NEAR_ZERO])),
    "exp2": (lambda m, x: m.exp2(x), EVERYWHERE),
    "lgamma": (lambda m, x: m.lgamma(x), np.concatenate([POSITIVE, BETWEEN_POLES])),
    "digamma": (lambda m, x: m.digamma(x), np.concatenate([POSITIVE, BETWEEN_POLES])),
    # PyTorch's own trigamma has 9 digits.
    "trigamma": (
        lambda m, x: m.polygamma(1, x) if m is tt else m.special.zeta(2 + 0 * x, x),
        POSITIVE,
    ),
    "polygamma 4": (lambda m, x: m.polygamma(4, x), POSITIVE),
    "i0": (lambda m, x: m.i0(x), np.concatenate([EVERYWHERE, RNG.uniform(-700, 700, 50)])),
    "sinc": (lambda m, x: m.sinc(x), np.concatenate([RNG.uniform(-30, 30, 200), NEAR_ZERO])),
    "logit": (lambda m, x: m.logit(x), RNG.uniform(0, 1, 200)),
    "igamma": (lambda m, x: m.igamma(0.3 + 0 * x, x), POSITIVE),
    "igammac": (lambda m, x: m.igammac(15 + 0 * x, x), POSITIVE),  # above 20 PyTorch has 9 digits
    **{
        name: (lambda m, x, name=name: getattr(m if m is tt else m.special, name)(x), EVERYWHERE)
        for name in ("erfcx", "ndtr", "log_ndtr", "i0e", "i1e", "entr")
    },
    "xlog1py": (lambda m, x: (m if m is tt else m.special).xlog1py(x, x), POSITIVE),
    "logaddexp2": (lambda m, x: m.logaddexp2(x, 2 * x), EVERYWHERE),
    "xlogy": (lambda m, x: m.xlogy(x, x), POSITIVE),
}


@pytest.mark.parametrize("name", RANGES)
def test_like_pytorch(name: str, torch: Any) -> None:
    call, x = RANGES[name]
    found, expected = call(tt, tt.tensor(x)).numpy(), call(torch, torch.tensor(x)).numpy()
    np.testing.assert_allclose(found, expected, rtol=BOUND, atol=BOUND)


# Of 40 digits, rounded.
KNOWN = [
    (tt.erfc, 10.0, 2.088487583762544757e-45),
    (tt.erfc, 25.5, 8.8016626907279505713e-285),
    (tt.erfinv, 1 - 2.0**-53, 5.8635847487551679272),
    (tt.erfinv, 1e-300, 8.8622692545275803586e-301),
    (tt.lgamma, -2.5, -0.056243716497674050673),
    (tt.digamma, -0.5, 0.036489973978576520559),
    (tt.digamma, 1e-8, -100000000.57721564636),
    (lambda x: tt.polygamma(1, x), 0.5, math.pi**2 / 2),
    (lambda x: tt.polygamma(2, x), -0.5, -0.8287966442343199956),
    (lambda x: tt.polygamma(3, x), 1e3, 2.0030019999990000013e-9),
    (tt.i0, 713.0, 6.7051282636709966729e307),
    (lambda x: tt.igamma(1e4, x), 9800.0, 0.022207543813969693862),
    (lambda x: tt.igammac(3.0, x), 700.0, 2.4225323864783194593e-299),
    (tt.erfcx, 1e5, 5.6418958351954680777e-6),
    (tt.erfcx, 25.1, 0.022459875817581388236),
    (tt.log_ndtr, -1e3, -500007.82669481218431),
    (tt.log_ndtr, 8.0, -6.2209605742717860585e-16),
    (tt.i1e, 1e4, 0.0039892731959836622645),
    (tt.sinc, 1e-9, 1.0),
    (tt.sinc, 7.0, 0.0),
    (tt.exp2, -1074.0, 5e-324),
]


@pytest.mark.parametrize(("function", "x", "expected"), KNOWN)
def test_known_values(function: Callable[..., Any], x: float, expected: float) -> None:
    found = function(tt.tensor(np.array(x))).item()
    assert abs(found - expected) <= BOUND * abs(expected)


def test_the_derivatives_of_every_order_have_all_digits_at_0() -> None:
    """sinc x = 1 − (πx)²/6 + (πx)⁴/120 − …, I₀(x) = 1 + x²/4 + x⁴/64 + …"""
    for function, second, fourth in (
        (tt.sinc, -(math.pi**2) / 3, math.pi**4 / 5),
        (tt.i0, 1 / 2, 3 / 8),
    ):
        for at in (0.0, 1e-9):
            x = tt.tensor(np.array(at), requires_grad=True)
            found = function(x)
            values = [found.item()]
            for _ in range(4):
                (found,) = tt.grad(found, x, create_graph=True)
                values.append(found.item())
            expected = [1, second * at, second, fourth * at, fourth]
            np.testing.assert_allclose(values, expected, rtol=1e-13, atol=1e-300)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (tt.erfc, [2, 1, 0, math.nan]),
        (tt.erfinv, [math.nan, 0, math.nan, math.nan]),
        (tt.lgamma, [math.inf, math.inf, math.inf, math.nan]),
        (tt.digamma, [math.nan, -math.inf, math.inf, math.nan]),
        (lambda x: tt.polygamma(1, x), [math.nan, math.inf, 0, math.nan]),
        (tt.i0, [math.inf, 1, math.inf, math.nan]),
        (tt.sinc, [0, 1, 0, math.nan]),
        (tt.logit, [math.nan, -math.inf, math.nan, math.nan]),
        (tt.exp2, [0, 1, math.inf, math.nan]),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_infinities_zero_and_nan(function: Any, expected: list[float], dtype: str) -> None:
    x = tt.tensor(np.array([-math.inf, 0, math.inf, math.nan], dtype))
    found = function(x)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found.numpy(), expected)


def test_no_logarithm_is_asked_of_what_counts_nothing() -> None:
    a = tt.tensor([0.0, 0.0, 0.0, 2.0], requires_grad=True)
    b = tt.tensor([0.0, -1.0, math.nan, -1.0], requires_grad=True)
    y = tt.xlogy(a, b)
    np.testing.assert_array_equal(y.detach().numpy(), [0, 0, math.nan, math.nan])
    for gradient in tt.grad(y.sum(), (a, b)):
        np.testing.assert_array_equal(gradient.numpy()[:2], [0, 0])
        assert np.isnan(gradient.numpy()[2:]).all()


def test_bad_orders_and_bounds() -> None:
    x = tt.ones(3)
    with pytest.raises(ValueError, match="polygamma: n must be an integer of at least 0, not -1"):
        tt.polygamma(-1, x)
    with pytest.raises(TypeError, match=r"polygamma: n must be an integer of at least 0, not 1\.5"):
        tt.polygamma(1.5, x)
    with pytest.raises(ValueError, match="mvlgamma: p must be an integer of at least 1, not 0"):
        tt.mvlgamma(x, 0)
    with pytest.raises(ValueError, match=r"logit: eps must be from 0\.0 to 0\.5, not 0\.7"):
        tt.logit(x, 0.7)
