"""The kernels: for each name the fast version where one is built, otherwise its twin in NumPy.

``TINYTENSOR_KERNELS=reference`` takes the twins alone, ``TINYTENSOR_ISA`` an instruction set other
than the machine's best, ``TINYTENSOR_NUM_THREADS`` a number of threads, ``TINYTENSOR_CACHES``
sizes of the caches that work is cut for.
"""

from __future__ import annotations

import os
import sys
import warnings

from .. import built
from . import cpus, reference
from .reference import *

# The modules of Cython kernels. Each lists in __all__ what it replaces of the twins in the file of
# its name in reference/.
FAST_MODULES = (
    "spec",
    "copies",
    "maps",
    "reduction",
    "gemm",
    "conv",
    "pooling",
    "softmax",
    "losses",
    "ctc",
    "norm",
    "attention",
    "embedding",
    "dropout",
    "rotary",
    "gated",
    "cells",
    "recurrent",
    "optim",
    "packed",
)

active = "reference"


def _take_fast_kernels() -> None:
    global active
    if built.wants_reference():
        return
    core = built.module(f"{__name__}._core")
    if core is None:
        warnings.warn(
            "tinytensor's fast kernels are not built: NumPy does the work. "
            "To build them, with gcc or clang and the headers of Python: pip install -e . "
            f"(or python setup.py build_ext --inplace). Why it is so: {built.DOCTOR}",
            RuntimeWarning,
            stacklevel=2,
        )
        return
    core.use_isa(os.environ.get("TINYTENSOR_ISA") or None)
    core.set_num_threads(cpus.default_num_threads())
    core.use_caches(*cpus.cache_sizes())
    for module_name in FAST_MODULES:
        module = built.module(f"{__name__}.{module_name}")
        twins = sys.modules[f"{reference.__name__}.{module_name}"].__all__
        for name in () if module is None else module.__all__:
            assert name in twins, f"{module_name}.{name} has no twin in reference/{module_name}.py"
            globals()[name] = getattr(module, name)
    active = "fast"


try:
    _take_fast_kernels()
except Exception as error:
    error.add_note(f"What is wrong here, and what to do: {built.DOCTOR}")
    raise
