"""Normalisation: kernels against twins, running statistics, bad arguments."""

from __future__ import annotations

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import kernels
from tinytensor.kernels import reference

from ..twins import assert_close, assert_like_twin, normal


@pytest.mark.parametrize(
    ("shape", "ndim"),
    [((4, 7), 1), ((3, 4, 33), 2), ((2, 3, 64), 1), ((500, 65), 1), ((3, 9000), 1), ((0, 5), 1)],
)
def test_layer_norm(isa, shape, ndim):
    x, g = normal(*shape) + 2, normal(*shape, seed=1)
    for weight, bias in ((normal(*shape[-ndim:]), normal(*shape[-ndim:])), (None, None)):
        _, mean, rstd = assert_like_twin("layer_norm", x, weight, bias, 1e-5, ndim)
        assert_like_twin("layer_norm_backward", g, x, weight, mean, rstd, ndim, tolerance=5e-5)


@pytest.mark.parametrize(
    ("shape", "ndim"),
    [((4, 7), 1), ((3, 4, 33), 2), ((2, 3, 64), 1), ((500, 65), 1), ((3, 9000), 1), ((0, 5), 1)],
)
def test_rms_norm(isa, shape, ndim):
    x, g = normal(*shape) + 2, normal(*shape, seed=1)
    for weight in (normal(*shape[-ndim:]), None):
        _, rstd = assert_like_twin("rms_norm", x, weight, 1e-5, ndim)
        assert_like_twin("rms_norm_backward", g, x, weight, rstd, ndim, tolerance=5e-5)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(4, 7), (3, 4, 5), (2, 3, 8, 9), (200, 40), (9, 2, 65, 65)])
def test_batch_norm(isa, shape, training):
    x, g, channels = normal(*shape) + 1, normal(*shape, seed=1), shape[1]
    weight, bias, mean = normal(channels), normal(channels), normal(channels)
    var = np.abs(normal(channels))
    stats, twin_stats = (mean.copy(), var.copy()), (mean.copy(), var.copy())
    how = (weight, bias, training, 0.1, 1e-5)
    got = kernels.batch_norm(x, *stats, *how)
    expected = reference.batch_norm(x, *twin_stats, *how)
    assert_close(got + stats, expected + twin_stats)
    assert training != np.array_equal(stats[0], mean)
    assert_like_twin("batch_norm_backward", g, x, weight, *expected[1:], training, tolerance=5e-5)


def test_running_statistics_are_pytorchs(torch):
    x, mean, var = normal(4, 3, 5) + 1, normal(3), np.abs(normal(3))
    theirs = torch.tensor(mean), torch.tensor(var)
    torch.nn.functional.batch_norm(torch.tensor(x), *theirs, training=True, momentum=0.3)
    tt.batch_norm(tt.Tensor(x), tt.Tensor(mean), tt.Tensor(var), training=True, momentum=0.3)
    np.testing.assert_allclose(mean, theirs[0].numpy(), rtol=1e-5)
    np.testing.assert_allclose(var, theirs[1].numpy(), rtol=1e-5)


def test_the_gradient_of_evaluation_is_that_of_the_statistics_then():
    x = tt.Tensor(normal(4, 3), requires_grad=True)
    mean, var = tt.zeros(3), tt.ones(3)
    out = tt.batch_norm(x, mean, var, eps=0.0)
    tt.batch_norm(x.detach(), mean, var, training=True)
    out.sum().backward()
    np.testing.assert_array_equal(x.grad.value, np.ones((4, 3)))


def test_bad_norms():
    x = tt.zeros((2, 3))
    with pytest.raises(tt.ShapeError, match=r"^layer_norm: x must end with"):
        tt.layer_norm(x, 4)
    with pytest.raises(tt.ShapeError, match=r"^layer_norm: weight"):
        tt.layer_norm(x, 3, tt.zeros(2))
    with pytest.raises(tt.ShapeError, match=r"^rms_norm: x must end with"):
        tt.rms_norm(x, 4)
    with pytest.raises(tt.ShapeError, match=r"^rms_norm: weight"):
        tt.rms_norm(x, 3, tt.zeros(2))
    with pytest.raises(TypeError, match=r"^rms_norm: eps must be a number"):
        tt.rms_norm(x, 3, eps="small")
    with pytest.raises(tt.ShapeError, match=r"^batch_norm: x"):
        tt.batch_norm(x[0], training=True)
    with pytest.raises(ValueError, match=r"^batch_norm: outside training"):
        tt.batch_norm(x)
    with pytest.raises(tt.ShapeError, match=r"^batch_norm: training needs"):
        tt.batch_norm(x[:1], training=True)
    with pytest.raises(tt.ShapeError, match=r"^batch_norm: running_var"):
        tt.batch_norm(x, tt.zeros(3), tt.zeros(2))
