"""Discrete Fourier transforms (Array API, ``fft``): X[k] = Σ_j x[j] exp(−2πi jk/n).

NumPy's pocketfft does the work, in the precision of its argument. ``norm`` says where the factor
1/n stands: "backward" in the inverse transform, "forward" in the other, "ortho" as 1/√n in both. A
Fourier matrix is symmetric, so the cotangent of x is the same transform of that of X.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..kernels.reference.promotion import promoting
from .annotations import ArrayLike, Norm, Sizes, Tensor
from .arithmetic import multiply
from .batching import along_axis
from .checks import axis_index, fits_memory, whole
from .complex_numbers import conj, conjugate_if_complex, real
from .composed import composed, computed
from .declared import op
from .shape import pad_constant, roll

__all__ = [
    "fft",
    "fft2",
    "fftn",
    "fftshift",
    "hfft",
    "hfft2",
    "hfftn",
    "ifft",
    "ifft2",
    "ifftn",
    "ifftshift",
    "ihfft",
    "ihfft2",
    "ihfftn",
    "irfft",
    "irfft2",
    "irfftn",
    "rfft",
    "rfft2",
    "rfftn",
]

SWAPPED: dict[str, Norm] = {"backward": "forward", "ortho": "ortho", "forward": "backward"}


def swapped(name: str, norm: Norm) -> Norm:
    """The ``norm`` with which the inverse transform is the transform, and the other way round."""
    if norm not in SWAPPED:
        raise ValueError(f"{name}: norm must be one of {', '.join(SWAPPED)}, not {norm!r}")
    return SWAPPED[norm]


def transformed(name: str, x: Any, n: Any, axis: Any, norm: Any) -> np.ndarray:
    """NumPy's transform of that name.

    It never sees an axis without elements: some versions of its irfft read the first one of it.
    """
    swapped(name, norm)
    axis = axis_index(name, axis, np.ndim(x), of_numbers=False)
    size = x.shape[axis]
    if n is None and size < (2 if name == "irfft" else 1):
        raise ShapeError(
            f"{name}: n must be given for {size} elements along axis {axis} of {x.shape}"
        )
    if n is not None:
        whole(name, 1, n=n)
        fits_memory(name, (*x.shape[:axis], n, *x.shape[axis + 1 :]), x.dtype)
    if not size:
        x = np.zeros((*x.shape[:axis], 1, *x.shape[axis + 1 :]), x.dtype)
    return getattr(np.fft, name)(x, n, axis, norm)


def resized(x: Any, n: int, axis: int) -> Any:
    """x cut, or continued with zeros, to n elements along ``axis``: the transpose of itself."""
    axis %= x.ndim
    if n < x.shape[axis]:
        return x[(slice(None),) * axis + (slice(0, n),)]
    if n == x.shape[axis]:
        return x
    return pad_constant(x, tuple((0, (n - x.shape[i]) * (i == axis)) for i in range(x.ndim)), 0)


# --- Along one axis --------------------------------------------------------------------------


@op
@promoting(floating=True)
def fft(x: ArrayLike, n: int | None = None, axis: int = -1, norm: Norm = "backward") -> Tensor:
    """The transform along ``axis`` of x, cut or continued with zeros to n elements."""
    return transformed("fft", x, n, axis, norm)


@op
@promoting(floating=True)
def ifft(x: ArrayLike, n: int | None = None, axis: int = -1, norm: Norm = "backward") -> Tensor:
    """The inverse of :func:`fft`."""
    return transformed("ifft", x, n, axis, norm)


fft.grad(x=lambda g, x, axis, norm: resized(fft(g, None, axis, norm), x.shape[axis], axis))
ifft.grad(x=lambda g, x, axis, norm: resized(ifft(g, None, axis, norm), x.shape[axis], axis))


@op
@promoting(floating=True)
def rfft(x: ArrayLike, n: int | None = None, axis: int = -1, norm: Norm = "backward") -> Tensor:
    """The first n // 2 + 1 elements of the transform of real numbers; the others are conjugates."""
    if np.iscomplexobj(x):
        raise TypeError("rfft: x must be real")
    return transformed("rfft", x, n, axis, norm)


def _rfft_to_x(g, x, n, axis, norm):
    whole = resized(g, x.shape[axis] if n is None else n, axis)
    return resized(real(fft(whole, None, axis, norm)), x.shape[axis], axis)


rfft.grad(x=_rfft_to_x)


@op
@promoting(floating=True)
def irfft(x: ArrayLike, n: int | None = None, axis: int = -1, norm: Norm = "backward") -> Tensor:
    """The inverse of :func:`rfft`: n real numbers, 2 (m − 1) if n is None and x has m elements."""
    return transformed("irfft", x, n, axis, norm)


def _irfft_to_x(g, x, axis, norm):
    n, m = g.shape[axis], g.shape[axis] // 2 + 1
    twice = np.full(m, 2.0, dtype=g.dtype)  # an element of x stands for its conjugate too
    twice[0] = 1
    if n % 2 == 0:
        twice[-1] = 1
    twice = twice.reshape((-1,) + (1,) * (g.ndim - 1 - axis % g.ndim))
    return resized(multiply(conj(rfft(g, None, axis, SWAPPED[norm])), twice), x.shape[axis], axis)


irfft.grad(x=_irfft_to_x)


@computed
def hfft(x: ArrayLike, n: int | None = None, axis: int = -1, norm: Norm = "backward") -> Tensor:
    """The transform, which is real, of n numbers x[−j] = conj x[j]; x has the first half."""
    return irfft(conjugate_if_complex(x), n, axis, swapped("hfft", norm))


