"""Padding of the last axes: by a constant, a reflection, the border, or around.

A base holds what all share; a class is its ``axes`` and its ``mode``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import ShapeError
from ..ops.checks import number
from ..ops.windows import layout
from ..tensors.tensor import Tensor
from . import functional as F
from .module import Module

__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]


class _Pad(Module):
    """``padding`` is one length for all sides, or one for each: those of the last axis (before,
    behind), then of the one before it. Negative ones take elements away."""

    axes: int
    mode: str

    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__()
        sides = 2 * self.axes
        each = (padding,) * sides if isinstance(padding, int | np.integer) else padding
        if (
            not isinstance(each, tuple | list)
            or len(each) != sides
            or not all(isinstance(n, int | np.integer) for n in each)
        ):
            raise ShapeError(
                f"{type(self).__name__}: padding must be one or {sides} integers, is {padding!r}"
            )
        self.padding = tuple(map(int, each))

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim - self.axes not in (1, 2):
            raise ShapeError(
                f"{type(self).__name__}: input must be {layout(self.axes)}, is {input.shape}"
            )
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        return str(self.padding)


class _ConstantPad(_Pad):
    """Of any input with as many axes."""

    mode = "constant"

    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding)
        number(type(self).__name__, "value", value)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class _ZeroPad(_ConstantPad):
    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return str(self.padding)


class ConstantPad1d(_ConstantPad):
    """``value`` put around the last axis: ``padding`` is one length, or (before, behind) of
    each axis, the last axis first. A negative length takes elements away."""

    axes = 1


class ConstantPad2d(_ConstantPad):
    """``value`` put around the last two axes: ``padding`` is one length, or (before, behind) of
    each axis, the last axis first. A negative length takes elements away.

    >>> import tinytensor as tt
    >>> tt.nn.ConstantPad2d((1, 0, 0, 1), 9.0)(tt.ones(1, 1, 2))
    tensor([[[9., 1., 1.],
             [9., 9., 9.]]])
    """

    axes = 2


class ConstantPad3d(_ConstantPad):
    """``value`` put around the last three axes: ``padding`` is one length, or (before, behind) of
    each axis, the last axis first. A negative length takes elements away."""

    axes = 3


class ZeroPad1d(_ZeroPad):
    """Zeros put around the last axis; see :class:`ConstantPad1d`."""

    axes = 1


class ZeroPad2d(_ZeroPad):
    """Zeros put around the last two axes; see :class:`ConstantPad2d`."""

    axes = 2


class ZeroPad3d(_ZeroPad):
    """Zeros put around the last three axes; see :class:`ConstantPad3d`."""

    axes = 3


class ReflectionPad1d(_Pad):
    """The last axis of (N, C, L) or (C, L) continued by reflection, the border's
    elements not doubled; see :class:`ConstantPad1d`.

    >>> import tinytensor as tt
    >>> tt.nn.ReflectionPad1d(2)(tt.tensor([[1.0, 2.0, 3.0]]))
    tensor([[3., 2., 1., 2., 3., 2., 1.]])
    """

    axes = 1
    mode = "reflect"


class ReflectionPad2d(_Pad):
    """The last two axes of (N, C, H, W) or (C, H, W) continued by reflection, the border's
    elements not doubled; see :class:`ConstantPad2d`."""

    axes = 2
    mode = "reflect"


class ReflectionPad3d(_Pad):
    """The last three axes of (N, C, D, H, W) or (C, D, H, W) continued by reflection, the border's
    elements not doubled; see :class:`ConstantPad3d`."""

    axes = 3
    mode = "reflect"


class ReplicationPad1d(_Pad):
    """The last axis of (N, C, L) or (C, L) continued by the elements at the border;
    see :class:`ConstantPad1d`.

    >>> import tinytensor as tt
    >>> tt.nn.ReplicationPad1d((2, 1))(tt.tensor([[1.0, 2.0, 3.0]]))
    tensor([[1., 1., 1., 2., 3., 3.]])
    """

    axes = 1
    mode = "replicate"


class ReplicationPad2d(_Pad):
    """The last two axes of (N, C, H, W) or (C, H, W) continued by the elements at the border;
    see :class:`ConstantPad2d`."""

    axes = 2
    mode = "replicate"


class ReplicationPad3d(_Pad):
    """The last three axes of (N, C, D, H, W) or (C, D, H, W) continued by the elements at the
    border; see :class:`ConstantPad3d`."""

    axes = 3
    mode = "replicate"


class CircularPad1d(_Pad):
    """The last axis of (N, C, L) or (C, L) continued by what stands at the other
    end; see :class:`ConstantPad1d`.

    >>> import tinytensor as tt
    >>> tt.nn.CircularPad1d((2, 1))(tt.tensor([[1.0, 2.0, 3.0]]))
    tensor([[2., 3., 1., 2., 3., 1.]])
    """

    axes = 1
    mode = "circular"


class CircularPad2d(_Pad):
    """The last two axes of (N, C, H, W) or (C, H, W) continued by what stands at the other
    end; see :class:`ConstantPad2d`."""

    axes = 2
    mode = "circular"


class CircularPad3d(_Pad):
    """The last three axes of (N, C, D, H, W) or (C, D, H, W) continued by what stands at the other
    end; see :class:`ConstantPad3d`."""

    axes = 3
    mode = "circular"
