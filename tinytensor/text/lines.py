"""Text in lines: plain ones, tab-separated fields, and JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ..data.samplers import check_count
from ..io.files import short
from .sources import Source, lines_of, text_of


def read_lines(
    source: Source,
    encoding: str = "utf-8",
    member: str | None = None,
    skip_empty: bool = False,
) -> list[str]:
    """The lines of a text, without their ends; with ``skip_empty`` those that are not blank.

    ``source`` is a path, the content as bytes, or a file opened in binary mode, plain or gzipped;
    with ``member``, a wheel or another zip archive that holds a file of this name.

    Raises FileNotFoundError, and ValueError, which names the file and the line, for what is not in
    the ``encoding``.

    >>> read_lines(b"one\\n\\ntwo\\r\\n")
    ['one', '', 'two']
    """
    text, _ = text_of(source, "read_lines", member, encoding)
    return [line for _, line in lines_of(text) if not skip_empty or line.strip()]


def read_pairs(
    source: Source,
    columns: Sequence[int] | None = (0, 1),
    separator: str = "\t",
    encoding: str = "utf-8",
    member: str | None = None,
) -> list[tuple[str, ...]]:
    """The fields of lines, such as a sentence and its translation, as Tatoeba's files have them.

    ``columns`` are those that are kept, in this order; further ones are left out, and None keeps
    all there are. Blank lines are left out. Sources are those of `read_lines`.

    Raises ValueError, which names the line, for one with too few fields.

    >>> read_pairs(b"Go.\\tGeh.\\tCC-BY 2.0\\nHi.\\tHallo!\\n")
    [('Go.', 'Geh.'), ('Hi.', 'Hallo!')]
    """
    if not isinstance(separator, str) or not separator:
        raise ValueError(f"read_pairs: separator must be text, not {separator!r}")
    for column in columns or ():
        check_count("read_pairs", "columns", column, least=0)
    text, name = text_of(source, "read_pairs", member, encoding)
    pairs = []
    for number, line in lines_of(text):
        if not line.strip():
            continue
        fields = line.split(separator)
        try:
            pairs.append(tuple(fields if columns is None else [fields[i] for i in columns]))
        except IndexError:
            raise ValueError(
                f"read_pairs: {name}, line {number}: {len(fields)} fields, and columns are"
                f" {[*(columns or ())]}: {short(line)}"
            ) from None
    return pairs


def read_json_lines(
    source: Source,
    fields: Sequence[str] | None = None,
    encoding: str = "utf-8",
    member: str | None = None,
) -> list[Any]:
    """The values of lines of JSON; with ``fields`` tuples of these fields of its objects.

    Blank lines are left out. Sources are those of `read_lines`. Raises ValueError, which names the
    line, for what is no JSON, or lacks a field.

    >>> read_json_lines(b'{"q": "Why?", "a": "So."}\\n{"q": "How?", "a": "Well."}', ["q", "a"])
    [('Why?', 'So.'), ('How?', 'Well.')]
    """
    if isinstance(fields, str):
        raise TypeError("read_json_lines: fields is a str, not a list of names")
    text, name = text_of(source, "read_json_lines", member, encoding)
    values = []
    for number, line in lines_of(text):
        if not line.strip():
            continue
        where = f"read_json_lines: {name}, line {number}"
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{where}: no JSON: {error}") from None
        if fields is not None:
            if not isinstance(value, dict):
                raise ValueError(f"{where}: {short(value)} has no fields")
            if lacking := [field for field in fields if field not in value]:
                raise ValueError(f"{where}: there is no field {lacking[0]!r}")
            value = tuple(value[field] for field in fields)
        values.append(value)
    return values
