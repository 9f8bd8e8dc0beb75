"""Numbers that several families of the table are sampled on, and rows that many of them need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .rows import Case, case, row

# --- Arrays of a shape -----------------------------------------------------------------------


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=shape)


def signed(rng: np.random.Generator, *shape: int, low: float = 0.2, high: float = 2.0) -> Any:
    """Numbers of both signs, none near 0 (where many maps have a kink)."""
    return rng.uniform(low, high, shape) * rng.choice([-1.0, 1.0], shape)


def signed_complex(rng: np.random.Generator, *shape: int) -> Any:
    return signed(rng, *shape) + 1j * signed(rng, *shape)


def apart(rng: np.random.Generator, *shape: int) -> Any:
    """Numbers in random order, no two of which are near each other."""
    return rng.permutation(np.linspace(-2.0, 2.0, int(np.prod(shape)))).reshape(shape)


# --- Matrices within a map's domain ----------------------------------------------------------


def some(rng: np.random.Generator) -> Any:
    return rng.normal(size=(3, 4))


def positive(rng: np.random.Generator) -> Any:
    return rng.uniform(0.3, 3, (3, 4))


def within_one(rng: np.random.Generator) -> Any:
    return rng.uniform(-0.9, 0.9, (3, 4))


def off_zero(rng: np.random.Generator) -> Any:
    return signed(rng, 3, 4)


def between_whole(rng: np.random.Generator) -> Any:
    return rng.integers(-3, 4, (3, 4)) + rng.uniform(0.1, 0.4, (3, 4))


# --- Cases and rows --------------------------------------------------------------------------


def single(sample: Callable[[np.random.Generator], Any]) -> Callable[..., list[Case]]:
    return lambda rng: [case(sample(rng))]


def pairs(rng: np.random.Generator) -> list[Case]:
    """Two arrays, in the ways that they can broadcast; an array and a number, both ways round."""
    return [
        case(signed(rng, 3, 4), signed(rng, 3, 4)),
        case(signed(rng, 3, 4), signed(rng, 4)),
        case(signed(rng, 2, 1, 4), signed(rng, 3, 1)),
        case(signed(rng, 3, 4), 1.5),
        case(2.5, signed(rng, 3)),
    ]


def maps(samples: dict[str, Callable[[np.random.Generator], Any]], **kwargs: Any) -> None:
    """Rows of maps of one array that PyTorch calls by the same names."""
    for name, sample in samples.items():
        row(
            name,
            single(sample),
            torch=lambda torch, x, name=name: getattr(torch, name)(x),
            elementwise=True,
            **kwargs,
        )


def maps_of_two(*names: str, **kwargs: Any) -> None:
    """Rows of maps of two arrays that PyTorch calls by the same names."""
    for name in names:
        row(
            name,
            lambda rng, name=name: [
                case(signed(rng, 3, 4), signed(rng, 3, 4)),
                case(signed(rng, 2, 1, 4), signed(rng, 3, 1)),
                case(signed(rng, 3, 4), 1.5),
                *([case(signed(rng, 3), np.zeros(3))] if name in ("atan2", "hypot") else []),
            ],
            torch=lambda torch, a, b, name=name: getattr(torch, name)(
                a, torch.as_tensor(b, dtype=a.dtype)
            ),
            elementwise=True,
            **kwargs,
        )
