"""Where the boxes of a graph stand: in layers, so that edges go down, and with few crossings.

One layout for all pictures: ``grouped`` folds the calls of a recording into the modules that made
them, and arranges each group by itself; ``viz.graph`` arranges the nodes of a graph at once. (The
method is that of Sugiyama, Tagawa and Toda 1981, "Methods for visual understanding of hierarchical
system structures": layers by longest path, then sweeps of barycentres. It is deterministic.)
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

Edge = tuple[int, int]

SWEEPS = 12
PATIENCE = 3  # sweeps without fewer crossings, after which there are no more
BENDS_OF_A_CHILD = 3  # how many points of long edges there may be, on average


class Rows(NamedTuple):
    """Children in layers, and between the layers of a long edge's ends the bends it passes by."""

    layers: list[int]  # of each child
    rows: list[
        list[int]
    ]  # what stands in each layer, from the left; numbers from ``count`` on: bends
    links: list[list[int]]  # of each child and bend, what it is tied to in the next row
    ways: dict[Edge, list[int]]  # the bends of each edge, unless it goes back or is very long


def arranged(count: int, edges: Iterable[Edge]) -> tuple[list[int], list[int]]:
    """The layer of each of ``count`` children, and its place among the children of that layer.

    An edge (a, b) between different children puts b below a, at the length of the longest path;
    a child without edges into it stands right above the first that it leads to. Where edges form a
    circle, those that close it, in the order of the children's numbers, go up. Children that no
    edge ties are in the first layer.

    >>> arranged(4, [(0, 1), (0, 2), (1, 3), (2, 3)])
    ([0, 1, 1, 2], [0, 0, 1, 0])
    """
    laid = in_rows(count, edges)
    places = [0] * count
    for row in laid.rows:
        for place, child in enumerate([item for item in row if item < count]):
            places[child] = place
    return laid.layers, places


def in_rows(count: int, edges: Iterable[Edge]) -> Rows:
    """What ``arranged`` does, with the bends of edges that cross several layers."""
    forward = _without_circles(count, edges)
    layers = _layers(forward)
    rows: list[list[int]] = [[] for _ in range(max(layers, default=-1) + 1)]
    for child, layer in enumerate(layers):
        rows[layer].append(child)
    links: list[list[int]] = [[] for _ in range(count)]
    ways: dict[Edge, list[int]] = {}
    longest = _longest_way(forward, layers)
    for source, targets in enumerate(forward):
        way: list[int] = []  # all edges of a child share it, as far as they go
        last = source
        for target in sorted(targets, key=layers.__getitem__):
            between = layers[target] - layers[source] - 1
            if between > longest:
                break
            while len(way) < between:
                bend = len(links)
                links.append([])
                links[last].append(bend)
                rows[layers[source] + len(way) + 1].append(bend)
                way.append(bend)
                last = bend
            links[last].append(target)
            ways[source, target] = way[:between]
    return Rows(layers, _with_few_crossings(rows, links), links, ways)


def crossings(rows: Sequence[Sequence[int]], links: Sequence[Sequence[int]]) -> int:
    """How many pairs of links between neighbouring rows cross."""
    count = 0
    for row, below in pairwise(rows):
        place = {item: i for i, item in enumerate(below)}
        seen: list[int] = []
        for item in row:
            ends = sorted([place[target] for target in links[item]])
            count += sum([len(seen) - bisect_right(seen, end) for end in ends])
            for end in ends:
                insort(seen, end)
    return count


def spread(laid: Rows, widths: Sequence[float], gap: float) -> list[float]:
    """The middle of each child and bend: each row in its order with ``gap`` between, and all as
    near as that allows to the middles of what they are tied to. ``widths`` are those of children;
    a bend takes none."""
    count = len(widths)
    width = [*widths, *[0.0] * (len(laid.links) - count)]
    middles = [0.0] * len(width)
    above: list[list[int]] = [[] for _ in width]
    for source, targets in enumerate(laid.links):
        for target in targets:
            above[target].append(source)
    # What nothing leads to follows the child that it is for, rather than draw that to its side.
    inner = [[t for t in tied if above[t]] or tied for tied in above]
    offsets = []  # of each row packed to the left
    for row in laid.rows:
        ends, places = 0.0, []
        for item in row:
            places.append(ends + width[item] / 2)
            ends += width[item] + gap
        offsets.append(places)
        for item, place in zip(row, places, strict=True):
            middles[item] = place - (ends - gap) / 2
    both = [[*up, *down] for up, down in zip(inner, laid.links, strict=True)]
    order = list(zip(laid.rows, offsets, strict=True))
    for way, tied in ((order, inner), (order[::-1], laid.links), (order, inner), (order, both)):
        for row, places in way:
            wanted = [median([middles[t] for t in tied[i]] or [middles[i]]) for i in row]
            # A bend that bends not makes a long edge straight: it weighs more.
            weights = [4.0 if i >= count else 1.0 if tied[i] else 0.1 for i in row]
            found = _ascending([w - p for w, p in zip(wanted, places, strict=True)], weights)
            for item, place, shift in zip(row, places, found, strict=True):
                middles[item] = place + shift
    return middles


