"""What is wrong, how it is known, and what to do: one function for each kind of trouble."""

from __future__ import annotations

import difflib
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator

from ... import built
from .report import BROKEN, WARNING, Finding, Report
from .surroundings import REQUIRED, REQUIRED_PYTHON, VARIABLES, taken_from_here

Check = Callable[[Report], Iterator[Finding]]
CHECKS: list[Check] = []


def check(function: Check) -> Check:
    CHECKS.append(function)
    return function


def found(report: Report) -> list[Finding]:
    """All of them, what is broken first."""
    findings = [finding for each in CHECKS for finding in each(report)]
    return sorted(findings, key=lambda finding: finding["level"] != BROKEN)


def finding(
    name: str, level: str, what: str, known: str, remedy: str, otherwise: str | None = None
) -> Finding:
    return {
        "name": name,
        "level": level,
        "what": what,
        "known": known,
        "remedy": remedy,
        "otherwise": otherwise,
    }


# --- Remedies --------------------------------------------------------------------------------


def install(*requirements: str) -> str:
    return shlex.join([sys.executable, "-m", "pip", "install", *requirements])


def build(report: Report, *files: str, anew: bool = False) -> str:
    """The command that builds, once ``files`` are out of the way, or all of it ``anew``."""
    package = report["package"]
    if not package["source"]:
        origin = package["origin"] or "path/to/its/sources"
        return install("--force-reinstall", "--no-cache-dir", "--no-deps", origin)
    remove = f"rm {shlex.join(files)} && " if files else ""
    command = [sys.executable, "setup.py", "build_ext", "--inplace", *["--force"] * anew]
    return f"{remove}cd {shlex.quote(os.path.dirname(package['path']))} && {shlex.join(command)}"


def unset(*names: str) -> str:
    return f"unset {' '.join(names)}"


def listed(names: list[str], most: int = 3) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def counted(n: int, noun: str) -> str:
    return f"{n} {noun}" + ("" if n == 1 else "s")


# --- Python and packages ---------------------------------------------------------------------


@check
def old_python(report: Report) -> Iterator[Finding]:
    if sys.version_info[:2] < REQUIRED_PYTHON:
        least = ".".join(map(str, REQUIRED_PYTHON))
        yield finding(
            "old-python",
            BROKEN,
            f"Python {report['python']['version']} is too old: tinytensor needs {least} or later",
            sys.executable,
            f"python{least} -m venv .venv && . .venv/bin/activate && pip install -e .",
        )


@check
def requirements(report: Report) -> Iterator[Finding]:
    for name, version in report["requirements"].items():
        least = ".".join(map(str, REQUIRED[name]))
        wanted = name if REQUIRED[name] == (0,) else f"{name}>={least}"
        if version is None:
            yield finding(
                "missing-package",
                BROKEN,
                f"{name} is not installed, and tinytensor needs it",
                f"{sys.executable} does not find it",
                install(wanted),
            )
        elif version != "unknown" and _numbers(version) < REQUIRED[name]:
            yield finding(
                "old-package",
                BROKEN,
                f"{name} {version} is too old: tinytensor needs {least} or later",
                f"the version that pip has noted of {name}",
                install("--upgrade", wanted),
            )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)))


@check
def taken_names(report: Report) -> Iterator[Finding]:
    failure = report["package"]["failure"]
    for name, path in taken_from_here().items():
        folder, file = os.path.split(path)
        yield finding(
            "taken-name",
            BROKEN,
            f"the folder that is open has a {file}, which is imported in the place of {name}",
            path if failure is None else f"{failure['kind']}: {failure['message']}",
            shlex.join(["mv", path, os.path.join(folder, f"my_{file}")]),
        )


