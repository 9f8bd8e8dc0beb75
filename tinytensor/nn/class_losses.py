"""Losses that hold the linear layer to the scores of classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from .. import ops
from ..errors import ShapeError
from ..ops.checks import number, whole
from ..tensors.tensor import Tensor
from . import functional as F
from .containers import ModuleList, Sequential
from .functional import Reduction
from .linear import Linear
from .loss import _Loss
from .module import Module

__all__ = ["AdaptiveLogSoftmaxWithLoss", "LinearCrossEntropyLoss"]


class LinearCrossEntropyLoss(_Loss, parameters=True):
    """``cross_entropy(linear(input), target)``, the layer ``linear`` being part of it.

    With ``out_features`` (d1, …) the logits are (N, num_classes, d1, …) and so is the target
    without the classes. ``options`` is taken as PyTorch's, and does nothing. ``z_loss``
    is that of ``F.linear_cross_entropy``.

    >>> import tinytensor as tt
    >>> loss = tt.nn.LinearCrossEntropyLoss(8, num_classes=4)
    >>> loss(tt.zeros((2, 8)), tt.tensor([0, 3])).shape
    ()
    """

    weight: Tensor | None

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        reduction: Reduction = "mean",
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        options: Any = None,
        z_loss: float = 0.0,
    ) -> None:
        super().__init__(reduction)
        name = "LinearCrossEntropyLoss"
        whole(name, 1, num_classes=num_classes)
        if weight is not None and weight.shape != (num_classes,):
            raise ShapeError(f"{name}: weight must be {(num_classes,)}, but is {weight.shape}")
        number(name, "label_smoothing", label_smoothing, 0, 1)
        self.register_buffer("weight", weight)
        self.num_classes = num_classes
        self.out_features = out_features
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        self.linear = Linear(in_features, num_classes * math.prod(out_features), bias=bias)
        self.options = options
        self.z_loss = number(name, "z_loss", z_loss, 0)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        shape = (self.num_classes, *self.out_features)
        bias = self.linear.bias
        return F.linear_cross_entropy(
            input,
            ops.reshape(self.linear.weight, (*shape, self.linear.in_features)),
            target,
            linear_bias=None if bias is None else ops.reshape(bias, shape),
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            z_loss=self.z_loss,
        )

    def extra_repr(self) -> str:
        return (
            f"in_features={self.linear.in_features}, num_classes={self.num_classes},"
            f" out_features={self.out_features}, bias={self.linear.bias is not None},"
            f" reduction={self.reduction}, ignore_index={self.ignore_index},"
            f" label_smoothing={self.label_smoothing}, options={self.options}"
            + (f", z_loss={self.z_loss}" if self.z_loss else "")
        )


class LikelihoodAndLoss(NamedTuple):
    """The log-probability of each target, and their negative mean."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module, parameters=True):
    """A log_softmax over many classes, of which the first are frequent, and its loss.

    The ``head`` scores the classes before ``cutoffs[0]`` and each of the clusters that the other
    cutoffs make; cluster i has a ``tail`` of its own, by way of in_features / div_valueⁱ⁺¹
    features, that is computed for the targets in it alone. Takes (N, in_features) and classes (N,),
    or one of each, and returns the log-probabilities of the targets and the loss, their negative
    mean. (Grave et al. 2017.)

    >>> import tinytensor as tt
    >>> layer = tt.nn.AdaptiveLogSoftmaxWithLoss(16, 20, cutoffs=[4, 10])
    >>> output, loss = layer(tt.zeros((3, 16)), tt.tensor([1, 7, 19]))
    >>> output.shape, loss.shape
    ((3,), ())
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
    ) -> None:
        super().__init__()
        name = "AdaptiveLogSoftmaxWithLoss"
        whole(name, 1, in_features=in_features, n_classes=n_classes)
        number(name, "div_value", div_value)
        cutoffs = list(cutoffs)
        if not cutoffs or cutoffs != sorted({int(c) for c in cutoffs if 0 < c < n_classes}):
            raise ValueError(
                f"{name}: cutoffs must be whole numbers from 1 to {n_classes - 1} that rise, not"
                f" {cutoffs}"
            )
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*cutoffs, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = cutoffs[0]
        self.n_clusters = len(cutoffs)
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, bias=head_bias)
        self.tail = ModuleList()
        for i, (first, last) in enumerate(zip(self.cutoffs, self.cutoffs[1:], strict=False), 1):
            hidden = int(in_features // div_value**i)
            self.tail.append(
                Sequential(
                    Linear(in_features, hidden, bias=False),
                    Linear(hidden, last - first, bias=False),
                )
            )

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        for layer in self.modules():
            if isinstance(layer, Linear):
                layer.reset_parameters()

    def forward(self, input: Tensor, target: Tensor) -> LikelihoodAndLoss:
        if (
            target.ndim > 1
            or input.ndim != target.ndim + 1
            or len(input) != (len(target) if target.ndim else self.in_features)
        ):
            raise ShapeError(
                "AdaptiveLogSoftmaxWithLoss: needs (N, in_features) and (N,), or one of each: input"
                f" is {input.shape}, target {target.shape}"
            )
        batched = target.ndim == 1
        if not batched:
            input, target = ops.expand_dims(input, 0), ops.expand_dims(target, 0)
        classes = target.numpy()
        if classes.size and not 0 <= classes.min() <= classes.max() < self.n_classes:
            raise IndexError(
                f"AdaptiveLogSoftmaxWithLoss: targets from {classes.min()} to {classes.max()} of"
                f" {self.n_classes}"
            )
        places = classes.copy()  # in the head
        parts, rows = [], []
        for i in range(self.n_clusters):
            first, last = self.cutoffs[i : i + 2]
            (inside,) = ((classes >= first) & (classes < last)).nonzero()
            places[inside] = self.shortlist_size + i
            if len(inside):
                scores = F.log_softmax(self.tail[i](ops.take(input, inside, 0)), 1)
                parts.append(_picked(scores, classes[inside] - first))
                rows.append(inside)
        output = _picked(F.log_softmax(self.head(input), 1), places)
        for part, inside in zip(parts, rows, strict=True):
            output = ops.index_add(output, 0, Tensor(inside), part)
        loss = -ops.mean(output)
        return LikelihoodAndLoss(output if batched else ops.squeeze(output, 0), loss)

    def log_prob(self, input: Tensor) -> Tensor:
        """The log-probabilities (N, n_classes) of all classes."""
        head = F.log_softmax(self.head(input), 1)
        parts = [head[:, : self.shortlist_size]]
        for i, tail in enumerate(self.tail, self.shortlist_size):
            parts.append(F.log_softmax(tail(input), 1) + head[:, i : i + 1])
        return ops.concat(parts, 1)

    def predict(self, input: Tensor) -> Tensor:
        """The most likely class of each row."""
        return ops.argmax(self.log_prob(input), 1)


def _picked(scores: Tensor, classes: Any) -> Tensor:
    return ops.squeeze(ops.take_along_axis(scores, classes[:, None], 1), 1)
