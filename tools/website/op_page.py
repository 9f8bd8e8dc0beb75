"""The page of all ops: gradient rules as they are written, what they save, vmap rules, kernels.

It is made of the ops as they run and of their sources, when the site is built; so it cannot be
older than they are.
"""

from __future__ import annotations

import ast
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any

from tinytensor import kernels, ops
from tinytensor.engine.operation import Op

from .prose import prose

ROOT = Path(__file__).resolve().parents[2]
PLACE = "<!-- all ops: made when the site is built, by tools/website/op_page.py -->"


@dataclass(frozen=True)
class Declared:
    """An op, and under which name it stands in which module."""

    name: str
    module: str
    op: Op

    @property
    def anchor(self) -> str:
        family = self.module.removeprefix("tinytensor.ops.").replace(".", "-")
        return f"{family}-{self.name}"


@cache
def declared() -> dict[str, list[Declared]]:
    """All ops by the names of their modules, in the order of the sources; private ones too."""
    found: dict[str, list[Declared]] = {}
    for info in pkgutil.walk_packages(ops.__path__, "tinytensor.ops."):
        module = import_module(info.name)
        here = {
            id(op): (name, op) for name, op in reversed(vars(module).items()) if is_of(op, info)
        }
        of_module = [Declared(name, info.name, op) for name, op in here.values()]
        if of_module:
            found[info.name] = sorted(of_module, key=lambda one: line_of(one.op))
    return found


def is_of(value: Any, info: pkgutil.ModuleInfo) -> bool:
    return isinstance(value, Op) and value.__module__ == info.name


def line_of(op: Op) -> int:
    return int(inspect.unwrap(op.__wrapped__).__code__.co_firstlineno)


def text() -> str:
    """What the page has in PLACE."""
    every = [one for of_module in declared().values() for one in of_module]
    with_rules = sum(bool(one.op.rules) for one in every)
    with_kernels = sum(bool(kernels_of(one.op)) for one in every)
    parts = [f"{len(every)} ops; {with_rules} have gradients, {with_kernels} kernels in C."]
    for module, of_module in declared().items():
        parts += [family(module), *map(entry, of_module)]
    return "\n\n".join(parts)


def family(module: str) -> str:
    name, doc = module.removeprefix("tinytensor.ops."), import_module(module).__doc__ or ""
    first = doc.split("\n\n")[0]
    return (
        f"## {name}\n\n{prose(first, place_in(module))}\n\n{source_link(module, path_of(module))}"
    )


def place_in(module: str) -> Callable[[str], str]:
    """What a docstring's role in a module names: there, or among all ops."""

    def place(name: str) -> str:
        spaces = (vars(import_module(module)), vars(ops), vars(ops.linalg), vars(ops.fft))
        found = next((space[name] for space in spaces if name in space), None)
        return f"{getattr(found, '__module__', module)}.{name}"

    return place


def entry(one: Declared) -> str:
    """One op: what it is, its rules, what they save, its vmap rule, its kernels."""
    op = one.op
    place = f'<autoref identifier="{one.module}.{one.name}" optional>reference</autoref>'
    public = not one.name.startswith("_") and one.name in vars(ops)
    summary = inspect.cleandoc(op.__doc__ or "").split("\n\n")[0]
    facts = [
        f"**saves** {saved(op)}",
        f"**vmap** {batching(op)}",
        f"**kernels** {', '.join(map(kernel, kernels_of(op))) or 'none: NumPy or other ops'}",
    ]
    lines = [
        f"### {one.name} {{#{one.anchor}}}",
        prose(summary, place_in(one.module)),
        f"`{one.name}{signature(op)}` · {source_link('source', path_of(one.module), line_of(op))}"
        + (f" · {place}" if public else ""),
        f"```python\n{rules(one)}\n```" if op.rules else "No gradient: its results are constants.",
        "\n".join(f"- {fact}" for fact in (facts if op.rules else facts[1:])),
    ]
    return "\n\n".join(line for line in lines if line)


def signature(op: Op) -> str:
    parameters = inspect.signature(op.__wrapped__).parameters.values()
    bare = [p.replace(annotation=p.empty) for p in parameters]
    return str(inspect.Signature(bare))


def path_of(module: str) -> str:
    return module.replace(".", "/")


def source_link(words: str, path: str, line: int = 0) -> str:
    """A link as documents in docs/reference/ have them; the site makes it one to its own page."""
    file = path if "." in path else f"{path}.py"
    if not (ROOT / file).exists():
        file = f"{path}/__init__.py"
    return f"[{words}](../../{file}{f'#L{line}' if line else ''})"


# --- Rules -----------------------------------------------------------------------------------


def rules(one: Declared) -> str:
    """The declaration of an op's rules with what it names: functions, formulas."""
    op, name = one.op, one.name
    if op.joint is not None and op.formula is not None and is_formula(op.joint[0]):
        return called(f"{name}.defined_by", op.formula)
    if op.joint is not None:
        inputs = ", ".join(f'"{input}"' for input in op.joint[2])
        return called(
            f"{name}.grad_all", op.joint[0], f"({inputs}{',' * (len(op.joint[2]) < 2)}), "
        )
    written = {input: source(rule) for input, (rule, *_) in op.rules.items()}
    inside = ",\n".join(f"{input}={shown(src)}" for input, src in written.items())
    short = f"{name}.grad({inside})"
    if "\n" in inside or len(short) > 100:
        short = f"{name}.grad(\n{indented(inside)},\n)"
    functions = dict.fromkeys(src for src in written.values() if src.startswith(("def ", "@")))
    return "\n\n".join([short, *functions])


