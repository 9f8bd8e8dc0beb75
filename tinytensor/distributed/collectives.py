"""MPI's collectives on tensors: reductions, and data that move between ranks.

MPI reads and writes the tensors' own memory, where that lies in C order; other layouts go through a
copy. Data that only move do so as bytes, so any dtype can. What is reduced is reduced in its own
dtype, but 16-bit floats in float32, and rounded once. Maxima and minima let NaN through, as NumPy's
do, which MPI's own need not.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

from ..dtypes import is_floating, is_narrow
from ..engine.core import GraphError
from ..engine.grad_mode import is_grad_enabled
from ..errors import DtypeError, ShapeError, a_kind_of
from ..ops import inplace
from ..tensors.tensor import Tensor
from .world import Call, Group, Work, mpi, wait, world

_OPS = ("sum", "mean", "product", "max", "min", "and", "or", "xor")
_counts: dict[str, dict[str, int]] = {}


def statistics() -> dict[str, dict[str, int]]:
    """How often each collective has run here, on how many ``bytes`` of tensors, and how many bytes
    a rank has to send at least for that (``sent``, rounded up).

    The least that one of n ranks sends to reduce b bytes on all is 2 (n − 1)/n · b, and half as
    much to gather or scatter them: each rank must give away what it has of the others' shares, and
    get them back. MPI's algorithms for long messages reach it (Rabenseifner 2004; ring).

    >>> import tinytensor as tt
    >>> tt.distributed.reset_statistics()
    >>> tt.distributed.all_reduce(tt.ones(3))
    tensor([1., 1., 1.])
    >>> tt.distributed.statistics()
    {'all_reduce': {'calls': 1, 'bytes': 12, 'sent': 0}}
    """
    return {name: dict(counts) for name, counts in _counts.items()}


def reset_statistics() -> None:
    """Begin to count anew."""
    _counts.clear()


def count(name: str, nbytes: int, share: float) -> None:
    """Count a call on so many bytes, of which this rank sends a ``share``."""
    counts = _counts.setdefault(name, {"calls": 0, "bytes": 0, "sent": 0})
    counts["calls"] += 1
    counts["bytes"] += nbytes
    counts["sent"] += math.ceil(share * nbytes)


# --- Collectives -----------------------------------------------------------------------------


def barrier(*, group: Group | None = None, asynchronous: bool = False) -> Any:
    """Wait until all ranks have come here."""
    group = _group("barrier", group)
    count("barrier", 0, 0)
    return _given(Work(group, Call("barrier")), asynchronous)


def all_reduce(
    tensor: Any, op: str = "sum", *, group: Group | None = None, asynchronous: bool = False
) -> Any:
    """Overwrite ``tensor`` on every rank by the sum of all ranks', or what ``op`` says.

    ``op`` is "sum", "mean" (of floating point), "product", "max", "min" (of real numbers), or
    "and", "or", "xor" (bits of integers, or bools). Of bools there is no sum. Every rank gets the
    same bits. The tensor, or ndarray, is returned; with ``asynchronous`` a :class:`Work`, whose
    ``wait()`` returns it. Shapes and dtypes must be the same on all ranks: otherwise each raises a
    ``ShapeError`` or ``DtypeError`` that tells all of them.

    It is a change in place outside of the graph: of a leaf, or under ``no_grad``.

    >>> import tinytensor as tt
    >>> tt.distributed.all_reduce(tt.tensor([1.0, 2.0]), "mean")
    tensor([1., 2.])
    """
    name, group = "all_reduce", _group("all_reduce", group)
    array = _changed(name, tensor)
    _check_op(name, op, array.dtype)
    count(name, array.nbytes, 2 * (group.size - 1) / group.size)
    staged = _staged(array)

    def start() -> Any:
        return group.data.Iallreduce(mpi().IN_PLACE, _numbers(staged), _operation(op, staged.dtype))

    def finish() -> Any:
        _put(array, _averaged(staged, op, group))
        return _changed_again(name, tensor)

    call = Call(name, array.dtype, array.shape, op=op)
    return _given(Work(group, call, start, finish), asynchronous)


def reduce(
    tensor: Any,
    target: int = 0,
    op: str = "sum",
    *,
    group: Group | None = None,
    asynchronous: bool = False,
) -> Any:
    """As :func:`all_reduce`, but only the rank ``target`` gets the result; the others' tensors
    stay as they are."""
    name, group = "reduce", _group("reduce", group)
    here = _rank(name, "target", target, group) == group.rank
    array = _changed(name, tensor) if here else _read(name, tensor)
    _check_op(name, op, array.dtype)
    count(name, array.nbytes, 0 if here else 1)
    staged = _staged(array)

    def start() -> Any:
        given = [mpi().IN_PLACE, _numbers(staged)] if here else [_numbers(staged), None]
        return group.data.Ireduce(*given, _operation(op, staged.dtype), target)

    def finish() -> Any:
        if not here:
            return tensor
        _put(array, _averaged(staged, op, group))
        return _changed_again(name, tensor)

    call = Call(name, array.dtype, array.shape, op=op, target=target)
    return _given(Work(group, call, start, finish), asynchronous)


def broadcast(
    tensor: Any, source: int = 0, *, group: Group | None = None, asynchronous: bool = False
) -> Any:
    """Overwrite ``tensor`` on every rank by that of the rank ``source``. It is returned, or a
    :class:`Work` if ``asynchronous``. Shapes and dtypes must be the same on all ranks.

    It is a change in place outside of the graph: of a leaf, or under ``no_grad``.
    """
    name, group = "broadcast", _group("broadcast", group)
    here = _rank(name, "source", source, group) == group.rank
    array = _read(name, tensor) if here else _changed(name, tensor)
    count(name, array.nbytes, 1 if here and group.size > 1 else 0)
    staged = np.asarray(array, order="C")

    def finish() -> Any:
        if here:
            return tensor
        _put(array, staged)
        return _changed_again(name, tensor)

    call = Call(name, array.dtype, array.shape, source=source)
    work = Work(group, call, lambda: group.data.Ibcast(_bytes(staged), source), finish)
    return _given(work, asynchronous)


def all_gather(
    tensor: Any, *, out: Any = None, group: Group | None = None, asynchronous: bool = False
) -> Any:
    """The tensors of all ranks, stacked along a new first axis: ``all_gather(x)[r]`` is that of
    rank r. Shapes and dtypes must be the same on all ranks. ``out``, of that shape, is written
    to if it is given.

    >>> import tinytensor as tt
    >>> tt.distributed.all_gather(tt.tensor([1.0, 2.0]))
    tensor([[1., 2.]])
    """
    name, group = "all_gather", _group("all_gather", group)
    array = np.asarray(_read(name, tensor), order="C")
    into, result = _out(name, out, (group.size, *array.shape), array.dtype)
    count(name, into.nbytes, (group.size - 1) / group.size)
    staged = np.asarray(into, order="C")
    array = _apart(array, staged)

    def start() -> Any:
        return group.data.Iallgather(_bytes(array), _bytes(staged))

    def finish() -> Any:
        if group.size == 1:
            staged[0] = array
        _put(into, staged)
        return _changed_again(name, result)

    call = Call(name, array.dtype, array.shape)
    return _given(Work(group, call, start, finish), asynchronous)


def reduce_scatter(
    tensor: Any,
    op: str = "sum",
    *,
    out: Any = None,
    group: Group | None = None,
    asynchronous: bool = False,
) -> Any:
    """Of a tensor whose first axis has a place for each rank, the sum of all ranks' at this rank's
    place: rank r gets ``sum(x[r] of all ranks)``. ``op`` as for :func:`all_reduce`. ``out``, of the
    shape of ``x[r]``, is written to if it is given.

    >>> import tinytensor as tt
    >>> tt.distributed.reduce_scatter(tt.tensor([[1.0, 2.0]]))
    tensor([1., 2.])
    """
    name, group = "reduce_scatter", _group("reduce_scatter", group)
    array = _with_places(name, _read(name, tensor), group)
    _check_op(name, op, array.dtype)
    into, result = _out(name, out, array.shape[1:], array.dtype)
    count(name, array.nbytes, (group.size - 1) / group.size)
    given = _staged(array)
    got = np.empty(array.shape[1:], given.dtype)

    def start() -> Any:
        operation = _operation(op, given.dtype)
        return group.data.Ireduce_scatter_block(_numbers(given), _numbers(got), op=operation)

    def finish() -> Any:
        _put(into, _averaged(got if group.size > 1 else given[0], op, group))
        return _changed_again(name, result)

    call = Call(name, array.dtype, array.shape, op=op)
    return _given(Work(group, call, start, finish), asynchronous)


def all_to_all(
    tensor: Any, *, out: Any = None, group: Group | None = None, asynchronous: bool = False
) -> Any:
    """Of tensors whose first axis has a place for each rank, those parts that are for this rank:
    ``all_to_all(x)[r]`` is ``x[this rank]`` of rank r."""
    name, group = "all_to_all", _group("all_to_all", group)
    array = np.asarray(_with_places(name, _read(name, tensor), group), order="C")
    into, result = _out(name, out, array.shape, array.dtype)
    count(name, array.nbytes, (group.size - 1) / group.size)
    staged = np.asarray(into, order="C")
    array = _apart(array, staged)

    def start() -> Any:
        return group.data.Ialltoall(_bytes(array), _bytes(staged))

    def finish() -> Any:
        _put(into, staged if group.size > 1 else array)
        return _changed_again(name, result)

    call = Call(name, array.dtype, array.shape)
    return _given(Work(group, call, start, finish), asynchronous)


def gather(
    tensor: Any, target: int = 0, *, group: Group | None = None, asynchronous: bool = False
) -> Any:
    """As :func:`all_gather`, but on the rank ``target`` alone; None on the others."""
    name, group = "gather", _group("gather", group)
    here = _rank(name, "target", target, group) == group.rank
    array = np.asarray(_read(name, tensor), order="C")
    into = np.empty((group.size, *array.shape), array.dtype) if here else None
    count(name, array.nbytes, 0 if here else 1)

    def start() -> Any:
        got = None if into is None else _bytes(into)
        return group.data.Igather(_bytes(array), got, target)

    def finish() -> Any:
        if into is not None and group.size == 1:
            into[0] = array
        return None if into is None else Tensor(into)

    call = Call(name, array.dtype, array.shape, target=target)
    return _given(Work(group, call, start, finish), asynchronous)


def scatter(
    tensor: Any = None, source: int = 0, *, group: Group | None = None, asynchronous: bool = False
) -> Any:
    """``tensor[r]`` of the rank ``source``, for rank r; its first axis has a place for each. The
    other ranks give None: they are told shape and dtype."""
    name, group = "scatter", _group("scatter", group)
    here = _rank(name, "source", source, group) == group.rank
    array = _with_places(name, _read(name, tensor), group) if here else None
    told = None if array is None else (array.shape[1:], array.dtype)
    shape, dtype = broadcast_object(told, source, group=group)
    array = None if array is None else np.asarray(array, order="C")
    into = np.empty(shape, dtype)
    count(name, into.nbytes, group.size - 1 if here else 0)

    def start() -> Any:
        given = None if array is None else _bytes(array)
        return group.data.Iscatter(given, _bytes(into), source)

    def finish() -> Any:
        if array is not None and group.size == 1:
            into[...] = array[0]
        return Tensor(into)

    call = Call(name, dtype, shape, source=source)
    return _given(Work(group, call, start, finish), asynchronous)


# --- From one rank to another ------------------------------------------------------------------


def send(tensor: Any, target: int, tag: int = 0, *, group: Group | None = None) -> None:
    """Send a tensor to the rank ``target``, which calls :func:`recv` with the same ``tag``."""
    name, group = "send", _group("send", group)
    if _rank(name, "target", target, group) == group.rank:
        raise ValueError(f"send: target {target} is this rank itself")
    array = np.asarray(_read(name, tensor), order="C")
    count(name, array.nbytes, 1)
    told = pickle.dumps((array.dtype, array.shape))
    first = group.messages.Isend([told, mpi().BYTE], target, tag)
    second = group.messages.Isend([_bytes(array), mpi().BYTE], target, tag)
    wait(lambda: bool(first.Test() and second.Test()), group, f"send to rank {target}")


def recv(
    source: int | None = None, tag: int = 0, *, out: Any = None, group: Group | None = None
) -> Any:
    """The tensor that the rank ``source``, or any if it is None, sends with this ``tag``. ``out``,
    whose shape and dtype must be the tensor's, is written to if it is given."""
    from_any = source is None
    name, group = "recv", _group("recv", group)
    if not from_any and _rank(name, "source", source, group) == group.rank:
        raise ValueError(f"recv: source {source} is this rank itself")
    if group.size == 1:
        raise ValueError("recv: there is no other rank")
    place = mpi().ANY_SOURCE if source is None else source
    asked = f"recv from {'any rank' if from_any else f'rank {source}'}"

    def received(place: int, into: np.ndarray | None) -> tuple[np.ndarray, int]:
        status, found = mpi().Status(), []

        def probed() -> bool:
            message = group.messages.Improbe(place, tag, status)
            found.extend([] if message is None else [message])
            return bool(found)

        wait(probed, group, asked)
        into = np.empty(status.Get_count(mpi().BYTE), np.uint8) if into is None else into
        request = found[0].Irecv([into, mpi().BYTE])
        wait(request.Test, group, asked)
        return into, status.Get_source()

    told, sender = received(place, None)
    dtype, shape = pickle.loads(told.tobytes())
    got = np.empty(shape, dtype)
    received(sender, _bytes(got))
    count(name, got.nbytes, 0)
    into, result = _out(f"recv from rank {sender}", out, shape, dtype)
    _put(into, got)
    return _changed_again(name, result)


