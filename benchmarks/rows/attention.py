"""Causal scaled dot-product attention."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..row import Builder, Row


def build(lib: Any) -> Any:
    function = lib.nn.functional.scaled_dot_product_attention
    return lambda q, k, v: function(q, k, v, is_causal=True)


def build_jax(jax: Any) -> Any:
    def function(q: Any, k: Any, v: Any) -> Any:  # JAX wants (batch, time, heads, depth)
        q, k, v = (x.swapaxes(1, 2) for x in (q, k, v))
        return jax.nn.dot_product_attention(q, k, v, is_causal=True).swapaxes(1, 2)

    return function


def attention(b: int, h: int, t: int, d: int, quick: bool = False) -> Iterator[Row]:
    """The rows of q, k and v (b, h, t, d). What a causal mask hides is not counted as work."""
    builders: dict[str, Builder | None] = {"tinytensor": build, "torch": build, "jax": build_jax}
    inputs = dict.fromkeys("qkv", (b, h, t, d))
    pairs = b * h * t * (t + 1) / 2
    size = 4.0 * b * h * t * d
    name = f"attention {b}x{h}x{t}x{d}"
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
    yield from attention(1, 8, 4096, 64)


ROWS = list(rows())
