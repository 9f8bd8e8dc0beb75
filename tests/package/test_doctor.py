"""``python -m tinytensor doctor``: sabotaged copies of the package, and what it says of each."""

from __future__ import annotations

import ast
import json
import os
import shutil
import struct
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

import pytest

from tinytensor.debug import doctor
from tinytensor.debug.doctor import findings, page, report, surroundings

ROOT = Path(__file__).resolve().parents[2]
SUFFIX = EXTENSION_SUFFIXES[0]

pytestmark = pytest.mark.no_c
if not (ROOT / f"tinytensor/kernels/_core{SUFFIX}").exists():
    pytest.skip("nothing is built here", allow_module_level=True)


class Copy:
    """The built package once more: links, which a sabotage replaces."""

    def __init__(self, folder: Path) -> None:
        self.root, self.package = folder / "tree", folder / "tree/tinytensor"
        self.cache = folder / "cache"  # of bytecode, of all tests
        self.changed: dict[Path, Path] = {}
        left_out = shutil.ignore_patterns("__pycache__", "*.pyi")
        shutil.copytree(
            ROOT / "tinytensor", self.package, ignore=left_out, copy_function=os.symlink
        )
        shutil.copytree(ROOT / "csrc", self.root / "csrc", copy_function=os.symlink)
        os.symlink(ROOT / "setup.py", self.root / "setup.py")

    def remove(self, name: str) -> Path:
        path = self.package / name
        self.changed.setdefault(path, path.readlink())
        path.unlink(missing_ok=True)
        return path

    def write(self, name: str, change: Callable[[bytes], bytes]) -> None:
        data = (self.package / name).read_bytes()
        self.remove(name).write_bytes(change(data))

    def add(self, name: str, text: str) -> None:
        self.write(name, lambda data: data + text.encode())

    def mend(self) -> None:
        for path, target in self.changed.items():
            path.unlink(missing_ok=True)
            path.symlink_to(target)
        self.changed.clear()

    def run(
        self,
        *arguments: str,
        flags: tuple[str, ...] = (),
        cwd: Path | None = None,
        **variables: str,
    ) -> subprocess.CompletedProcess[str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TINYTENSOR_", "PYTHON")) and name != "OMP_NUM_THREADS"
        }
        own = {"PYTHONPATH": str(self.root), "PYTHONPYCACHEPREFIX": str(self.cache)}
        return subprocess.run(
            [sys.executable, *flags, "-m", "tinytensor", "doctor", *arguments],
            env={**kept, **own, "PYTHONIOENCODING": "utf-8", **variables},
            cwd=cwd or self.root.parent,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=300,
        )

    def report(self, **options: Any) -> Any:
        """What it says as JSON, measuring nothing."""
        done = self.run("--json", "--quick", **options)
        assert not done.stderr, done.stderr
        told = json.loads(done.stdout)
        assert_fits(told, report.Report)
        broken = any(finding["level"] == report.BROKEN for finding in told["findings"])
        assert told["healthy"] == (not broken)
        assert done.returncode == broken
        assert told["package"]["path"] == str(self.package)
        # The tree of these tests may be installed: the copy is rightly said to stand before it.
        own = str(ROOT / "tinytensor")
        told["findings"] = [f for f in told["findings"] if not f["known"].endswith(own)]
        return told


def assert_fits(value: Any, kind: Any, where: str = "report") -> None:
    """The value is of a kind that a TypedDict names."""
    if is_typeddict(kind):
        hints = get_type_hints(kind)
        assert value.keys() == hints.keys(), where
        for name, of in hints.items():
            assert_fits(value[name], of, f"{where}.{name}")
    elif get_origin(kind) is list:
        for item in value:
            assert_fits(item, get_args(kind)[0], where)
    elif get_origin(kind) is dict:
        for item in value.values():
            assert_fits(item, get_args(kind)[1], where)
    elif get_args(kind):  # or None
        if value is not None:
            assert_fits(value, get_args(kind)[0], where)
    elif kind is not Any:
        assert type(value) is kind or (kind is float and type(value) is int), (where, value)


