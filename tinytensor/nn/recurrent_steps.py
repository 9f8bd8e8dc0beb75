"""A recurrence step by step, by any function of one step: of what it makes, backward is left the
states alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import ops
from ..engine.core import as_tuple
from ..engine.grad import derivatives
from ..engine.grad_mode import enable_grad, is_grad_enabled, no_grad
from ..engine.operation import MANY, Op, alias
from ..tensors.tensor import Tensor

Tensors = tuple[Tensor, ...]
# step(inputs of one step, state before it, weights) -> state behind it. It draws nothing at random.
Step = Callable[[Tensors, Tensors, Tensors], Tensors]
Seen = Callable[[int, Tensors], Tensors]

# The rows of all steps lie behind each other, as in a PackedSequence: first those of step 0, of
# all sequences, then those of step 1, of the sequences that have one, …. Sequences get no longer,
# so those that have a step t are the first sizes[t].


def scan(
    step: Step,
    xs: Sequence[Tensor],
    start: Tensors,
    weights: Sequence[Tensor],
    sizes: np.ndarray,
    reverse: bool = False,
    seen: Seen | None = None,
) -> tuple[Tensors, Tensors]:
    """Each part of the states of all steps, (rows, S), and of the last ones, (B, S).

    ``xs`` (rows, …) are given to ``step`` by the rows of each step, and ``sizes`` (T,) says how
    many these are; ``start`` is the state (B, S) before the first step. In ``reverse`` the last
    step is taken first, and a sequence begins at its own last one. Derivatives of any order: the
    first ones keep inputs and states, and compute each step again. ``seen(t, state)`` may watch the
    states and put others in their place; the graph of all steps is then recorded as it is.
    """
    sizes = sizes[: np.count_nonzero(sizes)]
    counts = len(xs), len(start)
    inputs = [*xs, *start, *weights]
    if (seen is not None and len(sizes)) or any(x.level for x in inputs):
        got = _recorded(inputs, step, counts, sizes, reverse, seen)
    else:
        got = _scan(inputs, step=step, counts=counts, sizes=sizes, reverse=bool(reverse))
    return tuple(got[: len(start)]), tuple(got[len(start) :])


def _parted(inputs: Sequence[Any], counts: tuple[int, int]) -> tuple[Any, Any, Any]:
    xs, states = counts
    return tuple(inputs[:xs]), tuple(inputs[xs : xs + states]), tuple(inputs[xs + states :])


def _places(sizes: np.ndarray, reverse: bool) -> list[tuple[int, int, int]]:
    """The number, the first row and the rows of each step, as they are taken."""
    ends = np.cumsum(sizes)
    places = [*zip(range(len(sizes)), (ends - sizes).tolist(), sizes.tolist(), strict=True)]
    return places[::-1] if reverse else places


def _recorded(
    inputs: Sequence[Tensor],
    step: Step,
    counts: tuple[int, int],
    sizes: np.ndarray,
    reverse: bool,
    seen: Seen | None = None,
) -> list[Tensor]:
    """The formula of a scan, made of ops."""
    xs, state, weights = _parted(inputs, counts)
    cuts = np.cumsum(sizes)[:-1].tolist()
    rows = [ops.split(x, cuts) if len(sizes) else () for x in xs]
    sequences: list[list[Tensor]] = [[] for _ in state]
    for t, _, size in _places(sizes, reverse):
        whole = size == len(state[0])
        before = state if whole else tuple(part[:size] for part in state)
        new = step(tuple(x[t] for x in rows), before, weights)
        if seen is not None:
            new = seen(t, new)
        for sequence, part in zip(sequences, new, strict=True):
            sequence.append(part)
        state = new if whole else tuple(map(_replaced, state, new))
    if not len(sizes):
        return [*(part[:0] for part in state), *state]
    return [
        *(ops.concat(sequence[::-1] if reverse else sequence) for sequence in sequences),
        *state,
    ]


def _replaced(part: Tensor, new: Tensor) -> Tensor:
    """A part of the states, whose first rows are new."""
    return ops.concat([new, part[new.shape[0] :]])


def _forward(inputs: Any, step: Step, counts: Any, sizes: np.ndarray, reverse: bool) -> list[Any]:
    xs, start, weights = _parted(inputs, counts)
    with no_grad():
        weights = tuple(map(Tensor, weights))
        state = [np.array(part) for part in start]
        total = int(sizes.sum())
        sequences = [np.empty((total, *part.shape[1:]), part.dtype) for part in start]
        for _, row, size in _places(sizes, reverse):
            given = tuple(Tensor(x[row : row + size]) for x in xs)
            new = step(given, tuple(Tensor(part[:size]) for part in state), weights)
            for part, sequence, value in zip(state, sequences, new, strict=True):
                sequence[row : row + size] = part[:size] = value.value
    return [*sequences, *state]


_scan = Op(_forward, outputs=MANY, variadic=True, family=Tensor)
_scan.__name__ = "scan"


def _backward(
    g: Any, inputs: Any, step: Any, counts: Any, sizes: Any, reverse: bool, out: Any
) -> Any:
    """Each step once more, from the state before it, in the order against that of forward."""
    if is_grad_enabled():
        return _pulled(g, inputs, step, counts, sizes, reverse)
    wanted = [isinstance(x, Tensor) and x.requires_grad for x in inputs]
    values = [x.value if isinstance(x, Tensor) else np.asarray(x) for x in inputs]
    xs, start, weights = _parted(values, counts)
    of_xs, _, of_weights = _parted(wanted, counts)
    states = len(start)
    sequences = [x.value for x in out[:states]]
    along = [x.value for x in g[:states]]
    flow = [np.array(x.value) for x in g[states:]]
    leaves = tuple(
        Tensor(w, requires_grad=want) for w, want in zip(weights, of_weights, strict=True)
    )
    by_xs = [np.zeros_like(x) if want else None for x, want in zip(xs, of_xs, strict=True)]
    by_weights = [
        np.zeros_like(w) if want else None for w, want in zip(weights, of_weights, strict=True)
    ]
    places = _places(sizes, reverse)
    for i in reversed(range(len(places))):
        _, row, size = places[i]
        earlier = places[i - 1] if i else None
        before = tuple(
            Tensor(_before(part, sequence, earlier, size), requires_grad=True)
            for part, sequence in zip(start, sequences, strict=True)
        )
        with enable_grad():
            given = tuple(
                _leaf(x[row : row + size], want) for x, want in zip(xs, of_xs, strict=True)
            )
            new = step(given, before, leaves)
        cotangents = [
            Tensor(part[:size] + grads[row : row + size])
            for part, grads in zip(flow, along, strict=True)
        ]
        sources = [x for x in (*given, *before, *leaves) if x.requires_grad]
        pairs = [(n, c) for n, c in zip(new, cotangents, strict=True) if n.requires_grad]
        found = iter(
            derivatives([n for n, _ in pairs], sources, [c for _, c in pairs], allow_unused=True)
        )
        for x in by_xs:
            if x is not None and (got := next(found)) is not None:
                x[row : row + size] = got.value
        for part in flow:
            got = next(found)
            part[:size] = 0 if got is None else got.value
        for w in by_weights:
            if w is not None and (got := next(found)) is not None:
                w += got.value
    return [None if x is None else Tensor(x) for x in (*by_xs, *flow, *by_weights)]


def _leaf(value: np.ndarray, wanted: bool) -> Tensor:
    return Tensor(value, requires_grad=wanted)


def _sums(value: np.ndarray, wanted: bool) -> np.ndarray | None:
    """Where the cotangents of a value add up."""
    return np.zeros_like(value) if wanted else None


def _before(start: np.ndarray, sequence: np.ndarray, earlier: Any, size: int) -> np.ndarray:
    """A part of the state before a step of ``size`` sequences; some of them may begin with it."""
    if earlier is None:
        return start[:size]
    _, row, known = earlier
    rows = sequence[row : row + min(size, known)]
    return rows if known >= size else np.concatenate([rows, start[known:size]])


def _pulled(g: Any, inputs: Any, step: Any, counts: Any, sizes: Any, reverse: bool) -> Any:
    """The cotangents by way of the formula, which can be differentiated again."""
    own = [alias(x.wide() if x.rounded else x) if _tracked(x) else _tensor(x) for x in inputs]
    tracked = [x for x in own if x.requires_grad]
    outputs = _recorded(own, step, counts, sizes, reverse)
    pairs = [(o, c) for o, c in zip(outputs, as_tuple(g), strict=True) if o.requires_grad]
    found = derivatives(
        [o for o, _ in pairs], tracked, [c for _, c in pairs], create_graph=True, allow_unused=True
    )
    each = iter(found)
    return [next(each) if x.requires_grad else None for x in own]


def _tracked(x: Any) -> bool:
    return isinstance(x, Tensor) and x.requires_grad


def _tensor(x: Any) -> Tensor:
    return x if isinstance(x, Tensor) else Tensor(np.asarray(x))


_scan.grad(inputs=_backward)
