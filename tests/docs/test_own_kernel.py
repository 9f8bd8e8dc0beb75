"""docs/own_kernel.md fits the tree as it is: its changes find their places, its C and its Cython
compile, its op differentiates. ``python -m tools.own_kernel`` builds it too, and runs its tests."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tinytensor import kernels
from tools import own_kernel

pytestmark = pytest.mark.no_c

TRY = """
import numpy as np, tinytensor as tt
x = np.array([[-2.0, 0.5], [3.0, -0.25]])
tt.func.check_grad(tt.squash, x, order=3)
lanes = tt.func.vmap(tt.func.grad(lambda row: tt.squash(row).sum()))(tt.asarray(x))
np.testing.assert_allclose(lanes, 1 / (1 + abs(x)) ** 2, rtol=1e-12)
from tests.table import ROWS
assert "squash" in ROWS
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources, with what the page adds."""
    tree = tmp_path_factory.mktemp("tree")
    for folder in ("tinytensor", "csrc", "tests/table", "tests/kernels", "benchmarks", "docs"):
        for path in (own_kernel.ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".pyi", ".pyx", ".pxd", ".h", ".c", ".md"):
                (tree / path.relative_to(own_kernel.ROOT)).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, tree / path.relative_to(own_kernel.ROOT))
    for name in ("tests/__init__.py", "tests/conftest.py"):
        if (own_kernel.ROOT / name).exists():
            shutil.copyfile(own_kernel.ROOT / name, tree / name)
    for step in own_kernel.steps():
        if step.path:
            own_kernel.write(step, tree)
    return tree


def test_every_block_is_a_step() -> None:
    text = own_kernel.PAGE.read_text("utf-8")
    assert len(own_kernel.steps()) == text.count("\n```\n") > 12


def test_the_op_differentiates(tree: Path) -> None:
    slow = {"TINYTENSOR_PURE": "1", "TINYTENSOR_KERNELS": "reference", "PYTHONPATH": str(tree)}
    done = subprocess.run(
        [sys.executable, "-c", TRY], cwd=tree, env=os.environ | slow, capture_output=True, text=True
    )
    assert not done.returncode, done.stderr


def test_the_c_and_the_cython_compile(tree: Path) -> None:
    if kernels.active != "fast":
        pytest.skip("nothing is compiled here")
    compiler = os.environ.get("CC", "gcc").split()[-1]
    runpy.run_path(str(tree / "csrc" / "abi.py"))["write"](
        tree / "csrc" / "tinytensor.h", tree / "tinytensor" / "kernels" / "abi.pxd"
    )
    strict = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    for command in (
        [compiler, *strict, "csrc/isa/baseline.c"],
        [sys.executable, "-m", "cython", "-3", "--warning-errors", "tinytensor/kernels/squash.pyx"],
    ):
        done = subprocess.run(command, cwd=tree, capture_output=True, text=True)
        assert not done.returncode, done.stdout + done.stderr
