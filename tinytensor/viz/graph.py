"""A picture of a recorded graph, as SVG and as DOT text: ops, shapes, what is saved, gradients."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import numpy as np

from ..debug.saved_memory import storages_of
from ..engine.core import GraphError, Variable, edge
from ..errors import a_kind_of
from ..nn import Module
from .layout import arranged, in_rows, spread

Target = Any  # a node or a leaf: where cotangents arrive

LISTED = 60  # boxes that the description tells one by one
FAR, FAR_FROM_A_LEAF = 40, 4  # over more layers no line is drawn: the source is named again
NAMES = 4  # of what a call saved: the note has them all
GAP = 18  # between boxes of a row
RISE = 34  # between rows
CHARACTER, LINE, PADDING = 6.7, 15, 9  # of the text in a box
DOT_COLOURS = {"leaf": "#dcfce7", "op": "#dbeafe", "part": "#f1f5f9", "output": "#ffedd5"}
STYLE = """
.tt-graph{background:#fff;font:11px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
.tt-graph text{fill:#0f172a;text-anchor:middle}
.tt-graph .n{font-weight:700}
.tt-graph rect{stroke-width:1.2}
.tt-graph .leaf rect{fill:#dcfce7;stroke:#15803d}
.tt-graph .op rect{fill:#dbeafe;stroke:#1d4ed8}
.tt-graph .part rect{fill:#f1f5f9;stroke:#64748b;stroke-dasharray:3 2}
.tt-graph .again rect{fill:none;stroke:#64748b;stroke-dasharray:3 2}
.tt-graph .output rect{fill:#ffedd5;stroke:#c2410c}
.tt-graph .edges{fill:none;stroke:#64748b;stroke-width:1.2}
.tt-graph .tips{fill:#64748b}
@media (prefers-color-scheme:dark){
.tt-graph{background:#0f172a}
.tt-graph text{fill:#f1f5f9}
.tt-graph .leaf rect{fill:#14432a;stroke:#4ade80}
.tt-graph .op rect{fill:#1e3a6e;stroke:#93c5fd}
.tt-graph .part rect{fill:#1e293b;stroke:#94a3b8}
.tt-graph .again rect{stroke:#94a3b8}
.tt-graph .output rect{fill:#5a2e12;stroke:#fdba74}
.tt-graph .edges{stroke:#94a3b8}
.tt-graph .tips{fill:#94a3b8}
}
"""


def graph(
    y: Any,
    *,
    model: Module | None = None,
    names: Mapping[str, Any] | None = None,
    title: str | None = None,
) -> Graph:
    """A picture of all that ``y`` depends on: of a tensor or `Value`, or of several in a list,
    tuple or dict.

    The graph is read as it stands, so nothing need have been watched. There is a box for each leaf
    and each call that was recorded, with its shape and dtype; the number, of one, where the graph
    knows it; the bytes that a call saved for backward, each array at the first that saved it, as
    ``saved_memory`` counts; and gradients, of leaves and of what retains its own. Constants are no
    part of a graph. A call with several outputs has a box for each.

    ``model`` gives its parameters their names, and ``names`` any variable, a leaf or not;
    ``names=locals()`` will do, what is no variable is passed over. ``GraphError`` is raised where
    ``y`` wants no gradient: it has no graph.

    >>> import tinytensor as tt
    >>> w = tt.tensor([1.0, 2.0], requires_grad=True)
    >>> picture = graph((w * w).sum(), names={"w": w})
    >>> picture
    Graph of sum: 2 calls from w; 0 bytes saved
    >>> picture.svg[:26]
    '<svg class="tt-graph" xmln'

    In a notebook it shows itself; ``save("x.svg")`` and ``save("x.dot")`` write it.
    """
    if model is not None and not isinstance(model, Module):
        raise TypeError(f"graph: model must be a Module, not {a_kind_of(model)}")
    if title is not None and not isinstance(title, str):
        raise TypeError(f"graph: title must be a text, not {a_kind_of(title)}")
    if names is not None and not isinstance(names, Mapping):
        raise TypeError(f"graph: names must be a dict of variables, not {a_kind_of(names)}")
    outputs = dict(_outputs(y, "output"))
    if not outputs:
        raise TypeError(f"graph: y must be a tensor or Value, or several; it is {a_kind_of(y)}")
    for path, variable in outputs.items():
        if not isinstance(variable, Variable):
            raise TypeError(f"graph: {path} is {a_kind_of(variable)}, not a tensor or Value")
        if not variable.requires_grad:
            raise GraphError(f"graph: {path} wants no gradient, so no graph was recorded for it")
    outputs = {path: _of_all_lanes(variable) for path, variable in outputs.items()}
    known: dict[Target, str] = {}
    if model is not None:
        known = {edge(variable): name for name, variable in model.named_parameters()}
    for name, variable in (names or {}).items():
        if isinstance(variable, Variable) and variable.requires_grad:
            known[edge(_of_all_lanes(variable))] = str(name)
    return Graph(outputs, known, title)


class _Box:
    """One box: what kind it is, its lines of text, and a longer note."""

    __slots__ = ("kind", "lines", "note", "sources")

    def __init__(self, kind: str, lines: list[str], sources: list[int], note: str = "") -> None:
        self.kind, self.lines, self.sources, self.note = kind, lines, sources, note


class Graph:
    """The picture that :func:`graph` gives: ``svg`` and ``dot`` are texts, of the moment at which
    the picture was taken."""

    def __init__(
        self, outputs: dict[str, Variable], names: dict[Target, str], title: str | None = None
    ) -> None:
        targets = _in_order([edge(variable) for variable in outputs.values()])
        numbers = {target: i for i, target in enumerate(targets)}
        values = _values(targets, outputs)
        self.saved = 0
        self._boxes: list[_Box] = []
        counted = {
            id(array)
            for leaf in targets
            if isinstance(leaf, Variable)
            for array in storages_of(leaf.value)
        }
        for target in targets:
            parents = () if isinstance(target, Variable) else target.parents
            sources = [numbers[parent] for parent in parents if parent is not None]
            lines = _lines(target, names.get(target), values)
            kind = "leaf" if isinstance(target, Variable) else "op" if target.plan else "part"
            note = ""
            if kind == "op":
                text, note, count = _saved(target, counted)
                self.saved += count
                lines += [text] if text else []
            gradient = _gradient(target)
            lines += [gradient] if gradient else []
            self._boxes.append(_Box(kind, lines, sources, note))
        for path, variable in outputs.items():
            self._boxes.append(_Box("output", [path], [numbers[edge(variable)]]))
        kinds = [box.kind for box in self._boxes]
        self.calls = kinds.count("op")
        self.leaves = [box.lines[0] for box in self._boxes if box.kind == "leaf"]
        first = targets[-1] if len(outputs) == 1 else None
        what = f"{len(outputs)} outputs" if first is None else _name(first, names.get(first))
        self.title = f"Graph of {what}" if title is None else title
        self._svg: str | None = None

    def __repr__(self) -> str:
        return f"{self.title}: {self._summary()}"

    def _summary(self) -> str:
        names = ", ".join(self.leaves[:8]) + (", …" if len(self.leaves) > 8 else "")
        count = f"{self.calls} call" + "s" * (self.calls != 1)
        return f"{count} from {names}; {self.saved:,} bytes saved"

    def _repr_svg_(self) -> str:
        """As a notebook shows it."""
        return self.svg

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture to a file, as its name ends: .svg, or .dot or .gv."""
        name = os.fspath(path)
        ending = os.path.splitext(name)[1].lower()
        if ending not in (".svg", ".dot", ".gv"):
            raise ValueError(f"graph: can be saved as .svg, .dot or .gv, not as {name!r}")
        with open(name, "w", encoding="utf-8") as file:
            file.write(self.svg if ending == ".svg" else self.dot)

    # --- Texts ---------------------------------------------------------------------------------

    @property
    def dot(self) -> str:
        """The graph in the language of Graphviz."""
        lines = [f"digraph {_quoted([self.title])} {{"]
        lines.append('  node [shape=box style=filled fontname="monospace" fontsize=10];')
        for i, box in enumerate(self._boxes):
            shape = " shape=ellipse" if box.kind == "leaf" else ""
            tip = f" tooltip={_quoted([box.note])}" if box.note else ""
            colour = f'fillcolor="{DOT_COLOURS[box.kind]}"'
            lines.append(f"  n{i} [label={_quoted(box.lines)} {colour}{shape}{tip}];")
        for i, box in enumerate(self._boxes):
            lines += [f"  n{source} -> n{i};" for source in box.sources]
        return "\n".join([*lines, "}", ""])

    @property
    def svg(self) -> str:
        """The picture, which needs nothing around it; it follows the reader's light or dark."""
        if self._svg is None:
            self._svg = self._drawn()
        return self._svg

    def _drawn(self) -> str:
        boxes = _with_sources_again(self._boxes)
        laid = in_rows(len(boxes), _edges(boxes))
        widths = [max(map(_width, box.lines)) * CHARACTER + 2 * PADDING for box in boxes]
        heights = [len(box.lines) * LINE + 8 for box in boxes]
        middles = spread(laid, widths, GAP)
        left = min(x - width / 2 for x, width in zip(middles, widths, strict=False)) - GAP
        left = min(left, min(middles) - GAP)
        middles = [x - left for x in middles]
        right = max(x + width / 2 for x, width in zip(middles, widths, strict=False)) + GAP
        right = max(right, max(middles) + GAP)
        tops, depths, y = [], [], float(GAP)  # of rows
        for row in laid.rows:
            depth = max([heights[i] for i in row if i < len(boxes)], default=0)
            tops.append(y)
            depths.append(depth)
            y += depth + RISE
        bottom = y - RISE + GAP
        top = [tops[layer] for layer in laid.layers]

        edges, tips = [], []
        for i, box in enumerate(boxes):
            for source in dict.fromkeys(box.sources):
                x, y = middles[source], top[source] + heights[source]
                line = [f"M{x:.0f} {y:.0f}"]
                for step, bend in enumerate(laid.ways.get((source, i), [])):
                    passed = laid.layers[source] + 1 + step
                    line.append(_curve(x, y, middles[bend], tops[passed]))
                    x, y = middles[bend], tops[passed] + depths[passed]
                    line.append(f"V{y:.0f}")
                line.append(_curve(x, y, middles[i], top[i] - 6))
                edges.append("".join(line))
                tips.append(f"M{middles[i]:.0f} {top[i]:.0f}l-4-7h8z")
        parts = [
            f'<svg class="tt-graph" xmlns="http://www.w3.org/2000/svg" width="{right:.0f}" '
            f'height="{bottom:.0f}" viewBox="0 0 {right:.0f} {bottom:.0f}" role="img" '
            f'aria-label="{escape(_printable(repr(self)))}">',
            f"<title>{escape(_printable(self.title))}</title>",
            f"<desc>{escape(_printable(self._description()))}</desc>",
            f"<style>{STYLE}</style>",
            f'<path class="edges" d="{"".join(edges)}"/><path class="tips" d="{"".join(tips)}"/>',
        ]
        name = ' class="n"'
        for i, box in enumerate(boxes):
            x, y, width = middles[i] - widths[i] / 2, top[i], widths[i]
            note = f"<title>{escape(_printable(box.note))}</title>" if box.note else ""
            round_ = 11 if box.kind == "leaf" else 4
            texts = "".join(
                f'<text x="{middles[i]:.0f}" y="{y + LINE * (n + 1):.0f}"'
                f"{name * (n == 0)}>{escape(_printable(line))}</text>"
                for n, line in enumerate(box.lines)
            )
            parts.append(
                f'<g class="{box.kind}">{note}<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" '
                f'height="{heights[i]}" rx="{round_}"/>{texts}</g>'
            )
        return "\n".join([*parts, "</svg>"])

    def _description(self) -> str:
        """In words, for who does not see it: each box and what goes into it."""
        told = [f"{self._summary()}."]
        for box in self._boxes[: LISTED if len(self._boxes) > LISTED else None]:
            text = f"{box.kind}: " * (box.kind != "op") + ", ".join(box.lines)
            inputs = ", ".join([self._boxes[source].lines[0] for source in box.sources])
            told.append(f"{text}; from {inputs}." if inputs else f"{text}.")
        if len(self._boxes) > LISTED:
            told.append(f"And {len(self._boxes) - LISTED} more.")
        return " ".join(told)


# --- What a graph says -------------------------------------------------------------------------


def _outputs(y: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(y, Mapping):
        for key, each in y.items():
            yield from _outputs(each, f"{path}[{key!r}]")
    elif isinstance(y, list | tuple):
        for i, each in enumerate(y):
            yield from _outputs(each, f"{path}[{i}]")
    else:
        yield path, y


def _of_all_lanes(variable: Any) -> Any:
    """Under vmap, what is recorded is recorded of all lanes."""
    while variable.level:
        variable = variable.value
    return variable


def _in_order(lasts: list[Target]) -> list[Target]:
    """All nodes and leaves behind ``lasts``, each after its parents, in the order of arguments."""
    order: dict[Target, None] = {}
    stack = [(target, False) for target in reversed(lasts)]
    while stack:
        target, done = stack.pop()
        if target in order:
            continue
        if done or isinstance(target, Variable):
            order[target] = None
            continue
        stack.append((target, True))
        stack += [(parent, False) for parent in reversed(target.parents) if parent is not None]
    return list(order)


def _values(targets: list[Target], outputs: dict[str, Variable]) -> dict[Target, Any]:
    """The raw values that the graph still holds, by the node or leaf that they belong to. A node
    does not hold its output, but a call that needs it for its gradient does."""
    values = {target: target.value for target in targets if isinstance(target, Variable)}
    for node in targets:
        if isinstance(node, Variable) or not node.plan or node.saved is None:
            continue
        if any(version.count != count for version, count, _ in node.guards or ()):
            continue  # changed in place since
        for slot, item in enumerate(node.saved):
            if slot == node.plan.out_at and len(item) == 1 and node.op.outputs == 1:
                values[node] = item[0][0]
            elif isinstance(item, Variable) and item.tracked:
                values[edge(item)] = item.value
    return values | {edge(variable): variable.value for variable in outputs.values()}


def _name(target: Target, given: str | None) -> str:
    if isinstance(target, Variable):
        return given or "leaf"
    own = target.op.__name__ if target.plan else f"{target.op.__name__}[{target.index}]"
    return f"{given} = {own}" if given else own


def _lines(target: Target, given: str | None, values: dict[Target, Any]) -> list[str]:
    """The name, then the shape and dtype, and a number where one is known."""
    lines = [_name(target, given)]
    spec = _spec(target) if isinstance(target, Variable) else target.spec
    number = _number(values.get(target))
    if isinstance(spec, tuple):
        lines.append(f"{spec[0]} {spec[-1]}" + (f" = {number}" if number else ""))
    elif number:
        lines.append(f"= {number}")
    return lines


def _spec(variable: Variable) -> Any:
    family = type(variable).family
    return None if family.spec is None else family.spec(variable.value)


def _number(value: Any) -> str:
    """One number, if ``value`` is one; otherwise nothing."""
    if isinstance(value, float | int):
        return f"{value:.5g}"
    if isinstance(value, np.ndarray | np.generic) and np.size(value) == 1:
        one = np.asarray(value).reshape(())[()]
        return f"{one:.5g}" if np.issubdtype(np.asarray(value).dtype, np.number) else str(one)
    return ""


def _gradient(target: Target) -> str:
    """The gradient that is there: one number, or from the least to the greatest."""
    found = None
    if isinstance(target, Variable):
        found = target.grad
    else:
        for hook in target.hooks or ():
            retained = hook() if isinstance(hook, weakref.ref) else None
            found = retained.grad if isinstance(retained, Variable) else found
    if not isinstance(found, Variable):
        return ""
    number = _number(found.value)
    if number:
        return f"grad {number}"
    array = np.asarray(found.value)
    if not array.size:
        return ""
    if array.dtype.kind == "c":
        return f"|grad| ≤ {_number(abs(array).max())}"
    return f"grad {_number(array.min())} … {_number(array.max())}"


def _saved(node: Any, counted: set[int]) -> tuple[str, str, int]:
    """What a call holds for its rules, in a line and in full with the call's own line, and the
    bytes that nothing before it holds."""
    note = [str(node.where)] if node.where else []
    if node.saved is None:
        freed = "freed: what it had saved" if node.plan.names else ""
        text = freed if node.recompute is None else "computed again in backward"
        return text, "; ".join(note), 0
    count, names = 0, []
    for name, item in zip(node.plan.names, node.saved, strict=True):
        arrays = list(storages_of(item))
        for array in arrays:
            if id(array) not in counted:
                counted.add(id(array))
                count += array.nbytes
        if arrays or isinstance(item, Variable) or name == "out":
            names.append(name)
    if not names:
        return "", "; ".join(note), 0
    some = [*names[:NAMES], "…"] if len(names) > NAMES else names
    size = f": {count:,} B" if count else ""
    return f"saves {', '.join(some)}{size}", "; ".join([*note, f"saves {', '.join(names)}"]), count


# --- What is drawn -----------------------------------------------------------------------------


def _edges(boxes: list[_Box]) -> list[tuple[int, int]]:
    return [(source, i) for i, box in enumerate(boxes) for source in box.sources]


def _with_sources_again(boxes: list[_Box]) -> list[_Box]:
    """The boxes, and further ones that name a source again right above where it is used, instead
    of a line from far above, which would pass by all that stands between."""
    layers, _ = arranged(len(boxes), _edges(boxes))
    again: dict[tuple[int, int], int] = {}  # by the source and the layer
    drawn = [_Box(box.kind, box.lines, [], box.note) for box in boxes]
    for i, box in enumerate(boxes):
        for source in dict.fromkeys(box.sources):
            far = FAR_FROM_A_LEAF if boxes[source].kind == "leaf" else FAR
            if layers[i] - layers[source] > far:
                place = source, layers[i]
                if place not in again:
                    again[place] = len(drawn)
                    drawn.append(_Box("again", boxes[source].lines[:1], [], "as above"))
                source = again[place]
            drawn[i].sources.append(source)
    return drawn


# --- Text --------------------------------------------------------------------------------------


def _printable(text: str) -> str:
    """Without what no XML may hold."""
    return "".join([c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in text])


def _width(line: str) -> float:
    """In characters: those of East Asian scripts are two wide."""
    return sum([1 if ord(c) < 0x1100 else 2 for c in line])


def _quoted(lines: list[str]) -> str:
    """A string of DOT."""
    texts = [_printable(line).replace("\\", "\\\\").replace('"', '\\"') for line in lines]
    return '"' + "\\n".join(texts) + '"'


def _curve(x: float, y: float, to_x: float, to_y: float) -> str:
    if abs(x - to_x) < 0.5:
        return f"V{to_y:.0f}"
    half = (y + to_y) / 2
    return f"C{x:.0f} {half:.0f} {to_x:.0f} {half:.0f} {to_x:.0f} {to_y:.0f}"
