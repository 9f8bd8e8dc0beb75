"""Scaled dot-product attention: causal, with a bias, a window, padding, dropout, shared heads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..row import Builder, Row


def build(lib: Any) -> Any:
    function = lib.nn.functional.scaled_dot_product_attention
    return lambda q, k, v: function(q, k, v, is_causal=True, enable_gqa=q.shape[1] != k.shape[1])


def build_jax(jax: Any) -> Any:
    def function(q: Any, k: Any, v: Any) -> Any:  # JAX wants (batch, time, heads, depth)
        q, k, v = (x.swapaxes(1, 2) for x in (q, k, v))
        return jax.nn.dot_product_attention(q, k, v, is_causal=True).swapaxes(1, 2)

    return function


def attention(
    b: int, h: int, t: int, d: int, kv_heads: int = 0, quick: bool = False
) -> Iterator[Row]:
    """The rows of q (b, h, t, d), and of k and v, which may have fewer heads.

    What a causal mask hides is not counted as work.
    """
    builders: dict[str, Builder | None] = {"tinytensor": build, "torch": build, "jax": build_jax}
    kv_heads = kv_heads or h
    inputs = {"q": (b, h, t, d), "k": (b, kv_heads, t, d), "v": (b, kv_heads, t, d)}
    pairs = b * h * t * (t + 1) / 2
    size = 2.0 * b * (h + kv_heads) * t * d  # bytes of an array, in the mean
    name = f"attention {b}x{h}x{t}x{d}" + (f", {kv_heads} of k and v" if kv_heads != h else "")
    # Two products forward, five backward (the logits are made again); q, k, v, out and the logs.
    yield Row("attention", name, "forward", builders, inputs, 4 * d * pairs, 4 * size, quick=quick)
    yield Row(
        "attention",
        f"{name}, forward + backward",
        "backward",
        builders,
        inputs,
        14 * d * pairs,
        12 * size,
        quick=quick,
    )


WINDOW = 256
LENGTHS = (0.3, 1.0, 0.5, 0.8)  # of the padded length, row by row


def plain(lib: Any) -> Any:
    function = lib.nn.functional.scaled_dot_product_attention
    return lambda q, k, v, mask=None: function(q, k, v, attn_mask=mask)


def windowed(lib: Any) -> Any:
    function = lib.nn.functional.scaled_dot_product_attention
    return lambda q, k, v, near: function(q, k, v, is_causal=True, window=WINDOW)


def padded(lib: Any) -> Any:
    function = lib.nn.functional.scaled_dot_product_attention

    def run(q: Any, k: Any, v: Any, seen: Any) -> Any:
        return function(q, k, v, key_lengths=seen.numpy().sum((1, 2, 3)))

    return run


def near(t: int) -> np.ndarray:
    """Which keys a causal window of WINDOW lets queries see."""
    away = np.arange(t)[:, None] - np.arange(t)
    return (away >= 0) & (away < WINDOW)


def inside(b: int, t: int) -> np.ndarray:
    """Which keys of padded sequences are there."""
    lengths = np.resize(np.array(LENGTHS) * t, b)
    return (np.arange(t) < lengths[:, None])[:, None, None]


def masked(
    what: str, b: int, h: int, t: int, d: int, inputs: dict[str, Any], ours: Any, theirs: Any,
    pairs: float, quick: bool = False,
) -> Iterator[Row]:  # fmt: skip
    """The rows of q, k and v (b, h, t, d) with ``inputs`` beside, of which ``pairs`` are seen."""
    builders: dict[str, Builder | None] = {"tinytensor": ours, "torch": theirs, "numpy": None}
    q = dict.fromkeys("qkv", (b, h, t, d))
    name = f"attention {b}x{h}x{t}x{d}, {what}"
    for mode, flops, size in (("forward", 4, 4), ("backward", 14, 12)):
        yield Row(
            "attention",
            name + (", forward + backward" if mode == "backward" else ""),
            mode,  # type: ignore[arg-type]
            builders,
            {**q, **inputs},
            flops * d * pairs,
            size * 4.0 * b * h * t * d,
            quick=quick,
        )


def rows() -> Iterator[Row]:
    yield from attention(8, 4, 64, 32, quick=True)
    yield from attention(4, 12, 256, 64)
    yield from attention(1, 12, 1024, 64)
    yield from attention(1, 12, 1024, 64, kv_heads=4)
    yield from attention(4, 12, 500, 80)
    yield from attention(1, 8, 4096, 64)
    b, h, t, d = 4, 12, 512, 64
    whole = float(b * h * t * t)
    yield from masked("all keys", b, h, t, d, {}, plain, plain, whole)
    yield from masked("a bias of heads", b, h, t, d, {"bias": (1, h, t, t)}, plain, plain, whole)
    seen = inside(b, t)
    yield from masked(
        "padded", b, h, t, d, {"seen": lambda _: seen}, padded, plain, h * t * float(seen.sum())
    )
    band = near(2048)
    yield from masked(
        f"a window of {WINDOW}", 1, 8, 2048, d, {"near": lambda _: band}, windowed, plain,
        8 * float(band.sum()),
    )  # fmt: skip


ROWS = list(rows())
