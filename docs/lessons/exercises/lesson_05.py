"""Exercises of lesson 5, what a node saves: fill in what raises NotImplementedError.

pytest docs/lessons/exercises -k lesson_05
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import tinytensor as tt
from tinytensor.engine import op


def needs() -> dict[str, str]:
    """1. What must be kept of out = op(x), or out = op(a, b), so that the gradient by x, or by a
    alone, can be told? "nothing" (a shape is nothing), "input" (x itself, or a), "output", or
    "other" (b). If the input or the output will do, say "output".

    The keys: "add", "multiply", "exp", "sin", "log", "sqrt", "tanh", "matmul", "sum".
    Hint: differentiate each, and try to write the slope with the output alone.
    """
    raise NotImplementedError(
        'Return {"add": …, "multiply": …, …}. Begin with add: out = a + b grows as fast as a does,'
        " whatever a and b are. And sqrt: its slope is 1 / (2·√x), in which √x is …"
    )


def bytes_saved(batch: int, widths: list[int]) -> int:
    """2. How many bytes does the graph of this MLP hold after its forward pass? In float32; leaves
    do not count. ``widths`` are those of the data, of each hidden layer, and of the output:

        x = data                              # (batch, widths[0]), wants no gradient
        for weight in weights:                # (widths[i], widths[i + 1]), wants one
            x = (x @ weight).tanh()
        loss = x.sum()

    Hint: what does each matmul keep, what each tanh, and which of these are the same array?
    """
    raise NotImplementedError(
        "Each matmul needs its input for the gradient of its weight; each tanh needs its output,"
        " which is the next one's input. List the arrays that are left, once each, and add up"
        " batch · width · 4."
    )


@op
def lean_silu(x: np.ndarray) -> np.ndarray:
    """3. silu(x) = x · σ(x), σ(x) = 1 / (1 + e⁻ˣ), as an op that keeps one array only.

    The forward function is given an ndarray and returns one. Then declare the rule below it, by
    lean_silu.grad(x=lambda g, x: …), in which g and x are tensors; its slope is
    σ(x) · (1 + x · (1 - σ(x))). tt.sigmoid(x) may help. It must have a second derivative, too.
    """
    raise NotImplementedError(
        "The forward function first: x / (1 + np.exp(-x)). Then the rule, with x as its only name:"
        " what it needs beside x, it can compute again from x."
    )


def in_parts(
    chain: Callable[[tt.Tensor, list[tt.Tensor]], tt.Tensor],
    x: tt.Tensor,
    weights: list[tt.Tensor],
    most: int,
) -> tt.Tensor:
    """4. chain(x, weights), but cut into parts by tt.func.checkpoint such that no more than about
    ``most`` arrays wait at once. Take as few parts as will do, since every part counts.

    chain(x, weights[:3]) runs three layers, and gives the x for chain(x, weights[3:]).
    For n layers in parts of m there wait ⌈n / m⌉ + m arrays at the peak.
    """
    raise NotImplementedError(
        "Which lengths m of a part satisfy ceil(n / m) + m <= most? The largest of them makes the"
        " fewest parts. Then x = checkpoint(chain, x, weights[i : i + m]) for each part."
    )


def forgetful(f: Callable[[tt.Tensor], tt.Tensor]) -> Callable[[tt.Tensor], tt.Tensor]:
    """5. The function f of one tensor, as one that keeps nothing but its input, and runs f again
    in the backward pass. Without tt.func.checkpoint.

    Make an op: its forward runs f under tt.no_grad() on tt.asarray(x) and returns the ndarray
    (np.asarray gives it); its rule runs f again. Hint: out, pull = tt.func.vjp(f, x), and pull(g)
    is a tuple with the cotangent of x. Its second derivative comes by itself.
    """
    raise NotImplementedError(
        "Within forgetful, define an @op whose forward takes x, an ndarray. Give it the rule"
        " x=lambda g, x: …, in which x is a tensor again: pull g through f at x. Return the op."
    )
