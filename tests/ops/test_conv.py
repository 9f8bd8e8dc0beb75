"""Convolution as an op: against its formula in plain loops, its arguments and their errors."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.ops import checks, conv, windows


def naive(x, weight, bias, stride, padding, dilation, groups):
    """The formula, one multiply-add at a time."""
    (n, _, h, w), (filters, channels, r, s) = x.shape, weight.shape
    (top, bottom), (left, right) = padding
    rows = (h + top + bottom - dilation[0] * (r - 1) - 1) // stride[0] + 1
    columns = (w + left + right - dilation[1] * (s - 1) - 1) // stride[1] + 1
    out = np.zeros((n, filters, rows, columns))
    for i, k, y, z in np.ndindex(*out.shape):
        first = k // (filters // groups) * channels
        for c, a, b in np.ndindex(channels, r, s):
            at = y * stride[0] + a * dilation[0] - top, z * stride[1] + b * dilation[1] - left
            if 0 <= at[0] < h and 0 <= at[1] < w:
                out[i, k, y, z] += x[i, first + c, at[0], at[1]] * weight[k, c, a, b]
        out[i, k, y, z] += bias[k]
    return out


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups"),
    [
        *itertools.product(
            [(1, 1), (2, 3)], [((0, 0), (0, 0)), ((1, 1), (2, 2))], [(1, 1), (2, 1)], [1, 2]
        )
    ],
)
def test_against_the_formula(stride, padding, dilation, groups, dtype):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 4, 6, 7)).astype(dtype)
    weight = rng.normal(size=(6, 4 // groups, 3, 2)).astype(dtype)
    bias = rng.normal(size=6).astype(dtype)
    got = tt.conv2d(
        tt.Tensor(x),
        tt.Tensor(weight),
        tt.Tensor(bias),
        stride=stride,
        padding=(padding[0][0], padding[1][0]),
        dilation=dilation,
        groups=groups,
    )
    want = naive(x, weight, bias, stride, padding, dilation, groups)
    assert got.dtype == dtype
    np.testing.assert_allclose(got.value, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kernel", [(3, 3), (2, 4), (1, 5)])
@pytest.mark.parametrize("dilation", [1, (2, 1)])
def test_same_padding_keeps_the_size(kernel, dilation):
    """Of an odd number of padding rows or columns the larger part is at the end, as in PyTorch."""
    x, weight = np.random.default_rng(0).normal(size=(1, 2, 9, 8)), np.ones((3, 2, *kernel))
    out = tt.conv2d(tt.Tensor(x), tt.Tensor(weight), padding="same", dilation=dilation)
    assert out.shape == (1, 3, 9, 8)
    pairs = dilation if isinstance(dilation, tuple) else (dilation, dilation)
    whole = [d * (k - 1) for d, k in zip(pairs, kernel, strict=True)]
    around = np.pad(x, [(0, 0), (0, 0), *((n // 2, n - n // 2) for n in whole)])
    want = tt.conv2d(tt.Tensor(around), tt.Tensor(weight), dilation=dilation)
    np.testing.assert_allclose(out.value, want.value)


@pytest.mark.parametrize(
    ("x", "weight", "kwargs", "message"),
    [
        ((3, 4), (8, 3, 3, 3), {}, r"needs x \(N, C, H, W\).*x is \(3, 4\)"),
        ((1, 3, 8, 8), (8, 3, 3), {}, r"weight \(K, C / groups, R, S\)"),
        ((1, 3, 8, 8), (8, 2, 3, 3), {}, "x has 3 channels, weight takes 2 in each of 1 groups"),
        ((1, 4, 8, 8), (3, 2, 3, 3), {"groups": 2}, "3 filters do not divide into 2 groups"),
        ((1, 4, 8, 8), (4, 4, 3, 3), {"groups": 0}, "groups must be an integer ≥ 1, is 0"),
        ((1, 3, 2, 8), (8, 3, 3, 3), {}, "is larger than x"),
        ((1, 3, 4, 8), (8, 3, 3, 3), {"dilation": 2}, "is larger than x"),
        ((1, 3, 0, 8), (8, 3, 3, 3), {}, "is larger than x"),
        ((1, 3, 8, 8), (8, 3, 0, 3), {}, "an empty kernel"),
        ((1, 3, 8, 8), (8, 3, 3, 3), {"stride": 0}, "stride must be one or two integers ≥ 1"),
        ((1, 3, 8, 8), (8, 3, 3, 3), {"stride": (1, 2, 3)}, "stride must be one or two"),
        ((1, 3, 8, 8), (8, 3, 3, 3), {"padding": -1}, "padding must be one or two integers ≥ 0"),
        ((1, 3, 8, 8), (8, 3, 3, 3), {"padding": 1.5}, "padding must be"),
        ((1, 3, 8, 8), (8, 3, 3, 3), {"padding": "full"}, "padding must be 'same', 'valid'"),
        ((1, 3, 8, 8), (8, 3, 3, 3), {"padding": "same", "stride": 2}, "'same' needs stride 1"),
    ],
)
def test_errors(x, weight, kwargs, message):
    with pytest.raises(tt.ShapeError, match=rf"^conv2d: .*{message}"):
        tt.conv2d(tt.zeros(x), tt.zeros(weight), **kwargs)


def test_bias_must_have_one_element_for_each_filter():
    with pytest.raises(tt.ShapeError, match=r"conv2d: needs bias \(K,\).*bias is \(3,\)"):
        tt.conv2d(tt.zeros((1, 3, 8, 8)), tt.zeros((8, 3, 3, 3)), tt.zeros(3))


def test_a_gradient_of_another_shape_is_refused():
    with pytest.raises(tt.ShapeError, match=r"conv2d_grad_x: g is \(1, 8, 5, 6\), but the output"):
        conv.conv2d_grad_x(tt.zeros((1, 8, 5, 6)), tt.zeros((8, 3, 3, 3)), (8, 8))
    with pytest.raises(tt.ShapeError, match=r"conv2d_grad_w: g is \(2, 8, 6, 6\), but the output"):
        conv.conv2d_grad_w(tt.zeros((2, 8, 6, 6)), tt.zeros((1, 3, 8, 8)), (3, 3))


@pytest.mark.parametrize(
    ("x", "weight", "kwargs", "message"),
    [
        ((3, 4), (3, 8, 3, 3), {}, r"needs input \(N, C, H, W\).*input is \(3, 4\)"),
        ((1, 4, 8, 8), (3, 8, 3, 3), {}, r"weight \(C, K / groups, R, S\)"),
        ((1, 3, 8, 8), (3, 8, 3, 3), {"groups": 2}, "groups must be .* that divides the 3 chan"),
        ((1, 3, 8, 8), (3, 8, 3, 3), {"output_padding": 1}, "must be smaller than the stride"),
        ((1, 3, 2, 8), (3, 8, 3, 3), {"padding": 3}, "nothing is left"),
        ((1, 3, 2, 8), (3, 8, 3, 3), {"padding": "same"}, "padding must be one or two integers"),
        ((1, 3, 8, 8), (3, 8, 3, 3), {"bias": np.zeros(3)}, r"needs bias \(K,\).*bias is \(3,\)"),
    ],
)
def test_errors_of_the_transpose(x, weight, kwargs, message):
    with pytest.raises(tt.ShapeError, match=rf"^conv_transpose2d: .*{message}"):
        tt.conv_transpose2d(tt.zeros(x), tt.zeros(weight), **kwargs)


def test_the_transpose_is_linear_in_each_argument_to_the_second_derivative():
    x, weight, bias = (
        tt.Tensor(np.random.default_rng(i).normal(size=shape))
        for i, shape in enumerate([(2, 4, 3, 2), (4, 3, 2, 3), (6,)])
    )

    def function(x, weight, bias):
        return tt.conv_transpose2d(x, weight, bias, 2, (1, 0), (1, 0), 2)

    tt.func.check_grad(function, x, weight, bias, order=2)
    each = tt.func.vmap(function, in_axes=(0, None, None))(tt.stack([x, x + 1]), weight, bias)
    np.testing.assert_allclose(each[1].value, function(x + 1, weight, bias).value, rtol=1e-12)


# --- Windows along any number of axes --------------------------------------------------------


def test_geometry_for_one_and_three_axes():
    arguments, out = windows.convolution("c", 1, (2, 3, 9), (4, 3, 3), 2, "valid", 1, 1)
    assert (arguments, out) == (((2,), ((0, 0),), (1,), 1), (2, 4, 4))
    arguments, out = windows.convolution(
        "c", 3, (4, 5, 6, 7), (8, 2, 1, 2, 4), 1, "same", (1, 1, 2), 2
    )
    assert arguments == ((1, 1, 1), ((0, 0), (0, 1), (3, 3)), (1, 1, 2), 2)
    assert out == (8, 5, 6, 7)
    for axes, spatial in ((1, (9,)), (2, (9, 8)), (3, (9, 8, 7))):  # there and back
        kernel, stride, padding = (3, 2, 1)[:axes], (2, 3, 1)[:axes], (1, 0, 0)[:axes]
        _, out = windows.convolution(
            "c", axes, (1, 2, *spatial), (5, 2, *kernel), stride, padding, 1, 1
        )
        more = tuple(
            (n + 2 * p - k) % s for n, k, s, p in zip(spatial, kernel, stride, padding, strict=True)
        )
        weight = (5, 2, *kernel)
        back = windows.transposed("c", axes, out, weight, stride, padding, more, 1, 1)
        assert back == spatial
    assert windows.pooling("p", 1, (3, 9), 2, None, 0, 1, True) == (
        ((2,), (2,), (0,), (1,), True),
        (5,),
    )
    _, counts = windows.pooling("p", 3, (2, 3, 6, 7, 8), (1, 2, 3), (1, 2, 2), (0, 1, 1), 1, False)
    assert counts == (6, 4, 4)


@pytest.mark.parametrize(
    ("axes", "value", "message"),
    [
        (1, (1, 2), r"size must be an integer ≥ 1, is \(1, 2\)"),
        (2, 0, "size must be one or two integers ≥ 1, is 0"),
        (3, (1, 2), r"size must be one or three integers ≥ 1, is \(1, 2\)"),
        (3, (1, 2, 0.5), "size must be one or three integers"),
    ],
)
def test_sizes(axes, value, message):
    with pytest.raises(tt.ShapeError, match=f"^op: {message}"):
        checks.sizes("op", "size", value, axes, 1)
    assert checks.sizes("op", "size", np.int64(4), axes, 1) == (4,) * axes
    assert checks.sizes("op", "size", [4] * axes, axes, 1) == (4,) * axes


@pytest.mark.parametrize(
    ("axes", "x", "message"),
    [(1, (9,), r"needs x \(N, C, L\) or"), (3, (1, 2), r"x \(N, C, D, H, W\) or \(C, D, H, W\)")],
)
def test_errors_name_as_many_axes(axes, x, message):
    with pytest.raises(tt.ShapeError, match=message):
        windows.convolution("c", axes, x, (1,) * (axes + 2), 1, 0, 1, 1)


def test_frozen_weights_get_no_gradient():
    x = tt.Tensor(np.ones((1, 2, 4, 4), np.float32), requires_grad=True)
    weight = tt.ones((3, 2, 3, 3))
    tt.conv2d(x, weight).sum().backward()
    assert weight.grad is None
    np.testing.assert_array_equal(x.grad.value[0, 0], 3 * np.outer([1, 2, 2, 1], [1, 2, 2, 1]))
