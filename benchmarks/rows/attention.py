"""Causal scaled dot-product attention."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

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


def rows() -> Iterator[Row]:
    yield from attention(8, 4, 64, 32, quick=True)
    yield from attention(4, 12, 256, 64)
    yield from attention(1, 12, 1024, 64)
    yield from attention(1, 12, 1024, 64, kv_heads=4)
    yield from attention(1, 8, 4096, 64)


ROWS = list(rows())