# --- Objects ------------------------------------------------------------------------------------


def all_gather_object(value: Any, *, group: Group | None = None) -> list[Any]:
    """What every rank gives, as a list on every rank. Objects travel as pickles: from ranks that
    are trusted.

    >>> import tinytensor as tt
    >>> tt.distributed.all_gather_object({"loss": 0.5})
    [{'loss': 0.5}]
    """
    group = _group("all_gather_object", group)
    if group.size == 1:
        return [value]
    own = np.frombuffer(pickle.dumps(value), np.uint8)
    lengths = np.empty(group.size, np.int64)
    _moved(group, "all_gather_object", lambda: group.data.Iallgather(np.int64(len(own)), lengths))
    got = np.empty(int(lengths.sum()), np.uint8)
    ends = np.cumsum(lengths)
    parts = (lengths.tolist(), (ends - lengths).tolist())
    _moved(
        group,
        "all_gather_object (data)",
        lambda: group.data.Iallgatherv([own, mpi().BYTE], [got, parts, mpi().BYTE]),
    )
    return [
        pickle.loads(got[end - length : end].tobytes())
        for end, length in zip(ends, lengths, strict=True)
    ]


def gather_object(value: Any, target: int = 0, *, group: Group | None = None) -> list[Any] | None:
    """What every rank gives, as a list on the rank ``target``; None on the others."""
    group = _group("gather_object", group)
    _rank("gather_object", "target", target, group)
    got = all_gather_object(value, group=group)
    return got if group.rank == target else None


