"""Numbers to judge a model by: accuracy, confusion matrix, bits per character."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..errors import DtypeError, ShapeError
from ..nn import Module
from ..nn import functional as F
from ..nn.evaluating import evaluating
from ..tensors.tensor import Tensor


def accuracy(outputs: Any, labels: Any) -> float:
    """The share of labels (N,) that are met by classes (N,), or by the largest of scores (N, C).

    >>> accuracy([[0.1, 0.9], [0.8, 0.2]], [1, 1])
    0.5
    """
    outputs, labels = np.asarray(outputs), np.asarray(labels)
    predicted = outputs.argmax(1) if outputs.ndim == 2 else outputs
    if predicted.shape != labels.shape or labels.ndim != 1 or not labels.size:
        raise ShapeError(f"accuracy: outputs are {outputs.shape} and labels {labels.shape}")
    return float(np.mean(predicted == labels))


def confusion_matrix(labels: Any, predicted: Any, classes: int | None = None) -> np.ndarray:
    """How often each class (row) was taken for each class (column): (classes, classes), int64.

    ``labels`` and ``predicted`` are (N,) integers in [0, classes).

    >>> confusion_matrix([0, 1, 1], [0, 1, 0])
    array([[1, 0],
           [1, 1]])
    """
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    if labels.shape != predicted.shape or labels.ndim != 1:
        raise ShapeError(
            f"confusion_matrix: labels are {labels.shape} and predicted {predicted.shape}"
        )
    both = np.concatenate([labels, predicted])
    if both.size and both.dtype.kind not in "iu":
        raise DtypeError(f"confusion_matrix: classes must be integers, not {both.dtype}")
    both = both.astype(np.int64)
    if classes is None:
        classes = int(both.max(initial=-1)) + 1
    if both.size and not 0 <= both.min() <= both.max() < classes:
        raise ValueError(
            f"confusion_matrix: classes from {both.min()} to {both.max()}, not in [0, {classes})"
        )
    pairs = both[: labels.size] * classes + both[labels.size :]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def next_token_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy of logits (B, T, V) against targets (B, T), in nats per token."""
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))


def bits_per_character(model: Module, batches: Iterable[tuple[Tensor, Tensor]]) -> float:
    """Mean bits that ``model`` needs for a character of ``batches`` of (B, T) inputs and targets.

    The model maps (B, T) to logits (B, T, V). The cross-entropy in nats, over ln 2.
    """
    total, count = 0.0, 0
    with evaluating(model):
        for x, y in batches:
            total += next_token_loss(model(x), y).item() * y.size
            count += y.size
    if not count:
        raise ValueError("bits_per_character: there are no batches")
    return total / count / math.log(2)
