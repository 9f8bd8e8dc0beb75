"""First to third derivatives of every op in float64, against central finite differences.

With fixed numbers c₁, c₂, … of the right shapes, order n is the gradient, by everything in it,
of the number Lₙ: L₁ = ⟨c₁, f(x)⟩, and Lₙ₊₁ = ⟨cₙ₊₁, the gradient of Lₙ by x, c₁ … cₙ₋₁⟩. So
derivatives by cotangents count as much as those by the inputs, and each order stands on the one
before. The cases of the table lie away from kinks, where all derivatives exist; the kinks
themselves are in test_hard_points.py.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import tinytensor as tt

from ..table import Case, Row
from ..table.calls import (
    Key,
    arguments,
    arrays,
    as_float32,
    call,
    differentiable,
    each_case,
    op_of,
)

pytestmark = pytest.mark.no_c

EPS = 1e-6
RELATIVE, ABSOLUTE = 1e-5, 1e-7  # of a derivative; absolute: times the largest one
MOST_ELEMENTS = 40  # of an array are moved one by one; of a larger one, a sample
FLOAT32 = 2e-4  # of the largest third derivative: 2000 roundings, for a chain of some 20 ops each
# of which loses a few

Arrays = dict[Key, np.ndarray]
differentiable_cases = each_case(only=lambda row: row.differentiable)
each_differentiable = pytest.mark.parametrize(("row", "case"), differentiable_cases)


def weights(terms: list[tt.Tensor], seed: int) -> list[np.ndarray]:
    """A number for each element, of either sign and away from 0."""
    rng = np.random.default_rng(seed)

    def drawn(t: tt.Tensor) -> np.ndarray:
        numbers = rng.uniform(0.5, 1.5, t.shape) * rng.choice([-1, 1], t.shape)
        if t.dtype.kind == "c":
            numbers = numbers + 1j * rng.uniform(0.5, 1.5, t.shape)
        return np.asarray(numbers, t.dtype)

    return [drawn(t) for t in terms]


def inner(arrays: list[np.ndarray], other: list[np.ndarray]) -> float:
    """Σ Re (a b̄), whose gradient by a is b."""
    return float(sum((a * b.conj()).real.sum() for a, b in zip(arrays, other, strict=True)))


# --- Lₙ --------------------------------------------------------------------------------------


@dataclass
class Tower:
    """Lₙ at some point: what it depends on, and the terms that are weighted with the numbers cₙ."""

    variables: dict[Key, tt.Tensor]
    terms: list[tt.Tensor]
    numbers: list[np.ndarray]

    @property
    def at(self) -> Arrays:
        return {key: np.asarray(x.data) for key, x in self.variables.items()}

    def value(self) -> float:
        return inner([np.asarray(t.data) for t in self.terms], self.numbers)

    def gradients(self, numbers: list[tt.Tensor], create_graph: bool) -> list[tt.Tensor]:
        """By all variables; zeros, not None, where there is no dependence."""
        pairs = [(t, c) for t, c in zip(self.terms, numbers, strict=True) if t.tracked]
        inputs = tuple(self.variables.values())
        found = (None,) * len(inputs)
        if pairs:  # otherwise the derivative was declared to be 0
            outputs, cotangents = zip(*pairs, strict=True)
            found = tt.grad(
                outputs, inputs, cotangents, create_graph=create_graph, allow_unused=True
            )
        zeros = [tt.Tensor(np.zeros(x.shape, x.dtype)) for x in inputs]
        return [z if g is None else g for g, z in zip(found, zeros, strict=True)]

    def derivatives(self) -> Arrays:
        """The next order."""
        found = self.gradients([tt.Tensor(c) for c in self.numbers], create_graph=False)
        for x, g in zip(self.variables.values(), found, strict=True):
            assert (g.shape, g.dtype) == (x.shape, x.dtype)
        return {key: np.asarray(g.data) for key, g in zip(self.variables, found, strict=True)}


def tower(
    op: Any,
    case: Case,
    order: int,
    at: Arrays,
    by: Collection[Key] | None = None,
    output: int | None = None,
    track_cotangents: bool = True,
) -> Tower:
    """Lₙ for n = ``order``, at the case but for the arrays ``at``, which may hold c₁ … cₙ₋₁ as
    ("c", n, i); of one ``output``, of derivatives ``by`` some inputs alone, or of derivatives by
    inputs and not by cotangents, if so wished."""
    keys = [key for key in differentiable(op, case) if by is None or key in by]
    start = {key: at.get(key, arguments(case)[key]) for key in differentiable(op, case)}
    variables = {key: tt.Tensor(start[key], requires_grad=True) for key in keys}
    outputs = call(op, case, {**{k: tt.Tensor(x) for k, x in start.items()}, **variables})
    numbers = weights([o for o in outputs if o.tracked], seed=1)
    terms = [o for o in outputs if o.tracked]
    if output is not None:
        terms, numbers = terms[output : output + 1], numbers[output : output + 1]
    found = Tower(variables, terms, numbers)
    for n in range(1, order):
        names: list[Key] = [("c", n, i) for i in range(len(found.terms))]
        cotangents = {
            name: tt.Tensor(at.get(name, c), requires_grad=track_cotangents)
            for name, c in zip(names, found.numbers, strict=True)
        }
        terms = found.gradients(list(cotangents.values()), create_graph=True)
        variables = {**found.variables, **(cotangents if track_cotangents else {})}
        found = Tower(variables, terms, weights(terms, seed=n + 1))
    return found


# --- Against finite differences --------------------------------------------------------------


def elements(array: np.ndarray) -> Iterator[np.ndarray]:
    """The directions in which one element moves; of a complex one, both parts in turn."""
    every = list(np.ndindex(array.shape))
    if len(every) > MOST_ELEMENTS:
        chosen = np.random.default_rng(11).choice(len(every), MOST_ELEMENTS, replace=False)
        every = [every[i] for i in chosen]
    for index in every:
        for unit in (1, 1j) if array.dtype.kind == "c" else (1,):
            direction = np.zeros_like(array)
            direction[index] = unit
            yield direction


def all_at_once(array: np.ndarray) -> Iterator[np.ndarray]:
    """One direction, in which every element moves: a wrong derivative of any shows, and the cost
    does not grow with the array."""
    yield from weights([tt.Tensor(array)], seed=array.size + 10)


def assert_derivatives(
    op: Any, case: Case, order: int, directions: Callable[[np.ndarray], Iterator[np.ndarray]],
    at: Arrays | None = None,
) -> None:  # fmt: skip
    made = tower(op, case, order, at or {})
    exact = made.derivatives()
    for key, x in made.at.items():
        largest = max(1.0, np.abs(exact[key]).max(initial=0.0))
        for direction in directions(x):

            def moved(step: float, key=key, x=x, direction=direction) -> float:
                there = np.asarray(x + step * direction)
                return tower(op, case, order, {**made.at, key: there}).value()

            measured = (moved(EPS) - moved(-EPS)) / (2 * EPS)
            along = inner([exact[key]], [direction])
            bound = RELATIVE * abs(measured) + ABSOLUTE * largest * np.abs(direction).sum()
            assert abs(measured - along) <= bound, (
                f"{op.__name__}, order {order}, by {key!r} along {direction}: the rules say"
                f" {along}, finite differences {measured}"
            )


@each_differentiable
@pytest.mark.parametrize("order", [1, 2])
def test_derivatives_by_each_element(order: int, row: Row, case: Case) -> None:
    assert_derivatives(op_of(row), case, order, elements)


@each_differentiable
def test_third_derivatives(row: Row, case: Case) -> None:
    assert_derivatives(op_of(row), case, 3, all_at_once)


@each_differentiable
def test_complex_derivatives_or_a_refusal(row: Row, case: Case) -> None:
    """With complex numbers in place of real ones an op is right, or says that it takes none."""
    op = op_of(row)
    rng = np.random.default_rng(7)
    at = {
        key: np.asarray(array + 0.3j * rng.normal(size=array.shape))
        for key, array in ((key, arguments(case)[key]) for key in differentiable(op, case))
    }
    try:
        call(op, case, {key: tt.Tensor(array, requires_grad=True) for key, array in at.items()})
    except (TypeError, ValueError):
        return
    try:
        assert_derivatives(op, case, 1, elements, at)
    except tt.GraphError:  # of vectors whose phases are free
        return
    for order in (2, 3):
        assert_derivatives(op, case, order, all_at_once, at)


# --- The same derivatives in other ways --------------------------------------------------------


def assert_equal(found: Arrays, expected: Arrays, tolerance: float, what: str) -> None:
    for key, g in found.items():
        scale = np.abs(expected[key]).max(initial=1.0)
        np.testing.assert_allclose(
            g, expected[key], rtol=0, atol=tolerance * scale, err_msg=f"{what}, by {key!r}"
        )


@each_differentiable
def test_second_derivatives_by_one_input_alone(row: Row, case: Case) -> None:
    """An input that wants no gradient changes nothing for the others."""
    op = op_of(row)
    keys = differentiable(op, case)
    for i, key in enumerate(keys):
        alone = tower(op, case, 2, {}, by=[key])
        together = tower(op, case, 2, {})
        together.numbers[:] = [
            alone.numbers[0] if j == i else np.zeros_like(c) for j, c in enumerate(together.numbers)
        ]
        assert_equal(alone.derivatives(), together.derivatives(), 1e-12, f"{row.op} by {key!r}")


@each_differentiable
def test_second_derivatives_of_one_output_alone(row: Row, case: Case) -> None:
    """No cotangent for an output is the same as one of zeros."""
    op = op_of(row)
    start = tower(op, case, 1, {})
    if len(start.terms) == 1:
        return  # the other tests have taken it
    for i in range(len(start.terms)):
        alone = tower(op, case, 2, {}, output=i).derivatives()
        zeros = {("c", 1, j): 0 * c for j, c in enumerate(start.numbers) if j != i}
        together = tower(op, case, 2, zeros).derivatives()
        alone[("c", 1, i)] = alone.pop(("c", 1, 0))
        assert_equal(alone, together, 1e-12, f"{row.op}, output {i}")


@each_differentiable
def test_third_derivatives_by_inputs_alone(row: Row, case: Case) -> None:
    """Cotangents that want no gradient, such as those of a sum, change nothing for the inputs."""
    op = op_of(row)
    alone = tower(op, case, 3, {}, track_cotangents=False)
    together = tower(op, case, 3, {})
    by_cotangents = [0 * c for c in together.numbers[len(alone.numbers) :]]
    together.numbers[:] = alone.numbers + by_cotangents
    assert_equal(alone.derivatives(), together.derivatives(), 1e-12, row.op)


@each_differentiable
def test_one_tensor_for_several_inputs(row: Row, case: Case) -> None:
    """Its gradient is the sum of theirs, as if they were copies."""
    op = op_of(row)
    at = arguments(case)
    alike: dict[tuple[Any, ...], list[Key]] = {}
    for key in differentiable(op, case):
        alike.setdefault((at[key].shape, at[key].dtype), []).append(key)
    for keys in alike.values():
        array = np.abs(at[keys[0]]) if row.op == "pow" else at[keys[0]]
        copies = {key: tt.Tensor(array.copy(), requires_grad=True) for key in keys}
        one = tt.Tensor(array, requires_grad=True)
        outputs = call(op, case, dict.fromkeys(keys, one))
        expected = call(op, case, copies)
        numbers = tuple(tt.Tensor(c) for c in weights([o for o in expected if o.tracked], seed=1))
        (found,) = tt.grad(tuple(o for o in outputs if o.tracked), one, numbers)
        apart = tt.grad(tuple(o for o in expected if o.tracked), (*copies.values(),), numbers)
        for o, e in zip(outputs, expected, strict=True):
            np.testing.assert_array_equal(o.data, e.data)
        total = sum(np.asarray(g.data) for g in apart)
        assert_equal({keys[0]: np.asarray(found.data)}, {keys[0]: total}, 1e-12, row.op)


@pytest.mark.parametrize(("masked", "is_causal"), [(False, False), (False, True), (True, False)])
def test_third_derivatives_of_dropped_attention_weights(
    masked: bool, is_causal: bool, rng: np.random.Generator
) -> None:
    """The table compares attention with PyTorch, whose draws are others."""
    arrays = [rng.normal(size=(1, 2, n, 4)) for n in (3, 5, 5)]
    mask = rng.normal(size=(3, 5)) if masked else None
    generator = np.random.default_rng(1)
    case = Case((*arrays, mask, 0.4, is_causal), {"generator": generator})
    for order in (1, 2, 3):
        assert_derivatives(tt.scaled_dot_product_attention, case, order, all_at_once)


@each_differentiable
def test_third_derivatives_in_float32(row: Row, case: Case) -> None:
    op, single = op_of(row), as_float32(case)
    if [v for v in call(op, single) if v.dtype.itemsize > 4 * (1 + (v.dtype.kind == "c"))]:
        return  # a case that asks for float64
    found = tower(op, single, 3, {})
    assert all(x.dtype.char in "fF" for x in found.at.values())
    assert_equal(found.derivatives(), tower(op, case, 3, {}).derivatives(), FLOAT32, row.op)


@pytest.mark.parametrize(("row", "case"), each_case(only=lambda row: not row.differentiable))
def test_what_has_no_derivative_has_zeros(row: Row, case: Case) -> None:
    """It has no graph, and the transforms, which know what they differentiate by, say zeros."""
    case, op = as_float32(case), op_of(row)
    for key, array in arrays(case).items():
        if array.dtype.kind != "f":
            continue
        x = tt.tensor(array, requires_grad=True)
        assert not any(o.requires_grad for o in call(op, case, {key: x}))
        outputs, pull = tt.func.vjp(
            lambda x, key=key: tuple(call(op, case, {key: x})), tt.tensor(array)
        )
        (gradient,) = pull(tuple(tt.ones_like(o) for o in outputs))
        np.testing.assert_array_equal(gradient.numpy(), np.zeros_like(array), strict=True)
