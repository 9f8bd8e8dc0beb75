"""setup.py: what is made anew after which change, and what it says where it cannot build."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tinytensor import built

pytest.importorskip("setuptools")
pytest.importorskip("Cython")

pytestmark = pytest.mark.no_c

ROOT = Path(__file__).resolve().parents[2]


def write(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture(scope="module")
def setup() -> ModuleType:
    return loaded_setup()


def loaded_setup() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tinytensor_setup", ROOT / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of all that is built, with nothing made, as the working directory."""
    unbuilt = shutil.ignore_patterns("*.so", "__pycache__", "built.txt")
    for name in ("csrc", "tinytensor"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=unbuilt)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_setup(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "setup.py", *command],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


class Cythonize:
    """Stands for Cython's: notes what it is asked for, and makes files of a word."""

    def __init__(self, setup: ModuleType) -> None:
        self.setup = setup
        self.asked: set[str] = set()

    def __call__(self, extensions: list[Any], **options: Any) -> None:
        self.asked = {extension.sources[0] for extension in extensions}
        for source in self.asked:
            write(self.setup.MADE_C / Path(source).with_suffix(".c"), "made")

    def of(self, sources: list[Path]) -> set[str]:
        """The sources of which C is made when a build starts now."""
        self.asked = set()
        self.setup.make_c(sources, self)
        return self.asked


# --- What is made anew -----------------------------------------------------------------------


def test_a_second_start_cythonizes_nothing(setup: ModuleType, tree: Path) -> None:
    cythonize, sources = Cythonize(setup), setup.cython_sources()
    assert cythonize.of(sources) == {str(source) for source in sources}
    assert len(sources) > 20
    assert cythonize.of(sources) == set()
    for path in tree.rglob("*.p*"):  # a checkout writes all files anew
        path.touch()
    assert cythonize.of(sources) == set()


def test_metadata_cythonizes_nothing(tree: Path) -> None:
    done = run_setup("-q", "egg_info", CC="/no/compiler")
    assert done.returncode == 0, done.stderr
    assert "ythoniz" not in done.stdout + done.stderr
    assert not (tree / "build").exists()


CIMPORTS = {
    "cimport pkg.leaf": {"leaf"},
    "cimport pkg.other, pkg.leaf as l": {"other", "leaf"},
    "from pkg cimport other, leaf": {"other", "leaf"},
    "from pkg cimport leaf as l  # from pkg cimport other": {"leaf"},
    "from pkg.leaf cimport (\n    a,  # of other\n    b,\n)": {"leaf"},
    "from pkg cimport (\n    other,\n    leaf,\n)": {"other", "leaf"},
    "from pkg cimport other, \\\n    leaf": {"other", "leaf"},
    "from . cimport leaf": {"leaf"},
    "from .leaf cimport a": {"leaf"},
    "from ..pkg cimport leaf": {"leaf"},
    "if True:\n    from pkg cimport leaf": {"leaf"},
    "from pkg cimport middle": {"middle", "leaf"},  # through another
    "from libc.stdint cimport int64_t\ncimport numpy as cnp": set(),
    'include "part.pxi"': {"part.pxi", "other"},
}


@pytest.mark.parametrize("text", CIMPORTS)
def test_a_change_remakes_what_cimports_it(
    setup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    files = {name: Path(f"pkg/{name}.pxd") for name in ("leaf", "other", "middle", "module")}
    for path in files.values():
        write(path)
    write(files["middle"], "from pkg cimport leaf")
    files["part.pxi"] = Path("pkg/part.pxi")
    write(files["part.pxi"], "from pkg cimport other")
    source = Path("pkg/module.pyx")
    write(source, text)
    cythonize = Cythonize(setup)
    cythonize.of([source])
    for name, path in files.items():
        path.write_text(path.read_text() + "\n")
        remade = cythonize.of([source]) == {str(source)}
        assert remade == (name in CIMPORTS[text] | {"module"}), name


def test_what_c_includes_is_followed(setup: ModuleType, tree: Path) -> None:
    kernels = set(Path("csrc/kernels").glob("*.h"))
    assert kernels | {Path("csrc/tinytensor.h")} <= set(setup.closure(Path("csrc/isa/avx2.c")))
    assert not kernels & set(setup.closure(Path("csrc/dispatch.c")))


def test_a_making_that_failed_is_done_again(setup: ModuleType, tmp_path: Path) -> None:
    made = tmp_path / "made"

    def fail() -> None:
        made.write_text("half")
        raise OSError("full")

    setup.make(made, "one", lambda: made.write_text("whole"))
    with pytest.raises(OSError, match="full"):
        setup.make(made, "two", fail)
    setup.make(made, "one", lambda: made.write_text("anew"))
    assert made.read_text() == "anew"
    setup.make(made, "one", fail)  # which is not asked


# --- For which machine -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "here", "machine"),
    [
        ("linux-x86_64", "x86_64", "x86_64"),
        ("linux-aarch64", "x86_64", "aarch64"),  # from another
        ("macosx-11.0-arm64", "x86_64", "arm64"),
        ("macosx-10.13-universal2", "arm64", "arm64"),
    ],
)
def test_the_machine_is_the_platforms(
    setup: ModuleType, platform: str, here: str, machine: str
) -> None:
    assert setup.machine_of(platform, here) == machine


