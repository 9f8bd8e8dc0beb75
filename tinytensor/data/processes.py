"""A worker that is a process: it is sent tasks, and sends batches or its error.

A batch travels as a pickle without its arrays, and behind it the memory of each array.
"""

from __future__ import annotations

import os
import pickle
import random
import signal
import sys
import traceback
from contextlib import suppress
from multiprocessing import connection, get_context, get_start_method, parent_process
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from ..config import set_num_threads
from ..errors import a_kind_of
from ..random import Stream, manual_seed
from .loading import Loading, Task, Worker

ALONE = 5.0  # s after which an idle worker looks whether its parent lives
LEAVING = 1.0  # s for a process that was told to leave, before it is killed


class Remote:
    """What the thread of a process worker asks."""

    def __init__(
        self, worker: Worker, loading: Loading, context: Any, others: list[Remote]
    ) -> None:
        self.worker, self.busy = worker, False
        how = _context(context)
        self.conn: Any
        self.conn, theirs = how.Pipe()
        # A forked process has copies of the ends of all workers, and must let go of them.
        forked = how.get_start_method() == "fork"
        ends = [remote.conn for remote in (*others, self)] if forked else []
        self.process = how.Process(
            target=_serve, args=(theirs, worker, loading, ends, os.getpid()), daemon=True
        )
        try:
            self.process.start()
        except (TypeError, AttributeError, pickle.PicklingError) as error:
            self.conn.close()
            error.add_note(
                f"DataLoader: a process that starts by {how.get_start_method()!r} gets"
                " dataset, collate and transform as pickles: use what a module defines, or"
                " workers='threads'"
            )
            raise
        finally:
            theirs.close()

    def begin(self) -> None:
        """The process begins by itself."""

    def __call__(self, task: Task) -> Any:
        self.busy = True
        try:
            self.conn.send(task)
            connection.wait([self.conn, self.process.sentinel])
            if self.conn.poll():  # what it sent before it died counts
                good, result = _receive(self.conn)
            else:
                raise EOFError
        except (EOFError, OSError):
            self.process.join(LEAVING)
            raise RuntimeError(f"DataLoader: {self.worker} {self._end()}") from None
        self.busy = False
        if not good:
            raise _error(*result)
        return result

    def _end(self) -> str:
        code = self.process.exitcode
        how = "closed its pipe" if code is None else f"exited with code {code}"
        if code is not None and code < 0:
            how = f"was killed by {signal.Signals(-code).name}"
        return f"(process {self.process.pid}) died: it {how}"

    def abandon(self) -> None:
        if self.busy:  # otherwise it leaves when its pipe is closed
            self.process.terminate()

    def close(self) -> None:
        self.conn.close()
        self.process.join(LEAVING)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()


def _context(asked: Any) -> Any:
    """How processes start. On Linux they are forked, and get the dataset as it is, unless somebody
    chose otherwise; Python 3.14 and later would start them from pickles.
    """
    if asked is None and sys.platform == "linux" and get_start_method(allow_none=True) is None:
        asked = "fork"
    return get_context(asked) if isinstance(asked, str | None) else asked


def _serve(
    conn: Connection, worker: Worker, loading: Loading, others: list[Connection], parent: int
) -> None:
    """The process: until the pipe is closed at the other end, or the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this one
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for other in others:
        other.close()
    set_num_threads(1)
    manual_seed(worker.info.seed)
    failed: BaseException | None = None
    try:
        worker.begin()
    except BaseException as error:
        error.add_note(f"at the start of {worker}")
        failed = error
    with suppress(EOFError, OSError):  # nobody is at the other end
        while (task := _task(conn, parent)) is not None:
            try:
                if failed is not None:
                    raise failed
                _seed_others(task)
                message = _packed((True, loading(task)))
            except BaseException as error:
                message = _packed((False, _described(error)))
            _send(conn, message)


def _task(conn: Connection, parent: int) -> Task | None:
    """The next task; None if the parent died."""
    alive = parent_process()
    ends: list[Any] = [conn, alive.sentinel] if alive is not None else [conn]
    child = os.getppid() == parent
    while True:
        ready = connection.wait(ends, ALONE)
        if conn in ready:
            return conn.recv()
        if ready or (child and os.getppid() != parent):
            return None


def _seed_others(task: Task) -> None:
    """Seed Python's and NumPy's own generators, which a process has for itself, for this batch."""
    seed = int(Stream(task.epoch, task.number).of_seed(2).integers(2**32))
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 (for datasets that draw from it)


# --- Messages --------------------------------------------------------------------------------


def _packed(message: Any) -> list[Any]:
    """A pickle, and behind it the buffers that it leaves out."""
    buffers: list[pickle.PickleBuffer] = []
    content = pickle.dumps(message, protocol=5, buffer_callback=buffers.append)
    return [content, *(buffer.raw() for buffer in buffers)]


def _send(conn: Connection, parts: list[Any]) -> None:
    content, *buffers = parts
    conn.send((content, [buffer.nbytes for buffer in buffers]))
    for buffer in buffers:
        if buffer.nbytes:
            conn.send_bytes(buffer)


def _receive(conn: Connection) -> Any:
    content, sizes = conn.recv()
    buffers = [bytearray(size) for size in sizes]
    for buffer in buffers:
        if buffer:
            conn.recv_bytes_into(buffer)
    return pickle.loads(content, buffers=buffers)


def _described(error: BaseException) -> tuple[BaseException, str, list[str]]:
    """An error that can be sent, the traceback that cannot, and its notes."""
    text = "".join(traceback.format_exception(error)).rstrip()
    notes = list(getattr(error, "__notes__", ()))
    try:
        copy = pickle.loads(pickle.dumps(error))
        if type(copy) is type(error):
            return error, text, notes
    except Exception:
        pass  # one that does not survive the way
    return RuntimeError(f"{a_kind_of(error)}: {error}"), text, notes


def _error(error: BaseException, text: str, notes: list[str]) -> BaseException:
    error.__notes__ = [*notes, f"its traceback there:\n{text}"]
    return error
