"""The kinds of errors that tinytensor raises, each one a kind of Python's own."""

from typing import Any

import numpy as np

from .engine.core import GraphError as GraphError


class ShapeError(ValueError):
    """Sizes or ranks of arguments do not fit an operation."""


class DtypeError(TypeError):
    """An argument's dtype does not fit an operation."""


class AnomalyError(FloatingPointError):
    """An op made NaN or infinity of finite arguments, and :func:`detect_anomaly` looked."""


class LinAlgError(np.linalg.LinAlgError):
    """A matrix is singular, or not positive definite, or an iteration did not converge."""


class AxisError(ShapeError, IndexError):
    """An array does not have the axis that is named."""


class RangeError(DtypeError, OverflowError):
    """A number does not fit into the dtype of the array beside it."""


class VmapError(RuntimeError):
    """What was asked of one lane of a vmap cannot be done for each lane."""


# Which of these an error of NumPy's or Python's is: the first that fits.
_KINDS: list[tuple[type[Exception], type[Exception]]] = [
    (np.linalg.LinAlgError, LinAlgError),
    (AxisError, AxisError),
    (np.exceptions.AxisError, AxisError),
    (ValueError, ShapeError),
    (OverflowError, RangeError),
    (IndexError, IndexError),
]


def kind_of(error: Exception) -> type[Exception]:
    """The kind of ours that an error of bad arguments is told as."""
    return next((kind for origin, kind in _KINDS if isinstance(error, origin)), DtypeError)


def a_kind_of(value: Any) -> str:
    """What kind of thing a value is, as a sentence says it: "an int"."""
    return with_article(type(value).__name__)


def with_article(name: str) -> str:
    """ "an" before a vowel, and before an abbreviation that begins with the sound of one."""
    vowels = "AEFHILMNORSX" if name[:2].isupper() else "AEIOUaeiou"
    spelt = name[:2] == "nd"  # of an ndarray
    return f"{'an' if spelt or name[0] in vowels else 'a'} {name}"
