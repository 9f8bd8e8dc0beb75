"""vmap of every op of the table equals a loop over the lanes: values, gradients and pullbacks."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.func import vmap
from tinytensor.tensors import batched
from tinytensor.tensors.batched import looped

from ..table import ROWS, Case, Row
from ..table.calls import (
    Key,
    arguments,
    arrays,
    assert_close,
    call,
    cotangents_for,
    differentiable,
    each_case,
    op_of,
    public_ops,
)

pytestmark = pytest.mark.no_c

LANES = 3
TOLERANCE = 1e-10  # of the largest element

# The shapes of their results depend on the elements.
REFUSED = {
    "argwhere", "bincount", "nonzero", "unique_all", "unique_counts", "unique_inverse",
    "unique_consecutive", "unique_slices", "unique_values",
}  # fmt: skip
INDEXING = {"getitem", "advanced_index", "index_put", "masked_select"}
# What loops over the lanes, and which arguments must have lanes for that. All else works on them at
# once.
LOOPING = {
    "cross_entropy": {"weight"},
    "ctc_loss": {"log_probs", "targets", "input_lengths", "target_lengths"},
    "embedding": {"indices"},  # whose range is checked: in lanes of lanes
    "_histogram": {"x"},
    "rotary_embedding": {"frequencies"},
    "rotary_embedding_backward": {"frequencies"},
    "gru": {"w_ih", "w_hh", "b_ih", "b_hh"},
    "histc": {"x"},
    "isin": {"elements"},
    "lstm": {"w_ih", "w_hh", "b_ih", "b_hh"},
    "lstm_projected": {"w_ih", "w_hh", "w_hr", "b_ih", "b_hh"},
    "nll_loss": {"weight"},
    "rnn": {"w_ih", "w_hh", "b_ih", "b_hh"},
    "added_at": {"index"},  # in lanes of lanes
}


def draws(row: Row, place: int) -> list[Case]:
    """Case number ``place`` with fresh numbers for each lane."""
    seed = zlib.crc32(row.op.encode())
    return [row.cases(np.random.default_rng(seed + lane))[place] for lane in range(LANES)]


def choices(row: Row, case: Case) -> list[tuple[Key, ...]]:
    """Which arrays have lanes: each alone, and all together. Masks and counts cannot, since they
    decide on shapes; and what stands in a tuple is an argument of ``x[index]``, not of the op."""
    keys = [
        key
        for key, array in arrays(case).items()
        if not (row.op in INDEXING and array.dtype == bool)
        and not (row.op in ("advanced_index", "added_at") and len(key) > 1)
        and (row.op, key) != ("repeat", (1,))
    ]
    if not keys:
        return []
    return [(key,) for key in keys] + ([tuple(keys)] if len(keys) > 1 else [])


def stacked(cases: list[Case], keys: tuple[Key, ...], axis: int = 0) -> dict[Key, np.ndarray]:
    return {key: np.stack([arguments(c)[key] for c in cases], axis) for key in keys}


def floating(op: Any, case: Case, keys: tuple[Key, ...]) -> list[Key]:
    return [key for key in keys if key in differentiable(op, case)]


def over_lanes(op: Any, case: Case, inputs: dict[Key, Any], axis: int = 0) -> tuple[Any, ...]:
    keys = list(inputs)
    return vmap(
        lambda *given: call(op, case, dict(zip(keys, given, strict=True))),
        in_axes=axis,
        randomness="same",  # as in the loop, where each lane has a copy of the generator
    )(*inputs.values())


def by_loop(op: Any, case: Case, inputs: dict[Key, Any], axis: int = 0) -> tuple[Any, ...]:
    def lane(x: Any, i: int) -> Any:
        index = (slice(None),) * (axis % x.ndim) + (i,)
        return x[index]

    results = [call(op, case, {key: lane(x, i) for key, x in inputs.items()}) for i in range(LANES)]
    return tuple(tt.stack(list(column)) for column in zip(*results, strict=True))


def tensors(op: Any, case: Case, data: dict[Key, np.ndarray]) -> dict[Key, tt.Tensor]:
    wanted = floating(op, case, tuple(data))
    return {key: tt.Tensor(a, requires_grad=key in wanted) for key, a in data.items()}


def gradients(outputs: tuple[Any, ...], inputs: dict[Key, tt.Tensor], **options: Any) -> list[Any]:
    leaves = tuple(x for x in inputs.values() if x.tracked)
    live = tuple(o for o in outputs if o.tracked)
    if not live or not leaves:
        return []
    found = tt.grad(live, leaves, tuple(cotangents_for(outputs)), allow_unused=True, **options)
    return [
        tt.zeros(x.shape, x.dtype) if g is None else g for x, g in zip(leaves, found, strict=True)
    ]


def compare(got: Any, expected: Any, what: str) -> None:
    for i, (a, b) in enumerate(zip(got, expected, strict=True)):
        assert_close(np.asarray(a.data), np.asarray(b.data), TOLERANCE, f"{what} {i}", floor=1.0)


def mapped_rows(row: Row) -> bool:
    return row.op not in REFUSED


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of losses that broadcast
        yield


@pytest.fixture(autouse=True)
def _no_loops_but_the_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def watched(op: Any, args: Any, on: Any, static: Any) -> Any:
        with_lanes = {name for name, o in zip(op.names, on, strict=False) if o}
        assert LOOPING.get(op.__name__, set()) & with_lanes, f"{op} loops over {with_lanes}"
        return looped(op, args, on, static)

    monkeypatch.setattr(batched, "looped", watched)


def place_of(request: pytest.FixtureRequest) -> int:
    return int(request.node.callspec.id.rsplit("-", 1)[1])


@pytest.mark.parametrize(("row", "case"), each_case(only=mapped_rows))
def test_values_and_gradients(row: Row, case: Case, request: pytest.FixtureRequest) -> None:
    op, cases = op_of(row), draws(row, place_of(request))
    for keys in choices(row, case):
        data = stacked(cases, keys)
        fast, slow = tensors(op, case, data), tensors(op, case, data)
        got, expected = over_lanes(op, case, fast), by_loop(op, case, slow)
        compare(got, expected, f"{row.op}, lanes of {keys}: output")
        found, wanted = gradients(got, fast), gradients(expected, slow)
        compare(found, wanted, f"{row.op}, lanes of {keys}: gradient")


@pytest.mark.parametrize(("row", "case"), each_case(only=lambda row: row.differentiable))
def test_pullbacks(row: Row, case: Case) -> None:
    """Lanes of cotangents, of a call without lanes."""
    op = op_of(row)
    data = {key: arguments(case)[key] for key in differentiable(op, case)}
    if not data:
        return
    inputs = tensors(op, case, data)
    outputs = tuple(o for o in call(op, case, inputs) if o.tracked)
    rng = np.random.default_rng(3)
    cotangents = []
    for o in outputs:
        numbers = rng.normal(size=(LANES, *o.shape))
        if o.dtype.kind == "c":
            numbers = numbers + 1j * rng.normal(size=numbers.shape)
        cotangents.append(tt.Tensor(numbers.astype(o.dtype)))

    def pull(*along: Any) -> tuple[Any, ...]:
        found = tt.grad(
            outputs, tuple(inputs.values()), along, retain_graph=True, allow_unused=True
        )
        return tuple(
            tt.zeros(x.shape, x.dtype) if g is None else g
            for x, g in zip(inputs.values(), found, strict=True)
        )

    try:
        expected = [pull(*(c[i] for c in cotangents)) for i in range(LANES)]
    except tt.GraphError:  # of vectors whose phases are free
        return
    got = vmap(pull)(*cotangents)
    compare(got, [tt.stack(list(column)) for column in zip(*expected, strict=True)], row.op)


@pytest.mark.parametrize(("row", "case"), each_case(only=lambda row: row.differentiable))
def test_pushforwards(row: Row, case: Case) -> None:
    """Lanes of tangents: backward through the backward pass, by cotangents with lanes."""
    op = op_of(row)
    data = {key: arguments(case)[key] for key in differentiable(op, case)}
    if not data:
        return
    keys = list(data)

    def function(*xs: Any) -> list[Any]:
        out = call(op, case, dict(zip(keys, xs, strict=True)))
        return [o for o in out if o.dtype.kind in "fc"]

    try:
        _, push = tt.func.linearize(function, *map(tt.Tensor, data.values()))
    except tt.GraphError:  # of vectors whose phases are free
        return
    rng = np.random.default_rng(4)
    tangents = []
    for a in data.values():
        numbers = rng.normal(size=(LANES, *a.shape))
        if a.dtype.kind == "c":
            numbers = numbers + 1j * rng.normal(size=numbers.shape)
        tangents.append(tt.Tensor(numbers.astype(a.dtype)))
    expected = [push(*(t[i] for t in tangents)) for i in range(LANES)]
    got = vmap(push)(*tangents)
    compare(got, [tt.stack(list(column)) for column in zip(*expected, strict=True)], row.op)


@pytest.mark.parametrize(
    ("row", "case"), each_case(only=lambda row: row.differentiable and mapped_rows(row))[::5]
)
def test_second_derivatives(row: Row, case: Case, request: pytest.FixtureRequest) -> None:
    op, cases = op_of(row), draws(row, place_of(request))
    if not choices(row, case):
        return
    data = stacked(cases, choices(row, case)[-1])

    def twice(run: Callable[..., Any]) -> list[Any]:
        inputs = tensors(op, case, data)
        first = gradients(run(op, case, inputs), inputs, create_graph=True)
        return gradients(tuple(first), inputs)

    compare(twice(over_lanes), twice(by_loop), f"{row.op}, second derivative")


@pytest.mark.parametrize(("row", "case"), each_case(only=mapped_rows)[::7])
def test_lanes_along_the_last_axis(row: Row, case: Case, request: pytest.FixtureRequest) -> None:
    op, cases = op_of(row), draws(row, place_of(request))
    if not choices(row, case):
        return
    inputs = {k: tt.Tensor(a) for k, a in stacked(cases, choices(row, case)[-1], -1).items()}
    compare(over_lanes(op, case, inputs, -1), by_loop(op, case, inputs, -1), row.op)


@pytest.mark.parametrize(("row", "case"), each_case(only=mapped_rows)[3::7])
def test_lanes_of_lanes(row: Row, case: Case, request: pytest.FixtureRequest) -> None:
    op, cases = op_of(row), draws(row, place_of(request))
    if not choices(row, case):
        return
    data = stacked(cases, choices(row, case)[-1])
    keys = list(data)
    inner = [tt.Tensor(np.stack([a, a[::-1]], 1)) for a in data.values()]
    lanes = vmap(lambda *x: call(op, case, dict(zip(keys, x, strict=True))), randomness="same")
    got = vmap(lanes, randomness="same")(*inner)
    for j in range(2):
        expected = by_loop(op, case, {k: x[:, j] for k, x in zip(keys, inner, strict=True)})
        compare([o[:, j] for o in got], expected, row.op)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_shape_that_depends_on_elements_is_refused(name: str) -> None:
    op = op_of(ROWS[name])
    with pytest.raises(tt.func.VmapError, match="shape of its result depends"):
        vmap(lambda x: op(x))(tt.tensor([[1.0, 0.0], [0.0, 0.0]]))


def test_all_ops_have_rules() -> None:
    without = {name for name, op in public_ops().items() if not (op.batching or op.formula)}
    assert not without
