"""The build: the C kernels once for each instruction set, the Cython modules, the engine.

What is made, C of Cython and objects of C, has its key beside it: a checksum of all that it was
made from, the files that it names directly or through others, the flags and the versions of the
tools. What has the right key is not made again, whatever the clocks say, and nothing is made for
metadata. Everything else about the package is in pyproject.toml.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import runpy
import subprocess
import sys
import sysconfig
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError

PACKAGE, CSRC = Path("tinytensor"), Path("csrc")
CORE_SOURCES = ["csrc/buffers.c", "csrc/dispatch.c", "csrc/threads.c"]
MADE_C = Path("build/cython")
ABI = PACKAGE / "kernels" / "abi.pxd"
BUILT = PACKAGE / "built.txt"  # see tinytensor/built.py
JOBS = os.cpu_count() or 1


def machine_of(platform_tag: str, here: str) -> str:
    """The machine to build for: the platform's, which may be another than this one.

    Python for macOS may be for both of Apple's; kernels are for one, and that is this one.
    """
    machine = platform_tag.rpartition("-")[2]
    return here if machine == "universal2" else machine


MACHINE = machine_of(sysconfig.get_platform(), platform.machine())
if sysconfig.get_platform().endswith("-universal2"):  # asked at each call: the wheel's name, too
    os.environ["_PYTHON_HOST_PLATFORM"] = sysconfig.get_platform()[: -len("universal2")] + MACHINE
MADE_KERNELS = Path("build") / f"{sysconfig.get_platform()}-csrc"  # for any Python
MADE_OBJECTS = Path("build") / f"{sysconfig.get_platform()}-{sys.implementation.cache_tag}"

DIRECTIVES = {
    "language_level": "3",
    "freethreading_compatible": True,
    "annotation_typing": False,  # the engine's C types are in its .pxd alone
}

# -fno-math-errno lets sqrt be one instruction. Never -ffast-math: inf and NaN are NumPy's.
COMMON = ["-std=c11", "-D_GNU_SOURCE", "-g0", "-ffp-contract=fast", "-fno-math-errno", "-fPIC"]
COMMON += ["-Wall", "-Wextra"]
# TINYTENSOR_SANITIZE=1: a build that stops at bad memory accesses and at undefined behaviour;
# TINYTENSOR_SANITIZE=thread: one that tells of races between threads.
SANITIZERS = {
    "1": ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
    "thread": ["-fsanitize=thread"],
}
MODULES, KERNELS = ["-O2"], ["-O3"]
SANITIZE = []
if (sanitizer := os.environ.get("TINYTENSOR_SANITIZE", "0")) not in ("", "0"):
    if sanitizer not in SANITIZERS:
        raise SystemExit(f"TINYTENSOR_SANITIZE={sanitizer}: there are {', '.join(SANITIZERS)}")
    SANITIZE = SANITIZERS[sanitizer]
    COMMON += [*SANITIZE, "-fno-omit-frame-pointer", "-g1"]
    # Checks of every access leave an optimizer little: with more, and with the debugging
    # information of variables, the compiler takes three times as long.
    MODULES = KERNELS = ["-O1"]

# Hot loops begin with a cache line. Otherwise a change anywhere in a file moves all the others,
# and some by a tenth of their time.
ALIGNED = ["-falign-functions=64", "-falign-loops=64"]
# Only these files are compiled for more than the plainest machine.
ISA_FLAGS = {
    "baseline": [],
    "avx2": ["-mavx2", "-mfma", "-mf16c", "-mbmi2", "-mprfchw"],
    "avx512": [
        f"-m{f}" for f in ("avx512f", "avx512bw", "avx512dq", "avx512vl", "fma", "bmi2", "prfchw")
    ],
    "neon": [],
}
if MACHINE in ("x86_64", "amd64"):
    ISAS = ["baseline", "avx2", "avx512"]
elif MACHINE in ("arm64", "aarch64"):
    ISAS = ["baseline", "neon"]
else:
    ISAS = ["baseline"]

NO_COMPILER = """
tinytensor's kernels and engine are C and Cython, and {lack}. It needs gcc or clang,
and the headers of Python:

    Debian, Ubuntu   apt install gcc python3-dev
    Fedora           dnf install gcc python3-devel
    Alpine           apk add gcc musl-dev python3-dev
    macOS            xcode-select --install

