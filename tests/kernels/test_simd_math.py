"""The stated errors of csrc/simd_math.h, in units in the last place, on every instruction set."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

import tinytensor as tt
import tinytensor.nn.functional as F
from tinytensor import kernels
from tinytensor.kernels.reference.attention import Look

_core = pytest.importorskip("tinytensor.kernels._core", reason="the fast kernels are not built")
maps = pytest.importorskip("tinytensor.kernels.maps")

ISAS = _core.available_isas()
ENDS = [88.72, 88.73, 89, -87.3, -87.4, -103, -104, -1.0000001]
SIZES = [0.0, np.inf, 1, 0.5, 1e-45, 1e-38, 1.2e-38, 1e-7, 300, 3e38]
EDGES = np.array([*ENDS, *SIZES, *(-x for x in SIZES), np.nan], np.float32)


@pytest.fixture(params=ISAS)
def isa(request: pytest.FixtureRequest):
    before = _core.isa()
    _core.use_isa(request.param)
    yield request.param
    _core.use_isa(before)


def every_nth_float(step: int, low: float, high: float) -> np.ndarray:
    """A float32 of every size between the bounds: each step-th bit pattern."""
    bits = np.arange(0, 0x7F800000, step, dtype=np.uint32)
    x = np.concatenate([bits.view(np.float32), -bits.view(np.float32)])
    return x[(x >= low) & (x <= high)]


def ulps_between(got: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """The distance in units in the last place of the exact result's float32."""
    unit = np.spacing(np.maximum(np.abs(exact), np.finfo(np.float32).tiny).astype(np.float32))
    return np.abs(got.astype(np.float64) - exact) / unit


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.where(x < 0, np.exp(x) / (1 + np.exp(x)), 1 / (1 + np.exp(-x)))


CASES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float, float, float]] = {
    # name: exact function in float64, bounds of the samples, stated error
    "exp": (np.exp, -110, 88.7, 1.1),
    "expm1": (np.expm1, -110, 88.7, 1.6),
    "log": (np.log, 0, 3.4e38, 1.0),
    "log2": (np.log2, 0, 3.4e38, 2.0),
    "log10": (np.log10, 0, 3.4e38, 2.0),
    "log1p": (np.log1p, -0.99999994, 3.4e38, 1.5),
    "sin": (np.sin, -3.4e38, 3.4e38, 2.4),
    "cos": (np.cos, -3.4e38, 3.4e38, 2.4),
    "tan": (np.tan, -3.4e38, 3.4e38, 4.0),
    "sinh": (np.sinh, -89.4, 89.4, 2.5),
    "cosh": (np.cosh, -89.4, 89.4, 2.0),
    "tanh": (np.tanh, -20, 20, 2.5),
    "sigmoid": (sigmoid, -103, 103, 2.5),
    "erf": (np.vectorize(math.erf), -6, 6, 1.5),
    "sqrt": (np.sqrt, 0, 3.4e38, 0.5),
    "rsqrt": (lambda x: 1 / np.sqrt(x), 0, 3.4e38, 1.5),
}


@pytest.mark.parametrize("name", CASES)
def test_error_is_as_stated(name: str, isa: str) -> None:
    exact, low, high, bound = CASES[name]
    x = every_nth_float(20011, low, high)
    assert x.size > 10_000
    with np.errstate(all="ignore"):
        expected = exact(x.astype(np.float64))
    got = getattr(maps, name)(x)
    finite = np.isfinite(expected)
    ulps = ulps_between(got[finite], expected[finite])
    assert ulps.max() <= bound, f"{ulps.max():.3f} ULP at {x[finite][ulps.argmax()]!r}"
    assert np.array_equal(got[~finite], expected[~finite].astype(np.float32), equal_nan=True)


