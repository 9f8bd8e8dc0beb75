"""Softmax and logsumexp: kernels against twins at sizes where pieces and tails matter; extremes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import kernels
from tinytensor.kernels import reference

from ..twins import assert_like_twin, normal

SHAPES = [(3, 5), (1, 1), (7, 16), (4, 33), (2, 3, 100), (5, 0), (0, 5), (2, 9001), (700, 70)]


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_softmax(isa, name, shape):
    x, g = normal(*shape), normal(*shape, seed=1)
    for axis in range(len(shape)):
        out = assert_like_twin(name, x, axis)
        assert_like_twin(f"{name}_backward", g, out, axis)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_of_extremes(isa, name):
    for row in ([300, -300, 0], [-np.inf, 0, 1], [-np.inf] * 3, [np.inf, 0, 1], [np.nan, 0, 1]):
        x = np.array([row], np.float32)
        np.testing.assert_allclose(
            getattr(kernels, name)(x, 1), getattr(reference, name)(x, 1), rtol=1e-6
        )


@pytest.mark.parametrize("shape", [(), *SHAPES], ids=str)
def test_logsumexp(isa, shape):
    x = normal(*shape)
    for axis in [None, *range(-len(shape), len(shape))]:
        for keepdims in (False, True):
            out, lse = assert_like_twin("logsumexp", x, axis, keepdims)
            g = normal(*np.shape(out), seed=1)
            assert_like_twin("logsumexp_backward", g, x, lse, axis, keepdims)


@pytest.mark.parametrize("axis", [0, 1])
def test_logsumexp_of_extremes(isa, axis):
    inf, nan = np.inf, np.nan
    rows = [[300, -300, 0], [-inf, 0, 1], [-inf] * 3, [inf, 0, 1], [inf, -inf, 0], [nan, inf, 0]]
    x = np.array(rows, np.float32)
    x = np.ascontiguousarray(np.pad(x, [(0, 0), (0, 50)], mode="edge") if axis else x.T)
    (out, lse), g = reference.logsumexp(x, axis), normal(6, seed=1)
    for got, want in zip(kernels.logsumexp(x, axis), (out, lse), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-6)
    with np.errstate(all="ignore"):
        dx = reference.logsumexp_backward(g, x, lse, axis)
    np.testing.assert_allclose(kernels.logsumexp_backward(g, x, lse, axis), dx, rtol=1e-5)


def test_softmax_of_a_long_row_adds_up(isa):
    """float32 sums in runs: as exact as float64, to the last digits."""
    x = normal(1, 200_000)
    exact = reference.softmax(x.astype(np.float64), 1)
    np.testing.assert_allclose(kernels.softmax(x, 1), exact, rtol=2e-6)


# --- Large logits: what cancels costs no digits ----------------------------------------------

OFFSETS = [1e4, 2.0**27, -(2.0**60), 2.0**126]


def logits(offset, dtype):
    """Rows whose differences are exact at any of the offsets: 0 and a spacing of numbers there."""
    apart = np.spacing(np.asarray(abs(offset), dtype)) if offset else dtype(1)
    steps = np.random.default_rng(0).integers(-1, 2, (6, 37)).astype(dtype)
    return steps * apart, offset + steps * apart


def derived(f, x, g):
    """f(x) and its cotangents of first and second order, along g."""
    x = tt.tensor(x, requires_grad=True)
    out = f(x)
    (dx,) = tt.grad(out, [x], tt.tensor(g(out)), create_graph=True)
    (ddx,) = tt.grad((dx * dx).sum(), [x])
    return [t.numpy() for t in (out, dx, ddx)]


TARGET = np.array([0, 5, 36, -100, 7, 1])
WEIGHT = np.linspace(0.5, 2, 37)
SHARES = np.random.default_rng(1).dirichlet(np.ones(37), 6)
LOGITS = {
    "softmax": lambda x: tt.softmax(x, -1),
    "softmax, axis 0": lambda x: tt.softmax(x, 0),
    "log_softmax": lambda x: tt.log_softmax(x, -1),
    "log_softmax, axis 0": lambda x: tt.log_softmax(x, 0),
    "probabilities": lambda x: tt.cross_entropy(x, SHARES.astype(x.dtype)),
    **{
        f"cross_entropy, {smoothing}, {reduction}{', weighted' * weighted}": (
            lambda x, smoothing=smoothing, reduction=reduction, weighted=weighted: tt.cross_entropy(
                x, TARGET, WEIGHT.astype(x.dtype) if weighted else None,
                reduction=reduction, label_smoothing=smoothing,
            )
        )
        for smoothing in (0.0, 0.25)
        for reduction in ("none", "mean")
        for weighted in (False, True)
    },
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("name", LOGITS)
def test_an_offset_changes_nothing(isa, name, offset, dtype):
    plain, moved = logits(offset, dtype)

    def g(out):
        return np.cos(np.arange(out.size)).reshape(out.shape).astype(dtype)

    tolerance = 2e-6 if dtype is np.float32 else 1e-14
    got, want = derived(LOGITS[name], moved, g), derived(LOGITS[name], plain, g)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, tolerance, tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1)])
def test_an_offset_changes_no_gradient_of_logsumexp(isa, axis, offset, dtype):
    plain, moved = logits(offset, dtype)
    f = lambda x: tt.logsumexp(x, axis)  # noqa: E731
    g = lambda out: np.ones(out.shape, dtype)  # noqa: E731
    got, want = derived(f, moved, g), derived(f, plain, g)
    tolerance = 2e-6 if dtype is np.float32 else 1e-14
    for a, b in zip(got[1:], want[1:], strict=True):
        np.testing.assert_allclose(a, b, tolerance, tolerance)
    tangent = tt.func.jvp(f, (tt.tensor(moved),), (tt.ones_like(tt.tensor(moved)),))[1].numpy()
    np.testing.assert_allclose(tangent, np.ones(tangent.shape), tolerance * 4)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_two_equal_large_logits(isa, dtype):
    x = tt.tensor([[3e4, 3e4]], dtype=getattr(tt, dtype), requires_grad=True)
    loss = tt.cross_entropy(x, np.array([0]))
    loss.backward()
    assert loss.item() == pytest.approx(np.log(2), 4e-3)
    np.testing.assert_array_equal(x.grad.numpy().astype(float), [[-0.5, 0.5]])
    x.grad = None
    x.logsumexp().backward()
    np.testing.assert_array_equal(x.grad.numpy().astype(float), [[0.5, 0.5]])


@pytest.mark.parametrize("op", [tt.softmax, tt.log_softmax, tt.softmin])
@pytest.mark.parametrize("of", [np.int64, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("to", [np.float32, np.float64])
def test_of_what_is_cast_before(op: Any, of: Any, to: Any) -> None:
    numbers = np.array([[1, 2, 3], [0, 0, 1]], of)
    x = tt.Tensor(numbers, requires_grad=of is not np.int64)
    out = op(x, axis=1, dtype=to)
    assert out.dtype == to
    cast = tt.Tensor(numbers.astype(to), requires_grad=True)
    np.testing.assert_array_equal(out.numpy(), op(cast, 1).numpy())
    if x.requires_grad:
        out[:, 1].sum().backward()
        op(cast, 1)[:, 1].sum().backward()
        assert x.grad.dtype == of
        np.testing.assert_allclose(
            x.grad.numpy(), cast.grad.numpy(), 1e-3 if of == np.float16 else 1e-6
        )
