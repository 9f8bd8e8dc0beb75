"""Workers that load ahead: a queue of tasks, threads that take them, and results by ticket.

A worker that is a process has a thread here too, which asks the process: so queue, order, errors
and stopping are one and the same for both kinds.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any

from .loading import Loading, Task, Worker

PATIENCE = 1.0  # s that a worker is waited for when it is told to stop


class Inline:
    """What a thread worker asks: itself."""

    def __init__(self, worker: Worker, loading: Loading) -> None:
        self.worker, self.loading = worker, loading

    def begin(self) -> None:
        self.worker.begin()

    def __call__(self, task: Task) -> Any:
        return self.loading(task)

    def abandon(self) -> None:
        """Stop in the middle of a task, if that can be done."""

    def close(self) -> None:
        """Give back what the worker holds."""


class _Shared:
    """What the threads of a pool have in common with it: not the pool, which would live on."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.tasks: deque[tuple[int, Task]] = deque()
        self.results: dict[int, tuple[bool, Any]] = {}  # by ticket: whether it went well, and what
        self.wanted: set[int] = set()
        self.stopped = False


def _work(shared: _Shared, asked: Any, worker: Worker) -> None:
    """The thread of a worker."""
    failed: BaseException | None = None
    try:
        try:
            asked.begin()
        except BaseException as error:
            error.add_note(f"at the start of {worker}")
            failed = error
        while True:
            with shared.changed:
                shared.changed.wait_for(lambda: shared.tasks or shared.stopped)
                if shared.stopped:
                    return
                ticket, task = shared.tasks.popleft()
            try:
                if failed is not None:
                    raise failed
                result = True, asked(task)
            except BaseException as error:
                if error is not failed:
                    error.add_note(f"in {worker}")
                result = False, error
            with shared.changed:
                if ticket in shared.wanted:
                    shared.results[ticket] = result
                    shared.changed.notify_all()
            del result, task
    finally:
        asked.close()


def _stop(shared: _Shared, asked: list[Any], threads: list[threading.Thread]) -> None:
    with shared.changed:
        shared.stopped = True
        shared.tasks.clear()
        shared.results.clear()
        shared.changed.notify_all()
    for one in asked:
        one.abandon()
    end = time.monotonic() + PATIENCE
    for thread in threads:
        if thread is not threading.current_thread():
            thread.join(max(0.0, end - time.monotonic()))


class Pool:
    """Threads that turn tasks into results. It stops when nobody holds it any more."""

    def __init__(self, asked: list[Any], workers: list[Worker]) -> None:
        self._shared, self._tickets = _Shared(), 0
        threads = [
            threading.Thread(
                target=Context().run,  # not in this thread's, which free-threaded Pythons hand on
                args=(_work, self._shared, one, worker),
                name=f"DataLoader-{worker.info.id}",
                daemon=True,  # an interpreter that ends does not wait for a batch
            )
            for one, worker in zip(asked, workers, strict=True)
        ]
        self.stop: Callable[[], Any] = weakref.finalize(self, _stop, self._shared, asked, threads)
        for thread in threads:
            thread.start()

    def submit(self, task: Task) -> int:
        """Queue a task; the ticket is for ``take``."""
        self._tickets += 1
        with self._shared.changed:
            self._shared.wanted.add(self._tickets)
            self._shared.tasks.append((self._tickets, task))
            self._shared.changed.notify_all()
        return self._tickets

    def take(self, tickets: list[int], timeout: float | None) -> tuple[int, Any]:
        """The first ticket of these that is done, and its result, when it is there.

        Raises what the worker raised, or RuntimeError after ``timeout`` seconds.
        """
        shared = self._shared

        def first() -> int | None:
            return next((ticket for ticket in tickets if ticket in shared.results), None)

        with shared.changed:
            if not shared.changed.wait_for(lambda: first() is not None, timeout):
                raise RuntimeError(f"DataLoader: no batch came within its timeout of {timeout} s")
            ticket = first()
            assert ticket is not None
            good, result = shared.results.pop(ticket)
            shared.wanted.discard(ticket)
        if not good:
            raise result
        return ticket, result

    def forget(self) -> None:
        """Drop all that is queued or done and was not taken."""
        with self._shared.changed:
            self._shared.tasks.clear()
            self._shared.results.clear()
            self._shared.wanted.clear()
