"""Row: one line of the report, told once for every framework."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import numpy as np

# How an input is drawn: a shape (standard normal, float32), or a function of the generator.
Draw = tuple[int, ...] | Callable[[np.random.Generator], np.ndarray]

# From the imported library to what is run: a function of tensors, a module, or a statement.
Builder = Callable[[Any], Any]

Mode = Literal["statement", "forward", "backward", "train", "loaded"]


@dataclass(frozen=True)
class Row:
    """What is run, on what, and how much work it is.

    ``builders`` has an entry for each library that can do it. What it builds is, by ``mode``:

    - ``statement``: Python source, in which the inputs have their names; those whose names are in
      ``recorded`` ask for gradients
    - ``forward``: a function of the inputs, called without recording
    - ``backward``: a function of the inputs, or a module; called, and differentiated by its
      floating-point inputs and its parameters
    - ``train``: a model from ``x`` to logits, of which ``y`` are the classes; a whole training step
      (cross-entropy, AdamW)
    - ``loaded``: a model and the loader of its batches (x, y); several such steps. The peer "held"
      has the batches ready

    NumPy needs no entry but for statements: without one, tinytensor's reference kernels run, which
    are plain NumPy. An entry of None keeps it out.
    """

    group: str
    name: str
    mode: Mode
    builders: Mapping[str, Builder | None]
    inputs: Mapping[str, Draw]
    flops: float = 0.0  # additions and multiplications; 0 if they do not count
    bytes: float = 0.0  # read and written, each array once; 0 if unknown
    tolerance: float = 1e-4  # of the outputs' difference, relative to the largest of them
    recorded: tuple[str, ...] = ()
    quick: bool = False
    on_request: bool = False  # run only if --only names it

    def arrays(self) -> dict[str, np.ndarray]:
        """The inputs: the same in every process."""
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        return {
            name: draw(rng) if callable(draw) else rng.standard_normal(draw, np.float32)
            for name, draw in self.inputs.items()
        }


def initial(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The initial value of a parameter, the same in every process: it depends on its name alone.

    Matrices keep the size of what goes through them, scales are near 1 and biases near 0.
    """
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    values = rng.standard_normal(shape, np.float32)
    if len(shape) > 1:
        return values / np.float32(np.sqrt(prod(shape[1:])))
    return values * np.float32(0.02) + np.float32(name.endswith("weight"))


def classes(count: int, *shape: int) -> Draw:
    """Whole numbers below ``count``, int64."""
    return lambda rng: rng.integers(count, size=shape)


def everywhere(built: Any, *libraries: str) -> dict[str, Builder | None]:
    """Builders for the libraries that all run the very same thing."""
    return {library: lambda _: built for library in libraries}
