"""Functions that here are made of several ops, and in ONNX are one node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...dtypes import is_narrow
from ...ops import arithmetic
from ..tracing import Value, values_in
from .elementwise import number, out_dtype
from .indexing import overwritten, places_of, put
from .layers import many
from .writer import Unwritable, Writer, writes

# Whether a call with these arguments is one node; otherwise its ops are written.
WHOLE: dict[str, Callable[[dict[str, Any]], bool]] = {}


def whole(*names: str, when: Callable[[dict[str, Any]], bool]) -> Any:
    """:func:`writes` of functions that are made of ops, ``when`` the arguments are of this kind."""

    def declare(function: Any) -> Any:
        for name in names:
            WHOLE[name] = when
        return writes(*names)(function)

    return declare


def is_whole(name: str, given: dict[str, Any]) -> bool:
    when = WHOLE.get(name)
    return when is not None and isinstance(given.get("x"), Value) and when(given)


def _single(given: dict[str, Any]) -> bool:
    """Of float32, which is all that onnxruntime has these nodes for."""
    return given["x"].dtype == np.float32


# --- Activations -------------------------------------------------------------------------------


@whole("hardswish", "mish", "softsign", when=_single)
def named(g: Writer, x: Value, inplace: bool = False) -> Any:
    return g({"hardswish": "HardSwish", "mish": "Mish", "softsign": "Softsign"}[g.call.name], x)


@whole("hardsigmoid", when=_single)
def hardsigmoid(g: Writer, x: Value, inplace: bool = False) -> Any:
    return g("HardSigmoid", x, alpha=1 / 6, beta=0.5)


@whole("selu", when=_single)
def selu(g: Writer, x: Value, inplace: bool = False) -> Any:
    return g("Selu", x)


@whole("celu", when=_single)
def celu(g: Writer, x: Value, alpha: float = 1.0, inplace: bool = False) -> Any:
    return g("Celu", x, alpha=float(alpha))


@whole("relu6", when=_single)
def relu6(g: Writer, x: Value, inplace: bool = False) -> Any:
    return g("Clip", x, number(g, 0, x.dtype), number(g, 6, x.dtype))


@whole("logsigmoid", when=_single)
def logsigmoid(g: Writer, x: Value) -> Any:
    return g("Neg", g("Softplus", g("Neg", x)))


@whole("hardshrink", "softshrink", when=lambda given: _single(given) and given["lambd"] >= 0)
def shrink(g: Writer, x: Value, lambd: float = 0.5) -> Any:
    bias = lambd if g.call.name == "softshrink" else 0.0
    return g("Shrink", x, lambd=float(lambd), bias=float(bias))


@whole("prelu", when=lambda given: _single(given) and isinstance(given["weight"], Value))
def prelu(g: Writer, x: Value, weight: Value) -> Any:
    slope = g.cast(weight, x.dtype)
    if weight.size != 1 and x.ndim > 2:
        slope = g("Reshape", slope, np.array([-1] + [1] * (x.ndim - 2), np.int64))
    elif weight.size == 1 and weight.ndim > x.ndim:
        slope = g("Reshape", slope, np.ones(x.ndim, np.int64))
    return g("PRelu", x, slope)


# --- Pooling -----------------------------------------------------------------------------------


def _in_batches(axes: int) -> Callable[[dict[str, Any]], bool]:
    def when(given: dict[str, Any]) -> bool:
        plain = not given.get("return_indices") and given.get("divisor_override") is None
        return _single(given) and plain and given["x"].ndim == axes + 2

    return when


def _pool(
    g: Writer, x: Value, kernel_size: Any, stride: Any = None, padding: Any = 0,
    dilation: Any = None, ceil_mode: bool = False, return_indices: bool = False,
    count_include_pad: Any = None, divisor_override: Any = None,
) -> Any:  # fmt: skip
    axes = x.ndim - 2
    kernel = many(kernel_size, axes)
    largest = g.call.name.startswith("max")
    return g(
        "MaxPool" if largest else "AveragePool", x, kernel_shape=kernel,
        strides=kernel if stride in (None, ()) else many(stride, axes),
        pads=many(padding, axes) * 2, ceil_mode=int(bool(ceil_mode)),
        dilations=None if dilation is None else many(dilation, axes),
        count_include_pad=None if largest else int(bool(count_include_pad)),
    )  # fmt: skip


for _axes in (1, 3):
    whole(f"max_pool{_axes}d", f"avg_pool{_axes}d", when=_in_batches(_axes))(_pool)


@whole(
    "local_response_norm",
    when=lambda given: _single(given) and given["x"].ndim == 4 and given["size"] % 2 == 1,
)
def local_response_norm(
    g: Writer, x: Value, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Any:
    return g("LRN", x, size=int(size), alpha=float(alpha), beta=float(beta), bias=float(k))


@whole("pixel_shuffle", when=lambda given: _single(given) and given["x"].ndim == 4)
def pixel_shuffle(g: Writer, x: Value, upscale_factor: int) -> Any:
    return g("DepthToSpace", x, blocksize=int(upscale_factor), mode="CRD")


# --- Sizes and places --------------------------------------------------------------------------


def _resizes(given: dict[str, Any]) -> bool:
    mode = given["mode"]
    known = mode in ("nearest", "nearest-exact", "linear", "bilinear", "trilinear", "bicubic")
    return _single(given) and known and not given["antialias"]


@whole("interpolate", when=_resizes)
def interpolate(
    g: Writer, x: Value, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
    align_corners: bool = False, recompute_scale_factor: Any = None, antialias: bool = False,
) -> Any:  # fmt: skip
    axes = x.ndim - 2
    how: dict[str, Any] = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    if mode.startswith("nearest"):
        how["mode"] = "nearest"
        how["nearest_mode"] = "round_prefer_ceil"
        if mode == "nearest":
            how["nearest_mode"] = "floor"
            how["coordinate_transformation_mode"] = "asymmetric"
    elif mode == "bicubic":
        how |= {"mode": "cubic", "cubic_coeff_a": -0.75}
    if align_corners:
        how["coordinate_transformation_mode"] = "align_corners"
    if scale_factor is not None and not recompute_scale_factor:
        given = scale_factor if isinstance(scale_factor, tuple | list) else [scale_factor] * axes
        scales = np.array([1, 1, *map(float, given)], np.float32)
        return g("Resize", x, None, scales, **how)
    out = g.call.outputs[0].sizes[2:]
    return g("Resize", x, None, None, g.ints(out), axes=list(range(2, x.ndim)), **how)


@whole(
    "grid_sample",
    when=lambda given: (
        _single(given) and given["x"].ndim == 4 and given["mode"] in ("bilinear", "bicubic")
    ),
)
def grid_sample(
    g: Writer, x: Value, grid: Any, mode: str = "bilinear", padding_mode: str = "zeros",
    align_corners: Any = None,
) -> Any:  # fmt: skip
    kinds = {"bilinear": "linear", "bicubic": "cubic"} if g.opset >= 20 else {}
    return g(
        "GridSample", x, g.cast(grid, x.dtype), mode=kinds.get(mode, mode),
        padding_mode=padding_mode, align_corners=int(bool(align_corners)),
    )  # fmt: skip


def _pads(given: dict[str, Any]) -> bool:
    pairs = given["pad_width"]
    if not isinstance(pairs, tuple | list) or not given["x"].ndim or not _single(given):
        return False
    flat = [n for pair in pairs if isinstance(pair, tuple | list) for n in pair]
    if len(flat) != 2 * given["x"].ndim or any(not isinstance(n, int) or n < 0 for n in flat):
        return False
    if given["mode"] == "edge":
        return True
    limits = [size - 1 for size in given["x"].shape for _ in range(2)]
    fits = all(n <= limit for n, limit in zip(flat, limits, strict=True))
    return given["mode"] == "reflect" and fits  # onnxruntime refuses "wrap" of some shapes


@whole("pad", when=_pads)
def pad(
    g: Writer, x: Value, pad_width: Any, mode: str = "constant", constant_values: Any = 0
) -> Any:
    before, after = zip(*pad_width, strict=True)
    return g("Pad", x, g.ints([*before, *after]), mode=mode)


@whole("tile", when=lambda given: isinstance(given["repetitions"], int | tuple | list))
def tile(g: Writer, x: Value, repetitions: Any) -> Any:
    times = list(repetitions) if isinstance(repetitions, tuple | list) else [repetitions]
    if any(isinstance(n, Value) for n in times):
        raise Unwritable("repetitions that are tensors")
    name = g.value(x)
    if len(times) > x.ndim:
        name = g("Unsqueeze", name, np.arange(len(times) - x.ndim))
    return g("Tile", name, g.ints([1] * (x.ndim - len(times)) + times))


@whole("topk", when=lambda given: bool(given["x"].ndim))
def topk(
    g: Writer, x: Value, k: Any, axis: int = -1, largest: bool = True, sorted: bool = True
) -> Any:
    return g("TopK", x, g.dimension(k), outputs=2, axis=int(axis), largest=int(bool(largest)),
             sorted=1)  # fmt: skip


@whole("sort", when=lambda given: bool(given["x"].ndim) and given["x"].dtype != bool)
def sort(g: Writer, x: Value, axis: int = -1, descending: bool = False, stable: bool = True) -> Any:
    size = g.dimension(x.sizes[int(axis) % x.ndim])
    found = g("TopK", x, size, outputs=2, axis=int(axis), largest=int(bool(descending)), sorted=1)
    return found[: len(g.call.outputs)]


def _along_one(given: dict[str, Any]) -> bool:
    x = given["x"]
    indices = given["indices"] if "indices" in given else given["index"]
    return (
        isinstance(indices, Value)
        and indices.dtype.kind in "iu"
        and x.ndim == indices.ndim
        and x.ndim > 0
        and all(
            i == n
            for axis, (i, n) in enumerate(zip(indices.shape, x.shape, strict=True))
            if axis != given["axis"] % x.ndim
        )
    )


@whole("take_along_axis", "gather", when=_along_one)
def gather_elements(
    g: Writer, x: Value, axis: int = -1, indices: Any = None, index: Any = None
) -> Any:
    places = g.cast(index if indices is None else indices, np.int64)
    return g("GatherElements", x, places, axis=int(axis) % x.ndim)


def _scatters(given: dict[str, Any]) -> bool:
    given = {**given, "indices": given["index"]}
    source = given["source"]
    same = isinstance(source, Value) and source.shape == given["index"].shape
    reductions = (None, "sum", "add", "prod", "multiply", "amax", "amin")
    return _along_one(given) and same and given["reduce"] in reductions and given["include_self"]


@whole("scatter", when=_scatters)
def scatter(
    g: Writer, x: Value, axis: int, index: Value, source: Value, reduce: Any = None,
    include_self: bool = True,
) -> Any:  # fmt: skip
    kinds = {"sum": "add", "add": "add", "prod": "mul", "multiply": "mul", "amax": "max",
             "amin": "min"}  # fmt: skip
    return g(
        "ScatterElements", x, g.cast(index, np.int64), g.cast(source, out_dtype(g)),
        axis=int(axis) % x.ndim, reduction=None if reduce is None else kinds[reduce],
    )  # fmt: skip


@whole("adaptive_avg_pool1d", "adaptive_avg_pool3d", when=lambda given: _single(given))
def adaptive_avg_pool(g: Writer, x: Value, output_size: Any) -> Any:
    axes = int(g.call.name[-2])
    size, out = x.sizes[-axes:], g.call.outputs[0].sizes[-axes:]
    alone = x.ndim == axes + 1
    name = g("Unsqueeze", x, np.array([0])) if alone else g.value(x)
    if all(n == 1 for n in out):
        found = g("GlobalAveragePool", name)
    else:
        try:
            fits = all(int(n) % int(m) == 0 for n, m in zip(size, out, strict=True))
        except TypeError:
            fits = False
        if not fits:
            raise Unwritable("parts of several sizes")
        kernel = [int(n) // int(m) for n, m in zip(size, out, strict=True)]
        found = g("AveragePool", name, kernel_shape=kernel, strides=kernel)
    return g("Squeeze", found, np.array([0])) if alone else found


def _parts(given: dict[str, Any]) -> bool:
    axes = given["x"].ndim - 2
    out = given["output_size"]
    out = out if isinstance(out, tuple | list) else [out] * axes
    if not _single(given) or axes < 1 or len(out) != axes:
        return False
    size = given["x"].shape[2:]
    return all(m is None or m == 1 or n % m == 0 for n, m in zip(size, out, strict=True))


for _name in ("adaptive_avg_pool1d", "adaptive_avg_pool3d"):
    WHOLE[_name] = _parts


# --- Changes at indices --------------------------------------------------------------------------

REDUCTIONS = {
    arithmetic.add: "add",
    arithmetic.subtract: "add",
    arithmetic.multiply: "mul",
    arithmetic.maximum: "max",
    arithmetic.minimum: "min",
}


def _is_computed(given: dict[str, Any]) -> bool:
    """Whether the index comes from inputs, so that nothing is known of places that stand twice."""
    change, index = given["change"], values_in(given["index"])
    return (change is None or change in REDUCTIONS) and not all(item.constant for item in index)


@whole("updated", when=_is_computed)
def updated(g: Writer, name: str, x: Value, index: Any, value: Any, change: Any) -> Any:
    if change is None:
        return overwritten(g, x, value, places_of(index))
    wide = np.dtype(np.float32) if is_narrow(x.dtype) else x.dtype
    new = g.cast(value, wide)
    if change is arithmetic.subtract:
        new = g("Neg", new)
    found = put(g, g.cast(x, wide), new, places_of(index), REDUCTIONS[change], wide)
    return g.cast(found, x.dtype, wide)
