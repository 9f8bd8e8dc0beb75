"""Functions of ``nn.functional`` that no module has yet, against PyTorch's and their own words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.func import grad, vmap
from tinytensor.nn import functional as F


@pytest.mark.parametrize("mode", ["constant", "replicate", "circular", "reflect"])
@pytest.mark.parametrize("lengths", [(-1, 2), (1, -2), (-1, -1, 2, -1), (0, 1, -3, 0)])
def test_pad_takes_elements_away(torch: Any, mode: str, lengths: tuple[int, ...]) -> None:
    x = np.arange(48.0).reshape(1, 3, 4, 4)
    ours = tt.Tensor(x, requires_grad=True)
    theirs = torch.tensor(x, requires_grad=True)
    if len(lengths) == 2 and mode != "constant":
        ours, theirs = ours[0], theirs[0]
    got, expected = F.pad(ours, lengths, mode), torch.nn.functional.pad(theirs, lengths, mode)
    np.testing.assert_array_equal(got.numpy(), expected.detach().numpy())
    (g,) = tt.grad((got * got).sum(), ours)
    (e,) = torch.autograd.grad((expected * expected).sum(), theirs)
    np.testing.assert_array_equal(g.numpy(), e.numpy())


def test_pad_takes_no_more_than_there_is() -> None:
    with pytest.raises(tt.ShapeError, match=r"pad: \(-2, -1\) takes more elements than axis 0"):
        F.pad(tt.ones(2), (-2, -1))


@pytest.mark.parametrize("drop", [F.dropout1d, F.dropout2d, F.dropout3d])
def test_whole_channels_are_dropped(drop: Any) -> None:
    tt.manual_seed(0)
    x = tt.ones(40, 30, 5)
    out = drop(x, 0.25)
    kept = out.numpy().any(-1)
    wanted = np.where(kept[..., None], 1 / 0.75, np.zeros(x.shape))
    np.testing.assert_allclose(out.numpy(), wanted, 1e-6)
    assert abs(kept.mean() - 0.75) < 0.05
    assert drop(x, 0.25, training=False) is x
    lanes = vmap(lambda x: drop(x, 0.5), randomness="different")(tt.ones(3, 20, 20, 2))
    assert len({lane.tobytes() for lane in lanes.numpy()}) == 3


@pytest.mark.parametrize("drop", [F.alpha_dropout, F.feature_alpha_dropout])
def test_alpha_dropout_keeps_mean_and_variance(drop: Any) -> None:
    tt.manual_seed(0)
    x = tt.randn(400, 400, dtype=tt.float64)
    out = drop(x, 0.3, training=True)
    assert abs(out.mean().item()) < 0.02
    assert abs(out.var().item() - 1) < 0.03
    assert drop(x, 0.3) is x
    slope = grad(lambda x: drop(x, 0.3, training=True).sum())(x).numpy()
    assert np.unique(slope.round(9)).size == 2  # 0 where dropped, the scale elsewhere
    assert not drop(x, 1.0, training=True).numpy().any()


def test_rrelu() -> None:
    x = tt.tensor([-1.0, 2.0] * 500)
    np.testing.assert_allclose(F.rrelu(x, 0.1, 0.3)[:2].numpy(), [-0.2, 2.0], 1e-6)
    out = F.rrelu(x, 0.1, 0.3, training=True).numpy()
    assert (out[1::2] == 2).all()
    assert -0.3 <= out[::2].min() < -0.28 < -0.12 < out[::2].max() <= -0.1


def test_bilinear(torch: Any) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) for shape in ((5, 2), (5, 3), (4, 2, 3), (4,))]
    expected = torch.nn.functional.bilinear(*map(torch.tensor, arrays))
    np.testing.assert_allclose(F.bilinear(*map(tt.Tensor, arrays)).numpy(), expected.numpy(), 1e-12)
    with pytest.raises(tt.ShapeError, match="bilinear: needs"):
        F.bilinear(tt.ones(5, 2), tt.ones(5, 2), tt.ones(4, 2, 3))


@pytest.mark.parametrize("affine", [False, True])
def test_instance_norm(torch: Any, affine: bool) -> None:
    rng = np.random.default_rng(0)
    x, mean, var = rng.normal(size=(2, 3, 4, 5)), np.zeros(3), np.ones(3)
    both = [rng.normal(size=3) for _ in range(2)] if affine else [None, None]
    ours = [None if a is None else tt.Tensor(a.copy()) for a in (mean, var, *both)]
    theirs = [None if a is None else torch.tensor(a) for a in (mean, var, *both)]
    for stats in (True, False):
        out = F.instance_norm(tt.Tensor(x), *ours, use_input_stats=stats)
        expected = torch.nn.functional.instance_norm(
            torch.tensor(x), *theirs, use_input_stats=stats
        )
        np.testing.assert_allclose(out.numpy(), expected.numpy(), 1e-9, 1e-9)
    for a, b in zip(ours[:2], theirs[:2], strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), 1e-12)
    with pytest.raises(tt.ShapeError, match="instance_norm: needs"):
        F.instance_norm(tt.ones(2, 3, 1))
