"""tinytensor: a small, fast tensor library with automatic differentiation, for CPUs."""

import importlib.util as _importlib_util
import math as _math
import os as _os
import sys as _sys
from pathlib import Path as _Path

from . import built as _built


def _run_interpreted(*names: str) -> None:
    """Load modules from their .py files although compiled ones lie beside them."""
    for name in names:
        path = _Path(__file__).with_name(f"{name}.py")
        spec = _importlib_util.spec_from_file_location(f"{__name__}.{name}", path)
        assert spec is not None
        assert spec.loader is not None
        module = _sys.modules[spec.name] = _importlib_util.module_from_spec(spec)
        spec.loader.exec_module(module)


_pure = _os.environ.get("TINYTENSOR_PURE", "0") not in ("", "0")
_built.refuse_changed_sources(
    engine=not _pure, kernels=_os.environ.get("TINYTENSOR_KERNELS", "fast") != "reference"
)
if _pure:
    _run_interpreted("plan", "engine", "operation", "operators")

from . import errors, fft, func, io, linalg, memory, nn, ops, optim
from .anomaly import detect_anomaly
from .config import get_num_threads, set_num_threads, show_config
from .creation import *
from .dtypes import *
from .engine import GraphError
from .errors import AnomalyError, DtypeError, LinAlgError, ShapeError
from .function import Function, once_differentiable
from .grad_mode import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from .gradients import grad
from .inspection import ARRAY_API_VERSION as __array_api_version__
from .inspection import __array_namespace_info__
from .io import load, save
from .ledger import saved_memory
from .ops import *
from .random import get_rng_state, manual_seed, set_rng_state
from .tensor import Tensor, op

__version__ = "0.1.0"

# The standard's constants.
e, inf, nan, newaxis, pi = _math.e, _math.inf, _math.nan, None, _math.pi


def __getattr__(name: str) -> object:
    if name == "bfloat16":  # of a package that need not be there
        from . import dtypes

        return dtypes.bfloat16
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
