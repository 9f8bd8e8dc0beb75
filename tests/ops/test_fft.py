"""Fourier transforms at their edges; their values and gradients are rows of the table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinytensor as tt

ONE_AXIS = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
SEVERAL_AXES = ("fftn", "ifftn", "rfftn", "irfftn")


@pytest.fixture
def numpys_axes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of the axes that NumPy's transforms are given."""
    lengths: list[int] = []
    for name in ("fft", "ifft", "rfft", "irfft"):
        original = getattr(np.fft, name)

        def transform(x: Any, n: Any, axis: int, norm: str, original: Any = original) -> Any:
            lengths.append(x.shape[axis])
            return original(x, n, axis, norm)

        monkeypatch.setattr(np.fft, name, transform)
    return lengths


def assert_zeros_with_a_gradient(y: tt.Tensor, x: tt.Tensor, shape: tuple[int, ...]) -> None:
    np.testing.assert_array_equal(y.data, np.zeros(shape, y.dtype), strict=True)
    (gradient,) = tt.grad(y, (x,), tt.ones(y.shape, dtype=y.dtype))
    np.testing.assert_array_equal(gradient.data, np.zeros(x.shape, x.dtype), strict=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize("name", ONE_AXIS)
def test_an_empty_axis_is_continued_with_zeros(
    name: str, dtype: type, numpys_axes: list[int]
) -> None:
    if name in ("rfft", "ihfft") and np.issubdtype(dtype, np.complexfloating):
        dtype = np.float16
    for n in (1, 2, 3, 8):
        for shape, axis in (((0,), 0), ((0, 3), 0), ((3, 0), -1), ((0, 0), 0)):
            for norm in ("backward", "ortho", "forward"):
                x = tt.zeros(shape, dtype=dtype, requires_grad=True)
                y = getattr(tt.fft, name)(x, n, axis, norm)
                expected = list(shape)
                expected[axis] = n // 2 + 1 if name in ("rfft", "ihfft") else n
                assert_zeros_with_a_gradient(y, x, tuple(expected))
    assert numpys_axes
    assert 0 not in numpys_axes


@pytest.mark.parametrize("name", SEVERAL_AXES)
def test_empty_axes_are_continued_with_zeros(name: str, numpys_axes: list[int]) -> None:
    for shape in ((0, 3), (3, 0), (0, 0)):
        x = tt.zeros(shape, requires_grad=True)
        y = getattr(tt.fft, name)(x, (4, 5))
        assert_zeros_with_a_gradient(y, x, (4, 3) if name == "rfftn" else (4, 5))
    assert numpys_axes
    assert 0 not in numpys_axes


@pytest.mark.parametrize("name", ONE_AXIS + SEVERAL_AXES)
def test_an_empty_axis_without_a_length_is_refused(name: str) -> None:
    for shape in ((0,), (3, 0), (0, 0)):
        with pytest.raises(tt.ShapeError, match=rf"^{name}: .*n must be given for 0 elements"):
            getattr(tt.fft, name)(tt.zeros(shape))


def test_one_element_does_not_say_how_long_its_inverse_is() -> None:
    with pytest.raises(tt.ShapeError, match=r"^irfft: n must be given for 1 elements"):
        tt.fft.irfft(tt.ones((1,)))


@pytest.mark.parametrize("name", ONE_AXIS)
def test_an_unknown_norm_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=rf"^{name}: .*norm must be one of .*, not 'none'"):
        getattr(tt.fft, name)(tt.ones((3,)), norm="none")
