"""Conv2d."""

from __future__ import annotations

from ..tensor import Tensor
from . import functional as F
from . import init
from .module import Module
from .parameter import Parameter

__all__ = ["Conv2d"]


def as_pair(value: int | tuple[int, int]) -> tuple[int, int]:
    """A size for both axes as a pair."""
    if isinstance(value, int):
        return value, value
    vertical, horizontal = value
    return vertical, horizontal


class Conv2d(Module):
    """Cross-correlation with learned filters: (N, C, H, W) becomes (N, K, H', W').

    ``out[n, k] = bias[k] + Σ_c weight[k, c] ⋆ x[n, c]``, with
    ``H' = (H + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1``. C is ``in_channels``, K
    ``out_channels``; ``padding`` may be "same" or "valid". ``weight`` (K, C / groups, R, S) and
    ``bias`` (K,) start uniform in ±1/√(C / groups · R · S).

    >>> import tinytensor as tt
    >>> tt.nn.Conv2d(3, 8, kernel_size=3, stride=2, padding=1)(tt.zeros((4, 3, 32, 32))).shape
    (4, 8, 16, 16)
    """

    bias: Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | str = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
    ) -> None:
        super().__init__()
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"Conv2d: groups {groups} must divide in_channels {in_channels} and out_channels"
                f" {out_channels}"
            )
        if isinstance(padding, str) and padding not in ("same", "valid"):
            raise ValueError(f"Conv2d: padding is a size, 'same' or 'valid', not {padding!r}")
        if padding_mode != "zeros":
            raise ValueError(
                f"Conv2d: padding_mode is 'zeros', not {padding_mode!r}; for others use"
                " functional.pad before the layer"
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = as_pair(kernel_size)
        self.stride = as_pair(stride)
        self.padding = padding if isinstance(padding, str) else as_pair(padding)
        self.dilation = as_pair(dilation)
        self.groups = groups
        self.padding_mode = padding_mode
        if self.padding == "same" and self.stride != (1, 1):
            raise ValueError(f"Conv2d: padding 'same' needs stride 1, not {self.stride}")
        self.weight = Parameter(init.empty(out_channels, in_channels // groups, *self.kernel_size))
        self.bias = Parameter(init.empty(out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        init.fan_in_uniform_(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.conv2d(
            input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups
        )

    def extra_repr(self) -> str:
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size},"
            f" stride={self.stride}"
        )
        if self.padding != (0, 0):
            text += f", padding={self.padding}"
        if self.dilation != (1, 1):
            text += f", dilation={self.dilation}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        return text if self.bias is not None else f"{text}, bias=False"
