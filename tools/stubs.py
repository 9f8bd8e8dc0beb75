"""Write the stubs: what editors and type checkers read of names that no source spells out.

Ops are objects that a decorator makes, and many methods of a tensor are given to it in a loop.
Their signatures are there when the program runs. Here they become plain functions and methods:

    python -m tools.stubs            write tinytensor/**/*.pyi
    python -m tools.stubs --check    say which are not as they would be written; the exit code tells

The words of the signatures come from ``tinytensor/ops/annotations.py``. There ``ArrayLike`` and
``Tensor`` are anything, as arrays stand for them in the bodies; the stubs hold what they mean.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
import typing
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import tinytensor as tt
from tinytensor.engine.core import Variable
from tinytensor.engine.operation import MANY, Op
from tinytensor.ops import spelling

ROOT = Path(__file__).parent.parent
WIDTH = 100
NAMESPACES = (tt.ops, tt.ops.fft, tt.ops.linalg, tt.tensors.creation, tt.tensors.sampling)
HEAD = "# Made from the signatures in the sources by `python -m tools.stubs`: edit those.\n"
ARRAY_LIKE = "Tensor | np.ndarray | np.generic | complex | list[Any] | tuple[Any, ...]"
OF_DIMS = ("flip", "permute_dims", "roll", "tensordot")  # PyTorch says dims, not dim
# Those that are worth an overload where they must be given.
NEEDED = ("dim", "dim0", "dim1", "end", "input", "other", "shifts", "size", "src", "steps")
RARE = ("exponent", "index", "m", "n", "tensors")  # understood, but of no use
# What the words mean to a caller; everything else is imported from where the sources have it.
METHODS = "tinytensor.tensors.made"
MEANT = {
    "ArrayLike": (METHODS, "ArrayLike"),
    "Tensor": ("tinytensor.tensors.tensor", "Tensor"),
}


class Stub:
    """The text of one stub: definitions, and the imports and result types that they name."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.imports: dict[str, set[str]] = {}  # names by module; "" for `import numpy as np`
        self.classes: dict[str, str] = {}
        self.lines: list[str] = []
        self.aliases: dict[str, str] = {}
        self.hidden: set[str] = set()  # builtins under the names of methods

    def function(self, name: str, function: Callable[..., Any], indent: str = "") -> None:
        """One definition, or its overloads; with ``indent`` that of a method."""
        of, synonyms = module_of(function), synonyms_of(function)
        found: list[inspect.Signature] = []
        for one in typing.get_overloads(inspect.unwrap(function)) or [function]:
            signature = inspect.signature(one)
            signature = signature.replace(return_annotation=returns(function, signature))
            found += spellings(signature, synonyms)
        for signature in found:
            if len(found) > 1:
                self.named("typing", "overload")
                self.lines.append(f"{indent}@overload")
            self.lines.append(self.definition(name, signature, of, indent))

    def definition(self, name: str, signature: inspect.Signature, of: str, indent: str) -> str:
        parameters = list(signature.parameters.values())
        if indent:
            parameters = [parameters[0].replace(name="self", annotation=""), *parameters[1:]]
        parts, kind = [], None
        for p in parameters:
            if kind == p.POSITIONAL_ONLY != p.kind:
                parts.append("/")
            if p.kind == p.KEYWORD_ONLY and kind not in (p.KEYWORD_ONLY, p.VAR_POSITIONAL):
                parts.append("*")
            kind = p.kind
            parts.append(self.parameter(p, of))
        if kind == inspect.Parameter.POSITIONAL_ONLY:
            parts.append("/")
        returned = self.words(signature.return_annotation, of)
        return wrapped(f"{indent}def {name}(", parts, f") -> {returned}: ...", indent)

    def parameter(self, p: inspect.Parameter, of: str) -> str:
        stars = "*" * (p.kind == p.VAR_POSITIONAL) + "**" * (p.kind == p.VAR_KEYWORD)
        if p.annotation == "":
            return p.name
        words = "Any" if p.annotation is p.empty else p.annotation
        text = f"{stars}{p.name}: {self.words(words, of)}"
        return text if p.default is p.empty else f"{text} = {literal(p.default)}"

    def words(self, annotation: Any, of: str) -> str:
        """An annotation as text, whose names this stub then has."""
        if not isinstance(annotation, str):
            annotation = inspect.formatannotation(annotation)
        tree = ast.parse(annotation, mode="eval")
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                node.id = self.name(node.id, of)
        return ast.unparse(tree).replace("'", '"')

    def name(self, name: str, of: str) -> str:
        """The name of a type in module ``of``, under which it is in this stub."""
        if name == "ArrayLike" and self.package == METHODS:
            for needed in (("", "numpy as np"), ("typing", "Any"), ("typing", "TypeAlias")):
                self.named(*needed)
            self.named(*MEANT["Tensor"])
            self.aliases[name] = f"{name}: TypeAlias = {ARRAY_LIKE}"
        elif name in MEANT:
            self.named(*MEANT[name])
        elif name in imports_of(of):
            module, imported = imports_of(of)[name]
            source = vars(sys.modules.get(module, sys)).get(imported)
            if isinstance(source, type) and module.startswith("tinytensor.ops"):
                return self.result(source)
            self.named(module, imported if module else f"{imported} as {name}")
        elif hasattr(sys.modules[of], name) and not hasattr(typing, name):
            return self.result(getattr(sys.modules[of], name))
        elif hasattr(typing, name):
            self.named("typing", name)
        elif name in self.hidden:
            self.named("", "builtins")
            return f"builtins.{name}"
        return name

    def named(self, module: str, name: str) -> None:
        self.imports.setdefault(module, set()).add(name)

    def result(self, kind: Any) -> str:
        """The name of a class of results, whose fields are written out; of another, imported."""
        name = kind.__name__
        if not hasattr(kind, "_fields"):
            self.named(kind.__module__, name)
        elif name not in self.classes:
            self.named("typing", "NamedTuple")
            fields = inspect.get_annotations(kind).items()
            of = kind.__module__
            body = [f"    {field}: {self.words(words_of(value), of)}" for field, value in fields]
            self.classes[name] = "\n".join([f"class {name}(NamedTuple):", *body])
        return name

    def text(self, head: str = "") -> str:
        own = [*sorted(self.aliases.values()), *self.classes.values()]
        blocks = [HEAD.strip(), "\n".join(self.import_lines())]
        blocks += ["\n\n".join(own)] if own else []
        blocks += ["\n".join([head, *self.lines] if head else self.lines)]
        return "\n\n".join(block for block in blocks if block) + "\n"

    def import_lines(self) -> Iterator[str]:
        """As isort has them: the standard library, NumPy, ours, each in a block."""
        groups: dict[int, list[str]] = {0: [], 1: [], 2: [], 3: []}
        for name in sorted(self.imports.get("", ())):
            groups[int(name != "builtins")].append(f"import {name}")
        for module in sorted(self.imports.keys() - {""}):
            of = module.partition(".")[0]
            group = {"numpy": 1, "tinytensor": 2, "": 3}.get(of, 0)
            names = sorted(self.imports[module], key=import_order)
            plain = [name for name in names if " as " not in name]
            if plain:
                line = f"from {module} import {', '.join(plain)}"
                if len(line) > WIDTH:
                    each = (f"    {name},\n" for name in plain)  # as ruff sorts them
                    line = f"from {module} import (\n{''.join(each)})"
                groups[group].append(line)
            groups[group] += [f"from {module} import {name}" for name in names if name not in plain]
        for i, block in enumerate(block for block in groups.values() if block):
            yield from ["", *block] if i else block


