"""Boxes and regions of images: which boxes to keep, and what lies inside of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from itertools import product
from typing import Any

import numpy as np

from ... import ops
from ..registry import operator
from ..values import array, integers, value

__all__: list[str] = []

# --- Boxes ---------------------------------------------------------------------------------------


def _corners(boxes: np.ndarray, centred: bool) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest corner of each."""
    if centred:
        middle, half = boxes[..., :2], boxes[..., 2:] / 2
        return middle - half, middle + half
    return np.minimum(boxes[..., :2], boxes[..., 2:]), np.maximum(boxes[..., :2], boxes[..., 2:])


def _kept(
    low: np.ndarray, high: np.ndarray, order: np.ndarray, most: int, limit: float
) -> list[int]:
    """Of the boxes in this order those that share no more than ``limit`` with one before."""
    found: list[int] = []
    area = (high - low).prod(-1)
    while len(order) and len(found) < most:
        best, order = order[0], order[1:]
        found.append(int(best))
        shared = np.minimum(high[best], high[order]) - np.maximum(low[best], low[order])
        both = np.maximum(shared, 0).prod(-1)
        union = area[best] + area[order] - both
        ratio = np.divide(both, union, out=np.zeros_like(both), where=union > 0)
        order = order[ratio <= limit]
    return found


def _number(given: Any, default: float) -> Any:
    return default if given is None else array(given).reshape(-1)[0]


@operator("NonMaxSuppression", since=10)
def non_max_suppression(
    boxes: Any,
    scores: Any,
    most_of_class: Any = None,
    iou_threshold: Any = None,
    score_threshold: Any = None,
    *,
    center_point_box: int = 0,
) -> Any:
    most, limit = int(_number(most_of_class, 0)), _number(iou_threshold, 0.0)
    least = None if score_threshold is None else _number(score_threshold, 0.0)
    low, high = _corners(array(boxes), bool(center_point_box))
    found = []
    for batch, classes in enumerate(array(scores)):
        for number, each in enumerate(classes):
            order = np.argsort(-each, kind="stable")
            if least is not None:
                order = order[each[order] > least]
            kept = _kept(low[batch], high[batch], order, most, limit)
            found += [(batch, number, box) for box in kept]
    return value(np.array(found, np.int64).reshape(-1, 3))


# --- Regions -------------------------------------------------------------------------------------


def _shares(at: np.ndarray, size: int) -> np.ndarray:
    """What each of ``size`` pixels counts at the places ``at``, as the one before it and as the one
    behind it: (2, len(at), size). What is more than a pixel outside gets nothing."""
    low = np.clip(np.floor(at), 0, size - 1).astype(np.int64)
    part = np.where(low < size - 1, np.clip(at, 0, None) - low, 0.0)
    shares = np.zeros((2, len(at), size))
    places = np.arange(len(at))
    shares[0, places, low] = 1 - part
    shares[1, places, np.minimum(low + 1, size - 1)] = part
    shares[:, (at < -1) | (at > size)] = 0
    return shares


def _region(image: Any, rows: np.ndarray, columns: np.ndarray) -> Any:
    """image (C, H, W) by what its rows and columns count: (C, places, places)."""
    dtype = image.dtype
    bounds = []
    for shares in (rows, columns):
        used = np.flatnonzero(shares.any(0))
        bounds.append((used[0], used[-1] + 1) if len(used) else (0, 1))
    (top, bottom), (left, right) = bounds
    part = image[:, top:bottom, left:right]
    by_rows = ops.matmul(rows[:, top:bottom].astype(dtype), part)
    return ops.matmul(by_rows, columns[:, left:right].T.astype(dtype))


def _roi_align(
    x: Any,
    rois: Any,
    batches: Any,
    *,
    shift: float,
    mode: str,
    output_height: int,
    output_width: int,
    sampling_ratio: int,
    spatial_scale: float,
) -> Any:
    if mode not in ("avg", "max"):
        raise ValueError(f"RoiAlign: mode is avg or max, not {mode!r}")
    out = (output_height, output_width)
    found = []
    for (left, top, right, bottom), batch in zip(
        array(rois).astype(np.float64), integers(batches), strict=True
    ):
        shares, counts = [], []
        for start, end, bins, size in zip(
            (top, left), (bottom, right), out, x.shape[2:], strict=True
        ):
            first = start * spatial_scale - shift
            length = end * spatial_scale - shift - first
            if not shift:
                length = max(length, 1.0)
            count = sampling_ratio or max(math.ceil(length / bins), 1)
            places = first + (np.arange(bins * count) + 0.5) * (length / bins / count)
            each = _shares(places, size)
            if mode == "avg":
                each = each.sum(0, keepdims=True).reshape(1, bins, count, size).mean(2)
            shares.append(each)
            counts.append(count)
        # The largest is that of the shares of pixels, not of their sums, in every runtime.
        parts = [_region(x[batch], *both) for both in product(*shares)]
        part = reduce(ops.maximum, parts)
        if mode == "max":
            part = ops.reshape(part, (len(part), out[0], counts[0], out[1], counts[1]))
            part = ops.max(part, axis=(2, 4))
        found.append(part)
    if not found:
        return value(np.zeros((0, x.shape[1], *out), x.dtype))
    return ops.stack(found)


