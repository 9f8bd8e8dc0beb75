"""Fast kernels against their NumPy twins, in float32, on every instruction set of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
import pytest

from tinytensor import kernels

from ..table import ROWS, Case, Row
from ..table.calls import (
    arrays,
    as_float32,
    assert_same,
    cases_of,
    each_case,
    evaluate,
    op_of,
    reference_kernels,
    replaced,
    with_arrays,
)
from ..table.large_cases import LARGE

if kernels.active != "fast":
    pytest.skip("the reference kernels are the only ones here", allow_module_level=True)

from tinytensor.kernels import _core

ISAS = _core.available_isas()
ELEMENTWISE = [name for name, row in ROWS.items() if row.elementwise]
OTHERS = [name for name, row in ROWS.items() if not row.elementwise]


@pytest.fixture(params=ISAS)
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    before = _core.isa()
    _core.use_isa(request.param)
    yield request.param
    _core.use_isa(before)


def assert_like_reference(row: Row, case: Case, what: str) -> None:
    op = op_of(row)
    with np.errstate(all="ignore"):
        fast = evaluate(op, case)
        with reference_kernels():
            expected = evaluate(op, case)
    assert_same(fast, expected, row.float32_tolerance, f"{row.op}, {what}")


@pytest.mark.parametrize(("row", "case"), each_case())
def test_values_and_gradients(row: Row, case: Case, isa: str) -> None:
    assert_like_reference(row, as_float32(case), isa)


@pytest.mark.parametrize(("row", "case"), LARGE)
def test_large(row: Row, case: Case, isa: str) -> None:
    assert_like_reference(row, case, isa)


# --- Layouts ---------------------------------------------------------------------------------


def fortran(array: np.ndarray) -> np.ndarray:
    return np.asfortranarray(array)


def every_second(array: np.ndarray) -> np.ndarray:
    """The same numbers with as many others between them."""
    wide = (
        np.full((*array.shape[:-1], 2 * array.shape[-1]), 77, array.dtype) if array.ndim else array
    )
    view = wide[..., ::2] if array.ndim else array
    view[...] = array
    return view


def backwards(array: np.ndarray) -> np.ndarray:
    """The same numbers, last first in memory."""
    turned = array[(slice(None, None, -1),) * array.ndim].copy()
    return turned[(slice(None, None, -1),) * array.ndim]


def middle(array: np.ndarray) -> np.ndarray:
    """The same numbers within a larger array, at an address that no vector is aligned to."""
    room = np.full(tuple(n + 2 for n in array.shape), 77, array.dtype)
    view = room[(slice(1, -1),) * array.ndim]
    view[...] = array
    return view


def unaligned(array: np.ndarray) -> np.ndarray:
    """The same numbers at an address that is odd."""
    raw = np.empty(array.nbytes + 1, np.uint8)
    view = raw[1:].view(array.dtype) if array.nbytes else array.ravel()
    view = view.reshape(array.shape)
    view[...] = array
    return view


def read_only(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.flags.writeable = False
    return array


def byte_swapped(array: np.ndarray) -> np.ndarray:
    return array.astype(array.dtype.newbyteorder()) if array.dtype.kind == "f" else array


LAYOUTS = [fortran, every_second, backwards, middle, unaligned, read_only]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ROWS)
def test_layouts(name: str, layout: Callable[[np.ndarray], np.ndarray]) -> None:
    row = ROWS[name]
    for case in cases_of(row):
        plain = as_float32(case)
        laid_out = with_arrays(plain, lambda a: layout(a) if a.ndim else a)
        assert_like_reference(row, laid_out, layout.__name__)
        with np.errstate(all="ignore"):
            op = op_of(ROWS[name])
            got, expected = evaluate(op, laid_out), evaluate(op, plain)
        assert_same(got, expected, row.float32_tolerance, f"{name}, {layout.__name__}")


@pytest.mark.parametrize("name", ROWS)
def test_arrays_are_not_written_to(name: str) -> None:
    for case in cases_of(ROWS[name]):
        case = as_float32(case)
        before = {key: a.copy() for key, a in arrays(case).items()}
        evaluate(op_of(ROWS[name]), case)
        for key, array in arrays(case).items():
            np.testing.assert_array_equal(array, before[key], f"{name}, argument {key!r}")


# --- Shapes of element-wise ops --------------------------------------------------------------

SHAPES = [(), (1,), (1, 1), (0,), (3, 0, 2), (7,), (2, 3, 5), (1, 67), (300,)]
BROADCASTS = [
    ((2, 3), ()),
    ((), (2, 3)),
    ((2, 3), (3,)),
    ((3,), (2, 3)),
    ((2, 1), (1, 3)),
    ((4, 1, 17), (5, 1)),
    ((1,), (19,)),
    ((2, 3), (1, 1)),
    ((3, 0), (1, 1)),
    ((2, 1, 33), (2, 4, 33)),
]


def reshaped(case: Case, shapes: tuple[tuple[int, ...], ...]) -> Case:
    """The case with arrays of these shapes (in turn), of the same numbers repeated."""
    changed = {}
    for i, (key, array) in enumerate(arrays(case).items()):
        changed[key] = np.resize(array, shapes[i % len(shapes)])
    return replaced(case, changed)


def full_cases(name: str) -> list[Case]:
    return [
        as_float32(case)
        for case in cases_of(ROWS[name])
        if arrays(case) and all(a.size for a in arrays(case).values())
    ]


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_shapes(name: str, isa: str) -> None:
    for case, shape in product(full_cases(name), SHAPES):
        assert_like_reference(ROWS[name], reshaped(case, (shape,)), f"{isa}, {shape}")


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_broadcasting(name: str) -> None:
    for case, shapes in product(full_cases(name), BROADCASTS):
        if len(arrays(case)) > 1:
            assert_like_reference(ROWS[name], reshaped(case, shapes), str(shapes))


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_lengths(name: str, isa: str) -> None:
    """Every length up to several vectors, so every tail."""
    case = full_cases(name)[0]
    for n in range(70):
        assert_like_reference(ROWS[name], reshaped(case, ((n,),)), f"{isa}, {n} elements")


# --- Extremes --------------------------------------------------------------------------------

# Values of one magnitude together, since errors are measured by the largest.
EXTREMES = [
    [300.0, -300.0],
    [0.0, -0.0, 1.0, -1.0, 0.5],
    [np.inf, -np.inf],
    [np.nan, 1.0],
    [3e38, -3e38],
    [1e-38, -1e-38],
]


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_extremes(name: str, isa: str) -> None:
    for case in full_cases(name):
        floats = [key for key, a in arrays(case).items() if a.dtype == np.float32]
        for values in product(EXTREMES, repeat=min(len(floats), 2)):
            pairs = np.array(list(product(*values)), np.float32)
            long = np.resize(pairs, (67 * len(pairs) // len(pairs) + len(pairs), pairs.shape[1]))
            planted = reshaped(case, ((len(long),),))
            columns = {key: long[:, i % long.shape[1]].copy() for i, key in enumerate(floats)}
            assert_like_reference(ROWS[name], replaced(planted, columns), f"{isa}, {values}")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", [name for name in OTHERS if not ROWS[name].hides])
def test_planted_extremes(name: str, value: float) -> None:
    """One NaN or inf among ordinary numbers arrives wherever it arrives in NumPy, or is refused."""
    for case in full_cases(name):
        for key, array in arrays(case).items():
            if array.dtype == np.float32:
                planted = array.copy()
                planted.flat[array.size // 2] = value
                planted_case = replaced(case, {key: planted})
                try:
                    assert_like_reference(ROWS[name], planted_case, f"{value} in {key!r}")
                except ValueError as refusal:
                    with reference_kernels(), pytest.raises(type(refusal)):
                        evaluate(op_of(ROWS[name]), planted_case)
