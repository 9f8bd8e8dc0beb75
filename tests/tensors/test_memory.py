"""What a tensor's memory is like: strides, order, windows, its bytes as another dtype."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.func import vmap

X = np.arange(24.0).reshape(2, 3, 4)


@pytest.mark.parametrize(
    "of",
    [
        lambda x: x,
        lambda x: x.permute(2, 0, 1),
        lambda x: x[:, ::2, 1:],
        lambda x: x[0, 0, 0],
        lambda x: x.reshape(24)[5:],
        lambda x: x[:, :, :1].expand(2, 3, 4),
    ],
)
def test_strides_are_those_of_pytorch(of: Any, torch: Any) -> None:
    ours, theirs = of(tt.Tensor(X)), of(torch.tensor(X))
    assert ours.stride() == theirs.stride()
    assert ours.is_contiguous() == theirs.is_contiguous()
    for axis in range(-ours.ndim, ours.ndim):
        assert ours.stride(axis) == theirs.stride(axis)
    assert ours.contiguous().is_contiguous()
    with pytest.raises(tt.errors.AxisError, match=r"^stride: there is no axis 3"):
        ours.stride(3)


@pytest.mark.parametrize(
    "kinds", [("float32", "int32"), ("float64", "uint64"), ("int16", "float16")]
)
def test_bytes_of_another_dtype(kinds: tuple[str, str]) -> None:
    first, second = kinds
    x = tt.tensor(X[0].astype(first))
    seen = x.view(np.dtype(second))
    np.testing.assert_array_equal(seen.numpy(), X[0].astype(first).view(second))
    assert x.view(dtype=np.dtype(first)) is x
    back = seen.view(np.dtype(first))
    back += 1
    np.testing.assert_array_equal(x.numpy(), X[0] + 1)
    assert vmap(lambda row: row.view(np.dtype(second)))(x).dtype == second


def test_bytes_of_other_sizes() -> None:
    x = tt.tensor(X)
    assert x.view(tt.float32).shape == (2, 3, 8)
    assert x.view(tt.complex128).shape == (2, 3, 2)
    assert x.view(2, 12).shape == (2, 12)
    assert vmap(lambda m: m.view(tt.float32))(x).shape == (2, 3, 8)
    for bad, kind in ((x.mT, tt.float32), (x[:, :, :3], tt.complex128), (tt.tensor(1.0), tt.int64)):
        with pytest.raises(tt.ShapeError, match=r"^view: float\d\d .* cannot be seen as"):
            bad.view(kind)
    with pytest.raises(tt.ShapeError, match=r"^view: a number of float64 cannot be seen as int32"):
        vmap(lambda number: number.view(tt.int32))(tt.tensor(X[0, 0]))
    with pytest.raises(tt.DtypeError, match=r"^view: bytes of float64 are no bool"):
        x.view(tt.bool)
    with pytest.raises(tt.DtypeError, match=r"^view: bytes of float64 are no object"):
        x.view(object)


def test_bytes_are_constants_of_the_same_memory() -> None:
    leaf = tt.tensor([1.0, 2.0], requires_grad=True)
    x = leaf * 1
    y = x * x
    seen = x.view(tt.int32)
    assert not seen.requires_grad
    assert leaf.view(tt.float32) is leaf
    seen += 1
    with pytest.raises(tt.GraphError, match="in place"):
        y.sum().backward()


def test_windows_are_views(torch: Any) -> None:
    x = tt.tensor(X)
    windows = x.unfold(2, 2, 1)
    assert np.shares_memory(windows.numpy(), x.numpy())
    assert windows.tolist() == torch.tensor(X).unfold(2, 2, 1).tolist()
    assert x.unfold(axis=-2, size=3, step=2).shape == (2, 1, 4, 3)
    x += 1
    assert windows[0, 0, 0].tolist() == [1, 2]
    for bad in ((2, 5, 1), (2, -1, 1), (2, 2, 0)):
        with pytest.raises(tt.ShapeError, match="windows"):
            x.unfold(*bad)
    with pytest.raises(ValueError, match="read-only"):
        windows += 1
