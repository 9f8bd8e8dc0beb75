"""The ranks of a run: who they are, how they wait for each other, and how a run ends.

All ranks must call the same collectives in the same order. So each begins with a *header*, a few
bytes that tell whether all ranks call the same thing: two numbers, reduced on a communicator of
their own. It costs some microseconds, and those that are late are waited for anyway. Without it, a
shape that differs on one rank would be read as other numbers, and a rank that took another branch
would be waited for without end.

Nobody waits inside of MPI, which spins there: with more ranks than cores that takes the core
of whoever is waited for. A rank that waits for others to come lets its core go at once, sleeps
after a while, and stops with an error after a stated time. Once all have come, data move without
sleep.
"""

from __future__ import annotations

import atexit
import faulthandler
import hashlib
import os
import sys
import threading
import time
import traceback
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from ..config import get_num_threads, set_num_threads
from ..errors import DtypeError, ShapeError

MINUTES = 60.0
SPINS = 20  # tests before a core is let go: as long as a small message takes
AWAKE = 200e-6  # s for which one who waits for others lets its core go, before it sleeps
NAP, LONGEST = 0.05, 5e-3  # of the time waited so far, a sleep; at most so many s
GRACE = 0.3  # s in which other ranks can tell of what failed on them too

# macOS has no sched_yield.
_let_others_run: Callable[[], None] = getattr(os, "sched_yield", lambda: time.sleep(0))

# What launchers tell of the rank: a run with one of these is not a run of one process.
_LAUNCHERS = ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK", "MPI_LOCALRANKID")
_SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")  # and how many ranks there are


class Call:
    """What all ranks must agree on: a collective, and what it was called on."""

    __slots__ = ("dtype", "name", "settings", "shape")

    def __init__(self, name: str, dtype: Any = "", shape: Any = "", **settings: Any) -> None:
        self.name, self.dtype, self.shape = name, str(dtype), str(shape)
        self.settings = ", ".join(f"{k}={v!r}" for k, v in settings.items())

    def __str__(self) -> str:
        parts = (self.name, self.dtype, self.shape, self.settings)
        return " ".join(part for part in parts if part)

    def digest(self) -> int:
        """63 bits of it."""
        return int.from_bytes(hashlib.blake2b(str(self).encode(), digest_size=8).digest()) >> 1


class Work:
    """A collective that runs: ``wait()`` gives its result, ``done()`` whether it is there.

    Until then what it was called on must neither be read nor written.
    """

    def __init__(
        self,
        group: Group,
        call: Call,
        start: Callable[[], Any] | None = None,
        finish: Callable[[], Any] | None = None,
        flag: int = 0,
    ) -> None:
        self.group, self.call = group, call
        self.start, self.finish = start, finish
        self.result: Any = None
        self.flag = 0  # the largest one that a rank came with
        self.error: Exception | None = None
        self._request: Any = None
        self._done = group.size == 1
        if self._done:
            self.flag = flag
            self.result = finish() if finish else None
        else:
            self._header = group.header_of(call, flag)
            group.coming.append(self)

    def done(self) -> bool:
        """Whether the result is there. Asking also moves it on."""
        if not self._done:
            self.group.progress()
        return self._done

    def wait(self) -> Any:
        """Wait for the result."""
        if not self._done:
            wait(self.done, self.group, str(self.call), lambda: self._request is not None)
        if self.error is not None:
            raise self.error
        return self.result

    def _all_came(self) -> bool:
        request, numbers = self._header
        if not request.Test():
            return False
        least, most = int(numbers[0]), -int(numbers[1])
        self.flag = -int(numbers[2])
        if least != most:
            self.error = self.group.disagreement(self.call)
            self._ended()
        else:
            try:
                self._request = () if self.start is None else self.start()
            except Exception as error:  # for its caller, not for those of the works behind it
                self.error = error
                self._ended()
        return True

    def _has_ended(self) -> bool:
        if self._done:
            return True
        if self._request != () and not self._request.Test():
            return False
        try:
            self.result = self.finish() if self.finish else None
        except Exception as error:
            self.error = error
        self._ended()
        return True

    def _ended(self) -> None:
        self._done = True
        self.start = self.finish = self._request = None  # these hold buffers