@pytest.fixture(scope="module")
def only_copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    return Copy(tmp_path_factory.mktemp("doctor"))


@pytest.fixture
def copy(only_copy: Copy) -> Iterator[Copy]:
    yield only_copy
    only_copy.mend()


def names(told: Any) -> list[str]:
    ignored = {"affinity", "cpu-quota", "busy-machine"}  # of the machine that the tests run on
    return [finding["name"] for finding in told["findings"] if finding["name"] not in ignored]


def of(told: Any, name: str) -> Any:
    """The only finding of a name."""
    (found,) = [finding for finding in told["findings"] if finding["name"] == name]
    return found


def build(copy: Copy) -> str:
    return f"cd {copy.root} && {sys.executable} setup.py build_ext --inplace"


def compiled(copy: Copy) -> list[str]:
    return [str(path.relative_to(copy.package)) for path in copy.package.rglob(f"*{SUFFIX}")]


# --- Nothing is wrong ------------------------------------------------------------------------


def test_a_sound_set_up(copy: Copy) -> None:
    told = copy.report()
    assert names(told) == []
    assert (told["engine"], told["kernels"]) == ("compiled", "fast")
    assert told["isa"]["used"] == told["isa"]["available"][-1]
    assert told["isa"]["available"] == told["self_test"]["isas"]
    assert told["self_test"]["kernels"] > 100
    assert told["self_test"]["failures"] == []
    assert told["threads"]["used"] == told["threads"]["granted"]
    assert told["build"]["compiler"].startswith(("gcc", "clang"))
    assert not told["modules"]["missing"] + told["modules"]["changed"]
    assert told["limits"] is None
    text = page.written(told)
    assert f"all {told['self_test']['kernels']} kernels agree with NumPy" in text
    assert text.splitlines()[-1].startswith("✓ ")


# --- Sabotage of what is built ---------------------------------------------------------------


def test_nothing_is_built(copy: Copy) -> None:
    for name in [*compiled(copy), "built.txt"]:
        copy.remove(name)
    told = copy.report()
    found = of(told, "not-built")
    assert "NumPy does the work" in found["what"]
    assert found["remedy"] == build(copy)
    assert (told["engine"], told["kernels"], told["build"]) == ("interpreted", "reference", None)


def test_built_for_another_python(copy: Copy) -> None:
    for name in compiled(copy):
        target = copy.remove(name)
        other = target.with_name(target.name.replace(SUFFIX, ".cpython-399-x86_64-linux-gnu.so"))
        copy.changed[other] = copy.changed.pop(target)
        other.symlink_to(copy.changed[other])
    try:
        told = copy.report()
    finally:
        for other, original in list(copy.changed.items()):
            other.unlink()
            other.with_name(original.name).symlink_to(original)
        copy.changed.clear()
    found = of(told, "other-python")
    assert "cpython-399" in found["known"]
    assert SUFFIX in found["known"]
    assert found["remedy"] == build(copy)
    assert names(told) == ["other-python"]


def with_machine(number: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:18] + struct.pack("<H", number) + data[20:]


@pytest.mark.skipif(sys.platform != "linux", reason="the heads of ELF files are read")
@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (lambda data: data[: len(data) // 2], "is cut off"),
        (lambda data: b"not found: 404", "is no shared object (14 bytes)"),
        (with_machine(243), "was built for riscv64, and this machine is"),
    ],
    ids=["cut", "text", "machine"],
)
def test_a_module_that_is_bad(copy: Copy, change: Callable[[bytes], bytes], wrong: str) -> None:
    copy.write(f"kernels/gemm{SUFFIX}", change)
    told = copy.report()
    found = of(told, "bad-module")
    assert found["what"].startswith(f"the compiled module kernels.gemm {wrong}")
    file = copy.package / f"kernels/gemm{SUFFIX}"
    assert found["remedy"] == f"rm {file} && {build(copy)}"
    assert told["package"]["failure"]["file"] == str(file)
    assert names(told) == ["bad-module"]


