"""tinytensor: a small, fast tensor library with automatic differentiation, for CPUs."""

import math as _math
from importlib import import_module as _import_module
from threading import RLock as _RLock
import typing as _typing

from . import built as _built

if _built.asks_for_the_doctor():  # who is needed where what follows cannot be imported
    raise SystemExit(_import_module("tinytensor.debug.doctor").main())

_built.choose()  # compiled code or interpreted, before any of it is imported

# fmt: off
# To type checkers `x as x` says that a name is for users.
from . import engine, errors, fft, kernels, linalg, memory, ops, tensors
from .config import (
    get_num_threads as get_num_threads, set_num_threads as set_num_threads,
    show_config as show_config,
)
from .dtypes import *
from .engine.core import GraphError as GraphError
from .engine.grad import grad as grad
from .engine.grad_mode import (
    enable_grad as enable_grad, is_grad_enabled as is_grad_enabled, no_grad as no_grad,
    set_grad_enabled as set_grad_enabled,
)
from .errors import (
    AnomalyError as AnomalyError, DtypeError as DtypeError, LinAlgError as LinAlgError,
    ShapeError as ShapeError,
)
from .ops import *
from .random import (
    get_rng_state as get_rng_state, manual_seed as manual_seed, set_rng_state as set_rng_state,
)
from .tensors import methods as _methods
from .tensors.creation import *
from .tensors.sampling import *
from .tensors.function import (
    Function as Function, once_differentiable as once_differentiable,
)
from .tensors.namespace_info import (
    ARRAY_API_VERSION as __array_api_version__,
    __array_namespace_info__ as __array_namespace_info__, device as device,
)
from .tensors.tensor import Tensor as Tensor, op as op
from .version import __version__ as __version__
# fmt: on

# The standard's constants.
e, inf, nan, newaxis, pi = _math.e, _math.inf, _math.nan, None, _math.pi

# The rest is imported when it is first asked for: which modules, and which names of which modules.
_MODULES = (
    "data", "debug", "distributed", "distributions", "func", "generation", "io", "models", "nn",
    "onnx", "optim", "scalar", "text", "train", "viz",
)  # fmt: skip
_LATER = dict.fromkeys(_MODULES) | {
    "Generator": "random",
    "accelerator": "tensors.surroundings",
    "autograd": "tensors.surroundings",
    "backends": "tensors.surroundings",
    "bfloat16": "dtypes",  # of a package that need not be there
    "bartlett_window": "tensors.signals",
    "blackman_window": "tensors.signals",
    "cuda": "tensors.surroundings",
    "detect_anomaly": "debug.anomaly",
    "hamming_window": "tensors.signals",
    "hann_window": "tensors.signals",
    "inference_mode": "tensors.surroundings",
    "kaiser_window": "tensors.signals",
    "levels": "debug.levels",
    "load": "io",
    "mps": "tensors.surroundings",
    "profile": "debug.profiling",
    "save": "io",
    "saved_memory": "debug.saved_memory",
    "xpu": "tensors.surroundings",
}

# PyTorch's names of dtypes: no globals, which `from tinytensor import *` would take along.
_DTYPES = {
    "cdouble": "complex128", "cfloat": "complex64", "double": "float64", "float": "float32",
    "half": "float16", "int": "int32", "long": "int64", "short": "int16",
}  # fmt: skip

if _typing.TYPE_CHECKING:
    from . import dtypes as _of

    cdouble, cfloat, double, float = _of.complex128, _of.complex64, _of.float64, _of.float32
    half, int, long, short = _of.float16, _of.int32, _of.int64, _of.int16
    from . import data, debug, distributed, distributions, func, generation, io, models, nn
    from . import onnx, optim, scalar, text, train, viz
    from .debug.anomaly import detect_anomaly as detect_anomaly
    from .debug.levels import levels as levels
    from .debug.profiling import profile as profile
    from .debug.saved_memory import saved_memory as saved_memory
    from .dtypes import bfloat16 as bfloat16
    from .io import load as load, save as save
    from .tensors.signals import (
        bartlett_window as bartlett_window, blackman_window as blackman_window,
        hamming_window as hamming_window, hann_window as hann_window,
        kaiser_window as kaiser_window,
    )  # fmt: skip
    from .random import Generator as Generator
    from .tensors.surroundings import (
        accelerator as accelerator, autograd as autograd, backends as backends, cuda as cuda,
        inference_mode as inference_mode, mps as mps, xpu as xpu,
    )  # fmt: skip

    class utils:
        """PyTorch's place of ``data``."""

        data = data
else:
    # One thread at a time: another would find a package half imported, and its modules not at all.
    _importing = _RLock()

    def __getattr__(name):
        if name in _DTYPES:
            return globals()[_DTYPES[name]]
        if name == "utils":
            from types import SimpleNamespace

            return SimpleNamespace(data=_import_module(f"{__name__}.data"))
        if name not in _LATER:
            from .ops.ways import missing

            raise missing(__name__, name)
        with _importing:
            if _LATER[name] is None:
                return _import_module(f"{__name__}.{name}")
            return getattr(_import_module(f"{__name__}.{_LATER[name]}"), name)


def __dir__() -> list[str]:
    names = {*globals(), *_LATER} - {"bfloat16", "built", "decorating"}
    return sorted(name for name in names if name[0] != "_" or name[:2] == "__")
