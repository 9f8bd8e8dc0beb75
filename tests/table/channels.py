"""What is done to the channels of images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .rows import case, row
from .samples import normal


def _functional(name: str) -> Callable[..., Any]:
    return lambda torch, *args, **kwargs: getattr(torch.nn.functional, name)(*args, **kwargs)


row(
    "channel_shuffle",
    lambda rng: [case(normal(rng, 2, 6, 3), 2), case(normal(rng, 1, 4, 2, 2), groups=4)],
    torch=_functional("channel_shuffle"),
)
row(
    "pixel_shuffle",
    lambda rng: [case(normal(rng, 2, 8, 2, 3), 2), case(normal(rng, 9, 1, 2), 3)],
    torch=_functional("pixel_shuffle"),
)
row(
    "pixel_unshuffle",
    lambda rng: [case(normal(rng, 2, 2, 4, 6), 2), case(normal(rng, 1, 3, 6), 3)],
    torch=_functional("pixel_unshuffle"),
)
row(
    "group_norm",
    lambda rng: [
        case(normal(rng, 2, 4, 3), 2),
        case(normal(rng, 2, 6, 2, 2), 3, normal(rng, 6), normal(rng, 6), eps=0.1),
        case(normal(rng, 3, 4), 2, normal(rng, 4)),
    ],
    torch=_functional("group_norm"),
    float32_tolerance=2e-5,  # as of the other norms
)
row(
    "local_response_norm",
    lambda rng: [
        case(normal(rng, 2, 5, 3), 3, alpha=0.5),
        case(normal(rng, 1, 4, 2, 2), 2, alpha=0.3, beta=1.5, k=2.0),
    ],
    torch=_functional("local_response_norm"),
)
