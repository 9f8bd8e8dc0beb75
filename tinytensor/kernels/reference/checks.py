"""What twins ask of their arguments. No kernels."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import numpy as np

__all__ = ["COMPLEX", "check_lengths", "check_targets", "of_real_numbers", "own_axis"]


F = TypeVar("F", bound=Callable[..., Any])
COMPLEX = (np.dtype(np.complex64), np.dtype(np.complex128))


def of_real_numbers(kernel):
    """The kernel, refusing complex numbers, of which it would have no gradient."""

    @wraps(kernel)
    def checked(*args, **kwargs):
        if any(getattr(x, "dtype", None) in COMPLEX for x in args):
            raise TypeError("complex numbers, where only real ones have a meaning")
        return kernel(*args, **kwargs)

    return checked


def own_axis(function: F) -> F:
    """The function of x along ``axis``, which may be 0 or −1 of an x without axes, as in NumPy's
    ``ufunc.reduce`` and in PyTorch. The function is then given x with one axis; where its result
    ends with an axis of one element, that goes again."""
    code = function.__code__
    names = code.co_varnames[1 : code.co_argcount]
    place, defaults = names.index("axis"), function.__defaults__ or ()
    default = dict(zip(reversed(names), reversed(defaults), strict=False)).get("axis")

    @wraps(function)
    def call(x, *args, **settings):
        if getattr(x, "ndim", 0):
            return function(x, *args, **settings)
        axis = args[place] if len(args) > place else settings.get("axis", default)
        if not _is_own(axis) or np.ndim(x):
            return function(x, *args, **settings)
        x = x if hasattr(x, "ndim") else np.asarray(x)
        out = function(x.reshape((1,)), *args, **settings)
        return tuple(map(_without_axis, out)) if type(out) is tuple else _without_axis(out)

    return cast(F, call)


def _is_own(axis):
    if isinstance(axis, (tuple, list)):
        return len(axis) > 0 and all(map(_is_own, axis))
    return axis in (0, -1)


def _without_axis(x):
    return x.reshape(x.shape[:-1]) if x.shape[-1:] == (1,) else x


def check_targets(name, target, classes, ignore_index):
    """Raise unless every target is a class, or ``ignore_index``."""
    bad = ((target < 0) | (target >= classes)) & (target != ignore_index)
    if bad.any():
        raise IndexError(f"{name}: target holds {target[bad][0]}, outside [0, {classes})")


def check_lengths(params, *others):
    if {len(arrays) for arrays in others if arrays is not None} != {len(params)}:
        raise ValueError("the lists of parameters, gradients and states differ in length")
