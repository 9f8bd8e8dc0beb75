"""Pickles read without running them: one unpickler for all formats that hold pickles.

A pickle is a program for a machine with a stack. This machine makes plain data: numbers, strings,
bytes, lists, tuples, dicts, sets. What a pickle names beyond that is looked up in a table of the
format that is read, and what is not in the table is refused. A format's own objects are stand-ins:
they keep what the pickle says of them, for their reader to judge.

Memory and time stay within a multiple of the pickle's size: nothing is allocated by a claim. A
length beyond the end is an error before it is read; the memo is a list, and beyond it a dict, which
is counted as are containers and what a table's function copies; keys are such that hashing them
costs little; and what comes out has a bounded depth and, with each reference followed, a bounded
size, so that its reader may walk it.

Source: the comments of CPython's pickletools.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from ..errors import a_kind_of
from .files import byte_count, settled, short

__all__ = [
    "NUMPY",
    "Function",
    "PickledArray",
    "PickledDtype",
    "PickledScalar",
    "StandIn",
    "Unpickler",
    "cheap_key",
]

DEEPEST = 100  # containers in one another
UNFOLDED = 64  # elements for a byte, if each reference is followed
WIDEST_KEY = 2048  # bits: Python hashes an int anew each time
# Bytes of an empty container.
COSTS: dict[type, int] = {list: 64, tuple: 64, dict: 64, set: 256, frozenset: 256}
SCATTERED = 128  # of an entry of the memo that is not in the order that picklers keep
COPIES = (
    bytes | str | tuple | set | frozenset | dict
)  # what a function may make of what there is already

Persistent = Callable[[Any], Any]


class StandIn:
    """What a table's function makes in the place of an object that is not plain data."""

    __slots__ = ()
    COST = 256  # bytes, of one

    def build(self, state: Any) -> None:
        """Take the state that the pickle gives to the object."""
        raise ValueError(f"{a_kind_of(self)} takes no state")


class _Named(Protocol):
    def __call__(self, *args: Any) -> Any: ...


class Function:
    """A name of the table that may be called: it is no data, and nothing else may be called."""

    __slots__ = ("call", "name")

    def __init__(self, name: str, call: _Named) -> None:
        self.name, self.call = name, call


