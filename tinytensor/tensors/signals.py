"""Windows of signals, by which :func:`stft` multiplies: bells, 0 at their ends or nearly so.

A window is a bell over −1 ≤ t ≤ 1 at ``window_length`` places; a ``periodic`` one is a symmetric
one of one more element without its last, so that it can be repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import numpy as np

from ..dtypes import get_default_dtype, is_real_floating
from ..errors import DtypeError
from ..ops.checks import counts
from .namespace_info import check_device
from .tensor import Dtype, Tensor

__all__ = ["bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window"]


def _window(bell: Callable[..., np.ndarray]) -> Callable[..., Tensor]:
    """The function of a user, from the bell at the places t, whose settings it takes too."""
    name = bell.__name__

    @wraps(bell, ("__module__", "__name__", "__qualname__", "__doc__"))  # not its signature
    def call(
        window_length: int,
        periodic: bool = True,
        *settings: float,
        dtype: Dtype = None,
        requires_grad: bool = False,
        device: str | None = None,
        **named: float,
    ) -> Tensor:
        check_device(device)
        count = int(counts(name, "window_length", window_length))
        kind = get_default_dtype() if dtype is None else np.dtype(dtype)
        if not is_real_floating(kind):
            raise DtypeError(f"{name}: dtype must be of real floats, not {kind}")
        places = np.linspace(-1.0, 1.0, count + bool(periodic))[:count]
        found = bell(places, *settings, **named) if count > 1 else np.ones(count)
        return Tensor(found.astype(kind), requires_grad=requires_grad)  # rounded once

    del call.__wrapped__
    return call


@_window
def bartlett_window(t):
    """A triangle, 1 − |t|: see the head of ``tensors/signals.py`` for the arguments.

    >>> import tinytensor as tt
    >>> tt.bartlett_window(4), tt.bartlett_window(3, periodic=False)
    (tensor([0. , 0.5, 1. , 0.5]), tensor([0., 1., 0.]))
    """
    return 1 - np.abs(t)


@_window
def hann_window(t):
    """(1 + cos πt) / 2; arguments as of :func:`bartlett_window`."""
    return 0.5 + 0.5 * np.cos(np.pi * t)


@_window
def hamming_window(t, alpha=0.54, beta=0.46):
    """``alpha`` + ``beta`` cos πt; other arguments as of :func:`bartlett_window`."""
    return alpha + beta * np.cos(np.pi * t)


@_window
def blackman_window(t):
    """0.42 + 0.5 cos πt + 0.08 cos 2πt; arguments as of :func:`bartlett_window`."""
    return 0.42 + 0.5 * np.cos(np.pi * t) + 0.08 * np.cos(2 * np.pi * t)


@_window
def kaiser_window(t, beta=12.0):
    """I₀(``beta`` √(1 − t²)) / I₀(``beta``); other arguments as of :func:`bartlett_window`."""
    return np.i0(beta * np.sqrt(np.maximum(1 - t * t, 0))) / np.i0(beta)
