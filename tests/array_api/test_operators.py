"""Operators: each pair of dtypes, Python numbers on both sides, in place, and what they refuse."""

from __future__ import annotations

import itertools
import operator
from typing import Any

import numpy as np
import pytest

import tinytensor as tt

from .oracle import DTYPES, SIGNED, UNSIGNED, draw, raw, strict, usual

OPERATORS = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and_", "or_", "xor"]
OPERATORS += ["lshift", "rshift", "eq", "ne", "lt", "le", "gt", "ge"]
IN_PLACE = ["iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow", "iand", "ior", "ixor"]
IN_PLACE += ["ilshift", "irshift"]
SHAPES: list[tuple[Any, Any]] = [((3, 4), (3, 4)), ((3, 1), (4,)), ((), (3,)), ((0,), (1,))]
OF_FLOATS = ["atan2", "copysign", "hypot", "logaddexp", "maximum", "minimum", "nextafter", "pow"]
OF_BITS = [f"bitwise_{name}" for name in ("and", "or", "xor", "left_shift", "right_shift")]
NUMBERS = [2, True, 1.5, 2j]


def agree(what: str, f: Any, *args: Any) -> None:
    """f of strict's arrays, where strict allows it, and of tensors."""

    def given(library: Any) -> list[Any]:
        return [library.asarray(a) if isinstance(a, np.ndarray) else a for a in args]

    with np.errstate(all="ignore"):
        try:
            wanted = raw(f(*given(strict)))
        except Exception:
            return
        found = f(*given(tt))
    assert isinstance(found, tt.Tensor), what
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape), what
    if wanted.dtype.kind in "fc":
        near = 1e-5 if np.finfo(wanted.dtype).bits == 32 else 1e-12
        np.testing.assert_allclose(found.numpy(), wanted, near, near, err_msg=what)
    else:
        np.testing.assert_array_equal(found.numpy(), wanted, what)


def small(name: str, x: np.ndarray) -> np.ndarray:
    """Exponents and shifts that integers allow."""
    return abs(x) if "shift" in name or ("pow" in name and x.dtype.kind == "i") else x


@pytest.mark.parametrize("name", OPERATORS)
def test_of_two_arrays(name: str) -> None:
    rng = np.random.default_rng(0)
    f = getattr(operator, name)
    for one, other, (a, b) in itertools.product(DTYPES, DTYPES, SHAPES):
        x, y = draw(rng, one, *a), small(name, draw(rng, other, *b))
        agree(f"{one} {name} {other}", f, usual(name, x), usual(name, y))


@pytest.mark.parametrize("name", OPERATORS)
def test_of_an_array_and_a_number(name: str) -> None:
    rng = np.random.default_rng(1)
    f = getattr(operator, name)
    for dtype, number, shape in itertools.product(DTYPES, NUMBERS, [(3, 4), ()]):
        x = usual(name, draw(rng, dtype, *shape))
        agree(f"{dtype} {name} {number}", f, x, number)
        agree(f"{number} {name} {dtype}", f, number, small(name, x))


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place(name: str) -> None:
    rng = np.random.default_rng(2)
    f = getattr(operator, name)
    for one, other in itertools.product(DTYPES, DTYPES):
        a, b = draw(rng, one, 3, 4), small(name, draw(rng, other, 4))
        agree(f"{one} {name} {other}", f, usual(name, a), usual(name, b))
    for dtype, number in itertools.product(DTYPES, NUMBERS):
        agree(f"{dtype} {name} {number}", f, usual(name, draw(rng, dtype, 3)), number)
    x = tt.ones(3)
    same = x
    x += 1
    assert x is same
    with pytest.raises(ValueError, match=r"\+="):
        x += tt.ones((2, 3))
    whole = tt.asarray([1, 2])
    with pytest.raises(TypeError):
        whole += tt.asarray([1.5, 2.5])