{then}
"""


# --- What a file is made from ----------------------------------------------------------------

CIMPORT_FROM = re.compile(r"^[ \t]*from[ \t]+([\w.]+)[ \t]+cimport[ \t]*(\([^)]*\)|[^\n]*)", re.M)
CIMPORT = re.compile(r"^[ \t]*cimport[ \t]+([^\n]*)", re.M)
INCLUDE = re.compile(r"^[ \t]*(?:#[ \t]*)?include[ \t]*[\"']([^\"'\n]+)[\"']", re.M)


def cimported(path: Path, text: str) -> Iterator[Path]:
    """Where the .pxd files that a Cython source cimports may be.

    Cython's own list lacks what `from package cimport a, b` names.
    """
    text = re.sub(r"#[^\n]*", "", text).replace("\\\n", " ")
    modules = [name for names in CIMPORT.findall(text) for name in names.split(",")]
    for module, names in CIMPORT_FROM.findall(text):
        modules.append(module)
        dot = "" if module.endswith(".") else "."
        modules += [f"{module}{dot}{name.strip()}" for name in names.strip("()").split(",")]
    for module in modules:
        if not module.strip():  # behind a last comma
            continue
        name = module.split()[0]  # without `as …`
        inside = name.lstrip(".")
        bases = [path.parents[len(name) - len(inside) - 1]]
        if inside == name:
            bases = [Path(), path.parent]
        for base in bases:
            at = base.joinpath(*inside.split(".")) if inside else base
            yield from (at.with_suffix(".pxd"), at / "__init__.pxd")


def named_by(path: Path) -> Iterator[Path]:
    """The files of this tree that a source includes or cimports."""
    text = path.read_text(encoding="utf-8")
    found = [path.parent / name for name in INCLUDE.findall(text)]
    if path.suffix in (".c", ".h"):
        found += [CSRC / name for name in INCLUDE.findall(text)]
    else:
        found += [path.with_suffix(".pxd"), *cimported(path, text)]
    for file in found:
        if file.is_file() and file != path:
            yield Path(os.path.normpath(file))


def closure(source: Path) -> list[Path]:
    """A source and all that it names, directly or through others."""
    seen, waiting = {source}, [source]
    while waiting:
        for path in named_by(waiting.pop()):
            if path not in seen:
                seen.add(path)
                waiting.append(path)
    return sorted(seen)


def key_of(files: Iterable[Path], *rest: object) -> str:
    """A checksum of files and of whatever else counts."""
    checksum = hashlib.blake2b(repr(rest).encode(), digest_size=16)
    for path in files:
        checksum.update(f"\n{path}\n".encode() + path.read_bytes())
    return checksum.hexdigest()


def key_file(made: Path) -> Path:
    return made.with_name(made.name + ".key")


def is_made(made: Path, key: str) -> bool:
    return made.exists() and key_file(made).exists() and key_file(made).read_text() == key


def make(made: Path, key: str, how: Callable[[], object]) -> Path:
    """The file ``made``, by ``how`` unless it has its key, which a making that failed has not."""
    if not is_made(made, key):
        key_file(made).unlink(missing_ok=True)
        made.parent.mkdir(parents=True, exist_ok=True)
        how()
        key_file(made).write_text(key)
    return made


# --- C of Cython -----------------------------------------------------------------------------


def cython_sources() -> list[Path]:
    """The modules: Cython's, and the Python that .pxd files beside it give C types."""
    typed = (path.with_suffix(".py") for path in PACKAGE.rglob("*.pxd"))
    return sorted([*PACKAGE.rglob("*.pyx"), *(path for path in typed if path.exists())])


