"""The build: the C kernels once for each instruction set, the Cython modules, the engine.

Everything else about the package is in pyproject.toml.
"""

from __future__ import annotations

import os
import platform
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

PACKAGE = Path("tinytensor")
CORE_SOURCES = ["csrc/buffers.c", "csrc/dispatch.c", "csrc/threads.c"]
BUILD_DIR = "build/cython"
JOBS = os.cpu_count() or 1

# What a build takes the layout of structs from. _core keeps the checksum of these files, and an
# import beside them compares it: see stale() in tinytensor/kernels/__init__.py.
LAYOUTS = [Path("csrc/tinytensor.h"), *sorted((PACKAGE / "kernels").glob("*.pxd"))]
LAYOUT = zlib.crc32(b"".join(path.read_bytes() for path in LAYOUTS))

# -fno-math-errno lets sqrt be one instruction. Never -ffast-math: inf and NaN are NumPy's.
COMMON = ["-std=c11", "-D_GNU_SOURCE", "-g0", "-ffp-contract=fast", "-fno-math-errno", "-fPIC"]
OPTIMISE = [*COMMON, "-O3"]
WARN = ["-Wall", "-Wextra"]
# TINYTENSOR_SANITIZE=1: a build that stops at bad memory accesses and at undefined behaviour.
SANITIZE = []
if os.environ.get("TINYTENSOR_SANITIZE", "0") not in ("", "0"):
    SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    OPTIMISE += [*SANITIZE, "-fno-omit-frame-pointer", "-g"]

# Only these files are compiled for more than the plainest machine.
ISA_FLAGS = {
    "baseline": [],
    "avx2": ["-mavx2", "-mfma", "-mbmi2", "-mprfchw"],
    "avx512": [
        f"-m{f}" for f in ("avx512f", "avx512bw", "avx512dq", "avx512vl", "fma", "bmi2", "prfchw")
    ],
    "neon": [],
}
if platform.machine() in ("x86_64", "AMD64"):
    ISAS = ["baseline", "avx2", "avx512"]
elif platform.machine() in ("arm64", "aarch64"):
    ISAS = ["baseline", "neon"]
else:
    ISAS = ["baseline"]


class BuildExt(build_ext):
    """build_ext that compiles in parallel, and each isa/<name>.c with flags of its own."""

    def finalize_options(self) -> None:
        super().finalize_options()
        self.parallel = self.parallel or JOBS

    def build_extensions(self) -> None:
        headers = [str(path) for path in Path("csrc").rglob("*.h")]
        core = next(ext for ext in self.extensions if ext.name == "tinytensor.kernels._core")
        core.depends += [*headers, *(f"csrc/isa/{isa}.c" for isa in ISAS)]
        with ThreadPoolExecutor(JOBS) as pool:
            core.extra_objects = [obj for objs in pool.map(self.compile_isa, ISAS) for obj in objs]
        super().build_extensions()

    def compile_isa(self, isa: str) -> list[str]:
        return self.compiler.compile(
            [f"csrc/isa/{isa}.c"],
            output_dir=self.build_temp,
            extra_postargs=[*OPTIMISE, *WARN, *ISA_FLAGS[isa]],
        )


def extension(source: Path, c_sources: list[str]) -> Extension:
    return Extension(
        ".".join(source.with_suffix("").parts),
        [str(source), *c_sources],
        include_dirs=["csrc", numpy.get_include()],
        define_macros=[
            ("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"),
            ("TT_LAYOUT", f"{LAYOUT}u"),
        ],
        depends=[str(path) for path in LAYOUTS],
        # The hot loops are in csrc/isa; more than -O2 would only make the build slower here.
        extra_compile_args=[*COMMON, "-O2", *WARN],
        extra_link_args=["-pthread", *SANITIZE],
    )


def extensions() -> list[Extension]:
    found = []
    for source in sorted((PACKAGE / "kernels").glob("*.pyx")):
        core = source.stem == "_core"
        found.append(extension(source, CORE_SOURCES if core else []))
    # The engine is Python that its .pxd files give C types.
    found += [extension(types.with_suffix(".py"), []) for types in sorted(PACKAGE.glob("*.pxd"))]
    return found


def types_changed(build_dir: str) -> bool:
    """Has a .pxd changed since C was made of the modules? Cython does not follow all cimports."""
    made = [path.stat().st_mtime for path in Path(build_dir).rglob("*.c")]
    return bool(made) and min(made) < max(path.stat().st_mtime for path in PACKAGE.rglob("*.pxd"))


setup(
    ext_modules=cythonize(
        extensions(),
        build_dir=BUILD_DIR,
        force=types_changed(BUILD_DIR),
        nthreads=JOBS if sys.platform == "linux" else 0,
        compiler_directives={
            "language_level": "3",
            "freethreading_compatible": True,
            "annotation_typing": False,  # the engine's C types are in its .pxd alone
        },
        include_path=["."],
    ),
    cmdclass={"build_ext": BuildExt},
)
