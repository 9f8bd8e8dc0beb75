"""The source of a gradient rule, as it stands in its file: of a lambda just that, with its name."""

from __future__ import annotations

import ast
import linecache
from functools import lru_cache
from textwrap import dedent
from types import CodeType, FunctionType
from typing import Any, NamedTuple


class Source(NamedTuple):
    """A piece of a file. ``file`` is "" where nobody knows where it stands."""

    text: str
    file: str
    line: int


def code_of(rule: Any) -> CodeType | None:
    """The code of a function, of what it wraps, or of what it is a partial of; otherwise None."""
    while not isinstance(rule, FunctionType):
        inner = getattr(rule, "__wrapped__", None) or getattr(rule, "func", None)
        inner = inner or getattr(rule, "__func__", None)
        called = type(rule).__call__ if callable(rule) else None
        if inner is None and isinstance(called, FunctionType):
            inner = called
        if inner is None:
            return None
        rule = inner
    inner = getattr(rule, "__wrapped__", None)
    return rule.__code__ if inner is None else code_of(inner)


def source_of(rule: Any) -> Source:
    """The source of a rule, which is a function or its code.

    >>> from tinytensor import ops
    >>> source_of(ops.multiply.rules["a"][0]).text
    'a=lambda g, b: g * b'
    """
    code = rule if isinstance(rule, CodeType) else code_of(rule)
    if code is None:
        return Source(getattr(rule, "__name__", type(rule).__name__), "", 0)
    file, first = code.co_filename, code.co_firstlineno
    text = "".join(linecache.getlines(file))
    found = _functions(text).get(first, ())
    places = [p for p in code.co_positions() if p[0] is not None and p[2] is not None]
    for name, node in found:
        parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        if code.co_varnames[: len(parameters)] == tuple(p.arg for p in parameters) and all(
            _within(place, node, first) for place in places
        ):
            piece = ast.get_source_segment(text, node, padded=True) or ""
            return Source(name + dedent(piece).strip(), file, first)
    line = linecache.getline(file, first).strip()
    return Source(line or code.co_name, file, first)


@lru_cache(maxsize=64)
def _functions(text: str) -> dict[int, list[tuple[str, Any]]]:
    """The functions of a file by the line on which they begin; before a lambda that is an argument
    stands its keyword."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return {}
    named: dict[ast.AST, str] = {}
    found: dict[int, list[tuple[str, Any]]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg and isinstance(node.value, ast.Lambda):
            named[node.value] = f"{node.arg}="
        if isinstance(node, ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef):
            decorators = [d.lineno for d in getattr(node, "decorator_list", ())]
            first = min([node.lineno, *decorators])
            found.setdefault(first, []).append((named.get(node, ""), node))
    return found


def _within(place: Any, node: Any, begun: int) -> bool:
    """Whether an instruction comes from a function; the prologue, which stands on the line where
    that is ``begun``, by a decorator where it has any, has no columns."""
    line, end_line, column, end_column = place
    if (line, column, end_column) == (begun, 0, 0):
        return True
    start, end = (line, column), (end_line or line, end_column or column)
    first, last = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
    return first <= start and end <= last
