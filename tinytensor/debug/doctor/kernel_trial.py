"""The self-test: every kernel beside its NumPy twin, on every instruction set of the machine."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import numpy as np

from ... import built, kernels
from ...kernels import decoders, reference
from ...kernels.reference import decoding
from .kernel_calls import calls

# What may lie between the two, in parts of the largest number: sums are taken in other orders.
ALLOWED = {"float32": 5e-5, "float64": 1e-12}


Kernel = Callable[..., Any]


def pairs() -> dict[str, tuple[Kernel, Kernel]]:
    """The kernels that are not NumPy's here, each with its twin."""
    names = vars(reference)["__all__"]
    found = {name: (getattr(kernels, name), getattr(reference, name)) for name in names}
    found["DecoderSteps"] = decoders.DecoderSteps, decoding.DecoderSteps
    return {name: pair for name, pair in found.items() if pair[0] is not pair[1]}


def run(begin: Callable[[str, str], None] = lambda isa, kernel: None) -> dict[str, Any] | None:
    """How far kernels are off; None where NumPy computes alone.

    ``begin`` is told of each instruction set and kernel before it runs: it may crash.
    """
    if kernels.active == "reference":
        return None
    start, core = perf_counter(), built.module("tinytensor.kernels._core")
    # A twin computes once: neither it nor the arguments depend on an instruction set.
    tried = pairs()
    made = [(name, args, outcome(tried[name][1], args)) for name, args in calls() if name in tried]
    failures: list[dict[str, Any]] = []
    before = core.isa()
    try:
        for isa in core.available_isas():
            core.use_isa(isa)
            failed: dict[str, dict[str, Any]] = {}
            for name, args, expected in made:
                begin(isa, name)
                got = outcome(tried[name][0], args)
                found = difference(got, expected, ALLOWED[_precision(args)])
                if found is not None and found["off"] >= failed.get(name, found)["off"]:
                    failed[name] = {"kernel": name, "isa": isa, **found, "given": _shown(args)}
            failures += failed.values()
    finally:
        core.use_isa(before)
    return {
        "seconds": perf_counter() - start,
        "kernels": len({name for name, _, _ in made}),
        "calls": len(made),
        "isas": list(core.available_isas()),
        "failures": failures,
    }


def outcome(kernel: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """What a call gives, and its arguments afterwards: some are changed in place."""
    args = copy.deepcopy(args)
    with np.errstate(all="ignore"):
        try:
            if isinstance(kernel, type):  # what is made first, and then called
                return kernel(*args[0])(*args[1:]), args
            return kernel(*args), args
        except Exception as error:
            return f"{type(error).__name__}: {error}", None


def _precision(args: Any) -> str:
    """The dtype of the first floats: sums of them in more digits have not more that are right."""
    for arg in args:
        dtype = _precision(arg) if isinstance(arg, list | tuple) else str(getattr(arg, "dtype", ""))
        if dtype in ALLOWED:
            return dtype
    return "float32"


UNLIKE = float(np.finfo(np.float64).max)  # JSON has no infinity


def difference(got: Any, expected: Any, allowed: float) -> dict[str, Any] | None:
    """The largest error that is not allowed, if any: ``off``, in parts of the largest number
    (UNLIKE: not even NaNs, shapes or whole numbers are the same), and how a reader is told."""
    found = list(_differences(got, expected, allowed))
    return max(found, key=lambda error: error["off"], default=None)


def _differences(got: Any, expected: Any, allowed: float) -> Iterator[dict[str, Any]]:
    if isinstance(expected, list | tuple):
        if not isinstance(got, list | tuple) or len(got) != len(expected):
            yield {"off": UNLIKE, "how": f"gives {_kind(got)}, NumPy {_kind(expected)}"}
            return
        for a, b in zip(got, expected, strict=True):
            yield from _differences(a, b, allowed)
    elif isinstance(expected, np.ndarray | np.generic | float):
        a, b = np.asarray(got), np.asarray(expected)
        if (a.shape, a.dtype) != (b.shape, b.dtype):
            yield {"off": UNLIKE, "how": f"gives {_kind(got)}, NumPy {_kind(expected)}"}
        elif b.dtype.kind == "f":
            yield from _of_floats(a, b, allowed)
        elif wrong := int((a != b).sum()):
            yield {"off": UNLIKE, "how": f"{wrong} of {b.size} elements differ"}
    elif got != expected:
        yield {"off": UNLIKE, "how": f"gives {_kind(got)}, NumPy {_kind(expected)}"}


def _of_floats(a: np.ndarray, b: np.ndarray, allowed: float) -> Iterator[dict[str, Any]]:
    if a.tobytes() == b.tobytes():
        return
    finite = np.isfinite(b)
    if (
        not np.array_equal(a[~finite], b[~finite], equal_nan=True)
        or not np.isfinite(a[finite]).all()
    ):
        yield {"off": UNLIKE, "how": "NaN or infinity stand elsewhere"}
        return
    wide_a, wide_b = a[finite].astype(np.longdouble), b[finite].astype(np.longdouble)
    largest = float(abs(wide_b).max(initial=np.finfo(b.dtype).tiny))
    off = float(abs(wide_a - wide_b).max(initial=0)) / largest
    if off > allowed:
        yield {"off": off, "how": f"off by {off:.1e} of the largest, {allowed:.0e} is allowed"}


def _kind(value: Any) -> str:
    if isinstance(value, np.ndarray | np.generic):
        return f"{value.dtype} {value.shape}"
    return f"{value!r:.80}"


def _shown(args: tuple[Any, ...]) -> str:
    return ", ".join(map(_kind, args))[:160]
