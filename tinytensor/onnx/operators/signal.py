"""Fourier transforms, windows of signals, and frequencies as ears hear them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import ops
from ...ops import fft
from ...ops.resample import windows_along
from ..registry import operator
from ..values import array, dtype_of_code, value

__all__: list[str] = []


def _complex(x: Any) -> Any:
    """x, whose last axis holds real and imaginary parts, or real ones alone."""
    if x.shape[-1] == 1:
        return x[..., 0]
    return ops.complex(x[..., 0], x[..., 1])


def _pairs(x: Any) -> Any:
    return ops.stack([ops.real(x), ops.imag(x)], -1)


def _transformed(x: Any, n: int | None, axis: int, inverse: bool, onesided: bool) -> Any:
    if axis < 0:
        axis += x.ndim
    if not 0 <= axis < x.ndim - 1:
        raise ValueError(f"DFT: there is no axis {axis} before the last one of {x.shape}")
    signal, dtype = _complex(x), x.dtype
    if onesided and inverse:
        n = 2 * (x.shape[axis] - 1) if n is None else n
        return ops.expand_dims(fft.irfft(signal, n, axis=axis), -1)
    if onesided and x.shape[-1] == 1:
        found = fft.rfft(signal, n, axis=axis)
    elif onesided:
        raise ValueError("DFT: onesided is of real numbers")
    else:
        found = (fft.ifft if inverse else fft.fft)(signal, n, axis=axis)
    return ops.astype(_pairs(found), dtype)


def _length(given: Any) -> int | None:
    return None if given is None else array(given).item()


@operator("DFT", since=17, settings=(1,))
def dft_17(
    x: Any, length: Any = None, *, axis: int = 1, inverse: int = 0, onesided: int = 0
) -> Any:
    return _transformed(x, _length(length), axis, bool(inverse), bool(onesided))


@operator("DFT", since=20, settings=(1, 2))
def dft(
    x: Any, length: Any = None, axis: Any = None, *, inverse: int = 0, onesided: int = 0
) -> Any:
    along = -2 if axis is None else array(axis).item()
    return _transformed(x, _length(length), along, bool(inverse), bool(onesided))


@operator("STFT", since=17, settings=(1, 3))
def stft(x: Any, step: Any, window: Any = None, length: Any = None, *, onesided: int = 1) -> Any:
    signal = x[..., 0] if x.ndim == 3 and x.shape[-1] == 1 else x if x.ndim == 2 else _complex(x)
    if length is not None:
        size = array(length).item()
    else:
        size = signal.shape[1] if window is None else window.shape[0]
    frames = windows_along(signal, 1, size, array(step).item())
    if window is not None:
        frames = frames * window
    real = frames.dtype.kind == "f"
    return _pairs((fft.rfft if onesided and real else fft.fft)(frames))


# --- Windows -------------------------------------------------------------------------------------


def _window(size: Any, periodic: int, code: int, *weights: float) -> Any:
    """Σₖ weights[k] · cos(2πkn / N), N being one less for a symmetric window."""
    count = array(size).item()
    turn = 2 * np.pi * np.arange(count) / max(count - (not periodic), 1)
    bell = sum(weight * np.cos(k * turn) for k, weight in enumerate(weights))
    return value(np.asarray(bell).astype(dtype_of_code(code)))


@operator("HannWindow", since=17)
def hann(size: Any, *, output_datatype: int = 1, periodic: int = 1) -> Any:
    return _window(size, periodic, output_datatype, 0.5, -0.5)


@operator("HammingWindow", since=17)
def hamming(size: Any, *, output_datatype: int = 1, periodic: int = 1) -> Any:
    return _window(size, periodic, output_datatype, 25 / 46, -21 / 46)


@operator("BlackmanWindow", since=17)
def blackman(size: Any, *, output_datatype: int = 1, periodic: int = 1) -> Any:
    return _window(size, periodic, output_datatype, 0.42, -0.5, 0.08)


@operator("MelWeightMatrix", since=17)
def mel_weights(
    bands: Any, length: Any, rate: Any, lowest: Any, highest: Any, *, output_datatype: int = 1
) -> Any:
    bands, length, rate, *ends = (array(x).item() for x in (bands, length, rate, lowest, highest))
    low, high = (2595 * np.log10(1 + end / 700) for end in ends)
    mels = low + np.arange(bands + 2) * ((high - low) / (bands + 2))
    edges = ((length + 1) * (700 * (10 ** (mels / 2595) - 1)) // rate).astype(np.int64)
    found = np.zeros((length // 2 + 1, bands))
    for band, (start, middle, end) in enumerate(zip(edges, edges[1:], edges[2:], strict=False)):
        if start == middle:
            found[middle, band] = 1
        else:
            places = np.arange(start, middle + 1)
            found[places, band] = (places - start) / (middle - start)
        places = np.arange(middle, end)
        if end > middle:
            found[places, band] = (end - places) / (end - middle)
    return value(found.astype(dtype_of_code(output_datatype)))
