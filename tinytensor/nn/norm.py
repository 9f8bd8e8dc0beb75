"""Normalisation with a weight and a bias: over batches, instances, groups, the last axes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from ..errors import ShapeError
from ..ops.checks import number, whole
from ..ops.norm import trailing_shape
from ..ops.windows import layout
from ..tensors.tensor import Tensor
from . import functional as F
from . import init
from .module import Module
from .parameter import Parameter

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "GroupNorm",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "LayerNorm",
    "RMSNorm",
]


class _Norm(Module):
    """A weight and a bias, or None, behind the normalisation: they start as 1 and 0."""

    _dtype_of = "weight"
    weight: Parameter | None
    bias: Parameter | None = None

    def _start(self, shape: tuple[int, ...], weight: bool, bias: bool) -> None:
        self.weight = Parameter(init.empty(*shape)) if weight else None
        self.bias = Parameter(init.empty(*shape)) if weight and bias else None

    def reset_parameters(self) -> None:
        """Weight 1, bias 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)


class _ChannelNorm(_Norm):
    """What batch and instance norms share: the settings, and the running statistics of channels."""

    _newer = ("num_batches_tracked",)

    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float,
        momentum: float | None,
        affine: bool,
        track_running_stats: bool,
        bias: bool,
    ) -> None:
        super().__init__()
        whole(type(self).__name__, 0, num_features=num_features)
        self.num_features = num_features
        number(type(self).__name__, "eps", eps, 0)
        self.eps = eps
        if momentum is not None:
            number(type(self).__name__, "momentum", momentum, 0, 1)
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self._start((num_features,), affine, bias)
        tracked = track_running_stats
        self.register_buffer("running_mean", init.empty(num_features) if tracked else None)
        self.register_buffer("running_var", init.empty(num_features) if tracked else None)
        self.register_buffer("num_batches_tracked", Tensor(np.array(0)) if tracked else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forget the batches seen."""
        if self.running_mean is not None and self.running_var is not None:
            self.running_mean.zero_()
            self.running_var.fill_(1)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Weight 1, bias 0, no batch seen."""
        self.reset_running_stats()
        super().reset_parameters()

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine},"
            f" bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_ChannelNorm):
    """``ranks`` are the numbers of axes that one takes."""

    ranks: tuple[int, ...]

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, bias)

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in self.ranks or input.shape[1] != self.num_features:
            ranks = " or ".join(map(str, self.ranks))
            raise ShapeError(
                f"{type(self).__name__}: needs {ranks} axes and {self.num_features} channels on"
                f" axis 1: input is {input.shape}"
            )
        momentum = 0.0 if self.momentum is None else self.momentum
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.value[...] += 1
            self.num_batches_tracked.changed(type(self).__name__)
            if self.momentum is None:
                momentum = 1 / self.num_batches_tracked.item()
        return self.normalised(input, self.training or self.running_mean is None, momentum)

    def normalised(self, input: Tensor, training: bool, momentum: float) -> Tensor:
        """The output for an input that was checked."""
        mean, var = self.running_mean, self.running_var
        weight, bias = self.weight, self.bias
        return F.batch_norm(input, mean, var, weight, bias, training, momentum, self.eps)


