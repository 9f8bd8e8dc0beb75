"""Rotary positions: rows turned by an angle of their position."""

from __future__ import annotations

import numpy as np

from .. import kernels
from ..dtypes import wide
from ..errors import ShapeError
from .annotations import ArrayLike, Tensor
from .batching import lanes_of, rank, with_lanes
from .checks import floating, integers, number
from .declared import op
from .shape import moveaxis

__all__ = ["rotary_embedding"]


@op
def rotary_embedding(
    x: ArrayLike,
    positions: ArrayLike,
    frequencies: ArrayLike,
    interleaved: bool = False,
    scale: float = 1.0,
) -> Tensor:
    """The rows of x (…, T, D) turned by their positions, pair i of their elements by the angle
    position · frequencies[i], and times ``scale``.

    positions are integers: (T,) for all rows, or (B, T) for x (B, …, T, D). frequencies are
    (R/2,), R ≤ D: elements beyond the first R pass through as they are. Pair i is that of the
    elements i and R/2 + i, or of 2i and 2i + 1 if ``interleaved``. Angles are rounded to the
    dtype of frequencies, of 16-bit ones to float32. Gradient: g turned back, times ``scale``;
    none for positions and frequencies. (Su et al. 2021.)

    >>> import tinytensor as tt
    >>> x = tt.tensor([[1.0, 0.0], [1.0, 0.0]])
    >>> tt.rotary_embedding(x, [0, 1], [np.pi / 2]).round()
    tensor([[1., 0.],
            [0., 1.]])
    """
    return _turned("rotary_embedding", x, positions, frequencies, interleaved, scale, False)


def _turned(name, x, positions, frequencies, interleaved, scale, back):
    x = floating(name, "x", x)
    positions = integers(name, "positions", positions)
    frequencies = wide(floating(name, "frequencies", frequencies))
    if x.ndim < 2 or frequencies.ndim != 1 or 2 * frequencies.size > x.shape[-1]:
        raise ShapeError(
            f"{name}: needs x (…, T, D) and frequencies (R/2,) with R ≤ D: x is {x.shape},"
            f" frequencies are {frequencies.shape}"
        )
    lead = positions.shape[:-1]
    if (
        not 1 <= positions.ndim < x.ndim
        or positions.shape[-1] != x.shape[-2]
        or any(n not in (1, m) for n, m in zip(lead, x.shape, strict=False))
    ):
        raise ShapeError(
            f"{name}: positions must be (T,), or (B, T) for x (B, …, T, D): they are"
            f" {positions.shape}, x is {x.shape}"
        )
    if lead != x.shape[: len(lead)]:
        positions = np.broadcast_to(positions, (*x.shape[: len(lead)], positions.shape[-1]))
    scale = number(name, "scale", scale)
    return kernels.rotary(x, positions, frequencies, bool(interleaved), scale, back)


@op
def rotary_embedding_backward(g, positions, frequencies, interleaved, scale):
    """g turned back, the gradient of :func:`rotary_embedding`."""
    return _turned("rotary_embedding", g, positions, frequencies, interleaved, scale, True)


def _rotary_lanes(op, args, mapped, static):
    """Lanes are axes more in front of positions of lanes, and behind those that all share."""
    (x, positions, frequencies, *settings), lanes = args, lanes_of(args, mapped)
    of_positions = rank(positions, mapped[1])
    if any(mapped[2:]) or not 1 <= of_positions < rank(x, mapped[0]):
        return NotImplemented
    x = with_lanes(x, mapped[0], lanes)
    if mapped[1]:
        return op(x, positions, frequencies, *settings)
    x = moveaxis(x, 0, of_positions - 1)
    return moveaxis(op(x, positions, frequencies, *settings), of_positions - 1, 0)


rotary_embedding.batched(_rotary_lanes).grad(
    x=lambda g, positions, frequencies, interleaved, scale: rotary_embedding_backward(
        g, positions, frequencies, interleaved, scale
    ),
)
rotary_embedding_backward.batched(_rotary_lanes).grad(
    g=lambda gg, positions, frequencies, interleaved, scale: rotary_embedding(
        gg, positions, frequencies, interleaved, scale
    ),
)