@check
def other_packages(report: Report) -> Iterator[Finding]:
    package = report["package"]
    for other in package["others"]:
        version = f" (version {other['version']})" if other["version"] else ""
        if other["place"] == "folder":
            yield finding(
                "shadowed",
                WARNING,
                f"the folder that is open has a tinytensor of its own{version}, which a program"
                " started here may import instead",
                f"{other['path']}, beside {package['path']}",
                f"cd; {built.DOCTOR}",
                f"or give {other['path']} another name",
            )
        else:
            yield finding(
                "shadowed",
                WARNING,
                "there are two tinytensors on the path: the first is imported, the other"
                f"{version} is not",
                f"{package['path']} comes before {other['path']}",
                f"{sys.executable} -m pip uninstall tinytensor"
                if package["installed"]
                else "unset PYTHONPATH",
                "or leave the folder that is open: the one that is meant should be left alone",
            )
    if package["installed"] not in (None, "unknown", package["version"]):
        yield finding(
            "other-version",
            WARNING,
            f"pip knows of tinytensor {package['installed']}, and {package['version']} is imported",
            f"metadata of the installation, and {package['path']}/version.py",
            f"cd {shlex.quote(os.path.dirname(package['path']))} && {install('-e', '.')}"
            if package["source"]
            else f"{sys.executable} -m pip uninstall tinytensor",
        )


# --- The build -------------------------------------------------------------------------------


@check
def compiled_modules(report: Report) -> Iterator[Finding]:
    modules, here = report["modules"], report["python"]["suffix"]
    for name, wrong in modules["bad"].items():
        stem = os.path.join(report["package"]["path"], *name.split("."))
        file = next(stem + s for s in (here, ".abi3.so", ".so") if os.path.exists(stem + s))
        yield finding(
            "bad-module",
            BROKEN if report["package"]["failure"] else WARNING,
            f"the compiled module {name} {wrong}",
            file,
            build(report, file),
        )
    if modules["foreign"]:
        file = next(iter(modules["foreign"].values()))
        of = os.path.basename(file).split(".", 1)[1]
        yield finding(
            "other-python",
            WARNING,
            f"it was built for another Python, and NumPy does the work of"
            f" {counted(len(modules['foreign']), 'compiled module')}",
            f"{os.path.basename(file)}: this Python looks for {here}, not {of}",
            build(report),
            "or run the Python that it was built for",
        )
    missing = [name for name in modules["missing"] if name not in modules["foreign"]]
    if missing and not modules["built"]:
        yield finding(
            "not-built",
            WARNING,
            "nothing is built: NumPy does the work, many times slower",
            f"there is no compiled module in {report['package']['path']}",
            build(report),
            "it needs gcc or clang, and Python's headers",
        )
    elif missing:
        yield finding(
            "partly-built",
            WARNING,
            f"not all is built, and NumPy does the work of {listed(missing)}",
            f"no file with {here} beside {missing[0].replace('.', '/')}",
            build(report),
        )


@check
def changed_sources(report: Report) -> Iterator[Finding]:
    if report["modules"]["changed"]:
        yield finding(
            "changed-sources",
            BROKEN if _is_refused(report) else WARNING,
            f"changed since they were compiled: {listed(report['modules']['changed'])}",
            "their checksums are not those in tinytensor/built.txt",
            build(report),
        )


@check
def other_build(report: Report) -> Iterator[Finding]:
    noted = report["build"]
    if noted is None:
        return
    version = report["package"]["version"]
    if noted["version"] not in (None, version):
        yield finding(
            "old-build",
            WARNING,
            f"what is compiled is of tinytensor {noted['version']}, and the rest of {version}",
            "tinytensor/built.txt and tinytensor/version.py",
            build(report),
        )
    if "-fsanitize" in (noted["flags"] or ""):
        yield finding(
            "sanitizers",
            WARNING,
            "it was built for the sanitizers, and is several times slower",
            "-fsanitize stands among the flags of the build",
            f"{unset('TINYTENSOR_SANITIZE')}; {build(report)}",
        )


# --- The import ------------------------------------------------------------------------------


def _explains(report: Report) -> bool:
    """Whether something that is told of anyway lets the import fail."""
    return (
        bool(report["modules"]["bad"])
        or _is_refused(report)
        or any(old_python(report))
        or any(taken_names(report))
        or any(requirements(report))
    )


def _is_refused(report: Report) -> bool:
    failure = report["package"]["failure"]
    return failure is not None and "has changed since it was compiled" in failure["message"]


