"""Exercises of lesson 6, changes in place: fill in what raises NotImplementedError.

pytest docs/lessons/exercises -k lesson_06
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import tinytensor as tt


def verdicts() -> dict[str, bool]:
    """1. Which of these fail, at some line? A dict from the letter to True (it fails) or False.

    Before each: w = tt.tensor([1.0, 2.0], requires_grad=True); x = tt.tensor([3.0, 4.0])
    After each:  y.sum().backward()

        a   y = w * x; x += 1                       f   y = w * x; c = x.clone(); c += 1
        b   y = w + x; x += 1                       g   h = w * 2; h *= x; y = h
        c   y = (w * 2).tanh(); y += 1              h   y = w * x; w += 1
        d   y = (w * 2).log(); y += 1               i   x += 1; y = w * x
        e   y = w * x; v = x[:1]; v += 1            j   h = w * 2; y = h * 1; h[0] = 0

    Hint: what does each op save (lesson 5)? Is that changed after the call?
    """
    raise NotImplementedError(
        'Return {"a": …, …, "j": …}. Begin with a: the gradient by w is g·x, so the product has'
        " saved x; then x is changed. And b: what does a sum save?"
    )


class Box:
    """2. Numbers in memory, with views and a version. Write ``view``, ``write`` and ``save``.

    ``save`` is what a node does: it keeps a reference, not a copy. It returns a function that gives
    the numbers back, or raises RuntimeError if any of their memory was written to since.
    Hint: what must a box and its views have in common, so that all see a change?
    """

    def __init__(self, numbers: np.ndarray) -> None:
        self.numbers = numbers
        # … add what you need

    def view(self, start: int, stop: int) -> Box:
        """A box that looks at ``numbers[start:stop]`` of this one."""
        raise NotImplementedError(
            "Make a Box of self.numbers[start:stop], which shares memory in NumPy. It must share"
            " the version as well. An int cannot be shared, but an object that holds one can."
        )

    def write(self, i: int, number: float) -> None:
        """Put a number at place i."""
        raise NotImplementedError("Write into self.numbers, and let the version count.")

    def save(self) -> Callable[[], np.ndarray]:
        """A function that gives ``numbers``, or raises RuntimeError if they have changed."""
        raise NotImplementedError(
            "Note the version's count now, and define a function that compares it when called."
        )


def overwritten_gradients(g: np.ndarray, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """3. A root was written over: new = root.copy(); new[start:stop] = value. g is the cotangent of
    new. (dL/droot, dL/dvalue); g itself must stay as it is.

    Hint: does L still depend on what stood in root[start:stop]?
    """
    raise NotImplementedError(
        "The value stands in new[start:stop], so it gets that part of g. root gets the rest: g with"
        " what in the places that were written over?"
    )


def running_product(x: tt.Tensor) -> tt.Tensor:
    """4. [x0, x0·x1, x0·x1·x2, …] of a vector x, filled into a buffer ``out = tt.zeros(…)`` in
    place, such that backward works. This one does not:

        out[0] = x[0]
        for i in range(1, len(x)):
            out[i] = out[i - 1] * x[i]

    Hint: what does the product save, and what happens to that?
    """
    raise NotImplementedError(
        "The product saves out[i - 1], a view of out, and then out is changed. Keep the last"
        " product in a variable of its own; write it into the buffer, and do not read it from"
        " there."
    )


def who_needs(x: tt.Tensor, loss: tt.Tensor) -> list[str]:
    """5. The names of the ops in the graph of ``loss`` whose backward would fail if x's memory were
    changed now; sorted, each once. Without changing anything.

    Hint: from loss.node by parents (only those that are nodes: isinstance(…, Node) from
    tinytensor.engine.core), each node has ``op`` and ``guards``, None or a list of (version, count,
    name). version_of(x) is in tinytensor.engine.core, too.
    """
    raise NotImplementedError(
        "Walk over all nodes behind the loss, as in lesson 2. A node would notice a change of x if"
        " one of its guards has the very version of x, version_of(x)."
    )