def broadcast_object(value: Any = None, source: int = 0, *, group: Group | None = None) -> Any:
    """What the rank ``source`` gives, on every rank. It travels as a pickle."""
    name, group = "broadcast_object", _group("broadcast_object", group)
    here = _rank(name, "source", source, group) == group.rank
    if group.size == 1:
        return value
    data = np.frombuffer(pickle.dumps(value) if here else b"", np.uint8)
    length = np.array([len(data)], np.int64)
    _moved(group, name, lambda: group.data.Ibcast(length, source), source=source)
    data = data if here else np.empty(int(length[0]), np.uint8)
    _moved(group, f"{name} (data)", lambda: group.data.Ibcast([data, mpi().BYTE], source))
    return value if here else pickle.loads(data.tobytes())


def _moved(group: Group, name: str, start: Callable[[], Any], **settings: Any) -> None:
    Work(group, Call(name, **settings), start).wait()


# --- Arguments ----------------------------------------------------------------------------------


def _group(name: str, group: Any) -> Group:
    if group is None:
        return world()
    if not isinstance(group, Group):
        raise TypeError(f"{name}: group is {a_kind_of(group)}, not a Group; split() makes groups")
    return group


def _rank(name: str, argument: str, rank: Any, group: Group) -> int:
    if not isinstance(rank, int | np.integer) or not 0 <= rank < group.size:
        raise ValueError(f"{name}: {argument} is {rank!r}, but the ranks are 0 to {group.size - 1}")
    return int(rank)