def test_weights_of_a_softmax(isa: str) -> None:
    """exp_weight, read where attention uses it: the scores are a bias whose largest, 0, stands
    first in each row, and the values an identity matrix, so that the output is the weights."""
    keys, rows = 256, 80
    x = np.linspace(-100, 0, rows * (keys - 1)).reshape(rows, keys - 1)
    x[0, :3] = -np.inf, -1e30, -87.5
    bias = np.concatenate([np.zeros((rows, 1)), x], 1).astype(np.float32)
    q, k = np.zeros((1, 1, rows, keys), np.float32), np.zeros((1, 1, keys, keys), np.float32)
    v = np.eye(keys, dtype=np.float32)[None, None]
    weights, _ = kernels.attention(q, k, v, None, bias[None, None], Look(1.0))
    got = (weights[0, 0] / weights[0, 0, :, :1]).astype(np.float64)
    kept = bias > -82
    error = np.abs(got[kept] / np.exp(bias[kept].astype(np.float64)) - 1)
    assert (error <= 3e-7 + 2e-8 * -bias[kept]).all()
    assert not got[bias < -105].any()


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_angles_near_whole_quarters(name: str, isa: str) -> None:
    """Where what is left of the angle, or of the result, is smallest; and on to libm's range."""
    quarters = (np.arange(1, 7000) * (np.pi / 2)).astype(np.float32)
    x = np.concatenate([quarters, np.nextafter(quarters, 0), np.nextafter(quarters, 1e9)])
    x = np.concatenate([x, -x]).astype(np.float32)
    expected = getattr(np, name)(x.astype(np.float64))
    ulps = ulps_between(getattr(maps, name)(x), expected)
    assert ulps.max() <= CASES[name][3], f"{ulps.max():.3f} ULP at {x[ulps.argmax()]!r}"


@pytest.mark.parametrize("name", CASES)
def test_edges_are_numpys(name: str, isa: str) -> None:
    exact = CASES[name][0]
    with np.errstate(all="ignore"):
        expected = exact(EDGES.astype(np.float64)).astype(np.float32)
    got = getattr(maps, name)(EDGES)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    np.testing.assert_array_equal(np.isinf(got), np.isinf(expected))
    np.testing.assert_allclose(got, expected, rtol=3e-7, atol=1e-44)
    number = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(got[number]), np.signbit(expected[number]))


@pytest.mark.parametrize("name", ["floor", "ceil", "rint", "sign"])
def test_rounding_is_numpys_to_the_bit(name: str, isa: str) -> None:
    x = np.concatenate([every_nth_float(20011, -3.4e38, 3.4e38), EDGES, np.arange(-9, 9, 0.5)])
    x = x.astype(np.float32)
    expected = getattr(np, name)(x)
    got = getattr(maps, name)(x)
    np.testing.assert_array_equal(got.view(np.uint32)[x == x], expected.view(np.uint32)[x == x])
    assert np.isnan(got[x != x]).all()


@pytest.mark.parametrize("n", range(70))
def test_tails_are_not_read_nor_written_past_the_end(n: int, isa: str) -> None:
    x = np.linspace(0.1, 3, 70, dtype=np.float32)
    np.testing.assert_array_equal(maps.log(x[:n]), maps.log(x)[:n])


@pytest.mark.parametrize("axis", [0, 1])
def test_softmax_and_the_gradient_of_cross_entropy_hold_no_denormals(axis: int, isa: str) -> None:
    """Products that meet a few run in microcode on some processors. NumPy alone keeps them."""
    tiny = np.finfo(np.float32).tiny if kernels.active == "fast" else 0
    x = np.linspace(0, -120, 4001, dtype=np.float32)[None].repeat(5, 0)
    expected = np.exp(x.astype(np.float64))
    expected /= expected.sum(axis=1, keepdims=True)
    logits = tt.tensor(np.ascontiguousarray(x.swapaxes(1, axis)), requires_grad=True)
    got = tt.softmax(logits, axis=axis).numpy().swapaxes(1, axis)
    assert got[got != 0].min() >= tiny
    np.testing.assert_allclose(got, expected, rtol=3e-5, atol=2e-38)
    if axis == 1:
        for smoothing in (0.0, 0.1):
            logits.grad = None
            target = tt.tensor(np.arange(5))
            F.cross_entropy(logits, target, label_smoothing=smoothing).backward()
            gradient = np.abs(logits.grad.numpy())
            assert gradient[gradient != 0].min() >= tiny
            dx = expected - (1 - smoothing) * np.eye(5, 4001) - smoothing / 4001
            np.testing.assert_allclose(logits.grad.numpy(), dx / 5, rtol=3e-5, atol=1e-9)


@pytest.mark.parametrize("x", [-87.4, -103.9, -104.1, -1e4, -3e38, -np.inf])
def test_exponentials_that_underflow_are_numpys(x: float, isa: str) -> None:
    got = maps.exp(np.array([x, 0, x, np.nan], np.float32).repeat(16))
    expected = np.exp(np.float64(np.float32(x)))
    np.testing.assert_allclose(got[:16], expected, rtol=1e-6, atol=1.5e-45)
    assert (got[16:32] == 1).all()
    assert np.isnan(got[48:]).all()
