"""What type checkers, and so editors, see of the package, and what help says."""

from __future__ import annotations

import inspect
import os
import pydoc
import re
import subprocess
import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

import tinytensor as tt
from tinytensor import Tensor
from tools import stubs

pytestmark = pytest.mark.no_c

ROOT = Path(stubs.__file__).parent.parent
HERE = Path(__file__).parent
USERS = ("mistakes.py", "program.py", "test_like_pytorch.py", "test_tensors.py")
CHECKERS = {"mypy": ("--config-file=", "--strict", "--no-error-summary"), "pyright": ()}


def test_stubs_are_those_of_the_sources() -> None:
    assert not stubs.stale(), "write them anew: python -m tools.stubs"


def errors_of(checker: str, *files: Path, folder: Path) -> set[tuple[str, int]]:
    """Where a checker finds errors, as it reads what a user's program imports."""
    for file in files:
        if file.parent != folder:
            (folder / file.name).write_text(file.read_text("utf-8"), "utf-8")
    names = [file.name for file in files]
    done = subprocess.run(
        [sys.executable, "-m", checker, *CHECKERS[checker], *names],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "MYPY_CACHE_DIR": str(folder / "cache")},
        capture_output=True,
        text=True,
    )
    found = re.findall(r"(\w+\.py):(\d+):.* error: ", done.stdout)
    assert (done.returncode == 0) == (not found), done.stdout + done.stderr
    return {(name, int(line)) for name, line in found}


def naming_all() -> str:
    """A program that names whatever is there when a program runs."""
    spaces = ("tt", "tt.linalg", "tt.fft", "tt.nn", "tt.nn.functional", "tt.optim", "tt.func")
    named = {"tt": tt, "tt.eye(2)": tt.eye(2)}
    for space in spaces[1:]:
        named[space] = getattr(named[space.rpartition(".")[0]], space.rpartition(".")[2])
    names = [
        f"    {space}.{name},"
        for space, value in named.items()
        for name in getattr(value, "__all__", dir(value))
        if name[0] != "_" and hasattr(value, name) and not inspect.ismodule(getattr(value, name))
    ]
    return "\n".join(["import tinytensor as tt", "", "names: list[object] = [", *names, "]", ""])


@pytest.mark.slow
@pytest.mark.parametrize("checker", [name for name in CHECKERS if find_spec(name)])
def test_checkers_accept_a_program_and_find_mistakes(checker: str, tmp_path: Path) -> None:
    files = [HERE / "typed" / name for name in USERS]
    names = tmp_path / "names.py"
    names.write_text(naming_all(), "utf-8")
    lines = enumerate(files[0].read_text("utf-8").splitlines(), 1)
    wrong = {("mistakes.py", line) for line, text in lines if "# wrong: " in text}
    assert len(wrong) > 10
    assert errors_of(checker, *files, names, folder=tmp_path) == wrong


def test_the_program_runs() -> None:
    spec = spec_from_file_location("program", HERE / "typed" / "program.py")
    assert spec
    assert spec.loader
    program = module_from_spec(spec)
    spec.loader.exec_module(program)
    report = program.main()
    assert report["last"] < report["first"]


PLAIN: Any = vars(pydoc)["plaintext"]

# --- help ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "first"),
    [
        (tt.matmul, "matmul(a: 'ArrayLike', b: 'ArrayLike') -> 'Tensor'"),
        (tt.sum, "sum(x: 'ArrayLike', axis: 'Axes' = None, keepdims: 'bool' = False, dtype:"),
        (tt.pad, "pad(x: 'ArrayLike', pad_width: 'int | Sequence[Any]', mode:"),
        (Tensor.sum, "sum(self, axis: 'Axes' = None, keepdims: 'bool' = False, *, dim:"),
        (Tensor.exp_, "exp_(x: 'ArrayLike') -> 'Tensor'"),
        (tt.engine.Op.batched, "batched(self, rule: 'Any' = None, formula: 'Any' = None)"),
    ],
)
def test_help_shows_the_signature(function: Any, first: str) -> None:
    text = pydoc.render_doc(function, renderer=PLAIN)
    shown = "".join(text.splitlines()[2:])
    # Since Python 3.14 without quotes, and a long one in several lines.
    assert re.sub(r"[' ]", "", shown).startswith(re.sub(r"[' ]", "", first))
    assert (inspect.getdoc(function) or "")[:20] in text


# What may be anything.
UNTYPED = {
    *(("einsum", name) for name in ("subscripts", "operands")),
    *(("from_dlpack", name) for name in ("x", "device")),
    *((name, "more") for name in ("empty", "ones", "zeros")),  # sizes, and what comes behind them
    ("is_tensor", "obj"),
}
SPACES = (tt.ops, tt.linalg, tt.fft, tt.nn.functional, tt.tensors.creation, tt.tensors.sampling)
OPS = {
    f"{space.__name__.rpartition('.')[2]}.{name}": getattr(space, name)
    for space in SPACES
    for name in space.__all__
    if not inspect.ismodule(getattr(space, name))
}


@pytest.mark.parametrize("name", OPS)
def test_every_op_says_what_it_takes_and_gives(name: str) -> None:
    signature = inspect.signature(OPS[name])
    words = {(name.partition(".")[2], p.name): p.annotation for p in signature.parameters.values()}
    untyped = {key for key, word in words.items() if word in (inspect.Parameter.empty, "Any")}
    assert untyped <= UNTYPED
    assert signature.return_annotation not in (inspect.Signature.empty, "Any")
    assert (inspect.getdoc(OPS[name]) or "").strip()


def test_every_name_of_a_tensor_has_a_docstring() -> None:
    told = tt.engine.core.Variable.__doc__ or ""  # a table of the slots, which hold no docstrings
    without = {
        name
        for name in dir(Tensor)
        if name[0] != "_" and hasattr(Tensor, name) and not inspect.getdoc(getattr(Tensor, name))
    }
    assert {name for name in without if f"\n    {name} " not in told} == set()


METHODS = [
    name
    for name in dir(Tensor)
    if name[0] != "_" and (hasattr(tt.ops, name) or hasattr(tt.linalg, name))
    if callable(getattr(Tensor, name, None))
]


@pytest.mark.parametrize("name", METHODS)
def test_methods_have_signatures(name: str) -> None:
    own = inspect.signature(getattr(tt.ones(2), name))
    of_class = list(inspect.signature(getattr(Tensor, name)).parameters)
    assert list(own.parameters) == of_class[1:]
    assert own.return_annotation is not inspect.Signature.empty


def test_an_op_in_a_class_is_no_method() -> None:
    class Layer:
        activation = tt.relu

    assert Layer().activation is Layer.activation is tt.relu
    assert Layer().activation(tt.tensor(-1.0)).item() == 0