def test_matrix_products() -> None:
    rng = np.random.default_rng(3)
    for one, other in itertools.product(DTYPES, DTYPES):
        a, b = draw(rng, one, 3, 3), draw(rng, other, 3, 3)
        a, b = (np.where(np.isfinite(x), x, x.dtype.type(1)) for x in (a, b))
        agree(f"{one} @ {other}", operator.matmul, a, b)
        agree(f"{one} @= {other}", operator.imatmul, a, b)
    for f in (lambda x: x @ 2.0, lambda x: 2.0 @ x):
        with pytest.raises((TypeError, ValueError), match="matmul"):
            f(tt.ones((2, 2)))


def test_of_one_array() -> None:
    rng = np.random.default_rng(4)
    for dtype, name in itertools.product(DTYPES, ("abs", "neg", "pos", "invert")):
        agree(f"{name} {dtype}", getattr(operator, name), draw(rng, dtype, 3, 4))
        agree(f"{name} {dtype}", getattr(operator, name), draw(rng, dtype))


@pytest.mark.parametrize("dtype", [*SIGNED, *UNSIGNED])
def test_numbers_out_of_range(dtype: str) -> None:
    """They never wrap around."""
    info = tt.iinfo(getattr(tt, dtype))
    x = tt.asarray([1, 2], dtype=getattr(tt, dtype))
    for number in (info.max + 1, info.min - 1):
        for f in (
            lambda n=number: x + n,
            lambda n=number: n * x,
            lambda n=number: tt.asarray(n, dtype=x.dtype),
            lambda n=number: tt.full(2, n, dtype=x.dtype),
            lambda n=number: tt.full_like(x, n),
            lambda n=number: x.__setitem__(0, n),
        ):
            with pytest.raises(OverflowError):
                f()
    assert x.tolist() == [1, 2]
    for number in (info.max, info.min):
        assert tt.asarray(number, dtype=x.dtype).item() == number
        assert tt.full_like(x, number).tolist() == [number] * 2


def test_functions_of_two_take_a_number_on_either_side() -> None:
    x = tt.asarray([1.0, -2.0, 3.0])
    flags, whole = tt.asarray([True, False]), tt.asarray([1, 6], dtype=tt.uint8)
    for name in [
        "atan2",
        "copysign",
        "hypot",
        "logaddexp",
        "maximum",
        "minimum",
        "nextafter",
        "pow",
        "remainder",
    ]:
        f = getattr(tt, name)
        for found in (f(x, 2.0), f(2.0, x), f(x, 2), f(2, x)):
            assert found.dtype == tt.float32
            assert found.shape == (3,)
        np.testing.assert_array_equal(f(2.0, x).numpy(), f(tt.full_like(x, 2.0), x).numpy())
    for name in [
        "bitwise_and",
        "bitwise_or",
        "bitwise_xor",
        "bitwise_left_shift",
        "bitwise_right_shift",
    ]:
        f = getattr(tt, name)
        assert f(whole, 3).dtype == f(3, whole).dtype == tt.uint8
        assert f(3, whole).tolist() == f(tt.full_like(whole, 3), whole).tolist()
    for name in ["logical_and", "logical_or", "logical_xor", "equal", "not_equal"]:
        f = getattr(tt, name)
        assert f(flags, True).tolist() == f(True, flags).tolist()


def test_conversions_to_python() -> None:
    for dtype in DTYPES:
        one = tt.asarray(1, dtype=getattr(tt, dtype))
        assert bool(one) is True
        if dtype.startswith("complex"):
            with pytest.raises(TypeError):
                float(one)
            with pytest.raises(TypeError):
                int(one)
        else:
            assert (int(one), float(one)) == (1, 1.0)
        assert complex(one) == 1
        if "int" in dtype:
            assert [10, 20][one] == 20
        else:
            with pytest.raises(TypeError):
                [10, 20][one]
    many = tt.ones(2)
    for f in (bool, int, float, complex, operator.index):
        with pytest.raises((TypeError, ValueError)):
            f(many)
    for nothing in (tt.ones(0), tt.ones((0, 3))):
        with pytest.raises((TypeError, ValueError)):
            bool(nothing)
    with pytest.raises(ValueError):  # noqa: PT011
        int(tt.asarray(float("nan")))
    with pytest.raises(OverflowError):
        int(tt.asarray(float("inf")))
