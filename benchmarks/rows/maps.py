"""Element-wise maps, reductions and row-wise operations on 4096×1024 floats."""

from __future__ import annotations

from collections.abc import Iterator
from operator import add
from typing import Any

from ..row import Builder, Draw, Row, classes, everywhere

ROW, COLUMN = 4096, 1024
ELEMENTS = ROW * COLUMN
SIZE = 4.0 * ELEMENTS  # bytes

Builders = dict[str, Builder | None]


def both(
    name: str,
    builders: Builders,
    inputs: dict[str, Draw],
    traffic: tuple[float, float],
    quick: bool = False,
) -> Iterator[Row]:
    """The rows of forward and of forward + backward; ``traffic``: arrays read and written in each.

    Backward is given an array of cotangents, and reads it. What is done to an element counts as one
    operation, be it a sum or an exponential: memory is the limit.
    """
    forward, backward = (SIZE * arrays for arrays in traffic)
    more = f"{name}, forward + backward"
    yield Row("maps", name, "forward", builders, inputs, ELEMENTS, forward, quick=quick)
    yield Row("maps", more, "backward", builders, inputs, 2.0 * ELEMENTS, forward + backward)


def unary(name: str, numpy: Builder | None = None, quick: bool = False) -> Iterator[Row]:
    """A map that tinytensor, PyTorch and JAX have under one name."""

    def build(lib: Any) -> Any:
        return getattr(lib, name, None) or getattr(lib.nn.functional, name)

    builders: Builders = {
        "tinytensor": build,
        "torch": build,
        "jax": lambda jax: getattr(jax.numpy, name, None) or getattr(jax.nn, name),
    }
    if numpy is not None:
        builders["numpy"] = numpy
    # Backward reads the cotangent and what was saved, and writes one array.
    yield from both(name, builders, {"x": (ROW, COLUMN)}, (2, 3), quick=quick)


def gelu(approximate: str) -> Builders:
    def build(lib: Any) -> Any:
        function = lib.nn.functional.gelu
        return lambda x: function(x, approximate=approximate)

    def build_jax(jax: Any) -> Any:
        return lambda x: jax.nn.gelu(x, approximate=approximate == "tanh")

    return {"tinytensor": build, "torch": build, "jax": build_jax}


def softmax(log: str = "") -> Builders:
    name = f"{log}softmax"

    def build(lib: Any) -> Any:
        function = getattr(lib.nn.functional, name)
        return lambda x: function(x, -1)

    return {
        "tinytensor": build,
        "torch": build,
        "jax": lambda jax: getattr(jax.nn, name),
    }


def layer_norm(lib: Any) -> Any:
    function = lib.nn.functional.layer_norm
    return lambda x, weight, bias: function(x, (COLUMN,), weight, bias)


def layer_norm_jax(jax: Any) -> Any:
    def function(x: Any, weight: Any, bias: Any) -> Any:
        mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        return (x - mean) * jax.lax.rsqrt(var + 1e-5) * weight + bias

    return function


def batch_norm(lib: Any) -> Any:
    function = lib.nn.functional.batch_norm
    return lambda x, weight, bias: function(x, None, None, weight, bias, True)


def cross_entropy(lib: Any) -> Any:
    return lib.nn.functional.cross_entropy


def embedding(lib: Any) -> Any:
    function = lib.nn.functional.embedding
    return lambda indices, weight: function(indices, weight)


def reduction(name: str, axis: int | None) -> Builders:
    def build(lib: Any) -> Any:
        return lambda x: getattr(x, name)(axis)

    return {"tinytensor": build, "torch": build, "numpy": build, "jax": build}


def rows() -> Iterator[Row]:
    matrix = (ROW, COLUMN)
    everyone = ("tinytensor", "torch", "numpy", "jax")
    yield from both("add", everywhere(add, *everyone), {"x": matrix, "y": matrix}, (3, 1))
    yield from both("add a row", everywhere(add, *everyone), {"x": matrix, "y": (COLUMN,)}, (2, 1))
    yield from unary("exp", lambda np: np.exp, quick=True)
    yield from unary("tanh", lambda np: np.tanh)
    yield from unary("relu")
    yield from unary("sigmoid")
    yield from unary("silu")
    yield from both("gelu, exact", gelu("none"), {"x": matrix}, (2, 3))
    yield from both("gelu, tanh form", gelu("tanh"), {"x": matrix}, (2, 3))
    for axis in (None, 0, 1):
        over = "all" if axis is None else f"axis {axis}"
        yield from both(f"sum over {over}", reduction("sum", axis), {"x": matrix}, (1, 1))
    yield from both("softmax", softmax(), {"x": matrix}, (2, 3), quick=True)
    yield from both("log_softmax", softmax("log_"), {"x": matrix}, (2, 3))
    yield from both(
        "layer_norm",
        {"tinytensor": layer_norm, "torch": layer_norm, "jax": layer_norm_jax},
        {"x": matrix, "weight": (COLUMN,), "bias": (COLUMN,)},
        (2, 3),
    )
    yield from both(
        "batch_norm, 32x128x32x32",
        {"tinytensor": batch_norm, "torch": batch_norm},
        {"x": (32, 128, 32, 32), "weight": (128,), "bias": (128,)},
        (2, 3),
    )
    yield from both(
        "cross_entropy",
        {"tinytensor": cross_entropy, "torch": cross_entropy},
        {"x": matrix, "y": classes(COLUMN, ROW)},
        (1, 2),
    )
    yield from both(
        "embedding, 4096 of 1024x1024",
        {"tinytensor": embedding, "torch": embedding},
        {"indices": classes(1024, ROW), "weight": (1024, COLUMN)},
        (2, 1.25),
    )


ROWS = list(rows())
