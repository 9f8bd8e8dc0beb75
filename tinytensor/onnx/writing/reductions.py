"""Sums, means, extremes, running sums, and what sorts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..sizes import Size, is_dynamic
from ..tracing import Value
from .elementwise import BOOL, number, out_dtype
from .shapes import axes_of
from .writer import INT64, Unwritable, Writer, writes


def reduced(g: Writer, kind: str, x: Any, axis: Any, keepdims: bool, ndim: int) -> Any:
    """Over these axes; over none where the axes are ()."""
    axes = axes_of(axis, ndim)
    if axis is not None and (not axes or not ndim):
        return g("Abs", x) if kind in ("ReduceL1", "ReduceL2") else g.name(x)
    names = np.array(axes, np.int64) if axis is not None else None
    return g(kind, x, names, keepdims=int(bool(keepdims)))


@writes("sum", "prod", "mean")
def total(g: Writer, x: Value, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> Any:
    kind = {"sum": "ReduceSum", "prod": "ReduceProd", "mean": "ReduceMean"}[g.call.name]
    return reduced(g, kind, g.cast(x, out_dtype(g)), axis, keepdims, x.ndim)


@writes("max", "min")
def extreme(g: Writer, x: Value, axis: Any = None, keepdims: bool = False) -> Any:
    kind = {"max": "ReduceMax", "min": "ReduceMin"}[g.call.name]
    if x.dtype == BOOL:
        found = reduced(g, kind, g.cast(x, np.int32), axis, keepdims, x.ndim)
        return g.cast(found, BOOL, np.dtype(np.int32))
    return reduced(g, kind, x, axis, keepdims, x.ndim)


@writes("any", "all")
def truth(g: Writer, x: Value, axis: Any = None, keepdims: bool = False) -> Any:
    kind = "ReduceMax" if g.call.name == "any" else "ReduceMin"
    name = g.cast(x, BOOL)
    found = reduced(g, kind, g.cast(name, np.int32, BOOL), axis, keepdims, x.ndim)
    return g.cast(found, BOOL, np.dtype(np.int32))


@writes("count_nonzero")
def count_nonzero(g: Writer, x: Value, axis: Any = None, keepdims: bool = False) -> Any:
    ones = g.cast(g.cast(x, BOOL), INT64, BOOL)
    return reduced(g, "ReduceSum", ones, axis, keepdims, x.ndim)


@writes("argmax", "argmin")
def index_of(g: Writer, x: Value, axis: Any = None, keepdims: bool = False) -> Any:
    kind = "ArgMax" if g.call.name == "argmax" else "ArgMin"
    name = g.cast(x, np.int32) if x.dtype == BOOL else g.value(x)
    if axis is None:
        found = g(kind, g("Reshape", name, np.array([-1])), axis=0, keepdims=0)
        return g("Reshape", found, np.ones(x.ndim, np.int64)) if keepdims and x.ndim else found
    if not x.ndim:
        return g.constant(np.asarray(0, np.int64))
    return g(kind, name, axis=int(axis) % x.ndim, keepdims=int(bool(keepdims)))


def _count(x: Value, axis: Any) -> Any:
    product: Any = 1
    for i in axes_of(axis, x.ndim):
        product = product * x.sizes[i]
    return product


@writes("var", "std")
def variance(
    g: Writer, x: Value, axis: Any = None, correction: float = 0.0, keepdims: bool = False
) -> Any:
    dtype = out_dtype(g)
    name = g.cast(x, dtype)
    apart = g("Sub", name, reduced(g, "ReduceMean", name, axis, True, x.ndim))
    squares = g("Mul", apart, apart)
    if correction == 0:
        found = reduced(g, "ReduceMean", squares, axis, keepdims, x.ndim)
    else:
        count = _count(x, axis)
        if isinstance(count, Size):
            over = g("Sub", g.cast(count, dtype), number(g, correction, dtype))
        else:
            over = number(g, max(count - correction, 0.0), dtype)
        found = g("Div", reduced(g, "ReduceSum", squares, axis, keepdims, x.ndim), over)
    return g("Sqrt", found) if g.call.name == "std" else found


@writes("logsumexp")
def logsumexp(g: Writer, x: Value, axis: Any = None, keepdims: bool = False) -> Any:
    return reduced(g, "ReduceLogSumExp", g.cast(x, out_dtype(g)), axis, keepdims, x.ndim)


@writes("_p_norm")
def p_norm(g: Writer, x: Value, axis: Any, keepdims: bool, ord: Any) -> Any:
    name, dtype = g.cast(x, out_dtype(g)), out_dtype(g)
    how = axis, keepdims, x.ndim
    if ord == 1:
        return reduced(g, "ReduceL1", name, *how)
    if ord == 2:
        return reduced(g, "ReduceL2", name, *how)
    sizes = g("Abs", name)
    if math.isinf(ord):
        return reduced(g, "ReduceMax" if ord > 0 else "ReduceMin", sizes, *how)
    if ord == 0:
        there = g.cast(g.cast(name, BOOL, dtype), dtype, BOOL)
        return reduced(g, "ReduceSum", there, *how)
    powers = g("Pow", sizes, number(g, ord, dtype))
    return g("Pow", reduced(g, "ReduceSum", powers, *how), number(g, 1 / ord, dtype))


@writes("cumsum")
def cumsum(g: Writer, x: Value, axis: Any = None, reverse: bool = False, dtype: Any = None) -> Any:
    axis = 0 if axis is None else int(axis) % x.ndim
    return g("CumSum", g.cast(x, out_dtype(g)), np.array(axis), reverse=int(bool(reverse)))


@writes("argsort")
def argsort(
    g: Writer, x: Value, axis: int = -1, descending: bool = False, stable: bool = True
) -> Any:
    """By TopK of all: equal elements in their order, as of a stable sort."""
    axis = int(axis) % x.ndim
    return g("TopK", x, g.dimension(x.sizes[axis]), outputs=2, axis=axis,
             largest=int(bool(descending)), sorted=1)[1]  # fmt: skip


@writes("softmax", "log_softmax")
def softmax(g: Writer, x: Value, axis: Any = -1, dtype: Any = None) -> Any:
    kind = "Softmax" if g.call.name == "softmax" else "LogSoftmax"
    name = g.cast(x, out_dtype(g))
    if isinstance(axis, tuple | list) or axis is None:
        axes = axes_of(axis, x.ndim)
        if len(axes) != 1:
            raise Unwritable("softmax over several axes")
        axis = axes[0]
    if not x.ndim:
        return g("Squeeze", g(kind, g("Unsqueeze", name, np.array([0])), axis=0))
    return g(kind, name, axis=int(axis) % x.ndim)


@writes("searchsorted")
def searchsorted(
    g: Writer, x: Value, values: Value, side: Any = None, sorter: Any = None, right: bool = False,
    out_int32: bool = False,
) -> Any:  # fmt: skip
    """How many elements of a line x are less, or not greater, than each value."""
    if x.ndim != 1 or sorter is not None:
        raise Unwritable("searchsorted in several lines, or by a sorter")
    dtype = np.result_type(x.dtype, values.dtype)
    kind = "LessOrEqual" if right or side == "right" else "Less"
    below = g(kind, g.cast(x, dtype), g("Unsqueeze", g.cast(values, dtype), np.array([-1])))
    counts = g("ReduceSum", g.cast(below, INT64, BOOL), np.array([-1]), keepdims=0)
    return g.cast(counts, out_dtype(g), INT64)


@writes("isin")
def isin(g: Writer, x: Value, elements: Any, invert: bool = False) -> Any:
    if isinstance(elements, Value):
        flat = g("Reshape", g.cast(elements, x.dtype), np.array([-1]))
        count = elements.size
    else:
        array = np.asarray(elements, x.dtype).reshape(-1)
        flat, count = g.constant(array), array.size
    if not count or is_dynamic(x.sizes):
        raise Unwritable("isin of sizes that vary")
    same = g("Equal", g("Unsqueeze", x, np.array([x.ndim])), flat)
    counts = g("ReduceMax", g.cast(same, np.int32, BOOL), np.array([x.ndim]), keepdims=0)
    found = g.cast(counts, BOOL, np.dtype(np.int32))
    return g("Not", found) if invert else found
