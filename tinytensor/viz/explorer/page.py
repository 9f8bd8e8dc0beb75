"""A recorded run's data, the style and the scripts, put into one page that loads nothing else."""

from __future__ import annotations

import json
import math
import re
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any

SCRIPTS = (
    *("dom.js", "run.js", "numbers.js", "details.js"),
    *("boxes.js", "routes.js", "graph.js", "lights.js", "view.js", "walk.js"),
    *("tree.js", "timeline.js", "search.js", "explorer.js"),
)
# Where text becomes a part of the page: nothing in it can end the element that it stands in.
UNSAFE: dict[int, str] = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}
MOST = 2**53  # integers up to here are floats
LONG = re.compile(r"[-:,\[]\d{16,}")  # what may be such an integer


def page(data: Mapping[str, Any]) -> str:
    """The page of what ``recording.data()`` gave: it needs no other file, and no network.

    Its policy lets run only the scripts that it was made with, whatever the data hold.
    """
    style = _text("explorer.css")
    script = "(() => {\n'use strict';\n" + "\n".join(map(_text, SCRIPTS)) + "\n})();\n"
    hashed = b64encode(sha256(script.encode()).digest()).decode()
    parts = {
        "policy": f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{hashed}'",
        "title": escape(str(data.get("title") or "A run")),
        "style": style,
        "data": encoded(data),
        "script": script,
    }
    made = []
    for i, piece in enumerate(_text("template.html").split("%%")):
        made.append(parts[piece] if i % 2 else piece)
    return "".join(made)


def frame(data: Mapping[str, Any], height: int = 720) -> str:
    """The page inside an iframe, as notebooks show it."""
    return (
        f'<iframe sandbox="allow-scripts" srcdoc="{escape(page(data))}" title="Run of a graph"'
        f' style="width: 100%; height: {height}px; border: 0"></iframe>'
    )


def encoded(data: Any) -> str:
    """JSON that may stand in a script element. What no number of a script can be becomes a text:
    inf, NaN, and integers that have no float."""
    try:
        text = _json(data)
        exact = LONG.search(text) is None
    except ValueError:
        exact = False
    return (text if exact else _json(_sayable(data))).translate(UNSAFE)


def _json(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _sayable(data: Any) -> Any:
    if isinstance(data, float) and not math.isfinite(data):
        return str(data)
    if isinstance(data, int) and abs(data) > MOST:
        return str(data)
    if isinstance(data, Mapping):
        return {name: _sayable(part) for name, part in data.items()}
    if isinstance(data, list | tuple):
        return [_sayable(part) for part in data]
    return data


def _text(name: str) -> str:
    return (files(__name__.rpartition(".")[0]) / name).read_text(encoding="utf-8")
