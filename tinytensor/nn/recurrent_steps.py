"""A recurrence step by step, by any function of one step: of what it makes, backward is left the
states alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from .. import ops
from ..engine.core import as_tuple
from ..engine.grad import derivatives
from ..engine.grad_mode import enable_grad, is_grad_enabled, no_grad
from ..engine.operation import MANY, Op, alias
from ..tensors.tensor import Tensor

Tensors = tuple[Tensor, ...]
# What many steps share: prepare(inputs of their rows, weights) -> what ``step`` is given of these.
Prepare = Callable[[Tensors, Tensors], Tensors]
# step(given of one step, state before it, weights) -> state behind it. It draws nothing at random.
Step = Callable[[Tensors, Tensors, Tensors], Tensors]
Seen = Callable[[int, Tensors], Tensors]
Places = list[tuple[int, int, int]]
TOGETHER = 32  # steps that are prepared together: enough rows for a product to be fast

# The rows of all steps lie behind each other, as in a PackedSequence: first those of step 0, of
# all sequences, then those of step 1, of the sequences that have one, …. Sequences get no longer,
# so those that have a step t are the first sizes[t].


def scan(
    functions: tuple[Prepare, Step],
    xs: Sequence[Tensor],
    start: Tensors,
    weights: tuple[Sequence[Tensor], Sequence[Tensor]],
    sizes: np.ndarray,
    reverse: bool = False,
    seen: Seen | None = None,
) -> tuple[Tensors, Tensors]:
    """Each part of the states of all steps, (rows, S), and of the last ones, (B, S).

    ``xs`` (rows, …) are prepared, and given to the step by its rows, of which ``sizes`` (T,) says
    how many there are; both functions have weights of their own. ``start`` is the state (B, S)
    before the first step. In ``reverse`` the last step is taken first, and a sequence begins at its
    own last one.

    Derivatives of any order: the first ones keep ``xs`` and the states, prepare some steps together
    once more, and compute each again. ``seen(t, state)`` may watch the states and put others in
    their place; the graph of all steps is then recorded as it is.
    """
    sizes = sizes[: np.count_nonzero(sizes)]
    counts = len(xs), len(start), len(weights[0])
    inputs = [*xs, *start, *weights[0], *weights[1]]
    if (seen is not None and len(sizes)) or any(x.level for x in inputs):
        got = _recorded(inputs, functions, counts, sizes, reverse, seen)
    else:
        got = _scan(inputs, functions=functions, counts=counts, sizes=sizes, reverse=bool(reverse))
    return tuple(got[: len(start)]), tuple(got[len(start) :])


def _parted(inputs: Sequence[Any], counts: tuple[int, ...]) -> list[tuple[Any, ...]]:
    """The inputs, the first states, and the weights of both functions."""
    ends = [0, *np.cumsum(counts).tolist(), len(inputs)]
    return [tuple(inputs[a:b]) for a, b in pairwise(ends)]


def _places(sizes: np.ndarray, reverse: bool) -> Places:
    """The number, the first row and the rows of each step, as they are taken."""
    ends = np.cumsum(sizes)
    places = [*zip(range(len(sizes)), (ends - sizes).tolist(), sizes.tolist(), strict=True)]
    return places[::-1] if reverse else places


def _range(places: Places) -> slice:
    """The rows of some steps that follow each other."""
    (_, a, size), (_, b, other) = places[0], places[-1]
    return slice(min(a, b), max(a + size, b + other))


def _recorded(
    inputs: Sequence[Tensor],
    functions: tuple[Prepare, Step],
    counts: tuple[int, ...],
    sizes: np.ndarray,
    reverse: bool,
    seen: Seen | None = None,
) -> list[Tensor]:
    """The formula of a scan, made of ops."""
    prepare, step = functions
    xs, state, of_prepare, of_step = _parted(inputs, counts)
    cuts = np.cumsum(sizes)[:-1].tolist()
    rows = [ops.split(x, cuts) if len(sizes) else () for x in prepare(xs, of_prepare)]
    sequences: list[list[Tensor]] = [[] for _ in state]
    for t, _, size in _places(sizes, reverse):
        whole = size == len(state[0])
        before = state if whole else tuple(part[:size] for part in state)
        new = step(tuple(x[t] for x in rows), before, of_step)
        if seen is not None:
            new = seen(t, new)
        for sequence, part in zip(sequences, new, strict=True):
            sequence.append(part)
        state = new if whole else tuple(map(_replaced, state, new))
    if not len(sizes):
        return [*(part[:0] for part in state), *state]
    order = slice(None, None, -1 if reverse else 1)
    return [*(ops.concat(sequence[order]) for sequence in sequences), *state]


def _replaced(part: Tensor, new: Tensor) -> Tensor:
    """A part of the states, whose first rows are new."""
    return ops.concat([new, part[new.shape[0] :]])


def _forward(
    inputs: Any, functions: Any, counts: Any, sizes: np.ndarray, reverse: bool
) -> list[Any]:
    prepare, step = functions
    xs, start, *both = _parted(inputs, counts)
    with no_grad():
        of_prepare, of_step = (tuple(map(Tensor, weights)) for weights in both)
        state = [np.array(part) for part in start]
        total = int(sizes.sum())
        sequences = [np.empty((total, *part.shape[1:]), part.dtype) for part in start]
        places = _places(sizes, reverse)
        for first in range(0, len(places), TOGETHER):
            some = places[first : first + TOGETHER]
            rows = _range(some)
            prepared = prepare(tuple(Tensor(x[rows]) for x in xs), of_prepare)
            for _, row, size in some:
                own = slice(row - rows.start, row - rows.start + size)
                given = tuple(Tensor(x.value[own]) for x in prepared)
                new = step(given, tuple(Tensor(part[:size]) for part in state), of_step)
                for part, sequence, value in zip(state, sequences, new, strict=True):
                    sequence[row : row + size] = part[:size] = value.value
    return [*sequences, *state]


_scan = Op(_forward, outputs=MANY, variadic=True, family=Tensor)
_scan.__name__ = "scan"


def _backward(
    g: Any, inputs: Any, functions: Any, counts: Any, sizes: Any, reverse: bool, out: Any
) -> Any:
    """Each step once more, from the state before it, in the order against that of forward."""
    if is_grad_enabled():
        return _pulled(g, inputs, functions, counts, sizes, reverse)
    prepare, step = functions
    wanted = [_tracked(x) for x in inputs]
    values = [x.value if isinstance(x, Tensor) else np.asarray(x) for x in inputs]
    xs, start, *_ = _parted(values, counts)
    of_xs, *_ = _parted(wanted, counts)
    sums = [*map(_sums, values, wanted)]
    by_xs, _, by_prepare, by_step = _parted(sums, counts)
    leaves = [*map(_leaf, values, wanted)]
    _, _, of_prepare, of_step = _parted(leaves, counts)
    states = len(start)
    sequences, along = ([x.value for x in of[:states]] for of in (out, g))
    flow = [np.array(x.value) for x in g[states:]]
    places = _places(sizes, reverse)
    for first in reversed(range(0, len(places), TOGETHER)):
        some = places[first : first + TOGETHER]
        rows = _range(some)
        with enable_grad():
            own_xs = tuple(_leaf(x[rows], want) for x, want in zip(xs, of_xs, strict=True))
            prepared = prepare(own_xs, of_prepare)
        by_prepared = [_sums(x.value, x.requires_grad) for x in prepared]
        for i in reversed(range(len(some))):
            _, row, size = some[i]
            earlier = places[first + i - 1] if first + i else None
            own = slice(row - rows.start, row - rows.start + size)
            before = tuple(
                _leaf(_before(part, sequence, earlier, size), True)
                for part, sequence in zip(start, sequences, strict=True)
            )
            given = tuple(_leaf(x.value[own], x.requires_grad) for x in prepared)
            with enable_grad():
                new = step(given, before, of_step)
            cotangents = [
                part[:size] + grads[row : row + size]
                for part, grads in zip(flow, along, strict=True)
            ]
            found = _pull(new, cotangents, (*given, *before, *of_step))
            _add(found, given, [x if x is None else x[own] for x in by_prepared])
            for part in flow:
                part[:size] = 0
            _add(found, before, [part[:size] for part in flow])
            _add(found, of_step, by_step)
        found = _pull(prepared, by_prepared, (*own_xs, *of_prepare))
        _add(found, own_xs, [x if x is None else x[rows] for x in by_xs])
        _add(found, of_prepare, by_prepare)
    return [None if x is None else Tensor(x) for x in (*by_xs, *flow, *by_prepare, *by_step)]


def _pull(outputs: Any, cotangents: Any, leaves: Any) -> Iterator[Any]:
    """The cotangents of those leaves that want them, one behind the other."""
    pairs = [
        (output, Tensor(cotangent))
        for output, cotangent in zip(outputs, cotangents, strict=True)
        if output.requires_grad
    ]
    sources = [x for x in leaves if x.requires_grad]
    if not pairs:
        return iter([None] * len(sources))
    return iter(
        derivatives([o for o, _ in pairs], sources, [c for _, c in pairs], allow_unused=True)
    )


def _add(found: Iterator[Any], leaves: Any, sums: Any) -> None:
    """Add what was found of these leaves to their sums."""
    for leaf, total in zip(leaves, sums, strict=True):
        if leaf.requires_grad and (got := next(found)) is not None:
            total += got.value


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


def _pulled(g: Any, inputs: Any, functions: Any, counts: Any, sizes: Any, reverse: bool) -> Any:
    """The cotangents by way of the formula, which can be differentiated again."""
    own = [alias(x.wide() if x.rounded else x) if _tracked(x) else _tensor(x) for x in inputs]
    tracked = [x for x in own if x.requires_grad]
    outputs = _recorded(own, functions, counts, sizes, reverse)
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
