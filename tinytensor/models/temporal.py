"""Temporal convolutional networks: causal convolutions whose reach doubles from block to block."""

from __future__ import annotations

from collections.abc import Sequence

from .. import nn
from ..errors import ShapeError
from ..nn import functional as F
from ..nn.utils.parametrizations import weight_norm
from ..ops.checks import number, whole
from ..tensors.tensor import Tensor

__all__ = ["TCN", "TemporalBlock"]


class TemporalBlock(nn.Module):
    """``relu(x + f(x))``, f being twice: a causal convolution of a normed weight, relu, dropout.

    (B, inputs, L) → (B, outputs, L). Where inputs and outputs differ, x goes through a convolution
    of kernel size 1, ``downsample``. Output t sees inputs t − 2 (kernel_size − 1) dilation … t.
    ``dropout`` drops whole channels of a sequence.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel_size: int, dilation: int, dropout: float
    ) -> None:
        super().__init__()
        number("TemporalBlock", "dropout", dropout, 0, 1)
        self.conv1 = weight_norm(nn.Conv1d(inputs, outputs, kernel_size, dilation=dilation))
        self.conv2 = weight_norm(nn.Conv1d(outputs, outputs, kernel_size, dilation=dilation))
        self.downsample = nn.Conv1d(inputs, outputs, 1) if inputs != outputs else None
        self.dropout = nn.Dropout1d(dropout)
        self.before = (kernel_size - 1) * dilation
        if self.downsample is not None:
            nn.init.normal_(self.downsample.weight, std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for conv in (self.conv1, self.conv2):
            y = self.dropout(F.relu(conv(F.pad(y, (self.before, 0)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class TCN(nn.Module):
    """A temporal convolutional network: (B, inputs, L) → (B, channels[-1], L).

    One :class:`TemporalBlock` for each of ``channels``, block i with dilation 2^i, so that output t
    sees the ``receptive_field`` last inputs up to t, and none behind it: 1 + 2 (kernel_size − 1)
    (2^n − 1) with n blocks. Weights of the causal convolutions start as those of any other, those
    of kernel size 1 normal with deviation 0.01. (Bai, Kolter and Koltun 2018, "An empirical
    evaluation of generic convolutional and recurrent networks for sequence modeling".)

    >>> import tinytensor as tt
    >>> model = TCN(2, [8] * 4, kernel_size=3)
    >>> model(tt.zeros((5, 2, 30))).shape, model.receptive_field
    ((5, 8, 30), 61)
    """

    def __init__(
        self, inputs: int, channels: Sequence[int], kernel_size: int = 2, dropout: float = 0.2
    ) -> None:
        super().__init__()
        channels = list(channels)
        whole("TCN", 1, inputs=inputs, kernel_size=kernel_size, channels=len(channels))
        self.inputs = inputs
        self.receptive_field = 1 + 2 * (kernel_size - 1) * (2 ** len(channels) - 1)
        self.network = nn.Sequential(
            *(
                TemporalBlock(before, after, kernel_size, 2**i, dropout)
                for i, (before, after) in enumerate(
                    zip([inputs, *channels], channels, strict=False)
                )
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 3 or x.shape[1] != self.inputs:
            raise ShapeError(f"TCN: x must be (batch, {self.inputs}, steps), but is {x.shape}")
        return self.network(x)
