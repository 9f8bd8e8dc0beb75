"""Convolutions and transposed convolutions.

A base holds what those of 1, 2 and 3 axes share; a class is its ``axes`` and its function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..ops.checks import sizes, whole
from ..ops.windows import paddings
from ..tensors.tensor import Tensor
from . import functional as F
from . import init
from .module import Module
from .parameter import Parameter

__all__ = ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]

Sizes = int | tuple[int, ...]
PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _Convolution(Module):
    """What a convolution and its transpose share: the settings, and how the weights start."""

    _dtype_of = "weight"
    axes: int
    function: Callable[..., Any]
    bias: Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes,
        padding: Sizes | str,
        dilation: Sizes,
        groups: int,
        padding_mode: str,
    ) -> None:
        super().__init__()
        name, axes = type(self).__name__, self.axes
        whole(name, 0, in_channels=in_channels, out_channels=out_channels)
        whole(name, 1, groups=groups)
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"{name}: groups {groups} must divide in_channels {in_channels} and out_channels"
                f" {out_channels}"
            )
        if padding_mode not in PADDING_MODES:
            raise ValueError(
                f"{name}: padding_mode is one of {', '.join(PADDING_MODES)}, not {padding_mode!r}"
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = sizes(name, "kernel_size", kernel_size, axes, 1)
        self.stride = sizes(name, "stride", stride, axes, 1)
        self.padding: Any = padding
        if not isinstance(padding, str):
            self.padding = sizes(name, "padding", padding, axes, 0)
        self.dilation = sizes(name, "dilation", dilation, axes, 1)
        self.groups = groups
        self.padding_mode = padding_mode

    def _start(self, filters: int, channels: int, bias: bool) -> None:
        """Make and draw the weights, (filters, channels) by the kernel's sizes, and the bias."""
        self.weight = Parameter(init.empty(filters, channels, *self.kernel_size))
        self.bias = Parameter(init.empty(self.out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        init.fan_in_uniform_(self.weight, self.bias)

    def extra_repr(self) -> str:
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size},"
            f" stride={self.stride}"
        )
        for name, default in self._defaults():
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        text = text if self.bias is not None else f"{text}, bias=False"
        return text if self.padding_mode == "zeros" else f"{text}, padding_mode={self.padding_mode}"

    def _defaults(self) -> list[tuple[str, Any]]:
        """The settings that the representation leaves out where they have these values."""
        zeros, ones = (0,) * self.axes, (1,) * self.axes
        return [("padding", zeros), ("dilation", ones), ("groups", 1)]


class _Conv(_Convolution):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes | str = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, padding_mode
        )
        name = type(self).__name__
        if isinstance(padding, str) and padding not in ("same", "valid"):
            raise ValueError(f"{name}: padding is a size, 'same' or 'valid', not {padding!r}")
        if padding == "same" and set(self.stride) != {1}:
            raise ValueError(f"{name}: padding 'same' needs stride 1, not {self.stride}")
        self._start(out_channels, in_channels // groups, bias)

    def forward(self, input: Tensor) -> Tensor:
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self._lengths(), self.padding_mode), 0
        return self.function(
            input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups
        )

    def _lengths(self) -> tuple[int, ...]:
        """The padding as :func:`functional.pad` takes it, from the last axis to the first."""
        each = paddings(
            type(self).__name__, self.padding, self.kernel_size, self.stride, self.dilation
        )
        return tuple(n for pair in reversed(each) for n in pair)


class Conv1d(_Conv):
    """Cross-correlation with learned filters: (N, C, L) becomes (N, K, L').

    As :class:`Conv2d` along one axis. ``weight`` is (K, C / groups, R).

    >>> import tinytensor as tt
    >>> tt.nn.Conv1d(3, 8, kernel_size=5, padding="same")(tt.zeros((4, 3, 32))).shape
    (4, 8, 32)
    """

    axes = 1
    function = staticmethod(F.conv1d)


class Conv2d(_Conv):
    """Cross-correlation with learned filters: (N, C, H, W) becomes (N, K, H', W').

    ``out[n, k] = bias[k] + Σ_c weight[k, c] ⋆ x[n, c]``, with
    ``H' = (H + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1``. C is ``in_channels``, K
    ``out_channels``; ``padding`` may be "same" or "valid". It is of zeros, or what
    :func:`functional.pad` makes in the ``padding_mode`` "reflect", "replicate" or "circular".
    ``weight`` (K, C / groups, R, S) and ``bias`` (K,) start uniform in ±1/√(C / groups · R · S).

    >>> import tinytensor as tt
    >>> tt.nn.Conv2d(3, 8, kernel_size=3, stride=2, padding=1)(tt.zeros((4, 3, 32, 32))).shape
    (4, 8, 16, 16)
    """

    axes = 2
    function = staticmethod(F.conv2d)


