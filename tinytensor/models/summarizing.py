"""summary: what each layer of a model gives, holds and costs, as one forward pass shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..debug.costs import multiply_adds
from ..debug.saved_memory import saved_memory
from ..engine.grad_mode import enable_grad
from ..engine.observers import Observer
from ..engine.operation import observing
from ..nn import Module
from ..nn.evaluating import evaluating, in_mode
from ..nn.lazy import UNINITIALIZED
from ..random import get_rng_state, set_rng_state
from ..tensors.creation import zeros
from ..tensors.tensor import Tensor

__all__ = ["Row", "Summary", "summary"]

HEAD = ("layer", "output", "parameters", "multiply-adds", "saved bytes")


@dataclass
class Row:
    """One call of a module. All numbers are of the module with all that is in it."""

    name: str  # its path in the model, "" for the model itself
    kind: str
    depth: int
    output_shape: Any = None  # of a tensor; of a tuple, list or dict of them, the same of shapes
    parameters: int = 0  # elements; 0 if an earlier call has counted them
    trainable: int = 0
    multiply_adds: int = 0
    saved_bytes: int = 0  # of activations that backward will need


@dataclass
class Summary:
    """What :func:`summary` found. ``print(summary)`` shows it as a table; ``rows`` are its lines in
    the order of the calls, a module before what is in it."""

    rows: list[Row]
    parameters: int
    trainable: int
    parameter_bytes: int
    buffer_bytes: int
    gradient_bytes: int
    input_bytes: int
    depth: int | None = field(default=None, repr=False)  # how deep the table goes

    @property
    def multiply_adds(self) -> int:
        return self.rows[0].multiply_adds

    @property
    def saved_bytes(self) -> int:
        return self.rows[0].saved_bytes

    @property
    def total_bytes(self) -> int:
        """What a training step needs at least, without the state of an optimizer."""
        held = self.parameter_bytes + self.buffer_bytes + self.gradient_bytes
        return held + self.input_bytes + self.saved_bytes

    def _lines(self) -> list[tuple[str, ...]]:
        lines: list[tuple[str, ...]] = [
            ("layer", "output", "parameters", "multiply-adds", "saved bytes")
        ]
        for row in self.rows:
            if self.depth is None or row.depth <= self.depth:
                own = row.name.rpartition(".")[2]
                label = f"{'  ' * row.depth}{own}{': ' if own else ''}{row.kind}"
                counts = (row.parameters, row.multiply_adds, row.saved_bytes)
                numbers = [f"{n:,}" if n else "" for n in counts]
                lines.append((label, str(row.output_shape), *numbers))
        return lines

    def _totals(self) -> list[str]:
        fixed = self.parameters - self.trainable
        sizes = {
            "parameters": self.parameter_bytes,
            "buffers": self.buffer_bytes,
            "gradients": self.gradient_bytes,
            "input": self.input_bytes,
            "saved for backward": self.saved_bytes,
        }
        parts = ", ".join(f"{name} {megabytes(size)}" for name, size in sizes.items() if size)
        return [
            f"{self.parameters:,} parameters" + (f", {fixed:,} of them fixed" if fixed else ""),
            f"{self.multiply_adds:,} multiply-adds",
            f"{megabytes(self.total_bytes)} in a training step: {parts}",
        ]

    def __str__(self) -> str:
        lines = self._lines()
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        shown = []
        for line in lines:
            left = [text.ljust(width) for text, width in zip(line[:2], widths[:2], strict=True)]
            right = [text.rjust(width) for text, width in zip(line[2:], widths[2:], strict=True)]
            shown.append("  ".join(left + right).rstrip())
        return "\n".join([*shown, "", *self._totals()])

    def _repr_html_(self) -> str:
        """As a notebook shows it."""
        from html import escape  # late: seldom needed

        def cells(line: tuple[str, ...], tag: str) -> str:
            style = ['style="text-align:left;white-space:pre"'] * 2 + [""] * 3
            pairs = zip(style, line, strict=True)
            return "".join(f"<{tag} {how}>{escape(text)}</{tag}>" for how, text in pairs)

        head, *body = self._lines()
        rows = "".join(f"<tr>{cells(line, 'td')}</tr>" for line in body)
        totals = "<br>".join(map(escape, self._totals()))
        return f"<table><tr>{cells(head, 'th')}</tr>{rows}</table><p>{totals}</p>"


def megabytes(count: int) -> str:
    return f"{count / 1e6:,.2f} MB"


def summary(
    model: Module,
    input: Any,
    *,
    depth: int | None = None,
    mode: Literal["eval", "train"] = "eval",
    dtype: npt.DTypeLike = np.float32,
) -> Summary:
    """Run ``model`` once, and tell of each call of a module in it: the shape of its output, its
    parameters, the multiply-adds of its products of matrices and convolutions, and the bytes of
    activations that it saves for the backward pass.

    ``input`` is a tensor or an array; the shape of one, which is then zeros of ``dtype``; a tuple
    or list of such for several arguments; or a dict of arguments by name. ``depth`` limits how deep
    the printed table goes. The model is run in ``mode``, and is afterwards as it was before: its
    own modes, running averages and gradients, and the random numbers to come.

    Multiply-adds are counted at the ops, so they do not depend on what a layer is called; a
    convolution of C channels by K filters of R×S gives C·K·R·S for each place. Memory is the
    real one: an array that several layers save counts where it was saved first, and parameters,
    which are there anyway, do not count.

    >>> import tinytensor as tt
    >>> model = tt.nn.Sequential(tt.nn.Linear(4, 8), tt.nn.ReLU(), tt.nn.Linear(8, 2))
    >>> print(tt.models.summary(model, (5, 4)))
    layer          output  parameters  multiply-adds  saved bytes
    Sequential     (5, 2)          58            240          240
      0: Linear    (5, 8)          40            160           80
      1: ReLU      (5, 8)                                     160
      2: Linear    (5, 2)          18             80
    <BLANKLINE>
    58 parameters
    240 multiply-adds
    0.00 MB in a training step: parameters 0.00 MB, gradients 0.00 MB, input 0.00 MB, saved for
    backward 0.00 MB
    """
    if not isinstance(model, Module):
        raise TypeError(f"summary: model is a Module, not {type(model).__name__}")
    if mode not in ("eval", "train"):
        raise ValueError(f"summary: mode is 'eval' or 'train', not {mode!r}")
    args, kwargs = _arguments(input, dtype)
    if any(isinstance(x, UNINITIALIZED) for x in [*model.parameters(), *model.buffers()]):
        with evaluating(model):
            model(*args, **kwargs)  # which gives lazy layers their shapes
    watch = _Watch(model)
    with _as_before(model), in_mode(model, mode == "train"), watch, enable_grad():
        model(*args, **kwargs)
    parameters = list(model.parameters())
    trainable = [p for p in parameters if p.requires_grad]
    return Summary(
        watch.rows,
        sum(p.size for p in parameters),
        sum(p.size for p in trainable),
        sum(p.nbytes for p in parameters),
        sum(b.nbytes for b in model.buffers()),
        sum(p.nbytes for p in trainable),
        sum(x.nbytes for x in [*args, *kwargs.values()] if isinstance(x, Tensor)),
        depth,
    )


class _Watch(Observer):
    """Hooks on all modules, and an eye on all ops, while a ``with`` lasts."""

    def __init__(self, model: Module) -> None:
        self.names = {id(module): name for name, module in model.named_modules()}
        self.modules = list(model.modules())
        self.rows: list[Row] = []
        self.inside: list[Row] = []  # the modules whose calls have begun, the outermost first
        self.places: list[int] = []  # their places among the rows
        self.first: dict[int, int] = {}  # by the id of a parameter: the row that it counts in
        self.ledger = saved_memory()
        self.stack = ExitStack()

    def __enter__(self) -> _Watch:
        for module in self.modules:
            before = module.register_forward_pre_hook(self.begin, prepend=True)
            after = module.register_forward_hook(self.end)
            self.stack.callback(before.remove)
            self.stack.callback(after.remove)
        self.stack.enter_context(self.ledger)
        self.stack.enter_context(observing(self))
        return self

    def __exit__(self, *error: object) -> None:
        self.stack.close()

    def begin(self, module: Module, args: Any) -> None:
        row = Row(self.names[id(module)], "", len(self.inside), saved_bytes=-self.ledger.total)
        self.inside.append(row)
        self.places.append(len(self.rows))
        self.rows.append(row)

    def end(self, module: Module, args: Any, output: Any) -> None:
        """A lazy module has become another one, with parameters, by now."""
        row, place = self.inside.pop(), self.places.pop()
        row.kind = type(module).__name__
        for parameter in module.parameters():
            if self.first.setdefault(id(parameter), place) >= place:
                row.parameters += parameter.size
                row.trainable += parameter.size * parameter.requires_grad
        row.saved_bytes += self.ledger.total
        row.output_shape = _shapes(output)

    def called(self, op: Any, args: Any, static: Any, outputs: Any, node: Any) -> None:
        cost = multiply_adds(op, args, outputs)
        for row in self.inside if cost else ():
            row.multiply_adds += cost


@contextmanager
def _as_before(model: Module) -> Iterator[None]:
    """Afterwards nothing was drawn or averaged."""
    buffers = [(buffer, buffer.numpy().copy()) for buffer in model.buffers()]
    state = get_rng_state()
    try:
        yield
    finally:
        for buffer, values in buffers:
            buffer.numpy()[...] = values
        set_rng_state(state)


def _arguments(input: Any, dtype: npt.DTypeLike) -> tuple[list[Any], dict[str, Any]]:
    if isinstance(input, Mapping):
        return [], {name: _argument(value, dtype) for name, value in input.items()}
    if isinstance(input, tuple | list) and not _is_shape(input):
        return [_argument(value, dtype) for value in input], {}
    return [_argument(input, dtype)], {}


def _is_shape(value: Any) -> bool:
    return isinstance(value, tuple | list) and all(isinstance(n, int) for n in value)


def _argument(value: Any, dtype: npt.DTypeLike) -> Any:
    if _is_shape(value):
        return zeros(tuple(value), dtype=dtype)
    return Tensor(value) if isinstance(value, np.ndarray) else value


def _shapes(output: Any) -> Any:
    if isinstance(output, Tensor):
        return output.shape
    if isinstance(output, Mapping):
        return {key: _shapes(value) for key, value in output.items()}
    if isinstance(output, Sequence) and not isinstance(output, str):
        return [_shapes(value) for value in output]
    return type(output).__name__
