"""What calls of modules say: that inputs do not fit, and where in a model an error was raised."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import signature
from typing import Any

import numpy as np

from ..dtypes import is_floating
from ..errors import DtypeError, a_kind_of
from ..tensors.tensor import Tensor


def check_inputs(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """An error for inputs of another floating dtype than the module's parameters and buffers."""
    kind = type(module).__name__
    if args and _is_output_and_state(args[0]):
        raise TypeError(f"{kind}: {_advice(args[0])}")
    own = getattr(getattr(module, module._dtype_of, None), "dtype", None)
    if own is None:  # of another parameter, or of a buffer
        tensors = (x.dtype for x in vars(module).values() if isinstance(x, Tensor))
        own = next(filter(is_floating, tensors), None)
    if own is None or all(_fits(value, own) for value in (*args, *kwargs.values())):
        return
    for path, dtype in _dtypes([*args, kwargs]):
        if is_floating(dtype) and dtype != own:
            first, *rest = path
            if first < len(args):
                names = [*signature(module.forward).parameters]
                name = names[first] if first < len(names) else "an argument"
            else:
                name, *rest = rest
            if name in module._integers:  # forward says so
                continue
            name = "".join([name, *(f"[{i}]" for i in rest)])
            raise DtypeError(
                f"{kind}: {name} is {dtype}, and the parameters are {own}: cast one of them, by"
                f" {name}.astype('{own}') or by layer.to('{dtype}')"
            )


def _fits(value: Any, own: np.dtype) -> bool:
    """Whether all arrays are of this dtype, or not of floating point."""
    if isinstance(value, Tensor | np.ndarray):
        return value.dtype is own or value.dtype == own or not is_floating(value.dtype)
    return not isinstance(value, tuple | list) or all(_fits(item, own) for item in value)


def _dtypes(value: Any) -> Iterator[tuple[tuple[Any, ...], np.dtype]]:
    """The dtypes of all arrays in tuples, lists and dicts, each with its path there."""
    if isinstance(value, Tensor | np.ndarray):
        yield (), value.dtype
    elif isinstance(value, tuple | list | dict):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            for path, dtype in _dtypes(item):
                yield (key, *path), dtype


def _is_output_and_state(value: Any) -> bool:
    """Whether tensors come in a plain tuple or list, as from a recurrent layer."""
    return type(value) in (tuple, list) and any(isinstance(x, Tensor) for x in value)


def _advice(value: Any) -> str:
    return (
        f"the input is {a_kind_of(value)} of {len(value)}, not a tensor; LSTM, GRU and RNN"
        " return (output, state), MultiheadAttention (output, weights): pass on output, its first"
        " item"
    )


class _Place:
    """Where an error was raised: a module, and its path in the outermost one it has left so far."""

    note = ""

    def __init__(self, module: Any) -> None:
        self.innermost = self.outermost = module
        self.path = ""

    def __reduce__(self) -> Any:  # a pickled error goes without its model
        return type(None), ()


def locate(module: Any, error: Exception, args: tuple[Any, ...]) -> None:
    """Note on ``error``, which leaves a call of ``module``, the path of the layer that raised it.

    Each module on the way out puts its own part in front, so that there is one note.
    """
    place = getattr(error, "_place", None)
    if place is None:
        try:
            error._place = _Place(module)  # type: ignore[attr-defined]
        except AttributeError:  # an error with __slots__
            return
        if args and _is_output_and_state(args[0]) and "(output, state)" not in str(error):
            error.add_note(f"({_advice(args[0])})")
        return
    path = _path(module, place.outermost)
    if not path:  # the same module, or one that is no part of it
        return
    place.outermost = module
    place.path = f"{path}.{place.path}" if place.path else path
    note = f"(in {_named(module, place.path, place.innermost)})"
    if place.note in getattr(error, "__notes__", ()):
        error.__notes__[error.__notes__.index(place.note)] = note
    else:
        error.add_note(note)
    place.note = note


def place_in(outermost: Any, module: Any) -> str:
    """Where ``module`` stands in another one, such as "Sequential.0, a Linear"; its class, where
    it does not."""
    path = _path(outermost, module)
    return _named(outermost, path, module) if path else type(module).__name__


def _path(outermost: Any, module: Any) -> str:
    if outermost is None:
        return ""
    return next((path for path, part in outermost.named_modules() if part is module), "")


def _named(outermost: Any, path: str, module: Any) -> str:
    return f"{type(outermost).__name__}.{path}, {a_kind_of(module)}"
