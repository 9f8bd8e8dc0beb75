"""Spreads, norms and normalisation where squares leave the range of their dtype: what scales with
x does so by powers of two, in value and in derivatives, as it does where nothing leaves it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.nn.utils import clip_grad_norm_, get_total_norm, gradient_norms

from ..table.calls import reference_kernels

F = tt.nn.functional
norm = tt.linalg.vector_norm

# A function, and the power of a factor of x that it has.
CASES: dict[str, tuple[Callable[[Any], Any], int]] = {
    "std": (lambda x: tt.std(x), 1),
    "std of columns": (lambda x: tt.std(x, 0), 1),
    "std of rows": (lambda x: tt.std(x, 1, 1.0, keepdims=True), 1),
    "vector_norm": (lambda x: norm(x), 1),
    "vector_norm of rows": (lambda x: norm(x, 1), 1),
    "vector_norm of order 3": (lambda x: norm(x, 0, ord=3), 1),
    "vector_norm of order 1/2": (lambda x: norm(x, 0, ord=0.5), 1),
    "vector_norm of order -2": (lambda x: norm(x, 0, ord=-2), 1),
    "matrix_norm": (lambda x: tt.linalg.matrix_norm(x), 1),
    "normalize": (lambda x: F.normalize(x, eps=0.0), 0),
    "layer_norm": (lambda x: tt.layer_norm(x, 40, eps=0.0), 0),
    "rms_norm": (lambda x: tt.rms_norm(x, 40, eps=0.0), 0),
    "batch_norm of rows": (lambda x: tt.batch_norm(x, training=True, eps=0.0), 0),
    "batch_norm": (lambda x: tt.batch_norm(x.reshape(2, 3, 40), training=True, eps=0.0), 0),
}
X = np.random.default_rng(0).normal(size=(6, 40))


def derived(name: str, factor: float, dtype: str) -> list[np.ndarray]:
    """The value, the gradient, a second derivative, and a derivative forward."""
    f = CASES[name][0]
    x = tt.tensor((X * factor).astype(dtype), requires_grad=True)
    along = tt.tensor(np.sin(np.arange(X.size)).reshape(X.shape).astype(dtype))
    out = f(x)
    g = tt.tensor(np.cos(np.arange(out.size)).reshape(out.shape).astype(dtype))
    (dx,) = tt.grad(out, [x], g, create_graph=True)
    (ddx,) = tt.grad((dx * along).sum(), [x])
    tangent = tt.func.jvp(f, (x.detach(),), (along,))[1]
    return [t.numpy().astype(np.float64) for t in (out, dx, ddx, tangent)]


@cache
def plain(name: str) -> list[np.ndarray]:
    return derived(name, 1.0, "float64")


@pytest.mark.parametrize(
    ("dtype", "exponent"),
    [("float32", e) for e in (66, 100, -66, -100)] + [("float64", e) for e in (660, -660)],
)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore:(over|under)flow:RuntimeWarning")  # of second derivatives
def test_a_factor_comes_out_again(isa: str, name: str, dtype: str, exponent: int) -> None:
    power = CASES[name][1]
    tolerance = 2e-5 if dtype == "float32" else 1e-12
    most = 115 if dtype == "float32" else 1000
    got = derived(name, 2.0**exponent, dtype)
    for a, b, p in zip(got, plain(name), (power, power - 1, power - 2, power - 1), strict=True):
        if abs(p * exponent) < most:
            a = np.ldexp(a, -p * exponent)
            np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * abs(b).max())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_known_spreads(isa: str, dtype: str) -> None:
    for size in (1e20, 1e-30) if dtype == "float32" else (1e200, 1e-200):
        x = tt.tensor([size, -size], dtype=getattr(tt, dtype))
        assert tt.std(x).item() == pytest.approx(size, 1e-6)
        assert norm(x).item() == pytest.approx(2**0.5 * size, 1e-6)
    assert tt.std(tt.tensor([3.0, 3.0, 3.0], dtype=getattr(tt, dtype))).item() == 0
    assert norm(tt.zeros(4, dtype=getattr(tt, dtype))).item() == 0


def test_a_variance_in_range_of_squares_whose_sum_is_not(isa: str) -> None:
    x = np.full(1000, 1e19, np.float32)
    x[::2] = -1e19
    assert tt.var(tt.tensor(x)).item() == pytest.approx(1e38, 1e-5)


def test_rows_in_range_beside_rows_that_are_not(isa: str) -> None:
    """Each by itself, and NaN, infinities and zeros keep to their own."""
    x = np.random.default_rng(1).normal(size=(8, 70)).astype(np.float32)
    x[1] *= np.float32(1e25)
    x[2] *= np.float32(1e-25)
    x[3, 5], x[4, 6], x[5] = np.nan, np.inf, 0
    for rows, axis in ((x, 1), (np.ascontiguousarray(x.T), 0)):
        with np.errstate(invalid="ignore"):
            want = rows.astype(np.float64).std(axis)
            np.testing.assert_allclose(tt.std(tt.tensor(rows), axis).numpy(), want, 1e-5)
            with np.errstate(over="ignore"):
                want = np.square(want).astype(np.float32)
            np.testing.assert_allclose(tt.var(tt.tensor(rows), axis).numpy(), want, 1e-5)
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(
            norm(tt.tensor(x), 1).numpy(), np.linalg.norm(x.astype(np.float64), axis=1), 1e-5
        )


def test_norms_of_gradients_at_both_ends() -> None:
    for size in (1e30, 1e-30, 3e38):
        p = tt.nn.Parameter(tt.ones(2))
        p.grad = tt.tensor([size, -size])
        (row,) = gradient_norms({"p": p})
        assert row.grad_norm == pytest.approx(2**0.5 * size, 1e-6)
        if size < 1e38:
            assert get_total_norm(p.grad).item() == pytest.approx(2**0.5 * size, 1e-6)
        clip_grad_norm_(p, 1e-35)
        assert get_total_norm(p.grad).item() == pytest.approx(1e-35, 1e-5)


# --- At the largest numbers, where sums and differences leave the range, too ------------------


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "complex128"])
def test_means_whose_sums_are_out_of_range(isa: str, dtype: str) -> None:
    most = np.finfo(dtype).max / 16 * 15
    for n in (2, 3, 100, 5000):
        rows = np.zeros((4, n), dtype)
        rows[0], rows[1], rows[2] = most, -most / 2, np.arange(n) % 7
        rows[3, : n // 2] = most
        want = (rows / n).sum(1) if dtype != "float16" else rows.astype(np.float64).mean(1)
        for x, axis in ((rows, 1), (np.ascontiguousarray(rows.T), 0), (rows[:, ::-1], -1)):
            got = tt.mean(tt.tensor(x), axis).numpy()
            np.testing.assert_allclose(got, want.astype(dtype), 4 * np.finfo(dtype).eps)
        got = tt.mean(tt.tensor(rows), (0, 1), keepdims=True).numpy()
        np.testing.assert_allclose(got, [[want.mean().astype(dtype)]], 9 * np.finfo(dtype).eps)


def test_means_of_what_is_not_finite_are_those_of_their_lines(isa: str) -> None:
    x = np.full((5, 6), 3e38, np.float32)
    x[1, 2], x[2, 3], x[3, 0], x[3, 1], x[4] = np.inf, np.nan, -np.inf, np.inf, 1
    want = np.array([3e38, np.inf, np.nan, np.nan, 1], np.float32)
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(tt.mean(tt.tensor(x), 1).numpy(), want, 1e-6)
        got = tt.mean(tt.tensor(np.ascontiguousarray(x.T)), 0)
        np.testing.assert_allclose(got.numpy(), want, 1e-6)


AT_THE_TOP = [name for name in CASES if name.startswith(("std", "layer", "rms", "batch"))]


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", AT_THE_TOP)
def test_differences_out_of_range(isa: str, name: str, dtype: str, compiled: bool) -> None:
    """Each line holds −m and m, the largest number, and its mean is far from 0."""
    f = CASES[name][0]
    x = np.abs(X) / np.abs(X).max()
    x[np.arange(40) % 6, np.arange(40)], x[(np.arange(40) + 1) % 6, np.arange(40)] = -1, 1
    # In units of a power of two, so that float64 holds the same numbers without leaving its range.
    unit = 2.0 ** (np.finfo(dtype).maxexp - 1)
    x = (x * 1.99).astype(dtype)

    def value_and_gradient(x: np.ndarray, unit: float) -> tuple[np.ndarray, np.ndarray]:
        t = tt.tensor(x * x.dtype.type(unit), requires_grad=True)
        out = f(t)
        g = np.random.default_rng(2).normal(size=out.shape).astype(x.dtype)
        (dx,) = tt.grad(out, [t], tt.tensor(g))
        power = CASES[name][1]
        found = out.numpy() / unit**power, dx.numpy() * unit ** (1 - power)
        return found[0].astype(float), found[1].astype(float)

    want = value_and_gradient(x.astype(np.float64), 1.0)
    with contextlib.nullcontext() if compiled else reference_kernels():
        got = value_and_gradient(x, unit)
    for a, b in zip(got, want, strict=True):
        tolerance = 2e-5 if dtype == "float32" else 1e-12
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * abs(b).max())