def import_order(name: str) -> tuple[int, list[tuple[bool, int, str]]]:
    """Constants, classes, and then the others; log2 before log10."""
    parts = re.findall(r"\d+|\D+", name)
    natural = [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]
    return 0 if name.isupper() else 1 if name[0].isupper() else 2, natural


def wrapped(start: str, parts: list[str], end: str, indent: str) -> str:
    """One line, or three, or a line for each part: the first that is narrow enough."""
    line = start + ", ".join(parts) + end
    if len(line) <= WIDTH:
        return line
    inner = indent + "    " + ", ".join(parts)
    if len(inner) <= WIDTH:
        return f"{start}\n{inner}\n{indent}{end}"
    body = "".join(f"{indent}    {part},\n" for part in parts)
    return f"{start}\n{body}{indent}{end}"


def words_of(annotation: Any) -> Any:
    """An annotation as it was written: NamedTuple wraps strings."""
    return annotation.__forward_arg__ if isinstance(annotation, typing.ForwardRef) else annotation


def literal(value: Any) -> str:
    """A default as the source has it, where that is short; otherwise an ellipsis."""
    if isinstance(value, tuple) and all(isinstance(item, bool | int | str) for item in value):
        return repr(value)
    if not isinstance(value, bool | int | float | str | None):
        return "..."
    text = repr(value).replace("'", '"')
    return "..." if isinstance(value, float) and not re.match(r"-?\d", text) else text