class Conv3d(_Conv):
    """Cross-correlation with learned filters: (N, C, D, H, W) becomes (N, K, D', H', W').

    As :class:`Conv2d` along three axes. ``weight`` is (K, C / groups, Q, R, S).

    >>> import tinytensor as tt
    >>> tt.nn.Conv3d(1, 2, kernel_size=(1, 3, 3))(tt.zeros((4, 1, 5, 8, 8))).shape
    (4, 2, 5, 6, 6)
    """

    axes = 3
    function = staticmethod(F.conv3d)


class _ConvTranspose(_Convolution):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Sizes = 1,
        padding_mode: str = "zeros",
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, padding_mode
        )
        name = type(self).__name__
        if isinstance(padding, str):
            raise ValueError(f"{name}: padding is a size, not {padding!r}")
        if padding_mode != "zeros":
            raise ValueError(f"{name}: padding_mode is 'zeros' alone, not {padding_mode!r}")
        self.output_padding = sizes(name, "output_padding", output_padding, self.axes, 0)
        self._start(in_channels, out_channels // groups, bias)

    def forward(self, input: Tensor, output_size: Sizes | None = None) -> Tensor:
        """With ``output_size``, the sizes wanted, in the place of ``output_padding``."""
        more = self.output_padding
        if output_size is not None:
            more = self._output_padding(input, output_size)
        return self.function(
            input, self.weight, self.bias, self.stride, self.padding, more, self.groups,
            self.dilation,
        )  # fmt: skip

    def _output_padding(self, input: Tensor, output_size: Sizes) -> tuple[int, ...]:
        """The padding of the output that leads to ``output_size``."""
        name, axes = type(self).__name__, self.axes
        wanted = sizes(name, "output_size", output_size, axes, 1)
        each = zip(
            input.shape[-axes:], self.kernel_size, self.stride, self.padding, self.dilation,
            strict=True,
        )  # fmt: skip
        least = tuple((n - 1) * s - 2 * p + d * (k - 1) + 1 for n, k, s, p, d in each)
        more = tuple(w - low for w, low in zip(wanted, least, strict=True))
        if not all(0 <= m < s for m, s in zip(more, self.stride, strict=True)):
            most = tuple(low + s - 1 for low, s in zip(least, self.stride, strict=True))
            raise ValueError(f"{name}: output_size is from {least} to {most}, not {wanted}")
        return more

    def _defaults(self) -> list[tuple[str, Any]]:
        defaults = super()._defaults()
        return [*defaults[:2], ("output_padding", (0,) * self.axes), *defaults[2:]]


class ConvTranspose1d(_ConvTranspose):
    """The transpose of :class:`Conv1d`: (N, C, L) → (N, K, L'), as :class:`ConvTranspose2d`.

    ``weight`` is (C, K / groups, R).

    >>> import tinytensor as tt
    >>> tt.nn.ConvTranspose1d(8, 3, kernel_size=2, stride=2)(tt.zeros((4, 8, 16))).shape
    (4, 3, 32)
    """

    axes = 1
    function = staticmethod(F.conv_transpose1d)


class ConvTranspose2d(_ConvTranspose):
    """The transpose of :class:`Conv2d`, which spreads pixels: (N, C, H, W) → (N, K, H', W').

    ``H' = (H - 1) stride - 2 padding + dilation (kernel_size - 1) + output_padding + 1``: a size
    that a convolution of these settings takes to H. ``weight`` (C, K / groups, R, S) and ``bias``
    (K,) start uniform in ±1/√(K / groups · R · S).

    >>> import tinytensor as tt
    >>> tt.nn.ConvTranspose2d(8, 3, kernel_size=2, stride=2)(tt.zeros((4, 8, 16, 16))).shape
    (4, 3, 32, 32)
    """

    axes = 2
    function = staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_ConvTranspose):
    """The transpose of :class:`Conv3d`: (N, C, D, H, W) → (N, K, D', H', W'), as
    :class:`ConvTranspose2d`.

    ``weight`` is (C, K / groups, Q, R, S).

    >>> import tinytensor as tt
    >>> tt.nn.ConvTranspose3d(2, 3, kernel_size=2, stride=2)(tt.zeros((1, 2, 4, 4, 4))).shape
    (1, 3, 8, 8, 8)
    """

    axes = 3
    function = staticmethod(F.conv_transpose3d)