def make_c(
    sources: Sequence[Path], cythonize: Callable | None = None, anew: bool = False
) -> dict[Path, Path]:
    """The C files of Cython sources; those are made whose sources changed, or all ``anew``."""
    from Cython import __version__ as version

    c_files = {source: MADE_C / source.with_suffix(".c") for source in sources}
    keys = {source: key_of(closure(source), DIRECTIVES, version) for source in sources}
    stale = [path for path in sources if anew or not is_made(c_files[path], keys[path])]
    if stale:
        if cythonize is None:
            from Cython.Build import cythonize
        for source in stale:
            key_file(c_files[source]).unlink(missing_ok=True)
        cythonize(
            [Extension(module_name(source), [str(source)]) for source in stale],
            build_dir=str(MADE_C),
            force=True,
            nthreads=JOBS if sys.platform == "linux" else 0,
            compiler_directives=DIRECTIVES,
            include_path=["."],
        )
        for source in stale:
            key_file(c_files[source]).write_text(keys[source])
    return c_files


def module_name(source: Path) -> str:
    return ".".join(source.with_suffix("").parts)


# --- The compiler ----------------------------------------------------------------------------


def for_one_machine(command: Sequence[str]) -> list[str]:
    """A compiler's command of Python for macOS, which may name two machines, with one."""
    flags = list(command)
    while "-arch" in flags:
        at = flags.index("-arch")
        del flags[at : at + 2]
    return [*flags, "-arch", MACHINE] if "-arch" in command else flags


def lacking(command: Sequence[str] | None, include_dirs: Sequence[str]) -> str | None:
    """What is missing to compile C for Python, if anything."""
    if command is None:
        return "this system's compiler is none that it knows"

    def compiles(text: str) -> bool:
        try:
            done = subprocess.run(
                [
                    *command,
                    *(f"-I{path}" for path in include_dirs),
                    *("-x", "c", "-fsyntax-only", "-"),
                ],
                input=text,
                capture_output=True,
                text=True,
            )
        except OSError:
            return False
        return done.returncode == 0

    if not compiles("#include <stdint.h>\n#include <stdlib.h>\n"):
        return f"there is no working C compiler ({command[0]})"
    if not compiles("#include <Python.h>\n"):
        return "the headers of Python (Python.h) are not here"
    return None