def is_formula(rule: Callable[..., Any]) -> bool:
    return rule.__name__ == "pull_through_formula"


def called(what: str, function: Callable[..., Any], before: str = "") -> str:
    src = source(function)
    tail = "" if src == shown(src) else f"\n\n{src}"
    return f"{what}({before}{shown(src)}){tail}"


def shown(src: str) -> str:
    """How a declaration names a function: a lambda whole, another by its name."""
    name = re.match(r"(?:@.*\n)*def (\w+)", src)
    return name[1] if name else src


def indented(lines: str) -> str:
    return "\n".join(f"    {line}" if line else line for line in lines.split("\n"))


def source(function: Any) -> str:
    """A function as it is written: a lambda from its own place in a call, a def with its body."""
    while hasattr(function, "func"):  # a partial
        function = function.func
    if isinstance(function, Op):
        return function.__name__
    if function.__name__ == "zero":
        return "None"
    if not isinstance(function, FunctionType):
        return function.__name__
    code = function.__code__
    if code.co_name != "<lambda>":
        return inspect.cleandoc("\n" + inspect.getsource(code)).rstrip()
    for node, segment in lambdas(code.co_filename).get(code.co_firstlineno, ()):
        if same(node, code):
            return segment
    raise LookupError(f"no lambda at {code.co_filename}:{code.co_firstlineno}")


@cache
def lambdas(file: str) -> dict[int, list[tuple[ast.Lambda, str]]]:
    """The lambdas of a file by their first lines, as they are written."""
    text = Path(file).read_text("utf-8")
    found: dict[int, list[tuple[ast.Lambda, str]]] = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Lambda):
            segment = ast.get_source_segment(text, node) or ""
            line = text.split("\n", node.lineno)[node.lineno - 1]
            shift = "\n" + " " * (len(line) - len(line.lstrip()))
            found.setdefault(node.lineno, []).append((node, segment.replace(shift, "\n")))
    return found


def same(node: ast.Lambda, code: Any) -> bool:
    """Whether a lambda was compiled to this code: all that it runs stands in its body."""
    body = node.body
    begin, end = (body.lineno, body.col_offset), (body.end_lineno, body.end_col_offset)
    places = [place for place in code.co_positions() if place[3]]  # not of entering and leaving
    names = [arg.arg for arg in [*node.args.args, *node.args.kwonlyargs]]
    return names == list(code.co_varnames[: len(names)]) and all(
        (line, column) >= begin and (last, until) <= end for line, last, column, until in places
    )


# --- What rules save, vmap rules, kernels ----------------------------------------------------


def saved(op: Op) -> str:
    """What a call keeps for each input that wants a gradient."""
    kept: dict[tuple[str, ...], list[str]] = {}
    if op.joint is not None:
        kept[tuple(op.joint[1])] = list(op.joint[2])
    else:
        for input, (_, names) in op.rules.items():
            kept.setdefault(tuple(names), []).append(input)
    quoted = {", ".join(f"`{n}`" for n in names) or "nothing": i for names, i in kept.items()}
    if len(quoted) == 1:
        return next(iter(quoted))
    return "; ".join(
        f"{what} for {', '.join(f'`{i}`' for i in i_s)}" for what, i_s in quoted.items()
    )


def batching(op: Op) -> str:
    """The rule by which an op takes all lanes of a vmap at once."""
    rule = op.batching
    if rule is None:
        return "its formula, for one lane" if op.formula else "lane by lane"
    while hasattr(rule, "func"):
        rule = rule.func
    name = rule.__qualname__.split(".")[0]
    if rule.__name__ == "<lambda>":
        return f"`{source(rule)}`"
    file = path_of(rule.__module__)
    return source_link(f"`{name}`", file, rule.__code__.co_firstlineno)


def kernel(name: str) -> str:
    """A kernel by name: where its Cython is, and its twin."""
    family = fast()[name]
    twin = source_link("twin", f"tinytensor/kernels/reference/{family}.py")
    return f"{source_link(f'`{name}`', f'tinytensor/kernels/{family}.pyx')} ({twin})"


@cache
def fast() -> dict[str, str]:
    """The kernels that stand in Cython, each with its family."""
    found = {}
    for family in kernels.FAST_MODULES:
        tree = (ROOT / "tinytensor" / "kernels" / f"{family}.pyx").read_text("utf-8")
        listed = re.search(r"^__all__ = (\[.*?\])", tree, re.MULTILINE | re.DOTALL)
        for name in ast.literal_eval(listed[1]) if listed else ():
            found[name] = family
    return found


def kernels_of(op: Op) -> list[str]:
    """The fast kernels that a forward function calls, itself or through its module's helpers."""
    whole = [name for name in fast() if getattr(kernels, name) is op.forward]
    return whole or list(dict.fromkeys(asked(op.forward, set())))


def asked(function: Any, seen: set[Any]) -> Iterator[str]:
    while hasattr(function, "__wrapped__") or hasattr(function, "func"):
        function = getattr(function, "__wrapped__", None) or function.func
    if not isinstance(function, FunctionType) or function in seen:
        return
    seen.add(function)
    for node in ast.walk(ast.parse(inspect.cleandoc("\n" + inspect.getsource(function)))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "kernels" and node.attr in fast():
                yield node.attr
        elif isinstance(node, ast.Name):
            helper = function.__globals__.get(node.id)
            if getattr(helper, "__module__", None) == function.__module__:
                yield from asked(helper, seen)