class Unpickler:
    """Reads the pickle in ``content`` from ``position`` on.

    ``names`` gives for (module, name) a function that may be called, or any other value, which
    stands for itself. ``persistent`` gives the object of a persistent id. ``encoding`` is that of
    Python 2's strings, or "bytes". After :meth:`load` the ``position`` is behind the pickle, where
    another one may follow. ``asked`` is the name that was asked for and is not in the table.

    Every error is a ValueError that tells the byte.

    >>> import pickle
    >>> Unpickler(pickle.dumps({"a": [1, (2.5, None)]})).load()
    {'a': [1, (2.5, None)]}
    >>> Unpickler(pickle.dumps(print)).load()
    Traceback (most recent call last):
    ...
    ValueError: at byte 30: it asks for builtins.print
    """

    def __init__(
        self,
        content: bytes,
        names: Mapping[tuple[str, str], Any] | None = None,
        persistent: Persistent | None = None,
        encoding: str = "ascii",
        position: int = 0,
    ) -> None:
        self.content = content
        self.names = names or {}
        self.persistent = persistent
        self.encoding = encoding
        self.position = position
        self.budget = 16 * len(content) + (1 << 24)  # bytes, for containers
        self.copied = 0  # bytes and items, by functions of the table
        self.asked = ""
        self._begin()

    def _begin(self) -> None:
        self.stack: list[Any] = []
        self.marked: list[list[Any]] = []  # the stacks below each mark
        self.memo: list[Any] = []  # by the indices that picklers give: 0, 1, 2 …
        self.scattered: dict[int, Any] = {}  # by others

    def load(self) -> Any:
        """The object that the pickle describes."""
        self._begin()
        start, content = self.position, self.content
        at = start
        try:
            while True:
                at = self.position
                if at >= len(content):
                    raise ValueError("it is truncated")
                code = content[at]
                self.position = at + 1
                if code == 0x2E:  # STOP
                    break
                operation = _OPERATIONS.get(code)
                if operation is None:
                    raise ValueError(f"there is no operation {content[at : at + 1]!r} here")
                operation(self)
            result = self.pop()
            _check_size(result, UNFOLDED * (self.position - start))
        except Exception as error:  # a table's functions may raise anything
            told = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
            raise ValueError(f"at byte {at}: {told}") from error
        finally:
            self._begin()
        return result

    # --- What operations are made of ---------------------------------------------------------

    def take(self, size: int) -> bytes:
        """The next bytes of the pickle."""
        begin, end = self.position, self.position + size
        if size < 0 or end > len(self.content):
            raise ValueError(f"it is truncated: {short(size)} bytes should follow")
        self.position = end
        return self.content[begin:end]

    def number(self, size: int, signed: bool = False) -> int:
        return int.from_bytes(self.take(size), "little", signed=signed)

    def line(self) -> bytes:
        end = self.content.find(b"\n", self.position)
        if end < 0:
            raise ValueError("it is truncated within a line")
        line = self.content[self.position : end]
        self.position = end + 1
        return line

    def push(self, item: Any) -> None:
        """Put a new object on the stack."""
        self.spend(item.COST if isinstance(item, StandIn) else COSTS.get(type(item), 0))
        self.stack.append(item)

    def spend(self, cost: int) -> None:
        """Count the bytes of a new object, since one byte of a pickle may be a set of 200."""
        self.budget -= cost
        if self.budget < 0:
            raise ValueError("it has more containers than a pickle of its size")

    def pop(self) -> Any:
        if not self.stack:
            raise ValueError("the stack is empty")
        return self.stack.pop()

    def top(self, kind: type) -> Any:
        """The object on the top, which something is put into."""
        if not self.stack or type(self.stack[-1]) is not kind:
            raise ValueError(f"there is no {kind.__name__} to put something into")
        return self.stack[-1]

    def since_mark(self) -> list[Any]:
        """Take what stands above the last mark."""
        if not self.marked:
            raise ValueError("there is no mark")
        items, self.stack = self.stack, self.marked.pop()
        self.budget += COSTS[list]  # the mark's
        return items

    def remember(self, index: int) -> None:
        # Each index that a pickler gives costs a byte or more.
        if not 0 <= index <= len(self.content):
            raise ValueError(f"memo {short(index)} of a pickle of {len(self.content)} bytes")
        if not self.stack:
            raise ValueError("the stack is empty")
        if index < len(self.memo):
            self.memo[index] = self.stack[-1]
        elif index == len(self.memo):
            self.memo.append(self.stack[-1])
            self.scattered.pop(index, None)
        else:
            if index not in self.scattered:
                self.spend(SCATTERED)
            self.scattered[index] = self.stack[-1]

    def recall(self, index: int) -> None:
        if 0 <= index < len(self.memo):
            self.stack.append(self.memo[index])
        elif index in self.scattered:
            self.stack.append(self.scattered[index])
        else:
            raise ValueError(f"there is no memo {short(index)}")

    def python2_text(self, text: bytes) -> Any:
        return text if self.encoding == "bytes" else text.decode(self.encoding)

    def named(self, module: Any, name: Any) -> Any:
        if not isinstance(module, str) or not isinstance(name, str):
            raise ValueError("a name is not a string")
        if (module, name) not in self.names:
            self.asked = short(f"{module}.{name}")[1:-1]
            raise ValueError(f"it asks for {self.asked}")
        found = self.names[module, name]
        return Function(f"{module}.{name}", found) if callable(found) else found

    def called(self, function: Any, arguments: Any) -> Any:
        if not isinstance(function, Function):
            raise ValueError(f"it calls {a_kind_of(function)}")
        if not isinstance(arguments, tuple):
            raise ValueError(f"it calls {function.name} with {a_kind_of(arguments)}")
        made = function.call(*arguments)
        self.copied += len(made) if isinstance(made, COPIES) else 0
        if self.copied > len(self.content):
            raise ValueError(f"it calls {function.name} for more bytes than it holds")
        return made

    def persisted(self, key: Any) -> Any:
        if self.persistent is None:
            raise ValueError(f"it has a persistent id, {short(key)}")
        return self.persistent(key)


# --- The operations --------------------------------------------------------------------------

_OPERATIONS: dict[int, Callable[[Unpickler], None]] = {}


def _operation(code: bytes) -> Callable[[Callable[[Unpickler], None]], Callable[[Unpickler], None]]:
    def register(operation: Callable[[Unpickler], None]) -> Callable[[Unpickler], None]:
        _OPERATIONS[code[0]] = operation
        return operation

    return register


