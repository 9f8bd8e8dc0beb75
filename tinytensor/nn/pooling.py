"""Pooling over windows of the last axes.

A base holds what the poolings of 1, 2 and 3 axes share; a class is its ``axes`` and its function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..ops.checks import sizes
from ..ops.windows import divisor, pooling_windows
from ..tensors.tensor import Tensor
from . import functional as F
from .module import Module

__all__ = ["AdaptiveAvgPool2d", "AvgPool2d", "MaxPool2d"]

Sizes = int | tuple[int, ...]


class _Pool(Module):
    """Windows of ``kernel_size``, ``stride`` apart, over x with ``padding``."""

    axes: int
    function: Callable[..., Any]

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None,
        padding: Sizes,
        ceil_mode: bool,
        dilation: Sizes = 1,
    ) -> None:
        super().__init__()
        kind = type(self).__name__
        pooling_windows(kind, self.axes, kernel_size, stride, padding, dilation, ceil_mode)
        # As they were given, which is how the representation shows them.
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _MaxPool(_Pool):
    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode, dilation)
        self.dilation = dilation
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        return self.function(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode,
            return_indices=self.return_indices,
        )  # fmt: skip

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, dilation={self.dilation}, ceil_mode={self.ceil_mode}"


class MaxPool2d(_MaxPool):
    """The largest element of each window: (N, C, H, W) becomes (N, C, H', W').

    ``H' = (H + 2 padding - dilation (kernel_size - 1) - 1) / stride + 1``, rounded down, or up with
    ``ceil_mode``. ``stride`` is ``kernel_size`` if None. With ``return_indices`` also the index of
    each within its plane H W.

    >>> import tinytensor as tt
    >>> tt.nn.MaxPool2d(2)(tt.zeros((1, 3, 8, 8))).shape
    (1, 3, 4, 4)
    """

    axes = 2
    function = staticmethod(F.max_pool2d)


class _AvgPool(_Pool):
    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode)
        divisor(type(self).__name__, divisor_override)
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return self.function(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode,
            self.count_include_pad, self.divisor_override,
        )  # fmt: skip


class AvgPool2d(_AvgPool):
    """The mean of each window: (N, C, H, W) becomes (N, C, H', W'), sized as by MaxPool2d.

    The padding's zeros count unless ``count_include_pad`` is False; ``divisor_override`` takes the
    place of the number of elements.
    """

    axes = 2
    function = staticmethod(F.avg_pool2d)


class _AdaptivePool(Module):
    axes: int
    function: Callable[..., Any]

    def __init__(self, output_size: int | tuple[int | None, ...]) -> None:
        super().__init__()
        each = output_size if isinstance(output_size, tuple | list) else (output_size,) * self.axes
        kept = tuple(0 if n is None else n for n in each)
        sizes(type(self).__name__, "output_size", kept, self.axes, 0)
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return self.function(input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool2d(_AdaptivePool):
    """Means of windows chosen so that (N, C, H, W) becomes (N, C, *output_size).

    Output i is the mean of elements ``floor(i H / H')`` to ``ceil((i + 1) H / H')``. A size of None
    keeps the input's.
    """

    axes = 2
    function = staticmethod(F.adaptive_avg_pool2d)
