"""Bad input to every op: a clear error that begins with the op's name, or NumPy's own answer.

Never a crash, and never an answer that differs from that of the reference kernels.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.engine.core import GraphError

from ..table import ROWS, Case
from ..table.calls import (
    Key,
    Result,
    arguments,
    arrays,
    as_float32,
    assert_same,
    call,
    cases_of,
    differentiable,
    evaluate,
    op_of,
    public_ops,
    reference_kernels,
    replaced,
)

CLEAR = (ValueError, TypeError, IndexError, GraphError)


def assert_clear(error: Exception, name: str) -> None:
    """The message begins with the name of what was called, and names no op within it."""
    start, _, rest = str(error).partition(": ")
    written = "x[index]" if name == "getitem" else getattr(op_of(ROWS[name]), "written", name)
    assert start == written, f"not clear: {error!r}"
    assert rest.partition(":")[0] not in public_ops(), f"two names: {error!r}"


def outcome(name: str, case: Case, gradients: bool = True) -> Result | Exception:
    """What the op answers, if it is an answer that an op may give."""
    op = op_of(ROWS[name])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            outputs = call(op, case, {})
        except CLEAR as error:
            assert_clear(error, name)
            return error
        if gradients:
            return evaluate(op, case)  # whatever has a value has a gradient
    return Result([np.asarray(getattr(out, "data", out)) for out in outputs], {})


def check(name: str, case: Case, what: str, gradients: bool = True) -> None:
    try:
        fast = outcome(name, case, gradients)
        with reference_kernels():
            expected = outcome(name, case, gradients)
        if isinstance(expected, Exception) or isinstance(fast, Exception):
            assert type(fast) is type(expected), f"reference: {expected!r}, fast: {fast!r}"
        else:
            assert_same(fast, expected, ROWS[name].float32_tolerance, name)
    except Exception as error:
        given = {
            key: f"{v.dtype}{v.shape}" if isinstance(v, np.ndarray) else repr(v)
            for key, v in arguments(case).items()
        }
        error.add_note(f"{name} with {what}: {given}")
        raise


def changed(name: str, keep: int = 4) -> Iterator[tuple[Case, Key, np.ndarray]]:
    """Some float32 cases of a row, with each array in them in turn."""
    for case in cases_of(ROWS[name])[:keep]:
        case = as_float32(case)
        for key, array in arrays(case).items():
            yield case, key, array


@pytest.mark.parametrize("name", ROWS)
def test_wrong_rank(name: str) -> None:
    for case, key, array in changed(name):
        check(name, replaced(case, {key: array[None]}), f"one more axis in {key!r}")
        check(name, replaced(case, {key: array[..., None]}), f"one more axis in {key!r}")
        check(name, replaced(case, {key: np.asarray(array.max(initial=1))}), f"0-d {key!r}")
        if array.ndim and array.shape[0]:
            check(name, replaced(case, {key: array[0].copy()}), f"one axis less in {key!r}")


@pytest.mark.parametrize("name", ROWS)
def test_wrong_size(name: str) -> None:
    for case, key, array in changed(name):
        for axis in range(array.ndim):
            if array.shape[axis]:
                longer = np.concatenate([array, array.take([0], axis)], axis)
                check(name, replaced(case, {key: longer}), f"axis {axis} of {key!r} 1 longer")
                shorter = array.take(range(array.shape[axis] - 1), axis)
                check(name, replaced(case, {key: shorter}), f"axis {axis} of {key!r} 1 shorter")


@pytest.mark.parametrize("name", ROWS)
def test_empty_input(name: str) -> None:
    for case, key, array in changed(name):
        for axis in range(array.ndim):
            check(name, replaced(case, {key: array.take([], axis)}), f"{key!r} empty, axis {axis}")
    for case in cases_of(ROWS[name])[:4]:
        case = as_float32(case)
        empty = {key: np.zeros((0,) * a.ndim, a.dtype) for key, a in arrays(case).items()}
        check(name, replaced(case, empty), "all arrays empty")


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("dtype", ["float16", "longdouble", "int8", "uint64", "bool", "complex64"])
def test_other_numbers(name: str, dtype: str) -> None:
    for case, key, array in changed(name):
        other = np.nan_to_num(array.real).astype(dtype)
        check(name, replaced(case, {key: other}), f"{dtype} for {key!r}", gradients=False)


def text(array: np.ndarray) -> np.ndarray:
    return np.full(array.shape, "text")


def objects(array: np.ndarray) -> np.ndarray:
    return np.full(array.shape, object())


def dates(array: np.ndarray) -> np.ndarray:
    return np.full(array.shape, np.datetime64("2001-01-01"))


def records(array: np.ndarray) -> np.ndarray:
    return np.zeros(array.shape, [("a", np.float32), ("b", np.int8)])


@pytest.mark.no_c
@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("make", [text, objects, dates, records])
def test_no_numbers_at_all(name: str, make: Any) -> None:
    for case, key, array in changed(name):
        check(name, replaced(case, {key: make(array)}), f"{make.__name__} for {key!r}", False)


@pytest.mark.no_c
@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("thing", ["text", b"bytes", {}, object(), [[1.0], [2.0, 3.0]], np.float32])
def test_things_that_are_no_arrays(name: str, thing: Any) -> None:
    for case, key, _ in changed(name):
        check(name, replaced(case, {key: thing}), f"{thing!r} for {key!r}", False)


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("thing", [41, -41, 1.5, "text", (41, 41, 41), (-1, -1), ()])
def test_other_values_of_plain_arguments(name: str, thing: Any) -> None:
    for case in cases_of(ROWS[name])[:6]:
        case = as_float32(case)
        for key, value in arguments(case).items():
            if not isinstance(value, np.ndarray):
                check(name, replaced(case, {key: thing}), f"{thing!r} for {key!r}", False)


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity(name: str, value: float) -> None:
    for case, key, array in changed(name):
        if array.dtype == np.float32 and array.size:
            planted = array.copy()
            planted.flat[array.size // 2] = value
            if ROWS[name].hides:
                outcome(name, replaced(case, {key: planted}))
            else:
                check(name, replaced(case, {key: planted}), f"{value} in {key!r}")


@pytest.mark.parametrize("name", ROWS)
def test_integer_tensors_that_ask_for_gradients(name: str) -> None:
    for case, key, array in changed(name, keep=1):
        numbers = np.nan_to_num(array).astype(np.int64)
        with pytest.raises(TypeError, match="requires_grad"):
            tt.Tensor(numbers, requires_grad=True)
        constant = tt.Tensor(numbers)
        with pytest.raises(TypeError, match="requires_grad"):
            constant.requires_grad = True
        op = op_of(ROWS[name])
        if key in differentiable(op, case):
            with np.errstate(all="ignore"):
                try:
                    outputs = call(op, replaced(case, {key: constant}), {})
                except CLEAR as error:
                    assert_clear(error, name)
                else:
                    assert not any(out.requires_grad for out in outputs)


def test_lists_of_lists_and_of_nothing_are_joined_or_refused() -> None:
    assert tt.concat([[1.0, 2.0], [3.0]]).tolist() == [1, 2, 3]
    assert tt.stack([[1.0, 2.0], [3.0, 4.0]]).dtype == tt.float32
    for join in (tt.concat, tt.stack):
        with pytest.raises(tt.ShapeError, match=rf"^{join.__name__}: needs at least one array"):
            join([])


@pytest.mark.parametrize("most", [2**31, 2**63, 2**80])
def test_sizes_that_c_does_not_count(most: int) -> None:
    x, w = tt.ones(1, 1, 5, 5), tt.ones(1, 1, 3, 3)
    for name, ask in {
        "conv2d: stride": lambda: tt.conv2d(x, w, stride=most),
        "conv2d: padding": lambda: tt.conv2d(x, w, padding=(0, most)),
        "conv2d: dilation": lambda: tt.conv2d(x, w, dilation=most),
        "conv_transpose2d: stride": lambda: tt.conv_transpose2d(x, w, stride=most),
        "max_pool2d: kernel_size": lambda: tt.max_pool2d(x, most),
        "max_pool2d: stride": lambda: tt.max_pool2d(x, 2, most),
        "avg_pool2d: padding": lambda: tt.avg_pool2d(x, 2, 1, most),
        "adaptive_avg_pool2d: output_size": lambda: tt.adaptive_avg_pool2d(x, most),
        "unfold: kernel_size": lambda: tt.unfold(x, most),
    }.items():
        with pytest.raises(tt.ShapeError, match=f"^{name} must be at most 2147483647, is"):
            ask()


@pytest.mark.parametrize(
    "make",
    [
        tt.zeros,
        tt.ones_like,
        tt.full_like,
        tt.asarray,
        tt.full,
        tt.linspace,
        tt.randint,
        tt.nn.functional.pad,
        tt.nn.functional.one_hot,
        tt.nn.functional.normalize,
    ],
    ids=lambda make: make.__name__,
)
def test_functions_name_themselves(make: Any) -> None:
    rest = {"full_like": 1, "full": 1, "linspace": 2, "randint": 2, "pad": 1}.get(make.__name__, 0)
    with pytest.raises(CLEAR, match=rf"^{make.__name__}: (?!\w+: )"):
        make("text", *["text"] * rest)
