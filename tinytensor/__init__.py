"""tinytensor: a small, fast tensor library with automatic differentiation, for CPUs."""

import importlib.util as _importlib_util
import math as _math
import os as _os
import sys as _sys
from importlib.machinery import ModuleSpec as _ModuleSpec
from pathlib import Path as _Path

from . import built as _built


class _Interpreted:
    """Finds the .py file of a module that a .pxd file lets be compiled."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> _ModuleSpec | None:
        package, *parts = name.split(".")
        file = _Path(__file__).parent.joinpath(*parts).with_suffix(".py")
        if package != __name__ or not (file.exists() and file.with_suffix(".pxd").exists()):
            return None
        return _importlib_util.spec_from_file_location(name, file)


_pure = _os.environ.get("TINYTENSOR_PURE", "0") not in ("", "0")
_built.refuse_changed_sources(
    engine=not _pure, kernels=_os.environ.get("TINYTENSOR_KERNELS", "fast") != "reference"
)
if _pure:
    _sys.meta_path.insert(0, _Interpreted)

from . import errors, fft, func, io, linalg, memory, nn, ops, optim
from .config import get_num_threads, set_num_threads, show_config
from .debug.anomaly import detect_anomaly
from .debug.saved_memory import saved_memory
from .dtypes import *
from .engine.core import GraphError
from .engine.grad import grad
from .engine.grad_mode import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from .errors import AnomalyError, DtypeError, LinAlgError, ShapeError
from .io import load, save
from .ops import *
from .random import get_rng_state, manual_seed, set_rng_state
from .tensors.creation import *
from .tensors.function import Function, once_differentiable
from .tensors.namespace_info import ARRAY_API_VERSION as __array_api_version__
from .tensors.namespace_info import __array_namespace_info__
from .tensors.tensor import Tensor, op
from .version import __version__

# The standard's constants.
e, inf, nan, newaxis, pi = _math.e, _math.inf, _math.nan, None, _math.pi


def __getattr__(name: str) -> object:
    if name == "bfloat16":  # of a package that need not be there
        from . import dtypes

        return dtypes.bfloat16
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
