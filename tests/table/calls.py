"""Calling the ops of the table: drawing cases, replacing arrays in them, differentiating them."""

from __future__ import annotations

import copy
import pkgutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import kernels, ops
from tinytensor.engine.operation import Op
from tinytensor.kernels import reference

from . import ROWS, Case, Row

Key = tuple[int | str, ...]  # where an array of a case stands: (0,), ("weight",), (0, 2) in a list


@cache
def families() -> list[ModuleType]:
    """The modules of ops."""
    packages = {package.__name__: package for package in (ops, ops.losses, ops.linalg)}
    return [
        import_module(f"{name}.{module.name}")
        for name, package in packages.items()
        for module in pkgutil.iter_modules(package.__path__)
    ]


NAMESPACES = (ops, ops.linalg, ops.fft)


@cache
def public_ops() -> dict[str, Op]:
    """The ops that users call, and those of other ops' gradients that have a row, by their own
    names (an alias counts once)."""
    found = {name: op for space in NAMESPACES for name, op in vars(space).items()}
    inner = {name: op for family in families() for name, op in vars(family).items() if name in ROWS}
    ops_alone = {name: op for name, op in (inner | found).items() if isinstance(op, Op)}
    return {op.__name__: op for name, op in ops_alone.items() if not name.startswith("_")}


def function_of(name: str) -> Any:
    """A function of ``tinytensor.ops`` that is made of ops; None if there is none."""
    found = [getattr(space, name, None) for space in (*NAMESPACES, *families())]
    return next((function for function in found if callable(function)), None)


def op_of(row: Row) -> Any:
    """What a row is about: an op, or a function that is made of ops."""
    return public_ops().get(row.op) or function_of(row.op)


def cases_of(row: Row) -> list[Case]:
    """The row's cases, drawn anew: the same numbers in every test."""
    return list(row.cases(np.random.default_rng(zlib.crc32(row.op.encode()))))


def each_case(*, only: Callable[[Row], bool] = lambda row: True) -> list[Any]:
    """Parameters ``(row, case)`` for all cases of the rows that pass ``only``."""
    return [
        pytest.param(row, case, id=f"{row.op}-{i}")
        for row in ROWS.values()
        if only(row)
        for i, case in enumerate(cases_of(row))
    ]


# --- The arguments of a case -----------------------------------------------------------------


def is_sequence_of_arrays(value: Any) -> bool:
    return isinstance(value, list | tuple) and any(isinstance(v, np.ndarray) for v in value)


def arguments(case: Case) -> dict[Key, Any]:
    """All arguments by place; those of a sequence of arrays one by one."""
    found: dict[Key, Any] = {}
    for name, value in {**dict(enumerate(case.args)), **case.kwargs}.items():
        if is_sequence_of_arrays(value):
            found.update({(name, i): v for i, v in enumerate(value)})
        else:
            found[(name,)] = value
    return found


def replaced(case: Case, changes: dict[Key, Any]) -> Case:
    """The case with some of its arguments exchanged."""

    def new(name: int | str, value: Any) -> Any:
        if is_sequence_of_arrays(value):
            return type(value)(changes.get((name, i), v) for i, v in enumerate(value))
        return changes.get((name,), value)

    args = tuple(new(i, value) for i, value in enumerate(case.args))
    return Case(args, {name: new(name, value) for name, value in case.kwargs.items()})


def arrays(case: Case) -> dict[Key, np.ndarray]:
    return {key: v for key, v in arguments(case).items() if isinstance(v, np.ndarray)}


def with_arrays(case: Case, change: Callable[[np.ndarray], Any]) -> Case:
    """The case with ``change`` made to every array in it."""
    return replaced(case, {key: change(array) for key, array in arrays(case).items()})


def as_float32(case: Case) -> Case:
    single = {np.dtype(np.float64): np.float32, np.dtype(np.complex128): np.complex64}
    return with_arrays(case, lambda a: a.astype(single.get(a.dtype, a.dtype)))


def parameter(op: Op, key: Key) -> str:
    """The name of the op's parameter at a place."""
    return key[0] if isinstance(key[0], str) else [*op.names, *op.static][key[0]]


def differentiable(op: Any, case: Case) -> list[Key]:
    """Where the arrays of real or complex floats stand that the op has a gradient rule for."""
    floating = [key for key, array in arrays(case).items() if array.dtype.kind in "fc"]
    if not isinstance(op, Op):
        return floating
    return [key for key in floating if parameter(op, key) in op.rules]


