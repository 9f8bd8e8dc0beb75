"""Order statistics, scans and counts: NaN, ties, infinities, other dtypes and bad input, against
PyTorch where it has an answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.func import vmap

nan, inf = math.nan, math.inf
WITH_NAN = np.array([[3.0, 1.0, nan, 2.0], [4.0, 4.0, 1.0, 2.0], [nan, nan, nan, nan]])
ENDLESS = np.array([[inf, 1.0, inf, -inf], [inf, inf, inf, 2.0], [-inf, -inf, 0.0, 5.0]])

# By name: the call here, and in PyTorch where it is another.
CALLS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "nansum": (lambda m, x: m.nansum(x, 1), lambda m, x: m.nansum(x, 1)),
    "nanmean": (lambda m, x: m.nanmean(x, 1), lambda m, x: m.nanmean(x, 1)),
    "median": (lambda m, x: m.median(x), lambda m, x: m.quantile(x, 0.5)),
    "median 1": (lambda m, x: m.median(x, 1), lambda m, x: m.quantile(x, 0.5, 1)),
    "nanmedian": (lambda m, x: m.nanmedian(x), lambda m, x: m.nanquantile(x, 0.5)),
    "nanmedian 1": (lambda m, x: m.nanmedian(x, 1), lambda m, x: m.nanquantile(x, 0.5, 1)),
    "kthvalue": (lambda m, x: m.kthvalue(x, 2, 1)[0], lambda m, x: m.kthvalue(x, 2, 1)[0]),
    "quantile": (lambda m, x: m.quantile(x, 0.4, 1), lambda m, x: m.quantile(x, 0.4, 1)),
    "nanquantile": (lambda m, x: m.nanquantile(x, 0.4, 1), lambda m, x: m.nanquantile(x, 0.4, 1)),
    "cummax": (lambda m, x: m.cummax(x, 1)[0], lambda m, x: m.cummax(x, 1)[0]),
    "cummin": (lambda m, x: m.cummin(x, 1)[1], lambda m, x: m.cummin(x, 1)[1]),
    "logcumsumexp": (lambda m, x: m.logcumsumexp(x, 1), lambda m, x: m.logcumsumexp(x, 1)),
    "aminmax": (lambda m, x: m.aminmax(x, axis=1)[1], lambda m, x: m.aminmax(x, dim=1)[1]),
}
# Where infinities are equal, a step between them is none: PyTorch's NaN is of ∞ − ∞.
OTHERWISE = {(name, 1) for name in ("quantile", "nanquantile", "median 1", "nanmedian 1")}


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("name", CALLS)
def test_nan_and_infinity_like_pytorch(name: str, which: int, torch: Any) -> None:
    ours, theirs = CALLS[name]
    x = (WITH_NAN, ENDLESS)[which]
    mine, other = tt.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    found, expected = ours(tt, mine), theirs(torch, other)
    wanted = expected.detach().numpy()
    if (name, which) in OTHERWISE:
        assert not np.isnan(found.detach().numpy()).any()
        wanted = np.where(np.isnan(wanted), found.detach().numpy(), wanted)
    np.testing.assert_allclose(found.detach().numpy(), wanted, rtol=1e-12)
    if not expected.requires_grad or which:
        return
    (gradient,) = tt.grad(found.sum(), mine)
    (theirs_gradient,) = torch.autograd.grad(expected.sum(), other)
    finite = np.isfinite(theirs_gradient.numpy()) & ~np.isnan(x)
    np.testing.assert_allclose(gradient.numpy()[finite], theirs_gradient.numpy()[finite])


def test_ties() -> None:
    x = tt.tensor([2.0, 1.0, 2.0, 2.0, 5.0], requires_grad=True)
    assert tt.grad(tt.median(x), x)[0].tolist() == [0, 0, 1, 0, 0]  # the sort is stable
    found = tt.cummax(x, 0)
    assert found.indices.tolist() == [0, 0, 2, 3, 4]
    assert tt.grad(found.values.sum(), x)[0].tolist() == [2, 0, 1, 1, 1]
    assert tt.mode(tt.tensor([3, 1, 3, 1, 2])) == (1, 3)


def test_integers_and_bools() -> None:
    x = tt.tensor([5, 1, 5, 2])
    assert tt.median(x).item() == 3.5
    assert tt.median(x).dtype == tt.float32
    assert tt.kthvalue(x, 3).values.item() == 5
    assert tt.cummin(x, 0).values.tolist() == [5, 1, 1, 1]
    assert tt.cummax(x > 2, 0).values.tolist() == [True] * 4
    assert tt.nansum(x).item() == 13
    assert tt.nanmean(x).dtype == tt.float32
    assert tt.logcumsumexp(x, 0).dtype == tt.float32
    assert tt.aminmax(x) == (1, 5)
    for call in (tt.quantile, tt.nanquantile):
        with pytest.raises(tt.DtypeError, match=rf"{call.__name__}: x must be floating point"):
            call(x, 0.5)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_narrow_floats(dtype: str) -> None:
    x = tt.tensor([0.5, 2.5, 1.5, 100.0], dtype=dtype, requires_grad=True)
    for y in (
        tt.quantile(x, 0.5),
        tt.nanmean(x),
        tt.median(x),
        tt.logcumsumexp(x, 0),
        tt.trapezoid(x),
        tt.cummax(x, 0).values,
    ):
        assert y.dtype == dtype
        assert tt.grad(y.sum(), x)[0].dtype == dtype
    assert tt.nan_to_num(x / 0).tolist() == [float(np.finfo(dtype).max)] * 4


def test_without_axes_and_without_elements() -> None:
    x = tt.tensor(2.0, requires_grad=True)
    for y in (
        tt.median(x),
        tt.median(x, 0),
        tt.kthvalue(x, 1).values,
        tt.mode(x).values,
        tt.quantile(x, 0.3, 0),
        tt.cummax(x, 0).values,
        tt.logcumsumexp(x, -1),
    ):
        assert y.shape == ()
        assert y.item() == 2
        assert tt.grad(y, x)[0].item() == 1
    empty = tt.zeros((0, 3))
    for call in (tt.median, tt.nanmedian, lambda x: tt.quantile(x, 0.5), lambda x: tt.mode(x, 0)):
        with pytest.raises(tt.ShapeError, match="without elements"):
            call(empty)
    assert tt.cummax(empty, 0).values.shape == (0, 3)
    assert tt.logcumsumexp(empty, 1).shape == (0, 3)
    assert tt.trapezoid(empty, axis=0).tolist() == [0, 0, 0]
    assert tt.bincount(tt.zeros(0, dtype=tt.int64), minlength=2).tolist() == [0, 0]


def test_bad_input() -> None:
    x = tt.ones((2, 3))
    with pytest.raises(tt.ShapeError, match="kthvalue: k is 4"):
        tt.kthvalue(x, 4)
    with pytest.raises(ValueError, match=r"quantile: q must be from 0 to 1, not 1\.5"):
        tt.quantile(x, 1.5)
    with pytest.raises(ValueError, match="quantile: there is no interpolation 'cubic'"):
        tt.quantile(x, 0.5, interpolation="cubic")
    with pytest.raises(tt.ShapeError, match=r"bincount: x is \(3,\), but weights \(2,\)"):
        tt.bincount(tt.tensor([0, 1, 2]), tt.ones(2))
    with pytest.raises(tt.ShapeError, match=r"trapezoid: x is \(2,\), and y \(2, 3\)"):
        tt.trapezoid(x, tt.ones(2))


def test_under_vmap_each_lane_has_its_own_order() -> None:
    x = tt.tensor(np.where(WITH_NAN == 4, 0, WITH_NAN))
    for call in (
        tt.nanmedian,
        lambda x: tt.median(x, 0),
        lambda x: tt.nanquantile(x, tt.tensor([0.2, 0.9]), 0),
        lambda x: tt.cummin(x, 0).values,
        lambda x: tt.histc(tt.nan_to_num(x), 4),
    ):
        found, expected = vmap(call)(x), tt.stack([call(row) for row in x])
        np.testing.assert_array_equal(found.numpy(), expected.numpy())


def test_allclose() -> None:
    a = tt.tensor([1.0, 2.0, inf])
    assert tt.allclose(a, a + 1e-7) is True
    assert tt.allclose(a, a + 0.1) is False
    assert tt.allclose(a, a * nan) is False
    assert tt.allclose(a * nan, a * nan, equal_nan=True) is True
    assert tt.allclose(a, [1.0, 2.1, inf], atol=0.2) is True
