"""Inputs in another size, and windows as columns and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ops.checks import NUMBERS, sizes
from ..ops.resample import MODES
from ..tensors.tensor import Tensor
from . import functional as F
from .module import Module

__all__ = ["Fold", "Unfold", "Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d"]

Sizes = int | tuple[int, ...]
Factor = float | Sequence[float]


class Upsample(Module):
    """The input (N, C, …) in another ``size``, or that times ``scale_factor``, along the axes
    behind the second: :func:`functional.interpolate`.

    ``mode`` is "nearest", "nearest-exact", "linear", "bilinear", "trilinear", "bicubic" or "area".

    >>> import tinytensor as tt
    >>> tt.nn.Upsample(scale_factor=2)(tt.tensor([[[1.0, 2.0]]]))
    tensor([[[1., 1., 2., 2.]]])
    """

    scale_factor: float | tuple[float, ...] | None

    def __init__(
        self,
        size: Sizes | None = None,
        scale_factor: Factor | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        kind = type(self).__name__
        if (size is None) == (scale_factor is None):
            raise ValueError(f"{kind}: give either size or scale_factor")
        if mode not in MODES:
            raise ValueError(f"{kind}: mode is one of {', '.join(MODES)}, not {mode!r}")
        factors = scale_factor if isinstance(scale_factor, Sequence) else (scale_factor,)
        if scale_factor is not None and not all(isinstance(f, NUMBERS) for f in factors):
            raise TypeError(f"{kind}: scale_factor must be numbers, not {scale_factor!r}")
        self.size = size
        self.scale_factor = None
        if scale_factor is not None:
            each: Any = tuple(map(float, factors))  # type: ignore[arg-type]
            self.scale_factor = each if isinstance(scale_factor, Sequence) else each[0]
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.interpolate(
            input, self.size, self.scale_factor, self.mode, self.align_corners,
            self.recompute_scale_factor,
        )  # fmt: skip

    def extra_repr(self) -> str:
        given = f"size={self.size!r}"
        if self.scale_factor is not None:
            given = f"scale_factor={self.scale_factor!r}"
        return f"{given}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """:class:`Upsample` by the nearest pixel."""

    def __init__(self, size: Sizes | None = None, scale_factor: Factor | None = None) -> None:
        super().__init__(size, scale_factor)


class UpsamplingBilinear2d(Upsample):
    """:class:`Upsample` of images between their corners, by two pixels along each axis."""

    def __init__(self, size: Sizes | None = None, scale_factor: Factor | None = None) -> None:
        super().__init__(size, scale_factor, "bilinear", align_corners=True)


class _Windows(Module):
    def __init__(self, kernel_size: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes) -> None:
        super().__init__()
        kind = type(self).__name__
        sizes(kind, "kernel_size", kernel_size, 2, 1)
        sizes(kind, "dilation", dilation, 2, 1)
        sizes(kind, "padding", padding, 2, 0)
        sizes(kind, "stride", stride, 2, 1)
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding},"
            f" stride={self.stride}"
        )


class Unfold(_Windows):
    """Each window of (N, C, H, W) as a column: (N, C · kh · kw, number of windows).

    >>> import tinytensor as tt
    >>> tt.nn.Unfold((2, 3))(tt.zeros(2, 5, 3, 4)).shape
    (2, 30, 4)
    """

    def __init__(
        self, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1
    ) -> None:
        super().__init__(kernel_size, dilation, padding, stride)

    def forward(self, input: Tensor) -> Tensor:
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)


class Fold(_Windows):
    """Columns (N, C · kh · kw, number of windows) added up as the windows of (N, C, *output_size):
    the transpose of :class:`Unfold`.

    >>> import tinytensor as tt
    >>> tt.nn.Fold((3, 4), (2, 3))(tt.zeros(2, 30, 4)).shape
    (2, 5, 3, 4)
    """

    def __init__(
        self,
        output_size: Sizes,
        kernel_size: Sizes,
        dilation: Sizes = 1,
        padding: Sizes = 0,
        stride: Sizes = 1,
    ) -> None:
        super().__init__(kernel_size, dilation, padding, stride)
        sizes("Fold", "output_size", output_size, 2, 1)
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return F.fold(
            input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride
        )

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}, {super().extra_repr()}"
