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
    lines = linecache.getlines(code.co_filename)
    found = _functions(code.co_filename, "".join(lines)).get(code.co_firstlineno, ())
    places = [
        place for place in code.co_positions() if place[0] is not None and place[2] is not None
    ]
    places = [p for p in places if (p[1] is not None and p[2]) or p[0] != code.co_firstlineno]
    for text, parameters, spans in found:
        if parameters == code.co_varnames[: len(parameters)] and all(
            _within(place, spans) for place in places
        ):
            return Source(text, code.co_filename, code.co_firstlineno)
    if found:
        return Source(found[0][0], code.co_filename, code.co_firstlineno)
    line = linecache.getline(code.co_filename, code.co_firstlineno).strip()
    return Source(line or code.co_name, code.co_filename, code.co_firstlineno)


Function = tuple[str, tuple[str, ...], tuple[int, int, int, int]]


@lru_cache(maxsize=64)
def _functions(file: str, text: str) -> dict[int, list[Function]]:
    """The functions of a file by the line on which they begin: text, parameters, place."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return {}
    named: dict[ast.AST, str] = {}
    found: dict[int, list[Function]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg and isinstance(node.value, ast.Lambda):
            named[node.value] = f"{node.arg}="
        if not isinstance(node, ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        piece = ast.get_source_segment(text, node, padded=True) or ""
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
        span = (node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0)
        parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        names = tuple(parameter.arg for parameter in parameters)
        text_of = named.get(node, "") + dedent(piece).strip()
        found.setdefault(first, []).append((text_of, names, span))
    return found


def _within(place: Any, span: tuple[int, int, int, int]) -> bool:
    line, end_line, column, end_column = place
    if (line, end_line) == (span[0], span[0]) and (column, end_column) == (0, 0):
        return True  # the prologue
    start, end = (line, column), (end_line or line, end_column or column)
    return (span[0], span[1]) <= start and end <= (span[2], span[3])