def returns(function: Any, signature: inspect.Signature) -> Any:
    """What a call gives. The forward function of an op need not say it: it gives tensors."""
    if signature.return_annotation is not signature.empty:
        return signature.return_annotation
    if not isinstance(function, Op):
        return "Any"
    count = function.outputs
    if count == MANY:
        return "tuple[Tensor, ...]"
    return "Tensor" if count == 1 else f"tuple[{', '.join(['Tensor'] * count)}]"


def synonyms_of(function: Any) -> dict[str, str]:
    """By which of PyTorch's names a call may give an argument too, where that means the same."""
    if not isinstance(function, Op) and not hasattr(function, "__wrapped__"):
        return {}
    own, name = spelling.named(function), function.__name__
    beside = {"correction": 0} if "correction" in own else {}  # without it, a spread is refused
    found = {}
    for keyword in dict.fromkeys([*spelling.NAMES, *spelling.NAMES_OF.get(name, ())]):
        try:
            meant = spelling.respelled(name, own, {keyword: None, **beside})
        except TypeError:  # it is not one of this function, or has another meaning
            continue
        if keyword not in (*RARE, "dim" if name in OF_DIMS else "dims"):
            found[keyword] = next(iter(meant.keys() - beside.keys()))
    return found


def spellings(
    signature: inspect.Signature, synonyms: dict[str, str]
) -> Iterator[inspect.Signature]:
    """A signature with PyTorch's names for what may be left out, as keywords behind the others; and
    for each argument that must be given and has one, a signature with the names from there on."""
    own = list(signature.parameters.values())
    also = [
        signature.parameters[meant].replace(name=synonym, kind=inspect.Parameter.KEYWORD_ONLY)
        for synonym, meant in synonyms.items()
    ]
    optional = [p for p in also if p.default is not p.empty]
    most = [p for p in own if p.kind == p.VAR_KEYWORD]
    plain = [p for p in own if p.kind != p.VAR_KEYWORD]
    yield signature.replace(parameters=[*plain, *optional, *most])
    names = {synonyms[name]: name for name in NEEDED if name in synonyms}
    if plain and plain[0].annotation == "ArrayLike":  # given by its place, as in PyTorch
        names = {p: n for p, n in names.items() if p != plain[0].name and n != "size"}
    needed = [p.name in names and p.default is p.empty for p in plain]
    for at in (i for i, need in enumerate(needed) if need):
        renamed = [
            p.replace(name=names[p.name] if need else p.name, kind=p.KEYWORD_ONLY)
            for p, need in zip(plain[at:], needed[at:], strict=True)
            if p.kind != p.VAR_POSITIONAL
        ]
        yield signature.replace(parameters=[*plain[:at], *renamed, *optional, *most])


def module_of(function: Any) -> str:
    """The module in which a function's annotations were written."""
    return inspect.unwrap(function).__module__


@cache
def imports_of(module: str) -> dict[str, tuple[str, str]]:
    """The imports of a module's source: names, each with its module and its name there."""
    file = sys.modules[module].__file__ or ""
    source = Path(file).parent / f"{Path(file).name.split('.')[0]}.py"  # beside compiled ones too
    package = module if source.name == "__init__.py" else module.rpartition(".")[0]
    found: dict[str, tuple[str, str]] = {}
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = package.split(".")
            base = base[: len(base) + 1 - node.level] if node.level else []
            at = ".".join([*base, *([node.module] if node.module else [])])
            found |= {alias.asname or alias.name: (at, alias.name) for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.asname: ("", alias.name) for alias in node.names if alias.asname}
    return found


# --- The stubs -------------------------------------------------------------------------------