@computed
def ihfft(x: ArrayLike, n: int | None = None, axis: int = -1, norm: Norm = "backward") -> Tensor:
    """The inverse of :func:`hfft`: of real numbers, the first half of the inverse transform."""
    return conj(rfft(x, n, axis, swapped("ihfft", norm)))


for _op in (fft, ifft, rfft, irfft):
    _op.batched(along_axis(of_numbers=False))

# --- Along several axes ----------------------------------------------------------------------


def each_axis(
    name: str, x: Any, s: Sizes | None, axes: Sizes | None
) -> list[tuple[int, int | None]]:
    """The axes to transform, with the number of elements wanted along each; −1 is as many as are
    there. An integer stands for one."""
    wanted, given = ((n,) if isinstance(n, int | np.integer) else n for n in (s, axes))
    if given is None:
        given = range(x.ndim) if wanted is None else range(x.ndim - len(wanted), x.ndim)
    chosen = [axis_index(name, axis, x.ndim, of_numbers=False) for axis in given]
    if wanted is not None and len(wanted) != len(chosen):
        raise ShapeError(f"{name}: s has {len(wanted)} sizes for {len(chosen)} axes of {x.shape}")
    if not chosen and name.startswith(("r", "ir", "h", "ih")):
        raise ShapeError(f"{name}: needs an axis to halve, x is {x.shape}, axes are {axes}")
    counts = [None] * len(chosen) if wanted is None else [None if n == -1 else n for n in wanted]
    return list(zip(chosen, counts, strict=True))


@computed
def fftn(
    x: ArrayLike,
    s: Sizes | None = None,
    axes: Sizes | None = None,
    norm: Norm = "backward",
) -> Tensor:
    """The transform along all ``axes``, with ``s`` elements along them."""
    for axis, n in each_axis("fftn", x, s, axes):
        x = fft(x, n, axis, norm)
    return x


@computed
def ifftn(
    x: ArrayLike,
    s: Sizes | None = None,
    axes: Sizes | None = None,
    norm: Norm = "backward",
) -> Tensor:
    """The inverse of :func:`fftn`."""
    for axis, n in each_axis("ifftn", x, s, axes):
        x = ifft(x, n, axis, norm)
    return x


@computed
def rfftn(
    x: ArrayLike,
    s: Sizes | None = None,
    axes: Sizes | None = None,
    norm: Norm = "backward",
) -> Tensor:
    """:func:`fftn` of real numbers, the half of it along the last axis."""
    *others, (last, n) = each_axis("rfftn", x, s, axes)
    x = rfft(x, n, last, norm)
    for axis, n in others:
        x = fft(x, n, axis, norm)
    return x


@computed
def irfftn(
    x: ArrayLike,
    s: Sizes | None = None,
    axes: Sizes | None = None,
    norm: Norm = "backward",
) -> Tensor:
    """The inverse of :func:`rfftn`; the last axis gets 2 (m − 1) elements where s is None."""
    *others, (last, size) = each_axis("irfftn", x, s, axes)
    for axis, n in others:
        x = ifft(x, n, axis, norm)
    return irfft(x, size, last, norm)


@computed
def hfftn(
    x: ArrayLike,
    s: Sizes | None = None,
    axes: Sizes | None = None,
    norm: Norm = "backward",
) -> Tensor:
    """The transform, which is real, of what has x[−j] = conj x[j] along all ``axes`` together; x
    has the first half along the last one."""
    each_axis("hfftn", x, s, axes)
    return irfftn(conjugate_if_complex(x), s, axes, swapped("hfftn", norm))


@computed
def ihfftn(
    x: ArrayLike,
    s: Sizes | None = None,
    axes: Sizes | None = None,
    norm: Norm = "backward",
) -> Tensor:
    """The inverse of :func:`hfftn`: of real numbers, the first half along the last axis."""
    each_axis("ihfftn", x, s, axes)
    return conj(rfftn(x, s, axes, swapped("ihfftn", norm)))


def _of_two_axes(every: Callable[..., Any]) -> Callable[..., Any]:
    """The transform of images, which ``every`` is of all axes."""

    def call(
        x: ArrayLike,
        s: Sizes | None = None,
        axes: Sizes | None = (-2, -1),
        norm: Norm = "backward",
    ) -> Tensor:
        return every(x, s, axes, norm)

    call.__name__ = call.__qualname__ = every.__name__.removesuffix("n") + "2"
    call.__doc__ = (
        f":func:`{every.__name__}` along two axes, the last ones unless others are named."
    )
    return computed(call)


fft2, ifft2, rfft2 = map(_of_two_axes, (fftn, ifftn, rfftn))
irfft2, hfft2, ihfft2 = map(_of_two_axes, (irfftn, hfftn, ihfftn))

# --- Order -----------------------------------------------------------------------------------


@composed
def fftshift(x: ArrayLike, axes: Sizes | None = None) -> Tensor:
    """x with frequency 0 in the middle of the axes of ``axes`` (all if None)."""
    chosen = shifted_axes("fftshift", x, axes)
    return roll(x, tuple(x.shape[axis] // 2 for axis in chosen), chosen)


@composed
def ifftshift(x: ArrayLike, axes: Sizes | None = None) -> Tensor:
    """The inverse of :func:`fftshift`."""
    chosen = shifted_axes("ifftshift", x, axes)
    return roll(x, tuple(-(x.shape[axis] // 2) for axis in chosen), chosen)


def shifted_axes(name: str, x: Any, axes: int | Sequence[int] | None) -> tuple[int, ...]:
    given = range(x.ndim) if axes is None else (axes,) if isinstance(axes, int) else axes
    return tuple(axis_index(name, axis, x.ndim, of_numbers=False) for axis in given)
