"""gradient_norms: how large the gradients of a model are, and which of them are out of range."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ...tensors.tensor import Tensor
from ..module import Module
from .clip import _norm


class GradientNorm(NamedTuple):
    """One tensor: the 2-norms of it and of its gradient, their ratio, and the verdict."""

    name: str
    shape: tuple[int, ...]
    weight_norm: float
    grad_norm: float
    ratio: float
    flag: str


class GradientNorms(tuple[GradientNorm, ...]):
    """What :func:`gradient_norms` returns: rows that print as a table."""

    __slots__ = ()

    @property
    def flagged(self) -> tuple[GradientNorm, ...]:
        """The rows that are not "ok"."""
        return tuple(row for row in self if row.flag != "ok")

    def __str__(self) -> str:
        cells = [_HEAD, *map(_cells, self)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if 2 <= i <= 4 else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in cells
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """As a notebook shows it, with what is flagged in bold."""
        head = "".join(f"<th>{name}</th>" for name in _HEAD)
        rows = "".join(
            "<tr>" + "".join(f"<td>{cell}</td>" for cell in _html(row)) + "</tr>" for row in self
        )
        return f"<table><tr>{head}</tr>{rows}</table>"


_HEAD = ("name", "shape", "weight", "gradient", "ratio", "flag")


def _cells(row: GradientNorm) -> tuple[str, ...]:
    numbers = (f"{x:.3g}" for x in (row.weight_norm, row.grad_norm, row.ratio))
    return (row.name, str(row.shape), *numbers, row.flag)


def _html(row: GradientNorm) -> Iterator[str]:
    from html import escape  # late: seldom needed

    cells = [escape(cell) for cell in _cells(row)]
    yield from cells[:-1]
    yield cells[-1] if row.flag == "ok" else f"<b>{cells[-1]}</b>"


def gradient_norms(
    source: Module | Mapping[str, Tensor] | Iterable[Tensor],
    vanishing: float = 1e-6,
    exploding: float = 1e3,
) -> GradientNorms:
    """A row for each parameter of a module, for each named tensor, or for states; after backward.

    For parameters and named tensors the ratio is ‖gradient‖ / ‖weight‖: by what share a step of
    learning rate 1 would change the weight, whatever the layer's size (‖gradient‖ itself where the
    weight is 0). A sequence of tensors is taken as the states of a recurrent net in order of time,
    on each of which ``retain_grad()`` was called; there the ratio is ‖gradient‖ / ‖gradient of the
    last‖: what has become of a gradient on its way back in time. The flag is

    - "nan" if the gradient is not finite, "none" if there is no gradient;
    - "vanishing" if the ratio is below ``vanishing`` (1e-6: for a weight, near the rounding of
      float32), "exploding" if it is above ``exploding`` (1e3: for a weight, a step of learning rate
      0.001 would be as large as the weight);
    - "ok" otherwise.

    (Bengio, Simard and Frasconi 1994; Pascanu, Mikolov and Bengio 2013.)

    >>> import tinytensor as tt
    >>> w = tt.tensor([3.0, 4.0], requires_grad=True)
    >>> v = tt.tensor([1.0], requires_grad=True)
    >>> ((w * w).sum() + 1e-9 * v).backward()
    >>> tt.nn.utils.gradient_norms({"w": w, "v": v})
    name  shape  weight  gradient  ratio  flag
    w     (2,)        5        10      2  ok
    v     (1,)        1     1e-09  1e-09  vanishing
    """
    if not 0 <= vanishing <= exploding:
        raise ValueError(
            "gradient_norms: needs 0 ≤ vanishing ≤ exploding, not"
            f" vanishing={vanishing} and exploding={exploding}"
        )
    if isinstance(source, Module | Mapping):
        named = source.named_parameters() if isinstance(source, Module) else source.items()
        rows = [_row(name, tensor) for name, tensor in named]
    else:
        rows = [_row(str(i), tensor) for i, tensor in enumerate(source)]
        last = rows[-1].grad_norm if rows else 1.0
        rows = [row._replace(ratio=row.grad_norm / (last or 1.0)) for row in rows]
    return GradientNorms(row._replace(flag=_flag(row, vanishing, exploding)) for row in rows)


def _row(name: str, tensor: Any) -> GradientNorm:
    if not isinstance(tensor, Tensor):
        raise TypeError(f"gradient_norms: {name!r} is no tensor, but {type(tensor).__name__}")
    weight = _size(tensor)
    if tensor.grad is None:
        return GradientNorm(name, tensor.shape, weight, math.nan, math.nan, "none")
    gradient = _size(tensor.grad)
    return GradientNorm(name, tensor.shape, weight, gradient, gradient / (weight or 1.0), "")


def _flag(row: GradientNorm, vanishing: float, exploding: float) -> str:
    if row.flag == "none":
        return "none"
    if not math.isfinite(row.grad_norm):
        return "nan"
    if row.ratio < vanishing:
        return "vanishing"
    return "exploding" if row.ratio > exploding else "ok"


def _size(tensor: Tensor) -> float:
    return _norm(tensor.value, 2.0)
