"""Windows as columns and back (unfold, fold), and images in another size (interpolate)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from operator import index
from typing import Any

import numpy as np

from ..dtypes import is_floating
from ..errors import DtypeError, ShapeError
from ..kernels.reference.windows import conv_size, padded, windows
from .annotations import ArrayLike, Sizes, Tensor
from .arithmetic import add, multiply
from .batching import elementwise, folded, shifted, unfolded
from .checks import NUMBERS, axis_index, fits_memory, lined_up, sizes
from .composed import composed, computed
from .declared import op
from .indexing import added_at, take
from .pooling import adaptive_avg_pool2d
from .shape import moveaxis

__all__ = [
    "fold",
    "interpolate",
    "unfold",
]

MODES = ("nearest", "nearest-exact", "linear", "bilinear", "trilinear", "bicubic", "area")


def windows_of(
    name: str, size: Any, kernel: Any, dilation: Any, padding: Any, stride: Any
) -> tuple[Any, ...]:
    """The arguments as pairs, and how many windows there are along each axis."""
    size, kernel = sizes(name, "size", size, 2, 0), sizes(name, "kernel_size", kernel, 2, 1)
    dilation, stride = sizes(name, "dilation", dilation, 2, 1), sizes(name, "stride", stride, 2, 1)
    padding = tuple((n, n) for n in sizes(name, "padding", padding, 2, 0))
    count = tuple(map(conv_size, size, kernel, stride, padding, dilation))
    if min(count) < 1:
        raise ShapeError(f"{name}: a window of {kernel} does not fit into {size}")
    return size, kernel, dilation, padding, stride, count


@op(residuals=("size",))
def unfold(
    x: ArrayLike, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1
) -> Tensor:
    """Each window of x (N, C, H, W) as a column: (N, C · kh · kw, number of windows). One image
    may come without N.

    A convolution is a matrix product with these columns. Its gradient is :func:`fold`.
    """
    if np.ndim(x) == 3:
        columns, size = unfold.__wrapped__(x[None], kernel_size, dilation, padding, stride)
        return columns[0], size
    if np.ndim(x) != 4:
        raise ShapeError(f"unfold: x must be (N, C, H, W), but is {np.shape(x)}")
    size, kernel, dilation, padding, stride, count = windows_of(
        "unfold", x.shape[2:], kernel_size, dilation, padding, stride
    )
    every = windows(padded(x, padding), kernel, stride, dilation)
    columns = every.transpose(0, 1, 4, 5, 2, 3)  # (N, C, kh, kw, Y, X)
    shape = (len(x), x.shape[1] * math.prod(kernel), math.prod(count))
    return np.array(columns).reshape(shape), size


@op
def fold(
    x: ArrayLike,
    output_size: Sizes,
    kernel_size: Sizes,
    dilation: Sizes = 1,
    padding: Sizes = 0,
    stride: Sizes = 1,
) -> Tensor:
    """Columns (N, C · kh · kw, number of windows) added up as the windows (N, C, H, W) that
    :func:`unfold` takes from an image of ``output_size``. One image may come without N."""
    if np.ndim(x) == 2:
        return fold.__wrapped__(x[None], output_size, kernel_size, dilation, padding, stride)[0]
    size, kernel, dilations, paddings, strides, count = windows_of(
        "fold", output_size, kernel_size, dilation, padding, stride
    )
    channels, rest = divmod(np.shape(x)[1] if np.ndim(x) == 3 else -1, math.prod(kernel))
    if np.ndim(x) != 3 or rest or x.shape[2] != math.prod(count):
        raise ShapeError(f"fold: x is {np.shape(x)}, needs (N, C · {kernel}, {math.prod(count)})")
    columns = x.reshape(len(x), channels, *kernel, *count)
    (top, bottom), (left, right) = paddings
    out = np.zeros((len(x), channels, size[0] + top + bottom, size[1] + left + right), x.dtype)
    for i, j in np.ndindex(*kernel):
        rows, cols = i * dilations[0], j * dilations[1]
        out[
            :,
            :,
            rows : rows + count[0] * strides[0] : strides[0],
            cols : cols + count[1] * strides[1] : strides[1],
        ] += columns[:, :, i, j]
    return np.array(out[:, :, top : top + size[0], left : left + size[1]])


def _images_of_lanes(op, args, mapped, static):
    x, *sizes = args
    missing = (4 if op is unfold else 3) - (x.ndim - 1)
    if missing == 1:  # without N, which the lanes then are
        return op(x, *sizes)
    if missing:
        return NotImplemented
    return unfolded(op(folded(x), *sizes), x.shape[0])


fold.batched(_images_of_lanes)
unfold.batched(_images_of_lanes)
unfold.grad(
    x=lambda g, size, kernel_size, dilation, padding, stride: fold(
        g, size, kernel_size, dilation, padding, stride
    )
)
fold.grad(
    x=lambda g, kernel_size, dilation, padding, stride: unfold(
        g, kernel_size, dilation, padding, stride
    )
)


# --- Windows along an axis -------------------------------------------------------------------


@op(view=True)
def windows_along(x: ArrayLike, axis: int, size: int, step: int = 1) -> Tensor:
    """Windows of ``size`` elements along ``axis``, ``step`` apart, of which there are
    (n − size) / step + 1; their elements lie along a new last axis. Gradient: the sum of what the
    windows hold of an element."""
    axis = axis_index("windows_along", axis, x.ndim, False)
    if step < 1 or not 0 <= size <= x.shape[axis]:
        raise ShapeError(
            f"windows_along: no windows of {size}, {step} apart, in {x.shape[axis]} elements"
        )
    every = np.lib.stride_tricks.sliding_window_view(x, size, axis)
    return every[(slice(None),) * axis + (slice(None, None, step),)]


def _windows_backward(g, x_shape, axis, size, step):
    axis = axis_index("windows_along", axis, len(x_shape))
    places = step * np.arange(g.shape[axis])[:, np.newaxis] + np.arange(size)
    index = (*(slice(None),) * axis, places)
    return added_at(moveaxis(g, -1, axis + 1), index, x_shape)


windows_along.grad(x=_windows_backward)
windows_along.batched(
    lambda op, args, mapped, static: op(args[0], shifted(op, args[1], args[0].ndim - 1), *args[2:])
)


@composed
def unfold_axis(x: ArrayLike, axis: int, size: int, step: int) -> Tensor:
    """The windows of ``Tensor.unfold``: :func:`windows_along`, also of a number."""
    lined, axis = lined_up("unfold", x, axis)
    found = windows_along(lined, axis, size, step)
    return found if x.ndim else found[0]


# --- Images in another size ------------------------------------------------------------------


@computed
def interpolate(
    x: ArrayLike,
    size: Sizes | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool = False,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """x (N, C, …) in another size along the axes behind the second.

    ``size`` or ``scale_factor`` is one number or one for each axis; ``scale_factor`` s gives
    ⌊s · old⌋ elements, and 1 / s stands for old / new below, unless ``recompute_scale_factor``.

    - "nearest" takes the element at ⌊i · old / new⌋, "nearest-exact" the one at
      ⌊(i + ½) · old / new⌋, of whole numbers without rounding.
    - "linear", "bilinear" and "trilinear" mix two neighbours along each axis, "bicubic" four by
      Keys's polynomials, with a = −¾, of images (N, C, H, W). The first and last elements of x are
      the corners (``align_corners``) or, as pixels are areas, half a pixel away from them.
      ``antialias`` widens these mixtures of images to all elements that a smaller image merges;
      then a = −½.
    - "area" takes the averages of :func:`adaptive_avg_pool2d`.

    Mixtures of integers of up to 32 bits are rounded to the nearest that there is, those of bools
    and longer integers refused. (PyTorch's ``interpolate``; Keys 1981.)

    >>> import tinytensor as tt
    >>> tt.interpolate(tt.tensor([[[1.0, 2.0]]]), 4, mode="linear")
    tensor([[[1.  , 1.25, 1.75, 2.  ]]])
    """
    space = x.ndim - 2
    if space < 1 or mode not in MODES or (mode == "bicubic" and space != 2):
        raise ShapeError(f"interpolate: no {mode!r} for {x.shape}; {', '.join(MODES)}")
    if align_corners and (mode.startswith("nearest") or mode == "area"):
        raise ValueError(f"interpolate: align_corners is not for {mode!r}")
    if antialias and (mode not in ("bilinear", "bicubic") or space != 2):
        raise ValueError(f"interpolate: antialias is for 'bilinear' and 'bicubic', not {mode!r}")
    if (size is None) == (scale_factor is None):
        raise ShapeError("interpolate: give either size or scale_factor")
    if recompute_scale_factor and scale_factor is None:
        raise ValueError("interpolate: recompute_scale_factor is for scale_factor, not for size")
    given: Any = size if scale_factor is None else scale_factor
    each = (given,) * space if isinstance(given, NUMBERS) else tuple(given)
    if len(each) != space:
        raise ShapeError(f"interpolate: {given!r} is not for the {space} axes of x {x.shape}")
    nearest, whole = mode.startswith("nearest"), not is_floating(x.dtype)
    if not nearest and whole and (x.dtype.kind not in "iu" or x.dtype.itemsize > 4):
        raise DtypeError(f"interpolate: {mode!r} mixes floats or short integers, not {x.dtype}")
    if scale_factor is not None and not all(0 < s < math.inf for s in each):
        raise ValueError(f"interpolate: scale_factor must be positive numbers, not {given!r}")
    plan = []
    for axis, (old, wanted) in enumerate(zip(x.shape[2:], each, strict=True), 2):
        new = index(wanted) if scale_factor is None else math.floor(old * wanted)
        if new < 1 or old < 1:
            raise ShapeError(f"interpolate: from {old} to {new} elements along axis {axis}")
        by_size = scale_factor is None or recompute_scale_factor
        plan.append((new, Fraction(old, new) if by_size else 1 / as_fraction(wanted)))
    fits_memory("interpolate", (*x.shape[:2], *(new for new, _ in plan)), x.dtype)
    if mode == "area" and space == 2 and not whole:
        return adaptive_avg_pool2d(x, [new for new, _ in plan])
    how = (mode, bool(align_corners), bool(antialias))
    if whole and not nearest:
        return _mixed_integers(x, tuple(plan), how)
    for axis, (new, ratio) in enumerate(plan, 2):
        if nearest:
            x = take(x, nearest_places(x.shape[axis], new, ratio, mode == "nearest-exact"), axis)
        else:
            x = mixture(x, axis, *mixed_places(x.shape[axis], new, ratio, *how))
    return x


def mixture(x: Any, axis: int, places: np.ndarray, shares: np.ndarray) -> Any:
    """Σₖ shares[k] times the elements of x at places[k] along ``axis``."""
    precision = np.float64 if x.dtype in (np.float64, np.complex128) else np.float32
    shares = shares.astype(precision).reshape((*shares.shape, *(1,) * (x.ndim - 1 - axis)))
    total: Any = None
    for at, share in zip(places, shares, strict=True):
        part = multiply(take(x, at, axis), share)
        total = part if total is None else add(total, part)
    return total


def as_fraction(number: float) -> Fraction:
    """A scale as it was meant: 0.1 as 1/10, which no float is."""
    return Fraction(number).limit_denominator(1 << 20) or Fraction(number)


def nearest_places(old: int, new: int, ratio: Fraction, exact: bool) -> np.ndarray:
    """⌊i p / q⌋, or ⌊(2i + 1) p / 2q⌋ where ``exact``, for the ratio p / q, within ``old``."""
    p, q = ratio.numerator, 2 * ratio.denominator
    fits = max(2 * new * p, q) < 1 << 63
    twice = 2 * np.arange(new, dtype=np.int64 if fits else object) + exact
    return np.minimum((twice * p // q).astype(np.int64), old - 1)


def mixed_places(
    old: int, new: int, ratio: Fraction, mode: str, align_corners: bool, antialias: bool
) -> tuple[np.ndarray, np.ndarray]:
    """What is mixed for ``new`` places, ``ratio`` apart, along an axis of ``old`` elements: places
    (k, new) and their shares, which add up to 1."""
    i, cubic = np.arange(new), mode == "bicubic"
    apart = float(ratio)
    if align_corners:
        apart = (old - 1) / (new - 1) if new > 1 else 0.0
    if mode == "area":
        return _spans(i * old // new, -(-(i + 1) * old // new), old, lambda at: np.ones(at.shape))
    if antialias:
        wide, middle = max(apart, 1.0), apart * (i + 0.5)
        reach = (2.0 if cubic else 1.0) * wide
        first = np.maximum((middle - reach + 0.5).astype(np.int64), 0)
        last = np.minimum((middle + reach + 0.5).astype(np.int64), old)
        share = partial(_cubic, a=-0.5) if cubic else lambda t: np.maximum(1 - np.abs(t), 0)
        return _spans(first, last, old, lambda at: share((at - middle + 0.5) / wide))
    at = i * apart if align_corners else (i + 0.5) * apart - 0.5
    if not cubic:
        at = np.maximum(at, 0)
        low = np.minimum(np.floor(at).astype(np.int64), old - 1)
        part = at - low
        return np.stack([low, np.minimum(low + 1, old - 1)]), np.stack([1 - part, part])
    around = np.floor(at).astype(np.int64) + np.arange(-1, 3)[:, np.newaxis]
    return np.clip(around, 0, old - 1), _cubic(around - at, a=-0.75)


def _spans(first: Any, last: Any, old: int, share: Any) -> tuple[np.ndarray, np.ndarray]:
    """The elements from ``first`` to before ``last``, with shares that are made to add up to 1.
    Where there are fewer than elsewhere, the first stands again, with nothing."""
    k = np.arange(max(1, int((last - first).max(initial=1))))[:, np.newaxis]
    at, there = first + k, k < last - first
    shares = np.where(there, share(at), 0.0)
    total = shares.sum(0)
    return np.where(there, at, np.minimum(first, old - 1)), shares / np.where(total, total, 1.0)


def _cubic(t: np.ndarray, a: float) -> np.ndarray:
    """Keys's kernel: what an element counts that is ``t`` away."""
    t = np.abs(t)
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((t - 5) * t + 8) * t * a - 4 * a
    return np.where(t <= 1, near, np.where(t < 2, far, 0.0))


@op
def _mixed_integers(x, plan, how):
    """Mixtures along the last axes, made in double and rounded once."""
    mixed = np.asarray(x, np.float64)
    for axis, (new, ratio) in enumerate(plan, -len(plan)):
        places, shares = mixed_places(mixed.shape[axis], new, ratio, *how)
        shares = shares.reshape((*shares.shape, *(1,) * (-1 - axis)))
        mixed = sum(mixed.take(at, axis) * share for at, share in zip(places, shares, strict=True))
    limits = np.iinfo(x.dtype)
    return np.clip(np.rint(mixed), limits.min, limits.max).astype(x.dtype)


_mixed_integers.batched(elementwise)