def _pushing(code: bytes, value: Callable[[Unpickler], Any]) -> None:
    _OPERATIONS[code[0]] = lambda m: m.push(value(m))


def _packed(layout: str) -> Callable[[Unpickler], Any]:
    form = struct.Struct(layout)
    return lambda m: form.unpack(m.take(form.size))[0]


def _line_int(m: Unpickler) -> Any:
    line = m.line()
    return {b"00": False, b"01": True}[line] if line in (b"00", b"01") else int(line)


def _python2_line(m: Unpickler) -> Any:
    line = m.line().strip()
    if len(line) < 2 or line[:1] not in b"\"'" or line[:1] != line[-1:]:
        raise ValueError("a string is not quoted")
    return m.python2_text(codecs.escape_decode(line[1:-1])[0])


def _signed(size: int) -> Callable[[Unpickler], int]:
    return lambda m: m.number(size, signed=True)


def _counted(
    size: int, of: Callable[[Unpickler, bytes], Any], signed: bool = False
) -> Callable[[Unpickler], Any]:
    """A value of bytes whose count stands before them, in ``size`` bytes."""
    return lambda m: of(m, m.take(m.number(size, signed)))


def _bytes(m: Unpickler, content: bytes) -> bytes:
    return content


def _text(m: Unpickler, content: bytes) -> str:
    return str(content, "utf-8", "surrogatepass")


def _python2(m: Unpickler, content: bytes) -> Any:
    return m.python2_text(content)


def _long(m: Unpickler, content: bytes) -> int:
    return int.from_bytes(content, "little", signed=True)


for _code, _value in {
    b"N": lambda m: None,
    b"\x88": lambda m: True,
    b"\x89": lambda m: False,
    b"I": _line_int,
    b"L": lambda m: int(m.line().rstrip(b"L")),
    b"J": _signed(4),
    b"K": lambda m: m.number(1),
    b"M": lambda m: m.number(2),
    b"\x8a": _counted(1, _long),
    b"\x8b": _counted(4, _long, signed=True),
    b"F": lambda m: float(m.line()),
    b"G": _packed(">d"),
    b"S": _python2_line,
    b"T": _counted(4, _python2, signed=True),
    b"U": _counted(1, _python2),
    b"B": _counted(4, _bytes),
    b"C": _counted(1, _bytes),
    b"\x8e": _counted(8, _bytes),
    b"\x96": _counted(8, _bytes),  # a bytearray, which nothing here has to change
    b"V": lambda m: str(m.line(), "raw-unicode-escape"),
    b"X": _counted(4, _text),
    b"\x8c": _counted(1, _text),
    b"\x8d": _counted(8, _text),
    b"]": lambda m: [],
    b")": lambda m: (),
    b"}": lambda m: {},
    b"\x8f": lambda m: set(),
    b"l": lambda m: m.since_mark(),
    b"t": lambda m: tuple(m.since_mark()),
    b"d": lambda m: _put({}, m.since_mark()),
    b"\x91": lambda m: frozenset(map(cheap_key, m.since_mark())),
    b"\x85": lambda m: (m.pop(),),
    b"\x86": lambda m: (m.pop(), m.pop())[::-1],
    b"\x87": lambda m: (m.pop(), m.pop(), m.pop())[::-1],
    b"P": lambda m: m.persisted(str(m.line(), "ascii")),
    b"Q": lambda m: m.persisted(m.pop()),
    b"c": lambda m: m.named(str(m.line(), "utf-8"), str(m.line(), "utf-8")),
    b"\x93": lambda m: m.named(*(m.pop(), m.pop())[::-1]),
}.items():
    _pushing(_code, _value)


@_operation(b"\x80")
def _protocol(m: Unpickler) -> None:
    if (protocol := m.number(1)) > 5:
        raise ValueError(f"it is of protocol {protocol}")


@_operation(b"\x95")
def _frame(m: Unpickler) -> None:
    if (size := m.number(8)) > len(m.content) - m.position:
        raise ValueError(f"it is truncated: a frame of {size} bytes should follow")


@_operation(b"(")
def _mark(m: Unpickler) -> None:
    m.spend(COSTS[list])
    m.marked.append(m.stack)
    m.stack = []


@_operation(b"0")
def _pop(m: Unpickler) -> None:
    if m.stack:
        m.stack.pop()
    else:
        m.since_mark()