class BuildExt(build_ext):
    """build_ext that makes what has changed, on all CPUs, or does without a compiler."""

    def build_extensions(self) -> None:
        import numpy

        for name in ("compiler_so", "linker_so"):
            if getattr(self.compiler, name, None):
                setattr(self.compiler, name, for_one_machine(getattr(self.compiler, name)))
        command = getattr(self.compiler, "compiler_so", None)
        lack = lacking(command, self.compiler.include_dirs)
        if lack:
            self.do_without(lack)
            return
        # Cython learns the C ABI from the header itself.
        runpy.run_path(str(CSRC / "abi.py"))["write"](CSRC / "tinytensor.h", ABI)
        files = sorted({*CSRC.rglob("*.[ch]"), *PACKAGE.rglob("*.px[dy]"), *cython_sources()})
        built = "".join(f"{line_of(path)}\n" for path in files)  # as they are before the build
        self.include = ["csrc", numpy.get_include()]
        self.versions = (sys.version, numpy.__version__, version_of(command))
        built = notes(numpy.__version__, self.versions[2], command) + built
        sources = [Path(ext.sources[0]) for ext in self.extensions]
        made = make_c(sources, anew=self.force)
        units: list[tuple[Path, list[str]]] = []
        for ext in self.extensions:
            ext.sources[0] = str(made[Path(ext.sources[0])])
            units += [(Path(source), MODULES) for source in ext.sources]
        # The longest first, so that no CPU is left alone with one at the end.
        units.sort(key=lambda unit: -unit[0].stat().st_size)
        isas = [
            (CSRC / "isa" / f"{isa}.c", [*KERNELS, *ALIGNED, *ISA_FLAGS[isa]])
            for isa in reversed(ISAS)
        ]
        units = isas + units
        with ThreadPoolExecutor(self.parallel or JOBS) as pool:
            objects = dict(pool.map(self.make_object, units))
            list(pool.map(lambda ext: self.make_module(ext, objects), self.extensions))
        (Path(self.build_lib) / BUILT).write_text(built)

    def make_object(self, unit: tuple[Path, list[str]]) -> tuple[Path, Path]:
        source, flags = unit
        flags = [*COMMON, *flags]
        of_python = CSRC not in source.parents
        folder = MADE_OBJECTS if of_python else MADE_KERNELS
        made = folder / source.with_suffix(".o")
        versions = self.versions if of_python else self.versions[-1:]
        key = key_of(closure(source), self.compiler.compiler_so, flags, versions)
        macros = [("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")]
        if self.force:
            key_file(made).unlink(missing_ok=True)
        return source, make(
            made,
            key,
            lambda: self.compiler.compile(
                [str(source)],
                output_dir=str(folder),
                macros=macros,
                include_dirs=self.include if of_python else ["csrc"],
                extra_postargs=flags,
            ),
        )

    def make_module(self, ext: Extension, objects: dict[Path, Path]) -> None:
        parts = [objects[Path(source)] for source in ext.sources]
        if ext.name.endswith("._core"):
            parts += [objects[CSRC / "isa" / f"{isa}.c"] for isa in ISAS]
        made = MADE_OBJECTS / self.get_ext_filename(ext.name)
        flags = ["-pthread", *SANITIZE]
        key = key_of(map(key_file, parts), self.compiler.linker_so, flags)
        make(
            made,
            key,
            lambda: self.compiler.link_shared_object(
                [str(part) for part in parts], str(made), extra_postargs=flags
            ),
        )
        target = Path(self.get_ext_fullpath(ext.name))
        target.parent.mkdir(parents=True, exist_ok=True)
        self.copy_file(str(made), str(target))

    def do_without(self, lack: str) -> None:
        """No compiler: NumPy does the work, unless somebody asked for the kernels."""
        asked = os.environ.get("TINYTENSOR_REQUIRE_KERNELS", "0") not in ("", "0")
        if asked or "build_ext" in sys.argv:
            raise CompileError(NO_COMPILER.format(lack=lack, then="Nothing was built."))
        then = (
            "Going on without: NumPy does the work, slower. (TINYTENSOR_REQUIRE_KERNELS=1: stop.)"
        )
        print(NO_COMPILER.format(lack=lack, then=then), file=sys.stderr)
        self.extensions = []

    def copy_extensions_to_source(self) -> None:
        super().copy_extensions_to_source()
        if self.extensions:
            self.copy_file(str(Path(self.build_lib) / BUILT), str(BUILT))

    def get_outputs(self) -> list[str]:
        return [*super().get_outputs(), str(Path(self.build_lib) / BUILT)]


def line_of(path: Path) -> str:
    """What built.txt says of a source: checksum, size, time, name."""
    state = path.stat()
    crc = zlib.crc32(path.read_bytes())
    return f"{crc:08x} {state.st_size} {state.st_mtime_ns} {path.as_posix()}"


def notes(numpy: str, compiler: str, command: Sequence[str]) -> str:
    """What built.txt says of the build, for ``python -m tinytensor doctor``."""
    noted = {
        "version": runpy.run_path(str(PACKAGE / "version.py"))["__version__"],
        "python": platform.python_version(),
        "numpy": numpy,
        "compiler": (compiler.splitlines() or ["unknown"])[0],
        "flags": " ".join(flag for flag in (*command, *COMMON, "-O3", *ALIGNED) if flag[0] == "-"),
    }
    return "".join(f"# {name} {value}\n" for name, value in noted.items())


def version_of(command: Sequence[str]) -> str:
    done = subprocess.run([*command, "--version"], capture_output=True, text=True)
    return done.stdout


def extensions() -> list[Extension]:
    return [
        Extension(
            module_name(source),
            [str(source), *(CORE_SOURCES if source.stem == "_core" else [])],
        )
        for source in cython_sources()
    ]


if __name__ == "__main__":
    setup(ext_modules=extensions(), cmdclass={"build_ext": BuildExt})