def _given(work: Work, asynchronous: bool) -> Any:
    return work if asynchronous else work.wait()


def _read(name: str, tensor: Any) -> np.ndarray:
    """The array of what is only read."""
    if isinstance(tensor, Tensor):
        if tensor.level:
            raise GraphError(f"{name}: ranks do not meet within a vmap")
        return tensor.storage
    if isinstance(tensor, np.ndarray):
        if tensor.dtype.hasobject:
            raise DtypeError(f"{name}: arrays of objects do not travel; all_gather_object does")
        return tensor
    raise TypeError(f"{name}: tensor is {a_kind_of(tensor)}, not a Tensor or an ndarray")


def _changed(name: str, tensor: Any) -> np.ndarray:
    """The array of what will be overwritten, a change in place that is counted."""
    array = _read(name, tensor)
    if isinstance(tensor, Tensor):
        if is_grad_enabled() and not tensor.is_leaf:
            raise GraphError(
                f"{name}: an op made this tensor, and its graph would not know of the change:"
                " give tensor.detach(), or call it under no_grad"
            )
        return inplace.array_of(name, tensor)
    if not array.flags.writeable:
        raise ValueError(f"{name}: the array is read-only")
    return array


def _changed_again(name: str, tensor: Any) -> Any:
    """``tensor``, once it has been overwritten: what was saved of it meanwhile is no more."""
    if isinstance(tensor, Tensor):
        tensor.changed(name)
    return tensor


