"""What moves or weighs the channels of images, with nothing to learn."""

from __future__ import annotations

from ..ops.checks import number, whole
from ..tensors.tensor import Tensor
from . import functional as F
from .module import Module

__all__ = ["ChannelShuffle", "LocalResponseNorm", "PixelShuffle", "PixelUnshuffle"]


class ChannelShuffle(Module):
    """The channels of (N, C, …), C = groups · n, in the order 0, n, 2n, …, 1, n + 1, ….
    (Zhang et al. 2018.)

    >>> import tinytensor as tt
    >>> tt.nn.ChannelShuffle(2)(tt.arange(4.0).reshape((1, 4, 1))).tolist()
    [[[0.0], [2.0], [1.0], [3.0]]]
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        whole("ChannelShuffle", 1, groups=groups)
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        return f"groups={self.groups}"


class PixelShuffle(Module):
    """(…, C r², H, W) as (…, C, H r, W r), r = ``upscale_factor``. (Shi et al. 2016.)

    >>> import tinytensor as tt
    >>> tt.nn.PixelShuffle(3)(tt.zeros(1, 9, 4, 4)).shape
    (1, 1, 12, 12)
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        whole("PixelShuffle", 1, upscale_factor=upscale_factor)
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """(…, C, H r, W r) as (…, C r², H, W), r = ``downscale_factor``: back from
    :class:`PixelShuffle`."""

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        whole("PixelUnshuffle", 1, downscale_factor=downscale_factor)
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"


class LocalResponseNorm(Module):
    """``x / (k + alpha · mean of x² over size channels around each)ᵝ`` of (N, C, …). (Krizhevsky,
    Sutskever and Hinton 2012.)"""

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        whole("LocalResponseNorm", 1, size=size)
        for name, value in (("alpha", alpha), ("beta", beta), ("k", k)):
            number("LocalResponseNorm", name, value)
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Tensor) -> Tensor:
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
