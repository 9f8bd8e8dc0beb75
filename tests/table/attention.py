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
    more = (0.0, False, None, False, None)  # what stands between mask and bias
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
        case(*qkv(2), some, *more, rng.normal(size=(2, 1, 4)), softcap=1.5),
        case(*qkv(2, 2), rng.normal(size=(3, 4)), *more, rng.normal(size=(2, 1, 4)), window=2),
        case(*qkv(2, 2), window=(1, None), key_lengths=np.array([3, 1]), offset=1),
        case(*qkv(2), is_causal=True, alibi_slopes=np.array([0.5, 0.25]), key_lengths=[4, 2]),
        case(q, k, v, enable_gqa=True, window=(2, 0), softcap=0.7, key_lengths=[4]),
    ]


def _torch_attention(
    torch: Any, q: Any, k: Any, v: Any, mask: Any = None, dropout_p: float = 0.0,
    is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False,
    generator: None = None, bias: Any = None, alibi_slopes: Any = None, key_lengths: Any = None, *,
    window: Any = None, softcap: float | None = None, offset: int = 0,
) -> Any:  # fmt: skip
    if enable_gqa:  # PyTorch's kernels have no such double precision on every build
        k, v = (x.repeat_interleave(q.shape[-3] // x.shape[-3], -3) for x in (k, v))
    function = torch.nn.functional.scaled_dot_product_attention
    if bias is softcap is alibi_slopes is window is key_lengths is None:
        return function(q, k, v, mask, dropout_p, is_causal, scale=scale)
    away = torch.arange(k.shape[-2]) - torch.arange(q.shape[-2])[:, None] - offset
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if softcap:
        scores = softcap * torch.tanh(scores / softcap)
    if alibi_slopes is not None:
        scores = scores - torch.as_tensor(alibi_slopes)[:, None, None] * away.abs()
    seen = torch.ones_like(away, dtype=bool)
    if is_causal:
        seen = away <= 0
    if window is not None:
        left, right = (window - 1, window - 1) if isinstance(window, int) else window
        seen = seen & (away >= -left) & (away <= (k.shape[-2] if right is None else right))
    if key_lengths is not None:
        lengths = torch.as_tensor(key_lengths).reshape(-1, *(1,) * (q.ndim - 1))
        seen = seen & (torch.arange(k.shape[-2]) < lengths)
    for added in (mask, bias):
        if added is not None and added.dtype == torch.bool:
            seen = seen & added
        elif added is not None:
            scores = scores + added
    scores = scores.masked_fill(~seen, -1e300)
    return torch.softmax(scores, -1).masked_fill(~seen, 0) @ v


row("scaled_dot_product_attention", _attention_cases, torch=_torch_attention, hides=True)