def _out(name: str, out: Any, shape: tuple[int, ...], dtype: np.dtype) -> tuple[np.ndarray, Any]:
    """Where a result goes, and what is returned for it."""
    if out is None:
        made = Tensor(np.empty(shape, dtype))
        return made.storage, made
    array = _changed(name, out)
    if array.shape != tuple(shape):
        raise ShapeError(f"{name}: out is {array.shape}, but the result is {tuple(shape)}")
    if array.dtype != dtype:
        raise DtypeError(f"{name}: out is {array.dtype}, but the result is {dtype}")
    return array, out


def _with_places(name: str, array: np.ndarray, group: Group) -> np.ndarray:
    if array.ndim == 0 or len(array) != group.size:
        raise ShapeError(
            f"{name}: tensor is {array.shape}; its first axis must have a place for each of the"
            f" {group.size} ranks"
        )
    return array


def _check_op(name: str, op: str, dtype: np.dtype) -> None:
    if op not in _OPS:
        raise ValueError(f"{name}: op is {op!r}, not one of {', '.join(_OPS)}")
    fits = {
        "sum": dtype.kind != "b",
        "mean": is_floating(dtype),
        "product": True,
        "max": dtype.kind != "c",
        "min": dtype.kind != "c",
    }.get(op, dtype.kind in "biu")
    if not (fits and dtype.isnative and (dtype.kind in "biufc" or is_floating(dtype))):
        raise DtypeError(f"{name}: there is no {op!r} of {dtype}; astype() casts")


# --- Memory -------------------------------------------------------------------------------------


def _staged(array: np.ndarray) -> np.ndarray:
    """The array itself if MPI can reduce it where it lies, otherwise a copy."""
    if is_narrow(array):
        return array.astype(np.float32, order="C")
    return array if array.flags.c_contiguous else array.copy(order="C")


def _numbers(array: np.ndarray) -> np.ndarray:
    """The same memory flat, as numbers that MPI reduces: bools are 0 and 1."""
    flat = array.reshape(-1)
    return flat.view(np.uint8) if flat.dtype.kind == "b" else flat


def _bytes(array: np.ndarray) -> np.ndarray:
    """The same memory as bytes."""
    return array.reshape(-1).view(np.uint8)


def _apart(array: np.ndarray, into: np.ndarray) -> np.ndarray:
    """The array, or a copy where MPI would read what it writes."""
    return array.copy() if np.may_share_memory(array, into) else array


def _put(array: np.ndarray, staged: np.ndarray) -> None:
    if array is not staged:
        array[...] = staged


def _averaged(array: np.ndarray, op: str, group: Group) -> np.ndarray:
    if op == "mean" and group.size > 1:
        array /= group.size
    return array


_made: dict[Any, Any] = {}  # operations of our own


def _operation(op: str, dtype: np.dtype) -> Any:
    """MPI's operation."""
    if op in ("max", "min") and dtype.kind == "f":
        if (op, dtype) not in _made:
            choose = np.maximum if op == "max" else np.minimum

            def chosen(given: Any, into: Any, datatype: Any) -> None:
                array = np.frombuffer(into, dtype)
                choose(np.frombuffer(given, dtype), array, out=array)

            _made[op, dtype] = mpi().Op.Create(chosen, commute=True)
        return _made[op, dtype]
    if dtype.kind == "b" and op == "product":
        return mpi().BAND
    names = {"sum": "SUM", "mean": "SUM", "product": "PROD", "max": "MAX", "min": "MIN"}
    return getattr(mpi(), names.get(op, f"B{op.upper()}"))