def of_functions(namespace: ModuleType) -> str:
    """The stub of a module of ops: its public names."""
    stub = Stub(namespace.__name__)
    names = sorted(namespace.__all__, key=import_order)
    for name in names:
        value = getattr(namespace, name)
        if inspect.isclass(value):
            stub.named(value.__module__, f"{name} as {name}")
        elif callable(value):
            stub.function(name, value)
        else:
            stub.lines.append(f"{name}: {type(value).__name__}")
    for inner in NAMESPACES:
        package, _, name = inner.__name__.rpartition(".")
        if package == namespace.__name__:
            stub.named(".", f"{name} as {name}")
    listed = "\n".join(["__all__ = [", *(f'    "{name}",' for name in names), "]"])
    return stub.text(f"{listed}\n")


def of_methods() -> str:
    """The stub of the class under Tensor that stands for what its source does not spell out."""
    stub = Stub(METHODS)
    stub.name("ArrayLike", "tinytensor.ops.annotations")
    seen = {name for kind in tt.Tensor.__mro__[:-1] for name in spelled_out(kind)}
    loops = {
        name: value
        for kind in tt.Tensor.__mro__[:-1]
        for name, value in vars(kind).items()
        if name not in seen and name[0] != "_"
    }
    stub.hidden = {"bool", "int", "float", "complex"} & set(dir(tt.Tensor))
    stub.named("tinytensor.tensors.operators", "Operators")
    for name, value in sorted(loops.items()):
        if isinstance(value, property):
            stub.lines.append("    @property")
            stub.lines.append(
                stub.definition(
                    name, inspect.signature(value.fget or len), module_of(value.fget), "    "
                )
            )
        elif callable(value):
            stub.function(name, value, "    ")
            summary = (inspect.getdoc(value) or "").split("\n\n")[0]
            if summary:  # there is no source beside the stub in which editors would find it
                *before, last = stub.lines[-1].rpartition(" ...")[0].split("\n")
                flat = "".join([*before, last][:1] + [part.strip() for part in [*before, last][1:]])
                stub.lines[-1] = flat if len(flat) <= WIDTH else "\n".join([*before, last])
                text = textwrap.fill(" ".join(summary.split()), WIDTH - 14)
                stub.lines += textwrap.indent(f'"""{text}"""', " " * 8).splitlines()
    return stub.text("class Made(Operators):" if stub.lines else "class Made(Operators): ...")


def spelled_out(kind: type) -> Iterator[str]:
    """The names that a class's body defines, as its source tells them."""
    module = sys.modules[kind.__module__]
    if not module.__name__.startswith("tinytensor") or kind is Variable.__mro__[-1]:
        return
    file = Path(module.__file__ or "")
    source = file.parent / f"{file.name.split('.')[0]}.py"
    for node in ast.parse(source.read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name == kind.__name__:
            for item in node.body:
                if isinstance(item, ast.FunctionDef):
                    yield item.name
                elif isinstance(item, ast.Assign):
                    yield from (
                        target.id for target in item.targets if isinstance(target, ast.Name)
                    )
                elif isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                    yield item.target.id


def stubs() -> dict[Path, str]:
    """All stubs: where each stands, and its text."""
    spaces = {beside(namespace): of_functions(namespace) for namespace in NAMESPACES}
    return spaces | {ROOT / "tinytensor" / "tensors" / "made.pyi": of_methods()}


def beside(module: ModuleType) -> Path:
    file = Path(module.__file__ or "")
    return ROOT / file.relative_to(Path(tt.__file__ or "").parent.parent).with_suffix(".pyi")


def stale() -> dict[Path, str]:
    """The stubs that are not as they have to be, and what is: nothing, where no module is left."""
    made = stubs()
    before = {path: path.read_text("utf-8") for path in (ROOT / "tinytensor").rglob("*.pyi")}
    paths = sorted(made.keys() | before.keys())
    return {path: made.get(path, "") for path in paths if made.get(path) != before.get(path)}


def main() -> int:
    check, wrong = "--check" in sys.argv, stale()
    for path, text in wrong.items():
        done = "not as the sources have it" if check else "written" if text else "removed"
        print(f"{path.relative_to(ROOT)}: {done}")
        if text and not check:
            path.write_text(text, "utf-8")
        elif not check:
            path.unlink()
    if wrong and check:
        print("write them anew: python -m tools.stubs")
    return int(check and bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
