"""Scaled dot-product attention."""

from __future__ import annotations

from typing import Any

import numpy as np

from .rows import Case, case, row


def _attention_cases(rng: np.random.Generator) -> list[Case]:
    def qkv(*lead: int, queries: int = 3, keys: int = 4, depth: int = 5) -> list[np.ndarray]:
        rows = (queries, keys, keys)
        return [rng.normal(size=(*lead, n, depth)) for n in rows]

    some = rng.random((3, 4)) < 0.7
    some[:, 0] = True
    by_head = rng.random((2, 1, 4)) < 0.5
    by_head[..., 2] = True
    q, (k, v) = rng.normal(size=(1, 4, 3, 5)), rng.normal(size=(2, 1, 2, 4, 5))
    return [
        case(*qkv(1, 2)),
        case(*qkv(), scale=0.7),
        case(*qkv(2), is_causal=True),
        case(*qkv(1, 2, queries=5, keys=3), None, 0.0, True),
        case(*qkv(2, 2), some),
        case(*qkv(2), by_head),
        case(*qkv(2, 2), rng.normal(size=(3, 4))),
        case(*qkv(1, 2), rng.normal(size=(2, 1, 4))),
        case(*qkv(1, 1, 2), some),
        case(q, k, v, enable_gqa=True),
        case(*(rng.normal(size=(*lead, 3, 4)) for lead in ((2, 2), (1, 2), (2, 1)))),
        case(rng.normal(size=(1, 3, 5)), *qkv(2)[1:], some),
        case(q, rng.normal(size=(1, 2, 4, 5)), rng.normal(size=(3, 2, 4, 5)), enable_gqa=True),
        case(rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 5, 4)), rng.normal(size=(2, 5, 3))),
    ]


def _torch_attention(torch: Any, q: Any, k: Any, v: Any, *args: Any, **kwargs: Any) -> Any:
    if kwargs.get("enable_gqa"):  # PyTorch's kernels have no such double precision on every build
        k, v = (x.repeat_interleave(q.shape[-3] // x.shape[-3], -3) for x in (k, v))
        kwargs = {name: value for name, value in kwargs.items() if name != "enable_gqa"}
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, *args, **kwargs)


row("scaled_dot_product_attention", _attention_cases, torch=_torch_attention, hides=True)