@check
def failed_import(report: Report) -> Iterator[Finding]:
    failure, variables = report["package"]["failure"], report["environment"]
    if failure is None or failure["kind"].startswith("SIG"):
        return
    known = f"{failure['kind']}: {failure['message']}"
    isa, threads = report["isa"]["forced"], variables.get("TINYTENSOR_NUM_THREADS", "")
    if "instruction set" in known and isa:
        yield finding(
            "unknown-isa",
            BROKEN,
            f"TINYTENSOR_ISA={isa} is no instruction set of this build and this machine",
            known,
            unset("TINYTENSOR_ISA"),
            "the best one is chosen then",
        )
    elif "TINYTENSOR_NUM_THREADS" in known:
        yield finding(
            "bad-variable",
            BROKEN,
            f"TINYTENSOR_NUM_THREADS={threads} is no number of threads",
            known,
            unset("TINYTENSOR_NUM_THREADS"),
            f"or export TINYTENSOR_NUM_THREADS={report['threads']['granted']}",
        )
    elif _explains(report):
        return
    elif "multiarray failed to import" in known or "compiled using NumPy" in known:
        yield finding(
            "numpy-abi",
            BROKEN,
            f"what is compiled does not fit NumPy {report['requirements']['numpy']}",
            known,
            build(report, anew=True),
            "or with the NumPy that it was built beside",
        )
    elif failure["file"] and failure["file"].endswith((".so", ".pyd")):
        yield finding(
            "bad-module",
            BROKEN,
            f"a compiled module cannot be loaded: {os.path.basename(failure['file'])}",
            known,
            build(report, failure["file"]),
        )
    else:
        what = f"the {failure['during']} of tinytensor fails"
        yield finding("failed-import", BROKEN, what, known, build(report))


@check
def crashes(report: Report) -> Iterator[Finding]:
    failure = report["package"]["failure"]
    if failure is None or not failure["kind"].startswith("SIG"):
        return
    if failure["during"] == "import" and _explains(report):
        return
    about = "imports tinytensor" if failure["during"] == "import" else "measures"
    again = build(report, anew=True)
    if failure["kernel"]:
        about = f"calls the kernel {failure['kernel']} on {failure['isa']}"
    elif failure["file"]:
        about = f"loads {os.path.basename(failure['file'])}"
        again = build(report, failure["file"])
    yield finding(
        "crash",
        BROKEN,
        f"{failure['kind']} kills Python when it {about}",
        failure["message"] or "a process that did just this",
        again,
        "meanwhile, without compiled code: export TINYTENSOR_PURE=1 TINYTENSOR_KERNELS=reference",
    )


# --- What runs -------------------------------------------------------------------------------


@check
def chosen_modes(report: Report) -> Iterator[Finding]:
    variables, modules = report["environment"], report["modules"]["built"]
    if variables.get("TINYTENSOR_PURE", "0") not in ("", "0"):
        yield finding(
            "pure-mode",
            WARNING,
            "the interpreted engine runs: each call of an op takes several times as long",
            f"TINYTENSOR_PURE={variables['TINYTENSOR_PURE']}",
            unset("TINYTENSOR_PURE"),
        )
    asked = variables.get("TINYTENSOR_KERNELS", "fast")
    if asked == "reference" and "kernels._core" in modules:
        yield finding(
            "reference-kernels",
            WARNING,
            "NumPy does the work, many times slower, although the kernels are built",
            "TINYTENSOR_KERNELS=reference",
            unset("TINYTENSOR_KERNELS"),
        )
    elif asked not in ("fast", "reference"):
        yield finding(
            "bad-variable",
            WARNING,
            f"TINYTENSOR_KERNELS={asked} is neither fast nor reference, and counts as fast",
            f"TINYTENSOR_KERNELS={asked}",
            unset("TINYTENSOR_KERNELS"),
        )
    if report["default_dtype"] not in (None, "float32"):
        yield finding(
            "default-dtype",
            WARNING,
            f"{report['default_dtype']} is the default of floats: NumPy does most of the work then",
            "tt.get_default_dtype() in a new process: something that Python starts with has set it",
            f"{sys.executable} -m site",
            "look for sitecustomize.py and usercustomize.py in its folders, and in them for"
            " set_default_dtype",
        )


@check
def unknown_variables(report: Report) -> Iterator[Finding]:
    for name, value in report["environment"].items():
        if name.startswith("TINYTENSOR_") and name not in VARIABLES:
            near = difflib.get_close_matches(name, VARIABLES, 1)
            meant = f"if it is meant: export {near[0]}={shlex.quote(value)}" if near else None
            yield finding(
                "unknown-variable",
                WARNING,
                f"nothing reads the variable {name}",
                f"{name}={value} is set",
                unset(name),
                meant,
            )


