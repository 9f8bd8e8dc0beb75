"""First and second derivatives of every op in float64, against central finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinytensor as tt

from .calls import Key, arguments, call, differentiable, each_case, op_of
from .ops_table import Case, Row

EPS = 1e-6
RELATIVE, ABSOLUTE = 1e-5, 1e-7  # of a derivative; absolute: times the largest one
MOST_ELEMENTS = 40  # of an array are moved one by one; of a larger one, a sample


def elements(array: np.ndarray) -> list[tuple[int, ...]]:
    every = list(np.ndindex(array.shape))
    if len(every) <= MOST_ELEMENTS:
        return every
    chosen = np.random.default_rng(11).choice(len(every), MOST_ELEMENTS, replace=False)
    return [every[i] for i in chosen]


def assert_derivatives(
    what: str,
    function: Callable[[dict[Key, np.ndarray]], float],
    at: dict[Key, np.ndarray],
    derivatives: dict[Key, np.ndarray],
) -> None:
    """Hold ``derivatives`` of ``function`` against central differences, element by element."""
    for key, array in at.items():
        for index in elements(array):

            def moved(step: complex, key=key, array=array, index=index) -> float:
                there = array.copy()
                there[index] += step
                return function({**at, key: there})

            numeric: complex = (moved(EPS) - moved(-EPS)) / (2 * EPS)
            if array.dtype.kind == "c":  # the gradient is dL/dx + i dL/dy
                numeric += 1j * (moved(1j * EPS) - moved(-1j * EPS)) / (2 * EPS)
            exact = derivatives[key][index]
            bound = RELATIVE * abs(numeric) + ABSOLUTE * max(1.0, np.abs(derivatives[key]).max())
            assert abs(numeric - exact) <= bound, (
                f"{what}, argument {key!r} at {index}: rule {exact}, finite differences {numeric}"
            )


def weights(outputs: tuple[tt.Tensor, ...], seed: int) -> list[np.ndarray]:
    """A cotangent for each output, of either sign and away from 0."""
    rng = np.random.default_rng(seed)

    def drawn(o: tt.Tensor) -> np.ndarray:
        numbers = rng.uniform(0.5, 1.5, o.shape) * rng.choice([-1, 1], o.shape)
        if o.dtype.kind == "c":
            numbers = numbers + 1j * rng.uniform(0.5, 1.5, o.shape)
        return np.asarray(numbers)

    return [drawn(o) for o in outputs]


def inner(arrays: list[np.ndarray], other: list[np.ndarray]) -> float:
    """Σ Re (a b̄), whose gradient by a is b."""
    return float(sum((a * b.conj()).real.sum() for a, b in zip(arrays, other, strict=True)))


def gradients(
    op: Any, case: Case, at: dict[Key, np.ndarray], cotangents: list, create_graph: bool = False
) -> tuple[dict[Key, tt.Tensor], list[tt.Tensor]]:
    """The inputs as tensors, and the gradients of the op's outputs times ``cotangents``."""
    inputs = {key: tt.Tensor(array, requires_grad=True) for key, array in at.items()}
    outputs = tuple(o for o in call(op, case, inputs) if o.tracked)
    found = tt.grad(
        outputs,
        tuple(inputs.values()),
        tuple(cotangents),
        create_graph=create_graph,
        allow_unused=True,
    )
    zeros = [tt.Tensor(np.zeros(x.shape, x.dtype)) for x in inputs.values()]
    return inputs, [z if g is None else g for g, z in zip(found, zeros, strict=True)]


