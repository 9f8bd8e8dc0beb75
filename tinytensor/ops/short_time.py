"""Short-time Fourier transforms: spectra of windows along a signal, and the signal again."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import REAL_OF, is_complex
from ..errors import DtypeError, RangeError, ShapeError
from .annotations import ArrayLike, Norm, Tensor
from .arithmetic import divide
from .checks import number
from .complex_numbers import imag, real
from .composed import computed
from .fft import fft, ifft, irfft, rfft
from .indexing import added_at
from .operands import operand
from .resample import windows_along
from .shape import broadcast_to, pad, pad_constant, stack

__all__ = ["istft", "stft"]


def _taper(
    name: str, window: Any, n_fft: int, hop_length: int | None, win_length: int | None, x: Any
) -> tuple[Any, int]:
    """The window in the middle of ``n_fft`` elements, and the step between two."""
    hop = n_fft // 4 if hop_length is None else hop_length
    length = n_fft if win_length is None else win_length
    number(name, "n_fft", n_fft, 1)
    number(name, "hop_length", hop, 1)
    number(name, "win_length", length, 1, n_fft)
    if window is None:
        window = np.ones(length, REAL_OF.get(x.dtype, x.dtype))
    window = operand(name, window, x)
    if tuple(window.shape) != (length,):
        raise ShapeError(f"{name}: window must be ({length},), but is {tuple(window.shape)}")
    before = (n_fft - length) // 2
    if length == n_fft:
        return window, hop
    return pad_constant(window, ((before, n_fft - length - before),), 0), hop


@computed
def stft(
    x: ArrayLike,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: ArrayLike | None = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool = True,
) -> Tensor:
    """The spectra of windows of a signal x (…, length): (…, frequencies, windows), complex.

    Window i is of the ``n_fft`` elements from i · ``hop_length`` (n_fft // 4, if None) on, each
    multiplied by ``window``, which has ``win_length`` elements (n_fft, if None), stands in the
    middle of them, and is all ones if None. With ``center`` x is padded before, by ``pad_mode`` of
    :func:`pad`, so that the window's middle is at i · hop_length. Of real numbers, ``onesided``
    keeps the first n_fft // 2 + 1 frequencies, which tell the others; ``normalized`` divides by
    √n_fft. If not ``return_complex``, a last axis has real and imaginary parts. (PyTorch's
    ``stft``.)
    """
    if x.ndim < 1:
        raise ShapeError(f"stft: needs signals along an axis, but x is {x.shape}")
    taper, hop = _taper("stft", window, n_fft, hop_length, win_length, x)
    whole = is_complex(x) or is_complex(taper)
    if whole and onesided:
        raise DtypeError(f"stft: onesided is of real numbers: x is {x.dtype}, window {taper.dtype}")
    if center:
        half = n_fft // 2
        if pad_mode == "reflect" and half >= x.shape[-1]:
            raise ShapeError(f"stft: {x.shape[-1]} elements cannot reflect {half} at each end")
        names = {"replicate": "edge", "circular": "wrap"}
        widths = (*((0, 0),) * (x.ndim - 1), (half, half))
        x = pad(x, widths, names.get(pad_mode, pad_mode))
    if x.shape[-1] < n_fft:
        raise ShapeError(f"stft: no window of {n_fft} in {x.shape[-1]} elements")
    frames = windows_along(x, x.ndim - 1, n_fft, hop) * taper
    norm: Norm = "ortho" if normalized else "backward"
    halved = not whole and onesided in (None, True)
    out = (rfft if halved else fft)(frames, None, -1, norm).mT
    return out if return_complex else stack([real(out), imag(out)], -1)


def _added(frames: Any, hop: int) -> Any:
    """The signals (…, length) whose windows (…, windows, size) are added up where they overlap."""
    count, size = frames.shape[-2:]
    places = hop * np.arange(count)[:, np.newaxis] + np.arange(size)
    length = size + hop * (count - 1)
    return added_at(frames, (..., places), (*frames.shape[:-2], length))


@computed
def istft(
    x: ArrayLike,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: ArrayLike | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Tensor:
    """The signals whose :func:`stft` is nearest to x (…, frequencies, windows): the windows'
    inverse transforms times ``window``, added up and divided by the sum of its squares. They are
    real, and the first half of the frequencies tells them, unless ``return_complex`` says otherwise
    of spectra that are not ``onesided`` (as those are that have fewer than n_fft frequencies).

    The arguments are those of stft; ``length`` cuts the signals, or continues them with zeros. An
    error where no window covers an element. (Griffin and Lim, 1984; PyTorch's ``istft``.)
    """
    if x.ndim < 2 or 0 in x.shape[-2:]:
        raise ShapeError(f"istft: x must be (…, frequencies, windows), but is {x.shape}")
    taper, hop = _taper("istft", window, n_fft, hop_length, win_length, x)
    halved = x.shape[-2] != n_fft if onesided is None else onesided
    if x.shape[-2] != (n_fft // 2 + 1 if halved else n_fft):
        wanted = n_fft // 2 + 1 if halved else n_fft
        raise ShapeError(f"istft: an n_fft of {n_fft} has {wanted} frequencies, x is {x.shape}")
    if halved and return_complex:
        raise DtypeError("istft: onesided spectra are of real signals; return_complex is of others")
    norm: Norm = "ortho" if normalized else "backward"
    if return_complex:
        frames = ifft(x.mT, None, -1, norm)
    else:
        frames = irfft(x[..., : n_fft // 2 + 1, :].mT, n_fft, -1, norm)
    signals = _added(frames * taper, hop)
    weights = _added(broadcast_to(taper * taper, frames.shape[-2:]), hop)
    first = n_fft // 2 if center else 0
    last = signals.shape[-1]
    if length is not None:
        last = min(last, first + length)
    elif center:
        last -= n_fft // 2
    signals, weights = signals[..., first:last], weights[first:last]
    if not getattr(weights, "level", 0) and np.any(abs(np.asarray(weights.detach().value)) < 1e-11):
        raise RangeError("istft: no window covers some elements; take a shorter hop_length")
    out = divide(signals, weights)
    missing = 0 if length is None else length - out.shape[-1]
    if missing > 0:
        out = pad_constant(out, (*((0, 0),) * (out.ndim - 1), (0, missing)), 0)
    return out
