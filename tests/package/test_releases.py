"""What is released, and from where: wheels, their Pythons and machines, and the workflows."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tinytensor import kernels

pytestmark = pytest.mark.no_c

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SECTIONS = re.findall(r"^section_(\w+)\(\)", (ROOT / ".ci/run").read_text(), re.M)

# Functions of libpthread until glibc made them libc's, by 2.34: what is linked beside an older one
# names them by their older versions.
OF_PTHREAD = {"pthread_attr_setstacksize", "pthread_create", "pthread_once", "pthread_sigmask"}
OF_PTHREAD |= {"pthread_detach", "pthread_join", "pthread_key_create", "pthread_setspecific"}


def workflow(path: Path) -> dict[str, Any]:
    return pytest.importorskip("yaml").safe_load(path.read_text())


def commands(path: Path) -> list[str]:
    jobs = workflow(path)["jobs"].values()
    return [step["run"] for job in jobs for step in job["steps"] if "run" in step]


def classified() -> list[str]:
    """The Pythons that the package says it is for."""
    found = (re.search(r":: (3\.\d+)$", line) for line in PYPROJECT["project"]["classifiers"])
    return [match[1] for match in found if match]


def test_the_pythons_are_the_same_everywhere() -> None:
    minors = [int(version.removeprefix("3.")) for version in classified()]
    assert minors == list(range(minors[0], minors[-1] + 1))
    assert PYPROJECT["project"]["requires-python"] == f">=3.{minors[0]}"
    built = [name.removesuffix("-*") for name in PYPROJECT["tool"]["cibuildwheel"]["build"]]
    assert built == [*(f"cp3{minor}" for minor in minors), f"cp3{minors[-1]}t"]
    jobs = workflow(ROOT / ".github/workflows/ci.yml")["jobs"]
    assert jobs["suite"]["strategy"]["matrix"]["python"] == classified()
    readme = (ROOT / "README.md").read_text()
    assert f"Python 3.{minors[0]} to 3.{minors[-1]}" in readme


def test_workflows_run_what_the_readme_and_ci_run_say() -> None:
    readme = (ROOT / "README.md").read_text().splitlines()
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    assert WORKFLOWS
    for path in WORKFLOWS:
        for command in commands(path):
            if command.startswith(".ci/run"):
                assert set(command.split()[1:]) <= set(SECTIONS), command
            elif not command.startswith(("pip install ", "test ")) or command in readme:
                assert command in readme or f"`{command}`" in contributing, command


def test_only_a_tag_publishes() -> None:
    permitted = {
        name
        for path in WORKFLOWS
        for name, job in workflow(path)["jobs"].items()
        if "write" in job.get("permissions", {}).values()
    }
    assert permitted == {"publish"}
    publish = workflow(ROOT / ".github/workflows/wheels.yml")["jobs"]["publish"]
    assert "startsWith(github.ref, 'refs/tags/v')" in publish["if"]
    assert set(publish["needs"]) == {"sdist", "wheels"}


def test_compiled_modules_need_no_newer_glibc_than_their_wheels() -> None:
    if sys.platform != "linux" or kernels.active != "fast" or not shutil.which("objdump"):
        pytest.skip("no compiled modules of Linux, or no objdump")
    promised = PYPROJECT["tool"]["cibuildwheel"]["linux"]["manylinux-x86_64-image"]
    newest = tuple(map(int, re.findall(r"\d+", promised)))
    modules = sorted((ROOT / "tinytensor").rglob("*.so"))
    assert modules
    shown = subprocess.run(
        ["objdump", "-T", *modules], capture_output=True, text=True, check=True
    ).stdout
    used = re.findall(r"\*UND\*.*\(GLIBC_(\d+)\.(\d+)(?:\.\d+)?\) (\w+)", shown)
    assert "malloc" in {name for _, _, name in used}
    newer = {name for major, minor, name in used if (int(major), int(minor)) > newest}
    assert newer <= OF_PTHREAD
