"""Resize and Upsample, and images at the points of a grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ... import ops
from ...dtypes import is_floating
from ...ops.checks import shape_of
from ...ops.resample import mixture
from ..registry import operator

__all__: list[str] = []

# --- Where an element of the output lies ---------------------------------------------------------
# In float32, as scales are: which of two neighbours is nearer hangs on it.

Coordinates = Callable[[np.ndarray, np.float32, int, int, tuple[float, float]], Any]


def _half_pixel(x: Any, scale: Any, old: int, new: int, roi: Any) -> Any:
    return (x + np.float32(0.5)) / scale - np.float32(0.5)


def _symmetric(x: Any, scale: Any, old: int, new: int, roi: Any) -> Any:
    shift = np.float32(old / 2) * (1 - np.float32(new) / (scale * np.float32(old)))
    return shift + _half_pixel(x, scale, old, new, roi)


def _crop(x: Any, scale: Any, old: int, new: int, roi: Any) -> Any:
    start, end = (np.float32(each) for each in roi)
    if new == 1:
        return np.float32(0.5) * (start + end) * (old - 1) + 0 * x
    return start * (old - 1) + x * (end - start) * (old - 1) / np.float32(new - 1)


COORDINATES: dict[str, Coordinates] = {
    "half_pixel": _half_pixel,
    "half_pixel_symmetric": _symmetric,
    "pytorch_half_pixel": lambda x, scale, old, new, roi: (
        _half_pixel(x, scale, old, new, roi) if new > 1 else 0 * x
    ),
    "align_corners": lambda x, scale, old, new, roi: (
        x * np.float32(old - 1) / np.float32(new - 1) if new > 1 else 0 * x
    ),
    "asymmetric": lambda x, scale, old, new, roi: x / scale,
    "tf_half_pixel_for_nn": lambda x, scale, old, new, roi: (x + np.float32(0.5)) / scale,
    "tf_crop_and_resize": _crop,
}

NEAREST: dict[str, Callable[[Any, Any], Any]] = {
    "round_prefer_floor": lambda at, scale: np.ceil(at - np.float32(0.5)),
    "round_prefer_ceil": lambda at, scale: np.floor(at + np.float32(0.5)),
    "floor": lambda at, scale: np.floor(at),
    "ceil": lambda at, scale: np.ceil(at),
    # Before opset 11.
    "simple": lambda at, scale: np.ceil(at) if scale < 1 else np.floor(at),
}


# --- What is mixed --------------------------------------------------------------------------------


def _tent(t: np.ndarray, a: float) -> np.ndarray:
    return np.maximum(1 - np.abs(t), 0)


def _keys(t: np.ndarray, a: float) -> np.ndarray:
    """Keys's kernel: what an element counts that is ``t`` away."""
    t = np.abs(t)
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((t - 5) * t + 8) * t * a - 4 * a
    return np.where(t <= 1, near, np.where(t < 2, far, 0.0))


KERNELS = {"linear": (1, _tent), "cubic": (2, _keys)}


