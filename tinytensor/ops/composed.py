"""Functions made of ops: they take what ops take, and their errors begin with their own names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, NoReturn, ParamSpec, TypeVar, cast

from ..engine.observers import current_observers
from ..engine.operation import BAD_INPUT
from ..errors import kind_of
from .operands import operand
from .precision import once_rounded
from .spelling import named, respelled

P = ParamSpec("P")
Out = TypeVar("Out")
_ABSENT: Any = object()


def tensor(x: Any, *others: Any) -> Any:
    """x itself if it is a tensor, and otherwise an array, as weak as numbers are beside others."""
    return operand("tensor", x, *others)


def in_own_name(function: Callable[P, Out]) -> Callable[P, Out]:
    """Let errors begin with the name of the function that was called, not with that of an op in
    it."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> Out:
        try:
            return function(*args, **kwargs)
        except BAD_INPUT as error:
            _raise_named(function.__name__, error)

    return call


def _raise_named(name: str, error: Exception) -> NoReturn:
    """Raise an error in the name of the function that was called."""
    message = str(error)
    inner, colon, rest = message.partition(": ")
    if colon and inner == name:
        raise error
    # Names of ops are identifiers, which sentences with a colon do not begin with.
    of_op = colon and inner.removesuffix("[index]").isidentifier()
    raise kind_of(error)(f"{name}: {rest if of_op else message}") from error


def composed(function: Callable[P, Out]) -> Callable[P, Out]:
    """Let the first argument be whatever makes an array, and put the name before any error."""
    return _taking(function, operand)


def joining(function: Callable[P, Out]) -> Callable[P, Out]:
    """:func:`composed` for a first argument that is a sequence of whatever makes arrays."""
    return _taking(function, arrays_of)


def one_by_one(function: Callable[..., Out]) -> Callable[..., Out]:
    """:func:`composed` for any number of arrays, which are all the arguments; or one sequence of
    them."""

    @wraps(function)
    def of_sequence(arrays: Sequence[Any]) -> Out:
        return function(*arrays)

    takes = joining(of_sequence)

    @wraps(function)
    def call(*arrays: Any) -> Out:
        one: Any = arrays[0] if len(arrays) == 1 else None
        several = isinstance(one, list | tuple) and any(hasattr(x, "shape") for x in one)
        return takes(one if several else arrays)

    return call


def arrays_of(name: str, sequence: Any, *others: Any) -> list[Any]:
    """Each of a sequence as what has a shape."""
    return [operand(name, x, *sequence) for x in sequence]


def _taking(function: Callable[P, Out], ready: Callable[..., Any]) -> Callable[P, Out]:
    name, takes = function.__name__, cast(Callable[..., Any], function)
    parameters = named(function)

    @wraps(function)
    def call(x: Any = _ABSENT, *args: Any, **kwargs: Any) -> Any:
        if current_observers():
            whole = heard_whole(call, () if x is _ABSENT else (x, *args), kwargs)
            if whole is not NotImplemented:
                return whole
        try:
            if x is _ABSENT:
                kwargs = kwargs if parameters[0] in kwargs else respelled(name, parameters, kwargs)
                x = kwargs.pop(parameters[0])
            return takes(ready(name, x, *args), *args, **kwargs)
        except BAD_INPUT as error:
            if not kwargs.keys() <= set(parameters):
                return call(x, *args, **respelled(name, parameters, kwargs))
            if x is _ABSENT:
                raise TypeError(f"{name}: argument {parameters[0]!r} is missing") from None
            _raise_named(name, error)

    return cast(Callable[P, Out], call)


def is_followed() -> bool:
    """Whether an observer writes down the calls, and wants indices as they are given."""
    return any(hasattr(type(observer), "composing") for observer in current_observers())


def heard_whole(call: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What an observer gives that takes this function for one op: it runs ``call`` again, and is
    then not asked. Otherwise NotImplemented."""
    for observer in current_observers():
        composing = getattr(type(observer), "composing", None)
        if composing is not None:
            return composing(observer, call, args, kwargs)
    return NotImplemented


def computed(function: Callable[P, Out]) -> Callable[P, Out]:
    """:func:`composed` for what several ops compute, and not only move: 16-bit numbers are float32
    between these, and rounded once."""
    return once_rounded(composed(function))