@check
def instruction_set(report: Report) -> Iterator[Finding]:
    isa = report["isa"]
    if not isa["available"]:
        return
    if isa["used"] != isa["available"][-1]:
        yield finding(
            "lower-isa",
            WARNING,
            f"the kernels for {isa['used']} run, and this machine can run those for"
            f" {isa['available'][-1]}",
            f"TINYTENSOR_ISA={isa['forced']}",
            unset("TINYTENSOR_ISA"),
        )
    lacking = [name for name in isa["cpu"] or [] if name not in isa["available"]]
    if lacking:
        noted = report["build"]
        compiler = (noted and noted["compiler"]) or "a compiler that was not noted"
        yield finding(
            "old-compiler",
            WARNING,
            f"this CPU has {lacking[-1]}, and the build has no kernels for it that run here",
            f"/proc/cpuinfo; it was built by {compiler}",
            build(report, anew=True),
            "with a newer compiler: gcc 11 or clang 14 will do",
        )


# --- Threads ---------------------------------------------------------------------------------


@check
def number_of_threads(report: Report) -> Iterator[Finding]:
    threads = report["threads"]
    used, granted, variable = threads["used"], threads["granted"], threads["variable"]
    said = f"{variable}={threads['asked']}"
    if used is None or report["kernels"] != "fast" or variable is None:
        return
    if used < granted:
        yield finding(
            "few-threads",
            WARNING,
            f"{counted(used, 'thread')} at most may work, and {granted} CPUs are granted",
            said,
            f"export TINYTENSOR_NUM_THREADS={granted}",
            f"it counts before {variable}" if variable == "OMP_NUM_THREADS" else None,
        )
    elif used > granted:
        yield finding(
            "many-threads",
            WARNING,
            f"{used} threads share {counted(granted, 'CPU')}, and wait for each other",
            said,
            unset(variable),
        )


@check
def granted_cpus(report: Report) -> Iterator[Finding]:
    threads = report["threads"]
    quota, affinity = threads["quota"], threads["affinity"]
    if quota is not None and quota < affinity:
        yield finding(
            "cpu-quota",
            WARNING,
            f"a quota allows {quota:g} CPUs' worth of time, and there are {affinity} CPUs: so"
            f" {counted(threads['granted'], 'thread')} should work"
            + (", and even one is stopped again and again" if quota < 1 else ""),
            f"the limit of this process's cgroup (version {threads['cgroup']})",
            f"docker run --cpus={affinity} ...",
            "or ask whoever runs the container for more (in Kubernetes: limits.cpu)",
        )
    if affinity < threads["cpus"]:
        yield finding(
            "affinity",
            WARNING,
            f"this process may run on {affinity} of the machine's {threads['cpus']} CPUs",
            "its affinity mask, as taskset, numactl, Slurm or a container sets it",
            f"taskset -c 0-{threads['cpus'] - 1} {built.DOCTOR}",
            "or ask whoever set it, where that is refused",
        )


@check
def busy_machine(report: Report) -> Iterator[Finding]:
    threads, load = report["threads"], report["threads"]["load"]
    if report["limits"] is not None and load is not None and load > threads["cpus"] + 0.5:
        yield finding(
            "busy-machine",
            WARNING,
            "other programs are running: what is measured here is less than the machine can do",
            f"a load of {load:.1f} over the last minute",
            "top",
            "look again when they are done",
        )


# --- The self-test ---------------------------------------------------------------------------


@check
def wrong_kernels(report: Report) -> Iterator[Finding]:
    failures = (report["self_test"] or {"failures": []})["failures"]
    for name in sorted({failure["kernel"] for failure in failures}):
        of_name = [failure for failure in failures if failure["kernel"] == name]
        worst = max(of_name, key=lambda failure: failure["off"])
        isas = [failure["isa"] for failure in of_name]
        others = [isa for isa in report["isa"]["available"] if isa not in isas]
        meanwhile = f"TINYTENSOR_ISA={others[-1]}" if others else "TINYTENSOR_KERNELS=reference"
        yield finding(
            "wrong-kernel",
            BROKEN,
            f"the kernel {name} is wrong on {listed(isas)}: {worst['how']}",
            f"beside its NumPy twin, given {worst['given']}",
            build(report, anew=True),
            f"meanwhile: export {meanwhile}; please report it if it stays",
        )
