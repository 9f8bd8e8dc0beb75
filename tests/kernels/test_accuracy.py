"""The errors that docs/accuracy.md states, against float64, on every instruction set."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tinytensor import kernels
from tinytensor.kernels import reference

_core = pytest.importorskip("tinytensor.kernels._core", reason="the fast kernels are not built")
pytestmark = [
    pytest.mark.skipif(kernels.active != "fast", reason="about the fast kernels"),
    pytest.mark.no_c,
]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "accuracy.md"
UNIT = 2.0**-24  # half a unit in the last place of 1: what one rounding can cost

rng = np.random.default_rng(7)


def normal(*shape: int) -> np.ndarray:
    return rng.standard_normal(shape, np.float32)


def wide(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float64)


def error(got: np.ndarray, exact: np.ndarray, size: np.ndarray | float) -> float:
    """The largest difference over ``size``, in UNIT."""
    return float((np.abs(wide(np.asarray(got)) - exact) / size).max()) / UNIT


# --- Activations: of the larger of |x| and |y| -----------------------------------------------

SPREAD = np.concatenate([np.linspace(-30, 30, 300_001), np.geomspace(1e-20, 1e4, 50_000)])
SPREAD = np.concatenate([SPREAD, -SPREAD]).astype(np.float32)


def activation(name: str, *arguments: object) -> float:
    got = getattr(kernels, name)(SPREAD, *arguments)
    exact = getattr(reference, name)(wide(SPREAD), *arguments)
    return error(got, exact, np.maximum(np.abs(wide(SPREAD)), np.abs(exact)) + 1e-30)


def backward(name: str, *arguments: object) -> float:
    g = np.ones_like(SPREAD)
    got = getattr(kernels, name)(g, SPREAD, *arguments)
    return error(got, getattr(reference, name)(wide(g), wide(SPREAD), *arguments), 1.0)


# --- Reductions: of what the terms come to without their signs -------------------------------

LONG = [normal(3_000_001), normal(1000, 1031), normal(7, 3000, 33), 100 + normal(100_000)]


def summed(name: str) -> float:
    worst = 0.0
    for x in LONG:
        for axis in (None, *range(x.ndim)):
            size = getattr(reference, name)(np.abs(wide(x)), axis)
            exact = getattr(reference, name)(wide(x), axis)
            worst = max(worst, error(getattr(kernels, name)(x, axis), exact, size))
    return worst


def spread(name: str) -> float:
    worst = 0.0
    for x in LONG:
        for axis in (None, *range(x.ndim)):
            exact = getattr(reference, name)(wide(x), axis)
            worst = max(worst, error(getattr(kernels, name)(x, axis), exact, exact))
    return worst


RUNNING = [
    np.random.default_rng(8).random(shape, np.float32) - offset
    for offset in (0, 0.5)
    for shape in [(1_000_003,), (1000, 1031), (7, 3000, 33), (40_003, 3), (3, 40_003)]
]


def running_sum() -> float:
    worst = 0.0
    for x in RUNNING:
        for axis in range(x.ndim):
            for reverse in (False, True):
                exact, size = (reference.cumsum(wide(a), axis, reverse) for a in (x, np.abs(x)))
                worst = max(worst, error(kernels.cumsum(x, axis, reverse), exact, size))
    return worst


def running_product() -> float:
    x = np.exp(np.random.default_rng(9).standard_normal((40, 1000), np.float32) / 32)
    worst = 0.0
    for axis in range(2):
        exact = reference.cumprod(wide(x), axis)
        worst = max(worst, error(kernels.cumprod(x, axis), exact, exact))
    return worst


# --- Rows ------------------------------------------------------------------------------------

ROWS = [normal(64, 1031), normal(8, 50_257) * 5, normal(64, 33) + 100]


def rows(name: str, relative: bool) -> float:
    """Relative, or to the largest of a row."""
    worst = 0.0
    for x in ROWS:
        exact = getattr(reference, name)(wide(x), -1)
        size = exact if relative else np.abs(exact).max(-1, keepdims=True)
        worst = max(worst, error(getattr(kernels, name)(x, -1), exact, size))
    return worst


def rows_backward(forward: str) -> float:
    """Relative to the largest of a row."""
    worst, name = 0.0, f"{forward}_backward"
    for x in ROWS:
        g, y = normal(*x.shape), getattr(kernels, forward)(x, -1)
        exact = getattr(reference, name)(wide(g), wide(y), -1)
        got = getattr(kernels, name)(g, y, -1)
        worst = max(worst, error(got, exact, np.abs(exact).max(-1, keepdims=True)))
    return worst


def logsumexp(backward: bool) -> float:
    worst = 0.0
    for x in ROWS:
        exact, exact_lse = reference.logsumexp(wide(x), -1)
        got, lse = kernels.logsumexp(x, -1)
        if not backward:
            worst = max(worst, error(got, exact, np.abs(x).max(-1) + np.log(x.shape[1])))
            continue
        g = normal(len(x))
        exact = reference.logsumexp_backward(wide(g), wide(x), exact_lse, -1)
        worst = max(worst, error(kernels.logsumexp_backward(g, x, lse, -1), exact, abs(exact)))
    return worst


def norms(name: str) -> float:
    worst = 0.0
    for x in ROWS:
        parameters = [normal(x.shape[1]) for _ in range(2 if name == "layer_norm" else 1)]
        got = getattr(kernels, name)(x, *parameters, 1e-5, 1)[0]
        exact = getattr(reference, name)(wide(x), *map(wide, parameters), 1e-5, 1)[0]
        # A row's mean costs digits if it is large beside the deviations: so much is the input's.
        lost = np.abs(wide(x)).max(-1, keepdims=True) / wide(x).std(-1, keepdims=True)
        worst = max(worst, error(got, exact, np.abs(exact).max(-1, keepdims=True) + lost))
    return worst


def norms_backward(name: str) -> float:
    worst, x = 0.0, normal(300, 1031)
    g, weight = normal(*x.shape), normal(x.shape[1])
    forward = getattr(reference, name)
    stats = forward(wide(x), *[None] * (2 if name == "layer_norm" else 1), 1e-5, 1)[1:]
    exact = getattr(reference, f"{name}_backward")(wide(g), wide(x), wide(weight), *stats, 1)
    stats = [np.asarray(s, np.float32) for s in stats]
    got = getattr(kernels, f"{name}_backward")(g, x, weight, *stats, 1)
    for a, b in zip(got, exact, strict=True):
        worst = max(worst, error(a, b, np.abs(b).max()))
    return worst


def cross_entropy(backward: bool) -> float:
    worst = 0.0
    for x in ROWS:
        target = rng.integers(0, x.shape[1], len(x))
        how = (target, None, -100, 0.1)
        exact, lse, divisor = reference.cross_entropy(wide(x), *how, "mean")
        got, lse32, _ = kernels.cross_entropy(x, *how, "mean")
        if not backward:
            worst = max(worst, error(got, exact, np.abs(wide(x)).max()))
            continue
        g = np.float32(1)
        exact = reference.cross_entropy_backward(np.float64(1), wide(x), lse, *how, divisor)
        got = kernels.cross_entropy_backward(g, x, lse32, *how, divisor)
        worst = max(worst, error(got, exact, np.abs(exact).max() * np.abs(wide(x)).max()))
    return worst


# --- Updates ---------------------------------------------------------------------------------


def adam() -> float:
    """Of the change of a parameter, after 10 steps."""
    p = normal(1000)
    states = [np.zeros_like(p) for _ in range(2)]
    p64, states64 = wide(p), [np.zeros(1000) for _ in range(2)]
    start = wide(p)
    for step in range(1, 11):
        g = normal(1000)
        how = (step, 1e-3, 0.9, 0.999, 1e-8, 0.01, True, False)
        kernels.adam_step([p], [g], [states[0]], [states[1]], None, *how)
        reference.adam_step([p64], [wide(g)], [states64[0]], [states64[1]], None, *how)
    return error(p, p64, np.abs(start) * 10 + np.abs(p64 - start))


def embedding_backward() -> float:
    g, indices = normal(9999, 33), rng.integers(0, 50, 9999)
    got = kernels.embedding_backward(g, indices, 50, None)
    exact = reference.embedding_backward(wide(g), indices, 50, None)
    size = reference.embedding_backward(np.abs(wide(g)), indices, 50, None)
    return error(got, exact, size)


CASES: dict[str, Callable[[], float]] = {
    "relu": lambda: activation("relu"),
    "leaky_relu": lambda: activation("leaky_relu", 0.01),
    "elu": lambda: activation("elu", 1.0),
    "silu": lambda: activation("silu"),
    "gelu": lambda: activation("gelu", "none"),
    "gelu (tanh)": lambda: activation("gelu", "tanh"),
    "softplus": lambda: activation("softplus", 1.0, 20.0),
    "silu_backward": lambda: backward("silu_backward"),
    "gelu_backward": lambda: backward("gelu_backward", "none"),
    "gelu_backward (tanh)": lambda: backward("gelu_backward", "tanh"),
    "softplus_backward": lambda: backward("softplus_backward", 1.0, 20.0),
    "sum": lambda: summed("reduce_sum"),
    "mean": lambda: summed("mean"),
    "var": lambda: spread("var"),
    "std": lambda: spread("std"),
    "cumsum": running_sum,
    "cumprod": running_product,
    "softmax": lambda: rows("softmax", relative=True),
    "log_softmax": lambda: rows("log_softmax", relative=False),
    "softmax_backward": lambda: rows_backward("softmax"),
    "log_softmax_backward": lambda: rows_backward("log_softmax"),
    "logsumexp": lambda: logsumexp(backward=False),
    "logsumexp_backward": lambda: logsumexp(backward=True),
    "layer_norm": lambda: norms("layer_norm"),
    "rms_norm": lambda: norms("rms_norm"),
    "layer_norm_backward": lambda: norms_backward("layer_norm"),
    "rms_norm_backward": lambda: norms_backward("rms_norm"),
    "cross_entropy": lambda: cross_entropy(backward=False),
    "cross_entropy_backward": lambda: cross_entropy(backward=True),
    "embedding_backward": embedding_backward,
    "adam_step": adam,
}


def stated() -> dict[str, float]:
    """The bounds of the page: rows of "| `name` | bound | …"."""
    rows = re.findall(r"^\| `([^`]+)` \| ([\d.]+) \|", PAGE.read_text(encoding="utf-8"), re.M)
    return {name: float(bound) for name, bound in rows}


@pytest.fixture(params=_core.available_isas())
def isa(request: pytest.FixtureRequest):
    before = _core.isa()
    _core.use_isa(request.param)
    yield request.param
    _core.use_isa(before)


@pytest.mark.parametrize("name", CASES)
def test_error_is_as_stated(isa: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "rng", np.random.default_rng(7))
    assert CASES[name]() <= stated()[name]


def test_what_is_stated_is_tested() -> None:
    from .test_simd_math import CASES as MAPS

    bounds = stated()
    assert set(bounds) == {*CASES, *MAPS}
    for name, (_, _, _, ulps) in MAPS.items():
        assert bounds[name] == ulps
