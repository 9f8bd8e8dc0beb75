"""Instruction sets: how a process is held to one, and whether a library stays within it.

A variable asks, and a library may not listen. So each library multiplies matrices in its worker,
and its rate is held against the limit of the set's multiply-adds: what is faster runs wider.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

from .machine import Limits

OWN = "own"  # how a report names the set that each library chose itself

# For each set what tinytensor, ATen, oneDNN, MKL, the code that torch.compile generates, OpenBLAS
# and XLA call it. On processors of AMD, MKL takes AVX2 whatever MKL_ENABLE_INSTRUCTIONS says, but
# for MKL_CBWR; its results are then the same on all machines, and its product is one of SSE2.
VARIABLES: dict[str, dict[str, str]] = {
    "baseline": {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "MKL_CBWR": "COMPATIBLE",
        "TORCHINDUCTOR_CPP_MARCH": "x86-64-v2",
        "OPENBLAS_CORETYPE": "Nehalem",
        "XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2",
    },
    "avx2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "TORCHINDUCTOR_CPP_MARCH": "x86-64-v3",
        "OPENBLAS_CORETYPE": "Haswell",
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
    },
    "avx512": {
        "ATEN_CPU_CAPABILITY": "avx512",
        "ONEDNN_MAX_CPU_ISA": "AVX512_CORE",
        "MKL_ENABLE_INSTRUCTIONS": "AVX512",
        "TORCHINDUCTOR_CPP_MARCH": "x86-64-v4",
        "OPENBLAS_CORETYPE": "SkylakeX",
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX512",
    },
}
ADDED = ("XLA_FLAGS", "NPY_DISABLE_CPU_FEATURES")  # to what the caller has there

WITNESSES = ("gemm 256", "conv 8x64x56 to 256, 1x1")  # rows: of a BLAS, and of a library of layers
WITNESS_SECONDS = 0.05
TOLERANCE = 1.05  # a limit is measured, too


@dataclass
class Side:
    """What a library ran on so many threads: what it says, and its best rate of the witnesses."""

    name: str  # of the framework
    threads: int
    says: str
    flops: float  # a second
    isa: str = ""  # what it was held to; "" if it chose

    def share(self, limits: Limits | None) -> float | None:
        return None if limits is None else self.flops / limits.flops

    def is_wider(self, limits: Limits | None) -> bool:
        """Is it faster than the set that it was held to can be?"""
        share = self.share(limits)
        return self.isa != "" and share is not None and share > TOLERANCE


def available() -> tuple[str, ...]:
    """The sets that this machine has, and that all can be asked to take."""
    kernels = import_module("tinytensor.kernels")  # late: this is imported by other frameworks'
    if kernels.active != "fast" or platform.machine() not in ("x86_64", "AMD64"):
        return ()
    known = import_module("tinytensor.kernels._core").available_isas()
    return tuple(isa for isa in known if isa in VARIABLES)


def environment(isa: str, outer: Mapping[str, str]) -> dict[str, str]:
    """The variables that hold a process to a set, where the caller's environment is ``outer``."""
    if not isa:
        return {}
    found = {"TINYTENSOR_ISA": isa, **VARIABLES[isa]}
    if wider := wider_features(isa):
        found["NPY_DISABLE_CPU_FEATURES"] = wider
    for name in ADDED:
        if name in found and outer.get(name):
            found[name] = f"{outer[name]} {found[name]}"  # of a flag given twice, the last counts
    return found


def wider_features(isa: str) -> str:
    """What NumPy's own loops, which choose by the processor, are not to use of this machine."""
    loops = import_module("numpy._core._multiarray_umath")
    has: dict[str, bool] = loops.__cpu_features__
    found = [name for name in loops.__cpu_dispatch__ if has.get(name)]
    if isa != "baseline":
        found = [name for name in found if is_avx512(name) and isa == "avx2"]
    return " ".join(found)


def is_avx512(feature: str) -> bool:
    return feature.startswith("AVX512") or feature == "X86_V4"