@operator("RoiAlign", since=10)
def roi_align_10(
    x: Any,
    rois: Any,
    batches: Any,
    *,
    mode: str = "avg",
    output_height: int = 1,
    output_width: int = 1,
    sampling_ratio: int = 0,
    spatial_scale: float = 1.0,
) -> Any:
    how: dict[str, Any] = {
        "sampling_ratio": sampling_ratio,
        "spatial_scale": spatial_scale,
        "mode": mode,
    }
    out: dict[str, Any] = {"output_height": output_height, "output_width": output_width}
    return _roi_align(x, rois, batches, shift=0.0, **how, **out)


@operator("RoiAlign", since=16)
def roi_align(
    x: Any,
    rois: Any,
    batches: Any,
    *,
    coordinate_transformation_mode: str = "half_pixel",
    mode: str = "avg",
    output_height: int = 1,
    output_width: int = 1,
    sampling_ratio: int = 0,
    spatial_scale: float = 1.0,
) -> Any:
    shift = {"half_pixel": 0.5, "output_half_pixel": 0.0}.get(coordinate_transformation_mode)
    if shift is None:
        raise ValueError(
            "RoiAlign: coordinate_transformation_mode is half_pixel or output_half_pixel, not"
            f" {coordinate_transformation_mode!r}"
        )
    how: dict[str, Any] = {
        "sampling_ratio": sampling_ratio,
        "spatial_scale": spatial_scale,
        "mode": mode,
    }
    out: dict[str, Any] = {"output_height": output_height, "output_width": output_width}
    return _roi_align(x, rois, batches, shift=shift, **how, **out)


@operator("MaxRoiPool", since=1)
def max_roi_pool(
    x: Any, rois: Any, *, pooled_shape: Sequence[int], spatial_scale: float = 1.0
) -> Any:
    found = []
    for batch, *ends in array(rois):
        left, top, right, bottom = (math.floor(end * spatial_scale + 0.5) for end in ends)
        spans = []
        for start, end, bins, size in zip(
            (top, left), (bottom, right), pooled_shape, x.shape[2:], strict=True
        ):
            each = max(end - start + 1, 1) / bins
            edges = [
                (start + math.floor(i * each), start + math.ceil((i + 1) * each))
                for i in range(bins)
            ]
            spans.append([[min(max(edge, 0), size) for edge in both] for both in edges])
        image = x[int(batch)]
        nothing = np.zeros(x.shape[1], x.dtype)
        rows = []
        for above, below in spans[0]:
            row = [
                ops.max(image[:, above:below, before:behind], axis=(1, 2))
                if above < below and before < behind
                else nothing
                for before, behind in spans[1]
            ]
            rows.append(ops.stack(row, -1))
        found.append(ops.stack(rows, 1))
    if not found:
        return value(np.zeros((0, x.shape[1], *pooled_shape), x.dtype))
    return ops.stack(found)


# --- Sizes ---------------------------------------------------------------------------------------


@operator("Col2Im", since=18, settings=(1, 2))
def col2im(
    x: Any,
    image_shape: Any,
    block_shape: Any,
    *,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> Any:
    size, block = integers(image_shape), integers(block_shape)
    axes = len(size)
    ones = (1,) * axes
    dilations, strides, pads = dilations or ones, strides or ones, pads or (0,) * 2 * axes
    padded = [n + pads[i] + pads[i + axes] for i, n in enumerate(size)]
    places = np.zeros((1, 1), np.int64)  # of elements of a block, of blocks
    for n, width, step, apart in zip(padded, block, strides, dilations, strict=True):
        starts = step * np.arange((n - apart * (width - 1) - 1) // step + 1)
        along = apart * np.arange(width)[:, np.newaxis] + starts
        both = places[:, np.newaxis, :, np.newaxis] * n + along[:, np.newaxis]
        places = both.reshape(len(places) * width, -1)
    count, channels = places.shape[1], x.shape[1] // math.prod(block)
    if x.shape[1:] != (channels * math.prod(block), count):
        raise ValueError(
            f"Col2Im: x is {x.shape}, and must be (N, C · {math.prod(block)}, {count})"
        )
    columns = ops.reshape(x, (len(x), channels, -1))
    image = np.zeros((len(x), channels, math.prod(padded)), x.dtype)
    found = ops.index_add(image, 2, places.reshape(-1), columns)
    inside = tuple(slice(pads[i], pads[i] + n) for i, n in enumerate(size))
    return ops.reshape(found, (len(x), channels, *padded))[(..., *inside)]
