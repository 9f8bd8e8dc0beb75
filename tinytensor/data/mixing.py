"""Mixup and CutMix: batches of pairs of images, and of their classes by the same shares."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError
from ..random import Source
from ..tensors.tensor import Tensor, as_array
from .samplers import check_count
from .transforms import of_dtype


class _Mixing:
    """What mixes an image with another of its batch.

    Takes (images, labels), also as one tuple: images (N, C, H, W), and labels (N,) of classes, or
    (N, K) of shares, which become (N, K), float32.
    """

    def __init__(
        self,
        alpha: float = 1.0,
        num_classes: int | None = None,
        generator: np.random.Generator | int | None = None,
    ) -> None:
        name = type(self).__name__
        if not alpha > 0:
            raise ValueError(f"{name}: alpha must be above 0, not {alpha}")
        if num_classes is not None:
            check_count(name, "num_classes", num_classes)
        self.alpha, self.num_classes, self.draws = alpha, num_classes, Source(generator)

    def mix(
        self, images: np.ndarray, others: np.ndarray, kept: np.ndarray, draw: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """The mixed images, and which share of each is its own: (N,)."""
        raise NotImplementedError

    def __call__(self, images: Any, labels: Any = None) -> Any:
        name, extra = type(self).__name__, []
        if labels is None:
            if not isinstance(images, tuple | list) or len(images) < 2:
                raise TypeError(f"{name}: needs images and labels")
            images, labels, *extra = images
        x, shares = as_array(images), self._shares(as_array(labels))
        if x.ndim != 4 or len(shares) != len(x):
            raise ShapeError(
                f"{name}: images must be (N, C, H, W) with N labels, not {x.shape} and"
                f" {shares.shape[:1]}"
            )
        draw = self.draws()
        order, kept = draw.permutation(len(x)), draw.beta(self.alpha, self.alpha, len(x))
        mixed, kept = self.mix(x, x[order], kept, draw)
        own = kept[:, None].astype(np.float32)
        shares = own * shares + (1 - own) * shares[order]
        both = (Tensor(mixed), Tensor(shares)) if isinstance(images, Tensor) else (mixed, shares)
        return (*both, *extra)

    def _shares(self, labels: np.ndarray) -> np.ndarray:
        name = type(self).__name__
        if labels.ndim == 2 and labels.dtype.kind == "f":
            return labels.astype(np.float32)
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise ShapeError(
                f"{name}: labels must be classes (N,) or shares (N, K), not {labels.dtype}"
                f" {labels.shape}"
            )
        if self.num_classes is None:
            raise ValueError(f"{name}: labels that are classes need num_classes")
        if labels.size and not 0 <= labels.min() <= labels.max() < self.num_classes:
            raise ValueError(
                f"{name}: labels are from {labels.min()} to {labels.max()}, of {self.num_classes}"
                " classes"
            )
        return np.eye(self.num_classes, dtype=np.float32)[labels]


class MixUp(_Mixing):
    """λ · image + (1 − λ) · another of the batch, λ from Beta(alpha, alpha) for each image.

    >>> x, y = MixUp(0.2, num_classes=10, generator=0)(np.ones((4, 3, 8, 8)), np.arange(4))
    >>> x.shape, y.shape, y.sum(1).round(3)
    ((4, 3, 8, 8), (4, 10), array([1., 1., 1., 1.], dtype=float32))

    Source: H. Zhang et al., "mixup: beyond empirical risk minimization", 2017.
    """

    def mix(
        self, images: np.ndarray, others: np.ndarray, kept: np.ndarray, draw: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        dtype = np.float64 if images.dtype == np.float64 else np.float32
        own = kept.astype(dtype)[:, None, None, None]
        out = np.multiply(images, own, dtype=dtype)
        out += others * (1 - own)
        return of_dtype(out, images.dtype), kept


class CutMix(_Mixing):
    """A rectangle of another image of the batch, of the share 1 − λ, is put into each image.

    λ is from Beta(alpha, alpha); what stands out over the edge is cut off, and counts as it is.

    Source: S. Yun et al., "CutMix: regularization strategy to train strong classifiers", 2019.
    """

    def mix(
        self, images: np.ndarray, others: np.ndarray, kept: np.ndarray, draw: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        n, size = len(images), np.array(images.shape[2:])
        half = np.sqrt(1 - kept)[:, None] * size / 2
        centre = draw.integers(size, size=(n, 2))
        first = np.clip((centre - half).astype(int), 0, size)
        last = np.clip((centre + half).astype(int), 0, size)
        out = images.copy()
        for i, ((top, left), (bottom, right)) in enumerate(
            zip(first.tolist(), last.tolist(), strict=True)
        ):
            out[i, :, top:bottom, left:right] = others[i, :, top:bottom, left:right]
        return out, 1 - (last - first).prod(1) / size.prod()