def test_sources_are_newer_than_the_build(copy: Copy) -> None:
    copy.add("engine/core.py", "\n# edited\n")
    told = copy.report()
    found = of(told, "changed-sources")
    assert found["level"] == report.BROKEN
    assert "tinytensor/engine/core.py" in found["what"]
    assert found["remedy"] == build(copy)
    assert names(told) == ["changed-sources"]


def test_partly_built_by_another_version_and_slowed_down(copy: Copy) -> None:
    """Several at once: each is told."""
    copy.remove(f"kernels/softmax{SUFFIX}")
    version = f"# version {told_version()}\n".encode()
    copy.write("built.txt", lambda data: data.replace(version, b"# version 0.0.9\n"))
    told = copy.report(
        TINYTENSOR_ISA="baseline", TINYTENSOR_NUM_THREADS="64", TINYTENSOR_NUM_THREAD="1"
    )
    assert "kernels.softmax" in of(told, "partly-built")["what"]
    assert of(told, "partly-built")["remedy"] == build(copy)
    assert "0.0.9" in of(told, "old-build")["what"]
    assert of(told, "old-build")["remedy"] == build(copy)
    assert of(told, "lower-isa")["remedy"] == "unset TINYTENSOR_ISA"
    assert of(told, "many-threads")["remedy"] == "unset TINYTENSOR_NUM_THREADS"
    found = of(told, "unknown-variable")
    assert "nothing reads the variable TINYTENSOR_NUM_THREAD" in found["what"]
    assert found["remedy"] == "unset TINYTENSOR_NUM_THREAD"
    assert found["otherwise"].endswith("export TINYTENSOR_NUM_THREADS=1")
    assert len(names(told)) == 5


def told_version() -> str:
    return surroundings.observed()["package"]["version"]


# --- Sabotage of kernels ---------------------------------------------------------------------


def test_a_kernel_is_wrong(copy: Copy) -> None:
    """Its twin is changed, which is the same to who compares them."""
    copy.add(
        "kernels/reference/maps.py",
        "\n_tanh = tanh\n\n\ndef tanh(x):\n    return (_tanh(x) * 1.001).astype(x.dtype)\n",
    )
    told = copy.report()
    found = of(told, "wrong-kernel")
    assert found["what"].startswith("the kernel tanh is wrong on ")
    assert "off by 1.0e-03 of the largest" in found["what"]
    assert found["remedy"] == f"{build(copy)} --force"
    assert found["otherwise"].startswith("meanwhile: export TINYTENSOR_KERNELS=reference")
    assert all(isa in found["what"] for isa in told["isa"]["available"])
    assert names(told) == ["wrong-kernel"]
    assert "✗ 1 of " in page.written(told)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_kernel_crashes(copy: Copy) -> None:
    copy.add(
        "kernels/__init__.py",
        "\n\ndef softplus(*args):\n    os.kill(os.getpid(), 4)\n",
    )
    told = copy.report()
    found = of(told, "crash")
    assert found["what"] == "SIGILL kills Python when it calls the kernel softplus on baseline"
    assert found["remedy"] == f"{build(copy)} --force"
    assert "TINYTENSOR_KERNELS=reference" in found["otherwise"]
    assert names(told) == ["crash"]


# --- Sabotage of the environment -------------------------------------------------------------


def test_an_unknown_instruction_set(copy: Copy) -> None:
    told = copy.report(TINYTENSOR_ISA="mmx")
    found = of(told, "unknown-isa")
    assert "TINYTENSOR_ISA=mmx" in found["what"]
    assert "this machine has baseline" in found["known"]
    assert found["remedy"] == "unset TINYTENSOR_ISA"
    assert names(told) == ["unknown-isa"]


def test_no_number_of_threads(copy: Copy) -> None:
    told = copy.report(TINYTENSOR_NUM_THREADS="three")
    assert "TINYTENSOR_NUM_THREADS=three" in of(told, "bad-variable")["what"]
    assert of(told, "bad-variable")["remedy"] == "unset TINYTENSOR_NUM_THREADS"
    assert names(told) == ["bad-variable"]


