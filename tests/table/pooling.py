"""Pooling, and the gathering and scattering that its gradients are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .rows import Case, case, row
from .samples import normal


def max_pools(rng: np.random.Generator) -> list[Case]:
    return [
        case(normal(rng, 2, 3, 4, 6), 2),
        case(normal(rng, 2, 7, 6), (3, 2), stride=(2, 1)),
        case(normal(rng, 1, 2, 6, 5), 3, 2, 1, ceil_mode=True),
        case(normal(rng, 1, 2, 7, 7), 3, stride=2, padding=(1, 0), dilation=(2, 1)),
        case(normal(rng, 0, 2, 4, 4), 2),
    ]


row(
    "max_pool2d",
    max_pools,
    torch=lambda torch, x, *args, **kwargs: torch.nn.functional.max_pool2d(x, *args, **kwargs),
)
row(
    "max_pool2d_with_indices",
    max_pools,
    torch=lambda torch, x, *args, **kwargs: torch.nn.functional.max_pool2d(
        x, *args, **kwargs, return_indices=True
    ),
)
row(
    "scatter_planes",
    lambda rng: [
        case(
            normal(rng, 2, 2, 3),
            np.array([[[0, 5, 5], [1, 2, 19]], [[0, 0, 0], [7, 8, 9]]]),
            (4, 5),
        )
    ],
    torch=lambda torch, g, indices, size: (
        torch.zeros(len(g), size[0] * size[1], dtype=g.dtype)
        .scatter_add(1, torch.as_tensor(indices).flatten(1), g.flatten(1))
        .reshape(len(g), *size)
    ),
)
row(
    "gather_planes",
    lambda rng: [
        case(normal(rng, 2, 4, 5), np.array([[[0, 5, 5], [1, 2, 19]], [[0, 0, 0], [7, 8, 9]]]))
    ],
    torch=lambda torch, x, indices: torch.gather(
        x.flatten(1), 1, torch.as_tensor(indices).flatten(1)
    ).reshape(indices.shape),
)
row(
    "avg_pool2d",
    lambda rng: [
        case(normal(rng, 2, 3, 4, 6), 2),
        case(normal(rng, 2, 7, 6), (3, 2), stride=(2, 1), padding=1),
        case(normal(rng, 1, 2, 6, 5), 3, 2, 1, True),
        case(normal(rng, 1, 2, 6, 5), 3, 2, 1, ceil_mode=True, count_include_pad=False),
        case(normal(rng, 1, 2, 6, 5), 3, 2, 1, divisor_override=5),
    ],
    torch=lambda torch, x, *args, **kwargs: torch.nn.functional.avg_pool2d(x, *args, **kwargs),
)
row(
    "avg_pool2d_grad",
    lambda rng: [
        case(normal(rng, 2, 3, 2, 3), (4, 6), 2),
        case(normal(rng, 2, 4, 7), (7, 6), (3, 2), stride=(2, 1), padding=1),
        case(normal(rng, 1, 2, 4, 3), (6, 5), 3, 2, 1, True),
        case(normal(rng, 1, 2, 4, 3), (6, 5), 3, 2, 1, ceil_mode=True, count_include_pad=False),
        case(normal(rng, 1, 2, 3, 3), (6, 5), 3, 2, 1, divisor_override=5),
    ],
    why_no_torch="PyTorch has it only inside its backward pass, where avg_pool2d's row meets it",
)
row(
    "adaptive_avg_pool2d",
    lambda rng: [
        case(normal(rng, 2, 3, 4, 6), 1),
        case(normal(rng, 3, 7, 5), (3, 4)),
        case(normal(rng, 1, 2, 4, 5), (None, 2)),
        case(normal(rng, 1, 2, 3, 2), 5),
    ],
    torch=lambda torch, x, size: torch.nn.functional.adaptive_avg_pool2d(x, size),
)
row(
    "adaptive_avg_pool2d_grad",
    lambda rng: [
        case(normal(rng, 2, 3, 1, 1), (4, 6)),
        case(normal(rng, 3, 3, 4), (7, 5)),
        case(normal(rng, 1, 2, 5, 5), (3, 2)),
    ],
    why_no_torch="PyTorch has it only inside its backward pass, where its forward's row meets it",
)


# --- Along one axis and along three ------------------------------------------------------------


def _functional(name: str) -> Callable[..., Any]:
    return lambda torch, *args, **kwargs: getattr(torch.nn.functional, name)(*args, **kwargs)


def _max_cases(axes: int, with_indices: bool) -> Callable[..., list[Case]]:
    def cases(rng: np.random.Generator) -> list[Case]:
        space = (5, 4, 6)[:axes]
        more = [case(normal(rng, 2, *space), 2, return_indices=True)] if with_indices else []
        return [
            case(normal(rng, 2, 3, *space), 2),
            case(normal(rng, 2, *space), 3, 2, 1, ceil_mode=True),
            case(normal(rng, 1, 2, *(7,) * axes), 3, stride=2, padding=1, dilation=2),
            *more,
        ]

    return cases


for _axes in (1, 3):
    row(f"max_pool{_axes}d", _max_cases(_axes, True), torch=_functional(f"max_pool{_axes}d"))
    row(
        f"avg_pool{_axes}d",
        lambda rng, axes=_axes: [
            case(normal(rng, 2, 3, *(5, 4, 6)[:axes]), 2),
            case(normal(rng, 2, *(5, 4, 6)[:axes]), 3, 2, 1, ceil_mode=True),
            case(normal(rng, 1, 2, *(5, 4, 6)[:axes]), 3, 2, 1, count_include_pad=False),
            *([case(normal(rng, 1, 4, 3, 3), 2, divisor_override=5)] if axes == 3 else []),
        ],
        torch=_functional(f"avg_pool{_axes}d"),
    )
    row(
        f"adaptive_avg_pool{_axes}d",
        lambda rng, axes=_axes: [
            case(normal(rng, 2, 3, *(5, 4, 6)[:axes]), 3),
            case(normal(rng, 2, *(5, 4, 6)[:axes]), 1),
        ],
        torch=_functional(f"adaptive_avg_pool{_axes}d"),
    )
for _axes in (1, 2, 3):
    row(
        f"lp_pool{_axes}d",
        lambda rng, axes=_axes: [
            case(normal(rng, 2, 3, *(5, 4, 6)[:axes]), 2, 2),
            case(np.abs(normal(rng, 2, *(5, 4, 6)[:axes])) + 0.1, 3, 3, 2, ceil_mode=True),
            case(normal(rng, 1, 2, *(5, 4, 6)[:axes]), np.inf, 2, 1),
        ],
        torch=_functional(f"lp_pool{_axes}d"),
    )
    row(
        f"adaptive_max_pool{_axes}d",
        lambda rng, axes=_axes: [
            case(normal(rng, 2, 3, *(5, 4, 6)[:axes]), 3),
            case(normal(rng, 2, *(5, 4, 6)[:axes]), 2, return_indices=True),
        ],
        torch=_functional(f"adaptive_max_pool{_axes}d"),
    )
    row(
        f"max_unpool{_axes}d",
        lambda rng, axes=_axes: [
            case(
                normal(rng, 2, 3, *(2,) * axes),
                np.stack([rng.permutation(4**axes)[: 2**axes] for _ in range(6)]).reshape(
                    2, 3, *(2,) * axes
                ),
                2,
            ),
            case(
                normal(rng, 2, *(2,) * axes),
                np.stack([rng.permutation(5**axes)[: 2**axes] for _ in range(2)]).reshape(
                    2, *(2,) * axes
                ),
                2,
                2,
                output_size=(5,) * axes,
            ),
        ],
        torch=lambda torch, x, indices, *args, axes=_axes, **kwargs: getattr(
            torch.nn.functional, f"max_unpool{axes}d"
        )(x, torch.as_tensor(indices), *args, **kwargs),
    )