@_operation(b"1")
def _pop_mark(m: Unpickler) -> None:
    m.since_mark()


@_operation(b"2")
def _duplicate(m: Unpickler) -> None:
    item = m.pop()
    m.stack += (item, item)


for _code, _size in {b"q": 1, b"r": 4}.items():
    _OPERATIONS[_code[0]] = lambda m, size=_size: m.remember(m.number(size))  # type: ignore[misc]
for _code, _size in {b"h": 1, b"j": 4}.items():
    _OPERATIONS[_code[0]] = lambda m, size=_size: m.recall(m.number(size))  # type: ignore[misc]
_OPERATIONS[ord("p")] = lambda m: m.remember(int(m.line()))
_OPERATIONS[ord("g")] = lambda m: m.recall(int(m.line()))
_OPERATIONS[0x94] = lambda m: m.remember(len(m.memo) + len(m.scattered))


@_operation(b"a")
def _append(m: Unpickler) -> None:
    item = m.pop()
    m.top(list).append(item)


@_operation(b"e")
def _appends(m: Unpickler) -> None:
    items = m.since_mark()
    m.top(list).extend(items)


@_operation(b"s")
def _set_item(m: Unpickler) -> None:
    pair = [m.pop(), m.pop()][::-1]
    _set_items(m, pair)


@_operation(b"u")
def _set_marked_items(m: Unpickler) -> None:
    _set_items(m, m.since_mark())


def _set_items(m: Unpickler, items: list[Any]) -> None:
    target = m.stack[-1] if m.stack else None
    _put(target if isinstance(target, StandIn) else m.top(dict), items)


@_operation(b"\x90")
def _add_items(m: Unpickler) -> None:
    items = m.since_mark()
    m.top(set).update(map(cheap_key, items))


@_operation(b"R")
@_operation(b"\x81")
def _call(m: Unpickler) -> None:
    arguments = m.pop()
    m.push(m.called(m.pop(), arguments))


@_operation(b"i")
def _call_named(m: Unpickler) -> None:
    function = m.named(str(m.line(), "utf-8"), str(m.line(), "utf-8"))
    m.push(m.called(function, tuple(m.since_mark())))


@_operation(b"o")
def _call_marked(m: Unpickler) -> None:
    items = m.since_mark()
    if not items:
        raise ValueError("the stack is empty")
    m.push(m.called(items[0], tuple(items[1:])))


@_operation(b"b")
def _build(m: Unpickler) -> None:
    state = m.pop()
    if not m.stack or not isinstance(m.stack[-1], StandIn):
        raise ValueError("it gives a state to what takes none")
    m.stack[-1].build(state)


def _put(target: Any, items: list[Any]) -> Any:
    """Put keys and values, by turns, into a dict."""
    if len(items) % 2:
        raise ValueError("a key has no value")
    for i in range(0, len(items), 2):
        target[cheap_key(items[i])] = items[i + 1]
    return target


def cheap_key(key: Any) -> Any:
    """``key``, if it is cheap to hash: a tuple hashes all that is in it, each time."""
    parts = key if type(key) is tuple else (key,)
    for part in parts if len(parts) <= DEEPEST else (parts,):
        if part is not None and type(part) not in (str, bytes, int, float, bool):
            raise ValueError(f"a key is {a_kind_of(part)}")
        if type(part) is int and part.bit_length() > WIDEST_KEY:
            raise ValueError(f"a key is a number of {part.bit_length()} bits")
    return key


def _check_size(root: Any, most: int) -> None:
    """Raise ValueError unless ``root`` has at most DEEPEST levels and ``most`` elements, where an
    object counts as often as it is referred to."""
    known: dict[int, tuple[int, int]] = {}  # of each container the elements and the levels
    above: set[int] = set()
    pending = [(root, False)]
    while pending:
        item, is_counted = pending.pop()
        if isinstance(item, Function):
            raise ValueError(f"it asks for {item.name} itself")
        inside = _inside(item)
        if inside is None or id(item) in known:
            continue
        if is_counted:
            counts = [known.get(id(part), (1, 0)) for part in inside]
            elements = 1 + sum(count for count, _ in counts)
            levels = 1 + max((level for _, level in counts), default=0)
            if levels > DEEPEST:
                raise ValueError(f"it is nested more than {DEEPEST} deep")
            if elements > most:
                raise ValueError(f"it unfolds to more than {most} elements")
            known[id(item)] = elements, levels
            above.discard(id(item))
        elif id(item) in above:
            raise ValueError("it contains itself")
        else:
            above.add(id(item))
            pending.append((item, True))
            pending += [(part, False) for part in inside]


