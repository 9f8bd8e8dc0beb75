"""What runs here and on how many threads: ``show_config``, ``set_num_threads``."""

from __future__ import annotations

import platform
import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import numpy as np

from . import engine, kernels
from .version import __version__

_core: Any = import_module("tinytensor.kernels._core") if kernels.active == "fast" else None


def config() -> dict[str, str]:
    """The facts that :func:`show_config` prints, by name."""
    facts = {
        "tinytensor": __version__,
        "engine": "compiled" if engine.compiled else "interpreted",
        "kernels": kernels.active,
        "ISA": "NumPy's",
        "threads": str(get_num_threads()),
        "NumPy": np.__version__,
        "Python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "compiler": "none",
    }
    if _core is not None:
        facts["ISA"] = f"{_core.isa()} (available: {', '.join(_core.available_isas())})"
        facts["compiler"] = _core.compiler
    return facts


def show_config() -> None:
    """Print the version, and which engine, kernels, instruction set and threads are in use.

    ``python -m tinytensor`` prints the same.
    """
    for name, value in config().items():
        print(f"{name:<12}{value}")


def set_num_threads(n: int) -> None:
    """Let at most ``n`` threads work on one kernel, the calling one among them.

    At first they are as many as ``TINYTENSOR_NUM_THREADS`` or ``OMP_NUM_THREADS`` says, or as the
    CPUs that the process was granted. Results do not depend on the number, not in any bit. The
    reference kernels run on NumPy's threads, which this does not touch.
    """
    if n < 1:
        raise ValueError(f"set_num_threads: needs at least 1, got {n}")
    if _core is not None:
        _core.set_num_threads(n)


def get_num_threads() -> int:
    """How many threads may work on one kernel."""
    return _core.get_num_threads() if _core is not None else 1


def _obey_threadpoolctl(threadpoolctl: Any) -> None:
    """Let ``threadpoolctl.threadpool_limits`` set our threads with those of the BLAS libraries."""

    class Controller(threadpoolctl.LibController):
        user_api = "tinytensor"
        internal_api = "tinytensor"
        filename_prefixes = ("_core",)
        check_symbols = ("tt_get_num_threads", "tt_set_num_threads")

        def get_num_threads(self) -> int:
            return get_num_threads()

        def set_num_threads(self, num_threads: int) -> None:
            set_num_threads(num_threads)

        def get_version(self) -> str:

            return __version__

        def set_additional_attributes(self) -> None:
            self.isa = _core.isa()

    threadpoolctl.register(Controller)


class _ThreadpoolctlImport:
    """Waits for an import of threadpoolctl, which would make our own a third longer."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname != "threadpoolctl":
            return None
        from importlib.util import find_spec  # late: seldom needed

        sys.meta_path.remove(self)
        spec = find_spec(fullname)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_register(module: ModuleType) -> None:
                load(module)
                _obey_threadpoolctl(module)

            spec.loader.exec_module = load_and_register  # type: ignore[method-assign]
        return spec


if _core is not None:
    if "threadpoolctl" in sys.modules:
        _obey_threadpoolctl(sys.modules["threadpoolctl"])
    else:
        sys.meta_path.insert(0, _ThreadpoolctlImport())
