"""Maps, reductions, row-wise operations and copies, most of 4096×1024 floats; AdamW steps."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from operator import add
from typing import Any

import numpy as np

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
    tolerance: float = 1e-4,
) -> Iterator[Row]:
    """The rows of forward and of forward + backward; ``traffic``: arrays read and written in each.

    Backward is given an array of cotangents, and reads it. What is done to an element counts as one
    operation, be it a sum or an exponential: memory is the limit.
    """
    forward, backward = (SIZE * arrays for arrays in traffic)
    more = f"{name}, forward + backward"
    row = partial(Row, "maps", builders=builders, inputs=inputs, tolerance=tolerance)
    yield row(name, "forward", flops=ELEMENTS, bytes=forward, quick=quick)
    yield row(more, "backward", flops=2.0 * ELEMENTS, bytes=forward + backward)


def positive(*shape: int) -> Draw:
    """Uniform in [0.1, 2)."""
    return lambda rng: rng.uniform(0.1, 2, shape).astype(np.float32)


def unary(
    name: str, numpy: Builder | None = None, quick: bool = False, x: Draw = (ROW, COLUMN)
) -> Iterator[Row]:
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
    yield from both(name, builders, {"x": x}, (2, 3), quick=quick)


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


def rms_norm(lib: Any) -> Any:
    function = lib.nn.functional.rms_norm
    return lambda x, weight: function(x, (COLUMN,), weight, 1e-6)


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


def picked(lib: Any) -> Any:
    return lambda indices, x: x[indices]


def dropout(lib: Any) -> Any:
    function = lib.nn.functional.dropout
    return lambda x: function(x, 0.1)


def reduction(name: str, axis: int | None) -> Builders:
    def build(lib: Any) -> Any:
        return lambda x: getattr(x, name)(axis)

    return {"tinytensor": build, "torch": build, "numpy": build, "jax": build}


def largest(axis: int) -> Builders:
    """PyTorch's max along an axis is also an argmax, its amax is not."""
    return {**reduction("max", axis), "torch": lambda _: lambda x: x.amax(axis)}


def variance(axis: int) -> Builders:
    """NumPy divides by n, PyTorch by n - 1."""
    return {**reduction("var", axis), "torch": lambda _: lambda x: x.var(axis, correction=0)}


def logsumexp(lib: Any) -> Any:
    return lambda x: lib.logsumexp(x, -1)


def running_sum(axis: int) -> Builders:
    def build(lib: Any) -> Any:
        return lambda x: lib.cumsum(x, axis)

    return {"tinytensor": build, "torch": build, "numpy": build}


def choice(lib: Any) -> Any:
    return lambda x, y: lib.where(x > y, x, y)


def mse_loss(lib: Any) -> Any:
    return lib.nn.functional.mse_loss


# Copies: views of other strides, into C order.


def transposed(lib: Any) -> Any:
    return lambda x: x.mT.contiguous()


def split_heads(axis1: int, axis2: int) -> Builders:
    return {
        "tinytensor": lambda tt: lambda x: tt.swapaxes(x, axis1, axis2).contiguous(),
        "torch": lambda torch: lambda x: x.transpose(axis1, axis2).contiguous(),
        "numpy": lambda np: lambda x: np.ascontiguousarray(np.swapaxes(x, axis1, axis2)),
    }


def slices(lib: Any) -> Any:
    return lambda x: x[:, 256:768].contiguous()


COPIES: dict[str, tuple[Builders, tuple[int, ...]]] = {
    "copy of a transposed matrix": (
        {
            "tinytensor": transposed,
            "torch": transposed,
            "numpy": lambda np: lambda x: np.ascontiguousarray(x.T),
        },
        (ROW, COLUMN),
    ),
    "copy of heads, 4x1024x12x64": (split_heads(1, 2), (4, 1024, 12, 64)),
    "copy of channels last, 32x64x28x28": (
        {
            "tinytensor": lambda tt: lambda x: tt.permute_dims(x, (0, 2, 3, 1)).contiguous(),
            "torch": lambda torch: lambda x: x.permute(0, 2, 3, 1).contiguous(),
            "numpy": lambda np: lambda x: np.ascontiguousarray(x.transpose(0, 2, 3, 1)),
        },
        (32, 64, 28, 28),
    ),
    "copy of slices": (
        {
            "tinytensor": slices,
            "torch": slices,
            "numpy": lambda np: lambda x: np.ascontiguousarray(x[:, 256:768]),
        },
        (ROW, COLUMN),
    ),
}


# --- The optimizer ---------------------------------------------------------------------------

WIDTH, BLOCKS, VOCABULARY = 128, 4, 96
OF_A_BLOCK = [
    *[(WIDTH,)] * 4,  # two layer norms
    *[(3 * WIDTH, WIDTH), (3 * WIDTH,), (WIDTH, WIDTH), (WIDTH,)],
    *[(4 * WIDTH, WIDTH), (4 * WIDTH,), (WIDTH, 4 * WIDTH), (WIDTH,)],
]
OF_A_GPT = [*OF_A_BLOCK * BLOCKS, (VOCABULARY, WIDTH), (64, WIDTH), (VOCABULARY, WIDTH)]


