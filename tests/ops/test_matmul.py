"""Matrix products as ops: what they record, their errors, their gradients beyond the table's."""

from __future__ import annotations

import numpy as np
import pytest

import tinytensor as tt


def normal(*shape, seed=0, grad=True):
    return tt.Tensor(np.random.default_rng(seed).normal(size=shape), requires_grad=grad)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ((3, 4), (5, 6), r"matmul: inner sizes differ: a is \(3, 4\), b is \(5, 6\)"),
        ((4,), (5,), r"matmul: inner sizes differ: a is \(4,\), b is \(5,\)"),
        ((3, 4), (3,), r"matmul: inner sizes differ"),
        ((), (3,), r"matmul: needs at least one axis in each: a is \(\), b is \(3,\)"),
        ((2, 3, 4), (3, 4, 5), r"matmul: the axes before the last two do not broadcast"),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
def test_errors_name_the_shapes(a, b, message, dtype):
    with pytest.raises(tt.ShapeError, match=message):
        tt.matmul(tt.zeros(a, dtype), tt.zeros(b, dtype))


@pytest.mark.parametrize(
    ("x", "weight", "bias"),
    [((2, 3), (4, 5), None), ((), (4, 5), None), ((2, 5), (5,), None), ((2, 5), (4, 5), (5,))],
)
@pytest.mark.parametrize("op", [tt.linear, tt.linear_relu], ids=["linear", "linear_relu"])
def test_errors_of_linear(op, x, weight, bias):
    with pytest.raises(tt.ShapeError, match=r"^linear(_relu)?: needs"):
        op(tt.zeros(x), tt.zeros(weight), None if bias is None else tt.zeros(bias))


def test_operators_and_raw_arrays():
    a, b = normal(3, 4), normal(4, 5, grad=False)
    want = a.value @ b.value
    np.testing.assert_allclose((a @ b).value, want, rtol=1e-14)  # sums may be in any order
    np.testing.assert_allclose(tt.matmul(a, b.value).value, want, rtol=1e-14)
    tt.matmul(a, b.value).sum().backward()
    np.testing.assert_allclose(a.grad.value, np.ones((3, 5)) @ b.value.T)


def test_a_shared_matrix_sums_over_the_batch():
    a, b = normal(6, 3, 4), normal(4, 5, seed=1)
    g = np.random.default_rng(2).normal(size=(6, 3, 5))
    (a @ b).backward(tt.Tensor(g))
    np.testing.assert_allclose(b.grad.value, np.einsum("bik,bij->kj", a.value, g))
    np.testing.assert_allclose(a.grad.value, g @ b.value.T)


def test_float32_gradients_are_float32():
    x, w, b = (
        tt.Tensor(np.ones(s, np.float32), requires_grad=True) for s in [(5, 3), (2, 3), (2,)]
    )
    tt.linear(x, w, b).sum().backward()
    assert {x.grad.dtype, w.grad.dtype, b.grad.dtype} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(b.grad.value, [5, 5])


def test_linear_relu_is_relu_of_linear():
    x, w, b = normal(5, 3), normal(4, 3, seed=1), normal(4, seed=2)
    g = normal(5, 4, seed=3, grad=False)
    tt.linear_relu(x, w, b).backward(g)
    fused = [t.grad.value for t in (x, w, b)]
    for t in (x, w, b):
        t.grad = None
    out = tt.relu(tt.linear(x, w, b))
    out.backward(g)
    np.testing.assert_allclose(tt.linear_relu(x, w, b).value, out.value)
    for got, t in zip(fused, (x, w, b), strict=True):
        np.testing.assert_allclose(got, t.grad.value)