def test_the_pure_mode_beside_another_tinytensor(copy: Copy, tmp_path: Path) -> None:
    """A folder of the name is there where Python is started, and -P lets ours be examined."""
    (tmp_path / "tinytensor").mkdir()
    (tmp_path / "tinytensor/__init__.py").write_text("raise ImportError('not this one')")
    told = copy.report(
        flags=("-P",), cwd=tmp_path, TINYTENSOR_PURE="1", TINYTENSOR_KERNELS="reference"
    )
    assert of(told, "pure-mode")["remedy"] == "unset TINYTENSOR_PURE"
    assert of(told, "reference-kernels")["remedy"] == "unset TINYTENSOR_KERNELS"
    found = of(told, "shadowed")
    assert found["known"].startswith(str(tmp_path / "tinytensor"))
    assert found["remedy"] == "cd; python -m tinytensor doctor"
    assert found["otherwise"] == f"or give {tmp_path / 'tinytensor'} another name"
    assert told["self_test"] is None
    assert len(names(told)) == 3


@pytest.mark.parametrize(
    ("name", "text"), [("numpy", "raise ImportError('a script about numpy')"), ("tqdm", "")]
)
def test_a_file_takes_the_name_of_a_package(
    copy: Copy, tmp_path: Path, name: str, text: str
) -> None:
    """It is told of where it lets nothing fail, too."""
    (tmp_path / f"{name}.py").write_text(text)
    told = copy.report(cwd=tmp_path)
    found = of(told, "taken-name")
    assert found["remedy"] == f"mv {tmp_path / name}.py {tmp_path / f'my_{name}.py'}"
    assert found["known"].endswith("a script about numpy" if text else f"{name}.py")
    assert [f["name"] for f in told["findings"] if f["level"] == report.BROKEN] == ["taken-name"]


def test_packages_are_missing(copy: Copy) -> None:
    """Without site-packages; and Python, whose own packages all are there, imports no NumPy."""
    told = copy.report(flags=("-S",))
    missing = [f for f in told["findings"] if f["name"] == "missing-package"]
    assert [f["what"].split()[0] for f in missing] == ["numpy", "safetensors", "tqdm"]
    assert missing[0]["remedy"] == f"{sys.executable} -m pip install 'numpy>=2'"
    assert told["package"]["failure"]["kind"] == "ModuleNotFoundError"
    assert set(names(told)) == {"missing-package"}


def test_an_old_numpy_and_an_installation_of_another_version(copy: Copy, tmp_path: Path) -> None:
    (tmp_path / "numpy").mkdir()
    (tmp_path / "numpy/__init__.py").write_text('__version__ = "1.26.4"')
    for package, version in (("numpy", "1.26.4"), ("tinytensor", "0.0.9")):
        folder = tmp_path / f"{package}-{version}.dist-info"
        folder.mkdir()
        (folder / "direct_url.json").write_text('{"url": "file:///src"}')
        (folder / "METADATA").write_text(f"Name: {package}\nVersion: {version}\n")
    told = copy.report(PYTHONPATH=f"{copy.root}{os.pathsep}{tmp_path}")
    found = of(told, "old-package")
    assert found["what"] == "numpy 1.26.4 is too old: tinytensor needs 2 or later"
    assert found["remedy"].endswith("pip install --upgrade 'numpy>=2'")
    assert told["package"]["origin"] == "file:///src"
    assert "pip knows of tinytensor 0.0.9" in of(told, "other-version")["what"]
    assert of(told, "other-version")["remedy"].endswith("pip install -e .")
    assert names(told) == ["old-package", "other-version"]


# --- Sabotage of the machine: other files of /proc and /sys, or another report ---------------


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> report.Report:
    """What a sound process of 4 CPUs would tell."""
    for name in list(os.environ):
        if name.startswith("TINYTENSOR_") or name == "OMP_NUM_THREADS":
            monkeypatch.delenv(name)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3}, raising=False)
    told = surroundings.observed()
    told.update(engine="compiled", kernels="fast", default_dtype="float32")
    told["isa"].update(used="avx512", available=["baseline", "avx2", "avx512"])
    told["threads"].update(used=4, granted=4, quota=None)
    assert findings.found(told) == []
    return told


