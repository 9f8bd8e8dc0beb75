"""Solutions of lesson 2, the graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tinytensor.engine.core import Node
from tinytensor.scalar import Value

Parents = Mapping[str, Sequence[str]]
Slopes = Mapping[str, Sequence[tuple[str, float]]]


def depths(graph: Parents) -> dict[str, int]:
    found: dict[str, int] = {}
    for step, parents in graph.items():
        found[step] = 1 + max((found[parent] for parent in parents), default=-1)
    return found


def backward(graph: Slopes, end: str) -> dict[str, float]:
    g: dict[str, float] = dict.fromkeys(graph, 0)
    g[end] = 1
    for step in reversed(graph):
        for parent, slope in graph[step]:
            g[parent] += slope * g[step]
    return g


def ways(graph: Parents, end: str, start: str) -> int:
    ones = {step: [(parent, 1) for parent in parents] for step, parents in graph.items()}
    return int(backward(ones, end)[start])


def in_order(y: Value) -> list[Node]:
    waiting, seen = [y.node], set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, Node) and node not in seen:
            seen.add(node)
            waiting += node.parents
    return sorted(seen, key=lambda node: -node.depth)


def backward_in_place(
    graph: Mapping[str, Sequence[tuple[str, Callable[[Any], Any]]]], end: str, g: Any
) -> dict[str, Any]:
    pending, owned = {end: g}, set()
    for step in reversed(graph):
        if step not in pending:
            continue
        for parent, rule in graph[step]:
            part = rule(pending[step])
            if parent not in pending:
                pending[parent] = part
            elif parent in owned:
                pending[parent] += part
            else:
                pending[parent] = pending[parent] + part
                owned.add(parent)
    return pending
