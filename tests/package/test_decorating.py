"""Contexts as decorators: of functions, generators, coroutines and asynchronous generators."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.errors import AnomalyError

pytestmark = pytest.mark.no_c

mode = tt.is_grad_enabled
OFF: dict[str, Callable[[], Any]] = {
    "no_grad": lambda: tt.no_grad,
    "no_grad()": lambda: tt.no_grad(),
    "set_grad_enabled(False)": lambda: tt.set_grad_enabled(False),
    "enable_grad, no_grad": lambda: lambda f: tt.enable_grad(tt.no_grad(f)),
}


@pytest.fixture(params=OFF)
def off(request: Any) -> Any:
    """A decorator that switches recording off."""
    found = OFF[request.param]()
    return found


def test_a_generator_has_the_mode_while_it_runs(off: Any) -> None:
    seen: list[Any] = []

    @off
    def steps(n: int) -> Iterator[Any]:
        """Some steps."""
        try:
            for i in range(n):
                try:
                    seen.append((mode(), (yield i)))
                except KeyError as error:
                    seen.append((mode(), error.args[0]))
        finally:
            seen.append((mode(), "closed"))
        return "done"

    assert (steps.__name__, steps.__doc__) == ("steps", "Some steps.")
    assert inspect.isgeneratorfunction(steps)
    run = steps(3)
    assert [next(run), mode()] == [0, True]
    assert [run.send("sent"), mode()] == [1, True]
    assert [run.throw(KeyError("thrown")), mode()] == [2, True]
    with pytest.raises(StopIteration) as stop:
        run.send("last")
    assert (stop.value.value, mode()) == ("done", True)
    assert seen == [(False, "sent"), (False, "thrown"), (False, "last"), (False, "closed")]

    seen.clear()
    run = steps(3)
    with tt.no_grad():
        next(run)
    with tt.enable_grad():
        next(run)
        run.close()
        assert mode()
    assert seen == [(False, None), (False, "closed")]
    run = steps(3)
    next(run)
    with pytest.raises(ZeroDivisionError):
        run.throw(ZeroDivisionError)
    assert mode()
    assert list(steps(2)) == [0, 1]
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        next(steps())


def test_what_a_generator_delegates_to() -> None:
    @tt.no_grad()
    def inner() -> Iterator[bool]:
        yield mode()
        return mode()

    @tt.enable_grad()
    def outer() -> Iterator[bool]:
        yield mode()
        found = yield from inner()
        yield found
        yield mode()

    with tt.no_grad():
        assert list(outer()) == [True, False, False, True]


def test_a_coroutine_has_the_mode_while_it_runs(off: Any) -> None:
    async def below() -> bool:
        await asyncio.sleep(0)
        return mode()

    @off
    async def work(fail: bool = False) -> list[bool]:
        seen = [mode()]
        await asyncio.sleep(0)
        seen += [mode(), await below()]
        try:
            await asyncio.wait_for(asyncio.sleep(10), 0.001)
        except TimeoutError:
            seen.append(mode())
        if fail:
            raise ZeroDivisionError
        return seen

    async def other() -> list[bool]:
        seen = []
        for _ in range(5):
            await asyncio.sleep(0)
            seen.append(mode())
        return seen

    async def main() -> None:
        assert inspect.iscoroutinefunction(work)
        found, others = await asyncio.gather(work(), other())
        assert (found, others, mode()) == ([False] * 4, [True] * 5, True)
        with pytest.raises(ZeroDivisionError):
            await work(True)
        assert mode()

    asyncio.run(main())

    @off
    async def once() -> bool:
        await _Pause()
        return mode()

    run = once()  # driven by hand: between the pieces the mode is the caller's
    assert [run.send(None), mode()] == ["paused", True]
    with pytest.raises(StopIteration) as stop:
        run.send(None)
    assert stop.value.value is False


class _Pause:
    def __await__(self) -> Iterator[str]:
        yield "paused"


def test_an_asynchronous_generator_has_the_mode_while_it_runs(off: Any) -> None:
    seen: list[Any] = []

    @off
    async def steps(n: int) -> Any:
        try:
            for i in range(n):
                await asyncio.sleep(0)
                try:
                    seen.append((mode(), (yield i)))
                except KeyError as error:
                    seen.append((mode(), error.args[0]))
        finally:
            await asyncio.sleep(0)
            seen.append((mode(), "closed"))

    async def main() -> None:
        assert inspect.isasyncgenfunction(steps)
        run = steps(3)
        assert [await anext(run), mode()] == [0, True]
        assert [await run.asend("sent"), mode()] == [1, True]
        assert [await run.athrow(KeyError("thrown")), mode()] == [2, True]
        with pytest.raises(StopAsyncIteration):
            await anext(run)
        assert seen == [(False, "sent"), (False, "thrown"), (False, None), (False, "closed")]
        seen.clear()
        run = steps(3)
        assert await anext(run) == 0
        await run.aclose()
        assert (seen, mode()) == ([(False, "closed")], True)
        assert [i async for i in steps(4)] == [0, 1, 2, 3]

    asyncio.run(main())


def test_methods_partials_and_callable_objects(off: Any) -> None:
    class Model:
        @off
        def plain(self) -> bool:
            return mode()

        @off
        @staticmethod
        def static() -> bool:
            return mode()

        @off
        @classmethod
        def of_class(cls) -> tuple[type, bool]:
            return cls, mode()

        @off
        def steps(self) -> Iterator[bool]:
            yield mode()

        def __call__(self) -> Iterator[bool]:
            yield mode()

    model = Model()
    assert not model.plain()
    assert not model.static()
    assert model.of_class() == (Model, False)
    assert list(model.steps()) == [False]
    assert list(off(model.steps)()) == [False]
    called = model.__call__
    assert list(off(called)()) == [False]
    assert list(tt.no_grad()(functools.partial(called))()) == [False]
    assert list(tt.no_grad()(model)()) == [False]
    with pytest.raises(TypeError, match="a decorator is for functions, not int"):
        tt.no_grad()(3)


@pytest.mark.parametrize("name", ["no_grad", "enable_grad", "detect_anomaly", "saved_memory"])
def test_a_context_that_is_not_called(name: str) -> None:
    call = rf"^with {name}: call it, with {name}\(\):"
    with pytest.raises(TypeError, match=call), getattr(tt, name):
        pass
    assert mode()


def test_detect_anomaly_sees_what_generators_and_coroutines_make() -> None:
    def bad() -> tt.Tensor:
        return tt.tensor([0.0]).log()

    @tt.detect_anomaly
    def steps() -> Iterator[Any]:
        yield 1
        yield bad()

    @tt.detect_anomaly(check_inf=False)
    def lenient() -> Iterator[Any]:
        yield bad()

    @tt.detect_anomaly()
    async def work() -> Any:
        await asyncio.sleep(0)
        return bad()

    run = steps()
    assert next(run) == 1
    with np.errstate(all="ignore"):
        assert bad().tolist() == [-np.inf]  # the caller's own is nobody's business
        with pytest.raises(AnomalyError, match="log made -inf"):
            next(run)
        assert next(lenient()).tolist() == [-np.inf]
        with pytest.raises(AnomalyError, match="log made -inf"):
            asyncio.run(work())
        assert bad().tolist() == [-np.inf]


def test_saved_memory_adds_up_what_decorated_calls_record() -> None:
    ledger = tt.saved_memory()
    x = tt.tensor(np.ones(100, np.float32), requires_grad=True)
    kept = []

    @ledger
    def twice(depth: int) -> None:
        kept.append(x.exp())
        if depth:
            twice(depth - 1)

    @ledger
    def steps() -> Iterator[tt.Tensor]:
        yield x.exp()
        yield x.exp()

    twice(1)
    assert ledger.by_op == {"exp": 800}
    for y in steps():
        kept += [y, x.sqrt()]  # between the pieces: not the generator's
    assert ledger.by_op == {"exp": 1600}
    assert (x.sin(), ledger.total)[1] == 1600
    with pytest.raises(tt.GraphError, match="it needs a tensor"):
        tt.saved_memory(lambda: None)


@pytest.mark.parametrize("context", [tt.no_grad, tt.no_grad(), tt.enable_grad, tt.detect_anomaly])
def test_a_class_is_not_decorated(context: Any) -> None:
    """It would hold while an object is made, and not in its methods."""
    with pytest.raises(TypeError, match="for functions: of Model, for its methods"):

        @context
        class Model:
            pass