def _inside(item: Any) -> Any:
    """What a container holds; None for all else."""
    if isinstance(item, dict):
        return item.values()
    return item if isinstance(item, list | tuple) else None


# --- Arrays of NumPy -------------------------------------------------------------------------


class PickledDtype(StandIn):
    """A dtype of numbers or bools."""

    CODES = frozenset({"b1", "c8", "c16"}).union(
        kind + size
        for kinds, sizes in (("iu", "1248"), ("f", "248"))
        for kind in kinds
        for size in sizes
    )

    def __init__(self, code: Any, *arguments: Any) -> None:
        code = code.decode("ascii") if isinstance(code, bytes) else code
        if not isinstance(code, str) or code not in self.CODES:  # a tuple may be long to hash
            raise ValueError(f"an array has dtype {short(code)}")
        self.dtype = np.dtype(code)

    def build(self, state: Any) -> None:
        if type(state) is not tuple or len(state) < 2:
            raise ValueError(f"a dtype's state is {short(state)}")
        order: Any = state[1].decode("ascii") if isinstance(state[1], bytes) else state[1]
        if order not in ("<", ">", "|", "="):
            raise ValueError(f"a byte order is {short(order)}")
        self.dtype = self.dtype.newbyteorder(order)


class PickledArray(StandIn):
    """An ndarray: the pickle's shape, dtype and bytes, and after checks the array of them."""

    def __init__(self, *arguments: Any) -> None:
        self.state: Any = None

    def build(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise ValueError("an array's state is not 5 items")
        self.state = state

    @classmethod
    def of_buffer(cls, content: Any, dtype: Any, shape: Any, order: Any) -> PickledArray:
        made = cls()
        made.state = (1, shape, dtype, order == "F", content)
        return made

    def array(self) -> np.ndarray:
        """The array, which shares the pickle's memory and cannot be written."""
        if self.state is None:
            raise ValueError("an array has no content")
        _, shape, kept, fortran, content = self.state
        if not isinstance(kept, PickledDtype) or not isinstance(content, bytes):
            raise ValueError(f"an array of {type(kept).__name__} has {a_kind_of(content)}")
        if byte_count(shape, kept.dtype.itemsize) != len(content):
            raise ValueError(f"an array of {kept.dtype} {short(shape)} has {len(content)} bytes")
        flat = np.frombuffer(content, kept.dtype)
        return flat.reshape(shape, order="F" if fortran else "C")


class PickledScalar(StandIn):
    """A scalar of NumPy: after checks, the number."""

    def __init__(self, kept: Any, content: Any) -> None:
        content = content.encode("latin1") if isinstance(content, str) else content
        if not isinstance(kept, PickledDtype) or not isinstance(content, bytes):
            raise ValueError(f"a scalar of {type(kept).__name__} has {a_kind_of(content)}")
        if kept.dtype.itemsize != len(content):
            raise ValueError(f"a scalar of {kept.dtype} has {len(content)} bytes")
        self.kept, self.content = kept, content

    def number(self) -> Any:
        """The scalar, of NumPy's type."""
        return settled(np.frombuffer(self.content, self.kept.dtype))[0]


def _latin1(text: Any, encoding: Any = "latin1") -> bytes:
    """How protocols 0 to 2 write bytes: as text."""
    if not isinstance(text, str) or encoding not in ("latin1", b"latin1"):
        raise ValueError(f"bytes are written as {a_kind_of(text)}")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """How protocols 0 to 2 write no bytes at all."""
    return b""


NUMPY: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): None,  # _reconstruct's argument
    ("numpy", "dtype"): PickledDtype,
    ("_codecs", "encode"): _latin1,
    ("__builtin__", "bytes"): _no_bytes,
    **{
        (f"numpy.{core}.{module}", name): function
        for core in ("core", "_core")
        for module, name, function in (
            ("multiarray", "_reconstruct", PickledArray),
            ("multiarray", "scalar", PickledScalar),
            ("numeric", "_frombuffer", PickledArray.of_buffer),
        )
    },
}
