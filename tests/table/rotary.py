"""Rotary positions."""

from __future__ import annotations

from typing import Any

import numpy as np

from .rows import Case, case, row

FREQUENCIES = np.array([1.0, 0.3, 0.05], np.float32)


def _cases(rng: np.random.Generator) -> list[Case]:
    x = rng.normal(size=(2, 3, 4, 6))
    each = np.array([[0, 1, 2, 3], [7, 8, 1000, 10]])
    return [
        case(x, np.arange(4), FREQUENCIES),
        case(x, each, FREQUENCIES, True),
        case(rng.normal(size=(4, 9)), np.arange(4) + 5, FREQUENCIES, scale=0.7),
        case(rng.normal(size=(2, 4, 7)), each, FREQUENCIES, True, 1.5),
        case(rng.normal(size=(1, 2, 2, 4, 6)), np.arange(4)[None], FREQUENCIES[:2]),
    ]


def _torch(
    torch: Any,
    x: Any,
    positions: Any,
    frequencies: Any,
    interleaved: bool = False,
    scale: float = 1,
) -> Any:
    """As complex numbers, which are multiplied by e^(i angle)."""
    angles = (positions[..., None] * frequencies).double()
    angles = angles.reshape(*positions.shape[:-1], *(1,) * (x.ndim - 1 - positions.ndim),
                            *angles.shape[-2:])  # fmt: skip
    n = frequencies.shape[-1]
    turned, rest = x[..., : 2 * n].double(), x[..., 2 * n :]
    pairs = turned.unflatten(-1, (n, 2) if interleaved else (2, n))
    pairs = pairs if interleaved else pairs.transpose(-1, -2)
    product = torch.view_as_complex(pairs.contiguous()) * torch.polar(
        torch.full_like(angles, scale), angles
    )
    pairs = torch.view_as_real(product)
    pairs = pairs if interleaved else pairs.transpose(-1, -2)
    return torch.cat([pairs.flatten(-2).to(x.dtype), rest], -1)


row("rotary_embedding", _cases, torch=_torch)
