"""Images in another size: every mode against PyTorch, whole numbers, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinytensor as tt

F = tt.nn.functional
MODES = [
    ("linear", 1), ("bilinear", 2), ("trilinear", 3), ("bicubic", 2),
    ("area", 1), ("area", 2), ("area", 3),
]  # fmt: skip


@pytest.mark.parametrize(("mode", "space"), MODES)
@pytest.mark.parametrize("new", [1, 2, 3, 5, 8, 13])
@pytest.mark.parametrize("antialias", [False, True])
def test_sizes_and_scales(mode: str, space: int, new: int, antialias: bool, torch: Any) -> None:
    if antialias and (mode not in ("bilinear", "bicubic")):
        return
    shape = (1, 2, 5, 7, 4)[: space + 2]
    x = np.random.default_rng(0).normal(size=shape)
    ways: list[dict[str, Any]] = [{"size": (new,) * space}]
    ways += [
        {"scale_factor": new / 3.7 + 0.5, "recompute_scale_factor": again}
        for again in (False, True)
    ]
    for way in ways:
        for align_corners in (None,) if mode == "area" else (False, True):
            options = {**way, "mode": mode, "align_corners": align_corners, "antialias": antialias}
            theirs = torch.tensor(x, requires_grad=True)
            ours = tt.tensor(x, requires_grad=True)
            expected = torch.nn.functional.interpolate(theirs, **options)
            if expected.shape == shape and way.get("recompute_scale_factor") is False:
                continue  # PyTorch copies what keeps its size, whatever the scale
            found = F.interpolate(ours, **options)
            np.testing.assert_allclose(
                found.detach().numpy(), expected.detach().numpy(), atol=1e-12
            )
            (expected**2).sum().backward()
            (found**2).sum().backward()
            assert ours.grad is not None
            np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), atol=1e-10)


@pytest.mark.parametrize("new", [2, 5, 11])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_bytes_are_rounded_and_stay_in_their_range(mode: str, new: int, torch: Any) -> None:
    x = np.random.default_rng(1).choice([0, 3, 250, 255], (1, 3, 6, 7)).astype(np.uint8)
    found = tt.interpolate(x, (new, new), mode=mode).numpy()
    exact = torch.nn.functional.interpolate(torch.tensor(x).double(), (new, new), mode=mode)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, np.clip(np.rint(exact.numpy()), 0, 255))
    if mode == "bilinear":  # of the other, PyTorch brings what is between the axes into the range
        theirs = torch.nn.functional.interpolate(torch.tensor(x), (new, new), mode=mode).numpy()
        assert np.abs(found.astype(int) - theirs).max() <= 1  # whose shares are short integers
    averages = tt.interpolate(x, (2, 3), mode="area").numpy()
    exact = torch.nn.functional.interpolate(torch.tensor(x).double(), (2, 3), mode="area")
    np.testing.assert_array_equal(averages, np.rint(exact.numpy()))


def test_constants_stay_and_nan_stays_where_it_is() -> None:
    for mode, antialias in (("bicubic", False), ("bicubic", True), ("bilinear", True)):
        one = tt.interpolate(tt.ones(1, 1, 9, 9), (4, 13), mode=mode, antialias=antialias)
        np.testing.assert_allclose(one.numpy(), 1, rtol=1e-6)
    x = tt.ones(1, 1, 1, 12)
    x[..., 0] = np.nan
    for antialias in (False, True):
        found = tt.interpolate(x, (1, 4), mode="bilinear", antialias=antialias)
        assert not np.isnan(found.numpy()[..., 2:]).any()
    areas = tt.interpolate(x[:, :, 0], 4, mode="area")
    assert np.isnan(areas.numpy()).tolist() == [[[True, False, False, False]]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 4, "mode": "cubic"}, "interpolate: no 'cubic' for"),
        ({"size": 4, "mode": "area", "align_corners": True}, "interpolate: align_corners is"),
        ({"size": 4, "antialias": True}, "interpolate: antialias is for 'bilinear' and 'bicubic'"),
        ({"size": 4, "recompute_scale_factor": True}, "interpolate: recompute_scale_factor is for"),
        ({"size": (4, 0), "mode": "bicubic"}, "interpolate: from 3 to 0 elements along axis 3"),
        ({"size": 4, "scale_factor": 2}, "interpolate: give either size or scale_factor"),
    ],
)
def test_what_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        tt.interpolate(tt.ones(1, 1, 3, 3), **options)
    with pytest.raises(tt.ShapeError, match=r"^interpolate: no 'bicubic' for \(1, 1, 3\)"):
        tt.interpolate(tt.ones(1, 1, 3), 4, mode="bicubic")
    with pytest.raises(tt.DtypeError, match=r"^interpolate: 'area' mixes floats or short integers"):
        tt.interpolate(tt.ones(1, 1, 3, dtype=tt.int64), 4, mode="area")
