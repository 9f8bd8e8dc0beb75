"""Fourier transforms: the extension ``fft`` of the Array API standard."""

from __future__ import annotations

import typing as _typing

import numpy as np

from .dtypes import get_default_dtype
from .ops import fft as _transforms
from .ops.checks import fits_memory, whole
from .ops.fft import *
from .ops.ways import tells as _tells
from .tensors.namespace_info import check_device
from .tensors.tensor import Dtype, Tensor

__all__ = [*_transforms.__all__, "fftfreq", "rfftfreq"]


def fftfreq(n: int, d: float = 1.0, dtype: Dtype = None, device: str | None = None) -> Tensor:
    """The frequencies of :func:`fft`'s n elements, in cycles a unit, at a sample spacing of d."""
    check_device(device)
    return Tensor(np.fft.fftfreq(_length("fftfreq", n), d).astype(dtype or get_default_dtype()))


def rfftfreq(n: int, d: float = 1.0, dtype: Dtype = None, device: str | None = None) -> Tensor:
    """The frequencies of :func:`rfft`'s n // 2 + 1 elements; arguments as of :func:`fftfreq`."""
    check_device(device)
    return Tensor(np.fft.rfftfreq(_length("rfftfreq", n), d).astype(dtype or get_default_dtype()))


def _length(name: str, n: int) -> int:
    whole(name, 1, n=n)
    fits_memory(name, (n,), np.int64)
    return n


if not _typing.TYPE_CHECKING:
    __getattr__ = _tells(__name__)