def test_a_compiler_for_two_machines_compiles_for_one(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "MACHINE", "arm64")
    of_python = ["clang", "-arch", "arm64", "-arch", "x86_64", "-g"]
    assert setup.for_one_machine(of_python) == ["clang", "-g", "-arch", "arm64"]
    assert setup.for_one_machine(["gcc", "-march=native"]) == ["gcc", "-march=native"]


# --- A build beside changed sources ----------------------------------------------------------


def built_tree(setup: ModuleType, root: Path) -> list[str]:
    names = ["csrc/a.h", "tinytensor/kernels/b.pyx", "tinytensor/engine/core.py"]
    for name in names:
        write(root / name, f"of {name}")
    lines = [setup.line_of(Path(name)) for name in names]
    write(root / "tinytensor/built.txt", "\n".join(lines) + "\n")
    return names


def test_changed_sources_are_told(
    setup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert built.changed_sources(str(tmp_path)) == []  # nothing built
    names = built_tree(setup, tmp_path)
    assert built.changed_sources(str(tmp_path)) == []
    for name in names:
        before = Path(name).read_text()
        os.utime(name, ns=(0, 0))
        assert built.changed_sources(str(tmp_path)) == []  # the same, of another time
        Path(name).write_text(before.upper())  # of the same size
        assert built.changed_sources(str(tmp_path)) == [name]
        Path(name).write_text(before)
        assert built.changed_sources(str(tmp_path)) == []
    Path("csrc/a.h").unlink()  # installed, without it
    assert built.changed_sources(str(tmp_path)) == []


@pytest.mark.parametrize(
    ("changed", "without"),
    [
        ("tinytensor/engine/core.py", "TINYTENSOR_PURE=1"),
        ("tinytensor/kernels/b.pyx", "TINYTENSOR_KERNELS=reference"),
        ("csrc/a.h", "TINYTENSOR_KERNELS=reference"),
    ],
)
def test_changed_sources_are_refused(
    setup: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changed: str,
    without: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(built, "PACKAGE", str(tmp_path / "tinytensor"))
    built_tree(setup, tmp_path)
    Path(changed).write_text("another")
    built.refuse_changed_sources(engine=True, kernels=True)  # no compiled module is there
    for name in ("engine/core", "kernels/_core"):
        write(tmp_path / f"tinytensor/{name}{built.EXTENSION_SUFFIXES[0]}")
    with pytest.raises(
        ImportError, match=f"{changed} has changed since.*pip install -e.*{without}"
    ):
        built.refuse_changed_sources(engine=True, kernels=True)
    of_engine = changed.endswith(".py")
    built.refuse_changed_sources(engine=not of_engine, kernels=of_engine)


# --- Without a compiler ----------------------------------------------------------------------

PACKAGES = ("apt install gcc python3-dev", "dnf install gcc python3-devel", "xcode-select")


def fake_compiler(path: Path, without: str) -> str:
    """A compiler that has nothing to say against a text unless that holds ``without``."""
    write(path, f"#!/bin/sh\n! grep -q '{without}' -\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("lack", ["no working C compiler", "Python.h"])
def test_what_is_missing_is_said_at_once(tree: Path, lack: str) -> None:
    cc = "/no/compiler" if "compiler" in lack else fake_compiler(tree / "cc", "Python.h")
    done = run_setup("build_ext", "--inplace", CC=cc)
    assert done.returncode != 0
    assert lack in done.stderr
    assert all(package in done.stderr for package in PACKAGES)
    assert "ythoniz" not in done.stdout  # before anything is made
    assert not (tree / "build/cython").exists()


def test_a_package_installs_without_a_compiler(tree: Path) -> None:
    done = run_setup("build", CC="/no/compiler")
    assert done.returncode == 0, done.stderr
    assert "NumPy does the work" in done.stderr
    lib = next((tree / "build").glob("lib*"))
    assert (lib / "tinytensor/__init__.py").exists()
    assert not [*lib.rglob("*.so"), *lib.rglob("built.txt")]
    asked = run_setup("build", CC="/no/compiler", TINYTENSOR_REQUIRE_KERNELS="1")
    assert asked.returncode != 0


def test_sanitizers(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, flag in {"1": "address,undefined", "thread": "thread"}.items():
        monkeypatch.setenv("TINYTENSOR_SANITIZE", value)
        found = loaded_setup()
        assert f"-fsanitize={flag}" in found.SANITIZE
        assert set(found.SANITIZE) <= set(found.COMMON)
    monkeypatch.setenv("TINYTENSOR_SANITIZE", "0")
    assert loaded_setup().SANITIZE == []
    monkeypatch.setenv("TINYTENSOR_SANITIZE", "memory")
    with pytest.raises(SystemExit, match="TINYTENSOR_SANITIZE=memory: there are 1, thread"):
        loaded_setup()


def test_no_compiled_module_asks_for_the_gil(setup: ModuleType) -> None:
    """Otherwise a free-threaded Python switches it on, for the whole process."""
    assert setup.DIRECTIVES["freethreading_compatible"] is True
    for source in setup.cython_sources():
        assert "freethreading_compatible" not in (ROOT / source).read_text("utf-8"), source
