"""The package as a user meets it: import, ``python -m tinytensor``, configuration, sources."""

from __future__ import annotations

import operator
import os
import subprocess
import sys
import tomllib
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import config, engine, kernels

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Python in a process of its own, with tinytensor from this tree."""
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_the_version_is_the_projects() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    where = tools["setuptools"]["dynamic"]["version"]["attr"]  # so it is written once
    assert tt.__version__ == operator.attrgetter(where.removeprefix("tinytensor."))(tt)
    with suppress(PackageNotFoundError):  # used in place, not installed
        assert version("tinytensor") == tt.__version__


def test_show_config(capsys: pytest.CaptureFixture[str]) -> None:
    tt.show_config()
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["tinytensor"] == tt.__version__
    assert lines["engine"] == ("compiled" if engine.compiled else "interpreted")
    assert lines["kernels"] == kernels.active
    assert lines["NumPy"] == np.__version__
    assert lines["threads"] == str(tt.get_num_threads())
    if kernels.active == "fast":
        from tinytensor.kernels import _core

        assert lines["ISA"].startswith(_core.isa())
        assert all(isa in lines["ISA"] for isa in _core.available_isas())
        assert lines["compiler"].startswith(("gcc", "clang"))


def test_python_m_tinytensor() -> None:
    done = run("-m", "tinytensor")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].split() == ["tinytensor", tt.__version__]
    assert done.stderr == "" or kernels.active == "reference"


def test_the_pure_mode_is_interpreted_and_on_reference_kernels() -> None:
    done = run("-m", "tinytensor", TINYTENSOR_PURE="1", TINYTENSOR_KERNELS="reference")
    lines = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert (lines["engine"], lines["kernels"]) == ("interpreted", "reference")
    assert done.stderr == ""


def test_an_unknown_instruction_set_is_a_clear_error() -> None:
    if kernels.active != "fast":
        pytest.skip("no fast kernels here")
    done = run("-c", "import tinytensor", TINYTENSOR_ISA="mmx")
    assert done.returncode != 0
    assert "instruction set 'mmx' is not available: this machine has baseline" in done.stderr
    assert done.stderr.endswith("what to do: python -m tinytensor doctor\n")


def test_the_number_of_threads_is_taken_from_the_environment() -> None:
    if kernels.active != "fast":
        pytest.skip("no fast kernels here")
    print_it = "import tinytensor as tt; print(tt.get_num_threads())"
    assert run("-c", print_it, TINYTENSOR_NUM_THREADS="3").stdout == "3\n"
    done = run("-c", print_it, TINYTENSOR_NUM_THREADS="three")
    assert "TINYTENSOR_NUM_THREADS must be a whole number" in done.stderr


def test_threadpoolctl_limits_our_threads() -> None:
    threadpoolctl = pytest.importorskip("threadpoolctl")
    if kernels.active != "fast":
        pytest.skip("no fast kernels here")
    before = tt.get_num_threads()
    with threadpoolctl.threadpool_limits(limits=1, user_api="tinytensor"):
        assert tt.get_num_threads() == 1
    assert tt.get_num_threads() == before
    assert [i for i in threadpoolctl.threadpool_info() if i["user_api"] == "tinytensor"]


def test_importing_takes_no_optional_package() -> None:
    optional = ["sklearn", "matplotlib", "torch", "pandas", "hypothesis", "scipy"]
    done = run("-c", f"import sys, tinytensor; print([m for m in {optional} if m in sys.modules])")
    assert done.stdout == "[]\n", done.stderr


def test_importing_takes_what_two_tensors_need_to_be_added() -> None:
    """Nothing of the standard library or NumPy that is named as late; of ours, these packages."""
    script = """
import sys, numpy
numpys = set(sys.modules)
import tinytensor as tt
assert (tt.ones(2) + tt.ones(2)).sum().item() == 4
print(*sorted(set(sys.modules) - numpys))
"""
    done = run("-c", script)
    taken = done.stdout.split()
    assert "tinytensor.tensors.tensor" in taken, done.stderr
    late = {
        *("bz2", "copy", "dataclasses", "email", "fnmatch", "html", "importlib.abc"),
        *("importlib.metadata", "importlib.resources", "importlib.util", "json", "logging", "lzma"),
        *("pathlib", "pickle", "platform", "random", "safetensors", "shutil", "string", "struct"),
        *("subprocess", "tempfile", "tqdm", "urllib.parse", "zlib"),
        *("numpy.fft", "numpy.random", "ml_dtypes", "threadpoolctl"),
    }
    packages = {name.split(".")[1] for name in taken if name.startswith("tinytensor.")}
    assert not late & set(taken)
    assert not packages & {name for name, home in tt._LATER.items() if home is None}


NAMED_LATE = [
    "data",
    "debug",
    "distributed",
    "func",
    "generation",
    "io",
    "models",
    "nn",
    "optim",
    "scalar",
    "text",
    "train",
    "viz",
]
NAMED_LATE += ["detect_anomaly", "load", "save", "saved_memory"]


def test_what_is_imported_late_is_there_after_importing_tinytensor() -> None:
    script = f"""
import tinytensor as tt
names = {NAMED_LATE}
assert set(names) <= set(dir(tt)), dir(tt)
print(*[getattr(tt, name).__name__ for name in names])
try:
    tt.nothing_of_this_name
except AttributeError as error:
    print(error)
"""
    done = run("-c", script)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert [name.removeprefix("tinytensor.") for name in first.split()] == NAMED_LATE
    assert second.startswith("module 'tinytensor' has no attribute 'nothing_of_this_name'")


def test_only_our_names_are_public() -> None:
    foreign = {"np", "os", "sys", "Any", "annotations", "importlib", "Path", "warnings"}
    foreign |= {"TYPE_CHECKING", "import_module", "math"}
    assert not foreign & set(dir(tt))


def test_c_and_cython_sources_are_in_the_manifest() -> None:
    manifest = (ROOT / "MANIFEST.in").read_text()
    assert "graft csrc" in manifest
    assert "*.pyx *.pxd" in manifest


def test_config_names_every_fact() -> None:
    facts = config.config()
    assert all(isinstance(value, str) and value for value in facts.values())
