"""Which names are public, and which of them the pages of the reference document.

A page names modules and objects by mkdocstrings' directives, ``::: tinytensor.ops.arithmetic``. A
module's directive stands for what its ``__all__`` names.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
# Where users import from; what is inside any other module is not for them.
NAMESPACES = (
    "tinytensor", "tinytensor.data", "tinytensor.distributions", "tinytensor.engine",
    "tinytensor.errors", "tinytensor.fft", "tinytensor.func", "tinytensor.generation",
    "tinytensor.io", "tinytensor.linalg", "tinytensor.memory", "tinytensor.models",
    "tinytensor.models.language", "tinytensor.models.vision", "tinytensor.nn",
    "tinytensor.nn.functional", "tinytensor.nn.init", "tinytensor.nn.utils",
    "tinytensor.nn.utils.parametrizations", "tinytensor.nn.utils.parametrize",
    "tinytensor.nn.utils.rnn", "tinytensor.optim", "tinytensor.optim.lr_scheduler",
    "tinytensor.optim.swa_utils", "tinytensor.random", "tinytensor.text", "tinytensor.train",
    "tinytensor.viz",
)  # fmt: skip
DIRECTIVE = re.compile(r"^::: (tinytensor[\w.]*)$", re.MULTILINE)


@cache
def directives() -> tuple[str, ...]:
    """What the pages of the reference name."""
    pages = sorted(REFERENCE.glob("*.md"))
    return tuple(path for page in pages for path in DIRECTIVE.findall(page.read_text("utf-8")))


@cache
def modules() -> dict[str, ModuleType]:
    """The modules among these."""
    found = {}
    for path in directives():
        with suppress(ImportError):  # it is a class or a function
            found[path] = import_module(path)
    return found


def listed(module: ModuleType) -> list[str]:
    return [name for name in getattr(module, "__all__", dir(module)) if not name.startswith("_")]


@cache
def names() -> dict[str, set[str]]:
    """The public names of all namespaces, each with the places where a page may have it."""
    found: dict[str, set[str]] = {}
    for namespace in NAMESPACES:
        module = import_module(namespace)
        for name in listed(module):
            value = getattr(module, name)
            if is_ours(value, name):
                found[f"{namespace}.{name}"] = {f"{namespace}.{name}", *places(name, value)}
    return found


def is_ours(value: Any, name: str) -> bool:
    """Whether a name is more than what a module without ``__all__`` has imported for itself."""
    if isinstance(value, ModuleType | float) or value is None or name == "annotations":
        return False
    return str(getattr(value, "__module__", "tinytensor")).startswith("tinytensor")


def places(name: str, value: Any) -> Iterator[str]:
    """Where an object is defined, and what else a page's module calls it."""
    yield f"{getattr(value, '__module__', '')}.{getattr(value, '__name__', name)}"
    for path, module in modules().items():
        if name in listed(module) and getattr(module, name) is value:
            yield f"{path}.{name}"


def documented() -> set[str]:
    """What the pages name, modules standing for what they list."""
    of_modules = {f"{path}.{name}" for path, module in modules().items() for name in listed(module)}
    return {*directives(), *of_modules}


def missing(inventory: Path | None = None) -> list[str]:
    """The public names that no page documents: by its directives, or by the inventory of a site
    that was built, objects.inv, which has what was rendered."""
    if inventory is None:
        there = documented()
    else:
        packed = inventory.read_bytes().split(b"\n", 4)[4]  # four lines of text, then zlib's
        there = {line.split()[0] for line in zlib.decompress(packed).decode().splitlines()}
    return [name for name, places in names().items() if not places & there]
