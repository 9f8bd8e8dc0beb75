"""Boxes in pictures, as NumPy arrays (N, 4) of left, top, right and bottom."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ...errors import ShapeError
from ...ops.checks import number


def checked(caller: str, boxes: Any) -> np.ndarray:
    """``boxes`` as an array (N, 4) of floats. Raises ShapeError."""
    boxes = np.asarray(boxes)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ShapeError(f"{caller}: boxes must be (N, 4), not {boxes.shape}")
    return boxes if boxes.dtype.kind == "f" else boxes.astype(np.float32)


def areas(boxes: np.ndarray, border: float = 0.0) -> np.ndarray:
    """Width times height of each box (N,), both larger by ``border``."""
    return (boxes[:, 2] - boxes[:, 0] + border) * (boxes[:, 3] - boxes[:, 1] + border)


def overlaps(
    box: np.ndarray,
    boxes: np.ndarray,
    of: Literal["union", "smaller"] = "union",
    border: float = 0.0,
) -> np.ndarray:
    """The area that ``box`` (4,) shares with each of ``boxes`` (N, 4), as a part of the area of
    both together, or of the smaller one: (N,). ``border`` 1 is for boxes that hold the pixels at
    both their ends."""
    start, end = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    sides = np.maximum(end - start + border, 0).astype(boxes.dtype)
    shared = sides[:, 0] * sides[:, 1]
    one, others = areas(box[None], border), areas(boxes, border)
    whole = np.minimum(one, others) if of == "smaller" else one + others - shared
    return np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)


def nms(
    boxes: Any,
    scores: Any,
    iou_threshold: float,
    of: Literal["union", "smaller"] = "union",
    border: float = 0.0,
) -> np.ndarray:
    """Non-maximum suppression: the indices of the boxes that stay, by falling score.

    The box of the highest score stays, those that it overlaps by more than ``iou_threshold`` go,
    and so on with the rest. How overlaps are measured is said at :func:`overlaps`.

    >>> nms([[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10]], [0.5, 0.9, 0.1], 0.5).tolist()
    [1, 2]
    """
    boxes, scores = checked("nms", boxes), np.asarray(scores)
    if scores.shape != boxes.shape[:1]:
        raise ShapeError(f"nms: {len(boxes)} boxes have scores of {scores.shape}")
    if of not in ("union", "smaller"):
        raise ValueError(f"nms: of is 'union' or 'smaller', not {of!r}")
    limit = np.float64(number("nms", "iou_threshold", iou_threshold))
    order = np.argsort(-scores, kind="stable")
    kept = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        order = order[overlaps(boxes[best], boxes[order], of, border) <= limit]
    return np.array(kept, np.int64)