class Group:
    """Some ranks that talk among themselves: what ``group=`` takes.

    ``rank`` and ``size`` are of the group, and so are the ranks that a collective of it is told:
    ``broadcast(x, source=0, group=group)`` sends from the group's first.
    """

    def __init__(self, comm: Any, timeout: float) -> None:
        self.rank: int = 0 if comm is None else comm.rank
        self.size: int = 1 if comm is None else comm.size
        self.timeout, self.process = timeout, os.getpid()
        self.coming: deque[Work] = deque()  # in the order of their calls, which all ranks share
        self.running: list[Work] = []
        self._lock = threading.RLock()
        self._kept: dict[int, tuple[Callable[[], Any], tuple[Any, ...]]] = {}
        self._number = 0
        if self.size > 1:
            # Order counts within a communicator: headers, data and messages do not meet.
            self.headers, self.data, self.messages = comm.Dup(), comm.Dup(), comm.Dup()

    def __repr__(self) -> str:
        return f"<rank {self.rank} of a group of {self.size}>"

    def __deepcopy__(self, memo: Any) -> Group:
        return self  # of a copied layer or optimizer, too

    def __reduce__(self) -> Any:
        raise TypeError("Group: it belongs to this run's ranks, and has no pickle")

    def header_of(self, call: Call, flag: int) -> Any:
        """A header on its way: a request, and its numbers."""
        if os.getpid() != self.process:
            raise RuntimeError(f"{call.name}: a child of a rank's process is no rank")
        digest = call.digest()
        numbers = np.array([digest, -digest, -flag], np.int64)
        return self.headers.Iallreduce(mpi().IN_PLACE, numbers, mpi().MIN), numbers

    def progress(self) -> None:
        """Start what all ranks have come to, in order, and end what is through."""
        with self._lock:
            while self.coming and self.coming[0]._all_came():
                self.running.append(self.coming.popleft())
            self.running = [work for work in self.running if not work._has_ended()]

    def disagreement(self, call: Call) -> Exception:
        """The error of ranks that called different things; it says what each one called."""
        request_of = [call.name, call.dtype, call.shape, call.settings]
        calls = [Call("") for _ in range(self.size)]
        for one, parts in zip(calls, self.messages.allgather(request_of), strict=True):
            one.name, one.dtype, one.shape, one.settings = parts
        ranks: dict[str, list[int]] = {}
        for rank, one in enumerate(calls):
            ranks.setdefault(str(one), []).append(rank)
        told = "; ".join(f"{_ranks(who)}: {what}" for what, who in ranks.items())
        kind: type[Exception] = RuntimeError
        if len({one.name for one in calls}) == 1:
            if len({one.dtype for one in calls}) > 1:
                kind = DtypeError
            elif len({one.shape for one in calls}) > 1:
                kind = ShapeError
        return kind(f"{call.name}: the ranks differ: {told}")

    def communicators(self) -> tuple[Any, ...]:
        return (self.headers, self.data, self.messages) if self.size > 1 else ()

    def keep(self, owner: Any, comms: tuple[Any, ...]) -> None:
        """Give communicators back, of which MPI has some 2,000, when their ``owner`` is gone on all
        ranks: at a later call of this, as they free them together. All ranks call it."""
        gone = [number for number, (one, _) in self._kept.items() if one() is None]
        for number in sorted(set.intersection(*map(set, self.messages.allgather(gone)))):
            for comm in self._kept.pop(number)[1]:
                comm.Free()
        self._kept[self._number] = ((lambda: None) if owner is None else weakref.ref(owner)), comms
        self._number += 1

    def free(self) -> None:
        """Give all communicators back."""
        for comms in (*(comms for _, comms in self._kept.values()), self.communicators()):
            for comm in comms:
                comm.Free()


def _ranks(ranks: list[int]) -> str:
    """``rank 1``, ``ranks 0, 2, 3 and 9 more``"""
    shown = ", ".join(map(str, ranks[:4]))
    more = f" and {len(ranks) - 4} more" * (len(ranks) > 4)
    return f"rank{'s' * (len(ranks) > 1)} {shown}{more}"


