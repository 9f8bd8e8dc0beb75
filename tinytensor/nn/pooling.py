"""Pooling over windows of the last axes.

A base holds what the poolings of 1, 2 and 3 axes share; a class is its ``axes`` and its function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..ops.checks import number, sizes
from ..ops.fractional_pooling import fractional_sizes
from ..ops.windows import divisor, pooling_windows
from ..tensors.tensor import Tensor
from . import functional as F
from .module import Module

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "FractionalMaxPool2d",
    "FractionalMaxPool3d",
    "LPPool1d",
    "LPPool2d",
    "LPPool3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "MaxUnpool3d",
]

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


class MaxPool1d(_MaxPool):
    """The largest element of each window: (N, C, L) becomes (N, C, L'), as by :class:`MaxPool2d`.

    >>> import tinytensor as tt
    >>> tt.nn.MaxPool1d(2)(tt.tensor([[1.0, 3.0, 2.0, 0.0]]))
    tensor([[3., 2.]])
    """

    axes = 1
    function = staticmethod(F.max_pool1d)


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


class MaxPool3d(_MaxPool):
    """The largest element of each window: (N, C, D, H, W) becomes (N, C, D', H', W'), as by
    :class:`MaxPool2d`; the indices are within D H W."""

    axes = 3
    function = staticmethod(F.max_pool3d)


class _MaxUnpool(Module):
    axes: int
    function: Callable[..., Any]

    def __init__(self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0) -> None:
        super().__init__()
        kind, axes = type(self).__name__, self.axes
        self.kernel_size = sizes(kind, "kernel_size", kernel_size, axes, 1)
        self.stride = self.kernel_size
        if stride is not None:
            self.stride = sizes(kind, "stride", stride, axes, 1)
        self.padding = sizes(kind, "padding", padding, axes, 0)

    def forward(self, input: Tensor, indices: Tensor, output_size: Sizes | None = None) -> Tensor:
        return self.function(
            input, indices, self.kernel_size, self.stride, self.padding, output_size
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """Back from :class:`MaxPool1d`, as :class:`MaxUnpool2d` along one axis."""

    axes = 1
    function = staticmethod(F.max_unpool1d)


class MaxUnpool2d(_MaxUnpool):
    """Zeros with the input at ``indices``, those that :class:`MaxPool2d` of the same settings
    returned: (N, C, H', W') becomes (N, C, H, W).

    ``H = (H' - 1) stride - 2 padding + kernel_size``, or that of ``output_size``.

    >>> import tinytensor as tt
    >>> x = tt.tensor([[[1.0, 2.0], [4.0, 3.0]]])
    >>> tt.nn.MaxUnpool2d(2)(*tt.nn.MaxPool2d(2, return_indices=True)(x))
    tensor([[[0., 0.],
             [4., 0.]]])
    """

    axes = 2
    function = staticmethod(F.max_unpool2d)


class MaxUnpool3d(_MaxUnpool):
    """Back from :class:`MaxPool3d`, as :class:`MaxUnpool2d` along three axes."""

    axes = 3
    function = staticmethod(F.max_unpool3d)


class _FractionalMaxPool(Module):
    axes: int
    function: Callable[..., Any]
    _random_samples: Tensor | None

    def __init__(
        self,
        kernel_size: Sizes,
        output_size: Sizes | None = None,
        output_ratio: float | tuple[float, ...] | None = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        kind, axes = type(self).__name__, self.axes
        self.kernel_size, size = fractional_sizes(
            kind, axes, (), kernel_size, output_size, output_ratio
        )
        self.output_size = None if output_size is None else size
        self.output_ratio = output_ratio
        if isinstance(output_ratio, float):
            self.output_ratio = (output_ratio,) * axes
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)

    def forward(self, input: Tensor) -> Any:
        return self.function(
            input,
            self.kernel_size,
            self.output_size,
            self.output_ratio,
            self.return_indices,
            self._random_samples,
        )


class FractionalMaxPool2d(_FractionalMaxPool):
    """The largest element of each of ``output_size`` windows, whose places are drawn at each call:
    (N, C, H, W) becomes (N, C, *output_size). (Graham 2014.)

    ``output_ratio``, between 0 and 1, may be given instead: ``H' = ⌊ratio H⌋``. The draws follow
    ``tt.manual_seed``, in evaluation too.

    >>> import tinytensor as tt
    >>> tt.nn.FractionalMaxPool2d(2, output_ratio=0.75)(tt.zeros(1, 3, 8, 8)).shape
    (1, 3, 6, 6)
    """

    axes = 2
    function = staticmethod(F.fractional_max_pool2d)


class FractionalMaxPool3d(_FractionalMaxPool):
    """:class:`FractionalMaxPool2d` of volumes: (N, C, D, H, W) becomes (N, C, *output_size)."""

    axes = 3
    function = staticmethod(F.fractional_max_pool3d)


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


class AvgPool1d(_Pool):
    """The mean of each window: (N, C, L) becomes (N, C, L'), sized as by :class:`MaxPool1d`.

    The padding's zeros count unless ``count_include_pad`` is False.

    >>> import tinytensor as tt
    >>> tt.nn.AvgPool1d(2)(tt.tensor([[1.0, 3.0, 2.0, 0.0]]))
    tensor([[2., 1.]])
    """

    axes = 1

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode)
        # PyTorch keeps and shows the sizes of this one as tuples.
        self.kernel_size = sizes("AvgPool1d", "kernel_size", kernel_size, 1, 1)
        self.stride = sizes("AvgPool1d", "stride", self.stride, 1, 1)
        self.padding = sizes("AvgPool1d", "padding", padding, 1, 0)
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool1d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode,
            self.count_include_pad,
        )  # fmt: skip


class AvgPool2d(_AvgPool):
    """The mean of each window: (N, C, H, W) becomes (N, C, H', W'), sized as by MaxPool2d.

    The padding's zeros count unless ``count_include_pad`` is False; ``divisor_override`` takes the
    place of the number of elements.
    """

    axes = 2
    function = staticmethod(F.avg_pool2d)


class AvgPool3d(_AvgPool):
    """The mean of each window: (N, C, D, H, W) becomes (N, C, D', H', W'), as by
    :class:`AvgPool2d`."""

    axes = 3
    function = staticmethod(F.avg_pool3d)


class _LPPool(Module):
    axes: int
    function: Callable[..., Any]

    def __init__(
        self,
        norm_type: float,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        kind = type(self).__name__
        if not number(kind, "norm_type", norm_type):
            raise ValueError(f"{kind}: norm_type must not be 0")
        pooling_windows(kind, self.axes, kernel_size, stride, 0, 1, ceil_mode)
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        return self.function(
            input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode
        )

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride},"
            f" ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPool):
    """The p-norm of each window of (N, C, L), as :class:`LPPool2d` along one axis."""

    axes = 1
    function = staticmethod(F.lp_pool1d)


class LPPool2d(_LPPool):
    """``(Σ xᵖ)^(1/p)`` of each window, p being ``norm_type``: (N, C, H, W) becomes (N, C, H', W').

    The stride is ``kernel_size`` if None. Magnitudes are not taken: an odd p wants inputs of at
    least 0.

    >>> import tinytensor as tt
    >>> tt.nn.LPPool2d(2, (1, 2))(tt.tensor([[[3.0, 4.0]]]))
    tensor([[[5.]]])
    """

    axes = 2
    function = staticmethod(F.lp_pool2d)


class LPPool3d(_LPPool):
    """The p-norm of each window of (N, C, D, H, W), as :class:`LPPool2d` along three axes."""

    axes = 3
    function = staticmethod(F.lp_pool3d)


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


class _AdaptiveMaxPool(_AdaptivePool):
    def __init__(
        self, output_size: int | tuple[int | None, ...], return_indices: bool = False
    ) -> None:
        super().__init__(output_size)
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        return self.function(input, self.output_size, self.return_indices)


class AdaptiveAvgPool1d(_AdaptivePool):
    """Means of windows chosen so that (N, C, L) becomes (N, C, output_size), as by
    :class:`AdaptiveAvgPool2d`."""

    axes = 1
    function = staticmethod(F.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptivePool):
    """Means of windows chosen so that (N, C, H, W) becomes (N, C, *output_size).

    Output i is the mean of elements ``floor(i H / H')`` to ``ceil((i + 1) H / H')``. A size of None
    keeps the input's.
    """

    axes = 2
    function = staticmethod(F.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptivePool):
    """Means of windows chosen so that (N, C, D, H, W) becomes (N, C, *output_size), as by
    :class:`AdaptiveAvgPool2d`."""

    axes = 3
    function = staticmethod(F.adaptive_avg_pool3d)


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """The largest elements of the windows of :class:`AdaptiveAvgPool1d`. With ``return_indices``
    also the index of each within its line."""

    axes = 1
    function = staticmethod(F.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """The largest elements of the windows of :class:`AdaptiveAvgPool2d`. With ``return_indices``
    also the index of each within its plane H W.

    >>> import tinytensor as tt
    >>> tt.nn.AdaptiveMaxPool2d((1, None))(tt.zeros(2, 3, 5, 7)).shape
    (2, 3, 1, 7)
    """

    axes = 2
    function = staticmethod(F.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """The largest elements of the windows of :class:`AdaptiveAvgPool3d`. With ``return_indices``
    also the index of each within its volume D H W."""

    axes = 3
    function = staticmethod(F.adaptive_max_pool3d)