@pytest.mark.parametrize("version", [1, 2])
def test_a_quota(told: report.Report, tmp_path: Path, version: int) -> None:
    if version == 2:
        write(tmp_path / "proc/self/cgroup", "0::/jobs/one\n")
        write(tmp_path / "sys/fs/cgroup/cgroup.controllers", "cpu")
        write(tmp_path / "sys/fs/cgroup/jobs/cpu.max", "150000 100000\n")
    else:
        write(tmp_path / "proc/self/cgroup", "4:cpu,cpuacct:/jobs\n")
        write(tmp_path / "sys/fs/cgroup/cpu/jobs/cpu.cfs_quota_us", "150000\n")
        write(tmp_path / "sys/fs/cgroup/cpu/jobs/cpu.cfs_period_us", "100000\n")
    told["threads"] = surroundings.observed(str(tmp_path))["threads"]
    (found,) = findings.found(told)
    assert found["name"] == "cpu-quota"
    assert "allows 1.5 CPUs' worth of time, and there are 4 CPUs: so 1 thread" in found["what"]
    assert f"version {version}" in found["known"]
    assert "docker run --cpus=4" in found["remedy"]


def test_affinity_and_variables_of_threads(
    told: report.Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {2, 3}, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    told["threads"] = surroundings.observed()["threads"]
    told["threads"].update(used=1, quota=None, granted=2)
    few, affinity = findings.found(told)
    assert (few["name"], affinity["name"]) == ("few-threads", "affinity")
    assert few["known"] == "OMP_NUM_THREADS=1"
    assert few["remedy"] == "export TINYTENSOR_NUM_THREADS=2"
    assert "may run on 2 of the machine's 4 CPUs" in affinity["what"]
    assert affinity["remedy"].startswith("taskset -c 0-3 ")


def test_a_compiler_that_knew_fewer_instructions(
    told: report.Report, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    flags = "fma avx2 bmi2 f16c avx512f avx512dq avx512bw avx512vl"
    write(tmp_path / "cpuinfo", f"processor : 0\nflags\t\t: sse2 {flags}\n")
    cpu = surroundings.instruction_sets(str(tmp_path / "cpuinfo"), "x86_64")
    assert cpu == ["baseline", "avx2", "avx512"]
    told["isa"].update(used="avx2", available=["baseline", "avx2"], cpu=cpu)
    assert told["build"] is not None
    told["build"]["compiler"] = "gcc 4.8.5"
    (found,) = findings.found(told)
    assert found["name"] == "old-compiler"
    assert "this CPU has avx512" in found["what"]
    assert "gcc 4.8.5" in found["known"]
    assert found["remedy"].endswith("setup.py build_ext --inplace --force")
    assert str(found["otherwise"]).startswith("with a newer compiler")


def test_an_old_python(told: report.Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "REQUIRED_PYTHON", (4, 7))
    (found,) = findings.found(told)
    assert (found["name"], found["level"]) == ("old-python", report.BROKEN)
    assert "tinytensor needs 4.7 or later" in found["what"]
    assert found["remedy"].startswith("python4.7 -m venv")


def test_a_numpy_that_compiled_modules_do_not_fit(told: report.Report) -> None:
    message = "numpy._core.multiarray failed to import (auto-generated because …)"
    told["package"]["failure"] = {
        "during": "import",
        "kind": "ImportError",
        "message": message,  # type: ignore[typeddict-item]
        "file": None,
        "kernel": None,
        "isa": None,
    }
    told["requirements"]["numpy"] = "3.0.0"
    (found,) = findings.found(told)
    assert (found["name"], found["level"]) == ("numpy-abi", report.BROKEN)
    assert "does not fit NumPy 3.0.0" in found["what"]
    assert found["remedy"].endswith("setup.py build_ext --inplace --force")


def test_an_installation_is_mended_from_where_it_came(told: report.Report) -> None:
    told["package"].update(source=False, origin="file:///home/ada/tinytensor")
    told["modules"].update(missing=told["modules"]["built"], built=[])
    (found,) = findings.found(told)
    assert found["name"] == "not-built"
    assert found["remedy"].startswith(f"{sys.executable} -m pip install --force-reinstall ")
    assert found["remedy"].endswith(" file:///home/ada/tinytensor")


def test_what_is_set_by_others(told: report.Report) -> None:
    told["default_dtype"] = "float64"
    assert told["build"] is not None
    told["build"]["flags"] = "-O2 -fsanitize=address,undefined"
    told["threads"]["load"] = 9.0
    told["limits"] = []
    found = {e["name"]: f"{e['remedy']} {e['otherwise']}" for e in findings.found(told)}
    assert set(found) == {"default-dtype", "sanitizers", "busy-machine"}
    assert "sitecustomize.py" in found["default-dtype"]
    assert "unset TINYTENSOR_SANITIZE" in found["sanitizers"]


# --- What it prints --------------------------------------------------------------------------


def test_the_page(told: report.Report) -> None:
    told["limits"] = [
        {
            "threads": threads,
            "flops": 2.5e11 * threads,
            "bytes": 2e10,
            "gemm": {"rate": 2e11, "share": 0.8},
            "map": {"rate": 1.9e10, "share": 0.95},
            "step": {"rate": 1e11, "share": 0.4},
        }
        for threads in (1, 4)
    ]
    told["findings"] = [findings.finding("a", report.BROKEN, "wrong " * 30, "so", "do it")]
    assert told["build"] is not None
    told["build"]["flags"] = " ".join(f"-mfeature-{i}" for i in range(20))
    plain = page.written(told, "ascii")
    assert plain.isascii()
    assert "\nX wrong" in plain
    assert max(map(len, plain.splitlines())) <= 100
    limits = [line.split() for line in plain.splitlines() if line.startswith("  product")]
    assert limits == [[*["product", "of", "1024", "x", "1024"], *["200", "GFLOP/s", "80%"] * 2]]
    assert plain.splitlines()[-1] == "X broken: 1 thing to mend"
    assert "\x1b[31m✗\x1b[0m wrong" in page.written(told, colours=True)


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert page.wants_colours(Terminal())
    monkeypatch.setenv("TERM", "dumb")
    assert not page.wants_colours(Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not page.wants_colours(Terminal())


def test_wrong_usage_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, code in ((["--nonsense"], 2), (["--help"], 0)):
        with pytest.raises(SystemExit) as ended:
            doctor.main(arguments)
        assert ended.value.code == code
    shown = capsys.readouterr()
    assert "unrecognized arguments: --nonsense" in shown.err
    assert all(option in shown.out for option in ("--json", "--quick"))


# --- What it knows of others -----------------------------------------------------------------


def test_it_knows_what_the_package_requires() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    least = {name: ".".join(map(str, n)) for name, n in surroundings.REQUIRED.items()}
    stated = dict(f"{needed}>=0".split(">=")[:2] for needed in project["dependencies"])
    assert stated == least
    assert project["requires-python"] == ">=" + ".".join(map(str, surroundings.REQUIRED_PYTHON))


def test_older_pythons_can_read_it() -> None:
    """Up to where it says that they are too old."""
    files = ["__init__", "built", "debug/__init__", "kernels/cpus"]
    files += [f"debug/doctor/{name}" for name in ("__init__", "findings", "inside", "page")]
    for name in (*files, "debug/doctor/report", "debug/doctor/surroundings"):
        source = (ROOT / f"tinytensor/{name}.py").read_text(encoding="utf-8")
        ast.parse(source, feature_version=(3, 9))


def test_every_key_and_finding_is_documented() -> None:
    text = (ROOT / "docs/doctor.md").read_text(encoding="utf-8")
    source = (ROOT / "tinytensor/debug/doctor/findings.py").read_text(encoding="utf-8")
    told = {
        call.args[0].value
        for call in ast.walk(ast.parse(source))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "finding"
        if isinstance(call.args[0], ast.Constant)
    }
    assert len(told) > 20
    for name in (*told, *get_type_hints(report.Report)):
        assert f"`{name}`" in text, name
