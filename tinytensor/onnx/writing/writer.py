"""The graph of ONNX that is written: nodes, names, constants, and the sizes of axes by nodes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from ..sizes import NeedsNumber, Size, Varying, is_dynamic
from ..tracing import Call, Value

Written = Any  # the name of what a node gives; of several outputs, a tuple of names
WRITERS: dict[str, Callable[..., Any]] = {}
INT64, FLOAT64 = np.dtype(np.int64), np.dtype(np.float64)
SMALL, LARGE = 1 << 12, 1 << 20  # bytes of constants


class Unwritable(NotImplementedError):
    """What a call does has no translation."""


def writes(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a function write the calls of the ops of these names: ``function(g, **arguments)``, with
    ``g`` the :class:`Writer`, returns the name of the output, or of each."""

    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in names:
            WRITERS[name] = function
        return function

    return declare


class Writer:
    """What calls are written into: ``g("Add", a, b)`` is a node, and the name of what it gives."""

    def __init__(self, opset: int, training: bool = False) -> None:
        self.opset, self.training = opset, training
        self.nodes: list[Any] = []
        self.initializers: dict[str, np.ndarray] = {}
        self.call: Call = Call("", {}, "")
        self.wanted: set[int] = set()  # by id, the values that something needs
        self._reserved: set[str] = set()
        self._taken: set[str] = {""}
        self._written: dict[int, str] = {}
        self._constants: dict[Any, str] = {}
        self._known: dict[tuple[int, ...], tuple[str, int]] = {}
        self._sizes: dict[tuple[int, ...], str] = {}
        self._made: dict[Any, Written] = {}  # of nodes that stand for the whole graph

    # --- Nodes and names ---------------------------------------------------------------------

    def __call__(self, kind: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> Written:
        """A node; None for an input that is left out, and attributes that are None are left out."""
        names = [self.name(given) for given in inputs]
        while names and not names[-1]:
            names.pop()
        own = self.unique(self._placed(kind))
        made = [own] if outputs == 1 else [self.unique(f"{own}.{i}") for i in range(outputs)]
        given = {key: value for key, value in attributes.items() if value is not None}
        for key, value in given.items():
            if is_dynamic(value):
                raise NeedsNumber(f"{key} of {kind} must be a number in ONNX")
        self.nodes.append(helper.make_node(kind, names, made, name=own, **given))
        return own if outputs == 1 else tuple(made)

    def name(self, given: Any) -> str:
        """How an input of a node is called: a name, a value of the run, an array, or None."""
        if given is None:
            return ""
        if isinstance(given, str):
            return given
        if isinstance(given, Value):
            return self.value(given)
        if isinstance(given, np.ndarray | np.generic):
            return self.constant(np.asarray(given))
        raise TypeError(f"{given!r} is no input of a node")

    def unique(self, name: str) -> str:
        name = re.sub(r"\s+", "_", name)
        found, number = name, 0
        while found in self._taken or found in self._reserved:
            number += 1
            found = f"{name}_{number}"
        self._taken.add(found)
        return found

    def value(self, value: Value) -> str:
        """The name of a value, which is written now if it is a constant."""
        found = self._written.get(id(value))
        if found is None:
            if value.arrays is not None:  # no call made it
                from .constants import varying

                found = varying(self, value)
            elif value.kind == "state":
                self._reserved.discard(value.name)
                found = self.unique(value.name)
                self.initializers[found] = np.asarray(value.array)
            elif value.constant:
                found = self.constant(np.asarray(value.array))
            else:
                raise Unwritable("an output of a call that was not written")
            self._written[id(value)] = found
        return found

    def give(self, value: Value, name: str) -> None:
        """Let ``value`` be called ``name``, and its axes tell their sizes."""
        self._written[id(value)] = name
        for axis, size in enumerate(value.sizes):
            if isinstance(size, Size):
                self._known.setdefault(size.values, (name, axis))

    def needed(self, value: Value) -> bool:
        """Whether anything needs this output of a call."""
        return id(value) in self.wanted

    def reserve(self, names: Iterable[str]) -> None:
        """Keep names of parameters and buffers for these."""
        self._reserved |= set(names)

    def is_made(self, name: str) -> bool:
        """Whether a node gives what is called so."""
        return any(name in node.output for node in self.nodes)

    def constant(self, array: Any, name: str = "") -> str:
        """A node of a constant, of which equal small ones are one; with a name, an initializer:
        what may be learned."""
        array = np.asarray(array)
        if name:
            found = self.unique(name)
            self.initializers[found] = array
            return found
        key = None
        if array.nbytes <= SMALL:
            key = (array.dtype.str, array.shape, array.tobytes())
            if key in self._constants:
                return self._constants[key]
        if array.nbytes > LARGE:  # of which external_data may be made
            return self.constant(array, self._placed("constant"))
        found = self.unique(self._placed("Constant"))
        node = helper.make_node("Constant", [], [found], name=found, value=as_proto(array, found))
        self.nodes.append(node)
        if key is not None:
            self._constants[key] = found
        return found

    def _placed(self, name: str) -> str:
        return f"{self.call.path}/{name}" if self.call.path else name

    def once(self, key: Any, write: Callable[[], Written]) -> Written:
        """What ``write`` gave when ``key`` was first asked for."""
        if key not in self._made:
            self._made[key] = write()
        return self._made[key]

    # --- Operands ----------------------------------------------------------------------------

    def cast(self, given: Any, dtype: Any, of: Any = None) -> Any:
        """``given`` as ``dtype``: a value, a Python number, or a name of what has dtype ``of``."""
        dtype = np.dtype(dtype)
        if isinstance(given, Value):
            if given.dtype == dtype:
                return self.value(given)
            if given.constant and given.arrays is None:
                return self.constant(np.asarray(given.array).astype(dtype))
            return self("Cast", given, to=code(dtype))
        if isinstance(given, str):
            return given if of == dtype else self("Cast", given, to=code(dtype))
        if isinstance(given, Size):
            return self.cast(self("Squeeze", self.dimension(given)), dtype, INT64)
        if isinstance(given, Varying):
            return self.cast(self._power(given.values), dtype, FLOAT64)
        with np.errstate(all="ignore"):
            return self.constant(np.asarray(given).astype(dtype))

    # --- Sizes -------------------------------------------------------------------------------

    def ints(self, sizes: Sequence[Any]) -> str:
        """Integers as an int64 tensor of one axis, of which some may be sizes of axes."""
        sizes = list(sizes)
        if not is_dynamic(sizes):
            return self.constant(np.array([int(size) for size in sizes], np.int64))
        parts: list[str] = []
        fixed: list[int] = []
        for size in [*sizes, None]:
            if isinstance(size, Size) or size is None:
                if fixed:
                    parts.append(self.constant(np.array(fixed, np.int64)))
                    fixed = []
                if size is not None:
                    parts.append(self.dimension(size))
            else:
                fixed.append(int(size))
        return parts[0] if len(parts) == 1 else self("Concat", *parts, axis=0)

    def dimension(self, size: Any) -> str:
        """An integer as an int64 tensor (1,)."""
        if not isinstance(size, Size):
            return self.constant(np.array([int(size)], np.int64))
        values = size.values
        if values not in self._sizes:
            self._sizes[values] = self._found(values)
        return self._sizes[values]

    def _power(self, values: tuple[float, ...]) -> str:
        """A number such as c n, c / n, or one of those with the root of n, of a size n: float64."""
        powers = (1.0, -1.0, 0.5, -0.5)
        sizes = [*self._known]
        sizes += [tuple(i * j for i, j in zip(a, b, strict=True)) for a in sizes for b in sizes]
        if all(1e-9 < value < 1e9 for value in values):
            sizes += [tuple(round(value ** (1 / power)) for value in values) for power in powers]
        for size in sizes:
            for power in powers if all(size) else ():
                times = [value / n**power for value, n in zip(values, size, strict=True)]
                if max(times) - min(times) <= 1e-9 * abs(times[0]):
                    base = self.cast(Size(size), FLOAT64)
                    found = base if power == 1 else self("Pow", base, np.array(power))
                    one = abs(times[0] - 1) < 1e-9
                    return str(found if one else self("Mul", found, np.array(times[0])))
        raise NeedsNumber(
            f"a number is {' or '.join(map(str, values))} in the runs on examples of several sizes,"
            " and it is not clear from which axes it comes"
        )

    def _found(self, values: tuple[int, ...]) -> str:
        """Nodes that compute a size from those of axes that are there."""
        known = self._known
        if values in known:
            name, axis = known[values]
            return self("Shape", name, start=axis, end=axis + 1)
        number = len(values)
        for base in known:
            apart = {a - b for a, b in zip(values, base, strict=True)}
            if len(apart) == 1:
                return self("Add", self.dimension(Size(base)), np.array([apart.pop()]))
        for base in known:
            times = {
                a // b if b and a % b == 0 else None for a, b in zip(values, base, strict=True)
            }
            if len(times) == 1 and None not in times:
                return self("Mul", self.dimension(Size(base)), np.array([times.pop()]))
        for base in known:
            for by in range(2, 65):
                for more in range(-by + 1, 2 * by):
                    if all((b + more) // by == a for a, b in zip(values, base, strict=True)):
                        sum_ = self.dimension(Size(base) + more)
                        return self("Div", sum_, np.array([by]))
        bases = list(known)
        for i, first in enumerate(bases):
            for second in bases[i:]:
                product = [first[k] * second[k] for k in range(number)]
                ratios = {a / p if p else None for a, p in zip(values, product, strict=True)}
                ratio = ratios.pop()
                if not ratios and ratio is not None and ratio == int(ratio):
                    both = self("Mul", *(self.dimension(Size(b)) for b in (first, second)))
                    return both if ratio == 1 else self("Mul", both, np.array([int(ratio)]))
                apart = {a - first[k] - second[k] for k, a in enumerate(values)}
                if len(apart) == 1:
                    both = self("Add", *(self.dimension(Size(b)) for b in (first, second)))
                    rest = apart.pop()
                    return both if not rest else self("Add", both, np.array([rest]))
        raise NeedsNumber(
            f"{self.call.name}: a size is {' or '.join(map(str, values))} in the runs on examples"
            " of several sizes, and it is not clear from which axes it comes"
        )


def code(dtype: Any) -> int:
    """The number of a dtype in ONNX."""
    try:
        return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))
    except (KeyError, ValueError, TypeError) as error:
        raise Unwritable(f"ONNX has no {dtype}") from error


def as_proto(array: np.ndarray, name: str) -> onnx.TensorProto:
    return numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
