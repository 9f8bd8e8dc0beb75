"""Normalisation over layers and batches."""

from __future__ import annotations

from typing import Any

import numpy as np

from .rows import Case, case, row


def _torch_layer_norm(
    torch: Any, x: Any, shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Any:
    shape = (shape,) if isinstance(shape, int) else shape
    return torch.nn.functional.layer_norm(x, shape, weight, bias, eps)


row(
    "layer_norm",
    lambda rng: [
        case(rng.normal(size=(3, 5)), 5),
        case(rng.normal(size=(2, 3, 4)), (4,), rng.normal(size=4), rng.normal(size=4)),
        case(rng.normal(size=(2, 3, 4)), (3, 4), rng.normal(size=(3, 4)), eps=0.1),
        case(rng.normal(size=(2, 35)) + 3, 35, None, rng.normal(size=35)),
    ],
    torch=_torch_layer_norm,
    float32_tolerance=2e-5,
)
row(
    "rms_norm",
    lambda rng: [
        case(rng.normal(size=(3, 5)), 5),
        case(rng.normal(size=(2, 3, 4)), (4,), rng.normal(size=4), 1e-6),
        case(rng.normal(size=(2, 3, 4)), (3, 4), rng.normal(size=(3, 4)), eps=0.1),
        case(rng.normal(size=(2, 35)) + 3, 35, None),
    ],
    torch=lambda torch, x, shape, weight=None, eps=None: torch.nn.functional.rms_norm(
        x, (shape,) if isinstance(shape, int) else shape, weight, eps
    ),
)


def _batch_norm_cases(rng: np.random.Generator) -> list[Case]:
    mean, var = np.array([0.5, -1.0, 0.0], np.float32), np.array([1.0, 4.0, 0.5], np.float32)
    weight, bias = rng.normal(size=3), rng.normal(size=3)
    return [
        case(rng.normal(size=(4, 3)), None, None, weight, bias, training=True),
        case(rng.normal(size=(2, 3, 5)), training=True, eps=0.1),
        case(rng.normal(size=(2, 3, 3, 7)) + 1, None, None, weight, training=True),
        case(rng.normal(size=(4, 3)), mean, var, weight, bias),
        case(rng.normal(size=(2, 3, 2, 3)), mean, var, None, bias, False, 0.1, 0.01),
    ]


def _torch_batch_norm(
    torch: Any, x: Any, mean: Any = None, var: Any = None, *args: Any, **kwargs: Any
) -> Any:
    mean, var = (s if s is None else s.to(x.dtype) for s in (mean, var))
    return torch.nn.functional.batch_norm(x, mean, var, *args, **kwargs)


row("batch_norm", _batch_norm_cases, torch=_torch_batch_norm, float32_tolerance=2e-5)