class BatchNorm1d(_BatchNorm):
    """Batch norm of (N, C) or (N, C, L), over all axes but C, the ``num_features`` channels.

    ``(x - mean) / sqrt(var + eps) * weight + bias``. In training mean and variance are those of the
    batch, and the running ones move towards them: ``running += momentum * (batch - running)``, or
    their plain average if ``momentum`` is None. In evaluation the running ones are taken, if there
    are any. (Ioffe and Szegedy 2015.)
    """

    ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch norm of (N, C, H, W), over all axes but C, and otherwise as :class:`BatchNorm1d`.

    >>> import tinytensor as tt
    >>> tt.nn.BatchNorm2d(3)(tt.zeros((2, 3, 4, 4))).shape
    (2, 3, 4, 4)
    """

    ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """Batch norm of (N, C, D, H, W), over all axes but C, and otherwise as :class:`BatchNorm1d`."""

    ranks = (5,)


class _InstanceNorm(_ChannelNorm):
    axes: int

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, bias)

    def forward(self, input: Tensor) -> Tensor:
        without_n = input.ndim == self.axes + 1
        if input.ndim - self.axes not in (1, 2):
            raise ShapeError(
                f"{type(self).__name__}: input must be {layout(self.axes)}, is {input.shape}"
            )
        channels = input.shape[-self.axes - 1]
        if channels != self.num_features:
            message = (
                f"{type(self).__name__}: input {input.shape} has {channels} channels,"
                f" num_features is {self.num_features}"
            )
            if self.affine or self.running_mean is not None:
                raise ShapeError(message)
            warnings.warn(f"{message}, which nothing here depends on", stacklevel=3)
        out = F.instance_norm(
            input[None] if without_n else input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or self.running_mean is None,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return out[0] if without_n else out


class InstanceNorm1d(_InstanceNorm):
    """Instance norm of (N, C, L) or (C, L), as :class:`InstanceNorm2d`."""

    axes = 1


class InstanceNorm2d(_InstanceNorm):
    """``(x - mean) / sqrt(var + eps) * weight + bias`` for each channel of each of (N, C, H, W).

    (C, H, W) is one alone. There are a weight and a bias if ``affine``; with
    ``track_running_stats`` the means over N are remembered, and taken in evaluation. (Ulyanov,
    Vedaldi and Lempitsky 2016.)

    >>> import tinytensor as tt
    >>> tt.nn.InstanceNorm2d(3)(tt.zeros((2, 3, 4, 4))).shape
    (2, 3, 4, 4)
    """

    axes = 2


class InstanceNorm3d(_InstanceNorm):
    """Instance norm of (N, C, D, H, W) or (C, D, H, W), as :class:`InstanceNorm2d`."""

    axes = 3


class GroupNorm(_Norm):
    """``(x - mean) / sqrt(var + eps) * weight + bias`` over each of ``num_groups`` groups of the
    channels of (N, C, …), C being ``num_channels``. (Wu and He 2018.)

    >>> import tinytensor as tt
    >>> tt.nn.GroupNorm(2, 6)(tt.zeros((4, 6, 5, 5))).shape
    (4, 6, 5, 5)
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        whole("GroupNorm", 1, num_groups=num_groups)
        whole("GroupNorm", 0, num_channels=num_channels)
        if num_channels % num_groups:
            raise ValueError(
                f"GroupNorm: num_groups {num_groups} must divide num_channels {num_channels}"
            )
        number("GroupNorm", "eps", eps, 0)
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        self._start((num_channels,), affine, bias)
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine},"
            f" bias={self.bias is not None}"
        )


class _LastAxesNorm(_Norm):
    """Over the last axes, those of ``normalized_shape``."""

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None,
        elementwise_affine: bool,
        bias: bool,
    ) -> None:
        super().__init__()
        self.normalized_shape = trailing_shape(normalized_shape)
        if eps is not None:
            number(type(self).__name__, "eps", eps, 0)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self._start(self.normalized_shape, elementwise_affine, bias)
        self.reset_parameters()

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


class LayerNorm(_LastAxesNorm):
    """``(x - mean) / sqrt(var + eps) * weight + bias`` over the last axes of each element.

    ``normalized_shape`` gives the sizes of these axes, weight and bias have this shape and start
    as 1 and 0; the variance is the biased one. (Ba, Kiros and Hinton 2016.)

    >>> import tinytensor as tt
    >>> tt.nn.LayerNorm(8)(tt.zeros((2, 5, 8))).shape
    (2, 5, 8)
    """

    eps: float

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__(normalized_shape, eps, elementwise_affine, bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, bias={self.bias is not None}"


class RMSNorm(_LastAxesNorm):
    """``input / sqrt(mean(input²) + eps) * weight`` over the last axes of each element.

    ``normalized_shape`` gives the sizes of these axes; weight has this shape and starts as 1. eps
    is that of the dtype if None. (Zhang and Sennrich 2019.)

    >>> import tinytensor as tt
    >>> tt.nn.RMSNorm(8)(tt.zeros((2, 5, 8))).shape
    (2, 5, 8)
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
    ) -> None:
        super().__init__(normalized_shape, eps, elementwise_affine, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)
