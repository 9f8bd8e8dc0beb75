"""Losses: kernels against twins, targets that are ignored or bad, saturated probabilities."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

import tinytensor as tt

from ..table.calls import reference_kernels
from ..twins import assert_like_twin, normal


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(4, 3), (1, 1), (5, 17), (33, 100), (3, 5000)], ids=str)
def test_cross_entropy(isa, shape, weighted, smoothing, reduction):
    rows, classes = shape
    rng = np.random.default_rng(0)
    x, target = normal(rows, classes), rng.integers(0, classes, rows)
    target[rows // 2 + 1 :: 2] = -100
    weight = rng.uniform(0.5, 2, classes).astype(np.float32) if weighted else None
    _, lse, divisor = assert_like_twin(
        "cross_entropy", x, target, weight, -100, smoothing, reduction
    )
    g = normal(rows) if reduction == "none" else np.float32(1.5)
    of_classes = (target, weight, -100, smoothing, divisor)
    assert_like_twin("cross_entropy_backward", g, x, lse, *of_classes, floor=1.0)


def test_the_mean_of_no_losses_is_nan():
    loss = tt.cross_entropy(tt.zeros((2, 3)), np.array([-100, -100]))
    assert np.isnan(loss.value)
    loss = tt.cross_entropy(tt.zeros((0, 3)), np.zeros(0, int))
    assert np.isnan(loss.value)


@pytest.mark.parametrize("loss", [tt.cross_entropy, tt.nll_loss])
def test_bad_classes(loss):
    x, name = tt.zeros((2, 3)), loss.__name__
    for bad in (3, -1, 2**62):
        with pytest.raises(IndexError, match=rf"^{name}: target holds {bad}, outside \[0, 3\)"):
            loss(x, np.array([0, bad]))
    loss(x, np.array([0, 7]), ignore_index=7)
    with pytest.raises(tt.ShapeError, match=rf"^{name}: .*target"):
        loss(x, np.array([0, 1, 2]))
    with pytest.raises(TypeError, match=rf"^{name}: target must be integers"):
        loss(x, np.array([True, False]))
    with pytest.raises(TypeError, match=rf"^{name}: input must be floating"):
        loss(tt.zeros((2, 3), np.int64), np.array([0, 1]))
    with pytest.raises(ValueError, match=rf"^{name}: weight"):
        loss(x, np.array([0, 1]), np.ones(2, np.float32))
    with pytest.raises(ValueError, match=rf"^{name}: reduction"):
        loss(x, np.array([0, 1]), reduction="average")


def test_other_bad_losses():
    x = tt.zeros((2, 3))
    with pytest.raises(tt.ShapeError, match=r"^cross_entropy: probabilities"):
        tt.cross_entropy(x, np.zeros((2, 4), np.float32))
    with pytest.raises(ValueError, match=r"^cross_entropy: label_smoothing"):
        tt.cross_entropy(x, np.array([0, 1]), label_smoothing=2)
    with pytest.raises(ValueError, match=r"^binary_cross_entropy: input"):
        tt.binary_cross_entropy(x - 1, x)
    with pytest.raises(tt.ShapeError, match=r"^binary_cross_entropy: input"):
        tt.binary_cross_entropy(x, x[0])
    with pytest.raises(ValueError, match="beta"):
        tt.smooth_l1_loss(x, x, beta=-1)
    with pytest.raises(ValueError, match="delta"):
        tt.huber_loss(x, x, delta=0)
    with pytest.warns(UserWarning, match="broadcast"):
        tt.mse_loss(x, x[:, :1])


@pytest.mark.parametrize(
    "loss",
    [
        tt.mse_loss,
        tt.l1_loss,
        tt.smooth_l1_loss,
        tt.huber_loss,
        tt.binary_cross_entropy,
        tt.binary_cross_entropy_with_logits,
        tt.cross_entropy,
    ],
    ids=lambda loss: loss.__name__,
)
def test_complex_numbers_are_refused(loss):
    """An absolute value of complex numbers has another gradient than one of real ones."""
    real, other = tt.tensor([[0.25, 0.5]]), tt.tensor([[0.25j, 0.5]])
    for pair in ((real, other), (other, real), (other, other)):
        with pytest.raises(tt.errors.DtypeError, match=loss.__name__):
            loss(*pair)
        with pytest.raises(tt.errors.DtypeError, match=loss.__name__):
            tt.func.vmap(loss)(*pair)


def test_saturated_probabilities_have_finite_gradients():
    p = tt.tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    loss = tt.binary_cross_entropy(p, tt.tensor([0.0, 1.0, 1.0, 0.0]), reduction="none")
    np.testing.assert_array_equal(loss.value, [0, 0, 100, 100])
    loss.sum().backward()
    assert np.isfinite(p.grad.value).all()


@pytest.mark.parametrize("factors", [{}, {"weight": 2.0}, {"pos_weight": 3.0}])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_small_losses_keep_their_digits(isa, dtype, factors):
    x = np.array([-80.0, -20.0, -15.0, 0.0, 15.0, 20.0, 80.0])
    least = np.log1p(np.exp(-np.abs(x)))
    far = 1 / (1 + np.exp(np.abs(x)))  # how far σ(x) is from 0 or 1
    for y in (0.0, 1.0):
        sign = 1 if y == 0 else -1
        weight = factors.get("weight", 1.0) * (factors.get("pos_weight", 1.0) if y else 1.0)
        logits = tt.tensor(x, dtype=dtype, requires_grad=True)
        settings = {name: tt.tensor(w, dtype=dtype) for name, w in factors.items()}
        loss = tt.binary_cross_entropy_with_logits(
            logits, tt.full(x.shape, y, dtype=dtype), reduction="none", **settings
        )
        loss.sum().backward()
        slope = np.where(sign * x < 0, far, 1 - far)
        rtol = 16 * np.finfo(dtype).eps
        np.testing.assert_allclose(
            loss.detach().numpy(), weight * (np.maximum(sign * x, 0) + least), rtol
        )
        np.testing.assert_allclose(logits.grad.numpy(), sign * weight * slope, rtol)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_losses_of_logits_near_soft_targets_keep_their_digits(isa, dtype, compiled):
    """Each term of value and gradient is made without a difference of what is nearly equal."""
    x = np.repeat(np.array([-30.0, -15, -8, -1, 1, 8, 15, 30]), 7)
    y = np.tile(np.array([0, 1e-9, 1e-3, 0.5, 1 - 2.0**-10, 1 - 2.0**-24, 1]), 8).astype(dtype)
    wide, rest = y.astype(np.longdouble), 1 - y.astype(np.longdouble)
    far = x.astype(np.longdouble)
    over, under = 1 / (1 + np.exp(-far)), 1 / (1 + np.exp(far))
    logits = tt.tensor(x, dtype=dtype, requires_grad=True)
    with contextlib.nullcontext() if compiled else reference_kernels():
        loss = tt.binary_cross_entropy_with_logits(logits, tt.tensor(y), reduction="none")
        (slope,) = tt.grad(loss.sum(), [logits], create_graph=True)
        (curve,) = tt.grad(slope.sum(), [logits])
    eps = np.finfo(dtype).eps
    for got, a, b in (
        (loss, wide * np.log1p(np.exp(-far)), rest * np.log1p(np.exp(far))),
        (slope, -wide * under, rest * over),
    ):
        error = abs(got.detach().numpy() - (a + b))
        assert (error <= 8 * eps * (abs(a) + abs(b))).all()
    right = ((y == 1) & (x > 0)) | ((y == 0) & (x < 0))
    np.testing.assert_allclose(curve.numpy()[right], (over * under)[right], 16 * eps)