def fresh(value: Any) -> Any:
    """An argument that a call may use up: generators of random numbers are copied."""
    return copy.deepcopy(value) if isinstance(value, np.random.Generator) else value


def call(op: Any, case: Case, inputs: dict[Key, tt.Tensor] | None = None) -> tuple[Any, ...]:
    """All outputs of the op; ``inputs`` stand in for arguments of the case."""
    ready = replaced(case, {**{k: fresh(v) for k, v in arguments(case).items()}, **(inputs or {})})
    out = op(*ready.args, **ready.kwargs)
    return out if isinstance(out, tuple) else (out,)


# --- Values and gradients --------------------------------------------------------------------


@dataclass
class Result:
    """What a call gave: its outputs, and the gradients of its differentiable arguments."""

    outputs: list[np.ndarray]
    gradients: dict[Key, np.ndarray]

    def named(self) -> Iterator[tuple[str, np.ndarray]]:
        for i, output in enumerate(self.outputs):
            yield f"output {i}", output
        for key, gradient in self.gradients.items():
            yield f"gradient of argument {key!r}", gradient


def cotangents_for(outputs: tuple[tt.Tensor, ...]) -> list[tt.Tensor]:
    """For each output that is differentiable: fixed numbers, of its shape, around 1."""
    rng = np.random.default_rng(5)
    drawn = []
    for o in outputs:
        if o.tracked:
            numbers = rng.uniform(0.5, 1.5, o.shape)
            if o.dtype.kind == "c":
                numbers = numbers + 1j * rng.uniform(-1.5, 1.5, o.shape)
            drawn.append(tt.Tensor(numbers.astype(o.dtype)))
    return drawn


def evaluate(op: Any, case: Case) -> Result:
    """Outputs and gradients of a call, with fixed cotangents."""
    keys = differentiable(op, case)
    inputs = {k: tt.Tensor(arguments(case)[k], requires_grad=True) for k in keys}
    outputs = call(op, case, inputs)
    tracked = tuple(o for o in outputs if o.tracked)
    gradients: dict[Key, np.ndarray] = {}
    if tracked:
        found = tt.grad(
            tracked, tuple(inputs.values()), tuple(cotangents_for(outputs)), allow_unused=True
        )
        gradients = {
            k: np.asarray(g.data) for k, g in zip(keys, found, strict=True) if g is not None
        }
    return Result([np.asarray(output.data) for output in outputs], gradients)


@contextmanager
def reference_kernels() -> Iterator[None]:
    """Every kernel is its NumPy twin inside."""
    with pytest.MonkeyPatch.context() as patch:
        for name in reference.__all__:
            patch.setattr(kernels, name, getattr(reference, name))
        yield


def assert_close(
    got: np.ndarray, expected: np.ndarray, tolerance: float, what: str, floor: float = 1e-30
) -> None:
    """Same dtype, shape, NaNs and infinities; the rest within ``tolerance`` of the largest."""
    assert got.dtype == expected.dtype, f"{what}: {got.dtype}, expected {expected.dtype}"
    assert got.shape == expected.shape, f"{what}: {got.shape}, expected {expected.shape}"
    if got.dtype.kind not in "fc":
        np.testing.assert_array_equal(got, expected, what)
        return
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(got[~finite], expected[~finite], f"{what}: NaN and inf")
    assert np.isfinite(got[finite]).all(), f"{what}: NaN or inf where {expected[finite]} should be"
    wide = complex if got.dtype.kind == "c" else np.longdouble  # where differences are exact
    scale = np.abs(expected[finite]).max(initial=floor)
    error = np.abs(got[finite].astype(wide) - expected[finite]).max(initial=0.0)
    assert error <= tolerance * scale, f"{what}: off by {error:g} where the largest is {scale:g}"


def assert_same(got: Result, expected: Result, tolerance: float, what: str) -> None:
    assert got.gradients.keys() == expected.gradients.keys()
    for (name, a), (_, b) in zip(got.named(), expected.named(), strict=True):
        if np.asarray(a).dtype == np.float16:  # rounded to it from what is that near
            tolerance = max(tolerance, float(np.finfo(np.float16).eps))
        assert_close(a, b, tolerance, f"{what}, {name}")