def wait(
    done: Callable[[], bool],
    group: Group,
    what: str,
    hurry: Callable[[], bool] = lambda: False,
) -> None:
    """Return when ``done()``. Sleep at times, but not in a ``hurry``: once all ranks have come.
    After the group's timeout it is a TimeoutError that names ``what`` waits."""
    for _ in range(SPINS):
        if done():
            return
    start = time.monotonic()
    while not done():
        waited = time.monotonic() - start
        if waited > group.timeout:
            raise TimeoutError(
                f"{what}: rank {group.rank} of {group.size} has waited for {group.timeout:g} s, and"
                " another rank has not come to the same call; init(timeout=…) sets how long"
            )
        if waited < AWAKE or hurry():
            _let_others_run()
        else:
            time.sleep(min(NAP * waited, LONGEST))


def mpi() -> Any:
    """mpi4py, which starts MPI when it is first imported."""
    from mpi4py import MPI

    return MPI


# --- The world -------------------------------------------------------------------------------


class World:
    """What ``init()`` makes, and ``shutdown()`` takes away."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.before: Any = None  # the hooks that were there


_world: World | None = None
_ALONE = Group(None, 0.0)


def init(*, comm: Any = None, timeout: float = 10 * MINUTES, threads: int | None = None) -> None:
    """Make this process a rank of those that ``mpiexec`` has started.

        mpiexec -n 2 python train.py

    Every rank calls it, before any other function here. Where no launcher has started the script,
    it is the only rank, and all goes on as without: the same script runs both ways, and then needs
    no MPI. ``comm`` is a communicator of mpi4py, if the ranks are not those of ``COMM_WORLD``. A
    second call does nothing if it is given nothing.

    ``threads`` is how many threads a rank's kernels run on. By default the ranks of a machine
    share its cores evenly, unless ``TINYTENSOR_NUM_THREADS`` or ``OMP_NUM_THREADS`` says how many,
    or the launcher has bound ranks to cores of their own (``mpiexec -bind-to core``).

    A rank that fails ends the run on all: its traceback is printed with its rank, and the others
    are stopped. One that waits for others ``timeout`` seconds raises a TimeoutError, which names
    what it waits in; one that leaves while others wait for it is told at once, too. Of a rank that
    fails before it has called this, the others know by the timeout alone: call it first.

    >>> import tinytensor as tt
    >>> tt.distributed.rank(), tt.distributed.size()  # of a script without mpiexec
    (0, 1)
    """
    global _world
    if _world is not None:
        if comm is None and threads is None and timeout == 10 * MINUTES:
            return
        raise RuntimeError("init: this process is a rank already; shutdown() ends that")
    if not timeout > 0:
        raise ValueError(f"init: timeout is a number of seconds above 0, not {timeout!r}")
    launched = any(name in os.environ for name in _LAUNCHERS)
    children = sys.modules.get("multiprocessing.process")
    if launched and children is not None and children.parent_process() is not None:
        raise RuntimeError(
            "init: a process that multiprocessing has started is no rank; write the script's work"
            " under if __name__ == '__main__'"
        )
    if threads is not None:
        set_num_threads(threads)
    try:
        group = _all_ranks_call_init(comm, timeout, launched)
    except ImportError as error:
        if comm is None and not launched:
            _world = World(_ALONE)
            return
        raise ImportError(
            'distributed: needs mpi4py and an MPI: pip install "tinytensor[distributed]"'
        ) from error
    _world = World(group)
    if group.size > 1:
        if threads is None:
            _share_cores(group.messages)
        _hook(_world)
        atexit.register(_leave)


def _all_ranks_call_init(comm: Any, timeout: float, launched: bool) -> Group:
    """The group of all ranks. MPI waits for them where no Python runs, and has no timeout; the name
    of this function is what the traceback tells if a rank does not come."""
    if launched or comm is not None:
        faulthandler.dump_traceback_later(min(timeout, threading.TIMEOUT_MAX), exit=True, file=2)
    try:
        return Group(mpi().COMM_WORLD if comm is None else comm, timeout)
    finally:
        if launched or comm is not None:
            faulthandler.cancel_dump_traceback_later()


def _share_cores(comm: Any) -> None:
    """Give the ranks of this machine as many threads as they have cores each."""
    if "TINYTENSOR_NUM_THREADS" in os.environ or "OMP_NUM_THREADS" in os.environ:
        return
    granted = getattr(os, "sched_getaffinity", lambda pid: set(range(os.cpu_count() or 1)))(0)
    local = comm.Split_type(mpi().COMM_TYPE_SHARED)
    cores = local.allgather(sorted(granted))
    local.Free()
    if sum(map(len, cores)) > len(set().union(*cores)):  # otherwise each has cores of its own
        set_num_threads(max(1, get_num_threads() // len(cores)))


def is_initialized() -> bool:
    """Whether :func:`init` was called."""
    return _world is not None


def is_forgotten() -> bool:
    """Whether a launcher has started several processes, and :func:`init` was not called."""
    return _world is None and any(os.environ.get(name, "1") != "1" for name in _SIZES)


def rank() -> int:
    """The number of this process among all, from 0; 0 without :func:`init`."""
    return world().rank


def size() -> int:
    """How many ranks there are; 1 without :func:`init`."""
    return world().size


def world() -> Group:
    """All ranks, as a group."""
    return _ALONE if _world is None else _world.group


def split(color: int | None, key: int = 0, *, group: Group | None = None) -> Group | None:
    """Groups of the ranks that give the same ``color``, in the order of their ``key``, and of their
    ranks where keys are equal; None for a rank whose color is None. All ranks of ``group`` call it.

    >>> import tinytensor as tt
    >>> tt.distributed.split(0)
    <rank 0 of a group of 1>
    """
    parent = world() if group is None else group
    if color is not None and color < 0:
        raise ValueError(f"split: color is None or at least 0, not {color}")
    if parent.size == 1:
        return None if color is None else Group(None, parent.timeout)
    Work(parent, Call("split")).wait()
    comm = parent.messages.Split(mpi().UNDEFINED if color is None else color, key)
    group = None if color is None else Group(comm, parent.timeout)
    if group is not None:
        comm.Free()
    parent.keep(group, () if group is None else group.communicators())
    return group


def shutdown() -> None:
    """Leave, with all other ranks: they must all call it. At the end of a script it comes by
    itself. Afterwards this process is a rank no more."""
    global _world
    if _world is None:
        return
    group, before = _world.group, _world.before
    if group.size > 1:
        Work(group, Call("shutdown")).wait()
        sys.excepthook, threading.excepthook = before
        atexit.unregister(_leave)
        group.free()
    _world = None


# --- How a run ends --------------------------------------------------------------------------


def abort(message: str = "", code: int = 1) -> NoReturn:
    """End the run on all ranks, at once, with this exit code."""
    if message:
        print(f"rank {rank()}: {message}", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    if size() > 1:
        time.sleep(GRACE)
        mpi().COMM_WORLD.Abort(code)
    os._exit(code)


def _hook(world: World) -> None:
    """End the run where an exception ends a thread of a rank."""
    world.before = sys.excepthook, threading.excepthook

    def failed(kind: Any, error: Any, trace: Any, where: str = "") -> None:
        text = "".join(traceback.format_exception(kind, error, trace))
        lines = "".join(f"[rank {world.group.rank}] {line}\n" for line in text.splitlines())
        sys.stderr.write(lines)
        abort(f"failed{where}; ending the run on all {world.group.size} ranks")

    def in_main(kind: Any, error: Any, trace: Any) -> None:
        if os.getpid() != world.group.process:
            world.before[0](kind, error, trace)
        else:
            failed(kind, error, trace)

    def in_thread(args: Any) -> None:
        if os.getpid() != world.group.process or args.exc_type is SystemExit:
            world.before[1](args)
        else:
            name = args.thread.name if args.thread else "a thread"
            failed(args.exc_type, args.exc_value, args.exc_traceback, f" in {name}")

    sys.excepthook, threading.excepthook = in_main, in_thread


def _leave() -> None:
    """At the end of the script, wait for the others, who may do something that takes long.

    If they wait in a collective instead, this rank has left early: with ``sys.exit``, or because it
    had less to do. They are told at once, and the run ends.
    """
    if _world is None or os.getpid() != _world.group.process:
        return
    group = _world.group
    group.timeout = float("inf")
    try:
        Work(group, Call("the end of the script")).wait()
    except Exception as error:
        abort(f"{error}")
