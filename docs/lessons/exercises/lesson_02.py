"""Exercises of lesson 2, the graph: fill in what raises NotImplementedError.

pytest docs/lessons/exercises -k lesson_02

Graphs are dicts here. The key is a step's name. The value is the list of what it was made from,
or, where slopes are needed, of pairs (parent, slope). Parents stand before those they made, as a
program runs: {"x": [], "a": ["x", "x"], "b": ["a", "x"], "y": ["b", "a"]}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tinytensor.engine.core import Node
from tinytensor.scalar import Value

Parents = Mapping[str, Sequence[str]]
Slopes = Mapping[str, Sequence[tuple[str, float]]]


def depths(graph: Parents) -> dict[str, int]:
    """1. The depth of each step: 0 for a leaf, which has no parents; otherwise 1 more than the
    deepest parent's.

    Hint: parents come first in the dict, so one loop will do.
    """
    raise NotImplementedError(
        "Go through the dict in its order. When a step's turn comes, the depths of all its parents"
        " are known already. What is the depth of a step whose parents have depths 1 and 4?"
    )


def backward(graph: Slopes, end: str) -> dict[str, float]:
    """2. The cotangent of each step, for the derivative of ``end``: 1 for ``end`` itself, 0 for a
    step on which it does not depend.

    Hint: users come after their parents in the dict. Which order makes them come before?
    """
    raise NotImplementedError(
        "Begin with 0 for all and 1 for the end. Then let every step send slope · g to each of its"
        " parents. In which order, so that nothing comes late?"
    )


def ways(graph: Parents, end: str, start: str) -> int:
    """3. How many ways lead from ``end`` back to ``start``? In ["x", "x"] there are two ways to x.

    Do not walk them: there may be 2²⁰⁰. Hint: this is the last exercise with slopes of …
    """
    raise NotImplementedError(
        "A way contributes the product of its slopes to the gradient. Which slopes make each way"
        " contribute exactly 1? You have a function that adds that up without walking."
    )


def in_order(y: Value) -> list[Node]:
    """4. All nodes behind a recorded Value, each once, in an order in which a backward pass may
    take them. The first is ``y.node``.

    A node has a ``depth`` and ``parents``: nodes, and leaves, which are Values and not listed.
    Hint: find them all first, without calling yourself; the chain may be long.
    """
    raise NotImplementedError(
        "Keep a list of nodes still to look at and a set of those that you have seen. When all are"
        " found, one call of sorted() does the rest: by what, and from which end?"
    )


def backward_in_place(
    graph: Mapping[str, Sequence[tuple[str, Callable[[Any], Any]]]], end: str, g: Any
) -> dict[str, Any]:
    """5. As exercise 2, but cotangents are arrays, and in place of a slope there is a rule, which
    makes the parent's cotangent of the step's own. A rule may hand on the very array that it got.

    Start with ``g`` at the end. Steps that nothing reached are not in the result. Make as few
    arrays as possible: ``total += part`` where you may, ``total + part`` where you must.
    Hint: which arrays are surely nobody else's?
    """
    raise NotImplementedError(
        "First write it with total + part everywhere; then all is right, and wasteful. An array may"
        " be added to in place if you made it yourself, by an addition. Keep the names of steps"
        " whose pending sum is such an array in a set."
    )
