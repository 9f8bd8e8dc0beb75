"""The kinds of errors that tinytensor raises, each one a kind of Python's own."""

from .engine import GraphError as GraphError


class ShapeError(ValueError):
    """Sizes or ranks of arguments do not fit an operation."""


class DtypeError(TypeError):
    """An argument's dtype does not fit an operation."""


class AnomalyError(FloatingPointError):
    """An op made NaN or infinity of finite arguments, and :func:`detect_anomaly` looked."""


class AxisError(ShapeError, IndexError):
    """An array does not have the axis that is named."""


class RangeError(DtypeError, OverflowError):
    """A number does not fit into the dtype of the array beside it."""
