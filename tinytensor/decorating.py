"""Contexts that decorate: functions, and what runs in pieces: generators, coroutines and both.
And what a function takes.

A context then holds whenever the body runs, and not while it waits: between two pieces the caller
has what it had. Values sent, errors thrown, ``close`` and what is returned pass through.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator
from contextlib import AbstractContextManager
from functools import wraps
from inspect import (
    CO_VARARGS,
    Parameter,
    isasyncgenfunction,
    iscoroutinefunction,
    isgeneratorfunction,
    signature,
)
from types import FunctionType
from typing import Any, ParamSpec, TypeVar, overload

T = TypeVar("T")
Out = TypeVar("Out")
P = ParamSpec("P")
Decorated = TypeVar("Decorated")
Context = Callable[[], AbstractContextManager[Any]]


def parameters_of(
    function: Callable[..., Any],
) -> tuple[list[str], list[str], list[str], dict[str, Any]]:
    """The names of a function's parameters, that of ``*rest``, those that keywords alone give, and
    the defaults: what ``inspect.signature`` tells, in a twentieth of its time, which hundreds of
    functions would take from each start of a program."""
    own: Any = function
    while hasattr(own, "__wrapped__"):
        own = own.__wrapped__
    if not isinstance(own, FunctionType):
        return _by_signature(own)
    code = own.__code__
    ordered, count = own.__defaults__ or (), code.co_argcount
    end = count + code.co_kwonlyargcount
    names, keywords = code.co_varnames[:count], code.co_varnames[count:end]
    rest = code.co_varnames[end : end + bool(code.co_flags & CO_VARARGS)]
    defaults = dict(zip(names[count - len(ordered) :], ordered, strict=True))
    return list(names), list(rest), list(keywords), defaults | (own.__kwdefaults__ or {})


def _by_signature(function: Any) -> tuple[list[str], list[str], list[str], dict[str, Any]]:
    parameters = signature(function).parameters.values()
    of_kind: dict[Any, list[str]] = {}
    for p in parameters:
        of_kind.setdefault(p.kind, []).append(p.name)
    first = [Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD]
    names = [name for kind in first for name in of_kind.get(kind, [])]
    rest = of_kind.get(Parameter.VAR_POSITIONAL, [])
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    return names, rest, of_kind.get(Parameter.KEYWORD_ONLY, []), defaults


class Decorating(type):
    """The type of contexts that decorate by their name alone: ``@no_grad`` is ``@no_grad()``.
    ``with no_grad:`` says what is missing."""

    decorates_alone = True

    @overload
    def __call__(cls: type[T], *args: bool, **options: Any) -> T: ...
    @overload
    def __call__(cls, function: Callable[P, Out], /) -> Callable[P, Out]: ...
    @overload
    def __call__(cls, *args: Any, **options: Any) -> Any: ...
    def __call__(cls, *args: Any, **options: Any) -> Any:
        alone = cls.decorates_alone and len(args) == 1
        if alone and (callable(args[0]) or isinstance(args[0], classmethod)):
            return super().__call__(**options)(args[0])
        return super().__call__(*args, **options)

    def __enter__(cls) -> Any:
        raise TypeError(f"with {cls.__name__}: call it, with {cls.__name__}():")

    def __exit__(cls, *error: object) -> None:
        pass


def decorated(function: Any, context: Context) -> Any:
    """``function`` with a new context around each piece of a call that runs without a break."""
    if isinstance(function, staticmethod | classmethod):
        return type(function)(decorated(function.__func__, context))
    if isinstance(function, type):
        raise TypeError(f"a decorator is for functions: of {function.__name__}, for its methods")
    if not callable(function):
        raise TypeError(f"a decorator is for functions, not {type(function).__name__}")

    def runs_as(test: Callable[[Any], bool]) -> bool:
        return test(function) or test(getattr(function, "__call__", None))  # noqa: B004

    if runs_as(isgeneratorfunction):

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            return (yield from _in_pieces(function(*args, **kwargs), context))

    elif runs_as(iscoroutinefunction):

        @wraps(function)
        async def call(*args: Any, **kwargs: Any) -> Any:
            return await _Awaited(function(*args, **kwargs), context)

    elif runs_as(isasyncgenfunction):

        @wraps(function)
        async def call(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            body = function(*args, **kwargs)
            resume, value = body.asend, None
            try:
                while True:
                    out = await _Awaited(resume(value), context)
                    try:
                        resume, value = body.asend, (yield out)
                    except GeneratorExit:
                        await _Awaited(body.aclose(), context)
                        raise
                    except BaseException as error:
                        resume, value = body.athrow, error
            except StopAsyncIteration:
                return

    else:

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with context():
                return function(*args, **kwargs)

    return call


def _in_pieces(body: Any, context: Context) -> Generator[Any, Any, Any]:
    """Run what has ``send``, ``throw`` and ``close``, each piece in a context of its own."""
    resume, value = body.send, None
    while True:
        try:
            with context():
                out = resume(value)
        except StopIteration as stop:
            return stop.value
        try:
            resume, value = body.send, (yield out)
        except GeneratorExit:
            with context():
                body.close()
            raise
        except BaseException as error:
            resume, value = body.throw, error


class _Awaited:
    """What is awaited, in pieces."""

    def __init__(self, body: Any, context: Context) -> None:
        self.body, self.context = body, context

    def __await__(self) -> Generator[Any, Any, Any]:
        return _in_pieces(self.body, self.context)