@pytest.mark.parametrize(("row", "case"), each_case(only=lambda row: row.differentiable))
def test_first_derivatives(row: Row, case: Case) -> None:
    op = op_of(row)
    at = {key: arguments(case)[key] for key in differentiable(op, case)}
    inputs = {key: tt.Tensor(array, requires_grad=True) for key, array in at.items()}
    outputs = call(op, case, inputs)
    floating = [i for i, o in enumerate(outputs) if o.tracked]
    cotangents = weights(tuple(outputs[i] for i in floating), seed=1)

    def value(there: dict[Key, np.ndarray]) -> float:
        out = call(op, case, {key: tt.Tensor(array) for key, array in there.items()})
        return inner([np.asarray(out[i].data) for i in floating], cotangents)

    _, found = gradients(op, case, at, [tt.Tensor(c) for c in cotangents])
    for x, g in zip(at.values(), found, strict=True):
        assert (g.shape, g.dtype) == (x.shape, x.dtype)
    exact = {key: np.asarray(g.data) for key, g in zip(at, found, strict=True)}
    assert_derivatives(f"{row.op}, first order", value, at, exact)


@pytest.mark.parametrize(
    ("row", "case"), each_case(only=lambda row: row.differentiable and row.smooth)
)
def test_second_derivatives(row: Row, case: Case) -> None:
    """Of ⟨v, gradient⟩ by the inputs and by the cotangent, for fixed numbers v."""
    op = op_of(row)
    at = {key: arguments(case)[key] for key in differentiable(op, case)}
    outputs = call(op, case, {k: tt.Tensor(a, requires_grad=True) for k, a in at.items()})
    cotangents = weights(tuple(o for o in outputs if o.tracked), seed=1)
    first: dict[Key, np.ndarray] = {("cotangent", i): c for i, c in enumerate(cotangents)}
    _, found = gradients(op, case, at, [tt.Tensor(c) for c in cotangents])
    v = weights(tuple(found), seed=2)

    def projected(there: dict[Key, np.ndarray]) -> float:
        moved = {key: there[key] for key in at}
        _, found = gradients(op, case, moved, [tt.Tensor(there[name]) for name in first])
        return inner([np.asarray(g.data) for g in found], v)

    tracked_cotangents = {name: tt.Tensor(c, requires_grad=True) for name, c in first.items()}
    inputs, found = gradients(op, case, at, list(tracked_cotangents.values()), create_graph=True)
    everything = {**inputs, **tracked_cotangents}
    recorded = [(g, tt.Tensor(c)) for g, c in zip(found, v, strict=True) if g.tracked]
    assert recorded, "the gradient depends on the cotangent, so it must be recorded"
    second = tt.grad(
        tuple(g for g, _ in recorded),
        tuple(everything.values()),
        tuple(c for _, c in recorded),
        allow_unused=True,
    )
    exact = {
        key: np.zeros(x.shape, x.dtype) if g is None else np.asarray(g.data)
        for (key, x), g in zip(everything.items(), second, strict=True)
    }
    assert_derivatives(f"{row.op}, second order", projected, {**at, **first}, exact)


@pytest.mark.parametrize(("row", "case"), each_case(only=lambda row: row.differentiable))
def test_complex_derivatives_or_a_refusal(row: Row, case: Case) -> None:
    """With complex numbers in place of real ones an op is right, or says that it takes none."""
    op = op_of(row)
    rng = np.random.default_rng(7)
    at = {
        key: np.asarray(array + 0.3j * rng.normal(size=array.shape))
        for key, array in ((key, arguments(case)[key]) for key in differentiable(op, case))
    }
    inputs = {key: tt.Tensor(array, requires_grad=True) for key, array in at.items()}
    try:
        outputs = call(op, case, inputs)
    except (TypeError, ValueError):
        return
    floating = [i for i, o in enumerate(outputs) if o.tracked]
    cotangents = weights(tuple(outputs[i] for i in floating), seed=1)

    def value(there: dict[Key, np.ndarray]) -> float:
        out = call(op, case, {key: tt.Tensor(array) for key, array in there.items()})
        return inner([np.asarray(out[i].data) for i in floating], cotangents)

    try:
        _, found = gradients(op, case, at, [tt.Tensor(c) for c in cotangents])
    except tt.GraphError:  # of vectors whose phases are free
        return
    exact = {key: np.asarray(g.data) for key, g in zip(at, found, strict=True)}
    assert_derivatives(f"{row.op} of complex numbers", value, at, exact)