def _mixed(
    at: np.ndarray, old: int, mode: str, narrowed: float, a: float, exclude_outside: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The elements (k, new) that are mixed at the places ``at``, and their shares: those less than
    the kernel's reach away, ``narrowed`` being its width's inverse."""
    reach, kernel = KERNELS[mode]
    wide = reach / narrowed
    count = int(np.ceil(2 * wide))
    places = np.floor(at - wide).astype(np.int64) + np.arange(1, 1 + count)[:, np.newaxis]
    shares = kernel((places - at) * narrowed, a)
    if exclude_outside:
        shares = np.where((places >= 0) & (places < old), shares, 0.0)
    return np.clip(places, 0, old - 1), shares / shares.sum(0)


def _resized(
    x: Any,
    axes: Sequence[int],
    scales: Sequence[Any],
    new: Sequence[int],
    *,
    mode: str,
    coordinates: str,
    nearest: str = "round_prefer_floor",
    roi: Sequence[float] | None = None,
    a: float = -0.75,
    exclude_outside: bool = False,
    antialias: bool = False,
    extrapolation: float = 0.0,
) -> Any:
    """x with ``new`` elements along ``axes``."""
    for what, value, table in (
        ("mode", mode, ("nearest", *KERNELS)),
        ("coordinate_transformation_mode", coordinates, COORDINATES),
        ("nearest_mode", nearest, NEAREST),
    ):
        if value not in table:
            raise ValueError(f"Resize: {what} is one of {', '.join(table)}, not {value!r}")
    dtype, outside, out = x.dtype, [], x
    whole = list(x.shape)
    for axis, count in zip(axes, new, strict=True):
        whole[axis] = count
    shape_of("Resize", whole, dtype)
    mixes = mode != "nearest"
    if mixes and not is_floating(dtype):
        out = ops.astype(out, np.float32)
    for i, (axis, scale, count) in enumerate(zip(axes, scales, new, strict=True)):
        old, scale = x.shape[axis], np.float32(scale)
        crop = coordinates == "tf_crop_and_resize"
        if (count == old and scale == 1 and not crop) or not count:
            if not count:
                out = ops.take(out, np.zeros(0, np.int64), axis)
            continue
        span = (roi[i], roi[i + len(axes)]) if roi is not None and len(roi) else (0.0, 1.0)
        at = COORDINATES[coordinates](np.arange(count, dtype=np.float32), scale, old, count, span)
        if crop:
            shape = (count, *(1,) * (x.ndim - 1 - axis))
            outside.append(((at < 0) | (at > old - 1)).reshape(shape))
        if mixes:
            narrowed = min(float(scale), 1.0) if antialias else 1.0
            places, shares = _mixed(at, old, mode, narrowed, a, exclude_outside)
            out = mixture(out, axis, places, shares)
        else:
            places = np.clip(NEAREST[nearest](at, scale), 0, old - 1).astype(np.int64)
            out = ops.take(out, places, axis)
    for mask in outside:
        if mask.any():
            out = ops.where(mask, np.asarray(extrapolation, out.dtype), out)
    if out.dtype == dtype:
        return out
    if antialias:
        out = ops.round(out)
    if not is_floating(dtype):
        out = ops.clip(out, np.iinfo(dtype).min, np.iinfo(dtype).max)
    return ops.astype(out, dtype)


def _floor_of(scale: Any, old: int) -> int:
    if not np.isfinite(scale) or scale <= 0:
        raise ValueError(f"Resize: scales are above 0, not {scale}")
    return int(np.floor(np.float32(scale) * np.float32(old)))


def _by_scales(x: Any, scales: Any) -> tuple[Sequence[int], list[float], list[int]]:
    scales = np.asarray(scales).tolist()
    if len(scales) != x.ndim:
        raise ValueError(f"scales are {scales}, but x is {x.shape}")
    return (
        range(x.ndim),
        scales,
        [_floor_of(s, old) for s, old in zip(scales, x.shape, strict=True)],
    )


@operator("Upsample", since=1)
def upsample_1(x: Any, *, height_scale: float, width_scale: float, mode: str = "nearest") -> Any:
    return upsample_9(x, (1.0, 1.0, height_scale, width_scale), mode=mode)


@operator("Upsample", since=7)
def upsample_7(x: Any, *, scales: Sequence[float], mode: str = "nearest") -> Any:
    return upsample_9(x, scales, mode=mode)


@operator("Upsample", since=9, settings=(1,))
def upsample_9(x: Any, scales: Any, *, mode: str = "nearest") -> Any:
    mode = {"bilinear": "linear"}.get(mode, mode)
    return _resized(
        x, *_by_scales(x, scales), mode=mode, coordinates="asymmetric", nearest="simple"
    )


@operator("Resize", since=10, settings=(1,))
def resize_10(x: Any, scales: Any, *, mode: str = "nearest") -> Any:
    return upsample_9(x, scales, mode=mode)


@operator("Resize", since=11, settings=(1, 2, 3))
def resize(
    x: Any,
    roi: Any = None,
    scales: Any = None,
    sizes: Any = None,
    *,
    mode: str = "nearest",
    coordinate_transformation_mode: str = "half_pixel",
    nearest_mode: str = "round_prefer_floor",
    cubic_coeff_a: float = -0.75,
    exclude_outside: int = 0,
    extrapolation_value: float = 0.0,
    antialias: int = 0,
    axes: Sequence[int] | None = None,
    keep_aspect_ratio_policy: str = "stretch",
) -> Any:
    which = range(x.ndim) if axes is None else [axis % x.ndim for axis in axes]
    old = [x.shape[axis] for axis in which]
    given = [None if g is None or not len(g) else np.asarray(g) for g in (scales, sizes)]
    if (given[0] is None) == (given[1] is None):
        raise ValueError("Resize: needs either scales or sizes")
    each: Any = given[0] if given[0] is not None else given[1]
    if len(each) != len(old):
        raise ValueError(f"Resize: {len(each)} numbers are given for {len(old)} axes of {x.shape}")
    if given[0] is not None:
        factors = each.tolist()
        new = [_floor_of(scale, n) for scale, n in zip(factors, old, strict=True)]
    else:
        new = each.tolist()
        factors = [after / before for after, before in zip(new, old, strict=True)]
        if keep_aspect_ratio_policy != "stretch":
            choose = {"not_larger": min, "not_smaller": max}.get(keep_aspect_ratio_policy)
            if choose is None:
                raise ValueError(
                    "Resize: keep_aspect_ratio_policy is stretch, not_larger or not_smaller, not"
                    f" {keep_aspect_ratio_policy!r}"
                )
            factors = [choose(factors)] * len(old)
            new = [int(np.floor(factors[0] * n + 0.5)) for n in old]
    return _resized(
        x,
        which,
        factors,
        new,
        mode=mode,
        coordinates=coordinate_transformation_mode,
        nearest=nearest_mode,
        roi=None if roi is None else np.asarray(roi).tolist(),
        a=cubic_coeff_a,
        exclude_outside=bool(exclude_outside),
        antialias=bool(antialias),
        extrapolation=extrapolation_value,
    )


# --- Grids ---------------------------------------------------------------------------------------


@operator("GridSample", since=16)
def grid_sample(
    x: Any,
    grid: Any,
    *,
    mode: str = "linear",
    padding_mode: str = "zeros",
    align_corners: int = 0,
) -> Any:
    names = {"linear": "bilinear", "cubic": "bicubic"}
    how: tuple[Any, ...] = (names.get(mode, mode), padding_mode, bool(align_corners))
    if x.ndim == 3:  # a line is an image of one row; its middle is that row
        zeros = np.zeros(grid.shape, grid.dtype)
        grid = ops.expand_dims(ops.concat([grid, zeros], -1), 1)
        return ops.squeeze(ops.grid_sample(ops.expand_dims(x, 2), grid, *how), 2)
    return ops.grid_sample(x, grid, *how)


@operator("AffineGrid", since=20)
def affine_grid(theta: Any, size: Any, *, align_corners: int = 0) -> Any:
    return ops.affine_grid(theta, np.asarray(size).tolist(), bool(align_corners))