def adamw(**how: Any) -> Builder:
    """A step of AdamW over the parameters of a small GPT; gives the first parameter."""

    def build(lib: Any) -> Any:
        rng = np.random.default_rng(0)
        parameters = []
        for shape in OF_A_GPT:
            value, gradient = rng.standard_normal((2, *shape), np.float32)
            parameters.append(lib.nn.Parameter(lib.tensor(value)))
            parameters[-1].grad = lib.tensor(gradient)
        optimizer = lib.optim.AdamW(parameters, lr=1e-4, **how)

        def step(x: Any) -> Any:
            optimizer.step()
            return parameters[0] + x

        return step

    return build


def optimizer_rows() -> Iterator[Row]:
    elements = sum(math.prod(shape) for shape in OF_A_GPT)
    for name, how in {"AdamW": {}, "AdamW, PyTorch's fused one": {"fused": True}}.items():
        builders: Builders = {"tinytensor": adamw(), "torch": adamw(**how)}
        yield Row(
            "maps",
            f"{name}, parameters of a small GPT",
            "forward",
            builders,
            {"x": (1,)},
            flops=12.0 * elements,
            bytes=7 * 4.0 * elements,  # p, m and v read and written, g read
        )


# --- All -------------------------------------------------------------------------------------


def rows() -> Iterator[Row]:
    matrix = (ROW, COLUMN)
    everyone = ("tinytensor", "torch", "numpy", "jax")
    yield from both("add", everywhere(add, *everyone), {"x": matrix, "y": matrix}, (3, 1))
    yield from both("add a row", everywhere(add, *everyone), {"x": matrix, "y": (COLUMN,)}, (2, 1))
    beside: dict[str, Draw] = {"x": matrix, "y": (ROW, 1)}
    yield from both("add a column", everywhere(add, *everyone), beside, (2, 1))
    yield from unary("exp", lambda np: np.exp, quick=True)
    yield from unary("log", lambda np: np.log, x=positive(*matrix))
    yield from unary("sqrt", lambda np: np.sqrt, x=positive(*matrix))
    yield from unary("sin", lambda np: np.sin)
    yield from unary("tanh", lambda np: np.tanh)
    yield from unary("relu")
    yield from unary("sigmoid")
    yield from unary("silu")
    yield from both("gelu, exact", gelu("none"), {"x": matrix}, (2, 3))
    yield from both("gelu, tanh form", gelu("tanh"), {"x": matrix}, (2, 3))
    for axis in (None, 0, 1):
        over = "all" if axis is None else f"axis {axis}"
        yield from both(f"sum over {over}", reduction("sum", axis), {"x": matrix}, (1, 1))
    for axis in (0, 1):
        yield from both(f"max over axis {axis}", largest(axis), {"x": matrix}, (1, 2))
        arg = reduction("argmax", axis)
        yield Row("maps", f"argmax over axis {axis}", "forward", arg, {"x": matrix}, ELEMENTS, SIZE)
        yield from both(f"var over axis {axis}", variance(axis), {"x": matrix}, (2, 2))
        yield from both(f"cumsum over axis {axis}", running_sum(axis), {"x": matrix}, (2, 2))
    reduced: Builders = {"tinytensor": logsumexp, "torch": logsumexp}
    yield from both("logsumexp", reduced, {"x": matrix}, (1, 2))
    yield from both(
        "where(x > y, x, y)",
        {"tinytensor": choice, "torch": choice, "numpy": choice},
        {"x": matrix, "y": matrix},
        (4, 3),
    )
    yield from both("softmax", softmax(), {"x": matrix}, (2, 3), quick=True)
    yield from both("log_softmax", softmax("log_"), {"x": matrix}, (2, 3))
    yield from both(
        "layer_norm",
        {"tinytensor": layer_norm, "torch": layer_norm, "jax": layer_norm_jax},
        {"x": matrix, "weight": (COLUMN,), "bias": (COLUMN,)},
        (2, 3),
    )
    yield from both(
        "rms_norm",
        {"tinytensor": rms_norm, "torch": rms_norm},
        {"x": matrix, "weight": (COLUMN,)},
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
        "cross_entropy, 512x50257",
        {"tinytensor": cross_entropy, "torch": cross_entropy},
        {"x": (512, 50257), "y": classes(50257, 512)},
        (512 * 50257 / ELEMENTS, 2 * 512 * 50257 / ELEMENTS),
    )
    yield from both(
        "mse_loss",
        {"tinytensor": mse_loss, "torch": mse_loss},
        {"x": matrix, "y": matrix},
        (2, 4),
    )
    yield from both(  # the masks differ: there is nothing to compare
        "dropout",
        {"tinytensor": dropout, "torch": dropout},
        {"x": matrix},
        (2, 2),
        tolerance=math.inf,
    )
    for name, (builders, shape) in COPIES.items():
        share = math.prod(shape) / ELEMENTS
        yield from both(name, builders, {"x": shape}, (2 * share, 2 * share))
    yield from optimizer_rows()
    yield from both(
        "embedding, 4096 of 1024x1024",
        {"tinytensor": embedding, "torch": embedding},
        {"indices": classes(1024, ROW), "weight": (1024, COLUMN)},
        (2, 1.25),
    )
    yield from both(
        "x[indices], 4096 of 1024x1024",
        {"tinytensor": picked, "torch": picked},
        {"indices": classes(1024, ROW), "x": (1024, COLUMN)},
        (2, 1.25),
    )


ROWS = list(rows())