def grouped(data: dict[str, Any]) -> dict[str, Any]:
    """The layout of a recording's ``data``: of each group its children, arranged.

    The first group is the whole. Any other one is **a run of calls inside a module**, one after the
    other in time: a cell that is called for each step, or a layer that is shared, has a group for
    each run (``visit`` counts them from 0), so that edges between groups never go back in time.
    Calls that a backward pass records (their ``order`` is above 0) are in groups of that order, of
    no module. A leaf, which is any value that no call made, stands in the innermost group with all
    calls that use it, where there are such those of the lowest order.

    Returns ``{"groups": [{"module", "order", "visit", "parent", "children", "layer", "place",
    "edges"}]}``. ``children`` are ``{"call": i}``, ``{"group": i}`` and ``{"leaf": value}``, in the
    order of time. ``edges`` are pairs of positions among the children: what one made, or something
    inside it, is used by the other, or inside that.
    """
    groups: list[dict[str, Any]] = []
    paths = _paths(data)
    depths: list[int] = []
    inside: list[int] = []  # the group of each call
    visits: dict[Any, int] = {}

    def opened(parent: int | None, order: int, module: int | None) -> int:
        visit = visits.get((order, module), 0)
        visits[order, module] = visit + 1
        groups.append(
            {"module": module, "order": order, "visit": visit, "parent": parent, "children": []}
        )
        depths.append(0 if parent is None else depths[parent] + 1)
        return len(groups) - 1

    def common(a: int, b: int) -> int:
        while a != b:
            if depths[a] >= depths[b]:
                a = groups[a]["parent"]
            else:
                b = groups[b]["parent"]
        return a

    stack = [opened(None, 0, None)]
    keys: list[tuple[int, int | None]] = []
    for path in paths:
        same = 0
        while same < min(len(keys), len(path)) and keys[same] == path[same]:
            same += 1
        del keys[same:], stack[same + 1 :]
        for key in path[same:]:
            keys.append(key)
            stack.append(opened(stack[-1], *key))
        inside.append(stack[-1])

    homes = _homes(data, inside, common)
    children: list[tuple[str, int, int]] = []  # in the order of time: kind, number, group
    begun = {0}
    for call, group in enumerate(inside):
        children += [("leaf", leaf, home) for leaf, home in homes.get(call, {}).items()]
        opening = []
        around = group
        while around not in begun:
            begun.add(around)
            opening.append(("group", around, groups[around]["parent"]))
            around = groups[around]["parent"]
        children += opening[::-1]
        children.append(("call", call, group))
    at: dict[tuple[str, int], tuple[int, int]] = {}  # the group and the position there
    for kind, number, group in children:
        at[kind, number] = group, len(groups[group]["children"])
        groups[group]["children"].append({kind: number})

    edges: list[dict[Edge, None]] = [{} for _ in groups]
    for source, call in _flows(data):
        if source not in at:
            continue
        a, b = at[source], at["call", call]
        shared = common(a[0], b[0])
        while a[0] != shared:
            a = at["group", a[0]]
        while b[0] != shared:
            b = at["group", b[0]]
        if a[1] != b[1]:
            edges[shared][a[1], b[1]] = None
    for one, found in zip(groups, edges, strict=True):
        one["layer"], one["place"] = arranged(len(one["children"]), found)
        one["edges"] = [list(edge) for edge in found]
    return {"groups": groups}


# --- A recording's calls and values ------------------------------------------------------------


def _paths(data: dict[str, Any]) -> list[list[tuple[int, int | None]]]:
    """Of each call the groups around it, from the outermost: pairs of an order and a module."""
    chains: dict[int | None, list[int]] = {None: []}

    def chain(module: int | None) -> list[int]:
        if module is None or module in chains:
            return chains[module]
        chains[module] = [*chain(data["modules"][module]["parent"]), module]
        return chains[module]

    paths: list[list[tuple[int, int | None]]] = []
    for call in data["calls"]:
        order = call["order"]
        outer: list[tuple[int, int | None]] = [(order, None)] if order else []
        paths.append(outer + [(order, module) for module in chain(call["module"])])
    return paths


def _flows(data: dict[str, Any]) -> Iterable[tuple[tuple[str, int], int]]:
    """What goes into calls: ("leaf", value) or ("call", call that made it), and the call."""
    for number, call in enumerate(data["calls"]):
        made = []
        for given in call["inputs"]:
            value = given.get("value")
            if value is None:
                continue
            by = data["values"][value]["made_by"]
            if by is None:
                yield ("leaf", value), number
            else:
                made.append(by)
        # A parent may be none of them: the change in place that gave a view its present node.
        made += [parent for parent in call["parents"] if parent is not None]
        for by in dict.fromkeys(made):
            if by < number:
                yield ("call", by), number


