"""Drawn shapes, strides and layouts: element-wise ops, reductions, matmul against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, mutually_broadcastable_shapes

import tinytensor as tt

dtypes = st.sampled_from([np.float32, np.float64])
TOLERANCE = {np.dtype(np.float32): 2e-6, np.dtype(np.float64): 1e-13}


@st.composite
def layouts(draw: st.DrawFn, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """An array of ``shape``: a permuted, stepped, turned, offset or stretched view of a larger."""
    seed = draw(st.integers(0, 2**32 - 1))
    order = draw(st.permutations(range(len(shape))))
    steps = [draw(st.sampled_from([1, 1, 1, 2, 3, -1, -2])) for _ in shape]
    offsets = [draw(st.integers(0, 2)) for _ in shape]
    stretched = [draw(st.sampled_from([False] * 5 + [True])) for _ in shape]
    inner = [1 if s else n for n, s in zip(shape, stretched, strict=True)]
    base_shape = [max(1, n) * abs(k) + o for n, k, o in zip(inner, steps, offsets, strict=True)]
    base = np.random.default_rng(seed).normal(size=[base_shape[i] for i in order]).astype(dtype)
    view = base.transpose(np.argsort(order)) if shape else base
    for axis, (n, step, offset) in enumerate(zip(inner, steps, offsets, strict=True)):
        index = [slice(None)] * len(shape)
        index[axis] = slice(offset, None) if n else slice(0, 0)
        view = view[tuple(index)]
        index[axis] = slice(None, None, step)
        view = view[tuple(index)]
        index[axis] = slice(0, n)
        view = view[tuple(index)]
    view = np.broadcast_to(view, shape)
    assert view.shape == shape
    return view


def assert_close(got: tt.Tensor, expected: np.ndarray, terms: int = 1, scale: float = 1.0) -> None:
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape
    bound = TOLERANCE[got.dtype] * max(terms, 1) ** 0.5 * max(1.0, scale)
    np.testing.assert_allclose(got, expected, rtol=bound, atol=bound)


UNARY = {
    "exp": np.exp,
    "tanh": np.tanh,
    "negative": np.negative,
    "abs": np.abs,
    "square": np.square,
    "relu": lambda x: np.maximum(x, 0),
    "sin": np.sin,
}
BINARY = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "maximum": np.maximum,
    "minimum": np.minimum,
}
REDUCTIONS = {"sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min, "var": np.var}

shapes = array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=9)


@pytest.mark.parametrize("name", UNARY)
@given(data=st.data(), shape=shapes, dtype=dtypes)
def test_maps(name: str, data: st.DataObject, shape: tuple[int, ...], dtype: type) -> None:
    x = data.draw(layouts(shape, dtype))
    got = getattr(tt, name)(tt.Tensor(x))
    assert got.dtype == dtype
    expected = UNARY[name](x)
    assert_close(got, expected, scale=float(np.abs(expected).max(initial=0)))


@pytest.mark.parametrize("name", BINARY)
@given(data=st.data(), dtype=dtypes)
def test_pairs(name: str, data: st.DataObject, dtype: type) -> None:
    drawn = data.draw(mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=7))
    a, b = (data.draw(layouts(shape, dtype)) for shape in drawn.input_shapes)
    x, y = tt.Tensor(a, requires_grad=True), tt.Tensor(b, requires_grad=True)
    out = getattr(tt, name)(x, y)
    np.testing.assert_array_equal(out.detach(), BINARY[name](a, b))
    assert out.shape == drawn.result_shape
    out.sum().backward()
    assert (x.grad.shape, y.grad.shape) == (a.shape, b.shape)


@pytest.mark.parametrize("name", REDUCTIONS)
@given(data=st.data(), dtype=dtypes, keepdims=st.booleans())
def test_reductions(name: str, data: st.DataObject, dtype: type, keepdims: bool) -> None:
    shape = data.draw(array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=9))
    x = data.draw(layouts(shape, dtype))
    axes = data.draw(st.none() | st.lists(st.integers(0, len(shape) - 1), unique=True).map(tuple))
    if axes:
        axes = tuple(a - len(shape) if data.draw(st.booleans()) else a for a in axes)
    if len(axes or ()) == 1 and data.draw(st.booleans()):
        axes = axes[0]
    t = tt.Tensor(x, requires_grad=True)
    out = getattr(tt, name)(t, axis=axes, keepdims=keepdims)
    expected = REDUCTIONS[name](x, axis=axes, keepdims=keepdims)
    assert_close(out.detach(), expected, x.size, float(np.abs(x).max()) ** 2)
    out.sum().backward()
    assert t.grad.shape == shape
    if name in ("sum", "mean"):
        share = 1.0 if name == "sum" else expected.size / x.size
        assert_close(t.grad, np.full(shape, share, dtype))


@given(data=st.data(), dtype=dtypes)
def test_matmul(data: st.DataObject, dtype: type) -> None:
    m, k, n = (data.draw(st.integers(0, 40)) for _ in range(3))
    batch = data.draw(mutually_broadcastable_shapes(num_shapes=2, max_dims=2, max_side=4))
    a = data.draw(layouts((*batch.input_shapes[0], m, k), dtype))
    b = data.draw(layouts((*batch.input_shapes[1], k, n), dtype))
    x, y = tt.Tensor(a, requires_grad=True), tt.Tensor(b, requires_grad=True)
    out = x @ y
    exact = a.astype(float) @ b.astype(float)
    scale = float(np.abs(a).max(initial=0) * np.abs(b).max(initial=0))
    assert_close(out.detach(), exact.astype(dtype), k, scale)
    g = np.random.default_rng(m + 41 * n).normal(size=out.shape).astype(dtype)
    out.backward(g)
    gx = g.astype(float) @ b.astype(float).swapaxes(-1, -2)
    while gx.ndim > a.ndim:
        gx = gx.sum(0)
    gx = gx.sum(tuple(i for i, s in enumerate(a.shape) if s == 1 != gx.shape[i]), keepdims=True)
    terms = n * max(1, out.size // max(1, m * n))
    assert_close(x.grad, gx.astype(dtype), terms, 4 * float(np.abs(b).max(initial=0)))
    assert y.grad.shape == b.shape


@given(data=st.data(), shape=shapes)
def test_views_and_shapes(data: st.DataObject, shape: tuple[int, ...]) -> None:
    x = data.draw(layouts(shape, np.float64))
    order = data.draw(st.permutations(range(len(shape))))
    t = tt.Tensor(x, requires_grad=True)
    moved = tt.permute_dims(t, tuple(order))
    np.testing.assert_array_equal(moved.detach(), x.transpose(order))
    flat = moved.reshape(-1) if x.size else moved.reshape(0)
    np.testing.assert_array_equal(flat.detach(), x.transpose(order).reshape(flat.shape))
    weights = np.arange(flat.size, dtype=np.float64)
    (flat * weights).sum().backward()
    expected = weights.reshape([shape[i] for i in order]).transpose(np.argsort(order))
    np.testing.assert_array_equal(t.grad, expected.reshape(shape))
