"""Element-wise maps: the error function in float64, gradients at kinks, powers, bad arguments."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import kernels
from tinytensor.kernels import reference


def gradients(f, *values, dtype=np.float64) -> list[np.ndarray]:
    inputs = [tt.tensor(v, dtype=dtype, requires_grad=True) for v in values]
    f(*inputs).sum().backward()
    found = [x.grad for x in inputs]
    assert all(g is not None for g in found)
    return [g.numpy() for g in found if g is not None]


def test_erf_in_float64() -> None:
    x = np.concatenate([np.linspace(-7, 7, 20_001), [0.0, -0.0, 1e-300, np.inf, -np.inf, 0.5]])
    expected = np.vectorize(math.erf)(x)
    np.testing.assert_allclose(reference.erf(x), expected, rtol=2e-15, atol=0)
    assert np.isnan(reference.erf(np.nan))
    assert reference.erf(np.float32(0.5)).dtype == np.float32


@pytest.mark.parametrize("f", [tt.relu, tt.abs, tt.hardtanh])
def test_slope_at_a_kink_is_zero(f) -> None:
    kinks = [-1.0, 1.0] if f is tt.hardtanh else [0.0, -0.0]
    np.testing.assert_array_equal(gradients(f, kinks)[0], [0, 0])


def test_equal_operands_share_the_gradient() -> None:
    for f in (tt.maximum, tt.minimum):
        a, b = gradients(f, [1.0, 2.0], [1.0, 2.0])
        np.testing.assert_array_equal(a, [0.5, 0.5])
        np.testing.assert_array_equal(b, [0.5, 0.5])


def test_power_where_base_or_exponent_is_zero() -> None:
    base, exponent = [0.0, 0.0, 0.0, 2.0, -2.0], [0.0, 1.0, 2.0, 0.0, 3.0]
    with np.errstate(invalid="ignore"):
        by_base, by_exponent = gradients(tt.pow, base, exponent)
    np.testing.assert_allclose(by_base, [0, 1, 0, 0, 12])
    np.testing.assert_allclose(by_exponent[:4], [0, 0, 0, math.log(2)])
    assert np.isnan(by_exponent[4])  # log(-2)


@pytest.mark.parametrize(("exponent", "expected"), [(0, [0, 0]), (1, [1, 1]), (2, [0, 4])])
def test_power_with_a_number(exponent: int, expected: list[float]) -> None:
    np.testing.assert_array_equal(gradients(lambda x: x**exponent, [0.0, 2.0])[0], expected)
    if exponent == 0:
        return  # a constant: nothing is left to differentiate
    x = tt.tensor([0.0, 2.0], dtype=np.float64, requires_grad=True)
    (first,) = tt.grad((x**exponent).sum(), x, create_graph=True)
    (second,) = tt.grad(first.sum(), x)
    np.testing.assert_array_equal(second.numpy(), [exponent * (exponent - 1)] * 2)


def test_sigmoid_and_softplus_do_not_overflow() -> None:
    x = np.array([-1e4, -100.0, 0.0, 100.0, 1e4], np.float32)
    with np.errstate(over="raise"):
        for module in (kernels, reference):
            np.testing.assert_allclose(module.sigmoid(x), [0, 3.8e-44, 0.5, 1, 1], atol=1e-43)
            np.testing.assert_allclose(module.softplus(x, 1.0, 1e9)[2:], [math.log(2), 100, 1e4])


@pytest.mark.parametrize(("low", "high"), [(-1, 1), (None, 0.5), (0.5, None), (1, -1), (0, 0)])
def test_clip_is_numpys(low, high) -> None:
    x = np.array([-2, -1, -0.5, 0, 0.5, 1, 2, np.nan, np.inf, -np.inf], np.float32)
    np.testing.assert_array_equal(kernels.clip(x, low, high), np.clip(x, low, high))


def test_a_large_operand_broadcast_every_way() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 40, 50)).astype(np.float32)
    for shape in [(50,), (40, 1), (30, 1, 1), (30, 1, 50), (1, 40, 50), (1,), (1, 1, 1), ()]:
        y = rng.normal(size=shape).astype(np.float32)
        np.testing.assert_array_equal(kernels.subtract(x, y), np.subtract(x, y))
        np.testing.assert_array_equal(kernels.subtract(y, x), np.subtract(y, x))
        turned = x.transpose(2, 0, 1)
        z = rng.normal(size=(40,)).astype(np.float32)
        np.testing.assert_array_equal(kernels.multiply(turned, z), np.multiply(turned, z))


def test_bad_arguments_are_named() -> None:
    x = tt.tensor([[1.0, 2.0]])
    with pytest.raises(tt.ShapeError, match=r"add: .*a is float32 \(1, 2\), b is float32 \(3,\)"):
        x + tt.tensor([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="gelu: approximate must be"):
        tt.gelu(x, approximate="fast")
    with pytest.raises(tt.DtypeError, match="leaky_relu: negative_slope must be a number"):
        tt.leaky_relu(x, negative_slope="0.1")
    with pytest.raises(ValueError, match=r"hardtanh: min_val 2.* is above max_val 1"):
        tt.hardtanh(x, 2.0, 1.0)


def test_one() -> None:
    for x in (np.float32(3), np.array(3.0), np.ones((1, 1)), np.array(3, ">f4"), np.array(3, "f4")):
        one = kernels.one(x)
        assert one.shape == x.shape
        assert one.dtype == x.dtype
        assert one == 1
        assert one.ndim or not one.flags.writeable  # shared by all who ask
    assert kernels.one(np.ones(2)) is None


def test_add_into() -> None:
    rng = np.random.default_rng(0)
    for shape in [(), (0,), (5,), (7, 9), (300, 701)]:
        total, x = rng.normal(size=(2, *shape)).astype(np.float32)
        total = np.asarray(total).copy()
        expected = total + x
        assert kernels.add_into(total, np.asarray(x))
        np.testing.assert_array_equal(total, expected)
    total = np.zeros((4, 6), np.float32)
    kernels.add_into(total[:, ::2], np.ones((4, 3)))  # strided, of another dtype, and broadcast:
    kernels.add_into(total, np.ones(6, np.float32))  # NumPy's
    np.testing.assert_array_equal(total, np.tile([2, 1], (4, 3)))
    with pytest.raises(ValueError, match="broadcast"):
        kernels.add_into(total, np.ones(5, np.float32))
    total.flags.writeable = False
    for fixed in (total, np.float32(1)):
        assert not kernels.add_into(fixed, np.ones((), np.float32))
    np.testing.assert_array_equal(total, np.tile([2, 1], (4, 3)))