def _homes(data: dict[str, Any], inside: list[int], common: Any) -> dict[int, dict[int, int]]:
    """The leaves and the group of each, by the first call that uses them."""
    users: dict[int, list[int]] = {}
    for (kind, value), call in _flows(data):
        if kind == "leaf":
            users.setdefault(value, []).append(call)
    homes: dict[int, dict[int, int]] = {}
    for value, calls in users.items():
        lowest = min([data["calls"][call]["order"] for call in calls])
        chosen = [call for call in calls if data["calls"][call]["order"] == lowest]
        home = inside[chosen[0]]
        for call in chosen[1:]:
            home = common(home, inside[call])
        homes.setdefault(chosen[0], {})[value] = home
    return homes


# --- Layers and orders -------------------------------------------------------------------------


def _without_circles(count: int, edges: Iterable[Edge]) -> list[list[int]]:
    """Where edges lead from each child, without loops, doubles and those that close a circle."""
    targets: list[list[int]] = [[] for _ in range(count)]
    for source, target in dict.fromkeys(map(tuple, edges)):
        if source != target:
            targets[source].append(target)
    for ends in targets:
        ends.sort()
    state = [0] * count  # 1: on the way from where the search began; 2: done
    forward: list[list[int]] = [[] for _ in range(count)]
    for start in range(count):
        if state[start]:
            continue
        state[start] = 1
        stack = [(start, iter(targets[start]))]
        while stack:
            child, rest = stack[-1]
            target = next(rest, -1)
            if target < 0:
                state[child] = 2
                stack.pop()
            elif state[target] != 1:
                forward[child].append(target)
                if not state[target]:
                    state[target] = 1
                    stack.append((target, iter(targets[target])))
    return forward


def _layers(forward: list[list[int]]) -> list[int]:
    """The longest path to each child; of those that no edge leads to, right above their first."""
    arriving = [0] * len(forward)
    for targets in forward:
        for target in targets:
            arriving[target] += 1
    sources = [child for child, count in enumerate(arriving) if not count]
    layers = [0] * len(forward)
    waiting = sources[::-1]
    while waiting:
        child = waiting.pop()
        for target in forward[child]:
            layers[target] = max(layers[target], layers[child] + 1)
            arriving[target] -= 1
            if not arriving[target]:
                waiting.append(target)
    for child in sources:
        layers[child] = min([layers[target] - 1 for target in forward[child]], default=0)
    return layers


def _longest_way(forward: list[list[int]], layers: list[int]) -> int:
    """How many layers an edge may cross to be given bends, so that they are not too many."""
    reach: dict[int, int] = {}  # how many children have a way of a length
    for source, targets in enumerate(forward):
        for between in {layers[target] - layers[source] - 1 for target in targets}:
            reach[between] = reach.get(between, 0) + 1
    left = 1000 + BENDS_OF_A_CHILD * len(forward)
    longest = 0
    for between in sorted(reach):
        left -= between * reach[between]
        if left < 0:
            break
        longest = between
    return longest


def _with_few_crossings(rows: list[list[int]], links: list[list[int]]) -> list[list[int]]:
    """The rows ordered by sweeps of barycentres, down and up; the best that was seen."""
    above: list[list[int]] = [[] for _ in links]
    for source, targets in enumerate(links):
        for target in targets:
            above[target].append(source)
    best, fewest = rows, crossings(rows, links)
    rows = [row[:] for row in rows]
    failed = 0
    for sweep in range(SWEEPS):
        if not fewest or failed == PATIENCE:
            break
        tied, order = (links, range(len(rows) - 2, -1, -1)) if sweep % 2 else (
            above, range(1, len(rows)))  # fmt: skip
        place: dict[int, float] = {}
        for row in rows:
            place.update(zip(row, range(len(row)), strict=True))
        for i in order:
            centres = {}
            for item in rows[i]:
                ends = tied[item]
                centres[item] = (
                    sum([place[end] for end in ends]) / len(ends) if ends else place[item]
                )
            rows[i].sort(key=centres.__getitem__)
            place.update(zip(rows[i], range(len(rows[i])), strict=True))
        count = crossings(rows, links)
        failed += 1
        if count < fewest:
            best, fewest, failed = [row[:] for row in rows], count, 0
    return best


def _ascending(wanted: list[float], weights: list[float]) -> list[float]:
    """The ascending numbers nearest to ``wanted``, by weighted squares: neighbours that stand the
    wrong way round are pooled at their mean."""
    pools: list[list[float]] = []  # the mean, the weight, how many
    for value, weight in zip(wanted, weights, strict=True):
        pools.append([value, weight, 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            mean, heavy, many = pools.pop()
            last = pools[-1]
            last[0] = (last[0] * last[1] + mean * heavy) / (last[1] + heavy)
            last[1] += heavy
            last[2] += many
    return [mean for mean, _, many in pools for _ in range(int(many))]
